//! The commands on lists, as words.

use super::End;
use super::blocking::{BLMOVE, BLMPOP, BLPOP, BRPOP, BRPOPLPUSH};
use crate::redis::args::{self, is};
use crate::redis::bytes::{Bytes, Key};
use crate::redis::db::{Class, Db};
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};
use crate::redis::table::Spec;
use crate::redis::table::flag::{DENYOOM, FAST, MOVABLEKEYS, READONLY, WRITE};
use crate::redis::value::List;

const ONE: (i32, i32, i32) = (1, 1, 1);
const TWO: (i32, i32, i32) = (1, 2, 1);

pub(in super::super) const COMMANDS: &[Spec] = &[
    BLMOVE,
    BLMPOP,
    BLPOP,
    BRPOP,
    BRPOPLPUSH,
    Spec::new("lindex", 3, READONLY, ONE, lindex),
    Spec::new("linsert", 5, WRITE | DENYOOM, ONE, linsert),
    Spec::new("llen", 2, READONLY | FAST, ONE, llen),
    Spec::new("lmove", 5, WRITE | DENYOOM, TWO, lmove),
    Spec::new("lmpop", -4, WRITE | MOVABLEKEYS, (0, 0, 0), lmpop),
    Spec::new("lpop", -2, WRITE | FAST, ONE, lpop),
    Spec::new("lpos", -3, READONLY, ONE, lpos),
    Spec::new("lpush", -3, WRITE | DENYOOM | FAST, ONE, lpush),
    Spec::new("lpushx", -3, WRITE | DENYOOM | FAST, ONE, lpushx),
    Spec::new("lrange", 4, READONLY, ONE, lrange),
    Spec::new("lrem", 4, WRITE, ONE, lrem),
    Spec::new("lset", 4, WRITE | DENYOOM, ONE, lset),
    Spec::new("ltrim", 4, WRITE, ONE, ltrim),
    Spec::new("rpop", -2, WRITE | FAST, ONE, rpop),
    Spec::new("rpoplpush", 3, WRITE | DENYOOM, TWO, rpoplpush),
    Spec::new("rpush", -3, WRITE | DENYOOM | FAST, ONE, rpush),
    Spec::new("rpushx", -3, WRITE | DENYOOM | FAST, ONE, rpushx),
];

/// LPUSH.
fn lpush(call: &mut Call<'_>) -> Answer {
    push(call, End::Left)
}

/// RPUSH.
fn rpush(call: &mut Call<'_>) -> Answer {
    push(call, End::Right)
}

fn push(call: &mut Call<'_>, end: End) -> Answer {
    let (key, values) = (call.key(1), &call.args[2..]);
    call.db().push(&key, values.iter().cloned(), end).map(Reply::int)
}

/// LPUSHX.
fn lpushx(call: &mut Call<'_>) -> Answer {
    push_if_there(call, End::Left)
}

/// RPUSHX.
fn rpushx(call: &mut Call<'_>) -> Answer {
    push_if_there(call, End::Right)
}

fn push_if_there(call: &mut Call<'_>, end: End) -> Answer {
    let key = call.key(1);
    if call.db().read::<List>(&key)?.is_none() {
        return Ok(Reply::Int(0));
    }
    push(call, end)
}

/// LPOP.
fn lpop(call: &mut Call<'_>) -> Answer {
    pop(call, End::Left)
}

/// RPOP.
fn rpop(call: &mut Call<'_>) -> Answer {
    pop(call, End::Right)
}

fn pop(call: &mut Call<'_>, end: End) -> Answer {
    let key = call.key(1);
    match call.args {
        [_, _] => Ok(Reply::bulk(call.db().pop(&key, end)?.as_ref())),
        [_, _, count] => {
            let count = args::positive(count, "ERR value is out of range, must be positive")?;
            if count == 0 {
                let there = call.db().read::<List>(&key)?.is_some();
                return Ok(if there { Reply::Array(Vec::new()) } else { Reply::NilArray });
            }
            let popped = call.db().pop_many(&key, end, count)?;
            Ok(popped.map_or(Reply::NilArray, |popped| Reply::bulks(&popped)))
        }
        _ => {
            let name = if end == End::Left { "lpop" } else { "rpop" };
            Err(Error::line(format!("ERR wrong number of arguments for '{name}' command")))
        }
    }
}

