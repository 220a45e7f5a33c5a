//! The commands that a simulated client sends by itself, outside a queue's scripts, with types.
//!
//! They do what the commands of the same name in [`table`] do, without text to read: errors of arity
//! and syntax cannot be expressed. Replies have the shapes of protocol version 2. EVAL is not here: a script is a closure, see [`Redis::script`]. The two
//! scripts that every library of locks sends are commands of their own, by what they do.
//!
//! [`table`]: super::table
//! [`Redis::script`]: super::Redis::script

use std::rc::Rc;

use super::bytes::{Bytes, Key};
use super::db::Db;
use super::error::Error;
use super::reply::Reply;
use super::strings::SetOptions;

/// What INFO says, as far as a client of a queue reads it: which server, and how it evicts.
const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\r\n\
                    # Memory\r\nmaxmemory_policy:noeviction\r\n";

/// A command of a client.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// INFO.
    Info,
    /// CLIENT SETNAME.
    ClientSetname(Bytes),
    /// PING.
    Ping,
    /// QUIT: the caller closes the connection once it has the reply.
    Quit,
    /// GET.
    Get(Key),
    /// SET.
    Set {
        /// The key.
        key: Key,
        /// The string.
        value: Bytes,
        /// PX, NX and the like.
        options: SetOptions,
    },
    /// DEL of one or more keys.
    Del(Vec<Key>),
    /// EXISTS of one key.
    Exists(Key),
    /// HSET of one or more fields.
    HSet {
        /// The key.
        key: Key,
        /// Fields with values.
        pairs: Vec<(Bytes, Bytes)>,
    },
    /// HGET.
    HGet {
        /// The key.
        key: Key,
        /// The field.
        field: Bytes,
    },
    /// HGETALL.
    HGetAll(Key),
    /// HDEL of one or more fields.
    HDel {
        /// The key.
        key: Key,
        /// The fields.
        fields: Vec<Bytes>,
    },
    /// ZRANGE by rank.
    ZRange {
        /// The key.
        key: Key,
        /// The first rank; negative: from the end.
        start: i64,
        /// The last rank, included; negative: from the end.
        stop: i64,
        /// WITHSCORES: each member is followed by its score.
        withscores: bool,
    },
    /// ZREVRANGE: as ZRANGE, descending.
    ZRevRange {
        /// The key.
        key: Key,
        /// The first rank from the greatest; negative: from the least.
        start: i64,
        /// The last rank, included.
        stop: i64,
        /// WITHSCORES: each member is followed by its score.
        withscores: bool,
    },
    /// ZSCORE.
    ZScore {
        /// The key.
        key: Key,
        /// The member.
        member: Bytes,
    },
    /// ZCARD.
    ZCard(Key),
    /// LLEN.
    LLen(Key),
    /// LRANGE.
    LRange {
        /// The key.
        key: Key,
        /// The first index; negative: from the end.
        start: i64,
        /// The last index, included; negative: from the end.
        stop: i64,
    },
    /// BZPOPMIN: the first element of the first key that has one, or wait for one.
    BZPopMin {
        /// The keys, looked at in this order.
        keys: Rc<[Key]>,
        /// How long to wait at most, in milliseconds; 0 is for ever. (The wire has seconds, of
        /// which Redis takes the milliseconds rounded up.)
        timeout_ms: u64,
    },
    /// INCR.
    Incr(Key),
    /// INCRBY.
    IncrBy {
        /// The key.
        key: Key,
        /// What is added.
        by: i64,
    },
    /// PTTL.
    Pttl(Key),
    /// PEXPIRE without options.
    PExpire {
        /// The key.
        key: Key,
        /// How many milliseconds it has to live.
        ms: i64,
    },
    /// PERSIST.
    Persist(Key),
    /// The script that gives a lock back: DEL if GET gives this value.
    DelIfEqual {
        /// The key.
        key: Key,
        /// The value.
        value: Bytes,
    },
    /// The script that renews a lock: PEXPIRE if GET gives this value.
    PExpireIfEqual {
        /// The key.
        key: Key,
        /// The value.
        value: Bytes,
        /// How many milliseconds the key has to live.
        ms: i64,
    },
}

/// Elements of a sorted set as the flat array of version 2.
fn elements<'a>(elements: impl Iterator<Item = (&'a Bytes, f64)>, withscores: bool) -> Reply {
    let mut replies = Vec::new();
    for (member, score) in elements {
        replies.push(Reply::Bulk(member.clone()));
        if withscores {
            replies.push(Reply::Double(score));
        }
    }
    Reply::Array(replies)
}

