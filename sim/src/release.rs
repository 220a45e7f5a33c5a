//! What a container's process runs: the start-up steps of its release, timers, processors, and what
//! it does when it is asked to end.
//!
//! Steps that are not awaited are tasks of their own and really interleave. An error that nobody
//! handles ends the process with exit code 1, as in Node. Nothing here coordinates containers.

mod processor;
mod statement;

use crate::bullmq::keys::Keys;
use crate::bullmq::options::{Deduplication, Options, RepeatOptions};
use crate::bullmq::queue::{Listed, NewJob, Queue};
use crate::bullmq::worker::{Processor, Worker};
use crate::bullmq::{QueueError, Version};
use crate::choices::Label;
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::event::{By, Event, JobList, QueueId, ReleaseId, ServiceId, StepId, StepResult};
use crate::scenario::{
    self, Action, Add, ByHand, Condition, JobOptions, OnError, Range, Repeat, Scenario, Step,
    Template,
};
use crate::servers::{Ctx, FIRST_DRAW};
use crate::ticks::Ticks;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// What all processes of a run share: code, not state.
pub(crate) struct Image {
    scenario: Arc<Scenario>,
    keys: Vec<Rc<Keys>>,
    ticks: Vec<Ticks>,
}

impl Image {
    pub(crate) fn new(scenario: Arc<Scenario>) -> Self {
        let queue = |(id, queue): (usize, &scenario::Queue)| {
            let id = QueueId(u16::try_from(id).expect("the parser bounds the number of queues"));
            Rc::new(Keys::new(id, &queue.prefix, &queue.name))
        };
        Image {
            keys: scenario.queues.iter().enumerate().map(queue).collect(),
            ticks: scenario.schedules.iter().map(|schedule| schedule.recurrence.ticks()).collect(),
            scenario,
        }
    }
}

/// Which container a process is of, as its code can know it.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The service; a person's process has none.
    pub(crate) service: Option<ServiceId>,
    pub(crate) ordinal: u32,
    pub(crate) first_boot: bool,
}

/// A step of a list, so that a task can hold it.
#[derive(Clone)]
struct StepRef {
    release: ReleaseId,
    list: Arc<[Step]>,
    place: usize,
}

impl StepRef {
    fn all(release: ReleaseId, list: &Arc<[Step]>) -> impl Iterator<Item = StepRef> {
        (0..list.len()).map(move |place| StepRef { release, list: list.clone(), place })
    }

    fn step(&self) -> &Step {
        &self.list[self.place]
    }

    fn id(&self) -> StepId {
        StepId { release: self.release, step: self.step().number }
    }
}

/// One process: its Queue objects, one for each queue, its workers, its database connections.
struct Process {
    ctx: Ctx,
    image: Rc<Image>,
    place: Place,
    release: ReleaseId,
    /// That of BullMQ.
    version: Version,
    queues: RefCell<Vec<Option<Queue>>>,
    workers: RefCell<Vec<Worker>>,
    database: RefCell<statement::Pool>,
    /// What the steps that were begun came to, by their numbers; none as long as they go on.
    came: RefCell<BTreeMap<u16, Option<StepResult>>>,
}

/// The process of a container that runs `release`.
pub(crate) async fn main(ctx: Ctx, image: Rc<Image>, release: ReleaseId, place: Place) {
    let version = image.scenario.releases[usize::from(release.0)].library;
    let process = Rc::new(Process {
        version,
        queues: RefCell::new(vec![None; image.keys.len()]),
        workers: RefCell::default(),
        database: RefCell::default(),
        came: RefCell::default(),
        ctx: ctx.clone(),
        image,
        place,
        release,
    });
    ctx.spawn(process.clone().shut_down());
    let release_of = &process.image.scenario.releases[usize::from(release.0)];
    for step in StepRef::all(release, &release_of.steps) {
        process.take(step, None).await;
    }
    ctx.emit(Event::StartedUp);
    if release_of.by_hand {
        process.close().await;
    }
}

/// A step under way.
type Taking = Pin<Box<dyn Future<Output = ()>>>;

impl Process {
    fn scenario(&self) -> &Scenario {
        &self.image.scenario
    }

