//! What is left in a queue at the end of a run, folded from its events: lists, sets, registrations.
//!
//! It does to plain lists what the events say that the scripts did to Redis, so that a script that
//! changes something and does not say so shows as a wrong count here.

use bootrace_sim::clock::Instant;
use bootrace_sim::event::{Finish, JobId, JobList, JobState, QueueEvent, RegistrationKey};
use std::collections::BTreeMap;

/// A queue at some point of a run.
#[derive(Default)]
pub(crate) struct Queue {
    /// As LRANGE gives it: the last one is taken next.
    pub(crate) wait: Vec<JobId>,
    /// As LRANGE gives it.
    pub(crate) active: Vec<JobId>,
    pub(crate) prioritized: Vec<JobId>,
    /// By the instant at which they are due.
    pub(crate) delayed: Vec<(Instant, JobId)>,
    /// In the order in which they finished.
    pub(crate) completed: Vec<JobId>,
    pub(crate) failed: Vec<JobId>,
    pub(crate) registrations: BTreeMap<RegistrationKey, Registration>,
    is_paused: bool,
    /// 6.x alone: paused jobs stay in `wait`.
    one_list: bool,
    /// The entry that an operation has just taken out: its hash may follow.
    taken: Option<JobId>,
}

/// What the options of a job say about where it goes, which events do not say.
#[derive(Clone, Copy, Default)]
pub(crate) struct Kind {
    pub(crate) lifo: bool,
    pub(crate) has_priority: bool,
}

/// A registration, as it was last written.
pub(crate) struct Registration {
    pub(crate) name: String,
    pub(crate) next: Instant,
}

impl Queue {
    /// Takes in one event, about a job of a kind.
    pub(crate) fn see(&mut self, event: &QueueEvent, kind: Kind) {
        let taken = self.taken.take();
        match event {
            QueueEvent::Added(added) => self.put(&added.job, added.state, kind),
            QueueEvent::Promoted { job } => {
                self.delayed.retain(|(_, other)| other != job);
                if kind.has_priority {
                    self.prioritized.push(job.clone());
                } else {
                    self.wait.insert(0, job.clone());
                }
            }
            QueueEvent::Fetched { job } => {
                take_last(&mut self.wait, job);
                take_last(&mut self.prioritized, job);
                self.active.insert(0, job.clone());
            }
            QueueEvent::Finished { job, how, kept } => {
                take_last(&mut self.active, job);
                if *kept {
                    let set = match how {
                        Finish::Completed => &mut self.completed,
                        Finish::Failed => &mut self.failed,
                    };
                    set.retain(|other| other != job);
                    set.push(job.clone());
                }
            }
            QueueEvent::Retried { job, state } => {
                take_last(&mut self.active, job);
                self.put(job, *state, kind);
            }
            QueueEvent::Rescheduled { job, due } => {
                self.put(job, JobState::Delayed(*due), kind);
            }
            QueueEvent::Stalled { job } => {
                take_last(&mut self.active, job);
                self.wait.push(job.clone());
            }
            QueueEvent::Removed { job } if taken.as_ref() == Some(job) => {}
            QueueEvent::Removed { job } => self.forget(job),
            QueueEvent::Dropped { job, from } => {
                self.take_out(job, *from);
                self.taken = Some(job.clone());
            }
            QueueEvent::Reprocessed { job } => {
                take_last(&mut self.failed, job);
                self.wait.insert(0, job.clone());
            }
            QueueEvent::Paused => self.is_paused = true,
            QueueEvent::Resumed => self.is_paused = false,
            QueueEvent::Registered(registered) => {
                let name = String::from_utf8_lossy(&registered.name).into_owned();
                let registration = Registration { name, next: registered.next };
                self.registrations.insert(registered.key.clone(), registration);
            }
            QueueEvent::Unregistered { key } => {
                self.registrations.remove(key);
            }
            _ => {}
        }
    }

    /// An empty queue.
    pub(crate) fn new(one_list: bool) -> Self {
        Queue { one_list, ..Queue::default() }
    }

    /// Whether `wait` is called `paused`.
    pub(crate) fn has_paused_list(&self) -> bool {
        self.is_paused && !self.one_list
    }

    fn put(&mut self, job: &JobId, state: JobState, kind: Kind) {
        match state {
            JobState::Wait if kind.lifo => self.wait.push(job.clone()),
            JobState::Wait => self.wait.insert(0, job.clone()),
            JobState::Prioritized => self.prioritized.push(job.clone()),
            JobState::Delayed(due) => {
                self.delayed.retain(|(_, other)| other != job);
                let place = self.delayed.partition_point(|(other, _)| *other <= due);
                self.delayed.insert(place, (due, job.clone()));
            }
        }
    }

    fn take_out(&mut self, job: &JobId, from: JobList) {
        match from {
            JobList::Prioritized if self.prioritized.contains(job) => {
                take_last(&mut self.prioritized, job);
            }
            JobList::Wait | JobList::Paused | JobList::Prioritized => {
                take_last(&mut self.wait, job);
            }
            JobList::Active => take_last(&mut self.active, job),
            JobList::Delayed => self.delayed.retain(|(_, other)| other != job),
            JobList::Completed => take_last(&mut self.completed, job),
            JobList::Failed => take_last(&mut self.failed, job),
        }
    }

    /// A job's hash is gone: it was delayed, or else it had finished.
    fn forget(&mut self, job: &JobId) {
        let before = self.delayed.len();
        self.delayed.retain(|(_, other)| other != job);
        if self.delayed.len() == before {
            self.completed.retain(|other| other != job);
            self.failed.retain(|other| other != job);
        }
    }

    /// Where a job is, in the recorder's words and order.
    pub(crate) fn place(&self, job: &str) -> &'static str {
        let has = |list: &[JobId]| list.iter().any(|other| id(other) == job);
        match () {
            () if has(&self.wait) && self.has_paused_list() => "paused",
            () if has(&self.wait) => "wait",
            () if has(&self.active) => "active",
            () if self.delayed.iter().any(|(_, other)| id(other) == job) => "delayed",
            () if has(&self.prioritized) => "prioritized",
            () if has(&self.completed) => "completed",
            () if has(&self.failed) => "failed",
            () => "missing",
        }
    }

    /// The ids of all jobs that will run, in the recorder's order.
    pub(crate) fn pending(&self) -> impl Iterator<Item = String> {
        let delayed = self.delayed.iter().map(|(_, job)| job);
        self.wait.iter().chain(&self.active).chain(delayed).map(id)
    }
}

/// A job's id as text.
pub(crate) fn id(job: &JobId) -> String {
    String::from_utf8_lossy(&job.0).into_owned()
}

/// Takes the last one of a list that is `job`, as LREM from the tail does.
fn take_last(list: &mut Vec<JobId>, job: &JobId) {
    if let Some(place) = list.iter().rposition(|other| other == job) {
        list.remove(place);
    }
}
