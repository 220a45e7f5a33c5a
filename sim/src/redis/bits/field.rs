//! BITFIELD and BITFIELD_RO: integers of any width at any place of a string.

use super::{offset, place};
use crate::redis::args;
use crate::redis::bytes::{Bytes, parse_int};
use crate::redis::db::{Class, Db};
use crate::redis::error::Error;
use crate::redis::reply::Reply;
use crate::redis::server::{Answer, Call};

/// What becomes of a number that is too large.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// The type of a field.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Width {
    signed: bool,
    bits: u32,
}

impl Width {
    fn read(word: &[u8]) -> Result<Width, Error> {
        let read = || {
            let (sign, bits) = word.split_first()?;
            let signed = match sign {
                b'i' => true,
                b'u' => false,
                _ => return None,
            };
            let bits = u32::try_from(parse_int(bits)?).ok()?;
            let most = if signed { 64 } else { 63 };
            (1..=most).contains(&bits).then_some(Width { signed, bits })
        };
        read().ok_or(Error::Text(
            "ERR Invalid bitfield type. Use something like i16 u8. \
             Note that u64 is not supported but i64 is.",
        ))
    }

    /// The smallest and the largest number of the type.
    fn bounds(self) -> (i128, i128) {
        match self.signed {
            true => (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1),
            false => (0, (1 << self.bits) - 1),
        }
    }

    /// What the lowest bits of a number are in this type.
    fn wrap(self, number: i128) -> i128 {
        let low = number & ((1 << self.bits) - 1);
        let (_, most) = self.bounds();
        if low > most { low - (1 << self.bits) } else { low }
    }

    /// The number in this type; `None`: it fails.
    fn fit(self, number: i128, overflow: Overflow) -> Option<i128> {
        let (least, most) = self.bounds();
        match overflow {
            _ if (least..=most).contains(&number) => Some(number),
            Overflow::Wrap => Some(self.wrap(number)),
            Overflow::Saturate => Some(number.clamp(least, most)),
            Overflow::Fail => None,
        }
    }

    /// A number to be set, of a type with a sign. Redis finds out in 64 bits how far it is from the
    /// largest, so that one very far below all saturates to the largest.
    fn far(self, number: i64, overflow: Overflow) -> i128 {
        let (_, most) = self.bounds();
        let negative = |most: i64| most.wrapping_sub(number) < 0;
        let above = self.bits < 64 && number < 0 && i64::try_from(most).is_ok_and(negative);
        match overflow {
            Overflow::Saturate if above => most,
            _ => i128::from(number),
        }
    }

    fn get(self, held: &[u8], at: u64) -> i128 {
        let bits = (at..at + u64::from(self.bits)).map(|bit| {
            let (byte, mask) = place(bit);
            held.get(byte).is_some_and(|byte| byte & mask != 0)
        });
        self.wrap(bits.fold(0, |number, bit| number << 1 | i128::from(bit)))
    }

