//! Each function of `sim/src/bullmq/scripts` against BullMQ's script of that name, call by call.
//!
//! Two databases of the model of Redis stand side by side: one is changed by the functions, the
//! other by the Lua of an installed bullmq package, with the arguments that its client would send.
//! Calls are generated from what the queue holds, a few of them implausible. After each call the
//! replies and all that both databases hold are compared. The texts of the scripts are not in this
//! repository: the packages are looked for where `BOOTRACE_BULLMQ` says.
//!
//! `BOOTRACE_SEED` is the first sequence that is played, `BOOTRACE_SEQUENCES` how many are.
//!
//! How often each script was compared is the table of `tests/scripts/COVERAGE.md`. It is renewed by
//! `BOOTRACE_RENEW_COVERAGE=1 cargo test --test scripts`.

#[path = "support/bullmq.rs"]
mod bullmq;
#[path = "scripts/coverage.rs"]
mod coverage;
#[path = "scripts/generate.rs"]
mod generate;
#[path = "scripts/keyspace.rs"]
mod keyspace;
#[path = "scripts/msgpack.rs"]
mod msgpack;
#[path = "scripts/package.rs"]
mod package;
#[path = "scripts/play.rs"]
mod play;
#[path = "scripts/reply.rs"]
mod reply;
#[path = "scripts/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use bootrace_sim::bullmq::Version;
use bootrace_sim::bullmq::scripts::Call;
use coverage::Coverage;
use libtest_mimic::{Arguments, Failed, Trial};

/// How many sequences of steps each test plays, and how many steps are in one.
const SEQUENCES: u64 = 40;
const CALLS: usize = 200;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let coverage = Coverage::default();
    let mut trials: Vec<Trial> = Version::ALL.map(|version| trial(&[version], &coverage)).into();
    trials.push(trial(&Version::ALL, &coverage));
    let played = trials.len();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.has_failed()
        || number("BOOTRACE_SEED").is_some()
        || number("BOOTRACE_SEQUENCES").is_some()
    {
        return conclusion.exit_code();
    }
    coverage.check(played)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The test of clients of some versions on one queue, or its name with the reason why it is not
/// played.
fn trial(versions: &[Version], coverage: &Coverage) -> Trial {
    let numbers: Vec<&str> = versions.iter().map(|version| version.number()).collect();
    let name = format!("the scripts of bullmq {}", numbers.join(", "));
    let (versions, coverage) = (versions.to_vec(), coverage.clone());
    match numbers.iter().find_map(|number| bullmq::missing(number)) {
        None => Trial::test(name, move || play(&versions, &coverage)),
        Some(reason) => Trial::test(format!("{name}: {reason}"), || Ok(())).with_ignored_flag(true),
    }
}

/// Plays all sequences of some versions; prints how often each script was compared.
fn play(versions: &[Version], coverage: &Coverage) -> Result<(), Failed> {
    let first: u64 = number("BOOTRACE_SEED").unwrap_or(1);
    let sequences = number("BOOTRACE_SEQUENCES").unwrap_or(SEQUENCES);
    let mut packages = Vec::new();
    for version in versions {
        packages.push((*version, package::scripts(&bullmq::package(version.number()))?));
    }
    let mut pair = play::Pair::new(&packages);
    for seed in first..first + sequences {
        pair.sequence(seed, CALLS)?;
    }
    let names: BTreeSet<&str> =
        packages.iter().flat_map(|(_, scripts)| scripts).map(|script| &*script.name).collect();
    let seeds = format!("seeds {first} to {}", first + sequences - 1);
    println!("{}", table(versions, &seeds, &pair.calls, &names));
    coverage.add(versions, &pair.calls, &names);
    let never: Vec<&str> = Call::NAMES
        .into_iter()
        .filter(|name| names.contains(name) && !pair.calls.contains_key(name))
        .collect();
    if never.is_empty() { Ok(()) } else { Err(format!("never called: {never:?}").into()) }
}

/// How often each script was compared, by what it replied, and which of the packages are not
/// modelled.
fn table(versions: &[Version], seeds: &str, calls: &play::Calls, names: &BTreeSet<&str>) -> String {
    let versions: Vec<&str> = versions.iter().map(|version| version.number()).collect();
    let total: u64 = calls.values().flat_map(play::Count::values).sum();
    let mut text = format!("{}, {seeds}: {total} calls compared\n", versions.join(", "));
    for (name, count) in calls {
        let all: u64 = count.values().sum();
        let kinds: Vec<String> = count.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        writeln!(text, "  {name:<24}{all:>6}  {}", kinds.join(", ")).expect("a string takes all");
    }
    let open: Vec<&str> =
        names.iter().copied().filter(|name| !Call::NAMES.contains(name)).collect();
    write!(text, "  not modelled: {}", open.join(" ")).expect("a string takes all");
    text
}
