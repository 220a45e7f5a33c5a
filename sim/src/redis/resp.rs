//! RESP, the protocol of Redis: requests read, replies written, in versions 2 and 3.
//!
//! Nothing here knows a socket: bytes in, words out, and the other way round. Reading takes no more
//! memory than the bytes that have come. What a malformed request is told is networking.c's, to
//! the byte.

mod decode;
mod inline;

use super::bytes::{Bytes, parse_int};
use super::error::Error;
use super::reply::Reply;
use super::zset::score_text;

pub use decode::{BadReply, decode};

/// The longest line: an inline request, or the length of something.
const LONGEST_LINE: usize = 64 << 10;

/// What is a length too long, before AUTH.
const UNAUTHENTICATED: (i64, i64) = (10, 16384);

/// What a client may send at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// The longest argument, in bytes: `proto-max-bulk-len`.
    pub longest: i64,
    /// Whether it has said who it is, or need not.
    pub authenticated: bool,
}

/// Why a client's bytes are no request. It gets this as an error, and is then to be disconnected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed(Bytes);

impl From<Malformed> for Reply {
    fn from(malformed: Malformed) -> Self {
        Reply::Error(Error::Bytes(malformed.0))
    }
}

fn malformed(why: &str) -> Malformed {
    Malformed(Bytes::from(format!("ERR Protocol error: {why}")))
}

/// Reads the requests of one client, however its bytes are cut.
#[derive(Debug, Default)]
pub struct Requests {
    args: Vec<Bytes>,
    /// How many arguments are still to come.
    missing: i64,
    /// The length of the argument that is coming.
    length: Option<usize>,
    /// The name of the last command: often the next one has the same.
    name: Bytes,
}

impl Requests {
    /// The words of the request that [`Requests::next`] found.
    pub fn args(&self) -> &[Bytes] {
        &self.args
    }

    /// Goes on with `input` from `at`, and moves `at` over what is done with; whether a request is
    /// complete: see [`Requests::args`]. After `false` it wants more bytes behind those it has not
    /// moved over.
    ///
    /// # Errors
    /// What came is no request. Nothing that follows can be told apart any more.
    pub fn next(
        &mut self,
        input: &[u8],
        at: &mut usize,
        allowed: Allowed,
    ) -> Result<bool, Malformed> {
        if self.missing == 0 {
            self.args.clear();
        }
        while *at < input.len() {
            let complete = match input[*at] {
                _ if self.missing > 0 => self.arguments(input, at, allowed)?,
                b'*' => match self.count(input, at, allowed)? {
                    true => continue,
                    false => return Ok(false),
                },
                _ => match inline::line(input, at, &mut self.args)? {
                    true => true,
                    false => return Ok(false),
                },
            };
            if !complete {
                return Ok(false);
            }
            if !self.args.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads how many arguments there are; whether that has come.
    fn count(&mut self, input: &[u8], at: &mut usize, allowed: Allowed) -> Result<bool, Malformed> {
        let Some(line) = line(input, at, "too big mbulk count string")? else { return Ok(false) };
        let count = parse_int(&line[1..]).filter(|count| *count <= i64::from(i32::MAX));
        let count = count.ok_or_else(|| malformed("invalid multibulk length"))?;
        if count > UNAUTHENTICATED.0 && !allowed.authenticated {
            return Err(malformed("unauthenticated multibulk length"));
        }
        *at += line.len() + 2;
        self.missing = count.max(0);
        Ok(true)
    }

    /// Reads arguments; whether all have come.
    fn arguments(
        &mut self,
        input: &[u8],
        at: &mut usize,
        allowed: Allowed,
    ) -> Result<bool, Malformed> {
        while self.missing > 0 {
            let length = match self.length {
                Some(length) => length,
                None => match length(input, at, allowed)? {
                    Some(length) => length,
                    None => return Ok(false),
                },
            };
            // The two bytes that follow are not looked at, as in Redis.
            let Some(end) = (*at + length).checked_add(2).filter(|end| *end <= input.len()) else {
                self.length = Some(length);
                return Ok(false);
            };
            let word = &input[*at..end - 2];
            *at = end;
            self.length = None;
            self.missing -= 1;
            if self.args.is_empty() {
                if self.name.as_bytes() != word {
                    self.name = Bytes::from(word);
                }
                self.args.push(self.name.clone());
            } else {
                self.args.push(Bytes::from(word));
            }
        }
        Ok(true)
    }
}

/// Reads the length of an argument, if it has come.
#[inline]
fn length(input: &[u8], at: &mut usize, allowed: Allowed) -> Result<Option<usize>, Malformed> {
    // The usual case: one or two digits.
    match input.get(*at..) {
        Some([b'$', digit @ b'0'..=b'9', b'\r', _, ..]) => {
            *at += 4;
            return Ok(Some(usize::from(digit - b'0')));
        }
        Some([b'$', tens @ b'1'..=b'9', digit @ b'0'..=b'9', b'\r', _, ..]) => {
            *at += 5;
            return Ok(Some(usize::from((tens - b'0') * 10 + (digit - b'0'))));
        }
        _ => {}
    }
    let Some(line) = line(input, at, "too big bulk count string")? else { return Ok(None) };
    match input[*at] {
        b'$' => {}
        0 => return Err(malformed("expected '$', got '")),
        b'\r' | b'\n' => return Err(malformed("expected '$', got ' '")),
        other => {
            let mut text = b"ERR Protocol error: expected '$', got '".to_vec();
            text.extend([other, b'\'']);
            return Err(Malformed(Bytes::from(text)));
        }
    }
    let length = parse_int(&line[1..]).filter(|length| (0..=allowed.longest).contains(length));
    let length = length.ok_or_else(|| malformed("invalid bulk length"))?;
    if length > UNAUTHENTICATED.1 && !allowed.authenticated {
        return Err(malformed("unauthenticated bulk length"));
    }
    *at += line.len() + 2;
    Ok(Some(usize::try_from(length).expect("it is not negative")))
}

/// The line up to a carriage return, if that and the byte after it have come. As in Redis, a zero
/// byte hides what follows it.
fn line<'a>(
    input: &'a [u8],
    at: &usize,
    too_long: &'static str,
) -> Result<Option<&'a [u8]>, Malformed> {
    let rest = &input[*at..];
    let end = rest.iter().position(|byte| matches!(byte, b'\r' | 0));
    match end.filter(|end| rest[*end] == b'\r') {
        None if rest.len() > LONGEST_LINE => Err(malformed(too_long)),
        Some(end) if end + 2 <= rest.len() => Ok(Some(&rest[..end])),
        _ => Ok(None),
    }
}

