//! Functions: libraries of Lua that stay (FUNCTION, FCALL).
//!
//! DUMP and RESTORE are not there: they answer like an unknown subcommand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{Function, Lua, Result, Table, Value};

use super::super::args::is;
use super::super::bytes::Bytes;
use super::super::error::Error;
use super::super::reply::Reply;
use super::super::server::Answer;
use super::super::{ClientId, Redis};
use super::args::Args;
use super::interpreter::{Interpreter, Script};
use super::native::Native;
use super::seat::Seat;
use super::shebang::{self, Flags};
use super::{handler, raise};

/// The name of the chunk of a library.
const CHUNK: &str = "@user_function";

const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and \
                        must be at least one character long";

/// A function that a library registered.
pub(super) struct Registered {
    name: Bytes,
    description: Option<Bytes>,
    flags: Flags,
    function: Function,
}

/// A library.
pub(super) struct Library {
    name: Bytes,
    code: Bytes,
    functions: BTreeMap<Bytes, Rc<Registered>>,
}

/// All libraries.
#[derive(Default)]
pub(super) struct Functions {
    libraries: BTreeMap<Bytes, Library>,
    /// By name in small letters: FCALL does not look at the case.
    functions: BTreeMap<Vec<u8>, Rc<Registered>>,
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

impl Functions {
    fn link(&mut self, library: Library) {
        for function in library.functions.values() {
            self.functions.insert(function.name.to_ascii_lowercase(), Rc::clone(function));
        }
        self.libraries.insert(library.name.clone(), library);
    }

    fn unlink(&mut self, name: &[u8]) -> Option<Library> {
        let library = self.libraries.remove(name)?;
        for function in library.functions.values() {
            self.functions.remove(&function.name.to_ascii_lowercase());
        }
        Some(library)
    }

    /// FUNCTION LOAD, with the interpreter that runs functions.
    pub(super) fn load(&mut self, lua: &Interpreter, args: &[Bytes]) -> Answer {
        let (code, options) = args[2..].split_last().expect("it has three words at least");
        if let Some(option) = options.iter().find(|option| !is(option, "replace")) {
            let option = String::from_utf8_lossy(option);
            return Err(Error::line(format!("ERR Unknown option given: {option}")));
        }
        let read = shebang::library(code)?;
        if !is_name(&read.name) {
            return Err(Error::line(format!("ERR {BAD_NAME}")));
        }
        if !is(&read.engine, "lua") {
            let engine = String::from_utf8_lossy(&read.engine);
            return Err(Error::line(format!("ERR Engine '{engine}' not found")));
        }
        let name = Bytes::from(read.name);
        if options.is_empty() && self.libraries.contains_key(&name) {
            return Err(Error::line(format!("ERR Library '{name}' already exists")));
        }
        let before = self.unlink(&name);
        let library =
            Library { name: name.clone(), code: code.clone(), functions: BTreeMap::new() };
        match self.registered(lua, read.text, library) {
            Ok(library) => {
                self.link(library);
                Ok(Reply::Bulk(name))
            }
            Err(problem) => {
                if let Some(before) = before {
                    self.link(before);
                }
                Err(Error::Bytes(handler::one_line(&[b"ERR ", &*problem].concat())))
            }
        }
    }

    /// The library with the functions that its text registers.
    fn registered(
        &self,
        lua: &Interpreter,
        text: &[u8],
        library: Library,
    ) -> std::result::Result<Library, Vec<u8>> {
        let text = lua
            .compile(text, CHUNK)
            .map_err(|problem| [b"Error compiling function: ", &*problem].concat())?;
        let (library, ended) = lua.load(&text, library);
        ended.map_err(|problem| [b"Error registering functions: ", &*problem].concat())?;
        if library.functions.is_empty() {
            return Err(b"No functions registered".to_vec());
        }
        for name in library.functions.keys() {
            if self.functions.contains_key(&name.to_ascii_lowercase()) {
                return Err([b"Function ", &**name, b" already exists"].concat());
            }
        }
        Ok(library)
    }

    /// FUNCTION DELETE.
    pub(super) fn delete(&mut self, name: &[u8]) -> Answer {
        self.unlink(name).ok_or(Error::Text("ERR Library not found"))?;
        Ok(Reply::OK)
    }

    /// FUNCTION LIST.
    pub(super) fn list(&self, args: &[Bytes]) -> Answer {
        let (mut with_code, mut pattern) = (false, None);
        let mut rest = args[2..].iter();
        while let Some(word) = rest.next() {
            if !with_code && is(word, "withcode") {
                with_code = true;
            } else if pattern.is_none() && is(word, "libraryname") {
                let given = rest.next();
                let missing = Error::Text("ERR library name argument was not given");
                pattern = Some(given.ok_or(missing)?);
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(Error::line(format!("ERR Unknown argument {word}")));
            }
        }
        let wanted = |library: &&Library| {
            pattern.is_none_or(|pattern| super::super::glob::matches(pattern, &library.name, true))
        };
        let shown = self.libraries.values().filter(wanted).map(|library| library.shown(with_code));
        Ok(Reply::Array(shown.collect()))
    }

    /// How many functions and libraries there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.functions.len(), self.libraries.len())
    }

    /// FUNCTION STATS, while no function runs.
    pub(super) fn stats(&self) -> Reply {
        let engine = vec![
            ("libraries_count".into(), Reply::int(self.libraries.len())),
            ("functions_count".into(), Reply::int(self.functions.len())),
        ];
        Reply::Map(vec![
            ("running_script".into(), Reply::Nil),
            ("engines".into(), Reply::Map(vec![("LUA".into(), Reply::Map(engine))])),
        ])
    }

