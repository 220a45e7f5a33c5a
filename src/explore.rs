//! Many runs of one scenario: seeds on all cores, outcomes in the order of the seeds.
//!
//! The first seed is played twice and compared, always: a difference means that something decides
//! which is not a choice, and no result of the exploration can be trusted.

use bootrace_sim::oracle::Verdict;
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::Scenario;
use bootrace_sim::{Outcome, run};
use rayon::prelude::*;
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
}

/// What came of all seeds.
#[derive(Debug)]
pub struct Exploration {
    /// By seed.
    pub played: Vec<Played>,
    /// The hashes of the first seed's two runs, if they differ.
    pub nondeterministic: Option<(u64, u64)>,
}

/// Plays one seed.
pub fn play(scenario: &Arc<Scenario>, seed: u64) -> Played {
    let Outcome { verdict, hash, out_of_steps, .. } =
        run(scenario, Box::new(Random::new(seed)), false, &mut ());
    Played { seed, verdict, hash, out_of_steps }
}

/// Plays every seed of a range.
pub fn explore(scenario: &Arc<Scenario>, seeds: RangeInclusive<u64>) -> Exploration {
    let first = *seeds.start();
    let (played, again) = rayon::join(
        || seeds.into_par_iter().map(|seed| play(scenario, seed)).collect::<Vec<_>>(),
        || play(scenario, first),
    );
    let nondeterministic =
        played.first().filter(|once| **once != again).map(|once| (once.hash, again.hash));
    Exploration { played, nondeterministic }
}
