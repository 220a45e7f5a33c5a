//! What a schedule intends: the instants at which it is due.
//!
//! This is the yardstick for the firings a run produces, so it does not use their search; of a
//! cron dialect it takes only what the fields of a pattern say. It refuses every oddity of a
//! scheduler: a due time that the clocks skip is due all the same, and one that they show twice
//! is due once.

use crate::bullmq::cron::{Cron, Fields};
use crate::civil::{DAY_MS, Date, MAX_INSTANT_MS, SECOND_MS, Span, Zone, weekday};

/// How far a tick is looked for. The rarest patterns, the fifth Monday of a February, come
/// every 28 years, or 40 around 2100.
const HORIZON_MS: i64 = 45 * 366 * DAY_MS;

/// The due instants, or *ticks*, of a schedule.
///
/// Of a pattern: every local time that matches. A local time that the clocks skip is due once,
/// at the instant it would have been had they not changed; one that they show twice is due at
/// the first pass. If the hours are unrestricted, the pattern means elapsed time instead: every
/// pass counts, and nothing is due for an hour that was not.
///
/// Of a period: every instant that is a whole number of periods from a given one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticks(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Pattern { fields: Fields, zone: Zone },
    Every { period_ms: i64, phase_ms: i64 },
}

impl Ticks {
    /// The ticks of a pattern in a zone. One with an entry that its dialect throws at
    /// ([`Fields::bad_last`]) has none.
    #[must_use]
    pub fn pattern(cron: &Cron, zone: Zone) -> Ticks {
        Ticks(Kind::Pattern { fields: cron.fields().clone(), zone })
    }

    /// The ticks of `every`: `phase_ms` (0 for the epoch, or the instant of a first firing) and
    /// every `period_ms` before and after it. A period below 1 ms has no ticks.
    #[must_use]
    pub fn every(period_ms: i64, phase_ms: i64) -> Ticks {
        Ticks(Kind::Every { period_ms, phase_ms })
    }

    /// The last tick at an instant or before it, in ms since the epoch. `None` if there is none
    /// within 45 years.
    #[must_use]
    pub fn at_or_before(&self, ms: i64) -> Option<i64> {
        in_range(ms)?;
        match &self.0 {
            Kind::Pattern { fields, zone } => last_until(fields, zone, ms),
            Kind::Every { period_ms, phase_ms } => last_multiple(ms, *period_ms, *phase_ms),
        }
    }

    /// The first tick strictly after an instant, in ms since the epoch. `None` if there is none
    /// within 45 years.
    #[must_use]
    pub fn after(&self, ms: i64) -> Option<i64> {
        in_range(ms)?;
        match &self.0 {
            Kind::Pattern { fields, zone } => first_from(fields, zone, ms + 1),
            Kind::Every { period_ms, phase_ms } => {
                last_multiple(ms, *period_ms, *phase_ms)?.checked_add(*period_ms)
            }
        }
    }
}

fn in_range(ms: i64) -> Option<()> {
    (ms.unsigned_abs() <= MAX_INSTANT_MS.unsigned_abs()).then_some(())
}

fn last_multiple(ms: i64, period_ms: i64, phase_ms: i64) -> Option<i64> {
    if period_ms < 1 {
        return None;
    }
    let since = ms.checked_sub(phase_ms)?.rem_euclid(period_ms);
    ms.checked_sub(since)
}

/// The local times of one offset, from the first to one after the last, that are due at the
/// instant they have under it.
struct Window {
    from: i64,
    until: i64,
    offset_ms: i64,
}

impl Window {
    /// The part of it at `ms` or later.
    fn since(self, ms: i64) -> Window {
        let from = self.from.max(ms + self.offset_ms);
        Window { from, ..self }
    }

    /// The part of it at `ms` or earlier.
    fn up_to(self, ms: i64) -> Window {
        let until = self.until.min(ms + self.offset_ms + 1);
        Window { until, ..self }
    }
}

/// The windows that fall into a span: the local times it shows, and those that the change of
/// clocks before it skipped, which are counted on as if there had been no change.
fn windows(fields: &Fields, zone: &Zone, span: Span) -> [Option<Window>; 2] {
    let offset_ms = span.offset_ms;
    let mut shown =
        Window { from: span.start_ms + offset_ms, until: span.end_ms + offset_ms, offset_ms };
    if !span.has_previous() || fields.any_hour() {
        return [Some(shown), None];
    }
    let before_ms = zone.span_at(span.start_ms - 1).offset_ms;
    let shown_already = span.start_ms + before_ms;
    if before_ms < offset_ms {
        let skipped = Window { from: shown_already, until: shown.from, offset_ms: before_ms };
        return [Some(shown), Some(skipped)];
    }
    shown.from = shown_already;
    [Some(shown), None]
}

