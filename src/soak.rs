//! Soaks played: hour by hour, what each schedule's jobs did and what was meant.
//!
//! A run of thirty days has millions of events, and none is kept: a watcher adds up what is done in
//! each hour, and of many seeds the least and the most of each hour is kept. Work counts for the hour of
//! the tick before it, for as long as an hour after that: what a tick at two minutes to ten sets off is
//! no work of the hour from ten.

use crate::pool::{ALL_CORES, Cut, Watch, fold};
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{Event, Plan, Sink, Stamp};
use bootrace_sim::oracle::{Fact, Ledger};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::Scenario;
use bootrace_sim::soak::up;
use bootrace_sim::ticks::Ticks;
use bootrace_sim::{Outcome, run};
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

/// An hour.
pub const HOUR: Span = Span::from_secs(3600);

/// From how many times what is meant on an hour is like an incident.
pub const RED: f64 = 2.0;

/// What is done in an hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// Executions of the schedule's jobs.
    pub executions: u64,
    /// Rows that they write.
    pub rows: u64,
}

/// What is meant to be done in an hour: once for each tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Meant {
    /// How many executions at least. A tick before the fleet is up, or in the last hour of the run, may
    /// be missed or cut.
    pub least: u64,
    /// How many at most.
    pub most: u64,
}

/// How an hour differs from what is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Differs {
    /// More was done.
    More,
    /// Less was done.
    Less,
    /// Many times as much was done ([`RED`]).
    Red,
}

/// What came of an hour in all runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Hour {
    /// What is meant.
    pub meant: Meant,
    /// The least work of a run.
    pub least: Work,
    /// The most work of a run.
    pub most: Work,
    /// The most containers that began to run in it.
    pub boots: u64,
    /// In how many runs a rollout began in it.
    pub deploys: u64,
    /// In how many runs it differs.
    pub differs: u64,
    /// The gravest difference, how much was done then as a multiple of what is meant, and the first
    /// seed that shows it.
    pub worst: Option<(Differs, f64, u64)>,
}

/// The hours of a schedule.
#[derive(Clone, PartialEq, Debug)]
pub struct Hours {
    /// Rows of one execution.
    pub rows_each: u64,
    /// From the start of the run.
    pub hours: Vec<Hour>,
}

/// What came of all runs.
#[derive(Debug)]
pub struct Soaked {
    /// One for each schedule of the scenario.
    pub schedules: Vec<Hours>,
    /// How many runs there were.
    pub runs: u64,
    /// Runs that would not end.
    pub endless: u64,
    /// Why it is not all of them.
    pub cut: Option<Cut>,
}

impl Hours {
    /// How an hour of a run differs from what is meant, and how much was done.
    fn judge(&self, hour: usize, work: Work) -> Option<(Differs, f64)> {
        let (meant, each) = (self.hours[hour].meant, self.rows_each);
        let more = work.executions > meant.most || work.rows > meant.most * each;
        let less = work.executions < meant.least || work.rows < meant.least * each;
        let times = times(work, meant.most, each);
        match (more, less) {
            (true, _) if times >= RED => Some((Differs::Red, times)),
            (_, true) => Some((Differs::Less, times)),
            (true, _) => Some((Differs::More, times)),
            _ => None,
        }
    }

    fn take(&mut self, seed: u64, played: &[Done]) {
        for (number, done) in played.iter().enumerate() {
            let found = self.judge(number, done.work);
            let hour = &mut self.hours[number];
            hour.least.executions = hour.least.executions.min(done.work.executions);
            hour.least.rows = hour.least.rows.min(done.work.rows);
            hour.most.executions = hour.most.executions.max(done.work.executions);
            hour.most.rows = hour.most.rows.max(done.work.rows);
            hour.boots = hour.boots.max(done.boots);
            hour.deploys += u64::from(done.deploys > 0);
            let Some((differs, times)) = found else { continue };
            hour.differs += 1;
            let graver = |(known, by, _): (Differs, f64, u64)| {
                differs > known || (differs == known && times > by)
            };
            if hour.worst.is_none_or(graver) {
                hour.worst = Some((differs, times, seed));
            }
        }
    }
}

