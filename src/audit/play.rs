//! One run of a cell: what it did wrong, and what made it well again.

use bootrace_sim::alert::noticed;
use bootrace_sim::choices::LifeId;
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{Event, QueueEvent, QueueId, Sink, Stamp};
use bootrace_sim::oracle::{Breach, Broke, Healer, Judgement, Verdict};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::{Expectation, Harm, Measure, Mode, Relation, Scenario};
use bootrace_sim::{Outcome, run};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one run came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Played {
    pub(super) harms: Vec<Harm>,
    /// Whether all that the hazard needs was met, and something was judged.
    pub(super) met: bool,
    /// What made the schedule well again; none if nothing went wrong, or if the run does not tell.
    pub(super) healed: Option<Healed>,
    pub(super) executions: u64,
    pub(super) rows: u64,
    /// Whether it would not end.
    pub(super) endless: bool,
    /// The alerts that rang; none if the scenario has none.
    pub(super) rang: Option<Vec<String>>,
    /// What it said when it panicked.
    pub(super) bug: Option<String>,
}

impl Played {
    pub(super) fn bug(message: String) -> Played {
        Played { bug: Some(message), ..Played::default() }
    }

    /// What went wrong, the gravest last.
    #[must_use]
    pub fn harms(&self) -> &[Harm] {
        &self.harms
    }

    /// Whether something went wrong.
    #[must_use]
    pub fn harmed(&self) -> bool {
        !self.harms.is_empty()
    }
}

/// What made a schedule well again, and after how long: from what broke it to then.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Healed {
    /// What did.
    pub by: Heals,
    /// How long it took; where nobody did, the rest of the run.
    pub after: Span,
}

/// What makes a schedule well again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Heals {
    /// Nothing has to: what ran too often is over, and the schedule goes on.
    Itself,
    /// A worker that was there all the time, as soon as it could.
    Worker,
    /// A processor, in its job's steps.
    Processor,
    /// The library's check for stalled jobs, which puts the job of a dead worker back.
    Recovery,
    /// The tick after it.
    NextTick,
    /// Start-up code of a container that boots, or the worker of one.
    NextBoot,
    /// A person.
    Person,
    /// Nobody, within the run.
    Nobody,
}

impl Heals {
    /// It, in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Heals::Itself => "itself",
            Heals::Worker => "a worker",
            Heals::Processor => "a processor",
            Heals::Recovery => "stalled recovery",
            Heals::NextTick => "the next tick",
            Heals::NextBoot => "the next boot",
            Heals::Person => "a person",
            Heals::Nobody => "nobody",
        }
    }
}

/// Plays the scenario of a cell on a seed, and judges one of its schedules.
///
/// # Panics
/// If there is no such schedule, or if the run does.
#[must_use]
pub fn play(scenario: &Arc<Scenario>, schedule: usize, seed: u64) -> Played {
    let mut witness = Witness::new(scenario.schedules[schedule].queue);
    let Outcome { verdict, out_of_steps, rang, .. } =
        run(scenario, Box::new(Random::new(seed)), false, &mut witness);
    let names = || noticed(scenario, &rang).into_iter().map(str::to_owned).collect();
    let judged = Judged { scenario, schedule, verdict: &verdict };
    let harms = judged.harms();
    let work = verdict.figures.schedules[schedule];
    Played {
        met: judged.met(),
        healed: judged.healed(&harms, &witness),
        harms,
        executions: work.executions,
        rows: work.rows,
        endless: out_of_steps,
        rang: (!scenario.alerts.is_empty()).then(names),
        bug: None,
    }
}

/// Sees who may have healed something: lives that boot, and jobs of a queue that are found stalled.
struct Witness {
    queue: QueueId,
    booted: BTreeMap<LifeId, Instant>,
    stalled: Vec<Instant>,
}

impl Witness {
    fn new(queue: QueueId) -> Witness {
        Witness { queue, booted: BTreeMap::new(), stalled: Vec::new() }
    }

    fn stalled_between(&self, from: Instant, to: Instant) -> bool {
        self.stalled.iter().any(|at| (from..=to).contains(at))
    }
}

impl Sink for Witness {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        match event {
            Event::Booted { .. } => {
                self.booted.insert(stamp.life, stamp.at);
            }
            Event::Queue(queue, _, QueueEvent::Stalled { .. }) if *queue == self.queue => {
                self.stalled.push(stamp.at);
            }
            _ => {}
        }
    }
}

/// Whether windows were judged in a run, and all that its scenario's hazard is about happened.
pub(crate) fn met(scenario: &Scenario, verdict: &Verdict) -> bool {
    Judged { scenario, schedule: 0, verdict }.met()
}

/// The judgements of a run.
struct Judged<'a> {
    scenario: &'a Scenario,
    schedule: usize,
    verdict: &'a Verdict,
}

