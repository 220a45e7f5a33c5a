//! Shrinking from the outside: the same bytes every time, a whole file whatever ends it, and a result
//! that stands for one run, says what it is, and is never taken for another.

mod command;
mod folder;

use bootrace::shrink::{Failure, Refused, keep};
use bootrace::sim::policy::Kind;
use bootrace::sim::run;
use bootrace::sim::scenario::parse;
use bootrace::{Explore, Scenario};
use command::{command, root};
use folder::folder;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

const BEFORE: &str = "scenarios/free-tier-usage/before.toml";
const KILLED: &str = "scenarios/regressions/f4-killed-between-two-round-trips.toml";

fn text(file: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(file)).expect("it can be read")
}

/// The exit of an invocation, and what it prints and says.
fn seen(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder, arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    let code = output.status.code().expect("it exits by itself");
    (code, text(output.stdout), text(output.stderr))
}

/// A folder of its own with the incident in it and nothing else.
fn fresh(test: &str, story: &str) -> std::path::PathBuf {
    let folder = folder(test, "story.toml", story);
    for left in ["one.toml", "two.toml", "kept.toml", "one.tape"] {
        let _ = fs::remove_file(folder.join(left));
    }
    let _ = fs::remove_dir_all(folder.join("scenarios"));
    folder
}

fn failure(story: &str, kind: Kind, seed: u64, place: Option<usize>) -> Result<Failure, Refused> {
    let scenario = Arc::new(parse(story).expect("it parses").0);
    let outcome = run(&scenario, kind.policy(seed), true, &mut ());
    Failure::of(story, &scenario, &outcome, place)
}

/// Whether the one run of a file is as it declares.
fn as_declared(text: &str) -> Result<(), String> {
    let scenario = Scenario::parse(text).map_err(|error| error.to_string())?;
    Explore::new(&scenario).run().as_declared()
}

#[test]
fn one_failure_comes_to_one_file_on_any_number_of_threads() {
    let folder = fresh("shrink-same", &text(BEFORE));
    let mut made = Vec::new();
    for threads in ["1", "4"] {
        let mut command = command(&folder, &["shrink", "story.toml", "--out", "one.toml"]);
        let output = command.env("RAYON_NUM_THREADS", threads).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let file = folder.join("one.toml");
        made.push((output.stdout, fs::read_to_string(&file).expect("it is there")));
        fs::remove_file(file).expect("it can be removed");
    }
    assert_eq!(made[0], made[1]);
    let (printed, story) = &made[0];
    let printed = String::from_utf8_lossy(printed);
    assert!(printed.contains("\n  after:  2 containers, 0 answers not plain, "), "{printed}");
    assert!(printed.ends_with("\nReplay: bootrace replay one.toml\n"), "{printed}");
    assert_eq!(as_declared(story), Ok(()), "{story}");
}

#[test]
fn the_usual_place_is_named_after_the_file_and_the_property() {
    let folder = fresh("shrink-usual", &text(BEFORE));
    let (code, printed, said) = seen(&folder, &["shrink", "story.toml", "--expect", "2"]);
    assert_eq!((code, said.as_str()), (0, ""));
    let file = "scenarios/regressions/story-rows-in-all.toml";
    assert!(printed.starts_with(&format!("wrote {file}\n")), "{printed}");
    assert_eq!(seen(&folder, &["run", file]).0, 0);
    assert_eq!(seen(&folder, &["replay", file]).0, 0);
    // What is there is never written over, and a file with answers is what is shrunk on.
    let (code, _, said) = seen(&folder, &["shrink", "story.toml", "--expect", "2"]);
    assert!(code == 2 && said.contains("exists already"), "{said}");
    let made = fs::read_to_string(folder.join(file)).expect("it is there");
    assert_eq!(seen(&folder, &["shrink", file]).0, 0);
    assert_eq!(fs::read_to_string(folder.join(file)).expect("it is there"), made);
}

