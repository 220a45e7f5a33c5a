//! When a registration is due next, and what it is called: the client's half of both repeat APIs.
//!
//! Source: `repeat.js` and `job-scheduler.js`. Everything here is computed from the
//! calling process's own clock and time zone.

use super::QueueError;
use super::Version;
use super::cron::Cron;
use super::options::RepeatOptions;
use crate::civil::Zone;
use crate::mutants::{Mutant, planted};
use md5::{Digest, Md5};
use std::fmt::Write as _;

/// The next millisecond of a pattern after `millis`: `None` where cron-parser's iterator throws,
/// which BullMQ swallows, so that nothing is scheduled. The pattern is read by the calling client's
/// own library, whichever registered it.
///
/// # Errors
/// A pattern or time zone that cron-parser refuses is thrown to the caller.
pub(super) fn next_of_pattern(
    version: Version,
    repeat: &RepeatOptions,
    pattern: &str,
    millis: i64,
    now: i64,
    local: &Zone,
) -> Result<Option<i64>, QueueError> {
    let cron = Cron::read(pattern, version.cron());
    let cron = cron.map_err(|error| QueueError::Cron(error.to_string()))?;
    let zone = match &repeat.tz {
        None => local.clone(),
        Some(_) if planted(Mutant::Q6) => local.clone(),
        Some(name) => Zone::get(name)
            .ok_or_else(|| QueueError::Cron("CronDate: unhandled timestamp".to_owned()))?,
    };
    if repeat.immediately {
        return Ok(Some(now));
    }
    // Both parsers are given the end, and find nothing after it.
    Ok(cron.next(millis, &zone).filter(|next| repeat.end_date.is_none_or(|end| *next <= end)))
}

/// `getNextMillis` of `repeat.js`: the older API, which 6.x has not. Slots of `every` are aligned to
/// the epoch.
pub(super) fn next_millis(
    repeat: &RepeatOptions,
    millis: i64,
    now: i64,
    local: &Zone,
) -> Result<Option<i64>, QueueError> {
    match (&repeat.pattern, repeat.every) {
        (_, Some(every)) => {
            let slot = millis.div_euclid(every) * every;
            Ok(Some(if repeat.immediately { slot } else { slot + every }))
        }
        (Some(pattern), None) => {
            let from = repeat.start_date.map_or(millis, |start| start.max(millis));
            next_of_pattern(Version::V5_34_10, repeat, pattern, from, now, local)
        }
        (None, None) => Ok(None),
    }
}

/// `getRepeatConcatOptions`: the text that the older API hashes into a registration's key.
pub(super) fn concat_options(name: &str, repeat: &RepeatOptions) -> String {
    let job_id = repeat.job_id.as_deref().unwrap_or_default();
    let end = repeat.end_date.map(|end| end.to_string()).unwrap_or_default();
    let tz = repeat.tz.as_deref().unwrap_or_default();
    let every = repeat.every.map(|every| every.to_string());
    let suffix = repeat.pattern.as_deref().or(every.as_deref()).unwrap_or("undefined");
    if let Some(limit) = repeat.limit.filter(|_| planted(Mutant::Q5)) {
        return format!("{name}:{job_id}:{end}:{tz}:{suffix}:{limit}");
    }
    format!("{name}:{job_id}:{end}:{tz}:{suffix}")
}

/// The key of a registration that the older API makes.
#[must_use]
pub fn registration_key(name: &str, repeat: &RepeatOptions) -> String {
    let hashed = || md5_hex(&concat_options(name, repeat));
    repeat.key.clone().unwrap_or_else(hashed)
}

