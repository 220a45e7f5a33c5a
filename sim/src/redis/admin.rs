//! Commands for operators: TIME, ROLE, SAVE and its kind, SHUTDOWN, SLOWLOG, LATENCY, MEMORY, ACL.
//!
//! What they are about is mostly not modelled: nothing is saved, no command is slow, there is one
//! user and no replica. They answer what a server answers to which nothing of the kind has happened.

use super::args::{int, is};
use super::bytes::{Bytes, parse_int};
use super::connection::VERSION;
use super::error::Error;
use super::facts;
use super::help;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::flag::{ADMIN, ALLOW_BUSY, FAST, LOADING, NO_MULTI, NOSCRIPT, READONLY, STALE};
use super::table::{self, Spec};
use super::value::Value;

const OPERATORS: u32 = ADMIN | NOSCRIPT | LOADING | STALE;
const NONE: (i32, i32, i32) = (0, 0, 0);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container(
        "acl",
        &[
            Spec::new("cat", -2, NOSCRIPT | LOADING | STALE, NONE, acl_cat),
            Spec::new("list", 2, OPERATORS, NONE, acl_list),
            Spec::new("users", 2, OPERATORS, NONE, acl_users),
            Spec::new("whoami", 2, NOSCRIPT | LOADING | STALE, NONE, acl_whoami),
        ],
    ),
    Spec::new("bgrewriteaof", 1, ADMIN | NOSCRIPT, NONE, bgrewriteaof),
    Spec::new("bgsave", -1, ADMIN | NOSCRIPT, NONE, bgsave),
    Spec::new("lastsave", 1, LOADING | STALE | FAST, NONE, lastsave),
    Spec::container(
        "latency",
        &[
            Spec::new("doctor", 2, OPERATORS, NONE, latency_doctor),
            Spec::new("graph", 3, OPERATORS, NONE, latency_graph),
            Spec::new("help", 2, LOADING | STALE, NONE, latency_help),
            Spec::new("histogram", -2, OPERATORS, NONE, latency_histogram),
            Spec::new("history", 3, OPERATORS, NONE, empty),
            Spec::new("latest", 2, OPERATORS, NONE, empty),
            Spec::new("reset", -2, OPERATORS, NONE, latency_reset),
        ],
    ),
    Spec::new("lolwut", -1, READONLY | FAST, NONE, lolwut),
    Spec::container(
        "memory",
        &[
            Spec::new("doctor", 2, 0, NONE, memory_doctor),
            Spec::new("help", 2, LOADING | STALE, NONE, memory_help),
            Spec::new("malloc-stats", 2, 0, NONE, memory_malloc_stats),
            Spec::new("purge", 2, 0, NONE, done),
            Spec::new("stats", 2, 0, NONE, memory_stats),
            Spec::new("usage", -3, READONLY, (2, 2, 1), memory_usage),
        ],
    ),
    Spec::new("replicaof", 3, ADMIN | NOSCRIPT | STALE, NONE, replicaof),
    Spec::new("role", 1, NOSCRIPT | LOADING | STALE | FAST, NONE, role),
    Spec::new("save", 1, ADMIN | NOSCRIPT | NO_MULTI, NONE, save),
    Spec::new("shutdown", -1, OPERATORS | NO_MULTI | ALLOW_BUSY, NONE, shutdown),
    Spec::new("slaveof", 3, ADMIN | NOSCRIPT | STALE, NONE, replicaof),
    Spec::container(
        "slowlog",
        &[
            Spec::new("get", -2, ADMIN | LOADING | STALE, NONE, slowlog_get),
            Spec::new("help", 2, LOADING | STALE, NONE, slowlog_help),
            Spec::new("len", 2, ADMIN | LOADING | STALE, NONE, nought),
            Spec::new("reset", 2, ADMIN | LOADING | STALE, NONE, done),
        ],
    ),
    Spec::new("time", 1, LOADING | STALE | FAST, NONE, time),
];

fn done(_: &mut Call<'_>) -> Answer {
    Ok(Reply::OK)
}

fn nought(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Int(0))
}

fn empty(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Array(Vec::new()))
}

/// TIME.
fn time(call: &mut Call<'_>) -> Answer {
    let micros = call.server.now.nanos() / 1000;
    let parts = [micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000)];
    Ok(Reply::Array(parts.map(|part| Reply::Bulk(Bytes::from_int(part))).into()))
}

