//! The commands on strings but those on bits, and the two scripts of a lock.
//!
//! SET and its kind are in [`set`], parts of strings in [`parts`], the longest common subsequence in
//! [`lcs`]; numbers and the methods of [`Db`] are here.

mod lcs;
mod parts;
mod set;

use super::bytes::{Bytes, Key};
use super::db::{Class, Db, Entry};
use super::error::Error;
use super::longdouble::LongDouble;
use super::mutants::{Mutant, planted};
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{DENYOOM, FAST, READONLY, WRITE};
use super::value::Value;
use super::{args, table};

/// The options of SET. The default has none of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetOptions {
    /// `PX ms`: the key lives this many milliseconds more.
    pub px: Option<i64>,
    /// `NX`: only if the key does not exist.
    pub nx: bool,
    /// `XX`: only if the key exists.
    pub xx: bool,
    /// `KEEPTTL`: the deadline the key has stays. Without it and without `PX`, it is dropped.
    pub keep_ttl: bool,
}

impl SetOptions {
    /// `PX ms` alone.
    pub const fn px(ms: i64) -> Self {
        SetOptions { px: Some(ms), nx: false, xx: false, keep_ttl: false }
    }

    /// These and `NX`.
    #[must_use]
    pub const fn nx(self) -> Self {
        SetOptions { nx: true, ..self }
    }

    /// These and `XX`.
    #[must_use]
    pub const fn xx(self) -> Self {
        SetOptions { xx: true, ..self }
    }
}

/// Under which conditions a string is set, and until when.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    keep_ttl: bool,
    deadline: Option<i64>,
}

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("append", 3, WRITE | DENYOOM | FAST, (1, 1, 1), parts::append),
    Spec::new("decr", 2, WRITE | DENYOOM | FAST, (1, 1, 1), decr),
    Spec::new("decrby", 3, WRITE | DENYOOM | FAST, (1, 1, 1), decrby),
    Spec::new("get", 2, READONLY | FAST, (1, 1, 1), set::get),
    Spec::new("getdel", 2, WRITE | FAST, (1, 1, 1), set::getdel),
    Spec::new("getex", -2, WRITE | FAST, (1, 1, 1), set::getex),
    Spec::new("getrange", 4, READONLY, (1, 1, 1), parts::getrange),
    Spec::new("getset", 3, WRITE | DENYOOM | FAST, (1, 1, 1), set::getset),
    Spec::new("incr", 2, WRITE | DENYOOM | FAST, (1, 1, 1), incr),
    Spec::new("incrby", 3, WRITE | DENYOOM | FAST, (1, 1, 1), incrby),
    Spec::new("incrbyfloat", 3, WRITE | DENYOOM | FAST, (1, 1, 1), incrbyfloat),
    Spec::new("lcs", -3, READONLY, (1, 2, 1), lcs::lcs),
    Spec::new("mget", -2, READONLY | FAST, (1, -1, 1), mget),
    Spec::new("mset", -3, WRITE | DENYOOM, (1, -1, 2), mset),
    Spec::new("msetnx", -3, WRITE | DENYOOM, (1, -1, 2), msetnx),
    Spec::new("psetex", 4, WRITE | DENYOOM, (1, 1, 1), set::psetex),
    Spec::new("set", -3, WRITE | DENYOOM, (1, 1, 1), set::set),
    Spec::new("setex", 4, WRITE | DENYOOM, (1, 1, 1), set::setex),
    Spec::new("setnx", 3, WRITE | DENYOOM | FAST, (1, 1, 1), set::setnx),
    Spec::new("setrange", 4, WRITE | DENYOOM, (1, 1, 1), parts::setrange),
    Spec::new("strlen", 2, READONLY | FAST, (1, 1, 1), parts::strlen),
    Spec::new("substr", 4, READONLY, (1, 1, 1), parts::getrange),
];

/// INCR.
fn incr(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    call.db().incr(&key).map(Reply::Int)
}

