//! Stories played on versions of the library, with a few seeds: in how many of them the first
//! expectation is broken.

use bootrace::explore::explore;
use bootrace::sim::oracle::Judgement;
use bootrace::sim::scenario::Scenario;
use std::sync::Arc;

/// How many seeds a story is played with, from 1 on.
const SEEDS: u64 = 8;

pub(crate) const VERSIONS: [&str; 3] = ["5.34.10", "5.81.5", "6.7.0"];

/// The story with all its releases on one version.
pub(crate) fn on(text: &str, version: &str) -> String {
    let of = |line: &str| match line.strip_prefix("library = \"bullmq@") {
        Some(_) => format!("library = \"bullmq@{version}\"\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(of).collect()
}

/// What was found of a story's first expectation, with each seed.
pub(crate) fn play(scenario: &Arc<Scenario>) -> Vec<Judgement> {
    let played = explore(scenario, 1..=SEEDS).played;
    played.into_iter().map(|mut one| one.verdict.judgements.swap_remove(0)).collect()
}

/// What is wrong with it: nothing if it is broken in every seed where it should be, and in none
/// where it should not.
pub(crate) fn wrong(what: &str, found: &[Judgement], breaks: bool) -> Option<String> {
    let (broken, all) = (found.iter().filter(|one| !one.held).count(), found.len());
    println!("{what}: broken in {broken} of {all} seeds");
    let (expected, word) = if breaks { (all, "every") } else { (0, "no") };
    let wrong =
        || format!("{what}: broken in {broken} of {all} seeds; it should be in {word} seed");
    (broken != expected).then(wrong)
}
