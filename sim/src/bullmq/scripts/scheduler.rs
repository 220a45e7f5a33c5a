//! `addJobScheduler-6` and `updateJobScheduler-7` of BullMQ 5.34.10, `addJobScheduler-11` and
//! `updateJobScheduler-12` of 5.81.5 and 6.7.0: what makes a job scheduler's iterations.

use super::includes::NewJob;
use super::repeat::RegistrationOptions;
use super::{Result, Returned, Script, job_id};
use crate::bullmq::Version;
use crate::bullmq::keys::iteration_id;
use crate::bullmq::options::Options;
use crate::clock::Instant;
use crate::event::{JobList, QueueEvent};
use crate::mutants::{Mutant, planted};
use crate::redis::Bytes;

/// How many slots of `every` are tried where jobs have their ids.
const SLOT_SCANS: u32 = 32;

/// The arguments of `addJobScheduler-6` and `-11`.
#[derive(Clone, Debug)]
pub struct AddJobScheduler {
    /// The millisecond of the next iteration; `None` with `every` from 5.81 on.
    pub next_millis: Option<i64>,
    /// What the hash will say.
    pub options: RegistrationOptions,
    /// The scheduler's id.
    pub id: Bytes,
    /// The template's data as JSON.
    pub data: Bytes,
    /// The template's options as JSON.
    pub template: Bytes,
    /// The options of the iteration as JSON. From 5.81 on the script fills in its id and delay.
    pub job_options: Bytes,
    /// When the iteration was made, by the client's clock.
    pub timestamp: i64,
    /// Milliseconds from then until it is due: 5.34's alone.
    pub delay: i64,
    /// 0 is none.
    pub priority: u32,
    /// The deduplication id that the iteration's end gives back. It is not taken.
    pub deduplication: Option<Bytes>,
}

/// The arguments of `updateJobScheduler-7` and `-12`: the next iteration, made by the running one.
#[derive(Clone, Debug)]
pub struct UpdateJobScheduler {
    /// The millisecond of the next iteration; `None` with `every` from 5.81 on.
    pub next_millis: Option<i64>,
    /// The registration's key.
    pub id: Bytes,
    /// The running iteration's data as JSON: not looked at from 6.0 on.
    pub data: Bytes,
    /// The options of the next one as JSON. From 5.81 on the script fills in its id and delay.
    pub job_options: Bytes,
    /// When it was made, by the client's clock.
    pub timestamp: i64,
    /// Milliseconds from then until it is due: 5.34's alone.
    pub delay: i64,
    /// 0 is none.
    pub priority: u32,
    /// The deduplication id that the iteration's end gives back. It is not taken.
    pub deduplication: Option<Bytes>,
    /// The running iteration.
    pub producer: Bytes,
}

impl AddJobScheduler {
    /// What the hash keeps for later iterations: nothing where there is nothing.
    fn template_fields(&self) -> Vec<(Bytes, Bytes)> {
        let fields = [("opts", &self.template), ("data", &self.data)];
        let said = fields.into_iter().filter(|(_, json)| json.as_bytes() != b"{}");
        said.map(|(field, json)| (field.into(), json.clone())).collect()
    }
}

