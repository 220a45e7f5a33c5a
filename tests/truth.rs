//! The truth test: the model against what the real library was seen to do on the real Redis, one
//! test for each recorded case.
//!
//! `BOOTRACE_TRUTH` names another directory of cases; the default is `tests/truth/cases`.

#[path = "truth_support/case.rs"]
mod case;
#[path = "truth_support/compare.rs"]
mod compare;
#[path = "truth_support/convert.rs"]
mod convert;
#[path = "truth_support/fold.rs"]
mod fold;
#[path = "truth_support/kill.rs"]
mod kill;
#[path = "truth_support/kinds.rs"]
mod kinds;
#[path = "truth_support/leaves.rs"]
mod leaves;
#[path = "truth_support/observe.rs"]
mod observe;
#[path = "truth_support/words.rs"]
mod words;

use case::Case;
use compare::Comparison;
use convert::{Pace, Played};
use kill::Points;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// How many seeds each case is played on.
const SEEDS: u64 = 50;

/// A quiet host: processes that were started together began within a few milliseconds.
const QUIET: Pace = Pace { lag: (40, 50), worker: (8, 24), step: None, round_trip: (200, 1_000) };

/// How many leaves of which case were compared.
type Tally = Arc<Mutex<BTreeMap<String, usize>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let directory = env::var_os("BOOTRACE_TRUTH").map_or_else(default_directory, PathBuf::from);
    let tally = Tally::default();
    let trials = files(&directory).iter().map(|file| trial(Case::read(file), &tally)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let compared = tally.lock().expect("no test panics while it counts");
    if !arguments.list {
        for (name, leaves) in compared.iter() {
            println!("{leaves:>6} leaves  {name}");
        }
        let (leaves, cases) = (compared.values().sum::<usize>(), compared.len());
        println!("{leaves:>6} leaves of {cases} cases compared, on {SEEDS} seeds each");
    }
    conclusion.exit_code()
}

fn default_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/truth/cases")
}

/// The case files of a directory, in the order of their names.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("a directory can be read to its end").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

/// The test of a case. One that cannot be played fails.
fn trial(case: Case, tally: &Tally) -> Trial {
    let tally = tally.clone();
    Trial::test(case.name.clone(), move || {
        let played = convert::convert(&case, &QUIET).map_err(Failed::from)?;
        let compared = compare(&case, &played);
        let mut tally = tally.lock().expect("no test panics while it counts");
        tally.insert(case.name.clone(), compared.leaves());
        drop(tally);
        compared.verdict(SEEDS).map_err(Failed::from)
    })
}

fn compare(case: &Case, played: &Played) -> Comparison {
    let mut comparison = Comparison::new(case);
    let mut points = Points::new();
    let mut fitting = 0;
    for seed in 0..SEEDS {
        let run = kill::play(played, seed, &mut points);
        let outcome = observe::observe(case, played, &run);
        if same_race(case, &outcome) {
            fitting += 1;
            comparison.add(outcome, seed);
        }
    }
    assert!(fitting > 0, "in none of {SEEDS} seeds did the recorded container win the race");
    comparison
}

/// Whether the containers that won are those of the recording. It matters only where the recording
/// says that all hangs on a race between equal containers.
fn same_race(case: &Case, outcome: &Value) -> bool {
    let raced = case.stability["replacedBatch"]["race"] == true;
    !raced || outcome["executions"]["byContainer"] == case.outcome["executions"]["byContainer"]
}
