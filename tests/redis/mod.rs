//! The rig that compares the model of Redis with a real server: the same commands to both, reply by
//! reply and key by key.

mod grammar;
mod judge;
mod keyspace;
mod kinds;
mod play;
mod random;
mod session;
mod shrink;
mod text;
pub(crate) mod transcript;

pub(crate) use grammar::{Family, families};
pub(crate) use play::{Bench, knows};
pub(crate) use session::{Clients, session};
pub(crate) use shrink::report;
pub(crate) use transcript::recordable;

/// The clock at the beginning of a session, in milliseconds since the epoch.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// One command of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    /// The number of the client that sends it.
    pub(crate) client: usize,
    /// How much the clock moves before it, in milliseconds.
    pub(crate) wait_ms: i64,
    pub(crate) args: Vec<Vec<u8>>,
}

/// Random numbers from a seed (splitmix64).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * bound as u128) >> 64) as usize
    }

    /// One of several words.
    pub(crate) fn pick(&mut self, words: &[&str]) -> Picked {
        Picked(words[self.below(words.len())].as_bytes().to_vec())
    }
}

/// A word that was picked.
pub(crate) struct Picked(Vec<u8>);

impl From<Picked> for Vec<u8> {
    fn from(picked: Picked) -> Self {
        picked.0
    }
}
