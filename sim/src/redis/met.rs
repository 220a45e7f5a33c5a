//! What commands and scripts meet of the keyspace, for whoever asks which of them could change places
//! without anybody being able to tell. Nothing is noted unless somebody asks.
//!
//! A whole key is met by most; fields of a hash are met one by one; who adds to a stream without
//! reading it meets only those who read it.

use std::cell::RefCell;

use super::bytes::{Key, frozen_hash};

/// How something was met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Only whether and as what it is there: a field of it was looked at.
    Peeked,
    /// All of it was looked at.
    Read,
    /// Something was added or changed that only a look at all of it tells: a field, the end of a
    /// stream.
    Added,
    /// It may have been changed as a whole.
    Written,
}

/// The notes.
#[derive(Clone, Default)]
pub(super) struct Met(Option<RefCell<Vec<(u64, How)>>>);

impl Met {
    /// Takes notes from now on.
    pub(super) fn begin(&mut self) {
        self.0 = Some(RefCell::default());
    }

    /// What was noted since the last call.
    pub(super) fn take(&self) -> Vec<(u64, How)> {
        self.0.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// Whether notes are taken.
    #[inline]
    pub(super) fn notes(&self) -> bool {
        self.0.is_some()
    }

    /// A key was met.
    #[inline]
    pub(super) fn key(&self, key: &Key, how: How) {
        if let Some(notes) = &self.0 {
            note(&mut notes.borrow_mut(), number(key.bytes(), 0), how);
        }
    }

    /// A field of a hash was looked at, or changed.
    #[inline]
    pub(super) fn field(&self, key: &Key, field: &[u8], written: bool) {
        if let Some(notes) = &self.0 {
            let mut notes = notes.borrow_mut();
            let of = number(key.bytes(), 0);
            let (whole, part) =
                if written { (How::Added, How::Written) } else { (How::Peeked, How::Read) };
            note(&mut notes, of, whole);
            note(&mut notes, number(field, of | 1), part);
        }
    }
}

/// Two things that have one number by chance are taken for one: then two orders are played where one
/// would do.
fn number(bytes: &[u8], within: u64) -> u64 {
    frozen_hash(bytes) ^ within.rotate_left(17)
}

fn note(notes: &mut Vec<(u64, How)>, thing: u64, how: How) {
    if !notes.contains(&(thing, how)) {
        notes.push((thing, how));
    }
}