    /// Begins a step, and waits for it if the code does. `window` is the tick of the timer that
    /// runs it.
    async fn take(self: &Rc<Self>, step: StepRef, window: Option<i64>) {
        let awaited = step.step().awaited;
        let Some(taking) = self.taking(step, window) else { return };
        if awaited {
            taking.await;
        } else {
            self.ctx.spawn(taking);
        }
    }

    /// A step under way; none if it is passed over.
    fn taking(self: &Rc<Self>, at: StepRef, window: Option<i64>) -> Option<Taking> {
        let number = at.step().number;
        if !self.is_due(at.step()) {
            return None;
        }
        self.came.borrow_mut().insert(number, None);
        let process = self.clone();
        Some(Box::pin(async move {
            let mut tries = 0;
            loop {
                process.ctx.emit(Event::StepBegan(at.id()));
                let result = process.act(&at, window).await.unwrap_or_else(|error| {
                    let error = error.to_string().into();
                    process.ctx.emit(Event::StepThrew { step: at.id(), error });
                    StepResult::Failed
                });
                process.ctx.emit(Event::StepEnded(at.id(), result));
                process.came.borrow_mut().insert(number, Some(result));
                if result != StepResult::Failed {
                    return;
                }
                match at.step().on_error {
                    OnError::Ignore => return,
                    OnError::Retry { times, delay } if tries < times => {
                        tries += 1;
                        process.ctx.sleep(delay).await;
                    }
                    OnError::Exit | OnError::Retry { .. } => return process.ctx.exit(1),
                }
            }
        }))
    }

    /// Whether a step is done here and now.
    fn is_due(&self, step: &Step) -> bool {
        let came = self.came.borrow();
        !(step.once && came.contains_key(&step.number))
            && step.when.iter().all(|condition| match condition {
                Condition::Env(name, value) => self.place.service.is_some_and(|service| {
                    let env = &self.scenario().services[usize::from(service.0)].env;
                    env.iter().any(|(key, is)| key == name && is == value)
                }),
                Condition::Ordinal(ordinal) => self.place.ordinal == *ordinal,
                Condition::FirstBoot(first) => self.place.first_boot == *first,
                Condition::Came(step, result) => came.get(step) == Some(&Some(*result)),
            })
    }

    async fn act(
        self: &Rc<Self>,
        at: &StepRef,
        window: Option<i64>,
    ) -> Result<StepResult, QueueError> {
        let by = By::Step(at.id());
        let found = |found| if found { StepResult::Done } else { StepResult::Nothing };
        match &at.step().action {
            Action::Add(add) => self.add(add, by, window).await?,
            Action::UpsertJobScheduler { queue, id, repeat, name, options } => {
                let job = self.job(*queue, name, options, Some(repeat), window);
                self.queue(*queue, by).upsert_job_scheduler(id, job).await?;
            }
            Action::RemoveRepeatable { queue, name, repeat, job_id } => {
                let job_id = job_id.as_deref().map(str::to_owned);
                let repeat = RepeatOptions { job_id, ..RepeatOptions::from(repeat) };
                return self.queue(*queue, by).remove_repeatable(name, repeat).await.map(found);
            }
            Action::RemoveJobScheduler { queue, id } => {
                return self.queue(*queue, by).remove_job_scheduler(id).await.map(found);
            }
            Action::Open(queue) => drop(self.queue(*queue, by)),
            Action::Worker(worker) => self.start_worker(worker),
            Action::Timer { .. } => self.ctx.spawn(self.clone().keep_time(at.clone())),
            Action::Sleep(range) => self.ctx.sleep(self.draw(range)).await,
            Action::Database(step) => {
                return self.statement_of(step, window).await.map(found);
            }
            Action::Parallel(steps) => self.side_by_side(at.release, steps, window).await,
            Action::AddBulk(queue, adds) => {
                let job = |add: &Add| {
                    self.job(*queue, &add.name, &add.options, add.repeat.as_ref(), window)
                };
                self.queue(*queue, by).add_bulk(adds.iter().map(job).collect()).await?;
            }
            Action::RemoveAllRepeatables(queue) => {
                self.queue(*queue, by).remove_all_repeatables().await?;
            }
            Action::Pause(queue) => self.queue(*queue, by).pause().await?,
            Action::Resume(queue) => self.queue(*queue, by).resume().await?,
            Action::Drain { queue, delayed } => self.queue(*queue, by).drain(*delayed).await?,
            Action::Obliterate { queue, force } => {
                self.queue(*queue, by).obliterate(*force).await?;
            }
            Action::Clean { queue, state, grace, limit } => {
                self.queue(*queue, by).clean(*state, grace.ms(), i64::from(*limit)).await?;
            }
            Action::PromoteJobs(queue) => self.queue(*queue, by).promote_jobs().await?,
            Action::RetryJobs { queue, state } => {
                self.queue(*queue, by).retry_jobs(*state).await?;
            }
            Action::SetGlobalConcurrency { queue, concurrency } => {
                let queue = self.queue(*queue, by);
                queue.set_global_concurrency(i64::from(*concurrency)).await?;
            }
            Action::SetGlobalRateLimit { queue, limiter } => {
                let (max, duration) = (i64::from(limiter.max), limiter.duration.ms());
                self.queue(*queue, by).set_global_rate_limit(max, duration).await?;
            }
            Action::RemoveRepeatableByKey { queue, key } => {
                let queue = self.queue(*queue, by);
                return queue.remove_repeatable_by_key(key).await.map(found);
            }
            Action::GetRepeatableJobs(queue) => {
                self.queue(*queue, by).get_repeatable_jobs().await?;
            }
            Action::GetJobSchedulers { queue, finds } => {
                let listed = self.queue(*queue, by).get_job_schedulers().await?;
                let Some((id, repeat)) = finds else { return Ok(StepResult::Done) };
                let repeat = repeat.as_ref().map(RepeatOptions::from);
                let is = |one: &Listed| one.is(id, repeat.as_ref());
                return Ok(found(listed.iter().any(is)));
            }
            Action::RemoveGlobalConcurrency(queue) => {
                self.queue(*queue, by).remove_global_concurrency().await?;
            }
            Action::RemoveGlobalRateLimit(queue) => {
                self.queue(*queue, by).remove_global_rate_limit().await?;
            }
            Action::Job { queue, name, does } => {
                return by_hand(&self.queue(*queue, by), name, *does).await.map(found);
            }
        }
        Ok(StepResult::Done)
    }

