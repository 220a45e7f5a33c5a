//! `audit`: what each bad day does to each schedule, on each version of the library.

use super::alerts::Ship;
use super::live::Live;
use super::{Exit, cell, json, load_all, tell, write};
use crate::audit::{Audit, Seen, audit, columns, stale};
use crate::report::audit::{Report, text};
use bootrace_sim::battery::{Hazard, hazards};
use bootrace_sim::scenario::{Scenario, Version};
use clap::ValueEnum;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// How many seeds of each cell, from 1
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// Only this hazard; may be given again
    #[arg(long = "hazard", value_parser = cell::hazard)]
    hazards: Vec<&'static Hazard>,
    /// A version of BullMQ for all releases; may be given again; what the file says if not given
    #[arg(long = "library", value_parser = cell::library)]
    libraries: Vec<Version>,
    /// Every version that bootrace knows
    #[arg(long, conflicts_with = "libraries")]
    all_libraries: bool,
    /// Say what each hazard is, and play nothing
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    ship: Ship,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(super) fn run(files: &[PathBuf], how: &How) -> Exit {
    if how.list {
        let each = hazards().map(|hazard| format!("{:22} {}\n", hazard.name, hazard.doc));
        return write(&each.collect::<String>()).unwrap_or(Exit::AsDeclared);
    }
    let Some(loaded) = load_all(files) else { return Exit::BadInput };
    let scenarios = loaded.iter().map(|loaded| how.ship.of(&loaded.scenario));
    let scenarios: Vec<_> = scenarios.collect();
    let versions = if how.all_libraries { Version::ALL.to_vec() } else { how.libraries.clone() };
    let wanted = |hazard: &Hazard| {
        how.hazards.is_empty() || how.hazards.iter().any(|one| one.name == hazard.name)
    };
    let columns = columns(&scenarios, &versions);
    if columns.is_empty() {
        tell("error: there is no schedule to audit\n");
        return Exit::BadInput;
    }
    let plays = columns.len() as u64 * hazards().filter(|hazard| wanted(hazard)).count() as u64;
    let mut live = Live::new(1, Some(plays * how.seeds));
    let audit = audit(&scenarios, columns, wanted, how.seeds, &mut live);
    live.end();
    let exit = ended(&scenarios, &audit);
    let report = Report::new(&loaded, &audit, how.seeds);
    let printed = match how.format {
        Format::Text => text(&report),
        Format::Json => json(&report),
    };
    write(&printed).unwrap_or(exit)
}

fn ended(scenarios: &[Arc<Scenario>], audit: &Audit) -> Exit {
    let seen: Vec<&Seen> = audit.cells.iter().filter_map(|cell| cell.seen.as_ref().ok()).collect();
    for cell in &audit.cells {
        if let Ok(Seen { bug: Some((seed, message)), .. }) = &cell.seen {
            let column = cell.column + 1;
            let cell = format!("{}, column {column}, seed {seed}", cell.hazard.name);
            tell(&format!("error: bug in bootrace: {cell}: {message}\n"));
        }
    }
    if seen.iter().any(|seen| seen.bug.is_some()) {
        Exit::Bug
    } else if audit.cut.is_some() {
        Exit::Interrupted
    } else if seen.iter().any(|seen| seen.worst().is_some()) {
        Exit::NotAsDeclared
    } else if seen.iter().any(|seen| seen.endless > 0) {
        Exit::Inconclusive
    } else if seen.iter().all(|seen| seen.met == 0) || !stale(scenarios, audit).is_empty() {
        // What was never met shows nothing, and neither does what is accepted for nothing.
        Exit::Vacuous
    } else {
        Exit::AsDeclared
    }
}
