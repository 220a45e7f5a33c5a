//! A stream: entries with increasing ids, and trimming that works as coarsely as Redis's.
//!
//! Redis packs entries into nodes (listpacks) of at most 100 entries and less than 4096 bytes
//! (`stream-node-max-entries`, `stream-node-max-bytes`), and `MAXLEN ~` drops whole nodes only. How
//! many entries a stream holds therefore depends on the encoded size of each entry, which this file
//! counts (t_stream.c `streamAppendItem`, listpack.c `lpEncodeGetType`) without encoding anything.
//! Consumer groups, ids chosen by the client, MINID and LIMIT are not modelled.

use std::collections::VecDeque;
use std::fmt;

use super::bytes::{Bytes, parse_int};

/// `stream-node-max-entries` of an unconfigured server.
const NODE_MAX_ENTRIES: usize = 100;
/// `stream-node-max-bytes` of an unconfigured server.
const NODE_MAX_BYTES: usize = 4096;
/// How many entries one approximate trim removes at most (`LIMIT` left out of XADD or XTRIM).
const APPROX_LIMIT: usize = 100 * NODE_MAX_ENTRIES;

/// The id of an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct StreamId {
    /// Milliseconds of the server's clock when the entry was added, or of the entry before it if
    /// the clock has stepped back since.
    pub ms: u64,
    /// Counts the entries of one millisecond.
    pub seq: u64,
}

impl StreamId {
    /// The id that follows, within the same millisecond if it can.
    fn next(self) -> StreamId {
        match self.seq.checked_add(1) {
            Some(seq) => StreamId { ms: self.ms, seq },
            None => StreamId { ms: self.ms + 1, seq: 0 },
        }
    }
}

/// As XADD replies: `1700000000000-0`.
impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// How XADD and XTRIM shorten a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaxLen {
    /// `MAXLEN = n`: to at most `n` entries.
    Exact(usize),
    /// `MAXLEN ~ n`: to `n` entries or somewhat more, by whole nodes.
    Approx(usize),
}

/// An entry.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamEntry {
    /// The id.
    pub id: StreamId,
    /// Fields with values, in the order of XADD; a field may occur twice.
    pub pairs: Vec<(Bytes, Bytes)>,
}

/// The node that takes the next entry.
#[derive(Clone, PartialEq, Debug, Default)]
struct Tail {
    /// The id of the first entry the node was made for.
    master: StreamId,
    /// The fields of that entry: an entry with the same fields does not store them again.
    fields: Vec<Bytes>,
    /// Entries added, those deleted since included.
    added: usize,
    /// The size of the listpack.
    bytes: usize,
}

/// A stream. One with no entries left still exists and remembers its last id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stream {
    entries: VecDeque<StreamEntry>,
    /// The entries left in each node; the last number is the tail's. None is zero.
    nodes: VecDeque<usize>,
    /// Means nothing while there are no nodes.
    tail: Tail,
    last_id: StreamId,
}

impl Stream {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The id of the entry added last, trimmed or not; zero before the first.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The entries, oldest first; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &StreamEntry> {
        self.entries.iter()
    }

    /// Appends an entry with the id `*` of a server whose clock shows `now_ms`.
    pub fn add(&mut self, now_ms: u64, pairs: Vec<(Bytes, Bytes)>) -> StreamId {
        let id = match now_ms > self.last_id.ms {
            true => StreamId { ms: now_ms, seq: 0 },
            false => self.last_id.next(),
        };
        self.last_id = id;
        let payload: usize = pairs.iter().map(|(field, value)| field.len() + value.len()).sum();
        let full =
            self.tail.added >= NODE_MAX_ENTRIES || self.tail.bytes + payload >= NODE_MAX_BYTES;
        if full || self.nodes.is_empty() {
            self.tail = Tail::new(id, &pairs);
            self.nodes.push_back(0);
        }
        self.tail.append(id, &pairs);
        *self.nodes.back_mut().expect("a node was just made if there was none") += 1;
        self.entries.push_back(StreamEntry { id, pairs });
        id
    }

    /// Shortens the stream from its old end; how many entries went.
    pub fn trim(&mut self, to: MaxLen) -> usize {
        let before = self.len();
        let (target, limit) = match to {
            MaxLen::Exact(target) => (target, usize::MAX),
            MaxLen::Approx(target) => (target, APPROX_LIMIT),
        };
        let mut len = before;
        while let Some(&node) = self.nodes.front() {
            if len <= target || len - node < target || before - len + node > limit {
                break;
            }
            self.nodes.pop_front();
            len -= node;
        }
        if let MaxLen::Exact(target) = to
            && len > target
        {
            let node = self.nodes.front_mut().expect("entries are in nodes");
            *node -= len - target;
            len = target;
        }
        self.entries.drain(..before - len);
        before - len
    }
}

