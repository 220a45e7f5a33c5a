//! What the options of jobs say that events do not: found where the scenario adds them.

use super::convert::Played;
use super::fold::Kind;
use bootrace_sim::event::{By, JobId, QueueEvent, RegistrationKey};
use bootrace_sim::scenario::{Action, JobOptions, Scenario};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kinds of all jobs so far.
pub(crate) struct Kinds {
    scenario: Arc<Scenario>,
    jobs: BTreeMap<JobId, Kind>,
    registrations: BTreeMap<RegistrationKey, Kind>,
}

impl Kinds {
    pub(crate) fn new(played: &Played) -> Self {
        let scenario = played.scenario.clone();
        Kinds { scenario, jobs: BTreeMap::new(), registrations: BTreeMap::new() }
    }

    /// Takes in an event: the kind of its job.
    pub(crate) fn see(&mut self, by: By, event: &QueueEvent) -> Kind {
        match event {
            QueueEvent::Registered(registered) => {
                if let Some(kind) = self.of_step(by) {
                    self.registrations.insert(registered.key.clone(), kind);
                }
            }
            QueueEvent::Added(added) => {
                let registered =
                    added.registration.as_ref().and_then(|key| self.registrations.get(key));
                let kind = self.of_step(by).or(registered.copied()).unwrap_or_default();
                self.jobs.insert(added.job.clone(), kind);
            }
            _ => {}
        }
        event.job().and_then(|job| self.jobs.get(job)).copied().unwrap_or_default()
    }

    /// The kind of what a step adds.
    fn of_step(&self, by: By) -> Option<Kind> {
        let By::Step(step) = by else { return None };
        let release = &self.scenario.releases[usize::from(step.release.0)];
        let (queue, own) = match &release.step(step.step)?.action {
            Action::Add(add) => (add.queue, &add.options),
            Action::UpsertJobScheduler { queue, options, .. } => (*queue, options),
            _ => return None,
        };
        let defaults = &self.scenario.queues[usize::from(queue.0)].defaults;
        let said = |options: &JobOptions| (options.lifo, options.priority);
        let ((lifo, priority), (lifo_too, priority_too)) = (said(own), said(defaults));
        Some(Kind {
            lifo: lifo.or(lifo_too).unwrap_or(false),
            has_priority: priority.or(priority_too).unwrap_or(0) > 0,
        })
    }
}
