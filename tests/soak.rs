//! Soaks, end to end: a healthy fleet is as meant in every hour and the incident's is not, each hour that
//! differs is told again by the command that is printed, and a soak is a file that runs by itself.

use assert_cmd::Command;
use bootrace::load::load;
use bootrace::sim::clock::Span;
use bootrace::sim::policy::Random;
use bootrace::sim::run;
use bootrace::sim::scenario::{Scenario, parse, print};
use bootrace::sim::soak::Soak;
use bootrace::soak::{Differs, Soaked, Work, soak};
use std::path::Path;
use std::sync::Arc;

const BEFORE: &str = "scenarios/free-tier-usage/before.toml";
const WINDOW_ID: &str = "scenarios/free-tier-usage/window-id.toml";
const DAY: i64 = 24 * 3600;

fn bootrace(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("bootrace").expect("it is built");
    let command = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn soaked(file: &str, days: i64, every: Option<Span>) -> Arc<Scenario> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let scenario = load(&path).unwrap_or_else(|error| panic!("{error}")).scenario;
    let soak = Soak { length: Span::from_secs(days * DAY), every, faults: false };
    Arc::new(soak.of(&scenario).unwrap_or_else(|why| panic!("{file}: {why}")))
}

fn play(file: &str, days: i64, every: Option<Span>) -> Soaked {
    soak(&soaked(file, days, every), 1..=1, &mut ())
}

#[test]
fn a_healthy_month_with_daily_deploys_is_as_meant_in_every_hour() {
    let Soaked { schedules, runs, cut, .. } = play(WINDOW_ID, 30, Some(Span::from_secs(DAY)));
    assert_eq!((runs, cut), (1, None));
    let hours = &schedules[0].hours;
    assert_eq!(hours.len(), 720);
    assert_eq!(hours.iter().map(|hour| hour.deploys).sum::<u64>(), 30);
    for (number, hour) in hours.iter().enumerate() {
        assert_eq!(hour.worst, None, "hour {number}: {hour:?}");
    }
    // The tick at the very start is the one that nobody is up for.
    let once = Work { executions: 1, rows: 43_149 };
    assert_eq!(hours.iter().filter(|hour| hour.most == once).count(), 719);
}

#[test]
fn the_incident_shows_its_bootstraps_in_the_hours_of_boots() {
    let Soaked { schedules, .. } = play(BEFORE, 3, Some(Span::from_secs(DAY)));
    let hours = &schedules[0].hours;
    assert_eq!(hours[0].most, Work { executions: 12, rows: 517_788 });
    assert_eq!(hours[0].worst, Some((Differs::Red, 12.0, 1)));
    let boots: u64 = hours.iter().map(|hour| hour.boots).sum();
    assert_eq!(boots, 48, "twelve at the start and in each of three deploys");
    let red = |hour: &&bootrace::soak::Hour| matches!(hour.worst, Some((Differs::Red, ..)));
    assert!(hours.iter().filter(red).count() >= 4);
    for pair in hours.windows(2) {
        if pair.iter().all(|hour| hour.boots == 0) {
            assert_eq!(pair[1].worst, None, "nothing boots, and nothing is wrong: {pair:?}");
        }
    }
    // Without a deploy only the first hour is.
    let quiet = play(BEFORE, 1, None);
    let worse = quiet.schedules[0].hours.iter().filter(|hour| hour.worst.is_some());
    assert_eq!(worse.count(), 1);
}

#[test]
fn a_soak_is_a_scenario_of_its_own() {
    for file in [BEFORE, WINDOW_ID, "scenarios/storms/scheduler-in-a-storm.toml"] {
        let scenario = soaked(file, 1, Some(Span::from_secs(DAY / 3)));
        let text = print(&scenario);
        let again = Arc::new(parse(&text).unwrap_or_else(|problems| panic!("{problems:?}")).0);
        assert_eq!(print(&again), text);
        let [one, other] =
            [&scenario, &again].map(|of| run(of, Box::new(Random::new(5)), false, &mut ()));
        assert_eq!(one.hash, other.hash);
        let (code, shown, _) = bootrace(&["show", file, "--soak", "24h", "--deploys", "3/day"]);
        assert_eq!((code, shown), (0, text), "{file}");
    }
}

#[test]
fn an_hour_that_differs_is_told_by_the_command_that_is_printed() {
    let (code, out, _) = bootrace(&["soak", BEFORE]);
    assert_eq!(code, 1);
    let replay = out.lines().find_map(|line| line.trim().strip_prefix("Replay: bootrace "));
    let replay: Vec<&str> = replay.expect("it says how").split(' ').collect();
    let (code, told, _) = bootrace(&replay);
    assert_eq!(code, 0);
    let starts = told.lines().filter(|line| line.ends_with(" starts")).count();
    assert!(starts >= 12, "{told}");
    let whole = replay.iter().take_while(|part| **part != "--part").copied();
    let (_, whole, _) = bootrace(&whole.collect::<Vec<_>>());
    assert_eq!(whole.lines().last(), told.lines().last(), "it is the same run");
    assert!(whole.lines().count() > told.lines().count());
    let inner: Vec<&str> = told.lines().collect();
    assert!(whole.contains(&inner[..inner.len() - 1].join("\n")), "a part of it, in order");
}

#[test]
fn what_is_printed_is_for_people_and_for_programs() {
    let (code, text, _) = bootrace(&["soak", BEFORE, "--for", "12h", "--seeds", "3"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("hours", text);
    let (_, text, _) = bootrace(&["soak", BEFORE, "--for", "4d", "--deploys", "none"]);
    insta::assert_snapshot!("days", text);
    let arguments = ["soak", BEFORE, "--for", "12h", "--seeds", "3", "--format", "json"];
    let (_, json, _) = bootrace(&arguments);
    let report: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let hours = report["schedules"][0]["hours"].as_array().expect("it has hours");
    assert_eq!(hours.len(), 12);
    assert_eq!((&report["runs"], &hours[0]["times"]), (&3.into(), &12.0.into()));
    assert_eq!(hours[0]["how"], "red");
    assert_eq!(hours[0]["rows"], serde_json::json!([517_788, 517_788]));
    assert_eq!(bootrace(&["soak", WINDOW_ID]).0, 0);
}

#[test]
fn what_cannot_be_soaked_says_why() {
    for (wrong, why) in [
        (&["soak", BEFORE, "--for", "59m"][..], "an hour at least"),
        (&["soak", BEFORE, "--deploys", "often"], "1/day"),
        (&["soak", BEFORE, "--for", "500d"], "400"),
        (&["soak", "no-such-file.toml"], "cannot read"),
        (&["replay", BEFORE, "--deploys", "1/day"], "--soak"),
        (&["replay", BEFORE, "--part", "2h..1h"], "13h..14h"),
        (&["show", BEFORE, "--soak", "1d", "--hazard", "healthy"], "cannot be used with"),
    ] {
        let (code, out, err) = bootrace(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{wrong:?}");
        assert!(err.contains("error") && err.contains(why), "{wrong:?}: {err}");
    }
}
