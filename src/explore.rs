//! Many runs of scenarios: seeds on all cores, outcomes in the order of the seeds.
//!
//! The first seed is played twice and compared, always: a difference means that something decides
//! which is not a choice, and no result of the exploration can be trusted.

use crate::pool::{self, Watch, work};
use bootrace_sim::choices::Policy;
use bootrace_sim::oracle::Verdict;
use bootrace_sim::policy::{Named, Plain, Random};
use bootrace_sim::scenario::Scenario;
use bootrace_sim::{Outcome, labels, run};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What came of one seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    /// The seed.
    pub seed: u64,
    /// What the oracles say, and the figures.
    pub verdict: Verdict,
    /// The hash over every event.
    pub hash: u64,
    /// Whether the run was stopped because it would not end.
    pub out_of_steps: bool,
    /// Which of the answers that the scenario gives itself do not apply any more.
    pub diverged: Option<String>,
}

/// What came of all seeds.
#[derive(Debug)]
pub struct Exploration {
    /// By seed.
    pub played: Vec<Played>,
    /// The hashes of the first seed's two runs, if they differ.
    pub nondeterministic: Option<(u64, u64)>,
}

/// What came of several scenarios that are played on the same seeds.
#[derive(Debug)]
pub struct Explored {
    /// One for each scenario, all on the same first so many seeds. Empty if that is none.
    pub explorations: Vec<Exploration>,
    /// Why it is not all seeds.
    pub cut: Option<Cut>,
}

/// Why not every seed was played.
#[derive(PartialEq, Eq, Debug)]
pub enum Cut {
    /// No more were wanted.
    Stopped,
    /// The simulator itself broke.
    Bug {
        /// On which of the scenarios.
        scenario: usize,
        /// On which seed.
        seed: u64,
        /// What it said.
        message: String,
    },
}

/// Plays one seed.
pub fn play(scenario: &Arc<Scenario>, seed: u64) -> Played {
    let Outcome { verdict, hash, out_of_steps, diverged, .. } =
        run(scenario, policy(scenario, seed), false, &mut ());
    Played { seed, verdict, hash, out_of_steps, diverged }
}

/// What answers the questions of a seed's run. A scenario that has answers itself has one run, whatever
/// the seed: what it does not answer is answered plainly, never by chance.
#[must_use]
pub fn policy(scenario: &Scenario, seed: u64) -> Box<dyn Policy> {
    match &scenario.answers {
        Some(answers) => Box::new(Named::new(answers, &labels(scenario), Box::new(Plain))),
        None => Box::new(Random::new(seed)),
    }
}

/// The seeds that are played of those that are wanted: one, if all scenarios have only one run.
#[must_use]
pub fn seeds(scenarios: &[Arc<Scenario>], wanted: RangeInclusive<u64>) -> RangeInclusive<u64> {
    match scenarios.iter().all(|scenario| scenario.answers.is_some()) {
        true => *wanted.start()..=*wanted.start(),
        false => wanted,
    }
}

/// Plays every seed of a range.
///
/// # Panics
/// If a run does.
pub fn explore(scenario: &Arc<Scenario>, seeds: RangeInclusive<u64>) -> Exploration {
    let one = std::slice::from_ref(scenario);
    let Explored { mut explorations, cut } = explore_all(one, self::seeds(one, seeds), &mut ());
    match (explorations.pop(), cut) {
        (Some(exploration), None) => exploration,
        (_, cut) => panic!("not every seed was played: {cut:?}"),
    }
}

/// Plays every seed of a range on every scenario, seed by seed, for as long as `watch` wants more.
pub fn explore_all(
    scenarios: &[Arc<Scenario>],
    seeds: RangeInclusive<u64>,
    watch: &mut impl Watch<Played>,
) -> Explored {
    let of = scenarios.to_vec();
    rounds(scenarios.len(), seeds, move |scenario, seed| play(&of[scenario], seed), watch)
}

