//! The keyspace: keys with values and deadlines, at a moment that the caller sets.
//!
//! It reads no clock and expires a key only as far as anyone can tell (see [`Db`]). The commands are
//! in the other files, one file a family. Persistence is not modelled.

use std::collections::VecDeque;
use std::fmt;
use std::hash::BuildHasherDefault;

use super::ClientId;
use super::bytes::{FixedMap, FrozenHasher, Key};
use super::error::Error;
use super::met::{How, Met};
use super::mutants::{Mutant, planted};
use super::value::{Kind, Limits, Value};

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

/// The keys with their entries, in an order that follows from what was done: a key that is removed
/// leaves its place to the last one. So a walk from the end towards the front misses none that was
/// there throughout, whatever is added and removed meanwhile: SCAN's promise.
pub(super) type Entries = indexmap::IndexMap<Key, Entry, BuildHasherDefault<FrozenHasher>>;

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

/// What an event of the keyspace is about: the letters of `notify-keyspace-events`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(super) enum Class {
    /// `g`: DEL, EXPIRE, RENAME and the like.
    Generic = 1 << 0,
    /// `$`.
    String = 1 << 1,
    /// `l`.
    List = 1 << 2,
    /// `s`.
    Set = 1 << 3,
    /// `h`.
    Hash = 1 << 4,
    /// `z`.
    Zset = 1 << 5,
    /// `t`.
    Stream = 1 << 6,
    /// `x`: a deadline has passed.
    Expired = 1 << 7,
    /// `n`: a key is new.
    New = 1 << 8,
    /// `m`: a key that was read is not there.
    Missing = 1 << 9,
    /// `e`: a key had to go for want of memory.
    Evicted = 1 << 10,
}

/// An event of the keyspace that is to be published.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Notice {
    pub(super) event: &'static str,
    pub(super) key: Key,
}

