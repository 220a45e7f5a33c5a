//! A set: members without values.
//!
//! Integers alone, and not too many, are an intset in Redis, which shows in its order: that of the
//! numbers. Any other set is a hash table for good, and its order means nothing.

use std::fmt;
use std::hash::BuildHasherDefault;

use super::bytes::{Bytes, FrozenHasher, parse_int};

type Members = indexmap::IndexSet<Bytes, BuildHasherDefault<FrozenHasher>>;

/// A set. The default has no members.
#[derive(Clone)]
pub struct Set(Inside);

#[derive(Clone)]
enum Inside {
    /// The numbers in order, each with its text.
    Ints(Vec<(i64, Bytes)>),
    Table(Members),
}

impl Default for Set {
    fn default() -> Self {
        Set(Inside::Ints(Vec::new()))
    }
}

/// Equal members, in any order.
impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|member| other.contains(member))
    }
}

/// The members, in order.
impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Set {
    /// What it is in Redis: see OBJECT ENCODING.
    pub(super) fn encoding(&self) -> &'static str {
        if self.is_large() { "hashtable" } else { "intset" }
    }

    /// Whether it is a hash table in Redis.
    pub(super) fn is_large(&self) -> bool {
        matches!(self.0, Inside::Table(_))
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        match &self.0 {
            Inside::Ints(ints) => ints.len(),
            Inside::Table(members) => members.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `member` is there.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Inside::Ints(ints) => parse_int(member).is_some_and(|int| find(ints, int).is_ok()),
            Inside::Table(members) => members.contains(member),
        }
    }

    /// The members.
    pub fn iter(&self) -> Iter<'_> {
        Iter { set: Some(self), at: 0 }
    }

    /// The member with this place: in a hash table a member keeps its place until another is
    /// removed, and may then come before it only. For SSCAN and random members.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Option<&Bytes> {
        match &self.0 {
            Inside::Ints(ints) => ints.get(place).map(|(_, text)| text),
            Inside::Table(members) => members.get_index(place),
        }
    }

    /// Adds a member; whether it is new. `most` integers may be an intset.
    #[inline]
    pub(super) fn insert(&mut self, member: Bytes, most: usize) -> bool {
        match &mut self.0 {
            Inside::Table(members) => members.insert(member),
            Inside::Ints(ints) => match parse_int(&member).map(|int| (int, find(ints, int))) {
                Some((_, Ok(_))) => false,
                Some((int, Err(at))) if ints.len() < most => {
                    ints.insert(at, (int, member));
                    true
                }
                _ => {
                    let ints = std::mem::take(ints).into_iter().map(|(_, text)| text);
                    self.0 = Inside::Table(ints.chain([member]).collect());
                    true
                }
            },
        }
    }

    /// Removes a member; whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Inside::Table(members) => members.swap_remove(member),
            Inside::Ints(ints) => {
                let at = parse_int(member).and_then(|int| find(ints, int).ok());
                at.map(|at| ints.remove(at)).is_some()
            }
        }
    }

    /// Removes and returns the member with a place.
    pub(super) fn take_at(&mut self, place: usize) -> Option<Bytes> {
        match &mut self.0 {
            Inside::Table(members) => members.swap_remove_index(place),
            Inside::Ints(ints) if place < ints.len() => Some(ints.remove(place).1),
            Inside::Ints(_) => None,
        }
    }
}

/// Where an integer is, or would be.
#[inline]
fn find(ints: &[(i64, Bytes)], int: i64) -> Result<usize, usize> {
    ints.binary_search_by_key(&int, |(other, _)| *other)
}

/// The members of a set. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Iter<'a> {
    set: Option<&'a Set>,
    at: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Bytes;

    #[inline]
    fn next(&mut self) -> Option<&'a Bytes> {
        let member = self.set?.at(self.at)?;
        self.at += 1;
        Some(member)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.set.map_or(0, |set| set.len() - self.at);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[&str]) -> Set {
        let mut set = Set::default();
        for member in members {
            set.insert(Bytes::from(*member), 3);
        }
        set
    }

    #[test]
    fn integers_are_sorted_as_numbers() {
        let mut ints = set(&["10", "9", "-1", "9"]);
        assert_eq!(ints.iter().map(Bytes::to_string).collect::<Vec<_>>(), ["-1", "9", "10"]);
        assert!(ints.contains(b"10") && !ints.contains(b"010") && !ints.contains(b"x"));
        assert_eq!((ints.take_at(0), ints.take_at(5)), (Some("-1".into()), None));
        assert!(ints.remove(b"9") && !ints.remove(b"9") && ints.encoding() == "intset");
    }

    #[test]
    fn another_member_or_too_many_make_a_table() {
        for members in [["1", "2", "3", "4"], ["1", "2", "3", "03"]] {
            let mut table = set(&members);
            assert_eq!((table.encoding(), table.len()), ("hashtable", 4));
            assert!(members.iter().all(|member| table.contains(member.as_bytes())));
            table.remove(members[3].as_bytes());
            assert_eq!(table.encoding(), "hashtable");
            assert_eq!(table, set(&members[..3]));
        }
    }
}
