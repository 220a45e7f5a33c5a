//! The audit: hazards that do what they say on start-up code whose weaknesses are known, cells that can be
//! played again, and a matrix that is the same each time.

mod folder;

use assert_cmd::Command;
use bootrace::audit::{Audit, Harm, Heals, audit, columns, play};
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
const ONLY_DAILY: [&str; 3] = ["clocks-go-forward", "clocks-go-back", "retried"];

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
    let times = |cell: usize| report["cells"][cell]["work"]["times"].clone();
    assert_eq!((times(0), times(3)), (1.0.into(), 1.5.into()));
    // What a column shows when nothing happens is no hazard's doing.
    let control = |column: usize| report["columns"][column]["control"].clone();
    assert_eq!((control(0), control(2)), (".".into(), "g".into()));
    let as_control = |cell: usize| report["cells"][cell]["as_control"].clone();
    assert_eq!((as_control(9), as_control(11)), (false.into(), true.into()));
    let counts = &report["counts"];
    assert_eq!((&counts["harmed"], &counts["well"]), (&7.into(), &2.into()));
    assert_eq!(counts["not_applicable"], 3);
    let (_, list, _) = bootrace(&["audit", "--list"]);
    assert_eq!(list.lines().count(), hazards().count());
}

/// What heals the harm of a hazard to a story, in how many of three runs, and the longest time.
fn heals(name: &str, hazard: &str) -> (Vec<(Heals, u64)>, i64) {
    let scenarios = [story(name)];
    let audit = audit(&scenarios, columns(&scenarios, &[]), |one| one.name == hazard, 3, &mut ());
    let seen = audit.cells[0].seen.as_ref().expect("it applies");
    let healed = seen.slowest.expect("something went wrong");
    (seen.heals.clone().into_iter().collect(), healed.after.nanos() / 1_000_000_000)
}

#[test]
fn what_heals_it_is_told_and_after_how_long() {
    // The work of an hour is gone, and the next hour's is there.
    assert_eq!(heals("boot-after-tick", "downtime-over-tick"), (vec![(Heals::NextTick, 3)], 3600));
    // Until the run ends: a window and a half, and the second after it.
    assert_eq!(heals("no-bootstrap", "redis-empty"), (vec![(Heals::Nobody, 3)], 5401));
    let (by, after) = heals("no-bootstrap", "obliterated");
    assert_eq!(by, [(Heals::NextBoot, 3)]);
    assert!((1800..3600).contains(&after), "{after}");
    assert_eq!(heals("no-bootstrap", "run-by-hand"), (vec![(Heals::Itself, 3)], 0));
}

#[test]
fn what_is_not_as_it_must_be_is_shown_again_by_its_replay() {
    let file = "scenarios/free-tier-usage/no-bootstrap.toml";
    let only = ["healthy", "boot-behind-backlog", "redis-failover", "promoted", "pattern-changed"];
    let only = only.iter().flat_map(|name| ["--hazard", name]);
    let arguments: Vec<&str> =
        ["audit", file, "--seeds", "3", "--all-libraries", "--format", "json"]
            .into_iter()
            .chain(only)
            .collect();
    let (_, json, _) = bootrace(&arguments);
    let report: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let mut bad = 0;
    for cell in report["cells"].as_array().expect("a list") {
        assert_eq!(cell["replay"].is_null(), cell["harms"] == serde_json::json!([]), "{cell}");
        let Some(replay) = cell["replay"].as_str() else { continue };
        let (cell_of, seed) = replay.split_once(" --seed ").expect("it has a seed");
        let show = cell_of.replacen("bootrace replay ", "show ", 1);
        let (code, text, _) = bootrace(&show.split(' ').collect::<Vec<_>>());
        assert_eq!(code, 0, "{show}");
        let scenario = Arc::new(parse(&text).expect("it parses").0);
        let played = play(&scenario, 0, seed.parse().expect("a number"));
        let harms: Vec<&str> = played.harms().iter().map(|harm| harm.name()).collect();
        let worst = cell["worst"].as_str().expect("it has one");
        assert!(harms.contains(&worst), "{replay}: {harms:?}, not {worst}");
        assert_eq!(cell["harms"][0]["harm"], worst);
        bad += 1;
    }
    assert!(bad >= 8, "{bad}");
}

/// A story that says something to its audits, in a folder of its own.
fn with_audit(name: &str, audit: &str) -> std::path::PathBuf {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join(STORIES).join("no-bootstrap.toml");
    let text = std::fs::read_to_string(text).expect("it is there");
    let folder = folder::folder(name, "story.toml", format!("{text}\n{audit}"));
    folder.join("story.toml")
}

