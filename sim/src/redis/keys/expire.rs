//! Deadlines of keys: EXPIRE and its kind, TTL and its kind, PERSIST.

use crate::redis::args;
use crate::redis::bytes::Bytes;
use crate::redis::db::Class;
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};

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

#[cfg(test)]
mod tests {
    use super::*;

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
