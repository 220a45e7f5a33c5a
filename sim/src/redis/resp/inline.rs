//! Inline requests: a line of words as a person types them, with quotes (sds.c `sdssplitargs`).

use super::{LONGEST_LINE, Malformed, malformed};
use crate::redis::bytes::Bytes;

/// Reads a line of words from `at`; whether it has come whole.
pub(super) fn line(
    input: &[u8],
    at: &mut usize,
    words: &mut Vec<Bytes>,
) -> Result<bool, Malformed> {
    let rest = &input[*at..];
    // A zero byte hides what follows it, as in Redis.
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | 0));
    let Some(end) = end.filter(|end| rest[*end] == b'\n') else {
        let too_long = rest.len() > LONGEST_LINE;
        return if too_long { Err(malformed("too big inline request")) } else { Ok(false) };
    };
    let text = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    split(text, words).ok_or_else(|| malformed("unbalanced quotes in request"))?;
    *at += end + 1;
    Ok(true)
}

/// What C's `isspace` calls a space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Splits a line into words; `None`: a quote is not closed, or closed within a word.
fn split(text: &[u8], words: &mut Vec<Bytes>) -> Option<()> {
    let mut rest = text;
    loop {
        let start = rest.iter().position(|byte| !is_space(*byte));
        let Some(start) = start else { return Some(()) };
        let mut word = Vec::new();
        rest = take(&rest[start..], &mut word)?;
        words.push(Bytes::from(word));
    }
}

/// Takes a word from the beginning of a text; what follows it.
fn take<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Some(rest),
            [quote @ (b'"' | b'\''), after @ ..] => {
                let after = quoted(after, *quote, word)?;
                let ends = after.first().is_none_or(|byte| is_space(*byte));
                return ends.then_some(after);
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// Takes what stands up to a closing quote; what follows that.
fn quoted<'a>(mut rest: &'a [u8], quote: u8, word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [b'\\', b'x', high, low, after @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                let byte = digit(*high)? * 16 + digit(*low)?;
                (u8::try_from(byte).ok()?, after)
            }
            [b'\\', escaped, after @ ..] if quote == b'"' => {
                let byte = match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                };
                (byte, after)
            }
            [b'\\', b'\'', after @ ..] if quote == b'\'' => (b'\'', after),
            [byte, after @ ..] if *byte == quote => return Some(after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}
