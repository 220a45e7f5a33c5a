//! The fleet: services, their containers, and how these come and go: boots, restarts after a
//! back-off, rolling deploys, scaling, kills.
//!
//! It does as Kubernetes' Deployment, ReplicaSet and kubelet do. It knows processes only by number
//! and nothing of what they run; what it leaves open is asked of the run's choices.

mod chance;
mod change;

use crate::choices::{Label, LifeId, LifeName, Odds, Site};
use crate::clock::{Clock, Instant, Span};
use crate::event::{Event, FaultClass, Plan, ReleaseId, Rolling, ServiceId};
use crate::kernel::{Boot, End, Kernel, Link, ProcId};
use crate::mutants::{Mutant, planted};
use crate::scenario::{Happens, Loses, Mishap, Quota, Range, Restart, Rollout, Scenario, Service};
use crate::servers::{CONNECTION, FIRST_DRAW, Servers};
use chance::{Chance, draw_signed};
use std::sync::Arc;

pub(crate) use chance::labels;

/// A container that ran this long is forgiven its crashes (kubelet: twice the longest back-off).
const FORGIVEN_AFTER: Span = Span::from_secs(600);

/// The first back-off and the longest (kubelet).
const BACK_OFF_S: (i64, i64) = (10, 300);

/// What containers run, as a factory: starts a process of the release that the boot names.
pub(crate) type Main = Box<dyn Fn(&mut Kernel<Servers>, Boot) -> ProcId>;

/// The services of one run.
pub(crate) struct Fleet {
    scenario: Arc<Scenario>,
    main: Main,
    services: Vec<State>,
    containers: Vec<Container>,
    todo: Vec<Todo>,
    /// How often a person ran something.
    scripts: u32,
    calm: bool,
    chance: Chance,
}

/// A service as it is now.
#[derive(Debug)]
struct State {
    release: ReleaseId,
    replicas: u32,
    /// Which rollout its new containers belong to.
    rollout: u32,
    rolling: bool,
    /// How the rollout under way, or the last one, goes.
    how: Rollout,
    ordinals: u32,
    /// Until when its network is slow.
    slow: Instant,
}

/// A container: created, run as process after process, gone.
#[derive(Debug)]
struct Container {
    service: usize,
    ordinal: u32,
    rollout: u32,
    release: ReleaseId,
    lives: u32,
    crashes: u32,
    restarts: u32,
    /// Who asks the questions of the life that comes next, or that runs.
    life: LifeId,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Created, or in back-off: it will run.
    Pending,
    Running {
        proc: ProcId,
        since: Instant,
    },
    /// Asked to end.
    Ending {
        proc: ProcId,
    },
    /// Left out by the scenario: it holds its place as one that runs does, and is nobody.
    Absent,
    /// Ended, and not to be started again.
    Dead,
    Gone,
}

/// Something that the fleet has planned.
#[derive(Clone, Copy, Debug)]
enum Todo {
    Event(usize),
    /// What Redis holds is what it will hold after the failover of an event.
    Copy(usize),
    Start(usize),
    /// The grace period of a container is over.
    Kill(usize),
    /// That of a process which was asked to end in its container.
    KillProcess(ProcId),
    /// The network of a service may be as ever again.
    Quick(ServiceId),
    Calm,
}

/// What befalls Redis, for the caller to do.
pub(crate) enum Befalls {
    /// What it holds is copied: the failover of this event will leave it with no more.
    Copied(usize),
    /// Something happens to it, by this event.
    Mishap(usize, Mishap),
}

