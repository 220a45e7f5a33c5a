//! Several scenarios on the same seeds, side by side: a column for each, and each against the first, seed
//! by seed. It judges nothing.

use super::diagnostic::escaped;
use super::text::{PROBE, ended, grouped, seeds, sentence, story, word};
use super::{Expected, Figure, Report, Status};
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How many columns stand side by side; more follow below.
const COLUMNS: usize = 4;

/// The width of a column, and of what stands before all.
const WIDTH: usize = 24;
const LABEL: usize = 20;

/// The width of an expectation, and of a column beside it. What is longer has a line of its own.
const SENTENCE: usize = 54;
const NARROW: usize = 16;

/// One scenario against the first of a comparison, seed by seed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Against {
    /// Which of the reports, from 0: that of the first has none.
    pub report: usize,
    /// The figures.
    pub figures: Vec<Pairs>,
    /// The expectations that both have, but for those that something happens.
    pub expectations: Vec<Better>,
}

/// A figure against that of the first scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Pairs {
    /// What is counted.
    pub name: &'static str,
    /// In how many seeds it is less than the first scenario's.
    pub less: usize,
    /// In how many it is the same.
    pub same: usize,
    /// In how many it is more.
    pub more: usize,
}

/// An expectation against the same one of the first scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Better {
    /// The expectation, in words.
    pub expectation: String,
    /// In how many seeds its value is better than the first scenario's.
    pub better: usize,
    /// In how many it is the same.
    pub same: usize,
    /// In how many it is worse.
    pub worse: usize,
}

/// How often values are less than others, the same and more.
fn orders<T: Ord>(pairs: impl Iterator<Item = (T, T)>) -> (usize, usize, usize) {
    let mut orders = (0, 0, 0);
    for (first, other) in pairs {
        match other.cmp(&first) {
            Ordering::Less => orders.0 += 1,
            Ordering::Equal => orders.1 += 1,
            Ordering::Greater => orders.2 += 1,
        }
    }
    orders
}

/// Every report but the first against the first.
#[must_use]
pub fn against(reports: &[Report]) -> Vec<Against> {
    let Some((first, others)) = reports.split_first() else { return Vec::new() };
    let one = |(number, other): (usize, &Report)| Against {
        report: number + 1,
        figures: figures(first, other),
        expectations: expectations(first, other),
    };
    others.iter().enumerate().map(one).collect()
}

fn figures(first: &Report, other: &Report) -> Vec<Pairs> {
    let pairs = |(before, after): (&Figure, &Figure)| {
        let values = before.values.iter().zip(&after.values);
        let (less, same, more) = orders(values);
        Pairs { name: after.name, less, same, more }
    };
    first.figures.iter().zip(&other.figures).map(pairs).collect()
}

fn expectations(first: &Report, other: &Report) -> Vec<Better> {
    let of = |after: &Expected| {
        let expectation = sentence(after);
        let is = |before: &&Expected| after.kind != PROBE && sentence(before) == expectation;
        let before = first.expectations.iter().find(is)?;
        let values = before.badness.iter().zip(&after.badness);
        let judged = values.filter_map(|(before, after)| before.as_ref().zip(after.as_ref()));
        let (better, same, worse) = orders(judged);
        Some(Better { expectation, better, same, worse })
    };
    other.expectations.iter().filter_map(of).collect()
}

/// The letters that name reports: A to Z, then AA.
fn letter(place: usize) -> String {
    let last = char::from(b'A' + u8::try_from(place % 26).unwrap_or(0));
    match place / 26 {
        0 => last.to_string(),
        more => letter(more - 1) + &last.to_string(),
    }
}

/// The report for people on more than two scenarios. The last one is what counts.
pub(super) fn many(reports: &[Report]) -> String {
    let Some((first, last)) = reports.first().zip(reports.last()) else { return String::new() };
    let mut text = format!("{}, each played on all\n", seeds(first));
    for (place, report) in reports.iter().enumerate() {
        let file = escaped(&report.file);
        let _ = writeln!(text, "  {}  {}  ({file})", letter(place), report.scenario);
    }
    let places: Vec<usize> = (0..reports.len()).collect();
    for places in places.chunks(COLUMNS) {
        measured(reports, places, &mut text);
    }
    let against = against(reports);
    for against in against.chunks(COLUMNS) {
        paired(reports, against, &mut text);
    }
    for places in places.chunks(COLUMNS) {
        expected(reports, places, &mut text);
    }
    for against in against.chunks(COLUMNS) {
        better(reports, against, &mut text);
    }
    // What still fails is told; if nothing does, what failed before.
    let told = reports.iter().enumerate().rev().find_map(|(place, report)| {
        Some(format!("\n{}  {}", letter(place), story(report)?.trim_start()))
    });
    text.push_str(&told.unwrap_or_default());
    let _ = write!(text, "\n{}", ended(last));
    text
}

/// A line that names the columns.
fn heading(text: &mut String, what: &str, before: usize, columns: &[(usize, usize)]) {
    let _ = write!(text, "\n{what:<before$}");
    for (place, width) in columns {
        let _ = write!(text, "{:>width$}", letter(*place));
    }
    text.push('\n');
}

/// Whether a figure says something of any of the reports.
fn says(reports: &[Report], place: usize) -> bool {
    reports.iter().any(|report| report.figures.get(place).is_some_and(|figure| figure.most > 0))
}

