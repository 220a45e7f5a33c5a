//! What an oracle says about a run: values, never sentences, with enough in them to find the event
//! that broke a property and to tell its story.

use super::{Seen, Window};
use crate::choices::LifeId;
use crate::clock::{Instant, Span};
use crate::event::Event;

/// What an oracle says about a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// Whether the property held. It does where nothing was judged.
    pub held: bool,
    /// How often its premise was met: windows that fired, executions, firings that were owed,
    /// sightings, or 1 for a state that was looked at; 0: it says nothing about this run.
    pub judged: u64,
    /// The worst measured value, in the unit of the property: the most, the fewest or the longest;
    /// how often a probe saw what it looks for. None if nothing was judged.
    pub figure: Option<u64>,
    /// What broke it first.
    pub broke: Option<Broke>,
}

/// The event that broke a property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broke {
    /// When it happened; for a window that stayed empty, its end; for a state that never was as it
    /// must be, the end of the run.
    pub at: Instant,
    /// Whose event it was; the world's where it was none's.
    pub life: LifeId,
    /// The id of the job that it was about, if it was about one.
    pub job: Option<Box<str>>,
    /// The window in which it broke.
    pub window: Option<Window>,
    /// How.
    pub what: Breach,
}

/// How a property was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// More than the bound, in the unit of the property.
    Above {
        /// How much there was with this event.
        found: u64,
        /// How much there may be.
        most: u64,
    },
    /// Less than the bound.
    Below {
        /// How much there was.
        found: u64,
        /// How much there must be.
        least: u64,
    },
    /// Two firings of a period too close to each other.
    Apart {
        /// The time between their starts.
        apart: Span,
        /// The least that it may be.
        least: Span,
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
    /// A schedule that was not carried on as it must be for too long.
    Ill {
        /// For how long, up to its healing or the end of the run.
        lasted: Span,
        /// How long it may be.
        most: Span,
        /// What made it well again.
        healed: Healer,
    },
}

/// What makes a schedule well again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Healer {
    /// Nothing did.
    Nobody,
    /// Steps of a release: start-up code, or a timer of it.
    Steps,
    /// The library's worker, which goes on.
    Worker,
    /// A processor, in its job's steps.
    Processor,
    /// Steps that a person ran by hand.
    Person,
}

/// When something happened, to whom, and to which job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cause {
    pub(super) at: Instant,
    pub(super) life: LifeId,
    pub(super) job: Option<Box<str>>,
}

impl Cause {
    pub(super) fn of(seen: &Seen<'_>) -> Cause {
        let job = match seen.event {
            Event::Queue(_, _, event) => event.job(),
            Event::Rows { job, .. } => Some(job),
            _ => None,
        };
        let job = job.map(|job| job.0.to_string().into());
        Cause { at: seen.stamp.at, life: seen.stamp.life, job }
    }

    /// Not an event, but that time came to an instant.
    pub(super) fn time(at: Instant) -> Cause {
        Cause { at, life: LifeId::WORLD, job: None }
    }

    pub(super) fn breaks(self, window: Option<Window>, what: Breach) -> Broke {
        let Cause { at, life, job } = self;
        Broke { at, life, job, window, what }
    }
}

/// A bound from above: the worst value that was met, and the event that first went beyond.
#[derive(Debug)]
pub(super) struct Most {
    pub(super) most: u64,
    pub(super) worst: u64,
    pub(super) broke: Option<Broke>,
}

impl Most {
    pub(super) fn new(most: u64) -> Most {
        Most { most, worst: 0, broke: None }
    }

    /// Takes in a value and the event that made it.
    pub(super) fn see(&mut self, seen: &Seen<'_>, window: Option<Window>, found: u64) {
        self.value(window, found, || Cause::of(seen));
    }

    pub(super) fn value(
        &mut self,
        window: Option<Window>,
        found: u64,
        cause: impl FnOnce() -> Cause,
    ) {
        self.worst = self.worst.max(found);
        if found > self.most && self.broke.is_none() {
            let what = Breach::Above { found, most: self.most };
            self.broke = Some(cause().breaks(window, what));
        }
    }

    pub(super) fn judgement(&self, judged: u64) -> Judgement {
        Judgement {
            held: self.broke.is_none(),
            judged,
            figure: (judged > 0).then_some(self.worst),
            broke: self.broke.clone(),
        }
    }
}
