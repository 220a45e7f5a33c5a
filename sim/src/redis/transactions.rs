//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! The commands between are queued by [`Redis::request`]; an error while one of them runs stops
//! nothing and takes nothing back, as in Redis.

use std::rc::Rc;

use super::bytes::{Bytes, Key};
use super::error::Error;
use super::mutants::{Mutant, planted};
use super::reply::Reply;
use super::server::{Answer, Call, Origin, Server};
use super::session::{Queued, Watch};
use super::table::flag::{ALLOW_BUSY, FAST, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE};
use super::table::{Run, Spec};
use super::{ClientId, Redis};

const ALWAYS: u32 = NOSCRIPT | LOADING | STALE | ALLOW_BUSY;

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("multi", 1, ALWAYS | FAST, (0, 0, 0), multi),
    Spec {
        name: "exec",
        arity: 1,
        flags: NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG,
        keys: (0, 0, 0),
        run: Run::Whole(exec),
    },
    Spec::new("discard", 1, ALWAYS | FAST, (0, 0, 0), discard),
    Spec::new("watch", -2, ALWAYS | FAST, (1, -1, 1), watch),
    Spec::new("unwatch", 1, ALWAYS | FAST, (0, 0, 0), unwatch),
];

/// Commands that are not queued between MULTI and EXEC.
pub(super) const NOT_QUEUED: [&str; 6] = ["exec", "discard", "multi", "watch", "quit", "reset"];

/// MULTI.
fn multi(call: &mut Call<'_>) -> Answer {
    let session = call.session();
    if session.queued.is_some() {
        return Err(Error::Text("ERR MULTI calls can not be nested"));
    }
    session.queued = Some(Queued::default());
    Ok(Reply::OK)
}

/// DISCARD.
fn discard(call: &mut Call<'_>) -> Answer {
    if call.session().queued.take().is_none() {
        return Err(Error::Text("ERR DISCARD without MULTI"));
    }
    call.server.unwatch(call.client);
    Ok(Reply::OK)
}

/// WATCH: a change of any of the keys before EXEC makes EXEC do nothing.
fn watch(call: &mut Call<'_>) -> Answer {
    if call.session().queued.is_some() {
        return Err(Error::Text("ERR WATCH inside MULTI is not allowed"));
    }
    if call.session().changed {
        return Ok(Reply::OK);
    }
    let (client, db) = (call.client, call.number);
    for key in call.args[1..].iter().map(|name| Key::from(name.clone())) {
        let twice = call.session().watching.iter().any(|other| other.db == db && other.key == key);
        if twice {
            continue;
        }
        let was_dead = call.db().entries.contains_key(&key) && call.db().entry(&key).is_none();
        call.db().watched.entry(key.clone()).or_default().push(client);
        call.session().watching.push(Watch { db, key, was_dead });
    }
    Ok(Reply::OK)
}

/// UNWATCH.
fn unwatch(call: &mut Call<'_>) -> Answer {
    call.server.unwatch(call.client);
    Ok(Reply::OK)
}

impl Server {
    /// Tells those who watch keys of `emptied` that SWAPDB will put those of `other` there: no
    /// change where a key that is not there or dead takes the place of such a one
    /// (multi.c `touchAllWatchedKeysInDb`).
    pub(super) fn touch_swapped(&mut self, emptied: usize, other: usize) {
        // Who is told does not depend on the order of telling.
        let watched = self.dbs[emptied].watched.clone();
        for (key, clients) in watched {
            let (was, will) = (self.dbs[emptied].stored(&key), self.dbs[other].stored(&key));
            if was.is_none() && will.is_none() {
                continue;
            }
            for client in clients {
                let session = self.session(client);
                let watch = session.watch(emptied, &key);
                match (watch.was_dead, will) {
                    (true, None) => watch.was_dead = false,
                    (true, Some(true)) => {}
                    (false, Some(true)) if was.is_none() => watch.was_dead = true,
                    _ => session.changed = true,
                }
            }
        }
    }
}

/// EXEC.
fn exec(redis: &mut Redis, client: ClientId, _args: &[Bytes]) -> Answer {
    let session = redis.server.session(client);
    let Some(queued) = session.queued.take() else {
        return Err(Error::Text("ERR EXEC without MULTI"));
    };
    let watching = std::mem::take(&mut session.watching);
    let expired = watching.iter().any(|watch| {
        let db = &redis.server.dbs[watch.db];
        !watch.was_dead && db.entries.get(&watch.key).is_some_and(|entry| !entry.live(db.now_ms))
    });
    let session = redis.server.session(client);
    session.watching = watching;
    let changed = session.changed || expired;
    redis.server.unwatch(client);
    if queued.refused {
        return Err(Error::Text("EXECABORT Transaction discarded because of previous errors."));
    }
    if changed && !planted(Mutant::R8) {
        return Ok(Reply::NilArray);
    }
    Ok(Reply::Array(queued.commands.iter().map(|args| run(redis, client, args)).collect()))
}

/// Runs a command of a transaction. What it sends to its own client as messages stands before its
/// reply, within the array of all replies.
fn run(redis: &mut Redis, client: ClientId, args: &[Bytes]) -> Reply {
    let before = redis.server.outbox.len();
    let reply = Reply::from(redis.run(client, args, Origin::Exec));
    let own = redis.server.outbox.extract_if(before.., |(to, _)| *to == client);
    let mut told: Vec<Reply> = own.map(|(_, message)| message).collect();
    if told.is_empty() {
        return reply;
    }
    told.push(reply);
    Reply::Several(told)
}

/// An EXEC that is not in order itself ends the transaction (`execCommandAbort`).
pub(super) fn abort(server: &mut Server, client: ClientId, why: &Error) -> Error {
    server.session(client).queued = None;
    server.unwatch(client);
    let why = why.to_string();
    let why = why.strip_prefix("ERR ").unwrap_or(&why);
    Error::line(format!("EXECABORT Transaction discarded because of: {why}"))
}

/// Queues a command that was found to be in order.
pub(super) fn queue(queued: &mut Queued, args: &[Bytes]) -> Reply {
    queued.commands.push(Rc::from(args));
    Reply::Status("QUEUED")
}
