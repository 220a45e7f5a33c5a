//! What an expectation can say, as data: one table, [`PROPERTIES`], which the parser, the reports
//! and the documentation read. What a property means exactly is the business of its oracle; a
//! property that is not in the table cannot be asked for.

/// A property over the events of one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Property {
    /// When it must be so.
    pub mode: Mode,
    /// What is measured.
    pub measure: Measure,
    /// Of what.
    pub subject: Subject,
    /// How the bound binds.
    pub relation: Relation,
    /// The bound: a number, or nanoseconds where the unit is a length of time.
    pub bound: u64,
}

/// When a property must be so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// Throughout the measured part.
    Always,
    /// In the end: at the end of the run, or in its calm tail.
    Eventually,
    /// In some run of the invocation.
    Sometimes,
}

/// What a property is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A schedule, an index into the scenario's.
    Schedule(usize),
    /// A queue, an index into the scenario's.
    Queue(usize),
    /// All of it.
    World,
}

/// How a bound binds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// Not more.
    AtMost,
    /// Not less.
    AtLeast,
    /// Neither.
    Exactly,
    /// There is no bound: it happens.
    Happens,
}

/// What is measured. [`PROPERTIES`] says what each means exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// Distinct jobs that start in a window.
    FiringsPerWindow,
    /// Executions that do all of a window's work.
    WorkPerWindow,
    /// Rows committed in a window.
    RowsPerWindow,
    /// Starts of the processor.
    ExecutionsInAll,
    /// Rows committed.
    RowsInAll,
    /// Starts of the processor with one job.
    ExecutionsPerFiring,
    /// Executions at one instant.
    Overlap,
    /// Firings beyond one a window, for each rollout.
    ExtraFiringsPerDeploy,
    /// From a tick to the first start of its firing.
    Lateness,
    /// Jobs that wait or are active.
    QueueLength,
    /// Finished jobs that Redis keeps.
    KeptJobs,
    /// Older jobs that a job leaves behind.
    Overtaking,
    /// Attempts ended by who no longer has the job.
    EndsByOldOwners,
    /// Jobs that nobody will do.
    LostJobs,
    /// Registrations with an iteration to come.
    LiveRegistrations,
    /// How long the one registration is not as it must be.
    TimeToHeal,
    /// Whether something happens at all.
    Seen(Probe),
}

/// Something that may happen in a run, and that a set of runs should have met. [`PROPERTIES`] says
/// what each means exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe {
    /// Two containers are in their start-up steps.
    BootsOverlap,
    /// A container dies in its start-up steps.
    DiesInStartUp,
    /// A container dies with a job in hand.
    DiesWithJob,
    /// A container runs again.
    Restarts,
    /// A container boots while a job runs.
    BootsBesideJob,
    /// A tick comes during a rollout.
    TickInDeploy,
    /// Two releases of one service run.
    ReleasesSideBySide,
    /// A tick comes when nobody looks for jobs.
    TickWithoutWorker,
    /// A job is found without its lock.
    JobStalls,
    /// A job fails for good.
    JobFails,
    /// A failed job is put back.
    JobTriedAgain,
    /// An add stores nothing.
    IdIsTaken,
    /// A worker no longer has its job's lock.
    LockIsLost,
    /// An iteration goes after its tick without having run.
    DueIterationRemoved,
    /// A step finds a lock of the database taken.
    LockIsBusy,
    /// Redis stands still.
    RedisIsSlow,
    /// Redis is empty.
    RedisLosesAll,
    /// Redis goes back to what it held.
    RedisLosesWrites,
    /// Redis gives up a key that it held.
    KeyIsEvicted,
    /// Connections to Redis break.
    ConnectionsBreak,
    /// Clocks of containers step.
    ClocksStep,
    /// Messages to and from Redis are held back.
    MessagesHeldBack,
    /// A network is slow.
    NetworkIsSlow,
    /// A container's clock is wrong.
    ClockIsWrong,
    /// A run does not get on.
    GetsStuck,
}

/// Which subject a property needs or may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// A schedule: the only one, if none is named.
    Schedule,
    /// A queue: the only one, if none is named.
    Queue,
    /// A schedule if one is named, else any.
    AnySchedule,
    /// A queue if one is named, else any.
    AnyQueue,
    /// Nothing in particular.
    Nothing,
}

