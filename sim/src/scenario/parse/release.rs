//! `[release.NAME]`: what a container does when it starts, step by step.
//!
//! It refuses versions of the library that are not modelled: a scenario that runs names what it
//! runs on, and is never run on something close to it.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Action, Limiter, OnError, Release, Step, Version, Worker};
use super::context::Context;
use super::names::{Kind, shown};
use super::options::{add, maybe, options, plain_id, queue_of, repeat};
use super::read::Grain;
use super::shape;
use super::table::{Known, Node, Table, list};
use crate::clock::Span;
use crate::event::QueueId;

/// The versions that are modelled, by name.
const VERSIONS: [(&str, Version); 1] = [("bullmq@5.34.10", Version::V5_34_10)];

/// The versions that are planned.
const LATER: [&str; 2] = ["bullmq@5.81.5", "bullmq@6.7.0"];

const ACTIONS: [&str; 7] = [
    "add",
    "upsert_job_scheduler",
    "remove_repeatable",
    "remove_job_scheduler",
    "worker",
    "timer",
    "sleep",
];

/// Where a step stands: what a tape calls it, and whether a timer runs it.
struct Place {
    word: String,
    in_timer: bool,
}

/// Reads `[release.NAME]`.
pub(super) fn release<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Release> {
    let table = Table::open(cx, node, &shape::RELEASE)?;
    let library = table.get("library").and_then(|node| library(cx, node));
    let word = format!("release {name} step ");
    let steps = table.get("steps").and_then(|node| steps(cx, node, &word, false));
    Some(Release { name: name.into(), library: library?, steps: steps? })
}

fn library<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Version> {
    let text = cx.string(node)?;
    if let Some((_, version)) = VERSIONS.iter().find(|(name, _)| *name == text) {
        return Some(*version);
    }
    let works = VERSIONS.map(|(name, _)| format!("\"{name}\"")).join(", ");
    let later = LATER.map(|name| format!("\"{name}\"")).join(" and ");
    let message = if LATER.contains(&text) {
        format!("{} is planned, but this version of bootrace does not model it yet", shown(text))
    } else {
        format!("this version of bootrace does not model {}", shown(text))
    };
    let help = format!("it models {works}; {later} come later");
    cx.fail(Diagnostic::error(code::LIBRARY, node.span, message).help(help))
}

/// Reads a list of steps; `word` and a step's number name it in tapes.
fn steps<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    word: &str,
    in_timer: bool,
) -> Option<Vec<Step>> {
    let help = "steps are a list of tables, as in `steps = [ { worker = \"usage\" } ]`";
    let nodes = list(cx, node, "a step", Some(help));
    let mut steps = Vec::new();
    for (number, node) in nodes.into_iter().enumerate() {
        let place = Place { word: format!("{word}{}", number + 1), in_timer };
        steps.push(step(cx, node, &place));
    }
    steps.into_iter().collect()
}

fn step<'t>(cx: &mut Context<'t>, node: Node<'t>, place: &Place) -> Option<Step> {
    let mut table = Table::open_any(cx, node, &shape::STEPS, "a step")?;
    let action = table.exactly_one(cx, "a step", &ACTIONS)?;
    let shape = shape::STEPS.iter().find(|shape| shape.required.first() == Some(&action.key))?;
    let lasting = matches!(action.key, "worker" | "timer");
    if lasting && place.in_timer {
        let message = format!("the steps of a timer cannot have a `{}` among them", action.key);
        let help = "put it among the release's own steps";
        return cx.fail(Diagnostic::error(code::MISPLACED_KEY, action.at, message).help(help));
    }
    if let Some(key) = Some("await").filter(|_| lasting).and_then(|key| table.take(key)) {
        let message =
            format!("a `{}` step cannot be awaited: it goes on until the process ends", action.key);
        cx.push(Diagnostic::error(code::NOT_AWAITED, key.at, message).help("leave `await` out"));
    }
    table.narrow(cx, shape);
    let awaited = maybe(cx, &table, "await", |cx, node| cx.boolean(node));
    let on_error = maybe(cx, &table, "on_error", on_error);
    let action = self::action(cx, &table, action, place);
    Some(Step {
        action: action?,
        awaited: awaited?.unwrap_or(true),
        on_error: on_error?.unwrap_or(OnError::Exit),
    })
}

