//! The ways to answer a question, one short file each. A policy sees the question's name and its
//! bound, never the world.

mod exhaustive;
mod named;
mod pct;
mod random;
mod replay;
mod starvation;

pub use exhaustive::{Beginning, Deaths, Exhaustive, Progress, Search};
pub use named::Named;
pub use pct::Pct;
pub use random::Random;
pub use replay::Replay;
pub use starvation::Starvation;

use crate::choices::{LifeName, Odds, Policy, Question};
use std::fmt;

/// A policy that draws, without its seed. Its text is what the command line calls it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Kind {
    /// [`Random`].
    #[default]
    Random,
    /// [`Pct`] of a depth.
    Pct(u32),
    /// [`Starvation`].
    Starvation,
}

impl Kind {
    /// What a portfolio plays in turn.
    pub const PORTFOLIO: [Kind; 4] = [Kind::Random, Kind::Pct(2), Kind::Starvation, Kind::Pct(4)];

    /// The policy of a seed.
    #[must_use]
    pub fn policy(self, seed: u64) -> Box<dyn Policy> {
        match self {
            Kind::Random => Box::new(Random::new(seed)),
            Kind::Pct(depth) => Box::new(Pct::new(seed, depth)),
            Kind::Starvation => Box::new(Starvation::new(seed)),
        }
    }

    /// Reads what [`Kind`] is shown as; `pct` alone is of depth 3.
    #[must_use]
    pub fn parse(text: &str) -> Option<Kind> {
        match text {
            "random" => Some(Kind::Random),
            "pct" => Some(Kind::Pct(3)),
            "starvation" => Some(Kind::Starvation),
            _ => {
                let depth = text.strip_prefix("pct:")?.parse().ok()?;
                (1..=1_000).contains(&depth).then_some(Kind::Pct(depth))
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Random => f.write_str("random"),
            Kind::Pct(depth) => write!(f, "pct:{depth}"),
            Kind::Starvation => f.write_str("starvation"),
        }
    }
}

/// Always the plain answer: least delay, no fault, lowest name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Policy for Plain {
    fn answer(&mut self, _: &Question, _: &LifeName, _: u32, _: Odds) -> u32 {
        0
    }
}
