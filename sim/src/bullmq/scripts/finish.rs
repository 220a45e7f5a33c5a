//! `moveToFinished-14`, `moveToDelayed-8` (5.81: `-12`, 6.x: `-11`), `retryJob-11`: how an attempt
//! ends.

use super::fetch::FetchOptions;
use super::{Result, Returned, Script, job_id};
use crate::bullmq::Version;
use crate::bullmq::options::KeepJobs;
use crate::clock::Instant;
use crate::event::{Finish, JobState, QueueEvent};
use crate::mutants::{Mutant, planted};
use crate::redis::Bytes;
use std::rc::Rc;

/// How a job leaves its worker for good.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With its return value as JSON.
    Completed(Bytes),
    /// With the reason of its failure.
    Failed(Bytes),
}

/// The arguments of `moveToFinished-14`.
#[derive(Clone, Debug)]
pub struct MoveToFinished {
    /// The job.
    pub id: Bytes,
    /// The client's clock.
    pub timestamp: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Who should hold the lock.
    pub token: Bytes,
    /// Which finished jobs are kept.
    pub keep: KeepJobs,
    /// The job's `attempts`.
    pub attempts: u32,
    /// Whether to take the next job too.
    pub fetch_next: bool,
    /// The worker's options.
    pub options: Rc<FetchOptions>,
}

/// The arguments of `moveToDelayed-8`.
#[derive(Clone, Debug)]
pub struct MoveToDelayed {
    /// The job.
    pub id: Bytes,
    /// The client's clock.
    pub timestamp: i64,
    /// Milliseconds from then until it is due again.
    pub delay: i64,
    /// Who should hold the lock.
    pub token: Bytes,
    /// The reason of the failure.
    pub failed_reason: Bytes,
    /// Whether to take the next job too (5.81).
    pub fetch_next: bool,
    /// The worker's options.
    pub options: Rc<FetchOptions>,
}

/// The arguments of `retryJob-11`.
#[derive(Clone, Debug)]
pub struct RetryJob {
    /// The job.
    pub id: Bytes,
    /// The client's clock.
    pub timestamp: i64,
    /// Whether it is taken next.
    pub lifo: bool,
    /// Who should hold the lock.
    pub token: Bytes,
    /// The reason of the failure. 5.34's script takes it and does not store it.
    pub failed_reason: Bytes,
}

/// The arguments of `moveJobFromActiveToWait-9`.
#[derive(Clone, Debug)]
pub struct MoveJobFromActiveToWait {
    /// The job.
    pub id: Bytes,
    /// Who should hold the lock.
    pub token: Bytes,
}

