//! Every order of a scenario's messages, with at most so many kills: nothing is left to chance, so
//! what holds in all of them holds within these bounds, and what does not is refuted by a tape.
//!
//! The orders are those of a network without time: see [`Network::Order`]. First nobody dies; then
//! each life dies at each of the kill points that it was seen to pass, and so on. A search is cut
//! into parts that are played on all cores; what comes out does not depend on how many.

use crate::pool::{Cut, Watch, work};
use bootrace_sim::choices::{LifeId, Tape};
use bootrace_sim::event::ServiceId;
use bootrace_sim::policy::{Exhaustive, Progress, Search};
use bootrace_sim::redis::{Db, Value, frozen_hash};
use bootrace_sim::scenario::{Kills, Network, Scenario};
use bootrace_sim::{Outcome, run};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Into how many parts a search without kills is cut, at least, if it is large enough.
const PARTS: usize = 256;

/// Among how many kill points a life may die: more than any passes.
const POINTS: u32 = 60_000;

/// Within which bounds a search is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// How many lives may die in one run.
    pub kills: u32,
    /// Whether orders that nobody could tell apart are played, too.
    pub whole: bool,
}

/// Who dies, and where.
type Plan = Vec<(LifeId, u32)>;

/// What a search, or a part of it, came to.
#[derive(Clone, Default, Debug)]
pub struct Searched {
    /// How many orders were played.
    pub progress: Progress,
    /// In how many of them each expectation was not kept.
    pub violated: Vec<u64>,
    /// The first tape that breaks each expectation.
    pub tapes: Vec<Option<Tape>>,
    /// How many runs would not end.
    pub endless: u64,
    /// All that Redis held at the end of some run but for the stream of events, as hashes.
    pub ends: BTreeSet<u64>,
    /// How many orders nobody died in, one life did, two did, and so on.
    pub by_kills: Vec<u64>,
    plan: Plan,
    passed: BTreeMap<LifeId, u32>,
}

/// A scenario as it is searched: messages without time, and kills anywhere if there may be any.
#[must_use]
pub fn bounded(scenario: &Scenario, kills: u32) -> Scenario {
    let mut bounded = scenario.clone();
    bounded.network = Network::Order;
    let service = |number| ServiceId(u16::try_from(number).expect("the parser bounds them"));
    let of = |number| Kills { service: service(number), odds_of_2_32: 0, points: POINTS };
    let all = 0..if kills > 0 { scenario.services.len() } else { 0 };
    bounded.faults.kills = all.map(of).collect();
    bounded
}

/// Searches a scenario that [`bounded`] made, with at most so many kills, for as long as `watch`
/// wants more.
pub fn search(
    scenario: &Arc<Scenario>,
    bounds: Bounds,
    watch: &mut impl Watch<Searched>,
) -> (Searched, Option<Cut>) {
    let mut all = Searched::default();
    let Bounds { kills, whole } = bounds;
    let of = move |plan| match Exhaustive::new(plan) {
        search if whole => search.whole(),
        search => search,
    };
    let mut parts = split(scenario, of, &mut all);
    for dead in 0..=kills {
        let played = scenario.clone();
        let tasks = parts.len();
        let task = move |number: usize| {
            let (plan, search) = &parts[number];
            Searched::of(&played, plan, search.clone())
        };
        let done = work(tasks, task, watch);
        done.results.iter().for_each(|part| all.add(part));
        if dead == kills || done.cut.is_some() {
            return (all, done.cut);
        }
        let plans = one_more(&done.results, (dead == 0).then_some(&all));
        parts = plans.into_iter().map(|plan| (plan.clone(), of(plan))).collect();
    }
    unreachable!("the last round returns")
}