#[test]
fn what_breaks_nothing_is_not_shrunk() {
    let folder = fresh("shrink-nothing", &text("scenarios/free-tier-usage/job-ids.toml"));
    let (code, printed, said) = seen(&folder, &["shrink", "story.toml", "--out", "one.toml"]);
    assert_eq!((code, printed.as_str()), (2, ""));
    assert!(said.starts_with("error: story.toml: seed 1 does not break any expectation"), "{said}");
    assert!(!folder.join("one.toml").exists());
    assert_eq!(failure(&text(BEFORE), Kind::Random, 1, Some(2)).err(), Some(Refused::Holds));
}

#[test]
fn every_policy_comes_to_the_same_kind_of_story() {
    for kind in [Kind::Random, Kind::Pct(3), Kind::Starvation] {
        let failure = failure(&text(BEFORE), kind, 3, None).expect("it breaks");
        assert_eq!(failure.hashes.1, None, "the answers by name are the run");
        assert_eq!(failure.found.containers.len(), 12);
        let found = failure.shrink(&mut |_, _| true);
        assert_eq!(found.containers.len(), 2, "{kind}");
        assert_eq!(found.case.answers(), [], "{kind}");
    }
}

#[test]
fn a_failure_is_saved_before_anything_is_done_with_it() {
    let folder = fresh("shrink-panics", &text(BEFORE));
    let first = failure(&text(BEFORE), Kind::Random, 1, None).expect("it breaks");
    let first = first.found.case.text("A failure\nthat nobody has shrunk yet.");
    let file = folder.join("kept.toml");
    let work = |_: &dyn Fn(&str) -> std::io::Result<()>| panic!("a bug in the shrinker");
    let panicked = catch_unwind(AssertUnwindSafe(|| keep(&file, false, &first, work)));
    assert!(panicked.is_err());
    let kept = fs::read_to_string(&file).expect("it is there");
    assert_eq!(kept, first);
    assert_eq!(as_declared(&kept), Ok(()));
    // A second one of that name is refused, before any work.
    let refused =
        keep(&file, false, "another", |_| panic!("nobody works")).expect_err("it is taken");
    assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), first);
}

#[test]
fn a_part_of_a_regression_is_never_taken_for_it() {
    for file in [KILLED, "scenarios/regressions/f1-bootstrap-in-every-boot.toml"] {
        let whole = text(file);
        assert_eq!(as_declared(&whole), Ok(()));
        let mut refused_by_run = 0;
        for length in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
            let part = &whole[..length];
            let why = as_declared(part).expect_err(&format!("{file} cut at {length}"));
            refused_by_run += usize::from(parse(part).is_ok());
            assert!(!why.is_empty());
        }
        assert!(refused_by_run < 5, "{file}: {refused_by_run} parts are scenarios");
    }
}

#[test]
fn it_outlives_what_is_no_part_of_it() {
    let whole = text(KILLED);
    let more = "\n[queue.unrelated]\n\n[job.unrelated]\nsteps = [ { sleep = \"1s..9s\" } ]\n\n\
                [release.unrelated]\nlibrary = \"bullmq@6.7.0\"\nsteps = [ { add = \"unrelated\", \
                queue = \"unrelated\" }, { worker = \"unrelated\" } ]\n\n[service.unrelated]\n\
                release = \"unrelated\"\nreplicas = 3\n";
    assert_eq!(as_declared(&(whole + more)), Ok(()));
}

#[test]
fn what_no_longer_applies_is_named() {
    let name = "worker-9.1 send addRepeatableJob #0";
    let story = text(KILLED).replace("[answers]\n", &format!("[answers]\n\"{name}\" = 3\n"));
    let folder = fresh("shrink-diverged", &story);
    for arguments in [["run", "story.toml"], ["replay", "story.toml"], ["shrink", "story.toml"]] {
        let (code, printed, said) = seen(&folder, &arguments);
        assert_eq!(code, 6, "{arguments:?}: {printed}{said}");
        let named = format!("`{name}` was never asked");
        assert!(printed.contains(&named) || said.contains(&named), "{printed}{said}");
    }
    assert!(as_declared(&story).expect_err("it diverges").contains("DIVERGED"));
}

