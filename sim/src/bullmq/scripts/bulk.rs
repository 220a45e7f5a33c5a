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
            JobList::Wait | JobList::Paused | JobList::Active => self.clean_list(args)?,
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
        let from = if from == JobList::Paused { JobList::Wait } else { from };
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
            JobList::Paused => &keys.paused,
            JobList::Active => &keys.active,
            JobList::Prioritized => &keys.prioritized,
            JobList::Delayed => &keys.delayed,
            JobList::Completed => &keys.completed,
            JobList::Failed => &keys.failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bullmq::keys::Keys;
    use crate::bullmq::scripts::{Call, run};
    use crate::event::QueueId;
    use crate::redis::Db;

    fn clean(version: Version, set: JobList, limit: i64, fill: impl Fn(&Keys, &mut Db)) -> i64 {
        let keys = Keys::new(QueueId(0), "bull", "q");
        let mut db = Db::new();
        fill(&keys, &mut db);
        let call = Call::CleanJobsInSet(CleanJobsInSet { set, timestamp: 1500, limit });
        match run(&call, version, &keys, &mut db, &mut Vec::new()) {
            Returned::Code(count) => count,
            other => panic!("a clean returned {other:?}"),
        }
    }

    fn store(keys: &Keys, db: &mut Db, id: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(field, value)| ((*field).into(), (*value).into()));
        db.hset_many(&keys.job(&id.into()), fields).expect("a hash");
    }

    /// One job of a registration that points to it, one of its orphans, an old job and a new one.
    fn fill(keys: &Keys, db: &mut Db) {
        db.zadd(&keys.repeat, "s".into(), 2000.0).expect("a set");
        for (id, at, key) in
            [("repeat:s:2000", "1000", "s"), ("repeat:s:1000", "1000", "s"), ("old", "1500", "")]
        {
            store(keys, db, id, &[("timestamp", at)]);
            if !key.is_empty() {
                store(keys, db, id, &[("rjk", key)]);
            }
        }
        store(keys, db, "new", &[("timestamp", "1501")]);
        for id in ["repeat:s:2000", "repeat:s:1000", "old", "new", "ghost"] {
            db.zadd(&keys.delayed, id.into(), 1.0).expect("a set");
            db.zadd(&keys.prioritized, id.into(), 1.0).expect("a set");
            db.rpush(&keys.wait, [id.into()]).expect("a list");
        }
    }

    #[test]
    fn a_clean_spares_what_is_new_and_the_current_iterations() {
        let counts = |version| {
            [JobList::Delayed, JobList::Prioritized, JobList::Wait]
                .map(|set| clean(version, set, 0, fill))
        };
        // 5.34 spares every iteration of a registration, but only of those that are delayed.
        assert_eq!(counts(Version::V5_34_10), [2, 4, 4]);
        assert_eq!(counts(Version::V5_81_5), [3, 3, 3]);
        assert_eq!(counts(Version::V6_7_0), [3, 3, 3]);
        // The last two of the list are the oldest.
        assert_eq!(clean(Version::V5_81_5, JobList::Wait, 2, fill), 1);
    }

    #[test]
    fn a_lock_keeps_an_active_job_and_a_finished_one_is_as_old_as_its_end() {
        let fill = |keys: &Keys, db: &mut Db| {
            for id in ["a", "b"] {
                store(keys, db, id, &[("timestamp", "1"), ("processedOn", "1400")]);
                db.rpush(&keys.active, [id.into()]).expect("a list");
            }
            let lock = keys.lock(&"a".into());
            db.set(&lock, "t".into(), crate::redis::SetOptions::default()).expect("a string");
            db.zadd(&keys.completed, "c".into(), 1500.0).expect("a set");
            db.zadd(&keys.completed, "d".into(), 1501.0).expect("a set");
        };
        assert_eq!(clean(Version::V6_7_0, JobList::Active, 0, fill), 1);
        assert_eq!(clean(Version::V6_7_0, JobList::Completed, 0, fill), 1);
    }
}
