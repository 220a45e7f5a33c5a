//! Many runs of scenarios: seeds on all cores, outcomes in the order of the seeds.
//!
//! The first seed is played twice and compared event by event, always: a difference means that
//! something decides which is not a choice, and no result of the exploration can be trusted.
//!
//! There are two uses of it. Where seeds are few and everything about each is wanted, every run is
//! kept ([`explore`]). Where they are many, each run ends at its first undeclared violation and only
//! sums are kept ([`sweep`]).

mod checkpoint;
mod tally;

pub(crate) use checkpoint::{Checkpoint, Error as CheckpointError};
pub use tally::{Count, Ran, Tally};

use crate::canary;
use crate::determinism::{Difference, compare_twice};
use crate::pool::{self, ALL_CORES, Watch, caught, fold};
use bootrace_sim::alert::Rang;
use bootrace_sim::choices::Policy;
use bootrace_sim::event::{FaultClass, Level, Stuck};
use bootrace_sim::oracle::Verdict;
use bootrace_sim::policy::{Kind, Named, Plain};
use bootrace_sim::scenario::Scenario;
use bootrace_sim::{Outcome, labels, run};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

/// Which policy plays which seed. Its text is what the command line calls it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum Policies {
    /// One plays all.
    One(Kind),
    /// Those of [`Kind::PORTFOLIO`] in turn.
    Portfolio,
}

impl Policies {
    /// The random policy plays all.
    pub const RANDOM: Policies = Policies::One(Kind::Random);

    /// Those that play.
    pub fn kinds(&self) -> &[Kind] {
        match self {
            Policies::One(kind) => std::slice::from_ref(kind),
            Policies::Portfolio => &Kind::PORTFOLIO,
        }
    }

    /// The place of the one that plays a seed.
    fn place(&self, seed: u64) -> usize {
        // Seed 1 is the first of a round.
        let count = self.kinds().len() as u64;
        usize::try_from((seed % count + count - 1) % count).unwrap_or(0)
    }

    /// The one that plays a seed.
    pub fn of(&self, seed: u64) -> Kind {
        self.kinds()[self.place(seed)]
    }

    /// Whether the random policy plays all.
    pub fn is_random(&self) -> bool {
        *self == Policies::RANDOM
    }

    /// Reads what it is shown as.
    pub fn parse(text: &str) -> Option<Policies> {
        match text {
            "portfolio" => Some(Policies::Portfolio),
            _ => Kind::parse(text).map(Policies::One),
        }
    }
}

impl fmt::Display for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Policies::One(kind) => kind.fmt(f),
            Policies::Portfolio => f.write_str("portfolio"),
        }
    }
}

impl Serialize for Policies {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Policies {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Policies::parse(&text).ok_or_else(|| format!("{text:?} is no policy"))
    }
}

impl JsonSchema for Policies {
    fn schema_name() -> Cow<'static, str> {
        "Policies".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// What came of one seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    /// The seed.
    pub seed: u64,
    /// The policy that played it.
    pub policy: Kind,
    /// What the oracles say, and the figures.
    pub verdict: Verdict,
    /// The hash over every event.
    pub hash: u64,
    /// Whether the run was stopped because it would not end.
    pub out_of_steps: bool,
    /// Why it did not get on, if it did not.
    pub stuck: Option<Stuck>,
    /// How bad each class of faults was, where the scenario leaves that open.
    pub swarm: Vec<(FaultClass, Level)>,
    /// Which of the answers that the scenario gives itself do not apply any more.
    pub diverged: Option<String>,
    /// Which of its alerts rang.
    pub rang: Vec<Rang>,
}

