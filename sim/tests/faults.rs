//! What happens by chance, what the calm puts an end to, and why a run does not get on.

use bootrace_sim::choices::{LifeName, Odds, Policy, Question, Site, Tape};
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{Event, FaultClass, Level, Plan, QueueEvent, Stamp, Stuck};
use bootrace_sim::policy::{Plain, Random, Replay};
use bootrace_sim::scenario::{Network, Scenario, parse};
use bootrace_sim::{Outcome, labels, run};
use std::sync::Arc;

/// When every run begins: 2026-01-05T00:00:00Z.
const START_MS: i64 = 1_767_571_200_000;

/// Two containers of a worker for two hours, the last of them calm, with these tables.
const FLEET: &str = "
[queue.q]
[schedule.s]
every = '10m'
queue = 'q'
job = 's'
[job.s]
steps = [ { sleep = '1s' } ]
[release.r]
library = 'bullmq@5.34.10'
steps = [ { upsert_job_scheduler = 's', queue = 'q', repeat = { every = '10m' } }, { worker = 'q' } ]
[service.w]
release = 'r'
replicas = 2
boot = '1s'
";

fn scenario(tables: &str) -> Arc<Scenario> {
    let text = format!(
        "format = 1\nname = 'faults'\nlength = '2h'\ncalm = '1h'\n{tables}\n\
         [[expect]]\nsometimes = 'a container restarts'\n"
    );
    let read = parse(&text);
    Arc::new(read.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}")).0)
}

struct Run {
    seen: Vec<(Stamp, Event)>,
    outcome: Outcome,
}

impl Run {
    fn of(scenario: &Arc<Scenario>, policy: impl Policy + 'static) -> Run {
        let mut seen = Vec::new();
        let outcome = run(scenario, Box::new(policy), true, &mut seen);
        Run { seen, outcome }
    }

    /// The milliseconds since the beginning at which something happened.
    fn when(&self, which: impl Fn(&Event) -> bool) -> Vec<i64> {
        let found = self.seen.iter().filter(|(_, event)| which(event));
        found.map(|(stamp, _)| stamp.at.ms() - START_MS).collect()
    }

    fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.when(which).len()
    }

    fn asked(&self, site: Site) -> Vec<u16> {
        let choices = self.outcome.tape.choices.iter();
        choices.filter(|choice| choice.question.site == site).map(|choice| choice.answer).collect()
    }
}

fn random(tables: &str, seed: u64) -> Run {
    Run::of(&scenario(&[FLEET, tables].concat()), Random::new(seed))
}

/// Every fault happens.
struct Worst;

impl Policy for Worst {
    fn answer(&mut self, question: &Question, _: &LifeName, bound: u32, _: Odds) -> u32 {
        if question.site == Site::Fault { bound - 1 } else { 0 }
    }
}

fn worst(tables: &str) -> Run {
    Run::of(&scenario(&[FLEET, tables].concat()), Worst)
}

fn killed(event: &Event) -> bool {
    *event == Event::Killed
}

fn disconnected(event: &Event) -> bool {
    matches!(event, Event::Plan(Plan::Disconnected { .. }))
}

#[test]
fn an_event_with_odds_is_one_question_and_happens_as_often_as_they_say() {
    let tables = "[[event]]\nat = '10m..20m'\nodds = '25%'\nkill = 1";
    let runs: Vec<Run> = (1..=120).map(|seed| random(tables, seed)).collect();
    let happened = runs.iter().filter(|run| run.count(killed) == 1).count();
    assert!((18..45).contains(&happened), "{happened} of 120 at odds of a quarter");
    for run in &runs {
        assert_eq!(run.asked(Site::Fault), [run.count(killed) as u16]);
    }
    let plain = Run::of(&scenario(&[FLEET, tables].concat()), Plain);
    assert_eq!(plain.count(killed), 0, "plain means no fault");
}

