//! Alerts: what is measured, of what, and from when on it rings.
//!
//! It refuses what could never ring, and what a monitor could not say: a counter without a time over
//! which it is looked at, a share of what nobody expects.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Alert, AlertOf, Form, Importance, METRICS, Measured, Metric, MetricLine, When};
use super::context::Context;
use super::names::Kind;
use super::options::maybe;
use super::read::Grain;
use super::service::the_only;
use super::shape;
use super::table::{Known, Node, Table, list};
use crate::clock::Span;
use crate::event::{QueueId, ServiceId};

/// The most samples that a rule looks back on.
const SAMPLES_MAX: i64 = 200_000;

/// The most times that something may be expected.
const TIMES_MAX: u64 = 1_000_000;

/// Reads `[alert.NAME]`.
pub(super) fn alert<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Alert> {
    let table = Table::open(cx, node, &shape::ALERT)?;
    let line = table.get("metric").and_then(|node| metric(cx, node));
    let when = table.exactly_one(cx, "an alert", &["above", "below", "times_expected"]);
    let when = when.and_then(|when| threshold(cx, when).map(|value| (when, value)));
    let lasts = maybe(cx, &table, "for", |cx, node| cx.span(node, Grain::Any));
    let severity = maybe(cx, &table, "severity", |cx, node| cx.word(node, &Importance::WORDS));
    let over = maybe(cx, &table, "over", over);
    let line = line?;
    let states = maybe(cx, &table, "states", |cx, node| states(cx, line, node));
    let of = of(cx, &table, line);
    let over = over.and_then(|over| goes_over(cx, &table, line, over));
    let (known, when) = when?;
    if matches!(when, When::TimesExpected(_)) {
        expected(cx, known, line, of)?;
    }
    Some(Alert {
        name: name.into(),
        metric: line.metric,
        of: of?,
        states: states?.unwrap_or_default(),
        when,
        over: over?,
        lasts: lasts?.unwrap_or(Span::ZERO),
        severity: severity?.unwrap_or(Importance::Page),
    })
}

/// Reads `scrape_interval`.
pub(super) fn scrape<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Span> {
    let every = cx.span(node, Grain::PositiveMillis)?;
    if every < Span::from_secs(1) {
        let message = "`scrape_interval` must be at least 1s";
        return cx.fail(Diagnostic::error(code::BOUNDS, node.span, message));
    }
    Some(every)
}

fn metric<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<&'static MetricLine> {
    let can = METRICS.iter().filter(|line| line.form != Form::Histogram);
    let names: Vec<(&'static str, &'static MetricLine)> =
        can.map(|line| (line.name, line)).collect();
    cx.word(node, &names)
}

fn threshold<'t>(cx: &mut Context<'t>, known: Known<'t>) -> Option<When> {
    match known.key {
        "above" => cx.integer(known.node, 0..=i64::MAX).map(|n| When::Above(n.unsigned_abs())),
        "below" => cx.integer(known.node, 1..=i64::MAX).map(|n| When::Below(n.unsigned_abs())),
        _ => times(cx, known.node).map(When::TimesExpected),
    }
}

