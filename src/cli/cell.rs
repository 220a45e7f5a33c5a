//! A cell of an audit, on the command line: the scenario that a hazard makes of a file.

use super::{Exit, tell};
use bootrace_sim::battery::{Hazard, hazards, named};
use bootrace_sim::scenario::{Scenario, Version};
use std::sync::Arc;

/// Which cell, if one.
#[derive(clap::Args, Debug)]
pub(super) struct Cell {
    /// Let this hazard of the audit happen to it, in place of its own events
    #[arg(long, value_parser = hazard)]
    hazard: Option<&'static Hazard>,
    /// The schedule that the hazard meets, by name; the first if not said
    #[arg(long, requires = "hazard")]
    schedule: Option<String>,
    /// The version of BullMQ, in place of what the releases say
    #[arg(long, requires = "hazard", value_parser = library)]
    library: Option<Version>,
}

impl Cell {
    /// The scenario of the cell, or the file's own.
    pub(super) fn of(&self, scenario: &Arc<Scenario>) -> Result<Arc<Scenario>, Exit> {
        let Some(hazard) = self.hazard else { return Ok(scenario.clone()) };
        let schedule = match &self.schedule {
            None => 0,
            Some(name) => {
                let place = scenario.schedules.iter().position(|one| *one.name == **name);
                place.ok_or_else(|| {
                    let names: Vec<&str> =
                        scenario.schedules.iter().map(|one| &*one.name).collect();
                    let names = names.join(", ");
                    tell(&format!("error: there is no schedule `{name}`; there are: {names}\n"));
                    Exit::BadInput
                })?
            }
        };
        match hazard.of(scenario, schedule, self.library) {
            Ok(scenario) => Ok(Arc::new(scenario)),
            Err(why) => {
                tell(&format!("error: `{}` does not apply: {why}\n", hazard.name));
                Err(Exit::BadInput)
            }
        }
    }
}

/// Reads the name of a hazard.
pub(super) fn hazard(text: &str) -> Result<&'static Hazard, String> {
    named(text).ok_or_else(|| {
        let names: Vec<&str> = hazards().map(|hazard| hazard.name).collect();
        format!("there are: {}", names.join(", "))
    })
}

/// Reads a version of the library.
pub(super) fn library(text: &str) -> Result<Version, String> {
    let found = Version::ALL.into_iter().find(|version| version.number() == text);
    found.ok_or_else(|| {
        let numbers = Version::ALL.map(Version::number);
        format!("there are: {}", numbers.join(", "))
    })
}
