//! Queues and what is said about jobs: options, repeats, adds.
//!
//! What BullMQ itself would refuse or quietly change is refused here, with its reason.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::super::{
    Add, Backoff, Deduplication, JobOptions, Keep, Queue, Repeat, RepeatWhen, Template, Version,
};
use super::context::Context;
use super::names::{Kind, shown};
use super::read::Grain;
use super::shape::{self, Shape};
use super::step::texts;
use super::table::{Node, Table};
use super::top::moment;
use super::value::BARE_HELP;
use crate::bullmq::ids::{refused_by_add, refused_by_job};
use crate::event::QueueId;

/// The greatest priority that BullMQ takes.
const PRIORITY_MAX: u32 = 2_097_152;

/// The one placeholder of job ids.
const WINDOW: &str = "window";

/// Reads `[queue.NAME]`.
pub(super) fn queue<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Queue> {
    let table = Table::open(cx, node, &shape::QUEUE)?;
    let prefix = match table.get("prefix") {
        Some(node) => cx.name(node, true),
        None => Some("bull"),
    };
    let defaults = match table.get("default_job_options") {
        Some(node) => Table::open(cx, node, &shape::DEFAULTS)
            .and_then(|table| options(cx, &table, Ticked::Nobody, Made::Elsewhere)),
        None => Some(JobOptions::default()),
    };
    Some(Queue { name: name.into(), prefix: prefix?.into(), defaults: defaults? })
}

/// The queue that a table names.
pub(super) fn queue_of<'t>(cx: &mut Context<'t>, table: &Table<'t>) -> Option<QueueId> {
    let node = table.get("queue")?;
    let number = cx.resolve(Kind::Queue, node)?;
    u16::try_from(number).ok().map(QueueId)
}

/// What `read` makes of a key's value; `None` within `Some` if the key is not there.
pub(super) fn maybe<'t, T>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    key: &str,
    read: impl FnOnce(&mut Context<'t>, Node<'t>) -> Option<T>,
) -> Option<Option<T>> {
    match table.get(key) {
        Some(node) => read(cx, node).map(Some),
        None => Some(None),
    }
}

/// Whose window a `{window}` names.
#[derive(Clone, Copy)]
pub(super) enum Ticked<'t> {
    /// That of the tick of the timer that runs the step.
    Timer,
    /// That of the schedule which these jobs do the work of.
    Work(Option<&'t str>, Option<&'t str>),
    /// That of the only schedule.
    Sole,
    /// Nobody's: there is no `{window}` here.
    Nobody,
}

/// What makes the job that has an id of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// `queue.add`.
    ByAdd,
    /// `queue.addBulk`.
    InBulk,
    /// The library's own code, under another id; or the id is only looked for.
    Elsewhere,
}

/// The options of a job that stand in a table.
pub(super) fn options<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    ticked: Ticked<'t>,
    made: Made,
) -> Option<JobOptions> {
    let job_id = maybe(cx, table, "job_id", |cx, node| job_id(cx, node, ticked, made));
    let delay = maybe(cx, table, "delay", |cx, node| cx.span(node, Grain::Millis));
    let priority = maybe(cx, table, "priority", |cx, node| cx.count(node, 0..=PRIORITY_MAX));
    let attempts = maybe(cx, table, "attempts", |cx, node| cx.count(node, 1..=u32::MAX));
    let backoff = maybe(cx, table, "backoff", backoff);
    let remove_on_complete = maybe(cx, table, "remove_on_complete", keep);
    let remove_on_fail = maybe(cx, table, "remove_on_fail", keep);
    let lifo = maybe(cx, table, "lifo", |cx, node| cx.boolean(node));
    let deduplication =
        maybe(cx, table, "deduplication", |cx, node| deduplication(cx, node, ticked));
    let data = maybe(cx, table, "data", data);
    Some(JobOptions {
        job_id: job_id?,
        delay: delay?,
        priority: priority?,
        attempts: attempts?,
        backoff: backoff?,
        remove_on_complete: remove_on_complete?,
        remove_on_fail: remove_on_fail?,
        lifo: lifo?,
        deduplication: deduplication?,
        data: data?,
    })
}

/// `data`: an object of texts.
fn data<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Vec<(Box<str>, Box<str>)>> {
    texts(cx, node, ["a job's data has", "fields"], "{ source = \"boot\" }")
}

fn deduplication<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    ticked: Ticked<'t>,
) -> Option<Deduplication> {
    let table = Table::open(cx, node, &shape::DEDUPLICATION)?;
    let id = table.get("id").and_then(|node| row_name(cx, node, ticked));
    let ttl = maybe(cx, &table, "ttl", |cx, node| cx.span(node, Grain::PositiveMillis));
    let [extend, replace, keep_last_if_active, reschedule] =
        ["extend", "replace", "keep_last_if_active", "reschedule"].map(|key| {
            maybe(cx, &table, key, |cx, node| cx.boolean(node)).map(Option::unwrap_or_default)
        });
    Some(Deduplication {
        id: id?,
        ttl: ttl?,
        extend: extend?,
        replace: replace?,
        keep_last_if_active: keep_last_if_active?,
        reschedule: reschedule?,
    })
}