/// A Redis database at one moment.
///
/// Every command that a key of the wrong type makes fail does so before any effect. A key with a
/// deadline is there while `now <= deadline` (Redis 7.0.15: PTTL says 0 at the deadline, and the
/// key is gone a millisecond later). Reading treats a dead key as absent; writing removes it. That
/// cannot be told from Redis, which does not count an expiry in `server.dirty` either.
#[derive(Clone, Default)]
pub struct Db {
    pub(super) entries: Entries,
    pub(super) now_ms: i64,
    pub(super) dirty: u64,
    /// No deadline of any entry is before this one.
    earliest: Option<i64>,
    /// The clients blocked on each key, first come first (Redis's `blocking_keys`). A key that was
    /// waited for once may stay, with nobody waiting.
    pub(super) waiting: FixedMap<Key, VecDeque<ClientId>>,
    /// The keys waited for that came to hold something, in that order (Redis's `ready_keys`).
    pub(super) ready: Vec<Key>,
    /// The clients that watch each key, and of which keys of theirs have changed since they asked.
    pub(super) watched: FixedMap<Key, Vec<ClientId>>,
    pub(super) touched: Vec<ClientId>,
    /// The keys that are watched and went because their deadline had passed: no change to a client
    /// that came when it had passed already.
    pub(super) lapsed: Vec<Key>,
    /// The classes of events somebody wants, as a sum of [`Class`], and the events there were.
    pub(super) wanted: u16,
    pub(super) notices: Vec<Notice>,
    /// A collection was left empty by the change that is about to be told.
    vanished: bool,
    /// How many keys were removed because their deadline had passed.
    pub(super) expired: u64,
    pub(super) limits: Limits,
    /// The state of the generator of random members.
    random: u64,
    /// What was met, where somebody asks.
    pub(super) met: Met,
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
        if planted(Mutant::R2) {
            self.entries.retain(|_, entry| entry.deadline != Some(now_ms));
        }
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
        self.touch_all();
        self.signal_streams();
        if planted(Mutant::R20) && self.entries.len() > 1 {
            self.entries.drain(..self.entries.len() - 1);
            return;
        }
        self.entries.clear();
        self.earliest = None;
    }

    /// SWAPDB: exchanges the keys of two databases. Those who watch or wait stay; who watches is
    /// the caller's to tell.
    pub(super) fn swap(&mut self, other: &mut Db) {
        self.signal_streams_lost_to(other);
        other.signal_streams_lost_to(self);
        std::mem::swap(&mut self.entries, &mut other.entries);
        std::mem::swap(&mut self.earliest, &mut other.earliest);
        for db in [self, other] {
            let there = db.waiting.keys().filter(|key| db.entries.contains_key(*key));
            let mut there: Vec<Key> = there.cloned().collect();
            there.sort_unstable();
            there.iter().for_each(|key| db.signal(key));
        }
    }

    /// Removes the keys whose deadline has passed, as Redis does in the background; how many.
    ///
    /// It takes time linear in the number of keys, and none at all if no deadline can have passed.
    pub fn sweep(&mut self) -> usize {
        let now = self.now_ms;
        if self.earliest.is_none_or(|earliest| now <= earliest) {
            return 0;
        }
        let before = self.entries.len();
        let mut earliest = None;
        let mut dead = Vec::new();
        let tell = self.wanted & Class::Expired as u16 != 0
            || !self.watched.is_empty()
            || !self.waiting.is_empty();
        self.entries.retain(|key, entry| {
            if !entry.live(now) {
                if tell {
                    dead.push(key.clone());
                }
                return false;
            }
            earliest = [earliest, entry.deadline].into_iter().flatten().min();
            true
        });
        self.earliest = earliest;
        for key in dead {
            // A stream that members of a group wait for: see `gone` of `Serve`. To others it is
            // nothing.
            self.told_expired(&key);
        }
        let gone = before - self.entries.len();
        self.expired += gone as u64;
        gone
    }

    fn told_expired(&mut self, key: &Key) {
        self.signal(key);
        self.lapse(key);
        self.notify(Class::Expired, "expired", key);
    }

    /// Whether the deadline of a key that is still stored may have passed.
    #[inline]
    pub(super) fn may_hold_dead(&self) -> bool {
        self.earliest.is_some_and(|earliest| earliest < self.now_ms)
    }

    /// Removes a key whose deadline has passed, as Redis does when one is read
    /// (`expireIfNeeded`).
    pub(super) fn bury(&mut self, key: &Key) {
        if self.stored(key) == Some(true) {
            self.entries.swap_remove(key);
            self.expired += 1;
            self.told_expired(key);
        }
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
        self.met.key(key, How::Read);
        self.unseen(key)
    }

    /// As [`Db::entry`], for a caller that says itself what it meets of it.
    #[inline]
    fn unseen(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.live(self.now_ms))
    }

    /// The entry of a key that is there now, to change. Whoever changes it counts that in `dirty`
    /// and says so by [`Db::touch`]; a deadline is changed by [`Db::set_deadline`].
    #[inline]
    pub(super) fn entry_mut(&mut self, key: &Key) -> Option<&mut Entry> {
        self.met.key(key, How::Written);
        self.entries.get_mut(key).filter(|entry| entry.live(self.now_ms))
    }

    /// What `key` holds, if it is there and of the type `K`.
    #[inline]
    pub(super) fn read<K: Kind>(&self, key: &Key) -> Result<Option<&K>, Error> {
        self.met.key(key, How::Read);
        self.read_unseen(key)
    }

    /// As [`Db::read`], for a caller that says itself what it meets of it.
    #[inline]
    pub(super) fn read_unseen<K: Kind>(&self, key: &Key) -> Result<Option<&K>, Error> {
        match self.unseen(key) {
            None => Ok(None),
            Some(entry) => K::of(&entry.value).map(Some).ok_or(Error::WrongType),
        }
    }

    /// As [`Db::read`], in a command that may also write: that the key is not there is published.
    /// (Those that only read have it done for them.)
    pub(super) fn look<K: Kind>(&mut self, key: &Key) -> Result<Option<&K>, Error> {
        self.miss(key);
        self.read(key)
    }

    /// Publishes that a key that is read is not there, if it is not.
    #[inline]
    pub(super) fn miss(&mut self, key: &Key) {
        if self.wanted & Class::Missing as u16 != 0 && self.entry(key).is_none() {
            self.notify(Class::Missing, "keymiss", key);
        }
    }

    /// Lets `change` work on what `key` holds and count its changes; `None` if it is not there.
    ///
    /// A collection left empty vanishes. Where `change` counted any, clients that watch the key
    /// learn of it; what is published is the caller's to say, by [`Db::notify`].
    #[inline]
    pub(super) fn modify<K: Kind, R>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut K, &mut u64) -> R,
    ) -> Result<Option<R>, Error> {
        let before = self.dirty;
        let result = self.modify_unseen(key, change);
        self.met.key(key, if self.dirty == before { How::Read } else { How::Written });
        result
    }

    /// As [`Db::modify`], for a caller that says itself what it meets of it.
    #[inline]
    pub(super) fn modify_unseen<K: Kind, R>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut K, &mut u64) -> R,
    ) -> Result<Option<R>, Error> {
        let (now, before) = (self.now_ms, self.dirty);
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.live(now)) else {
            return Ok(None);
        };
        let value = K::of_mut(&mut entry.value).ok_or(Error::WrongType)?;
        let result = change(value, &mut self.dirty);
        if value.vanishes() && !planted(Mutant::R15) {
            self.entries.swap_remove(key);
            self.vanished = self.wanted != 0;
        }
        if self.dirty != before {
            self.touch(key);
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
        let before = self.dirty;
        let result = self.upsert_unseen(key, change);
        self.met.key(key, if self.dirty == before { How::Read } else { How::Written });
        result
    }

    /// As [`Db::upsert`], for a caller that says itself what it meets of it.
    #[inline]
    pub(super) fn upsert_unseen<K: Kind, R>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut K, &mut u64) -> R,
    ) -> Result<R, Error> {
        let (now, before) = (self.now_ms, self.dirty);
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.live(now)) {
            if planted(Mutant::R14) && K::of(&entry.value).is_none() {
                entry.value = K::default().wrap();
            }
            let value = K::of_mut(&mut entry.value).ok_or(Error::WrongType)?;
            let result = change(value, &mut self.dirty);
            if self.dirty != before {
                self.touch(key);
            }
            return Ok(result);
        }
        let mut value = K::default();
        let result = change(&mut value, &mut self.dirty);
        if !value.vanishes() {
            self.insert_unseen(key.clone(), Entry { value: value.wrap(), deadline: None });
        }
        Ok(result)
    }

    /// Puts a key there that was not, or replaces it whole (Redis's `dbAdd`): clients that wait for
    /// such a key are signalled.
    pub(super) fn insert(&mut self, key: Key, entry: Entry) {
        self.met.key(&key, How::Written);
        self.insert_unseen(key, entry);
    }

    fn insert_unseen(&mut self, key: Key, entry: Entry) {
        if matches!(entry.value, Value::Zset(_) | Value::List(_) | Value::Stream(_)) {
            self.signal(&key);
        }
        self.note_deadline(entry.deadline);
        self.touch(&key);
        if self.wanted & Class::New as u16 != 0 && self.entry(&key).is_none() {
            self.notify(Class::New, "new", &key);
        }
        let (place, before) = self.entries.insert_full(key, entry);
        if before.is_some_and(|before| before.value.is_stream())
            && let Some((key, _)) = self.entries.get_index(place)
        {
            let key = key.clone();
            self.signal(&key);
        }
    }

    /// Puts the result of a command of the form …STORE there, in place of what was; an empty one
    /// takes the key away. `read`: the key is one of those that the command has read.
    pub(super) fn store_result(
        &mut self,
        key: &Key,
        value: Value,
        class: Class,
        event: &'static str,
        read: bool,
    ) {
        if value.is_empty_collection() {
            self.discard(key, read);
            return;
        }
        self.set_key(key, value);
        self.dirty += 1;
        self.notify(class, event, key);
    }

    /// Takes away the target of a command whose result is empty. Redis does not ask whether it is
    /// dead (`dbDelete`), so a dead one that the command has not read is deleted, too.
    pub(super) fn discard(&mut self, key: &Key, read: bool) {
        let dead = self.entries.get(key).is_some_and(|entry| !entry.live(self.now_ms));
        if !dead || read {
            self.del(key);
            return;
        }
        self.entries.swap_remove(key);
        self.lapse(key);
        self.dirty += 1;
        self.notify(Class::Generic, "del", key);
    }

    /// Gives a key this value and no deadline (Redis's `setKey`): as [`Db::insert`], but clients that
    /// wait for such a key are signalled only if the key was not there.
    pub(super) fn set_key(&mut self, key: &Key, value: Value) {
        match self.entry_mut(key) {
            Some(entry) if !entry.value.is_stream() => {
                *entry = Entry { value, deadline: None };
                self.touch(key);
            }
            _ => self.insert(key.clone(), Entry { value, deadline: None }),
        }
    }

    /// Takes a key out, with what it held if it was still there. Counts and publishes nothing.
    #[inline]
    pub(super) fn take(&mut self, key: &Key) -> Option<Entry> {
        // Looked at before it is taken out: most keys deleted are not there.
        if !self.entries.contains_key(key) {
            self.met.key(key, How::Read);
            return None;
        }
        self.met.key(key, How::Written);
        let entry = self.entries.swap_remove(key).filter(|entry| entry.live(self.now_ms));
        if let Some(entry) = &entry {
            self.touch(key);
            if entry.value.is_stream() {
                self.signal(key);
            }
        }
        entry
    }

    /// Changes the deadline of a key that is there. Counts and publishes nothing.
    pub(super) fn set_deadline(&mut self, key: &Key, deadline: Option<i64>) {
        if let Some(entry) = self.entry_mut(key) {
            entry.deadline = deadline;
            self.note_deadline(deadline);
            self.touch(key);
        }
    }

    /// Keeps the promise of `earliest`.
    #[inline]
    pub(super) fn note_deadline(&mut self, deadline: Option<i64>) {
        if deadline.is_some() {
            self.earliest = [self.earliest, deadline].into_iter().flatten().min();
        }
    }

    /// Notes that `key` is ready, if a client waits for it (Redis's `signalKeyAsReady`).
    pub(super) fn signal(&mut self, key: &Key) {
        let waited = self.waiting.get(key).is_some_and(|clients| !clients.is_empty());
        if waited && !self.ready.contains(key) {
            self.ready.push(key.clone());
        }
    }

    /// Notes that all streams waited for are ready: they are about to go, and members of their
    /// groups wait no more (Redis's `scanDatabaseForDeletedStreams`).
    pub(super) fn signal_streams(&mut self) {
        let is_stream = |key: &&Key| self.entries.get(*key).is_some_and(|e| e.value.is_stream());
        let mut streams: Vec<Key> = self.waiting.keys().filter(is_stream).cloned().collect();
        streams.sort_unstable();
        streams.iter().for_each(|key| self.signal(key));
    }

    /// As [`Db::signal_streams`], of those in whose place another database has no stream.
    fn signal_streams_lost_to(&mut self, other: &Db) {
        let is_stream =
            |db: &Db, key: &Key| db.entries.get(key).is_some_and(|e| e.value.is_stream());
        let lost = |key: &&Key| is_stream(self, key) && !is_stream(other, key);
        let mut lost: Vec<Key> = self.waiting.keys().filter(lost).cloned().collect();
        lost.sort_unstable();
        lost.iter().for_each(|key| self.signal(key));
    }

    /// Clients that watch `key` learn that it has changed (Redis's `signalModifiedKey`).
    #[inline]
    pub(super) fn touch(&mut self, key: &Key) {
        if !self.watched.is_empty()
            && let Some(clients) = self.watched.get(key)
        {
            self.touched.extend(clients);
        }
    }

    /// Whether a key is stored, and whether its deadline has passed.
    pub(super) fn stored(&self, key: &Key) -> Option<bool> {
        self.entries.get(key).map(|entry| !entry.live(self.now_ms))
    }

    /// Notes that `key` went because its deadline had passed.
    fn lapse(&mut self, key: &Key) {
        if self.watched.contains_key(key) {
            self.lapsed.push(key.clone());
        }
    }

    /// Clients that watch a key that is there learn that it has changed; one that is dead goes.
    pub(super) fn touch_all(&mut self) {
        // Who is told does not depend on the order of telling.
        for (key, clients) in &self.watched {
            match self.entries.get(key) {
                None => {}
                Some(entry) if entry.live(self.now_ms) => self.touched.extend(clients),
                Some(_) => self.lapsed.push(key.clone()),
            }
        }
    }

    /// Publishes an event, if somebody may want it (`notifyKeyspaceEvent`), and after it the `del`
    /// of a collection that the change left empty.
    #[inline]
    pub(super) fn notify(&mut self, class: Class, event: &'static str, key: &Key) {
        if self.wanted == 0 {
            return;
        }
        if self.wanted & class as u16 != 0 {
            self.notices.push(Notice { event, key: key.clone() });
        }
        if std::mem::take(&mut self.vanished) {
            self.notify(Class::Generic, "del", key);
        }
    }

    /// Seeds the generator of random members.
    pub(super) fn seed(&mut self, seed: u64) {
        self.random = seed;
    }

    /// A number below `bound`, for commands that answer with a random member (splitmix64). The
    /// generator belongs to the server: a simulated fleet sends no such command.
    pub(super) fn random(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let below = (u128::from(mixed) * bound as u128) >> 64;
        usize::try_from(below).expect("it is below `bound`")
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
