//! The Worker: main loop, next iteration at fetch, processing, lock renewal, stalled check, close.
//!
//! Source: `worker.js` of 5.34.10, whose main loop this follows branch by branch. Two connections:
//! M carries scripts, B only blocks. The processor is the caller's; this file does not know what a
//! job does.

mod next;

use super::keys::Keys;
use super::options::{KeepJobs, Options};
use super::queue::Client;
use super::scripts::{
    Call, ExtendLocks, FetchOptions, Fetched, MoveStalledJobsToWait, MoveToActive, MoveToDelayed,
    MoveToFinished, Outcome, RetryJob, Returned,
};
use super::{QueueError, Version};
use crate::clock::Span;
use crate::event::{By, Event, JobId, QueueEvent};
use crate::kernel::race;
use crate::redis::{self, Bytes, Command, Key};
use crate::scenario;
use crate::servers::Ctx;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use tokio::sync::{Notify, OnceCell};

/// The longest time that BZPOPMIN blocks while a delayed job is known.
const MAXIMUM_BLOCK_MS: i64 = 10_000;

/// The longest time that a worker sleeps for the rate limiter.
const MAXIMUM_LIMIT_MS: i64 = 30_000;

/// How long a worker waits after an error of a fetch (`runRetryDelay`).
const RUN_RETRY: Span = Span::from_secs(15);

/// A job that a worker has.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: Bytes,
    /// Its name; empty if its hash was lost.
    pub name: Bytes,
    /// Its data as JSON.
    pub data: Bytes,
    /// Its options.
    pub options: Options,
    /// How many attempts have ended.
    pub attempts_made: u32,
    registration: Option<Bytes>,
    has_next: bool,
    token: Bytes,
}

/// What a processor returns: whether the attempt succeeded.
pub type Processing = Pin<Box<dyn Future<Output = bool>>>;

/// A processor: the user's function.
pub type Processor = Rc<dyn Fn(Rc<Job>) -> Processing>;

/// A Worker object of one process. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Rc<Inner>);

struct Inner {
    main: Client,
    blocking: Client,
    marker: Rc<[Key]>,
    repeat: OnceCell<()>,
    scheduler: OnceCell<()>,
    settings: Settings,
    fetch: Rc<FetchOptions>,
    processor: Processor,
    closing: Cell<bool>,
    closed: Notify,
    /// A fetch waits in BZPOPMIN, or in the moveToActive right after it.
    waiting: Cell<bool>,
    drained: Cell<bool>,
    limit_until: Cell<i64>,
    block_until: Cell<i64>,
    fifo: Fifo,
    in_progress: RefCell<Vec<InProgress>>,
    /// A job began to be processed.
    began: Notify,
    /// What the next fetch will hold a lock with. A token that met no job is used again, since
    /// nobody has seen it.
    token: RefCell<Option<Bytes>>,
    tokens: Cell<u64>,
}

struct Settings {
    concurrency: usize,
    stalled_interval: Span,
    max_stalled_count: i64,
    drain_delay_ms: i64,
    renew_tick: Span,
}

struct InProgress {
    id: Bytes,
    token: Bytes,
    ts: i64,
}

/// `AsyncFifoQueue`: the results of operations under way, in the order in which they end.
#[derive(Default)]
struct Fifo {
    done: RefCell<VecDeque<Option<Rc<Job>>>>,
    pending: Cell<usize>,
    changed: Notify,
}

impl Fifo {
    fn total(&self) -> usize {
        self.pending.get() + self.done.borrow().len()
    }

    fn begin(&self) {
        self.pending.set(self.pending.get() + 1);
    }

    fn end(&self, job: Option<Rc<Job>>) {
        self.pending.set(self.pending.get() - 1);
        self.done.borrow_mut().push_back(job);
        self.changed.notify_waiters();
    }

