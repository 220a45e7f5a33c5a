//! Oracles: what must hold in a run, judged by its events.
//!
//! A [`Judge`] takes the events of one run as they happen and ends in a [`Verdict`]: one judgement
//! for each expectation, and figures. Oracles read nothing but events and what the [`Ledger`]
//! folds them into. They say what they found in values, never in sentences, and they refuse to
//! stop a run or to say whether a violation was declared: that is for whoever asked for it.

mod deploys;
mod executions;
mod figures;
mod heal;
mod jobs;
mod judgement;
mod lateness;
mod ledger;
mod length;
mod lives;
mod lost;
mod most;
mod order;
mod owed;
mod owners;
mod probes;
mod progress;
#[cfg(test)]
mod recount;
mod registrations;
#[cfg(test)]
mod testing;
mod total;
mod windows;
mod work;

pub use figures::{Figures, Work};
pub use jobs::{Job, Place, Vanished};
pub use judgement::{Breach, Broke, Healer, Judgement};
pub use ledger::{Fact, Ledger};
pub use lives::{Life, Lives};
pub(crate) use registrations::Registry;
pub use windows::Window;

use crate::clock::Instant;
use crate::event::{Event, QueueId, Rolling, Sink, Stamp, Stuck};
use crate::scenario::{Measure, Mode, Probe, Property, Relation, Scenario, Subject};
use std::fmt;

/// A property over events that holds or points at the event that broke it.
pub trait Oracle: fmt::Debug {
    /// Takes in one event. Commands and replies are not shown: they are many, and say nothing that
    /// a queue's own events do not say.
    fn observe(&mut self, seen: &Seen<'_>);

    /// What broke the property, if that is sure before the run ends.
    fn broke(&self) -> Option<&Broke> {
        None
    }

    /// Judges a run that ended at `end`, whatever its planned length was. Called once, last.
    fn finish(&mut self, end: Instant, ledger: &Ledger) -> Judgement;
}

/// One event, and what it amounts to.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When and to whom it happened.
    pub stamp: &'a Stamp,
    /// The event.
    pub event: &'a Event,
    /// What it means for a schedule.
    pub fact: Option<Fact>,
    /// What is known of the jobs, and of who lives, after it.
    pub ledger: &'a Ledger,
}

/// What is said about a run when it is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// One for each expectation of the scenario, in its order.
    pub judgements: Vec<Judgement>,
    /// What the run came to.
    pub figures: Figures,
}

/// Takes the events of one run, and judges it by its scenario's expectations.
pub struct Judge {
    ledger: Ledger,
    count: figures::Count,
    progress: progress::Progress,
    oracles: Vec<Box<dyn Oracle>>,
}

impl Judge {
    /// The judge of a run that is about to start.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Judge {
        let expectations = scenario.expectations.iter();
        Judge {
            ledger: Ledger::new(scenario),
            count: figures::Count::new(scenario),
            progress: progress::Progress::new(scenario),
            oracles: expectations
                .map(|expectation| oracle(scenario, expectation.property))
                .collect(),
        }
    }

    /// The expectations that are broken already, whatever comes, by their places in the scenario.
    /// Not all that break are among them: some properties are judged at the end alone.
    pub fn broken(&self) -> impl Iterator<Item = usize> {
        let oracles = self.oracles.iter().enumerate();
        oracles.filter(|(_, oracle)| oracle.broke().is_some()).map(|(place, _)| place)
    }

    /// Why a run that ends now has not got on in its calm, if it has not.
    #[must_use]
    pub fn stuck(&self, end: Instant) -> Option<Stuck> {
        self.progress.stuck(end, &self.ledger)
    }

    /// Whether a run in which nothing is due any more, and so many processes wait for something, is
    /// stuck, or has nothing left to do.
    #[must_use]
    pub fn deadlock(&self, waiting: u32) -> Option<Stuck> {
        self.progress.deadlock(waiting, &self.ledger)
    }

    /// Adds to a hash all that the judgements of the rest of the run hang on. Figures are not among it.
    pub(crate) fn recall(&self, into: &mut Rolling) {
        into.show(&self.ledger);
        into.show(&self.oracles);
    }

    /// The verdict on a run that ended at `end`. It is over: windows that end later are cut.
    #[must_use]
    pub fn finish(mut self, end: Instant) -> Verdict {
        let oracles = self.oracles.iter_mut();
        Verdict {
            judgements: oracles.map(|oracle| oracle.finish(end, &self.ledger)).collect(),
            figures: self.count.finish(end),
        }
    }

    fn observe(&mut self, stamp: &Stamp, event: &Event) {
        let fact = self.ledger.fold(stamp, event);
        self.count.event(stamp, event, fact, &self.ledger);
        self.progress.event(stamp, event, &self.ledger);
        let seen = Seen { stamp, event, fact, ledger: &self.ledger };
        for oracle in &mut self.oracles {
            oracle.observe(&seen);
        }
    }
}

