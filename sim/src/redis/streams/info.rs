//! XINFO: what a stream and its groups are made of.

use super::groups::{no_such, wrong};
use super::{entries, entry, id};
use crate::redis::args;
use crate::redis::bytes::Bytes;
use crate::redis::error::Error;
use crate::redis::groups::{Consumer, Group};
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};
use crate::redis::stream::Marks;
use crate::redis::table::Spec;
use crate::redis::table::flag::{LOADING, READONLY, STALE};

pub(super) const XINFO: &[Spec] = &[
    Spec::new("stream", -3, READONLY, (2, 2, 1), stream),
    Spec::new("groups", 3, READONLY, (2, 2, 1), groups),
    Spec::new("consumers", 4, READONLY, (2, 2, 1), consumers),
    Spec::new("help", 2, LOADING | STALE, (0, 0, 0), help),
];

/// What XINFO HELP answers.
const HELP: [&str; 9] = [
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Prints this help.",
];

/// XINFO HELP.
fn help(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Array(HELP.map(Reply::Status).into()))
}

fn map<const N: usize>(fields: [(&str, Reply); N]) -> Reply {
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::from(name), value)).collect())
}

fn number(number: Option<i64>) -> Reply {
    number.map_or(Reply::Nil, Reply::Int)
}

/// XINFO GROUPS.
fn groups(call: &mut Call<'_>) -> Answer {
    let key = call.key(2);
    let stream = call.db().stream(&key)?.ok_or(Error::NoSuchKey)?;
    let marks = stream.marks();
    let shown = stream.groups.iter().map(|(name, group)| {
        map([
            ("name", Reply::Bulk(name.clone())),
            ("consumers", Reply::int(group.consumers.len())),
            ("pending", Reply::int(group.pending.len())),
            ("last-delivered-id", id(group.last_id)),
            ("entries-read", number(group.read)),
            ("lag", number(group.lag(&marks))),
        ])
    });
    Ok(Reply::Array(shown.collect()))
}

/// XINFO CONSUMERS.
fn consumers(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(2), call.args, call.db());
    let stream = db.stream(&key)?.ok_or(Error::NoSuchKey)?;
    let group = stream.groups.get(&args[3]).ok_or_else(|| no_such(&args[3], &key))?;
    let shown = group.consumers.iter().map(|(name, consumer)| {
        map([
            ("name", Reply::Bulk(name.clone())),
            ("pending", Reply::int(consumer.pending.len())),
            ("idle", Reply::Int((db.now_ms - consumer.seen).max(0))),
        ])
    });
    Ok(Reply::Array(shown.collect()))
}

/// XINFO STREAM.
fn stream(call: &mut Call<'_>) -> Answer {
    let (key, args, db) = (call.key(2), call.args, call.db());
    let stream = db.stream(&key)?.ok_or(Error::NoSuchKey)?;
    let full = match &args[3..] {
        [] => None,
        [full] if args::is(full, "full") => Some(10),
        [full, count, number] if args::is(full, "full") && args::is(count, "count") => {
            // A negative number is the default.
            Some(usize::try_from(args::int(number)?).unwrap_or(10))
        }
        _ => return Err(wrong(args)),
    };
    let marks = stream.marks();
    let mut fields = vec![
        ("length", Reply::int(stream.len())),
        ("radix-tree-keys", Reply::int(stream.nodes())),
        ("radix-tree-nodes", Reply::int(stream.radix_nodes())),
        ("last-generated-id", id(marks.last)),
        ("max-deleted-entry-id", id(marks.max_deleted)),
        ("entries-added", Reply::Int(marks.added.cast_signed())),
        ("recorded-first-entry-id", id(marks.first)),
    ];
    match full {
        None => {
            let edge = |found| Option::map_or(found, Reply::Nil, entry);
            fields.push(("groups", Reply::int(stream.groups.len())));
            fields.push(("first-entry", edge(stream.iter().next())));
            fields.push(("last-entry", edge(stream.iter().next_back())));
        }
        Some(count) => {
            let most = if count == 0 { usize::MAX } else { count };
            fields.push(("entries", entries(stream.iter().take(most))));
            let groups = stream.groups.iter().map(|named| whole_group(named, &marks, most));
            fields.push(("groups", Reply::Array(groups.collect())));
        }
    }
    let fields = fields.into_iter().map(|(name, value)| (Reply::from(name), value));
    Ok(Reply::Map(fields.collect()))
}

/// A group in XINFO STREAM FULL.
fn whole_group((name, group): (&Bytes, &Group), marks: &Marks, most: usize) -> Reply {
    let pending = group.pending.iter().take(most).map(|(number, pending)| {
        Reply::Array(vec![
            id(*number),
            Reply::Bulk(pending.consumer.clone()),
            Reply::Int(pending.time),
            Reply::Int(pending.count),
        ])
    });
    let consumers = group.consumers.iter().map(|named| whole_consumer(named, group, most));
    map([
        ("name", Reply::Bulk(name.clone())),
        ("last-delivered-id", id(group.last_id)),
        ("entries-read", number(group.read)),
        ("lag", number(group.lag(marks))),
        ("pel-count", Reply::int(group.pending.len())),
        ("pending", Reply::Array(pending.collect())),
        ("consumers", Reply::Array(consumers.collect())),
    ])
}

/// A consumer in XINFO STREAM FULL.
fn whole_consumer((name, consumer): (&Bytes, &Consumer), group: &Group, most: usize) -> Reply {
    let pending = consumer.pending.iter().take(most).map(|number| {
        let pending = &group.pending[number];
        Reply::Array(vec![id(*number), Reply::Int(pending.time), Reply::Int(pending.count)])
    });
    map([
        ("name", Reply::Bulk(name.clone())),
        ("seen-time", Reply::Int(consumer.seen)),
        ("pel-count", Reply::int(consumer.pending.len())),
        ("pending", Reply::Array(pending.collect())),
    ])
}

#[cfg(test)]
mod tests {
    use crate::clock::Instant;
    use crate::redis::{Bytes, ClientId, Redis, Reply};

    fn ask(redis: &mut Redis, line: &str) -> Option<Reply> {
        let words: Vec<Bytes> = line.split(' ').map(Bytes::from).collect();
        redis.request(ClientId(1), &words, Instant::from_ms(1000))
    }

    #[test]
    fn a_group_is_served_and_seen() {
        let mut redis = Redis::new();
        ask(&mut redis, "xgroup create s g 0 mkstream");
        for line in
            ["xadd s 1-1 a b", "xadd s 2-1 c d", "xreadgroup group g me count 1 streams s >"]
        {
            assert!(!matches!(ask(&mut redis, line), Some(Reply::Error(_)) | None), "{line}");
        }
        let id = Reply::from("1-1");
        let pending = vec![id, Reply::from("me"), Reply::Int(0), Reply::Int(1)];
        let shown = ask(&mut redis, "xpending s g - + 5");
        assert_eq!(shown, Some(Reply::Array(vec![Reply::Array(pending)])));
        assert_eq!(ask(&mut redis, "xack s g 1-1"), Some(Reply::Int(1)));
        let Some(Reply::Map(fields)) = ask(&mut redis, "xinfo stream s") else { panic!("a map") };
        assert!(fields.contains(&(Reply::from("radix-tree-nodes"), Reply::Int(2))));
    }
}
