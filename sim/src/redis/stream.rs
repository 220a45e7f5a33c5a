//! A stream: entries with increasing ids, and trimming that works as coarsely as Redis's.
//!
//! Redis packs entries into nodes (listpacks) of so many entries and bytes at most
//! (`stream-node-max-entries`, `stream-node-max-bytes`), and `MAXLEN ~` drops whole nodes only. How
//! many entries a stream holds therefore depends on the encoded size of each entry, which this file
//! counts (t_stream.c `streamAppendItem`, listpack.c `lpEncodeGetType`) without encoding anything.
//! Nothing here knows a clock or a command; consumer groups are in [`groups`].
//!
//! [`groups`]: super::groups

use super::mutants::{Mutant, planted};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::bytes::{Bytes, parse_int};
use super::groups::Group;
use super::value::Limits;

/// The most bytes that a node may have, whatever `stream-node-max-bytes` says.
const NODE_BYTES: usize = 1 << 30;

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
    /// The smallest id.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The largest id.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// The id that follows, within the same millisecond if it can.
    pub(super) fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before.
    pub(super) fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// As XADD replies.
    pub(super) fn to_bytes(self) -> Bytes {
        let mut text = [0; 41];
        let at = digits(&mut text, 41, self.seq) - 1;
        text[at] = b'-';
        let at = digits(&mut text, at, self.ms);
        Bytes::from(&text[at..])
    }

    /// The bytes under which Redis files the id.
    fn be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }
}

/// Writes a number so that it ends before `end`; where it begins.
fn digits(text: &mut [u8], end: usize, mut number: u64) -> usize {
    let mut at = end;
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return at;
        }
    }
}

/// As XADD replies: `1700000000000-0`.
impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// How BullMQ's scripts shorten a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaxLen {
    /// `MAXLEN = n`: to at most `n` entries.
    Exact(usize),
    /// `MAXLEN ~ n`: to `n` entries or somewhat more, by whole nodes.
    Approx(usize),
}

/// How far XADD and XTRIM shorten a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum To {
    /// `MAXLEN`: to so many entries.
    Length(usize),
    /// `MINID`: to the entries from this id on.
    Id(StreamId),
}

/// How XADD and XTRIM shorten a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trim {
    pub(super) to: To,
    /// `~`: whole nodes only.
    pub(super) approx: bool,
    /// The most entries to remove; 0: as many as it takes.
    pub(super) limit: usize,
}

impl Trim {
    /// What a trim without LIMIT removes at most.
    pub(super) fn default_limit(approx: bool, limits: &Limits) -> usize {
        match (approx, limits.stream_node_max_entries.saturating_mul(100)) {
            (false, _) => 0,
            (true, 0) => 10_000,
            (true, most) => most.min(1_000_000),
        }
    }

    /// As BullMQ's scripts say it.
    pub(super) fn max_len(to: MaxLen, limits: &Limits) -> Trim {
        let (length, approx) = match to {
            MaxLen::Exact(length) => (length, false),
            MaxLen::Approx(length) => (length, true),
        };
        Trim { to: To::Length(length), approx, limit: Trim::default_limit(approx, limits) }
    }
}

/// An entry.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamEntry {
    /// The id.
    pub id: StreamId,
    /// Fields with values, in the order of XADD; a field may occur twice.
    pub pairs: Vec<(Bytes, Bytes)>,
}

/// Entries that are stored together.
#[derive(Clone, PartialEq, Debug)]
struct Node {
    /// The id of the first entry the node was made for.
    master: StreamId,
    /// The fields of that entry: an entry with the same fields does not store them again.
    fields: Vec<Bytes>,
    /// The id of the entry added last, deleted or not.
    last: StreamId,
    /// What is left. Nothing, if MINID removed all but one that was deleted before.
    entries: VecDeque<StreamEntry>,
    /// Entries added, those deleted since included.
    added: usize,
    /// The size of the listpack, without its counts of entries and of deleted ones.
    bytes: usize,
}

/// What a stream counts and remembers, beside its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Marks {
    pub(super) len: usize,
    /// The first entry there is; zero if there is none.
    pub(super) first: StreamId,
    pub(super) last: StreamId,
    pub(super) max_deleted: StreamId,
    pub(super) added: u64,
}

/// A stream. One with no entries left still exists and remembers its last id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stream {
    nodes: VecDeque<Node>,
    len: usize,
    /// The id of the entry added last, or what XSETID says.
    pub(super) last_id: StreamId,
    /// The largest id that XDEL deleted, or what XSETID says.
    pub(super) max_deleted: StreamId,
    /// How many entries were ever added, or what XSETID says.
    pub(super) added: u64,
    /// By name.
    pub(super) groups: BTreeMap<Bytes, Group>,
}

impl Stream {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The id of the entry added last, trimmed or not; zero before the first.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The entries, oldest first; reversible.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &StreamEntry> {
        self.nodes.iter().flat_map(|node| &node.entries)
    }

