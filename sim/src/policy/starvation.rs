//! Starvation: some containers are slow for long stretches, as one is whose node is busy, and quick
//! in between. A delay that is drawn anew for each message evens out; a container that is behind for
//! thirty messages on end is what rolling deploys meet.

use super::Random;
use super::random::{bounded, open};
use crate::choices::{LifeId, LifeName, Move, Odds, Policy, Question, Site};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// The stream from which stretches are drawn.
const STRETCHES: u8 = 34;
/// One stretch in so many is a slow one.
const SLOW_ONE_IN: u32 = 3;
/// How many questions a stretch lasts, as powers of two.
const LENGTHS: u32 = 8;

/// Stretches from a seed.
pub struct Starvation {
    random: Random,
    seed: u64,
    lives: BTreeMap<LifeId, Stretch>,
}

/// Where a life is in its stretch.
struct Stretch {
    stream: ChaCha8Rng,
    slow: bool,
    left: u32,
}

impl Starvation {
    /// The policy that a seed names.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Starvation { random: Random::new(seed), seed, lives: BTreeMap::new() }
    }

    /// Whether a life is slow at a question.
    fn is_slow(&mut self, life: LifeId, who: &LifeName) -> bool {
        let begin = || Stretch { stream: open(self.seed, who, STRETCHES), slow: false, left: 0 };
        let stretch = self.lives.entry(life).or_insert_with(begin);
        if stretch.left == 0 {
            let word = stretch.stream.next_u64();
            stretch.slow = bounded(word >> 32, SLOW_ONE_IN) == 0;
            stretch.left = 1 << bounded(word & 0xffff_ffff, LENGTHS);
        }
        stretch.left -= 1;
        stretch.slow
    }
}

impl Policy for Starvation {
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, odds: Odds) -> u32 {
        let about_a_message = matches!(question.site, Site::Send | Site::Reply);
        if about_a_message && self.is_slow(question.life, who) {
            return bound - 1;
        }
        self.random.answer(question, who, bound, odds)
    }

    fn order(&mut self, question: &Question, who: &LifeName, moves: &[Move]) -> Option<u32> {
        if moves.len() == 1 {
            return Some(0);
        }
        let mut quick = Vec::new();
        for (place, one) in moves.iter().enumerate() {
            // A move's life has no name here; its number is as good.
            if !self.is_slow(one.life, &LifeName { ordinal: one.life.0, ..who.clone() }) {
                quick.push(place as u32);
            }
        }
        let among = if quick.is_empty() { moves.len() } else { quick.len() } as u32;
        let drawn = match among {
            1 => 0,
            bound => self.random.answer(question, who, bound, Odds::Even),
        };
        Some(quick.get(drawn as usize).copied().unwrap_or(drawn))
    }
}
