//! Deadlines of keys: EXPIRE and its kind, TTL and its kind, PERSIST.

use crate::redis::args;
use crate::redis::bytes::{Bytes, Key};
use crate::redis::db::Class;
use crate::redis::error::Error;
use crate::redis::facts;
use crate::redis::mutants::{Mutant, planted};
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call, Server};
use crate::redis::table::{Known, flag};

/// NX, XX, GT and LT: on what condition a deadline is changed.
#[derive(Clone, Copy, Debug, Default)]
struct When {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl When {
    fn read(words: &[Bytes]) -> Result<When, Error> {
        let mut when = When::default();
        for word in words {
            let flag = match () {
                () if args::is(word, "nx") => &mut when.nx,
                () if args::is(word, "xx") => &mut when.xx,
                () if args::is(word, "gt") => &mut when.gt,
                () if args::is(word, "lt") => &mut when.lt,
                () => {
                    let word = String::from_utf8_lossy(word).replace(['\r', '\n'], " ");
                    return Err(Error::line(format!("ERR Unsupported option {word}")));
                }
            };
            *flag = true;
        }
        if when.nx && (when.xx || when.gt || when.lt) {
            return Err(Error::Text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if when.gt && when.lt {
            return Err(Error::Text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(when)
    }

    /// Whether the old deadline allows the new one. A key without one lives for ever.
    fn allows(self, old: Option<i64>, new: i64) -> bool {
        let forbidden = (self.nx && old.is_some())
            || (self.xx && old.is_none())
            || (self.gt && old.is_none_or(|old| new <= old))
            || (self.lt && old.is_some_and(|old| new >= old));
        !forbidden
    }
}

/// EXPIRE.
pub(super) fn expire(call: &mut Call<'_>) -> Answer {
    change(call, true, 1000, "expire")
}

/// PEXPIRE.
pub(super) fn pexpire(call: &mut Call<'_>) -> Answer {
    change(call, true, 1, "pexpire")
}

/// EXPIREAT.
pub(super) fn expireat(call: &mut Call<'_>) -> Answer {
    change(call, false, 1000, "expireat")
}

/// PEXPIREAT.
pub(super) fn pexpireat(call: &mut Call<'_>) -> Answer {
    change(call, false, 1, "pexpireat")
}

/// Sets a deadline, given in units of so many milliseconds from now or from the epoch. One that is
/// over already deletes the key.
fn change(call: &mut Call<'_>, from_now: bool, unit: i64, command: &'static str) -> Answer {
    let when = When::read(&call.args[3..])?;
    let number = args::int(&call.args[2])?;
    let key = call.key(1);
    let db = call.db();
    let since = if from_now { db.now_ms } else { 0 };
    let deadline = number.checked_mul(unit).and_then(|span| span.checked_add(since));
    let deadline = deadline.ok_or(Error::InvalidExpire(command))?;
    let Some(entry) = db.entry(&key) else { return Ok(Reply::Int(0)) };
    if !when.allows(entry.deadline, deadline) {
        return Ok(Reply::Int(0));
    }
    if deadline <= db.now_ms {
        db.del(&key);
    } else {
        db.set_deadline(&key, Some(deadline));
        db.notify(Class::Generic, "expire", &key);
        db.dirty += 1;
    }
    Ok(Reply::Int(1))
}

/// PERSIST.
pub(super) fn persist(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::flag(call.db().persist(&key)))
}

/// TTL.
pub(super) fn ttl(call: &mut Call<'_>) -> Answer {
    tell(call, true, 1000)
}

/// PTTL.
pub(super) fn pttl(call: &mut Call<'_>) -> Answer {
    tell(call, true, 1)
}

/// EXPIRETIME.
pub(super) fn expiretime(call: &mut Call<'_>) -> Answer {
    tell(call, false, 1000)
}

/// PEXPIRETIME.
pub(super) fn pexpiretime(call: &mut Call<'_>) -> Answer {
    tell(call, false, 1)
}

/// Tells a deadline in units of so many milliseconds, rounded to the nearest.
fn tell(call: &mut Call<'_>, from_now: bool, unit: i64) -> Answer {
    let key = call.key(1);
    let db = call.db();
    let Some(entry) = db.entry(&key) else { return Ok(Reply::Int(-2)) };
    let Some(deadline) = entry.deadline else { return Ok(Reply::Int(-1)) };
    let ms = if from_now { deadline - db.now_ms } else { deadline };
    Ok(Reply::Int(if unit == 1 { ms } else { ms.wrapping_add(unit / 2) / unit }))
}

impl Server {
    /// Removes those keys of a command that only reads whose deadline has passed. It is outside the
    /// command: hardly ever is there one, and then DBSIZE and the listeners can tell.
    #[cold]
    pub(in crate::redis) fn bury_what_is_read(
        &mut self,
        known: &Known,
        args: &[Bytes],
        number: usize,
    ) {
        // That fault is in commands that do not ask whether a key is dead.
        if !known.spec.is(flag::READONLY) || planted(Mutant::R3) {
            return;
        }
        let Some(facts) = facts::of(&known.name) else { return };
        for place in facts.keys.iter().filter_map(|keys| keys.places(args)).flatten() {
            self.dbs[number].bury(&Key::from(args[place].clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::redis::{ClientId, Redis};

    fn run(redis: &mut Redis, client: u32, words: &str, ms: i64) -> Reply {
        let args: Vec<Bytes> = words.split(' ').map(Bytes::from).collect();
        redis.request(ClientId(client), &args, Instant::from_ms(ms)).expect("it does not wait")
    }

    #[test]
    fn a_dead_key_goes_when_it_is_read() {
        let mut redis = Redis::new();
        run(&mut redis, 0, "CONFIG SET notify-keyspace-events Ex", 0);
        run(&mut redis, 1, "PSUBSCRIBE *", 0);
        redis.served().for_each(drop);
        for key in ["a", "b", "c"] {
            run(&mut redis, 0, &format!("SET {key} 1 PX 10"), 0);
        }
        assert_eq!(run(&mut redis, 0, "DBSIZE", 11), Reply::Int(3));
        assert_eq!(run(&mut redis, 0, "MGET a b", 11), Reply::Array(vec![Reply::Nil, Reply::Nil]));
        assert_eq!(run(&mut redis, 0, "DBSIZE", 11), Reply::Int(1));
        let told = redis.served().map(|(_, reply)| match reply {
            Reply::Push(words) => words.last().cloned(),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [Some("a".into()), Some("b".into())]);
    }

    #[test]
    fn swapdb_is_no_change_where_what_is_dead_takes_the_place_of_nothing() {
        for (before, changed) in [(&[][..], false), (&["SET x 1"][..], true)] {
            let mut redis = Redis::new();
            for words in ["DEBUG SET-ACTIVE-EXPIRE 0", "SET x 1 PX 1", "SELECT 1"] {
                run(&mut redis, 0, words, 0);
            }
            for words in before {
                run(&mut redis, 0, words, 9);
            }
            for words in ["WATCH x", "SWAPDB 0 1", "MULTI", "PING"] {
                run(&mut redis, 0, words, 9);
            }
            let aborted = run(&mut redis, 0, "EXEC", 9) == Reply::NilArray;
            assert_eq!(aborted, changed, "{before:?}");
        }
    }

    #[test]
    fn conditions_compare_with_the_old_deadline() {
        let allows = |words: &str, old, new| {
            let words: Vec<Bytes> = words.split_whitespace().map(Bytes::from).collect();
            When::read(&words).map(|when| when.allows(old, new))
        };
        assert_eq!((allows("nx", None, 5), allows("nx", Some(9), 5)), (Ok(true), Ok(false)));
        assert_eq!((allows("xx", None, 5), allows("XX", Some(9), 5)), (Ok(false), Ok(true)));
        assert_eq!((allows("gt", None, 5), allows("gt", Some(5), 5)), (Ok(false), Ok(false)));
        assert_eq!((allows("lt", None, 5), allows("lt", Some(5), 5)), (Ok(true), Ok(false)));
        assert_eq!(allows("xx gt", Some(4), 5), Ok(true));
        assert!(allows("nx gt", None, 5).is_err() && allows("gt lt", None, 5).is_err());
        let text = allows("foo", None, 5).unwrap_err().to_string();
        assert_eq!(text, "ERR Unsupported option foo");
    }
}
