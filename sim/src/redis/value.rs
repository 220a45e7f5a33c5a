//! What a key can hold.
//!
//! The six types of Redis, no others. Redis's internal encodings are kept as far as they show: in
//! OBJECT ENCODING, and in the order of hashes and sets that are small. Where Redis's order depends on
//! a hash table with a random seed, so that no client may rely on it, this model has one of its own.

use std::collections::VecDeque;

use super::bytes::Bytes;
pub use super::hash::Hash;
pub use super::set::Set;
use super::stream::Stream;
use super::zset::Zset;

/// From which size on a collection is stored, and so shown, otherwise: Redis's settings of the same
/// names. OBJECT ENCODING tells, and so do orders that are of insertion while a collection is small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limits {
    pub(super) hash_max_listpack_entries: usize,
    pub(super) hash_max_listpack_value: usize,
    pub(super) set_max_intset_entries: usize,
    pub(super) zset_max_listpack_entries: usize,
    pub(super) zset_max_listpack_value: usize,
    pub(super) stream_node_max_entries: usize,
    pub(super) stream_node_max_bytes: usize,
    /// The longest string.
    pub(super) proto_max_bulk_len: usize,
}

impl Default for Limits {
    /// Those of an unconfigured server.
    fn default() -> Self {
        Limits {
            hash_max_listpack_entries: 512,
            hash_max_listpack_value: 64,
            set_max_intset_entries: 512,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            stream_node_max_entries: 100,
            stream_node_max_bytes: 4096,
            proto_max_bulk_len: 512 << 20,
        }
    }
}

impl Limits {
    /// What a hash may be and be a listpack.
    #[inline]
    pub(super) fn hash(&self) -> Small {
        Small { entries: self.hash_max_listpack_entries, bytes: self.hash_max_listpack_value }
    }

    /// What a sorted set may be and be a listpack.
    #[inline]
    pub(super) fn zset(&self) -> Small {
        Small { entries: self.zset_max_listpack_entries, bytes: self.zset_max_listpack_value }
    }
}

/// What a collection may be and still be stored as a listpack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Small {
    /// The most entries.
    pub(super) entries: usize,
    /// The longest string, in bytes.
    pub(super) bytes: usize,
}

impl Small {
    /// Whether a collection of so many entries, one of which is so long, may be a listpack.
    #[inline]
    pub(super) fn fits(self, entries: usize, longest: usize) -> bool {
        entries <= self.entries && longest <= self.bytes
    }
}

/// The insides of a list: the head is the front.
pub type List = VecDeque<Bytes>;

/// What a key holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A string of bytes.
    String(Bytes),
    /// A list, the head at the front.
    List(List),
    /// A hash: fields with values.
    Hash(Hash),
    /// A set of members.
    Set(Set),
    /// A sorted set.
    Zset(Zset),
    /// A stream. Boxed: it is large and rare.
    Stream(Box<Stream>),
}

impl Value {
    /// The name that TYPE answers with.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::Zset(_) => "zset",
            Value::Stream(_) => "stream",
        }
    }

    /// Whether this is a stream.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Value::Stream(_))
    }

    /// Whether this is a collection that should have vanished: no key ever holds one.
    pub fn is_empty_collection(&self) -> bool {
        match self {
            Value::String(_) | Value::Stream(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::Zset(zset) => zset.is_empty(),
        }
    }
}

/// One of the types of [`Value`], seen from the command that works on it.
pub(super) trait Kind: Default {
    /// The value as this type, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;
    /// The value as this type, to change.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// This as a value.
    fn wrap(self) -> Value;
    /// Whether a key holding this ceases to exist. (An empty stream stays, unlike the others.)
    fn vanishes(&self) -> bool;
}

macro_rules! kind {
    ($type:ty, $variant:ident, $empty:expr) => {
        impl Kind for $type {
            #[inline]
            fn of(value: &Value) -> Option<&Self> {
                match value {
                    Value::$variant(inner) => Some(inner),
                    _ => None,
                }
            }

            #[inline]
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$variant(inner) => Some(inner),
                    _ => None,
                }
            }

            fn wrap(self) -> Value {
                Value::$variant(self)
            }

            #[inline]
            fn vanishes(&self) -> bool {
                let empty: fn(&Self) -> bool = $empty;
                empty(self)
            }
        }
    };
}

kind!(Bytes, String, |_| false);
kind!(List, List, |list| list.is_empty());
kind!(Hash, Hash, |hash| hash.is_empty());
kind!(Set, Set, |set| set.is_empty());
kind!(Zset, Zset, |zset| zset.is_empty());
kind!(Box<Stream>, Stream, |_| false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_sees_only_its_own_values() {
        let value = List::from([Bytes::from("a")]).wrap();
        assert!(List::of(&value).is_some() && Set::of(&value).is_none());
        assert_eq!(value.type_name(), "list");
    }

    #[test]
    fn only_collections_vanish_when_empty() {
        assert!(Zset::default().vanishes() && Zset::default().wrap().is_empty_collection());
        assert!(!Bytes::new().vanishes());
        assert!(!Box::<Stream>::default().vanishes());
    }
}
