//! Fleets for properties: a strategy that draws them, the scenario text that says what was drawn,
//! and a fold of the run's events that knows nothing of the oracles.
//!
//! The schedule is due every ten minutes, on the epoch's own ten minutes, so that a window is plain
//! arithmetic here. Nothing of the incident's names is used.

use bootrace_sim::choices::LifeId;
use bootrace_sim::clock::Instant;
use bootrace_sim::event::{Event, JobId, JobState, QueueEvent, RegistrationKey, Sink, Stamp};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::{Scenario, parse};
use bootrace_sim::{Outcome, run};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// The schedule's period.
pub(crate) const PERIOD_MS: i64 = 600_000;

/// How long a worker must be up in a window for it to be owed: a tenth.
pub(crate) const LATENESS_MS: i64 = PERIOD_MS / 10;

/// When a run ends and when its calm tail begins, in minutes.
pub(crate) const END_M: i64 = 100;
/// See [`END_M`].
pub(crate) const CALM_M: i64 = 70;

const START: &str = "2025-10-06T09:40:00Z";

/// What a container does when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StartUp {
    /// The older repeat API alone.
    Older,
    /// The older repeat API and one job more, to run at once.
    Bootstrap,
    /// The same with fixed ids.
    JobIds,
    /// A job scheduler.
    Scheduler,
    /// A job scheduler, after the older registration was removed.
    CleanedUp,
    /// A timer of its own that adds a job with the window's id.
    WindowId,
}

impl StartUp {
    fn steps(self) -> &'static str {
        match self {
            StartUp::Older => {
                "add = 'digest', queue = 'mail', repeat = { pattern = '*/10 * * * *' }, \
                 await = false"
            }
            StartUp::Bootstrap => {
                "add = 'digest', queue = 'mail', repeat = { pattern = '*/10 * * * *' }, \
                 await = false },\n{ add = 'digest', queue = 'mail', await = false"
            }
            StartUp::JobIds => {
                "add = 'digest', queue = 'mail', repeat = { pattern = '*/10 * * * *' }, \
                 job_id = 'again', await = false },\n\
                 { add = 'digest', queue = 'mail', job_id = 'first', await = false"
            }
            StartUp::Scheduler => {
                "upsert_job_scheduler = 'digest', queue = 'mail', \
                 repeat = { pattern = '*/10 * * * *' }"
            }
            StartUp::CleanedUp => {
                "remove_repeatable = 'digest', queue = 'mail', \
                 repeat = { pattern = '*/10 * * * *' } },\n\
                 { upsert_job_scheduler = 'digest', queue = 'mail', \
                 repeat = { pattern = '*/10 * * * *' }"
            }
            StartUp::WindowId => {
                "timer = '*/10 * * * *', \
                 steps = [ { add = 'digest', queue = 'mail', job_id = 'digest-{window}' } ]"
            }
        }
    }

    /// Which finished jobs are kept: of those with the window's id, two windows.
    fn kept(self) -> &'static str {
        match self {
            StartUp::WindowId => "{ age = '20m' }",
            _ => "true",
        }
    }
}

/// How a rollout goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rollout {
    /// Kubernetes' default.
    Quarter,
    /// So many more and so many fewer.
    Rolling(u32, u32),
    /// All go, then all come.
    Recreate,
}

/// What happens to the fleet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// The same code again.
    Restart,
    /// The other release.
    Deploy,
    /// Another number of containers.
    Scale(u32),
    /// So many are killed.
    Kill(u32),
}

/// Kills by chance: the odds in percent, and among how many points of a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kills {
    /// The odds.
    pub(crate) percent: u32,
    /// The points.
    pub(crate) points: u32,
}

/// A fleet, what happens to it, and the seed of its run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fleet {
    /// How many containers.
    pub(crate) replicas: u32,
    /// What happens, by the second at which it does.
    pub(crate) events: Vec<(u32, Change)>,
    /// Kills by chance.
    pub(crate) kills: Option<Kills>,
    /// The least time to boot and how much more it may be, in seconds.
    pub(crate) boot_s: (u32, u32),
    /// The least time that a job takes and how much more it may be, in seconds.
    pub(crate) takes_s: (u32, u32),
    /// The longest delay of a message and its reply, in milliseconds.
    pub(crate) round_trip_ms: u32,
    /// How a rollout goes.
    pub(crate) rollout: Rollout,
    /// How long a container may take to end, in seconds.
    pub(crate) grace_s: u32,
    /// Whether a container that ended is started again.
    pub(crate) restarts: bool,
    /// How many containers do the work, if the fleet only registers; nothing happens to them.
    pub(crate) helpers: u32,
    /// The seed.
    pub(crate) seed: u64,
}

