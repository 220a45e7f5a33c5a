//! The clients that wait for keys, and when each stops waiting.
//!
//! Which client waits for which key is kept with the keyspace ([`Db`]), as in Redis, because a key
//! that comes into being must know whether anyone waits for it. Nothing here sends a reply.

use std::collections::VecDeque;
use std::rc::Rc;

use super::ClientId;
use super::bytes::Key;
use super::db::Db;
use super::met::How;
use super::reply::Reply;
use super::server::Server;
use super::value::Value;
use crate::clock::Instant;

/// What a client waits for, and what it gets.
pub(super) trait Serve {
    /// Whether a value is of the type that the client waits for.
    fn wants(&self, value: &Value) -> bool;

    /// Serves the client from a key that has become ready and holds what it wants; `None`: it waits
    /// on. An error is a reply, too.
    fn serve(&self, server: &mut Server, client: ClientId, db: usize, key: &Key) -> Option<Reply>;

    /// The reply when the key that has become ready is gone, or holds something else; `None`: it
    /// waits on.
    fn gone(&self) -> Option<Reply> {
        None
    }

    /// The reply when the time is up.
    fn timeout(&self) -> Reply {
        Reply::NilArray
    }

    /// The reply where nobody may wait: in a script and in EXEC.
    fn denied(&self) -> Reply {
        self.timeout()
    }
}

/// How a client waits.
pub(super) struct Wait {
    /// The number of the database of the keys.
    pub(super) db: usize,
    pub(super) keys: Rc<[Key]>,
    pub(super) serves: Rc<dyn Serve>,
    /// 0 is for ever.
    pub(super) timeout_ms: u64,
}

/// A client that waits.
struct Waiter {
    wait: Wait,
    timeout: Option<Timeout>,
}

/// When a client stops waiting. Clients with the same deadline stop in the order they started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Timeout {
    /// The last millisecond of waiting.
    deadline_ms: i64,
    /// Counts the waits since the start.
    wait: u64,
    client: ClientId,
}

/// All clients that wait.
#[derive(Default)]
pub(super) struct Blocked {
    /// By client number: callers number their connections from 0.
    waiters: Vec<Option<Waiter>>,
    /// Sorted. Waits mostly end in the order they started, so both ends are where it changes.
    timeouts: VecDeque<Timeout>,
    waits: u64,
}

impl Blocked {
    /// Whether `client` waits.
    pub(super) fn contains(&self, client: ClientId) -> bool {
        matches!(self.waiters.get(client.0 as usize), Some(Some(_)))
    }

    /// Lets `client` wait, behind those who wait already.
    pub(super) fn add(&mut self, dbs: &mut [Db], client: ClientId, wait: Wait) {
        let db = &mut dbs[wait.db];
        for (at, key) in wait.keys.iter().enumerate() {
            if wait.keys[..at].contains(key) {
                continue;
            }
            // Who came first is served first.
            db.met.key(key, How::Written);
            match db.waiting.get_mut(key) {
                Some(clients) => clients.push_back(client),
                None => {
                    db.waiting.insert(key.clone(), [client].into());
                }
            }
        }
        self.waits += 1;
        let timeout = (wait.timeout_ms > 0).then(|| Timeout {
            deadline_ms: db.now_ms.saturating_add_unsigned(wait.timeout_ms),
            wait: self.waits,
            client,
        });
        if let Some(timeout) = timeout {
            if self.timeouts.back().is_none_or(|last| *last < timeout) {
                self.timeouts.push_back(timeout);
            } else {
                let at = self.timeouts.partition_point(|other| *other < timeout);
                self.timeouts.insert(at, timeout);
            }
        }
        let place = client.0 as usize;
        if place >= self.waiters.len() {
            self.waiters.resize_with(place + 1, || None);
        }
        self.waiters[place] = Some(Waiter { wait, timeout });
    }

    /// How many clients wait, and how many of them not for ever.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.waiters.iter().flatten().count(), self.timeouts.len())
    }

    /// The last millisecond for which `client` waits, if it does not wait for ever.
    pub(super) fn deadline_ms(&self, client: ClientId) -> Option<i64> {
        let waiter = self.waiters.get(client.0 as usize)?.as_ref()?;
        waiter.timeout.map(|timeout| timeout.deadline_ms)
    }

    /// What `client` waits for.
    pub(super) fn serves(&self, client: ClientId) -> Option<Rc<dyn Serve>> {
        let waiter = self.waiters.get(client.0 as usize)?.as_ref()?;
        Some(Rc::clone(&waiter.wait.serves))
    }

    /// Lets `client` wait no more; how it waited.
    pub(super) fn remove(&mut self, dbs: &mut [Db], client: ClientId) -> Option<Wait> {
        let waiter = self.waiters.get_mut(client.0 as usize)?.take()?;
        let db = &mut dbs[waiter.wait.db];
        if let Some(timeout) = waiter.timeout {
            if self.timeouts.front() == Some(&timeout) {
                self.timeouts.pop_front();
            } else {
                let at = self.timeouts.binary_search(&timeout).expect("a wait's timeout is listed");
                self.timeouts.remove(at);
            }
        }
        for key in waiter.wait.keys.iter() {
            db.met.key(key, How::Written);
            let clients = db.waiting.get_mut(key).expect("a key waited for stays");
            // Mostly the first of them. A key named twice is there once.
            if clients.front() == Some(&client) {
                clients.pop_front();
            } else if let Some(at) = clients.iter().position(|waiting| *waiting == client) {
                clients.remove(at);
            }
        }
        Some(waiter.wait)
    }

    /// The instant from which the next wait is over. Redis lets a deadline pass before it acts.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let timeout = self.timeouts.front()?;
        Some(Instant::from_ms(timeout.deadline_ms.saturating_add(1)))
    }

    /// A client whose wait is over at `now_ms`, earliest deadline first.
    pub(super) fn due(&self, now_ms: i64) -> Option<ClientId> {
        self.timeouts.front().filter(|timeout| timeout.deadline_ms < now_ms).map(|t| t.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Serve for Nothing {
        fn wants(&self, _: &Value) -> bool {
            false
        }

        fn serve(&self, _: &mut Server, _: ClientId, _: usize, _: &Key) -> Option<Reply> {
            None
        }
    }

    #[test]
    fn waits_are_forgotten_in_every_place() {
        let (mut dbs, mut blocked) = ([Db::new()], Blocked::default());
        let [a, b] = ["a", "b"].map(Key::from);
        let keys: Rc<[Key]> = [a.clone(), b.clone(), a.clone()].into();
        for (client, timeout_ms) in [(1, 10), (2, 0)] {
            let wait = Wait { db: 0, keys: Rc::clone(&keys), serves: Rc::new(Nothing), timeout_ms };
            blocked.add(&mut dbs, ClientId(client), wait);
        }
        assert_eq!(dbs[0].waiting[&a], [ClientId(1), ClientId(2)]);
        assert_eq!(blocked.next_deadline(), Some(Instant::from_ms(11)));
        assert_eq!((blocked.due(10), blocked.due(11)), (None, Some(ClientId(1))));
        assert!(blocked.remove(&mut dbs, ClientId(1)).is_some());
        assert!(blocked.remove(&mut dbs, ClientId(1)).is_none());
        assert_eq!((dbs[0].waiting[&a].len(), dbs[0].waiting[&b].len()), (1, 1));
        assert!(!blocked.contains(ClientId(1)) && blocked.contains(ClientId(2)));
        assert_eq!(blocked.next_deadline(), None);
    }
}