/// How much was done, as a multiple of what is meant: of rows, or of executions where none are written.
/// Where nothing is meant, as a multiple of one execution.
#[must_use]
pub fn times(work: Work, meant: u64, rows_each: u64) -> f64 {
    let meant = meant.max(1);
    match rows_each {
        0 => work.executions as f64 / meant as f64,
        each => work.rows as f64 / (meant * each) as f64,
    }
}

/// What was done in an hour of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Done {
    work: Work,
    boots: u64,
    deploys: u64,
}

/// What one run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    /// For each schedule, by hour.
    schedules: Vec<Vec<Done>>,
    endless: bool,
    /// In how many of the hours something differs.
    differs: u64,
}

impl Played {
    /// In how many hours of how many schedules something differs.
    #[must_use]
    pub fn differs(&self) -> u64 {
        self.differs
    }
}

/// Plays a scenario that is soaked, on seeds by the random policy, for as long as `watch` wants more.
pub fn soak(
    scenario: &Arc<Scenario>,
    seeds: RangeInclusive<u64>,
    watch: &mut impl Watch<Played>,
) -> Soaked {
    let mut schedules: Vec<Hours> =
        (0..scenario.schedules.len()).map(|schedule| meant(scenario, schedule)).collect();
    let (first, last) = seeds.into_inner();
    let tasks = usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1);
    let (of, hours) = (scenario.clone(), schedules.clone());
    let task = move |number: usize| play(&of, &hours, first + number as u64);
    let (mut runs, mut endless) = (0, 0);
    let cut = fold(ALL_CORES, tasks, task, watch, |played: Played| {
        for (hours, done) in schedules.iter_mut().zip(&played.schedules) {
            hours.take(first + runs, done);
        }
        runs += 1;
        endless += u64::from(played.endless);
        ControlFlow::Continue(())
    });
    Soaked { schedules, runs, endless, cut }
}

/// What is meant in each hour.
fn meant(scenario: &Scenario, schedule: usize) -> Hours {
    let (start, end) = (scenario.start, scenario.start + scenario.length);
    let (up, cut) = (start + up(scenario), end - HOUR);
    let count = usize::try_from(scenario.length.nanos() / HOUR.nanos()).unwrap_or(0);
    let mut hours = vec![Meant::default(); count];
    let ticks = scenario.schedules[schedule].recurrence.ticks();
    let mut at = start.ms() - 1;
    while let Some(next) = ticks.after(at).filter(|next| *next < end.ms()) {
        at = next;
        let tick = Instant::from_ms(next);
        let Some(hour) = hours.get_mut(number(start, tick)) else { continue };
        hour.most += 1;
        hour.least += u64::from(up < tick && tick <= cut);
    }
    let none = Work { executions: u64::MAX, rows: u64::MAX };
    let hour = |meant: Meant| Hour {
        meant,
        least: none,
        most: Work::default(),
        boots: 0,
        deploys: 0,
        differs: 0,
        worst: None,
    };
    let hours = hours.into_iter().map(hour).collect();
    Hours { rows_each: scenario.rows_each(schedule), hours }
}

/// Which hour of the run an instant lies in.
fn number(start: Instant, at: Instant) -> usize {
    usize::try_from(at.since(start).nanos() / HOUR.nanos()).unwrap_or(usize::MAX)
}

fn play(scenario: &Arc<Scenario>, hours: &[Hours], seed: u64) -> Played {
    let mut sums = Sums::new(scenario, hours);
    let Outcome { out_of_steps, .. } = run(scenario, Box::new(Random::new(seed)), false, &mut sums);
    let schedules = sums.schedules;
    let differs = hours.iter().zip(&schedules).map(|(hours, done)| {
        let found = |(number, done): &(usize, &Done)| hours.judge(*number, done.work).is_some();
        done.iter().enumerate().filter(found).count() as u64
    });
    Played { differs: differs.sum(), schedules, endless: out_of_steps }
}

