//! The library `struct`: packs values into strings of bytes and unpacks them, by a format.

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use super::args::{Args, to_number};
use super::native::Native;
use super::number::{to_i64, to_u64};
use super::raise;

/// The longest integer, in bytes.
const LONGEST: usize = 32;

/// The alignment that `!` alone sets.
const WIDEST: i32 = 8;

/// As many values as Lua's stack has room for.
const MOST_RESULTS: usize = 7_990;

/// The functions of the library.
pub(super) fn library(native: Native<'_>) -> Result<Table> {
    let library = native.lua.create_table()?;
    library.raw_set("pack", native.function(pack)?)?;
    library.raw_set("unpack", native.function(|lua, args: Args| unpack(lua, &args))?)?;
    library.raw_set("size", native.function(|lua, args: Args| size(lua, &args))?)?;
    Ok(library)
}

/// A format on its way: what is left of it, and what it has set.
struct Format<'a> {
    lua: &'a Lua,
    left: &'a [u8],
    little: bool,
    align: usize,
}

impl<'a> Format<'a> {
    /// A format ends at its first zero byte.
    fn new(lua: &'a Lua, text: &'a [u8]) -> Self {
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        Format { lua, left: &text[..end], little: true, align: 1 }
    }

    /// The next option and its size; the padding before it, if it is at `place`.
    fn next(&mut self, place: usize) -> Result<Option<(u8, usize, usize)>> {
        let Some((option, left)) = self.left.split_first() else { return Ok(None) };
        self.left = left;
        let size = self.size(*option)?;
        let unit = size.min(self.align);
        let padding = if size == 0 || *option == b'c' {
            0
        } else {
            unit.wrapping_sub(place & (unit - 1)) & (unit - 1)
        };
        Ok(Some((*option, size, padding)))
    }

    fn size(&mut self, option: u8) -> Result<usize> {
        Ok(match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.number(1)? as usize,
            b'i' | b'I' => {
                let size = self.number(4)? as usize;
                if size > LONGEST {
                    let problem = format!("integral size {size} is larger than limit of {LONGEST}");
                    return Err(raise::error(self.lua, &problem));
                }
                size
            }
            _ => 0,
        })
    }

    /// The number that follows, or `default`.
    fn number(&mut self, default: i32) -> Result<i32> {
        if !self.left.first().is_some_and(u8::is_ascii_digit) {
            return Ok(default);
        }
        let mut number = 0_i32;
        while let Some((digit, left)) = self.left.split_first()
            && digit.is_ascii_digit()
        {
            let longer =
                number.checked_mul(10).and_then(|ten| ten.checked_add((digit - b'0').into()));
            number = longer.ok_or_else(|| raise::error(self.lua, "integral size overflow"))?;
            self.left = left;
        }
        Ok(number)
    }

    /// An option that is no value: byte order, alignment, a space.
    fn control(&mut self, option: u8) -> Result<()> {
        match option {
            b' ' => {}
            b'>' => self.little = false,
            b'<' => self.little = true,
            b'!' => {
                let align = self.number(WIDEST)?;
                if align <= 0 || align & (align - 1) != 0 {
                    let problem = format!("alignment {align} is not a power of 2");
                    return Err(raise::error(self.lua, &problem));
                }
                self.align = align as usize;
            }
            other => {
                let problem = format!("invalid format option '{}'", char::from(other));
                return Err(raise::argument(self.lua, 1, &problem));
            }
        }
        Ok(())
    }

    /// Appends `bytes`, given in little order, in the order that is set.
    fn put(&self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.little {
            out.extend_from_slice(bytes);
        } else {
            out.extend(bytes.iter().rev());
        }
    }

    /// The first `N` bytes of `data` in little order.
    fn take<const N: usize>(&self, data: &[u8]) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&data[..N]);
        if !self.little {
            bytes.reverse();
        }
        bytes
    }
}

