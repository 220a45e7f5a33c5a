//! Reports on explorations of which only sums were kept: which policy found what. As text they end
//! with the commands that go on from there, the one that replays what was found last.

use super::diagnostic::escaped;
use super::document::{Document, Why};
use super::text::{PROBE, ending, grouped, sentence, story, word};
use super::{ByPolicy, Endless, Expected, Report, Status, status, unplayed, verdict};
use crate::explore::{Count, Swept};
use bootrace_sim::policy::Kind;
use bootrace_sim::scenario::{Declared, Expectation, Scenario};
use std::fmt::Write as _;
use std::sync::Arc;

impl Report {
    /// Sums up what was found of one scenario of an exploration, and plays the seed again whose story
    /// is told. None if no seed was played.
    pub fn swept(
        file: &str,
        text: &str,
        scenario: &Arc<Scenario>,
        place: usize,
        swept: &Swept,
    ) -> Option<Report> {
        let tally = swept.tallies.get(place).filter(|_| swept.last > 0)?;
        let kinds = swept.policies.kinds();
        let each = scenario.expectations.iter().zip(&tally.expectations);
        let expectations: Vec<Expected> =
            each.map(|(one, counts)| expected(scenario, text, one, kinds, counts)).collect();
        let nondeterministic = swept.nondeterministic.get(place).is_some_and(Option::is_some);
        let first = tally.first_endless;
        let mut report = Report {
            file: file.to_owned(),
            scenario: scenario.name.to_string(),
            seeds: (1, swept.last),
            policy: swept.policies,
            endless: first.map(|first| Endless { runs: tally.endless, first }),
            stuck: None,
            swarm: Vec::new(),
            alerts: Vec::new(),
            answered: scenario.answers.is_some(),
            diverged: tally.diverged.clone(),
            verdict: verdict(
                nondeterministic,
                tally.diverged.is_some(),
                tally.endless > 0,
                &expectations,
            ),
            expectations,
            figures: Vec::new(),
            story: None,
        };
        report.story = violation(&report)
            .and_then(|(place, run)| super::story::tell(scenario, run.policy, run.seed, place));
        Some(report)
    }
}

fn expected(
    scenario: &Scenario,
    text: &str,
    expectation: &Expectation,
    kinds: &[Kind],
    counts: &[Count],
) -> Expected {
    let by_policy = kinds.iter().zip(counts).map(|(kind, count)| {
        let Count { of, judged, violated, met, first } = *count;
        ByPolicy { policy: kind.to_string(), of, judged, violated, met, first }
    });
    let sum = |of: fn(&Count) -> u64| counts.iter().map(of).sum::<u64>();
    let (judged, violated) = (sum(|count| count.judged), sum(|count| count.violated));
    let of = sum(|count| count.of);
    let random = kinds.iter().position(|kind| *kind == Kind::Random);
    let status = match (expectation.declared, random) {
        // A share is one of random draws: what other policies play is no sample of anything.
        (declared @ (Declared::AtLeast(_) | Declared::EverySeed), Some(place)) => {
            status(declared, counts[place].violated, judged, counts[place].of)
        }
        (Declared::AtLeast(_) | Declared::EverySeed, None) => {
            status(Declared::SomeSeed, violated, judged, of)
        }
        (declared, _) => status(declared, violated, judged, of),
    };
    Expected {
        by_policy: by_policy.collect(),
        status,
        judged,
        violated,
        of,
        ..unplayed(scenario, text, expectation)
    }
}

/// A run that is worth a look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    file: String,
    seed: u64,
    policy: Kind,
}

impl Run {
    /// The command that does something with it.
    pub fn command(&self, verb: &str) -> String {
        let Run { file, seed, policy } = self;
        format!("bootrace {verb} {} --seed {seed} --policy {policy}", escaped(file))
    }
}

/// The first run that shows what is not as declared, or that reached a bound, or that shows what is
/// violated as declared.
pub(super) fn run(report: &Report) -> Option<Run> {
    let found = violation(report);
    let is_known = |place: usize| report.expectations[place].status == Status::ViolatedAsDeclared;
    match (found, report.endless) {
        (Some((place, run)), Some(_)) if !is_known(place) => Some(run),
        (_, Some(endless)) => Some(run_of(report, endless.first)),
        (found, None) => found.map(|(_, run)| run),
    }
}

