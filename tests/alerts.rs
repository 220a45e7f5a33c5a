//! Alerts: what they say of the incident and of healthy days, and what a file may say of them.

use bootrace::explore::{Exploration, explore};
use bootrace::report::{Report, text};
use bootrace::sim::alert::{rang, shipped};
use bootrace::sim::clock::{Instant, Span};
use bootrace::sim::event::{Event, Stamp};
use bootrace::sim::policy::Random;
use bootrace::sim::scenario::{Base, Scenario, parse, parse_over, print, print_alerts};
use std::fmt::Write as _;
use std::sync::Arc;

const BEFORE: &str = include_str!("../scenarios/free-tier-usage/before.toml");
const WINDOW_ID: &str = include_str!("../scenarios/free-tier-usage/window-id.toml");

fn scenario(text: &str) -> Scenario {
    parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}")).0
}

fn with_shipped(mut scenario: Scenario) -> Arc<Scenario> {
    scenario.alerts = shipped(&scenario);
    Arc::new(scenario)
}

fn report(text: &str, scenario: &Arc<Scenario>, exploration: &Exploration) -> Report {
    Report::new("file.toml", text, scenario, exploration)
}

/// Thirty days of a fleet with an id per window and a deploy on each of them, at any time of a working
/// day: three containers that have time to end what they do.
fn month() -> String {
    let (head, _) = WINDOW_ID.split_once("[[event]]").expect("it has events");
    let mut text = head
        .replace("length  = \"6h\"", "length  = \"30d\"")
        .replace("measure = [\"1h\", \"6h\"]", "measure = [\"1h\", \"30d\"]")
        .replace("calm    = \"1h\"", "")
        .replace("replicas = 6", "replicas = 3\ntermination_grace_period = \"5m\"");
    for day in 0..30 {
        let (from, to) = (day * 24 + 1, day * 24 + 9);
        let _ = writeln!(text, "[[event]]\nat = \"{from}h..{to}h\"\nrestart = true\n");
    }
    text + "[[expect]]\nalways = \"firings per window\"\nat_most = 1\n\n\
            [[expect]]\nalways = \"firings per window\"\nat_least = 1\n"
}

#[test]
fn the_incident_is_noticed_within_one_window() {
    let scenario = with_shipped(scenario(BEFORE));
    let exploration = explore(&scenario, 1..=20);
    for played in &exploration.played {
        let broke = played.verdict.judgements.iter().filter_map(|one| one.broke.as_ref());
        let broke = broke.map(|broke| broke.at).min().expect("it is broken in every seed");
        let first = played.rang.iter().map(|rang| rang.at).min();
        let first = first.unwrap_or_else(|| panic!("seed {}: nothing rang", played.seed));
        assert!(first.since(broke) < Span::from_secs(3600), "seed {}", played.seed);
        let names = rang(&scenario, &played.rang);
        assert!(names.contains(&"executions-usage"), "seed {}: {names:?}", played.seed);
        assert!(names.contains(&"rows-usage"), "seed {}: {names:?}", played.seed);
    }
    let said = text::run(&report(BEFORE, &scenario, &exploration));
    let line = said.lines().find(|line| line.contains("executions-usage")).expect("it is told");
    assert!(line.contains("rang in 20/20 seeds, in the median "), "{line}");
    assert!(line.ends_with(" after the first violation; silent on a healthy day"), "{line}");
    let silence = said.lines().find(|line| line.contains("silence-usage")).expect("it is told");
    assert!(silence.contains("cannot ring in a run of this length"), "{silence}");
}

#[test]
fn a_month_of_daily_deploys_of_a_good_fleet_is_silent() {
    let scenario = with_shipped(scenario(&month()));
    assert_eq!(scenario.alerts.len(), 5);
    let mut deploys = 0;
    let mut count = |event: &Event| {
        deploys += u32::from(
            matches!(event, Event::Plan(plan) if format!("{plan:?}").starts_with("Deploy {")),
        );
    };
    let mut sink = Each(|_: &Stamp, event: &Event| count(event));
    let outcome = bootrace::sim::run(&scenario, Box::new(Random::new(1)), false, &mut sink);
    assert_eq!(deploys, 30);
    assert!(outcome.verdict.judgements.iter().all(|one| one.held && one.judged > 700));
    assert_eq!(rang(&scenario, &outcome.rang), [""; 0], "{:?}", outcome.rang);
}

