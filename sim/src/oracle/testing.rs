//! Histories for the tests of this folder: short words for events. Only tests use it.

use super::{Judge, Judgement, Verdict};
use crate::choices::{Label, LifeId};
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::event::{
    Added, By, Event, Finish, JobId, JobList, JobState, Plan, QueueEvent, QueueId, Registered,
    RegistrationKey, ReleaseId, ServerId, ServiceId, Sink, Stamp,
};
use crate::redis::Bytes;
use crate::scenario::{
    Audit, Declared, Expectation, Faults, JobOptions, Measure, Mode, Network, Probe, Property,
    Queue, Range, Recurrence, Relation, Release, Restart, Rollout, SCRAPE, Scenario, Schedule,
    Service, Skew, Subject, Version,
};

/// Always at most so many, or so long in nanoseconds, of the schedule.
pub(super) const fn at_most(measure: Measure, bound: u64) -> Property {
    let (mode, subject, relation) = (Mode::Always, Subject::Schedule(0), Relation::AtMost);
    Property { mode, measure, subject, relation, bound }
}

/// Always at most so many, of the first queue.
pub(super) const fn of_queue(measure: Measure, bound: u64) -> Property {
    Property { subject: Subject::Queue(0), ..at_most(measure, bound) }
}

/// Always at least so many firings in a window of the schedule.
pub(super) const fn firings_at_least(bound: u64) -> Property {
    Property { relation: Relation::AtLeast, ..at_most(Measure::FiringsPerWindow, bound) }
}

/// A probe of something.
pub(super) const fn sometimes(probe: Probe, subject: Subject) -> Property {
    let (measure, relation) = (Measure::Seen(probe), Relation::Happens);
    Property { mode: Mode::Sometimes, measure, subject, relation, bound: 0 }
}

/// The instant so many minutes after the epoch, where [`hourly`] starts.
pub(super) fn minute(minute: i64) -> Instant {
    Instant::from_ms(minute * 60_000)
}

/// Four hours of a schedule that is due every hour, all of it measured.
pub(super) fn hourly() -> Scenario {
    let hours = |hours: i64| Span::from_secs(hours * 3_600);
    let queue = |name: &str| Queue {
        name: name.into(),
        prefix: "bull".into(),
        defaults: JobOptions::default(),
    };
    Scenario {
        name: "hourly".into(),
        start: minute(0),
        length: hours(4),
        measure: (Span::ZERO, hours(4)),
        calm: Span::ZERO,
        round_trip: Range { least: Span::ZERO, most: Span::ZERO, draw: 0 },
        network: Network::default(),
        skips_idle_polls: false,
        schedules: vec![Schedule {
            name: "usage".into(),
            recurrence: Recurrence::Every(hours(1)),
            queue: QueueId(0),
            job: "usage".into(),
            max_lateness: Span::from_secs(360),
        }],
        queues: vec![queue("usage"), queue("other")],
        jobs: Vec::new(),
        releases: Vec::new(),
        services: Vec::new(),
        events: Vec::new(),
        faults: Faults::default(),
        expectations: Vec::new(),
        audit: Audit::default(),
        alerts: Vec::new(),
        scrape: SCRAPE,
        answers: None,
        draws: Vec::new(),
    }
}

/// A scenario and what happened.
pub(super) struct Story {
    pub(super) scenario: Scenario,
    pub(super) events: Vec<(Stamp, Event)>,
    now: Stamp,
    by: By,
}

impl Story {
    pub(super) fn hourly() -> Story {
        let now = Stamp { at: minute(0), life: LifeId(1) };
        Story { scenario: hourly(), events: Vec::new(), now, by: By::Worker }
    }

    /// A release of no steps, which a person may run by hand.
    pub(super) fn release(by_hand: bool) -> Release {
        let (name, steps) = ("one".into(), Vec::new().into());
        Release { name, library: Version::V5_34_10, steps, jobs: Vec::new(), by_hand }
    }

    /// A service of one container.
    pub(super) fn service(release: u16) -> Service {
        let nothing = Range { least: Span::ZERO, most: Span::ZERO, draw: 0 };
        Service {
            name: "web".into(),
            release: ReleaseId(release),
            replicas: 1,
            without: Vec::new(),
            boot: nothing,
            restart: Restart::Always,
            restart_delay: None,
            max_restarts: None,
            grace: Span::ZERO,
            rollout: Rollout::Recreate,
            zone: Zone::utc(),
            env: Vec::new(),
            round_trip: None,
            clock: Skew::default(),
        }
    }

