//! A state of Lua as Redis makes it, and how a script runs in it.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::state::{GcIncParams, GcMode};
use mlua::{
    Function, HookTriggers, Lua, LuaOptions, LuaString, Result, StdLib, Table, Value, VmState,
};

use super::super::bytes::Bytes;
use super::super::error::Error;
use super::super::mutants::{Mutant, planted};
use super::super::reply::Reply;
use super::super::server::Answer;
use super::super::{ClientId, Redis};
use super::globals::{self, Globals};
use super::native::{self, Native};
use super::random::Random;
use super::seat::Seat;
use super::{Leave, Limits, api, frozen, functions, handler, raise, reply};

/// After how many instructions a script is asked whether it may go on.
const STEP: u32 = 100_000;

/// A state of Lua.
pub(super) struct Interpreter {
    lua: Lua,
    seat: Rc<RefCell<Seat>>,
    globals: Globals,
    handler: Function,
    xpcall: Function,
    /// `KEYS` and `ARGV`.
    names: [LuaString; 2],
    pcall: Function,
    limits: Rc<Limits>,
    /// The contents of the globals while a library is loaded.
    loading: Option<Table>,
}

/// When a collection of garbage begins: once there are so many percent of what the last one left.
/// Lua's own 200 has a state that holds little collect all the time.
const COLLECT_AT: i32 = 400;

/// What the text of a library ends with that is stopped.
const LOADS_TOO_LONG: &str = "FUNCTION LOAD timeout";

/// What a script that is stopped ends with.
const KILLED: &str = "Script killed by user with SCRIPT KILL...";

/// A script that is to run.
pub(super) struct Script<'a> {
    pub(super) function: &'a Function,
    /// What errors call it.
    pub(super) name: &'a str,
    pub(super) client: ClientId,
    pub(super) keys: &'a [Bytes],
    pub(super) args: &'a [Bytes],
    pub(super) leave: Leave,
}

impl Interpreter {
    /// The state for EVAL.
    pub(super) fn of_eval(limits: &Rc<Limits>, random: &Rc<Random>) -> Self {
        let made = Interpreter::new(limits, random, api::of_eval);
        let made = made.and_then(|interpreter| {
            let handler = &interpreter.handler;
            interpreter.globals.contents.raw_set("__redis__err__handler", handler)?;
            Ok(interpreter)
        });
        made.expect("an empty state has room for its libraries")
    }

    /// The state for functions.
    pub(super) fn of_functions(limits: &Rc<Limits>, random: &Rc<Random>) -> Self {
        let made = Interpreter::new(limits, random, |_, _| Ok(()));
        let made = made.and_then(|mut interpreter| {
            interpreter.loading = Some(interpreter.globals_of_libraries()?);
            Ok(interpreter)
        });
        made.expect("an empty state has room for its libraries")
    }

    /// What a library finds in its globals while it is loaded.
    fn globals_of_libraries(&self) -> Result<Table> {
        let native = Native { lua: &self.lua, memory: self.limits.memory };
        let redis = self.lua.create_table()?;
        let register = functions::register_function(native, &self.seat)?;
        redis.raw_set("register_function", register)?;
        api::log(native, &redis)?;
        let complaining = frozen::complaining(native)?;
        redis.set_metatable(Some(complaining.clone()))?;
        let globals = self.lua.create_table()?;
        globals.raw_set("redis", self.globals.frozen.freeze(native, &redis, None)?)?;
        globals.set_metatable(Some(complaining))?;
        Ok(globals)
    }

