//! Metrics: what a run amounts to at an instant, in numbers that a monitor could have.
//!
//! [`Metrics`] is fed with the events of a run, in order, and can be asked at any time; it stands beside
//! the oracles and judges nothing. Who has none of it pays nothing.

mod lengths;

use crate::choices::{LifeId, LifeName};
use crate::clock::Instant;
use crate::event::{Event, Finish, JobId, JobState, Plan, QueueEvent, QueueId, Sink, Stamp};
use crate::oracle::{Fact, Ledger, Registry, Work};
use crate::scenario::{
    ATTEMPT_STATES, Form, JOB_STATES, METRICS, Measured, Metric, MetricLine, Scenario, Version,
};
use crate::ticks::Ticks;
use lengths::Lengths;
use std::collections::BTreeMap;

/// The upper ends of a histogram's buckets that OpenTelemetry takes where nobody says others; BullMQ
/// says none. The last one has no end.
pub const BUCKETS: [u64; 15] =
    [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

/// How many windows of a schedule are remembered: a job may start long after its tick.
const WINDOWS: usize = 64;

/// The numbers of a run so far.
#[derive(Debug)]
pub struct Metrics {
    ledger: Ledger,
    queues: Vec<Queue>,
    schedules: Vec<Schedule>,
    services: Vec<Service>,
    /// The service of each life, as far as it was told.
    lives: Vec<Option<usize>>,
    lengths: Vec<Lengths>,
    /// The lengths as Redis will know them after a failover, by its number.
    copies: BTreeMap<u32, Vec<Lengths>>,
    lists_paused: bool,
    series: Vec<Series>,
}

/// What was counted of a queue.
#[derive(Debug, Default)]
struct Queue {
    completed: u64,
    failed: u64,
    retried: u64,
    delayed: u64,
    duplicated: u64,
    deduplicated: u64,
    stalled: u64,
    executions: u64,
    rows: u64,
    /// When each job was taken that is in hand.
    taken: BTreeMap<JobId, Instant>,
    durations: [Durations; ATTEMPT_STATES.len()],
}

/// How long attempts took, in whole milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Durations {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: u64,
}

/// What was counted of a schedule.
#[derive(Debug)]
struct Schedule {
    queue: QueueId,
    work: Work,
    registry: Registry,
    ticks: Ticks,
    /// How often each of the last windows has fired.
    windows: BTreeMap<i64, u64>,
    extra: u64,
}

/// What was counted of a service.
#[derive(Debug, Default)]
struct Service {
    boots: u64,
    /// Who runs.
    up: Vec<LifeId>,
}

/// One series of samples.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    /// Of which metric.
    pub metric: Metric,
    /// Which part of a histogram it is: `_bucket`, `_count`, `_sum`.
    pub suffix: &'static str,
    /// Its labels, in order.
    pub labels: Vec<(&'static str, Box<str>)>,
    of: Of,
}

/// Where the value of a series is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Queue(usize, usize),
    /// What is left of a queue without its schedules.
    Rest(usize),
    Schedule(usize, usize),
    Service(usize),
    /// Of a queue, of a state: a bucket, with all below it; the count; the sum.
    Bucket(usize, usize, usize),
    Count(usize, usize),
    Sum(usize, usize),
}

