//! An in-memory Redis with the observable semantics of Redis 7.0.15.
//!
//! It runs a command or a script whole, at an instant the caller passes in, and it reads no clock.
//! A command comes as words ([`Redis::request`]), as from a socket; a simulated client sends a typed
//! [`Command`], and a modelled script is a closure over [`Db`], without text to read. Commands are
//! in one file a family. Clusters, replicas, persistence, modules, HyperLogLog and places on the
//! globe are not modelled: their commands are unknown, or say that there is nothing of the kind.
//! Neither is the time a command takes.
//!
//! The instants are those of the server's own clock: a caller whose server has a clock of its own
//! converts.

mod admin;
mod alone;
mod args;
mod bits;
mod blocked;
mod bytes;
mod client;
mod clients;
mod command;
mod connection;
mod db;
mod debug;
mod error;
mod facts;
mod glob;
mod groups;
mod hash;
mod hashes;
mod help;
mod info;
mod introspection;
mod keys;
mod lists;
mod longdouble;
#[cfg(feature = "lua")]
mod lua;
mod memory;
mod met;
mod monitor;
mod mutants;
mod pause;
mod pubsub;
mod random;
mod reply;
pub mod resp;
mod scan;
mod server;
mod session;
mod set;
mod sets;
mod settings;
mod sort;
mod stats;
mod stream;
mod streams;
mod strings;
mod table;
mod transactions;
mod value;
mod zset;
mod zsets;

pub use bytes::{Bytes, Key, frozen_hash, parse_int};
pub use clients::Host;
pub use command::Command;
pub use db::{Db, Snapshot};
pub use error::Error;
#[cfg(feature = "lua")]
pub use lua::ScriptLimits;
pub use met::How;
pub use mutants::Mutant;
#[cfg(feature = "mutants")]
pub use mutants::plant;
pub use reply::Reply;
pub use stream::{MaxLen, Stream, StreamEntry, StreamId};
pub use strings::SetOptions;
pub use value::{Hash, List, Set, Value};
pub use zset::{Elements, ScoreBound, Zset, score_text};
pub use zsets::Limit;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::clock::Instant;
use blocked::Wait;
use server::{Answer, Call, Origin, Server};
use session::Replies;
use table::{Known, Run, flag};

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
    #[cfg(feature = "lua")]
    scripts: Option<Box<lua::Scripts>>,
}

