//! Audits: every schedule of some scenarios against every hazard of the battery, on many seeds and on
//! each version of the library.
//!
//! A cell is a scenario of its own ([`bootrace_sim::battery`]), so whatever is said of it can be
//! played again by itself. What a run did wrong is read from its judgements alone.

mod accepted;
mod covered;
mod exposure;
mod play;
mod seen;

pub use accepted::{Stale, stale};
pub use bootrace_sim::scenario::Harm;
pub use covered::put_aside;
pub use exposure::{DEPLOYS, Exposure, Occurs, Of};
pub(crate) use play::met;
pub use play::{Healed, Heals, Played, play};
pub use seen::{Noticed, Seen};

use crate::pool::{ALL_CORES, Cut, Watch, caught, fold};
use bootrace_sim::battery::{Hazard, hazards};
use bootrace_sim::scenario::{Scenario, Version};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A column of the matrix: a schedule of a scenario, on a version of the library.
#[derive(Clone, Debug)]
pub struct Column {
    /// Which of the scenarios.
    pub file: usize,
    /// Which of its schedules.
    pub schedule: usize,
    /// The version, if not the one that each release says.
    pub version: Option<Version>,
}

/// A cell of the matrix.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The hazard.
    pub hazard: &'static Hazard,
    /// The column, by number.
    pub column: usize,
    /// What was seen, or why the hazard does not apply.
    pub seen: Result<Seen, String>,
    /// How often such a day comes, where that can be told.
    pub occurs: Option<Occurs>,
}

/// What an audit came to.
#[derive(Debug)]
pub struct Audit {
    /// The columns.
    pub columns: Vec<Column>,
    /// The cells, hazard by hazard.
    pub cells: Vec<Cell>,
    /// What was put aside of each scenario, in words.
    pub put_aside: Vec<Vec<String>>,
    /// Why it is not all of it.
    pub cut: Option<Cut>,
}

impl Audit {
    /// The cell of the day on which nothing happens, in a column; none if it was not played.
    #[must_use]
    pub fn control(&self, column: usize) -> Option<&Cell> {
        // The battery begins with it.
        let healthy = hazards().next()?.name;
        self.cells.iter().find(|cell| cell.column == column && cell.hazard.name == healthy)
    }
}

/// The columns of some scenarios: each schedule on each of these versions, or as the file has it.
#[must_use]
pub fn columns(scenarios: &[Arc<Scenario>], versions: &[Version]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (file, scenario) in scenarios.iter().enumerate() {
        for schedule in 0..scenario.schedules.len() {
            if versions.is_empty() {
                columns.push(Column { file, schedule, version: None });
            }
            let of = |version: &Version| Column { file, schedule, version: Some(*version) };
            columns.extend(versions.iter().map(of));
        }
    }
    columns
}

/// Plays every cell on seeds from 1 to `seeds`, for as long as `watch` wants more. A run that panics
/// costs its cell, and no other.
pub fn audit(
    scenarios: &[Arc<Scenario>],
    columns: Vec<Column>,
    such: impl Fn(&Hazard) -> bool,
    seeds: u64,
    watch: &mut impl Watch<Played>,
) -> Audit {
    audit_by(scenarios, columns, such, seeds, watch, play)
}

/// A cell's scenario, and which of its schedules is judged.
type Staged = (Arc<Scenario>, usize);

fn audit_by(
    scenarios: &[Arc<Scenario>],
    columns: Vec<Column>,
    such: impl Fn(&Hazard) -> bool,
    seeds: u64,
    watch: &mut impl Watch<Played>,
    play: impl Fn(&Arc<Scenario>, usize, u64) -> Played + Send + Sync + 'static,
) -> Audit {
    let (mut cells, mut plays, mut places) = (Vec::new(), Vec::<Staged>::new(), Vec::new());
    let mut put_aside: Vec<Option<Vec<String>>> = vec![None; scenarios.len()];
    for hazard in hazards().filter(|hazard| such(hazard)) {
        for (number, column) in columns.iter().enumerate() {
            let of = &scenarios[column.file];
            let (cell, staged) = stage(hazard, number, column, of);
            if let Some(staged) = staged {
                put_aside[column.file].get_or_insert_with(|| covered::put_aside(of, &staged));
                plays.push((staged, column.schedule));
                places.push(cells.len());
            }
            cells.push(cell);
        }
    }
    let count = usize::try_from(seeds).unwrap_or(usize::MAX);
    let tasks = plays.len().saturating_mul(count);
    let task = move |number: usize| {
        let (scenario, schedule) = &plays[number / count];
        let seed = (number % count) as u64 + 1;
        caught(|| play(scenario, *schedule, seed)).unwrap_or_else(Played::bug)
    };
    let mut number = 0;
    let cut = fold(ALL_CORES, tasks, task, watch, |played| {
        if let Ok(seen) = &mut cells[places[number / count]].seen {
            seen.add(&played, (number % count) as u64 + 1);
        }
        number += 1;
        ControlFlow::Continue(())
    });
    let put_aside = put_aside.into_iter().map(Option::unwrap_or_default).collect();
    Audit { columns, cells, put_aside, cut }
}

/// A cell of which nothing is played yet, and its scenario.
fn stage(
    hazard: &'static Hazard,
    number: usize,
    column: &Column,
    of: &Arc<Scenario>,
) -> (Cell, Option<Arc<Scenario>>) {
    let schedule = column.schedule;
    let mut cell = Cell { hazard, column: number, seen: Ok(Seen::default()), occurs: None };
    match caught(|| hazard.of(of, schedule, column.version)) {
        Ok(Ok(staged)) => {
            let accepted = accepted::harms(of, hazard, schedule);
            cell.seen = Ok(Seen { accepted, ..seen::meant(&staged, schedule) });
            cell.occurs = Some(exposure::occurs(of, &staged, schedule));
            (cell, Some(Arc::new(staged)))
        }
        Ok(Err(why)) => {
            cell.seen = Err(why);
            (cell, None)
        }
        Err(message) => {
            cell.seen = Ok(Seen { bug: Some((0, message)), ..Seen::default() });
            (cell, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_panics_costs_its_own_cell_alone() {
        let text = include_str!("../scenarios/free-tier-usage/no-bootstrap.toml");
        let scenarios = [Arc::new(bootrace_sim::scenario::parse(text).expect("it parses").0)];
        let columns = columns(&scenarios, &[]);
        let such = |hazard: &Hazard| ["healthy", "redis-empty"].contains(&hazard.name);
        let breaks = |scenario: &Arc<Scenario>, schedule, seed| {
            assert!(seed != 2 || !scenario.name.ends_with("healthy"), "no such number");
            play(scenario, schedule, seed)
        };
        let seen = audit_by(&scenarios, columns, such, 3, &mut (), breaks);
        assert_eq!(seen.cut, None);
        let [healthy, empty] = &seen.cells[..] else { panic!("two cells") };
        let [healthy, empty] = [healthy, empty].map(|cell| cell.seen.as_ref().expect("it applies"));
        assert_eq!(healthy.bug, Some((2, "no such number".to_owned())));
        assert_eq!((healthy.runs, healthy.met), (2, 2), "what panics is no run");
        assert_eq!((empty.runs, empty.letter()), (3, 'g'));
        assert_eq!(seen.control(0).map(|cell| cell.hazard.name), Some("healthy"));
    }
}
