//! Registrations, and how they stand: how many entries of the library carry a schedule on, and
//! whether each is sound. [`LiveRegistrations`] judges it at the end of the run; what it points at is
//! the event since which it fails.

use std::collections::BTreeMap;

use super::jobs::{Job, Place};
use super::judgement::{Breach, Cause, Judgement};
use super::ledger::Ledger;
use super::{Oracle, Seen};
use crate::clock::Instant;
use crate::event::{Event, Plan, QueueEvent, QueueId, RegistrationKey};
use crate::scenario::Scenario;

/// The registrations of a schedule's work.
#[derive(Debug)]
pub(crate) struct Registry {
    queue: QueueId,
    job: Box<str>,
    /// The next iteration of each registration that is listed.
    listed: BTreeMap<RegistrationKey, Instant>,
    /// That as Redis will know it after a failover, by its number.
    copies: BTreeMap<u32, BTreeMap<RegistrationKey, Instant>>,
}

/// How the registrations stand.
#[derive(Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) live: u64,
    pub(crate) dead: u64,
    crowded: u64,
}

impl Standing {
    /// Whether there are so many that are live, each with one iteration to come, and no other.
    pub(super) fn sound(self, exactly: u64) -> bool {
        self.live == exactly && self.dead == 0 && self.crowded == 0
    }
}

impl Registry {
    pub(crate) fn new(scenario: &Scenario, schedule: usize) -> Registry {
        let schedule = &scenario.schedules[schedule];
        let (queue, job) = (schedule.queue, schedule.job.clone());
        Registry { queue, job, listed: BTreeMap::new(), copies: BTreeMap::new() }
    }

    /// Takes in an event. Returns whether something may stand otherwise after it.
    pub(crate) fn observe(&mut self, event: &Event) -> bool {
        match event {
            Event::Plan(Plan::RedisFlushed) => {
                self.listed.clear();
                true
            }
            Event::Plan(Plan::RedisCopied { event }) => {
                self.copies.insert(*event, self.listed.clone());
                false
            }
            Event::Plan(Plan::RedisRolledBack { event }) => {
                self.listed = self.copies.remove(event).unwrap_or_default();
                true
            }
            Event::Queue(queue, _, event) if *queue == self.queue => {
                self.list(event);
                // These move no iteration, or not in a way that matters.
                !matches!(
                    event,
                    QueueEvent::WorkerUp
                        | QueueEvent::Duplicated { .. }
                        | QueueEvent::Promoted { .. }
                        | QueueEvent::Ended { .. }
                        | QueueEvent::Refused { .. }
                )
            }
            _ => false,
        }
    }

    /// Whether any is listed.
    pub(super) fn any(&self) -> bool {
        !self.listed.is_empty()
    }

    fn list(&mut self, event: &QueueEvent) {
        match event {
            QueueEvent::Registered(written) if written.name == *self.job => {
                self.listed.insert(written.key.clone(), written.next);
            }
            // The same key with another name is a registration of other work now.
            QueueEvent::Registered(written) => {
                self.listed.remove(&written.key);
            }
            QueueEvent::Unregistered { key } => {
                self.listed.remove(key);
            }
            _ => {}
        }
    }

    pub(crate) fn standing(&self, ledger: &Ledger) -> Standing {
        let mut standing = Standing::default();
        for (key, next) in &self.listed {
            let of = |job: &&Job| job.registration.as_ref() == Some(key);
            let to_come = to_come(ledger.iterations(self.queue).filter(of), *next);
            match to_come {
                None => standing.dead += 1,
                Some(count) => {
                    standing.live += 1;
                    standing.crowded += u64::from(count != 1);
                }
            }
        }
        standing
    }
}

