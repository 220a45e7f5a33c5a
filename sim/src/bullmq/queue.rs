//! The Queue: connection start, adds, registrations, in their round trips.
//!
//! Everything of one Queue goes over one connection, in the order in which it is sent. An add that
//! comes before the connection is ready waits for it; values such as timestamps are computed at the
//! points where the JavaScript computes them, which is not always when they are sent. The
//! older repeat API is in `repeat`, job schedulers are in `scheduler`, what is done to a queue
//! besides in `manage`.

mod manage;
mod repeat;
mod scheduler;

pub use manage::Listed;
pub(super) use repeat::update_repeatable_job;
pub(super) use scheduler::{is_job_scheduler, next_iteration};

use super::client::Client;
use super::ids::{refused_by_add, refused_by_job};
use super::keys::Keys;
use super::options::{Options, RepeatOptions};
use super::scripts::{AddJob, Call, RegistrationOptions};
use super::{QueueError, Version};
use crate::clock::Instant;
use crate::event::By;
use crate::redis::{Bytes, Command};
use crate::servers::Ctx;
use std::rc::Rc;
use tokio::sync::OnceCell;

/// A Queue object of one process. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    /// The `Repeat` object of 5.x, which says `INFO` once more when it is first used.
    repeat: Rc<OnceCell<()>>,
    /// The `JobScheduler` object, which does too in 5.x.
    scheduler: Rc<OnceCell<()>>,
}

/// A job to add.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its name.
    pub name: Bytes,
    /// Its data as JSON.
    pub data: Bytes,
    /// Its options.
    pub options: Options,
    /// The tick that its id names, for its event alone.
    pub tick: Option<Instant>,
}

impl Queue {
    /// `new Queue`: connects, and writes `meta` as soon as the connection is ready, awaited by
    /// nobody but before any add of this object.
    pub fn open(ctx: &Ctx, keys: Rc<Keys>, version: Version) -> Self {
        let client = Client::of_queue(ctx, keys, version);
        let starting = client.clone();
        ctx.spawn(async move {
            // Its errors are swallowed by BullMQ, too.
            drop(starting.start().await);
        });
        Queue { client, repeat: Rc::default(), scheduler: Rc::default() }
    }

    /// The same object, its calls asked for by something else: for their events alone.
    #[must_use]
    pub fn by(mut self, by: By) -> Self {
        self.client = self.client.by(by);
        self
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `queue.add`.
    ///
    /// # Errors
    /// A pattern that does not parse; an id that is refused; an error of Redis.
    pub async fn add(&self, job: NewJob) -> Result<(), QueueError> {
        let version = self.client.version();
        // 6.x has no older API and says nothing: the job is an ordinary one.
        if job.options.repeat.is_some() && version < Version::V6_7_0 {
            check_end_date(&job, self.client.ctx().now_ms())?;
            self.client.ready().await?;
            return update_repeatable_job(&self.client, &self.repeat, job, true).await;
        }
        let id = job.options.job_id.as_deref();
        if let Some(refused) = id.and_then(|id| refused_by_add(id, version)) {
            return Err(QueueError::Refused(refused));
        }
        // 5.x makes the job when the connection is ready, 6.x at once.
        if version < Version::V6_7_0 {
            self.client.ready().await?;
        }
        let timestamp = self.client.ctx().now_ms();
        validate_options(&job, version)?;
        self.client.ready().await?;
        let call = add_call(job, timestamp, None, version);
        self.client.script(call).await.map(drop)
    }

    /// `queue.close`: `QUIT` after everything that was sent.
    ///
    /// # Errors
    /// If the connection is closed already.
    pub async fn close(&self) -> Result<(), QueueError> {
        self.client.ready().await?;
        self.client.command(Command::Quit).await?;
        self.client.disconnect();
        Ok(())
    }

    /// The extra `INFO` of an object that shares the connection, at its first use.
    async fn info_once(&self, object: &OnceCell<()>) -> Result<(), QueueError> {
        info_once(&self.client, object).await
    }
}

/// `INFO` for an object that shares a connection and has not said it yet. In 6.x it shares what has
/// said it.
pub(super) async fn info_once(client: &Client, object: &OnceCell<()>) -> Result<(), QueueError> {
    if client.version() >= Version::V6_7_0 {
        return Ok(());
    }
    let info = async { client.command(Command::Info).await.map(drop) };
    object.get_or_try_init(|| info).await.copied()
}

/// `Job.create`: one script.
async fn create(
    client: &Client,
    job: NewJob,
    timestamp: i64,
    registration: Option<Bytes>,
) -> Result<(), QueueError> {
    validate_options(&job, client.version())?;
    client.script(add_call(job, timestamp, registration, client.version())).await.map(drop)
}

/// What both repeat APIs ask first.
fn check_end_date(job: &NewJob, now: i64) -> Result<(), QueueError> {
    match job.options.repeat.as_ref().and_then(|repeat| repeat.end_date) {
        Some(end) if end < now => {
            Err(QueueError::Refused("End date must be greater than current timestamp"))
        }
        _ => Ok(()),
    }
}

/// `Job.validateOptions`.
fn validate_options(job: &NewJob, version: Version) -> Result<(), QueueError> {
    let counted = job.options.repeat.as_ref().is_none_or(|repeat| repeat.count.is_some());
    if !counted && job.options.delay.is_some_and(|delay| delay > 0) {
        match version {
            Version::V5_34_10 => {
                return Err(QueueError::Refused(
                    "Delay and repeat options could not be used together",
                ));
            }
            Version::V5_81_5 => {
                return Err(QueueError::Refused(
                    "Delay and repeat options cannot be used together",
                ));
            }
            Version::V6_7_0 => {}
        }
    }
    let id = job.options.job_id.as_deref();
    match id.and_then(|id| refused_by_job(id, version)) {
        Some(refused) => Err(QueueError::Refused(refused)),
        None => Ok(()),
    }
}

/// The script of an add, chosen by the version: in 5.34 a delay of 0 is a delay.
fn add_call(job: NewJob, timestamp: i64, registration: Option<Bytes>, version: Version) -> Call {
    let attempts = Some(job.options.attempts.unwrap_or(0));
    let options = Options { attempts, ..job.options };
    let priority = options.priority.unwrap_or(0);
    let add = Box::new(AddJob {
        id: options.job_id.as_deref().map(Bytes::from),
        name: job.name,
        data: job.data,
        options: options.to_json().into(),
        timestamp,
        delay: options.delay.unwrap_or(0),
        priority,
        lifo: options.lifo,
        registration,
        deduplication: options.deduplication,
        tick: job.tick,
    });
    let delayed = options.delay.is_some_and(|delay| delay > 0 || version < Version::V5_81_5);
    match (delayed, priority) {
        (true, _) => Call::AddDelayedJob(add),
        (false, 0) => Call::AddStandardJob(add),
        (false, _) => Call::AddPrioritizedJob(add),
    }
}

fn registration_options(name: Bytes, repeat: &RepeatOptions) -> RegistrationOptions {
    RegistrationOptions {
        name,
        tz: repeat.tz.as_deref().map(Bytes::from),
        pattern: repeat.pattern.as_deref().map(Bytes::from),
        every: repeat.every,
        end_date: repeat.end_date,
        ..RegistrationOptions::default()
    }
}
