//! Scripts in Lua 5.1: EVAL, SCRIPT, FCALL, FUNCTION, with what Redis 7.0.15 gives a script.
//!
//! A script is compiled once and kept by its SHA1. It runs whole: the clock stands still, and
//! clients that wait are served after it. An error takes nothing back.
//!
//! What differs from Redis:
//! - A script that runs for too long ([`ScriptLimits`]) ends with the error of SCRIPT KILL: with one
//!   thread nobody can send SCRIPT KILL. There is no BUSY either.
//! - `pairs` may go through keys of 32 bytes or more in another order: Redis's Lua hashes every byte
//!   of a string. The text of a table or a function (`tostring`) holds an address in both.
//! - `table.insert` into a library is not refused ([`frozen`]), and JSON, MessagePack and replies
//!   are nested no deeper than 1,500, 1,500 and 1,000.
//! - The debugger is not there. FUNCTION DUMP and RESTORE are unknown subcommands.

mod api;
mod args;
mod bit;
mod cjson;
mod cmsgpack;
mod frozen;
mod functions;
mod globals;
mod handler;
mod help;
mod interpreter;
mod item;
mod native;
mod number;
mod raise;
mod random;
mod reply;
mod seat;
mod shebang;
mod structs;

use std::rc::Rc;

use mlua::Function;

use super::alone;
use super::args::{int, is};
use super::bytes::{Bytes, FixedMap};
use super::error::Error;
use super::mutants::{Mutant, planted};
use super::reply::Reply;
use super::server::{Answer, ScriptCounts, Server};
use super::table::flag::{
    ALLOW_BUSY, DENYOOM, LOADING, MOVABLEKEYS, NOSCRIPT, READONLY, SKIP_MONITOR, STALE, WRITE,
};
use super::table::{Run, Spec};
use super::{ClientId, Redis};
use functions::Functions;
use interpreter::{Interpreter, Script};
use random::Random;
use shebang::Flags;

const RUNS: u32 = NOSCRIPT | STALE | SKIP_MONITOR | MOVABLEKEYS;

pub(super) const COMMANDS: &[Spec] = &[
    whole("eval", -3, RUNS, |redis, client, args| eval(redis, client, args, false)),
    whole("eval_ro", -3, RUNS | READONLY, |redis, client, args| eval(redis, client, args, true)),
    whole("evalsha", -3, RUNS, |redis, client, args| evalsha(redis, client, args, false)),
    whole("evalsha_ro", -3, RUNS | READONLY, |redis, client, args| {
        evalsha(redis, client, args, true)
    }),
    whole("fcall", -3, RUNS, |redis, client, args| fcall(redis, client, args, false)),
    whole("fcall_ro", -3, RUNS | READONLY, |redis, client, args| fcall(redis, client, args, true)),
    Spec::container("script", SCRIPT),
    Spec::container("function", FUNCTION),
];

const SCRIPT: &[Spec] = &[
    whole("debug", 3, NOSCRIPT, script_debug),
    whole("exists", -3, NOSCRIPT, script_exists),
    whole("flush", -2, NOSCRIPT, script_flush),
    whole("help", 2, LOADING | STALE, |_, _, _| Ok(help::reply(help::SCRIPT))),
    whole("kill", 2, NOSCRIPT | ALLOW_BUSY, |_, _, _| Err(NOT_BUSY)),
    whole("load", 3, NOSCRIPT | STALE, script_load),
];

const FUNCTION: &[Spec] = &[
    whole("delete", 3, NOSCRIPT | WRITE, |redis, _, args| {
        redis.scripts(|scripts, redis| {
            let deleted = scripts.functions.delete(&args[2]);
            scripts.count(&mut redis.server);
            deleted
        })
    }),
    whole("flush", -2, NOSCRIPT | WRITE, function_flush),
    whole("help", 2, LOADING | STALE, |_, _, _| Ok(help::reply(help::FUNCTION))),
    whole("kill", 2, NOSCRIPT | ALLOW_BUSY, |_, _, _| Err(NOT_BUSY)),
    whole("list", -2, NOSCRIPT, |redis, _, args| {
        redis.scripts(|scripts, _| scripts.functions.list(args))
    }),
    whole("load", -3, NOSCRIPT | WRITE | DENYOOM, |redis, _, args| {
        redis.scripts(|scripts, redis| {
            scripts.ready_functions();
            let Scripts { functions, function_state: Some(lua), .. } = scripts else {
                unreachable!("it was made ready");
            };
            let loaded = functions.load(lua, args);
            scripts.count(&mut redis.server);
            loaded
        })
    }),
    whole("stats", 2, NOSCRIPT | ALLOW_BUSY, |redis, _, _| {
        redis.scripts(|scripts, _| Ok(scripts.functions.stats()))
    }),
];

const fn whole(
    name: &'static str,
    arity: i32,
    flags: u32,
    run: fn(&mut Redis, ClientId, &[Bytes]) -> Answer,
) -> Spec {
    Spec { name, arity, flags, keys: (0, 0, 0), run: Run::Whole(run) }
}

