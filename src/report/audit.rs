//! What an audit came to: a matrix of hazards by schedules, the worst cells with how to play them again, and
//! what was not covered. It judges nothing. The names and comments of the data are part of the format.

mod text;

pub use text::text;

use crate::audit::{self, Audit, Cell, Column, DEPLOYS, Exposure, Harm, Of, Seen, stale};
use crate::load::Loaded;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the format of [`Report`]; a new field is no new version.
pub const FORMAT: u32 = 1;

/// What an audit came to.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Report {
    /// The version of this format: 1. A later version of bootrace may add fields to it.
    pub format: u32,
    /// How many seeds each cell was played on, from 1.
    pub seeds: u64,
    /// Whether it was stopped before all was played.
    pub interrupted: bool,
    /// The files, in the order of the arguments.
    pub files: Vec<File>,
    /// The columns of the matrix, in order.
    pub columns: Vec<Heading>,
    /// Its cells, hazard by hazard; of each hazard one for each column.
    pub cells: Vec<Entry>,
    /// How many cells came out how.
    pub counts: Counts,
}

/// A file, and what the audit took of it.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct File {
    /// The file, as it was named.
    pub file: String,
    /// The scenario's name.
    pub scenario: String,
    /// How often it is deployed in a month of thirty days.
    pub deploys_a_month: f64,
    /// Whether the file says so; if not, it is once on each working day.
    pub deploys_said: bool,
    /// What was put aside, since each cell is a short day of its own.
    pub put_aside: Vec<String>,
    /// Options that the file's version of the library ignores, and so the model, too.
    pub ignored: Vec<String>,
    /// What the file accepts.
    pub accepts: Vec<Acceptance>,
}

/// Harm that a file accepts.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Acceptance {
    /// The name of the hazard that may do it.
    pub hazard: String,
    /// What it may do, by its name.
    pub harm: &'static str,
    /// To which schedule; null: to any.
    pub schedule: Option<String>,
    /// Why, as the file says it.
    pub because: String,
    /// Why it is not needed any more; null if it is, or if its hazard was not played.
    pub stale: Option<String>,
}

/// A column: a schedule on a version of the library.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Heading {
    /// The file, as it was named.
    pub file: String,
    /// The schedule's name.
    pub schedule: String,
    /// The version of the library; as the file says it if there is none.
    pub library: Option<&'static str>,
    /// The letter of the day on which nothing happens, against which others are to be read; null if
    /// it was not played.
    pub control: Option<char>,
}

/// A cell.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Entry {
    /// The hazard's name.
    pub hazard: &'static str,
    /// What the hazard is, in a sentence.
    pub is: &'static str,
    /// Which column, counted from 0.
    pub column: usize,
    /// The letter of the matrix: of the gravest harm; `.` if there is none, `-` if the hazard does
    /// not apply or was never met, `?` if nothing was played, `!` if each run met a bug.
    pub letter: char,
    /// Why the hazard does not apply; null if it does.
    pub does_not_apply: Option<String>,
    /// How many runs there were.
    pub runs: u64,
    /// In how many the hazard was met. The others say nothing.
    pub met: u64,
    /// In how many a bound was reached before the end.
    pub endless: u64,
    /// What went wrong, the gravest first.
    pub harms: Vec<Harmed>,
    /// The gravest that is not accepted, by its name; null if there is none.
    pub worst: Option<&'static str>,
    /// Whether the day on which nothing happens shows that, too, so that it is not this hazard's doing.
    pub as_control: bool,
    /// How much was done, against what is meant.
    pub work: Work,
    /// What made the schedule well again, in how many runs.
    pub healed_by: BTreeMap<&'static str, u64>,
    /// The worst of that; null if nothing went wrong, or if no run tells.
    pub slowest: Option<Slowest>,
    /// What alerts said: the scenario's own, and with `--alerts` those that come with bootrace; null if
    /// there is none.
    pub noticed: Option<Alerts>,
    /// How often the worst harm comes; null if there is none, or none of this hazard's doing.
    pub exposure: Option<Rate>,
    /// The command that plays the first run with the gravest harm again; null if there is none.
    pub replay: Option<String>,
    /// What the first run said that met a bug in bootrace; null if none did.
    pub bug: Option<Bug>,
    #[serde(skip)]
    grave: Option<(Harm, u64)>,
}

/// A harm that was done.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Harmed {
    /// Its name, as an acceptance in a file calls it.
    pub harm: &'static str,
    /// What it means, in a few words.
    pub means: &'static str,
    /// In how many runs it was done.
    pub runs: u64,
    /// The first seed that shows it.
    pub seed: u64,
    /// Whether the file accepts it.
    pub accepted: bool,
}

/// How much was done in all runs of a cell.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Work {
    /// How often the schedule's job ran.
    pub executions: u64,
    /// How many rows it wrote.
    pub rows: u64,
    /// How often it would have run, had each tick run once.
    pub executions_meant: u64,
    /// How many rows it would have written then.
    pub rows_meant: u64,
    /// What was written as a multiple of what is meant, or what ran where nothing is written; null if
    /// nothing is meant.
    pub times: Option<f64>,
}

