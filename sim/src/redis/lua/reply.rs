//! Replies as Lua values, and Lua values as replies, by Redis's rules.

use mlua::{Lua, Result, Table, Value};

use super::super::bytes::Bytes;
use super::super::error::Error;
use super::super::reply::Reply;
use super::super::zset::score_text;
use super::handler;
use super::native::string;
use super::number::to_i64;
use super::raise;

/// How deep the tables of a reply may be nested. Redis's stack has room for 7,996.
const DEEPEST: usize = 1_000;

/// A reply as a script sees it, in version 2 or 3 of the protocol.
pub(super) fn to_lua(lua: &Lua, reply: &Reply, resp: u8) -> Result<Value> {
    let field = |name: &str, text: &[u8]| {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, string(text))?;
        Ok(Value::Table(table))
    };
    let alone = |bytes: &[u8]| lua.create_string(bytes).map(Value::String);
    let list = |replies: &[Reply]| {
        let table = lua.create_table_with_capacity(replies.len(), 0)?;
        for (at, reply) in replies.iter().enumerate() {
            set_at(lua, &table, at + 1, reply, resp)?;
        }
        Ok(Value::Table(table))
    };
    let new = resp == 3;
    match reply {
        Reply::Status(text) => field("ok", text.as_bytes()),
        Reply::Simple(text) => field("ok", text),
        Reply::Error(error) => {
            raise::error_table(lua, &with_code(&error.bytes()), true).map(Value::Table)
        }
        Reply::Int(number) => Ok(Value::Number(*number as f64)),
        Reply::Bulk(bytes) => alone(bytes),
        Reply::Nil | Reply::NilArray if new => Ok(Value::Nil),
        Reply::Nil | Reply::NilArray => Ok(Value::Boolean(false)),
        Reply::Double(number) if new => {
            let table = lua.create_table()?;
            table.raw_set("double", *number)?;
            Ok(Value::Table(table))
        }
        Reply::Double(number) => alone(score_text(*number).as_bytes()),
        Reply::Array(replies) | Reply::Push(replies) | Reply::Several(replies) => list(replies),
        Reply::Map(pairs) if new => map(lua, pairs),
        Reply::Pairs(pairs) if new => {
            let table = lua.create_table()?;
            for (at, pair) in pairs.iter().enumerate() {
                table.raw_seti(at + 1, flat(lua, std::slice::from_ref(pair), resp)?)?;
            }
            Ok(Value::Table(table))
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) => flat(lua, pairs, resp).map(Value::Table),
        Reply::Set(members) if new => {
            let inner = lua.create_table()?;
            for member in members {
                inner.raw_set(to_lua(lua, member, resp)?, true)?;
            }
            wrapped(lua, "set", inner)
        }
        Reply::Set(members) => list(members),
        Reply::Bool(yes) if new => Ok(Value::Boolean(*yes)),
        Reply::Bool(yes) => Ok(Value::Number(f64::from(u8::from(*yes)))),
        Reply::BigNumber(digits) if new => field("big_number", digits),
        Reply::Verbatim(format, text) if new => {
            let inner = lua.create_table()?;
            inner.raw_set("string", string(text))?;
            inner.raw_set("format", *format)?;
            wrapped(lua, "verbatim_string", inner)
        }
        Reply::BigNumber(text) | Reply::Verbatim(_, text) => alone(text),
        Reply::Attribute(_) | Reply::Nothing => Ok(Value::Nil),
    }
}

/// Pairs one after the other.
fn flat(lua: &Lua, pairs: &[(Reply, Reply)], resp: u8) -> Result<Table> {
    let table = lua.create_table_with_capacity(2 * pairs.len(), 0)?;
    for (at, (one, two)) in pairs.iter().enumerate() {
        set_at(lua, &table, 2 * at + 1, one, resp)?;
        set_at(lua, &table, 2 * at + 2, two, resp)?;
    }
    Ok(table)
}

/// Sets an element.
fn set_at(lua: &Lua, table: &Table, at: usize, reply: &Reply, resp: u8) -> Result<()> {
    match reply {
        Reply::Bulk(bytes) => table.raw_seti(at, string(bytes)),
        other => table.raw_seti(at, to_lua(lua, other, resp)?),
    }
}

fn map(lua: &Lua, pairs: &[(Reply, Reply)]) -> Result<Value> {
    let inner = lua.create_table()?;
    for (key, value) in pairs {
        inner.raw_set(to_lua(lua, key, 3)?, to_lua(lua, value, 3)?)?;
    }
    wrapped(lua, "map", inner)
}

