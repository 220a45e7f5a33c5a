//! Advice: what each plan for a schedule is worth, by runs alone. Every plan meets every hazard of the
//! battery; the plans that fare best are paired; and each is rolled out over what the file says, and
//! back, with both alive over a tick.
//!
//! What is judged is the schedule's work: how often a tick's rows are all written, not how often a
//! processor is called. Nothing here knows a plan or a hazard by name, but the one that changes nothing.

use crate::audit::met;
use crate::pool::{Cut, Watch, work};
use bootrace_sim::battery::{Hazard, hazards};
use bootrace_sim::event::{Event, QueueEvent, QueueId, Sink, Stamp};
use bootrace_sim::oracle::Breach;
use bootrace_sim::plan::{CleanUp, Part, Plan, change, judged, name_of, planned, plans};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::{Measure, Relation, Scenario, Version};
use bootrace_sim::{Outcome, run};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many plans for start-up code are paired, each with so many for handlers.
const PAIRED: (usize, usize) = (4, 2);

/// What a plan can do to a schedule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// A tick's work is done more than once.
    More,
    /// A tick's work is not done, or nothing will do it any more.
    Less,
    /// More registrations are left than the start-up code makes.
    Orphan,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 3] = [Fault::More, Fault::Less, Fault::Orphan];

    /// In few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Fault::More => "done twice",
            Fault::Less => "lost",
            Fault::Orphan => "a registration left behind",
        }
    }
}

/// What one run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Came {
    met: bool,
    faults: BTreeSet<Fault>,
    boots: u64,
    /// Executions, rows, and the windows whose work was owed.
    did: (u64, u64, u64),
    endless: bool,
}

impl Came {
    /// Whether something went wrong.
    #[must_use]
    pub fn faulty(&self) -> bool {
        self.met && !self.faults.is_empty()
    }
}

/// In how many runs something went wrong, and in which of them with the fewest boots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bad {
    /// How many runs.
    pub runs: u64,
    /// How many processes began to run in the smallest.
    pub boots: u64,
    /// The seed of the smallest.
    pub seed: u64,
}

/// What the runs of one scenario came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// How many runs met what it is about.
    pub met: u64,
    /// What went wrong in them.
    pub faults: BTreeMap<Fault, Bad>,
    /// Executions, rows and owed windows of all runs.
    pub did: (u64, u64, u64),
    /// Runs that would not end.
    pub endless: u64,
}

impl Sum {
    fn add(&mut self, came: &Came, seed: u64) {
        self.endless += u64::from(came.endless);
        if !came.met {
            return;
        }
        self.met += 1;
        let (executions, rows, windows) = came.did;
        self.did = (self.did.0 + executions, self.did.1 + rows, self.did.2 + windows);
        for fault in &came.faults {
            let boots = came.boots;
            let bad = self.faults.entry(*fault).or_insert(Bad { runs: 0, boots, seed });
            bad.runs += 1;
            if boots < bad.boots {
                (bad.boots, bad.seed) = (boots, seed);
            }
        }
    }
}

/// A plan on one kind of bad day: what was seen, or why that day does not apply.
#[derive(Clone, Debug)]
pub struct Day {
    /// The hazard.
    pub hazard: &'static Hazard,
    /// What was seen.
    pub seen: Result<Sum, String>,
}

/// A plan rolled out, or rolled back.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Whether it is rolled back.
    pub back: bool,
    /// When what is left behind is removed.
    pub clean_up: CleanUp,
    /// What was seen, or why there is no such change.
    pub seen: Result<Sum, String>,
}

/// Plans that were tried together.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Which.
    pub plans: Vec<&'static Plan>,
    /// Why they do not apply, if they do not: the rest is empty then.
    pub why_not: Option<String>,
    /// What each day made of them.
    pub days: Vec<Day>,
    /// What rolling them out and back came to.
    pub changes: Vec<Changed>,
    /// What `repeat` of the queue has in it at the end of a day without a hazard.
    pub members: Vec<String>,
}

impl Tried {
    /// The days that were met.
    fn met(&self) -> impl Iterator<Item = &Sum> {
        let seen = self.days.iter().filter_map(|day| day.seen.as_ref().ok());
        seen.filter(|sum| sum.met > 0)
    }

    /// How many days were met, and on how many of them none of these faults was seen.
    #[must_use]
    pub fn holds(&self, faults: &[Fault]) -> (usize, usize) {
        let sound = |sum: &&Sum| !faults.iter().any(|fault| sum.faults.contains_key(fault));
        (self.met().filter(sound).count(), self.met().count())
    }

