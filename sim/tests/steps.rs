//! What the steps and events of a scenario do in a run, each seen in the run's events.

use bootrace_sim::clock::Instant;
use bootrace_sim::event::{Event, QueueEvent, Stamp, StepResult};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::parse;
use std::sync::Arc;

/// A run of two hours with one queue, these steps of start-up code, and these tables besides.
fn play(steps: &str, tables: &str) -> Vec<(Stamp, Event)> {
    let text = format!(
        "format = 1\nname = 'steps'\nlength = '2h'\n[queue.q]\n\
         [schedule.s]\nevery = '1h'\nqueue = 'q'\njob = 'j'\n\
         [release.r]\nlibrary = 'bullmq@5.34.10'\nsteps = [ {steps} ]\n{tables}\n\
         [[expect]]\nalways = 'rows in all'\nat_most = 1000000\n"
    );
    let (scenario, _) = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let mut seen = Vec::new();
    bootrace_sim::run(&Arc::new(scenario), Box::new(Random::new(1)), false, &mut seen);
    seen
}

const ONE: &str = "[service.w]\nrelease = 'r'\nboot = '0s'\n";

fn three() -> String {
    ONE.replace("boot", "replicas = 3\nenv = { ROLE = 'a' }\nboot")
}

fn added(seen: &[(Stamp, Event)]) -> Vec<(Instant, String)> {
    let each = seen.iter().filter_map(|(stamp, event)| match event {
        Event::Queue(_, _, QueueEvent::Added(added)) => Some((stamp.at, added.job.0.to_string())),
        _ => None,
    });
    each.collect()
}

fn count(seen: &[(Stamp, Event)], which: impl Fn(&QueueEvent) -> bool) -> usize {
    let is = |event: &Event| matches!(event, Event::Queue(_, _, event) if which(event));
    seen.iter().filter(|(_, event)| is(event)).count()
}

fn results(seen: &[(Stamp, Event)], step: u16) -> Vec<StepResult> {
    let each = seen.iter().filter_map(|(_, event)| match event {
        Event::StepEnded(at, result) if at.step == step => Some(*result),
        _ => None,
    });
    each.collect()
}

#[test]
fn a_condition_keeps_a_step_from_those_it_does_not_mean() {
    let adds = |when: &str| {
        let step = format!("{{ add = 'j', queue = 'q', when = {{ {when} }} }}");
        added(&play(&step, &three())).len()
    };
    assert_eq!(adds("ordinal = 2"), 1);
    assert_eq!(adds("first_boot = true"), 3);
    assert_eq!(adds("first_boot = false"), 0);
    assert_eq!(adds("env = { ROLE = 'a' }"), 3);
    assert_eq!(adds("env = { ROLE = 'b' }"), 0);
}

#[test]
fn who_gets_the_lock_goes_on() {
    let steps = |kind: &str| {
        format!(
            "{{ database = {{ lock = 'l', {kind} }}, as = 'lock' }}, \
             {{ add = 'j', queue = 'q', when = {{ step = 'lock' }} }}"
        )
    };
    for kind in ["kind = 'session'", "kind = 'status'", "lease = '5m'"] {
        let seen = play(&steps(kind), &three());
        assert_eq!(added(&seen).len(), 1, "{kind}");
        let nothing = results(&seen, 0).into_iter().filter(|one| *one == StepResult::Nothing);
        assert_eq!(nothing.count(), 2, "{kind}");
    }
}

#[test]
fn a_row_is_inserted_once_by_all_of_them() {
    let row = "{ database = { insert = 'boot-{window}' } }";
    let mut came = results(&play(row, &three()), 0);
    came.sort_by_key(|one| *one == StepResult::Nothing);
    assert_eq!(came, [StepResult::Done, StepResult::Nothing, StepResult::Nothing]);
}

#[test]
fn a_start_up_id_names_the_window_of_the_boot() {
    let seen = play("{ add = 'j', queue = 'q', job_id = 'j-{window}' }", ONE);
    // 2026-01-05T00:00:00Z, when the run and a window begin.
    assert_eq!(added(&seen)[0].1, "j-1767571200000");
}