#[test]
fn what_a_file_accepts_fails_nothing_and_rots_in_the_open() {
    let file = with_audit(
        "audit-accepts",
        "[audit]\ndeploys = '3 per day'\n\n\
         [[audit.accept]]\nhazard = 'run-by-hand'\nharm = 'extra run'\nschedule = 'usage'\n\
         because = 'the handler is idempotent'\n\n\
         [[audit.accept]]\nhazard = 'redis-slow'\nharm = 'late tick'\nbecause = 'it is seldom'\n",
    );
    let file = file.to_str().expect("it is text");
    let audited = |hazards: &[&str]| {
        let hazards = hazards.iter().flat_map(|name| ["--hazard", name]);
        let arguments = ["audit", file, "--seeds", "3", "--format", "json"].into_iter();
        let (code, json, _) = bootrace(&arguments.chain(hazards).collect::<Vec<_>>());
        (code, serde_json::from_str::<serde_json::Value>(&json).expect("it is JSON"))
    };
    let (code, report) = audited(&["run-by-hand"]);
    assert_eq!(code, 0);
    let cell = &report["cells"][0];
    assert_eq!((&cell["letter"], &cell["worst"]), (&"x".into(), &serde_json::Value::Null));
    assert_eq!(cell["harms"][0]["accepted"], true);
    assert_eq!(report["counts"]["accepted"], 1);
    assert_eq!(report["files"][0]["deploys_a_month"], 90.0);
    // What was not played is not known to be there, and not known not to be.
    let stale =
        |report: &serde_json::Value, of: usize| report["files"][0]["accepts"][of]["stale"].clone();
    assert!(stale(&report, 0).is_null() && stale(&report, 1).is_null());
    let (code, report) = audited(&["run-by-hand", "redis-slow"]);
    assert_eq!((code, stale(&report, 1)), (3, "not seen in 3 runs".into()));
    // Another harm is another thing.
    assert_eq!(audited(&["run-by-hand", "redis-empty"]).0, 1);
    let arguments =
        ["audit", file, "--seeds", "3", "--hazard", "run-by-hand", "--hazard", "redis-slow"];
    let (_, text, _) = bootrace(&arguments);
    insta::assert_snapshot!("accepted", text.replace(file, "story.toml"));
    // A cell is a file without them.
    let (_, cell, _) = bootrace(&["show", file, "--hazard", "run-by-hand"]);
    assert!(!cell.contains("accept") && !cell.contains("deploys ="), "{cell}");
}

#[test]
fn an_acceptance_names_a_hazard_and_a_reason() {
    for (accept, said) in [
        (
            "hazard = 'run-by-hnd'\nharm = 'late tick'\nbecause = 'x'",
            "did you mean \"run-by-hand\"?",
        ),
        ("hazard = 'storm'\nharm = 'layte tick'\nbecause = 'x'", "did you mean \"late tick\"?"),
        ("hazard = 'storm'\nharm = 'late tick'\nbecause = ' '", "the reason must be one line"),
        ("hazard = 'storm'\nharm = 'late tick'", "needs `because`"),
        ("hazard = 'storm'\nharm = 'late tick'\nschedule = 'use'\nbecause = 'x'", "no schedule"),
        (
            "hazard = 'storm'\nharm = 'late tick'\nbecause = 'x'\n[[audit.accept]]\nhazard = 'storm'\n\
          harm = 'late tick'\nbecause = 'y'",
            "accepted twice",
        ),
    ] {
        let file = with_audit("audit-wrong", &format!("[[audit.accept]]\n{accept}\n"));
        let (code, out, err) = bootrace(&["show", file.to_str().expect("it is text")]);
        assert_eq!((code, out.as_str()), (2, ""), "{accept}");
        assert!(err.contains(said) && err.contains("story.toml:"), "{err}");
    }
    for rate in ["20", "'20 per year'", "'0 per day'", "'per day'", "'+2 per day'"] {
        let file = with_audit("audit-wrong", &format!("[audit]\ndeploys = {rate}\n"));
        let (code, _, err) = bootrace(&["show", file.to_str().expect("it is text")]);
        assert_eq!(code, 2, "{rate}");
        assert!(err.contains("as in `deploys = \"20 per month\"`"), "{err}");
    }
}

#[test]
fn alerts_notice_a_deploy_and_no_day_on_which_nothing_happens() {
    let file = "scenarios/free-tier-usage/before.toml";
    let days = ["--hazard", "healthy", "--hazard", "rolling-deploy", "--hazard", "redis-flushed"];
    let arguments = [&["audit", file, "--seeds", "3", "--alerts"][..], &days[..]].concat();
    let (code, text, _) = bootrace(&arguments);
    assert_eq!(code, 1);
    assert!(text.contains("Alerts notice 1 of 2 cells each time, 1 sometimes, 0 never."), "{text}");
    assert!(text.contains("; noticed by executions-usage (in "), "{text}");
    assert!(!text.contains("RINGS"), "{text}");
    let (_, json, _) = bootrace(&[&arguments[..], &["--format", "json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(report["cells"][0]["noticed"]["needlessly"], serde_json::json!({}));
    assert!(report["cells"][1]["noticed"]["by"]["executions-usage"].is_u64(), "{json}");
    let (_, without, _) = bootrace(&[&arguments[..4], &days[..]].concat());
    assert!(!without.contains("notice"), "{without}");
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
