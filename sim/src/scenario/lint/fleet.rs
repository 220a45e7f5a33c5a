//! Rules about workers and containers: locks that a job outlives, limits that a queue cannot keep
//! up with, containers that are killed in the middle of a job.

use std::collections::BTreeSet;

use super::super::diagnostic::{Diagnostic, code};
use super::super::place::Part;
use super::super::{
    Action, Change, Happens, Job, JobStep, Limiter, PlannedEvent, Rollout, Service, Worker,
};
use super::{How, Lint, Placed, shown, takes};
use crate::clock::Span;
use crate::event::QueueId;

/// How many ticks are looked at for one rule.
const TICKS_MAX: u64 = 10_000;

impl<'s> Lint<'s, '_> {
    pub(super) fn fleet(&self, found: &mut Vec<Diagnostic>) {
        let mut limited = BTreeSet::new();
        for placed in self.steps.iter().filter(|placed| self.used.contains(&placed.release)) {
            let Action::Worker(worker) = &placed.step.action else { continue };
            found.extend(self.lock(placed, worker));
            if let Some(limiter) = worker.limiter.filter(|_| limited.insert(worker.queue)) {
                found.extend(self.limit(placed, worker.queue, limiter));
            }
        }
        for (number, service) in self.scenario.services.iter().enumerate() {
            found.extend(self.grace(number, service));
        }
    }

    /// A step that blocks for longer than a lock lives.
    fn lock(&self, placed: &Placed<'s>, worker: &Worker) -> Option<Diagnostic> {
        for job in self.jobs_of(worker.queue) {
            for (number, step) in job.steps.iter().enumerate() {
                let JobStep::Block(block) = step else { continue };
                if block.most <= worker.lock_duration {
                    continue;
                }
                let message = format!(
                    "a lock lives for {}, and {} may block the event loop for {}: it cannot renew \
                     the lock, and another worker takes the job for stalled",
                    worker.lock_duration,
                    shown(&job.name),
                    block.most
                );
                let path = [
                    Part::key("job"),
                    Part::key(&job.name),
                    Part::key("steps"),
                    Part::Index(number),
                ];
                let at = self.at(&placed.path, &["lock_duration"]);
                let problem = Diagnostic::warning(code::SHORT_LOCK, at, message)
                    .and(self.at(&path, &["block"]), "it blocks here");
                return Some(problem.help("a longer `lock_duration`, or work in smaller pieces"));
            }
        }
        None
    }

    /// A limiter that lets fewer jobs start than the queue's schedules bring.
    fn limit(&self, placed: &Placed<'s>, queue: QueueId, limiter: Limiter) -> Option<Diagnostic> {
        let length = self.scenario.length;
        let windows = length.nanos() / limiter.duration.nanos().max(1) + 1;
        let starts = u64::try_from(windows).ok()?.saturating_mul(u64::from(limiter.max));
        let schedules = self.scenario.schedules.iter().filter(|schedule| schedule.queue == queue);
        let start = self.scenario.start.ms();
        let end = start + length.ms();
        let mut come = 0;
        for schedule in schedules {
            let ticks = schedule.recurrence.ticks();
            let mut at = start - 1;
            while let Some(next) = ticks.after(at).filter(|next| *next < end) {
                (at, come) = (next, come + 1);
                if come > starts || come > TICKS_MAX {
                    break;
                }
            }
        }
        if come <= starts {
            return None;
        }
        let message = format!(
            "the limiter lets {} of {} start in {}, and its schedules bring more: the queue only \
             grows",
            limiter.max,
            shown(self.queue_name(queue)),
            limiter.duration
        );
        let at = self.at(&placed.path, &["limiter"]);
        Some(Diagnostic::warning(code::SLOW_LIMITER, at, message))
    }

    /// Containers that end while a job may still need longer than they are given.
    fn grace(&self, number: usize, service: &Service) -> Option<Diagnostic> {
        let mine = |event: &PlannedEvent| match event.happens {
            Happens::To(id, change) if usize::from(id.0) == number => Some(change),
            _ => None,
        };
        let events = self.scenario.events.iter().enumerate();
        let cut: Vec<(usize, &Job)> = events
            .filter_map(|(at, event)| Some((at, self.cut_off(service, event, mine(event)?)?)))
            .collect();
        let (_, job) = cut.first()?;
        let most = takes(job).1.rounded();
        let message = format!(
            "{} may take {most}, and containers of {} are killed {} after SIGTERM: what they were \
             at is found stalled and run again",
            shown(&job.name),
            shown(&service.name),
            service.grace
        );
        let at = self.of("service", &service.name, &["termination_grace_period"]);
        let mut problem = Diagnostic::warning(code::SHORT_GRACE, at, message)
            .help("a `termination_grace_period` longer than the longest job");
        for (event, _) in cut {
            let path = [Part::key("event"), Part::Index(event)];
            problem = problem.and(self.at(&path, &["at"]), "containers end here");
        }
        Some(problem)
    }

    /// The longest job that an event may cut off in containers of a service.
    fn cut_off(&self, service: &Service, event: &PlannedEvent, change: Change) -> Option<&'s Job> {
        let ends = match change {
            Change::Deploy(..) | Change::Restart | Change::Terminate(_) => true,
            Change::Scale(to) => to < service.replicas,
            Change::Kill(_)
            | Change::Pause(_)
            | Change::Clock(_)
            | Change::Disconnect(_)
            | Change::Partition(_)
            | Change::Delay { .. } => false,
        };
        let queues = self.steps.iter().filter_map(|placed| match &placed.step.action {
            Action::Worker(worker) if self.is_of(service, placed.release) => Some(worker.queue),
            _ => None,
        });
        let queues: BTreeSet<QueueId> = queues.filter(|_| ends).collect();
        queues
            .iter()
            .flat_map(|queue| self.jobs_of(*queue).map(move |job| (*queue, job)))
            .filter(|(queue, job)| {
                let most = takes(job).1;
                most > service.grace
                    && (self.runs_then(*queue, &job.name, most, service.grace, event)
                        || self.booted_then(*queue, &job.name, service, change))
            })
            .map(|(_, job)| job)
            .max_by_key(|job| takes(job).1)
    }

    fn is_of(&self, service: &Service, release: usize) -> bool {
        self.services_of(release).any(|other| std::ptr::eq(other, service))
    }

    /// Whether a schedule's job may be at work, and need longer than the grace, when an event
    /// comes.
    fn runs_then(
        &self,
        queue: QueueId,
        job: &str,
        most: Span,
        grace: Span,
        event: &PlannedEvent,
    ) -> bool {
        let start = self.scenario.start;
        let (least, last) = (start + event.at.least, start + event.at.most);
        let mine =
            |schedule: &&super::super::Schedule| schedule.queue == queue && *schedule.job == *job;
        self.scenario.schedules.iter().filter(mine).any(|schedule| {
            let ticks = schedule.recurrence.ticks();
            let from = (least - most).max(start);
            let first = ticks.after(from.ms() - 1);
            std::iter::successors(first, |tick| ticks.after(*tick))
                .take(1000)
                .take_while(|tick| *tick <= last.ms())
                .any(|tick| tick + most.ms() - least.ms().max(tick) > grace.ms())
        })
    }

    /// Whether a rollout's new containers add the job when they boot, for old ones to take.
    fn booted_then(&self, queue: QueueId, job: &str, service: &Service, change: Change) -> bool {
        let (release, rollout) = match change {
            Change::Deploy(release, rollout) => (release, rollout.unwrap_or(service.rollout)),
            Change::Restart => (service.release, service.rollout),
            _ => return false,
        };
        let release = Some(usize::from(release.0));
        let adds = |added: &super::Added<'_>| {
            added.release == release
                && added.queue == queue
                && *added.name == *job
                && matches!(added.how, How::Boot(add) if add.options.delay.is_none())
        };
        matches!(rollout, Rollout::Rolling { .. })
            && service.replicas > 1
            && self.adds.iter().any(adds)
    }
}
