//! Advice: plans that do what they say, faults of theirs that are known, changes from one to another, and
//! counterexamples that can be played again.

use assert_cmd::Command;
use bootrace::advise::{Advice, Asked, Fault, Tried, advise};
use bootrace::load::load;
use bootrace::sim::plan::{self, CleanUp, change, named, planned, plans};
use bootrace::sim::policy::Random;
use bootrace::sim::run;
use bootrace::sim::scenario::{Scenario, Version, parse, print};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const STORIES: &str = "scenarios/free-tier-usage";

fn story(name: &str) -> Arc<Scenario> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(STORIES).join(format!("{name}.toml"));
    load(&path).unwrap_or_else(|error| panic!("{error}")).scenario
}

/// What a few days make of every plan for the incident.
fn advice(version: Option<Version>, days: &[&str], seeds: u64) -> Advice {
    let scenario = &*story("before");
    let asked = Asked { scenario, schedule: 0, version, seeds };
    let advice = advise(asked, |hazard| days.contains(&hazard.name), &mut ());
    assert_eq!(advice.cut, None);
    advice
}

fn of<'a>(advice: &'a Advice, name: &str) -> &'a Tried {
    let found = advice.tried.iter().find(|tried| tried.name() == name);
    found.unwrap_or_else(|| panic!("{name} was not tried"))
}

/// The days on which a plan has a fault.
fn days(tried: &Tried, fault: Fault) -> Vec<&'static str> {
    let bad = tried
        .days
        .iter()
        .filter(|day| day.seen.as_ref().is_ok_and(|sum| sum.faults.contains_key(&fault)));
    bad.map(|day| day.hazard.name).collect()
}

#[test]
fn known_weaknesses_are_found_on_the_newest_version_too() {
    let hazards = ["healthy", "rolling-deploy", "boot-behind-backlog", "boot-held-back"];
    for version in [None, Some(Version::V6_7_0)] {
        let advice = advice(version, &hazards, 8);
        // The scheduler with clean-up: F5, and F6.
        let cleaned = of(&advice, "scheduler-cleaned");
        assert_eq!(days(cleaned, Fault::Less), ["boot-behind-backlog"]);
        assert_eq!(days(cleaned, Fault::More), ["boot-held-back"]);
        // Where nothing happens each plan does what it is for.
        for tried in &advice.tried {
            let faults = [Fault::More, Fault::Less].map(|fault| days(tried, fault));
            let older = tried.plans[0].name.starts_with("ids-")
                || tried.plans[0].name.contains("bootstrap")
                || tried.plans[0].name == "as-found"
                || tried.plans[0].part == plan::Part::Handler;
            let ill = faults.iter().flatten().any(|day| *day == "healthy");
            // 6.x makes no registration of an add: what is left of the older API never ticks.
            assert_eq!(ill, version.is_some() && older, "{}: {faults:?}", tried.name());
        }
        if version.is_none() {
            // F1, F2, and what the removal of the bootstrap job gives and does not give.
            assert!(days(of(&advice, "as-found"), Fault::More).contains(&"rolling-deploy"));
            assert!(days(of(&advice, "ids-on-adds"), Fault::More).contains(&"rolling-deploy"));
            assert!(
                !days(of(&advice, "without-bootstrap"), Fault::More).contains(&"rolling-deploy")
            );
            // The job is called as often as ever, and its work is done once.
            let [found, locked] = ["as-found", "session-lock"].map(|name| of(&advice, name));
            assert_eq!(days(locked, Fault::More), [""; 0]);
            let rows = |tried: &Tried| tried.times(advice.rows).expect("ticks were owed");
            assert!(rows(found) > 1.2 && rows(locked) < 1.01);
        }
    }
}

