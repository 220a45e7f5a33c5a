//! The audit: hazards that do what they say on start-up code whose weaknesses are known, cells that can be
//! played again, and a matrix that is the same each time.

use assert_cmd::Command;
use bootrace::audit::{Audit, Harm, audit, columns};
use bootrace::load::load;
use bootrace::sim::battery::{Hazard, hazards, named};
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

/// What one hazard does to a story, as a letter for each version.
fn letters(name: &str, hazard: &str, versions: &[Version]) -> String {
    let scenarios = [story(name)];
    let columns = columns(&scenarios, versions);
    let seen = audit(&scenarios, columns, |one| one.name == hazard, 3, &mut ());
    assert_eq!(seen.cut, None);
    let letter = |cell: &bootrace::audit::Cell| match &cell.seen {
        Ok(seen) => seen.letter(),
        Err(_) => '-',
    };
    seen.cells.iter().map(letter).collect()
}

#[test]
fn known_weaknesses_are_found_and_what_is_sound_is_not_blamed() {
    let all = &Version::ALL;
    let older = &all[..2];
    // Nothing happens, and nothing is wrong.
    assert_eq!(letters("no-bootstrap", "healthy", older), "..");
    assert_eq!(letters("window-id", "healthy", older), "..");
    // F1: each boot runs the job once more, and so also while it runs elsewhere.
    assert_eq!(letters("before-rolling", "rolling-deploy", &[]), "p");
    assert_eq!(letters("no-bootstrap", "rolling-deploy", older), "..");
    // F3: an id on the recurring add leaves the old registration beside the new one.
    assert_eq!(letters("no-bootstrap", "job-id-added", older), "oo");
    assert_eq!(letters("no-bootstrap", "pattern-changed", older), "oo");
    assert_eq!(letters("no-bootstrap", "to-scheduler", older), "oo");
    assert_eq!(letters("no-bootstrap", "to-scheduler-cleaned", older), "..");
    assert_eq!(letters("no-bootstrap", "old-pod-returns", older), "oo");
    // F5: a boot behind a backlog takes the tick away. Where the boot does not wait for its add, its
    // own worker is first, and saves the tick.
    assert_eq!(letters("boot-after-tick", "boot-behind-backlog", all), "lll");
    assert_eq!(letters("no-bootstrap", "boot-behind-backlog", older), "..");
    // A clean-up removes what it names, and nothing else.
    assert_eq!(letters("no-bootstrap", "to-scheduler-wrong", older), "oo");
    assert_eq!(letters("no-bootstrap", "to-scheduler-history", older), "..");
    assert_eq!(letters("no-bootstrap", "to-scheduler-present", older), "oo");
    assert_eq!(letters("no-bootstrap", "cleaned-rolled-back", older), "oo");
    // What is meant changes with the code; what was registered before stays.
    assert_eq!(letters("no-bootstrap", "ticks-changed", older), "oo");
    assert_eq!(letters("window-id", "ticks-changed", all), "...");
    assert_eq!(letters("no-bootstrap", "job-renamed", older), "22");
    assert_eq!(letters("no-bootstrap", "queue-moved", older), "22");
    // A boot without a worker takes away the tick that waits for one.
    assert_eq!(letters("no-bootstrap", "web-boots-alone", older), "ll");
    assert_eq!(letters("window-id", "web-boots-alone", all), "...");
    assert_eq!(letters("before", "one-off-job", older), "xx");
    // Redis forgets, and nobody registers again.
    assert_eq!(letters("no-bootstrap", "redis-empty", older), "gg");
    // What cannot be is said, not shown as well.
    assert_eq!(letters("no-bootstrap", "scheduler-renamed", &[]), "-");
}

#[test]
fn every_hazard_makes_a_scenario_that_runs_by_itself() {
    let names: BTreeSet<&str> = hazards().map(|hazard| hazard.name).collect();
    assert_eq!(names.len(), hazards().count(), "two of one name");
    let stories = ["before", "no-bootstrap", "boot-after-tick", "window-id"].map(story);
    for hazard in hazards() {
        assert!(hazard.doc.ends_with('.'), "{}", hazard.name);
        assert_eq!(named(hazard.name).map(|one| one.name), Some(hazard.name));
        let mut played = false;
        for scenario in &stories {
            for version in [None, Some(Version::V5_81_5)] {
                let Ok(cell) = hazard.of(scenario, 0, version) else { continue };
                let text = print(&cell);
                let again = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}")).0;
                assert_eq!(print(&again), text, "{}", hazard.name);
                if std::mem::replace(&mut played, true) {
                    continue;
                }
                let [one, other] = [cell, again].map(|scenario| {
                    run(&Arc::new(scenario), Box::new(Random::new(1)), false, &mut ())
                });
                assert_eq!(one.hash, other.hash, "{}", hazard.name);
                assert!(!one.out_of_steps && one.verdict.judgements.len() >= 5);
            }
        }
    }
}

/// Once a day, in a zone that knows daylight saving; kept jobs.
const DAILY: &str = r#"
    format = 1
    name = "daily"
    start = 2026-01-05T00:05:00Z
    length = "3d"
    [schedule.report]
    pattern = "0 3 * * *"
    tz = "America/New_York"
    queue = "work"
    job = "report"
    [queue.work]
    [job.report]
    steps = [ { sleep = "5s..60s" } ]
    [release.v1]
    library = "bullmq@5.34.10"
    steps = [
      { upsert_job_scheduler = "report", queue = "work", repeat = { pattern = "0 3 * * *", tz = "America/New_York" } },
      { worker = "work" },
    ]
    [service.web]
    release = "v1"
    replicas = 3
    boot = "1s..30s"
    [[expect]]
    always = "firings per window"
    at_most = 1
