//! Where a hazard meets a schedule: the scenario cut down to a short horizon, and who is who in it.

use super::Applied;
use super::roles::{carries_on, edit_all, registers, visit, who, works};
use crate::bullmq::Version;
use crate::clock::{Instant, Span};
use crate::event::{QueueId, ReleaseId, ServiceId};
use crate::scenario::{
    Action, Add, Audit, Change, Counted, Declared, Expectation, Faults, Happens, Job, JobOptions,
    JobStep, Keep, Measure, Mishap, Mode, OnError, Outcome, PlannedEvent, Probe, Property, Range,
    Relation, Release, Scenario, Schedule, Service, Step, Subject,
};
use std::sync::Arc;

/// At most so many replicas of a service: more show nothing else, and each costs time.
const REPLICAS: u32 = 2;
/// How long after the last boot the first tick comes, at least: start-up jobs are done by then.
const SETTLES: Span = Span::from_secs(20 * 60);
/// For how long a schedule may be without its one iteration before it is said to be ill.
const HEALS_NS: u64 = 1_000_000_000;
const SELDOM: &str = "the schedule is due too seldom";
/// How long after the tick its job is met, and how long it takes then, at least.
const UNDER_WAY: Span = Span::from_secs(3);
const MEETS: Span = Span::from_secs(10);

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
    /// How long it runs before the first tick that is judged.
    lead: Span,
    /// Whether a registration of the library carries the schedule on.
    carries_on: bool,
    premises: Vec<(Probe, Subject)>,
    /// What is judged besides.
    besides: Vec<Property>,
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
        // Its services run what the last deploy of the file has left them with.
        for event in std::mem::take(&mut scenario.events) {
            if let Happens::To(service, Change::Deploy(release, _)) = event.happens {
                scenario.services[usize::from(service.0)].release = release;
            }
        }
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
        let registrar = who(&scenario, |action| registers(action, queue))
            .ok_or("no service registers anything in its queue")?;
        let worker = who(&scenario, |action| works(action, queue))
            .ok_or("no service has a worker of its queue")?;
        scenario.calm = Span::ZERO;
        scenario.skips_idle_polls = true;
        let carries_on = who(&scenario, |action| carries_on(action, queue)).is_some();
        let [healthy, tick, end] = [scenario.start; 3];
        let mut stage = Stage {
            scenario,
            schedule,
            queue,
            registrar,
            worker,
            healthy,
            tick,
            end,
            lead: Span::ZERO,
            carries_on,
            premises: Vec::new(),
            besides: Vec::new(),
        };
        stage.lay_out(healthy)?;
        Ok(stage)
    }

    /// The third tick after an instant is the one around which things happen.
    fn lay_out(&mut self, from: Instant) -> Applied {
        let ticks = self.scenario.schedules[self.schedule].recurrence.ticks();
        let mut tick = Some(from.ms());
        for _ in 0..3 {
            tick = tick.and_then(|tick| ticks.after(tick));
        }
        self.lay_out_around(Instant::from_ms(tick.ok_or(SELDOM)?))
    }

    /// This tick is the one around which things happen: one that is healthy before it, one after.
    pub(super) fn lay_out_around(&mut self, tick: Instant) -> Applied {
        let ticks = self.scenario.schedules[self.schedule].recurrence.ticks();
        let before = |at: Instant| ticks.at_or_before(at.ms() - 1).map(Instant::from_ms);
        let healthy = before(tick).ok_or(SELDOM)?;
        let first = before(healthy).ok_or(SELDOM)?;
        let end = ticks.after(tick.ms()).map(Instant::from_ms).ok_or(SELDOM)?;
        (self.healthy, self.tick, self.end) = (healthy, tick, end);
        self.begin(healthy, first);
        Ok(())
    }

    /// Judged from a tick on; the run starts a while before it, and after the tick before that.
    fn begin(&mut self, judged: Instant, before: Instant) {
        debug_assert!(self.scenario.events.is_empty(), "events stand at offsets from the start");
        let boots = self.scenario.services.iter().map(|service| service.boot.most);
        let settled = boots.max().unwrap_or(Span::ZERO) + SETTLES;
        // The window in which it all starts is not judged: it began before the run.
        self.lead = settled.min(Span::from_nanos(judged.since(before).nanos() / 4 * 3));
        self.scenario.start = judged - self.lead;
        // Whole windows end before the end of the run; what the last tick does is none of them.
        self.scenario.length = (self.end + Span::from_secs(1)).since(self.scenario.start);
        self.scenario.measure = (self.lead, self.end.since(self.scenario.start));
    }

    /// All that happens is about the tick itself: the healthy one before it, and the time between,
    /// is left out.
    pub(super) fn short(&mut self) {
        self.begin(self.tick, self.healthy);
    }

    /// From now on the team means the schedule to be due at other times, or its work to be done by
    /// another job. The code that says so is to be rolled out [early](Stage::early).
    pub(super) fn means(&mut self, edit: impl FnOnce(&mut Schedule)) -> Applied {
        let from = self.healthy;
        edit(&mut self.scenario.schedules[self.schedule]);
        self.lay_out(from)
    }

    /// An instant at which all have booted, and nothing is judged yet.
    pub(super) fn early(&self) -> Instant {
        self.scenario.start + Span::from_nanos(self.lead.nanos() / 3 * 2)
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
        let besides = self.besides.iter();
        let declared = Declared::Holds;
        judged.extend(besides.map(|property| Expectation { property: *property, declared, at: 0 }));
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

    /// What the code does under an old name, in a queue, must not be done any more. It is a schedule
    /// of its own: the same ticks, and nothing is meant to run.
    pub(super) fn no_more(&mut self, queue: QueueId, job: &str) {
        let mut old = self.scenario.schedules[self.schedule].clone();
        old.name = format!("{}-as-before", old.name).into();
        old.queue = queue;
        old.job = job.into();
        self.scenario.schedules.push(old);
        let subject = Subject::Schedule(self.scenario.schedules.len() - 1);
        let (mode, measure) = (Mode::Always, Measure::FiringsPerWindow);
        let bound = 0;
        self.besides.push(Property { mode, measure, subject, relation: Relation::AtMost, bound });
    }

    /// Whether an iteration waits for its tick in Redis.
    pub(super) fn waits_in_redis(&self) -> Applied {
        match self.carries_on {
            true => Ok(()),
            false => Err("its code adds each job when it is due: none waits in Redis".to_owned()),
        }
    }

    /// Whether a completed job of the schedule is kept until the next tick.
    pub(super) fn keeps_completed(&self) -> bool {
        let defaults = self.scenario.queues[usize::from(self.queue.0)].defaults.remove_on_complete;
        let name = &self.scenario.schedules[self.schedule].job;
        let mut kept = false;
        visit(&self.release().steps, &mut |action| {
            let own = match action {
                Action::Add(add) if add.name == *name => add.options.remove_on_complete,
                Action::UpsertJobScheduler { name: of, options, .. } if of == name => {
                    options.remove_on_complete
                }
                _ => return,
            };
            kept |= match own.or(defaults) {
                None | Some(Keep::All) => true,
                Some(Keep::None) => false,
                Some(Keep::Count(count)) => count > 0,
                Some(Keep::Age { age, .. }) => self.part(50) < age,
            };
        });
        kept
    }

    /// What removes the registrations that the start-up code makes.
    pub(super) fn removals(&self) -> Vec<Action> {
        let mut removals = Vec::new();
        visit(&self.release().steps, &mut |action| match action {
            Action::Add(Add { queue, name, options, repeat: Some(repeat) })
                if *queue == self.queue =>
            {
                removals.push(Action::RemoveRepeatable {
                    queue: *queue,
                    name: name.clone(),
                    repeat: repeat.clone(),
                    job_id: options.job_id.as_ref().map(|id| id.pieces.concat().into()),
                });
            }
            Action::UpsertJobScheduler { queue, id, .. } if *queue == self.queue => {
                removals.push(Action::RemoveJobScheduler { queue: *queue, id: id.clone() });
            }
            _ => {}
        });
        removals
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
        let name = format!("by hand {number}").into();
        let steps = steps(actions);
        let release = Release { name, library, steps, jobs: Vec::new(), by_hand: true };
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

    /// The registrar's release once more, as a deploy that changes nothing.
    pub(super) fn again(&mut self) -> ReleaseId {
        let release = self.release().clone();
        self.another("once-more", release)
    }

    /// The registrar's steps that have no worker of the queue in them, or those that have one.
    pub(super) fn steps_with_worker(&self, with: bool) -> Vec<Step> {
        let has = |step: &&Step| {
            let mut found = false;
            visit(std::slice::from_ref(*step), &mut |action| found |= works(action, self.queue));
            found == with
        };
        self.release().steps.iter().filter(has).cloned().collect()
    }

    /// Who registers and who works are two services from the start.
    pub(super) fn split(&mut self) {
        let works = self.steps_with_worker(true);
        if works.is_empty() {
            return;
        }
        let mut web = self.release().clone();
        web.steps = self.steps_with_worker(false).into();
        let mut work = self.release().clone();
        work.steps = works.into();
        let (web, work) = (self.another("registers-only", web), self.another("works-only", work));
        let mut worker = self.service().clone();
        worker.name = format!("{}-work", worker.name).into();
        worker.release = work;
        self.service_mut().release = web;
        self.worker = self.joins(worker);
    }

    /// A service more.
    pub(super) fn joins(&mut self, service: Service) -> ServiceId {
        self.scenario.services.push(service);
        self.newest()
    }

    /// The service that joined last.
    pub(super) fn newest(&self) -> ServiceId {
        let number = self.scenario.services.len() - 1;
        ServiceId(u16::try_from(number).expect("the parser bounds their number"))
    }

    /// One container with the registrar's code, a service of its own, that boots at a drawn instant:
    /// at most so long after this one. It is created with the others and comes up when it is time.
    pub(super) fn comes(&mut self, word: &str, at: Instant, within: Span) -> &mut Service {
        let mut one = self.service().clone();
        one.name = format!("{}-{word}", one.name).into();
        one.replicas = 1;
        let at = at.since(self.scenario.start);
        one.boot = span(at, at + within);
        let place = self.joins(one);
        &mut self.scenario.services[usize::from(place.0)]
    }

    /// The services that have a worker of the queue, with their replicas.
    pub(super) fn workers(&self) -> Vec<(ServiceId, u32)> {
        let has = |service: &Service| {
            let release = &self.scenario.releases[usize::from(service.release.0)];
            let mut found = false;
            visit(&release.steps, &mut |action| found |= works(action, self.queue));
            found
        };
        let services = self.scenario.services.iter().enumerate();
        let having = services.filter(|(_, service)| has(service));
        let id = |place| ServiceId(u16::try_from(place).expect("the parser bounds their number"));
        having.map(|(place, service)| (id(place), service.replicas)).collect()
    }

    /// Whether the start-up code waits for anything, so that it takes a time.
    pub(super) fn awaits(&self) -> bool {
        let waits = |step: &Step| {
            let at_once =
                matches!(step.action, Action::Worker(_) | Action::Timer { .. } | Action::Open(_));
            step.awaited && !at_once
        };
        self.release().steps.iter().any(waits)
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
        self.job_range().1
    }

    /// How long one execution takes, at least and at most.
    fn job_range(&self) -> (Span, Span) {
        let schedule = &self.scenario.schedules[self.schedule];
        let is = |job: &&Job| job.is(self.queue, schedule.job.as_bytes());
        let job = self.scenario.jobs.iter().find(is);
        job.map_or((Span::ZERO, Span::ZERO), Job::takes)
    }

    /// An instant at which the tick's job is surely under way: one that is over at once could not be
    /// met, so it takes longer.
    pub(super) fn in_job(&mut self) -> Instant {
        if self.job_range().0 < MEETS {
            self.slower(Span::from_secs(30));
        }
        self.tick + UNDER_WAY
    }

    /// The job takes longer by this.
    pub(super) fn slower(&mut self, by: Span) {
        let step = JobStep::Sleep(fixed(by));
        match self.job_mut() {
            Some(job) => job.steps.push(step),
            None => self.add_job(vec![step], Outcome::Ok),
        }
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
