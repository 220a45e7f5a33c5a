//! `addRepeatableJob-2`, `updateRepeatableJobMillis-1`, `removeRepeatable-3`, `removeJobScheduler-3`
//! of BullMQ: the older API's registrations, and how those of both are deleted. The versions that
//! have them do the same.

use super::{Result, Returned, Script, registration_key};
use crate::bullmq::keys::iteration_id;
use crate::clock::Instant;
use crate::event::{QueueEvent, Registered};
use crate::mutants::{Mutant, planted};
use crate::redis::Bytes;

/// What a registration's hash says about it.
#[derive(Clone, Debug, Default)]
pub struct RegistrationOptions {
    /// The name of its jobs.
    pub name: Bytes,
    /// The time zone.
    pub tz: Option<Bytes>,
    /// The cron pattern.
    pub pattern: Option<Bytes>,
    /// The period in milliseconds.
    pub every: Option<i64>,
    /// The millisecond after which there is no iteration.
    pub end_date: Option<i64>,
    /// The millisecond before which there is none: job schedulers of 5.81 and later.
    pub start_date: Option<i64>,
    /// How many iterations: job schedulers of 5.81 and later.
    pub limit: Option<u32>,
    /// Milliseconds from the slot of `every` to the iteration: job schedulers of 5.81 and later.
    pub offset: Option<i64>,
}

impl RegistrationOptions {
    /// The fields that every registration's hash has, where there is something to say.
    pub(super) fn fields(&self) -> Vec<(Bytes, Bytes)> {
        let mut fields = vec![(Bytes::from("name"), self.name.clone())];
        let [every, end_date] = [self.every, self.end_date].map(|n| n.map(Bytes::from_int));
        for (field, value) in [
            ("tz", &self.tz),
            ("pattern", &self.pattern),
            ("endDate", &end_date),
            ("every", &every),
        ] {
            if let Some(value) = value {
                fields.push((field.into(), value.clone()));
            }
        }
        fields
    }
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

/// The arguments of `updateRepeatableJobMillis-1`: the first of the two round trips of a worker that
/// makes the iteration after the one that it has.
#[derive(Clone, Debug)]
pub struct UpdateRepeatableJobMillis {
    /// The millisecond of the next iteration.
    pub next_millis: i64,
    /// The registration's key.
    pub key: Bytes,
    /// The registration's key as versions up to 3.0.0 wrote it.
    pub legacy_key: Bytes,
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

    /// `updateRepeatableJobMillis-1`: the key of the registration, empty if there is none.
    pub(super) fn update_repeatable_job_millis(
        &mut self,
        args: &UpdateRepeatableJobMillis,
    ) -> Result<Returned> {
        for key in [&args.key, &args.legacy_key] {
            if self.db.zscore(&self.keys.repeat, key)?.is_some() {
                self.db.zadd(&self.keys.repeat, key.clone(), args.next_millis as f64)?;
                let name = self.db.hget(&self.keys.registration(key), b"name")?.cloned();
                self.registered(key, &name.unwrap_or_default(), args.next_millis);
                return Ok(Returned::Id(key.clone()));
            }
        }
        Ok(Returned::Id(Bytes::new()))
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
        if !planted(Mutant::O5) && self.drop_pending(key, millis)? {
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

    /// `storeRepeatableJob`, which the older API's add and 5.34's scheduler define for themselves.
    /// Old fields of the hash stay.
    pub(super) fn store_registration(
        &mut self,
        key: &Bytes,
        next_millis: i64,
        options: &RegistrationOptions,
        template: Vec<(Bytes, Bytes)>,
    ) -> Result<()> {
        self.db.zadd(&self.keys.repeat, key.clone(), next_millis as f64)?;
        let mut fields = options.fields();
        fields.extend(template);
        self.db.hset_many(&self.keys.registration(key), fields)?;
        self.registered(key, &options.name, next_millis);
        Ok(())
    }

    pub(super) fn registered(&mut self, key: &Bytes, name: &Bytes, next_millis: i64) {
        self.emit(QueueEvent::Registered(Box::new(Registered {
            key: registration_key(key),
            name: name.clone(),
            next: Instant::from_ms(next_millis),
        })));
    }
}
