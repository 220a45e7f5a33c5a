//! From a run's events to what the recorder would have written about it: the same leaves under the
//! same names.

use super::case::Case;
use super::convert::{NAMELESS, Played};
use super::fold::{Queue, id};
use super::kill::{Counted, counted};
use super::kinds::Kinds;
use bootrace_sim::choices::LifeName;
use bootrace_sim::clock::Instant;
use bootrace_sim::event::{Event, JobId, Plan, QueueEvent, Stamp};
use bootrace_sim::redis::{self, Db, Key, Snapshot};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A run: its events, who is who in them, and the words of its labels.
pub(crate) struct Run {
    pub(crate) events: Vec<(Stamp, Event)>,
    pub(crate) lives: Vec<LifeName>,
    pub(crate) words: Vec<Rc<str>>,
    /// What Redis held at the end.
    pub(crate) redis: Db,
    /// What the recorder writes about processes that kill themselves.
    pub(crate) deaths: Vec<String>,
}

/// How a case tells instants and ids that have one in them.
struct Times<'c> {
    base: i64,
    /// Instants that are no multiple of this are told as the multiple before, with a `~`.
    snap: i64,
    legend: &'c Value,
}

/// What a process tells so shortly before it is killed does not reach the recorder.
const UNHEARD_MS: i64 = 20;

/// One start of a processor.
pub(crate) struct Start {
    pub(crate) at: i64,
    pub(crate) end: Option<i64>,
    pub(crate) result: &'static str,
    pub(crate) life: usize,
    pub(crate) job: String,
    pub(crate) name: String,
    /// Which action added it, and that of which variant: what the recorder puts into a job's data.
    pub(crate) source: String,
    pub(crate) variant: String,
}

/// What the recorder would have written about a run.
pub(crate) fn observe(case: &Case, played: &Played, run: &Run) -> Value {
    let times = Times {
        base: played.scenario.start.ms(),
        snap: case.scenario["snapMs"].as_i64().unwrap_or(1),
        legend: &case.legend,
    };
    let starts = starts(&run.events);
    let one_list = played.lives.values().all(|life| life.version == "6.7.0");
    let mut queue = Queue::new(one_list);
    let mut kinds = Kinds::new(played);
    for (_, event) in &run.events {
        match event {
            Event::Queue(_, by, event) => {
                let kind = kinds.see(*by, event);
                queue.see(event, kind);
            }
            Event::Plan(Plan::RedisFlushed) => queue = Queue::new(one_list),
            _ => {}
        }
    }
    let held = Held::new(case, &run.redis);
    let schedules = schedules(&queue, &times, &held);
    let alive = schedules.values().filter(|schedule| schedule["alive"] == true).count();
    let container = |life: usize| {
        let service = &*run.lives[life].service;
        played.lives.get(service).map_or(service, |life| &life.container)
    };
    let mut outcome = json!({
        "executions": executions(case, &starts, &times),
        "results": tally(starts.iter().map(|start| start.result.to_owned())),
        "stalledEvents": stalled(&run.events),
        "repeatEntries": schedules.len(),
        "schedulesAlive": alive,
        "schedulesLost": schedules.len() - alive,
        "schedules": schedules,
        "orphanDelayedIterations": orphans(&queue, &times),
        "finalCounts": counts(&queue),
        "finalIds": ids(&queue, &times),
        "keys": held.keys(&times),
        "failedReasons": held.failed_reasons(&queue),
        "queuePaused": held.field("meta", "paused").is_some(),
        "verdict": verdict(case, &starts, &times),
    });
    outcome["executions"]["byContainer"] =
        tally(starts.iter().map(|start| container(start.life).to_owned()));
    concurrency(&starts, &mut outcome);
    let Counted { trips, returns, errors: thrown } = counted(played, run);
    outcome["errors"] = tally(errors(played, run).into_iter().chain(thrown).map(undated));
    outcome["roundTrips"] = json!(trips);
    outcome["startupReturns"] = json!(returns);
    outcome["selfKills"] = json!(run.deaths);
    outcome
}

/// What Redis holds of the queue, under the names below its prefix.
struct Held<'r> {
    redis: &'r Db,
    prefix: String,
}