impl Fleet {
    /// The services at the start of the run, with everything planned that the scenario plans.
    pub(crate) fn new(scenario: Arc<Scenario>, main: Main, kernel: &mut Kernel<Servers>) -> Self {
        let state = |service: &Service| State {
            release: service.release,
            replicas: service.replicas,
            rollout: 0,
            rolling: false,
            how: service.rollout,
            ordinals: 0,
            slow: Instant::default(),
        };
        let chance = Chance::new(&scenario, kernel);
        let mut fleet = Fleet {
            services: scenario.services.iter().map(state).collect(),
            main,
            containers: Vec::new(),
            todo: Vec::new(),
            scripts: 0,
            calm: false,
            chance,
            scenario,
        };
        let start = kernel.now();
        for event in 0..fleet.scenario.events.len() {
            let at = fleet.scenario.events[event].at;
            let delay = draw(kernel, LifeId::WORLD, &at);
            if let Happens::InRedis(Mishap::Restart { loses: Loses::Since(lost), .. }) =
                fleet.scenario.events[event].happens
            {
                // Before anything of that instant or, if it is before the start, of the run.
                let from = Span::from_nanos((delay.nanos() - lost.nanos()).max(0));
                fleet.plan(kernel, start + from, Todo::Copy(event));
            }
            fleet.chance.plan(start + delay);
            fleet.plan(kernel, start + delay, Todo::Event(event));
        }
        if fleet.scenario.calm > Span::ZERO {
            let calm = start + fleet.scenario.length - fleet.scenario.calm;
            fleet.plan(kernel, calm, Todo::Calm);
        }
        for service in 0..fleet.services.len() {
            fleet.reconcile(kernel, service);
        }
        fleet
    }

    /// Adds to a hash all that the rest of the run hangs on.
    pub(crate) fn recall(&self, into: &mut Rolling) {
        let Fleet { scenario: _, main: _, services, containers, todo: _, scripts, calm, chance } =
            self;
        into.show(&(services, containers, scripts, calm, chance));
    }

    /// Adds what was planned under a token.
    pub(crate) fn recall_planned(&self, token: u32, into: &mut Rolling) {
        into.show(&self.todo[token as usize]);
    }

    /// Does what was planned under a token. What befalls a server is for the caller to do.
    pub(crate) fn due(&mut self, kernel: &mut Kernel<Servers>, token: u32) -> Option<Befalls> {
        match self.todo[token as usize] {
            Todo::Event(event) => return self.happen(kernel, event),
            Todo::Copy(event) => {
                let happens = self.chance.happens(kernel, &self.scenario, event);
                return happens.then_some(Befalls::Copied(event));
            }
            Todo::Start(container) => self.start(kernel, container),
            Todo::Kill(container) => {
                if let Stage::Ending { proc } = self.containers[container].stage {
                    kernel.kill(proc);
                }
            }
            Todo::KillProcess(proc) => kernel.kill(proc),
            Todo::Quick(service) if self.services[usize::from(service.0)].slow <= kernel.now() => {
                let of = &self.scenario.services[usize::from(service.0)];
                kernel.relink(service.0, &link(&of.round_trip.unwrap_or(self.scenario.round_trip)));
            }
            Todo::Quick(_) => {}
            Todo::Calm => {
                self.calm = true;
                kernel.spare_all();
                kernel.emit(LifeId::WORLD, Event::Plan(Plan::Calm));
            }
        }
        None
    }

    /// Takes note of the processes that ended.
    pub(crate) fn ended(&mut self, kernel: &mut Kernel<Servers>) {
        for (proc, end) in kernel.take_ended() {
            let has = |container: &Container| match container.stage {
                Stage::Running { proc: running, .. } | Stage::Ending { proc: running } => {
                    running == proc
                }
                Stage::Pending | Stage::Absent | Stage::Dead | Stage::Gone => false,
            };
            // A person's process is no container's: nobody waits for it.
            if let Some(container) = self.containers.iter().position(has) {
                self.container_ended(kernel, container, end);
            }
        }
    }

    fn plan(&mut self, kernel: &mut Kernel<Servers>, at: Instant, todo: Todo) {
        let token = u32::try_from(self.todo.len()).expect("fewer plans than that");
        self.todo.push(todo);
        kernel.plan(at, token);
    }

