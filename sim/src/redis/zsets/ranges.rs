//! Ranges of a sorted set, by rank, by score and by member: ZRANGE and its older kin, ZRANGESTORE,
//! ZCOUNT, ZLEXCOUNT, ZREMRANGEBY….

use super::super::args;
use super::super::bytes::{Bytes, Key};
use super::super::db::{Class, Db};
use super::super::error::Error;
use super::super::lists::positions;
use super::super::reply::Reply;
use super::super::server::{Answer, Call};
use super::super::value::Value;
use super::super::zset::{Elements, LexBound, ScoreBound, Zset};
use super::{Limit, elements};

const NOT_FLOATS: Error = Error::Text("ERR min or max is not a float");
const NOT_MEMBERS: Error = Error::Text("ERR min or max not valid string range item");

/// How a range is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Rank,
    Score,
    Lex,
}

/// The ends of a range.
#[derive(Clone, Debug)]
enum Range {
    Ranks(i64, i64),
    Scores(ScoreBound, ScoreBound),
    Members(LexBound, LexBound),
}

impl Range {
    /// Reads both ends, the lower one first.
    fn read(by: By, min: &[u8], max: &[u8]) -> Result<Range, Error> {
        Ok(match by {
            By::Rank => Range::Ranks(args::int(min)?, args::int(max)?),
            By::Score => {
                let (min, max) = (score_bound(min), score_bound(max));
                Range::Scores(min.ok_or(NOT_FLOATS)?, max.ok_or(NOT_FLOATS)?)
            }
            By::Lex => {
                let (min, max) = (lex_bound(min), lex_bound(max));
                Range::Members(min.ok_or(NOT_MEMBERS)?, max.ok_or(NOT_MEMBERS)?)
            }
        })
    }

    fn of<'a>(&self, zset: &'a Zset, descending: bool) -> Elements<'a> {
        match self {
            Range::Ranks(start, stop) => {
                let len = zset.len();
                let ranks = positions(*start, *stop, len);
                match descending {
                    true => zset.by_rank_rev(len - ranks.end.min(len), len - ranks.start.min(len)),
                    false => zset.by_rank(ranks.start, ranks.end),
                }
            }
            Range::Scores(min, max) if descending => zset.by_score_rev(*min, *max),
            Range::Scores(min, max) => zset.by_score(*min, *max),
            Range::Members(min, max) => zset.by_lex(min, max, descending),
        }
    }
}

/// One end of a range of scores, as C's `strtod` reads it: an empty text is 0, space before a number
/// does not matter, and what overflows is infinite.
fn score_bound(text: &[u8]) -> Option<ScoreBound> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let (open, text) = match text {
        [b'(', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let number = match text.iter().position(|byte| !is_space(byte)) {
        None if text.is_empty() => 0.0,
        None => return None,
        Some(start) => {
            let text = &text[start..];
            args::parse_float(text).or_else(|| beyond(text))?
        }
    };
    let bound = if open { ScoreBound::Excl(number) } else { ScoreBound::Incl(number) };
    (!number.is_nan()).then_some(bound)
}

/// A decimal number that no `f64` is near to.
fn beyond(text: &[u8]) -> Option<f64> {
    let decimal = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    if !text.iter().all(decimal) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// One end of a range of members.
fn lex_bound(text: &[u8]) -> Option<LexBound> {
    match text {
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Least),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Greatest),
        [b'[', member @ ..] => Some(LexBound::Incl(Bytes::from(member))),
        [b'(', member @ ..] => Some(LexBound::Excl(Bytes::from(member))),
        _ => None,
    }
}

/// What ZRANGE and its kin ask for.
struct Query {
    range: Range,
    descending: bool,
    limit: Limit,
    with_scores: bool,
}

/// What a command of the kin leaves open.
#[derive(Clone, Copy)]
struct Grammar {
    by: Option<By>,
    descending: Option<bool>,
    /// ZRANGESTORE has no WITHSCORES.
    with_scores: bool,
}