fn first_from(fields: &Fields, zone: &Zone, ms: i64) -> Option<i64> {
    if fields.bad_last().is_some() {
        return None;
    }
    let end = ms + HORIZON_MS;
    let mut from = ms;
    while from < end {
        let span = zone.span_at(from);
        let due = |window: Window| {
            let window = window.since(ms).up_to(end);
            Some(first_local(fields, window.from, window.until)? - window.offset_ms)
        };
        let first = windows(fields, zone, span).into_iter().flatten().filter_map(due).min();
        if first.is_some() {
            return first;
        }
        from = span.end_ms;
    }
    None
}

fn last_until(fields: &Fields, zone: &Zone, ms: i64) -> Option<i64> {
    if fields.bad_last().is_some() {
        return None;
    }
    let end = ms - HORIZON_MS;
    let mut until = ms;
    while until > end {
        let span = zone.span_at(until);
        let due = |window: Window| {
            let window = window.since(end).up_to(ms);
            Some(last_local(fields, window.from, window.until)? - window.offset_ms)
        };
        let last = windows(fields, zone, span).into_iter().flatten().filter_map(due).max();
        if last.is_some() {
            return last;
        }
        until = span.start_ms - 1;
    }
    None
}

/// The first local time of a window, in ms, that matches.
fn first_local(fields: &Fields, from: i64, until: i64) -> Option<i64> {
    let from = ceil_to_second(from);
    let mut days = from.div_euclid(DAY_MS);
    let mut time = from.rem_euclid(DAY_MS) / SECOND_MS;
    while days * DAY_MS < until {
        let date = Date::from_days(days);
        if !bit(fields.months(), date.month.into()) {
            days = date.next_month().to_days();
            time = 0;
            continue;
        }
        if fields.allows_day(date, weekday(days)) == Some(true)
            && let Some(found) = time_from(fields, time)
        {
            let local = days * DAY_MS + found * SECOND_MS;
            return (local < until).then_some(local);
        }
        days += 1;
        time = 0;
    }
    None
}

/// The last local time of a window, in ms, that matches.
fn last_local(fields: &Fields, from: i64, until: i64) -> Option<i64> {
    let last = until - 1;
    let mut days = last.div_euclid(DAY_MS);
    let mut time = last.rem_euclid(DAY_MS) / SECOND_MS;
    while (days + 1) * DAY_MS > from {
        let date = Date::from_days(days);
        if !bit(fields.months(), date.month.into()) {
            days -= i64::from(date.day);
        } else {
            if fields.allows_day(date, weekday(days)) == Some(true)
                && let Some(found) = time_until(fields, time)
            {
                let local = days * DAY_MS + found * SECOND_MS;
                return (local >= from).then_some(local);
            }
            days -= 1;
        }
        time = DAY_MS / SECOND_MS - 1;
    }
    None
}

/// The first second of a day, at `time` or later, that the time fields allow.
fn time_from(fields: &Fields, time: i64) -> Option<i64> {
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    let (hours, minutes, seconds) = (fields.hours(), fields.minutes(), fields.seconds());
    let (first_minute, first_second) = (first_bit(minutes, 0)?, first_bit(seconds, 0)?);
    if bit(hours, hour) {
        if bit(minutes, minute)
            && let Some(second) = first_bit(seconds, second)
        {
            return Some(hour * 3_600 + minute * 60 + second);
        }
        if let Some(minute) = first_bit(minutes, minute + 1) {
            return Some(hour * 3_600 + minute * 60 + first_second);
        }
    }
    let hour = first_bit(hours, hour + 1)?;
    Some(hour * 3_600 + first_minute * 60 + first_second)
}

/// The last second of a day, at `time` or earlier, that the time fields allow.
fn time_until(fields: &Fields, time: i64) -> Option<i64> {
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    let (hours, minutes, seconds) = (fields.hours(), fields.minutes(), fields.seconds());
    let (last_minute, last_second) = (last_bit(minutes, 59)?, last_bit(seconds, 59)?);
    if bit(hours, hour) {
        if bit(minutes, minute)
            && let Some(second) = last_bit(seconds, second)
        {
            return Some(hour * 3_600 + minute * 60 + second);
        }
        if let Some(minute) = last_bit(minutes, minute - 1) {
            return Some(hour * 3_600 + minute * 60 + last_second);
        }
    }
    let hour = last_bit(hours, hour - 1)?;
    Some(hour * 3_600 + last_minute * 60 + last_second)
}

fn bit(bits: u64, at: i64) -> bool {
    (0..64).contains(&at) && bits >> at & 1 == 1
}

/// The lowest bit that is set at `at` or above it (0 to 63).
fn first_bit(bits: u64, at: i64) -> Option<i64> {
    let above = bits >> at << at;
    (above != 0).then(|| above.trailing_zeros().into())
}

/// The highest bit that is set at `at` (up to 63) or below it.
fn last_bit(bits: u64, at: i64) -> Option<i64> {
    let below = if at < 0 { 0 } else { bits << (63 - at) };
    (below != 0).then(|| at - i64::from(below.leading_zeros()))
}

