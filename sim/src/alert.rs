//! Alerts, judged in virtual time as Prometheus judges them: at each look a rule holds or it does not;
//! one that has held for long enough rings, until it does not hold.
//!
//! [`Alarms`] takes the events of a run and says what begins and ceases to ring; that becomes an event
//! of the run. A counter is one for the whole fleet and never starts again from nothing, so its increase
//! is a difference, without extrapolation.

mod shipped;

pub use shipped::shipped;

use crate::choices::LifeName;
use crate::clock::{Instant, Span};
use crate::event::{Event, Plan, Sink, Stamp};
use crate::metric::Metrics;
use crate::scenario::{Alert, AlertOf, Measured, Scenario, When};
use std::collections::VecDeque;
use std::sync::Arc;

/// That an alert rang.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rang {
    /// Which of the scenario's alerts.
    pub alert: usize,
    /// When it began to ring.
    pub at: Instant,
    /// When it ceased to; none if it rang at the end.
    pub until: Option<Instant>,
    /// When the first thing happened by plan, if something had by then.
    pub planned: Option<Instant>,
}

/// The alerts of a run.
#[derive(Debug)]
pub struct Alarms {
    scenario: Arc<Scenario>,
    metrics: Metrics,
    rules: Vec<Rule>,
    /// When metrics are looked at next.
    next: Instant,
    planned: Option<Instant>,
    rang: Vec<Rang>,
}

/// One alert, and how it stands.
#[derive(Debug)]
struct Rule {
    bound: Bound,
    /// How many looks back the increase is counted from; none: the value itself counts.
    back: Option<usize>,
    past: VecDeque<u64>,
    /// Since when it holds.
    since: Option<Instant>,
    /// Which of what rang it is, while it rings.
    rings: Option<usize>,
}

/// When a rule holds.
#[derive(Clone, Copy, Debug)]
enum Bound {
    /// Above so many thousandths.
    Above(u128),
    Below(u64),
}

impl Alarms {
    /// Those of a run that is about to start; none if the scenario has no alert.
    #[must_use]
    pub fn new(scenario: &Arc<Scenario>) -> Option<Alarms> {
        if scenario.alerts.is_empty() {
            return None;
        }
        let rule = |alert: &Alert| Rule {
            bound: bound(scenario, alert),
            back: alert.over.map(|over| looks(over, scenario.scrape)),
            past: VecDeque::new(),
            since: None,
            rings: None,
        };
        Some(Alarms {
            rules: scenario.alerts.iter().map(rule).collect(),
            metrics: Metrics::new(scenario),
            next: scenario.start,
            planned: None,
            rang: Vec::new(),
            scenario: scenario.clone(),
        })
    }

    /// Says who the next life is; see [`Metrics::name`].
    pub fn name(&mut self, name: &LifeName) {
        self.metrics.name(&self.scenario, name);
    }

    /// How many lives have a name.
    #[must_use]
    pub fn named(&self) -> usize {
        self.metrics.named()
    }

    /// Looks at the metrics once, if that is due before an instant: what has happened at the instant of
    /// a look is seen by it. Says when that was, and which alerts began or ceased to ring.
    pub fn look(&mut self, before: Instant) -> Option<(Instant, Vec<(usize, bool)>)> {
        let at = self.next;
        if at >= before {
            return None;
        }
        self.next = at + self.scenario.scrape;
        let alerts = self.scenario.alerts.iter().zip(&mut self.rules).enumerate();
        let mut changes = Vec::new();
        for (number, (alert, rule)) in alerts {
            let holds = rule.look(value(&self.metrics, alert));
            rule.since = holds.then(|| rule.since.unwrap_or(at));
            match (rule.since, rule.rings) {
                (Some(since), None) if at.since(since) >= alert.lasts => {
                    rule.rings = Some(self.rang.len());
                    let planned = self.planned;
                    self.rang.push(Rang { alert: number, at, until: None, planned });
                    changes.push((number, true));
                }
                (None, Some(rang)) => {
                    rule.rings = None;
                    self.rang[rang].until = Some(at);
                    changes.push((number, false));
                }
                _ => {}
            }
        }
        Some((at, changes))
    }

    /// What rang.
    #[must_use]
    pub fn finish(self) -> Vec<Rang> {
        self.rang
    }
}

impl Sink for Alarms {
    #[inline]
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        if let Event::Plan(plan) = event
            && !matches!(plan, Plan::Calm | Plan::Swarm { .. } | Plan::Deployed { .. })
        {
            self.planned.get_or_insert(stamp.at);
        }
        self.metrics.event(stamp, event);
    }
}

