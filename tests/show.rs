//! What `bootrace show` prints is the scenario: it parses to the same one, runs to the same events,
//! and says of every value where it comes from.

mod support;

use assert_cmd::Command;
use bootrace::load::load;
use bootrace::sim::policy::Random;
use bootrace::sim::scenario::{Scenario, parse, print};
use bootrace::sim::{self, event::Event, event::Stamp};
use std::sync::Arc;

fn shown(arguments: &[&str]) -> String {
    let mut command = Command::cargo_bin("bootrace").expect("cargo built it");
    let output = command.current_dir(support::root()).arg("show").args(arguments).output();
    let output = output.expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// A scenario without where its expectations stand.
fn scenario(text: &str) -> Scenario {
    let (mut scenario, _) = parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    scenario.expectations.iter_mut().for_each(|expectation| expectation.at = 0);
    scenario
}

fn hash(scenario: &Scenario) -> u64 {
    let mut seen: Vec<(Stamp, Event)> = Vec::new();
    let scenario = Arc::new(scenario.clone());
    sim::run(&scenario, Box::new(Random::new(3)), false, &mut seen).hash
}

#[test]
fn what_is_shown_is_the_scenario_and_runs_alike() {
    let files = support::files("scenarios", "toml");
    assert!(files.len() >= 12, "{files:?}");
    for file in files {
        let name = support::named(&file);
        let loaded = load(&file).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let mut read = Scenario::clone(&loaded.scenario);
        read.expectations.iter_mut().for_each(|expectation| expectation.at = 0);
        let [plain, effective] = [shown(&[&name]), shown(&["--effective", &name])];
        assert_eq!(scenario(&plain), read, "{name}");
        assert_eq!(scenario(&effective), read, "{name}");
        assert_eq!(print(&scenario(&effective)), plain, "{name}");
        assert_eq!(hash(&scenario(&effective)), hash(&read), "{name}");
    }
}

#[test]
fn every_value_says_where_it_comes_from() {
    let file = "scenarios/free-tier-usage/before.toml";
    let effective = shown(&["--effective", file]);
    let values = effective.lines().filter(|line| line.contains(" = "));
    for line in values {
        let (_, origin) = line.rsplit_once(" # ").unwrap_or_else(|| panic!("{line}"));
        assert!(origin.ends_with(" default") || origin.starts_with(file), "{line}");
    }
    insta::assert_snapshot!(effective);
}
