//! Binary-safe byte strings, keys with their hash, and the one hash function of the keyspace.
//!
//! Everything here is cheap to clone, and a clone never sees a later change. Nothing here knows an
//! encoding of text: it is shown for people only. Nothing seeds a hash from outside the program.

use std::borrow::Borrow;
use std::fmt::{self, Write};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::Deref;
use std::rc::Rc;

/// The longest decimal text of an `i64` is 20 bytes; Redis's `string2ll` refuses a longer one.
const MAX_INT_TEXT: usize = 20;

/// A map with the frozen hash of this file, for looking up only.
///
/// Its order depends on the hash and on its history, so nothing iterates over one unless it sorts
/// what it finds or cannot show the order.
#[expect(clippy::disallowed_types, reason = "a fixed hasher, and the order is never observed")]
pub(super) type FixedMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<FrozenHasher>>;

/// A string of bytes, as Redis stores them: any byte, any length, compared bytewise.
///
/// A clone shares the bytes. The empty string takes no memory.
#[derive(Clone)]
pub struct Bytes(Repr);

/// Where the bytes are. The two fit in the space of the first.
#[derive(Clone)]
enum Repr {
    /// As they were made.
    Fixed(Rc<[u8]>),
    /// As [`Bytes::to_mut`] left them, with room to grow; `None`: there are none.
    Grown(Option<Rc<Vec<u8>>>),
}

impl Bytes {
    /// The empty string.
    pub const fn new() -> Self {
        Bytes(Repr::Grown(None))
    }

    /// The decimal text of `value`, as Redis's `ll2string` writes it.
    pub fn from_int(value: i64) -> Self {
        let mut text = [0; MAX_INT_TEXT];
        let mut at = MAX_INT_TEXT;
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            text[at] = b'0' + u8::try_from(rest % 10).expect("a digit is below 10");
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            at -= 1;
            text[at] = b'-';
        }
        Bytes::from(&text[at..])
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Fixed(bytes) => bytes,
            Repr::Grown(Some(bytes)) => bytes,
            Repr::Grown(None) => &[],
        }
    }

    /// The bytes, to change in place: they are copied only if a clone shares them, or if this is
    /// the first time.
    pub(super) fn to_mut(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0, Repr::Grown(Some(_))) {
            self.0 = Repr::Grown(Some(Rc::new(self.to_vec())));
        }
        match &mut self.0 {
            Repr::Grown(Some(bytes)) => Rc::make_mut(bytes),
            _ => unreachable!("it has just been made so"),
        }
    }

    /// Whether [`Bytes::to_mut`] was used on it: Redis's encoding `raw`, whatever the length.
    pub(super) fn is_grown(&self) -> bool {
        matches!(self.0, Repr::Grown(Some(_)))
    }

    /// The text, if the bytes are UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The integer this is the canonical decimal text of: see [`parse_int`].
    pub fn to_int(&self) -> Option<i64> {
        parse_int(self.as_bytes())
    }

    /// Whether both are the very same allocation: a sufficient condition for being equal.
    #[inline]
    fn same(&self, other: &Bytes) -> bool {
        match (&self.0, &other.0) {
            (Repr::Fixed(one), Repr::Fixed(two)) => Rc::ptr_eq(one, two),
            (Repr::Grown(None), Repr::Grown(None)) => true,
            _ => false,
        }
    }
}

/// The integer that `text` is the canonical decimal text of, by the rule of Redis's `string2ll`.
///
/// No sign but a leading `-`, no leading zero, no space, no `-0`, and it fits an `i64`.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', ..] => text.len() <= MAX_INT_TEXT,
        _ => false,
    };
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::new()
    }
}

impl PartialEq for Bytes {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Bytes {}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Lets a collection of [`Bytes`] be searched with a borrowed slice: order and hash are the slice's.
impl Borrow<[u8]> for Bytes {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Ord for Bytes {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Bytes {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq<[u8]> for Bytes {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl PartialEq<str> for Bytes {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Bytes(if bytes.is_empty() { Repr::Grown(None) } else { Repr::Fixed(Rc::from(bytes)) })
    }
}

impl<const N: usize> From<&[u8; N]> for Bytes {
    fn from(bytes: &[u8; N]) -> Self {
        Bytes::from(bytes.as_slice())
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Bytes::from(text.as_bytes())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Bytes::from(text.as_bytes())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes.as_slice())
    }
}

/// As text, with control characters, backslashes and bytes that are not UTF-8 escaped.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() || c == '\\' {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    f.write_char(c)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The name of a key, with its hash computed once.
///
/// Make a key once and keep it: finding it in the keyspace then costs no hashing, and no comparing
/// of bytes either when the keyspace holds a clone of it.
#[derive(Clone)]
pub struct Key {
    bytes: Bytes,
    hash: u64,
}

impl Key {
    /// The name.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_bytes()
    }
}

impl From<Bytes> for Key {
    fn from(bytes: Bytes) -> Self {
        let hash = frozen_hash(bytes.as_bytes());
        Key { bytes, hash }
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Key::from(Bytes::from(name))
    }
}

impl From<&[u8]> for Key {
    fn from(name: &[u8]) -> Self {
        Key::from(Bytes::from(name))
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Key::from(Bytes::from(name))
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.bytes.same(&other.bytes) || (self.hash == other.hash && self.bytes == other.bytes)
    }
}

impl Eq for Key {}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// By the bytes of the name, not by hash.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.bytes, f)
    }
}

