//! The commands on sets.
//!
//! A handler reads the words; what is done is in the methods of [`Db`], which the modelled scripts use
//! too. Unions, intersections and differences are in [`algebra`]. The order of members is that of
//! [`Set`].

mod algebra;

use super::bytes::{Bytes, Key};
use super::db::{Class, Db};
use super::error::Error;
use super::random::{self, Wanted};
use super::reply::Reply;
use super::server::{Answer, Call};
use super::set::Set;
use super::table::Spec;
use super::table::flag::{DENYOOM, FAST, MOVABLEKEYS, READONLY, WRITE};
use super::{args, scan};

const READS: u32 = READONLY | FAST;
const KEY: (i32, i32, i32) = (1, 1, 1);
const KEYS: (i32, i32, i32) = (1, -1, 1);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("sadd", -3, WRITE | DENYOOM | FAST, KEY, sadd),
    Spec::new("scard", 2, READS, KEY, scard),
    Spec::new("sdiff", -2, READONLY, KEYS, algebra::sdiff),
    Spec::new("sdiffstore", -3, WRITE | DENYOOM, KEYS, algebra::sdiffstore),
    Spec::new("sinter", -2, READONLY, KEYS, algebra::sinter),
    Spec::new("sintercard", -3, READONLY | MOVABLEKEYS, (0, 0, 0), algebra::sintercard),
    Spec::new("sinterstore", -3, WRITE | DENYOOM, KEYS, algebra::sinterstore),
    Spec::new("sismember", 3, READS, KEY, sismember),
    Spec::new("smembers", 2, READONLY, KEY, smembers),
    Spec::new("smismember", -3, READS, KEY, smismember),
    Spec::new("smove", 4, WRITE | FAST, (1, 2, 1), smove),
    Spec::new("spop", -2, WRITE | FAST, KEY, spop),
    Spec::new("srandmember", -2, READONLY, KEY, srandmember),
    Spec::new("srem", -3, WRITE | FAST, KEY, srem),
    Spec::new("sscan", -3, READONLY, KEY, sscan),
    Spec::new("sunion", -2, READONLY, KEYS, algebra::sunion),
    Spec::new("sunionstore", -3, WRITE | DENYOOM, KEYS, algebra::sunionstore),
];

/// SADD.
fn sadd(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::int(call.db().sadd(&key, args[2..].iter().cloned())?))
}

/// SCARD.
fn scard(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().scard(&key)?))
}

/// SISMEMBER.
fn sismember(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::flag(call.db().sismember(&key, &args[2])?))
}

/// SMEMBERS.
fn smembers(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(members(call.db().smembers(&key)?))
}

/// SMISMEMBER.
fn smismember(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let set = call.db().read::<Set>(&key)?;
    let is_there = |member: &Bytes| Reply::flag(set.is_some_and(|set| set.contains(member)));
    Ok(Reply::Array(args[2..].iter().map(is_there).collect()))
}

/// SMOVE.
fn smove(call: &mut Call<'_>) -> Answer {
    let (args, from, to) = (call.args, call.key(1), call.key(2));
    let (db, member) = (call.db(), &args[3]);
    let Some(source) = db.read::<Set>(&from)? else { return Ok(Reply::flag(false)) };
    let is_there = source.contains(member);
    db.read::<Set>(&to)?;
    if is_there && from != to {
        db.srem(&from, member)?;
        db.sadd(&to, [member.clone()])?;
    }
    Ok(Reply::flag(is_there))
}

/// SPOP.
fn spop(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let count = match &args[2..] {
        [] => None,
        [count] => Some(args::natural(count)?),
        _ => return Err(Error::Syntax),
    };
    let popped = call.db().spop(&key, count.unwrap_or(1))?;
    Ok(match count {
        Some(_) => Reply::Set(popped.into_iter().map(Reply::Bulk).collect()),
        None => Reply::bulk(popped.first()),
    })
}

/// SRANDMEMBER.
fn srandmember(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let wanted = match &args[2..] {
        [] => Wanted::One,
        [count] => Wanted::Some(random::count(count)?, false),
        _ => return Err(Error::Syntax),
    };
    let db = call.db();
    let len = db.scard(&key)?;
    let count = match wanted {
        Wanted::One if len == 0 => return Ok(Reply::Nil),
        Wanted::Some(..) if len == 0 => return Ok(Reply::Array(Vec::new())),
        Wanted::One => 1,
        Wanted::Some(count, _) => count,
    };
    let places = random::places(db, len, count);
    let Some(set) = db.read::<Set>(&key)? else { return Ok(Reply::Nil) };
    let mut chosen = places.into_iter().filter_map(|place| set.at(place));
    Ok(match wanted {
        Wanted::One => Reply::bulk(chosen.next()),
        Wanted::Some(..) => Reply::bulks(chosen),
    })
}

/// SREM.
fn srem(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::int(call.db().srem_many(&key, args[2..].iter().map(Bytes::as_bytes))?))
}

