//! Whether a run gets on in its calm, when nothing fails any more; and if it does not, why.
//!
//! It judges nothing that a scenario expects: a run that is stuck may still be as declared. It is
//! sure or silent, as a warning is: a job that waits its turn in a long queue, or in one that is
//! paused, is not starved, and one that has failed a few times is not in a loop.

use super::{Ledger, Place};
use crate::choices::LifeId;
use crate::clock::Instant;
use crate::event::{
    Event, JobId, JobState, Plan, QueueEvent, QueueId, ReleaseId, Stamp, StepId, Stuck,
};
use crate::scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};

/// How often a job is started in the calm before it is said to be in a loop.
const STARTS: u64 = 10;

/// How many restarts of a release in a row come to nothing before it is.
const RESTARTS: u64 = 2;

/// What is known of a run's progress so far.
#[derive(Debug)]
pub(super) struct Progress {
    /// Since when nothing fails any more.
    calm: Option<Instant>,
    queues: Vec<Queue>,
    /// Whether each release has a start-up to come through.
    starts_up: Vec<bool>,
    /// The processes in their start-up: what they run, and whether their container ran before.
    starting: BTreeMap<LifeId, (ReleaseId, bool)>,
    /// The steps that are under way.
    steps: BTreeSet<(LifeId, StepId)>,
    /// By release: the start-ups that failed since the last one that did not.
    failing: BTreeMap<ReleaseId, Failing>,
}

#[derive(Debug, Default)]
struct Failing {
    boots: u64,
    restarts: u64,
    last: Instant,
}

#[derive(Debug, Default)]
struct Queue {
    paused: bool,
    /// Since when a worker of it is up, if one is.
    up: Option<Instant>,
    /// In the calm: what waits, the longest first.
    waiting: BTreeSet<(Instant, JobId)>,
    since: BTreeMap<JobId, Instant>,
    /// How many later ones were taken while the first of these waited.
    overtaken: u64,
    /// When a job was last taken.
    taken: Option<Instant>,
    /// How often each job was started in the calm.
    starts: BTreeMap<JobId, u64>,
}

impl Progress {
    pub(super) fn new(scenario: &Scenario) -> Progress {
        Progress {
            starts_up: scenario.releases.iter().map(|of| !of.steps.is_empty()).collect(),
            calm: None,
            queues: scenario.queues.iter().map(|_| Queue::default()).collect(),
            starting: BTreeMap::new(),
            steps: BTreeSet::new(),
            failing: BTreeMap::new(),
        }
    }

    /// Takes in an event that the ledger has taken in.
    pub(super) fn event(&mut self, stamp: &Stamp, event: &Event, ledger: &Ledger) {
        match event {
            Event::Booted { release, again }
                if self.starts_up.get(usize::from(release.0)) == Some(&true) =>
            {
                self.starting.insert(stamp.life, (*release, *again));
            }
            Event::StartedUp => {
                if let Some((release, _)) = self.starting.remove(&stamp.life) {
                    self.failing.remove(&release);
                }
            }
            Event::StepBegan(step) => {
                self.steps.insert((stamp.life, *step));
            }
            Event::StepEnded(step, _) => {
                self.steps.remove(&(stamp.life, *step));
            }
            Event::Exited { .. } | Event::Killed | Event::Terminated => {
                self.ends(stamp, event);
                self.look_for_workers(stamp.at, ledger);
            }
            Event::Plan(Plan::Calm) => {
                self.calm = Some(stamp.at);
                self.recount(stamp.at, ledger);
            }
            Event::Plan(Plan::RedisFlushed | Plan::RedisRolledBack { .. }) => {
                self.recount(stamp.at, ledger);
            }
            Event::Queue(queue, _, event) => {
                if matches!(event, QueueEvent::WorkerUp) {
                    self.look_for_workers(stamp.at, ledger);
                }
                let calm = self.calm.is_some();
                if let Some(of) = self.queues.get_mut(usize::from(queue.0)) {
                    of.event(stamp.at, event, calm);
                }
            }
            _ => {}
        }
    }

    fn ends(&mut self, stamp: &Stamp, event: &Event) {
        if matches!(event, Event::Terminated) {
            return;
        }
        self.steps.retain(|(life, _)| *life != stamp.life);
        let starting = self.starting.remove(&stamp.life);
        let failed = matches!(event, Event::Exited { code } if *code != 0);
        if let Some((release, again)) = starting.filter(|_| failed) {
            let failing = self.failing.entry(release).or_default();
            failing.boots += 1;
            failing.restarts += u64::from(again);
            failing.last = stamp.at;
        }
    }

    fn look_for_workers(&mut self, at: Instant, ledger: &Ledger) {
        for (number, queue) in (0..).zip(&mut self.queues) {
            match ledger.lives().worker_up(QueueId(number)) {
                true => queue.up = queue.up.or(Some(at)),
                false => queue.up = None,
            }
        }
    }

