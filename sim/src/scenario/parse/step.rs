//! The steps of start-up code, and of what people run by hand.
//!
//! It refuses steps that wait for what never ends, and conditions on steps that come later.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::super::{Action, Add, ByHand, Condition, OnError, Step};
use super::context::Context;
use super::names::{Kind, nearest, shown};
use super::options::{Made, Ticked, add, add_to, maybe, options, plain_id, queue_of, repeat};
use super::read::Grain;
use super::service::the_only;
use super::shape;
use super::statement::statement;
use super::table::{Known, Node, Table, entries, list};
use super::worker::{limits, worker};
use crate::event::{Finish, JobList, QueueId, StepResult};
use std::sync::Arc;

/// The most steps of one release, those within others too.
const STEPS_MAX: u16 = 10_000;

const ACTIONS: [&str; 28] = [
    "add",
    "upsert_job_scheduler",
    "remove_repeatable",
    "remove_job_scheduler",
    "worker",
    "timer",
    "sleep",
    "database",
    "parallel",
    "add_bulk",
    "remove_all_repeatables",
    "pause",
    "resume",
    "drain",
    "obliterate",
    "clean",
    "promote_jobs",
    "retry_jobs",
    "set_global_concurrency",
    "set_global_rate_limit",
    "remove_repeatable_by_key",
    "get_repeatable_jobs",
    "get_job_schedulers",
    "remove_global_concurrency",
    "remove_global_rate_limit",
    "remove_job",
    "promote_job",
    "retry_job",
];

/// The steps that people do to one job, in a dashboard.
const BY_HAND: [(&str, ByHand); 3] = [
    ("remove_job", ByHand::Remove),
    ("promote_job", ByHand::Promote),
    ("retry_job", ByHand::Retry),
];

/// The words of `queue.clean`.
const STATES: [(&str, JobList); 7] = [
    ("completed", JobList::Completed),
    ("failed", JobList::Failed),
    ("wait", JobList::Wait),
    ("paused", JobList::Paused),
    ("active", JobList::Active),
    ("delayed", JobList::Delayed),
    ("prioritized", JobList::Prioritized),
];

/// The words of `queue.retryJobs`.
const FINISHES: [(&str, Finish); 2] =
    [("failed", Finish::Failed), ("completed", Finish::Completed)];

const RESULTS: [(&str, StepResult); 3] =
    [("done", StepResult::Done), ("nothing", StepResult::Nothing), ("failed", StepResult::Failed)];

/// The steps of one release, as they are read.
struct Steps<'t, 'n> {
    /// What a tape calls them, before their place.
    word: &'n str,
    by_hand: bool,
    count: u16,
    /// Those that have a name.
    named: Vec<(&'t str, u16, TextSpan)>,
}

/// Where a list of steps stands.
#[derive(Clone, Copy)]
struct List<'p> {
    /// The place of the step that has it, with a point behind.
    prefix: &'p str,
    in_timer: bool,
}

/// Reads the steps of a release, or of what is run by hand.
pub(super) fn steps<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    name: &str,
    by_hand: bool,
) -> Option<Arc<[Step]>> {
    let word = if by_hand { format!("{name} step ") } else { format!("release {name} step ") };
    let mut steps = Steps { word: &word, by_hand, count: 0, named: Vec::new() };
    steps.list(cx, node, List { prefix: "", in_timer: false })
}

