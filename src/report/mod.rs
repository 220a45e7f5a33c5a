//! Reports: what an exploration came to, as values, and the ways to render them. Nothing is judged
//! here but whether things are as the scenario declares them.

pub mod advise;
pub mod alerts;
pub mod audit;
pub mod compare;
pub mod diagnostic;
pub mod document;
pub mod effective;
pub mod events;
pub mod exhaustive;
pub mod github;
pub mod junit;
pub mod metrics;
pub mod soak;
pub mod story;
pub mod swept;
#[cfg(test)]
mod testing;
pub mod text;
pub mod trace;

use crate::explore::{Exploration, Played, Policies};
use bootrace_sim::event::{FaultClass, Level};
use bootrace_sim::oracle::Figures;
use bootrace_sim::policy::Kind;
use bootrace_sim::scenario::{self, Declared, Expectation, Relation, Scenario, Subject, TextSpan};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use story::Story;

/// What the runs of one scenario came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seeds that were played: first and last.
    pub seeds: (u64, u64),
    /// The policy that drew the answers of the seeds, or `portfolio`; absent if it is `random`.
    #[serde(skip_serializing_if = "Policies::is_random")]
    pub policy: Policies,
    /// Runs that reached a bound, of an exploration; absent if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endless: Option<Endless>,
    /// Whether the scenario has answers itself, so that it has one run whatever the seed.
    pub answered: bool,
    /// Which of these answers does not apply to the run any more; null if all do.
    pub diverged: Option<String>,
    /// One for each expectation, in the file's order.
    pub expectations: Vec<Expected>,
    /// The runs that did not get on when nothing failed any more; left out if all did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
    /// How bad the faults were that seeds draw; left out if they draw none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub swarm: Vec<Swarm>,
    /// What became of the scenario's alerts; left out if it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<alerts::Alerted>,
    /// The figures, each over all seeds. An exploration keeps none.
    pub figures: Vec<Figure>,
    /// How what is not as declared came about, or else what is violated as declared; null if nothing
    /// was violated.
    pub story: Option<Story>,
    /// How it all ends.
    pub verdict: Verdict,
}

/// Runs that did not get on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Stuck {
    /// In how many seeds.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
    /// Why, in that one: deadlock, livelock or starvation, and of what.
    pub why: String,
}

/// How bad one class of faults was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Swarm {
    /// The class of faults, as files name it.
    pub class: &'static str,
    /// In how many seeds there was none of it.
    pub off: u64,
    /// In how many it was as likely as the file says.
    pub mild: u64,
    /// In how many it was four times as likely.
    pub wild: u64,
}

/// Runs that were stopped because they would not end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Endless {
    /// How many there were.
    pub runs: u64,
    /// The seed of the first.
    pub first: u64,
}

/// How an exploration ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything is as declared.
    AsDeclared,
    /// Something is not as declared.
    NotAsDeclared,
    /// The premise of an expectation was never met.
    Vacuous,
    /// Equal runs were not equal.
    Nondeterministic,
    /// An answer of the scenario does not apply to its run any more.
    Diverged,
    /// A run was stopped because it would not end.
    Inconclusive,
}

/// One expectation over all seeds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Expected {
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    /// `always`, `eventually` or `sometimes`.
    pub kind: &'static str,
    /// The property: `firings per window`.
    pub property: &'static str,
    /// What it is about: `usage`, a schedule; `queue usage`; none if nothing in particular.
    pub subject: Option<String>,
    /// How the bound binds: `at most`, `at least`, `exactly`; empty if there is no bound.
    pub relation: &'static str,
    /// What the bound, the worst and the median count.
    pub unit: Unit,
    /// The bound, in the property's unit; 0 for a probe, which has none.
    pub bound: u64,
    /// What the scenario declares: `holds`, `violated in every seed`, …
    pub declared: String,
    /// Whether it is so.
    pub status: Status,
    /// In how many seeds it was violated.
    pub violated: u64,
    /// In how many seeds its premise was met; of a probe: in how many it saw what it looks for.
    pub judged: u64,
    /// In how many seeds it was sure whether it held: all that were played, but for those that an
    /// exploration stopped at the violation of another expectation.
    pub of: u64,
    /// The worst value and the first seed that has it; of a probe: the most sightings. Null if it was
    /// never judged.
    pub worst: Option<(u64, u64)>,
    /// The median over the seeds in which its premise was met; null if there is none.
    pub median: Option<u64>,
    /// What each policy found, of an exploration, which keeps neither the worst nor the median; absent
    /// otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_policy: Vec<ByPolicy>,
    /// How bad each seed's value is, the greater the worse, for pairing; none where the premise was not
    /// met.
    #[serde(skip)]
    pub badness: Vec<Option<u64>>,
}