#[test]
fn once_a_process_is_once_however_often_the_timer_ticks() {
    let timer = |once: &str| {
        let step = format!("{{ add = 'j', queue = 'q', once_per = '{once}' }}");
        added(&play(&format!("{{ timer = '*/10 * * * *', steps = [ {step} ] }}"), ONE)).len()
    };
    assert_eq!(timer("process"), 1);
    assert_eq!(timer("call"), 11);
}

#[test]
fn a_failed_step_is_tried_again_and_then_ends_the_process() {
    // It cannot be obliterated while a job is active.
    let step = "{ add = 'j', queue = 'q' }, { worker = 'q' }, { sleep = '1s' }, \
                { obliterate = 'q', on_error = { retry = 2, delay = '5s' } }";
    let never = ONE.replace("boot", "restart = 'never'\nboot");
    let seen = play(step, &format!("{never}[job.j]\nsteps = [ {{ sleep = '1h' }} ]"));
    assert_eq!(results(&seen, 3), [StepResult::Failed; 3]);
    assert!(seen.iter().any(|(_, event)| *event == Event::Exited { code: 1 }));
}

#[test]
fn parallel_steps_take_as_long_as_the_longest() {
    let seen = play("{ parallel = [ { sleep = '5s' }, { sleep = '9s' } ] }", ONE);
    let of = |which: fn(&Event) -> bool| {
        seen.iter().find(|(_, event)| which(event)).map(|(stamp, _)| stamp.at.ms())
    };
    let booted = of(|event| matches!(event, Event::Booted { .. })).expect("it boots");
    let up = of(|event| *event == Event::StartedUp).expect("it starts up");
    assert_eq!(up - booted, 9_000);
}

#[test]
fn jobs_in_bulk_are_all_added() {
    let seen = play("{ add_bulk = [ { add = 'j' }, { add = 'k' } ], queue = 'q' }", ONE);
    assert_eq!(added(&seen).len(), 2);
}

#[test]
fn a_paused_queue_starts_nothing_until_a_person_resumes_it() {
    let steps = "{ pause = 'q' }, { add = 'j', queue = 'q' }, { worker = 'q' }";
    let seen = play(steps, &format!("{ONE}[[event]]\nat = '1h'\nedit = [ {{ resume = 'q' }} ]"));
    let start = |event: &Event| matches!(event, Event::Queue(_, _, QueueEvent::Started { .. }));
    let starts: Vec<i64> =
        seen.iter().filter(|(_, event)| start(event)).map(|(stamp, _)| stamp.at.ms()).collect();
    assert_eq!(starts.len(), 1);
    assert!(starts[0] >= 1_767_571_200_000 + 3_600_000, "{starts:?}");
}

#[test]
fn a_person_promotes_and_removes_the_job_that_they_name() {
    let steps = "{ add = 'j', queue = 'q', delay = '90m' }, { worker = 'q' }";
    let event = |what: &str| format!("{ONE}[[event]]\nat = '30m'\n{what} = 'j'");
    let started = |event: &QueueEvent| matches!(event, QueueEvent::Started { .. });
    let first = |seen: &[(Stamp, Event)]| {
        let is = |event: &Event| matches!(event, Event::Queue(_, _, event) if started(event));
        seen.iter().find(|(_, event)| is(event)).map(|(stamp, _)| stamp.at.ms() - 1_767_571_200_000)
    };
    assert!(first(&play(steps, ONE)).is_some_and(|at| at >= 90 * 60_000));
    assert!(first(&play(steps, &event("promote"))).is_some_and(|at| at < 31 * 60_000));
    let removed = play(steps, &event("remove"));
    assert_eq!(first(&removed), None);
    assert_eq!(count(&removed, |event| matches!(event, QueueEvent::Removed { .. })), 1);
}

