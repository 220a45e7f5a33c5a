//! The commands on the entries of streams: XADD, XTRIM, XDEL, XSETID, XLEN, XRANGE, XREVRANGE.
//!
//! Those that wait are in `read`, those on groups in `groups`, XINFO in `info`.

mod groups;
mod info;
mod read;

use super::args;
use super::bytes::{Bytes, Key, parse_int};
use super::db::{Class, Db};
use super::error::Error;
use super::met::How;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::stream::{MaxLen, Stream, StreamEntry, StreamId, To, Trim};
use super::table::flag::{BLOCKING, DENYOOM, FAST, MOVABLEKEYS, READONLY, WRITE};
use super::table::{Run, Spec};
use super::value::Limits;

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("xadd", -5, WRITE | DENYOOM | FAST, (1, 1, 1), xadd),
    Spec::new("xtrim", -4, WRITE, (1, 1, 1), xtrim),
    Spec::new("xdel", -3, WRITE | FAST, (1, 1, 1), xdel),
    Spec::new("xsetid", -3, WRITE | DENYOOM | FAST, (1, 1, 1), xsetid),
    Spec::new("xlen", 2, READONLY | FAST, (1, 1, 1), xlen),
    Spec::new("xrange", -4, READONLY, (1, 1, 1), xrange),
    Spec::new("xrevrange", -4, READONLY, (1, 1, 1), xrevrange),
    Spec::new("xread", -4, READONLY | BLOCKING | MOVABLEKEYS, (0, 0, 0), read::xread),
    Spec::new("xreadgroup", -7, WRITE | BLOCKING | MOVABLEKEYS, (0, 0, 0), read::xreadgroup),
    Spec::new("xack", -4, WRITE | FAST, (1, 1, 1), groups::xack),
    Spec::new("xpending", -3, READONLY, (1, 1, 1), groups::xpending),
    Spec::new("xclaim", -6, WRITE | FAST, (1, 1, 1), groups::xclaim),
    Spec::new("xautoclaim", -6, WRITE | FAST, (1, 1, 1), groups::xautoclaim),
    Spec { run: Run::Container(groups::XGROUP), ..Spec::container("xgroup", &[]) },
    Spec { run: Run::Container(info::XINFO), ..Spec::container("xinfo", &[]) },
];

const INVALID_ID: Error = Error::Text("ERR Invalid stream ID specified as stream command argument");

/// The longest id that is looked at.
const LONGEST_ID: usize = 127;

/// A number of 64 bits without a sign, by the rule of `string2ull`: what `strtoull` reads, so that
/// a leading space, `+` and zeros are fine.
fn unsigned(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_int(text) {
        return u64::try_from(number).ok();
    }
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"\x0b").unwrap_or(text);
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// An id, and whether its second number was given and not `*`, which only XADD may say
/// (`streamGenericParseIDOrReply`).
fn parse(text: &[u8], missing_seq: u64, open: bool) -> Option<(StreamId, bool)> {
    if text.len() > LONGEST_ID {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next()?;
    let (ms, seq) = match text.iter().position(|byte| *byte == b'-') {
        None => return Some((StreamId { ms: unsigned(text)?, seq: missing_seq }, true)),
        Some(at) => (unsigned(&text[..at])?, &text[at + 1..]),
    };
    if open && seq == b"*" {
        return Some((StreamId { ms, seq: 0 }, false));
    }
    Some((StreamId { ms, seq: unsigned(seq)? }, true))
}

/// An id that is not `-` or `+`.
pub(super) fn strict_id(text: &[u8]) -> Result<StreamId, Error> {
    parse(text, 0, false).map(|(id, _)| id).ok_or(INVALID_ID)
}

/// An id, `-` or `+`.
pub(super) fn any_id(text: &[u8], missing_seq: u64) -> Result<StreamId, Error> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => parse(text, missing_seq, false).map(|(id, _)| id).ok_or(INVALID_ID),
    }
}

/// The beginning of a range of ids.
pub(super) fn start_id(text: &[u8]) -> Result<StreamId, Error> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = parse(id, 0, false).ok_or(INVALID_ID)?.0;
            id.next().ok_or(Error::Text("ERR invalid start ID for the interval"))
        }
        _ => any_id(text, 0),
    }
}

/// The end of a range of ids.
pub(super) fn end_id(text: &[u8]) -> Result<StreamId, Error> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = parse(id, u64::MAX, false).ok_or(INVALID_ID)?.0;
            id.previous().ok_or(Error::Text("ERR invalid end ID for the interval"))
        }
        _ => any_id(text, u64::MAX),
    }
}

