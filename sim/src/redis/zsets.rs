//! The commands on sorted sets: the table, the short ones, and what the modelled scripts use, too.
//!
//! Elements come as (member, score); who does not want the scores drops them. ZADD is in [`add`],
//! ranges are in [`ranges`], what takes elements out is in [`pops`], and what makes one sorted set of
//! several in [`algebra`].

mod add;
mod algebra;
mod pops;
mod ranges;

use super::bytes::{Bytes, Key};
use super::db::{Class, Db};
use super::error::Error;
use super::lists::positions;
use super::random::{self, Wanted};
use super::reply::Reply;
use super::scan;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{BLOCKING, DENYOOM, FAST, MOVABLEKEYS, NOSCRIPT, READONLY, WRITE};
use super::zset::{Elements, Inserted, ScoreBound, Zset, score_text};
pub(super) use pops::Pop;

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

const READS: u32 = READONLY | FAST;
const WRITES: u32 = WRITE | DENYOOM | FAST;
const WAITS: u32 = WRITE | NOSCRIPT | BLOCKING | FAST;
const NAMED: u32 = READONLY | MOVABLEKEYS;
const STORES: u32 = WRITE | DENYOOM | MOVABLEKEYS;
const NONE: (i32, i32, i32) = (0, 0, 0);
const KEY: (i32, i32, i32) = (1, 1, 1);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("bzmpop", -5, WRITE | BLOCKING | MOVABLEKEYS, NONE, pops::bzmpop),
    Spec::new("bzpopmax", -3, WAITS, (1, -2, 1), pops::bzpopmax),
    Spec::new("bzpopmin", -3, WAITS, (1, -2, 1), pops::bzpopmin),
    Spec::new("zadd", -4, WRITES, KEY, add::zadd),
    Spec::new("zcard", 2, READS, KEY, zcard),
    Spec::new("zcount", 4, READS, KEY, ranges::zcount),
    Spec::new("zdiff", -3, NAMED, NONE, algebra::zdiff),
    Spec::new("zdiffstore", -4, STORES, KEY, algebra::zdiffstore),
    Spec::new("zincrby", 4, WRITES, KEY, add::zincrby),
    Spec::new("zinter", -3, NAMED, NONE, algebra::zinter),
    Spec::new("zintercard", -3, NAMED, NONE, algebra::zintercard),
    Spec::new("zinterstore", -4, STORES, KEY, algebra::zinterstore),
    Spec::new("zlexcount", 4, READS, KEY, ranges::zlexcount),
    Spec::new("zmpop", -4, WRITE | MOVABLEKEYS, NONE, pops::zmpop),
    Spec::new("zmscore", -3, READS, KEY, zmscore),
    Spec::new("zpopmax", -2, WRITE | FAST, KEY, pops::zpopmax),
    Spec::new("zpopmin", -2, WRITE | FAST, KEY, pops::zpopmin),
    Spec::new("zrandmember", -2, READONLY, KEY, zrandmember),
    Spec::new("zrange", -4, READONLY, KEY, ranges::zrange),
    Spec::new("zrangebylex", -4, READONLY, KEY, ranges::zrangebylex),
    Spec::new("zrangebyscore", -4, READONLY, KEY, ranges::zrangebyscore),
    Spec::new("zrangestore", -5, WRITE | DENYOOM, (1, 2, 1), ranges::zrangestore),
    Spec::new("zrank", 3, READS, KEY, zrank),
    Spec::new("zrem", -3, WRITE | FAST, KEY, zrem),
    Spec::new("zremrangebylex", 4, WRITE, KEY, ranges::zremrangebylex),
    Spec::new("zremrangebyrank", 4, WRITE, KEY, ranges::zremrangebyrank),
    Spec::new("zremrangebyscore", 4, WRITE, KEY, ranges::zremrangebyscore),
    Spec::new("zrevrange", -4, READONLY, KEY, ranges::zrevrange),
    Spec::new("zrevrangebylex", -4, READONLY, KEY, ranges::zrevrangebylex),
    Spec::new("zrevrangebyscore", -4, READONLY, KEY, ranges::zrevrangebyscore),
    Spec::new("zrevrank", 3, READS, KEY, zrevrank),
    Spec::new("zscan", -3, READONLY, KEY, zscan),
    Spec::new("zscore", 3, READS, KEY, zscore),
    Spec::new("zunion", -3, NAMED, NONE, algebra::zunion),
    Spec::new("zunionstore", -4, STORES, KEY, algebra::zunionstore),
];

/// ZCARD.
fn zcard(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().zcard(&key)?))
}

/// ZMSCORE.
fn zmscore(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let zset = call.db().read::<Zset>(&key)?;
    let score = |member: &Bytes| zset.and_then(|zset| zset.score(member));
    let replies = args[2..].iter().map(|member| score(member).map_or(Reply::Nil, Reply::Double));
    Ok(Reply::Array(replies.collect()))
}

/// ZRANDMEMBER.
fn zrandmember(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let wanted = random::wanted(&args[2..], "withscores")?;
    let db = call.db();
    let len = db.zcard(&key)?;
    let (count, with_scores) = match wanted {
        Wanted::One if len == 0 => return Ok(Reply::Nil),
        Wanted::Some(..) if len == 0 => return Ok(Reply::Array(Vec::new())),
        Wanted::One => (1, false),
        Wanted::Some(count, with_scores) => (count, with_scores),
    };
    let places = random::places(db, len, count);
    let Some(zset) = db.read::<Zset>(&key)? else { return Ok(Reply::Nil) };
    let mut chosen = places.into_iter().filter_map(|place| zset.at(place));
    Ok(match wanted {
        Wanted::One => Reply::bulk(chosen.next().map(|(member, _)| member)),
        Wanted::Some(..) => elements(chosen, with_scores),
    })
}

