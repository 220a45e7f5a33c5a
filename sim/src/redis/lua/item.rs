//! Values on their way into a Lua table, without a handle where none is needed.

use mlua::{IntoLua, Lua, LuaString, Result, Table, Value};

/// A value that was read from bytes.
pub(super) enum Item<'a> {
    /// nil.
    Nil,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Bytes(&'a [u8]),
    /// A table, or anything else that is a Lua value already.
    Value(Value),
}

impl Item<'_> {
    /// The Lua value.
    pub(super) fn into_value(self, lua: &Lua) -> Result<Value> {
        Ok(match self {
            Item::Nil => Value::Nil,
            Item::Bool(yes) => Value::Boolean(yes),
            Item::Number(number) => Value::Number(number),
            Item::Bytes(bytes) => Value::String(lua.create_string(bytes)?),
            Item::Value(value) => value,
        })
    }

    /// Sets `table[key]` to this.
    pub(super) fn set(self, table: &Table, key: impl IntoLua) -> Result<()> {
        match self {
            Item::Nil => table.raw_set(key, Value::Nil),
            Item::Bool(yes) => table.raw_set(key, yes),
            Item::Number(number) => table.raw_set(key, number),
            Item::Bytes(bytes) => table.raw_set(key, LuaString::wrap(bytes)),
            Item::Value(value) => table.raw_set(key, value),
        }
    }

    /// Sets `table[at]` to this.
    pub(super) fn set_at(self, table: &Table, at: usize) -> Result<()> {
        match self {
            Item::Nil => table.raw_seti(at, Value::Nil),
            Item::Bool(yes) => table.raw_seti(at, yes),
            Item::Number(number) => table.raw_seti(at, number),
            Item::Bytes(bytes) => table.raw_seti(at, LuaString::wrap(bytes)),
            Item::Value(value) => table.raw_seti(at, value),
        }
    }
}

/// Sets `table[key]`.
pub(super) fn set(table: &Table, key: Item<'_>, value: Item<'_>) -> Result<()> {
    match key {
        Item::Bytes(bytes) => value.set(table, LuaString::wrap(bytes)),
        Item::Number(number) => value.set(table, number),
        Item::Bool(yes) => value.set(table, yes),
        Item::Nil => value.set(table, Value::Nil),
        Item::Value(key) => value.set(table, key),
    }
}
