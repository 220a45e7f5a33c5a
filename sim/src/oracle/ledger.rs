//! The ledger: the event stream folded into facts about each job that is still open.
//!
//! It says whose work a start or a row is, and whether a start is a distinct job's first. It
//! forgets a job when nothing of it can be heard any more, and refuses to judge.

use super::jobs::{Job, Jobs, Vanished};
use super::lives::Lives;
use crate::choices::LifeId;
use crate::clock::{Instant, Span};
use crate::event::{Event, JobId, JobList, JobState, Plan, QueueEvent, QueueId, Stamp};
use crate::scenario::{Scenario, Schedule};
use std::collections::BTreeMap;

/// How long after a process's death what it had sent may still take effect.
const IN_FLIGHT: Span = Span::from_secs(60);

/// What one event means for a schedule, an index into the scenario's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// A processor was called with a job that does the schedule's work.
    Execution {
        /// The schedule.
        schedule: usize,
        /// If it is the job's first, a firing: the instant whose window it belongs to.
        firing: Option<Instant>,
        /// Which start of this job it is, from 1.
        nth: u64,
    },
    /// An iteration of a registration was removed before it ever started.
    Dropped {
        /// The schedule whose work it does, if it does one's.
        schedule: Option<usize>,
        /// The instant that it stands for.
        tick: Instant,
    },
    /// A job that does the schedule's work committed rows.
    Rows {
        /// The schedule.
        schedule: usize,
        /// How many.
        rows: u64,
    },
}

impl Fact {
    /// If it is a firing of a schedule: the instant whose window it belongs to.
    pub(super) fn firing_of(self, of: usize) -> Option<Instant> {
        match self {
            Fact::Execution { schedule, firing, .. } if schedule == of => firing,
            _ => None,
        }
    }
}

/// A call of a processor that has not ended, of a job that does a schedule's work.
#[derive(Debug)]
struct Execution {
    life: LifeId,
    queue: QueueId,
    job: JobId,
    schedule: usize,
    /// When its process died, if it did.
    cut: Option<Instant>,
}

/// What is known of the jobs of a run. See the module.
#[derive(Debug)]
pub struct Ledger {
    /// The work of each schedule.
    works: Vec<(QueueId, Box<str>)>,
    queues: Vec<Jobs>,
    executions: Vec<Execution>,
    lives: Lives,
    /// The length of each queue, and of all.
    lengths: Vec<u64>,
    length: u64,
    /// The jobs and lengths as Redis will know them after a failover, by its number.
    copies: BTreeMap<u32, (Vec<Jobs>, Vec<u64>)>,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Ledger {
        let work = |schedule: &Schedule| (schedule.queue, schedule.job.clone());
        Ledger {
            works: scenario.schedules.iter().map(work).collect(),
            queues: scenario.queues.iter().map(|_| Jobs::default()).collect(),
            executions: Vec::new(),
            lives: Lives::default(),
            lengths: vec![0; scenario.queues.len()],
            length: 0,
            copies: BTreeMap::new(),
        }
    }

    /// The distinct jobs of a queue that can still be heard of, by id.
    pub fn jobs(&self, queue: QueueId) -> impl Iterator<Item = (&JobId, &Job)> {
        self.jobs_of(queue).all()
    }

    /// The open jobs of a queue that are iterations of a registration.
    pub fn iterations(&self, queue: QueueId) -> impl Iterator<Item = &Job> {
        self.jobs_of(queue).iterations()
    }

    /// How many entries `wait`, `paused`, `prioritized` and `active` of all queues have. A deleted
    /// job's entry counts for as long as the library leaves it there.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// That of one queue.
    #[must_use]
    pub fn length_of(&self, queue: QueueId) -> u64 {
        self.lengths[usize::from(queue.0)]
    }

    /// How many executions of a schedule's work are under way.
    #[must_use]
    pub fn running(&self, schedule: usize) -> u64 {
        let runs = |run: &&Execution| run.schedule == schedule && run.cut.is_none();
        self.executions.iter().filter(runs).count() as u64
    }

    /// How many distinct jobs a queue ever got.
    #[must_use]
    pub fn added(&self, queue: QueueId) -> u64 {
        self.jobs_of(queue).added
    }

    /// The jobs of a queue that vanished before anybody had them in hand.
    #[must_use]
    pub fn vanished(&self, queue: QueueId) -> &Vanished {
        &self.jobs_of(queue).vanished
    }

    /// Who lives.
    #[must_use]
    pub fn lives(&self) -> &Lives {
        &self.lives
    }

    /// Takes in one event, and says what it means for a schedule.
    pub fn fold(&mut self, stamp: &Stamp, event: &Event) -> Option<Fact> {
        self.lives.fold(stamp, event);
        match event {
            Event::Queue(queue, _, QueueEvent::Started { job, .. }) => {
                self.started(stamp, *queue, job)
            }
            Event::Queue(queue, _, QueueEvent::Ended { job, .. }) => {
                self.ended(stamp.life, *queue, job);
                None
            }
            Event::Queue(queue, _, QueueEvent::Removed { job }) => self.removed(*queue, job),
            Event::Queue(queue, _, event) => {
                self.moved(stamp, *queue, event);
                None
            }
            Event::Rows { queue, job, rows } => {
                let schedule = self.writer(stamp.life, *queue, job)?;
                let rows = *rows;
                Some(Fact::Rows { schedule, rows })
            }
            Event::Exited { .. } | Event::Killed => {
                self.died(stamp);
                None
            }
            Event::Plan(Plan::RedisFlushed) => {
                self.flush();
                None
            }
            Event::Plan(Plan::RedisCopied { event }) => {
                self.copies.insert(*event, (self.queues.clone(), self.lengths.clone()));
                None
            }
            Event::Plan(Plan::RedisRolledBack { event }) => {
                self.roll_back(*event);
                None
            }
            _ => None,
        }
    }

