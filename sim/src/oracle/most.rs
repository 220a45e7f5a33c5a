//! At most so many in a window: firings of a schedule, or rows that its jobs write.
//!
//! Windows that are not judged are not even counted, and one that got nothing says nothing.

use super::judgement::{Breach, Broke, Cause, Judgement, Most};
use super::ledger::{Fact, Ledger};
use super::windows::{Tally, Window};
use super::work::Works;
use super::{Oracle, Seen};
use crate::clock::{Instant, Span};
use crate::scenario::{Recurrence, Scenario};

/// A bound on what may fall into one window.
#[derive(Debug)]
struct Bound {
    tally: Tally,
    most: Most,
}

impl Bound {
    fn new(scenario: &Scenario, schedule: usize, most: u64) -> Bound {
        let tally = Tally::new(scenario, &scenario.schedules[schedule]);
        Bound { tally, most: Most::new(most) }
    }

    /// Adds to the window of an instant. Returns the window if it is judged.
    fn add(&mut self, seen: &Seen<'_>, of: Instant, amount: u64) -> Option<Window> {
        let (window, found) = self.tally.add(of, amount)?;
        self.most.see(seen, Some(window), found);
        Some(window)
    }

    /// Only windows that got something met the premise.
    fn judgement(&self, end: Instant) -> Judgement {
        let mut judged = self.tally.over(end);
        if let Some(Broke { window, .. }) = self.most.broke {
            // A run that ended early did not see the window's end, but saw enough of it.
            judged += u64::from(window.is_some_and(|window| end < window.1));
        }
        self.most.judgement(judged)
    }
}

/// At most so many firings of a schedule in each window. At most one in windows of a period also
/// means that no two start within half a period, on whichever sides of a tick.
#[derive(Debug)]
pub(super) struct FiringsAtMost {
    schedule: usize,
    bound: Bound,
    /// The least time between two firings, if there is one.
    apart: Option<Span>,
    /// When the last firing in a judged window started.
    last: Option<Instant>,
}

impl FiringsAtMost {
    pub(super) fn new(scenario: &Scenario, schedule: usize, most: u64) -> FiringsAtMost {
        let apart = match scenario.schedules[schedule].recurrence {
            // Half a nanosecond more is nothing.
            Recurrence::Every(period) if most == 1 => Some(Span::from_nanos(period.nanos() / 2)),
            _ => None,
        };
        FiringsAtMost { schedule, bound: Bound::new(scenario, schedule, most), apart, last: None }
    }

    fn fired(&mut self, seen: &Seen<'_>, tick: Instant) {
        let Some(window) = self.bound.add(seen, tick, 1) else {
            return;
        };
        let at = seen.stamp.at;
        let last = self.last.replace(at);
        if let (Some(least), Some(last)) = (self.apart, last)
            && at.since(last) < least
        {
            let what = Breach::Apart { apart: at.since(last), least };
            let broke = &mut self.bound.most.broke;
            broke.get_or_insert_with(|| Cause::of(seen).breaks(Some(window), what));
        }
    }
}

impl Oracle for FiringsAtMost {
    fn observe(&mut self, seen: &Seen<'_>) {
        if let Some(Fact::Execution { schedule, firing: Some(tick), .. }) = seen.fact
            && schedule == self.schedule
        {
            self.fired(seen, tick);
        }
    }

    fn broke(&self) -> Option<&Broke> {
        self.bound.most.broke.as_ref()
    }

    fn finish(&mut self, end: Instant, _: &Ledger) -> Judgement {
        self.bound.judgement(end)
    }
}

/// At most so many rows in each window, by the instant of their commit: what a database sees.
#[derive(Debug)]
pub(super) struct RowsAtMost {
    schedule: usize,
    bound: Bound,
}

impl RowsAtMost {
    pub(super) fn new(scenario: &Scenario, schedule: usize, most: u64) -> RowsAtMost {
        let bound = Bound::new(scenario, schedule, most);
        RowsAtMost { schedule, bound }
    }
}

impl Oracle for RowsAtMost {
    fn observe(&mut self, seen: &Seen<'_>) {
        if let Some(Fact::Rows { schedule, rows }) = seen.fact
            && schedule == self.schedule
        {
            self.bound.add(seen, seen.stamp.at, rows);
        }
    }

    fn broke(&self) -> Option<&Broke> {
        self.bound.most.broke.as_ref()
    }

    fn finish(&mut self, end: Instant, _: &Ledger) -> Judgement {
        self.bound.judgement(end)
    }
}

/// At most so much of a schedule's work in each window.
#[derive(Debug)]
pub(super) struct WorkAtMost {
    works: Works,
    bound: Bound,
}

