//! The commands on sorted sets: ZADD, ZREM, ZSCORE, ZCARD, ZCOUNT, ZRANGE, ZREVRANGE,
//! ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZPOPMIN, ZREMRANGEBYSCORE, ZREMRANGEBYRANK.
//!
//! Elements come as (member, score); who does not want the scores drops them. Not modelled: the
//! options of ZADD (NX, XX, GT, LT, CH, INCR), ranges by member, and counts of ZPOPMIN. BZPOPMIN
//! is with the clients.

use super::ClientId;
use super::blocked::Serve;
use super::bytes::{Bytes, Key};
use super::command::popped;
use super::db::Db;
use super::error::Error;
use super::lists::positions;
use super::reply::Reply;
use super::server::{Answer, Call, Server};
use super::table::Spec;
use super::table::flag::{FAST, READONLY};
use super::value::Value;
use super::zset::{Elements, Inserted, ScoreBound, Zset};

/// `LIMIT offset count` of a range by score.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// How many elements to leave out first. A negative offset leaves out all.
    pub offset: i64,
    /// How many elements to answer with at most. A negative count means all.
    pub count: i64,
}

impl Limit {
    /// No limit.
    pub const NONE: Limit = Limit { offset: 0, count: -1 };

    /// `LIMIT 0 count`.
    pub const fn first(count: i64) -> Limit {
        Limit { offset: 0, count }
    }

    #[inline]
    fn apply(self, elements: Elements<'_>) -> Elements<'_> {
        match usize::try_from(self.offset) {
            Ok(offset) => elements.limit(offset, usize::try_from(self.count).unwrap_or(usize::MAX)),
            Err(_) => Elements::default(),
        }
    }
}

pub(super) const COMMANDS: &[Spec] = &[Spec::new("zcard", 2, READONLY | FAST, (1, 1, 1), zcard)];

/// ZCARD.
fn zcard(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().zcard(&key)?))
}

impl Db {
    /// ZADD of one member; whether it is new. A client that waits for the key gets it after the
    /// command or script.
    ///
    /// # Errors
    /// [`Error::NotAFloat`] if the score is NaN.
    pub fn zadd(&mut self, key: &Key, member: Bytes, score: f64) -> Result<bool, Error> {
        if score.is_nan() {
            return Err(Error::NotAFloat);
        }
        self.upsert(key, |zset: &mut Zset, dirty| {
            let inserted = zset.insert(member, score);
            *dirty += u64::from(inserted != Inserted::Unchanged);
            inserted == Inserted::Added
        })
    }

    /// ZADD of several members; how many are new.
    ///
    /// # Errors
    /// [`Error::NotAFloat`] if a score is NaN; nothing is added then.
    pub fn zadd_many<I>(&mut self, key: &Key, elements: I) -> Result<usize, Error>
    where
        I: IntoIterator<Item = (Bytes, f64), IntoIter: Clone>,
    {
        let elements = elements.into_iter();
        if elements.clone().any(|(_, score)| score.is_nan()) {
            return Err(Error::NotAFloat);
        }
        self.upsert(key, |zset: &mut Zset, dirty| {
            let mut added = 0;
            for (member, score) in elements {
                let inserted = zset.insert(member, score);
                added += usize::from(inserted == Inserted::Added);
                *dirty += u64::from(inserted != Inserted::Unchanged);
            }
            added
        })
    }

    /// ZREM of one member; whether it was there. The last member takes the key with it.
    pub fn zrem(&mut self, key: &Key, member: &[u8]) -> Result<bool, Error> {
        self.zrem_many(key, [member]).map(|gone| gone == 1)
    }

    /// ZREM of several members; how many were there.
    pub fn zrem_many<'a>(
        &mut self,
        key: &Key,
        members: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<usize, Error> {
        self.cut(key, |zset| members.into_iter().filter(|member| zset.remove(member)).count())
    }

    /// ZSCORE: the score of a member.
    pub fn zscore(&self, key: &Key, member: &[u8]) -> Result<Option<f64>, Error> {
        Ok(self.read::<Zset>(key)?.and_then(|zset| zset.score(member)))
    }

