//! What takes elements from an end, at once or as soon as there is one: ZPOPMIN, ZPOPMAX, ZMPOP,
//! BZPOPMIN, BZPOPMAX, BZMPOP.

use std::rc::Rc;

use super::super::ClientId;
use super::super::args;
use super::super::blocked::Serve;
use super::super::bytes::{Bytes, Key};
use super::super::command::popped;
use super::super::db::{Class, Db};
use super::super::error::Error;
use super::super::reply::Reply;
use super::super::server::{Answer, Call, Server};
use super::super::value::Value;
use super::super::zset::Zset;

/// An end of a sorted set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Min,
    Max,
}

/// What is taken from the first key that holds anything, and in which form it is answered.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Pop {
    end: End,
    count: usize,
    /// ZMPOP's form: the key, and an array of elements.
    nested: bool,
}

impl Pop {
    /// BZPOPMIN.
    pub(in super::super) const ONE_MIN: Pop = Pop { end: End::Min, count: 1, nested: false };
    /// BZPOPMAX.
    const ONE_MAX: Pop = Pop { end: End::Max, ..Pop::ONE_MIN };

    /// Takes from the first of `keys` that is there.
    fn take_any(self, db: &mut Db, keys: &[Key]) -> Result<Option<Reply>, Error> {
        for key in keys {
            if let Some(reply) = self.take(db, key)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    fn take(self, db: &mut Db, key: &Key) -> Result<Option<Reply>, Error> {
        let mut elements = db.zpop(key, self.end, self.count)?;
        if elements.is_empty() {
            return Ok(None);
        }
        if self.nested {
            let pair =
                |(member, score)| Reply::Array(vec![Reply::Bulk(member), Reply::Double(score)]);
            let elements = Reply::Array(elements.into_iter().map(pair).collect());
            return Ok(Some(Reply::Array(vec![Reply::Bulk(key.bytes().clone()), elements])));
        }
        Ok(elements.pop().map(|(member, score)| popped(key, member, score)))
    }
}

impl Serve for Pop {
    fn wants(&self, value: &Value) -> bool {
        value.is_zset()
    }

    fn serve(&self, server: &mut Server, _: ClientId, db: usize, key: &Key) -> Option<Reply> {
        self.take(&mut server.dbs[db], key).ok().flatten()
    }
}

impl Db {
    /// ZPOPMIN and ZPOPMAX: takes `count` elements from an end. The last takes the key with it.
    fn zpop(&mut self, key: &Key, end: End, count: usize) -> Result<Vec<(Bytes, f64)>, Error> {
        let popped = self.modify(key, |zset: &mut Zset, dirty| {
            let pop = || match end {
                End::Min => zset.pop_first(),
                End::Max => zset.pop_last(),
            };
            let popped: Vec<_> = std::iter::repeat_with(pop).take(count).map_while(|x| x).collect();
            *dirty += popped.len() as u64;
            popped
        })?;
        let popped = popped.unwrap_or_default();
        if !popped.is_empty() {
            let event = if end == End::Min { "zpopmin" } else { "zpopmax" };
            self.notify(Class::Zset, event, key);
        }
        Ok(popped)
    }
}

/// ZPOPMIN.
pub(super) fn zpopmin(call: &mut Call<'_>) -> Answer {
    pop(call, End::Min)
}

/// ZPOPMAX.
pub(super) fn zpopmax(call: &mut Call<'_>) -> Answer {
    pop(call, End::Max)
}

fn pop(call: &mut Call<'_>, end: End) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let count = match &args[2..] {
        [] => None,
        [count] => Some(args::natural(count)?),
        _ => return Err(Error::Syntax),
    };
    let elements = call.db().zpop(&key, end, count.unwrap_or(1))?.into_iter();
    let pairs = elements.map(|(member, score)| (Reply::Bulk(member), Reply::Double(score)));
    Ok(match count {
        Some(_) => Reply::Pairs(pairs.collect()),
        None => Reply::Array(pairs.flat_map(|(member, score)| [member, score]).collect()),
    })
}

/// BZPOPMIN.
pub(super) fn bzpopmin(call: &mut Call<'_>) -> Answer {
    pop_or_wait(call, Pop::ONE_MIN)
}

/// BZPOPMAX.
pub(super) fn bzpopmax(call: &mut Call<'_>) -> Answer {
    pop_or_wait(call, Pop::ONE_MAX)
}

fn pop_or_wait(call: &mut Call<'_>, pop: Pop) -> Answer {
    let last = call.args.len() - 1;
    let timeout = args::timeout(&call.args[last], call.db().now_ms())?;
    let keys = args::keys(&call.args[1..last]);
    or_wait(call, pop, keys, timeout)
}

fn or_wait(call: &mut Call<'_>, pop: Pop, keys: Vec<Key>, timeout: u64) -> Answer {
    match pop.take_any(call.db(), &keys)? {
        Some(reply) => Ok(reply),
        None => call.block(keys, timeout, Rc::new(pop)),
    }
}

/// ZMPOP.
pub(super) fn zmpop(call: &mut Call<'_>) -> Answer {
    let (pop, keys) = read(&call.args[1..])?;
    Ok(pop.take_any(call.db(), &keys)?.unwrap_or(Reply::NilArray))
}

/// BZMPOP.
pub(super) fn bzmpop(call: &mut Call<'_>) -> Answer {
    let (pop, keys) = read(&call.args[2..])?;
    let timeout = args::timeout(&call.args[1], call.db().now_ms())?;
    or_wait(call, pop, keys, timeout)
}

/// Reads `numkeys key… MIN|MAX [COUNT count]`.
fn read(words: &[Bytes]) -> Result<(Pop, Vec<Key>), Error> {
    let at_least_one = |word: &Bytes, otherwise| {
        args::positive(word, otherwise).and_then(|number| match number {
            0 => Err(Error::Text(otherwise)),
            number => Ok(number),
        })
    };
    let (number, rest) = words.split_first().ok_or(Error::Syntax)?;
    let number = at_least_one(number, "ERR numkeys should be greater than 0")?;
    let (keys, rest) = rest.split_at_checked(number).ok_or(Error::Syntax)?;
    let (end, rest) = rest.split_first().ok_or(Error::Syntax)?;
    let end = match () {
        () if args::is(end, "min") => End::Min,
        () if args::is(end, "max") => End::Max,
        () => return Err(Error::Syntax),
    };
    let count = match rest {
        [] => 1,
        [word, count, after @ ..] if args::is(word, "count") => {
            let count = at_least_one(count, "ERR count should be greater than 0")?;
            if !after.is_empty() {
                return Err(Error::Syntax);
            }
            count
        }
        _ => return Err(Error::Syntax),
    };
    Ok((Pop { end, count, nested: true }, args::keys(keys)))
}
