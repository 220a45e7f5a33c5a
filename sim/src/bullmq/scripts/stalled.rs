//! `moveStalledJobsToWait-9` (6.x: `-8`) and `extendLocks-1`: the two sides of a lock.

use super::{Result, Returned, Script, job_id};
use crate::bullmq::Version;
use crate::bullmq::options::{KeepJobs, KeepOptions, Options};
use crate::event::{Finish, QueueEvent};
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Error, Key, SetOptions};

/// What a job is failed with that stalled too often.
const STALLED_TOO_OFTEN: &str = "job stalled more than allowable limit";

/// What the script ends with at a job without a hash.
const NO_OPTIONS: Error =
    Error::Text("ERR bad argument #1 to 'decode' (string expected, got boolean)");

/// The arguments of `moveStalledJobsToWait-9`.
#[derive(Clone, Debug)]
pub struct MoveStalledJobsToWait {
    /// How often a job may stall.
    pub max_stalled_count: i64,
    /// The client's clock.
    pub timestamp: i64,
    /// Milliseconds for which no other check runs.
    pub interval: i64,
}

/// What a stalled check found.
#[derive(Debug, Default)]
pub struct Stalled {
    /// Jobs that stalled too often and are failed now (5.34).
    pub failed: Vec<Bytes>,
    /// Jobs that wait again.
    pub stalled: Vec<Bytes>,
}

/// The arguments of `extendLocks-1`.
#[derive(Clone, Debug)]
pub struct ExtendLocks {
    /// The jobs, each with who should hold its lock.
    pub jobs: Vec<(Bytes, Bytes)>,
    /// Milliseconds that the locks live from now on.
    pub duration: i64,
}

