//! The house rules that no compiler knows: who may know whom inside the simulator, what its code
//! may not say, and how a file begins and how long it gets.

mod support;

use bootrace::load::load;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who may know whom in `sim/src`: the longest path that matches a file is the one that counts. The
/// lists are what holds today: take from them, and think before adding.
const KNOWS: [(&str, &[&str]); 38] = [
    ("clock.rs", &[]),
    ("civil.rs", &[]),
    ("choices.rs", &[]),
    // Everybody may hold a planted fault.
    ("mutants.rs", &[]),
    ("policy", &["choices", "mutants"]),
    ("redis", &["clock", "redis"]),
    ("ticks.rs", &["bullmq::cron", "civil"]),
    ("database.rs", &["clock", "event"]),
    // Events name jobs by what Redis holds.
    ("event.rs", &["choices", "clock", "mutants", "redis"]),
    ("event", &["clock"]),
    ("kernel", &["choices", "civil", "clock", "event", "mutants"]),
    ("bullmq/cron", &["civil", "mutants"]),
    ("bullmq/cron.rs", &["civil"]),
    ("bullmq/keys.rs", &["event", "mutants", "redis"]),
    ("bullmq/options.rs", &["clock", "scenario"]),
    ("bullmq/version.rs", &[]),
    (
        "bullmq/scripts",
        &[
            "bullmq::Version",
            "bullmq::keys",
            "bullmq::options",
            "clock",
            "event",
            "mutants",
            "redis",
        ],
    ),
    ("bullmq/repeat.rs", &["civil", "mutants"]),
    ("bullmq", &["clock", "event", "kernel", "mutants", "redis", "scenario", "servers"]),
    (
        "scenario",
        &[
            "bullmq::Version",
            "bullmq::cron",
            "bullmq::ids",
            // Answers are by the names of their questions.
            "choices",
            "civil",
            "clock",
            "event",
            "ticks",
        ],
    ),
    // A life is who an event is about.
    ("oracle", &["choices", "clock", "event", "mutants", "scenario", "ticks"]),
    (
        "servers.rs",
        &[
            "bullmq::keys",
            "bullmq::scripts",
            "choices",
            "clock",
            "database",
            "event",
            "kernel",
            "redis",
        ],
    ),
    ("release", &["bullmq", "clock", "database", "event", "scenario", "servers"]),
    (
        "release.rs",
        &["bullmq", "choices", "civil", "clock", "event", "scenario", "servers", "ticks"],
    ),
    ("fleet.rs", &["choices", "clock", "event", "kernel", "mutants", "scenario", "servers"]),
    ("fleet", &["choices", "civil", "clock", "event", "kernel", "scenario", "servers"]),
    ("battery", &["bullmq", "civil", "clock", "event", "scenario"]),
    // A monitor sees what oracles see, and judges nothing.
    ("metric.rs", &["choices", "clock", "event", "oracle", "scenario", "ticks"]),
    ("metric", &["event"]),
    ("alert.rs", &["choices", "clock", "event", "metric", "scenario"]),
    ("alert", &["clock", "event", "scenario"]),
    ("soak.rs", &["clock", "event", "scenario"]),
    ("plan", &["battery", "bullmq", "clock", "event", "scenario"]),
    (
        "world.rs",
        &[
            "alert",
            "bullmq::keys",
            "choices",
            "clock",
            "event",
            "fleet",
            "kernel",
            "oracle",
            "redis",
            "release",
            "scenario",
            "servers",
        ],
    ),
    ("client.rs", &["kernel", "redis", "servers"]),
    ("property.rs", &["choices", "clock", "event"]),
    (
        "container.rs",
        &[
            "choices", "civil", "clock", "event", "kernel", "property", "scenario", "servers",
            "world",
        ],
    ),
    ("lib.rs", &[]),
];

/// What the pure half may depend on: none of it reads a file, a clock or a socket.
const DEPENDENCIES: [&str; 12] = [
    "indexmap",
    "jiff",
    "md-5",
    "mlua",
    "rand",
    "rand_chacha",
    "serde",
    "serde_json",
    "sha1_smol",
    "strsim",
    "tokio",
    "toml",
];

/// Names of the scenarios that are words of the format, too.
const WORDS_OF_THE_FORMAT: [&str; 1] = ["worker"];

/// Names of the scenarios that are words of Redis: LINSERT BEFORE, LATENCY HISTORY, MEMORY USAGE.
const WORDS_OF_REDIS: [&str; 3] = ["before", "history", "usage"];