/// ZRANK.
fn zrank(call: &mut Call<'_>) -> Answer {
    Ok(rank(call)?.map_or(Reply::Nil, |(rank, _)| Reply::int(rank)))
}

/// ZREVRANK.
fn zrevrank(call: &mut Call<'_>) -> Answer {
    Ok(rank(call)?.map_or(Reply::Nil, |(rank, len)| Reply::int(len - 1 - rank)))
}

/// The rank of a member, and of how many.
fn rank(call: &mut Call<'_>) -> Result<Option<(usize, usize)>, Error> {
    let (args, key) = (call.args, call.key(1));
    let zset = call.db().read::<Zset>(&key)?;
    Ok(zset.and_then(|zset| Some((zset.rank(&args[2])?, zset.len()))))
}

/// ZREM.
fn zrem(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(Reply::int(call.db().zrem_many(&key, args[2..].iter().map(Bytes::as_bytes))?))
}

/// ZSCAN.
fn zscan(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let cursor = scan::cursor(&args[2])?;
    let Some(zset) = call.db().read::<Zset>(&key)? else { return Ok(scan::reply(0, Vec::new())) };
    let options = scan::Options::read(&args[3..], false)?;
    let mut found = Vec::new();
    let mut see = |(member, score): (&Bytes, f64)| {
        if options.lets(member) {
            found.extend([Reply::Bulk(member.clone()), Reply::Bulk(score_text(score))]);
        }
    };
    if !zset.is_large() {
        zset.iter().for_each(see);
        return Ok(scan::reply(0, found));
    }
    let (places, next) = scan::walk(cursor, zset.len(), options.count);
    places.filter_map(|place| zset.at(place)).for_each(&mut see);
    Ok(scan::reply(next, found))
}

/// ZSCORE.
fn zscore(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    Ok(call.db().zscore(&key, &args[2])?.map_or(Reply::Nil, Reply::Double))
}

/// A reply of elements.
fn elements<'a>(elements: impl Iterator<Item = (&'a Bytes, f64)>, with_scores: bool) -> Reply {
    if with_scores {
        let pair =
            |(member, score): (&Bytes, f64)| (Reply::Bulk(member.clone()), Reply::Double(score));
        Reply::Pairs(elements.map(pair).collect())
    } else {
        Reply::bulks(elements.map(|(member, _)| member))
    }
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
        let small = self.limits.zset();
        let inserted = self.upsert(key, |zset: &mut Zset, dirty| {
            let inserted = zset.insert(member, score, small);
            *dirty += u64::from(inserted != Inserted::Unchanged);
            inserted
        })?;
        if inserted != Inserted::Unchanged {
            self.notify(Class::Zset, "zadd", key);
        }
        Ok(inserted == Inserted::Added)
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
        let (small, before) = (self.limits.zset(), self.dirty);
        let added = self.upsert(key, |zset: &mut Zset, dirty| {
            let mut added = 0;
            for (member, score) in elements {
                let inserted = zset.insert(member, score, small);
                added += usize::from(inserted == Inserted::Added);
                *dirty += u64::from(inserted != Inserted::Unchanged);
            }
            added
        })?;
        if self.dirty != before {
            self.notify(Class::Zset, "zadd", key);
        }
        Ok(added)
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
        self.cut(key, "zrem", |zset| {
            members.into_iter().filter(|member| zset.remove(member)).count()
        })
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
        Ok(self.read::<Zset>(key)?.map_or(0, |zset| zset.by_score(min, max).len()))
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
        if popped.is_some() {
            self.notify(Class::Zset, "zpopmin", key);
        }
        Ok(popped.flatten())
    }

    /// ZREMRANGEBYSCORE: removes the elements with a score from `min` to `max`; how many.
    pub fn zremrangebyscore(
        &mut self,
        key: &Key,
        min: ScoreBound,
        max: ScoreBound,
    ) -> Result<usize, Error> {
        self.cut(key, "zremrangebyscore", |zset| zset.remove_by_score(min, max))
    }

    /// ZREMRANGEBYRANK: removes the elements that [`Db::zrange`] would show; how many.
    pub fn zremrangebyrank(&mut self, key: &Key, start: i64, stop: i64) -> Result<usize, Error> {
        self.cut(key, "zremrangebyrank", |zset| {
            let ranks = positions(start, stop, zset.len());
            zset.remove_by_rank(ranks.start, ranks.end)
        })
    }

    /// Lets `cut` remove members from the set at `key`, each of which is a change.
    fn cut(
        &mut self,
        key: &Key,
        event: &'static str,
        cut: impl FnOnce(&mut Zset) -> usize,
    ) -> Result<usize, Error> {
        let gone = self.modify(key, |zset: &mut Zset, dirty| {
            let gone = cut(zset);
            *dirty += gone as u64;
            gone
        })?;
        let gone = gone.unwrap_or(0);
        if gone > 0 {
            self.notify(Class::Zset, event, key);
        }
        Ok(gone)
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
