//! The command line, end to end: what it prints, where, and how it exits. What it prints is kept in
//! `snapshots/`; `INSTA_UPDATE=always cargo test --test cli` renews it, for somebody to read.

mod command;
mod folder;

use command::{command, root};
use folder::folder;
use insta::assert_snapshot;
use std::fs;
use std::path::Path;

const BEFORE: &str = "scenarios/free-tier-usage/before.toml";
const JOB_IDS: &str = "scenarios/free-tier-usage/job-ids.toml";

/// All that can be seen of an invocation.
fn seen(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    let (out, err) = (text(output.stdout), text(output.stderr));
    let code = output.status.code().expect("it exits by itself");
    let said = format!("{out}{err}");
    let here = folder.to_string_lossy();
    assert!(!said.contains(&*here), "it prints where it runs:\n{said}");
    format!("$ bootrace {}\n[exit {code}]\n--- stdout\n{out}--- stderr\n{err}", arguments.join(" "))
}

fn exit(folder: &Path, arguments: &[&str]) -> i32 {
    let output = command(folder, arguments).output().expect("it starts");
    output.status.code().expect("it exits by itself")
}

fn scenario() -> String {
    fs::read_to_string(root().join(BEFORE)).expect("the scenario is there")
}

/// The incident with a part changed that stands in it once.
fn with(part: &str, by: &str) -> String {
    let text = scenario();
    assert_eq!(text.matches(part).count(), 1, "{part:?} stands once in the scenario");
    text.replace(part, by)
}

/// What is said of a file with this text.
fn refused(test: &str, text: impl AsRef<[u8]>) -> String {
    let seen = seen(&folder(test, "bad.toml", text), &["run", "bad.toml"]);
    assert!(seen.contains("[exit 2]") && seen.contains("--- stdout\n--- stderr\n"), "{seen}");
    seen
}

#[test]
fn run_as_text() {
    assert_snapshot!(seen(root(), &["run", BEFORE, "--seeds", "5"]));
}

#[test]
fn run_as_json() {
    assert_snapshot!(seen(root(), &["run", BEFORE, "--seeds", "5", "--format", "json"]));
}

#[test]
fn run_of_one_seed() {
    assert_snapshot!(seen(root(), &["run", BEFORE, "--seed", "3"]));
}

#[test]
fn compare_as_text() {
    assert_snapshot!(seen(root(), &["compare", BEFORE, JOB_IDS, "--seeds", "5"]));
}

#[test]
fn compare_as_json() {
    let arguments = ["compare", BEFORE, JOB_IDS, "--seeds", "5", "--format", "json"];
    assert_snapshot!(seen(root(), &arguments));
}

#[test]
fn compare_of_several() {
    let names = ["no-bootstrap", "before-rolling", "scheduler-cleaned-up", "window-id", "before"];
    let files = names.map(|name| format!("scenarios/free-tier-usage/{name}.toml"));
    let of = |count: usize, more: &[&'static str]| {
        let files = files.iter().take(count).map(String::as_str);
        ["compare"].into_iter().chain(files).chain(more.iter().copied()).collect::<Vec<_>>()
    };
    let four = seen(root(), &of(4, &["--seeds", "3"]));
    // The story has lines of its own length, and so has what a shell says of files.
    let table = four.split("What happened").next().expect("it begins");
    let wide = table.lines().skip(3).find(|line| line.chars().count() > 120);
    assert_eq!(wide, None);
    assert_snapshot!("compare_of_four", four);
    assert_snapshot!("compare_of_five", seen(root(), &of(5, &["--seeds", "2"])));
    let json = command(root(), &of(3, &["--seeds", "3", "--format", "json"])).output();
    let value: serde_json::Value =
        serde_json::from_slice(&json.expect("it starts").stdout).expect("it is JSON");
    let against = value["against"].as_array().expect("it has what is against the first");
    assert_eq!(against.iter().map(|one| &one["report"]).collect::<Vec<_>>(), [1, 2]);
    let rows = against[0]["figures"].as_array().expect("it has figures");
    let rows = rows.iter().find(|figure| figure["name"] == "rows written").expect("rows are one");
    assert_eq!((&rows["less"], &rows["same"], &rows["more"]), (&0.into(), &0.into(), &3.into()));
}

#[test]
fn json_is_json() {
    let arguments = ["compare", BEFORE, JOB_IDS, "--seed", "3", "--format", "json"];
    let output = command(root(), &arguments).output().expect("it starts");
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(value["reports"].as_array().map(Vec::len), Some(2));
    assert_eq!(value["reports"][1]["verdict"], "as-declared");
}

