//! The pieces that BullMQ's scripts share: its `includes/*.lua`, one function for each.

use super::{Result, Script, job_id};
use crate::bullmq::Version;
use crate::bullmq::keys::iteration_id;
use crate::clock::Instant;
use crate::event::{Added, JobList, JobState, QueueEvent, RegistrationKey};
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Key, Limit, MaxLen, ScoreBound};
use std::collections::BTreeSet;

/// A delayed job's score is its due millisecond times this, plus its place among equals.
const DELAY_SCALE: f64 = 4096.0;

/// `maxLenEvents` where the queue's `meta` does not say.
const MAX_EVENTS: i64 = 10_000;

/// How many due jobs one fetch promotes at most.
const PROMOTE_AT_ONCE: i64 = 1000;

/// How many jobs that are too old one script removes at most (5.81), as `limit` is by default.
const REMOVE_OLD_AT_ONCE: usize = 1000;

/// Where an add puts a job that is not delayed.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// `paused` instead of `wait` (5.x).
    pub(super) paused: bool,
    /// No worker may take a job now: no marker is set.
    pub(super) paused_or_maxed: bool,
    /// The queue's own rate limit, which goes before that of a worker (5.81): how many starts.
    pub(super) max: Option<i64>,
    /// In how many milliseconds.
    pub(super) duration: Option<i64>,
}

/// What the scripts that store a job know of it.
pub(super) struct NewJob<'a> {
    pub(super) id: &'a Bytes,
    pub(super) name: &'a Bytes,
    pub(super) data: &'a Bytes,
    /// The options as JSON.
    pub(super) options: &'a Bytes,
    pub(super) timestamp: i64,
    pub(super) delay: i64,
    pub(super) priority: u32,
    pub(super) registration: Option<&'a Bytes>,
    pub(super) deduplication: Option<Bytes>,
    /// The instant that the job stands for: no part of the hash, only of its event.
    pub(super) tick: Option<Instant>,
}

fn text(text: &str) -> Bytes {
    Bytes::from(text)
}

pub(super) fn signed(count: usize) -> i64 {
    i64::try_from(count).expect("no collection has that many elements")
}

