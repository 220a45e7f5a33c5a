//! An in-memory Redis with the observable semantics of Redis 7.0.15.
//!
//! It runs a command or a script whole, at an instant the caller passes in, and it reads no clock.
//! A command comes as words ([`Redis::request`]), as from a socket; a simulated client sends a typed
//! [`Command`], and a modelled script is a closure over [`Db`], without text to read. Commands are
//! in one file a family. Clusters, replicas, persistence, modules, HyperLogLog and places on the
//! globe are not modelled: they answer like an unknown command. Neither is the time a command takes.
//!
//! The instants are those of the server's own clock: a caller whose server has a clock of its own
//! converts.

mod args;
mod blocked;
mod bytes;
mod command;
mod db;
mod error;
mod glob;
mod groups;
mod hashes;
mod keys;
mod lists;
mod longdouble;
mod reply;
pub mod resp;
mod scan;
mod server;
mod session;
mod sets;
mod stream;
mod streams;
mod streams_groups;
mod streams_info;
mod streams_read;
mod strings;
mod table;
mod transactions;
mod value;
mod zset;
mod zsets;

pub use bytes::{Bytes, Key, frozen_hash, parse_int};
pub use command::Command;
pub use db::{Db, Snapshot};
pub use error::Error;
pub use reply::Reply;
pub use stream::{MaxLen, Stream, StreamEntry, StreamId};
pub use strings::SetOptions;
pub use value::{Hash, List, Set, Value};
pub use zset::{Elements, Inserted, ScoreBound, Zset, score_text};
pub use zsets::Limit;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::clock::Instant;
use blocked::Wait;
use server::{Answer, Call, Origin, Server};
use table::{Known, Run};

/// A client: a connection to the server. The caller numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u32);

/// A Redis server: its databases, and what it knows of its clients.
///
/// A client that waits gets its reply later, through [`Redis::served`]: when a command or script
/// of another client brings a key it waits for into being, or when its time is up.
#[derive(Default)]
pub struct Redis {
    server: Box<Server>,
}

impl Redis {
    /// A server with empty databases.
    pub fn new() -> Self {
        Redis::default()
    }

    /// The first database, as the last command or script left it.
    pub fn db(&self) -> &Db {
        &self.server.dbs[0]
    }

    /// Seeds the commands that answer with a random member. Two servers with one seed that are sent
    /// the same answer the same.
    pub fn seed(&mut self, seed: u64) {
        self.server.seed(seed);
    }

    /// Runs a command of `client`, as it came from a socket: its name and its arguments. `None`:
    /// the client waits now.
    ///
    /// Clients that the command leaves something for are served before this returns. Messages that
    /// the command sends to its own client go before its reply ([`Redis::served`]).
    ///
    /// # Panics
    /// If there is no word, or if `client` waits: Redis reads no command from a client that does,
    /// so the caller holds commands back until the client is served.
    pub fn request(&mut self, client: ClientId, args: &[Bytes], now: Instant) -> Option<Reply> {
        assert!(!self.is_blocked(client), "a client that waits sends nothing");
        self.server.begin(now);
        let reply = self.process(client, args);
        self.server.settle();
        if self.is_blocked(client) { None } else { Some(reply.into()) }
    }

    /// Finds out whether a command may run, now or in a transaction, and runs it
    /// (server.c `processCommand`).
    fn process(&mut self, client: ClientId, args: &[Bytes]) -> Answer {
        let resolved = table::resolve(args);
        if resolved.is_err() && table::find(&args[0]).is_none() {
            *self.server.unknown.entry(args[0].clone()).or_default() += 1;
        }
        let session = self.server.session(client);
        let known = match (resolved, &mut session.queued) {
            (Ok(known), None) => known,
            (Ok(known), Some(_)) if transactions::NOT_QUEUED.contains(&known.spec.name) => known,
            (Ok(known), Some(queued)) if known.spec.is(table::flag::NO_MULTI) => {
                queued.refused = true;
                return Err(Error::Text("ERR Command not allowed inside a transaction"));
            }
            (Ok(_), Some(queued)) => return Ok(transactions::queue(queued, args)),
            (Err(error), queued) => {
                if let Some(queued) = queued {
                    queued.refused = true;
                }
                return Err(error);
            }
        };
        self.call(known, client, args, Origin::Client)
    }

