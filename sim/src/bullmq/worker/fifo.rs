//! `AsyncFifoQueue`: the results of operations under way, in the order in which they end.

use super::Job;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::Notify;

/// The operations of a worker: fetches, and jobs that are processed.
#[derive(Default)]
pub(super) struct Fifo {
    done: RefCell<VecDeque<Option<Rc<Job>>>>,
    pending: Cell<usize>,
    changed: Notify,
}

impl Fifo {
    /// How many are under way or have ended unseen.
    pub(super) fn total(&self) -> usize {
        self.pending.get() + self.queued()
    }

    /// How many have ended unseen.
    pub(super) fn queued(&self) -> usize {
        self.done.borrow().len()
    }

    pub(super) fn begin(&self) {
        self.pending.set(self.pending.get() + 1);
    }

    pub(super) fn end(&self, job: Option<Rc<Job>>) {
        self.pending.set(self.pending.get() - 1);
        self.done.borrow_mut().push_back(job);
        self.changed.notify_waiters();
    }

    /// The next result; `None` too if nothing is under way.
    pub(super) async fn fetch(&self) -> Option<Rc<Job>> {
        loop {
            if let Some(job) = self.done.borrow_mut().pop_front() {
                return job;
            }
            if self.pending.get() == 0 {
                return None;
            }
            self.changed.notified().await;
        }
    }

    pub(super) async fn wait_all(&self) {
        while self.pending.get() > 0 {
            self.changed.notified().await;
        }
    }
}
