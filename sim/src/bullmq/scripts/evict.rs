//! What becomes of a queue when Redis gives up one of its keys: no script of BullMQ's, but told in
//! the same events, so that whoever follows a queue need not know its keys.

use super::{Result, Script, job_id, registration_key};
use crate::bullmq::Version;
use crate::bullmq::keys::Keys;
use crate::event::{JobList, QueueEvent};
use crate::redis::{Bytes, Db, Key};

/// Removes the key of this name below the queue's prefix, and says what went with it. Returns
/// whether it was there.
pub fn evict(name: &Bytes, keys: &Keys, db: &mut Db, events: &mut Vec<QueueEvent>) -> bool {
    let key = keys.below(name, "");
    if !db.exists(&key) {
        return false;
    }
    // What a key means is the same in all versions.
    let mut script = Script { db, keys, version: Version::V5_34_10, events };
    // A key of another type than BullMQ's says nothing of jobs.
    let _ = script.tell_eviction(name, &key);
    db.del(&key)
}

impl Script<'_> {
    fn tell_eviction(&mut self, name: &Bytes, key: &Key) -> Result<()> {
        let keys = self.keys;
        let lists = [
            (&keys.wait, JobList::Wait),
            (&keys.paused, JobList::Wait),
            (&keys.active, JobList::Active),
        ];
        if let Some((_, from)) = lists.into_iter().find(|(list, _)| *list == key) {
            let ids: Vec<Bytes> = self.db.lrange(key, 0, -1)?.cloned().collect();
            ids.iter().for_each(|id| self.dropped(id, from));
            return Ok(());
        }
        let sets = [
            (&keys.delayed, JobList::Delayed),
            (&keys.prioritized, JobList::Prioritized),
            (&keys.completed, JobList::Completed),
            (&keys.failed, JobList::Failed),
        ];
        if let Some((_, from)) = sets.into_iter().find(|(set, _)| *set == key) {
            let ids: Vec<Bytes> = self.db.zrange(key, 0, -1)?.map(|(id, _)| id.clone()).collect();
            ids.iter().for_each(|id| self.dropped(id, from));
            return Ok(());
        }
        if *key == keys.repeat {
            let listed: Vec<Bytes> =
                self.db.zrange(key, 0, -1)?.map(|(id, _)| id.clone()).collect();
            for key in &listed {
                self.emit(QueueEvent::Unregistered { key: registration_key(key) });
            }
            return Ok(());
        }
        if *key == keys.meta {
            if self.db.hexists(key, b"paused")? {
                self.emit(QueueEvent::Resumed);
            }
            return Ok(());
        }
        // What has a time at which it was made is a job.
        if self.db.hexists(key, b"timestamp")? {
            self.emit(QueueEvent::Removed { job: job_id(name) });
        }
        Ok(())
    }
}
