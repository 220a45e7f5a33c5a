//! The random policy: one ChaCha8 stream for each (container, life, site), so that one message more
//! in one container moves nothing elsewhere, and two scenarios on one seed are a pair.
//!
//! It draws raw 64-bit words and bounds them itself: `rand` does not promise that a range means the
//! same in its next version, and a seed must mean the same for years.

use crate::choices::{LifeName, Odds, Policy, Question, Site};
use crate::mutants::{Mutant, planted};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Answers from a seed.
pub struct Random {
    seed: u64,
    streams: Vec<Streams>,
}

type Streams = [Option<Box<ChaCha8Rng>>; Site::COUNT];

impl Random {
    /// The policy that `seed` names.
    pub fn new(seed: u64) -> Self {
        Random { seed, streams: Vec::new() }
    }

    fn stream(&mut self, question: &Question, who: &LifeName) -> &mut ChaCha8Rng {
        let life = if planted(Mutant::X3) { 0 } else { question.life.0 as usize };
        if life >= self.streams.len() {
            self.streams.resize_with(life + 1, Streams::default);
        }
        let seed = self.seed;
        self.streams[life][question.site as usize]
            .get_or_insert_with(|| Box::new(open(seed, who, question.site as u8)))
    }
}

/// The stream's key is what names it, written out; a service counts by its name, so that adding
/// another service moves nothing. Other policies draw from streams of other numbers.
pub(super) fn open(seed: u64, who: &LifeName, stream: u8) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[0..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&fnv1a(who.service.as_bytes()).to_le_bytes());
    key[16..20].copy_from_slice(&who.ordinal.to_le_bytes());
    key[20..24].copy_from_slice(&who.life.to_le_bytes());
    key[24] = stream;
    ChaCha8Rng::from_seed(key)
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Policy for Random {
    #[inline]
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, odds: Odds) -> u32 {
        let word = self.stream(question, who).next_u64();
        match odds {
            Odds::Even => bounded(word >> 32, bound),
            Odds::Fault { of_2_32 } if word & 0xffff_ffff >= of_2_32 => 0,
            Odds::Fault { .. } => 1 + bounded(word >> 32, bound - 1),
        }
    }
}

/// Maps 32 random bits to a number below `bound`; the bias is below `bound / 2^32`.
pub(super) fn bounded(bits: u64, bound: u32) -> u32 {
    ((bits * u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::{Label, LifeId};

    fn name(ordinal: u32) -> LifeName {
        LifeName { service: "worker".into(), ordinal, life: 1 }
    }

    fn draw(policy: &mut Random, life: u32, site: Site) -> u32 {
        let question = Question { life: LifeId(life), site, label: Label(0), n: 0 };
        policy.answer(&question, &name(life), 1000, Odds::Even)
    }

    /// The streams are frozen: if this fails, every seed that anybody has written down means
    /// something else now.
    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut policy = Random::new(7);
        let drawn: Vec<u32> = (0..6).map(|_| draw(&mut policy, 3, Site::Send)).collect();
        assert_eq!(drawn, GOLDEN);
    }

    const GOLDEN: [u32; 6] = [799, 591, 583, 846, 92, 957];

    #[test]
    fn one_draw_more_in_one_container_moves_nothing_elsewhere() {
        let (mut quiet, mut busy) = (Random::new(1), Random::new(1));
        for _ in 0..100 {
            draw(&mut busy, 1, Site::Send);
            draw(&mut busy, 2, Site::Reply);
        }
        for _ in 0..20 {
            assert_eq!(draw(&mut quiet, 2, Site::Send), draw(&mut busy, 2, Site::Send));
        }
    }

    #[test]
    fn a_fault_is_as_likely_as_its_odds() {
        let mut policy = Random::new(5);
        let question = Question { life: LifeId(1), site: Site::Kill, label: Label(0), n: 0 };
        let odds = Odds::Fault { of_2_32: 1 << 30 };
        let faults = (0..4000).filter(|_| policy.answer(&question, &name(1), 10, odds) > 0).count();
        assert!((900..1100).contains(&faults), "{faults} of 4000 at odds of a quarter");
    }
}
