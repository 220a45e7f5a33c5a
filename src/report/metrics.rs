//! The metrics of one run in the forms that monitors read: OpenMetrics text, and a unit test for
//! Prometheus' rules.

use super::alerts::{self, yaml};
use bootrace_sim::alert::Rang;
use bootrace_sim::choices::LifeName;
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{Event, Sink, Stamp};
use bootrace_sim::metric::{Metrics, Series};
use bootrace_sim::scenario::{Form, METRICS, MetricLine, Scenario};
use std::fmt::Write as _;

/// The values of all series of a run, as they were at regular instants.
#[derive(Debug)]
pub struct Samples {
    series: Vec<Series>,
    /// When, and a value for each series.
    rows: Vec<(Instant, Vec<u64>)>,
    step: Span,
}

impl Samples {
    /// Samples a run that is over: its events, and who was who.
    pub fn take(
        scenario: &Scenario,
        lives: &[LifeName],
        events: &[(Stamp, Event)],
        step: Span,
    ) -> Samples {
        let mut metrics = Metrics::new(scenario);
        lives.iter().for_each(|name| metrics.name(scenario, name));
        let mut events = events.iter().peekable();
        let mut rows = Vec::new();
        let (mut at, end) = (scenario.start, scenario.start + scenario.length);
        while at < end {
            while let Some((stamp, event)) = events.next_if(|(stamp, _)| stamp.at <= at) {
                metrics.event(stamp, event);
            }
            rows.push((at, metrics.sample().collect()));
            at += step;
        }
        Samples { series: metrics.series().to_vec(), rows, step }
    }

    /// OpenMetrics text: every sample with its instant.
    pub fn openmetrics(&self) -> String {
        let mut text = String::new();
        for line in METRICS {
            let _ = writeln!(text, "# HELP {} {}", line.family(), line.doc);
            let _ = writeln!(text, "# TYPE {} {}", line.family(), form(line));
            if !line.unit.is_empty() {
                let _ = writeln!(text, "# UNIT {} {}", line.family(), line.unit);
            }
            let here = |(_, series): &(usize, &Series)| series.metric == line.metric;
            let places: Vec<_> = self.series.iter().enumerate().filter(here).collect();
            // The parts of a histogram at one instant stand together.
            let groups = places.chunk_by(|(_, one), (_, next)| {
                line.form == Form::Histogram && !(one.suffix == "_sum" && next.suffix == "_bucket")
            });
            for group in groups {
                self.points(&mut text, line, group);
            }
        }
        text + "# EOF\n"
    }

    fn points(&self, text: &mut String, line: &MetricLine, group: &[(usize, &Series)]) {
        let names: Vec<String> = group.iter().map(|(_, series)| name(line, series)).collect();
        for (at, values) in &self.rows {
            let (seconds, ms) = (at.ms().div_euclid(1000), at.ms().rem_euclid(1000));
            for ((place, _), name) in group.iter().zip(&names) {
                let _ = writeln!(text, "{name} {} {seconds}.{ms:03}", values[*place]);
            }
        }
    }

    /// A unit test for Prometheus' rules: the series, and what the scenario's alerts came to, if they
    /// are looked at as often as the series are.
    pub fn promtool(&self, scenario: &Scenario, which: &str, rang: &[Rang]) -> String {
        let mut text = String::new();
        let every = alerts::duration(scenario.scrape);
        let tests = !scenario.alerts.is_empty() && scenario.scrape == self.step;
        if tests {
            let _ = writeln!(text, "rule_files:\n  - {}", alerts::RULES);
        }
        let _ = writeln!(text, "evaluation_interval: {every}\ntests:");
        let _ = writeln!(text, "  - interval: {}", alerts::duration(self.step));
        let title = format!("{}, {which}", scenario.name);
        let _ = writeln!(text, "    name: {}\n    input_series:", yaml(&title));
        for (place, series) in self.series.iter().enumerate() {
            let name = name(series.metric.line(), series);
            let values = self.rows.iter().map(|(_, values)| values[place]);
            let _ = writeln!(text, "      - series: {}", yaml(&name));
            let _ = writeln!(text, "        values: '{}'", runs(&values.collect::<Vec<_>>()));
        }
        if tests {
            let end = self.rows.last().map_or(scenario.start, |(at, _)| *at);
            let _ = write!(text, "{}", alerts::expected(scenario, rang, end));
        }
        text
    }
}

fn form(line: &MetricLine) -> &'static str {
    match line.form {
        Form::Gauge => "gauge",
        Form::Counter => "counter",
        Form::Histogram => "histogram",
    }
}

/// What a series is called: `bullmq_job_count{queue="usage",state="active"}`.
fn name(line: &MetricLine, series: &Series) -> String {
    let label = |(key, value): &(&str, Box<str>)| format!("{key}={}", alerts::quoted(value));
    let labels: Vec<String> = series.labels.iter().map(label).collect();
    format!("{}{}{{{}}}", line.name, series.suffix, labels.join(","))
}

/// Values as promtool takes them: `a+bxn` is a value and n more, each b more than the one before.
fn runs(values: &[u64]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = values;
    while let [first, ..] = rest {
        let step = |pair: &[u64]| i128::from(pair[1]) - i128::from(pair[0]);
        let by = rest.get(..2).map_or(0, step);
        let more = rest.windows(2).take_while(|pair| step(pair) == by).count();
        // Two numbers are shorter than a run of them.
        let more = if by != 0 && more < 2 { 0 } else { more };
        words.push(match by {
            _ if more == 0 => first.to_string(),
            0 => format!("{first}x{more}"),
            _ => format!("{first}{by:+}x{more}"),
        });
        rest = &rest[more + 1..];
    }
    words.join(" ")
}

/// Keeps the events of a run that metrics are made of.
#[derive(Debug, Default)]
pub struct Kept(Vec<(Stamp, Event)>);

impl Kept {
    /// What was kept.
    pub fn events(&self) -> &[(Stamp, Event)] {
        &self.0
    }
}

impl Sink for Kept {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        if !matches!(event, Event::Command { .. } | Event::Answered { .. }) {
            self.0.push((*stamp, event.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::runs;

    /// What promtool makes of a text.
    fn read(text: &str) -> Vec<u64> {
        let word = |word: &str| -> Vec<u64> {
            let (start, more) = word.split_once('x').unwrap_or((word, "0"));
            let sign = start.find(['+', '-']);
            let (first, by) = sign.map_or((start, "0"), |place| start.split_at(place));
            let (first, by): (i64, i64) = (first.parse().unwrap(), by.parse().unwrap());
            let more: i64 = more.parse().unwrap();
            (0..=more).map(|n| (first + n * by).unsigned_abs()).collect()
        };
        text.split(' ').flat_map(word).collect()
    }

    #[test]
    fn runs_are_written_short_and_say_what_they_said() {
        for (values, text) in [
            (&[0, 0, 0, 5][..], "0x2 5"),
            (&[1, 2, 3, 7, 5, 3], "1+1x2 7-2x2"),
            (&[4], "4"),
            (&[4, 9, 9], "4 9x1"),
        ] {
            assert_eq!(runs(values), text);
            assert_eq!(read(text), values);
        }
    }
}
