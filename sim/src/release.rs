//! What a container's process runs: the start-up steps of its release, timers, processors, and what
//! it does when it is asked to end.
//!
//! Steps that are not awaited are tasks of their own and really interleave. An error that nobody
//! handles ends the process with exit code 1, as in Node. Nothing here coordinates containers.

use crate::bullmq::QueueError;
use crate::bullmq::keys::Keys;
use crate::bullmq::options::{Options, RepeatOptions};
use crate::bullmq::queue::{NewJob, Queue};
use crate::bullmq::worker::{Job, Processing, Processor, Worker};
use crate::choices::Label;
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::database::{Statement, Write};
use crate::event::{JobId, QueueId, ReleaseId};
use crate::scenario::{
    self, Action, Add, JobOptions, JobStep, OnError, Outcome, Range, Repeat, Scenario, Step,
    Template,
};
use crate::servers::{Conn, Ctx, DATABASE, FIRST_DRAW, Request};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What all processes of a run share: code, not state.
pub(crate) struct Image {
    scenario: Arc<Scenario>,
    keys: Vec<Rc<Keys>>,
}

impl Image {
    pub(crate) fn new(scenario: Arc<Scenario>) -> Self {
        let queue = |(id, queue): (usize, &scenario::Queue)| {
            let id = QueueId(u16::try_from(id).expect("the parser bounds the number of queues"));
            Rc::new(Keys::new(id, &queue.prefix, &queue.name))
        };
        Image { keys: scenario.queues.iter().enumerate().map(queue).collect(), scenario }
    }
}

/// A step of a release by its place, so that a task can hold it.
#[derive(Clone, Copy)]
struct StepRef {
    release: ReleaseId,
    step: usize,
    /// The step of a timer's list.
    nested: Option<usize>,
}

impl StepRef {
    fn of(self, scenario: &Scenario) -> &Step {
        let step = &scenario.releases[usize::from(self.release.0)].steps[self.step];
        match (self.nested, &step.action) {
            (Some(nested), Action::Timer { steps, .. }) => &steps[nested],
            (None, _) => step,
            (Some(_), _) => unreachable!("only a timer has steps"),
        }
    }
}

/// One process: its Queue objects, one for each queue, its workers, its database connections.
struct Process {
    ctx: Ctx,
    image: Rc<Image>,
    queues: RefCell<Vec<Option<Queue>>>,
    workers: RefCell<Vec<Worker>>,
    database: RefCell<Vec<Conn>>,
}

/// The process of a container that runs `release`.
pub(crate) async fn main(ctx: Ctx, image: Rc<Image>, release: ReleaseId) {
    let queues = RefCell::new(vec![None; image.keys.len()]);
    let process = Process {
        ctx: ctx.clone(),
        image,
        queues,
        workers: RefCell::default(),
        database: RefCell::default(),
    };
    let process = Rc::new(process);
    ctx.spawn(process.clone().shut_down());
    let steps = process.image.scenario.releases[usize::from(release.0)].steps.len();
    for step in 0..steps {
        process.take(StepRef { release, step, nested: None }, None).await;
    }
}

impl Process {
    fn scenario(&self) -> &Scenario {
        &self.image.scenario
    }

    /// Begins a step, and waits for it if the code does. `window` is the tick of the timer that
    /// runs it.
    async fn take(self: &Rc<Self>, step: StepRef, window: Option<i64>) {
        let process = self.clone();
        let taking = async move {
            let result = process.act(step, window).await;
            if result.is_err() && step.of(process.scenario()).on_error == OnError::Exit {
                process.ctx.exit(1);
            }
        };
        if step.of(self.scenario()).awaited {
            taking.await;
        } else {
            self.ctx.spawn(taking);
        }
    }

    async fn act(self: &Rc<Self>, at: StepRef, window: Option<i64>) -> Result<(), QueueError> {
        match &at.of(self.scenario()).action {
            Action::Add(add) => self.add(add, window).await,
            Action::UpsertJobScheduler { queue, id, repeat, name, options } => {
                let job = self.job(*queue, name, options, Some(repeat), window);
                self.queue(*queue).upsert_job_scheduler(id, job).await
            }
            Action::RemoveRepeatable { queue, name, repeat, job_id } => {
                let job_id = job_id.as_deref().map(str::to_owned);
                let repeat = RepeatOptions { job_id, ..RepeatOptions::from(repeat) };
                self.queue(*queue).remove_repeatable(name, repeat).await.map(drop)
            }
            Action::RemoveJobScheduler { queue, id } => {
                self.queue(*queue).remove_job_scheduler(id).await.map(drop)
            }
            Action::Worker(worker) => {
                self.start_worker(worker);
                Ok(())
            }
            Action::Timer { .. } => {
                self.ctx.spawn(self.clone().keep_time(at));
                Ok(())
            }
            Action::Sleep(range) => {
                self.ctx.sleep(self.draw(range)).await;
                Ok(())
            }
        }
    }

    /// The Queue object of this process: a singleton, opened by its first use.
    fn queue(&self, id: QueueId) -> Queue {
        let open = || Queue::open(&self.ctx, self.image.keys[usize::from(id.0)].clone());
        self.queues.borrow_mut()[usize::from(id.0)].get_or_insert_with(open).clone()
    }

