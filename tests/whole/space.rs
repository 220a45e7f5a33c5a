//! Which drawn scenarios are fit to be recorded: those in which nothing happens so close to a signal
//! or to the end that the machine decides what comes first. The model says where things happen.

use super::case::Case;
use super::convert::{self, Pace, Played};
use super::draw::Draw;
use super::kill::{self, Points};
use super::observe::Run;
use super::{SLOW_TRIP, generate};
use bootrace_sim::clock::Instant;
use bootrace_sim::event::{Event, JobState, QueueEvent, RegistrationKey};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many scenarios are drawn for a seed, at most; then the last is taken as it is.
const ATTEMPTS: u64 = 60;
/// How far from a signal something has to be, before and after, in milliseconds.
const APART_MS: (i64, i64) = (40, 80);
/// What the model is played with to see where things happen.
const PACE: Pace =
    Pace { lag: (20, 90), worker: (8, 40), step: Some((0, 8)), round_trip: SLOW_TRIP };

/// The scenario of a seed.
pub(crate) fn draw(seed: u64) -> Value {
    let mut last = Value::Null;
    for attempt in 0..ATTEMPTS {
        last = generate::case(&format!("whole-{seed}"), &mut Draw::new(seed, attempt));
        let case = Case::of(last.clone());
        let Ok(played) = convert::convert(&case, &PACE) else { continue };
        let mut points = Points::new();
        if (0..4).all(|seed| fits(&case, &played, &kill::play(&played, seed, &mut points))) {
            return last;
        }
    }
    last
}

/// Whether all that happens to jobs is far enough from every signal and from the end, and enough
/// happens at all.
fn fits(case: &Case, played: &Played, run: &Run) -> bool {
    let base = played.scenario.start.ms() + case.phase();
    let lives = played.lives.values();
    let mut signals: Vec<i64> =
        lives.flat_map(|life| life.stops.iter().map(|(at, _)| base + at)).collect();
    signals.push(base + case.observed());
    let told = |event: &Event| match event {
        Event::Queue(_, _, event) => !matches!(event, QueueEvent::WorkerUp),
        _ => false,
    };
    if played.lives.values().any(|life| life.version == "5.34.10") && together(run) {
        return false;
    }
    let mut starts = 0;
    for (stamp, event) in run.events.iter().filter(|(_, event)| told(event)) {
        starts += usize::from(matches!(event, Event::Queue(_, _, QueueEvent::Started { .. })));
        let at = stamp.at.ms();
        let (before, after) = APART_MS;
        if signals.iter().any(|signal| (signal - before..signal + after).contains(&at)) {
            return false;
        }
    }
    starts > 0
}

/// Whether iterations of two registrations are due at one instant.
fn together(run: &Run) -> bool {
    let mut due: BTreeMap<Instant, &RegistrationKey> = BTreeMap::new();
    run.events.iter().any(|(_, event)| {
        let Event::Queue(_, _, QueueEvent::Added(added)) = event else { return false };
        let (Some(key), JobState::Delayed(at)) = (&added.registration, added.state) else {
            return false;
        };
        *due.entry(at).or_insert(key) != key
    })
}
