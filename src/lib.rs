//! bootrace finds out what a job queue does while its fleet boots, restarts, scales and deploys.
//!
//! This is the impure half: files, threads, arguments, reports. What a run does is a pure function
//! of a scenario and the answers to its questions, and lives in [`sim`].

#![warn(clippy::unwrap_used)]

pub mod cli;
pub mod explore;
pub mod fleet;
pub mod load;
pub mod report;
mod scenario;
pub mod testing;

pub use bootrace_sim::container::{Container, Fleet, Result};
pub use bootrace_sim::servers::Ctx;
pub use scenario::{Explorable, Explore, Scenario};

pub use bootrace_sim as sim;
