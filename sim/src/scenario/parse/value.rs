//! Texts with a meaning: lengths of time, ranges of them, percentages.
//!
//! It takes a length of time only with its unit, exact to the nanosecond, and refuses what would
//! have to be guessed, rounded or wrapped. It knows nothing of tables or files: a fault points
//! into the text that it was given.

use std::ops::Range;

use super::super::diagnostic::code;
use super::names::shown;
use crate::clock::Span;

/// What is wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    /// The bytes of the text that are wrong.
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    fn new(code: &'static str, range: Range<usize>, message: impl Into<String>) -> Fault {
        let message = message.into();
        Fault { code, range, message, help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }

    /// The same fault in a text in which this one starts at `by`.
    fn shift(mut self, by: usize) -> Fault {
        self.range = self.range.start + by..self.range.end + by;
        self
    }
}

/// The units and their nanoseconds, from the greatest.
const UNITS: [(&str, i64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// What other tools call them.
const OTHER_UNITS: [(&str, &str); 28] = [
    ("day", "d"),
    ("days", "d"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("msec", "ms"),
    ("msecs", "ms"),
    ("milli", "ms"),
    ("millis", "ms"),
    ("millisecond", "ms"),
    ("milliseconds", "ms"),
    ("µs", "us"),
    ("μs", "us"),
    ("usec", "us"),
    ("micros", "us"),
    ("microsecond", "us"),
    ("microseconds", "us"),
    ("nanosecond", "ns"),
    ("nanoseconds", "ns"),
];

/// The units, in words.
pub(super) const UNITS_HELP: &str =
    "the units are ns, us, ms, s, m, h and d, as in \"250ms\", \"30s\" or \"1m30s\"";

/// For numbers without one.
pub(super) const BARE_HELP: &str = "BullMQ counts milliseconds and Kubernetes seconds, \
    so say which: \"30s\", \"500ms\" (or us, ns, m, h, d)";

/// A length of time: `30s`, `1m30s`, `0.4ms`.
pub(super) fn duration(text: &str) -> Result<Span, Fault> {
    let whole = 0..text.len();
    if text.trim().is_empty() {
        return Err(Fault::new(code::DURATION, whole, "a length of time is empty").help(UNITS_HELP));
    }
    if text.starts_with('-') {
        return Err(Fault::new(code::DURATION, whole, "a length of time cannot be negative"));
    }
    let (mut at, mut total, mut limit) = (0, 0_i64, i64::MAX);
    while at < text.len() {
        let part = part(&text[at..]).map_err(|fault| fault.shift(at))?;
        let end = at + part.len;
        if part.unit >= limit {
            let message = "units go from the greatest to the smallest, each once, as in \"1m30s\"";
            return Err(Fault::new(code::DURATION, at..end, message));
        }
        total = total.checked_add(part.nanos).ok_or_else(|| too_long(whole.clone()))?;
        (at, limit) = (end, part.unit);
    }
    Ok(Span::from_nanos(total))
}

/// A number with its unit.
struct Part {
    len: usize,
    unit: i64,
    nanos: i64,
}

/// The first number with its unit of a text that is not empty.
fn part(text: &str) -> Result<Part, Fault> {
    let digits = digits(text);
    let after = &text[digits..];
    let fraction = match after.strip_prefix('.') {
        Some(rest) => 1 + self::digits(rest),
        None => 0,
    };
    let number = digits + fraction;
    if digits == 0 || fraction == 1 {
        let message = format!("{} is no length of time", shown(text));
        return Err(Fault::new(code::DURATION, 0..text.len(), message).help(UNITS_HELP));
    }
    let rest = &text[number..];
    if rest.is_empty() {
        let message = format!("the unit is missing after {text}");
        return Err(Fault::new(code::NO_UNIT, 0..number, message).help(BARE_HELP));
    }
    let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let len = number + letters;
    let (name, unit) =
        unit(&rest[..letters], rest, &text[..number]).map_err(|fault| fault.shift(number))?;
    let nanos = nanos(&text[..digits], text.get(digits + 1..number).unwrap_or(""), unit);
    match nanos {
        Some(Ok(nanos)) => Ok(Part { len, unit, nanos }),
        Some(Err(())) => {
            let message = format!("{}{name} is no whole number of nanoseconds", &text[..number]);
            Err(Fault::new(code::DURATION, 0..len, message))
        }
        None => Err(too_long(0..len)),
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The unit that `letters` names; `rest` begins with them and comes after `number`.
fn unit(letters: &str, rest: &str, number: &str) -> Result<(&'static str, i64), Fault> {
    if let Some(&unit) = UNITS.iter().find(|(name, _)| *name == letters) {
        return Ok(unit);
    }
    if letters.is_empty() {
        let message =
            "a length of time is a number and a unit with nothing else between or around them";
        return Err(Fault::new(code::DURATION, 0..rest.len(), message).help(UNITS_HELP));
    }
    let lower = letters.to_lowercase();
    let ours = OTHER_UNITS.iter().find(|(other, _)| *other == lower).map(|&(_, ours)| ours);
    let ours = ours.or_else(|| UNITS.iter().map(|&(name, _)| name).find(|&name| name == lower));
    let help = match ours {
        Some(ours) => format!(
            "{} is written {}",
            shown(&format!("{number}{letters}")),
            shown(&format!("{number}{ours}"))
        ),
        None => UNITS_HELP.to_owned(),
    };
    let message = format!("there is no unit {}", shown(letters));
    Err(Fault::new(code::DURATION, 0..letters.len(), message).help(help))
}

/// `None` if it is too long, `Err` if it is not whole.
fn nanos(whole: &str, fraction: &str, unit: i64) -> Option<Result<i64, ()>> {
    let whole: i64 = whole.parse().ok()?;
    let whole = whole.checked_mul(unit)?;
    let fraction = fraction.trim_end_matches('0');
    // No unit has more than 14 digits of nanoseconds, so that a longer fraction is never whole.
    if fraction.len() > 14 {
        return Some(Err(()));
    }
    let scale = 10_i128.pow(fraction.len() as u32);
    let parts = i128::from(fraction.parse::<i64>().unwrap_or(0)) * i128::from(unit);
    if parts % scale != 0 {
        return Some(Err(()));
    }
    let parts = i64::try_from(parts / scale).ok()?;
    whole.checked_add(parts).map(Ok)
}

fn too_long(range: Range<usize>) -> Fault {
    let help = "the longest is about 292 years";
    Fault::new(code::DURATION, range, "this length of time is too long to count in nanoseconds")
        .help(help)
}

/// The ends of what is written as a range of lengths of time, or as one length; none if it is neither.
#[must_use]
pub fn span_range(text: &str) -> Option<(Span, Span)> {
    range(text).ok()
}

/// A range of lengths of time, `20s..90s`, or one length, which is a range of one.
pub(super) fn range(text: &str) -> Result<(Span, Span), Fault> {
    let Some((least, most)) = text.split_once("..") else {
        return duration(text).map(|span| (span, span));
    };
    let start = least.len() + 2;
    if most.starts_with(['=', '.']) || least.is_empty() || most.is_empty() {
        let message = format!("{} is no range", shown(text));
        let help = "a range is written \"20s..90s\", and has both its ends in it";
        return Err(Fault::new(code::RANGE, 0..text.len(), message).help(help));
    }
    let ends = (duration(least)?, duration(most).map_err(|fault| fault.shift(start))?);
    if ends.0 > ends.1 {
        let message = format!("the range begins at {} and ends before that, at {}", ends.0, ends.1);
        let help = format!("the smaller end comes first: \"{most}..{least}\"");
        return Err(Fault::new(code::RANGE, 0..text.len(), message).help(help));
    }
    Ok(ends)
}

/// A range of lengths of time before or after, `-2s..2s`, or one of them: in nanoseconds.
pub(super) fn signed_range(text: &str) -> Result<(i64, i64), Fault> {
    ends(text, "-2s..2s", |end, sign| duration(end).map(|span| sign * span.nanos()))
}

/// The fastest and slowest clock, in parts in a million.
const PPM_MAX: i64 = 100_000;

/// A range of parts in a million, `-200ppm..200ppm`, or one number of them: in thousands of those.
pub(super) fn ppm(text: &str) -> Result<(i64, i64), Fault> {
    ends(text, "-200ppm..200ppm", |end, sign| {
        let help = "a drift is a whole number of parts in a million: \"200ppm\"";
        let fault = |message| Fault::new(code::DURATION, 0..end.len(), message).help(help);
        let number = end.strip_suffix("ppm").filter(|number| digits(number) == number.len());
        let number = number.and_then(|number| number.parse::<i64>().ok());
        let number = number.ok_or_else(|| fault(format!("{} is no drift", shown(end))))?;
        if number > PPM_MAX {
            return Err(fault(format!("a drift is at most {PPM_MAX}ppm")));
        }
        Ok(sign * number * 1000)
    })
}

/// One or two ends, each perhaps with a sign, which is given to the reader of what follows it.
fn ends(
    text: &str,
    like: &str,
    read: impl Fn(&str, i64) -> Result<i64, Fault>,
) -> Result<(i64, i64), Fault> {
    let end = |text: &str| {
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        read(rest, sign).map_err(|fault| fault.shift(text.len() - rest.len()))
    };
    let Some((least, most)) = text.split_once("..") else {
        return end(text).map(|both| (both, both));
    };
    let start = least.len() + 2;
    let (low, high) = (end(least)?, end(most).map_err(|fault| fault.shift(start))?);
    if low > high {
        let message = format!("the range {} is the wrong way round", shown(text));
        let help = format!("the smaller end comes first, as in \"{like}\"");
        return Err(Fault::new(code::RANGE, 0..text.len(), message).help(help));
    }
    Ok((low, high))
}

/// A percentage with at most four decimals, in millionths: `25%` is 250,000.
pub(super) fn percent(text: &str) -> Result<u32, Fault> {
    let fault = |message: &str| {
        Fault::new(code::PERCENT, 0..text.len(), format!("{} {message}", shown(text)))
            .help("a percentage is written \"25%\" or \"0.5%\", with at most four decimals")
    };
    let Some(number) = text.strip_suffix('%') else {
        return Err(fault("has no percent sign"));
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let plain = |part: &str| !part.is_empty() && digits(part) == part.len();
    if !plain(whole) || !plain(fraction) {
        return Err(fault("is no percentage"));
    }
    if fraction.len() > 4 {
        return Err(fault("has more than four decimals"));
    }
    let millionths = whole.parse::<u32>().ok().and_then(|whole| whole.checked_mul(10_000));
    let fraction = format!("{fraction:0<4}").parse::<u32>().unwrap_or(0);
    millionths.and_then(|whole| whole.checked_add(fraction)).ok_or_else(|| fault("is too much"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos_of(text: &str) -> i64 {
        duration(text).expect("a length of time").nanos()
    }

    #[test]
    fn takes_units_compounds_and_fractions() {
        assert_eq!(nanos_of("0s"), 0);
        assert_eq!(nanos_of("1m30s"), 90_000_000_000);
        assert_eq!(nanos_of("0.2ms"), 200_000);
        assert_eq!(nanos_of("1.500000000s"), 1_500_000_000);
        assert_eq!(nanos_of("1d2h3m4s5ms6us7ns"), 93_784_005_006_007);
        assert_eq!(nanos_of("9223372036854775807ns"), i64::MAX);
        assert_eq!(nanos_of("0.00000000001d"), 864);
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        for (text, code, wrong) in [
            ("", code::DURATION, ""),
            (" ", code::DURATION, " "),
            ("-5s", code::DURATION, "-5s"),
            ("30", code::NO_UNIT, "30"),
            ("1.5", code::NO_UNIT, "1.5"),
            ("1m30", code::NO_UNIT, "30"),
            ("5 m", code::DURATION, " m"),
            ("5min", code::DURATION, "min"),
            ("1M", code::DURATION, "M"),
            ("3w", code::DURATION, "w"),
            ("1s1m", code::DURATION, "1m"),
            ("1s1s", code::DURATION, "1s"),
            ("0.5ns", code::DURATION, "0.5ns"),
            ("1.s", code::DURATION, "1.s"),
            (".5s", code::DURATION, ".5s"),
            ("+5s", code::DURATION, "+5s"),
            ("1e3s", code::DURATION, "e"),
            ("NaN", code::DURATION, "NaN"),
            ("5\u{661}s", code::DURATION, "\u{661}s"),
            ("999999999999999999h", code::DURATION, "999999999999999999h"),
            ("106751d24h", code::DURATION, "106751d24h"),
            ("0.000000000000000001d", code::DURATION, "0.000000000000000001d"),
        ] {
            let fault = duration(text).expect_err(text);
            assert_eq!((fault.code, &text[fault.range]), (code, wrong), "{text}");
        }
    }

    #[test]
    fn names_the_unit_that_was_meant() {
        let help = |text| duration(text).expect_err("no length of time").help;
        assert_eq!(help("5min").as_deref(), Some("`5min` is written `5m`"));
        assert_eq!(help("3H").as_deref(), Some("`3H` is written `3h`"));
        assert_eq!(help("3w").as_deref(), Some(UNITS_HELP));
    }

    #[test]
    fn ranges_have_two_ends_the_right_way_round() {
        let secs = Span::from_secs;
        assert_eq!(range("20s..90s"), Ok((secs(20), secs(90))));
        assert_eq!(range("5s"), Ok((secs(5), secs(5))));
        assert_eq!(range("5s..5s"), Ok((secs(5), secs(5))));
        for (text, code, wrong) in [
            ("90s..20s", code::RANGE, "90s..20s"),
            ("20s..=90s", code::RANGE, "20s..=90s"),
            ("20s...90s", code::RANGE, "20s...90s"),
            ("..90s", code::RANGE, "..90s"),
            ("20s..", code::RANGE, "20s.."),
            ("20s..90", code::NO_UNIT, "90"),
            ("20s..9min", code::DURATION, "min"),
            ("20s..90s..1m", code::DURATION, "..1m"),
        ] {
            let fault = range(text).expect_err(text);
            assert_eq!((fault.code, &text[fault.range]), (code, wrong), "{text}");
        }
    }

    #[test]
    fn percentages_have_four_decimals_at_most() {
        assert_eq!(percent("25%"), Ok(250_000));
        assert_eq!(percent("0.0001%"), Ok(1));
        assert_eq!(percent("100.5%"), Ok(1_005_000));
        for text in
            ["25", "25 %", "%", "-1%", "+1%", ".5%", "1.%", "1.00001%", "1e2%", "99999999%", "NaN%"]
        {
            assert_eq!(percent(text).expect_err(text).code, code::PERCENT, "{text}");
        }
    }

    #[test]
    fn signs_stand_before_each_end() {
        let s = 1_000_000_000;
        assert_eq!(signed_range("-2s..1s"), Ok((-2 * s, s)));
        assert_eq!(signed_range("+1s..+2s"), Ok((s, 2 * s)));
        assert_eq!(signed_range("-5s"), Ok((-5 * s, -5 * s)));
        assert_eq!(ppm("-200ppm..+300ppm"), Ok((-200_000, 300_000)));
        assert_eq!(ppm("0ppm"), Ok((0, 0)));
        for (text, wrong) in
            [("2s..-2s", "2s..-2s"), ("-2s..", ""), ("-2s..-3", "3"), ("--2s", "-2s")]
        {
            let fault = signed_range(text).expect_err(text);
            assert_eq!(&text[fault.range], wrong, "{text}");
        }
        for text in ["5", "5 ppm", "ppm", "-ppm", "1.5ppm", "100001ppm", "99999999999999999999ppm"]
        {
            assert!(ppm(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_span_prints_is_that_span(nanos in 0..i64::MAX) {
            let span = Span::from_nanos(nanos);
            prop_assert_eq!(duration(&span.to_string()), Ok(span));
        }

        #[test]
        fn faults_point_into_the_text(text in "[0-9.dhmsnuµ %=-]{0,12}") {
            let faults = [
                duration(&text).err(),
                range(&text).err(),
                percent(&text).err(),
                signed_range(&text).err(),
                ppm(&text).err(),
            ];
            for fault in faults.into_iter().flatten() {
                prop_assert!(text.get(fault.range.clone()).is_some(), "{:?}", fault);
            }
        }
    }
}
