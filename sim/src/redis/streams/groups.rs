//! The commands on consumer groups: XGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM.

use super::read::no_group;
use super::{any_id, end_id, entry, id, start_id, strict_id};
use crate::redis::args;
use crate::redis::bytes::{Bytes, Key, parse_int};
use crate::redis::db::{Class, Db, Entry};
use crate::redis::error::Error;
use crate::redis::groups::{Group, Pending};
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};
use crate::redis::stream::{Stream, StreamId};
use crate::redis::table::Spec;
use crate::redis::table::flag::{DENYOOM, LOADING, STALE, WRITE};
use crate::redis::value::Kind;

pub(super) const XGROUP: &[Spec] = &[
    Spec::new("create", -5, WRITE | DENYOOM, (2, 2, 1), create),
    Spec::new("setid", -5, WRITE, (2, 2, 1), setid),
    Spec::new("destroy", 4, WRITE, (2, 2, 1), destroy),
    Spec::new("createconsumer", 5, WRITE | DENYOOM, (2, 2, 1), create_consumer),
    Spec::new("delconsumer", 5, WRITE, (2, 2, 1), delete_consumer),
    Spec::new("help", 2, LOADING | STALE, (0, 0, 0), help),
];

/// What XGROUP HELP answers.
const HELP: [&str; 17] = [
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Prints this help.",
];

/// XGROUP HELP.
fn help(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Array(HELP.map(Reply::Status).into()))
}

/// That a command of two words was not understood.
pub(super) fn wrong(args: &[Bytes]) -> Error {
    let container = String::from_utf8_lossy(&args[0]).to_uppercase();
    let word = String::from_utf8_lossy(&args[1][..args[1].len().min(128)]).into_owned();
    Error::line(format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
    ))
}

/// That a stream has no group of this name.
pub(super) fn no_such(group: &Bytes, key: &Key) -> Error {
    let line = format!("NOGROUP No such consumer group '{group}' for key name '{key}'");
    Error::line(line.replace(['\r', '\n'], " "))
}

/// The options of XGROUP CREATE and XGROUP SETID.
#[derive(Default)]
struct Options {
    make: bool,
    read: Option<i64>,
}

fn options(args: &[Bytes], creates: bool) -> Result<Options, Error> {
    let mut options = Options::default();
    let mut rest = args[5..].iter();
    while let Some(option) = rest.next() {
        if creates && args::is(option, "mkstream") {
            options.make = true;
        } else if args::is(option, "entriesread")
            && let Some(number) = rest.next()
        {
            let number = args::int(number)?;
            if number < -1 {
                return Err(Error::Text("ERR value for ENTRIESREAD must be positive or -1"));
            }
            options.read = (number != -1).then_some(number);
        } else {
            return Err(wrong(args));
        }
    }
    Ok(options)
}

/// The stream of an XGROUP that needs one.
fn existing<'a>(db: &'a mut Db, key: &Key) -> Result<&'a mut Stream, Error> {
    db.stream_mut(key)?.ok_or(Error::Text(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to \
         use the MKSTREAM option to create an empty stream automatically.",
    ))
}

/// The group of an XGROUP that needs one.
fn group<'a>(db: &'a mut Db, key: &Key, name: &Bytes) -> Result<&'a mut Group, Error> {
    existing(db, key)?.groups.get_mut(name).ok_or_else(|| no_such(name, key))
}

/// XGROUP CREATE.
fn create(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(2), call.args, call.db());
    let options = options(args, true)?;
    let stream = db.stream(&key)?;
    if stream.is_none() && !options.make {
        return Err(existing(db, &key).expect_err("it is not there"));
    }
    if args.len() > 8 {
        return Err(wrong(args));
    }
    let last_id = match args[4].as_bytes() {
        b"$" => stream.map_or(StreamId::MIN, Stream::last_id),
        text => strict_id(text)?,
    };
    if stream.is_none() {
        let value = Box::<Stream>::default().wrap();
        db.insert(key.clone(), Entry { value, deadline: None });
    }
    let groups = &mut existing(db, &key)?.groups;
    if groups.contains_key(&args[3]) {
        return Err(Error::Text("BUSYGROUP Consumer Group name already exists"));
    }
    groups.insert(args[3].clone(), Group::new(last_id, options.read));
    db.dirty += 1;
    db.notify(Class::Stream, "xgroup-create", &key);
    Ok(Reply::OK)
}