/// `struct.pack(format, …)`.
fn pack(lua: &Lua, mut args: Args) -> Result<LuaString> {
    let text = args.string(lua, 1)?;
    // The library marks the end of its arguments so, and a missing one is found to be the mark.
    args.push_nil();
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let (mut out, mut at, mut total) = (Vec::new(), 2, 0_usize);
    while let Some((option, mut size, padding)) = format.next(total)? {
        total += padding;
        out.resize(out.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = args.number(lua, at)?;
                let value = if number < 0.0 { to_i64(number) as u64 } else { to_u64(number) };
                let mut bytes = [0; LONGEST];
                bytes[..8].copy_from_slice(&value.to_le_bytes());
                format.put(&bytes[..size], &mut out);
                at += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                format.put(&(args.number(lua, at)? as f32).to_le_bytes(), &mut out);
                at += 1;
            }
            b'd' => {
                format.put(&args.number(lua, at)?.to_le_bytes(), &mut out);
                at += 1;
            }
            b'c' | b's' => {
                let string = args.string(lua, at)?;
                let bytes = string.as_bytes();
                at += 1;
                if size == 0 {
                    size = bytes.len();
                }
                if bytes.len() < size {
                    return Err(raise::argument(lua, at, "string too short"));
                }
                out.extend_from_slice(&bytes[..size]);
                if option == b's' {
                    out.push(0);
                    size += 1;
                }
            }
            other => format.control(other)?,
        }
        total += size;
    }
    lua.create_string(out)
}

/// An integer of `size` bytes.
fn integer(format: &Format<'_>, data: &[u8], size: usize, signed: bool) -> f64 {
    let step = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
    let data = &data[..size];
    let value =
        if format.little { data.iter().rev().fold(0, step) } else { data.iter().fold(0, step) };
    if !signed {
        return value as f64;
    }
    // The machine takes a shift by its lowest six bits.
    let mask = u64::MAX.wrapping_shl((size as u32).wrapping_mul(8).wrapping_sub(1));
    (if value & mask == 0 { value } else { value | mask }) as i64 as f64
}

/// `struct.unpack(format, data[, place])`.
fn unpack(lua: &Lua, args: &Args) -> Result<MultiValue> {
    let text = args.string(lua, 1)?;
    let text = text.as_bytes();
    let data = args.string(lua, 2)?;
    let data = data.as_bytes();
    let place = args.integer_or(lua, 3, 1)?;
    if place == 0 {
        return Err(raise::argument(lua, 3, "offset must be 1 or greater"));
    }
    let mut place = (place as u64 as usize).wrapping_sub(1);
    let mut format = Format::new(lua, &text);
    let mut results: Vec<Value> = Vec::new();
    while let Some((option, mut size, padding)) = format.next(place)? {
        place = place.wrapping_add(padding);
        let fits = |size: usize| {
            let fits = size <= data.len() && place <= data.len() - size;
            if fits { Ok(()) } else { Err(raise::argument(lua, 2, "data string too short")) }
        };
        fits(size)?;
        if results.len() >= MOST_RESULTS {
            return Err(raise::error(lua, "stack overflow (too many results)"));
        }
        let here = &data[place..];
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let signed = option.is_ascii_lowercase();
                results.push(Value::Number(integer(&format, here, size, signed)));
            }
            b'x' => {}
            b'f' => results.push(Value::Number(f32::from_le_bytes(format.take(here)).into())),
            b'd' => results.push(Value::Number(f64::from_le_bytes(format.take(here)))),
            b'c' => {
                if size == 0 {
                    let last = results.pop().and_then(|last| to_number(lua, &last));
                    let Some(length) = last else {
                        return Err(raise::error(lua, "format 'c0' needs a previous size"));
                    };
                    size = to_u64(length) as usize;
                    fits(size)?;
                }
                results.push(Value::String(lua.create_string(&here[..size])?));
            }
            b's' => {
                let Some(end) = here.iter().position(|byte| *byte == 0) else {
                    return Err(raise::error(lua, "unfinished string in data"));
                };
                results.push(Value::String(lua.create_string(&here[..end])?));
                size = end + 1;
            }
            other => format.control(other)?,
        }
        place = place.wrapping_add(size);
    }
    results.push(Value::Number(place.wrapping_add(1) as i64 as f64));
    Ok(MultiValue::from_vec(results))
}

/// `struct.size(format)`.
fn size(lua: &Lua, args: &Args) -> Result<f64> {
    let text = args.string(lua, 1)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let mut place = 0_usize;
    while let Some((option, size, padding)) = format.next(place)? {
        place = place.wrapping_add(padding);
        match option {
            b's' => return Err(raise::argument(lua, 1, "option 's' has no fixed size")),
            b'c' if size == 0 => {
                return Err(raise::argument(lua, 1, "option 'c0' has no fixed size"));
            }
            other if !other.is_ascii_alphanumeric() => format.control(other)?,
            _ => {}
        }
        place = place.wrapping_add(size);
    }
    Ok(place as i64 as f64)
}
