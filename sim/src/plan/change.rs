//! Changes of plan: a rolling deploy from one scenario's start-up code to another's, slow enough that both
//! are alive when a tick comes, and what people clean up by hand before or after it.

use super::draft::Draft;
use super::judged;
use crate::battery::named;
use crate::battery::roles::visit;
use crate::battery::stage::{fixed, steps};
use crate::clock::{Instant, Span};
use crate::event::{QueueId, ReleaseId, ServiceId};
use crate::scenario::{
    Action, Add, Change, Declared, Expectation, Happens, Measure, Mode, PlannedEvent, Probe,
    Property, Quota, Relation, Release, Rollout, Scenario, Service, Subject, Version,
};

/// The longest boot: with three containers one after the other both releases run for long.
const SLOWEST: Span = Span::from_secs(15 * 60);

/// When people remove the registration that is left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CleanUp {
    /// Nobody does.
    Never,
    /// Before the first new container comes.
    Before,
    /// When the last old container is gone.
    After,
}

/// What takes a registration away.
#[derive(Clone, PartialEq, Debug)]
struct Registered {
    /// What tells it from others.
    key: String,
    removal: Action,
    library: Version,
}

/// The change of a schedule (by number) from one scenario to another of the same queues: they differ
/// by plans.
///
/// # Errors
/// Why there is none: one of them makes no scenario, or nothing would be left to clean up.
pub fn change(
    from: &Scenario,
    to: &Scenario,
    schedule: usize,
    clean_up: CleanUp,
) -> Result<Scenario, String> {
    let healthy = named("healthy").ok_or("there is no day without a hazard")?;
    let mut staged = healthy.of(from, schedule, None)?;
    let ticks = staged.schedules[schedule].recurrence.ticks();
    let after = |at: Instant| {
        let next = ticks.after(at.ms()).map(Instant::from_ms);
        next.ok_or("the schedule is due too seldom")
    };
    let before = staged.start + staged.measure.0;
    let tick = after(before)?;
    let end = after(after(tick)?)?;
    staged.length = (end + Span::from_secs(1)).since(staged.start);
    staged.measure.1 = end.since(staged.start);
    let part = |of_100: i64| Span::from_nanos(tick.since(before).nanos() / 100 * of_100);

    let (left, come) = (registered(from, schedule)?, registered(to, schedule)?);
    let stays = |one: &&Registered| come.iter().any(|other| other.key == one.key);
    let gone: Vec<&Registered> = left.iter().filter(|one| !stays(one)).collect();
    // The first new container is up before the tick, the second after it.
    let boot = part(6).min(SLOWEST);
    let deploy = tick - Span::from_nanos(boot.nanos() / 2 * 3);
    let deploys = Deploys { at: deploy.since(staged.start), boot };
    deploys.all(&mut staged, to)?;
    let by_hand = match clean_up {
        CleanUp::Never => None,
        CleanUp::Before => Some(deploy - part(2)),
        CleanUp::After => Some(tick + part(40)),
    };
    if let Some(at) = by_hand {
        if gone.is_empty() {
            return Err("no registration is left behind".to_owned());
        }
        for one in gone {
            clean(&mut staged, at, one)?;
        }
    }
    expects(&mut staged, schedule, come.len() as u64);
    staged.reread()
}

/// The registrations that the containers of a scenario make for a schedule.
fn registered(scenario: &Scenario, schedule: usize) -> Result<Vec<Registered>, String> {
    let draft = Draft::new(scenario, schedule, None)?;
    let mut found: Vec<Registered> = Vec::new();
    for service in scenario.services.iter().filter(|service| service.replicas > 0) {
        let release = &scenario.releases[usize::from(service.release.0)];
        let library = release.library;
        visit(&release.steps, &mut |action| {
            let one = draft.recurs(action).then(|| removal(action, library)).flatten();
            if let Some((key, removal)) = one
                && found.iter().all(|other| other.key != key)
            {
                found.push(Registered { key, removal, library });
            }
        });
    }
    Ok(found)
}

