//! Scripts run one by one on a database: what they leave in it, return and say.

mod worker;

use super::{
    AddJob, Call, FetchOptions, MoveToActive, MoveToFinished, Obliterate, Outcome, ReprocessJob,
    Returned, run,
};
use crate::bullmq::Version;
use crate::bullmq::keys::Keys;
use crate::bullmq::options::{Deduplication, KeepJobs};
use crate::event::{Finish, JobId, JobList, QueueEvent, QueueId, RegistrationKey};
use crate::redis::{Bytes, Db, Key};
use std::rc::Rc;

/// A queue, the client's clock and the events of the last script.
struct Queue {
    version: Version,
    keys: Keys,
    db: Db,
    now: i64,
    events: Vec<QueueEvent>,
}

impl Queue {
    fn new() -> Self {
        Queue::of(Version::V5_34_10)
    }

    fn of(version: Version) -> Self {
        let keys = Keys::new(QueueId(0), "bull", "q");
        Queue { version, keys, db: Db::new(), now: 1000, events: Vec::new() }
    }

    fn run(&mut self, call: Call) -> Returned {
        self.events.clear();
        self.db.set_now(self.now);
        run(&call, self.version, &self.keys, &mut self.db, &mut self.events)
    }

    fn job(&self, id: &str) -> Box<AddJob> {
        Box::new(AddJob {
            id: Some(id.into()),
            name: "name".into(),
            data: "{}".into(),
            options: "{}".into(),
            timestamp: self.now,
            delay: 0,
            priority: 0,
            lifo: false,
            registration: None,
            deduplication: None,
            tick: None,
        })
    }

    /// Jobs in `wait`, the first one next.
    fn add(&mut self, ids: &[&str]) {
        for id in ids {
            let job = self.job(id);
            self.run(Call::AddStandardJob(job));
        }
    }

    fn add_delayed(&mut self, id: &str, delay: i64) {
        let job = AddJob { delay, ..*self.job(id) };
        self.run(Call::AddDelayedJob(Box::new(job)));
    }

    fn add_prioritized(&mut self, id: &str, priority: u32) {
        let job = AddJob { priority, ..*self.job(id) };
        self.run(Call::AddPrioritizedJob(Box::new(job)));
    }

    /// The id of the job that a worker gets.
    fn fetch(&mut self) -> Option<String> {
        let options = Rc::new(FetchOptions { lock_duration: 30_000, limiter: None });
        let fetch = MoveToActive { timestamp: self.now, token: "token".into(), options };
        match self.run(Call::MoveToActive(fetch)) {
            Returned::Fetched(fetched) => Some(fetched.id.to_string()),
            _ => None,
        }
    }

    fn code(&mut self, call: Call) -> i64 {
        match self.run(call) {
            Returned::Code(code) => code,
            other => panic!("not a number: {other:?}"),
        }
    }

    fn list(&self, key: &Key) -> String {
        let ids: Vec<_> =
            self.db.lrange(key, 0, -1).expect("a list").map(Bytes::to_string).collect();
        ids.join(" ")
    }

    fn set(&self, key: &Key) -> String {
        let ids: Vec<_> =
            self.db.zrange(key, 0, -1).expect("a set").map(|(id, _)| id.to_string()).collect();
        ids.join(" ")
    }

    /// The lists as they are: `wait`, `paused`, `active`, then `delayed` and `prioritized`.
    fn shown(&self) -> [String; 5] {
        let Keys { wait, paused, active, delayed, prioritized, .. } = &self.keys;
        let [wait, paused, active] = [wait, paused, active].map(|key| self.list(key));
        let [delayed, prioritized] = [delayed, prioritized].map(|key| self.set(key));
        [wait, paused, active, delayed, prioritized]
    }

    fn markers(&self) -> String {
        self.set(&self.keys.marker)
    }
}

fn id(job: &str) -> JobId {
    JobId(job.into())
}

fn dropped(job: &str, from: JobList) -> QueueEvent {
    QueueEvent::Dropped { job: id(job), from }
}

fn removed(job: &str) -> QueueEvent {
    QueueEvent::Removed { job: id(job) }
}