/// What came of all seeds.
#[derive(Debug)]
pub struct Exploration {
    /// By seed.
    pub played: Vec<Played>,
    /// Where the first seed's two runs differ, if they do.
    pub nondeterministic: Option<Difference>,
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

/// Plays one seed by the random policy.
pub fn play(scenario: &Arc<Scenario>, seed: u64) -> Played {
    play_by(scenario, Kind::Random, seed)
}

/// Plays one seed.
pub fn play_by(scenario: &Arc<Scenario>, policy: Kind, seed: u64) -> Played {
    let outcome = run(scenario, self::policy(scenario, policy, seed), false, &mut ());
    Played::new(policy, seed, outcome)
}

impl Played {
    fn new(policy: Kind, seed: u64, outcome: Outcome) -> Played {
        let Outcome { verdict, hash, out_of_steps, stuck, swarm, diverged, rang, .. } = outcome;
        Played { seed, policy, verdict, hash, out_of_steps, stuck, swarm, diverged, rang }
    }
}

/// What answers the questions of a seed's run. A scenario that has answers itself has one run, whatever
/// the seed: what it does not answer is answered plainly, never by chance.
#[must_use]
pub fn policy(scenario: &Scenario, kind: Kind, seed: u64) -> Box<dyn Policy> {
    match &scenario.answers {
        Some(answers) => Box::new(Named::new(answers, &labels(scenario), Box::new(Plain))),
        None => kind.policy(seed),
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

/// Plays every seed of a range by the random policy.
///
/// # Panics
/// If a run does.
pub fn explore(scenario: &Arc<Scenario>, seeds: RangeInclusive<u64>) -> Exploration {
    explore_by(scenario, Policies::RANDOM, seeds)
}

/// Plays every seed of a range.
///
/// # Panics
/// If a run does.
pub fn explore_by(
    scenario: &Arc<Scenario>,
    policies: Policies,
    seeds: RangeInclusive<u64>,
) -> Exploration {
    let one = std::slice::from_ref(scenario);
    let seeds = self::seeds(one, seeds);
    let Explored { mut explorations, cut } = explore_all(one, policies, seeds, &mut ());
    match (explorations.pop(), cut) {
        (Some(exploration), None) => exploration,
        (_, cut) => panic!("not every seed was played: {cut:?}"),
    }
}

/// Plays every seed of a range on every scenario, seed by seed, for as long as `watch` wants more.
pub fn explore_all(
    scenarios: &[Arc<Scenario>],
    policies: Policies,
    seeds: RangeInclusive<u64>,
    watch: &mut impl Watch<Played>,
) -> Explored {
    let of = scenarios.to_vec();
    let play = move |scenario: usize, seed, twice: bool| {
        let (of, kind) = (&of[scenario], policies.of(seed));
        if !twice {
            return (play_by(of, kind, seed), None);
        }
        let (outcome, differs) = compare_twice(of, || policy(of, kind, seed));
        (Played::new(kind, seed, outcome), differs)
    };
    kept(scenarios.len(), seeds, play, watch)
}

/// Plays rounds and keeps every run.
fn kept(
    each: usize,
    seeds: RangeInclusive<u64>,
    play: impl Fn(usize, u64, bool) -> (Played, Option<Difference>) + Send + Sync + 'static,
    watch: &mut impl Watch<Played>,
) -> Explored {
    let mut explorations: Vec<Exploration> = Vec::new();
    let cut = rounds(ALL_CORES, each, seeds, play, watch, |round: Round<Played>| {
        if explorations.is_empty() {
            let empty = || Exploration { played: Vec::new(), nondeterministic: None };
            explorations.resize_with(each, empty);
        }
        let each = explorations.iter_mut().zip(round.runs).zip(round.differs);
        for ((exploration, played), differs) in each {
            exploration.played.push(played);
            exploration.nondeterministic = exploration.nondeterministic.take().or(differs);
        }
        ControlFlow::Continue(())
    });
    Explored { explorations, cut }
}

/// What came of many seeds of several scenarios, in sums, and how far they are played. It is all that
/// there is to go on from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swept {
    /// Which policy plays which seed.
    pub policies: Policies,
    /// Whether it ends with the first undeclared violation.
    pub until_fail: bool,
    /// The last seed that is played on all scenarios; 0 if there is none.
    pub last: u64,
    /// Whether something that is declared to hold is violated.
    pub failed: bool,
    /// One for each scenario.
    pub tallies: Vec<Tally>,
    /// Where two runs of one seed differ, for each scenario.
    pub nondeterministic: Vec<Option<Difference>>,
    /// Runs that panicked, the first few: each a bug in bootrace, of which nothing is judged.
    #[serde(default)]
    pub bugs: Vec<Bug>,
    /// How many there were.
    #[serde(default)]
    pub panicked: u64,
    pub(crate) canary: Tally,
}

/// How many runs that panicked are kept.
const BUGS: usize = 5;

/// A run that panicked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bug {
    /// On which of the scenarios.
    pub scenario: usize,
    /// On which seed.
    pub seed: u64,
    /// What it said.
    pub message: String,
}

impl Swept {
    /// Nothing is played yet.
    #[must_use]
    pub fn new(scenarios: &[Arc<Scenario>], policies: Policies, until_fail: bool) -> Swept {
        let kinds = policies.kinds().len();
        let tally = |scenario: &Arc<Scenario>| Tally::new(scenario.expectations.len(), kinds);
        Swept {
            policies,
            until_fail,
            last: 0,
            failed: false,
            tallies: scenarios.iter().map(tally).collect(),
            nondeterministic: vec![None; scenarios.len()],
            bugs: Vec::new(),
            panicked: 0,
            canary: Tally::new(canary::scenario().expectations.len(), 1),
        }
    }