    fn roll_out(
        &mut self,
        kernel: &mut Kernel<Servers>,
        service: ServiceId,
        release: ReleaseId,
        how: Rollout,
    ) {
        let state = &mut self.services[usize::from(service.0)];
        state.release = release;
        state.how = how;
        state.rollout += 1;
        state.rolling = true;
        kernel.emit(LifeId::WORLD, Event::Plan(Plan::Deploy { service, release }));
        self.reconcile(kernel, usize::from(service.0));
    }

    /// Brings a service nearer to what it should be: Kubernetes' Deployment controller.
    fn reconcile(&mut self, kernel: &mut Kernel<Servers>, service: usize) {
        let replicas = self.services[service].replicas;
        let (surge, unavailable) = match self.services[service].how {
            Rollout::Recreate => (0, replicas),
            Rollout::Rolling { max_surge, max_unavailable } => {
                (max_surge.of(replicas, true), max_unavailable.of(replicas, false))
            }
        };
        // Kubernetes never lets both come out as zero: nothing could move.
        let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
        self.remove_old(kernel, service, replicas.saturating_sub(unavailable));
        self.remove_surplus(kernel, service, replicas);
        let recreate = self.services[service].how == Rollout::Recreate;
        while self.count(service, true, |stage| stage != Stage::Gone) < replicas
            && self.count_all(service) < replicas + surge
            && !(recreate && self.count(service, false, |stage| stage != Stage::Gone) > 0)
        {
            self.create(kernel, service);
        }
        self.note_rolled_out(kernel, service);
    }

    /// Removes containers of older rollouts: those that do not run at once, others as long as
    /// enough are available.
    fn remove_old(&mut self, kernel: &mut Kernel<Servers>, service: usize, least: u32) {
        for container in self.of(service, false).into_iter().rev() {
            match self.containers[container].stage {
                Stage::Pending | Stage::Absent | Stage::Dead => self.remove(kernel, container),
                Stage::Running { .. } if self.available(service) > least || planted(Mutant::O9) => {
                    self.remove(kernel, container);
                }
                Stage::Running { .. } | Stage::Ending { .. } | Stage::Gone => {}
            }
        }
    }

    /// Removes containers that are too many, the youngest first.
    fn remove_surplus(&mut self, kernel: &mut Kernel<Servers>, service: usize, replicas: u32) {
        let stays = |stage| !matches!(stage, Stage::Ending { .. } | Stage::Gone);
        for container in self.of(service, true).into_iter().rev() {
            if self.count(service, true, stays) <= replicas {
                return;
            }
            if stays(self.containers[container].stage) {
                self.remove(kernel, container);
            }
        }
    }

    fn note_rolled_out(&mut self, kernel: &mut Kernel<Servers>, service: usize) {
        let state = &self.services[service];
        let (replicas, rolling) = (state.replicas, state.rolling);
        let running = |stage| matches!(stage, Stage::Running { .. } | Stage::Absent);
        if rolling
            && self.count(service, true, running) == replicas
            && self.count(service, false, |stage| stage != Stage::Gone) == 0
        {
            self.services[service].rolling = false;
            let service = ServiceId(u16::try_from(service).expect("the parser bounds services"));
            kernel.emit(LifeId::WORLD, Event::Plan(Plan::Deployed { service }));
        }
    }

    /// The containers of a service that belong to its newest rollout, or those that do not.
    fn of(&self, service: usize, newest: bool) -> Vec<usize> {
        let rollout = self.services[service].rollout;
        let among = |&place: &usize| {
            let container = &self.containers[place];
            container.service == service && (container.rollout == rollout) == newest
        };
        (0..self.containers.len()).filter(among).collect()
    }

