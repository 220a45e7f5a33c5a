//! The model of Redis beside a real server: random commands, the same replies, the same keys.
//!
//! `BOOTRACE_COMMANDS` says how many commands there are in all, `BOOTRACE_SEED` from which seed on.
//! Without a real server of version 7.0 the tests are skipped, by name and reason;
//! `BOOTRACE_REQUIRE_REDIS=1` makes that a failure.

use std::process::ExitCode;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "support/redis.rs"]
mod real;
mod redis;

use redis::{Bench, Clients, Family, families, knows, report, session};

/// How many commands there are in all, if nothing else is said.
const COMMANDS: usize = 200_000;
/// How many commands a session has.
const SESSION: usize = 1000;

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
    let shares: usize = parts.iter().map(|part| part.share).sum();
    let each = number("BOOTRACE_COMMANDS", COMMANDS as u64) as usize / shares;
    let trials = parts
        .into_iter()
        .map(|part| {
            let name = format!("differential::{}", part.name);
            let kind = if skipped.is_some() { "skipped: no redis-server 7.0" } else { "" };
            Trial::test(name, move || test(&part, each * part.share))
                .with_ignored_flag(skipped.is_some())
                .with_kind(kind)
        })
        .collect();
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