/// Adds up what is done, hour by hour.
struct Sums {
    start: Instant,
    ledger: Ledger,
    ticks: Vec<Ticks>,
    /// The tick that was the last for the work of each schedule, and the next: events come in order.
    window: Vec<(i64, i64)>,
    schedules: Vec<Vec<Done>>,
}

impl Sums {
    fn new(scenario: &Scenario, hours: &[Hours]) -> Sums {
        let ticks = scenario.schedules.iter().map(|schedule| schedule.recurrence.ticks());
        Sums {
            start: scenario.start,
            ledger: Ledger::new(scenario),
            ticks: ticks.collect(),
            window: vec![(0, 0); hours.len()],
            schedules: hours.iter().map(|of| vec![Done::default(); of.hours.len()]).collect(),
        }
    }

    /// Where work of a schedule at an instant counts.
    fn of(&mut self, schedule: usize, at: Instant) -> Option<&mut Done> {
        let window = &mut self.window[schedule];
        if !(window.0..window.1).contains(&at.ms()) {
            let ticks = &self.ticks[schedule];
            let last = ticks.at_or_before(at.ms()).unwrap_or(i64::MIN / 2);
            *window = (last, ticks.after(at.ms()).unwrap_or(i64::MAX));
        }
        let tick = Instant::from_ms(window.0);
        let counts = self.start <= tick && at < tick + HOUR;
        let hour = number(self.start, if counts { tick } else { at });
        self.schedules[schedule].get_mut(hour)
    }

    /// Something of the whole fleet. It counts where what it leads to does.
    fn all(&mut self, at: Instant, add: impl Fn(&mut Done)) {
        for schedule in 0..self.schedules.len() {
            if let Some(done) = self.of(schedule, at) {
                add(done);
            }
        }
    }
}

