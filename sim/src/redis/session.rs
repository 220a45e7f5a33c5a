//! What the server knows of a client: its database, its protocol, its transaction.

use std::rc::Rc;

use super::bytes::{Bytes, Key};
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
        }
    }
}
