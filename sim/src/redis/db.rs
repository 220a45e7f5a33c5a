//! The keyspace: keys with values and deadlines, at a moment that the caller sets.
//!
//! It reads no clock, expires a key only as far as anyone can tell (see [`Db`]), and never shows
//! the order of its hash table. The commands are methods of [`Db`] in the other files, one file a
//! family. One database only: SELECT, eviction, notifications and persistence are not modelled.

use std::collections::VecDeque;
use std::fmt;

use super::ClientId;
use super::bytes::{FixedMap, Key};
use super::error::Error;
use super::value::{Kind, Value};

/// A key's value and deadline.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    /// The last millisecond at which the key is there.
    pub(super) deadline: Option<i64>,
}

impl Entry {
    #[inline]
    pub(super) fn live(&self, now_ms: i64) -> bool {
        self.deadline.is_none_or(|deadline| now_ms <= deadline)
    }
}

/// A key as [`Db::snapshot`] shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot<'a> {
    /// The key.
    pub key: &'a Key,
    /// What it holds.
    pub value: &'a Value,
    /// The last millisecond since the epoch at which it is there; `None`: it does not expire.
    pub deadline_ms: Option<i64>,
}

/// A Redis database at one moment.
///
/// Every command that a key of the wrong type makes fail does so before any effect. A key with a
/// deadline is there while `now <= deadline` (Redis 7.0.15: PTTL says 0 at the deadline, and the
/// key is gone a millisecond later). Reading treats a dead key as absent; writing removes it. That
/// cannot be told from Redis, which does not count an expiry in `server.dirty` either.
#[derive(Clone, Default)]
pub struct Db {
    pub(super) entries: FixedMap<Key, Entry>,
    pub(super) now_ms: i64,
    pub(super) dirty: u64,
    /// The clients blocked on each key, first come first (Redis's `blocking_keys`). A key that was
    /// waited for once may stay, with nobody waiting.
    pub(super) waiting: FixedMap<Key, VecDeque<ClientId>>,
    /// The keys waited for that came to hold a sorted set, in that order (Redis's `ready_keys`).
    pub(super) ready: Vec<Key>,
}

impl Db {
    /// An empty database at the epoch.
    pub fn new() -> Self {
        Db::default()
    }

    /// Sets the server's clock, in milliseconds since the epoch, for the commands that follow.
    ///
    /// Redis stops this clock for the length of a command or a script. It may step back: a key then
    /// lives longer, and the ids of streams still increase.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// The server's clock, in milliseconds since the epoch, as last set.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The number of changes since the start, as Redis counts them in `server.dirty` (INFO's
    /// `rdb_changes_since_last_save`). A command that left this alone changed nothing.
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// Removes every key.
    pub fn flush(&mut self) {
        self.dirty += self.entries.len() as u64;
        self.entries.clear();
    }

    /// Removes the keys whose deadline has passed, as Redis does in the background; how many.
    ///
    /// Nothing but memory depends on it. It takes time linear in the number of keys.
    pub fn sweep(&mut self) -> usize {
        let now = self.now_ms;
        let before = self.entries.len();
        // Which keys go does not depend on the order of visiting them.
        self.entries.retain(|_, entry| entry.live(now));
        before - self.entries.len()
    }

    /// The keys that are there now, sorted bytewise. KEYS, for digests and tests.
    pub fn keys(&self) -> Vec<Key> {
        self.snapshot().into_iter().map(|shown| shown.key.clone()).collect()
    }