impl<'t> Steps<'t, '_> {
    fn list(
        &mut self,
        cx: &mut Context<'t>,
        node: Node<'t>,
        list: List<'_>,
    ) -> Option<Arc<[Step]>> {
        let help = "steps are a list of tables, as in `steps = [ { worker = \"usage\" } ]`";
        let nodes = self::list(cx, node, "a step", Some(help));
        let mut steps = Vec::new();
        for (number, node) in nodes.into_iter().enumerate() {
            let place = format!("{}{}", list.prefix, number + 1);
            steps.push(self.step(cx, node, &place, list.in_timer));
        }
        steps.into_iter().collect()
    }

    fn step(
        &mut self,
        cx: &mut Context<'t>,
        node: Node<'t>,
        place: &str,
        in_timer: bool,
    ) -> Option<Step> {
        if self.count == STEPS_MAX {
            let message = format!("a release has at most {STEPS_MAX} steps");
            return cx.fail(Diagnostic::error(code::LIMIT, node.span, message));
        }
        let number = self.count;
        self.count += 1;
        let mut table = Table::open_any(cx, node, &shape::STEPS, "a step")?;
        let action = match table.known("queue") {
            Some(queue) if !ACTIONS.iter().any(|key| table.get(key).is_some()) => Some(queue),
            _ => table.exactly_one(cx, "a step", &ACTIONS),
        }?;
        let is = |shape: &&shape::Shape| shape.required.first() == Some(&action.key);
        let shape = shape::STEPS.iter().find(is)?;
        self.may_last(cx, &mut table, action, in_timer)?;
        table.narrow(cx, shape);
        let awaited = maybe(cx, &table, "await", |cx, node| cx.boolean(node));
        let on_error = maybe(cx, &table, "on_error", on_error);
        let when = maybe(cx, &table, "when", |cx, node| self.when(cx, node));
        let once = [("process", true), ("call", false)];
        let once = maybe(cx, &table, "once_per", |cx, node| cx.word(node, &once));
        let named = maybe(cx, &table, "as", |cx, node| Some((cx.name(node, false)?, node.span)));
        let outer = std::mem::replace(&mut cx.prepared, table.get("on_error").is_some());
        let action = self.action(cx, &table, action, place, in_timer);
        cx.prepared = outer;
        let named = named?;
        if let Some((name, at)) = named {
            self.name(cx, name, number, at)?;
        }
        Some(Step {
            number,
            place: place.into(),
            name: named.map(|(name, _)| name.into()),
            action: action?,
            awaited: awaited?.unwrap_or(true),
            on_error: on_error?.unwrap_or(OnError::Exit),
            when: when?.unwrap_or_default(),
            once: once?.unwrap_or(false),
        })
    }

    /// Refuses what goes on until the process ends where something waits for it.
    fn may_last(
        &self,
        cx: &mut Context<'t>,
        table: &mut Table<'t>,
        action: Known<'t>,
        in_timer: bool,
    ) -> Option<()> {
        if !matches!(action.key, "worker" | "timer") {
            return Some(());
        }
        if in_timer || self.by_hand {
            let whose = if in_timer { "of a timer" } else { "that a person runs" };
            let message = format!("the steps {whose} cannot have a `{}` among them", action.key);
            let help = "put it among a release's own steps";
            return cx.fail(Diagnostic::error(code::MISPLACED_KEY, action.at, message).help(help));
        }
        if let Some(key) = table.take("await") {
            let message = format!(
                "a `{}` step cannot be awaited: it goes on until the process ends",
                action.key
            );
            cx.push(
                Diagnostic::error(code::NOT_AWAITED, key.at, message).help("leave `await` out"),
            );
        }
        Some(())
    }

    fn name(
        &mut self,
        cx: &mut Context<'t>,
        name: &'t str,
        number: u16,
        at: TextSpan,
    ) -> Option<()> {
        if let Some((_, _, first)) = self.named.iter().find(|(other, _, _)| *other == name) {
            let message = format!("two steps are called {}", shown(name));
            let problem = Diagnostic::error(code::REPEATED, at, message);
            return cx.fail(problem.and(*first, "the first one"));
        }
        self.named.push((name, number, at));
        Some(())
    }

    fn action(
        &mut self,
        cx: &mut Context<'t>,
        table: &Table<'t>,
        action: Known<'t>,
        place: &str,
        in_timer: bool,
    ) -> Option<Action> {
        let word = || format!("{}{place}", self.word);
        let prefix = format!("{place}.");
        match action.key {
            "add" => add(cx, table, in_timer).map(Action::Add),
            "upsert_job_scheduler" => upsert(cx, table, action.node),
            "remove_repeatable" => remove_repeatable(cx, table, action.node),
            "remove_job_scheduler" => {
                let id = cx.name(action.node, true);
                let queue = queue_of(cx, table);
                Some(Action::RemoveJobScheduler { queue: queue?, id: id?.into() })
            }
            "remove_repeatable_by_key" => {
                let key = cx.string(action.node);
                let queue = queue_of(cx, table);
                Some(Action::RemoveRepeatableByKey { queue: queue?, key: key?.into() })
            }
            "queue" => queue_of(cx, table).map(Action::Open),
            "get_job_schedulers" => get_job_schedulers(cx, table, action.node),
            "worker" => worker(cx, table, action.node).map(Action::Worker),
            "timer" => {
                let pattern = cx.cron(action.node);
                let zone = maybe(cx, table, "tz", |cx, node| cx.zone(node));
                let list = List { prefix: &prefix, in_timer: true };
                let steps = table.get("steps").and_then(|node| self.list(cx, node, list));
                Some(Action::Timer { pattern: pattern?, zone: zone?, steps: steps? })
            }
            "database" => {
                let ticked = if in_timer { Ticked::Timer } else { Ticked::Sole };
                statement(cx, action.node, &word(), ticked).map(Action::Database)
            }
            "parallel" => {
                self.list(cx, action.node, List { prefix: &prefix, in_timer }).map(Action::Parallel)
            }
            "sleep" => cx.range(action.node, word()).map(Action::Sleep),
            "add_bulk" => {
                let queue = queue_of(cx, table);
                let jobs = bulk(cx, action.node, table, in_timer);
                Some(Action::AddBulk(queue?, jobs?))
            }
            _ => whole_queue(cx, table, action),
        }
    }

    /// `when = { ordinal = 1, env = { ROLE = "scheduler" } }`: all of it.
    fn when(&self, cx: &mut Context<'t>, node: Node<'t>) -> Option<Vec<Condition>> {
        let table = Table::open(cx, node, &shape::WHEN)?;
        let env = maybe(cx, &table, "env", env);
        let ordinal = maybe(cx, &table, "ordinal", |cx, node| cx.count(node, 1..=u32::MAX));
        let first = maybe(cx, &table, "first_boot", |cx, node| cx.boolean(node));
        let step = maybe(cx, &table, "step", |cx, node| self.earlier(cx, node));
        let result = maybe(cx, &table, "result", |cx, node| cx.word(node, &RESULTS));
        if let (Some(result), None) = (table.known("result"), table.get("step")) {
            let message = "a `result` needs the `step` whose it is";
            cx.push(
                Diagnostic::error(code::MISSING_KEY, result.at, message)
                    .help("give that step a name with `as`, and say it here: `step = \"lock\"`"),
            );
        }
        let (env, ordinal, first) = (env?, ordinal?, first?);
        let result = result?.unwrap_or(StepResult::Done);
        let came = step?.map(|step| Condition::Came(step, result));
        let env = env.unwrap_or_default().into_iter();
        let mut when: Vec<_> = env.map(|(name, value)| Condition::Env(name, value)).collect();
        when.extend(ordinal.map(Condition::Ordinal));
        when.extend(first.map(Condition::FirstBoot));
        when.extend(came);
        if when.is_empty() && !table.strange() {
            let message = "a `when` without a condition says nothing";
            let help = "it takes `env`, `ordinal`, `first_boot`, and `step` with `result`";
            return cx.fail(Diagnostic::error(code::MISSING_KEY, node.span, message).help(help));
        }
        Some(when)
    }

    /// The number of an earlier step, by its name.
    fn earlier(&self, cx: &mut Context<'t>, node: Node<'t>) -> Option<u16> {
        let name = cx.string(node)?;
        if let Some((_, number, _)) = self.named.iter().find(|(other, _, _)| *other == name) {
            return Some(*number);
        }
        let message = format!("no earlier step is called {}", shown(name));
        let problem = Diagnostic::error(code::UNRESOLVED, node.span, message);
        let guess = nearest(name, self.named.iter().map(|(name, _, _)| *name));
        let at = guess.and_then(|guess| {
            self.named.iter().find(|(name, _, _)| *name == guess.name).map(|(_, _, at)| *at)
        });
        cx.fail(match at {
            Some(at) => problem.and(at, "did you mean this one?"),
            None => problem.help("a step gets a name with `as`, before it is asked for"),
        })
    }
}

