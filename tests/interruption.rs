//! A real process that is asked to end by a real signal, or that nobody listens to any more. Linux
//! says when a process is ready for a signal; elsewhere there is nothing to wait for.

#![cfg(target_os = "linux")]

mod command;
mod folder;

use command::{command, root};
use folder::folder;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BEFORE: &str = "scenarios/free-tier-usage/before.toml";
const JOB_IDS: &str = "scenarios/free-tier-usage/job-ids.toml";

fn start(folder: &Path, arguments: &[&str]) -> Child {
    let prepared = command(folder, arguments);
    let mut command = Command::new(prepared.get_program());
    command.args(prepared.get_args()).current_dir(folder);
    for (name, value) in prepared.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Waits until a process catches the last of the signals that it is to catch: SIGHUP.
fn ready(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let since = Instant::now();
    loop {
        let status = fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.expect("a line of it").trim(), 16);
        if caught.expect("a mask") & 1 == 1 {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "it catches no signal");
        sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("there is kill").success());
}

fn end(child: Child) -> (i32, String, String) {
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (status.code().expect("it exits by itself"), text(stdout), text(stderr))
}

/// A folder with a scenario whose one seed takes minutes.
fn slow(test: &str) -> std::path::PathBuf {
    let story = fs::read_to_string(root().join(BEFORE)).expect("the scenario is there");
    assert!(story.contains("length = \"20m\""), "{story}");
    folder(test, "slow.toml", story.replace("length = \"20m\"", "length = \"400d\""))
}

#[test]
fn what_was_found_until_a_signal_is_what_fewer_seeds_find() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let child = start(root(), &["run", BEFORE, "--seeds", "10000000"]);
        ready(&child);
        sleep(Duration::from_millis(700));
        signal(&child, name);
        let (code, out, err) = end(child);
        assert_eq!((code, err.as_str()), (130, ""), "{out}");
        let (report, last) = out.split_once("interrupted: ").expect("it says so");
        let seeds = last.strip_suffix(" of 10000000 seeds\n").expect("it says of how many");
        let again =
            command(root(), &["run", BEFORE, "--seeds", seeds]).output().expect("it starts");
        assert_eq!(report, String::from_utf8_lossy(&again.stdout));
    }
}

#[test]
fn a_comparison_ends_with_the_same_seeds_on_both_sides() {
    let arguments = ["compare", BEFORE, JOB_IDS, "--seeds", "10000000", "--format", "json"];
    let child = start(root(), &arguments);
    ready(&child);
    sleep(Duration::from_millis(700));
    signal(&child, "-INT");
    let (code, out, _) = end(child);
    assert_eq!(code, 130);
    let value: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
    let seeds = value["stopped"]["seeds"].as_u64().expect("a number");
    let of = serde_json::json!({ "why": "interrupted", "seeds": seeds, "of": 10_000_000 });
    assert_eq!(value["stopped"], of);
    for report in value["reports"].as_array().expect("reports") {
        assert_eq!(report["seeds"], serde_json::json!([1, seeds]));
    }
    let seeds = seeds.to_string();
    let arguments = ["compare", BEFORE, JOB_IDS, "--seeds", &seeds, "--format", "json"];
    let again = command(root(), &arguments).output().expect("it starts");
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).expect("it is JSON");
    assert_eq!(again["reports"], value["reports"]);
}

#[test]
fn nobody_waits_for_a_seed_that_takes_minutes() {
    let child = start(&slow("interrupted-once"), &["run", "slow.toml", "--seeds", "5"]);
    ready(&child);
    let since = Instant::now();
    signal(&child, "-INT");
    let (code, out, err) = end(child);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!((code, out.as_str(), err.as_str()), (130, "interrupted: 0 of 5 seeds\n", ""));
}

#[test]
fn a_second_signal_ends_at_once() {
    let child = start(&slow("interrupted-twice"), &["run", "slow.toml"]);
    ready(&child);
    signal(&child, "-INT");
    sleep(Duration::from_millis(20));
    signal(&child, "-TERM");
    assert_eq!(end(child), (130, String::new(), String::new()));
}

#[test]
fn that_nobody_reads_the_result_changes_no_exit() {
    let story = fs::read_to_string(root().join(BEFORE)).expect("the scenario is there");
    let story = story.replace("violated = \"every seed\"\n", "");
    let folder = folder("nobody-reads", "failing.toml", story);
    fs::write(folder.join("bad.toml"), "format = 2\n").expect("it can be written");
    for (file, code) in [("failing.toml", 1), ("bad.toml", 2)] {
        let mut child = start(&folder, &["run", file, "--seeds", "20"]);
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{file}");
    }
}

#[test]
fn an_exploration_goes_on_where_a_signal_ended_it() {
    let folder = slow("interrupted-exploration");
    fs::copy(root().join(JOB_IDS), folder.join("a.toml")).expect("it can be copied");
    let _ = fs::remove_file(folder.join("at.json"));
    let arguments = ["explore", "a.toml", "--seeds", "100000", "--resume", "at.json"];
    let child = start(&folder, &arguments);
    ready(&child);
    sleep(Duration::from_millis(500));
    signal(&child, "-INT");
    let (code, out, err) = end(child);
    assert_eq!((code, err.as_str()), (130, ""), "{out}");
    let (report, last) = out.split_once("interrupted: ").expect("it says so");
    let (seeds, how) = last.split_once(" of 100000 seeds\n").expect("it says of how many");
    assert!(how.starts_with(&format!("Go on: bootrace {}\n", arguments.join(" "))), "{how}");
    let explored = |seeds: &str, more: &[&str]| {
        let arguments = [&["explore", "a.toml", "--seeds", seeds], more].concat();
        let output = command(&folder, &arguments).output().expect("it starts");
        String::from_utf8(output.stdout).expect("it prints text")
    };
    // What was found until then is what so many seeds find; what follows is what all find.
    assert_eq!(explored(seeds, &[]), report);
    let more = (seeds.parse::<u64>().expect("a number") + 20).to_string();
    assert_eq!(explored(&more, &["--resume", "at.json"]), explored(&more, &[]));
}