#[test]
fn odds_move_nothing_but_what_they_decide() {
    // Whether it happens is asked on a stream of its own, so the draws of the other are the same.
    let other = "[[event]]\nat = '30m..40m'\npause = '1s..9s'\n";
    let with = |odds: &str| format!("{other}[[event]]\nat = '10m'\n{odds}\nclock = '+1ms'");
    let pauses = |run: &Run| run.when(|event| matches!(event, Event::Blocked { .. }));
    for seed in 1..=20 {
        let (sure, maybe) = (random(&with(""), seed), random(&with("odds = '50%'"), seed));
        assert_eq!(pauses(&sure), pauses(&maybe));
        assert_eq!(sure.asked(Site::Fault), [0_u16; 0], "what is sure is not asked");
    }
}

#[test]
fn nothing_happens_by_chance_in_the_calm_and_what_lasts_is_over_then() {
    let after = "[[event]]\nat = '61m'\nodds = '100%'\nkill = 1";
    let run = worst(after);
    assert_eq!((run.count(killed), run.asked(Site::Fault).len()), (0, 0));
    let planned = "[[event]]\nat = '61m'\nkill = 1";
    assert_eq!(worst(planned).count(killed), 1, "what is sure is no matter of chance");
    let calm = Instant::from_ms(START_MS) + Span::from_secs(3600);
    let ends = |run: &Run| {
        let mut ends = run.seen.iter().filter_map(|(_, event)| match event {
            Event::Plan(Plan::Disconnected { until, .. } | Plan::Partitioned { until, .. })
            | Event::Plan(Plan::RedisDown { until } | Plan::RedisSlow { until })
            | Event::Plan(Plan::Delayed { until, .. })
            | Event::Blocked { until } => Some(*until),
            _ => None,
        });
        ends.next_back().expect("it began")
    };
    let delay = "delay = { round_trip = '1s', lasts = '5m' }";
    let chance = ["disconnect = '5m'", "pause = '5m'", "redis = { slow = '5m' }"];
    let chance =
        chance.into_iter().chain(["redis = { restart = '5m' }", "partition = '5m'", delay]);
    for happens in chance {
        let odds = format!("[[event]]\nat = '58m'\nodds = '1%'\n{happens}");
        assert_eq!(ends(&worst(&odds)), calm, "{happens}");
        let sure = format!("[[event]]\nat = '58m'\n{happens}");
        let heals = happens.starts_with("partition") || happens.starts_with("delay");
        let until = if heals { calm } else { calm + Span::from_secs(180) };
        assert_eq!(ends(&worst(&sure)), until, "{happens}");
    }
    let late = worst("[[event]]\nat = '70m'\npartition = '5m'");
    assert_eq!(late.count(|event| matches!(event, Event::Plan(Plan::Partitioned { .. }))), 0);
}

#[test]
fn a_failover_by_chance_is_decided_when_its_copy_is_made() {
    let tables = "[[event]]\nat = '30m'\nodds = '50%'\nredis = { restart = '1s', loses = '5s' }";
    let copied = |event: &Event| matches!(event, Event::Plan(Plan::RedisCopied { .. }));
    let rolled = |event: &Event| matches!(event, Event::Plan(Plan::RedisRolledBack { .. }));
    let mut happened = 0;
    for seed in 1..=40 {
        let run = random(tables, seed);
        let (asked, copied) = (run.asked(Site::Fault), run.count(copied));
        assert_eq!((asked, copied), (vec![copied as u16], run.count(rolled)));
        happened += copied;
    }
    assert!((8..32).contains(&happened), "{happened}");
}

const SWARM: &str = "
[[event]]
at = '10m'
odds = '30%'
disconnect = '1s'
[faults]
swarm = true
kill = { odds = '20%', points = 40 }
";

#[test]
fn a_swarm_draws_a_level_for_each_class_and_says_so() {
    let mut levels = [[0; 3]; 2];
    let mut by_level = [[0_usize; 3]; 2];
    for seed in 1..=150 {
        let run = random(SWARM, seed);
        let said = run.seen.iter().filter_map(|(_, event)| match event {
            Event::Plan(Plan::Swarm { class, level }) => Some((*class, *level)),
            _ => None,
        });
        let said: Vec<_> = said.collect();
        assert_eq!(said, run.outcome.swarm);
        let [(FaultClass::Kill, kill), (FaultClass::Disconnect, disconnect)] = said[..] else {
            panic!("{said:?}");
        };
        for (place, level) in [kill, disconnect].into_iter().enumerate() {
            levels[place][level as usize] += 1;
        }
        by_level[0][kill as usize] += usize::from(run.count(killed) > 0);
        by_level[1][disconnect as usize] += run.count(disconnected);
    }
    for levels in levels {
        assert!(levels.iter().all(|count| (35..65).contains(count)), "{levels:?}");
    }
    let kills = by_level[0];
    assert_eq!((by_level[0][0], by_level[1][0]), (0, 0), "off is off");
    assert!(kills[2] > kills[1] && kills[1] > 0, "{kills:?}");
    assert_eq!(by_level[1][2], levels[1][2], "four times 30 % is always");
    assert!((5..25).contains(&by_level[1][1]), "{by_level:?}");
}

