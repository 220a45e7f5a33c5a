//! Consumer groups of a stream: who was given which entry, when, and how often.
//!
//! Nothing here knows a clock or a command: instants are told.

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::Bytes;
use super::stream::{Marks, StreamId};

/// An entry that was given to a consumer and is not acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pending {
    pub(super) consumer: Bytes,
    /// When it was given last, in milliseconds since the epoch.
    pub(super) time: i64,
    /// How often it was given.
    pub(super) count: i64,
}

/// A consumer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Consumer {
    /// When it last asked for something, in milliseconds since the epoch.
    pub(super) seen: i64,
    /// The entries it was given. More about them is with the group.
    pub(super) pending: BTreeSet<StreamId>,
}

/// A consumer group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    /// The last entry that was given to any consumer.
    pub(super) last_id: StreamId,
    /// How many entries of the stream were ever read, if that can be told.
    pub(super) read: Option<i64>,
    pub(super) pending: BTreeMap<StreamId, Pending>,
    /// By name.
    pub(super) consumers: BTreeMap<Bytes, Consumer>,
}

impl Group {
    /// A group that has read up to `last_id`.
    pub(super) fn new(last_id: StreamId, read: Option<i64>) -> Group {
        Group { last_id, read, pending: BTreeMap::new(), consumers: BTreeMap::new() }
    }

    /// A consumer asks for something; whether it is new.
    pub(super) fn see(&mut self, name: &Bytes, now: i64) -> bool {
        if let Some(consumer) = self.consumers.get_mut(name) {
            consumer.seen = now;
            return false;
        }
        let consumer = Consumer { seen: now, pending: BTreeSet::new() };
        self.consumers.insert(name.clone(), consumer);
        true
    }

    /// Counts an entry as read, if it is the first time.
    pub(super) fn pass(&mut self, id: StreamId, marks: &Marks) {
        if id <= self.last_id {
            return;
        }
        match &mut self.read {
            Some(read) if !marks.has_gap_from(id) => *read = read.wrapping_add(1),
            read if marks.added > 0 => *read = marks.number_of(id),
            _ => {}
        }
        self.last_id = id;
    }

    /// Makes an entry pending with a consumer of this group, and no longer with another.
    pub(super) fn give(&mut self, id: StreamId, name: &Bytes, time: i64, count: i64) {
        let pending = Pending { consumer: name.clone(), time, count };
        if let Some(before) = self.pending.insert(id, pending)
            && before.consumer != *name
            && let Some(consumer) = self.consumers.get_mut(&before.consumer)
        {
            consumer.pending.remove(&id);
        }
        self.consumers.get_mut(name).expect("it was seen before").pending.insert(id);
    }

    /// An entry is pending no longer; whether it was.
    pub(super) fn forget(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumers.get_mut(&pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// Removes a consumer and what is pending with it; how many that were.
    pub(super) fn remove(&mut self, name: &Bytes) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// How many entries of the stream the group has not been given, if that can be told
    /// (`streamReplyWithCGLag`).
    pub(super) fn lag(&self, marks: &Marks) -> Option<i64> {
        let added = marks.added.cast_signed();
        if added == 0 {
            return Some(0);
        }
        let read = match self.read {
            Some(read) if !marks.has_gap_from(self.last_id) => Some(read),
            _ => marks.number_of(self.last_id),
        };
        read.map(|read| added.wrapping_sub(read))
    }
}

impl Marks {
    /// Whether an entry was deleted from `start` on, as far as the stream remembers
    /// (`streamRangeHasTombstones`).
    fn has_gap_from(&self, start: StreamId) -> bool {
        self.len > 0
            && self.max_deleted != StreamId::MIN
            && self.first <= self.max_deleted
            && start <= self.max_deleted
    }

    /// How many entries had been added when the one with this id was, if that can be told
    /// (`streamEstimateDistanceFromFirstEverEntry`).
    fn number_of(&self, id: StreamId) -> Option<i64> {
        let added = self.added.cast_signed();
        let len = i64::try_from(self.len).expect("no stream is that long");
        if added == 0 {
            return Some(0);
        }
        if id == self.last || (len == 0 && id < self.last) {
            return Some(added);
        }
        let whole = self.max_deleted == StreamId::MIN || self.max_deleted < self.first;
        if id > self.last || !whole {
            return None;
        }
        match id.cmp(&self.first) {
            std::cmp::Ordering::Less => Some(added.wrapping_sub(len)),
            std::cmp::Ordering::Equal => Some(added.wrapping_sub(len).wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    #[test]
    fn an_entry_is_pending_with_one_consumer() {
        let mut group = Group::new(id(0), None);
        let [a, b] = ["a", "b"].map(Bytes::from);
        assert!(group.see(&a, 1) && group.see(&b, 1) && !group.see(&a, 2));
        group.give(id(1), &a, 2, 1);
        group.give(id(1), &b, 3, 2);
        assert!(group.consumers[&a].pending.is_empty());
        assert_eq!(group.remove(&a), Some(0));
        assert_eq!((group.remove(&b), group.pending.len()), (Some(1), 0));
        assert!(!group.forget(id(1)));
    }

    #[test]
    fn the_lag_is_unknown_behind_a_deleted_entry() {
        let marks = Marks { len: 3, first: id(1), last: id(4), max_deleted: id(0), added: 3 };
        let mut group = Group::new(id(0), None);
        assert_eq!(group.lag(&marks), Some(3));
        group.pass(id(1), &marks);
        assert_eq!((group.read, group.lag(&marks)), (Some(1), Some(2)));
        let marks = Marks { len: 2, max_deleted: id(2), ..marks };
        assert_eq!(group.lag(&marks), None);
        group.pass(id(3), &marks);
        assert_eq!((group.read, group.lag(&marks)), (Some(2), Some(1)));
    }
}
