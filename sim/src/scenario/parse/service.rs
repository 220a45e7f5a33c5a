//! The fleet: services, what happens to them by plan, and what may happen by chance.
//!
//! It refuses fleets beyond what a run can hold, events that could not happen, and rollouts that
//! Kubernetes refuses.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, code};
use super::super::{
    Change, Faults, Happens, Kills, Loses, Mishap, PlannedEvent, Quota, Release, Restart, Rollout,
    Service, Skew, Step,
};
use super::context::Context;
use super::keys;
use super::names::{Kind, shown};
use super::options::maybe;
use super::read::Grain;
use super::shape;
use super::step;
use super::table::{Known, Node, Table, list};
use super::value;
use crate::civil::Zone;
use crate::clock::Span;
use crate::event::{QueueId, ReleaseId, ServiceId};
use std::sync::Arc;

/// The most replicas of a service.
pub(super) const REPLICAS_MAX: u32 = 1000;

/// How long a container takes to run if the file does not say.
const BOOT: (Span, Span) = (Span::from_secs(1), Span::from_secs(5));

/// Kubernetes' default for both of a rollout's quotas.
const QUARTER: Quota = Quota::Percent(25);

/// Reads `[service.NAME]`.
pub(super) fn service<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Service> {
    let table = Table::open(cx, node, &shape::SERVICE)?;
    let release = table.get("release").and_then(|node| cx.resolve(Kind::Release, node));
    let replicas = maybe(cx, &table, "replicas", |cx, node| cx.count(node, 0..=REPLICAS_MAX));
    let without = maybe(cx, &table, "without", without);
    let boot = match table.get("boot") {
        Some(node) => cx.range(node, format!("boot {name}")),
        None => cx.draw(BOOT, format!("boot {name}"), node.span),
    };
    let words = [
        ("always", Restart::Always),
        ("on_failure", Restart::OnFailure),
        ("never", Restart::Never),
    ];
    let restart = maybe(cx, &table, "restart", |cx, node| cx.word(node, &words));
    let restart_delay = maybe(cx, &table, "restart_delay", |cx, node| cx.span(node, Grain::Any));
    let max_restarts = maybe(cx, &table, "max_restarts", |cx, node| cx.count(node, 0..=u32::MAX));
    let grace = maybe(cx, &table, "termination_grace_period", |cx, node| cx.span(node, Grain::Any));
    let rollout = maybe(cx, &table, "rollout", rollout);
    let zone = maybe(cx, &table, "tz", |cx, node| cx.zone(node));
    let env = maybe(cx, &table, "env", step::env);
    let round_trip =
        maybe(cx, &table, "round_trip", |cx, node| cx.range(node, format!("round_trip {name}")));
    let clock = maybe(cx, &table, "clock", |cx, node| skew(cx, node, name));
    Some(Service {
        name: name.into(),
        release: ReleaseId(u16::try_from(release?).ok()?),
        replicas: replicas?.unwrap_or(1),
        without: without?.unwrap_or_default(),
        boot: boot?,
        restart: restart?.unwrap_or(Restart::Always),
        restart_delay: restart_delay?,
        max_restarts: max_restarts?,
        grace: grace?.unwrap_or(Span::from_secs(30)),
        rollout: rollout?
            .unwrap_or(Rollout::Rolling { max_surge: QUARTER, max_unavailable: QUARTER }),
        zone: zone?.unwrap_or_else(Zone::utc),
        env: env?.unwrap_or_default(),
        round_trip: round_trip?,
        clock: clock?.unwrap_or_default(),
    })
}

/// `clock = { offset = "-2s..2s", drift = "-200ppm..200ppm" }`.
fn skew<'t>(cx: &mut Context<'t>, node: Node<'t>, name: &str) -> Option<Skew> {
    let table = Table::open(cx, node, &shape::CLOCK)?;
    let offset = maybe(cx, &table, "offset", |cx, node| {
        cx.signed(node, format!("clock offset {name}"), value::signed_range)
    });
    let drift = maybe(cx, &table, "drift", |cx, node| {
        cx.signed(node, format!("clock drift {name}"), value::ppm)
    });
    Some(Skew { offset: offset?, drift: drift? })
}

