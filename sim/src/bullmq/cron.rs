//! When a cron pattern fires, as the cron-parser that BullMQ uses has it.
//!
//! This follows what cron-parser does, 4.9.0 of BullMQ 5 and 5.10.3 of BullMQ 6 (both on luxon
//! 3.7.2), not what cron says: in a gap of daylight saving it may shift a run, drop it, or drop the
//! day, and after 10,000 steps it gives up. What a pattern *means* is for the oracle, which does
//! not use this search. It refuses patterns that cron-parser refuses, and knows no options besides
//! the zone: `startDate` and `endDate` are BullMQ's part. (BullMQ hands both on, but a search that
//! begins at the later of now and `startDate` is not changed by it in either dialect, and past
//! `endDate` both throw, which is no firing.)

mod clock;
mod fields;
mod fields5;
mod search4;
mod search5;

use std::error::Error;
use std::fmt;

use crate::civil::{MAX_INSTANT_MS, Zone};

pub use fields::{CronError, Fields};

/// Whose reading of a pattern it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CronDialect {
    /// cron-parser 4.9.0, of every BullMQ 5.
    V4,
    /// cron-parser 5.10.3, of BullMQ 6.
    V5,
}

/// As what reads it is called, without the last number of its version.
impl fmt::Display for CronDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CronDialect::V4 => "cron-parser 4.9",
            CronDialect::V5 => "cron-parser 5.10",
        })
    }
}

/// A cron pattern that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    pattern: String,
    dialect: CronDialect,
    fields: Fields,
}

impl Cron {
    /// Reads a pattern that is no library's, such as the intention of a schedule: in the dialect
    /// of cron-parser 4.9.0.
    ///
    /// # Errors
    ///
    /// As [`Cron::read`].
    pub fn parse(pattern: &str) -> Result<Cron, CronError> {
        Cron::read(pattern, CronDialect::V4)
    }

    /// Reads a pattern in a dialect.
    ///
    /// # Errors
    ///
    /// What that package throws, with its message, and where in the pattern the fault is. Some
    /// patterns that can never fire are no error: `0 0 31 2,4 *`, and to 4.9.0 `0 0 * * L`. An `H`
    /// of 5.10.3 is refused with a message of our own: it is another time at each reading.
    pub fn read(pattern: &str, dialect: CronDialect) -> Result<Cron, CronError> {
        let fields = match dialect {
            CronDialect::V4 => Fields::parse(pattern)?,
            CronDialect::V5 => fields5::parse(pattern)?,
        };
        Ok(Cron { pattern: pattern.to_owned(), dialect, fields })
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whose reading this is.
    #[must_use]
    pub fn dialect(&self) -> CronDialect {
        self.dialect
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
        let seen = match self.dialect {
            CronDialect::V4 => Seen::V4(search4::Seen::default()),
            CronDialect::V5 => Seen::V5(search5::Seen::default()),
        };
        Fires { fields: &self.fields, zone, at_ms: after_ms, seen }
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

/// The firings of a pattern, one after the other.
///
/// What it saw of a change of clocks stays with it from one firing to the next, as in
/// cron-parser's iterator.
#[derive(Clone, Debug)]
pub struct Fires<'a> {
    fields: &'a Fields,
    zone: &'a Zone,
    at_ms: i64,
    seen: Seen,
}

/// What was seen of a change of clocks.
#[derive(Clone, Debug)]
enum Seen {
    V4(search4::Seen),
    V5(search5::Seen),
}

impl Fires<'_> {
    /// The next firing, in ms since the epoch.
    ///
    /// # Errors
    ///
    /// Where cron-parser's `next` throws. It can be asked again, and goes on from where it was.
    pub fn advance(&mut self) -> Result<i64, NoFire> {
        // Instants out of range are out of the range of the searches' sums, too.
        if self.at_ms.unsigned_abs() > MAX_INSTANT_MS.unsigned_abs() {
            return Err(NoFire::StepLimit);
        }
        self.at_ms = match &mut self.seen {
            Seen::V4(seen) => search4::advance(self.fields, self.zone, self.at_ms, seen)?,
            Seen::V5(seen) => search5::advance(self.fields, self.zone, self.at_ms, seen)
                .ok_or(NoFire::StepLimit)?,
        };
        Ok(self.at_ms)
    }
}

impl Iterator for Fires<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.advance().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::civil::{Date, HOUR_MS, MINUTE_MS, SECOND_MS, weekday};

    use super::fields::has;
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

    fn v5(pattern: &str) -> Cron {
        Cron::read(pattern, CronDialect::V5).expect("a pattern")
    }

