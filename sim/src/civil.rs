//! Civil time: the calendar, and time zones from the data compiled into jiff.
//!
//! It refuses the time zone of the machine it runs on, in every spelling luxon has for it
//! (`local`, `system`, `default`), and anything that is not a name: paths, offsets such as
//! `+02:00`, abbreviations nobody registered. Two runs of one binary see the same zones.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

/// Milliseconds in a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60_000;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a day of 24 hours.
pub const DAY_MS: i64 = 86_400_000;

/// The largest distance from the epoch, in ms, that a JavaScript `Date` can hold
/// (ECMA-262, "Time Values and Time Range"). Instants beyond it are refused here.
pub const MAX_INSTANT_MS: i64 = 8_640_000_000_000_000;

/// Beyond every instant, yet far enough from the ends of `i64` that sums do not overflow.
const FAR_MS: i64 = 1 << 60;

/// Changes of offset from this year on (UTC) are not kept.
const LAST_YEAR: i32 = 2200;

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// The year; 0 is 1 BC.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
}

impl Date {
    /// The date `days` days after 1970-01-01.
    ///
    /// Meant for days within [`MAX_INSTANT_MS`] of the epoch; the year saturates far beyond it.
    #[must_use]
    pub fn from_days(days: i64) -> Date {
        // Years are counted from March, so that the leap day is the last day of a year and a
        // month's length follows from its number (400 years are always 146,097 days).
        let shifted = days.saturating_add(719_468);
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096).div_euclid(365);
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let (month, carry) =
            if from_march < 10 { (from_march + 3, 0) } else { (from_march - 9, 1) };
        let year = year_of_era + era * 400 + carry;
        Date {
            year: i32::try_from(year).unwrap_or(if year < 0 { i32::MIN } else { i32::MAX }),
            month: month as u8,
            day: day as u8,
        }
    }

    /// Days from 1970-01-01 to this date; negative before it.
    #[must_use]
    pub fn to_days(self) -> i64 {
        let early = self.month <= 2;
        let year = i64::from(self.year) - i64::from(early);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let from_march = i64::from(self.month) + if early { 9 } else { -3 };
        let of_year = (153 * from_march + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day after this one.
    #[must_use]
    pub fn tomorrow(self) -> Date {
        if self.day < days_in_month(self.year, self.month) {
            let day = self.day + 1;
            Date { day, ..self }
        } else {
            self.next_month()
        }
    }

    /// The first day of the month after this one.
    #[must_use]
    pub fn next_month(self) -> Date {
        let (year, month) = if self.month < 12 {
            (self.year, self.month + 1)
        } else {
            (self.year.saturating_add(1), 1)
        };
        let day = 1;
        Date { year, month, day }
    }
}

/// The weekday of the day `days` days after 1970-01-01: 0 for Sunday to 6 for Saturday.
#[must_use]
pub fn weekday(days: i64) -> u8 {
    // The epoch was a Thursday.
    (days.rem_euclid(7) + 4).rem_euclid(7) as u8
}

/// The number of days of a month (1 to 12) of a year; 31 for a month that is not one.
#[must_use]
pub fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// A stretch of time over which a zone keeps one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant of it, ms; far before every instant if it has no beginning.
    pub start_ms: i64,
    /// The first instant after it, ms; far beyond every instant if it has no end.
    pub end_ms: i64,
    /// Local time minus UTC, in ms.
    pub offset_ms: i64,
}

impl Span {
    /// Whether an instant lies in it.
    #[must_use]
    pub fn contains(&self, ms: i64) -> bool {
        self.start_ms <= ms && ms < self.end_ms
    }

    /// Whether a span comes before it, that is, whether its start is a change of offset.
    #[must_use]
    pub fn has_previous(&self) -> bool {
        self.start_ms > -FAR_MS
    }
}

/// A time zone: a name, and the offset from UTC at every instant.
///
/// Cheap to clone. Two zones are equal if their names are; `Asia/Calcutta` and `Asia/Kolkata`
/// are not.
#[derive(Clone)]
pub struct Zone(Arc<Table>);

struct Table {
    name: String,
    /// Where each span starts, ms, ascending; the first is far before every instant.
    starts_ms: Vec<i64>,
    /// The offset of each span, s.
    offsets_s: Vec<i32>,
}

