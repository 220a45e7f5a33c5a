//! Every order of a scenario's messages, with at most so many kills: nothing is left to chance, so
//! what holds in all of them holds within these bounds, and what does not is refuted by a tape.
//!
//! The orders are those of a network without time: see [`Network::Order`]. What follows a state is
//! searched once, for all orders that lead to it: of each state it is kept in how many it is reached, so
//! orders are counted and not played one by one. States are compared where a run rests (nothing is in
//! flight, and time is about to go on) and at each question between two rests; at a question, what
//! sleeps is part of the state. They are gone through in the order of their instants and, between two
//! rests, of how many answers led there: so all ways to one are known when it is gone on from.
//!
//! Kills are spread over the stretches between rests: from each rest on, first nobody dies up to the
//! next, then each life at each kill point that it was seen to pass on this stretch, and so on. Who is
//! to die is fixed from one rest to the next, so that what sleeps was seen with the same deaths.
//!
//! Two states are taken for one if their hashes of 64 bits are the same. Of a million states any two
//! are by chance with odds of one in thirty million.

use crate::pool::{Cut, Watch, fold};
use bootrace_sim::choices::{LifeId, Policy, Tape};
use bootrace_sim::clock::Instant;
use bootrace_sim::event::ServiceId;
use bootrace_sim::policy::{Beginning, Deaths, Exhaustive, Search};
use bootrace_sim::redis::{Db, Value, frozen_hash};
use bootrace_sim::scenario::{Kills, Network, Scenario};
use bootrace_sim::{Outcome, run};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many runs are one part. A stretch that has more is cut.
const RUNS: u64 = 256;

/// Into how many parts it is cut at most, at a time.
const PARTS: usize = 64;

/// Among how many kill points a life may die: more than any passes.
const POINTS: u32 = 60_000;

/// Within which bounds a search is, and how it goes about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// How many lives may die in one run.
    pub kills: u32,
    /// Whether each range of the scenario comes out as all of its sixteen values, not as its least.
    pub draws: bool,
    /// Whether orders that nobody could tell apart are played, too.
    pub whole: bool,
    /// Whether every order is played from the start to its end, however often its states were met.
    pub apart: bool,
}

/// What a search came to.
#[derive(Clone, Default, Debug)]
pub struct Searched {
    /// How many orders there are, by the number of those who died in them: nobody, one, two, …
    pub by_kills: Vec<u128>,
    /// In how many of them each expectation was not kept.
    pub violated: Vec<u128>,
    /// In how many of them its premise was met.
    pub judged: Vec<u128>,
    /// How an order begins, and ends, that breaks each expectation: one with the fewest kills.
    broken: Vec<Option<Beginning>>,
    /// All that Redis held at the end of some run but for the stream of events, as hashes.
    pub ends: BTreeSet<u64>,
    /// How many states there were at rests, from which runs went on.
    pub states: u64,
    /// How many runs were played.
    pub runs: u64,
    /// How many of them were given up, since all that they could come to had been seen, or since
    /// somebody did not come to where he was to die.
    pub abandoned: u64,
    /// How many runs would not end.
    pub endless: u64,
    /// Something was too large to be searched whole.
    pub incomplete: bool,
    /// How far into the scenario everything was searched, if it was cut short.
    pub until: Option<Instant>,
}

/// A state at a rest: when, how many have died on the way there, and a hash of all the rest.
type State = (Instant, usize, u64);

/// How it is reached.
#[derive(Clone, Debug)]
struct Reached {
    /// In one of the orders that lead there.
    by: Beginning,
    /// How many kill points each life has passed there.
    points: Vec<u32>,
    /// In how many orders.
    orders: u128,
}

/// What is searched together: the stretches from one state to the next rests, with these deaths.
type Plan = (usize, Deaths);

/// Where a plan is on its way to the next rests: after how many answers, and a hash of the
/// state it has come to.
type Place = (usize, u64);

/// Places of all plans, the nearest first.
type Flies = BTreeMap<(usize, Plan, u64), Reached>;

