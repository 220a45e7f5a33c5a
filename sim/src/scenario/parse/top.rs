//! The top of the file: which format, when the run is, which part counts, how long messages take.
//!
//! It refuses instants that the simulated clock, JavaScript and the time zone data do not all
//! have, and times of day without an offset: the machine that runs the file has no say in them.

use jiff::Timestamp;
use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Network, Range};
use super::alert;
use super::context::Context;
use super::names::is_unseen;
use super::read::Grain;
use super::shape;
use super::table::{Node, Table, list};
use crate::clock::{Instant, Span};

/// The format that this version reads.
const FORMAT: i64 = 1;

/// 2026-01-05T00:00:00Z, a Monday: when a run starts that does not say when.
pub(super) const DEFAULT_START: Instant = Instant::from_ms(1_767_571_200_000);

/// 2200-01-01T00:00:00Z, in nanoseconds: what time zones do later is not kept.
const LAST_START: i64 = 7_258_118_400_000_000_000;

/// The longest run, in days.
const LONGEST: i64 = 400;

const DAY_NANOS: i64 = 86_400_000_000_000;

/// How long a message and its reply take together if the file does not say.
const ROUND_TRIP: (Span, Span) = (Span::from_nanos(400_000), Span::from_nanos(2_000_000));

/// What the top of a file says, without its tables.
pub(super) struct Top {
    pub(super) name: Box<str>,
    pub(super) length: Span,
    pub(super) measure: (Span, Span),
    pub(super) calm: Span,
    pub(super) round_trip: Range,
    pub(super) network: Network,
    pub(super) skips_idle_polls: bool,
}

/// Reads the top; leaves start, length and calm in the context.
pub(super) fn top<'t>(cx: &mut Context<'t>, table: &Table<'t>) -> Option<Top> {
    let format = table.get("format").and_then(|node| format(cx, node));
    // What it names was put under this table before.
    let extends = table.get("extends").map(|node| cx.string(node));
    let name = table.get("name").and_then(|node| line(cx, node, "name"));
    if let Some(start) = table.get("start").and_then(|node| moment(cx, node, "start")) {
        cx.start = start;
    }
    cx.length = table.get("length").and_then(|node| length(cx, node));
    let measure = match table.get("measure") {
        Some(node) => measure(cx, node),
        None => cx.length.map(|length| (Span::ZERO, length)),
    };
    if let Some(every) = table.get("scrape_interval").and_then(|node| alert::scrape(cx, node)) {
        cx.scrape = every;
    }
    cx.calm = match table.get("calm") {
        Some(node) => calm(cx, node),
        None => Some(Span::ZERO),
    };
    let network = network(cx, table.get("network"));
    format?;
    extends.is_none_or(|text| text.is_some()).then_some(())?;
    let (round_trip, network, skips_idle_polls) = network?;
    Some(Top {
        name: name?,
        length: cx.length?,
        measure: measure?,
        calm: cx.calm?,
        round_trip,
        network,
        skips_idle_polls,
    })
}

fn format(cx: &mut Context<'_>, node: Node<'_>) -> Option<()> {
    let help = format!("this version of bootrace reads format {FORMAT}: `format = {FORMAT}`");
    let DeValue::Integer(integer) = node.value else {
        return cx.fail(node.wrong("a whole number").help(help));
    };
    if integer.radix() == 10 && integer.as_str() == FORMAT.to_string() {
        return Some(());
    }
    let newer = integer.as_str().parse::<i64>().is_ok_and(|number| number > FORMAT);
    let message = if newer { "the file is of a newer format" } else { "there is no such format" };
    cx.fail(Diagnostic::error(code::FORMAT, node.span, message).help(help))
}

/// Any line that can be seen: the scenario's name, a reason.
pub(super) fn line(cx: &mut Context<'_>, node: Node<'_>, noun: &str) -> Option<Box<str>> {
    const MOST: usize = 200;
    let DeValue::String(text) = node.value else {
        return cx.fail(node.wrong("a string"));
    };
    if text.trim().is_empty() || text.chars().nth(MOST).is_some() || text.chars().any(is_unseen) {
        let message =
            format!("the {noun} must be one line of 1 to {MOST} characters that can be seen");
        return cx.fail(Diagnostic::error(code::BAD_NAME, node.span, message));
    }
    Some(text.trim().into())
}

