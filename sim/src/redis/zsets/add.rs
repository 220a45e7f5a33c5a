//! ZADD and ZINCRBY.

use super::super::args;
use super::super::bytes::{Bytes, Key};
use super::super::db::{Class, Db};
use super::super::error::Error;
use super::super::reply::Reply;
use super::super::server::{Answer, Call};
use super::super::value::Small;
use super::super::zset::{Inserted, Zset};

/// The options of ZADD.
#[derive(Clone, Copy, Default, Debug)]
struct Options {
    /// NX: new members only.
    new: bool,
    /// XX: members that are there only.
    there: bool,
    /// GT: a score becomes greater only.
    greater: bool,
    /// LT: a score becomes less only.
    less: bool,
    /// CH: the answer counts changed scores, too.
    changed: bool,
    /// INCR: what is given is added to the score.
    increment: bool,
}

impl Options {
    /// Reads the options; the rest are scores with members.
    fn read(words: &[Bytes]) -> Result<(Options, &[[Bytes; 2]]), Error> {
        let mut options = Options::default();
        let mut rest = words;
        while let [word, after @ ..] = rest {
            // Mostly it is a score already.
            let Some(option) = word.first().filter(|byte| byte.is_ascii_alphabetic()) else {
                break;
            };
            match option.to_ascii_lowercase() {
                b'n' if args::is(word, "nx") => options.new = true,
                b'x' if args::is(word, "xx") => options.there = true,
                b'c' if args::is(word, "ch") => options.changed = true,
                b'i' if args::is(word, "incr") => options.increment = true,
                b'g' if args::is(word, "gt") => options.greater = true,
                b'l' if args::is(word, "lt") => options.less = true,
                _ => break,
            }
            rest = after;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        if pairs.is_empty() || !odd.is_empty() {
            return Err(Error::Syntax);
        }
        options.check(pairs.len())?;
        Ok((options, pairs))
    }

    fn check(self, pairs: usize) -> Result<(), Error> {
        let Options { new, there, greater, less, increment, .. } = self;
        Err(Error::Text(if new && there {
            "ERR XX and NX options at the same time are not compatible"
        } else if [new, greater, less].map(u8::from).iter().sum::<u8>() > 1 {
            "ERR GT, LT, and/or NX options at the same time are not compatible"
        } else if increment && pairs > 1 {
            "ERR INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        }))
    }
}

/// What became of the members.
#[derive(Clone, Copy, Default, Debug)]
struct Outcome {
    added: usize,
    updated: usize,
    /// The score of the last member, unless an option kept it as it was.
    score: Option<f64>,
}

/// ZADD.
pub(super) fn zadd(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let (options, pairs) = Options::read(&args[2..])?;
    let outcome = match pairs {
        [[score, member]] => {
            let score = args::float(score)?;
            call.db().zadd_with(&key, options, [(member, score)].into_iter())?
        }
        _ => {
            let read = |[score, member]: &[Bytes; 2]| Ok((member.clone(), args::float(score)?));
            let elements = pairs.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
            let elements = elements.iter().map(|(member, score)| (member, *score));
            call.db().zadd_with(&key, options, elements)?
        }
    };
    Ok(match options {
        Options { increment: true, .. } => outcome.score.map_or(Reply::Nil, Reply::Double),
        Options { changed: true, .. } => Reply::int(outcome.added + outcome.updated),
        _ => Reply::int(outcome.added),
    })
}

/// ZINCRBY.
pub(super) fn zincrby(call: &mut Call<'_>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let by = args::float(&args[2])?;
    let options = Options { increment: true, ..Options::default() };
    let outcome = call.db().zadd_with(&key, options, [(&args[3], by)].into_iter())?;
    Ok(outcome.score.map_or(Reply::Nil, Reply::Double))
}

impl Db {
    /// ZADD with options. No score is NaN.
    fn zadd_with<'a>(
        &mut self,
        key: &Key,
        options: Options,
        elements: impl Iterator<Item = (&'a Bytes, f64)>,
    ) -> Result<Outcome, Error> {
        let small = self.limits.zset();
        let add = |zset: &mut Zset, dirty: &mut u64| {
            let mut outcome = Outcome::default();
            for (member, score) in elements {
                outcome.score = put(zset, member, score, options, small, &mut outcome)?;
            }
            *dirty += (outcome.added + outcome.updated) as u64;
            Ok(outcome)
        };
        let outcome = if options.there {
            self.modify(key, add)?.unwrap_or(Ok(Outcome::default()))?
        } else {
            self.upsert(key, add)??
        };
        if outcome.added + outcome.updated > 0 {
            let event = if options.increment { "zincr" } else { "zadd" };
            self.notify(Class::Zset, event, key);
        }
        Ok(outcome)
    }
}

/// Sets the score of one member as the options have it (t_zset.c `zsetAdd`); its score, unless they
/// keep it as it was.
fn put(
    zset: &mut Zset,
    member: &Bytes,
    mut score: f64,
    options: Options,
    small: Small,
    outcome: &mut Outcome,
) -> Result<Option<f64>, Error> {
    let Options { new, there, greater, less, increment, .. } = options;
    if new || there || greater || less || increment {
        match zset.score(member) {
            None if there => return Ok(None),
            None => {}
            Some(_) if new => return Ok(None),
            Some(old) => {
                if increment {
                    score += old;
                }
                if score.is_nan() {
                    return Err(Error::Text("ERR resulting score is not a number (NaN)"));
                }
                if (less && score >= old) || (greater && score <= old) {
                    return Ok(None);
                }
            }
        }
    }
    match zset.insert(member.clone(), score, small) {
        Inserted::Added => outcome.added += 1,
        Inserted::Updated => outcome.updated += 1,
        Inserted::Unchanged => {}
    }
    Ok(Some(score))
}
