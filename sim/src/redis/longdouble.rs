//! Numbers of INCRBYFLOAT and HINCRBYFLOAT: the 80-bit `long double` of x86-64.
//!
//! Read as by C's `strtold`, added, and written as Redis writes them (`%.17Lf` without the zeros at
//! its end); all exact, rounded once, ties to even. Nothing else is needed, so nothing else is here.

use super::args;
use super::bytes::Bytes;

/// A text of this length or longer is not read (util.h `MAX_LONG_DOUBLE_CHARS`).
const TOO_LONG: usize = 5 * 1024;
/// The exponent of the last bit of the smallest number.
const LEAST: i64 = -16_445;
/// The exponent of the last bit of the largest numbers.
const MOST: i64 = 16_383 - 63;
/// Digits after the point when written.
const PLACES: u32 = 17;

/// A number that is not NaN.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct LongDouble {
    negative: bool,
    size: Size,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Size {
    /// `mantissa` times two to the power of `exponent`: the mantissa's highest bit is set, or the
    /// exponent is [`LEAST`].
    Finite {
        mantissa: u64,
        exponent: i64,
    },
    Infinite,
}

impl LongDouble {
    /// Nought.
    pub(super) const ZERO: LongDouble =
        LongDouble { negative: false, size: Size::Finite { mantissa: 0, exponent: LEAST } };

    /// Reads a number as Redis does (util.c `string2ld`): all of `text` is one, it is not NaN, and
    /// neither too large nor so small that it becomes nought.
    pub(super) fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TOO_LONG {
            return None;
        }
        let (negative, digits) = match text.first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if args::is(digits, "inf") || args::is(digits, "infinity") {
            return Some(LongDouble { negative, size: Size::Infinite });
        }
        let size = match digits {
            [b'0', b'x' | b'X', rest @ ..] => parse_digits::<16>(rest)?,
            _ => parse_digits::<10>(digits)?,
        };
        (size != Size::Infinite).then_some(LongDouble { negative, size })
    }

    /// The sum; `None`: it is not a finite number.
    pub(super) fn add(self, other: LongDouble) -> Option<LongDouble> {
        let (
            Size::Finite { mantissa: a, exponent: ea },
            Size::Finite { mantissa: b, exponent: eb },
        ) = (self.size, other.size)
        else {
            return None;
        };
        let ((large, el), (small, es)) =
            if ea >= eb { ((self, ea), (other, eb)) } else { ((other, eb), (self, ea)) };
        let (ml, ms) = if ea >= eb { (a, b) } else { (b, a) };
        // 62 bits below the last one of the larger: enough, with one bit for all that is lost.
        let left = u128::from(ml) << 62;
        let right = shift_right(u128::from(ms) << 62, el - es);
        let same = large.negative == small.negative;
        let (negative, sum) = match (same, left >= right) {
            (true, _) => (large.negative, left + right),
            (false, true) => (large.negative, left - right),
            (false, false) => (small.negative, right - left),
        };
        // The sum of two noughts keeps a minus only if both have it.
        let negative = if sum == 0 { large.negative && small.negative } else { negative };
        match round(sum, el - 62) {
            Size::Infinite => None,
            size => Some(LongDouble { negative, size }),
        }
    }

    /// The text that Redis makes of it: at most 17 digits after the point, no exponent.
    pub(super) fn text(self) -> Bytes {
        let sign = if self.negative { "-" } else { "" };
        let Size::Finite { mantissa, exponent } = self.size else {
            return Bytes::from(format!("{sign}inf"));
        };
        let digits = if exponent >= 0 {
            let mut whole = Big::from(u128::from(mantissa));
            whole.shift_left(exponent.unsigned_abs());
            whole.decimal()
        } else {
            // At most 121 bits.
            let scaled = u128::from(mantissa) * 10_u128.pow(PLACES);
            let scaled = half_even(scaled, exponent.unsigned_abs());
            let one = 10_u128.pow(PLACES);
            let [whole, fraction] = [scaled / one, scaled % one].map(|part| part as u64);
            let mut text = format!("{whole}.{fraction:017}");
            let end = text.trim_end_matches('0').trim_end_matches('.').len();
            text.truncate(end);
            text
        };
        if digits == "0" { Bytes::from("0") } else { Bytes::from(format!("{sign}{digits}")) }
    }
}

