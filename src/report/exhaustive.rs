//! What the search through every order of a scenario's messages came to: for people, and as JSON.

use super::text::{grouped, sentence, word};
use super::{Status, Verdict, expected};
use crate::pool::Cut;
use crate::search::{Bounds, Searched};
use bootrace_sim::clock::Span;
use bootrace_sim::scenario::{Declared, Expectation, Mode, Scenario};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// What the search through one scenario came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// The scenario's name.
    pub scenario: String,
    /// How many containers there are at the start.
    pub containers: u64,
    /// How many lives may die in one order.
    pub kills: u32,
    /// Whether ranges come out as all of their sixteen values; else as their least.
    pub draws: bool,
    /// Whether orders count that nobody could tell apart.
    pub whole: bool,
    /// How many orders were played to their end, by the number of those who died in them.
    pub orders_by_kills: Vec<u128>,
    /// What Redis held at the end, but for streams: how many different states.
    pub end_states: u64,
    /// From how many states, at which nothing was in flight, runs went on.
    pub states: u64,
    /// How many runs were played.
    pub runs: u64,
    /// How many of them were given up.
    pub abandoned: u64,
    /// One for each expectation, in the file's order.
    pub expectations: Vec<Expected>,
    /// Why it is not all orders; null if it is.
    pub cut: Option<String>,
    /// How it all ends.
    pub verdict: Verdict,
    /// The file of an order that breaks what is not as declared, or else what is violated as declared.
    pub tape: Option<String>,
}

/// One expectation in all orders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Expected {
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    /// What is expected, in words.
    pub expected: String,
    /// Whether it is something that may merely happen.
    pub probe: bool,
    /// Whether it is as declared.
    pub status: Status,
    /// In how many orders it was violated.
    pub violated: u128,
    /// In how many its premise was met; of a probe: in how many it was seen.
    pub judged: u128,
}

impl Report {
    /// Sums up the search of a scenario that stands in `file` as `text`.
    #[must_use]
    pub fn new(
        file: &str,
        text: &str,
        scenario: &Scenario,
        bounds: Bounds,
        searched: &Searched,
        cut: Option<&Cut>,
    ) -> Report {
        let all = cut.is_none() && searched.endless == 0 && !searched.incomplete;
        let each = scenario.expectations.iter().enumerate();
        let expectations: Vec<Expected> = each
            .map(|(place, expectation)| one(scenario, text, expectation, place, searched, all))
            .collect();
        let why = match cut {
            Some(Cut::Stopped) => Some("it was stopped"),
            Some(Cut::Panicked { .. }) => Some("a bug in bootrace"),
            None if searched.incomplete => Some("more than 64 messages were in flight at once"),
            None if searched.endless > 0 => Some("a run did not come to its end"),
            None => None,
        };
        let cut = why.map(|why| match searched.until {
            Some(until) => {
                let at = Span::from_nanos(until.since(scenario.start).nanos());
                format!("{why}; searched to the end: the first {}", at.rounded())
            }
            None => why.to_owned(),
        });
        Report {
            file: file.to_owned(),
            scenario: scenario.name.to_string(),
            containers: scenario.services.iter().map(|of| u64::from(of.replicas)).sum(),
            kills: bounds.kills,
            draws: bounds.draws,
            whole: bounds.whole,
            orders_by_kills: searched.by_kills.clone(),
            end_states: searched.ends.len() as u64,
            states: searched.states,
            runs: searched.runs,
            abandoned: searched.abandoned,
            verdict: verdict(&expectations, all),
            expectations,
            cut,
            tape: None,
        }
    }

    /// How many orders were played to their end.
    #[must_use]
    pub fn orders(&self) -> u128 {
        self.orders_by_kills.iter().fold(0, |sum: u128, orders| sum.saturating_add(*orders))
    }

    /// The expectation whose breach is worth a look: one that is not as declared, or else one that is
    /// violated as declared.
    #[must_use]
    pub fn worst(&self) -> Option<usize> {
        let is = |status| self.expectations.iter().position(|one| one.status == status);
        is(Status::NotAsDeclared).or_else(|| is(Status::ViolatedAsDeclared))
    }

    /// What was covered, in words.
    fn covered(&self) -> String {
        let kills = match self.kills {
            0 => "without a kill".to_owned(),
            1 => "with at most one kill".to_owned(),
            n => format!("with at most {n} kills"),
        };
        let distinct = if self.whole { "" } else { "distinct " };
        let orders = counted(self.orders());
        let containers = match self.containers {
            1 => "1 container".to_owned(),
            n => format!("{n} containers"),
        };
        format!("{orders} {distinct}orders of {containers} {kills}")
    }
}

/// Orders are counted up to 2^128.
fn counted(orders: u128) -> String {
    if orders == u128::MAX { "more than 10^38".to_owned() } else { grouped(orders) }
}