/// The ordinals of containers that never come, each once.
fn without<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Vec<u32>> {
    let help = "the ordinals of containers, as in `without = [1, 3]`";
    let mut ordinals: Vec<u32> = Vec::new();
    for node in list(cx, node, "an ordinal", Some(help)) {
        let ordinal = cx.count(node, 1..=u32::MAX)?;
        if ordinals.contains(&ordinal) {
            let message = format!("the container {ordinal} is left out twice");
            return cx.fail(Diagnostic::error(code::REPEATED, node.span, message));
        }
        ordinals.push(ordinal);
    }
    matches!(node.value, DeValue::Array(_)).then_some(ordinals)
}

fn rollout<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Rollout> {
    if matches!(node.value, DeValue::String(_)) {
        return cx.word(node, &[("recreate", Rollout::Recreate)]);
    }
    if !matches!(node.value, DeValue::Table(_)) {
        let help = "`rollout` is \"recreate\" or `{ max_surge = \"25%\", max_unavailable = 0 }`";
        return cx.fail(node.wrong("\"recreate\" or a table").help(help));
    }
    let table = Table::open(cx, node, &shape::ROLLOUT)?;
    let max_surge = maybe(cx, &table, "max_surge", |cx, node| quota(cx, node, 1000));
    let max_unavailable = maybe(cx, &table, "max_unavailable", |cx, node| quota(cx, node, 100));
    let (max_surge, max_unavailable) =
        (max_surge?.unwrap_or(QUARTER), max_unavailable?.unwrap_or(QUARTER));
    let none = |quota| matches!(quota, Quota::Count(0) | Quota::Percent(0));
    if none(max_surge) && none(max_unavailable) {
        let message =
            "a rollout with `max_surge` and `max_unavailable` both 0 could never take a step";
        let help = "Kubernetes refuses it too: let one of them be at least 1";
        return cx.fail(Diagnostic::error(code::STUCK_ROLLOUT, node.span, message).help(help));
    }
    Some(Rollout::Rolling { max_surge, max_unavailable })
}

/// A number of containers or a whole percentage up to `most`.
fn quota<'t>(cx: &mut Context<'t>, node: Node<'t>, most: u32) -> Option<Quota> {
    if matches!(node.value, DeValue::Integer(_)) {
        return cx.count(node, 0..=REPLICAS_MAX).map(Quota::Count);
    }
    let percent = cx.percent(node)?;
    if percent % 10_000 != 0 || percent / 10_000 > most {
        let message = format!("{} must be a whole percentage from 0% to {most}%", node.title());
        return cx.fail(Diagnostic::error(code::PERCENT, node.span, message));
    }
    Some(Quota::Percent(percent / 10_000))
}

/// The service that a table names, or the only one.
fn service_of<'t>(cx: &mut Context<'t>, table: &Table<'t>, noun: &str) -> Option<ServiceId> {
    let number = match table.get("service") {
        Some(node) => cx.resolve(Kind::Service, node),
        None => the_only(cx, table, Kind::Service, noun),
    };
    u16::try_from(number?).ok().map(ServiceId)
}

/// The number of the only thing of a kind, for a table that does not name it.
pub(super) fn the_only<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    kind: Kind,
    noun: &str,
) -> Option<usize> {
    let word = kind.word();
    let count = cx.names.count(kind);
    if count == 1 {
        return Some(0);
    }
    if count == 0 && kind == Kind::Service {
        // That there is no service at all is reported once, for the file.
        return None;
    }
    let message = match count {
        0 => format!("{noun} needs a {word}, and the file has none"),
        _ => format!("{noun} needs `{word}`: the file has {count} of them"),
    };
    let names: Vec<String> = cx.names.of(kind).take(5).map(|(name, _, _)| shown(name)).collect();
    let help = match count {
        0 => format!("declare one with a table `[{word}.NAME]`"),
        _ => format!("say which: {}", names.join(", ")),
    };
    cx.fail(Diagnostic::error(code::AMBIGUOUS, table.at, message).help(help))
}