    /// The next result; `None` too if nothing is under way.
    async fn fetch(&self) -> Option<Rc<Job>> {
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

    async fn wait_all(&self) {
        while self.pending.get() > 0 {
            self.changed.notified().await;
        }
    }
}

impl Worker {
    /// `new Worker`: connects and runs, as `autorun` does.
    pub fn open(
        ctx: &Ctx,
        keys: Rc<Keys>,
        version: Version,
        options: &scenario::Worker,
        processor: Processor,
    ) -> Self {
        let limiter =
            options.limiter.map(|limiter| (i64::from(limiter.max), limiter.duration.ms()));
        let marker = Rc::from([keys.marker.clone()]);
        let worker = Worker(Rc::new(Inner {
            main: Client::open(ctx, keys.clone(), version),
            blocking: Client::open(ctx, keys, version),
            marker,
            repeat: OnceCell::new(),
            scheduler: OnceCell::new(),
            settings: Settings {
                concurrency: options.concurrency as usize,
                stalled_interval: options.stalled_interval,
                max_stalled_count: i64::from(options.max_stalled_count),
                drain_delay_ms: options.drain_delay.ms(),
                // lockRenewTime is half the lock's duration; its timer ticks twice in it.
                renew_tick: Span::from_ms(options.lock_duration.ms() / 4),
            },
            fetch: Rc::new(FetchOptions { lock_duration: options.lock_duration.ms(), limiter }),
            processor,
            closing: Cell::new(false),
            closed: Notify::new(),
            waiting: Cell::new(false),
            drained: Cell::new(false),
            limit_until: Cell::new(0),
            block_until: Cell::new(0),
            fifo: Fifo::default(),
            in_progress: RefCell::default(),
            began: Notify::new(),
            token: RefCell::default(),
            tokens: Cell::new(0),
        }));
        // In the order in which the constructor comes to them: who waits first goes on first.
        worker.connect();
        ctx.spawn(worker.clone().check_stalled());
        ctx.spawn(worker.clone().renew_locks());
        ctx.spawn(worker.clone().run());
        worker
    }

    fn ctx(&self) -> &Ctx {
        self.0.main.ctx()
    }

    fn emit(&self, event: QueueEvent) {
        self.ctx().emit(Event::Queue(self.0.main.keys().id, By::Worker, event));
    }

    /// `run`: the main loop.
    async fn run(self) {
        let Inner { main, blocking, .. } = &*self.0;
        if main.ready().await.is_err() || blocking.ready().await.is_err() {
            return;
        }
        self.emit(QueueEvent::WorkerUp);
        while !self.0.closing.get() {
            self.fetch_until_enough().await;
            let mut job = self.0.fifo.fetch().await;
            while job.is_none() && !self.0.fifo.done.borrow().is_empty() {
                job = self.0.fifo.fetch().await;
            }
            if let Some(job) = job {
                self.begin(self.clone().process(job));
            }
        }
    }

    /// Both connections, side by side: B names itself and both say INFO twice. Their errors show
    /// to those who wait for them.
    fn connect(&self) {
        // Sent now; nobody waits for the reply.
        drop(self.0.blocking.command(Command::ClientSetname("bull".into())));
        for client in [self.0.main.clone(), self.0.blocking.clone()] {
            self.ctx().spawn(async move { drop(client.connect().await) });
        }
    }

    /// The inner loop of `run`: fetches until enough jobs are under way, or none is to be had.
    async fn fetch_until_enough(&self) {
        let worker = &*self.0;
        while !worker.waiting.get()
            && worker.fifo.total() < worker.settings.concurrency
            && (worker.limit_until.get() == 0 || worker.fifo.total() == 0)
        {
            let alone = worker.fifo.total() == 0;
            let fetch = self.get_next_job();
            if worker.waiting.get() && !alone {
                // The fetch waits, and there are other jobs to go on with meanwhile.
                self.begin(fetch);
                break;
            }
            worker.fifo.begin();
            let job = fetch.await;
            let got = job.is_some();
            worker.fifo.end(job);
            if (!got && !alone) || worker.block_until.get() != 0 {
                break;
            }
        }
    }

    /// Runs an operation whose result goes to the queue of results.
    fn begin(&self, operation: impl Future<Output = Option<Rc<Job>>> + 'static) {
        self.0.fifo.begin();
        let worker = self.clone();
        self.ctx().spawn(async move {
            let job = operation.await;
            worker.0.fifo.end(job);
        });
    }

    /// `retryIfFailed(_getNextJob)`: after an error, again, 15 s later. Whether it will block is
    /// decided at the call, as the synchronous beginning of the JavaScript decides it.
    fn get_next_job(&self) -> impl Future<Output = Option<Rc<Job>>> + use<> {
        let worker = self.clone();
        let mut blocks = worker.begins_to_wait();
        async move {
            loop {
                match worker.try_next_job(blocks).await {
                    Ok(job) => return job,
                    Err(_) => worker.ctx().sleep(RUN_RETRY).await,
                }
                blocks = worker.begins_to_wait();
            }
        }
    }