const NOT_BUSY: Error = Error::Text("NOTBUSY No scripts in execution right now.");
const NO_SCRIPT: Error = Error::Text("NOSCRIPT No matching script. Please use EVAL.");

/// How long a script may run, and how much memory it may use.
pub struct ScriptLimits {
    /// The most instructions of Lua's machine, in steps of 100,000; a command counts for 100.
    pub instructions: u64,
    /// The most bytes of all scripts together: their values, and what is left of earlier ones. One
    /// function of a library may exceed it; the script's next allocation then fails.
    pub memory: usize,
    /// A clock in milliseconds, read after every 100,000 instructions. A script that has run for
    /// longer than the setting `busy-reply-threshold` ends, unless it has written.
    pub clock: Option<Box<dyn Fn() -> u64>>,
}

type Limits = ScriptLimits;

/// 200,000,000 instructions, which is some seconds, and 256 MiB.
impl Default for ScriptLimits {
    fn default() -> Self {
        ScriptLimits { instructions: 200_000_000, memory: 256 << 20, clock: None }
    }
}

/// A script that was compiled.
struct Cached {
    sha: Bytes,
    function: Function,
    /// `None`: it has no line that says.
    flags: Option<Flags>,
}

/// What a server knows of scripts and functions.
#[derive(Default)]
pub(super) struct Scripts {
    limits: Rc<ScriptLimits>,
    random: Rc<Random>,
    eval_state: Option<Interpreter>,
    by_sha: FixedMap<Bytes, Rc<Cached>>,
    /// The same by their texts: a text that comes again need not be hashed.
    by_text: FixedMap<Bytes, Rc<Cached>>,
    function_state: Option<Interpreter>,
    functions: Functions,
}

impl Scripts {
    fn ready_functions(&mut self) {
        let (limits, random) = (&self.limits, &self.random);
        self.function_state.get_or_insert_with(|| Interpreter::of_functions(limits, random));
    }

    /// Tells the server how many there are, for INFO.
    fn count(&self, server: &mut Server) {
        let (functions, libraries) = self.functions.counts();
        server.scripts = ScriptCounts { cached: self.by_sha.len(), functions, libraries };
    }

    /// The script of a text, compiled if it is not there (`luaCreateFunction`).
    fn compiled(&mut self, server: &mut Server, text: &Bytes) -> Result<Rc<Cached>, Error> {
        if let Some(cached) = self.by_text.get(text) {
            return Ok(Rc::clone(cached));
        }
        let script = shebang::script(text)?;
        let (limits, random) = (&self.limits, &self.random);
        let lua = self.eval_state.get_or_insert_with(|| Interpreter::of_eval(limits, random));
        let function = lua.compile(script.text, "@user_script").map_err(|problem| {
            let line = [b"ERR Error compiling script (new function): ", &*problem].concat();
            Error::Bytes(handler::one_line(&line))
        })?;
        let sha = Bytes::from(&*sha1(text));
        let cached = Rc::new(Cached { sha: sha.clone(), function, flags: script.flags });
        self.by_sha.insert(sha, Rc::clone(&cached));
        self.by_text.insert(text.clone(), Rc::clone(&cached));
        self.count(server);
        Ok(cached)
    }

    /// Runs a script with the arguments of EVAL.
    fn run(
        &self,
        redis: &mut Redis,
        client: ClientId,
        script: &Cached,
        [keys, rest]: [&[Bytes]; 2],
        read_only: bool,
    ) -> Answer {
        let leave = leave(&redis.server, script.flags, read_only)?;
        let lua = self.eval_state.as_ref().expect("the script was compiled");
        let name = script.sha.as_str().expect("a digest is text");
        let function = &script.function;
        lua.eval(redis, &Script { function, name, client, keys, args: rest, leave })
    }
}

impl Redis {
    /// Limits scripts. Those that are there are forgotten, and functions, too.
    pub fn limit_scripts(&mut self, limits: ScriptLimits) {
        self.server.scripts = ScriptCounts::default();
        self.scripts = Some(Box::new(Scripts { limits: Rc::new(limits), ..Scripts::default() }));
    }

    /// Lets `run` work with the scripts and the server.
    fn scripts<R>(&mut self, run: impl FnOnce(&mut Scripts, &mut Redis) -> R) -> R {
        let mut scripts = self.scripts.take().unwrap_or_default();
        let result = run(&mut scripts, self);
        self.scripts = Some(scripts);
        result
    }
}

/// The SHA1 of a text, in hexadecimal.
fn sha1(text: &[u8]) -> Box<[u8]> {
    sha1_smol::Sha1::from(text).digest().to_string().into_bytes().into()
}

/// The keys and the other arguments of a script.
fn split_keys(keys: i64, args: &[Bytes]) -> Result<(&[Bytes], &[Bytes]), Error> {
    let negative = Error::Text("ERR Number of keys can't be negative");
    let keys = usize::try_from(keys).map_err(|_| negative)?;
    let too_many = Error::Text("ERR Number of keys can't be greater than number of args");
    args.split_at_checked(keys).ok_or(too_many)
}

