//! Processes that kill themselves at a round trip: which kill point that is, and what the recorder
//! counts as a round trip.
//!
//! The point is found by trying: it is the last one at which a process is killed before what it is
//! to die of has come about. So nothing here knows how the kernel counts.

use super::case::Cause;
use super::convert::Played;
use super::observe::Run;
use bootrace_sim::choices::{LifeName, Odds, Policy, Question, Site};
use bootrace_sim::event::{Event, QueueEvent, StepId, StepResult};
use bootrace_sim::policy::Random;
use bootrace_sim::{run, servers};
use std::collections::BTreeMap;

/// At most so many kill points are tried: as many as the scenario allows.
const POINTS: u32 = 4096;

/// A process: its service, and which of the service's processes it is, counted from 1.
type Who = (String, u32);

/// Where which process dies.
pub(crate) type Points = BTreeMap<Who, u32>;

/// Draws everything but the deaths, which are told.
struct Told {
    inner: Random,
    points: Points,
    /// The services of which some process kills itself.
    killers: Vec<String>,
}

impl Policy for Told {
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, odds: Odds) -> u32 {
        let drawn = self.inner.answer(question, who, bound, odds);
        match question.site {
            Site::Kill => self.points.get(&process(who)).copied().unwrap_or(0),
            // A process that kills itself has nothing under way that could be lost.
            Site::Loss if self.killers.iter().any(|service| **service == *who.service) => 0,
            _ => drawn,
        }
    }
}

fn process(who: &LifeName) -> Who {
    (who.service.to_string(), who.life)
}

/// Plays a case on a seed, with the deaths that it wants. `hints` are the points of another seed.
pub(crate) fn play(played: &Played, seed: u64, hints: &mut Points) -> Run {
    let mut points = Points::new();
    // What dies later may change where another dies: until nothing changes any more.
    for _ in 0..4 {
        let before = points.clone();
        for service in played.lives.keys() {
            for number in 1.. {
                let who = (service.clone(), number);
                if played.causes(service, number).is_empty() {
                    break;
                }
                let others = || points.clone().into_iter().filter(|(other, _)| *other != who);
                let hint = points.get(&who).or_else(|| hints.get(&who)).copied();
                match find(played, seed, &others().collect(), &who, hint) {
                    Some(point) => points.insert(who.clone(), point),
                    None => points.remove(&who),
                };
                if !points.contains_key(&who) {
                    break;
                }
            }
        }
        if points == before {
            break;
        }
    }
    hints.extend(points.clone());
    let mut run = play_at(played, seed, &points);
    run.deaths = points.keys().filter_map(|who| told(played, seed, &points, who)).collect();
    run
}

fn play_at(played: &Played, seed: u64, points: &Points) -> Run {
    let mut events = Vec::new();
    let inner = Random::new(seed);
    let has = |service: &&String| !played.causes(service, 1).is_empty();
    let killers = played.lives.keys().filter(has).cloned().collect();
    let policy = Told { inner, points: points.clone(), killers };
    let outcome = run(&played.scenario, Box::new(policy), false, &mut events);
    assert!(!outcome.out_of_steps, "the run would not end");
    let words = servers::labels().collect();
    Run { events, lives: outcome.lives, words, redis: outcome.redis, deaths: Vec::new() }
}

fn play_with(played: &Played, seed: u64, others: &Points, who: &Who, point: u32) -> Run {
    let points = others.clone().into_iter().chain([(who.clone(), point)]).collect();
    play_at(played, seed, &points)
}

/// The last point at which a process dies before the first of its causes; `None` if none of them
/// comes about.
fn find(played: &Played, seed: u64, others: &Points, who: &Who, hint: Option<u32>) -> Option<u32> {
    let causes = played.causes(&who.0, who.1);
    let late = |run: &Run| !killed(run, who) || passed(played, run, who, causes).is_some();
    passed(played, &play_at(played, seed, others), who, causes)?;
    let is_late = |point: u32| late(&play_with(played, seed, others, who, point));
    // Another seed's point is seldom far from this one's.
    let near = hint.into_iter().flat_map(|hint| [hint, hint + 1, hint.saturating_sub(1)]);
    for point in near.filter(|point| (1..POINTS).contains(point)) {
        if !is_late(point) && is_late(point + 1) {
            return Some(point);
        }
    }
    let (mut early, mut late) = (0, POINTS + 1);
    while late - early > 1 {
        let middle = early + (late - early) / 2;
        if is_late(middle) { late = middle } else { early = middle }
    }
    assert!(early > 0, "a process that comes to a round trip can die there");
    Some(early)
}

/// What the recorder writes about a death: where the process would have come at the next point.
fn told(played: &Played, seed: u64, points: &Points, who: &Who) -> Option<String> {
    let causes = played.causes(&who.0, who.1);
    let container = &played.lives.get(&who.0)?.container;
    let others = points.iter().filter(|(other, _)| *other != who);
    let others = others.map(|(other, point)| (other.clone(), *point)).collect();
    let next = play_with(played, seed, &others, who, points[who] + 1);
    Some(match passed(played, &next, who, causes)? {
        Cause::After(0) => format!("{container}: before command 1"),
        Cause::After(k) => format!("{container}: after round trip {k}"),
        Cause::Send { script, nth } => format!("{container}: before send of {script} #{nth}"),
        Cause::Reply { script, nth, .. } => {
            format!("{container}: after reply of {script} #{nth}")
        }
    })
}

