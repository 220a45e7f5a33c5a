//! The commands on keys of any type: DEL, EXISTS, PTTL, PEXPIRE, PERSIST, RENAME, TYPE.
//!
//! [`Db::keys`] and [`Db::snapshot`] are with the keyspace. Not modelled: patterns, SCAN, UNLINK
//! (to a client it is DEL), and PEXPIRE's NX, XX, GT and LT.

use super::args;
use super::bytes::Key;
use super::db::{Class, Db};
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::WRITE;

pub(super) const COMMANDS: &[Spec] = &[Spec::new("del", -2, WRITE, (1, -1, 1), del)];

/// DEL.
fn del(call: &mut Call<'_>) -> Answer {
    let keys = args::keys(&call.args[1..]);
    Ok(Reply::int(call.db().del_many(&keys)))
}

impl Db {
    /// DEL of one key; whether it was there.
    #[inline]
    pub fn del(&mut self, key: &Key) -> bool {
        let gone = self.take(key).is_some();
        if gone {
            self.dirty += 1;
            self.notify(Class::Generic, "del", key);
        }
        gone
    }

    /// DEL of several keys; how many were there. A key named twice counts once.
    pub fn del_many<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) -> usize {
        keys.into_iter().filter(|key| self.del(key)).count()
    }

    /// EXISTS of one key.
    #[inline]
    pub fn exists(&self, key: &Key) -> bool {
        self.entry(key).is_some()
    }

    /// PTTL: the milliseconds `key` has to live, -1 if it does not expire, -2 if it is not there.
    pub fn pttl(&self, key: &Key) -> i64 {
        match self.entry(key) {
            None => -2,
            Some(entry) => entry.deadline.map_or(-1, |deadline| deadline - self.now_ms),
        }
    }

    /// PEXPIRE: gives `key` `ms` milliseconds to live; whether it was there.
    ///
    /// With `ms` of zero or less the key is deleted at once.
    ///
    /// # Errors
    /// [`Error::InvalidExpire`] if the deadline does not fit, even if the key is not there.
    pub fn pexpire(&mut self, key: &Key, ms: i64) -> Result<bool, Error> {
        let deadline = self.now_ms.checked_add(ms).ok_or(Error::InvalidExpire("pexpire"))?;
        if deadline <= self.now_ms {
            return Ok(self.del(key));
        }
        if !self.exists(key) {
            return Ok(false);
        }
        self.set_deadline(key, Some(deadline));
        self.dirty += 1;
        self.notify(Class::Generic, "expire", key);
        Ok(true)
    }

    /// PERSIST: `key` no longer expires; whether it would have.
    pub fn persist(&mut self, key: &Key) -> bool {
        let had = self.entry(key).is_some_and(|entry| entry.deadline.is_some());
        if had {
            self.set_deadline(key, None);
            self.dirty += 1;
            self.notify(Class::Generic, "persist", key);
        }
        had
    }

    /// RENAME: moves value and deadline to `to`, replacing what is there. To itself: no change.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`] if `from` is not there.
    pub fn rename(&mut self, from: &Key, to: &Key) -> Result<(), Error> {
        if self.entry(from).is_none() {
            return Err(Error::NoSuchKey);
        }
        if from != to {
            let entry = self.take(from).expect("it was just there");
            self.insert(to.clone(), entry);
            self.dirty += 1;
            self.notify(Class::Generic, "rename_from", from);
            self.notify(Class::Generic, "rename_to", to);
        }
        Ok(())
    }

    /// TYPE: `string`, `list`, `hash`, `set`, `zset`, `stream`, or `none`.
    pub fn type_name(&self, key: &Key) -> &'static str {
        self.entry(key).map_or("none", |entry| entry.value.type_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::bytes::Bytes;
    use crate::redis::strings::SetOptions;

    fn with(names: &[&str]) -> Db {
        let mut db = Db::new();
        for name in names {
            db.set(&Key::from(*name), Bytes::from(*name), SetOptions::px(9)).unwrap();
        }
        db
    }

    #[test]
    fn del_counts_keys_that_were_there() {
        let mut db = with(&["a", "b"]);
        let keys = ["a", "a", "c", "b"].map(Key::from);
        assert_eq!((db.del_many(&keys), db.dirty()), (2, 4));
        assert!(!db.exists(&keys[0]));
    }

    #[test]
    fn pexpire_of_nothing_left_deletes() {
        let mut db = with(&["a"]);
        let [a, b] = ["a", "b"].map(Key::from);
        assert_eq!(db.pexpire(&b, 5), Ok(false));
        assert_eq!((db.pexpire(&a, 5), db.pttl(&a)), (Ok(true), 5));
        assert_eq!((db.persist(&a), db.persist(&a), db.pttl(&a)), (true, false, -1));
        assert_eq!((db.pexpire(&a, 0), db.pttl(&a)), (Ok(true), -2));
        db.set_now(1);
        assert_eq!(db.pexpire(&a, i64::MAX), Err(Error::InvalidExpire("pexpire")));
    }

    #[test]
    fn rename_moves_value_and_deadline() {
        let mut db = with(&["a", "b"]);
        let [a, b, c] = ["a", "b", "c"].map(Key::from);
        assert_eq!(db.rename(&c, &a), Err(Error::NoSuchKey));
        assert_eq!((db.rename(&a, &a), db.dirty()), (Ok(()), 2));
        assert!(db.persist(&b));
        assert_eq!(db.rename(&a, &b), Ok(()));
        assert_eq!((db.exists(&a), db.pttl(&b)), (false, 9));
        assert_eq!(db.get(&b).unwrap().cloned(), Some("a".into()));
        assert_eq!((db.type_name(&a), db.type_name(&b)), ("none", "string"));
    }
}