#[test]
fn a_paused_queue_takes_jobs_in_and_gives_none() {
    let mut queue = Queue::new();
    queue.add(&["a", "b"]);
    queue.code(Call::Pause(true));
    assert_eq!(queue.events, [QueueEvent::Paused]);
    assert_eq!(
        (queue.shown(), queue.markers()),
        (["", "b a", "", "", ""].map(Into::into), "".into())
    );

    queue.add(&["c"]);
    queue.add_prioritized("p", 1);
    assert_eq!(queue.markers(), "");
    queue.add_delayed("d", 5);
    assert_eq!(queue.markers(), "1", "a delayed job leaves its marker even so");
    assert_eq!(queue.fetch(), None);
    queue.now += 5;
    assert_eq!(queue.fetch(), None);
    assert_eq!(
        queue.events,
        [QueueEvent::Promoted { job: id("d") }],
        "it is promoted all the same"
    );
    assert_eq!(queue.shown(), ["", "d c b a", "", "", "p"]);

    queue.code(Call::Pause(true));
    assert_eq!(queue.shown(), ["", "d c b a", "", "", "p"], "there is no other list to rename");
    queue.code(Call::Pause(false));
    assert_eq!(queue.events, [QueueEvent::Resumed]);
    assert_eq!(
        (queue.shown(), queue.markers()),
        (["d c b a", "", "", "", "p"].map(Into::into), "0".into())
    );
    assert_eq!(queue.fetch().as_deref(), Some("a"));
}

#[test]
fn a_resume_wakes_for_what_there_is() {
    let mut queue = Queue::new();
    queue.code(Call::Pause(true));
    queue.code(Call::Pause(false));
    assert_eq!(queue.markers(), "");
    queue.code(Call::Pause(true));
    queue.add_delayed("d", 5);
    queue.code(Call::Pause(true));
    queue.code(Call::Pause(false));
    assert_eq!(queue.markers(), "1");
    queue.add_prioritized("p", 1);
    queue.code(Call::Pause(true));
    queue.code(Call::Pause(false));
    assert_eq!(queue.markers(), "0", "the marker of the delayed job is not set again");
}

#[test]
fn a_rename_loses_what_it_overwrites() {
    let mut queue = Queue::new();
    queue.add(&["a"]);
    queue.code(Call::Pause(true));
    // As if `meta` had been lost.
    queue.db.del(&queue.keys.meta);
    queue.add(&["b"]);
    queue.code(Call::Pause(true));
    assert_eq!(queue.events, [dropped("a", JobList::Wait), QueueEvent::Paused]);
    assert_eq!(queue.shown(), ["", "b", "", "", ""]);
}

#[test]
fn a_drain_removes_what_waits_and_spares_the_current_iterations() {
    let mut queue = Queue::new();
    queue.add(&["a"]);
    assert_eq!(queue.fetch().as_deref(), Some("a"));
    queue.add(&["b", "c"]);
    queue.add_prioritized("p", 1);
    queue.add_delayed("d", 5);
    queue.add_delayed("repeat:k:9", 6);
    queue.add_delayed("repeat:k:8", 7);
    queue.db.zadd(&queue.keys.repeat, "k".into(), 9.0).expect("a set");

    queue.code(Call::Drain(false));
    let waited = |id| [dropped(id, JobList::Wait), removed(id)];
    let by_priority = [dropped("p", JobList::Prioritized), removed("p")];
    assert_eq!(queue.events, [waited("c"), waited("b"), by_priority].concat());
    assert_eq!(queue.shown(), ["", "", "a", "d repeat:k:9 repeat:k:8", ""]);

    queue.code(Call::Drain(true));
    let delayed = |id| [dropped(id, JobList::Delayed), removed(id)];
    assert_eq!(queue.events, [delayed("d"), delayed("repeat:k:8")].concat());
    assert_eq!(queue.shown(), ["", "", "a", "repeat:k:9", ""]);
    assert!(queue.db.exists(&queue.keys.job(&"repeat:k:9".into())));
}

#[test]
fn a_drain_of_a_paused_queue_leaves_it_paused() {
    let mut queue = Queue::new();
    queue.add(&["a"]);
    queue.code(Call::Pause(true));
    queue.code(Call::Drain(false));
    assert_eq!(queue.events, [dropped("a", JobList::Wait), removed("a")]);
    queue.add(&["b"]);
    assert_eq!(queue.shown(), ["", "b", "", "", ""]);
}

#[test]
fn an_entry_without_a_hash_is_dropped_and_not_removed() {
    let mut queue = Queue::new();
    queue.add(&["a"]);
    queue.db.del(&queue.keys.job(&"a".into()));
    queue.code(Call::Drain(false));
    assert_eq!(queue.events, [dropped("a", JobList::Wait)]);
}

