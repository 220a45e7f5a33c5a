//! What becomes of an error that a script does not catch: where it was raised, and the reply.

use mlua::{Function, Lua, Result, Table, Value};

use super::super::bytes::Bytes;
use super::super::error::Error;
use super::native::Native;
use super::{number, raise};

/// The chunk whose functions stand between a script and Lua's own: an error in them is the
/// caller's.
pub(super) const PRELUDE: &str = "=prelude";

/// The function that is called with an error where it is raised: it makes a table of it and adds
/// the place (`__redis__err__handler`).
pub(super) fn function(native: Native<'_>) -> Result<Function> {
    native.function(|lua, error: Value| {
        let error = raise::to_value(lua, error)?;
        let table = match error {
            Value::Table(table) => table,
            other => {
                let table = lua.create_table()?;
                let text = [b"ERR ", &*tostring(lua, &other)?].concat();
                table.raw_set("err", mlua::LuaString::wrap(text))?;
                table
            }
        };
        if let Some((source, line)) = place(lua) {
            table.set("source", source)?;
            table.set("line", line)?;
        }
        Ok(table)
    })
}

/// `tostring` of what is no table.
fn tostring(lua: &Lua, value: &Value) -> Result<Vec<u8>> {
    Ok(match value {
        Value::Nil => b"nil".to_vec(),
        Value::Boolean(yes) => yes.to_string().into_bytes(),
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            let string = lua.coerce_string(value.clone())?;
            string.map_or_else(Vec::new, |string| string.as_bytes().to_vec())
        }
        null if null.is_null() => b"userdata: (nil)".to_vec(),
        other => {
            format!("{}: {:?}", super::args::type_name(other), other.to_pointer()).into_bytes()
        }
    })
}

/// The source and the line of the function that raised the error, or if that is not Lua, of the one
/// that called it. Lua gives -1 for what has no line.
fn place(lua: &Lua) -> Option<(String, i64)> {
    let mut level = 1;
    loop {
        let here = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let line = debug.current_line().map_or(-1, |line| line as i64);
            (source.source.unwrap_or_default().into_owned(), line, source.what == "C")
        });
        let (source, line, is_native) = here?;
        if source != PRELUDE && (!is_native || level > 1) {
            return Some((source, line));
        }
        level += 1;
    }
}

/// The reply to a script that ended with this error, which [`function`] has made a table.
pub(super) fn reply(script: &str, error: &Table) -> Result<Error> {
    let mut line = text(&error.get("err")?).unwrap_or_else(|| b"ERR the error has no text".into());
    let source = text(&error.get("source")?);
    if let (Some(source), Some(number)) = (source, text(&error.get("line")?)) {
        let parts =
            [b" script: ", script.as_bytes(), b", on ", &source, b":", &number, b"."].concat();
        line.extend_from_slice(&parts);
    }
    Ok(Error::Bytes(one_line(&line)))
}

/// The text of a string or a number, up to a zero byte, where it ends for Redis.
pub(super) fn text(value: &Value) -> Option<Vec<u8>> {
    let mut text = match value {
        Value::String(string) => string.as_bytes().to_vec(),
        Value::Integer(number) => written(*number as f64),
        Value::Number(number) => written(*number),
        _ => return None,
    };
    text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
    Some(text)
}

fn written(number: f64) -> Vec<u8> {
    let mut text = Vec::new();
    number::write(number, 14, &mut text);
    text
}

/// A text that fits a line: without line ends at its end, and with spaces for others.
pub(super) fn one_line(text: &[u8]) -> Bytes {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let length = text.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
    let spaced = |byte: &u8| if is_end(byte) { b' ' } else { *byte };
    Bytes::from(text[..length].iter().map(spaced).collect::<Vec<u8>>())
}
