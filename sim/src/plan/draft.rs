//! A scenario that plans are put into: who registers a schedule in it, and how that is rewritten.

use super::Applied;
use crate::battery::roles::{edit_all, visit};
use crate::battery::stage::{fixed, steps};
use crate::bullmq::Version;
use crate::clock::{Instant, Span};
use crate::event::{QueueId, ReleaseId, StepResult};
use crate::scenario::{
    Action, Add, Condition, DatabaseAction, DatabaseStep, Job, JobOptions, JobStep, Keep, OnError,
    Outcome, Recurrence, Release, Repeat, RepeatWhen, Scenario, Service, Step, Template,
};

/// From where the steps of plans are numbered: no release of a file has as many.
const FIRST: u16 = 20_000;

/// A scenario, and the schedule that plans are for.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) scenario: Scenario,
    pub(super) schedule: usize,
    pub(super) queue: QueueId,
    /// The name of the schedule's jobs.
    pub(super) job: Box<str>,
    /// How it repeats, as start-up code says it, or as it is meant.
    pub(super) repeat: Repeat,
    /// The options of its jobs, without an id.
    pub(super) options: JobOptions,
    /// The id of its job scheduler.
    pub(super) id: Box<str>,
}

impl Draft {
    pub(super) fn new(
        scenario: &Scenario,
        schedule: usize,
        version: Option<Version>,
    ) -> Result<Draft, String> {
        let mut scenario = scenario.clone();
        if let Some(version) = version {
            scenario.releases.iter_mut().for_each(|release| release.library = version);
        }
        let of = scenario.schedules.get(schedule).ok_or("there is no such schedule")?;
        let (when, zone) = match &of.recurrence {
            Recurrence::Pattern(cron, zone) => {
                (RepeatWhen::Pattern(cron.clone()), Some(zone.clone()))
            }
            Recurrence::Every(period) => (RepeatWhen::Every(*period), None),
        };
        let repeat = Repeat {
            when,
            zone,
            start_date: None,
            end_date: None,
            immediately: false,
            limit: None,
            key: None,
            offset: None,
        };
        let mut draft = Draft {
            queue: of.queue,
            job: of.job.clone(),
            id: of.job.clone(),
            schedule,
            scenario,
            repeat,
            options: JobOptions::default(),
        };
        draft.read();
        Ok(draft)
    }

    /// What start-up code says of the schedule: the first that says it.
    fn read(&mut self) {
        let mut found = None;
        for release in self.scenario.releases.iter().filter(|release| !release.by_hand) {
            visit(&release.steps, &mut |action| match action {
                Action::Add(Add { queue, name, options, repeat: Some(repeat) })
                    if (*queue, name) == (self.queue, &self.job) =>
                {
                    let all = || (name.clone(), repeat.clone(), options.clone());
                    found.get_or_insert_with(all);
                }
                Action::UpsertJobScheduler { queue, id, repeat, name, options }
                    if (*queue, name) == (self.queue, &self.job) =>
                {
                    let all = || (id.clone(), repeat.clone(), options.clone());
                    found.get_or_insert_with(all);
                }
                _ => {}
            });
        }
        if let Some((id, repeat, options)) = found {
            self.id = id;
            self.repeat = repeat;
            self.options = JobOptions { job_id: None, ..options };
        }
    }

    /// Whether it is the schedule's recurring job.
    pub(super) fn recurs(&self, action: &Action) -> bool {
        match action {
            Action::Add(add) => add.repeat.is_some() && self.adds(add),
            Action::UpsertJobScheduler { queue, name, .. } => {
                (*queue, name) == (self.queue, &self.job)
            }
            _ => false,
        }
    }

    /// Whether it adds one job that does the schedule's work.
    pub(super) fn adds_one(&self, action: &Action) -> bool {
        matches!(action, Action::Add(add) if add.repeat.is_none() && self.adds(add))
    }

    fn adds(&self, add: &Add) -> bool {
        (add.queue, &add.name) == (self.queue, &self.job)
    }

    /// Whether it has to do with how the schedule's jobs come to be.
    fn registers(&self, action: &Action) -> bool {
        self.recurs(action)
            || self.adds_one(action)
            || match action {
                Action::RemoveRepeatable { queue, name, .. } => {
                    (*queue, name) == (self.queue, &self.job)
                }
                Action::RemoveJobScheduler { queue, .. }
                | Action::RemoveRepeatableByKey { queue, .. }
                | Action::GetJobSchedulers { queue, .. }
                | Action::GetRepeatableJobs(queue)
                | Action::RemoveAllRepeatables(queue) => *queue == self.queue,
                Action::Timer { steps, .. } => {
                    steps.iter().any(|step| self.registers(&step.action))
                }
                _ => false,
            }
    }

