//! The window tallies against a recount that keeps every event and looks back: random histories
//! of a few ids, which are used again, taken over, finished, stalled and removed. Only tests use it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::testing::{Story, at_most, firings_at_least, minute};
use super::windows::Tally;
use super::{Fact, Judgement, Ledger};
use crate::choices::LifeId;
use crate::clock::Instant;
use crate::event::{By, Event, JobId, JobList, JobState, QueueEvent, QueueId, Stamp};
use crate::scenario::{Measure, Property, Subject};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// Where the story's writer believes an id to be.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Free,
    Delayed,
    Wait,
    Active,
    Kept,
}

/// What happens next: minutes later, to which id, which of the things that can, by which life.
type Step = (i64, usize, u8, u32);

fn story(steps: &[Step]) -> Story {
    let mut story = Story::hourly();
    let mut places = [At::Free; 4];
    let mut now = 0;
    for &(later, id, what, life) in steps {
        now += later;
        story.at(now).life(LifeId(life));
        places[id] = step(&mut story, now, places[id], IDS[id], what);
    }
    story
}

fn step(story: &mut Story, now: i64, place: At, id: &str, what: u8) -> At {
    let tick = [None, Some(now), Some((now - 50).max(0)), Some(now + 30)][usize::from(what % 4)];
    match (place, what / 4) {
        (At::Kept, 0) => {
            story.remove(id);
        }
        (At::Free | At::Kept, 1) => {
            story.add_delayed(id, tick);
            return At::Delayed;
        }
        (At::Free | At::Kept, _) => {
            story.add(id, tick);
            return At::Wait;
        }
        (At::Delayed, 0) => {
            story.drop_from(JobList::Delayed, id).remove(id);
        }
        (At::Wait, 0) => {
            story.drain(id);
        }
        (At::Delayed, _) => {
            story.promote(id);
            return At::Wait;
        }
        (At::Wait, _) => {
            story.fetch(id).start(id);
            return At::Active;
        }
        (At::Active, 0) => {
            story.done(id);
        }
        (At::Active, 1) => {
            story.end(id, true).finish(id, true);
            return At::Kept;
        }
        (At::Active, 2) => {
            story.end(id, false).retry(id, Some(now + 1));
            return At::Delayed;
        }
        (At::Active, 3) => {
            story.stall(id);
            return At::Wait;
        }
        (At::Active, _) => {
            story.rows(id, u64::from(what));
            return At::Active;
        }
    }
    At::Free
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    firings: BTreeMap<Instant, u64>,
    rows: BTreeMap<Instant, u64>,
}

/// What the properties of single executions come to.
#[derive(Debug, Default, PartialEq)]
struct Worst {
    /// The most starts of one job.
    starts: Option<u64>,
    /// The most executions at one instant.
    overlap: Option<u64>,
    /// The longest time from a window's tick to its first firing, in nanoseconds.
    late: Option<u64>,
    /// The greatest length of the queue that lasted.
    length: Option<u64>,
}

/// Whole windows of the four hours, or nothing.
fn window(at: Instant) -> Option<Instant> {
    (minute(0)..minute(240)).contains(&at).then(|| minute(at.ms() / 3_600_000 * 60))
}

/// The number of the last add of an id before an event, and its tick.
fn last_add(story: &Story, before: usize, id: &JobId) -> Option<(usize, Option<Instant>)> {
    let of = |index: usize| match &story.events[index].1 {
        Event::Queue(_, _, QueueEvent::Added(added)) if added.job == *id => {
            Some((index, added.tick))
        }
        _ => None,
    };
    (0..before).rev().find_map(of)
}

