//! What later versions do otherwise than 5.34.10, on the side of the workers and of operators.

use super::{Queue, deduplicated, dropped, finish, full, id, obliterate, remove, removed};
use crate::bullmq::Version::{self, V5_34_10, V5_81_5, V6_7_0};
use crate::bullmq::keys::iteration_id;
use crate::bullmq::options::KeepJobs;
use crate::bullmq::scripts::{
    AddJob, Call, FetchOptions, MoveStalledJobsToWait, MoveToActive, MoveToDelayed, MoveToFinished,
    Outcome, ReprocessJob, RetryJob, Returned, Stalled,
};
use crate::event::{Finish, JobList, JobState, QueueEvent};
use crate::redis::Bytes;
use std::rc::Rc;

fn options(limiter: Option<(i64, i64)>) -> Rc<FetchOptions> {
    Rc::new(FetchOptions { lock_duration: 30_000, limiter })
}

impl Queue {
    fn field(&self, job: &str, field: &str) -> Option<String> {
        let key = self.keys.job(&job.into());
        let value = self.db.hget(&key, field.as_bytes()).expect("a hash");
        value.map(Bytes::to_string)
    }

    fn set_meta(&mut self, field: &str, value: &str) {
        self.db.hset(&self.keys.meta, field.into(), value.into()).expect("a hash");
    }

    fn try_fetch(&mut self, limiter: Option<(i64, i64)>) -> Returned {
        let (timestamp, token) = (self.now, "token".into());
        self.run(Call::MoveToActive(MoveToActive { timestamp, token, options: options(limiter) }))
    }

    fn started(&self) -> Option<String> {
        self.db.get(&self.keys.limiter).expect("a string").map(Bytes::to_string)
    }

    /// Two stalled checks, between which the locks expire.
    fn stall(&mut self) -> Stalled {
        let mut found = Stalled::default();
        for _ in 0..2 {
            self.now += 30_001;
            let (max_stalled_count, timestamp, interval) = (1, self.now, 30_000);
            let check = MoveStalledJobsToWait { max_stalled_count, timestamp, interval };
            match self.run(Call::MoveStalledJobsToWait(check)) {
                Returned::Stalled(last) => found = last,
                other => panic!("a check returns jobs, not {other:?}"),
            }
        }
        found
    }

    fn delay_again(&mut self, id: &str, fetch_next: bool) -> Returned {
        self.run(Call::MoveToDelayed(Box::new(MoveToDelayed {
            id: id.into(),
            timestamp: self.now,
            delay: 5,
            token: "token".into(),
            failed_reason: "why".into(),
            fetch_next,
            options: options(None),
        })))
    }
}

fn fetched(returned: Returned) -> String {
    match returned {
        Returned::Fetched(fetched) => fetched.id.to_string(),
        other => panic!("not a job: {other:?}"),
    }
}

#[test]
fn a_paused_queue_of_6_keeps_its_jobs_where_they_are() {
    let mut queue = Queue::of(V6_7_0);
    queue.add(&["a", "b"]);
    queue.code(Call::Pause(true));
    queue.add(&["c"]);
    queue.add_delayed("d", 5);
    queue.now += 5;
    assert_eq!(queue.fetch(), None);
    assert_eq!(queue.shown(), ["d c b a", "", "", "", ""]);
    assert_eq!(queue.markers(), "1");
    queue.code(Call::Pause(false));
    assert_eq!(queue.markers(), "0 1");
    assert_eq!(queue.fetch().as_deref(), Some("a"));
}

#[test]
fn a_resume_of_6_takes_over_what_5_paused() {
    let mut queue = Queue::of(V5_81_5);
    queue.add(&["a", "b"]);
    queue.code(Call::Pause(true));
    queue.version = V6_7_0;
    assert_eq!(queue.code(Call::Pause(false)), 0);
    assert_eq!(queue.shown(), ["b a", "", "", "", ""]);

    queue.version = V5_81_5;
    queue.code(Call::Pause(true));
    queue.version = V6_7_0;
    queue.add(&["c"]);
    assert_eq!(queue.shown(), ["c", "b a", "", "", ""]);
    assert_eq!(queue.code(Call::Pause(false)), 0);
    assert_eq!(queue.shown(), ["c b a", "", "", "", ""], "they are taken first");
}

