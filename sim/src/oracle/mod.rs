//! Oracles: what must hold in a run, judged by its events.
//!
//! A [`Judge`] takes the events of one run as they happen and ends in a [`Verdict`]: one judgement
//! for each expectation, and figures. Oracles read nothing but events and what the [`Ledger`]
//! folds them into. They say what they found in values, never in sentences, and they refuse to
//! stop a run or to say whether a violation was declared: that is for whoever asked for it.

mod figures;
mod jobs;
mod ledger;
mod most;
mod owed;
#[cfg(test)]
mod recount;
mod registrations;
#[cfg(test)]
mod testing;
mod total;
mod windows;

pub use figures::{Figures, Work};
pub use jobs::{Job, Place};
pub use ledger::{Fact, Ledger};
pub use windows::Window;

use crate::clock::{Instant, Span};
use crate::event::{Event, Sink, Stamp};
use crate::scenario::{Property, Scenario};

/// A named property over events that holds or points at the event that broke it.
pub trait Oracle {
    /// What the property is called.
    fn name(&self) -> &'static str;

    /// Takes in one event. Commands and replies are not shown: they are many, and say nothing that
    /// a queue's own events do not say.
    fn observe(&mut self, seen: &Seen<'_>);

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
    /// What is known of the jobs after it.
    pub ledger: &'a Ledger,
}

/// What an oracle says about a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// Whether the property held. It does where nothing was judged.
    pub held: bool,
    /// How many windows or instants were judged; 0: its premise was never met.
    pub judged: u64,
    /// The worst measured value: the most firings or rows in a window, the fewest firings in a
    /// window that is owed one, the number of live registrations. None if nothing was judged.
    pub figure: Option<u64>,
    /// What broke it first.
    pub broke: Option<Broke>,
}

/// The event that broke a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broke {
    /// When it happened; for a window that stayed empty, its end; for a state that never was as it
    /// must be, the end of the run.
    pub at: Instant,
    /// The window in which it broke.
    pub window: Option<Window>,
    /// How.
    pub what: Breach,
}

/// How a property was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// Too many firings in one window.
    Firings {
        /// How many there were with this one.
        found: u64,
        /// How many there may be.
        most: u64,
    },
    /// Two firings of a period too close to each other.
    Apart {
        /// The time between their starts.
        apart: Span,
        /// The least that it may be.
        least: Span,
    },
    /// Too few firings in a window that is owed one.
    TooFew {
        /// How many there were.
        found: u64,
        /// How many there must be.
        least: u64,
    },
    /// Too many executions or rows in the measured part.
    InAll {
        /// How many there were with this one, or these.
        found: u64,
        /// How many there may be.
        most: u64,
    },
    /// Too many rows in one window.
    Rows {
        /// How many there were with these.
        found: u64,
        /// How many there may be.
        most: u64,
    },
    /// Registrations that do not stand as they must at the end of the run.
    Registrations {
        /// How many are live.
        live: u64,
        /// How many must be.
        exactly: u64,
        /// How many are listed without the iteration that carries them on.
        dead: u64,
        /// How many of the live ones have more than one iteration to come.
        crowded: u64,
    },
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
            oracles: expectations
                .map(|expectation| oracle(scenario, expectation.property))
                .collect(),
        }
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
    match property {
        Property::FiringsAtMost { schedule, most } => {
            Box::new(most::FiringsAtMost::new(scenario, schedule, most))
        }
        Property::FiringsAtLeast { schedule, least } => {
            Box::new(owed::FiringsAtLeast::new(scenario, schedule, least))
        }
        Property::RowsAtMost { schedule, most } => {
            Box::new(most::RowsAtMost::new(scenario, schedule, most))
        }
        Property::ExecutionsInAll { schedule, most } => {
            Box::new(total::InAll::executions(scenario, schedule, most))
        }
        Property::RowsInAll { schedule, most } => {
            Box::new(total::InAll::rows(scenario, schedule, most))
        }
        Property::LiveRegistrations { schedule, exactly } => {
            Box::new(registrations::LiveRegistrations::new(scenario, schedule, exactly))
        }
    }
}