impl Tail {
    /// An empty node whose master entry has the fields of `pairs`.
    fn new(master: StreamId, pairs: &[(Bytes, Bytes)]) -> Tail {
        let fields: Vec<Bytes> = pairs.iter().map(|(field, _)| field.clone()).collect();
        // Header and end mark; counts of entries and of deleted ones; number of fields; fields; 0.
        let bytes = 7
            + 2 * int_size(0)
            + int_size(signed(fields.len()))
            + fields.iter().map(|field| text_size(field)).sum::<usize>()
            + int_size(0);
        Tail { master, fields, added: 0, bytes }
    }

    /// Counts an entry in.
    fn append(&mut self, id: StreamId, pairs: &[(Bytes, Bytes)]) {
        let same = pairs.len() == self.fields.len()
            && pairs.iter().zip(&self.fields).all(|((field, _), master)| field == master);
        let count = signed(pairs.len());
        // Redis subtracts as unsigned and stores as signed.
        let difference = |a: u64, b: u64| a.wrapping_sub(b).cast_signed();
        let mut bytes = int_size(0)
            + int_size(difference(id.ms, self.master.ms))
            + int_size(difference(id.seq, self.master.seq))
            + pairs.iter().map(|(_, value)| text_size(value)).sum::<usize>();
        if same {
            bytes += int_size(count + 3);
        } else {
            bytes += int_size(count)
                + pairs.iter().map(|(field, _)| text_size(field)).sum::<usize>()
                + int_size(2 * count + 4);
        }
        self.bytes += bytes;
        self.added += 1;
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).expect("no entry has that many fields")
}

/// The size of an integer in a listpack, with the length that follows every element.
fn int_size(value: i64) -> usize {
    let encoded = match value {
        0..=127 => 1,
        -4096..=4095 => 2,
        -32_768..=32_767 => 3,
        -8_388_608..=8_388_607 => 4,
        -2_147_483_648..=2_147_483_647 => 5,
        _ => 9,
    };
    encoded + 1
}

/// The size of a string in a listpack: one that reads as an integer is stored as that.
fn text_size(text: &[u8]) -> usize {
    if let Some(value) = parse_int(text) {
        return int_size(value);
    }
    let encoded = text.len()
        + match text.len() {
            0..64 => 1,
            64..4096 => 2,
            _ => 5,
        };
    encoded
        + match encoded {
            0..=127 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(value: &str) -> Vec<(Bytes, Bytes)> {
        vec![(Bytes::from("event"), Bytes::from(value))]
    }

    #[test]
    fn ids_never_go_back_when_the_clock_does() {
        let mut stream = Stream::default();
        let ids = [5, 5, 3, 6].map(|now| stream.add(now, pairs("a")).to_string());
        assert_eq!(ids, ["5-0", "5-1", "5-2", "6-0"]);
        assert_eq!(StreamId { ms: 5, seq: u64::MAX }.next(), StreamId { ms: 6, seq: 0 });
    }

    #[test]
    fn approximate_trimming_drops_whole_nodes_of_a_hundred() {
        let mut stream = Stream::default();
        for now in 0..250 {
            stream.add(now, pairs("a"));
        }
        assert_eq!(stream.trim(MaxLen::Approx(151)), 0);
        assert_eq!(stream.trim(MaxLen::Approx(150)), 100);
        assert_eq!(stream.trim(MaxLen::Exact(120)), 30);
        assert_eq!(stream.trim(MaxLen::Approx(50)), 70);
        assert_eq!(stream.iter().next().map(|entry| entry.id.ms), Some(200));
    }

    #[test]
    fn a_node_closes_before_it_reaches_4096_bytes() {
        let mut stream = Stream::default();
        let value = "v".repeat(1000);
        for now in 0..5 {
            stream.add(now, pairs(&value));
        }
        assert_eq!(stream.nodes, [4, 1]);
    }

    #[test]
    fn one_approximate_trim_drops_at_most_ten_thousand() {
        let mut stream = Stream::default();
        for _ in 0..25_000 {
            stream.add(1, pairs("a"));
        }
        assert_eq!(stream.trim(MaxLen::Approx(10)), 10_000);
        assert_eq!(stream.len(), 15_000);
    }

    #[test]
    fn a_stream_trimmed_to_nothing_keeps_its_last_id() {
        let mut stream = Stream::default();
        stream.add(9, pairs("a"));
        assert_eq!(stream.trim(MaxLen::Exact(0)), 1);
        assert!(stream.is_empty());
        assert_eq!(stream.add(1, pairs("a")).to_string(), "9-1");
    }
}
