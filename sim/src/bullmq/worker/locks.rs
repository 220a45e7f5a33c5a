//! The two timers of a worker: one renews the locks of its jobs, one looks for jobs without any.
//!
//! Source: `worker.js` of 5.34.10, `lock-manager.js` of 5.81.5 and 6.7.0.

use super::super::scripts::{Call, ExtendLocks, MoveStalledJobsToWait, Returned};
use super::{Job, Version, Worker};
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Command};

/// A job that is processed.
pub(super) struct InProgress {
    id: Bytes,
    token: Bytes,
    /// When its lock was last renewed.
    ts: i64,
}

impl Worker {
    /// Begins to renew a job's lock: from now on (5.34), or from when it was fetched. Later versions
    /// know a job by its id alone.
    pub(super) fn track(&self, job: &Job) {
        let by_id = self.version() >= Version::V5_81_5;
        let ts = if by_id { job.processed_on } else { self.ctx().now_ms() };
        let item = InProgress { id: job.id.clone(), token: job.token.clone(), ts };
        let mut in_progress = self.0.in_progress.borrow_mut();
        match in_progress.iter_mut().find(|other| by_id && other.id == item.id) {
            Some(other) => *other = item,
            None => in_progress.push(item),
        }
        drop(in_progress);
        self.0.began.notify_waiters();
    }

    /// Ends it.
    pub(super) fn forget(&self, job: &Job) {
        let by_id = self.version() >= Version::V5_81_5;
        let same = |item: &InProgress| item.id == job.id && (by_id || item.token == job.token);
        let mut in_progress = self.0.in_progress.borrow_mut();
        if let Some(place) = in_progress.iter().position(same) {
            in_progress.remove(place);
        }
    }

    /// `startLockExtenderTimer`: the timer is armed anew after each pass. Passes that would find no
    /// job are left out: they send nothing, and what follows is armed as if they had been.
    pub(super) async fn renew_locks(self) {
        let tick = self.0.settings.renew_tick;
        let mut armed = self.ctx().true_time();
        loop {
            while self.0.in_progress.borrow().is_empty() {
                self.0.began.notified().await;
            }
            self.ctx().next_tick(armed, tick).await;
            let jobs = self.locks_to_renew(tick.ms());
            if !jobs.is_empty() {
                let duration = self.0.fetch.lock_duration;
                let call = Call::ExtendLocks(Box::new(ExtendLocks { jobs, duration }));
                // An error is emitted and nothing else; the next pass comes.
                drop(self.0.main.script(call).await);
            }
            armed = self.ctx().true_time();
        }
    }

    /// Jobs whose last renewal is longer ago than one tick, strictly.
    fn locks_to_renew(&self, tick_ms: i64) -> Vec<(Bytes, Bytes)> {
        let mut in_progress = self.0.in_progress.borrow_mut();
        let now = self.ctx().now_ms();
        let mut jobs = Vec::new();
        for item in in_progress.iter_mut().filter(|item| item.ts + tick_ms < now) {
            item.ts = now;
            if !jobs.is_empty() && planted(Mutant::O7) {
                continue;
            }
            jobs.push((item.id.clone(), item.token.clone()));
        }
        jobs
    }

    /// `stalledChecker`: once at the start, then after every interval, until the worker closes.
    pub(super) async fn check_stalled(self) {
        if self.0.main.ready().await.is_err() {
            return;
        }
        while !self.0.closing.get() {
            let call = Call::MoveStalledJobsToWait(MoveStalledJobsToWait {
                max_stalled_count: self.0.settings.max_stalled_count,
                timestamp: self.ctx().now_ms(),
                interval: self.0.settings.stalled_interval.ms(),
            });
            if let Ok(Returned::Stalled(found)) = self.0.main.script(call).await {
                for id in found.failed {
                    // Job.fromId, only to tell listeners about it (5.34).
                    let job = self.0.main.keys().job(&id);
                    drop(self.0.main.command(Command::HGetAll(job)).await);
                }
            }
            self.ctx().sleep(self.0.settings.stalled_interval).await;
        }
    }
}
