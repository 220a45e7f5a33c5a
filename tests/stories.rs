//! Every scenario file says what it shows. That it is so is for `tests/scenarios.rs`.

mod support;

use bootrace::Scenario;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn scenarios() -> Vec<PathBuf> {
    let files = support::files("scenarios", "toml");
    assert!(files.len() >= 12, "the scenarios are gone: {files:?}");
    files
}

fn loaded(file: &Path) -> Scenario {
    Scenario::load(file).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_scenario_opens_with_what_it_shows() {
    for file in scenarios() {
        let scenario = loaded(&file);
        let text = scenario.text();
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("# ")).collect();
        let words = header.join(" ").split_whitespace().count();
        assert!(words >= 15, "{}: {words} words are no story", support::named(&file));
        let next = text.lines().nth(header.len());
        assert_eq!(next, Some(""), "{}: the story stands apart", support::named(&file));
    }
}

#[test]
fn no_two_scenarios_have_one_name() {
    let mut names = BTreeSet::new();
    for file in scenarios() {
        let name = loaded(&file).name().to_owned();
        assert!(names.insert(name.clone()), "{}: {name} is taken", support::named(&file));
    }
}