/// An instant, which the file calls by a noun.
pub(super) fn moment(cx: &mut Context<'_>, node: Node<'_>, noun: &str) -> Option<Instant> {
    let DeValue::Datetime(moment) = node.value else {
        let help = "without quotes, as in `start = 2026-01-05T00:00:00Z`";
        return cx.fail(node.wrong("a date and time").help(help));
    };
    if moment.date.is_none() || moment.time.is_none() || moment.offset.is_none() {
        let text = cx.text.get(node.span.start..node.span.end).unwrap_or_default();
        let message = format!(
            "the {noun} must have a date, a time and an offset, to be one instant everywhere"
        );
        let problem = Diagnostic::error(code::START, node.span, message);
        if moment.date.is_some() && moment.time.is_some() {
            return cx.fail(
                problem
                    .help("put a Z behind it for UTC, or an offset such as +02:00")
                    .rename(format!("{text}Z")),
            );
        }
        return cx.fail(problem.help("as in `start = 2026-01-05T00:00:00Z`"));
    }
    // jiff takes a leap second for the second before it.
    let leap = moment.time.and_then(|time| time.second) == Some(60);
    let timestamp = moment.to_string().parse::<Timestamp>().ok().filter(|_| !leap);
    let nanos = timestamp.and_then(|timestamp| i64::try_from(timestamp.as_nanosecond()).ok());
    let moment = nanos.filter(|nanos| (0..LAST_START).contains(nanos)).map(Instant::from_nanos);
    if moment.is_none() {
        let message = format!("the {noun} is no instant of the years 1970 to 2199");
        let help = "leap seconds (:60) are no instants to a computer either";
        cx.push(Diagnostic::error(code::START, node.span, message).help(help));
    }
    moment
}

fn length<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Span> {
    let length = cx.span(node, Grain::Positive)?;
    if length > Span::from_nanos(LONGEST * DAY_NANOS) {
        let message = format!("a run is at most {LONGEST} days long");
        return cx.fail(Diagnostic::error(code::LIMIT, node.span, message));
    }
    Some(length)
}

fn measure<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<(Span, Span)> {
    let help = "two offsets from the start, as in `measure = [\"0s\", \"20m\"]`";
    let ends = list(cx, node, "an end of `measure`", Some(help));
    let [from, to] = ends.as_slice() else {
        if matches!(node.value, DeValue::Array(_)) {
            let message = "`measure` must have two entries";
            cx.push(Diagnostic::error(code::WRONG_TYPE, node.span, message).help(help));
        }
        return None;
    };
    let (begin, end) = (cx.span(*from, Grain::Any), cx.span(*to, Grain::Any));
    let (begin, end) = (begin?, end?);
    if begin >= end {
        let message =
            format!("`measure` ends at {end}, which is not after its beginning at {begin}");
        return cx.fail(Diagnostic::error(code::OUTSIDE, node.span, message));
    }
    if let Some(length) = cx.length.filter(|length| end > *length) {
        let message = format!("`measure` ends at {end}, after the run, which is {length} long");
        return cx.fail(Diagnostic::error(code::OUTSIDE, to.span, message));
    }
    Some((begin, end))
}

fn calm<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Span> {
    let calm = cx.span(node, Grain::Any)?;
    if let Some(length) = cx.length.filter(|length| calm >= *length) {
        let message = format!("`calm` must be shorter than the run, which is {length} long");
        return cx.fail(Diagnostic::error(code::OUTSIDE, node.span, message));
    }
    Some(calm)
}

/// How messages travel. Their time is the first draw of every scenario, whether the file says it or
/// not.
fn network<'t>(cx: &mut Context<'t>, network: Option<Node<'t>>) -> Option<(Range, Network, bool)> {
    let word = "round_trip";
    let table = match network {
        Some(node) => Some(Table::open(cx, node, &shape::NETWORK)?),
        None => None,
    };
    let get = |key| table.as_ref().and_then(|table| table.get(key));
    let round_trip = match get(word) {
        Some(node) => cx.range(node, word),
        None => cx.draw(ROUND_TRIP, word.to_owned(), Default::default()),
    };
    let modes = [("timed", Network::Timed), ("order", Network::Order)];
    let mode = match get("mode") {
        Some(node) => cx.word(node, &modes),
        None => Some(Network::default()),
    };
    let skips = match get("idle_polls") {
        Some(node) => cx.word(node, &[("played", false), ("skipped", true)]),
        None => Some(false),
    };
    Some((round_trip?, mode?, skips?))
}
