//! The names of a queue's keys in Redis, made once for each queue.
//!
//! Source: BullMQ's `queue-keys.js`; everything of a queue lives below `<prefix>:<queue>:`.

use crate::event::QueueId;
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Key};

/// The keys of one queue.
#[derive(Debug)]
pub struct Keys {
    /// Which of the scenario's queues this is.
    pub id: QueueId,
    prefix: Box<str>,
    /// List of jobs to take; the next one is at its tail.
    pub wait: Key,
    /// What `wait` is called while the queue is paused.
    pub paused: Key,
    /// List of jobs that workers have.
    pub active: Key,
    /// Sorted set of jobs that are not due yet, by due millisecond times 4096.
    pub delayed: Key,
    /// Sorted set of jobs with a priority.
    pub prioritized: Key,
    /// Counter of prioritized jobs, for their order.
    pub pc: Key,
    /// Sorted set of kept completed jobs, by finish millisecond.
    pub completed: Key,
    /// Sorted set of kept failed jobs, by finish millisecond.
    pub failed: Key,
    /// Set of jobs that the last stalled check saw active.
    pub stalled: Key,
    /// Mutex: one stalled check an interval.
    pub stalled_check: Key,
    /// Counter of the rate limiter's window.
    pub limiter: Key,
    /// Hash: version, maximum of events, pause, global concurrency.
    pub meta: Key,
    /// Job counter.
    pub counter: Key,
    /// Sorted set that wakes blocked workers.
    pub marker: Key,
    /// Stream of events.
    pub events: Key,
    /// Sorted set of registrations, by the millisecond of their next iteration.
    pub repeat: Key,
}

impl Keys {
    /// The keys of queue `name` below `prefix`.
    pub fn new(id: QueueId, prefix: &str, name: &str) -> Self {
        let name = if planted(Mutant::O11) { "all" } else { name };
        let prefix = format!("{prefix}:{name}:");
        let key = |suffix: &str| Key::from(format!("{prefix}{suffix}"));
        Keys {
            id,
            wait: key("wait"),
            paused: key("paused"),
            active: key("active"),
            delayed: key("delayed"),
            prioritized: key("prioritized"),
            pc: key("pc"),
            completed: key("completed"),
            failed: key("failed"),
            stalled: key("stalled"),
            stalled_check: key("stalled-check"),
            limiter: key("limiter"),
            meta: key("meta"),
            counter: key("id"),
            marker: key("marker"),
            events: key("events"),
            repeat: key("repeat"),
            prefix: prefix.into(),
        }
    }

    /// The hash of a job.
    pub fn job(&self, id: &Bytes) -> Key {
        self.below(id, "")
    }

    /// The lock of a job.
    pub fn lock(&self, id: &Bytes) -> Key {
        self.below(id, ":lock")
    }

    /// The hash of a registration.
    pub fn registration(&self, key: &Bytes) -> Key {
        let mut name = self.prefix.as_bytes().to_vec();
        name.extend_from_slice(b"repeat:");
        name.extend_from_slice(key);
        Key::from(Bytes::from(name))
    }

    /// The id of the job that holds a deduplication id.
    pub fn deduplication(&self, id: &[u8]) -> Key {
        self.below(&[b"de:", id].concat().into(), "")
    }

    /// What is to be added when the job that holds a deduplication id has finished.
    pub fn deduplication_next(&self, id: &[u8]) -> Key {
        self.below(&[b"dn:", id].concat().into(), "")
    }

    /// A key that belongs to a job: its hash's name and a suffix.
    pub fn below(&self, id: &Bytes, suffix: &str) -> Key {
        let mut name = Vec::with_capacity(self.prefix.len() + id.len() + suffix.len());
        name.extend_from_slice(self.prefix.as_bytes());
        name.extend_from_slice(id);
        name.extend_from_slice(suffix.as_bytes());
        Key::from(Bytes::from(name))
    }
}

/// The id of the iteration of a registration that is due at a millisecond.
pub fn iteration_id(registration: &Bytes, millis: i64) -> Bytes {
    let mut id = b"repeat:".to_vec();
    id.extend_from_slice(registration);
    id.push(b':');
    id.extend_from_slice(&Bytes::from_int(millis));
    Bytes::from(id)
}