#[test]
fn without_the_key_nothing_is_drawn_and_with_it_plain_is_off() {
    let off = SWARM.replace("swarm = true", "");
    assert_eq!(random(&off, 1).outcome.swarm, []);
    let plain = Run::of(&scenario(&[FLEET, SWARM].concat()), Plain);
    assert_eq!(
        plain.outcome.swarm,
        [(FaultClass::Kill, Level::Off), (FaultClass::Disconnect, Level::Off)]
    );
    let words = labels(&scenario(&[FLEET, SWARM].concat()));
    let choice = plain.outcome.tape.choices[0].question;
    assert_eq!((choice.site, &*words[usize::from(choice.label.0)]), (Site::Fault, "kill"));
    assert_eq!(labels(&scenario(&[FLEET, &off].concat())).len() + 16, words.len());
}

#[test]
fn a_tape_of_a_storm_repeats_it() {
    let storm = [
        SWARM,
        "[[event]]\nat = '20m..30m'\nodds = '50%'\npartition = '1s..20s'\n",
        "[[event]]\nat = '21m'\nodds = '50%'\ndelay = { round_trip = '1s..2s', lasts = '1m' }\n",
    ];
    let fleet =
        FLEET.replace("boot = '1s'", "clock = { offset = '-2s..2s', drift = '-9ppm..9ppm' }");
    let scenario = scenario(&[&fleet, &*storm.concat()].concat());
    for seed in 1..=20 {
        let first = Run::of(&scenario, Random::new(seed));
        let tape = Tape { choices: first.outcome.tape.choices.clone() };
        let again = Run::of(&scenario, Replay::new(tape));
        assert_eq!(again.outcome.diverged, None);
        assert_eq!(again.outcome.hash, first.outcome.hash);
    }
}

#[test]
fn a_partition_holds_messages_back_and_breaks_nothing() {
    let partition = "[[event]]\nat = '10m30s'\npartition = '20s'";
    for seed in 1..=20 {
        let run = random(partition, seed);
        let during = |at: i64| (630_000..650_000).contains(&at);
        let commands = run.when(|event| {
            matches!(event, Event::Command { .. } | Event::Answered { .. } | Event::Closed { .. })
        });
        assert!(commands.iter().any(|at| *at < 630_000 && *at > 620_000), "it works before");
        assert_eq!(commands.iter().filter(|at| during(**at)).count(), 0);
        assert!(commands.iter().filter(|at| **at == 650_000).count() >= 2, "all arrives then");
        assert_eq!(
            run.count(|event| matches!(event, Event::Closed { .. } | Event::Exited { .. })),
            0
        );
        let started =
            |event: &Event| matches!(event, Event::Queue(_, _, QueueEvent::Started { .. }));
        let quiet = random("", seed);
        assert_eq!(run.count(started), quiet.count(started), "no job is lost or run twice");
    }
}

#[test]
fn a_partition_holds_where_messages_take_no_time_too() {
    let mut timeless =
        (*scenario(&[FLEET, "[[event]]\nat = '5m1s'\npartition = '20s'"].concat())).clone();
    timeless.network = Network::Order;
    let timeless = Arc::new(timeless);
    for seed in 1..=20 {
        let run = Run::of(&timeless, Random::new(seed));
        let commands = run.when(|event| {
            matches!(event, Event::Command { .. } | Event::Answered { .. } | Event::Closed { .. })
        });
        let during = commands.iter().filter(|at| (301_000..321_000).contains(*at)).count();
        assert_eq!(during, 0);
        assert!(commands.contains(&321_000));
        assert!(commands.iter().any(|at| *at > 330_000), "and it goes on");
    }
}