/// Draws a fleet whose events come within so many minutes.
pub(crate) fn fleet(events_m: u32) -> impl Strategy<Value = Fleet> {
    let change = prop_oneof![
        Just(Change::Restart),
        Just(Change::Deploy),
        (1..=32_u32).prop_map(Change::Scale),
        (1..=4_u32).prop_map(Change::Kill),
    ];
    let kills = (1..=50_u32, 1..=400_u32).prop_map(|(percent, points)| Kills { percent, points });
    let rollout = prop_oneof![
        Just(Rollout::Quarter),
        Just(Rollout::Recreate),
        (0..4_u32, 1..4_u32).prop_map(|(surge, unavailable)| Rollout::Rolling(surge, unavailable)),
        (1..4_u32).prop_map(|surge| Rollout::Rolling(surge, 0)),
    ];
    // Few small ones would seldom show a race, few big ones nothing else: both are drawn.
    let replicas = prop_oneof![1..=6_u32, 1..=32_u32];
    // What stands first is made small first, and not again: what matters most comes last.
    let fleet = (
        prop::option::of(kills),
        (0..=30_u32, prop_oneof![Just(0), 1..=30_u32]),
        (0..=120_u32, 0..=60_u32),
        prop_oneof![Just(0), 1..=200_u32],
        rollout,
        prop_oneof![Just(30_u32), 1..=90_u32],
        1..=10_000_u64,
        prop::collection::vec((0..=events_m * 60, change), 0..4),
        replicas,
    );
    fleet.prop_map(
        |(kills, boot_s, takes_s, round_trip_ms, rollout, grace_s, seed, events, replicas)| Fleet {
            replicas,
            events,
            kills,
            boot_s,
            takes_s,
            round_trip_ms,
            rollout,
            grace_s,
            restarts: true,
            helpers: 0,
            seed,
        },
    )
}

impl Fleet {
    /// The scenario in which the fleet begins with one start-up and deploys another.
    pub(crate) fn text(&self, first: StartUp, then: StartUp) -> String {
        let mut text = format!(
            "format = 1\nname = 'a fleet'\nstart = {START}\nlength = '{END_M}m'\ncalm = '{}m'\n\
             network = {{ round_trip = '0ms..{}ms' }}\n",
            END_M - CALM_M,
            self.round_trip_ms
        );
        text.push_str(
            "[schedule.digest]\npattern = '*/10 * * * *'\nqueue = 'mail'\njob = 'digest'\n",
        );
        let kept = then.kept();
        let _ = writeln!(
            text,
            "[queue.mail]\ndefault_job_options = {{ remove_on_complete = {kept}, \
             remove_on_fail = {kept}, attempts = 5 }}"
        );
        let (takes, more) = self.takes_s;
        let _ =
            writeln!(text, "[job.digest]\nsteps = [ {{ sleep = '{takes}s..{}s' }} ]", takes + more);
        let worker = match self.helpers {
            0 => "{ worker = 'mail', max_stalled_count = 100 },\n",
            _ => "",
        };
        for (name, start_up) in [("first", first), ("then", then)] {
            let steps = start_up.steps();
            let _ = writeln!(
                text,
                "[release.{name}]\nlibrary = 'bullmq@5.34.10'\nsteps = [\n{{ {steps} }},\n{worker}]"
            );
        }
        self.write_service(&mut text);
        if self.helpers > 0 {
            let _ = writeln!(
                text,
                "[release.help]\nlibrary = 'bullmq@5.34.10'\nsteps = [ {{ worker = 'mail' }} ]\n\
                 [service.helper]\nrelease = 'help'\nreplicas = {}",
                self.helpers
            );
        }
        let named = "schedule = 'digest'";
        let _ = write!(
            text,
            "[[expect]]\nalways = 'firings per window'\n{named}\nat_most = 1\n\
             [[expect]]\nalways = 'firings per window'\n{named}\nat_least = 1\n\
             [[expect]]\neventually = 'live registrations'\n{named}\nexactly = 1\n"
        );
        text
    }