impl WorkAtMost {
    pub(super) fn new(scenario: &Scenario, schedule: usize, most: u64) -> WorkAtMost {
        let works = Works::new(scenario, schedule);
        WorkAtMost { works, bound: Bound::new(scenario, schedule, most) }
    }
}

impl Oracle for WorkAtMost {
    fn observe(&mut self, seen: &Seen<'_>) {
        if let Some(tick) = self.works.done(seen) {
            self.bound.add(seen, tick, 1);
        }
    }

    fn broke(&self) -> Option<&Broke> {
        self.bound.most.broke.as_ref()
    }

    fn finish(&mut self, end: Instant, _: &Ledger) -> Judgement {
        self.bound.judgement(end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, at_most, minute};
    use super::*;
    use crate::bullmq::cron::Cron;
    use crate::choices::LifeId;
    use crate::civil::Zone;
    use crate::scenario::{Measure, Property};

    const ONE_FIRING: Property = at_most(Measure::FiringsPerWindow, 1);
    const TEN_ROWS: Property = at_most(Measure::RowsPerWindow, 10);

    /// Hourly by a pattern, which does not mind how far apart firings are.
    fn pattern() -> Story {
        let mut story = Story::hourly();
        let cron = Cron::parse("0 * * * *").expect("a pattern");
        story.scenario.schedules[0].recurrence = Recurrence::Pattern(cron, Zone::utc());
        story
    }

    fn broke(judgement: &Judgement) -> Broke {
        assert!(!judgement.held);
        judgement.broke.clone().expect("what broke it")
    }

    #[test]
    fn one_firing_in_each_window_holds() {
        let mut story = pattern();
        for hour in 0..4 {
            story.at(hour * 60).job("a", None).at(hour * 60 + 2).done("a");
        }
        let judgement = story.judge(ONE_FIRING);
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (4, Some(1)));
        assert_eq!(judgement.broke, None);
    }

    #[test]
    fn two_firings_in_one_window_through_an_id_that_is_free_again() {
        let mut story = pattern();
        story.at(60).job("boot", None).at(62).done("boot");
        story.at(65).job("boot", None).at(66).done("boot");
        let judgement = story.judge(ONE_FIRING);
        assert_eq!(judgement.figure, Some(2));
        let expected = Broke {
            at: minute(65),
            life: LifeId(1),
            job: Some("boot".into()),
            window: Some((minute(60), minute(120))),
            what: Breach::Above { found: 2, most: 1 },
        };
        assert_eq!(broke(&judgement), expected);
    }

    #[test]
    fn an_id_added_over_an_open_job_is_another_job() {
        let mut story = pattern();
        // Both are in hand at once, of one life even, and each is put back and started again.
        story
            .at(60)
            .job("a", Some(60))
            .add_delayed("a", Some(60))
            .promote("a")
            .fetch("a")
            .start("a");
        story.at(61).stall("a").stall("a").fetch("a").start("a").fetch("a").start("a");
        assert_eq!(story.judge(ONE_FIRING).figure, Some(2));
        assert_eq!(story.verdict(&[]).figures.total.executions, 4);
    }

    #[test]
    fn of_two_in_hand_the_one_of_the_speaker_finishes() {
        let mut story = pattern();
        // The first is taken by a process that dies, and is started after it was found stalled.
        story.at(60).add("a", None).fetch("a").kill();
        story.life(LifeId(2)).job("a", None).end("a", true);
        story.finish("a", true).stall("a").fetch("a").start("a");
        assert_eq!(story.judge(ONE_FIRING).figure, Some(2));
    }

    #[test]
    fn a_retry_is_no_second_firing() {
        let mut story = pattern();
        story.at(60).job("a", None).end("a", false).retry("a", Some(61));
        story.at(61).promote("a").fetch("a").start("a").at(62).stall("a");
        story.life(LifeId(2)).fetch("a").start("a").done("a");
        let judgement = story.judge(ONE_FIRING);
        assert!(judgement.held);
        assert_eq!(judgement.figure, Some(1));
    }

    #[test]
    fn a_retry_in_the_next_window_is_no_firing_there() {
        let mut story = pattern();
        story.at(119).job("a", None).end("a", false).retry("a", None);
        story.at(121).fetch("a").start("a").done("a").job("b", None);
        assert!(story.judge(ONE_FIRING).held);
    }

    #[test]
    fn a_firing_belongs_to_its_tick_although_it_starts_later() {
        let mut story = pattern();
        story.at(60).add_delayed("late", Some(60));
        story.at(121).promote("late").fetch("late").start("late").done("late");
        story.job("next", Some(120)).done("next");
        assert!(story.judge(ONE_FIRING).held);
        story.at(130).job("by hand", None);
        assert_eq!(broke(&story.judge(ONE_FIRING)).at, minute(130));
    }