/// XGROUP SETID.
fn setid(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(2), call.args, call.db());
    let options = options(args, false)?;
    let last = existing(db, &key)?.last_id();
    let group = group(db, &key, &args[3])?;
    if args.len() > 7 {
        return Err(wrong(args));
    }
    group.last_id = if args[4] == *"$" { last } else { any_id(&args[4], 0)? };
    group.read = options.read;
    db.dirty += 1;
    db.notify(Class::Stream, "xgroup-setid", &key);
    Ok(Reply::OK)
}

/// XGROUP DESTROY: members that wait get an error.
fn destroy(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(2), call.args, call.db());
    if existing(db, &key)?.groups.remove(&args[3]).is_none() {
        return Ok(Reply::Int(0));
    }
    db.dirty += 1;
    db.notify(Class::Stream, "xgroup-destroy", &key);
    db.signal(&key);
    Ok(Reply::Int(1))
}

/// XGROUP CREATECONSUMER.
fn create_consumer(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(2), call.args, call.db());
    let now = db.now_ms;
    let group = group(db, &key, &args[3])?;
    if group.consumers.contains_key(&args[4]) {
        return Ok(Reply::Int(0));
    }
    group.see(&args[4], now);
    db.dirty += 1;
    db.notify(Class::Stream, "xgroup-createconsumer", &key);
    Ok(Reply::Int(1))
}

/// XGROUP DELCONSUMER.
fn delete_consumer(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(2), call.args, call.db());
    let Some(pending) = group(db, &key, &args[3])?.remove(&args[4]) else {
        return Ok(Reply::Int(0));
    };
    db.dirty += 1;
    db.notify(Class::Stream, "xgroup-delconsumer", &key);
    Ok(Reply::int(pending))
}

/// XACK.
pub(super) fn xack(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(1), call.args, call.db());
    let group = db.stream_mut(&key)?.and_then(|stream| stream.groups.get_mut(&args[2]));
    let Some(group) = group else { return Ok(Reply::Int(0)) };
    let ids: Vec<StreamId> = args[3..].iter().map(|id| strict_id(id)).collect::<Result<_, _>>()?;
    let acknowledged = ids.into_iter().filter(|id| group.forget(*id)).count();
    db.dirty += acknowledged as u64;
    Ok(Reply::int(acknowledged))
}

/// The range of a long XPENDING.
struct Range<'a> {
    min_idle: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a Bytes>,
}

/// XPENDING.
pub(super) fn xpending(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(1), call.args, call.db());
    let range = match args.len() {
        3 => None,
        6..=9 => Some(pending_range(args)?),
        _ => return Err(Error::Syntax),
    };
    let group = db.stream(&key)?.and_then(|stream| stream.groups.get(&args[2]));
    let group = group.ok_or_else(|| no_group(&key, &args[2], ""))?;
    Ok(match range {
        None => summary(group),
        Some(range) => details(group, &range, db.now_ms),
    })
}

fn pending_range(args: &[Bytes]) -> Result<Range<'_>, Error> {
    let (mut at, mut min_idle) = (3, 0);
    if args::is(&args[3], "idle") {
        min_idle = args::int(&args[4])?;
        if args.len() < 8 {
            return Err(Error::Syntax);
        }
        at = 5;
    }
    let count = usize::try_from(args::int(&args[at + 2])?).unwrap_or(0);
    let (start, end) = (start_id(&args[at])?, end_id(&args[at + 1])?);
    Ok(Range { min_idle, start, end, count, consumer: args.get(at + 3) })
}

/// How many entries are pending, from which id to which, and with whom.
fn summary(group: &Group) -> Reply {
    let (Some(first), Some(last)) =
        (group.pending.first_key_value(), group.pending.last_key_value())
    else {
        return Reply::Array(vec![Reply::Int(0), Reply::Nil, Reply::Nil, Reply::NilArray]);
    };
    let busy = group.consumers.iter().filter(|(_, consumer)| !consumer.pending.is_empty());
    let consumers = busy.map(|(name, consumer)| {
        let pending = i64::try_from(consumer.pending.len()).expect("a count of entries");
        Reply::Array(vec![Reply::Bulk(name.clone()), Reply::Bulk(Bytes::from_int(pending))])
    });
    Reply::Array(vec![
        Reply::int(group.pending.len()),
        id(*first.0),
        id(*last.0),
        Reply::Array(consumers.collect()),
    ])
}

