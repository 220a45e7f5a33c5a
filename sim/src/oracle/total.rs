//! At most so many in all of the measured part: executions of a schedule's jobs, or rows that they
//! write. Windows play no part.

use super::judgement::{Broke, Judgement, Most};
use super::ledger::{Fact, Ledger};
use super::windows::Window;
use super::{Oracle, Seen};
use crate::clock::Instant;
use crate::scenario::Scenario;

/// A bound on all of the measured part.
#[derive(Debug)]
pub(super) struct InAll {
    /// How much of the bound a fact takes.
    amount: fn(Fact) -> Option<(usize, u64)>,
    schedule: usize,
    measured: Window,
    most: Most,
    found: u64,
}

impl InAll {
    pub(super) fn executions(scenario: &Scenario, schedule: usize, most: u64) -> InAll {
        let amount = |fact| match fact {
            Fact::Execution { schedule, .. } => Some((schedule, 1)),
            _ => None,
        };
        InAll::new(amount, scenario, schedule, most)
    }

    pub(super) fn rows(scenario: &Scenario, schedule: usize, most: u64) -> InAll {
        let amount = |fact| match fact {
            Fact::Rows { schedule, rows } => Some((schedule, rows)),
            _ => None,
        };
        InAll::new(amount, scenario, schedule, most)
    }

    fn new(
        amount: fn(Fact) -> Option<(usize, u64)>,
        scenario: &Scenario,
        schedule: usize,
        most: u64,
    ) -> InAll {
        let measured = (scenario.start + scenario.measure.0, scenario.start + scenario.measure.1);
        InAll { amount, schedule, measured, most: Most::new(most), found: 0 }
    }
}

impl Oracle for InAll {
    fn observe(&mut self, seen: &Seen<'_>) {
        let (at, (from, to)) = (seen.stamp.at, self.measured);
        let Some((schedule, amount)) = seen.fact.and_then(self.amount) else { return };
        if schedule != self.schedule || amount == 0 || at < from || at >= to {
            return;
        }
        self.found += amount;
        self.most.see(seen, None, self.found);
    }

    fn broke(&self) -> Option<&Broke> {
        self.most.broke.as_ref()
    }

    fn finish(&mut self, _: Instant, _: &Ledger) -> Judgement {
        self.most.judgement(u64::from(self.found > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Breach;
    use super::super::testing::{Story, at_most, minute};
    use crate::scenario::Measure;

    #[test]
    fn every_execution_counts_whatever_its_window() {
        let mut story = Story::hourly();
        for hour in 0..3 {
            story.at(hour * 60).job("a", None).at(hour * 60 + 2).done("a");
        }
        let judgement = story.judge(at_most(Measure::ExecutionsInAll, 3));
        assert_eq!((judgement.held, judgement.figure), (true, Some(3)));
        let broke = story.judge(at_most(Measure::ExecutionsInAll, 2)).broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(120), Some("a")));
        assert_eq!(broke.what, Breach::Above { found: 3, most: 2 });
    }

    #[test]
    fn work_that_never_ran_says_nothing() {
        let mut story = Story::hourly();
        story.at(5).add("a", None);
        for measure in [Measure::ExecutionsInAll, Measure::RowsInAll] {
            let judgement = story.judge(at_most(measure, 0));
            assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 0, None));
        }
        story.fetch("a").start("a");
        assert!(!story.judge(at_most(Measure::ExecutionsInAll, 0)).held);
        assert_eq!(story.judge(at_most(Measure::RowsInAll, 0)).judged, 0, "it wrote nothing");
    }
}