/// What a bound counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Whatever it counts.
    Number,
    /// Time, in nanoseconds.
    Time,
}

/// A property as the format has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Described {
    /// How a file names it.
    pub text: &'static str,
    /// What is measured.
    pub measure: Measure,
    /// The modes that it has, each with the ways in which its bound binds.
    pub forms: &'static [(Mode, Relation)],
    /// Whose property it is.
    pub about: About,
    /// What its bound counts.
    pub unit: Unit,
    /// What it means, in a sentence or a few.
    pub doc: &'static str,
}

impl Mode {
    /// The key of a file that says so.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Mode::Always => "always",
            Mode::Eventually => "eventually",
            Mode::Sometimes => "sometimes",
        }
    }
}

impl Relation {
    /// The key of a file that gives the bound; none if there is no bound.
    #[must_use]
    pub fn key(self) -> Option<&'static str> {
        match self {
            Relation::AtMost => Some("at_most"),
            Relation::AtLeast => Some("at_least"),
            Relation::Exactly => Some("exactly"),
            Relation::Happens => None,
        }
    }

    /// The word for it in a sentence, before the bound.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Relation::AtMost => "at most",
            Relation::AtLeast => "at least",
            Relation::Exactly => "exactly",
            Relation::Happens => "",
        }
    }
}

impl Property {
    /// The schedule that it is about, if it is about one.
    #[must_use]
    pub fn schedule(&self) -> Option<usize> {
        match self.subject {
            Subject::Schedule(schedule) => Some(schedule),
            Subject::Queue(_) | Subject::World => None,
        }
    }

    /// The line of the table that describes it.
    ///
    /// # Panics
    /// If the table lacks a line, which a test rules out.
    #[must_use]
    pub fn described(&self) -> &'static Described {
        let described = PROPERTIES.iter().find(|described| described.measure == self.measure);
        described.expect("the table describes every measure")
    }
}

impl Described {
    /// How its bound binds in a mode: nothing if it does not have the mode.
    pub fn relations(&self, mode: Mode) -> impl Iterator<Item = Relation> {
        self.forms.iter().filter(move |form| form.0 == mode).map(|form| form.1)
    }
}

const AT_MOST: &[(Mode, Relation)] = &[(Mode::Always, Relation::AtMost)];

const fn at_most(
    text: &'static str,
    measure: Measure,
    about: About,
    unit: Unit,
    doc: &'static str,
) -> Described {
    Described { text, measure, forms: AT_MOST, about, unit, doc }
}

const fn probe(text: &'static str, probe: Probe, about: About, doc: &'static str) -> Described {
    let forms = &[(Mode::Sometimes, Relation::Happens)];
    Described { text, measure: Measure::Seen(probe), forms, about, unit: Unit::Number, doc }
}