fn measured(reports: &[Report], places: &[usize], text: &mut String) {
    let columns: Vec<(usize, usize)> = places.iter().map(|place| (*place, WIDTH)).collect();
    heading(text, "median (range)", LABEL, &columns);
    for (number, figure) in reports[0].figures.iter().enumerate() {
        if !says(reports, number) {
            continue;
        }
        let of = |place: &usize| {
            let figure = &reports[*place].figures[number];
            let range = format!("({}..{})", grouped(figure.least), grouped(figure.most));
            let range = if figure.least == figure.most { String::new() } else { range };
            (grouped(figure.median), range)
        };
        let cells: Vec<(String, String)> = places.iter().map(of).collect();
        let _ = write!(text, "  {:<18}", figure.name);
        // All in one line, or the ranges below the medians.
        let fits = cells.iter().all(|(median, range)| median.len() + range.len() + 2 < WIDTH);
        for (median, range) in &cells {
            let cell = if fits { format!("{median} {range}") } else { median.clone() };
            let _ = write!(text, "{:>WIDTH$}", cell.trim_end());
        }
        text.push('\n');
        if !fits {
            let ranges = cells.iter().map(|(_, range)| format!("{range:>WIDTH$}"));
            let ranges = format!("{}{}", " ".repeat(LABEL), ranges.collect::<String>());
            let _ = writeln!(text, "{}", ranges.trim_end());
        }
    }
}

fn paired(reports: &[Report], against: &[Against], text: &mut String) {
    let columns: Vec<(usize, usize)> = against.iter().map(|one| (one.report, WIDTH)).collect();
    let what = "against A, in so many seeds: less/same/more";
    let _ = write!(text, "\n{what}");
    heading(text, "", LABEL, &columns);
    for (number, figure) in reports[0].figures.iter().enumerate() {
        if !says(reports, number) {
            continue;
        }
        let _ = write!(text, "  {:<18}", figure.name);
        for Against { figures, .. } in against {
            let Pairs { less, same, more, .. } = &figures[number];
            let _ = write!(text, "{:>WIDTH$}", format!("{less}/{same}/{more}"));
        }
        text.push('\n');
    }
}

/// Each expectation once, in the order in which the reports have them.
fn sentences<'a>(of: impl Iterator<Item = String> + 'a) -> Vec<String> {
    let mut seen = BTreeSet::new();
    of.filter(|sentence| seen.insert(sentence.clone())).collect()
}

/// A sentence, and cells beside it.
fn row(text: &mut String, sentence: &str, cells: impl Iterator<Item = String>) {
    if sentence.len() >= SENTENCE - 2 {
        let _ = write!(text, "  {sentence}\n{:SENTENCE$}", "");
    } else {
        let _ = write!(text, "  {sentence:<width$}", width = SENTENCE - 2);
    }
    for cell in cells {
        let _ = write!(text, "{cell:>NARROW$}");
    }
    text.push('\n');
}

fn expected(reports: &[Report], places: &[usize], text: &mut String) {
    let columns: Vec<(usize, usize)> = places.iter().map(|place| (*place, NARROW)).collect();
    heading(text, "violated in so many seeds", SENTENCE, &columns);
    let all = places.iter().flat_map(|place| &reports[*place].expectations);
    for of in sentences(all.map(sentence)) {
        let cell = |place: &usize| {
            let mut expectations = reports[*place].expectations.iter();
            expectations.find(|expected| sentence(expected) == of).map_or("–".to_owned(), |one| {
                let word = word(one.status);
                match one.status {
                    Status::Holds | Status::Vacuous => word.to_owned(),
                    _ => format!("{word} {}/{}", one.violated, one.of),
                }
            })
        };
        row(text, &of, places.iter().map(cell));
    }
}

fn better(reports: &[Report], against: &[Against], text: &mut String) {
    let all = against.iter().flat_map(|one| &one.expectations);
    let all = sentences(all.map(|one| one.expectation.clone()));
    if all.is_empty() {
        return;
    }
    let columns: Vec<(usize, usize)> = against.iter().map(|one| (one.report, NARROW)).collect();
    heading(text, "against A, where both expect it: better/same/worse", SENTENCE, &columns);
    debug_assert!(against.iter().all(|one| one.report < reports.len()));
    for of in all {
        let cell = |one: &Against| {
            let found = one.expectations.iter().find(|better| better.expectation == of);
            found.map_or("–".to_owned(), |one| {
                format!("{}/{}/{}", one.better, one.same, one.worse)
            })
        };
        row(text, &of, against.iter().map(cell));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_do_not_end() {
        let letters = [0, 1, 25, 26, 27, 51, 52, 701, 702].map(letter);
        assert_eq!(letters, ["A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]);
    }

    #[test]
    fn values_are_less_the_same_or_more_than_those_before() {
        let before = [5, 5, 5, 5];
        let after = [1, 5, 7, 9];
        assert_eq!(orders(before.into_iter().zip(after)), (1, 1, 2));
        assert_eq!(orders(std::iter::empty::<(u8, u8)>()), (0, 0, 0));
    }

    #[test]
    fn a_sentence_that_is_long_has_a_line_of_its_own() {
        let long = "x".repeat(60);
        let mut text = String::new();
        row(&mut text, &long, ["ok".to_owned()].into_iter());
        row(&mut text, "short", ["ok".to_owned()].into_iter());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("  {long}"));
        assert_eq!((lines[1].len(), lines[2].len()), (SENTENCE + NARROW, SENTENCE + NARROW));
    }
}
