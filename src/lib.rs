//! bootrace finds out what containers do to one another while they boot, restart, scale and deploy:
//! their start-up code, Redis and BullMQ run under a virtual clock, and whatever a run leaves open
//! (when a message arrives, how long a boot takes, where a container dies) is drawn from a seed. A
//! run is a function of its seed, so a race that was found can be told again, line by line.
//!
//! There are two ways in. Code that talks to Redis itself is written as async closures: a
//! [`Fleet`] of [`Container`]s. Code that uses BullMQ is described in a file: a [`Scenario`].
//!
//! # A race, found and fixed
//!
//! Three workers elect a leader, as many do: who can set the key `leader` leads, and the key expires
//! in case the leader dies.
//!
//! ```
//! use bootrace::sim::redis::SetOptions;
//! use bootrace::{Container, Ctx, Explore, Fleet};
//! use std::time::Duration;
//!
//! async fn worker(ctx: Ctx, lease_ms: i64) -> bootrace::Result {
//!     let (redis, me) = (ctx.redis(), ctx.name());
//!     loop {
//!         if redis.set("leader", me.as_str(), SetOptions::px(lease_ms).nx()).await? {
//!             ctx.note("leads");
//!             // What only the leader may do takes as long as it takes.
//!             ctx.sleep(ctx.between(Duration::from_secs(1)..=Duration::from_secs(6))).await;
//!             ctx.note("rests");
//!             redis.del_if_equal("leader", me.as_str()).await?;
//!         }
//!         ctx.sleep(Duration::from_secs(1)).await;
//!     }
//! }
//!
//! fn election(lease_ms: i64) -> Fleet {
//!     let workers = Container::new("worker", move |ctx| worker(ctx, lease_ms))
//!         .replicas(3)
//!         .boot(Duration::from_secs(1)..=Duration::from_secs(20))
//!         .kills(0.25);
//!     Fleet::new("leader election")
//!         .container(workers)
//!         .length(Duration::from_secs(60))
//!         .calm(Duration::from_secs(20))
//!         .always("at most one leads", |seen| seen.now("leads") <= 1)
//!         .eventually("somebody leads", |seen| seen.now("leads") == 1)
//! }
//!
//! // A lease of 5.5 s looks generous: fourteen turns of sixteen are shorter.
//! let fleet = election(5_500);
//! let report = Explore::new(&fleet).seeds(1..=100).run();
//! let judged = report.property("at most one leads");
//! assert_eq!((judged.violated, judged.of), (63, 100));
//!
//! // Who did what, when, up to the instant at which two lead:
//! let violation = judged.violation.as_ref().expect("63 seeds violate it");
//! let last = "\
//! 01-05 00:00:44.637  worker-2.2       rests
//! 01-05 00:00:44.638  worker-2.2    -> EVAL get-and-del
//! 01-05 00:00:44.969  worker-1.1    -> SET
//! 01-05 00:00:44.969  worker-1.1       leads
//! 01-05 00:00:50.647  worker-2.2    -> SET
//! 01-05 00:00:50.647  worker-2.2       leads
//! ";
//! assert!(violation.story.ends_with(last), "{report}");
//!
//! // The whole of that run, as often as it takes to understand it:
//! let told = Explore::new(&fleet).tell(violation.seed);
//! assert!(told.contains(last));
//!
//! // A lease that is longer than any turn holds, whoever is killed wherever.
//! Explore::new(&election(7_000)).seeds(1..=100).run().assert_held();
//! ```
//!
//! What the example uses is nearly all there is:
//!
//! - A container's closure is called for every boot, with the [`Ctx`] of a fresh process: its clock,
//!   `sleep`, `spawn`, `block` (for work that holds the event loop, in which no lease is renewed),
//!   `terminated` for SIGTERM, connections to Redis. Nothing of one life is left in the next but
//!   what is in Redis. An error ends the process with exit code 1, and Kubernetes' back-off follows.
//! - [`Ctx::redis`](sim::client::Client) has a method for each command, sent when it is called,
//!   awaited or not.
//! - [`Ctx::note`] says what a process is doing from then on; properties read notes and nothing else.
//!   [`always`](Fleet::always) is judged after each, [`eventually`](Fleet::eventually) in the calm
//!   tail in which nothing is killed, [`sometimes`](Fleet::sometimes) over all seeds. A property
//!   that was never put to the test is *vacuous*, and no pass: a misspelt note proves nothing.
//! - The future must be a function of what it is given: no real clock, no random numbers, no order
//!   of a hash map. Combinators and `tokio::sync` work; `tokio::select!` only with `biased;`. The
//!   first seed of every exploration is played twice, and the first event that differs is reported
//!   as nondeterminism.
//!
//! # A scenario file, from a test
//!
//! What a team runs on BullMQ is written down in a file (the README shows one), which says itself
//! what must hold. A test of it is three lines:
//!
//! ```
//! # fn main() -> Result<(), bootrace::load::Error> {
//! use bootrace::{Explore, Scenario};
//!
//! let scenario = Scenario::load("scenarios/free-tier-usage/window-id.toml")?;
//! Explore::new(&scenario).seeds(1..=10).run().assert_as_declared();
//! # Ok(())
//! # }
//! ```
//!
//! # A test for every scenario file
//!
//! A folder of them needs no code but this. In `Cargo.toml`:
//!
//! ```toml
//! [[test]]
//! name = "scenarios"
//! harness = false
//! ```
//!
//! and in `tests/scenarios.rs`:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     bootrace::testing::scenarios("scenarios", 1..=200)
//! }
//! ```
//!
//! Each file is a test of its own then, by its path, and `cargo test` can list and filter them; see
//! [`testing::scenarios`].
//!
//! # Where things are
//!
//! This is the impure half: files, threads, arguments, reports. What a run does is in [`sim`].

#![warn(clippy::unwrap_used)]

pub mod advise;
pub mod audit;
mod canary;
pub mod cli;
mod create;
pub mod determinism;
pub mod explore;
pub mod fleet;
mod init;
pub mod load;
pub mod pool;
pub mod report;
mod scenario;
pub mod search;
mod serve;
pub mod shrink;
pub mod soak;
#[cfg(feature = "proptest")]
pub mod strategies;
mod tape;
pub mod testing;

pub use bootrace_sim as sim;
pub use bootrace_sim::container::{Container, Fleet, Result};
pub use bootrace_sim::servers::Ctx;
pub use scenario::{Explorable, Explore, Scenario};
