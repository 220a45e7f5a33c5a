//! A fleet of containers in code, explored: its properties over many seeds, and one seed told.
//!
//! What a run does is the simulator's business; here are threads, sums and words.

use crate::determinism::{Difference, twice};
use crate::explore::Policies;
use crate::report::Verdict;
use crate::report::events::Names;
use crate::scenario::{Explorable, told};
use bootrace_sim::container::{Fleet, Played};
use bootrace_sim::event::{Event, Sink, Stamp};
use bootrace_sim::policy::Kind as Policy;
use bootrace_sim::property::{Finding, Kind, Place, Property};
use rayon::prelude::*;
use std::fmt;
use std::ops::RangeInclusive;

/// How many lines of the story before a violation are shown with it.
const LINES: usize = 15;

/// What the runs of a fleet came to. It shows itself as text, the verdict last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The fleet's name.
    pub fleet: String,
    /// The seeds that were played: first and last.
    pub seeds: (u64, u64),
    /// One for each property, in their order.
    pub properties: Vec<Judged>,
    /// Where the first seed's two runs differ, if they do: then no result counts.
    pub nondeterministic: Option<Difference>,
    /// The first seed whose run did not come to its end, if there is one.
    pub endless: Option<u64>,
}

/// One property over all seeds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// What it is called.
    pub name: String,
    /// When it must be so.
    pub kind: Kind,
    /// In how many runs it was not so, where it must be so in each.
    pub violated: u64,
    /// In how many runs it was put to the test; of a `Sometimes`, in how many it was so.
    pub met: u64,
    /// Of how many runs.
    pub of: u64,
    /// The first seed in which it is violated.
    pub violation: Option<Violation>,
}

/// A run that breaks a property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Its seed.
    pub seed: u64,
    /// Who broke it and when, in words; nothing, if what was to come never came.
    pub at: Option<String>,
    /// The life that broke it: `worker-2.1` is the first life of the second worker.
    pub who: Option<String>,
    /// What led to it: the last lines of the story up to there.
    pub story: String,
}

/// Whether a property holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It does, in every run.
    Held,
    /// It does not, in one run at least.
    Violated,
    /// It was never put to the test, or never seen: nothing is shown, which is not a pass.
    Vacuous,
}

impl Judged {
    /// Whether it holds.
    pub fn status(&self) -> Status {
        match (self.violated, self.met) {
            (1.., _) => Status::Violated,
            (0, 0) => Status::Vacuous,
            (0, _) => Status::Held,
        }
    }
}

impl Report {
    /// What is said about the property of that name.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn property(&self, name: &str) -> &Judged {
        let found = self.properties.iter().find(|judged| judged.name == name);
        found.unwrap_or_else(|| panic!("the fleet {} has no property {name:?}", self.fleet))
    }

    /// How it all ends: [`Verdict::AsDeclared`] if every property holds, and there is one.
    pub fn verdict(&self) -> Verdict {
        let any = |status| self.properties.iter().any(|judged| judged.status() == status);
        if self.nondeterministic.is_some() {
            Verdict::Nondeterministic
        } else if any(Status::Violated) {
            Verdict::NotAsDeclared
        } else if self.endless.is_some() {
            Verdict::Inconclusive
        } else if any(Status::Vacuous) || self.properties.is_empty() {
            Verdict::Vacuous
        } else {
            Verdict::AsDeclared
        }
    }

    /// Does nothing if every property holds: for tests.
    ///
    /// # Panics
    /// With the report as text, if one does not, or if it shows nothing.
    #[track_caller]
    pub fn assert_held(&self) {
        assert!(self.verdict() == Verdict::AsDeclared, "{self}");
    }
}

impl Explorable for Fleet {
    type Report = Report;

    fn explore(&self, policies: Policies, seeds: RangeInclusive<u64>) -> Report {
        let (first, last) = seeds.clone().into_inner();
        // Before all others: what a run leaves behind that it should not is seen by the next one.
        let (run, nondeterministic) = Run::play_twice(self, policies.of(first), first);
        let mut runs = vec![run];
        let others = seeds.into_par_iter().filter(|seed| *seed != first);
        runs.par_extend(others.map(|seed| Run::play(self, policies.of(seed), seed)));
        let judge = |(place, property)| judged(self, property, policies, place, &runs);
        Report {
            fleet: self.scenario().name.to_string(),
            seeds: (first, last),
            properties: self.properties().iter().enumerate().map(judge).collect(),
            nondeterministic,
            endless: runs.iter().find(|run| run.endless).map(|run| run.seed),
        }
    }

    fn tell(&self, policy: Policy, seed: u64) -> String {
        let (played, seen) = keep(self, policy, seed);
        told(&Names::new(self.scenario(), &played.outcome), &seen, tells)
    }
}

/// What is left of a run when it is over.
#[derive(PartialEq)]
struct Run {
    seed: u64,
    endless: bool,
    /// Of each property: whether it held, and whether it was put to the test.
    findings: Vec<(bool, bool)>,
}

impl Run {
    fn play(fleet: &Fleet, policy: Policy, seed: u64) -> Run {
        Run::new(seed, &Run::played(fleet, policy, seed, &mut ()))
    }

    /// Of the second time, and where it differs from the first.
    fn play_twice(fleet: &Fleet, policy: Policy, seed: u64) -> (Run, Option<Difference>) {
        let play = |sink: &mut dyn Sink| {
            let played = Run::played(fleet, policy, seed, sink);
            let run = Run::new(seed, &played);
            (played.outcome, run)
        };
        let (_, run, difference) = twice(fleet.scenario(), play);
        (run, difference)
    }