/// What a part came to: the states at its end, and the runs that had their end.
#[derive(Debug, Default)]
pub struct Stretch {
    /// Those at which it rests, and those at a question before that.
    rests: BTreeMap<State, Reached>,
    flies: BTreeMap<Place, Reached>,
    ends: Searched,
    /// How many kill points each life passed, at most.
    most: Vec<u32>,
    left: Vec<Exhaustive>,
}

impl Stretch {
    /// How many runs were played.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.ends.runs
    }
}

/// A scenario as it is searched: messages without time, and kills anywhere if there may be any.
#[must_use]
pub fn bounded(scenario: &Scenario, kills: u32) -> Scenario {
    let mut bounded = scenario.clone();
    bounded.network = Network::Order;
    // What looks at the clock is no part of a state, and nothing that is searched asks for it.
    bounded.alerts.clear();
    let service = |number| ServiceId(u16::try_from(number).expect("the parser bounds them"));
    let of = |number| Kills { service: service(number), odds_of_2_32: 0, points: POINTS };
    let all = 0..if kills > 0 { scenario.services.len() } else { 0 };
    bounded.faults.kills = all.map(of).collect();
    bounded
}

/// Searches a scenario that [`bounded`] made, for as long as `watch` wants more.
pub fn search(
    scenario: &Arc<Scenario>,
    bounds: Bounds,
    jobs: usize,
    watch: &mut impl Watch<Stretch>,
) -> (Searched, Option<Cut>) {
    let played = scenario.clone();
    let play = move |policy| run(&played, policy, false, &mut ());
    search_runs(play, bounds, jobs, watch)
}

/// Searches runs of a scenario that [`bounded`] made, whatever its containers run: a
/// [`Fleet`](crate::Fleet), say. What a run is judged by but its own expectations is no part of its
/// states, so that it cannot be asked here.
pub fn search_runs(
    play: impl Fn(Box<dyn Policy>) -> Outcome + Clone + Send + Sync + 'static,
    bounds: Bounds,
    jobs: usize,
    watch: &mut impl Watch<Stretch>,
) -> (Searched, Option<Cut>) {
    let mut all = Searched::default();
    let first = Reached { by: Beginning::default(), points: Vec::new(), orders: 1 };
    let mut open = BTreeMap::from([((Instant::default(), 0, 0), first)]);
    while let Some(((at, ..), _)) = open.first_key_value() {
        let at = *at;
        let later = open.split_off(&(Instant::from_nanos(at.nanos() + 1), 0, 0));
        let from: Vec<Reached> = std::mem::replace(&mut open, later).into_values().collect();
        all.states += from.len() as u64;
        if let Some(cut) = layer(&play, bounds, jobs, &from, &mut open, &mut all, watch) {
            all.until = Some(at);
            return (all, Some(cut));
        }
    }
    (all, None)
}

