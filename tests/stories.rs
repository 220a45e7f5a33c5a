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

/// The warnings that are a scenario's very story.
const WARNED: &[(&str, &[&str])] = &[
    ("before-rolling", &["BR115"]),
    ("job-ids-slow-deploy", &["BR106"]),
    ("job-ids-upgrade", &["BR114", "BR115"]),
    ("scheduler", &["BR114"]),
    ("free-tier-usage/window-id", &["BR115"]),
    ("bootstrap-id-freed", &["BR106"]),
    ("paused-and-registered-at-once", &["BR103", "BR103"]),
    ("repeat-on-add-since-6", &["BR119"]),
    ("scheduler-beside-the-older-api", &["BR114"]),
    ("id-added-to-a-repeat", &["BR114"]),
    ("loop-blocked-beyond-the-lock", &["BR105"]),
    ("pattern-changed-on-add", &["BR114"]),
    ("spring-forward", &["BR104", "BR104"]),
    ("tick-that-blocks-its-worker", &["BR105"]),
    ("bull-308-broken", &["BR105"]),
    ("bullmq-3091", &["BR119"]),
    ("bullmq-3250", &["BR119", "BR119", "BR119", "BR119", "BR119", "BR119"]),
    ("bullmq-3427", &["BR119", "BR119"]),
    ("29-february", &["BR118"]),
    ("scheduler-in-a-storm", &["BR115"]),
    ("window-id-in-a-storm", &["BR115"]),
    ("langfuse-16183-broken", &["BR114"]),
    ("bullmq-453-broken", &["BR114"]),
    ("twenty-22514-broken", &["BR115"]),
    ("1-as-found", &["BR114", "BR114"]),
    ("2-bootstrap-removed", &["BR114", "BR114"]),
    ("3-schedulers", &["BR114"]),
    ("4-version-6-instead", &["BR114", "BR114"]),
    ("5-version-6-and-the-call", &["BR114"]),
    // What the job does was not needed, nor a worker to find that nothing fires.
    ("f1-bootstrap-in-every-boot", &["BR109"]),
    ("f2-bootstrap-id-free-again", &["BR109"]),
    ("f3-id-on-the-recurring-job", &["BR109", "BR114"]),
    ("f4-killed-between-two-round-trips", &["BR111", "BR109"]),
    ("f5-boot-after-a-tick", &["BR109"]),
    ("f6-upsert-across-a-tick", &["BR109"]),
];

#[test]
fn what_a_scenario_is_warned_of_is_its_story() {
    let mut warned = 0;
    for file in scenarios() {
        let name = support::named(&file);
        let warnings = bootrace::load::load(&file).expect("it is a scenario").warnings;
        let codes: Vec<&str> = warnings.iter().map(|warning| warning.code).collect();
        let story = WARNED.iter().find(|(story, _)| name.ends_with(&format!("/{story}.toml")));
        assert_eq!(codes, story.map_or(&[][..], |(_, codes)| codes), "{name}: {warnings:#?}");
        warned += usize::from(story.is_some());
    }
    assert_eq!(warned, WARNED.len());
}