    #[test]
    fn a_start_after_the_hash_is_gone_is_a_firing_all_the_same() {
        let mut story = pattern();
        story.at(60).add("a", None).fetch("a").life(LifeId(2)).finish("a", false).remove("a");
        story.life(LifeId(1)).start("a").job("b", None);
        assert_eq!(story.judge(ONE_FIRING).figure, Some(2));
    }

    #[test]
    fn windows_that_the_run_cuts_are_not_judged() {
        let mut story = pattern();
        story.scenario.start = minute(30);
        story.at(40).job("a", None).done("a").job("a", None).done("a");
        story.at(245).job("b", None).done("b").job("b", None).done("b");
        let judgement = story.judge(ONE_FIRING);
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (0, None));
    }

    #[test]
    fn a_run_too_short_for_a_window_judges_none() {
        let mut story = pattern();
        story.at(5).job("a", None);
        let judgement = story.judge_until(ONE_FIRING, minute(59));
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (0, None));
        // What broke it broke it, even if the run was stopped there.
        story.at(6).job("b", None);
        let judgement = story.judge_until(ONE_FIRING, minute(6));
        assert_eq!(broke(&judgement).at, minute(6));
        assert_eq!((judgement.judged, judgement.figure), (1, Some(2)));
    }

    #[test]
    fn firings_of_a_period_are_half_a_period_apart() {
        let mut story = Story::hourly();
        story.at(60).job("a", None).at(150).job("b", None);
        story.at(180).job("c", None);
        assert!(story.judge(ONE_FIRING).held);
        let mut story = Story::hourly();
        story.at(119).job("a", None).at(121).job("b", None);
        let judgement = story.judge(ONE_FIRING);
        let what =
            Breach::Apart { apart: Span::from_secs(2 * 60), least: Span::from_secs(30 * 60) };
        let window = Some((minute(120), minute(180)));
        let (at, life, job) = (minute(121), LifeId(1), Some("b".into()));
        assert_eq!(broke(&judgement), Broke { at, life, job, window, what });
        assert_eq!(judgement.figure, Some(1));
        let two = at_most(Measure::FiringsPerWindow, 2);
        assert!(story.judge(two).held);
    }

    #[test]
    fn firings_outside_the_measured_part_are_close_to_nothing() {
        let mut story = Story::hourly();
        story.scenario.measure.0 = Span::from_secs(60 * 60);
        story.at(59).job("boot", None).at(61).job("a", None);
        assert!(story.judge(ONE_FIRING).held);
    }

    #[test]
    fn rows_count_in_the_window_of_their_commit() {
        let mut story = pattern();
        story.at(60).job("a", Some(60)).at(119).rows("a", 10);
        story.at(120).rows("a", 10).done("a");
        let judgement = story.judge(TEN_ROWS);
        assert!(judgement.held);
        assert_eq!(judgement.figure, Some(10));
        let mut story = pattern();
        story.at(60).job("a", Some(60)).at(119).rows("a", 10).rows("a", 1);
        let what = Breach::Above { found: 11, most: 10 };
        let window = Some((minute(60), minute(120)));
        let (at, life, job) = (minute(119), LifeId(1), Some("a".into()));
        let expected = Broke { at, life, job, window, what };
        assert_eq!(broke(&story.judge(TEN_ROWS)), expected);
    }

    #[test]
    fn rows_of_an_execution_that_was_overtaken_count() {
        let mut story = pattern();
        // A worker loses its lock, another one runs the job to its end, the first still writes.
        story.at(60).job("a", None).stall("a").life(LifeId(2)).fetch("a").start("a").done("a");
        story.life(LifeId(1)).rows("a", 11).end("a", true);
        assert!(!story.judge(TEN_ROWS).held);
        // After its end nothing is known of it.
        story.rows("a", 100);
        assert_eq!(story.judge(TEN_ROWS).figure, Some(11));
    }

    #[test]
    fn rows_that_a_killed_process_had_sent_count() {
        let mut story = pattern();
        story.at(60).job("a", None).stall("a").life(LifeId(2)).fetch("a").start("a").done("a");
        story.life(LifeId(1)).kill().rows("a", 11);
        assert!(!story.judge(TEN_ROWS).held);
        story.at(70).life(LifeId(2)).kill().life(LifeId(1)).rows("a", 100);
        assert_eq!(story.judge(TEN_ROWS).figure, Some(11), "it is forgotten by then");
    }
}
