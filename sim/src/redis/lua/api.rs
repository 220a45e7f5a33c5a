//! The table `redis`: commands, replies, and what a script may ask of the server.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{FromLua, Function, Lua, LuaString, Result, Table, Value, Variadic};

use super::super::bytes::Bytes;
use super::super::reply::Reply;
use super::args::{Args, to_number};
use super::native::Native;
use super::number::{self, to_i32};
use super::raise::{self, Raised};
use super::random::Random;
use super::reply;
use super::seat::{self, Seat};

/// What this server says it is.
const VERSION: &str = "7.0.15";
const VERSION_NUMBER: i64 = 0x07_00_0f;

/// The levels of `redis.log`.
const LEVELS: [(&str, i64); 4] =
    [("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3)];

/// Where `redis.set_repl` sends what a script does: nowhere, here.
const TARGETS: [(&str, i64); 5] =
    [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)];

const OUTSIDE: &str = "can only be called inside a script invocation";

/// The functions of both kinds of scripts.
pub(super) fn library(native: Native<'_>, seat: &Rc<RefCell<Seat>>) -> Result<Table> {
    let redis = native.lua.create_table()?;
    let (caller, trier) = (Rc::clone(seat), Rc::clone(seat));
    let call = move |lua: &Lua, words: Variadic<Word>| match command(&caller, words)? {
        Ok(Reply::Error(error)) => {
            let err = reply::with_code(&error.bytes());
            Err(mlua::Error::external(Raised::Table { err, counted: true }))
        }
        Ok(answer) => reply::to_lua(lua, &answer, caller.borrow_mut().resp()),
        Err(refused) => Err(mlua::Error::external(refused)),
    };
    redis.raw_set("call", native.function(call)?)?;
    let pcall = move |lua: &Lua, words: Variadic<Word>| match command(&trier, words)? {
        Ok(answer) => reply::to_lua(lua, &answer, trier.borrow_mut().resp()),
        Err(refused) => raise::to_value(lua, Value::Error(mlua::Error::external(refused).into())),
    };
    redis.raw_set("pcall", native.function(pcall)?)?;
    redis.raw_set("error_reply", native.function(error_reply)?)?;
    redis.raw_set("status_reply", native.function(status_reply)?)?;
    redis.raw_set("sha1hex", native.function(sha1hex)?)?;
    log(native, &redis)?;
    let resp = Rc::clone(seat);
    let setresp = move |lua: &Lua, args: Args| setresp(lua, &args, &mut resp.borrow_mut());
    redis.raw_set("setresp", native.function(setresp)?)?;
    let repl = Rc::clone(seat);
    let set_repl = move |lua: &Lua, args: Args| set_repl(lua, &args, &repl.borrow());
    redis.raw_set("set_repl", native.function(set_repl)?)?;
    for (name, target) in TARGETS {
        redis.raw_set(name, target)?;
    }
    let check = Rc::clone(seat);
    let acl_check_cmd =
        move |_: &Lua, words: Variadic<Word>| acl_check_cmd(words, check.borrow().running);
    redis.raw_set("acl_check_cmd", native.function(acl_check_cmd)?)?;
    Ok(redis)
}

/// The functions that only scripts of EVAL have.
pub(super) fn of_eval(native: Native<'_>, redis: &Table) -> Result<()> {
    redis.raw_set("breakpoint", native.function(|_, _: ()| Ok(false))?)?;
    redis.raw_set("debug", native.function(|_, _: ()| Ok(()))?)?;
    redis.raw_set("replicate_commands", native.function(|_, _: ()| Ok(true))?)
}

/// `redis.log` and the version: what a library has while it is loaded, too.
pub(super) fn log(native: Native<'_>, redis: &Table) -> Result<()> {
    let log = |lua: &Lua, args: Args| {
        if args.len() < 2 {
            return Err(raise::table("redis.log() requires two arguments or more."));
        }
        let Some(level) = to_number(lua, args.get(1)) else {
            return Err(raise::table("First argument must be a number (log level)."));
        };
        let known = (0..=3).contains(&to_i32(level));
        if known { Ok(()) } else { Err(raise::table("Invalid debug level.")) }
    };
    redis.raw_set("log", native.function(log)?)?;
    for (name, level) in LEVELS {
        redis.raw_set(name, level)?;
    }
    redis.raw_set("REDIS_VERSION_NUM", VERSION_NUMBER)?;
    redis.raw_set("REDIS_VERSION", VERSION)
}

/// `math.random` and `math.randomseed`.
pub(super) fn random(
    native: Native<'_>,
    seat: &Rc<RefCell<Seat>>,
    random: &Rc<Random>,
) -> Result<[Function; 2]> {
    let (numbers, seeded) = (Rc::clone(random), Rc::clone(random));
    let (drawing, seeding) = (Rc::clone(seat), Rc::clone(seat));
    let outside = |lua: &Lua, name: &str| raise::error(lua, &format!("math.{name} {OUTSIDE}"));
    let next = move |lua: &Lua, args: Args| {
        if !drawing.borrow().running {
            return Err(outside(lua, "random"));
        }
        let number = numbers.next();
        let (least, most) = match args.len() {
            0 => return Ok(number),
            1 => (1, args.integer(lua, 1)? as i32),
            2 => (args.integer(lua, 1)? as i32, args.integer(lua, 2)? as i32),
            _ => return Err(raise::error(lua, "wrong number of arguments")),
        };
        if least > most {
            return Err(raise::argument(lua, args.len(), "interval is empty"));
        }
        let width = most.wrapping_sub(least).wrapping_add(1);
        Ok((number * f64::from(width)).floor() + f64::from(least))
    };
    let seed = move |lua: &Lua, args: Args| {
        if !seeding.borrow().running {
            return Err(outside(lua, "randomseed"));
        }
        seeded.seed(args.integer(lua, 1)? as i32);
        Ok(())
    };
    Ok([native.function(next)?, native.function(seed)?])
}

/// A word of a command; `None` if the value is no string and no number.
struct Word(Option<Bytes>);

impl FromLua for Word {
    fn from_lua(value: Value, _: &Lua) -> Result<Self> {
        let number = match value {
            Value::String(string) => return Ok(Word(Some(Bytes::from(&*string.as_bytes())))),
            Value::Integer(number) => number as f64,
            Value::Number(number) => number,
            _ => return Ok(Word(None)),
        };
        let mut text = Vec::new();
        number::write(number, 17, &mut text);
        Ok(Word(Some(Bytes::from(text))))
    }
}

/// The words of a command (`luaArgsToRedisArgv`).
fn words(words: Variadic<Word>) -> std::result::Result<Vec<Bytes>, Raised> {
    let refused =
        |text: &str| Raised::Table { err: format!("ERR {text}").into_bytes(), counted: false };
    if words.is_empty() {
        return Err(refused("Please specify at least one argument for this redis lib call"));
    }
    let words: Option<Vec<Bytes>> = words.into_iter().map(|word| word.0).collect();
    words.ok_or_else(|| refused("Lua redis lib command arguments must be strings or integers"))
}

/// Runs a command. The outer error is raised by `redis.pcall`, too.
fn command(
    seat: &RefCell<Seat>,
    given: Variadic<Word>,
) -> Result<std::result::Result<Reply, Raised>> {
    let seat = &mut *seat.borrow_mut();
    if !seat.running {
        return Err(raise::table(&format!("redis.call/pcall {OUTSIDE}")));
    }
    Ok(words(given).and_then(|words| {
        seat.call(&words)
            .map_err(|refused| Raised::Table { err: refused.bytes().into_owned(), counted: true })
    }))
}

/// The only argument, if it is a string.
fn only_string(args: &Args) -> Option<&LuaString> {
    if args.len() == 1 { args.get(1).as_string() } else { None }
}

fn error_reply(lua: &Lua, args: Args) -> Result<Table> {
    let Some(text) = only_string(&args) else {
        return raise::error_table(lua, b"ERR wrong number or type of arguments", false);
    };
    let text = reply::up_to_zero(&text.as_bytes()).to_vec();
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    raise::error_table(lua, &reply::with_code(text), false)
}

fn status_reply(lua: &Lua, args: Args) -> Result<Table> {
    let Some(text) = only_string(&args) else {
        return raise::error_table(lua, b"ERR wrong number or type of arguments", false);
    };
    let table = lua.create_table()?;
    table.raw_set("ok", text)?;
    Ok(table)
}

fn sha1hex(lua: &Lua, args: Args) -> Result<LuaString> {
    if args.len() != 1 {
        return Err(raise::table("wrong number of arguments"));
    }
    let text = match args.get(1) {
        value @ (Value::String(_) | Value::Integer(_) | Value::Number(_)) => {
            lua.coerce_string(value.clone())?
        }
        _ => None,
    };
    let digest = match text {
        Some(text) => super::sha1(&text.as_bytes()),
        None => super::sha1(b""),
    };
    lua.create_string(&*digest)
}

fn setresp(lua: &Lua, args: &Args, seat: &mut Seat) -> Result<()> {
    if !seat.running {
        return Err(raise::table(&format!("redis.setresp {OUTSIDE}")));
    }
    if args.len() != 1 {
        return Err(raise::table("redis.setresp() requires one argument."));
    }
    match to_i32(to_number(lua, args.get(1)).unwrap_or_default()) {
        2 => seat.set_resp(2),
        3 => seat.set_resp(3),
        _ => return Err(raise::table("RESP version must be 2 or 3.")),
    }
    Ok(())
}

/// Nothing is replicated, so this only judges its argument.
fn set_repl(lua: &Lua, args: &Args, seat: &Seat) -> Result<()> {
    if !seat.running {
        return Err(raise::table(&format!("redis.set_repl {OUTSIDE}")));
    }
    if args.len() != 1 {
        return Err(raise::table("redis.set_repl() requires two arguments."));
    }
    let flags = to_i32(to_number(lua, args.get(1)).unwrap_or_default());
    if flags & !3 != 0 {
        return Err(raise::table(
            "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ));
    }
    Ok(())
}

/// Every user may do everything, if the command is one.
fn acl_check_cmd(given: Variadic<Word>, running: bool) -> Result<bool> {
    if !running {
        return Err(raise::table(&format!("redis.acl_check_cmd {OUTSIDE}")));
    }
    let words = words(given).map_err(mlua::Error::external)?;
    match seat::find(&words) {
        Some(_) => Ok(true),
        None => Err(raise::table("Invalid command passed to redis.acl_check_cmd()")),
    }
}
