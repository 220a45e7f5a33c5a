//! The scenario: what to simulate and what must hold, parsed and resolved from one file.
//!
//! A `Scenario` that exists is sound: every name in it resolves, every range is the right way up,
//! there is something to simulate and something to judge. `parse` is the only way to make one from
//! text; it opens no file.

mod diagnostic;
mod parse;

pub use diagnostic::{CODES, Diagnostic, Severity, Span as TextSpan};
pub use parse::parse;

use crate::bullmq::cron::Cron;
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::event::{QueueId, ReleaseId, ServiceId};

/// What to simulate and what must hold.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// One line that names the story.
    pub name: Box<str>,
    /// The instant at which the run starts.
    pub start: Instant,
    /// How long it runs.
    pub length: Span,
    /// The part that figures count, as offsets from the start. Windows outside it are not judged.
    pub measure: (Span, Span),
    /// The tail of the run in which nothing fails.
    pub calm: Span,
    /// How long a message and its reply take together, between any container and any server.
    pub round_trip: Range,
    /// What the team intends, apart from what start-up code does.
    pub schedules: Vec<Schedule>,
    /// The queues.
    pub queues: Vec<Queue>,
    /// What the processors do.
    pub jobs: Vec<Job>,
    /// What containers run.
    pub releases: Vec<Release>,
    /// Who runs it.
    pub services: Vec<Service>,
    /// What happens to the fleet, by time.
    pub events: Vec<PlannedEvent>,
    /// Random faults, each off unless named.
    pub faults: Faults,
    /// What must hold.
    pub expectations: Vec<Expectation>,
    /// The words for the draws of ranges, indexed by [`Range::draw`].
    pub draws: Vec<Box<str>>,
}

/// A range that is drawn for each use: one of sixteen quantiles, ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The lower end: the plain answer.
    pub least: Span,
    /// The upper end.
    pub most: Span,
    /// Which word names the draw in tapes; an index into [`Scenario::draws`].
    pub draw: u16,
}

/// A schedule as the team intends it.
#[derive(Clone, PartialEq, Debug)]
pub struct Schedule {
    /// Its name in the scenario.
    pub name: Box<str>,
    /// When it is due.
    pub recurrence: Recurrence,
    /// The queue that does its work.
    pub queue: QueueId,
    /// The name of the jobs that do its work, whoever adds them.
    pub job: Box<str>,
    /// A window is owed a firing if some worker was up for this long within it.
    pub max_lateness: Span,
}

/// When a schedule is due.
#[derive(Clone, PartialEq, Debug)]
pub enum Recurrence {
    /// At the local times of a cron pattern.
    Pattern(Cron, Zone),
    /// Once a period, in windows that are aligned to the epoch.
    Every(Span),
}

/// A queue of the library.
#[derive(Clone, PartialEq, Debug)]
pub struct Queue {
    /// Its name in the scenario and in Redis.
    pub name: Box<str>,
    /// The prefix of its keys (BullMQ's default: `bull`).
    pub prefix: Box<str>,
    /// `defaultJobOptions`: what a job gets where its add says nothing.
    pub defaults: JobOptions,
}

/// The options of a job. `None` is "not said".
#[derive(Clone, PartialEq, Debug, Default)]
pub struct JobOptions {
    /// A custom id; may name the tick's window as `{window}`.
    pub job_id: Option<Template>,
    /// How long after its add it is due.
    pub delay: Option<Span>,
    /// 1 is the most urgent; absent or 0 is none.
    pub priority: Option<u32>,
    /// How often it is tried.
    pub attempts: Option<u32>,
    /// How long it waits between attempts.
    pub backoff: Option<Backoff>,
    /// Which completed jobs are kept.
    pub remove_on_complete: Option<Keep>,
    /// Which failed jobs are kept.
    pub remove_on_fail: Option<Keep>,
    /// Whether it is added at the end that is taken next.
    pub lifo: Option<bool>,
}

/// A text with `{window}` in it, or none: the pieces around each `{window}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    /// One piece more than there are `{window}`s.
    pub pieces: Vec<Box<str>>,
}

/// How long a failed job waits before it is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backoff {
    /// Always the same.
    Fixed(Span),
    /// Twice as long after each attempt.
    Exponential(Span),
}

/// Which finished jobs stay in Redis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// All (`false` in BullMQ).
    All,
    /// None (`true` in BullMQ).
    None,
    /// The newest so many.
    Count(u32),
    /// Those not older than `age`, and of these the newest `count`.
    Age {
        /// The greatest age.
        age: Span,
        /// The greatest number.
        count: Option<u32>,
    },
}

/// What a processor does with the jobs of one name.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// The jobs' name.
    pub name: Box<str>,
    /// The queue, if jobs of that name in other queues are others.
    pub queue: Option<QueueId>,
    /// What it does, in order.
    pub steps: Vec<JobStep>,
    /// How the k-th attempt ends; the last goes on for ever. Never empty.
    pub outcomes: Vec<Outcome>,
}

