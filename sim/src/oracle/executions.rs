//! Executions of a schedule's work: how many for one firing, and how many at one instant.
//!
//! Those that start outside the measured part are not judged; one that started before it and still
//! runs counts beside those that start in it.

use super::judgement::{Judgement, Most};
use super::ledger::{Fact, Ledger};
use super::windows::Window;
use super::{Broke, Oracle, Seen};
use crate::clock::Instant;
use crate::mutants::{Mutant, planted};
use crate::scenario::Scenario;

/// How much an execution comes to: by which start of its job it is, or by what runs beside it.
type Amount = fn(&Ledger, usize, u64) -> u64;

/// A bound on something that is told at each start of the processor.
#[derive(Debug)]
pub(super) struct Executions {
    schedule: usize,
    amount: Amount,
    measured: Window,
    most: Most,
    judged: u64,
}

impl Executions {
    /// At most so many starts for one distinct job.
    pub(super) fn per_firing(scenario: &Scenario, schedule: usize, most: u64) -> Executions {
        Executions::new(scenario, schedule, most, |_, _, nth| nth)
    }

    /// At most so many under way at one instant.
    pub(super) fn overlap(scenario: &Scenario, schedule: usize, most: u64) -> Executions {
        Executions::new(scenario, schedule, most, |ledger, schedule, _| ledger.running(schedule))
    }

    fn new(scenario: &Scenario, schedule: usize, most: u64, amount: Amount) -> Executions {
        let measured = (scenario.start + scenario.measure.0, scenario.start + scenario.measure.1);
        Executions { schedule, amount, measured, most: Most::new(most), judged: 0 }
    }
}

impl Oracle for Executions {
    fn observe(&mut self, seen: &Seen<'_>) {
        let Some(Fact::Execution { schedule, nth, .. }) = seen.fact else { return };
        let at = seen.stamp.at;
        if schedule != self.schedule
            || planted(Mutant::X7)
            || at < self.measured.0
            || self.measured.1 <= at
        {
            return;
        }
        self.judged += 1;
        let found = (self.amount)(seen.ledger, schedule, nth);
        self.most.see(seen, None, found);
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
    use super::super::Breach;
    use super::super::testing::{Story, at_most, minute};
    use crate::choices::LifeId;
    use crate::clock::Span;
    use crate::scenario::{Measure, Property};

    fn per_firing(most: u64) -> Property {
        at_most(Measure::ExecutionsPerFiring, most)
    }

    fn overlap(most: u64) -> Property {
        at_most(Measure::Overlap, most)
    }

    /// A job that fails, is tried again, stalls, and is run once more by another process.
    fn three_times() -> Story {
        let mut story = Story::hourly();
        story.at(60).job("a", None).at(61).end("a", false).retry("a", None);
        story.fetch("a").start("a").at(62).kill().at(63).stall("a");
        story.life(LifeId(2)).fetch("a").start("a").at(64).done("a");
        story
    }

    #[test]
    fn retries_and_runs_after_a_stall_are_executions_of_one_firing() {
        let judgement = three_times().judge(per_firing(3));
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (3, Some(3)));
        let judgement = three_times().judge(per_firing(1));
        let broke = judgement.broke.expect("it broke");
        assert_eq!(
            (broke.at, broke.life, broke.job.as_deref()),
            (minute(61), LifeId(1), Some("a"))
        );
        assert_eq!(broke.what, Breach::Above { found: 2, most: 1 });
    }

    #[test]
    fn an_id_that_is_free_again_names_another_job() {
        let mut story = Story::hourly();
        story.at(60).job("a", None).done("a").at(61).job("a", None).done("a");
        let judgement = story.judge(per_firing(1));
        assert_eq!((judgement.held, judgement.figure), (true, Some(1)));
    }

    #[test]
    fn what_runs_at_once_overlaps_whoever_runs_it() {
        let mut story = Story::hourly();
        story.at(60).job("a", None).life(LifeId(2)).at(61).job("b", None);
        story.at(62).done("b").job("c", None);
        let judgement = story.judge(overlap(1));
        let broke = judgement.broke.expect("it broke");
        assert_eq!(
            (broke.at, broke.life, broke.job.as_deref()),
            (minute(61), LifeId(2), Some("b"))
        );
        assert_eq!((judgement.judged, judgement.figure), (3, Some(2)));
        assert!(story.judge(overlap(2)).held);
    }

    #[test]
    fn one_after_the_other_is_no_overlap_nor_is_one_after_a_death() {
        let mut story = Story::hourly();
        story.at(60).job("a", None).done("a").job("b", None).at(61).kill();
        story.life(LifeId(2)).stall("b").fetch("b").start("b").done("b");
        let judgement = story.judge(overlap(1));
        assert_eq!((judgement.held, judgement.figure), (true, Some(1)));
    }

    #[test]
    fn a_job_that_stalled_in_living_hands_overlaps_itself() {
        let mut story = Story::hourly();
        story.at(60).job("a", None).stall("a").life(LifeId(2)).fetch("a").start("a");
        assert!(!story.judge(overlap(1)).held);
    }

    #[test]
    fn work_of_other_jobs_and_times_says_nothing() {
        let mut story = Story::hourly();
        story.scenario.measure.0 = Span::from_secs(30 * 60);
        story.at(5).job("early", None).add_named("x", "other", None).fetch("x").start("x");
        for property in [per_firing(1), overlap(1)] {
            let judgement = story.judge(property);
            assert!(judgement.held);
            assert_eq!((judgement.judged, judgement.figure), (0, None));
        }
        // One that began before counts beside one that begins now.
        story.at(40).job("late", None);
        assert_eq!(story.judge(overlap(1)).figure, Some(2));
    }
}
