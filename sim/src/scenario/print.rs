//! From a scenario to the text of a file: every value written out, in one order and one spelling.
//!
//! `parse` makes the same scenario of that text again. It works from the values alone, so that it
//! also prints scenarios that no file ever said; it knows no file, and where a value came from is
//! asked of [`Places`](super::Places), by the line's path.

mod alert;
mod step;

use jiff::Timestamp;

pub use alert::{print_alerts, thousandths};

use super::place::{Part, Path};
use super::{
    Accept, Audit, Change, Declared, Expectation, Happens, Kills, Loses, Mishap, Network,
    PlannedEvent, Queue, Quota, Range, Recurrence, Release, Restart, Rollout, SCRAPE, Scenario,
    Schedule, Service, Signed, Subject, Unit,
};
use crate::choices::Name;
use crate::clock::{Instant, Span};

/// Whose default a value is, where a file does not say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The library's.
    BullMq,
    /// The cluster's.
    Kubernetes,
    /// Ours.
    Bootrace,
}

/// A line of a printed scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The line, without its end.
    pub text: String,
    /// The value on it, if there is one.
    pub value: Option<Value>,
}

/// The value of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    /// Where it stands in the tree of the file.
    pub path: Path,
    /// Whose default it is, if no file says it. None if there is no default.
    pub default: Option<Whose>,
    /// Whether it is only told, in a comment: to say it would change what is stored in Redis.
    pub told: bool,
}

/// A scenario as the text of a file.
#[must_use]
pub fn print(scenario: &Scenario) -> String {
    let said = |line: &Line| !line.value.as_ref().is_some_and(|value| value.told);
    lines(scenario).into_iter().filter(said).map(|line| line.text + "\n").collect()
}

/// The lines of a scenario, with those that only tell a default.
#[must_use]
pub fn lines(scenario: &Scenario) -> Vec<Line> {
    let mut printer = Printer { scenario, lines: Vec::new(), at: Vec::new(), named: Vec::new() };
    printer.top();
    // Before all that must be there, so that no part of a file passes for all of it.
    scenario.answers.iter().for_each(|answers| printer.answers(answers));
    scenario.schedules.iter().for_each(|schedule| printer.schedule(schedule));
    scenario.queues.iter().for_each(|queue| printer.queue(queue));
    scenario.jobs.iter().for_each(|job| printer.job(job));
    let in_file = scenario.releases.iter().filter(|release| !release.by_hand);
    in_file.for_each(|release| printer.release(release));
    scenario.services.iter().for_each(|service| printer.service(service));
    for (number, event) in scenario.events.iter().enumerate() {
        printer.element("event", number, |printer| printer.event(event));
    }
    if scenario.faults.swarm {
        printer.table(&["faults"], true, |printer| printer.say(&["swarm"], "true"));
    }
    for (number, kills) in scenario.faults.kills.iter().enumerate() {
        printer.table(&["faults"], false, |printer| {
            printer.element("kill", number, |printer| printer.kills(kills));
        });
    }
    for (number, expectation) in scenario.expectations.iter().enumerate() {
        printer.element("expect", number, |printer| printer.expectation(expectation));
    }
    scenario.alerts.iter().for_each(|alert| printer.alert(alert));
    printer.audit(&scenario.audit);
    printer.lines
}

struct Printer<'s> {
    scenario: &'s Scenario,
    lines: Vec<Line>,
    /// The table that lines are printed into.
    at: Path,
    /// The steps of the release so far that have a name, by number.
    named: Vec<(u16, &'s str)>,
}

impl<'s> Printer<'s> {
    /// A table below this one, with its header if it has values of its own.
    fn table(&mut self, keys: &[&str], header: bool, fill: impl FnOnce(&mut Self)) {
        let above = self.at.len();
        self.at.extend(keys.iter().map(|key| Part::key(key)));
        if header {
            self.header("[", "]");
        }
        fill(self);
        self.at.truncate(above);
    }

    /// An element of a list of tables below this one.
    fn element(&mut self, key: &str, number: usize, fill: impl FnOnce(&mut Self)) {
        let above = self.at.len();
        self.at.push(Part::key(key));
        self.header("[[", "]]");
        self.at.push(Part::Index(number));
        fill(self);
        self.at.truncate(above);
    }

