//! The older repeat API, which 5.x has: two round trips for each iteration.
//!
//! Source: `repeat.js` of 5.34.10 and 5.81.5. The next millisecond is computed before the first
//! round trip, its delay after it.

use super::super::keys::iteration_id;
use super::super::options::RepeatOptions;
use super::super::repeat::{concat_options, md5_hex, next_millis};
use super::super::scripts::{
    AddRepeatableJob, Call, RemoveRepeatable, Returned, UpdateRepeatableJobMillis,
};
use super::super::{QueueError, Version};
use super::{Client, NewJob, Queue, create, info_once, registration_options};
use crate::clock::Instant;
use crate::redis::Bytes;
use tokio::sync::OnceCell;

impl Queue {
    /// `queue.removeRepeatable`: whether there was one.
    ///
    /// # Errors
    /// 6.x has no such method; an error of Redis.
    pub async fn remove_repeatable(
        &self,
        name: &str,
        repeat: RepeatOptions,
    ) -> Result<bool, QueueError> {
        if self.client.version() >= Version::V6_7_0 {
            return Err(QueueError::Refused("queue.removeRepeatable is not a function"));
        }
        self.client.ready().await?;
        self.info_once(&self.repeat).await?;
        let legacy_key = concat_options(name, &repeat);
        let hashed = md5_hex(&legacy_key);
        let job_id = repeat.job_id.as_deref().unwrap_or_default();
        let legacy =
            repeat.key.clone().unwrap_or_else(|| md5_hex(&format!("{name}{job_id}{hashed}")));
        let call = RemoveRepeatable {
            legacy_job_id: format!("repeat:{legacy}:").into(),
            legacy_key: legacy_key.into(),
            key: repeat.key.unwrap_or(hashed).into(),
        };
        let removed = self.client.script(Call::RemoveRepeatable(Box::new(call))).await?;
        Ok(matches!(removed, Returned::Code(0)))
    }
}

/// `Repeat.updateRepeatableJob`, for an add and, with a job that a worker has, for the iteration
/// after it.
pub(in super::super) async fn update_repeatable_job(
    client: &Client,
    object: &OnceCell<()>,
    mut job: NewJob,
    is_add: bool,
) -> Result<(), QueueError> {
    let mut repeat = job.options.repeat.take().unwrap_or_default();
    let count = repeat.count.unwrap_or(0) + 1;
    if repeat.limit.is_some_and(|limit| count > limit) {
        return Ok(());
    }
    let ctx = client.ctx();
    let clock = ctx.now_ms();
    if repeat.end_date.is_some_and(|end| clock > end) {
        return Ok(());
    }
    let previous = job.options.prev_millis.unwrap_or(0);
    let now = previous.max(clock);
    let next = next_millis(&repeat, now, clock, &ctx.zone());
    let at_once = repeat.immediately;
    // The object is there already; its scripts wait for its own `INFO`.
    let Some(next) = next? else { return Ok(()) };
    if at_once && repeat.every.is_some() {
        repeat.offset = Some(now - next);
    }
    if previous == 0 {
        repeat.job_id = job.options.job_id.take().or(repeat.job_id);
    }
    let name = String::from_utf8_lossy(&job.name).into_owned();
    let legacy_key = concat_options(&name, &repeat);
    let key = repeat.key.clone().unwrap_or_else(|| md5_hex(&legacy_key));
    info_once(client, object).await?;
    let (key, legacy_key) = (key.into(), legacy_key.into());
    let first = if is_add {
        let options = registration_options(job.name.clone(), &repeat);
        let first = AddRepeatableJob { next_millis: next, options, legacy_key, key };
        Call::AddRepeatableJob(Box::new(first))
    } else {
        let first = UpdateRepeatableJobMillis { next_millis: next, key, legacy_key };
        Call::UpdateRepeatableJobMillis(Box::new(first))
    };
    let key = match client.script(first).await? {
        Returned::Id(key) => key,
        other => unreachable!("a registration's script returns a key, not {other:?}"),
    };
    let now = ctx.now_ms();
    let delay = next + repeat.offset.unwrap_or(0) - now;
    job.options.job_id = Some(next_id(&name, &key, next));
    job.options.delay = Some(if at_once { 0 } else { delay.max(0) });
    job.options.timestamp = Some(now);
    job.options.prev_millis = Some(next);
    job.options.repeat = Some(RepeatOptions { immediately: false, count: Some(count), ..repeat });
    job.tick = Some(Instant::from_ms(next));
    // A registration that is not there has no name; its iterations go on all the same.
    let registration = Some(key).filter(|key| !key.is_empty());
    create(client, job, now, registration).await
}

/// `getRepeatJobKey`: a key of an old version is hashed once more.
fn next_id(name: &str, key: &Bytes, next: i64) -> String {
    let text = String::from_utf8_lossy(key);
    if text.split(':').count() > 2 {
        return format!("repeat:{}:{next}", md5_hex(&format!("{name}{}", md5_hex(&text))));
    }
    String::from_utf8_lossy(&iteration_id(key, next)).into_owned()
}
