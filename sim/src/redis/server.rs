//! The server as a command sees it: databases, clients, settings, and what goes out.
//!
//! A command is a function of a [`Call`]. It changes the server and answers; whom that wakes, and
//! what is published, is worked off after it ([`Redis`]), so a command never sees a half-done other.
//!
//! [`Redis`]: super::Redis

use std::collections::BTreeMap;
use std::rc::Rc;

use super::ClientId;
use super::blocked::{Blocked, Serve, Wait};
use super::bytes::{Bytes, Key};
use super::clients::Host;
use super::db::Db;
use super::error::Error;
use super::mutants::{Mutant, planted};
use super::pause::Pause;
use super::pubsub::Subscribers;
use super::reply::Reply;
use super::session::Session;
use super::settings::Settings;
use super::stats::Stats;
use super::value::Value;
use crate::clock::{Instant, Span};

/// How many databases there are, as in an unconfigured server.
pub(super) const DATABASES: usize = 16;

/// How much is kept of the name of a command that is not known, and of how many.
const UNKNOWN_NAME: usize = 128;
const UNKNOWN_NAMES: usize = 1000;

/// What a command comes to. An error had no effect unless the command says otherwise.
pub(super) type Answer = Result<Reply, Error>;

/// How many scripts, functions and libraries are kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScriptCounts {
    pub(super) cached: usize,
    pub(super) functions: usize,
    pub(super) libraries: usize,
}

/// All of a server but its scripts.
pub(super) struct Server {
    /// The databases that were ever selected, by number. There is at least one.
    pub(super) dbs: Vec<Db>,
    pub(super) now: Instant,
    pub(super) blocked: Blocked,
    /// What goes to clients beside the reply to the command that runs: replies to clients that were
    /// blocked, messages. In order.
    pub(super) outbox: Vec<(ClientId, Reply)>,
    /// By client number: callers number their connections from 0.
    sessions: Vec<Option<Box<Session>>>,
    /// How many clients there ever were.
    pub(super) connected: u64,
    /// The names of commands that this server does not know, and how often they came.
    pub(super) unknown: BTreeMap<Bytes, u64>,
    pub(super) host: Host,
    pub(super) settings: Settings,
    pub(super) stats: Stats,
    pub(super) scripts: ScriptCounts,
    pub(super) subscribers: Subscribers,
    /// The clients that are shown every command (MONITOR).
    pub(super) monitors: Vec<ClientId>,
    /// The clients that are to be disconnected at once.
    pub(super) dismissed: Vec<ClientId>,
    pub(super) pause: Pause,
    /// Keys whose deadline has passed stay until somebody asks for them (DEBUG SET-ACTIVE-EXPIRE).
    pub(super) idle: bool,
    /// A client has said SHUTDOWN.
    pub(super) ending: bool,
    /// How long the whole server is to sleep (DEBUG SLEEP).
    pub(super) sleep: Span,
    /// When SAVE came last.
    pub(super) saved: Option<Instant>,
    seed: u64,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            dbs: vec![Db::new()],
            now: Instant::from_ms(0),
            blocked: Blocked::default(),
            outbox: Vec::new(),
            sessions: Vec::new(),
            connected: 0,
            unknown: BTreeMap::new(),
            host: Host::default(),
            settings: Settings::default(),
            stats: Stats::default(),
            scripts: ScriptCounts::default(),
            subscribers: Subscribers::default(),
            monitors: Vec::new(),
            dismissed: Vec::new(),
            pause: Pause::default(),
            idle: false,
            ending: false,
            sleep: Span::ZERO,
            saved: None,
            seed: 0,
        }
    }
}

impl Server {
    /// Sets the clock for what follows.
    #[inline]
    pub(super) fn begin(&mut self, now: Instant) {
        self.now = now;
        let now_ms = now.ms();
        for db in &mut self.dbs {
            db.set_now(now_ms);
        }
    }

    /// The database of this number, which is below [`DATABASES`].
    #[inline]
    pub(super) fn db(&mut self, number: usize) -> &mut Db {
        if number >= self.dbs.len() {
            self.add_dbs(number);
        }
        &mut self.dbs[number]
    }

