//! One run in progress: kernel, servers, fleet and oracles, wired together. It knows all and decides
//! nothing: a run is a function of the scenario and the policy's answers.

use crate::alert::{Alarms, Rang};
use crate::bullmq::keys::Keys;
use crate::choices::{Choices, LifeId, LifeName, Policy, Tape};
use crate::clock::{Instant, Span};
use crate::event::{By, Event, FaultClass, Level, Plan, Rolling, ServiceId, Sink, Stamp, Stuck};
use crate::fleet::{self, Befalls, Fleet, Main};
use crate::kernel::{Boot, Kernel, Link, Servers as _, Step};
use crate::oracle::{Judge, Verdict};
use crate::redis::{Bytes, Db};
use crate::release::{self, Image, Place};
use crate::scenario::{Change, Happens, Loses, Mishap, Network, PlannedEvent, Range, Scenario};
use crate::servers::{self, REDIS, Servers};
use std::collections::BTreeMap;
use std::hash::Hasher as _;
use std::rc::Rc;
use std::sync::Arc;

/// How many steps of the run loop a run may take: far more than any scenario that moves needs.
pub const MAX_STEPS: u64 = 2_000_000_000;

/// How many events are handed over at once. Nothing of a run depends on when they are.
const BATCH: usize = 64;

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the oracles say, and the figures.
    pub verdict: Verdict,
    /// The hash that rolled over every event.
    pub hash: u64,
    /// What Redis held at the end.
    pub redis: Db,
    /// How many events there were.
    pub events: u64,
    /// How many questions were asked.
    pub asked: u64,
    /// The answers, if they were recorded.
    pub tape: Tape,
    /// Who is who among the tape's lives.
    pub lives: Vec<LifeName>,
    /// Where the run left the tape that it replayed, if it did.
    pub diverged: Option<String>,
    /// Whether the run stopped at [`MAX_STEPS`] instead of its end: inconclusive.
    pub out_of_steps: bool,
    /// Why it did not get on, if it did not.
    pub stuck: Option<Stuck>,
    /// How bad each class of faults was, where the scenario leaves that open.
    pub swarm: Vec<(FaultClass, Level)>,
    /// Which of the scenario's alerts rang, in the order in which they did.
    pub rang: Vec<Rang>,
    /// Whether it was stopped before its end: by the policy, since all that it can come to has been
    /// seen, or by the sink, which has seen enough. Only what is sure by then is judged rightly: the
    /// run has no end at which the rest could be looked at.
    pub stopped: bool,
    /// Where the policy lets others go on, if it does: the instant, and a hash of the state. Two runs
    /// of a scenario with equal ones go on alike.
    pub goes_on: Option<(Instant, u64)>,
}

/// The words for what a run of a scenario asks about, by [`Label`](crate::choices::Label).
#[must_use]
pub fn labels(scenario: &Scenario) -> Vec<Rc<str>> {
    let draws = scenario.draws.iter().map(|word| Rc::from(&**word));
    servers::labels().chain(draws).chain(fleet::labels(scenario).map(Rc::from)).collect()
}

/// Plays a scenario to its end. Every event goes to `sink` as it happens; answers are recorded on a
/// tape if `record` is set.
pub fn run(
    scenario: &Arc<Scenario>,
    policy: Box<dyn Policy>,
    record: bool,
    sink: &mut dyn Sink,
) -> Outcome {
    let image = Rc::new(Image::new(scenario.clone()));
    let services = scenario.services.len();
    let main = move |kernel: &mut Kernel<Servers>, boot: Boot| {
        let (image, release) = (image.clone(), boot.release);
        let place = place(kernel, &boot, services);
        kernel.boot(boot, |ctx| release::main(ctx, image, release, place))
    };
    play(scenario, Box::new(main), policy, record, sink)
}

/// What the code of a container that boots can know of it.
fn place(kernel: &mut Kernel<Servers>, boot: &Boot, services: usize) -> Place {
    let choices = kernel.choices();
    let name = choices.name(boot.life);
    Place {
        // The network of people comes after those of the services.
        service: (usize::from(boot.network) < services).then_some(ServiceId(boot.network)),
        ordinal: name.ordinal,
        first_boot: name.life == 1,
    }
}

/// Plays a scenario whose containers run `main`, whatever its releases say.
pub(crate) fn play(
    scenario: &Arc<Scenario>,
    main: Main,
    policy: Box<dyn Policy>,
    record: bool,
    sink: &mut dyn Sink,
) -> Outcome {
    let mut world = World::new(scenario, main, policy, record);
    let out_of_steps = !world.play(sink);
    world.outcome(out_of_steps)
}

/// One run in progress; with its scenario and tape it determines every event that will ever happen
/// in it.
struct World {
    kernel: Kernel<Servers>,
    servers: Servers,
    fleet: Fleet,
    /// What Redis will hold after a failover, by the event that it is.
    copies: BTreeMap<usize, Db>,
    scenario: Arc<Scenario>,
    watch: Watch,
    end: Instant,
    stopped: bool,
    stuck: Option<Stuck>,
    goes_on: Option<(Instant, u64)>,
}