/// ROLE.
fn role(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Array(vec!["master".into(), Reply::Int(0), Reply::Array(Vec::new())]))
}

/// REPLICAOF and SLAVEOF: of nobody.
fn replicaof(call: &mut Call<'_>) -> Answer {
    if is(&call.args[1], "NO") && is(&call.args[2], "ONE") {
        return Ok(Reply::OK);
    }
    Err(Error::Text("ERR replication is not modelled by this server"))
}

/// SAVE: there is nothing to save to, and nobody who reads it.
fn save(call: &mut Call<'_>) -> Answer {
    call.server.saved = Some(call.server.now);
    Ok(Reply::OK)
}

/// BGSAVE. It has ended at once.
fn bgsave(call: &mut Call<'_>) -> Answer {
    match &call.args[1..] {
        [] => {}
        [option] if is(option, "SCHEDULE") => {}
        _ => return Err(Error::Syntax),
    }
    call.server.saved = Some(call.server.now);
    Ok(Reply::Status("Background saving started"))
}

/// BGREWRITEAOF. It has ended at once.
fn bgrewriteaof(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Status("Background append only file rewriting started"))
}

/// LASTSAVE.
fn lastsave(call: &mut Call<'_>) -> Answer {
    let saved = call.server.saved.unwrap_or(call.server.host.since);
    Ok(Reply::Int(saved.ms().div_euclid(1000)))
}

/// SHUTDOWN. There is never one that could be aborted.
fn shutdown(call: &mut Call<'_>) -> Answer {
    let mut abort = false;
    for option in &call.args[1..] {
        abort |= is(option, "ABORT");
        let known = ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"];
        if !known.iter().any(|known| is(option, known)) {
            return Err(Error::Syntax);
        }
    }
    if abort {
        let alone = call.args.len() == 2;
        let none = Error::Text("ERR No shutdown in progress.");
        return Err(if alone { none } else { Error::Syntax });
    }
    call.server.ending = true;
    call.session().closing = true;
    Ok(Reply::Nothing)
}

/// SLOWLOG GET.
fn slowlog_get(call: &mut Call<'_>) -> Answer {
    match &call.args[2..] {
        [] => {}
        [count] => {
            parse_int(count)
                .filter(|count| *count >= -1)
                .ok_or(Error::Text("ERR count should be greater than or equal to -1"))?;
        }
        _ => return Err(help::wrong_part(call.args)),
    }
    empty(call)
}

/// LATENCY DOCTOR.
fn latency_doctor(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Verbatim("txt", Bytes::from("Latency is not modelled by this server.\n")))
}

/// LATENCY GRAPH.
fn latency_graph(call: &mut Call<'_>) -> Answer {
    Err(help::quoting("ERR No samples available for event '", &call.args[2], "'"))
}

/// LATENCY HISTOGRAM.
fn latency_histogram(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Map(Vec::new()))
}

/// LATENCY RESET.
fn latency_reset(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Int(0))
}

/// LOLWUT.
fn lolwut(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Verbatim("txt", Bytes::from(format!("Redis ver. {VERSION}\n"))))
}

/// MEMORY DOCTOR.
fn memory_doctor(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Verbatim("txt", Bytes::from("Memory is not modelled by this server.\n")))
}

/// MEMORY MALLOC-STATS.
fn memory_malloc_stats(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Verbatim("txt", Bytes::from("Stats not supported for the current allocator")))
}

/// MEMORY STATS: the few figures there are.
fn memory_stats(call: &mut Call<'_>) -> Answer {
    let used = i64::try_from(call.server.used_memory()).unwrap_or(i64::MAX);
    let keys: usize = call.server.dbs.iter().map(|db| db.entries.len()).sum();
    Ok(Reply::Map(vec![
        ("peak.allocated".into(), Reply::Int(used)),
        ("total.allocated".into(), Reply::Int(used)),
        ("keys.count".into(), Reply::int(keys)),
        ("dataset.bytes".into(), Reply::Int(used)),
    ]))
}

/// What a key is taken to need beside what it holds, and an element beside its bytes.
const OF_A_KEY: usize = 48;
const OF_AN_ELEMENT: usize = 16;

