//! The order in which jobs are taken: how many that were added earlier a job leaves behind.
//!
//! It looks at jobs that wait since they were added. One that was delayed, or was put back, waits at
//! a place that says nothing of when it was added. Jobs with a priority are a line of their own;
//! which of two priorities is the higher it does not know.

use super::judgement::{Judgement, Most};
use super::ledger::Ledger;
use super::windows::{Window, measured};
use super::{Broke, Oracle, Seen};
use crate::clock::Instant;
use crate::event::{Event, JobId, JobState, Plan, QueueEvent, QueueId};
use crate::scenario::Scenario;

/// A job of a queue leaves at most so many behind.
#[derive(Debug)]
pub(super) struct Overtaking {
    queue: QueueId,
    measured: Window,
    /// Who waits without a priority, and with one, in the order of the adds.
    lines: [Vec<JobId>; 2],
    most: Most,
    judged: u64,
}

impl Overtaking {
    pub(super) fn new(scenario: &Scenario, queue: QueueId, most: u64) -> Overtaking {
        let measured = measured(scenario);
        Overtaking { queue, measured, lines: Default::default(), most: Most::new(most), judged: 0 }
    }

    /// Takes a job out of its line: how many stood before it.
    fn leaves(&mut self, job: &JobId) -> Option<u64> {
        self.lines.iter_mut().find_map(|line| {
            let place = line.iter().position(|other| other == job)?;
            line.remove(place);
            Some(place as u64)
        })
    }

    fn taken(&mut self, seen: &Seen<'_>, job: &JobId) {
        let at = seen.stamp.at;
        if let Some(before) = self.leaves(job)
            && self.measured.0 <= at
            && at < self.measured.1
        {
            self.judged += 1;
            self.most.see(seen, None, before);
        }
    }
}

impl Oracle for Overtaking {
    fn observe(&mut self, seen: &Seen<'_>) {
        match seen.event {
            Event::Plan(Plan::RedisFlushed | Plan::RedisRolledBack { .. }) => {
                self.lines = Default::default();
            }
            Event::Queue(queue, _, event) if *queue == self.queue => match event {
                QueueEvent::Added(added) => match added.state {
                    JobState::Wait => self.lines[0].push(added.job.clone()),
                    JobState::Prioritized => self.lines[1].push(added.job.clone()),
                    JobState::Delayed(_) => {}
                },
                QueueEvent::Fetched { job } => self.taken(seen, job),
                QueueEvent::Removed { job } | QueueEvent::Dropped { job, .. } => {
                    self.leaves(job);
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
    use crate::clock::Span;
    use crate::scenario::{Measure, Property};

    const IN_ORDER: Property = of_queue(Measure::Overtaking, 0);

    #[test]
    fn first_in_first_out_leaves_nobody_behind() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).add("b", None).fetch("a").fetch("b").add("c", None).fetch("c");
        let judgement = story.judge(IN_ORDER);
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 3, Some(0)));
    }

    #[test]
    fn a_job_that_is_taken_before_older_ones_overtakes_them() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).add("b", None).add("c", None).at(2).fetch("c").fetch("a");
        let judgement = story.judge(IN_ORDER);
        assert_eq!((judgement.judged, judgement.figure), (2, Some(2)));
        let broke = judgement.broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(2), Some("c")));
        assert!(story.judge(Property { bound: 2, ..IN_ORDER }).held);
    }

    #[test]
    fn jobs_with_a_priority_are_a_line_of_their_own() {
        let mut story = Story::hourly();
        story.at(1).add_prioritized("a").add_prioritized("b").add("c", None).fetch("c").fetch("a");
        assert_eq!(story.judge(IN_ORDER).figure, Some(0));
        story.add_prioritized("d").fetch("d");
        assert_eq!(story.judge(IN_ORDER).figure, Some(1));
    }

    #[test]
    fn who_is_gone_was_delayed_or_was_put_back_is_not_overtaken() {
        let mut story = Story::hourly();
        story.at(1).add("gone", None).add("removed", None).drain("gone").remove("removed");
        story.add_delayed("late", Some(1)).promote("late").job("again", None).stall("again");
        story.add("a", None).fetch("a").fetch("again");
        let judgement = story.judge(IN_ORDER);
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 2, Some(0)));
        story.add("lost", None).flush().add("b", None).fetch("b");
        assert!(story.judge(IN_ORDER).held);
    }

    #[test]
    fn other_queues_and_other_times_say_nothing() {
        let mut story = Story::hourly();
        story.scenario.measure.0 = Span::from_secs(3_600);
        story.at(1).add("a", None).add("b", None).fetch("b");
        assert_eq!(story.judge(IN_ORDER).judged, 0);
    }
}
