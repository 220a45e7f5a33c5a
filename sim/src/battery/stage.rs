//! Where a hazard meets a schedule: the scenario cut down to a short horizon, and who is who in it.

use crate::bullmq::Version;
use crate::clock::{Instant, Span};
use crate::event::{QueueId, ReleaseId, ServiceId};
use crate::scenario::{
    Action, Add, Audit, Change, Counted, Declared, Expectation, Faults, Happens, Job, JobOptions,
    JobStep, Keep, Measure, Mishap, Mode, OnError, Outcome, PlannedEvent, Probe, Property, Range,
    Relation, Release, Scenario, Service, Step, Subject,
};
use std::sync::Arc;

/// At most so many replicas of a service: more show nothing else.
const REPLICAS: u32 = 3;
/// How long after the last boot the first tick comes, at least: start-up jobs are done by then.
const SETTLES: Span = Span::from_secs(20 * 60);
/// For how long a schedule may be without its one iteration before it is said to be ill.
const HEALS_NS: u64 = 1_000_000_000;

/// A scenario into which a hazard is put.
#[derive(Debug)]
pub(super) struct Stage {
    /// The scenario.
    pub(super) scenario: Scenario,
    pub(super) schedule: usize,
    pub(super) queue: QueueId,
    /// Who registers the schedule, or adds its jobs, at start-up. The first of them.
    pub(super) registrar: ServiceId,
    /// Who has a worker of its queue. The first of them.
    pub(super) worker: ServiceId,
    /// A healthy tick, the one around which things happen, and the end.
    pub(super) healthy: Instant,
    pub(super) tick: Instant,
    pub(super) end: Instant,
    /// Whether a registration of the library carries the schedule on.
    carries_on: bool,
    premises: Vec<(Probe, Subject)>,
}

impl Stage {
    /// The stage of a schedule of a scenario, by number, whose releases use a version of the library
    /// or the one that they say.
    pub(super) fn new(
        scenario: &Scenario,
        schedule: usize,
        version: Option<Version>,
    ) -> Result<Stage, String> {
        let mut scenario = scenario.clone();
        scenario.events.clear();
        scenario.faults = Faults::default();
        scenario.audit = Audit::default();
        scenario.releases.retain(|release| !release.by_hand);
        if let Some(version) = version {
            scenario.releases.iter_mut().for_each(|release| release.library = version);
        }
        for service in &mut scenario.services {
            service.replicas = service.replicas.min(REPLICAS);
        }
        let of = scenario.schedules.get(schedule).ok_or("there is no such schedule")?;
        let queue = of.queue;
        let ticks = of.recurrence.ticks();
        let after = |at: Instant| ticks.after(at.ms()).map(Instant::from_ms);
        let mut next = scenario.start;
        let mut tick = || {
            next = after(next).ok_or("the schedule is due too seldom")?;
            Ok::<_, String>(next)
        };
        let (first, healthy, tick, end) = (tick()?, tick()?, tick()?, tick()?);
        let registrar = who(&scenario, |action| registers(action, queue))
            .ok_or("no service registers anything in its queue")?;
        let worker = who(&scenario, |action| works(action, queue))
            .ok_or("no service has a worker of its queue")?;
        let boots = scenario.services.iter().map(|service| service.boot.most);
        let settled = boots.max().unwrap_or(Span::ZERO) + SETTLES;
        // The window in which it all starts is not judged: it began before the run.
        let lead = settled.min(Span::from_nanos(healthy.since(first).nanos() / 4 * 3));
        scenario.start = healthy - lead;
        // Whole windows end before the end of the run.
        scenario.length = (end + Span::from_secs(1)).since(scenario.start);
        scenario.measure = (lead, scenario.length);
        scenario.calm = Span::ZERO;
        scenario.skips_idle_polls = true;
        let carries_on = who(&scenario, |action| carries_on(action, queue)).is_some();
        let premises = Vec::new();
        Ok(Stage {
            scenario,
            schedule,
            queue,
            registrar,
            worker,
            healthy,
            tick,
            end,
            carries_on,
            premises,
        })
    }

    /// The scenario, with what is judged.
    pub(super) fn done(mut self, hazard: &str) -> Scenario {
        let schedule = &self.scenario.schedules[self.schedule];
        let late = schedule.max_lateness.nanos().unsigned_abs();
        let subject = Subject::Schedule(self.schedule);
        let on = |mode, measure, subject, relation, bound| Expectation {
            property: Property { mode, measure, subject, relation, bound },
            declared: Declared::Holds,
            at: 0,
        };
        use Measure as M;
        use Mode::{Always, Eventually, Sometimes};
        use Relation::{AtLeast, AtMost, Exactly, Happens};
        let mut judged = vec![
            on(Always, M::FiringsPerWindow, subject, AtMost, 1),
            on(Always, M::FiringsPerWindow, subject, AtLeast, 1),
            on(Always, M::Overlap, subject, AtMost, 1),
            on(Always, M::Lateness, subject, AtMost, late),
            on(Eventually, M::LostJobs, Subject::Queue(self.queue.0.into()), AtMost, 0),
        ];
        if self.carries_on {
            judged.push(on(Eventually, M::LiveRegistrations, subject, Exactly, 1));
            judged.push(on(Always, M::TimeToHeal, subject, AtMost, HEALS_NS));
        }
        let premises = self.premises.iter();
        let premises = premises.map(|(probe, of)| on(Sometimes, M::Seen(*probe), *of, Happens, 0));
        self.scenario.expectations = judged.into_iter().chain(premises).collect();
        let name = format!("{}: {}, {hazard}", self.scenario.name, schedule.name);
        self.scenario.name = name.into();
        self.scenario
    }