/// Hands on what it gets.
struct Each<F>(F);

impl<F: FnMut(&Stamp, &Event)> bootrace::sim::event::Sink for Each<F> {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        (self.0)(stamp, event);
    }
}

fn events(scenario: &Arc<Scenario>, seed: u64) -> Vec<(Stamp, Event)> {
    let mut events: Vec<(Stamp, Event)> = Vec::new();
    bootrace::sim::run(scenario, Box::new(Random::new(seed)), false, &mut events);
    events
}

#[test]
fn what_rings_is_an_event_of_the_run_and_changes_no_other() {
    let plain = Arc::new(scenario(BEFORE));
    let with = with_shipped(scenario(BEFORE));
    let (without, seen) = (events(&plain, 7), events(&with, 7));
    let is = |event: &Event| matches!(event, Event::Alert { .. });
    let (rings, rest): (Vec<_>, Vec<_>) = seen.iter().cloned().partition(|(_, event)| is(event));
    assert_eq!(rest, without);
    assert!(!rings.is_empty() && seen.is_sorted_by_key(|(stamp, _)| stamp.at));
    let whole = |at: Instant| at.since(with.start).nanos() % with.scrape.nanos() == 0;
    assert!(rings.iter().all(|(stamp, _)| whole(stamp.at)));
    let told =
        bootrace::Scenario::parse(format!("{BEFORE}\n{}", print_alerts(&with, &with.alerts)));
    let told = told.expect("it parses");
    let told = bootrace::Explore::new(&told).tell(7);
    assert!(told.contains("alert executions-usage rings\n"), "{told}");
}

#[test]
fn a_rule_rings_when_it_has_held_for_long_enough_and_ceases_when_it_does_not() {
    let rule = "[alert.busy]\nmetric = \"bullmq_job_count\"\nstates = [\"active\"]\nabove = 0\n";
    let at_once = Arc::new(scenario(&format!("{BEFORE}\n{rule}")));
    let later = Arc::new(scenario(&format!("{BEFORE}\n{rule}for = \"30s\"\n")));
    let rings = |scenario: &Arc<Scenario>| -> Vec<(Instant, bool)> {
        let of = |(stamp, event): (Stamp, Event)| match event {
            Event::Alert { rings, .. } => Some((stamp.at, rings)),
            _ => None,
        };
        events(scenario, 3).into_iter().filter_map(of).collect()
    };
    let (first, second) = (rings(&at_once), rings(&later));
    assert!(first.len() > 2 && !second.is_empty());
    assert_eq!(second[0].0, first[0].0 + Span::from_secs(30));
    let alternates =
        |rings: &[(Instant, bool)]| rings.chunk_by(|one, next| one.1 != next.1).count();
    assert_eq!((alternates(&first), first[0].1), (1, true));
    // What ends within the time that is asked for was never heard.
    let spans = first
        .chunks(2)
        .filter(|pair| pair.len() < 2 || pair[1].0.since(pair[0].0) > Span::from_secs(30));
    assert_eq!(second.len().div_ceil(2), spans.count());
}

#[test]
fn a_deaf_rule_and_one_that_cries_are_shown_as_such() {
    let rules = "
[alert.deaf]
metric = \"bullmq_job_failed_total\"
above = 0
over = \"10m\"

[alert.cries]
metric = \"messaging_client_consumed_messages_total\"
above = 0
over = \"10m\"
severity = \"ticket\"
";
    let file = format!("{BEFORE}\n{rules}");
    let scenario = Arc::new(scenario(&file));
    let said = text::run(&report(&file, &scenario, &explore(&scenario, 1..=5)));
    let line = |name: &str| {
        said.lines().find(|line| line.contains(&format!(" {name} "))).expect("it is told")
    };
    assert!(line("deaf").contains("silent, though 5/5 seeds are not well"), "{said}");
    assert!(line("cries").starts_with("  ticket  cries"), "{said}");
    assert!(line("cries").ends_with("; RINGS on a healthy day (10/10)"), "{said}");
}

