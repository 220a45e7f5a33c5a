//! Unions, intersections and differences of sets: SUNION, SINTER, SDIFF, SINTERCARD and those that
//! store what comes out.
//!
//! A result is made as Redis makes it, since the way shows in its encoding: a difference that was a
//! hash table on the way stays one.

use super::super::args;
use super::super::bytes::{Bytes, Key};
use super::super::db::{Class, Db};
use super::super::error::Error;
use super::super::reply::Reply;
use super::super::server::{Answer, Call};
use super::super::set::Set;
use super::super::value::Value;
use super::members;

/// SINTER.
pub(super) fn sinter(call: &mut Call<'_>) -> Answer {
    let keys = args::keys(&call.args[1..]);
    let sets = sets(call.db(), &keys)?;
    Ok(Reply::Set(common(sets).map(|member| Reply::Bulk(member.clone())).collect()))
}

/// SINTERCARD.
pub(super) fn sintercard(call: &mut Call<'_>) -> Answer {
    let args = call.args;
    let (keys, mut rest) = counted(&args[1..])?;
    let mut limit = usize::MAX;
    while let [word, value, after @ ..] = rest {
        if !args::is(word, "limit") {
            return Err(Error::Syntax);
        }
        let most = args::positive(value, "ERR LIMIT can't be negative")?;
        limit = if most == 0 { usize::MAX } else { most };
        rest = after;
    }
    if !rest.is_empty() {
        return Err(Error::Syntax);
    }
    let sets = sets(call.db(), &keys)?;
    Ok(Reply::int(common(sets).take(limit).count()))
}

/// SINTERSTORE.
pub(super) fn sinterstore(call: &mut Call<'_>) -> Answer {
    store(call, "sinterstore", |sets, most| gather(common(sets), most))
}

/// SUNION.
pub(super) fn sunion(call: &mut Call<'_>) -> Answer {
    answer(call, union)
}

/// SUNIONSTORE.
pub(super) fn sunionstore(call: &mut Call<'_>) -> Answer {
    store(call, "sunionstore", union)
}

/// SDIFF.
pub(super) fn sdiff(call: &mut Call<'_>) -> Answer {
    answer(call, difference)
}

/// SDIFFSTORE.
pub(super) fn sdiffstore(call: &mut Call<'_>) -> Answer {
    store(call, "sdiffstore", difference)
}

/// `numkeys key…`: the keys and what follows them.
fn counted(words: &[Bytes]) -> Result<(Vec<Key>, &[Bytes]), Error> {
    const TOO_FEW: &str = "ERR numkeys should be greater than 0";
    let (count, rest) = words.split_first().ok_or(Error::Syntax)?;
    let count = args::positive(count, TOO_FEW)?;
    if count == 0 {
        return Err(Error::Text(TOO_FEW));
    }
    if count > rest.len() {
        return Err(Error::Text("ERR Number of keys can't be greater than number of args"));
    }
    let (named, rest) = rest.split_at(count);
    Ok((args::keys(named), rest))
}

/// What the keys hold.
fn sets<'a>(db: &'a Db, keys: &[Key]) -> Result<Vec<Option<&'a Set>>, Error> {
    keys.iter().map(|key| db.read::<Set>(key)).collect()
}

fn answer(call: &mut Call<'_>, make: impl Fn(Vec<Option<&Set>>, usize) -> Set) -> Answer {
    let keys = args::keys(&call.args[1..]);
    let db = call.db();
    Ok(members(make(sets(db, &keys)?, db.limits.set_max_intset_entries).iter()))
}

fn store(
    call: &mut Call<'_>,
    event: &'static str,
    make: impl Fn(Vec<Option<&Set>>, usize) -> Set,
) -> Answer {
    let (keys, to) = (args::keys(&call.args[2..]), call.key(1));
    let db = call.db();
    let result = make(sets(db, &keys)?, db.limits.set_max_intset_entries);
    let len = result.len();
    db.store_result(&to, Value::Set(result), Class::Set, event, keys.contains(&to));
    Ok(Reply::int(len))
}

/// A set of `members`; `most` integers may be an intset.
fn gather<'a>(members: impl Iterator<Item = &'a Bytes>, most: usize) -> Set {
    let mut result = Set::default();
    for member in members {
        result.insert(member.clone(), most);
    }
    result
}

/// The members that all sets have, in the order of the smallest.
fn common(sets: Vec<Option<&Set>>) -> impl Iterator<Item = &Bytes> {
    // What is not there is an empty set, and then so is the result.
    let mut sets = sets.into_iter().collect::<Option<Vec<&Set>>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let mut sets = sets.into_iter();
    let smallest = sets.next();
    let others: Vec<&Set> = sets.collect();
    let everywhere = move |member: &&Bytes| others.iter().all(|set| set.contains(member));
    smallest.into_iter().flat_map(Set::iter).filter(everywhere)
}

/// The members that any set has.
fn union(sets: Vec<Option<&Set>>, most: usize) -> Set {
    gather(sets.into_iter().flatten().flat_map(Set::iter), most)
}

/// The members that the first set has and no other.
fn difference(sets: Vec<Option<&Set>>, most: usize) -> Set {
    let Some((Some(first), others)) = sets.split_first() else { return Set::default() };
    let others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|other| std::ptr::eq(*first, *other)) {
        return Set::default();
    }
    let by_looking = first.len() * (others.len() + 1) / 2;
    let by_removing = first.len() + others.iter().map(|other| other.len()).sum::<usize>();
    if by_looking <= by_removing {
        let rest = first.iter().filter(|member| !others.iter().any(|set| set.contains(member)));
        return gather(rest, most);
    }
    let mut result = gather(first.iter(), most);
    for member in others.into_iter().flat_map(Set::iter) {
        result.remove(member);
    }
    result
}