    fn header(&mut self, open: &str, close: &str) {
        let keys = self.at.iter().filter_map(|part| match part {
            Part::Key(key) => Some(bare(key)),
            Part::Index(_) => None,
        });
        let text = format!("{open}{}{close}", keys.collect::<Vec<_>>().join("."));
        self.lines.push(Line { text: String::new(), value: None });
        self.lines.push(Line { text, value: None });
    }

    /// A value that has no default.
    fn say(&mut self, keys: &[&str], text: impl Into<String>) {
        self.line(keys, text.into(), None, false);
    }

    /// A value that is somebody's default where a file does not say it.
    fn say_or(&mut self, whose: Whose, keys: &[&str], text: impl Into<String>) {
        self.line(keys, text.into(), Some(whose), false);
    }

    /// A default that is not said.
    fn tell(&mut self, whose: Whose, keys: &[&str], text: &str) {
        self.line(keys, text.to_owned(), Some(whose), true);
    }

    fn line(&mut self, keys: &[&str], text: String, default: Option<Whose>, told: bool) {
        let name = keys.iter().map(|key| bare(key)).collect::<Vec<_>>().join(".");
        let mark = if told { "# " } else { "" };
        let path = self.at.iter().cloned().chain(keys.iter().map(|key| Part::key(key))).collect();
        let value = Some(Value { path, default, told });
        self.lines.push(Line { text: format!("{mark}{name} = {text}"), value });
    }

    fn top(&mut self) {
        let scenario = self.scenario;
        self.say(&["format"], "1");
        self.say(&["name"], quoted(&scenario.name));
        self.say_or(Whose::Bootrace, &["start"], instant(scenario.start));
        self.say(&["length"], span(scenario.length));
        let (from, to) = scenario.measure;
        self.say_or(Whose::Bootrace, &["measure"], format!("[{}, {}]", span(from), span(to)));
        self.say_or(Whose::Bootrace, &["calm"], span(scenario.calm));
        if !scenario.alerts.is_empty() || scenario.scrape != SCRAPE {
            self.say_or(Whose::Bootrace, &["scrape_interval"], span(scenario.scrape));
        }
        self.table(&["network"], true, |printer| {
            printer.say_or(Whose::Bootrace, &["round_trip"], range(&scenario.round_trip));
            let mode = match scenario.network {
                Network::Timed => "\"timed\"",
                Network::Order => "\"order\"",
            };
            printer.say_or(Whose::Bootrace, &["mode"], mode);
            let polls = if scenario.skips_idle_polls { "\"skipped\"" } else { "\"played\"" };
            printer.say_or(Whose::Bootrace, &["idle_polls"], polls);
        });
    }

    fn answers(&mut self, answers: &[(Name, u32)]) {
        self.table(&["answers"], true, |printer| {
            for (name, answer) in answers {
                printer.say(&[&name.to_string()], answer.to_string());
            }
        });
    }

    fn schedule(&mut self, schedule: &Schedule) {
        self.table(&["schedule", &schedule.name], true, |printer| {
            match &schedule.recurrence {
                Recurrence::Pattern(cron, zone) => {
                    printer.say(&["pattern"], quoted(cron.pattern()));
                    printer.say_or(Whose::Bootrace, &["tz"], quoted(zone.name()));
                }
                Recurrence::Every(period) => printer.say(&["every"], span(*period)),
            }
            printer.say(&["queue"], printer.queue_name(schedule.queue));
            printer.say(&["job"], quoted(&schedule.job));
            printer.say_or(Whose::Bootrace, &["max_lateness"], span(schedule.max_lateness));
        });
    }

    fn queue(&mut self, queue: &Queue) {
        self.table(&["queue", &queue.name], true, |printer| {
            printer.say_or(Whose::BullMq, &["prefix"], quoted(&queue.prefix));
            printer.options(&["default_job_options"], &queue.defaults);
            printer.untold(&["default_job_options"], &queue.defaults);
        });
    }

