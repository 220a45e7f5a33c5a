//! When the run of a first scenario is, and when its deploys come. It writes no text.

use super::Wish;
use bootrace_sim::clock::{NANOS_PER_MS, Span};
use bootrace_sim::scenario::{JobStep, Scenario};

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The longest run that is made.
const LONGEST: i64 = 60 * DAY;

/// The most events that are made.
const MOST_EVENTS: i64 = 12;

/// Monday, 2026-01-05T00:00:00Z: no run begins much before it.
const EARLIEST: i64 = 1_767_571_200_000;

/// When the run is and what happens in it. All times are milliseconds, offsets from its start but
/// for the start itself.
pub(super) struct Run {
    pub(super) start: i64,
    pub(super) length: i64,
    /// How long before a tick it begins.
    pub(super) lead: i64,
    /// From when on it is judged, if not from its start.
    pub(super) judges_from: Option<i64>,
    /// How many windows lie in it; none if not one of them is short enough.
    pub(super) windows: i64,
    /// How many ticks.
    pub(super) ticks: i64,
    pub(super) deploys: Vec<Deploy>,
    /// How many deploys there would be if not for [`MOST_EVENTS`].
    pub(super) wanted: i64,
}

/// A time at which all containers are replaced.
#[derive(Clone, Copy)]
pub(super) enum Deploy {
    /// Far from any tick, as far as one can say.
    At(i64),
    /// Some time around a tick.
    Around(i64, i64),
}

impl Run {
    /// A run in which every word can be tried.
    pub(super) fn probe() -> Run {
        let (start, length) = (EARLIEST, MINUTE);
        let (windows, ticks, deploys) = (1, 1, Vec::new());
        Run { start, length, lead: 0, judges_from: None, windows, ticks, deploys, wanted: 0 }
    }

    /// Two windows, or three that are short, with a little around them.
    pub(super) fn of(wish: &Wish, probed: &Scenario) -> Run {
        let boot = ceil_ms(probed.services[0].boot.most);
        let ticks = probed.schedules[0].recurrence.ticks();
        let gap = ticks.after(EARLIEST).and_then(|first| Some(ticks.after(first)? - first));
        // A pattern that fires once has no gap.
        let gap = gap.unwrap_or(LONGEST);
        // Where the first containers boot is no window to judge: its tick is over.
        let lead = nice((gap / 2).min(HOUR)).max(nice(boot + 5 * SECOND));
        let first = ticks.after(EARLIEST + lead).unwrap_or(EARLIEST + lead);
        let unit = if lead < MINUTE { SECOND } else { MINUTE };
        let start = (first - lead).div_euclid(unit) * unit;
        let lead = first - start;
        let judges_from = ticks.after(start - 1).filter(|tick| *tick < first).map(|_| lead);
        let most = if gap <= HOUR { 3 } else { 2 };
        let mut later: Vec<i64> = Vec::new();
        while let Some(tick) = ticks.after(later.last().copied().unwrap_or(first))
            && (later.len() as i64) < most
            && tick - start + lead <= LONGEST
        {
            later.push(tick);
        }
        let windows = later.len() as i64;
        let length = match later.last() {
            Some(last) => nice(last - start + lead),
            None => nice(lead + DAY),
        };
        let mut count = 1 + windows;
        let mut last = later.last().copied().unwrap_or(first);
        while let Some(tick) = ticks.after(last).filter(|tick| *tick < start + length) {
            (count, last) = (count + 1, tick);
        }
        let wanted = match i64::from(wish.deploys_per_day) {
            0 => 0,
            per_day => (per_day * length / DAY).max(1),
        };
        let ticks = count;
        let run =
            Run { start, length, lead, judges_from, windows, ticks, deploys: Vec::new(), wanted };
        let tick = later.first().copied().unwrap_or(first);
        let gap = later.first().map_or(DAY, |second| second - first);
        let deploys = run.deploys(wish, probed, tick - start, gap);
        Run { deploys, ..run }
    }

    /// The deploys, evenly over the run; the one next to a given tick falls around it.
    fn deploys(&self, wish: &Wish, probed: &Scenario, tick: i64, gap: i64) -> Vec<Deploy> {
        let boot = ceil_ms(probed.services[0].boot.most);
        let takes = probed.jobs[0].steps.iter().map(|step| match step {
            JobStep::Query(takes) | JobStep::Write { takes, .. } => ceil_ms(takes.most),
            _ => 0,
        });
        // A rollout that begins this long before the tick is under way at it, and one that begins
        // this long after it may meet the job.
        let bound = (gap / 4).max(1);
        let before = nice(boot * i64::from(wish.replicas.min(5))).clamp(1, bound).min(tick);
        let after = nice(takes.sum()).clamp(1, bound).min(self.length - 1 - tick);
        let count = self.wanted.min(MOST_EVENTS);
        let deploy = |number: i64| {
            let from = self.length * number / count;
            let to = self.length * (number + 1) / count;
            if (from..to).contains(&tick) {
                return Deploy::Around(tick - before, tick + after);
            }
            let middle = (from + to) / 2;
            Deploy::At(if middle > MINUTE { middle / MINUTE * MINUTE } else { middle })
        };
        (0..count).map(deploy).collect()
    }

    /// How many seeds take a second or two: nearly all that a run does is idle polls.
    pub(super) fn seeds(&self, wish: &Wish) -> u64 {
        const COMMANDS: i64 = 10_000_000;
        // An idle worker polls every 5 s and looks for stalled jobs every 30 s.
        let one = i64::from(wish.replicas) * (self.length / SECOND) / 4 + 1;
        let most = (COMMANDS / one).unsigned_abs();
        [200, 100, 50, 20].into_iter().find(|seeds| *seeds <= most).unwrap_or(10)
    }
}

/// A length of time in whole milliseconds, not shorter than it is.
fn ceil_ms(span: Span) -> i64 {
    span.nanos() / NANOS_PER_MS + i64::from(span.nanos() % NANOS_PER_MS != 0)
}

/// A length of time that is a little longer and reads better.
fn nice(ms: i64) -> i64 {
    let unit = match ms {
        ..SECOND => 1,
        SECOND..MINUTE => SECOND,
        MINUTE..DAY => MINUTE,
        _ => HOUR,
    };
    (ms + unit - 1) / unit * unit
}
