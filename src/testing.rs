//! One `cargo test` case for each scenario file of a folder, for a test target without a harness.
//!
//! It judges nothing itself: a file is as it declares on every seed, or its test fails.

use crate::{Explore, Scenario, load};
use libtest_mimic::{Arguments, Failed, Trial};
use std::io;
use std::ops::RangeInclusive;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::process::ExitCode;

/// The whole of a test target: plays every `*.toml` in a folder and the folders in it on these
/// seeds, a test for each, named by its path. The folder is meant from where `cargo test` runs
/// tests, the package's root. The arguments are those of any test: `--list`, filters, `--exact`.
///
/// ```toml
/// [[test]]
/// name = "scenarios"
/// harness = false
/// ```
///
/// ```no_run
/// // tests/scenarios.rs
/// fn main() -> std::process::ExitCode {
///     bootrace::testing::scenarios("scenarios", 1..=200)
/// }
/// ```
///
/// Runs are many times faster if they are optimised, in tests too:
///
/// ```toml
/// [profile.dev.package.bootrace-sim]
/// opt-level = 3
/// ```
///
/// Files with `[answers]` are regressions: each has one run, and they come first.
///
/// A test fails if its file does not parse, if the parser warns that part of it has no effect (a
/// warning that passes is read by nobody; of what probably goes wrong it warns, too, but that may
/// be what the file shows), or if anything is not as the file declares. A folder that is
/// not there or has no scenario in it is a failed test, too.
pub fn scenarios(folder: impl AsRef<Path>, seeds: RangeInclusive<u64>) -> ExitCode {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials(folder.as_ref(), &seeds)).exit_code()
}

fn trials(folder: &Path, seeds: &RangeInclusive<u64>) -> Vec<Trial> {
    let trial = |(file, loaded): (PathBuf, Read)| {
        let seeds = seeds.clone();
        Trial::test(named(&file), move || play(loaded, seeds))
    };
    match files(folder) {
        Ok(files) => regressions_first(files).into_iter().map(trial).collect(),
        Err(why) => vec![Trial::test(named(folder), || Err(Failed::from(why)))],
    }
}

/// The scenario files of a folder and of those in it, by path; there is one at least.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    find(folder, &mut files)
        .map_err(|error| format!("cannot read the folder {}: {error}", folder.display()))?;
    if files.is_empty() {
        return Err(format!("there is no scenario (*.toml) in {}", folder.display()));
    }
    files.sort();
    Ok(files)
}

/// Collects the scenario files of a folder and of those in it. Links to folders are not followed:
/// they could lead round in a circle.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

/// A path as people write it, everywhere alike.
fn named(path: &Path) -> String {
    path.to_string_lossy().replace(MAIN_SEPARATOR, "/")
}

/// A file as it was read.
type Read = Result<Scenario, load::Error>;

/// What broke once is played before anything else; and so is what cannot be read: it may have been one
/// of those.
fn regressions_first(files: Vec<PathBuf>) -> Vec<(PathBuf, Read)> {
    let read = |file: PathBuf| {
        let scenario = Scenario::load(&file);
        (file, scenario)
    };
    let mut read: Vec<_> = files.into_iter().map(read).collect();
    let later = |read: &Read| read.as_ref().is_ok_and(|one| one.meaning().answers.is_none());
    read.sort_by_key(|(_, one)| later(one));
    read
}

fn play(read: Read, seeds: RangeInclusive<u64>) -> Result<(), Failed> {
    let scenario = read.map_err(|error| error.to_string())?;
    let warnings = scenario.without_effect();
    if !warnings.is_empty() {
        return Err(warnings.into());
    }
    let report = Explore::new(&scenario).seeds(seeds).run();
    report.as_declared().map_err(Failed::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_scenarios_is_one_test_that_fails() {
        let empty = std::env::temp_dir().join(format!("bootrace-empty-{}", std::process::id()));
        std::fs::create_dir_all(&empty).expect("a folder can be made");
        let found = files(&empty);
        let trials = trials(&empty, &(1..=1));
        std::fs::remove_dir(&empty).expect("it is empty");
        assert_eq!(found, Err(format!("there is no scenario (*.toml) in {}", empty.display())));
        assert_eq!(trials.len(), 1);
        assert_eq!(trials[0].name(), named(&empty));
    }

    #[test]
    fn a_folder_that_is_not_there_says_so() {
        let why = files(Path::new("no/such/folder")).expect_err("it is not there");
        assert!(why.starts_with("cannot read the folder no/such/folder: "), "{why}");
    }

    #[test]
    fn a_file_that_is_no_scenario_fails_with_its_diagnostics() {
        let folder = std::env::temp_dir().join(format!("bootrace-bad-{}", std::process::id()));
        let below = folder.join("below");
        std::fs::create_dir_all(&below).expect("a folder can be made");
        let file = below.join("a.toml");
        std::fs::write(&file, "format = 1\nname = \"a\"\nlenght = \"1h\"\n").expect("it is new");
        let names: Vec<String> =
            trials(&folder, &(1..=1)).iter().map(|trial| trial.name().to_owned()).collect();
        let failed = play(Scenario::load(&file), 1..=1).expect_err("it is no scenario");
        std::fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!(names, [named(&file)]);
        let message = failed.message().expect("it says why");
        assert!(message.contains("unknown key `lenght`"), "{message}");
        assert!(message.contains("; nothing was run"), "{message}");
    }

    #[test]
    fn regressions_come_first_and_play_their_one_run() {
        let folder = std::env::temp_dir().join(format!("bootrace-first-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let story = include_str!("../scenarios/free-tier-usage/before.toml");
        let answers = "\n[answers]\n\"worker-1.1 draw boot worker #0\" = 5\n";
        for (name, text) in [("a", story), ("b", &(story.to_owned() + answers)), ("c", "= 1")] {
            let file = folder.join(name).with_extension("toml");
            std::fs::write(file, text).expect("it can be written");
        }
        let read = regressions_first(files(&folder).expect("there are some"));
        let found: Vec<_> =
            trials(&folder, &(1..=200)).iter().map(|one| one.name().to_owned()).collect();
        std::fs::remove_dir_all(&folder).expect("it is ours");
        let named = |name: &str| named(&folder.join(name).with_extension("toml"));
        assert_eq!(found, [named("b"), named("c"), named("a")]);
        let [(_, regression), _, _] = &read[..] else { panic!("{read:?}") };
        let report = Explore::new(regression.as_ref().expect("it is one")).seeds(1..=200).run();
        assert_eq!((report.seeds, report.answered), ((1, 1), true));
    }
}