fn wrapped(lua: &Lua, name: &str, inner: Table) -> Result<Value> {
    let table = lua.create_table()?;
    table.raw_set(name, inner)?;
    Ok(Value::Table(table))
}

/// An error's text with its code: `ERR` if it has none (`luaPushErrorBuff`).
pub(super) fn with_code(text: &[u8]) -> Vec<u8> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let trimmed = |mut text: &[u8]| {
        while let [rest @ .., last] = text
            && is_end(last)
        {
            text = rest;
        }
        while let [first, rest @ ..] = text
            && is_end(first)
        {
            text = rest;
        }
        text.to_vec()
    };
    match text.iter().position(|byte| *byte == b' ') {
        Some(at) => [&text[..at], b" ", &trimmed(&text[at + 1..])].concat(),
        None => [b"ERR ", &*trimmed(text)].concat(),
    }
}

/// A string as C sees it.
pub(super) fn up_to_zero(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// What a script returned as a reply. `resp` is the version that the script chose
/// (`luaReplyToRedisReply`).
pub(super) fn from_lua(value: &Value, resp: u8) -> Result<Reply> {
    nested(value, resp, 0)
}

fn nested(value: &Value, resp: u8, depth: usize) -> Result<Reply> {
    Ok(match value {
        Value::String(string) => Reply::Bulk(Bytes::from(&*string.as_bytes())),
        Value::Boolean(yes) if resp == 3 => Reply::Bool(*yes),
        Value::Boolean(true) => Reply::Int(1),
        Value::Boolean(false) => Reply::Nil,
        Value::Integer(number) => Reply::Int(*number),
        Value::Number(number) => Reply::Int(to_i64(*number)),
        Value::Table(_) if depth >= DEEPEST => {
            Reply::Error(Error::Text("ERR reached lua stack limit"))
        }
        Value::Table(table) => of_table(table, resp, depth + 1)?,
        _ => Reply::Nil,
    })
}

/// The reply that a table stands for, by the first of these fields that it has.
fn of_table(table: &Table, resp: u8, depth: usize) -> Result<Reply> {
    if let Value::String(_) = table.raw_get("err")? {
        let text = handler::text(&table.get("err")?).unwrap_or_default();
        return Ok(Reply::Error(Error::Bytes(handler::one_line(&text))));
    }
    if let Value::String(status) = table.raw_get("ok")? {
        let status = one_line(up_to_zero(&status.as_bytes()));
        return Ok(if &*status == b"OK" { Reply::OK } else { Reply::Simple(status) });
    }
    match table.raw_get("double")? {
        Value::Integer(number) => return Ok(Reply::Double(number as f64)),
        Value::Number(number) => return Ok(Reply::Double(number)),
        _ => {}
    }
    if let Value::String(digits) = table.raw_get("big_number")? {
        return Ok(Reply::BigNumber(one_line(&digits.as_bytes())));
    }
    if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
        && let Value::String(format) = verbatim.raw_get("format")?
        && let Value::String(text) = verbatim.raw_get("string")?
    {
        let format = if &*format.as_bytes() == b"mkd" { "mkd" } else { "txt" };
        return Ok(Reply::Verbatim(format, Bytes::from(&*text.as_bytes())));
    }
    if let Value::Table(map) = table.raw_get("map")? {
        let mut pairs = Vec::new();
        for pair in map.pairs() {
            let (key, value): (Value, Value) = pair?;
            pairs.push((nested(&key, resp, depth)?, nested(&value, resp, depth)?));
        }
        return Ok(Reply::Map(pairs));
    }
    if let Value::Table(set) = table.raw_get("set")? {
        let mut members = Vec::new();
        for pair in set.pairs() {
            let (member, _): (Value, Value) = pair?;
            members.push(nested(&member, resp, depth)?);
        }
        return Ok(Reply::Set(members));
    }
    let mut elements = Vec::new();
    for at in 1.. {
        let element: Value = table.raw_get(at)?;
        if element.is_nil() {
            break;
        }
        elements.push(nested(&element, resp, depth)?);
    }
    Ok(Reply::Array(elements))
}

/// A text with spaces for line ends.
fn one_line(text: &[u8]) -> Bytes {
    let text: Vec<u8> =
        text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect();
    Bytes::from(text)
}