    fn new(
        limits: &Rc<Limits>,
        random: &Rc<Random>,
        add: impl FnOnce(Native<'_>, &Table) -> Result<()>,
    ) -> Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(COLLECT_AT)));
        let seat = Rc::new(RefCell::new(Seat::default()));
        let native = Native { lua: &lua, memory: limits.memory };
        let redis = api::library(native, &seat)?;
        add(native, &redis)?;
        let [xpcall, pcall] = [lua.globals().raw_get("xpcall")?, lua.globals().raw_get("pcall")?];
        let random = api::random(native, &seat, random)?;
        let running = Rc::clone(&seat);
        let stopped = native.function(move |_, _: ()| Ok(running.borrow().killed))?;
        let globals = globals::build(native, &redis, random, stopped)?;
        let handler = handler::function(native)?;
        let names = [lua.create_string("KEYS")?, lua.create_string("ARGV")?];
        let limits = Rc::clone(limits);
        let made = Interpreter {
            lua,
            seat,
            globals,
            handler,
            xpcall,
            pcall,
            names,
            limits,
            loading: None,
        };
        made.watch()?;
        native::limit(&made.lua, 0);
        Ok(made)
    }

    /// Asks every so often whether the script that runs may go on.
    fn watch(&self) -> Result<()> {
        let (seat, limits) = (Rc::clone(&self.seat), Rc::clone(&self.limits));
        let often = HookTriggers::new().every_nth_instruction(STEP);
        // Of all hooks only a global one reaches into the coroutines that a script makes.
        self.lua.set_global_hook(often, move |_, _| {
            let seat = &mut *seat.borrow_mut();
            seat.spent += u64::from(STEP);
            let too_long = seat.spent > limits.instructions;
            let now_ms = limits.clock.as_ref().map(|clock| clock());
            seat.killed |= too_long || (seat.is_overdue(now_ms) && !seat.wrote);
            let why = if seat.library.is_some() { LOADS_TOO_LONG } else { KILLED };
            if seat.killed { Err(raise::table(why)) } else { Ok(VmState::Continue) }
        })
    }

    /// Compiles a text.
    ///
    /// # Errors
    /// What is wrong with it, in Lua's words.
    pub(super) fn compile(
        &self,
        text: &[u8],
        name: &str,
    ) -> std::result::Result<Function, Vec<u8>> {
        let compiled = self
            .lua
            .create_string(text)
            .and_then(|text| self.globals.compile.call::<(Option<Function>, Value)>((text, name)));
        match compiled {
            Ok((Some(function), _)) => Ok(function),
            Ok((None, problem)) => Err(handler::text(&problem).unwrap_or_default()),
            Err(error) => Err(error.to_string().into_bytes()),
        }
    }

    /// Runs a script of EVAL.
    pub(super) fn eval(&self, redis: &mut Redis, script: &Script<'_>) -> Answer {
        self.run(redis, script, |interpreter| {
            let tables = [script.keys, script.args];
            for (name, strings) in interpreter.names.iter().zip(tables) {
                let table = interpreter.list(strings)?;
                interpreter.globals.contents.raw_set(name, table)?;
            }
            let arguments = (script.function, &interpreter.handler);
            native::limit(&interpreter.lua, interpreter.limits.memory);
            interpreter.xpcall.call(arguments)
        })
    }

    /// Runs a function.
    pub(super) fn call(&self, redis: &mut Redis, script: &Script<'_>) -> Answer {
        self.run(redis, script, |interpreter| {
            let keys = interpreter.list(script.keys)?;
            let args = interpreter.list(script.args)?;
            let arguments = (script.function, keys, args, &interpreter.handler);
            native::limit(&interpreter.lua, interpreter.limits.memory);
            interpreter.globals.call.call(arguments)
        })
    }

    fn list(&self, strings: &[Bytes]) -> Result<Table> {
        self.lua.create_sequence_from(strings.iter().map(|string| native::string(string)))
    }

    /// Lets the server sit where scripts reach it while `start` runs, which says whether the script
    /// succeeded, and with what.
    fn run(
        &self,
        redis: &mut Redis,
        script: &Script<'_>,
        start: impl FnOnce(&Self) -> Result<(bool, Value)>,
    ) -> Answer {
        let before = planted(Mutant::R10).then(|| redis.server.dbs.clone());
        let (db, resp) = self.enter(redis, script);
        let ended = start(self);
        native::limit(&self.lua, 0);
        let chosen = self.seat.borrow_mut().resp();
        let answer = match ended {
            Ok((true, value)) => match reply::from_lua(&value, chosen) {
                Ok(Reply::Error(error)) => uncounted(error, value.as_table()),
                Ok(reply) => Ok(reply),
                Err(error) => Err(Error::line(format!("ERR {error}"))),
            },
            Ok((false, Value::Table(error))) => match handler::reply(script.name, &error) {
                Ok(reply) => uncounted(reply, Some(&error)),
                Err(error) => Err(Error::line(format!("ERR {error}"))),
            },
            Ok((false, error)) => Err(self.failure(script, &error)),
            Err(error) => Err(self.failure(script, &Value::Error(error.into()))),
        };
        self.leave(redis, script.client, db, resp);
        if let (Err(_) | Ok(Reply::Error(_)), Some(before)) = (&answer, before) {
            redis.server.dbs = before;
        }
        answer
    }

    /// The reply to a script whose error has no place: there was no room to find it, or the one for
    /// the script itself ran out.
    fn failure(&self, script: &Script<'_>, error: &Value) -> Error {
        let text = raise::to_value(&self.lua, error.clone()).ok();
        let text = text.and_then(|text| handler::text(&text));
        let text = text.unwrap_or_else(|| b"execution failure".to_vec());
        let mut line = format!("ERR Error running script {}, ", script.name).into_bytes();
        line.extend_from_slice(&text[..text.len().min(100)]);
        Error::Bytes(handler::one_line(&line))
    }

    /// What the client had selected is given back to [`Interpreter::leave`].
    fn enter(&self, redis: &mut Redis, script: &Script<'_>) -> (usize, u8) {
        let seat = &mut *self.seat.borrow_mut();
        std::mem::swap(&mut redis.server, &mut seat.redis.server);
        seat.client = script.client;
        seat.running = true;
        seat.read_only = script.leave.read_only;
        seat.short_of_memory = !script.leave.allow_oom && seat.redis.server.out_of_memory();
        seat.wrote = false;
        seat.spent = 0;
        seat.since_ms = None;
        let session = seat.redis.server.session(script.client);
        let before = (session.db, session.resp);
        session.resp = 2;
        before
    }

    fn leave(&self, redis: &mut Redis, client: ClientId, db: usize, resp: u8) {
        let seat = &mut *self.seat.borrow_mut();
        let session = seat.redis.server.session(client);
        (session.db, session.resp) = (db, resp);
        std::mem::swap(&mut redis.server, &mut seat.redis.server);
        seat.running = false;
        let exhausted = self.lua.used_memory() > self.limits.memory / 2;
        seat.killed = false;
        if exhausted {
            self.lua.gc_collect().expect("no script has finalizers");
        }
    }

    /// Lets the globals show other contents while `run` runs.
    fn with_globals<R>(
        &self,
        contents: Option<&Table>,
        run: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        let shows = self.globals.shown.metatable().expect("it is frozen");
        shows.raw_set("__index", contents)?;
        let result = run();
        native::limit(&self.lua, 0);
        shows.raw_set("__index", &self.globals.contents)?;
        result
    }

    /// Runs the text of a library, which registers functions; `library` is given back with them.
    pub(super) fn load(
        &self,
        text: &Function,
        library: functions::Library,
    ) -> (functions::Library, std::result::Result<(), Vec<u8>>) {
        self.seat.borrow_mut().library = Some(library);
        self.seat.borrow_mut().spent = 0;
        self.seat.borrow_mut().since_ms = None;
        let ended = self.with_globals(self.loading.as_ref(), || {
            native::limit(&self.lua, self.limits.memory);
            self.pcall.call::<(bool, Value)>(text)
        });
        native::limit(&self.lua, 0);
        let seat = &mut *self.seat.borrow_mut();
        seat.killed = false;
        let library = seat.library.take().expect("nobody took it");
        let error = match ended {
            Ok((true, _)) => return (library, Ok(())),
            Ok((false, error)) => error,
            Err(error) => Value::Error(error.into()),
        };
        let text = raise::to_value(&self.lua, error).and_then(|error| match error {
            Value::Table(table) => Ok(handler::text(&table.get("err")?)),
            other => Ok(handler::text(&other).map(|text| [b"ERR ", &*text].concat())),
        });
        (library, Err(text.ok().flatten().unwrap_or_else(|| b"ERR unknown".to_vec())))
    }
}

/// The answer of a script that ended with an error: an error is yet to be counted, unless the table
/// it came in says otherwise.
fn uncounted(error: Error, table: Option<&Table>) -> Answer {
    let mark = table.and_then(|table| table.raw_get::<Value>("ignore_error_stats_update").ok());
    let counted = mark.is_some_and(|mark| !matches!(mark, Value::Nil | Value::Boolean(false)));
    if counted { Ok(Reply::Error(error)) } else { Err(error) }
}
