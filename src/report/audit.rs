//! What an audit came to: a matrix of hazards by schedules, the worst cells with how to play them again, and
//! what was not covered. It judges nothing.

use crate::audit::{Audit, Cell, Column, Harm, Seen};
use crate::load::Loaded;
use bootrace_sim::clock::Span;
use bootrace_sim::oracle::Healer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many of the worst cells are told.
const WORST: usize = 3;

/// What an audit came to, as data.
#[derive(Serialize, Debug)]
pub struct Report {
    /// How many seeds each cell was played on.
    pub seeds: u64,
    /// Whether it ended before all was played.
    pub interrupted: bool,
    /// The columns of the matrix.
    pub columns: Vec<Heading>,
    /// Its cells, hazard by hazard.
    pub cells: Vec<Entry>,
}

/// A column: a schedule on a version of the library.
#[derive(Clone, Serialize, Debug)]
pub struct Heading {
    /// The file.
    pub file: String,
    /// The schedule's name.
    pub schedule: String,
    /// The version; as the file says it if there is none.
    pub library: Option<&'static str>,
}

/// A cell.
#[derive(Serialize, Debug)]
pub struct Entry {
    /// The hazard's name.
    pub hazard: &'static str,
    /// What the hazard is.
    pub is: &'static str,
    /// The column, by number.
    pub column: usize,
    /// The letter of the matrix.
    pub letter: char,
    /// Why the hazard does not apply, if it does not.
    pub does_not_apply: Option<String>,
    /// How many runs there were.
    pub runs: u64,
    /// In how many the hazard was met.
    pub met: u64,
    /// What went wrong, in how many runs.
    pub harms: BTreeMap<&'static str, u64>,
    /// The gravest of these, and the first seed that shows it.
    pub worst: Option<(&'static str, u64)>,
    /// How much was written or run, as a multiple of what is meant.
    pub times: Option<f64>,
    /// The longest time without the one iteration to come, in seconds, and what ended it.
    pub ill: Option<(f64, &'static str)>,
    /// The command that plays the first such run again.
    pub replay: Option<String>,
    #[serde(skip)]
    grave: Option<(Harm, u64)>,
}

impl Report {
    /// The report of an audit of these files.
    #[must_use]
    pub fn new(loaded: &[Loaded], audit: &Audit, seeds: u64) -> Report {
        let heading = |column: &Column| {
            let of = &loaded[column.file];
            Heading {
                file: of.source.path.display().to_string(),
                schedule: of.scenario.schedules[column.schedule].name.to_string(),
                library: column.version.map(|version| version.number()),
            }
        };
        let columns: Vec<Heading> = audit.columns.iter().map(heading).collect();
        let cells = audit.cells.iter().map(|cell| Entry::new(cell, &columns)).collect();
        Report { seeds, interrupted: audit.cut.is_some(), columns, cells }
    }
}

impl Entry {
    fn new(cell: &Cell, columns: &[Heading]) -> Entry {
        let Cell { hazard, column, seen } = cell;
        let nothing = Seen::default();
        let (of, why) = match seen {
            Ok(seen) => (seen, None),
            Err(why) => (&nothing, Some(why.clone())),
        };
        let worst = of.worst();
        let replay = worst.map(|(_, _, seed)| {
            let Heading { file, schedule, library } = &columns[*column];
            let library = library.map(|number| format!(" --library {number}")).unwrap_or_default();
            format!(
                "bootrace replay {file} --hazard {} --schedule {schedule}{library} --seed {seed}",
                hazard.name
            )
        });
        Entry {
            hazard: hazard.name,
            is: hazard.doc,
            column: *column,
            letter: of.letter(),
            does_not_apply: why,
            runs: of.runs,
            met: of.met,
            harms: of.harms.iter().map(|(harm, (runs, _))| (harm.words(), *runs)).collect(),
            worst: worst.map(|(harm, _, seed)| (harm.words(), seed)),
            times: of.times(),
            ill: of.ill.map(|(lasted, healer)| (lasted as f64 / 1e9, healed(healer))),
            replay,
            grave: worst.map(|(harm, runs, _)| (harm, runs)),
        }
    }
}

fn healed(by: Healer) -> &'static str {
    match by {
        Healer::Nobody => "nobody",
        Healer::Steps => "start-up code",
        Healer::Worker => "the worker",
        Healer::Processor => "a processor",
        Healer::Person => "a person",
    }
}

/// The report for people.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for (number, Heading { file, schedule, library }) in report.columns.iter().enumerate() {
        let library = library.map(|number| format!(", bullmq {number}")).unwrap_or_default();
        let _ = writeln!(text, "{:>3}  {file}, {schedule}{library}", number + 1);
    }
    text.push('\n');
    let numbers = (1..=report.columns.len()).map(|number| format!("{number:>4}"));
    let _ = writeln!(text, "{:24}{}", "", numbers.collect::<String>());
    let width = report.columns.len().max(1);
    for row in report.cells.chunks(width) {
        let Some(first) = row.first() else { continue };
        let letters = row.iter().map(|cell| format!("{:>4}", cell.letter));
        let _ = writeln!(text, "{:24}{}", first.hazard, letters.collect::<String>());
    }
    legend(report, &mut text);
    worst(report, &mut text);
    uncovered(report, &mut text);
    text
}