fn recount(story: &Story) -> Counts {
    let mut counts = Counts::default();
    let starts = |event: &Event, id: &JobId| match event {
        Event::Queue(_, _, QueueEvent::Started { job, .. }) => job == id,
        _ => false,
    };
    for (index, (stamp, event)) in story.events.iter().enumerate() {
        match event {
            Event::Queue(_, _, QueueEvent::Started { job, .. }) => {
                let (added, tick) = last_add(story, index, job).expect("started after its add");
                let again = story.events[added..index].iter().any(|(_, event)| starts(event, job));
                if let Some(window) = window(tick.unwrap_or(stamp.at))
                    && !again
                {
                    *counts.firings.entry(window).or_default() += 1;
                }
            }
            Event::Rows { rows, .. } => {
                if let Some(window) = window(stamp.at) {
                    *counts.rows.entry(window).or_default() += rows;
                }
            }
            _ => {}
        }
    }
    counts
}

/// Whether an event is a start of an id's job.
fn is_start(event: &Event, id: &JobId) -> bool {
    matches!(event, Event::Queue(_, _, QueueEvent::Started { job, .. }) if job == id)
}

fn recount_worst(story: &Story) -> Worst {
    let mut worst = Worst::default();
    let mut fired = BTreeMap::new();
    for (index, (stamp, event)) in story.events.iter().enumerate() {
        // The whole four hours are measured, and nothing after them.
        let measured = stamp.at < minute(240);
        let Event::Queue(_, _, QueueEvent::Started { job, .. }) = event else { continue };
        let (added, tick) = last_add(story, index, job).expect("started after its add");
        let since_add = &story.events[added..=index];
        let starts = since_add.iter().filter(|(_, event)| is_start(event, job)).count() as u64;
        if measured {
            worst.starts = worst.starts.max(Some(starts));
            worst.overlap = worst.overlap.max(Some(under_way(&story.events[..=index])));
        }
        if starts == 1
            && let Some(window) = window(tick.unwrap_or(stamp.at))
        {
            fired.entry(window).or_insert_with(|| stamp.at.since(window).nanos().unsigned_abs());
        }
    }
    worst.late = fired.values().copied().max();
    worst.length = longest(story);
    worst
}

/// How many starts have no end by the same life.
fn under_way(events: &[(Stamp, Event)]) -> u64 {
    let mut open: Vec<(LifeId, &JobId)> = Vec::new();
    for (stamp, event) in events {
        match event {
            Event::Queue(_, _, QueueEvent::Started { job, .. }) => open.push((stamp.life, job)),
            Event::Queue(_, _, QueueEvent::Ended { job, .. }) => {
                let of = |run: &(LifeId, &JobId)| *run == (stamp.life, job);
                if let Some(at) = open.iter().position(of) {
                    open.swap_remove(at);
                }
            }
            _ => {}
        }
    }
    open.len() as u64
}

/// The greatest number of entries that wait or are active at the end of a minute within the four
/// hours; in these stories things happen at whole minutes.
fn longest(story: &Story) -> Option<u64> {
    let most = (0..240).map(|at| queued(&story.events, minute(at))).max();
    most.filter(|most| *most > 0)
}

/// How many entries wait or are active after everything up to an instant.
fn queued(events: &[(Stamp, Event)], until: Instant) -> u64 {
    // Whether an entry of each id is in the queue.
    let mut places: BTreeMap<&JobId, bool> = BTreeMap::new();
    // Entries that the library leaves where they are when a kept job of their id is removed.
    let mut left = 0;
    for (_, event) in events.iter().take_while(|(stamp, _)| stamp.at <= until) {
        let Event::Queue(_, _, event) = event else { continue };
        let Some(id) = event.job() else { continue };
        let place = places.entry(id).or_default();
        match event {
            QueueEvent::Added(added) => *place = !matches!(added.state, JobState::Delayed(_)),
            QueueEvent::Retried { state, .. } => *place = !matches!(state, JobState::Delayed(_)),
            QueueEvent::Promoted { .. } | QueueEvent::Stalled { .. } => *place = true,
            QueueEvent::Finished { .. } | QueueEvent::Dropped { .. } => *place = false,
            QueueEvent::Removed { .. } => left += u64::from(std::mem::take(place)),
            _ => {}
        }
    }
    left + places.values().filter(|queued| **queued).count() as u64
}

