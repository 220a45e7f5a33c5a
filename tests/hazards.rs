//! Each story of a hazard on every version of the library: the versions that have the hazard break the
//! story's first expectation, and those that do not keep it.

mod support;

use bootrace::explore::explore;
use bootrace::sim::scenario::parse;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const SEEDS: u64 = 20;

/// On which of 5.34.10, 5.81.5 and 6.7.0 the first expectation of a story is broken, in every seed. As
/// measured on the real library: the hazard's number is in the story.
const HAZARDS: [(&str, [bool; 3]); 49] = [
    ("boot-by-a-clock-that-is-behind", [true, true, true]),
    ("boot-while-the-tick-waits", [false, true, true]),
    ("boot-while-the-worker-is-busy", [true, true, true]),
    ("boots-through-a-backlog", [false, true, true]),
    ("bootstrap-id-freed", [true, true, true]),
    ("bootstrap-id-kept", [true, true, true]),
    ("bootstrap-without-id", [true, true, true]),
    ("clean-start-by-a-clock-that-is-behind", [true, true, true]),
    ("cleaned-up-and-registered-by-every-boot", [true, true, true]),
    ("cleaned-with-the-tick-delayed", [false, false, false]),
    ("completed-tick-retried", [false, false, false]),
    ("deduplication-of-a-tick", [true, true, true]),
    ("drained-while-the-tick-waits", [true, true, true]),
    ("failover-loses-the-last-writes", [true, true, true]),
    ("fall-back", [true, true, true]),
    ("keys-under-another-prefix", [true, true, true]),
    ("killed-before-the-next-iteration", [true, true, true]),
    ("killed-between-clean-up-and-upsert", [true, true, true]),
    ("killed-between-the-round-trips", [true, true, false]),
    ("limiter-of-some-workers", [true, true, true]),
    ("obliterated-until-a-boot", [true, true, true]),
    ("old-name-comes-back", [true, true, true]),
    ("old-pattern-comes-back", [true, true, true]),
    ("older-api-with-a-job-id", [true, true, false]),
    ("older-period-due-at-once", [true, true, false]),
    ("one-period-many-boots", [true, false, false]),
    ("orphan-after-removal", [true, false, false]),
    ("overdue-period-after-downtime", [false, false, false]),
    ("pattern-due-at-once", [true, true, true]),
    ("paused-and-registered-at-once", [true, false, true]),
    ("paused-without-a-boot", [false, false, false]),
    ("periods-that-disagree", [true, true, true]),
    ("promoted-then-cleaned-up", [true, true, true]),
    ("promoted-then-registered", [true, true, true]),
    ("redis-comes-back-empty", [true, true, true]),
    ("registrations-are-evicted", [true, true, true]),
    ("repeat-on-add-since-6", [false, false, true]),
    ("reply-of-an-add-lost", [true, true, true]),
    ("scheduler-beside-the-older-api", [true, true, false]),
    ("scheduler-id-of-many-parts", [false, false, false]),
    ("spring-forward", [true, true, true]),
    ("start-date-of-every-boot", [true, false, false]),
    ("tick-lost-over-downtime", [true, true, true]),
    ("tick-that-blocks-its-worker", [false, true, true]),
    ("tick-that-kills-its-process", [false, true, true]),
    ("upsert-sent-before-the-tick", [true, true, true]),
    ("upserts-in-one-slot", [true, false, false]),
    ("winner-of-a-deduplication-lost", [true, true, false]),
    ("zones-that-disagree", [true, true, true]),
];

/// Stories of fleets with several versions, as they are written: whether the first expectation is
/// broken, in every seed.
const MIXED: [(&str, bool); 1] = [("newer-versions-side-by-side", false)];

const VERSIONS: [&str; 3] = ["5.34.10", "5.81.5", "6.7.0"];

/// The story with all its releases on one version.
fn on(text: &str, version: &str) -> String {
    let of = |line: &str| match line.strip_prefix("library = \"bullmq@") {
        Some(_) => format!("library = \"bullmq@{version}\"\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(of).collect()
}

fn broken(text: &str) -> usize {
    let (scenario, _) = parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let played = explore(&Arc::new(scenario), 1..=SEEDS).played;
    played.iter().filter(|one| !one.verdict.judgements[0].held).count()
}

fn story(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/hazards");
    fs::read_to_string(folder.join(name).with_extension("toml")).expect("a story")
}

#[test]
fn a_hazard_shows_on_the_versions_that_have_it() {
    let mut wrong = Vec::new();
    for (name, breaks) in HAZARDS {
        let text = story(name);
        for (version, breaks) in VERSIONS.into_iter().zip(breaks) {
            let found = broken(&on(&text, version));
            println!("{name} on {version}: broken in {found} of {SEEDS} seeds");
            if found != if breaks { SEEDS as usize } else { 0 } {
                wrong.push(format!("{name} on {version}: {found} of {SEEDS}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_mixed_fleet_breaks_what_it_breaks() {
    for (name, breaks) in MIXED {
        let text = story(name);
        let seen = VERSIONS.iter().filter(|version| text.contains(&format!("bullmq@{version}\"")));
        assert!(seen.count() >= 2, "{name} is no mixed fleet");
        assert_eq!(broken(&text), if breaks { SEEDS as usize } else { 0 }, "{name}");
    }
}

#[test]
fn every_story_is_in_one_table() {
    let files = support::files("scenarios/hazards", "toml");
    let stories: BTreeSet<String> = files.iter().map(|file| support::named(file)).collect();
    let names = HAZARDS.iter().map(|(name, _)| name).chain(MIXED.iter().map(|(name, _)| name));
    let table = names.map(|name| format!("scenarios/hazards/{name}.toml"));
    let table: BTreeSet<String> = table.collect();
    assert_eq!(table, stories);
    assert_eq!(HAZARDS.len() + MIXED.len(), table.len(), "a story is in both");
}
