//! The commands on streams: XADD, XTRIM, XLEN.
//!
//! Ids are always `*`. Not modelled: NOMKSTREAM, MINID, LIMIT, reading (a digest reads
//! [`Stream::iter`]), and consumer groups.

use super::bytes::{Bytes, Key};
use super::db::Db;
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::stream::{MaxLen, Stream, StreamId};
use super::table::Spec;
use super::table::flag::{FAST, READONLY};

pub(super) const COMMANDS: &[Spec] = &[Spec::new("xlen", 2, READONLY | FAST, (1, 1, 1), xlen)];

/// XLEN.
fn xlen(call: &mut Call<'_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::int(call.db().xlen(&key)?))
}

impl Db {
    /// XADD with `*`: appends an entry, then trims if told to; the new entry's id.
    ///
    /// Ids increase even when the clock steps back.
    pub fn xadd(
        &mut self,
        key: &Key,
        pairs: Vec<(Bytes, Bytes)>,
        maxlen: Option<MaxLen>,
    ) -> Result<StreamId, Error> {
        let now = u64::try_from(self.now_ms).unwrap_or(0);
        self.upsert(key, |stream: &mut Box<Stream>, dirty| {
            let id = stream.add(now, pairs);
            if let Some(maxlen) = maxlen {
                stream.trim(maxlen);
            }
            // Trimming within XADD is not counted apart.
            *dirty += 1;
            id
        })
    }

    /// XTRIM: shortens the stream from its old end; how many entries went. The key stays even if
    /// none is left.
    pub fn xtrim(&mut self, key: &Key, maxlen: MaxLen) -> Result<usize, Error> {
        let gone = self.modify(key, |stream: &mut Box<Stream>, dirty| {
            let gone = stream.trim(maxlen);
            *dirty += gone as u64;
            gone
        })?;
        Ok(gone.unwrap_or(0))
    }

    /// XLEN: the number of entries.
    pub fn xlen(&self, key: &Key) -> Result<usize, Error> {
        Ok(self.read::<Box<Stream>>(key)?.map_or(0, |stream| stream.len()))
    }

    /// The stream at `key`, for what looks at its entries.
    pub fn stream(&self, key: &Key) -> Result<Option<&Stream>, Error> {
        Ok(self.read::<Box<Stream>>(key)?.map(|stream| &**stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xadd_trims_and_xtrim_leaves_the_key() {
        let (mut db, key) = (Db::new(), Key::from("events"));
        db.set_now(1_700_000_000_000);
        let pair = || vec![(Bytes::from("event"), Bytes::from("drained"))];
        for _ in 0..5 {
            db.xadd(&key, pair(), Some(MaxLen::Exact(3))).unwrap();
        }
        assert_eq!((db.xlen(&key), db.dirty()), (Ok(3), 5));
        let last = db.stream(&key).unwrap().map(|stream| stream.last_id().to_string());
        assert_eq!(last.as_deref(), Some("1700000000000-4"));
        assert_eq!(db.xtrim(&key, MaxLen::Exact(0)), Ok(3));
        assert_eq!((db.type_name(&key), db.xlen(&key)), ("stream", Ok(0)));
        assert_eq!(db.incr(&key), Err(Error::WrongType));
    }
}