    fn count(&self, service: usize, newest: bool, which: impl Fn(Stage) -> bool) -> u32 {
        let rollout = self.services[service].rollout;
        let among = |container: &&Container| {
            container.service == service
                && (container.rollout == rollout) == newest
                && which(container.stage)
        };
        u32::try_from(self.containers.iter().filter(among).count()).expect("fewer containers")
    }

    /// Those that count against the surge: a container that is asked to end does not.
    fn count_all(&self, service: usize) -> u32 {
        let stays = |stage| !matches!(stage, Stage::Ending { .. } | Stage::Gone);
        self.count(service, true, stays) + self.count(service, false, stays)
    }

    fn available(&self, service: usize) -> u32 {
        let running = |stage| matches!(stage, Stage::Running { .. } | Stage::Absent);
        self.count(service, true, running) + self.count(service, false, running)
    }

    fn create(&mut self, kernel: &mut Kernel<Servers>, service: usize) {
        let state = &mut self.services[service];
        state.ordinals += 1;
        self.containers.push(Container {
            service,
            ordinal: state.ordinals,
            rollout: state.rollout,
            release: state.release,
            lives: 0,
            crashes: 0,
            restarts: 0,
            life: LifeId::WORLD,
            stage: Stage::Pending,
        });
        let container = self.containers.len() - 1;
        let ordinal = self.containers[container].ordinal;
        if self.scenario.services[service].without.contains(&ordinal) {
            self.containers[container].stage = Stage::Absent;
            // As if it had begun to run at once: a rollout goes on.
            return self.reconcile(kernel, service);
        }
        let life = self.enter(kernel, container);
        let boot = self.scenario.services[service].boot;
        let delay = draw(kernel, life, &boot);
        let at = kernel.now() + delay;
        self.plan(kernel, at, Todo::Start(container));
    }

    /// A new life of a container: whoever asks its questions from now on.
    fn enter(&mut self, kernel: &mut Kernel<Servers>, container: usize) -> LifeId {
        let container = &mut self.containers[container];
        container.lives += 1;
        let service = self.scenario.services[container.service].name.as_ref().into();
        let name = LifeName { service, ordinal: container.ordinal, life: container.lives };
        let life = kernel.choices().enter(name);
        container.life = life;
        life
    }

    fn start(&mut self, kernel: &mut Kernel<Servers>, place: usize) {
        if self.containers[place].stage != Stage::Pending {
            return;
        }
        let container = &self.containers[place];
        let service = &self.scenario.services[container.service];
        let (life, release) = (container.life, container.release);
        let clock = clock(kernel, life, service);
        let boot = Boot {
            life,
            release,
            clock,
            zone: service.zone.clone(),
            network: u16::try_from(container.service).expect("the parser bounds services"),
            dies_at: self.dies_at(kernel, life, container.service),
        };
        let proc = (self.main)(kernel, boot);
        let Clock { offset, drift, .. } = clock;
        if (offset, drift) != (0, 0) {
            kernel.emit(life, Event::Skewed { offset, drift });
        }
        let service = container.service;
        self.containers[place].stage = Stage::Running { proc, since: kernel.now() };
        self.reconcile(kernel, service);
    }

    /// Whether and where this life dies: one question, asked only where the scenario allows kills.
    fn dies_at(&self, kernel: &mut Kernel<Servers>, life: LifeId, service: usize) -> Option<u32> {
        if self.calm {
            return None;
        }
        let of_service = |kills: &&crate::scenario::Kills| usize::from(kills.service.0) == service;
        let kills = self.scenario.faults.kills.iter().find(of_service)?;
        let of_2_32 = self.chance.odds(FaultClass::Kill, kills.odds_of_2_32)?;
        let odds = Odds::Fault { of_2_32 };
        let point = kernel.choices().ask(life, Site::Kill, CONNECTION, kills.points + 1, odds);
        (point > 0).then_some(point)
    }