/// MEMORY USAGE: a guess. Redis's own figure is that of its allocator.
fn memory_usage(call: &mut Call<'_>) -> Answer {
    let mut options = &call.args[3..];
    while let Some((option, rest)) = options.split_first() {
        let [samples, rest @ ..] = rest else { return Err(Error::Syntax) };
        if !is(option, "SAMPLES") {
            return Err(Error::Syntax);
        }
        if int(samples)? < 0 {
            return Err(Error::Syntax);
        }
        options = rest;
    }
    let key = call.key(2);
    let Some(entry) = call.db().entry(&key) else { return Ok(Reply::Nil) };
    let held = match &entry.value {
        Value::String(bytes) => bytes.len(),
        other => OF_AN_ELEMENT * format!("{other:?}").len().div_ceil(8),
    };
    Ok(Reply::int(OF_A_KEY + key.as_bytes().len() + held))
}

/// ACL WHOAMI.
fn acl_whoami(_: &mut Call<'_>) -> Answer {
    Ok("default".into())
}

/// ACL USERS.
fn acl_users(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Array(vec!["default".into()]))
}

/// ACL LIST. The password is not shown, not even its hash.
fn acl_list(call: &mut Call<'_>) -> Answer {
    let open = call.server.settings.password.is_empty();
    let pass = if open { "nopass " } else { "" };
    Ok(Reply::Array(vec![Reply::Bulk(Bytes::from(format!("user default on {pass}~* &* +@all")))]))
}

/// ACL CAT.
fn acl_cat(call: &mut Call<'_>) -> Answer {
    let name = match &call.args[2..] {
        [] => return Ok(Reply::Array(facts::CATEGORIES.map(Reply::from).into())),
        [name] => name,
        _ => return Err(help::wrong_part(call.args)),
    };
    if !facts::CATEGORIES.iter().any(|category| is(name, category)) {
        return Err(help::quoting("ERR Unknown category '", name, "'"));
    }
    let within = |command: &str| {
        let facts = facts::of(command);
        facts.is_some_and(|facts| facts.categories.iter().any(|category| is(name, category)))
    };
    let commands = table::all().iter().filter(|known| within(&known.name));
    Ok(Reply::Array(commands.map(|known| Reply::from(known.name.as_str())).collect()))
}

/// SLOWLOG HELP.
fn slowlog_help(_: &mut Call<'_>) -> Answer {
    Ok(help::help(
        "SLOWLOG",
        &[
            (
                "GET [<count>]",
                &[
                    "Return top <count> entries from the slowlog (default: 10, -1 mean all).",
                    "Entries are made of:",
                    "id, timestamp, time in microseconds, arguments array, client IP and port,",
                    "client name",
                ],
            ),
            ("LEN", &["Return the length of the slowlog."]),
            ("RESET", &["Reset the slowlog."]),
        ],
    ))
}

/// LATENCY HELP.
fn latency_help(_: &mut Call<'_>) -> Answer {
    Ok(help::help(
        "LATENCY",
        &[
            ("DOCTOR", &["Return a human readable latency analysis report."]),
            ("GRAPH <event>", &["Return an ASCII latency graph for the <event> class."]),
            ("HISTORY <event>", &["Return time-latency samples for the <event> class."]),
            ("LATEST", &["Return the latest latency samples for all events."]),
            (
                "RESET [<event> ...]",
                &[
                    "Reset latency data of one or more <event> classes.",
                    "(default: reset all data for all event classes)",
                ],
            ),
        ],
    ))
}

/// MEMORY HELP.
fn memory_help(_: &mut Call<'_>) -> Answer {
    Ok(help::help(
        "MEMORY",
        &[
            ("DOCTOR", &["Return memory problems reports."]),
            ("MALLOC-STATS", &["Return internal statistics report from the memory allocator."]),
            ("PURGE", &["Attempt to purge dirty pages for reclamation by the allocator."]),
            ("STATS", &["Return information about the memory usage of the server."]),
            (
                "USAGE <key> [SAMPLES <count>]",
                &[
                    "Return memory in bytes used by <key> and its value. Nested values are",
                    "sampled up to <count> times (default: 5, 0 means sample all).",
                ],
            ),
        ],
    ))
}