/// What one policy found of an expectation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct ByPolicy {
    /// The policy, as `--policy` takes it.
    pub policy: String,
    /// How many seeds it played in which it was sure whether the expectation held.
    pub of: u64,
    /// In how many of its seeds the premise was met; of a probe: in how many it saw what it looks for.
    pub judged: u64,
    /// In how many of its seeds the expectation was violated.
    pub violated: u64,
    /// The first seed in which the premise was met; null if there is none.
    pub met: Option<u64>,
    /// The first seed that violates the expectation; null if none does.
    pub first: Option<u64>,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub enum Unit {
    /// Firings, rows, jobs, whatever the property measures.
    #[serde(rename = "count")]
    Count,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanos,
}

/// Whether an expectation is as declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds, and should.
    Holds,
    /// It is violated, as declared.
    ViolatedAsDeclared,
    /// It is violated, or not violated, against what is declared.
    NotAsDeclared,
    /// Its premise was never met.
    Vacuous,
}

/// One figure over all seeds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Figure {
    /// What is counted.
    pub name: &'static str,
    /// The least over the seeds.
    pub least: u64,
    /// The median over the seeds; of an even number of them, the greater of the two in the middle.
    pub median: u64,
    /// The most over the seeds.
    pub most: u64,
    /// The first seed that has the most.
    pub most_seed: u64,
    /// The value of each seed, for pairing.
    #[serde(skip)]
    pub values: Vec<u64>,
}

/// Where a figure is.
type Value = fn(&Figures) -> u64;

/// What the figures are called, and where they are.
const FIGURES: [(&str, Value); 9] = [
    ("executions", |figures| figures.total.executions),
    ("firings", |figures| figures.total.firings),
    ("rows written", |figures| figures.total.rows),
    ("failed jobs", |figures| figures.failed),
    ("stalled jobs", |figures| figures.stalled),
    ("longest queue", |figures| figures.longest),
    ("queue at the end", |figures| figures.length_at_end),
    ("boots", |figures| figures.boots),
    ("commands", |figures| figures.commands),
];

impl Report {
    /// Sums up the runs of a scenario that stands in `file` as `text`, and plays the seed again whose
    /// story is told.
    ///
    /// # Panics
    /// If no seed was played.
    pub fn new(
        file: &str,
        text: &str,
        scenario: &Arc<Scenario>,
        exploration: &Exploration,
    ) -> Self {
        let played = &exploration.played;
        let (first, last) = match (played.first(), played.last()) {
            (Some(first), Some(last)) => (first.seed, last.seed),
            _ => panic!("an exploration plays one seed at least"),
        };
        let expectations: Vec<Expected> = scenario
            .expectations
            .iter()
            .enumerate()
            .map(|(place, expectation)| expected(scenario, text, expectation, place, played))
            .collect();
        let diverged = played.iter().find_map(|played| played.diverged.clone());
        Report {
            file: file.to_owned(),
            scenario: scenario.name.to_string(),
            seeds: (first, last),
            policy: policies(played),
            endless: None,
            answered: scenario.answers.is_some(),
            diverged: diverged.clone(),
            verdict: verdict(
                exploration.nondeterministic.is_some(),
                diverged.is_some(),
                played.iter().any(|played| played.out_of_steps),
                &expectations,
            ),
            story: story(scenario, &expectations, played),
            stuck: stuck(scenario, played),
            swarm: swarm(played),
            alerts: alerts::alerted(scenario, played),
            expectations,
            figures: FIGURES.iter().map(|(name, value)| figure(name, value, played)).collect(),
        }
    }
}

