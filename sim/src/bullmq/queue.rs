//! The Queue: connection start, adds, registrations, in their round trips.
//!
//! Everything of one Queue goes over one connection, in the order in which it is sent. An add that
//! comes before the connection is ready waits for it; values such as timestamps are computed at the
//! points where the JavaScript computes them, which is not always when they are sent. What is done
//! to a queue besides is in `manage`.

mod manage;

use super::keys::{Keys, iteration_id};
use super::options::{Options, RepeatOptions};
use super::repeat::{concat_options, md5_hex, next_millis, next_of_pattern};
use super::scripts::{
    AddJob, AddJobScheduler, AddRepeatableJob, Call, QueueCall, RegistrationOptions,
    RemoveRepeatable, Returned, UpdateJobScheduler,
};
use super::{QueueError, Version};
use crate::clock::Instant;
use crate::event::By;
use crate::redis::{self, Bytes, Command};
use crate::servers::{Conn, Ctx, REDIS, Reply, Request};
use std::future::Future;
use std::rc::Rc;
use tokio::sync::{OnceCell, SetOnce};

/// A connection to Redis as BullMQ opens it.
#[derive(Clone)]
pub struct Client {
    conn: Conn,
    keys: Rc<Keys>,
    version: Version,
    by: By,
    ready: Rc<SetOnce<Result<(), QueueError>>>,
}

impl Client {
    /// Opens a connection for a queue; nothing is sent yet.
    pub fn open(ctx: &Ctx, keys: Rc<Keys>, version: Version) -> Self {
        Client { conn: ctx.connect(REDIS), keys, version, by: By::Worker, ready: Rc::default() }
    }

    /// The version of the library.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The process's context.
    pub fn ctx(&self) -> &Ctx {
        self.conn.ctx()
    }

    /// A number that no other connection of the run has.
    pub fn id(&self) -> u32 {
        self.conn.id().0
    }

    /// The queue's keys.
    pub fn keys(&self) -> &Rc<Keys> {
        &self.keys
    }

    /// Closes the connection at once.
    pub fn disconnect(&self) {
        self.conn.close();
    }

    /// Makes the connection ready: `INFO` for ioredis, `INFO` for BullMQ. Called once, by whoever
    /// opened it, who then goes on before those who wait.
    ///
    /// # Errors
    /// If the connection is closed meanwhile.
    pub async fn connect(&self) -> Result<(), QueueError> {
        let done = self.say_info_twice().await;
        self.ready.set(done.clone()).expect("a connection is made ready once");
        done
    }

    async fn say_info_twice(&self) -> Result<(), QueueError> {
        self.command(Command::Info).await?;
        self.command(Command::Info).await.map(drop)
    }

    /// Waits until the connection is ready; who waits goes on in the order of coming.
    ///
    /// # Errors
    /// If the connection is closed before.
    pub async fn ready(&self) -> Result<(), QueueError> {
        self.ready.wait().await.clone()
    }

    async fn start(&self) -> Result<(), QueueError> {
        self.connect().await?;
        let pairs = vec![
            ("opts.maxLenEvents".into(), Bytes::from_int(10_000)),
            ("version".into(), format!("bullmq:{}", self.version.number()).into()),
        ];
        self.command(Command::HSet { key: self.keys.meta.clone(), pairs }).await.map(drop)
    }

    /// Sends a command now, and returns the reply to come. What Redis replies is the caller's
    /// business, an error reply too.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn command(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<redis::Reply, QueueError>> + use<> {
        let reply = self.conn.call(Request::Redis(command));
        async {
            match reply.await? {
                Reply::Redis(reply) => Ok(reply),
                other => unreachable!("a command is answered with {other:?}"),
            }
        }
    }

    /// Sends a script now, and returns what it will return.
    ///
    /// # Errors
    /// BullMQ's negative codes, and errors of Redis.
    pub fn script(&self, call: Call) -> impl Future<Output = Result<Returned, QueueError>> + use<> {
        let call = QueueCall { keys: self.keys.clone(), version: self.version, by: self.by, call };
        let reply = self.conn.call(Request::Script(call));
        async {
            match reply.await? {
                Reply::Script(Returned::Failed(error)) => Err(QueueError::Redis(error)),
                Reply::Script(Returned::Code(code)) if code < 0 => {
                    Err(QueueError::Code(i8::try_from(code).unwrap_or(i8::MIN)))
                }
                Reply::Script(returned) => Ok(returned),
                other => unreachable!("a script is answered with {other:?}"),
            }
        }
    }
}

