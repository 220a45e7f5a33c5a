//! Virtual time: instants, spans, and the clocks of processes and servers.
//!
//! Time here is a number that the run loop moves; nothing in this file reads a real clock, knows a
//! calendar or a time zone (`civil.rs` does), or lets time go backwards.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Nanoseconds in a millisecond: BullMQ and Redis count milliseconds, the kernel counts nanoseconds.
pub const NANOS_PER_MS: i64 = 1_000_000;

/// A point of true time: nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(i64);

/// A length of time in nanoseconds. Never negative: a scenario cannot ask for one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(i64);

impl Instant {
    /// The end of representable time (the year 2262): what "never" sorts as.
    pub const MAX: Instant = Instant(i64::MAX);

    /// The instant `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Instant(nanos)
    }

    /// The instant `ms` milliseconds after the Unix epoch; saturates at [`Instant::MAX`].
    pub const fn from_ms(ms: i64) -> Self {
        Instant(ms.saturating_mul(NANOS_PER_MS))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down, as `Date.now()` and `mstime()` do.
    pub const fn ms(self) -> i64 {
        self.0.div_euclid(NANOS_PER_MS)
    }

    /// The first whole millisecond that is not before this instant.
    pub const fn ceil_ms(self) -> Instant {
        let past = self.0.rem_euclid(NANOS_PER_MS);
        if past == 0 { self } else { Instant(self.0.saturating_add(NANOS_PER_MS - past)) }
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    pub fn since(self, earlier: Instant) -> Span {
        Span((self.0 - earlier.0).max(0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of `nanos` nanoseconds.
    ///
    /// # Panics
    /// If `nanos` is negative: that is a bug in the caller, since no scenario can express it.
    pub const fn from_nanos(nanos: i64) -> Self {
        assert!(nanos >= 0, "a span is never negative");
        Span(nanos)
    }

    /// A span of `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Span::from_nanos(ms.saturating_mul(NANOS_PER_MS))
    }

    /// A span of `seconds` seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Span::from_ms(seconds.saturating_mul(1000))
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    pub const fn ms(self) -> i64 {
        self.0 / NANOS_PER_MS
    }

    /// To what a person reads at a glance: `1h3m`, `1m30s`, `2.3s`, `850us`.
    pub fn rounded(self) -> Rounded {
        Rounded(self)
    }
}

impl Add<Span> for Instant {
    type Output = Instant;

    fn add(self, span: Span) -> Instant {
        Instant(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Instant {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Instant {
    type Output = Instant;

    fn sub(self, span: Span) -> Instant {
        Instant(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Span;

    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

/// A duration longer than 292 years is as long as that.
impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Span(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Duration::from_nanos(span.0.unsigned_abs())
    }
}

/// In the largest unit that divides it: `90s`, `20m`, `250us`; `0s` for nothing.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 7] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (NANOS_PER_MS, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let (unit, name) = UNITS
            .into_iter()
            .find(|(unit, _)| self.0 % unit == 0)
            .expect("one nanosecond divides every span");
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// A span for people: its two largest units, or one unit with one decimal below a minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rounded(Span);

impl Rounded {
    /// What it shows, which may be more or less than the span.
    pub fn span(self) -> Span {
        const SECOND: i64 = 1_000_000_000;
        let nanos = self.0.0;
        let grain = match nanos {
            86_400_000_000_000.. => 3600 * SECOND,
            3_600_000_000_000.. => 60 * SECOND,
            60_000_000_000.. => SECOND,
            1_000_000_000.. => SECOND / 10,
            1_000_000.. => 100_000,
            1_000.. => 100,
            _ => 1,
        };
        Span(nanos.saturating_add(grain / 2) / grain * grain)
    }
}

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.span().0;
        let tenths = match nanos {
            60_000_000_000.. => return parts(nanos, f),
            1_000_000_000.. => (100_000_000, "s"),
            1_000_000.. => (100_000, "ms"),
            1_000.. => (100, "us"),
            0 => return f.write_str("0s"),
            _ => return write!(f, "{nanos}ns"),
        };
        let (tenth, unit) = tenths;
        match (nanos / tenth / 10, nanos / tenth % 10) {
            (whole, 0) => write!(f, "{whole}{unit}"),
            (whole, part) => write!(f, "{whole}.{part}{unit}"),
        }
    }
}

/// Days, hours, minutes and seconds, those that are not zero.
fn parts(nanos: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let seconds = nanos / 1_000_000_000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    parts
        .iter()
        .filter(|(part, _)| *part > 0)
        .try_for_each(|(part, unit)| write!(f, "{part}{unit}"))
}

/// The clock of one process or server, as it differs from true time.
///
/// `Date.now()` of a process is `floor((true + offset + drift) / 1 ms)`; its timers run on the
/// drifting monotonic clock, which a step of the wall clock does not touch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Clock {
    /// Wall clock minus true time, in nanoseconds, without drift.
    pub offset: i64,
    /// How much faster than true time the clock runs, in nanoseconds a second (1000 = 1 ppm).
    pub drift: i64,
    /// The true instant at which the drift started to add up.
    pub since: Instant,
}

impl Clock {
    /// What the wall clock shows, in milliseconds: JavaScript's `Date.now()`, Redis's `mstime()`.
    pub fn now_ms(&self, now: Instant) -> i64 {
        (now.nanos() + self.offset + self.drifted(now)).div_euclid(NANOS_PER_MS)
    }

    /// The true length of a timer that this clock measures as `span`.
    pub fn timer(&self, span: Span) -> Span {
        if self.drift == 0 {
            return span;
        }
        let ratio = i128::from(1_000_000_000) + i128::from(self.drift);
        let nanos = i128::from(span.nanos()) * 1_000_000_000 / ratio.max(1);
        Span::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    fn drifted(&self, now: Instant) -> i64 {
        if self.drift == 0 {
            return 0;
        }
        let elapsed = i128::from(now.nanos() - self.since.nanos());
        let nanos = elapsed * i128::from(self.drift) / 1_000_000_000;
        i64::try_from(nanos).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_now_rounds_down_before_the_epoch_too() {
        assert_eq!(Instant::from_nanos(-1).ms(), -1);
        assert_eq!(Instant::from_nanos(1_999_999).ms(), 1);
    }

    #[test]
    fn spans_print_in_their_largest_whole_unit() {
        let shown = [0, 250_000, 90_000_000_000, 1_200_000_000_000, 86_400_000_000_000]
            .map(|nanos| Span::from_nanos(nanos).to_string());
        assert_eq!(shown, ["0s", "250us", "90s", "20m", "1d"]);
    }

    #[test]
    fn durations_are_spans_and_back() {
        assert_eq!(Span::from(Duration::from_millis(1_500)), Span::from_ms(1_500));
        assert_eq!(Duration::from(Span::from_ms(1_500)), Duration::from_millis(1_500));
        assert_eq!(Span::from(Duration::MAX).nanos(), i64::MAX);
    }

    #[test]
    fn spans_are_rounded_for_people() {
        let ms = 1_000_000;
        let shown = [
            (0, "0s"),
            (7, "7ns"),
            (1_250, "1.3us"),
            (999_990, "1ms"),
            (2_000_000, "2ms"),
            (2_345 * ms, "2.3s"),
            (30_000 * ms, "30s"),
            (59_960 * ms, "1m"),
            (90_400 * ms, "1m30s"),
            (3_599_900 * ms, "1h"),
            (3_780_000 * ms, "1h3m"),
            (90_000_000 * ms, "1d1h"),
            (864_000_000 * ms, "10d"),
        ];
        for (nanos, expected) in shown {
            assert_eq!(Span::from_nanos(nanos).rounded().to_string(), expected, "{nanos}");
        }
    }

    #[test]
    fn a_fast_clock_shows_more_and_its_timers_fire_sooner() {
        let start = Instant::from_ms(1_000);
        let clock = Clock { offset: -3 * NANOS_PER_MS, drift: 1_000_000, since: start };
        assert_eq!(clock.now_ms(start + Span::from_secs(10)), 1_000 + 10_000 - 3 + 10);
        assert!(clock.timer(Span::from_secs(10)) < Span::from_secs(10));
    }
}