fn stuck(scenario: &Scenario, played: &[Played]) -> Option<Stuck> {
    let mut each = played.iter().filter_map(|one| Some((one.seed, one.stuck.as_ref()?)));
    let (first, why) = each.next()?;
    let why = events::Names::of(scenario).stuck(why);
    Some(Stuck { seeds: 1 + each.count() as u64, first, why })
}

fn swarm(played: &[Played]) -> Vec<Swarm> {
    let classes = played.first().map(|one| one.swarm.as_slice()).unwrap_or_default();
    let of = |&(class, _): &(FaultClass, Level)| {
        let count =
            |level| played.iter().filter(|one| one.swarm.contains(&(class, level))).count() as u64;
        let [off, mild, wild] = Level::ALL.map(count);
        Swarm { class: class.word(), off, mild, wild }
    };
    classes.iter().map(of).collect()
}

/// The story of what is not as declared, or else of what is violated as declared: the first of these
/// in the file, in its worst seed.
fn story(scenario: &Arc<Scenario>, expected: &[Expected], played: &[Played]) -> Option<Story> {
    let violated = |status: Status| {
        let is = |one: &Expected| one.status == status && one.violated > 0;
        expected.iter().position(is)
    };
    let place = violated(Status::NotAsDeclared).or_else(|| violated(Status::ViolatedAsDeclared))?;
    let breaks = |played: &&Played| !played.verdict.judgements[place].held;
    let worst = expected[place].worst.map(|(_, seed)| seed);
    let worst = played.iter().filter(breaks).find(|played| Some(played.seed) == worst);
    let played = worst.or_else(|| played.iter().find(breaks))?;
    story::tell(scenario, played.policy, played.seed, place)
}

/// Which policies played these seeds.
fn policies(played: &[Played]) -> Policies {
    let kind = played.first().map_or(Kind::default(), |played| played.policy);
    match played.iter().all(|played| played.policy == kind) {
        true => Policies::One(kind),
        false => Policies::Portfolio,
    }
}

/// How bad a value is: the greater, the worse.
fn distance(relation: Relation, bound: u64, value: u64) -> u64 {
    match relation {
        Relation::AtMost | Relation::Happens => value,
        Relation::AtLeast => u64::MAX - value,
        Relation::Exactly => value.abs_diff(bound),
    }
}

/// The first that applies, in the order of the exit codes.
fn verdict(
    nondeterministic: bool,
    diverged: bool,
    endless: bool,
    expectations: &[Expected],
) -> Verdict {
    let any = |status| expectations.iter().any(|expected| expected.status == status);
    if nondeterministic {
        Verdict::Nondeterministic
    } else if diverged {
        Verdict::Diverged
    } else if any(Status::NotAsDeclared) {
        Verdict::NotAsDeclared
    } else if endless {
        Verdict::Inconclusive
    } else if any(Status::Vacuous) {
        Verdict::Vacuous
    } else {
        Verdict::AsDeclared
    }
}

/// The line of a place in a scenario's text. What stands in the file that it extends, it says where
/// it extends it.
fn line_of(text: &str, at: usize) -> usize {
    let within = TextSpan::new(at, at);
    let at = match bootrace_sim::scenario::extends(text) {
        Some((_, extends)) if at >= text.len() => extends,
        _ => within,
    };
    at.line_column(text).0
}

fn expected(
    scenario: &Scenario,
    text: &str,
    expectation: &Expectation,
    place: usize,
    played: &[Played],
) -> Expected {
    let property = expectation.property;
    let judgements =
        || played.iter().map(|played| (played.seed, &played.verdict.judgements[place]));
    let count = |which: fn(&bootrace_sim::oracle::Judgement) -> bool| {
        judgements().filter(|(_, judgement)| which(judgement)).count() as u64
    };
    let (violated, judged) =
        (count(|judgement| !judgement.held), count(|judgement| judgement.judged > 0));
    let of = played.len() as u64;
    let mut found: Vec<(u64, u64)> =
        judgements().filter_map(|(seed, judgement)| Some((judgement.figure?, seed))).collect();
    let worst = found.iter().copied().max_by_key(|(value, seed)| {
        (distance(property.relation, property.bound, *value), u64::MAX - seed)
    });
    found.sort_unstable();
    let badness = |(_, judgement): (u64, &bootrace_sim::oracle::Judgement)| {
        judgement.figure.map(|value| distance(property.relation, property.bound, value))
    };
    Expected {
        badness: judgements().map(badness).collect(),
        status: status(expectation.declared, violated, judged, of),
        violated,
        judged,
        of,
        worst,
        median: found.get(found.len() / 2).map(|(value, _)| *value),
        ..unplayed(scenario, text, expectation)
    }
}

