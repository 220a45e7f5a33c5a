//! `addStandardJob`, `addDelayedJob`, `addPrioritizedJob` of BullMQ.

use super::includes::NewJob;
use super::{Result, Returned, Script, job_id};
use crate::bullmq::options::Deduplication;
use crate::clock::Instant;
use crate::event::{JobState, QueueEvent};
use crate::mutants::{Mutant, planted};
use crate::redis::Bytes;

/// The arguments of the scripts that add one job.
#[derive(Clone, Debug)]
pub struct AddJob {
    /// A custom id, or none: the counter gives one.
    pub id: Option<Bytes>,
    /// The job's name.
    pub name: Bytes,
    /// Its data as JSON.
    pub data: Bytes,
    /// Its options as JSON.
    pub options: Bytes,
    /// When it was made, by the client's clock.
    pub timestamp: i64,
    /// Milliseconds from then until it is due.
    pub delay: i64,
    /// 0 is none.
    pub priority: u32,
    /// Whether it is taken before those that wait.
    pub lifo: bool,
    /// The registration that it is an iteration of.
    pub registration: Option<Bytes>,
    /// What keeps it from being added while another job holds the id.
    pub deduplication: Option<Deduplication>,
    /// The instant that it stands for, for its event alone.
    pub tick: Option<Instant>,
}

impl Script<'_> {
    /// `addStandardJob`.
    pub(super) fn add_standard_job(&mut self, args: &AddJob) -> Result<Returned> {
        let (id, max_events) = match self.begin_add(args)? {
            Begun::New(id, max_events) => (id, max_events),
            Begun::Duplicate(id) => return Ok(Returned::Id(id)),
        };
        let job = args.job(&id);
        self.store_job(&job)?;
        let target = self.get_target_queue_list()?;
        self.add_job_in_target_list(target, args.lifo, &id)?;
        self.xadd(Some(max_events), &[("event", &"waiting".into()), ("jobId", &id)])?;
        self.added(&job, JobState::Wait);
        Ok(Returned::Id(id))
    }

    /// `addDelayedJob`.
    pub(super) fn add_delayed_job(&mut self, args: &AddJob) -> Result<Returned> {
        let (id, max_events) = match self.begin_add(args)? {
            Begun::New(id, max_events) => (id, max_events),
            Begun::Duplicate(id) => return Ok(Returned::Id(id)),
        };
        self.add_delayed(&args.job(&id), max_events)?;
        Ok(Returned::Id(id))
    }

    /// `addPrioritizedJob`.
    pub(super) fn add_prioritized_job(&mut self, args: &AddJob) -> Result<Returned> {
        let (id, max_events) = match self.begin_add(args)? {
            Begun::New(id, max_events) => (id, max_events),
            Begun::Duplicate(id) => return Ok(Returned::Id(id)),
        };
        let job = args.job(&id);
        self.store_job(&job)?;
        let target = self.get_target_queue_list()?;
        self.add_job_with_priority(args.priority, &id, target.paused_or_maxed)?;
        self.xadd(Some(max_events), &[("event", &"waiting".into()), ("jobId", &id)])?;
        self.added(&job, JobState::Prioritized);
        Ok(Returned::Id(id))
    }

    /// `includes/storeAndEnqueueJob` of 5.81 and later: a job that another script makes.
    pub(super) fn store_and_enqueue_job(
        &mut self,
        job: &NewJob<'_>,
        lifo: bool,
        max_events: i64,
    ) -> Result<()> {
        if job.delay != 0 {
            return self.add_delayed(job, max_events);
        }
        self.store_job(job)?;
        let target = self.get_target_queue_list()?;
        let state = if job.priority > 0 {
            self.add_job_with_priority(job.priority, job.id, target.paused_or_maxed)?;
            JobState::Prioritized
        } else {
            self.add_job_in_target_list(target, lifo, job.id)?;
            JobState::Wait
        };
        self.xadd(Some(max_events), &[("event", &"waiting".into()), ("jobId", job.id)])?;
        self.added(job, state);
        Ok(())
    }

    /// What the three begin with: the counter (burned even by a duplicate), the maximum of events,
    /// the one test that a custom id meets, which is whether a hash of that name exists, and then
    /// the test of the deduplication id.
    fn begin_add(&mut self, args: &AddJob) -> Result<Begun> {
        let counter = self.db.incr(&self.keys.counter)?;
        let max_events = self.get_or_set_max_events()?;
        if let Some(id) = &args.id
            && self.db.exists(&self.keys.job(id))
            && !planted(Mutant::Q14)
        {
            // includes/handleDuplicatedJob, without parents.
            self.xadd(Some(max_events), &[("event", &"duplicated".into()), ("jobId", id)])?;
            self.emit(QueueEvent::Duplicated { job: job_id(id) });
            return Ok(Begun::Duplicate(id.clone()));
        }
        let id = args.id.clone().unwrap_or_else(|| Bytes::from_int(counter));
        if let Some(holder) = self.deduplicate_job(args, &id, max_events)? {
            return Ok(Begun::Duplicate(holder));
        }
        Ok(Begun::New(id, max_events))
    }
}

enum Begun {
    New(Bytes, i64),
    Duplicate(Bytes),
}

impl AddJob {
    fn job<'a>(&'a self, id: &'a Bytes) -> NewJob<'a> {
        NewJob {
            id,
            name: &self.name,
            data: &self.data,
            options: &self.options,
            timestamp: self.timestamp,
            delay: self.delay,
            priority: self.priority,
            registration: self.registration.as_ref(),
            deduplication: self.deduplication.as_ref().map(|held| held.id.as_str().into()),
            tick: self.tick,
        }
    }
}
