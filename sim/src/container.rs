//! Containers whose code is Rust: async closures that meet in one Redis, and what must hold of them.
//!
//! They boot, restart, are rolled out and die as the containers of a scenario do: a [`Fleet`] is a
//! scenario whose services run closures in place of releases. Nothing of BullMQ is here, and
//! nothing coordinates containers but what their own code sends.

use crate::choices::{Label, Policy};
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::event::{Event, ReleaseId, ServiceId, Sink, Stamp};
use crate::kernel::{Boot, Kernel, ProcId};
use crate::property::{Finding, Kind, Property, Seen, Watch};
use crate::scenario::{
    Audit, Change, Faults, Happens, Kills, Network, PlannedEvent, Quota, Range, Release, Restart,
    Rollout, SCRAPE, Scenario, Service, Skew, Version,
};
use crate::servers::{Ctx, FIRST_DRAW, Servers};
use crate::world::{self, Outcome};
use std::future::Future;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a process's code ends in. An error that nobody handles ends the process with exit code 1.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Starts a process that runs a container's code.
type Main = Arc<dyn Fn(&mut Kernel<Servers>, Boot) -> ProcId + Send + Sync>;

/// The instant at which every fleet starts, as every scenario does that does not say: a Monday.
const START: Instant = Instant::from_ms(1_767_571_200_000);

/// How long a fleet is played if nothing is said, and how long the calm tail of it is.
const LENGTH: (Span, Span) = (Span::from_secs(600), Span::from_secs(120));

/// A message and its reply, as in a scenario that does not say.
const ROUND_TRIP: (Span, Span) = (Span::from_nanos(400_000), Span::from_nanos(2_000_000));

/// Among how many kill points a kill falls, as in a scenario that does not say.
const KILL_POINTS: u32 = 64;

/// Kubernetes' default for both of a rollout's quotas.
const QUARTER: Quota = Quota::Percent(25);

/// What `ctx.between` draws, before all other draws of a fleet.
const BETWEEN: (u16, &str) = (0, "between");

/// Containers of one kind: how many, what they run, and how they come and go.
///
/// It is a factory: every boot calls the closure anew, with the [`Ctx`] of a fresh process. When the
/// closure's future ends, the process exits, with 1 if it ended with an error; what was spawned
/// beside it ends, too. Whether the container is started again is for [`Container::restart`].
#[derive(Clone)]
pub struct Container {
    service: Service,
    kills: Option<u64>,
    events: Vec<(Span, Change)>,
    main: Main,
}

impl Container {
    /// One container that runs `main`, booted within 1 to 5 s, restarted whenever it ends.
    pub fn new<F>(
        name: impl Into<Box<str>>,
        main: impl Fn(Ctx) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result> + 'static,
    {
        let service = Service {
            name: name.into(),
            release: ReleaseId(0),
            replicas: 1,
            without: Vec::new(),
            boot: range((Span::from_secs(1), Span::from_secs(5))),
            restart: Restart::Always,
            restart_delay: None,
            max_restarts: None,
            grace: Span::from_secs(30),
            rollout: Rollout::Rolling { max_surge: QUARTER, max_unavailable: QUARTER },
            zone: Zone::utc(),
            env: Vec::new(),
            round_trip: None,
            clock: Skew::default(),
        };
        let main = move |kernel: &mut Kernel<Servers>, boot: Boot| {
            kernel.boot(boot, |ctx| live(ctx.clone(), main(ctx)))
        };
        Container { service, kills: None, events: Vec::new(), main: Arc::new(main) }
    }

    /// How many there are.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.service.replicas = replicas;
        self
    }

    /// How long after its creation a container begins to run: drawn for each.
    #[must_use]
    pub fn boot(mut self, takes: RangeInclusive<Duration>) -> Self {
        self.service.boot = range(ends(takes));
        self
    }