    /// The entries whose ids are between these two, both included.
    pub(super) fn between(
        &self,
        start: StreamId,
        end: StreamId,
    ) -> impl DoubleEndedIterator<Item = &StreamEntry> {
        let first = self.nodes.partition_point(|node| node.master <= start).saturating_sub(1);
        let behind = self.nodes.partition_point(|node| node.master <= end).max(first);
        self.nodes.range(first..behind).flat_map(move |node| {
            let from = node.entries.partition_point(|entry| entry.id < start);
            let to = node.entries.partition_point(|entry| entry.id <= end);
            node.entries.range(from..to.max(from))
        })
    }

    /// The entry with this id.
    pub(super) fn get(&self, id: StreamId) -> Option<&StreamEntry> {
        self.between(id, id).next()
    }

    /// The last entry there is.
    pub(super) fn top(&self) -> Option<StreamId> {
        self.iter().next_back().map(|entry| entry.id)
    }

    pub(super) fn marks(&self) -> Marks {
        let first = self.iter().next().map(|entry| entry.id);
        Marks {
            len: self.len,
            first: first.unwrap_or_default(),
            last: self.last_id,
            max_deleted: self.max_deleted,
            added: self.added,
        }
    }

    /// The id `*` of a server whose clock shows `now_ms`; `None`: there is none left.
    pub(super) fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        match now_ms > self.last_id.ms {
            true => Some(StreamId { ms: now_ms, seq: 0 }),
            false => self.last_id.next(),
        }
    }

    /// Appends an entry, whose id is above all there were.
    pub(super) fn append(&mut self, id: StreamId, pairs: Vec<(Bytes, Bytes)>, limits: &Limits) {
        let payload: usize = pairs.iter().map(|(field, value)| field.len() + value.len()).sum();
        match self.nodes.back_mut() {
            Some(node) if !node.is_full(payload, limits) => node.append(id, pairs),
            _ => {
                let mut node = Node::new(id, &pairs);
                node.append(id, pairs);
                self.nodes.push_back(node);
            }
        }
        self.last_id = id;
        self.len += 1;
        self.added = self.added.wrapping_add(1);
    }

    /// Deletes an entry; whether it was there.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let behind = self.nodes.partition_point(|node| node.master <= id);
        let Some(at) = behind.checked_sub(1) else { return false };
        let entries = &mut self.nodes[at].entries;
        let Ok(place) = entries.binary_search_by(|entry| entry.id.cmp(&id)) else { return false };
        entries.remove(place);
        if entries.is_empty() {
            self.nodes.remove(at);
        }
        self.len -= 1;
        self.max_deleted = self.max_deleted.max(id);
        true
    }

    /// Shortens the stream from its old end; how many entries went (`streamTrim`).
    pub(super) fn trim(&mut self, trim: Trim) -> usize {
        let before = self.len;
        while let Some(node) = self.nodes.front_mut() {
            let entries = node.entries.len();
            if matches!(trim.to, To::Length(most) if self.len <= most)
                || (trim.limit > 0 && before - self.len + entries > trim.limit)
            {
                break;
            }
            let whole = match trim.to {
                To::Length(most) => self.len - entries >= most,
                To::Id(id) => node.last < id,
            };
            if whole {
                self.nodes.pop_front();
                self.len -= entries;
                continue;
            }
            if !trim.approx || planted(Mutant::R12) {
                let gone = match trim.to {
                    To::Length(most) => self.len - most,
                    To::Id(id) => node.entries.partition_point(|entry| entry.id < id),
                };
                node.entries.drain(..gone);
                self.len -= gone;
            }
            break;
        }
        before - self.len
    }

    /// The number of nodes (`radix-tree-keys`).
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The number of nodes of the radix tree in which Redis files the nodes (`radix-tree-nodes`).
    pub(super) fn radix_nodes(&self) -> usize {
        let keys: Vec<_> = self.nodes.iter().map(|node| node.master.be_bytes()).collect();
        if keys.is_empty() { 1 } else { radix_nodes(&keys, 0) }
    }
}

/// The size of a radix tree with these sorted keys below their first `depth` bytes: a run of bytes
/// that all have in common is one node, a byte in which they differ another.
fn radix_nodes(keys: &[[u8; 16]], depth: usize) -> usize {
    let (first, last) = (&keys[0][depth..], &keys[keys.len() - 1][depth..]);
    let common = first.iter().zip(last).take_while(|(one, two)| one == two).count();
    let (run, at) = (usize::from(common > 0), depth + common);
    if at == 16 {
        return run + 1;
    }
    run + 1 + keys.chunk_by(|a, b| a[at] == b[at]).map(|b| radix_nodes(b, at + 1)).sum::<usize>()
}

impl Node {
    /// An empty node whose master entry has the fields of `pairs`.
    fn new(master: StreamId, pairs: &[(Bytes, Bytes)]) -> Node {
        let fields: Vec<Bytes> = pairs.iter().map(|(field, _)| field.clone()).collect();
        // Header and end mark; number of fields; fields; 0.
        let bytes = 7
            + int_size(signed(fields.len()))
            + fields.iter().map(|field| text_size(field)).sum::<usize>()
            + int_size(0);
        Node { master, fields, last: master, entries: VecDeque::new(), added: 0, bytes }
    }

