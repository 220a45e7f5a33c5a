//! The commands on keys of any type.
//!
//! Deadlines are in [`expire`], commands that concern whole databases or several of them in
//! [`spaces`], OBJECT in [`object`]; looking, deleting, renaming and the methods of [`Db`] are here.
//! [`Db::keys`] and [`Db::snapshot`] are with the keyspace. DUMP, RESTORE and MIGRATE are
//! persistence, and not modelled.

mod expire;
mod object;
mod spaces;

use super::bytes::Key;
use super::db::{Class, Db};
use super::error::Error;
use super::mutants::{Mutant, planted};
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{DENYOOM, FAST, READONLY, WRITE};
use super::{args, glob, scan};

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("copy", -3, WRITE | DENYOOM, (1, 2, 1), spaces::copy),
    Spec::new("dbsize", 1, READONLY | FAST, (0, 0, 0), spaces::dbsize),
    Spec::new("del", -2, WRITE, (1, -1, 1), del),
    Spec::new("exists", -2, READONLY | FAST, (1, -1, 1), exists),
    Spec::new("expire", -3, WRITE | FAST, (1, 1, 1), expire::expire),
    Spec::new("expireat", -3, WRITE | FAST, (1, 1, 1), expire::expireat),
    Spec::new("expiretime", 2, READONLY | FAST, (1, 1, 1), expire::expiretime),
    Spec::new("flushall", -1, WRITE, (0, 0, 0), spaces::flushall),
    Spec::new("flushdb", -1, WRITE, (0, 0, 0), spaces::flushdb),
    Spec::new("keys", 2, READONLY, (0, 0, 0), keys),
    Spec::new("move", 3, WRITE | FAST, (1, 1, 1), spaces::move_key),
    Spec::container("object", object::COMMANDS),
    Spec::new("persist", 2, WRITE | FAST, (1, 1, 1), expire::persist),
    Spec::new("pexpire", -3, WRITE | FAST, (1, 1, 1), expire::pexpire),
    Spec::new("pexpireat", -3, WRITE | FAST, (1, 1, 1), expire::pexpireat),
    Spec::new("pexpiretime", 2, READONLY | FAST, (1, 1, 1), expire::pexpiretime),
    Spec::new("pttl", 2, READONLY | FAST, (1, 1, 1), expire::pttl),
    Spec::new("randomkey", 1, READONLY, (0, 0, 0), randomkey),
    Spec::new("rename", 3, WRITE, (1, 2, 1), rename),
    Spec::new("renamenx", 3, WRITE | FAST, (1, 2, 1), renamenx),
    Spec::new("scan", -2, READONLY, (0, 0, 0), scan_keys),
    Spec::new("swapdb", 3, WRITE | FAST, (0, 0, 0), spaces::swapdb),
    Spec::new("touch", -2, READONLY | FAST, (1, -1, 1), exists),
    Spec::new("ttl", 2, READONLY | FAST, (1, 1, 1), expire::ttl),
    Spec::new("type", 2, READONLY | FAST, (1, 1, 1), type_name),
    Spec::new("unlink", -2, WRITE | FAST, (1, -1, 1), del),
];

/// DEL, and UNLINK: when memory is given back cannot be told.
fn del(call: &mut Call<'_>) -> Answer {
    let names = &call.args[1..];
    let db = call.db();
    let gone = names.iter().filter(|name| db.del(&Key::from((*name).clone())));
    Ok(Reply::int(gone.count()))
}

/// EXISTS, and TOUCH, which beside it sets the time of the last access. A key named twice counts
/// twice.
fn exists(call: &mut Call<'_>) -> Answer {
    let names = &call.args[1..];
    let db = call.db();
    let there = names.iter().filter(|name| db.exists(&Key::from((*name).clone())));
    Ok(Reply::int(there.count()))
}

/// TYPE.
fn type_name(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::Status(call.db().type_name(&key)))
}

/// RENAME.
fn rename(call: &mut Call<'_>) -> Answer {
    let (from, to) = (call.key(1), call.key(2));
    call.db().rename(&from, &to)?;
    Ok(Reply::OK)
}

/// RENAMENX.
fn renamenx(call: &mut Call<'_>) -> Answer {
    let (from, to) = (call.key(1), call.key(2));
    let db = call.db();
    if !db.exists(&from) {
        return Err(Error::NoSuchKey);
    }
    if db.exists(&to) {
        return Ok(Reply::Int(0));
    }
    db.rename(&from, &to)?;
    Ok(Reply::Int(1))
}

/// KEYS, in the order of the keyspace.
fn keys(call: &mut Call<'_>) -> Answer {
    let pattern = &call.args[1];
    let db = call.db();
    let live = db.entries.iter().filter(|(_, entry)| entry.live(db.now_ms)).map(|(key, _)| key);
    let all = **pattern == *b"*";
    let found = live.filter(|key| all || glob::matches(pattern, key.as_bytes(), false));
    Ok(Reply::bulks(found.map(Key::bytes)))
}

/// RANDOMKEY.
fn randomkey(call: &mut Call<'_>) -> Answer {
    let db = call.db();
    db.sweep();
    if db.entries.is_empty() {
        return Ok(Reply::Nil);
    }
    let place = db.random(db.entries.len());
    Ok(db.entries.get_index(place).map_or(Reply::Nil, |(key, _)| Reply::Bulk(key.bytes().clone())))
}

/// SCAN.
fn scan_keys(call: &mut Call<'_>) -> Answer {
    let cursor = scan::cursor(&call.args[1])?;
    let options = scan::Options::read(&call.args[2..], true)?;
    let db = call.db();
    let (places, next) = scan::walk(cursor, db.entries.len(), options.count);
    let seen = places.rev().filter_map(|place| db.entries.get_index(place));
    let found = seen.filter(|(key, entry)| {
        let kind = entry.value.type_name();
        options.lets(key.as_bytes())
            && options.kind.is_none_or(|wanted| args::is(wanted, kind))
            && entry.live(db.now_ms)
    });
    let found = found.map(|(key, _)| Reply::Bulk(key.bytes().clone())).collect();
    Ok(scan::reply(next, found))
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
        if planted(Mutant::R3) {
            return self.entries.contains_key(key);
        }
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
        if planted(Mutant::R3) {
            return self.entries.get(key).map_or("none", |entry| entry.value.type_name());
        }
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