    fn jobs_of(&self, queue: QueueId) -> &Jobs {
        &self.queues[usize::from(queue.0)]
    }

    fn jobs_of_mut(&mut self, queue: QueueId) -> &mut Jobs {
        &mut self.queues[usize::from(queue.0)]
    }

    fn schedule_of(&self, queue: QueueId, name: &[u8]) -> Option<usize> {
        let does = |work: &(QueueId, Box<str>)| work.0 == queue && work.1.as_bytes() == name;
        self.works.iter().position(does)
    }

    fn started(&mut self, stamp: &Stamp, queue: QueueId, id: &JobId) -> Option<Fact> {
        let start = self.jobs_of_mut(queue).start(id, stamp.life)?;
        let schedule = start.schedule?;
        self.executions.push(Execution {
            life: stamp.life,
            queue,
            job: id.clone(),
            schedule,
            cut: None,
        });
        let firing = (start.nth == 1).then(|| start.tick.unwrap_or(stamp.at));
        Some(Fact::Execution { schedule, firing, nth: start.nth })
    }

    fn removed(&mut self, queue: QueueId, id: &JobId) -> Option<Fact> {
        let jobs = self.jobs_of_mut(queue);
        let dropped = jobs.unstarted_iteration(id);
        let dropped = dropped.and_then(|job| {
            let schedule = job.schedule;
            job.tick.map(|tick| Fact::Dropped { schedule, tick })
        });
        jobs.remove(id);
        dropped
    }

    /// Every job is gone; what is in hand goes on, and its end will be refused.
    fn flush(&mut self) {
        for jobs in &mut self.queues {
            jobs.flush(&self.lives);
        }
        self.lengths.fill(0);
        self.length = 0;
    }

    /// Jobs are where they were when Redis was copied. What was added since has vanished; what was
    /// done since may be done again.
    fn roll_back(&mut self, event: u32) {
        let Some((queues, lengths)) = self.copies.remove(&event) else { return };
        for (jobs, copy) in self.queues.iter_mut().zip(queues) {
            jobs.roll_back(copy);
        }
        self.length = lengths.iter().sum();
        self.lengths = lengths;
    }

    fn ended(&mut self, life: LifeId, queue: QueueId, id: &JobId) {
        let ended = |run: &Execution| run.life == life && run.queue == queue && run.job == *id;
        if let Some(index) = self.executions.iter().position(ended) {
            self.executions.swap_remove(index);
        }
    }

    /// The schedule that rows count for. The job may be finished by another worker by now, or its
    /// id another job's, so who runs it comes first.
    fn writer(&self, life: LifeId, queue: QueueId, id: &JobId) -> Option<usize> {
        let runs = |run: &&Execution| run.life == life && run.queue == queue && run.job == *id;
        if let Some(run) = self.executions.iter().find(runs) {
            return Some(run.schedule);
        }
        self.jobs_of(queue).newest(id)?.schedule
    }

    /// What a dead process had sent may still commit, so what it ran is not forgotten at once.
    fn died(&mut self, stamp: &Stamp) {
        let arrived = |cut: Instant| cut + IN_FLIGHT < stamp.at;
        self.executions.retain(|run| !run.cut.is_some_and(arrived));
        for run in &mut self.executions {
            if run.life == stamp.life {
                run.cut = Some(stamp.at);
            }
        }
        for jobs in &mut self.queues {
            jobs.forget(stamp.life);
        }
    }

    fn moved(&mut self, stamp: &Stamp, queue: QueueId, event: &QueueEvent) {
        let life = stamp.life;
        match event {
            QueueEvent::Added(added) => {
                let schedule = self.schedule_of(queue, &added.name);
                self.count(queue, entered(added.state));
                self.jobs_of_mut(queue).add(added, schedule);
            }
            QueueEvent::Promoted { job } => {
                self.count(queue, 1);
                self.jobs_of_mut(queue).promote(job);
            }
            QueueEvent::Fetched { job } => self.jobs_of_mut(queue).fetch(job, life),
            QueueEvent::Finished { job, kept, .. } => {
                self.count(queue, -1);
                self.jobs_of_mut(queue).finish(job, life, *kept);
            }
            QueueEvent::Retried { job, state } => {
                self.count(queue, entered(*state) - 1);
                self.jobs_of_mut(queue).retry(job, life, *state);
            }
            QueueEvent::Reprocessed { job } => {
                self.count(queue, 1);
                self.jobs_of_mut(queue).reprocess(job);
            }
            QueueEvent::Stalled { job } => self.jobs_of_mut(queue).stall(job),
            QueueEvent::Dropped { job, from } => {
                self.count(queue, -listed(*from));
                self.jobs_of_mut(queue).unlist(job, *from, stamp.at);
            }
            _ => {}
        }
    }

    fn count(&mut self, queue: QueueId, entries: i64) {
        let length = &mut self.lengths[usize::from(queue.0)];
        let before = *length;
        *length = before.saturating_add_signed(entries);
        self.length = self.length - before + *length;
    }
}

/// How many entries that count an entry of a list is.
fn listed(list: JobList) -> i64 {
    let waits = matches!(list, JobList::Wait | JobList::Paused | JobList::Prioritized);
    i64::from(waits || list == JobList::Active)
}

/// How many entries of `wait` or `prioritized` a job makes.
fn entered(state: JobState) -> i64 {
    i64::from(!matches!(state, JobState::Delayed(_)))
}
