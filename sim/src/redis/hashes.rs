//! The commands on hashes: HSET, HMSET, HGET, HMGET, HGETALL, HEXISTS, HDEL, HINCRBY, HLEN.
//!
//! HGETALL answers in bytewise order of fields; Redis's own order (of insertion while the hash is
//! small) is not modelled.

use super::bytes::{Bytes, Key, parse_int};
use super::db::Db;
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{FAST, READONLY};
use super::value::Hash;

pub(super) const COMMANDS: &[Spec] = &[Spec::new("hlen", 2, READONLY | FAST, (1, 1, 1), hlen)];

/// HLEN.
fn hlen(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().hlen(&key)?))
}

impl Db {
    /// HSET of one field; whether the field is new.
    pub fn hset(&mut self, key: &Key, field: Bytes, value: Bytes) -> Result<bool, Error> {
        self.hset_many(key, [(field, value)]).map(|added| added == 1)
    }

    /// HSET, and HMSET but for its reply, of several fields; how many are new.
    ///
    /// A field given twice gets its last value. No fields at all: no effect.
    pub fn hset_many(
        &mut self,
        key: &Key,
        pairs: impl IntoIterator<Item = (Bytes, Bytes)>,
    ) -> Result<usize, Error> {
        self.upsert(key, |hash: &mut Hash, dirty| {
            let before = hash.len();
            for (field, value) in pairs {
                hash.insert(field, value);
                // A field set to the value it had counts as a change too.
                *dirty += 1;
            }
            hash.len() - before
        })
    }

    /// HGET: the value of a field.
    #[inline]
    pub fn hget(&self, key: &Key, field: &[u8]) -> Result<Option<&Bytes>, Error> {
        Ok(self.read::<Hash>(key)?.and_then(|hash| hash.get(field)))
    }

    /// HMGET: the values of `N` fields, without allocating.
    #[inline]
    pub fn hmget<const N: usize>(
        &self,
        key: &Key,
        fields: [&[u8]; N],
    ) -> Result<[Option<&Bytes>; N], Error> {
        Ok(match self.read::<Hash>(key)? {
            None => [None; N],
            Some(hash) => fields.map(|field| hash.get(field)),
        })
    }

    /// HGETALL: fields with values, bytewise by field.
    pub fn hgetall(
        &self,
        key: &Key,
    ) -> Result<impl ExactSizeIterator<Item = (&Bytes, &Bytes)> + use<'_>, Error> {
        Ok(self.read::<Hash>(key)?.map(Hash::iter).unwrap_or_default())
    }

    /// HEXISTS: whether the hash has the field.
    pub fn hexists(&self, key: &Key, field: &[u8]) -> Result<bool, Error> {
        Ok(self.hget(key, field)?.is_some())
    }

    /// HDEL of one field; whether it was there. The last field takes the key with it.
    pub fn hdel(&mut self, key: &Key, field: &[u8]) -> Result<bool, Error> {
        self.hdel_many(key, [field]).map(|gone| gone == 1)
    }

    /// HDEL of several fields; how many were there.
    pub fn hdel_many<'a>(
        &mut self,
        key: &Key,
        fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<usize, Error> {
        let gone = self.modify(key, |hash: &mut Hash, dirty| {
            let gone = fields.into_iter().filter(|field| hash.remove(*field).is_some()).count();
            *dirty += gone as u64;
            gone
        })?;
        Ok(gone.unwrap_or(0))
    }

    /// HINCRBY: adds to the integer in a field, 0 if there is none, and returns the sum.
    ///
    /// # Errors
    /// [`Error::HashNotAnInteger`] if the field is not canonical decimal text, [`Error::Overflow`].
    pub fn hincrby(&mut self, key: &Key, field: &[u8], by: i64) -> Result<i64, Error> {
        self.upsert(key, |hash: &mut Hash, dirty| {
            let old = match hash.get(field) {
                None => 0,
                Some(value) => parse_int(value).ok_or(Error::HashNotAnInteger)?,
            };
            let sum = old.checked_add(by).ok_or(Error::Overflow)?;
            match hash.get_mut(field) {
                Some(value) => *value = Bytes::from_int(sum),
                None => {
                    hash.insert(Bytes::from(field), Bytes::from_int(sum));
                }
            }
            *dirty += 1;
            Ok(sum)
        })?
    }

    /// HLEN: the number of fields.
    pub fn hlen(&self, key: &Key) -> Result<usize, Error> {
        Ok(self.read::<Hash>(key)?.map_or(0, Hash::len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> (Db, Key) {
        let (mut db, key) = (Db::new(), Key::from("meta"));
        let pairs = [("b", "2"), ("a", "1"), ("b", "3")].map(|(f, v)| (f.into(), v.into()));
        assert_eq!(db.hset_many(&key, pairs), Ok(2));
        (db, key)
    }

    #[test]
    fn fields_are_set_read_and_listed() {
        let (mut db, key) = meta();
        assert_eq!(db.dirty(), 3);
        assert_eq!(db.hset(&key, "a".into(), "1".into()), Ok(false));
        let two = Bytes::from("3");
        assert_eq!(db.hmget(&key, [b"b", b"none"]), Ok([Some(&two), None]));
        assert_eq!(db.hmget(&Key::from("no"), [b"b"]), Ok([None]));
        let all: Vec<_> = db.hgetall(&key).unwrap().map(|(f, v)| format!("{f}={v}")).collect();
        assert_eq!(all, ["a=1", "b=3"]);
        assert_eq!(db.hgetall(&Key::from("no")).unwrap().len(), 0);
        assert_eq!((db.hlen(&key), db.hexists(&key, b"a")), (Ok(2), Ok(true)));
    }

    #[test]
    fn the_last_field_takes_the_key_with_it() {
        let (mut db, key) = meta();
        assert_eq!(db.hdel_many(&key, [b"a".as_slice(), b"a", b"x"]), Ok(1));
        assert_eq!((db.hdel(&key, b"b"), db.exists(&key)), (Ok(true), false));
        assert_eq!((db.hdel(&key, b"b"), db.dirty()), (Ok(false), 5));
        assert_eq!(db.hset_many(&key, []), Ok(0));
        assert!(!db.exists(&key));
    }

    #[test]
    fn hincrby_counts_and_refuses() {
        let (mut db, key) = (Db::new(), Key::from("job"));
        assert_eq!(db.hincrby(&key, b"ats", 1), Ok(1));
        assert_eq!(db.hincrby(&key, b"ats", i64::MAX), Err(Error::Overflow));
        db.hset(&key, "n".into(), "1.5".into()).unwrap();
        assert_eq!(db.hincrby(&key, b"n", 1), Err(Error::HashNotAnInteger));
        assert_eq!(db.lpush(&key, [Bytes::new()]), Err(Error::WrongType));
    }
}