    pub(super) fn judge(&self, property: Property) -> Judgement {
        self.judge_until(property, self.scenario.start + self.scenario.length)
    }

    pub(super) fn judge_until(&self, property: Property, end: Instant) -> Judgement {
        self.verdict_at(&[property], end).judgements.remove(0)
    }

    pub(super) fn verdict(&self, properties: &[Property]) -> Verdict {
        self.verdict_at(properties, self.scenario.start + self.scenario.length)
    }

    fn verdict_at(&self, properties: &[Property], end: Instant) -> Verdict {
        self.judged(properties).finish(end)
    }

    /// The judge after all events, before the end.
    pub(super) fn judged(&self, properties: &[Property]) -> Judge {
        let mut scenario = self.scenario.clone();
        let expectation = |property: &Property| Expectation {
            property: *property,
            declared: Declared::Holds,
            at: 0,
        };
        scenario.expectations = properties.iter().map(expectation).collect();
        let mut judge = Judge::new(&scenario);
        for (stamp, event) in &self.events {
            judge.event(stamp, event);
        }
        judge
    }

    pub(super) fn at(&mut self, at: i64) -> &mut Story {
        self.now.at = minute(at);
        self
    }

    pub(super) fn life(&mut self, life: LifeId) -> &mut Story {
        self.now.life = life;
        self
    }

    pub(super) fn event(&mut self, event: Event) -> &mut Story {
        self.events.push((self.now, event));
        self
    }

    pub(super) fn queue_event(&mut self, queue: QueueId, event: QueueEvent) -> &mut Story {
        self.event(Event::Queue(queue, self.by, event))
    }

    fn queue(&mut self, event: QueueEvent) -> &mut Story {
        self.queue_event(QueueId(0), event)
    }

    /// What asks for everything from here on.
    pub(super) fn by(&mut self, by: By) -> &mut Story {
        self.by = by;
        self
    }

    pub(super) fn boot(&mut self) -> &mut Story {
        self.boots(0, false)
    }

    pub(super) fn boots(&mut self, release: u16, again: bool) -> &mut Story {
        let release = ReleaseId(release);
        self.event(Event::Booted { release, again })
    }

    pub(super) fn started_up(&mut self) -> &mut Story {
        self.event(Event::StartedUp)
    }

    /// A person, Kubernetes or fate does something.
    pub(super) fn plan(&mut self, plan: Plan) -> &mut Story {
        let at = self.now.at;
        self.events.push((Stamp { at, life: LifeId::WORLD }, Event::Plan(plan)));
        self
    }

    pub(super) fn deploy(&mut self, service: u16) -> &mut Story {
        let (service, release) = (ServiceId(service), ReleaseId(0));
        self.plan(Plan::Deploy { service, release })
    }

    pub(super) fn deployed(&mut self, service: u16) -> &mut Story {
        self.plan(Plan::Deployed { service: ServiceId(service) })
    }

    pub(super) fn flush(&mut self) -> &mut Story {
        self.plan(Plan::RedisFlushed)
    }

    pub(super) fn command(&mut self) -> &mut Story {
        self.event(Event::Command { server: ServerId(0), label: Label(0), changed: false })
    }

    pub(super) fn terminate(&mut self) -> &mut Story {
        self.event(Event::Terminated)
    }

    pub(super) fn exit(&mut self) -> &mut Story {
        self.event(Event::Exited { code: 0 })
    }

    pub(super) fn kill(&mut self) -> &mut Story {
        self.event(Event::Killed)
    }

    pub(super) fn block_until(&mut self, until: i64) -> &mut Story {
        let until = minute(until);
        self.event(Event::Blocked { until })
    }

    pub(super) fn worker_up(&mut self) -> &mut Story {
        self.queue(QueueEvent::WorkerUp)
    }

    /// A job of the schedule in `wait`, and the minute that it stands for.
    pub(super) fn add(&mut self, id: &str, tick: Option<i64>) -> &mut Story {
        self.add_named(id, "usage", tick)
    }

    pub(super) fn add_named(&mut self, id: &str, name: &str, tick: Option<i64>) -> &mut Story {
        self.added(id, name, tick, JobState::Wait, None)
    }

    pub(super) fn add_prioritized(&mut self, id: &str) -> &mut Story {
        self.added(id, "usage", None, JobState::Prioritized, None)
    }

    pub(super) fn add_delayed(&mut self, id: &str, tick: Option<i64>) -> &mut Story {
        let state = JobState::Delayed(minute(tick.unwrap_or(0)));
        self.added(id, "usage", tick, state, None)
    }

