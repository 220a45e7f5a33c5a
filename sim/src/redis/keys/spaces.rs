//! Whole databases and what goes between them: COPY, MOVE, SWAPDB, DBSIZE, FLUSHDB, FLUSHALL.

use crate::redis::args;
use crate::redis::bytes::parse_int;
use crate::redis::db::{Class, Entry};
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call, DATABASES};

/// The number of a database; what is no integer is an error of the given text.
fn number(word: &[u8], otherwise: Error) -> Result<usize, Error> {
    let number = parse_int(word).and_then(|number| i32::try_from(number).ok()).ok_or(otherwise)?;
    let number = usize::try_from(number).ok().filter(|number| *number < DATABASES);
    number.ok_or(Error::Text("ERR DB index is out of range"))
}

/// The number of a database, in a command that has no text of its own for what is none.
fn plain_number(word: &[u8]) -> Result<usize, Error> {
    let otherwise = match parse_int(word) {
        None => Error::NotAnInteger,
        Some(_) => {
            Error::Text("ERR value is out of range, value must between -2147483648 and 2147483647")
        }
    };
    number(word, otherwise)
}

const SAME: Error = Error::Text("ERR source and destination objects are the same");

/// COPY.
pub(super) fn copy(call: &mut Call<'_>) -> Answer {
    let (mut replace, mut number) = (false, call.number);
    let mut words = call.args[3..].iter();
    while let Some(word) = words.next() {
        if args::is(word, "replace") {
            replace = true;
        } else if args::is(word, "db") {
            number = plain_number(words.next().ok_or(Error::Syntax)?)?;
        } else {
            return Err(Error::Syntax);
        }
    }
    let (from, to) = (call.key(1), call.key(2));
    if number == call.number && from == to {
        return Err(SAME);
    }
    call.db().miss(&from);
    let Some(entry) = call.db().entry(&from).cloned() else { return Ok(Reply::Int(0)) };
    let target = call.server.db(number);
    if target.exists(&to) {
        if !replace {
            return Ok(Reply::Int(0));
        }
        target.take(&to);
    }
    target.insert(to.clone(), entry);
    target.dirty += 1;
    target.notify(Class::Generic, "copy_to", &to);
    Ok(Reply::Int(1))
}

/// MOVE.
pub(super) fn move_key(call: &mut Call<'_>) -> Answer {
    let number = plain_number(&call.args[2])?;
    if number == call.number {
        return Err(SAME);
    }
    let key = call.key(1);
    if !call.db().exists(&key) || call.server.db(number).exists(&key) {
        return Ok(Reply::Int(0));
    }
    let entry: Entry = call.db().take(&key).expect("it was just there");
    call.server.db(number).insert(key.clone(), entry);
    let source = call.db();
    source.dirty += 1;
    source.notify(Class::Generic, "move_from", &key);
    call.server.db(number).notify(Class::Generic, "move_to", &key);
    Ok(Reply::Int(1))
}

/// SWAPDB: those who wait or watch stay where they are, and find other keys there.
pub(super) fn swapdb(call: &mut Call<'_>) -> Answer {
    let one = number(&call.args[1], Error::Text("ERR invalid first DB index"));
    // What is out of range is found after both are read.
    let unread = |word: &[u8]| parse_int(word).and_then(|n| i32::try_from(n).ok()).is_none();
    if unread(&call.args[2]) && !unread(&call.args[1]) {
        return Err(Error::Text("ERR invalid second DB index"));
    }
    let (one, other) = (one?, number(&call.args[2], Error::Syntax)?);
    if one != other {
        call.server.db(one.max(other));
        call.server.touch_swapped(one, other);
        call.server.touch_swapped(other, one);
        let [first, second] =
            call.server.dbs.get_disjoint_mut([one, other]).expect("both are there and they differ");
        first.swap(second);
    }
    call.db().dirty += 1;
    Ok(Reply::OK)
}

/// DBSIZE: keys that are dead but not swept yet count.
pub(super) fn dbsize(call: &mut Call<'_>) -> Answer {
    Ok(Reply::int(call.db().entries.len()))
}

/// ASYNC and SYNC, which cannot be told from each other.
fn read_flush(call: &Call<'_>) -> Result<(), Error> {
    match &call.args[1..] {
        [] => Ok(()),
        [how] if args::is(how, "async") || args::is(how, "sync") => Ok(()),
        _ => Err(Error::Syntax),
    }
}

/// FLUSHDB.
pub(super) fn flushdb(call: &mut Call<'_>) -> Answer {
    read_flush(call)?;
    call.db().flush();
    Ok(Reply::OK)
}

/// FLUSHALL.
pub(super) fn flushall(call: &mut Call<'_>) -> Answer {
    read_flush(call)?;
    for db in &mut call.server.dbs {
        db.flush();
    }
    Ok(Reply::OK)
}
