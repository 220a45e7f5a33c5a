//! A scenario that extends another file: what is read, what is refused, and which file a problem
//! is in.

use bootrace::load::{Error, load};
use std::fs;
use std::path::{Path, PathBuf};

const BASE: &str = include_str!("../scenarios/free-tier-usage/before.toml");

/// A fresh folder of scenarios, and the file in it that extends `named`.
fn scenarios(test: &str, named: &str) -> (PathBuf, PathBuf) {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("extends").join(test);
    let _ = fs::remove_dir_all(&root);
    let folder = root.join("scenarios/mine");
    fs::create_dir_all(&folder).expect("it can be made");
    fs::create_dir_all(root.join("scenarios/bases")).expect("it can be made");
    fs::write(root.join("scenarios/bases/base.toml"), BASE).expect("it can be written");
    fs::write(root.join("outside.toml"), BASE).expect("it can be written");
    let file = folder.join("mine.toml");
    let text = format!("name = \"mine\"\nextends = \"{named}\"\n[service.worker]\nreplicas = 3\n");
    fs::write(&file, text).expect("it can be written");
    (root, file)
}

/// Why the base is refused.
fn refused(test: &str, named: &str) -> String {
    why(&scenarios(test, named).1)
}

fn why(file: &Path) -> String {
    match load(file) {
        Err(Error::Bad(source, problems)) => {
            let [problem] = &problems[..] else { panic!("{problems:#?}") };
            assert_eq!((problem.code, source.place(problem.at()).1), ("BR036", 2));
            problem.message.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_base_within_the_scenarios_is_read() {
    let (_, file) = scenarios("good", "../bases/base.toml");
    let loaded = load(&file).unwrap_or_else(|error| panic!("{error}"));
    let scenario = &loaded.scenario;
    assert_eq!((&*scenario.name, scenario.services[0].replicas), ("mine", 3));
    assert_eq!(scenario.expectations.len(), 3);
    let effective = bootrace::report::effective::effective(&loaded);
    let line = |part: &str| {
        let line = effective.lines().find(|line| line.starts_with(part));
        line.and_then(|line| line.rsplit('/').next()).unwrap_or_else(|| panic!("{part}")).to_owned()
    };
    assert_eq!(line("replicas = 3 "), "mine.toml:4");
    assert_eq!(line("length = \"20m\" "), "base.toml:9");
}

#[test]
fn a_problem_of_the_base_names_the_base() {
    let (root, file) = scenarios("wrong", "../bases/base.toml");
    let bad = BASE.replace("boot     = \"0s..10m\"", "boot     = 600");
    fs::write(root.join("scenarios/bases/base.toml"), bad).expect("it can be written");
    let shown = load(&file).expect_err("the base is wrong").to_string();
    assert!(shown.contains("mine/../bases/base.toml:36:12\n"), "{shown}");
    assert!(shown.contains("36 | boot     = 600\n"), "{shown}");
    assert!(shown.contains("error: 1 problem in "), "{shown}");
}

#[test]
fn two_files_are_shown_where_both_are_needed() {
    let (_, file) = scenarios("both", "../bases/base.toml");
    let text = fs::read_to_string(&file).expect("it is there") + "[release.befor]\nlibrary = 5\n";
    fs::write(&file, text.replace("replicas = 3", "replicas = 3\nrelease = \"befoer\""))
        .expect("it can be written");
    let shown = load(&file).expect_err("no release has that name").to_string();
    let one = shown.split("\n\n").find(|one| one.contains("BR014")).expect("it is said");
    assert!(one.contains("mine.toml:5:11\n"), "{one}");
    let (_, file) = scenarios("both", "../bases/base.toml");
    let text = fs::read_to_string(&file).expect("it is there");
    let text = text + "[schedule.usage]\nevery = \"1h\"\n";
    fs::write(&file, text).expect("it can be written");
    let shown = load(&file).expect_err("it is due in two ways").to_string();
    assert!(shown.contains("mine.toml:6:1\n") && shown.contains("base.toml:12:1\n"), "{shown}");
}

#[test]
fn what_is_no_path_from_here_is_refused() {
    for (number, named) in
        ["/etc/hostname", "file:///etc/hostname", "C:/base.toml", "https://x/y.toml", "a\\\\b.toml"]
            .into_iter()
            .enumerate()
    {
        let why = refused(&format!("path-{number}"), named);
        assert!(why.contains("it must be a relative path"), "{named}: {why}");
    }
}

#[test]
fn what_lies_outside_or_is_no_other_file_is_refused() {
    let outside = "it lies outside the folder of the scenarios";
    for (test, named, expected) in [
        ("outside", "../../outside.toml", outside),
        ("far", "../../../../../../../../../../../../../../etc/hostname", outside),
        ("itself", "mine.toml", "it is this file itself"),
        ("itself-again", "../bases/../mine/mine.toml", "it is this file itself"),
        ("missing", "../bases/none.toml", "there is no such file"),
        ("folder", "../bases", "it is not a regular file"),
    ] {
        let why = refused(test, named);
        // Not every machine has the file that is far away.
        let may_miss = test == "far" && why.ends_with("there is no such file");
        assert!(why.ends_with(expected) || may_miss, "{named}: {why}");
    }
}

#[test]
fn without_a_folder_of_scenarios_a_file_extends_its_neighbours() {
    let (root, _) = scenarios("alone", "x");
    let file = root.join("mine.toml");
    let text = "name = \"mine\"\nextends = \"outside.toml\"\n";
    fs::write(&file, text).expect("it can be written");
    assert_eq!(&*load(&file).expect("its neighbour is a base").scenario.name, "mine");
    fs::write(&file, text.replace("outside.toml", "../extends.toml")).expect("it can be written");
    fs::write(root.join("../extends.toml"), BASE).expect("it can be written");
    assert!(why(&file).contains("it lies outside the folder of this file, and no folder"));
}

#[test]
#[cfg(unix)]
fn links_out_and_pipes_are_refused() {
    let (root, file) = scenarios("link", "../bases/link.toml");
    std::os::unix::fs::symlink(root.join("outside.toml"), root.join("scenarios/bases/link.toml"))
        .expect("it can be made");
    assert!(why(&file).ends_with("it lies outside the folder of the scenarios"));
    let (root, file) = scenarios("pipe", "../bases/pipe");
    let made = std::process::Command::new("mkfifo").arg(root.join("scenarios/bases/pipe")).status();
    assert!(made.is_ok_and(|status| status.success()));
    assert!(why(&file).ends_with("it is not a regular file"));
    let (root, file) = scenarios("device", "../bases/null");
    std::os::unix::fs::symlink("/dev/null", root.join("scenarios/bases/null"))
        .expect("it can be made");
    assert!(why(&file).ends_with("it lies outside the folder of the scenarios"));
}

#[test]
fn a_base_that_extends_again_is_refused() {
    let (root, file) = scenarios("twice", "../bases/base.toml");
    let base = format!("extends = \"other.toml\"\n{BASE}");
    fs::write(root.join("scenarios/bases/base.toml"), base).expect("it can be written");
    assert!(why(&file).starts_with("the base extends another file itself"));
}
