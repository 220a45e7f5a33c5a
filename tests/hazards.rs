//! Each story of a hazard on every version of the library: the versions that have the hazard break the
//! story's first expectation, and those that do not keep it.
//!
//! The table of all stories is `scenarios/hazards/README.md`. It is renewed by
//! `BOOTRACE_RENEW_HAZARDS=1 cargo test --test hazards`.

#[path = "support/seeds.rs"]
mod seeds;
mod support;

use bootrace::sim::scenario::parse;
use seeds::{VERSIONS, on, play, wrong};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

const FOLDER: &str = "scenarios/hazards";

/// What the first expectation of a story comes to on 5.34.10, 5.81.5 and 6.7.0, in every seed: broken
/// (`x`), held (`.`), or not judged, since that version has not what the story is about (`-`). As measured
/// on the real library: the hazard's number is in the story.
const HAZARDS: &[(&str, &str)] = &[
    ("boot-after-an-early-tick", "xxx"),
    ("boot-by-a-clock-that-is-behind", "xxx"),
    ("boot-while-the-tick-waits", ".xx"),
    ("boot-while-the-worker-is-busy", "xxx"),
    ("boots-through-a-backlog", ".xx"),
    ("bootstrap-id-aged-out", "xxx"),
    ("bootstrap-id-counted-out", "xxx"),
    ("bootstrap-id-freed", "xxx"),
    ("bootstrap-id-kept", "xxx"),
    ("bootstrap-id-of-a-failed-job", "xxx"),
    ("bootstrap-without-id", "xxx"),
    ("clean-start-by-a-clock-that-is-behind", "xxx"),
    ("cleaned-up-and-registered-by-every-boot", "xxx"),
    ("cleaned-with-the-tick-delayed", "..."),
    ("clock-ahead-skips-ticks", "xxx"),
    ("clock-behind-adds-the-last-tick", "xx-"),
    ("clock-behind-ends-the-schedule", "x.."),
    ("clock-behind-runs-the-tick-again", "xxx"),
    ("closed-while-it-fetches", "x.."),
    ("completed-tick-retried", "..."),
    ("deduplication-of-a-tick", "xxx"),
    ("drained-while-the-tick-waits", "xxx"),
    ("failover-loses-the-last-writes", "xxx"),
    ("fall-back", "xxx"),
    ("fleet-moves-to-a-clock-behind", "xxx"),
    ("id-added-to-a-repeat", "xx-"),
    ("immediate-repeat-added-again", "xx-"),
    ("job-that-kills-its-process", "..."),
    ("keys-under-another-prefix", "xxx"),
    ("killed-after-its-rows", "xxx"),
    ("killed-before-the-next-iteration", "xxx"),
    ("killed-between-clean-up-and-upsert", "xxx"),
    ("killed-between-two-round-trips", "xx-"),
    ("killed-while-it-obliterates", "xxx"),
    ("killed-with-the-marker", "..."),
    ("killed-with-the-next-job-in-flight", "xxx"),
    ("limiter-of-some-workers", "xxx"),
    ("loop-blocked-beyond-the-lock", "xxx"),
    ("obliterated-until-a-boot", "xxx"),
    ("old-name-comes-back", "xxx"),
    ("old-pattern-comes-back", "xxx"),
    ("one-period-many-boots", "x.."),
    ("orphan-after-removal", "x.."),
    ("overdue-period-after-downtime", "..."),
    ("pattern-changed-on-add", "xx-"),
    ("pattern-changed-on-upsert", "..."),
    ("pattern-changed-under-a-key", "..-"),
    ("pattern-due-at-once", "xxx"),
    ("paused-and-registered-at-once", "x.x"),
    ("paused-without-a-boot", "..."),
    ("periods-that-disagree", "xxx"),
    ("promoted-then-cleaned-up", "xxx"),
    ("promoted-then-registered", "xxx"),
    ("redis-comes-back-empty", "xxx"),
    ("registrations-are-evicted", "xxx"),
    ("repeat-added-while-its-tick-runs", "..."),
    ("repeat-on-add-since-6", "..x"),
    ("reply-of-an-add-lost", "xxx"),
    ("run-longer-than-its-period", "xxx"),
    ("same-repeat-from-every-boot", "..x"),
    ("scheduler-beside-the-older-api", "xx."),
    ("scheduler-id-of-many-parts", "..."),
    ("spring-forward", "xxx"),
    ("start-date-of-every-boot", "x.."),
    ("tick-lost-over-downtime", "xxx"),
    ("tick-that-blocks-its-worker", ".xx"),
    ("tick-that-kills-its-process", ".xx"),
    ("upsert-again-with-jobs-removed", "x.."),
    ("upsert-again-within-a-slot", "x.."),
    ("upsert-sent-before-the-tick", "xxx"),
    ("upserts-in-one-slot", "x.."),
    ("winner-of-a-deduplication-lost", "xx."),
    ("worker-ahead-skips-a-tick", "xxx"),
    ("worker-behind-beside-a-right-one", "..."),
    ("worker-behind-is-late", "xxx"),
    ("zones-that-disagree", "xxx"),
];