/// DECR.
fn decr(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    call.db().incrby(&key, -1).map(Reply::Int)
}

/// INCRBY.
fn incrby(call: &mut Call<'_>) -> Answer {
    let by = args::int(&call.args[2])?;
    let key = call.key(1);
    call.db().incrby(&key, by).map(Reply::Int)
}

/// DECRBY.
fn decrby(call: &mut Call<'_>) -> Answer {
    let by = args::int(&call.args[2])?;
    let by = by.checked_neg().ok_or(Error::Text("ERR decrement would overflow"))?;
    let key = call.key(1);
    call.db().incrby(&key, by).map(Reply::Int)
}

/// INCRBYFLOAT: the deadline stays.
fn incrbyfloat(call: &mut Call<'_>) -> Answer {
    let (key, by) = (call.key(1), &call.args[2]);
    let db = call.db();
    let old = db.get(&key)?;
    let number = |text: &[u8]| LongDouble::parse(text).ok_or(Error::NotAFloat);
    let old = old.map_or(Ok(LongDouble::ZERO), |text| number(text))?;
    let sum = old.add(number(by)?);
    let sum = sum.ok_or(Error::Text("ERR increment would produce NaN or Infinity"))?.text();
    let deadline = db.entry(&key).and_then(|entry| entry.deadline);
    db.put(&key, sum.clone(), deadline);
    db.notify(Class::String, "incrbyfloat", &key);
    Ok(Reply::Bulk(sum))
}

/// MGET: what is no string is nothing.
fn mget(call: &mut Call<'_>) -> Answer {
    let names = &call.args[1..];
    let db = call.db();
    let replies = names.iter().map(|name| {
        let held = db.get(&Key::from(name.clone()));
        Reply::bulk(held.unwrap_or(None))
    });
    Ok(Reply::Array(replies.collect()))
}

/// MSET.
fn mset(call: &mut Call<'_>) -> Answer {
    set_all(call, "mset")?;
    Ok(Reply::OK)
}

/// MSETNX: all or none.
fn msetnx(call: &mut Call<'_>) -> Answer {
    let names = call.args[1..].iter().step_by(2).filter(|_| call.args.len() % 2 == 1);
    let keys: Vec<Key> = names.map(|name| Key::from(name.clone())).collect();
    let db = call.db();
    if keys.iter().any(|key| db.exists(key)) {
        return Ok(Reply::Int(0));
    }
    set_all(call, "msetnx")?;
    Ok(Reply::Int(1))
}

fn set_all(call: &mut Call<'_>, command: &str) -> Result<(), Error> {
    let (pairs, []) = call.args[1..].as_chunks::<2>() else {
        return Err(table::wrong_number(command));
    };
    let db = call.db();
    for [name, value] in pairs {
        let key = Key::from(name.clone());
        db.put(&key, value.clone(), None);
        db.notify(Class::String, "set", &key);
    }
    Ok(())
}

impl Db {
    /// GET: the string at `key`.
    #[inline]
    pub fn get(&self, key: &Key) -> Result<Option<&Bytes>, Error> {
        self.read::<Bytes>(key)
    }

    /// SET: replaces whatever `key` holds, of any type; whether it did (`NX` and `XX` may forbid).
    ///
    /// # Errors
    /// [`Error::Syntax`] if options exclude each other, [`Error::InvalidExpire`] if `px` is not
    /// positive or too far away, both even if nothing would be set.
    pub fn set(&mut self, key: &Key, value: Bytes, options: SetOptions) -> Result<bool, Error> {
        if (options.nx && options.xx) || (options.keep_ttl && options.px.is_some()) {
            return Err(Error::Syntax);
        }
        let deadline = match options.px {
            None => None,
            Some(ms) if ms <= 0 => return Err(Error::InvalidExpire("set")),
            Some(ms) => Some(self.now_ms.checked_add(ms).ok_or(Error::InvalidExpire("set"))?),
        };
        let SetOptions { nx, xx, keep_ttl, .. } = options;
        Ok(self.set_under(key, value, Conditions { nx, xx, keep_ttl, deadline }))
    }