/// What alerts said of a cell's runs.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Alerts {
    /// In how many runs in which something went wrong each alert rang, by its name.
    pub by: BTreeMap<String, u64>,
    /// In how many of those none did.
    pub by_nobody: u64,
    /// In how many runs in which nothing went wrong each rang.
    pub needlessly: BTreeMap<String, u64>,
}

/// The longest that a schedule was not well.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Slowest {
    /// What made it well again.
    pub by: &'static str,
    /// After how many seconds; of nobody: how long the rest of the run was.
    pub seconds: f64,
}

/// How often a harm comes: `times_a_month = each_month * chance * share`. It is assumed that each
/// deploy is of the hazard's kind, and at any instant.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Rate {
    /// What the hazard is one of.
    pub of: Per,
    /// How many of those there are in a month; null of occurrences, which nobody counts.
    pub each_month: Option<f64>,
    /// The length of the range around a tick, in seconds, from which the hazard draws its instant;
    /// null if any instant of a period is such a one.
    pub window_seconds: Option<f64>,
    /// The time from a tick to the next, in seconds.
    pub period_seconds: f64,
    /// The chance of an instant to lie in the window: window / period.
    pub chance: f64,
    /// The share of runs with the harm, measured: of all, or of an occurrence of those that met it.
    pub share: f64,
    /// The product; null of occurrences.
    pub times_a_month: Option<f64>,
}

/// What a hazard is one of.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Deploys of the service that registers the schedule.
    Deploys,
    /// Boots of its containers: as many in a deploy as it has replicas.
    Boots,
    /// Occurrences of the hazard, which is no deploy.
    Occurrences,
}

/// A run that panicked.
#[derive(Clone, Serialize, JsonSchema, Debug)]
pub struct Bug {
    /// The seed; 0 if the cell's scenario could not be made.
    pub seed: u64,
    /// What was said.
    pub message: String,
}

/// How many cells came out how.
#[derive(Clone, Default, Serialize, JsonSchema, Debug)]
pub struct Counts {
    /// Those in which something went wrong that is not accepted.
    pub harmed: u64,
    /// Those in which nothing went wrong but what is accepted.
    pub accepted: u64,
    /// Those in which the hazard was met and nothing went wrong.
    pub well: u64,
    /// Those in which what the hazard needs was met in no run, which say nothing.
    pub never_met: u64,
    /// Those that do not apply.
    pub not_applicable: u64,
    /// Those of which nothing was played.
    pub not_played: u64,
}

impl Report {
    /// The report of an audit of these files.
    #[must_use]
    pub fn new(loaded: &[Loaded], audit: &Audit, seeds: u64) -> Report {
        let columns = audit.columns.iter().enumerate();
        let columns = columns.map(|(number, column)| heading(loaded, audit, number, column));
        let columns: Vec<Heading> = columns.collect();
        let cell = |cell| Entry::new(loaded, audit, &columns, cell);
        let cells: Vec<Entry> = audit.cells.iter().map(cell).collect();
        Report {
            format: FORMAT,
            seeds,
            interrupted: audit.cut.is_some(),
            files: files(loaded, audit),
            columns,
            counts: Counts::of(&cells),
            cells,
        }
    }
}

fn files(loaded: &[Loaded], audit: &Audit) -> Vec<File> {
    let scenarios: Vec<_> = loaded.iter().map(|loaded| loaded.scenario.clone()).collect();
    let stale = stale(&scenarios, audit);
    let file = |(number, of): (usize, &Loaded)| {
        let scenario = &of.scenario;
        let accepts = scenario.audit.accept.iter().enumerate().map(|(place, accept)| {
            let is = |one: &&audit::Stale| (one.file, one.accept) == (number, place);
            let schedule = accept.schedule.map(|of| scenario.schedules[of].name.to_string());
            Acceptance {
                hazard: accept.hazard.to_string(),
                harm: accept.harm.name(),
                schedule,
                because: accept.because.to_string(),
                stale: stale.iter().find(is).map(|one| one.why.clone()),
            }
        });
        let ignored = of.warnings.iter().filter(|warning| warning.is_ignored());
        File {
            file: of.source.path.display().to_string(),
            scenario: scenario.name.to_string(),
            deploys_a_month: scenario.audit.deploys.unwrap_or(DEPLOYS).a_month(),
            deploys_said: scenario.audit.deploys.is_some(),
            put_aside: audit.put_aside[number].clone(),
            ignored: ignored.map(|warning| warning.message.clone()).collect(),
            accepts: accepts.collect(),
        }
    };
    loaded.iter().enumerate().map(file).collect()
}

