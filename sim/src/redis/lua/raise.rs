//! Errors that a library function raises in a script, with the texts that Lua's own C functions
//! would give them.
//!
//! An error that leaves a Rust function is opaque to a script. Wherever a script can catch one
//! (`pcall`, `xpcall`, `coroutine.resume`, the handler of the whole script), [`to_value`] makes of
//! it the string or the table that the C function would have raised.

use std::fmt;

use mlua::{Error, Lua, Value};

/// What is raised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Raised {
    /// A string.
    Text(Vec<u8>),
    /// A table as `redis.call` raises it: `err`, and `ignore_error_stats_update` if the error was
    /// counted already.
    Table { err: Vec<u8>, counted: bool },
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Raised::Text(text) | Raised::Table { err: text, .. }) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Raised {}

/// The string `text` as it is, without a place: as `lua_error` does.
pub(super) fn bare(text: impl Into<Vec<u8>>) -> Error {
    Error::external(Raised::Text(text.into()))
}

/// The string `text` behind the place of the call: as `luaL_error` does.
pub(super) fn error(lua: &Lua, text: &str) -> Error {
    bare(place(lua, 1) + text)
}

/// An error of [`bare`] behind the place of the call.
pub(super) fn placed(lua: &Lua, error: &Error) -> Error {
    match raised(error) {
        Raised::Text(text) => bare([place(lua, 1).as_bytes(), &text].concat()),
        table => Error::external(table),
    }
}

/// The table `{err = 'ERR text'}`, as Redis's own functions raise it (`luaPushError`).
pub(super) fn table(text: &str) -> Error {
    Error::external(Raised::Table { err: format!("ERR {text}").into_bytes(), counted: false })
}

/// That argument `at` is wrong, counted from 1: as `luaL_argerror` does.
pub(super) fn argument(lua: &Lua, at: usize, problem: &str) -> Error {
    let called = lua.inspect_stack(0, |debug| {
        let names = debug.names();
        (names.name.map(|name| name.into_owned()), names.name_what)
    });
    let (name, what) = called.unwrap_or_default();
    let name = name.as_deref().unwrap_or("?");
    match (what, at) {
        (Some("method"), 1) => error(lua, &format!("calling '{name}' on bad self ({problem})")),
        (Some("method"), at) => {
            error(lua, &format!("bad argument #{} to '{name}' ({problem})", at - 1))
        }
        (_, at) => error(lua, &format!("bad argument #{at} to '{name}' ({problem})")),
    }
}

/// `chunk:line: ` of the function that called the one that runs, or that one's caller, and so on by
/// `level`; empty if that is not Lua.
pub(super) fn place(lua: &Lua, level: usize) -> String {
    let place = lua.inspect_stack(level, |debug| {
        let line = debug.current_line()?;
        let source = debug.source();
        Some(format!("{}:{line}: ", source.short_src.unwrap_or_default()))
    });
    place.flatten().unwrap_or_default()
}

/// What an error of a Rust function stands for.
fn raised(error: &Error) -> Raised {
    match error {
        Error::CallbackError { cause, .. } => raised(cause),
        // The binding appends a trace to what Lua itself raises inside a call of it.
        Error::RuntimeError(text) => {
            let text = text.split("\nstack traceback:\n").next().unwrap_or_default();
            Raised::Text(text.as_bytes().to_vec())
        }
        Error::MemoryError(_) => Raised::Text(b"not enough memory".to_vec()),
        Error::StackError => Raised::Text(b"stack overflow".to_vec()),
        other => match other.downcast_ref::<Raised>() {
            Some(raised) => raised.clone(),
            None => Raised::Text(other.to_string().into_bytes()),
        },
    }
}

/// An error as a script sees it; what is no error of a Rust function stays what it is.
pub(super) fn to_value(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let Value::Error(error) = &value else { return Ok(value) };
    match raised(error) {
        Raised::Text(text) => lua.create_string(text).map(Value::String),
        Raised::Table { err, counted } => error_table(lua, &err, counted).map(Value::Table),
    }
}

/// The table that stands for an error.
pub(super) fn error_table(lua: &Lua, err: &[u8], counted: bool) -> mlua::Result<mlua::Table> {
    let table = lua.create_table()?;
    table.raw_set("err", mlua::LuaString::wrap(err))?;
    if counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}