/// Reads the `number`-th `[[event]]`, counted from 1.
pub(super) fn event<'t>(
    cx: &mut Context<'t>,
    number: usize,
    node: Node<'t>,
) -> Option<PlannedEvent> {
    let table = Table::open(cx, node, &shape::EVENT)?;
    let at = table.get("at").and_then(|node| {
        let at = cx.range(node, format!("event {number}"))?;
        let Some(length) = cx.length.filter(|length| at.most >= *length) else {
            return Some(at);
        };
        let message =
            format!("the event may come at {}, when the run is over: it is {length} long", at.most);
        let help = "an earlier `at`, or a longer `length` at the top of the file";
        cx.fail(Diagnostic::error(code::OUTSIDE, node.span, message).help(help))
    });
    let odds = maybe(cx, &table, "odds", odds);
    let what = table.exactly_one(cx, shape::EVENT.noun, keys::exactly_one(&shape::EVENT))?;
    let of_job = matches!(what.key, "remove" | "promote" | "retry");
    let of_service = !of_job && !matches!(what.key, "redis" | "edit");
    let belongs = [("rollout", what.key == "deploy"), ("service", of_service), ("queue", of_job)];
    for key in belongs.iter().filter(|(_, does)| !does).filter_map(|(key, _)| table.known(key)) {
        let message = format!("a `{}` event has no `{}`", what.key, key.key);
        cx.push(Diagnostic::error(code::MISPLACED_KEY, key.at, message));
    }
    let happens = match what.key {
        "redis" => mishap(cx, what.node, number).map(Happens::InRedis),
        "edit" => {
            let steps = step::steps(cx, what.node, &format!("event {number}"), true);
            by_hand(cx, steps?, number).map(Happens::ByHand)
        }
        "remove" | "promote" | "retry" => {
            let steps = step::on_a_job(cx, &table, what);
            by_hand(cx, steps?, number).map(Happens::ByHand)
        }
        _ => {
            let service = service_of(cx, &table, "an event");
            let change = change(cx, &table, what, number);
            service.zip(change).map(|(service, change)| Happens::To(service, change))
        }
    };
    Some(PlannedEvent { at: at?, odds_of_2_32: odds?, happens: happens? })
}

fn change<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    change: Known<'t>,
    number: usize,
) -> Option<Change> {
    let node = change.node;
    match change.key {
        "deploy" => {
            let release = cx.resolve(Kind::Release, node);
            let how = maybe(cx, table, "rollout", rollout);
            Some(Change::Deploy(ReleaseId(u16::try_from(release?).ok()?), how?))
        }
        "scale" => cx.count(node, 0..=REPLICAS_MAX).map(Change::Scale),
        "kill" => cx.count(node, 1..=REPLICAS_MAX).map(Change::Kill),
        "terminate" => cx.count(node, 1..=REPLICAS_MAX).map(Change::Terminate),
        "pause" => cx.range(node, format!("pause of event {number}")).map(Change::Pause),
        "disconnect" => {
            cx.range(node, format!("disconnect of event {number}")).map(Change::Disconnect)
        }
        "partition" => {
            cx.range(node, format!("partition of event {number}")).map(Change::Partition)
        }
        "delay" => {
            let table = Table::open(cx, node, &shape::DELAY)?;
            let mut part = |key: &str| {
                table.get(key).and_then(|node| cx.range(node, format!("{key} of event {number}")))
            };
            let (round_trip, lasts) = (part("round_trip"), part("lasts"));
            Some(Change::Delay { round_trip: round_trip?, lasts: lasts? })
        }
        "clock" => cx.signed_ms(node).map(Change::Clock),
        _ if cx.boolean(node)? => Some(Change::Restart),
        _ => {
            let message = "an event that does not restart anything is no event";
            cx.fail(
                Diagnostic::error(code::WORD, node.span, message)
                    .help("`restart = true`, or leave the event out"),
            )
        }
    }
}