const LONGEST_FILE: usize = 600;

/// A source file without its tests.
struct Source {
    path: PathBuf,
    /// All of it.
    text: String,
    /// What stands before its tests; nothing of a file that is a test.
    code: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let files = support::files(folder, "rs");
    let read = |path: &PathBuf| fs::read_to_string(path).expect("it is text");
    let tests: BTreeSet<PathBuf> =
        files.iter().flat_map(|path| test_modules(path, &read(path))).collect();
    let source = |path: PathBuf| {
        let text = read(&path);
        let is_test = path.ancestors().any(|above| tests.contains(above));
        let code = match text.find("\n#[cfg(test)]\nmod tests {") {
            _ if is_test => String::new(),
            Some(place) => text[..place + 1].to_owned(),
            None => text.clone(),
        };
        Source { path, text, code }
    };
    files.into_iter().map(source).collect()
}

/// The files and folders of the modules that a file declares for tests alone.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let names = declared.filter_map(|pair| pair[1].strip_prefix("mod ")?.strip_suffix(';'));
    let folder = match path.file_name() {
        Some(name) if name == "mod.rs" || name == "lib.rs" => path.parent().expect("it has one"),
        _ => &path.with_extension(""),
    };
    names.flat_map(|name| [folder.join(name), folder.join(format!("{name}.rs"))]).collect()
}

/// Code without comments, and the texts of its string literals.
fn lex(code: &str) -> (String, Vec<String>) {
    let (mut bare, mut literals) = (String::new(), Vec::new());
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if next == '"' {
            let end = closing_quote(rest);
            literals.push(rest[1..end].to_owned());
            rest = &rest[end + 1..];
        } else if rest.starts_with("r#\"") {
            let end = rest.find("\"#").expect("a raw string ends");
            literals.push(rest[3..end].to_owned());
            rest = &rest[end + 2..];
        } else if rest.starts_with("'\"'") {
            rest = &rest[3..];
        } else if rest.starts_with("'\\") {
            rest = rest[3..].find('\'').map_or("", |end| &rest[end + 4..]);
        } else {
            bare.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    (bare, literals)
}

/// Where the string that begins a text ends.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    let closes = |(_, letter): &(usize, char)| {
        let closes = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        closes
    };
    text.char_indices().skip(1).find(closes).expect("a string ends").0
}

/// The `module` or `module::part` of every `crate::` path in bare code.
fn known(bare: &str) -> BTreeSet<(String, String)> {
    let mut known = BTreeSet::new();
    for (place, found) in bare.match_indices("crate::") {
        let path: String = bare[place + found.len()..]
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '_' | ':'))
            .collect();
        let mut parts = path.split("::").map(str::to_owned);
        known.insert((parts.next().unwrap_or_default(), parts.next().unwrap_or_default()));
    }
    known
}

/// What a file of `sim/src` may know.
fn allowed(name: &str) -> &'static [&'static str] {
    let matches = |(path, _): &&(&str, &[&str])| {
        name == *path || name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    };
    let longest = KNOWS.iter().filter(matches).max_by_key(|(path, _)| path.len());
    longest.unwrap_or_else(|| panic!("{name} is new: say in KNOWS what it may know")).1
}

#[test]
fn everyone_knows_only_what_is_below() {
    let mut unused: BTreeMap<&str, BTreeSet<&str>> =
        KNOWS.iter().map(|(path, knows)| (*path, knows.iter().copied().collect())).collect();
    for source in sources("sim/src") {
        let name = support::named(&source.path);
        let name = name.strip_prefix("sim/src/").expect("it is in the folder");
        let (bare, _) = lex(&source.code);
        assert!(!bare.contains("bootrace::"), "{name} knows the impure half");
        assert!(!bare.contains("crate::{"), "{name}: say `use crate::` once for each module");
        for (module, part) in known(&bare) {
            let whole = format!("{module}::{part}");
            let by = allowed(name).iter().find(|knows| **knows == module || **knows == whole);
            let by = by.unwrap_or_else(|| panic!("{name} may not know {whole}"));
            let matches = |path: &&&str| name.starts_with(**path);
            let entry = unused.keys().filter(matches).max_by_key(|path| path.len()).copied();
            unused.get_mut(entry.expect("it is allowed by one")).map(|left| left.remove(by));
        }
    }
    unused.retain(|_, left| !left.is_empty());
    assert!(unused.is_empty(), "nobody needs these any more: {unused:?}");
}