#[test]
fn a_mixed_fleet_loses_what_a_pause_of_5_overwrites() {
    let mut queue = Queue::of(V5_81_5);
    queue.add(&["a"]);
    queue.code(Call::Pause(true));
    queue.version = V6_7_0;
    queue.add(&["b"]);
    queue.version = V5_81_5;
    queue.code(Call::Pause(true));
    assert_eq!(queue.events, [dropped("a", JobList::Wait), QueueEvent::Paused]);
}

#[test]
fn a_drain_cuts_the_list_by_the_number_of_jobs_it_removes() {
    let mut queue = Queue::of(V5_81_5);
    queue.add(&["1", "repeat:k:9", "3"]);
    queue.add_prioritized("repeat:l:9", 1);
    for key in ["k", "l"] {
        queue.db.zadd(&queue.keys.repeat, key.into(), 9.0).expect("a set");
    }
    queue.code(Call::Drain(false));
    let waiting = JobList::Wait;
    assert_eq!(
        queue.events,
        [dropped("3", waiting), removed("3"), dropped("repeat:k:9", waiting), removed("1")]
    );
    assert_eq!(queue.shown(), ["1", "", "", "", "repeat:l:9"]);
    assert!(queue.db.exists(&queue.keys.job(&"repeat:k:9".into())));
}

#[test]
fn an_obliteration_leaves_no_marker_and_in_6_no_wait() {
    for version in [V5_81_5, V6_7_0] {
        let mut queue = full();
        queue.version = version;
        queue.code(Call::Pause(true));
        queue.add_delayed("e", 5);
        assert_eq!(queue.markers(), "1");
        assert_eq!(queue.code(obliterate(1000, true)), 0);
        assert_eq!(queue.db.keys(), [], "{version}");
    }
}

#[test]
fn the_current_iteration_is_not_removed_wherever_it_is() {
    let mut queue = Queue::of(V5_81_5);
    for millis in [8, 9] {
        let job = iteration_id(&"k".into(), millis).to_string();
        let job = AddJob { registration: Some("k".into()), ..*queue.job(&job) };
        queue.run(Call::AddStandardJob(Box::new(job)));
    }
    queue.db.zadd(&queue.keys.repeat, "k".into(), 9.0).expect("a set");
    assert_eq!(queue.code(remove("repeat:k:9")), -8);
    assert_eq!(queue.code(remove("repeat:k:8")), 1);
    queue.db.del(&queue.keys.repeat);
    assert_eq!(queue.code(remove("repeat:k:9")), 1);
}

#[test]
fn a_job_that_is_put_back_has_its_priority_again_in_6() {
    for (version, wait, prioritized) in [(V5_81_5, "p", ""), (V6_7_0, "", "p")] {
        let mut queue = Queue::of(version);
        queue.add_prioritized("p", 1);
        queue.fetch();
        queue.code(finish("p", Outcome::Failed("why".into())));
        let again = ReprocessJob { id: "p".into(), lifo: false, state: Finish::Failed };
        assert_eq!(queue.code(Call::ReprocessJob(Box::new(again))), 1);
        assert_eq!(queue.shown(), [wait, "", "", "", prioritized], "{version}");
    }
}