impl Metrics {
    /// Those of a run that is about to start.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Metrics {
        let schedule = |(number, schedule): (usize, &crate::scenario::Schedule)| Schedule {
            queue: schedule.queue,
            work: Work::default(),
            registry: Registry::new(scenario, number),
            ticks: schedule.recurrence.ticks(),
            windows: BTreeMap::new(),
            extra: 0,
        };
        let queues = scenario.queues.len();
        Metrics {
            ledger: Ledger::new(scenario),
            queues: std::iter::repeat_with(Queue::default).take(queues).collect(),
            schedules: scenario.schedules.iter().enumerate().map(schedule).collect(),
            services: scenario.services.iter().map(|_| Service::default()).collect(),
            lives: Vec::new(),
            lengths: vec![Lengths::default(); queues],
            copies: BTreeMap::new(),
            lists_paused: scenario.releases.iter().any(|one| one.library < Version::V6_7_0),
            series: METRICS.iter().flat_map(|line| all(scenario, line)).collect(),
        }
    }

    /// Says who the next life is, in the order of their numbers, beginning with the world. Boots of a
    /// life that nobody has named are no service's.
    pub fn name(&mut self, scenario: &Scenario, name: &LifeName) {
        let is = |service: &crate::scenario::Service| *service.name == *name.service;
        let service = scenario.services.iter().position(is);
        self.lives.push(service.filter(|_| name.ordinal > 0));
    }

    /// How many lives have a name.
    #[must_use]
    pub fn named(&self) -> usize {
        self.lives.len()
    }

    /// What was done for a schedule so far, in the whole run.
    #[must_use]
    pub fn work(&self, schedule: usize) -> Work {
        self.schedules[schedule].work
    }

    /// The series, always the same ones in the same order.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The value of each series now.
    pub fn sample(&self) -> impl Iterator<Item = u64> {
        self.series.iter().map(|series| self.value(series))
    }

    /// The value of a series now.
    #[must_use]
    pub fn value(&self, series: &Series) -> u64 {
        let metric = series.metric;
        match series.of {
            Of::Queue(queue, state) => self.of_queue(metric, queue, state),
            Of::Rest(queue) => {
                let here = |(_, one): &(usize, &Schedule)| usize::from(one.queue.0) == queue;
                let works = self.schedules.iter().enumerate().filter(here);
                let works: u64 = works.map(|(number, _)| self.of_schedule(metric, number, 0)).sum();
                self.of_queue(metric, queue, 0).saturating_sub(works)
            }
            Of::Schedule(schedule, state) => self.of_schedule(metric, schedule, state),
            Of::Service(service) => self.of_service(metric, service),
            Of::Bucket(queue, state, bucket) => {
                self.queues[queue].durations[state].buckets[..=bucket].iter().sum()
            }
            Of::Count(queue, state) => self.queues[queue].durations[state].count,
            Of::Sum(queue, state) => self.queues[queue].durations[state].sum,
        }
    }

    /// Of a queue, by the number of the state where there are some.
    pub(crate) fn of_queue(&self, metric: Metric, queue: usize, state: usize) -> u64 {
        let of = &self.queues[queue];
        match metric {
            Metric::JobCount => self.lengths[queue].of(JOB_STATES[state], self.lists_paused),
            Metric::Completed => of.completed,
            Metric::Failed => of.failed,
            Metric::Retried => of.retried,
            Metric::Delayed => of.delayed,
            Metric::Duplicated => of.duplicated,
            Metric::Deduplicated => of.deduplicated,
            Metric::Stalled => of.stalled,
            Metric::Executions => of.executions,
            Metric::Rows => of.rows,
            Metric::Duration
            | Metric::Available
            | Metric::ExtraFirings
            | Metric::Registrations
            | Metric::Boots => unreachable!("the table says that it is about something else"),
        }
    }

    /// Of a schedule, by the number of the state where there are some.
    pub(crate) fn of_schedule(&self, metric: Metric, schedule: usize, state: usize) -> u64 {
        let of = &self.schedules[schedule];
        match metric {
            Metric::Executions => of.work.executions,
            Metric::Rows => of.work.rows,
            Metric::ExtraFirings => of.extra,
            _ => {
                let standing = of.registry.standing(&self.ledger);
                if state == 0 { standing.live } else { standing.dead }
            }
        }
    }

    /// Of a service.
    pub(crate) fn of_service(&self, metric: Metric, service: usize) -> u64 {
        match metric {
            Metric::Boots => self.services[service].boots,
            _ => self.services[service].up.len() as u64,
        }
    }

    fn service(&mut self, life: LifeId) -> Option<&mut Service> {
        let service = (*self.lives.get(life.0 as usize)?)?;
        self.services.get_mut(service)
    }

    /// Takes in an event.
    fn fold(&mut self, stamp: &Stamp, event: &Event) {
        let fact = self.ledger.fold(stamp, event);
        for schedule in &mut self.schedules {
            schedule.registry.observe(event);
        }
        match fact {
            Some(Fact::Execution { schedule, firing, .. }) => {
                self.schedules[schedule].executed(firing);
            }
            Some(Fact::Rows { schedule, rows }) => self.schedules[schedule].work.rows += rows,
            Some(Fact::Dropped { .. }) | None => {}
        }
        match event {
            Event::Booted { .. } => {
                if let Some(service) = self.service(stamp.life) {
                    service.boots += 1;
                    service.up.push(stamp.life);
                }
            }
            Event::Exited { .. } | Event::Killed => {
                if let Some(service) = self.service(stamp.life) {
                    service.up.retain(|life| *life != stamp.life);
                }
            }
            Event::Rows { queue, rows, .. } => self.queues[usize::from(queue.0)].rows += rows,
            Event::Queue(queue, by, event) => {
                let queue = usize::from(queue.0);
                self.lengths[queue].fold(*by, event);
                self.queues[queue].fold(stamp.at, event);
            }
            Event::Plan(Plan::RedisFlushed) => self.lengths.iter_mut().for_each(Lengths::flush),
            Event::Plan(Plan::RedisCopied { event }) => {
                self.copies.insert(*event, self.lengths.clone());
            }
            Event::Plan(Plan::RedisRolledBack { event }) => {
                if let Some(copy) = self.copies.remove(event) {
                    self.lengths = copy;
                }
            }
            _ => {}
        }
    }
}

impl Sink for Metrics {
    #[inline]
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        match event {
            // Nearly all events are these.
            Event::Command { .. } | Event::Answered { .. } => {}
            _ => self.fold(stamp, event),
        }
    }
}

