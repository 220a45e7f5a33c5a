//! Numbers from a seed, by a generator of our own, so that a seed names a scenario for as long as
//! this file stays as it is.

/// SplitMix64.
pub(crate) struct Draw(u64);

impl Draw {
    /// The numbers of a seed, and of which attempt at a scenario.
    pub(crate) fn new(seed: u64, attempt: u64) -> Draw {
        let mut draw = Draw(seed ^ attempt.rotate_left(32));
        draw.next();
        draw
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// One of these.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Whether something is so that is so in so many of a hundred cases.
    pub(crate) fn odds(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