fn obliterate(count: i64, force: bool) -> Call {
    Call::Obliterate(Obliterate { count, force })
}

/// A queue with a job in each of its lists, and a registration.
fn full() -> Queue {
    let mut queue = Queue::new();
    queue.add(&["a", "b"]);
    queue.fetch();
    queue.add_prioritized("p", 1);
    queue.add_delayed("d", 5);
    for set in [&queue.keys.completed, &queue.keys.failed] {
        queue.db.zadd(set, "kept".into(), 1.0).expect("a set");
    }
    queue.db.zadd(&queue.keys.repeat, "k".into(), 9.0).expect("a set");
    let registration = queue.keys.registration(&"k".into());
    queue.db.hset(&registration, "name".into(), "name".into()).expect("a hash");
    queue
}

#[test]
fn an_obliteration_needs_a_pause_and_no_active_jobs() {
    let mut queue = full();
    assert_eq!(queue.code(obliterate(1000, true)), -1);
    queue.code(Call::Pause(true));
    let before = queue.shown();
    assert_eq!(queue.code(obliterate(1000, false)), -2);
    assert_eq!((queue.shown(), &queue.events[..]), (before, &[][..]));
}

#[test]
fn an_obliteration_leaves_nothing() {
    let mut queue = full();
    queue.code(Call::Pause(true));
    assert_eq!(queue.code(obliterate(1000, true)), 0);
    assert_eq!(queue.db.keys(), []);
    let kept = |from| vec![dropped("kept", from)];
    let one = |id, from| vec![dropped(id, from), removed(id)];
    let key = RegistrationKey("k".into());
    let said = [
        one("a", JobList::Active),
        one("d", JobList::Delayed),
        vec![QueueEvent::Unregistered { key }],
        kept(JobList::Completed),
        one("b", JobList::Wait),
        one("p", JobList::Prioritized),
        kept(JobList::Failed),
        vec![QueueEvent::Resumed],
    ];
    assert_eq!(queue.events, said.concat());
}

#[test]
fn an_obliteration_goes_on_where_its_count_ended() {
    let mut queue = full();
    queue.code(Call::Pause(true));
    assert_eq!(queue.code(obliterate(2, true)), 1);
    assert_eq!(queue.shown(), ["", "b", "", "", "p"]);
    assert_eq!(queue.code(obliterate(3, true)), 1, "there may be more, for all it knows");
    assert_eq!(queue.shown(), ["", "", "", "", "p"]);
    assert_eq!(queue.code(obliterate(3, true)), 0);
    assert_eq!(queue.db.keys(), []);
}

fn remove(id: &str) -> Call {
    Call::RemoveJob(id.into())
}

#[test]
fn a_job_is_removed_from_where_it_is_unless_it_is_locked() {
    let mut queue = full();
    assert_eq!(queue.code(remove("a")), 0, "a worker holds its lock");
    assert!(queue.events.is_empty());
    queue.now += 30_001;
    assert_eq!(queue.code(remove("a")), 1);
    assert_eq!(queue.events, [dropped("a", JobList::Active), removed("a")]);
    for (id, from) in [("b", JobList::Wait), ("d", JobList::Delayed), ("p", JobList::Prioritized)] {
        assert_eq!(queue.code(remove(id)), 1);
        assert_eq!(queue.events, [dropped(id, from), removed(id)]);
    }
    assert_eq!(queue.code(remove("kept")), 1);
    assert_eq!(queue.events, [dropped("kept", JobList::Completed)], "one of two entries");
    assert_eq!(queue.code(remove("nobody")), 1);
    assert!(queue.events.is_empty());
    assert_eq!(queue.shown(), [""; 5]);
}

#[test]
fn a_delayed_iteration_is_not_removed() {
    let mut queue = Queue::new();
    let job = AddJob { delay: 5, registration: Some("k".into()), ..*queue.job("repeat:k:9") };
    queue.run(Call::AddDelayedJob(Box::new(job)));
    assert_eq!(queue.code(remove("repeat:k:9")), -8);
    queue.code(Call::Promote("repeat:k:9".into()));
    assert_eq!(queue.code(remove("repeat:k:9")), 1, "one that waits is");
}

