//! Lost jobs: those that were added and that nobody will do.
//!
//! A job is lost if it vanished: Redis lost it, or its hash went with the end of an earlier job of
//! its id (some scripts add under an id whose job is still open), before anybody had it in hand, or
//! a drain or a pause took its entry and left its hash. It is also lost if at the end of the run
//! nobody would come to it: no worker of the queue is up, and it is active in the hand of a process
//! that is dead, or delayed to an instant that has passed.
//! With a worker up, the next stalled check or fetch finds it. A job that finished, that somebody
//! removed, that waits, or that a living process has in hand is not lost.

use std::collections::BTreeMap;

use super::jobs::{Job, Place};
use super::judgement::{Breach, Cause, Judgement};
use super::ledger::Ledger;
use super::{Oracle, Seen};
use crate::choices::LifeId;
use crate::clock::Instant;
use crate::event::{Event, QueueId};

/// At most so many jobs of a queue are lost at the end of the run.
#[derive(Debug)]
pub(super) struct LostJobs {
    queue: QueueId,
    most: u64,
    vanished: u64,
    /// The event with which more than the bound had vanished.
    beyond: Option<Cause>,
    deaths: BTreeMap<LifeId, Instant>,
}

impl LostJobs {
    pub(super) fn new(queue: QueueId, most: u64) -> LostJobs {
        LostJobs { queue, most, vanished: 0, beyond: None, deaths: BTreeMap::new() }
    }

    /// When a job was lost that nobody will come to, and to whom; none if somebody will.
    fn lost_since(&self, job: &Job, end: Instant, ledger: &Ledger) -> Option<(Instant, LifeId)> {
        if let Place::Unlisted(at) = job.place {
            return Some((at, LifeId::WORLD));
        }
        if ledger.lives().worker_up(self.queue) {
            return None;
        }
        match (job.place, job.due) {
            (Place::Active(life), _) if !ledger.lives().lives(life) => {
                Some((self.deaths.get(&life).copied().unwrap_or(end), life))
            }
            (Place::Delayed, Some(due)) if due <= end => Some((due, LifeId::WORLD)),
            _ => None,
        }
    }

    /// The jobs that nobody will come to, in the order in which they were lost.
    fn left(&self, end: Instant, ledger: &Ledger) -> Vec<Cause> {
        let lost = ledger.jobs(self.queue).filter_map(|(id, job)| {
            let (at, life) = self.lost_since(job, end, ledger)?;
            Some(Cause { at, life, job: Some(id.0.to_string().into()) })
        });
        let mut lost: Vec<Cause> = lost.collect();
        lost.sort_by_key(|cause| cause.at);
        lost
    }
}

impl Oracle for LostJobs {
    fn observe(&mut self, seen: &Seen<'_>) {
        if matches!(seen.event, Event::Exited { .. } | Event::Killed) {
            self.deaths.insert(seen.stamp.life, seen.stamp.at);
        }
        let vanished = seen.ledger.vanished(self.queue);
        if vanished.count == self.vanished {
            return;
        }
        self.vanished = vanished.count;
        if self.vanished > self.most && self.beyond.is_none() {
            let job = vanished.last.as_ref().map(|job| job.0.to_string().into());
            self.beyond = Some(Cause { job, ..Cause::of(seen) });
        }
    }

    fn finish(&mut self, end: Instant, ledger: &Ledger) -> Judgement {
        let left = self.left(end, ledger);
        let found = self.vanished + left.len() as u64;
        let broke = (found > self.most).then(|| {
            let beyond = usize::try_from(self.most.saturating_sub(self.vanished));
            let left = beyond.ok().and_then(|beyond| left.get(beyond).cloned());
            let cause = self.beyond.take().or(left).unwrap_or_else(|| Cause::time(end));
            cause.breaks(None, Breach::Above { found, most: self.most })
        });
        let judged = ledger.added(self.queue);
        let figure = (judged > 0).then_some(found);
        Judgement { held: broke.is_none(), judged, figure, broke }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, minute};
    use super::*;
    use crate::event::JobList;
    use crate::scenario::{Measure, Mode, Property, Relation, Subject};

    const NONE: Property = Property {
        mode: Mode::Eventually,
        measure: Measure::LostJobs,
        subject: Subject::Queue(0),
        relation: Relation::AtMost,
        bound: 0,
    };