#[test]
fn the_line_to_repeat_it_repeats_it() {
    let output = command(root(), &["run", BEFORE, "--seeds", "5"]).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let (_, line) = text.trim_end().rsplit_once("Replay: bootrace ").expect("it says how");
    let again: Vec<&str> = line.split(' ').collect();
    let seen = seen(root(), &again);
    assert!(seen.contains("[exit 0]"), "{seen}");
    let starts = seen.lines().filter(|line| line.ends_with(" starts")).count();
    assert_eq!(starts, 12, "{seen}");
}

#[test]
fn the_same_invocation_prints_the_same_bytes() {
    let arguments = ["compare", BEFORE, JOB_IDS, "--seeds", "30"];
    let alone = command(root(), &arguments).env("RAYON_NUM_THREADS", "1").output();
    let alone = alone.expect("it starts").stdout;
    let threads = command(root(), &arguments).env("RAYON_NUM_THREADS", "4").output();
    assert_eq!(threads.expect("it starts").stdout, alone);
}

#[test]
fn what_is_not_as_declared_is_exit_1() {
    let declared = scenario().replace("violated = \"every seed\"\n", "");
    let folder = folder("not-as-declared", "story.toml", declared);
    assert_snapshot!(seen(&folder, &["run", "story.toml", "--seeds", "5"]));
    // A comparison exits by its last argument.
    fs::write(folder.join("before.toml"), scenario()).expect("it can be written");
    let seeds = ["--seeds", "2"];
    assert_eq!(exit(&folder, &[&["compare", "story.toml", "before.toml"], &seeds[..]].concat()), 0);
    assert_eq!(exit(&folder, &[&["compare", "before.toml", "story.toml"], &seeds[..]].concat()), 1);
}

#[test]
fn a_violation_that_is_declared_and_does_not_come_is_exit_1() {
    let declared = with("replicas = 12", "replicas = 1");
    let folder = folder("not-violated", "story.toml", declared);
    assert_eq!(exit(&folder, &["run", "story.toml", "--seeds", "5"]), 1);
}

#[test]
fn what_was_never_judged_is_exit_3() {
    // No window of an hour lies within twenty minutes.
    let vacuous = with("always   = \"executions in all\"", "always   = \"firings per window\"");
    let folder = folder("vacuous", "story.toml", vacuous);
    assert_snapshot!(seen(&folder, &["run", "story.toml", "--seeds", "5"]));
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_exit_5() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("it can be opened");
    let program = command(root(), &[]).get_program().to_owned();
    let child = std::process::Command::new(program)
        .current_dir(root())
        .args(["run", BEFORE, "--seed", "1"])
        .stdout(full)
        .stderr(std::process::Stdio::piped())
        .spawn();
    let output = child.and_then(std::process::Child::wait_with_output).expect("it starts");
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8(output.stderr).expect("it prints text");
    assert!(said.starts_with("error: cannot write the result: "), "{said}");
}

#[test]
fn replay_tells_what_changed() {
    let file = "scenarios/free-tier-usage/upsert-across-tick.toml";
    assert_snapshot!(seen(root(), &["replay", file, "--seed", "2"]));
}

#[test]
fn replay_of_every_event_has_the_same_hash() {
    let hash = |arguments: &[&str]| {
        let seen = seen(root(), arguments);
        let line = seen.lines().find(|line| line.contains("hash ")).expect("it ends with a hash");
        (line.to_owned(), seen.lines().count())
    };
    let (told, few) = hash(&["replay", BEFORE, "--seed", "4"]);
    let (all, many) = hash(&["replay", BEFORE, "--seed", "4", "--events"]);
    assert_eq!(told, all);
    assert!(many > 5 * few, "{many} lines of all events, {few} of those that tell");
}

#[test]
fn a_trace_has_a_bar_for_each_execution() {
    let output = command(root(), &["replay", BEFORE, "--trace"]).output().expect("it starts");
    let trace: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let rows = trace["traceEvents"].as_array().expect("it has events");
    let count = |phase: &str| rows.iter().filter(|row| row["ph"] == phase).count();
    assert_eq!(count("X"), 12, "a bar for each of the twelve executions");
    assert_eq!(count("f"), 12, "an arrow to each");
    let named = |row: &&serde_json::Value| row["args"]["name"] == "worker-7.1";
    assert_eq!(rows.iter().filter(named).count(), 1, "a lane for each container");
}

#[test]
fn explain() {
    assert_snapshot!(seen(root(), &["explain", "br014"]) + &seen(root(), &["explain", "BR9"]));
}

#[test]
fn help() {
    assert_snapshot!("help", seen(root(), &["--help"]));
    assert_snapshot!("help_of_run", seen(root(), &["run", "--help"]));
    assert_snapshot!("help_of_compare", seen(root(), &["compare", "--help"]));
}