/// How many iterations of a registration are to come; none if it is dead, which it is if there is
/// no job of the iteration that it points to: no other one makes a next.
///
/// An iteration that has run and is tried again is not to come. One in hand is if nothing else is:
/// it has not made its next yet.
fn to_come<'a>(iterations: impl Iterator<Item = &'a Job>, next: Instant) -> Option<u64> {
    let (mut pending, mut in_hand, mut live) = (0, 0, false);
    for job in iterations {
        let is_next = job.tick == Some(next);
        live |= is_next;
        match job.place {
            Place::Active(_) => in_hand += u64::from(is_next),
            _ => pending += u64::from(is_next || !job.started()),
        }
    }
    live.then_some(if pending > 0 { pending } else { in_hand })
}

/// So many live registrations of a schedule, each with one iteration to come, and none that is
/// listed but dead.
#[derive(Debug)]
pub(super) struct LiveRegistrations {
    registry: Registry,
    exactly: u64,
    holds: bool,
    /// The event since which it does not hold, if it ever did.
    since: Option<Cause>,
}

impl LiveRegistrations {
    pub(super) fn new(scenario: &Scenario, schedule: usize, exactly: u64) -> LiveRegistrations {
        let registry = Registry::new(scenario, schedule);
        LiveRegistrations { registry, exactly, holds: exactly == 0, since: None }
    }
}

impl Oracle for LiveRegistrations {
    fn observe(&mut self, seen: &Seen<'_>) {
        if !self.registry.observe(seen.event) {
            return;
        }
        let sound = self.registry.standing(seen.ledger).sound(self.exactly);
        if self.holds && !sound {
            self.since = Some(Cause::of(seen));
        }
        self.holds = sound;
    }

    fn finish(&mut self, end: Instant, ledger: &Ledger) -> Judgement {
        let standing = self.registry.standing(ledger);
        let held = standing.sound(self.exactly);
        let since = self.since.take().unwrap_or_else(|| Cause::time(end));
        let broke = since.breaks(
            None,
            Breach::Registrations {
                live: standing.live,
                exactly: self.exactly,
                dead: standing.dead,
                crowded: standing.crowded,
            },
        );
        Judgement { held, judged: 1, figure: Some(standing.live), broke: (!held).then_some(broke) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, minute};
    use super::*;
    use crate::event::JobList;
    use crate::scenario::{Measure, Mode, Property, Relation, Subject};

    const ONE: Property = Property {
        mode: Mode::Eventually,
        measure: Measure::LiveRegistrations,
        subject: Subject::Schedule(0),
        relation: Relation::Exactly,
        bound: 1,
    };

    fn broke(story: &Story) -> (Instant, [u64; 3]) {
        let judgement = story.judge(ONE);
        assert!(!judgement.held);
        let broke = judgement.broke.expect("what broke it");
        let Breach::Registrations { live, dead, crowded, .. } = broke.what else {
            panic!("another property's breach: {:?}", broke.what);
        };
        assert_eq!(judgement.figure, Some(live));
        (broke.at, [live, dead, crowded])
    }

    /// A registration with its first iteration, which is due at minute 60.
    fn registered() -> Story {
        let mut story = Story::hourly();
        story.at(1).register("k", 60).iteration("k", 60);
        story
    }

    /// The iteration that is due is fetched and makes the next one.
    fn carried_on(story: &mut Story) {
        story.at(60).promote("k:60").fetch("k:60").register("k", 120).iteration("k", 120);
    }

    #[test]
    fn one_whose_iteration_lost_its_place_in_the_list_is_dead() {
        let mut story = registered();
        story.at(60).promote("k:60").at(61).drop_from(JobList::Wait, "k:60");
        assert_eq!(broke(&story), (minute(61), [0, 1, 0]));
    }

    #[test]
    fn one_with_its_pending_iteration_holds() {
        let mut story = registered();
        let judgement = story.judge(ONE);
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (1, Some(1)));
        carried_on(&mut story);
        assert!(story.judge(ONE).held, "the one that runs is not to come");
        story.start("k:60").end("k:60", false).retry("k:60", Some(65));
        assert!(story.judge(ONE).held, "neither is one that is tried again");
    }

