//! What a front of the server asks and says about its clients and about itself.
//!
//! Nothing here runs a command.

use super::bytes::Bytes;
use super::reply::Reply;
use super::resp::Allowed;
use super::session::Session;
use super::{ClientId, Redis};
use crate::clock::{Instant, Span};

/// What the server tells of where it runs (INFO), and is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Host {
    /// The port it listens on.
    pub port: u16,
    /// The number of its process.
    pub process: u32,
    /// How its time passes: `real` or `virtual`.
    pub time: &'static str,
    /// When it began, by its own clock.
    pub since: Instant,
}

impl Default for Host {
    /// Nowhere, from the epoch on.
    fn default() -> Self {
        Host { port: 0, process: 0, time: "virtual", since: Instant::from_ms(0) }
    }
}

impl Redis {
    /// Says where the server runs.
    pub fn host(&mut self, host: Host) {
        self.server.host = host;
    }

    /// Sets a setting, as CONFIG SET does; also one that a running server does not let change.
    ///
    /// # Errors
    /// The setting is not known, or this is no value of it: what Redis says of that.
    pub fn configure(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.server.configure(name, value)
    }

    /// How many clients there may be at a time: `maxclients`.
    pub fn max_clients(&self) -> usize {
        self.server.settings.maxclients
    }

    /// A client has connected, from one address to another.
    pub fn connect(&mut self, client: ClientId, peer: &str, local: &str, now: Instant) {
        self.server.begin(now);
        let session = self.server.session(client);
        session.peer = Bytes::from(peer);
        session.local = Bytes::from(local);
    }

    /// Whether clients from elsewhere than this machine are to be refused: nobody has set a password.
    pub fn is_protected(&self) -> bool {
        self.server.settings.protected && self.server.settings.password.is_empty()
    }

    /// How many bytes a client may send ahead of what has been executed.
    pub fn longest_input(&self) -> usize {
        self.server.settings.query_buffer
    }

    /// How many bytes may wait to be sent to a client; `None`: any number.
    pub fn longest_output(&self, client: ClientId) -> Option<usize> {
        let (client_limit, subscriber_limit) = self.server.settings.output_buffers;
        let subscribed = self.server.known(client).is_some_and(Session::subscribed);
        let limit = if subscribed { subscriber_limit } else { client_limit };
        (limit > 0).then_some(limit)
    }

    /// Disconnects the clients that have been idle for too long (`timeout`).
    pub(super) fn dismiss_idle(&mut self) {
        let server = &mut *self.server;
        if server.settings.timeout == 0 {
            return;
        }
        let longest = Span::from_secs(server.settings.timeout);
        let idle = |(client, session): &(ClientId, &Session)| {
            server.now.since(session.last_seen) > longest
                && !session.subscribed()
                && !server.blocked.contains(*client)
        };
        let idle: Vec<ClientId> =
            server.sessions().filter(idle).map(|(client, _)| client).collect();
        for client in idle {
            server.forget(client);
            server.dismissed.push(client);
        }
    }

    /// What a client may send now.
    pub fn allowed(&self, client: ClientId) -> Allowed {
        Allowed {
            longest: self.server.settings.proto_max_bulk_len,
            authenticated: self.server.known(client).is_none_or(|session| session.authenticated),
        }
    }

    /// The version of the protocol that a client speaks: 2 or 3.
    pub fn protocol(&self, client: ClientId) -> u8 {
        self.server.known(client).map_or(2, |session| session.resp)
    }

    /// Whether a client is to be disconnected once it has been sent what there is for it.
    pub fn is_closing(&self, client: ClientId) -> bool {
        self.server.known(client).is_some_and(|session| session.closing)
    }

    /// The instant from which the first key with a deadline is gone.
    pub fn next_expiry(&self) -> Option<Instant> {
        let deadlines = self.server.dbs.iter().flat_map(|db| db.entries.values());
        let first = deadlines.filter_map(|entry| entry.deadline).min()?;
        Some(Instant::from_ms(first.saturating_add(1)))
    }

    /// Whether a client has said that the server is to end (SHUTDOWN).
    pub fn is_ending(&self) -> bool {
        self.server.ending
    }

    /// How long the whole server is to sleep before it goes on: a client has said so (DEBUG SLEEP).
    pub fn sleep(&mut self) -> Span {
        std::mem::take(&mut self.server.sleep)
    }

    /// Whether [`Redis::served`] has anything.
    pub fn has_served(&self) -> bool {
        !self.server.outbox.is_empty()
    }

    /// Takes the clients that are to be disconnected at once, because another client says so.
    pub fn dismissed(&mut self) -> std::vec::Drain<'_, ClientId> {
        self.server.dismissed.drain(..)
    }

    /// A client sent what is no request: it is counted as an error.
    pub fn malformed(&mut self, reply: &Reply) {
        if let Reply::Error(error) = reply {
            self.server.stats.error(error);
        }
    }
}