/// A step of a processor.
#[derive(Clone, PartialEq, Debug)]
pub enum JobStep {
    /// A query of the database that takes so long and writes nothing.
    Query(Range),
    /// Rows written in so many batches, each counted at its commit.
    Write {
        /// How many rows in all.
        rows: u64,
        /// In how many commits. At least 1.
        batches: u32,
        /// How long all of it takes.
        takes: Range,
    },
    /// Waits, or works elsewhere, without blocking the event loop.
    Sleep(Range),
    /// Blocks the event loop.
    Block(Range),
    /// Adds a job.
    Add(Box<Add>),
}

/// How an attempt ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It returns.
    Ok,
    /// It throws after its last step.
    Fail,
    /// The process exits with code 1 after its last step.
    Exit,
}

/// What a container runs: start-up steps in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Release {
    /// Its name in the scenario.
    pub name: Box<str>,
    /// The version of BullMQ.
    pub library: Version,
    /// What the start-up code does, in order.
    pub steps: Vec<Step>,
}

/// The versions of BullMQ that are modelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// 5.34.10.
    V5_34_10,
}

/// A step of start-up code.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// Whether the next step waits for it. A step that is not awaited really interleaves.
    pub awaited: bool,
    /// What its error does.
    pub on_error: OnError,
}

/// What an error of a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnError {
    /// The process exits with code 1, as Node does with an error that nobody caught.
    Exit,
    /// Nothing.
    Ignore,
}

/// What a step of start-up code does.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// `queue.add`.
    Add(Add),
    /// `queue.upsertJobScheduler`.
    UpsertJobScheduler {
        /// The queue.
        queue: QueueId,
        /// The scheduler's id.
        id: Box<str>,
        /// When it repeats.
        repeat: Repeat,
        /// The jobs' name.
        name: Box<str>,
        /// The template's options.
        options: JobOptions,
    },
    /// `queue.removeRepeatable`.
    RemoveRepeatable {
        /// The queue.
        queue: QueueId,
        /// The jobs' name.
        name: Box<str>,
        /// The options that the registration was made with.
        repeat: Repeat,
        /// The job id that it was made with.
        job_id: Option<Box<str>>,
    },
    /// `queue.removeJobScheduler`.
    RemoveJobScheduler {
        /// The queue.
        queue: QueueId,
        /// The scheduler's id.
        id: Box<str>,
    },
    /// `new Worker`.
    Worker(Worker),
    /// An in-process cron: runs steps at each of its ticks for as long as the process lives.
    Timer {
        /// When.
        pattern: Cron,
        /// Where; the process's own zone if absent.
        zone: Option<Zone>,
        /// What. None of these is a worker or a timer.
        steps: Vec<Step>,
    },
    /// Waits.
    Sleep(Range),
}

/// One `queue.add`.
#[derive(Clone, PartialEq, Debug)]
pub struct Add {
    /// The queue.
    pub queue: QueueId,
    /// The job's name.
    pub name: Box<str>,
    /// Its options, over the queue's defaults.
    pub options: JobOptions,
    /// When it repeats: the older repeat API.
    pub repeat: Option<Repeat>,
}

/// The repeat options of both APIs.
#[derive(Clone, PartialEq, Debug)]
pub struct Repeat {
    /// When.
    pub when: RepeatWhen,
    /// The `tz` option.
    pub zone: Option<Zone>,
    /// The `immediately` option.
    pub immediately: bool,
    /// The `limit` option: how many iterations since the last add.
    pub limit: Option<u32>,
    /// The `key` option of the older API.
    pub key: Option<Box<str>>,
}

/// The two kinds of repetition.
#[derive(Clone, PartialEq, Debug)]
pub enum RepeatWhen {
    /// A cron pattern.
    Pattern(Cron),
    /// A period.
    Every(Span),
}

/// The options of a worker, with BullMQ's defaults filled in.
#[derive(Clone, PartialEq, Debug)]
pub struct Worker {
    /// The queue.
    pub queue: QueueId,
    /// How many jobs at once.
    pub concurrency: u32,
    /// At most so many starts in so long.
    pub limiter: Option<Limiter>,
    /// How long a lock lives without renewal.
    pub lock_duration: Span,
    /// How often stalled jobs are looked for.
    pub stalled_interval: Span,
    /// How often a job may stall.
    pub max_stalled_count: u32,
    /// How long an idle worker blocks when no delayed job is known.
    pub drain_delay: Span,
}

/// The rate limiter of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limiter {
    /// How many starts.
    pub max: u32,
    /// In how long.
    pub duration: Span,
}

