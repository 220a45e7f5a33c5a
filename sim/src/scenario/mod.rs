//! The scenario: what to simulate and what must hold, parsed and resolved from one file.
//!
//! A `Scenario` that exists is sound: every name in it resolves, every range is the right way up,
//! there is something to simulate and something to judge. `parse` is the only way to make one from
//! text; it opens no file.

mod alert;
mod audit;
mod diagnostic;
mod explain;
mod lint;
mod metric;
mod parse;
mod place;
mod print;
mod property;
mod steps;

pub use alert::*;
pub use audit::{Accept, Audit, Harm, Per, Rate, unknown_hazards};
pub use diagnostic::{CODES, Diagnostic, Severity, Span as TextSpan};
pub use explain::explain;
pub use metric::*;
use parse::merged;
pub use parse::{Base, cannot_extend, extends, parse, parse_over, schema, span_range};
pub use place::{Part, Path, Places};
pub use print::{Line, Value, Whose, bare, lines, print, print_alerts, quoted, thousandths};
pub use property::{
    About, Described, Measure, Mode, PROPERTIES, Probe, Property, Relation, Subject, Unit,
};
pub use steps::*;

pub use crate::bullmq::Version;
use crate::bullmq::cron::Cron;
use crate::choices::Name;
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::event::{FaultClass, QueueId, ReleaseId, ServiceId};
use crate::ticks::Ticks;
use std::collections::BTreeSet;

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
    /// How messages travel.
    pub network: Network,
    /// Whether polls of a worker that find nothing are left out: see [`crate::servers::Poll`].
    pub skips_idle_polls: bool,
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
    /// What it says to an audit of it.
    pub audit: Audit,
    /// What rings.
    pub alerts: Vec<Alert>,
    /// How often metrics are looked at for that.
    pub scrape: Span,
    /// The answers of the one run that the file stands for, by the names of their questions; what is
    /// not among them is answered plainly. None: what a run leaves open is drawn from a seed.
    pub answers: Option<Vec<(Name, u32)>>,
    /// The words for the draws of ranges, indexed by [`Range::draw`].
    pub draws: Vec<Box<str>>,
}

/// How messages travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Network {
    /// Each takes a time, within the round trip.
    #[default]
    Timed,
    /// They take none: which of those in flight arrives next is open, and nothing that is due later
    /// happens before all have arrived.
    Order,
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

impl Scenario {
    /// The scenario as it is read again from its text: what a function made of another is as sound as a
    /// file, or says why not.
    ///
    /// # Errors
    /// The first problem.
    pub fn reread(&self) -> Result<Scenario, String> {
        match parse(&print(self)) {
            Ok((scenario, _)) => Ok(scenario),
            Err(problems) => {
                let first = problems.first().map(|problem| problem.message.clone());
                Err(first.unwrap_or_else(|| "it makes no scenario".to_owned()))
            }
        }
    }

    /// The classes of what may happen by chance: kills by odds, and events that have odds.
    #[must_use]
    pub fn fault_classes(&self) -> BTreeSet<FaultClass> {
        let kills = self.faults.kills.iter().map(|_| FaultClass::Kill);
        let by_chance = self.events.iter().filter(|event| event.odds_of_2_32.is_some());
        kills.chain(by_chance.map(|event| event.happens.class())).collect()
    }
}

impl Recurrence {
    /// The instants at which it is due.
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        match self {
            Recurrence::Pattern(cron, zone) => Ticks::pattern(cron, zone.clone()),
            Recurrence::Every(period) => Ticks::every(period.ms(), 0),
        }
    }
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
    /// Under which id it is deduplicated.
    pub deduplication: Option<Deduplication>,
    /// What the job carries: fields and their texts, by name. No option, but it stands beside them.
    pub data: Option<Vec<(Box<str>, Box<str>)>>,
}

