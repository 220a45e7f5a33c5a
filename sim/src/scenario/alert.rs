//! What a team is woken by: alerts, as a monitor would be told them.

use super::{Metric, Scenario, Schedule};
use crate::clock::{Instant, Span};
use crate::event::{QueueId, ServiceId};

/// How often metrics are looked at, if a scenario does not say it.
pub const SCRAPE: Span = Span::from_secs(15);

/// How many gaps between ticks say what the gaps of a schedule are like.
const GAPS: usize = 400;

/// A rule over a metric. It is pending from when it holds, and rings when it has for so long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Its name.
    pub name: Box<str>,
    /// What is measured.
    pub metric: Metric,
    /// Of what.
    pub of: AlertOf,
    /// In which states, by their places in the metric's line; none: in all.
    pub states: Vec<usize>,
    /// What is too much, or too little.
    pub when: When,
    /// Over which time a counter is looked at; none for what goes up and down.
    pub over: Option<Span>,
    /// For how long it must hold.
    pub lasts: Span,
    /// Whom it wakes.
    pub severity: Importance,
}

/// What an alert is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlertOf {
    /// A queue, all of it.
    Queue(QueueId),
    /// A schedule, or its jobs.
    Schedule(usize),
    /// A service.
    Service(ServiceId),
}

/// What rings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// More than this.
    Above(u64),
    /// Less than this.
    Below(u64),
    /// More than so many thousandths of what is expected in that time.
    TimesExpected(u64),
}

/// Whom an alert wakes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Importance {
    /// Somebody, now.
    Page,
    /// Somebody, in the morning.
    Ticket,
}

impl Importance {
    /// All, with their words.
    pub const WORDS: [(&'static str, Importance); 2] =
        [("page", Importance::Page), ("ticket", Importance::Ticket)];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Importance::Page => "page",
            Importance::Ticket => "ticket",
        }
    }
}

impl Schedule {
    /// The shortest and the longest time between two ticks, of those that come after an instant; none
    /// if there are no two.
    #[must_use]
    pub fn gaps(&self, after: Instant) -> Option<(Span, Span)> {
        let ticks = self.recurrence.ticks();
        let mut at = ticks.after(after.ms())?;
        let mut gaps: Option<(Span, Span)> = None;
        for _ in 0..GAPS {
            let Some(next) = ticks.after(at) else { break };
            let gap = Span::from_ms(next - at);
            gaps = Some(gaps.map_or((gap, gap), |(least, most)| (least.min(gap), most.max(gap))));
            at = next;
        }
        gaps
    }
}

impl Scenario {
    /// How many rows one execution of a schedule's job writes, if each of its steps is reached.
    #[must_use]
    pub fn rows_each(&self, schedule: usize) -> u64 {
        let schedule = &self.schedules[schedule];
        let is = |job: &&super::Job| job.is(schedule.queue, schedule.job.as_bytes());
        let of_releases = self.releases.iter().flat_map(|release| &release.jobs);
        let job = self.jobs.iter().chain(of_releases).find(is);
        job.map_or(0, super::Job::rows)
    }

    /// How much of a metric is expected of a schedule in a time: one execution a tick, and the rows of
    /// one. Of a time that is no multiple of the schedule's shortest gap, whole gaps count, one at least.
    #[must_use]
    pub fn expected(&self, metric: Metric, schedule: usize, over: Span) -> u64 {
        let gap = self.schedules[schedule].gaps(self.start).map_or(over, |(least, _)| least);
        let ticks = (over.nanos() / gap.nanos().max(1)).max(1).unsigned_abs();
        match metric {
            Metric::Rows => ticks * self.rows_each(schedule),
            _ => ticks,
        }
    }
}