fn ceil_to_second(ms: i64) -> i64 {
    ms + (-ms).rem_euclid(SECOND_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticks(pattern: &str, zone: &str) -> Ticks {
        let zone = Zone::get(zone).expect("a zone");
        Ticks::pattern(&Cron::parse(pattern).expect("a pattern"), zone)
    }

    fn ms(text: &str) -> i64 {
        let instant: jiff::Timestamp = text.parse().expect("an instant");
        instant.as_millisecond()
    }

    /// The ticks between two instants, found in both directions.
    #[track_caller]
    fn check(pattern: &str, zone: &str, from: &str, to: &str, expected: &[&str]) {
        let ticks = ticks(pattern, zone);
        let (from, to) = (ms(from), ms(to));
        let mut forward = Vec::new();
        let mut at = from;
        while let Some(next) = ticks.after(at).filter(|&next| next <= to) {
            forward.push(next);
            at = next;
        }
        let mut back = Vec::new();
        at = to;
        while let Some(last) = ticks.at_or_before(at).filter(|&last| last > from) {
            back.insert(0, last);
            at = last - 1;
        }
        let expected: Vec<i64> = expected.iter().map(|text| ms(text)).collect();
        assert_eq!(forward, expected);
        assert_eq!(back, expected);
    }

    #[test]
    fn a_skipped_time_is_due_later() {
        check(
            "*/30 2 * * *",
            "America/New_York",
            "2026-03-08T00:00:00Z",
            "2026-03-09T06:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:00:00Z"],
        );
        check(
            "0 0 * * *",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            "2018-11-05T12:00:00Z",
            &["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
        );
        check(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "2026-10-04T12:00:00Z",
            &["2026-10-03T15:45:00Z"],
        );
    }

    #[test]
    fn a_repeated_time_is_due_once() {
        check(
            "30 1 * * *",
            "America/New_York",
            "2026-11-01T00:00:00Z",
            "2026-11-02T12:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        );
        check(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            "2026-04-05T00:00:00Z",
            &["2026-04-04T14:45:00Z"],
        );
    }

    #[test]
    fn every_pass_counts_if_the_hours_are_free() {
        check(
            "30 * * * *",
            "America/New_York",
            "2026-11-01T05:00:00Z",
            "2026-11-01T08:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:30:00Z"],
        );
    }

    #[test]
    fn a_pattern_that_names_no_day_has_no_ticks() {
        for pattern in ["0 0 31 2,4,6 *", "0 0 * * L"] {
            let ticks = ticks(pattern, "Europe/Berlin");
            assert_eq!(ticks.after(0), None);
            assert_eq!(ticks.at_or_before(0), None);
        }
    }

    #[test]
    fn finds_the_rarest_days() {
        let rare = ticks("0 0 * 2 1#5", "UTC");
        let first = ms("2044-02-29T00:00:00Z");
        assert_eq!(rare.after(ms("2016-02-29T00:00:00Z")), Some(first));
        assert_eq!(rare.at_or_before(first - 1), Some(ms("2016-02-29T00:00:00Z")));
        assert_eq!(rare.after(ms("2072-02-29T00:00:00Z")), Some(ms("2112-02-29T00:00:00Z")));
    }

    #[test]
    fn periods_are_aligned_to_the_phase() {
        let epoch = Ticks::every(60_000, 0);
        assert_eq!(epoch.after(120_000), Some(180_000));
        assert_eq!(epoch.at_or_before(120_000), Some(120_000));
        let phased = Ticks::every(60_000, 1_500);
        assert_eq!(phased.after(-1), Some(1_500));
        assert_eq!(phased.at_or_before(61_499), Some(1_500));
        for period in [0, -5] {
            assert_eq!(Ticks::every(period, 0).after(7), None);
        }
        assert_eq!(Ticks::every(i64::MAX, 0).after(7), Some(i64::MAX));
        assert_eq!(Ticks::every(1, i64::MIN).after(7), None);
    }

    proptest! {
        #[test]
        fn both_directions_agree(
            pattern in "(\\*/7|[0-5]?[0-9]) (\\*|[0-3]|\\*/5) (\\*|[1-9]) (\\*|4|10) (\\*|[0-6]|0#1)",
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
            at in 1_400_000_000_000_i64..2_000_000_000_000,
        ) {
            let ticks = ticks(&pattern, zone);
            let next = ticks.after(at).expect("within 45 years");
            prop_assert!(next > at);
            prop_assert_eq!(ticks.at_or_before(next), Some(next));
            let last = ticks.at_or_before(next - 1).expect("within 45 years");
            prop_assert!(last <= at);
            prop_assert_eq!(ticks.after(last), Some(next));
        }

        #[test]
        fn no_instant_panics(at in any::<i64>(), period in any::<i64>(), phase in any::<i64>()) {
            let _ = ticks("0 3 * * *", "Europe/Berlin").after(at);
            let _ = ticks("0 3 * * *", "Europe/Berlin").at_or_before(at);
            let _ = Ticks::every(period, phase).after(at);
            let _ = Ticks::every(period, phase).at_or_before(at);
        }
    }
}
