//! Stories of real runs: what they must say, and that they stay short.

use super::{LINES, Story, tell};
use bootrace_sim::policy::Kind;
use bootrace_sim::scenario::parse;
use std::sync::Arc;

fn story(text: &str, seed: u64, expectation: usize) -> Option<Story> {
    let (scenario, _) = parse(text).expect("it parses");
    tell(&Arc::new(scenario), Kind::Random, seed, expectation)
}

/// The causes of the first seeds in which an expectation of a scenario breaks.
fn causes(text: &str, expectation: usize) -> Vec<String> {
    let stories = (1..=40).filter_map(|seed| story(text, seed, expectation));
    let cause = |story: Story| {
        assert!(story.lines.len() <= LINES, "{story:#?}");
        let broke = story.lines.iter().filter(|line| line.broke).count();
        assert!(broke <= 1, "{story:#?}");
        story.cause.unwrap_or_default()
    };
    stories.map(cause).collect()
}

#[test]
fn the_step_that_multiplies_is_named_with_its_boots_and_firings() {
    let text = include_str!("../../../scenarios/free-tier-usage/before.toml");
    let told = story(text, 1, 0).expect("it breaks");
    let cause =
        "start-up step 2 of release before adds usage without a job id: 12 boots, 12 firings";
    assert_eq!(told.cause.as_deref(), Some(cause));
    let broke = told.lines.iter().find(|line| line.broke).expect("a line broke it");
    assert!(broke.what.ends_with(" starts"), "{broke:?}");
    assert_eq!(told.lines.len(), LINES);
}

#[test]
fn an_id_that_frees_itself_is_said_to_be_free_again() {
    let text = include_str!("../../../scenarios/free-tier-usage/job-ids-slow-deploy.toml");
    let causes = causes(text, 0);
    assert!(causes.len() > 10, "{causes:?}");
    assert!(
        causes.iter().all(|cause| cause.contains("a job id that was free again")),
        "{causes:?}"
    );
}

#[test]
fn an_orphan_is_named_beside_the_registration_that_replaced_it() {
    let text = include_str!("../../../scenarios/free-tier-usage/job-ids-upgrade.toml");
    let causes = causes(text, 0);
    let both = |cause: &String| {
        cause.contains("made by start-up step 1 of release job-ids")
            && cause.contains("made by start-up step 1 of release before")
    };
    assert!(!causes.is_empty() && causes.iter().all(both), "{causes:?}");
}

#[test]
fn a_removed_iteration_is_told_with_who_removed_it() {
    let text = include_str!("../../../scenarios/free-tier-usage/boot-after-tick.toml");
    let (scenario, _) = parse(text).expect("it parses");
    let least = scenario.expectations.iter().position(|expectation| {
        expectation.property.relation == bootrace_sim::scenario::Relation::AtLeast
    });
    let causes = causes(text, least.expect("it has one"));
    let removed = |cause: &String| {
        cause.contains("removes the iteration that was due at") && cause.contains("before it ran")
    };
    assert!(!causes.is_empty() && causes.iter().all(removed), "{causes:?}");
}

#[test]
fn an_iteration_that_was_made_twice_has_two_makers() {
    let text = include_str!("../../../scenarios/free-tier-usage/upsert-across-tick.toml");
    let causes = causes(text, 0);
    let twice = |cause: &String| cause.contains("was made twice: by start-up step 1");
    assert!(!causes.is_empty() && causes.iter().all(twice), "{causes:?}");
}

#[test]
fn what_holds_has_no_story() {
    let text = include_str!("../../../scenarios/free-tier-usage/no-bootstrap.toml");
    assert_eq!(story(text, 1, 0), None);
    assert_eq!(story(text, 1, 99), None);
}

#[test]
fn a_story_is_text_with_its_breaking_line_marked() {
    let text = include_str!("../../../scenarios/free-tier-usage/upsert-across-tick.toml");
    let told = (1..=40).find_map(|seed| story(text, seed, 0)).expect("it breaks in some seed");
    let rendered = told.render("always usage: firings per window at most 1");
    assert_eq!(rendered.lines().filter(|line| line.starts_with("  > ")).count(), 1, "{rendered}");
    assert!(
        rendered.lines().last().is_some_and(|line| line.starts_with("  Cause: ")),
        "{rendered}"
    );
    assert!(rendered.lines().count() <= 12, "{rendered}");
}