/// The events of a process.
fn events<'r>(run: &'r Run, who: &Who) -> impl Iterator<Item = &'r Event> {
    let lives: Vec<usize> =
        (0..run.lives.len()).filter(|life| process(&run.lives[*life]) == *who).collect();
    run.events
        .iter()
        .filter(move |(stamp, _)| lives.contains(&(stamp.life.0 as usize)))
        .map(|(_, event)| event)
}

fn killed(run: &Run, who: &Who) -> bool {
    events(run, who).any(|event| *event == Event::Killed)
}

/// Whether the recorder counts a command: the connection's own business it does not, and the
/// Queue's own write is over by then.
fn counts(word: &str) -> bool {
    !matches!(word, "INFO" | "CLIENT SETNAME" | "PING" | "QUIT" | "HSET")
}

/// A command of a process that was not answered yet.
struct Sent<'r> {
    word: &'r str,
    /// Start-up code was under way.
    starting: bool,
    /// It handed out a job.
    got_job: bool,
}

/// The first of some causes that came about in a process.
fn passed<'c>(played: &Played, run: &Run, who: &Who, causes: &'c [Cause]) -> Option<&'c Cause> {
    let startup = played.startup(&who.0)?;
    let mut counts_of = vec![0; causes.len()];
    let mut sent: Vec<Sent<'_>> = Vec::new();
    let mut starting = false;
    for event in events(run, who) {
        let found: Option<(Sent<'_>, bool)> = match event {
            Event::StepBegan(step) if is_first(startup.steps(), *step) => {
                starting = true;
                None
            }
            Event::StepEnded(step, _) if is_last(startup.steps(), *step) => {
                starting = false;
                None
            }
            Event::Command { label, .. } => {
                let word = &*run.words[usize::from(label.0)];
                sent.push(Sent { word, starting, got_job: false });
                Some((Sent { word, starting, got_job: false }, false))
            }
            Event::Queue(_, _, QueueEvent::Fetched { .. }) => {
                sent.iter_mut().rev().take(1).for_each(|last| last.got_job = true);
                None
            }
            Event::Answered { label } => {
                let word = &*run.words[usize::from(label.0)];
                let place = sent.iter().position(|sent| sent.word == word);
                place.map(|place| (sent.remove(place), true))
            }
            _ => None,
        };
        let Some((command, answered)) = found else { continue };
        for (cause, count) in causes.iter().zip(&mut counts_of) {
            let is = |script: &str| command.word.eq_ignore_ascii_case(script);
            let (counted, most) = match cause {
                Cause::After(0) => (!answered && command.starting && counts(command.word), 1),
                Cause::After(k) => (answered && command.starting && counts(command.word), *k),
                Cause::Send { script, nth } => (!answered && is(script), *nth),
                Cause::Reply { script, nth, got_job } => {
                    (answered && is(script) && (command.got_job || !got_job), *nth)
                }
            };
            *count += usize::from(counted);
            if counted && *count == most {
                return Some(cause);
            }
        }
    }
    None
}

fn is_first(steps: Option<std::ops::RangeInclusive<u16>>, step: StepId) -> bool {
    steps.is_some_and(|steps| *steps.start() == step.step)
}

fn is_last(steps: Option<std::ops::RangeInclusive<u16>>, step: StepId) -> bool {
    steps.is_some_and(|steps| *steps.end() == step.step)
}

/// What the recorder writes about the start-up code of containers.
#[derive(Default)]
pub(crate) struct Counted {
    /// The round trips, by container, where it counts them.
    pub(crate) trips: BTreeMap<String, Vec<String>>,
    /// What removals of registrations returned, by container.
    pub(crate) returns: BTreeMap<String, Vec<String>>,
    /// What was thrown, and by what.
    pub(crate) errors: Vec<String>,
}

pub(crate) fn counted(played: &Played, run: &Run) -> Counted {
    let mut counted = Counted::default();
    // Which commands are start-up code's.
    let mut starting: BTreeMap<u32, bool> = BTreeMap::new();
    for (stamp, event) in &run.events {
        let name = &run.lives[stamp.life.0 as usize];
        let (Some(life), Some(startup)) =
            (played.lives.get(&*name.service), played.startup(&name.service))
        else {
            continue;
        };
        let starting = starting.entry(stamp.life.0).or_default();
        match event {
            Event::StepBegan(step) if is_first(startup.steps(), *step) => *starting = true,
            Event::Command { label, .. } if *starting && life.counted => {
                let word = &*run.words[usize::from(label.0)];
                if counts(word) {
                    let trips = counted.trips.entry(life.container.clone()).or_default();
                    trips.push(recorded(word));
                }
            }
            Event::StepThrew { step, error } => {
                if let Some(action) = startup.action(step.step) {
                    counted.errors.push(format!("startup {action}: {error}"));
                }
            }
            Event::StepEnded(step, result) => {
                let removes = startup.action(step.step).filter(|action| {
                    matches!(
                        *action,
                        "removeRepeatable" | "removeRepeatableByKey" | "removeJobScheduler"
                    )
                });
                if let Some(action) = removes.filter(|_| *result != StepResult::Failed) {
                    let returns = counted.returns.entry(life.container.clone()).or_default();
                    returns.push(format!("{action}={}", *result == StepResult::Done));
                }
                *starting &= !is_last(startup.steps(), *step);
            }
            _ => {}
        }
    }
    counted
}

/// A word as the recorder has it: ioredis writes commands in small letters.
fn recorded(word: &str) -> String {
    let is_command = !word.bytes().any(|letter| letter.is_ascii_lowercase());
    if is_command { word.to_lowercase() } else { word.to_owned() }
}