    /// ZCARD: the number of members.
    pub fn zcard(&self, key: &Key) -> Result<usize, Error> {
        Ok(self.read::<Zset>(key)?.map_or(0, Zset::len))
    }

    /// ZCOUNT: the number of members with a score from `min` to `max`.
    pub fn zcount(&self, key: &Key, min: ScoreBound, max: ScoreBound) -> Result<usize, Error> {
        Ok(self.read::<Zset>(key)?.map_or(0, |zset| zset.by_score(min, max).count()))
    }

    /// ZRANGE: the elements from rank `start` to rank `stop`, both included; negative ranks count
    /// from the end.
    pub fn zrange(&self, key: &Key, start: i64, stop: i64) -> Result<Elements<'_>, Error> {
        let Some(zset) = self.read::<Zset>(key)? else { return Ok(Elements::default()) };
        let ranks = positions(start, stop, zset.len());
        Ok(zset.by_rank(ranks.start, ranks.end))
    }

    /// ZREVRANGE: as [`Db::zrange`], but rank 0 is the greatest element, and order descends.
    pub fn zrevrange(&self, key: &Key, start: i64, stop: i64) -> Result<Elements<'_>, Error> {
        let Some(zset) = self.read::<Zset>(key)? else { return Ok(Elements::default()) };
        let len = zset.len();
        let ranks = positions(start, stop, len);
        Ok(zset.by_rank_rev(len - ranks.end, len - ranks.start))
    }

    /// ZRANGE with 0 0: the first element, without allocating.
    #[inline]
    pub fn zfirst(&self, key: &Key) -> Result<Option<(&Bytes, f64)>, Error> {
        Ok(self.read::<Zset>(key)?.and_then(Zset::first))
    }

    /// ZRANGEBYSCORE: the elements with a score from `min` to `max`, ascending.
    #[inline]
    pub fn zrangebyscore(
        &self,
        key: &Key,
        min: ScoreBound,
        max: ScoreBound,
        limit: Limit,
    ) -> Result<Elements<'_>, Error> {
        let zset = self.read::<Zset>(key)?;
        Ok(zset.map(|zset| limit.apply(zset.by_score(min, max))).unwrap_or_default())
    }

    /// ZREVRANGEBYSCORE: the elements with a score from `max` down to `min`, descending.
    pub fn zrevrangebyscore(
        &self,
        key: &Key,
        max: ScoreBound,
        min: ScoreBound,
        limit: Limit,
    ) -> Result<Elements<'_>, Error> {
        let zset = self.read::<Zset>(key)?;
        Ok(zset.map(|zset| limit.apply(zset.by_score_rev(min, max))).unwrap_or_default())
    }

    /// ZPOPMIN: takes the first element. The last element takes the key with it.
    #[inline]
    pub fn zpopmin(&mut self, key: &Key) -> Result<Option<(Bytes, f64)>, Error> {
        let popped = self.modify(key, |zset: &mut Zset, dirty| {
            *dirty += 1;
            zset.pop_first()
        })?;
        Ok(popped.flatten())
    }

    /// ZREMRANGEBYSCORE: removes the elements with a score from `min` to `max`; how many.
    pub fn zremrangebyscore(
        &mut self,
        key: &Key,
        min: ScoreBound,
        max: ScoreBound,
    ) -> Result<usize, Error> {
        self.cut(key, |zset| zset.remove_by_score(min, max))
    }

    /// ZREMRANGEBYRANK: removes the elements that [`Db::zrange`] would show; how many.
    pub fn zremrangebyrank(&mut self, key: &Key, start: i64, stop: i64) -> Result<usize, Error> {
        self.cut(key, |zset| {
            let ranks = positions(start, stop, zset.len());
            zset.remove_by_rank(ranks.start, ranks.end)
        })
    }

    /// Lets `cut` remove members from the set at `key`, each of which is a change.
    fn cut(&mut self, key: &Key, cut: impl FnOnce(&mut Zset) -> usize) -> Result<usize, Error> {
        let gone = self.modify(key, |zset: &mut Zset, dirty| {
            let gone = cut(zset);
            *dirty += gone as u64;
            gone
        })?;
        Ok(gone.unwrap_or(0))
    }
}

/// A client that waits in BZPOPMIN.
pub(super) struct PopMin;

