//! Alerts: what they came to over many seeds, and their form for Prometheus.

use crate::explore::{self, Played};
use bootrace_sim::alert::{Rang, expected as expected_of, noticed};
use bootrace_sim::battery;
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::scenario::{Alert, AlertOf, Form, Measured, Scenario, When, thousandths};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// What the file of rules is called in a test that reads it.
pub const RULES: &str = "alerts.yml";

/// On how many seeds a healthy day is played.
const HEALTHY: u64 = 10;

/// What became of one alert.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Alerted {
    /// The alert's name, as the scenario has it.
    pub name: String,
    /// Whom it wakes: `page` or `ticket`.
    pub severity: &'static str,
    /// In how many seeds it rang.
    pub rang: u64,
    /// How many seeds were played.
    pub of: u64,
    /// The first seed in which it rang; null if there is none.
    pub first: Option<u64>,
    /// In how many seeds an expectation was broken.
    pub broken: u64,
    /// The median of the time from what came first of the violations, or where there is none from what
    /// first happened by plan, to when it rang, in nanoseconds; null if it rang after neither.
    pub after: Option<u64>,
    /// In how many runs of a healthy day it rang; null where there is no such day.
    pub healthy: Option<u64>,
    /// How many runs of a healthy day were played.
    pub healthy_of: u64,
    /// Whether the run is too short for it to ring at all.
    pub too_short: bool,
}

/// What became of the alerts of a scenario. Plays healthy days of it.
pub fn alerted(scenario: &Arc<Scenario>, played: &[Played]) -> Vec<Alerted> {
    if scenario.alerts.is_empty() {
        return Vec::new();
    }
    let days = healthy(scenario);
    let of = |(number, alert): (usize, &Alert)| {
        let rings = |one: &&Played| one.rang.iter().any(|rang| rang.alert == number);
        let rang = || played.iter().filter(rings);
        let mut after: Vec<u64> = rang().filter_map(|one| after(one, number)).collect();
        after.sort_unstable();
        Alerted {
            name: alert.name.to_string(),
            severity: alert.severity.word(),
            rang: rang().count() as u64,
            of: played.len() as u64,
            first: rang().next().map(|one| one.seed),
            broken: played.iter().filter(|one| broke(one).is_some()).count() as u64,
            after: after.get(after.len() / 2).copied(),
            healthy: (!days.is_empty())
                .then(|| days.iter().filter(|day| day.contains(&*alert.name)).count() as u64),
            healthy_of: days.len() as u64,
            too_short: too_short(scenario, alert),
        }
    };
    scenario.alerts.iter().enumerate().map(of).collect()
}

/// Whether a run ends before an alert could ring: too little of a time needs all of it.
fn too_short(scenario: &Scenario, alert: &Alert) -> bool {
    let over = alert.over.filter(|_| matches!(alert.when, When::Below(_)));
    over.unwrap_or(Span::ZERO) + alert.lasts >= scenario.length
}

/// When the first expectation was broken.
fn broke(played: &Played) -> Option<Instant> {
    let judgements = played.verdict.judgements.iter();
    judgements.filter_map(|judgement| Some(judgement.broke.as_ref()?.at)).min()
}

/// How long after its cause an alert rang.
fn after(played: &Played, alert: usize) -> Option<u64> {
    let rang = played.rang.iter().find(|rang| rang.alert == alert)?;
    let cause = broke(played).or(rang.planned)?;
    Some(rang.at.since(cause).nanos().unsigned_abs())
}

/// Which alerts rang on healthy days, one for each run. The boots with which such a day begins are no
/// part of it.
fn healthy(scenario: &Arc<Scenario>) -> Vec<BTreeSet<String>> {
    let Some(hazard) = battery::hazards().next() else { return Vec::new() };
    let each = 0..scenario.schedules.len();
    let days = each.filter_map(|schedule| hazard.of(scenario, schedule, None).ok());
    let play = |day: Scenario| {
        let day = Arc::new(day);
        let rings = move |seed| {
            let played = explore::play(&day, seed);
            noticed(&day, &played.rang).into_iter().map(str::to_owned).collect()
        };
        (1..=HEALTHY).map(rings)
    };
    days.flat_map(play).collect()
}

/// One alert as a line of the report.
pub(super) fn line(alert: &Alerted) -> String {
    let Alerted { name, severity, rang, of, broken, healthy, .. } = alert;
    let mut text = format!("  {severity:<8}{name:<30}  ");
    let _ = match rang {
        0 if alert.too_short => write!(text, "cannot ring in a run of this length"),
        0 if *broken > 0 => write!(text, "silent, though {broken}/{of} seeds are not well"),
        0 => write!(text, "silent"),
        _ => write!(text, "rang in {rang}/{of} seeds"),
    };
    if let Some(after) = alert.after {
        let after = Span::from_nanos(i64::try_from(after).unwrap_or(i64::MAX)).rounded();
        let cause = if *broken > 0 { "violation" } else { "event" };
        let _ = write!(text, ", in the median {after} after the first {cause}");
    }
    let _ = match healthy {
        Some(0) => write!(text, "; silent on a healthy day"),
        Some(n) => write!(text, "; RINGS on a healthy day ({n}/{})", alert.healthy_of),
        None => Ok(()),
    };
    text + "\n"
}

