//! The checks that faults of the simulator are noticed by.

use crate::kill::{self, Story};
use bootrace::explore::{Exploration, play};
use bootrace::report::{Report, Verdict};
use bootrace::sim::choices::{Label, LifeId, Site};
use bootrace::sim::clock::Instant;
use bootrace::sim::event::{Event, JobState, QueueEvent, Rolling, Sink, Stamp};
use bootrace::sim::mutants::{Mutant, hits, plant};
use bootrace::sim::policy::Random;
use bootrace::sim::run;
use bootrace::sim::scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher as _;
use std::sync::Arc;

/// A check that notices a fault of the simulator.
pub(crate) struct Check {
    pub(crate) mutant: Mutant,
    /// What it looks at.
    pub(crate) what: &'static str,
    /// Whether something is wrong with the runs of the seeds from 1 to this one.
    notices: fn(u64) -> bool,
}

/// One for each fault of the simulator that no expectation can notice.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        mutant: Mutant::X1,
        what: "coverage: three containers at one instant go in all six orders within 64 seeds",
        notices: |seeds| seeds >= 64 && orders(seeds) < 6,
    },
    Check {
        mutant: Mutant::X2,
        what: "nothing happens to a life after it ended",
        notices: |seeds| (1..=seeds).any(haunted),
    },
    Check {
        mutant: Mutant::X3,
        what: "replay: one container more moves no answer of another",
        notices: |seeds| (1..=seeds).any(moves_others),
    },
    Check {
        mutant: Mutant::X4,
        what: "a clock is off by what the scenario says, and no more",
        notices: |seeds| (1..=seeds).any(off_beyond_its_step),
    },
    Check {
        mutant: Mutant::X7,
        what: "an expectation that no run meets makes the report vacuous",
        notices: |seeds| vacuous(seeds),
    },
    Check {
        mutant: Mutant::X10,
        what: "events that differ in what they say have different hashes",
        notices: |_| hash(1) == hash(2),
    },
];

/// Within how many seeds a check has to notice its fault.
const MOST: u64 = 64;

impl Check {
    /// Within how many seeds it notices its fault, and how often that was met.
    ///
    /// # Errors
    /// What is wrong: it does not notice, or it notices where there is no fault.
    pub(crate) fn noticed(&self) -> Result<(u64, u64), String> {
        plant(None);
        if (self.notices)(MOST) {
            return Err("noticed without it, too".to_owned());
        }
        let found = (1..=MOST).find_map(|seeds| {
            plant(Some(self.mutant));
            let notices = (self.notices)(seeds);
            let hits = hits();
            plant(None);
            notices.then_some((seeds, hits))
        });
        match found {
            Some((_, 0)) => Err("noticed although it was never met".to_owned()),
            found => found.ok_or_else(|| format!("not noticed within {MOST} seeds")),
        }
    }
}

fn parsed(text: &str) -> Arc<Scenario> {
    let scenario = bootrace::Scenario::parse(text).unwrap_or_else(|error| panic!("{error}"));
    scenario.meaning().clone()
}

fn seen(scenario: &Arc<Scenario>, seed: u64) -> Vec<(Stamp, Event)> {
    let mut seen = Vec::new();
    run(scenario, Box::new(Random::new(seed)), false, &mut seen);
    seen
}

const TIED: &str = r#"
format = 1
name   = "three at one instant"
length = "1m"

[network]
round_trip = "1ms"

[schedule.report]
every = "1h"
queue = "work"
job   = "report"

[queue.work]

[job.report]
steps = [ { sleep = "1s" } ]

[release.adds]
library = "bullmq@6.7.0"
steps   = [ { add = "report", queue = "work" } ]

[service.web]
release  = "adds"
replicas = 3
boot     = "1s"

[[expect]]
eventually = "queue length"
at_most    = 0
"#;

/// In how many orders three containers that boot at one instant add their jobs.
fn orders(seeds: u64) -> usize {
    let scenario = parsed(TIED);
    let order = |seed| -> Vec<LifeId> {
        let added = |(stamp, event): (Stamp, Event)| match event {
            Event::Queue(_, _, QueueEvent::Added(_)) => Some(stamp.life),
            _ => None,
        };
        seen(&scenario, seed).into_iter().filter_map(added).collect()
    };
    (1..=seeds).map(order).collect::<BTreeSet<_>>().len()
}

/// Sees what a process does although it has ended.
#[derive(Default)]
pub(crate) struct Dead {
    ended: BTreeSet<LifeId>,
    pub(crate) haunts: Option<(Stamp, Event)>,
}

