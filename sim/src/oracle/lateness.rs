//! Lateness: from a tick to the first start of a firing that belongs to its window.
//!
//! It judges windows that fired. One that stayed empty has no lateness; whether it may be empty is
//! another property's business.

use super::judgement::{Judgement, Most};
use super::ledger::{Fact, Ledger};
use super::windows::Tally;
use super::{Broke, Oracle, Seen};
use crate::clock::Instant;
use crate::scenario::Scenario;

/// The firing of each window starts at most so long after the tick.
#[derive(Debug)]
pub(super) struct Lateness {
    schedule: usize,
    tally: Tally,
    most: Most,
    judged: u64,
}

impl Lateness {
    pub(super) fn new(scenario: &Scenario, schedule: usize, most: u64) -> Lateness {
        let tally = Tally::new(scenario, &scenario.schedules[schedule]);
        Lateness { schedule, tally, most: Most::new(most), judged: 0 }
    }
}

impl Oracle for Lateness {
    fn observe(&mut self, seen: &Seen<'_>) {
        let Some(Fact::Execution { schedule, firing: Some(tick), .. }) = seen.fact else { return };
        if schedule != self.schedule {
            return;
        }
        // Starts come in order, so the first to be told is the first of its window.
        if let Some((window, 1)) = self.tally.add(tick, 1) {
            self.judged += 1;
            let late = seen.stamp.at.since(window.0).nanos().unsigned_abs();
            self.most.see(seen, Some(window), late);
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
    use super::super::Breach;
    use super::super::testing::{Story, at_most, minute};
    use crate::clock::Span;
    use crate::scenario::{Measure, Property};

    fn nanos(minutes: i64) -> u64 {
        Span::from_secs(minutes * 60).nanos().unsigned_abs()
    }

    fn minutes(minutes: i64) -> Property {
        at_most(Measure::Lateness, nanos(minutes))
    }

    #[test]
    fn the_first_firing_of_a_window_is_late_by_its_distance_from_the_tick() {
        let mut story = Story::hourly();
        story.at(63).job("a", Some(60)).done("a").at(119).job("b", Some(60));
        story.at(125).job("c", None);
        let judgement = story.judge(minutes(5));
        assert!(judgement.held, "at most means that five are allowed");
        assert_eq!((judgement.judged, judgement.figure), (2, Some(nanos(5))));
        let broke = story.judge(minutes(4)).broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(125), Some("c")));
        assert_eq!(broke.window, Some((minute(120), minute(180))));
        assert_eq!(broke.what, Breach::Above { found: nanos(5), most: nanos(4) });
    }

    #[test]
    fn a_firing_is_late_for_its_own_tick_in_whichever_window_it_starts() {
        let mut story = Story::hourly();
        story.at(190).job("a", Some(60));
        assert_eq!(story.judge(minutes(59)).figure, Some(nanos(130)));
        // A fast clock: before its tick is not late.
        let mut story = Story::hourly();
        story.at(59).job("a", Some(60));
        assert_eq!(story.judge(minutes(0)).figure, Some(0));
    }

    #[test]
    fn a_retry_is_not_late_and_a_window_without_a_firing_has_no_lateness() {
        let mut story = Story::hourly();
        assert_eq!(story.judge(minutes(5)).judged, 0);
        story.at(60).job("a", Some(60)).end("a", false).retry("a", None);
        story.at(100).fetch("a").start("a");
        let judgement = story.judge(minutes(5));
        assert_eq!((judgement.held, judgement.judged), (true, 1));
    }
}