fn tallied(story: &Story) -> Counts {
    let scenario = &story.scenario;
    let tally = || Tally::new(scenario, &scenario.schedules[0]);
    let (mut firings, mut rows) = (tally(), tally());
    let mut ledger = Ledger::new(scenario);
    for (stamp, event) in &story.events {
        match ledger.fold(stamp, event) {
            Some(Fact::Execution { firing: Some(of), .. }) => {
                firings.add(of, 1);
            }
            Some(Fact::Rows { rows: amount, .. }) => {
                rows.add(stamp.at, amount);
            }
            _ => {}
        }
    }
    Counts { firings: firings.counts().clone(), rows: rows.counts().clone() }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0_i64..6, 0_usize..4, 0_u8..24, 1_u32..4), 0..150)
}

/// The judgements of at most 3 firings, at most 40 rows and at least 2 firings.
fn judged(mut story: Story) -> Vec<Judgement> {
    // A worker that is up all the time owes every window its firings.
    let stamp = Stamp { at: minute(0), life: LifeId(1) };
    let up = Event::Queue(QueueId(0), By::Worker, QueueEvent::WorkerUp);
    story.events.insert(0, (stamp, up));
    let properties = [
        at_most(Measure::FiringsPerWindow, 3),
        at_most(Measure::RowsPerWindow, 40),
        firings_at_least(2),
    ];
    story.verdict(&properties).judgements
}

proptest! {
    #[test]
    fn the_tallies_are_those_of_a_recount(steps in steps()) {
        let story = story(&steps);
        let counts = recount(&story);
        prop_assert_eq!(&tallied(&story), &counts);
        let most = |counts: &BTreeMap<Instant, u64>| counts.values().max().copied();
        let in_hour = |hour: i64| counts.firings.get(&minute(hour * 60)).copied().unwrap_or(0);
        let least = (0..4).map(in_hour).min().unwrap_or(0);
        let found = judged(story).iter().map(|one| (one.figure, one.held)).collect::<Vec<_>>();
        let (firings, rows) = (most(&counts.firings), most(&counts.rows));
        let expected = [
            (firings, firings <= Some(3)),
            (rows, rows <= Some(40)),
            (Some(least), least >= 2),
        ];
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_worst_of_single_executions_is_that_of_a_recount(steps in steps()) {
        let story = story(&steps);
        let length = Property {
            subject: Subject::Queue(0),
            ..at_most(Measure::QueueLength, 2)
        };
        let properties = [
            at_most(Measure::ExecutionsPerFiring, 1),
            at_most(Measure::Overlap, 1),
            at_most(Measure::Lateness, 600_000_000_000),
            length,
        ];
        let judgements = story.verdict(&properties).judgements;
        let figure = |place: usize| judgements[place].figure;
        let found = Worst { starts: figure(0), overlap: figure(1), late: figure(2), length: figure(3) };
        prop_assert_eq!(&found, &recount_worst(&story));
        for (judgement, property) in judgements.iter().zip(properties) {
            prop_assert_eq!(judgement.held, judgement.figure <= Some(property.bound));
            prop_assert_eq!(judgement.held, judgement.broke.is_none());
        }
    }

    #[test]
    fn nothing_is_left_of_jobs_that_are_over(steps in steps()) {
        let mut story = story(&steps);
        for id in IDS {
            story.remove(id);
        }
        let mut ledger = Ledger::new(&story.scenario);
        for (stamp, event) in &story.events {
            ledger.fold(stamp, event);
        }
        prop_assert_eq!(ledger.jobs(QueueId(0)).count(), 0);
        prop_assert_eq!(ledger.iterations(QueueId(0)).count(), 0);
    }
}
