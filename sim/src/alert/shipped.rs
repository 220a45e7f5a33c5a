//! The alerts that a team can begin with: for each schedule, and each queue that has one.

use crate::clock::Span;
use crate::scenario::{
    Alert, AlertOf, Importance, JOB_STATES, Metric, REGISTRATION_STATES, Scenario, When,
};

/// How much more than expected is too much: a third of executions more than are due, or a job that runs
/// again because its worker died, is within it only where windows are many.
const TIMES: u64 = 1_500;

/// For how long more than expected must last: what is late in one window and early in the next is more
/// than expected for as long as it was late.
const EXTRA_LASTS: Span = Span::from_secs(2 * 60);

/// How long the query of a monitor may meet a registration between its two round trips, or a moment in
/// which nobody has a worker up.
const DEAD_LASTS: Span = Span::from_secs(5 * 60);

/// Which registrations are dead.
const DEAD: &str = "dead";

/// The states in which jobs make a queue long.
const LENGTH: [&str; 4] = ["active", "paused", "prioritized", "waiting"];

/// The alerts for the schedules and queues of a scenario. They measure what its start-up code and its
/// jobs are meant to come to, and nothing of what they are.
#[must_use]
pub fn shipped(scenario: &Scenario) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for (number, schedule) in scenario.schedules.iter().enumerate() {
        let Some((least, most)) = schedule.gaps(scenario.start) else { continue };
        let alert = |what: &str, metric, when, over, lasts, severity| Alert {
            name: format!("{what}-{}", schedule.name).into(),
            metric,
            of: AlertOf::Schedule(number),
            states: Vec::new(),
            when,
            over,
            lasts,
            severity,
        };
        let (page, ticket) = (Importance::Page, Importance::Ticket);
        let times = When::TimesExpected(TIMES);
        // A window or, where windows are short, as many as make an hour.
        let over = Span::from_nanos(least.nanos() * windows(least));
        let lasts = EXTRA_LASTS.max(schedule.max_lateness.min(least));
        let lasts = lasts.min(Span::from_nanos(least.nanos() / 4));
        alerts.push(alert("executions", Metric::Executions, times, Some(over), lasts, page));
        if scenario.rows_each(number) > 0 {
            alerts.push(alert("rows", Metric::Rows, times, Some(over), lasts, page));
        }
        let silent = most + schedule.max_lateness + scenario.scrape;
        let below = When::Below(1);
        alerts.push(alert("silence", Metric::Executions, below, Some(silent), Span::ZERO, page));
        let state = REGISTRATION_STATES.iter().position(|word| *word == DEAD);
        alerts.push(Alert {
            states: state.into_iter().collect(),
            ..alert("dead", Metric::Registrations, When::Above(0), None, DEAD_LASTS, ticket)
        });
    }
    alerts.extend(lengths(scenario));
    alerts
}

/// How many windows of a period make about an hour; one of a longer one.
fn windows(period: Span) -> i64 {
    (3_600_000_000_000 / period.nanos().max(1)).max(1)
}

/// A queue that is not empty again within half a window of its most frequent schedule is a queue that
/// fills.
fn lengths(scenario: &Scenario) -> impl Iterator<Item = Alert> {
    scenario.queues.iter().enumerate().filter_map(|(number, queue)| {
        let id = crate::event::QueueId(u16::try_from(number).ok()?);
        let of = scenario.schedules.iter().filter(|schedule| schedule.queue == id);
        let least = of.filter_map(|schedule| schedule.gaps(scenario.start)).map(|gaps| gaps.0);
        let lasts = Span::from_nanos(least.min()?.nanos() / 2);
        let states = (0..JOB_STATES.len()).filter(|place| LENGTH.contains(&JOB_STATES[*place]));
        Some(Alert {
            name: format!("length-{}", queue.name).into(),
            metric: Metric::JobCount,
            of: AlertOf::Queue(id),
            states: states.collect(),
            when: When::Above(0),
            over: None,
            lasts,
            severity: Importance::Ticket,
        })
    })
}