#[test]
fn a_delay_makes_messages_take_longer_for_a_time() {
    let run = worst("[[event]]\nat = '10m30s'\ndelay = { round_trip = '4s', lasts = '1m' }");
    // The bound client sends, and its command arrives two seconds later.
    let answered = |event: &Event| matches!(event, Event::Answered { .. });
    let within = |from: i64, to: i64| {
        run.when(answered).iter().filter(|at| (from..to).contains(*at)).count()
    };
    let (before, slow, after) =
        (within(560_000, 620_000), within(636_000, 690_000), within(700_000, 760_000));
    assert!(slow > 0 && slow * 3 < before * 2 && slow * 3 < after * 2, "{before} {slow} {after}");
}

#[test]
fn clocks_are_wrong_from_each_boot_on_and_right_by_default() {
    let wrong = "clock = { offset = '-2s..2s', drift = '-200ppm..200ppm' }\nboot = '1s'";
    let fleet = FLEET.replace("boot = '1s'", wrong);
    let kill = "[[event]]\nat = '10m'\nkill = 2";
    let scenario = scenario(&[&fleet, kill].concat());
    let skew = |event: &Event| match event {
        Event::Skewed { offset, drift } => Some((*offset, *drift)),
        _ => None,
    };
    let mut offsets = Vec::new();
    for seed in 1..=40 {
        let run = Run::of(&scenario, Random::new(seed));
        offsets.extend(run.seen.iter().filter_map(|(_, event)| skew(event)));
    }
    assert!(offsets.len() > 140, "four lives in each of forty seeds, but a few are right");
    assert!(
        offsets
            .iter()
            .all(|(offset, drift)| { offset.abs() <= 2_000_000_000 && drift.abs() <= 200_000 })
    );
    let distinct = |which: fn(&(i64, i64)) -> i64| {
        let mut all: Vec<i64> = offsets.iter().map(which).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    assert!(distinct(|one| one.0) >= 15 && distinct(|one| one.1) >= 15);
    let plain = Run::of(&scenario, Plain);
    assert_eq!(plain.count(|event| skew(event).is_some()), 0, "plain is right");
}

fn stuck(tables: &str) -> Option<Stuck> {
    let run = Run::of(&scenario(tables), Random::new(1));
    let said = run.seen.iter().filter(|(_, event)| matches!(event, Event::Stuck(_)));
    assert_eq!(said.count(), usize::from(run.outcome.stuck.is_some()));
    run.outcome.stuck
}

/// Two services that take two locks of the database.
fn locks(first: &str, second: &str, then: &str) -> String {
    let lock = |name: &str| format!("{{ database = {{ lock = '{name}', wait = true }} }}");
    let release = |name: &str, order: &str| {
        let (one, two) = order.split_once(' ').expect("two locks");
        let steps = format!("{}, {{ sleep = '1m' }}, {}", lock(one), lock(two));
        format!(
            "[release.{name}]\nlibrary = 'bullmq@5.34.10'\nsteps = [ {steps}{then} ]\n\
             [service.{name}]\nrelease = '{name}'\nrestart = 'never'\n"
        )
    };
    format!("[queue.q]\n{}{}", release("one", first), release("two", second))
}

#[test]
fn two_that_wait_for_each_other_are_a_deadlock() {
    let unlock = ", { database = { unlock = 'a' } }, { database = { unlock = 'b' } }";
    assert_eq!(stuck(&locks("a b", "b a", unlock)), Some(Stuck::Deadlock { waiting: 2, jobs: 0 }));
    assert_eq!(stuck(&locks("a b", "a b", unlock)), None, "one after the other");
}

/// A job that ends so, with so many attempts.
fn fails(outcome: &str, attempts: u32) -> String {
    let add = format!("add = 'j', queue = 'q', attempts = {attempts}, backoff = '1m'");
    FLEET.replace("{ worker = 'q' }", &format!("{{ {add}, job_id = 'j' }}, {{ worker = 'q' }}"))
        + &format!("[job.j]\noutcome = {outcome}\n")
}

#[test]
fn a_job_that_fails_for_ever_is_a_livelock() {
    match stuck(&fails("'fail'", 1_000_000)) {
        Some(Stuck::JobLoop { starts, .. }) => assert!((50..=61).contains(&starts), "{starts}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stuck(&fails("'fail'", 70)), None, "it has failed for good");
    assert_eq!(stuck(&fails("['fail', 'fail', 'ok']", 1_000_000)), None, "it has been done");
}

#[test]
fn a_start_up_that_always_fails_is_a_livelock() {
    let refused =
        "{ add = 's', queue = 'q', job_id = '7', on_error = { retry = 1, delay = '1s' } }";
    let fleet = |steps: &str| FLEET.replace("steps = [ { up", &format!("steps = [ {steps} {{ up"));
    match stuck(&fleet(&format!("{refused},"))) {
        Some(Stuck::CrashLoop { boots, .. }) => assert!(boots > 20, "{boots}"),
        other => panic!("{other:?}"),
    }
    let ignored = refused.replace("{ retry = 1, delay = '1s' }", "'ignore'");
    assert_eq!(stuck(&fleet(&format!("{ignored},"))), None);
    let never = fleet(&format!("{refused},")).replace("replicas = 2", "restart = 'never'");
    assert_eq!(stuck(&never), None, "it has ended, and nobody starts it again");
}

/// A job of the least urgency, and others every minute that take so long.
fn crowd(takes: &str) -> String {
    let low = "{ add = 'low', queue = 'q', priority = 9, job_id = 'low', delay = '30m' }";
    let high = "{ add = 'high', queue = 'q', priority = 1 }";
    format!(
        "[queue.q]\n[job.high]\nsteps = [ {{ sleep = '{takes}' }} ]\n[job.low]\n\
         [release.r]\nlibrary = 'bullmq@5.34.10'\n\
         steps = [ {low}, {{ timer = '* * * * *', steps = [ {high} ] }}, {{ worker = 'q' }} ]\n\
         [service.w]\nrelease = 'r'\n"
    )
}

#[test]
fn a_job_that_others_always_overtake_is_starved() {
    match stuck(&crowd("70s")) {
        Some(Stuck::Starvation { job, overtaken, .. }) => {
            assert_eq!(&*job, "low");
            assert!(overtaken > 20, "{overtaken}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stuck(&crowd("50s")), None, "there is time for it");
}

#[test]
fn a_queue_that_is_paused_or_only_long_starves_nobody() {
    let paused = FLEET.replace("{ worker = 'q' }", "{ pause = 'q' }, { worker = 'q' }");
    assert_eq!(stuck(&paused), None);
    let long = FLEET.replace("sleep = '1s'", "sleep = '19m'").replace("replicas = 2", "");
    assert_eq!(stuck(&long), None, "each in its turn");
}

#[test]
fn runs_that_get_on_say_nothing() {
    for seed in 1..=20 {
        assert_eq!(random("", seed).outcome.stuck, None);
        assert_eq!(random(SWARM, seed).outcome.stuck, None);
    }
}

#[test]
fn what_never_comes_or_does_nothing_is_warned_of() {
    let warned = |tables: &str| {
        let text = format!(
            "format = 1\nname = 'faults'\nlength = '2h'\ncalm = '1h'\n{FLEET}{tables}\n\
             [[expect]]\nsometimes = 'a container restarts'\n"
        );
        let (_, warnings) = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        let of = |code: &&str| *code == "BR121";
        warnings.iter().map(|warning| warning.code).filter(of).count()
    };
    let event = |at: &str, what: &str| format!("[[event]]\nat = '{at}'\nservice = 'w'\n{what}\n");
    assert_eq!(warned(&event("10m", "partition = '5s'")), 0);
    assert_eq!(warned(&event("10m", "partition = '0s'")), 1);
    assert_eq!(warned(&event("10m", "delay = { round_trip = '1s', lasts = '0s' }")), 1);
    assert_eq!(warned(&event("59m", "kill = 1\nodds = '50%'")), 0);
    assert_eq!(warned(&event("60m", "kill = 1\nodds = '50%'")), 1);
    assert_eq!(warned("[faults]\nswarm = true\n"), 1);
    assert_eq!(warned("[faults]\nswarm = true\nkill = { odds = '1%' }\n"), 0);
}