    /// Changes actions of start-up code, timers' among them, wherever they are: whether any was.
    pub(super) fn edit(&mut self, edit: impl Fn(&Draft, &mut Action) -> bool) -> bool {
        let mut releases = std::mem::take(&mut self.scenario.releases);
        let mut changed = false;
        for release in releases.iter_mut().filter(|release| !release.by_hand) {
            let mut steps = release.steps.to_vec();
            for step in &mut steps {
                changed |= edit_all(step, &mut |action| edit(self, action));
            }
            release.steps = steps.into();
        }
        self.scenario.releases = releases;
        changed
    }

    /// Puts steps in the place of all that has to do with how the schedule's jobs come to be, in
    /// every release that has any.
    pub(super) fn instead(&mut self, with: &[Step]) -> Applied {
        self.replace(|draft, action| draft.registers(action), with)
            .then_some(())
            .ok_or_else(|| "no start-up code registers it".to_owned())
    }

    /// Takes such steps out, and puts others where the first was: whether there was any.
    pub(super) fn replace(
        &mut self,
        such: impl Fn(&Draft, &Action) -> bool,
        with: &[Step],
    ) -> bool {
        let mut releases = std::mem::take(&mut self.scenario.releases);
        let mut changed = false;
        for release in releases.iter_mut().filter(|release| !release.by_hand) {
            let mut with = Some(with);
            let steps = without(&release.steps, &|action| such(self, action), &mut with);
            if with.is_none() {
                release.steps = steps.into();
                changed = true;
            }
        }
        self.scenario.releases = releases;
        changed
    }

    /// Who runs the schedule's worker, the first of them.
    pub(super) fn worker(&self) -> Result<&Service, String> {
        let works = |service: &&Service| {
            let mut found = false;
            visit(&self.release_of(service).steps, &mut |action| {
                found |= matches!(action, Action::Worker(worker) if worker.queue == self.queue);
            });
            found
        };
        let found = self.scenario.services.iter().find(works);
        found.ok_or_else(|| "no service has a worker of its queue".to_owned())
    }

    fn release_of(&self, service: &Service) -> &Release {
        &self.scenario.releases[usize::from(service.release.0)]
    }

    /// The version of the library that the schedule's worker has.
    pub(super) fn library(&self) -> Result<Version, String> {
        self.worker().map(|worker| self.release_of(worker).library)
    }

    /// A service of one container that does these steps, and nothing else.
    pub(super) fn service(&mut self, name: &str, steps: Vec<Step>) -> Result<&mut Service, String> {
        let (like, library) = (self.worker()?.clone(), self.library()?);
        let taken = |name: &str| self.scenario.services.iter().any(|one| *one.name == *name);
        let mut name = name.to_owned();
        while taken(&name) || self.scenario.releases.iter().any(|one| *one.name == *name) {
            name.push_str("-too");
        }
        let release = Release {
            name: name.as_str().into(),
            library,
            steps: steps.into(),
            jobs: Vec::new(),
            by_hand: false,
        };
        let number = u16::try_from(self.scenario.releases.len());
        let release_id = ReleaseId(number.map_err(|_| "there are too many releases")?);
        self.scenario.releases.push(release);
        let name = name.into();
        let service =
            Service { name, release: release_id, replicas: 1, without: Vec::new(), ..like };
        self.scenario.services.push(service);
        Ok(self.scenario.services.last_mut().expect("it was pushed"))
    }

    /// The step that upserts the schedule's job scheduler.
    pub(super) fn upsert(&self) -> Action {
        Action::UpsertJobScheduler {
            queue: self.queue,
            id: self.id.clone(),
            repeat: Repeat { key: None, ..self.repeat.clone() },
            name: self.job.clone(),
            options: self.options.clone(),
        }
    }

    /// The step that adds one job of the schedule.
    pub(super) fn add(&self, options: JobOptions) -> Action {
        let (queue, name) = (self.queue, self.job.clone());
        Action::Add(Add { queue, name, options, repeat: None })
    }

    /// Options with an id for each window, kept for so long that nobody adds it again.
    pub(super) fn window_id(&self, own: &JobOptions, schedule: Option<usize>) -> JobOptions {
        let kept = Some(Keep::Age { age: self.two_periods(), count: None });
        let job_id = Some(self.of_window(schedule));
        JobOptions { job_id, remove_on_complete: kept, remove_on_fail: kept, ..own.clone() }
    }

    /// The job's name and its window.
    pub(super) fn of_window(&self, schedule: Option<usize>) -> Template {
        self.window_of("", schedule)
    }

