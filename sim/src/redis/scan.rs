//! What SCAN, HSCAN, SSCAN and ZSCAN have in common: cursor, options, the walk (db.c
//! `scanGenericCommand`).
//!
//! A cursor is how many elements are still to be seen of a collection that is walked from its end
//! to its front, so 0 is both the start and the end. The order is not Redis's, which depends on
//! the layout of a hash table; the promise is: what is there throughout is seen.

use std::ops::Range;

use super::args;
use super::bytes::{Bytes, parse_int};
use super::error::Error;
use super::glob;
use super::mutants::{Mutant, planted};
use super::reply::Reply;

/// How many elements a call sees unless it is told.
const COUNT: usize = 10;

/// A cursor, by the rule of C's `strtoul`: the empty text is 0, and a sign is allowed.
pub(super) fn cursor(argument: &[u8]) -> Result<u64, Error> {
    let invalid = Error::Text("ERR invalid cursor");
    // C's text ends with the first zero byte.
    let text = argument.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(invalid);
    }
    let number: Option<u64> = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
    let number = number.ok_or(invalid)?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// The options of the four commands.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Options<'a> {
    /// COUNT: how many elements to see; at least 1.
    pub(super) count: usize,
    /// MATCH; `None`: all match.
    pattern: Option<&'a [u8]>,
    /// TYPE: the name of a type, in any case.
    pub(super) kind: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// Reads the words after the cursor. TYPE is for SCAN alone.
    pub(super) fn read(words: &'a [Bytes], with_type: bool) -> Result<Self, Error> {
        let mut options = Options { count: COUNT, pattern: None, kind: None };
        let mut rest = words;
        while let [word, value, after @ ..] = rest {
            if args::is(word, "count") {
                let count = parse_int(value).ok_or(Error::NotAnInteger)?;
                if count < 1 {
                    return Err(Error::Syntax);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if args::is(word, "match") {
                options.pattern = (**value != *b"*").then_some(value);
            } else if args::is(word, "type") && with_type {
                options.kind = Some(value);
            } else {
                return Err(Error::Syntax);
            }
            rest = after;
        }
        if rest.is_empty() { Ok(options) } else { Err(Error::Syntax) }
    }

    /// Whether MATCH lets a name pass.
    pub(super) fn lets(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }
}

/// The positions to see in a collection of `len` elements, last first, and the cursor after them.
///
/// The collection may grow at its end, and shrink by moving its last element to the place of
/// another or by moving up those that follow.
pub(super) fn walk(cursor: u64, len: usize, count: usize) -> (Range<usize>, u64) {
    let end = match usize::try_from(cursor) {
        Ok(0) => len,
        Ok(left) => left.min(len),
        Err(_) => len,
    };
    let start = end.saturating_sub(count);
    if planted(Mutant::R16) && end - start > 1 {
        return (start + 1..end, start as u64);
    }
    (start..end, start as u64)
}

/// The reply: the cursor to go on with and what was found.
pub(super) fn reply(next: u64, found: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::Bulk(Bytes::from(next.to_string())), Reply::Array(found)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_what_strtoul_reads() {
        let read = |text: &str| cursor(text.as_bytes()).ok();
        let read = ["0", "", "17", "+5", "-1", "5\0x", "18446744073709551615"].map(read);
        let all = [0, 0, 17, 5, u64::MAX, 5, u64::MAX].map(Some);
        assert_eq!(read, all);
        for wrong in [" 1", "1 ", "a", "18446744073709551616", "-"] {
            assert!(cursor(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_are_read_in_any_order_and_case() {
        let words = |text: &str| text.split(' ').map(Bytes::from).collect::<Vec<_>>();
        let two = words("MATCH a* count 3");
        let options = Options::read(&two, false).unwrap();
        assert_eq!((options.count, options.lets(b"ab"), options.lets(b"b")), (3, true, false));
        let error = |text: &str, with_type| Options::read(&words(text), with_type).unwrap_err();
        assert_eq!(error("count 0", true), Error::Syntax);
        assert_eq!(error("count x", true), Error::NotAnInteger);
        assert_eq!(error("type hash", false), Error::Syntax);
        assert_eq!(error("match", true), Error::Syntax);
    }

    #[test]
    fn a_walk_sees_all_that_stays() {
        let mut numbers: Vec<u32> = (0..100).collect();
        let (mut next, mut seen) = (0, Vec::new());
        loop {
            let (places, after) = walk(next, numbers.len(), 7);
            seen.extend(places.rev().map(|place| numbers[place]));
            // Odd numbers come and go.
            let odd = numbers.iter().position(|number| number % 2 == 1);
            numbers.swap_remove(odd.expect("there are enough"));
            numbers.extend([201, 203]);
            next = after;
            if next == 0 {
                break;
            }
        }
        assert!((0..100).step_by(2).all(|even| seen.contains(&even)), "{seen:?}");
    }
}
