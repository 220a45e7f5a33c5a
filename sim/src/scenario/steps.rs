//! What runs in a scenario: the steps of jobs and of start-up code, and the options that they give.
//!
//! These are values; what they do is `release.rs`'s business, and what BullMQ makes of them its own.

use super::{JobOptions, Keep, Range, Template, Version};
use crate::bullmq::cron::Cron;
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::event::{Finish, JobList, QueueId, StepResult};
use std::fmt;
use std::sync::Arc;

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
    /// What makes an attempt the k-th.
    pub counted: Counted,
}

impl Job {
    /// Whether it is about the jobs of a name in a queue.
    #[must_use]
    pub fn is(&self, queue: QueueId, name: &[u8]) -> bool {
        self.name.as_bytes() == name && self.queue.is_none_or(|only| only == queue)
    }

    /// How many rows one execution writes, if each of its steps is reached.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let rows = self.steps.iter().map(|step| match step {
            JobStep::Write { rows, .. } => *rows,
            _ => 0,
        });
        rows.sum()
    }

    /// How long one execution takes, at least and at most, but for what it waits for.
    #[must_use]
    pub fn takes(&self) -> (Span, Span) {
        let each = self.steps.iter().filter_map(|step| match step {
            JobStep::Query(takes)
            | JobStep::Sleep(takes)
            | JobStep::Block(takes)
            | JobStep::Write { takes, .. } => Some(takes),
            JobStep::Add(_) | JobStep::RateLimit(_) | JobStep::Database(..) => None,
        });
        each.fold((Span::ZERO, Span::ZERO), |(least, most), takes| {
            (least + takes.least, most + takes.most)
        })
    }
}

/// Which of BullMQ's numbers tells an attempt from the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// `attemptsMade`: those that ended. A job whose worker was killed is tried the same again.
    Made,
    /// `attemptsStarted`: each start of the processor is the next.
    Started,
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
    /// Holds back the queue's jobs for so long, this one too: `queue.rateLimit`, and a
    /// `RateLimitError`.
    RateLimit(Range),
    /// Works on locks and rows of the database: what the job does if something came of it, and if
    /// nothing did (the lock is held, the row is there already).
    Database(DatabaseStep, Then, Then),
}

/// What a job does after a statement of the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// It goes on.
    GoOn,
    /// It returns: there is nothing to do.
    Return,
    /// It throws.
    Fail,
}

/// A statement on locks or rows.
#[derive(Clone, PartialEq, Debug)]
pub struct DatabaseStep {
    /// What it does.
    pub action: DatabaseAction,
    /// How long it takes.
    pub takes: Range,
}

/// What a statement on locks or rows does.
#[derive(Clone, PartialEq, Debug)]
pub enum DatabaseAction {
    /// Takes a lock, if nobody holds it.
    Lock(Template, LockKind),
    /// Gives a lock back.
    Unlock(Template),
    /// Inserts a row of a unique name, if it is not there.
    Insert(Template),
    /// Deletes a row, if it is there.
    Delete(Template),
    /// Looks whether a row is there.
    Find(Template),
}

/// The kinds of locks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// Held by a connection, free when it closes.
    Session {
        /// Whether the statement waits for the lock.
        wait: bool,
    },
    /// Free by itself after so long.
    Lease(Span),
    /// A status column: it stays after a kill.
    Status,
}

/// How an attempt ends. A number is that of the step before which it does; none: after the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It returns.
    Ok,
    /// It throws.
    Fail(Option<u32>),
    /// The process exits with code 1.
    Exit(Option<u32>),
}

/// What a container runs: start-up steps in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Release {
    /// Its name in the scenario.
    pub name: Box<str>,
    /// The version of BullMQ.
    pub library: Version,
    /// What the start-up code does, in order.
    pub steps: Arc<[Step]>,
    /// What its processors do with jobs of some names, if it is other than what the scenario's jobs
    /// say.
    pub jobs: Vec<Job>,
    /// Whether it is what a person runs by hand: its process exits after its last step.
    pub by_hand: bool,
}

impl Release {
    /// The step of a number, wherever it stands.
    #[must_use]
    pub fn step(&self, number: u16) -> Option<&Step> {
        fn find(steps: &[Step], number: u16) -> Option<&Step> {
            steps.iter().find_map(|step| match &step.action {
                _ if step.number == number => Some(step),
                Action::Timer { steps, .. } | Action::Parallel(steps) => find(steps, number),
                _ => None,
            })
        }
        find(&self.steps, number)
    }
}

