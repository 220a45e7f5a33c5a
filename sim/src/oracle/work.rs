//! Work: executions that did the whole of a schedule's job. One that found the work done and left early
//! is none, and neither is one that died half-way; two that wrote everything are two, whatever jobs
//! they belong to. Where a job writes no rows, its firings are all that can be seen of its work.

use std::collections::BTreeMap;

use super::Seen;
use super::ledger::{Fact, Ledger};
use crate::choices::LifeId;
use crate::clock::Instant;
use crate::event::{Event, JobId, QueueEvent, QueueId};
use crate::scenario::{Job, Scenario};

/// An execution under way, or of a process that died in it.
#[derive(Debug)]
struct Doing {
    life: LifeId,
    job: JobId,
    /// The instant whose window it belongs to.
    at: Instant,
    /// The rows that are still to come.
    left: u64,
}

/// Takes in events, and says which of them completed the work of a window.
#[derive(Debug)]
pub(super) struct Works {
    schedule: usize,
    queue: QueueId,
    /// What one execution writes.
    rows: u64,
    doing: Vec<Doing>,
    /// The instants of jobs that were started, for those that are started again.
    of: BTreeMap<JobId, Instant>,
}

impl Works {
    pub(super) fn new(scenario: &Scenario, schedule: usize) -> Works {
        let of = &scenario.schedules[schedule];
        let (queue, name) = (of.queue, of.job.as_bytes());
        let own = scenario.releases.iter().flat_map(|release| &release.jobs);
        let job = scenario.jobs.iter().chain(own).find(|job| job.is(queue, name));
        let rows = job.map_or(0, Job::rows);
        Works { schedule, queue, rows, doing: Vec::new(), of: BTreeMap::new() }
    }

    /// The instant whose window's work is done with this event, if it is.
    pub(super) fn done(&mut self, seen: &Seen<'_>) -> Option<Instant> {
        if let Some(Fact::Execution { schedule, firing, .. }) = seen.fact
            && let Event::Queue(_, _, QueueEvent::Started { job, .. }) = seen.event
            && schedule == self.schedule
        {
            return self.started(seen, job, firing);
        }
        match seen.event {
            Event::Rows { queue, job, rows } if *queue == self.queue => {
                self.wrote(seen, job, *rows)
            }
            Event::Queue(queue, _, QueueEvent::Ended { job, .. }) if *queue == self.queue => {
                let life = seen.stamp.life;
                self.doing.retain(|doing| (doing.life, &doing.job) != (life, job));
                None
            }
            _ => None,
        }
    }

    fn started(
        &mut self,
        seen: &Seen<'_>,
        job: &JobId,
        firing: Option<Instant>,
    ) -> Option<Instant> {
        if self.rows == 0 {
            return firing;
        }
        let (life, left) = (seen.stamp.life, self.rows);
        let at = firing.or_else(|| self.of.get(job).copied()).unwrap_or(seen.stamp.at);
        self.of.insert(job.clone(), at);
        self.doing.push(Doing { life, job: job.clone(), at, left });
        None
    }

    /// Rows say whose job they are, not who wrote them. Of several at one job the one that is ahead
    /// gets them, and one whose process died only what nobody else can have sent.
    fn wrote(&mut self, seen: &Seen<'_>, job: &JobId, rows: u64) -> Option<Instant> {
        let lives = seen.ledger.lives();
        let open = self.doing.iter_mut().filter(|doing| doing.job == *job && doing.left > 0);
        let doing = open.min_by_key(|doing| (!lives.lives(doing.life), doing.left))?;
        doing.left = doing.left.saturating_sub(rows);
        (doing.left == 0).then_some(doing.at)
    }

    /// The windows of what living processes are about to do when the run ends.
    pub(super) fn under_way(&self, ledger: &Ledger) -> impl Iterator<Item = Instant> {
        let open = self.doing.iter().filter(|doing| doing.left > 0);
        open.filter(|doing| ledger.lives().lives(doing.life)).map(|doing| doing.at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, at_most};
    use crate::scenario::{Counted, Job, JobStep, Measure, Outcome, Property, Range, Relation};

    const ONCE: Property = at_most(Measure::WorkPerWindow, 1);
    const DONE: Property = Property { relation: Relation::AtLeast, ..ONCE };

    /// Hourly; the job writes so many rows.
    fn writes(rows: u64) -> Story {
        let mut story = Story::hourly();
        let takes =
            Range { least: crate::clock::Span::ZERO, most: crate::clock::Span::ZERO, draw: 0 };
        let of = &story.scenario.schedules[0];
        let (name, queue) = (of.job.clone(), Some(of.queue));
        let steps = vec![JobStep::Write { rows, batches: 1, takes }];
        let outcomes = vec![Outcome::Ok];
        story.scenario.jobs = vec![Job { name, queue, steps, outcomes, counted: Counted::Made }];
        story.at(0).worker_up();
        story
    }

    #[test]
    fn an_execution_that_leaves_early_does_no_work() {
        let mut story = writes(10);
        for hour in 0..4 {
            story.at(hour * 60).job("a", None).rows("a", 4).rows("a", 6).done("a");
            story.at(hour * 60 + 1).job("b", None).done("b");
        }
        assert!(story.judge(ONCE).held && story.judge(DONE).held);
        assert!(!story.judge(at_most(Measure::FiringsPerWindow, 1)).held);
        story.at(200).job("c", None).rows("c", 10);
        assert!(!story.judge(ONCE).held);
    }

    #[test]
    fn work_that_ends_half_way_is_not_done() {
        let mut story = writes(10);
        for hour in 0..4 {
            story.at(hour * 60).job("a", None).rows("a", 9).done("a");
        }
        assert!(story.judge(ONCE).held && !story.judge(DONE).held);
        // What is under way when the run ends is not lost.
        let mut story = writes(10);
        for hour in 0..3 {
            story.at(hour * 60).job("a", None).rows("a", 10).done("a");
        }
        story.at(180).job("a", None).rows("a", 9);
        assert!(story.judge(DONE).held);
    }

    #[test]
    fn of_a_job_without_rows_its_firings_count() {
        let mut story = writes(0);
        for hour in 0..4 {
            story.at(hour * 60).job("a", None).done("a");
        }
        assert!(story.judge(ONCE).held && story.judge(DONE).held);
        story.at(200).job("b", None);
        assert!(!story.judge(ONCE).held);
    }
}
