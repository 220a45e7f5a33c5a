//! What a run meets, recognised from its events: situations in which start-up code or a queue gets
//! into trouble. Whether it did is not asked here.

use bootrace::sim::bullmq::Version;
use bootrace::sim::choices::{Label, LifeId};
use bootrace::sim::clock::Instant;
use bootrace::sim::event::{
    Added, By, Event, Finish, JobId, JobState, Plan, QueueEvent, QueueId, RegistrationKey,
    ReleaseId, Sink, Stamp, StepId, StepResult,
};
use bootrace::sim::scenario::{Action, Recurrence, Repeat, RepeatWhen, Scenario, Step, Worker};
use bootrace::sim::servers::labels;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Declares what can be seen, each with its words.
macro_rules! items {
    ($($item:ident $text:literal,)*) => {
        /// Something that a run can meet.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(crate) enum Item { $($item),* }

        /// All of them, with their words.
        pub(crate) const ITEMS: &[(Item, &str)] = &[$((Item::$item, $text)),*];
    };
}

items! {
    CheckThenAct "two containers in start-up look before either of them writes",
    UpsertByTwo "two living containers have upserted the same scheduler alike",
    UpsertByThree "three have",
    UpsertByMany "more than four have",
    UpsertOtherPeriod "two living containers have upserted one scheduler with different periods",
    UpsertOfTwoVersions "containers of two versions of the library have upserted one scheduler",
    UpsertBesideItsJob "a registration is written while one of its iterations runs",
    UpsertInGap "a registration is written between the promotion of its iteration and the next one",
    RemovedInUpsert "a registration is removed while another container upserts it",
    KilledBeforeFirst "a container is killed before the first command of its start-up",
    KilledBetween "a container is killed between two commands of its start-up",
    KilledAfterLast "a container is killed after the last command of its start-up, before its reply",
    KilledInPipeline "a container dies with several commands on their way, and some of them arrive",
    KilledBeforeReply "a container is killed after a script of its has changed something, before the reply",
    SentAgain "a script that has run is sent again because its reply was lost",
    BlockedKilled "a container is killed while its worker blocks, and then a job comes",
    LockRanOut "a lock runs out while its job is alive",
    RenewedBefore "a lock is renewed in the millisecond before it ends",
    RenewedAt "a lock is renewed in the millisecond in which it ends",
    RenewedAfter "a lock is to be renewed in the millisecond after its end",
    StalledChecks "two workers look for stalled jobs within one interval",
    OldOwnerEnds "a stalled job comes to its end with the worker that had it before",
    MaxStalled "a job fails because it has stalled too often",
    DueNow "a delayed job is promoted in the millisecond in which it is due",
    EqualScores "two delayed jobs are due in the same millisecond",
    FarAhead "clocks are ahead by more than a period",
    FarBehind "clocks are behind by more than a period",
    StepsBack "a clock steps back",
    Gap "an iteration is due just after clocks went forward",
    Overlap "an iteration is due just after clocks went back",
    LeapDay "an iteration is due on 29 February",
    ShortMonth "an iteration on the 31st passes over a month without one",
    NoNextDate "a pattern without a next date is registered",
    RateEdge "a job starts in the millisecond in which the rate limiter's window ends, or the next",
    BootsPaused "a container boots while a queue is paused",
    ResumedWithWaiting "a queue is resumed while a worker blocks on it",
    ObliterateActive "a queue is obliterated while a job is active",
    WrongType "a key has the wrong type",
    FlushedBetween "Redis loses everything between two boots",
    SlowForAll "Redis stands still while several containers are up",
    ManyContainers "more than 16 containers are up",
}

struct Life {
    release: ReleaseId,
    starting: bool,
    /// What was executed, whether it changed anything, and what was not answered.
    executed: u32,
    unanswered: Vec<(Label, bool)>,
    /// What the connection's break left unanswered.
    lost: Vec<Label>,
    /// What it has looked at in its start-up, and whether another one has written since.
    looked: Option<Label>,
    overtaken: bool,
    workers: BTreeSet<QueueId>,
    under_way: BTreeSet<StepId>,
    upserted: BTreeSet<StepId>,
}

