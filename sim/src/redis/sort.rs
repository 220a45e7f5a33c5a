//! SORT and SORT_RO: sorts a list, a set or a sorted set, by the elements or by what other keys
//! hold.

use std::cmp::Ordering;

use super::args;
use super::bytes::{Bytes, Key};
use super::db::{Class, Db};
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call, Origin};
use super::table::Spec;
use super::table::flag::{DENYOOM, MOVABLEKEYS, READONLY, WRITE};
use super::value::{List, Value};

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("sort", -2, WRITE | DENYOOM | MOVABLEKEYS, (1, 1, 1), sort),
    Spec::new("sort_ro", -2, READONLY | MOVABLEKEYS, (1, 1, 1), sort_ro),
];

/// SORT.
fn sort(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    call.db().miss(&key);
    let options = Options::read(&call.args[2..], true)?;
    run(call, options)
}

/// SORT_RO.
fn sort_ro(call: &mut Call<'_>) -> Answer {
    let options = Options::read(&call.args[2..], false)?;
    run(call, options)
}

#[derive(Clone, Debug, Default)]
struct Options<'a> {
    descending: bool,
    alpha: bool,
    /// Offset and count.
    limit: Option<(i64, i64)>,
    store: Option<&'a Bytes>,
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn read(words: &'a [Bytes], may_store: bool) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut rest = words;
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            match after {
                _ if args::is(word, "asc") => options.descending = false,
                _ if args::is(word, "desc") => options.descending = true,
                _ if args::is(word, "alpha") => options.alpha = true,
                [offset, count, after @ ..] if args::is(word, "limit") => {
                    options.limit = Some((args::int(offset)?, args::int(count)?));
                    rest = after;
                }
                [target, after @ ..] if may_store && args::is(word, "store") => {
                    options.store = Some(target);
                    rest = after;
                }
                [pattern, after @ ..] if args::is(word, "by") => {
                    options.by = Some(pattern);
                    rest = after;
                }
                [pattern, after @ ..] if args::is(word, "get") => {
                    options.get.push(pattern);
                    rest = after;
                }
                _ => return Err(Error::Syntax),
            }
        }
        Ok(options)
    }

    /// The places of a sorted sequence that are answered with.
    fn places(&self, len: usize) -> std::ops::Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset).unwrap_or(0).min(len);
        let count = usize::try_from(count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

/// What decides the place of an element.
#[derive(Clone, Debug)]
enum Weight {
    /// What BY found, if it found anything; or the element.
    Text(Option<Bytes>),
    Number(f64),
}

impl Weight {
    /// Numbers that are equal are told apart by the elements, texts that BY found are not.
    fn compare(&self, other: &Weight, elements: (&Bytes, &Bytes)) -> Ordering {
        match (self, other) {
            (Weight::Number(one), Weight::Number(other)) => {
                let order = one.partial_cmp(other).unwrap_or(Ordering::Equal);
                order.then_with(|| elements.0.cmp(elements.1))
            }
            (Weight::Text(one), Weight::Text(other)) => one.cmp(other),
            _ => unreachable!("all weights of a command are of one kind"),
        }
    }
}

fn run(call: &mut Call<'_>, mut options: Options<'_>) -> Answer {
    let (key, in_script) = (call.key(1), call.origin == Origin::Script);
    let db = call.db();
    let constant = options.by.is_some_and(|pattern| !pattern.contains(&b'*'));
    let is_set = matches!(db.entry(&key).map(|entry| &entry.value), Some(Value::Set(_)));
    // A set has no order of its own that may be stored or shown to a script.
    let forced = constant && is_set && (options.store.is_some() || in_script);
    if forced {
        (options.alpha, options.by) = (true, None);
    }
    let unsorted = constant && !forced;
    let mut elements = elements(db, &key)?;
    if let Some(Value::Zset(zset)) = db.entry_mut(&key).map(|entry| &mut entry.value) {
        // Redis walks it as a skip list, and leaves it one.
        zset.enlarge();
    }
    if unsorted && options.descending && !is_set {
        elements.reverse();
    }
    if !unsorted {
        elements = sorted(db, elements, &options)?;
    }
    let chosen = &elements[options.places(elements.len())];
    let found = chosen.iter().flat_map(|element| {
        let patterns: &[&[u8]] = if options.get.is_empty() { &[b"#"] } else { &options.get };
        patterns.iter().map(|pattern| follow(db, pattern, element))
    });
    let Some(target) = options.store else {
        return Ok(Reply::Array(found.map(|found| Reply::bulk(found.as_ref())).collect()));
    };
    let list: List = found.map(Option::unwrap_or_default).collect();
    let target = Key::from(target.clone());
    Ok(store(db, &target, list, target == key))
}

/// The elements of what is to be sorted; there are none of a key that is not there.
fn elements(db: &Db, key: &Key) -> Result<Vec<Bytes>, Error> {
    match db.entry(key).map(|entry| &entry.value) {
        None => Ok(Vec::new()),
        Some(Value::List(list)) => Ok(list.iter().cloned().collect()),
        Some(Value::Set(set)) => Ok(set.iter().cloned().collect()),
        Some(Value::Zset(zset)) => Ok(zset.iter().map(|(member, _)| member.clone()).collect()),
        Some(_) => Err(Error::WrongType),
    }
}

/// Sorts; elements that compare equal keep their order.
fn sorted(db: &Db, elements: Vec<Bytes>, options: &Options<'_>) -> Result<Vec<Bytes>, Error> {
    let weigh = |element: Bytes| {
        let by = match options.by {
            Some(pattern) => follow(db, pattern, &element),
            None => Some(element.clone()),
        };
        let weight = match by {
            by if options.alpha => Weight::Text(by),
            Some(by) => Weight::Number(number(&by)?),
            None => Weight::Number(0.0),
        };
        Ok((weight, element))
    };
    let mut weighed = elements.into_iter().map(weigh).collect::<Result<Vec<_>, Error>>()?;
    weighed.sort_by(|(one, a), (other, b)| {
        let order = one.compare(other, (a, b));
        if options.descending { order.reverse() } else { order }
    });
    Ok(weighed.into_iter().map(|(_, element)| element).collect())
}

/// A weight as C's `strtod` reads it: space may go before it, a zero byte ends it, and no text at
/// all is nought.
fn number(text: &[u8]) -> Result<f64, Error> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !space(byte)).unwrap_or(text.len());
    let number = if text.is_empty() { Some(0.0) } else { args::parse_float(&text[start..]) };
    let otherwise = "ERR One or more scores can't be converted into double";
    number.filter(|number| !number.is_nan()).ok_or(Error::Text(otherwise))
}