/// Appends a reply, in this version of the protocol.
pub fn encode(reply: &Reply, version: u8, out: &mut Vec<u8>) {
    let three = version == 3;
    match reply {
        Reply::Status(text) => line_of(b'+', text.as_bytes(), out),
        Reply::Simple(text) => line_of(b'+', text, out),
        Reply::Error(error) => line_of(b'-', &error.bytes(), out),
        Reply::Int(number) => head(b':', *number, out),
        Reply::Bulk(bytes) => bulk(bytes, out),
        Reply::Nil | Reply::NilArray if three => out.extend_from_slice(b"_\r\n"),
        Reply::Nil => out.extend_from_slice(b"$-1\r\n"),
        Reply::NilArray => out.extend_from_slice(b"*-1\r\n"),
        Reply::Double(number) if three => line_of(b',', score_text(*number).as_bytes(), out),
        Reply::Double(number) => bulk(score_text(*number).as_bytes(), out),
        Reply::Array(replies) => list(b'*', replies, version, out),
        Reply::Set(replies) => list(if three { b'~' } else { b'*' }, replies, version, out),
        Reply::Push(replies) => list(if three { b'>' } else { b'*' }, replies, version, out),
        Reply::Map(pairs) if three => {
            size(b'%', pairs.len(), out);
            pairs.iter().flat_map(both).for_each(|reply| encode(reply, version, out));
        }
        Reply::Pairs(pairs) if three => {
            size(b'*', pairs.len(), out);
            for pair in pairs {
                size(b'*', 2, out);
                both(pair).iter().for_each(|reply| encode(reply, version, out));
            }
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            size(b'*', 2 * pairs.len(), out);
            pairs.iter().flat_map(both).for_each(|reply| encode(reply, version, out));
        }
        Reply::Bool(yes) if three => {
            out.extend_from_slice(if *yes { b"#t\r\n" } else { b"#f\r\n" })
        }
        Reply::Bool(yes) => head(b':', i64::from(*yes), out),
        Reply::BigNumber(digits) if three => line_of(b'(', digits, out),
        Reply::BigNumber(digits) => bulk(digits, out),
        Reply::Verbatim(format, text) if three => {
            size(b'=', text.len() + format.len() + 1, out);
            out.extend_from_slice(format.as_bytes());
            out.push(b':');
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Verbatim(_, text) => bulk(text, out),
        Reply::Attribute(pairs) if three => {
            size(b'|', pairs.len(), out);
            pairs.iter().flat_map(both).for_each(|reply| encode(reply, version, out));
        }
        Reply::Several(replies) => replies.iter().for_each(|reply| encode(reply, version, out)),
        Reply::Attribute(_) | Reply::Nothing => {}
    }
}

fn both(pair: &(Reply, Reply)) -> [&Reply; 2] {
    [&pair.0, &pair.1]
}

fn list(kind: u8, replies: &[Reply], version: u8, out: &mut Vec<u8>) {
    size(kind, replies.len(), out);
    for reply in replies {
        encode(reply, version, out);
    }
}

/// A line of text: what would end it early becomes a space.
fn line_of(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    let start = out.len();
    out.extend_from_slice(text);
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    size(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn size(kind: u8, size: usize, out: &mut Vec<u8>) {
    head(kind, i64::try_from(size).expect("no reply is that long"), out);
}

/// A line with a number.
#[inline]
fn head(kind: u8, number: i64, out: &mut Vec<u8>) {
    if let (0..=9, Ok(digit)) = (number, u8::try_from(number)) {
        out.extend_from_slice(&[kind, b'0' + digit, b'\r', b'\n']);
        return;
    }
    // A sign and 19 digits at most.
    let mut text = [0; 23];
    let mut at = text.len() - 2;
    text[at..].copy_from_slice(b"\r\n");
    let mut rest = number.unsigned_abs();
    while rest > 0 {
        at -= 1;
        text[at] = b'0' + u8::try_from(rest % 10).expect("a digit is below 10");
        rest /= 10;
    }
    if number < 0 {
        at -= 1;
        text[at] = b'-';
    }
    out.push(kind);
    out.extend_from_slice(&text[at..]);
}

#[cfg(test)]
mod tests;
