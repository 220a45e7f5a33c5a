//! Parts of strings: APPEND, STRLEN, GETRANGE, SETRANGE.

use super::Db;
use crate::redis::args;
use crate::redis::bytes::Bytes;
use crate::redis::db::Class;
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};

/// A string may become so long (`checkStringLength`).
fn check_length(db: &Db, length: usize, more: usize) -> Result<(), Error> {
    let total = length.checked_add(more);
    match total.filter(|total| *total <= db.limits.proto_max_bulk_len) {
        Some(_) => Ok(()),
        None => Err(Error::Text("ERR string exceeds maximum allowed size (proto-max-bulk-len)")),
    }
}

/// APPEND.
pub(super) fn append(call: &mut Call<'_>) -> Answer {
    let (key, tail) = (call.key(1), &call.args[2]);
    let db = call.db();
    let length = match db.get(&key)?.map(|held| held.len()) {
        None => {
            db.put(&key, tail.clone(), None);
            tail.len()
        }
        Some(length) => {
            check_length(db, length, tail.len())?;
            db.modify(&key, |held: &mut Bytes, dirty| {
                held.to_mut().extend_from_slice(tail);
                *dirty += 1;
            })?;
            length + tail.len()
        }
    };
    db.notify(Class::String, "append", &key);
    Ok(Reply::int(length))
}

/// STRLEN.
pub(super) fn strlen(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().get(&key)?.map_or(0, |held| held.len())))
}

/// GETRANGE, and SUBSTR, its older name.
pub(super) fn getrange(call: &mut Call<'_>) -> Answer {
    let (start, end) = (args::int(&call.args[2])?, args::int(&call.args[3])?);
    let key = call.key(1);
    let held = call.db().get(&key)?.map(Bytes::as_bytes).unwrap_or_default();
    Ok(Reply::Bulk(Bytes::from(range(held, start, end))))
}

/// The bytes from index `start` to index `end`, both included, counted from the end if negative. An
/// `end` before the front is the front.
fn range(held: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let place = |index: i64| match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => {
            let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            held.len().saturating_sub(back)
        }
    };
    let end = place(end).saturating_add(1).min(held.len());
    held.get(place(start)..end).unwrap_or_default()
}

/// SETRANGE: what is missing before the place becomes zeros.
pub(super) fn setrange(call: &mut Call<'_>) -> Answer {
    let offset = args::int(&call.args[2])?;
    let out_of_range = Error::Text("ERR offset is out of range");
    let offset = usize::try_from(offset).map_err(|_| out_of_range)?;
    let (key, part) = (call.key(1), &call.args[3]);
    let db = call.db();
    let length = db.get(&key)?.map_or(0, |held| held.len());
    if part.is_empty() {
        return Ok(Reply::int(length));
    }
    check_length(db, offset, part.len())?;
    let length = db.upsert(&key, |held: &mut Bytes, dirty| {
        *dirty += 1;
        let held = held.to_mut();
        let end = offset + part.len();
        if held.len() < end {
            held.resize(end, 0);
        }
        held[offset..end].copy_from_slice(part);
        held.len()
    })?;
    db.notify(Class::String, "setrange", &key);
    Ok(Reply::int(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the real server answers.
    #[test]
    fn ranges_are_clipped() {
        let read = |start, end| range(b"Hello World", start, end);
        assert_eq!(read(0, 3), b"Hell");
        assert_eq!(read(-4, -2), b"orl");
        assert_eq!(read(5, 3), b"");
        assert_eq!(read(5, 5000), b" World");
        assert_eq!(read(-5000, 10000), b"Hello World");
        assert_eq!(read(0, -100), b"H");
        assert_eq!(read(-100, -101), b"");
        assert_eq!(read(11, 20), b"");
        assert_eq!(range(b"", 0, 0), b"");
    }
}
