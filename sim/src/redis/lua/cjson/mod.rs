//! The library `cjson` (lua-cjson 2.1.0): JSON, with the settings of each copy of the library.
//!
//! A setting lasts: one script's `cjson.encode_max_depth` holds for the next, as in Redis, until
//! the scripts are flushed.

mod decode;
mod encode;

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, Result, Table, Value};

use super::args::Args;
use super::native::Native;
use super::raise;

/// How deep nesting may go whatever the settings say: no script has room for much more, and the
/// settings of an untouched library allow 1,000.
const DEEPEST: i32 = 1_500;

/// What a number that JSON has no way to write becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invalid {
    /// An error.
    Refused,
    /// Its name.
    Named,
    /// `null`.
    Null,
}

/// The settings.
struct Settings {
    sparse_convert: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_depth: i32,
    decode_depth: i32,
    encode_invalid: Invalid,
    decode_invalid: bool,
    keep_buffer: bool,
    digits: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
            keep_buffer: true,
            digits: 14,
        }
    }
}

/// A function of the library.
type Run<R> = fn(&Lua, &Args, &mut Settings) -> Result<R>;

/// The functions of a copy of the library, with settings of its own.
pub(super) fn library(native: Native<'_>) -> Result<Table> {
    let library = native.lua.create_table()?;
    let settings = Rc::new(RefCell::new(Settings::default()));
    let add = |name: &str, run: Run<Value>| {
        let settings = Rc::clone(&settings);
        let run = move |lua: &Lua, args: Args| run(lua, &args, &mut settings.borrow_mut());
        library.raw_set(name, native.function(run)?)
    };
    add("encode", encode::encode)?;
    add("decode", decode::decode)?;
    add("encode_max_depth", |lua, args, settings| {
        at_most(lua, args, 1)?;
        integer(lua, args, 1, &mut settings.encode_depth, 1, i32::MAX)
    })?;
    add("decode_max_depth", |lua, args, settings| {
        at_most(lua, args, 1)?;
        integer(lua, args, 1, &mut settings.decode_depth, 1, i32::MAX)
    })?;
    add("encode_number_precision", |lua, args, settings| {
        at_most(lua, args, 1)?;
        integer(lua, args, 1, &mut settings.digits, 1, 14)
    })?;
    add("encode_keep_buffer", |lua, args, settings| {
        at_most(lua, args, 1)?;
        switch(lua, args, 1, &mut settings.keep_buffer)
    })?;
    add("encode_invalid_numbers", |lua, args, settings| {
        at_most(lua, args, 1)?;
        encode_invalid_numbers(lua, args, settings)
    })?;
    add("decode_invalid_numbers", |lua, args, settings| {
        at_most(lua, args, 1)?;
        switch(lua, args, 1, &mut settings.decode_invalid)
    })?;
    let sparse = Rc::clone(&settings);
    let sparse = move |lua: &Lua, args: Args| {
        let settings = &mut *sparse.borrow_mut();
        at_most(lua, &args, 3)?;
        let convert = switch(lua, &args, 1, &mut settings.sparse_convert)?;
        let ratio = integer(lua, &args, 2, &mut settings.sparse_ratio, 0, i32::MAX)?;
        let safe = integer(lua, &args, 3, &mut settings.sparse_safe, 0, i32::MAX)?;
        Ok((convert, ratio, safe))
    };
    library.raw_set("encode_sparse_array", native.function(sparse)?)?;
    let memory = native.memory;
    let new = native.function(move |lua, _: ()| self::library(Native { lua, memory }))?;
    library.raw_set("new", new)?;
    library.raw_set("null", Value::NULL)?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}

/// That there are no more than `most` arguments.
fn at_most(lua: &Lua, args: &Args, most: usize) -> Result<()> {
    if args.len() > most {
        return Err(raise::argument(lua, most + 1, "found too many arguments"));
    }
    Ok(())
}

/// Sets an integer if the argument is there; what it is then.
fn integer(
    lua: &Lua,
    args: &Args,
    at: usize,
    setting: &mut i32,
    least: i32,
    most: i32,
) -> Result<Value> {
    if !args.get(at).is_nil() {
        let value = args.integer(lua, at)? as i32;
        if value < least || value > most {
            let problem = format!("expected integer between {least} and {most}");
            return Err(raise::argument(lua, 1, &problem));
        }
        *setting = value;
    }
    Ok(Value::Integer((*setting).into()))
}

/// Sets a switch if the argument is there; what it is then.
fn switch(lua: &Lua, args: &Args, at: usize, setting: &mut bool) -> Result<Value> {
    match args.get(at) {
        Value::Nil => {}
        Value::Boolean(on) => *setting = *on,
        _ => *setting = args.option(lua, at, &["off", "on"])? == 1,
    }
    Ok(Value::Boolean(*setting))
}

fn encode_invalid_numbers(lua: &Lua, args: &Args, settings: &mut Settings) -> Result<Value> {
    const CHOICES: [Invalid; 3] = [Invalid::Refused, Invalid::Named, Invalid::Null];
    settings.encode_invalid = match args.get(1) {
        Value::Nil => settings.encode_invalid,
        Value::Boolean(named) => CHOICES[usize::from(*named)],
        _ => CHOICES[args.option(lua, 1, &["off", "on", "null"])?],
    };
    Ok(match settings.encode_invalid {
        Invalid::Refused => Value::Boolean(false),
        Invalid::Named => Value::Boolean(true),
        Invalid::Null => Value::String(lua.create_string("null")?),
    })
}
