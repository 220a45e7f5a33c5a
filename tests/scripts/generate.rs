//! What happens next on a small queue, drawn from a seed and from what the queue holds.
//!
//! The world is small so that things meet: few ids, few keys, instants on a coarse grid. About one
//! call in ten is about a job that is not there, or not in the state for it.

#[path = "generate/jobs.rs"]
mod jobs;

use std::rc::Rc;

use bootrace_sim::bullmq::Version;
use bootrace_sim::bullmq::keys::Keys;
use bootrace_sim::bullmq::scripts::{
    Call, CleanJobsInSet, ExtendLocks, FetchOptions, MoveJobFromActiveToWait, MoveJobsToWait,
    MoveStalledJobsToWait, MoveToActive, MoveToDelayed, Obliterate, RemoveRepeatable, ReprocessJob,
    RetryJob, UpdateRepeatableJobMillis,
};
use bootrace_sim::event::{Finish, JobList};
use bootrace_sim::redis::{Bytes, Db, Key};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::play::{Step, What};

const TOKENS: [&str; 3] = ["one:0", "one:1", "two:0"];
const CUSTOM: [&str; 5] = ["own-0", "own-1", "own-2", "own-3", "own-4"];
/// Schedulers and registrations of the older API, and one of its keys of before 3.0.0.
const REGISTRATIONS: [&str; 4] = ["s0", "s1", "5f2b", "a::::0 0 3 * * *"];

/// A kind of call.
#[derive(Clone, Copy)]
enum Kind {
    Add,
    /// Of the older API: its second round trip.
    Iteration,
    Repeatable,
    Scheduler,
    /// The next iteration of a scheduler.
    Next,
    RemoveRepeatable,
    RemoveScheduler,
    Fetch,
    Finish,
    Delay,
    Retry,
    Stalled,
    Extend,
    Pause,
    Drain,
    Obliterate,
    Remove,
    Promote,
    Reprocess,
    /// Of the older API: the first round trip of a worker.
    RepeatableNext,
    MoveAll,
    Clean,
    /// A job goes back because of a limit.
    Limited,
}

/// How often each kind is drawn, before a sequence changes that.
const KINDS: [(Kind, usize); 23] = [
    (Kind::Add, 18),
    (Kind::Iteration, 3),
    (Kind::Repeatable, 3),
    (Kind::Scheduler, 5),
    (Kind::Next, 6),
    (Kind::RemoveRepeatable, 1),
    (Kind::RemoveScheduler, 1),
    (Kind::Fetch, 18),
    (Kind::Finish, 12),
    (Kind::Delay, 5),
    (Kind::Retry, 4),
    (Kind::Stalled, 5),
    (Kind::Extend, 3),
    (Kind::Pause, 3),
    (Kind::Drain, 1),
    (Kind::Obliterate, 1),
    (Kind::Remove, 3),
    (Kind::Promote, 3),
    (Kind::Reprocess, 5),
    (Kind::RepeatableNext, 1),
    (Kind::MoveAll, 1),
    (Kind::Clean, 2),
    (Kind::Limited, 3),
];

/// Draws steps.
pub(crate) struct Generator {
    random: TestRng,
    versions: Vec<Version>,
    /// That of the client that acts now.
    version: Version,
    worker: Rc<FetchOptions>,
    /// The weights of [`KINDS`] in this sequence: one is about schedulers, another about what
    /// stalls.
    weights: Vec<usize>,
    /// One add in so many has a deduplication id.
    deduplicated: usize,
}

/// What a draw can see.
struct View<'a> {
    now: i64,
    db: &'a Db,
    keys: &'a Keys,
}

impl View<'_> {
    fn list(&self, key: &Key) -> Vec<Bytes> {
        self.db.lrange(key, 0, -1).map(|ids| ids.cloned().collect()).unwrap_or_default()
    }

    fn set(&self, key: &Key) -> Vec<(Bytes, f64)> {
        let elements = self.db.zrange(key, 0, -1);
        elements.map(|all| all.map(|(id, score)| (id.clone(), score)).collect()).unwrap_or_default()
    }

    /// The ids that are in a sorted set.
    fn ids(&self, key: &Key) -> Vec<Bytes> {
        self.set(key).into_iter().map(|(id, _)| id).collect()
    }

    /// Who holds the lock of a job.
    fn token(&self, id: &Bytes) -> Option<Bytes> {
        self.db.get(&self.keys.lock(id)).ok().flatten().cloned()
    }

    fn field(&self, id: &Bytes, field: &str) -> Option<Bytes> {
        self.db.hget(&self.keys.job(id), field.as_bytes()).ok().flatten().cloned()
    }
}

