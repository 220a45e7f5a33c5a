//! Every scenario file is a test: it says what it shows, and what it declares is so.

mod support;

use bootrace::cli::Exit;
use bootrace::explore::explore;
use bootrace::load::{Loaded, load};
use bootrace::report::{Report, text};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const SEEDS: u64 = 50;

fn scenarios() -> Vec<PathBuf> {
    let files = support::files("scenarios", "toml");
    assert!(files.len() >= 12, "the scenarios are gone: {files:?}");
    files
}

fn loaded(file: &Path) -> Loaded {
    load(file).unwrap_or_else(|error| panic!("{}: {error:?}", file.display()))
}

#[test]
fn every_scenario_is_as_it_declares() {
    for file in scenarios() {
        let name = support::named(&file);
        let Loaded { text: source, scenario, warnings, .. } = loaded(&file);
        assert_eq!(warnings, [], "{name}");
        let report = Report::new(&name, &source, &scenario, &explore(&scenario, 1..=SEEDS));
        assert_eq!(Exit::from(report.verdict), Exit::AsDeclared, "{}", text::run(&report));
    }
}

#[test]
fn every_scenario_opens_with_what_it_shows() {
    for file in scenarios() {
        let text = loaded(&file).text;
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("# ")).collect();
        let words = header.join(" ").split_whitespace().count();
        assert!(words >= 15, "{}: {words} words are no story", file.display());
        let next = text.lines().nth(header.len());
        assert_eq!(next, Some(""), "{}: the story stands apart", file.display());
    }
}

#[test]
fn no_two_scenarios_have_one_name() {
    let mut names = BTreeSet::new();
    for file in scenarios() {
        let name = loaded(&file).scenario.name.clone();
        assert!(names.insert(name.clone()), "{}: {name} is taken", file.display());
    }
}
