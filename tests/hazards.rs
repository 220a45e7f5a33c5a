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

/// On which of 5.34.10, 5.81.5 and 6.7.0 the first expectation of a story is broken, in every seed. As
/// measured on the real library: the hazard's number is in the story.
const HAZARDS: &[(&str, [bool; 3])] = &[
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
    ("limiter-of-some-workers", [true, true, true]),
    ("obliterated-until-a-boot", [true, true, true]),
    ("old-name-comes-back", [true, true, true]),
    ("old-pattern-comes-back", [true, true, true]),
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

/// Stories of several versions beside each other, which are played as they are written: whether the
/// first expectation is broken, in every seed.
const MIXED: &[(&str, bool)] = &[];

fn story(name: &str) -> String {
    let file = support::root().join(FOLDER).join(name).with_extension("toml");
    fs::read_to_string(file).expect("a story")
}

/// What is wrong with a story, if anything is.
fn tried(what: &str, text: &str, breaks: bool) -> Option<String> {
    let (scenario, _) = parse(text).unwrap_or_else(|bad| panic!("{bad:#?}\n{text}"));
    wrong(what, &play(&Arc::new(scenario)), breaks)
}

#[test]
fn a_hazard_shows_on_the_versions_that_have_it() {
    let mut all = Vec::new();
    for (name, breaks) in HAZARDS {
        let text = story(name);
        for (version, breaks) in VERSIONS.into_iter().zip(*breaks) {
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
        all.extend(tried(name, &text, *breaks));
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
         `BOOTRACE_RENEW_HAZARDS=1`, by\n`cargo test --test hazards`. Stories without a cross are controls: what looks dangerous, and is not.\n\n\
         | hazard | story | 5.34.10 | 5.81.5 | 6.7.0 |\n|---|---|:---:|:---:|:---:|\n",
    );
    let cross = |breaks: bool| if breaks { "✗" } else { "" };
    for (name, breaks) in HAZARDS {
        let text = story(name);
        let (number, title) = heading(&text);
        let [old, newer, newest] = breaks.map(cross);
        writeln!(page, "| {number} | [{title}]({name}.toml) | {old} | {newer} | {newest} |")
            .expect("a string takes all");
    }
    page += "\nWith several versions in one fleet, as the file has them:\n\n| hazard | story | |\n|---|---|:---:|\n";
    for (name, breaks) in MIXED {
        let text = story(name);
        let (number, title) = heading(&text);
        writeln!(page, "| {number} | [{title}]({name}.toml) | {} |", cross(*breaks))
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