    #[test]
    fn none_at_all_is_none() {
        let story = Story::hourly();
        assert_eq!(broke(&story), (minute(240), [0, 0, 0]));
        let none = Property { bound: 0, ..ONE };
        assert!(story.judge(none).held);
        assert!(!registered().judge(none).held);
    }

    #[test]
    fn an_orphan_beside_the_new_one_breaks_it() {
        let mut story = registered();
        story.at(30).register("k2", 60).iteration("k2", 60);
        story.at(35).add("by hand", None);
        assert_eq!(broke(&story), (minute(30), [2, 0, 0]));
        story.at(40).unregister("k").remove("k:60");
        assert!(story.judge(ONE).held);
    }

    #[test]
    fn one_that_is_listed_but_dead_breaks_it() {
        let mut story = registered();
        // The first of the older API's two round trips, and no second one.
        story.at(30).remove("k:60").register("k", 120);
        assert_eq!(broke(&story), (minute(30), [0, 1, 0]));
        story.at(90).iteration("k", 120);
        assert!(story.judge(ONE).held, "a boot heals it");
        story.at(91).register("k2", 120);
        assert_eq!(broke(&story), (minute(91), [1, 1, 0]));
    }

    #[test]
    fn a_lost_iteration_breaks_it() {
        let mut story = registered();
        carried_on(&mut story);
        story.start("k:60").done("k:60").at(70).remove("k:120");
        assert_eq!(broke(&story), (minute(70), [0, 1, 0]));
    }

    #[test]
    fn one_that_points_elsewhere_is_dead() {
        let mut story = registered();
        carried_on(&mut story);
        // A slow clock moves it back to the iteration that has run.
        story.start("k:60").done("k:60").at(70).register("k", 60);
        assert_eq!(broke(&story), (minute(70), [0, 1, 0]));
    }

    #[test]
    fn one_whose_iteration_finished_without_a_next_is_dead() {
        for kept in [true, false] {
            let mut story = registered();
            story.at(60).promote("k:60").fetch("k:60").start("k:60");
            assert!(story.judge(ONE).held, "it is in hand");
            story.at(61).stall("k:60");
            assert!(story.judge(ONE).held, "it will be again");
            story.fetch("k:60").start("k:60").at(62).finish("k:60", kept);
            assert_eq!(broke(&story), (minute(62), [0, 1, 0]));
        }
    }

    #[test]
    fn two_pending_iterations_break_it() {
        let mut story = registered();
        story.at(30).register("k", 120).iteration("k", 120);
        assert_eq!(broke(&story), (minute(30), [1, 0, 1]));
    }

    #[test]
    fn an_iteration_added_over_itself_is_one() {
        let mut story = registered();
        story.at(2).register("k", 60).iteration("k", 60);
        assert!(story.judge(ONE).held);
    }

    #[test]
    fn an_iteration_that_shares_a_deleted_hash_is_none() {
        let mut story = registered();
        story.at(60).promote("k:60").fetch("k:60").start("k:60");
        story.at(61).register("k", 60).iteration("k", 60);
        assert!(story.judge(ONE).held);
        story.at(62).finish("k:60", false).remove("k:60");
        assert_eq!(broke(&story), (minute(62), [0, 1, 0]));
    }

    #[test]
    fn a_redis_that_loses_everything_has_no_registration() {
        let mut story = registered();
        story.at(30).flush();
        assert_eq!(broke(&story), (minute(30), [0, 0, 0]));
        story.at(40).register("k", 60).iteration("k", 60);
        assert!(story.judge(ONE).held);
    }

    #[test]
    fn registrations_of_other_work_do_not_count() {
        let mut story = registered();
        story.at(2).register_named("x", "other", 60);
        assert!(story.judge(ONE).held);
        story.at(3).register_named("k", "other", 60);
        assert_eq!(broke(&story), (minute(3), [0, 0, 0]));
    }
}
