//! Strategies of [proptest](mod@proptest) for fleets, deploys and faults: a property of one's own is put to the
//! test over many fleets, and what breaks it comes back small: one container, no event, nobody
//! killed, wherever that is enough. (Feature `proptest`.)
//!
//! A strategy draws [`Edits`]: what is said of the services of a scenario, or of containers in
//! code, in place of what they say themselves. As a test, under `#[test]` and `proptest!`:
//!
//! ```
//! use bootrace::strategies::{self, Bounds};
//! use bootrace::{Explore, Scenario};
//! use proptest::prelude::*;
//! use proptest::test_runner::{Config, RngSeed, TestRunner};
//!
//! # fn main() -> Result<(), bootrace::load::Error> {
//! let scenario = Scenario::load("scenarios/free-tier-usage/window-id.toml")?;
//! let bounds = Bounds::of(&scenario).replicas(6).events(2);
//!
//! // The same four fleets each time; a test of yours draws others whenever it runs.
//! let rng_seed = RngSeed::Fixed(1);
//! let mut runner = TestRunner::new(Config { cases: 4, rng_seed, ..Config::default() });
//! let result = runner.run(&strategies::fleets(&bounds), |edits| {
//!     let edited = edits.scenario(&scenario).expect("a strategy draws what is legal");
//!     let report = Explore::new(&edited).seeds(1..=3).run();
//!     prop_assert_eq!(report.as_declared(), Ok(()), "{}", edits);
//!     Ok(())
//! });
//! assert_eq!(result, Ok(()));
//! # Ok(())
//! # }
//! ```
//!
//! A fleet in code is built anew of each draw:
//!
//! ```
//! use bootrace::strategies::{self, Bounds, Edits};
//! use bootrace::{Container, Explore, Fleet};
//! use proptest::prelude::*;
//! use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
//! use std::time::Duration;
//!
//! fn migration(edits: &Edits) -> Fleet {
//!     let worker = Container::new("worker", |ctx| async move {
//!         let redis = ctx.redis();
//!         if redis.get("migrated").await?.is_none() {
//!             ctx.note("migrates");
//!             redis.set("migrated", "yes", Default::default()).await?;
//!         }
//!         ctx.terminated().await;
//!         Ok(())
//!     });
//!     Fleet::new("migrate once")
//!         .container(edits.container("worker", worker))
//!         .always("at most once", |seen| seen.times("migrates") <= 1)
//! }
//!
//! let bounds = Bounds::named("worker", Duration::from_secs(400));
//! let rng_seed = RngSeed::Fixed(1);
//! let config = Config { failure_persistence: None, rng_seed, ..Config::default() };
//! let result = TestRunner::new(config).run(&strategies::all(&bounds), |edits| {
//!     let report = Explore::new(&migration(&edits)).seeds(1..=100).run();
//!     prop_assert_eq!(report.property("at most once").violated, 0);
//!     Ok(())
//! });
//! let Err(TestError::Fail(_, smallest)) = result else { panic!("two read before either writes") };
//! assert_eq!(smallest.to_string(), "worker has 2 replicas\n");
//! ```

use crate::load::Error;
use crate::{Container, Scenario};
use bootrace_sim::clock::Span;
use bootrace_sim::event::{ReleaseId, ServiceId};
use bootrace_sim::scenario::{self as format, Happens, Kills, PlannedEvent, Range, print};
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;
use std::time::Duration;

/// The word for a draw; the parser finds another for what is printed.
const WORD: u16 = 0;

/// Among how many kill points of a life a kill falls, as in a scenario that does not say.
const KILL_POINTS: u32 = 64;

/// Within which bounds strategies draw.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The services, each with the releases that it may move to.
    services: Vec<(String, Vec<String>)>,
    /// Before when everything happens.
    until: Duration,
    replicas: u32,
    boot: Duration,
    events: usize,
    kills: u32,
    /// Whether Redis is a scenario's, and may have a bad day.
    redis: bool,
}

impl Bounds {
    /// For the services of a scenario, which may move to any of its releases. What happens does in
    /// the first three quarters of what is not calm.
    pub fn of(scenario: &Scenario) -> Bounds {
        let scenario = scenario.meaning();
        let is_theirs = |release: &&format::Release| !release.by_hand;
        let releases = scenario.releases.iter().filter(is_theirs);
        let releases: Vec<String> = releases.map(|release| release.name.to_string()).collect();
        let services = scenario.services.iter();
        let services = services.map(|service| (service.name.to_string(), releases.clone()));
        let calm = scenario.length.nanos() - scenario.calm.nanos();
        let until = Duration::from_nanos(u64::try_from(calm / 4 * 3).unwrap_or(0));
        Bounds { redis: true, ..Bounds::new(services.collect(), until) }
    }

