//! Audits: every schedule of some scenarios against every hazard of the battery, on many seeds and on
//! each version of the library.
//!
//! A cell is a scenario of its own ([`bootrace_sim::battery`]), so whatever is said of it can be
//! played again by itself. What a run did wrong is read from its judgements alone.

use crate::pool::{Cut, Watch, work};
use bootrace_sim::battery::{Hazard, hazards};
use bootrace_sim::oracle::{Breach, Broke, Healer, Verdict};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::{JobStep, Measure, Mode, Relation, Scenario, Version};
use bootrace_sim::{Outcome, run};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What goes wrong with a schedule, the gravest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Harm {
    /// A tick's job starts later than it may.
    Late,
    /// A job runs that belongs to no tick.
    Extra,
    /// A job of the queue is lost.
    LostJob,
    /// A tick's work does not run.
    Lost,
    /// A tick's work runs twice, one after the other.
    Twice,
    /// It runs more than once at one time.
    AtOnce,
    /// More than one registration carries the schedule on.
    Orphan,
    /// A registration is listed, and nothing will come of it.
    Dead,
    /// There is no registration any more.
    Gone,
}

impl Harm {
    /// All, the gravest last.
    pub const ALL: [Harm; 9] = [
        Harm::Late,
        Harm::Extra,
        Harm::LostJob,
        Harm::Lost,
        Harm::Twice,
        Harm::AtOnce,
        Harm::Orphan,
        Harm::Dead,
        Harm::Gone,
    ];

    /// The letter in a matrix.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Harm::Late => 't',
            Harm::Extra => 'x',
            Harm::LostJob => 'j',
            Harm::Lost => 'l',
            Harm::Twice => '2',
            Harm::AtOnce => 'p',
            Harm::Orphan => 'o',
            Harm::Dead => 'd',
            Harm::Gone => 'g',
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Harm::Late => "a tick's job starts late",
            Harm::Extra => "a run that belongs to no tick",
            Harm::LostJob => "a job is lost",
            Harm::Lost => "a tick is lost",
            Harm::Twice => "a tick runs twice",
            Harm::AtOnce => "runs at the same time",
            Harm::Orphan => "a second registration fires beside the first",
            Harm::Dead => "the registration is listed, and dead",
            Harm::Gone => "no registration carries it on",
        }
    }
}

/// What one run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    harms: Vec<Harm>,
    /// Whether all that the hazard needs was met, and something was judged.
    met: bool,
    /// The longest time without the one iteration, and what ended it.
    ill: Option<(i64, Healer)>,
    executions: u64,
    rows: u64,
    bound: bool,
}

impl Played {
    /// Whether something went wrong.
    #[must_use]
    pub fn harmed(&self) -> bool {
        !self.harms.is_empty()
    }
}

/// What the runs of a cell came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// How many runs there were.
    pub runs: u64,
    /// In how many runs the hazard was met.
    pub met: u64,
    /// In how many runs each harm was done, and in which first, as a number from 1.
    pub harms: BTreeMap<Harm, (u64, u64)>,
    /// The longest time without the one iteration to come, in nanoseconds, and what ended it.
    pub ill: Option<(i64, Healer)>,
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
}

impl Seen {
    /// The gravest harm, and in how many runs.
    #[must_use]
    pub fn worst(&self) -> Option<(Harm, u64, u64)> {
        self.harms.last_key_value().map(|(harm, (runs, first))| (*harm, *runs, *first))
    }

