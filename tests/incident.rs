//! The incident, to the row, and the six facts about what was tried against it: each comes out of
//! its scenario's start-up code.

use bootrace::explore::{Played, explore};
use bootrace::sim::choices::LifeId;
use bootrace::sim::clock::Span;
use bootrace::sim::event::{Event, Sink, Stamp};
use bootrace::sim::oracle::{Breach, Work};
use bootrace::sim::policy::Random;
use bootrace::sim::scenario::{Measure, Property, Relation, Scenario, parse};
use bootrace::sim::{run, servers};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const SEEDS: u64 = 200;

fn text(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = format!("scenarios/free-tier-usage/{name}.toml");
    fs::read_to_string(root.join(file)).expect("the scenario is there")
}

fn scenario(text: &str) -> Arc<Scenario> {
    match parse(text) {
        Ok((scenario, warnings)) => {
            let idle = warnings.iter().find(|warning| warning.is_without_effect());
            assert_eq!(idle, None);
            Arc::new(scenario)
        }
        Err(problems) => panic!("{problems:#?}\n{text}"),
    }
}

/// Plays a scenario on so many seeds.
fn play(text: &str, seeds: u64) -> Vec<Played> {
    let explored = explore(&scenario(text), 1..=seeds);
    assert_eq!(explored.nondeterministic, None);
    explored.played
}

/// A text with a part that is in it changed everywhere.
fn with(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part:?} is not in\n{text}");
    text.replace(part, by)
}

fn work(played: &Played) -> Work {
    played.verdict.figures.total
}

/// Where a scenario's expectations say something about a property.
fn place(text: &str, is: impl Fn(Property) -> bool) -> usize {
    let scenario = scenario(text);
    let place = scenario.expectations.iter().position(|expected| is(expected.property));
    place.expect("the scenario expects something about it")
}

fn registrations(text: &str) -> usize {
    place(text, |property| property.measure == Measure::LiveRegistrations)
}

fn at_most(text: &str) -> usize {
    place(text, |property| fires(property, Relation::AtMost))
}

fn at_least(text: &str) -> usize {
    place(text, |property| fires(property, Relation::AtLeast))
}

fn fires(property: Property, relation: Relation) -> bool {
    property.measure == Measure::FiringsPerWindow && property.relation == relation
}

/// The judgement at a place of every seed: whether the property held, and its figure.
fn judged(played: &[Played], place: usize) -> Vec<(bool, Option<u64>)> {
    let judgements = played.iter().map(|played| &played.verdict.judgements[place]);
    judgements.map(|judgement| (judgement.held, judgement.figure)).collect()
}

fn all(seeds: u64, held: bool, figure: u64) -> Vec<(bool, Option<u64>)> {
    (0..seeds).map(|_| (held, Some(figure))).collect()
}

#[test]
fn twelve_containers_run_the_job_twelve_times_on_every_seed() {
    let before = text("before");
    let played = play(&before, SEEDS);
    let incident = Work { executions: 12, firings: 12, rows: 517_788 };
    for played in &played {
        assert_eq!(work(played), incident, "seed {}", played.seed);
        assert_eq!(played.verdict.figures.boots, 12, "seed {}", played.seed);
    }
    assert_eq!(judged(&played, registrations(&before)), all(SEEDS, true, 1));
}

#[test]
fn the_rows_are_those_of_the_file() {
    for rows in [1, 43, 1_000, 43_150, 1_000_000] {
        let changed = with(&text("before"), "rows = 43149", &format!("rows = {rows}"));
        let changed = with(&changed, "batches = 44", "batches = 1");
        for played in play(&changed, 20) {
            assert_eq!((work(&played).executions, work(&played).rows), (12, 12 * rows));
        }
    }
}

#[test]
fn the_containers_are_those_of_the_file() {
    for replicas in [1, 2, 7, 20] {
        let count = format!("replicas = {replicas}");
        let changed = with(&text("before"), "replicas = 12", &count);
        // More of them need more time, one job every thirty seconds.
        let changed = with(&changed, "length = \"20m\"", "length = \"59m\"");
        for played in play(&changed, 20) {
            assert_eq!(work(&played).executions, replicas, "seed {}", played.seed);
        }
    }
}

#[test]
fn no_name_of_the_incident_matters() {
    let names = [
        ("free-tier usage, as found", "a story"),
        ("cloud-free-tier-usage-threshold", "q"),
        ("[schedule.usage]", "[schedule.tide]"),
        ("schedule = \"usage\"", "schedule = \"tide\""),
        ("schedule   = \"usage\"", "schedule = \"tide\""),
        ("[job.usage]", "[job.moon]"),
        ("job     = \"usage\"", "job = \"moon\""),
        ("add = \"usage\"", "add = \"moon\""),
        ("[release.before]", "[release.stone]"),
        ("release  = \"before\"", "release = \"stone\""),
        ("[service.worker]", "[service.shore]"),
        ("replicas = 12", "replicas = 7"),
        ("rows = 43149", "rows = 1234"),
    ];
    let mut shuffled = text("before");
    for (name, other) in names {
        shuffled = with(&shuffled, name, other);
    }
    for line in shuffled.lines().filter(|line| !line.starts_with('#')) {
        assert!(!line.contains("usage") && !line.contains("before"), "{line}");
    }
    let played = play(&shuffled, SEEDS);
    for played in &played {
        let expected = Work { executions: 7, firings: 7, rows: 7 * 1234 };
        assert_eq!(work(played), expected, "seed {}", played.seed);
    }
    assert_eq!(judged(&played, registrations(&shuffled)), all(SEEDS, true, 1));
}