    fn begins_to_wait(&self) -> bool {
        let worker = &*self.0;
        let blocks = !worker.closing.get()
            && worker.drained.get()
            && worker.limit_until.get() == 0
            && !worker.waiting.get();
        if blocks {
            worker.waiting.set(true);
        }
        blocks
    }

    /// `_getNextJob`.
    async fn try_next_job(&self, blocks: bool) -> Result<Option<Rc<Job>>, QueueError> {
        if self.0.closing.get() {
            return Ok(None);
        }
        if !blocks {
            let limit = self.0.limit_until.get();
            if limit != 0 {
                let limit = Span::from_ms(limit.min(MAXIMUM_LIMIT_MS));
                race(self.0.closed.notified(), self.ctx().sleep(limit)).await;
            }
            return self.move_to_active().await;
        }
        let block_until = self.wait_for_job().await;
        self.0.block_until.set(block_until);
        let due = block_until <= 0 || block_until.saturating_sub(self.ctx().now_ms()) < 1;
        let job = if due { self.move_to_active().await } else { Ok(None) };
        self.0.waiting.set(false);
        job
    }

    /// `waitForJob`: until when to block, `i64::MAX` if the worker closes meanwhile.
    async fn wait_for_job(&self) -> i64 {
        if self.0.closing.get() || self.0.limit_until.get() != 0 {
            return i64::MAX;
        }
        let block_until = self.0.block_until.get();
        let timeout_ms = match block_until {
            0 => self.0.settings.drain_delay_ms.max(1),
            until => (until - self.ctx().now_ms()).min(MAXIMUM_BLOCK_MS),
        };
        if timeout_ms <= 0 {
            return 0;
        }
        self.update_delays(0, 0);
        let keys = self.0.marker.clone();
        let pop = Command::BZPopMin { keys, timeout_ms: timeout_ms.unsigned_abs() };
        // Closed by `close`: there is nothing to block for any more.
        self.0.blocking.command(pop).await.map_or(i64::MAX, |reply| marker_score(&reply))
    }

    fn token(&self) -> Bytes {
        let fresh = || {
            let n = self.0.tokens.replace(self.0.tokens.get() + 1);
            Bytes::from(format!("{}:{n}", self.0.main.id()))
        };
        self.0.token.borrow_mut().get_or_insert_with(fresh).clone()
    }

    async fn move_to_active(&self) -> Result<Option<Rc<Job>>, QueueError> {
        let token = self.token();
        let options = self.0.fetch.clone();
        let timestamp = self.ctx().now_ms();
        let fetch = MoveToActive { timestamp, token: token.clone(), options };
        let returned = self.0.main.script(Call::MoveToActive(fetch)).await?;
        self.next_job(returned, token).await
    }

    fn update_delays(&self, limit_until: i64, block_until: i64) {
        self.0.limit_until.set(limit_until);
        self.0.block_until.set(block_until);
    }

    /// `updateDelays` and `nextJobFromJobData`: what a script returned becomes a job, whose next
    /// iteration is made before it is processed.
    async fn next_job(
        &self,
        returned: Returned,
        token: Bytes,
    ) -> Result<Option<Rc<Job>>, QueueError> {
        let fetched = match returned {
            Returned::Fetched(fetched) => {
                self.update_delays(0, 0);
                fetched
            }
            Returned::Nothing { limited_for, next_delayed } => {
                self.update_delays(limited_for.max(0), next_delayed.max(0));
                self.0.drained.set(true);
                return Ok(None);
            }
            _ => {
                self.update_delays(0, 0);
                self.0.drained.set(true);
                return Ok(None);
            }
        };
        self.0.drained.set(false);
        self.0.token.borrow_mut().take_if(|unseen| *unseen == token);
        let job = Rc::new(Job::new(*fetched, token));
        Ok(self.make_next_iteration(&job).await?.then_some(job))
    }

    /// `processJob`. A job that comes while the worker closes is left where it is: in `active`,
    /// with its lock (mended in later versions).
    async fn process(self, job: Rc<Job>) -> Option<Rc<Job>> {
        if self.0.closing.get() {
            return None;
        }
        let ts = self.ctx().now_ms();
        let progress = InProgress { id: job.id.clone(), token: job.token.clone(), ts };
        self.0.in_progress.borrow_mut().push(progress);
        self.0.began.notify_waiters();
        self.emit(QueueEvent::Started { job: JobId(job.id.clone()) });
        let ok = (self.0.processor)(job.clone()).await;
        self.emit(QueueEvent::Ended { job: JobId(job.id.clone()), ok });
        if ok && let Ok(next) = self.completed(&job).await {
            return next;
        }
        // 5.34 takes an error of the completion for a failure of the job.
        self.failed(&job).await.unwrap_or(None)
    }

