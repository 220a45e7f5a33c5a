//! `cjson.encode`.

use mlua::{Error, Lua, Result, Table, Value};

use super::super::super::mutants::{Mutant, planted};
use super::super::args::{Args, type_name};
use super::super::number::{self, to_i32};
use super::super::raise;
use super::{DEEPEST, Invalid, Settings};

/// Down to this depth a table is walked inside one call of Lua. Each such walk takes two of the 200
/// calls of C that Lua allows, so deeper tables are walked step by step.
const WALKED_AT_ONCE: i32 = 20;

/// `cjson.encode(value)`.
pub(super) fn encode(lua: &Lua, args: &Args, settings: &mut Settings) -> Result<Value> {
    if args.len() != 1 {
        return Err(raise::argument(lua, 1, "expected 1 argument"));
    }
    let mut encoder = Encoder { settings, out: Vec::new() };
    // A walk through a table has frames of its own, so the place is found out here.
    encoder.value(args.get(1), 0).map_err(|error| raise::placed(lua, &error))?;
    Ok(Value::String(lua.create_string(encoder.out)?))
}

/// Its errors have no place yet.
struct Encoder<'a> {
    settings: &'a Settings,
    out: Vec<u8>,
}

fn refused(what: &Value, reason: &str) -> Error {
    raise::bare(format!("Cannot serialise {}: {reason}", type_name(what)))
}

/// What a table is written as.
enum Shape {
    /// So many elements, some of which may be nil.
    Array(i32),
    Object,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: i32) -> Result<()> {
        match value {
            Value::String(string) => self.string(&string.as_bytes()),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Table(table) => self.table(table, depth + 1)?,
            Value::Nil => self.out.extend_from_slice(b"null"),
            null if null.is_null() => self.out.extend_from_slice(b"null"),
            other => return Err(refused(other, "type not supported")),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: i32) -> Result<()> {
        if depth > self.settings.encode_depth.min(DEEPEST) {
            let problem = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(raise::bare(problem));
        }
        match self.shape(table)? {
            Shape::Array(length) => {
                self.out.push(b'[');
                for at in 1..=length {
                    if at > 1 {
                        self.out.push(b',');
                    }
                    let value: Value = table.raw_get(at)?;
                    self.value(&value, depth)?;
                }
                self.out.push(b']');
            }
            Shape::Object => {
                self.out.push(b'{');
                let mut first = true;
                let entry = |key, value| {
                    if !std::mem::take(&mut first) {
                        self.out.push(b',');
                    }
                    self.entry(&key, &value, depth)
                };
                walk(table, depth, entry)?;
                self.out.push(b'}');
            }
        }
        Ok(())
    }

    fn entry(&mut self, key: &Value, value: &Value, depth: i32) -> Result<()> {
        match key {
            Value::String(string) => self.string(&string.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.value(key, depth)?;
                self.out.push(b'"');
            }
            other => return Err(refused(other, "table key must be a number or string")),
        }
        self.out.push(b':');
        self.value(value, depth)
    }

    /// An array if all keys are integers from 1 on, and not too few for the greatest of them.
    fn shape(&self, table: &Table) -> Result<Shape> {
        let (mut most, mut items) = (0_i32, 0_i32);
        let found = table.for_each(|key: Value, _: Value| {
            let index = match key {
                Value::Integer(number) if number >= 1 => number as f64,
                Value::Number(number) if number >= 1.0 && number.floor() == number => number,
                _ => return Err(Error::StackError),
            };
            if index > f64::from(most) {
                most = to_i32(index);
            }
            items += 1;
            Ok(())
        });
        // The error only ends the walk.
        if found.is_err() {
            return Ok(Shape::Object);
        }
        let Settings { sparse_ratio, sparse_safe, sparse_convert, .. } = *self.settings;
        if sparse_ratio > 0 && most > items.wrapping_mul(sparse_ratio) && most > sparse_safe {
            if !sparse_convert {
                let table = Value::Table(table.clone());
                return Err(refused(&table, "excessively sparse array"));
            }
            return Ok(Shape::Object);
        }
        Ok(if most > 0 { Shape::Array(most) } else { Shape::Object })
    }

    fn number(&mut self, number: f64) -> Result<()> {
        match self.settings.encode_invalid {
            _ if number.is_finite() => {}
            Invalid::Refused => {
                return Err(refused(&Value::Number(number), "must not be NaN or Inf"));
            }
            Invalid::Null => {
                self.out.extend_from_slice(b"null");
                return Ok(());
            }
            Invalid::Named if number.is_nan() => {
                self.out.extend_from_slice(b"nan");
                return Ok(());
            }
            Invalid::Named => {}
        }
        if planted(Mutant::R18) && number >= 1e14 {
            self.out.extend_from_slice(format!("{number:e}").as_bytes());
            return Ok(());
        }
        number::write(number, self.settings.digits as usize, &mut self.out);
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 2);
        self.out.push(b'"');
        let mut plain = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if !matches!(byte, 0..0x20 | b'"' | b'/' | b'\\' | 0x7f) {
                continue;
            }
            self.out.extend_from_slice(&bytes[plain..at]);
            plain = at + 1;
            let short = match byte {
                0x08 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0x0c => b'f',
                b'\r' => b'r',
                b'"' | b'/' | b'\\' => *byte,
                _ => {
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    let (high, low) =
                        (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
                    self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', short]);
        }
        self.out.extend_from_slice(&bytes[plain..]);
        self.out.push(b'"');
    }
}

/// Calls `entry` with each key and value of a table, in Lua's order.
fn walk(
    table: &Table,
    depth: i32,
    mut entry: impl FnMut(Value, Value) -> Result<()>,
) -> Result<()> {
    if depth <= WALKED_AT_ONCE {
        return table.for_each(entry);
    }
    table.pairs().try_for_each(|pair| pair.and_then(|(key, value)| entry(key, value)))
}