#[test]
fn every_file_says_what_it_is_and_is_not_too_long() {
    let mut seen = 0;
    for folder in ["src", "sim", "tests", "benches"] {
        for Source { path, text, code } in sources(folder) {
            let name = support::named(&path);
            assert!(text.starts_with("//! "), "{name} does not say what it is");
            let lines = code.lines().count();
            assert!(lines <= LONGEST_FILE, "{name} has {lines} lines; {LONGEST_FILE} are the most");
            seen += 1;
        }
    }
    assert!(seen > 60, "only {seen} files were looked at");
}

#[test]
fn no_test_is_switched_off_and_no_lint() {
    for folder in ["src", "sim", "tests", "benches"] {
        for source in sources(folder) {
            let (bare, _) = lex(&source.text);
            for off in ["#[ignore", "#[allow(", "#![allow(", "unsafe {"] {
                assert!(!bare.contains(off), "{} says {off}", support::named(&source.path));
            }
        }
    }
}

/// The names of the scenarios and of what is in them, and those of the recorded cases.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let stem =
        |path: &PathBuf| path.file_stem().expect("it has one").to_string_lossy().into_owned();
    for file in support::files("scenarios", "toml") {
        names.insert(stem(&file));
        names.extend(file.parent().map(|folder| stem(&folder.to_owned())));
        let scenario = load(&file).unwrap_or_else(|error| panic!("{error:?}")).scenario;
        names.insert(scenario.name.to_string());
        names.extend(scenario.schedules.iter().map(|schedule| schedule.name.to_string()));
        names.extend(scenario.queues.iter().map(|queue| queue.name.to_string()));
        names.extend(scenario.jobs.iter().map(|job| job.name.to_string()));
        names.extend(scenario.releases.iter().map(|release| release.name.to_string()));
        names.extend(scenario.services.iter().map(|service| service.name.to_string()));
    }
    names.extend(support::files("tests/truth/cases", "json").iter().map(stem));
    for word in WORDS_OF_THE_FORMAT {
        assert!(names.remove(word), "{word} is no name of a scenario any more");
    }
    names
}

#[test]
fn no_story_is_a_special_case() {
    let names = names();
    assert!(names.len() > 15, "{names:?}");
    for source in sources("sim/src") {
        let (_, literals) = lex(&source.code);
        for literal in literals {
            // A long name may not hide in a longer text either.
            let own = source.path.to_string_lossy().contains("/redis/")
                && WORDS_OF_REDIS.contains(&literal.as_str());
            let said = |name: &&String| {
                !own && (literal == **name || (name.len() >= 10 && literal.contains(name.as_str())))
            };
            if let Some(name) = names.iter().find(said) {
                panic!("{} says {name:?} in {literal:?}", support::named(&source.path));
            }
        }
    }
}

#[test]
fn the_pure_half_depends_on_nothing_that_does_io() {
    let manifest = fs::read_to_string(support::root().join("sim/Cargo.toml")).expect("it is there");
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with('[')).collect();
    let named: Vec<&str> =
        lines.iter().filter_map(|line| Some(line.split_once('=')?.0.trim())).collect();
    assert_eq!(named, DEPENDENCIES);
    let says = |name: &str, what: &str| {
        let line = lines.iter().find(|line| line.starts_with(&format!("{name} =")));
        assert!(line.is_some_and(|line| line.contains(what)), "{name} without {what}");
    };
    // The parts of them that could do it are left out.
    says("tokio", "default-features = false, features = [\"sync\"]");
    says("jiff", "default-features = false, features = [\"alloc\", \"tzdb-bundle-always\"]");
    says("rand_chacha", "default-features = false");
    assert!(!manifest.contains("[build-dependencies]") && !manifest.contains("[target"));
}

#[test]
fn the_lexer_of_this_test_sees_what_it_should() {
    let code =
        "a // \"no\"\n\"yes \\\" // \" b '\"' c '\\'' r#\"raw \"quoted\"\"# 'x' // crate::no\n";
    let (bare, literals) = lex(code);
    assert_eq!(literals, ["yes \\\" // ", "raw \"quoted\""]);
    assert_eq!(bare.split_whitespace().collect::<String>(), "abc'x'");
    let known: Vec<String> = known("use crate::a::b::C; crate::d::{e}")
        .into_iter()
        .map(|(module, part)| format!("{module} {part}"))
        .collect();
    assert_eq!(known, ["a b", "d "]);
}
