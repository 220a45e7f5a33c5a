//! One sorted set of several: ZUNION, ZINTER, ZDIFF, ZINTERCARD and those that store what comes out.
//!
//! A plain set takes part as a sorted set whose scores are all 1.

use std::hash::BuildHasherDefault;

use super::super::args;
use super::super::bytes::{Bytes, FrozenHasher, Key};
use super::super::db::{Class, Db};
use super::super::error::Error;
use super::super::reply::Reply;
use super::super::server::{Answer, Call};
use super::super::set::Set;
use super::super::value::Value;
use super::super::zset::Zset;
use super::elements;

/// How the members of several sets become those of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// How several scores of a member become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            // The infinities of both signs make 0.
            Aggregate::Sum => number(one + other),
            Aggregate::Min if other < one => other,
            Aggregate::Max if other > one => other,
            Aggregate::Min | Aggregate::Max => one,
        }
    }
}

/// 0 in place of NaN.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What one of the keys holds.
#[derive(Clone, Copy)]
enum Held<'a> {
    Nothing,
    Plain(&'a Set),
    Sorted(&'a Zset),
}

impl<'a> Held<'a> {
    fn read(db: &'a Db, key: &Key) -> Result<Held<'a>, Error> {
        match db.entry(key).map(|entry| &entry.value) {
            None => Ok(Held::Nothing),
            Some(Value::Set(set)) => Ok(Held::Plain(set)),
            Some(Value::Zset(zset)) => Ok(Held::Sorted(zset)),
            Some(_) => Err(Error::WrongType),
        }
    }

    fn len(self) -> usize {
        match self {
            Held::Nothing => 0,
            Held::Plain(set) => set.len(),
            Held::Sorted(zset) => zset.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Held::Nothing => None,
            Held::Plain(set) => set.contains(member).then_some(1.0),
            Held::Sorted(zset) => zset.score(member),
        }
    }

    fn iter(self) -> impl Iterator<Item = (&'a Bytes, f64)> {
        let (plain, sorted) = match self {
            Held::Nothing => (None, None),
            Held::Plain(set) => (Some(set.iter()), None),
            Held::Sorted(zset) => (None, Some(zset.iter())),
        };
        let plain = plain.into_iter().flatten().map(|member| (member, 1.0));
        plain.chain(sorted.into_iter().flatten())
    }
}

/// The words of a command of this kind, read, and what its keys hold.
struct Query<'a> {
    /// With the weight of each.
    sources: Vec<(Held<'a>, f64)>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

/// What a command does with its result, and so which options it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Answer,
    Store,
    Count,
}

impl<'a> Query<'a> {
    /// Reads `numkeys key… [option…]` (t_zset.c `zunionInterDiffGenericCommand`).
    fn read(
        db: &'a Db,
        words: &[Bytes],
        name: &str,
        operation: Operation,
        purpose: Use,
    ) -> Result<Query<'a>, Error> {
        let (number, rest) = words.split_first().ok_or(Error::Syntax)?;
        let number = args::int(number)?;
        if number < 1 {
            let line = format!("ERR at least 1 input key is needed for '{name}' command");
            return Err(Error::line(line));
        }
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let (keys, mut rest) = rest.split_at_checked(number).ok_or(Error::Syntax)?;
        let held = |name: &Bytes| Ok((Held::read(db, &Key::from(name.clone()))?, 1.0));
        let sources = keys.iter().map(held).collect::<Result<Vec<_>, Error>>()?;
        let aggregate = Aggregate::Sum;
        let mut query = Query { sources, aggregate, with_scores: false, limit: usize::MAX };
        let weighed = operation != Operation::Diff && purpose != Use::Count;
        while let [word, after @ ..] = rest {
            rest = if weighed && args::is(word, "weights") && after.len() >= number {
                query.weigh(&after[..number])?;
                &after[number..]
            } else if weighed && args::is(word, "aggregate") && !after.is_empty() {
                query.aggregate = aggregate_of(&after[0])?;
                &after[1..]
            } else if purpose == Use::Answer && args::is(word, "withscores") {
                query.with_scores = true;
                after
            } else if purpose == Use::Count && args::is(word, "limit") && !after.is_empty() {
                let limit = args::positive(&after[0], "ERR LIMIT can't be negative")?;
                query.limit = if limit == 0 { usize::MAX } else { limit };
                &after[1..]
            } else {
                return Err(Error::Syntax);
            };
        }
        if operation != Operation::Diff {
            query.sources.sort_by_key(|(held, _)| held.len());
        }
        Ok(query)
    }

    fn weigh(&mut self, weights: &[Bytes]) -> Result<(), Error> {
        for ((_, weight), word) in self.sources.iter_mut().zip(weights) {
            let not_a_float = |_| Error::Text("ERR weight value is not a float");
            *weight = args::float(word).map_err(not_a_float)?;
        }
        Ok(())
    }

    fn union(&self) -> Zset {
        type Sums<'a> = indexmap::IndexMap<&'a Bytes, f64, BuildHasherDefault<FrozenHasher>>;
        let mut sums = Sums::default();
        for (held, weight) in &self.sources {
            for (member, score) in held.iter() {
                let score = number(score * weight);
                let sum = sums.entry(member);
                sum.and_modify(|sum| *sum = self.aggregate.of(*sum, score)).or_insert(score);
            }
        }
        Zset::gathered(sums.into_iter().map(|(member, score)| (member.clone(), score)))
    }

    /// The members that all sources have.
    fn common(&self) -> impl Iterator<Item = (&Bytes, f64)> {
        let ((first, weight), others) = self.sources.split_first().expect("there is a key");
        first.iter().filter_map(move |(member, score)| {
            let score = number(score * weight);
            let sum = others.iter().try_fold(score, |sum, (held, weight)| {
                Some(self.aggregate.of(sum, held.score(member)? * weight))
            });
            Some((member, sum?))
        })
    }

    fn difference(&self) -> Zset {
        let ((first, _), others) = self.sources.split_first().expect("there is a key");
        let nowhere = |(member, _): &(&Bytes, f64)| {
            others.iter().all(|(held, _)| held.score(member).is_none())
        };
        let rest = first.iter().filter(nowhere);
        Zset::gathered(rest.map(|(member, score)| (member.clone(), score)))
    }

    fn result(&self, operation: Operation) -> Zset {
        match operation {
            Operation::Union => self.union(),
            Operation::Diff => self.difference(),
            Operation::Inter => {
                let common = self.common().map(|(member, score)| (member.clone(), score));
                Zset::gathered(common)
            }
        }
    }
}

fn aggregate_of(word: &[u8]) -> Result<Aggregate, Error> {
    let known = [("sum", Aggregate::Sum), ("min", Aggregate::Min), ("max", Aggregate::Max)];
    let found = known.into_iter().find(|(name, _)| args::is(word, name));
    found.map(|(_, aggregate)| aggregate).ok_or(Error::Syntax)
}

fn answer(call: &mut Call<'_>, name: &str, operation: Operation) -> Answer {
    let args = call.args;
    let query = Query::read(call.db(), &args[1..], name, operation, Use::Answer)?;
    Ok(elements(query.result(operation).iter(), query.with_scores))
}

fn store(call: &mut Call<'_>, name: &'static str, operation: Operation) -> Answer {
    let (args, to) = (call.args, call.key(1));
    let db = call.db();
    let query = Query::read(db, &args[2..], name, operation, Use::Store)?;
    let read = args[3..][..query.sources.len()].contains(&args[1]);
    let result = query.result(operation).settled(db.limits.zset());
    let len = result.len();
    db.store_result(&to, Value::Zset(result), Class::Zset, name, read);
    Ok(Reply::int(len))
}

/// ZUNION.
pub(super) fn zunion(call: &mut Call<'_>) -> Answer {
    answer(call, "zunion", Operation::Union)
}

/// ZINTER.
pub(super) fn zinter(call: &mut Call<'_>) -> Answer {
    answer(call, "zinter", Operation::Inter)
}

/// ZDIFF.
pub(super) fn zdiff(call: &mut Call<'_>) -> Answer {
    answer(call, "zdiff", Operation::Diff)
}

/// ZUNIONSTORE.
pub(super) fn zunionstore(call: &mut Call<'_>) -> Answer {
    store(call, "zunionstore", Operation::Union)
}

/// ZINTERSTORE.
pub(super) fn zinterstore(call: &mut Call<'_>) -> Answer {
    store(call, "zinterstore", Operation::Inter)
}

/// ZDIFFSTORE.
pub(super) fn zdiffstore(call: &mut Call<'_>) -> Answer {
    store(call, "zdiffstore", Operation::Diff)
}

/// ZINTERCARD.
pub(super) fn zintercard(call: &mut Call<'_>) -> Answer {
    let args = call.args;
    let query = Query::read(call.db(), &args[1..], "zintercard", Operation::Inter, Use::Count)?;
    Ok(Reply::int(query.common().take(query.limit).count()))
}
