//! What is meant and what must hold: schedules and expectations.
//!
//! It refuses what could never be judged: patterns that never fire, bounds that nothing can
//! break, properties that do not exist.

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Declared, Expectation, Property, Recurrence, Schedule};
use super::context::Context;
use super::names::{Kind, shown};
use super::options::{maybe, queue_of};
use super::read::Grain;
use super::service::the_only;
use super::shape::{self, Shape};
use super::table::{Known, Node, Table};
use crate::civil::Zone;
use crate::clock::Span;

/// The most windows of a schedule in a run; each is judged and reported.
const WINDOWS_MAX: i64 = 1_000_000;

/// A bound above this is above all that a run can do.
const FIRINGS_MAX: u64 = 1_000_000_000;
const ROWS_MAX: u64 = 1_000_000_000_000_000;

/// Reads `[schedule.NAME]`.
pub(super) fn schedule<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Schedule> {
    let table = Table::open(cx, node, &shape::SCHEDULE)?;
    let queue = queue_of(cx, &table);
    let job = table.get("job").and_then(|node| cx.name(node, false));
    let when = table.exactly_one(cx, "a schedule", &["pattern", "every"]);
    let when = when.and_then(|when| recurrence(cx, &table, when));
    let max_lateness = maybe(cx, &table, "max_lateness", |cx, node| cx.span(node, Grain::Any));
    let (recurrence, period) = when?;
    let max_lateness = max_lateness?.unwrap_or(Span::from_nanos(period.nanos() / 10));
    Some(Schedule { name: name.into(), recurrence, queue: queue?, job: job?.into(), max_lateness })
}

/// When a schedule is due, and its period (of a pattern: the first gap after the start).
fn recurrence<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    when: Known<'t>,
) -> Option<(Recurrence, Span)> {
    if when.key == "every" {
        if let Some(zone) = table.known("tz") {
            cx.clash(zone, "`tz` means nothing beside `every`, which counts from the epoch", when);
        }
        return every(cx, when.node).map(|every| (Recurrence::Every(every), every));
    }
    let pattern = cx.cron(when.node);
    let zone = maybe(cx, table, "tz", |cx, node| cx.zone(node));
    let (pattern, zone) = (pattern?, zone?.unwrap_or_else(Zone::utc));
    let (first, second) = {
        let mut fires = pattern.fires(cx.start.ms(), &zone);
        (fires.next(), fires.next())
    };
    let Some(first) = first else {
        let message = format!("{} never fires after the start", shown(pattern.pattern()));
        let help = "there is no such day within the years that cron-parser looks through";
        return cx.fail(Diagnostic::error(code::NEVER_FIRES, when.node.span, message).help(help));
    };
    // A pattern that fires once has no gap; its window is the rest of the run.
    let gap = second.map(|second| Span::from_ms((second - first).max(0)));
    let period = gap.or(cx.length).unwrap_or(Span::ZERO);
    Some((Recurrence::Pattern(pattern, zone), period))
}

fn every<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Span> {
    let every = cx.span(node, Grain::PositiveMillis)?;
    let windows = cx.length.map_or(0, |length| length.nanos() / every.nanos().max(1));
    if windows > WINDOWS_MAX {
        let message = format!(
            "the run would have {windows} windows of this schedule; {WINDOWS_MAX} are the most"
        );
        return cx.fail(
            Diagnostic::error(code::LIMIT, node.span, message)
                .help("a longer period, or a shorter run"),
        );
    }
    Some(every)
}

/// Reads one `[[expect]]`.
pub(super) fn expectation<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Expectation> {
    let mut table = Table::open_any(cx, node, &shape::EXPECTATIONS, "an expectation")?;
    let which = table.exactly_one(cx, "an expectation", &["always", "eventually"])?;
    let kind = property(cx, which);
    let schedule = match table.get("schedule") {
        Some(node) => cx.resolve(Kind::Schedule, node),
        None => the_only(cx, &table, Kind::Schedule, "an expectation"),
    };
    let declared = maybe(cx, &table, "violated", violated);
    let shape = kind?;
    table.narrow(cx, shape);
    let property = bound(cx, &table, shape, schedule);
    let declared = declared?.unwrap_or(Declared::Holds);
    Some(Expectation { property: property?, declared, at: node.span.start })
}

