//! `addRepeatableJob-2`, `addJobScheduler-6`, `updateJobScheduler-7`, `removeRepeatable-3`,
//! `removeJobScheduler-3` of BullMQ 5.34.10: what writes and deletes registrations.

use super::includes::NewJob;
use super::{Result, Returned, Script, registration_key};
use crate::bullmq::keys::iteration_id;
use crate::clock::Instant;
use crate::event::{QueueEvent, Registered};
use crate::redis::Bytes;

/// What a registration's hash says about it.
#[derive(Clone, Debug)]
pub struct RegistrationOptions {
    /// The name of its jobs.
    pub name: Bytes,
    /// The time zone.
    pub tz: Option<Bytes>,
    /// The cron pattern.
    pub pattern: Option<Bytes>,
    /// The period in milliseconds.
    pub every: Option<i64>,
}

/// The arguments of `addRepeatableJob-2`: the first of the older API's two round trips.
#[derive(Clone, Debug)]
pub struct AddRepeatableJob {
    /// The millisecond of the next iteration.
    pub next_millis: i64,
    /// What the hash will say.
    pub options: RegistrationOptions,
    /// The registration's key as versions up to 3.0.0 wrote it: used if it is there.
    pub legacy_key: Bytes,
    /// The registration's key.
    pub key: Bytes,
}

/// The arguments of `addJobScheduler-6`.
#[derive(Clone, Debug)]
pub struct AddJobScheduler {
    /// The millisecond of the next iteration.
    pub next_millis: i64,
    /// What the hash will say.
    pub options: RegistrationOptions,
    /// The scheduler's id.
    pub id: Bytes,
    /// The template's data as JSON.
    pub data: Bytes,
    /// The template's options as JSON.
    pub template: Bytes,
    /// The options of the iteration as JSON.
    pub job_options: Bytes,
    /// When the iteration was made, by the client's clock.
    pub timestamp: i64,
    /// Milliseconds from then until it is due.
    pub delay: i64,
    /// 0 is none.
    pub priority: u32,
    /// The deduplication id that the iteration's end gives back. It is not taken.
    pub deduplication: Option<Bytes>,
}

/// The arguments of `updateJobScheduler-7`: the next iteration, made by the running one.
#[derive(Clone, Debug)]
pub struct UpdateJobScheduler {
    /// The millisecond of the next iteration.
    pub next_millis: i64,
    /// The registration's key.
    pub id: Bytes,
    /// The running iteration's data as JSON.
    pub data: Bytes,
    /// The options of the next one as JSON.
    pub job_options: Bytes,
    /// When it was made, by the client's clock.
    pub timestamp: i64,
    /// Milliseconds from then until it is due.
    pub delay: i64,
    /// 0 is none.
    pub priority: u32,
    /// The deduplication id that the iteration's end gives back. It is not taken.
    pub deduplication: Option<Bytes>,
    /// The running iteration.
    pub producer: Bytes,
}

/// The arguments of `removeRepeatable-3`.
#[derive(Clone, Debug)]
pub struct RemoveRepeatable {
    /// The id of an iteration as old versions wrote it, without its millisecond.
    pub legacy_job_id: Bytes,
    /// The registration's key as old versions wrote it.
    pub legacy_key: Bytes,
    /// The registration's key.
    pub key: Bytes,
}