/// What reads the events.
struct Watch {
    judge: Judge,
    /// Who looks at metrics, if the scenario has alerts.
    alarms: Option<Box<Alarms>>,
    hash: Rolling,
    events: u64,
}

impl World {
    fn new(scenario: &Arc<Scenario>, main: Main, policy: Box<dyn Policy>, record: bool) -> Self {
        let mut choices = Choices::new(policy, labels(scenario));
        choices.record(record);
        let mut kernel = Kernel::new(scenario.start, networks(scenario), choices);
        let mut servers = Servers::default();
        if scenario.network == Network::Order {
            kernel.without_time();
            if kernel.choices().reduces() {
                servers.say_what_is_met();
            }
        }
        if scenario.skips_idle_polls && !clocks_step(scenario) {
            servers.skip_idle_polls();
        }
        let fleet = Fleet::new(scenario.clone(), main, &mut kernel);
        World {
            kernel,
            servers,
            copies: BTreeMap::new(),
            scenario: scenario.clone(),
            fleet,
            watch: Watch {
                judge: Judge::new(scenario),
                alarms: Alarms::new(scenario).map(Box::new),
                hash: Rolling::default(),
                events: 0,
            },
            end: scenario.start + scenario.length,
            stopped: false,
            stuck: None,
            goes_on: None,
        }
    }

    /// Runs to the end; `false` if it would not come within [`MAX_STEPS`].
    fn play(&mut self, sink: &mut dyn Sink) -> bool {
        // The end itself belongs to the next window: what is due at it does not happen.
        let last = self.end - Span::from_nanos(1);
        for _ in 0..MAX_STEPS {
            let step = self.kernel.step(&mut self.servers, last);
            if let Step::Plan(token) = step
                && let Some(befalls) = self.fleet.due(&mut self.kernel, token)
            {
                self.befall(&befalls);
                if self.scenario.skips_idle_polls {
                    // Who rests may have to look at what is left.
                    self.kernel.attend(&self.servers);
                }
            }
            let ended = self.kernel.has_ended();
            if ended {
                self.fleet.ended(&mut self.kernel);
            }
            let idle = step == Step::Idle && !ended;
            let stops = matches!(step, Step::Rests | Step::Stopped);
            let handed = self.kernel.events() >= BATCH;
            if idle || stops || handed {
                self.hand_over(sink);
            }
            if stops {
                self.stopped = step == Step::Stopped;
                self.goes_on = self.goes_on();
                return true;
            }
            if idle {
                self.come_to_rest(sink);
                return true;
            }
            if handed && sink.enough(&mut self.watch.judge.broken()) {
                self.end = self.kernel.now();
                self.stopped = true;
                return true;
            }
        }
        let stamp = Stamp { at: self.kernel.now(), life: LifeId::WORLD };
        self.watch.see(&stamp, &Event::OutOfSteps, sink);
        self.stuck = Some(Stuck::Endless);
        false
    }

    /// Hands over what has happened.
    fn hand_over(&mut self, sink: &mut dyn Sink) {
        if let Some(alarms) = &mut self.watch.alarms {
            let choices = self.kernel.choices();
            for life in alarms.named()..choices.lives() {
                let life = u32::try_from(life).expect("lives have numbers of 32 bits");
                alarms.name(choices.name(LifeId(life)));
            }
        }
        let watch = &mut self.watch;
        self.kernel.drain(|stamp, event| watch.see(stamp, event, sink));
    }

    /// The run has come to its end: says why it did not get on, if it did not.
    fn come_to_rest(&mut self, sink: &mut dyn Sink) {
        let judge = &self.watch.judge;
        let deadlock = self.kernel.waiting_for_ever().and_then(|waiting| judge.deadlock(waiting));
        self.stuck = deadlock.or_else(|| judge.stuck(self.end));
        if let Some(stuck) = &self.stuck {
            let stamp = Stamp { at: self.kernel.now(), life: LifeId::WORLD };
            self.watch.see(&stamp, &Event::Stuck(stuck.clone()), sink);
        }
        self.watch.look(self.end, sink);
    }

    /// Where others go on, if the policy wants it: a hash of all that the rest of the run hangs on.
    fn goes_on(&mut self) -> Option<(Instant, u64)> {
        let of_policy = self.kernel.choices().goes_on()?;
        let World { kernel, servers, fleet, copies, scenario: _, watch, .. } = self;
        let mut state = Rolling::default();
        state.write_u64(of_policy);
        let planned = |token, into: &mut Rolling| fleet.recall_planned(token, into);
        kernel.recall(&mut state, servers.next_deadline(), planned);
        servers.recall(&mut state, |conn| kernel.end_of(conn));
        fleet.recall(&mut state);
        state.show(copies);
        watch.judge.recall(&mut state);
        Some((self.kernel.now(), state.finish()))
    }