impl Script<'_> {
    /// `moveToFinished-14`.
    pub(super) fn move_to_finished(&mut self, args: &MoveToFinished) -> Result<Returned> {
        let key = self.keys.job(&args.id);
        if !self.db.exists(&key) {
            return Ok(self.refuse(&args.id, -1));
        }
        let code = self.remove_lock(&args.id, &args.token)?;
        if code != 0 {
            return Ok(self.refuse(&args.id, code));
        }
        if let Outcome::Failed(reason) = &args.outcome {
            self.db.hset(&key, "failedReason".into(), reason.clone())?;
        }
        if self.db.lrem(&self.keys.active, -1, &args.id)? < 1 {
            return Ok(self.refuse(&args.id, -3));
        }
        self.trim_events()?;
        self.remove_deduplication_key_if_needed(&args.id)?;
        self.requeue_deduplicated_job(&args.id, args.timestamp)?;
        let attempts_made = self.db.hincrby(&key, b"atm", 1)?;
        self.keep_or_remove(args)?;
        self.finished_events(args, attempts_made)?;
        if args.options.limiter.is_some() && planted(Mutant::Q16) {
            self.count_start(&args.id, self.get_target_queue_list()?, &args.options)?;
        }
        if args.fetch_next {
            let next = self.take_next(args.timestamp, &args.token, &args.options)?;
            if !matches!(next, Returned::Nothing { limited_for: 0, next_delayed: 0 }) {
                return Ok(next);
            }
            if self.get_target_queue_list()?.paused_or_maxed {
                return Ok(next);
            }
        }
        if self.db.llen(&self.keys.wait)? == 0
            && self.db.llen(&self.keys.active)? == 0
            && self.db.zcard(&self.keys.prioritized)? == 0
        {
            self.xadd(None, &[("event", &"drained".into())])?;
        }
        Ok(Returned::Code(0))
    }

    fn keep_or_remove(&mut self, args: &MoveToFinished) -> Result<()> {
        let kept = args.keep.count != Some(0);
        let (how, set, field, value) = match &args.outcome {
            Outcome::Completed(value) => {
                (Finish::Completed, &self.keys.completed, "returnvalue", value)
            }
            Outcome::Failed(reason) => (Finish::Failed, &self.keys.failed, "failedReason", reason),
        };
        self.events.push(QueueEvent::Finished { job: job_id(&args.id), how, kept });
        if !kept {
            self.remove_job_keys(&args.id);
            return Ok(());
        }
        self.db.zadd(set, args.id.clone(), args.timestamp as f64)?;
        let at = Bytes::from_int(args.timestamp);
        let fields = [(field.into(), value.clone()), ("finishedOn".into(), at)];
        let key = self.keys.job(&args.id);
        self.db.hset_many(&key, fields)?;
        if how == Finish::Failed && self.version >= Version::V5_81_5 {
            self.db.hdel(&key, b"defa")?;
        }
        if let Some(age) = args.keep.age {
            self.remove_jobs_by_max_age(args.timestamp, age, set)?;
        }
        if let Some(count) = args.keep.count.filter(|count| *count > 0) {
            self.remove_jobs_by_max_count(count, set)?;
        }
        Ok(())
    }

    fn finished_events(&mut self, args: &MoveToFinished, attempts_made: i64) -> Result<()> {
        let id = &args.id;
        let (word, field, value) = match &args.outcome {
            Outcome::Completed(value) => ("completed", "returnvalue", value),
            Outcome::Failed(reason) => ("failed", "failedReason", reason),
        };
        let (word, previous) = (word.into(), "active".into());
        let event = [("event", &word), ("jobId", id), (field, value), ("prev", &previous)];
        let said = if self.version >= Version::V5_81_5 { 4 } else { 3 };
        self.xadd(None, &event[..said])?;
        if matches!(args.outcome, Outcome::Completed(_)) || attempts_made < i64::from(args.attempts)
        {
            return Ok(());
        }
        let made = Bytes::from_int(attempts_made);
        let event =
            [("event", &"retries-exhausted".into()), ("jobId", id), ("attemptsMade", &made)];
        self.xadd(None, &event)
    }

    /// `moveToDelayed-8`. If a later version takes the next job here, it sets no marker for the
    /// delayed one; if it finds none, it says neither until when it is limited nor what is due next.
    pub(super) fn move_to_delayed(&mut self, args: &MoveToDelayed) -> Result<Returned> {
        let key = self.keys.job(&args.id);
        if !self.db.exists(&key) {
            return Ok(self.refuse(&args.id, -1));
        }
        let code = self.remove_lock(&args.id, &args.token)?;
        if code != 0 {
            return Ok(self.refuse(&args.id, code));
        }
        self.db.hset(&key, "failedReason".into(), args.failed_reason.clone())?;
        let (score, due) = self.get_delayed_score(args.timestamp, args.delay)?;
        if self.db.lrem(&self.keys.active, -1, &args.id)? < 1 {
            return Ok(self.refuse(&args.id, -3));
        }
        self.db.hincrby(&key, b"atm", 1)?;
        self.db.hset(&key, "delay".into(), Bytes::from_int(args.delay))?;
        let max_events = self.get_or_set_max_events()?;
        self.db.zadd(&self.keys.delayed, args.id.clone(), score)?;
        let at = Bytes::from_int(due);
        let event = [("event", &"delayed".into()), ("jobId", &args.id), ("delay", &at)];
        self.xadd(Some(max_events), &event)?;
        let state = JobState::Delayed(Instant::from_ms(due));
        self.emit(QueueEvent::Retried { job: job_id(&args.id), state });
        if args.fetch_next && self.version >= Version::V5_81_5 {
            let next = self.take_next(args.timestamp, &args.token, &args.options)?;
            if matches!(next, Returned::Fetched(_)) {
                return Ok(next);
            }
        }
        self.add_delay_marker_if_needed()?;
        Ok(Returned::Code(0))
    }

    /// `retryJob-11`.
    pub(super) fn retry_job(&mut self, args: &RetryJob) -> Result<Returned> {
        let target = self.get_target_queue_list()?;
        self.promote_delayed_jobs(args.timestamp, target)?;
        let key = self.keys.job(&args.id);
        if !self.db.exists(&key) {
            return Ok(self.refuse(&args.id, -1));
        }
        let code = self.remove_lock(&args.id, &args.token)?;
        if code != 0 {
            return Ok(self.refuse(&args.id, code));
        }
        if self.version >= Version::V5_81_5 {
            self.db.hset(&key, "failedReason".into(), args.failed_reason.clone())?;
        }
        if self.db.lrem(&self.keys.active, -1, &args.id)? < 1 {
            return Ok(self.refuse(&args.id, -3));
        }
        // Asked again: the job has just left `active`.
        let paused_or_maxed = self.get_target_queue_list()?.paused_or_maxed;
        let state = match self.priority_of(&key)? {
            0 => {
                let target = super::includes::Target { paused_or_maxed, ..target };
                self.add_job_in_target_list(target, args.lifo, &args.id)?;
                JobState::Wait
            }
            priority => {
                self.add_job_with_priority(priority, &args.id, paused_or_maxed)?;
                JobState::Prioritized
            }
        };
        if !planted(Mutant::Q24) {
            self.db.hincrby(&key, b"atm", 1)?;
        }
        let max_events = self.get_or_set_max_events()?;
        let previous = if self.version >= Version::V5_81_5 { "active" } else { "failed" };
        let event = [("event", &"waiting".into()), ("jobId", &args.id), ("prev", &previous.into())];
        self.xadd(Some(max_events), &event)?;
        self.emit(QueueEvent::Retried { job: job_id(&args.id), state });
        Ok(Returned::Code(0))
    }

    /// `moveJobFromActiveToWait-9`: an attempt that does not count. Returns for how long the limiter's
    /// key lives.
    pub(super) fn move_job_from_active_to_wait(
        &mut self,
        args: &MoveJobFromActiveToWait,
    ) -> Result<Returned> {
        let (id, key) = (&args.id, self.keys.job(&args.id));
        let newer = self.version >= Version::V5_81_5;
        if newer && !self.db.exists(&key) {
            return Ok(self.refuse(id, -1));
        }
        let code = self.remove_lock(id, &args.token)?;
        if code != 0 {
            return Ok(self.refuse(id, code));
        }
        if self.db.lrem(&self.keys.active, 1, id)? > 0 {
            let target = self.get_target_queue_list()?;
            let priority = self.priority_of(&key)?;
            let state = if priority > 0 {
                // Before all others of that priority.
                let score = f64::from(priority) * 4_294_967_296.0;
                self.db.zadd(&self.keys.prioritized, id.clone(), score)?;
                JobState::Prioritized
            } else {
                self.add_job_in_target_list(target, true, id)?;
                JobState::Wait
            };
            let max_events = self.get_or_set_max_events()?;
            let event = [("event", &"waiting".into()), ("jobId", id), ("prev", &"active".into())];
            let said = if newer { 3 } else { 2 };
            self.xadd(Some(max_events), &event[..said])?;
            self.emit(QueueEvent::Retried { job: job_id(id), state });
        }
        Ok(Returned::Code(self.db.pttl(&self.keys.limiter).max(0)))
    }

    /// One of BullMQ's negative codes, which the client throws as an error.
    pub(super) fn refuse(&mut self, id: &Bytes, code: i8) -> Returned {
        self.emit(QueueEvent::Refused { job: job_id(id), code });
        Returned::Code(i64::from(code))
    }
}