#[test]
fn a_frozen_process_does_nothing_meanwhile() {
    let timer = "{ timer = '* * * * *', steps = [ { add = 'j', queue = 'q' } ] }";
    let paused = format!("{ONE}[[event]]\nat = '10m30s'\npause = '20m'");
    let (free, frozen) = (added(&play(timer, ONE)).len(), added(&play(timer, &paused)).len());
    // The ticks while it stands still are one late one.
    assert_eq!(free - frozen, 19);
}

#[test]
fn a_slow_redis_answers_late_and_an_empty_one_has_forgotten() {
    let steps = "{ sleep = '10m' }, { add = 'j', queue = 'q', job_id = 'a' }";
    let slow = format!("{ONE}[[event]]\nat = '9m'\nredis = {{ slow = '5m' }}");
    let at = added(&play(steps, &slow))[0].0.ms() - 1_767_571_200_000;
    // The connection's own commands come first, and they wait, too.
    assert!((14 * 60_000..14 * 60_000 + 50).contains(&at), "{at}");
    let twice = format!("{steps}, {{ sleep = '10m' }}, {{ add = 'j', queue = 'q', job_id = 'a' }}");
    assert_eq!(added(&play(&twice, ONE)).len(), 1);
    let flush = format!("{ONE}[[event]]\nat = '15m'\nredis = 'flush'");
    assert_eq!(added(&play(&twice, &flush)).len(), 2);
}

#[test]
fn a_clock_that_steps_moves_what_is_computed_from_it() {
    let steps = "{ sleep = '10m' }, { add = 'j', queue = 'q', job_id = 'j-{window}' }";
    let back = format!("{ONE}[[event]]\nat = '5m'\nclock = '-1h'");
    assert_eq!(added(&play(steps, &back))[0].1, "j-1767567600000");
}

/// What a step throws, in its own words.
fn thrown(seen: &[(Stamp, Event)], step: u16) -> Vec<String> {
    let each = seen.iter().filter_map(|(_, event)| match event {
        Event::StepThrew { step: at, error } if at.step == step => Some(error.to_string()),
        _ => None,
    });
    each.collect()
}

#[test]
fn what_the_library_refuses_is_thrown_by_a_step_that_says_what_follows() {
    let steps = "{ add = 'j', queue = 'q', repeat = { pattern = '61 * * * *' }, on_error = 'ignore' }, \
                 { add = 'j', queue = 'q', job_id = '7', on_error = 'ignore' }, \
                 { add = 'j', queue = 'q', job_id = '0', on_error = 'ignore' }, \
                 { add_bulk = [ { add = 'j' }, { add = 'j', job_id = '7' } ], queue = 'q', on_error = 'ignore' }, \
                 { add = 'j', queue = 'q', job_id = '8', on_error = 'exit' }";
    let never = ONE.replace("boot", "restart = 'never'\nboot");
    let seen = play(steps, &never);
    assert_eq!(thrown(&seen, 0), ["Constraint error, got value 61 expected range 0-59"]);
    assert_eq!(thrown(&seen, 1), ["Custom Ids cannot be integers"]);
    assert_eq!(thrown(&seen, 2), ["JobId cannot be '0' or start with 0:"]);
    assert_eq!(thrown(&seen, 3), ["Custom Ids cannot be integers"]);
    assert_eq!(added(&seen), [], "one id that is refused keeps a whole bulk back");
    assert!(seen.iter().any(|(_, event)| *event == Event::Exited { code: 1 }));
}

#[test]
fn a_release_may_have_a_processor_of_its_own() {
    let tables = |own: &str| {
        format!("[release.r.job.j]\n{own}\n{ONE}[job.j]\nsteps = [ {{ sleep = '1h' }} ]")
    };
    let ends = |own: &str| {
        let seen = play("{ add = 'j', queue = 'q' }, { worker = 'q' }", &tables(own));
        let failed = |ok: bool| {
            count(&seen, |event| matches!(event, QueueEvent::Ended { ok: is, .. } if *is == ok))
        };
        (failed(true), failed(false))
    };
    assert_eq!(ends("steps = [ { sleep = '1s' } ]"), (1, 0));
    assert_eq!(ends("outcome = 'fail'"), (0, 1));
    assert_eq!(ends("steps = [ { sleep = '3h' } ]"), (0, 0));
}

