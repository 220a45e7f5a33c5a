//! Reading the arguments of a command, with Redis's rules and Redis's errors.

use super::bytes::{Bytes, Key, parse_int};
use super::error::Error;

/// Whether an argument is this word, in any case.
pub(super) fn is(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

/// An integer of 64 bits (object.c `getLongLongFromObjectOrReply`).
pub(super) fn int(argument: &[u8]) -> Result<i64, Error> {
    parse_int(argument).ok_or(Error::NotAnInteger)
}

/// An integer that is not negative, or else an error of this text
/// (`getPositiveLongFromObjectOrReply`).
pub(super) fn positive(argument: &[u8], otherwise: &'static str) -> Result<usize, Error> {
    let number = parse_int(argument).ok_or(Error::Text(otherwise))?;
    usize::try_from(number).map_err(|_| Error::Text(otherwise))
}

/// An integer that is not negative (`getPositiveLongFromObjectOrReply` without a text).
pub(super) fn natural(argument: &[u8]) -> Result<usize, Error> {
    positive(argument, "ERR value is out of range, must be positive")
}

/// A number (`getDoubleFromObjectOrReply`).
pub(super) fn float(argument: &[u8]) -> Result<f64, Error> {
    parse_float(argument).filter(|number| !number.is_nan()).ok_or(Error::NotAFloat)
}

/// What C's `strtod` reads, if it reads all of it: decimal, hexadecimal, `inf`, `infinity` and
/// `nan` in any case and with a sign. No space before it, and what overflows is refused.
pub(super) fn parse_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = match digits.as_bytes().first()? {
        b'0'..=b'9' | b'.' if digits.len() > 2 && is(&digits.as_bytes()[..2], "0x") => {
            hexadecimal(&digits[2..])?
        }
        b'0'..=b'9' | b'.' => {
            let number: f64 = digits.parse().ok()?;
            if number.is_infinite() {
                return None;
            }
            number
        }
        _ if is(digits.as_bytes(), "inf") || is(digits.as_bytes(), "infinity") => f64::INFINITY,
        _ if is(digits.as_bytes(), "nan") => f64::NAN,
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// A hexadecimal number after its `0x`, of at most 64 bits of digits.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = match text.find(['p', 'P']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2f64.powi(exponent.checked_sub(places)?))
}

/// Keys among the arguments.
pub(super) fn keys(arguments: &[Bytes]) -> Vec<Key> {
    arguments.iter().map(|argument| Key::from(argument.clone())).collect()
}

/// `numkeys key…` at the beginning of `arguments`: the keys and what follows them. A number below 1
/// is an error of the given text, more than there are a syntax error.
pub(super) fn counted_keys<'a>(
    arguments: &'a [Bytes],
    otherwise: &'static str,
) -> Result<(Vec<Key>, &'a [Bytes]), Error> {
    let (count, rest) = arguments.split_first().ok_or(Error::Syntax)?;
    let count = int(count)?;
    if count < 1 {
        return Err(Error::Text(otherwise));
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= rest.len());
    let (named, rest) = rest.split_at(count.ok_or(Error::Syntax)?);
    Ok((keys(named), rest))
}

/// A timeout of a blocking command, given in seconds with a fraction, in milliseconds rounded up;
/// 0 is for ever (timeout.c `getTimeoutFromObjectOrReply`).
pub(super) fn timeout(argument: &[u8], now_ms: i64) -> Result<u64, Error> {
    let seconds = parse_float(argument)
        .filter(|seconds| !seconds.is_nan())
        .ok_or(Error::Text("ERR timeout is not a float or out of range"))?;
    let ms = (seconds * 1000.0).ceil();
    // What does not fit is the least of all integers to C on x86-64.
    if ms < 0.0 || ms >= i64::MAX as f64 {
        return Err(Error::Text("ERR timeout is negative"));
    }
    let room = i64::MAX.saturating_sub(now_ms);
    Ok((ms as u64).min(room.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_what_strtod_reads_whole() {
        let read = |text: &str| parse_float(text.as_bytes());
        assert_eq!(read("3.5"), Some(3.5));
        assert_eq!(read("-1e3"), Some(-1000.0));
        assert_eq!(read("+.5"), Some(0.5));
        assert_eq!(read("0x1p3"), Some(8.0));
        assert_eq!(read("0xA.8"), Some(10.5));
        assert_eq!(read("-INF"), Some(f64::NEG_INFINITY));
        assert_eq!(read("Infinity"), Some(f64::INFINITY));
        assert!(read("nan").is_some_and(f64::is_nan));
        for wrong in ["", " 1", "1 ", "1e", "0x", "e1", "1e400", "--1", "infinit", "1_0", "."] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn timeouts_are_whole_milliseconds() {
        assert_eq!(timeout(b"0.0001", 0), Ok(1));
        assert_eq!(timeout(b"0", 0), Ok(0));
        assert_eq!(timeout(b"-1", 0), Err(Error::Text("ERR timeout is negative")));
        assert!(timeout(b"1e300", 0).is_err() && timeout(b"a", 0).is_err());
    }
}
