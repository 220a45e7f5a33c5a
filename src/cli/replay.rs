//! `replay`: one run played to its end and told: a seed's, or the one that a tape repeats. It judges
//! nothing.

use super::alerts::Ship;
use super::cell::Cell;
use super::soak::Part;
use super::{Exit, json, load_all, tell, write};
use crate::explore::{self, Policies};
use crate::load::Loaded;
use crate::report::events::{Names, changes};
use crate::report::trace;
use crate::scenario::told;
use crate::search::bounded;
use crate::tape;
use bootrace_sim::choices::Policy;
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{Event, Sink, Stamp};
use bootrace_sim::policy::Replay;
use bootrace_sim::scenario::{Scenario, span_range};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which run, and in which form it is printed.
#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// Which seed; a file that has answers has one run, whatever the seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which policy draws the seed's answers: random, pct, pct:DEPTH, starvation, portfolio
    #[arg(long, default_value = "random", value_parser = super::policies)]
    policy: Policies,
    /// The run of a tape instead of a seed's
    #[arg(long, conflicts_with_all = ["seed", "policy"])]
    tape: Option<PathBuf>,
    /// Print every event, not only what changed something
    #[arg(long)]
    events: bool,
    /// Print Chrome trace-event JSON, which ui.perfetto.dev opens, instead of text
    #[arg(long, conflicts_with = "events")]
    trace: bool,
    /// Print the run's tape, which --tape plays again, instead of text
    #[arg(long, conflicts_with_all = ["events", "trace"])]
    record: bool,
    /// Tell only what happens between two lengths of time after the start: 13h..14h
    #[arg(long, value_name = "FROM..TO", value_parser = part, conflicts_with_all = ["trace", "record"])]
    part: Option<(Span, Span)>,
    #[command(flatten)]
    ship: Ship,
    #[command(flatten)]
    cell: Cell,
    #[command(flatten)]
    soak: Part,
}

fn part(text: &str) -> Result<(Span, Span), String> {
    let part = span_range(text).filter(|(from, to)| from < to);
    part.ok_or_else(|| "a part of a run is written 13h..14h".to_owned())
}

/// What is told of a run, as it happens: one of days has more events than anybody wants to keep.
struct Kept {
    part: Option<(Instant, Instant)>,
    all: bool,
    seen: Vec<(Stamp, Event)>,
}

impl Kept {
    fn new(scenario: &Scenario, how: &How) -> Kept {
        let at = |(from, to): (Span, Span)| (scenario.start + from, scenario.start + to);
        Kept { part: how.part.map(at), all: how.events || how.trace, seen: Vec::new() }
    }
}

impl Sink for Kept {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        let within = self.part.is_none_or(|(from, to)| from <= stamp.at && stamp.at < to);
        if within && (self.all || changes(event)) {
            self.seen.push((*stamp, event.clone()));
        }
    }
}

pub(super) fn replay(file: &Path, how: &How) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let [Loaded { scenario: own, source, .. }] = &loaded[..] else { return Exit::BadInput };
    let own = &match how.cell.of(own).and_then(|scenario| how.soak.of(scenario)) {
        Ok(scenario) => how.ship.of(&scenario),
        Err(exit) => return exit,
    };
    let (policy, searched) = match policy(own, how) {
        Ok(policy) => policy,
        Err(exit) => return exit,
    };
    // The tape of a search is of the scenario as that was searched.
    let scenario = &searched.map_or_else(|| own.clone(), |kills| Arc::new(bounded(own, kills)));
    let mut kept = Kept::new(scenario, how);
    let outcome = bootrace_sim::run(scenario, policy, how.record, &mut kept);
    let seen = kept.seen;
    if let Some(place) = &outcome.diverged {
        let what = match how.tape {
            Some(_) => "the tape does not apply to this run",
            None => "not all answers of the file apply any more",
        };
        tell(&format!("error: {what}: {place}\n"));
        return Exit::Diverged;
    }
    let names = Names::new(scenario, &outcome);
    let printed = if how.record {
        tape::text(own, searched, &outcome.tape)
    } else if how.trace {
        json(&trace::trace(&names, scenario.start, &seen))
    } else {
        let mut text = told(&names, &seen, |_| true);
        let run = match &how.tape {
            Some(tape) => format!("tape {}", tape.display()),
            None if scenario.answers.is_some() => "the one run".to_owned(),
            None if how.policy.is_random() => format!("seed {}", how.seed),
            None => format!("seed {}, {},", how.seed, how.policy.of(how.seed)),
        };
        let _ = writeln!(text, "{run} of {}: hash {:016x}", source.path.display(), outcome.hash);
        text
    };
    write(&printed).unwrap_or(if outcome.out_of_steps {
        Exit::Inconclusive
    } else {
        Exit::AsDeclared
    })
}

/// What answers the questions of the run; of a search, with how many kills that was.
fn policy(scenario: &Scenario, how: &How) -> Result<(Box<dyn Policy>, Option<u32>), Exit> {
    let Some(path) = &how.tape else {
        return Ok((explore::policy(scenario, how.policy.of(how.seed), how.seed), None));
    };
    let (tape, searched) = tape::load(path, scenario).map_err(|error| {
        let path = path.display();
        match error {
            tape::Error::Io(error) => {
                tell(&format!("error: cannot read {path}: {error}\n"));
                Exit::BadInput
            }
            tape::Error::NoTape(why) => {
                tell(&format!("error: {path} is no tape: {why}\n"));
                Exit::Diverged
            }
            tape::Error::Other(why) => {
                tell(&format!("error: the tape {path} does not apply: {why}\n"));
                Exit::Diverged
            }
        }
    })?;
    Ok((Box::new(Replay::new(tape)), searched))
}