    /// What must have been met in some run, or the hazard has shown nothing.
    pub(super) fn met(&mut self, probe: Probe, subject: Subject) {
        self.premises.push((probe, subject));
    }

    pub(super) fn period(&self) -> Span {
        self.end.since(self.tick)
    }

    /// A part of the period, in hundredths.
    pub(super) fn part(&self, of_100: i64) -> Span {
        Span::from_nanos(self.period().nanos() / 100 * of_100)
    }

    /// The middle of the window before the tick.
    pub(super) fn between(&self) -> Instant {
        self.healthy + self.part(50)
    }

    /// Something happens at an instant.
    pub(super) fn at(&mut self, at: Instant, happens: Happens) {
        self.within(at, Span::ZERO, happens);
    }

    /// Something happens at a drawn instant: at most so long after this one.
    pub(super) fn within(&mut self, at: Instant, span: Span, happens: Happens) {
        let at = at.since(self.scenario.start);
        let at = Range { least: at, most: at + span, draw: 0 };
        self.scenario.events.push(PlannedEvent { at, odds_of_2_32: None, happens });
    }

    /// Something happens to who registers.
    pub(super) fn change(&mut self, at: Instant, change: Change) {
        self.at(at, Happens::To(self.registrar, change));
    }

    /// Something befalls Redis.
    pub(super) fn redis(&mut self, at: Instant, mishap: Mishap) {
        self.at(at, Happens::InRedis(mishap));
    }

    /// A person does something to the queue.
    pub(super) fn by_hand(&mut self, at: Instant, actions: Vec<Action>) {
        let number = self.scenario.releases.len();
        let library = self.release().library;
        let release = Release {
            name: format!("by hand {number}").into(),
            library,
            steps: steps(actions),
            jobs: Vec::new(),
            by_hand: true,
        };
        self.scenario.releases.push(release);
        let id = ReleaseId(u16::try_from(number).expect("the parser bounds their number"));
        self.at(at, Happens::ByHand(id));
    }

    /// What the registrar runs.
    pub(super) fn release(&self) -> &Release {
        &self.scenario.releases[usize::from(self.service().release.0)]
    }

    pub(super) fn service(&self) -> &Service {
        &self.scenario.services[usize::from(self.registrar.0)]
    }

    pub(super) fn service_mut(&mut self) -> &mut Service {
        &mut self.scenario.services[usize::from(self.registrar.0)]
    }

    pub(super) fn worker_mut(&mut self) -> &mut Service {
        &mut self.scenario.services[usize::from(self.worker.0)]
    }

    /// The registrar's containers boot within this time from now on.
    pub(super) fn boots_within(&mut self, least: Span, most: Span) {
        self.service_mut().boot = span(least, most);
    }

    /// A release like the registrar's but for its steps and name; whether anything is different.
    pub(super) fn edited(
        &mut self,
        word: &str,
        mut edit: impl FnMut(&mut Action) -> bool,
    ) -> Option<ReleaseId> {
        let mut release = self.release().clone();
        let mut steps = release.steps.to_vec();
        let mut changed = false;
        for step in &mut steps {
            changed |= edit_all(step, &mut edit);
        }
        if !changed {
            return None;
        }
        release.steps = steps.into();
        Some(self.another(word, release))
    }

    /// A release more, called after the registrar's.
    pub(super) fn another(&mut self, word: &str, mut release: Release) -> ReleaseId {
        let name = format!("{}-{word}", self.release().name);
        release.name = name.into();
        self.scenario.releases.push(release);
        let number = self.scenario.releases.len() - 1;
        ReleaseId(u16::try_from(number).expect("the parser bounds their number"))
    }

    /// How long one execution of the schedule's job takes, at most.
    pub(super) fn job_takes(&self) -> Span {
        let schedule = &self.scenario.schedules[self.schedule];
        let is = |job: &&Job| job.is(self.queue, schedule.job.as_bytes());
        let job = self.scenario.jobs.iter().find(is);
        let steps = job.iter().flat_map(|job| &job.steps);
        let all = steps.map(|step| match step {
            JobStep::Query(takes)
            | JobStep::Sleep(takes)
            | JobStep::Block(takes)
            | JobStep::Write { takes, .. } => takes.most.nanos(),
            JobStep::Add(_) | JobStep::RateLimit(_) | JobStep::Database(..) => 0,
        });
        Span::from_nanos(all.sum())
    }