    /// What stands in the matrix.
    #[must_use]
    pub fn letter(&self) -> char {
        match self.worst() {
            Some((harm, ..)) => harm.letter(),
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

    fn add(&mut self, played: &Played, number: u64) {
        self.runs += 1;
        self.met += u64::from(played.met);
        self.executions += played.executions;
        self.rows += played.rows;
        self.endless += u64::from(played.bound);
        // What a hazard that was not met does is not its doing.
        for harm in played.harms.iter().filter(|_| played.met) {
            self.harms.entry(*harm).or_insert((0, number)).0 += 1;
        }
        if played.met && played.ill.map(|(lasted, _)| lasted) > self.ill.map(|(lasted, _)| lasted) {
            self.ill = played.ill;
        }
    }
}

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
}

/// What an audit came to.
#[derive(Debug)]
pub struct Audit {
    /// The columns.
    pub columns: Vec<Column>,
    /// The cells, hazard by hazard.
    pub cells: Vec<Cell>,
    /// Why it is not all of it.
    pub cut: Option<Cut>,
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

/// Plays every cell on seeds from 1 to `seeds`, for as long as `watch` wants more.
pub fn audit(
    scenarios: &[Arc<Scenario>],
    columns: Vec<Column>,
    such: impl Fn(&Hazard) -> bool,
    seeds: u64,
    watch: &mut impl Watch<Played>,
) -> Audit {
    let mut cells = Vec::new();
    let mut plays: Vec<(usize, Arc<Scenario>)> = Vec::new();
    for hazard in hazards().filter(|hazard| such(hazard)) {
        for (number, column) in columns.iter().enumerate() {
            let Column { file, schedule, version } = *column;
            let staged = hazard.of(&scenarios[file], schedule, version);
            let seen = staged.map(|scenario| {
                let seen = meant(&scenario, schedule);
                plays.push((cells.len(), Arc::new(scenario)));
                seen
            });
            cells.push(Cell { hazard, column: number, seen });
        }
    }
    let count = usize::try_from(seeds).unwrap_or(usize::MAX);
    let of_schedule: Vec<usize> =
        plays.iter().map(|(cell, _)| columns[cells[*cell].column].schedule).collect();
    let staged: Vec<Arc<Scenario>> = plays.iter().map(|(_, scenario)| scenario.clone()).collect();
    let task = move |number: usize| {
        let (place, seed) = (number / count, (number % count) as u64 + 1);
        play(&staged[place], of_schedule[place], seed)
    };
    let done = work(plays.len().saturating_mul(count), task, watch);
    for (number, played) in done.results.iter().enumerate() {
        let (place, seed) = (number / count, (number % count) as u64 + 1);
        if let Ok(seen) = &mut cells[plays[place].0].seen {
            seen.add(played, seed);
        }
    }
    Audit { columns, cells, cut: done.cut }
}

/// What is meant to be done in a run of a cell.
fn meant(scenario: &Scenario, schedule: usize) -> Seen {
    let of = &scenario.schedules[schedule];
    let ticks = of.recurrence.ticks();
    let end = (scenario.start + scenario.measure.1).ms();
    let mut at = (scenario.start + scenario.measure.0).ms() - 1;
    let mut windows = 0_u64;
    while let Some(next) = ticks.after(at).filter(|next| *next < end) {
        windows += 1;
        at = next;
    }
    let job = scenario.jobs.iter().find(|job| job.is(of.queue, of.job.as_bytes()));
    let rows = job.iter().flat_map(|job| &job.steps).map(|step| match step {
        JobStep::Write { rows, .. } => *rows,
        _ => 0,
    });
    // The last of them is where the run ends.
    Seen { meant: windows.saturating_sub(1), rows_each: rows.sum(), ..Seen::default() }
}

fn play(scenario: &Arc<Scenario>, schedule: usize, seed: u64) -> Played {
    let Outcome { verdict, out_of_steps, .. } =
        run(scenario, Box::new(Random::new(seed)), false, &mut ());
    let work = verdict.figures.schedules[schedule];
    Played {
        met: met(scenario, &verdict),
        ill: ill(&verdict),
        harms: harms(scenario, &verdict),
        executions: work.executions,
        rows: work.rows,
        bound: out_of_steps,
    }
}

/// Whether windows were judged, and all that the hazard is about happened.
pub(crate) fn met(scenario: &Scenario, verdict: &Verdict) -> bool {
    let each = || scenario.expectations.iter().zip(&verdict.judgements);
    let of = |measure| each().find(|(expectation, _)| expectation.property.measure == measure);
    let windows = of(Measure::FiringsPerWindow).is_some_and(|(_, judgement)| judgement.judged > 0);
    let owed = each().filter(|(expectation, _)| expectation.property.relation == Relation::AtLeast);
    let owed = owed.map(|(_, judgement)| judgement.judged).sum::<u64>() > 0;
    let premises = each().filter(|(expectation, _)| expectation.property.mode == Mode::Sometimes);
    (windows || owed) && premises.into_iter().all(|(_, judgement)| judgement.figure > Some(0))
}

fn ill(verdict: &Verdict) -> Option<(i64, Healer)> {
    verdict.judgements.iter().find_map(|judgement| match judgement.broke.as_ref()?.what {
        Breach::Ill { lasted, healed, .. } => Some((lasted.nanos(), healed)),
        _ => None,
    })
}

/// What a run did wrong, in order.
fn harms(scenario: &Scenario, verdict: &Verdict) -> Vec<Harm> {
    let each = scenario.expectations.iter().zip(&verdict.judgements);
    let broken = each.filter(|(_, judgement)| !judgement.held);
    let mut harms: Vec<Harm> = broken
        .filter_map(|(expectation, judgement)| {
            let property = expectation.property;
            let broke = judgement.broke.as_ref()?;
            match (property.measure, property.relation) {
                (Measure::FiringsPerWindow, Relation::AtLeast) => Some(Harm::Lost),
                (Measure::FiringsPerWindow, _) => Some(twice(broke)),
                (Measure::Overlap, _) => Some(Harm::AtOnce),
                (Measure::Lateness, _) => Some(Harm::Late),
                (Measure::LostJobs, _) => Some(Harm::LostJob),
                (Measure::LiveRegistrations, _) => Some(registrations(broke)),
                _ => None,
            }
        })
        .collect();
    harms.sort_unstable();
    harms.dedup();
    harms
}

/// A firing too many: of a tick, or of none. An iteration's id says that it is one, in both APIs.
fn twice(broke: &Broke) -> Harm {
    let iteration = broke.job.as_ref().is_some_and(|id| id.starts_with("repeat:"));
    if iteration { Harm::Twice } else { Harm::Extra }
}

fn registrations(broke: &Broke) -> Harm {
    match broke.what {
        Breach::Registrations { live, exactly, .. } if live > exactly => Harm::Orphan,
        Breach::Registrations { dead, .. } if dead > 0 => Harm::Dead,
        Breach::Registrations { live: 0, .. } => Harm::Gone,
        _ => Harm::Orphan,
    }
}
