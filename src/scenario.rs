//! A scenario as a program has it: load it, explore it, hold it to what it declares.
//!
//! The format itself is the simulator's business, and the runs are [`crate::explore`]'s; nothing is
//! printed here.

use crate::explore::{self, Policies, explore_by};
use crate::load::{self, Loaded};
use crate::report::events::{Names, changes};
use crate::report::{Report, Verdict, diagnostic, text};
use bootrace_sim::event::{Event, Stamp};
use bootrace_sim::policy::Kind;
use bootrace_sim::scenario as format;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to simulate and what must hold, read from a file or a text.
#[derive(Debug)]
pub struct Scenario {
    loaded: Loaded,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// If the file cannot be read, is no regular file, is too large, is not UTF-8, or says
    /// something that is not a scenario. The error shows itself as the command line does.
    pub fn load(path: impl AsRef<Path>) -> Result<Scenario, load::Error> {
        load::load(path.as_ref()).map(Scenario::from)
    }

    /// Reads a scenario from a text.
    ///
    /// # Errors
    /// If the text says something that is not a scenario.
    pub fn parse(text: impl Into<String>) -> Result<Scenario, load::Error> {
        load::parse(PathBuf::from("scenario"), text.into()).map(Scenario::from)
    }

    /// The line that names its story.
    pub fn name(&self) -> &str {
        &self.loaded.scenario.name
    }

    /// The file that it was read from, as it was named; `scenario` if it was none.
    pub fn path(&self) -> &Path {
        &self.loaded.source.path
    }

    /// What it says, word by word.
    pub fn text(&self) -> &str {
        &self.loaded.source.text
    }

    /// What it means.
    pub fn meaning(&self) -> &Arc<format::Scenario> {
        &self.loaded.scenario
    }

    /// What is legal in it and probably wrong, as the command line shows it; empty if nothing is.
    pub fn warnings(&self) -> String {
        let Loaded { source, warnings, .. } = &self.loaded;
        diagnostic::render(source, warnings, false)
    }
}

impl Scenario {
    /// Those warnings that say that part of the file has no effect.
    pub(crate) fn without_effect(&self) -> String {
        let Loaded { source, warnings, .. } = &self.loaded;
        let without = warnings.iter().filter(|warning| warning.is_without_effect());
        let without: Vec<_> = without.cloned().collect();
        diagnostic::render(source, &without, false)
    }
}

impl From<Loaded> for Scenario {
    fn from(loaded: Loaded) -> Self {
        Scenario { loaded }
    }
}

/// What can be explored: a [`Scenario`], or a [`Fleet`](crate::Fleet) of containers in code.
pub trait Explorable {
    /// What its runs come to.
    type Report;

    /// Plays every seed of a range, the first one twice. What has only one run has it played for the
    /// first of them.
    ///
    /// # Panics
    /// If there is no seed in the range.
    fn explore(&self, policies: Policies, seeds: RangeInclusive<u64>) -> Self::Report;

    /// One seed told: a line for each thing that happened, in virtual time.
    fn tell(&self, policy: Kind, seed: u64) -> String;
}

/// Many runs of one scenario or fleet, each with the answers of another seed.
///
/// The seeds are played on all cores. Whatever the order in which they end, equal explorations
/// come to equal reports.
#[derive(Debug)]
pub struct Explore<'a, T> {
    what: &'a T,
    policies: Policies,
    seeds: RangeInclusive<u64>,
}

impl<'a, T: Explorable> Explore<'a, T> {
    /// An exploration of seeds 1 to 200 by the random policy.
    pub fn new(what: &'a T) -> Self {
        Explore { what, policies: Policies::RANDOM, seeds: 1..=200 }
    }

    /// Which policy draws the answers of all seeds.
    #[must_use]
    pub fn policy(mut self, policy: Kind) -> Self {
        self.policies = Policies::One(policy);
        self
    }

    /// Several policies play the seeds in turn: those of [`Kind::PORTFOLIO`]. What one never meets
    /// another meets at once, but a share of the seeds says nothing then.
    #[must_use]
    pub fn portfolio(mut self) -> Self {
        self.policies = Policies::Portfolio;
        self
    }

    /// Which seeds are played.
    #[must_use]
    pub fn seeds(mut self, seeds: RangeInclusive<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Plays them.
    ///
    /// # Panics
    /// If the range of seeds is empty.
    pub fn run(&self) -> T::Report {
        assert!(!self.seeds.is_empty(), "an exploration plays one seed at least");
        self.what.explore(self.policies, self.seeds.clone())
    }

    /// Plays one seed, whether or not it is among those of the exploration, and tells it: who did
    /// what, when.
    pub fn tell(&self, seed: u64) -> String {
        self.what.tell(self.policies.of(seed), seed)
    }
}

impl Explorable for Scenario {
    type Report = Report;

    fn explore(&self, policies: Policies, seeds: RangeInclusive<u64>) -> Report {
        let exploration = explore_by(self.meaning(), policies, seeds);
        Report::new(&self.path().display().to_string(), self.text(), self.meaning(), &exploration)
    }

    fn tell(&self, policy: Kind, seed: u64) -> String {
        let mut seen = Vec::new();
        let outcome = bootrace_sim::run(
            self.meaning(),
            explore::policy(self.meaning(), policy, seed),
            false,
            &mut seen,
        );
        told(&Names::new(self.meaning(), &outcome), &seen, changes)
    }
}

/// Events one a line, those that `tells` says.
pub(crate) fn told(
    names: &Names<'_>,
    seen: &[(Stamp, Event)],
    tells: impl Fn(&Event) -> bool,
) -> String {
    seen.iter()
        .filter(|(_, event)| tells(event))
        .map(|(stamp, event)| names.line(stamp, event) + "\n")
        .collect()
}

impl Report {
    /// Whether everything is as the scenario declares it. What shows nothing (vacuous,
    /// inconclusive) is not.
    ///
    /// # Errors
    /// The report as text, if anything is not.
    pub fn as_declared(&self) -> Result<(), String> {
        if self.verdict == Verdict::AsDeclared { Ok(()) } else { Err(text::run(self)) }
    }

    /// Does nothing if everything is as the scenario declares it: for tests.
    ///
    /// # Panics
    /// With the report as text, if anything is not.
    #[track_caller]
    pub fn assert_as_declared(&self) {
        if let Err(text) = self.as_declared() {
            panic!("{text}");
        }
    }
}