/// Plays a round of all scenarios for each seed.
fn rounds(
    each: usize,
    seeds: RangeInclusive<u64>,
    play: impl Fn(usize, u64) -> Played + Send + Sync + 'static,
    watch: &mut impl Watch<Played>,
) -> Explored {
    let (first, last) = seeds.into_inner();
    // In round 0 the first seed is played for the first time, in round 1 again.
    let seed = move |round: usize| first + (round as u64).saturating_sub(1);
    let rounds = usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(2);
    let task = move |number: usize| play(number % each, seed(number / each));
    let done = work(rounds.saturating_mul(each), task, watch);
    let whole = done.results.len() / each.max(1);
    let cut = done.cut.map(|cut| match cut {
        pool::Cut::Stopped => Cut::Stopped,
        pool::Cut::Panicked { task, message } => {
            Cut::Bug { scenario: task % each, seed: seed(task / each), message }
        }
    });
    let mut explorations = Vec::new();
    if whole >= 2 {
        let empty = || Exploration { played: Vec::with_capacity(whole), nondeterministic: None };
        explorations.resize_with(each, empty);
        for (number, played) in done.results.into_iter().take(whole * each).enumerate() {
            explorations[number % each].played.push(played);
        }
        explorations.iter_mut().for_each(Exploration::compare);
    }
    Explored { explorations, cut }
}

impl Exploration {
    /// Takes the first run of the first seed out again, and holds it against the second.
    fn compare(&mut self) {
        let once = self.played.remove(0);
        let again = self.played.first().filter(|again| **again != once);
        self.nondeterministic = again.map(|again| (once.hash, again.hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = include_str!("../scenarios/free-tier-usage/no-bootstrap.toml");

    /// A run in name only: what it came to is one real run's.
    fn plays() -> impl Fn(usize, u64) -> Played + Send + Sync {
        let (scenario, _) = bootrace_sim::scenario::parse(STORY).expect("it parses");
        let played = play(&Arc::new(scenario), 1);
        move |scenario, seed| Played { seed, hash: scenario as u64, ..played.clone() }
    }

    fn seeds(explored: &Explored) -> Vec<Vec<u64>> {
        let of = |one: &Exploration| one.played.iter().map(|played| played.seed).collect();
        explored.explorations.iter().map(of).collect()
    }

    #[test]
    fn each_scenario_has_each_seed_once() {
        let explored = rounds(2, 3..=5, plays(), &mut ());
        assert_eq!(explored.cut, None);
        assert_eq!(seeds(&explored), [[3, 4, 5], [3, 4, 5]]);
        let of = |place: usize| explored.explorations[place].played.iter().map(|one| one.hash);
        assert!(of(0).all(|scenario| scenario == 0) && of(1).all(|scenario| scenario == 1));
        assert!(explored.explorations.iter().all(|one| one.nondeterministic.is_none()));
        assert_eq!(seeds(&rounds(1, u64::MAX..=u64::MAX, plays(), &mut ())), [[u64::MAX]]);
    }

    #[test]
    fn a_bug_is_named_and_costs_no_seed_before_it() {
        let plays = plays();
        let breaks = move |scenario, seed| {
            assert!(seed < 6 || (scenario, seed) == (0, 6), "no such number");
            plays(scenario, seed)
        };
        let explored = rounds(2, 3..=1_000_000, breaks, &mut ());
        let message = "no such number".to_owned();
        assert_eq!(explored.cut, Some(Cut::Bug { scenario: 1, seed: 6, message }));
        assert_eq!(seeds(&explored), [[3, 4, 5], [3, 4, 5]]);
    }

    #[test]
    fn a_bug_in_the_first_seed_leaves_nothing() {
        let breaks = |_, _| panic!("at once");
        let explored = rounds(2, 1..=200, breaks, &mut ());
        let message = "at once".to_owned();
        assert_eq!(explored.cut, Some(Cut::Bug { scenario: 0, seed: 1, message }));
        assert_eq!(seeds(&explored), [[0; 0]; 0]);
    }

    #[test]
    fn a_first_seed_that_is_another_one_the_second_time_is_seen() {
        let (plays, count) = (plays(), std::sync::atomic::AtomicU64::new(0));
        let drifts = move |scenario, seed| {
            let hash = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Played { hash, ..plays(scenario, seed) }
        };
        let explored = rounds(1, 1..=2, drifts, &mut ());
        assert!(explored.explorations[0].nondeterministic.is_some());
    }
}