fn one(
    scenario: &Scenario,
    text: &str,
    expectation: &Expectation,
    place: usize,
    searched: &Searched,
    all: bool,
) -> Expected {
    let unplayed = expected(scenario, text, expectation, place, &[]);
    let of = |counts: &[u128]| counts.get(place).copied().unwrap_or(0);
    let (violated, judged) = (of(&searched.violated), of(&searched.judged));
    let status = match (expectation.declared, violated) {
        // Who was cut short may yet meet it.
        (_, 0) if judged == 0 && all => Status::Vacuous,
        // What is declared to be violated on some seeds may need what is no order of messages.
        (_, 0) => Status::Holds,
        (Declared::Holds, _) => Status::NotAsDeclared,
        (_, _) => Status::ViolatedAsDeclared,
    };
    let probe = expectation.property.mode == Mode::Sometimes;
    let (line, expected) = (unplayed.line, sentence(&unplayed));
    Expected { line, expected, probe, status, violated, judged }
}

fn verdict(expectations: &[Expected], all: bool) -> Verdict {
    let any = |status| expectations.iter().any(|one| one.status == status);
    if any(Status::NotAsDeclared) {
        Verdict::NotAsDeclared
    } else if !all {
        Verdict::Inconclusive
    } else if any(Status::Vacuous) {
        Verdict::Vacuous
    } else {
        Verdict::AsDeclared
    }
}

/// The report as text.
#[must_use]
pub fn text(report: &Report) -> String {
    let orders = report.orders();
    let mut text = format!("{}\n{}\n\n", report.scenario, super::diagnostic::escaped(&report.file));
    for one in &report.expectations {
        let found = match one {
            Expected { judged: 0, .. } => "its premise was never met".to_owned(),
            Expected { probe: true, judged, .. } => {
                format!("seen in {} orders", counted(*judged))
            }
            Expected { violated: 0, judged, .. } if *judged < orders => {
                format!("held, judged in {} orders", counted(*judged))
            }
            Expected { violated: 0, .. } => "held in all of them".to_owned(),
            Expected { violated, .. } => format!("violated in {} orders", counted(*violated)),
        };
        let _ = writeln!(text, "  {:<9}{:<58}{found}", word(one.status), one.expected);
    }
    text.push('\n');
    for (kills, orders) in report.orders_by_kills.iter().enumerate() {
        let who = match kills {
            0 => "nobody dies".to_owned(),
            1 => "one dies".to_owned(),
            n => format!("{n} die"),
        };
        let _ =
            writeln!(text, "  {:<28}{:>20}", format!("orders in which {who}"), counted(*orders));
    }
    let mut line = |name, count, more: &str| {
        let _ = writeln!(text, "  {name:<28}{:>20}   {more}", grouped(count));
    };
    line("ends", report.end_states, "states of Redis, without its streams");
    line("rests", report.states, "states with nothing in flight, each searched from once");
    line("runs played", report.runs, "to the next rest, or the end");
    line("runs given up", report.abandoned, "what they lead to had been seen, or nobody died");
    let ranges = match report.draws {
        true => "Each range is all of its sixteen values.",
        false => "Each range is its least value (--draws: all of its sixteen).",
    };
    let _ = writeln!(
        text,
        "\nMessages take no time and arrive in any order; nothing that is due later happens while one is in\n\
         flight. {ranges}\n\n{}",
        ending(report)
    );
    if let Some(tape) = &report.tape {
        let [file, tape] = [&report.file, tape].map(|path| super::diagnostic::escaped(path));
        let _ = writeln!(text, "Replay: bootrace replay {file} --tape {tape}");
    }
    text
}

fn ending(report: &Report) -> String {
    let covered = report.covered();
    let cut = report.cut.as_deref();
    match report.verdict {
        Verdict::AsDeclared if report.worst().is_some() => {
            format!("All {covered}: as declared.")
        }
        Verdict::AsDeclared => format!("All {covered}: held."),
        Verdict::NotAsDeclared => {
            let of = report.worst().map_or(0, |place| report.expectations[place].violated);
            let more = cut.map_or_else(String::new, |cut| format!(" (not all there are: {cut})"));
            format!("NOT HELD: violated in {} of {covered}{more}.", counted(of))
        }
        Verdict::Vacuous => {
            let never = report.expectations.iter().filter(|one| one.status == Status::Vacuous);
            let never: Vec<&str> = never.map(|one| one.expected.as_str()).collect();
            format!("VACUOUS: in all {covered} never met: {}.", never.join("; "))
        }
        Verdict::Inconclusive | Verdict::Nondeterministic | Verdict::Diverged => {
            format!("INCONCLUSIVE: {covered}, and not all there are: {}.", cut.unwrap_or("?"))
        }
    }
}