/// The pending entries of a range, of one consumer or of all.
fn details(group: &Group, range: &Range<'_>, now: i64) -> Reply {
    if range.start > range.end {
        return Reply::Array(Vec::new());
    }
    let show = |(number, pending): (&StreamId, &Pending)| {
        Reply::Array(vec![
            id(*number),
            Reply::Bulk(pending.consumer.clone()),
            Reply::Int(now.saturating_sub(pending.time).max(0)),
            Reply::Int(pending.count),
        ])
    };
    let idle = |(_, pending): &(&StreamId, &Pending)| {
        range.min_idle == 0 || now.saturating_sub(pending.time) >= range.min_idle
    };
    let shown = match range.consumer {
        None => {
            let all = group.pending.range(range.start..=range.end);
            all.filter(idle).take(range.count).map(show).collect()
        }
        Some(name) => {
            let ids = group.consumers.get(name).map(|consumer| &consumer.pending);
            let ids = ids.into_iter().flat_map(|ids| ids.range(range.start..=range.end));
            let all = ids.filter_map(|id| Some((id, group.pending.get(id)?)));
            all.filter(idle).take(range.count).map(show).collect()
        }
    };
    Reply::Array(shown)
}

/// How XCLAIM changes what is pending.
struct Claim {
    min_idle: i64,
    ids: Vec<StreamId>,
    time: i64,
    retries: Option<i64>,
    last_id: StreamId,
    force: bool,
    just_ids: bool,
}

/// XCLAIM.
pub(super) fn xclaim(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(1), call.args, call.db());
    let now = db.now_ms;
    if !db.stream(&key)?.is_some_and(|stream| stream.groups.contains_key(&args[2])) {
        return Err(no_group(&key, &args[2], ""));
    }
    let claim = claim(args, now)?;
    let stream = db.stream_mut(&key)?.expect("it is there");
    let group = stream.groups.get_mut(&args[2]).expect("it is there");
    let mut moved_on = claim.last_id > group.last_id;
    group.last_id = group.last_id.max(claim.last_id);
    let (mut claimed, mut seen, mut created, mut changes) = (Vec::new(), false, false, 0);
    for number in &claim.ids {
        let stream = db.stream_mut(&key)?.expect("it is there");
        let found = stream.get(*number).map(|found| match claim.just_ids {
            true => id(*number),
            false => entry(found),
        });
        let group = stream.groups.get_mut(&args[2]).expect("it is there");
        let Some(found) = found else {
            if group.forget(*number) {
                changes += 1;
                moved_on = false;
            }
            continue;
        };
        let count = match group.pending.get(number) {
            Some(pending)
                if claim.min_idle > 0 && now.saturating_sub(pending.time) < claim.min_idle =>
            {
                continue;
            }
            Some(pending) => pending.count,
            None if claim.force => 1,
            None => continue,
        };
        if !seen {
            created = group.see(&args[3], now);
            seen = true;
        }
        let again = i64::from(!claim.just_ids);
        group.give(
            *number,
            &args[3],
            claim.time,
            claim.retries.unwrap_or(count.wrapping_add(again)),
        );
        claimed.push(found);
        changes += 1;
        moved_on = false;
        if std::mem::take(&mut created) {
            db.dirty += 1;
            db.notify(Class::Stream, "xgroup-createconsumer", &key);
        }
    }
    db.dirty += changes + u64::from(moved_on);
    Ok(Reply::Array(claimed))
}

