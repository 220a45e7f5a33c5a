//! BullMQ's own scripts on the model of Redis and on the real one, side by side.
//!
//! A program of Node uses an unmodified bullmq package. What it connects to is a front in this test:
//! it gives each command to both servers, one at a time and at the same instant, compares the
//! replies byte for byte, and answers with the real one. From time to time it compares all that
//! both hold. Every script that the package ships has to be called. The texts of the scripts are not
//! in this repository: the packages are looked for where `BOOTRACE_BULLMQ` says.
//!
//! It is run by hand: some runs part at an order that Redis leaves open.

#[path = "support/bullmq.rs"]
mod bullmq;
#[path = "shadow/clients.rs"]
mod clients;
#[path = "shadow/front.rs"]
mod front;
#[path = "shadow/keyspace.rs"]
mod keyspace;
#[path = "shadow/like.rs"]
mod like;
#[path = "shadow/pair.rs"]
mod pair;
#[path = "support/redis.rs"]
mod redis;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// The versions whose scripts are played.
const VERSIONS: [&str; 3] = ["5.34.10", "5.81.5", "6.7.0"];
/// How often the driver runs, each time with another seed, on what the run before left.
const RUNS: u64 = 4;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = VERSIONS.map(trial).into();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The test of one version, or its name with the reason why it is not played.
fn trial(version: &'static str) -> Trial {
    let name = format!("every script of bullmq {version}");
    match redis::missing().or_else(|| bullmq::missing(version)) {
        // By hand (`--ignored`): where a script walks a set of several jobs whose ids are no numbers, as
        // chance has it, Redis's order of a hash table gets into lists, and the two sides part.
        None => Trial::test(name, move || play(version)).with_ignored_flag(true),
        Some(reason) => Trial::test(format!("{name}: {reason}"), || Ok(())).with_ignored_flag(true),
    }
}

/// How often the driver runs, and with which seed first.
fn runs() -> (u64, u64) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    (number("BOOTRACE_SHADOW_RUNS").unwrap_or(RUNS), number("BOOTRACE_SHADOW_SEED").unwrap_or(1))
}

fn play(version: &str) -> Result<(), Failed> {
    let (runs, first) = runs();
    let mut front = front::Front::start();
    for seed in first..first + runs {
        front.drive(&bullmq::package(version), seed)?;
    }
    let tally = front.finish();
    println!("bullmq {version}: {tally}");
    let uncalled = tally.uncalled();
    if uncalled.is_empty() { Ok(()) } else { Err(format!("never called: {uncalled:?}").into()) }
}
