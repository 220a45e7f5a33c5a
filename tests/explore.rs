//! `explore`, end to end: the same bytes on any number of threads, whole or in parts; what it finds,
//! where it ends, and what it says when it must not be believed.

mod command;
mod folder;
mod support;

use bootrace::explore::Ran;
use bootrace::load::load;
use bootrace::sim::policy::Kind;
use bootrace::sim::scenario::{Declared, Scenario};
use command::{command, root};
use folder::folder;
use insta::assert_snapshot;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const KILLED: &str = "scenarios/free-tier-usage/killed-mid-add.toml";
const BEFORE: &str = "scenarios/free-tier-usage/before.toml";

/// What an invocation prints and how it exits.
fn seen(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let arguments = [&["explore"], arguments].concat();
    let output = command(folder, &arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    let code = output.status.code().expect("it exits by itself");
    (code, text(output.stdout), text(output.stderr))
}

/// A story in which nothing is declared, so that each violation is a surprise.
fn undeclared() -> String {
    let text = fs::read_to_string(root().join(KILLED)).expect("the scenario is there");
    let declares = |line: &&str| !line.starts_with("violated");
    let lines: Vec<&str> = text.lines().filter(declares).collect();
    assert!(lines.len() < text.lines().count(), "it declares its violations");
    lines.join("\n") + "\n"
}

fn failing(test: &str) -> std::path::PathBuf {
    folder(test, "failing.toml", undeclared())
}

#[test]
fn it_says_which_policy_found_what() {
    let (code, out, err) = seen(root(), &[KILLED, "--seeds", "40"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_snapshot!("declared", out);
    let (code, out, err) = seen(&failing("explore-text"), &["failing.toml", "--seeds", "40"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert_snapshot!("undeclared", out);
}

#[test]
fn as_json() {
    let arguments = ["failing.toml", "--seeds", "12", "--format", "json"];
    let (code, out, _) = seen(&failing("explore-json"), &arguments);
    assert_eq!(code, 1);
    let value: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
    let schema = command(root(), &["schema", "report"]).output().expect("it starts").stdout;
    let schema = serde_json::from_slice(&schema).expect("a schema is JSON");
    let validator = jsonschema::draft7::new(&schema).expect("the schema is one");
    let problems: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}\n{value:#}");
    assert_eq!(value["reports"][0]["policy"], "portfolio");
    assert_eq!(value["reports"][0]["seeds"], serde_json::json!([1, 12]));
    let by = &value["reports"][0]["expectations"][0]["by_policy"];
    let names = by.as_array().expect("a list").iter().map(|one| one["policy"].to_string());
    assert!(names.eq(Kind::PORTFOLIO.map(|kind| format!("{:?}", kind.to_string()))), "{by}");
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let folder = failing("explore-threads");
    fs::copy(root().join(BEFORE), folder.join("before.toml")).expect("it can be copied");
    for rest in [&["--seeds", "60"][..], &["--until-fail"], &["--seeds", "30", "--format", "json"]]
    {
        let on = |jobs| {
            let arguments = [&["before.toml", "failing.toml", "--jobs", jobs], rest].concat();
            seen(&folder, &arguments)
        };
        let one = on("1");
        assert_eq!((one.0, one.2.as_str()), (1, ""), "{}", one.1);
        for jobs in ["2", "16"] {
            assert_eq!(on(jobs), one, "{jobs} threads, {rest:?}");
        }
    }
}

#[test]
fn until_fail_ends_with_the_first_seed_that_fails() {
    let folder = failing("explore-until-fail");
    let (code, out, _) = seen(&folder, &["failing.toml", "--until-fail", "--seeds", "5000"]);
    assert_eq!(code, 1);
    let (_, line) = out.trim_end().rsplit_once("Replay: bootrace replay failing.toml").expect("it");
    let seed = line.split_whitespace().nth(1).expect("a seed");
    assert!(out.contains(&format!("failing.toml, seeds 1 to {seed}, ")), "{out}");
    // One seed less shows nothing, all of them show the same first.
    let before = (seed.parse::<u64>().expect("a number") - 1).to_string();
    assert!(before != "0", "it would show nothing");
    let (_, less, _) = seen(&folder, &["failing.toml", "--seeds", &before]);
    assert!(!less.contains("Replay"), "{less}");
    let (_, all, _) = seen(&folder, &["failing.toml", "--seeds", "60"]);
    assert!(all.ends_with(&format!("Replay: bootrace replay failing.toml{line}\n")), "{all}");
}

#[test]
fn the_last_line_replays_what_was_found() {
    let folder = failing("explore-replay");
    let (_, out, _) = seen(&folder, &["failing.toml", "--policy", "pct:2", "--seeds", "40"]);
    let (_, line) = out.trim_end().rsplit_once("Replay: bootrace ").expect("it says how");
    assert!(line.ends_with(" --policy pct:2"), "{line}");
    let again: Vec<&str> = line.split(' ').collect();
    let output = command(&folder, &again).output().expect("it starts");
    let told = String::from_utf8(output.stdout).expect("it prints text");
    assert!(told.contains("worker-1.1"), "{told}");
    let [.., seed, _, policy] = again[..] else { panic!("{again:?}") };
    assert!(told.contains(&format!("seed {seed}, {policy}, of failing.toml: hash ")), "{told}");
    // It is another run than the random policy's, and `run` plays the same.
    let arguments = ["run", "failing.toml", "--seed", seed, "--policy", policy];
    let output = command(&folder, &arguments).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let run = String::from_utf8(output.stdout).expect("it prints text");
    assert!(run.ends_with(&format!("Replay: bootrace {line}\n")), "{run}");
}

#[test]
fn what_was_never_met_in_any_run_is_named() {
    let story = fs::read_to_string(root().join(KILLED)).expect("the scenario is there");
    let story = story + "\n[[expect]]\nsometimes = \"Redis is slow\"\n";
    let folder = folder("explore-vacuous", "a.toml", story);
    let (code, out, _) = seen(&folder, &["a.toml", "--seeds", "40"]);
    assert_eq!(code, 3, "{out}");
    let line = "VACUOUS: never met, so nothing is shown: sometimes Redis is slow.";
    assert!(out.contains(line), "{out}");
}

#[test]
fn parts_are_the_whole() {
    let folder = failing("explore-parts");
    for rest in [&[][..], &["--policy", "starvation"]] {
        let to = |seeds, more: &[&str]| {
            let all = [&["failing.toml", "--seeds", seeds], rest, more].concat();
            seen(&folder, &all)
        };
        let whole = to("50", &[]);
        for (number, cuts) in [&["1"][..], &["4", "5"], &["17"], &["49", "50"]].iter().enumerate() {
            let file = format!("parts-{number}-{}.json", rest.len());
            let _ = fs::remove_file(folder.join(&file));
            for cut in *cuts {
                assert_eq!(to(cut, &["--resume", &file, "--jobs", "2"]).2, "");
            }
            assert_eq!(to("50", &["--resume", &file]), whole, "{cuts:?}");
            // And once more, when there is nothing left to play.
            assert_eq!(to("50", &["--resume", &file]), whole, "{cuts:?}");
        }
    }
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let folder = failing("explore-others");
    let _ = fs::remove_file(folder.join("at.json"));
    let resume = |more: &[&str]| {
        let all = [&["failing.toml", "--resume", "at.json"], more].concat();
        let (code, out, err) = seen(&folder, &all);
        assert!(code == 1 || out.is_empty(), "{out}");
        (code, err)
    };
    assert_eq!(resume(&["--seeds", "12"]), (1, String::new()));
    let refused = |more: &[&str], why: &str| {
        let (code, err) = resume(more);
        assert!(code == 6 && err.contains(why), "exit {code}: {err}");
    };
    refused(&["--seeds", "8"], "at.json is at seed 12 already, beyond --seeds 8");
    refused(&["--policy", "random"], "it was begun with --policy portfolio, and this is random");
    refused(&["--until-fail"], "it was begun without --until-fail");
    refused(&["failing.toml"], "the scenarios were others");
    let whole = fs::read_to_string(folder.join("at.json")).expect("it is there");
    fs::write(folder.join("at.json"), &whole[..whole.len() / 2]).expect("it can be written");
    refused(&[], "cannot go on from at.json: it is damaged");
    fs::write(folder.join("at.json"), undeclared()).expect("it can be written");
    refused(&[], "cannot go on from at.json: it is damaged, or was not written by bootrace");
    // Where it cannot be kept that is said at once.
    let (code, out, err) = seen(&folder, &["failing.toml", "--resume", "no/such/folder.json"]);
    assert_eq!((code, out.as_str()), (5, ""));
    assert!(err.starts_with("error: cannot write no/such/folder.json: "), "{err}");
}

#[test]
fn a_time_ends_it_as_it_ends_by_itself() {
    let (code, out, err) = seen(root(), &[KILLED, "--for", "1s"]);
    assert_eq!((code == 0 || code == 1, err.as_str()), (true, ""), "{out}");
    assert!(out.contains(", seeds 1 to ") && !out.contains("interrupted"), "{out}");
}

#[test]
fn wrong_arguments_are_exit_2() {
    let wrong = [
        &["--policy", "luck"][..],
        &["--policy", "pct:0"],
        &["--jobs", "0"],
        &["--for", "10"],
        &["--for", "1s", "--seeds", "3"],
        &["--seeds", "0"],
    ];
    for rest in wrong {
        let (code, out, err) = seen(root(), &[&[KILLED], rest].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{rest:?}");
        assert!(err.starts_with("error: "), "{err}");
    }
    assert_eq!(seen(root(), &[]).0, 2);
}

/// Whatever is declared, nothing is.
fn surprising(file: &Path) -> Arc<Scenario> {
    let loaded = load(file).unwrap_or_else(|error| panic!("{error:?}"));
    let mut scenario = Scenario::clone(&loaded.scenario);
    for expectation in &mut scenario.expectations {
        expectation.declared = Declared::Holds;
    }
    Arc::new(scenario)
}

#[test]
fn a_run_that_is_stopped_shows_what_the_whole_run_shows() {
    let (mut stopped, mut whole) = (0, 0);
    for file in support::files("scenarios", "toml") {
        let scenario = surprising(&file);
        for seed in 1..=2 {
            let policy = bootrace::explore::policy(&scenario, Kind::Random, seed);
            let ran = Ran::play(&scenario, policy);
            let all = bootrace::explore::play(&scenario, seed);
            let violated = all.verdict.judgements.iter().filter(|judged| !judged.held).count();
            let name = support::named(&file);
            assert_eq!(ran.violations() > 0, violated > 0, "{name}, seed {seed}");
            assert!(ran.violations() <= violated as u64, "{name}, seed {seed}");
            if ran.is_cut() { stopped += 1 } else { whole += 1 }
        }
    }
    assert!(stopped > 20 && whole > 20, "{stopped} of {whole}");
}
