//! Does it find bugs? Each fault that can be planted in the queue model, the fleet and the simulator is
//! noticed: one of the queue by an expectation that does not hold any more, one of the simulator by
//! the check that is there for its kind.
//!
//! A fault is killed if an expectation that should hold is broken with it, on a seed and a policy with
//! which it holds without. A panic kills nothing, and one that is never met shows nothing: both fail.
//! What kills what is `tests/mutants/TABLE.md`, renewed by
//! `BOOTRACE_RENEW_MUTANTS=1 cargo test --features mutants --test mutants`.

#[path = "mutants/harness.rs"]
mod harness;
#[path = "mutants/kill.rs"]
mod kill;
#[path = "mutants/list.rs"]
mod list;
mod support;
#[path = "mutants/table.rs"]
mod table;

use bootrace::pool::work;
use bootrace::sim::mutants::Mutant;
use std::collections::BTreeSet;
use std::fs;

const TABLE: &str = "tests/mutants/TABLE.md";

#[test]
fn every_fault_is_killed_as_the_table_says() {
    let text = table::made().unwrap_or_else(|wrong| panic!("{wrong}"));
    let path = support::root().join(TABLE);
    if std::env::var_os("BOOTRACE_RENEW_MUTANTS").is_some() {
        fs::write(&path, &text).expect("it can be written");
    }
    let committed = fs::read_to_string(&path).expect("it is there");
    for (is, should) in text.lines().zip(committed.lines()) {
        assert_eq!(is, should, "{TABLE} is not what is found: BOOTRACE_RENEW_MUTANTS=1 renews it");
    }
    assert_eq!(text.lines().count(), committed.lines().count(), "{TABLE} has other lines");
}

#[test]
fn every_fault_has_a_killer() {
    let queue = list::KILLERS.iter().map(|killer| format!("{:?}", killer.0));
    let own = harness::CHECKS.iter().map(|check| format!("{:?}", check.mutant));
    let killed: BTreeSet<String> = queue.chain(own).collect();
    let all: BTreeSet<String> = Mutant::ALL.iter().map(|mutant| format!("{mutant:?}")).collect();
    assert_eq!(killed, all);
}

#[test]
fn every_scenario_made_for_faults_is_needed_and_holds_without_them() {
    let files = support::files("tests/mutants", "toml");
    let needed: BTreeSet<(&str, usize)> = list::KILLERS
        .iter()
        .flat_map(|(_, file, marks)| {
            (0..marks.len()).filter(|at| marks[*at..].starts_with('x')).map(|at| (*file, at))
        })
        .collect();
    for file in &files {
        let name = support::named(file);
        assert!(needed.iter().any(|(needed, _)| *needed == name), "{name} kills nothing");
    }
    let marks = ["x..", ".x.", "..x"];
    let stories = needed.into_iter().flat_map(|(file, at)| kill::stories(file, marks[at]));
    let stories: Vec<kill::Story> = stories.collect();
    let done = work(stories.len(), move |task| kill::unsound(&stories[task]), &mut ());
    let wrong: Vec<String> = done.results.into_iter().flatten().collect();
    assert!(wrong.is_empty() && done.cut.is_none(), "{}\n{:?}", wrong.join("\n"), done.cut);
}

#[test]
fn nothing_happens_to_a_life_after_it_ended() {
    for file in support::files("scenarios", "toml") {
        let name = support::named(&file);
        for kill::Story { scenario, .. } in kill::stories(&name, "") {
            for seed in 1..=2 {
                assert_eq!(harness::of_the_dead(&scenario, seed), None, "{name}, seed {seed}");
            }
        }
    }
}
