//! The errors a command can answer with, in Redis's own words.
//!
//! Errors of persistence, replication and clusters are not modelled.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use super::bytes::Bytes;

/// Why a command failed. It then had no effect at all.
///
/// `Display` gives the exact error line of Redis 7.0.15, without the leading `-`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The key holds another type than the command works on.
    WrongType,
    /// INCR and its kind: the stored string is not a decimal integer of 64 bits.
    NotAnInteger,
    /// INCR, INCRBY, HINCRBY: the sum does not fit 64 bits.
    Overflow,
    /// HINCRBY: the stored field is not a decimal integer of 64 bits.
    HashNotAnInteger,
    /// ZADD: the score is not a number.
    NotAFloat,
    /// RENAME, LSET: the key does not exist.
    NoSuchKey,
    /// LSET: no element has that index.
    IndexOutOfRange,
    /// SET: options that exclude each other.
    Syntax,
    /// SET, PEXPIRE (the command is named): a time to live that is not positive, or too long.
    InvalidExpire(&'static str),
    /// CLIENT SETNAME: a name with a byte outside `!`..`~`.
    InvalidClientName,
    /// Any other error whose line is always the same.
    Text(&'static str),
    /// Any other error, its line made for the occasion.
    Line(Rc<str>),
    /// The same, when it repeats what a client sent, which may be any bytes.
    Bytes(Bytes),
}

impl Error {
    /// An error with this line.
    pub fn line(line: impl Into<Rc<str>>) -> Error {
        Error::Line(line.into())
    }

    /// The line, as it is sent.
    pub(super) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Error::Text(line) => Cow::Borrowed(line.as_bytes()),
            Error::Line(line) => Cow::Borrowed(line.as_bytes()),
            Error::Bytes(line) => Cow::Borrowed(line),
            other => Cow::Owned(other.to_string().into_bytes()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Error::NotAnInteger => "ERR value is not an integer or out of range",
            Error::Overflow => "ERR increment or decrement would overflow",
            Error::HashNotAnInteger => "ERR hash value is not an integer",
            Error::NotAFloat => "ERR value is not a valid float",
            Error::NoSuchKey => "ERR no such key",
            Error::IndexOutOfRange => "ERR index out of range",
            Error::Syntax => "ERR syntax error",
            Error::InvalidExpire(command) => {
                return write!(f, "ERR invalid expire time in '{command}' command");
            }
            Error::Text(line) => line,
            Error::Line(line) => line,
            Error::Bytes(line) => return f.write_str(&String::from_utf8_lossy(line)),
            Error::InvalidClientName => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
        })
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_redis_writes_them() {
        assert_eq!(
            Error::WrongType.to_string(),
            "WRONGTYPE Operation against a key holding the wrong kind of value"
        );
        assert_eq!(
            Error::InvalidExpire("set").to_string(),
            "ERR invalid expire time in 'set' command"
        );
    }
}