/// Stories of several versions beside each other, which are played as they are written: whether the
/// first expectation is broken, in every seed.
const MIXED: &[(&str, bool)] = &[
    ("given-up-and-run-by-5-34", true),
    ("newer-versions-side-by-side", false),
    ("older-worker-on-a-newer-schedule", true),
    ("paused-by-two-versions", true),
    ("rollback-that-ends-the-schedule", true),
    ("rolled-back-to-5-34", true),
    ("stalls-that-are-counted-apart", true),
];

fn story(name: &str) -> String {
    let file = support::root().join(FOLDER).join(name).with_extension("toml");
    fs::read_to_string(file).expect("a story")
}

/// What is wrong with a story, if anything is.
fn tried(what: &str, text: &str, expected: char) -> Option<String> {
    let (scenario, _) = parse(text).unwrap_or_else(|bad| panic!("{bad:#?}\n{text}"));
    let found = play(&Arc::new(scenario));
    let silent = found.iter().filter(|one| one.judged == 0).count();
    let expected_silent = if expected == '-' { found.len() } else { 0 };
    let is_silent = || format!("{what}: nothing is judged in {silent} seeds");
    wrong(what, &found, expected == 'x').or_else(|| (silent != expected_silent).then(is_silent))
}

#[test]
fn a_hazard_shows_on_the_versions_that_have_it() {
    let mut all = Vec::new();
    for (name, breaks) in HAZARDS {
        let text = story(name);
        assert_eq!(breaks.len(), VERSIONS.len(), "{name}");
        for (version, breaks) in VERSIONS.into_iter().zip(breaks.chars()) {
            all.extend(tried(&format!("{name} on {version}"), &on(&text, version), breaks));
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn a_hazard_of_a_mixed_fleet_shows_as_it_is_written() {
    let mut all = Vec::new();
    for (name, breaks) in MIXED {
        let text = story(name);
        let seen = VERSIONS.iter().filter(|version| text.contains(&format!("bullmq@{version}\"")));
        assert!(seen.count() >= 2, "{name} is no mixed fleet");
        all.extend(tried(name, &text, if *breaks { 'x' } else { '.' }));
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn every_story_is_in_one_table() {
    let files = support::files(FOLDER, "toml");
    let stories: BTreeSet<String> = files.iter().map(|file| support::named(file)).collect();
    let names = HAZARDS.iter().map(|(name, _)| name).chain(MIXED.iter().map(|(name, _)| name));
    let table: BTreeSet<String> = names.map(|name| format!("{FOLDER}/{name}.toml")).collect();
    assert_eq!(table, stories);
    assert_eq!(HAZARDS.len() + MIXED.len(), table.len(), "a story is in both");
}

/// The number of a story's hazard, as its first sentence has it, and its title.
fn heading(text: &str) -> (&str, &str) {
    let first = text.trim_start_matches("# ").split(". ").next().unwrap_or_default();
    let number = if first.len() < 12 { first } else { "" };
    let value = |line: &'_ str| Some(line.strip_prefix("name")?.split('"').nth(1)?.len());
    let line = text.lines().find(|line| value(line).is_some()).expect("a story has a name");
    (number, line.split('"').nth(1).expect("just seen"))
}

/// The table for readers.
fn page() -> String {
    let mut page = String::from(
        "# Hazards\n\nWhat goes wrong when containers boot, restart and deploy against BullMQ, each as a scenario with a test: on the versions that \
         have the hazard its\nfirst expectation is broken in every seed, on the others it holds in every seed. Checked, and made with \
         `BOOTRACE_RENEW_HAZARDS=1`, by\n`cargo test --test hazards`. Stories without a cross are controls: what looks dangerous, and is not. `–`: that version has not what the\n\
         story is about.\n\n\
         | hazard | story | 5.34.10 | 5.81.5 | 6.7.0 |\n|---|---|:---:|:---:|:---:|\n",
    );
    let cross = |breaks: char| match breaks {
        'x' => "✗",
        '-' => "–",
        _ => "",
    };
    for (name, breaks) in HAZARDS {
        let text = story(name);
        let (number, title) = heading(&text);
        let crosses: Vec<&str> = breaks.chars().map(cross).collect();
        writeln!(page, "| {number} | [{title}]({name}.toml) | {} |", crosses.join(" | "))
            .expect("a string takes all");
    }
    page += "\nWith several versions in one fleet, as the file has them:\n\n| hazard | story | |\n|---|---|:---:|\n";
    for (name, breaks) in MIXED {
        let text = story(name);
        let (number, title) = heading(&text);
        writeln!(
            page,
            "| {number} | [{title}]({name}.toml) | {} |",
            if *breaks { "✗" } else { "" }
        )
        .expect("a string takes all");
    }
    page
}

#[test]
fn the_page_of_hazards_has_every_story() {
    let file: PathBuf = support::root().join(FOLDER).join("README.md");
    if std::env::var_os("BOOTRACE_RENEW_HAZARDS").is_some() {
        fs::write(&file, page()).expect("the page can be written");
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), page());
}