impl Rule {
    /// Takes in the value of a look. Says whether the rule holds.
    fn look(&mut self, value: u64) -> bool {
        let Some(back) = self.back else { return self.bound.holds(value) };
        self.past.push_back(value);
        let whole = self.past.len() > back;
        if self.past.len() > back + 1 {
            self.past.pop_front();
        }
        let increase = value.saturating_sub(self.past.front().copied().unwrap_or(value));
        // Too little of a time that has not passed yet says nothing.
        (whole || matches!(self.bound, Bound::Above(_))) && self.bound.holds(increase)
    }
}

impl Bound {
    fn holds(self, value: u64) -> bool {
        match self {
            Bound::Above(thousandths) => u128::from(value) * 1000 > thousandths,
            Bound::Below(least) => value < least,
        }
    }
}

/// How many looks are in a time.
fn looks(over: Span, scrape: Span) -> usize {
    usize::try_from(over.nanos() / scrape.nanos().max(1)).unwrap_or(usize::MAX)
}

fn bound(scenario: &Scenario, alert: &Alert) -> Bound {
    match alert.when {
        When::Above(most) => Bound::Above(u128::from(most) * 1000),
        When::Below(least) => Bound::Below(least),
        When::TimesExpected(times) => {
            Bound::Above(u128::from(times) * u128::from(expected(scenario, alert)))
        }
    }
}

/// How much of its metric is expected in an alert's time.
#[must_use]
pub fn expected(scenario: &Scenario, alert: &Alert) -> u64 {
    let over = alert.over.unwrap_or(Span::ZERO);
    match alert.of {
        AlertOf::Schedule(schedule) => scenario.expected(alert.metric, schedule, over),
        // The parser takes no such alert.
        AlertOf::Queue(_) | AlertOf::Service(_) => 0,
    }
}

/// What an alert looks at, now.
fn value(metrics: &Metrics, alert: &Alert) -> u64 {
    let line = alert.metric.line();
    let every: Vec<usize> = (0..line.states.1.len().max(1)).collect();
    let states = if alert.states.is_empty() { &every } else { &alert.states };
    let of = |state: &usize| match alert.of {
        AlertOf::Queue(queue) => metrics.of_queue(alert.metric, queue.0.into(), *state),
        AlertOf::Schedule(schedule) => metrics.of_schedule(alert.metric, schedule, *state),
        AlertOf::Service(service) => metrics.of_service(alert.metric, service.0.into()),
    };
    debug_assert!(line.of != Measured::Service || matches!(alert.of, AlertOf::Service(_)));
    states.iter().map(of).sum()
}

/// The names of the alerts that began to ring in the measured part of a run: in a cell of an audit, those
/// that noticed what happened. What the boots before it made ring is not among them.
#[must_use]
pub fn noticed<'s>(scenario: &'s Scenario, rang: &[Rang]) -> Vec<&'s str> {
    let (from, to) = (scenario.start + scenario.measure.0, scenario.start + scenario.measure.1);
    let measured = |one: &&Rang| from <= one.at && one.at < to;
    self::rang(scenario, &rang.iter().filter(measured).copied().collect::<Vec<_>>())
}

/// The names of the alerts that rang in a run, each once, in the scenario's order.
#[must_use]
pub fn rang<'s>(scenario: &'s Scenario, rang: &[Rang]) -> Vec<&'s str> {
    let alerts = scenario.alerts.iter().enumerate();
    let rings = |number: usize| rang.iter().any(|one| one.alert == number);
    alerts.filter(|(number, _)| rings(*number)).map(|(_, alert)| &*alert.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(bound: Bound, back: Option<usize>, values: &[u64]) -> Vec<bool> {
        let mut rule = Rule { bound, back, past: VecDeque::new(), since: None, rings: None };
        values.iter().map(|value| rule.look(*value)).collect()
    }

    #[test]
    fn what_goes_up_and_down_is_looked_at_as_it_is() {
        assert_eq!(holds(Bound::Above(1_500), None, &[1, 2, 1]), [false, true, false]);
        assert_eq!(holds(Bound::Below(2), None, &[1, 2, 1]), [true, false, true]);
    }

    #[test]
    fn a_counter_is_looked_at_over_its_time() {
        let above = Bound::Above(1_000);
        // Two looks back: 5 - 0, then 5 - 0, 6 - 5, 8 - 5, 8 - 6.
        let seen = holds(above, Some(2), &[0, 5, 5, 6, 8, 8]);
        assert_eq!(seen, [false, true, true, false, true, true]);
        // What there was before the first look is no increase.
        assert_eq!(holds(above, Some(2), &[7, 7, 9]), [false, false, true]);
    }

    #[test]
    fn too_little_is_known_when_the_time_has_passed() {
        let seen = holds(Bound::Below(1), Some(2), &[0, 0, 0, 1, 1, 1]);
        assert_eq!(seen, [false, false, true, false, false, true]);
    }
}