/// A Deployment: replicas of one release, and how they come and go.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its name: containers are called after it.
    pub name: Box<str>,
    /// What its containers run at the start.
    pub release: ReleaseId,
    /// How many.
    pub replicas: u32,
    /// How long after its creation a container begins to run.
    pub boot: Range,
    /// What happens when a container ends by itself or is killed.
    pub restart: Restart,
    /// How long a container has between SIGTERM and SIGKILL.
    pub grace: Span,
    /// How a new release is rolled out.
    pub rollout: Rollout,
    /// The containers' `TZ`.
    pub zone: Zone,
    /// How long a message and its reply take together, if not as for everybody.
    pub round_trip: Option<Range>,
}

/// Kubernetes' `restartPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Again, after a back-off of 10 s that doubles up to 5 min and is forgotten after 10 min up.
    Always,
    /// Only after an exit code other than 0 or a kill.
    OnFailure,
    /// Not at all, until an event restarts the service.
    Never,
}

/// Kubernetes' deployment strategies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rollout {
    /// New containers come while old ones go.
    Rolling {
        /// How many more than the replicas there may be.
        max_surge: Quota,
        /// How many fewer may be up.
        max_unavailable: Quota,
    },
    /// All old ones go, then the new ones come.
    Recreate,
}

/// A number of containers, or a share of the replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quota {
    /// A number.
    Count(u32),
    /// A percentage of the replicas; Kubernetes rounds a surge up and an unavailability down.
    Percent(u32),
}

/// Something that happens to the fleet.
#[derive(Clone, PartialEq, Debug)]
pub struct PlannedEvent {
    /// When, after the start.
    pub at: Range,
    /// To which service.
    pub service: ServiceId,
    /// What.
    pub change: Change,
}

/// What happens to a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It moves to a release.
    Deploy(ReleaseId),
    /// It gets another number of replicas.
    Scale(u32),
    /// So many of its running containers are killed, those with the lowest ordinals first.
    Kill(u32),
    /// It is rolled out again with the release that it has (`kubectl rollout restart`).
    Restart,
}

/// Random faults.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Kills of containers, by service.
    pub kills: Vec<Kills>,
}

/// The kills that a life of a container may meet: one question at its boot, 0 being none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kills {
    /// Whose containers.
    pub service: ServiceId,
    /// The probability that a life is killed, in units of 2^-32.
    pub odds_of_2_32: u64,
    /// Among how many kill points (before and after each send, before each reply, inside a step
    /// of a job), counted from the boot; a life that ends before its point is not killed.
    pub points: u32,
}

/// Something that must hold, or that is declared not to.
#[derive(Clone, PartialEq, Debug)]
pub struct Expectation {
    /// The property.
    pub property: Property,
    /// What is declared about it.
    pub declared: Declared,
    /// Where it stands in the file, as a byte offset.
    pub at: usize,
}

/// A property over the events of one run. Schedules are indices into [`Scenario::schedules`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Property {
    /// Always: at most `most` firings of a schedule in any of its windows.
    FiringsAtMost {
        /// The schedule.
        schedule: usize,
        /// The bound.
        most: u64,
    },
    /// Always: at least `least` firings in each of its windows that is owed one.
    FiringsAtLeast {
        /// The schedule.
        schedule: usize,
        /// The bound.
        least: u64,
    },
    /// Always: at most `most` rows written by the schedule's jobs in any of its windows.
    RowsAtMost {
        /// The schedule.
        schedule: usize,
        /// The bound.
        most: u64,
    },
    /// Always: at most `most` executions of the schedule's jobs in the measured part.
    ExecutionsInAll {
        /// The schedule.
        schedule: usize,
        /// The bound.
        most: u64,
    },
    /// Always: at most `most` rows written by the schedule's jobs in the measured part.
    RowsInAll {
        /// The schedule.
        schedule: usize,
        /// The bound.
        most: u64,
    },
    /// Eventually: so many live registrations of the schedule, each with one pending iteration,
    /// and no registration that is listed but dead.
    LiveRegistrations {
        /// The schedule.
        schedule: usize,
        /// The number.
        exactly: u64,
    },
}

impl Property {
    /// The schedule that it is about.
    pub fn schedule(&self) -> usize {
        match *self {
            Property::FiringsAtMost { schedule, .. }
            | Property::FiringsAtLeast { schedule, .. }
            | Property::RowsAtMost { schedule, .. }
            | Property::ExecutionsInAll { schedule, .. }
            | Property::RowsInAll { schedule, .. }
            | Property::LiveRegistrations { schedule, .. } => schedule,
        }
    }
}

/// What an expectation says about the seeds of an invocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Declared {
    /// It holds in all of them.
    Holds,
    /// It is violated in all of them.
    EverySeed,
    /// It is violated in one at least.
    SomeSeed,
    /// It is violated in at least this percentage of them.
    AtLeast(u8),
}
