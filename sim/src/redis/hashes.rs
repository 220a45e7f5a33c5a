//! The commands on hashes.
//!
//! A handler reads the words; what is done is in the methods of [`Db`], which the modelled scripts use
//! too. The order of fields is that of [`Hash`].

use super::bytes::{Bytes, Key, parse_int};
use super::db::{Class, Db};
use super::error::Error;
use super::hash::Hash;
use super::longdouble::LongDouble;
use super::mutants::{Mutant, planted};
use super::random::{self, Wanted};
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{DENYOOM, FAST, READONLY, WRITE};
use super::{args, scan};

const READS: u32 = READONLY | FAST;
const WRITES: u32 = WRITE | DENYOOM | FAST;
const KEY: (i32, i32, i32) = (1, 1, 1);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("hdel", -3, WRITE | FAST, KEY, hdel),
    Spec::new("hexists", 3, READS, KEY, hexists),
    Spec::new("hget", 3, READS, KEY, hget),
    Spec::new("hgetall", 2, READONLY, KEY, hgetall),
    Spec::new("hincrby", 4, WRITES, KEY, hincrby),
    Spec::new("hincrbyfloat", 4, WRITES, KEY, hincrbyfloat),
    Spec::new("hkeys", 2, READONLY, KEY, hkeys),
    Spec::new("hlen", 2, READS, KEY, hlen),
    Spec::new("hmget", -3, READS, KEY, hmget),
    Spec::new("hmset", -4, WRITES, KEY, hmset),
    Spec::new("hrandfield", -2, READONLY, KEY, hrandfield),
    Spec::new("hscan", -3, READONLY, KEY, hscan),
    Spec::new("hset", -4, WRITES, KEY, hset),
    Spec::new("hsetnx", 4, WRITES, KEY, hsetnx),
    Spec::new("hstrlen", 3, READS, KEY, hstrlen),
    Spec::new("hvals", 2, READONLY, KEY, hvals),
];

/// HDEL.
fn hdel(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::int(call.db().hdel_many(&key, args[2..].iter().map(Bytes::as_bytes))?))
}

/// HEXISTS.
fn hexists(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::flag(call.db().hexists(&key, &args[2])?))
}

/// HGET.
fn hget(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::bulk(call.db().hget(&key, &args[2])?))
}

/// HGETALL.
fn hgetall(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::Map(call.db().hgetall(&key)?.map(pair).collect()))
}

/// HINCRBY.
fn hincrby(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let by = args::int(&args[3])?;
    Ok(Reply::Int(call.db().hincrby(&key, &args[2], by)?))
}

/// HINCRBYFLOAT.
fn hincrbyfloat(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let by = LongDouble::parse(&args[3]).ok_or(Error::NotAFloat)?;
    if by.add(LongDouble::ZERO).is_none() {
        return Err(Error::Text("ERR value is NaN or Infinity"));
    }
    let text = call.db().change_field(&key, &args[2], "hincrbyfloat", |old| {
        let old = match old {
            None => LongDouble::ZERO,
            Some(value) => {
                LongDouble::parse(value).ok_or(Error::Text("ERR hash value is not a float"))?
            }
        };
        let sum = old.add(by);
        let sum = sum.ok_or(Error::Text("ERR increment would produce NaN or Infinity"))?.text();
        Ok((sum.clone(), sum))
    })?;
    Ok(Reply::Bulk(text))
}

/// HKEYS.
fn hkeys(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::bulks(call.db().hgetall(&key)?.map(|(field, _)| field)))
}

/// HLEN.
fn hlen(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().hlen(&key)?))
}

/// HMGET.
fn hmget(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let hash = call.db().read::<Hash>(&key)?;
    let value = |field: &Bytes| Reply::bulk(hash.and_then(|hash| hash.get(field)));
    Ok(Reply::Array(args[2..].iter().map(value).collect()))
}

/// HMSET.
fn hmset(call: &mut Call<'_>) -> Answer {
    set_pairs(call, "ERR wrong number of arguments for 'hmset' command")?;
    Ok(Reply::OK)
}

/// HRANDFIELD.
fn hrandfield(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let wanted = random::wanted(&args[2..], "withvalues")?;
    let db = call.db();
    let len = db.hlen(&key)?;
    let (count, with_values) = match wanted {
        Wanted::One if len == 0 => return Ok(Reply::Nil),
        Wanted::Some(..) if len == 0 => return Ok(Reply::Array(Vec::new())),
        Wanted::One => (1, false),
        Wanted::Some(count, with_values) => (count, with_values),
    };
    let places = random::places(db, len, count);
    let Some(hash) = db.read::<Hash>(&key)? else { return Ok(Reply::Nil) };
    let mut chosen = places.into_iter().filter_map(|place| hash.at(place));
    Ok(match wanted {
        Wanted::One => Reply::bulk(chosen.next().map(|(field, _)| field)),
        Wanted::Some(..) if with_values => Reply::Pairs(chosen.map(pair).collect()),
        Wanted::Some(..) => Reply::bulks(chosen.map(|(field, _)| field)),
    })
}

