//! What the scenario plans for the fleet, done: to a service, to Redis, by a person.

use super::{Befalls, Fleet, Stage, Todo, draw, link};
use crate::choices::{LifeId, LifeName};
use crate::civil::Zone;
use crate::clock::{Clock, Instant, Span};
use crate::event::{Event, FaultClass, Level, Plan, ReleaseId, ServiceId};
use crate::kernel::{Boot, Kernel, ProcId};
use crate::scenario::{Change, Happens, Range};
use crate::servers::{REDIS, Servers};

impl Fleet {
    pub(super) fn happen(&mut self, kernel: &mut Kernel<Servers>, event: usize) -> Option<Befalls> {
        let scenario = self.scenario.clone();
        if !self.chance.happens(kernel, &scenario, event) {
            return None;
        }
        match &scenario.events[event].happens {
            Happens::To(service, change) => self.change(kernel, event, *service, *change),
            Happens::ByHand(release) => self.by_hand(kernel, *release),
            Happens::InRedis(mishap) => return Some(Befalls::Mishap(event, mishap.clone())),
        }
        None
    }

    /// How bad each class of faults is in this run, where that was left open.
    pub(crate) fn swarm(&self) -> Vec<(FaultClass, Level)> {
        self.chance.swarm()
    }

    /// Draws how long what an event does to a life, or to nobody in particular, lasts.
    pub(crate) fn lasts(
        &self,
        kernel: &mut Kernel<Servers>,
        event: usize,
        life: LifeId,
        range: &Range,
    ) -> Span {
        self.chance.lasts(kernel, &self.scenario, (event, life), range)
    }

    fn change(
        &mut self,
        kernel: &mut Kernel<Servers>,
        event: usize,
        service: ServiceId,
        change: Change,
    ) {
        let usual = self.scenario.services[usize::from(service.0)].rollout;
        match change {
            Change::Deploy(release, how) => {
                self.roll_out(kernel, service, release, how.unwrap_or(usual));
            }
            Change::Restart => {
                let release = self.services[usize::from(service.0)].release;
                self.roll_out(kernel, service, release, usual);
            }
            Change::Scale(replicas) => {
                self.services[usize::from(service.0)].replicas = replicas;
                kernel.emit(LifeId::WORLD, Event::Plan(Plan::Scale { service, replicas }));
                self.reconcile(kernel, usize::from(service.0));
            }
            Change::Kill(count) => {
                let running = self.running(service).take(count as usize);
                running.for_each(|(proc, _)| kernel.kill(proc));
            }
            Change::Terminate(count) => self.terminate(kernel, service, count as usize),
            Change::Pause(span) => {
                for (proc, life) in self.running(service) {
                    let span = self.lasts(kernel, event, life, &span);
                    kernel.freeze(proc, span);
                }
            }
            Change::Disconnect(time) => {
                let span = self.lasts(kernel, event, LifeId::WORLD, &time);
                let until = kernel.now() + span;
                kernel.emit(LifeId::WORLD, Event::Plan(Plan::Disconnected { service, until }));
                // A service's network has its number.
                kernel.cut(Some(service.0), REDIS, span);
            }
            Change::Partition(time) => {
                let Some(until) = self.until_healed(kernel, &time) else { return };
                kernel.emit(LifeId::WORLD, Event::Plan(Plan::Partitioned { service, until }));
                kernel.hold(service.0, REDIS, until);
            }
            Change::Delay { round_trip, lasts } => {
                let Some(until) = self.until_healed(kernel, &lasts) else { return };
                kernel.emit(LifeId::WORLD, Event::Plan(Plan::Delayed { service, until }));
                kernel.relink(service.0, &link(&round_trip));
                let slow = &mut self.services[usize::from(service.0)].slow;
                *slow = until.max(*slow);
                self.plan(kernel, until, Todo::Quick(service));
            }
            Change::Clock(ms) => {
                kernel.emit(LifeId::WORLD, Event::Plan(Plan::Clock { service, ms }));
                self.running(service).for_each(|(proc, _)| kernel.step_clock(proc, ms * 1_000_000));
            }
        }
    }

    /// When what the calm heals is over; none if it does not begin any more.
    fn until_healed(&self, kernel: &mut Kernel<Servers>, range: &Range) -> Option<Instant> {
        let now = kernel.now();
        let span = draw(kernel, LifeId::WORLD, range);
        let span = self.chance.heals(now, span);
        (span > Span::ZERO).then(|| now + span)
    }

    /// Asks the first so many containers that run to end, and kills them after the grace period.
    /// They stay in their places.
    fn terminate(&mut self, kernel: &mut Kernel<Servers>, service: ServiceId, count: usize) {
        let at = kernel.now() + self.scenario.services[usize::from(service.0)].grace;
        let running: Vec<_> = self.running(service).take(count).collect();
        for (proc, _) in running {
            kernel.terminate(proc);
            self.plan(kernel, at, Todo::KillProcess(proc));
        }
    }

    /// The processes of a service, the lowest ordinals first.
    fn running(&self, service: ServiceId) -> impl Iterator<Item = (ProcId, LifeId)> {
        let of = self
            .containers
            .iter()
            .filter(move |container| container.service == usize::from(service.0));
        of.filter_map(|container| match container.stage {
            Stage::Running { proc, .. } | Stage::Ending { proc } => Some((proc, container.life)),
            Stage::Pending | Stage::Absent | Stage::Dead | Stage::Gone => None,
        })
    }

    /// A person runs steps: a process of its own, which nobody starts again.
    fn by_hand(&mut self, kernel: &mut Kernel<Servers>, release: ReleaseId) {
        self.scripts += 1;
        let name = LifeName { service: "operator".into(), ordinal: self.scripts, life: 1 };
        let life = kernel.choices().enter(name);
        let network = self.scenario.services.len();
        let boot = Boot {
            life,
            release,
            clock: Clock::default(),
            zone: Zone::utc(),
            network: u16::try_from(network).expect("the parser bounds services"),
            dies_at: None,
        };
        (self.main)(kernel, boot);
    }
}