/// Searches the stretches that begin at the states of one instant.
fn layer(
    play: &(impl Fn(Box<dyn Policy>) -> Outcome + Clone + Send + Sync + 'static),
    bounds: Bounds,
    jobs: usize,
    from: &[Reached],
    open: &mut BTreeMap<State, Reached>,
    all: &mut Searched,
    watch: &mut impl Watch<Stretch>,
) -> Option<Cut> {
    let Bounds { kills, draws, whole, apart } = bounds;
    let begin = |by: &Beginning, deaths: &Deaths| {
        let search = Exhaustive::from(by.clone(), deaths.clone());
        search.draws(draws).whole(whole).stops(!apart)
    };
    let mut plans: BTreeSet<Plan> = (0..from.len()).map(|state| (state, Deaths::new())).collect();
    while !plans.is_empty() {
        // How many kill points each life passes with those deaths.
        let mut passed: BTreeMap<Plan, Vec<u32>> = BTreeMap::new();
        let mut parts: Vec<(Plan, u128, Exhaustive)> = Vec::new();
        for (state, deaths) in plans {
            let Reached { by, orders, .. } = &from[state];
            let search = begin(by, &deaths);
            parts.push(((state, deaths), *orders, search));
        }
        // What is in flight, nearest to the state first: all ways to a place are nearer than it is.
        let mut flies = Flies::new();
        while !parts.is_empty() {
            let tasks: Vec<Exhaustive> = parts.iter().map(|(.., part)| part.clone()).collect();
            let (play, cut_up, count) = (play.clone(), tasks.len() < PARTS, tasks.len());
            let task = move |number: usize| Stretch::of(&play, &tasks[number], cut_up);
            let (mut left, mut of) = (Vec::new(), parts.into_iter());
            let cut = fold(jobs, count, task, watch, |stretch| {
                let (plan, orders, _) = of.next().expect("each part has one result");
                all.add(&stretch.ends, orders);
                for (key, reached) in stretch.rests {
                    reach(open, key, reached, orders);
                }
                let begun = from[plan.0].by.answers.len();
                for ((answers, state), reached) in stretch.flies {
                    reach(&mut flies, (answers - begun, plan.clone(), state), reached, orders);
                }
                left.extend(stretch.left.into_iter().map(|rest| (plan.clone(), orders, rest)));
                raise(passed.entry(plan).or_default(), &stretch.most);
                ControlFlow::Continue(())
            });
            if cut.is_some() {
                return cut;
            }
            if left.is_empty() {
                for ((_, plan, _), Reached { by, orders, .. }) in nearest(&mut flies) {
                    all.states += 1;
                    let search = begin(&by, &plan.1);
                    left.push((plan, orders, search));
                }
            }
            parts = left;
        }
        let may = |state: usize| kills as usize - from[state].by.deaths.len();
        plans = BTreeSet::new();
        for ((state, deaths), most) in &passed {
            if deaths.len() < may(*state) {
                let more = one_more(&from[*state], deaths, most);
                plans.extend(more.map(|deaths| (*state, deaths)));
            }
        }
    }
    None
}

/// Takes out the places that are nearest to their states.
fn nearest(flies: &mut Flies) -> Flies {
    let Some(((nearest, ..), _)) = flies.first_key_value() else { return Flies::new() };
    let farther = flies.split_off(&(nearest + 1, (0, Deaths::new()), 0));
    std::mem::replace(flies, farther)
}

/// A state is reached by one more way, whose first part is as many orders.
fn reach<K: Ord>(known: &mut BTreeMap<K, Reached>, key: K, reached: Reached, orders: u128) {
    let orders = orders.saturating_mul(reached.orders);
    let known = known.entry(key).or_insert(Reached { orders: 0, ..reached });
    known.orders = known.orders.saturating_add(orders);
}

fn raise(most: &mut Vec<u32>, by: &[u32]) {
    most.resize(most.len().max(by.len()), 0);
    for (most, by) in most.iter_mut().zip(by) {
        *most = (*most).max(*by);
    }
}

/// The same deaths and one more, at each place on the stretch where it may be.
fn one_more(from: &Reached, deaths: &Deaths, most: &[u32]) -> impl Iterator<Item = Deaths> {
    let lives = (0..).map(LifeId).zip(most.iter().copied());
    let alive = move |life: LifeId| !deaths.iter().any(|(of, _)| *of == life);
    lives.filter(move |(life, _)| alive(*life)).flat_map(move |(life, most)| {
        let passed = from.points.get(life.0 as usize).copied().unwrap_or(0);
        (passed + 1..=most).map(move |point| {
            let mut more = [&deaths[..], &[(life, point)]].concat();
            more.sort_unstable();
            more
        })
    })
}

impl Stretch {
    /// Plays a part, or so much of it that the rest is worth a part of its own.
    fn of(play: &impl Fn(Box<dyn Policy>) -> Outcome, part: &Exhaustive, cut_up: bool) -> Stretch {
        let mut stretch = Stretch::default();
        let search = part.clone().begin();
        loop {
            let outcome = play(search.policy());
            stretch.ends.runs += 1;
            if search.counts() {
                stretch.take(&search, outcome);
            }
            let more = search.next();
            if !more || stretch.ends.runs >= RUNS && cut_up {
                stretch.ends.abandoned = search.progress().abandoned;
                stretch.ends.incomplete = search.progress().incomplete;
                stretch.most = search.most_points();
                if more {
                    let (one, other) = search.rest();
                    stretch.left = [Some(one), other].into_iter().flatten().collect();
                }
                return stretch;
            }
        }
    }

    fn take(&mut self, search: &Search, outcome: Outcome) {
        let by = search.beginning();
        let Some((at, state)) = outcome.goes_on else { return self.ends.take(by, &outcome) };
        let points = if by.flying { Vec::new() } else { search.points() };
        let (flies, answers, deaths) = (by.flying, by.answers.len(), by.deaths.len());
        let reached = Reached { by, points, orders: 1 };
        match flies {
            true => reach(&mut self.flies, (answers, state), reached, 1),
            false => reach(&mut self.rests, (at, deaths, state), reached, 1),
        }
    }
}

impl Searched {
    /// How many orders there are.
    #[must_use]
    pub fn orders(&self) -> u128 {
        self.by_kills.iter().fold(0, |sum: u128, orders| sum.saturating_add(*orders))
    }

    /// An order that breaks an expectation, as the tape of a run of the scenario that was searched,
    /// if there is one. Of those with the fewest kills.
    #[must_use]
    pub fn tape(&self, scenario: &Arc<Scenario>, expectation: usize) -> Option<Tape> {
        let broken = self.broken.get(expectation)?.clone()?;
        let search = Exhaustive::from(broken, Deaths::new()).begin();
        Some(run(scenario, search.policy(), true, &mut ()).tape)
    }

    /// An order that was played to its end.
    fn take(&mut self, by: Beginning, outcome: &Outcome) {
        let judgements = &outcome.verdict.judgements;
        self.grow(judgements.len(), by.deaths.len() + 1);
        self.by_kills[by.deaths.len()] += 1;
        self.endless += u64::from(outcome.out_of_steps);
        self.ends.insert(digest(&outcome.redis));
        for (number, judgement) in judgements.iter().enumerate() {
            self.judged[number] += u128::from(judgement.judged > 0);
            if !judgement.held {
                self.violated[number] += 1;
                self.breaks(number, &by);
            }
        }
    }

    /// An order that breaks an expectation: is it a better example than what there was?
    fn breaks(&mut self, number: usize, by: &Beginning) {
        let rank = |by: &Beginning| (by.deaths.len(), by.answers.clone(), by.deaths.clone());
        let place = &mut self.broken[number];
        if place.as_ref().is_none_or(|known| rank(by) < rank(known)) {
            *place = Some(by.clone());
        }
    }

    fn grow(&mut self, expectations: usize, kills: usize) {
        let most = |length: usize, least: usize| length.max(least);
        self.violated.resize(most(self.violated.len(), expectations), 0);
        self.judged.resize(most(self.judged.len(), expectations), 0);
        self.broken.resize(most(self.broken.len(), expectations), None);
        self.by_kills.resize(most(self.by_kills.len(), kills), 0);
    }

    /// Adds what came of a part, each of whose orders stands for so many.
    fn add(&mut self, part: &Searched, orders: u128) {
        self.grow(part.violated.len(), part.by_kills.len());
        let scaled = |sums: &mut Vec<u128>, by: &[u128]| {
            for (sum, by) in sums.iter_mut().zip(by) {
                *sum = sum.saturating_add(by.saturating_mul(orders));
            }
        };
        scaled(&mut self.violated, &part.violated);
        scaled(&mut self.judged, &part.judged);
        scaled(&mut self.by_kills, &part.by_kills);
        self.ends.extend(&part.ends);
        self.runs += part.runs;
        self.abandoned += part.abandoned;
        self.endless += part.endless;
        self.incomplete |= part.incomplete;
        for (number, broken) in part.broken.iter().enumerate() {
            broken.iter().for_each(|by| self.breaks(number, by));
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