/// HSCAN.
fn hscan(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let cursor = scan::cursor(&args[2])?;
    let Some(hash) = call.db().read::<Hash>(&key)? else { return Ok(scan::reply(0, Vec::new())) };
    let options = scan::Options::read(&args[3..], false)?;
    let (places, next) = match hash.is_large() {
        true => scan::walk(cursor, hash.len(), options.count),
        false => (0..hash.len(), 0),
    };
    let seen = places.filter_map(|place| hash.at(place)).filter(|(field, _)| options.lets(field));
    let parts = seen.flat_map(|(field, value)| [field, value]);
    Ok(scan::reply(next, parts.map(|part| Reply::Bulk(part.clone())).collect()))
}

/// HSET.
fn hset(call: &mut Call<'_>) -> Answer {
    Ok(Reply::int(set_pairs(call, "ERR wrong number of arguments for 'hset' command")?))
}

/// HSETNX.
fn hsetnx(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::flag(call.db().hsetnx(&key, args[2].clone(), args[3].clone())?))
}

/// HSTRLEN.
fn hstrlen(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::int(call.db().hget(&key, &args[2])?.map_or(0, |value| value.len())))
}

/// HVALS.
fn hvals(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::bulks(call.db().hgetall(&key)?.map(|(_, value)| value)))
}

fn pair((field, value): (&Bytes, &Bytes)) -> (Reply, Reply) {
    (Reply::Bulk(field.clone()), Reply::Bulk(value.clone()))
}

/// HSET and HMSET; how many fields are new.
fn set_pairs(call: &mut Call<'_>, odd: &'static str) -> Result<usize, Error> {
    let (args, key) = (call.args, call.key(1));
    let (pairs, rest) = args[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::Text(odd));
    }
    let pairs = pairs.iter().map(|[field, value]| (field.clone(), value.clone()));
    call.db().hset_many(&key, pairs)
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
        let (small, before) = (self.limits.hash(), self.dirty);
        let notes = self.met.notes();
        let mut met = Vec::new();
        let added = self.upsert_unseen(key, |hash: &mut Hash, dirty| {
            let mut added = 0;
            for (field, value) in pairs {
                if notes {
                    met.push(field.clone());
                }
                added += usize::from(hash.insert(field, value, small));
                // A field set to the value it had counts as a change too.
                *dirty += 1;
            }
            added
        })?;
        met.iter().for_each(|field| self.met.field(key, field, true));
        if self.dirty != before {
            self.notify(Class::Hash, "hset", key);
        }
        Ok(added)
    }

    /// HSETNX: sets a field that is not there; whether it was not.
    pub(super) fn hsetnx(&mut self, key: &Key, field: Bytes, value: Bytes) -> Result<bool, Error> {
        if self.hexists(key, &field)? {
            return Ok(false);
        }
        self.hset(key, field, value)
    }

    /// HGET: the value of a field.
    #[inline]
    pub fn hget(&self, key: &Key, field: &[u8]) -> Result<Option<&Bytes>, Error> {
        self.met.field(key, field, false);
        Ok(self.read_unseen::<Hash>(key)?.and_then(|hash| hash.get(field)))
    }

    /// HMGET: the values of `N` fields, without allocating.
    #[inline]
    pub fn hmget<const N: usize>(
        &self,
        key: &Key,
        fields: [&[u8]; N],
    ) -> Result<[Option<&Bytes>; N], Error> {
        fields.iter().for_each(|field| self.met.field(key, field, false));
        Ok(match self.read_unseen::<Hash>(key)? {
            None => [None; N],
            Some(hash) => fields.map(|field| hash.get(field)),
        })
    }

    /// HGETALL: fields with values, in the order of [`Hash`](struct@Hash).
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
            let gone = fields.into_iter().filter(|field| hash.remove(field)).count();
            *dirty += gone as u64;
            gone
        })?;
        let gone = gone.unwrap_or(0);
        if gone > 0 {
            self.notify(Class::Hash, "hdel", key);
        }
        Ok(gone)
    }

    /// HINCRBY: adds to the integer in a field, 0 if there is none, and returns the sum.
    ///
    /// # Errors
    /// [`Error::HashNotAnInteger`] if the field is not canonical decimal text, [`Error::Overflow`].
    pub fn hincrby(&mut self, key: &Key, field: &[u8], by: i64) -> Result<i64, Error> {
        self.change_field(key, field, "hincrby", |old| {
            let old = match old {
                None => 0,
                Some(value) => parse_int(value).ok_or(Error::HashNotAnInteger)?,
            };
            let sum = match planted(Mutant::R13) {
                true => old.wrapping_add(by),
                false => old.checked_add(by).ok_or(Error::Overflow)?,
            };
            Ok((Bytes::from_int(sum), sum))
        })
    }

    /// Sets a field to what `change` makes of its value.
    fn change_field<R>(
        &mut self,
        key: &Key,
        field: &[u8],
        event: &'static str,
        change: impl FnOnce(Option<&Bytes>) -> Result<(Bytes, R), Error>,
    ) -> Result<R, Error> {
        let small = self.limits.hash();
        self.met.field(key, field, true);
        let result = self.upsert_unseen(key, |hash: &mut Hash, dirty| {
            let (value, result) = change(hash.get(field))?;
            hash.set(field, value, small);
            *dirty += 1;
            Ok(result)
        })??;
        self.notify(Class::Hash, event, key);
        Ok(result)
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
        assert_eq!(all, ["b=3", "a=1"]);
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
