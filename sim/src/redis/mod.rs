//! An in-memory Redis: the part of Redis 7.0.15 that BullMQ's scripts and clients use.
//!
//! It runs a command or a script whole, at an instant the caller passes in, and it reads no clock.
//! Commands are typed methods of [`Db`], one file a family, and scripts are closures over it, so
//! there is no parser, no Lua and no wire format. Clusters, replicas, persistence, transactions,
//! publishing and access control are not modelled, and neither is the time a command takes.
//!
//! The instants are those of the server's own clock: a caller whose server has a clock of its own
//! converts.

mod blocked;
mod bytes;
mod command;
mod db;
mod error;
mod hashes;
mod keys;
mod lists;
mod sets;
mod stream;
mod streams;
mod strings;
mod value;
mod zset;
mod zsets;

pub use bytes::{Bytes, Key, frozen_hash, parse_int};
pub use command::{Command, Reply};
pub use db::{Db, Snapshot};
pub use error::Error;
pub use stream::{MaxLen, Stream, StreamEntry, StreamId};
pub use strings::SetOptions;
pub use value::{Hash, List, Set, Value};
pub use zset::{Elements, Inserted, ScoreBound, Zset, score_text};
pub use zsets::Limit;

use crate::clock::Instant;
use blocked::Blocked;
use command::popped;

/// A client: a connection to the server. The caller numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u32);

/// A Redis server: a database and the clients that wait in BZPOPMIN.
///
/// A client that waits gets its reply later, through [`Redis::served`]: when a command or script
/// of another client brings a key it waits for into being, or when its time is up.
#[derive(Default)]
pub struct Redis {
    db: Db,
    blocked: Blocked,
    served: Vec<(ClientId, Reply)>,
}

impl Redis {
    /// A server with an empty database.
    pub fn new() -> Self {
        Redis::default()
    }

    /// The database, as the last command or script left it.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Runs a command of `client`; `None`: the client waits now.
    ///
    /// Clients that the command leaves something for are served before this returns.
    ///
    /// # Panics
    /// If `client` waits: Redis reads no command from a client that does, so the caller holds
    /// commands back until the client is served.
    pub fn execute(&mut self, client: ClientId, command: &Command, now: Instant) -> Option<Reply> {
        assert!(!self.is_blocked(client), "a client that waits sends nothing");
        self.db.set_now(now.ms());
        let reply = match (command.run(&mut self.db), command) {
            (Ok(None), Command::BZPopMin { keys, timeout_ms }) => {
                self.blocked.add(&mut self.db, client, keys, *timeout_ms);
                None
            }
            (reply, _) => reply.unwrap_or_else(|error| Some(Reply::Error(error))),
        };
        self.serve();
        reply
    }

    /// Runs a script: nothing else happens meanwhile, and the clock stands still.
    ///
    /// Clients that wait are served only after it, from what it leaves.
    #[inline]
    pub fn script<R>(&mut self, now: Instant, script: impl FnOnce(&mut Db) -> R) -> R {
        self.db.set_now(now.ms());
        let result = script(&mut self.db);
        self.serve();
        result
    }

    /// Takes the replies to clients that no longer wait, in the order they were served.
    pub fn served(&mut self) -> std::vec::Drain<'_, (ClientId, Reply)> {
        self.served.drain(..)
    }

    /// The first instant at which [`Redis::expire`] has something to do.
    ///
    /// It is the start of the millisecond after the deadline: Redis compares whole milliseconds,
    /// and acts when its clock has passed the deadline. That is the least delay, of a server that
    /// has other things to do. An idle one notices at its next timer tick, up to 100 ms later
    /// (`hz 10`); a caller that wants this calls [`Redis::expire`] later.
    #[inline]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.blocked.next_deadline()
    }

    /// Ends the waits whose time is up, with a nil reply, earliest deadline first.
    pub fn expire(&mut self, now: Instant) {
        while let Some(client) = self.blocked.due(now.ms()) {
            self.blocked.remove(&mut self.db, client);
            self.served.push((client, Reply::Nil));
        }
    }

    /// `FLUSHALL`: every key goes; clients that wait go on waiting.
    pub fn flush(&mut self) {
        self.db.flush();
    }

    /// Forgets a client whose connection has closed.
    ///
    /// It waits no more, and a reply it was served but has not been given is lost, with the element
    /// in it.
    pub fn disconnect(&mut self, client: ClientId) {
        self.blocked.remove(&mut self.db, client);
        self.served.retain(|(served, _)| *served != client);
    }

    /// Whether `client` waits.
    pub fn is_blocked(&self, client: ClientId) -> bool {
        self.blocked.contains(client)
    }

    /// Serves the clients that wait for keys that have become ready (blocked.c,
    /// `handleClientsBlockedOnKeys`): keys in the order they did, clients in the order they came.
    #[inline]
    fn serve(&mut self) {
        if !self.db.ready.is_empty() {
            self.serve_ready();
        }
    }

    fn serve_ready(&mut self) {
        let mut ready = std::mem::take(&mut self.db.ready);
        for key in &ready {
            while let Some(client) = self.db.waiting.get(key).and_then(|clients| clients.front()) {
                let client = *client;
                // Gone again, or of another type by now: then the client waits on.
                let Ok(Some((member, score))) = self.db.zpopmin(key) else { break };
                self.blocked.remove(&mut self.db, client);
                self.served.push((client, popped(key, member, score)));
            }
        }
        // Serving only removes, so nothing has become ready meanwhile; keep the memory.
        ready.clear();
        self.db.ready = ready;
    }
}

/// The database. Who waits is not shown.
impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("db", &self.db).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