    /// Removes a container: SIGTERM, and SIGKILL when its grace period is over.
    fn remove(&mut self, kernel: &mut Kernel<Servers>, place: usize) {
        let container = &mut self.containers[place];
        let Stage::Running { proc, .. } = container.stage else {
            container.stage = Stage::Gone;
            return;
        };
        container.stage = Stage::Ending { proc };
        let grace = self.scenario.services[container.service].grace;
        kernel.terminate(proc);
        let grace = if planted(Mutant::O8) { Span::ZERO } else { grace };
        let at = kernel.now() + grace;
        self.plan(kernel, at, Todo::Kill(place));
    }

    fn container_ended(&mut self, kernel: &mut Kernel<Servers>, place: usize, end: End) {
        let container = &mut self.containers[place];
        let service = container.service;
        let since = match container.stage {
            Stage::Running { since, .. } => since,
            _ => {
                container.stage = Stage::Gone;
                self.reconcile(kernel, service);
                return;
            }
        };
        let again = match self.scenario.services[service].restart {
            Restart::Always => true,
            Restart::OnFailure => end != End::Exited(0),
            Restart::Never => false,
        };
        let most = self.scenario.services[service].max_restarts;
        if !again || most.is_some_and(|most| container.restarts >= most) {
            container.stage = Stage::Dead;
            self.reconcile(kernel, service);
            return;
        }
        if kernel.now().since(since) >= FORGIVEN_AFTER && !planted(Mutant::O10) {
            container.crashes = 0;
        }
        let delay = self.scenario.services[service].restart_delay;
        let delay = delay.unwrap_or_else(|| back_off(container.crashes));
        container.crashes += 1;
        container.restarts += 1;
        container.stage = Stage::Pending;
        self.enter(kernel, place);
        let at = kernel.now() + delay + self.scenario.services[service].boot.least;
        self.plan(kernel, at, Todo::Start(place));
        self.reconcile(kernel, service);
    }
}

/// How long the kubelet waits before the restart after so many crashes: not at all after the first,
/// then 10 s, doubled each time, at most 5 min.
fn back_off(crashes: u32) -> Span {
    let (first, most) = BACK_OFF_S;
    match crashes {
        0 => Span::ZERO,
        n => Span::from_secs(first.saturating_mul(1 << (n - 1).min(10)).min(most)),
    }
}

impl Quota {
    fn of(self, replicas: u32, round_up: bool) -> u32 {
        match self {
            Quota::Count(count) => count,
            Quota::Percent(percent) if round_up => (replicas * percent).div_ceil(100),
            Quota::Percent(percent) => replicas * percent / 100,
        }
    }
}

/// The clock of a process of a service from its boot on.
fn clock(kernel: &mut Kernel<Servers>, life: LifeId, service: &Service) -> Clock {
    let offset = draw_signed(kernel, life, service.clock.offset);
    let drift = draw_signed(kernel, life, service.clock.drift);
    Clock { offset, drift, since: kernel.now() }
}

/// A link on which a message and its reply take so long together.
pub(crate) fn link(round_trip: &Range) -> Link {
    let half = |span: Span| Span::from_nanos(span.nanos() / 2);
    Link::new(half(round_trip.least), half(round_trip.most))
}

pub(crate) fn draw(kernel: &mut Kernel<Servers>, life: LifeId, range: &Range) -> Span {
    kernel.draw(life, Label(FIRST_DRAW + range.draw), range.least, range.most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_is_the_kubelets() {
        let seconds = [0, 1, 2, 3, 5, 6, 7, 100].map(|crashes| back_off(crashes).ms() / 1000);
        assert_eq!(seconds, [0, 10, 20, 40, 160, 300, 300, 300]);
    }

    #[test]
    fn a_surge_is_rounded_up_and_an_unavailability_down() {
        assert_eq!(Quota::Percent(25).of(10, true), 3);
        assert_eq!(Quota::Percent(25).of(10, false), 2);
        assert_eq!(Quota::Count(1).of(10, true), 1);
    }
}
