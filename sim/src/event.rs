//! Events: typed facts, one stream of them for every run. Oracles, the hash, figures and reports
//! read nothing else.
//!
//! An event says what happened, never what it means: no event is a verdict and none is a sentence.
//! If an oracle or a report needs something, the model emits it.

mod fault;
mod stuck;

pub use fault::{FaultClass, Level};
pub use stuck::Stuck;

use crate::choices::{Label, LifeId};
use crate::clock::Instant;
use crate::mutants::{Mutant, planted};
use crate::redis::Bytes;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// When something happened, and to whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stamp {
    /// True time.
    pub at: Instant,
    /// The container's life that it is about; the world where it is about none.
    pub life: LifeId,
}

/// One of the run's servers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub u8);

/// One of the scenario's queues, in the order of its file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QueueId(pub u16);

/// One of the scenario's releases, in the order of its file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReleaseId(pub u16);

/// One of the scenario's services, in the order of its file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServiceId(pub u16);

/// A step of a release: its number among all steps of it, those within others too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StepId {
    /// Whose step.
    pub release: ReleaseId,
    /// Which, in the order of the file.
    pub step: u16,
}

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StepResult {
    /// It did what it says.
    Done,
    /// It did nothing and that is no error: the lock was held, there was nothing to remove.
    Nothing,
    /// It threw.
    Failed,
}

/// What asked for a change of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum By {
    /// A step of a release.
    Step(StepId),
    /// The library's worker.
    Worker,
    /// A processor, in its job's steps.
    Processor,
    /// Nobody: Redis gave up a key.
    Redis,
}

/// One typed fact.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A process began to run.
    Booted {
        /// The release that it runs.
        release: ReleaseId,
        /// Whether its container ran before.
        again: bool,
    },
    /// A process has done its start-up steps, all that it waits for.
    StartedUp,
    /// A process begins a step of its release.
    StepBegan(StepId),
    /// A step is done: what it came to. One that fails is tried again, ignored, or ends the process.
    StepEnded(StepId, StepResult),
    /// A step throws.
    StepThrew {
        /// The step.
        step: StepId,
        /// The error, as it shows itself.
        error: Rc<str>,
    },
    /// A process was asked to end (SIGTERM).
    Terminated,
    /// A process ended by itself.
    Exited {
        /// Its exit code; 1 for an error that nobody awaited.
        code: u8,
    },
    /// A process was killed: no cleanup, its connections close.
    Killed,
    /// A process's event loop is busy until an instant: nothing of it runs before.
    Blocked {
        /// The instant.
        until: Instant,
    },
    /// A server executed a request.
    Command {
        /// Which server.
        server: ServerId,
        /// The command's name.
        label: Label,
        /// Whether it changed anything there.
        changed: bool,
    },
    /// A reply reached the process.
    Answered {
        /// The command's name.
        label: Label,
    },
    /// A connection closed at its server.
    Closed {
        /// Which server.
        server: ServerId,
    },
    /// A step of the fleet's plan began.
    Plan(Plan),
    /// The run was stopped because it would not end.
    OutOfSteps,
    /// Something changed in a queue.
    Queue(QueueId, By, QueueEvent),
    /// Rows were committed in the database.
    Rows {
        /// The queue of the job that wrote them.
        queue: QueueId,
        /// The job.
        job: JobId,
        /// How many.
        rows: u64,
    },
    /// A process says something of itself, in its own code's words; properties read it.
    Note {
        /// What.
        what: Rc<str>,
    },
    /// A process's code ended with an error that nobody handles; it exits with 1.
    Uncaught {
        /// The error, as it shows itself.
        error: Rc<str>,
    },
    /// A process's clock is wrong from its boot on.
    Skewed {
        /// Wall clock minus true time, in nanoseconds.
        offset: i64,
        /// How much faster than true time it runs, in nanoseconds a second.
        drift: i64,
    },
    /// The run came to its end, or would come to none, without getting on.
    Stuck(Stuck),
    /// An alert of the scenario begins or ceases to ring.
    Alert {
        /// Which, in the order of the file.
        alert: u16,
        /// Whether it rings now.
        rings: bool,
    },
}

