//! `moveToActive-11`, and what the scripts that fetch next share with it: taking a job.

use super::includes::Target;
use super::{Result, Returned, Script, job_id};
use crate::bullmq::Version;
use crate::bullmq::keys::Keys;
use crate::event::QueueEvent;
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Db, SetOptions};
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

/// What a worker knows whose last fetch found nothing.
#[derive(Clone, Debug)]
pub struct NothingToFetch {
    /// The queue.
    pub keys: Rc<Keys>,
    /// The worker's version of the library.
    pub version: Version,
    /// When the next delayed job is due, 0 if there is none.
    pub next: i64,
}

impl NothingToFetch {
    /// Whether a fetch at this millisecond would find nothing, change nothing, and say the same. Where
    /// the queue is paused or limited it is taken to say something else.
    pub fn is_so(&self, db: &mut Db, now: i64) -> bool {
        let script =
            Script { db, keys: &self.keys, version: self.version, events: &mut Vec::new() };
        script.has_nothing(self.next, now).unwrap_or(false)
    }
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
    fn has_nothing(&self, next: i64, now: i64) -> Result<bool> {
        let Keys { wait, prioritized, pc, limiter, .. } = self.keys;
        if self.get_target_queue_list()?.paused_or_maxed
            || [wait, prioritized, pc, limiter].into_iter().any(|key| self.db.exists(key))
        {
            return Ok(false);
        }
        let due = self.get_next_delayed_timestamp()?.map_or(0, |next| next as i64);
        Ok(due == next && (due == 0 || due > now))
    }

    /// `moveToActive-11`.
    pub(super) fn move_to_active(&mut self, args: &MoveToActive) -> Result<Returned> {
        self.take_next(args.timestamp, &args.token, &args.options)
    }

    /// `includes/fetchNextJob`: promotes what is due and takes the next job. It is the whole of
    /// `moveToActive-11`, and the end of `moveToFinished-14` and, from 5.81 on, of `moveToDelayed`.
    pub(super) fn take_next(
        &mut self,
        timestamp: i64,
        token: &Bytes,
        options: &FetchOptions,
    ) -> Result<Returned> {
        let target = self.get_target_queue_list()?;
        self.promote_delayed_jobs(timestamp, target)?;
        let max = target.max.or(options.limiter.map(|(max, _)| max));
        let limited_for = self.get_rate_limit_ttl(max)?;
        if limited_for > 0 {
            return Ok(Returned::Nothing { limited_for, next_delayed: 0 });
        }
        if target.paused_or_maxed && !planted(Mutant::O14) {
            return Ok(NOTHING);
        }
        let id = match self.db.rpoplpush(&self.keys.wait, &self.keys.active)? {
            Some(id) => Some(id),
            None => self.move_job_from_priority_to_active()?,
        };
        if let Some(id) = id {
            if max.is_some() && !planted(Mutant::Q16) {
                self.count_start(&id, target, options)?;
            }
            return self.prepare_job_for_processing(id, timestamp, token, options);
        }
        let next_delayed = self.get_next_delayed_timestamp()?.map_or(0, |next| next as i64);
        Ok(Returned::Nothing { limited_for: 0, next_delayed })
    }

    /// `includes/getRateLimitTTL`: how long the limiter holds still, 0 if it does not.
    fn get_rate_limit_ttl(&mut self, max: Option<i64>) -> Result<i64> {
        let Some(max) = max else { return Ok(0) };
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

    /// What `prepareJobForProcessing` begins with where starts are limited. A job that is fetched
    /// only to be failed does not count (6.x).
    pub(super) fn count_start(
        &mut self,
        id: &Bytes,
        target: Target,
        options: &FetchOptions,
    ) -> Result<()> {
        let fails =
            self.version >= Version::V6_7_0 && self.db.hexists(&self.keys.job(id), b"defa")?;
        if !fails && self.db.incr(&self.keys.limiter)? == 1 {
            let duration = options.limiter.map(|(_, duration)| duration).or(target.duration);
            self.db.pexpire(&self.keys.limiter, duration.unwrap_or(0))?;
        }
        Ok(())
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
        let lock = SetOptions::px(options.lock_duration);
        let lock = if planted(Mutant::O18) { SetOptions::default() } else { lock };
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
