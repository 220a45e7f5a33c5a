//! BullMQ's Lua scripts: one function for each, with its name, so that a reader can hold the real
//! one beside it. What the Lua calls `rcall("HMSET", ...)` is `db.hset_many(...)` here.
//!
//! A script is atomic and synchronous: it sees no time but what its caller passes (the *client's*
//! clock, in milliseconds) and Redis's own for keys that expire. It says what it changed as events.
//! It knows no flows (parents and children), no metrics and no telemetry.

mod add;
mod bulk;
mod deduplicate;
mod evict;
mod fetch;
mod finish;
mod includes;
mod repeat;
mod scheduler;
mod single;
mod stalled;
mod whole;

#[cfg(test)]
mod tests;

pub use add::AddJob;
pub use bulk::{CleanJobsInSet, MoveJobsToWait};
pub use evict::evict;
pub use fetch::{FetchOptions, Fetched, MoveToActive, NothingToFetch};
pub use finish::{MoveJobFromActiveToWait, MoveToDelayed, MoveToFinished, Outcome, RetryJob};
pub use repeat::{
    AddRepeatableJob, RegistrationOptions, RemoveRepeatable, UpdateRepeatableJobMillis,
};
pub use scheduler::{AddJobScheduler, UpdateJobScheduler};
pub use single::ReprocessJob;
pub use stalled::{ExtendLocks, MoveStalledJobsToWait, Stalled};
pub use whole::Obliterate;

use super::Version;
use super::keys::Keys;
use crate::event::{By, JobId, QueueEvent, RegistrationKey};
use crate::redis::{Bytes, Db, Error};
use std::rc::Rc;

/// A script's call with its arguments: what the client sends as EVAL or EVALSHA.
#[derive(Clone, Debug)]
pub enum Call {
    /// `addStandardJob-8`.
    AddStandardJob(Box<AddJob>),
    /// `addDelayedJob-6`.
    AddDelayedJob(Box<AddJob>),
    /// `addPrioritizedJob-8`.
    AddPrioritizedJob(Box<AddJob>),
    /// `addRepeatableJob-2`.
    AddRepeatableJob(Box<AddRepeatableJob>),
    /// `addJobScheduler-6`, `-11` from 5.81 on.
    AddJobScheduler(Box<AddJobScheduler>),
    /// `updateJobScheduler-7`, `-12` from 5.81 on.
    UpdateJobScheduler(Box<UpdateJobScheduler>),
    /// `removeRepeatable-3`.
    RemoveRepeatable(Box<RemoveRepeatable>),
    /// `removeJobScheduler-3`: the scheduler's id.
    RemoveJobScheduler(Bytes),
    /// `moveToActive-11`.
    MoveToActive(MoveToActive),
    /// `moveToFinished-14`.
    MoveToFinished(Box<MoveToFinished>),
    /// `moveToDelayed-8`.
    MoveToDelayed(Box<MoveToDelayed>),
    /// `retryJob-11`.
    RetryJob(Box<RetryJob>),
    /// `moveStalledJobsToWait-9`.
    MoveStalledJobsToWait(MoveStalledJobsToWait),
    /// `extendLocks-1`.
    ExtendLocks(Box<ExtendLocks>),
    /// `pause-7`: whether to pause the queue, or to resume it.
    Pause(bool),
    /// `pause-7` of 6.x once more, without an event: a resume that had left jobs behind.
    ResumeRest,
    /// `drain-5`: whether delayed jobs go, too.
    Drain(bool),
    /// `obliterate-2`.
    Obliterate(Obliterate),
    /// `removeJob-2`: the job.
    RemoveJob(Bytes),
    /// `promote-9`: the job.
    Promote(Bytes),
    /// `reprocessJob-8`.
    ReprocessJob(Box<ReprocessJob>),
    /// `updateRepeatableJobMillis-1`.
    UpdateRepeatableJobMillis(Box<UpdateRepeatableJobMillis>),
    /// `moveJobsToWait-8`.
    MoveJobsToWait(MoveJobsToWait),
    /// `cleanJobsInSet-3`.
    CleanJobsInSet(CleanJobsInSet),
    /// `moveJobFromActiveToWait-9`.
    MoveJobFromActiveToWait(MoveJobFromActiveToWait),
}

/// What a script returned.
#[derive(Debug)]
pub enum Returned {
    /// The id of a job, or the key of a registration.
    Id(Bytes),
    /// Nothing, or a number: 0, 1, or one of BullMQ's negative error codes.
    Code(i64),
    /// A job to process, or when to ask again.
    Fetched(Box<Fetched>),
    /// No job, and until when: `{0, 0, limit, delay}`.
    Nothing {
        /// Milliseconds for which the rate limiter holds; 0 if it does not.
        limited_for: i64,
        /// The millisecond at which the next delayed job is due; 0 if there is none.
        next_delayed: i64,
    },
    /// The jobs that a stalled check found.
    Stalled(Stalled),
    /// The jobs whose locks could not be renewed.
    NotRenewed(Vec<Bytes>),
    /// The script failed: a command in it met an error, and what it had done before stays.
    Failed(Error),
}

