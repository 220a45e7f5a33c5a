//! The commands on strings: GET, SET, INCR, INCRBY, and the two scripts of a lock.
//!
//! Not modelled: SET's GET, EX, EXAT and PXAT, and commands on parts of a string.

use super::bytes::{Bytes, Key};
use super::db::{Class, Db, Entry};
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{DENYOOM, FAST, READONLY, WRITE};
use super::value::Value;

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

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("get", 2, READONLY | FAST, (1, 1, 1), get),
    Spec::new("incr", 2, WRITE | DENYOOM | FAST, (1, 1, 1), incr),
];

/// GET.
fn get(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::bulk(call.db().get(&key)?))
}

/// INCR.
fn incr(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    call.db().incr(&key).map(Reply::Int)
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
        let kept = match self.entry(key) {
            Some(_) if options.nx => return Ok(false),
            None if options.xx => return Ok(false),
            Some(entry) if options.keep_ttl => entry.deadline,
            _ => deadline,
        };
        self.put(key, value, kept);
        self.notify(Class::String, "set", key);
        if deadline.is_some() {
            self.notify(Class::Generic, "expire", key);
        }
        Ok(true)
    }

    /// Puts a string there, whatever was there before, as one change.
    #[inline]
    pub(super) fn put(&mut self, key: &Key, value: Bytes, deadline: Option<i64>) {
        self.insert(key.clone(), Entry { value: Value::String(value), deadline });
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
            let sum = sum.checked_add(by).ok_or(Error::Overflow)?;
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
