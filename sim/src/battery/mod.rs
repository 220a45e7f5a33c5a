//! The battery: what goes wrong around a queue in production, each as a function from a scenario to
//! a scenario, or to why it does not apply.
//!
//! A hazard addresses things by name and role (who registers the schedule, who works at it) and has
//! a short horizon of its own: one tick that is healthy, what happens, and the ticks after it. What
//! comes out is printed and parsed again, so that it is as sound as a file, runs by itself and can be
//! handed to anybody. It judges nothing and plays nothing.

mod boots;
mod changes;
mod clocks;
mod moves;
mod people;
mod redis;
mod roles;
mod running;
mod stage;

use stage::Stage;

use crate::bullmq::Version;
use crate::scenario::{Scenario, parse, print};

/// One kind of bad day.
#[derive(Clone, Copy, Debug)]
pub struct Hazard {
    /// How it is called: `boot-after-tick`.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub doc: &'static str,
    apply: fn(&mut Stage) -> Applied,
}

/// Whether a hazard applies; if not, why.
type Applied = Result<(), String>;

const fn hazard(name: &'static str, apply: fn(&mut Stage) -> Applied, doc: &'static str) -> Hazard {
    Hazard { name, doc, apply }
}

/// All of it: boots, running, changes, moves, clocks, Redis, people. The first is a day on which nothing
/// happens.
pub const HAZARDS: &[&[Hazard]] = &[
    &[hazard("healthy", |_| Ok(()), "Nothing happens.")],
    boots::HAZARDS,
    running::HAZARDS,
    changes::HAZARDS,
    moves::HAZARDS,
    clocks::HAZARDS,
    redis::HAZARDS,
    people::HAZARDS,
];

/// The hazards, in order.
pub fn hazards() -> impl Iterator<Item = &'static Hazard> {
    HAZARDS.iter().copied().flatten()
}

/// The hazard of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Hazard> {
    hazards().find(|hazard| hazard.name == name)
}

impl Hazard {
    /// A scenario in which it meets the schedule (by number) of a scenario, as the library of that
    /// version does, or of the version that each release says.
    ///
    /// # Errors
    /// Why it does not apply.
    pub fn of(
        &self,
        scenario: &Scenario,
        schedule: usize,
        version: Option<Version>,
    ) -> Result<Scenario, String> {
        let mut stage = Stage::new(scenario, schedule, version)?;
        (self.apply)(&mut stage)?;
        let staged = stage.done(self.name);
        match parse(&print(&staged)) {
            Ok((scenario, _)) => Ok(scenario),
            Err(problems) => {
                let first = problems.first().map(|problem| problem.message.clone());
                Err(first.unwrap_or_else(|| "it makes no scenario".to_owned()))
            }
        }
    }
}
