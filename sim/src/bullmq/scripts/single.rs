//! `removeJob-2`, `promote-9`, `reprocessJob-8` (6.x: `-9`): what is done to one job by hand.

use super::{Result, Returned, Script, job_id};
use crate::bullmq::Version;
use crate::event::{Finish, JobList, QueueEvent};
use crate::redis::Bytes;

/// The arguments of `reprocessJob-8`.
#[derive(Clone, Debug)]
pub struct ReprocessJob {
    /// The job.
    pub id: Bytes,
    /// Whether it is taken next.
    pub lifo: bool,
    /// How it should have finished.
    pub state: Finish,
}

impl Script<'_> {
    /// `removeJob-2`: 1, or 0 if it is locked. An iteration that is delayed is refused (5.34), or
    /// the current one of its registration, wherever it is (5.81).
    pub(super) fn remove_job(&mut self, id: &Bytes) -> Result<Returned> {
        let scheduled = if self.version >= Version::V5_81_5 {
            self.is_job_scheduler_job(id)?
        } else {
            self.db.zscore(&self.keys.delayed, id)?.is_some()
                && self.db.hexists(&self.keys.job(id), b"rjk")?
        };
        if scheduled {
            return Ok(self.refuse(id, -8));
        }
        if self.db.get(&self.keys.lock(id))?.is_some() {
            return Ok(Returned::Code(0));
        }
        let previous = self.remove_job_from_any_state(id)?;
        self.remove_deduplication_key(id)?;
        if self.remove_job_keys(id) {
            let max_events = self.get_or_set_max_events()?;
            let event = [("event", &"removed".into()), ("jobId", id), ("prev", &previous.into())];
            self.xadd(Some(max_events), &event)?;
        }
        Ok(Returned::Code(1))
    }

    /// `includes/removeJobFromAnyState`: the first state in which it is found, of which one entry
    /// goes.
    fn remove_job_from_any_state(&mut self, id: &Bytes) -> Result<&'static str> {
        let keys = self.keys;
        for (set, from, state) in [
            (&keys.completed, JobList::Completed, "completed"),
            (&keys.delayed, JobList::Delayed, "delayed"),
            (&keys.failed, JobList::Failed, "failed"),
            (&keys.prioritized, JobList::Prioritized, "prioritized"),
        ] {
            if self.db.zrem(set, id)? {
                self.dropped(id, from);
                return Ok(state);
            }
        }
        for (list, from, state) in [
            (&keys.wait, JobList::Wait, "wait"),
            (&keys.paused, JobList::Wait, "paused"),
            (&keys.active, JobList::Active, "active"),
        ] {
            if self.db.lrem(list, 1, id)? == 1 {
                self.dropped(id, from);
                return Ok(state);
            }
        }
        Ok("unknown")
    }

    /// `promote-9`: a delayed job waits now.
    pub(super) fn promote(&mut self, id: &Bytes) -> Result<Returned> {
        if !self.db.zrem(&self.keys.delayed, id)? {
            return Ok(self.refuse(id, -3));
        }
        let target = self.get_target_queue_list()?;
        self.promote_to(target, id)?;
        Ok(Returned::Code(0))
    }

    /// `reprocessJob-8`: a finished job waits again. Up to 5.x even one with a priority is put in the
    /// list.
    pub(super) fn reprocess_job(&mut self, args: &ReprocessJob) -> Result<Returned> {
        let (keys, key) = (self.keys, self.keys.job(&args.id));
        let (set, field, previous) = match args.state {
            Finish::Completed => (&keys.completed, "returnvalue", "completed"),
            Finish::Failed => (&keys.failed, "failedReason", "failed"),
        };
        if !self.db.exists(&key) {
            return Ok(self.refuse(&args.id, -1));
        }
        if !self.db.zrem(set, &args.id)? {
            return Ok(self.refuse(&args.id, -3));
        }
        let fields = ["finishedOn", "processedOn", field];
        self.db.hdel_many(&key, fields.map(str::as_bytes))?;
        let target = self.get_target_queue_list()?;
        let priority = match self.version {
            Version::V6_7_0 => self.priority_of(&key)?,
            _ => 0,
        };
        match priority {
            0 => self.add_job_in_target_list(target, args.lifo, &args.id)?,
            _ => self.add_job_with_priority(priority, &args.id, target.paused_or_maxed)?,
        }
        let max_events = self.get_or_set_max_events()?;
        let event = [("event", &"waiting".into()), ("jobId", &args.id), ("prev", &previous.into())];
        self.xadd(Some(max_events), &event)?;
        self.emit(QueueEvent::Reprocessed { job: job_id(&args.id) });
        Ok(Returned::Code(1))
    }
}