    fn write_service(&self, text: &mut String) {
        let (boot, more) = self.boot_s;
        let rollout = match self.rollout {
            Rollout::Quarter => "{ max_surge = '25%', max_unavailable = '25%' }".to_owned(),
            Rollout::Rolling(surge, unavailable) => {
                format!("{{ max_surge = {surge}, max_unavailable = {unavailable} }}")
            }
            Rollout::Recreate => "'recreate'".to_owned(),
        };
        let restart = if self.restarts { "always" } else { "never" };
        let _ = writeln!(
            text,
            "[service.box]\nrelease = 'first'\nreplicas = {}\nboot = '{boot}s..{}s'\n\
             restart = '{restart}'\nrollout = {rollout}\ntermination_grace_period = '{}s'",
            self.replicas,
            boot + more,
            self.grace_s
        );
        for (second, change) in &self.events {
            let change = match change {
                Change::Restart => "restart = true".to_owned(),
                Change::Deploy => "deploy = 'then'".to_owned(),
                Change::Scale(replicas) => format!("scale = {replicas}"),
                Change::Kill(count) => format!("kill = {count}"),
            };
            let _ = writeln!(text, "[[event]]\nat = '{second}s'\nservice = 'box'\n{change}");
        }
        if let Some(Kills { percent, points }) = self.kills {
            let _ = writeln!(
                text,
                "[faults]\nkill = {{ service = 'box', odds = '{percent}%', points = {points} }}"
            );
        }
    }

    /// Plays the fleet once.
    pub(crate) fn play(&self, first: StartUp, then: StartUp) -> Story {
        let text = self.text(first, then);
        let scenario = match parse(&text) {
            Ok((scenario, _)) => Arc::new(scenario),
            Err(problems) => panic!("{problems:#?}\n{text}"),
        };
        let mut seen = Seen::new(&scenario);
        let outcome = run(&scenario, Box::new(Random::new(self.seed)), false, &mut seen);
        assert!(!outcome.out_of_steps);
        seen.pass(seen.end);
        Story { seen, outcome }
    }
}

/// What came of a run.
pub(crate) struct Story {
    /// What its events say.
    pub(crate) seen: Seen,
    /// What its oracles say.
    pub(crate) outcome: Outcome,
}

impl Story {
    /// Whether the oracle of the first, second or third expectation is content.
    pub(crate) fn held(&self, expectation: usize) -> bool {
        self.outcome.verdict.judgements[expectation].held
    }

    /// The windows that lie within the run.
    pub(crate) fn windows(&self) -> impl Iterator<Item = (i64, Window)> + '_ {
        let within = |start: &i64| start + PERIOD_MS <= self.seen.end;
        let starts = (0..).map(|n| self.seen.start + n * PERIOD_MS).take_while(within);
        starts.map(|start| (start, self.seen.windows.get(&start).copied().unwrap_or_default()))
    }

    /// A window that is owed a firing, since some worker was up in it for long enough, and has
    /// none. Not the first: the fleet begins in it, after its tick.
    pub(crate) fn empty(&self) -> Option<i64> {
        let empty = |window: &Window| window.up_ms >= LATENESS_MS && window.firings == 0;
        self.windows().skip(1).find(|(_, window)| empty(window)).map(|(start, _)| start)
    }

    /// The most firings of a window.
    pub(crate) fn most_firings(&self) -> u32 {
        self.windows().map(|(_, window)| window.firings).max().unwrap_or(0)
    }
}

/// What happened in one window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Window {
    /// How many distinct jobs that belong to it were started.
    pub(crate) firings: u32,
    /// Whether an add that names it reached Redis.
    pub(crate) named: bool,
    /// For how long some worker was up.
    pub(crate) up_ms: i64,
}

/// A fold of events, window by window, written for its plainness.
pub(crate) struct Seen {
    /// When the run starts and ends, in milliseconds.
    pub(crate) start: i64,
    /// See `start`.
    pub(crate) end: i64,
    /// By the start of the window.
    pub(crate) windows: BTreeMap<i64, Window>,
    /// The registrations that are listed.
    pub(crate) registrations: BTreeSet<RegistrationKey>,
    /// When the last process of the first release ended, if none of it runs.
    pub(crate) first_gone: Option<i64>,
    /// When the last process of another release began.
    pub(crate) last_boot: Option<i64>,
    /// With which codes processes ended by themselves.
    pub(crate) exited: Vec<u8>,
    /// How many processes were killed.
    pub(crate) killed: u32,
    jobs: BTreeMap<JobId, Job>,
    workers: BTreeSet<LifeId>,
    of_first: BTreeSet<LifeId>,
    passed: i64,
}

