//! `advise`: what each plan for a schedule is worth on every kind of bad day, and how it is rolled out.

use super::live::Live;
use super::{Exit, cell, json, load_all, tell, write};
use crate::advise::{Advice, Asked, advise, runs_at_most};
use crate::pool::Cut;
use crate::report::advise::{Of, Report, text};
use bootrace_sim::battery::{Hazard, hazards};
use bootrace_sim::plan::plans;
use bootrace_sim::scenario::{Scenario, Version};
use clap::ValueEnum;
use std::path::Path;

#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// How many seeds of each plan and day, from 1
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// The schedule that is meant, by name; the first if not said
    #[arg(long)]
    schedule: Option<String>,
    /// Only this hazard; may be given again
    #[arg(long = "hazard", value_parser = cell::hazard)]
    hazards: Vec<&'static Hazard>,
    /// The version of BullMQ for all releases; what the file says if not given
    #[arg(long, value_parser = cell::library)]
    library: Option<Version>,
    /// Say what each plan is, and play nothing
    #[arg(long)]
    list: bool,
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

pub(super) fn run(file: Option<&Path>, how: &How) -> Exit {
    if how.list {
        let each = plans().map(|plan| format!("{:20} {}\n", plan.name, plan.doc));
        return write(&each.collect::<String>()).unwrap_or(Exit::AsDeclared);
    }
    let Some(file) = file else { return Exit::BadInput };
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let scenario = &loaded[0].scenario;
    let Some(schedule) = schedule_of(scenario, how.schedule.as_deref()) else {
        return Exit::BadInput;
    };
    let wanted = |hazard: &Hazard| {
        how.hazards.is_empty() || how.hazards.iter().any(|one| one.name == hazard.name)
    };
    let days = hazards().filter(|hazard| wanted(hazard)).count();
    let mut live = Live::new(1, Some(runs_at_most(days, how.seeds)));
    let asked = Asked { scenario, schedule, version: how.library, seeds: how.seeds };
    let advice = advise(asked, wanted, &mut live);
    live.end();
    let exit = ended(&advice);
    let queue = &scenario.queues[usize::from(scenario.schedules[schedule].queue.0)];
    let of = Of {
        file: file.display().to_string(),
        schedule: scenario.schedules[schedule].name.to_string(),
        library: how.library.map(Version::number),
        repeat: format!("{}:{}:repeat", queue.prefix, queue.name),
    };
    let report = Report::new(of, &advice, how.seeds);
    let printed = match how.format {
        Format::Text => text(&report),
        Format::Json => json(&report),
    };
    write(&printed).unwrap_or(exit)
}

fn schedule_of(scenario: &Scenario, name: Option<&str>) -> Option<usize> {
    let names: Vec<&str> = scenario.schedules.iter().map(|one| &*one.name).collect();
    let place = names.iter().position(|one| name.is_none_or(|name| *one == name));
    if place.is_none() {
        let names = names.join(", ");
        match name {
            Some(name) => {
                tell(&format!("error: there is no schedule `{name}`; there are: {names}\n"));
            }
            None => tell("error: there is no schedule to advise on\n"),
        }
    }
    place
}

/// Advice is no verdict: what does not hold is what was asked for.
fn ended(advice: &Advice) -> Exit {
    match &advice.cut {
        Some(Cut::Panicked { message, .. }) => {
            tell(&format!("error: bug in bootrace: {message}\n"));
            Exit::Bug
        }
        Some(Cut::Stopped) => Exit::Interrupted,
        None => Exit::AsDeclared,
    }
}
