//! Processes that kill themselves at a round trip: which kill point that is, and what the recorder
//! counts as a round trip.
//!
//! The point is found by trying: a life is killed at one point after the other until it dies where
//! the recorder's process did, between the server's work and the reply. So nothing here knows how
//! the kernel counts.

use super::case::Death;
use super::convert::Played;
use super::observe::Run;
use bootrace_sim::choices::{LifeName, Odds, Policy, Question, Site};
use bootrace_sim::event::{Event, QueueEvent};
use bootrace_sim::policy::Random;
use bootrace_sim::{run, servers};
use std::collections::BTreeMap;

/// At most so many kill points are tried: more than the scenario allows.
const POINTS: u32 = 4096;

/// Where which service's process dies.
pub(crate) type Points = BTreeMap<String, u32>;

/// Draws everything but the deaths, which are told.
struct Told {
    inner: Random,
    points: Points,
}

impl Policy for Told {
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, odds: Odds) -> u32 {
        let drawn = self.inner.answer(question, who, bound, odds);
        match (question.site, self.points.get(&*who.service)) {
            (Site::Kill, point) => point.copied().unwrap_or(0),
            // A process that kills itself has nothing under way that could be lost.
            (Site::Loss, Some(_)) => 0,
            _ => drawn,
        }
    }
}

/// Plays a case on a seed, with the deaths that it wants. `hints` are the points of another seed.
pub(crate) fn play(played: &Played, seed: u64, hints: &mut Points) -> Run {
    let mut points = Points::new();
    for (service, death) in played.deaths() {
        let hint = hints.get(service).copied();
        if let Some(point) = find(played, seed, &points, service, death, hint) {
            points.insert(service.to_owned(), point);
            hints.insert(service.to_owned(), point);
        }
    }
    play_at(played, seed, &points)
}

fn play_at(played: &Played, seed: u64, points: &Points) -> Run {
    let mut events = Vec::new();
    let policy = Told { inner: Random::new(seed), points: points.clone() };
    let outcome = run(&played.scenario, Box::new(policy), false, &mut events);
    assert!(!outcome.out_of_steps, "the run would not end");
    Run { events, lives: outcome.lives, words: servers::labels().collect() }
}

/// The point at which a process dies as it should; `None` if it never comes there.
fn find(
    played: &Played,
    seed: u64,
    others: &Points,
    service: &str,
    death: &Death,
    hint: Option<u32>,
) -> Option<u32> {
    let dies = |point: u32| {
        let points = others.clone().into_iter().chain([(service.to_owned(), point)]).collect();
        dies_well(&play_at(played, seed, &points), service, death)
    };
    if !reaches(&play_at(played, seed, others), service, death) {
        return None;
    }
    let point = hint.into_iter().chain(1..=POINTS).find(|point| match death {
        // The last point at which nothing was sent yet.
        Death::After(0) => dies(*point) && !dies(*point + 1),
        _ => dies(*point),
    });
    Some(point.expect("a process that comes to a round trip can die there"))
}

/// The events of a service's process.
fn events<'r>(run: &'r Run, service: &str) -> impl Iterator<Item = &'r Event> {
    let mine = |(_, life): &(usize, &LifeName)| &*life.service == service;
    let lives: Vec<usize> =
        run.lives.iter().enumerate().filter(mine).map(|(life, _)| life).collect();
    run.events
        .iter()
        .filter(move |(stamp, _)| lives.contains(&(stamp.life.0 as usize)))
        .map(|(_, event)| event)
}

/// Whether the recorder counts a command: the connection's own business it does not, and nothing
/// of a worker, since start-up code is over then.
fn counts(word: &str) -> bool {
    !matches!(word, "INFO" | "CLIENT SETNAME" | "PING" | "QUIT" | "HSET")
}

/// What the process of a service did before it died, as far as its death is about it.
#[derive(Default)]
struct Trips {
    /// How many commands there were of those that are counted, answered or not.
    sent: usize,
    answered: usize,
    /// Of these `sent`, the one at whose reply it is to die.
    wanted: Option<usize>,
    /// At its death: (sent, answered).
    died: Option<(usize, usize)>,
}