impl Generator {
    /// A generator for clients of some versions.
    pub(crate) fn new(seed: u64, versions: &[Version]) -> Generator {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let worker = Rc::new(FetchOptions { lock_duration: 100, limiter: None });
        let versions = versions.to_vec();
        let version = versions[0];
        let weights = Vec::new();
        let mut generator =
            Generator { random, versions, version, worker, weights, deduplicated: 3 };
        generator.deduplicated = generator.pick([1, 3, 3, 8]);
        for (_, weight) in KINDS {
            let weight = weight * generator.pick([0, 1, 2, 2, 3, 8]);
            generator.weights.push(weight.max(1));
        }
        let limited = generator.once_in(3);
        let limiter = limited.then(|| (generator.pick([1, 2, 3]), generator.pick([20, 100, 300])));
        let lock_duration = generator.pick([50, 100, 2000, 20_000]);
        generator.worker = Rc::new(FetchOptions { lock_duration, limiter });
        generator
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.random.next_u64() % bound as u64) as usize
    }

    fn once_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N)]
    }

    fn text<const N: usize>(&mut self, choices: [&str; N]) -> Bytes {
        self.pick(choices).into()
    }

    /// The next step of a queue that is as `db` has it.
    pub(crate) fn step(&mut self, now: i64, db: &Db, keys: &Keys) -> Step {
        let wait_ms = self.wait(now, db, keys);
        let at = self.below(self.versions.len());
        self.version = self.versions[at];
        let version = self.version;
        let mut view = View { now: now + wait_ms, db, keys };
        if self.once_in(15) {
            return Step { wait_ms, version, what: What::Command(self.command(&view)) };
        }
        if self.once_in(12) {
            // A client whose clock differs from the server's.
            view.now += self.pick([-7, -1, 1, 30]);
        }
        Step { wait_ms, version, what: What::Call(self.call(&view)) }
    }

    fn wait(&mut self, now: i64, db: &Db, keys: &Keys) -> i64 {
        match self.below(20) {
            0..=10 => 0,
            11..=13 => 1,
            14 | 15 => self.pick([2, 3, 5, 9]),
            16 => self.pick([20, 49, 50, 51]),
            17 => self.pick([99, 100, 101]),
            18 => self.pick([300, 1000, 5001]),
            // Until the next delayed job is due, or just before.
            _ => {
                let next = db.zfirst(&keys.delayed).ok().flatten();
                let due = next.map_or(0, |(_, score)| (score / 4096.0) as i64 - now);
                (due - self.pick([0, 0, 1])).max(0)
            }
        }
    }

    /// What clients do without a script, and what Redis loses.
    fn command(&mut self, view: &View<'_>) -> Vec<Bytes> {
        let keys = view.keys;
        let (meta, limiter) = (keys.meta.bytes().clone(), keys.limiter.bytes().clone());
        let mut words: Vec<Bytes> = Vec::new();
        let mut say = |parts: &[&str]| words.extend(parts.iter().map(|part| Bytes::from(*part)));
        let [meta, limiter] = [meta.to_string(), limiter.to_string()];
        match self.below(14) {
            0 => say(&["HSET", &meta, "opts.maxLenEvents", "10000", "version", "bullmq:5.34.10"]),
            1 => say(&["HSET", &meta, "opts.maxLenEvents", self.pick(["0", "3", "150"])]),
            2 => say(&["HSET", &meta, "concurrency", self.pick(["0", "1", "2", "5"])]),
            3..=5 => say(&["HDEL", &meta, "concurrency"]),
            6 => say(&["SET", &limiter, "9007199254740991", "PX", self.pick(["1", "40", "200"])]),
            7 if self.once_in(3) => say(&["DEL", &meta]),
            8 if self.once_in(8) => say(&["FLUSHALL"]),
            9 | 10 => {
                let id = self.job(view);
                say(&["DEL", keys.lock(&id).to_string().as_str()]);
            }
            11 if self.once_in(2) => {
                let id = self.job(view);
                say(&["DEL", keys.job(&id).to_string().as_str()]);
            }
            // More than any batch has, due all at once and without hashes; and what a client of 5.x
            // left in a paused queue.
            12 if self.once_in(40) => {
                let due = (view.now * 4096).to_string();
                let many: Vec<String> = (0..1005).map(|number| format!("lost-{number}")).collect();
                let elements = many.iter().flat_map(|id| [due.as_str(), id]);
                say(&["ZADD", &keys.delayed.to_string()]);
                say(&elements.collect::<Vec<_>>());
            }
            13 if self.version >= Version::V6_7_0 => {
                say(&["RENAME", &keys.wait.to_string(), &keys.paused.to_string()]);
            }
            _ if self.version >= Version::V5_81_5 && self.once_in(2) => {
                let max = self.pick(["1", "2", "10"]);
                say(&["HSET", &meta, "max", max, "duration", self.pick(["50", "300"])]);
            }
            _ => say(&["HDEL", &meta, "max", "duration"]),
        }
        words
    }

    /// Some job: one that is somewhere, seldom one that is not.
    fn job(&mut self, view: &View<'_>) -> Bytes {
        let keys = view.keys;
        let mut ids = match self.below(9) {
            0 => view.list(&keys.wait),
            1 => view.list(&keys.paused),
            2 | 3 => view.list(&keys.active),
            4 => view.ids(&keys.delayed),
            5 => view.ids(&keys.prioritized),
            6 => view.ids(&keys.completed),
            7 => view.ids(&keys.failed),
            _ => vec![self.text(CUSTOM), "1".into(), "7".into(), "nobody".into()],
        };
        if ids.is_empty() {
            ids = view.list(&keys.active);
            ids.push(self.text(CUSTOM));
        }
        ids.swap_remove(self.below(ids.len()))
    }

    /// A job in a worker's hands and who holds it; one time in twelve anything else.
    fn held(&mut self, view: &View<'_>) -> (Bytes, Bytes) {
        let mut active = view.list(&view.keys.active);
        if !self.once_in(12) {
            active.retain(|id| view.token(id).is_some());
        }
        let id = match active.len() {
            0 => self.job(view),
            _ if self.once_in(25) => self.job(view),
            count => active.swap_remove(self.below(count)),
        };
        let other = self.once_in(25);
        let token = view.token(&id).filter(|_| !other).unwrap_or_else(|| self.text(TOKENS));
        (id, token)
    }

    fn one_of(&mut self, mut ids: Vec<Bytes>, view: &View<'_>) -> Bytes {
        if ids.is_empty() || self.once_in(12) {
            return self.job(view);
        }
        ids.swap_remove(self.below(ids.len()))
    }

    /// Which kind of call is next, by the weights of this sequence.
    fn kind(&mut self) -> Kind {
        let mut left = self.below(self.weights.iter().sum());
        for ((kind, _), weight) in KINDS.iter().zip(&self.weights) {
            if left < *weight {
                return *kind;
            }
            left -= weight;
        }
        Kind::Fetch
    }

    fn call(&mut self, view: &View<'_>) -> Call {
        let keys = view.keys;
        let paused = view.db.hexists(&keys.meta, b"paused").unwrap_or(false);
        if paused && self.once_in(12) {
            return Call::Pause(false);
        }
        // With nothing in hand a worker fetches; seldom it has lost what it had.
        let in_hand = view.list(&keys.active).iter().any(|id| view.token(id).is_some());
        let lost = !in_hand && !self.once_in(8);
        let older = self.version < Version::V6_7_0;
        match self.kind() {
            Kind::Finish | Kind::Delay | Kind::Retry | Kind::Limited if lost => self.fetch(view),
            Kind::Add => self.add(view),
            Kind::Iteration => self.iteration(view),
            Kind::Repeatable if older => Call::AddRepeatableJob(self.add_repeatable(view).into()),
            Kind::Repeatable | Kind::Scheduler => {
                Call::AddJobScheduler(self.add_scheduler(view).into())
            }
            Kind::Next => Call::UpdateJobScheduler(self.update_scheduler(view).into()),
            Kind::RemoveRepeatable if older => {
                let key = self.text(REGISTRATIONS);
                let legacy_key = self.text(REGISTRATIONS);
                let legacy_job_id = format!("repeat:{}:", self.text(REGISTRATIONS)).into();
                let args = RemoveRepeatable { legacy_job_id, legacy_key, key };
                Call::RemoveRepeatable(Box::new(args))
            }
            Kind::RemoveRepeatable | Kind::RemoveScheduler => {
                Call::RemoveJobScheduler(self.text(REGISTRATIONS))
            }
            Kind::Fetch => {
                let sources = [&keys.wait, &keys.paused, &keys.prioritized, &keys.delayed];
                let empty = !sources.iter().any(|key| view.db.exists(key));
                if empty && !self.once_in(4) { self.add(view) } else { self.fetch(view) }
            }
            Kind::Finish => Call::MoveToFinished(self.finish(view).into()),
            Kind::Delay => {
                let (id, token) = self.held(view);
                Call::MoveToDelayed(Box::new(MoveToDelayed {
                    id,
                    timestamp: view.now,
                    delay: self.pick([1, 5, 100, 4000]),
                    token,
                    failed_reason: self.text(["no", "nö"]),
                    fetch_next: self.version >= Version::V5_81_5 && self.once_in(2),
                    options: self.worker.clone(),
                }))
            }
            Kind::Retry => {
                let (id, token) = self.held(view);
                Call::RetryJob(Box::new(RetryJob {
                    id,
                    timestamp: view.now,
                    lifo: self.once_in(3),
                    token,
                    failed_reason: self.text(["no", "nö"]),
                }))
            }
            Kind::Stalled => Call::MoveStalledJobsToWait(MoveStalledJobsToWait {
                max_stalled_count: self.pick([0, 1, 1, 2]),
                timestamp: view.now,
                interval: self.pick([10, 50, 300]),
            }),
            Kind::Extend => {
                let mut jobs = vec![self.held(view)];
                while self.once_in(2) {
                    jobs.push(self.held(view));
                }
                let duration = self.worker.lock_duration;
                Call::ExtendLocks(Box::new(ExtendLocks { jobs, duration }))
            }
            Kind::Limited => {
                let (id, token) = self.held(view);
                Call::MoveJobFromActiveToWait(MoveJobFromActiveToWait { id, token })
            }
            // A queue is paused seldom, and not for long.
            Kind::Pause if !older && self.once_in(5) => Call::ResumeRest,
            Kind::Pause => Call::Pause(self.once_in(4)),
            Kind::Drain => Call::Drain(self.once_in(2)),
            Kind::Obliterate if !paused && !self.once_in(6) => Call::Pause(true),
            Kind::Obliterate => Call::Obliterate(Obliterate {
                count: self.pick([1, 2, 3, 1000]),
                force: self.once_in(2),
            }),
            Kind::RepeatableNext if !older => self.iteration(view),
            Kind::RepeatableNext => {
                Call::UpdateRepeatableJobMillis(Box::new(UpdateRepeatableJobMillis {
                    next_millis: self.slot(view),
                    key: self.text(REGISTRATIONS),
                    legacy_key: self.text(REGISTRATIONS),
                }))
            }
            Kind::MoveAll => {
                let state = self.pick([JobList::Delayed, JobList::Completed, JobList::Failed]);
                let ever = state == JobList::Delayed;
                Call::MoveJobsToWait(MoveJobsToWait {
                    state,
                    count: self.pick([1, 2, 1000]),
                    timestamp: (!ever).then(|| view.now - self.pick([0, 50])),
                })
            }
            Kind::Clean => Call::CleanJobsInSet(CleanJobsInSet {
                set: self.pick([
                    JobList::Wait,
                    JobList::Paused,
                    JobList::Active,
                    JobList::Prioritized,
                    JobList::Delayed,
                    JobList::Completed,
                    JobList::Failed,
                ]),
                timestamp: view.now - self.pick([0, 20, 500]),
                limit: self.pick([0, 1, 2, 100]),
            }),
            Kind::Remove => Call::RemoveJob(self.job(view)),
            Kind::Promote => {
                let delayed = view.ids(&keys.delayed);
                if delayed.is_empty() && !self.once_in(8) {
                    return self.add(view);
                }
                Call::Promote(self.one_of(delayed, view))
            }
            Kind::Reprocess => {
                let state = self.pick([Finish::Completed, Finish::Failed]);
                let set = match state {
                    Finish::Completed => &keys.completed,
                    Finish::Failed => &keys.failed,
                };
                let finished = view.ids(set);
                if finished.is_empty() && !self.once_in(8) {
                    return self.fetch(view);
                }
                let id = self.one_of(finished, view);
                let lifo = self.once_in(3);
                Call::ReprocessJob(Box::new(ReprocessJob { id, lifo, state }))
            }
        }
    }

    fn fetch(&mut self, view: &View<'_>) -> Call {
        Call::MoveToActive(MoveToActive {
            timestamp: view.now,
            token: self.text(TOKENS),
            options: self.worker.clone(),
        })
    }
}
