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
        if args.producer != iteration_id(&args.id, current as i64) {
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
                if options.every.is_some() && !updated_every {
                    next = previous;
                }
            }
            _ => options.offset = Some(new_offset),
        }
        let mut id = iteration_id(&args.id, next);
        if self.db.exists(&self.keys.job(&id)) {
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
        if args.producer != iteration_id(&args.id, previous) {
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
