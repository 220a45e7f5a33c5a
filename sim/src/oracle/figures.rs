//! Figures: what a run came to, in numbers. They count and do not judge.

use super::ledger::{Fact, Ledger};
use super::length::Lasting;
use super::windows::Window;
use crate::clock::Instant;
use crate::event::{Event, Finish, QueueEvent, Stamp};
use crate::scenario::Scenario;

/// The numbers of one run. All but the last three count the measured part only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// What was done for each schedule, in the scenario's order.
    pub schedules: Vec<Work>,
    /// What was done for all of them.
    pub total: Work,
    /// Jobs that completed, of whatever name.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Jobs that were found stalled and put back.
    pub stalled: u64,
    /// The greatest length of all queues together (`wait`, `prioritized` and `active`) that lasted
    /// for any time.
    pub longest: u64,
    /// That length at the end of the run.
    pub length_at_end: u64,
    /// Processes that began to run, in the whole run.
    pub boots: u64,
    /// Commands that servers executed, in the whole run.
    pub commands: u64,
}

/// What was done for a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// Calls of the processor.
    pub executions: u64,
    /// First calls for a distinct job.
    pub firings: u64,
    /// Rows committed.
    pub rows: u64,
}

/// Counts them as events come.
#[derive(Debug)]
pub(super) struct Count {
    figures: Figures,
    measured: Window,
    lasting: Lasting,
}

impl Count {
    pub(super) fn new(scenario: &Scenario) -> Count {
        let start = scenario.start;
        Count {
            figures: Figures {
                schedules: vec![Work::default(); scenario.schedules.len()],
                ..Figures::default()
            },
            measured: (start + scenario.measure.0, start + scenario.measure.1),
            lasting: Lasting::new(scenario),
        }
    }

    #[inline]
    pub(super) fn command(&mut self) {
        self.figures.commands += 1;
    }

    /// Counts an event that the ledger has taken in.
    pub(super) fn event(&mut self, stamp: &Stamp, event: &Event, fact: Option<Fact>, now: &Ledger) {
        if now.length() != self.lasting.length {
            self.lasted_until(stamp.at);
            self.lasting.length = now.length();
        }
        if matches!(event, Event::Booted { .. }) {
            self.figures.boots += 1;
        }
        if stamp.at < self.measured.0 || self.measured.1 <= stamp.at {
            return;
        }
        if let Some(fact) = fact {
            self.work(fact);
        }
        let Event::Queue(_, _, event) = event else {
            return;
        };
        match event {
            QueueEvent::Finished { how, .. } => match how {
                Finish::Completed => self.figures.completed += 1,
                Finish::Failed => self.figures.failed += 1,
            },
            QueueEvent::Stalled { .. } => self.figures.stalled += 1,
            _ => {}
        }
    }

    pub(super) fn finish(mut self, end: Instant) -> Figures {
        self.lasted_until(end);
        self.figures.length_at_end = self.lasting.length;
        self.figures
    }

    fn lasted_until(&mut self, now: Instant) {
        let lasted = self.lasting.until(now);
        self.figures.longest = self.figures.longest.max(lasted.unwrap_or(0));
    }

    fn work(&mut self, fact: Fact) {
        let (schedule, done) = match fact {
            Fact::Execution { schedule, firing, .. } => {
                let firings = u64::from(firing.is_some());
                (schedule, Work { executions: 1, firings, rows: 0 })
            }
            Fact::Rows { schedule, rows } => (schedule, Work { rows, ..Work::default() }),
            Fact::Dropped { .. } => return,
        };
        self.figures.schedules[schedule].add(done);
        self.figures.total.add(done);
    }
}

impl Work {
    fn add(&mut self, done: Work) {
        self.executions += done.executions;
        self.firings += done.firings;
        self.rows += done.rows;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, minute};
    use super::*;
    use crate::clock::Span;

    fn minutes(minutes: i64) -> Span {
        Span::from_secs(minutes * 60)
    }

    #[test]
    fn counts_the_measured_part() {
        let mut story = Story::hourly();
        story.scenario.measure = (minutes(60), minutes(120));
        story.at(59).job("a", None).at(61).rows("a", 5).done("a");
        story.at(70).add("b", None).fetch("b").start("b").end("b", false);
        story.retry("b", None).at(75).fetch("b").start("b").rows("b", 7).at(121).done("b");
        let figures = story.verdict(&[]).figures;
        let expected = Work { executions: 2, firings: 1, rows: 12 };
        assert_eq!(figures.total, expected);
        assert_eq!(figures.schedules, [expected]);
        assert_eq!((figures.completed, figures.failed), (1, 0));
    }

    #[test]
    fn work_of_other_jobs_is_no_schedules() {
        let mut story = Story::hourly();
        story.at(5).add_named("x", "other", None).fetch("x").start("x").rows("x", 9).done("x");
        let figures = story.verdict(&[]).figures;
        assert_eq!(figures.total, Work::default());
        assert_eq!(figures.completed, 1);
    }

    #[test]
    fn the_queues_are_as_long_as_what_waits_and_runs() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).add("b", None).add_delayed("c", None);
        story.at(2).fetch("a").start("a").promote("c");
        story.at(3).end("a", false).retry("a", Some(9)).drain("b");
        let figures = story.verdict(&[]).figures;
        assert_eq!((figures.longest, figures.length_at_end), (3, 1));
    }

    #[test]
    fn a_length_from_before_the_measured_part_counts_if_it_lasts() {
        let mut story = Story::hourly();
        story.scenario.measure = (minutes(60), minutes(120));
        story.at(1).add("a", None).add("b", None).at(60).drain("a");
        assert_eq!(story.verdict(&[]).figures.longest, 1);
        story.at(61).add("d", None).drain("d").at(120).add("c", None);
        let figures = story.verdict(&[]).figures;
        assert_eq!((figures.longest, figures.length_at_end), (1, 2));
    }

    #[test]
    fn a_deleted_jobs_entry_counts_as_long_as_it_is_there() {
        let mut story = Story::hourly();
        // A second job of the id is in `wait` when the first one's end deletes their hash.
        story.at(1).job("a", None).add("a", None).done("a");
        assert_eq!(story.verdict(&[]).figures.length_at_end, 1);
        story.at(2).fetch("a").start("a").done("a");
        let figures = story.verdict(&[]).figures;
        assert_eq!((figures.length_at_end, figures.total.firings), (0, 1));
        // The hash is that of a kept job, which is trimmed, and of one that was added over it.
        story.at(3).job("b", None).end("b", true).finish("b", true);
        story.add("b", None).remove("b");
        assert_eq!(story.verdict(&[]).figures.length_at_end, 1);
    }

    #[test]
    fn counts_boots_and_commands_of_the_whole_run() {
        let mut story = Story::hourly();
        story.scenario.measure = (minutes(60), minutes(120));
        story.at(0).boot().command().at(239).boot().command().command();
        let figures = story.verdict(&[]).figures;
        assert_eq!((figures.boots, figures.commands), (2, 3));
        assert!(minute(239) < story.scenario.start + story.scenario.length);
    }
}