    /// The steps of the schedule's job, to be edited; none if no job says any.
    pub(super) fn job_mut(&mut self) -> Option<&mut Job> {
        let schedule = &self.scenario.schedules[self.schedule];
        let (queue, name) = (self.queue, schedule.job.clone());
        self.scenario.jobs.iter_mut().find(|job| job.is(queue, name.as_bytes()))
    }

    /// A job of the schedule's name, where none says what its processor does.
    pub(super) fn add_job(&mut self, steps: Vec<JobStep>, outcome: Outcome) {
        let name = self.scenario.schedules[self.schedule].job.clone();
        self.job(name, steps, outcome);
    }

    fn job(&mut self, name: Box<str>, steps: Vec<JobStep>, outcome: Outcome) {
        let (queue, outcomes) = (Some(self.queue), vec![outcome]);
        self.scenario.jobs.push(Job { name, queue, steps, outcomes, counted: Counted::Made });
    }

    /// Every worker of the queue has another job in hand from an instant on, for so long.
    pub(super) fn busy(&mut self, at: Instant, span: Span) {
        let name = "something-else";
        self.job(name.into(), vec![JobStep::Sleep(fixed(span))], Outcome::Ok);
        let mut slots = 0;
        for service in &self.scenario.services {
            let release = &self.scenario.releases[usize::from(service.release.0)];
            visit(&release.steps, &mut |action| match action {
                Action::Worker(worker) if worker.queue == self.queue => {
                    slots += worker.concurrency * service.replicas;
                }
                _ => {}
            });
        }
        let add = || Action::Add(plain_add(self.queue, name));
        let actions = (0..slots.min(12)).map(|_| add()).collect();
        self.by_hand(at, actions);
    }

    /// How long a lock of the queue's worker lives.
    pub(super) fn lock(&self) -> Span {
        let worker = &self.scenario.services[usize::from(self.worker.0)];
        let release = &self.scenario.releases[usize::from(worker.release.0)];
        let mut lock = Span::ZERO;
        visit(&release.steps, &mut |action| match action {
            Action::Worker(worker) if worker.queue == self.queue => lock = worker.lock_duration,
            _ => {}
        });
        lock
    }
}

/// A span that is not drawn, or drawn anew for each use.
pub(super) fn span(least: Span, most: Span) -> Range {
    Range { least, most, draw: 0 }
}

pub(crate) fn fixed(of: Span) -> Range {
    span(of, of)
}

/// Steps of start-up code that do these, each awaited.
pub(crate) fn steps(actions: Vec<Action>) -> Arc<[Step]> {
    let step = |(number, action): (usize, Action)| Step {
        number: u16::try_from(number).expect("few steps"),
        place: (number + 1).to_string().into(),
        name: None,
        action,
        awaited: true,
        on_error: OnError::Ignore,
        when: Vec::new(),
        once: false,
    };
    actions.into_iter().enumerate().map(step).collect()
}

/// A job without options but that it is not kept.
pub(super) fn plain_add(queue: QueueId, name: &str) -> Add {
    let options = JobOptions { remove_on_complete: Some(Keep::None), ..JobOptions::default() };
    Add { queue, name: name.into(), options, repeat: None }
}

pub(crate) fn edit_all(step: &mut Step, edit: &mut impl FnMut(&mut Action) -> bool) -> bool {
    let inner = match &mut step.action {
        Action::Timer { steps, .. } | Action::Parallel(steps) => steps,
        action => return edit(action),
    };
    let mut edited = inner.to_vec();
    let mut changed = false;
    for step in &mut edited {
        changed |= edit_all(step, edit);
    }
    if changed {
        *inner = edited.into();
    }
    changed
}

pub(crate) fn visit(steps: &[Step], see: &mut impl FnMut(&Action)) {
    for step in steps {
        see(&step.action);
        if let Action::Timer { steps, .. } | Action::Parallel(steps) = &step.action {
            visit(steps, see);
        }
    }
}

fn who(scenario: &Scenario, such: impl Fn(&Action) -> bool) -> Option<ServiceId> {
    let has = |service: &Service| {
        let release = &scenario.releases[usize::from(service.release.0)];
        let mut found = false;
        visit(&release.steps, &mut |action| found |= such(action));
        found && service.replicas > 0
    };
    let place = scenario.services.iter().position(has)?;
    Some(ServiceId(u16::try_from(place).expect("the parser bounds their number")))
}

fn registers(action: &Action, of: QueueId) -> bool {
    match action {
        Action::Add(add) => add.queue == of,
        Action::AddBulk(queue, _) | Action::UpsertJobScheduler { queue, .. } => *queue == of,
        _ => false,
    }
}

fn carries_on(action: &Action, of: QueueId) -> bool {
    match action {
        Action::Add(add) => add.queue == of && add.repeat.is_some(),
        Action::UpsertJobScheduler { queue, .. } => *queue == of,
        _ => false,
    }
}

fn works(action: &Action, of: QueueId) -> bool {
    matches!(action, Action::Worker(worker) if worker.queue == of)
}
