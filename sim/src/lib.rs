//! The pure half of bootrace: a run is a function of a scenario and its choices.

#![warn(clippy::unwrap_used)]

pub mod bullmq;
pub mod choices;
pub mod civil;
pub mod client;
pub mod clock;
pub mod container;
pub mod database;
pub mod event;
mod fleet;
pub mod kernel;
pub mod oracle;
pub mod policy;
pub mod property;
pub mod redis;
mod release;
pub mod scenario;
pub mod servers;
mod world;

pub use world::{MAX_STEPS, Outcome, run};