impl Query {
    /// Reads `min max [option…]` (t_zset.c `zrangeGenericCommand`).
    fn read(words: &[Bytes], grammar: Grammar) -> Result<Query, Error> {
        let Grammar { mut by, mut descending, .. } = grammar;
        let (mut limit, mut with_scores) = (Limit::NONE, false);
        let ([first, second], mut rest) = words.split_first_chunk().ok_or(Error::Syntax)?;
        while let [word, after @ ..] = rest {
            rest = after;
            if grammar.with_scores && args::is(word, "withscores") {
                with_scores = true;
            } else if args::is(word, "limit") && after.len() >= 2 {
                limit = Limit { offset: args::int(&after[0])?, count: args::int(&after[1])? };
                rest = &after[2..];
            } else if descending.is_none() && args::is(word, "rev") {
                descending = Some(true);
            } else if by.is_none() && args::is(word, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && args::is(word, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(Error::Syntax);
            }
        }
        let (by, descending) = (by.unwrap_or(By::Rank), descending.unwrap_or(false));
        if limit.count != -1 && by == By::Rank {
            return Err(Error::Text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(Error::Text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let swap = descending && by != By::Rank;
        let (min, max) = if swap { (second, first) } else { (first, second) };
        let range = Range::read(by, min, max)?;
        let limit = if by == By::Rank { Limit::NONE } else { limit };
        Ok(Query { range, descending, limit, with_scores })
    }

    fn of<'a>(&self, zset: Option<&'a Zset>) -> Elements<'a> {
        zset.map(|zset| self.limit.apply(self.range.of(zset, self.descending))).unwrap_or_default()
    }
}

fn answer(call: &mut Call<'_>, by: Option<By>, descending: Option<bool>) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let query = Query::read(&args[2..], Grammar { by, descending, with_scores: true })?;
    Ok(elements(query.of(call.db().read(&key)?), query.with_scores))
}

/// ZRANGE.
pub(super) fn zrange(call: &mut Call<'_>) -> Answer {
    answer(call, None, None)
}

/// ZREVRANGE.
pub(super) fn zrevrange(call: &mut Call<'_>) -> Answer {
    answer(call, Some(By::Rank), Some(true))
}

/// ZRANGEBYSCORE.
pub(super) fn zrangebyscore(call: &mut Call<'_>) -> Answer {
    answer(call, Some(By::Score), Some(false))
}

/// ZREVRANGEBYSCORE.
pub(super) fn zrevrangebyscore(call: &mut Call<'_>) -> Answer {
    answer(call, Some(By::Score), Some(true))
}

/// ZRANGEBYLEX.
pub(super) fn zrangebylex(call: &mut Call<'_>) -> Answer {
    answer(call, Some(By::Lex), Some(false))
}

/// ZREVRANGEBYLEX.
pub(super) fn zrevrangebylex(call: &mut Call<'_>) -> Answer {
    answer(call, Some(By::Lex), Some(true))
}

/// ZRANGESTORE.
pub(super) fn zrangestore(call: &mut Call<'_>) -> Answer {
    let (args, to, from) = (call.args, call.key(1), call.key(2));
    let grammar = Grammar { by: None, descending: None, with_scores: false };
    let query = Query::read(&args[3..], grammar)?;
    let db = call.db();
    let small = db.limits.zset();
    let mut result = Zset::default();
    let found = query.of(db.read(&from)?);
    // Of a range by rank Redis knows the length before it makes the set.
    if matches!(query.range, Range::Ranks(..)) && found.len() > db.limits.zset_max_listpack_entries
    {
        result.enlarge();
    }
    for (member, score) in found {
        result.insert(member.clone(), score, small);
    }
    let len = result.len();
    db.store_result(&to, Value::Zset(result), Class::Zset, "zrangestore", from == to);
    Ok(Reply::int(len))
}

/// ZCOUNT.
pub(super) fn zcount(call: &mut Call<'_>) -> Answer {
    count(call, By::Score)
}

/// ZLEXCOUNT.
pub(super) fn zlexcount(call: &mut Call<'_>) -> Answer {
    count(call, By::Lex)
}

fn count(call: &mut Call<'_>, by: By) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let range = Range::read(by, &args[2], &args[3])?;
    let zset = call.db().read::<Zset>(&key)?;
    Ok(Reply::int(zset.map_or(0, |zset| range.of(zset, false).len())))
}

/// ZREMRANGEBYRANK.
pub(super) fn zremrangebyrank(call: &mut Call<'_>) -> Answer {
    remove(call, By::Rank)
}

/// ZREMRANGEBYSCORE.
pub(super) fn zremrangebyscore(call: &mut Call<'_>) -> Answer {
    remove(call, By::Score)
}

/// ZREMRANGEBYLEX.
pub(super) fn zremrangebylex(call: &mut Call<'_>) -> Answer {
    remove(call, By::Lex)
}

fn remove(call: &mut Call<'_>, by: By) -> Answer {
    let (args, key) = (call.args, call.key(1));
    let range = Range::read(by, &args[2], &args[3])?;
    let db = call.db();
    Ok(Reply::int(match range {
        Range::Ranks(start, stop) => db.zremrangebyrank(&key, start, stop)?,
        Range::Scores(min, max) => db.zremrangebyscore(&key, min, max)?,
        Range::Members(min, max) => db.zremrangebylex(&key, &min, &max)?,
    }))
}

impl Db {
    /// ZREMRANGEBYLEX: removes the elements with a member from `min` to `max`; how many.
    fn zremrangebylex(
        &mut self,
        key: &Key,
        min: &LexBound,
        max: &LexBound,
    ) -> Result<usize, Error> {
        self.cut(key, "zremrangebylex", |zset| zset.remove_by_lex(min, max))
    }
}
