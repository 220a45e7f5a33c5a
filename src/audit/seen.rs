//! What the runs of a cell came to, summed up as they are played.

use super::{Exposure, Harm, Healed, Heals, Occurs, Of, Played};
use bootrace_sim::scenario::{Rate, Scenario};
use std::collections::{BTreeMap, BTreeSet};

/// What the runs of a cell came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// How many runs there were.
    pub runs: u64,
    /// In how many runs the hazard was met.
    pub met: u64,
    /// In how many runs each harm was done, and in which first, as a number from 1.
    pub harms: BTreeMap<Harm, (u64, u64)>,
    /// The harms that the file accepts of this hazard.
    pub accepted: BTreeSet<Harm>,
    /// What made the schedule well again, in how many runs.
    pub heals: BTreeMap<Heals, u64>,
    /// The worst of these: what nobody heals, or else what took longest.
    pub slowest: Option<Healed>,
    /// Who noticed, if the scenario has alerts.
    pub noticed: Option<Noticed>,
    /// Executions of all runs.
    pub executions: u64,
    /// Rows of all runs.
    pub rows: u64,
    /// Executions of one run if each tick ran once.
    pub meant: u64,
    /// Rows of one execution.
    pub rows_each: u64,
    /// Runs that would not end.
    pub endless: u64,
    /// The first seed whose run panicked, or 0 if the scenario could not be made, and what was said.
    pub bug: Option<(u64, String)>,
}

/// What alerts said of a cell's runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Noticed {
    /// In how many runs in which something went wrong each alert rang.
    pub by: BTreeMap<String, u64>,
    /// In how many of those none did.
    pub nobody: u64,
    /// In how many runs in which nothing went wrong each rang.
    pub needlessly: BTreeMap<String, u64>,
}

impl Noticed {
    fn add(&mut self, rang: &[String], harmed: bool) {
        self.nobody += u64::from(harmed && rang.is_empty());
        let rings = if harmed { &mut self.by } else { &mut self.needlessly };
        for name in rang {
            *rings.entry(name.clone()).or_default() += 1;
        }
    }
}

impl Seen {
    /// The gravest harm that is not accepted, in how many runs, and in which first.
    #[must_use]
    pub fn worst(&self) -> Option<(Harm, u64, u64)> {
        self.gravest(|harm| !self.accepted.contains(&harm))
    }

    /// The gravest harm that is accepted, in how many runs, and in which first.
    #[must_use]
    pub fn excused(&self) -> Option<(Harm, u64, u64)> {
        self.gravest(|harm| self.accepted.contains(&harm))
    }

    fn gravest(&self, such: impl Fn(Harm) -> bool) -> Option<(Harm, u64, u64)> {
        let mut harms = self.harms.iter().rev().filter(|(harm, _)| such(**harm));
        harms.next().map(|(harm, (runs, first))| (*harm, *runs, *first))
    }

    /// What stands in the matrix.
    #[must_use]
    pub fn letter(&self) -> char {
        match self.worst().or_else(|| self.excused()) {
            Some((harm, ..)) => harm.letter(),
            None if self.bug.is_some() => '!',
            None if self.runs == 0 => '?',
            None if self.met == 0 => '-',
            None => '.',
        }
    }

    /// How much more is written than is meant: of rows, or of executions where none are written.
    #[must_use]
    pub fn times(&self) -> Option<f64> {
        let (done, each) = match self.rows_each {
            0 => (self.executions, 1),
            each => (self.rows, each),
        };
        let meant = self.meant * each * self.runs;
        (meant > 0).then(|| done as f64 / meant as f64)
    }

    /// How often its worst harm comes, if such a day comes as often as `occurs` says.
    #[must_use]
    pub fn exposure(&self, occurs: &Occurs, deploys: Rate) -> Option<Exposure> {
        let (_, harmed, _) = self.worst().or_else(|| self.excused())?;
        // Where a window was drawn, each run is one draw; else what counts is that it happened.
        let of = if occurs.of == Of::Itself { self.met } else { self.runs };
        Some(occurs.exposure(harmed as f64 / of as f64, deploys))
    }

    pub(super) fn add(&mut self, played: &Played, number: u64) {
        if let Some(message) = &played.bug {
            self.bug.get_or_insert_with(|| (number, message.clone()));
            return;
        }
        self.runs += 1;
        self.met += u64::from(played.met);
        self.executions += played.executions;
        self.rows += played.rows;
        self.endless += u64::from(played.endless);
        // What a hazard that was not met does is not its doing.
        if !played.met {
            return;
        }
        if let Some(rang) = &played.rang {
            self.noticed.get_or_insert_default().add(rang, played.harmed());
        }
        for harm in &played.harms {
            self.harms.entry(*harm).or_insert((0, number)).0 += 1;
        }
        if let Some(healed) = played.healed {
            *self.heals.entry(healed.by).or_default() += 1;
            let worse = |one: &Healed| (one.by == Heals::Nobody, one.after);
            if self.slowest.is_none_or(|known| worse(&known) < worse(&healed)) {
                self.slowest = Some(healed);
            }
        }
    }
}

/// What is meant to be done in a run of a cell.
pub(super) fn meant(scenario: &Scenario, schedule: usize) -> Seen {
    let of = &scenario.schedules[schedule];
    let ticks = of.recurrence.ticks();
    let end = (scenario.start + scenario.measure.1).ms();
    let mut at = (scenario.start + scenario.measure.0).ms() - 1;
    let mut windows = 0_u64;
    while let Some(next) = ticks.after(at).filter(|next| *next < end) {
        windows += 1;
        at = next;
    }
    Seen { meant: windows, rows_each: scenario.rows_each(schedule), ..Seen::default() }
}