/// What an expectation says; nothing is found of it.
fn unplayed(scenario: &Scenario, text: &str, expectation: &Expectation) -> Expected {
    let property = expectation.property;
    let described = property.described();
    Expected {
        line: line_of(text, expectation.at),
        kind: property.mode.key(),
        property: described.text,
        subject: subject(scenario, property.subject),
        relation: property.relation.word(),
        unit: match described.unit {
            scenario::Unit::Number => Unit::Count,
            scenario::Unit::Time => Unit::Nanos,
        },
        bound: property.bound,
        declared: declared(expectation.declared),
        status: Status::Vacuous,
        violated: 0,
        judged: 0,
        of: 0,
        worst: None,
        median: None,
        by_policy: Vec::new(),
        badness: Vec::new(),
    }
}

fn subject(scenario: &Scenario, subject: Subject) -> Option<String> {
    match subject {
        Subject::Schedule(schedule) => Some(scenario.schedules[schedule].name.to_string()),
        Subject::Queue(queue) => Some(format!("queue {}", scenario.queues[queue].name)),
        Subject::World => None,
    }
}

fn declared(declared: Declared) -> String {
    match declared {
        Declared::Holds => "holds".to_owned(),
        Declared::EverySeed => "violated in every seed".to_owned(),
        Declared::SomeSeed => "violated in some seed".to_owned(),
        Declared::AtLeast(percent) => format!("violated in at least {percent} % of the seeds"),
    }
}

fn status(declared: Declared, violated: u64, judged: u64, of: u64) -> Status {
    let so = match declared {
        Declared::Holds => violated == 0,
        Declared::EverySeed => violated == of,
        Declared::SomeSeed => violated > 0,
        Declared::AtLeast(percent) => violated * 100 >= u64::from(percent) * of,
    };
    match (judged, so, declared) {
        (0, _, _) => Status::Vacuous,
        (_, false, _) => Status::NotAsDeclared,
        (_, true, Declared::Holds) => Status::Holds,
        (_, true, _) => Status::ViolatedAsDeclared,
    }
}

fn figure(name: &'static str, value: &Value, played: &[Played]) -> Figure {
    let values: Vec<u64> = played.iter().map(|played| value(&played.verdict.figures)).collect();
    let mut sorted = values.clone();
    sorted.sort_unstable();
    let most = sorted.last().copied().unwrap_or(0);
    let place = values.iter().position(|value| *value == most).unwrap_or(0);
    Figure {
        name,
        least: sorted.first().copied().unwrap_or(0),
        median: sorted.get(sorted.len() / 2).copied().unwrap_or(0),
        most,
        most_seed: played.get(place).map_or(0, |played| played.seed),
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_good_only_where_it_is_declared() {
        assert_eq!(status(Declared::Holds, 0, 10, 10), Status::Holds);
        assert_eq!(status(Declared::Holds, 1, 10, 10), Status::NotAsDeclared);
        assert_eq!(status(Declared::EverySeed, 10, 10, 10), Status::ViolatedAsDeclared);
        assert_eq!(status(Declared::EverySeed, 9, 10, 10), Status::NotAsDeclared);
        assert_eq!(status(Declared::SomeSeed, 0, 10, 10), Status::NotAsDeclared);
        assert_eq!(status(Declared::AtLeast(60), 6, 10, 10), Status::ViolatedAsDeclared);
        assert_eq!(status(Declared::AtLeast(60), 5, 10, 10), Status::NotAsDeclared);
    }

    #[test]
    fn what_was_never_judged_is_vacuous_not_green() {
        assert_eq!(status(Declared::Holds, 0, 0, 10), Status::Vacuous);
        assert_eq!(status(Declared::SomeSeed, 0, 0, 10), Status::Vacuous);
    }
}