struct Job {
    tick: Option<Instant>,
    registration: Option<RegistrationKey>,
    started: bool,
    to_come: bool,
}

impl Seen {
    fn new(scenario: &Scenario) -> Seen {
        let start = scenario.start.ms();
        Seen {
            start,
            end: (scenario.start + scenario.length).ms(),
            windows: BTreeMap::new(),
            registrations: BTreeSet::new(),
            first_gone: None,
            last_boot: None,
            exited: Vec::new(),
            killed: 0,
            jobs: BTreeMap::new(),
            workers: BTreeSet::new(),
            of_first: BTreeSet::new(),
            passed: start,
        }
    }

    fn window(&mut self, ms: i64) -> &mut Window {
        self.windows.entry(ms.div_euclid(PERIOD_MS) * PERIOD_MS).or_default()
    }

    /// Shares out the time since the last event among its windows.
    fn pass(&mut self, now: i64) {
        while self.passed < now {
            let next = (self.passed.div_euclid(PERIOD_MS) + 1) * PERIOD_MS;
            let (from, to) = (self.passed, next.min(now));
            if !self.workers.is_empty() {
                self.window(from).up_ms += to - from;
            }
            self.passed = to;
        }
    }

    /// The iterations to come of each listed registration.
    pub(crate) fn to_come(&self) -> Vec<usize> {
        let of = |key: &RegistrationKey| {
            let jobs = self.jobs.values();
            jobs.filter(|job| job.to_come && job.registration.as_ref() == Some(key)).count()
        };
        self.registrations.iter().map(of).collect()
    }

    fn ended(&mut self, life: LifeId, now: i64) {
        self.workers.remove(&life);
        if self.of_first.remove(&life) && self.of_first.is_empty() {
            self.first_gone = Some(now);
        }
    }

    fn queue(&mut self, life: LifeId, now: i64, event: &QueueEvent) {
        match event {
            QueueEvent::WorkerUp => {
                self.workers.insert(life);
            }
            QueueEvent::Added(added) => {
                self.names(&added.job);
                let to_come = matches!(added.state, JobState::Wait | JobState::Delayed(_));
                let job = Job {
                    tick: added.tick,
                    registration: added.registration.clone(),
                    started: false,
                    to_come,
                };
                self.jobs.insert(added.job.clone(), job);
            }
            QueueEvent::Duplicated { job } => self.names(job),
            QueueEvent::Fetched { job } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.to_come = false;
                }
            }
            QueueEvent::Started { job, .. } => {
                // A job whose hash was deleted under it (the other copy of its id finished) has no
                // name, and does nothing.
                let Some(job) = self.jobs.get_mut(job) else { return };
                if !std::mem::replace(&mut job.started, true) {
                    let tick = job.tick.map_or(now, Instant::ms);
                    self.window(tick).firings += 1;
                }
            }
            QueueEvent::Removed { job } => {
                self.jobs.remove(job);
            }
            QueueEvent::Registered(registered) => {
                self.registrations.insert(registered.key.clone());
            }
            QueueEvent::Unregistered { key } => {
                self.registrations.remove(key);
            }
            _ => {}
        }
    }

    fn names(&mut self, job: &JobId) {
        let text = String::from_utf8_lossy(&job.0).into_owned();
        if let Some(tick) = text.strip_prefix("digest-") {
            let tick = tick.parse().expect("a window is named by its tick in milliseconds");
            self.window(tick).named = true;
        }
    }
}

impl Sink for Seen {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        let now = stamp.at.ms();
        if !matches!(event, Event::Command { .. } | Event::Answered { .. }) {
            self.pass(now);
        }
        match event {
            Event::Booted { release, .. } if release.0 == 0 => {
                self.of_first.insert(stamp.life);
                self.first_gone = None;
            }
            Event::Booted { .. } => self.last_boot = Some(now),
            Event::Terminated => {
                self.workers.remove(&stamp.life);
            }
            Event::Exited { code } => {
                self.exited.push(*code);
                self.ended(stamp.life, now);
            }
            Event::Killed => {
                self.killed += 1;
                self.ended(stamp.life, now);
            }
            Event::Queue(_, _, event) => self.queue(stamp.life, now, event),
            _ => {}
        }
    }
}