    /// Whether a container that has ended is started again: with a back-off of 10 s that doubles up
    /// to 5 min, as Kubernetes' `restartPolicy` does.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.service.restart = restart;
        self
    }

    /// How long a container has from SIGTERM to SIGKILL: 30 s if nothing is said.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.service.grace = grace.into();
        self
    }

    /// The odds that one life of a container is killed, somewhere among the first 64 points before
    /// and after a send and before a reply. In the calm tail of a run nothing is killed.
    ///
    /// # Panics
    /// If the odds are not between 0 and 1.
    #[must_use]
    pub fn kills(mut self, odds: f64) -> Self {
        assert!((0.0..=1.0).contains(&odds), "odds lie between 0 and 1");
        // At most 2^32, and a 64-bit float is exact there.
        self.kills = Some((odds * f64::from(1_u32 << 31) * 2.0) as u64);
        self
    }

    /// How long a message from here and its reply take together, if not as for all.
    #[must_use]
    pub fn round_trip(mut self, takes: RangeInclusive<Duration>) -> Self {
        self.service.round_trip = Some(range(ends(takes)));
        self
    }

    /// So long after the start all of them are replaced, a quarter at a time (`kubectl rollout
    /// restart`): each old one is asked to end, and killed when its grace period is over.
    #[must_use]
    pub fn roll_at(mut self, after: Duration) -> Self {
        self.events.push((after.into(), Change::Restart));
        self
    }

    /// So long after the start there are so many.
    #[must_use]
    pub fn scale_at(mut self, after: Duration, replicas: u32) -> Self {
        self.events.push((after.into(), Change::Scale(replicas)));
        self
    }

    /// So long after the start so many of those that run are killed, the oldest first.
    #[must_use]
    pub fn kill_at(mut self, after: Duration, count: u32) -> Self {
        self.events.push((after.into(), Change::Kill(count)));
        self
    }
}

/// One process: its code, and how it ends.
async fn live(ctx: Ctx, main: impl Future<Output = Result>) {
    match main.await {
        Ok(()) => ctx.exit(0),
        Err(error) => {
            ctx.emit(Event::Uncaught { error: error.to_string().into() });
            ctx.exit(1);
        }
    }
}

/// What a container's code may touch, beside what every process may.
impl Ctx {
    /// Notes what this process is doing from now on, or that it has done something: a word that
    /// properties look for, and that the story of a run tells.
    pub fn note(&self, what: impl Into<Rc<str>>) {
        self.emit(Event::Note { what: what.into() });
    }

    /// A length of time that the run leaves open, drawn anew each time: one of sixteen between the
    /// ends, which are among them.
    pub fn between(&self, range: RangeInclusive<Duration>) -> Duration {
        let (least, most) = ends(range);
        self.draw(Label(FIRST_DRAW + BETWEEN.0), least, most).into()
    }
}

/// Containers that share a Redis, and what must hold of them.
///
/// ```
/// use bootrace_sim::container::{Container, Fleet};
/// use bootrace_sim::policy::Random;
///
/// // Each container does what only the first one should do.
/// let fleet = Fleet::new("migrate once")
///     .container(
///         Container::new("worker", |ctx| async move {
///             let redis = ctx.redis();
///             if redis.get("migrated").await?.is_none() {
///                 ctx.note("migrates");
///                 redis.set("migrated", "yes", Default::default()).await?;
///             }
///             ctx.terminated().await;
///             Ok(())
///         })
///         .replicas(3),
///     )
///     .always("the migration runs once", |seen| seen.times("migrates") <= 1);
///
/// let broke = (1..=200).find(|&seed| {
///     let played = fleet.play(Box::new(Random::new(seed)), &mut ());
///     !played.findings[0].held
/// });
/// assert!(broke.is_some(), "two read before either writes");
/// ```
#[derive(Clone)]
pub struct Fleet {
    scenario: Arc<Scenario>,
    mains: Vec<Main>,
    properties: Vec<Property>,
}

/// What came of one run of a fleet.
#[derive(Clone, Debug)]
pub struct Played {
    /// One finding for each property, in their order.
    pub findings: Vec<Finding>,
    /// The run itself.
    pub outcome: Outcome,
}

