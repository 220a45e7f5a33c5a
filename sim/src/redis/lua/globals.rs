//! What a script finds in its globals: as much of Lua as Redis leaves, Redis's libraries, and the
//! table `redis`.

use mlua::{Function, LuaString, MultiValue, Result, Table, Value};

use super::args::Args;
use super::frozen::{self, Frozen};
use super::native::Native;
use super::{bit, cjson, cmsgpack, handler, raise, structs};

/// What Redis leaves of Lua.
const LEFT: [&str; 23] = [
    "_VERSION",
    "assert",
    "collectgarbage",
    "coroutine",
    "error",
    "gcinfo",
    "getmetatable",
    "ipairs",
    "loadstring",
    "load",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setmetatable",
    "tonumber",
    "tostring",
    "type",
    "unpack",
    "xpcall",
];

/// The libraries of Lua.
const LIBRARIES: [&str; 4] = ["coroutine", "math", "string", "table"];

/// The globals of a state.
pub(super) struct Globals {
    /// Where they are.
    pub(super) contents: Table,
    /// The table that scripts have as their globals.
    pub(super) shown: Table,
    pub(super) frozen: Frozen,
    /// Calls a function of Redis: see `prelude.lua`.
    pub(super) call: Function,
    /// Compiles a text: gives a function, or nil and what is wrong.
    pub(super) compile: Function,
}

/// Makes the globals of a state that has Lua's own. `redis` is the table of that name.
///
/// `stopped` says whether the script that runs is to end.
pub(super) fn build(
    native: Native<'_>,
    redis: &Table,
    random: [Function; 2],
    stopped: Function,
) -> Result<Globals> {
    let lua = native.lua;
    let own = lua.globals();
    let contents = lua.create_table()?;
    for name in LEFT {
        contents.raw_set(name, own.raw_get::<Value>(name)?)?;
    }
    let call = catch_errors(native, &own, &contents, stopped)?;
    let compile = load_text(native, &own, &contents)?;

    let math: Table = own.raw_get("math")?;
    let [random, randomseed] = random;
    math.raw_set("random", random)?;
    math.raw_set("randomseed", randomseed)?;

    let frozen = Frozen::default();
    for name in LIBRARIES {
        let library = frozen.freeze(native, &own.raw_get(name)?, None)?;
        contents.raw_set(name, &library)?;
        if name == "string"
            && let Some(metatable) = lua.type_metatable::<LuaString>()
        {
            metatable.raw_set("__index", library)?;
        }
    }
    let added = [
        ("bit", bit::library(native)?),
        ("cjson", cjson::library(native)?),
        ("cmsgpack", cmsgpack::library(native)?),
        ("struct", structs::library(native)?),
        ("redis", redis.clone()),
    ];
    for (name, library) in added {
        contents.raw_set(name, frozen.freeze(native, &library, None)?)?;
    }
    frozen.guard(native, &contents)?;

    let complaining = frozen::complaining(native)?;
    contents.set_metatable(Some(complaining.clone()))?;
    let metatable = frozen.freeze(native, &complaining, None)?;
    let shown = frozen.freeze(native, &contents, Some(metatable))?;
    contents.raw_set("_G", &shown)?;
    lua.set_globals(shown.clone())?;
    Ok(Globals { contents, shown, frozen, call, compile })
}

/// Replaces the functions that catch errors; gives the one that calls functions of Redis.
fn catch_errors(
    native: Native<'_>,
    own: &Table,
    contents: &Table,
    stopped: Function,
) -> Result<Function> {
    let unwrap = native.function(raise::to_value)?;
    let coroutine: Table = own.raw_get("coroutine")?;
    let string: Table = own.raw_get("string")?;
    let needed: MultiValue = [
        Value::Function(unwrap),
        Value::Function(stopped),
        Value::Function(misused(native)?),
        own.raw_get("pcall")?,
        own.raw_get("xpcall")?,
        coroutine.raw_get("resume")?,
        own.raw_get("load")?,
        string.raw_get("byte")?,
        own.raw_get("type")?,
        own.raw_get("select")?,
        own.raw_get("error")?,
    ]
    .into_iter()
    .collect();
    let prelude = native.lua.load(include_str!("prelude.lua")).set_name(handler::PRELUDE);
    let guarded: Table = prelude.call(needed)?;
    for name in ["pcall", "xpcall", "load"] {
        contents.raw_set(name, guarded.raw_get::<Value>(name)?)?;
    }
    coroutine.raw_set("resume", guarded.raw_get::<Value>("resume")?)?;
    guarded.raw_get("call")
}

/// Replaces the functions that compile, so that they take text only; gives `loadstring`.
fn load_text(native: Native<'_>, own: &Table, contents: &Table) -> Result<Function> {
    let compile: Function = own.raw_get("loadstring")?;
    let loadstring = native.function(move |lua, args: Args| {
        let text = args.string(lua, 1)?;
        let name = if args.get(2).is_nil() { text.clone() } else { args.string(lua, 2)? };
        let text = if text.as_bytes().first() == Some(&COMPILED) {
            lua.create_string([b" ", &*text.as_bytes()].concat())?
        } else {
            text
        };
        compile.call::<MultiValue>((text, name))
    })?;
    contents.raw_set("loadstring", &loadstring)?;
    let compile: Function = contents.raw_get("load")?;
    let load = native.function(move |lua, args: Args| {
        let name = match args.get(2) {
            Value::Nil => lua.create_string("=(load)")?,
            _ => args.string(lua, 2)?,
        };
        let Value::Function(reader) = args.get(1) else {
            return Err(args.wrong(lua, 1, "function"));
        };
        compile.call::<MultiValue>((reader, name))
    })?;
    contents.raw_set("load", load)?;
    Ok(loadstring)
}

/// The byte that compiled code begins with.
const COMPILED: u8 = 0x1b;

/// What a function of the prelude calls for arguments that are wrong: the caller's error.
fn misused(native: Native<'_>) -> Result<Function> {
    native.function(|lua, problem: String| -> Result<()> {
        Err(raise::bare(raise::place(lua, 2) + &problem))
    })
}