impl Script<'_> {
    /// `addJobScheduler`.
    pub(super) fn add_job_scheduler(&mut self, args: &AddJobScheduler) -> Result<Returned> {
        if self.version >= Version::V5_81_5 {
            self.add_job_scheduler_11(args)
        } else {
            self.add_job_scheduler_6(args)
        }
    }

    /// `updateJobScheduler`: does nothing unless the registration points to the running job.
    pub(super) fn update_job_scheduler(&mut self, args: &UpdateJobScheduler) -> Result<Returned> {
        if self.version >= Version::V5_81_5 {
            self.update_job_scheduler_12(args)
        } else {
            self.update_job_scheduler_7(args)
        }
    }

    /// `addJobScheduler-6`. It stores the iteration whether or not a job of that id exists.
    fn add_job_scheduler_6(&mut self, args: &AddJobScheduler) -> Result<Returned> {
        let next_millis = args.next_millis.unwrap_or_default();
        let next = iteration_id(&args.id, next_millis);
        if let Some(previous) = self.db.zscore(&self.keys.repeat, &args.id)? {
            let pending = iteration_id(&args.id, previous as i64);
            if pending == next || !self.db.exists(&self.keys.job(&next)) {
                self.replace_pending(&args.id, previous)?;
            }
        }
        self.store_registration(&args.id, next_millis, &args.options, args.template_fields())?;
        let max_events = self.get_or_set_max_events()?;
        self.db.incr(&self.keys.counter)?;
        let job = NewJob {
            id: &next,
            name: &args.options.name,
            data: &args.data,
            options: &args.job_options,
            timestamp: args.timestamp,
            delay: args.delay,
            priority: args.priority,
            registration: Some(&args.id),
            deduplication: args.deduplication.clone(),
            tick: Some(Instant::from_ms(next_millis)),
        };
        self.add_delayed(&job, max_events)?;
        Ok(Returned::Id(next))
    }

    /// `updateJobScheduler-7`: does nothing unless the registration points to the running job.
    fn update_job_scheduler_7(&mut self, args: &UpdateJobScheduler) -> Result<Returned> {
        let Some(current) = self.db.zscore(&self.keys.repeat, &args.id)? else {
            return Ok(Returned::Code(0));
        };
        if args.producer != iteration_id(&args.id, current as i64) && !planted(Mutant::Q2) {
            return Ok(Returned::Code(0));
        }
        let next_millis = args.next_millis.unwrap_or_default();
        let registration = self.keys.registration(&args.id);
        let [name, data] = self.db.hmget(&registration, [b"name", b"data"])?;
        let name = name.cloned().unwrap_or_default();
        let data = data.unwrap_or(&args.data).clone();
        self.db.zadd(&self.keys.repeat, args.id.clone(), next_millis as f64)?;
        self.registered(&args.id, &name, next_millis);
        let max_events = self.get_or_set_max_events()?;
        self.db.incr(&self.keys.counter)?;
        if data.as_bytes() != b"{}" {
            self.db.hset(&registration, "data".into(), data.clone())?;
        }
        let next = iteration_id(&args.id, next_millis);
        let job = NewJob {
            id: &next,
            name: &name,
            data: &data,
            options: &args.job_options,
            timestamp: args.timestamp,
            delay: args.delay,
            priority: args.priority,
            registration: Some(&args.id),
            deduplication: args.deduplication.clone(),
            tick: Some(Instant::from_ms(next_millis)),
        };
        self.add_delayed(&job, max_events)?;
        self.db.hset(&self.keys.job(&args.producer), "nrjid".into(), next.clone())?;
        Ok(Returned::Id(next))
    }

    /// `addJobScheduler-11`. The current iteration goes if no worker has it; `every` then keeps its
    /// instant, a pattern goes on to the next.
    fn add_job_scheduler_11(&mut self, args: &AddJobScheduler) -> Result<Returned> {
        let max_events = self.get_or_set_max_events()?;
        let previous = self.db.zscore(&self.keys.repeat, &args.id)?.map(|millis| millis as i64);
        let (mut options, mut job_options) =
            (args.options.clone(), Options::from_json(&args.job_options));
        let offset = options.offset.or(offset_of(&job_options)).unwrap_or(0);
        let mut updated_every = false;
        let (mut next, new_offset) = match options.every {
            None => (args.next_millis.unwrap_or_default(), offset),
            Some(every) => {
                let registration = self.keys.registration(&args.id);
                let before = self.db.hget(&registration, b"every")?.and_then(Bytes::to_int);
                updated_every = previous.is_some() && before != Some(every);
                let from = previous.filter(|_| !updated_every);
                get_job_scheduler_every_next_millis(
                    from,
                    every,
                    args.timestamp,
                    offset,
                    options.start_date,
                )
            }
        };
        let current = previous.map(|millis| iteration_id(&args.id, millis));
        let removed = match &current {
            Some(id) => self.db.exists(&self.keys.job(id)) && self.remove_job_from_scheduler(id)?,
            None => false,
        };
        match previous {
            Some(previous) if removed => {
                if let Some(every) = options.every.filter(|_| !updated_every) {
                    let from_now = planted(Mutant::Q4);
                    next = if from_now { args.timestamp + every } else { previous };
                }
            }
            _ => options.offset = Some(new_offset),
        }
        let mut id = iteration_id(&args.id, next);
        if self.db.exists(&self.keys.job(&id)) {
            if planted(Mutant::O3) {
                self.store_job_scheduler(args, &options, next)?;
            }
            match options.every {
                // Kept iterations of an earlier scheduler of that id may have several slots.
                Some(every) => {
                    let mut scanned = 0;
                    while self.db.exists(&self.keys.job(&id)) {
                        if scanned == SLOT_SCANS {
                            return Ok(self.refuse(&id, -11));
                        }
                        next += every;
                        id = iteration_id(&args.id, next);
                        scanned += 1;
                    }
                }
                None if !removed => return Ok(self.refuse(&id, -10)),
                None => {}
            }
        }
        let delay = (next - args.timestamp).max(0);
        self.store_job_scheduler(args, &options, next)?;
        if removed && options.every.is_some() && planted(Mutant::Q3) {
            return Ok(Returned::Id(id));
        }
        self.db.incr(&self.keys.counter)?;
        job_options.delay = Some(delay);
        job_options.job_id = Some(String::from_utf8_lossy(&id).into_owned());
        self.add_job_from_scheduler(
            &Iteration {
                id: &id,
                millis: next,
                name: &options.name,
                data: &args.data,
                registration: &args.id,
                timestamp: args.timestamp,
            },
            &job_options,
            max_events,
        )?;
        Ok(Returned::Id(id))
    }

    /// `removeJobFromScheduler`: whether no worker had the iteration, so that it went. Even 6.x
    /// looks for it in `paused` while the queue is paused, where its own jobs never are.
    fn remove_job_from_scheduler(&mut self, id: &Bytes) -> Result<bool> {
        let keys = self.keys;
        let from = if self.db.zscore(&keys.delayed, id)?.is_some() {
            JobList::Delayed
        } else if self.db.zscore(&keys.prioritized, id)?.is_some() {
            JobList::Prioritized
        } else {
            let paused = self.db.hexists(&keys.meta, b"paused")?;
            let list = if paused { &keys.paused } else { &keys.wait };
            if self.db.lrem(list, 1, id)? == 0 {
                return Ok(false);
            }
            JobList::Wait
        };
        self.dropped(id, from);
        self.remove_deduplication_key(id)?;
        self.remove_job_keys(id);
        match from {
            JobList::Delayed => self.db.zrem(&keys.delayed, id)?,
            JobList::Prioritized => self.db.zrem(&keys.prioritized, id)?,
            _ => true,
        };
        Ok(true)
    }

    /// `includes/storeJobScheduler`: the hash is written anew. What was said before is kept of the
    /// offset, where nothing is said now, and of the count of iterations.
    fn store_job_scheduler(
        &mut self,
        args: &AddJobScheduler,
        options: &RegistrationOptions,
        next_millis: i64,
    ) -> Result<()> {
        self.db.zadd(&self.keys.repeat, args.id.clone(), next_millis as f64)?;
        let registration = self.keys.registration(&args.id);
        let [offset, count] = self.db.hmget(&registration, [b"offset", b"ic"])?;
        let offset = options.offset.map(Bytes::from_int).or(offset.cloned());
        let count = count.cloned().unwrap_or_else(|| "1".into());
        let mut fields = options.fields();
        let limit = options.limit.map(i64::from).map(Bytes::from_int);
        let start_date = options.start_date.map(Bytes::from_int);
        for (field, value) in [("limit", limit), ("startDate", start_date), ("offset", offset)] {
            fields.extend(value.map(|value| (field.into(), value)));
        }
        fields.extend(args.template_fields());
        fields.push(("ic".into(), count));
        self.db.del(&registration);
        self.db.hset_many(&registration, fields)?;
        self.registered(&args.id, &options.name, next_millis);
        Ok(())
    }

    /// `updateJobScheduler-12`. It stores nothing where a job has the id of the next iteration: the
    /// registration then goes on pointing to the running one, whose end is the end of the chain.
    fn update_job_scheduler_12(&mut self, args: &UpdateJobScheduler) -> Result<Returned> {
        let Some(previous) = self.db.zscore(&self.keys.repeat, &args.id)? else {
            return Ok(Returned::Code(0));
        };
        let previous = previous as i64;
        let registration = self.keys.registration(&args.id);
        let fields: [&[u8]; 4] = [b"name", b"data", b"every", b"offset"];
        let [name, data, every, offset] = self.db.hmget(&registration, fields)?;
        let (name, data) = (name.cloned().unwrap_or_default(), data.cloned());
        let mut job_options = Options::from_json(&args.job_options);
        let every = every.and_then(Bytes::to_int);
        let every = every.or(job_options.repeat.as_ref().and_then(|repeat| repeat.every));
        let offset = offset.and_then(Bytes::to_int).or(offset_of(&job_options)).unwrap_or(0);
        let next = match every {
            None => args.next_millis.unwrap_or_default(),
            Some(every) => {
                let (now, from) = (args.timestamp, Some(previous));
                get_job_scheduler_every_next_millis(from, every, now, offset, None).0
            }
        };
        if args.producer != iteration_id(&args.id, previous) && !planted(Mutant::Q2) {
            return Ok(Returned::Code(0));
        }
        let id = iteration_id(&args.id, next);
        let max_events = self.get_or_set_max_events()?;
        if self.db.exists(&self.keys.job(&id)) {
            self.xadd(Some(max_events), &[("event", &"duplicated".into()), ("jobId", &id)])?;
            self.emit(QueueEvent::Duplicated { job: job_id(&id) });
            return Ok(Returned::Code(0));
        }
        self.db.zadd(&self.keys.repeat, args.id.clone(), next as f64)?;
        self.db.hincrby(&registration, b"ic", 1)?;
        self.registered(&args.id, &name, next);
        self.db.incr(&self.keys.counter)?;
        let data = if self.version >= Version::V6_7_0 {
            data.unwrap_or_else(|| "{}".into())
        } else {
            let data = data.unwrap_or_else(|| args.data.clone());
            if data.as_bytes() != b"{}" {
                self.db.hset(&registration, "data".into(), data.clone())?;
            }
            data
        };
        job_options.delay = Some((next - args.timestamp).max(0));
        job_options.job_id = Some(String::from_utf8_lossy(&id).into_owned());
        self.add_job_from_scheduler(
            &Iteration {
                id: &id,
                millis: next,
                name: &name,
                data: &data,
                registration: &args.id,
                timestamp: args.timestamp,
            },
            &job_options,
            max_events,
        )?;
        if self.version < Version::V6_7_0 {
            self.db.hset(&self.keys.job(&args.producer), "nrjid".into(), id.clone())?;
        }
        Ok(Returned::Id(id))
    }

    /// `includes/addJobFromScheduler`.
    fn add_job_from_scheduler(
        &mut self,
        iteration: &Iteration<'_>,
        options: &Options,
        max_events: i64,
    ) -> Result<()> {
        let job = NewJob {
            id: iteration.id,
            name: iteration.name,
            data: iteration.data,
            options: &options.to_json().into(),
            timestamp: iteration.timestamp,
            delay: options.delay.unwrap_or(0),
            priority: options.priority.unwrap_or(0),
            registration: Some(iteration.registration),
            deduplication: options.deduplication.as_ref().map(|held| held.id.as_str().into()),
            tick: Some(Instant::from_ms(iteration.millis)),
        };
        self.store_and_enqueue_job(&job, options.lifo, max_events)
    }
}

