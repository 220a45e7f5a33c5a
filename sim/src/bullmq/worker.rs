//! The Worker: main loop, next iteration at fetch, processing, lock renewal, stalled check, close.
//!
//! Source: `worker.js` of each version, whose main loops this follows branch by branch. Two
//! connections: M carries scripts, B only blocks. The processor is the caller's; this file does not
//! know what a job does. 6.7.0 has the loop of 5.81.5.

mod ending;
mod fifo;
mod locks;
mod next;

use self::ending::Retry;
use self::fifo::Fifo;
use self::locks::InProgress;
use super::client::Client;
use super::keys::Keys;
use super::options::{KeepJobs, KeepOptions, Options};
use super::scripts::{Call, FetchOptions, Fetched, MoveToActive, NothingToFetch, Returned};
use super::{QueueError, Version};
use crate::clock::Span;
use crate::event::{By, Event, JobId, QueueEvent};
use crate::kernel::race;
use crate::mutants::{Mutant, planted};
use crate::redis::{self, Bytes, Command, Key};
use crate::scenario;
use crate::servers::{Ctx, Poll};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use tokio::sync::{Notify, OnceCell};

/// The longest time that BZPOPMIN blocks while a delayed job is known.
const MAXIMUM_BLOCK_MS: i64 = 10_000;

/// So long before the instant that it waits for, every poll is played: its clock may drift meanwhile.
const DRIFTS: Span = Span::from_secs(60);

/// The longest time that a worker sleeps for the rate limiter.
const MAXIMUM_LIMIT_MS: i64 = 30_000;

/// How long a worker waits after an error of a fetch (`runRetryDelay`): any error in 5.34, one of
/// the connection later.
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
    /// How many attempts have begun.
    attempts_started: i64,
    /// When it was fetched.
    processed_on: i64,
    /// The reason for which it is to be failed unprocessed (5.81).
    deferred_failure: Option<Bytes>,
    token: Bytes,
}

/// How a processor ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It returns.
    Returned,
    /// It throws.
    Threw,
    /// It throws a `RateLimitError`: the job is not tried, and waits for the limiter.
    RateLimited,
}

/// What a processor returns.
pub type Processing = Pin<Box<dyn Future<Output = Ending>>>;

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
    /// 0 if no limit holds. Otherwise for how long it does (5.34), or until when.
    limit_until: Cell<i64>,
    block_until: Cell<i64>,
    fifo: Fifo,
    /// The main loop runs, and has not ended.
    running: Cell<bool>,
    ended: Notify,
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
    /// What is kept of jobs that do not say it.
    keep_completed: KeepJobs,
    keep_failed: KeepJobs,
    max_started_attempts: Option<i64>,
    drain_delay_ms: i64,
    renew_tick: Span,
    force_close: bool,
}

