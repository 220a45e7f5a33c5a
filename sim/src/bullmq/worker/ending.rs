//! How an attempt ends: what a worker sends when a processor has returned or failed, and the job
//! that it gets for it.
//!
//! Source: `worker.js`, `job.js`.

use super::super::QueueError;
use super::super::options::KeepJobs;
use super::super::scripts::{
    Call, MoveJobFromActiveToWait, MoveToDelayed, MoveToFinished, Outcome, RetryJob, Returned,
};
use super::{Job, Worker};
use crate::clock::Span;
use crate::mutants::{Mutant, planted};
use crate::redis::Bytes;
use crate::servers::JITTER;
use std::rc::Rc;

/// Whether a failed attempt may be followed by another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// As the job's options ask for.
    AsAsked,
    /// `UnrecoverableError`.
    Never,
}

impl Worker {
    /// `handleCompleted`.
    pub(super) async fn completed(&self, job: &Job) -> Result<Option<Rc<Job>>, QueueError> {
        self.forget(job);
        let outcome = Outcome::Completed("null".into());
        let (own, workers) = (&job.options.remove_on_complete, self.0.settings.keep_completed);
        let keep = own.as_ref().map_or(workers, |own| KeepJobs::from(Some(own)));
        let returned = self.finish(job, outcome, keep, self.has_room()).await?;
        self.next_job(returned, job.token.clone()).await
    }

    /// `handleFailed` and `moveToFailed`. 5.34 takes the next job only with one that is failed for
    /// good, whether there is room for it or not.
    pub(super) async fn failed(
        &self,
        job: &Job,
        failed_reason: Bytes,
        retry: Retry,
    ) -> Result<Option<Rc<Job>>, QueueError> {
        self.forget(job);
        let (id, token) = (job.id.clone(), job.token.clone());
        let timestamp = self.ctx().now_ms();
        let fetch_next = !self.is_newer() || self.has_room();
        let (made, most) = (job.attempts_made + 1, job.options.attempts.unwrap_or(0));
        let again = made < most || made == most && planted(Mutant::O6);
        if !again || retry == Retry::Never {
            let (own, workers) = (&job.options.remove_on_fail, self.0.settings.keep_failed);
            let keep = own.as_ref().map_or(workers, |own| KeepJobs::from(Some(own)));
            let outcome = Outcome::Failed(failed_reason);
            let returned = self.finish(job, outcome, keep, fetch_next).await?;
            return self.next_job(returned, token).await;
        }
        let (least, most) = job.options.retry_delay(job.attempts_made + 1, self.version());
        let delay = if least < most {
            self.ctx().draw(JITTER, Span::from_ms(least), Span::from_ms(most)).ms()
        } else {
            most
        };
        if delay <= 0 {
            let lifo = job.options.lifo;
            let call = RetryJob { id, timestamp, lifo, token, failed_reason };
            self.0.main.script(Call::RetryJob(Box::new(call))).await?;
            return Ok(None);
        }
        let call = MoveToDelayed {
            id,
            timestamp,
            delay,
            token: token.clone(),
            failed_reason,
            fetch_next: fetch_next && self.is_newer() && !self.0.closing.get(),
            options: self.0.fetch.clone(),
        };
        let returned = self.0.main.script(Call::MoveToDelayed(Box::new(call))).await?;
        if self.is_newer() { self.next_job(returned, token).await } else { Ok(None) }
    }

    /// What follows on a `RateLimitError`: the job goes back, to be taken next, and this worker
    /// fetches nothing as long as the limiter's key lives, whoever set it.
    pub(super) async fn limited(&self, job: &Job) -> Result<(), QueueError> {
        self.forget(job);
        let call = MoveJobFromActiveToWait { id: job.id.clone(), token: job.token.clone() };
        let ttl = match self.0.main.script(Call::MoveJobFromActiveToWait(call)).await? {
            Returned::Code(ttl) => ttl,
            other => unreachable!("the script returns a number, not {other:?}"),
        };
        let from = if self.is_newer() && ttl > 0 { self.ctx().now_ms() } else { 0 };
        self.0.limit_until.set(from + ttl);
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.0.fifo.total() <= self.0.settings.concurrency
    }

    async fn finish(
        &self,
        job: &Job,
        outcome: Outcome,
        keep: KeepJobs,
        fetch_next: bool,
    ) -> Result<Returned, QueueError> {
        let call = MoveToFinished {
            id: job.id.clone(),
            timestamp: self.ctx().now_ms(),
            outcome,
            token: job.token.clone(),
            keep,
            attempts: job.options.attempts.unwrap_or(0),
            fetch_next: fetch_next && !self.0.closing.get(),
            options: self.0.fetch.clone(),
        };
        self.0.main.script(Call::MoveToFinished(Box::new(call))).await
    }
}
