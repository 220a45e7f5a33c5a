//! Priorities: each life has one, and what it sends is as fast as that; at a few questions, drawn
//! beforehand, whoever asks falls to the bottom. After Burckhardt and others, "A Randomized Scheduler
//! with Probabilistic Guarantees of Finding Bugs": a bug that needs d orderings is found by one run
//! in so many, where drawing each delay anew would hardly ever keep one container behind.
//!
//! Where messages take time the priority is the delay's quantile; where they do not, it is who goes
//! next. What is not about messages (kills, ranges, ties) is drawn as ever.

use super::random::{bounded, open};
use super::{Kind, Random};
use crate::choices::{LifeId, LifeName, Move, Odds, Policy, Question, Site};
use rand::Rng;
use std::collections::BTreeMap;

/// The stream from which priorities are drawn, and that of the changes.
const PRIORITIES: u8 = 32;
const CHANGES: u8 = 33;

/// Among how many questions about messages the changes lie, as powers of two. How many a run asks
/// is not known before it; most races are in the first boots.
const REACH: std::ops::RangeInclusive<u32> = 3..=12;

/// Priorities from a seed.
pub struct Pct {
    random: Random,
    seed: u64,
    /// By life: 0 is the highest.
    priorities: BTreeMap<LifeId, u32>,
    /// The numbers of the questions at which the asker falls, the next one last.
    changes: Vec<u64>,
    /// How many questions about messages were asked.
    asked: u64,
    /// How many have fallen: each below those before it.
    fallen: u32,
}

impl Pct {
    /// The policy that a seed names, with `depth - 1` changes.
    #[must_use]
    pub fn new(seed: u64, depth: u32) -> Self {
        let world = LifeName { service: "world".into(), ordinal: 0, life: 0 };
        let mut stream = open(seed, &world, CHANGES);
        let mut draw = |bound| u64::from(bounded(stream.next_u64() >> 32, bound));
        let reach = 1 << (u64::from(*REACH.start()) + draw(REACH.end() - REACH.start() + 1));
        let mut changes: Vec<u64> = (1..depth).map(|_| draw(reach)).collect();
        changes.sort_unstable_by(|one, other| other.cmp(one));
        let random = Random::new(seed);
        Pct { random, seed, priorities: BTreeMap::new(), changes, asked: 0, fallen: 0 }
    }

    /// The priority of a life, as a share of 2^32.
    fn priority(&mut self, life: LifeId, who: &LifeName) -> u32 {
        let drawn = || (open(self.seed, who, PRIORITIES).next_u64() >> 33) as u32;
        *self.priorities.entry(life).or_insert_with(drawn)
    }

    /// Whether the question that is asked now is one at which the asker falls.
    fn falls(&mut self) -> bool {
        let now = self.asked;
        self.asked += 1;
        let before = self.changes.len();
        while self.changes.last() == Some(&now) {
            self.changes.pop();
        }
        self.changes.len() < before
    }

    fn fall(&mut self, life: LifeId) {
        self.fallen += 1;
        self.priorities.insert(life, u32::MAX / 2 + self.fallen.saturating_mul(1 << 24));
    }
}

impl Policy for Pct {
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, odds: Odds) -> u32 {
        if !matches!(question.site, Site::Send | Site::Reply) {
            return self.random.answer(question, who, bound, odds);
        }
        if self.falls() {
            self.fall(question.life);
        }
        bounded(u64::from(self.priority(question.life, who)), bound)
    }

    fn order(&mut self, _: &Question, who: &LifeName, moves: &[Move]) -> Option<u32> {
        // A move's life has no name here; its number is as good.
        let of = |one: &Move| LifeName { ordinal: one.life.0, ..who.clone() };
        let first = |policy: &mut Pct| {
            let mut each = moves.iter().enumerate();
            each.by_ref()
                .map(|(place, one)| (policy.priority(one.life, &of(one)), place))
                .min()
                .map(|(_, place)| place)
        };
        let mut place = first(self)?;
        if moves.len() > 1 && self.falls() {
            self.fall(moves[place].life);
            place = first(self)?;
        }
        Some(place as u32)
    }
}

const _: () = assert!(matches!(Kind::PORTFOLIO[1], Kind::Pct(_)));