#[derive(Default)]
struct Job {
    registration: Option<RegistrationKey>,
    /// Until when it is delayed, in milliseconds.
    due: Option<i64>,
    owner: Option<LifeId>,
    before: Option<LifeId>,
    runs: bool,
    /// Whether its last attempt has come to its end.
    ended: bool,
    locked: Option<Instant>,
    stalls: u32,
}

/// A window of a rate limiter.
#[derive(Default)]
struct Window {
    began: Option<Instant>,
}

/// Watches one run.
pub(crate) struct Watch<'a> {
    scenario: &'a Scenario,
    words: &'a [Rc<str>],
    pub(crate) seen: BTreeSet<Item>,
    lives: BTreeMap<LifeId, Life>,
    jobs: BTreeMap<(QueueId, JobId), Job>,
    /// Registrations whose iteration is promoted and that have no next one yet.
    open: BTreeSet<(QueueId, RegistrationKey)>,
    /// The last next instant of each.
    next: BTreeMap<(QueueId, RegistrationKey), Instant>,
    /// How many commands a whole start-up of a release has.
    whole: BTreeMap<ReleaseId, u32>,
    paused: BTreeSet<QueueId>,
    windows: BTreeMap<QueueId, Window>,
    /// Queues of which a worker was killed while it blocked.
    bereft: BTreeSet<QueueId>,
    checked: Option<(LifeId, Instant)>,
    booted: bool,
    flushed: bool,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(scenario: &'a Scenario, words: &'a [Rc<str>]) -> Self {
        Watch {
            scenario,
            words,
            seen: BTreeSet::new(),
            lives: BTreeMap::new(),
            jobs: BTreeMap::new(),
            open: BTreeSet::new(),
            next: BTreeMap::new(),
            whole: BTreeMap::new(),
            paused: BTreeSet::new(),
            windows: BTreeMap::new(),
            bereft: BTreeSet::new(),
            checked: None,
            booted: false,
            flushed: false,
        }
    }

    /// The words for requests, to be made once.
    pub(crate) fn words() -> Vec<Rc<str>> {
        labels().collect()
    }

    fn sees(&mut self, item: Item, it_is: bool) {
        if it_is {
            self.seen.insert(item);
        }
    }

    fn word(&self, label: Label) -> &str {
        self.words.get(usize::from(label.0)).map_or("", |word| word)
    }

    /// Whether it is one of BullMQ's scripts: their names begin with a small letter.
    fn is_script(&self, label: Label) -> bool {
        label.0 > 8 && self.word(label).starts_with(|first: char| first.is_ascii_lowercase())
    }

    fn step(&self, step: StepId) -> Option<&'a Step> {
        self.scenario.releases.get(usize::from(step.release.0))?.step(step.step)
    }

    fn library(&self, release: ReleaseId) -> Version {
        self.scenario.releases[usize::from(release.0)].library
    }

    /// The upsert that a step is.
    fn upsert(&self, step: StepId) -> Option<(QueueId, &'a str, &'a Repeat)> {
        match &self.step(step)?.action {
            Action::UpsertJobScheduler { queue, id, repeat, .. } => Some((*queue, id, repeat)),
            _ => None,
        }
    }

    fn blocks(&self, life: &Life) -> bool {
        life.unanswered.iter().any(|(label, _)| self.word(*label) == "BZPOPMIN")
    }

    fn booted(&mut self, who: LifeId, release: ReleaseId) {
        let life = Life {
            release,
            starting: true,
            executed: 0,
            unanswered: Vec::new(),
            lost: Vec::new(),
            looked: None,
            overtaken: false,
            workers: BTreeSet::new(),
            under_way: BTreeSet::new(),
            upserted: BTreeSet::new(),
        };
        self.lives.insert(who, life);
        self.sees(Item::ManyContainers, self.lives.len() > 16);
        self.sees(Item::BootsPaused, !self.paused.is_empty());
        self.sees(Item::FlushedBetween, self.flushed);
        self.booted = true;
    }

    fn killed(&mut self, who: LifeId) {
        let Some(life) = self.lives.remove(&who) else { return };
        if life.starting {
            let whole = self.whole.get(&life.release).copied().unwrap_or(u32::MAX);
            let after = life.executed >= whole && !life.unanswered.is_empty();
            self.sees(Item::KilledBeforeFirst, life.executed == 0);
            self.sees(Item::KilledBetween, (1..whole).contains(&life.executed));
            self.sees(Item::KilledAfterLast, after);
        }
        let ran = |(label, changed): &(Label, bool)| *changed && self.is_script(*label);
        let ran = life.unanswered.iter().any(ran);
        self.sees(Item::KilledBeforeReply, ran);
        if self.blocks(&life) {
            self.bereft.extend(&life.workers);
        }
    }

    fn command(&mut self, at: Instant, who: LifeId, label: Label, changed: bool) {
        let word = self.word(label).to_owned();
        let script = self.is_script(label);
        match &*word {
            "moveStalledJobsToWait" => self.looks_for_stalled(at, who),
            "extendLocks" => self.renews(at, who),
            "obliterate" => {
                let active = self.jobs.values().any(|job| job.owner.is_some());
                self.sees(Item::ObliterateActive, active);
            }
            _ => {}
        }
        let looks = !matches!(&*word, "INFO" | "CLIENT SETNAME" | "PING" | "QUIT" | "BZPOPMIN");
        let Some(life) = self.lives.get_mut(&who) else { return };
        life.executed += 1;
        life.unanswered.push((label, changed));
        let again = life.lost.iter().position(|lost| *lost == label);
        let again = again.map(|place| life.lost.remove(place));
        let mut acts = false;
        if life.starting && !changed && looks {
            life.looked = Some(label);
        } else if life.starting && changed && life.looked.is_some() {
            acts = life.overtaken;
            let looked = life.looked.take();
            let others = self.lives.iter_mut().filter(|(other, _)| **other != who);
            for (_, other) in others.filter(|(_, other)| other.starting && other.looked == looked) {
                other.overtaken = true;
            }
        }
        self.sees(Item::CheckThenAct, acts);
        self.sees(Item::SentAgain, again.is_some() && script);
    }

    fn looks_for_stalled(&mut self, at: Instant, who: LifeId) {
        if let Some((other, before)) = self.checked.replace((who, at)) {
            let interval = self.workers().map(|worker| worker.stalled_interval).min();
            let within = interval.is_some_and(|interval| before + interval > at);
            self.sees(Item::StalledChecks, other != who && within);
        }
    }

    fn renews(&mut self, at: Instant, who: LifeId) {
        let mine = self.jobs.iter_mut().filter(|(_, job)| job.owner == Some(who));
        let mut offs = Vec::new();
        for ((queue, _), job) in mine {
            let worker = worker_of(self.scenario, self.lives.get(&who), *queue);
            if let (Some(locked), Some(worker)) = (job.locked, worker) {
                let off = at.ms() - locked.ms() - worker.lock_duration.ms();
                offs.push(off);
                // What has ended is not there to be renewed. In its last millisecond it is.
                job.locked = (off <= 0).then_some(at);
            }
        }
        self.sees(Item::RenewedBefore, offs.contains(&-1));
        self.sees(Item::RenewedAt, offs.contains(&0));
        self.sees(Item::RenewedAfter, offs.contains(&1));
    }

    fn workers(&self) -> impl Iterator<Item = &'a Worker> {
        self.scenario.releases.iter().flat_map(|release| workers(&release.steps))
    }

    fn plan(&mut self, plan: &Plan) {
        match plan {
            Plan::Clock { ms, .. } => {
                let periods = self.scenario.schedules.iter().filter_map(|schedule| {
                    let (start, ticks) = (self.scenario.start.ms(), schedule.recurrence.ticks());
                    Some(ticks.after(ticks.after(start)?)? - ticks.after(start)?)
                });
                let far = periods.min().is_some_and(|period| ms.abs() > period);
                self.sees(Item::StepsBack, *ms < 0);
                self.sees(Item::FarAhead, far && *ms > 0);
                self.sees(Item::FarBehind, far && *ms < 0);
            }
            Plan::RedisSlow { .. } => self.sees(Item::SlowForAll, self.lives.len() > 1),
            Plan::RedisFlushed => self.flushed = self.booted,
            Plan::RedisDown { .. } | Plan::Disconnected { .. } => self.breaks(),
            _ => {}
        }
    }

    /// Connections break: what ran there and was not answered is lost.
    fn breaks(&mut self) {
        for life in self.lives.values_mut() {
            life.lost.extend(life.unanswered.drain(..).map(|(label, _)| label));
        }
    }

    fn step_ended(&mut self, who: LifeId, step: StepId) {
        let Some(life) = self.lives.get_mut(&who) else { return };
        life.under_way.remove(&step);
        let Some((queue, id, repeat)) = self.upsert(step) else { return };
        self.lives.get_mut(&who).expect("it lives").upserted.insert(step);
        let (mut alike, mut other_period, mut versions) = (0, false, BTreeSet::new());
        for life in self.lives.values() {
            let upserts = life.upserted.iter().filter_map(|step| self.upsert(*step));
            for (_, _, other) in upserts.filter(|(of, other, _)| (*of, *other) == (queue, id)) {
                alike += usize::from(other == repeat);
                other_period |= matches!(
                    (&other.when, &repeat.when),
                    (RepeatWhen::Every(one), RepeatWhen::Every(other)) if one != other
                );
                versions.insert(self.library(life.release));
            }
        }
        self.sees(Item::UpsertByTwo, alike >= 2);
        self.sees(Item::UpsertByThree, alike >= 3);
        self.sees(Item::UpsertByMany, alike > 4);
        self.sees(Item::UpsertOtherPeriod, other_period);
        self.sees(Item::UpsertOfTwoVersions, versions.len() > 1);
    }
}