/// A step of the fleet's plan.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Plan {
    /// A service begins to move to a release.
    Deploy {
        /// The service.
        service: ServiceId,
        /// The release that its new containers run.
        release: ReleaseId,
    },
    /// A rollout is complete: every container runs the new release.
    Deployed {
        /// The service.
        service: ServiceId,
    },
    /// A service gets another number of replicas.
    Scale {
        /// The service.
        service: ServiceId,
        /// The number.
        replicas: u32,
    },
    /// The clocks of a service's containers step.
    Clock {
        /// The service.
        service: ServiceId,
        /// By how many milliseconds.
        ms: i64,
    },
    /// Redis executes nothing until an instant.
    RedisSlow {
        /// The instant.
        until: Instant,
    },
    /// Redis loses everything.
    RedisFlushed,
    /// Redis goes away, and all connections with it; what was in flight is lost.
    RedisDown {
        /// Until when no connection can be opened.
        until: Instant,
    },
    /// What Redis holds now is what it will hold after a failover.
    RedisCopied {
        /// The failover: which planned event of the scenario.
        event: u32,
    },
    /// Redis holds what it held when it was copied, and nothing of what was written since.
    RedisRolledBack {
        /// The failover: which planned event of the scenario.
        event: u32,
    },
    /// Redis gives up a key of a queue, if it holds one of that name; what follows from it for jobs
    /// and registrations comes as events of the queue.
    RedisEvicted {
        /// The queue.
        queue: QueueId,
        /// The key's name below the queue's prefix.
        key: Bytes,
        /// Whether it was there.
        held: bool,
    },
    /// The connections of a service's containers to Redis break.
    Disconnected {
        /// The service.
        service: ServiceId,
        /// Until when none can be opened.
        until: Instant,
    },
    /// From here on nothing fails any more.
    Calm,
    /// How bad a class of faults is in this run, where that is left open.
    Swarm {
        /// The class.
        class: FaultClass,
        /// How bad.
        level: Level,
    },
    /// What a service's containers and Redis send each other is held back, and nobody is told.
    Partitioned {
        /// The service.
        service: ServiceId,
        /// When all of it arrives.
        until: Instant,
    },
    /// The network of a service's containers is slow.
    Delayed {
        /// The service.
        service: ServiceId,
        /// Until when.
        until: Instant,
    },
}

/// A job's id within its queue.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(pub Bytes);

/// A registration's key in the library: the md5 of the older API, or a job scheduler's id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegistrationKey(pub Bytes);

/// Where a job stands in its queue. BullMQ's words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JobState {
    /// In `wait` (or `paused`): the next free worker takes it.
    Wait,
    /// In `prioritized`.
    Prioritized,
    /// In `delayed` until the instant, by the clock of whoever put it there.
    Delayed(Instant),
}

/// One of the lists and sets of a queue that hold ids of jobs. BullMQ's words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JobList {
    /// `wait`, or `paused` while the queue is paused.
    Wait,
    /// `paused` alone. What an event says to be there is said to be in `wait`.
    Paused,
    /// Jobs with a priority.
    Prioritized,
    /// Jobs that workers have.
    Active,
    /// Jobs that are not due yet.
    Delayed,
    /// Kept jobs.
    Completed,
    /// Kept jobs.
    Failed,
}

/// How a job left its worker for good.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Finish {
    /// The processor returned.
    Completed,
    /// It failed and has no attempt left, or stalled too often.
    Failed,
}

/// A new job.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Added {
    /// Its id. An id that was used before and is free again names another job.
    pub job: JobId,
    /// Its name.
    pub name: Bytes,
    /// The registration that it is an iteration of.
    pub registration: Option<RegistrationKey>,
    /// The instant that it stands for: an iteration's, or the tick that its id names.
    pub tick: Option<Instant>,
    /// Where it stands.
    pub state: JobState,
}

/// A registration of the library, as it was written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Registered {
    /// Its key.
    pub key: RegistrationKey,
    /// The name of its jobs.
    pub name: Bytes,
    /// The instant of its next iteration.
    pub next: Instant,
}