impl Command {
    /// The names of all commands, as in Redis's documentation, in the order of
    /// [`Command::index`]. A script is called by what it does.
    pub const NAMES: [&'static str; 26] = [
        "INFO",
        "CLIENT SETNAME",
        "PING",
        "QUIT",
        "GET",
        "SET",
        "DEL",
        "EXISTS",
        "HSET",
        "HGET",
        "HGETALL",
        "HDEL",
        "ZRANGE",
        "ZREVRANGE",
        "ZSCORE",
        "ZCARD",
        "LLEN",
        "LRANGE",
        "BZPOPMIN",
        "INCR",
        "INCRBY",
        "PTTL",
        "PEXPIRE",
        "PERSIST",
        "EVAL get-and-del",
        "EVAL get-and-pexpire",
    ];

    /// Which command this is: an index into [`Command::NAMES`].
    pub fn index(&self) -> u16 {
        match self {
            Command::Info => 0,
            Command::ClientSetname(_) => 1,
            Command::Ping => 2,
            Command::Quit => 3,
            Command::Get(_) => 4,
            Command::Set { .. } => 5,
            Command::Del(_) => 6,
            Command::Exists(_) => 7,
            Command::HSet { .. } => 8,
            Command::HGet { .. } => 9,
            Command::HGetAll(_) => 10,
            Command::HDel { .. } => 11,
            Command::ZRange { .. } => 12,
            Command::ZRevRange { .. } => 13,
            Command::ZScore { .. } => 14,
            Command::ZCard(_) => 15,
            Command::LLen(_) => 16,
            Command::LRange { .. } => 17,
            Command::BZPopMin { .. } => 18,
            Command::Incr(_) => 19,
            Command::IncrBy { .. } => 20,
            Command::Pttl(_) => 21,
            Command::PExpire { .. } => 22,
            Command::Persist(_) => 23,
            Command::DelIfEqual { .. } => 24,
            Command::PExpireIfEqual { .. } => 25,
        }
    }

    /// The name of the command, as in Redis's documentation.
    pub fn name(&self) -> &'static str {
        Command::NAMES[usize::from(self.index())]
    }

    /// Carries the command out; `None` if it is a BZPOPMIN that finds nothing.
    pub(super) fn run(&self, db: &mut Db) -> Result<Option<Reply>, Error> {
        if let Command::BZPopMin { keys, .. } = self {
            return pop_any(db, keys);
        }
        self.answer(db).map(Some)
    }

    fn answer(&self, db: &mut Db) -> Result<Reply, Error> {
        Ok(match self {
            Command::Info => Reply::Bulk(Bytes::from(INFO)),
            Command::ClientSetname(name) => {
                if !name.iter().all(u8::is_ascii_graphic) {
                    return Err(Error::InvalidClientName);
                }
                Reply::OK
            }
            Command::Ping => Reply::Status("PONG"),
            Command::Quit => Reply::OK,
            Command::Get(key) => Reply::bulk(db.get(key)?),
            Command::Set { key, value, options } => {
                if db.set(key, value.clone(), *options)? {
                    Reply::OK
                } else {
                    Reply::Nil
                }
            }
            Command::Del(keys) => Reply::int(db.del_many(keys)),
            Command::Exists(key) => Reply::Int(i64::from(db.exists(key))),
            Command::HSet { key, pairs } => Reply::int(db.hset_many(key, pairs.iter().cloned())?),
            Command::HGet { key, field } => Reply::bulk(db.hget(key, field)?),
            Command::HGetAll(key) => {
                let pairs = db.hgetall(key)?;
                let parts = pairs.flat_map(|(field, value)| [field, value]);
                Reply::Array(parts.map(|part| Reply::Bulk(part.clone())).collect())
            }
            Command::HDel { key, fields } => {
                Reply::int(db.hdel_many(key, fields.iter().map(Bytes::as_bytes))?)
            }
            Command::ZRange { key, start, stop, withscores } => {
                elements(db.zrange(key, *start, *stop)?, *withscores)
            }
            Command::ZRevRange { key, start, stop, withscores } => {
                elements(db.zrevrange(key, *start, *stop)?, *withscores)
            }
            Command::ZScore { key, member } => {
                db.zscore(key, member)?.map_or(Reply::Nil, Reply::Double)
            }
            Command::ZCard(key) => Reply::int(db.zcard(key)?),
            Command::LLen(key) => Reply::int(db.llen(key)?),
            Command::LRange { key, start, stop } => {
                let elements = db.lrange(key, *start, *stop)?;
                Reply::Array(elements.map(|element| Reply::Bulk(element.clone())).collect())
            }
            Command::Incr(key) => Reply::Int(db.incr(key)?),
            Command::IncrBy { key, by } => Reply::Int(db.incrby(key, *by)?),
            Command::Pttl(key) => Reply::Int(db.pttl(key)),
            Command::PExpire { key, ms } => Reply::Int(i64::from(db.pexpire(key, *ms)?)),
            Command::Persist(key) => Reply::Int(i64::from(db.persist(key))),
            Command::DelIfEqual { key, value } => {
                Reply::Int(i64::from(db.del_if_equal(key, value)?))
            }
            Command::PExpireIfEqual { key, value, ms } => {
                Reply::Int(i64::from(db.pexpire_if_equal(key, value, *ms)?))
            }
            Command::BZPopMin { .. } => unreachable!("`run` answers it"),
        })
    }
}