/// F1.
#[test]
fn equal_recurring_adds_make_one_schedule() {
    let text = text("no-bootstrap");
    let played = play(&text, 50);
    assert_eq!(judged(&played, registrations(&text)), all(50, true, 1));
    assert_eq!(judged(&played, at_most(&text)), all(50, true, 1));
    assert_eq!(judged(&played, at_least(&text)), all(50, true, 1));
    assert!(played.iter().all(|played| played.verdict.figures.boots == 24), "twelve, twice");
}

/// F2.
#[test]
fn a_fixed_id_frees_itself() {
    for played in play(&text("job-ids"), SEEDS) {
        let once = Work { executions: 1, firings: 1, rows: 43_149 };
        assert_eq!(work(&played), once, "seed {}", played.seed);
    }
    let slow = text("job-ids-slow-deploy");
    for played in play(&slow, SEEDS) {
        let Work { executions, rows, .. } = work(&played);
        assert!((2..=12).contains(&executions), "{executions} executions");
        assert_eq!(rows, executions * 43_149);
    }
    // With kept jobs it never runs again.
    let kept = with(&slow, "remove_on_complete = true", "remove_on_complete = false");
    assert!(play(&kept, SEEDS).iter().all(|played| work(played).executions == 1));
}

/// F3.
#[test]
fn an_id_on_the_recurring_job_leaves_an_orphan() {
    let text = text("job-ids-upgrade");
    let played = play(&text, 50);
    assert_eq!(judged(&played, registrations(&text)), all(50, false, 2));
    // In every measured window, and not only once.
    let most = judged(&played, at_most(&text));
    let least = judged(&played, at_least(&text));
    assert!(most.iter().all(|(held, most)| !held && *most >= Some(2)), "{most:?}");
    assert!(least.iter().all(|(held, least)| *held && *least >= Some(2)), "{least:?}");
}

/// F4.
#[test]
fn a_kill_between_the_two_round_trips_ends_the_schedule_until_a_boot_heals_it() {
    let text = text("killed-mid-add");
    let played = play(&text, SEEDS);
    assert_eq!(judged(&played, registrations(&text)), all(SEEDS, true, 1), "healed at the end");
    let lost = judged(&played, at_least(&text)).iter().filter(|(held, _)| !held).count();
    assert!((1..SEEDS as usize / 2).contains(&lost), "lost on {lost} of {SEEDS} seeds");
    // The same without the kill, and with the kill and no boot that heals.
    let spared = with(&text, "odds = \"50%\"", "odds = \"0.0001%\"");
    assert!(judged(&play(&spared, 50), at_least(&text)).iter().all(|(held, _)| *held));
    let event = "[[event]]\nat      = \"2h\"\nservice = \"registrar\"\nrestart = true\n";
    let unhealed = with(&text, event, "");
    let unhealed = play(&unhealed, SEEDS);
    let dead = |played: &&Played| {
        let broke = &played.verdict.judgements[registrations(&text)].broke;
        broke
            .as_ref()
            .is_some_and(|broke| matches!(broke.what, Breach::Registrations { dead: 1, .. }))
    };
    assert!(unhealed.iter().filter(dead).count() > 0, "listed, and without an iteration");
}

/// F5.
#[test]
fn a_boot_after_a_tick_deletes_what_is_due() {
    let text = text("boot-after-tick");
    let (start, tick) = (scenario(&text).start, Span::from_secs(3_600));
    let played = play(&text, 50);
    for played in &played {
        let judgement = &played.verdict.judgements[at_least(&text)];
        let broke = judgement.broke.as_ref().and_then(|broke| broke.window);
        let broke = broke.map(|window| window.0);
        assert_eq!(broke, Some(start + tick), "the tick before the boot, seed {}", played.seed);
    }
    assert_eq!(judged(&played, registrations(&text)), all(50, true, 1), "and nothing says so");
    let on_time = with(&text, "boot     = \"61m..64m\"", "boot     = \"58m..59m\"");
    assert_eq!(judged(&play(&on_time, 50), at_least(&text)), all(50, true, 1));
}

/// F6.
#[test]
fn an_upsert_across_a_tick_runs_it_twice() {
    let text = text("upsert-across-tick");
    assert_eq!(judged(&play(&text, 50), at_most(&text)), all(50, false, 2));
    let quick = with(&text, "round_trip = \"1800ms..2s\"", "round_trip = \"1ms..2ms\"");
    assert_eq!(judged(&play(&quick, 50), at_most(&text)), all(50, true, 1));
}

/// The scripts that reached Redis, for each life, in order.
#[derive(Default)]
struct Wire {
    words: Vec<String>,
    sent: BTreeMap<LifeId, Vec<String>>,
}

impl Sink for Wire {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        if let Event::Command { server, label, .. } = event
            && *server == servers::REDIS
        {
            let word = self.words[usize::from(label.0)].clone();
            self.sent.entry(stamp.life).or_default().push(word);
        }
    }
}

#[test]
fn the_bootstrap_reaches_redis_before_the_recurring_adds_two_trips() {
    let scenario = scenario(&text("before"));
    for seed in 1..=50 {
        let words = servers::labels().map(|word| word.to_string()).collect();
        let mut wire = Wire { words, ..Wire::default() };
        run(&scenario, Box::new(Random::new(seed)), false, &mut wire);
        assert_eq!(wire.sent.len(), 12);
        for (life, sent) in wire.sent {
            let adds = ["addStandardJob", "addRepeatableJob", "addDelayedJob"];
            let of_life: Vec<&String> =
                sent.iter().filter(|word| adds.contains(&word.as_str())).take(3).collect();
            assert_eq!(of_life, adds, "life {life:?} of seed {seed}: {sent:?}");
        }
    }
}
