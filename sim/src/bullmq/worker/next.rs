//! The iteration after the one that a worker has: made when a job is fetched, before it is processed.
//!
//! Source: `nextJobFromJobData` in `worker.js` of the three versions.

use super::super::queue::{
    NewJob, info_once, is_job_scheduler, next_iteration, update_repeatable_job,
};
use super::super::repeat::has_legacy_repeatable_key_shape;
use super::super::{QueueError, Version};
use super::{Job, Worker};
use crate::redis::Bytes;

impl Worker {
    /// The next iteration of the registration that a job is of: whether the job is to be processed.
    /// From 5.81 on it is left where it is if that fails, in `active` with its lock.
    pub(super) async fn make_next_iteration(&self, job: &Job) -> Result<bool, QueueError> {
        match self.next_of(job).await {
            Ok(()) => Ok(true),
            Err(error) if self.version() < Version::V5_81_5 => Err(error),
            Err(QueueError::Closed) => Err(QueueError::Closed),
            Err(_) => Ok(false),
        }
    }

    async fn next_of(&self, job: &Job) -> Result<(), QueueError> {
        let version = self.version();
        let repeats = job.options.repeat.is_some();
        if version < Version::V5_81_5 && (job.has_next || !repeats) {
            return Ok(());
        }
        let legacy_shape = |key: &Bytes| match version {
            Version::V5_34_10 => false,
            Version::V5_81_5 => key.split(|byte| *byte == b':').count() >= 5,
            Version::V6_7_0 => has_legacy_repeatable_key_shape(key),
        };
        let registration = match &job.registration {
            // The newer API counts iterations in the hash, the older does not.
            Some(key) if legacy_shape(key) => {
                let is = is_job_scheduler(&self.0.main, &self.0.scheduler, key).await?;
                Some(key).filter(|_| is)
            }
            key => key.as_ref(),
        };
        let Some(registration) = registration else {
            if version >= Version::V6_7_0 || !repeats {
                return Ok(());
            }
            let (name, data, options) = (job.name.clone(), job.data.clone(), job.options.clone());
            let next = NewJob { name, data, options, tick: None };
            return update_repeatable_job(&self.0.main, &self.0.repeat, next, false).await;
        };
        let Some(next) = next_iteration(&self.0.main, job.options.clone())? else {
            return Ok(());
        };
        info_once(&self.0.main, &self.0.scheduler).await?;
        let (key, data, id) = (registration.clone(), job.data.clone(), job.id.clone());
        let call = next.update(self.ctx().now_ms(), key, data, id);
        self.0.main.script(call).await.map(drop)
    }
}
