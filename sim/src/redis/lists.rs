//! Lists: what their commands do. How the commands are read is in `commands`, waiting in `blocking`.
//!
//! The head of a list has index 0, and -1 is its tail.

mod blocking;
mod commands;

use std::ops::Range;

pub(super) use commands::COMMANDS;

use super::bytes::{Bytes, Key};
use super::db::{Class, Db};
use super::error::Error;
use super::mutants::{Mutant, planted};
use super::value::List;

/// The positions that Redis's `start` and `stop` (inclusive, from the end if negative) mean in a
/// sequence of `len` elements. Empty if they cross.
pub(super) fn positions(start: i64, stop: i64, len: usize) -> Range<usize> {
    let len = i64::try_from(len).expect("no collection has that many elements");
    let start = if start < 0 { start.saturating_add(len).max(0) } else { start };
    let stop = if stop < 0 { stop.saturating_add(len) } else { stop.min(len - 1) };
    if start > stop {
        return 0..0;
    }
    let index = |at: i64| usize::try_from(at).expect("neither end is negative now");
    index(start)..index(stop) + 1
}

/// The position of one index, from the end if negative; `None` if it is outside.
fn position(index: i64, len: usize) -> Option<usize> {
    let at = match usize::try_from(index) {
        Ok(at) => at,
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (at < len).then_some(at)
}

/// An end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

impl End {
    fn push(self, list: &mut List, value: Bytes) {
        match self {
            End::Left => list.push_front(value),
            End::Right => list.push_back(value),
        }
    }

    fn pop(self, list: &mut List) -> Option<Bytes> {
        match self {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        }
    }

    fn peek(self, list: &List) -> Option<&Bytes> {
        match self {
            End::Left => list.front(),
            End::Right => list.back(),
        }
    }

    fn pushed(self) -> &'static str {
        match self {
            End::Left => "lpush",
            End::Right => "rpush",
        }
    }

    fn popped(self) -> &'static str {
        match self {
            End::Left => "lpop",
            End::Right => "rpop",
        }
    }
}

impl Db {
    /// LPUSH: puts elements at the head, one after the other; the length then.
    pub fn lpush(
        &mut self,
        key: &Key,
        values: impl IntoIterator<Item = Bytes>,
    ) -> Result<usize, Error> {
        self.push(key, values, End::Left)
    }

    /// RPUSH: puts elements at the tail, one after the other; the length then.
    pub fn rpush(
        &mut self,
        key: &Key,
        values: impl IntoIterator<Item = Bytes>,
    ) -> Result<usize, Error> {
        self.push(key, values, End::Right)
    }

    /// LPOP: takes the head. The last element takes the key with it.
    pub fn lpop(&mut self, key: &Key) -> Result<Option<Bytes>, Error> {
        self.pop(key, End::Left)
    }

    /// RPOP: takes the tail. The last element takes the key with it.
    pub fn rpop(&mut self, key: &Key) -> Result<Option<Bytes>, Error> {
        self.pop(key, End::Right)
    }

    /// RPOPLPUSH: moves the tail of `from` to the head of `to`, and returns it.
    ///
    /// Within one list this rotates it. If `from` is not there, the type of `to` does not matter.
    #[inline]
    pub fn rpoplpush(&mut self, from: &Key, to: &Key) -> Result<Option<Bytes>, Error> {
        self.lmove(from, to, End::Right, End::Left)
    }

    /// LMOVE: moves an end of one list to an end of another, or of the same.
    pub(super) fn lmove(
        &mut self,
        from: &Key,
        to: &Key,
        take: End,
        put: End,
    ) -> Result<Option<Bytes>, Error> {
        let Some(list) = self.read::<List>(from)? else { return Ok(None) };
        let Some(moved) = take.peek(list).cloned() else { return Ok(None) };
        if from == to {
            self.modify(from, |list: &mut List, dirty| {
                let moved = take.pop(list);
                if !planted(Mutant::R11) {
                    moved.into_iter().for_each(|moved| put.push(list, moved));
                }
                *dirty += 1;
            })?;
            self.notify(Class::List, put.pushed(), to);
            self.notify(Class::List, take.popped(), from);
            return Ok(Some(moved));
        }
        // Redis counts the move as one change.
        self.upsert(to, |list: &mut List, dirty| {
            put.push(list, moved.clone());
            *dirty += 1;
        })?;
        self.notify(Class::List, put.pushed(), to);
        self.modify(from, |list: &mut List, _| take.pop(list))?;
        self.touch(from);
        self.notify(Class::List, take.popped(), from);
        Ok(Some(moved))
    }

