//! When a cron pattern fires, as the cron-parser that BullMQ 5 uses has it.
//!
//! This follows what cron-parser 4.9.0 does (on luxon 3.7.2), not what cron says: in a gap of
//! daylight saving it may shift a run, drop it, or drop the day, and after 10,000 steps it gives
//! up. What a pattern *means* is for the oracle, which does not use this search. It refuses
//! patterns that cron-parser refuses, and knows no options besides the zone: `startDate` and
//! `endDate` are BullMQ's part.

mod clock;
mod fields;

use std::error::Error;
use std::fmt;

use crate::civil::{HOUR_MS, MAX_INSTANT_MS, MINUTE_MS, SECOND_MS, Zone};

pub use fields::{CronError, Fields};

use clock::{Clock, STEP_LIMIT};
use fields::has;

/// Whose reading of a pattern it is.
///
/// BullMQ 6 has cron-parser 5, which reads some patterns otherwise; its dialect goes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronDialect {
    /// cron-parser 4.9.0, of every BullMQ 5.
    V4,
}

/// A cron pattern that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    pattern: String,
    fields: Fields,
}

impl Cron {
    /// Reads a pattern in the dialect of cron-parser 4.9.0.
    ///
    /// # Errors
    ///
    /// What that package throws, with its message, and where in the pattern the fault is. Some
    /// patterns that can never fire are no error: `0 0 * * L`, `0 0 31 2,4 *`.
    pub fn parse(pattern: &str) -> Result<Cron, CronError> {
        Ok(Cron { pattern: pattern.to_owned(), fields: Fields::parse(pattern)? })
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whose reading this is.
    #[must_use]
    pub fn dialect(&self) -> CronDialect {
        CronDialect::V4
    }

    /// What the pattern says, for those who search on their own.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The first firing after an instant, both in ms since the epoch, or `None` where
    /// cron-parser throws; BullMQ swallows that, and the schedule ends.
    ///
    /// The pattern is read afresh for it, as BullMQ does: an iterator that goes on
    /// ([`Cron::fires`]) can differ around a change of clocks.
    #[must_use]
    pub fn next(&self, after_ms: i64, zone: &Zone) -> Option<i64> {
        self.fires(after_ms, zone).advance().ok()
    }

    /// The firings after an instant, as one iterator of cron-parser gives them.
    #[must_use]
    pub fn fires<'a>(&'a self, after_ms: i64, zone: &'a Zone) -> Fires<'a> {
        Fires { fields: &self.fields, zone, at_ms: after_ms, dst_start: None, dst_end: None }
    }
}

/// Why there is no next firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoFire {
    /// No date within 10,000 steps of the search, or none that JavaScript can hold.
    StepLimit,
    /// An entry of the weekdays such as a bare `L` was met.
    LastWeekday(String),
}

impl fmt::Display for NoFire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoFire::StepLimit => f.write_str("Invalid expression, loop limit exceeded"),
            NoFire::LastWeekday(entry) => {
                write!(f, "Invalid last weekday of the month expression: {entry}")
            }
        }
    }
}

impl Error for NoFire {}

/// How a search moves on from an instant that does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Day,
    Month,
    Hour,
    /// An hour, with no eye on the clocks.
    PlainHour,
    Minute,
    Second,
}

/// The firings of a pattern, one after the other.
///
/// What it saw of a change of clocks stays with it from one firing to the next, as in
/// cron-parser's iterator.
#[derive(Clone, Debug)]
pub struct Fires<'a> {
    fields: &'a Fields,
    zone: &'a Zone,
    at_ms: i64,
    /// The hour that the clocks were put forward to, while the search is in it.
    dst_start: Option<u8>,
    /// The hour that the clocks were put back to, until the search comes to it.
    dst_end: Option<u8>,
}

