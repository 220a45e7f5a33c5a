//! What Redis 7.0.15 says about its commands in COMMAND INFO, recorded, and where their keys are.
//!
//! The record is `commands.txt`: a line for each command and each part of one, in columns: name,
//! arity, flags, places of keys, categories, hints, and specifications of keys. Remarks are left out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::args::is;
use super::bytes::{Bytes, parse_int};

/// What is recorded about a command.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) arity: i64,
    pub(super) flags: Vec<&'static str>,
    /// First, last, step.
    pub(super) places: [i64; 3],
    /// Of access lists, without `@`.
    pub(super) categories: Vec<&'static str>,
    pub(super) hints: Vec<&'static str>,
    pub(super) keys: Vec<KeySpec>,
}

/// Where some of a command's keys are, and what it does to them.
#[derive(Debug)]
pub(super) struct KeySpec {
    pub(super) flags: Vec<&'static str>,
    pub(super) begin: Begin,
    pub(super) find: Find,
}

/// Where the search begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// At a word, by number.
    Index(i64),
    /// After this word, from a place on; negative: from the end, backwards.
    Keyword(&'static str, i64),
    /// It cannot be told.
    Unknown,
}

/// Which words from there are keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum Find {
    /// Up to the last (negative: from the end), by steps, of which part (0 and 1: all).
    Range { last: i64, step: i64, limit: i64 },
    /// As many as a word says: its place, the first key's, the step.
    Count { at: i64, first: i64, step: i64 },
    /// It cannot be told.
    Unknown,
}

static FACTS: LazyLock<BTreeMap<&'static str, Facts>> =
    LazyLock::new(|| include_str!("commands.txt").lines().map(read).collect());

/// What is recorded about a command, by its whole name: `get`, `config|get`.
pub(super) fn of(name: &str) -> Option<&'static Facts> {
    FACTS.get(name)
}

/// The categories of access lists, in their order.
pub(super) const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

fn number(text: &str) -> i64 {
    text.parse().expect("the record has a number here")
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split_whitespace().collect()
}

fn read(line: &'static str) -> (&'static str, Facts) {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, arity, flags, places, categories, hints, keys] = columns[..] else {
        panic!("a line of the record has seven columns: {line}")
    };
    let places: Vec<i64> = places.split(' ').map(number).collect();
    let keys = keys.split('|').filter(|spec| !spec.is_empty()).map(key_spec);
    let facts = Facts {
        arity: number(arity),
        flags: words(flags),
        places: places.try_into().expect("three numbers"),
        categories: words(categories),
        hints: words(hints),
        keys: keys.collect(),
    };
    (name, facts)
}

fn key_spec(text: &'static str) -> KeySpec {
    let parts: Vec<&str> = text.split('>').collect();
    let [flags, begin, find] = parts[..] else { panic!("a key has three parts: {text}") };
    let begin = match words(begin)[..] {
        ["index", at] => Begin::Index(number(at)),
        ["keyword", word, from] => Begin::Keyword(word, number(from)),
        _ => Begin::Unknown,
    };
    let find = match words(find)[..] {
        ["range", last, step, limit] => {
            Find::Range { last: number(last), step: number(step), limit: number(limit) }
        }
        ["keynum", at, first, step] => {
            Find::Count { at: number(at), first: number(first), step: number(step) }
        }
        _ => Find::Unknown,
    };
    KeySpec { flags: words(flags), begin, find }
}

impl KeySpec {
    /// The places of the keys in a command; `None`: they are not where they should be.
    pub(super) fn places(&self, args: &[Bytes]) -> Option<Vec<usize>> {
        let words = i64::try_from(args.len()).ok()?;
        let begin = match self.begin {
            Begin::Index(at) => at,
            Begin::Keyword(word, from) => match keyword(args, word, from) {
                Some(at) => i64::try_from(at).ok()? + 1,
                None => return Some(Vec::new()),
            },
            Begin::Unknown => return Some(Vec::new()),
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let last = match last {
                    0.. => begin + last,
                    _ if limit > 1 => begin + (words - begin) / limit + last,
                    _ => words + last,
                };
                (begin, last, step)
            }
            Find::Count { at, first, step } => {
                let count = args.get(usize::try_from(begin + at).ok()?)?;
                let count = parse_int(count).filter(|count| *count > 0)?;
                let first = begin + first;
                (first, first.checked_add(count.checked_sub(1)?.checked_mul(step)?)?, step)
            }
            Find::Unknown => return Some(Vec::new()),
        };
        if last >= words || first < 1 {
            return None;
        }
        let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
        let all = usize::try_from(first).ok()?..=usize::try_from(last).unwrap_or_default();
        Some(all.step_by(step).collect())
    }
}

/// Where a word stands, from a place on; negative: backwards, from so far before the end.
fn keyword(args: &[Bytes], word: &str, from: i64) -> Option<usize> {
    let found = |at: &usize| is(&args[*at], word);
    match usize::try_from(from) {
        Ok(from) => (from..args.len()).find(found),
        Err(_) => {
            let last = args.len().checked_sub(usize::try_from(-from).ok()?)?;
            (1..=last).rev().find(found)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn the_table_of_commands_is_the_record() {
        const NAMES: [(&str, u32); 16] = [
            ("write", table::flag::WRITE),
            ("readonly", table::flag::READONLY),
            ("denyoom", table::flag::DENYOOM),
            ("admin", table::flag::ADMIN),
            ("pubsub", table::flag::PUBSUB),
            ("noscript", table::flag::NOSCRIPT),
            ("blocking", table::flag::BLOCKING),
            ("loading", table::flag::LOADING),
            ("stale", table::flag::STALE),
            ("fast", table::flag::FAST),
            ("no_auth", table::flag::NO_AUTH),
            ("no_multi", table::flag::NO_MULTI),
            ("movablekeys", table::flag::MOVABLEKEYS),
            ("skip_monitor", table::flag::SKIP_MONITOR),
            ("skip_slowlog", table::flag::SKIP_SLOWLOG),
            ("allow_busy", table::flag::ALLOW_BUSY),
        ];
        let mut wrong = Vec::new();
        for known in table::all() {
            let (spec, name) = (known.spec, &known.name);
            let Some(facts) = of(name) else {
                wrong.push(format!("{name}: not in the record"));
                continue;
            };
            let (first, last, step) = spec.keys;
            let place = (i64::from(spec.arity), [first, last, step].map(i64::from));
            if place != (facts.arity, facts.places) {
                wrong.push(format!("{name}: {place:?}"));
            }
            for (flag, bit) in NAMES {
                if spec.is(bit) != facts.flags.contains(&flag) {
                    wrong.push(format!("{name}: {flag}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn keys_are_found_where_they_are() {
        let places = |text: &str| {
            let args: Vec<Bytes> = text.split(' ').map(Bytes::from).collect();
            let facts = of(&text[..text.find(' ').expect("it has arguments")]).expect("recorded");
            facts.keys.iter().map(|key| key.places(&args)).collect::<Option<Vec<_>>>()
        };
        assert_eq!(places("get a"), Some(vec![vec![1]]));
        assert_eq!(places("mset a 1 b 2"), Some(vec![vec![1, 3]]));
        assert_eq!(places("zunionstore d 2 a b"), Some(vec![vec![1], vec![3, 4]]));
        assert_eq!(places("zunionstore d 3 a b"), None);
        assert_eq!(places("xread count 1 streams a b 0 0"), Some(vec![vec![4, 5]]));
        assert_eq!(places("eval x 0"), None);
    }
}
