//! A client of Redis in a process, as ioredis is one in Node: a connection, and a method for each
//! command of the model.
//!
//! No pipelines and no transactions. Nothing is ever sent twice: who wants that opens another
//! connection when one has broken.

use crate::kernel::{self, Closed};
use crate::redis::{self, Bytes, Command, Key, SetOptions};
use crate::servers::{self, Conn, Ctx, REDIS, Request, Servers};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A connection to Redis. Cheap to clone; the clones share the connection.
///
/// A command is sent when its method is called, whether or not its reply is awaited, as ioredis
/// does it. Commands of one connection arrive in the order in which they were sent.
#[derive(Clone)]
pub struct Client {
    conn: Conn,
}

/// Why a command came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// Redis refused it. It had no effect.
    Redis(redis::Error),
    /// The connection ended before the reply came. It may have had its effect.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Redis(error) => error.fmt(f),
            Error::Closed => f.write_str("Connection is closed."),
        }
    }
}

impl std::error::Error for Error {}

impl Ctx {
    /// Opens a connection to Redis, as `new Redis()` does. Keep it: each call opens another one,
    /// and it stays open until it is closed or the process ends.
    pub fn redis(&self) -> Client {
        Client { conn: self.connect(REDIS) }
    }
}

impl Client {
    /// Sends any command of the model, and gives its reply as it comes.
    pub fn call(&self, command: Command) -> Answer<redis::Reply> {
        self.send(command, |reply| reply)
    }

    fn send<T>(&self, command: Command, read: fn(redis::Reply) -> T) -> Answer<T> {
        Answer { reply: self.conn.call(Request::Redis(command)), read }
    }

    /// GET: the string at `key`, if there is one.
    pub fn get(&self, key: impl Into<Key>) -> Answer<Option<Bytes>> {
        self.send(Command::Get(key.into()), bulk)
    }

    /// SET; whether it was set (`NX` and `XX` may forbid):
    /// `redis.set("lock", ctx.name(), SetOptions::px(30_000).nx())`.
    pub fn set(
        &self,
        key: impl Into<Key>,
        value: impl Into<Bytes>,
        options: SetOptions,
    ) -> Answer<bool> {
        let (key, value) = (key.into(), value.into());
        self.send(Command::Set { key, value, options }, |reply| reply == redis::Reply::OK)
    }

    /// DEL of one key; whether it was there.
    pub fn del(&self, key: impl Into<Key>) -> Answer<bool> {
        self.send(Command::Del(vec![key.into()]), yes)
    }

    /// EXISTS.
    pub fn exists(&self, key: impl Into<Key>) -> Answer<bool> {
        self.send(Command::Exists(key.into()), yes)
    }

    /// INCR: adds 1 to the integer at `key`, 0 if there is none, and gives the sum.
    pub fn incr(&self, key: impl Into<Key>) -> Answer<i64> {
        self.send(Command::Incr(key.into()), int)
    }

    /// INCRBY: as INCR, with another number.
    pub fn incrby(&self, key: impl Into<Key>, by: i64) -> Answer<i64> {
        self.send(Command::IncrBy { key: key.into(), by }, int)
    }

    /// PTTL: the milliseconds that `key` has to live; -1 if it does not expire, -2 if it is not
    /// there.
    pub fn pttl(&self, key: impl Into<Key>) -> Answer<i64> {
        self.send(Command::Pttl(key.into()), int)
    }

    /// PEXPIRE: gives `key` so many milliseconds to live; whether it was there.
    pub fn pexpire(&self, key: impl Into<Key>, ms: i64) -> Answer<bool> {
        self.send(Command::PExpire { key: key.into(), ms }, yes)
    }

    /// PERSIST: `key` no longer expires; whether it would have.
    pub fn persist(&self, key: impl Into<Key>) -> Answer<bool> {
        self.send(Command::Persist(key.into()), yes)
    }

    /// Gives a lock back: the script that deletes `key` if it holds `value`, in one step; whether it
    /// did.
    pub fn del_if_equal(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Answer<bool> {
        self.send(Command::DelIfEqual { key: key.into(), value: value.into() }, yes)
    }

    /// Renews a lock: the script that gives `key` so many milliseconds to live if it holds `value`,
    /// in one step; whether it did.
    pub fn pexpire_if_equal(
        &self,
        key: impl Into<Key>,
        value: impl Into<Bytes>,
        ms: i64,
    ) -> Answer<bool> {
        let (key, value) = (key.into(), value.into());
        self.send(Command::PExpireIfEqual { key, value, ms }, yes)
    }

    /// HSET of one field; whether it is new.
    pub fn hset(
        &self,
        key: impl Into<Key>,
        field: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Answer<bool> {
        let pairs = vec![(field.into(), value.into())];
        self.send(Command::HSet { key: key.into(), pairs }, yes)
    }

    /// HGET: a field of the hash at `key`, if there is one.
    pub fn hget(&self, key: impl Into<Key>, field: impl Into<Bytes>) -> Answer<Option<Bytes>> {
        self.send(Command::HGet { key: key.into(), field: field.into() }, bulk)
    }

    /// HDEL of one field; whether it was there.
    pub fn hdel(&self, key: impl Into<Key>, field: impl Into<Bytes>) -> Answer<bool> {
        self.send(Command::HDel { key: key.into(), fields: vec![field.into()] }, yes)
    }

    /// Closes the connection, after everything that was sent on it has arrived. Replies that are
    /// still awaited come as [`Error::Closed`].
    pub fn close(&self) {
        self.conn.close();
    }
}

fn bulk(reply: redis::Reply) -> Option<Bytes> {
    match reply {
        redis::Reply::Bulk(bytes) => Some(bytes),
        redis::Reply::Nil => None,
        other => unreachable!("a string or nil: {other:?}"),
    }
}

fn int(reply: redis::Reply) -> i64 {
    match reply {
        redis::Reply::Int(number) => number,
        other => unreachable!("an integer: {other:?}"),
    }
}

fn yes(reply: redis::Reply) -> bool {
    int(reply) > 0
}

/// A reply to come, and how it reads. Dropping it takes nothing back.
pub struct Answer<T> {
    reply: kernel::Reply<Servers>,
    read: fn(redis::Reply) -> T,
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(reply) = Pin::new(&mut self.reply).poll(cx) else { return Poll::Pending };
        Poll::Ready(match reply {
            Ok(servers::Reply::Redis(redis::Reply::Error(error))) => Err(Error::Redis(error)),
            Ok(servers::Reply::Redis(reply)) => Ok((self.read)(reply)),
            Ok(_) => unreachable!("Redis answers a command as Redis"),
            Err(Closed::Here | Closed::Broken) => Err(Error::Closed),
        })
    }
}