    /// Something befalls Redis.
    fn befall(&mut self, befalls: &Befalls) {
        let number = |event: usize| u32::try_from(event).expect("the parser bounds their number");
        let (event, mishap) = match befalls {
            Befalls::Copied(event) => {
                self.copies.insert(*event, self.servers.copy());
                return self.say(Plan::RedisCopied { event: number(*event) });
            }
            Befalls::Mishap(event, mishap) => (*event, mishap),
        };
        match mishap {
            Mishap::Slow(range) => {
                let until = self.kernel.now() + self.lasts(event, range);
                self.servers.stall(until);
                self.say(Plan::RedisSlow { until });
            }
            Mishap::Flush => {
                self.servers.flush(self.kernel.now());
                self.say(Plan::RedisFlushed);
            }
            Mishap::Restart { down, loses } => {
                let down = self.lasts(event, down);
                let until = self.kernel.now() + down;
                self.say(Plan::RedisDown { until });
                self.kernel.cut(None, REDIS, down);
                self.servers.restart();
                match loses {
                    Loses::Nothing => {}
                    Loses::Since(_) => {
                        let copy = self.copies.remove(&event).expect("it was copied before");
                        self.servers.restore(copy);
                        self.say(Plan::RedisRolledBack { event: number(event) });
                    }
                    Loses::All => {
                        self.servers.flush(self.kernel.now());
                        self.say(Plan::RedisFlushed);
                    }
                }
            }
            Mishap::Evict(queue, name) => {
                let of = &self.scenario.queues[usize::from(queue.0)];
                let keys = Keys::new(*queue, &of.prefix, &of.name);
                let key = Bytes::from(&**name);
                let (held, events) = self.servers.evict(&keys, &key, self.kernel.now());
                self.say(Plan::RedisEvicted { queue: *queue, key, held });
                for event in events {
                    self.kernel.emit(LifeId::WORLD, Event::Queue(*queue, By::Redis, event));
                }
            }
        }
    }

    fn lasts(&mut self, event: usize, range: &Range) -> Span {
        self.fleet.lasts(&mut self.kernel, event, LifeId::WORLD, range)
    }

    fn say(&mut self, plan: Plan) {
        self.kernel.emit(LifeId::WORLD, Event::Plan(plan));
    }

    fn outcome(mut self, out_of_steps: bool) -> Outcome {
        self.kernel.tell_lives();
        let stopped = self.stopped;
        let mut choices = self.kernel.choices();
        let (tape, lives) = (choices.take_tape(), choices.names());
        let (asked, diverged) = (choices.asked(), choices.diverged());
        drop(choices);
        Outcome {
            verdict: self.watch.judge.finish(self.end),
            redis: self.servers.into_redis(self.end),
            hash: self.watch.hash.finish(),
            events: self.watch.events,
            asked,
            tape,
            lives,
            diverged,
            out_of_steps,
            stuck: self.stuck,
            swarm: self.fleet.swarm(),
            rang: self.watch.alarms.map(|alarms| alarms.finish()).unwrap_or_default(),
            stopped,
            goes_on: self.goes_on,
        }
    }
}

impl Watch {
    #[inline]
    fn see(&mut self, stamp: &Stamp, event: &Event, sink: &mut dyn Sink) {
        if self.alarms.is_some() {
            // Before the event is known, since what was to be looked at lies before it.
            self.look(stamp.at, sink);
        }
        self.take(stamp, event, sink);
        if let Some(alarms) = &mut self.alarms {
            alarms.event(stamp, event);
        }
    }

    #[inline]
    fn take(&mut self, stamp: &Stamp, event: &Event, sink: &mut dyn Sink) {
        self.hash.roll(stamp, event);
        self.events += 1;
        self.judge.event(stamp, event);
        sink.event(stamp, event);
    }

    /// Looks at the metrics as often as that is due before an instant. What rings is an event.
    fn look(&mut self, before: Instant, sink: &mut dyn Sink) {
        while let Some((at, changes)) = self.alarms.as_mut().and_then(|alarms| alarms.look(before))
        {
            for (alert, rings) in changes {
                let alert = u16::try_from(alert).expect("the parser bounds their number");
                let stamp = Stamp { at, life: LifeId::WORLD };
                self.take(&stamp, &Event::Alert { alert, rings }, sink);
            }
        }
    }
}

/// Whether a clock steps: what a worker knows of the next job is another thing then, and only a poll
/// that is played shows it.
fn clocks_step(scenario: &Scenario) -> bool {
    let steps = |event: &PlannedEvent| matches!(event.happens, Happens::To(_, Change::Clock(_)));
    scenario.events.iter().any(steps)
}

/// One network for each service, and the last for people, with a link to each server.
fn networks(scenario: &Scenario) -> Vec<Vec<Link>> {
    let links = |round_trip: Option<Range>| {
        let link = fleet::link(&round_trip.unwrap_or(scenario.round_trip));
        vec![link.clone(), link]
    };
    let services = scenario.services.iter().map(|service| service.round_trip);
    services.chain([None]).map(links).collect()
}
