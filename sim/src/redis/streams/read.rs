//! XREAD and XREADGROUP: reading on from where one was, and waiting for more.

use std::rc::Rc;

use super::{entries, entry, id, strict_id};
use crate::redis::ClientId;
use crate::redis::args;
use crate::redis::blocked::Serve;
use crate::redis::bytes::{Bytes, Key, parse_int};
use crate::redis::db::{Class, Db};
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call, Origin, Server};
use crate::redis::stream::StreamId;
use crate::redis::value::Value;

/// How many entries a client gets that had to wait and gave no COUNT.
const COUNT_AFTER_WAITING: usize = 1000;

/// `GROUP group consumer`.
#[derive(Clone)]
struct Member {
    group: Bytes,
    consumer: Bytes,
    noack: bool,
}

/// The options of XREAD and XREADGROUP.
#[derive(Default)]
struct Options<'a> {
    /// `None`: the client does not wait.
    timeout_ms: Option<u64>,
    /// 0: all.
    count: usize,
    group: Option<(&'a Bytes, &'a Bytes)>,
    noack: bool,
    /// Keys, then as many ids.
    streams: &'a [Bytes],
}

/// XREAD.
pub(super) fn xread(call: &mut Call<'_>) -> Answer {
    read(call, false)
}

/// XREADGROUP.
pub(super) fn xreadgroup(call: &mut Call<'_>) -> Answer {
    read(call, true)
}

/// Reads the arguments.
fn options<'a>(call: &Call<'a>, grouped: bool) -> Result<Options<'a>, Error> {
    let (args, now) = (call.args, call.server.now.ms());
    let mut options = Options::default();
    let (mut at, mut found) = (1, false);
    while at < args.len() {
        let (option, more) = (&args[at], args.len() - 1 - at);
        if args::is(option, "block") && more > 0 {
            if call.origin == Origin::Script {
                let name = String::from_utf8_lossy(&args[0]);
                return Err(Error::line(format!(
                    "ERR {name} command is not allowed with BLOCK option from scripts"
                )));
            }
            at += 1;
            options.timeout_ms = Some(timeout(&args[at], now)?);
        } else if args::is(option, "count") && more > 0 {
            at += 1;
            options.count = usize::try_from(args::int(&args[at])?).unwrap_or(0);
        } else if args::is(option, "streams") && more > 0 {
            options.streams = &args[at + 1..];
            found = true;
            break;
        } else if args::is(option, "group") && more > 1 {
            if !grouped {
                return Err(Error::Text(
                    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                ));
            }
            options.group = Some((&args[at + 1], &args[at + 2]));
            at += 2;
        } else if args::is(option, "noack") {
            if !grouped {
                return Err(Error::Text(
                    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                ));
            }
            options.noack = true;
        } else {
            return Err(Error::Syntax);
        }
        at += 1;
    }
    if found && options.streams.len() % 2 == 1 {
        return Err(Error::Text(
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        ));
    }
    if !found {
        return Err(Error::Syntax);
    }
    if grouped && options.group.is_none() {
        return Err(Error::Text("ERR Missing GROUP option for XREADGROUP"));
    }
    Ok(options)
}

/// A timeout in whole milliseconds.
fn timeout(text: &[u8], now: i64) -> Result<u64, Error> {
    let ms = parse_int(text).ok_or(Error::Text("ERR timeout is not an integer or out of range"))?;
    if ms > i64::MAX - now {
        return Err(Error::Text("ERR timeout is out of range"));
    }
    u64::try_from(ms).map_err(|_| Error::Text("ERR timeout is negative"))
}

/// Where to read on in a stream: behind this id, which for `>` is the largest there is.
fn position(db: &Db, key: &Key, text: &Bytes, group: Option<&Bytes>) -> Result<StreamId, Error> {
    let stream = db.stream(key)?;
    if let Some(group) = group
        && !stream.is_some_and(|stream| stream.groups.contains_key(group))
    {
        return Err(no_group(key, group, " in XREADGROUP with GROUP option"));
    }
    match (text.as_bytes(), group) {
        (b"$", None) => Ok(stream.map_or(StreamId::MIN, |stream| stream.last_id())),
        (b"$", Some(_)) => Err(Error::Text(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history \
             of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ \
             ID would just return an empty result set.",
        )),
        (b">", None) => Err(Error::Text(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        )),
        (b">", Some(_)) => Ok(StreamId::MAX),
        (text, _) => strict_id(text),
    }
}

/// That there is no such group.
pub(super) fn no_group(key: &Key, group: &Bytes, rest: &str) -> Error {
    let shown = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).replace(['\r', '\n'], " ")
    };
    let (key, group) = (shown(key.as_bytes()), shown(group));
    Error::line(format!("NOGROUP No such key '{key}' or consumer group '{group}'{rest}"))
}

/// XREAD or XREADGROUP.
fn read(call: &mut Call<'_>, grouped: bool) -> Answer {
    let options = options(call, grouped)?;
    let (names, texts) = options.streams.split_at(options.streams.len() / 2);
    let keys = args::keys(names);
    let member = options.group.map(|(group, consumer)| Member {
        group: group.clone(),
        consumer: consumer.clone(),
        noack: options.noack,
    });
    let group = options.group.map(|(group, _)| group);
    let db = call.db();
    let positions = keys.iter().zip(texts).map(|(key, text)| position(db, key, text, group));
    let positions: Vec<StreamId> = positions.collect::<Result<_, _>>()?;

    let most = if options.count == 0 { usize::MAX } else { options.count };
    let mut found = Vec::new();
    for (key, after) in keys.iter().zip(&positions) {
        let read = match &member {
            None => news(db, key, *after, most),
            Some(member) => read_as(db, member, key, *after, most),
        };
        if let Some(read) = read {
            found.push((Reply::Bulk(key.bytes().clone()), read));
        }
    }
    if !found.is_empty() {
        return Ok(streams(found, call.resp3()));
    }
    let Some(timeout_ms) = options.timeout_ms else { return Ok(Reply::NilArray) };
    let waiting = keys.iter().cloned().zip(positions).collect();
    let most = if options.count == 0 { COUNT_AFTER_WAITING } else { options.count };
    call.block(keys, timeout_ms, Rc::new(Waiting { positions: waiting, member, most }))
}