impl<'r> Held<'r> {
    fn new(case: &Case, redis: &'r Db) -> Self {
        let queue = case.scenario["queue"]["name"].as_str().unwrap_or("q");
        Held { redis, prefix: format!("bull:{queue}:") }
    }

    fn key(&self, name: &str) -> Key {
        Key::from(&*format!("{}{name}", self.prefix))
    }

    fn field(&self, name: &str, field: &str) -> Option<String> {
        let value = self.redis.hget(&self.key(name), field.as_bytes()).ok()??;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The keys, each with its type.
    fn keys(&self, times: &Times<'_>) -> Value {
        let of = |shown: Snapshot<'_>| {
            let key = String::from_utf8_lossy(shown.key.bytes()).into_owned();
            let name = times.id(key.strip_prefix(&self.prefix)?);
            let kind = match shown.value {
                redis::Value::String(_) => "string",
                redis::Value::List(_) => "list",
                redis::Value::Set(_) => "set",
                redis::Value::Hash(_) => "hash",
                redis::Value::Zset(_) => "zset",
                redis::Value::Stream(_) => "stream",
            };
            Some((name, kind.into()))
        };
        self.redis.snapshot().into_iter().filter_map(of).collect::<Map<_, _>>().into()
    }

    /// The fields of a hash, in the order of their names.
    fn fields(&self, name: &str) -> Vec<String> {
        let key = self.key(name);
        let all = self.redis.hgetall(&key).expect("it is a hash");
        let mut fields: Vec<String> =
            all.map(|(field, _)| String::from_utf8_lossy(field).into_owned()).collect();
        fields.sort();
        fields
    }

    /// The variant whose data a registration carries.
    fn variant(&self, name: &str) -> Value {
        let data = self.field(name, "data").unwrap_or_default();
        let data: Value = serde_json::from_str(&data).unwrap_or_default();
        data["v"].clone()
    }

    fn failed_reasons(&self, queue: &Queue) -> Value {
        // What a processor throws here is what that of the recorder says.
        let reason = |job| match self.field(&id(job), "failedReason") {
            Some(text) if text == "failed" => "planned failure".to_owned(),
            text => text.unwrap_or_else(|| "null".to_owned()),
        };
        tally(queue.failed.iter().map(reason))
    }
}

fn tally(words: impl Iterator<Item = String>) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    json!(counts)
}

/// Milliseconds as JavaScript counts them.
fn ms(at: Instant) -> i64 {
    at.nanos().div_euclid(1_000_000)
}

/// The starts of processors. A job has the name that its hash had when it was fetched.
fn starts(events: &[(Stamp, Event)]) -> Vec<Start> {
    let mut names: BTreeMap<&JobId, String> = BTreeMap::new();
    let mut fetched: BTreeMap<(usize, &JobId), String> = BTreeMap::new();
    let mut starts: Vec<Start> = Vec::new();
    for (stamp, event) in events {
        let (life, at) = (stamp.life.0 as usize, ms(stamp.at));
        match event {
            Event::Queue(_, _, QueueEvent::Added(added)) => {
                names.insert(&added.job, String::from_utf8_lossy(&added.name).into_owned());
            }
            Event::Queue(_, _, QueueEvent::Removed { job }) => drop(names.remove(job)),
            Event::Plan(Plan::RedisFlushed) => names.clear(),
            Event::Queue(_, _, QueueEvent::Fetched { job }) => {
                let name = names.get(job).map_or(NAMELESS, String::as_str);
                fetched.insert((life, job), name.to_owned());
            }
            Event::Queue(_, _, QueueEvent::Started { job, data }) => {
                let name = fetched.get(&(life, job)).cloned().expect("what starts was fetched");
                let data: Value = serde_json::from_slice(data.as_bytes()).unwrap_or_default();
                let of = |field: &str| data[field].as_str().unwrap_or("(none)").to_owned();
                let (source, variant) = (of("src"), format!("{name}/{}", of("v")));
                let (end, result, job) = (None, "running", id(job));
                starts.push(Start { at, end, result, life, job, name, source, variant });
            }
            Event::Queue(_, _, QueueEvent::Ended { job, ok }) => {
                let job = id(job);
                let open = |start: &&mut Start| {
                    start.end.is_none() && start.life == life && start.job == job
                };
                let start = starts.iter_mut().find(open).expect("what ends has started");
                (start.end, start.result) = (Some(at), if *ok { "ok" } else { "fail" });
            }
            Event::Killed | Event::Exited { .. } => {
                let killed = *event == Event::Killed;
                for start in
                    starts.iter_mut().filter(|start| start.end.is_none() && start.life == life)
                {
                    start.end = Some(at);
                    start.result = if killed { "killed" } else { "process-exit" };
                }
            }
            _ => {}
        }
    }
    starts
}