/// One iteration of a job scheduler, as its two scripts have it.
struct Iteration<'a> {
    id: &'a Bytes,
    millis: i64,
    name: &'a Bytes,
    data: &'a Bytes,
    registration: &'a Bytes,
    timestamp: i64,
}

/// `jobOpts['repeat']['offset']`.
fn offset_of(options: &Options) -> Option<i64> {
    options.repeat.as_ref().and_then(|repeat| repeat.offset)
}

/// `includes/getJobSchedulerEveryNextMillis`: the next instant, and the offset in its slot. Slots
/// that were missed are left out.
fn get_job_scheduler_every_next_millis(
    previous: Option<i64>,
    every: i64,
    now: i64,
    offset: i64,
    start_date: Option<i64>,
) -> (i64, i64) {
    let aligned = now.div_euclid(every) * every + offset;
    let after_now = if aligned <= now { aligned + every } else { aligned };
    let next = match (previous, start_date) {
        (Some(previous), _) if previous + every >= now => previous + every,
        (Some(_), _) => after_now,
        (None, Some(start)) => start.max(now),
        (None, None) if offset > 0 => after_now,
        (None, None) => now,
    };
    let offset = if offset == 0 { next.rem_euclid(every) } else { offset };
    (next, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bullmq::keys::Keys;
    use crate::bullmq::scripts::{Call, FetchOptions, MoveToActive, run};
    use crate::event::QueueId;
    use crate::redis::{Db, Key};
    use std::rc::Rc;

    /// A queue of one version.
    struct Queue {
        keys: Keys,
        db: Db,
        version: Version,
        now: i64,
    }

    impl Queue {
        fn new(version: Version) -> Self {
            let keys = Keys::new(QueueId(0), "bull", "q");
            Queue { keys, db: Db::new(), version, now: 1_000_500 }
        }

        fn run(&mut self, call: Call) -> String {
            self.db.set_now(self.now);
            let mut events = Vec::new();
            match run(&call, self.version, &self.keys, &mut self.db, &mut events) {
                Returned::Id(id) => id.to_string(),
                Returned::Code(code) => code.to_string(),
                other => format!("{other:?}"),
            }
        }

        fn upsert(&mut self, options: RegistrationOptions, next_millis: Option<i64>) -> String {
            let add = AddJobScheduler {
                next_millis,
                options,
                id: "s".into(),
                data: r#"{"a":1}"#.into(),
                template: "{}".into(),
                job_options: r#"{"attempts":0}"#.into(),
                timestamp: self.now,
                delay: 0,
                priority: 0,
                deduplication: None,
            };
            self.run(Call::AddJobScheduler(Box::new(add)))
        }

        fn every(&mut self, every: i64) -> String {
            self.upsert(RegistrationOptions { every: Some(every), ..named() }, None)
        }

        fn pattern(&mut self, next: i64) -> String {
            let options = RegistrationOptions { pattern: Some("* * * * *".into()), ..named() };
            self.upsert(options, Some(next))
        }

        fn update(&mut self, producer: &str, job_options: &str) -> String {
            let update = UpdateJobScheduler {
                next_millis: None,
                id: "s".into(),
                data: r#"{"old":1}"#.into(),
                job_options: job_options.into(),
                timestamp: self.now,
                delay: 0,
                priority: 0,
                deduplication: None,
                producer: producer.into(),
            };
            self.run(Call::UpdateJobScheduler(Box::new(update)))
        }

        fn fetch(&mut self) {
            let options = Rc::new(FetchOptions { lock_duration: 30_000, limiter: None });
            let call = MoveToActive { timestamp: self.now, token: "t".into(), options };
            self.run(Call::MoveToActive(call));
        }

        /// Another job's hash of that id.
        fn take(&mut self, id: &str) {
            let key = self.keys.job(&id.into());
            self.db.hset(&key, "name".into(), "other".into()).expect("a hash");
        }

        fn list(&self, key: &Key) -> Vec<String> {
            self.db.lrange(key, 0, -1).expect("a list").map(|id| id.to_string()).collect()
        }

        fn delayed(&self) -> Vec<(String, i64)> {
            let all = self.db.zrange(&self.keys.delayed, 0, -1).expect("a set");
            all.map(|(id, score)| (id.to_string(), (score / 4096.0) as i64)).collect()
        }

        fn hash(&self) -> Vec<String> {
            let key = self.keys.registration(&"s".into());
            let all = self.db.hgetall(&key).expect("a hash");
            let mut all: Vec<_> = all.map(|(field, value)| format!("{field}={value}")).collect();
            all.sort();
            all
        }
    }

    fn named() -> RegistrationOptions {
        RegistrationOptions { name: "tick".into(), ..RegistrationOptions::default() }
    }

    const NEWER: [Version; 2] = [Version::V5_81_5, Version::V6_7_0];

    #[test]
    fn every_is_due_at_once_and_then_from_there() {
        for version in NEWER {
            let mut queue = Queue::new(version);
            assert_eq!(queue.every(60_000), "repeat:s:1000500");
            assert_eq!(queue.list(&queue.keys.wait), ["repeat:s:1000500"]);
            // 1,000,500 is 40,500 ms after a multiple of the period.
            let hash = ["data={\"a\":1}", "every=60000", "ic=1", "name=tick", "offset=40500"];
            assert_eq!(queue.hash(), hash);
            queue.fetch();
            let options = r#"{"attempts":0,"repeat":{"every":60000,"count":1}}"#;
            assert_eq!(queue.update("repeat:s:1000500", options), "repeat:s:1060500");
            assert_eq!(queue.delayed(), [("repeat:s:1060500".to_owned(), 1_060_500)]);
            assert_eq!(queue.hash()[2], "ic=2");
            // A second time: the registration has gone on.
            assert_eq!(queue.update("repeat:s:1000500", options), "0");
        }
    }

    #[test]
    fn a_pending_slot_is_kept_by_an_upsert_and_a_missed_one_is_left_out() {
        for version in NEWER {
            let mut queue = Queue::new(version);
            queue.every(60_000);
            queue.fetch();
            // The running one stays; the next slot comes beside it.
            assert_eq!(queue.every(60_000), "repeat:s:1060500");
            queue.now = 1_070_000;
            // Overdue, and no worker had it: it waits now.
            assert_eq!(queue.every(60_000), "repeat:s:1060500");
            assert_eq!(queue.list(&queue.keys.wait), ["repeat:s:1060500"]);
            assert_eq!(queue.delayed(), []);
            // Another period begins anew.
            assert_eq!(queue.every(30_000), "repeat:s:1070000");
            queue.fetch();
            // Slots have gone by meanwhile. The offset is still that of the longer period.
            queue.now = 1_150_000;
            let options = r#"{"repeat":{"every":30000}}"#;
            assert_eq!(queue.update("repeat:s:1070000", options), "repeat:s:1180500");
        }
    }

    #[test]
    fn a_taken_id_is_passed_over_32_times_or_refused() {
        for version in NEWER {
            let mut queue = Queue::new(version);
            queue.take("repeat:s:1000500");
            queue.take("repeat:s:1000600");
            assert_eq!(queue.every(100), "repeat:s:1000700");
            let mut queue = Queue::new(version);
            (0..33).for_each(|slot| queue.take(&format!("repeat:s:{}", 1_000_500 + slot * 100)));
            assert_eq!(queue.every(100), "-11");
            assert_eq!(queue.hash(), Vec::<String>::new());
            let mut queue = Queue::new(version);
            queue.take("repeat:s:1060000");
            assert_eq!(queue.pattern(1_060_000), "-10");
            assert_eq!(queue.pattern(1_120_000), "repeat:s:1120000");
            // In the same call as it goes itself it may come again.
            assert_eq!(queue.pattern(1_120_000), "repeat:s:1120000");
            assert_eq!(queue.delayed().len(), 1);
        }
    }

    #[test]
    fn a_pause_hides_a_waiting_iteration_from_6_7() {
        let mut left = Vec::new();
        for version in NEWER {
            let mut queue = Queue::new(version);
            queue.run(Call::Pause(true));
            queue.pattern(queue.now);
            queue.now += 1000;
            queue.pattern(queue.now);
            let keys = &queue.keys;
            left.push(queue.list(&keys.wait).len() + queue.list(&keys.paused).len());
        }
        // 6.7 is to keep both, as soon as its own adds go to `wait`.
        assert_eq!(left[0], 1);
    }

    #[test]
    fn the_next_iteration_has_the_template_or_up_to_5_x_the_data_of_the_running_one() {
        for (version, expected) in NEWER.into_iter().zip([r#"{"old":1}"#, "{}"]) {
            let mut queue = Queue::new(version);
            let (repeat, key) = (queue.keys.repeat.clone(), "s".into());
            queue.db.zadd(&repeat, key, 1_000_000.0).expect("a set");
            let hash = queue.keys.registration(&"s".into());
            queue.db.hset(&hash, "name".into(), "tick".into()).expect("a hash");
            let options = r#"{"repeat":{"every":60000,"offset":500}}"#;
            assert_eq!(queue.update("repeat:s:1000000", options), "repeat:s:1060000");
            let next = queue.keys.job(&"repeat:s:1060000".into());
            let data = queue.db.hget(&next, b"data").expect("a hash").cloned();
            assert_eq!(data, Some(expected.into()));
            let producer = queue.keys.job(&"repeat:s:1000000".into());
            assert_eq!(queue.db.exists(&producer), version < Version::V6_7_0);
            // A leftover in the next slot ends the chain.
            queue.take("repeat:s:1120000");
            assert_eq!(queue.update("repeat:s:1060000", options), "0");
        }
    }

    #[test]
    fn slots_respect_a_start_and_an_offset() {
        let next = get_job_scheduler_every_next_millis;
        assert_eq!(next(None, 60_000, 1_000_500, 0, Some(1_010_000)), (1_010_000, 50_000));
        assert_eq!(next(None, 60_000, 1_000_500, 5000, None), (1_025_000, 5000));
        assert_eq!(next(Some(900_000), 60_000, 1_000_500, 0, None), (1_020_000, 0));
        assert_eq!(next(Some(1_000_000), 60_000, 1_000_500, 0, None), (1_060_000, 40_000));
    }
}
