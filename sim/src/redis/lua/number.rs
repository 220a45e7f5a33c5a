//! Numbers as C writes and reads them: `printf` with `%.14g` and `%.17g`, `strtod`, and the casts
//! of a double to an integer that it may not fit.

use std::fmt::Write;

/// Writes `number` as `printf("%.*g", digits, number)` does.
pub(super) fn write(number: f64, digits: usize, out: &mut Vec<u8>) {
    if number.fract() == 0.0 && number.abs() < 10f64.powi(digits as i32) {
        if number == 0.0 && number.is_sign_negative() {
            out.push(b'-');
        }
        return integer(number as i64, out);
    }
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        let name = if number.is_nan() { "nan" } else { "inf" };
        out.extend_from_slice(sign.as_bytes());
        return out.extend_from_slice(name.as_bytes());
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("it was asked for");
    let exponent: i32 = exponent.parse().expect("an exponent is an integer");
    if exponent < -4 || exponent >= digits as i32 {
        out.extend_from_slice(without_zeros(mantissa).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        let tail = format!("e{sign}{:02}", exponent.unsigned_abs());
        return out.extend_from_slice(tail.as_bytes());
    }
    let mut fixed = String::new();
    let places = usize::try_from(digits as i32 - 1 - exponent).unwrap_or_default();
    write!(fixed, "{number:.places$}").expect("a string takes all");
    out.extend_from_slice(without_zeros(&fixed).as_bytes());
}

/// Writes an integer in decimal.
pub(super) fn integer(number: i64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let mut at = text.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&text[at..]);
}

/// A number without the zeros at the end of its fraction.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// What C's `strtod` reads at the beginning of `text`, where no space is, and how many bytes that
/// is; `None`: there is no number.
pub(super) fn read(text: &[u8]) -> Option<(f64, usize)> {
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let (magnitude, length) = magnitude(&text[signed..])?;
    let negative = text.first() == Some(&b'-');
    Some((if negative { -magnitude } else { magnitude }, signed + length))
}

fn magnitude(text: &[u8]) -> Option<(f64, usize)> {
    let begins = |word: &str| {
        text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    if begins("infinity") {
        return Some((f64::INFINITY, 8));
    }
    if begins("inf") {
        return Some((f64::INFINITY, 3));
    }
    if begins("nan") {
        return Some((f64::NAN, 3 + parenthesis(&text[3..])));
    }
    if begins("0x")
        && let Some((number, length)) = hexadecimal(&text[2..])
    {
        return Some((number, 2 + length));
    }
    let mut end = digits(text, 0);
    let mut count = end;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(text, end + 1);
        count += fraction - end - 1;
        end = fraction;
    }
    if count == 0 {
        return None;
    }
    end = exponent(text, end, b'e');
    let number = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((number, end))
}

/// Where the digits end that begin at `from`.
fn digits(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where the exponent ends that may begin at `from`, with `letter` in either case.
fn exponent(text: &[u8], from: usize, letter: u8) -> usize {
    if text.get(from).is_none_or(|byte| !byte.eq_ignore_ascii_case(&letter)) {
        return from;
    }
    let sign = usize::from(matches!(text.get(from + 1), Some(b'-' | b'+')));
    let end = digits(text, (from + 1 + sign).min(text.len()));
    if end == from + 1 + sign { from } else { end }
}

/// The length of the `(…)` that may follow `nan`.
fn parenthesis(text: &[u8]) -> usize {
    let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = text.iter().skip(1).take_while(inside).count();
    let whole = text.first() == Some(&b'(') && text.get(length + 1) == Some(&b')');
    if whole { length + 2 } else { 0 }
}

/// A hexadecimal number after its `0x`.
fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let (mut mantissa, mut scale, mut sticky) = (0_u64, 0_i32, false);
    let (mut at, mut count, mut fraction) = (0, 0, false);
    while let Some(byte) = text.get(at) {
        if let Some(digit) = char::from(*byte).to_digit(16) {
            count += 1;
            if mantissa >> 58 == 0 {
                mantissa = mantissa * 16 + u64::from(digit);
                scale -= if fraction { 4 } else { 0 };
            } else {
                sticky |= digit != 0;
                scale += if fraction { 0 } else { 4 };
            }
        } else if *byte == b'.' && !fraction {
            fraction = true;
        } else {
            break;
        }
        at += 1;
    }
    if count == 0 {
        return None;
    }
    let end = exponent(text, at, b'p');
    if end > at {
        let power = std::str::from_utf8(&text[at + 1..end]).ok()?;
        let power: i32 = power.parse().unwrap_or(if power.starts_with('-') { -9999 } else { 9999 });
        scale = scale.saturating_add(power.clamp(-9999, 9999));
    }
    // A bit below all others stands for the digits that were left out: rounding sees them.
    let number = (mantissa | u64::from(sticky)) as f64;
    Some((number * 2f64.powi(scale / 2) * 2f64.powi(scale - scale / 2), end))
}

