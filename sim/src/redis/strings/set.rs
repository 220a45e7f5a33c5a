//! SET, GET and what they became: SETNX, SETEX, PSETEX, GETSET, GETDEL, GETEX.

use super::{Conditions, Db};
use crate::redis::args;
use crate::redis::bytes::Bytes;
use crate::redis::db::Class;
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};

/// When a key is to expire, as EX, PX, EXAT and PXAT give it.
#[derive(Clone, Copy, Debug)]
struct Expiry<'a> {
    number: &'a Bytes,
    /// The milliseconds of one unit.
    unit: i64,
    /// It counts from now, not from the epoch.
    from_now: bool,
}

impl<'a> Expiry<'a> {
    /// Reads the name of an option.
    fn option(word: &[u8], number: &'a Bytes) -> Option<Self> {
        let (unit, from_now) = match word.len() {
            2 if args::is(word, "ex") => (1000, true),
            2 if args::is(word, "px") => (1, true),
            4 if args::is(word, "exat") => (1000, false),
            4 if args::is(word, "pxat") => (1, false),
            _ => return None,
        };
        Some(Expiry { number, unit, from_now })
    }

    /// The deadline, for a command of this name.
    fn deadline(self, db: &Db, command: &'static str) -> Result<i64, Error> {
        let number = args::int(self.number)?;
        let since = if self.from_now { db.now_ms } else { 0 };
        let deadline = Some(number).filter(|number| *number > 0);
        let deadline =
            deadline.and_then(|number| number.checked_mul(self.unit)?.checked_add(since));
        deadline.ok_or(Error::InvalidExpire(command))
    }
}

/// The options of SET and GETEX.
#[derive(Clone, Copy, Debug, Default)]
struct Options<'a> {
    nx: bool,
    xx: bool,
    get: bool,
    keep_ttl: bool,
    persist: bool,
    expiry: Option<Expiry<'a>>,
}

impl<'a> Options<'a> {
    /// Reads the options of SET, or of GETEX (`parseExtendedStringArgumentsOrReply`). Options that
    /// exclude each other are an error; most may be given twice.
    fn read(words: &'a [Bytes], is_set: bool) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut unit_of_expiry = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let timeless = options.expiry.is_none();
            if is_set && args::is(word, "nx") && !options.xx {
                options.nx = true;
            } else if is_set && args::is(word, "xx") && !options.nx {
                options.xx = true;
            } else if is_set && args::is(word, "get") {
                options.get = true;
            } else if is_set && args::is(word, "keepttl") && timeless {
                options.keep_ttl = true;
            } else if !is_set && args::is(word, "persist") && timeless {
                options.persist = true;
            } else {
                let number = words.next().ok_or(Error::Syntax)?;
                let expiry = Expiry::option(word, number).ok_or(Error::Syntax)?;
                let unit = Some((expiry.unit, expiry.from_now));
                let other = !timeless && unit != unit_of_expiry;
                if options.keep_ttl || options.persist || other {
                    return Err(Error::Syntax);
                }
                unit_of_expiry = unit;
                options.expiry = Some(expiry);
            }
        }
        Ok(options)
    }
}

/// GET.
pub(super) fn get(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::bulk(call.db().get(&key)?))
}

/// SET.
pub(super) fn set(call: &mut Call<'_>) -> Answer {
    if call.args.len() == 3 {
        let (key, value) = (call.key(1), call.args[2].clone());
        call.db().set_under(&key, value, Conditions::default());
        return Ok(Reply::OK);
    }
    let options = Options::read(&call.args[3..], true)?;
    let (done, old) = store(call, 2, options, "set")?;
    Ok(match done {
        _ if options.get => old,
        true => Reply::OK,
        false => Reply::Nil,
    })
}

/// SETNX.
pub(super) fn setnx(call: &mut Call<'_>) -> Answer {
    let options = Options { nx: true, ..Options::default() };
    store(call, 2, options, "setnx").map(|(done, _)| Reply::flag(done))
}

/// SETEX.
pub(super) fn setex(call: &mut Call<'_>) -> Answer {
    let expiry = Some(Expiry { number: &call.args[2], unit: 1000, from_now: true });
    store(call, 3, Options { expiry, ..Options::default() }, "setex").map(|_| Reply::OK)
}

/// PSETEX.
pub(super) fn psetex(call: &mut Call<'_>) -> Answer {
    let expiry = Some(Expiry { number: &call.args[2], unit: 1, from_now: true });
    store(call, 3, Options { expiry, ..Options::default() }, "psetex").map(|_| Reply::OK)
}

/// GETSET.
pub(super) fn getset(call: &mut Call<'_>) -> Answer {
    let options = Options { get: true, ..Options::default() };
    store(call, 2, options, "getset").map(|(_, old)| old)
}

/// Sets the first key to the word at `value`; whether it was done, and with GET what was there.
#[inline]
fn store(
    call: &mut Call<'_>,
    value: usize,
    options: Options<'_>,
    command: &'static str,
) -> Result<(bool, Reply), Error> {
    let (key, value) = (call.key(1), call.args[value].clone());
    let db = call.db();
    let deadline = options.expiry.map(|expiry| expiry.deadline(db, command)).transpose()?;
    let old = if options.get { Reply::bulk(db.look(&key)?) } else { Reply::Nil };
    let Options { nx, xx, keep_ttl, .. } = options;
    let done = db.set_under(&key, value, Conditions { nx, xx, keep_ttl, deadline });
    Ok((done, old))
}

/// GETDEL.
pub(super) fn getdel(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    let db = call.db();
    let old = Reply::bulk(db.look(&key)?);
    db.del(&key);
    Ok(old)
}

/// GETEX: a deadline that is over already deletes the key, if it was given as an instant.
pub(super) fn getex(call: &mut Call<'_>) -> Answer {
    let options = Options::read(&call.args[2..], false)?;
    let key = call.key(1);
    let db = call.db();
    let Some(held) = db.look(&key)?.cloned() else { return Ok(Reply::Nil) };
    if let Some(expiry) = options.expiry {
        let deadline = expiry.deadline(db, "getex")?;
        if !expiry.from_now && deadline <= db.now_ms {
            db.del(&key);
        } else {
            db.set_deadline(&key, Some(deadline));
            db.notify(Class::Generic, "expire", &key);
            db.dirty += 1;
        }
    } else if options.persist {
        db.persist(&key);
    }
    Ok(Reply::Bulk(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str, is_set: bool) -> Result<(), Error> {
        let words: Vec<Bytes> = words.split_whitespace().map(Bytes::from).collect();
        Options::read(&words, is_set).map(|_| ())
    }

    /// As the real server answers.
    #[test]
    fn options_that_exclude_each_other_are_refused() {
        for fine in ["NX GET EX 1", "xx get", "EX 1 EX 2", "KEEPTTL KEEPTTL NX NX", "PXAT 5"] {
            assert_eq!(read(fine, true), Ok(()), "{fine}");
        }
        for wrong in [
            "NX XX",
            "EX 1 PX 1",
            "EX 1 EXAT 1",
            "KEEPTTL EX 1",
            "EX 1 KEEPTTL",
            "EX",
            "PERSIST",
            "FOO 1",
        ] {
            assert_eq!(read(wrong, true), Err(Error::Syntax), "{wrong}");
        }
        assert_eq!((read("PERSIST", false), read("PX 1", false)), (Ok(()), Ok(())));
        for wrong in ["NX", "KEEPTTL", "PERSIST PX 1", "PX 1 PERSIST", "GET"] {
            assert_eq!(read(wrong, false), Err(Error::Syntax), "{wrong}");
        }
    }
}
