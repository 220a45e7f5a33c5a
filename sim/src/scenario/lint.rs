//! What is legal in a scenario and probably wrong.
//!
//! Each rule looks at a sound scenario and the tree that it was read from. A rule that cannot be
//! sure is silent: a warning that is wrong teaches people to read none. It changes nothing and
//! runs nothing.

mod adds;
mod faults;
mod fleet;
mod times;
mod upgrade;
mod versions;

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::diagnostic::Diagnostic;
use super::parse::shown;
use super::place::{self, Part, Path};
use super::{Action, Add, Change, Happens, JobStep, Repeat, Scenario, Step, TextSpan};
use crate::bullmq::cron::Cron;
use crate::civil::Zone;
use crate::clock::Span;
use crate::event::QueueId;

/// A file with more steps and tables than this was written by a program, and nobody reads what it
/// is warned of; the rules compare everything with everything.
const LARGEST: usize = 500;

/// Everything that is probably wrong, in no order.
pub(super) fn lint(scenario: &Scenario, tree: &DeTable<'_>) -> Vec<Diagnostic> {
    let mut lint =
        Lint { scenario, tree, used: used(scenario), steps: steps(scenario), adds: Vec::new() };
    let tables = scenario.schedules.len() + scenario.jobs.len() + scenario.events.len();
    if lint.steps.len() + tables > LARGEST {
        return Vec::new();
    }
    lint.adds = lint.all_adds();
    let mut found = Vec::new();
    lint.times(&mut found);
    lint.adds(&mut found);
    lint.upgrades(&mut found);
    lint.fleet(&mut found);
    lint.faults(&mut found);
    lint.versions(&mut found);
    found
}

/// What the rules look at.
struct Lint<'s, 't> {
    scenario: &'s Scenario,
    tree: &'s DeTable<'t>,
    /// The releases that run at some time, by number.
    used: BTreeSet<usize>,
    /// All steps of all releases, those within others too.
    steps: Vec<Placed<'s>>,
    adds: Vec<Added<'s>>,
}

/// A start-up step, and where it stands.
struct Placed<'s> {
    step: &'s Step,
    release: usize,
    path: Path,
    /// The timer that runs it.
    timer: Option<Timer<'s>>,
}

#[derive(Clone, Copy)]
struct Timer<'s> {
    pattern: &'s Cron,
    zone: Option<&'s Zone>,
}

/// Something that adds or registers jobs.
struct Added<'s> {
    queue: QueueId,
    /// The jobs' name.
    name: &'s str,
    /// The step.
    path: Path,
    /// Whose step it is; none for a step of a job.
    release: Option<usize>,
    how: How<'s>,
}

#[derive(Clone, Copy)]
enum How<'s> {
    /// A step of start-up code, or of what a person runs.
    Boot(&'s Add),
    /// A step of a timer.
    Timer(&'s Add, Timer<'s>),
    /// A step of a job.
    Job(&'s Add),
    /// The older repeat API.
    Repeat(&'s Add, &'s Repeat),
    /// A job scheduler of this id.
    Scheduler(&'s str, &'s Repeat),
}

/// The releases that some service or event runs.
fn used(scenario: &Scenario) -> BTreeSet<usize> {
    let at_start = scenario.services.iter().map(|service| service.release);
    let later = scenario.events.iter().filter_map(|event| match event.happens {
        Happens::To(_, Change::Deploy(release, _)) | Happens::ByHand(release) => Some(release),
        _ => None,
    });
    at_start.chain(later).map(|release| usize::from(release.0)).collect()
}

fn steps(scenario: &Scenario) -> Vec<Placed<'_>> {
    let mut placed = Vec::new();
    for (number, release) in scenario.releases.iter().enumerate() {
        let path = if release.by_hand {
            let is = |event: &super::PlannedEvent| matches!(event.happens, Happens::ByHand(id) if usize::from(id.0) == number);
            let event = scenario.events.iter().position(is).unwrap_or_default();
            vec![Part::key("event"), Part::Index(event), Part::key("edit")]
        } else {
            vec![Part::key("release"), Part::key(&release.name), Part::key("steps")]
        };
        place_all(&release.steps, number, &path, None, &mut placed);
    }
    placed
}

fn place_all<'s>(
    steps: &'s [Step],
    release: usize,
    list: &Path,
    timer: Option<Timer<'s>>,
    placed: &mut Vec<Placed<'s>>,
) {
    for (number, step) in steps.iter().enumerate() {
        let path = [list.as_slice(), &[Part::Index(number)]].concat();
        let below = |key| [path.as_slice(), &[Part::key(key)]].concat();
        match &step.action {
            Action::Timer { pattern, zone, steps } => {
                let timer = Some(Timer { pattern, zone: zone.as_ref() });
                place_all(steps, release, &below("steps"), timer, placed);
            }
            Action::Parallel(steps) => {
                place_all(steps, release, &below("parallel"), timer, placed);
            }
            _ => {}
        }
        placed.push(Placed { step, release, path, timer });
    }
}