    /// Counts anew what waits, where that has changed at one blow.
    fn recount(&mut self, at: Instant, ledger: &Ledger) {
        if self.calm.is_none() {
            return;
        }
        for (number, queue) in (0..).zip(&mut self.queues) {
            (queue.waiting, queue.since) = Default::default();
            queue.overtaken = 0;
            let jobs = ledger.jobs(QueueId(number)).filter(|(_, job)| job.place == Place::Waiting);
            jobs.for_each(|(id, _)| queue.enters(at, id));
        }
    }

    /// Why the run that ends now does not get on, if it does not.
    pub(super) fn stuck(&self, end: Instant, ledger: &Ledger) -> Option<Stuck> {
        let calm = self.calm?;
        let loops = self.crash_loop(calm).or_else(|| self.job_loop());
        loops.or_else(|| {
            let half = calm + crate::clock::Span::from_nanos(end.since(calm).nanos() / 2);
            (0..)
                .zip(&self.queues)
                .find_map(|(number, queue)| queue.starved(QueueId(number), half, ledger))
        })
    }

    /// What is left, if so many processes wait for what cannot come: none of them may be idle.
    pub(super) fn deadlock(&self, waiting: u32, ledger: &Ledger) -> Option<Stuck> {
        let queues = (0..).zip(&self.queues).map(|(number, _)| QueueId(number));
        let open = queues.flat_map(|queue| ledger.jobs(queue)).filter(|(_, job)| job.open());
        let jobs = open.count() as u64;
        let left = jobs > 0 || !self.steps.is_empty();
        (waiting > 0 && left).then_some(Stuck::Deadlock { waiting, jobs })
    }

    fn crash_loop(&self, calm: Instant) -> Option<Stuck> {
        let again = |failing: &&Failing| failing.restarts >= RESTARTS && failing.last >= calm;
        let mut each = self.failing.iter();
        each.find_map(|(release, failing)| {
            let boots = Some(failing).filter(again)?.boots;
            Some(Stuck::CrashLoop { release: *release, boots })
        })
    }

    fn job_loop(&self) -> Option<Stuck> {
        (0..).zip(&self.queues).find_map(|(number, queue)| {
            let most = queue.starts.iter().filter(|(_, starts)| **starts >= STARTS);
            let (job, starts) = most.max_by_key(|(_, starts)| **starts)?;
            Some(Stuck::JobLoop { queue: QueueId(number), job: shown(job), starts: *starts })
        })
    }
}

impl Queue {
    fn event(&mut self, at: Instant, event: &QueueEvent, calm: bool) {
        match event {
            QueueEvent::Paused => self.paused = true,
            QueueEvent::Resumed => self.paused = false,
            _ if !calm => {}
            QueueEvent::Added(added) => self.stands(at, &added.job, added.state),
            QueueEvent::Retried { job, state } => self.stands(at, job, *state),
            QueueEvent::Promoted { job }
            | QueueEvent::Stalled { job }
            | QueueEvent::Reprocessed { job } => self.enters(at, job),
            QueueEvent::Fetched { job } => {
                let first = self.waiting.first().map(|(since, _)| *since);
                let since = self.since.get(job).copied();
                self.overtaken += u64::from(since.is_none_or(|since| Some(since) > first));
                self.taken = Some(at);
                self.leaves(job);
            }
            QueueEvent::Started { job, .. } => *self.starts.entry(job.clone()).or_default() += 1,
            QueueEvent::Finished { job, .. } | QueueEvent::Removed { job } => {
                self.starts.remove(job);
                self.leaves(job);
            }
            QueueEvent::Dropped { job, .. } => self.leaves(job),
            _ => {}
        }
    }

    fn stands(&mut self, at: Instant, job: &JobId, state: JobState) {
        match state {
            JobState::Wait | JobState::Prioritized => self.enters(at, job),
            JobState::Delayed(_) => self.leaves(job),
        }
    }

    fn enters(&mut self, at: Instant, job: &JobId) {
        self.leaves(job);
        self.since.insert(job.clone(), at);
        self.waiting.insert((at, job.clone()));
    }

    fn leaves(&mut self, job: &JobId) {
        let Some(since) = self.since.remove(job) else { return };
        let entry = (since, job.clone());
        if self.waiting.first() == Some(&entry) {
            self.overtaken = 0;
        }
        self.waiting.remove(&entry);
    }

    /// The job that has waited longest, if it has since before an instant although a worker was up,
    /// and others went before it or none was taken at all.
    fn starved(&self, queue: QueueId, before: Instant, ledger: &Ledger) -> Option<Stuck> {
        let (since, job) = self.waiting.first()?;
        let up = self.up.is_some_and(|up| up <= before.max(*since));
        let waits = |(id, of): (&JobId, &super::Job)| id == job && of.place == Place::Waiting;
        if *since > before || self.paused || !up || !ledger.jobs(queue).any(waits) {
            return None;
        }
        let overtaken = self.overtaken;
        let none_taken = self.taken.is_none_or(|taken| taken < *since);
        let starved = overtaken > 0 || none_taken && ledger.lives().worker_idle(queue);
        let (job, since) = (shown(job), *since);
        starved.then_some(Stuck::Starvation { queue, job, since, overtaken })
    }
}

fn shown(job: &JobId) -> Box<str> {
    job.0.to_string().into()
}
