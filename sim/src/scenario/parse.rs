//! From the text of a file to a scenario, or to everything that is wrong with it.
//!
//! All problems are found in one pass and listed in the order of the file, one for each cause.
//! The values are checked here and nowhere later; serde is not used, since it stops at the first
//! error and cannot say where a name was declared. No text makes it panic, and none makes it take
//! more time or memory than a limit allows.

mod alert;
mod answers;
mod audit;
mod context;
mod extends;
mod job;
mod judge;
mod keys;
mod names;
mod options;
mod read;
mod release;
mod schema;
mod service;
mod shape;
mod statement;
mod step;
mod syntax;
mod table;
mod top;
mod value;
mod worker;

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::{Action, Add, Audit, Change, Faults, Happens, JobStep, Mode, Release, Scenario, Step};
use crate::event::QueueId;

pub(super) use extends::merged;
pub use extends::{Base, cannot_extend, extends};
pub use schema::schema;
pub use value::span_range;

use context::Context;
use names::{Kind, name_fault, name_help};
pub(super) use names::{nearest, shown};
use table::{Node, Table, entries, list};
use top::Top;

/// The most containers of all services together.
const CONTAINERS_MAX: u64 = 10_000;

/// The most things of one kind that have names.
const NAMES_MAX: usize = 1000;

/// Reads a scenario.
///
/// # Errors
///
/// Everything that is wrong with the text, in its order, at least one error among it.
pub fn parse(text: &str) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
    parse_over(text, None)
}

/// Reads a scenario that extends another text. The places of its diagnostics that lie behind the
/// text are in the base.
///
/// # Errors
///
/// Everything that is wrong with the two, at least one error among it.
pub fn parse_over(
    text: &str,
    base: Option<&Base>,
) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (tree, problems) = extends::read(text, base)?;
    let both = base.map(|base| [text, base.text()].concat());
    let mut cx = Context::new(both.as_deref().unwrap_or(text), top::DEFAULT_START);
    for problem in problems {
        cx.push(problem);
    }
    let scenario = scenario(&mut cx, &tree);
    let failed = cx.failed();
    let (draws, problems) = cx.finish();
    match scenario {
        Some(scenario) if !failed => Ok((Scenario { draws, ..scenario }, problems)),
        _ => Err(problems),
    }
}

/// A table of the file that stands for one thing.
struct Item<'t> {
    what: What<'t>,
    /// Its place decides when it is read, so that draws are numbered in the order of the file.
    at: TextSpan,
    node: Node<'t>,
}

#[derive(Clone, Copy)]
enum What<'t> {
    Named(Kind, &'t str),
    Event(usize),
    Faults,
    Expectation,
}

fn scenario<'t>(cx: &mut Context<'t>, tree: &'t DeTable<'t>) -> Option<Scenario> {
    let at = TextSpan::default();
    if tree.is_empty() {
        let message = "there is no scenario: the file is empty or has only comments";
        return cx
            .fail(Diagnostic::error(code::EMPTY, at, message).help("it begins with `format = 1`"));
    }
    let table = Table::top(cx, tree);
    let top = top::top(cx, &table);
    let answers = match table.get("answers") {
        Some(node) => Some(answers::answers(cx, node)?),
        None => None,
    };
    let items = items(cx, &table);
    if cx.names.count(Kind::Service) == 0 && table.get("service").is_none() {
        let message = "there is nothing to simulate: the file has no service";
        cx.push(Diagnostic::error(code::NOTHING, at, message).help("add a table `[service.NAME]`"));
    }
    if table.get("expect").is_none() {
        let message = "there is nothing to judge: the file has no expectation";
        cx.push(Diagnostic::error(code::NOTHING, at, message).help("add a table `[[expect]]`"));
    }
    let audit = match table.get("audit") {
        Some(node) => audit::audit(cx, node),
        None => Some(Audit::default()),
    };
    let scenario = Scenario { answers, audit: audit?, ..read(cx, top, items)? };
    if cx.failed() {
        // What follows is about scenarios that are otherwise sound.
        return None;
    }
    containers(cx, &scenario);
    warnings(cx, &scenario);
    for problem in super::lint::lint(&scenario, tree) {
        cx.push(problem);
    }
    Some(scenario)
}