impl Script<'_> {
    /// `addRepeatableJob-2`. Between it and the add of the iteration the registration stands
    /// without one.
    pub(super) fn add_repeatable_job(&mut self, args: &AddRepeatableJob) -> Result<Returned> {
        if let Some(previous) = self.db.zscore(&self.keys.repeat, &args.key)? {
            let next = self.keys.job(&iteration_id(&args.key, args.next_millis));
            if !self.db.exists(&next) {
                self.replace_pending(&args.key, previous)?;
            }
        }
        let key = match self.db.zscore(&self.keys.repeat, &args.legacy_key)? {
            Some(_) => &args.legacy_key,
            None => &args.key,
        };
        self.store_registration(key, args.next_millis, &args.options, Vec::new())?;
        Ok(Returned::Id(key.clone()))
    }

    /// `addJobScheduler-6`. It stores the iteration whether or not a job of that id exists.
    pub(super) fn add_job_scheduler(&mut self, args: &AddJobScheduler) -> Result<Returned> {
        let next = iteration_id(&args.id, args.next_millis);
        if let Some(previous) = self.db.zscore(&self.keys.repeat, &args.id)? {
            let pending = iteration_id(&args.id, previous as i64);
            if pending == next || !self.db.exists(&self.keys.job(&next)) {
                self.replace_pending(&args.id, previous)?;
            }
        }
        let mut template = Vec::new();
        if args.template.as_bytes() != b"{}" {
            template.push(("opts".into(), args.template.clone()));
        }
        if args.data.as_bytes() != b"{}" {
            template.push(("data".into(), args.data.clone()));
        }
        self.store_registration(&args.id, args.next_millis, &args.options, template)?;
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
            tick: Some(Instant::from_ms(args.next_millis)),
        };
        self.add_delayed(&job, max_events)?;
        Ok(Returned::Id(next))
    }

    /// `updateJobScheduler-7`: does nothing unless the registration points to the running job.
    pub(super) fn update_job_scheduler(&mut self, args: &UpdateJobScheduler) -> Result<Returned> {
        let Some(current) = self.db.zscore(&self.keys.repeat, &args.id)? else {
            return Ok(Returned::Code(0));
        };
        if args.producer != iteration_id(&args.id, current as i64) {
            return Ok(Returned::Code(0));
        }
        let registration = self.keys.registration(&args.id);
        let [name, data] = self.db.hmget(&registration, [b"name", b"data"])?;
        let name = name.cloned().unwrap_or_default();
        let data = data.unwrap_or(&args.data).clone();
        self.db.zadd(&self.keys.repeat, args.id.clone(), args.next_millis as f64)?;
        self.registered(&args.id, &name, args.next_millis);
        let max_events = self.get_or_set_max_events()?;
        self.db.incr(&self.keys.counter)?;
        if data.as_bytes() != b"{}" {
            self.db.hset(&registration, "data".into(), data.clone())?;
        }
        let next = iteration_id(&args.id, args.next_millis);
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
            tick: Some(Instant::from_ms(args.next_millis)),
        };
        self.add_delayed(&job, max_events)?;
        self.db.hset(&self.keys.job(&args.producer), "nrjid".into(), next.clone())?;
        Ok(Returned::Id(next))
    }

    /// `removeRepeatable-3`: 0 if there was one, else 1.
    pub(super) fn remove_repeatable(&mut self, args: &RemoveRepeatable) -> Result<Returned> {
        if let Some(millis) = self.db.zscore(&self.keys.repeat, &args.legacy_key)? {
            let mut id = args.legacy_job_id.as_bytes().to_vec();
            id.extend_from_slice(&Bytes::from_int(millis as i64));
            let id = Bytes::from(id);
            if self.db.zrem(&self.keys.delayed, &id)? {
                self.remove_job_keys(&id);
                self.removed_event(&id)?;
            }
            self.db.zrem(&self.keys.repeat, &args.legacy_key)?;
            self.emit(QueueEvent::Unregistered { key: registration_key(&args.legacy_key) });
            return Ok(Returned::Code(0));
        }
        self.remove_registration(&args.key)
    }

    /// `removeJobScheduler-3`: 0 if there was one, else 1.
    pub(super) fn remove_job_scheduler(&mut self, id: &Bytes) -> Result<Returned> {
        self.remove_registration(id)
    }

    /// What both removals do with a registration of today's form. An iteration that waits or runs
    /// is not touched: it will run, and not continue.
    fn remove_registration(&mut self, key: &Bytes) -> Result<Returned> {
        let Some(millis) = self.db.zscore(&self.keys.repeat, key)? else {
            return Ok(Returned::Code(1));
        };
        if self.drop_pending(key, millis)? {
            self.removed_event(&iteration_id(key, millis as i64))?;
        }
        self.db.zrem(&self.keys.repeat, key)?;
        self.db.del(&self.keys.registration(key));
        self.emit(QueueEvent::Unregistered { key: registration_key(key) });
        Ok(Returned::Code(0))
    }

    fn removed_event(&mut self, id: &Bytes) -> Result<()> {
        self.xadd(None, &[("event", &"removed".into()), ("jobId", id), ("prev", &"delayed".into())])
    }

    /// `storeRepeatableJob`, which both adds define for themselves. Old fields of the hash stay.
    fn store_registration(
        &mut self,
        key: &Bytes,
        next_millis: i64,
        options: &RegistrationOptions,
        template: Vec<(Bytes, Bytes)>,
    ) -> Result<()> {
        self.db.zadd(&self.keys.repeat, key.clone(), next_millis as f64)?;
        let mut fields = vec![(Bytes::from("name"), options.name.clone())];
        let every = options.every.map(Bytes::from_int);
        for (field, value) in
            [("tz", &options.tz), ("pattern", &options.pattern), ("every", &every)]
        {
            if let Some(value) = value {
                fields.push((field.into(), value.clone()));
            }
        }
        fields.extend(template);
        self.db.hset_many(&self.keys.registration(key), fields)?;
        self.registered(key, &options.name, next_millis);
        Ok(())
    }

    fn registered(&mut self, key: &Bytes, name: &Bytes, next_millis: i64) {
        self.emit(QueueEvent::Registered(Box::new(Registered {
            key: registration_key(key),
            name: name.clone(),
            next: Instant::from_ms(next_millis),
        })));
    }
}