    #[track_caller]
    fn lost(story: &Story, found: u64) {
        let judgement = story.judge(NONE);
        assert_eq!((judgement.held, judgement.figure), (found == 0, Some(found)));
    }

    #[test]
    fn what_finished_was_removed_waits_or_runs_is_not_lost() {
        let mut story = Story::hourly();
        assert_eq!(story.judge(NONE).judged, 0, "nothing was added");
        story.at(1).boot().job("done", None).done("done").job("kept", None).end("kept", true);
        story.finish("kept", true).add("gone", None).remove("gone").add("waits", None);
        story.job("runs", None).add_delayed("later", Some(300));
        lost(&story, 0);
        assert_eq!(story.judge(NONE).judged, 6);
    }

    #[test]
    fn a_job_in_the_hand_of_a_dead_process_is_lost_if_nobody_looks_for_it() {
        let mut story = Story::hourly();
        story.at(1).boot().worker_up().job("a", None).at(30).kill();
        lost(&story, 1);
        let broke = story.judge(NONE).broke.expect("it broke");
        assert_eq!(
            (broke.at, broke.life, broke.job.as_deref()),
            (minute(30), LifeId(1), Some("a"))
        );
        assert_eq!(broke.what, Breach::Above { found: 1, most: 0 });
        story.life(LifeId(2)).at(40).boot().worker_up();
        lost(&story, 0);
        story.terminate();
        lost(&story, 1);
    }

    #[test]
    fn one_that_was_taken_and_not_started_is_lost_too() {
        let mut story = Story::hourly();
        story.at(1).boot().worker_up().add("a", None).fetch("a").at(2).exit();
        lost(&story, 1);
        story.at(3).stall("a");
        lost(&story, 0);
    }

    #[test]
    fn a_delayed_job_whose_instant_has_passed_is_lost_without_a_worker() {
        let mut story = Story::hourly();
        story.at(1).boot().add_delayed("a", Some(239)).add_delayed("b", Some(241));
        lost(&story, 1);
        assert_eq!(story.judge(NONE).broke.expect("it broke").at, minute(239));
        story.worker_up();
        lost(&story, 0);
    }

    #[test]
    fn what_redis_loses_is_lost_but_for_what_is_in_hand() {
        let mut story = Story::hourly();
        story.at(1).boot().worker_up().job("runs", None).add("waits", None);
        story.add_delayed("later", Some(300)).job("kept", None).end("kept", true);
        story.finish("kept", true).at(50).flush();
        lost(&story, 2);
        let broke = story.judge(NONE).broke.expect("it broke");
        assert_eq!((broke.at, broke.life), (minute(50), LifeId::WORLD));
        assert!(broke.job.is_some());
        assert!(story.judge(Property { bound: 2, ..NONE }).held);
        // What it runs may end, and nothing more is heard of it.
        story.at(51).end("runs", true).add("runs", None);
        lost(&story, 2);
    }

    #[test]
    fn what_a_dead_process_had_when_redis_lost_everything_is_lost() {
        let mut story = Story::hourly();
        story.at(1).boot().job("a", None).kill().at(2).flush();
        lost(&story, 1);
    }

    #[test]
    fn a_job_whose_entry_is_taken_and_whose_hash_is_left_is_lost() {
        let mut story = Story::hourly();
        story.at(1).boot().worker_up().add("a", None).add("b", None);
        story.at(2).drop_from(JobList::Wait, "a").drop_from(JobList::Wait, "b").remove("b");
        lost(&story, 1);
        let broke = story.judge(NONE).broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(2), Some("a")));
        story.at(3).flush();
        lost(&story, 1);
    }

    #[test]
    fn a_job_that_shares_a_hash_which_goes_is_lost() {
        let mut story = Story::hourly();
        story.at(1).boot().worker_up().job("a", None).add("a", None).at(2).done("a");
        lost(&story, 1);
        assert_eq!(story.judge(NONE).broke.expect("it broke").at, minute(2));
    }

    #[test]
    fn other_queues_and_other_bounds() {
        let mut story = Story::hourly();
        story.at(1).boot().job("a", None).job("b", None).at(2).kill();
        lost(&story, 2);
        assert_eq!(story.judge(Property { subject: Subject::Queue(1), ..NONE }).judged, 0);
        let one = story.judge(Property { bound: 1, ..NONE }).broke.expect("it broke");
        assert_eq!(one.job.as_deref(), Some("b"));
    }
}
