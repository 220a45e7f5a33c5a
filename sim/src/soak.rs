//! Soaks: the fleet of a scenario left running for days, with deploys of what it runs already. A
//! function from a scenario to a scenario, which plays and judges nothing.
//!
//! A deploy is a planned event whose instant is a range, so a seed draws it like anything else. A draw
//! is one of sixteen, so the ranges of a soak are shifted against each other: over some days deploys
//! come at many minutes of the hour, not always at the same few.

use crate::clock::{Instant, Span};
use crate::event::ServiceId;
use crate::scenario::{
    Change, Declared, Expectation, Faults, Happens, Measure, Mode, PlannedEvent, Property, Range,
    Relation, Scenario, Schedule, Subject,
};

/// Into how many parts the time from one deploy to the next is cut: as many as a draw has answers.
const PARTS: i64 = 16;

/// The golden section in units of 2^-16: its multiples lie as far apart as can be, however many.
const GOLDEN: i64 = 40_503;

/// What a scenario is soaked in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Soak {
    /// For how long.
    pub length: Span,
    /// One deploy of each service in each such time; none without it.
    pub every: Option<Span>,
    /// Whether the scenario's random kills stay.
    pub faults: bool,
}

impl Soak {
    /// The scenario, soaked. What its file lets happen is put aside, and so is what it expects: that
    /// is of its own length.
    ///
    /// # Errors
    /// Why it makes no scenario.
    pub fn of(&self, scenario: &Scenario) -> Result<Scenario, String> {
        if scenario.schedules.is_empty() {
            return Err("there is no schedule, so nothing is meant".to_owned());
        }
        let mut soaked = scenario.clone();
        soaked.events.clear();
        soaked.releases.retain(|release| !release.by_hand);
        soaked.answers = None;
        if !self.faults {
            soaked.faults = Faults::default();
        }
        let up = up(&soaked);
        soaked.length = self.length;
        soaked.measure = (self.judged(&soaked, up), self.length);
        soaked.calm = Span::ZERO;
        self.deploys(&mut soaked, up);
        soaked.expectations = expectations(&soaked);
        soaked.name = format!("{}: soaked for {}", soaked.name, self.length).into();
        soaked.reread()
    }

    /// From when on windows are judged: that in which the fleet comes up is nobody's fault.
    fn judged(&self, soaked: &Scenario, up: Span) -> Span {
        let next = |schedule: &Schedule| {
            let tick = schedule.recurrence.ticks().after((soaked.start + up).ms())?;
            Some(Instant::from_ms(tick).since(soaked.start))
        };
        let first = soaked.schedules.iter().filter_map(next).max();
        first.filter(|first| *first < self.length).unwrap_or(up.min(self.length))
    }

    /// Each service is deployed by itself. The first time not before the fleet is up.
    fn deploys(&self, soaked: &mut Scenario, up: Span) {
        let Some(every) = self.every else { return };
        let rounds = self.length.nanos() / every.nanos().max(1);
        let services =
            u16::try_from(soaked.services.len()).expect("the parser bounds their number");
        let part = every.nanos() / PARTS;
        for round in 0..rounds {
            for service in 0..services {
                let number = round * i64::from(services) + i64::from(service);
                let shift = part / 65_536 * (number.wrapping_mul(GOLDEN).rem_euclid(65_536));
                let least = seconds(round * every.nanos() + shift).max(up);
                let most = seconds(round * every.nanos() + shift + part * (PARTS - 1)).max(least);
                if most < self.length {
                    let at = Range { least, most, draw: 0 };
                    let happens = Happens::To(ServiceId(service), Change::Restart);
                    soaked.events.push(PlannedEvent { at, odds_of_2_32: None, happens });
                }
            }
        }
    }
}

/// Whole seconds, so that a file of it can be read.
fn seconds(nanos: i64) -> Span {
    Span::from_secs(nanos / 1_000_000_000)
}

/// When every container of the first ones is up, after the start.
#[must_use]
pub fn up(scenario: &Scenario) -> Span {
    let boots = scenario.services.iter().map(|service| service.boot.most);
    boots.max().unwrap_or(Span::ZERO)
}

