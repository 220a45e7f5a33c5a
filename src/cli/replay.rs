//! `replay`: one seed played to its end and told. It judges nothing.

use super::{Exit, json, load_all, write};
use crate::load::Loaded;
use crate::report::events::Names;
use crate::report::trace;
use bootrace_sim::event::{Event, Stamp, StepResult};
use bootrace_sim::policy::Random;
use std::fmt::Write as _;
use std::path::Path;

pub(super) fn replay(file: &Path, seed: u64, all: bool, as_trace: bool) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let [Loaded { scenario, source, .. }] = &loaded[..] else { return Exit::BadInput };
    let path = &source.path;
    let mut seen: Vec<(Stamp, Event)> = Vec::new();
    let outcome = bootrace_sim::run(scenario, Box::new(Random::new(seed)), false, &mut seen);
    let names = Names::new(scenario, &outcome);
    let mut printed = if as_trace {
        json(&trace::trace(&names, scenario.start, &seen))
    } else {
        seen.retain(|(_, event)| all || tells(event));
        seen.iter().map(|(stamp, event)| names.line(stamp, event) + "\n").collect()
    };
    if !as_trace {
        let _ = writeln!(printed, "seed {seed} of {}: hash {:016x}", path.display(), outcome.hash);
    }
    write(&printed).unwrap_or(if outcome.out_of_steps {
        Exit::Inconclusive
    } else {
        Exit::AsDeclared
    })
}

/// Whether an event changes something that a person would ask about.
fn tells(event: &Event) -> bool {
    !matches!(
        event,
        Event::Command { .. }
            | Event::Answered { .. }
            | Event::Closed { .. }
            | Event::StepEnded(_, StepResult::Done)
    )
}