#[test]
fn a_deduplication_id_is_given_back_by_its_holder_alone() {
    for (version, is_held) in [(V5_34_10, false), (V5_81_5, true), (V6_7_0, true)] {
        let mut queue = Queue::of(version);
        let holder = queue.keys.deduplication(b"x");
        for job in ["a", "b"] {
            queue.db.del(&holder);
            queue.run(deduplicated(&queue, job, None));
        }
        queue.fetch();
        queue.code(finish("a", Outcome::Completed("null".into())));
        assert_eq!(queue.db.exists(&holder), is_held, "{version}");
        queue.fetch();
        queue.code(finish("b", Outcome::Completed("null".into())));
        assert!(!queue.db.exists(&holder), "{version}");
    }
}

#[test]
fn so_many_old_jobs_go_at_once() {
    for (version, left) in [(V5_34_10, 1), (V5_81_5, 6)] {
        let mut queue = Queue::of(version);
        for n in 0..1005 {
            let old = Bytes::from_int(n);
            queue.db.zadd(&queue.keys.completed, old, f64::from(n as u16)).expect("a set");
        }
        queue.add(&["a"]);
        queue.fetch();
        let Call::MoveToFinished(last) = finish("a", Outcome::Completed("null".into())) else {
            unreachable!();
        };
        let keep = KeepJobs { age: Some(1), count: None };
        let last = MoveToFinished { timestamp: 5000, keep, ..*last };
        queue.code(Call::MoveToFinished(Box::new(last)));
        assert_eq!(queue.db.zcard(&queue.keys.completed), Ok(left), "{version}");
    }
}

#[test]
fn the_limit_of_a_queue_goes_before_that_of_a_worker() {
    for (version, most) in [(V5_34_10, 2), (V5_81_5, 1), (V6_7_0, 1)] {
        let mut queue = Queue::of(version);
        queue.set_meta("max", "1");
        queue.set_meta("duration", "700");
        queue.add(&["a", "b", "c"]);
        let limiter = Some((2, 500));
        for _ in 0..most {
            fetched(queue.try_fetch(limiter));
        }
        let waits = queue.try_fetch(limiter);
        assert!(
            matches!(waits, Returned::Nothing { limited_for: 500, next_delayed: 0 }),
            "the duration is the worker's where it has one: {version}, {waits:?}"
        );
    }
    let mut queue = Queue::of(V6_7_0);
    queue.set_meta("max", "1");
    queue.set_meta("duration", "700");
    queue.add(&["a", "b"]);
    fetched(queue.try_fetch(None));
    assert!(matches!(queue.try_fetch(None), Returned::Nothing { limited_for: 700, .. }));
}

#[test]
fn a_job_that_stalls_too_often_is_failed_by_its_next_worker() {
    for (version, counted) in [(V5_81_5, "3"), (V6_7_0, "2")] {
        let mut queue = Queue::of(version);
        let limiter = Some((10, 1_000_000));
        queue.add(&["a"]);
        for _ in 0..2 {
            fetched(queue.try_fetch(limiter));
            let found = queue.stall();
            assert_eq!((found.failed, found.stalled), (vec![], vec!["a".into()]));
            assert_eq!(queue.events, [QueueEvent::Stalled { job: id("a") }]);
        }
        assert_eq!(queue.field("a", "stc").as_deref(), Some("2"));
        let reason = queue.field("a", "defa").expect("it stalled twice");
        assert_eq!(reason, "job stalled more than allowable limit");

        let Returned::Fetched(again) = queue.try_fetch(limiter) else {
            panic!("it waits");
        };
        assert_eq!(again.field("defa").map(Bytes::to_string), Some(reason.clone()));
        assert_eq!(queue.started().as_deref(), Some(counted), "{version}");
        queue.code(finish("a", Outcome::Failed(reason.as_str().into())));
        assert_eq!(queue.field("a", "defa"), None);
        assert_eq!(queue.field("a", "failedReason"), Some(reason));
    }
}