    #[cold]
    fn add_dbs(&mut self, number: usize) {
        assert!(number < DATABASES, "there are sixteen databases");
        while self.dbs.len() <= number {
            let mut db = Db::new();
            db.set_now(self.now.ms());
            db.wanted = self.dbs[0].wanted;
            db.limits = self.dbs[0].limits;
            db.seed(self.seed ^ self.dbs.len() as u64);
            self.dbs.push(db);
        }
    }

    /// Seeds the commands that answer with a random member.
    pub(super) fn seed(&mut self, seed: u64) {
        self.seed = seed;
        for (number, db) in self.dbs.iter_mut().enumerate() {
            db.seed(seed ^ number as u64);
        }
    }

    /// What is known of a client; one that was never heard of begins here.
    #[inline]
    pub(super) fn session(&mut self, client: ClientId) -> &mut Session {
        let place = client.0 as usize;
        if self.known(client).is_none() {
            self.begin_session(place);
        }
        self.sessions[place].as_mut().expect("it has just begun at the latest")
    }

    #[cold]
    fn begin_session(&mut self, place: usize) {
        if place >= self.sessions.len() {
            self.sessions.resize_with(place + 1, || None);
        }
        self.connected += 1;
        self.stats.connections += 1;
        let mut session = Session::new(self.connected, self.now);
        session.authenticated = self.settings.password.is_empty();
        self.sessions[place] = Some(Box::new(session));
    }

    /// What is known of a client that was heard of.
    #[inline]
    pub(super) fn known(&self, client: ClientId) -> Option<&Session> {
        self.sessions.get(client.0 as usize)?.as_deref()
    }

    /// All clients that are connected, by number.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (ClientId, &Session)> {
        let clients = (0..).map(ClientId).zip(&self.sessions);
        clients.filter_map(|(client, session)| Some((client, session.as_deref()?)))
    }

    /// Forgets a client.
    pub(super) fn forget(&mut self, client: ClientId) -> Option<Box<Session>> {
        if !planted(Mutant::R7) {
            self.unblock(client);
        }
        self.unwatch(client);
        self.known(client)?;
        self.unsubscribe_all(client);
        self.monitors.retain(|monitor| *monitor != client);
        self.pause.forget(client);
        self.sessions.get_mut(client.0 as usize)?.take()
    }

    /// Counts a command that this server does not know. Clients may send any number of names, so
    /// not all are kept.
    pub(super) fn count_unknown(&mut self, name: &[u8]) {
        let name = name[..name.len().min(UNKNOWN_NAME)].to_ascii_lowercase();
        if let Some(count) = self.unknown.get_mut(name.as_slice()) {
            *count += 1;
        } else if self.unknown.len() < UNKNOWN_NAMES {
            self.unknown.insert(Bytes::from(name), 1);
        }
    }

    /// Lets a client wait no more; whether it did.
    pub(super) fn unblock(&mut self, client: ClientId) -> bool {
        self.blocked.remove(&mut self.dbs, client).is_some()
    }

    /// Forgets which keys a client watches.
    pub(super) fn unwatch(&mut self, client: ClientId) {
        let Some(Some(session)) = self.sessions.get_mut(client.0 as usize) else { return };
        session.changed = false;
        for watch in session.watching.drain(..) {
            let watched = &mut self.dbs[watch.db].watched;
            if let Some(clients) = watched.get_mut(&watch.key) {
                clients.retain(|other| *other != client);
                if clients.is_empty() {
                    watched.remove(&watch.key);
                }
            }
        }
    }

    /// Works off what commands left: watchers are told, events published, clients that wait served.
    #[inline]
    pub(super) fn settle(&mut self) {
        for number in 0..self.dbs.len() {
            let db = &self.dbs[number];
            let quiet = db.touched.is_empty() && db.lapsed.is_empty() && db.notices.is_empty();
            if !quiet || !db.ready.is_empty() {
                self.settle_db(number);
            }
        }
    }

    fn settle_db(&mut self, number: usize) {
        self.tell(number);
        while !self.dbs[number].ready.is_empty() {
            for key in std::mem::take(&mut self.dbs[number].ready) {
                self.serve(number, &key);
                self.tell(number);
            }
        }
    }

    /// Tells those who watch or listen what has happened in a database.
    pub(super) fn tell(&mut self, number: usize) {
        for client in std::mem::take(&mut self.dbs[number].touched) {
            self.session(client).changed = true;
        }
        for key in std::mem::take(&mut self.dbs[number].lapsed) {
            self.tell_lapsed(number, &key);
        }
        let mut notices = std::mem::take(&mut self.dbs[number].notices);
        if planted(Mutant::R19) {
            notices.reverse();
        }
        for notice in notices {
            self.publish_notice(number, &notice);
        }
    }

    /// Tells those who watch a key that it went because its deadline had passed: a change to those
    /// who came before that (multi.c, `touchWatchedKey`).
    fn tell_lapsed(&mut self, number: usize, key: &Key) {
        let clients = self.dbs[number].watched.get(key).cloned().unwrap_or_default();
        for client in clients {
            let session = self.session(client);
            let was_dead = std::mem::take(&mut session.watch(number, key).was_dead);
            session.changed |= !was_dead;
        }
    }

    /// Serves the clients that wait for a key that has become ready, in the order they came
    /// (blocked.c, `handleClientsBlockedOnKeys`).
    fn serve(&mut self, number: usize, key: &Key) {
        let waiting = self.dbs[number].waiting.get(key);
        let mut clients: Vec<ClientId> = waiting.into_iter().flatten().copied().collect();
        if planted(Mutant::R6) {
            clients.reverse();
        }
        for client in clients {
            let Some(serves) = self.blocked.serves(client) else { continue };
            let reply = match self.dbs[number].entry(key) {
                Some(entry) if serves.wants(&entry.value) => {
                    serves.serve(self, client, number, key)
                }
                _ => serves.gone(),
            };
            if let Some(reply) = reply {
                if let Reply::Error(error) = &reply {
                    self.count_failed_wait(client, error);
                }
                self.unblock(client);
                self.outbox.push((client, reply));
            }
        }
    }
}

