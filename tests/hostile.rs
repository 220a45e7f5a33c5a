//! Files that are made to hurt: nothing panics, hangs, takes much memory, is run or is written, and
//! each cause gets one answer.
//!
//! The classes, and where this format differs from what one could expect:
//!
//! |    | class                           | what is said, with exit 2                                 |
//! |----|---------------------------------|-----------------------------------------------------------|
//! |  1 | empty, only comments            | BR010                                                     |
//! |  2 | 1 GB                            | refused by its size, before it is opened                  |
//! |  3 | endless: FIFO, device, stdin    | no regular file, asked before it is opened                |
//! |  4 | directory, missing, unreadable  | the system's words                                        |
//! |  5 | symlinks in a loop              | the system's words                                        |
//! |  6 | no UTF-8                        | the byte                                                  |
//! |  7 | byte order mark, UTF-16         | the mark is passed over; UTF-16 is named, or BR001        |
//! |  8 | CRLF, CR, NEL, U+2028           | CRLF ends a line; the others are BR001, or text           |
//! |  9 | NUL                             | BR001 as it is, BR012 in an escape                        |
//! | 10 | cut off at each byte            | an answer; some of them are whole scenarios               |
//! | 11 | nesting                         | BR011 at 64                                               |
//! | 12 | many keys or elements           | BR011 at 100,000 words and marks, before they are parsed  |
//! | 13 | billion laughs                  | TOML has no references: BR001; `extends` goes one level   |
//! | 14 | a key twice in a table          | BR002                                                     |
//! | 15 | a name twice                    | BR002                                                     |
//! | 16 | names equal but for case, NFC   | BR013; names are ASCII: BR012                             |
//! | 17 | unknown key                     | BR003                                                     |
//! | 18 | key of another table            | BR004                                                     |
//! | 19 | wrong type                      | BR006                                                     |
//! | 20 | missing key                     | BR005, BR007 if it is one of several                      |
//! | 21 | negative length of time         | BR017                                                     |
//! | 22 | zero where time must go on      | BR027                                                     |
//! | 23 | length of time too long         | BR017, BR011 for a run of more than 400 days              |
//! | 24 | units                           | BR016 without one, BR017 for one that is none             |
//! | 25 | parts of ns, `1e400`, NaN, -0.0 | BR017, and BR006: no key takes a number with a point      |
//! | 26 | odds                            | BR019; there are no weights                               |
//! | 27 | number too large                | BR020; hexadecimal, octal, binary and `_` are TOML's      |
//! | 28 | huge counts                     | BR020, BR011 for all services together                    |
//! | 29 | products that overflow          | no factor is so large: BR020                              |
//! | 30 | nothing to do or to judge       | BR034; no containers: BR102, a warning, and exit 3        |
//! | 31 | cycles                          | only `extends` could make one: BR036; a step, BR014       |
//! | 32 | names that nothing has          | BR014                                                     |
//! | 33 | no cron pattern                 | BR022                                                     |
//! | 34 | a pattern that never comes      | BR022 or BR023; in a registration alone perhaps exit 3    |
//! | 35 | zones                           | BR024; their data is in the program                       |
//! | 36 | dates                           | BR025, BR026; BR001 if TOML has no such year              |
//! | 37 | leap second                     | BR025                                                     |
//!
//! Measured in a development build: at most 35 MB, for the parser's errors in a row of 99,000 `=`,
//! and 1.1 s, for 200 problems in one line of 2 MB; most take less than 14 MB and 0.2 s. Here each
//! may take five seconds, since machines are noisy, and `ADDRESSES_KB` of addresses, of which the
//! program and its libraries have a part before it reads anything.

mod command;

use assert_cmd::Command;
use bootrace_sim::scenario::{Severity, parse};
use command::{command, root};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const GOOD: &str = r#"format = 1
name   = "small"
length = "2h"

[schedule.tick]
every = "1h"
queue = "work"
job   = "tick"

[queue.work]