/// A Queue object of one process. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    /// The `Repeat` object, which says `INFO` once more when it is first used.
    repeat: Rc<OnceCell<()>>,
    /// The `JobScheduler` object, which does too.
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
        let client = Client::open(ctx, keys, version);
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
        self.client.by = by;
        self
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `queue.add`.
    ///
    /// # Errors
    /// A pattern that does not parse; an error of Redis.
    pub async fn add(&self, job: NewJob) -> Result<(), QueueError> {
        self.client.ready().await?;
        if job.options.repeat.is_some() {
            return self.add_repeatable(job).await;
        }
        let timestamp = self.client.ctx().now_ms();
        self.create(job, timestamp, None).await
    }

    /// `Job.create`: one script.
    async fn create(
        &self,
        job: NewJob,
        timestamp: i64,
        registration: Option<Bytes>,
    ) -> Result<(), QueueError> {
        self.client.script(add_call(job, timestamp, registration)).await.map(drop)
    }

    /// `Repeat.updateRepeatableJob`: two round trips. The next millisecond is computed before the
    /// first, its delay after it.
    async fn add_repeatable(&self, mut job: NewJob) -> Result<(), QueueError> {
        let mut repeat = job.options.repeat.take().unwrap_or_default();
        if repeat.limit.is_some_and(|limit| limit < 1) {
            return Ok(());
        }
        let ctx = self.client.ctx();
        let now = ctx.now_ms();
        let next = next_millis(&repeat, now, now, &ctx.zone());
        let at_once = repeat.immediately;
        // `(await this.repeat)` is an object already; its scripts wait for its own `INFO`.
        let next = match next? {
            Some(next) => next,
            None => return Ok(()),
        };
        if at_once && repeat.every.is_some() {
            repeat.offset = Some(now - next);
        }
        repeat.job_id = job.options.job_id.take();
        let name = String::from_utf8_lossy(&job.name).into_owned();
        let legacy_key = concat_options(&name, &repeat);
        let key = repeat.key.clone().unwrap_or_else(|| md5_hex(&legacy_key));
        self.info_once(&self.repeat).await?;
        let first = AddRepeatableJob {
            next_millis: next,
            options: registration_options(job.name.clone(), &repeat),
            legacy_key: legacy_key.into(),
            key: key.into(),
        };
        let key = match self.client.script(Call::AddRepeatableJob(Box::new(first))).await? {
            Returned::Id(key) => key,
            other => unreachable!("addRepeatableJob returns a key, not {other:?}"),
        };
        let now = ctx.now_ms();
        let delay = next + repeat.offset.unwrap_or(0) - now;
        job.options.job_id = Some(String::from_utf8_lossy(&iteration_id(&key, next)).into_owned());
        job.options.delay = Some(if at_once { 0 } else { delay.max(0) });
        job.options.timestamp = Some(now);
        job.options.prev_millis = Some(next);
        job.options.repeat = Some(RepeatOptions { immediately: false, count: Some(1), ..repeat });
        job.tick = Some(Instant::from_ms(next));
        self.create(job, now, Some(key)).await
    }

    /// `queue.upsertJobScheduler`: one script, computed before it.
    ///
    /// # Errors
    /// A pattern that does not parse; an error of Redis.
    pub async fn upsert_job_scheduler(&self, id: &str, job: NewJob) -> Result<(), QueueError> {
        self.client.ready().await?;
        let ctx = self.client.ctx();
        let Some(next) = next_iteration(ctx, self.client.version, job.options.clone())? else {
            return Ok(());
        };
        let repeat = job.options.repeat.unwrap_or_default();
        let template = Options { repeat: None, ..job.options };
        let id = Bytes::from(id);
        let delay = next.options.delay.unwrap_or(0);
        self.info_once(&self.scheduler).await?;
        let call = AddJobScheduler {
            next_millis: next.millis,
            options: registration_options(job.name, &repeat),
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
        self.client.script(Call::AddJobScheduler(Box::new(call))).await.map(drop)
    }

    /// `queue.removeRepeatable`: whether there was one.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn remove_repeatable(
        &self,
        name: &str,
        repeat: RepeatOptions,
    ) -> Result<bool, QueueError> {
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

/// `INFO` for an object that shares a connection and has not said it yet.
pub(super) async fn info_once(client: &Client, object: &OnceCell<()>) -> Result<(), QueueError> {
    let info = async { client.command(Command::Info).await.map(drop) };
    object.get_or_try_init(|| info).await.copied()
}

/// The script of an add, chosen as 5.34 chooses it (a delay of 0 is a delay).
fn add_call(job: NewJob, timestamp: i64, registration: Option<Bytes>) -> Call {
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
    match (options.delay, priority) {
        (Some(_), _) => Call::AddDelayedJob(add),
        (None, 0) => Call::AddStandardJob(add),
        (None, _) => Call::AddPrioritizedJob(add),
    }
}

fn registration_options(name: Bytes, repeat: &RepeatOptions) -> RegistrationOptions {
    RegistrationOptions {
        name,
        tz: repeat.tz.as_deref().map(Bytes::from),
        pattern: repeat.pattern.as_deref().map(Bytes::from),
        every: repeat.every,
    }
}

/// The next iteration of a job scheduler.
pub(super) struct Iteration {
    pub(super) millis: i64,
    options: Options,
}

impl Iteration {
    fn options_of(&self, registration: &Bytes) -> Bytes {
        let id = iteration_id(registration, self.millis);
        let job_id = Some(String::from_utf8_lossy(&id).into_owned());
        Options { job_id, ..self.options.clone() }.to_json().into()
    }

    fn deduplication(&self) -> Option<Bytes> {
        self.options.deduplication.as_ref().map(|held| held.id.as_str().into())
    }

    /// The call that makes it, by the iteration that runs, sent at `timestamp`.
    pub(super) fn update(
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

/// What `JobScheduler.upsertJobScheduler` of 5.34.10 computes before its script, for an upsert and
/// for the next iteration alike; `None` where there is none.
pub(super) fn next_iteration(
    ctx: &Ctx,
    version: Version,
    options: Options,
) -> Result<Option<Iteration>, QueueError> {
    let repeat = options.repeat.clone().unwrap_or_default();
    let count = repeat.count.unwrap_or(0) + 1;
    if repeat.limit.is_some_and(|limit| count > limit) {
        return Ok(None);
    }
    let previous = options.prev_millis.unwrap_or(0);
    let clock = ctx.now_ms();
    let now = previous.max(clock);
    let mut offset = repeat.offset.unwrap_or(0);
    let millis = match (repeat.every, &repeat.pattern) {
        (Some(every), _) => {
            let slot = now.div_euclid(every) * every;
            if previous != 0 || offset != 0 {
                Some(slot + every)
            } else {
                offset = now - slot;
                Some(slot)
            }
        }
        (None, Some(pattern)) => {
            let next = next_of_pattern(version, &repeat, pattern, now, clock, &ctx.zone())?;
            next.map(|next| next.max(now))
        }
        (None, None) => None,
    };
    let Some(millis) = millis else { return Ok(None) };
    let timestamp = ctx.now_ms();
    let repeat =
        RepeatOptions { immediately: false, count: Some(count), offset: Some(offset), ..repeat };
    let options = Options {
        delay: Some((millis + offset - timestamp).max(0)),
        timestamp: Some(timestamp),
        prev_millis: Some(millis),
        repeat: Some(repeat),
        ..options
    };
    Ok(Some(Iteration { millis, options }))
}