fn backoff<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Backoff> {
    if !matches!(node.value, DeValue::Table(_)) {
        let help = "as in \"5s\", which is fixed, or `{ type = \"exponential\", delay = \"5s\" }`";
        return match node.value {
            DeValue::String(_) => cx.span(node, Grain::Millis).map(Backoff::fixed),
            DeValue::Integer(_) => {
                let problem = Diagnostic::error(code::NO_UNIT, node.span, "`backoff` has no unit");
                cx.fail(problem.label("a number alone").help(BARE_HELP))
            }
            _ => cx.fail(node.wrong("a length of time or a table").help(help)),
        };
    }
    let table = Table::open(cx, node, &shape::BACKOFF)?;
    let kinds = [("fixed", false), ("exponential", true)];
    let exponential = table.get("type").and_then(|node| cx.word(node, &kinds));
    let delay = table.get("delay").and_then(|node| cx.span(node, Grain::Millis));
    let jitter = maybe(cx, &table, "jitter", |cx, node| cx.percent(node));
    let (exponential, delay, jitter) = (exponential?, delay?, jitter?);
    if let (Some(node), Some(1_000_001..)) = (table.get("jitter"), jitter) {
        let message = "a jitter is at most 100%";
        return cx.fail(Diagnostic::error(code::PERCENT, node.span, message));
    }
    Some(Backoff { exponential, delay, jitter: jitter.unwrap_or(0) })
}

/// `remove_on_complete` and `remove_on_fail`.
fn keep<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Keep> {
    match node.value {
        DeValue::Boolean(true) => Some(Keep::None),
        DeValue::Boolean(false) => Some(Keep::All),
        DeValue::Integer(_) => cx.count(node, 0..=u32::MAX).map(Keep::Count),
        DeValue::Table(_) => keep_table(cx, node),
        _ => {
            let help =
                "`true` keeps none, `false` all, a number so many; a table has `age` or `count`";
            cx.fail(node.wrong("true, false, a number or a table").help(help))
        }
    }
}

pub(super) fn keep_table<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Keep> {
    let table = Table::open(cx, node, &shape::KEEP)?;
    // BullMQ counts the age in seconds.
    let age = maybe(cx, &table, "age", |cx, node| cx.span(node, Grain::Seconds));
    let count = maybe(cx, &table, "count", |cx, node| cx.count(node, 0..=u32::MAX));
    match (age?, count?) {
        (Some(age), count) => Some(Keep::Age { age, count }),
        (None, Some(count)) => Some(Keep::Count(count)),
        (None, None) => {
            table.exactly_one(cx, shape::KEEP.noun, &["age", "count"]);
            None
        }
    }
}

/// A job id that may have a window in it.
fn job_id<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    ticked: Ticked<'t>,
    made: Made,
) -> Option<Template> {
    let template = template(cx, node, ticked)?;
    id(cx, node, &template.pieces, made)?;
    Some(template)
}

/// A name of a lock or a row, perhaps with a window in it.
pub(super) fn row_name<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    ticked: Ticked<'t>,
) -> Option<Template> {
    let template = template(cx, node, ticked)?;
    if let Some(message) = super::names::name_fault(&template.pieces.join("w"), true) {
        let help = super::names::name_help(true);
        return cx.fail(Diagnostic::error(code::BAD_NAME, node.span, message).help(help));
    }
    Some(template)
}

/// A text that may have a window in it.
fn template<'t>(cx: &mut Context<'t>, node: Node<'t>, ticked: Ticked<'t>) -> Option<Template> {
    let text = cx.string(node)?;
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut schedule = None;
    while let Some((before, after)) = rest.split_once('{') {
        let at = text.len() - after.len() - 1;
        let Some((word, behind)) = after.split_once('}') else {
            let at = cx.within(node, text, at..text.len());
            return cx.fail(Diagnostic::error(code::PLACEHOLDER, at, "a brace is not closed"));
        };
        let at = cx.within(node, text, at..at + word.len() + 2);
        if word != WINDOW {
            let message = format!("there is no placeholder {}", shown(&format!("{{{word}}}")));
            let help = format!("there is only `{{{WINDOW}}}`, the window of a tick");
            return cx.fail(Diagnostic::error(code::PLACEHOLDER, at, message).help(help));
        }
        schedule = window(cx, at, ticked)?;
        pieces.push(Box::from(before));
        rest = behind;
    }
    pieces.push(Box::from(rest));
    Some(Template { pieces, schedule })
}