"#;

#[test]
fn what_a_hazard_needs_is_met_wherever_it_applies() {
    let names = ["before", "no-bootstrap", "upsert-across-tick", "window-id"];
    let daily = parse(DAILY).unwrap_or_else(|problems| panic!("{problems:?}")).0;
    let mut applies: BTreeSet<&str> = BTreeSet::new();
    for (scenarios, seeds) in [(names.map(story).to_vec(), 4), (vec![Arc::new(daily)], 1)] {
        // What is the same on each day of an hour is not played on a day of a day.
        let such = |hazard: &Hazard| scenarios.len() > 1 || ONLY_DAILY.contains(&hazard.name);
        let seen = audit(&scenarios, columns(&scenarios, &[]), such, seeds, &mut ());
        for cell in &seen.cells {
            let Ok(seen) = &cell.seen else { continue };
            assert!(seen.met > 0, "{} of {}", cell.hazard.name, cell.column);
            applies.insert(cell.hazard.name);
        }
    }
    let all: BTreeSet<&str> = hazards().map(|hazard| hazard.name).collect();
    let never: Vec<_> = all.difference(&applies).copied().collect();
    // Going back to the oldest version is for those who have a newer one.
    assert_eq!(never, ["downgrade-5.34"]);
}

/// Hazards that need local times, or jobs that are kept.
const ONLY_DAILY: [&str; 3] = ["spring-forward", "fall-back", "retried"];

fn bootrace(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("bootrace").expect("it is built");
    let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn a_cell_is_played_again_by_the_command_that_the_audit_prints() {
    let file = "scenarios/free-tier-usage/no-bootstrap.toml";
    let arguments =
        ["audit", file, "--seeds", "2", "--hazard", "redis-empty", "--hazard", "healthy"];
    let (code, out, _) = bootrace(&arguments);
    assert_eq!(code, 1);
    let replay = out.lines().find_map(|line| line.strip_prefix("Replay: bootrace "));
    let replay: Vec<&str> = replay.expect("it says how").split(' ').collect();
    let (code, told, _) = bootrace(&replay);
    assert_eq!(code, 0);
    assert!(told.contains("Redis") && told.lines().count() > 20, "{told}");
    // As a file it is the same run.
    let (_, cell, _) = bootrace(&["show", file, "--hazard", "redis-empty"]);
    let scenario = Arc::new(parse(&cell).expect("it parses").0);
    let outcome = run(&scenario, Box::new(Random::new(1)), false, &mut ());
    assert!(told.ends_with(&format!("hash {:016x}\n", outcome.hash)), "{told}");
    assert_eq!(bootrace(&["audit", file, "--seeds", "2", "--hazard", "healthy"]).0, 0);
    for wrong in [
        &["audit", file, "--hazard", "no-such-day"][..],
        &["audit"],
        &["audit", "no-such-file.toml"],
        &["show", file, "--hazard", "scheduler-renamed"],
        &["show", file, "--hazard", "healthy", "--schedule", "no-such"],
        &["replay", file, "--library", "6.7.0"],
    ] {
        let (code, out, err) = bootrace(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(err.contains("error"), "{err}");
    }
}

#[test]
fn the_matrix_is_for_people_and_for_programs() {
    let file = "scenarios/free-tier-usage/no-bootstrap.toml";
    let only = ["healthy", "redis-empty", "scheduler-renamed", "pattern-changed"];
    let only = only.iter().flat_map(|name| ["--hazard", name]);
    let arguments: Vec<&str> =
        ["audit", file, "--seeds", "2", "--all-libraries"].into_iter().chain(only).collect();
    let (_, text, _) = bootrace(&arguments);
    insta::assert_snapshot!("matrix", text);
    let (_, json, _) = bootrace(&[&arguments[..], &["--format", "json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(report["columns"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["cells"].as_array().map(Vec::len), Some(12));
    assert_eq!(report["cells"][9]["letter"], "g");
    // As much as is meant; and one run more in two windows.
    assert_eq!(
        (&report["cells"][0]["times"], &report["cells"][3]["times"]),
        (&1.0.into(), &1.5.into())
    );
    let (_, list, _) = bootrace(&["audit", "--list"]);
    assert_eq!(list.lines().count(), hazards().count());
}

#[test]
fn a_stop_leaves_what_was_seen() {
    struct After(usize);
    impl bootrace::pool::Watch<bootrace::audit::Played> for After {
        fn done(&mut self, _: &bootrace::audit::Played) {
            self.0 = self.0.saturating_sub(1);
        }
        fn stops(&mut self) -> bool {
            self.0 == 0
        }
    }
    let scenarios = [story("no-bootstrap")];
    let Audit { cells, cut, .. } =
        audit(&scenarios, columns(&scenarios, &[]), |_| true, 1_000, &mut After(5));
    assert_eq!(cut, Some(bootrace::pool::Cut::Stopped));
    let runs: Vec<u64> =
        cells.iter().filter_map(|cell| Some(cell.seen.as_ref().ok()?.runs)).collect();
    assert!(runs[0] >= 1 && runs.last() == Some(&0), "{runs:?}");
    assert_eq!(Harm::ALL.map(Harm::letter).iter().collect::<BTreeSet<_>>().len(), Harm::ALL.len());
}