#[test]
fn an_outcome_may_go_by_the_starts() {
    // The first start takes the process with it, and no attempt has ended by then.
    let ends = |count: &str| {
        let job = format!("[job.j]\noutcome = ['exit', 'ok']\ncount_by = '{count}'");
        let again = ONE.replace("boot", "restart_delay = '1s'\nboot");
        let add = "{ add = 'j', queue = 'q', job_id = 'j' }, { worker = 'q' }";
        let seen = play(add, &format!("{again}{job}"));
        count_of(&seen, true)
    };
    assert_eq!([ends("made"), ends("started")], [0, 1]);
}

fn count_of(seen: &[(Stamp, Event)], ok: bool) -> usize {
    count(seen, |event| matches!(event, QueueEvent::Ended { ok: is, .. } if *is == ok))
}

/// When processes booted, in seconds after the first.
fn boots(seen: &[(Stamp, Event)]) -> Vec<i64> {
    let booted = |event: &Event| matches!(event, Event::Booted { .. });
    let at: Vec<i64> =
        seen.iter().filter(|(_, event)| booted(event)).map(|(stamp, _)| stamp.at.ms()).collect();
    at.iter().map(|ms| (ms - at[0]) / 1000).collect()
}

#[test]
fn a_container_is_started_again_after_the_same_time_and_so_often() {
    let crash = "{ sleep = '1s' }, { add = 'j', queue = 'q', job_id = '7', on_error = 'exit' }";
    let again = ONE.replace("boot", "restart_delay = '2s'\nmax_restarts = 3\nboot");
    assert_eq!(boots(&play(crash, &again)), [0, 3, 6, 9]);
}

#[test]
fn a_container_that_is_asked_to_end_in_its_place_comes_back() {
    let ask = "[[event]]\nat = '1m'\nterminate = 1\n";
    let job = "[job.j]\nsteps = [ { sleep = '1m30s' } ]\n";
    let again = ONE.replace("boot", "restart_delay = '1s'\ntermination_grace_period = '45s'\nboot");
    // It waits for its job, and is killed when that takes too long.
    let add = "{ add = 'j', queue = 'q', job_id = 'j' }, { worker = 'q' }";
    let long = job.replace("1m30s", "1h");
    assert_eq!(boots(&play(add, &format!("{again}{ask}{job}"))), [0, 91]);
    assert_eq!(boots(&play(add, &format!("{again}{ask}{long}"))), [0, 106]);
    let seen = play("{ sleep = '1s' }", &format!("{again}{ask}"));
    assert_eq!(boots(&seen), [0, 61]);
    assert!(seen.iter().any(|(_, event)| *event == Event::Exited { code: 0 }));
}

#[test]
fn a_job_that_limits_the_rate_is_taken_again_when_that_is_over() {
    // A worker without a limiter of its own is not held back by that of the queue.
    let job = "[job.j]\nsteps = [ { rate_limit = '10s' } ]\n";
    let add =
        "{ add = 'j', queue = 'q' }, { worker = 'q', limiter = { max = 5, duration = '1s' } }";
    let seen = play(add, &format!("{ONE}{job}"));
    let starts: Vec<i64> = seen
        .iter()
        .filter(|(_, event)| matches!(event, Event::Queue(_, _, QueueEvent::Started { .. })))
        .map(|(stamp, _)| stamp.at.ms())
        .collect();
    assert!(starts.len() > 100, "{}", starts.len());
    assert!(starts.windows(2).all(|pair| (9_990..10_100).contains(&(pair[1] - pair[0]))));
    assert_eq!(count(&seen, |event| matches!(event, QueueEvent::Finished { .. })), 0);
}