#[test]
#[cfg(target_os = "linux")]
fn whatever_ends_it_leaves_a_whole_file() {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    // Each candidate takes a while, and no answer is not plain.
    let story = text(BEFORE).replace("length = \"20m\"\n", "length = \"1d\"\n\n[answers]\n");
    let folder = fresh("shrink-ends", &story);
    let file = folder.join("one.toml");
    for (arguments, code) in [(&["--for", "1s"][..], 7), (&[], 130)] {
        let _ = fs::remove_file(&file);
        let all = [&["shrink", "story.toml", "--out", "one.toml"], arguments].concat();
        let prepared = command(&folder, &all);
        let child = Command::new(prepared.get_program())
            .args(&all)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        if code == 130 {
            while !file.exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(500));
            let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(sent.expect("there is kill").success());
        }
        let output = child.wait_with_output().expect("it ends");
        let printed = String::from_utf8(output.stdout).expect("it prints text");
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert!(printed.contains("it could be smaller\nReplay: "), "{printed}");
        assert_eq!(seen(&folder, &["run", "one.toml"]).0, 0, "{printed}");
    }
}

#[test]
fn what_has_too_many_answers_for_a_file_is_a_tape_until_there_are_fewer() {
    let story = text(BEFORE).replace("length = \"20m\"", "length = \"2h\"");
    let folder = fresh("shrink-tape", &story);
    let shrink = ["shrink", "story.toml", "--out", "one.toml"];
    let (code, printed, _) = seen(&folder, &[&shrink[..], &["--for", "1us"]].concat());
    assert_eq!(code, 7, "{printed}");
    let (_, again) = printed.split_once("Replay: bootrace ").expect("it says how");
    assert_eq!(again, "replay story.toml --tape one.tape\n");
    let again: Vec<&str> = again.split_whitespace().collect();
    assert_eq!(seen(&folder, &again).0, 0);
    assert!(!folder.join("one.toml").exists());
    fs::remove_file(folder.join("one.tape")).expect("it is there");
    assert_eq!(seen(&folder, &shrink).0, 0);
    assert!(folder.join("one.toml").exists() && !folder.join("one.tape").exists());
}

#[test]
fn a_container_that_is_left_out_keeps_its_place() {
    let rolling = text("scenarios/free-tier-usage/before-rolling.toml");
    let names = |text: &str| {
        let scenario = Arc::new(parse(text).unwrap_or_else(|problems| panic!("{problems:#?}")).0);
        let outcome = run(&scenario, Kind::Random.policy(1), false, &mut ());
        outcome.lives.iter().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>()
    };
    let few = rolling.replace("replicas = 12", "replicas = 3");
    let without = |ordinals: &str| {
        few.replace("replicas = 3", &format!("replicas = 3\nwithout = {ordinals}"))
    };
    let of = |ordinals: &[u32]| {
        let lives = ordinals.iter().map(|ordinal| format!("worker-{ordinal}.1"));
        lives.chain(["world".to_owned()]).collect::<std::collections::BTreeSet<_>>()
    };
    // Three before the deploy, and three that take their places.
    assert_eq!(names(&few), of(&[1, 2, 3, 4, 5, 6]));
    assert_eq!(names(&without("[2]")), of(&[1, 3, 4, 5, 6]));
    assert_eq!(names(&without("[1, 2, 3]")), of(&[4, 5, 6]));
    assert_eq!(names(&without("[4, 5]")), of(&[1, 2, 3, 6]));
    assert_eq!(names(&without("[1, 2, 3, 4, 5, 6]")), of(&[]));
}
