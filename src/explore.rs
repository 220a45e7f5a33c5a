//! Many runs of scenarios: seeds on all cores, outcomes in the order of the seeds.
//!
//! The first seed is played twice and compared event by event, always: a difference means that
//! something decides which is not a choice, and no result of the exploration can be trusted.

use crate::determinism::{Difference, compare_twice};
use crate::pool::{self, Watch, work};
use bootrace_sim::oracle::Verdict;
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::Scenario;
use bootrace_sim::{Outcome, run};
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
    /// Where it differs from another run of its seed, if it was played twice and does.
    pub differs: Option<Box<Difference>>,
}

/// What came of all seeds.
#[derive(Debug)]
pub struct Exploration {
    /// By seed.
    pub played: Vec<Played>,
    /// Where the first seed's two runs differ, if they do.
    pub nondeterministic: Option<Box<Difference>>,
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
    Played::new(seed, run(scenario, Box::new(Random::new(seed)), false, &mut ()))
}

/// Plays one seed twice, and says whether the two are the same.
pub fn play_twice(scenario: &Arc<Scenario>, seed: u64) -> Played {
    let (outcome, differs) = compare_twice(scenario, || Box::new(Random::new(seed)));
    Played { differs: differs.map(Box::new), ..Played::new(seed, outcome) }
}

impl Played {
    fn new(seed: u64, outcome: Outcome) -> Played {
        let Outcome { verdict, hash, out_of_steps, .. } = outcome;
        Played { seed, verdict, hash, out_of_steps, differs: None }
    }
}

/// Plays every seed of a range.
///
/// # Panics
/// If a run does.
pub fn explore(scenario: &Arc<Scenario>, seeds: RangeInclusive<u64>) -> Exploration {
    let Explored { mut explorations, cut } =
        explore_all(std::slice::from_ref(scenario), seeds, &mut ());
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
    let (of, first) = (scenarios.to_vec(), *seeds.start());
    let play = move |scenario: usize, seed| match seed == first {
        true => play_twice(&of[scenario], seed),
        false => play(&of[scenario], seed),
    };
    rounds(scenarios.len(), seeds, play, watch)
}

/// Plays a round of all scenarios for each seed.
fn rounds(
    each: usize,
    seeds: RangeInclusive<u64>,
    play: impl Fn(usize, u64) -> Played + Send + Sync + 'static,
    watch: &mut impl Watch<Played>,
) -> Explored {
    let (first, last) = seeds.into_inner();
    let seed = move |round: usize| first + round as u64;
    let rounds = usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1);
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
    if whole >= 1 {
        let empty = || Exploration { played: Vec::with_capacity(whole), nondeterministic: None };
        explorations.resize_with(each, empty);
        for (number, played) in done.results.into_iter().take(whole * each).enumerate() {
            explorations[number % each].played.push(played);
        }
        for exploration in &mut explorations {
            exploration.nondeterministic = exploration.played[0].differs.take();
        }
    }
    Explored { explorations, cut }
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
        let plays = plays();
        let difference =
            Difference { event: 1, after: None, once: None, again: None, hashes: (1, 2) };
        let differs = Some(Box::new(difference));
        let said = differs.clone();
        let plays = move |scenario, seed| Played { differs: said.clone(), ..plays(scenario, seed) };
        let explored = rounds(1, 1..=2, plays, &mut ());
        assert_eq!(explored.explorations[0].nondeterministic, differs);
    }
}