/// The shape of the property that a text names.
fn property<'t>(cx: &mut Context<'t>, which: Known<'t>) -> Option<&'static Shape> {
    const WORDS: [(&str, usize); 5] = [
        ("firings per window", 0),
        ("rows per window", 1),
        ("executions in all", 2),
        ("rows in all", 3),
        ("live registrations", 4),
    ];
    let shape = shape::EXPECTATIONS.get(cx.word(which.node, &WORDS)?)?;
    let key = *shape.required.first()?;
    if key == which.key {
        return Some(shape);
    }
    let message = format!("{} is a property that holds `{key}`, not `{}`", shape.noun, which.key);
    let problem = Diagnostic::error(code::MISPLACED_KEY, which.at, message);
    cx.fail(problem.help("rename the key").rename(key))
}

fn bound<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    shape: &'static Shape,
    schedule: Option<usize>,
) -> Option<Property> {
    let [firings, rows, executions_in_all, rows_in_all, _] = &shape::EXPECTATIONS;
    if shape.noun == firings.noun {
        let bound = table.exactly_one(cx, shape.noun, &["at_most", "at_least"])?;
        let number = count(cx, bound.node)?;
        return match bound.key {
            "at_most" => {
                let most = breakable(cx, bound.node, number, number <= FIRINGS_MAX);
                Some(Property::FiringsAtMost { schedule: schedule?, most: most? })
            }
            _ => {
                let least = breakable(cx, bound.node, number, number > 0);
                Some(Property::FiringsAtLeast { schedule: schedule?, least: least? })
            }
        };
    }
    let mut most = |greatest| {
        let node = table.get("at_most")?;
        let number = count(cx, node)?;
        breakable(cx, node, number, number <= greatest)
    };
    if shape.noun == rows.noun {
        let most = most(ROWS_MAX);
        return Some(Property::RowsAtMost { schedule: schedule?, most: most? });
    }
    if shape.noun == executions_in_all.noun {
        let most = most(FIRINGS_MAX);
        return Some(Property::ExecutionsInAll { schedule: schedule?, most: most? });
    }
    if shape.noun == rows_in_all.noun {
        let most = most(ROWS_MAX);
        return Some(Property::RowsInAll { schedule: schedule?, most: most? });
    }
    let exactly = table.get("exactly").and_then(|node| count(cx, node));
    Some(Property::LiveRegistrations { schedule: schedule?, exactly: exactly? })
}

fn count<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<u64> {
    cx.integer(node, 0..=i64::MAX).and_then(|number| u64::try_from(number).ok())
}

/// The bound, if some run could break it.
fn breakable<'t>(cx: &mut Context<'t>, node: Node<'t>, bound: u64, can: bool) -> Option<u64> {
    if can {
        return Some(bound);
    }
    let message = format!("an expectation with `{} = {bound}` cannot fail", node.name);
    let help =
        "an expectation that holds whatever happens says nothing: leave it out, or bound something";
    cx.fail(Diagnostic::error(code::CANNOT_FAIL, node.span, message).help(help))
}

/// `violated = "every seed" | "some seed" | ">= 60 %"`.
fn violated<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Declared> {
    let text = cx.string(node)?;
    match text {
        "every seed" => return Some(Declared::EverySeed),
        "some seed" => return Some(Declared::SomeSeed),
        _ => {}
    }
    let share = text.strip_prefix(">=").and_then(|text| text.trim().strip_suffix('%'));
    let digits =
        share.map(str::trim_end).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(share) =
        digits.and_then(|text| text.parse::<u8>().ok()).filter(|share| (1..=100).contains(share))
    {
        return Some(Declared::AtLeast(share));
    }
    let message = format!("`violated` cannot be {}", shown(text));
    let help = "it is \"every seed\", \"some seed\", or a share of them from 1 to 100: \">= 60 %\"";
    cx.fail(Diagnostic::error(code::WORD, node.span, message).help(help))
}