impl Sink for Sums {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        match event {
            // Nearly all events are these, and the ledger has no use for them.
            Event::Command { .. } | Event::Answered { .. } => return,
            Event::Booted { .. } => self.all(stamp.at, |done| done.boots += 1),
            Event::Plan(Plan::Deploy { .. }) => self.all(stamp.at, |done| done.deploys += 1),
            _ => {}
        }
        match self.ledger.fold(stamp, event) {
            Some(Fact::Execution { schedule, .. }) => {
                if let Some(done) = self.of(schedule, stamp.at) {
                    done.work.executions += 1;
                }
            }
            Some(Fact::Rows { schedule, rows }) => {
                if let Some(done) = self.of(schedule, stamp.at) {
                    done.work.rows += rows;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::parse;
    use bootrace_sim::soak::Soak;
    use std::path::PathBuf;

    /// A schedule at a minute of each hour, three containers that run a job at once when they boot if
    /// `bootstrap`, and a job of two minutes.
    fn soaked(minute: u32, bootstrap: bool, every: Option<Span>) -> Arc<Scenario> {
        let bootstrap = match bootstrap {
            true => r#"{ add = "report", queue = "reports" },"#,
            false => "",
        };
        let text = format!(
            r#"
format = 1
name   = "a report an hour"
start  = 2026-01-05T00:30:00Z
length = "3h"

[schedule.report]
pattern = "{minute} * * * *"
queue   = "reports"
job     = "report"

[queue.reports]
default_job_options = {{ remove_on_complete = true }}

[job.report]
steps = [ {{ sleep = "2m" }}, {{ write = {{ rows = 50, takes = "1s" }} }} ]

[release.v1]
library = "bullmq@5.34.10"
steps = [
  {{ upsert_job_scheduler = "report", queue = "reports", repeat = {{ pattern = "{minute} * * * *" }} }},
  {bootstrap}
  {{ worker = "reports" }},
]

[service.worker]
release  = "v1"
replicas = 3
boot     = "1s..5s"
termination_grace_period = "5m"

[[expect]]
always  = "executions in all"
at_most = 9
"#
        );
        let loaded = parse(PathBuf::from("report.toml"), text);
        let own = loaded.unwrap_or_else(|error| panic!("{error}")).scenario;
        let soak = Soak { length: Span::from_secs(12 * 3600), every, faults: false };
        Arc::new(soak.of(&own).expect("it can be soaked"))
    }

    #[test]
    fn a_healthy_fleet_does_what_is_meant_in_every_hour() {
        // At two minutes to the hour of the run, its job ends in the next one.
        for minute in [28, 30, 45] {
            let scenario = soaked(minute, false, Some(Span::from_secs(4 * 3600)));
            let soaked = soak(&scenario, 1..=2, &mut ());
            assert_eq!((soaked.runs, soaked.endless, &soaked.cut), (2, 0, &None));
            let [report] = &soaked.schedules[..] else { panic!("there is one") };
            assert_eq!((report.hours.len(), report.rows_each), (12, 50));
            let deploys: u64 = report.hours.iter().map(|hour| hour.deploys).sum();
            assert_eq!(deploys, 6, "three in each of two runs");
            for (number, hour) in report.hours.iter().enumerate() {
                assert_eq!((hour.differs, hour.worst), (0, None), "hour {number}: {hour:?}");
                // One comes before anybody is up; that of others has no whole hour at the end.
                let least = u64::from(number != if minute == 30 { 0 } else { 11 });
                assert_eq!(hour.meant, Meant { least, most: 1 }, "hour {number}");
            }
            let whole = &report.hours[5];
            assert_eq!(whole.least, Work { executions: 1, rows: 50 });
            assert_eq!(whole.most, whole.least);
        }
    }

    #[test]
    fn a_bootstrap_is_in_the_hours_of_boots_and_in_no_other() {
        let scenario = soaked(45, true, Some(Span::from_secs(6 * 3600)));
        let soaked = soak(&scenario, 3..=4, &mut ());
        for pair in soaked.schedules[0].hours.windows(2) {
            if pair.iter().all(|hour| hour.boots == 0) {
                assert_eq!(pair[1].worst, None, "{pair:?}");
            }
        }
        let first = &soaked.schedules[0].hours[0];
        // Each of three boots, and the tick.
        assert!(first.boots >= 3 && first.most.executions >= 4, "{first:?}");
        assert!(first.differs == 2 && matches!(first.worst, Some((Differs::Red, ..))), "{first:?}");
        let deploys: u64 = soaked.schedules[0].hours.iter().map(|hour| hour.deploys).sum();
        assert_eq!(deploys, 4, "two in each of two runs");
    }

    #[test]
    fn an_hour_without_its_work_is_one_that_differs() {
        let hours = |meant, rows_each| Hours {
            rows_each,
            hours: vec![Hour {
                meant,
                least: Work::default(),
                most: Work::default(),
                boots: 0,
                deploys: 0,
                differs: 0,
                worst: None,
            }],
        };
        let work = |executions, rows| Work { executions, rows };
        let one = hours(Meant { least: 1, most: 1 }, 10);
        assert_eq!(one.judge(0, work(1, 10)), None);
        assert_eq!(one.judge(0, work(0, 0)), Some((Differs::Less, 0.0)));
        // It began and was cut short; it was begun again and wrote a part twice.
        assert_eq!(one.judge(0, work(1, 4)), Some((Differs::Less, 0.4)));
        assert_eq!(one.judge(0, work(2, 15)), Some((Differs::More, 1.5)));
        assert_eq!(one.judge(0, work(2, 20)), Some((Differs::Red, 2.0)));
        let none = hours(Meant::default(), 0);
        assert_eq!(none.judge(0, work(0, 0)), None);
        assert_eq!(none.judge(0, work(1, 0)), Some((Differs::More, 1.0)));
        let maybe = hours(Meant { least: 0, most: 1 }, 10);
        assert!(
            [work(0, 0), work(1, 3), work(1, 10)].iter().all(|of| maybe.judge(0, *of).is_none())
        );
    }
}
