//! The distinct jobs of a run, each with what was heard of it: where its events stand in the run.

use bootrace_sim::choices::LifeId;
use bootrace_sim::clock::Instant;
use bootrace_sim::event::{By, Event, JobId, QueueEvent, QueueId, RegistrationKey, Stamp};
use std::collections::BTreeMap;

/// One distinct job. Events are told by their places in the run.
pub(super) struct Job {
    pub(super) queue: QueueId,
    pub(super) id: JobId,
    pub(super) name: Vec<u8>,
    pub(super) registration: Option<RegistrationKey>,
    pub(super) tick: Option<Instant>,
    /// Who asked for it.
    pub(super) by: By,
    pub(super) added_by: LifeId,
    pub(super) added: usize,
    pub(super) starts: Vec<usize>,
    pub(super) removed: Option<usize>,
    /// Everything that was heard of it, these too.
    pub(super) events: Vec<usize>,
}

impl Job {
    /// When it was first started.
    pub(super) fn started(&self, events: &[(Stamp, Event)]) -> Option<Instant> {
        self.starts.first().map(|start| events[*start].0.at)
    }
}

/// The jobs of a run, in the order of their adds. An id that is used again is another job.
pub(super) fn index(events: &[(Stamp, Event)]) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut newest: BTreeMap<(QueueId, JobId), usize> = BTreeMap::new();
    for (place, (stamp, event)) in events.iter().enumerate() {
        let Event::Queue(queue, by, event) = event else { continue };
        if let QueueEvent::Added(added) = event {
            newest.insert((*queue, added.job.clone()), jobs.len());
            jobs.push(Job {
                queue: *queue,
                id: added.job.clone(),
                name: added.name.as_bytes().to_vec(),
                registration: added.registration.clone(),
                tick: added.tick,
                by: *by,
                added_by: stamp.life,
                added: place,
                starts: Vec::new(),
                removed: None,
                events: vec![place],
            });
            continue;
        }
        let Some(id) = event.job() else { continue };
        let Some(job) = newest.get(&(*queue, id.clone())) else { continue };
        let job = &mut jobs[*job];
        job.events.push(place);
        match event {
            QueueEvent::Started { .. } => job.starts.push(place),
            QueueEvent::Removed { .. } => job.removed = Some(place),
            _ => {}
        }
    }
    jobs
}