/// Every property of the format: those with a bound first, then what may happen.
pub const PROPERTIES: &[Described] = &[
    Described {
        text: "firings per window",
        measure: Measure::FiringsPerWindow,
        forms: &[
            (Mode::Always, Relation::AtMost),
            (Mode::Always, Relation::AtLeast),
            (Mode::Eventually, Relation::AtLeast),
        ],
        about: About::Schedule,
        unit: Unit::Number,
        doc: "First starts of distinct jobs that do the schedule's work, in the window of the \
              tick that a job stands for, or of its start. At least: in each window in which a \
              worker was up for `max_lateness`; eventually: in those that lie in the calm tail. \
              At most one of a period: also no two starts within half a period.",
    },
    Described {
        text: "work per window",
        measure: Measure::WorkPerWindow,
        forms: &[(Mode::Always, Relation::AtMost), (Mode::Always, Relation::AtLeast)],
        about: About::Schedule,
        unit: Unit::Number,
        doc: "Executions that commit all rows that the schedule's job writes, in the window of the \
              tick that the job stands for, or of its start: one that leaves early has done no \
              work. Of a job that writes no rows: its firings. At least: in each window in which \
              a worker was up for `max_lateness`.",
    },
    at_most(
        "rows per window",
        Measure::RowsPerWindow,
        About::Schedule,
        Unit::Number,
        "Rows that the schedule's jobs commit, in the window of their commit.",
    ),
    at_most(
        "executions in all",
        Measure::ExecutionsInAll,
        About::Schedule,
        Unit::Number,
        "Starts of the processor with the schedule's jobs, in the whole measured part.",
    ),
    at_most(
        "rows in all",
        Measure::RowsInAll,
        About::Schedule,
        Unit::Number,
        "Rows that the schedule's jobs commit, in the whole measured part.",
    ),
    at_most(
        "executions per firing",
        Measure::ExecutionsPerFiring,
        About::Schedule,
        Unit::Number,
        "Starts of the processor with one distinct job: a retry and a run after a stall are \
         further ones.",
    ),
    at_most(
        "overlap",
        Measure::Overlap,
        About::Schedule,
        Unit::Number,
        "Executions of the schedule's work that are under way at one instant. One whose process \
         dies ends with it.",
    ),
    at_most(
        "extra firings per deploy",
        Measure::ExtraFiringsPerDeploy,
        About::Schedule,
        Unit::Number,
        "Firings beyond one a window, summed over the windows that one rollout of a service \
         touches, from its beginning until every container runs the new release.",
    ),
    at_most(
        "lateness",
        Measure::Lateness,
        About::Schedule,
        Unit::Time,
        "The time from a tick to the first start of a firing that belongs to its window. A \
         window without a firing has none.",
    ),
    Described {
        text: "queue length",
        measure: Measure::QueueLength,
        forms: &[(Mode::Always, Relation::AtMost), (Mode::Eventually, Relation::AtMost)],
        about: About::Queue,
        unit: Unit::Number,
        doc: "Jobs that wait or are active, delayed ones not among them, for any time at all. \
              Eventually: at the end of the run.",
    },
    at_most(
        "kept jobs",
        Measure::KeptJobs,
        About::Queue,
        Unit::Number,
        "Finished jobs, completed and failed ones, that Redis keeps, for any time at all.",
    ),
    at_most(
        "overtaking",
        Measure::Overtaking,
        About::Queue,
        Unit::Number,
        "Jobs that were added earlier and still wait when a worker takes one: 0 is first in, first \
         out. Those with a priority are a line of their own, whichever it is; jobs that were \
         delayed or put back are not looked at.",
    ),
    at_most(
        "ends by old owners",
        Measure::EndsByOldOwners,
        About::Queue,
        Unit::Number,
        "Attempts whose end the queue takes from a process after another has taken the job: it \
         stalled, and the first is still at it.",
    ),
    Described {
        text: "lost jobs",
        measure: Measure::LostJobs,
        forms: &[(Mode::Eventually, Relation::AtMost)],
        about: About::Queue,
        unit: Unit::Number,
        doc: "Jobs that were added and that nobody will do. A job is lost if Redis lost it, \
              if its hash went with the end of an earlier job of its id, before a worker had it \
              in hand, or if a drain or a pause took its entry and left its hash; and if at the end of the run no worker of the queue is up and it is \
              active in the hand of a dead process, or delayed to an instant that has passed. \
              A job that finished, that somebody removed, that waits, or that a living process \
              has in hand is not lost.",
    },
    Described {
        text: "live registrations",
        measure: Measure::LiveRegistrations,
        forms: &[(Mode::Eventually, Relation::Exactly)],
        about: About::Schedule,
        unit: Unit::Number,
        doc: "Registrations of the library that carry the schedule on, at the end of the run, \
              each with one iteration to come, and none that is listed without one.",
    },
    at_most(
        "time to heal",
        Measure::TimeToHeal,
        About::Schedule,
        Unit::Time,
        "The longest time, once the schedule was registered, during which it did not have one \
         registration with one iteration to come, and no other.",
    ),
    probe(
        "two boots overlap",
        Probe::BootsOverlap,
        About::Nothing,
        "A container begins to run while another has not done its start-up steps.",
    ),
    probe(
        "a container dies during start-up",
        Probe::DiesInStartUp,
        About::Nothing,
        "A process is killed, or ends with an error, before its start-up steps are done.",
    ),
    probe(
        "a container dies while a job runs",
        Probe::DiesWithJob,
        About::AnyQueue,
        "A process is killed, or ends with an error, while its processor runs.",
    ),
    probe(
        "a container restarts",
        Probe::Restarts,
        About::Nothing,
        "A container whose process ended begins to run again.",
    ),
    probe(
        "a boot falls while a job runs",
        Probe::BootsBesideJob,
        About::AnyQueue,
        "A container begins to run while a processor runs in another.",
    ),
    probe(
        "a tick falls into a deploy",
        Probe::TickInDeploy,
        About::AnySchedule,
        "A schedule is due between the beginning of a rollout and its end.",
    ),
    probe(
        "releases run side by side",
        Probe::ReleasesSideBySide,
        About::Nothing,
        "Two releases of which a service moves from one to the other run at one instant.",
    ),
    probe(
        "a tick falls while no worker is up",
        Probe::TickWithoutWorker,
        About::AnySchedule,
        "A schedule is due when no worker of its queue looks for jobs.",
    ),
    probe(
        "a job stalls",
        Probe::JobStalls,
        About::AnyQueue,
        "An active job without a lock is found and put back.",
    ),
    probe(
        "a job fails",
        Probe::JobFails,
        About::AnyQueue,
        "A job fails for good: it has no attempt left, or stalled too often.",
    ),
    probe(
        "a job is tried again",
        Probe::JobTriedAgain,
        About::AnyQueue,
        "A failed attempt is put back to be tried again.",
    ),
    probe(
        "an add meets its own id",
        Probe::IdIsTaken,
        About::AnyQueue,
        "An add finds that a job has its id, and stores nothing.",
    ),
    probe(
        "a lock is lost",
        Probe::LockIsLost,
        About::AnyQueue,
        "A worker is refused because its job's lock is gone or another's.",
    ),
    probe(
        "a due iteration is removed",
        Probe::DueIterationRemoved,
        About::AnySchedule,
        "An iteration is removed after its tick and before it ever started.",
    ),
    probe(
        "a lock of the database is busy",
        Probe::LockIsBusy,
        About::Nothing,
        "A step of a release that takes a lock of the database finds it taken.",
    ),
    probe(
        "Redis is slow",
        Probe::RedisIsSlow,
        About::Nothing,
        "Redis executes nothing for a time.",
    ),
    probe("Redis loses everything", Probe::RedisLosesAll, About::Nothing, "Redis loses all keys."),
    probe(
        "Redis loses its last writes",
        Probe::RedisLosesWrites,
        About::Nothing,
        "Redis comes back with what it held some time ago.",
    ),
    probe(
        "a key is evicted",
        Probe::KeyIsEvicted,
        About::Nothing,
        "Redis gives up a key that it held.",
    ),
    probe(
        "connections to Redis break",
        Probe::ConnectionsBreak,
        About::Nothing,
        "The connections of a service, or of all, to Redis break.",
    ),
    probe(
        "clocks step",
        Probe::ClocksStep,
        About::Nothing,
        "The clocks of a service's containers step.",
    ),
    probe(
        "messages are held back",
        Probe::MessagesHeldBack,
        About::Nothing,
        "What a service's containers and Redis send each other is held back for a time (`partition`).",
    ),
    probe(
        "a network is slow",
        Probe::NetworkIsSlow,
        About::Nothing,
        "The network of a service's containers is slow for a time (`delay`).",
    ),
    probe(
        "a clock is wrong",
        Probe::ClockIsWrong,
        About::Nothing,
        "A container boots whose clock is not right, or runs too fast or too slow.",
    ),
    probe(
        "a run does not get on",
        Probe::GetsStuck,
        About::Nothing,
        "A run comes to its end, or to none, without getting on when nothing fails any more: deadlock, \
         livelock or starvation.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_line_says_something_of_its_own() {
        let texts: BTreeSet<&str> = PROPERTIES.iter().map(|described| described.text).collect();
        assert_eq!(texts.len(), PROPERTIES.len());
        for described in PROPERTIES {
            let Described { text, forms, about, doc, .. } = described;
            assert!(doc.ends_with('.') && !doc.contains("  "), "{text}: {doc}");
            assert!(!forms.is_empty(), "{text}");
            let probe = matches!(described.measure, Measure::Seen(_));
            let sometimes = forms.contains(&(Mode::Sometimes, Relation::Happens));
            assert_eq!(probe, sometimes, "{text}");
            assert!(probe || matches!(about, About::Schedule | About::Queue), "{text}");
        }
    }

    #[test]
    fn a_property_finds_its_line() {
        for described in PROPERTIES {
            let (mode, relation) = described.forms[0];
            let subject = Subject::World;
            let measure = described.measure;
            let property = Property { mode, measure, subject, relation, bound: 0 };
            assert_eq!(property.described(), described);
        }
    }
}
