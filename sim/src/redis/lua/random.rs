//! The generator behind `math.random` in scripts: Redis has its own, so that a seed gives the same
//! numbers everywhere.
//!
//! It is `lrand48` of POSIX. Nothing seeds it but a script: Redis 7 begins with a fixed state and
//! goes on from script to script.

use std::cell::Cell;

/// What `lrand48` adds and multiplies with.
const FACTOR: u64 = 0x5_DEEC_E66D;
const SUMMAND: u64 = 0xB;
/// The low 16 bits of a state that was just seeded.
const SEEDED: u64 = 0x330E;
const MASK: u64 = (1 << 48) - 1;

/// The state, of 48 bits.
pub(super) struct Random(Cell<u64>);

impl Default for Random {
    fn default() -> Self {
        Random(Cell::new(0x1234_ABCD_330E))
    }
}

impl Random {
    /// Starts again, with 32 bits of seed.
    pub(super) fn seed(&self, seed: i32) {
        self.0.set((u64::from(seed as u32) << 16) | SEEDED);
    }

    /// The next number, at least 0 and below 1.
    pub(super) fn next(&self) -> f64 {
        let state = self.0.get().wrapping_mul(FACTOR).wrapping_add(SUMMAND) & MASK;
        self.0.set(state);
        let most = u64::from(i32::MAX as u32);
        ((state >> 17) % most) as f64 / most as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of the real server, just started and after `math.randomseed(42)`.
    #[test]
    fn numbers_are_those_of_the_real_server() {
        let random = Random::default();
        let texts: Vec<String> = (0..2).map(|_| format!("{:.14}", random.next())).collect();
        assert_eq!(texts, ["0.39646477363839", "0.84048536971234"]);
    }
}