/// SSCAN.
fn sscan(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let cursor = scan::cursor(&args[2])?;
    let Some(set) = call.db().read::<Set>(&key)? else { return Ok(scan::reply(0, Vec::new())) };
    let options = scan::Options::read(&args[3..], false)?;
    let (places, next) = match set.is_large() {
        true => scan::walk(cursor, set.len(), options.count),
        false => (0..set.len(), 0),
    };
    let seen = places.filter_map(|place| set.at(place)).filter(|member| options.lets(member));
    Ok(scan::reply(next, seen.map(|member| Reply::Bulk(member.clone())).collect()))
}

/// A reply of members.
fn members<'a>(members: impl Iterator<Item = &'a Bytes>) -> Reply {
    Reply::Set(members.map(|member| Reply::Bulk(member.clone())).collect())
}

/// Of how many members to be popped on a set is better made anew from what remains, as Redis has it:
/// so many for each that remains. What remains may then be an intset again.
const MANY: usize = 5;

impl Db {
    /// SADD: how many of the members are new.
    pub fn sadd(
        &mut self,
        key: &Key,
        members: impl IntoIterator<Item = Bytes>,
    ) -> Result<usize, Error> {
        let most = self.limits.set_max_intset_entries;
        let added = self.upsert(key, |set: &mut Set, dirty| {
            let added = members.into_iter().filter(|member| set.insert(member.clone(), most));
            let added = added.count();
            *dirty += added as u64;
            added
        })?;
        if added > 0 {
            self.notify(Class::Set, "sadd", key);
        }
        Ok(added)
    }

    /// SREM of one member; whether it was there. The last member takes the key with it.
    pub fn srem(&mut self, key: &Key, member: &[u8]) -> Result<bool, Error> {
        self.srem_many(key, [member]).map(|gone| gone == 1)
    }

    /// SREM of several members; how many were there.
    pub fn srem_many<'a>(
        &mut self,
        key: &Key,
        members: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<usize, Error> {
        let gone = self.modify(key, |set: &mut Set, dirty| {
            let gone = members.into_iter().filter(|member| set.remove(member)).count();
            *dirty += gone as u64;
            gone
        })?;
        let gone = gone.unwrap_or(0);
        if gone > 0 {
            self.notify(Class::Set, "srem", key);
        }
        Ok(gone)
    }

    /// SPOP: takes `count` members by chance, or all if there are no more.
    fn spop(&mut self, key: &Key, count: usize) -> Result<Vec<Bytes>, Error> {
        let (len, most) = (self.scard(key)?, self.limits.set_max_intset_entries);
        let count = count.min(len);
        if count == 0 {
            return Ok(Vec::new());
        }
        let left = len - count;
        let anew = left > 0 && left.saturating_mul(MANY) <= count;
        // Those to be taken out one by one, the last of the rest taking the place of each.
        let draws = if left == 0 {
            0
        } else if anew {
            left
        } else {
            count
        };
        let places: Vec<usize> = (0..draws).map(|taken| self.random(len - taken)).collect();
        let popped = self.modify(key, |set: &mut Set, dirty| {
            *dirty += count as u64;
            let drawn = places.iter().filter_map(|place| set.take_at(*place)).collect::<Vec<_>>();
            if !anew && left > 0 {
                return drawn;
            }
            let mut rest = Set::default();
            drawn.into_iter().for_each(|member| {
                rest.insert(member, most);
            });
            std::mem::replace(set, rest).iter().cloned().collect()
        })?;
        self.notify(Class::Set, "spop", key);
        Ok(popped.unwrap_or_default())
    }

    /// SMEMBERS: the members, in the order of [`Set`].
    pub fn smembers(
        &self,
        key: &Key,
    ) -> Result<impl ExactSizeIterator<Item = &Bytes> + use<'_>, Error> {
        Ok(self.read::<Set>(key)?.map(Set::iter).unwrap_or_default())
    }

    /// SCARD: the number of members.
    pub fn scard(&self, key: &Key) -> Result<usize, Error> {
        Ok(self.read::<Set>(key)?.map_or(0, Set::len))
    }

    /// SISMEMBER: whether the set has the member.
    pub fn sismember(&self, key: &Key, member: &[u8]) -> Result<bool, Error> {
        Ok(self.read::<Set>(key)?.is_some_and(|set| set.contains(member)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_and_go() {
        let (mut db, key) = (Db::new(), Key::from("stalled"));
        assert_eq!(db.sadd(&key, ["2", "1", "2"].map(Bytes::from)), Ok(2));
        let members: Vec<_> = db.smembers(&key).unwrap().map(Bytes::to_string).collect();
        assert_eq!(members, ["1", "2"]);
        assert_eq!((db.scard(&key), db.sismember(&key, b"2")), (Ok(2), Ok(true)));
        assert_eq!((db.srem(&key, b"2"), db.srem(&key, b"2")), (Ok(true), Ok(false)));
        assert_eq!(db.srem_many(&key, [b"1".as_slice(), b"3"]), Ok(1));
        assert_eq!((db.exists(&key), db.scard(&key), db.dirty()), (false, Ok(0), 4));
    }

    #[test]
    fn another_type_is_refused() {
        let (mut db, key) = (Db::new(), Key::from("k"));
        db.incr(&key).unwrap();
        assert_eq!(db.sadd(&key, [Bytes::new()]), Err(Error::WrongType));
        assert_eq!(db.smembers(&key).err(), Some(Error::WrongType));
    }
}