/// What a pattern leads to from an element: the element itself (`#`); the string at the key that
/// the pattern is with the element in place of its first star; or, with `->`, a field of a hash.
fn follow(db: &Db, pattern: &[u8], element: &Bytes) -> Option<Bytes> {
    if pattern == b"#" {
        return Some(element.clone());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (before, after) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = after.windows(2).position(|pair| pair == b"->");
    let arrow = arrow.filter(|at| at + 2 < after.len());
    let (after, field) = match arrow {
        Some(at) => (&after[..at], Some(&after[at + 2..])),
        None => (after, None),
    };
    let key = Key::from([before, element, after].concat().as_slice());
    match (&db.entry(&key)?.value, field) {
        (Value::String(text), None) => Some(text.clone()),
        (Value::Hash(hash), Some(field)) => hash.get(field).cloned(),
        _ => None,
    }
}

/// Keeps the result as a list; its length.
fn store(db: &mut Db, target: &Key, list: List, read: bool) -> Reply {
    let length = list.len();
    if list.is_empty() {
        db.discard(target, read);
    } else {
        db.set_key(target, Value::List(list));
        db.dirty += length as u64;
        db.notify(Class::List, "sortstore", target);
    }
    Reply::int(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_clipped() {
        let places = |limit| Options { limit, ..Options::default() }.places(5);
        assert_eq!((places(None), places(Some((1, 2)))), (0..5, 1..3));
        assert_eq!((places(Some((-3, 9))), places(Some((4, -1)))), (0..5, 4..5));
        assert!(places(Some((9, 2))).is_empty() && places(Some((0, 0))).is_empty());
    }

    #[test]
    fn weights_are_read_as_strtod_reads_them() {
        assert_eq!((number(b" 5"), number(b""), number(b"1e2")), (Ok(5.0), Ok(0.0), Ok(100.0)));
        assert_eq!((number(b"\x0b2"), number(b"3\0x"), number(b"\0")), (Ok(2.0), Ok(3.0), Ok(0.0)));
        assert!(number(b"5 ").is_err() && number(b" ").is_err() && number(b"nan").is_err());
    }

    #[test]
    fn patterns_lead_to_strings_and_fields() {
        let mut db = Db::new();
        db.put(&Key::from("w_1"), Bytes::from("x"), None);
        db.hset(&Key::from("h_1"), Bytes::from("f"), Bytes::from("y")).expect("a hash");
        let one = Bytes::from("1");
        let found = |pattern: &str| follow(&db, pattern.as_bytes(), &one);
        assert_eq!((found("#"), found("w_*")), (Some("1".into()), Some("x".into())));
        assert_eq!(
            (found("h_*->f"), found("h_*->g"), found("h_*")),
            (Some("y".into()), None, None)
        );
        assert_eq!((found("w_1"), found("w_*->f"), found("h_*->")), (None, None, None));
    }
}