/// What happens in queues.
impl Watch<'_> {
    fn queued(&mut self, stamp: &Stamp, queue: QueueId, by: By, event: &QueueEvent) {
        match event {
            QueueEvent::Added(added) => self.added(queue, added),
            QueueEvent::Registered(registered) => {
                let key = (queue, registered.key.clone());
                if matches!(by, By::Step(_)) {
                    self.sees(Item::UpsertInGap, self.open.contains(&key));
                    let of = |job: &Job| job.runs && job.registration.as_ref() == Some(&key.1);
                    let runs =
                        self.jobs.iter().any(|((of_queue, _), job)| *of_queue == queue && of(job));
                    self.sees(Item::UpsertBesideItsJob, runs);
                }
                let before = self.next.insert(key, registered.next);
                self.calendar(queue, registered.name.as_bytes(), before, registered.next);
            }
            QueueEvent::Unregistered { key } => self.unregistered(stamp.life, queue, key),
            QueueEvent::WorkerUp => {
                if let Some(life) = self.lives.get_mut(&stamp.life) {
                    life.workers.insert(queue);
                }
            }
            QueueEvent::Paused => {
                self.paused.insert(queue);
            }
            QueueEvent::Resumed => {
                let mut up = self.lives.values().filter(|life| life.workers.contains(&queue));
                let waits = up.any(|life| self.blocks(life));
                self.sees(Item::ResumedWithWaiting, waits && self.paused.contains(&queue));
                self.paused.remove(&queue);
            }
            _ => {
                if let Some(job) = event.job() {
                    self.job(stamp, (queue, job.clone()), event);
                }
            }
        }
    }

    fn added(&mut self, queue: QueueId, added: &Added) {
        let due = match added.state {
            JobState::Delayed(until) => Some(until.ms()),
            _ => None,
        };
        let others = self.jobs.iter().filter(|((of, id), _)| *of == queue && *id != added.job);
        let equal = due.is_some() && others.into_iter().any(|(_, job)| job.due == due);
        self.sees(Item::EqualScores, equal);
        self.sees(Item::BlockedKilled, due.is_none() && self.bereft.contains(&queue));
        if let Some(key) = &added.registration {
            self.open.remove(&(queue, key.clone()));
        }
        let job = Job { registration: added.registration.clone(), due, ..Job::default() };
        self.jobs.insert((queue, added.job.clone()), job);
    }

    fn unregistered(&mut self, who: LifeId, queue: QueueId, key: &RegistrationKey) {
        let others = self.lives.iter().filter(|(other, _)| **other != who);
        let steps = others.flat_map(|(_, life)| &life.under_way);
        let mut upserts = steps.filter_map(|step| self.upsert(*step));
        let in_it = upserts.any(|(of, id, _)| of == queue && id.as_bytes() == key.0.as_bytes());
        self.sees(Item::RemovedInUpsert, in_it);
    }

    fn job(&mut self, stamp: &Stamp, id: (QueueId, JobId), event: &QueueEvent) {
        let (queue, who) = (id.0, stamp.life);
        let owned = self.jobs.get(&id).and_then(|job| job.owner);
        let alive = owned.is_some_and(|owner| self.lives.contains_key(&owner));
        let bereft = self.bereft.contains(&queue);
        let job = self.jobs.entry(id).or_default();
        let (mut saw, registration) = (Vec::new(), job.registration.clone());
        match event {
            QueueEvent::Promoted { .. } => {
                let due = job.due.take();
                saw.push((Item::DueNow, due == Some(stamp.at.ms())));
                saw.push((Item::BlockedKilled, bereft));
                self.open.extend(registration.map(|key| (queue, key)));
            }
            QueueEvent::Rescheduled { due, .. } => job.due = Some(due.ms()),
            QueueEvent::Retried { state: JobState::Delayed(until), .. } => {
                (job.due, job.owner, job.runs) = (Some(until.ms()), None, false);
            }
            QueueEvent::Retried { .. } | QueueEvent::Reprocessed { .. } => {
                (job.owner, job.runs) = (None, false);
            }
            QueueEvent::Fetched { .. } => {
                (job.owner, job.locked, job.due) = (Some(who), Some(stamp.at), None);
                job.ended = false;
                self.open.extend(registration.map(|key| (queue, key)));
                self.rate(stamp.at, who, queue);
            }
            QueueEvent::Started { .. } => job.runs = true,
            QueueEvent::Ended { .. } => (job.runs, job.ended) = (false, true),
            QueueEvent::Stalled { .. } => {
                saw.push((Item::LockRanOut, alive && job.runs));
                (job.before, job.owner, job.locked) = (job.owner, None, None);
                (job.stalls, job.runs) = (job.stalls + 1, false);
            }
            QueueEvent::Refused { code: -2 | -6, .. } => {
                saw.push((Item::OldOwnerEnds, job.before == Some(who)));
            }
            QueueEvent::Finished { how, .. } => {
                let old = job.before == Some(who) && job.owner != Some(who);
                saw.push((Item::OldOwnerEnds, old));
                // It fails without having come to the end of its last attempt.
                let stalled = !job.ended && (job.runs || job.stalls > 0);
                saw.push((Item::MaxStalled, *how == Finish::Failed && stalled));
                *job = Job::default();
            }
            QueueEvent::Removed { .. } => *job = Job::default(),
            _ => {}
        }
        for (item, it_is) in saw {
            self.sees(item, it_is);
        }
    }

    fn rate(&mut self, at: Instant, who: LifeId, queue: QueueId) {
        let worker = worker_of(self.scenario, self.lives.get(&who), queue);
        let Some(limiter) = worker.and_then(|worker| worker.limiter) else { return };
        let window = self.windows.entry(queue).or_default();
        let since = window.began.map(|began| at.ms() - began.ms() - limiter.duration.ms());
        if since.is_none_or(|since| since >= 0) {
            window.began = Some(at);
        }
        self.sees(Item::RateEdge, since.is_some_and(|since| (0..=1).contains(&since)));
    }

    /// What the calendar and the zone of the schedule make of the next instant of a registration.
    fn calendar(&mut self, queue: QueueId, job: &[u8], before: Option<Instant>, next: Instant) {
        let ours = |schedule: &&bootrace::sim::scenario::Schedule| {
            schedule.queue == queue && schedule.job.as_bytes() == job
        };
        let Some(schedule) = self.scenario.schedules.iter().find(ours) else { return };
        let Recurrence::Pattern(_, zone) = &schedule.recurrence else { return };
        let offset = |at: Instant| i64::from(zone.offset_s(at.ms()));
        let date = |at: Instant| {
            let local = at.ms() + offset(at) * 1_000;
            bootrace::sim::civil::Date::from_days(local.div_euclid(86_400_000))
        };
        let two_hours_before = Instant::from_ms(next.ms() - 2 * 3_600_000);
        let moved = offset(next) - offset(two_hours_before);
        let day = date(next);
        let far = before.is_some_and(|before| {
            date(before).day == 31 && next.ms() - before.ms() > 32 * 86_400_000
        });
        self.sees(Item::Gap, moved > 0);
        self.sees(Item::Overlap, moved < 0);
        self.sees(Item::LeapDay, (day.month, day.day) == (2, 29));
        self.sees(Item::ShortMonth, far && day.day == 31);
    }
}