    /// Whether no seed is wanted any more, wherever the last one is.
    pub fn is_over(&self) -> bool {
        self.until_fail && (self.failed || self.panicked > 0)
    }

    /// Whether the sums are those of what was played.
    ///
    /// # Errors
    /// If those of the canary are not.
    pub fn check(&self) -> Result<(), String> {
        canary::check(&self.canary, self.last)
    }

    fn take(&mut self, scenarios: &[Arc<Scenario>], round: Round<Part>) {
        let seed = round.seed;
        self.last = seed;
        let place = self.policies.place(seed);
        for (number, part) in round.runs.into_iter().enumerate() {
            match part {
                Part::Run(ran) => self.tallies[number].take(place, seed, &ran),
                Part::Canary(ran) => self.canary.take(0, seed, &ran),
                Part::Panicked(message) => {
                    self.panicked += 1;
                    if self.bugs.len() < BUGS {
                        self.bugs.push(Bug { scenario: number, seed, message });
                    }
                }
                Part::Nothing => {}
            }
        }
        for (known, differs) in self.nondeterministic.iter_mut().zip(round.differs) {
            *known = known.take().or(differs);
        }
        let surprises = |(tally, scenario): (&Tally, &Arc<Scenario>)| tally.surprises(scenario);
        self.failed = self.failed || self.tallies.iter().zip(scenarios).any(surprises);
    }
}

/// Goes on with the seeds up to `last`, on so many threads, for as long as `watch` wants more: each
/// run up to its first undeclared violation. `after` sees the sums after each seed.
pub fn sweep(
    scenarios: &[Arc<Scenario>],
    swept: &mut Swept,
    last: u64,
    jobs: usize,
    watch: &mut impl Watch<Ran>,
    mut after: impl FnMut(&Swept),
) -> Option<Cut> {
    if swept.is_over() || swept.last >= last {
        return None;
    }
    let (of, policies, bird) = (scenarios.to_vec(), swept.policies, canary::scenario());
    let part = move |place: usize, seed, twice: bool| match of.get(place) {
        Some(scenario) => {
            let answers = || policy(scenario, policies.of(seed), seed);
            // To its end, twice; what counts is a run up to its first undeclared violation.
            let differs = twice.then(|| compare_twice(scenario, answers).1).flatten();
            (Part::Run(Ran::play(scenario, answers())), differs)
        }
        None if canary::rides(seed) => (Part::Canary(canary::play(&bird, seed)), None),
        None => (Part::Nothing, None),
    };
    // A run that panics costs itself, not what else is found.
    let play = move |place, seed, twice| {
        caught(|| part(place, seed, twice)).unwrap_or_else(|said| (Part::Panicked(said), None))
    };
    let seeds = swept.last + 1..=last;
    rounds(jobs, scenarios.len() + 1, seeds, play, &mut Runs(watch), |round| {
        swept.take(scenarios, round);
        after(swept);
        if swept.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// What is played for a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Run(Ran),
    Canary(Ran),
    /// It panicked, and said this.
    Panicked(String),
    Nothing,
}

/// Sees the scenarios' runs only.
struct Runs<'a, W>(&'a mut W);

impl<W: Watch<Ran>> Watch<Part> for Runs<'_, W> {
    fn done(&mut self, part: &Part) {
        if let Part::Run(ran) = part {
            self.0.done(ran);
        }
    }

    fn stops(&mut self) -> bool {
        self.0.stops()
    }
}

/// The runs of all scenarios on one seed.
struct Round<T> {
    seed: u64,
    /// One for each scenario.
    runs: Vec<T>,
    /// Where those of the first seed, which is played twice, differ.
    differs: Vec<Option<Difference>>,
}

/// Sees a run without what its twin came to.
struct Single<'a, W>(&'a mut W);