impl Sink for Judge {
    #[inline]
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        match event {
            // Nearly all events are these.
            Event::Command { .. } => self.count.command(),
            Event::Answered { .. } => {}
            _ => self.observe(stamp, event),
        }
    }
}

fn oracle(scenario: &Scenario, property: Property) -> Box<dyn Oracle> {
    match (property.measure, property.subject) {
        (Measure::Seen(probe), subject) => probed(scenario, subject, probe),
        (_, Subject::Schedule(schedule)) => of_schedule(scenario, property, schedule),
        (_, Subject::Queue(queue)) => of_queue(scenario, property, probes::queue_id(queue)),
        (_, Subject::World) => unreachable!("only probes are about nothing in particular"),
    }
}

fn of_schedule(scenario: &Scenario, property: Property, of: usize) -> Box<dyn Oracle> {
    let Property { mode, relation, bound, .. } = property;
    match property.measure {
        Measure::FiringsPerWindow => match (relation, mode) {
            (Relation::AtLeast, Mode::Eventually) => {
                Box::new(owed::FiringsAtLeast::eventually(scenario, of, bound))
            }
            (Relation::AtLeast, _) => Box::new(owed::FiringsAtLeast::always(scenario, of, bound)),
            _ => Box::new(most::FiringsAtMost::new(scenario, of, bound)),
        },
        Measure::WorkPerWindow => match relation {
            Relation::AtLeast => Box::new(owed::FiringsAtLeast::of_work(scenario, of, bound)),
            _ => Box::new(most::WorkAtMost::new(scenario, of, bound)),
        },
        Measure::RowsPerWindow => Box::new(most::RowsAtMost::new(scenario, of, bound)),
        Measure::ExecutionsInAll => Box::new(total::InAll::executions(scenario, of, bound)),
        Measure::RowsInAll => Box::new(total::InAll::rows(scenario, of, bound)),
        Measure::ExecutionsPerFiring => {
            Box::new(executions::Executions::per_firing(scenario, of, bound))
        }
        Measure::Overlap => Box::new(executions::Executions::overlap(scenario, of, bound)),
        Measure::ExtraFiringsPerDeploy => Box::new(deploys::ExtraFirings::new(scenario, of, bound)),
        Measure::Lateness => Box::new(lateness::Lateness::new(scenario, of, bound)),
        Measure::LiveRegistrations => {
            Box::new(registrations::LiveRegistrations::new(scenario, of, bound))
        }
        Measure::TimeToHeal => Box::new(heal::TimeToHeal::new(scenario, of, bound)),
        Measure::QueueLength
        | Measure::KeptJobs
        | Measure::Overtaking
        | Measure::EndsByOldOwners
        | Measure::LostJobs
        | Measure::Seen(_) => unreachable!("the table gives it another subject"),
    }
}

fn of_queue(scenario: &Scenario, property: Property, queue: QueueId) -> Box<dyn Oracle> {
    let Property { mode, bound, .. } = property;
    match property.measure {
        Measure::LostJobs => Box::new(lost::LostJobs::new(queue, bound)),
        Measure::QueueLength => {
            let at_end = mode == Mode::Eventually;
            Box::new(length::QueueLength::new(scenario, queue, bound, at_end))
        }
        Measure::KeptJobs => Box::new(length::QueueLength::kept(scenario, queue, bound)),
        Measure::Overtaking => Box::new(order::Overtaking::new(scenario, queue, bound)),
        Measure::EndsByOldOwners => Box::new(owners::OldOwners::new(scenario, queue, bound)),
        _ => unreachable!("the table gives it another subject"),
    }
}

fn probed(scenario: &Scenario, subject: Subject, probe: Probe) -> Box<dyn Oracle> {
    match probe {
        Probe::TickInDeploy => Box::new(probes::TicksWithin::deploys(scenario, subject)),
        Probe::TickWithoutWorker => {
            Box::new(probes::TicksWithin::without_worker(scenario, subject))
        }
        _ => Box::new(probes::Sightings::new(scenario, subject, probe)),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Story, at_most, firings_at_least};
    use crate::scenario::Measure;

    #[test]
    fn the_judge_says_what_is_broken_before_the_run_ends() {
        let properties = [
            at_most(Measure::FiringsPerWindow, 1),
            at_most(Measure::Overlap, 1),
            firings_at_least(1),
            at_most(Measure::RowsInAll, 4),
        ];
        let broken = |story: &Story| story.judged(&properties).broken().collect::<Vec<_>>();
        let mut story = Story::hourly();
        story.at(0).worker_up().at(1).job("a", None).rows("a", 4).done("a");
        assert_eq!(broken(&story), [0_usize; 0]);
        story.at(2).job("b", None);
        assert_eq!(broken(&story), [0]);
        story.at(3).job("c", None).rows("c", 1);
        assert_eq!(broken(&story), [0, 1, 3], "an empty window is sure at the end alone");
        let held: Vec<bool> =
            story.verdict(&properties).judgements.iter().map(|judgement| judgement.held).collect();
        assert_eq!(held, [false; 4]);
    }
}
