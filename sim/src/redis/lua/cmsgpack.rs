//! The library `cmsgpack` (lua-cmsgpack 0.4.0): MessagePack, by the rules of Redis's library.
//!
//! A double that is an integer of 64 bits is packed as one, a table as an array if its keys are 1
//! to n. Binary strings and extensions cannot be read, and what is nested deeper than 16 is packed
//! as nil.

use mlua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};

use super::args::Args;
use super::item::{self, Item};
use super::native::Native;
use super::number::{to_i32, to_i64};
use super::raise;

/// How deep tables may be nested.
const DEEPEST: usize = 16;

/// As many values as Lua's stack has room for.
const MOST_RESULTS: usize = 7_980;

/// How deep what is read may be nested: Redis's library has room for 2,664 or more.
const DEEPEST_READ: usize = 1_500;

/// What ends a reading for which there is no room.
const NO_ROOM: &str = "stack overflow (too many return values at once; use unpack_one or \
                       unpack_limit instead.)";

/// The functions of the library.
pub(super) fn library(native: Native<'_>) -> Result<Table> {
    let library = native.lua.create_table()?;
    library.raw_set("pack", native.function(|lua, args: Args| pack(lua, &args))?)?;
    let all = native.function(|lua, args: Args| unpack(lua, &args, 0, 0))?;
    library.raw_set("unpack", all)?;
    let one = native.function(|lua, args: Args| {
        let from = args.integer_or(lua, 2, 0)?;
        unpack(lua, &args, 1, from)
    })?;
    library.raw_set("unpack_one", one)?;
    let limit = native.function(|lua, args: Args| {
        let limit = args.integer(lua, 2)?;
        let from = args.integer_or(lua, 3, 0)?;
        unpack(lua, &args, limit, from)
    })?;
    library.raw_set("unpack_limit", limit)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

/// `cmsgpack.pack(…)`: one after the other.
fn pack(lua: &Lua, args: &Args) -> Result<LuaString> {
    if args.len() == 0 {
        return Err(raise::argument(lua, 0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in args.all() {
        pack_value(value, 0, &mut out)?;
    }
    lua.create_string(out)
}

fn pack_value(value: &Value, level: usize, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::String(string) => pack_bytes(&string.as_bytes(), out),
        Value::Boolean(yes) => out.push(if *yes { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => pack_int(*number, out),
        Value::Number(number) => pack_number(*number, out),
        Value::Table(table) if level < DEEPEST => return pack_table(table, level, out),
        _ => out.push(0xc0),
    }
    Ok(())
}

/// Appends a type's byte and a length of as many bytes as it takes. There is no longer one.
fn pack_length(length: usize, [short, long]: [u8; 2], out: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(length) {
        out.push(short);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(long);
        out.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

fn pack_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(bytes.len()) {
        Ok(length) if length < 32 => out.push(0xa0 | length),
        Ok(length) => out.extend_from_slice(&[0xd9, length]),
        Err(_) => pack_length(bytes.len(), [0xda, 0xdb], out),
    }
    out.extend_from_slice(bytes);
}

fn pack_number(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() && to_i64(number) as f64 == number {
        pack_int(to_i64(number), out);
    } else if f64::from(number as f32) == number {
        out.push(0xca);
        out.extend_from_slice(&(number as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn pack_int(number: i64, out: &mut Vec<u8>) {
    if (-32..=127).contains(&number) {
        return out.push(number as u8);
    }
    // The type's byte, and as many bytes as it takes.
    let (kind, bytes) = match number {
        0x1_0000_0000.. => (0xcf, 8),
        0x1_0000.. => (0xce, 4),
        0x100.. => (0xcd, 2),
        0.. => (0xcc, 1),
        -0x80.. => (0xd0, 1),
        -0x8000.. => (0xd1, 2),
        -0x8000_0000.. => (0xd2, 4),
        _ => (0xd3, 8),
    };
    out.push(kind);
    out.extend_from_slice(&number.to_be_bytes()[8 - bytes..]);
}

fn pack_table(table: &Table, level: usize, out: &mut Vec<u8>) -> Result<()> {
    if is_array(table)? {
        let length = table.raw_len();
        match length {
            0..=15 => out.push(0x90 | length as u8),
            _ => pack_length(length, [0xdc, 0xdd], out),
        }
        return (1..=length).try_for_each(|at| pack_value(&table.get(at)?, level + 1, out));
    }
    let mut length = 0;
    table.for_each(|_: Skipped, _: Skipped| {
        length += 1;
        Ok(())
    })?;
    match length {
        0..=15 => out.push(0x80 | length as u8),
        _ => pack_length(length, [0xde, 0xdf], out),
    }
    table.for_each(|key: Value, value: Value| {
        pack_value(&key, level + 1, out)?;
        pack_value(&value, level + 1, out)
    })
}

/// Whether the keys of a table are the integers from 1 to their number.
fn is_array(table: &Table) -> Result<bool> {
    let (mut most, mut count) = (0_i32, 0_i32);
    let found = table.for_each(|key: Value, _: Skipped| {
        let number = match key {
            Value::Integer(number) => number as f64,
            Value::Number(number) => number,
            _ => return Err(Error::StackError),
        };
        if number <= 0.0 || f64::from(to_i32(number)) != number {
            return Err(Error::StackError);
        }
        most = most.max(to_i32(number));
        count += 1;
        Ok(())
    });
    // The error only ends the walk.
    Ok(found.is_ok() && most == count)
}

/// A value that nobody looks at.
struct Skipped;

impl mlua::FromLua for Skipped {
    fn from_lua(_: Value, _: &Lua) -> Result<Self> {
        Ok(Skipped)
    }
}

/// `cmsgpack.unpack` and its kind: values from the byte `from` on, at most `limit`. If both are 0,
/// all of them; if not, where the next one begins goes before them, or -1 at the end.
fn unpack(lua: &Lua, args: &Args, limit: i64, from: i64) -> Result<MultiValue> {
    let data = args.string(lua, 1)?;
    let data = data.as_bytes();
    let length = data.len();
    if from < 0 || limit < 0 {
        let (from, length) = (from as i32, length as i32);
        let problem =
            format!("Invalid request to unpack with offset of {from} and limit of {length}.");
        return Err(raise::error(lua, &problem));
    }
    let Some(left) = usize::try_from(from).ok().and_then(|from| data.get(from..)) else {
        let (from, length) = (from as i32, length as i32);
        let problem = format!("Start offset {from} greater than input length {length}.");
        return Err(raise::error(lua, &problem));
    };
    let all = limit == 0 && from == 0;
    let limit = if all { i64::from(i32::MAX) } else { limit };
    let mut reader = Reader { lua, left, depth: 0 };
    let mut results = Vec::new();
    if !all {
        results.push(Value::Nil);
    }
    while !reader.left.is_empty() && (results.len() as i64 - i64::from(!all)) < limit {
        if results.len() >= MOST_RESULTS {
            return Err(raise::error(lua, NO_ROOM));
        }
        results.push(reader.next()?.into_value(lua)?);
    }
    if !all {
        let next = if reader.left.is_empty() { -1 } else { (length - reader.left.len()) as i64 };
        results[0] = Value::Integer(next);
    }
    Ok(MultiValue::from_vec(results))
}

/// What is left to be read.
struct Reader<'a> {
    lua: &'a Lua,
    left: &'a [u8],
    /// How many arrays and maps what is read is in.
    depth: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((bytes, left)) = self.left.split_at_checked(count) else {
            return Err(raise::error(self.lua, "Missing bytes in input."));
        };
        self.left = left;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.bytes(N)?);
        Ok(bytes)
    }

    fn length<const N: usize>(&mut self) -> Result<usize> {
        Ok(self.array::<N>()?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn next(&mut self) -> Result<Item<'a>> {
        let [kind] = self.array()?;
        let number = match kind {
            0x00..=0x7f => f64::from(kind),
            0xe0..=0xff => f64::from(kind as i8),
            0x80..=0x8f => return self.map(usize::from(kind & 0xf)),
            0x90..=0x9f => return self.sequence(usize::from(kind & 0xf)),
            0xa0..=0xbf => return self.bytes(usize::from(kind & 0x1f)).map(Item::Bytes),
            0xc0 => return Ok(Item::Nil),
            0xc2 => return Ok(Item::Bool(false)),
            0xc3 => return Ok(Item::Bool(true)),
            0xca => f64::from(f32::from_be_bytes(self.array()?)),
            0xcb => f64::from_be_bytes(self.array()?),
            0xcc => f64::from(u8::from_be_bytes(self.array()?)),
            0xcd => f64::from(u16::from_be_bytes(self.array()?)),
            0xce => f64::from(u32::from_be_bytes(self.array()?)),
            // Lua's integers are signed.
            0xcf | 0xd3 => i64::from_be_bytes(self.array()?) as f64,
            0xd0 => f64::from(i8::from_be_bytes(self.array()?)),
            0xd1 => f64::from(i16::from_be_bytes(self.array()?)),
            0xd2 => f64::from(i32::from_be_bytes(self.array()?)),
            0xd9..=0xdb => {
                let length = match kind {
                    0xd9 => self.length::<1>()?,
                    0xda => self.length::<2>()?,
                    _ => self.length::<4>()?,
                };
                return self.bytes(length).map(Item::Bytes);
            }
            0xdc | 0xdd => {
                let length = if kind == 0xdc { self.length::<2>()? } else { self.length::<4>()? };
                return self.sequence(length);
            }
            0xde | 0xdf => {
                let length = if kind == 0xde { self.length::<2>()? } else { self.length::<4>()? };
                return self.map(length);
            }
            _ => return Err(raise::error(self.lua, "Bad data format in input.")),
        };
        Ok(Item::Number(number))
    }

    fn descend(&mut self) -> Result<Table> {
        self.depth += 1;
        if self.depth > DEEPEST_READ {
            return Err(raise::error(self.lua, NO_ROOM));
        }
        self.lua.create_table()
    }

    fn ascend(&mut self, table: Table) -> Item<'a> {
        self.depth -= 1;
        Item::Value(Value::Table(table))
    }

    fn sequence(&mut self, length: usize) -> Result<Item<'a>> {
        let table = self.descend()?;
        for at in 1..=length {
            self.next()?.set_at(&table, at)?;
        }
        Ok(self.ascend(table))
    }

    fn map(&mut self, length: usize) -> Result<Item<'a>> {
        let table = self.descend()?;
        for _ in 0..length {
            let key = self.next()?;
            let value = self.next()?;
            item::set(&table, key, value)?;
        }
        Ok(self.ascend(table))
    }
}