    fn release(&mut self, release: &'s Release) {
        self.named.clear();
        self.table(&["release", &release.name], true, |printer| {
            printer.say(&["library"], format!("\"{}\"", release.library));
            printer.steps("steps", &release.steps);
            release.jobs.iter().for_each(|job| printer.job(job));
        });
    }

    fn service(&mut self, service: &Service) {
        let restart = match service.restart {
            Restart::Always => "\"always\"",
            Restart::OnFailure => "\"on_failure\"",
            Restart::Never => "\"never\"",
        };
        self.table(&["service", &service.name], true, |printer| {
            let release = &printer.scenario.releases[usize::from(service.release.0)];
            printer.say(&["release"], quoted(&release.name));
            printer.say_or(Whose::Kubernetes, &["replicas"], service.replicas.to_string());
            if !service.without.is_empty() {
                printer.say(&["without"], format!("{:?}", service.without));
            }
            printer.say_or(Whose::Bootrace, &["boot"], range(&service.boot));
            printer.say_or(Whose::Kubernetes, &["restart"], restart);
            if let Some(delay) = service.restart_delay {
                printer.say(&["restart_delay"], span(delay));
            }
            if let Some(most) = service.max_restarts {
                printer.say(&["max_restarts"], most.to_string());
            }
            let grace = span(service.grace);
            printer.say_or(Whose::Kubernetes, &["termination_grace_period"], grace);
            printer.rollout(&service.rollout);
            printer.say_or(Whose::Bootrace, &["tz"], quoted(service.zone.name()));
            printer.env(&["env"], service.env.iter().map(|(name, value)| (&**name, &**value)));
            if let Some(round_trip) = &service.round_trip {
                printer.say(&["round_trip"], range(round_trip));
            }
            if let Some(offset) = &service.clock.offset {
                printer.say(&["clock", "offset"], signed_range(offset, signed_length));
            }
            if let Some(drift) = &service.clock.drift {
                printer.say(&["clock", "drift"], signed_range(drift, ppm));
            }
        });
    }