    /// A delayed iteration `key:tick` of a registration.
    pub(super) fn iteration(&mut self, key: &str, tick: i64) -> &mut Story {
        let (id, state) = (format!("{key}:{tick}"), JobState::Delayed(minute(tick)));
        self.added(&id, "usage", Some(tick), state, Some(key))
    }

    fn added(
        &mut self,
        id: &str,
        name: &str,
        tick: Option<i64>,
        state: JobState,
        key: Option<&str>,
    ) -> &mut Story {
        self.queue(QueueEvent::Added(Box::new(Added {
            job: job(id),
            name: Bytes::from(name),
            registration: key.map(registration),
            tick: tick.map(minute),
            state,
        })))
    }

    /// A job of the schedule, fetched and started at once.
    pub(super) fn job(&mut self, id: &str, tick: Option<i64>) -> &mut Story {
        self.add(id, tick).fetch(id).start(id)
    }

    pub(super) fn promote(&mut self, id: &str) -> &mut Story {
        self.queue(QueueEvent::Promoted { job: job(id) })
    }

    pub(super) fn fetch(&mut self, id: &str) -> &mut Story {
        self.queue(QueueEvent::Fetched { job: job(id) })
    }

    pub(super) fn start(&mut self, id: &str) -> &mut Story {
        self.queue(QueueEvent::Started { job: job(id), data: "{}".into() })
    }

    pub(super) fn rows(&mut self, id: &str, rows: u64) -> &mut Story {
        let (queue, job) = (QueueId(0), job(id));
        self.event(Event::Rows { queue, job, rows })
    }

    pub(super) fn end(&mut self, id: &str, ok: bool) -> &mut Story {
        self.queue(QueueEvent::Ended { job: job(id), ok })
    }

    pub(super) fn finish(&mut self, id: &str, kept: bool) -> &mut Story {
        let how = Finish::Completed;
        self.queue(QueueEvent::Finished { job: job(id), how, kept })
    }

    /// Failed for good and kept.
    pub(super) fn fail(&mut self, id: &str) -> &mut Story {
        let how = Finish::Failed;
        self.queue(QueueEvent::Finished { job: job(id), how, kept: true })
    }

    pub(super) fn refuse(&mut self, id: &str, code: i8) -> &mut Story {
        self.queue(QueueEvent::Refused { job: job(id), code })
    }

    /// Ended, completed and removed.
    pub(super) fn done(&mut self, id: &str) -> &mut Story {
        self.end(id, true).finish(id, false).remove(id)
    }

    /// Put back into `wait`, or into `delayed` until a minute.
    pub(super) fn retry(&mut self, id: &str, until: Option<i64>) -> &mut Story {
        let state = until.map_or(JobState::Wait, |until| JobState::Delayed(minute(until)));
        self.queue(QueueEvent::Retried { job: job(id), state })
    }

    /// A finished job, put back by hand.
    pub(super) fn reprocess(&mut self, id: &str) -> &mut Story {
        self.queue(QueueEvent::Reprocessed { job: job(id) })
    }

    /// An entry is taken out of a list; its hash is another matter.
    pub(super) fn drop_from(&mut self, from: JobList, id: &str) -> &mut Story {
        self.queue(QueueEvent::Dropped { job: job(id), from })
    }

    /// A waiting job is removed, its entry and its hash.
    pub(super) fn drain(&mut self, id: &str) -> &mut Story {
        self.drop_from(JobList::Wait, id).remove(id)
    }

    pub(super) fn stall(&mut self, id: &str) -> &mut Story {
        self.queue(QueueEvent::Stalled { job: job(id) })
    }

    pub(super) fn remove(&mut self, id: &str) -> &mut Story {
        self.queue(QueueEvent::Removed { job: job(id) })
    }

    pub(super) fn register(&mut self, key: &str, next: i64) -> &mut Story {
        self.register_named(key, "usage", next)
    }

    pub(super) fn register_named(&mut self, key: &str, name: &str, next: i64) -> &mut Story {
        self.queue(QueueEvent::Registered(Box::new(Registered {
            key: registration(key),
            name: Bytes::from(name),
            next: minute(next),
        })))
    }

    pub(super) fn unregister(&mut self, key: &str) -> &mut Story {
        let key = registration(key);
        self.queue(QueueEvent::Unregistered { key })
    }
}

pub(super) fn job(id: &str) -> JobId {
    JobId(Bytes::from(id))
}

fn registration(key: &str) -> RegistrationKey {
    RegistrationKey(Bytes::from(key))
}
