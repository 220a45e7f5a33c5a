//! The pure half of bootrace: a run is a function of what is simulated and of its choices. No file,
//! thread, wall clock, environment or random number is in it.
//!
//! - [`run`] plays a [`scenario::Scenario`], parsed from a text; [`container::Fleet::play`] plays
//!   containers whose code is async Rust. Both give an [`Outcome`] and hand every [`event::Event`]
//!   to a sink as it happens.
//! - Whatever is open is asked of [`choices::Choices`], and answered by a [`policy`]: one from a
//!   seed, one from the tape of another run.
//! - The [`kernel`] runs processes, as Node has them, and carries what they send to the
//!   [`servers`]: [`redis`] and the [`database`]. A server is synchronous, so that an `.await` of a
//!   process is exactly a point where others can run.
//! - [`bullmq`] is the library's clients and scripts on top of that; [`client`] is a bare client of
//!   Redis.
//! - [`oracle`]s judge a scenario's run, [`property`]s a fleet's, both by its events alone.
//!
//! ```
//! use bootrace_sim::container::{Container, Fleet};
//! use bootrace_sim::policy::Random;
//!
//! let counter = Container::new("counter", |ctx| async move {
//!     ctx.redis().incr("boots").await?;
//!     ctx.note("counted");
//!     ctx.terminated().await;
//!     Ok(())
//! });
//! let fleet = Fleet::new("twelve boots")
//!     .container(counter.replicas(12))
//!     .eventually("all have counted", |seen| seen.now("counted") == 12);
//!
//! let once = fleet.play(Box::new(Random::new(7)), &mut ());
//! let again = fleet.play(Box::new(Random::new(7)), &mut ());
//! assert!(once.findings[0].held);
//! assert_eq!(once.outcome.hash, again.outcome.hash);
//! ```

#![warn(clippy::unwrap_used)]

pub mod alert;
pub mod battery;
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
pub mod metric;
pub mod mutants;
pub mod oracle;
pub mod plan;
pub mod policy;
pub mod property;
pub mod redis;
mod release;
pub mod scenario;
pub mod servers;
pub mod soak;
pub mod ticks;
mod world;

pub use world::{MAX_STEPS, Outcome, labels, run};
