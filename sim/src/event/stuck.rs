//! Why a run does not get on, in values. Who finds it out is `oracle/progress.rs`.

use super::{QueueId, ReleaseId};
use crate::clock::Instant;

/// Why a run does not get on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Stuck {
    /// Nothing is due any more, ever, and somebody waits for what cannot come.
    Deadlock {
        /// How many processes wait so.
        waiting: u32,
        /// How many jobs are left.
        jobs: u64,
    },
    /// The run took all the steps that one may take.
    Endless,
    /// Containers of a service start again and again, and none comes through its start-up.
    CrashLoop {
        /// The release that they run.
        release: ReleaseId,
        /// How many have failed in a row.
        boots: u64,
    },
    /// A job is started again and again, and never finished.
    JobLoop {
        /// Its queue.
        queue: QueueId,
        /// The job's id.
        job: Box<str>,
        /// How often since nothing fails any more.
        starts: u64,
    },
    /// A job waits, a worker is up, and never takes it.
    Starvation {
        /// Its queue.
        queue: QueueId,
        /// The job's id.
        job: Box<str>,
        /// Since when it waits.
        since: Instant,
        /// How many jobs were taken meanwhile that had come later.
        overtaken: u64,
    },
}

impl Stuck {
    /// The field's word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Stuck::Deadlock { .. } => "deadlock",
            Stuck::Endless | Stuck::CrashLoop { .. } | Stuck::JobLoop { .. } => "livelock",
            Stuck::Starvation { .. } => "starvation",
        }
    }
}
