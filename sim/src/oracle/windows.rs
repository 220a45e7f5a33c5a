//! Windows of a schedule: which one an instant belongs to, which of them are judged, and how much
//! fell into each.
//!
//! A window is the time from one tick of the schedule to the next. It refuses to judge one that
//! the run's ends cut, since nobody saw all of it, and one outside the measured part.

use std::collections::BTreeMap;

use crate::clock::Instant;
use crate::scenario::{Scenario, Schedule};
use crate::ticks::Ticks;

/// From a tick (included) to the next (excluded).
pub type Window = (Instant, Instant);

/// The part of a run that is measured.
pub(super) fn measured(scenario: &Scenario) -> Window {
    (scenario.start + scenario.measure.0, scenario.start + scenario.measure.1)
}

/// The windows of one schedule in one run.
#[derive(Debug)]
pub(super) struct Windows {
    ticks: Ticks,
    run: Window,
    measured: Window,
    /// The one that was asked for last: events come in order, so it is mostly the one again.
    last: Option<Window>,
}

impl Windows {
    pub(super) fn new(scenario: &Scenario, schedule: &Schedule) -> Windows {
        let start = scenario.start;
        Windows {
            ticks: schedule.recurrence.ticks(),
            run: (start, start + scenario.length),
            measured: (start + scenario.measure.0, start + scenario.measure.1),
            last: None,
        }
    }

    /// The window that an instant lies in; none before the first tick.
    pub(super) fn containing(&mut self, at: Instant) -> Option<Window> {
        if let Some(last) = self.last
            && last.0 <= at
            && at < last.1
        {
            return Some(last);
        }
        let window = self.starting(self.ticks.at_or_before(at.ms())?);
        self.last = Some(window);
        Some(window)
    }

    /// The first tick after an instant.
    pub(super) fn tick_after(&self, at: Instant) -> Option<Instant> {
        self.ticks.after(at.ms()).map(Instant::from_ms)
    }

    /// Whether a window is judged in a run of full length.
    pub(super) fn judged(&self, window: Window) -> bool {
        let (from, to) = window;
        let whole = self.run.0 <= from && to <= self.run.1;
        // An empty part is met by no window.
        let measured = from.max(self.measured.0) < to.min(self.measured.1);
        whole && measured
    }

    fn starting(&self, tick: i64) -> Window {
        let from = Instant::from_ms(tick);
        (from, self.tick_after(from).unwrap_or(Instant::MAX))
    }
}

/// How much fell into each window that is judged, of those that got something.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) windows: Windows,
    counts: BTreeMap<Instant, u64>,
}

impl Tally {
    pub(super) fn new(scenario: &Scenario, schedule: &Schedule) -> Tally {
        Tally { windows: Windows::new(scenario, schedule), counts: BTreeMap::new() }
    }

    /// Adds to the window of an instant. Returns it and what it has now, unless it is not judged.
    pub(super) fn add(&mut self, at: Instant, amount: u64) -> Option<(Window, u64)> {
        let window = self.windows.containing(at)?;
        if !self.windows.judged(window) {
            return None;
        }
        let count = self.counts.entry(window.0).or_default();
        *count += amount;
        Some((window, *count))
    }

    pub(super) fn count(&self, window: Window) -> u64 {
        self.counts.get(&window.0).copied().unwrap_or(0)
    }

    /// How many windows that got something were over at `end`.
    pub(super) fn over(&self, end: Instant) -> u64 {
        // A window is over if there is a tick after its own, up to that instant.
        let last = self.windows.ticks.at_or_before(end.ms()).map(Instant::from_ms);
        last.map_or(0, |last| self.counts.range(..last).count() as u64)
    }

    /// Whether some window got something whose tick is one of `first` to `last`, both included.
    pub(super) fn any(&self, first: Instant, last: Instant) -> bool {
        first <= last && self.counts.range(first..=last).next().is_some()
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> &BTreeMap<Instant, u64> {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{hourly, minute};
    use super::*;
    use crate::bullmq::cron::Cron;
    use crate::civil::Zone;
    use crate::clock::Span;
    use crate::scenario::Recurrence;

    fn windows(scenario: &Scenario) -> Windows {
        Windows::new(scenario, &scenario.schedules[0])
    }

    /// How many of the hours from one to another are judged.
    fn hours(windows: &Windows, hours: std::ops::Range<i64>) -> usize {
        hours.filter(|hour| windows.judged((minute(hour * 60), minute(hour * 60 + 60)))).count()
    }

    #[test]
    fn an_instant_belongs_to_the_tick_before_it() {
        let scenario = hourly();
        let mut windows = windows(&scenario);
        let second = Some((minute(60), minute(120)));
        for at in [minute(60), minute(119), minute(90)] {
            assert_eq!(windows.containing(at), second);
        }
        assert_eq!(windows.containing(minute(120)), Some((minute(120), minute(180))));
        assert_eq!(windows.containing(minute(59)), Some((minute(0), minute(60))));
    }

    #[test]
    fn a_pattern_and_its_period_have_the_same_windows() {
        let mut scenario = hourly();
        let mut every = windows(&scenario);
        let cron = Cron::parse("0 * * * *").expect("a pattern");
        scenario.schedules[0].recurrence = Recurrence::Pattern(cron, Zone::utc());
        let mut pattern = windows(&scenario);
        for at in (0..300).step_by(7).map(minute) {
            assert_eq!(pattern.containing(at), every.containing(at));
        }
    }

    #[test]
    fn a_pattern_that_names_no_day_has_no_windows() {
        let mut scenario = hourly();
        let cron = Cron::parse("0 0 31 2,4,6 *").expect("a pattern");
        scenario.schedules[0].recurrence = Recurrence::Pattern(cron, Zone::utc());
        let mut windows = windows(&scenario);
        assert_eq!(windows.containing(minute(10)), None);
    }

    #[test]
    fn windows_that_the_run_cuts_are_not_judged() {
        let mut scenario = hourly();
        scenario.start = minute(30);
        scenario.measure.1 = Span::from_secs(240 * 60);
        let windows = windows(&scenario);
        assert!(!windows.judged((minute(0), minute(60))));
        assert!(windows.judged((minute(60), minute(120))));
        assert!(windows.judged((minute(180), minute(240))));
        assert!(!windows.judged((minute(240), minute(300))));
        assert_eq!(hours(&windows, 0..6), 3);
    }

    #[test]
    fn windows_that_meet_the_measured_part_are_judged_whole() {
        let mut scenario = hourly();
        scenario.measure = (Span::from_secs(90 * 60), Span::from_secs(180 * 60));
        assert_eq!(hours(&windows(&scenario), 0..4), 2);
        scenario.measure.1 = Span::from_secs(180 * 60 + 1);
        assert_eq!(hours(&windows(&scenario), 0..4), 3);
        scenario.measure.1 = scenario.measure.0;
        assert_eq!(hours(&windows(&scenario), 0..4), 0);
    }

    #[test]
    fn a_window_is_over_at_the_tick_after_it() {
        let scenario = hourly();
        let mut tally = Tally::new(&scenario, &scenario.schedules[0]);
        tally.add(minute(5), 1);
        tally.add(minute(130), 2);
        let over = [59, 60, 179, 180].map(|end| tally.over(minute(end)));
        assert_eq!(over, [0, 1, 1, 2]);
        assert!(tally.any(minute(120), minute(120)) && tally.any(minute(0), minute(59)));
        assert!(!tally.any(minute(60), minute(119)) && !tally.any(minute(121), minute(120)));
    }
}
