//! `moveJobsToWait-8`, `cleanJobsInSet-3` of BullMQ: what is done to all jobs of a state at once.

use super::{Result, Returned, Script, job_id};
use crate::bullmq::Version;
use crate::event::{JobList, QueueEvent};
use crate::redis::{Bytes, Key, Limit, ScoreBound};

/// The arguments of `moveJobsToWait-8`.
#[derive(Clone, Debug)]
pub struct MoveJobsToWait {
    /// Which jobs: those that are delayed, have completed or have failed.
    pub state: JobList,
    /// How many at most.
    pub count: i64,
    /// The greatest score; `None` for all that are delayed.
    pub timestamp: Option<i64>,
}

/// The arguments of `cleanJobsInSet-3`.
#[derive(Clone, Debug)]
pub struct CleanJobsInSet {
    /// Which jobs.
    pub set: JobList,
    /// The last millisecond of those that are removed.
    pub timestamp: i64,
    /// How many at most; 0 is all.
    pub limit: i64,
}

impl<'a> Script<'a> {
    /// `moveJobsToWait-8`: 1 if there may be more. Priorities are not looked at.
    pub(super) fn move_jobs_to_wait(&mut self, args: &MoveJobsToWait) -> Result<Returned> {
        let target = self.get_target_queue_list()?;
        let set = self.list(args.state);
        let most = args.timestamp.map_or(f64::MAX, |timestamp| timestamp as f64);
        let (least, most) = (ScoreBound::Incl(0.0), ScoreBound::Incl(most));
        let limit = Limit { offset: 0, count: args.count };
        let jobs = self.db.zrangebyscore(set, least, most, limit)?;
        let jobs: Vec<Bytes> = jobs.map(|(id, _)| id.clone()).collect();
        let (previous, field) = match args.state {
            JobList::Failed => ("failed", Some("failedReason")),
            JobList::Completed => ("completed", Some("returnvalue")),
            _ => ("delayed", None),
        };
        for id in &jobs {
            if let Some(field) = field {
                let fields = ["finishedOn", "processedOn", field];
                self.db.hdel_many(&self.keys.job(id), fields.map(str::as_bytes))?;
            }
        }
        if !jobs.is_empty() {
            let max_events = self.get_or_set_max_events()?;
            for id in &jobs {
                let event =
                    [("event", &"waiting".into()), ("jobId", id), ("prev", &previous.into())];
                self.xadd(Some(max_events), &event)?;
            }
            self.db.zrem_many(set, jobs.iter().map(Bytes::as_bytes))?;
            for id in &jobs {
                self.add_job_in_target_list(target, false, id)?;
                let job = job_id(id);
                self.emit(match field {
                    Some(_) => QueueEvent::Reprocessed { job },
                    None => QueueEvent::Promoted { job },
                });
            }
        }
        let full = super::includes::signed(jobs.len()) >= args.count;
        Ok(Returned::Code(i64::from(full)))
    }

    /// `cleanJobsInSet-3`: how many jobs went.
    pub(super) fn clean_jobs_in_set(&mut self, args: &CleanJobsInSet) -> Result<Returned> {
        let cleaned = match args.set {
            JobList::Wait | JobList::Active => self.clean_list(args)?,
            _ => self.clean_set(args)?,
        };
        let count = Bytes::from_int(cleaned);
        self.xadd(None, &[("event", &"cleaned".into()), ("count", &count)])?;
        Ok(Returned::Code(cleaned))
    }

    /// `includes/cleanList`: the oldest are at its end.
    fn clean_list(&mut self, args: &CleanJobsInSet) -> Result<i64> {
        let list = self.list(args.set);
        let start = if args.limit > 0 { -args.limit } else { 0 };
        let ids: Vec<Bytes> = self.db.lrange(list, start, -1)?.cloned().collect();
        let mut cleaned = 0;
        for (at, id) in ids.iter().enumerate() {
            let locked = args.set == JobList::Active && self.db.get(&self.keys.lock(id))?.is_some();
            let spared = self.version >= Version::V5_81_5 && self.is_job_scheduler_job(id)?;
            let since = ["finishedOn", "processedOn", "timestamp"];
            if locked || spared || !self.is_old(id, &since, args.timestamp)? {
                continue;
            }
            let index = super::includes::signed(at) - super::includes::signed(ids.len());
            self.db.lset(list, index, Bytes::new())?;
            self.clean(id, args.set)?;
            cleaned += 1;
        }
        self.db.lrem(list, 0, &Bytes::new())?;
        Ok(cleaned)
    }

    /// `includes/cleanSet`.
    fn clean_set(&mut self, args: &CleanJobsInSet) -> Result<i64> {
        let set = self.list(args.set);
        let (since, finished): (&[&str], bool) = match args.set {
            JobList::Delayed => (&["processedOn", "timestamp"], false),
            JobList::Prioritized => (&["timestamp"], false),
            _ => (&[], true),
        };
        let most = if finished { args.timestamp as f64 } else { f64::INFINITY };
        let limit = match args.limit {
            0 => Limit::NONE,
            count => Limit { offset: 0, count },
        };
        let (least, most) = (ScoreBound::Incl(0.0), ScoreBound::Incl(most));
        let ids = self.db.zrangebyscore(set, least, most, limit)?;
        let ids: Vec<Bytes> = ids.map(|(id, _)| id.clone()).collect();
        let mut cleaned = Vec::new();
        for id in ids {
            let spared = !finished
                && if self.version >= Version::V5_81_5 {
                    self.is_job_scheduler_job(&id)?
                } else {
                    args.set == JobList::Delayed && self.names_a_registration(&id)?
                };
            if spared || !(finished || self.is_old(&id, since, args.timestamp)?) {
                continue;
            }
            self.clean(&id, args.set)?;
            cleaned.push(id);
        }
        self.db.zrem_many(set, cleaned.iter().map(Bytes::as_bytes))?;
        Ok(super::includes::signed(cleaned.len()))
    }

    fn clean(&mut self, id: &Bytes, from: JobList) -> Result<()> {
        self.dropped(id, from);
        self.remove_deduplication_key(id)?;
        self.remove_job_keys(id);
        Ok(())
    }

    /// `includes/getTimestamp`, and whether it is old enough. What has none is.
    fn is_old(&self, id: &Bytes, since: &[&str], timestamp: i64) -> Result<bool> {
        let key = self.keys.job(id);
        for field in since {
            if let Some(at) = self.db.hget(&key, field.as_bytes())? {
                return Ok(at.to_int().is_some_and(|at| at <= timestamp));
            }
        }
        Ok(true)
    }

    /// What 5.34 asks in its place: whether an id is that of any iteration of a registration.
    fn names_a_registration(&self, id: &Bytes) -> Result<bool> {
        let text = String::from_utf8_lossy(id);
        let Some((key, millis)) =
            text.strip_prefix("repeat:").and_then(|rest| rest.rsplit_once(':'))
        else {
            return Ok(false);
        };
        let digits = millis.starts_with(|digit: char| digit.is_ascii_digit());
        Ok(digits && self.db.zscore(&self.keys.repeat, key.as_bytes())?.is_some())
    }

    fn list(&self, list: JobList) -> &'a Key {
        let keys = self.keys;
        match list {
            JobList::Wait => &keys.wait,
            JobList::Active => &keys.active,
            JobList::Prioritized => &keys.prioritized,
            JobList::Delayed => &keys.delayed,
            JobList::Completed => &keys.completed,
            JobList::Failed => &keys.failed,
        }
    }
}
