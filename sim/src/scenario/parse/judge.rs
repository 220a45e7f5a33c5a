//! What is meant and what must hold: schedules and expectations.
//!
//! It refuses what could never be judged: patterns that never fire, bounds that nothing can
//! break, properties that do not exist.

use super::super::diagnostic::{Diagnostic, code};
use super::super::{
    About, Declared, Described, Expectation, Measure, Mode, PROPERTIES, Property, Recurrence,
    Relation, Schedule, Subject, Unit,
};
use super::context::Context;
use super::names::{Kind, shown};
use super::options::{maybe, queue_of};
use super::read::Grain;
use super::service::the_only;
use super::shape;
use super::table::{Known, Node, Table};
use crate::civil::Zone;
use crate::clock::Span;

const MODES: [Mode; 3] = [Mode::Always, Mode::Eventually, Mode::Sometimes];

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
    let table = Table::open(cx, node, &shape::EXPECTATION)?;
    let modes = MODES.map(Mode::key);
    let which = table.exactly_one(cx, "an expectation", &modes)?;
    let described = described(cx, which);
    let declared = maybe(cx, &table, "violated", violated);
    let (described, mode) = described?;
    let strange = refuse_others(cx, &table, described, mode) || table.strange();
    let subject = subject(cx, &table, described.about);
    needs_calm(cx, which, described, mode);
    let (relation, bound) = bound(cx, &table, described, mode, strange)?;
    let property =
        Property { mode, measure: described.measure, subject: subject?, relation, bound };
    let declared = declared?.unwrap_or(Declared::Holds);
    Some(Expectation { property, declared, at: node.span.start })
}

/// The property that a text names, and the mode in which it is asked for.
fn described<'t>(cx: &mut Context<'t>, which: Known<'t>) -> Option<(&'static Described, Mode)> {
    let mode = MODES.into_iter().find(|mode| mode.key() == which.key)?;
    let text = cx.string(which.node)?;
    let Some(described) = PROPERTIES.iter().find(|described| described.text == text) else {
        let of_mode = PROPERTIES.iter().filter(|one| one.relations(mode).next().is_some());
        let words: Vec<_> = of_mode.map(|one| (one.text, ())).collect();
        cx.word(which.node, &words);
        return None;
    };
    if described.relations(mode).next().is_some() {
        return Some((described, mode));
    }
    let modes = MODES.into_iter().filter(|mode| described.relations(*mode).next().is_some());
    let keys: Vec<&str> = modes.map(Mode::key).collect();
    let message = format!("\"{text}\" is a property of {}, not of `{}`", listed(&keys), which.key);
    let problem = Diagnostic::error(code::MISPLACED_KEY, which.at, message).help("rename the key");
    cx.fail(match keys[..] {
        [only] => problem.rename(only),
        _ => problem,
    })
}

/// Refuses the keys of other properties. Returns whether there were any: what seems to be missing
/// may be what they were meant to be.
fn refuse_others<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    described: &'static Described,
    mode: Mode,
) -> bool {
    let about = match described.about {
        About::Schedule | About::AnySchedule => Some("schedule"),
        About::Queue | About::AnyQueue => Some("queue"),
        About::Nothing => None,
    };
    let declared = (mode != Mode::Sometimes).then_some("violated");
    let bounds = described.relations(mode).filter_map(Relation::key);
    let takes: Vec<&str> = about.into_iter().chain(bounds).chain(declared).collect();
    let mut any = false;
    for key in ["schedule", "queue", "at_most", "at_least", "exactly", "violated"] {
        let Some(known) = table.known(key).filter(|_| !takes.contains(&key)) else { continue };
        let message = format!("\"{}\" with `{}` has no key `{key}`", described.text, mode.key());
        let help = match takes[..] {
            [] => "it takes no other key".to_owned(),
            _ => format!("it takes {}", listed(&takes)),
        };
        cx.push(Diagnostic::error(code::MISPLACED_KEY, known.at, message).help(help));
        any = true;
    }
    any
}

fn listed(keys: &[&str]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}

fn subject<'t>(cx: &mut Context<'t>, table: &Table<'t>, about: About) -> Option<Subject> {
    let (kind, needed) = match about {
        About::Schedule => (Kind::Schedule, true),
        About::AnySchedule => (Kind::Schedule, false),
        About::Queue => (Kind::Queue, true),
        About::AnyQueue => (Kind::Queue, false),
        About::Nothing => return Some(Subject::World),
    };
    let number = match table.get(kind.word()) {
        Some(node) => cx.resolve(kind, node)?,
        None if needed => the_only(cx, table, kind, "an expectation")?,
        None => return Some(Subject::World),
    };
    Some(match kind {
        Kind::Queue => Subject::Queue(number),
        _ => Subject::Schedule(number),
    })
}

/// Liveness is judged where nothing fails any more: without such a time there is nothing to judge.
fn needs_calm(cx: &mut Context<'_>, which: Known<'_>, described: &Described, mode: Mode) {
    let judges_tail = mode == Mode::Eventually && described.measure == Measure::FiringsPerWindow;
    if judges_tail && cx.calm == Some(Span::ZERO) {
        let message =
            format!("\"{}\" holds `eventually` in a calm tail: it needs `calm`", described.text);
        let help = "say at the top of the file how long before its end nothing fails any more, \
                    as in `calm = \"2h\"`";
        cx.push(Diagnostic::error(code::MISSING_KEY, which.at, message).help(help));
    }
}

/// How the bound binds, and the bound.
fn bound<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    described: &'static Described,
    mode: Mode,
    strange: bool,
) -> Option<(Relation, u64)> {
    let relations: Vec<Relation> = described.relations(mode).collect();
    let keys: Vec<&'static str> = relations.iter().filter_map(|one| one.key()).collect();
    if keys.is_empty() {
        return Some((Relation::Happens, 0));
    }
    let noun = format!("\"{}\"", described.text);
    let missing = keys.iter().all(|key| table.known(key).is_none());
    let known = match keys[..] {
        _ if missing && strange => return None,
        [only] if missing => {
            let message = format!("{noun} needs `{only}`");
            let problem = Diagnostic::error(code::MISSING_KEY, table.at, message);
            return cx.fail(problem.label("missing here"));
        }
        _ => table.exactly_one(cx, &noun, &keys)?,
    };
    let relation = relations.into_iter().find(|one| one.key() == Some(known.key))?;
    let bound = match described.unit {
        Unit::Number => cx.integer(known.node, 0..=i64::MAX)?.unsigned_abs(),
        Unit::Time => cx.span(known.node, Grain::Any)?.nanos().unsigned_abs(),
    };
    let can = match relation {
        Relation::AtMost => bound <= greatest(cx, described),
        Relation::AtLeast => bound > 0,
        Relation::Exactly | Relation::Happens => true,
    };
    breakable(cx, known.node, can).map(|()| (relation, bound))
}

/// The greatest bound that some run could go beyond.
fn greatest(cx: &Context<'_>, described: &Described) -> u64 {
    match (described.unit, described.measure) {
        (Unit::Time, _) => {
            cx.length.map_or(u64::MAX, |length| length.nanos().unsigned_abs().saturating_sub(1))
        }
        (_, Measure::RowsPerWindow | Measure::RowsInAll) => ROWS_MAX,
        _ => FIRINGS_MAX,
    }
}

/// Refuses a bound that no run could break.
fn breakable(cx: &mut Context<'_>, node: Node<'_>, can: bool) -> Option<()> {
    if can {
        return Some(());
    }
    let message = format!("an expectation with this `{}` cannot fail", node.name);
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
