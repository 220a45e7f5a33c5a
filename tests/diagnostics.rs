//! Files as somebody writes them who knows BullMQ and Kubernetes and not yet this format: each is
//! wrong in its own way and says in its first line what its author meant. What is said of them is
//! kept in `snapshots/`; `INSTA_UPDATE=always cargo test --test diagnostics` renews it, for
//! somebody to read as the author would.

mod command;

use command::{command, root};
use insta::{assert_snapshot, with_settings};
use std::fs;

/// The files that are only odd: they run, with warnings.
const RUN: [&str; 2] = ["only-warnings", "prepared-for-refusal"];

/// All files, by name.
fn files() -> Vec<String> {
    let folder = fs::read_dir(root().join("tests/broken")).expect("the folder is there");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("it can be listed").file_name();
        let name = name.into_string().expect("a name is text");
        name.strip_suffix(".toml").expect("only scenarios lie there").to_owned()
    };
    let mut names: Vec<String> = folder.map(name).collect();
    names.sort();
    names
}

/// The line and column of each problem, in the order in which they are listed. The first place of
/// a problem is its own; others, and a replacement, come behind it.
fn places(said: &str, file: &str) -> Vec<(usize, usize)> {
    let problems = said
        .split("\n\n")
        .filter(|problem| problem.starts_with("error[BR") || problem.starts_with("warning[BR"));
    problems
        .map(|problem| {
            let (_, place) = problem.split_once(&format!("--> {file}:")).expect("it has a place");
            let place = place.lines().next().unwrap_or_default();
            let (line, column) = place.split_once(':').expect("a line and a column");
            (line.parse().expect("a number"), column.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn what_is_said_of_each_file() {
    let files = files();
    assert!(files.len() >= 20, "{} files", files.len());
    for name in files {
        let file = format!("tests/broken/{name}.toml");
        let text = fs::read_to_string(root().join(&file)).expect("it can be read");
        assert!(text.starts_with("# Meant: "), "{file} does not say what its author meant");
        let arguments = ["run", &file, "--seeds", "2"];
        let output = command(root(), &arguments).output().expect("it starts");
        let said = String::from_utf8(output.stderr).expect("it prints text");
        let places = places(&said, &file);
        assert!(!places.is_empty() && places.is_sorted(), "{file}: {places:?}\n{said}");
        if RUN.contains(&&*name) {
            assert_eq!(output.status.code(), Some(0), "{file}:\n{said}");
            assert!(!said.contains("error[") && !said.contains("error: "), "{said}");
        } else {
            assert_eq!(output.status.code(), Some(2), "{file}:\n{said}");
            assert_eq!(output.stdout, b"", "{file} was run");
            let (_, last) = said.trim_end().rsplit_once('\n').expect("it ends with a count");
            let count = places.len();
            let problems = if count == 1 { "1 problem" } else { &format!("{count} problems") };
            assert_eq!(last, format!("error: {problems} in {file}; nothing was run"), "{said}");
        }
        let meant = text.lines().next().unwrap_or_default();
        with_settings!({ description => meant, omit_expression => true }, {
            assert_snapshot!(name, said);
        });
    }
}
