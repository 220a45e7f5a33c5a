//! Replies, in the shapes of both versions of the protocol.
//!
//! A reply says what it is; how version 2 writes what it has no type for is in [`resp`].
//!
//! [`resp`]: super::resp

use super::bytes::Bytes;
use super::error::Error;

/// The reply to a command, or a message that nobody asked for ([`Reply::Push`]).
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// A status, such as `+OK`.
    Status(&'static str),
    /// A status that a script made.
    Simple(Bytes),
    /// An error.
    Error(Error),
    /// An integer.
    Int(i64),
    /// A string.
    Bulk(Bytes),
    /// No string: `$-1` in version 2.
    Nil,
    /// No array: `*-1` in version 2.
    NilArray,
    /// A number. Version 2 sends it as the string of [`score_text`].
    ///
    /// [`score_text`]: super::score_text
    Double(f64),
    /// An array.
    Array(Vec<Reply>),
    /// Names with values. Version 2 sends one flat array.
    Map(Vec<(Reply, Reply)>),
    /// An array of arrays of two. Version 2 sends one flat array.
    Pairs(Vec<(Reply, Reply)>),
    /// Members in no order. Version 2 sends an array.
    Set(Vec<Reply>),
    /// Yes or no. Version 2 sends 1 or 0.
    Bool(bool),
    /// An integer of any size, in decimal. Version 2 sends a string.
    BigNumber(Bytes),
    /// Text with its format (`txt`, `mkd`). Version 2 sends the text alone, as a string.
    Verbatim(&'static str, Bytes),
    /// A message of publish and subscribe. Version 2 sends an array.
    Push(Vec<Reply>),
    /// Names with values about the reply that follows. Version 2 sends nothing.
    Attribute(Vec<(Reply, Reply)>),
    /// Several replies, one after the other, to one command.
    Several(Vec<Reply>),
    /// Nothing is sent: what the command has to say went out as messages.
    Nothing,
}

impl Reply {
    /// `+OK`.
    pub const OK: Reply = Reply::Status("OK");

    /// The number of elements of a collection.
    pub fn int(number: usize) -> Reply {
        Reply::Int(i64::try_from(number).expect("no collection has that many elements"))
    }

    /// 1 or 0.
    pub fn flag(yes: bool) -> Reply {
        Reply::Int(i64::from(yes))
    }

    /// A string, or [`Reply::Nil`].
    pub fn bulk(bytes: Option<&Bytes>) -> Reply {
        bytes.map_or(Reply::Nil, |bytes| Reply::Bulk(bytes.clone()))
    }

    /// An array of strings.
    pub fn bulks<'a>(strings: impl IntoIterator<Item = &'a Bytes>) -> Reply {
        Reply::Array(strings.into_iter().map(|string| Reply::Bulk(string.clone())).collect())
    }
}

impl From<Result<Reply, Error>> for Reply {
    fn from(result: Result<Reply, Error>) -> Self {
        result.unwrap_or_else(Reply::Error)
    }
}

impl From<Bytes> for Reply {
    fn from(bytes: Bytes) -> Self {
        Reply::Bulk(bytes)
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Reply::Bulk(Bytes::from(text))
    }
}
