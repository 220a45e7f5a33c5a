//! The library `bit` (Lua BitOp 1.0.2): operations on 32 bits.

use mlua::{Lua, Result, Table};

use super::args::{Args, to_number};
use super::native::Native;

/// The functions of the library.
pub(super) fn library(native: Native<'_>) -> Result<Table> {
    let library = native.lua.create_table()?;
    let add = |name: &str, run: fn(&Lua, &Args) -> Result<u32>| {
        library.raw_set(name, native.function(move |lua, args: Args| Ok(run(lua, &args)? as i32))?)
    };
    add("tobit", |lua, args| bits(lua, args, 1))?;
    add("bnot", |lua, args| Ok(!bits(lua, args, 1)?))?;
    add("band", |lua, args| fold(lua, args, |one, two| one & two))?;
    add("bor", |lua, args| fold(lua, args, |one, two| one | two))?;
    add("bxor", |lua, args| fold(lua, args, |one, two| one ^ two))?;
    add("lshift", |lua, args| shift(lua, args, |bits, by| bits << by))?;
    add("rshift", |lua, args| shift(lua, args, |bits, by| bits >> by))?;
    add("arshift", |lua, args| shift(lua, args, |bits, by| (bits as i32 >> by) as u32))?;
    add("rol", |lua, args| shift(lua, args, u32::rotate_left))?;
    add("ror", |lua, args| shift(lua, args, u32::rotate_right))?;
    add("bswap", |lua, args| Ok(bits(lua, args, 1)?.swap_bytes()))?;
    library.raw_set(
        "tohex",
        native.function(|lua, args: Args| lua.create_string(tohex(lua, &args)?))?,
    )?;
    Ok(library)
}

/// The number whose addition leaves an integer's bits at the low end of a double: 2^52 + 2^51.
const ALIGN: f64 = 6_755_399_441_055_744.0;

/// An argument as 32 bits, wrapped around.
fn bits(lua: &Lua, args: &Args, at: usize) -> Result<u32> {
    match to_number(lua, args.get(at)) {
        Some(number) => Ok((number + ALIGN).to_bits() as u32),
        None => Err(args.wrong(lua, at, "number")),
    }
}

/// Folds all arguments, the last ones first: that is the order in which a wrong one is found.
fn fold(lua: &Lua, args: &Args, operation: fn(u32, u32) -> u32) -> Result<u32> {
    let first = bits(lua, args, 1)?;
    let mut rest = (2..=args.len()).rev();
    rest.try_fold(first, |sum, at| Ok(operation(sum, bits(lua, args, at)?)))
}

fn shift(lua: &Lua, args: &Args, operation: fn(u32, u32) -> u32) -> Result<u32> {
    let value = bits(lua, args, 1)?;
    Ok(operation(value, bits(lua, args, 2)? & 31))
}

/// The lowest digits in hexadecimal, 8 or as many as asked for; a negative number asks for capitals.
fn tohex(lua: &Lua, args: &Args) -> Result<String> {
    let value = bits(lua, args, 1)?;
    let wanted = if args.len() < 2 { 8 } else { bits(lua, args, 2)? as i32 };
    let count = wanted.unsigned_abs().min(8) as usize;
    let all = if wanted < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    Ok(all[8 - count..].to_owned())
}