    /// SET with its options read; whether it did it.
    #[inline]
    fn set_under(&mut self, key: &Key, value: Bytes, under: Conditions) -> bool {
        let mut deadline = under.deadline;
        if under.nx || under.xx || under.keep_ttl {
            deadline = match self.entry(key) {
                Some(_) if under.nx && !planted(Mutant::R1) => return false,
                None if under.xx => return false,
                Some(entry) if under.keep_ttl => entry.deadline,
                _ => deadline,
            };
        }
        self.put(key, value, deadline);
        self.notify(Class::String, "set", key);
        if under.deadline.is_some() {
            self.notify(Class::Generic, "expire", key);
        }
        true
    }

    /// Puts a string there, whatever was there before, as one change.
    #[inline]
    pub(super) fn put(&mut self, key: &Key, value: Bytes, deadline: Option<i64>) {
        match self.entry_mut(key) {
            // One string in place of another is no news but to those who watch the key.
            Some(Entry { value: Value::String(held), deadline: until }) => {
                *held = value;
                *until = deadline;
                self.note_deadline(deadline);
                self.touch(key);
            }
            _ => self.insert(key.clone(), Entry { value: Value::String(value), deadline }),
        }
        self.dirty += 1;
    }

    /// INCR: as [`Db::incrby`] with 1.
    ///
    /// # Errors
    /// As [`Db::incrby`].
    pub fn incr(&mut self, key: &Key) -> Result<i64, Error> {
        self.incrby(key, 1)
    }

    /// INCRBY: adds to the integer at `key`, 0 if there is none, and returns the sum. The deadline
    /// stays.
    ///
    /// # Errors
    /// [`Error::NotAnInteger`] if the string is not canonical decimal text, [`Error::Overflow`].
    pub fn incrby(&mut self, key: &Key, by: i64) -> Result<i64, Error> {
        let added = self.modify(key, |value: &mut Bytes, dirty| {
            let sum = value.to_int().ok_or(Error::NotAnInteger)?;
            let sum = match planted(Mutant::R13) {
                true => sum.wrapping_add(by),
                false => sum.checked_add(by).ok_or(Error::Overflow)?,
            };
            *value = Bytes::from_int(sum);
            *dirty += 1;
            Ok(sum)
        })?;
        let sum = match added {
            Some(sum) => sum?,
            None => {
                self.put(key, Bytes::from_int(by), None);
                by
            }
        };
        self.notify(Class::String, "incrby", key);
        Ok(sum)
    }

    /// The script that gives a lock back, as Redis's documentation of SET has it: DEL of `key` if
    /// GET gives `value`, in one step; whether it was deleted.
    ///
    /// # Errors
    /// [`Error::WrongType`] if the key holds no string.
    pub fn del_if_equal(&mut self, key: &Key, value: &[u8]) -> Result<bool, Error> {
        Ok(self.holds(key, value)? && self.del(key))
    }

    /// The script that renews a lock: PEXPIRE of `key` if GET gives `value`, in one step; whether
    /// it was renewed.
    ///
    /// # Errors
    /// [`Error::WrongType`] if the key holds no string; as [`Db::pexpire`] if it has the value.
    pub fn pexpire_if_equal(&mut self, key: &Key, value: &[u8], ms: i64) -> Result<bool, Error> {
        Ok(self.holds(key, value)? && self.pexpire(key, ms)?)
    }

