//! `pause-7`, `drain-5`, `obliterate-2`: what is done to a whole queue.

use super::includes::signed;
use super::{Result, Returned, Script, registration_key};
use crate::bullmq::Version;
use crate::bullmq::keys::iteration_id;
use crate::event::{JobList, QueueEvent};
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Key};
use std::collections::BTreeSet;

/// How many jobs of an older version's `paused` one resume moves at most.
const RESUME_AT_ONCE: i64 = 7000;

/// The arguments of `obliterate-2`.
#[derive(Clone, Debug)]
pub struct Obliterate {
    /// How many jobs and registrations one call removes at most.
    pub count: i64,
    /// Whether active jobs are removed, too.
    pub force: bool,
}

impl Script<'_> {
    /// `pause-7`: pauses the queue, or resumes it. In 5.x its jobs are in `paused` meanwhile. In 6.x
    /// they stay where they are, and a resume takes over what an older version left in `paused`.
    /// Returns how many of those are left. A call for them alone is silent.
    pub(super) fn pause(&mut self, pause: bool, says: bool) -> Result<Returned> {
        let keys = self.keys;
        let renames = self.version < Version::V6_7_0;
        let mut left = 0;
        let word = if pause {
            if renames && self.db.exists(&keys.wait) {
                self.rename_list(&keys.wait, &keys.paused)?;
            }
            self.db.hset(&keys.meta, "paused".into(), "1".into())?;
            self.db.del(&keys.marker);
            self.emit(QueueEvent::Paused);
            "paused"
        } else {
            let has_paused = self.db.exists(&keys.paused);
            if has_paused && (renames || !self.db.exists(&keys.wait)) {
                self.rename_list(&keys.paused, &keys.wait)?;
            } else if has_paused {
                left = self.move_legacy_paused()?;
            }
            self.db.hdel(&keys.meta, b"paused")?;
            let waits = if renames { has_paused } else { self.db.llen(&keys.wait)? > 0 };
            if waits || self.db.zcard(&keys.prioritized)? > 0 {
                self.add_base_marker_if_needed(false)?;
            } else {
                self.add_delay_marker_if_needed()?;
            }
            if says {
                self.emit(QueueEvent::Resumed);
            }
            "resumed"
        };
        if says {
            self.xadd(None, &[("event", &word.into())])?;
        }
        Ok(Returned::Code(left))
    }

    /// Jobs of an older version's `paused` go before those that wait (6.x). Returns how many are
    /// left for another call.
    fn move_legacy_paused(&mut self) -> Result<i64> {
        let keys = self.keys;
        let jobs = self.db.lrange(&keys.paused, 0, RESUME_AT_ONCE - 1)?;
        let jobs: Vec<Bytes> = jobs.cloned().collect();
        let count = signed(jobs.len());
        self.db.rpush(&keys.wait, jobs)?;
        self.db.ltrim(&keys.paused, count, -1)?;
        Ok(signed(self.db.llen(&keys.paused)?))
    }

    /// RENAME: what was at `to` is lost.
    fn rename_list(&mut self, from: &Key, to: &Key) -> Result<()> {
        let lost: Vec<Bytes> = self.db.lrange(to, 0, -1)?.cloned().collect();
        for id in &lost {
            self.dropped(id, JobList::Wait);
        }
        self.db.rename(from, to)
    }

    /// `drain-5`: removes what waits, and with `delayed` what is not due yet, but for the current
    /// iteration of each registration: 5.34 spares it in `delayed` alone, later versions wherever
    /// it is, as well as `removeListJobs` can.
    pub(super) fn drain(&mut self, delayed: bool) -> Result<Returned> {
        let keys = self.keys;
        let registrations = self.db.zrange(&keys.repeat, 0, -1)?;
        let current = registrations.map(|(key, millis)| iteration_id(key, millis as i64));
        let current: BTreeSet<Bytes> = current.collect();
        let nobody = BTreeSet::new();
        let spared = if self.version >= Version::V5_81_5 { &current } else { &nobody };
        self.remove_list_jobs(&keys.wait, JobList::Wait, 0, spared)?;
        self.remove_list_jobs(&keys.paused, JobList::Wait, 0, spared)?;
        if delayed {
            self.remove_zset_jobs(&keys.delayed, JobList::Delayed, 0, &current)?;
        }
        self.remove_zset_jobs(&keys.prioritized, JobList::Prioritized, 0, spared)?;
        Ok(Returned::Code(0))
    }

    /// `obliterate-2`: 0 if nothing of the queue is left, 1 if it is to be called again; -1 if the
    /// queue is not paused, -2 if there are active jobs. With the rest goes the pause. The rate
    /// limiter's counter stays.
    pub(super) fn obliterate(&mut self, args: &Obliterate) -> Result<Returned> {
        let keys = self.keys;
        if !self.db.hexists(&keys.meta, b"paused")? {
            return Ok(Returned::Code(-1));
        }
        let active = self.db.lrange(&keys.active, 0, args.count - 1)?;
        let active: Vec<Bytes> = active.cloned().collect();
        if !active.is_empty() && !args.force {
            return Ok(Returned::Code(-2));
        }
        for id in &active {
            self.db.del(&keys.lock(id));
        }
        let mut left = args.count;
        let ignored = BTreeSet::new();
        // A paused queue of 5.x has no `wait`.
        let wait = Part::List(&keys.wait, JobList::Wait);
        let parts = [
            Part::List(&keys.active, JobList::Active),
            Part::Set(&keys.delayed, JobList::Delayed),
            Part::Registrations,
            Part::Set(&keys.completed, JobList::Completed),
        ];
        let parts = parts.into_iter().chain((self.version >= Version::V6_7_0).then_some(wait));
        for part in parts.chain([
            Part::List(&keys.paused, JobList::Wait),
            Part::Set(&keys.prioritized, JobList::Prioritized),
            Part::Set(&keys.failed, JobList::Failed),
        ]) {
            left = match part {
                Part::List(key, from) => self.remove_list_jobs(key, from, left, &ignored)?,
                Part::Set(key, from) => self.remove_zset_jobs(key, from, left, &ignored)?,
                Part::Registrations => self.remove_registrations(left)?,
            };
            if left <= 0 {
                return Ok(Returned::Code(1));
            }
        }
        self.db.del_many([
            &keys.events,
            &keys.stalled_check,
            &keys.stalled,
            &keys.counter,
            &keys.pc,
            &keys.meta,
        ]);
        if self.version >= Version::V5_81_5 {
            self.db.del(&keys.marker);
        }
        if planted(Mutant::Q27) {
            let prefix = keys.below(&Bytes::new(), "");
            let name = prefix.as_bytes().strip_suffix(b":").unwrap_or_default();
            let others = self.db.keys().into_iter().filter(|key| key.as_bytes().starts_with(name));
            others.for_each(|key| _ = self.db.del(&key));
        }
        self.emit(QueueEvent::Resumed);
        Ok(Returned::Code(0))
    }

    /// Deletes registrations, `most` at most. Returns how many more there may be.
    fn remove_registrations(&mut self, most: i64) -> Result<i64> {
        let keys = self.keys;
        let listed = self.db.zrange(&keys.repeat, 0, most - 1)?;
        let listed: Vec<Bytes> = listed.map(|(key, _)| key.clone()).collect();
        for key in &listed {
            self.db.del(&keys.registration(key));
            self.emit(QueueEvent::Unregistered { key: registration_key(key) });
        }
        self.db.zrem_many(&keys.repeat, listed.iter().map(Bytes::as_bytes))?;
        Ok(most - signed(listed.len()))
    }
}

/// What an obliteration goes through.
enum Part<'a> {
    List(&'a Key, JobList),
    Set(&'a Key, JobList),
    Registrations,
}
