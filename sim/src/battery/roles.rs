//! Who does what: what the steps of a release say of a queue.

use crate::bullmq::Version;
use crate::event::{QueueId, ReleaseId, ServiceId};
use crate::scenario::{Action, Change, Happens, OnError, Release, Scenario, Service, Step};

pub(crate) fn edit_all(step: &mut Step, edit: &mut impl FnMut(&mut Action) -> bool) -> bool {
    let mut changed = edit(&mut step.action);
    let (Action::Timer { steps: inner, .. } | Action::Parallel(inner)) = &mut step.action else {
        return changed;
    };
    let mut edited = inner.to_vec();
    let mut within = false;
    for step in &mut edited {
        within |= edit_all(step, edit);
    }
    if within {
        *inner = edited.into();
        changed = true;
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

pub(super) fn who(scenario: &Scenario, such: impl Fn(&Action) -> bool) -> Option<ServiceId> {
    let has = |service: &Service| {
        let release = &scenario.releases[usize::from(service.release.0)];
        let mut found = false;
        visit(&release.steps, &mut |action| found |= such(action));
        found && service.replicas > 0
    };
    let place = scenario.services.iter().position(has)?;
    Some(ServiceId(u16::try_from(place).expect("the parser bounds their number")))
}

pub(super) fn registers(action: &Action, of: QueueId) -> bool {
    match action {
        Action::Add(add) => add.queue == of,
        Action::AddBulk(queue, _) | Action::UpsertJobScheduler { queue, .. } => *queue == of,
        _ => false,
    }
}

pub(super) fn carries_on(action: &Action, of: QueueId) -> bool {
    match action {
        Action::Add(add) => add.queue == of && add.repeat.is_some(),
        Action::UpsertJobScheduler { queue, .. } => *queue == of,
        _ => false,
    }
}

pub(super) fn works(action: &Action, of: QueueId) -> bool {
    matches!(action, Action::Worker(worker) if worker.queue == of)
}

/// Why a fleet would never be up again: a release that it runs or moves to exits at each boot, as its
/// library has not what it calls. Where nobody is up nothing is owed, and nothing would be seen.
pub(super) fn never_starts(scenario: &Scenario) -> Option<String> {
    let first = scenario.services.iter().map(|service| service.release);
    let later = scenario.events.iter().filter_map(|event| match event.happens {
        Happens::To(_, Change::Deploy(release, _)) => Some(release),
        _ => None,
    });
    first.chain(later).find_map(|ReleaseId(number)| {
        let release = &scenario.releases[usize::from(number)];
        let place = exits_at(release)?;
        let (name, version) = (&release.name, release.library.number());
        Some(format!(
            "`{name}` exits at each boot: BullMQ {version} has not what step {place} calls"
        ))
    })
}

/// The place of a step that calls what its library has not.
fn exits_at(release: &Release) -> Option<&str> {
    let older = release.library < Version::V6_7_0;
    let newer = release.library >= Version::V5_81_5;
    let lacks = |step: &&Step| match step.action {
        Action::RemoveRepeatable { .. }
        | Action::RemoveRepeatableByKey { .. }
        | Action::GetRepeatableJobs(_)
        | Action::RemoveAllRepeatables(_) => !older,
        Action::SetGlobalRateLimit { .. }
        | Action::RemoveGlobalConcurrency(_)
        | Action::RemoveGlobalRateLimit(_) => !newer,
        _ => false,
    };
    let exits = |step: &&Step| step.on_error != OnError::Ignore && step.when.is_empty();
    release.steps.iter().filter(exits).find(lacks).map(|step| &*step.place)
}
