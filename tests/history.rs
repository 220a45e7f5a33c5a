//! Bugs that people reported, each as a story named after its thread: it is violated with what had
//! the bug and holds with what has not. For bugs of the library these are versions of it; for bugs
//! of programs that use it, their start-up code before and after the fix.

#[path = "support/seeds.rs"]
mod seeds;
mod support;

use bootrace::sim::oracle::Judgement;
use bootrace::sim::scenario::parse;
use seeds::{VERSIONS, on, play};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

const FOLDER: &str = "scenarios/history";

/// On which of 5.34.10, 5.81.5 and 6.7.0 the first expectation of a story is broken, in every seed. As
/// measured on the real library, with its times scaled down.
const LIBRARY: [(&str, [bool; 3]); 20] = [
    ("bull-2565", [true, true, true]),
    ("bull-666", [true, false, false]),
    ("bullmq-2790", [true, false, false]),
    ("bullmq-2876", [true, false, false]),
    ("bullmq-2954", [true, false, false]),
    ("bullmq-3045", [true, false, false]),
    ("bullmq-3048", [true, false, false]),
    ("bullmq-3063", [true, false, false]),
    ("bullmq-3085", [true, false, false]),
    ("bullmq-3091", [true, false, false]),
    ("bullmq-3197", [true, false, false]),
    ("bullmq-3232", [true, false, false]),
    ("bullmq-3250", [true, false, false]),
    ("bullmq-3262", [true, false, false]),
    ("bullmq-3272", [true, false, false]),
    ("bullmq-3381", [true, false, false]),
    ("bullmq-3427", [true, false, false]),
    ("bullmq-3430", [true, false, false]),
    ("bullmq-4311", [true, true, false]),
    ("sourcebot-1427", [true, false, false]),
];

/// Of each of these the file `-broken` breaks its first expectation in every seed, and the file
/// `-fixed` keeps its own in every seed: the versions are those that the files name.
const PROGRAMS: [&str; 20] = [
    "bob-257",
    "bull-1189",
    "bull-1989",
    "bull-308",
    "bullmq-1318",
    "bullmq-1337",
    "bullmq-2744",
    "bullmq-453",
    "celery-2856",
    "formbricks-8765",
    "langfuse-13239",
    "langfuse-14282",
    "langfuse-16183",
    "langfuse-16223",
    "langfuse-5074",
    "langfuse-9553",
    "open-mercato-3716",
    "redbeat-50",
    "sidekiq-cron-81",
    "twenty-22514",
];

fn file(name: &str) -> PathBuf {
    support::root().join(FOLDER).join(name).with_extension("toml")
}

/// What is wrong with a story. One in which nothing is judged shows neither the bug nor the fix.
fn wrong(what: &str, found: &[Judgement], breaks: bool) -> Option<String> {
    let silent = found.iter().filter(|one| one.judged == 0).count();
    let says_nothing = || format!("{what}: nothing is judged in {silent} seeds");
    seeds::wrong(what, found, breaks).or_else(|| (silent > 0).then(says_nothing))
}

#[test]
fn a_bug_of_the_library_shows_on_the_versions_that_have_it() {
    let mut all = Vec::new();
    for (name, breaks) in LIBRARY {
        let text = fs::read_to_string(file(name)).expect("a story");
        for (version, breaks) in VERSIONS.into_iter().zip(breaks) {
            let text = on(&text, version);
            let (scenario, _) = parse(&text).unwrap_or_else(|bad| panic!("{bad:#?}\n{text}"));
            all.extend(wrong(&format!("{name} on {version}"), &play(&Arc::new(scenario)), breaks));
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn a_bug_of_a_program_is_gone_with_its_fix() {
    let mut all = Vec::new();
    for name in PROGRAMS {
        for (part, breaks) in [("broken", true), ("fixed", false)] {
            let name = format!("{name}-{part}");
            let loaded = bootrace::load::load(&file(&name)).unwrap_or_else(|bad| panic!("{bad}"));
            all.extend(wrong(&name, &play(&loaded.scenario), breaks));
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn a_fix_is_judged_as_the_bug_was() {
    for name in PROGRAMS {
        let first = |part: &str| {
            let path = file(&format!("{name}-{part}"));
            let loaded = bootrace::load::load(&path).unwrap_or_else(|bad| panic!("{bad}"));
            loaded.scenario.expectations[0].property
        };
        assert_eq!(first("broken"), first("fixed"), "{name}");
    }
}

#[test]
fn every_story_is_in_a_table() {
    let stories: BTreeSet<String> =
        support::files(FOLDER, "toml").iter().map(|file| support::named(file)).collect();
    let library = LIBRARY.iter().map(|(name, _)| format!("{FOLDER}/{name}.toml"));
    let programs = PROGRAMS
        .iter()
        .flat_map(|name| ["broken", "fixed"].map(|part| format!("{FOLDER}/{name}-{part}.toml")));
    let table: BTreeSet<String> = library.chain(programs).collect();
    assert_eq!(table, stories);
}