/// The schedule whose window is named; none for a timer's.
fn window<'t>(cx: &mut Context<'t>, at: TextSpan, ticked: Ticked<'t>) -> Option<Option<usize>> {
    let (found, help) = match ticked {
        Ticked::Timer => return Some(None),
        Ticked::Work(queue, job) => (
            cx.works.iter().position(|work| *work == (queue, job)),
            "no schedule has this queue and this job, so there is no window that an id could name",
        ),
        Ticked::Sole => (
            Some(0).filter(|_| cx.works.len() == 1),
            "only a file with one schedule has a window that a name here could mean",
        ),
        Ticked::Nobody => (None, "it is an id that stands in the queue already, as it is"),
    };
    if found.is_none() {
        let message = format!("`{{{WINDOW}}}` means nothing here");
        return cx.fail(Diagnostic::error(code::PLACEHOLDER, at, message).help(help));
    }
    Some(found)
}

/// A job id without placeholders.
pub(super) fn plain_id<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Box<str>> {
    job_id(cx, node, Ticked::Nobody, Made::Elsewhere)?.pieces.into_iter().next()
}

/// Whether BullMQ takes an id that has these pieces around a window.
fn id<'t>(cx: &mut Context<'t>, node: Node<'t>, pieces: &[Box<str>], made: Made) -> Option<()> {
    // A window is digits; one letter stands for it here, so that an id which is nothing but a window
    // is none that could be refused in some runs alone.
    let text = pieces.join("w");
    if let Some(message) = super::names::name_fault(&text, true) {
        let help = super::names::name_help(true);
        return cx.fail(Diagnostic::error(code::BAD_NAME, node.span, message).help(help));
    }
    let library = cx.library;
    let by_add = (made == Made::ByAdd).then(|| refused_by_add(&text, library)).flatten();
    let by_job = || (made != Made::Elsewhere).then(|| refused_by_job(&text, library)).flatten();
    let Some(error) = by_add.or_else(by_job) else { return Some(()) };
    let message = format!("{library} refuses the job id {}", shown(&text));
    if cx.prepared {
        cx.push(Diagnostic::warning(code::REFUSED, node.span, message).label(error));
        return Some(());
    }
    let help = "put a word before it, as in \"usage-1\", and no colon";
    cx.fail(Diagnostic::error(code::JOB_ID, node.span, message).label(error).help(help))
}

/// A `repeat`, by the shape that it has in its API.
pub(super) fn repeat<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    shape: &'static Shape,
) -> Option<Repeat> {
    let table = Table::open(cx, node, shape)?;
    let when = table.exactly_one(cx, shape.noun, &["pattern", "every"]);
    let when = when.and_then(|when| match when.key {
        "pattern" => cx.library_cron(when.node),
        _ => cx.span(when.node, Grain::PositiveMillis).map(RepeatWhen::Every),
    });
    let zone = maybe(cx, &table, "tz", |cx, node| cx.zone(node));
    let [start_date, end_date] = ["start_date", "end_date"]
        .map(|key| maybe(cx, &table, key, |cx, node| moment(cx, node, "date")));
    let immediately = maybe(cx, &table, "immediately", |cx, node| cx.boolean(node));
    let limit = maybe(cx, &table, "limit", |cx, node| cx.count(node, 1..=u32::MAX));
    let key = maybe(cx, &table, "key", |cx, node| cx.name(node, true));
    let offset = maybe(cx, &table, "offset", |cx, node| cx.span(node, Grain::Millis));
    Some(Repeat {
        when: when?,
        zone: zone?,
        start_date: start_date?,
        end_date: end_date?,
        immediately: immediately?.unwrap_or(false),
        limit: limit?,
        key: key?.map(Box::from),
        offset: offset?,
    })
}

/// An `add`, of a release or of a job.
pub(super) fn add<'t>(cx: &mut Context<'t>, table: &Table<'t>, in_timer: bool) -> Option<Add> {
    add_to(cx, table, table, in_timer, Made::ByAdd)
}

/// An `add` whose queue stands in a table around it.
pub(super) fn add_to<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    around: &Table<'t>,
    in_timer: bool,
    made: Made,
) -> Option<Add> {
    let text = |table: &Table<'t>, key| match table.get(key)?.value {
        DeValue::String(text) => Some(&**text),
        _ => None,
    };
    let ticked = match in_timer {
        true => Ticked::Timer,
        false => Ticked::Work(text(around, "queue"), text(table, "add")),
    };
    let name = table.get("add").and_then(|node| cx.name(node, false));
    let queue = queue_of(cx, around);
    // An iteration has an id of its own. 6.x has no older API.
    let repeats = table.get("repeat").is_some() && cx.library < Version::V6_7_0;
    let made = if repeats { Made::Elsewhere } else { made };
    let options = options(cx, table, ticked, made);
    let repeat = maybe(cx, table, "repeat", |cx, node| repeat(cx, node, &shape::REPEAT));
    Some(Add { name: name?.into(), queue: queue?, options: options?, repeat: repeat? })
}
