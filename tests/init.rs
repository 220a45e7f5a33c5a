//! `bootrace init`, end to end: what it writes, that it runs, and what it refuses. What it prints
//! is kept in `snapshots/`; `INSTA_UPDATE=always cargo test --test init` renews it.

mod command;
mod folder;

use command::{command, root};
use folder::folder;
use insta::assert_snapshot;
use std::fs;
use std::path::{Path, PathBuf};

const REPORTS: [&str; 5] = ["init", "--queue", "reports", "--pattern", "0 6 * * *"];

/// A folder in which nothing was written yet but one file.
fn fresh(test: &str) -> PathBuf {
    let folder = folder(&format!("init-{test}"), "before.txt", "");
    if folder.join("scenarios").exists() {
        fs::remove_dir_all(folder.join("scenarios")).expect("it can be removed");
    }
    folder
}

/// The exit code and all that is said.
fn said(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = command(folder, arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    let (out, err) = (text(output.stdout), text(output.stderr));
    let code = output.status.code().expect("it exits by itself");
    (code, format!("[exit {code}]\n--- stdout\n{out}--- stderr\n{err}"))
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| name(entry.expect("it can be read"))).collect()
}

/// What is said of a scenario that is made with these flags, and what is in it.
fn made(test: &str, flags: &[&str]) -> String {
    let folder = fresh(test);
    let (code, said) = said(&folder, &[&["init"], flags].concat());
    assert_eq!(code, 0, "{said}");
    let names = files(&folder.join("scenarios"));
    let [name] = &names[..] else { panic!("one file is written: {names:?}") };
    let text = fs::read_to_string(folder.join("scenarios").join(name)).expect("it is there");
    format!("$ bootrace init {}\n{said}--- scenarios/{name}\n{text}", flags.join(" "))
}

/// How the scenario that was made ends, and what of its expectations was not as declared.
fn verdict(test: &str, flags: &[&str]) -> (i32, Vec<String>) {
    let folder = fresh(test);
    let path = "scenarios/made.toml";
    let (code, written) = said(&folder, &[&["init", path], flags].concat());
    assert_eq!(code, 0, "{written}");
    let (code, told) = said(&folder, &["run", path, "--seeds", "20"]);
    let failed = told.lines().filter(|line| line.trim_start().starts_with("FAIL"));
    let failed = failed.filter_map(|line| line.split(": ").nth(1)?.split("  ").next());
    (code, failed.map(str::to_owned).collect())
}

#[test]
fn a_daily_report() {
    let flags = ["--queue", "reports", "--job", "daily", "--pattern", "0 6 * * *"];
    let more = ["--tz", "Europe/Berlin", "--replicas", "3", "--deploys-per-day", "2"];
    let last = ["--takes", "1m..3m", "--rows", "1200", "--api", "repeat", "--concurrency", "1"];
    assert_snapshot!(made("daily", &[&flags[..], &more, &last].concat()));
}

#[test]
fn a_period_and_a_job_besides() {
    let flags = ["--queue", "sync.v2", "--every", "15m", "--bootstrap", "--boot", "1s..5s"];
    assert_snapshot!(made("period", &flags));
}

#[test]
fn once_a_year() {
    assert_snapshot!(made("yearly", &["--queue", "year", "--pattern", "0 3 1 1 *", "--rows", "9"]));
}

#[test]
fn a_first_run_finds_what_is_wrong() {
    let hourly = ["--queue", "usage", "--pattern", "35 * * * *"];
    assert_eq!(verdict("plain", &hourly), (0, vec![]));
    let (code, failed) = verdict("bootstrap", &[&hourly[..], &["--bootstrap"]].concat());
    assert_eq!((code, &*failed[0]), (1, "firings per window at most 1"));
    // Without a deploy the jobs that are too many come before the first window.
    let still = [&hourly[..], &["--bootstrap", "--deploys-per-day", "0"]].concat();
    assert_eq!(verdict("still", &still), (1, vec!["executions in all at most 4".to_owned()]));
    // Longer than a container has to end: what it wrote is written again.
    let long = [&hourly[..], &["--takes", "1m..3m", "--rows", "1200"]].concat();
    assert_eq!(verdict("long", &long), (1, vec!["rows per window at most 1,200".to_owned()]));
    let yearly = ["--queue", "year", "--pattern", "0 3 1 1 *", "--bootstrap"];
    assert_eq!(verdict("rare", &yearly).0, 1);
}

