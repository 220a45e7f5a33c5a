//! What the keys of the format hold: of each key of each shape the kind of its value and what it
//! says, in one sentence. The JSON Schema is made of this; the readers do not use it.

use super::super::Harm;
use super::service::REPLICAS_MAX;
use super::shape::{self, Shape};

/// The kind of a value.
pub(super) enum Kind {
    /// A text in quotes.
    Text,
    /// A name of something in the file, or one that the file gives.
    Name,
    /// An id: a name that may have colons.
    Id,
    /// An id, or a name of a row, that may name the tick's window.
    Template,
    /// One of these words.
    Words(&'static [&'static str]),
    /// True or false.
    Boolean,
    /// Only true.
    True,
    /// A whole number within bounds.
    Number(u64, u64),
    /// A date and time with an offset.
    Instant,
    /// A length of time.
    Span,
    /// A length of time or a range of them.
    Range,
    /// A length of time with a sign.
    Signed,
    /// A length of time before or after, or a range of them.
    SignedRange,
    /// Parts in a million, or a range of them.
    Ppm,
    /// A percentage.
    Percent,
    /// Whole percents.
    WholePercent,
    /// `>= 60 %`.
    Share,
    /// `20 per month`.
    Rate,
    /// A number from 1 on, that may have a point.
    Times,
    /// The name of a metric.
    Metric,
    /// A table of a shape.
    Table(&'static Shape),
    /// A table of tables of a shape, each with its name.
    Named(&'static Shape),
    /// A table that has one of several shapes.
    Either(&'static [Shape]),
    /// A table that asks for a property.
    Expectation,
    /// A table of texts.
    Texts,
    /// A table of answers, by the names of their questions.
    Answers,
    /// A list.
    List(&'static Kind),
    /// A list of what has a name of its own in the schema.
    Each(&'static str, &'static Kind),
    /// A list of two.
    Pair(&'static Kind),
    /// Any of these.
    Any(&'static [Kind]),
}

/// A key of the format.
pub(super) struct Key {
    /// The nouns of the shapes in which it means this; none: in all others.
    of: &'static [&'static str],
    name: &'static str,
    pub(super) kind: Kind,
    pub(super) doc: &'static str,
}

/// The key of a shape.
pub(super) fn key(shape: &Shape, name: &str) -> Option<&'static Key> {
    let named = || KEYS.iter().filter(|key| key.name == name);
    named()
        .find(|key| key.of.contains(&shape.noun))
        .or_else(|| named().find(|key| key.of.is_empty()))
}

/// What has a name of its own in the schema.
pub(super) fn named() -> impl Iterator<Item = (&'static str, &'static Kind)> {
    KEYS.iter().filter_map(|key| match key.kind {
        Kind::Each(name, element) => Some((name, element)),
        _ => None,
    })
}

/// Of some keys of a shape exactly one is given.
pub(super) fn exactly_one(shape: &Shape) -> &'static [&'static str] {
    match shape.noun {
        "a schedule"
        | "the `repeat` of an `add` step"
        | "the `repeat` of an `upsert_job_scheduler` step" => &["pattern", "every"],
        "an event" => &[
            "deploy",
            "scale",
            "kill",
            "restart",
            "pause",
            "clock",
            "disconnect",
            "partition",
            "delay",
            "terminate",
            "redis",
            "edit",
            "remove",
            "promote",
            "retry",
        ],
        "an outcome" => &["fail", "exit"],
        "an alert" => &["above", "below", "times_expected"],
        "what befalls Redis" => &["slow", "restart", "evict"],
        _ => &[],
    }
}

/// Whether a table of a shape says something only with a key in it.
pub(super) fn never_empty(shape: &Shape) -> bool {
    matches!(shape.noun, "what is kept" | "a `when`" | "a service's `clock`")
}

const fn key_of(
    of: &'static [&'static str],
    name: &'static str,
    kind: Kind,
    doc: &'static str,
) -> Key {
    Key { of, name, kind, doc }
}

const fn anywhere(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    key_of(&[], name, kind, doc)
}

const MANY: u64 = u32::MAX as u64;
const MOST: u64 = i64::MAX as u64;

const TOP: &[&str] = &["the top of the file"];
const SCHEDULE: &[&str] = &["a schedule"];
const JOB: &[&str] = &["a job"];
const SERVICE: &[&str] = &["a service"];
const EVENT: &[&str] = &["an event"];
const WRITE: &[&str] = &["a `write`"];
const OUTCOME: &[&str] = &["an outcome"];
const KEEP: &[&str] = &["what is kept"];

/// A list of start-up steps.
const STEPS: Kind = Kind::Each("step", &Kind::Either(&shape::STEPS));

/// What is kept of finished jobs.
const KEPT: Kind = Kind::Any(&[Kind::Boolean, Kind::Number(0, MANY), Kind::Table(&shape::KEEP)]);

const ROLLOUT: Kind = Kind::Any(&[Kind::Words(&["recreate"]), Kind::Table(&shape::ROLLOUT)]);

const QUOTA: Kind = Kind::Any(&[Kind::Number(0, REPLICAS_MAX as u64), Kind::WholePercent]);

const ENDING: Kind =
    Kind::Any(&[Kind::Words(&["ok", "fail", "exit"]), Kind::Table(&shape::OUTCOME)]);

const EXPECTATION: &[&str] = &["an expectation"];
const ALERT: &[&str] = &["an alert"];

/// The states that metrics tell apart.
const STATE: Kind = Kind::Words(&[
    "active",
    "completed",
    "delayed",
    "failed",
    "paused",
    "prioritized",
    "waiting",
    "waiting-children",
    "live",
    "dead",
]);

/// A number, or a length of time: the property says which.
const BOUND: Kind = Kind::Any(&[Kind::Number(0, MOST), Kind::Span]);

const REPEATED: &[&str] =
    &["the `repeat` of an `add` step", "the `repeat` of an `upsert_job_scheduler` step"];

/// What a hazard may do.
const HARMS: [&str; Harm::ALL.len()] = {
    let mut names = [""; Harm::ALL.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = Harm::ALL[place].name();
        place += 1;
    }
    names
};

const RETRIED: &[&str] = &["a `retry_jobs` step"];

/// All keys, in the order of the shapes that have them first.
#[rustfmt::skip]
static KEYS: &[Key] = &[
    // The top.
    key_of(TOP, "format", Kind::Number(1, 1), "The version of the format: 1."),
    key_of(TOP, "name", Kind::Text, "One line that names the story; reports print it."),
    key_of(TOP, "length", Kind::Span, "How long the run is in virtual time, at most 400 days."),
    key_of(TOP, "extends", Kind::Text, "The path of another scenario file: this one says only what is other than there."),
    key_of(TOP, "start", Kind::Instant, "The instant at which the run starts, with an offset or Z."),
    key_of(TOP, "measure", Kind::Pair(&Kind::Span), "The part of the run that figures count: two offsets from the start."),
    key_of(TOP, "calm", Kind::Span, "The tail of the run in which nothing fails by chance."),
    key_of(TOP, "network", Kind::Table(&shape::NETWORK), "How messages travel."),
    key_of(TOP, "schedule", Kind::Named(&shape::SCHEDULE), "What the team intends, apart from what start-up code does."),
    key_of(TOP, "queue", Kind::Named(&shape::QUEUE), "The queues, by the name that they have in Redis."),
    key_of(TOP, "job", Kind::Named(&shape::JOB), "What processors do with the jobs of a name."),
    key_of(TOP, "release", Kind::Named(&shape::RELEASE), "What containers run when they start."),
    key_of(TOP, "service", Kind::Named(&shape::SERVICE), "Deployments: so many containers of a release."),
    key_of(TOP, "event", Kind::Each("event", &Kind::Table(&shape::EVENT)), "What happens to the fleet by plan."),
    key_of(TOP, "faults", Kind::Table(&shape::FAULTS), "What happens by chance; each is off unless named."),
    key_of(TOP, "expect", Kind::Each("expectation", &Kind::Expectation), "What must hold, or is declared not to."),
    key_of(TOP, "audit", Kind::Table(&shape::AUDIT), "What `bootrace audit` is told: how often it is deployed, and what is accepted."),
    key_of(TOP, "alert", Kind::Named(&shape::ALERT), "What rings: rules over metrics, looked at in virtual time as Prometheus does."),
    key_of(TOP, "scrape_interval", Kind::Span, "How often metrics are looked at for alerts; 15s if it is not said."),
    key_of(TOP, "answers", Kind::Answers, "The answers of the one run that the file stands for, by the names of their questions; all others are 0."),
    anywhere("round_trip", Kind::Range, "How long a message and its reply take together."),
    anywhere("mode", Kind::Words(&["timed", "order"]), "Whether messages take time, or which of those in flight arrives next is open."),
    anywhere("idle_polls", Kind::Words(&["played", "skipped"]), "Whether workers' polls that find nothing are played, or left out since nothing comes of them."),
    // Schedules, queues and jobs' options.
    key_of(SCHEDULE, "queue", Kind::Name, "The queue that does its work."),
    key_of(SCHEDULE, "job", Kind::Name, "The name of the jobs that do its work, whoever adds them."),
    anywhere("pattern", Kind::Text, "When it is due: a cron pattern of five fields, or six with seconds."),
    anywhere("every", Kind::Span, "How often it is due: a period in windows aligned to the epoch."),
    anywhere("tz", Kind::Text, "The time zone of the pattern or the process, by its IANA name."),
    anywhere("max_lateness", Kind::Span, "A window is owed a firing if some worker was up for this long within it."),
    anywhere("prefix", Kind::Id, "The prefix of the queue's keys in Redis."),
    anywhere("default_job_options", Kind::Table(&shape::DEFAULTS), "What a job gets where its add says nothing."),
    anywhere("queue", Kind::Name, "The queue, by its name in this file."),
    key_of(&["a `backoff`"], "delay", Kind::Span, "How long a failed job waits before it is tried again."),
    key_of(&["`on_error`"], "delay", Kind::Span, "How long after the error the step is tried again."),
    anywhere("delay", Kind::Span, "How long after its add the job is due."),
    anywhere("priority", Kind::Number(0, 2_097_152), "1 is the most urgent; 0 is none."),
    anywhere("attempts", Kind::Number(1, MANY), "How often the job is tried."),
    anywhere("backoff", Kind::Any(&[Kind::Span, Kind::Table(&shape::BACKOFF)]), "How long a failed job waits before it is tried again."),
    key_of(&["a `worker` step"], "remove_on_complete", Kind::Table(&shape::KEEP), "Which completed jobs stay in Redis, of those whose own options do not say it."),
    key_of(&["a `worker` step"], "remove_on_fail", Kind::Table(&shape::KEEP), "Which failed jobs stay in Redis, of those whose own options do not say it."),
    anywhere("remove_on_complete", KEPT, "Which completed jobs stay in Redis: true removes all, false none, a number keeps the newest."),
    anywhere("remove_on_fail", KEPT, "Which failed jobs stay in Redis: true removes all, false none, a number keeps the newest."),
    anywhere("lifo", Kind::Boolean, "Whether the job is added at the end that is taken next."),
    anywhere("type", Kind::Words(&["fixed", "exponential"]), "Whether the wait stays the same or doubles after each attempt."),
    anywhere("deduplication", Kind::Table(&shape::DEDUPLICATION), "Under which id it is deduplicated: while the id is taken, another add with it does nothing."),
    anywhere("jitter", Kind::Percent, "Which part of the wait is left to chance. 5.34 ignores it."),
    key_of(&["a `get_job_schedulers` step"], "id", Kind::Id, "The scheduler that is looked for among them: `nothing` came of the step if there is none."),
    anywhere("id", Kind::Template, "The id that is taken, within its queue."),
    anywhere("ttl", Kind::Span, "How long the id is taken; without it, until the job is finished."),
    anywhere("extend", Kind::Boolean, "Whether each add that finds the id taken begins the `ttl` anew. 5.34 ignores it."),
    anywhere("replace", Kind::Boolean, "Whether a new job takes the place of one that has the id and is delayed. 5.34 ignores it."),
    anywhere("keep_last_if_active", Kind::Boolean, "Whether the last add that found the id taken by an active job is made up for when that has finished. 5.34 ignores it."),
    anywhere("reschedule", Kind::Boolean, "Whether an add that finds the id taken by a delayed job moves its instant. 5.x ignores it."),
    key_of(KEEP, "age", Kind::Span, "The greatest age of those kept, in whole seconds."),
    key_of(KEEP, "count", Kind::Number(0, MANY), "The greatest number of those kept."),
    // Adds and registrations.
    anywhere("add", Kind::Name, "`queue.add`: the name of the job."),
    anywhere("job_id", Kind::Template, "The job's own id: while a job of that id exists, the add does nothing. `{window}` is the tick's window."),
    anywhere("repeat", Kind::Table(&shape::REPEAT), "When it repeats: the older repeat API."),
    key_of(&["an `upsert_job_scheduler` step"], "repeat", Kind::Table(&shape::SCHEDULER_REPEAT), "When the scheduler repeats."),
    key_of(&["a `get_job_schedulers` step"], "repeat", Kind::Table(&shape::SCHEDULER_REPEAT), "How that scheduler must repeat: pattern or period, and zone."),
    key_of(&["a `remove_repeatable` step"], "repeat", Kind::Table(&shape::REPEAT), "The options that the registration was made with; others name another one."),
    key_of(REPEATED, "start_date", Kind::Instant, "The instant before which there is no iteration, with an offset or Z. 5.34's job schedulers look at it with `every` alone."),
    key_of(REPEATED, "end_date", Kind::Instant, "The instant after which there is no iteration. The library refuses one that has passed."),
    key_of(REPEATED, "immediately", Kind::Boolean, "Whether the first iteration is due at once."),
    key_of(REPEATED, "limit", Kind::Number(1, MANY), "How many iterations there are since the last add."),
    anywhere("offset", Kind::Span, "How long after its slot an iteration of an `every` is due."),
    key_of(REPEATED, "key", Kind::Id, "The registration's key, in place of the one that is made of the options."),
    anywhere("upsert_job_scheduler", Kind::Id, "`queue.upsertJobScheduler`: the scheduler's id."),
    anywhere("name", Kind::Id, "The jobs' name, if it is not the scheduler's id."),
    anywhere("remove_repeatable", Kind::Name, "`queue.removeRepeatable`: the name of the jobs."),
    key_of(&["a `remove_repeatable` step"], "job_id", Kind::Id, "The job id that the registration was made with."),
    anywhere("remove_repeatable_by_key", Kind::Text, "`queue.removeRepeatableByKey`: the registration's key. 6.x has no such method."),
    anywhere("get_repeatable_jobs", Kind::Name, "`queue.getRepeatableJobs`: reads the registrations of this queue. 6.x has no such method."),
    anywhere("get_job_schedulers", Kind::Name, "`queue.getJobSchedulers`: reads the registrations of this queue."),
    anywhere("remove_job_scheduler", Kind::Id, "`queue.removeJobScheduler`: the scheduler's id."),
    // Jobs.
    key_of(JOB, "queue", Kind::Name, "The queue, if jobs of that name in other queues are others."),
    key_of(JOB, "steps", Kind::Each("job_step", &Kind::Either(&shape::JOB_STEPS)), "What the processor does, in order."),
    key_of(JOB, "count_by", Kind::Words(&["made", "started"]), "What makes an attempt the next of `outcome`: the attempts that ended, or those that began."),
    key_of(JOB, "outcome", Kind::Any(&[ENDING, Kind::List(&ENDING)]), "How its attempts end: one for all, or a list with one for each attempt."),
    key_of(OUTCOME, "fail", Kind::Number(1, MANY), "Throws before this step, counted from 1."),
    key_of(OUTCOME, "exit", Kind::Number(1, MANY), "The process exits before this step, counted from 1."),
    anywhere("query", Kind::Range, "A query of the database that takes so long and writes nothing."),
    anywhere("write", Kind::Table(&shape::WRITE), "Rows written, counted at their commits."),
    anywhere("rate_limit", Kind::Range, "Holds back the queue's jobs for so long, this one too: `queue.rateLimit` and a `RateLimitError`. Workers without a `limiter` go on."),
    anywhere("block", Kind::Range, "Blocks the event loop for so long: no lock is renewed meanwhile."),
    key_of(WRITE, "rows", Kind::Number(0, 1_000_000_000_000), "How many rows in all."),
    key_of(WRITE, "batches", Kind::Number(1, 100_000), "In how many commits."),
    key_of(WRITE, "takes", Kind::Range, "How long all of it takes."),
    anywhere("then", Kind::Words(&["go on", "return", "fail"]), "What the job does if something came of the statement: the row was found."),
    anywhere("else", Kind::Words(&["go on", "return", "fail"]), "What the job does if nothing came of the statement."),
    // The database.
    anywhere("database", Kind::Either(&shape::STATEMENTS), "A statement on locks or rows of the database."),
    anywhere("lock", Kind::Template, "Takes the lock of this name, if nobody holds it."),
    anywhere("unlock", Kind::Template, "Gives the lock of this name back."),
    anywhere("insert", Kind::Template, "Inserts the row of this name, if it is not there."),
    anywhere("delete", Kind::Template, "Deletes the row of this name, if it is there."),
    anywhere("find", Kind::Template, "Looks whether the row of this name is there."),
    anywhere("kind", Kind::Words(&["session", "lease", "status"]), "Whether the lock goes with its connection, after a time, or never by itself."),
    anywhere("lease", Kind::Span, "After how long the lock is free by itself."),
    anywhere("wait", Kind::Boolean, "Whether the statement waits for the lock."),
    anywhere("takes", Kind::Range, "How long the statement takes."),
    // Releases and their steps.
    anywhere("library", Kind::Words(&["bullmq@5.34.10", "bullmq@5.81.5", "bullmq@6.7.0"]), "The library and its exact version."),
    key_of(&["a release"], "job", Kind::Named(&shape::JOB), "What its processors do with the jobs of a name, in place of the file's `[job.NAME]`."),
    key_of(&["a release"], "steps", STEPS, "What a container does when it starts, in order."),
    key_of(&["a `timer` step"], "steps", STEPS, "What is done at each tick, in order."),
    anywhere("worker", Kind::Name, "`new Worker`: the queue whose jobs it takes."),
    anywhere("concurrency", Kind::Number(1, 1000), "How many jobs it works on at once."),
    anywhere("limiter", Kind::Table(&shape::LIMITER), "At most so many starts in so long, over all workers of the queue."),
    anywhere("max", Kind::Number(1, MANY), "How many starts."),
    anywhere("duration", Kind::Span, "In how long."),
    anywhere("lock_duration", Kind::Span, "How long a job's lock lives without renewal."),
    anywhere("stalled_interval", Kind::Span, "How often stalled jobs are looked for."),
    anywhere("max_stalled_count", Kind::Number(0, MANY), "How often a job may stall before it fails."),
    anywhere("max_started_attempts", Kind::Number(1, MANY), "How often a job may be started; after that it fails without being processed (BullMQ 5.81 and later)."),
    anywhere("lock_renew_time", Kind::Span, "How often locks are renewed; half of `lock_duration` if it is not said."),
    anywhere("skip_stalled_check", Kind::Boolean, "Whether it takes no part in looking for stalled jobs."),
    anywhere("skip_lock_renewal", Kind::Boolean, "Whether it renews no locks."),
    anywhere("autorun", Kind::Boolean, "Whether it runs at once; if not, it connects and takes no job."),
    anywhere("force_close", Kind::Boolean, "Whether SIGTERM closes it without waiting for its jobs: `worker.close(true)`."),
    anywhere("drain_delay", Kind::Span, "How long an idle worker blocks when no delayed job is known."),
    anywhere("timer", Kind::Text, "An in-process cron: the pattern at whose ticks its steps are done."),
    anywhere("parallel", STEPS, "Begins all of these and waits for those that are awaited."),
    anywhere("add_bulk", Kind::Each("bulk_job", &Kind::Table(&shape::BULK)), "`queue.addBulk`: the jobs, all of the step's queue."),
    anywhere("remove_all_repeatables", Kind::Name, "Removes every registration of this queue that it finds."),
    key_of(EVENT, "pause", Kind::Range, "The event loops of its running containers stand still for so long."),
    anywhere("pause", Kind::Name, "`queue.pause`: the queue, for all of its workers."),
    anywhere("resume", Kind::Name, "`queue.resume`: the queue."),
    anywhere("drain", Kind::Name, "`queue.drain`: the queue whose waiting jobs go."),
    anywhere("delayed", Kind::Boolean, "Whether delayed jobs go, too."),
    anywhere("obliterate", Kind::Name, "`queue.obliterate`: the queue of which nothing stays."),
    anywhere("force", Kind::Boolean, "Whether it goes on although jobs are active."),
    anywhere("clean", Kind::Name, "`queue.clean`: the queue whose old jobs of a state go."),
    key_of(RETRIED, "state", Kind::Words(&["failed", "completed"]), "Which finished jobs; the failed ones if it is not said."),
    anywhere("state", Kind::Words(&["completed", "failed", "wait", "paused", "active", "delayed", "prioritized"]), "Which jobs; the completed ones if it is not said."),
    anywhere("grace", Kind::Span, "How old they are at least."),
    anywhere("promote_jobs", Kind::Name, "`queue.promoteJobs`: the queue whose delayed jobs wait now, in batches of a thousand."),
    anywhere("retry_jobs", Kind::Name, "`queue.retryJobs`: the queue whose finished jobs wait again, in batches of a thousand."),
    anywhere("set_global_concurrency", Kind::Name, "`queue.setGlobalConcurrency`: the queue, for all of its workers together."),
    anywhere("set_global_rate_limit", Kind::Name, "`queue.setGlobalRateLimit`: the queue, for all of its workers together. 5.34 has no such method."),
    anywhere("remove_global_concurrency", Kind::Name, "`queue.removeGlobalConcurrency`: the queue. 5.34 has no such method."),
    anywhere("remove_global_rate_limit", Kind::Name, "`queue.removeGlobalRateLimit`: the queue. 5.34 has no such method."),
    key_of(&["a `clean` step"], "limit", Kind::Number(0, MANY), "How many at most; 0 is all."),
    anywhere("remove_job", Kind::Name, "Removes the oldest job of this name that waits or is delayed."),
    anywhere("promote_job", Kind::Name, "Promotes the oldest delayed job of this name."),
    anywhere("retry_job", Kind::Name, "Retries the oldest failed job of this name."),
    anywhere("sleep", Kind::Range, "Waits for so long without blocking the event loop."),
    anywhere("await", Kind::Boolean, "Whether the next step waits for this one."),
    anywhere("on_error", Kind::Any(&[Kind::Words(&["exit", "ignore"]), Kind::Table(&shape::ON_ERROR)]), "What an error of the step does."),
    key_of(&["`on_error`"], "retry", Kind::Number(1, 1_000_000), "How often the step is tried again."),
    anywhere("when", Kind::Table(&shape::WHEN), "The step is done only if all of this is so."),
    anywhere("once_per", Kind::Words(&["process", "call"]), "Whether a process does the step each time it comes to it, or only the first."),
    anywhere("as", Kind::Name, "What conditions of later steps call this one."),
    anywhere("ordinal", Kind::Number(1, MANY), "The container is the so-manieth of its service, counted from 1."),
    anywhere("first_boot", Kind::Boolean, "The container boots for the first time, or does not."),
    anywhere("step", Kind::Name, "An earlier step, by the name that `as` gave it."),
    anywhere("result", Kind::Words(&["done", "nothing", "failed"]), "What that step came to."),
    // Services.
    key_of(SERVICE, "release", Kind::Name, "What its containers run at the start."),
    anywhere("replicas", Kind::Number(0, REPLICAS_MAX as u64), "How many containers."),
    anywhere("without", Kind::List(&Kind::Number(1, MANY)), "The ordinals of containers that never come; the others keep theirs."),
    anywhere("boot", Kind::Range, "How long after its creation a container begins to run."),
    key_of(SERVICE, "restart", Kind::Words(&["always", "on_failure", "never"]), "What happens when a container ends by itself or is killed."),
    anywhere("restart_delay", Kind::Span, "How long after its end a container is started again, every time; the kubelet's back-off if it is not said."),
    anywhere("max_restarts", Kind::Number(0, MANY), "How often a container is started again at most; there is no bound if it is not said."),
    anywhere("termination_grace_period", Kind::Span, "How long a container has between SIGTERM and SIGKILL."),
    anywhere("rollout", ROLLOUT, "How a new release is rolled out."),
    anywhere("max_surge", QUOTA, "How many containers more than the replicas there may be."),
    anywhere("max_unavailable", QUOTA, "How many containers fewer than the replicas may be up."),
    anywhere("env", Kind::Texts, "Environment variables."),
    anywhere("data", Kind::Texts, "What the job carries: its fields, each a text."),
    // Events and faults.
    anywhere("at", Kind::Range, "When, after the start."),
    anywhere("service", Kind::Name, "Whose containers; it can be left out if there is one service."),
    anywhere("deploy", Kind::Name, "The service moves to this release."),
    anywhere("scale", Kind::Number(0, REPLICAS_MAX as u64), "The service gets this number of replicas."),
    key_of(EVENT, "queue", Kind::Name, "The queue of the job; it can be left out if there is one queue."),
    key_of(EVENT, "kill", Kind::Number(1, REPLICAS_MAX as u64), "So many of its running containers are killed."),
    key_of(EVENT, "restart", Kind::True, "The service is rolled out again with the release that it has."),
    key_of(SERVICE, "clock", Kind::Table(&shape::CLOCK), "How wrong the clocks of its containers are, drawn for each life."),
    key_of(&["a service's `clock`"], "offset", Kind::SignedRange, "The wall clock minus the right time: -2s..2s."),
    anywhere("drift", Kind::Ppm, "How much faster than the right time it runs, timers too: -200ppm..200ppm."),
    anywhere("clock", Kind::Signed, "The clocks of its running containers step by so much: +5s or -5s."),
    anywhere("redis", Kind::Any(&[Kind::Words(&["flush"]), Kind::Table(&shape::REDIS)]), "Something befalls Redis."),
    anywhere("slow", Kind::Range, "Redis executes nothing for so long."),
    key_of(EVENT, "terminate", Kind::Number(1, REPLICAS_MAX as u64), "So many of its running containers are asked to end, as after a failed liveness probe; `restart` says what follows."),
    anywhere("disconnect", Kind::Range, "The connections of its containers to Redis break, and none can be opened for so long."),
    anywhere("partition", Kind::Range, "What its containers and Redis send each other is held back for so long, without an error; then it arrives in order."),
    key_of(EVENT, "delay", Kind::Table(&shape::DELAY), "The network of its containers is slow for a time."),
    key_of(&["a `delay`"], "round_trip", Kind::Range, "How long a message and its reply take together then."),
    anywhere("lasts", Kind::Range, "For how long."),
    key_of(EVENT, "odds", Kind::Percent, "The probability that the event happens at all; without it, it does. None happens so in the calm."),
    anywhere("swarm", Kind::Boolean, "Whether each run draws how bad each class of faults by chance is: off, as its odds say, or four times as likely."),
    key_of(&["what befalls Redis"], "restart", Kind::Range, "Redis is away for so long; all connections break."),
    anywhere("loses", Kind::Any(&[Kind::Words(&["all"]), Kind::Span]), "What it does not remember then: everything, or what was written in this time before. Without it, nothing."),
    anywhere("evict", Kind::Id, "Redis gives up this key of the queue, named below its prefix: `repeat`, `meta`, a job's id."),
    key_of(&["what befalls Redis"], "queue", Kind::Name, "The queue of the key; it can be left out if there is one queue."),
    anywhere("edit", STEPS, "A person runs these steps by hand."),
    key_of(&["the `faults` table"], "kill", Kind::Any(&[Kind::Table(&shape::KILL), Kind::List(&Kind::Table(&shape::KILL))]), "Containers are killed at a point of their lives."),
    anywhere("remove", Kind::Name, "A person removes the oldest job of this name that waits or is delayed."),
    anywhere("promote", Kind::Name, "A person promotes the oldest delayed job of this name."),
    anywhere("retry", Kind::Name, "A person retries the oldest failed job of this name."),
    anywhere("odds", Kind::Percent, "The probability that a life is killed."),
    anywhere("points", Kind::Number(1, 4096), "Among how many points of a life, counted from its boot."),
    // Expectations.
    anywhere("always", Kind::Text, "A property that holds at every moment."),
    anywhere("eventually", Kind::Text, "A property that holds in the end."),
    anywhere("sometimes", Kind::Text, "Something that happens in some run."),
    key_of(EXPECTATION, "queue", Kind::Name, "The queue; it can be left out if there is one."),
    anywhere("schedule", Kind::Name, "The schedule; it can be left out if there is one."),
    anywhere("at_most", BOUND, "The greatest number that is allowed."),
    anywhere("at_least", BOUND, "The smallest number that is allowed."),
    anywhere("exactly", BOUND, "The only number that is allowed."),
    // Alerts.
    key_of(ALERT, "metric", Kind::Metric, "What is measured: a metric by its name in Prometheus."),
    key_of(ALERT, "queue", Kind::Name, "Whose metric it is; it can be left out if there is one queue."),
    key_of(ALERT, "schedule", Kind::Name, "Whose metric it is; it can be left out if there is one schedule."),
    key_of(ALERT, "service", Kind::Name, "Whose metric it is; it can be left out if there is one service."),
    anywhere("states", Kind::List(&STATE), "Which states count together; all if it is not said."),
    anywhere("above", Kind::Number(0, MOST), "It rings above this number."),
    anywhere("below", Kind::Number(1, MOST), "It rings below this number."),
    anywhere("times_expected", Kind::Times, "It rings above so many times what is expected in that time: one execution a tick, and its rows."),
    anywhere("over", Kind::Span, "Over which time the increase of a counter is looked at."),
    anywhere("for", Kind::Span, "For how long it must be so before it rings; at once if it is not said."),
    anywhere("severity", Kind::Words(&["page", "ticket"]), "Whom it wakes: somebody now, or somebody in the morning."),
    anywhere("violated", Kind::Any(&[Kind::Words(&["every seed", "some seed"]), Kind::Share]), "Declares that it does not hold, and in which seeds."),
    // Audits.
    anywhere("deploys", Kind::Rate, "How often it is deployed: 20 per month, if it is not said."),
    anywhere("accept", Kind::List(&Kind::Table(&shape::ACCEPT)), "Harm that is known and may be."),
    anywhere("hazard", Kind::Name, "The hazard that may do it, as `bootrace audit --list` calls it."),
    anywhere("harm", Kind::Words(&HARMS), "What it may do."),
    key_of(&["what is accepted"], "schedule", Kind::Name, "To which schedule; to each of the file if it is left out."),
    anywhere("because", Kind::Text, "Why that may be: one line, for whoever reads the audit."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_of_every_shape_has_one_sentence() {
        let mut used = BTreeSet::new();
        for shape in shape::all() {
            for name in shape.keys() {
                let key = key(shape, name).unwrap_or_else(|| panic!("{name} of {}", shape.noun));
                let end = key.doc.ends_with('.') && key.doc.len() > 10;
                assert!(end, "{name} of {}: {:?}", shape.noun, key.doc);
                used.insert(std::ptr::from_ref(key));
            }
        }
        for key in KEYS {
            assert!(used.contains(&std::ptr::from_ref(key)), "no shape has {}", key.name);
        }
    }

    #[test]
    fn only_keys_that_a_shape_has_are_alternatives() {
        let mut seen = 0;
        for shape in shape::all() {
            seen += exactly_one(shape).len() + usize::from(never_empty(shape));
            assert!(exactly_one(shape).iter().all(|key| shape.has(key)), "{}", shape.noun);
        }
        assert!(seen > 15, "{seen}");
    }
}