/// What a registration is known by, and what removes it.
fn removal(action: &Action, library: Version) -> Option<(String, Action)> {
    match action {
        // 6.x makes no registration of it.
        Action::Add(Add { repeat: Some(_), .. }) if library >= Version::V6_7_0 => None,
        Action::Add(Add { queue, name, options, repeat: Some(repeat) }) => {
            let job_id = options.job_id.as_ref().map(|id| id.pieces.concat().into());
            let (queue, name, repeat) = (*queue, name.clone(), repeat.clone());
            let key = format!("{name} {repeat:?} {job_id:?}");
            Some((key, Action::RemoveRepeatable { queue, name, repeat, job_id }))
        }
        Action::UpsertJobScheduler { queue, id, .. } => {
            let (queue, id): (QueueId, Box<str>) = (*queue, id.clone());
            Some((id.to_string(), Action::RemoveJobScheduler { queue, id }))
        }
        _ => None,
    }
}

fn at(at: Span, happens: Happens) -> PlannedEvent {
    PlannedEvent { at: fixed(at), odds_of_2_32: None, happens }
}

fn clean(staged: &mut Scenario, when: Instant, one: &Registered) -> Result<(), String> {
    let name = format!("clean-up {}", staged.releases.len());
    let release = Release {
        name: name.into(),
        library: one.library,
        steps: steps(vec![one.removal.clone()]),
        jobs: Vec::new(),
        by_hand: true,
    };
    let id = release_id(staged)?;
    staged.releases.push(release);
    let when = when.since(staged.start);
    staged.events.push(at(when, Happens::ByHand(id)));
    Ok(())
}

fn release_id(staged: &Scenario) -> Result<ReleaseId, String> {
    let number = u16::try_from(staged.releases.len());
    number.map(ReleaseId).map_err(|_| "there are too many releases".to_owned())
}

/// How the services of another scenario come in place of those that there are.
struct Deploys {
    at: Span,
    boot: Span,
}

impl Deploys {
    fn all(&self, staged: &mut Scenario, to: &Scenario) -> Result<(), String> {
        for (number, service) in staged.services.clone().iter().enumerate() {
            let id = ServiceId(u16::try_from(number).map_err(|_| "there are too many services")?);
            let change = match to.services.iter().find(|other| other.name == service.name) {
                Some(other) => {
                    let release = self.release(staged, to, other)?;
                    let (one, none) = (Quota::Count(1), Quota::Count(0));
                    let rollout = Rollout::Rolling { max_surge: one, max_unavailable: none };
                    staged.services[number].boot = fixed(self.boot);
                    Change::Deploy(release, Some(rollout))
                }
                None => Change::Scale(0),
            };
            staged.events.push(at(self.at, Happens::To(id, change)));
        }
        for other in &to.services {
            if staged.services.iter().any(|service| service.name == other.name) {
                continue;
            }
            let release = self.release(staged, to, other)?;
            let boot = fixed(self.at);
            staged.services.push(Service { release, boot, ..other.clone() });
        }
        Ok(())
    }

    /// A release of the other scenario, with what its processors do there.
    fn release(
        &self,
        staged: &mut Scenario,
        to: &Scenario,
        service: &Service,
    ) -> Result<ReleaseId, String> {
        let mut release = to.releases[usize::from(service.release.0)].clone();
        let mut name = format!("{}-next", release.name);
        while staged.releases.iter().any(|one| *one.name == *name) {
            name.push('-');
        }
        release.name = name.into();
        for job in to.jobs.iter().filter(|_| !same_jobs(staged, to)) {
            if release.jobs.iter().all(|own| own.name != job.name) {
                release.jobs.push(job.clone());
            }
        }
        let id = release_id(staged)?;
        staged.releases.push(release);
        Ok(id)
    }
}

/// Whether processors do the same in both.
fn same_jobs(one: &Scenario, other: &Scenario) -> bool {
    let spelled = |scenario: &Scenario| {
        // Not by which word a draw is called: that is each scenario's own.
        let jobs = scenario.jobs.iter();
        jobs.map(|job| (job.name.clone(), job.steps.len(), job.outcomes.clone()))
            .collect::<Vec<_>>()
    };
    spelled(one) == spelled(other)
}

/// What must hold of it: work once a tick, and as many registrations in the end as the new code makes.
fn expects(staged: &mut Scenario, schedule: usize, live: u64) {
    let on = |mode, measure, subject, relation, bound| Expectation {
        property: Property { mode, measure, subject, relation, bound },
        declared: Declared::Holds,
        at: 0,
    };
    let of = Subject::Schedule(schedule);
    let side_by_side = Measure::Seen(Probe::ReleasesSideBySide);
    staged.expectations = vec![
        on(Mode::Eventually, Measure::LiveRegistrations, of, Relation::Exactly, live),
        on(Mode::Sometimes, side_by_side, Subject::World, Relation::Happens, 0),
    ];
    judged(staged, schedule);
}