#[test]
fn each_flag_has_an_error_of_its_own() {
    let folder = fresh("wrong");
    let wrong: [&[&str]; 15] = [
        &["--queue", "my queue"],
        &["--job", "a/b"],
        &["--pattern", "75 * * * *"],
        &["--pattern", "0 0 31 2 *"],
        &["--tz", "Europe/Berln"],
        &["--every", "15min"],
        &["--every", "15m", "--tz", "UTC"],
        &["--replicas", "0"],
        &["--deploys-per-day", "many"],
        &["--boot", "20s..2s"],
        &["--takes", "90"],
        &["--rows", "0"],
        &["--api", "cron"],
        &["--concurrency", "0"],
        &["--example", "befor"],
    ];
    let mut all = String::new();
    for flags in wrong {
        let has = |flag| flags.contains(&flag);
        let mut arguments = vec!["init"];
        if !has("--queue") && !has("--example") {
            arguments.extend(["--queue", "reports"]);
        }
        if !has("--pattern") && !has("--every") && !has("--example") {
            arguments.extend(["--pattern", "0 6 * * *"]);
        }
        arguments.extend(flags);
        let (code, said) = said(&folder, &arguments);
        assert_eq!(code, 2, "{said}");
        let err = said.split("--- stderr\n").nth(1).expect("it has both");
        assert!(err.starts_with("error: ") && err.contains(flags[0]), "{err}");
        all += &format!("$ bootrace init {}\n{err}\n", flags.join(" "));
        assert_eq!(files(&folder), ["before.txt"]);
    }
    assert_snapshot!(all);
}

#[test]
fn nobody_is_asked_where_nobody_is() {
    let folder = fresh("nobody");
    assert_snapshot!(said(&folder, &["init"]).1 + &said(&folder, &["init", "--every", "1h"]).1);
    assert_eq!(files(&folder), ["before.txt"]);
}

#[test]
fn no_file_is_written_over() {
    let folder = fresh("twice");
    let (first, path) = (said(&folder, &REPORTS), folder.join("scenarios/reports.toml"));
    assert_eq!(first.0, 0);
    fs::write(&path, "mine").expect("it can be written");
    assert_snapshot!(said(&folder, &REPORTS).1);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "mine");
    // Said before anything else is.
    assert_eq!(said(&folder, &["init", "before.txt"]).0, 2);
    assert_eq!(said(&folder, &[&REPORTS[..], &["scenarios"]].concat()).0, 2);
    assert_eq!(files(&folder.join("scenarios")), ["reports.toml"]);
}

#[test]
fn a_name_is_not_taken_for_a_path() {
    let folder = fresh("name");
    assert_snapshot!(said(&folder, &["init", "reports", "--pattern", "0 6 * * *"]).1);
    assert_eq!(files(&folder), ["before.txt"]);
}

#[test]
fn a_path_that_must_be_quoted_is() {
    let folder = fresh("quoted");
    let (code, said) = said(&folder, &[&REPORTS[..], &["scenarios/my first/it's.toml"]].concat());
    assert_eq!(code, 0);
    let next = "next:  bootrace run 'scenarios/my first/it'\\''s.toml' --seeds 50\n";
    assert!(said.contains(next), "{said}");
}

#[test]
fn what_cannot_be_written_is_exit_5() {
    let folder = fresh("no-folder");
    let (code, said) = said(&folder, &[&REPORTS[..], &["before.txt/reports.toml"]].concat());
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("error: cannot write before.txt/reports.toml: "), "{said}");
}

#[test]
fn a_story() {
    let folder = fresh("story");
    let (code, said) = said(&folder, &["init", "--example", "job-ids"]);
    let printed = "wrote scenarios/job-ids.toml\nnext:  bootrace run scenarios/job-ids.toml\n";
    assert_eq!((code, said), (0, format!("[exit 0]\n--- stdout\n{printed}--- stderr\n")));
    let read = |path: PathBuf| fs::read_to_string(path).expect("it is there");
    let original = read(root().join("scenarios/free-tier-usage/job-ids.toml"));
    assert_eq!(read(folder.join("scenarios/job-ids.toml")), original);
}

#[test]
fn help() {
    assert_snapshot!(said(root(), &["init", "--help"]).1);
}