impl Script<'_> {
    /// `moveStalledJobsToWait-9`. A job is stalled if the check before saw it active and it has no
    /// lock now; then this check marks all that is active for the next one. A job that stalled too
    /// often is failed here (5.34), or waits with the reason for which its next worker fails it.
    pub(super) fn move_stalled_jobs_to_wait(
        &mut self,
        args: &MoveStalledJobsToWait,
    ) -> Result<Returned> {
        if self.db.exists(&self.keys.stalled_check) {
            return Ok(Returned::Stalled(Stalled::default()));
        }
        let mutex = SetOptions::px(args.interval);
        self.db.set(&self.keys.stalled_check, Bytes::from_int(args.timestamp), mutex)?;
        self.trim_events()?;
        let suspects: Vec<Bytes> = self.db.smembers(&self.keys.stalled)?.cloned().collect();
        let mut found = Stalled::default();
        if !suspects.is_empty() {
            self.db.del(&self.keys.stalled);
        }
        for id in suspects {
            let locked = self.db.exists(&self.keys.lock(&id)) && !planted(Mutant::Q10);
            if locked || self.db.lrem(&self.keys.active, 1, &id)? == 0 {
                continue;
            }
            let key = self.keys.job(&id);
            let later = self.version >= Version::V5_81_5;
            let counter: &[u8] = if later { b"stc" } else { b"stalledCounter" };
            let once_more = if planted(Mutant::Q11) { 0 } else { 1 };
            let too_often = self.db.hincrby(&key, counter, once_more)? > args.max_stalled_count;
            if too_often && planted(Mutant::Q12) {
                continue;
            }
            if too_often && !later {
                self.fail_stalled(&id, args.timestamp)?;
                found.failed.push(id);
                continue;
            }
            if too_often && !self.is_scheduled(&key)? {
                self.db.hset(&key, "defa".into(), STALLED_TOO_OFTEN.into())?;
            }
            self.put_back(&id)?;
            found.stalled.push(id);
        }
        let active: Vec<Bytes> = self.db.lrange(&self.keys.active, 0, -1)?.cloned().collect();
        if !active.is_empty() && !planted(Mutant::O17) {
            self.db.sadd(&self.keys.stalled, active)?;
        }
        Ok(Returned::Stalled(found))
    }

    /// Whether a job is an iteration of a registration that there still is: then it may stall as
    /// often as it likes (5.81).
    fn is_scheduled(&self, job: &Key) -> Result<bool> {
        let Some(registration) = self.db.hget(job, b"rjk")? else { return Ok(false) };
        Ok(self.db.exists(&self.keys.registration(registration))
            || self.db.zscore(&self.keys.repeat, registration)?.is_some())
    }

    fn put_back(&mut self, id: &Bytes) -> Result<()> {
        let target = self.get_target_queue_list()?;
        self.add_job_in_target_list(target, true, id)?;
        self.xadd(
            None,
            &[("event", &"waiting".into()), ("jobId", id), ("prev", &"active".into())],
        )?;
        self.xadd(None, &[("event", &"stalled".into()), ("jobId", id)])?;
        self.emit(QueueEvent::Stalled { job: job_id(id) });
        Ok(())
    }

    fn fail_stalled(&mut self, id: &Bytes, timestamp: i64) -> Result<()> {
        let key = self.keys.job(id);
        // Of a job whose hash is lost cjson is asked to decode nothing: what was done is left so.
        let options = self.db.hget(&key, b"opts")?.cloned().ok_or(NO_OPTIONS)?;
        self.db.zadd(&self.keys.failed, id.clone(), timestamp as f64)?;
        self.remove_deduplication_key_if_needed(id)?;
        let reason = Bytes::from(STALLED_TOO_OFTEN);
        let at = Bytes::from_int(timestamp);
        let fields = [("failedReason".into(), reason.clone()), ("finishedOn".into(), at)];
        self.db.hset_many(&key, fields)?;
        self.xadd(
            None,
            &[
                ("event", &"failed".into()),
                ("jobId", id),
                ("prev", &"active".into()),
                ("failedReason", &reason),
            ],
        )?;
        let keep = Options::from_json(&options).remove_on_fail;
        let removed = keep == Some(KeepOptions::Remove(true));
        let event = QueueEvent::Finished { job: job_id(id), how: Finish::Failed, kept: !removed };
        self.emit(event);
        self.remove_jobs_on_fail(id, keep.as_ref(), timestamp)
    }

    /// `includes/removeJobsOnFail`: the job's own option alone; the worker's is not looked at.
    fn remove_jobs_on_fail(
        &mut self,
        id: &Bytes,
        keep: Option<&KeepOptions>,
        timestamp: i64,
    ) -> Result<()> {
        let failed = &self.keys.failed;
        let limits = match keep {
            None | Some(KeepOptions::Remove(false)) => return Ok(()),
            Some(KeepOptions::Remove(true)) => {
                self.remove_job_keys(id);
                self.db.zrem(failed, id)?;
                return Ok(());
            }
            Some(limits) => KeepJobs::from(Some(limits)),
        };
        if let Some(age) = limits.age {
            self.remove_jobs_by_max_age(timestamp, age, failed)?;
        }
        // A plain number is passed on even if it is 0; a table's count of 0 is not.
        let plain = matches!(keep, Some(KeepOptions::Count(_)));
        if let Some(count) = limits.count.filter(|count| plain || *count > 0) {
            self.remove_jobs_by_max_count(count, failed)?;
        }
        Ok(())
    }

    /// `extendLocks-1`: the jobs whose lock is gone or another's.
    pub(super) fn extend_locks(&mut self, args: &ExtendLocks) -> Result<Returned> {
        let mut lost = Vec::new();
        for (id, token) in &args.jobs {
            let lock = self.keys.lock(id);
            if self.db.get(&lock)?.is_some_and(|holder| holder == token || planted(Mutant::Q8)) {
                self.db.set(&lock, token.clone(), SetOptions::px(args.duration))?;
                self.db.srem(&self.keys.stalled, id)?;
            } else {
                lost.push(id.clone());
            }
        }
        Ok(Returned::NotRenewed(lost))
    }
}