/// A client that waits, and until when if not for ever: a millisecond since the Unix epoch.
pub type Waits = (ClientId, Option<i64>);

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
        let reply = self.reply(client, args);
        self.server.settle();
        self.unpause();
        reply
    }

    /// Runs a command and says what its client is sent; `None`: it waits now.
    fn reply(&mut self, client: ClientId, args: &[Bytes]) -> Option<Reply> {
        if args::is(&args[0], "host:") || args::is(&args[0], "post") {
            // A browser was made to send commands: it is told nothing more, not even what its
            // commands before this one answered.
            self.server.session(client).closing = true;
            self.server.dismissed.push(client);
            return Some(Reply::Nothing);
        }
        let reply = self.process(client, args);
        if self.is_blocked(client) {
            return None;
        }
        let reply = Reply::from(reply);
        let session = self.server.session(client);
        if session.replies == Replies::On {
            return Some(reply);
        }
        Some(session.replies.of(reply))
    }

    /// Finds out whether a command may run, now or in a transaction, and runs it
    /// (server.c `processCommand`).
    fn process(&mut self, client: ClientId, args: &[Bytes]) -> Answer {
        let known = match self.admit(client, args) {
            Ok(known) => known,
            Err(error) => return Err(self.reject(client, args, error)),
        };
        let server = &mut *self.server;
        let session = server.known(client).expect("it was asked for before");
        if server.pause.holds(known, session.queued.as_ref()) {
            server.pause.keep(client, args);
            return Ok(Reply::Nothing);
        }
        match &mut server.session(client).queued {
            Some(queued) if !transactions::NOT_QUEUED.contains(&known.spec.name) => {
                Ok(transactions::queue(queued, args))
            }
            _ => self.call(known, client, args, Origin::Client),
        }
    }

    /// The command that the words name, if the client may send it now.
    fn admit(&mut self, client: ClientId, args: &[Bytes]) -> Result<&'static Known, Error> {
        let server = &mut *self.server;
        let now = server.now;
        let session = server.session(client);
        session.last_seen = now;
        let known = table::resolve(args);
        if known.is_err() && table::find(&args[0]).is_none() {
            server.count_unknown(&args[0]);
        }
        let known = known?;
        let session = server.session(client);
        session.last = Some(&known.name);
        if !session.authenticated && !known.spec.is(flag::NO_AUTH) {
            return Err(Error::Text("NOAUTH Authentication required."));
        }
        if session.queued.is_some() && known.spec.is(flag::NO_MULTI) {
            return Err(Error::Text("ERR Command not allowed inside a transaction"));
        }
        if server.settings.maxmemory > 0 {
            server.afford(client, known)?;
        }
        if server.settings.lacks_replicas {
            server.replicated(client, known)?;
        }
        let session = server.session(client);
        if session.resp == 2
            && session.subscribed()
            && !pubsub::OF_SUBSCRIBERS.contains(&known.spec.name)
        {
            return Err(Error::line(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context",
                known.name
            )));
        }
        Ok(known)
    }

    /// What a client is told whose command may not run; its transaction will not run either.
    fn reject(&mut self, client: ClientId, args: &[Bytes], error: Error) -> Error {
        let known = table::find(&args[0]);
        if let Some(known) = known {
            self.server.stats.of(known.index).rejected += 1;
        }
        self.server.stats.error(&error);
        let session = self.server.session(client);
        if known.is_some_and(|known| known.spec.name == "exec") {
            return transactions::abort(&mut self.server, client, &error);
        }
        if let Some(queued) = &mut session.queued {
            queued.refused = true;
        }
        error
    }

    /// Runs a command that was found to be in order before.
    fn run(&mut self, client: ClientId, args: &[Bytes], origin: Origin) -> Answer {
        self.call(table::resolve(args)?, client, args, origin)
    }

    fn call(&mut self, known: &Known, client: ClientId, args: &[Bytes], origin: Origin) -> Answer {
        let server = &mut *self.server;
        let number = server.session(client).db;
        // A script is shown before the commands that it runs.
        if !server.monitors.is_empty() && known.spec.is(flag::SKIP_MONITOR) {
            server.show(known, client, args, origin);
        }
        let answer = match known.spec.run {
            Run::Plain(run) => {
                if server.db(number).may_hold_dead() {
                    server.bury_what_is_read(known, args, number);
                }
                let answer = run(&mut Call { server, client, origin, args, number });
                // What is published goes out in the order of the commands: first of the database
                // selected, then of the one that COPY and MOVE name.
                if !server.dbs[number].notices.is_empty() {
                    server.tell(number);
                }
                for other in 0..server.dbs.len() {
                    if !server.dbs[other].notices.is_empty() {
                        server.tell(other);
                    }
                }
                answer
            }
            Run::Whole(run) => run(self, client, args),
            // Of the commands of several parts, only COMMAND may be without a second word.
            Run::Container(_) => {
                introspection::command(&mut Call { server, client, origin, args, number })
            }
        };
        let stats = &mut self.server.stats;
        stats.commands += 1;
        let calls = stats.of(known.index);
        calls.calls += 1;
        match &answer {
            Err(error) => {
                calls.failed += 1;
                stats.error(error);
            }
            // Of a script, that a command of it has counted already.
            Ok(Reply::Error(_)) => calls.failed += 1,
            Ok(_) => {}
        }
        if !self.server.monitors.is_empty() && !known.spec.is(flag::SKIP_MONITOR) {
            self.server.show(known, client, args, origin);
        }
        answer
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
                let wait = Wait { db: 0, keys, serves: Rc::new(zsets::Pop::ONE_MIN), timeout_ms };
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
        let deadlines = [self.server.blocked.next_deadline(), self.server.pause.over()];
        deadlines.into_iter().flatten().min()
    }

    /// Ends the waits whose time is up, earliest deadline first, with what the command answers then.
    pub fn expire(&mut self, now: Instant) {
        self.server.begin(now);
        while let Some(client) = self.server.blocked.due(now.ms()) {
            self.time_is_up(client);
        }
        self.unpause();
    }

    /// Ends the wait of a client as if its time were up. It is served.
    pub fn time_is_up(&mut self, client: ClientId) {
        if let Some(wait) = self.server.blocked.remove(&mut self.server.dbs, client) {
            self.server.outbox.push((client, wait.serves.timeout()));
        }
    }

    /// Removes the keys whose deadline has passed, as Redis does in the background.
    pub fn sweep(&mut self, now: Instant) {
        self.server.begin(now);
        self.dismiss_idle();
        if self.server.idle {
            return;
        }
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

    /// Gives the first database the keys of a copy: a server that was behind becomes the one that
    /// clients reach. None is connected, and who waited when the copy was made does not come back.
    pub fn restore(&mut self, mut copy: Db) {
        self.server.dbs[0].swap(&mut copy);
    }

    /// Lets a key go from the first database, as eviction does: those who watch it are told, nobody
    /// else.
    pub fn evict<R>(&mut self, evict: impl FnOnce(&mut Db) -> R) -> R {
        let result = evict(&mut self.server.dbs[0]);
        self.server.settle();
        result
    }

    /// A digest of all keys, as DEBUG DIGEST gives it: forty hexadecimal digits.
    pub fn digest(&self) -> String {
        debug::dataset(&self.server)
    }

    /// Forgets a client whose connection has closed.
    ///
    /// It waits no more, and a reply it was served but has not been given is lost, with the element
    /// in it.
    pub fn disconnect(&mut self, client: ClientId) {
        self.server.forget(client);
        self.server.outbox.retain(|(served, _)| *served != client);
    }

    /// What it holds, at the end.
    pub(crate) fn into_db(mut self) -> Db {
        std::mem::take(&mut self.server.dbs[0])
    }

    /// From now on notes what commands and scripts meet of the first database.
    pub fn note_what_is_met(&mut self) {
        self.server.dbs[0].met.begin();
    }

    /// What was met since the last call: numbers of keys and of fields, and how. Nothing unless
    /// [`Redis::note_what_is_met`] was called.
    pub fn met(&mut self) -> Vec<(u64, How)> {
        self.server.dbs[0].met.take()
    }

    /// The clients that wait for each key, first come first served, with the last millisecond of each
    /// wait; sorted by key.
    pub fn waiting(&self) -> Vec<(&Key, Vec<Waits>)> {
        let server = &*self.server;
        let of = |client: &ClientId| (*client, server.blocked.deadline_ms(*client));
        let each = server.dbs[0].waiting.iter().filter(|(_, clients)| !clients.is_empty());
        let mut all: Vec<_> =
            each.map(|(key, clients)| (key, clients.iter().map(of).collect())).collect();
        all.sort_unstable();
        all
    }

    /// Whether `client` waits.
    pub fn is_blocked(&self, client: ClientId) -> bool {
        self.server.blocked.contains(client) || self.server.pause.contains(client)
    }

    /// The names of commands that came and that this server does not know, in small letters, and how
    /// often. There is a bound on how many names are kept.
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