    /// For containers in code of that name; what happens does before `until`.
    pub fn named(name: impl Into<String>, until: Duration) -> Bounds {
        Bounds::new(vec![(name.into(), Vec::new())], until)
    }

    fn new(services: Vec<(String, Vec<String>)>, until: Duration) -> Bounds {
        let boot = Duration::from_secs(30);
        Bounds { services, until, replicas: 4, boot, events: 3, kills: 50, redis: false }
    }

    /// The most containers of a service: 4 if nothing is said.
    #[must_use]
    pub fn replicas(mut self, most: u32) -> Self {
        self.replicas = most.max(1);
        self
    }

    /// The longest that a boot takes: 30 s if nothing is said.
    #[must_use]
    pub fn boot(mut self, most: Duration) -> Self {
        self.boot = most;
        self
    }

    /// The most events: 3 if nothing is said.
    #[must_use]
    pub fn events(mut self, most: usize) -> Self {
        self.events = most;
        self
    }

    /// The highest odds that a life is killed, in percent: 50 if nothing is said.
    #[must_use]
    pub fn kills(mut self, percent: u32) -> Self {
        self.kills = percent.min(100);
        self
    }

    fn service(&self) -> impl Strategy<Value = (String, Vec<String>)> + use<> {
        select(self.services.clone())
    }

    /// Whole seconds, the earlier the simpler. At the very start nothing is there to be changed.
    fn at(&self) -> impl Strategy<Value = Duration> + use<> {
        seconds(1, self.until.as_secs().max(2) - 1)
    }
}

/// One thing that is said of a service or of Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// A service has so many containers.
    Replicas(String, u32),
    /// The boots of a service take between so long and so long.
    Boot(String, Duration, Duration),
    /// A life of a service's containers is killed with so many percent, somewhere.
    Kills(String, u32),
    /// So long after the start something happens to a service.
    Event(Duration, String, Change),
    /// So long after the start Redis does nothing for so long.
    SlowRedis(Duration, Duration),
    /// So long after the start Redis goes away for so long, and forgets nothing.
    RestartRedis(Duration, Duration),
}

/// What happens to a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is rolled out again as it is.
    Restart,
    /// It gets another number of containers.
    Scale(u32),
    /// It moves to a release of the scenario.
    Deploy(String),
    /// So many of its containers are killed.
    Kill(u32),
    /// Its connections to Redis break, and none can be opened for so long.
    Disconnect(Duration),
    /// The event loops of its containers stand still for so long.
    Pause(Duration),
}

/// What a strategy draws: things that are said in place of what a scenario or a container says, and
/// events that come to its own. It shows itself as a line for each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edits(pub Vec<Edit>);

/// How many containers there are and how long their boots take. Shrinks to one of each service,
/// booted at once.
pub fn fleets(bounds: &Bounds) -> BoxedStrategy<Edits> {
    let of = |(name, _): &(String, Vec<String>)| {
        let (one, other) = (name.clone(), name.clone());
        let replicas = (1..=bounds.replicas)
            .prop_map(move |count| Some(Edit::Replicas(one.clone(), count)).filter(|_| count > 1));
        let most = bounds.boot.as_secs().max(1);
        let boot = (0..most, 0..=most).prop_map(move |(least, more)| {
            let most = (least + more).min(most);
            let ends = [least, most].map(|s| Duration::from_secs(s).max(Duration::from_millis(1)));
            Edit::Boot(other.clone(), ends[0], ends[1])
        });
        let boot = prop::option::of(boot);
        (replicas, boot).prop_map(|(replicas, boot)| replicas.into_iter().chain(boot).collect())
    };
    let services: Vec<_> = bounds.services.iter().map(of).collect();
    services.prop_map(|said: Vec<Vec<Edit>>| Edits(said.concat())).boxed()
}

