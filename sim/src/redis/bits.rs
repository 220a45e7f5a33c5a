//! The commands on the bits of strings: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. BITFIELD is in
//! [`field`].
//!
//! Bit 0 is the highest of the first byte.

mod field;

use std::ops::Range;

use super::args;
use super::bytes::{Bytes, parse_int};
use super::db::{Class, Db};
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::Spec;
use super::table::flag::{DENYOOM, FAST, READONLY, WRITE};

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("bitcount", -2, READONLY, (1, 1, 1), bitcount),
    Spec::new("bitfield", -2, WRITE | DENYOOM, (1, 1, 1), field::bitfield),
    Spec::new("bitfield_ro", -2, READONLY | FAST, (1, 1, 1), field::bitfield_ro),
    Spec::new("bitop", -4, WRITE | DENYOOM, (2, -1, 1), bitop),
    Spec::new("bitpos", -3, READONLY, (1, 1, 1), bitpos),
    Spec::new("getbit", 3, READONLY | FAST, (1, 1, 1), getbit),
    Spec::new("setbit", 4, WRITE | DENYOOM, (1, 1, 1), setbit),
];

/// The place of a bit (`getBitOffsetFromArgument`); a `#` in front counts in units of `width`.
fn offset(db: &Db, argument: &[u8], width: Option<u32>) -> Result<u64, Error> {
    let read = || {
        let place = match (argument, width) {
            ([b'#', number @ ..], Some(width)) => parse_int(number)?.checked_mul(width.into())?,
            _ => parse_int(argument)?,
        };
        let place = u64::try_from(place).ok()?;
        (place / 8 < db.limits.proto_max_bulk_len as u64).then_some(place)
    };
    read().ok_or(Error::Text("ERR bit offset is not an integer or out of range"))
}

/// The byte and the mask of a bit.
fn place(bit: u64) -> (usize, u8) {
    let byte = usize::try_from(bit / 8).expect("it is below the longest string's length");
    (byte, 0x80 >> (bit % 8))
}

/// SETBIT: the bit that was there before.
fn setbit(call: &mut Call<'_>) -> Answer {
    let words = call.args;
    let bit = offset(call.db(), &words[2], None)?;
    let on = match parse_int(&words[3]) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Error::Text("ERR bit is not an integer or out of range")),
    };
    let (key, (byte, mask)) = (call.key(1), place(bit));
    let db = call.db();
    let new = !db.exists(&key);
    let (was, changed) = db.upsert(&key, |held: &mut Bytes, dirty| {
        let held = held.to_mut();
        let longer = new || held.len() <= byte;
        if longer {
            held.resize(byte + 1, 0);
        }
        let was = held[byte] & mask != 0;
        if was != on {
            held[byte] ^= mask;
        }
        let changed = longer || was != on;
        *dirty += u64::from(changed);
        (was, changed)
    })?;
    if changed {
        db.notify(Class::String, "setbit", &key);
    }
    Ok(Reply::flag(was))
}

/// GETBIT.
fn getbit(call: &mut Call<'_>) -> Answer {
    let words = call.args;
    let bit = offset(call.db(), &words[2], None)?;
    let (key, (byte, mask)) = (call.key(1), place(bit));
    let held = call.db().get(&key)?;
    let byte = held.and_then(|held| held.get(byte)).copied().unwrap_or(0);
    Ok(Reply::flag(byte & mask != 0))
}

/// Whether an argument says that a range is one of bits, not of bytes.
fn is_bits(unit: Option<&Bytes>) -> Result<bool, Error> {
    match unit {
        None => Ok(false),
        Some(unit) if args::is(unit, "bit") => Ok(true),
        Some(unit) if args::is(unit, "byte") => Ok(false),
        Some(_) => Err(Error::Syntax),
    }
}

/// The bits that a range means in a string of `len` bytes, both ends included and counted from the
/// end if negative.
fn bits(start: i64, end: i64, in_bits: bool, len: usize) -> Range<u64> {
    let unit = if in_bits { 1 } else { 8 };
    let total = len as i64 * 8 / unit;
    let clip = |index: i64| if index < 0 { index.saturating_add(total).max(0) } else { index };
    let (start, end) = (clip(start), clip(end).min(total - 1));
    if start > end {
        return 0..0;
    }
    let bit = |index: i64| index.unsigned_abs() * unit.unsigned_abs();
    bit(start)..bit(end + 1)
}

/// The bits of a byte that are within a range.
fn mask(byte: usize, range: &Range<u64>) -> u8 {
    let first = byte as u64 * 8;
    let from = range.start.saturating_sub(first).min(8) as u32;
    let to = range.end.saturating_sub(first).min(8) as u32;
    let low = |bits: u32| 0xff_u8.checked_shr(bits).unwrap_or(0);
    low(from) & !low(to)
}

/// The bytes that a range of bits touches.
fn touched(range: &Range<u64>) -> Range<usize> {
    let index = |at: u64| usize::try_from(at).expect("it is within a string");
    index(range.start / 8)..index(range.end.div_ceil(8))
}

