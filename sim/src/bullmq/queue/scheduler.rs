//! Job schedulers, the newer repeat API: what its client computes before each script.
//!
//! Source: `job-scheduler.js` and `queue.js` of the three versions. In 5.34 the client computes
//! every next instant; from 5.81 on it computes those of patterns, and the script those of `every`.

use super::super::keys::iteration_id;
use super::super::options::{Options, RepeatOptions};
use super::super::repeat::next_of_pattern;
use super::super::scripts::{
    AddJobScheduler, AddRepeatableJob, Call, RegistrationOptions, Returned, UpdateJobScheduler,
};
use super::super::{QueueError, Version};
use super::{Client, NewJob, Queue, check_end_date, registration_options};
use crate::clock::Instant;
use crate::mutants::{Mutant, planted};
use crate::redis::{Bytes, Command, Reply};
use tokio::sync::OnceCell;

impl Queue {
    /// `queue.upsertJobScheduler`: one script, computed before it.
    ///
    /// # Errors
    /// A pattern that does not parse, an end that has passed; -10 or -11 where a job has the id of
    /// the iteration (5.81 and later); an error of Redis.
    pub async fn upsert_job_scheduler(&self, id: &str, job: NewJob) -> Result<(), QueueError> {
        let ctx = self.client.ctx();
        check_end_date(&job, ctx.now_ms())?;
        self.client.ready().await?;
        let Some(next) = next_iteration(&self.client, job.options.clone())? else { return Ok(()) };
        let repeat = job.options.repeat.unwrap_or_default();
        if let Some(millis) = next.millis
            && planted(Mutant::Q1)
        {
            let job = NewJob { options: next.options, ..job };
            return self.upsert_in_two_trips(id.into(), job, &repeat, millis).await;
        }
        let template = Options { repeat: None, ..job.options };
        let id = Bytes::from(id);
        let delay = next.options.delay.unwrap_or(0);
        self.info_once(&self.scheduler).await?;
        let mut options = registration_options(job.name, &repeat);
        if self.client.version() >= Version::V5_81_5 {
            options = RegistrationOptions {
                limit: repeat.limit,
                start_date: repeat.start_date,
                offset: next.options.repeat.as_ref().and_then(|repeat| repeat.offset),
                ..options
            };
        }
        let call = AddJobScheduler {
            next_millis: next.millis,
            options,
            data: job.data,
            template: template.to_json().into(),
            deduplication: next.deduplication(),
            priority: template.priority.unwrap_or(0),
            job_options: next.options_of(&id),
            id,
            // The script's own time is taken when it is sent; the delay counts from then.
            timestamp: ctx.now_ms(),
            delay,
        };
        let added = self.client.script(Call::AddJobScheduler(Box::new(call))).await;
        added.map(drop).map_err(told)
    }

    /// What Q1 does in place of the script.
    async fn upsert_in_two_trips(
        &self,
        key: Bytes,
        mut job: NewJob,
        repeat: &RepeatOptions,
        next_millis: i64,
    ) -> Result<(), QueueError> {
        let options = registration_options(job.name.clone(), repeat);
        let (id, legacy_key) = (iteration_id(&key, next_millis), Bytes::new());
        let first = AddRepeatableJob { next_millis, options, legacy_key, key: key.clone() };
        self.client.script(Call::AddRepeatableJob(Box::new(first))).await?;
        job.options.job_id = Some(String::from_utf8_lossy(&id).into_owned());
        job.tick = Some(Instant::from_ms(next_millis));
        let now = self.client.ctx().now_ms();
        super::create(&self.client, job, now, Some(key)).await
    }

    /// `queue.removeJobScheduler`: whether there was one.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn remove_job_scheduler(&self, id: &str) -> Result<bool, QueueError> {
        self.client.ready().await?;
        self.info_once(&self.scheduler).await?;
        let removed = self.client.script(Call::RemoveJobScheduler(id.into())).await?;
        Ok(matches!(removed, Returned::Code(0)))
    }
}

/// What `finishedErrors` makes of a refusal.
fn told(error: QueueError) -> QueueError {
    QueueError::Refused(match error {
        QueueError::Code(-10) => {
            "Cannot create job scheduler iteration - job ID already exists. addJobScheduler"
        }
        QueueError::Code(-11) => {
            "Cannot create job scheduler iteration - current and next time slots already have jobs. \
             addJobScheduler"
        }
        error => return error,
    })
}

/// `JobScheduler.isJobScheduler`: whether a registration's hash counts iterations.
pub(in super::super) async fn is_job_scheduler(
    client: &Client,
    object: &OnceCell<()>,
    registration: &Bytes,
) -> Result<bool, QueueError> {
    super::info_once(client, object).await?;
    let hash = client.keys().registration(registration);
    // It asks HEXISTS, which is one more reader of the same field.
    let counts = Command::HGet { key: hash, field: "ic".into() };
    match client.command(counts).await? {
        Reply::Error(error) => Err(QueueError::Redis(error)),
        reply => Ok(reply != Reply::Nil),
    }
}