    /// FCALL and FCALL_RO.
    pub(super) fn call(
        &self,
        lua: &Interpreter,
        redis: &mut Redis,
        client: ClientId,
        args: &[Bytes],
        read_only: bool,
    ) -> Answer {
        let found = self.functions.get(&args[1].to_ascii_lowercase());
        let function = found.ok_or(Error::Text("ERR Function not found"))?;
        let keys = args[2].to_int().ok_or(Error::Text("ERR Bad number of keys provided"))?;
        let (keys, rest) = super::split_keys(keys, &args[3..])?;
        let leave = super::leave(&redis.server, Some(function.flags), read_only)?;
        let name = String::from_utf8_lossy(&function.name);
        let script =
            Script { function: &function.function, name: &name, client, keys, args: rest, leave };
        lua.call(redis, &script)
    }
}

impl Library {
    fn shown(&self, with_code: bool) -> Reply {
        let functions = self.functions.values().map(|function| {
            let flags = function.flags.names().map(Reply::Status).collect();
            Reply::Map(vec![
                ("name".into(), Reply::Bulk(function.name.clone())),
                ("description".into(), Reply::bulk(function.description.as_ref())),
                ("flags".into(), Reply::Set(flags)),
            ])
        });
        let mut shown = vec![
            ("library_name".into(), Reply::Bulk(self.name.clone())),
            ("engine".into(), "LUA".into()),
            ("functions".into(), Reply::Array(functions.collect())),
        ];
        if with_code {
            shown.push(("library_code".into(), Reply::Bulk(self.code.clone())));
        }
        Reply::Map(shown)
    }

    fn register(&mut self, function: Registered) -> std::result::Result<(), &'static str> {
        if !is_name(&function.name) {
            return Err(BAD_NAME);
        }
        if self.functions.contains_key(&function.name) {
            return Err("Function already exists in the library");
        }
        self.functions.insert(function.name.clone(), Rc::new(function));
        Ok(())
    }
}

/// `redis.register_function`.
pub(super) fn register_function(native: Native<'_>, seat: &Rc<RefCell<Seat>>) -> Result<Function> {
    let seat = Rc::clone(seat);
    native.function(move |_: &Lua, args: Args| {
        let seat = &mut *seat.borrow_mut();
        let Some(library) = &mut seat.library else {
            return Err(raise::table(
                "redis.register_function can only be called on FUNCTION LOAD command",
            ));
        };
        let function = match args.len() {
            1 => named(args.get(1))?,
            2 => positional(&args),
            _ => Err("wrong number of arguments to redis.register_function"),
        };
        function.and_then(|function| library.register(function)).map_err(raise::table)
    })
}

/// A string, or a number as one.
fn string(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(string) => Some(Bytes::from(&*string.as_bytes())),
        number => handler::text(number).map(Bytes::from),
    }
}

type Read = std::result::Result<Registered, &'static str>;

fn positional(args: &Args) -> Read {
    let name = string(args.get(1));
    let name = name.ok_or("first argument to redis.register_function must be a string")?;
    let Value::Function(function) = args.get(2) else {
        return Err("second argument to redis.register_function must be a function");
    };
    let function = function.clone();
    Ok(Registered { name, description: None, flags: Flags::default(), function })
}

/// The arguments in a table. The outer error is one of Lua.
fn named(given: &Value) -> Result<Read> {
    let Value::Table(table) = given else {
        return Ok(Err(
            "calling redis.register_function with a single argument is only applicable \
                       to Lua table (representing named arguments).",
        ));
    };
    let (mut name, mut description, mut function) = (None, None, None);
    let mut flags = Flags::default();
    for pair in table.pairs() {
        let (key, value): (Value, Value) = pair?;
        let problem = match string(&key).as_deref() {
            None => "named argument key given to redis.register_function is not a string",
            Some(key) if is(key, "function_name") => {
                name = string(&value);
                if name.is_some() {
                    continue;
                }
                "function_name argument given to redis.register_function must be a string"
            }
            Some(key) if is(key, "description") => {
                description = string(&value);
                if description.is_some() {
                    continue;
                }
                "description argument given to redis.register_function must be a string"
            }
            Some(key) if is(key, "callback") => {
                function = value.as_function().cloned();
                if function.is_some() {
                    continue;
                }
                "callback argument given to redis.register_function must be a function"
            }
            Some(key) if is(key, "flags") => match value {
                Value::Table(list) => {
                    if read_flags(&list, &mut flags)? {
                        continue;
                    }
                    "unknown flag given"
                }
                _ => {
                    "flags argument to redis.register_function must be a table representing \
                     function flags"
                }
            },
            Some(_) => "unknown argument given to redis.register_function",
        };
        return Ok(Err(problem));
    }
    let Some(name) = name else {
        return Ok(Err("redis.register_function must get a function name argument"));
    };
    let Some(function) = function else {
        return Ok(Err("redis.register_function must get a callback argument"));
    };
    Ok(Ok(Registered { name, description, flags, function }))
}

/// Reads a list of flags; whether all are known.
fn read_flags(list: &Table, flags: &mut Flags) -> Result<bool> {
    for at in 1.. {
        let value: Value = list.get(at)?;
        if value.is_nil() {
            break;
        }
        let known = string(&value).is_some_and(|flag| flags.add(|name| is(&flag, name)));
        if !known {
            return Ok(false);
        }
    }
    Ok(true)
}
