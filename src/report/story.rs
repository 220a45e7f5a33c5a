//! The story of a failure: in at most a dozen lines, who did what, what it changed in the queue, which
//! line broke the expectation, and the cause as a sentence made of facts.
//!
//! All of it is read off the events of one run. It says nothing that no event says: where the facts
//! do not make a cause, there is none.

mod cause;
mod jobs;
mod select;

use super::events::{Names, changes, clock};
use crate::explore;
use bootrace_sim::event::{Event, FaultClass, Level, Sink, Stamp};
use bootrace_sim::oracle::Broke;
use bootrace_sim::policy::Kind;
use bootrace_sim::scenario::{Property, Scenario};
use jobs::{Job, index};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::Arc;

/// The most lines of a story, its gaps among them.
const LINES: usize = 10;

/// How one expectation was broken in one run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Story {
    /// The seed of the run.
    pub seed: u64,
    /// The place of the expectation among the scenario's, from 0.
    pub expectation: usize,
    /// What happened, in the order of virtual time.
    pub lines: Vec<Line>,
    /// Why, in facts; null if the events do not say.
    pub cause: Option<String>,
    /// How bad each class of faults was in this run; left out if the seed does not draw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swarm: Option<String>,
}

/// One line of a story.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Line {
    /// The virtual time, UTC; empty for a gap.
    pub at: String,
    /// Who did it: a container's life, or the world.
    pub who: String,
    /// What was done, and what it changed.
    pub what: String,
    /// Whether it is the event that broke the expectation.
    pub broke: bool,
}

/// Keeps what changes something; commands and their replies are too many, and tell nothing more.
struct Telling(Vec<(Stamp, Event)>);

impl Sink for Telling {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        if changes(event) {
            self.0.push((*stamp, event.clone()));
        }
    }
}

/// What a story is told from.
struct Run<'a> {
    scenario: &'a Scenario,
    names: Names<'a>,
    events: Vec<(Stamp, Event)>,
    jobs: Vec<Job>,
    property: Property,
    broke: Broke,
}

/// Plays a seed again and tells how it broke an expectation; none if it does not.
pub fn tell(
    scenario: &Arc<Scenario>,
    policy: Kind,
    seed: u64,
    expectation: usize,
) -> Option<Story> {
    let mut telling = Telling(Vec::new());
    let outcome =
        bootrace_sim::run(scenario, explore::policy(scenario, policy, seed), false, &mut telling);
    let broke = outcome.verdict.judgements.get(expectation)?.broke.clone()?;
    let run = Run {
        scenario,
        names: Names::new(scenario, &outcome),
        jobs: index(&telling.0),
        events: telling.0,
        property: scenario.expectations.get(expectation)?.property,
        broke,
    };
    let (mut chosen, cause) = run.select();
    let all: Vec<usize> = (0..run.events.len()).collect();
    // With a job to know it by, the event that broke it is one of the run's.
    chosen.extend(run.broke.job.as_ref().and_then(|_| run.breaking(&all)));
    let lines = run.lines(chosen);
    let told = !lines.is_empty() || cause.is_some();
    told.then(|| Story { seed, expectation, lines, cause, swarm: swarm(&outcome.swarm) })
}

/// How bad each class of faults was, in a line.
fn swarm(levels: &[(FaultClass, Level)]) -> Option<String> {
    let each = levels.iter().map(|(class, level)| format!("{} {}", class.word(), level.word()));
    (!levels.is_empty()).then(|| each.collect::<Vec<_>>().join(", "))
}

impl Run<'_> {
    /// The chosen events as lines, in their order; where there are too many, the middle is a gap.
    fn lines(&self, mut chosen: Vec<usize>) -> Vec<Line> {
        chosen.sort_unstable();
        chosen.dedup();
        let broke = self.breaking(&chosen);
        let mut lines: Vec<Line> = Vec::new();
        let (head, tail) = match chosen.len() {
            n if n <= LINES => (n, 0),
            n => {
                // The breaking line stays, wherever it is.
                let at = broke.map_or(0, |broke| chosen.partition_point(|one| *one < broke));
                let head = (at + 1).clamp(LINES / 2, LINES - 2);
                (head, (LINES - 1 - head).min(n - head))
            }
        };
        let gap = chosen.len() - head - tail;
        for (number, event) in chosen.iter().enumerate() {
            if number == head && gap > 0 {
                let what = format!("... {gap} more lines like these");
                lines.push(Line { at: String::new(), who: String::new(), what, broke: false });
            }
            if number < head || number >= head + gap {
                lines.push(self.line(*event, broke == Some(*event)));
            }
        }
        lines
    }

    /// The event among the chosen ones that broke the expectation.
    fn breaking(&self, chosen: &[usize]) -> Option<usize> {
        let here = |event: &&usize| {
            let (stamp, event) = &self.events[**event];
            let job = match event {
                Event::Queue(_, _, event) => event.job(),
                Event::Rows { job, .. } => Some(job),
                _ => None,
            };
            let same = match (&self.broke.job, job) {
                (Some(broke), Some(job)) => **broke == *job.0.to_string(),
                (None, _) => true,
                (Some(_), None) => false,
            };
            stamp.at == self.broke.at && stamp.life == self.broke.life && same
        };
        chosen.iter().rfind(here).copied()
    }

    fn line(&self, event: usize, broke: bool) -> Line {
        let (stamp, what) = &self.events[event];
        let who = self.names.life(stamp.life).to_owned();
        Line { at: clock(stamp.at), who, what: self.what(what), broke }
    }
}

impl Story {
    /// The story as text, two spaces in.
    pub fn render(&self, of: &str) -> String {
        let mut text = format!("  What happened (seed {}; {of})\n", self.seed);
        for Line { at, who, what, broke } in &self.lines {
            let mark = if *broke { '>' } else { ' ' };
            let line = format!("  {mark} {at:<18}  {who:<12}  {what}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        if let Some(swarm) = &self.swarm {
            let _ = writeln!(text, "  Swarm: {swarm}.");
        }
        if let Some(cause) = &self.cause {
            let _ = writeln!(text, "  Cause: {cause}.");
        }
        text
    }
}

#[cfg(test)]
mod tests;