#[test]
fn shipped_alerts_are_text_that_makes_them_again() {
    let with = with_shipped(scenario(BEFORE));
    let file = format!("{BEFORE}\n{}", print_alerts(&with, &with.alerts));
    assert_eq!(scenario(&file).alerts, with.alerts);
    assert_eq!(scenario(&print(&with)).alerts, with.alerts);
}

#[test]
fn a_file_that_extends_another_has_its_alerts_and_changes_one() {
    let with = with_shipped(scenario(BEFORE));
    let base = format!("{BEFORE}\n{}", print_alerts(&with, &with.alerts));
    let file = "name = \"later\"\nextends = \"base.toml\"\n[alert.rows-usage]\nfor = \"1m\"\n";
    let base = Base::behind(file, &base);
    let (scenario, _) = parse_over(file, Some(&base)).expect("it parses");
    assert_eq!(scenario.alerts.len(), with.alerts.len());
    for alert in &scenario.alerts {
        let before = with.alerts.iter().find(|one| one.name == alert.name).expect("it is there");
        let lasts = if &*alert.name == "rows-usage" { Span::from_secs(60) } else { before.lasts };
        assert_eq!(alert, &bootrace::sim::scenario::Alert { lasts, ..before.clone() });
    }
}

#[test]
fn what_no_monitor_could_say_is_refused() {
    for (rule, code, message) in [
        ("metric = \"bullmq_job_cuont\"\nabove = 1", "BR021", "`metric` cannot be"),
        ("metric = \"bullmq_job_count\"", "BR007", "an alert needs one of `above`, `below`"),
        ("metric = \"bullmq_job_count\"\nabove = 1\nbelow = 1", "BR007", "not both"),
        ("metric = \"bullmq_job_failed_total\"\nabove = 1", "BR005", "needs `over`"),
        ("metric = \"bullmq_job_count\"\nabove = 1\nover = \"1h\"", "BR004", "means nothing here"),
        ("metric = \"bullmq_job_count\"\ntimes_expected = 2", "BR004", "nobody knows"),
        (
            "metric = \"bullmq_job_count\"\nabove = 1\nservice = \"worker\"",
            "BR004",
            "is about no service",
        ),
        (
            "metric = \"bullmq_job_count\"\nabove = 1\nstates = [\"live\"]",
            "BR021",
            "cannot be `live`",
        ),
        ("metric = \"bullmq_job_count\"\nabove = 1\nstates = []", "BR033", "can never ring"),
        (
            "metric = \"bullmq_job_failed_total\"\nabove = 1\nover = \"1s\"",
            "BR020",
            "is shorter than",
        ),
        ("metric = \"bootrace_boots_total\"\nbelow = 0\nover = \"1h\"", "BR020", "at least 1"),
        (
            "metric = \"bootrace_rows_written_total\"\ntimes_expected = 0.5\nover = \"1h\"",
            "BR020",
            "a number from 1 to",
        ),
        (
            "metric = \"bullmq_job_count\"\nabove = 1\nseverity = \"loud\"",
            "BR021",
            "cannot be `loud`",
        ),
    ] {
        let file = format!("{BEFORE}\n[alert.one]\n{rule}\n");
        let problems = parse(&file).expect_err(rule);
        let said: Vec<_> = problems.iter().map(|one| (one.code, one.message.as_str())).collect();
        assert!(
            said.len() == 1 && said[0].0 == code && said[0].1.contains(message),
            "{rule}: {said:?}"
        );
    }
    let file = BEFORE.replace("length = \"20m\"", "length = \"20m\"\nscrape_interval = \"10ms\"");
    assert_eq!(parse(&file).expect_err("too often")[0].code, "BR020");
}