    /// How much is done, as a multiple of what is owed: rows, or executions of a job that writes none.
    #[must_use]
    pub fn times(&self, rows: u64) -> Option<f64> {
        let did = self.met().fold((0, 0), |sum, of| {
            let (executions, written, windows) = of.did;
            (sum.0 + if rows > 0 { written } else { executions }, sum.1 + windows)
        });
        let owed = did.1 * rows.max(1);
        (owed > 0).then(|| did.0 as f64 / owed as f64)
    }

    /// How they are called together.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(&self.plans)
    }
}

/// What an advice came to.
#[derive(Debug)]
pub struct Advice {
    /// Each plan, then the pairs.
    pub tried: Vec<Tried>,
    /// The rows that one execution writes.
    pub rows: u64,
    /// Why it is not all of it.
    pub cut: Option<Cut>,
}

/// Whose advice is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'s> {
    /// The scenario.
    pub scenario: &'s Scenario,
    /// Which of its schedules.
    pub schedule: usize,
    /// The version of the library, if not the one that each release says.
    pub version: Option<Version>,
    /// How many seeds, from 1.
    pub seeds: u64,
}

/// Tries every plan, and pairs of those that fare best, for as long as `watch` wants more.
pub fn advise(
    asked: Asked<'_>,
    such: impl Fn(&Hazard) -> bool,
    watch: &mut impl Watch<Came>,
) -> Advice {
    let alone: Vec<Vec<&'static Plan>> = plans().map(|plan| vec![plan]).collect();
    let (mut tried, mut cut) = tries(asked, &such, alone, watch);
    if cut.is_none() {
        let (pairs, stopped) = tries(asked, &such, pairs(&tried), watch);
        tried.extend(pairs);
        cut = stopped;
    }
    let rows = asked.scenario.rows_each(asked.schedule);
    Advice { tried, rows, cut }
}

/// How many runs there are at most, for who wants to know how far it is.
#[must_use]
pub fn runs_at_most(hazards: usize, seeds: u64) -> u64 {
    let pairs = PAIRED.0 * PAIRED.1;
    ((plans().count() + pairs) * (hazards + CHANGES.len())) as u64 * seeds
}

/// The plans for start-up code that lose least, each with the handlers that double least.
fn pairs(tried: &[Tried]) -> Vec<Vec<&'static Plan>> {
    let best = |part: Part, faults: &[Fault], most: usize| {
        let mut of: Vec<&Tried> = tried
            .iter()
            .filter(|tried| tried.plans[0].part == part && tried.why_not.is_none())
            .collect();
        let both = [Fault::More, Fault::Less];
        // Of equals the one that stands first.
        of.sort_by_key(|tried| std::cmp::Reverse((tried.holds(faults).0, tried.holds(&both).0)));
        of.into_iter().take(most).map(|tried| tried.plans[0]).collect::<Vec<_>>()
    };
    let handlers = best(Part::Handler, &[Fault::More, Fault::Less], PAIRED.1);
    let start_up = best(Part::StartUp, &[Fault::Less], PAIRED.0);
    let with = |first: &'static Plan| handlers.iter().map(move |second| vec![first, *second]);
    start_up.into_iter().flat_map(with).collect()
}

/// The ways in which a plan is rolled out and back.
const CHANGES: [(bool, CleanUp); 6] = [
    (false, CleanUp::Never),
    (false, CleanUp::Before),
    (false, CleanUp::After),
    (true, CleanUp::Never),
    (true, CleanUp::Before),
    (true, CleanUp::After),
];

/// Where the runs of a scenario are summed up.
#[derive(Clone, Copy)]
enum Place {
    Day(usize, usize),
    Change(usize, usize),
}

/// Tries some plans, each by itself.
fn tries(
    asked: Asked<'_>,
    such: &impl Fn(&Hazard) -> bool,
    of: Vec<Vec<&'static Plan>>,
    watch: &mut impl Watch<Came>,
) -> (Vec<Tried>, Option<Cut>) {
    let mut tried = Vec::new();
    let mut plays: Vec<(Place, Arc<Scenario>)> = Vec::new();
    for (number, plans) in of.into_iter().enumerate() {
        tried.push(prepared(asked, such, plans, number, &mut plays));
    }
    let seeds = usize::try_from(asked.seeds).unwrap_or(usize::MAX);
    let schedule = asked.schedule;
    let scenarios: Vec<_> = plays.iter().map(|(_, scenario)| scenario.clone()).collect();
    let task = move |number: usize| {
        play(&scenarios[number / seeds], schedule, (number % seeds) as u64 + 1)
    };
    let done = work(plays.len().saturating_mul(seeds), task, watch);
    for (number, came) in done.results.iter().enumerate() {
        let seen = match plays[number / seeds].0 {
            Place::Day(of, day) => &mut tried[of].days[day].seen,
            Place::Change(of, change) => &mut tried[of].changes[change].seen,
        };
        if let Ok(sum) = seen {
            sum.add(came, (number % seeds) as u64 + 1);
        }
    }
    (tried, done.cut)
}