/// Something that changed in a queue, said by the script that changed it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum QueueEvent {
    /// A job was stored.
    Added(Box<Added>),
    /// An add met a job that has its id, and stored nothing.
    Duplicated {
        /// The id.
        job: JobId,
    },
    /// A delayed job is due and was moved to where workers take it.
    Promoted {
        /// The job.
        job: JobId,
    },
    /// A worker is connected and looks for jobs. It does until its process ends or is asked to.
    WorkerUp,
    /// A worker took a job and its lock.
    Fetched {
        /// The job.
        job: JobId,
    },
    /// A worker called the processor.
    Started {
        /// The job.
        job: JobId,
        /// Its data, as JSON.
        data: Bytes,
    },
    /// The processor returned or failed; the queue does not know yet.
    Ended {
        /// The job.
        job: JobId,
        /// Whether it returned.
        ok: bool,
    },
    /// A job left its worker for good.
    Finished {
        /// The job.
        job: JobId,
        /// How.
        how: Finish,
        /// Whether its hash is kept, so that its id stays taken.
        kept: bool,
    },
    /// A failed attempt was put back to be tried again.
    Retried {
        /// The job.
        job: JobId,
        /// Where it stands now.
        state: JobState,
    },
    /// A job without a lock was found in `active` and put back.
    Stalled {
        /// The job.
        job: JobId,
    },
    /// A job's hash was deleted.
    Removed {
        /// The job.
        job: JobId,
    },
    /// A registration was written: new, or with another next iteration.
    Registered(Box<Registered>),
    /// A registration was deleted.
    Unregistered {
        /// Its key.
        key: RegistrationKey,
    },
    /// A script refused what was asked of it (`-2` missing lock, `-6` another's lock, …).
    Refused {
        /// The job.
        job: JobId,
        /// BullMQ's error code.
        code: i8,
    },
    /// The queue was paused: no worker takes a job from it.
    Paused,
    /// The queue is not paused any more.
    Resumed,
    /// A drain or the like took an entry out of a list or set. Whether its hash was deleted is said
    /// apart: an entry may have none.
    Dropped {
        /// The job.
        job: JobId,
        /// Where the entry was.
        from: JobList,
    },
    /// An add met a job that holds its deduplication id, and stored nothing.
    Deduplicated {
        /// The job that holds the id. Whether it is still there, nobody asked.
        job: JobId,
        /// The deduplication id.
        id: Bytes,
    },
    /// A delayed job is due at another instant.
    Rescheduled {
        /// The job.
        job: JobId,
        /// When, by the clock of whoever moved it.
        due: Instant,
    },
    /// A finished job was put back by hand to be processed again. Up to 5.x it waits, whatever its
    /// priority.
    Reprocessed {
        /// The job.
        job: JobId,
    },
}

impl QueueEvent {
    /// The job that it is about, if it is about one.
    #[must_use]
    pub fn job(&self) -> Option<&JobId> {
        match self {
            QueueEvent::Added(added) => Some(&added.job),
            QueueEvent::Duplicated { job }
            | QueueEvent::Promoted { job }
            | QueueEvent::Fetched { job }
            | QueueEvent::Started { job, .. }
            | QueueEvent::Ended { job, .. }
            | QueueEvent::Finished { job, .. }
            | QueueEvent::Retried { job, .. }
            | QueueEvent::Rescheduled { job, .. }
            | QueueEvent::Stalled { job }
            | QueueEvent::Removed { job }
            | QueueEvent::Dropped { job, .. }
            | QueueEvent::Reprocessed { job }
            | QueueEvent::Deduplicated { job, .. }
            | QueueEvent::Refused { job, .. } => Some(job),
            _ => None,
        }
    }
}

/// Takes the events of a run as they happen. A sink that needs them later must keep them itself.
pub trait Sink {
    /// One event.
    fn event(&mut self, stamp: &Stamp, event: &Event);

    /// Asked after every few events of a scenario's run: whether that was enough, so that the run is
    /// stopped here. `broken` are the expectations that are violated whatever comes, by their places.
    fn enough(&mut self, _broken: &mut dyn Iterator<Item = usize>) -> bool {
        false
    }
}

/// Keeps nothing.
impl Sink for () {
    fn event(&mut self, _: &Stamp, _: &Event) {}
}

/// Keeps everything.
impl Sink for Vec<(Stamp, Event)> {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        self.push((*stamp, event.clone()));
    }
}

/// A hash that rolls over every event of a run, in order: equal runs have equal hashes. The
/// function is ours and frozen, since hashes are written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rolling(u64);

impl Default for Rolling {
    fn default() -> Self {
        Rolling(0x243f_6a88_85a3_08d3)
    }
}

impl Rolling {
    /// Takes in one event, all of it.
    #[inline]
    pub fn roll(&mut self, stamp: &Stamp, event: &Event) {
        stamp.hash(self);
        if planted(Mutant::X10) {
            return std::mem::discriminant(event).hash(self);
        }
        event.hash(self);
    }

    fn word(&mut self, word: u64) {
        // The 128-bit product folded back: every input bit reaches every output bit.
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64) ^ 0xa409_3822_299f_31d0;
    }
}

/// Takes in what is written: a value as `Debug` shows it.
impl fmt::Write for Rolling {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        // Where one piece ends and the next begins is part of it.
        self.word(text.len() as u64);
        Ok(())
    }
}

impl Rolling {
    /// Takes in a value as `Debug` shows it: all of it, for types that derive that.
    pub fn show(&mut self, value: &dyn fmt::Debug) {
        fmt::Write::write_fmt(self, format_args!("{value:?}")).expect("a hash takes everything");
    }
}

impl Hasher for Rolling {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.word(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.word(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.word(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_i64(&mut self, value: i64) {
        self.word(value as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.word(value as u64);
    }
}
