//! Rust functions as a script calls them.

use mlua::{Either, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, LuaString, Result};

/// What makes functions for a state of Lua.
#[derive(Clone, Copy)]
pub(super) struct Native<'a> {
    pub(super) lua: &'a Lua,
    /// How many bytes scripts may use.
    pub(super) memory: usize,
}

impl Native<'_> {
    /// A function that runs `run`.
    ///
    /// While it runs nothing limits the memory that it takes: each allocation would have to be
    /// guarded, at several times its price. If it took too much, the script's next one fails.
    pub(super) fn function<A, R>(
        self,
        run: impl Fn(&Lua, A) -> Result<R> + 'static,
    ) -> Result<Function>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let memory = self.memory;
        self.lua.create_function(move |lua, args: A| {
            let _unlimited = Unlimited::new(lua, memory);
            run(lua, args)
        })
    }
}

/// Lifts the limit of a state's memory while it lives.
struct Unlimited<'a> {
    lua: &'a Lua,
    memory: usize,
}

impl<'a> Unlimited<'a> {
    fn new(lua: &'a Lua, memory: usize) -> Self {
        limit(lua, 0);
        Unlimited { lua, memory }
    }
}

impl Drop for Unlimited<'_> {
    fn drop(&mut self) {
        limit(self.lua, self.memory);
    }
}

/// A string on its way to Lua, without a handle of its own. mlua has a short way for text only.
pub(super) fn string(bytes: &[u8]) -> impl IntoLua {
    match std::str::from_utf8(bytes) {
        Ok(text) => Either::Left(text),
        Err(_) => Either::Right(LuaString::wrap(bytes)),
    }
}

/// Limits a state's memory; 0 is no limit.
pub(super) fn limit(lua: &Lua, memory: usize) {
    lua.set_memory_limit(memory).expect("the state has an allocator of its own");
}
