//! What workers of each version of the library do with the same jobs.

use bootrace_sim::bullmq::Version::{self, V5_34_10, V5_81_5};
use bootrace_sim::event::{Event, Finish, QueueEvent, Stamp};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::parse;
use std::sync::Arc;

/// When every run begins: 2026-01-05T00:00:00Z.
const START_MS: i64 = 1_767_571_200_000;

/// A run of two hours of one container with these steps of start-up code, and these tables.
fn play(version: Version, steps: &str, tables: &str) -> Vec<(Stamp, Event)> {
    let text = format!(
        "format = 1\nname = 'workers'\nlength = '2h'\n[queue.q]\n\
         [schedule.s]\nevery = '1h'\nqueue = 'q'\njob = 's'\n\
         [release.r]\nlibrary = '{version}'\nsteps = [ {steps} ]\n\
         [service.w]\nrelease = 'r'\nboot = '0s'\n{tables}\n\
         [[expect]]\nalways = 'rows in all'\nat_most = 1000000\n"
    );
    let (scenario, _) = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let mut seen = Vec::new();
    bootrace_sim::run(&Arc::new(scenario), Box::new(Random::new(1)), false, &mut seen);
    seen
}

/// The instants, in milliseconds after the run's beginning, of what happened in the queue.
fn when(seen: &[(Stamp, Event)], which: impl Fn(&QueueEvent) -> bool) -> Vec<i64> {
    let is = |event: &Event| matches!(event, Event::Queue(_, _, event) if which(event));
    let found = seen.iter().filter(|(_, event)| is(event));
    found.map(|(stamp, _)| stamp.at.ms() - START_MS).collect()
}

fn started(event: &QueueEvent) -> bool {
    matches!(event, QueueEvent::Started { .. })
}

fn fetched(event: &QueueEvent) -> bool {
    matches!(event, QueueEvent::Fetched { .. })
}

fn failed(event: &QueueEvent) -> bool {
    matches!(event, QueueEvent::Finished { how: Finish::Failed, .. })
}

fn removed(event: &QueueEvent) -> bool {
    matches!(event, QueueEvent::Removed { .. })
}

#[test]
fn who_fails_a_job_that_takes_its_worker_with_it() {
    let tables = "[job.j]\nsteps = [ { sleep = '1h' } ]\n\
                  [[event]]\nat = '5m'\nkill = 1\n[[event]]\nat = '10m'\nkill = 1";
    for version in Version::ALL {
        let play = |worker: &str| {
            let add = "{ add = 'j', queue = 'q', job_id = 'j' }";
            let seen = play(version, &format!("{add}, {{ worker = 'q'{worker} }}"), tables);
            [when(&seen, fetched).len(), when(&seen, started).len(), when(&seen, failed).len()]
        };
        let newer = version >= V5_81_5;
        // The stalled check, or the worker that fetches it next and does not process it.
        assert_eq!(play(""), if newer { [3, 2, 1] } else { [2, 2, 1] }, "{version}");
        let once = play(", max_started_attempts = 1");
        assert_eq!(once, if newer { [2, 1, 1] } else { [2, 2, 1] }, "{version}");
    }
}

#[test]
fn what_a_worker_keeps_of_its_jobs_counts_where_they_say_nothing() {
    for version in Version::ALL {
        let play = |own: &str| {
            let add = format!("{{ add = 'j', queue = 'q'{own} }}");
            let worker = "{ worker = 'q', remove_on_complete = { count = 1 } }";
            let seen = play(version, &format!("{add}, {add}, {add}, {worker}"), "");
            when(&seen, removed).len()
        };
        assert_eq!(play(""), 2, "{version}");
        assert_eq!(play(", remove_on_complete = false"), 0, "{version}");
    }
}

#[test]
fn a_limiter_lets_so_many_start_in_each_window() {
    let add = "{ add = 'j', queue = 'q' }";
    let worker = "{ worker = 'q', limiter = { max = 2, duration = '1s' } }";
    let steps = format!("{}, {worker}", [add; 7].join(", "));
    for version in Version::ALL {
        let starts = when(&play(version, &steps, ""), started);
        let after = starts.iter().map(|at| (at - starts[0] + 100) / 1000);
        assert_eq!(after.collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3], "{version}: {starts:?}");
    }
}