#[test]
fn a_delayed_job_is_promoted_and_no_other() {
    let mut queue = Queue::new();
    queue.add_delayed("d", 5);
    assert_eq!(queue.code(Call::Promote("d".into())), 0);
    assert_eq!(queue.events, [QueueEvent::Promoted { job: id("d") }]);
    assert_eq!(
        (queue.shown(), queue.markers()),
        (["d", "", "", "", ""].map(Into::into), "0 1".into())
    );
    assert_eq!(queue.code(Call::Promote("d".into())), -3);
}

/// The end of an attempt; all that finish are kept.
fn finish(id: &str, outcome: Outcome) -> Call {
    Call::MoveToFinished(Box::new(MoveToFinished {
        id: id.into(),
        timestamp: 1001,
        outcome,
        token: "token".into(),
        keep: KeepJobs { age: None, count: Some(-1) },
        attempts: 0,
        fetch_next: false,
        options: Rc::new(FetchOptions { lock_duration: 30_000, limiter: None }),
    }))
}

#[test]
fn a_finished_job_is_put_back_as_if_it_had_not_run() {
    let mut queue = Queue::new();
    queue.add_prioritized("p", 1);
    let job = queue.keys.job(&"p".into());
    let again =
        |state| Call::ReprocessJob(Box::new(ReprocessJob { id: "p".into(), lifo: false, state }));
    assert_eq!(queue.code(again(Finish::Failed)), -3);
    queue.fetch();
    queue.code(finish("p", Outcome::Failed("why".into())));
    assert_eq!(queue.code(again(Finish::Completed)), -3);
    assert_eq!(queue.code(again(Finish::Failed)), 1);
    assert_eq!(queue.events, [QueueEvent::Reprocessed { job: id("p") }]);
    assert_eq!(queue.shown(), ["p", "", "", "", ""], "its priority does not count");
    let fields = ["finishedOn", "processedOn", "failedReason", "atm"];
    let left = fields.map(|field| queue.db.hexists(&job, field.as_bytes()));
    assert_eq!(left, [Ok(false), Ok(false), Ok(false), Ok(true)]);
    queue.db.del(&job);
    assert_eq!(queue.code(again(Finish::Failed)), -1);
}

fn deduplicated(queue: &Queue, name: &str, ttl: Option<i64>) -> Call {
    let deduplication = Some(Deduplication::new("x".into(), ttl));
    Call::AddStandardJob(Box::new(AddJob { deduplication, ..*queue.job(name) }))
}

#[test]
fn a_deduplication_id_is_held_until_its_job_is_over() {
    let mut queue = Queue::new();
    let holder = queue.keys.deduplication(b"x");
    queue.run(deduplicated(&queue, "a", None));
    let Returned::Id(first) = queue.run(deduplicated(&queue, "b", None)) else {
        panic!("an add returns an id");
    };
    assert_eq!(first, Bytes::from("a"));
    assert_eq!(queue.events, [QueueEvent::Deduplicated { job: id("a"), id: "x".into() }]);
    assert_eq!(queue.shown(), ["a", "", "", "", ""]);
    queue.fetch();
    assert!(queue.db.exists(&holder), "its job is active");
    queue.code(finish("a", Outcome::Failed("why".into())));
    assert!(!queue.db.exists(&holder), "a failure gives it back, too");

    queue.run(deduplicated(&queue, "c", None));
    queue.code(Call::Drain(false));
    assert!(!queue.db.exists(&holder));
    queue.run(deduplicated(&queue, "d", None));
    queue.code(remove("d"));
    assert!(!queue.db.exists(&holder));
}

#[test]
fn a_deduplication_id_with_a_time_to_live_is_held_for_that_long() {
    let mut queue = Queue::new();
    queue.run(deduplicated(&queue, "a", Some(100)));
    queue.fetch();
    queue.code(finish("a", Outcome::Completed("null".into())));
    queue.now += 100;
    queue.run(deduplicated(&queue, "b", Some(100)));
    assert_eq!(queue.events, [QueueEvent::Deduplicated { job: id("a"), id: "x".into() }]);
    queue.now += 1;
    queue.run(deduplicated(&queue, "b", Some(100)));
    assert_eq!(queue.shown(), ["b", "", "", "", ""]);
}

#[test]
fn a_custom_id_is_tested_before_the_deduplication_id() {
    let mut queue = Queue::new();
    queue.add(&["a"]);
    queue.run(deduplicated(&queue, "a", None));
    assert_eq!(queue.events, [QueueEvent::Duplicated { job: id("a") }]);
    assert!(!queue.db.exists(&queue.keys.deduplication(b"x")));
}