    /// `Promise.all`: begins all steps in their order and waits for those that are awaited.
    async fn side_by_side(
        self: &Rc<Self>,
        release: ReleaseId,
        steps: &Arc<[Step]>,
        window: Option<i64>,
    ) {
        let left = Rc::new(std::cell::Cell::new(0_usize));
        let done = Rc::new(tokio::sync::Notify::new());
        for step in StepRef::all(release, steps) {
            let awaited = step.step().awaited;
            let Some(taking) = self.taking(step, window) else { continue };
            if !awaited {
                self.ctx.spawn(taking);
                continue;
            }
            left.set(left.get() + 1);
            let (left, done) = (left.clone(), done.clone());
            self.ctx.spawn(async move {
                taking.await;
                left.set(left.get() - 1);
                done.notify_one();
            });
        }
        while left.get() > 0 {
            done.notified().await;
        }
    }

    /// The Queue object of this process: a singleton, opened by its first use.
    fn queue(&self, id: QueueId, by: By) -> Queue {
        let keys = &self.image.keys[usize::from(id.0)];
        let open = || Queue::open(&self.ctx, keys.clone(), self.version);
        let queue = self.queues.borrow_mut()[usize::from(id.0)].get_or_insert_with(open).clone();
        queue.by(by)
    }

    async fn add(&self, add: &Add, by: By, window: Option<i64>) -> Result<(), QueueError> {
        let job = self.job(add.queue, &add.name, &add.options, add.repeat.as_ref(), window);
        self.queue(add.queue, by).add(job).await
    }

    fn job(
        &self,
        queue: QueueId,
        name: &str,
        own: &JobOptions,
        repeat: Option<&Repeat>,
        window: Option<i64>,
    ) -> NewJob {
        let defaults = &self.scenario().queues[usize::from(queue.0)].defaults;
        let deduplication = own.deduplication.as_ref().or(defaults.deduplication.as_ref());
        let deduplication = deduplication.map(|own| Deduplication {
            id: own.id.render(self.window(&own.id, window)),
            ttl: own.ttl.map(Span::ms),
            extend: own.extend,
            replace: own.replace,
            keep_last_if_active: own.keep_last_if_active,
            reschedule: own.reschedule,
        });
        let window = own.job_id.as_ref().and_then(|id| self.window(id, window));
        let options = Options {
            job_id: own.job_id.as_ref().map(|id| id.render(window)),
            deduplication,
            repeat: repeat.map(RepeatOptions::from),
            ..Options::new(defaults, own)
        };
        let data = own.data.as_ref().map_or_else(|| "{}".to_owned(), |data| json(data));
        NewJob { name: name.into(), data: data.into(), options, tick: window.map(Instant::from_ms) }
    }