#[test]
fn an_iteration_stalls_as_often_as_it_likes() {
    for (in_set, in_hash) in [(true, false), (false, true), (false, false)] {
        let mut queue = Queue::of(V5_81_5);
        let job = AddJob { registration: Some("k".into()), ..*queue.job("repeat:k:8") };
        queue.run(Call::AddStandardJob(Box::new(job)));
        if in_set {
            queue.db.zadd(&queue.keys.repeat, "k".into(), 9.0).expect("a set");
        }
        if in_hash {
            let hash = queue.keys.registration(&"k".into());
            queue.db.hset(&hash, "name".into(), "n".into()).expect("a hash");
        }
        for _ in 0..3 {
            fetched(queue.try_fetch(None));
            assert_eq!(queue.stall().stalled, [Bytes::from("repeat:k:8")]);
        }
        assert_eq!(queue.field("repeat:k:8", "defa").is_none(), in_set || in_hash);
    }
}

#[test]
fn two_versions_count_stalls_apart() {
    let mut queue = Queue::of(V5_34_10);
    queue.add(&["a"]);
    for version in [V5_34_10, V5_81_5, V5_34_10] {
        queue.version = version;
        queue.try_fetch(None);
        queue.stall();
    }
    assert_eq!(queue.set(&queue.keys.failed), "a");
    assert_eq!(queue.field("a", "stc").as_deref(), Some("1"));
}

#[test]
fn a_job_that_is_put_off_gives_its_place_to_the_next() {
    let mut queue = Queue::of(V5_81_5);
    queue.add(&["a", "b"]);
    queue.fetch();
    queue.db.del(&queue.keys.marker);
    assert_eq!(fetched(queue.delay_again("a", true)), "b");
    assert_eq!(queue.markers(), "0", "of the fetch; none for what is delayed");
    assert_eq!(queue.shown(), ["", "", "b", "a", ""]);
    assert_eq!(queue.field("a", "failedReason").as_deref(), Some("why"));

    queue.db.del(&queue.keys.marker);
    assert!(matches!(queue.delay_again("b", true), Returned::Code(0)));
    assert_eq!(queue.markers(), "1");

    let mut queue = Queue::new();
    queue.add(&["a", "b"]);
    queue.fetch();
    assert!(matches!(queue.delay_again("a", true), Returned::Code(0)), "5.34 takes none");
}

#[test]
fn what_came_last_while_a_job_was_active_is_added_after_it() {
    for version in [V5_81_5, V6_7_0] {
        let mut queue = Queue::of(version);
        queue.run(deduplicated(&queue, "a", None));
        queue.fetch();
        let left = queue.keys.below(&"dn:x".into(), "");
        let stored = r#"{"priority":2,"de":{"id":"x","keepLastIfActive":true}}"#;
        for (field, value) in [("name", "later"), ("data", "{}"), ("opts", stored)] {
            queue.db.hset(&left, field.into(), value.into()).expect("a hash");
        }
        queue.code(finish("a", Outcome::Completed("null".into())));
        let holder = queue.keys.deduplication(b"x");
        assert_eq!(queue.db.get(&holder).expect("a string"), Some(&"2".into()));
        assert!(!queue.db.exists(&left));
        assert_eq!(queue.shown(), ["", "", "", "", "2"], "{version}");
        assert_eq!(queue.field("2", "name").as_deref(), Some("later"));
        assert_eq!(queue.field("2", "deid").as_deref(), Some("x"));
    }
}

#[test]
fn a_retry_keeps_the_reason_from_5_81_on() {
    for version in Version::ALL {
        let mut queue = Queue::of(version);
        queue.add(&["a"]);
        queue.fetch();
        let retry = RetryJob {
            id: "a".into(),
            timestamp: queue.now,
            lifo: false,
            token: "token".into(),
            failed_reason: "why".into(),
        };
        queue.code(Call::RetryJob(Box::new(retry)));
        let state = JobState::Wait;
        assert_eq!(queue.events, [QueueEvent::Retried { job: id("a"), state }]);
        let kept = (version >= V5_81_5).then(|| "why".to_owned());
        assert_eq!(queue.field("a", "failedReason"), kept, "{version}");
    }
}