/// Where a command comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// A client, by itself.
    Client,
    /// A client's EXEC.
    Exec,
    /// A script.
    Script,
}

/// One command on its way.
pub(super) struct Call<'a> {
    pub(super) server: &'a mut Server,
    pub(super) client: ClientId,
    pub(super) origin: Origin,
    /// The words of the command; the first is its name, of a container's the second, too.
    pub(super) args: &'a [Bytes],
    /// The number of the database selected; it exists.
    pub(super) number: usize,
}

impl Call<'_> {
    /// The database selected.
    #[inline]
    pub(super) fn db(&mut self) -> &mut Db {
        &mut self.server.dbs[self.number]
    }

    /// An argument as a key.
    #[inline]
    pub(super) fn key(&self, at: usize) -> Key {
        Key::from(self.args[at].clone())
    }

    /// The client's session.
    pub(super) fn session(&mut self) -> &mut Session {
        self.server.session(self.client)
    }

    /// Whether the reply is for version 3 of the protocol.
    pub(super) fn resp3(&mut self) -> bool {
        self.session().resp == 3
    }

    /// Lets the client wait for one of `keys`, `timeout_ms` milliseconds at most, 0 for ever. In a
    /// script or in EXEC nobody waits: it is as if the time were up at once.
    pub(super) fn block(
        &mut self,
        keys: Vec<Key>,
        timeout_ms: u64,
        serves: Rc<dyn Serve>,
    ) -> Answer {
        if self.origin != Origin::Client {
            return Ok(serves.denied());
        }
        let wait = Wait { db: self.number, keys: keys.into(), serves, timeout_ms };
        self.server.blocked.add(&mut self.server.dbs, self.client, wait);
        Ok(Reply::Nothing)
    }
}

/// A type of value by what [`Serve::wants`] may ask of it.
impl Value {
    pub(super) fn is_zset(&self) -> bool {
        matches!(self, Value::Zset(_))
    }
}