/// The `deduplication` option of a job.
#[derive(Clone, PartialEq, Debug)]
pub struct Deduplication {
    /// The id; may name the tick's window.
    pub id: Template,
    /// How long the id is taken; without it, until the job is finished.
    pub ttl: Option<Span>,
    /// Whether each add that meets it begins the `ttl` anew (5.81 and later).
    pub extend: bool,
    /// Whether a new job takes the place of one that is delayed (5.81 and later).
    pub replace: bool,
    /// Whether the last add that met an active job is made up for afterwards (5.81 and later).
    pub keep_last_if_active: bool,
    /// Whether an add moves the instant of a job that is delayed (6.7).
    pub reschedule: bool,
}

/// A text with `{window}` in it, or none: the pieces around each `{window}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    /// One piece more than there are `{window}`s.
    pub pieces: Vec<Box<str>>,
    /// Whose window it names: a schedule's, as the process's clock has it; or that of the tick of
    /// the timer that runs the step.
    pub schedule: Option<usize>,
}

/// How long a failed job waits before it is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Whether it waits twice as long after each attempt, or always the same.
    pub exponential: bool,
    /// How long it waits after the first attempt.
    pub delay: Span,
    /// Which part of the wait is left to chance, in millionths (5.81 and later).
    pub jitter: u32,
}

impl Backoff {
    /// Always the same.
    #[must_use]
    pub fn fixed(delay: Span) -> Self {
        Backoff { exponential: false, delay, jitter: 0 }
    }

    /// Twice as long after each attempt.
    #[must_use]
    pub fn exponential(delay: Span) -> Self {
        Backoff { exponential: true, delay, jitter: 0 }
    }
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

/// A Deployment: replicas of one release, and how they come and go.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its name: containers are called after it.
    pub name: Box<str>,
    /// What its containers run at the start.
    pub release: ReleaseId,
    /// How many.
    pub replicas: u32,
    /// The ordinals of those that never come: each keeps its place, so that the others keep their names.
    pub without: Vec<u32>,
    /// How long after its creation a container begins to run.
    pub boot: Range,
    /// What happens when a container ends by itself or is killed.
    pub restart: Restart,
    /// How long after its end it is started again; the kubelet's back-off if it is not said.
    pub restart_delay: Option<Span>,
    /// How often it is started again at most.
    pub max_restarts: Option<u32>,
    /// How long a container has between SIGTERM and SIGKILL.
    pub grace: Span,
    /// How a new release is rolled out.
    pub rollout: Rollout,
    /// The containers' `TZ`.
    pub zone: Zone,
    /// Their environment, as far as steps ask for it.
    pub env: Vec<(Box<str>, Box<str>)>,
    /// How long a message and its reply take together, if not as for everybody.
    pub round_trip: Option<Range>,
    /// How wrong the clocks of its containers are.
    pub clock: Skew,
}

/// How wrong the clock of a container is in each of its lives. What is not said is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Skew {
    /// The wall clock minus the right time, in nanoseconds.
    pub offset: Option<Signed>,
    /// How much faster than the right time it runs, in nanoseconds a second: 1,000 are 1 ppm.
    pub drift: Option<Signed>,
}

/// A range of numbers that is drawn for each use: one of sixteen, the nearest to zero being plain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The lower end.
    pub least: i64,
    /// The upper end.
    pub most: i64,
    /// Which word names the draw in tapes; an index into [`Scenario::draws`].
    pub draw: u16,
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

/// Something that happens.
#[derive(Clone, PartialEq, Debug)]
pub struct PlannedEvent {
    /// When, after the start.
    pub at: Range,
    /// The probability that it happens at all, in units of 2^-32; `None`: it is no matter of chance.
    pub odds_of_2_32: Option<u64>,
    /// What.
    pub happens: Happens,
}

