//! A cell of an audit, or of advice, on the command line: the scenario that plans and a hazard make of a
//! file, or a change from one plan to another.

use super::{Exit, tell};
use bootrace_sim::battery::{Hazard, hazards, named};
use bootrace_sim::plan::{self, CleanUp, Plan, change, judged, planned};
use bootrace_sim::scenario::{Scenario, Version};
use std::sync::Arc;

/// Which cell, if one.
#[derive(clap::Args, Debug)]
pub(super) struct Cell {
    /// Let this hazard of the audit happen to it, in place of its own events
    #[arg(long, value_parser = hazard)]
    hazard: Option<&'static Hazard>,
    /// Carry out this plan of `advise` first, or two with a `+` between them
    #[arg(long, value_parser = plans)]
    plan: Option<Plans>,
    /// Roll this plan out over what the file says, slowly, in place of its own events
    #[arg(long, value_parser = plans, conflicts_with_all = ["hazard", "plan"])]
    roll_out: Option<Plans>,
    /// Roll it back to what the file says, slowly
    #[arg(long, value_parser = plans, conflicts_with_all = ["hazard", "plan", "roll_out"])]
    roll_back: Option<Plans>,
    /// When the registration that a change of plan leaves behind is removed by hand
    #[arg(long, value_enum, default_value_t = When::Never)]
    clean_up: When,
    /// The schedule that is meant, by name; the first if not said
    #[arg(long)]
    schedule: Option<String>,
    /// The version of BullMQ, in place of what the releases say
    #[arg(long, value_parser = library)]
    library: Option<Version>,
}

/// Plans that go together.
#[derive(Clone, Debug)]
pub(super) struct Plans(pub(super) Vec<&'static Plan>);

/// When something is removed by hand.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum, Debug)]
pub(super) enum When {
    /// Not at all
    Never,
    /// Before the first new container comes
    Before,
    /// When the last old container is gone
    After,
}

impl Cell {
    /// The scenario of the cell, or the file's own.
    pub(super) fn of(&self, scenario: &Arc<Scenario>) -> Result<Arc<Scenario>, Exit> {
        let changes = self.roll_out.is_some() || self.roll_back.is_some();
        if !changes && self.hazard.is_none() && self.plan.is_none() {
            return match self.schedule.is_none() && self.library.is_none() {
                true => Ok(scenario.clone()),
                false => {
                    tell("error: --schedule and --library need a --hazard or a --plan\n");
                    Err(Exit::BadInput)
                }
            };
        }
        let schedule = self.schedule_of(scenario)?;
        self.made(scenario, schedule).map(Arc::new).map_err(|why| {
            tell(&format!("error: {why}\n"));
            Exit::BadInput
        })
    }

    fn schedule_of(&self, scenario: &Scenario) -> Result<usize, Exit> {
        let Some(name) = &self.schedule else { return Ok(0) };
        let place = scenario.schedules.iter().position(|one| *one.name == **name);
        place.ok_or_else(|| {
            let names: Vec<&str> = scenario.schedules.iter().map(|one| &*one.name).collect();
            let names = names.join(", ");
            tell(&format!("error: there is no schedule `{name}`; there are: {names}\n"));
            Exit::BadInput
        })
    }

    fn made(&self, scenario: &Scenario, schedule: usize) -> Result<Scenario, String> {
        let carried_out = |plans: &[&Plan]| {
            let planned = planned(plans, scenario, schedule, self.library);
            let name = plan::name_of(plans);
            planned.map_err(|why| format!("`{name}` does not apply: {why}"))
        };
        let clean_up = match self.clean_up {
            When::Never => CleanUp::Never,
            When::Before => CleanUp::Before,
            When::After => CleanUp::After,
        };
        if let Some(Plans(plans)) = self.roll_out.as_ref().or(self.roll_back.as_ref()) {
            let (found, new) = (carried_out(&plan::named("as-found")?)?, carried_out(plans)?);
            let (from, to) = if self.roll_out.is_some() { (found, new) } else { (new, found) };
            return change(&from, &to, schedule, clean_up);
        }
        let Some(Plans(plans)) = &self.plan else {
            let Some(hazard) = self.hazard else { return Ok(scenario.clone()) };
            return hazard
                .of(scenario, schedule, self.library)
                .map_err(|why| format!("`{}` does not apply: {why}", hazard.name));
        };
        let carried_out = carried_out(plans)?;
        let Some(hazard) = self.hazard else { return Ok(carried_out) };
        let mut cell = hazard
            .of(&carried_out, schedule, None)
            .map_err(|why| format!("`{}` does not apply: {why}", hazard.name))?;
        judged(&mut cell, schedule);
        Ok(cell)
    }
}

/// Reads the name of a hazard.
pub(super) fn hazard(text: &str) -> Result<&'static Hazard, String> {
    named(text).ok_or_else(|| {
        let names: Vec<&str> = hazards().map(|hazard| hazard.name).collect();
        format!("there are: {}", names.join(", "))
    })
}

/// Reads the name of a plan, or of two.
pub(super) fn plans(text: &str) -> Result<Plans, String> {
    plan::named(text).map(Plans)
}

/// Reads a version of the library.
pub(super) fn library(text: &str) -> Result<Version, String> {
    let found = Version::ALL.into_iter().find(|version| version.number() == text);
    found.ok_or_else(|| {
        let numbers = Version::ALL.map(Version::number);
        format!("there are: {}", numbers.join(", "))
    })
}