/// Pops the first element of the first of `keys` that has one. A key of another type that comes
/// before it is an error.
fn pop_any(db: &mut Db, keys: &[Key]) -> Result<Option<Reply>, Error> {
    for key in keys {
        if let Some((member, score)) = db.zpopmin(key)? {
            return Ok(Some(popped(key, member, score)));
        }
    }
    Ok(None)
}

/// BZPOPMIN's reply.
pub(super) fn popped(key: &Key, member: Bytes, score: f64) -> Reply {
    let key = Reply::Bulk(key.bytes().clone());
    Reply::Array(vec![key, Reply::Bulk(member), Reply::Double(score)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(db: &mut Db, command: &Command) -> Reply {
        command.run(db).map(|reply| reply.expect("it does not block")).into()
    }

    fn bulk(text: &str) -> Reply {
        Reply::Bulk(Bytes::from(text))
    }

    #[test]
    fn commands_answer_in_the_shapes_of_the_protocol() {
        let (mut db, key) = (Db::new(), Key::from("h"));
        let pairs = vec![("b".into(), "2".into()), ("a".into(), "1".into())];
        let hset = Command::HSet { key: key.clone(), pairs };
        assert_eq!((hset.name(), reply(&mut db, &hset)), ("HSET", Reply::Int(2)));
        let all = reply(&mut db, &Command::HGetAll(key.clone()));
        assert_eq!(all, Reply::Array(["b", "2", "a", "1"].map(bulk).into()));
        let no = Command::HGet { key: key.clone(), field: "c".into() };
        assert_eq!(reply(&mut db, &no), Reply::Nil);
        assert_eq!(reply(&mut db, &Command::LLen(key)), Reply::Error(Error::WrongType));
        assert_eq!(reply(&mut db, &Command::Ping), Reply::Status("PONG"));
        let named = Command::ClientSetname("a b".into());
        assert_eq!(reply(&mut db, &named), Reply::Error(Error::InvalidClientName));
    }

    /// The replies of the real server to the same commands in this order.
    #[test]
    fn counters_and_lives_answer_in_integers() {
        let (mut db, n, none) = (Db::new(), Key::from("n"), Key::from("none"));
        let commands = [
            (Command::Incr(n.clone()), 1),
            (Command::IncrBy { key: n.clone(), by: 5 }, 6),
            (Command::Persist(n.clone()), 0),
            (Command::PExpire { key: n.clone(), ms: 9_000 }, 1),
            (Command::Persist(n.clone()), 1),
            (Command::Pttl(n.clone()), -1),
            (Command::Pttl(none.clone()), -2),
            (Command::PExpire { key: none.clone(), ms: 5 }, 0),
            (Command::PExpireIfEqual { key: n.clone(), value: "7".into(), ms: 5 }, 0),
            (Command::PExpireIfEqual { key: n.clone(), value: "6".into(), ms: 5 }, 1),
            (Command::DelIfEqual { key: n.clone(), value: "7".into() }, 0),
            (Command::DelIfEqual { key: n.clone(), value: "6".into() }, 1),
            (Command::Exists(n), 0),
        ];
        for (command, expected) in commands {
            assert_eq!(reply(&mut db, &command), Reply::Int(expected), "{}", command.name());
        }
    }

    #[test]
    fn scores_come_only_when_asked_for() {
        let (mut db, key) = (Db::new(), Key::from("z"));
        db.zadd_many(&key, [("a".into(), 1.0), ("b".into(), 2.0)]).unwrap();
        let (start, stop) = (0, -1);
        let plain = Command::ZRange { key: key.clone(), start, stop, withscores: false };
        assert_eq!(reply(&mut db, &plain), Reply::Array(vec![bulk("a"), bulk("b")]));
        let scored = Command::ZRevRange { key, start, stop: 0, withscores: true };
        assert_eq!(reply(&mut db, &scored), Reply::Array(vec![bulk("b"), Reply::Double(2.0)]));
    }
}