/// `value` without its last bits; the lowest bit left is set if any bit was lost.
fn shift_right(value: u128, bits: i64) -> u128 {
    match u32::try_from(bits) {
        Ok(0) => value,
        Ok(bits) if bits < u128::BITS => {
            let lost = value & ((1 << bits) - 1) != 0;
            (value >> bits) | u128::from(lost)
        }
        _ => u128::from(value != 0),
    }
}

/// `value` without its last bits, rounded to the nearest, ties to even.
fn half_even(value: u128, bits: u64) -> u128 {
    let bits = match u32::try_from(bits) {
        Ok(0) => return value,
        Ok(bits) if bits < u128::BITS => bits,
        _ => return 0,
    };
    let (kept, lost, half) = (value >> bits, value & ((1 << bits) - 1), 1 << (bits - 1));
    kept + u128::from(lost > half || (lost == half && kept % 2 == 1))
}

/// `value` times two to the power of `exponent`, as a number of 64 bits.
fn round(value: u128, exponent: i64) -> Size {
    let surplus = i64::from(u128::BITS - value.leading_zeros()) - 64;
    let mut bits = surplus.max(LEAST - exponent);
    let mut mantissa = match u64::try_from(bits) {
        Ok(bits) => half_even(value, bits),
        Err(_) => value << bits.unsigned_abs(),
    };
    if mantissa >> 64 != 0 {
        mantissa >>= 1;
        bits += 1;
    }
    if mantissa == 0 {
        return LongDouble::ZERO.size;
    }
    if exponent + bits > MOST {
        return Size::Infinite;
    }
    let mantissa = u64::try_from(mantissa).expect("it was rounded to 64 bits");
    Size::Finite { mantissa, exponent: exponent + bits }
}

/// The number that digits with a point and an exponent are, all of them, in base 10 or 16; `None`
/// also if it becomes nought without being it.
fn parse_digits<const BASE: u32>(text: &[u8]) -> Option<Size> {
    let mark = if BASE == 16 { b'p' } else { b'e' };
    let place = text.iter().position(|byte| byte.to_ascii_lowercase() == mark);
    let (digits, exponent) = match place {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, [].as_slice()),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let places = i64::try_from(fraction.len()).ok()?;
    let exponent = exponent - if BASE == 16 { 4 * places } else { places };
    let number = Number::<BASE>::read(whole.iter().chain(fraction))?;
    let size = match number {
        Number::Small(0) => return Some(LongDouble::ZERO.size),
        Number::Small(number) => match (BASE, small_power(exponent)) {
            (10, Some(divisor)) => small_quotient(number, divisor),
            _ => scale::<BASE>(Big::from(u128::from(number)), exponent),
        },
        Number::Large(number) => scale::<BASE>(number, exponent),
    };
    (size != LongDouble::ZERO.size).then_some(size)
}

/// The digits of a number. Most fit a word, and are then divided much faster.
enum Number<const BASE: u32> {
    Small(u64),
    /// It does not fit the other.
    Large(Big),
}

impl<const BASE: u32> Number<BASE> {
    /// Reads digits; `None`: something else is among them, such as a second point.
    fn read<'a>(digits: impl Iterator<Item = &'a u8>) -> Option<Self> {
        let mut number = Number::Small(0);
        for byte in digits {
            let digit = char::from(*byte).to_digit(BASE)?;
            number = match number {
                Number::Small(small) => {
                    let more = small.checked_mul(BASE.into());
                    match more.and_then(|more| more.checked_add(digit.into())) {
                        Some(more) => Number::Small(more),
                        None => {
                            let mut large = Big::from(u128::from(small));
                            large.multiply_add(BASE, digit);
                            Number::Large(large)
                        }
                    }
                }
                Number::Large(mut large) => {
                    large.multiply_add(BASE, digit);
                    Number::Large(large)
                }
            };
        }
        Some(number)
    }
}