/// A number with at most three digits after the point, in thousandths.
fn times<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<u64> {
    let text = match node.value {
        DeValue::Float(float) => float.as_str(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        _ => return cx.fail(node.wrong("a number")),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = Some(whole).filter(|text| digits(text)).and_then(|text| text.parse::<u64>().ok());
    let part = Some(part).filter(|text| digits(text) && text.len() <= 3);
    let part = part.and_then(|text| format!("{text:0<3}").parse::<u64>().ok());
    let thousandths = whole.zip(part).filter(|(whole, _)| *whole <= TIMES_MAX);
    match thousandths.map(|(whole, part)| whole * 1000 + part) {
        Some(times) if times >= 1000 => Some(times),
        _ => {
            let message = format!(
                "`{}` must be a number from 1 to {TIMES_MAX}, with at most three digits after the point",
                node.name
            );
            cx.fail(Diagnostic::error(code::BOUNDS, node.span, message))
        }
    }
}

fn over<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Span> {
    let over = cx.span(node, Grain::Positive)?;
    if over < cx.scrape {
        let message = format!("`over` is shorter than the time between two looks, {}", cx.scrape);
        return cx.fail(Diagnostic::error(code::BOUNDS, node.span, message));
    }
    let samples = over.nanos() / cx.scrape.nanos().max(1);
    if samples > SAMPLES_MAX {
        let message =
            format!("a rule would look back on {samples} samples; {SAMPLES_MAX} are the most");
        let help = "a shorter time, or a longer `scrape_interval`";
        return cx.fail(Diagnostic::error(code::LIMIT, node.span, message).help(help));
    }
    Some(over)
}

/// A counter is looked at over a time, and what goes up and down is not.
fn goes_over<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    line: &MetricLine,
    over: Option<Span>,
) -> Option<Option<Span>> {
    let name = line.name;
    match (line.form, table.known("over")) {
        (Form::Counter, None) => {
            let message = format!("an alert on `{name}`, which only goes up, needs `over`");
            let help = "say over which time its increase is looked at, as in `over = \"1h\"`";
            cx.fail(Diagnostic::error(code::MISSING_KEY, table.at, message).help(help))
        }
        (Form::Gauge, Some(known)) => {
            let message = format!("`{name}` goes up and down: `over` means nothing here");
            let help = "`for` says for how long it must be so";
            cx.fail(Diagnostic::error(code::MISPLACED_KEY, known.at, message).help(help))
        }
        _ => Some(over),
    }
}

fn states<'t>(cx: &mut Context<'t>, line: &MetricLine, node: Node<'t>) -> Option<Vec<usize>> {
    let (_, words) = line.states;
    if words.is_empty() {
        let message = format!("`{}` has no states", line.name);
        return cx.fail(Diagnostic::error(code::MISPLACED_KEY, node.span, message));
    }
    let words: Vec<(&'static str, usize)> = words.iter().copied().zip(0..).collect();
    let given = list(cx, node, "a state", None);
    if given.is_empty() && matches!(node.value, DeValue::Array(_)) {
        let message = "an alert on no state can never ring";
        return cx.fail(Diagnostic::error(code::CANNOT_FAIL, node.span, message));
    }
    let mut states = Vec::new();
    for node in given {
        let state = cx.word(node, &words)?;
        if states.contains(&state) {
            let message = "the state is given twice";
            return cx.fail(Diagnostic::error(code::REPEATED, node.span, message));
        }
        states.push(state);
    }
    Some(states)
}

/// What an alert is about: what its metric is about, which may go without saying.
fn of<'t>(cx: &mut Context<'t>, table: &Table<'t>, line: &MetricLine) -> Option<AlertOf> {
    let kinds: &[Kind] = match line.of {
        Measured::Queue => &[Kind::Queue],
        Measured::Work => &[Kind::Schedule, Kind::Queue],
        Measured::Schedule => &[Kind::Schedule],
        Measured::Service => &[Kind::Service],
    };
    for kind in [Kind::Queue, Kind::Schedule, Kind::Service] {
        let Some(known) = table.known(kind.word()).filter(|_| !kinds.contains(&kind)) else {
            continue;
        };
        let message = format!("`{}` is about no {}", line.name, kind.word());
        let help = format!("it is about a {}", kinds[0].word());
        return cx.fail(Diagnostic::error(code::MISPLACED_KEY, known.at, message).help(help));
    }
    let mut given = kinds.iter().filter_map(|kind| Some((*kind, table.known(kind.word())?)));
    let (kind, number) = match (given.next(), given.next()) {
        (Some((_, one)), Some((_, other))) => {
            cx.clash(other, "an alert is about a queue or a schedule, not both", one);
            return None;
        }
        (Some((kind, known)), None) => (kind, cx.resolve(kind, known.node)?),
        (None, _) => (kinds[0], the_only(cx, table, kinds[0], "an alert")?),
    };
    let short = || u16::try_from(number).ok();
    match kind {
        Kind::Queue => Some(AlertOf::Queue(QueueId(short()?))),
        Kind::Service => Some(AlertOf::Service(ServiceId(short()?))),
        _ => Some(AlertOf::Schedule(number)),
    }
}

/// Something is expected of a schedule's executions and rows alone.
fn expected<'t>(
    cx: &mut Context<'t>,
    known: Known<'t>,
    line: &MetricLine,
    of: Option<AlertOf>,
) -> Option<()> {
    let counts = matches!(line.metric, Metric::Executions | Metric::Rows);
    if counts && !matches!(of, Some(AlertOf::Queue(_) | AlertOf::Service(_))) {
        return Some(());
    }
    let message = "nobody knows how much is expected of this";
    let help = format!(
        "a schedule's `{}` and `{}` have an expectation; elsewhere say a number with `above`",
        Metric::Executions.line().name,
        Metric::Rows.line().name
    );
    cx.fail(Diagnostic::error(code::MISPLACED_KEY, known.at, message).help(help))
}