    fn env<'e>(&mut self, keys: &[&str], variables: impl Iterator<Item = (&'e str, &'e str)>) {
        for (name, value) in variables {
            self.say(&[keys, &[name]].concat(), quoted(value));
        }
    }

    fn rollout(&mut self, rollout: &Rollout) {
        match rollout {
            Rollout::Recreate => self.say_or(Whose::Kubernetes, &["rollout"], "\"recreate\""),
            Rollout::Rolling { max_surge, max_unavailable } => {
                for (key, quota) in [("max_surge", max_surge), ("max_unavailable", max_unavailable)]
                {
                    let quota = match quota {
                        Quota::Count(count) => count.to_string(),
                        Quota::Percent(percent) => format!("\"{percent}%\""),
                    };
                    self.say_or(Whose::Kubernetes, &["rollout", key], quota);
                }
            }
        }
    }

    fn event(&mut self, event: &PlannedEvent) {
        self.say(&["at"], range(&event.at));
        if let Some(odds) = event.odds_of_2_32 {
            self.say(&["odds"], percentage(odds));
        }
        match &event.happens {
            Happens::To(service, change) => {
                let service = &self.scenario.services[usize::from(service.0)];
                self.say_or(Whose::Bootrace, &["service"], quoted(&service.name));
                self.change(change);
            }
            Happens::ByHand(release) => {
                self.named.clear();
                self.by_hand(&self.scenario.releases[usize::from(release.0)].steps);
            }
            Happens::InRedis(Mishap::Flush) => self.say(&["redis"], "\"flush\""),
            Happens::InRedis(Mishap::Slow(slow)) => self.say(&["redis", "slow"], range(slow)),
            Happens::InRedis(Mishap::Restart { down, loses }) => {
                self.say(&["redis", "restart"], range(down));
                match loses {
                    Loses::Nothing => {}
                    Loses::Since(of) => self.say(&["redis", "loses"], span(*of)),
                    Loses::All => self.say(&["redis", "loses"], "\"all\""),
                }
            }
            Happens::InRedis(Mishap::Evict(queue, key)) => {
                self.say(&["redis", "evict"], quoted(key));
                self.say_or(Whose::Bootrace, &["redis", "queue"], self.queue_name(*queue));
            }
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Deploy(release, rollout) => {
                let release = &self.scenario.releases[usize::from(release.0)];
                self.say(&["deploy"], quoted(&release.name));
                rollout.iter().for_each(|rollout| self.rollout(rollout));
            }
            Change::Scale(replicas) => self.say(&["scale"], replicas.to_string()),
            Change::Kill(count) => self.say(&["kill"], count.to_string()),
            Change::Terminate(count) => self.say(&["terminate"], count.to_string()),
            Change::Restart => self.say(&["restart"], "true"),
            Change::Pause(pause) => self.say(&["pause"], range(pause)),
            Change::Disconnect(time) => self.say(&["disconnect"], range(time)),
            Change::Partition(time) => self.say(&["partition"], range(time)),
            Change::Delay { round_trip, lasts } => {
                self.say(&["delay", "round_trip"], range(round_trip));
                self.say(&["delay", "lasts"], range(lasts));
            }
            Change::Clock(ms) => {
                let sign = if *ms < 0 { '-' } else { '+' };
                let step = Span::from_ms(ms.saturating_abs());
                self.say(&["clock"], format!("\"{sign}{}\"", length(step)));
            }
        }
    }

    fn kills(&mut self, kills: &Kills) {
        let service = &self.scenario.services[usize::from(kills.service.0)];
        self.say_or(Whose::Bootrace, &["service"], quoted(&service.name));
        self.say(&["odds"], percentage(kills.odds_of_2_32));
        self.say_or(Whose::Bootrace, &["points"], kills.points.to_string());
    }

    fn expectation(&mut self, expectation: &Expectation) {
        let property = &expectation.property;
        let described = property.described();
        self.say(&[property.mode.key()], quoted(described.text));
        match property.subject {
            Subject::Schedule(schedule) => {
                let schedule = &self.scenario.schedules[schedule];
                self.say_or(Whose::Bootrace, &["schedule"], quoted(&schedule.name));
            }
            Subject::Queue(queue) => {
                let queue = &self.scenario.queues[queue];
                self.say_or(Whose::Bootrace, &["queue"], quoted(&queue.name));
            }
            Subject::World => {}
        }
        if let Some(key) = property.relation.key() {
            let bound = match described.unit {
                Unit::Number => property.bound.to_string(),
                Unit::Time => span(Span::from_nanos(property.bound.cast_signed().max(0))),
            };
            self.say(&[key], bound);
        }
        match expectation.declared {
            Declared::Holds => {}
            Declared::EverySeed => self.say(&["violated"], "\"every seed\""),
            Declared::SomeSeed => self.say(&["violated"], "\"some seed\""),
            Declared::AtLeast(share) => self.say(&["violated"], format!("\">= {share} %\"")),
        }
    }

    fn audit(&mut self, audit: &Audit) {
        if *audit == Audit::default() {
            return;
        }
        self.table(&["audit"], audit.deploys.is_some(), |printer| {
            if let Some(rate) = audit.deploys {
                printer.say(&["deploys"], format!("\"{} per {}\"", rate.count, rate.per.word()));
            }
            for (number, accept) in audit.accept.iter().enumerate() {
                printer.element("accept", number, |printer| printer.accept(accept));
            }
        });
    }

    fn accept(&mut self, accept: &Accept) {
        self.say(&["hazard"], quoted(&accept.hazard));
        self.say(&["harm"], quoted(accept.harm.name()));
        if let Some(schedule) = accept.schedule {
            self.say(&["schedule"], quoted(&self.scenario.schedules[schedule].name));
        }
        self.say(&["because"], quoted(&accept.because));
    }

    fn queue_name(&self, queue: crate::event::QueueId) -> String {
        quoted(&self.scenario.queues[usize::from(queue.0)].name)
    }
}

/// A key as it stands before the `=`.
#[must_use]
pub fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { quoted(key) }
}

/// A text in quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn instant(instant: Instant) -> String {
    let timestamp = Timestamp::from_nanosecond(i128::from(instant.nanos()));
    timestamp.expect("64 bits of nanoseconds are within jiff's years").to_string()
}