fn run_of(report: &Report, seed: u64) -> Run {
    Run { file: report.file.clone(), seed, policy: report.policy.of(seed) }
}

/// The first violation that is not declared, or else the first that is: which expectation, and a run.
fn violation(report: &Report) -> Option<(usize, Run)> {
    let of = |status: Status| {
        let each = report.expectations.iter().enumerate();
        let found = each.filter(|(_, one)| one.status == status);
        found.filter_map(|(place, one)| Some((first(one)?, place))).min()
    };
    let found = of(Status::NotAsDeclared).or_else(|| of(Status::ViolatedAsDeclared));
    found.map(|(seed, place)| (place, run_of(report, seed)))
}

/// The first seed that violates an expectation.
fn first(expected: &Expected) -> Option<u64> {
    expected.by_policy.iter().filter_map(|one| one.first).min()
}

/// What was found of an expectation.
pub(super) fn found(expected: &Expected) -> String {
    let Expected { by_policy, of, judged, violated, status, declared, .. } = expected;
    let by = |seed: Option<u64>, of: fn(&ByPolicy) -> Option<u64>| {
        let by = by_policy.iter().find(|one| seed.is_some() && of(one) == seed);
        seed.zip(by).map_or_else(String::new, |(seed, by)| {
            format!(" (first: seed {}, {})", grouped(seed), by.policy)
        })
    };
    if expected.kind == PROBE {
        let met = by_policy.iter().filter_map(|one| one.met).min();
        return format!("seen in {} runs{}", grouped(*judged), by(met, |one| one.met));
    }
    let found = match (violated, judged) {
        (_, 0) => "never judged".to_owned(),
        (0, _) => format!("held in {}, judged in {}", grouped(*of), grouped(*judged)),
        _ => format!(
            "violated in {}/{}{}",
            grouped(*violated),
            grouped(*of),
            by(first(expected), |one| one.first)
        ),
    };
    match status {
        Status::Holds => found,
        _ => format!("{found}, declared: {declared}"),
    }
}

/// The reports as text. `go_on` says how to go on with what was not played.
pub fn text(document: &Document, go_on: Option<&str>) -> String {
    let mut text = document.reports.iter().map(section).collect::<Vec<_>>().join("\n");
    if let Some(stopped) = &document.stopped {
        let _ = match (stopped.why, stopped.of) {
            (Why::Interrupted, 0) => writeln!(text, "interrupted after {} seeds", stopped.seeds),
            _ => writeln!(text, "{stopped}"),
        };
    }
    if let Some(go_on) = go_on {
        let _ = writeln!(text, "{go_on}");
    }
    let surprise = |report: &&Report| report.verdict != super::Verdict::AsDeclared;
    let found = document.reports.iter().filter(surprise).find_map(run);
    if let Some(run) = found.or_else(|| document.reports.iter().find_map(run)) {
        let _ = writeln!(text, "Shrink: {}", run.command("shrink"));
        let _ = writeln!(text, "Replay: {}", run.command("replay"));
    }
    text
}

fn section(report: &Report) -> String {
    let (file, policy) = (escaped(&report.file), report.policy);
    let last = grouped(report.seeds.1);
    let mut text = format!("{}\n{file}, seeds 1 to {last}, policy {policy}\n\n", report.scenario);
    for expected in &report.expectations {
        let (word, what) = (word(expected.status), sentence(expected));
        let _ = writeln!(text, "  {word:<8}{what:<50}  {}", found(expected));
        if expected.violated > 0 && expected.by_policy.len() > 1 {
            let _ = writeln!(text, "          {}", shares(&expected.by_policy));
        }
    }
    if let Some(story) = story(report) {
        let _ = write!(text, "\n{story}");
    }
    if let Some(Endless { runs, first }) = report.endless {
        let (runs, by) = (grouped(runs), report.policy.of(first));
        let _ = writeln!(text, "\n  {runs} runs reached a bound (first: seed {first}, {by}).");
    }
    let _ = writeln!(text, "\n{}", ending(report));
    text
}

/// Which policy found how many, and first in which seed.
fn shares(by_policy: &[ByPolicy]) -> String {
    let share = |one: &ByPolicy| {
        let seed = one.first.map_or_else(String::new, |seed| format!(" (seed {})", grouped(seed)));
        format!("{} {}/{}{seed}", one.policy, grouped(one.violated), grouped(one.of))
    };
    by_policy.iter().map(share).collect::<Vec<_>>().join(", ")
}