    /// Whether an entry with so many bytes begins another node.
    fn is_full(&self, payload: usize, limits: &Limits) -> bool {
        let counts = int_size(signed(self.entries.len()))
            + int_size(signed(self.added - self.entries.len()));
        let most = match limits.stream_node_max_bytes {
            0 => NODE_BYTES,
            most => most.min(NODE_BYTES),
        };
        self.bytes + counts + payload >= most
            || (limits.stream_node_max_entries > 0 && self.added >= limits.stream_node_max_entries)
    }

    fn append(&mut self, id: StreamId, pairs: Vec<(Bytes, Bytes)>) {
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
        self.last = id;
        self.entries.push_back(StreamEntry { id, pairs });
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

    fn add(stream: &mut Stream, now: u64, value: &str) -> StreamId {
        let id = stream.next_id(now).expect("ids are left");
        stream.append(id, pairs(value), &Limits::default());
        id
    }

    fn of(count: u64) -> Stream {
        let mut stream = Stream::default();
        for now in 0..count {
            add(&mut stream, now + 1, "a");
        }
        stream
    }

    fn max_len(stream: &mut Stream, to: MaxLen) -> usize {
        stream.trim(Trim::max_len(to, &Limits::default()))
    }

    #[test]
    fn ids_never_go_back_when_the_clock_does() {
        let mut stream = Stream::default();
        let ids = [5, 5, 3, 6].map(|now| add(&mut stream, now, "a").to_string());
        assert_eq!(ids, ["5-0", "5-1", "5-2", "6-0"]);
        assert_eq!(StreamId { ms: 5, seq: u64::MAX }.next(), Some(StreamId { ms: 6, seq: 0 }));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(*StreamId::MAX.to_bytes(), *StreamId::MAX.to_string().as_bytes());
    }

    #[test]
    fn approximate_trimming_drops_whole_nodes_of_a_hundred() {
        let mut stream = of(250);
        assert_eq!(max_len(&mut stream, MaxLen::Approx(151)), 0);
        assert_eq!(max_len(&mut stream, MaxLen::Approx(150)), 100);
        assert_eq!(max_len(&mut stream, MaxLen::Exact(120)), 30);
        assert_eq!(max_len(&mut stream, MaxLen::Approx(50)), 70);
        assert_eq!(stream.iter().next().map(|entry| entry.id.ms), Some(201));
    }

    #[test]
    fn a_node_goes_when_all_of_it_is_deleted_and_keeps_its_room_until_then() {
        let mut stream = of(250);
        (102..=200).for_each(|ms| assert!(stream.delete(StreamId { ms, seq: 0 })));
        assert!(!stream.delete(StreamId { ms: 150, seq: 0 }));
        assert_eq!((stream.len(), stream.nodes()), (151, 3));
        assert_eq!(max_len(&mut stream, MaxLen::Approx(50)), 101);
        let id = To::Id(StreamId { ms: 250, seq: 0 });
        assert_eq!(stream.trim(Trim { to: id, approx: true, limit: 0 }), 0);
        assert_eq!(stream.trim(Trim { to: id, approx: false, limit: 0 }), 49);
        assert_eq!((stream.len(), stream.nodes()), (1, 1));
    }

    #[test]
    fn a_range_ends_where_it_should_in_every_node() {
        let stream = of(250);
        let ids = |from, to| {
            let id = |ms| StreamId { ms, seq: 0 };
            let found: Vec<u64> = stream.between(id(from), id(to)).map(|e| e.id.ms).collect();
            (found.len(), found.first().copied(), found.last().copied())
        };
        assert_eq!(ids(0, 300), (250, Some(1), Some(250)));
        assert_eq!(ids(100, 101), (2, Some(100), Some(101)));
        assert_eq!(ids(101, 101), (1, Some(101), Some(101)));
        assert_eq!(ids(101, 100), (0, None, None));
        assert_eq!(ids(251, 300), (0, None, None));
    }

    #[test]
    fn a_node_closes_before_it_reaches_4096_bytes() {
        let mut stream = Stream::default();
        let value = "v".repeat(1000);
        for now in 0..5 {
            add(&mut stream, now + 1, &value);
        }
        let sizes: Vec<usize> = stream.nodes.iter().map(|node| node.entries.len()).collect();
        assert_eq!(sizes, [4, 1]);
    }

    #[test]
    fn one_approximate_trim_drops_at_most_ten_thousand() {
        let mut stream = of(25_000);
        assert_eq!(max_len(&mut stream, MaxLen::Approx(10)), 10_000);
        assert_eq!(stream.len(), 15_000);
    }

    #[test]
    fn a_stream_trimmed_to_nothing_keeps_its_last_id() {
        let mut stream = Stream::default();
        add(&mut stream, 9, "a");
        assert_eq!(max_len(&mut stream, MaxLen::Exact(0)), 1);
        assert!(stream.is_empty());
        assert_eq!(add(&mut stream, 1, "a").to_string(), "9-1");
    }
}
