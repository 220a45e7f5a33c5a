//! A hash: fields with values.
//!
//! A small one is a listpack in Redis, which shows in its order: that in which the fields came. Once
//! too large, it is a hash table for good, and its order means nothing. No field expires by itself.

use std::fmt;
use std::hash::BuildHasherDefault;

use super::bytes::{Bytes, FrozenHasher};
use super::value::Small;

type Fields = indexmap::IndexMap<Bytes, Bytes, BuildHasherDefault<FrozenHasher>>;

/// A hash. The default has no fields.
#[derive(Clone, Default)]
pub struct Hash {
    fields: Fields,
    /// It was once too large for a listpack.
    large: bool,
}

/// Equal fields with equal values, in any order.
impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

/// Fields with their values, in order.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.fields).finish()
    }
}

impl Hash {
    /// What it is in Redis: see OBJECT ENCODING.
    pub(super) fn encoding(&self) -> &'static str {
        if self.large { "hashtable" } else { "listpack" }
    }

    /// Whether it is a hash table in Redis.
    pub(super) fn is_large(&self) -> bool {
        self.large
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&Bytes> {
        self.fields.get(field)
    }

    /// The fields with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Bytes, &Bytes)> + Default + use<'_> {
        self.fields.iter()
    }

    /// The field with this place: in a large hash a field keeps its place until another is removed,
    /// and may then come before it only. For HSCAN and random fields.
    pub(super) fn at(&self, place: usize) -> Option<(&Bytes, &Bytes)> {
        self.fields.get_index(place)
    }

    /// Sets a field, which keeps its place if it is there; whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, field: Bytes, value: Bytes, small: Small) -> bool {
        let longest = field.len().max(value.len());
        let new = self.fields.insert(field, value).is_none();
        self.large |= !small.fits(self.fields.len(), longest);
        new
    }

    /// Sets a field, as [`Hash::insert`].
    #[inline]
    pub(super) fn set(&mut self, field: &[u8], value: Bytes, small: Small) {
        match self.fields.get_mut(field) {
            None => {
                self.insert(Bytes::from(field), value, small);
            }
            Some(old) => {
                self.large |= value.len() > small.bytes;
                *old = value;
            }
        }
    }

    /// Removes a field; whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        if self.large {
            self.fields.swap_remove(field).is_some()
        } else {
            self.fields.shift_remove(field).is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Small = Small { entries: 3, bytes: 4 };

    fn shown(hash: &Hash) -> String {
        hash.iter().map(|(field, value)| format!("{field}{value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_small_hash_keeps_the_order_of_insertion() {
        let mut hash = Hash::default();
        for (field, value) in [("c", "1"), ("a", "2"), ("b", "3"), ("c", "4")] {
            hash.insert(field.into(), value.into(), SMALL);
        }
        assert_eq!((shown(&hash).as_str(), hash.encoding()), ("c4 a2 b3", "listpack"));
        assert!(hash.remove(b"c") && !hash.remove(b"c"));
        assert_eq!(shown(&hash), "a2 b3");
    }

    #[test]
    fn a_hash_once_large_stays_so() {
        let [mut long, mut many] = [Hash::default(), Hash::default()];
        long.insert("a".into(), "12345".into(), SMALL);
        long.insert("a".into(), "1".into(), SMALL);
        for field in ["a", "b", "c", "d"] {
            assert!(!many.is_large());
            many.insert(field.into(), "1".into(), SMALL);
        }
        many.remove(b"a");
        assert_eq!((long.encoding(), many.encoding()), ("hashtable", "hashtable"));
        assert_eq!(many.len(), 3);
    }
}