/// What any schedule wants of a day: its work once a window, and no more rows than that.
fn expectations(scenario: &Scenario) -> Vec<Expectation> {
    let each = (0..scenario.schedules.len()).flat_map(|schedule| {
        let on = |measure, relation, bound| Expectation {
            property: Property {
                mode: Mode::Always,
                measure,
                subject: Subject::Schedule(schedule),
                relation,
                bound,
            },
            declared: Declared::Holds,
            at: 0,
        };
        let rows = scenario.rows_each(schedule);
        [
            Some(on(Measure::FiringsPerWindow, Relation::AtMost, 1)),
            Some(on(Measure::FiringsPerWindow, Relation::AtLeast, 1)),
            (rows > 0).then(|| on(Measure::RowsPerWindow, Relation::AtMost, rows)),
        ]
    });
    each.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    const TEXT: &str = r#"
format = 1
name   = "a report an hour"
length = "3h"
calm   = "1h"

[schedule.report]
pattern = "0 * * * *"
queue   = "reports"
job     = "report"

[queue.reports]

[job.report]
steps = [ { write = { rows = 30, takes = "1s" } }, { write = { rows = 12, takes = "1s" } } ]

[release.v1]
library = "bullmq@5.34.10"
steps = [
  { upsert_job_scheduler = "report", queue = "reports", repeat = { pattern = "0 * * * *" } },
  { worker = "reports" },
]

[service.web]
release  = "v1"
replicas = 2
boot     = "1s..20s"

[service.worker]
release  = "v1"
replicas = 2
boot     = "1s..30s"

[[event]]
at      = "2h"
service = "web"
scale   = 3

[[event]]
at    = "1h"
redis = "flush"

[faults]
kill = { service = "web", odds = "10%" }

[[expect]]
always  = "rows in all"
at_most = 126
"#;

    fn scenario() -> Scenario {
        parse(TEXT).unwrap_or_else(|problems| panic!("{problems:#?}")).0
    }

    fn days(days: i64) -> Span {
        Span::from_secs(days * 86_400)
    }

    fn soak(of: i64, every: Option<Span>) -> Scenario {
        let soak = Soak { length: days(of), every, faults: false };
        soak.of(&scenario()).expect("it makes one")
    }

    #[test]
    fn each_service_is_deployed_once_in_each_time() {
        let soaked = soak(3, Some(days(1)));
        assert_eq!(soaked.events.len(), 6);
        for (number, event) in (0..).zip(&soaked.events) {
            let Happens::To(service, Change::Restart) = event.happens else {
                panic!("{event:?}");
            };
            assert_eq!(i64::from(service.0), number % 2);
            let day = days(number / 2);
            assert!(day <= event.at.least && event.at.most < day + days(1), "{event:?}");
        }
        assert!(soaked.events[0].at.least >= Span::from_secs(30), "the fleet is up first");
        assert_eq!(soak(3, None).events, []);
        // Twice a day, and once a week in three days.
        assert_eq!(soak(3, Some(Span::from_secs(43_200))).events.len(), 12);
        assert_eq!(soak(3, Some(days(7))).events, []);
    }

    #[test]
    fn deploys_come_at_many_minutes_of_the_hour() {
        let mut minutes = [false; 60];
        for event in soak(30, Some(days(1))).events {
            let part = (event.at.most.nanos() - event.at.least.nanos()) / 15;
            for answer in 0..16 {
                let at = event.at.least.nanos() + part * answer;
                minutes[usize::try_from(at / 60_000_000_000 % 60).expect("one of sixty")] = true;
            }
        }
        assert_eq!(minutes.iter().filter(|met| **met).count(), 60);
    }

    #[test]
    fn what_the_file_lets_happen_is_put_aside_and_what_is_meant_is_judged() {
        let soaked = soak(1, None);
        assert_eq!(soaked.faults, Faults::default());
        assert_eq!((soaked.length, soaked.calm), (days(1), Span::ZERO));
        // From the first tick on that finds the fleet up.
        assert_eq!(soaked.measure, (Span::from_secs(3600), days(1)));
        let bounds: Vec<u64> = soaked.expectations.iter().map(|one| one.property.bound).collect();
        assert_eq!(bounds, [1, 1, 42]);
        let kept = Soak { length: days(1), every: None, faults: true };
        assert_eq!(kept.of(&scenario()).expect("it makes one").faults, scenario().faults);
    }

    #[test]
    fn what_makes_no_scenario_says_why() {
        let soak = |length, every| Soak { length, every, faults: false }.of(&scenario());
        let too_long = soak(days(401), None).expect_err("it is too long");
        assert!(too_long.contains("400"), "{too_long}");
        let too_many = soak(days(30), Some(Span::from_secs(600))).expect_err("they are too many");
        assert!(too_many.contains("1000"), "{too_many}");
    }
}