    #[test]
    fn the_newer_dialect_says_where_errors_are() {
        for (pattern, message, wrong) in [
            ("* * * * * * 2024", "Invalid cron expression, too many fields", "2024"),
            ("  ", "Invalid characters, got value: ", ""),
            ("/5 * * * *", "Constraint error, got range NaN-59 expected range 0-59", "/5"),
            ("* 24 * * *", "Constraint error, got value 24 expected range 0-23", "24"),
            ("0 0 1,1 * *", "CronDayOfMonth Validation error, duplicate values found: 1", "1,1"),
            ("0 0 * * sun,7", "CronDayOfWeek Validation error, duplicate values found: 0", "sun,7"),
            ("0 0 * * 1,L", "CronDayOfWeek Validation error, unexpected standalone L", "1,L"),
            (
                "0 0 L5 * *",
                "CronDayOfMonth Validation error, got value L5 expected range 1-31 or chars L",
                "L5",
            ),
            ("0 0 30 feb *", "Invalid explicit day of month definition", "30"),
            (
                "0 0 * * 1/2,3#1",
                "Constraint error, invalid dayOfWeek `#` and `/` special characters are incompatible",
                "1/2,3#1",
            ),
            (
                "0 H(1-5)/2 * * *",
                "H stands for a value that is drawn anew whenever the pattern is read",
                "H(1-5)/2",
            ),
        ] {
            let error = Cron::read(pattern, CronDialect::V5).expect_err("no pattern");
            assert_eq!(error.to_string(), message);
            assert_eq!(&pattern[error.span()], wrong, "{pattern}");
        }
        let long = format!("0{}", " ".repeat(1_024));
        let error = Cron::read(&long, CronDialect::V5).expect_err("it is too long");
        assert!(error.to_string().starts_with("Invalid cron expression, too long"));
    }

    #[test]
    fn the_newer_dialect_reads_what_it_should_not() {
        for (odd, plain) in [
            ("", "* * * * *"),
            ("? ? ? ? ?", "* * * * *"),
            ("@weekends", "0 0 * * 0,6"),
            ("5*/5 * * * *", "50-59/5 * * * *"),
            ("1-5-90 * * * *", "1-5 * * * *"),
            ("0 0 * mon *", "0 0 * 1 *"),
            ("0 0 * * jan", "0 0 * * mon"),
            ("0 0 3L * *", "0 0 L * *"),
            ("0 0 * * 8L", "0 0 * * 1L"),
            ("0 0 * * 1#0b10", "0 0 * * 1#2"),
            ("0 0 * * 3000000000000000000000", "0 0 * * 3"),
            ("0 0 30,31,1 2 *", "0 0 1 2 *"),
        ] {
            assert_eq!(v5(odd).fields(), v5(plain).fields(), "{odd}");
        }
    }

    /// A field that lists all its days is restricted to 5.10.3, and a `#` is about the weekdays.
    #[test]
    fn the_dialects_differ_about_days() {
        let start = ms("2024-01-15T10:23:00Z");
        for (pattern, v4, v5) in [
            ("0 0 1-31 * 1", "2024-01-22T00:00:00Z", "2024-01-16T00:00:00Z"),
            ("0 0 20 * 5#4", "2024-01-26T00:00:00Z", "2024-01-20T00:00:00Z"),
            ("0 0 * * 1,5L", "2024-01-22T00:00:00Z", "2024-01-22T00:00:00Z"),
        ] {
            for (dialect, expected) in [(CronDialect::V4, v4), (CronDialect::V5, v5)] {
                let cron = Cron::read(pattern, dialect).expect("a pattern");
                assert_eq!(
                    cron.next(start, &Zone::utc()),
                    Some(ms(expected)),
                    "{pattern} {dialect}"
                );
            }
        }
    }

    #[test]
    fn the_newer_dialect_gives_up_where_clocks_go_back_half_an_hour() {
        let zone = zone("Australia/Lord_Howe");
        let start = ms("2024-04-06T13:00:00Z");
        assert_eq!(cron("0 2 * * *").next(start, &zone), Some(ms("2024-04-06T15:30:00Z")));
        assert_eq!(v5("0 2 * * *").next(start, &zone), None);
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
                for dialect in [CronDialect::V4, CronDialect::V5] {
                    match Cron::read(&pattern, dialect) {
                        Ok(cron) => {
                            let _ = cron.next(after, &zone);
                        }
                        Err(error) => prop_assert!(pattern.get(error.span()).is_some()),
                    }
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