    /// LREM: removes up to `count` elements equal to `value` from the head on, from the tail on if
    /// `count` is negative, all of them if it is zero; how many.
    pub fn lrem(&mut self, key: &Key, count: i64, value: &[u8]) -> Result<usize, Error> {
        let gone = self.modify(key, |list: &mut List, dirty| {
            let gone = remove(list, count, value);
            *dirty += gone as u64;
            gone
        })?;
        let gone = gone.unwrap_or(0);
        if gone > 0 {
            self.notify(Class::List, "lrem", key);
        }
        Ok(gone)
    }

    /// LRANGE: the elements from index `start` to index `stop`, both included.
    pub fn lrange(
        &self,
        key: &Key,
        start: i64,
        stop: i64,
    ) -> Result<impl DoubleEndedIterator<Item = &Bytes> + ExactSizeIterator + use<'_>, Error> {
        let list = self.read::<List>(key)?;
        Ok(list.map(|list| list.range(positions(start, stop, list.len()))).unwrap_or_default())
    }

    /// LLEN: the number of elements.
    pub fn llen(&self, key: &Key) -> Result<usize, Error> {
        Ok(self.read::<List>(key)?.map_or(0, List::len))
    }

    /// LTRIM: keeps the elements from index `start` to index `stop`, both included.
    pub fn ltrim(&mut self, key: &Key, start: i64, stop: i64) -> Result<(), Error> {
        let trimmed = self.modify(key, |list: &mut List, dirty| {
            let before = list.len();
            let kept = positions(start, stop, before);
            list.truncate(kept.end);
            list.drain(..kept.start);
            *dirty += (before - list.len()) as u64;
        })?;
        if trimmed.is_some() {
            // Redis tells of a trim that removed nothing, too.
            self.touch(key);
            self.notify(Class::List, "ltrim", key);
        }
        Ok(())
    }

    /// LINDEX: the element at an index.
    pub fn lindex(&self, key: &Key, index: i64) -> Result<Option<&Bytes>, Error> {
        let list = self.read::<List>(key)?;
        Ok(list.and_then(|list| list.get(position(index, list.len())?)))
    }

    /// LSET: replaces the element at an index.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`] if there is no list, [`Error::IndexOutOfRange`].
    pub fn lset(&mut self, key: &Key, index: i64, value: Bytes) -> Result<(), Error> {
        self.modify(key, |list: &mut List, dirty| {
            let at = position(index, list.len()).ok_or(Error::IndexOutOfRange)?;
            list[at] = value;
            *dirty += 1;
            Ok(())
        })?
        .ok_or(Error::NoSuchKey)??;
        self.notify(Class::List, "lset", key);
        Ok(())
    }

    /// LPOS: the index of the first element equal to `value`.
    pub fn lpos(&self, key: &Key, value: &[u8]) -> Result<Option<usize>, Error> {
        let list = self.read::<List>(key)?;
        Ok(list.and_then(|list| list.iter().position(|element| **element == *value)))
    }

    fn push(
        &mut self,
        key: &Key,
        values: impl IntoIterator<Item = Bytes>,
        end: End,
    ) -> Result<usize, Error> {
        let len = self.upsert(key, |list: &mut List, dirty| {
            let before = list.len();
            values.into_iter().for_each(|value| end.push(list, value));
            *dirty += (list.len() - before) as u64;
            list.len()
        })?;
        self.notify(Class::List, end.pushed(), key);
        Ok(len)
    }

    fn pop(&mut self, key: &Key, end: End) -> Result<Option<Bytes>, Error> {
        let popped = self.modify(key, |list: &mut List, dirty| {
            *dirty += 1;
            end.pop(list)
        })?;
        if popped.is_some() {
            self.notify(Class::List, end.popped(), key);
        }
        Ok(popped.flatten())
    }

    /// LPOP and RPOP of up to `count` elements, which is not 0; `None` if there is no list.
    fn pop_many(&mut self, key: &Key, end: End, count: usize) -> Result<Option<Vec<Bytes>>, Error> {
        let popped = self.modify(key, |list: &mut List, dirty| {
            let count = count.min(list.len());
            *dirty += count as u64;
            (0..count).filter_map(|_| end.pop(list)).collect()
        })?;
        if popped.is_some() {
            self.notify(Class::List, end.popped(), key);
        }
        Ok(popped)
    }
}