impl Fleet {
    /// A fleet without a container, to be played for 10 min, of which the last 2 are calm.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        let (length, calm) = LENGTH;
        let scenario = Scenario {
            name: name.into(),
            start: START,
            length,
            measure: (Span::ZERO, length),
            calm,
            round_trip: range(ROUND_TRIP),
            network: Network::default(),
            skips_idle_polls: false,
            schedules: Vec::new(),
            queues: Vec::new(),
            jobs: Vec::new(),
            releases: Vec::new(),
            services: Vec::new(),
            events: Vec::new(),
            faults: Faults::default(),
            expectations: Vec::new(),
            audit: Audit::default(),
            alerts: Vec::new(),
            scrape: SCRAPE,
            answers: None,
            draws: vec![BETWEEN.1.into()],
        };
        Fleet { scenario: Arc::new(scenario), mains: Vec::new(), properties: Vec::new() }
    }

    /// Adds containers of one kind.
    ///
    /// # Panics
    /// If there are more than 1,000 kinds.
    #[must_use]
    pub fn container(mut self, container: Container) -> Self {
        let Container { mut service, kills, events, main } = container;
        let place = self.mains.len();
        assert!(place < 1_000, "a fleet has at most 1,000 kinds of containers");
        let id = u16::try_from(place).expect("just bounded");
        let scenario = Arc::make_mut(&mut self.scenario);
        service.release = ReleaseId(id);
        service.boot.draw = word(scenario, format!("boot {}", service.name));
        for (after, change) in events {
            let at = range((after, after));
            let happens = Happens::To(ServiceId(id), change);
            scenario.events.push(PlannedEvent { at, odds_of_2_32: None, happens });
        }
        if let Some(odds_of_2_32) = kills {
            let kills = Kills { service: ServiceId(id), odds_of_2_32, points: KILL_POINTS };
            scenario.faults.kills.push(kills);
        }
        // A release without a step is one whose library no step uses.
        let (name, library) = (service.name.clone(), Version::V5_34_10);
        scenario.releases.push(Release {
            name,
            library,
            steps: Vec::new().into(),
            jobs: Vec::new(),
            by_hand: false,
        });
        scenario.services.push(service);
        self.mains.push(main);
        self
    }

    /// How long it is played.
    #[must_use]
    pub fn length(mut self, length: Duration) -> Self {
        let scenario = Arc::make_mut(&mut self.scenario);
        scenario.length = length.into();
        scenario.measure = (Span::ZERO, scenario.length);
        self
    }

    /// How long the tail is in which no process is killed at random: what is to be so
    /// [eventually](Fleet::eventually) must be so in it. It is part of the length.
    #[must_use]
    pub fn calm(mut self, calm: Duration) -> Self {
        Arc::make_mut(&mut self.scenario).calm = calm.into();
        self
    }

    /// How long a message and its reply take together: 0.4 to 2 ms if nothing is said.
    #[must_use]
    pub fn round_trip(mut self, takes: RangeInclusive<Duration>) -> Self {
        Arc::make_mut(&mut self.scenario).round_trip = range(ends(takes));
        self
    }

    /// What must be so after every note and every end of a process.
    #[must_use]
    pub fn always(
        self,
        name: impl Into<String>,
        check: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::new(Kind::Always, name, check))
    }

    /// What must be so at some instant of the calm tail, in every run: whatever has happened, the
    /// fleet comes to it.
    #[must_use]
    pub fn eventually(
        self,
        name: impl Into<String>,
        check: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::new(Kind::Eventually, name, check))
    }

    /// What must be so at some instant of some run, so that the others are put to the test.
    #[must_use]
    pub fn sometimes(
        self,
        name: impl Into<String>,
        check: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::new(Kind::Sometimes, name, check))
    }

    /// Adds a property.
    #[must_use]
    pub fn property(mut self, property: Property) -> Self {
        self.properties.push(property);
        self
    }

    /// What must hold.
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// The fleet as a scenario: names, times, services, and no work.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// The same, to be changed.
    pub fn scenario_mut(&mut self) -> &mut Scenario {
        Arc::make_mut(&mut self.scenario)
    }

    /// Plays it to its end. Every event goes to `sink` as it happens.
    ///
    /// # Panics
    /// If the calm tail is as long as the whole.
    pub fn play(&self, policy: Box<dyn Policy>, sink: &mut dyn Sink) -> Played {
        let Scenario { start, length, calm, .. } = *self.scenario;
        assert!(calm < length, "the calm tail is part of the length: {calm} of {length}");
        let watch = Watch::new(&self.properties, start, calm);
        let mut both = Both { watch, sink };
        let mains = self.mains.clone();
        let main = move |kernel: &mut Kernel<Servers>, boot: Boot| {
            mains[usize::from(boot.release.0)](kernel, boot)
        };
        let outcome = world::play(&self.scenario, Box::new(main), policy, false, &mut both);
        Played { findings: both.watch.finish(), outcome }
    }
}

/// The properties, and whoever else wants the events.
struct Both<'a> {
    watch: Watch<'a>,
    sink: &'a mut dyn Sink,
}

impl Sink for Both<'_> {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        self.watch.event(stamp, event);
        self.sink.event(stamp, event);
    }
}

/// A new word for a draw.
fn word(scenario: &mut Scenario, word: String) -> u16 {
    scenario.draws.push(word.into());
    u16::try_from(scenario.draws.len() - 1).expect("fewer words than containers")
}

/// A range whose word is still to be given.
fn range((least, most): (Span, Span)) -> Range {
    Range { least, most, draw: BETWEEN.0 }
}

fn ends(range: RangeInclusive<Duration>) -> (Span, Span) {
    let (least, most) = range.into_inner();
    assert!(least <= most, "a range is not upside down: {least:?} to {most:?}");
    (least.into(), most.into())
}