/// In few words, as the file would say it: `add usage`, `worker`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Add(add) if add.repeat.is_some() => write!(f, "add {} (repeat)", add.name),
            Action::Add(add) => write!(f, "add {}", add.name),
            Action::UpsertJobScheduler { id, .. } => write!(f, "upsert_job_scheduler {id}"),
            Action::RemoveRepeatable { name, .. } => write!(f, "remove_repeatable {name}"),
            Action::RemoveJobScheduler { id, .. } => write!(f, "remove_job_scheduler {id}"),
            Action::RemoveRepeatableByKey { key, .. } => {
                write!(f, "remove_repeatable_by_key {key}")
            }
            Action::GetRepeatableJobs(_) => f.write_str("get_repeatable_jobs"),
            Action::GetJobSchedulers { .. } => f.write_str("get_job_schedulers"),
            Action::RemoveGlobalConcurrency(_) => f.write_str("remove_global_concurrency"),
            Action::RemoveGlobalRateLimit(_) => f.write_str("remove_global_rate_limit"),
            Action::Worker(_) => f.write_str("worker"),
            Action::Timer { .. } => f.write_str("timer"),
            Action::Sleep(_) => f.write_str("sleep"),
            Action::Open(_) => f.write_str("open a queue"),
            Action::Database(step) => f.write_str(match step.action {
                DatabaseAction::Lock(..) => "lock",
                DatabaseAction::Unlock(_) => "unlock",
                DatabaseAction::Insert(_) => "insert",
                DatabaseAction::Delete(_) => "delete",
                DatabaseAction::Find(_) => "find",
            }),
            Action::Parallel(_) => f.write_str("parallel"),
            Action::AddBulk(_, jobs) => write!(f, "add_bulk of {} jobs", jobs.len()),
            Action::RemoveAllRepeatables(_) => f.write_str("remove_all_repeatables"),
            Action::Pause(_) => f.write_str("pause"),
            Action::Resume(_) => f.write_str("resume"),
            Action::Drain { .. } => f.write_str("drain"),
            Action::Obliterate { .. } => f.write_str("obliterate"),
            Action::Clean { .. } => f.write_str("clean"),
            Action::PromoteJobs(_) => f.write_str("promote_jobs"),
            Action::RetryJobs { .. } => f.write_str("retry_jobs"),
            Action::SetGlobalConcurrency { .. } => f.write_str("set_global_concurrency"),
            Action::SetGlobalRateLimit { .. } => f.write_str("set_global_rate_limit"),
            Action::Job { name, does, .. } => match does {
                ByHand::Remove => write!(f, "remove_job {name}"),
                ByHand::Promote => write!(f, "promote_job {name}"),
                ByHand::Retry => write!(f, "retry_job {name}"),
            },
        }
    }
}

/// A step of start-up code.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// Its number among all steps of its release, those within others too.
    pub number: u16,
    /// Its place, as people say it: `2`, or `6.1` for the first of those within the sixth.
    pub place: Box<str>,
    /// What conditions of later steps call it; those that one names have a name.
    pub name: Option<Box<str>>,
    /// What it does.
    pub action: Action,
    /// Whether the next step waits for it. A step that is not awaited really interleaves.
    pub awaited: bool,
    /// What its error does.
    pub on_error: OnError,
    /// All of these must be so, or it is passed over.
    pub when: Vec<Condition>,
    /// Whether a process does it only the first time that it comes to it.
    pub once: bool,
}

/// What an error of a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnError {
    /// The process exits with code 1, as Node does with an error that nobody caught.
    Exit,
    /// Nothing.
    Ignore,
    /// The step is tried again so often, so long after the error; then the process exits.
    Retry {
        /// How often.
        times: u32,
        /// How long after the error.
        delay: Span,
    },
}