    fn set(self, held: &mut [u8], at: u64, number: i128) {
        for (down, bit) in (0..self.bits).rev().zip(at..) {
            let (byte, mask) = place(bit);
            if number >> down & 1 == 1 {
                held[byte] |= mask;
            } else {
                held[byte] &= !mask;
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Get,
    Set(i64),
    IncrBy(i64),
}

/// One of the operations of a command.
#[derive(Clone, Copy, Debug)]
struct Op {
    act: Act,
    width: Width,
    at: u64,
    overflow: Overflow,
}

impl Op {
    /// Reads all operations of a command.
    fn read_all(db: &Db, words: &[Bytes]) -> Result<Vec<Op>, Error> {
        let (mut ops, mut overflow, mut rest) = (Vec::new(), Overflow::Wrap, words);
        while let Some((name, after)) = rest.split_first() {
            if let [how, after @ ..] = after
                && args::is(name, "overflow")
            {
                overflow = match () {
                    () if args::is(how, "wrap") => Overflow::Wrap,
                    () if args::is(how, "sat") => Overflow::Saturate,
                    () if args::is(how, "fail") => Overflow::Fail,
                    () => return Err(Error::Text("ERR Invalid OVERFLOW type specified")),
                };
                rest = after;
                continue;
            }
            let (words, act): (usize, fn(i64) -> Act) = match () {
                () if args::is(name, "get") => (2, |_| Act::Get),
                () if args::is(name, "set") => (3, Act::Set),
                () if args::is(name, "incrby") => (3, Act::IncrBy),
                () => return Err(Error::Syntax),
            };
            let (operands, after) = after.split_at_checked(words).ok_or(Error::Syntax)?;
            let width = Width::read(&operands[0])?;
            let at = offset(db, &operands[1], Some(width.bits))?;
            let number = operands.get(2).map_or(Ok(0), |number| args::int(number))?;
            ops.push(Op { act: act(number), width, at, overflow });
            rest = after;
        }
        Ok(ops)
    }

    /// The last bit it touches.
    fn last(&self) -> u64 {
        self.at + u64::from(self.width.bits) - 1
    }

    /// Changes the string, which is long enough; the reply, and whether a number has changed.
    fn write(&self, held: &mut [u8]) -> (Reply, bool) {
        let old = self.width.get(held, self.at);
        let number = match self.act {
            Act::Get => return (number_reply(old), false),
            // A negative number is a very large one to a type without a sign.
            Act::Set(number) if !self.width.signed => i128::from(number.cast_unsigned()),
            Act::Set(number) => self.width.far(number, self.overflow),
            Act::IncrBy(by) => old + i128::from(by),
        };
        let Some(new) = self.width.fit(number, self.overflow) else {
            return (Reply::Nil, false);
        };
        self.width.set(held, self.at, new);
        let shown = if matches!(self.act, Act::Set(_)) { old } else { new };
        (number_reply(shown), new != old)
    }
}

fn number_reply(number: i128) -> Reply {
    Reply::Int(i64::try_from(number).expect("no type is wider than 64 bits with a sign"))
}

/// BITFIELD.
pub(super) fn bitfield(call: &mut Call<'_>) -> Answer {
    let words = &call.args[2..];
    let ops = Op::read_all(call.db(), words)?;
    let writes = ops.iter().filter(|op| !matches!(op.act, Act::Get));
    let Some(last) = writes.map(Op::last).max() else { return read_only(call, &ops) };
    let (key, length) = (call.key(1), place(last).0 + 1);
    let db = call.db();
    let new = !db.exists(&key);
    let (replies, changed) = db.upsert(&key, |held: &mut Bytes, dirty| {
        let held = held.to_mut();
        let longer = new || held.len() < length;
        if longer {
            held.resize(length, 0);
        }
        let mut changes = 0;
        let replies = ops.iter().map(|op| {
            let (reply, changed) = op.write(held);
            let wrote = !matches!(op.act, Act::Get) && reply != Reply::Nil;
            changes += u64::from(wrote && (longer || changed));
            reply
        });
        let replies = Reply::Array(replies.collect());
        *dirty += changes;
        (replies, changes > 0)
    })?;
    if changed {
        db.notify(Class::String, "setbit", &key);
    }
    Ok(replies)
}

/// BITFIELD_RO.
pub(super) fn bitfield_ro(call: &mut Call<'_>) -> Answer {
    let words = &call.args[2..];
    let ops = Op::read_all(call.db(), words)?;
    if ops.iter().any(|op| !matches!(op.act, Act::Get)) {
        return Err(Error::Text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read_only(call, &ops)
}

fn read_only(call: &mut Call<'_>, ops: &[Op]) -> Answer {
    let key = call.key(1);
    let held = call.db().get(&key)?.map(Bytes::as_bytes).unwrap_or_default();
    let numbers = ops.iter().map(|op| number_reply(op.width.get(held, op.at)));
    Ok(Reply::Array(numbers.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_overflow_as_they_are_told() {
        let (byte, nibble) = (Width::read(b"u8").unwrap(), Width::read(b"i4").unwrap());
        let fits = |width: Width, number| {
            [Overflow::Wrap, Overflow::Saturate, Overflow::Fail].map(|how| width.fit(number, how))
        };
        assert_eq!(fits(byte, 257), [Some(1), Some(255), None]);
        assert_eq!(fits(byte, -1), [Some(255), Some(0), None]);
        assert_eq!(fits(nibble, 8), [Some(-8), Some(7), None]);
        assert_eq!(fits(nibble, -9), [Some(7), Some(-8), None]);
        assert_eq!(fits(nibble, -8), [Some(-8); 3]);
        for wrong in ["u64", "i65", "i0", "x8", "", "u", "u08"] {
            assert!(Width::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_are_written_and_read_across_bytes() {
        let (width, mut held) = (Width { signed: true, bits: 13 }, [0xff; 4]);
        width.set(&mut held, 5, -3000);
        assert_eq!((width.get(&held, 5), held[0] & 0xf8, held[3]), (-3000, 0xf8, 0xff));
        assert_eq!(width.get(&held, 60), 0, "behind the string are zeros");
    }
}