impl Fires<'_> {
    /// The next firing, in ms since the epoch.
    ///
    /// # Errors
    ///
    /// Where cron-parser's `next` throws. It can be asked again, and goes on from where it was.
    pub fn advance(&mut self) -> Result<i64, NoFire> {
        // Instants out of range are out of the range of the sums below, too.
        if self.at_ms.unsigned_abs() > MAX_INSTANT_MS.unsigned_abs() {
            return Err(NoFire::StepLimit);
        }
        let mut clock = Clock::at(self.zone, self.at_ms);
        let mut steps = 1;
        while steps < STEP_LIMIT {
            match self.mismatch(&clock)? {
                Some(step) => steps += self.take(step, &mut clock),
                None if clock.ms > MAX_INSTANT_MS => break,
                None => {
                    self.at_ms = clock.ms;
                    return Ok(clock.ms);
                }
            }
        }
        Err(NoFire::StepLimit)
    }

    /// The step to take from here, or `None` at a firing.
    fn mismatch(&mut self, clock: &Clock<'_>) -> Result<Option<Step>, NoFire> {
        let fields = self.fields;
        match fields.allows_day(clock.date, clock.weekday) {
            Some(true) => {}
            Some(false) => return Ok(Some(Step::Day)),
            None => {
                let entry = fields.bad_last().unwrap_or_default().to_owned();
                return Err(NoFire::LastWeekday(entry));
            }
        }
        if !has(fields.months(), clock.date.month) {
            return Ok(Some(Step::Month));
        }
        let hour = clock.hour;
        if has(fields.hours(), hour) {
            if self.dst_end == Some(hour) {
                self.dst_end = None;
                return Ok(Some(Step::Hour));
            }
        } else if self.dst_start != Some(hour) {
            self.dst_start = None;
            return Ok(Some(Step::Hour));
        } else if !hour.checked_sub(1).is_some_and(|h| has(fields.hours(), h)) {
            return Ok(Some(Step::PlainHour));
        }
        if !has(fields.minutes(), clock.minute) {
            return Ok(Some(Step::Minute));
        }
        if !has(fields.seconds(), clock.second) || clock.ms == self.at_ms {
            return Ok(Some(Step::Second));
        }
        Ok(None)
    }

    /// Takes a step, or as many of them at once as are sure to be taken with nothing seen on the
    /// way: no match, no change of clocks. Returns how many.
    fn take(&mut self, step: Step, clock: &mut Clock<'_>) -> u32 {
        let leap = match step {
            Step::Day => clock.leap_days(self.fields),
            Step::Month => clock.leap_month(),
            // In an hour that the clocks were put forward to, the next step depends on it.
            Step::Hour if self.dst_start.is_some() => None,
            Step::Hour => clock.leap(HOUR_MS, to_next(self.fields.hours(), clock.hour, 24)),
            Step::Minute => clock.leap(MINUTE_MS, to_next(self.fields.minutes(), clock.minute, 60)),
            Step::Second => clock.leap(SECOND_MS, to_next(self.fields.seconds(), clock.second, 60)),
            Step::PlainHour => None,
        };
        if let Some(steps) = leap {
            return steps;
        }
        match step {
            Step::Day => clock.add_day(),
            Step::Month => clock.add_month(),
            Step::PlainHour => clock.add_hour(),
            Step::Hour | Step::Minute | Step::Second => self.shift(step, clock),
        }
        1
    }

    /// cron-parser 4.9.0: `_applyTimezoneShift`, for hours and less.
    fn shift(&mut self, step: Step, clock: &mut Clock<'_>) {
        let before = clock.hour;
        match step {
            Step::Minute => clock.add_short(MINUTE_MS),
            Step::Second => clock.add_short(SECOND_MS),
            _ => clock.add_hour(),
        }
        if self.fields.any_hour() {
            return;
        }
        if clock.hour == before + 2 {
            self.dst_start = Some(clock.hour);
        } else if clock.hour == before && clock.minute == 0 && clock.second == 0 {
            self.dst_end = Some(clock.hour);
        }
    }
}

impl Iterator for Fires<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.advance().ok()
    }
}