/// The next iteration of a job scheduler.
pub(in super::super) struct Iteration {
    /// Its millisecond; `None` where the script computes it.
    millis: Option<i64>,
    options: Options,
}

impl Iteration {
    fn options_of(&self, registration: &Bytes) -> Bytes {
        let id = self.millis.map(|millis| iteration_id(registration, millis));
        let job_id = id.map(|id| String::from_utf8_lossy(&id).into_owned());
        let repeat_job_key = Some(String::from_utf8_lossy(registration).into_owned());
        Options { job_id, repeat_job_key, ..self.options.clone() }.to_json().into()
    }

    fn deduplication(&self) -> Option<Bytes> {
        self.options.deduplication.as_ref().map(|held| held.id.as_str().into())
    }

    /// The call that makes it, by the iteration that runs, sent at `timestamp`.
    pub(in super::super) fn update(
        self,
        timestamp: i64,
        registration: Bytes,
        data: Bytes,
        producer: Bytes,
    ) -> Call {
        Call::UpdateJobScheduler(Box::new(UpdateJobScheduler {
            next_millis: self.millis,
            data,
            job_options: self.options_of(&registration),
            id: registration,
            timestamp,
            delay: self.options.delay.unwrap_or(0),
            priority: self.options.priority.unwrap_or(0),
            deduplication: self.deduplication(),
            producer,
        }))
    }
}

/// What `JobScheduler.upsertJobScheduler` computes before its script, for an upsert and for the
/// next iteration alike; `None` where there is none.
pub(in super::super) fn next_iteration(
    client: &Client,
    options: Options,
) -> Result<Option<Iteration>, QueueError> {
    let (ctx, version) = (client.ctx(), client.version());
    let repeat = options.repeat.clone().unwrap_or_default();
    if repeat.immediately && repeat.start_date.is_some() {
        return Err(QueueError::Refused(
            "Both .immediately and .startDate options are defined for this repeatable job",
        ));
    }
    let count = repeat.count.unwrap_or(0) + 1;
    if repeat.limit.is_some_and(|limit| count > limit) {
        return Ok(None);
    }
    let clock = ctx.now_ms();
    if repeat.end_date.is_some_and(|end| clock > end) {
        return Ok(None);
    }
    let previous = options.prev_millis.unwrap_or(0);
    let now = previous.max(clock);
    let next = if version >= Version::V5_81_5 {
        let offset = repeat.offset.filter(|offset| repeat.every.is_some() && *offset != 0);
        match (repeat.every, &repeat.pattern) {
            (Some(_), _) => Some((None, offset)),
            (None, Some(pattern)) => {
                let from = repeat.start_date.map_or(now, |start| start.max(now));
                next_of_pattern(version, &repeat, pattern, from, clock, &ctx.zone())?
                    .map(|next| (Some(next.max(now)), offset))
            }
            (None, None) => None,
        }
    } else {
        next_of_5_34(&repeat, previous, now, || match &repeat.pattern {
            // A pattern's `startDate` is not looked at.
            Some(pattern) => next_of_pattern(version, &repeat, pattern, now, clock, &ctx.zone()),
            None => Ok(None),
        })?
        .map(|(next, offset)| (Some(next), Some(offset)))
    };
    let Some((millis, offset)) = next else { return Ok(None) };
    let timestamp = ctx.now_ms();
    // 5.34 forgets the start.
    let start_date = repeat.start_date.filter(|_| version >= Version::V5_81_5);
    let repeat =
        RepeatOptions { immediately: false, count: Some(count), offset, start_date, ..repeat };
    let delay = millis.map(|millis| (millis + offset.unwrap_or(0) - timestamp).max(0));
    let repeat = Some(repeat);
    let options =
        Options { delay, timestamp: Some(timestamp), prev_millis: millis, repeat, ..options };
    Ok(Some(Iteration { millis, options }))
}

/// The next slot of `every` and the offset in it, or the next instant of a pattern, as 5.34 has
/// them: without a previous one the slot is the one that has begun.
fn next_of_5_34(
    repeat: &RepeatOptions,
    previous: i64,
    now: i64,
    of_pattern: impl FnOnce() -> Result<Option<i64>, QueueError>,
) -> Result<Option<(i64, i64)>, QueueError> {
    let offset = repeat.offset.unwrap_or(0);
    let Some(every) = repeat.every else {
        return Ok(of_pattern()?.map(|next| (next.max(now), offset)));
    };
    let start = repeat.start_date.map_or(now, |start| start.max(now));
    let slot = start.div_euclid(every) * every;
    let carried = previous != 0 || offset != 0;
    Ok(Some(if carried { (slot + every, offset) } else { (slot, start - slot) }))
}