impl Judged<'_> {
    fn each(&self) -> impl Iterator<Item = (&Expectation, &Judgement)> {
        self.scenario.expectations.iter().zip(&self.verdict.judgements)
    }

    /// What is judged of a measure, and what broke it.
    fn of(&self, measure: Measure) -> Option<&Judgement> {
        let mut of = self.each().filter(|(expected, _)| expected.property.measure == measure);
        of.next().map(|(_, judgement)| judgement)
    }

    fn broke(&self, measure: Measure) -> Option<&Broke> {
        self.of(measure)?.broke.as_ref()
    }

    fn met(&self) -> bool {
        let windows = self.of(Measure::FiringsPerWindow).is_some_and(|one| one.judged > 0);
        let owed = self.each().filter(|(one, _)| one.property.relation == Relation::AtLeast);
        let owed = owed.map(|(_, judgement)| judgement.judged).sum::<u64>() > 0;
        let mut premises = self.each().filter(|(one, _)| one.property.mode == Mode::Sometimes);
        (windows || owed) && premises.all(|(_, judgement)| judgement.figure > Some(0))
    }

    /// What the run did wrong, in order.
    fn harms(&self) -> Vec<Harm> {
        let broken = self.each().filter(|(_, judgement)| !judgement.held);
        let mut harms: Vec<Harm> = broken
            .filter_map(|(expectation, judgement)| {
                let property = expectation.property;
                let broke = judgement.broke.as_ref()?;
                match (property.measure, property.relation) {
                    (Measure::FiringsPerWindow, Relation::AtLeast) => Some(Harm::Lost),
                    (Measure::FiringsPerWindow, _) => Some(twice(broke)),
                    (Measure::Overlap, _) => Some(Harm::AtOnce),
                    (Measure::Lateness, _) => Some(Harm::Late),
                    (Measure::LostJobs, _) => Some(Harm::LostJob),
                    (Measure::LiveRegistrations, _) => Some(registrations(broke)),
                    _ => None,
                }
            })
            .collect();
        harms.sort_unstable();
        harms.dedup();
        harms
    }

    /// What made it well again, and after how long.
    fn healed(&self, harms: &[Harm], witness: &Witness) -> Option<Healed> {
        let end = self.scenario.start + self.scenario.length;
        let nobody = |from: Instant| Healed { by: Heals::Nobody, after: end.since(from) };
        harms.first()?;
        // As it stands at the end of the run.
        if let Some(broke) = self.broke(Measure::LiveRegistrations) {
            return Some(nobody(broke.at));
        }
        let ill = self.ill(witness);
        if harms.contains(&Harm::Lost) {
            let window = self.lost()?;
            let over = |(from, healed): &(Instant, Healed)| {
                (*from..=*from + healed.after).contains(&window.0)
            };
            if let Some((_, healed)) = ill.filter(over) {
                return Some(healed);
            }
            // That another tick will come is known of what is registered.
            self.of(Measure::LiveRegistrations).filter(|standing| standing.judged > 0)?;
            return Some(Healed { by: Heals::NextTick, after: window.1.since(window.0) });
        }
        let late = harms.contains(&Harm::Late).then(|| self.late(witness)).flatten();
        let slowest = ill.map(|(_, healed)| healed).into_iter().chain(late);
        if let Some(slowest) = slowest.max_by_key(|healed| healed.after) {
            return Some(slowest);
        }
        match (harms, self.broke(Measure::LostJobs)) {
            ([Harm::LostJob], Some(broke)) => Some(nobody(broke.at)),
            _ => Some(Healed { by: Heals::Itself, after: Span::ZERO }),
        }
    }

    /// The window that was owed a firing and had none.
    fn lost(&self) -> Option<(Instant, Instant)> {
        let mut broken = self.each().filter(|(expectation, judgement)| {
            let property = expectation.property;
            let windows = property.measure == Measure::FiringsPerWindow;
            windows && property.relation == Relation::AtLeast && !judgement.held
        });
        broken.next()?.1.broke.as_ref()?.window
    }

    /// Since when the schedule was not carried on, and what healed that.
    fn ill(&self, witness: &Witness) -> Option<(Instant, Healed)> {
        let broke = self.broke(Measure::TimeToHeal)?;
        let Breach::Ill { lasted, healed, .. } = broke.what else { return None };
        let from = broke.at.max(self.scenario.start + self.scenario.measure.0);
        let to = from + lasted;
        let by = match healed {
            Healer::Nobody => Heals::Nobody,
            Healer::Steps => Heals::NextBoot,
            Healer::Worker if witness.stalled_between(from, to) => Heals::Recovery,
            Healer::Worker if self.ticks_between(from, to) => Heals::NextTick,
            Healer::Worker => Heals::Worker,
            Healer::Processor => Heals::Processor,
            Healer::Person => Heals::Person,
        };
        Some((from, Healed { by, after: lasted }))
    }

    fn ticks_between(&self, from: Instant, to: Instant) -> bool {
        let ticks = self.scenario.schedules[self.schedule].recurrence.ticks();
        ticks.after(from.ms()).is_some_and(|tick| tick <= to.ms())
    }

    /// What made up for a tick whose job was late, and how late that was.
    fn late(&self, witness: &Witness) -> Option<Healed> {
        let judgement = self.of(Measure::Lateness)?;
        let broke = judgement.broke.as_ref()?;
        let tick = broke.window?.0;
        let after = Span::from_nanos(i64::try_from(judgement.figure?).ok()?);
        let booted = witness.booted.get(&broke.life).is_some_and(|at| *at > tick);
        let by = if witness.stalled_between(tick, broke.at) {
            Heals::Recovery
        } else if booted {
            Heals::NextBoot
        } else {
            Heals::Worker
        };
        Some(Healed { by, after })
    }
}

/// A firing too many: of a tick, or of none. An iteration's id says that it is one, in both APIs.
fn twice(broke: &Broke) -> Harm {
    let iteration = broke.job.as_ref().is_some_and(|id| id.starts_with("repeat:"));
    if iteration { Harm::Twice } else { Harm::Extra }
}

fn registrations(broke: &Broke) -> Harm {
    match broke.what {
        // Nothing will come any more; whether something is listed decides who notices.
        Breach::Registrations { live: 0, dead: 0, .. } => Harm::Gone,
        Breach::Registrations { live: 0, .. } => Harm::Dead,
        _ => Harm::Orphan,
    }
}
