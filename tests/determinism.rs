//! A run is a function of its scenario and its tape: the same seed is the same run, to the event,
//! and so is its tape. A difference between two equal runs is reported and counts for nothing less
//! than itself.

mod support;

use bootrace::cli::Exit;
use bootrace::determinism::Difference;
use bootrace::explore::{Exploration, explore, play};
use bootrace::load::load;
use bootrace::report::{Report, Verdict, text};
use bootrace::sim::choices::Policy;
use bootrace::sim::event::{Event, Stamp};
use bootrace::sim::policy::{Random, Replay};
use bootrace::sim::scenario::Scenario;
use bootrace::sim::{Outcome, run};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

type Events = Vec<(Stamp, Event)>;

fn scenario(file: &Path) -> Arc<Scenario> {
    load(file).unwrap_or_else(|error| panic!("{}: {error:?}", file.display())).scenario
}

fn kept(scenario: &Arc<Scenario>, policy: impl Policy + 'static) -> (Outcome, Events) {
    let mut events = Vec::new();
    let outcome = run(scenario, Box::new(policy), true, &mut events);
    (outcome, events)
}

/// The first place at which two runs differ, so that a failure does not print all of them.
fn difference(one: &Events, other: &Events) -> Option<String> {
    let place = (0..one.len().max(other.len())).find(|&at| one.get(at) != other.get(at))?;
    Some(format!("event {place}: {:?}, {:?}", one.get(place), other.get(place)))
}

#[test]
fn one_seed_is_one_run_and_so_is_its_tape() {
    for file in support::files("scenarios", "toml") {
        let (name, scenario) = (support::named(&file), scenario(&file));
        for seed in 1..=5 {
            let (once, events) = kept(&scenario, Random::new(seed));
            let (again, others) = kept(&scenario, Random::new(seed));
            assert_eq!(difference(&events, &others), None, "{name}, seed {seed}");
            assert_eq!((once.hash, &once.verdict), (again.hash, &again.verdict));
            assert!(once.tape == again.tape && once.lives == again.lives, "{name}, seed {seed}");
            assert_eq!(once.events, events.len() as u64);

            let (replayed, others) = kept(&scenario, Replay::new(once.tape.clone()));
            assert_eq!(replayed.diverged, None, "{name}, seed {seed}");
            assert_eq!(difference(&events, &others), None, "the replay of {name}, seed {seed}");
            assert_eq!((once.hash, &once.verdict), (replayed.hash, &replayed.verdict));
            assert!(once.tape == replayed.tape, "the replay of {name}, seed {seed}");
        }
    }
}

/// Some stories leave so little open that two seeds give the same answers, or answers of which
/// nothing comes.
#[test]
fn another_seed_is_another_run() {
    let files = support::files("scenarios", "toml");
    let mut all_differ = 0;
    for file in &files {
        let scenario = scenario(file);
        let played = (1..=5).map(|seed| kept(&scenario, Random::new(seed)).0);
        let runs: BTreeSet<(String, u64)> =
            played.map(|one| (format!("{:?}", one.tape), one.hash)).collect();
        let tapes: BTreeSet<&str> = runs.iter().map(|(tape, _)| &**tape).collect();
        assert_eq!(tapes.len(), runs.len(), "{}: one tape is two runs", file.display());
        let hashes: BTreeSet<u64> = runs.iter().map(|(_, hash)| *hash).collect();
        all_differ += usize::from(hashes.len() == 5);
    }
    assert!(all_differ * 10 >= files.len() * 9, "{all_differ} of {}", files.len());
}

#[test]
fn a_tape_of_another_run_is_refused() {
    let files = support::files("scenarios", "toml");
    let (before, window_id) = (&files[1], files.last().expect("there are some"));
    let tape = kept(&scenario(before), Random::new(1)).0.tape;
    let diverged = kept(&scenario(window_id), Replay::new(tape)).0.diverged;
    assert!(diverged.is_some(), "it answered the questions of another scenario");
}

#[test]
fn what_is_kept_of_a_run_changes_nothing_in_it() {
    let scenario = scenario(&support::files("scenarios", "toml")[1]);
    for seed in 1..=5 {
        let kept = kept(&scenario, Random::new(seed)).0;
        let bare = run(&scenario, Box::new(Random::new(seed)), false, &mut ());
        assert_eq!((kept.hash, kept.events, kept.asked), (bare.hash, bare.events, bare.asked));
        assert_eq!(bare.tape.choices.len(), 0);
        assert_eq!(kept.tape.choices.len() as u64, kept.asked);
        assert_eq!(play(&scenario, seed).hash, kept.hash);
    }
}

#[test]
fn threads_do_not_mix_the_seeds() {
    let scenario = scenario(&support::files("scenarios", "toml")[1]);
    let explored = explore(&scenario, 3..=40);
    assert_eq!(explored.nondeterministic, None);
    let alone: Vec<_> = (3..=40).map(|seed| play(&scenario, seed)).collect();
    assert_eq!(explored.played, alone);
}

/// Nothing that a scenario can say reads a wall clock or a hidden generator, so the difference that
/// they would make is made here by hand; `tests/leaks.rs` has containers in code that do.
#[test]
fn two_runs_of_one_seed_that_differ_are_the_result() {
    let scenario = scenario(&support::files("scenarios", "toml")[1]);
    let mut exploration = explore(&scenario, 1..=3);
    let once = Some("01-05 00:00:01.000  worker-1.1    -> SET".to_owned());
    let difference = Difference { event: 1, after: None, once, again: None, hashes: (1, 2) };
    exploration.nondeterministic = Some(difference);
    let report = Report::new("file", "", &scenario, &exploration);
    assert_eq!(report.verdict, Verdict::Nondeterministic);
    assert_eq!(Exit::from(report.verdict) as u8, 4);
    assert!(text::run(&report).contains("NONDETERMINISTIC"));
    let without = Exploration { nondeterministic: None, ..exploration };
    assert_eq!(Report::new("file", "", &scenario, &without).verdict, Verdict::AsDeclared);
}