impl<T, W: Watch<T>> Watch<(T, Option<Difference>)> for Single<'_, W> {
    fn done(&mut self, (run, _): &(T, Option<Difference>)) {
        self.0.done(run);
    }

    fn stops(&mut self) -> bool {
        self.0.stops()
    }
}

/// Plays a round of all scenarios for each seed, on so many threads, and hands them over in order.
/// `play` is told whether to play twice and compare.
fn rounds<T: Send + 'static>(
    jobs: usize,
    each: usize,
    seeds: RangeInclusive<u64>,
    play: impl Fn(usize, u64, bool) -> (T, Option<Difference>) + Send + Sync + 'static,
    watch: &mut impl Watch<T>,
    mut take: impl FnMut(Round<T>) -> ControlFlow<()>,
) -> Option<Cut> {
    let (first, last) = seeds.into_inner();
    let seed = move |round: usize| first + round as u64;
    let rounds = usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1);
    let task = move |number: usize| play(number % each, seed(number / each), number < each);
    let empty = |round| Round { seed: seed(round), runs: Vec::new(), differs: Vec::new() };
    let (mut number, mut round) = (0, empty(0));
    let all = rounds.saturating_mul(each);
    let cut = fold(jobs, all, task, &mut Single(watch), |(run, differs)| {
        round.runs.push(run);
        round.differs.push(differs);
        if round.runs.len() < each {
            return ControlFlow::Continue(());
        }
        number += 1;
        let next = if number < rounds { empty(number) } else { empty(number - 1) };
        take(std::mem::replace(&mut round, next))
    })?;
    Some(match cut {
        pool::Cut::Stopped => Cut::Stopped,
        pool::Cut::Panicked { task, message } => {
            Cut::Bug { scenario: task % each, seed: seed(task / each), message }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = include_str!("../scenarios/free-tier-usage/no-bootstrap.toml");

    /// A run in name only: what it came to is one real run's.
    fn plays() -> impl Fn(usize, u64, bool) -> (Played, Option<Difference>) + Send + Sync {
        let (scenario, _) = bootrace_sim::scenario::parse(STORY).expect("it parses");
        let played = play(&Arc::new(scenario), 1);
        move |scenario, seed, _| (Played { seed, hash: scenario as u64, ..played.clone() }, None)
    }

    fn seeds(explored: &Explored) -> Vec<Vec<u64>> {
        let of = |one: &Exploration| one.played.iter().map(|played| played.seed).collect();
        explored.explorations.iter().map(of).collect()
    }

    #[test]
    fn each_scenario_has_each_seed_once() {
        let explored = kept(2, 3..=5, plays(), &mut ());
        assert_eq!(explored.cut, None);
        assert_eq!(seeds(&explored), [[3, 4, 5], [3, 4, 5]]);
        let of = |place: usize| explored.explorations[place].played.iter().map(|one| one.hash);
        assert!(of(0).all(|scenario| scenario == 0) && of(1).all(|scenario| scenario == 1));
        assert!(explored.explorations.iter().all(|one| one.nondeterministic.is_none()));
        assert_eq!(seeds(&kept(1, u64::MAX..=u64::MAX, plays(), &mut ())), [[u64::MAX]]);
    }

    #[test]
    fn a_bug_is_named_and_costs_no_seed_before_it() {
        let plays = plays();
        let breaks = move |scenario, seed, twice| {
            assert!(seed < 6 || (scenario, seed) == (0, 6), "no such number");
            plays(scenario, seed, twice)
        };
        let explored = kept(2, 3..=1_000_000, breaks, &mut ());
        let message = "no such number".to_owned();
        assert_eq!(explored.cut, Some(Cut::Bug { scenario: 1, seed: 6, message }));
        assert_eq!(seeds(&explored), [[3, 4, 5], [3, 4, 5]]);
    }

    #[test]
    fn a_bug_in_the_first_seed_leaves_nothing() {
        let breaks = |_, _, _| panic!("at once");
        let explored = kept(2, 1..=200, breaks, &mut ());
        let message = "at once".to_owned();
        assert_eq!(explored.cut, Some(Cut::Bug { scenario: 0, seed: 1, message }));
        assert_eq!(seeds(&explored), [[0; 0]; 0]);
    }

    #[test]
    fn the_first_seed_alone_is_played_twice_and_a_difference_is_kept() {
        let plays = plays();
        let drifts = move |scenario, seed, twice| {
            assert_eq!(twice, seed == 3);
            let (after, once, again) = (None, None, Some("more".to_owned()));
            let difference = Difference { event: 7, after, once, again, hashes: (1, 2) };
            (plays(scenario, seed, twice).0, twice.then_some(difference))
        };
        let explored = kept(2, 3..=5, drifts, &mut ());
        let events =
            explored.explorations.iter().map(|one| Some(one.nondeterministic.as_ref()?.event));
        assert_eq!(events.collect::<Vec<_>>(), [Some(7), Some(7)]);
    }

    fn scenarios() -> [Arc<Scenario>; 2] {
        let (scenario, _) = bootrace_sim::scenario::parse(STORY).expect("it parses");
        let mut other = scenario.clone();
        other.name = "another".into();
        [Arc::new(scenario), Arc::new(other)]
    }

    fn swept(scenarios: &[Arc<Scenario>], until: &[u64], jobs: usize) -> Swept {
        let mut swept = Swept::new(scenarios, Policies::Portfolio, false);
        for last in until {
            assert_eq!(sweep(scenarios, &mut swept, *last, jobs, &mut (), |_| ()), None);
        }
        swept
    }

    #[test]
    fn parts_of_an_exploration_are_the_whole_on_any_number_of_threads() {
        let scenarios = scenarios();
        let whole = swept(&scenarios, &[10], 1);
        assert_eq!((whole.last, whole.check()), (10, Ok(())));
        // Seeds 1, 5 and 9 are the first policy's, 2, 6 and 10 the second's.
        assert_eq!(whole.tallies[1].runs, [3, 3, 2, 2]);
        for parts in [&[10][..], &[1, 10], &[3, 4, 9, 10], &[5, 5, 2, 10]] {
            assert_eq!(swept(&scenarios, parts, 3), whole, "{parts:?}");
        }
    }

    #[test]
    fn a_seed_that_counts_twice_or_not_at_all_is_noticed() {
        let scenarios = scenarios();
        let right = swept(&scenarios[..1], &[4], 2);
        let round = |seed| {
            let run =
                Part::Run(Ran::play(&scenarios[0], Policies::Portfolio.of(seed).policy(seed)));
            let canary = Part::Canary(canary::play(&canary::scenario(), seed));
            Round { seed, runs: vec![run, canary], differs: vec![None, None] }
        };
        let with = |seed| {
            let mut swept = right.clone();
            swept.take(&scenarios, round(seed));
            swept.check()
        };
        assert_eq!(with(5), Ok(()));
        assert!(with(4).is_err(), "a seed counts twice");
        assert!(with(6).is_err(), "a seed is left out");
    }

    #[test]
    fn a_run_that_panics_is_kept_beside_what_else_is_found() {
        let scenarios = scenarios();
        let mut swept = swept(&scenarios, &[3], 1);
        let ran =
            |seed| Part::Run(Ran::play(&scenarios[0], Policies::Portfolio.of(seed).policy(seed)));
        for seed in 4..=10 {
            let panicked = Part::Panicked(format!("no such number: {seed}"));
            let canary = match canary::rides(seed) {
                true => Part::Canary(canary::play(&canary::scenario(), seed)),
                false => Part::Nothing,
            };
            let runs = vec![ran(seed), panicked, canary];
            swept.take(&scenarios, Round { seed, runs, differs: vec![None, None, None] });
        }
        assert_eq!((swept.panicked, swept.bugs.len(), swept.check()), (7, BUGS, Ok(())));
        let first = Bug { scenario: 1, seed: 4, message: "no such number: 4".to_owned() };
        assert_eq!(swept.bugs[0], first);
        let runs = |tally: &Tally| tally.runs.iter().sum::<u64>();
        assert_eq!((runs(&swept.tallies[0]), runs(&swept.tallies[1])), (10, 3));
        assert!(!swept.failed && !swept.is_over());
        swept.until_fail = true;
        assert!(swept.is_over());
    }

    #[test]
    fn policies_are_read_as_they_are_shown() {
        let all = Kind::PORTFOLIO.map(Policies::One).into_iter().chain([Policies::Portfolio]);
        for policies in all {
            assert_eq!(Policies::parse(&policies.to_string()), Some(policies));
        }
        assert_eq!(Policies::parse("portfolios"), None);
        let of = [0, 1, 2, 3, 4, 5, u64::MAX].map(|seed| Policies::Portfolio.of(seed));
        let [first, second, third, fourth] = Kind::PORTFOLIO;
        assert_eq!(of, [fourth, first, second, third, fourth, first, third]);
    }
}
