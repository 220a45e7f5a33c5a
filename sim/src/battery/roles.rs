//! Who does what: what the steps of a release say of a queue.

use crate::event::{QueueId, ServiceId};
use crate::scenario::{Action, Scenario, Service, Step};

pub(super) fn edit_all(step: &mut Step, edit: &mut impl FnMut(&mut Action) -> bool) -> bool {
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

pub(super) fn visit(steps: &[Step], see: &mut impl FnMut(&Action)) {
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