/// `redis = "flush"` or `redis = { slow = "2s" }`.
fn mishap<'t>(cx: &mut Context<'t>, node: Node<'t>, number: usize) -> Option<Mishap> {
    if matches!(node.value, DeValue::String(_)) {
        return cx.word(node, &[("flush", ())]).map(|()| Mishap::Flush);
    }
    let table = Table::open(cx, node, &shape::REDIS)?;
    let what = table.exactly_one(cx, shape::REDIS.noun, keys::exactly_one(&shape::REDIS))?;
    for (key, belongs) in [("loses", "restart"), ("queue", "evict")] {
        if let Some(other) = table.known(key).filter(|_| what.key != belongs) {
            let message = format!("`{key}` goes with `{belongs}`, not with `{}`", what.key);
            cx.push(Diagnostic::error(code::MISPLACED_KEY, other.at, message));
        }
    }
    match what.key {
        "slow" => cx.range(what.node, format!("slow of event {number}")).map(Mishap::Slow),
        "restart" => {
            let down = cx.range(what.node, format!("restart of event {number}"));
            let loses = maybe(cx, &table, "loses", loses);
            Some(Mishap::Restart { down: down?, loses: loses?.unwrap_or(Loses::Nothing) })
        }
        _ => {
            let queue = match table.get("queue") {
                Some(node) => cx.resolve(Kind::Queue, node),
                None => the_only(cx, &table, Kind::Queue, "an eviction"),
            };
            let key = cx.string(what.node);
            let queue = u16::try_from(queue?).ok().map(QueueId);
            Some(Mishap::Evict(queue?, key?.into()))
        }
    }
}

/// `loses = "all"` or `loses = "2s"`.
fn loses<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Loses> {
    match node.value {
        DeValue::String(text) if text.as_ref() == "all" => Some(Loses::All),
        _ => cx.span(node, Grain::Any).map(Loses::Since),
    }
}

/// The steps that a person runs: a release of their own.
fn by_hand<'t>(cx: &mut Context<'t>, steps: Arc<[Step]>, number: usize) -> Option<ReleaseId> {
    let release = cx.names.count(Kind::Release) + cx.by_hand.len();
    let library = super::super::Version::V5_34_10;
    let name = format!("event {number}").into();
    cx.by_hand.push(Release { name, library, steps, jobs: Vec::new(), by_hand: true });
    u16::try_from(release).ok().map(ReleaseId)
}

/// Reads `[faults]`.
pub(super) fn faults<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Faults> {
    let table = Table::open(cx, node, &shape::FAULTS)?;
    let swarm = maybe(cx, &table, "swarm", |cx, node| cx.boolean(node));
    let kills = maybe(cx, &table, "kill", all_kills);
    Some(Faults { kills: kills?.unwrap_or_default(), swarm: swarm?.unwrap_or(false) })
}

fn all_kills<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Vec<Kills>> {
    let nodes = match node.value {
        DeValue::Table(_) => vec![node],
        _ => list(
            cx,
            node,
            "a kill fault",
            Some("as in `kill = { odds = \"25%\" }`, or a list of those"),
        ),
    };
    let mut kills: Vec<(Kills, Node<'t>)> = Vec::new();
    for node in nodes {
        let Some(kill) = kill(cx, node) else {
            continue;
        };
        if let Some((_, first)) = kills.iter().find(|(other, _)| other.service == kill.service) {
            let message = "the kills of this service are given twice";
            let problem = Diagnostic::error(code::REPEATED, node.span, message);
            cx.push(problem.and(first.span, "the first time"));
        }
        kills.push((kill, node));
    }
    Some(kills.into_iter().map(|(kill, _)| kill).collect())
}

fn kill<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Kills> {
    let table = Table::open(cx, node, &shape::KILL)?;
    let service = service_of(cx, &table, "a `kill` fault");
    let odds = table.get("odds").and_then(|node| odds(cx, node));
    let points = maybe(cx, &table, "points", |cx, node| cx.count(node, 1..=4096));
    Some(Kills { service: service?, odds_of_2_32: odds?, points: points?.unwrap_or(64) })
}

/// A probability above zero in units of 2^-32.
fn odds<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<u64> {
    let millionths = cx.percent(node)?;
    if millionths == 0 || millionths > 1_000_000 {
        let message = "the odds must be above 0% and at most 100%";
        let help = "a fault that never happens is left out";
        return cx.fail(Diagnostic::error(code::PERCENT, node.span, message).help(help));
    }
    Some((u64::from(millionths) << 32) / 1_000_000)
}