impl Queue {
    fn fold(&mut self, at: Instant, event: &QueueEvent) {
        match event {
            QueueEvent::Fetched { job } => drop(self.taken.insert(job.clone(), at)),
            QueueEvent::Started { .. } => self.executions += 1,
            QueueEvent::Finished { job, how, .. } => match how {
                Finish::Completed => {
                    self.completed += 1;
                    self.ended(job, at, 0);
                }
                Finish::Failed => {
                    self.failed += 1;
                    self.ended(job, at, 1);
                }
            },
            QueueEvent::Retried { job, state: JobState::Delayed(_) } => {
                self.delayed += 1;
                self.ended(job, at, 2);
            }
            QueueEvent::Retried { job, .. } => {
                self.retried += 1;
                self.ended(job, at, 3);
            }
            QueueEvent::Duplicated { .. } => self.duplicated += 1,
            QueueEvent::Deduplicated { .. } => self.deduplicated += 1,
            QueueEvent::Stalled { .. } => self.stalled += 1,
            _ => {}
        }
    }

    fn ended(&mut self, job: &JobId, at: Instant, state: usize) {
        let Some(taken) = self.taken.remove(job) else { return };
        let ms = at.since(taken).ms().unsigned_abs();
        let durations = &mut self.durations[state];
        durations.count += 1;
        durations.sum += ms;
        if let Some(bucket) = BUCKETS.iter().position(|end| ms <= *end) {
            durations.buckets[bucket] += 1;
        }
    }
}

impl Schedule {
    fn executed(&mut self, firing: Option<Instant>) {
        self.work.executions += 1;
        let Some(at) = firing else { return };
        self.work.firings += 1;
        let Some(window) = self.ticks.at_or_before(at.ms()) else { return };
        let fired = self.windows.entry(window).or_default();
        *fired += 1;
        self.extra += u64::from(*fired > 1);
        if self.windows.len() > WINDOWS {
            self.windows.pop_first();
        }
    }
}

/// The series of a line of the table.
fn all(scenario: &Scenario, line: &MetricLine) -> Vec<Series> {
    let metric = line.metric;
    let one = |name: &str, of| {
        let labels = vec![(line.label, name.into())];
        Series { metric, suffix: "", labels, of }
    };
    let states = |name: &str, of: fn(usize, usize) -> Of, number: usize| -> Vec<Series> {
        let (label, states) = line.states;
        if states.is_empty() {
            return vec![one(name, of(number, 0))];
        }
        let each = states.iter().enumerate().map(|(state, word)| {
            let mut series = one(name, of(number, state));
            series.labels.push((label, (*word).into()));
            series
        });
        each.collect()
    };
    let queues = scenario.queues.iter().enumerate();
    let schedules = scenario.schedules.iter().enumerate();
    match line.of {
        Measured::Queue if line.form == Form::Histogram => {
            let each = |(number, queue): (usize, &crate::scenario::Queue)| {
                let states = states(&queue.name, Of::Count, number);
                states.into_iter().flat_map(histogram).collect::<Vec<_>>()
            };
            queues.flat_map(each).collect()
        }
        Measured::Queue => {
            queues.flat_map(|(number, queue)| states(&queue.name, Of::Queue, number)).collect()
        }
        Measured::Schedule => {
            let each = |(number, schedule): (usize, &crate::scenario::Schedule)| {
                states(&schedule.name, Of::Schedule, number)
            };
            schedules.flat_map(each).collect()
        }
        Measured::Work => {
            let name = |queue: QueueId| &*scenario.queues[usize::from(queue.0)].name;
            let mut series: Vec<Series> = Vec::new();
            for (number, schedule) in schedules {
                let mut of = one(name(schedule.queue), Of::Schedule(number, 0));
                of.labels.push((line.job_label(), schedule.job.clone()));
                // Of two schedules with the same jobs, the first has them.
                if !series.iter().any(|other| other.labels == of.labels) {
                    series.push(of);
                }
            }
            for (number, queue) in queues {
                let mut rest = one(&queue.name, Of::Rest(number));
                rest.labels.push((line.job_label(), "".into()));
                series.push(rest);
            }
            series
        }
        Measured::Service => {
            let services = scenario.services.iter().enumerate();
            services.map(|(number, service)| one(&service.name, Of::Service(number))).collect()
        }
    }
}

/// The parts of a histogram, of what would be its count.
fn histogram(count: Series) -> Vec<Series> {
    let Of::Count(queue, state) = count.of else { unreachable!("a histogram begins as its count") };
    let bucket = |end: String, of| {
        let mut series = Series { suffix: "_bucket", of, ..count.clone() };
        series.labels.push(("le", end.into()));
        series
    };
    let ends = BUCKETS.iter().enumerate();
    let buckets =
        ends.map(|(number, end)| bucket(format!("{end}.0"), Of::Bucket(queue, state, number)));
    let mut all: Vec<Series> = buckets.collect();
    all.push(bucket("+Inf".to_owned(), count.of));
    all.push(Series { suffix: "_count", ..count.clone() });
    all.push(Series { suffix: "_sum", of: Of::Sum(queue, state), ..count });
    all
}
