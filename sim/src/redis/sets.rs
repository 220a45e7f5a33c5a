//! The commands on sets: SADD, SREM, SMEMBERS, SCARD, SISMEMBER.
//!
//! SMEMBERS answers in bytewise order; Redis promises none. Not modelled: SPOP and the algebra.

use super::bytes::{Bytes, Key};
use super::db::Db;
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{FAST, READONLY};
use super::value::Set;

pub(super) const COMMANDS: &[Spec] = &[Spec::new("scard", 2, READONLY | FAST, (1, 1, 1), scard)];

/// SCARD.
fn scard(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().scard(&key)?))
}

impl Db {
    /// SADD: how many of the members are new.
    pub fn sadd(
        &mut self,
        key: &Key,
        members: impl IntoIterator<Item = Bytes>,
    ) -> Result<usize, Error> {
        self.upsert(key, |set: &mut Set, dirty| {
            let added = members.into_iter().filter(|member| set.insert(member.clone())).count();
            *dirty += added as u64;
            added
        })
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
            let gone = members.into_iter().filter(|member| set.remove(*member)).count();
            *dirty += gone as u64;
            gone
        })?;
        Ok(gone.unwrap_or(0))
    }

    /// SMEMBERS: the members, in bytewise order.
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