impl Serve for PopMin {
    fn wants(&self, value: &Value) -> bool {
        value.is_zset()
    }

    fn serve(&self, server: &mut Server, _: ClientId, db: usize, key: &Key) -> Option<Reply> {
        let (member, score) = server.dbs[db].zpopmin(key).ok().flatten()?;
        Some(popped(key, member, score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zset(members: &str) -> (Db, Key) {
        let (mut db, key) = (Db::new(), Key::from("zset"));
        let elements = members.split_whitespace().enumerate();
        db.zadd_many(&key, elements.map(|(at, member)| (Bytes::from(member), at as f64))).unwrap();
        (db, key)
    }

    fn shown<'a>(elements: impl Iterator<Item = (&'a Bytes, f64)>) -> String {
        elements.map(|(member, _)| member.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn zadd_tells_new_members_from_new_scores() {
        let (mut db, key) = zset("a b");
        assert_eq!((db.zadd(&key, "c".into(), 0.0), db.dirty()), (Ok(true), 3));
        assert_eq!((db.zadd(&key, "a".into(), 5.0), db.dirty()), (Ok(false), 4));
        assert_eq!((db.zadd(&key, "a".into(), 5.0), db.dirty()), (Ok(false), 4));
        assert_eq!(db.zadd(&key, "d".into(), f64::NAN), Err(Error::NotAFloat));
        assert_eq!(shown(db.zrange(&key, 0, -1).unwrap()), "c b a");
        assert_eq!((db.zscore(&key, b"a"), db.zcard(&key)), (Ok(Some(5.0)), Ok(3)));
    }

    #[test]
    fn ranks_count_from_either_end() {
        let (mut db, key) = zset("a b c d");
        assert_eq!(shown(db.zrange(&key, -2, -1).unwrap()), "c d");
        assert_eq!(shown(db.zrange(&key, 3, 1).unwrap()), "");
        assert_eq!(shown(db.zrevrange(&key, 0, 1).unwrap()), "d c");
        assert_eq!(shown(db.zrevrange(&key, 1, -1).unwrap()), "c b a");
        assert_eq!(shown(db.zrevrange(&key, 4, 9).unwrap()), "");
        assert_eq!(db.zremrangebyrank(&key, 0, -3), Ok(2));
        assert_eq!(db.zfirst(&key), Ok(Some((&"c".into(), 2.0))));
        assert_eq!(db.zremrangebyrank(&key, 0, -1), Ok(2));
        assert_eq!((db.exists(&key), db.zfirst(&key)), (false, Ok(None)));
    }

    #[test]
    fn ranges_by_score_obey_bounds_and_limit() {
        let (mut db, key) = zset("a b c d");
        let (one, three) = (ScoreBound::Excl(0.0), ScoreBound::Incl(3.0));
        let by = |db: &Db, limit| shown(db.zrangebyscore(&key, one, three, limit).unwrap());
        assert_eq!(by(&db, Limit::NONE), "b c d");
        assert_eq!(by(&db, Limit::first(2)), "b c");
        assert_eq!(by(&db, Limit { offset: 1, count: 1 }), "c");
        assert_eq!(by(&db, Limit { offset: -1, count: 1 }), "");
        assert_eq!(by(&db, Limit { offset: 9, count: -1 }), "");
        let back = db.zrevrangebyscore(&key, ScoreBound::POS_INF, one, Limit::first(2));
        assert_eq!(shown(back.unwrap()), "d c");
        assert_eq!(db.zcount(&key, ScoreBound::NEG_INF, ScoreBound::Excl(2.0)), Ok(2));
        assert_eq!(db.zremrangebyscore(&key, three, ScoreBound::POS_INF), Ok(1));
        assert_eq!(db.dirty(), 5);
    }

    #[test]
    fn zpopmin_takes_the_first_and_then_the_key() {
        let (mut db, key) = zset("a b");
        assert_eq!(db.zpopmin(&key), Ok(Some(("a".into(), 0.0))));
        assert_eq!(db.zrem_many(&key, [b"b".as_slice(), b"x"]), Ok(1));
        assert_eq!((db.zpopmin(&key), db.exists(&key)), (Ok(None), false));
        assert_eq!(db.dirty(), 4);
    }
}