    /// The same, of something else than its work.
    pub(super) fn window_of(&self, what: &str, schedule: Option<usize>) -> Template {
        let pieces = vec![format!("{}-{what}", self.plain()).into(), "".into()];
        Template { pieces, schedule }
    }

    /// The job's name, as it can stand in ids and in names of rows.
    pub(super) fn plain(&self) -> String {
        self.job.replace(':', "-")
    }

    fn two_periods(&self) -> Span {
        let period = self.period();
        let seconds = (period + period).ms() / 1000 + 1;
        Span::from_secs(seconds)
    }

    /// From the first tick to the next.
    pub(super) fn period(&self) -> Span {
        let ticks = self.scenario.schedules[self.schedule].recurrence.ticks();
        let after = |at: Instant| ticks.after(at.ms()).map(Instant::from_ms);
        let first = after(self.scenario.start).unwrap_or(self.scenario.start);
        after(first).map_or(Span::from_secs(3600), |next| next.since(first))
    }

    /// How long an execution of its job takes, at most.
    pub(super) fn job_takes(&self) -> Span {
        let is = |job: &&Job| job.is(self.queue, self.job.as_bytes());
        self.scenario.jobs.iter().find(is).map_or(Span::ZERO, |job| job.takes().1)
    }

    /// A timer in the process that does these at each tick.
    pub(super) fn timer(&self, inner: Vec<Step>) -> Result<Action, String> {
        let Recurrence::Pattern(pattern, zone) = &self.scenario.schedules[self.schedule].recurrence
        else {
            return Err("a timer needs a pattern, and the schedule is a period".to_owned());
        };
        let (pattern, zone) = (pattern.clone(), Some(zone.clone()));
        Ok(Action::Timer { pattern, zone, steps: inner.into() })
    }

    /// Puts steps before and after what the schedule's job does.
    pub(super) fn around(&mut self, before: &[JobStep], after: &[JobStep]) -> Applied {
        let shift = u32::try_from(before.len()).expect("few steps");
        let (queue, name) = (self.queue, self.job.clone());
        let own = self.scenario.releases.iter_mut().flat_map(|release| &mut release.jobs);
        let all = self.scenario.jobs.iter_mut().chain(own);
        let mut changed = false;
        for job in all.filter(|job: &&mut Job| job.is(queue, name.as_bytes())) {
            changed = true;
            let inner = std::mem::take(&mut job.steps);
            job.steps = [before, &inner, after].concat();
            for outcome in &mut job.outcomes {
                if let Outcome::Fail(Some(step)) | Outcome::Exit(Some(step)) = outcome {
                    *step += shift;
                }
            }
        }
        changed.then_some(()).ok_or_else(|| "nothing says what its job does".to_owned())
    }
}

/// Steps of a plan, each awaited; an error ends the process.
pub(super) fn steps_of(actions: Vec<Action>) -> Vec<Step> {
    numbered(actions, FIRST)
}

/// The same, within a timer.
pub(super) fn inner_steps(actions: Vec<Action>) -> Vec<Step> {
    numbered(actions, FIRST + 1000)
}

fn numbered(actions: Vec<Action>, from: u16) -> Vec<Step> {
    let mut all = steps(actions).to_vec();
    for step in &mut all {
        step.number += from;
        step.on_error = OnError::Exit;
    }
    all
}

/// Has a step done only if the one before it came to this.
pub(super) fn only_if(steps: &mut [Step], place: usize, word: &str, came: StepResult) {
    steps[place - 1].name = Some(word.into());
    steps[place].when = vec![Condition::Came(steps[place - 1].number, came)];
}

/// A statement on locks or rows.
pub(super) fn statement(action: DatabaseAction) -> DatabaseStep {
    let takes = crate::scenario::Range { most: Span::from_ms(5), ..fixed(Span::from_ms(1)) };
    DatabaseStep { action, takes }
}

/// Steps without those that are such, and others where the first of them was.
fn without(
    steps: &[Step],
    such: &impl Fn(&Action) -> bool,
    with: &mut Option<&[Step]>,
) -> Vec<Step> {
    let mut left = Vec::new();
    for step in steps {
        if such(&step.action) {
            left.extend(with.take().into_iter().flatten().cloned());
            continue;
        }
        let Action::Parallel(inner) = &step.action else {
            left.push(step.clone());
            continue;
        };
        let mut found = Some(&[][..]);
        let inner = without(inner, such, &mut found);
        if found.is_none() {
            left.extend(with.take().into_iter().flatten().cloned());
        }
        if !inner.is_empty() {
            left.push(Step { action: Action::Parallel(inner.into()), ..step.clone() });
        }
    }
    left
}
