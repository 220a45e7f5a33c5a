//! bootrace from a program: a scenario loaded, explored, held to what it declares.

use bootrace::report::{Verdict, text};
use bootrace::sim::policy::Kind;
use bootrace::{Explore, Scenario, load};
use std::error::Error as _;

const BEFORE: &str = "scenarios/free-tier-usage/before.toml";

#[test]
fn an_exploration_is_the_one_of_the_command_line() {
    let scenario = Scenario::load(BEFORE).expect("it is a scenario");
    let report = Explore::new(&scenario).seeds(1..=20).run();
    report.assert_as_declared();
    let explored = bootrace::explore::explore(scenario.meaning(), 1..=20);
    let other =
        bootrace::report::Report::new(BEFORE, scenario.text(), scenario.meaning(), &explored);
    assert_eq!(report, other);
}

#[test]
#[should_panic(expected = "FAIL")]
fn what_is_not_as_declared_panics_with_the_report() {
    let text = std::fs::read_to_string(BEFORE).expect("it is there");
    let undeclared: String = text
        .lines()
        .filter(|line| !line.starts_with("violated"))
        .map(|l| l.to_owned() + "\n")
        .collect();
    assert_ne!(text, undeclared, "it declares its violations");
    let scenario = Scenario::parse(undeclared).expect("it is a scenario");
    let report = Explore::new(&scenario).seeds(1..=3).run();
    assert_eq!(report.verdict, Verdict::NotAsDeclared);
    report.assert_as_declared();
}

#[test]
fn an_error_shows_its_diagnostics_however_it_is_shown() {
    let error = Scenario::parse("format = 1\nname = \"a\"\nlenght = \"1h\"\n").expect_err("lenght");
    let shown = error.to_string();
    assert!(shown.starts_with("error[BR"), "{shown}");
    assert!(shown.contains(" --> scenario:3:1"), "{shown}");
    assert!(shown.ends_with(" problems in scenario; nothing was run"), "{shown}");
    assert_eq!(format!("{error:?}"), format!("\n{shown}"));
    assert!(error.source().is_none());
    assert!(error.render(true).contains('\u{1b}'));
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let error = Scenario::load("no/such.toml").expect_err("it is not there");
    assert!(matches!(error, load::Error::Io(..)), "{error}");
    assert!(error.to_string().starts_with("error: cannot read no/such.toml: "), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn a_seed_is_told_line_by_line() {
    let scenario = Scenario::load(BEFORE).expect("it is a scenario");
    let told = Explore::new(&scenario).tell(1);
    assert_eq!(told, Explore::new(&scenario).tell(1));
    assert_eq!(told.lines().filter(|line| line.contains("boots")).count(), 12, "{told}");
}

#[test]
fn policies_play_in_turn_or_one_plays_all() {
    let scenario = Scenario::load(BEFORE).expect("it is a scenario");
    let by = |policy| Explore::new(&scenario).policy(policy).seeds(2..=4).run();
    let (pct, random) = (by(Kind::Pct(2)), by(Kind::Random));
    assert_eq!(random, Explore::new(&scenario).seeds(2..=4).run());
    assert_ne!(pct.figures, random.figures);
    assert!(text::run(&pct).ends_with("--seed 2 --policy pct:2\n"), "{}", text::run(&pct));
    let portfolio = Explore::new(&scenario).portfolio().seeds(1..=4);
    let report = portfolio.run();
    assert_eq!(report.policy.to_string(), "portfolio");
    for (seed, kind) in (1..).zip(Kind::PORTFOLIO) {
        assert_eq!(portfolio.tell(seed), Explore::new(&scenario).policy(kind).tell(seed));
        let alone = Explore::new(&scenario).policy(kind).seeds(seed..=seed).run();
        let commands = |report: &bootrace::report::Report, place: usize| {
            report.figures.last().map(|figure| figure.values[place])
        };
        let place = usize::try_from(seed - 1).expect("a small number");
        assert_eq!(commands(&report, place), commands(&alone, 0));
    }
}

#[test]
#[should_panic(expected = "one seed at least")]
fn no_seeds_are_no_exploration() {
    let scenario = Scenario::load(BEFORE).expect("it is a scenario");
    #[expect(clippy::reversed_empty_ranges, reason = "that is the case")]
    Explore::new(&scenario).seeds(2..=1).run();
}

/// Two containers that take two locks the other way round, in a storm that has no effect on them.
const STUCK: &str = r#"
format = 1
name   = "each holds what the other waits for"
length = "1h"
calm   = "30m"

[queue.mail]

[release.one]
library = "bullmq@5.34.10"
steps = [ { database = { lock = "a", wait = true } }, { sleep = "1m" }, { database = { lock = "b", wait = true } } ]

[release.two]
library = "bullmq@5.34.10"
steps = [ { database = { lock = "b", wait = true } }, { sleep = "1m" }, { database = { lock = "a", wait = true } } ]

[service.one]
release = "one"

[service.two]
release = "two"

[[event]]
at      = "10m..20m"
odds    = "10%"
service = "one"
clock   = "+1ms"

[faults]
swarm = true

[[expect]]
eventually = "queue length"
at_most    = 0

[[expect]]
sometimes = "clocks step"
"#;

#[test]
fn a_run_that_does_not_get_on_says_why_and_a_swarm_what_it_drew() {
    let scenario = Scenario::parse(STUCK).expect("it is a scenario");
    assert_eq!(scenario.warnings(), "");
    let report = Explore::new(&scenario).seeds(1..=30).run();
    let stuck = report.stuck.as_ref().expect("all are");
    assert_eq!((stuck.seeds, stuck.first), (30, 1));
    let why = "deadlock: nothing is due any more, 2 processes wait for what cannot come, and 0 jobs \
               are left";
    assert_eq!(stuck.why, why);
    let [swarm] = &report.swarm[..] else { panic!("{:?}", report.swarm) };
    assert_eq!((swarm.class, swarm.off + swarm.mild + swarm.wild), ("clock", 30));
    let text = bootrace::report::text::run(&report);
    assert!(text.contains(&format!("  stuck   in 30/30 seeds; seed 1: {why}\n")), "{text}");
    let line = format!(
        "  swarm   clock: off in {}, mild in {}, wild in {}\n",
        swarm.off, swarm.mild, swarm.wild
    );
    assert!(text.contains(&line), "{text}");
    let told = Explore::new(&scenario).tell(1);
    assert!(told.contains("in this run faults of the kind clock are "), "{told}");
    assert!(told.ends_with(&format!("{why}\n")), "{told}");
    let quiet = Scenario::load(BEFORE).expect("it is a scenario");
    let quiet = Explore::new(&quiet).seeds(1..=2).run();
    assert_eq!((quiet.stuck, quiet.swarm), (None, Vec::new()));
}