/// What a team does: rollouts and other numbers of containers, and, in a scenario, moves to other
/// releases. Shrinks to nothing.
pub fn deploys(bounds: &Bounds) -> BoxedStrategy<Edits> {
    let most = bounds.replicas;
    let event = (bounds.at(), bounds.service()).prop_flat_map(move |(at, (name, releases))| {
        let scale = (0..=most).prop_map(Change::Scale);
        let change = match releases.is_empty() {
            true => prop_oneof![Just(Change::Restart), scale].boxed(),
            false => {
                prop_oneof![Just(Change::Restart), scale, select(releases).prop_map(Change::Deploy)]
                    .boxed()
            }
        };
        change.prop_map(move |change| Edit::Event(at, name.clone(), change))
    });
    some(event, bounds.events)
}

/// What goes wrong: kills at random and by an event, and, in a scenario, frozen containers, broken
/// connections, a Redis that is slow or goes away. Shrinks to nothing.
pub fn faults(bounds: &Bounds) -> BoxedStrategy<Edits> {
    let (most, redis) = (bounds.replicas, bounds.redis);
    let event = (bounds.at(), bounds.service()).prop_flat_map(move |(at, (name, _))| {
        let kill = (1..=most).prop_map(Change::Kill);
        let change = match redis {
            false => kill.boxed(),
            true => prop_oneof![
                kill,
                seconds(1, 60).prop_map(Change::Pause),
                seconds(1, 60).prop_map(Change::Disconnect),
            ]
            .boxed(),
        };
        let event = change.prop_map(move |change| Edit::Event(at, name.clone(), change));
        match redis {
            false => event.boxed(),
            true => prop_oneof![
                3 => event,
                1 => seconds(1, 60).prop_map(move |takes| Edit::SlowRedis(at, takes)),
                1 => seconds(1, 60).prop_map(move |takes| Edit::RestartRedis(at, takes)),
            ]
            .boxed(),
        }
    });
    let kills = |(name, _): &(String, Vec<String>)| {
        let name = name.clone();
        (0..=bounds.kills).prop_map(move |percent| {
            Some(Edit::Kills(name.clone(), percent)).filter(|_| percent > 0)
        })
    };
    let kills: Vec<_> = bounds.services.iter().map(kills).collect();
    (kills, some(event, bounds.events))
        .prop_map(|(kills, events)| Edits(kills.into_iter().flatten().chain(events.0).collect()))
        .boxed()
}

/// All of it: a fleet, what a team does with it, and what goes wrong.
pub fn all(bounds: &Bounds) -> BoxedStrategy<Edits> {
    (fleets(bounds), deploys(bounds), faults(bounds))
        .prop_map(|(fleet, deploys, faults)| Edits([fleet.0, deploys.0, faults.0].concat()))
        .boxed()
}

fn some(event: impl Strategy<Value = Edit> + 'static, most: usize) -> BoxedStrategy<Edits> {
    prop::collection::vec(event, 0..=most).prop_map(Edits).boxed()
}

fn seconds(least: u64, most: u64) -> impl Strategy<Value = Duration> {
    (least..=most).prop_map(Duration::from_secs)
}

impl Edits {
    /// A scenario of which all this is said.
    ///
    /// # Errors
    /// If it would be none: an edit names a service or release that it has not, or what it says is
    /// out of the format's bounds.
    pub fn scenario(&self, scenario: &Scenario) -> Result<Scenario, Error> {
        let mut meaning = format::Scenario::clone(scenario.meaning());
        for edit in &self.0 {
            edit.say_to(&mut meaning).map_err(|why| Error::Refused("edits".into(), why))?;
        }
        // Through the format, so that what comes out is as sound as what is read.
        Scenario::parse(print(&meaning))
    }

    /// A container of which is said what is said of that name. What only a scenario can say is
    /// passed over.
    #[must_use]
    pub fn container(&self, name: &str, container: Container) -> Container {
        self.0.iter().fold(container, |container, edit| match edit {
            Edit::Replicas(of, count) if of == name => container.replicas(*count),
            Edit::Boot(of, least, most) if of == name => container.boot(*least..=*most),
            Edit::Kills(of, percent) if of == name => container.kills(f64::from(*percent) / 100.0),
            Edit::Event(at, of, change) if of == name => match change {
                Change::Restart => container.roll_at(*at),
                Change::Scale(count) => container.scale_at(*at, *count),
                Change::Kill(count) => container.kill_at(*at, *count),
                Change::Deploy(_) | Change::Disconnect(_) | Change::Pause(_) => container,
            },
            _ => container,
        })
    }
}