/// Ten to the power of what is not positive here, the other way up, if it fits a word.
fn small_power(exponent: i64) -> Option<u64> {
    10_u64.checked_pow(u32::try_from(exponent.checked_neg()?).ok()?)
}

/// `number` over `divisor`, neither nought: as [`quotient`], for what fits a word.
fn small_quotient(number: u64, divisor: u64) -> Size {
    let shift = number.leading_zeros();
    let (wide, divisor) = (u128::from(number << shift) << 64, u128::from(divisor));
    let (found, rest) = (wide / divisor, wide % divisor);
    let exponent = -64 - i64::from(shift);
    if found >> 66 != 0 {
        // There are bits to spare: the lowest says whether something is left.
        return round(found | u128::from(rest != 0), exponent);
    }
    let more = (rest << 32) / divisor;
    let left = (rest << 32) % divisor != 0;
    round(found << 33 | more << 1 | u128::from(left), exponent - 33)
}

/// An exponent after its mark, kept within what matters.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    const MOST: i64 = 1 << 40;
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, byte: &u8| (sum * 10 + i64::from(byte - b'0')).min(MOST);
    let size = digits.iter().fold(0, add);
    Some(if negative { -size } else { size })
}

/// `number` times ten, or two if its digits are hexadecimal, to the power of `exponent`.
fn scale<const BASE: u32>(mut number: Big, exponent: i64) -> Size {
    if BASE == 16 {
        return quotient(number, Big::from(1), exponent);
    }
    // No text is so long that its digits make up for this.
    if exponent > 5_000 {
        return Size::Infinite;
    }
    if exponent < -11_000 {
        return LongDouble::ZERO.size;
    }
    let mut divisor = Big::from(1);
    let power = if exponent < 0 { &mut divisor } else { &mut number };
    let mut left = exponent.unsigned_abs();
    while left > 0 {
        let step = left.min(9);
        power.multiply_add(10_u32.pow(step as u32), 0);
        left -= step;
    }
    quotient(number, divisor, 0)
}

/// `number` over `divisor`, neither nought, times two to the power of `exponent`.
fn quotient(mut number: Big, mut divisor: Big, exponent: i64) -> Size {
    const BITS: i64 = 66;
    let shift = number.bits() - divisor.bits() - BITS;
    if shift + exponent > 20_000 {
        return Size::Infinite;
    }
    if shift + exponent < -20_000 {
        return LongDouble::ZERO.size;
    }
    let larger = if shift < 0 { &mut number } else { &mut divisor };
    larger.shift_left(shift.unsigned_abs());
    // Now the quotient has BITS bits, or one more. It is found from its highest bit on.
    let mut found = 0_u128;
    divisor.shift_left(BITS.unsigned_abs());
    for _ in 0..=BITS {
        found <<= 1;
        if number.reduce(&divisor) {
            found |= 1;
        }
        number.shift_left(1);
    }
    // A bit for all that is left.
    found = (found << 1) | u128::from(!number.is_zero());
    round(found, shift + exponent - 1)
}

/// A natural number of any size, its lowest 32 bits first, without zeros at its end.
#[derive(Clone, Default, Debug)]
struct Big(Vec<u32>);

impl From<u128> for Big {
    fn from(value: u128) -> Self {
        let mut big = Big((0..4).map(|at| (value >> (32 * at)) as u32).collect());
        big.trim();
        big
    }
}