impl Script<'_> {
    pub(super) fn emit(&mut self, event: QueueEvent) {
        self.events.push(event);
    }

    /// `XADD events * ...`, trimmed where the script trims.
    pub(super) fn xadd(&mut self, maxlen: Option<i64>, pairs: &[(&str, &Bytes)]) -> Result<()> {
        let pairs = pairs.iter().map(|(field, value)| (text(field), (*value).clone())).collect();
        let maxlen = maxlen.and_then(|max| usize::try_from(max).ok()).map(MaxLen::Approx);
        self.db.xadd(&self.keys.events, pairs, maxlen)?;
        Ok(())
    }

    /// `includes/getOrSetMaxEvents`.
    pub(super) fn get_or_set_max_events(&mut self) -> Result<i64> {
        if let Some(max) = self.db.hget(&self.keys.meta, b"opts.maxLenEvents")? {
            return Ok(max.to_int().unwrap_or(MAX_EVENTS));
        }
        self.db.hset(&self.keys.meta, text("opts.maxLenEvents"), Bytes::from_int(MAX_EVENTS))?;
        Ok(MAX_EVENTS)
    }

    /// `includes/trimEvents`.
    pub(super) fn trim_events(&mut self) -> Result<()> {
        let max = self.get_or_set_max_events()?;
        self.db.xtrim(&self.keys.events, MaxLen::Approx(usize::try_from(max).unwrap_or(0)))?;
        Ok(())
    }

    /// `includes/getTargetQueueList`, and `includes/isQueuePausedOrMaxed` for its second part. In 6.x
    /// (`includes/getQueueMetadata`) a queue has one list, whether it is paused or not.
    pub(super) fn get_target_queue_list(&self) -> Result<Target> {
        let meta = &self.keys.meta;
        let [paused, concurrency, max, duration] =
            self.db.hmget(meta, [b"paused", b"concurrency", b"max", b"duration"])?;
        let limit = |value: Option<&Bytes>| {
            value.filter(|_| self.version >= Version::V5_81_5).and_then(Bytes::to_int)
        };
        let (max, duration) = (limit(max), limit(duration));
        if paused.is_some() {
            let paused = self.version < Version::V6_7_0;
            return Ok(Target { paused, paused_or_maxed: true, max, duration });
        }
        let paused_or_maxed = match concurrency.and_then(Bytes::to_int) {
            Some(most) => i64::try_from(self.db.llen(&self.keys.active)?)
                .is_ok_and(|n| n > most || n == most && !planted(Mutant::Q17)),
            None => false,
        };
        Ok(Target { paused: false, paused_or_maxed, max, duration })
    }

    /// `includes/storeJob`: the hash, and the `added` event of the stream.
    pub(super) fn store_job(&mut self, job: &NewJob<'_>) -> Result<()> {
        let mut fields = vec![
            (text("name"), job.name.clone()),
            (text("data"), job.data.clone()),
            (text("opts"), job.options.clone()),
            (text("timestamp"), Bytes::from_int(job.timestamp)),
            (text("delay"), Bytes::from_int(job.delay)),
            (text("priority"), Bytes::from_int(i64::from(job.priority))),
        ];
        if let Some(key) = job.registration {
            fields.push((text("rjk"), key.clone()));
        }
        if let Some(id) = &job.deduplication {
            fields.push((text("deid"), id.clone()));
        }
        self.db.hset_many(&self.keys.job(job.id), fields)?;
        self.xadd(None, &[("event", &text("added")), ("jobId", job.id), ("name", job.name)])
    }

    /// Says that a job was stored.
    pub(super) fn added(&mut self, job: &NewJob<'_>, state: JobState) {
        self.emit(QueueEvent::Added(Box::new(Added {
            job: job_id(job.id),
            name: job.name.clone(),
            registration: job.registration.map(|key| RegistrationKey(key.clone())),
            tick: job.tick,
            state,
        })));
    }

    /// `includes/addDelayedJob`.
    pub(super) fn add_delayed(&mut self, job: &NewJob<'_>, max_events: i64) -> Result<()> {
        self.store_job(job)?;
        let due = self.enqueue_delayed(job.id, job.timestamp, job.delay, max_events)?;
        self.added(job, JobState::Delayed(due));
        Ok(())
    }

    /// What `includes/addDelayedJob` does from 5.81 on, where others store the job: when it is due.
    pub(super) fn enqueue_delayed(
        &mut self,
        id: &Bytes,
        timestamp: i64,
        delay: i64,
        max_events: i64,
    ) -> Result<Instant> {
        let (score, due) = self.get_delayed_score(timestamp, delay)?;
        self.db.zadd(&self.keys.delayed, id.clone(), score)?;
        let at = Bytes::from_int(due);
        let event = [("event", &text("delayed")), ("jobId", id), ("delay", &at)];
        self.xadd(Some(max_events), &event)?;
        self.add_delay_marker_if_needed()?;
        Ok(Instant::from_ms(due))
    }

    /// `includes/getDelayedScore`: the score, and the due millisecond.
    pub(super) fn get_delayed_score(&self, timestamp: i64, delay: i64) -> Result<(f64, i64)> {
        let due = if delay > 0 { timestamp + delay } else { timestamp };
        let due = if delay > 0 && planted(Mutant::O16) { due + 1 } else { due };
        let least = due as f64 * DELAY_SCALE;
        let most = (due + 1) as f64 * DELAY_SCALE - 1.0;
        let taken = self
            .db
            .zrevrangebyscore(
                &self.keys.delayed,
                ScoreBound::Incl(most),
                ScoreBound::Incl(least),
                Limit::first(1),
            )?
            .next();
        let score = taken.map_or(least, |(_, score)| (score + 1.0).min(most));
        Ok((score, due))
    }

    /// `includes/getNextDelayedTimestamp`.
    pub(super) fn get_next_delayed_timestamp(&self) -> Result<Option<f64>> {
        Ok(self.db.zfirst(&self.keys.delayed)?.map(|(_, score)| score / DELAY_SCALE))
    }

    /// `includes/addDelayMarkerIfNeeded`.
    pub(super) fn add_delay_marker_if_needed(&mut self) -> Result<()> {
        if let Some(next) = self.get_next_delayed_timestamp()? {
            let next = if planted(Mutant::O2) { next * DELAY_SCALE } else { next };
            self.db.zadd(&self.keys.marker, text("1"), next)?;
        }
        Ok(())
    }

    /// `includes/addBaseMarkerIfNeeded`.
    pub(super) fn add_base_marker_if_needed(&mut self, paused_or_maxed: bool) -> Result<()> {
        if !paused_or_maxed {
            self.db.zadd(&self.keys.marker, text("0"), 0.0)?;
        }
        Ok(())
    }

    /// `includes/addJobInTargetList`. `next` puts the job where it is taken next (RPUSH).
    pub(super) fn add_job_in_target_list(
        &mut self,
        target: Target,
        next: bool,
        id: &Bytes,
    ) -> Result<()> {
        let list = if target.paused { &self.keys.paused } else { &self.keys.wait };
        if next {
            self.db.rpush(list, [id.clone()])?;
        } else {
            self.db.lpush(list, [id.clone()])?;
        }
        self.add_base_marker_if_needed(target.paused_or_maxed || planted(Mutant::O1))
    }

    /// `includes/addJobWithPriority`.
    pub(super) fn add_job_with_priority(
        &mut self,
        priority: u32,
        id: &Bytes,
        paused_or_maxed: bool,
    ) -> Result<()> {
        let counter = self.db.incr(&self.keys.pc)? as f64;
        let counter = if planted(Mutant::Q15) { 4_294_967_295.0 - counter } else { counter };
        let score = f64::from(priority) * 4_294_967_296.0 + counter % 4_294_967_296.0;
        self.db.zadd(&self.keys.prioritized, id.clone(), score)?;
        self.add_base_marker_if_needed(paused_or_maxed)
    }

    /// `includes/promoteDelayedJobs`: what is due by the client's clock goes where workers take it.
    /// 5.34 sets the marker for each job, later versions once: it is the same marker.
    pub(super) fn promote_delayed_jobs(&mut self, timestamp: i64, target: Target) -> Result<()> {
        let most = ScoreBound::Incl((timestamp + 1) as f64 * DELAY_SCALE - 1.0);
        let due = self.db.zrangebyscore(
            &self.keys.delayed,
            ScoreBound::Incl(0.0),
            most,
            Limit::first(PROMOTE_AT_ONCE),
        )?;
        let due: Vec<Bytes> = due.map(|(id, _)| id.clone()).collect();
        for id in &due {
            self.db.zrem(&self.keys.delayed, id)?;
        }
        due.iter().try_for_each(|id| {
            let paused = target.paused && !planted(Mutant::Q18);
            self.promote_to(Target { paused, ..target }, id)
        })
    }

    /// What `promoteDelayedJobs` and `promote` do with a job that has left `delayed`.
    pub(super) fn promote_to(&mut self, target: Target, id: &Bytes) -> Result<()> {
        let key = self.keys.job(id);
        match self.priority_of(&key)? {
            0 => self.add_job_in_target_list(target, false, id)?,
            priority => self.add_job_with_priority(priority, id, target.paused_or_maxed)?,
        }
        let event = [("event", &text("waiting")), ("jobId", id), ("prev", &text("delayed"))];
        self.xadd(None, &event)?;
        self.db.hset(&key, text("delay"), text("0"))?;
        self.emit(QueueEvent::Promoted { job: job_id(id) });
        Ok(())
    }

    pub(super) fn priority_of(&self, job: &Key) -> Result<u32> {
        let priority = self.db.hget(job, b"priority")?.and_then(Bytes::to_int);
        Ok(priority.and_then(|priority| u32::try_from(priority).ok()).unwrap_or(0))
    }

    /// `includes/removeLock`: 0, or why not.
    pub(super) fn remove_lock(&mut self, id: &Bytes, token: &Bytes) -> Result<i8> {
        let lock = self.keys.lock(id);
        match self.db.get(&lock)? {
            Some(holder) if holder == token || planted(Mutant::Q9) => {}
            Some(_) => return Ok(-6),
            None => return Ok(-2),
        }
        self.db.del(&lock);
        self.db.srem(&self.keys.stalled, id)?;
        Ok(0)
    }

    /// `includes/removeJobKeys`: whether there was a hash.
    pub(super) fn remove_job_keys(&mut self, id: &Bytes) -> bool {
        let mut existed = false;
        for suffix in ["", ":logs", ":dependencies", ":processed", ":failed"] {
            let gone = self.db.del(&self.keys.below(id, suffix));
            existed |= gone && suffix.is_empty();
        }
        if self.version >= Version::V5_81_5 {
            self.db.del(&self.keys.below(id, ":unsuccessful"));
        }
        if existed {
            self.emit(QueueEvent::Removed { job: job_id(id) });
        }
        existed
    }

    /// Says that an entry was taken out.
    pub(super) fn dropped(&mut self, id: &Bytes, from: JobList) {
        self.emit(QueueEvent::Dropped { job: job_id(id), from });
    }

    /// `includes/removeDeduplicationKey`, `removeDeduplicationKeyIfNeededOnRemoval` from 5.81 on:
    /// 5.34 gives the id back whoever holds it.
    pub(super) fn remove_deduplication_key(&mut self, job: &Bytes) -> Result<()> {
        let Some(id) = self.db.hget(&self.keys.job(job), b"deid")? else { return Ok(()) };
        let (key, next) = (self.keys.deduplication(id), self.keys.deduplication_next(id));
        if self.version < Version::V5_81_5 {
            self.db.del(&key);
        } else if self.db.get(&key)? == Some(job) {
            self.db.del(&key);
            self.db.del(&next);
        }
        Ok(())
    }

    /// `includes/removeDeduplicationKeyIfNeeded`, `...OnFinalization` from 5.81 on: one that does
    /// not expire by itself.
    pub(super) fn remove_deduplication_key_if_needed(&mut self, job: &Bytes) -> Result<()> {
        let Some(id) = self.db.hget(&self.keys.job(job), b"deid")? else { return Ok(()) };
        let key = self.keys.deduplication(id);
        let given_back = match self.db.pttl(&key) {
            0 => true,
            -1 => self.version < Version::V5_81_5 || self.db.get(&key)? == Some(job),
            _ => false,
        };
        if given_back {
            self.db.del(&key);
        }
        Ok(())
    }

    /// `includes/removeJobs`: their hashes and deduplication ids go, their entries are the caller's
    /// business.
    fn remove_jobs(&mut self, ids: &[Bytes], from: JobList) -> Result<()> {
        for id in ids {
            self.dropped(id, from);
            self.remove_job_by_id(id)?;
        }
        Ok(())
    }

    fn remove_job_by_id(&mut self, id: &Bytes) -> Result<()> {
        self.remove_deduplication_key(id)?;
        self.remove_job_keys(id);
        Ok(())
    }

    /// `includes/removeListJobs`: removes the jobs at a list's head, `most` at most, all if that is
    /// 0. Returns how many more there may be.
    ///
    /// The list is cut by the number of jobs that were removed. Where jobs to ignore stand among
    /// them (5.81), entries at the head go in place of those: a spared job's own perhaps, and that
    /// of a job that is removed stays.
    pub(super) fn remove_list_jobs(
        &mut self,
        key: &Key,
        from: JobList,
        most: i64,
        ignore: &BTreeSet<Bytes>,
    ) -> Result<i64> {
        let ids: Vec<Bytes> = self.db.lrange(key, 0, most - 1)?.cloned().collect();
        let removed = ids.iter().filter(|id| !ignore.contains(*id));
        let mut count = 0;
        for (id, entry) in removed.zip(&ids) {
            self.dropped(entry, from);
            self.remove_job_by_id(id)?;
            count += 1;
        }
        self.db.ltrim(key, count, -1)?;
        Ok(most - count)
    }

    /// `includes/removeZSetJobs`: as [`Script::remove_list_jobs`], of a set's least scores. Jobs to
    /// ignore are left where they are.
    pub(super) fn remove_zset_jobs(
        &mut self,
        key: &Key,
        from: JobList,
        most: i64,
        ignore: &BTreeSet<Bytes>,
    ) -> Result<i64> {
        let ids = self.db.zrange(key, 0, most - 1)?.map(|(id, _)| id);
        let ids: Vec<Bytes> = ids.filter(|id| !ignore.contains(*id)).cloned().collect();
        self.remove_jobs(&ids, from)?;
        self.db.zrem_many(key, ids.iter().map(Bytes::as_bytes))?;
        Ok(most - signed(ids.len()))
    }

    /// `includes/removeJobsByMaxAge`. `age` is in seconds.
    pub(super) fn remove_jobs_by_max_age(
        &mut self,
        timestamp: i64,
        age: i64,
        set: &Key,
    ) -> Result<()> {
        let limited = self.version >= Version::V5_81_5;
        let second = if planted(Mutant::O12) { 1 } else { 1000 };
        let start = ScoreBound::Incl((timestamp - age * second) as f64);
        let old = self.db.zrevrangebyscore(set, start, ScoreBound::NEG_INF, Limit::NONE)?;
        let most = if limited { REMOVE_OLD_AT_ONCE } else { usize::MAX };
        let old: Vec<Bytes> = old.take(most).map(|(id, _)| id.clone()).collect();
        for id in &old {
            self.remove_job_keys(id);
        }
        if old.len() < most {
            self.db.zremrangebyscore(set, ScoreBound::NEG_INF, start)?;
        } else {
            self.db.zrem_many(set, old.iter().map(Bytes::as_bytes))?;
        }
        Ok(())
    }

    /// `includes/removeJobsByMaxCount`.
    pub(super) fn remove_jobs_by_max_count(&mut self, count: i64, set: &Key) -> Result<()> {
        let count = if planted(Mutant::Q20) { count + 1 } else { count };
        let old: Vec<Bytes> =
            self.db.zrevrange(set, count, -1)?.map(|(id, _)| id.clone()).collect();
        for id in &old {
            self.remove_job_keys(id);
        }
        self.db.zremrangebyrank(set, 0, -(count + 1))?;
        Ok(())
    }

    /// `includes/isJobSchedulerJob` (5.81): whether a job is the current iteration of a registration.
    pub(super) fn is_job_scheduler_job(&self, id: &Bytes) -> Result<bool> {
        let Some(key) = self.db.hget(&self.keys.job(id), b"rjk")? else { return Ok(false) };
        let current = self.db.zscore(&self.keys.repeat, key)?;
        Ok(current.is_some_and(|millis| *id == iteration_id(key, millis as i64)))
    }

    /// What three scripts do alike: the iteration that a registration points to goes, if it is
    /// still in `delayed`. Returns whether it was.
    pub(super) fn drop_pending(&mut self, key: &Bytes, millis: f64) -> Result<bool> {
        let id = iteration_id(key, millis as i64);
        let pending = self.db.zrem(&self.keys.delayed, &id)?;
        if pending {
            self.remove_job_keys(&id);
        }
        Ok(pending)
    }

    /// As [`Script::drop_pending`], for a new iteration: its deduplication id goes, too.
    pub(super) fn replace_pending(&mut self, key: &Bytes, millis: f64) -> Result<()> {
        let id = iteration_id(key, millis as i64);
        if self.db.zscore(&self.keys.delayed, &id)?.is_some() {
            if planted(Mutant::O4) {
                return Ok(());
            }
            self.remove_deduplication_key(&id)?;
        }
        self.drop_pending(key, millis).map(drop)
    }
}