    /// Runs a command that was found to be in order before.
    fn run(&mut self, client: ClientId, args: &[Bytes], origin: Origin) -> Answer {
        self.call(table::resolve(args)?, client, args, origin)
    }

    fn call(&mut self, known: &Known, client: ClientId, args: &[Bytes], origin: Origin) -> Answer {
        match known.spec.run {
            Run::Plain(run) => {
                let number = self.server.session(client).db;
                self.server.db(number);
                run(&mut Call { server: &mut self.server, client, origin, args, number })
            }
            Run::Whole(run) => run(self, client, args),
            Run::Container(_) => unreachable!("a container needs two words"),
        }
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
        let server = &mut *self.server;
        server.begin(now);
        let reply = match (command.run(&mut server.dbs[0]), command) {
            (Ok(None), Command::BZPopMin { keys, timeout_ms }) => {
                let (keys, timeout_ms) = (Rc::clone(keys), *timeout_ms);
                let wait = Wait { db: 0, keys, serves: Rc::new(zsets::PopMin), timeout_ms };
                server.blocked.add(&mut server.dbs, client, wait);
                None
            }
            (reply, _) => reply.unwrap_or_else(|error| Some(Reply::Error(error))),
        };
        server.settle();
        reply
    }

    /// Runs a modelled script on the first database: nothing else happens meanwhile, and the clock
    /// stands still.
    ///
    /// Clients that wait are served only after it, from what it leaves.
    #[inline]
    pub fn script<R>(&mut self, now: Instant, script: impl FnOnce(&mut Db) -> R) -> R {
        self.server.begin(now);
        let result = script(&mut self.server.dbs[0]);
        self.server.settle();
        result
    }

    /// Takes what goes to clients beside the replies that were returned: replies to clients that no
    /// longer wait, in the order they were served, and messages.
    pub fn served(&mut self) -> std::vec::Drain<'_, (ClientId, Reply)> {
        self.server.outbox.drain(..)
    }

    /// The first instant at which [`Redis::expire`] has something to do.
    ///
    /// It is the start of the millisecond after the deadline: Redis compares whole milliseconds,
    /// and acts when its clock has passed the deadline. That is the least delay, of a server that
    /// has other things to do. An idle one notices at its next timer tick, up to 100 ms later
    /// (`hz 10`); a caller that wants this calls [`Redis::expire`] later.
    #[inline]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.server.blocked.next_deadline()
    }

    /// Ends the waits whose time is up, earliest deadline first, with what the command answers then.
    pub fn expire(&mut self, now: Instant) {
        self.server.begin(now);
        while let Some(client) = self.server.blocked.due(now.ms()) {
            let wait = self.server.blocked.remove(&mut self.server.dbs, client);
            let wait = wait.expect("a client whose time is up waits");
            self.server.outbox.push((client, wait.serves.timeout()));
        }
    }

    /// Removes the keys whose deadline has passed, as Redis does in the background.
    pub fn sweep(&mut self, now: Instant) {
        self.server.begin(now);
        for number in 0..self.server.dbs.len() {
            self.server.dbs[number].sweep();
        }
        self.server.settle();
    }

    /// `FLUSHALL`: every key goes; clients that wait go on waiting.
    pub fn flush(&mut self) {
        for number in 0..self.server.dbs.len() {
            self.server.dbs[number].flush();
            self.server.tell(number);
        }
    }

    /// Forgets a client whose connection has closed.
    ///
    /// It waits no more, and a reply it was served but has not been given is lost, with the element
    /// in it.
    pub fn disconnect(&mut self, client: ClientId) {
        self.server.forget(client);
        self.server.outbox.retain(|(served, _)| *served != client);
    }

    /// Whether `client` waits.
    pub fn is_blocked(&self, client: ClientId) -> bool {
        self.server.blocked.contains(client)
    }

    /// The names of commands that came and that this server does not know, and how often.
    pub fn unknown(&self) -> &BTreeMap<Bytes, u64> {
        &self.server.unknown
    }
}

/// The first database. Who waits is not shown.
impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("db", self.db()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
