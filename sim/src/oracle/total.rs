//! At most so many in all of the measured part: executions of a schedule's jobs, or rows that they
//! write. Windows play no part.

use super::ledger::{Fact, Ledger};
use super::windows::Window;
use super::{Breach, Broke, Judgement, Oracle, Seen};
use crate::clock::Instant;
use crate::scenario::Scenario;

/// A bound on all of the measured part.
#[derive(Debug)]
pub(super) struct InAll {
    name: &'static str,
    /// How much of the bound a fact takes.
    amount: fn(Fact) -> (usize, u64),
    schedule: usize,
    measured: Window,
    most: u64,
    found: u64,
    broke: Option<Broke>,
}

impl InAll {
    pub(super) fn executions(scenario: &Scenario, schedule: usize, most: u64) -> InAll {
        let amount = |fact| match fact {
            Fact::Execution { schedule, .. } => (schedule, 1),
            Fact::Rows { schedule, .. } => (schedule, 0),
        };
        InAll::new("executions in all", amount, scenario, schedule, most)
    }

    pub(super) fn rows(scenario: &Scenario, schedule: usize, most: u64) -> InAll {
        let amount = |fact| match fact {
            Fact::Execution { schedule, .. } => (schedule, 0),
            Fact::Rows { schedule, rows } => (schedule, rows),
        };
        InAll::new("rows in all", amount, scenario, schedule, most)
    }

    fn new(
        name: &'static str,
        amount: fn(Fact) -> (usize, u64),
        scenario: &Scenario,
        schedule: usize,
        most: u64,
    ) -> InAll {
        let measured = (scenario.start + scenario.measure.0, scenario.start + scenario.measure.1);
        InAll { name, amount, schedule, measured, most, found: 0, broke: None }
    }
}

impl Oracle for InAll {
    fn name(&self) -> &'static str {
        self.name
    }

    fn observe(&mut self, seen: &Seen<'_>) {
        let (at, (from, to)) = (seen.stamp.at, self.measured);
        let Some((schedule, amount)) = seen.fact.map(self.amount) else { return };
        if schedule != self.schedule || amount == 0 || at < from || at >= to {
            return;
        }
        self.found += amount;
        if self.found > self.most {
            let what = Breach::InAll { found: self.found, most: self.most };
            self.broke.get_or_insert(Broke { at, window: None, what });
        }
    }

    fn finish(&mut self, _: Instant, _: &Ledger) -> Judgement {
        let InAll { found, broke, .. } = *self;
        Judgement { held: broke.is_none(), judged: 1, figure: Some(found), broke }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, minute};
    use super::*;
    use crate::scenario::Property;

    #[test]
    fn every_execution_counts_whatever_its_window() {
        let mut story = Story::hourly();
        for hour in 0..3 {
            story.at(hour * 60).job("a", None).at(hour * 60 + 2).done("a");
        }
        let judgement = story.judge(Property::ExecutionsInAll { schedule: 0, most: 3 });
        assert_eq!((judgement.held, judgement.figure), (true, Some(3)));
        let judgement = story.judge(Property::ExecutionsInAll { schedule: 0, most: 2 });
        let what = Breach::InAll { found: 3, most: 2 };
        assert_eq!(judgement.broke, Some(Broke { at: minute(120), window: None, what }));
    }
}
