//! Deduplication inside the scripts: who holds an id, who gets it, and the job that is made when
//! its holder finishes.

use super::add::AddJob;
use super::includes::NewJob;
use super::{Result, Script, job_id};
use crate::bullmq::Version;
use crate::bullmq::options::{Deduplication, Options};
use crate::event::{JobList, QueueEvent};
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Key, SetOptions};

/// What an add that comes with a deduplication id asks for.
struct Claim<'a> {
    wanted: &'a Deduplication,
    id: Bytes,
    key: Key,
    job: &'a Bytes,
    add: &'a AddJob,
    max_events: i64,
}

impl Claim<'_> {
    /// Milliseconds for which the id is held. A job that may keep the last add holds it until it
    /// has finished.
    fn ttl(&self) -> Option<i64> {
        let ttl = self.wanted.ttl.filter(|ttl| *ttl > 0 && !self.wanted.keep_last_if_active);
        ttl.filter(|_| !planted(Mutant::Q13))
    }
}

impl Script<'_> {
    /// `includes/deduplicateJob`: the job whose id the add returns, if it stores none. 5.34 knows an
    /// id and its `ttl` alone.
    pub(super) fn deduplicate_job(
        &mut self,
        add: &AddJob,
        job: &Bytes,
        max_events: i64,
    ) -> Result<Option<Bytes>> {
        let Some(wanted) = &add.deduplication else { return Ok(None) };
        let known;
        let wanted = if self.version >= Version::V5_81_5 {
            wanted
        } else {
            known = Deduplication::new(wanted.id.clone(), wanted.ttl);
            &known
        };
        let id = Bytes::from(wanted.id.as_str());
        let key = self.keys.deduplication(&id);
        let claim = Claim { wanted, id, key, job, add, max_events };
        if !wanted.replace {
            let holder = self.deduplicate_job_without_replace(&claim)?;
            if let Some(holder) = &holder
                && wanted.reschedule
                && self.version >= Version::V6_7_0
            {
                self.reschedule(holder, add, max_events)?;
            }
            return Ok(holder);
        }
        let Some(holder) = self.db.get(&claim.key)?.cloned() else {
            self.set_deduplication_key(&claim, job)?;
            return Ok(None);
        };
        if self.remove_delayed_job(&claim, &holder)? {
            if self.version >= Version::V6_7_0 {
                self.db.del(&self.keys.deduplication_next(&claim.id));
            }
            if claim.ttl().is_some() && !wanted.extend {
                let options = SetOptions { keep_ttl: true, ..SetOptions::default() };
                self.db.set(&claim.key, job.clone(), options)?;
            } else {
                self.set_deduplication_key(&claim, job)?;
            }
            return Ok(None);
        }
        if self.recover_stale_deduplication_key(&claim, &holder)? {
            return Ok(None);
        }
        self.store_deduplicated_next_job(&claim, &holder)?;
        self.deduplicated(&claim, &holder);
        Ok(Some(holder))
    }

    /// `includes/deduplicateJobWithoutReplace`.
    fn deduplicate_job_without_replace(&mut self, claim: &Claim<'_>) -> Result<Option<Bytes>> {
        let extend = claim.wanted.extend && claim.wanted.ttl.is_some_and(|ttl| ttl > 0);
        let taken = if extend {
            let free = self.db.get(&claim.key)?.is_none();
            if free {
                self.set_deduplication_key(claim, claim.job)?;
            }
            free
        } else {
            let options = SetOptions { px: claim.ttl(), nx: true, ..SetOptions::default() };
            self.db.set(&claim.key, claim.job.clone(), options)?
        };
        if taken {
            return Ok(None);
        }
        let holder = self.db.get(&claim.key)?.cloned().unwrap_or_default();
        if self.recover_stale_deduplication_key(claim, &holder)? {
            return Ok(None);
        }
        if !self.store_deduplicated_next_job(claim, &holder)? {
            if extend {
                self.set_deduplication_key(claim, &holder)?;
            }
            self.deduplicated_events(claim, &holder, claim.job)?;
        }
        self.deduplicated(claim, &holder);
        Ok(Some(holder))
    }

    /// `includes/setDeduplicationKey`.
    fn set_deduplication_key(&mut self, claim: &Claim<'_>, holder: &Bytes) -> Result<()> {
        let options = SetOptions { px: claim.ttl(), ..SetOptions::default() };
        self.db.set(&claim.key, holder.clone(), options).map(drop)
    }

    /// `includes/recoverStaleDeduplicationKey` of 6.7: an id that would be held for ever, by a job
    /// that is not there any more, goes to the new one.
    fn recover_stale_deduplication_key(
        &mut self,
        claim: &Claim<'_>,
        holder: &Bytes,
    ) -> Result<bool> {
        if self.version < Version::V6_7_0
            || self.db.pttl(&claim.key) != -1
            || self.db.exists(&self.keys.job(holder))
        {
            return Ok(false);
        }
        self.db.del(&claim.key);
        self.db.del(&self.keys.deduplication_next(&claim.id));
        self.set_deduplication_key(claim, claim.job)?;
        Ok(true)
    }

    /// `includes/storeDeduplicatedNextJob`: whether the holder is active, so that what was to be
    /// added is kept until it finishes, in place of what was kept before.
    fn store_deduplicated_next_job(&mut self, claim: &Claim<'_>, holder: &Bytes) -> Result<bool> {
        if !claim.wanted.keep_last_if_active
            || !self.db.lrange(&self.keys.active, 0, -1)?.any(|id| id == holder)
        {
            return Ok(false);
        }
        let add = claim.add;
        let mut fields = vec![
            ("name".into(), add.name.clone()),
            ("data".into(), add.data.clone()),
            ("opts".into(), add.options.clone()),
            ("jid".into(), claim.job.clone()),
        ];
        if let Some(key) = &add.registration {
            fields.push(("rjk".into(), key.clone()));
        }
        let next = self.keys.deduplication_next(&claim.id);
        self.db.del(&next);
        self.db.hset_many(&next, fields)?;
        self.db.persist(&claim.key);
        self.deduplicated_events(claim, holder, claim.job)?;
        Ok(true)
    }

    /// `includes/removeDelayedJob`: whether the holder was delayed, and is gone.
    fn remove_delayed_job(&mut self, claim: &Claim<'_>, holder: &Bytes) -> Result<bool> {
        if !self.db.zrem(&self.keys.delayed, holder)? {
            return Ok(false);
        }
        self.dropped(holder, JobList::Delayed);
        self.remove_job_keys(holder);
        let event = [("event", &"removed".into()), ("jobId", holder), ("prev", &"delayed".into())];
        self.xadd(None, &event)?;
        self.deduplicated_events(claim, claim.job, holder)?;
        Ok(true)
    }

    /// `reschedule` of 6.7: a holder that is delayed becomes due when the new job would have been.
    fn reschedule(&mut self, holder: &Bytes, add: &AddJob, max_events: i64) -> Result<()> {
        if self.db.zscore(&self.keys.delayed, holder)?.is_none() {
            return Ok(());
        }
        let delay = Bytes::from_int(add.delay);
        self.db.hset(&self.keys.job(holder), "delay".into(), delay)?;
        let due = self.enqueue_delayed(holder, add.timestamp, add.delay, max_events)?;
        self.emit(QueueEvent::Rescheduled { job: job_id(holder), due });
        Ok(())
    }

    /// The events of the stream, the older one up to 5.x. 5.34 does not name the other job.
    fn deduplicated_events(&mut self, claim: &Claim<'_>, job: &Bytes, other: &Bytes) -> Result<()> {
        let max = Some(claim.max_events);
        if self.version < Version::V6_7_0 {
            let word = "debounced".into();
            self.xadd(max, &[("event", &word), ("jobId", job), ("debounceId", &claim.id)])?;
        }
        let word = "deduplicated".into();
        let event = [
            ("event", &word),
            ("jobId", job),
            ("deduplicationId", &claim.id),
            ("deduplicatedJobId", other),
        ];
        let fields = if self.version >= Version::V5_81_5 { 4 } else { 3 };
        self.xadd(max, &event[..fields])
    }

    fn deduplicated(&mut self, claim: &Claim<'_>, holder: &Bytes) {
        let id = claim.id.clone();
        self.emit(QueueEvent::Deduplicated { job: job_id(holder), id });
    }

    /// `includes/requeueDeduplicatedJob` of 5.81 and later: a job that finishes makes the one that
    /// was kept while it was active. It gets the id, whoever held it.
    pub(super) fn requeue_deduplicated_job(&mut self, job: &Bytes, timestamp: i64) -> Result<()> {
        if self.version < Version::V5_81_5 {
            return Ok(());
        }
        let Some(id) = self.db.hget(&self.keys.job(job), b"deid")?.cloned() else {
            return Ok(());
        };
        let next = self.keys.deduplication_next(&id);
        if !self.db.exists(&next) {
            return Ok(());
        }
        let fields: [&[u8]; 5] = [b"name", b"data", b"opts", b"rjk", b"jid"];
        let [name, data, json, registration, kept_id] =
            self.db.hmget(&next, fields)?.map(|field| field.cloned());
        let counter = self.db.incr(&self.keys.counter)?;
        let new_id = kept_id.unwrap_or_else(|| Bytes::from_int(counter));
        let json = json.unwrap_or_default();
        let options = Options::from_json(&json);
        let px = options
            .deduplication
            .as_ref()
            .and_then(|wanted| wanted.ttl.filter(|ttl| *ttl > 0 && !wanted.keep_last_if_active));
        let set = SetOptions { px, ..SetOptions::default() };
        self.db.set(&self.keys.deduplication(&id), new_id.clone(), set)?;
        let max_events = self.get_or_set_max_events()?;
        let job = NewJob {
            id: &new_id,
            name: &name.unwrap_or_default(),
            data: &data.unwrap_or_default(),
            options: &json,
            timestamp,
            delay: options.delay.unwrap_or(0),
            priority: options.priority.unwrap_or(0),
            registration: registration.as_ref(),
            deduplication: options.deduplication.as_ref().map(|wanted| wanted.id.as_str().into()),
            tick: None,
        };
        self.store_and_enqueue_job(&job, options.lifo, max_events)?;
        self.db.del(&next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bullmq::keys::Keys;
    use crate::bullmq::options::KeepJobs;
    use crate::bullmq::scripts::{
        Call, FetchOptions, MoveToActive, MoveToFinished, Outcome, Returned, run,
    };
    use crate::event::QueueId;
    use crate::redis::Db;
    use std::rc::Rc;

    struct Queue {
        keys: Keys,
        db: Db,
        version: Version,
        now: i64,
        wanted: Deduplication,
    }

    impl Queue {
        fn new(version: Version, wanted: Deduplication) -> Self {
            let keys = Keys::new(QueueId(0), "bull", "q");
            Queue { keys, db: Db::new(), version, now: 1000, wanted }
        }

        fn run(&mut self, call: Call) -> Returned {
            self.db.set_now(self.now);
            run(&call, self.version, &self.keys, &mut self.db, &mut Vec::new())
        }

        /// The id that an add returns.
        fn add(&mut self, delay: i64, data: &str) -> String {
            let options = Options {
                deduplication: Some(self.wanted.clone()),
                delay: (delay > 0).then_some(delay),
                ..Options::default()
            };
            let add = Box::new(AddJob {
                id: None,
                name: "name".into(),
                data: data.into(),
                options: options.to_json().into(),
                timestamp: self.now,
                delay,
                priority: 0,
                lifo: false,
                registration: None,
                deduplication: options.deduplication,
                tick: None,
            });
            let call = if delay > 0 { Call::AddDelayedJob } else { Call::AddStandardJob };
            match self.run(call(add)) {
                Returned::Id(id) => id.to_string(),
                other => panic!("an add returned {other:?}"),
            }
        }

        fn options() -> Rc<FetchOptions> {
            Rc::new(FetchOptions { lock_duration: 30_000, limiter: None })
        }

        fn fetch(&mut self) {
            let (timestamp, token) = (self.now, "t".into());
            let call = MoveToActive { timestamp, token, options: Queue::options() };
            self.run(Call::MoveToActive(call));
        }

        fn finish(&mut self, id: &str) {
            let call = MoveToFinished {
                id: id.into(),
                timestamp: self.now,
                outcome: Outcome::Completed("null".into()),
                token: "t".into(),
                keep: KeepJobs { age: None, count: Some(0) },
                attempts: 0,
                fetch_next: false,
                options: Queue::options(),
            };
            self.run(Call::MoveToFinished(Box::new(call)));
        }

        fn holder(&self) -> Option<String> {
            let key = self.keys.deduplication(b"x");
            self.db.get(&key).expect("a string").map(|id| id.to_string())
        }

        fn ttl(&self) -> i64 {
            self.db.pttl(&self.keys.deduplication(b"x"))
        }

        fn waiting(&self) -> Vec<String> {
            let wait = self.db.lrange(&self.keys.wait, 0, -1).expect("a list");
            wait.map(|id| id.to_string()).collect()
        }
    }

    fn wanted(ttl: Option<i64>) -> Deduplication {
        Deduplication::new("x".into(), ttl)
    }

    const ALL: [Version; 3] = Version::ALL;

    #[test]
    fn an_add_that_is_ignored_extends_the_time() {
        for (version, left) in ALL.into_iter().zip([400, 500, 500]) {
            let wanted = Deduplication { extend: true, ..wanted(Some(500)) };
            let mut queue = Queue::new(version, wanted);
            assert_eq!(queue.add(0, "{}"), "1");
            queue.now = 1100;
            assert_eq!(queue.add(0, "{}"), "1");
            assert_eq!((queue.ttl(), queue.holder().as_deref()), (left, Some("1")));
        }
    }

    #[test]
    fn a_delayed_job_is_replaced_and_one_that_waits_is_not() {
        for version in ALL {
            let newer = version >= Version::V5_81_5;
            let wanted = Deduplication { replace: true, ..wanted(Some(500)) };
            let mut queue = Queue::new(version, wanted);
            queue.add(100, "{}");
            queue.now = 1050;
            let expected = if newer { "2" } else { "1" };
            assert_eq!(queue.add(0, "{}"), expected);
            assert_eq!((queue.holder().as_deref(), queue.ttl()), (Some(expected), 450));
            let delayed = queue.db.zcard(&queue.keys.delayed).expect("a set");
            assert_eq!((delayed, queue.waiting().len()), if newer { (0, 1) } else { (1, 0) });
            assert_eq!(queue.add(0, "{}"), expected);
        }
    }

    #[test]
    fn the_last_add_that_met_an_active_job_is_made_up_for() {
        for version in ALL {
            let newer = version >= Version::V5_81_5;
            let wanted = Deduplication { keep_last_if_active: true, ..wanted(Some(500)) };
            let mut queue = Queue::new(version, wanted);
            queue.add(0, "{}");
            queue.fetch();
            for data in ["\"a\"", "\"b\""] {
                assert_eq!(queue.add(0, data), "1");
            }
            assert_eq!(queue.ttl(), if newer { -1 } else { 500 });
            queue.finish("1");
            // The counter was burned by each add, and is once more.
            let expected: &[&str] = if newer { &["3"] } else { &[] };
            assert_eq!(queue.waiting(), expected);
            if newer {
                let data = queue.db.hget(&queue.keys.job(&"3".into()), b"data");
                assert_eq!(data.expect("a hash").cloned(), Some("\"b\"".into()));
                assert_eq!(queue.holder().as_deref(), Some("3"));
                queue.fetch();
                queue.finish("3");
                assert_eq!((queue.holder(), queue.waiting().len()), (None, 0));
            }
        }
    }

    #[test]
    fn only_6_7_takes_an_id_from_a_job_that_is_gone() {
        for (version, expected) in ALL.into_iter().zip(["1", "1", "2"]) {
            let mut queue = Queue::new(version, wanted(None));
            queue.add(0, "{}");
            queue.db.del(&queue.keys.job(&"1".into()));
            assert_eq!(queue.add(0, "{}"), expected);
        }
    }

    #[test]
    fn only_6_7_moves_the_instant_of_a_delayed_job() {
        for (version, due) in ALL.into_iter().zip([1100, 1100, 1250]) {
            let mut queue = Queue::new(version, Deduplication { reschedule: true, ..wanted(None) });
            queue.add(100, "{}");
            queue.now = 1050;
            assert_eq!(queue.add(200, "{}"), "1");
            let score = queue.db.zscore(&queue.keys.delayed, b"1").expect("a set");
            assert_eq!(score, Some(f64::from(due) * 4096.0));
        }
    }

    #[test]
    fn from_5_81_on_an_id_is_given_back_by_its_holder_alone() {
        for version in ALL {
            let mut queue = Queue::new(version, wanted(None));
            queue.add(0, "{}");
            let key = queue.keys.deduplication(b"x");
            queue.db.set(&key, "other".into(), SetOptions::default()).expect("a string");
            queue.fetch();
            queue.finish("1");
            assert_eq!(queue.holder().is_some(), version >= Version::V5_81_5);
        }
    }
}