/// LLEN.
fn llen(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().llen(&key)?))
}

/// LRANGE.
fn lrange(call: &mut Call<'_>) -> Answer {
    let (start, stop) = (args::int(&call.args[2])?, args::int(&call.args[3])?);
    let key = call.key(1);
    Ok(Reply::bulks(call.db().lrange(&key, start, stop)?))
}

/// LINDEX. The index is looked at only if there is a list.
fn lindex(call: &mut Call<'_>) -> Answer {
    let (key, index) = (call.key(1), args::int(&call.args[2]));
    if call.db().read::<List>(&key)?.is_none() {
        return Ok(Reply::Nil);
    }
    Ok(Reply::bulk(call.db().lindex(&key, index?)?))
}

/// LSET. The index is looked at only if there is a list.
fn lset(call: &mut Call<'_>) -> Answer {
    let (key, index, value) = (call.key(1), args::int(&call.args[2]), call.args[3].clone());
    if call.db().read::<List>(&key)?.is_none() {
        return Err(Error::NoSuchKey);
    }
    call.db().lset(&key, index?, value)?;
    Ok(Reply::OK)
}

/// LREM.
fn lrem(call: &mut Call<'_>) -> Answer {
    let (count, value) = (args::int(&call.args[2])?, call.args[3].clone());
    let key = call.key(1);
    call.db().lrem(&key, count, &value).map(Reply::int)
}

/// LTRIM.
fn ltrim(call: &mut Call<'_>) -> Answer {
    let (start, stop) = (args::int(&call.args[2])?, args::int(&call.args[3])?);
    let key = call.key(1);
    call.db().ltrim(&key, start, stop)?;
    Ok(Reply::OK)
}

/// LINSERT: the length then, -1 if there is no such element, 0 if there is no list.
fn linsert(call: &mut Call<'_>) -> Answer {
    let after = match &call.args[2] {
        place if is(place, "after") => 1,
        place if is(place, "before") => 0,
        _ => return Err(Error::Syntax),
    };
    let (key, pivot, value) = (call.key(1), call.args[3].clone(), call.args[4].clone());
    let inserted = call.db().modify(&key, |list: &mut List, dirty| {
        let at = list.iter().position(|element| *element == pivot)?;
        list.insert(at + after, value);
        *dirty += 1;
        Some(list.len())
    })?;
    match inserted {
        None => Ok(Reply::Int(0)),
        Some(None) => Ok(Reply::Int(-1)),
        Some(Some(len)) => {
            call.db().notify(Class::List, "linsert", &key);
            Ok(Reply::int(len))
        }
    }
}

/// What LPOS looks for.
struct Search<'a> {
    element: &'a [u8],
    from: End,
    /// Which match is the first that counts, from 1.
    rank: u64,
    /// How many matches are wanted; 0: all.
    count: usize,
    /// How many elements are compared; 0: all.
    maxlen: usize,
}

impl Search<'_> {
    fn run(&self, list: &List) -> Vec<Reply> {
        let most = |number: usize| if number == 0 { usize::MAX } else { number };
        let skip = usize::try_from(self.rank - 1).unwrap_or(usize::MAX);
        let equal = |element: &Bytes| element.as_bytes() == self.element;
        let index = |at: usize| match self.from {
            End::Left => at,
            End::Right => list.len() - 1 - at,
        };
        let at = |at: usize| list.get(index(at)).is_some_and(equal);
        let matches = (0..list.len().min(most(self.maxlen))).filter(|place| at(*place));
        matches.skip(skip).take(most(self.count)).map(|place| Reply::int(index(place))).collect()
    }
}

