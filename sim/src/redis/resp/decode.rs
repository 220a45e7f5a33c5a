//! Replies read, for those who talk to a server: tests and rigs.

use crate::redis::args::parse_float;
use crate::redis::bytes::{Bytes, parse_int};
use crate::redis::error::Error;
use crate::redis::reply::Reply;

/// How deep arrays may be in arrays.
const DEEPEST: usize = 1000;

/// Bytes that are no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadReply;

/// The reply of either version at the beginning of `input`, and how many bytes it takes; `None`: it
/// has not come whole.
///
/// A status is a [`Reply::Simple`] and an error an [`Error::Bytes`]; of a verbatim string the format
/// is lost unless it is `txt` or `mkd`.
///
/// # Errors
/// The bytes are no reply.
pub fn decode(input: &[u8]) -> Result<Option<(Reply, usize)>, BadReply> {
    let mut reader = Reader { input, at: 0 };
    let reply = reader.reply(DEEPEST)?;
    Ok(reply.map(|reply| (reply, reader.at)))
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

/// Takes what has come, or says that it has not.
macro_rules! come {
    ($what:expr) => {
        match $what? {
            Some(what) => what,
            None => return Ok(None),
        }
    };
}

impl<'a> Reader<'a> {
    fn reply(&mut self, deepest: usize) -> Result<Option<Reply>, BadReply> {
        let line = come!(self.line());
        let (kind, text) = line.split_first().ok_or(BadReply)?;
        let number = || parse_int(text).ok_or(BadReply);
        let size = || usize::try_from(number()?).map_err(|_| BadReply);
        Ok(Some(match kind {
            b'+' => Reply::Simple(Bytes::from(text)),
            b'-' => Reply::Error(Error::Bytes(Bytes::from(text))),
            b':' => Reply::Int(number()?),
            b'$' if text == b"-1" => Reply::Nil,
            b'$' => Reply::Bulk(Bytes::from(come!(self.exactly(size()?)))),
            b'*' if text == b"-1" => Reply::NilArray,
            b'*' => Reply::Array(come!(self.replies(size()?, deepest))),
            b'~' => Reply::Set(come!(self.replies(size()?, deepest))),
            b'>' => Reply::Push(come!(self.replies(size()?, deepest))),
            b'%' => {
                let twice = size()?.checked_mul(2).ok_or(BadReply)?;
                let mut replies = come!(self.replies(twice, deepest)).into_iter();
                let pairs = std::iter::from_fn(|| replies.next().zip(replies.next()));
                Reply::Map(pairs.collect())
            }
            b'_' => Reply::Nil,
            b',' => Reply::Double(parse_float(text).ok_or(BadReply)?),
            b'#' => match text {
                b"t" => Reply::Bool(true),
                b"f" => Reply::Bool(false),
                _ => return Err(BadReply),
            },
            b'(' => Reply::BigNumber(Bytes::from(text)),
            b'=' => {
                let text = come!(self.exactly(size()?));
                match text.split_at_checked(4).ok_or(BadReply)? {
                    (b"mkd:", text) => Reply::Verbatim("mkd", Bytes::from(text)),
                    (_, text) => Reply::Verbatim("txt", Bytes::from(text)),
                }
            }
            _ => return Err(BadReply),
        }))
    }

    fn replies(&mut self, size: usize, deepest: usize) -> Result<Option<Vec<Reply>>, BadReply> {
        let deepest = deepest.checked_sub(1).ok_or(BadReply)?;
        // As many as are said to come may never come.
        let mut replies = Vec::with_capacity(size.min(self.input.len() - self.at));
        for _ in 0..size {
            replies.push(come!(self.element(deepest)));
        }
        Ok(Some(replies))
    }

    /// An element of an array, with the messages that stand before it and are no elements: EXEC's
    /// array may have some.
    fn element(&mut self, deepest: usize) -> Result<Option<Reply>, BadReply> {
        let mut told = Vec::new();
        loop {
            match come!(self.reply(deepest)) {
                message @ Reply::Push(_) => told.push(message),
                reply if told.is_empty() => return Ok(Some(reply)),
                reply => {
                    told.push(reply);
                    return Ok(Some(Reply::Several(told)));
                }
            }
        }
    }

    fn line(&mut self) -> Result<Option<&'a [u8]>, BadReply> {
        let rest = &self.input[self.at..];
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
        self.at += end + 2;
        Ok(Some(&rest[..end]))
    }

    fn exactly(&mut self, size: usize) -> Result<Option<&'a [u8]>, BadReply> {
        let rest = &self.input[self.at..];
        let end = size.checked_add(2).ok_or(BadReply)?;
        let Some(text) = rest.get(..end) else { return Ok(None) };
        self.at += end;
        text.strip_suffix(b"\r\n").map(Some).ok_or(BadReply)
    }
}