fn claim(args: &[Bytes], now: i64) -> Result<Claim, Error> {
    let number = |text: &Bytes, wrong| parse_int(text).ok_or(Error::Text(wrong));
    let min_idle = number(&args[4], "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
    let ids: Vec<StreamId> = args[5..].iter().map_while(|id| strict_id(id).ok()).collect();
    let mut rest = args[5 + ids.len()..].iter();
    let (mut time, mut retries, mut last_id) = (-1, None, StreamId::MIN);
    let (mut force, mut just_ids) = (false, false);
    while let Some(option) = rest.next() {
        if args::is(option, "force") {
            force = true;
        } else if args::is(option, "justid") {
            just_ids = true;
        } else if args::is(option, "idle")
            && let Some(ms) = rest.next()
        {
            time = now.wrapping_sub(number(ms, "ERR Invalid IDLE option argument for XCLAIM")?);
        } else if args::is(option, "time")
            && let Some(ms) = rest.next()
        {
            time = number(ms, "ERR Invalid TIME option argument for XCLAIM")?;
        } else if args::is(option, "retrycount")
            && let Some(count) = rest.next()
        {
            let count = number(count, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
            retries = (count >= 0).then_some(count);
        } else if args::is(option, "lastid")
            && let Some(id) = rest.next()
        {
            last_id = strict_id(id)?;
        } else {
            let line = format!("ERR Unrecognized XCLAIM option '{option}'");
            return Err(Error::line(line.replace(['\r', '\n'], " ")));
        }
    }
    if time < 0 || time > now {
        time = now;
    }
    Ok(Claim { min_idle, ids, time, retries, last_id, force, just_ids })
}

/// How many pending entries XAUTOCLAIM looks at for each that it may claim.
const ATTEMPTS: usize = 10;

/// XAUTOCLAIM.
pub(super) fn xautoclaim(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(1), call.args, call.db());
    let now = db.now_ms;
    let min_idle = parse_int(&args[4])
        .ok_or(Error::Text("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?
        .max(0);
    let start = start_id(&args[5])?;
    let (count, just_ids) = autoclaim_options(&args[6..])?;
    let group = db.stream(&key)?.and_then(|stream| stream.groups.get(&args[2]));
    let group = group.ok_or_else(|| no_group(&key, &args[2], ""))?;
    let attempts = count.saturating_mul(ATTEMPTS);
    let mut candidates: Vec<StreamId> =
        group.pending.range(start..).map(|(id, _)| *id).take(attempts.saturating_add(1)).collect();
    let mut next = (candidates.len() > attempts).then(|| candidates.pop()).flatten();

    let (mut claimed, mut deleted, mut seen, mut left) = (Vec::new(), Vec::new(), false, count);
    for number in candidates {
        if left == 0 {
            next = Some(number);
            break;
        }
        let stream = db.stream_mut(&key)?.expect("it is there");
        let found = stream.get(number).map(|found| match just_ids {
            true => id(number),
            false => entry(found),
        });
        let group = stream.groups.get_mut(&args[2]).expect("it is there");
        let Some(found) = found else {
            group.forget(number);
            deleted.push(id(number));
            left -= 1;
            db.dirty += 1;
            continue;
        };
        let pending = &group.pending[&number];
        if min_idle > 0 && now.saturating_sub(pending.time) < min_idle {
            continue;
        }
        let count = pending.count.wrapping_add(i64::from(!just_ids));
        let created = !seen && group.see(&args[3], now);
        seen = true;
        group.give(number, &args[3], now, count);
        claimed.push(found);
        left -= 1;
        db.dirty += 1 + u64::from(created);
        if created {
            db.notify(Class::Stream, "xgroup-createconsumer", &key);
        }
    }
    let next = id(next.unwrap_or(StreamId::MIN));
    Ok(Reply::Array(vec![next, Reply::Array(claimed), Reply::Array(deleted)]))
}

fn autoclaim_options(options: &[Bytes]) -> Result<(usize, bool), Error> {
    let (mut count, mut just_ids) = (100, false);
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        if args::is(option, "count")
            && let Some(number) = rest.next()
        {
            let most = i64::MAX / 16;
            let number = parse_int(number).filter(|number| (1..=most).contains(number));
            let number = number.and_then(|number| usize::try_from(number).ok());
            count = number.ok_or(Error::Text("ERR COUNT must be > 0"))?;
        } else if args::is(option, "justid") {
            just_ids = true;
        } else {
            return Err(Error::Syntax);
        }
    }
    Ok((count, just_ids))
}