    fn holds(&self, key: &Key, value: &[u8]) -> Result<bool, Error> {
        Ok(self.get(key)?.is_some_and(|held| held == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_obeys_its_options() {
        let (mut db, key) = (Db::new(), Key::from("k"));
        let mut set = |value: &str, options| db.set(&key, Bytes::from(value), options);
        let nx = SetOptions { nx: true, ..SetOptions::default() };
        let xx = SetOptions { xx: true, ..SetOptions::default() };
        let keep = SetOptions { keep_ttl: true, ..SetOptions::default() };
        assert_eq!(set("a", xx), Ok(false));
        assert_eq!(set("b", SetOptions { px: Some(50), ..nx }), Ok(true));
        assert_eq!(set("c", nx), Ok(false));
        assert_eq!(set("d", SetOptions { xx: true, ..nx }), Err(Error::Syntax));
        assert_eq!(set("d", SetOptions { px: Some(1), ..keep }), Err(Error::Syntax));
        assert_eq!(set("d", SetOptions::px(0)), Err(Error::InvalidExpire("set")));
        assert_eq!(set("e", keep), Ok(true));
        assert_eq!((db.get(&key).unwrap().cloned(), db.pttl(&key)), (Some("e".into()), 50));
        assert_eq!(db.set(&key, Bytes::from("f"), SetOptions::default()), Ok(true));
        assert_eq!((db.pttl(&key), db.dirty()), (-1, 3));
    }

    #[test]
    fn set_replaces_any_type_and_get_refuses_others() {
        let (mut db, key) = (Db::new(), Key::from("k"));
        db.rpush(&key, [Bytes::from("a")]).unwrap();
        assert_eq!(db.get(&key), Err(Error::WrongType));
        assert_eq!(db.incr(&key), Err(Error::WrongType));
        assert_eq!(db.set(&key, Bytes::from("v"), SetOptions::default()), Ok(true));
        assert_eq!(db.incr(&key), Err(Error::NotAnInteger));
    }

    /// What `EVAL "if redis.call('GET',KEYS[1]) == ARGV[1] then return redis.call('DEL',KEYS[1])
    /// else return 0 end"`, and the same with PEXPIRE, answered on the real server.
    #[test]
    fn a_lock_is_its_holders_alone() {
        let (mut db, key, list) = (Db::new(), Key::from("lock"), Key::from("list"));
        assert_eq!(db.del_if_equal(&key, b"a"), Ok(false));
        assert_eq!(db.set(&key, Bytes::from("a"), SetOptions::px(50).nx()), Ok(true));
        assert_eq!(db.set(&key, Bytes::from("b"), SetOptions::px(50).nx()), Ok(false));
        assert_eq!(db.pexpire_if_equal(&key, b"b", 900), Ok(false));
        assert_eq!((db.pexpire_if_equal(&key, b"a", 90), db.pttl(&key)), (Ok(true), 90));
        assert_eq!(db.pexpire_if_equal(&key, b"b", i64::MAX), Ok(false));
        db.set_now(90);
        assert_eq!(db.pexpire_if_equal(&key, b"a", i64::MAX), Err(Error::InvalidExpire("pexpire")));
        assert_eq!((db.del_if_equal(&key, b"b"), db.exists(&key)), (Ok(false), true));
        assert_eq!((db.del_if_equal(&key, b"a"), db.exists(&key)), (Ok(true), false));
        db.set(&key, Bytes::from("a"), SetOptions::px(5)).unwrap();
        db.set_now(96);
        assert_eq!(db.pexpire_if_equal(&key, b"a", 90), Ok(false), "it has expired");
        db.rpush(&list, [Bytes::from("a")]).unwrap();
        assert_eq!(db.del_if_equal(&list, b"a"), Err(Error::WrongType));
    }

    #[test]
    fn incr_counts_from_zero_and_refuses_to_overflow() {
        let (mut db, key) = (Db::new(), Key::from("id"));
        assert_eq!((db.incr(&key), db.incr(&key)), (Ok(1), Ok(2)));
        assert_eq!(db.incrby(&key, i64::MAX), Err(Error::Overflow));
        assert_eq!(db.incrby(&key, -5), Ok(-3));
        assert_eq!(db.dirty(), 3);
    }
}