/// All things of the file in its order. Declares their names.
fn items<'t>(cx: &mut Context<'t>, table: &Table<'t>) -> Vec<Item<'t>> {
    let mut items = Vec::new();
    for kind in Kind::ALL {
        if let Some(node) = table.get(kind.word()) {
            named(cx, kind, node, &mut items);
        }
    }
    let lists: [(&'static str, &'static str); 2] =
        [("event", "an event"), ("expect", "an expectation")];
    for (key, noun) in lists {
        let Some(node) = table.get(key) else {
            continue;
        };
        let help = format!("each stands in a table of its own, `[[{key}]]`");
        for (number, node) in list(cx, node, noun, Some(&help)).into_iter().enumerate() {
            let what = if key == "event" { What::Event(number + 1) } else { What::Expectation };
            items.push(Item { what, at: node.span, node });
        }
        if key == "expect" && matches!(node.value, DeValue::Array(array) if array.is_empty()) {
            let message = "there is nothing to judge: the list of expectations is empty";
            cx.push(Diagnostic::error(code::NOTHING, node.span, message));
        }
    }
    if let Some(node) = table.get("faults") {
        items.push(Item { what: What::Faults, at: node.span, node });
    }
    // What comes from two files is in the order of neither: it is read as it is printed.
    if table.get(extends::KEY).is_none() {
        items.sort_by_key(|item| item.at);
    }
    items
}

/// The things of one kind: a table of tables.
fn named<'t>(cx: &mut Context<'t>, kind: Kind, node: Node<'t>, items: &mut Vec<Item<'t>>) {
    let DeValue::Table(raw) = node.value else {
        let help = format!("give it a name: `[{}.NAME]`", kind.word());
        cx.push(node.wrong("a table of tables").help(help));
        return;
    };
    let entries = entries(raw);
    if entries.is_empty() && kind == Kind::Service {
        let message = "there is nothing to simulate: the table of services is empty";
        cx.push(Diagnostic::error(code::NOTHING, node.span, message));
    }
    if let Some(entry) = entries.get(NAMES_MAX) {
        let message = format!(
            "there are {} tables of this kind, and at most {NAMES_MAX} are read",
            entries.len()
        );
        cx.push(Diagnostic::error(code::LIMIT, entry.at, message));
    }
    let mut folded: BTreeMap<String, TextSpan> = BTreeMap::new();
    for (number, entry) in entries.into_iter().enumerate() {
        cx.names.declare(kind, entry.key, entry.at);
        if kind == Kind::Schedule {
            let node = entry.node(kind.word());
            cx.works.push((node.text("queue"), node.text("job")));
        }
        if number >= NAMES_MAX {
            continue;
        }
        if let Some(message) = name_fault(entry.key, false) {
            cx.push(Diagnostic::error(code::BAD_NAME, entry.at, message).help(name_help(false)));
        }
        if let Some(first) = folded.insert(entry.key.to_lowercase(), entry.at) {
            let message =
                format!("the name {} differs from another one only in case", shown(entry.key));
            cx.push(Diagnostic::error(code::ALIKE, entry.at, message).and(first, "the other one"));
        }
        let node = entry.node(kind.word());
        items.push(Item { what: What::Named(kind, entry.key), at: entry.at, node });
    }
}

