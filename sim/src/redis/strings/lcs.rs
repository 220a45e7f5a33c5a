//! LCS: the longest common subsequence of two strings.

use crate::redis::args;
use crate::redis::bytes::Bytes;
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    idx: bool,
    len: bool,
    with_match_len: bool,
    /// Matches that are shorter are left out.
    min_match_len: usize,
}

impl Options {
    fn read(words: &[Bytes]) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if args::is(word, "idx") {
                options.idx = true;
            } else if args::is(word, "len") {
                options.len = true;
            } else if args::is(word, "withmatchlen") {
                options.with_match_len = true;
            } else if args::is(word, "minmatchlen") {
                let least = args::int(words.next().ok_or(Error::Syntax)?)?;
                options.min_match_len = usize::try_from(least).unwrap_or(0);
            } else {
                return Err(Error::Syntax);
            }
        }
        if options.idx && options.len {
            return Err(Error::Text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

/// LCS.
pub(super) fn lcs(call: &mut Call<'_>) -> Answer {
    let (one, other) = (call.key(1), call.key(2));
    let limit = call.db().limits.proto_max_bulk_len;
    let [one, other] = [one, other].map(|key| {
        let held = call.db().get(&key).map(|held| held.cloned().unwrap_or_default());
        held.map_err(|_| Error::Text("ERR The specified keys must contain string values"))
    });
    let (one, other) = (one?, other?);
    let options = Options::read(&call.args[3..])?;
    let cells = (one.len() + 1).saturating_mul(other.len() + 1);
    if cells.saturating_mul(size_of::<u32>()) > limit {
        return Err(Error::Text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    let lengths = Lengths::of(&one, &other);
    let length = lengths.at(one.len(), other.len());
    if options.len {
        return Ok(Reply::Int(i64::from(length)));
    }
    let walk = lengths.walk(&one, &other);
    if !options.idx {
        return Ok(Reply::Bulk(Bytes::from(walk.text)));
    }
    let matches = walk.matches.iter().filter(|found| found.length >= options.min_match_len);
    let matches = matches.map(|found| found.reply(options.with_match_len)).collect();
    Ok(Reply::Map(vec![
        ("matches".into(), Reply::Array(matches)),
        ("len".into(), Reply::Int(i64::from(length))),
    ]))
}

/// The lengths of the longest common subsequences of all pairs of beginnings.
struct Lengths {
    cells: Vec<u32>,
    width: usize,
}

/// Bytes that both strings have in one piece.
#[derive(Clone, Copy, Debug)]
struct Match {
    one: usize,
    other: usize,
    length: usize,
}

impl Match {
    fn reply(&self, with_length: bool) -> Reply {
        let range = |start: usize| {
            Reply::Array(vec![Reply::int(start), Reply::int(start + self.length - 1)])
        };
        let mut parts = vec![range(self.one), range(self.other)];
        if with_length {
            parts.push(Reply::int(self.length));
        }
        Reply::Array(parts)
    }
}

/// What is found on the way from the ends of both strings to their beginnings.
#[derive(Default)]
struct Walk {
    /// The subsequence.
    text: Vec<u8>,
    /// The last one first.
    matches: Vec<Match>,
}

impl Lengths {
    fn of(one: &[u8], other: &[u8]) -> Lengths {
        let width = other.len() + 1;
        let mut lengths = Lengths { cells: vec![0; (one.len() + 1) * width], width };
        for (i, a) in (1..).zip(one) {
            for (j, b) in (1..).zip(other) {
                lengths.cells[i * width + j] = if a == b {
                    lengths.at(i - 1, j - 1) + 1
                } else {
                    lengths.at(i - 1, j).max(lengths.at(i, j - 1))
                };
            }
        }
        lengths
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * self.width + j]
    }

    /// Of several subsequences Redis's own: where both ways are as good, the second string gives
    /// way. A match at the beginning of a string is the last one, whatever is left of the other.
    fn walk(&self, one: &[u8], other: &[u8]) -> Walk {
        let mut walk = Walk::default();
        let mut current: Option<Match> = None;
        let (mut i, mut j) = (one.len(), other.len());
        while i > 0 && j > 0 {
            if one[i - 1] == other[j - 1] {
                (i, j) = (i - 1, j - 1);
                walk.text.push(one[i]);
                let longer = current.map_or(1, |found| found.length + 1);
                current = Some(Match { one: i, other: j, length: longer });
                if i == 0 || j == 0 {
                    walk.matches.extend(current.take());
                }
            } else {
                if self.at(i - 1, j) > self.at(i, j - 1) {
                    i -= 1;
                } else {
                    j -= 1;
                }
                walk.matches.extend(current.take());
            }
        }
        walk.text.reverse();
        walk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Redis's documentation.
    #[test]
    fn matches_are_found_from_the_end() {
        let (one, other) = (b"ohmytext", b"mynewtext");
        let lengths = Lengths::of(one, other);
        let walk = lengths.walk(one, other);
        assert_eq!((walk.text.as_slice(), lengths.at(8, 9)), (b"mytext".as_slice(), 6));
        let found: Vec<_> = walk.matches.iter().map(|m| (m.one, m.other, m.length)).collect();
        assert_eq!(found, [(4, 5, 4), (2, 0, 2)]);
    }
}