impl<'s> Lint<'s, '_> {
    /// Everything that adds or registers jobs, in releases that run and in jobs.
    fn all_adds(&self) -> Vec<Added<'s>> {
        let mut adds = Vec::new();
        for Placed { step, release, path, timer } in &self.steps {
            if let Action::AddBulk(queue, jobs) = &step.action {
                for (number, add) in jobs.iter().enumerate() {
                    let below = [Part::key("add_bulk"), Part::Index(number)];
                    adds.push(Added {
                        queue: *queue,
                        name: &add.name,
                        path: [path.as_slice(), &below].concat(),
                        release: Some(*release),
                        how: match timer {
                            Some(timer) => How::Timer(add, *timer),
                            None => How::Boot(add),
                        },
                    });
                }
            }
            let (queue, name, how) = match &step.action {
                Action::Add(add) => {
                    let how = match (&add.repeat, timer) {
                        (Some(repeat), _) => How::Repeat(add, repeat),
                        (None, Some(timer)) => How::Timer(add, *timer),
                        (None, None) => How::Boot(add),
                    };
                    (add.queue, &add.name, how)
                }
                Action::UpsertJobScheduler { queue, id, repeat, name, .. } => {
                    (*queue, name, How::Scheduler(id, repeat))
                }
                _ => continue,
            };
            let (release, path) = (Some(*release), path.clone());
            adds.push(Added { queue, name, path, release, how });
        }
        for (release, path, job) in self.processors() {
            for (number, step) in job.steps.iter().enumerate() {
                let JobStep::Add(add) = step else { continue };
                let below = [Part::key("steps"), Part::Index(number)];
                let path = [path.as_slice(), &below].concat();
                let how = match &add.repeat {
                    Some(repeat) => How::Repeat(add, repeat),
                    None => How::Job(add),
                };
                adds.push(Added { queue: add.queue, name: &add.name, path, release, how });
            }
        }
        adds
    }

    /// What is done with jobs: by whichever release, or by one alone; and where it stands.
    fn processors(&self) -> impl Iterator<Item = (Option<usize>, Path, &'s super::Job)> {
        let path = |job: &super::Job| vec![Part::key("job"), Part::key(&job.name)];
        let all = self.scenario.jobs.iter().map(move |job| (None, path(job), job));
        let releases = self.scenario.releases.iter().enumerate();
        let own = releases.flat_map(move |(number, release)| {
            let above = [Part::key("release"), Part::key(&release.name)];
            let place = move |job| [above.as_slice(), &path(job)].concat();
            release.jobs.iter().map(move |job| (Some(number), place(job), job))
        });
        all.chain(own)
    }

    /// Whether what adds is ever done.
    fn runs(&self, added: &Added<'_>) -> bool {
        added.release.is_none_or(|release| self.used.contains(&release))
    }

    /// Where a value below a path stands, or else the path itself.
    fn at(&self, path: &[Part], keys: &[&str]) -> TextSpan {
        let below: Path =
            path.iter().cloned().chain(keys.iter().map(|key| Part::key(key))).collect();
        let place = |path| place::value(self.tree, path);
        place(&below).or_else(|| place(path)).unwrap_or_default()
    }

    /// Where a value below a table of a name stands.
    fn of(&self, kind: &str, name: &str, keys: &[&str]) -> TextSpan {
        self.at(&[Part::key(kind), Part::key(name)], keys)
    }

    /// The zone of the processes of a release: the one that all its services have.
    fn zone_of(&self, release: usize) -> Option<&'s Zone> {
        let mut zones = self.services_of(release).map(|service| &service.zone);
        let first = zones.next()?;
        zones.all(|zone| zone == first).then_some(first)
    }

    /// The services that have a release at some time.
    fn services_of(&self, release: usize) -> impl Iterator<Item = &'s super::Service> {
        let scenario = self.scenario;
        scenario.services.iter().enumerate().filter_map(move |(number, service)| {
            let moves = |event: &super::PlannedEvent| {
                matches!(event.happens, Happens::To(to, Change::Deploy(id, _))
                    if usize::from(to.0) == number && usize::from(id.0) == release)
            };
            let has = usize::from(service.release.0) == release;
            (has || scenario.events.iter().any(moves)).then_some(service)
        })
    }

    /// What is done with the jobs of a name in a queue; one for all releases goes first.
    fn job(&self, queue: QueueId, name: &str) -> Option<&'s super::Job> {
        self.processors().map(|(_, _, job)| job).find(|job| job.is(queue, name.as_bytes()))
    }

    /// The jobs that come into a queue.
    fn jobs_of(&self, queue: QueueId) -> impl Iterator<Item = &'s super::Job> {
        let comes = move |job: &&super::Job| {
            let added = |added: &&Added<'s>| added.queue == queue && self.runs(added);
            self.adds.iter().filter(added).any(|added| job.is(queue, added.name.as_bytes()))
        };
        self.processors().map(|(_, _, job)| job).filter(comes)
    }

    fn queue_name(&self, queue: QueueId) -> &'s str {
        &self.scenario.queues[usize::from(queue.0)].name
    }
}

/// How long a job takes at least and at most, without its waits for servers.
fn takes(job: &super::Job) -> (Span, Span) {
    let mut takes = (Span::ZERO, Span::ZERO);
    for step in &job.steps {
        let range = match step {
            JobStep::Query(range) | JobStep::Sleep(range) | JobStep::Block(range) => range,
            JobStep::Write { takes, .. } => takes,
            JobStep::Database(step, ..) => &step.takes,
            JobStep::Add(_) | JobStep::RateLimit(_) => continue,
        };
        takes = (takes.0 + range.least, takes.1 + range.most);
    }
    takes
}