impl Edit {
    fn say_to(&self, scenario: &mut format::Scenario) -> Result<(), String> {
        let at = |after: Duration| range(WORD, after, after);
        match self {
            Edit::Replicas(name, count) => {
                let service = service(scenario, name)?;
                scenario.services[usize::from(service.0)].replicas = *count;
            }
            Edit::Boot(name, least, most) => {
                let service = service(scenario, name)?;
                let boot = &mut scenario.services[usize::from(service.0)].boot;
                *boot = range(boot.draw, *least, *most);
            }
            Edit::Kills(name, percent) => {
                let service = service(scenario, name)?;
                let odds_of_2_32 = (u64::from(*percent) << 32) / 100;
                let kills = Kills { service, odds_of_2_32, points: KILL_POINTS };
                scenario.faults.kills.retain(|other| other.service != service);
                scenario.faults.kills.push(kills);
            }
            Edit::Event(after, name, change) => {
                let to = service(scenario, name)?;
                let happens = Happens::To(to, change.meaning(scenario)?);
                scenario.events.push(PlannedEvent { at: at(*after), odds_of_2_32: None, happens });
            }
            Edit::SlowRedis(after, takes) => {
                let happens = Happens::InRedis(format::Mishap::Slow(at(*takes)));
                scenario.events.push(PlannedEvent { at: at(*after), odds_of_2_32: None, happens });
            }
            Edit::RestartRedis(after, takes) => {
                let loses = format::Loses::Nothing;
                let happens = Happens::InRedis(format::Mishap::Restart { down: at(*takes), loses });
                scenario.events.push(PlannedEvent { at: at(*after), odds_of_2_32: None, happens });
            }
        }
        Ok(())
    }
}

impl Change {
    fn meaning(&self, scenario: &format::Scenario) -> Result<format::Change, String> {
        let range = |takes: Duration| range(WORD, takes, takes);
        Ok(match self {
            Change::Restart => format::Change::Restart,
            Change::Scale(count) => format::Change::Scale(*count),
            Change::Kill(count) => format::Change::Kill(*count),
            Change::Disconnect(takes) => format::Change::Disconnect(range(*takes)),
            Change::Pause(takes) => format::Change::Pause(range(*takes)),
            Change::Deploy(name) => {
                let is = |release: &format::Release| *release.name == **name;
                let place = scenario.releases.iter().position(is);
                let place = place.and_then(|place| u16::try_from(place).ok());
                let place = place.ok_or_else(|| format!("there is no release {name}"))?;
                format::Change::Deploy(ReleaseId(place), None)
            }
        })
    }
}

fn service(scenario: &format::Scenario, name: &str) -> Result<ServiceId, String> {
    let place = scenario.services.iter().position(|service| *service.name == *name);
    let place = place.and_then(|place| u16::try_from(place).ok());
    place.map(ServiceId).ok_or_else(|| format!("there is no service {name}"))
}

fn range(draw: u16, least: Duration, most: Duration) -> Range {
    let span = |length: Duration| Span::from(length);
    Range { least: span(least), most: span(most), draw }
}

impl fmt::Display for Edits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|edit| writeln!(f, "{edit}"))
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edit::Replicas(name, count) => write!(f, "{name} has {count} replicas"),
            Edit::Boot(name, least, most) => write!(f, "{name} boots in {least:?} to {most:?}"),
            Edit::Kills(name, percent) => {
                write!(f, "{percent} % of the lives of {name} are killed")
            }
            Edit::SlowRedis(after, takes) => {
                write!(f, "after {after:?} Redis is slow for {takes:?}")
            }
            Edit::RestartRedis(after, takes) => {
                write!(f, "after {after:?} Redis is away for {takes:?}")
            }
            Edit::Event(after, name, change) => {
                write!(f, "after {after:?} {name} ")?;
                match change {
                    Change::Restart => f.write_str("is rolled out again"),
                    Change::Scale(count) => write!(f, "is scaled to {count}"),
                    Change::Deploy(release) => write!(f, "moves to {release}"),
                    Change::Kill(count) => write!(f, "loses {count} by a kill"),
                    Change::Disconnect(takes) => write!(f, "cannot reach Redis for {takes:?}"),
                    Change::Pause(takes) => write!(f, "stands still for {takes:?}"),
                }
            }
        }
    }
}
