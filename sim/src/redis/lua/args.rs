//! The arguments of a library function, checked as Lua's C functions check theirs
//! (`luaL_checknumber` and its kind).

use mlua::{FromLuaMulti, Lua, LuaString, MultiValue, Result, Value};

use super::number::to_i64;
use super::raise;

/// The arguments, counted from 1.
pub(super) struct Args(Vec<Value>);

impl FromLuaMulti for Args {
    fn from_lua_multi(values: MultiValue, _: &Lua) -> Result<Self> {
        Ok(Args(values.into_vec()))
    }
}

impl Args {
    /// Adds nil behind the last one.
    pub(super) fn push_nil(&mut self) {
        self.0.push(Value::Nil);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// An argument; nil if it is not there.
    pub(super) fn get(&self, at: usize) -> &Value {
        self.0.get(at - 1).unwrap_or(&Value::Nil)
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Value] {
        &self.0
    }

    /// That an argument should have been `expected`.
    pub(super) fn wrong(&self, lua: &Lua, at: usize, expected: &str) -> mlua::Error {
        let got = if at > self.0.len() { "no value" } else { type_name(self.get(at)) };
        raise::argument(lua, at, &format!("{expected} expected, got {got}"))
    }

    /// A number, or a string that is one.
    pub(super) fn number(&self, lua: &Lua, at: usize) -> Result<f64> {
        to_number(lua, self.get(at)).ok_or_else(|| self.wrong(lua, at, "number"))
    }

    /// A number without its fraction.
    pub(super) fn integer(&self, lua: &Lua, at: usize) -> Result<i64> {
        self.number(lua, at).map(to_i64)
    }

    /// A number without its fraction, or `default` if there is none.
    pub(super) fn integer_or(&self, lua: &Lua, at: usize, default: i64) -> Result<i64> {
        if self.get(at).is_nil() { Ok(default) } else { self.integer(lua, at) }
    }

    /// A string, or a number as one.
    pub(super) fn string(&self, lua: &Lua, at: usize) -> Result<LuaString> {
        match self.get(at) {
            Value::String(string) => Ok(string.clone()),
            number @ (Value::Integer(_) | Value::Number(_)) => {
                let string = lua.coerce_string(number.clone())?;
                string.ok_or_else(|| self.wrong(lua, at, "string"))
            }
            _ => Err(self.wrong(lua, at, "string")),
        }
    }

    /// One of a few words; its place among them (`luaL_checkoption`).
    pub(super) fn option(&self, lua: &Lua, at: usize, options: &[&str]) -> Result<usize> {
        let word = self.string(lua, at)?;
        let place = options.iter().position(|option| option.as_bytes() == &*word.as_bytes());
        place.ok_or_else(|| {
            raise::argument(lua, at, &format!("invalid option '{}'", word.to_string_lossy()))
        })
    }

    /// A table.
    pub(super) fn table(&self, lua: &Lua, at: usize) -> Result<&mlua::Table> {
        self.get(at).as_table().ok_or_else(|| self.wrong(lua, at, "table"))
    }
}

/// The number that a value is, or that a string can be read as (`lua_tonumber`).
pub(super) fn to_number(lua: &Lua, value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(_) => lua.coerce_number(value.clone()).ok().flatten(),
        _ => None,
    }
}

/// The name of a value's type, as `lua_typename` gives it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}