/// The workers among steps.
fn workers(steps: &[Step]) -> Vec<&Worker> {
    let mut found = Vec::new();
    for step in steps {
        match &step.action {
            Action::Worker(worker) => found.push(worker),
            Action::Parallel(steps) => found.extend(workers(steps)),
            _ => {}
        }
    }
    found
}

/// The worker of a queue that a process runs.
fn worker_of<'a>(
    scenario: &'a Scenario,
    life: Option<&Life>,
    queue: QueueId,
) -> Option<&'a Worker> {
    let release = &scenario.releases[usize::from(life?.release.0)];
    workers(&release.steps).into_iter().find(|worker| worker.queue == queue)
}

impl Sink for Watch<'_> {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        let who = stamp.life;
        match event {
            Event::Booted { release, .. } => self.booted(who, *release),
            Event::StartedUp => {
                if let Some(life) = self.lives.get_mut(&who) {
                    life.starting = false;
                    self.whole.entry(life.release).or_insert(life.executed);
                }
            }
            Event::StepBegan(step) => {
                if let Some(life) = self.lives.get_mut(&who) {
                    life.under_way.insert(*step);
                }
            }
            Event::StepEnded(step, StepResult::Done) => self.step_ended(who, *step),
            Event::StepThrew { error, .. } => {
                self.sees(Item::WrongType, error.contains("WRONGTYPE"));
                self.sees(Item::NoNextDate, error.contains("day of month"));
            }
            Event::Killed => self.killed(who),
            Event::Exited { .. } => {
                self.lives.remove(&who);
            }
            Event::Command { label, changed, .. } => self.command(stamp.at, who, *label, *changed),
            Event::Answered { label } => {
                if let Some(life) = self.lives.get_mut(&who)
                    && let Some(place) = life.unanswered.iter().position(|(one, _)| one == label)
                {
                    life.unanswered.remove(place);
                }
            }
            Event::Plan(plan) => self.plan(plan),
            Event::Queue(queue, by, event) => self.queued(stamp, *queue, *by, event),
            _ => {}
        }
    }
}