/// Which id an entry is to have.
#[derive(Clone, Copy)]
enum Wanted {
    /// `*`.
    Auto,
    /// `ms-*`.
    Within(u64),
    /// A whole one.
    Given(StreamId),
}

/// The options of XADD and XTRIM.
struct Options {
    trim: Option<Trim>,
    make: bool,
    id: Wanted,
    /// Where the options end: at the id, for XADD.
    at: usize,
}

/// Reads `MAXLEN`, `MINID`, `LIMIT`, and for XADD `NOMKSTREAM` and the id
/// (`streamParseAddOrTrimArgsOrReply`).
fn options(args: &[Bytes], xadd: bool, limits: &Limits) -> Result<Options, Error> {
    let (mut to, mut approx, mut limit) = (None, false, None);
    let (mut make, mut id, mut at) = (true, Wanted::Auto, 2);
    while at < args.len() {
        let (option, more) = (&args[at], args.len() - 1 - at);
        let by_length = args::is(option, "maxlen");
        if xadd && *option == *"*" {
            break;
        } else if more > 0 && (by_length || args::is(option, "minid")) {
            if to.is_some() {
                return Err(Error::Text(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            let sign = &args[at + 1];
            approx = more > 1 && *sign == *"~";
            at += usize::from(approx || (more > 1 && *sign == *"="));
            to = Some(if by_length {
                To::Length(length(&args[at + 1])?)
            } else {
                To::Id(strict_id(&args[at + 1])?)
            });
            at += 1;
        } else if more > 0 && args::is(option, "limit") {
            let number = args::int(&args[at + 1])?;
            let number = usize::try_from(number);
            limit = Some(number.map_err(|_| Error::Text("ERR The LIMIT argument must be >= 0."))?);
            at += 1;
        } else if xadd && args::is(option, "nomkstream") {
            make = false;
        } else if xadd {
            let (given, whole) = parse(option, 0, true).ok_or(INVALID_ID)?;
            id = if whole { Wanted::Given(given) } else { Wanted::Within(given.ms) };
            break;
        } else {
            return Err(Error::Syntax);
        }
        at += 1;
    }
    let trim = to.map(|to| Trim {
        to,
        approx,
        limit: limit.unwrap_or_else(|| Trim::default_limit(approx, limits)),
    });
    if trim.is_none() && limit.is_some_and(|limit| limit > 0) {
        return Err(Error::Text(
            "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        ));
    }
    if trim.is_none() && !xadd {
        return Err(Error::Text("ERR syntax error, XTRIM must be called with a trimming strategy"));
    }
    if limit.is_some() && !approx {
        return Err(Error::Text(
            "ERR syntax error, LIMIT cannot be used without the special ~ option",
        ));
    }
    Ok(Options { trim, make, id, at })
}

fn length(text: &[u8]) -> Result<usize, Error> {
    let number = args::int(text)?;
    usize::try_from(number).map_err(|_| Error::Text("ERR The MAXLEN argument must be >= 0."))
}

/// XADD.
fn xadd(call: &mut Call<'_>) -> Answer {
    let args = call.args;
    let options = options(args, true, &call.db().limits)?;
    let pairs = args.get(options.at + 1..).unwrap_or_default();
    if pairs.len() < 2 || pairs.len() % 2 == 1 {
        return Err(Error::Text("ERR wrong number of arguments for 'xadd' command"));
    }
    if matches!(options.id, Wanted::Given(StreamId::MIN)) {
        return Err(Error::Text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (key, db) = (call.key(1), call.db());
    if !options.make && db.stream(&key)?.is_none() {
        return Ok(Reply::Nil);
    }
    let pairs = pairs.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let id = db.append(&key, options.id, pairs, options.trim)?;
    Ok(Reply::Bulk(id.to_bytes()))
}

/// XTRIM.
fn xtrim(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(1), call.args, call.db());
    let options = options(args, false, &db.limits)?;
    let trim = options.trim.expect("XTRIM without is an error");
    Ok(Reply::int(db.shorten(&key, trim)?))
}

/// XDEL.
fn xdel(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(1), call.args, call.db());
    if db.stream(&key)?.is_none() {
        return Ok(Reply::Int(0));
    }
    let ids: Vec<StreamId> = args[2..].iter().map(|id| strict_id(id)).collect::<Result<_, _>>()?;
    let gone = db.modify(&key, |stream: &mut Box<Stream>, dirty| {
        let gone = ids.into_iter().filter(|id| stream.delete(*id)).count();
        *dirty += gone as u64;
        gone
    })?;
    let gone = gone.unwrap_or(0);
    if gone > 0 {
        db.notify(Class::Stream, "xdel", &key);
    }
    Ok(Reply::int(gone))
}

/// XSETID.
fn xsetid(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(1), call.args, call.db());
    let id = strict_id(&args[2])?;
    let (mut added, mut max_deleted) = (None, StreamId::MIN);
    let mut rest = args[3..].iter();
    while let Some(option) = rest.next() {
        if args::is(option, "entriesadded")
            && let Some(number) = rest.next()
        {
            let number = u64::try_from(args::int(number)?);
            added = Some(number.map_err(|_| Error::Text("ERR entries_added must be positive"))?);
        } else if args::is(option, "maxdeletedid")
            && let Some(text) = rest.next()
        {
            max_deleted = strict_id(text)?;
            if id < max_deleted {
                return Err(Error::Text(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
        } else {
            return Err(Error::Syntax);
        }
    }
    let stream = db.stream_mut(&key)?.ok_or(Error::NoSuchKey)?;
    if stream.top().is_some_and(|top| id < top) {
        return Err(Error::Text(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if added.is_some_and(|added| (stream.len() as u64) > added) {
        return Err(Error::Text(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    stream.last_id = id;
    stream.added = added.unwrap_or(stream.added);
    if max_deleted != StreamId::MIN {
        stream.max_deleted = max_deleted;
    }
    db.dirty += 1;
    db.notify(Class::Stream, "xsetid", &key);
    Ok(Reply::OK)
}

/// XLEN.
fn xlen(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().xlen(&key)?))
}

/// XRANGE.
fn xrange(call: &mut Call<'_>) -> Answer {
    let (start, end) = (start_id(&call.args[2])?, end_id(&call.args[3])?);
    range(call, |stream, most| entries(stream.between(start, end).take(most)))
}

/// XREVRANGE.
fn xrevrange(call: &mut Call<'_>) -> Answer {
    let (start, end) = (start_id(&call.args[3])?, end_id(&call.args[2])?);
    range(call, |stream, most| entries(stream.between(start, end).rev().take(most)))
}

/// Reads `COUNT`, and answers with so many entries.
fn range(call: &mut Call<'_>, select: impl FnOnce(&Stream, usize) -> Reply) -> Answer {
    let mut count = None;
    let mut options = call.args[4..].iter();
    while let Some(option) = options.next() {
        match options.next() {
            Some(number) if args::is(option, "count") => {
                count = Some(usize::try_from(args::int(number)?).unwrap_or(0));
            }
            _ => return Err(Error::Syntax),
        }
    }
    let key = call.key(1);
    let Some(stream) = call.db().stream(&key)? else { return Ok(Reply::Array(Vec::new())) };
    if count == Some(0) {
        return Ok(Reply::NilArray);
    }
    Ok(select(stream, count.unwrap_or(usize::MAX)))
}

/// An entry: its id, and its fields with their values.
pub(super) fn entry(entry: &StreamEntry) -> Reply {
    let words = entry.pairs.iter().flat_map(|(field, value)| [field, value]);
    Reply::Array(vec![id(entry.id), Reply::bulks(words)])
}

/// Entries.
pub(super) fn entries<'a>(selected: impl Iterator<Item = &'a StreamEntry>) -> Reply {
    Reply::Array(selected.map(entry).collect())
}

/// An id.
pub(super) fn id(id: StreamId) -> Reply {
    Reply::Bulk(id.to_bytes())
}

impl Db {
    /// XADD with `*`: appends an entry, then trims if told to; the new entry's id.
    ///
    /// Ids increase even when the clock steps back.
    pub fn xadd(
        &mut self,
        key: &Key,
        pairs: Vec<(Bytes, Bytes)>,
        maxlen: Option<MaxLen>,
    ) -> Result<StreamId, Error> {
        let trim = maxlen.map(|to| Trim::max_len(to, &self.limits));
        self.append(key, Wanted::Auto, pairs, trim)
    }

    fn append(
        &mut self,
        key: &Key,
        wanted: Wanted,
        pairs: Vec<(Bytes, Bytes)>,
        trim: Option<Trim>,
    ) -> Result<StreamId, Error> {
        let now = u64::try_from(self.now_ms).unwrap_or(0);
        let limits = self.limits;
        // That ids follow from the order is seen by readers alone.
        self.met.key(key, How::Added);
        let (id, gone) = self.upsert_unseen(key, |stream: &mut Box<Stream>, dirty| {
            let id = chosen(stream, wanted, now)?;
            stream.append(id, pairs, &limits);
            // Trimming within XADD is not counted apart.
            *dirty += 1;
            Ok((id, trim.map_or(0, |trim| stream.trim(trim))))
        })??;
        self.notify(Class::Stream, "xadd", key);
        if gone > 0 {
            self.notify(Class::Stream, "xtrim", key);
        }
        self.signal(key);
        Ok(id)
    }

    /// XTRIM: shortens the stream from its old end; how many entries went. The key stays even if
    /// none is left.
    pub fn xtrim(&mut self, key: &Key, maxlen: MaxLen) -> Result<usize, Error> {
        let trim = Trim::max_len(maxlen, &self.limits);
        self.shorten(key, trim)
    }

    fn shorten(&mut self, key: &Key, trim: Trim) -> Result<usize, Error> {
        let gone = self.modify(key, |stream: &mut Box<Stream>, dirty| {
            let gone = stream.trim(trim);
            *dirty += gone as u64;
            gone
        })?;
        let gone = gone.unwrap_or(0);
        if gone > 0 {
            self.notify(Class::Stream, "xtrim", key);
        }
        Ok(gone)
    }

    /// XLEN: the number of entries.
    pub fn xlen(&self, key: &Key) -> Result<usize, Error> {
        Ok(self.read::<Box<Stream>>(key)?.map_or(0, |stream| stream.len()))
    }

    /// The stream at `key`, for what looks at its entries.
    pub fn stream(&self, key: &Key) -> Result<Option<&Stream>, Error> {
        Ok(self.read::<Box<Stream>>(key)?.map(|stream| &**stream))
    }

    /// The stream at `key`, for a change that those who watch the key do not learn of: all but of
    /// its entries.
    pub(super) fn stream_mut(&mut self, key: &Key) -> Result<Option<&mut Stream>, Error> {
        match self.entry_mut(key).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(super::value::Value::Stream(stream)) => Ok(Some(stream)),
            Some(_) => Err(Error::WrongType),
        }
    }
}

/// The id of the next entry.
fn chosen(stream: &Stream, wanted: Wanted, now: u64) -> Result<StreamId, Error> {
    let last = stream.last_id();
    let exhausted =
        Error::Text("ERR The stream has exhausted the last possible ID, unable to add more items");
    if last == StreamId::MAX {
        return Err(exhausted);
    }
    let id = match wanted {
        Wanted::Auto => stream.next_id(now).ok_or(exhausted)?,
        Wanted::Given(id) => id,
        Wanted::Within(ms) if ms == last.ms => match last.seq.checked_add(1) {
            Some(seq) => StreamId { ms, seq },
            // Redis means another error here, and answers with this one.
            None => return Err(Error::Text("ERR Elements are too large to be stored")),
        },
        Wanted::Within(ms) => StreamId { ms, seq: 0 },
    };
    if id <= last {
        return Err(Error::Text(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xadd_trims_and_xtrim_leaves_the_key() {
        let (mut db, key) = (Db::new(), Key::from("events"));
        db.set_now(1_700_000_000_000);
        let pair = || vec![(Bytes::from("event"), Bytes::from("drained"))];
        for _ in 0..5 {
            db.xadd(&key, pair(), Some(MaxLen::Exact(3))).unwrap();
        }
        assert_eq!((db.xlen(&key), db.dirty()), (Ok(3), 5));
        let last = db.stream(&key).unwrap().map(|stream| stream.last_id().to_string());
        assert_eq!(last.as_deref(), Some("1700000000000-4"));
        assert_eq!(db.xtrim(&key, MaxLen::Exact(0)), Ok(3));
        assert_eq!((db.type_name(&key), db.xlen(&key)), ("stream", Ok(0)));
        assert_eq!(db.incr(&key), Err(Error::WrongType));
    }

    #[test]
    fn ids_are_read_as_strtoull_reads_numbers() {
        let read = |text: &str| strict_id(text.as_bytes()).ok().map(|id| (id.ms, id.seq));
        assert_eq!(read("5"), Some((5, 0)));
        assert_eq!(read(" 5-+07"), Some((5, 7)));
        assert_eq!(read("18446744073709551615-1"), Some((u64::MAX, 1)));
        for wrong in ["", "-", "+", "-1", "5-", "5-*", "5-1-1", "1 ", "18446744073709551616"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        assert_eq!(start_id(b"(5"), Ok(StreamId { ms: 5, seq: 1 }));
        assert_eq!(end_id(b"(5"), Ok(StreamId { ms: 5, seq: u64::MAX - 1 }));
        assert_eq!(end_id(b"5"), Ok(StreamId { ms: 5, seq: u64::MAX }));
    }
}
