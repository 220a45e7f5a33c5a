//! BullMQ as a fleet meets it: what its scripts do in Redis (`scripts`), and what its clients do in
//! which order (`queue`, `worker`).
//!
//! Source: the JavaScript and Lua of bullmq 5.34.10, 5.81.5 and 6.7.0. The unit of truth is the
//! round trip: which effects are atomic, between which two a client can die, and in which order
//! calls that nobody awaits reach the wire. No flows, no events stream reader, no sandboxed
//! processors.

pub mod client;
pub mod cron;
pub mod ids;
pub mod keys;
pub mod options;
pub mod queue;
mod repeat;
pub mod scripts;
mod version;
pub mod worker;

pub use repeat::registration_key;
pub use version::Version;

use crate::kernel::Closed;
use crate::redis;
use std::fmt;

/// An error that a call of BullMQ throws.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueueError {
    /// A script's negative code: -1 missing job, -2 missing lock, -3 not in the state it should be
    /// in, -6 another's lock, -8 a registration's, -10 an iteration's id is taken, -11 so are all of
    /// its next slots.
    Code(i8),
    /// Redis refused a command.
    Redis(redis::Error),
    /// A cron pattern that does not parse.
    Cron(String),
    /// What the client refuses before it sends anything: an option, or a method that the version does
    /// not have.
    Refused(&'static str),
    /// The job to remove is in a worker's hands.
    Locked,
    /// The process has closed the connection.
    Closed,
    /// There was no connection for so long that ioredis gave up what waited for it. What was sent
    /// may have had its effect.
    MaxRetries,
}

impl From<Closed> for QueueError {
    fn from(_: Closed) -> Self {
        QueueError::Closed
    }
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueError::Code(code) => write!(f, "BullMQ's error {code}"),
            QueueError::Redis(error) => error.fmt(f),
            QueueError::Cron(error) => f.write_str(error),
            QueueError::Refused(error) => f.write_str(error),
            QueueError::Locked => f.write_str("the job is locked by another worker"),
            QueueError::Closed => f.write_str("Connection is closed."),
            QueueError::MaxRetries => f.write_str(
                "Reached the max retries per request limit (which is 20). Refer to \
                 \"maxRetriesPerRequest\" option for details.",
            ),
        }
    }
}
