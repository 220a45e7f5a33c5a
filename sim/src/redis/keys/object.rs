//! OBJECT: how a value is stored in Redis, as far as it can be known from what it is.

use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};
use crate::redis::table::Spec;
use crate::redis::table::flag::{LOADING, READONLY, STALE};
use crate::redis::value::Value;

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("encoding", 3, READONLY, (2, 2, 1), encoding),
    Spec::new("freq", 3, READONLY, (2, 2, 1), freq),
    Spec::new("help", 2, LOADING | STALE, (0, 0, 0), help),
    Spec::new("idletime", 3, READONLY, (2, 2, 1), idletime),
    Spec::new("refcount", 3, READONLY, (2, 2, 1), refcount),
];

/// The longest string that is stored together with its header.
const EMBEDDED: usize = 44;
/// Integers below this one are shared by all keys that hold them, and so have no count.
const SHARED: i64 = 10_000;

/// OBJECT ENCODING.
fn encoding(call: &mut Call<'_>) -> Answer {
    let key = call.key(2);
    Ok(call.db().entry(&key).map_or(Reply::Nil, |entry| name(&entry.value).into()))
}

/// The name of an encoding.
fn name(value: &Value) -> &'static str {
    match value {
        Value::String(text) if text.is_grown() => "raw",
        Value::String(text) if text.to_int().is_some() => "int",
        Value::String(text) if text.len() <= EMBEDDED => "embstr",
        Value::String(_) => "raw",
        Value::List(_) => "quicklist",
        Value::Hash(hash) => hash.encoding(),
        Value::Set(set) => set.encoding(),
        Value::Zset(zset) => zset.encoding(),
        Value::Stream(_) => "stream",
    }
}

/// OBJECT REFCOUNT.
fn refcount(call: &mut Call<'_>) -> Answer {
    let key = call.key(2);
    Ok(call.db().entry(&key).map_or(Reply::Nil, |entry| match &entry.value {
        Value::String(text) if !text.is_grown() => {
            let shared = text.to_int().is_some_and(|number| (0..SHARED).contains(&number));
            Reply::Int(if shared { i32::MAX.into() } else { 1 })
        }
        _ => Reply::Int(1),
    }))
}

/// OBJECT IDLETIME: accesses are not timed, so every key was read just now.
fn idletime(call: &mut Call<'_>) -> Answer {
    let key = call.key(2);
    Ok(call.db().entry(&key).map_or(Reply::Nil, |_| Reply::Int(0)))
}

/// OBJECT FREQ: nothing is evicted, so no policy counts.
fn freq(call: &mut Call<'_>) -> Answer {
    let key = call.key(2);
    match call.db().entry(&key) {
        None => Ok(Reply::Nil),
        Some(_) => Err(Error::Text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
             that when switching between policies at runtime LRU and LFU data will take some time \
             to adjust.",
        )),
    }
}

/// OBJECT HELP.
fn help(_: &mut Call<'_>) -> Answer {
    const LINES: [&str; 13] = [
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
    ];
    let lines = LINES.into_iter().chain(["HELP", "    Prints this help."]);
    Ok(Reply::Array(lines.map(Reply::Status).collect()))
}