    fn played(fleet: &Fleet, policy: Policy, seed: u64, sink: &mut dyn Sink) -> Played {
        let _named = Named { fleet, policy, seed };
        fleet.play(policy.policy(seed), sink)
    }

    fn new(seed: u64, played: &Played) -> Run {
        let finding = |finding: &Finding| (finding.held, finding.judged > 0);
        let findings = played.findings.iter().map(finding).collect();
        Run { seed, endless: played.outcome.out_of_steps, findings }
    }
}

/// Says in which run a container's code panicked: the panic itself cannot know.
struct Named<'a> {
    fleet: &'a Fleet,
    policy: Policy,
    seed: u64,
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let name = &self.fleet.scenario().name;
            eprintln!("that was seed {}, {}, of the fleet {name:?}", self.seed, self.policy);
        }
    }
}

/// Plays a seed and keeps its events.
fn keep(fleet: &Fleet, policy: Policy, seed: u64) -> (Played, Vec<(Stamp, Event)>) {
    let _named = Named { fleet, policy, seed };
    let mut seen = Vec::new();
    (fleet.play(policy.policy(seed), &mut seen), seen)
}

fn judged(
    fleet: &Fleet,
    property: &Property,
    policies: Policies,
    place: usize,
    runs: &[Run],
) -> Judged {
    let count = |which: &dyn Fn(&(bool, bool)) -> bool| {
        runs.iter().filter(|run| which(&run.findings[place])).count() as u64
    };
    let once = property.kind() == Kind::Sometimes;
    let broke = runs.iter().find(|run| !once && !run.findings[place].0);
    Judged {
        name: property.name().to_owned(),
        kind: property.kind(),
        violated: if once { 0 } else { count(&|(held, _)| !held) },
        met: if once { count(&|(held, _)| *held) } else { count(&|(_, met)| *met) },
        of: runs.len() as u64,
        violation: broke.map(|run| violation(fleet, policies.of(run.seed), place, run.seed)),
    }
}

/// Plays a seed that breaks a property again, and tells what led to it.
fn violation(fleet: &Fleet, policy: Policy, property: usize, seed: u64) -> Violation {
    let (played, mut seen) = keep(fleet, policy, seed);
    let names = Names::new(fleet.scenario(), &played.outcome);
    let place = &played.findings[property].at;
    if let Some(Place { stamp, event }) = place {
        let so_far = seen.iter().position(|(other, what)| (other, what) == (stamp, event));
        seen.truncate(so_far.map_or(seen.len(), |last| last + 1));
    }
    let story = told(&names, &seen, tells);
    let from = story.lines().count().saturating_sub(LINES);
    Violation {
        seed,
        at: place.as_ref().map(|place| names.line(&place.stamp, &place.event)),
        who: place.as_ref().map(|place| names.life(place.stamp.life).to_owned()),
        story: story.lines().skip(from).map(|line| format!("{line}\n")).collect(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.seeds;
        writeln!(f, "{}\nseeds {first} to {last}\n", self.fleet)?;
        for judged in &self.properties {
            writeln!(f, "  {judged}")?;
        }
        let violations = self.properties.iter().filter_map(|judged| judged.violation.as_ref());
        if let Some(Violation { seed, story, .. }) = violations.min_by_key(|broke| broke.seed) {
            write!(f, "\nWhat led to it, in seed {seed}:\n{story}")?;
        }
        if let Some(difference) = &self.nondeterministic {
            writeln!(f, "\nSeed {first}, played twice: {difference}")?;
        }
        f.write_str(match self.verdict() {
            Verdict::AsDeclared => "\nHeld.",
            Verdict::NotAsDeclared => "\nVIOLATED.",
            Verdict::Vacuous => "\nVACUOUS: something was never put to the test, so nothing is shown.",
            Verdict::Nondeterministic => {
                "\nNONDETERMINISTIC: one seed played twice gave two runs; no result counts. \
                 Something in the containers' code reads a real clock, a random number or the order \
                 of a hash map, or is a `select!` without `biased`."
            }
            // A fleet has no answers of its own.
            Verdict::Diverged | Verdict::Inconclusive => "\nINCONCLUSIVE: a run did not come to its end.",
        })
    }
}

/// One line: the property, and what was found.
impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judged { name, violated, met, of, violation, .. } = self;
        let word = match self.status() {
            Status::Held => "ok",
            Status::Violated => "FAIL",
            Status::Vacuous => "vacuous",
        };
        let kind = match self.kind {
            Kind::Always => "always",
            Kind::Eventually => "eventually",
            Kind::Sometimes => "sometimes",
        };
        write!(f, "{word:<8}{:<44}", format!("{kind} {name}"))?;
        match violation {
            Some(Violation { seed, at: Some(at), .. }) => {
                write!(f, "violated in {violated}/{of}, first in seed {seed}: {}", one_line(at))
            }
            Some(Violation { seed, at: None, .. }) => {
                write!(f, "never so in {violated}/{of}, first in seed {seed}")
            }
            None if *met == 0 && self.kind == Kind::Sometimes => f.write_str("never seen"),
            None if *met == 0 => f.write_str("never put to the test"),
            None if self.kind == Kind::Sometimes => write!(f, "seen in {met}/{of}"),
            None => write!(f, "held in {of}, put to the test in {met}"),
        }
    }
}

/// Whether a person would ask about an event: what changed nothing is much and says little.
fn tells(event: &Event) -> bool {
    !matches!(
        event,
        Event::Command { changed: false, .. } | Event::Answered { .. } | Event::Closed { .. }
    )
}

/// A line of a story without its columns.
fn one_line(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