    /// The tick that a text names: that of the timer which runs the step, or the last one of its
    /// schedule, as this process's clock has it.
    fn window(&self, text: &Template, timer: Option<i64>) -> Option<i64> {
        match text.schedule {
            _ if !text.names_window() => None,
            Some(schedule) => self.image.ticks[schedule].at_or_before(self.ctx.now_ms()),
            None => timer,
        }
    }

    fn start_worker(self: &Rc<Self>, options: &scenario::Worker) {
        let keys = self.image.keys[usize::from(options.queue.0)].clone();
        // The process has its workers, so they may not have it: neither would ever be dropped.
        let (process, queue) = (Rc::downgrade(self), options.queue);
        let processor: Processor = Rc::new(move |job| match process.upgrade() {
            Some(process) => process.processing(queue, job),
            // It is dead, and nothing of it is polled again.
            None => Box::pin(std::future::pending()),
        });
        let worker = Worker::open(&self.ctx, keys, self.version, options, processor);
        self.workers.borrow_mut().push(worker);
    }

    fn draw(&self, range: &Range) -> Span {
        self.ctx.draw(label(range), range.least, range.most)
    }

    /// An in-process cron: arms a timer for the next tick, and at each runs its steps, without
    /// waiting for those of the tick before.
    async fn keep_time(self: Rc<Self>, at: StepRef) {
        let Action::Timer { pattern, zone, steps } = &at.step().action else {
            unreachable!("a timer's step is a timer");
        };
        let zone: Zone = zone.clone().unwrap_or_else(|| self.ctx.zone());
        let mut last = self.ctx.now_ms();
        while let Some(tick) = pattern.next(last, &zone) {
            let wait = (tick - self.ctx.now_ms()).max(0);
            self.ctx.sleep(Span::from_ms(wait)).await;
            for step in StepRef::all(at.release, steps) {
                self.take(step, Some(tick)).await;
            }
            last = tick.max(self.ctx.now_ms());
        }
    }

    async fn shut_down(self: Rc<Self>) {
        self.ctx.terminated().await;
        self.close().await;
    }

    /// Closes the workers (which waits for their jobs), then the queues, then exits.
    async fn close(&self) {
        let workers = self.workers.take();
        for worker in workers {
            // A connection that is closed already is what was wanted.
            drop(worker.close().await);
        }
        // They stay where they are: what uses one from now on meets a closed connection.
        let queues = self.queues.borrow().clone();
        for queue in queues.into_iter().flatten() {
            drop(queue.close().await);
        }
        self.ctx.exit(0);
    }
}

/// Does something to the oldest job of a name: whether there was one.
async fn by_hand(queue: &Queue, name: &str, does: ByHand) -> Result<bool, QueueError> {
    let among: &[JobList] = match does {
        ByHand::Remove => &[JobList::Wait, JobList::Prioritized, JobList::Delayed],
        ByHand::Promote => &[JobList::Delayed],
        ByHand::Retry => &[JobList::Failed],
    };
    let Some(id) = queue.find(name, among).await? else { return Ok(false) };
    match does {
        ByHand::Remove => queue.remove(&id).await,
        ByHand::Promote => queue.promote(&id).await,
        ByHand::Retry => queue.retry(&id).await,
    }
}

/// The label of a range's draws.
fn label(range: &Range) -> Label {
    Label(FIRST_DRAW + range.draw)
}

impl Template {
    /// The text, with the window's tick in milliseconds for `{window}`.
    fn render(&self, window: Option<i64>) -> String {
        let window = window.map(|window| window.to_string()).unwrap_or_default();
        self.pieces.join(window.as_str())
    }

    fn names_window(&self) -> bool {
        self.pieces.len() > 1
    }
}

/// A job's data as its client sends it.
fn json(data: &[(Box<str>, Box<str>)]) -> String {
    let fields: BTreeMap<&str, &str> = data.iter().map(|(name, text)| (&**name, &**text)).collect();
    serde_json::to_string(&fields).expect("texts are plain data")
}
