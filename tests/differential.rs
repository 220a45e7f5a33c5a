//! The model of Redis beside a real server: random commands, the same replies, the same keys.
//!
//! `BOOTRACE_COMMANDS` says how many commands there are in all, `BOOTRACE_SEED` from which seed on.
//! Without a real server of version 7.0 the tests are skipped, by name and reason;
//! `BOOTRACE_REQUIRE_REDIS=1` makes that a failure.
//!
//! What a real server answered once is in `tests/redis/transcripts/` and is checked without one;
//! `BOOTRACE_RECORD_REDIS=1` records it anew. With the feature `mutants` the tests are others: each
//! fault that can be planted in the model has to be noticed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "redis/mutants.rs"]
mod mutants;
#[path = "support/redis.rs"]
mod real;
mod redis;

use redis::{Bench, Clients, Family, families, knows, recordable, report, session, transcript};

/// How many commands there are in all, if nothing else is said.
const COMMANDS: usize = 200_000;
/// How many commands a session has.
const SESSION: usize = 1000;
/// How many commands a transcript has.
const TRANSCRIPT: usize = 400;

/// What one test plays.
#[derive(Clone)]
struct Part {
    name: String,
    /// The names of the families.
    families: Vec<String>,
    clients: Clients,
    /// How often it comes, among all.
    share: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let (all, unknown) = families(knows);
    if !unknown.is_empty() {
        eprintln!("commands that the model does not know: {}", unknown.join(" "));
    }
    let skipped = real::missing();
    if let Some(reason) = &skipped {
        eprintln!("skipped: {reason}");
    }
    let parts = parts(&all);
    if std::env::var_os("BOOTRACE_RECORD_REDIS").is_some() {
        parts.iter().for_each(|part| record(part, &all));
    }
    if cfg!(feature = "mutants") {
        return libtest_mimic::run(&arguments, mutants::trials(&parts, skipped.is_some()))
            .exit_code();
    }
    let shares: usize = parts.iter().map(|part| part.share).sum();
    let each = number("BOOTRACE_COMMANDS", COMMANDS as u64) as usize / shares;
    let mut trials: Vec<Trial> = parts
        .into_iter()
        .map(|part| {
            let name = format!("differential::{}", part.name);
            let kind = if skipped.is_some() { "skipped: no redis-server 7.0" } else { "" };
            Trial::test(name, move || test(&part, each * part.share))
                .with_ignored_flag(skipped.is_some())
                .with_kind(kind)
        })
        .collect();
    trials.extend(transcripts().into_iter().map(|file| {
        let name = file.file_stem().expect("it has a name").to_string_lossy().into_owned();
        Trial::test(format!("transcript::{name}"), move || {
            let text = fs::read_to_string(&file).expect("a transcript is text");
            let replies = transcript::check(&text)?;
            if replies < 100 { Err(format!("only {replies} replies").into()) } else { Ok(()) }
        })
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        println!("{} commands compared", *PLAYED.lock().expect("no test panics while it counts"));
    }
    conclusion.exit_code()
}

/// How many commands were compared.
static PLAYED: Mutex<usize> = Mutex::new(0);

/// A number from the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => otherwise,
    }
}

/// Each family alone, then together what belongs together.
fn parts(all: &[Family]) -> Vec<Part> {
    let several = ["transactions", "blocking", "pubsub"];
    let mut parts = Vec::new();
    for family in all {
        let name = family.name.clone();
        let together = several.contains(&name.as_str());
        let clients = if together { Clients::Several } else { Clients::One };
        parts.push(Part { families: vec![name.clone()], name, clients, share: 2 });
    }
    let names: Vec<String> = all.iter().map(|family| family.name.clone()).collect();
    let data: Vec<String> =
        names.iter().filter(|name| !several.contains(&name.as_str())).cloned().collect();
    parts.push(Part { name: "all".into(), families: data, clients: Clients::One, share: 6 });
    parts.push(Part {
        name: "clients".into(),
        families: names,
        clients: Clients::Several,
        share: 4,
    });
    parts
}

/// The folder of the transcripts.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redis/transcripts")
}

fn transcripts() -> Vec<PathBuf> {
    let found = fs::read_dir(folder()).expect("the transcripts are there");
    let mut files: Vec<PathBuf> = found.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// Records one session of a part, the first that can be.
fn record(part: &Part, all: &[Family]) {
    let chosen: Vec<&Family> =
        all.iter().filter(|family| part.families.contains(&family.name)).collect();
    let mut bench = Bench::start();
    for seed in number("BOOTRACE_SEED", 1).. {
        let steps = recordable(session(&chosen, part.clients, TRANSCRIPT, seed));
        match transcript::record(&mut bench, &steps) {
            Ok(Some(text)) => {
                let head = format!("# {}, seed {seed}, from redis-server 7.0.15\n", part.name);
                let file = folder().join(format!("{}.txt", part.name));
                fs::write(file, head + &text).expect("the folder is there");
                return;
            }
            Ok(None) => {}
            Err(parting) => panic!("{}", report(&mut bench, &steps, parting, seed)),
        }
    }
}

fn test(part: &Part, commands: usize) -> Result<(), Failed> {
    let (all, _) = families(knows);
    let chosen: Vec<&Family> =
        all.iter().filter(|family| part.families.contains(&family.name)).collect();
    let mut bench = Bench::start();
    let (mut played, mut seed) = (0, number("BOOTRACE_SEED", 1));
    while played < commands {
        let steps = session(&chosen, part.clients, SESSION, seed);
        match bench.play(&steps) {
            Ok(tally) => {
                played += tally.commands;
                *PLAYED.lock().expect("no test panics while it counts") += tally.commands;
                if tally.commands * 20 < tally.left_out {
                    return Err(format!("seed {seed}: most was left out: {tally:?}").into());
                }
            }
            Err(parting) => return Err(report(&mut bench, &steps, parting, seed).into()),
        }
        seed += 1;
    }
    Ok(())
}
