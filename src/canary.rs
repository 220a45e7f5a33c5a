//! The canary: a run whose outcome is known beforehand rides in every exploration, through the same
//! threads and the same sums. If what is counted of it is not what must be, neither is anything else.
//!
//! Its scenario asks one question of a hundred answers: where its one container dies. The answer is
//! given by name, over the random policy, and is the seed modulo 100, so that the number of
//! violations among any seeds is known without a run. It knows nothing of other scenarios.

use crate::explore::{Ran, Tally};
use bootrace_sim::choices::{Name, Site};
use bootrace_sim::labels;
use bootrace_sim::policy::{Named, Random};
use bootrace_sim::scenario::{Network, Scenario, parse};
use std::sync::Arc;

const TEXT: &str = include_str!("canary.toml");

/// How many answers the question has: dying nowhere, and at each of 99 places.
const ANSWERS: u64 = 100;

/// A container that dies at one of the first so many places has not registered its schedule.
const FATAL: u64 = 5;

/// Up to this seed it rides with every seed, then with one in so many: no divisor of the answers, so
/// that all of them come.
const EACH: u64 = 1_000;
const THEN_ONE_IN: u64 = 97;

/// The scenario.
pub(crate) fn scenario() -> Arc<Scenario> {
    let (mut scenario, _) = parse(TEXT).expect("the scenario that is built in is one");
    // A place is one before a send then, so nothing is in flight where it dies.
    scenario.network = Network::Order;
    Arc::new(scenario)
}

/// Whether it rides with a seed.
pub(crate) fn rides(seed: u64) -> bool {
    seed <= EACH || seed.is_multiple_of(THEN_ONE_IN)
}

/// Plays a seed of it.
pub(crate) fn play(scenario: &Arc<Scenario>, seed: u64) -> Ran {
    let labels = labels(scenario);
    let (who, label) = ("canary-1.1".to_owned(), labels[0].to_string());
    let name = Name { who, site: Site::Kill, label, n: 0 };
    let answer = u32::try_from(seed % ANSWERS).expect("less than a hundred");
    let policy = Named::new(&[(name, answer)], &labels, Box::new(Random::new(seed)));
    Ran::play(scenario, Box::new(policy))
}

/// Holds what was counted against what must be, after the seeds from 1 to `last`.
///
/// # Errors
/// If it is anything else, in words.
pub(crate) fn check(tally: &Tally, last: u64) -> Result<(), String> {
    let rode = || (1..=last.min(EACH)).chain(multiples(last));
    let runs = rode().count() as u64;
    let violated = rode().filter(|seed| (1..=FATAL).contains(&(seed % ANSWERS))).count() as u64;
    let counted: u64 = tally.runs.iter().sum();
    let found: u64 = tally.expectations.iter().flatten().map(|count| count.violated).sum();
    let judged: u64 = tally.expectations.iter().flatten().map(|count| count.judged).sum();
    if (counted, judged, found, tally.endless) == (runs, runs, violated, 0) {
        return Ok(());
    }
    Err(format!(
        "the canary's {runs} runs, judged {judged} times, must fail {violated} times; counted were \
         {counted} runs and {found} failures: what the report counts cannot be trusted"
    ))
}

/// The seeds beyond the first ones with which it rides.
fn multiples(last: u64) -> impl Iterator<Item = u64> {
    (1..=last / THEN_ONE_IN).map(|n| n * THEN_ONE_IN).filter(|seed| *seed > EACH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(seeds: impl Iterator<Item = u64>) -> Tally {
        let scenario = scenario();
        let mut tally = Tally::new(scenario.expectations.len(), 1);
        seeds.for_each(|seed| tally.take(0, seed, &play(&scenario, seed)));
        tally
    }

    #[test]
    fn it_fails_with_the_answers_that_it_must_fail_with() {
        let scenario = scenario();
        for seed in 0..ANSWERS {
            let fails = play(&scenario, seed).violations();
            assert_eq!(fails, u64::from((1..=FATAL).contains(&seed)), "{seed}");
        }
    }

    #[test]
    fn its_question_is_asked_and_has_a_hundred_answers() {
        let scenario = scenario();
        let random = Box::new(Random::new(3));
        let outcome = bootrace_sim::run(&scenario, random, true, &mut ());
        let kills: Vec<_> =
            outcome.tape.choices.iter().filter(|one| one.question.site == Site::Kill).collect();
        assert_eq!(kills.len(), 1);
        assert_eq!(u64::from(kills[0].bound), ANSWERS);
        assert_eq!(outcome.lives[kills[0].question.life.0 as usize].to_string(), "canary-1.1");
    }

    #[test]
    fn what_is_counted_is_exact() {
        for last in [1, 5, 6, 99, 101, 1_000, 1_100, 5_000] {
            let counted = tally((1..=last).filter(|seed| rides(*seed)));
            assert_eq!(check(&counted, last), Ok(()), "{last}");
        }
    }

    #[test]
    fn one_more_or_less_is_seen() {
        let last = 203;
        let right = tally(1..=last);
        assert_eq!(check(&right, last), Ok(()));
        for wrong in [tally(2..=last), tally(1..=last - 1), tally((1..=last).chain([last]))] {
            let said = check(&wrong, last).expect_err("a run is missing, or counted twice");
            assert!(said.ends_with("what the report counts cannot be trusted"), "{said}");
        }
        let mut off = right.clone();
        off.expectations[0][0].violated += 1;
        assert!(check(&off, last).is_err());
        off.expectations[0][0].violated -= 2;
        assert!(check(&off, last).is_err());
        // As if each run were answered with the seed before it.
        let mut shifted = Tally::new(1, 1);
        let scenario = scenario();
        (1..=last).for_each(|seed| shifted.take(0, seed, &play(&scenario, seed - 1)));
        assert!(check(&shifted, last).is_err());
    }
}
