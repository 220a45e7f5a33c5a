//! The commands that wait for an element of a list.
//!
//! A client is served from the key that became ready, whichever of its keys that is.

use std::rc::Rc;

use super::End;
use super::commands::{Many, end, many, pop_first};
use crate::redis::ClientId;
use crate::redis::args;
use crate::redis::blocked::Serve;
use crate::redis::bytes::Key;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call, Server};
use crate::redis::table::Spec;
use crate::redis::table::flag::{BLOCKING, DENYOOM, MOVABLEKEYS, NOSCRIPT, WRITE};
use crate::redis::value::{List, Value};

const WAITS: u32 = WRITE | NOSCRIPT | BLOCKING;

pub(super) const BLPOP: Spec = Spec::new("blpop", -3, WAITS, (1, -2, 1), blpop);
pub(super) const BRPOP: Spec = Spec::new("brpop", -3, WAITS, (1, -2, 1), brpop);
pub(super) const BLMOVE: Spec = Spec::new("blmove", 6, WAITS | DENYOOM, (1, 2, 1), blmove);
pub(super) const BRPOPLPUSH: Spec =
    Spec::new("brpoplpush", 4, WAITS | DENYOOM, (1, 2, 1), brpoplpush);
pub(super) const BLMPOP: Spec =
    Spec::new("blmpop", -5, WRITE | BLOCKING | MOVABLEKEYS, (0, 0, 0), blmpop);

/// BLPOP.
fn blpop(call: &mut Call<'_>) -> Answer {
    pop(call, End::Left)
}

/// BRPOP.
fn brpop(call: &mut Call<'_>) -> Answer {
    pop(call, End::Right)
}

fn pop(call: &mut Call<'_>, end: End) -> Answer {
    let last = call.args.len() - 1;
    let timeout = args::timeout(&call.args[last], call.server.now.ms())?;
    let keys = args::keys(&call.args[1..last]);
    for key in &keys {
        if let Some(value) = call.db().pop(key, end)? {
            return Ok(popped(key, value.into()));
        }
    }
    call.block(keys, timeout, Rc::new(Pop(end)))
}

fn popped(key: &Key, value: Reply) -> Reply {
    Reply::Array(vec![Reply::Bulk(key.bytes().clone()), value])
}

/// BLMOVE.
fn blmove(call: &mut Call<'_>) -> Answer {
    let (take, put) = (end(&call.args[3])?, end(&call.args[4])?);
    move_or_wait(call, take, put)
}

/// BRPOPLPUSH.
fn brpoplpush(call: &mut Call<'_>) -> Answer {
    move_or_wait(call, End::Right, End::Left)
}

fn move_or_wait(call: &mut Call<'_>, take: End, put: End) -> Answer {
    let last = call.args.len() - 1;
    let timeout = args::timeout(&call.args[last], call.server.now.ms())?;
    let (from, to) = (call.key(1), call.key(2));
    if call.db().read::<List>(&from)?.is_none() {
        return call.block(vec![from], timeout, Rc::new(Move { to, take, put }));
    }
    Ok(Reply::bulk(call.db().lmove(&from, &to, take, put)?.as_ref()))
}

/// BLMPOP.
fn blmpop(call: &mut Call<'_>) -> Answer {
    let Many { keys, end, count } = many(&call.args[2..])?;
    let timeout = args::timeout(&call.args[1], call.server.now.ms())?;
    match pop_first(call.db(), &keys, end, count)? {
        Some(reply) => Ok(reply),
        None => call.block(keys, timeout, Rc::new(PopMany { end, count })),
    }
}

/// A client in BLPOP or BRPOP.
struct Pop(End);

impl Serve for Pop {
    fn wants(&self, value: &Value) -> bool {
        matches!(value, Value::List(_))
    }

    fn serve(&self, server: &mut Server, _: ClientId, db: usize, key: &Key) -> Option<Reply> {
        let value = server.dbs[db].pop(key, self.0).ok().flatten()?;
        Some(popped(key, value.into()))
    }
}

/// A client in BLMPOP.
struct PopMany {
    end: End,
    count: usize,
}

impl Serve for PopMany {
    fn wants(&self, value: &Value) -> bool {
        matches!(value, Value::List(_))
    }

    fn serve(&self, server: &mut Server, _: ClientId, db: usize, key: &Key) -> Option<Reply> {
        let keys = std::slice::from_ref(key);
        pop_first(&mut server.dbs[db], keys, self.end, self.count).ok().flatten()
    }
}

/// A client in BLMOVE or BRPOPLPUSH.
struct Move {
    to: Key,
    take: End,
    put: End,
}

impl Serve for Move {
    fn wants(&self, value: &Value) -> bool {
        matches!(value, Value::List(_))
    }

    /// A destination of another type is an error, and the element stays.
    fn serve(&self, server: &mut Server, _: ClientId, db: usize, key: &Key) -> Option<Reply> {
        match server.dbs[db].lmove(key, &self.to, self.take, self.put) {
            Ok(moved) => moved.map(Reply::from),
            Err(error) => Some(Reply::Error(error)),
        }
    }

    /// In EXEC it answers like LMOVE of nothing, with no string rather than no array.
    fn denied(&self) -> Reply {
        Reply::Nil
    }
}