/// `hasLegacyRepeatableKeyShape` of 6.7: whether a key could be of the older API before it hashed
/// them: `name:id:endDate:tz:` and a pattern or a number.
pub(super) fn has_legacy_repeatable_key_shape(key: &[u8]) -> bool {
    let numeric = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let mut parts = key.splitn(5, |byte| *byte == b':').skip(2);
    let (Some(end), Some(_tz), Some(suffix)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    numeric(end) && !suffix.is_empty() && (suffix.contains(&b' ') || numeric(suffix))
}

/// The md5 of a text in hexadecimal.
pub(super) fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes everything");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, repeat: &RepeatOptions) -> String {
        md5_hex(&concat_options(name, repeat))
    }

    /// Keys that bullmq 5.34.10 itself made.
    #[test]
    fn keys_are_those_of_the_library() {
        let nightly =
            RepeatOptions { pattern: Some("0 0 3 * * *".into()), ..RepeatOptions::default() };
        assert_eq!(key("nightly", &nightly), "8059904b608869efd87e27b2185753b1");
        let with_id = RepeatOptions { job_id: Some("n1".into()), ..nightly };
        assert_eq!(key("nightly", &with_id), "f298fc134d6b3e70a5950555f61f1907");
        let every = RepeatOptions { every: Some(60_000), ..RepeatOptions::default() };
        assert_eq!(key("ev", &every), "c057f6c2b6eca7f237784435f8bf79a4");
        let zoned = RepeatOptions {
            pattern: Some("0 0 4 * * *".into()),
            tz: Some("America/New_York".into()),
            ..RepeatOptions::default()
        };
        assert_eq!(key("nightly", &zoned), "7878d02644c0c543cfc1d2754b4b9a39");
    }

    /// A pattern without `tz` is in the zone of the process, whatever reads it.
    #[test]
    fn the_zone_is_the_process_s_unless_one_is_given() {
        let noon = RepeatOptions::default();
        let tokyo = RepeatOptions { tz: Some("Asia/Tokyo".into()), ..RepeatOptions::default() };
        let local = Zone::get("America/New_York").expect("a zone");
        for version in Version::ALL {
            let next = |repeat| next_of_pattern(version, repeat, "0 12 * * *", 0, 0, &local);
            assert_eq!(next(&noon), Ok(Some(17 * 3_600_000)), "{version}");
            assert_eq!(next(&tokyo), Ok(Some(3 * 3_600_000)), "{version}");
        }
    }

    #[test]
    fn each_version_has_its_dialect() {
        let (repeat, utc) = (RepeatOptions::default(), Zone::utc());
        let next = |version, pattern| next_of_pattern(version, &repeat, pattern, 0, 0, &utc);
        for version in [Version::V5_34_10, Version::V5_81_5] {
            assert!(matches!(next(version, "@minutely"), Err(QueueError::Cron(_))));
            assert_eq!(next(version, "0 0 * * 4,4"), Ok(Some(7 * 86_400_000)));
        }
        assert_eq!(next(Version::V6_7_0, "@minutely"), Ok(Some(60_000)));
        assert!(matches!(next(Version::V6_7_0, "0 0 * * 4,4"), Err(QueueError::Cron(_))));
    }

    #[test]
    fn slots_of_every_are_aligned_to_the_epoch() {
        let every = RepeatOptions { every: Some(60_000), ..RepeatOptions::default() };
        let utc = Zone::utc();
        assert_eq!(next_millis(&every, 125_000, 125_000, &utc), Ok(Some(180_000)));
        let now = RepeatOptions { immediately: true, ..every };
        assert_eq!(next_millis(&now, 125_000, 125_000, &utc), Ok(Some(120_000)));
    }

    #[test]
    fn a_pattern_has_ticks_from_its_start_to_its_end() {
        let hourly = RepeatOptions {
            pattern: Some("0 * * * *".into()),
            start_date: Some(7_200_000),
            end_date: Some(10_800_000),
            ..RepeatOptions::default()
        };
        let next = |millis| next_millis(&hourly, millis, millis, &Zone::utc());
        assert_eq!(next(0), Ok(Some(10_800_000)));
        assert_eq!(next(10_800_000), Ok(None));
        assert_eq!(
            concat_options("r", &hourly),
            "r::10800000::0 * * * *",
            "the end is a part of the key, the start is not"
        );
    }

    #[test]
    fn an_old_key_has_an_end_and_a_pattern_or_a_number() {
        for (key, is) in [
            ("nightly::::0 3 * * *", true),
            ("ev::::60000", true),
            ("ev:id:123:UTC:60000", true),
            ("a:b:c:d:e", false),
            ("a:b:c:d:60000", false),
            ("a:b:::", false),
            ("a:b", false),
        ] {
            assert_eq!(has_legacy_repeatable_key_shape(key.as_bytes()), is, "{key}");
        }
    }
}