fn on_error<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<OnError> {
    if matches!(node.value, DeValue::Table(_)) {
        let table = Table::open(cx, node, &shape::ON_ERROR)?;
        if !table.strange() {
            cx.push(node.wrong("\"exit\" or \"ignore\""));
        }
        return None;
    }
    cx.word(node, &[("exit", OnError::Exit), ("ignore", OnError::Ignore)])
}

fn action<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    action: Known<'t>,
    place: &Place,
) -> Option<Action> {
    match action.key {
        "add" => add(cx, table, place.in_timer).map(Action::Add),
        "upsert_job_scheduler" => upsert(cx, table, action.node),
        "remove_repeatable" => remove_repeatable(cx, table, action.node),
        "remove_job_scheduler" => {
            let id = cx.name(action.node, true);
            let queue = queue_of(cx, table);
            Some(Action::RemoveJobScheduler { queue: queue?, id: id?.into() })
        }
        "worker" => worker(cx, table, action.node).map(Action::Worker),
        "timer" => timer(cx, table, action.node, place),
        _ => cx.range(action.node, place.word.as_str()).map(Action::Sleep),
    }
}

fn upsert<'t>(cx: &mut Context<'t>, table: &Table<'t>, node: Node<'t>) -> Option<Action> {
    let id = cx.name(node, true);
    let queue = queue_of(cx, table);
    let repeat = table.get("repeat").and_then(|node| repeat(cx, node, &shape::SCHEDULER_REPEAT));
    let name = match table.get("name") {
        Some(node) => cx.name(node, false),
        None => id,
    };
    let options = options(cx, table, false);
    Some(Action::UpsertJobScheduler {
        queue: queue?,
        id: id?.into(),
        repeat: repeat?,
        name: name?.into(),
        options: options?,
    })
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

/// A worker, with BullMQ's defaults for what is not said.
fn worker<'t>(cx: &mut Context<'t>, table: &Table<'t>, node: Node<'t>) -> Option<Worker> {
    let queue = cx.resolve(Kind::Queue, node);
    let concurrency = maybe(cx, table, "concurrency", |cx, node| cx.count(node, 1..=1000));
    let limiter = maybe(cx, table, "limiter", limiter);
    let mut span = |key, grain, default| match table.get(key) {
        Some(node) => cx.span(node, grain),
        None => Some(Span::from_secs(default)),
    };
    let lock_duration = span("lock_duration", Grain::PositiveMillis, 30);
    let stalled_interval = span("stalled_interval", Grain::PositiveMillis, 30);
    let drain_delay = span("drain_delay", Grain::PositiveMillis, 5);
    let max_stalled_count =
        maybe(cx, table, "max_stalled_count", |cx, node| cx.count(node, 0..=u32::MAX));
    Some(Worker {
        queue: QueueId(u16::try_from(queue?).ok()?),
        concurrency: concurrency?.unwrap_or(1),
        limiter: limiter?,
        lock_duration: lock_duration?,
        stalled_interval: stalled_interval?,
        max_stalled_count: max_stalled_count?.unwrap_or(1),
        drain_delay: drain_delay?,
    })
}

fn limiter<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Limiter> {
    let table = Table::open(cx, node, &shape::LIMITER)?;
    let max = table.get("max").and_then(|node| cx.count(node, 1..=u32::MAX));
    let duration = table.get("duration").and_then(|node| cx.span(node, Grain::PositiveMillis));
    Some(Limiter { max: max?, duration: duration? })
}

fn timer<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    node: Node<'t>,
    place: &Place,
) -> Option<Action> {
    let pattern = cx.cron(node);
    let zone = maybe(cx, table, "tz", |cx, node| cx.zone(node));
    let word = format!("{}.", place.word);
    let steps = table.get("steps").and_then(|node| steps(cx, node, &word, true));
    Some(Action::Timer { pattern: pattern?, zone: zone?, steps: steps? })
}
