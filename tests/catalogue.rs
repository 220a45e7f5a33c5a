//! What the bundled scenarios together must have met: each situation in which start-up code, a queue
//! or a server gets into trouble, in some seed of some scenario. One that none of them meets is one
//! about which a green exploration says nothing.
//!
//! Every probe that a scenario can ask for is among them, and what `catalogue/seen.rs` recognises.
//! The table is `tests/CATALOGUE.md`; `BOOTRACE_RENEW_CATALOGUE=1` writes it anew. `BOOTRACE_SEEDS`
//! plays more runs.

#[path = "catalogue/seen.rs"]
mod seen;
mod support;

use bootrace::load::load;
use bootrace::sim::choices::Site;
use bootrace::sim::policy::Random;
use bootrace::sim::run;
use bootrace::sim::scenario::{
    Declared, Expectation, Measure, Mode, PROPERTIES, Property, Relation, Scenario, Subject,
};
use rayon::prelude::*;
use seen::{ITEMS, Item, Watch};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many runs there are in all, if nothing else is asked for.
const RUNS: usize = 2_000;

/// What no scenario can show, and why not.
const NEVER: [(&str, &str); 4] = [
    (
        "a container is killed within a MULTI",
        "BullMQ sends none for what a step can do: `addBulk` is a pipeline of scripts, each whole",
    ),
    (
        "NOSCRIPT after SCRIPT FLUSH or a restart",
        "the model of the client sends what a script does, not its digest; `serve` answers NOSCRIPT, and \
         ioredis and BullMQ meet it there (`tests/scripts.rs`, `tests/redis/`)",
    ),
    (
        "an OOM reply",
        "no scenario bounds Redis's memory with `noeviction`; what eviction takes is an event of its own",
    ),
    (
        "a LOADING reply",
        "a Redis that comes back takes no connection before it is ready, as ioredis's ready check waits \
         for it",
    ),
];

/// One line of the table.
struct Row {
    what: String,
    /// In how many runs it was met.
    runs: usize,
    /// The first scenario that met it.
    first: Option<PathBuf>,
}

/// All probes of the property table, asked of a scenario in place of what it expects.
fn probing(scenario: &Scenario) -> Arc<Scenario> {
    let probes = PROPERTIES.iter().filter(|one| matches!(one.measure, Measure::Seen(_)));
    let expectation = |measure| {
        let (mode, relation) = (Mode::Sometimes, Relation::Happens);
        let property = Property { mode, measure, subject: Subject::World, relation, bound: 0 };
        Expectation { property, declared: Declared::Holds, at: 0 }
    };
    let mut scenario = scenario.clone();
    scenario.expectations = probes.map(|probe| expectation(probe.measure)).collect();
    Arc::new(scenario)
}

/// What is met in one run, by number: the items, then the probes.
fn met(scenario: &Arc<Scenario>, seed: u64) -> Vec<bool> {
    let words = Watch::words();
    let mut watch = Watch::new(scenario, &words);
    let outcome = run(scenario, Box::new(Random::new(seed)), true, &mut watch);
    // Of what was on its way some is lost and some is not: that is an answer, and no event.
    let partly = outcome.tape.choices.iter().any(|choice| {
        choice.question.site == Site::Loss && (1..choice.bound - 1).contains(&choice.answer)
    });
    if partly {
        watch.seen.insert(Item::KilledInPipeline);
    }
    let items = ITEMS.iter().map(|(item, _)| watch.seen.contains(item));
    let probes = outcome.verdict.judgements.iter().map(|judgement| judgement.judged > 0);
    items.chain(probes).collect()
}

fn rows(runs: usize) -> Vec<Row> {
    let files = support::files("scenarios", "toml");
    let load = |file: &PathBuf| probing(&load(file).expect("it is a scenario").scenario);
    let scenarios: Vec<Arc<Scenario>> = files.iter().map(load).collect();
    let each = runs.div_ceil(scenarios.len()) as u64;
    let play = |scenario: &Arc<Scenario>| -> Vec<Vec<bool>> {
        (1..=each).map(|seed| met(scenario, seed)).collect()
    };
    let played: Vec<Vec<Vec<bool>>> = scenarios.par_iter().map(play).collect();
    let probes = PROPERTIES.iter().filter(|one| matches!(one.measure, Measure::Seen(_)));
    let words = ITEMS.iter().map(|(_, text)| *text).chain(probes.map(|probe| probe.text));
    let row = |(number, what): (usize, &str)| {
        let of = |runs: &Vec<Vec<bool>>| runs.iter().filter(|met| met[number]).count();
        let first = played.iter().position(|runs| of(runs) > 0).map(|place| files[place].clone());
        Row { what: what.to_owned(), runs: played.iter().map(of).sum(), first }
    };
    words.enumerate().map(row).collect()
}

fn table(rows: &[Row], runs: usize) -> String {
    let mut text = format!(
        "# What the bundled scenarios meet\n\n\
         In how many of about {runs} runs, the same number of each scenario in `scenarios/`, seeds from 1. The last are the\n\
         probes that a scenario can ask for. `BOOTRACE_RENEW_CATALOGUE=1 cargo test --test catalogue` makes this table;\n\
         the test fails if something in it was never met.\n\n\
         | what | runs | shown by |\n|---|---|---|\n"
    );
    for Row { what, runs, first } in rows {
        let first = first.as_ref().map_or_else(|| "nothing".to_owned(), |file| named(file));
        let _ = writeln!(text, "| {what} | {runs} | {first} |");
    }
    text += "\n## What no scenario can show\n\n| what | why |\n|---|---|\n";
    for (what, why) in NEVER {
        let _ = writeln!(text, "| {what} | {why} |");
    }
    text
}

/// A scenario as a link of the table.
fn named(file: &Path) -> String {
    let name = support::named(file);
    let short = name.strip_prefix("scenarios/").unwrap_or(&name);
    format!("[{short}](../{name})")
}

#[test]
fn everything_in_the_catalogue_is_met() {
    let asked = std::env::var("BOOTRACE_SEEDS").ok();
    let runs = asked.as_ref().map_or(RUNS, |runs| runs.parse().expect("a number of runs"));
    let rows = rows(runs);
    let path = support::root().join("tests/CATALOGUE.md");
    let renew = std::env::var_os("BOOTRACE_RENEW_CATALOGUE").is_some();
    let table = table(&rows, runs);
    if renew {
        fs::write(&path, &table).expect("it can be written");
    }
    let never = rows.iter().filter(|row| row.runs == 0).map(|row| format!("  {}\n", row.what));
    let never: String = never.collect();
    assert!(never.is_empty(), "never met in {runs} runs of the bundled scenarios:\n{never}");
    if asked.is_none() && !renew {
        let written = fs::read_to_string(&path).unwrap_or_default();
        let hint = "tests/CATALOGUE.md is not what it would be: BOOTRACE_RENEW_CATALOGUE=1";
        assert!(written == table, "{hint}");
    }
}