/// Reads all things. What could not be read is left out, so that numbers into the lists mean
/// nothing unless there was no error.
fn read<'t>(cx: &mut Context<'t>, top: Option<Top>, items: Vec<Item<'t>>) -> Option<Scenario> {
    let (mut schedules, mut queues, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut releases, mut services, mut events) = (Vec::new(), Vec::new(), Vec::new());
    let (mut faults, mut expectations) = (Faults::default(), Vec::new());
    let mut alerts = Vec::new();
    let release = items.iter().find(|item| matches!(item.what, What::Named(Kind::Release, _)));
    let library = release.and_then(|item| item.node.text("library"));
    cx.library = library.and_then(release::version).unwrap_or(cx.library);
    for Item { what, node, .. } in items {
        match what {
            What::Named(Kind::Schedule, name) => schedules.extend(judge::schedule(cx, name, node)),
            What::Named(Kind::Queue, name) => queues.extend(options::queue(cx, name, node)),
            What::Named(Kind::Job, name) => {
                jobs.extend(job::job(cx, name, &format!("job {name}"), node));
            }
            What::Named(Kind::Release, name) => releases.extend(release::release(cx, name, node)),
            What::Named(Kind::Service, name) => services.extend(service::service(cx, name, node)),
            What::Named(Kind::Alert, name) => alerts.extend(alert::alert(cx, name, node)),
            What::Event(number) => events.extend(service::event(cx, number, node)),
            What::Faults => faults = service::faults(cx, node).unwrap_or_default(),
            What::Expectation => expectations.extend(judge::expectation(cx, node)),
        }
    }
    // After those that have a name, as their numbers say.
    let library = releases.first().map(|release: &Release| release.library);
    releases.extend(
        cx.by_hand
            .drain(..)
            .map(|script| Release { library: library.unwrap_or(script.library), ..script }),
    );
    let Top { name, length, measure, calm, round_trip, network, skips_idle_polls } = top?;
    let scrape = cx.scrape;
    Some(Scenario {
        name,
        start: cx.start,
        length,
        measure,
        calm,
        round_trip,
        network,
        skips_idle_polls,
        schedules,
        queues,
        jobs,
        releases,
        services,
        events,
        faults,
        expectations,
        audit: Audit::default(),
        alerts,
        scrape,
        answers: None,
        draws: Vec::new(),
    })
}

/// Refuses fleets that are too large: each service at its largest, all at once.
fn containers(cx: &mut Context<'_>, scenario: &Scenario) {
    let mut total = 0;
    for (number, service) in scenario.services.iter().enumerate() {
        let scaled = scenario.events.iter().filter_map(|event| match event.happens {
            Happens::To(service, Change::Scale(replicas)) if usize::from(service.0) == number => {
                Some(replicas)
            }
            _ => None,
        });
        let most = scaled.fold(service.replicas, u32::max);
        total += u64::from(most);
        if total > CONTAINERS_MAX {
            let at = cx
                .names
                .get(Kind::Service, &service.name)
                .map_or_else(TextSpan::default, |(_, at)| at);
            let message = format!(
                "the services so far have {total} containers; a run has at most {CONTAINERS_MAX}"
            );
            cx.push(Diagnostic::error(code::LIMIT, at, message));
            return;
        }
    }
}

/// What is sure to have no effect.
fn warnings(cx: &mut Context<'_>, scenario: &Scenario) {
    for expectation in &scenario.expectations {
        let property = expectation.property;
        let schedule = property.schedule().and_then(|schedule| scenario.schedules.get(schedule));
        let Some(schedule) = schedule.filter(|_| property.mode != Mode::Sometimes) else {
            continue;
        };
        if adds(scenario, schedule.queue, &schedule.job) {
            continue;
        }
        let start = expectation.at;
        let end = cx
            .text
            .get(start..)
            .and_then(|rest| rest.find(['\r', '\n']))
            .map_or(cx.text.len(), |end| start + end);
        let message = format!(
            "no release adds jobs named {} to the queue of the schedule {}, so this judges nothing",
            shown(&schedule.job),
            shown(&schedule.name),
        );
        let mut problem =
            Diagnostic::warning(code::NEVER_ADDED, TextSpan::new(start, end), message);
        if let Some((_, at)) = cx.names.get(Kind::Schedule, &schedule.name) {
            problem = problem.and(at, "this schedule");
        }
        cx.push(problem);
    }
    for (number, service) in scenario.services.iter().enumerate() {
        let scaled = |event: &super::PlannedEvent| {
            matches!(event.happens, Happens::To(service, Change::Scale(1..))
                if usize::from(service.0) == number)
        };
        if service.replicas == 0 && !scenario.events.iter().any(scaled) {
            let at = cx
                .names
                .get(Kind::Service, &service.name)
                .map_or_else(TextSpan::default, |(_, at)| at);
            let message = format!(
                "the service {} has 0 replicas, and no event scales it up",
                shown(&service.name)
            );
            cx.push(Diagnostic::warning(code::NEVER_UP, at, message));
        }
    }
}