#[test]
fn a_job_that_waits_for_its_retry_makes_room_in_the_same_script() {
    let steps = "{ add = 'j', queue = 'q', attempts = 2, backoff = '10s' }, \
                 { add = 'k', queue = 'q' }, { worker = 'q' }";
    let tables = "[job.j]\nsteps = [ { sleep = '1s' } ]\noutcome = 'fail'";
    for version in Version::ALL {
        let seen = play(version, steps, tables);
        let at = |which: fn(&QueueEvent) -> bool| {
            let is =
                move |event: &Event| matches!(event, Event::Queue(_, _, event) if which(event));
            let found = seen.iter().filter(move |(_, event)| is(event));
            found.map(|(stamp, _)| stamp.at).collect::<Vec<_>>()
        };
        let retried = at(|event| matches!(event, QueueEvent::Retried { .. }));
        let at_once = at(fetched).contains(&retried[0]);
        assert_eq!(at_once, version > V5_34_10, "{version}");
        assert_eq!(when(&seen, started).len(), 3, "{version}");
    }
}

#[test]
fn jobs_that_block_run_before_anything_is_sent_for_one_of_them() {
    let add = "{ add = 'j', queue = 'q' }";
    let steps = format!("{}, {{ worker = 'q', concurrency = 3 }}", [add; 3].join(", "));
    let tables = "[job.j]\nsteps = [ { block = '1s' } ]";
    let finished = |event: &QueueEvent| matches!(event, QueueEvent::Finished { .. });
    for version in Version::ALL {
        let seen = play(version, &steps, tables);
        let (starts, ends) = (when(&seen, started), when(&seen, finished));
        let after = |at: &i64| at - starts[0];
        assert_eq!(starts.iter().map(after).collect::<Vec<_>>(), [0, 1000, 2000], "{version}");
        assert!(ends.len() == 3 && ends.iter().all(|at| after(at) >= 3000), "{version}: {ends:?}");
    }
}

#[test]
fn who_leaves_a_job_behind_that_comes_while_it_closes() {
    let jobs = ["{ add = 'j' }"; 40].join(", ");
    let steps = format!("{{ add_bulk = [ {jobs} ], queue = 'q' }}, {{ worker = 'q' }}");
    let tables = "[job.j]\nsteps = [ { sleep = '1ms' } ]\n[[event]]\nat = '500ms'\nscale = 0\n\
                  [network]\nround_trip = '20ms'";
    for version in Version::ALL {
        let seen = play(version, &steps, tables);
        let [got, run] = [when(&seen, fetched).len(), when(&seen, started).len()];
        let finished = when(&seen, |event| matches!(event, QueueEvent::Finished { .. })).len();
        assert!(run > 1 && run < 40, "it closes meanwhile: {run}");
        assert_eq!(finished, run, "{version}: it waits for what it has begun");
        assert_eq!(got - run, usize::from(version == V5_34_10), "{version}");
    }
}

#[test]
fn a_worker_that_does_not_run_takes_nothing_and_one_that_is_forced_waits_for_nothing() {
    let tables = "[job.j]\nsteps = [ { sleep = '1h' } ]\n[[event]]\nat = '5m'\nscale = 0\n";
    for version in Version::ALL {
        let play = |worker: &str| {
            let add = "{ add = 'j', queue = 'q' }";
            play(version, &format!("{add}, {{ worker = 'q', {worker} }}"), tables)
        };
        assert_eq!(when(&play("autorun = false"), fetched), [0; 0], "{version}");
        let exits = |seen: &[(Stamp, Event)]| {
            let exited = |event: &Event| *event == Event::Exited { code: 0 };
            let found = seen.iter().find(|(_, event)| exited(event));
            found.map(|(stamp, _)| stamp.at.ms() - START_MS - 300_000)
        };
        // The grace period of half a minute is over before the job is.
        assert_eq!(exits(&play("autorun = true")), None, "{version}");
        let forced = exits(&play("force_close = true")).expect("it exits");
        assert!((0..100).contains(&forced), "{version}: {forced}");
    }
}

#[test]
fn a_wait_with_jitter_is_a_part_of_the_wait_from_5_81_on() {
    let tables = "[job.j]\noutcome = 'fail'";
    for version in Version::ALL {
        let add = "{ add = 'j', queue = 'q', attempts = 40, \
                   backoff = { type = 'fixed', delay = '10s', jitter = '50%' } }";
        let seen = play(version, &format!("{add}, {{ worker = 'q' }}"), tables);
        let starts = when(&seen, started);
        assert_eq!(starts.len(), 40, "{version}");
        let waits: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let all_of_it = waits.iter().all(|wait| *wait >= 10_000);
        assert_eq!(all_of_it, version < V5_81_5, "{version}: {waits:?}");
        assert!(waits.iter().all(|wait| (5000..10_100).contains(wait)), "{version}: {waits:?}");
    }
}
