//! What may happen by chance: whether an event that has odds happens, how bad each class of faults is
//! in a run, and how long what has begun may last. It draws nothing but through the run's choices.

use super::draw;
use crate::choices::{Label, LifeId, Odds, Site};
use crate::clock::{Instant, Span};
use crate::event::{Event, FaultClass, Level, Plan};
use crate::kernel::Kernel;
use crate::scenario::{Range, Scenario, Signed};
use crate::servers::{FIRST_DRAW, Servers};
use std::collections::BTreeMap;

/// How much likelier a wild class of faults is.
const WILD: u64 = 4;

/// What chance has left to the run so far.
#[derive(Debug)]
pub(super) struct Chance {
    /// How bad each class is; empty if that is as the scenario says.
    levels: BTreeMap<FaultClass, Level>,
    /// Of each event: when it comes, and whether it does, once that is known.
    events: Vec<(Instant, Option<bool>)>,
    /// When nothing fails any more.
    calm: Option<Instant>,
}

impl Chance {
    /// Asks how bad each class is, if the scenario leaves that open.
    pub(super) fn new(scenario: &Scenario, kernel: &mut Kernel<Servers>) -> Self {
        let mut levels = BTreeMap::new();
        let classes = scenario.fault_classes();
        for class in classes.into_iter().filter(|_| scenario.faults.swarm) {
            let bound = Level::ALL.len() as u32;
            let label = label_of(scenario, class);
            let mut choices = kernel.choices();
            let answer = choices.ask(LifeId::WORLD, Site::Fault, label, bound, Odds::Even);
            drop(choices);
            let level = Level::ALL[answer as usize];
            kernel.emit(LifeId::WORLD, Event::Plan(Plan::Swarm { class, level }));
            levels.insert(class, level);
        }
        let end = kernel.now() + scenario.length;
        let calm = (scenario.calm > Span::ZERO).then(|| end - scenario.calm);
        Chance { levels, events: Vec::new(), calm }
    }

    pub(super) fn swarm(&self) -> Vec<(FaultClass, Level)> {
        self.levels.iter().map(|(class, level)| (*class, *level)).collect()
    }

    /// Takes in when the next event of the scenario comes.
    pub(super) fn plan(&mut self, at: Instant) {
        self.events.push((at, None));
    }

    /// The odds of what is of a class, as they are in this run; none if it does not happen.
    pub(super) fn odds(&self, class: FaultClass, of_2_32: u64) -> Option<u64> {
        match self.levels.get(&class) {
            None | Some(Level::Mild) => Some(of_2_32),
            Some(Level::Wild) => Some(of_2_32.saturating_mul(WILD).min(1 << 32)),
            Some(Level::Off) => None,
        }
    }

    /// Whether an event happens: asked once, when it begins. None happens by chance in the calm.
    pub(super) fn happens(
        &mut self,
        kernel: &mut Kernel<Servers>,
        scenario: &Scenario,
        event: usize,
    ) -> bool {
        let planned = &scenario.events[event];
        let Some(of_2_32) = planned.odds_of_2_32 else { return true };
        let (at, known) = self.events[event];
        if let Some(known) = known {
            return known;
        }
        let odds = self.odds(planned.happens.class(), of_2_32);
        let happens = match odds {
            Some(of_2_32) if self.calm.is_none_or(|calm| at < calm) => {
                // The word of its instant is the word for the event.
                let label = Label(FIRST_DRAW + planned.at.draw);
                let odds = Odds::Fault { of_2_32 };
                kernel.choices().ask(LifeId::WORLD, Site::Fault, label, 2, odds) == 1
            }
            _ => false,
        };
        self.events[event].1 = Some(happens);
        happens
    }

    /// Draws how long what an event does lasts. What has come by chance is over when the calm begins.
    pub(super) fn lasts(
        &self,
        kernel: &mut Kernel<Servers>,
        scenario: &Scenario,
        (event, life): (usize, LifeId),
        range: &Range,
    ) -> Span {
        let span = draw(kernel, life, range);
        match scenario.events[event].odds_of_2_32 {
            Some(_) => self.heals(kernel.now(), span),
            None => span,
        }
    }

    /// How long what lasts until the calm at most may last.
    pub(super) fn heals(&self, now: Instant, span: Span) -> Span {
        self.calm.map_or(span, |calm| span.min(calm.since(now)))
    }
}

/// The label of the question how bad a class is: after those of all draws.
fn label_of(scenario: &Scenario, class: FaultClass) -> Label {
    let place = FaultClass::ALL.iter().position(|of| *of == class).expect("it is one of all");
    let last = usize::from(FIRST_DRAW) + scenario.draws.len() + place;
    Label(u16::try_from(last).expect("the parser bounds draws"))
}

/// The words for those questions, if they are asked.
pub(crate) fn labels(scenario: &Scenario) -> impl Iterator<Item = &'static str> {
    let swarm = scenario.faults.swarm;
    FaultClass::ALL.into_iter().filter(move |_| swarm).map(FaultClass::word)
}

/// A number out of a range about zero; 0 if there is none.
pub(super) fn draw_signed(
    kernel: &mut Kernel<Servers>,
    life: LifeId,
    range: Option<Signed>,
) -> i64 {
    let Some(Signed { least, most, draw }) = range else { return 0 };
    kernel.draw_signed(life, Label(FIRST_DRAW + draw), least, most)
}