/// A step that does something to a whole queue, or to one job of it.
fn whole_queue<'t>(cx: &mut Context<'t>, table: &Table<'t>, action: Known<'t>) -> Option<Action> {
    if let Some((_, does)) = BY_HAND.iter().find(|(key, _)| *key == action.key) {
        let name = cx.name(action.node, false);
        let queue = queue_of(cx, table);
        return Some(Action::Job { queue: queue?, name: name?.into(), does: *does });
    }
    let queue = cx.resolve(Kind::Queue, action.node);
    let delayed = maybe(cx, table, "delayed", |cx, node| cx.boolean(node));
    let force = maybe(cx, table, "force", |cx, node| cx.boolean(node));
    let queue = QueueId(u16::try_from(queue?).ok()?);
    if matches!(action.key, "clean" | "promote_jobs" | "retry_jobs") {
        return jobs_of_a_state(cx, table, action, queue);
    }
    Some(match action.key {
        "remove_all_repeatables" => Action::RemoveAllRepeatables(queue),
        "get_repeatable_jobs" => Action::GetRepeatableJobs(queue),
        "remove_global_concurrency" => Action::RemoveGlobalConcurrency(queue),
        "remove_global_rate_limit" => Action::RemoveGlobalRateLimit(queue),
        "pause" => Action::Pause(queue),
        "resume" => Action::Resume(queue),
        "set_global_concurrency" => {
            let concurrency = table.get("concurrency");
            let concurrency = concurrency.and_then(|node| cx.count(node, 1..=u32::MAX));
            Action::SetGlobalConcurrency { queue, concurrency: concurrency? }
        }
        "set_global_rate_limit" => {
            Action::SetGlobalRateLimit { queue, limiter: limits(cx, table)? }
        }
        "drain" => Action::Drain { queue, delayed: delayed?.unwrap_or(false) },
        _ => Action::Obliterate { queue, force: force?.unwrap_or(false) },
    })
}