/// When a step is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// An environment variable of the service has this value.
    Env(Box<str>, Box<str>),
    /// The container is the so-manieth of its service, counted from 1.
    Ordinal(u32),
    /// The container boots for the first time (or not).
    FirstBoot(bool),
    /// An earlier step of the release, by its number, came to this.
    Came(u16, StepResult),
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
    /// `queue.removeRepeatableByKey`.
    RemoveRepeatableByKey {
        /// The queue.
        queue: QueueId,
        /// The registration's key, of whichever API.
        key: Box<str>,
    },
    /// `queue.getRepeatableJobs`: reads and changes nothing.
    GetRepeatableJobs(QueueId),
    /// `queue.getJobSchedulers`: reads and changes nothing.
    GetJobSchedulers {
        /// The queue.
        queue: QueueId,
        /// The scheduler that is looked for among them: nothing comes of it if there is none of
        /// this id, or one that repeats otherwise.
        finds: Option<(Box<str>, Option<Repeat>)>,
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
        steps: Arc<[Step]>,
    },
    /// Waits.
    Sleep(Range),
    /// `new Queue` alone.
    Open(QueueId),
    /// `queue.addBulk`; all jobs are of one queue.
    AddBulk(QueueId, Vec<Add>),
    /// Removes every registration of the queue that it finds.
    RemoveAllRepeatables(QueueId),
    /// `queue.pause`.
    Pause(QueueId),
    /// `queue.resume`.
    Resume(QueueId),
    /// `queue.drain`.
    Drain {
        /// The queue.
        queue: QueueId,
        /// Whether delayed jobs go, too.
        delayed: bool,
    },
    /// `queue.obliterate`.
    Obliterate {
        /// The queue.
        queue: QueueId,
        /// Whether it goes on although jobs are active.
        force: bool,
    },
    /// `queue.clean`.
    Clean {
        /// The queue.
        queue: QueueId,
        /// Which jobs.
        state: JobList,
        /// How old they are at least.
        grace: Span,
        /// How many at most; 0 is all.
        limit: u32,
    },
    /// `queue.promoteJobs`.
    PromoteJobs(QueueId),
    /// `queue.retryJobs`.
    RetryJobs {
        /// The queue.
        queue: QueueId,
        /// How they finished.
        state: Finish,
    },
    /// `queue.setGlobalConcurrency`: how many jobs at once, in all workers together.
    SetGlobalConcurrency {
        /// The queue.
        queue: QueueId,
        /// How many.
        concurrency: u32,
    },
    /// `queue.setGlobalRateLimit`: for all workers together (5.81 and later).
    SetGlobalRateLimit {
        /// The queue.
        queue: QueueId,
        /// At most so many starts in so long.
        limiter: Limiter,
    },
    /// `queue.removeGlobalConcurrency` (5.81 and later).
    RemoveGlobalConcurrency(QueueId),
    /// `queue.removeGlobalRateLimit` (5.81 and later).
    RemoveGlobalRateLimit(QueueId),
    /// Works on locks and rows of the database.
    Database(DatabaseStep),
    /// Begins all of these and waits for those that are awaited.
    Parallel(Arc<[Step]>),
    /// What a person does to one job in a dashboard.
    Job {
        /// The queue.
        queue: QueueId,
        /// The job's name: the oldest of those that it can be done to.
        name: Box<str>,
        /// What.
        does: ByHand,
    },
}

/// What a person does to a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByHand {
    /// `job.remove`, of a job that waits or is delayed.
    Remove,
    /// `job.promote`, of a delayed job.
    Promote,
    /// `job.retry`, of a failed job.
    Retry,
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
    /// The `startDate` option.
    pub start_date: Option<Instant>,
    /// The `endDate` option.
    pub end_date: Option<Instant>,
    /// The `immediately` option.
    pub immediately: bool,
    /// The `limit` option: how many iterations since the last add.
    pub limit: Option<u32>,
    /// The `key` option of the older API.
    pub key: Option<Box<str>>,
    /// The `offset` option: how long after its slot an iteration is due.
    pub offset: Option<Span>,
}

/// The two kinds of repetition.
#[derive(Clone, PartialEq, Debug)]
pub enum RepeatWhen {
    /// A cron pattern.
    Pattern(Cron),
    /// A pattern that the release's cron-parser refuses: the step is prepared for what it throws.
    Refused(Box<str>),
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
    /// Which completed jobs are kept of those that do not say it themselves.
    pub remove_on_complete: Option<Keep>,
    /// Which failed ones.
    pub remove_on_fail: Option<Keep>,
    /// How often a job may be started before it is failed unprocessed; 5.34 does not know it.
    pub max_started_attempts: Option<u32>,
    /// How often locks are renewed; half of how long they live if it is not said.
    pub lock_renew_time: Option<Span>,
    /// Whether it takes no part in looking for stalled jobs.
    pub skip_stalled_check: bool,
    /// Whether it renews no locks.
    pub skip_lock_renewal: bool,
    /// Whether it runs at once; if not, nobody lets it run.
    pub autorun: bool,
    /// Whether it is closed without waiting for its jobs.
    pub force_close: bool,
}

/// The rate limiter of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limiter {
    /// How many starts.
    pub max: u32,
    /// In how long.
    pub duration: Span,
}
