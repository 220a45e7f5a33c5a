//! What a file accepts, and what of that is not needed any more: a list that nobody checks rots.

use super::{Audit, Harm};
use bootrace_sim::battery::Hazard;
use bootrace_sim::scenario::{Accept, Scenario};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Harm that is accepted and was not seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stale {
    /// Which of the scenarios accepts it.
    pub file: usize,
    /// Which of what it accepts.
    pub accept: usize,
    /// Why it is not needed.
    pub why: String,
}

/// The harms that a scenario accepts of a hazard to a schedule.
pub(super) fn harms(scenario: &Scenario, hazard: &Hazard, schedule: usize) -> BTreeSet<Harm> {
    let of = scenario.audit.accept.iter().filter(|one| is_about(one, hazard, schedule));
    of.map(|accept| accept.harm).collect()
}

fn is_about(accept: &Accept, hazard: &Hazard, schedule: usize) -> bool {
    *accept.hazard == *hazard.name && accept.schedule.is_none_or(|of| of == schedule)
}

/// What is accepted and not needed. It says nothing of hazards that were not played, and nothing at
/// all if not everything was played that was to be.
#[must_use]
pub fn stale(scenarios: &[Arc<Scenario>], audit: &Audit) -> Vec<Stale> {
    if audit.cut.is_some() {
        return Vec::new();
    }
    let each = scenarios.iter().enumerate().flat_map(|(file, scenario)| {
        let accept = scenario.audit.accept.iter().enumerate();
        accept.map(move |(number, accept)| (file, number, accept))
    });
    let stale = each.filter_map(|(file, number, accept)| {
        let why = unneeded(audit, file, accept)?;
        Some(Stale { file, accept: number, why })
    });
    stale.collect()
}

fn unneeded(audit: &Audit, file: usize, accept: &Accept) -> Option<String> {
    let of = |column: usize| {
        let column = &audit.columns[column];
        (column.file == file).then_some(column.schedule)
    };
    let about = audit.cells.iter().filter(|cell| {
        of(cell.column).is_some_and(|schedule| is_about(accept, cell.hazard, schedule))
    });
    let about: Vec<_> = about.map(|cell| &cell.seen).collect();
    let first = about.first()?;
    let seen: Vec<_> = about.iter().filter_map(|seen| seen.as_ref().ok()).collect();
    if seen.iter().any(|seen| seen.harms.contains_key(&accept.harm) || seen.bug.is_some()) {
        return None;
    }
    let (runs, met) = seen.iter().fold((0, 0), |sum, seen| (sum.0 + seen.runs, sum.1 + seen.met));
    Some(match first {
        Err(why) if seen.is_empty() => format!("the hazard does not apply: {why}"),
        _ if met == 0 => "what the hazard needs was never met".to_owned(),
        _ => format!("not seen in {runs} runs"),
    })
}