/// The distance from `at` to the next bit of a field, or to the field's end.
fn to_next(bits: u64, at: u8, end: u8) -> u32 {
    let above = bits >> at >> 1;
    if above == 0 { u32::from(end.saturating_sub(at)) } else { above.trailing_zeros() + 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::civil::{Date, weekday};

    use super::*;

    fn cron(pattern: &str) -> Cron {
        Cron::parse(pattern).expect("a pattern")
    }

    fn zone(name: &str) -> Zone {
        Zone::get(name).expect("a zone")
    }

    fn ms(text: &str) -> i64 {
        let instant: jiff::Timestamp = text.parse().expect("an instant");
        instant.as_millisecond()
    }

    #[track_caller]
    fn check(pattern: &str, zone_name: &str, after: &str, expected: &[&str]) {
        let (cron, zone) = (cron(pattern), zone(zone_name));
        let fires: Vec<i64> = cron.fires(ms(after), &zone).take(expected.len()).collect();
        let expected: Vec<i64> = expected.iter().map(|text| ms(text)).collect();
        assert_eq!(fires, expected);
    }

    #[test]
    fn fires_strictly_after_and_rounds_up() {
        let (cron, zone) = (cron("0 * * * *"), Zone::utc());
        let hour = ms("2026-01-01T10:00:00Z");
        assert_eq!(cron.next(hour - 1, &zone), Some(hour));
        assert_eq!(cron.next(hour, &zone), Some(hour + HOUR_MS));
        assert_eq!(cron.next(hour + 1, &zone), Some(hour + HOUR_MS));
    }

    #[test]
    fn a_run_in_the_gap_is_an_hour_later() {
        check(
            "0 30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
            &["2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"],
        );
    }

    #[test]
    fn a_run_in_the_gap_is_lost_from_within_the_hour() {
        check(
            "0 30 2 * * *",
            "America/New_York",
            "2026-03-08T07:00:00Z",
            &["2026-03-09T06:30:00Z"],
        );
    }

    #[test]
    fn a_repeated_hour_counts_once_from_before_it() {
        check(
            "0 30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        );
        check(
            "0 30 1 * * *",
            "America/New_York",
            "2026-11-01T06:00:00Z",
            &["2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"],
        );
    }

    #[test]
    fn a_gap_at_midnight_costs_the_day() {
        check("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", &["2018-11-05T02:00:00Z"]);
    }

    #[test]
    fn a_fresh_reading_forgets_the_gap() {
        let (cron, berlin) = (cron("*/30 2 * * *"), zone("Europe/Berlin"));
        let first = ms("2024-03-31T01:00:00Z");
        let iterated: Vec<i64> = cron.fires(first - 1, &berlin).take(2).collect();
        assert_eq!(iterated, [first, first + 30 * MINUTE_MS]);
        assert_eq!(cron.next(first, &berlin), Some(ms("2024-04-01T00:00:00Z")));
    }

    #[test]
    fn gives_up_where_cron_parser_does() {
        let zone = Zone::utc();
        let start = ms("2024-01-01T00:00:00Z");
        let fire = |pattern| cron(pattern).fires(start, &zone).advance();
        assert_eq!(fire("0 0 31 2,4,6 *"), Err(NoFire::StepLimit));
        assert_eq!(fire("0 0 * * L"), Err(NoFire::LastWeekday("L".to_owned())));
        assert_eq!(cron("* * * * *").next(i64::MAX, &zone), None);
        assert_eq!(cron("* * * * *").next(i64::MIN, &zone), None);
        assert_eq!(cron("* * * * *").next(MAX_INSTANT_MS, &zone), None);
    }

    #[test]
    fn errors_say_where() {
        for (pattern, message, wrong) in [
            ("* 24 * * *", "Constraint error, got value 24 expected range 0-23", "24"),
            (" 0  0 30 feb *", "Invalid explicit day of month definition", "30"),
            ("* * * * * * 2024 x", "Invalid cron expression", "2024 x"),
            ("@reboot", "Validation error, cannot resolve alias \"reb\"", "@reboot"),
            ("/5 * * * *", "Constraint error, got value -59 expected range 0-59", "/5"),
        ] {
            let error = Cron::parse(pattern).expect_err("no pattern");
            assert_eq!(error.to_string(), message);
            assert_eq!(&pattern[error.span()], wrong);
        }
    }

    #[test]
    fn reads_what_it_should_not() {
        for (odd, plain) in [
            ("", "* * * * *"),
            ("0", "* * * * 0"),
            ("5* * * * *", "50-59 * * * *"),
            ("-0 0- * * *", "0 0 * * *"),
            ("0 0 * janfeb *", "0 0 * 12 *"),
            ("0 0 * * 8L", "0 0 * * 1L"),
            ("0 0 * * 1#0b10", "0 0 * * 1#2"),
        ] {
            assert_eq!(cron(odd).fields(), cron(plain).fields(), "{odd}");
        }
    }

    fn any_pattern() -> impl Strategy<Value = String> {
        let word =
            prop_oneof!["[0-9*?L#,/-]{1,5}", "[0-9]{1,2}(/[0-9]{1,2})?", Just("*".to_owned())];
        prop::collection::vec(word, 0..7).prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn nothing_panics(pattern in any_pattern(), text in "\\PC{0,9}", after in any::<i64>()) {
            let zone = zone("Australia/Lord_Howe");
            for pattern in [pattern, text] {
                match Cron::parse(&pattern) {
                    Ok(cron) => {
                        let next = cron.next(after, &zone);
                        prop_assert!(next.is_none_or(|next| next > after));
                    }
                    Err(error) => prop_assert!(pattern.get(error.span()).is_some()),
                }
            }
        }

        #[test]
        fn fires_at_the_first_match_in_utc(
            pattern in "(\\*|[0-5]?[0-9]) (\\*|1?[0-9]|\\*/7) (\\*|[1-9]|1-15) \\* (\\*|[0-6])",
            after in 1_400_000_000_i64..2_000_000_000,
        ) {
            let cron = cron(&pattern);
            let fields = cron.fields();
            let matches = |minute: i64| {
                let days = minute.div_euclid(1_440);
                has(fields.minutes(), minute.rem_euclid(60) as u8)
                    && has(fields.hours(), (minute.rem_euclid(1_440) / 60) as u8)
                    && fields.allows_day(Date::from_days(days), weekday(days)) == Some(true)
            };
            let first = (after.div_euclid(60) + 1..).find(|&minute| matches(minute));
            let first = first.map(|minute| minute * MINUTE_MS);
            prop_assert_eq!(cron.next(after * SECOND_MS, &Zone::utc()), first);
        }
    }
}
