//! Plans: what a team may do about a schedule, each as a function from a scenario to a scenario, or to
//! why it does not apply.
//!
//! A plan rewrites start-up code, or what the schedule's job does, wherever the scenario has it; two
//! that go together are one after the other. What comes out is printed and parsed again, so that it
//! runs by itself and a hazard can meet it. Which plan is good is nobody's business here.

mod change;
mod draft;
mod handler;
mod start;

pub use change::{CleanUp, change};

use crate::bullmq::Version;
use crate::scenario::{
    Declared, Expectation, Measure, Mode, Property, Relation, Scenario, Subject,
};
use draft::Draft;

/// Something that a team may do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How it is called: `ids-on-adds`.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// What it changes. Two that change the same do not go together.
    pub part: Part,
    apply: fn(&mut Draft) -> Applied,
}

/// What a plan changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Nothing.
    Nothing,
    /// Who adds or registers what, and when.
    StartUp,
    /// What the job does.
    Handler,
}

/// Whether a plan applies; if not, why.
type Applied = Result<(), String>;

const fn plan(
    name: &'static str,
    part: Part,
    apply: fn(&mut Draft) -> Applied,
    doc: &'static str,
) -> Plan {
    Plan { name, doc, part, apply }
}

/// All of them: nothing, start-up code, handlers.
pub const PLANS: &[&[Plan]] = &[
    &[plan("as-found", Part::Nothing, |_| Ok(()), "What the file says, and nothing else.")],
    start::PLANS,
    handler::PLANS,
];

/// The plans, in order.
pub fn plans() -> impl Iterator<Item = &'static Plan> {
    PLANS.iter().copied().flatten()
}

/// The plans of a name, or of names with a `+` between them.
///
/// # Errors
/// What is wrong with it.
pub fn named(text: &str) -> Result<Vec<&'static Plan>, String> {
    let of = |name: &str| {
        plans().find(|plan| plan.name == name).ok_or_else(|| {
            let names: Vec<&str> = plans().map(|plan| plan.name).collect();
            format!("there is no plan `{name}`; there are: {}", names.join(", "))
        })
    };
    let named: Vec<_> = text.split('+').map(of).collect::<Result<_, _>>()?;
    let parts = || named.iter().map(|plan| plan.part);
    for (place, part) in parts().enumerate() {
        if parts().skip(place + 1).any(|other| other == part || part == Part::Nothing) {
            return Err("only a plan for start-up code and one for a handler go together".into());
        }
    }
    Ok(named)
}

/// How plans are called together.
#[must_use]
pub fn name_of(plans: &[&Plan]) -> String {
    plans.iter().map(|plan| plan.name).collect::<Vec<_>>().join("+")
}

/// A scenario in which plans are carried out for a schedule (by number), one after the other, as the
/// library of that version does it, or of the version that each release says. It is judged by the
/// schedule's work.
///
/// # Errors
/// Why one of them does not apply.
pub fn planned(
    plans: &[&Plan],
    scenario: &Scenario,
    schedule: usize,
    version: Option<Version>,
) -> Result<Scenario, String> {
    let mut draft = Draft::new(scenario, schedule, version)?;
    for plan in plans {
        (plan.apply)(&mut draft)?;
    }
    let mut scenario = draft.scenario;
    scenario.name = format!("{}, {}", scenario.name, name_of(plans)).into();
    scenario.answers = None;
    scenario.expectations.clear();
    judged(&mut scenario, schedule);
    scenario.reread()
}

/// Has the work of a schedule judged as well: at most once, and at least once. What the scenario
/// judges already keeps its place.
pub fn judged(scenario: &mut Scenario, schedule: usize) {
    let subject = Subject::Schedule(schedule);
    for relation in [Relation::AtMost, Relation::AtLeast] {
        let (mode, measure) = (Mode::Always, Measure::WorkPerWindow);
        let property = Property { mode, measure, subject, relation, bound: 1 };
        scenario.expectations.push(Expectation { property, declared: Declared::Holds, at: 0 });
    }
}