/// The hash of `bytes`: a folded multiply over 16 bytes at a time (the idea of wyhash).
///
/// Frozen: it has no seed and may not change, so that a run never depends on the process it is in.
/// It does not withstand chosen collisions; the keys of a simulation are not an adversary's.
pub fn frozen_hash(bytes: &[u8]) -> u64 {
    const SEED: u64 = 0xa076_1d64_78bd_642f;
    const MIX: u64 = 0xe703_7ed1_a0b4_28db;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = SEED ^ (bytes.len() as u64);
    let (blocks, rest) = bytes.as_chunks::<16>();
    for block in blocks {
        let word = u128::from_le_bytes(*block);
        state = fold((word as u64) ^ MIX, ((word >> 64) as u64) ^ state);
    }
    let (low, high) = padded(rest);
    state = fold(low ^ MIX, high ^ state);
    fold(state ^ SEED, MIX)
}

/// At most 15 bytes and as many zeros as make 16, as two words in little endian. Read from both
/// ends, so that no copy of a length that only the run knows is made: names are short.
#[inline]
fn padded(bytes: &[u8]) -> (u64, u64) {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // Shifted twice, since all 64 bits at once would be an overflow.
        let high = u64::from_le_bytes(*last) >> (8 * (15 - len)) >> 8;
        return (u64::from_le_bytes(*first), high);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let high = u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
        return (u64::from(u32::from_le_bytes(*first)) | high, 0);
    }
    let mut low = 0;
    for byte in bytes.iter().rev() {
        low = low << 8 | u64::from(*byte);
    }
    (low, 0)
}

/// A hasher that passes on a hash computed before ([`Key`]) and folds slices ([`Bytes`]).
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct FrozenHasher(u64);

impl Hasher for FrozenHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(frozen_hash(bytes));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0 = self.0.rotate_left(5) ^ value;
    }

    /// A number, such as that of a client: an odd multiplier spreads it over all bits above it.
    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }

    /// The length that precedes a slice: `write` then mixes it in.
    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_and_written_as_redis_does() {
        for value in [0, 7, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(Bytes::from_int(value), value.to_string().as_str());
            assert_eq!(Bytes::from_int(value).to_int(), Some(value));
        }
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "00"] {
            assert_eq!(parse_int(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn bytes_show_what_they_hold_without_loss() {
        let bytes = Bytes::from(b"bull:\xc3\xa9\n\\\xff");
        assert_eq!(bytes.to_string(), "bull:\u{e9}\\n\\\\\\xff");
        assert_eq!(format!("{:?}", Key::from("a b")), "\"a b\"");
    }

    #[test]
    fn a_change_in_place_is_seen_by_no_clone() {
        let mut bytes = Bytes::from("ab");
        let before = bytes.clone();
        bytes.to_mut().push(b'c');
        let between = bytes.clone();
        bytes.to_mut().push(b'd');
        assert_eq!((before, between, &bytes), ("ab".into(), "abc".into(), &"abcd".into()));
        assert!(bytes.is_grown() && !Bytes::from("abcd").is_grown());
        assert_eq!(size_of::<Bytes>(), size_of::<Rc<[u8]>>());
    }

    #[test]
    fn order_is_bytewise_and_equality_ignores_identity() {
        let mut sorted = ["9", "10", "", "1", "a"].map(Bytes::from);
        sorted.sort();
        assert_eq!(sorted, ["", "1", "10", "9", "a"]);
        assert_eq!(Key::from("k"), Key::from(String::from("k")));
        assert_ne!(Key::from("k"), Key::from(""));
        assert_eq!(Bytes::from(""), Bytes::new());
    }

    #[test]
    fn the_hash_is_frozen() {
        let hashes = ["", "bull:q:meta", "a name of more than sixteen bytes"]
            .map(|text| frozen_hash(text.as_bytes()));
        assert_eq!(
            hashes,
            [9_453_038_937_549_525_072, 152_390_844_853_241_429, 10_717_512_195_475_679_472]
        );
    }

    #[test]
    fn short_names_are_padded_with_zeros() {
        let bytes: Vec<u8> = (0xf1..=0xff).collect();
        for len in 0..=bytes.len() {
            let mut whole = [0; 16];
            whole[..len].copy_from_slice(&bytes[..len]);
            let word = u128::from_le_bytes(whole);
            assert_eq!(padded(&bytes[..len]), (word as u64, (word >> 64) as u64), "{len}");
        }
    }

    #[test]
    fn the_hash_spreads_close_names_over_low_and_high_bits() {
        let mut low = vec![0_u32; 1024];
        let mut high = vec![0_u32; 128];
        for id in 0..65_536 {
            let hash = frozen_hash(format!("bull:queue:{id}").as_bytes());
            low[(hash % 1024) as usize] += 1;
            high[(hash >> 57) as usize] += 1;
        }
        assert!(low.iter().all(|&n| (20..130).contains(&n)), "{low:?}");
        assert!(high.iter().all(|&n| (400..640).contains(&n)), "{high:?}");
    }
}