impl Times<'_> {
    /// An instant in milliseconds after the base, as text.
    fn tell(&self, at: i64) -> String {
        let after = at - self.base;
        if after < 0 || after % self.snap == 0 {
            return format!("{}{after}", if after < 0 { "" } else { "+" });
        }
        format!("+{}~", after / self.snap * self.snap)
    }

    /// An id with its instants told from the base.
    fn id(&self, id: &str) -> String {
        let mut parts = id.split(':');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            text.push(':');
            match millis(part) {
                Some(at) => {
                    text.push('@');
                    text.push_str(&self.tell(at));
                }
                None => text.push_str(part),
            }
        }
        text
    }

    /// What the recorder calls a registration.
    fn schedule(&self, key: &str) -> String {
        match self.legend[key].as_str() {
            Some(text) => format!("legacy {text}"),
            None => format!("scheduler {key}"),
        }
    }
}

/// The thirteen digits of an instant.
fn millis(text: &str) -> Option<i64> {
    let digits = text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The registration and the instant that the id of an iteration names.
fn iteration(id: &str) -> Option<(&str, i64)> {
    let (key, at) = id.strip_prefix("repeat:")?.rsplit_once(':')?;
    // A registration without a key is none to the recorder.
    Some((key, millis(at)?)).filter(|(key, _)| !key.is_empty())
}

fn executions(case: &Case, starts: &[Start], times: &Times<'_>) -> Value {
    let distinct: BTreeSet<&str> = starts.iter().map(|start| start.job.as_str()).collect();
    let mut schedules: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (key, at) in starts.iter().filter_map(|start| iteration(&start.job)) {
        schedules.entry(times.schedule(key)).or_default().push(at);
    }
    let schedule = |(name, instants): (String, Vec<i64>)| {
        let by_instant = tally(instants.iter().map(|at| times.tell(*at)));
        (name, json!({ "executions": instants.len(), "byInstant": by_instant }))
    };
    let mut windows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Some(window) = case.scenario["windowMs"].as_i64() {
        for start in starts {
            let from = (start.at - times.base).div_euclid(window) * window;
            windows.entry(format!("+{from}")).or_default().push(start.name.clone());
        }
    }
    let windows = windows.into_iter().map(|(from, names)| (from, tally(names.into_iter())));
    json!({
        "total": starts.len(),
        "distinctJobs": distinct.len(),
        "byName": tally(starts.iter().map(|start| start.name.clone())),
        "bySource": tally(starts.iter().map(|start| start.source.clone())),
        "byVariantOfData": tally(starts.iter().map(|start| start.variant.clone())),
        "byJobId": tally(starts.iter().map(|start| times.id(&start.job))),
        "perSchedule": schedules.into_iter().map(schedule).collect::<Map<_, _>>(),
        "perWindow": windows.collect::<Map<_, _>>(),
    })
}

/// How many processors ran at once: in all, by name, of one job. Ends go before starts.
pub(crate) fn concurrency(starts: &[Start], outcome: &mut Value) {
    let mut points: Vec<(i64, i64, &Start)> = Vec::new();
    for start in starts {
        points.push((start.at, 1, start));
        points.push((start.end.unwrap_or(i64::MAX), -1, start));
    }
    points.sort_by_key(|(at, step, _)| (*at, *step));
    let (mut all, mut names, mut jobs) = (Most::default(), BTreeMap::new(), BTreeMap::new());
    for (_, step, start) in points {
        all.step(step);
        names.entry(start.name.clone()).or_insert_with(Most::default).step(step);
        jobs.entry(start.job.clone()).or_insert_with(Most::default).step(step);
    }
    outcome["maxConcurrent"] = json!(all.most);
    outcome["maxConcurrentByName"] = names
        .into_iter()
        .map(|(name, most)| (name, json!(most.most)))
        .collect::<Map<_, _>>()
        .into();
    outcome["maxConcurrentSameJob"] = json!(jobs.values().map(|most| most.most).max().unwrap_or(0));
}

#[derive(Default)]
struct Most {
    now: i64,
    most: i64,
}

impl Most {
    fn step(&mut self, step: i64) {
        self.now += step;
        self.most = self.most.max(self.now);
    }
}

/// Stalled jobs, counted once a millisecond, as the worker that found them tells them. One that is
/// killed at the same moment is not heard.
fn stalled(events: &[(Stamp, Event)]) -> usize {
    let died = |life, at: i64| {
        events.iter().any(|(stamp, event)| {
            matches!(event, Event::Killed)
                && stamp.life == life
                && (at..at + UNHEARD_MS).contains(&ms(stamp.at))
        })
    };
    let found = events.iter().filter_map(|(stamp, event)| match event {
        Event::Queue(_, _, QueueEvent::Stalled { job }) if !died(stamp.life, ms(stamp.at)) => {
            Some((id(job), ms(stamp.at)))
        }
        _ => None,
    });
    found.collect::<BTreeSet<_>>().len()
}

fn schedules(queue: &Queue, times: &Times<'_>, held: &Held<'_>) -> BTreeMap<String, Value> {
    let schedule = |(key, registration): (
        &bootrace_sim::event::RegistrationKey,
        &super::fold::Registration,
    )| {
        let key = String::from_utf8_lossy(&key.0).into_owned();
        let next = registration.next.ms();
        let state = queue.place(&format!("repeat:{key}:{next}"));
        let prefix = format!("repeat:{key}:");
        let pending: Vec<String> =
            queue.pending().filter(|id| id.starts_with(&prefix)).map(|id| times.id(&id)).collect();
        let waits = matches!(state, "wait" | "active" | "paused" | "delayed" | "prioritized");
        let after = next - times.base;
        let next =
            if after % times.snap == 0 { json!(after) } else { json!(times.tell(next)[1..]) };
        let schedule = json!({
            "name": registration.name,
            "next": next,
            "nextJobState": state,
            "alive": waits || !pending.is_empty(),
            "pendingIterations": pending,
            "hashFields": held.fields(&format!("repeat:{key}")),
            "templateVariant": held.variant(&format!("repeat:{key}")),
        });
        (key, schedule)
    };
    queue.registrations.iter().map(schedule).collect()
}

fn orphans(queue: &Queue, times: &Times<'_>) -> Vec<String> {
    let known =
        |key: &str| queue.registrations.keys().any(|other| other.0.as_bytes() == key.as_bytes());
    let ids = queue.delayed.iter().map(|(_, job)| id(job));
    ids.filter(|id| iteration(id).is_some_and(|(key, _)| !known(key)))
        .map(|id| times.id(&id))
        .collect()
}

fn counts(queue: &Queue) -> Value {
    let (wait, paused) = match queue.has_paused_list() {
        true => (0, queue.wait.len()),
        false => (queue.wait.len(), 0),
    };
    json!({
        "wait": wait,
        "active": queue.active.len(),
        "paused": paused,
        "delayed": queue.delayed.len(),
        "prioritized": queue.prioritized.len(),
        "completed": queue.completed.len(),
        "failed": queue.failed.len(),
    })
}

fn ids(queue: &Queue, times: &Times<'_>) -> Value {
    let all = |list: &[JobId]| list.iter().map(|job| times.id(&id(job))).collect::<Vec<_>>();
    let delayed: Vec<JobId> = queue.delayed.iter().map(|(_, job)| job.clone()).collect();
    // The recorder does not list those of a paused queue.
    let wait = if queue.has_paused_list() { &[][..] } else { &queue.wait };
    json!({
        "wait": all(wait),
        "active": all(&queue.active),
        "delayed": all(&delayed),
        "failed": all(&queue.failed),
    })
}

/// The errors that scripts' refusals become, in BullMQ's words. 5.34 does not tell the refusal of a
/// completion: it takes it for a failure of the job, and only the refusal of that is told.
fn errors(played: &Played, run: &Run) -> Vec<String> {
    let tells_all = |life: u32| {
        let service = &*run.lives[life as usize].service;
        played.lives.get(service).is_some_and(|life| life.version != "5.34.10")
    };
    let mut command: &str = "";
    let mut found = Vec::new();
    let mut completing: BTreeSet<(u32, &JobId)> = BTreeSet::new();
    for (stamp, event) in &run.events {
        let life = stamp.life.0;
        match event {
            Event::Command { label, .. } => command = &run.words[usize::from(label.0)],
            Event::Queue(_, _, QueueEvent::Ended { job, ok: true }) => {
                completing.insert((life, job));
            }
            Event::Queue(_, _, QueueEvent::Finished { job, .. }) => {
                completing.remove(&(life, job));
            }
            Event::Queue(_, _, QueueEvent::Refused { job, .. })
                if completing.remove(&(life, job)) && !tells_all(life) => {}
            Event::Queue(_, _, QueueEvent::Refused { job, code }) => {
                let job = id(job);
                found.push(match code {
                    -1 => format!("workerError: Missing key for job {job}. {command}"),
                    -2 => format!("workerError: Missing lock for job {job}. {command}"),
                    -3 => format!("workerError: Job {job} is not in the active state. {command}"),
                    -6 => {
                        format!(
                            "workerError: Lock mismatch for job {job}. Cmd {command} from active"
                        )
                    }
                    code => format!("workerError: {code} for job {job}. {command}"),
                });
            }
            _ => {}
        }
    }
    found
}

/// An error's text as the recorder writes it: without instants, and not too long.
fn undated(text: String) -> String {
    let mut undated = String::new();
    let mut rest = text.as_str();
    while let Some(digit) = rest.find(|letter: char| letter.is_ascii_digit()) {
        undated.push_str(&rest[..digit]);
        rest = &rest[digit..];
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let dates = if digits >= 13 { digits / 13 * 13 } else { 0 };
        undated.push_str(&"<ms>".repeat(dates / 13));
        undated.push_str(&rest[dates..digits]);
        rest = &rest[digits..];
    }
    undated.push_str(rest);
    match undated.split_once(": ") {
        Some((who, what)) => format!("{who}: {}", what.chars().take(300).collect::<String>()),
        None => undated,
    }
}

/// What the death of one container did to each schedule, in the cases that are about that.
fn verdict(case: &Case, starts: &[Start], times: &Times<'_>) -> Value {
    let containers = case.scenario["containers"].as_array().into_iter().flatten();
    let boot =
        |name: &str| containers.clone().find(|container| container["id"] == name)?["at"].as_i64();
    let (Some(victim), Some(healer)) = (boot("victim"), boot("healer")) else { return Value::Null };
    let mut schedules: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for start in starts {
        let name = iteration(&start.job).map_or(start.name.clone(), |(key, _)| times.schedule(key));
        let at = start.at - times.base - case.phase();
        let phase = usize::from(at >= victim) + usize::from(at >= victim && at >= healer);
        schedules.entry(name).or_default()[phase] += 1;
    }
    let died: u64 = schedules.values().map(|counts| counts[1]).sum();
    let healed: u64 = schedules.values().map(|counts| counts[2]).sum();
    let result = match (died, healed) {
        (0, 0) => "lost",
        (0, _) => "lost-then-healed-by-next-boot",
        (_, 0) => "stopped",
        (_, _) => "alive",
    };
    let told = |(name, [before, after, next]): (String, [u64; 3])| {
        (name, json!({ "beforeVictim": before, "afterDeath": after, "afterNextBoot": next }))
    };
    json!({ "perSchedule": schedules.into_iter().map(told).collect::<Map<_, _>>(), "result": result })
}