/// `(long long) number`, as x86 does it: what does not fit is the least integer.
pub(super) fn to_i64(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number as i64 } else { i64::MIN }
}

/// `(int) number`, as x86 does it.
pub(super) fn to_i32(number: f64) -> i32 {
    let whole = number.trunc();
    let fits = whole >= f64::from(i32::MIN) && whole <= f64::from(i32::MAX);
    if fits { whole as i32 } else { i32::MIN }
}

/// `(unsigned long) number`, as x86 does it.
pub(super) fn to_u64(number: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if number >= HALF { to_i64(number - HALF) as u64 ^ (1 << 63) } else { to_i64(number) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: f64, digits: usize) -> String {
        let mut out = Vec::new();
        write(number, digits, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_printf_does() {
        let fourteen = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (1e14, "1e+14"),
            (99_999_999_999_999.0, "99999999999999"),
            (1_784_246_400_000_123.0, "1.7842464000001e+15"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (123_456.789_012_345_67, "123456.78901235"),
            (-1e100, "-1e+100"),
            (1.0 / 3.0, "0.33333333333333"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, expected) in fourteen {
            assert_eq!(text(number, 14), expected);
        }
        assert_eq!(text(3.3, 17), "3.2999999999999998");
        assert_eq!(text(1e17, 17), "1e+17");
        assert_eq!(text(9_007_199_254_740_993.0, 17), "9007199254740992");
        assert_eq!(text(12_345_678_901_234_567.0, 17), "12345678901234568");
        assert_eq!(text(12.0, 1), "1e+01");
        assert_eq!(text(f64::NAN.copysign(-1.0), 17), "-nan");
    }

    #[test]
    fn numbers_are_read_as_strtod_does() {
        let read = |text: &str| read(text.as_bytes());
        assert_eq!(read("12abc"), Some((12.0, 2)));
        assert_eq!(read("-1.5e3,"), Some((-1500.0, 6)));
        assert_eq!(read("1e"), Some((1.0, 1)));
        assert_eq!(read("1e+"), Some((1.0, 1)));
        assert_eq!(read(".5."), Some((0.5, 2)));
        assert_eq!(read("5."), Some((5.0, 2)));
        assert_eq!(read("0x1p3"), Some((8.0, 5)));
        assert_eq!(read("0xA.8p-1z"), Some((5.25, 8)));
        assert_eq!(read("0xg"), Some((0.0, 1)));
        assert_eq!(read("-Infinityx"), Some((f64::NEG_INFINITY, 9)));
        assert_eq!(read("infi"), Some((f64::INFINITY, 3)));
        assert_eq!(read("1e999"), Some((f64::INFINITY, 5)));
        assert!(read("nan(abc)").is_some_and(|(number, length)| number.is_nan() && length == 8));
        for wrong in ["", "-", ".", "+.", "x", "e5"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn casts_are_those_of_the_machine() {
        assert_eq!((to_i64(-3.99), to_i64(1e300), to_i64(f64::NAN)), (-3, i64::MIN, i64::MIN));
        assert_eq!((to_i32(2147483647.5), to_i32(2147483648.0)), (i32::MAX, i32::MIN));
        assert_eq!((to_u64(1.8e19), to_u64(-1.0)), (18_000_000_000_000_000_000, u64::MAX));
    }
}