impl Zone {
    /// The zone of this name, or `None` if luxon 3.7.2 on Node.js would not take it, or would
    /// take the zone of its host.
    ///
    /// Case does not matter (luxon, and ECMA-402's `IsValidTimeZoneName`); the zone has the
    /// registered spelling. Besides IANA names, luxon's own forms are taken: `utc`, `gmt`, and
    /// `UTC+3`, `UTC-3:30`. ICU's legacy names (`PST`, `IST`), which Node.js 20 takes, are
    /// refused: they are not in the IANA data. Offsets change as in the edition of that data
    /// that jiff was built with, up to the year 2200; after it the last offset stays.
    #[must_use]
    pub fn get(name: &str) -> Option<Zone> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "utc" | "gmt" => return Some(Zone::utc()),
            // To luxon the first three are its process's own zone; the last two are in the IANA
            // data, but Node.js refuses them.
            "default" | "local" | "system" | "etc/unknown" | "factory" => return None,
            _ => {}
        }
        if let Some(offset_s) = lower.strip_prefix("utc").and_then(fixed_offset) {
            return Some(Zone::fixed(name.to_ascii_uppercase(), offset_s));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
        if !name.chars().all(plain) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        let name = zone.iana_name()?.to_owned();
        let mut starts_ms = vec![-FAR_MS];
        let mut offsets_s = vec![zone.to_offset(Timestamp::MIN).seconds()];
        let last_ms = Date { year: LAST_YEAR, month: 1, day: 1 }.to_days() * DAY_MS;
        for change in zone.following(Timestamp::MIN) {
            let at_ms = change.timestamp().as_millisecond();
            if at_ms >= last_ms {
                break;
            }
            let offset_s = change.offset().seconds();
            // A change of abbreviation alone is no change here.
            if offsets_s.last() != Some(&offset_s) {
                starts_ms.push(at_ms);
                offsets_s.push(offset_s);
            }
        }
        Some(Zone(Arc::new(Table { name, starts_ms, offsets_s })))
    }

    /// The names of the IANA data that Node.js takes, in the order of the alphabet.
    #[must_use]
    pub fn names() -> Vec<String> {
        let database = TimeZoneDatabase::bundled();
        let mut names: Vec<_> = database.available().map(|name| name.to_string()).collect();
        names.retain(|name| !["Etc/Unknown", "Factory"].contains(&&**name));
        names.sort();
        names
    }

    /// Coordinated Universal Time, which is the zone of every process unless its environment
    /// says otherwise.
    #[must_use]
    pub fn utc() -> Zone {
        Zone::fixed("UTC".to_owned(), 0)
    }

    fn fixed(name: String, offset_s: i32) -> Zone {
        Zone(Arc::new(Table { name, starts_ms: vec![-FAR_MS], offsets_s: vec![offset_s] }))
    }

    /// The name, in its registered spelling.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Local time minus UTC, in seconds, at an instant.
    #[must_use]
    pub fn offset_s(&self, ms: i64) -> i32 {
        self.0.offsets_s[self.index(ms)]
    }

    /// The stretch of one offset that an instant lies in.
    #[must_use]
    pub fn span_at(&self, ms: i64) -> Span {
        let index = self.index(ms);
        Span {
            start_ms: self.0.starts_ms[index],
            end_ms: self.0.starts_ms.get(index + 1).copied().unwrap_or(FAR_MS),
            offset_ms: i64::from(self.0.offsets_s[index]) * SECOND_MS,
        }
    }

    fn index(&self, ms: i64) -> usize {
        // The first span starts before every instant that is not refused elsewhere.
        let after = self.0.starts_ms.partition_point(|&start| start <= ms);
        after.saturating_sub(1)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

/// What follows `utc` in luxon's names of fixed offsets, in seconds: `+3`, `-03:30`.
fn fixed_offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match text[1..].split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None => (&text[1..], "0"),
    };
    let number = |digits: &str| {
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        (plain && (1..=2).contains(&digits.len())).then(|| digits.parse::<i32>().ok()).flatten()
    };
    Some(sign * (number(hours)? * 3_600 + number(minutes)? * 60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::get(name).expect("a zone that exists")
    }

    #[test]
    fn takes_names_as_luxon_does() {
        assert_eq!(zone("america/NEW_york").name(), "America/New_York");
        assert_eq!(zone("America/New_York"), zone("america/new_york"));
        assert_eq!(zone("gmt"), Zone::utc());
        assert_eq!(zone("utc-3:30").offset_s(0), -12_600);
        assert_eq!(zone("UTC+14").offset_s(0), 50_400);
        assert_eq!(zone("Etc/GMT+5").offset_s(0), -18_000);
    }

    #[test]
    fn refuses_what_is_no_name() {
        for name in [
            "",
            "local",
            "System",
            "default",
            "/etc/localtime",
            "../UTC",
            "+02:00",
            "America",
            "Europe/Berlin ",
            "Europe/Nowhere",
            "utc+",
            "utc+123",
            "utc+1:2",
            "Etc/Unknown",
            "Köln",
        ] {
            assert_eq!(Zone::get(name), None, "{name}");
        }
    }

    #[test]
    fn knows_when_new_york_changes_its_clocks() {
        // 2026-03-08T07:00Z and 2026-11-01T06:00Z.
        let (spring, autumn) = (1_772_953_200_000, 1_793_512_800_000);
        let zone = zone("America/New_York");
        assert_eq!(zone.offset_s(spring - 1), -5 * 3_600);
        assert_eq!(zone.offset_s(spring), -4 * 3_600);
        let span = zone.span_at(spring);
        assert_eq!((span.start_ms, span.end_ms), (spring, autumn));
    }

    #[test]
    fn keeps_one_offset_at_the_ends_of_time() {
        for name in ["UTC", "Europe/Berlin", "Pacific/Apia"] {
            let zone = zone(name);
            for ms in [i64::MIN, -MAX_INSTANT_MS, MAX_INSTANT_MS, i64::MAX] {
                assert!(zone.offset_s(ms).abs() < 90_000, "{name} {ms}");
            }
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_agree(days in -100_000_000_i64..100_000_000) {
            let date = Date::from_days(days);
            prop_assert_eq!(date.to_days(), days);
            prop_assert_eq!(date.tomorrow(), Date::from_days(days + 1));
            prop_assert!(date.day <= days_in_month(date.year, date.month));
        }

        #[test]
        fn dates_agree_with_jiff(ms in -60_000_000_000_000_i64..200_000_000_000_000) {
            let there = jiff::tz::TimeZone::UTC
                .to_datetime(Timestamp::from_millisecond(ms).expect("in range"));
            let days = ms.div_euclid(DAY_MS);
            let here = Date::from_days(days);
            prop_assert_eq!(i32::from(there.year()), here.year);
            prop_assert_eq!((there.month() as u8, there.day() as u8), (here.month, here.day));
            let sunday_is_0 = there.weekday().to_sunday_zero_offset() as u8;
            prop_assert_eq!(sunday_is_0, weekday(days));
        }

        #[test]
        fn no_name_panics(name in "\\PC{0,12}") {
            let _ = Zone::get(&name);
        }
    }
}