/// A step that does something to all jobs of a state.
fn jobs_of_a_state<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    action: Known<'t>,
    queue: QueueId,
) -> Option<Action> {
    match action.key {
        "promote_jobs" => Some(Action::PromoteJobs(queue)),
        "retry_jobs" => {
            let state = maybe(cx, table, "state", |cx, node| cx.word(node, &FINISHES));
            Some(Action::RetryJobs { queue, state: state?.unwrap_or(Finish::Failed) })
        }
        _ => {
            let state = maybe(cx, table, "state", |cx, node| cx.word(node, &STATES));
            let grace = table.get("grace").and_then(|node| cx.span(node, Grain::Millis));
            let limit = maybe(cx, table, "limit", |cx, node| cx.count(node, 0..=u32::MAX));
            let state = state?.unwrap_or(JobList::Completed);
            Some(Action::Clean { queue, state, grace: grace?, limit: limit?.unwrap_or(0) })
        }
    }
}

/// The one step of an event that does something to a job: `promote = "usage"`.
pub(super) fn on_a_job<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    what: Known<'t>,
) -> Option<Arc<[Step]>> {
    let does = match what.key {
        "remove" => ByHand::Remove,
        "promote" => ByHand::Promote,
        _ => ByHand::Retry,
    };
    let name = cx.name(what.node, false);
    let queue = match table.get("queue") {
        Some(_) => queue_of(cx, table),
        None => the_only(cx, table, Kind::Queue, "an event on a job")
            .and_then(|number| u16::try_from(number).ok().map(QueueId)),
    };
    Some(Arc::from([Step {
        number: 0,
        place: "1".into(),
        name: None,
        action: Action::Job { queue: queue?, name: name?.into(), does },
        awaited: true,
        on_error: OnError::Ignore,
        when: Vec::new(),
        once: false,
    }]))
}

/// The jobs of an `add_bulk`, all of the step's queue.
fn bulk<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    step: &Table<'t>,
    in_timer: bool,
) -> Option<Vec<Add>> {
    let help = "as in `add_bulk = [ { add = \"usage\" } ], queue = \"work\"`";
    let nodes = list(cx, node, "a job of an `add_bulk`", Some(help));
    let mut jobs = Vec::new();
    for node in nodes {
        let add = Table::open(cx, node, &shape::BULK)
            .and_then(|table| add_to(cx, &table, step, in_timer, Made::InBulk));
        jobs.push(add);
    }
    jobs.into_iter().collect()
}