fn trips(run: &Run, service: &str, death: &Death) -> Trips {
    let mut trips = Trips::default();
    let (mut starting, mut got) = (true, 0);
    let mut last = "";
    for event in events(run, service) {
        let word = match event {
            Event::Command { label, .. } | Event::Answered { label } => {
                &*run.words[usize::from(label.0)]
            }
            _ => "",
        };
        starting &= !matches!(word, "CLIENT SETNAME" | "moveStalledJobsToWait");
        let wanted = match death {
            Death::After(_) => starting && counts(word),
            Death::Reply { script, .. } => word == script,
        };
        match event {
            Event::Command { .. } => {
                last = word;
                trips.sent += usize::from(wanted && trips.died.is_none());
            }
            Event::Answered { .. } => trips.answered += usize::from(wanted),
            Event::Killed => trips.died = Some((trips.sent, trips.answered)),
            _ => {}
        }
        got += usize::from(matches!(death, Death::Reply { script, got_job, .. } if match event {
            Event::Command { .. } => wanted && !got_job,
            Event::Queue(_, _, QueueEvent::Fetched { .. }) => *got_job && last == script,
            _ => false,
        }));
        let reached = match death {
            Death::After(k) => trips.sent >= *k,
            Death::Reply { nth, .. } => got >= *nth,
        };
        if reached && trips.wanted.is_none() {
            trips.wanted = Some(trips.sent);
        }
    }
    trips
}

/// Whether a process that is not killed comes to where it should die.
fn reaches(run: &Run, service: &str, death: &Death) -> bool {
    let trips = trips(run, service, death);
    match death {
        Death::After(0) => trips.sent > 0,
        _ => trips.wanted.is_some(),
    }
}

/// Whether the process died between the server's work and the reply.
fn dies_well(run: &Run, service: &str, death: &Death) -> bool {
    let Trips { wanted, died, sent, .. } = trips(run, service, death);
    match (death, wanted, died) {
        (Death::After(0), _, Some(died)) => {
            died == (0, 0) && sent == 0 && nothing_came(run, service)
        }
        (_, Some(wanted), Some((sent, answered))) => sent >= wanted && answered + 1 == wanted,
        _ => false,
    }
}

/// Whether no command that is counted arrived of a process, after its death either.
fn nothing_came(run: &Run, service: &str) -> bool {
    !events(run, service).any(|event| match event {
        Event::Command { label, .. } => counts(&run.words[usize::from(label.0)]),
        _ => false,
    })
}

/// What the recorder writes about containers whose round trips it counts.
#[derive(Default)]
pub(crate) struct Counted {
    /// The round trips of start-up code, by container.
    pub(crate) trips: BTreeMap<String, Vec<String>>,
    /// What removals of registrations returned, by container.
    pub(crate) returns: BTreeMap<String, Vec<String>>,
    /// Who died where.
    pub(crate) deaths: Vec<String>,
}

pub(crate) fn counted(played: &Played, run: &Run) -> Counted {
    let mut counted = Counted::default();
    for (service, life) in &played.lives {
        let (trips, returns, died) = startup(run, service);
        if !returns.is_empty() {
            counted.returns.entry(life.container.clone()).or_default().extend(returns);
        }
        let container = &life.container;
        counted.deaths.extend(match &life.death {
            Some(_) if !died => None,
            Some(Death::After(0)) => Some(format!("{container}: before command 1")),
            Some(Death::After(k)) => Some(format!("{container}: after round trip {k}")),
            Some(Death::Reply { script, nth, .. }) => {
                Some(format!("{container}: after reply of {script} #{nth}"))
            }
            None => None,
        });
        if life.counted && !trips.is_empty() {
            counted.trips.entry(life.container.clone()).or_default().extend(trips);
        }
    }
    counted
}

/// The round trips of a process's start-up code, what its removals returned, whether it was killed.
fn startup(run: &Run, service: &str) -> (Vec<String>, Vec<String>, bool) {
    let (mut trips, mut returns, mut killed) = (Vec::new(), Vec::new(), false);
    let mut starting = true;
    let mut removed = false;
    // What start-up code that removes all it lists is returned is its own business.
    let mut listed = false;
    for event in events(run, service) {
        match event {
            Event::Command { label, .. } => {
                let word = &*run.words[usize::from(label.0)];
                starting &= !matches!(word, "CLIENT SETNAME" | "moveStalledJobsToWait");
                if starting && counts(word) {
                    // The recorder has ioredis' names: scripts as BullMQ calls them, commands small.
                    let small = !word.contains(char::is_lowercase);
                    trips.push(if small { word.to_lowercase() } else { word.to_owned() });
                }
                removed = false;
                listed |= word == "ZREVRANGE";
            }
            Event::Queue(_, _, QueueEvent::Unregistered { .. }) => removed = true,
            Event::Answered { label } => match &*run.words[usize::from(label.0)] {
                word @ "removeRepeatable" if !listed => returns.push(format!("{word}={removed}")),
                word @ "removeJobScheduler" => returns.push(format!("{word}={removed}")),
                _ => {}
            },
            Event::Killed => killed = true,
            _ => {}
        }
    }
    (trips, returns, killed)
}