/// One running script: the keyspace, the queue's keys, and the events so far.
pub struct Script<'a> {
    db: &'a mut Db,
    keys: &'a Keys,
    /// That of the client: it brings its own text of the script.
    version: Version,
    events: &'a mut Vec<QueueEvent>,
}

type Result<T> = std::result::Result<T, Error>;

/// Runs a call on the keyspace; what it changed in the queue is pushed to `events`.
pub fn run(
    call: &Call,
    version: Version,
    keys: &Keys,
    db: &mut Db,
    events: &mut Vec<QueueEvent>,
) -> Returned {
    let mut script = Script { db, keys, version, events };
    let script = &mut script;
    let returned = match call {
        Call::AddStandardJob(args) => script.add_standard_job(args),
        Call::AddDelayedJob(args) => script.add_delayed_job(args),
        Call::AddPrioritizedJob(args) => script.add_prioritized_job(args),
        Call::AddRepeatableJob(args) => script.add_repeatable_job(args),
        Call::AddJobScheduler(args) => script.add_job_scheduler(args),
        Call::UpdateJobScheduler(args) => script.update_job_scheduler(args),
        Call::RemoveRepeatable(args) => script.remove_repeatable(args),
        Call::RemoveJobScheduler(id) => script.remove_job_scheduler(id),
        Call::MoveToActive(args) => script.move_to_active(args),
        Call::MoveToFinished(args) => script.move_to_finished(args),
        Call::MoveToDelayed(args) => script.move_to_delayed(args),
        Call::RetryJob(args) => script.retry_job(args),
        Call::MoveStalledJobsToWait(args) => script.move_stalled_jobs_to_wait(args),
        Call::ExtendLocks(args) => script.extend_locks(args),
        Call::Pause(pause) => script.pause(*pause, true),
        Call::ResumeRest => script.pause(false, false),
        Call::Drain(delayed) => script.drain(*delayed),
        Call::Obliterate(args) => script.obliterate(args),
        Call::RemoveJob(id) => script.remove_job(id),
        Call::Promote(id) => script.promote(id),
        Call::ReprocessJob(args) => script.reprocess_job(args),
        Call::UpdateRepeatableJobMillis(args) => script.update_repeatable_job_millis(args),
        Call::MoveJobsToWait(args) => script.move_jobs_to_wait(args),
        Call::CleanJobsInSet(args) => script.clean_jobs_in_set(args),
        Call::MoveJobFromActiveToWait(args) => script.move_job_from_active_to_wait(args),
    };
    returned.unwrap_or_else(Returned::Failed)
}

impl Call {
    /// The names of all scripts, in the order of [`Call::index`].
    pub const NAMES: [&'static str; 24] = [
        "addStandardJob",
        "addDelayedJob",
        "addPrioritizedJob",
        "addRepeatableJob",
        "addJobScheduler",
        "updateJobScheduler",
        "removeRepeatable",
        "removeJobScheduler",
        "moveToActive",
        "moveToFinished",
        "moveToDelayed",
        "retryJob",
        "moveStalledJobsToWait",
        "extendLocks",
        "pause",
        "drain",
        "obliterate",
        "removeJob",
        "promote",
        "reprocessJob",
        "updateRepeatableJobMillis",
        "moveJobsToWait",
        "cleanJobsInSet",
        "moveJobFromActiveToWait",
    ];

    /// Which script this is: an index into [`Call::NAMES`].
    pub fn index(&self) -> u16 {
        match self {
            Call::AddStandardJob(_) => 0,
            Call::AddDelayedJob(_) => 1,
            Call::AddPrioritizedJob(_) => 2,
            Call::AddRepeatableJob(_) => 3,
            Call::AddJobScheduler(_) => 4,
            Call::UpdateJobScheduler(_) => 5,
            Call::RemoveRepeatable(_) => 6,
            Call::RemoveJobScheduler(_) => 7,
            Call::MoveToActive(_) => 8,
            Call::MoveToFinished(_) => 9,
            Call::MoveToDelayed(_) => 10,
            Call::RetryJob(_) => 11,
            Call::MoveStalledJobsToWait(_) => 12,
            Call::ExtendLocks(_) => 13,
            Call::Pause(_) | Call::ResumeRest => 14,
            Call::Drain(_) => 15,
            Call::Obliterate(_) => 16,
            Call::RemoveJob(_) => 17,
            Call::Promote(_) => 18,
            Call::ReprocessJob(_) => 19,
            Call::UpdateRepeatableJobMillis(_) => 20,
            Call::MoveJobsToWait(_) => 21,
            Call::CleanJobsInSet(_) => 22,
            Call::MoveJobFromActiveToWait(_) => 23,
        }
    }
}

/// A script's call and the queue that it is for.
#[derive(Debug)]
pub struct QueueCall {
    /// The queue's keys.
    pub keys: Rc<Keys>,
    /// The version of the library that calls.
    pub version: Version,
    /// What asked for it, for its events alone.
    pub by: By,
    /// The call.
    pub call: Call,
}

fn job_id(id: &Bytes) -> JobId {
    JobId(id.clone())
}

fn registration_key(key: &Bytes) -> RegistrationKey {
    RegistrationKey(key.clone())
}