/// LPOS.
fn lpos(call: &mut Call<'_>) -> Answer {
    let (mut rank, mut count, mut maxlen) = (1, None, 0);
    let mut options = call.args[3..].iter();
    while let Some(option) = options.next() {
        let value = options.next().ok_or(Error::Syntax)?;
        if is(option, "rank") {
            rank = args::int(value)?;
            if rank == 0 {
                return Err(Error::Text(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                     second ... or use negative to start from the end of the list",
                ));
            }
        } else if is(option, "count") {
            count = Some(args::positive(value, "ERR COUNT can't be negative")?);
        } else if is(option, "maxlen") {
            maxlen = args::positive(value, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(Error::Syntax);
        }
    }
    let search = Search {
        element: &call.args[2].clone(),
        from: if rank < 0 { End::Right } else { End::Left },
        rank: rank.unsigned_abs(),
        count: count.unwrap_or(1),
        maxlen,
    };
    let key = call.key(1);
    let mut found = call.db().read::<List>(&key)?.map(|list| search.run(list)).unwrap_or_default();
    Ok(match count {
        Some(_) => Reply::Array(found),
        None => found.pop().unwrap_or(Reply::Nil),
    })
}

/// RPOPLPUSH.
fn rpoplpush(call: &mut Call<'_>) -> Answer {
    let (from, to) = (call.key(1), call.key(2));
    Ok(Reply::bulk(call.db().rpoplpush(&from, &to)?.as_ref()))
}

/// LMOVE.
fn lmove(call: &mut Call<'_>) -> Answer {
    let (take, put) = (end(&call.args[3])?, end(&call.args[4])?);
    let (from, to) = (call.key(1), call.key(2));
    Ok(Reply::bulk(call.db().lmove(&from, &to, take, put)?.as_ref()))
}

/// LMPOP.
fn lmpop(call: &mut Call<'_>) -> Answer {
    let Many { keys, end, count } = many(&call.args[1..])?;
    Ok(pop_first(call.db(), &keys, end, count)?.unwrap_or(Reply::NilArray))
}

/// `LEFT` or `RIGHT`.
pub(super) fn end(argument: &[u8]) -> Result<End, Error> {
    match argument {
        argument if is(argument, "left") => Ok(End::Left),
        argument if is(argument, "right") => Ok(End::Right),
        _ => Err(Error::Syntax),
    }
}

/// What LMPOP and BLMPOP are asked for.
pub(super) struct Many {
    pub(super) keys: Vec<Key>,
    pub(super) end: End,
    pub(super) count: usize,
}

/// `numkeys key… LEFT|RIGHT [COUNT count]`.
pub(super) fn many(arguments: &[Bytes]) -> Result<Many, Error> {
    const KEYS_WANTED: &str = "ERR numkeys should be greater than 0";
    args::positive(&arguments[0], KEYS_WANTED)?;
    let (keys, rest) = args::counted_keys(arguments, KEYS_WANTED)?;
    let (place, options) = rest.split_first().ok_or(Error::Syntax)?;
    let end = end(place)?;
    let count = match options {
        [] => 1,
        [word, count, after @ ..] if is(word, "count") => match args::positive(count, WANTED)? {
            0 => return Err(Error::Text(WANTED)),
            // A second COUNT is found after the first was read.
            _ if !after.is_empty() => return Err(Error::Syntax),
            count => count,
        },
        _ => return Err(Error::Syntax),
    };
    Ok(Many { keys, end, count })
}

const WANTED: &str = "ERR count should be greater than 0";

/// Pops from the first of `keys` that is there, as LMPOP answers.
pub(super) fn pop_first(
    db: &mut Db,
    keys: &[Key],
    end: End,
    count: usize,
) -> Result<Option<Reply>, Error> {
    for key in keys {
        if let Some(popped) = db.pop_many(key, end, count)? {
            let key = Reply::Bulk(key.bytes().clone());
            return Ok(Some(Reply::Array(vec![key, Reply::bulks(&popped)])));
        }
    }
    Ok(None)
}