/// BITCOUNT.
fn bitcount(call: &mut Call<'_>) -> Answer {
    let (key, words) = (call.key(1), &call.args[2..]);
    let Some(held) = call.db().get(&key)? else { return Ok(Reply::Int(0)) };
    let range = match words {
        [] => bits(0, -1, false, held.len()),
        [start, end, unit @ ..] if unit.len() <= 1 => {
            let (start, end) = (args::int(start)?, args::int(end)?);
            if start < 0 && end < 0 && start > end {
                return Ok(Reply::Int(0));
            }
            bits(start, end, is_bits(unit.first())?, held.len())
        }
        _ => return Err(Error::Syntax),
    };
    let places = touched(&range);
    let Some((first, last)) = places.clone().next().zip(places.clone().next_back()) else {
        return Ok(Reply::Int(0));
    };
    let outside = |byte: usize| (held[byte] & !mask(byte, &range)).count_ones();
    let all: u64 = held[places].iter().map(|byte| u64::from(byte.count_ones())).sum();
    let mut extra = outside(first);
    if first != last {
        extra += outside(last);
    }
    Ok(Reply::Int((all - u64::from(extra)).cast_signed()))
}

/// BITPOS: of zeros there is always one more after the string, unless the range has an end.
fn bitpos(call: &mut Call<'_>) -> Answer {
    let bit = args::int(&call.args[2])?;
    if bit != 0 && bit != 1 {
        return Err(Error::Text("ERR The bit argument must be 1 or 0."));
    }
    let (key, words) = (call.key(1), &call.args[3..]);
    let Some(held) = call.db().get(&key)? else { return Ok(Reply::Int(-bit)) };
    let range = match words {
        [] => bits(0, -1, false, held.len()),
        [start, rest @ ..] if rest.len() <= 2 => {
            let start = args::int(start)?;
            let in_bits = is_bits(rest.get(1))?;
            let end = rest.first().map_or(Ok(-1), |end| args::int(end))?;
            bits(start, end, in_bits, held.len())
        }
        _ => return Err(Error::Syntax),
    };
    if range.is_empty() {
        return Ok(Reply::Int(-1));
    }
    let wanted = |byte: usize| {
        let found = if bit == 1 { held[byte] } else { !held[byte] };
        found & mask(byte, &range)
    };
    let found = touched(&range).find(|byte| wanted(*byte) != 0);
    let found = found.map(|byte| byte as u64 * 8 + u64::from(wanted(byte).leading_zeros()));
    let after = (bit == 0 && words.len() < 2).then_some(range.end);
    Ok(Reply::Int(found.or(after).map_or(-1, u64::cast_signed)))
}

/// BITOP: what is missing of a shorter string is zeros.
fn bitop(call: &mut Call<'_>) -> Answer {
    let name = &call.args[1];
    let op: fn(u8, u8) -> u8 = match () {
        () if args::is(name, "and") => |a, b| a & b,
        () if args::is(name, "or") => |a, b| a | b,
        () if args::is(name, "xor") => |a, b| a ^ b,
        () if args::is(name, "not") => |a, _| !a,
        () => return Err(Error::Syntax),
    };
    if args::is(name, "not") && call.args.len() != 4 {
        return Err(Error::Text("ERR BITOP NOT must be called with a single source key."));
    }
    let (target, sources) = (call.key(2), args::keys(&call.args[3..]));
    let db = call.db();
    let held = sources.iter().map(|key| db.look::<Bytes>(key).map(|held| held.cloned()));
    let held = held.map(|held| held.map(Option::unwrap_or_default));
    let held = held.collect::<Result<Vec<Bytes>, Error>>()?;
    let length = held.iter().map(|held| held.len()).max().unwrap_or(0);
    if length == 0 {
        db.discard(&target, sources.contains(&target));
        return Ok(Reply::Int(0));
    }
    let mut target_bytes = held[0].clone();
    let result = target_bytes.to_mut();
    result.resize(length, 0);
    if args::is(name, "not") {
        result.iter_mut().for_each(|byte| *byte = op(*byte, 0));
    }
    for other in &held[1..] {
        let (common, rest) = result.split_at_mut(other.len());
        common.iter_mut().zip(other.iter()).for_each(|(byte, other)| *byte = op(*byte, *other));
        rest.iter_mut().for_each(|byte| *byte = op(*byte, 0));
    }
    db.put(&target, target_bytes, None);
    db.notify(Class::String, "set", &target);
    Ok(Reply::int(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bits_and_bytes() {
        assert_eq!(bits(0, -1, false, 3), 0..24);
        assert_eq!(bits(5, 30, true, 3), 5..24);
        assert_eq!(bits(-8, -7, true, 3), 16..18);
        assert_eq!(bits(1, 0, false, 3), 0..0);
        assert_eq!(bits(i64::MIN, i64::MAX, false, 0), 0..0);
        assert_eq!((mask(0, &(5..7)), mask(1, &(5..9)), mask(2, &(0..16))), (6, 0x80, 0));
        assert_eq!(mask(0, &(0..8)), 0xff);
    }
}
