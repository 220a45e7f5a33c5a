//! What many runs of a scenario came to, in a few numbers: an exploration keeps these and no run.

use bootrace_sim::choices::Policy;
use bootrace_sim::event::{Event, Sink, Stamp};
use bootrace_sim::oracle::Judgement;
use bootrace_sim::scenario::{Declared, Expectation, Mode, Scenario};
use bootrace_sim::{Outcome, run};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is left of a run that was played up to its first undeclared violation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    /// Whether it reached a bound: nothing is judged then.
    endless: bool,
    /// Whether it was stopped at an undeclared violation.
    cut: bool,
    /// Which of the scenario's own answers do not apply any more.
    diverged: Option<String>,
    /// What became of each expectation.
    came: Vec<Came>,
}

/// What became of an expectation in one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Came {
    /// Whether its premise was met; of a probe, whether it saw what it looks for.
    met: bool,
    /// Whether it held; none if the run was stopped before that was sure.
    held: Option<bool>,
}

/// Stops a run at its first violation that is not declared.
struct First<'a> {
    scenario: &'a Scenario,
    broken: Vec<usize>,
}

impl Sink for First<'_> {
    fn event(&mut self, _: &Stamp, _: &Event) {}

    fn enough(&mut self, broken: &mut dyn Iterator<Item = usize>) -> bool {
        self.broken.clear();
        self.broken.extend(broken);
        self.broken.iter().any(|place| undeclared(&self.scenario.expectations[*place]))
    }
}

/// Whether a violation of it is a surprise.
fn undeclared(expectation: &Expectation) -> bool {
    expectation.declared == Declared::Holds
}

impl Ran {
    /// Plays a run.
    #[must_use]
    pub fn play(scenario: &Arc<Scenario>, policy: Box<dyn Policy>) -> Ran {
        let mut first = First { scenario, broken: Vec::new() };
        let outcome = run(scenario, policy, false, &mut first);
        let Outcome { verdict, out_of_steps: endless, stopped: cut, diverged, .. } = outcome;
        // What was stopped had not come to all of them.
        let diverged = diverged.filter(|_| !cut);
        let came = |(place, judgement): (usize, &Judgement)| {
            let met = judgement.judged > 0;
            if endless {
                return Came { met: false, held: None };
            }
            if !cut {
                return Came { met, held: Some(judgement.held) };
            }
            match (first.broken.contains(&place), scenario.expectations[place].property.mode) {
                (true, _) => Came { met: true, held: Some(false) },
                (false, Mode::Sometimes) => Came { met, held: met.then_some(true) },
                (false, Mode::Always) => Came { met, held: None },
                (false, Mode::Eventually) => Came { met: false, held: None },
            }
        };
        let came = verdict.judgements.iter().enumerate().map(came).collect();
        Ran { endless, cut, diverged, came }
    }

    /// Whether it was stopped at an undeclared violation.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// How many expectations it violated.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.came.iter().filter(|came| came.held == Some(false)).count() as u64
    }
}

/// What the runs of one scenario came to.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many runs there were, by the place of the policy that played them.
    pub runs: Vec<u64>,
    /// How many were stopped at their first undeclared violation.
    pub cut: u64,
    /// How many reached a bound.
    pub endless: u64,
    /// The first seed whose run did.
    pub first_endless: Option<u64>,
    /// Which of the answers that the scenario gives itself do not apply any more.
    pub diverged: Option<String>,
    /// One for each expectation, in each one for each policy.
    pub expectations: Vec<Vec<Count>>,
}

/// What became of one expectation in the runs of one policy.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// In how many runs it was sure whether it held.
    pub of: u64,
    /// In how many its premise was met; of a probe, in how many it saw what it looks for.
    pub judged: u64,
    /// In how many it was violated.
    pub violated: u64,
    /// The first seed in which its premise was met.
    pub met: Option<u64>,
    /// The first seed that violates it.
    pub first: Option<u64>,
}

impl Tally {
    /// No run yet, of so many expectations and policies.
    #[must_use]
    pub fn new(expectations: usize, policies: usize) -> Tally {
        Tally {
            runs: vec![0; policies],
            expectations: vec![vec![Count::default(); policies]; expectations],
            ..Tally::default()
        }
    }

    /// Whether it is one of so many expectations and policies.
    pub(super) fn fits(&self, expectations: usize, policies: usize) -> bool {
        self.runs.len() == policies
            && self.expectations.len() == expectations
            && self.expectations.iter().all(|counts| counts.len() == policies)
    }

    /// Takes in the run of a seed. Seeds come in their order.
    pub fn take(&mut self, policy: usize, seed: u64, ran: &Ran) {
        self.runs[policy] += 1;
        self.cut += u64::from(ran.cut);
        self.endless += u64::from(ran.endless);
        if ran.endless {
            self.first_endless.get_or_insert(seed);
        }
        if self.diverged.is_none() {
            self.diverged.clone_from(&ran.diverged);
        }
        for (counts, came) in self.expectations.iter_mut().zip(&ran.came) {
            let count = &mut counts[policy];
            count.of += u64::from(came.held.is_some());
            if came.met {
                count.judged += 1;
                count.met.get_or_insert(seed);
            }
            if came.held == Some(false) {
                count.violated += 1;
                count.first.get_or_insert(seed);
            }
        }
    }

    /// Whether something is violated that the scenario declares to hold.
    #[must_use]
    pub fn surprises(&self, scenario: &Scenario) -> bool {
        let mut each = scenario.expectations.iter().zip(&self.expectations);
        each.any(|(expectation, counts)| {
            undeclared(expectation) && counts.iter().any(|count| count.violated > 0)
        })
    }
}
