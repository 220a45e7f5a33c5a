//! Who lives: processes between their boot and their end, what they run and what they look for.
//!
//! It knows what a process said of itself while it lived. What takes effect after its death, of
//! what it had sent, makes nobody live again.

use std::collections::BTreeMap;

use crate::choices::LifeId;
use crate::event::{Event, QueueEvent, QueueId, ReleaseId, Stamp};

/// A process that lives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Life {
    /// What it runs.
    pub release: Option<ReleaseId>,
    /// Whether it has start-up steps to do.
    pub starting: bool,
    /// Whether it was asked to end: it takes no job from then on.
    pub leaving: bool,
    /// The queues that its workers look for jobs in.
    pub workers: Vec<QueueId>,
    /// The queues of the jobs that its processors run, each as often as there are such jobs.
    pub running: Vec<QueueId>,
}

impl Life {
    /// Whether it runs a job, of a queue if one is given.
    #[must_use]
    pub fn runs(&self, queue: Option<QueueId>) -> bool {
        self.running.iter().any(|of| queue.is_none_or(|queue| queue == *of))
    }
}

/// The processes of a run that live.
#[derive(Debug, Default)]
pub struct Lives {
    alive: BTreeMap<LifeId, Life>,
    /// Who the last event ended.
    died: Option<Life>,
}

impl Lives {
    /// Takes in one event.
    pub(super) fn fold(&mut self, stamp: &Stamp, event: &Event) {
        self.died = None;
        match event {
            Event::Booted { release, .. } => {
                let life = self.life(stamp);
                life.release = Some(*release);
                life.starting = true;
            }
            Event::StartedUp => self.life(stamp).starting = false,
            Event::Terminated => self.life(stamp).leaving = true,
            Event::Exited { .. } | Event::Killed => self.died = self.alive.remove(&stamp.life),
            Event::Queue(queue, _, QueueEvent::WorkerUp) => self.life(stamp).workers.push(*queue),
            Event::Queue(queue, _, QueueEvent::Started { .. }) => {
                self.life(stamp).running.push(*queue);
            }
            Event::Queue(queue, _, QueueEvent::Ended { .. }) => {
                let running = &mut self.life(stamp).running;
                if let Some(at) = running.iter().position(|of| of == queue) {
                    running.swap_remove(at);
                }
            }
            _ => {}
        }
    }

    fn life(&mut self, stamp: &Stamp) -> &mut Life {
        self.alive.entry(stamp.life).or_default()
    }

    /// Whether a process lives.
    #[must_use]
    pub fn lives(&self, life: LifeId) -> bool {
        self.alive.contains_key(&life)
    }

    /// Everybody who lives but one.
    pub fn others(&self, than: LifeId) -> impl Iterator<Item = &Life> {
        self.alive.iter().filter(move |(life, _)| **life != than).map(|(_, life)| life)
    }

    /// The process that the last event ended, as it was.
    #[must_use]
    pub fn died(&self) -> Option<&Life> {
        self.died.as_ref()
    }

    /// Whether some process with a worker of a queue runs no job at all.
    #[must_use]
    pub fn worker_idle(&self, queue: QueueId) -> bool {
        let looks = |life: &Life| !life.leaving && life.workers.contains(&queue);
        self.alive.values().any(|life| looks(life) && life.running.is_empty())
    }

    /// Whether some worker of a queue looks for jobs.
    #[must_use]
    pub fn worker_up(&self, queue: QueueId) -> bool {
        self.alive.values().any(|life| !life.leaving && life.workers.contains(&queue))
    }
}
