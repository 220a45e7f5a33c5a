//! The hashes of a thousand runs, over every event of each, as they were when they were written down:
//! seeds are promises. Whoever changes what an existing scenario does for its seeds sees it here.
//!
//! `BOOTRACE_RENEW_GOLDEN=1` writes them anew. `BOOTRACE_BINARY=PATH` asks that program instead of
//! the library: the one that users have was built with other optimisations.

mod support;

use bootrace::explore::play;
use bootrace::load::load;
use rayon::prelude::*;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const RUNS: usize = 1_000;

/// One run: a scenario's file, and a seed.
type Run = (PathBuf, u64);

/// The runs, scenario by scenario: each has so many seeds, and the first ones have one more.
fn runs() -> Vec<Run> {
    let files = support::files("scenarios", "toml");
    let (each, more) = (RUNS / files.len(), RUNS % files.len());
    let seeds = |place: usize| 1..=(each + usize::from(place < more)) as u64;
    let of = |(place, file): (usize, PathBuf)| seeds(place).map(move |seed| (file.clone(), seed));
    files.into_iter().enumerate().flat_map(of).collect()
}

fn hash((file, seed): &Run) -> u64 {
    match std::env::var_os("BOOTRACE_BINARY") {
        Some(binary) => hash_of_binary(Path::new(&binary), file, *seed),
        None => play(&load(file).expect("it is a scenario").scenario, *seed).hash,
    }
}

/// A replay's last line ends in it.
fn hash_of_binary(binary: &Path, file: &Path, seed: u64) -> u64 {
    let output = Command::new(support::root().join(binary))
        .args([Path::new("replay"), file, Path::new("--seed"), Path::new(&seed.to_string())])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let told = String::from_utf8(output.stdout).expect("it is text");
    let hash = told.trim_end().rsplit(' ').next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
    hash.unwrap_or_else(|| panic!("{} seed {seed}: {:?}", file.display(), output.status))
}

/// A line for each scenario, and under it one for each of its seeds.
fn text(runs: &[Run], hashes: &[u64]) -> String {
    let mut text = String::new();
    for ((file, seed), hash) in runs.iter().zip(hashes) {
        if *seed == 1 {
            let _ = writeln!(text, "{}", support::named(file));
        }
        let _ = writeln!(text, "{hash:016x}");
    }
    text
}

/// What was written down about a run.
fn written<'a>(text: &'a str, (file, seed): &Run) -> Option<&'a str> {
    let name = support::named(file);
    let below = text.lines().skip_while(|line| *line != name).skip(1);
    below.take_while(|line| !line.ends_with(".toml")).nth(usize::try_from(*seed - 1).ok()?)
}

/// What a failure says: the first run that moved, and how to see why.
fn moved(runs: &[Run], hashes: &[u64], golden: &str) -> Option<String> {
    let differ = |(run, hash): &(&Run, &u64)| written(golden, run) != Some(&format!("{hash:016x}"));
    let moved: Vec<_> = runs.iter().zip(hashes).filter(differ).collect();
    let ((file, seed), hash) = moved.first()?;
    let (name, count) = (support::named(file), moved.len());
    let was = written(golden, &(file.clone(), *seed)).unwrap_or("nothing written down");
    Some(format!(
        "{count} of {RUNS} runs are not what they were. The first is seed {seed} of {name}: \
         {was} before, {hash:016x} now.\n\
         What moved is the first line that differs of this, here and before the change:\n  \
         bootrace replay {name} --seed {seed} --events\n\
         If it is meant, say in CHANGELOG.md that seeds mean something else, and renew:\n  \
         BOOTRACE_RENEW_GOLDEN=1 cargo test --test golden"
    ))
}

#[test]
fn a_thousand_runs_are_what_they_were() {
    let (runs, path) = (runs(), support::root().join("tests/golden/hashes.txt"));
    assert_eq!(runs.len(), RUNS);
    let hashes: Vec<u64> = runs.par_iter().map(hash).collect();
    let text = text(&runs, &hashes);
    if std::env::var_os("BOOTRACE_RENEW_GOLDEN").is_some() {
        fs::write(&path, &text).expect("it can be written");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if let Some(moved) = moved(&runs, &hashes, &golden) {
        panic!("{moved}");
    }
    assert!(golden == text, "hashes of scenarios that are gone: renew them");
}

#[test]
fn the_first_run_that_moved_is_named() {
    let file = |name: &str| support::root().join(name);
    let runs = vec![(file("a.toml"), 1), (file("a.toml"), 2), (file("b.toml"), 1)];
    let golden = text(&runs, &[1, 2, 3]);
    assert_eq!(golden.lines().count(), 5);
    assert_eq!(moved(&runs, &[1, 2, 3], &golden), None);
    let said = moved(&runs, &[1, 7, 8], &golden).expect("two moved");
    assert!(said.starts_with("2 of 1000 runs"), "{said}");
    assert!(said.contains("seed 2 of a.toml: 0000000000000002 before, 0000000000000007 now"));
    assert!(said.contains("bootrace replay a.toml --seed 2 --events"), "{said}");
    // Another scenario's hash is not taken for a seed's that has none.
    let more = vec![(file("a.toml"), 3)];
    let said = moved(&more, &[3], &golden).expect("it is new");
    assert!(said.contains("nothing written down before"), "{said}");
}
