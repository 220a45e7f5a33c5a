//! A hash: fields with values.
//!
//! A small one is a listpack in Redis, which shows in its order: that in which the fields came. Once
//! too large, it is a hash table for good, and its order means nothing. No field expires by itself.

use std::fmt;
use std::hash::BuildHasherDefault;

use super::bytes::{Bytes, FrozenHasher};
use super::value::Small;

/// So many fields are found by looking at each, which is quicker than hashing.
const FEW: usize = 16;

type Table = indexmap::IndexMap<Bytes, Bytes, BuildHasherDefault<FrozenHasher>>;

#[derive(Clone)]
enum Fields {
    Few(Vec<(Bytes, Bytes)>),
    Many(Table),
}

/// A hash. The default has no fields.
#[derive(Clone)]
pub struct Hash {
    fields: Fields,
    /// It was once too large for a listpack.
    large: bool,
}

impl Default for Hash {
    fn default() -> Self {
        Hash { fields: Fields::Few(Vec::new()), large: false }
    }
}

/// Equal fields with equal values, in any order.
impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        let same = |(field, value): (&Bytes, &Bytes)| other.get(field) == Some(value);
        self.len() == other.len() && self.iter().all(same)
    }
}

/// Fields with their values, in order.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Where a field is among few.
#[inline]
fn find(fields: &[(Bytes, Bytes)], field: &[u8]) -> Option<usize> {
    fields.iter().position(|(other, _)| other.as_bytes() == field)
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
        match &self.fields {
            Fields::Few(fields) => fields.len(),
            Fields::Many(fields) => fields.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&Bytes> {
        match &self.fields {
            Fields::Few(fields) => find(fields, field).map(|at| &fields[at].1),
            Fields::Many(fields) => fields.get(field),
        }
    }

    #[inline]
    fn get_mut(&mut self, field: &[u8]) -> Option<&mut Bytes> {
        match &mut self.fields {
            Fields::Few(fields) => find(fields, field).map(|at| &mut fields[at].1),
            Fields::Many(fields) => fields.get_mut(field),
        }
    }

    /// The fields with their values.
    pub fn iter(&self) -> Iter<'_> {
        Iter { hash: Some(self), at: 0 }
    }

    /// The field with this place: in a large hash a field keeps its place until another is removed,
    /// and may then come before it only. For HSCAN and random fields.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Option<(&Bytes, &Bytes)> {
        match &self.fields {
            Fields::Few(fields) => fields.get(place).map(|(field, value)| (field, value)),
            Fields::Many(fields) => fields.get_index(place),
        }
    }

    /// Sets a field, which keeps its place if it is there; whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, field: Bytes, value: Bytes, small: Small) -> bool {
        let longest = field.len().max(value.len());
        let old = match &mut self.fields {
            Fields::Few(fields) => match find(fields, &field) {
                Some(at) => Some(std::mem::replace(&mut fields[at].1, value)),
                None if fields.len() < FEW => {
                    fields.push((field, value));
                    None
                }
                None => {
                    let fields = std::mem::take(fields).into_iter();
                    self.fields = Fields::Many(fields.chain([(field, value)]).collect());
                    None
                }
            },
            Fields::Many(fields) => fields.insert(field, value),
        };
        self.large |= !small.fits(self.len(), longest);
        old.is_none()
    }

    /// Sets a field, as [`Hash::insert`].
    #[inline]
    pub(super) fn set(&mut self, field: &[u8], value: Bytes, small: Small) {
        let longest = field.len().max(value.len());
        match self.get_mut(field) {
            Some(old) => {
                *old = value;
                // The limits may have become narrower since the field was added.
                self.large |= !small.fits(self.len(), longest);
            }
            None => {
                self.insert(Bytes::from(field), value, small);
            }
        }
    }

    /// Removes a field; whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        match (&mut self.fields, self.large) {
            (Fields::Few(fields), large) => {
                let Some(at) = find(fields, field) else { return false };
                if large {
                    fields.swap_remove(at)
                } else {
                    fields.remove(at)
                };
                true
            }
            (Fields::Many(fields), true) => fields.swap_remove(field).is_some(),
            (Fields::Many(fields), false) => fields.shift_remove(field).is_some(),
        }
    }
}

/// The fields of a hash with their values. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Iter<'a> {
    hash: Option<&'a Hash>,
    at: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Bytes, &'a Bytes);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.hash?.at(self.at)?;
        self.at += 1;
        Some(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.hash.map_or(0, |hash| hash.len() - self.at);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

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

    #[test]
    fn many_fields_keep_their_order_and_places_as_few_do() {
        let small = Small { entries: 3 * FEW, bytes: 64 };
        let (mut hash, mut naive) = (Hash::default(), Vec::new());
        for number in 0..2 * FEW as i64 {
            let field = Bytes::from_int(number);
            assert!(hash.insert(field.clone(), field.clone(), small));
            naive.push(field);
            if number % 3 == 0 {
                assert!(hash.remove(&naive.remove(naive.len() / 2)));
            }
        }
        hash.set(&naive[1], "x".into(), small);
        assert_eq!(hash.get(&naive[1]), Some(&"x".into()));
        assert!(hash.iter().map(|(field, _)| field).eq(&naive) && hash.iter().len() == naive.len());
        assert_eq!(hash, hash.clone());
        assert_eq!(hash.at(2).map(|(field, _)| field), Some(&naive[2]));
    }
}
