//! Attempts that end at the word of a worker that no longer has the job: another process took it
//! meanwhile, so its lock is another's, and the library should refuse.
//!
//! An end that was refused is none: the queue does not hear of it. A check that fails a job which
//! stalled too often ends no attempt of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::judgement::{Judgement, Most};
use super::ledger::Ledger;
use super::windows::{Window, measured};
use super::{Broke, Oracle, Seen};
use crate::choices::LifeId;
use crate::clock::Instant;
use crate::event::{Event, JobId, Plan, QueueEvent, QueueId};
use crate::scenario::Scenario;

/// At most so many attempts of a queue's jobs are ended by an old owner.
#[derive(Debug)]
pub(super) struct OldOwners {
    queue: QueueId,
    measured: Window,
    /// Who took each job last.
    owners: BTreeMap<JobId, LifeId>,
    /// Processors that have ended, of which the queue does not know yet.
    ended: BTreeSet<(LifeId, JobId)>,
    count: u64,
    most: Most,
    judged: u64,
}

impl OldOwners {
    pub(super) fn new(scenario: &Scenario, queue: QueueId, most: u64) -> OldOwners {
        OldOwners {
            queue,
            measured: measured(scenario),
            owners: BTreeMap::new(),
            ended: BTreeSet::new(),
            count: 0,
            most: Most::new(most),
            judged: 0,
        }
    }

    fn heard(&mut self, seen: &Seen<'_>, job: &JobId) {
        let (at, life) = (seen.stamp.at, seen.stamp.life);
        if !self.ended.remove(&(life, job.clone())) {
            return;
        }
        let others = self.owners.get(job).is_some_and(|owner| *owner != life);
        if at < self.measured.0 || self.measured.1 <= at {
            return;
        }
        self.judged += 1;
        self.count += u64::from(others);
        self.most.see(seen, None, self.count);
    }
}

impl Oracle for OldOwners {
    fn observe(&mut self, seen: &Seen<'_>) {
        let life = seen.stamp.life;
        match seen.event {
            // Who has a job after that is not known.
            Event::Plan(Plan::RedisFlushed | Plan::RedisRolledBack { .. }) => self.owners.clear(),
            Event::Queue(queue, _, event) if *queue == self.queue => match event {
                QueueEvent::Fetched { job } => {
                    self.owners.insert(job.clone(), life);
                }
                QueueEvent::Ended { job, .. } => {
                    self.ended.insert((life, job.clone()));
                }
                QueueEvent::Finished { job, .. } | QueueEvent::Retried { job, .. } => {
                    self.heard(seen, job);
                    self.owners.remove(job);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn broke(&self) -> Option<&Broke> {
        self.most.broke.as_ref()
    }

    fn finish(&mut self, _: Instant, _: &Ledger) -> Judgement {
        self.most.judgement(self.judged)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, minute, of_queue};
    use super::*;
    use crate::clock::Span;
    use crate::scenario::{Measure, Property};

    const NONE: Property = of_queue(Measure::EndsByOldOwners, 0);

    /// A job that stalls in living hands and is taken by another process.
    fn taken_over() -> Story {
        let mut story = Story::hourly();
        story.at(60).job("a", None).stall("a").life(LifeId(2)).at(61).fetch("a").start("a");
        story
    }

    #[test]
    fn the_end_of_one_that_has_lost_its_job_is_an_old_owners() {
        let mut story = taken_over();
        story.life(LifeId(1)).at(62).end("a", true).finish("a", true);
        let judgement = story.judge(NONE);
        let broke = judgement.broke.expect("it broke");
        assert_eq!((judgement.judged, judgement.figure), (1, Some(1)));
        assert_eq!(
            (broke.at, broke.life, broke.job.as_deref()),
            (minute(62), LifeId(1), Some("a"))
        );
        // A failed attempt that is put back is an end, too.
        let mut story = taken_over();
        story.life(LifeId(1)).at(62).end("a", false).retry("a", None);
        assert!(!story.judge(NONE).held);
    }

    #[test]
    fn one_that_is_refused_ends_nothing() {
        let mut story = taken_over();
        story.life(LifeId(1)).end("a", true).refuse("a", -6).life(LifeId(2)).at(63).done("a");
        let judgement = story.judge(NONE);
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 1, Some(0)));
    }

    #[test]
    fn a_check_that_fails_a_stalled_job_is_no_owner() {
        let mut story = taken_over();
        story.life(LifeId(3)).at(90).fail("a");
        assert_eq!((story.judge(NONE).held, story.judge(NONE).judged), (true, 0));
    }

    #[test]
    fn the_same_process_twice_other_queues_and_other_times_say_nothing() {
        let mut story = Story::hourly();
        story.at(60).job("a", None).stall("a").fetch("a").start("a").end("a", true).done("a");
        assert!(story.judge(NONE).held);
        let mut story = taken_over();
        story.scenario.measure.0 = Span::from_secs(3 * 3_600);
        story.life(LifeId(1)).at(62).end("a", true).finish("a", true);
        assert_eq!((story.judge(NONE).held, story.judge(NONE).judged), (true, 0));
        let other = Property { subject: crate::scenario::Subject::Queue(1), ..NONE };
        assert_eq!(story.judge(other).judged, 0);
    }

    #[test]
    fn after_a_loss_nobody_knows_whose_a_job_is() {
        let mut story = taken_over();
        story.flush().life(LifeId(1)).end("a", true).finish("a", true);
        assert!(story.judge(NONE).held);
    }
}