/// What a script may do that says so itself, or that a command asks to only read.
#[derive(Clone, Copy)]
struct Leave {
    read_only: bool,
    /// It may run commands that need memory where that is short.
    allow_oom: bool,
}

/// Whether a script may run, and what it may do (script.c `scriptPrepareForRun`).
fn leave(server: &Server, flags: Option<Flags>, asked: bool) -> Result<Leave, Error> {
    // Without a line that says, its commands are judged one by one.
    let Some(flags) = flags else { return Ok(Leave { read_only: asked, allow_oom: false }) };
    if !flags.no_writes() {
        if asked {
            let text = "ERR Can not execute a script with write flag using *_ro command.";
            return Err(Error::Text(text));
        }
        if server.settings.lacks_replicas {
            return Err(alone::NO_REPLICAS);
        }
        if !flags.allow_oom() && server.out_of_memory() {
            return Err(Error::Text(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > \
                 'maxmemory'",
            ));
        }
    }
    Ok(Leave { read_only: flags.no_writes(), allow_oom: flags.allow_oom() })
}

/// EVAL and EVAL_RO.
fn eval(redis: &mut Redis, client: ClientId, args: &[Bytes], read_only: bool) -> Answer {
    let (keys, rest) = split_keys(int(&args[2])?, &args[3..])?;
    redis.scripts(|scripts, redis| {
        let script = scripts.compiled(&mut redis.server, &args[1])?;
        scripts.run(redis, client, &script, [keys, rest], read_only)
    })
}

/// EVALSHA and EVALSHA_RO.
fn evalsha(redis: &mut Redis, client: ClientId, args: &[Bytes], read_only: bool) -> Answer {
    if args[1].len() != 40 {
        return Err(NO_SCRIPT);
    }
    let (keys, rest) = split_keys(int(&args[2])?, &args[3..])?;
    redis.scripts(|scripts, redis| {
        let script =
            Rc::clone(scripts.by_sha.get(&*args[1].to_ascii_lowercase()).ok_or(NO_SCRIPT)?);
        scripts.run(redis, client, &script, [keys, rest], read_only)
    })
}

/// FCALL and FCALL_RO.
fn fcall(redis: &mut Redis, client: ClientId, args: &[Bytes], read_only: bool) -> Answer {
    redis.scripts(|scripts, redis| {
        scripts.ready_functions();
        let lua = scripts.function_state.as_ref().expect("it was made ready");
        scripts.functions.call(lua, redis, client, args, read_only)
    })
}

fn script_load(redis: &mut Redis, _: ClientId, args: &[Bytes]) -> Answer {
    let script = redis.scripts(|scripts, redis| scripts.compiled(&mut redis.server, &args[2]))?;
    Ok(Reply::Bulk(script.sha.clone()))
}

fn script_exists(redis: &mut Redis, _: ClientId, args: &[Bytes]) -> Answer {
    redis.scripts(|scripts, _| {
        let exists =
            |sha: &Bytes| Reply::flag(scripts.by_sha.contains_key(&*sha.to_ascii_lowercase()));
        Ok(Reply::Array(args[2..].iter().map(exists).collect()))
    })
}

/// SCRIPT FLUSH. The numbers of `math.random` go on.
fn script_flush(redis: &mut Redis, _: ClientId, args: &[Bytes]) -> Answer {
    if !is_flush(args) {
        return Err(Error::Text("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    redis.scripts(|scripts, redis| {
        if planted(Mutant::R17) {
            return;
        }
        scripts.by_sha.clear();
        scripts.by_text.clear();
        scripts.count(&mut redis.server);
        scripts.eval_state = None;
    });
    Ok(Reply::OK)
}

fn is_flush(args: &[Bytes]) -> bool {
    match args {
        [_, _] => true,
        [_, _, how] => is(how, "sync") || is(how, "async"),
        _ => false,
    }
}

fn script_debug(_: &mut Redis, _: ClientId, args: &[Bytes]) -> Answer {
    match &args[2] {
        mode if is(mode, "no") => Ok(Reply::OK),
        mode if is(mode, "yes") || is(mode, "sync") => {
            Err(Error::Text("ERR the debugger of scripts is not supported"))
        }
        _ => Err(Error::Text("ERR Use SCRIPT DEBUG YES/SYNC/NO")),
    }
}

fn function_flush(redis: &mut Redis, _: ClientId, args: &[Bytes]) -> Answer {
    if args.len() > 3 {
        let word = String::from_utf8_lossy(&args[1]);
        return Err(Error::line(format!(
            "ERR unknown subcommand or wrong number of arguments for '{word}'. Try FUNCTION HELP."
        )));
    }
    if !is_flush(args) {
        return Err(Error::Text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    redis.scripts(|scripts, redis| {
        scripts.functions = Functions::default();
        scripts.count(&mut redis.server);
    });
    Ok(Reply::OK)
}

#[cfg(test)]
mod tests;
