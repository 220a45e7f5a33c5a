//! `moveToActive-11` of BullMQ 5.34.10, and what `moveToFinished` shares with it: taking a job.

use super::{Result, Returned, Script, job_id};
use crate::event::QueueEvent;
use crate::redis::{Bytes, SetOptions};
use std::rc::Rc;

/// The options of a worker that its fetches carry.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Milliseconds that a lock lives.
    pub lock_duration: i64,
    /// The rate limiter: how many starts, in how many milliseconds.
    pub limiter: Option<(i64, i64)>,
}

/// The arguments of `moveToActive-11`.
#[derive(Clone, Debug)]
pub struct MoveToActive {
    /// The client's clock.
    pub timestamp: i64,
    /// Who will hold the lock.
    pub token: Bytes,
    /// The worker's options.
    pub options: Rc<FetchOptions>,
}

/// A job that a worker got, with its hash.
#[derive(Debug)]
pub struct Fetched {
    /// Its id.
    pub id: Bytes,
    /// HGETALL.
    pub fields: Vec<(Bytes, Bytes)>,
}

impl Fetched {
    /// One field of the hash.
    pub fn field(&self, name: &str) -> Option<&Bytes> {
        self.fields
            .iter()
            .find(|(field, _)| field.as_bytes() == name.as_bytes())
            .map(|(_, value)| value)
    }
}

const NOTHING: Returned = Returned::Nothing { limited_for: 0, next_delayed: 0 };

impl Script<'_> {
    /// `moveToActive-11`.
    pub(super) fn move_to_active(&mut self, args: &MoveToActive) -> Result<Returned> {
        self.take_next(args.timestamp, &args.token, &args.options)
    }

    /// Promotes what is due and takes the next job: the whole of `moveToActive-11`, and the end of
    /// `moveToFinished-14`.
    pub(super) fn take_next(
        &mut self,
        timestamp: i64,
        token: &Bytes,
        options: &FetchOptions,
    ) -> Result<Returned> {
        let target = self.get_target_queue_list()?;
        self.promote_delayed_jobs(timestamp, target)?;
        let limited_for = self.get_rate_limit_ttl(options)?;
        if limited_for > 0 {
            return Ok(Returned::Nothing { limited_for, next_delayed: 0 });
        }
        if target.paused_or_maxed {
            return Ok(NOTHING);
        }
        let id = match self.db.rpoplpush(&self.keys.wait, &self.keys.active)? {
            Some(id) => Some(id),
            None => self.move_job_from_priority_to_active()?,
        };
        if let Some(id) = id {
            return self.prepare_job_for_processing(id, timestamp, token, options);
        }
        let next_delayed = self.get_next_delayed_timestamp()?.map_or(0, |next| next as i64);
        Ok(Returned::Nothing { limited_for: 0, next_delayed })
    }

    /// `includes/getRateLimitTTL`: how long the limiter holds still, 0 if it does not.
    fn get_rate_limit_ttl(&mut self, options: &FetchOptions) -> Result<i64> {
        let Some((max, _)) = options.limiter else { return Ok(0) };
        let started = self.db.get(&self.keys.limiter)?.and_then(Bytes::to_int).unwrap_or(0);
        if max > started {
            return Ok(0);
        }
        let pttl = self.db.pttl(&self.keys.limiter);
        if pttl == 0 {
            self.db.del(&self.keys.limiter);
        }
        Ok(pttl.max(0))
    }

    /// `includes/moveJobFromPriorityToActive`.
    fn move_job_from_priority_to_active(&mut self) -> Result<Option<Bytes>> {
        let Some((id, _)) = self.db.zpopmin(&self.keys.prioritized)? else {
            self.db.del(&self.keys.pc);
            return Ok(None);
        };
        self.db.lpush(&self.keys.active, [id.clone()])?;
        Ok(Some(id))
    }

    /// `includes/prepareJobForProcessing`. Whether the job's hash exists is not asked, and a lock
    /// that another holds is overwritten.
    fn prepare_job_for_processing(
        &mut self,
        id: Bytes,
        processed_on: i64,
        token: &Bytes,
        options: &FetchOptions,
    ) -> Result<Returned> {
        if let Some((_, duration)) = options.limiter
            && self.db.incr(&self.keys.limiter)? == 1
        {
            self.db.pexpire(&self.keys.limiter, duration)?;
        }
        let lock = SetOptions::px(options.lock_duration);
        self.db.set(&self.keys.lock(&id), token.clone(), lock)?;
        self.xadd(
            None,
            &[("event", &"active".into()), ("jobId", &id), ("prev", &"waiting".into())],
        )?;
        let key = self.keys.job(&id);
        self.db.hset(&key, "processedOn".into(), Bytes::from_int(processed_on))?;
        self.db.hincrby(&key, b"ats", 1)?;
        self.add_base_marker_if_needed(false)?;
        self.emit(QueueEvent::Fetched { job: job_id(&id) });
        let fields =
            self.db.hgetall(&key)?.map(|(field, value)| (field.clone(), value.clone())).collect();
        Ok(Returned::Fetched(Box::new(Fetched { id, fields })))
    }
}