impl Big {
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bits it has.
    fn bits(&self) -> i64 {
        let top = self.0.last().map_or(0, |top| u32::BITS - top.leading_zeros());
        32 * self.0.len() as i64 - if self.0.is_empty() { 0 } else { 32 - i64::from(top) }
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift_left(&mut self, bits: u64) {
        let words = usize::try_from(bits / 32).expect("the caller bounds it");
        let bits = bits % 32;
        let mut carry = 0;
        for word in &mut self.0 {
            let wide = u64::from(*word) << bits | carry;
            *word = wide as u32;
            carry = wide >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
        if !self.0.is_empty() {
            self.0.splice(..0, std::iter::repeat_n(0, words));
        }
    }

    /// Takes `other` away if it is not larger; whether it did.
    fn reduce(&mut self, other: &Big) -> bool {
        let longer = self.0.len().cmp(&other.0.len());
        if longer.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_lt() {
            return false;
        }
        let mut borrow = false;
        for (at, word) in self.0.iter_mut().enumerate() {
            let away = other.0.get(at).copied().unwrap_or(0);
            let (less, once) = word.overflowing_sub(away);
            let (less, twice) = less.overflowing_sub(u32::from(borrow));
            (*word, borrow) = (less, once || twice);
        }
        self.trim();
        true
    }

    /// Its decimal digits.
    fn decimal(mut self) -> String {
        const STEP: u64 = 1_000_000_000;
        let mut parts = Vec::new();
        while !self.is_zero() {
            let mut rest = 0;
            for word in self.0.iter_mut().rev() {
                let wide = rest << 32 | u64::from(*word);
                *word = (wide / STEP) as u32;
                rest = wide % STEP;
            }
            self.trim();
            parts.push(rest);
        }
        let mut text = parts.pop().unwrap_or(0).to_string();
        text.extend(parts.iter().rev().map(|part| format!("{part:09}")));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        LongDouble::parse(text.as_bytes()).expect("a number").text().to_string()
    }

    fn sum(one: &str, other: &str) -> String {
        let [one, other] = [one, other].map(|text| LongDouble::parse(text.as_bytes()).unwrap());
        one.add(other).map_or("none".into(), |sum| sum.text().to_string())
    }

    /// What INCRBYFLOAT of the real server answers.
    #[test]
    fn numbers_are_written_as_redis_writes_them() {
        for (text, expected) in [
            ("0.1", "0.1"),
            ("-0", "0"),
            ("-0.0000000000000000001", "0"),
            ("3.0e3", "3000"),
            ("1e-17", "0.00000000000000001"),
            ("5.1e-18", "0.00000000000000001"),
            ("17179869184.1", "17179869184.09999999962747097"),
            ("18446744073709551617", "18446744073709551616"),
            ("18446744073709551619", "18446744073709551620"),
            ("1e30", "1000000000000000000024696061952"),
            ("0x1.8p1", "3"),
            ("+.5", "0.5"),
            ("5.", "5"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_strtold_refuses_is_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "1e",
            "e1",
            ".",
            "0x",
            "0xp1",
            "nan",
            "1e5000",
            "-1e4933",
            "1e-5000",
            "1x",
            "--1",
            "1e+",
            "1_0",
            "0x1p20000",
            "1.2.3",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert!(LongDouble::parse(&[b'1'; TOO_LONG]).is_none());
        assert!(LongDouble::parse(b"3.7e-4951").is_some(), "it is not quite nought");
        assert!(LongDouble::parse(b"1e4932").is_some());
        assert!(LongDouble::parse(b"0e99999999999").is_some());
    }

    #[test]
    fn words_are_divided_as_large_numbers_are() {
        let numbers = [1, 3, 7, 10, 999_999_999, 1 << 40, (1 << 63) + 1, u64::MAX - 1, u64::MAX];
        for number in numbers {
            for divisor in (0..20).map(|power| 10_u64.pow(power)) {
                let [large, by] = [number, divisor].map(|word| Big::from(u128::from(word)));
                let expected = quotient(large, by, 0);
                assert_eq!(small_quotient(number, divisor), expected, "{number} {divisor}");
            }
        }
    }

    #[test]
    fn sums_are_rounded_once() {
        assert_eq!(sum("10.50", "0.1"), "10.6");
        assert_eq!(sum("5000", "2.0e2"), "5200");
        assert_eq!(sum("1", "-1"), "0");
        assert_eq!(sum("1e10", "-1e-20"), "10000000000");
        assert_eq!(sum("18446744073709551615", "1"), "18446744073709551616");
        assert_eq!(sum("1e4932", "1e4932"), "none");
        assert_eq!(sum("inf", "1"), "none");
        assert_eq!(sum("3", "1.1"), "4.1");
    }
}