/// A length of time without quotes, from the greatest unit to the smallest: `1h15m`.
fn length(span: Span) -> String {
    const UNITS: [(i64, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    if span == Span::ZERO {
        return "0s".to_owned();
    }
    let (mut text, mut rest) = (String::new(), span.nanos());
    for (unit, name) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}

fn span(span: Span) -> String {
    format!("\"{}\"", length(span))
}

fn range(range: &Range) -> String {
    if range.least == range.most {
        return span(range.least);
    }
    format!("\"{}..{}\"", length(range.least), length(range.most))
}

fn signed_range(range: &Signed, number: impl Fn(i64) -> String) -> String {
    if range.least == range.most {
        return format!("\"{}\"", number(range.least));
    }
    format!("\"{}..{}\"", number(range.least), number(range.most))
}

/// A length of time before or after.
fn signed_length(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    format!("{sign}{}", length(Span::from_nanos(nanos.saturating_abs())))
}

/// Nanoseconds a second as parts in a million.
fn ppm(nanos_a_second: i64) -> String {
    format!("{}ppm", nanos_a_second / 1000)
}

/// A probability in units of 2^-32 as a percentage; the parser rounds down what it makes of one.
fn percentage(odds_of_2_32: u64) -> String {
    percentage_of_millionths((odds_of_2_32 * 1_000_000).div_ceil(1 << 32))
}

fn percentage_of_millionths(millionths: u64) -> String {
    let (whole, rest) = (millionths / 10_000, millionths % 10_000);
    let fraction = format!("{rest:04}");
    match fraction.trim_end_matches('0') {
        "" => format!("\"{whole}%\""),
        fraction => format!("\"{whole}.{fraction}%\""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse;
    use super::*;

    /// Every key of the format that a scenario can hold, in the printer's own order.
    const EVERYTHING: &str = include_str!("print/everything.toml");

    fn scenario(text: &str) -> Scenario {
        let (mut scenario, _) =
            parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        scenario.expectations.iter_mut().for_each(|expectation| expectation.at = 0);
        scenario
    }

    #[test]
    fn what_is_printed_is_the_same_scenario() {
        let first = scenario(EVERYTHING);
        let text = print(&first);
        assert_eq!(scenario(&text), first, "{text}");
        assert_eq!(print(&scenario(&text)), text);
    }

    #[test]
    fn lengths_are_spelled_in_all_their_units() {
        for (nanos, text) in [
            (0, "0s"),
            (250_000, "250us"),
            (90_000_000_000, "1m30s"),
            (86_400_000_000_001, "1d1ns"),
            (1_800_000_000, "1s800ms"),
        ] {
            assert_eq!(length(Span::from_nanos(nanos)), text);
        }
    }

    proptest! {
        #[test]
        fn odds_come_back(millionths in 1..=1_000_000_u64) {
            let odds = (millionths << 32) / 1_000_000;
            let text = percentage(odds);
            let file = EVERYTHING.replacen("\"12.5%\"", &text, 1);
            prop_assert_eq!(scenario(&file).faults.kills[0].odds_of_2_32, odds);
        }

        #[test]
        fn lengths_and_instants_come_back(nanos in 1..7_000_000_000_000_000_000_i64) {
            let lateness = length(Span::from_nanos(nanos));
            let start = instant(Instant::from_nanos(nanos));
            let file = EVERYTHING
                .replacen("max_lateness = \"1m\"", &format!("max_lateness = \"{lateness}\""), 1)
                .replacen("2025-10-06T09:35:00.000000001Z", &start, 1);
            let scenario = scenario(&file);
            prop_assert_eq!(scenario.schedules[0].max_lateness.nanos(), nanos);
            prop_assert_eq!(scenario.start.nanos(), nanos);
        }

        #[test]
        fn texts_come_back(name in "\\PC{1,40}") {
            let name: String = name.chars().filter(|c| !c.is_control()).collect();
            let file = EVERYTHING.replacen("\"everything \\\" \\\\ é\"", &quoted(&name), 1);
            if let Ok((scenario, _)) = parse(&file) {
                prop_assert_eq!(&*scenario.name, name.trim());
            }
        }
    }
}
