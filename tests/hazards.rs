//! Each story of a hazard on every version of the library: the versions that have the hazard break the
//! story's first expectation, and those that do not keep it.

#[path = "support/seeds.rs"]
mod seeds;
mod support;

use bootrace::sim::scenario::parse;
use seeds::{VERSIONS, on, play, wrong};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// On which of 5.34.10, 5.81.5 and 6.7.0 the first expectation of a story is broken, in every seed. As
/// measured on the real library: the hazard's number is in the story.
const HAZARDS: [(&str, [bool; 3]); 15] = [
    ("bootstrap-id-freed", [true, true, true]),
    ("bootstrap-id-kept", [true, true, true]),
    ("bootstrap-without-id", [true, true, true]),
    ("failover-loses-the-last-writes", [true, true, true]),
    ("paused-and-registered-at-once", [true, false, true]),
    ("periods-that-disagree", [true, true, true]),
    ("promoted-then-registered", [true, true, true]),
    ("redis-comes-back-empty", [true, true, true]),
    ("registrations-are-evicted", [true, true, true]),
    ("repeat-on-add-since-6", [false, false, true]),
    ("reply-of-an-add-lost", [true, true, true]),
    ("scheduler-beside-the-older-api", [true, true, false]),
    ("tick-lost-over-downtime", [true, true, true]),
    ("tick-that-kills-its-process", [false, true, true]),
    ("upserts-in-one-slot", [true, false, false]),
];

#[test]
fn a_hazard_shows_on_the_versions_that_have_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/hazards");
    let mut all = Vec::new();
    for (name, breaks) in HAZARDS {
        let text = fs::read_to_string(folder.join(name).with_extension("toml")).expect("a story");
        for (version, breaks) in VERSIONS.into_iter().zip(breaks) {
            let text = on(&text, version);
            let (scenario, _) = parse(&text).unwrap_or_else(|bad| panic!("{bad:#?}\n{text}"));
            let found = play(&Arc::new(scenario));
            all.extend(wrong(&format!("{name} on {version}"), &found, breaks));
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn every_story_is_in_the_table() {
    let files = support::files("scenarios/hazards", "toml");
    let stories: BTreeSet<String> = files.iter().map(|file| support::named(file)).collect();
    let table = HAZARDS.iter().map(|(name, _)| format!("scenarios/hazards/{name}.toml"));
    let table: BTreeSet<String> = table.collect();
    assert_eq!(table, stories);
}
