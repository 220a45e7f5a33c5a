//! The commands on strings: GET, SET, INCR, INCRBY.
//!
//! Not modelled: SET's GET, EX, EXAT and PXAT, and commands on parts of a string.

use super::bytes::{Bytes, Key};
use super::db::{Db, Entry};
use super::error::Error;
use super::value::{Kind, Value};

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
        let keep_ttl = options.keep_ttl;
        match self.entry_mut(key) {
            Some(_) if options.nx => return Ok(false),
            None if options.xx => return Ok(false),
            Some(entry) => {
                entry.value = Value::String(value);
                if !keep_ttl {
                    entry.deadline = deadline;
                }
            }
            None => self.insert(key.clone(), Entry { value: value.wrap(), deadline }),
        }
        self.dirty += 1;
        Ok(true)
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
        if let Some(sum) = added {
            return sum;
        }
        let value = Value::String(Bytes::from_int(by));
        self.insert(key.clone(), Entry { value, deadline: None });
        self.dirty += 1;
        Ok(by)
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

    #[test]
    fn incr_counts_from_zero_and_refuses_to_overflow() {
        let (mut db, key) = (Db::new(), Key::from("id"));
        assert_eq!((db.incr(&key), db.incr(&key)), (Ok(1), Ok(2)));
        assert_eq!(db.incrby(&key, i64::MAX), Err(Error::Overflow));
        assert_eq!(db.incrby(&key, -5), Ok(-3));
        assert_eq!(db.dirty(), 3);
    }
}
