//! Threads in which people reported that a job ran twice, never or for ever: each mechanism is shown by a
//! scenario, or by a program against Redis, or it is said why it is not.
//!
//! The table is `tests/threads/TABLE.md`; `BOOTRACE_RENEW_THREADS=1 cargo test --test threads` writes it anew.

#[path = "threads/programs.rs"]
mod programs;
#[path = "threads/rows.rs"]
mod rows;

use bootrace::explore::explore;
use bootrace::load::load;
use bootrace::report::{Expected, Report, Unit};
use bootrace::sim::oracle::Judgement;
use bootrace::sim::scenario::{Scenario, Version, parse};
use bootrace::{Explore, fleet::Status};
use programs::Program;
use rows::ROWS;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How many seeds each is played with: a story breaks in every one of them.
const SEEDS: u64 = 3;
/// A program's race may need more.
const SEEDS_OF_PROGRAM: u64 = 20;
/// How many rows must be shown, of all.
const LEAST: usize = 40;

/// A thread, or several about one thing.
pub(crate) struct Row {
    /// Its number in the list that was drawn up before any of this was built.
    number: usize,
    threads: &'static str,
    /// What happens there, in a few words.
    mechanism: &'static str,
    shown: Shown,
}

/// What shows it.
pub(crate) enum Shown {
    /// A story below `scenarios`, whose expectation of that number (from 1) is broken in every seed.
    Story(&'static str, usize),
    /// A program that breaks its property, and keeps it when it is mended.
    Program(&'static str, Program),
    /// Nothing: why.
    No(&'static str),
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scenario(file: &str) -> Arc<Scenario> {
    let path = root().join("scenarios").join(file).with_extension("toml");
    load(&path).unwrap_or_else(|error| panic!("{error}")).scenario
}

/// The versions that a scenario's releases use, in order.
fn versions(scenario: &Scenario) -> String {
    let used: BTreeSet<Version> = scenario.releases.iter().map(|one| one.library).collect();
    used.into_iter().map(|version| version.number()).collect::<Vec<_>>().join(", ")
}

/// What shows a row, what it breaks and on which version; or what is wrong with that.
fn tried(row: &Row) -> Result<[String; 3], String> {
    match &row.shown {
        Shown::Story(file, place) => story(file, place - 1),
        Shown::Program(name, program) => raced(name, *program),
        Shown::No(why) => Ok([format!("not shown: {why}"), String::new(), String::new()]),
    }
}

fn story(file: &str, place: usize) -> Result<[String; 3], String> {
    let scenario = scenario(file);
    let exploration = explore(&scenario, 1..=SEEDS);
    let broken = |judgement: &Judgement| judgement.judged > 0 && !judgement.held;
    let mut played = exploration.played.iter();
    if !played.all(|one| broken(&one.verdict.judgements[place])) {
        return Err(format!("{file} does not break its expectation {} in every seed", place + 1));
    }
    let breaks = breaks(&Report::new(file, "", &scenario, &exploration).expectations[place]);
    let shown = format!("[{file}](../../scenarios/{file}.toml)");
    Ok([shown, breaks, versions(&scenario)])
}

/// An expectation in words.
fn breaks(expected: &Expected) -> String {
    let bound = match expected.unit {
        Unit::Count => expected.bound.to_string(),
        Unit::Nanos => format!("{:?}", Duration::from_nanos(expected.bound)),
    };
    format!("{} {} {} {bound}", expected.kind, expected.property, expected.relation)
}

fn raced(name: &str, program: Program) -> Result<[String; 3], String> {
    let play = |fixed| Explore::new(&program(fixed)).seeds(1..=SEEDS_OF_PROGRAM).run();
    let (broken, mended) = (play(false), play(true));
    let [property] = &broken.properties[..] else { return Err(format!("{name}: one property")) };
    if property.status() != Status::Violated {
        return Err(format!("{name} does not break: {broken}"));
    }
    let still = mended.properties.iter().find(|one| one.status() != Status::Held);
    if still.is_some() {
        return Err(format!("{name} is broken when it is mended: {mended}"));
    }
    let shown = format!("[`{name}`](programs.rs)");
    Ok([shown, property.name.clone(), "none".to_owned()])
}

#[test]
fn every_thread_is_shown_or_it_is_said_why_not() {
    let numbers: Vec<usize> = ROWS.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=52).collect::<Vec<_>>());
    let shown = ROWS.iter().filter(|row| !matches!(row.shown, Shown::No(_))).count();
    assert!(shown >= LEAST, "{shown}");
    let readme = fs::read_to_string(root().join("README.md")).expect("it is there");
    assert!(readme.contains(&format!("[{shown} are shown]")), "the README says another number");
    let tried: Vec<_> = ROWS.iter().map(|row| (row, tried(row))).collect();
    let wrong: Vec<_> =
        tried.iter().filter_map(|(row, tried)| Some((row.number, tried.as_ref().err()?))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut page = format!(
        "# Threads\n\nWhat people reported of schedulers and queues when processes start, restart and deploy, and what shows it here: of {} \
         rows {shown}. A story is played\nwith {SEEDS} seeds and breaks what is named in each; a program \
         breaks what is named in some of {SEEDS_OF_PROGRAM} and, mended, in none. Where a\nthread names no cause, the mechanism is the one that was \
         found by simulation: it is as its story says.\nMade by `BOOTRACE_RENEW_THREADS=1 cargo test --test threads`, which checks it.\n\n\
         | | thread | mechanism | shown by | what is broken | BullMQ |\n|---|---|---|---|---|---|\n",
        ROWS.len()
    );
    for (row, tried) in &tried {
        let [shown, breaks, library] = tried.as_ref().expect("none is wrong");
        let Row { number, threads, mechanism, .. } = row;
        writeln!(page, "| {number} | {threads} | {mechanism} | {shown} | {breaks} | {library} |")
            .expect("a string takes all");
    }
    let file = root().join("tests/threads/TABLE.md");
    if std::env::var_os("BOOTRACE_RENEW_THREADS").is_some() {
        fs::write(&file, &page).expect("the table can be written");
    }
    let hint = "tests/threads/TABLE.md is not what it would be: BOOTRACE_RENEW_THREADS=1";
    assert!(fs::read_to_string(&file).unwrap_or_default() == page, "{hint}");
}

/// The pattern of bullmq#3165 is one that no version takes any more: it is told from a file before anything is
/// run.
#[test]
fn a_malformed_pattern_is_refused() {
    let file = root().join("scenarios/hazards/pattern-due-at-once.toml");
    let text = fs::read_to_string(file).expect("a story");
    let text = text.replace("repeat = { pattern = \"", "repeat = { pattern = \"*");
    let problems = parse(&text).expect_err("it is no pattern");
    assert_eq!(problems.iter().map(|one| one.code).collect::<Vec<_>>(), ["BR022"], "{problems:?}");
}
