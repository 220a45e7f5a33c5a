//! Rules about what may happen by chance: faults that can never come, or that do nothing.

use super::super::diagnostic::{Diagnostic, code};
use super::super::place::Part;
use super::super::{Change, Happens, PlannedEvent};
use super::Lint;
use crate::clock::Span;

impl Lint<'_, '_> {
    pub(super) fn faults(&self, found: &mut Vec<Diagnostic>) {
        let calm = self.scenario.length.nanos() - self.scenario.calm.nanos();
        for (number, event) in self.scenario.events.iter().enumerate() {
            let healed = is_healed(event);
            let late = event.at.least.nanos() >= calm && (healed || event.odds_of_2_32.is_some());
            let path = [Part::key("event"), Part::Index(number)];
            if late {
                let message = format!(
                    "the calm begins at {}, and from then on nothing of this kind happens",
                    Span::from_nanos(calm)
                );
                let problem = Diagnostic::warning(code::NO_FAULT, self.at(&path, &["at"]), message)
                    .help("an earlier `at`, or a shorter `calm`");
                found.push(problem);
            } else if let Some(key) = lasts_never(event) {
                let message = "what lasts for no time at all does nothing";
                let at = self.at(&path, &[key]);
                found.push(Diagnostic::warning(code::NO_FAULT, at, message));
            }
        }
        if self.scenario.faults.swarm && self.scenario.fault_classes().is_empty() {
            let message = "nothing happens by chance here, so there is nothing for `swarm` to draw";
            let at = self.at(&[Part::key("faults")], &["swarm"]);
            let help = "give an event `odds`, or `[faults]` a `kill`; or leave `swarm` out";
            found.push(Diagnostic::warning(code::NO_FAULT, at, message).help(help));
        }
    }
}

/// Whether the calm ends it, by chance or not.
fn is_healed(event: &PlannedEvent) -> bool {
    matches!(event.happens, Happens::To(_, Change::Partition(_) | Change::Delay { .. }))
}

/// The key of the length of something that never lasts.
fn lasts_never(event: &PlannedEvent) -> Option<&'static str> {
    let Happens::To(_, change) = event.happens else { return None };
    let (key, lasts) = match change {
        Change::Partition(lasts) => ("partition", lasts),
        Change::Delay { lasts, .. } => ("delay", lasts),
        _ => return None,
    };
    (lasts.most == Span::ZERO).then_some(key)
}