#[test]
fn every_plan_makes_a_scenario_that_runs_by_itself() {
    let names: BTreeSet<&str> = plans().map(|plan| plan.name).collect();
    assert_eq!(names.len(), plans().count(), "two of one name");
    let stories = ["before", "scheduler-cleaned-up", "window-id"].map(story);
    let mut never = names.clone();
    for plan in plans() {
        assert!(plan.doc.ends_with('.'), "{}", plan.name);
        for (scenario, version) in
            stories.iter().flat_map(|one| [(one, None), (one, Some(Version::V5_81_5))])
        {
            let Ok(made) = planned(&[plan], scenario, 0, version) else { continue };
            never.remove(plan.name);
            let text = print(&made);
            let again = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}")).0;
            assert_eq!(print(&again), text, "{}", plan.name);
            let [one, other] = [made, again]
                .map(|scenario| run(&Arc::new(scenario), Box::new(Random::new(1)), false, &mut ()));
            assert_eq!(one.hash, other.hash, "{}", plan.name);
            assert!(!one.out_of_steps && one.verdict.judgements.len() == 2);
        }
    }
    assert_eq!(never, BTreeSet::new(), "these apply to none of the stories");
    assert!(named("job-scheduler+done-row").is_ok_and(|both| both.len() == 2));
    for wrong in
        ["no-such", "job-scheduler+leader", "as-found+done-row+lease", "as-found+as-found", ""]
    {
        assert!(named(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_change_leaves_a_registration_behind_until_it_is_removed() {
    let found = planned(&named("as-found").expect("a plan"), &story("no-bootstrap"), 0, None);
    let next = planned(&named("job-scheduler").expect("a plan"), &story("no-bootstrap"), 0, None);
    let (found, next) = (found.expect("it applies"), next.expect("it applies"));
    let held = |from: &Scenario, to: &Scenario, clean_up| {
        let scenario = Arc::new(change(from, to, 0, clean_up).expect("there is a way"));
        let verdict = run(&scenario, Box::new(Random::new(1)), false, &mut ()).verdict;
        verdict.judgements.iter().map(|judgement| judgement.held).collect::<Vec<_>>()
    };
    // One registration; both releases side by side; at most once; at least once.
    assert_eq!(held(&found, &next, CleanUp::Never)[..2], [false, true]);
    assert_eq!(held(&found, &next, CleanUp::After)[..2], [true, true]);
    assert_eq!(held(&next, &found, CleanUp::Never)[..2], [false, true]);
    assert_eq!(held(&next, &found, CleanUp::After)[..2], [true, true]);
    // An old container that is still up brings back what was removed before it went.
    assert!(!held(&found, &next, CleanUp::Never)[2]);
    assert!(change(&found, &found, 0, CleanUp::After).is_err(), "nothing is left behind");
}

fn bootrace(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("bootrace").expect("it is built");
    let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn what_is_said_can_be_played_again() {
    let file = "scenarios/free-tier-usage/before.toml";
    let asked = ["advise", file, "--seeds", "1", "--hazard", "rolling-deploy"];
    let (code, out, _) = bootrace(&asked);
    assert_eq!(code, 0);
    assert!(out.contains("\nplan ") && out.contains("ZRANGE bull:"), "{out}");
    let (_, json, _) = bootrace(&[&asked[..], &["--format", "json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let entries = report["plans"].as_array().expect("a list");
    assert!(entries.len() > plans().count(), "no pair was tried");
    let found = &entries[0];
    assert_eq!((&found["plan"], &found["at_most_once"]), (&"as-found".into(), &0.into()));
    let replay = found["twice"]["replay"].as_str().expect("it says how");
    let replay: Vec<&str> = replay.split(' ').skip(1).collect();
    let (code, told, _) = bootrace(&replay);
    assert_eq!(code, 0);
    assert!(told.lines().count() > 20 && told.contains(": hash "), "{told}");
    let way = entries.iter().find(|entry| entry["plan"] == "job-scheduler").expect("a plan");
    let replay = way["roll_out"]["ways"][0]["replay"].as_str().expect("it is not safe");
    let replay: Vec<&str> = replay.split(' ').skip(1).collect();
    assert_eq!(bootrace(&replay).0, 0);
    let (_, list, _) = bootrace(&["advise", "--list"]);
    assert_eq!(list.lines().count(), plans().count());
    for wrong in [
        &["advise"][..],
        &["advise", "no-such-file.toml"],
        &["advise", file, "--schedule", "no-such"],
        &["show", file, "--plan", "no-such"],
        &["show", file, "--plan", "central", "--roll-out", "central"],
        &["show", file, "--roll-out", "without-bootstrap", "--clean-up", "after"],
        &["replay", file, "--schedule", "usage"],
    ] {
        let (code, out, err) = bootrace(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(err.contains("error"), "{err}");
    }
}
