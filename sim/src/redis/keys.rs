//! The commands on keys of any type: DEL, EXISTS, PTTL, PEXPIRE, PERSIST, RENAME, TYPE.
//!
//! [`Db::keys`] and [`Db::snapshot`] are with the keyspace. Not modelled: patterns, SCAN, UNLINK
//! (to a client it is DEL), and PEXPIRE's NX, XX, GT and LT.

use super::bytes::Key;
use super::db::Db;
use super::error::Error;

impl Db {
    /// DEL of one key; whether it was there.
    #[inline]
    pub fn del(&mut self, key: &Key) -> bool {
        // Looked at before it is taken out: most keys deleted are not there.
        let now = self.now_ms;
        match self.entries.get(key) {
            None => false,
            Some(entry) => {
                let live = entry.live(now);
                self.entries.remove(key);
                self.dirty += u64::from(live);
                live
            }
        }
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
        let Some(entry) = self.entry_mut(key) else { return Ok(false) };
        entry.deadline = Some(deadline);
        self.dirty += 1;
        Ok(true)
    }

    /// PERSIST: `key` no longer expires; whether it would have.
    pub fn persist(&mut self, key: &Key) -> bool {
        let Some(entry) = self.entry_mut(key) else { return false };
        let had = entry.deadline.take().is_some();
        self.dirty += u64::from(had);
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
            let entry = self.entries.remove(from).expect("it was just there");
            self.insert(to.clone(), entry);
            self.dirty += 1;
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
