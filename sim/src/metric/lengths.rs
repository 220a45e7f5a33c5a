//! Where the jobs of a queue stand, counted entry by entry, as BullMQ's `getJobCounts` would count them
//! in Redis.

use crate::event::{By, Finish, JobId, JobList, JobState, QueueEvent};
use std::collections::BTreeSet;

/// The entries of one queue's lists and sets.
#[derive(Clone, Debug, Default)]
pub(super) struct Lengths {
    waiting: u64,
    active: u64,
    /// Those that were put where priorities count. One that was delayed before is said to wait.
    prioritized: BTreeSet<JobId>,
    delayed: BTreeSet<JobId>,
    completed: BTreeSet<JobId>,
    failed: BTreeSet<JobId>,
    paused: bool,
}

impl Lengths {
    pub(super) fn fold(&mut self, by: By, event: &QueueEvent) {
        match event {
            QueueEvent::Added(added) => self.enter(&added.job, added.state),
            QueueEvent::Promoted { job } => {
                self.delayed.remove(job);
                self.waiting += 1;
            }
            QueueEvent::Rescheduled { job, .. } => {
                self.delayed.insert(job.clone());
            }
            QueueEvent::Fetched { job } => {
                self.leave_wait(job);
                self.active += 1;
            }
            QueueEvent::Finished { job, how, kept } => {
                less(&mut self.active);
                let set = match how {
                    Finish::Completed => &mut self.completed,
                    Finish::Failed => &mut self.failed,
                };
                if *kept {
                    set.insert(job.clone());
                }
            }
            QueueEvent::Retried { job, state } => {
                less(&mut self.active);
                self.enter(job, *state);
            }
            QueueEvent::Stalled { .. } => {
                less(&mut self.active);
                self.waiting += 1;
            }
            QueueEvent::Reprocessed { job } => {
                self.forget(job);
                self.waiting += 1;
            }
            QueueEvent::Dropped { job, from } => match from {
                JobList::Wait | JobList::Paused | JobList::Prioritized => self.leave_wait(job),
                JobList::Active => less(&mut self.active),
                JobList::Delayed => drop(self.delayed.remove(job)),
                JobList::Completed => drop(self.completed.remove(job)),
                JobList::Failed => drop(self.failed.remove(job)),
            },
            QueueEvent::Removed { job } => {
                self.forget(job);
                // Scripts that take a hash of a delayed job take its entry, too. An eviction does not.
                if by != By::Redis {
                    self.delayed.remove(job);
                }
            }
            QueueEvent::Paused => self.paused = true,
            QueueEvent::Resumed => self.paused = false,
            _ => {}
        }
    }

    /// Redis loses everything, that the queue is paused, too.
    pub(super) fn flush(&mut self) {
        *self = Lengths::default();
    }

    /// How many there are in a state of BullMQ's. `lists_paused`: what waits in a queue that is paused
    /// stands in a list of its own.
    pub(super) fn of(&self, state: &str, lists_paused: bool) -> u64 {
        let paused = self.paused && lists_paused;
        match state {
            "active" => self.active,
            "completed" => self.completed.len() as u64,
            "delayed" => self.delayed.len() as u64,
            "failed" => self.failed.len() as u64,
            "prioritized" => self.prioritized.len() as u64,
            "waiting" if !paused => self.waiting,
            "paused" if paused => self.waiting,
            // Flows are not modelled: nobody waits for children.
            _ => 0,
        }
    }

    fn enter(&mut self, job: &JobId, state: JobState) {
        match state {
            JobState::Wait => self.waiting += 1,
            JobState::Prioritized => drop(self.prioritized.insert(job.clone())),
            JobState::Delayed(_) => drop(self.delayed.insert(job.clone())),
        }
    }

    fn leave_wait(&mut self, job: &JobId) {
        if !self.prioritized.remove(job) {
            less(&mut self.waiting);
        }
    }

    /// The hash of a finished job is gone, and its entry with it.
    fn forget(&mut self, job: &JobId) {
        self.completed.remove(job);
        self.failed.remove(job);
    }
}

/// One less: what was lost in a failover may be heard of once more.
fn less(count: &mut u64) {
    *count = count.saturating_sub(1);
}
