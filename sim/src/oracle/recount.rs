//! The window tallies against a recount that keeps every event and looks back: random histories
//! of a few ids, which are used again, taken over, finished, stalled and removed. Only tests use it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::testing::{Story, at_most, firings_at_least, minute};
use super::windows::Tally;
use super::{Fact, Judgement, Ledger};
use crate::choices::LifeId;
use crate::clock::Instant;
use crate::event::{By, Event, JobId, QueueEvent, QueueId, Stamp};
use crate::scenario::Measure;

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
        (At::Delayed, 0) | (At::Wait, 0) => {
            story.remove(id);
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
        Event::Queue(_, _, QueueEvent::Started { job }) => job == id,
        _ => false,
    };
    for (index, (stamp, event)) in story.events.iter().enumerate() {
        match event {
            Event::Queue(_, _, QueueEvent::Started { job }) => {
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
