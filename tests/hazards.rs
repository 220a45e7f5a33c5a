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
const HAZARDS: [(&str, [bool; 3]); 45] = [
    ("boot-after-an-early-tick", [true, true, true]),
    ("bootstrap-id-aged-out", [true, true, true]),
    ("bootstrap-id-counted-out", [true, true, true]),
    ("bootstrap-id-freed", [true, true, true]),
    ("bootstrap-id-kept", [true, true, true]),
    ("bootstrap-id-of-a-failed-job", [true, true, true]),
    ("bootstrap-without-id", [true, true, true]),
    ("clock-ahead-skips-ticks", [true, true, true]),
    ("clock-behind-adds-the-last-tick", [true, true, false]),
    ("clock-behind-ends-the-schedule", [true, false, false]),
    ("clock-behind-runs-the-tick-again", [true, true, true]),
    ("closed-while-it-fetches", [true, false, false]),
    ("failover-loses-the-last-writes", [true, true, true]),
    ("fleet-moves-to-a-clock-behind", [true, true, true]),
    ("id-added-to-a-repeat", [true, true, false]),
    ("immediate-repeat-added-again", [true, true, false]),
    ("job-that-kills-its-process", [false, false, false]),
    ("killed-after-its-rows", [true, true, true]),
    ("killed-between-two-round-trips", [true, true, false]),
    ("killed-while-it-obliterates", [true, true, true]),
    ("killed-with-the-marker", [false, false, false]),
    ("killed-with-the-next-job-in-flight", [true, true, true]),
    ("loop-blocked-beyond-the-lock", [true, true, true]),
    ("pattern-changed-on-add", [true, true, false]),
    ("pattern-changed-on-upsert", [false, false, false]),
    ("pattern-changed-under-a-key", [false, false, false]),
    ("paused-and-registered-at-once", [true, false, true]),
    ("periods-that-disagree", [true, true, true]),
    ("promoted-then-registered", [true, true, true]),
    ("redis-comes-back-empty", [true, true, true]),
    ("registrations-are-evicted", [true, true, true]),
    ("repeat-added-while-its-tick-runs", [false, false, false]),
    ("repeat-on-add-since-6", [false, false, true]),
    ("reply-of-an-add-lost", [true, true, true]),
    ("run-longer-than-its-period", [true, true, true]),
    ("same-repeat-from-every-boot", [false, false, true]),
    ("scheduler-beside-the-older-api", [true, true, false]),
    ("tick-lost-over-downtime", [true, true, true]),
    ("tick-that-kills-its-process", [false, true, true]),
    ("upsert-again-with-jobs-removed", [true, false, false]),
    ("upsert-again-within-a-slot", [true, false, false]),
    ("upserts-in-one-slot", [true, false, false]),
    ("worker-ahead-skips-a-tick", [true, true, true]),
    ("worker-behind-beside-a-right-one", [false, false, false]),
    ("worker-behind-is-late", [true, true, true]),
];

/// Stories of two versions beside each other, which are played as they are written: whether the first
/// expectation is broken, in every seed.
const MIXED: [(&str, bool); 6] = [
    ("given-up-and-run-by-5-34", true),
    ("older-worker-on-a-newer-schedule", true),
    ("paused-by-two-versions", true),
    ("rollback-that-ends-the-schedule", true),
    ("rolled-back-to-5-34", true),
    ("stalls-that-are-counted-apart", true),
];

const VERSIONS: [&str; 3] = ["5.34.10", "5.81.5", "6.7.0"];

fn story(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/hazards");
    fs::read_to_string(folder.join(name).with_extension("toml")).expect("a story")
}

/// In how many seeds an expectation is broken.
fn expected(breaks: bool) -> usize {
    if breaks { SEEDS as usize } else { 0 }
}

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

#[test]
fn a_hazard_shows_on_the_versions_that_have_it() {
    let mut wrong = Vec::new();
    for (name, breaks) in HAZARDS {
        let text = story(name);
        for (version, breaks) in VERSIONS.into_iter().zip(breaks) {
            let found = broken(&on(&text, version));
            println!("{name} on {version}: broken in {found} of {SEEDS} seeds");
            if found != expected(breaks) {
                wrong.push(format!("{name} on {version}: {found} of {SEEDS}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_hazard_of_two_versions_shows_as_it_is_written() {
    for (name, breaks) in MIXED {
        let text = story(name);
        let version = |line: &str| Some(line.strip_prefix("library = ")?.to_string());
        let versions: BTreeSet<String> = text.lines().filter_map(version).collect();
        assert!(versions.len() > 1, "{name} has one version: {versions:?}");
        assert_eq!(broken(&text), expected(breaks), "{name}");
    }
}

#[test]
fn every_story_is_in_the_table() {
    let files = support::files("scenarios/hazards", "toml");
    let stories: BTreeSet<String> = files.iter().map(|file| support::named(file)).collect();
    let names = HAZARDS.iter().map(|(name, _)| name).chain(MIXED.iter().map(|(name, _)| name));
    let table: BTreeSet<String> =
        names.map(|name| format!("scenarios/hazards/{name}.toml")).collect();
    assert_eq!(table, stories);
}