impl Worker {
    /// `new Worker`: connects and, with `autorun`, runs.
    pub fn open(
        ctx: &Ctx,
        keys: Rc<Keys>,
        version: Version,
        options: &scenario::Worker,
        processor: Processor,
    ) -> Self {
        let limiter =
            options.limiter.map(|limiter| (i64::from(limiter.max), limiter.duration.ms()));
        let kept = |keep: Option<_>| KeepJobs::from(keep.map(KeepOptions::from).as_ref());
        let marker = Rc::from([keys.marker.clone()]);
        let worker = Worker(Rc::new(Inner {
            main: Client::of_worker(ctx, keys.clone(), version),
            blocking: Client::of_worker(ctx, keys, version),
            marker,
            repeat: OnceCell::new(),
            scheduler: OnceCell::new(),
            settings: Settings {
                concurrency: options.concurrency as usize + usize::from(planted(Mutant::O13)),
                stalled_interval: options.stalled_interval,
                max_stalled_count: i64::from(options.max_stalled_count),
                keep_completed: kept(options.remove_on_complete),
                keep_failed: kept(options.remove_on_fail),
                max_started_attempts: options.max_started_attempts.map(i64::from),
                drain_delay_ms: options.drain_delay.ms(),
                // lockRenewTime is half the lock's duration; its timer ticks twice in it.
                renew_tick: Span::from_ms(match options.lock_renew_time {
                    Some(time) => (time.ms() / 2).max(1),
                    None => options.lock_duration.ms() / 4,
                }),
                force_close: options.force_close,
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
            running: Cell::new(false),
            ended: Notify::new(),
            in_progress: RefCell::default(),
            began: Notify::new(),
            token: RefCell::default(),
            tokens: Cell::new(0),
        }));
        // In the order in which the constructor comes to them: who waits first goes on first.
        worker.connect();
        if options.autorun {
            if !options.skip_stalled_check {
                ctx.spawn(worker.clone().check_stalled());
            }
            if !options.skip_lock_renewal {
                ctx.spawn(worker.clone().renew_locks());
            }
            ctx.spawn(worker.clone().run());
        }
        worker
    }

    fn ctx(&self) -> &Ctx {
        self.0.main.ctx()
    }

    fn version(&self) -> Version {
        self.0.main.version()
    }

    /// The worker that 5.81 brought: a main loop that ends with its jobs, limits by instants, a
    /// manager of locks.
    fn is_newer(&self) -> bool {
        self.version() >= Version::V5_81_5
    }

    fn emit(&self, event: QueueEvent) {
        self.ctx().emit(Event::Queue(self.0.main.keys().id, By::Worker, event));
    }

    /// `run`: the main loop. 5.34 leaves it as soon as the worker closes, whatever is under way;
    /// later versions go on with the jobs that they have.
    async fn run(self) {
        let Inner { main, blocking, fifo, .. } = &*self.0;
        if main.ready().await.is_err() || blocking.ready().await.is_err() {
            return;
        }
        self.emit(QueueEvent::WorkerUp);
        self.0.running.set(true);
        while !self.0.closing.get() || (self.is_newer() && fifo.total() > 0) {
            self.fetch_until_enough().await;
            let mut job = fifo.fetch().await;
            while job.is_none() && fifo.queued() > 0 {
                job = fifo.fetch().await;
            }
            if let Some(job) = job {
                self.begin(self.clone().process(job));
            } else if self.is_newer() && fifo.queued() == 0 {
                self.wait_for_rate_limit().await;
            }
        }
        self.0.running.set(false);
        self.0.ended.notify_waiters();
    }

    /// `waitForRateLimit` (5.81).
    async fn wait_for_rate_limit(&self) {
        let limited_for = self.0.limit_until.get() - self.ctx().now_ms();
        if limited_for > 0 {
            self.sleep_unless_closed(limited_for).await;
            self.0.drained.set(false);
            self.0.limit_until.set(0);
        }
    }

    async fn sleep_unless_closed(&self, limited_for: i64) {
        let limit = Span::from_ms(limited_for.min(MAXIMUM_LIMIT_MS));
        race(self.0.closed.notified(), self.ctx().sleep(limit)).await;
    }

    /// `isRateLimited` (5.81).
    fn is_rate_limited(&self) -> bool {
        self.0.limit_until.get() > self.ctx().now_ms()
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
        let may = || match self.is_newer() {
            true => !worker.closing.get() && !self.is_rate_limited(),
            false => worker.limit_until.get() == 0 || worker.fifo.total() == 0,
        };
        while !worker.waiting.get() && worker.fifo.total() < worker.settings.concurrency && may() {
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

    /// `retryIfFailed(_getNextJob)`: after an error, again, 15 s later; later versions only emit one
    /// that is not the connection's. Whether it will block is decided at the call, as the
    /// synchronous beginning of the JavaScript decides it.
    fn get_next_job(&self) -> impl Future<Output = Option<Rc<Job>>> + use<> {
        let worker = self.clone();
        let mut blocks = worker.begins_to_wait();
        async move {
            loop {
                match worker.try_next_job(blocks).await {
                    Ok(job) => return job,
                    Err(_) if worker.is_newer() => return None,
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
            if self.is_newer() {
                if self.is_rate_limited() {
                    return Ok(None);
                }
            } else if limit != 0 {
                self.sleep_unless_closed(limit).await;
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

    /// `waitForJob`: until when to block, `i64::MAX` if the worker closes meanwhile. Later versions
    /// keep to the earlier of the instant that they know and that of the marker.
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
        let poll = self.poll(timeout_ms, block_until);
        let Ok(reply) = self.0.blocking.poll(poll).await else {
            // Closed by `close`: there is nothing to block for any more.
            return i64::MAX;
        };
        let score = marker_score(&reply);
        if self.is_newer() && block_until != 0 { score.min(block_until) } else { score }
    }

    fn poll(&self, timeout_ms: i64, next: i64) -> Poll {
        let ctx = self.ctx();
        let until = (next != 0).then(|| ctx.true_time() + Span::from_ms(next - ctx.now_ms()));
        let (keys, version) = (self.0.main.keys().clone(), self.version());
        Poll {
            marker: self.0.marker.clone(),
            timeout_ms: timeout_ms.unsigned_abs(),
            said: NothingToFetch { keys, version, next },
            until: until.map(|until| until - DRIFTS),
        }
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

    fn update_delays(&self, limited_for: i64, block_until: i64) {
        let from = if self.is_newer() && limited_for > 0 { self.ctx().now_ms() } else { 0 };
        self.0.limit_until.set(from + limited_for);
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

    /// `getUnrecoverableErrorMessage` (5.81): why a job is failed without being processed.
    fn unrecoverable(&self, job: &Job) -> Option<Bytes> {
        let most = self.0.settings.max_started_attempts;
        let too_often = most.is_some_and(|most| most < job.attempts_started);
        let started_too_often = || Bytes::from("job started more than allowable limit");
        job.deferred_failure.clone().or_else(|| too_often.then(started_too_often))
    }

    /// `processJob`. In 5.34 a job that comes while the worker closes is left where it is: in
    /// `active`, with its lock.
    async fn process(self, job: Rc<Job>) -> Option<Rc<Job>> {
        if self.0.closing.get() && !self.is_newer() {
            return None;
        }
        self.track(&job);
        let ended = match self.unrecoverable(&job).filter(|_| self.is_newer()) {
            Some(reason) => Some(self.failed(&job, reason, Retry::Never).await),
            None => {
                self.emit(QueueEvent::Started {
                    job: JobId(job.id.clone()),
                    data: job.data.clone(),
                });
                let ending = (self.0.processor)(job.clone()).await;
                let ok = ending == Ending::Returned;
                self.emit(QueueEvent::Ended { job: JobId(job.id.clone()), ok });
                self.let_fetched_begin().await;
                match ending {
                    Ending::Returned => Some(self.completed(&job).await),
                    Ending::Threw => None,
                    // An error of it is emitted and nothing else.
                    Ending::RateLimited => {
                        drop(self.limited(&job).await);
                        return None;
                    }
                }
            }
        };
        let next = match ended {
            Some(Ok(next)) => next,
            // What the processor threw; an error of the completion is taken for one, too.
            _ => self.failed(&job, "failed".into(), Retry::AsAsked).await.unwrap_or(None),
        };
        if self.is_newer() {
            self.forget(&job);
        }
        next
    }

    /// From a processor's end to what is sent for it there are more promises than from a job that
    /// was fetched to its processor: jobs that are there begin first. It shows where processors
    /// block: nothing is sent for any of them before all have run. One turn for the main loop, one
    /// for the processors.
    async fn let_fetched_begin(&self) {
        if self.0.settings.concurrency > 1 {
            self.ctx().turn().await;
            self.ctx().turn().await;
        }
    }

    /// `worker.close()`: no more fetches; waits for the jobs under way, without limit; then QUIT.
    /// 5.34 takes B from a fetch that blocks, later versions from any main loop, and it is not asked
    /// to quit then.
    ///
    /// # Errors
    /// If a connection is closed already.
    pub async fn close(&self) -> Result<(), QueueError> {
        if self.0.closing.replace(true) {
            return Ok(());
        }
        self.0.closed.notify_waiters();
        if self.0.settings.force_close || planted(Mutant::Q26) {
            // `close(true)`: nothing is waited for, and nobody says QUIT. What is under way cannot say
            // how it ended.
            self.0.blocking.disconnect();
            self.0.main.disconnect();
            return Ok(());
        }
        let disconnects = if self.is_newer() { self.0.running.get() } else { self.0.waiting.get() };
        if disconnects {
            self.0.blocking.disconnect();
        }
        if self.is_newer() {
            while self.0.running.get() {
                self.0.ended.notified().await;
            }
        } else {
            self.0.fifo.wait_all().await;
        }
        if !disconnects {
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
    /// How many attempts had begun before this one.
    pub fn attempts_before(&self) -> u32 {
        u32::try_from(self.attempts_started - 1).unwrap_or(0)
    }

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
            attempts_started: number("ats"),
            processed_on: number("processedOn"),
            deferred_failure: field("defa"),
            has_next: fetched.field("nrjid").is_some(),
            id: fetched.id,
            token,
        }
    }
}