impl Sink for Dead {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        // What it had sent arrives all the same, and what that does is its own.
        let by_itself = match event {
            Event::Command { .. } | Event::Closed { .. } | Event::Rows { .. } => false,
            Event::Queue(_, _, event) => matches!(
                event,
                QueueEvent::WorkerUp | QueueEvent::Started { .. } | QueueEvent::Ended { .. }
            ),
            _ => true,
        };
        if by_itself && self.ended.contains(&stamp.life) {
            self.haunts.get_or_insert((*stamp, event.clone()));
        }
        if matches!(event, Event::Exited { .. } | Event::Killed) {
            self.ended.insert(stamp.life);
        }
    }
}

/// What a process does in a run although it has ended.
pub(crate) fn of_the_dead(scenario: &Arc<Scenario>, seed: u64) -> Option<(Stamp, Event)> {
    let mut dead = Dead::default();
    run(scenario, Box::new(Random::new(seed)), false, &mut dead);
    dead.haunts
}

fn made(file: &str) -> Arc<Scenario> {
    let Story { scenario, .. } = kill::stories(file, "").remove(0);
    scenario
}

fn haunted(seed: u64) -> bool {
    of_the_dead(&made("tests/mutants/dies-in-an-upsert.toml"), seed).is_some()
}

/// Everything that the containers of one service answered, by who asked what.
fn answers(scenario: &Arc<Scenario>, seed: u64) -> BTreeMap<(String, u8), Vec<u16>> {
    let outcome = run(scenario, Box::new(Random::new(seed)), true, &mut ());
    let mut answers = BTreeMap::new();
    for choice in outcome.tape.choices {
        let who = &outcome.lives[choice.question.life.0 as usize];
        // Where two are due at one instant another container is, too.
        if &*who.service == "web" && choice.question.site != Site::Tie {
            let key = (who.to_string(), choice.question.site as u8);
            answers.entry(key).or_insert_with(Vec::new).push(choice.answer);
        }
    }
    answers
}

fn moves_others(seed: u64) -> bool {
    let alone =
        TIED.replace("boot     = \"1s\"", "boot     = \"1s..5s\"").replace("1ms", "1ms..3ms");
    let other = "\n[service.a]\nrelease = \"adds\"\nreplicas = 1\nboot = \"1s..5s\"\n";
    answers(&parsed(&alone), seed) != answers(&parsed(&format!("{alone}{other}")), seed)
}

/// A job that is due a minute after it was added, by a clock that is 90 s behind.
const STEPPED: &str = r#"
format = 1
name   = "a clock that steps"
length = "2m"

[schedule.report]
every = "1h"
queue = "work"
job   = "report"

[queue.work]

[job.report]
steps = [ { sleep = "1s" } ]

[release.adds]
library = "bullmq@6.7.0"
steps   = [ { sleep = "20s" }, { add = "report", queue = "work", delay = "1m" } ]

[service.web]
release  = "adds"
replicas = 1
boot     = "1s"

[[event]]
at      = "10s"
service = "web"
clock   = "-90s"

[[expect]]
eventually = "queue length"
at_most    = 0
"#;

fn off_beyond_its_step(seed: u64) -> bool {
    let added = |(stamp, event): (Stamp, Event)| match event {
        Event::Queue(_, _, QueueEvent::Added(added)) => match added.state {
            JobState::Delayed(due) => Some(due.ms() - stamp.at.ms()),
            _ => None,
        },
        _ => None,
    };
    let ahead = seen(&parsed(STEPPED), seed).into_iter().find_map(added);
    // What the message takes on its way is the rest.
    ahead.is_none_or(|ahead| !(-30_100..=-30_000).contains(&ahead))
}

fn vacuous(seeds: u64) -> bool {
    let text = std::fs::read_to_string(crate::support::root().join("tests/mutants/two-jobs.toml"));
    let text = text.expect("it is there");
    let scenario = parsed(&text);
    let played = (1..=seeds).map(|seed| play(&scenario, seed)).collect();
    let exploration = Exploration { played, nondeterministic: None };
    Report::new("two-jobs.toml", &text, &scenario, &exploration).verdict == Verdict::Vacuous
}

/// The hash of an event that says a number.
fn hash(number: u16) -> u64 {
    let stamp = Stamp { at: Instant::from_ms(0), life: LifeId(1) };
    let mut hash = Rolling::default();
    hash.roll(&stamp, &Event::Answered { label: Label(number) });
    hash.finish()
}
