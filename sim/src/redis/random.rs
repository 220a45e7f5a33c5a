//! Which members HRANDFIELD, SRANDMEMBER and ZRANDMEMBER answer with.
//!
//! Members are numbered by their places. Redis's own choice depends on how a hash table lies in
//! memory; this one is fair, and follows from the server's seed.

use std::collections::BTreeSet;

use super::args;
use super::bytes::Bytes;
use super::db::Db;
use super::error::Error;

/// What the words after the key ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// One member, not in an array.
    One,
    /// So many; negative: so many draws, the same member perhaps more than once. And whether each
    /// comes with its value or score.
    Some(i64, bool),
}

/// Reads `[count [with]]`.
pub(super) fn wanted(words: &[Bytes], with: &str) -> Result<Wanted, Error> {
    let Some((count, rest)) = words.split_first() else { return Ok(Wanted::One) };
    let count = self::count(count)?;
    match rest {
        [] => Ok(Wanted::Some(count, false)),
        [word] if args::is(word, with) => {
            // Twice as many strings are to be counted.
            if count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
                return Err(Error::Text("ERR value is out of range"));
            }
            Ok(Wanted::Some(count, true))
        }
        _ => Err(Error::Syntax),
    }
}

/// A count that may be negative.
pub(super) fn count(argument: &[u8]) -> Result<i64, Error> {
    const RANGE: &str = "ERR value is out of range, value must between \
                         -9223372036854775807 and 9223372036854775807";
    let count = args::int(argument)?;
    if count == i64::MIN { Err(Error::Text(RANGE)) } else { Ok(count) }
}

/// Chooses `count` places below `len`, which is not 0; see [`Wanted::Some`].
pub(super) fn places(db: &mut Db, len: usize, count: i64) -> Vec<usize> {
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return (0..wanted).map(|_| db.random(len)).collect();
    }
    if wanted >= len {
        return (0..len).collect();
    }
    // Floyd's way: every choice of places is as likely as any other, and each costs one draw.
    let mut chosen = BTreeSet::new();
    for last in len - wanted..len {
        let place = db.random(last + 1);
        if !chosen.insert(place) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_distinct_unless_the_count_is_negative() {
        let mut db = Db::new();
        db.seed(7);
        assert_eq!(places(&mut db, 3, 5), [0, 1, 2]);
        assert_eq!(places(&mut db, 3, -50).len(), 50);
        let mut seen = [0; 10];
        for _ in 0..1_000 {
            let chosen = places(&mut db, 10, 4);
            assert!(chosen.len() == 4 && chosen.is_sorted_by(|a, b| a < b));
            chosen.iter().for_each(|place| seen[*place] += 1);
        }
        assert!(seen.iter().all(|times| (320..480).contains(times)), "{seen:?}");
    }
}