/// A plan with nothing seen yet, and what is to be played for it.
fn prepared(
    asked: Asked<'_>,
    such: &impl Fn(&Hazard) -> bool,
    of: Vec<&'static Plan>,
    number: usize,
    plays: &mut Vec<(Place, Arc<Scenario>)>,
) -> Tried {
    let Asked { scenario, schedule, version, .. } = asked;
    let (days, changes, members) = (Vec::new(), Vec::new(), Vec::new());
    let mut tried = Tried { plans: of, why_not: None, days, changes, members };
    let carried_out = match planned(&tried.plans, scenario, schedule, version) {
        Ok(carried_out) => carried_out,
        Err(why) => {
            tried.why_not = Some(why);
            return tried;
        }
    };
    for hazard in hazards().filter(|hazard| such(hazard)) {
        let cell = hazard.of(&carried_out, schedule, None).map(|mut cell| {
            judged(&mut cell, schedule);
            plays.push((Place::Day(number, tried.days.len()), Arc::new(cell)));
            Sum::default()
        });
        tried.days.push(Day { hazard, seen: cell });
    }
    tried.members = members_of(&carried_out, schedule);
    let nothing: Vec<_> = plans().filter(|plan| plan.part == Part::Nothing).collect();
    let found = planned(&nothing, scenario, schedule, version);
    for (back, clean_up) in CHANGES {
        let made = found.clone().and_then(|found| {
            let (from, to) = if back { (&carried_out, &found) } else { (&found, &carried_out) };
            change(from, to, schedule, clean_up)
        });
        let seen = made.map(|made| {
            plays.push((Place::Change(number, tried.changes.len()), Arc::new(made)));
            Sum::default()
        });
        tried.changes.push(Changed { back, clean_up, seen });
    }
    tried
}

fn play(scenario: &Arc<Scenario>, schedule: usize, seed: u64) -> Came {
    let Outcome { verdict, out_of_steps, .. } =
        run(scenario, Box::new(Random::new(seed)), false, &mut ());
    let mut faults = BTreeSet::new();
    let mut windows = 0;
    for (expectation, judgement) in scenario.expectations.iter().zip(&verdict.judgements) {
        let property = expectation.property;
        let owed =
            property.measure == Measure::WorkPerWindow && property.relation == Relation::AtLeast;
        if owed {
            windows = judgement.judged;
        }
        let Some(broke) = judgement.broke.as_ref().filter(|_| !judgement.held) else { continue };
        match (property.measure, broke.what) {
            (Measure::WorkPerWindow, _) => {
                faults.insert(if owed { Fault::Less } else { Fault::More });
            }
            // Nothing will carry it on: the next tick is lost as well.
            (_, Breach::Registrations { live, exactly, .. }) if live < exactly => {
                faults.insert(Fault::Less);
            }
            // Beside another it does what a hazard is about; after a change it is what is left.
            (_, Breach::Registrations { live, exactly, dead, .. })
                if live > exactly || dead > 0 =>
            {
                faults.insert(Fault::Orphan);
            }
            _ => {}
        }
    }
    let did = verdict.figures.schedules[schedule];
    Came {
        met: met(scenario, &verdict),
        faults,
        boots: verdict.figures.boots,
        did: (did.executions, did.rows, windows),
        endless: out_of_steps,
    }
}

/// What is registered at the end of a day without a hazard.
fn members_of(scenario: &Scenario, schedule: usize) -> Vec<String> {
    let healthy = hazards().next().map(|hazard| hazard.of(scenario, schedule, None));
    let Some(Ok(healthy)) = healthy else { return Vec::new() };
    let queue = healthy.schedules[schedule].queue;
    let mut listed = Listed { queue, keys: BTreeSet::new() };
    run(&Arc::new(healthy), Box::new(Random::new(1)), false, &mut listed);
    listed.keys.into_iter().collect()
}

/// The registrations of a queue, as events tell of them.
struct Listed {
    queue: QueueId,
    keys: BTreeSet<String>,
}

impl Sink for Listed {
    fn event(&mut self, _: &Stamp, event: &Event) {
        let Event::Queue(queue, _, event) = event else { return };
        if *queue != self.queue {
            return;
        }
        match event {
            QueueEvent::Registered(written) => {
                self.keys.insert(written.key.0.to_string());
            }
            QueueEvent::Unregistered { key } => {
                self.keys.remove(&key.0.to_string());
            }
            _ => {}
        }
    }
}