#[test]
fn wrong_arguments() {
    assert_snapshot!("no_command", seen(root(), &[]));
    assert_snapshot!("no_second_file", seen(root(), &["compare", BEFORE]));
    assert_snapshot!("no_seeds", seen(root(), &["run", BEFORE, "--seeds", "0"]));
    let both = ["run", BEFORE, "--seeds", "5", "--seed", "3"];
    assert_snapshot!("seeds_and_seed", seen(root(), &both));
    assert_snapshot!("unknown_flag", seen(root(), &["run", BEFORE, "--sedes", "5"]));
}

#[test]
fn files_that_are_none() {
    assert_snapshot!("missing_file", seen(root(), &["run", "scenarios/none.toml"]));
    assert_snapshot!("a_directory", seen(root(), &["run", "scenarios"]));
    // What is good is not run if something else is bad.
    let seen = seen(root(), &["compare", BEFORE, "scenarios/none.toml", "scenarios/nor.toml"]);
    assert_snapshot!("two_missing_files", seen);
}

#[test]
fn an_unknown_key() {
    assert_snapshot!(refused("unknown-key", with("replicas = 12", "replica = 12")));
}

#[test]
fn a_key_in_another_spelling() {
    let spelled = with("remove_on_complete = true", "removeOnComplete = true");
    assert_snapshot!(refused("spelling", spelled));
}

#[test]
fn a_pattern_that_is_none() {
    let pattern = with(
        "[schedule.usage]\npattern = \"35 * * * *\"",
        "[schedule.usage]\npattern = \"75 * * * *\"",
    );
    assert_snapshot!(refused("cron", pattern));
}

#[test]
fn a_value_of_the_wrong_type() {
    assert_snapshot!(refused("type", with("replicas = 12", "replicas = \"twelve\"")));
}

#[test]
fn a_name_that_nothing_has() {
    assert_snapshot!(refused("name", with("release  = \"before\"", "release  = \"befor\"")));
}

#[test]
fn two_problems_in_one_file() {
    let two = with("replicas = 12", "replicas = -1").replace("length = \"20m\"", "length = \"20\"");
    let seen = refused("two", two);
    assert!(seen.contains("error: 2 problems in bad.toml; nothing was run"), "{seen}");
    assert_snapshot!(seen);
}

#[test]
fn no_toml_at_all() {
    assert_snapshot!(refused("no-toml", "format = 1\nname = \"cut off"));
    assert_snapshot!("an_empty_file", refused("empty", ""));
}

#[test]
fn bytes_that_are_no_text() {
    let utf16: Vec<u8> = "\u{feff}format = 1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_snapshot!("utf_16", refused("utf-16", utf16));
    assert_snapshot!("no_utf_8", refused("no-utf-8", b"format = 1\nname = \"\xff\"\n"));
}

#[test]
fn a_file_that_is_too_large() {
    let most = 4 * 1024 * 1024;
    let mut large = scenario();
    large.extend(std::iter::repeat_n('#', most + 1 - large.len()));
    assert_snapshot!(refused("large", &large));
    // One byte less is read.
    large.pop();
    let folder = folder("not-too-large", "story.toml", large);
    assert_eq!(exit(&folder, &["run", "story.toml", "--seed", "1"]), 0);
}

#[test]
fn an_error_has_its_file_line_column_and_caret() {
    let seen = refused("caret", with("replicas = 12", "replica = 12"));
    let line = scenario().lines().position(|line| line == "replicas = 12").expect("it is there");
    assert!(seen.contains(&format!("--> bad.toml:{}:1\n", line + 1)), "{seen}");
    assert!(seen.contains("^^^^^^^"), "{seen}");
}

#[test]
fn a_tape_plays_its_run_again_and_no_other() {
    let story = "scenarios/free-tier-usage/killed-mid-add.toml";
    let recorded = command(root(), &["replay", story, "--seed", "11", "--record"]).output();
    let recorded = recorded.expect("it runs");
    assert!(recorded.status.success());
    let folder = folder("tape", "run.tape", &recorded.stdout);
    let tape = folder.join("run.tape").display().to_string();
    let told = |arguments: &[&str]| {
        let output = command(root(), arguments).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("it is text");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (output.status.code(), lines)
    };
    let (code, mut by_tape) = told(&["replay", story, "--tape", &tape]);
    let (_, mut by_seed) = told(&["replay", story, "--seed", "11"]);
    assert_eq!(code, Some(0));
    let hash =
        |line: Option<String>| line.and_then(|line| Some(line.rsplit_once(' ')?.1.to_owned()));
    assert_eq!(hash(by_tape.pop()), hash(by_seed.pop()));
    assert_eq!(by_tape, by_seed);
    assert_eq!(told(&["replay", BEFORE, "--tape", &tape]), (Some(6), Vec::new()));
    assert_eq!(told(&["replay", story, "--tape", BEFORE]), (Some(6), Vec::new()));
    assert_eq!(told(&["replay", story, "--tape", "nothing.tape"]), (Some(2), Vec::new()));
}