/// Cuts the search without kills into parts; what is too short to be cut is played.
fn split(
    scenario: &Arc<Scenario>,
    of: impl Fn(Plan) -> Exhaustive,
    all: &mut Searched,
) -> Vec<(Plan, Exhaustive)> {
    for depth in 1.. {
        let mut top = Searched::default();
        let parts = top.play(scenario, of(Plan::new()).begin_to(depth));
        if parts.len() >= PARTS || parts.is_empty() {
            *all = top;
            return parts.into_iter().map(|part| (Plan::new(), part)).collect();
        }
    }
    unreachable!("a run asks a finite number of questions")
}

/// All plans with one kill more: of a life that began after those that die already.
fn one_more(results: &[Searched], top: Option<&Searched>) -> Vec<Plan> {
    let mut passed: BTreeMap<&Plan, BTreeMap<LifeId, u32>> = BTreeMap::new();
    for part in results.iter().chain(top) {
        let of = passed.entry(&part.plan).or_default();
        for (life, points) in &part.passed {
            let most = of.entry(*life).or_default();
            *most = (*most).max(*points);
        }
    }
    let mut plans = Vec::new();
    for (plan, lives) in passed {
        let last = plan.last().map_or(LifeId::WORLD, |(life, _)| *life);
        for (life, points) in lives.into_iter().filter(|(life, _)| *life > last) {
            plans.extend((1..=points).map(|point| [&plan[..], &[(life, point)]].concat()));
        }
    }
    plans
}

impl Searched {
    /// Plays a part.
    fn of(scenario: &Arc<Scenario>, plan: &Plan, part: Exhaustive) -> Searched {
        let mut searched = Searched { plan: plan.clone(), ..Searched::default() };
        searched.play(scenario, part.begin());
        searched
    }

    /// Plays all runs of a search; what it leaves to others.
    fn play(&mut self, scenario: &Arc<Scenario>, search: Search) -> Vec<Exhaustive> {
        loop {
            let outcome = run(scenario, search.policy(), true, &mut ());
            if search.counts() {
                self.take(outcome);
            }
            if !search.next() {
                break;
            }
        }
        self.progress = search.progress();
        self.passed = search.passed();
        self.by_kills = vec![0; self.plan.len() + 1];
        self.by_kills[self.plan.len()] = self.progress.orders;
        search.left()
    }

    fn take(&mut self, outcome: Outcome) {
        let judgements = outcome.verdict.judgements;
        self.grow(judgements.len());
        self.endless += u64::from(outcome.out_of_steps);
        self.ends.insert(digest(&outcome.redis));
        for (number, judgement) in judgements.iter().enumerate() {
            if !judgement.held {
                self.violated[number] += 1;
                self.tapes[number].get_or_insert_with(|| outcome.tape.clone());
            }
        }
    }

    fn grow(&mut self, expectations: usize) {
        self.violated.resize(expectations, 0);
        self.tapes.resize(expectations, None);
    }

    fn add(&mut self, other: &Searched) {
        self.progress.orders += other.progress.orders;
        self.progress.abandoned += other.progress.abandoned;
        self.progress.incomplete |= other.progress.incomplete;
        self.endless += other.endless;
        self.ends.extend(&other.ends);
        self.grow(other.violated.len().max(self.violated.len()));
        for (number, count) in other.violated.iter().enumerate() {
            self.violated[number] += count;
            if self.tapes[number].is_none() {
                self.tapes[number].clone_from(&other.tapes[number]);
            }
        }
        self.by_kills.resize(self.by_kills.len().max(other.by_kills.len()), 0);
        for (place, count) in other.by_kills.iter().enumerate() {
            self.by_kills[place] += count;
        }
    }
}

/// A hash of all keys and what they hold. What a stream holds is in the order of the moves.
fn digest(redis: &Db) -> u64 {
    let held = redis.snapshot().into_iter();
    let held = held.filter(|shown| !matches!(shown.value, Value::Stream(_)));
    let texts = held.map(|shown| format!("{shown:?}\n"));
    frozen_hash(texts.collect::<String>().as_bytes())
}