/// The alerts of a scenario as a file of rules for Prometheus.
pub fn prometheus(scenario: &Scenario) -> String {
    let mut text = format!("groups:\n  - name: {}\n", yaml(&scenario.name));
    let _ = writeln!(text, "    interval: {}\n    rules:", duration(scenario.scrape));
    for alert in &scenario.alerts {
        let _ = writeln!(text, "      - alert: {}", yaml(&alert.name));
        let _ = writeln!(text, "        expr: {}", yaml(&expression(scenario, alert)));
        let _ = writeln!(text, "        for: {}", duration(alert.lasts));
        let _ = writeln!(text, "        labels:\n          severity: {}", alert.severity.word());
    }
    text
}

/// An alert in PromQL.
pub fn expression(scenario: &Scenario, alert: &Alert) -> String {
    let series = selector(scenario, alert);
    let (over, form) = (alert.over.unwrap_or(Span::ZERO), alert.metric.line().form);
    let range = duration(over);
    let value = match form {
        Form::Counter => format!("sum(increase({series}[{range}]))"),
        Form::Gauge | Form::Histogram => format!("sum({series})"),
    };
    match alert.when {
        When::Above(most) => format!("{value} > {most}"),
        When::TimesExpected(times) => {
            let expected = expected_of(scenario, alert);
            format!("{value} > {} * {expected}", thousandths(times))
        }
        // Too little of a time that has not passed yet says nothing.
        When::Below(least) if form == Form::Counter => {
            format!("{value} < {least} and sum({series} offset {range}) >= 0")
        }
        When::Below(least) => format!("{value} < {least}"),
    }
}

fn selector(scenario: &Scenario, alert: &Alert) -> String {
    let line = alert.metric.line();
    let queue = |queue: bootrace_sim::event::QueueId| &scenario.queues[usize::from(queue.0)].name;
    let mut labels = match alert.of {
        AlertOf::Queue(of) => vec![(line.label, queue(of).to_string())],
        AlertOf::Schedule(of) => {
            let of = &scenario.schedules[of];
            match line.of {
                Measured::Work => vec![
                    (line.label, queue(of.queue).to_string()),
                    (line.job_label(), of.job.to_string()),
                ],
                _ => vec![(line.label, of.name.to_string())],
            }
        }
        AlertOf::Service(of) => {
            vec![(line.label, scenario.services[usize::from(of.0)].name.to_string())]
        }
    };
    let (label, words) = line.states;
    let states: Vec<&str> = alert.states.iter().map(|state| words[*state]).collect();
    let any = states.len() > 1;
    if !states.is_empty() {
        labels.push((label, states.join("|")));
    }
    let last = labels.len() - 1;
    let label = |(place, (key, value)): (usize, &(&str, String))| {
        let sign = if any && place == last { "=~" } else { "=" };
        format!("{key}{sign}{}", quoted(value))
    };
    let labels: Vec<String> = labels.iter().enumerate().map(label).collect();
    format!("{}{{{}}}", line.name, labels.join(","))
}

/// What a test of the rules expects: that each alert rings when it rang, and neither before nor after.
pub(super) fn expected(scenario: &Scenario, rang: &[Rang], end: Instant) -> String {
    let mut text = "    alert_rule_test:\n".to_owned();
    for (number, alert) in scenario.alerts.iter().enumerate() {
        let rang: Vec<&Rang> = rang.iter().filter(|rang| rang.alert == number).collect();
        let mut moments: BTreeSet<Instant> = BTreeSet::from([scenario.start, end]);
        for one in &rang {
            moments.extend([one.at, one.at - scenario.scrape]);
            moments.extend(one.until.into_iter().flat_map(|at| [at, at - scenario.scrape]));
        }
        moments.retain(|at| (scenario.start..=end).contains(at));
        for at in moments {
            let rings =
                rang.iter().any(|one| one.at <= at && one.until.is_none_or(|until| at < until));
            let time = duration(at.since(scenario.start));
            let _ = writeln!(text, "      - eval_time: {time}");
            let _ = writeln!(text, "        alertname: {}", yaml(&alert.name));
            let severity = alert.severity.word();
            let _ = match rings {
                true => writeln!(
                    text,
                    "        exp_alerts:\n          - exp_labels:\n              severity: {severity}"
                ),
                false => writeln!(text, "        exp_alerts: []"),
            };
        }
    }
    text
}

/// A length of time as Prometheus takes it, which knows nothing below a millisecond.
pub(super) fn duration(span: Span) -> String {
    let span = Span::from_ms(span.ms());
    if span == Span::ZERO { "0s".to_owned() } else { span.to_string() }
}

/// A text in single quotes, as YAML takes it.
pub(super) fn yaml(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The value of a label in quotes.
pub(super) fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}
