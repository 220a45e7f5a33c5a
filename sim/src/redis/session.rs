//! What the server knows of a client: its database, its protocol, its transaction.

use std::rc::Rc;

use super::bytes::{Bytes, Key};
use super::reply::Reply;
use super::table::{self, Known};
use crate::clock::Instant;

/// A key that a client watches.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) db: usize,
    pub(super) key: Key,
    /// It was past its deadline already when WATCH came: then its expiry is no change.
    pub(super) was_dead: bool,
}

/// The commands of a transaction so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Queued {
    pub(super) commands: Vec<Rc<[Bytes]>>,
    /// One of them was refused: EXEC will not run the others.
    pub(super) refused: bool,
}

impl Queued {
    /// Whether any of the commands is such a one.
    pub(super) fn any(&self, such: impl Fn(&Known) -> bool) -> bool {
        self.commands.iter().any(|args| table::resolve(args).is_ok_and(&such))
    }
}

/// Which replies a client wants (CLIENT REPLY).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Replies {
    /// All of them.
    #[default]
    On,
    /// None.
    Off,
    /// All but that to the next command.
    SkipNext,
    /// All but that to the command that runs.
    Skip,
}

/// A client.
#[derive(Debug)]
pub(super) struct Session {
    /// CLIENT ID: counts from 1.
    pub(super) id: u64,
    pub(super) since: Instant,
    pub(super) db: usize,
    pub(super) name: Bytes,
    /// The version of the protocol, 2 or 3.
    pub(super) resp: u8,
    pub(super) queued: Option<Queued>,
    pub(super) watching: Vec<Watch>,
    /// A watched key has changed: EXEC will not run.
    pub(super) changed: bool,
    pub(super) replies: Replies,
    /// The connection is to be closed once the reply is sent.
    pub(super) closing: bool,
    /// The addresses at both ends of the connection.
    pub(super) peer: Bytes,
    pub(super) local: Bytes,
    /// It has given the password, or there was none when it came.
    pub(super) authenticated: bool,
    /// What it listens to, in the order in which it began.
    pub(super) channels: Vec<Bytes>,
    pub(super) patterns: Vec<Bytes>,
    pub(super) shards: Vec<Bytes>,
    /// CLIENT NO-EVICT. Nothing is evicted here.
    pub(super) no_evict: bool,
    /// The last command, and when it came.
    pub(super) last: Option<&'static str>,
    pub(super) last_seen: Instant,
}

impl Session {
    /// The client with this number among all there ever were.
    pub(super) fn new(id: u64, since: Instant) -> Self {
        Session {
            id,
            since,
            db: 0,
            name: Bytes::new(),
            resp: 2,
            queued: None,
            watching: Vec::new(),
            changed: false,
            replies: Replies::On,
            closing: false,
            peer: Bytes::from("127.0.0.1:0"),
            local: Bytes::from("127.0.0.1:0"),
            authenticated: true,
            channels: Vec::new(),
            patterns: Vec::new(),
            shards: Vec::new(),
            no_evict: false,
            last: None,
            last_seen: since,
        }
    }

    /// The watch over a key that it watches.
    pub(super) fn watch(&mut self, db: usize, key: &Key) -> &mut Watch {
        let found = self.watching.iter_mut().find(|watch| watch.db == db && watch.key == *key);
        found.expect("a client that watches a key says so")
    }

    /// Whether it listens to anything: then version 2 lets it do little else.
    pub(super) fn subscribed(&self) -> bool {
        !(self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty())
    }
}

impl Replies {
    /// What is sent of a reply, and which replies are wanted after it. Messages always are.
    pub(super) fn of(&mut self, reply: Reply) -> Reply {
        let silent = matches!(self, Replies::Off | Replies::Skip);
        match *self {
            Replies::SkipNext => *self = Replies::Skip,
            Replies::Skip => *self = Replies::On,
            Replies::On | Replies::Off => {}
        }
        match reply {
            Reply::Push(_) | Reply::Several(_) => reply,
            _ if silent => Reply::Nothing,
            reply => reply,
        }
    }
}