/// A table of environment variables.
pub(super) fn env<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Vec<(Box<str>, Box<str>)>> {
    texts(cx, node, ["an environment has", "variables"], "{ ROLE = \"scheduler\" }")
}

/// A table of texts: whose it is, what one of them is called, and an example.
pub(super) fn texts<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    [whose, called]: [&str; 2],
    example: &str,
) -> Option<Vec<(Box<str>, Box<str>)>> {
    const MOST: usize = 100;
    let DeValue::Table(raw) = node.value else {
        return cx.fail(node.wrong(&format!("a table of texts, as in `{example}`")));
    };
    let entries = entries(raw);
    if entries.len() > MOST {
        let message = format!("{whose} at most {MOST} {called} here");
        return cx.fail(Diagnostic::error(code::LIMIT, node.span, message));
    }
    let text = |cx: &mut Context<'t>, entry: &super::table::Entry<'t>| {
        if let Some(message) = super::names::name_fault(entry.key, false) {
            let help = super::names::name_help(false);
            return cx.fail(Diagnostic::error(code::BAD_NAME, entry.at, message).help(help));
        }
        Some((entry.key.into(), cx.string(entry.node("one of these texts"))?.into()))
    };
    let texts: Vec<_> = entries.iter().map(|entry| text(cx, entry)).collect();
    texts.into_iter().collect()
}

fn on_error<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<OnError> {
    if !matches!(node.value, DeValue::Table(_)) {
        return cx.word(node, &[("exit", OnError::Exit), ("ignore", OnError::Ignore)]);
    }
    let table = Table::open(cx, node, &shape::ON_ERROR)?;
    let times = table.get("retry").and_then(|node| cx.count(node, 1..=1_000_000));
    let delay = table.get("delay").and_then(|node| cx.span(node, Grain::PositiveMillis));
    Some(OnError::Retry { times: times?, delay: delay? })
}

fn upsert<'t>(cx: &mut Context<'t>, table: &Table<'t>, node: Node<'t>) -> Option<Action> {
    let id = cx.name(node, true);
    let queue = queue_of(cx, table);
    let repeat = table.get("repeat").and_then(|node| repeat(cx, node, &shape::SCHEDULER_REPEAT));
    // It may be the id, which may have colons.
    let name = match table.get("name") {
        Some(node) => cx.name(node, true),
        None => id,
    };
    let options = options(cx, table, Ticked::Nobody, Made::Elsewhere);
    Some(Action::UpsertJobScheduler {
        queue: queue?,
        id: id?.into(),
        repeat: repeat?,
        name: name?.into(),
        options: options?,
    })
}

/// What is looked for among them has an id; how it repeats may be left open.
fn get_job_schedulers<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    node: Node<'t>,
) -> Option<Action> {
    let queue = cx.resolve(Kind::Queue, node);
    let id = maybe(cx, table, "id", |cx, node| cx.name(node, true));
    let read = |cx: &mut Context<'t>, node| repeat(cx, node, &shape::SCHEDULER_REPEAT);
    let repeat = maybe(cx, table, "repeat", read);
    let (id, repeat) = (id?, repeat?);
    if let (Some(key), None) = (table.known("repeat"), id) {
        let message = "a `repeat` needs the `id` of the scheduler whose it is";
        return cx.fail(Diagnostic::error(code::MISSING_KEY, key.at, message));
    }
    let queue = QueueId(u16::try_from(queue?).ok()?);
    Some(Action::GetJobSchedulers { queue, finds: id.map(|id| (id.into(), repeat)) })
}

fn remove_repeatable<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    node: Node<'t>,
) -> Option<Action> {
    let name = cx.name(node, false);
    let queue = queue_of(cx, table);
    let repeat = table.get("repeat").and_then(|node| repeat(cx, node, &shape::REPEAT));
    let job_id = maybe(cx, table, "job_id", plain_id);
    Some(Action::RemoveRepeatable {
        queue: queue?,
        name: name?.into(),
        repeat: repeat?,
        job_id: job_id?,
    })
}