/// The letters that occur.
fn legend(report: &Report, text: &mut String) {
    let there = |letter: char| report.cells.iter().any(|cell| cell.letter == letter);
    let mut all: Vec<String> = vec![". as it must be".to_owned()];
    let harms = Harm::ALL.iter().filter(|harm| there(harm.letter()));
    all.extend(harms.map(|harm| format!("{} {}", harm.letter(), harm.words())));
    if there('-') {
        all.push("- does not apply, or was not met".to_owned());
    }
    let _ = writeln!(text, "\n{}", all.join("\n"));
}

fn worst(report: &Report, text: &mut String) {
    let mut grave: Vec<&Entry> = report.cells.iter().filter(|cell| cell.grave.is_some()).collect();
    // The gravest first; of equals that which happens most often.
    grave.sort_by_key(|cell| std::cmp::Reverse(cell.grave));
    let bad = grave.len();
    let of = report.cells.iter().filter(|cell| cell.met > 0).count();
    let _ = writeln!(
        text,
        "\n{bad} of {of} cells are not as they must be, on {} seeds each.",
        report.seeds
    );
    let mut told: Vec<(&str, char)> = Vec::new();
    for cell in grave {
        // The same thing on another version is no other thing.
        if told.len() == WORST || told.iter().any(|(_, letter)| *letter == cell.letter) {
            continue;
        }
        told.push((cell.hazard, cell.letter));
        let (Some((what, _)), Some((_, runs)), Some(replay)) =
            (cell.worst, cell.grave, &cell.replay)
        else {
            continue;
        };
        let _ = write!(text, "\n{}: {what}, in {runs} of {} runs", cell.hazard, cell.met);
        if let Some((seconds, by)) = cell.ill {
            let span = Span::from_nanos((seconds * 1e9) as i64).rounded();
            let _ = match by {
                "nobody" => write!(text, "; nobody heals it within the run"),
                by => write!(text, "; healed after {span} by {by}"),
            };
        }
        if let Some(times) = cell.times.filter(|times| *times > 1.05) {
            let _ = write!(text, "; {times:.1} times the work");
        }
        let _ = writeln!(text, ".\n  {}\nReplay: {replay}", cell.is);
    }
}

/// What does not apply, and why.
fn uncovered(report: &Report, text: &mut String) {
    let mut whys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for cell in &report.cells {
        let why = match &cell.does_not_apply {
            Some(why) => why.as_str(),
            None if cell.met == 0 && cell.runs > 0 => "what it needs was never met",
            None => continue,
        };
        let of = whys.entry(why).or_default();
        if of.last() != Some(&cell.hazard) {
            of.push(cell.hazard);
        }
    }
    if !whys.is_empty() {
        text.push_str("\nNot covered:\n");
    }
    for (why, hazards) in whys {
        let _ = writeln!(text, "  {}: {why}", hazards.join(", "));
    }
}
