//! How much there is of a queue: what waits and what is active, or the finished jobs that are kept,
//! if it lasts for any time.
//!
//! What only passes within one instant is no length that anybody could have seen.

use super::jobs::{Job, Place};
use super::judgement::{Cause, Judgement, Most};
use super::ledger::Ledger;
use super::windows::Window;
use super::{Broke, Oracle, Seen};
use crate::clock::Instant;
use crate::event::{JobId, QueueId};
use crate::scenario::Scenario;

/// A length, since when it is so, and the part in which it counts.
#[derive(Debug)]
pub(super) struct Lasting {
    pub(super) length: u64,
    since: Instant,
    measured: Window,
}

impl Lasting {
    pub(super) fn new(scenario: &Scenario) -> Lasting {
        let start = scenario.start;
        let measured = (start + scenario.measure.0, start + scenario.measure.1);
        Lasting { length: 0, since: start, measured }
    }

    /// The length until now, if it lasted within the measured part.
    pub(super) fn until(&mut self, now: Instant) -> Option<u64> {
        let (from, to) = self.measured;
        let lasted = self.since.max(from) < now.min(to);
        self.since = now;
        lasted.then_some(self.length)
    }
}

/// What is counted of a queue.
type Count = fn(&Ledger, QueueId) -> u64;

/// At most so many jobs in a queue, or kept by it: always, or at the end of the run.
#[derive(Debug)]
pub(super) struct QueueLength {
    queue: QueueId,
    count: Count,
    at_end: bool,
    most: Most,
    lasting: Lasting,
    /// The event since which the queue is too long.
    above: Option<Cause>,
    /// Whether anything ever was in the queue.
    met: bool,
}

impl QueueLength {
    pub(super) fn new(scenario: &Scenario, queue: QueueId, most: u64, at_end: bool) -> QueueLength {
        QueueLength {
            queue,
            count: Ledger::length_of,
            at_end,
            most: Most::new(most),
            lasting: Lasting::new(scenario),
            above: None,
            met: false,
        }
    }

    /// The finished jobs whose hashes are there. A queue that is asked for them keeps few.
    pub(super) fn kept(scenario: &Scenario, queue: QueueId, most: u64) -> QueueLength {
        let count: Count = |ledger, queue| {
            let finished = |(_, job): &(&JobId, &Job)| job.place == Place::Finished;
            ledger.jobs(queue).filter(finished).count() as u64
        };
        QueueLength { count, ..QueueLength::new(scenario, queue, most, false) }
    }

    fn lasted_until(&mut self, now: Instant) {
        let lasted = self.lasting.until(now).filter(|_| !self.at_end);
        if let Some(length) = lasted {
            self.counts(length, now);
        }
    }

    fn counts(&mut self, length: u64, now: Instant) {
        let above = &self.above;
        self.most.value(None, length, || above.clone().unwrap_or_else(|| Cause::time(now)));
    }
}

impl Oracle for QueueLength {
    fn observe(&mut self, seen: &Seen<'_>) {
        let length = (self.count)(seen.ledger, self.queue);
        if length == self.lasting.length {
            return;
        }
        self.lasted_until(seen.stamp.at);
        self.lasting.length = length;
        self.met = true;
        if length <= self.most.most {
            self.above = None;
        } else if self.above.is_none() {
            self.above = Some(Cause::of(seen));
        }
    }

    fn broke(&self) -> Option<&Broke> {
        self.most.broke.as_ref()
    }

    fn finish(&mut self, end: Instant, _: &Ledger) -> Judgement {
        self.lasted_until(end);
        if self.at_end {
            self.counts(self.lasting.length, end);
        }
        let met = if self.at_end { self.met } else { self.most.worst > 0 };
        self.most.judgement(u64::from(met))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Breach;
    use super::super::testing::{Story, minute, of_queue};
    use crate::clock::Span;
    use crate::scenario::{Measure, Mode, Property, Relation, Subject};

    fn length(mode: Mode, bound: u64) -> Property {
        let (measure, subject) = (Measure::QueueLength, Subject::Queue(0));
        Property { mode, measure, subject, relation: Relation::AtMost, bound }
    }

    #[test]
    fn what_waits_and_what_is_active_counts() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).at(2).add("b", None).add_delayed("c", None);
        story.at(3).fetch("a").start("a").at(4).promote("c").at(5).done("a");
        let judgement = story.judge(length(Mode::Always, 3));
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 1, Some(3)));
        let broke = story.judge(length(Mode::Always, 1)).broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(2), Some("b")));
        assert_eq!(broke.what, Breach::Above { found: 2, most: 1 });
    }

    #[test]
    fn what_does_not_last_is_no_length() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).add("b", None).drain("a").at(2).drain("b");
        assert_eq!(story.judge(length(Mode::Always, 1)).figure, Some(1));
        let mut story = Story::hourly();
        story.scenario.measure.0 = Span::from_secs(30 * 60);
        story.at(1).add("a", None).at(30).drain("a");
        let judgement = story.judge(length(Mode::Always, 0));
        assert_eq!((judgement.held, judgement.judged), (true, 0), "it lasted before");
    }

    #[test]
    fn another_queues_jobs_do_not_count() {
        let mut story = Story::hourly();
        story.at(1).add("a", None);
        let other = Property { subject: Subject::Queue(1), ..length(Mode::Always, 0) };
        assert_eq!(story.judge(other).judged, 0);
    }

    #[test]
    fn in_the_end_a_queue_is_as_long_as_it_is_then() {
        let mut story = Story::hourly();
        let empty = length(Mode::Eventually, 0);
        assert_eq!(story.judge(empty).judged, 0, "nothing ever was in it");
        story.at(1).add("a", None).add("b", None).at(2).drain("b");
        let judgement = story.judge(empty);
        assert_eq!(judgement.figure, Some(1));
        let broke = judgement.broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(1), Some("a")));
        story.at(200).drain("a");
        let judgement = story.judge(empty);
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 1, Some(0)));
    }

    #[test]
    fn a_redis_that_loses_everything_has_empty_queues() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).job("b", None).at(2).flush();
        assert_eq!(story.judge(length(Mode::Eventually, 0)).figure, Some(0));
        story.at(3).end("b", true).add("c", None);
        assert_eq!(story.judge(length(Mode::Eventually, 0)).figure, Some(1));
    }

    #[test]
    fn finished_jobs_count_for_as_long_as_they_are_kept() {
        let kept = |bound| of_queue(Measure::KeptJobs, bound);
        let mut story = Story::hourly();
        assert_eq!(story.judge(kept(1)).judged, 0, "nothing was kept");
        story.at(1).job("a", None).end("a", true).finish("a", true).at(2).job("b", None);
        // In one instant the older one makes room.
        story.end("b", true).finish("b", true).remove("a").at(3).job("c", None).done("c");
        let judgement = story.judge(kept(1));
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 1, Some(1)));
        story.at(4).job("d", None).end("d", false).fail("d").at(5).flush();
        let broke = story.judge(kept(1)).broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(4), Some("d")));
        assert_eq!(broke.what, Breach::Above { found: 2, most: 1 });
    }
}