fn heading(loaded: &[Loaded], audit: &Audit, number: usize, column: &Column) -> Heading {
    let of = &loaded[column.file];
    let control = audit.control(number).and_then(|cell| cell.seen.as_ref().ok());
    Heading {
        file: of.source.path.display().to_string(),
        schedule: of.scenario.schedules[column.schedule].name.to_string(),
        library: column.version.map(|version| version.number()),
        control: control.map(Seen::letter),
    }
}

impl Entry {
    fn new(loaded: &[Loaded], audit: &Audit, columns: &[Heading], cell: &Cell) -> Entry {
        let Cell { hazard, column, seen, occurs } = cell;
        let nothing = Seen::default();
        let (of, why) = match seen {
            Ok(seen) => (seen, None),
            Err(why) => (&nothing, Some(why.clone())),
        };
        let worst = of.worst();
        let shown = worst.or_else(|| of.excused());
        let scenario = &loaded[audit.columns[*column].file].scenario;
        let deploys = scenario.audit.deploys.unwrap_or(DEPLOYS);
        let control = audit.control(*column).filter(|control| control.hazard.name != hazard.name);
        let control = control.and_then(|control| control.seen.as_ref().ok());
        let as_control = worst.is_some_and(|(harm, ..)| {
            control.is_some_and(|control| control.harms.contains_key(&harm))
        });
        let exposure = occurs.filter(|_| !as_control).and_then(|occurs| {
            of.exposure(&occurs, deploys).map(|exposure| Rate::new(&occurs, exposure))
        });
        Entry {
            hazard: hazard.name,
            is: hazard.doc,
            column: *column,
            letter: if why.is_some() { '-' } else { of.letter() },
            does_not_apply: why,
            runs: of.runs,
            met: of.met,
            endless: of.endless,
            harms: harms(of),
            worst: worst.map(|(harm, ..)| harm.name()),
            as_control,
            work: Work {
                executions: of.executions,
                rows: of.rows,
                executions_meant: of.meant * of.runs,
                rows_meant: of.meant * of.runs * of.rows_each,
                times: of.times(),
            },
            healed_by: of.heals.iter().map(|(by, runs)| (by.words(), *runs)).collect(),
            slowest: of.slowest.map(|healed| Slowest {
                by: healed.by.words(),
                seconds: healed.after.nanos() as f64 / 1e9,
            }),
            noticed: of.noticed.as_ref().map(|noticed| Alerts {
                by: noticed.by.clone(),
                by_nobody: noticed.nobody,
                needlessly: noticed.needlessly.clone(),
            }),
            exposure,
            replay: shown.map(|(_, _, seed)| replay(&columns[*column], hazard.name, seed)),
            bug: of.bug.clone().map(|(seed, message)| Bug { seed, message }),
            grave: worst.map(|(harm, runs, _)| (harm, runs)),
        }
    }

    fn applies(&self) -> bool {
        self.does_not_apply.is_none()
    }

    /// Whether runs were played, and what the hazard needs was met in none.
    fn never_met(&self) -> bool {
        self.applies() && self.runs > 0 && self.met == 0
    }

    /// Whether all that went wrong is accepted.
    fn accepted(&self) -> bool {
        self.worst.is_none() && !self.harms.is_empty()
    }
}

fn harms(of: &Seen) -> Vec<Harmed> {
    let harmed = |(harm, (runs, seed)): (&Harm, &(u64, u64))| Harmed {
        harm: harm.name(),
        means: harm.words(),
        runs: *runs,
        seed: *seed,
        accepted: of.accepted.contains(harm),
    };
    of.harms.iter().rev().map(harmed).collect()
}

/// The command that plays a run of a cell again.
fn replay(column: &Heading, hazard: &str, seed: u64) -> String {
    let Heading { file, schedule, library, .. } = column;
    let library = library.map(|number| format!(" --library {number}")).unwrap_or_default();
    format!("bootrace replay {file} --hazard {hazard} --schedule {schedule}{library} --seed {seed}")
}

impl Rate {
    fn new(occurs: &audit::Occurs, exposure: Exposure) -> Rate {
        let seconds = |span: bootrace_sim::clock::Span| span.nanos() as f64 / 1e9;
        Rate {
            of: match occurs.of {
                Of::Deploys => Per::Deploys,
                Of::Boots(_) => Per::Boots,
                Of::Itself => Per::Occurrences,
            },
            each_month: exposure.a_month,
            window_seconds: occurs.window.map(seconds),
            period_seconds: seconds(occurs.period),
            chance: exposure.chance,
            share: exposure.share,
            times_a_month: exposure.times_a_month(),
        }
    }
}

impl Counts {
    fn of(cells: &[Entry]) -> Counts {
        let mut counts = Counts::default();
        for cell in cells {
            let count = match cell {
                _ if !cell.applies() => &mut counts.not_applicable,
                _ if cell.worst.is_some() => &mut counts.harmed,
                _ if cell.accepted() => &mut counts.accepted,
                _ if cell.runs == 0 => &mut counts.not_played,
                _ if cell.met == 0 => &mut counts.never_met,
                _ => &mut counts.well,
            };
            *count += 1;
        }
        counts
    }
}