[job.tick]
steps = [ { write = { rows = 1, batches = 1 } } ]

[release.one]
library = "bullmq@5.34.10"
steps = [
  { add = "tick", queue = "work", repeat = { every = "1h" } },
  { worker = "work" },
]

[service.web]
release  = "one"
replicas = 2

[[event]]
at     = "30m"
deploy = "one"

[faults]
kill = { odds = "25%" }

[[expect]]
always  = "firings per window"
at_most = 1
"#;

/// Far above what any file may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A fresh folder for the files of some classes.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("cargo's own folder can be written to");
    folder
}

fn listing(folder: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(folder).expect("it can be listed").map(|entry| {
        let path = entry.expect("it can be listed").path();
        let len = fs::symlink_metadata(&path).expect("it is there").len();
        (path, len)
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

/// The exit code, and what is said, of a file that is in no case written to.
fn said_by(mut command: Command, folder: &Path) -> (i32, String, String) {
    let before = listing(folder);
    let output = command.timeout(PATIENCE).output().expect("it starts");
    assert_eq!(listing(folder), before, "something was written");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    let (out, said) = (text(output.stdout), text(output.stderr));
    assert!(!said.contains("panicked"), "{said}");
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("it does not end by itself in time: {said:.2000}"));
    (code, out, said)
}

fn run(folder: &Path, file: &str) -> (i32, String, String) {
    said_by(command(folder, &["run", file, "--seeds", "1"]), folder)
}

/// The codes of the problems in what was said.
fn codes(said: &str) -> Vec<&str> {
    let heads = said.lines().filter_map(|line| {
        let rest = line.strip_prefix("error[").or_else(|| line.strip_prefix("warning["))?;
        rest.split_once(']').map(|(code, _)| code)
    });
    heads.collect()
}

/// What is said of a file that must be refused.
#[track_caller]
fn refused(folder: &Path, file: &str) -> String {
    let (code, out, said) = run(folder, file);
    assert_eq!((code, &*out), (2, ""), "{file}: {said:.2000}");
    said
}

/// Refuses a file with these codes and no others.
#[track_caller]
fn bad(folder: &Path, file: &str, text: impl AsRef<[u8]>, expected: &[&str]) -> String {
    fs::write(folder.join(file), text).expect("it can be written");
    let said = refused(folder, file);
    assert_eq!(codes(&said), expected, "{file}: {said:.2000}");
    assert!(said.contains("nothing was run"), "{said:.2000}");
    said
}

/// Refuses a file that is not even read as text, for this reason.
#[track_caller]
fn unread(folder: &Path, file: &str, why: &str) {
    let said = refused(folder, file);
    let expected = format!("error: cannot read {file}: {why}");
    assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said:.2000}");
}

/// The good file with one part changed.
#[track_caller]
fn with(part: &str, by: &str) -> String {
    assert_eq!(GOOD.matches(part).count(), 1, "{part:?} stands once in the good file");
    GOOD.replace(part, by)
}

#[test]
fn the_good_file_is_good() {
    let folder = folder("good");
    let marked = format!("\u{feff}{GOOD}");
    // Hexadecimal and the like are numbers of TOML; line separators are text in a comment.
    let forms = with("replicas = 2", "replicas = 0b1_0 # \u{85}\u{2028}")
        .replace("rows = 1", "rows = 0x1_f");
    for text in [GOOD, &marked, &GOOD.replace('\n', "\r\n"), &forms] {
        fs::write(folder.join("good.toml"), text).expect("it can be written");
        let (code, _, said) = run(&folder, "good.toml");
        assert_eq!((code, &*said), (0, ""), "{text}");
    }
}

#[test]
fn nothing_but_blanks_and_comments() {
    let folder = folder("empty");
    for text in ["", "# only\n", "\n\n\n", "\u{feff}", " \t\r\n"] {
        bad(&folder, "a.toml", text, &["BR010"]);
    }
}

#[test]
fn large_files() {
    let folder = folder("large");
    for (name, len) in [("gigabyte", 1 << 30), ("one-more", (4 << 20) + 1), ("exabyte", 1 << 42)] {
        let file = fs::File::create(folder.join(name)).expect("it can be made");
        // Not each file system takes the largest one.
        if file.set_len(len).is_ok() {
            unread(&folder, name, "it is larger than 4 MB");
        }
    }
    let keys: String = (0..1_000_000).fold(String::new(), |mut keys, n| {
        let _ = writeln!(keys, "k{n} = 1");
        keys
    });
    fs::write(folder.join("keys"), keys.repeat(10)).expect("it can be written");
    unread(&folder, "keys", "it is larger than 4 MB");
    fs::write(folder.join("list"), "1,".repeat(10_000_000)).expect("it can be written");
    unread(&folder, "list", "it is larger than 4 MB");
}

#[cfg(unix)]
#[test]
fn what_is_no_file() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder("no-file");
    let at = |name: &str| folder.join(name);
    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "there is mkfifo");
    fs::create_dir(at("folder")).expect("it can be made");
    fs::write(at("file"), GOOD).expect("it can be written");
    for (from, to) in [("loop", "loop"), ("a", "b"), ("b", "a"), ("zero", "/dev/zero")] {
        symlink(to, at(from)).expect("it can be made");
    }
    for file in ["pipe", "folder", ".", "zero", "/dev/zero", "/dev/null"] {
        unread(&folder, file, "it is not a regular file");
    }
    for file in ["loop", "a", "b"] {
        unread(&folder, file, "Too many levels of symbolic links");
    }
    unread(&folder, "none", "No such file or directory");
    unread(&folder, "file/none", "Not a directory");
    unread(&folder, &"x".repeat(5000), "File name too long");
    fs::write(at("locked"), GOOD).expect("it can be written");
    fs::set_permissions(at("locked"), PermissionsExt::from_mode(0o000)).expect("it is ours");
    // To some users nothing is locked.
    if fs::File::open(at("locked")).is_err() {
        unread(&folder, "locked", "Permission denied");
    }
    // Paths of sockets are short.
    let socket = std::env::temp_dir().join(format!("bootrace-hostile-{}", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("it can be made");
    unread(&folder, &socket.display().to_string(), "it is not a regular file");
    drop(listener);
    fs::remove_file(&socket).expect("it is ours");
    let mut endless = command(&folder, &["run", "/dev/stdin"]);
    endless.write_stdin(GOOD);
    let (code, out, said) = said_by(endless, &folder);
    assert_eq!((code, &*out), (2, ""), "{said}");
    assert!(said.contains("it is not a regular file"), "{said}");
}

#[test]
fn bytes_that_are_no_text() {
    let folder = folder("bytes");
    let bytes: [&[u8]; 5] = [b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82"];
    for bytes in bytes {
        let text = [b"name = \"", bytes].concat();
        fs::write(folder.join("a"), text).expect("it can be written");
        unread(&folder, "a", "it is not UTF-8 text: byte 8 is not part of a character");
    }
    let little: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for text in [[b"\xff\xfe", &little[..]], [b"\xfe\xff", &big[..]], [b"\xff\xfe", b"\0\0"]] {
        fs::write(folder.join("a"), text.concat()).expect("it can be written");
        unread(&folder, "a", "it is UTF-16; save it as UTF-8");
    }
    // Without a mark it is text with many zeros.
    bad(&folder, "little", &little[..40], &["BR001"; 2]);
    bad(&folder, "marks", format!("\u{feff}\u{feff}{GOOD}"), &["BR001"]);
}

#[test]
fn line_ends() {
    let folder = folder("line-ends");
    let wrong = with("replicas = 2", "replica = 2");
    for text in [wrong.clone(), wrong.replace('\n', "\r\n"), format!("\u{feff}{wrong}")] {
        let said = bad(&folder, "a", text, &["BR003"]);
        assert!(said.contains("--> a:24:1\n"), "{said}");
    }
    // The parser takes all behind it for one line.
    for end in ["\r", "\u{85}", "\u{2028}", "\u{b}", "\u{c}"] {
        bad(&folder, "a", with("format = 1\n", &format!("format = 1{end}")), &["BR001"]);
    }
}

#[test]
fn floods() {
    let folder = folder("floods");
    let deep = 100_000;
    let open =
        |open: &str, close: &str| format!("a = {}1{}", open.repeat(deep), close.repeat(deep));
    let limit: &[&str] = &["BR011"];
    for text in [
        open("[", "]"),
        open("[", ""),
        open("{a=", "}"),
        open("{a=", ""),
        format!("{}a = 1", "a.".repeat(deep / 2 - 10)),
        format!("[{}a]", "a.".repeat(deep / 2 - 10)),
        format!("a = {}{}", "[".repeat(65), "]".repeat(65)),
        format!("a = [{}]", "1,".repeat(2_000_000)),
        format!("a = {{{}}}", "b=1,".repeat(1_000_000)),
        "a=1\n".repeat(1_000_000),
        "[[a]]\n".repeat(600_000),
        format!("a = {}", "+".repeat(4_000_000)),
        "=".repeat(4_000_000),
        "\"".repeat(4_000_000),
        "\n".repeat(4_000_000),
        format!("a = \"{}\"", "\u{1}".repeat(4_000_000)),
        format!("extends = \"a.toml\"\n{}", "a=1\n".repeat(1_000_000)),
    ] {
        bad(&folder, "a", text, limit);
    }
    // As many as are read.
    let missing = "BR005";
    for (text, expected) in [
        (format!("a = [{}]", "1,".repeat(49_000)), &["BR003", missing, "BR034", "BR034"][..]),
        (format!("a = {}", "+".repeat(99_000)), &["BR001"]),
        ("=".repeat(99_000), &["BR001"]),
        (format!("a = \"{}", "x".repeat(4_000_000)), &["BR001"]),
        (format!("#{}\n{GOOD}5", "\u{202e}".repeat(1_300_000)), &["BR001"]),
    ] {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        fs::write(folder.join("a"), &text).expect("it can be written");
        let said = refused(&folder, "a");
        let mut found = codes(&said);
        found.sort_unstable();
        assert_eq!(found, expected, "{text:.60}: {said:.2000}");
    }
    // Many problems in a long text.
    let filler = format!("# {}\n", "x".repeat(1000)).repeat(4000);
    let keys: String = (0..1000).map(|n| format!("zz{n} = 1\n")).collect();
    fs::write(folder.join("a"), format!("{filler}{keys}")).expect("it can be written");
    assert_eq!(codes(&refused(&folder, "a")).len(), 201);
    // And in a long line.
    let keys: String = (0..220).map(|n| format!("z{n} = \"{}\", ", "x".repeat(9000))).collect();
    fs::write(folder.join("a"), format!("[queue.q]\ndefault_job_options = {{ {keys} }}\n"))
        .expect("it can be written");
    assert_eq!(codes(&refused(&folder, "a")).len(), 201);
}

/// How many addresses the program may have, in kilobytes, where a shell can say so.
const ADDRESSES_KB: usize = 160 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn floods_in_little_memory() {
    let folder = folder("memory");
    let program = command(&folder, &[]).get_program().to_owned();
    for text in [
        GOOD.to_owned() + "5",
        format!("a = [{}]", "1,".repeat(2_000_000)),
        format!("a = \"{}\"", "\u{1}".repeat(4_000_000)),
        format!("#{}\n{GOOD}5", "\u{202e}".repeat(1_300_000)),
        "=".repeat(99_000),
        format!("a = [{}]", "{},".repeat(33_000)),
    ] {
        fs::write(folder.join("a"), &text).expect("it can be written");
        let mut shell = Command::new("sh");
        let script = format!("ulimit -v {ADDRESSES_KB} && exec \"$0\" run a");
        shell.current_dir(&folder).arg("-c").arg(script).arg(&program);
        let (code, out, said) = said_by(shell, &folder);
        assert_eq!((code, &*out), (2, ""), "{text:.60}: {said:.2000}");
        assert!(said.contains("nothing was run"), "{said:.2000}");
    }
}

#[test]
fn every_prefix_of_every_bundled_scenario_is_answered() {
    let folder = fs::read_dir(root().join("scenarios/free-tier-usage")).expect("it is there");
    let mut seen = std::collections::BTreeSet::new();
    for entry in folder {
        let path = entry.expect("it can be listed").path();
        let text = fs::read_to_string(path).expect("it can be read");
        for (end, _) in text.char_indices() {
            // Most of them begin alike.
            if !seen.insert(text[..end].to_owned()) {
                continue;
            }
            if let Err(problems) = parse(&text[..end]) {
                let error = problems.iter().find(|problem| problem.severity == Severity::Error);
                assert!(error.is_some(), "{:?}", &text[..end]);
                assert!(problems.iter().all(|problem| problem.at().end <= end), "{problems:?}");
            }
        }
    }
    assert!(seen.len() > 10_000, "{}", seen.len());
}

#[test]
fn files_that_extend_in_a_circle() {
    let folder = folder("circle");
    for n in 0..5 {
        let text = format!("extends = \"{}.toml\"\n{GOOD}", (n + 1) % 5);
        fs::write(folder.join(format!("{n}.toml")), text).expect("it can be written");
    }
    for n in 0..5 {
        assert_eq!(codes(&refused(&folder, &format!("{n}.toml"))), ["BR036"]);
    }
    for named in ["a", "./a", "../circle/a"] {
        bad(&folder, "a", format!("extends = \"{named}\"\n{GOOD}"), &["BR036"]);
    }
}

#[test]
fn no_containers_are_nothing_to_judge() {
    let folder = folder("none");
    let text = with("replicas = 2", "replicas = 0").replace("kill = { odds = \"25%\" }\n", "");
    fs::write(folder.join("a"), text).expect("it can be written");
    let (code, _, said) = run(&folder, "a");
    assert_eq!(code, 3, "{said}");
    assert!(codes(&said).contains(&"BR102"), "{said}");
}

#[test]
fn a_registration_that_never_fires_does_not_hang() {
    let folder = folder("never");
    let text = with("every = \"1h\" }", "pattern = \"0 0 31 2,4 *\" }");
    fs::write(folder.join("a"), text).expect("it can be written");
    let (code, _, said) = run(&folder, "a");
    assert_eq!((code, &codes(&said)[..]), (3, &["BR116"][..]), "{said}");
}

/// Class | codes | a part of the good file | what is put in its place. `\n` stands for a line's
/// end, and `(nothing)` for nothing.
const CASES: &str = include_str!("hostile/cases.txt");

#[test]
fn one_part_of_a_good_file() {
    let folder = folder("cases");
    let (mut classes, mut wrong) = (std::collections::BTreeMap::new(), Vec::new());
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(4, " | ");
        let mut part = || parts.next().unwrap_or_else(|| panic!("{line} has four parts"));
        let (class, codes, part, by) = (part(), part(), part(), part());
        let meant = |text: &str| match text {
            "(nothing)" => String::new(),
            text => text.replace("\\n", "\n"),
        };
        let expected: Vec<&str> = codes.split(' ').collect();
        let text = with(&meant(part), &meant(by));
        fs::write(folder.join("a.toml"), text).expect("it can be written");
        let said = refused(&folder, "a.toml");
        if self::codes(&said) != expected {
            wrong.push(format!("{line}\n{said:.2000}"));
        }
        *classes.entry(class.parse::<u8>().expect("a number")).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!((14..=37).all(|class| classes.get(&class) >= Some(&2)), "{classes:?}");
}