/// What happens, and to whom.
#[derive(Clone, PartialEq, Debug)]
pub enum Happens {
    /// A change of a service.
    To(ServiceId, Change),
    /// A person runs steps, which are a release of their own.
    ByHand(ReleaseId),
    /// Something befalls Redis.
    InRedis(Mishap),
}

impl Happens {
    /// Which class of faults it is of, if it happens by chance.
    #[must_use]
    pub fn class(&self) -> FaultClass {
        match self {
            Happens::To(_, change) => match change {
                Change::Deploy(..) => FaultClass::Deploy,
                Change::Scale(_) => FaultClass::Scale,
                Change::Kill(_) => FaultClass::Kill,
                Change::Terminate(_) => FaultClass::Terminate,
                Change::Restart => FaultClass::Restart,
                Change::Pause(_) => FaultClass::Pause,
                Change::Clock(_) => FaultClass::Clock,
                Change::Disconnect(_) => FaultClass::Disconnect,
                Change::Partition(_) => FaultClass::Partition,
                Change::Delay { .. } => FaultClass::Delay,
            },
            Happens::ByHand(_) => FaultClass::ByHand,
            Happens::InRedis(mishap) => match mishap {
                Mishap::Slow(_) => FaultClass::RedisSlow,
                Mishap::Flush => FaultClass::RedisFlush,
                Mishap::Restart { loses: Loses::Since(_), .. } => FaultClass::RedisFailover,
                Mishap::Restart { .. } => FaultClass::RedisRestart,
                Mishap::Evict(..) => FaultClass::RedisEvict,
            },
        }
    }
}

/// What befalls Redis.
#[derive(Clone, PartialEq, Debug)]
pub enum Mishap {
    /// It executes nothing for so long: a slow command, a fork, a full disk.
    Slow(Range),
    /// It loses everything (`FLUSHALL`, a restart without persistence); connections stay.
    Flush,
    /// It goes away for a time and breaks every connection; what it does not remember then is lost.
    Restart {
        /// How long it is away.
        down: Range,
        /// What it does not remember.
        loses: Loses,
    },
    /// One key of a queue goes, as under a `maxmemory-policy` that evicts: the name of the key below
    /// the queue's prefix.
    Evict(QueueId, Box<str>),
}

/// What a Redis that comes back does not remember.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loses {
    /// It remembers all.
    Nothing,
    /// What was written in this time before it went: a replica that lagged takes its place.
    Since(Span),
    /// It comes back empty.
    All,
}

/// What happens to a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It moves to a release, perhaps rolled out in another way than usual.
    Deploy(ReleaseId, Option<Rollout>),
    /// It gets another number of replicas.
    Scale(u32),
    /// So many of its running containers are killed, those with the lowest ordinals first.
    Kill(u32),
    /// So many of its running containers are asked to end, those with the lowest ordinals first, and
    /// killed after the grace period (a liveness probe that fails). They stay what they are: what
    /// follows is as after any end.
    Terminate(u32),
    /// It is rolled out again with the release that it has (`kubectl rollout restart`).
    Restart,
    /// The event loops of its running containers stand still for so long (a frozen node, a pause
    /// of the garbage collector): a draw for each.
    Pause(Range),
    /// The clocks of its running containers step by so many milliseconds. A container that boots
    /// later has the right time.
    Clock(i64),
    /// The connections of its containers to Redis break, and for so long none can be opened.
    Disconnect(Range),
    /// What its containers and Redis send each other is held back for so long, without an error, and
    /// then arrives in order, as TCP sends it again. It is over when the calm begins.
    Partition(Range),
    /// The network of its containers is slow for a time. It is over when the calm begins.
    Delay {
        /// How long a message and its reply take together.
        round_trip: Range,
        /// For how long.
        lasts: Range,
    },
}

/// Random faults.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Kills of containers, by service.
    pub kills: Vec<Kills>,
    /// Whether each run draws how bad each class of faults is: off, as likely as it says, or four
    /// times as likely.
    pub swarm: bool,
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