/// What was read, by stream.
fn streams(found: Vec<(Reply, Reply)>, resp3: bool) -> Reply {
    if resp3 {
        return Reply::Map(found);
    }
    Reply::Array(found.into_iter().map(|(name, read)| Reply::Array(vec![name, read])).collect())
}

/// The entries behind `after`, if there are any.
fn news(db: &Db, key: &Key, after: StreamId, most: usize) -> Option<Reply> {
    let stream = db.stream(key).ok()??;
    if stream.top()? <= after {
        return None;
    }
    Some(entries(stream.between(after.next()?, StreamId::MAX).take(most)))
}

/// What a member of a group gets: new entries, or those it was given before.
fn read_as(db: &mut Db, member: &Member, key: &Key, after: StreamId, most: usize) -> Option<Reply> {
    if after == StreamId::MAX {
        let stream = db.stream(key).ok()??;
        let last = stream.groups.get(&member.group)?.last_id;
        if stream.top()? <= last {
            return None;
        }
        let read = give_news(db, member, key, most);
        db.dirty += 1;
        return read;
    }
    see(db, member, key);
    db.dirty += 1;
    history(db, member, key, after, most)
}

/// The consumer of a group asks for something; a new one is made.
fn see(db: &mut Db, member: &Member, key: &Key) {
    let now = db.now_ms;
    let Ok(Some(stream)) = db.stream_mut(key) else { return };
    let Some(group) = stream.groups.get_mut(&member.group) else { return };
    if group.see(&member.consumer, now) {
        db.dirty += 1;
        db.notify(Class::Stream, "xgroup-createconsumer", key);
    }
}

/// Gives the consumer what is new to its group, which may be nothing.
fn give_news(db: &mut Db, member: &Member, key: &Key, most: usize) -> Option<Reply> {
    see(db, member, key);
    let now = db.now_ms;
    let stream = db.stream_mut(key).ok()??;
    let after = stream.groups.get(&member.group)?.last_id;
    let mut ids = Vec::new();
    let mut read = Vec::new();
    if let Some(start) = after.next() {
        for found in stream.between(start, StreamId::MAX).take(most) {
            ids.push(found.id);
            read.push(entry(found));
        }
    }
    let marks = stream.marks();
    let group = stream.groups.get_mut(&member.group)?;
    for id in ids {
        group.pass(id, &marks);
        if !member.noack {
            group.give(id, &member.consumer, now, 1);
        }
    }
    Some(Reply::Array(read))
}

/// Gives the consumer again what it was given and has not acknowledged.
fn history(db: &mut Db, member: &Member, key: &Key, after: StreamId, most: usize) -> Option<Reply> {
    let now = db.now_ms;
    let stream = db.stream_mut(key).ok()??;
    let consumer = stream.groups.get(&member.group)?.consumers.get(&member.consumer)?;
    let start = after.next()?;
    let ids: Vec<StreamId> = consumer.pending.range(start..).take(most).copied().collect();
    let mut read = Vec::with_capacity(ids.len());
    for number in ids {
        let Some(found) = stream.get(number).map(entry) else {
            read.push(Reply::Array(vec![id(number), Reply::NilArray]));
            continue;
        };
        read.push(found);
        if let Some(pending) = stream.groups.get_mut(&member.group)?.pending.get_mut(&number) {
            pending.time = now;
            pending.count = pending.count.wrapping_add(1);
        }
    }
    Some(Reply::Array(read))
}

/// What a client of XREAD or XREADGROUP waits for.
struct Waiting {
    positions: Vec<(Key, StreamId)>,
    member: Option<Member>,
    most: usize,
}

impl Serve for Waiting {
    fn wants(&self, value: &Value) -> bool {
        matches!(value, Value::Stream(_))
    }

    fn serve(&self, server: &mut Server, client: ClientId, db: usize, key: &Key) -> Option<Reply> {
        let db = &mut server.dbs[db];
        let stream = db.stream(key).ok()??;
        let after = match &self.member {
            None => self.positions.iter().find(|(name, _)| name == key)?.1,
            Some(member) => match stream.groups.get(&member.group) {
                Some(group) => group.last_id,
                None => {
                    return Some(Reply::Error(Error::Text(
                        "NOGROUP the consumer group this client was blocked on no longer exists",
                    )));
                }
            },
        };
        if stream.last_id() <= after {
            return None;
        }
        let read = match &self.member {
            None => entries(stream.between(after.next()?, StreamId::MAX).take(self.most)),
            Some(member) => give_news(db, member, key, self.most)?,
        };
        let found = vec![(Reply::Bulk(key.bytes().clone()), read)];
        Some(streams(found, server.session(client).resp == 3))
    }

    fn gone(&self) -> Option<Reply> {
        let error = Error::Text("UNBLOCKED the stream key no longer exists");
        self.member.is_some().then_some(Reply::Error(error))
    }
}