    async fn add(&self, add: &Add, window: Option<i64>) -> Result<(), QueueError> {
        let job = self.job(add.queue, &add.name, &add.options, add.repeat.as_ref(), window);
        self.queue(add.queue).add(job).await
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
        let options = Options {
            job_id: own.job_id.as_ref().map(|id| id.render(window)),
            repeat: repeat.map(RepeatOptions::from),
            ..Options::new(defaults, own)
        };
        let names_window = own.job_id.as_ref().is_some_and(Template::names_window);
        let tick = window.filter(|_| names_window).map(Instant::from_ms);
        NewJob { name: name.into(), data: "{}".into(), options, tick }
    }

    fn start_worker(self: &Rc<Self>, options: &scenario::Worker) {
        let keys = self.image.keys[usize::from(options.queue.0)].clone();
        let (process, queue) = (self.clone(), options.queue);
        let processor: Processor = Rc::new(move |job| process.clone().processing(queue, job));
        let worker = Worker::open(&self.ctx, keys, options, processor);
        self.workers.borrow_mut().push(worker);
    }

    /// The processor: what the scenario says that jobs of that name do; nothing for other jobs.
    fn processing(self: Rc<Self>, queue: QueueId, job: Rc<Job>) -> Processing {
        Box::pin(async move {
            let scenario = self.image.scenario.clone();
            let does = |does: &&scenario::Job| {
                does.name.as_bytes() == job.name.as_bytes()
                    && does.queue.is_none_or(|only| only == queue)
            };
            let Some(does) = scenario.jobs.iter().find(does) else { return true };
            for step in &does.steps {
                if self.work(queue, &job, step).await.is_err() {
                    return false;
                }
            }
            let attempt = (job.attempts_made as usize).min(does.outcomes.len() - 1);
            match does.outcomes[attempt] {
                Outcome::Ok => true,
                Outcome::Fail => false,
                Outcome::Exit => {
                    self.ctx.exit(1);
                    std::future::pending().await
                }
            }
        })
    }

    async fn work(&self, queue: QueueId, job: &Job, step: &JobStep) -> Result<(), QueueError> {
        match step {
            JobStep::Query(takes) => {
                let takes = self.draw(takes);
                self.statement(Statement { takes, writes: None }).await?;
            }
            JobStep::Write { rows, batches, takes } => {
                let takes = self.draw(takes);
                let takes = Span::from_nanos(takes.nanos() / i64::from(*batches));
                for batch in 0..u64::from(*batches) {
                    let job = JobId(job.id.clone());
                    let rows = share(*rows, u64::from(*batches), batch);
                    self.statement(Statement { takes, writes: Some(Write { queue, job, rows }) })
                        .await?;
                }
            }
            JobStep::Sleep(range) => {
                // A kill point in the middle: a wait has no send and no reply that could be one.
                let span = self.draw(range);
                let half = Span::from_nanos(span.nanos() / 2);
                self.ctx.sleep(half).await;
                self.ctx.kill_point();
                self.ctx.sleep(Span::from_nanos(span.nanos() - half.nanos())).await;
            }
            JobStep::Block(range) => self.ctx.block(self.draw(range)).await,
            JobStep::Add(add) => self.add(add, None).await?,
        }
        Ok(())
    }

    /// Runs a statement on a connection of the process's pool.
    async fn statement(&self, statement: Statement) -> Result<(), QueueError> {
        let idle = self.database.borrow_mut().pop();
        let conn = idle.unwrap_or_else(|| self.ctx.connect(DATABASE));
        conn.call(Request::Database(statement)).await?;
        self.database.borrow_mut().push(conn);
        Ok(())
    }

    fn draw(&self, range: &Range) -> Span {
        self.ctx.draw(label(range), range.least, range.most)
    }

    /// An in-process cron: arms a timer for the next tick, and at each runs its steps, without
    /// waiting for those of the tick before.
    async fn keep_time(self: Rc<Self>, at: StepRef) {
        let scenario = self.image.scenario.clone();
        let Action::Timer { pattern, zone, steps } = &at.of(&scenario).action else {
            unreachable!("a timer's step is a timer");
        };
        let zone: Zone = zone.clone().unwrap_or_else(|| self.ctx.zone());
        let mut last = self.ctx.now_ms();
        while let Some(tick) = pattern.next(last, &zone) {
            let wait = (tick - self.ctx.now_ms()).max(0);
            self.ctx.sleep(Span::from_ms(wait)).await;
            for nested in 0..steps.len() {
                self.take(StepRef { nested: Some(nested), ..at }, Some(tick)).await;
            }
            last = tick.max(self.ctx.now_ms());
        }
    }

    /// On SIGTERM: closes the workers (which waits for their jobs), then the queues, then exits.
    async fn shut_down(self: Rc<Self>) {
        self.ctx.terminated().await;
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

/// The label of a range's draws.
fn label(range: &Range) -> Label {
    Label(FIRST_DRAW + range.draw)
}

/// How many of `rows` the `batch`-th of `batches` writes: the remainder goes to the first ones.
fn share(rows: u64, batches: u64, batch: u64) -> u64 {
    rows / batches + u64::from(batch < rows % batches)
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

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn batches_share_all_rows() {
        let shares: Vec<u64> = (0..44).map(|batch| share(43_149, 44, batch)).collect();
        assert_eq!(shares.iter().sum::<u64>(), 43_149);
        assert_eq!((shares[0], shares[43]), (981, 980));
    }
}
