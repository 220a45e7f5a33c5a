//! How a fault of the queue is killed: seeds are played with it, the policies in turn, until an
//! expectation that should hold is broken.

use crate::support;
use bootrace::Scenario as File;
use bootrace::sim::mutants::{Mutant, hits, plant};
use bootrace::sim::oracle::Judgement;
use bootrace::sim::policy::Kind;
use bootrace::sim::scenario::{Declared, Scenario};
use bootrace::sim::{Outcome, run};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The versions of the library, as the columns of the list have them.
pub(crate) const VERSIONS: [&str; 3] = ["5.34.10", "5.81.5", "6.7.0"];

/// How many seeds may pass before a fault is noticed.
pub(crate) const MOST: u64 = 10_000;

/// With how many seeds and policies a scenario that is made for a fault is played without it.
const SOUND: u64 = 100;

/// How a fault was killed.
pub(crate) struct Kill {
    /// The seed's number among those played, from 1.
    pub(crate) seeds: u64,
    /// The policy that found it.
    pub(crate) policy: Kind,
    /// What was broken, in words.
    pub(crate) property: String,
    /// How often the fault was met, in the run that killed it.
    pub(crate) hits: u64,
}

/// A file on a version, or as it is.
#[derive(Clone)]
pub(crate) struct Story {
    /// What to call it.
    pub(crate) what: String,
    /// Which of the versions, if not as it is.
    pub(crate) version: Option<usize>,
    /// What it says.
    pub(crate) scenario: Arc<Scenario>,
}

/// A file on the versions that are marked, or as it is.
pub(crate) fn stories(file: &str, marks: &str) -> Vec<Story> {
    let path = support::root().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    if marks.is_empty() {
        let loaded = File::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let scenario = loaded.meaning().clone();
        return vec![Story { what: file.to_owned(), version: None, scenario }];
    }
    let on = |(version, _): (usize, char)| {
        let what = format!("{file} on {}", VERSIONS[version]);
        let loaded = File::parse(of_version(&text, VERSIONS[version]));
        let loaded = loaded.unwrap_or_else(|error| panic!("{what}: {error}"));
        Story { what, version: Some(version), scenario: loaded.meaning().clone() }
    };
    marks.chars().enumerate().filter(|(_, mark)| *mark == 'x').map(on).collect()
}

/// A text with all its releases on one version.
fn of_version(text: &str, version: &str) -> String {
    let of = |line: &str| match line.strip_prefix("library = \"bullmq@") {
        Some(_) => format!("library = \"bullmq@{version}\"\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(of).collect()
}

/// The policy of the `n`-th seed.
fn policy(n: u64) -> Kind {
    Kind::PORTFOLIO[usize::try_from(n).unwrap_or(0) % Kind::PORTFOLIO.len()]
}

/// What becomes of the expectations on one seed, with a fault or without, and how often it was met.
fn judged(
    scenario: &Arc<Scenario>,
    policy: Kind,
    seed: u64,
    mutant: Option<Mutant>,
) -> Result<(Vec<Judgement>, u64), String> {
    plant(mutant);
    let outcome =
        catch_unwind(AssertUnwindSafe(|| run(scenario, policy.policy(seed), false, &mut ())));
    let hits = hits();
    plant(None);
    let Outcome { verdict, out_of_steps, .. } =
        outcome.map_err(|_| format!("a panic on seed {seed} with {policy}"))?;
    if out_of_steps {
        return Err(format!("no end on seed {seed} with {policy}"));
    }
    Ok((verdict.judgements, hits))
}

/// The places of the expectations that are broken and should hold.
fn broken(scenario: &Scenario, judgements: &[Judgement]) -> Vec<usize> {
    let should = |place: &usize| scenario.expectations[*place].declared == Declared::Holds;
    (0..judgements.len()).filter(|place| !judgements[*place].held).filter(should).collect()
}

/// Plays seeds from one on until the fault is noticed.
///
/// # Errors
/// What is wrong: it is not noticed, or never met, or dies by a panic, or the scenario is broken
/// without it.
pub(crate) fn kill(scenario: &Arc<Scenario>, mutant: Mutant, first: u64) -> Result<Kill, String> {
    let mut met = 0;
    for n in 0..MOST {
        let (seed, policy) = (first + n, policy(n));
        let (judgements, hits) = judged(scenario, policy, seed, Some(mutant))?;
        met += hits;
        let Some(place) = broken(scenario, &judgements).first().copied() else { continue };
        if hits == 0 {
            return Err(format!("broken on seed {seed} with {policy}, and the fault was not met"));
        }
        let (sound, _) = judged(scenario, policy, seed, None)?;
        if !sound[place].held {
            return Err(format!("broken on seed {seed} with {policy} without the fault, too"));
        }
        let property = scenario.expectations[place].property.described().text.to_owned();
        return Ok(Kill { seeds: n + 1, policy, property, hits });
    }
    let why = if met == 0 { "it was never met" } else { "nothing was broken" };
    Err(format!("survives {MOST} seeds: {why}"))
}

/// What is wrong with a scenario as it stands: something is broken on a seed, or nothing was judged.
pub(crate) fn unsound(story: &Story) -> Option<String> {
    let Story { what, scenario, .. } = story;
    let mut met = vec![0; scenario.expectations.len()];
    for n in 0..SOUND {
        let (judgements, _) = match judged(scenario, policy(n), n + 1, None) {
            Ok(judged) => judged,
            Err(wrong) => return Some(format!("{what}: {wrong}")),
        };
        if let Some(place) = broken(scenario, &judgements).first() {
            let property = scenario.expectations[*place].property.described().text;
            return Some(format!(
                "{what}: {property}: broken on seed {} with {}",
                n + 1,
                policy(n)
            ));
        }
        met.iter_mut().zip(&judgements).for_each(|(met, one)| *met += one.judged);
    }
    let never = met.iter().position(|met| *met == 0)?;
    let property = scenario.expectations[never].property.described().text;
    Some(format!("{what}: {property}: never judged"))
}