    /// `handleCompleted`.
    async fn completed(&self, job: &Job) -> Result<Option<Rc<Job>>, QueueError> {
        self.forget(job);
        let outcome = Outcome::Completed("null".into());
        let keep = KeepJobs::from(job.options.remove_on_complete.as_ref());
        let room = self.0.fifo.total() <= self.0.settings.concurrency;
        let returned = self.finish(job, outcome, keep, room).await?;
        self.next_job(returned, job.token.clone()).await
    }

    /// `handleFailed` and `moveToFailed`.
    async fn failed(&self, job: &Job) -> Result<Option<Rc<Job>>, QueueError> {
        self.forget(job);
        let (id, token) = (job.id.clone(), job.token.clone());
        let timestamp = self.ctx().now_ms();
        let failed_reason = Bytes::from("failed");
        if job.attempts_made + 1 < job.options.attempts.unwrap_or(0) {
            let delay = job.options.retry_delay(job.attempts_made + 1);
            let call = if delay > 0 {
                Call::MoveToDelayed(Box::new(MoveToDelayed {
                    id,
                    timestamp,
                    delay,
                    token,
                    failed_reason,
                }))
            } else {
                let lifo = job.options.lifo;
                Call::RetryJob(Box::new(RetryJob { id, timestamp, lifo, token }))
            };
            self.0.main.script(call).await?;
            return Ok(None);
        }
        let keep = KeepJobs::from(job.options.remove_on_fail.as_ref());
        let returned = self.finish(job, Outcome::Failed(failed_reason), keep, true).await?;
        self.next_job(returned, token).await
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

    fn forget(&self, job: &Job) {
        let same = |item: &InProgress| item.id == job.id && item.token == job.token;
        let mut in_progress = self.0.in_progress.borrow_mut();
        if let Some(place) = in_progress.iter().position(same) {
            in_progress.remove(place);
        }
    }

    /// `startLockExtenderTimer`: the timer is armed anew after each pass. Passes that would find no
    /// job are left out: they send nothing, and what follows is armed as if they had been.
    async fn renew_locks(self) {
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
            jobs.push((item.id.clone(), item.token.clone()));
        }
        jobs
    }

    /// `stalledChecker`: once at the start, then after every interval, until the worker closes.
    async fn check_stalled(self) {
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
                    // Job.fromId, only to tell listeners about it.
                    let job = self.0.main.keys().job(&id);
                    drop(self.0.main.command(Command::HGetAll(job)).await);
                }
            }
            self.ctx().sleep(self.0.settings.stalled_interval).await;
        }
    }

    /// `worker.close()`: no more fetches; waits for the jobs under way, without limit; then QUIT.
    ///
    /// # Errors
    /// If a connection is closed already.
    pub async fn close(&self) -> Result<(), QueueError> {
        if self.0.closing.replace(true) {
            return Ok(());
        }
        self.0.closed.notify_waiters();
        let blocks = self.0.waiting.get();
        if blocks {
            self.0.blocking.disconnect();
        }
        self.0.fifo.wait_all().await;
        if !blocks {
            self.0.blocking.command(Command::Quit).await?;
            self.0.blocking.disconnect();
        }
        self.0.main.command(Command::Quit).await?;
        self.0.main.disconnect();
        Ok(())
    }
}

/// The score of the marker that BZPOPMIN took, 0 if its time was up.
fn marker_score(reply: &redis::Reply) -> i64 {
    let redis::Reply::Array(parts) = reply else { return 0 };
    match parts.get(2) {
        Some(redis::Reply::Double(score)) => *score as i64,
        _ => 0,
    }
}

impl Job {
    fn new(fetched: Fetched, token: Bytes) -> Self {
        let field = |name| fetched.field(name).cloned();
        let number = |name| field(name).and_then(|value| value.to_int()).unwrap_or(0);
        let mut options = Options::from_json(field("opts").unwrap_or_default().as_bytes());
        // The next iteration's options are this job's, with what its constructor fills in.
        options.attempts.get_or_insert(0);
        Job {
            name: field("name").unwrap_or_default(),
            data: field("data").unwrap_or_else(|| "{}".into()),
            options,
            attempts_made: u32::try_from(number("atm")).unwrap_or(0),
            registration: field("rjk"),
            has_next: fetched.field("nrjid").is_some(),
            id: fetched.id,
            token,
        }
    }
}