    /// All keys that are there now with what they hold, sorted bytewise by key.
    pub fn snapshot(&self) -> Vec<Snapshot<'_>> {
        let mut shown: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.live(self.now_ms))
            .map(|(key, entry)| Snapshot { key, value: &entry.value, deadline_ms: entry.deadline })
            .collect();
        shown.sort_unstable_by_key(|shown| shown.key);
        shown
    }

    /// The entry of a key that is there now.
    #[inline]
    pub(super) fn entry(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.live(self.now_ms))
    }

    /// The entry of a key that is there now, to change.
    #[inline]
    pub(super) fn entry_mut(&mut self, key: &Key) -> Option<&mut Entry> {
        self.entries.get_mut(key).filter(|entry| entry.live(self.now_ms))
    }

    /// What `key` holds, if it is there and of the type `K`.
    #[inline]
    pub(super) fn read<K: Kind>(&self, key: &Key) -> Result<Option<&K>, Error> {
        match self.entry(key) {
            None => Ok(None),
            Some(entry) => K::of(&entry.value).map(Some).ok_or(Error::WrongType),
        }
    }

    /// Lets `change` work on what `key` holds and count its changes; `None` if it is not there.
    ///
    /// A collection left empty vanishes.
    #[inline]
    pub(super) fn modify<K: Kind, R>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut K, &mut u64) -> R,
    ) -> Result<Option<R>, Error> {
        let now = self.now_ms;
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.live(now)) else {
            return Ok(None);
        };
        let value = K::of_mut(&mut entry.value).ok_or(Error::WrongType)?;
        let result = change(value, &mut self.dirty);
        if value.vanishes() {
            self.entries.remove(key);
        }
        Ok(Some(result))
    }

    /// As [`Db::modify`], making an empty `K` first if the key is not there.
    #[inline]
    pub(super) fn upsert<K: Kind, R>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut K, &mut u64) -> R,
    ) -> Result<R, Error> {
        let now = self.now_ms;
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.live(now)) {
            let value = K::of_mut(&mut entry.value).ok_or(Error::WrongType)?;
            return Ok(change(value, &mut self.dirty));
        }
        let mut value = K::default();
        let result = change(&mut value, &mut self.dirty);
        if !value.vanishes() {
            self.insert(key.clone(), Entry { value: value.wrap(), deadline: None });
        }
        Ok(result)
    }

    /// Puts a new key there (Redis's `dbAdd`): clients that wait for a sorted set are signalled.
    pub(super) fn insert(&mut self, key: Key, entry: Entry) {
        if matches!(entry.value, Value::Zset(_)) {
            self.signal(&key);
        }
        self.entries.insert(key, entry);
    }

    /// Notes that `key` is ready, if a client waits for it (Redis's `signalKeyAsReady`).
    fn signal(&mut self, key: &Key) {
        let waited = self.waiting.get(key).is_some_and(|clients| !clients.is_empty());
        if waited && !self.ready.contains(key) {
            self.ready.push(key.clone());
        }
    }
}

/// The clock and the keys, sorted.
impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("now_ms", &self.now_ms)
            .field("dirty", &self.dirty)
            .field("keys", &self.snapshot())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::bytes::Bytes;
    use crate::redis::strings::SetOptions;

    #[test]
    fn a_key_lives_up_to_and_including_its_deadline() {
        let mut db = Db::new();
        let key = Key::from("lock");
        db.set_now(100);
        db.set(&key, Bytes::from("token"), SetOptions::px(30)).expect("a string");
        db.set_now(130);
        assert_eq!(db.pttl(&key), 0);
        assert_eq!(db.keys(), std::slice::from_ref(&key));
        db.set_now(131);
        assert_eq!((db.pttl(&key), db.exists(&key)), (-2, false));
        assert!(db.keys().is_empty());
        assert_eq!((db.dirty(), db.sweep(), db.sweep()), (1, 1, 0));
    }

    #[test]
    fn a_dead_key_is_replaced_whatever_it_held() {
        let mut db = Db::new();
        let key = Key::from("k");
        db.set(&key, Bytes::from("v"), SetOptions::px(1)).expect("a string");
        assert_eq!(db.rpush(&key, [Bytes::from("a")]), Err(Error::WrongType));
        db.set_now(2);
        assert_eq!(db.rpush(&key, [Bytes::from("a")]), Ok(1));
        assert_eq!(db.pttl(&key), -1);
    }

    #[test]
    fn a_snapshot_is_sorted_bytewise() {
        let mut db = Db::new();
        for name in ["b", "a", "", "a:1", "Z"] {
            db.sadd(&Key::from(name), [Bytes::from("m")]).expect("a set");
        }
        let names: Vec<_> = db.keys().iter().map(Key::to_string).collect();
        assert_eq!(names, ["", "Z", "a", "a:1", "b"]);
    }
}