/// Removes what LREM removes.
fn remove(list: &mut List, count: i64, value: &[u8]) -> usize {
    let equal = |element: &Bytes| element.as_bytes() == value;
    // The usual calls remove one element, from either end: nothing else need move far.
    if count.unsigned_abs() == 1 {
        let at = match count > 0 {
            true => list.iter().position(equal),
            false => list.iter().rposition(equal),
        };
        return usize::from(at.and_then(|at| list.remove(at)).is_some());
    }
    let all = list.iter().filter(|element| equal(element)).count();
    let most = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let gone = if count == 0 { all } else { all.min(most) };
    let spared = if count < 0 { all - gone } else { 0 };
    let mut seen = 0;
    list.retain(|element| {
        if !equal(element) {
            return true;
        }
        seen += 1;
        !(spared < seen && seen <= spared + gone)
    });
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(elements: &str) -> (Db, Key) {
        let (mut db, key) = (Db::new(), Key::from("list"));
        db.rpush(&key, elements.split_whitespace().map(Bytes::from)).unwrap();
        (db, key)
    }

    fn shown(db: &Db, key: &Key) -> String {
        let elements = db.lrange(key, 0, -1).unwrap().map(Bytes::to_string);
        elements.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pushes_and_pops_at_both_ends() {
        let (mut db, key) = list("c");
        assert_eq!(db.lpush(&key, ["b".into(), "a".into()]), Ok(3));
        assert_eq!((db.lpop(&key), db.rpop(&key)), (Ok(Some("a".into())), Ok(Some("c".into()))));
        assert_eq!((db.rpop(&key), db.rpop(&key)), (Ok(Some("b".into())), Ok(None)));
        assert_eq!((db.exists(&key), db.dirty()), (false, 6));
    }

    #[test]
    fn rpoplpush_moves_rotates_and_refuses_before_any_effect() {
        let (mut db, from) = list("a b c");
        let (to, bad) = (Key::from("to"), Key::from("bad"));
        db.sadd(&bad, ["m".into()]).unwrap();
        assert_eq!(db.rpoplpush(&from, &to), Ok(Some("c".into())));
        assert_eq!(db.rpoplpush(&from, &from), Ok(Some("b".into())));
        assert_eq!(db.rpoplpush(&from, &bad), Err(Error::WrongType));
        assert_eq!(db.rpoplpush(&bad, &from), Err(Error::WrongType));
        assert_eq!(db.rpoplpush(&Key::from("none"), &bad), Ok(None));
        assert_eq!((shown(&db, &from), shown(&db, &to)), ("b a".into(), "c".into()));
    }

    #[test]
    fn lrem_counts_from_either_end() {
        for (count, left, gone) in [
            (1, "b a c a", 1),
            (-1, "a b a c", 1),
            (2, "b c a", 2),
            (-2, "a b c", 2),
            (0, "b c", 3),
            (i64::MIN, "b c", 3),
        ] {
            let (mut db, key) = list("a b a c a");
            assert_eq!(db.lrem(&key, count, b"a"), Ok(gone));
            assert_eq!(shown(&db, &key), left, "count {count}");
        }
    }

    #[test]
    fn indexes_may_be_negative_and_out_of_range() {
        let (mut db, key) = list("a b c d");
        let range = |db: &Db, start, stop| db.lrange(&key, start, stop).unwrap().len();
        let lens = [(1, 2), (-2, -1), (-9, 9), (2, 1), (4, 9), (0, -5), (i64::MIN, i64::MAX)]
            .map(|(start, stop)| range(&db, start, stop));
        assert_eq!(lens, [2, 2, 4, 0, 0, 0, 4]);
        assert_eq!(db.lindex(&key, -4).unwrap().cloned(), Some("a".into()));
        assert_eq!((db.lindex(&key, -5), db.lindex(&key, 4)), (Ok(None), Ok(None)));
        assert_eq!(db.lset(&key, 4, "x".into()), Err(Error::IndexOutOfRange));
        assert_eq!(db.lset(&Key::from("no"), 0, "x".into()), Err(Error::NoSuchKey));
        assert_eq!(db.lset(&key, -1, "x".into()), Ok(()));
        assert_eq!((db.lpos(&key, b"x"), db.lpos(&key, b"d")), (Ok(Some(3)), Ok(None)));
        db.ltrim(&key, 1, -2).unwrap();
        assert_eq!((shown(&db, &key), db.llen(&key)), ("b c".into(), Ok(2)));
        db.ltrim(&key, 5, 9).unwrap();
        assert!(!db.exists(&key));
    }
}