/// Whether anything adds jobs of a name to a queue.
fn adds(scenario: &Scenario, queue: QueueId, name: &str) -> bool {
    let added = |add: &Add| add.queue == queue && *add.name == *name;
    let of_releases = scenario.releases.iter().flat_map(|release| &release.jobs);
    let mut job_steps = scenario.jobs.iter().chain(of_releases).flat_map(|job| &job.steps);
    job_steps.any(|step| matches!(step, JobStep::Add(add) if added(add)))
        || scenario.releases.iter().any(|release| any_adds(&release.steps, queue, name))
}

fn any_adds(steps: &[Step], queue: QueueId, name: &str) -> bool {
    steps.iter().any(|step| match &step.action {
        Action::Add(add) => add.queue == queue && *add.name == *name,
        Action::UpsertJobScheduler { queue: of, name: called, .. } => {
            *of == queue && **called == *name
        }
        Action::AddBulk(of, jobs) => *of == queue && jobs.iter().any(|add| *add.name == *name),
        Action::Timer { steps, .. } | Action::Parallel(steps) => any_adds(steps, queue, name),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{
        Action, Backoff, Change, Declared, Happens, JobStep, Keep, Measure, Mode, Outcome,
        Property, Range, Recurrence, Relation, Scenario, Subject,
    };
    use super::parse;
    use crate::clock::Span;
    use crate::event::ServiceId;

    const BEFORE: &str = include_str!("../../../scenarios/free-tier-usage/before.toml");

    const OTHER: &str = r#"
format = 1
name   = "the rest of the grammar"
length = "2h"

[schedule.tick]
every = "1h"
queue = "work"
job   = "tick"

[queue.work]

[job.tick]
steps = [ { query = "1s..2s" } ]

[job.nightly]

[release.one]
library = "bullmq@5.34.10"
steps = [
  { add = "tick", queue = "work", repeat = { every = "1h" } },
  { sleep = "1s..2s", on_error = "ignore" },
  { upsert_job_scheduler = "nightly:1", queue = "work", name = "nightly",
    repeat = { pattern = "0 3 * * *", tz = "Europe/Berlin", limit = 2 } },
  { remove_repeatable = "tick", queue = "work", repeat = { every = "5m" }, job_id = "a" },
  { remove_job_scheduler = "nightly:0", queue = "work" },
  { timer = "0 * * * *", steps = [
    { add = "tick", queue = "work", job_id = "tick-{window}" }, { sleep = "5s" },
  ] },
  { worker = "work" },
]

[service.web]
release = "one"

[[event]]
at     = "1h"
deploy = "one"

[[event]]
at    = "0s..1m"
scale = 3

[network]
round_trip = "0.2ms"

[faults]
kill = { odds = "25%" }

[[expect]]
always   = "firings per window"
at_most  = 0x10
violated = ">=60%"
"#;

    fn good(text: &str) -> Scenario {
        match parse(text) {
            Ok((scenario, warnings)) => {
                assert_eq!(warnings, []);
                scenario
            }
            Err(problems) => panic!("{problems:#?}"),
        }
    }

    #[test]
    fn the_incident_is_read_as_it_is_written() {
        let scenario = good(BEFORE);
        let secs = Span::from_secs;
        assert_eq!(scenario.start.ms(), 1_759_743_300_000);
        assert_eq!((scenario.length, scenario.measure), (secs(1200), (secs(0), secs(1200))));
        assert_eq!(scenario.schedules[0].max_lateness, secs(360));
        let defaults = &scenario.queues[0].defaults;
        assert_eq!(defaults.remove_on_complete, Some(Keep::None));
        assert_eq!(defaults.remove_on_fail, Some(Keep::Count(100)));
        assert_eq!(defaults.backoff, Some(Backoff::exponential(secs(5))));
        let takes = Range { least: secs(20), most: secs(120), draw: 2 };
        assert_eq!(scenario.jobs[0].steps[1], JobStep::Write { rows: 43_149, batches: 44, takes });
        assert_eq!(scenario.jobs[0].outcomes, [Outcome::Ok]);
        let awaited: Vec<bool> =
            scenario.releases[0].steps.iter().map(|step| step.awaited).collect();
        assert_eq!(awaited, [false, false, true]);
        let Action::Worker(worker) = &scenario.releases[0].steps[2].action else {
            panic!("a worker")
        };
        assert_eq!(
            (worker.concurrency, worker.lock_duration, worker.drain_delay),
            (1, secs(30), secs(5))
        );
        assert_eq!(scenario.services[0].boot, Range { least: secs(0), most: secs(600), draw: 3 });
        assert_eq!(scenario.services[0].grace, secs(30));
        let declared: Vec<Declared> =
            scenario.expectations.iter().map(|expectation| expectation.declared).collect();
        assert_eq!(declared, [Declared::EverySeed, Declared::EverySeed, Declared::Holds]);
        assert_eq!(
            scenario.expectations[2].property,
            Property {
                mode: Mode::Eventually,
                measure: Measure::LiveRegistrations,
                subject: Subject::Schedule(0),
                relation: Relation::Exactly,
                bound: 1,
            }
        );
        assert!(BEFORE[scenario.expectations[0].at..].starts_with("[[expect]]"));
        let draws: Vec<&str> = scenario.draws.iter().map(|word| &**word).collect();
        assert_eq!(draws, ["round_trip", "job usage step 1", "job usage step 2", "boot worker"]);
    }

    #[test]
    fn everything_else_is_read_too() {
        let scenario = good(OTHER);
        let draws: Vec<&str> = scenario.draws.iter().map(|word| &**word).collect();
        let expected = [
            "round_trip",
            "job tick step 1",
            "release one step 2",
            "release one step 6.2",
            "boot web",
            "event 1",
            "event 2",
        ];
        assert_eq!(draws, expected);
        assert_eq!(scenario.round_trip.most, Span::from_nanos(200_000));
        assert_eq!(scenario.events[1].happens, Happens::To(ServiceId(0), Change::Scale(3)));
        assert_eq!(scenario.faults.kills[0].odds_of_2_32, 1 << 30);
        assert_eq!(scenario.faults.kills[0].points, 64);
        assert_eq!(scenario.expectations[0].declared, Declared::AtLeast(60));
        assert_eq!(
            scenario.expectations[0].property,
            Property {
                mode: Mode::Always,
                measure: Measure::FiringsPerWindow,
                subject: Subject::Schedule(0),
                relation: Relation::AtMost,
                bound: 16,
            }
        );
        assert_eq!(scenario.schedules[0].recurrence, Recurrence::Every(Span::from_secs(3600)));
        let Action::UpsertJobScheduler { name, repeat, .. } = &scenario.releases[0].steps[2].action
        else {
            panic!()
        };
        assert_eq!((&**name, repeat.limit), ("nightly", Some(2)));
        let Action::Timer { steps, .. } = &scenario.releases[0].steps[5].action else { panic!() };
        let Action::Add(add) = &steps[0].action else { panic!() };
        let pieces: Vec<&str> =
            add.options.job_id.iter().flat_map(|id| &id.pieces).map(|piece| &**piece).collect();
        assert_eq!(pieces, ["tick-", ""]);
    }
}
