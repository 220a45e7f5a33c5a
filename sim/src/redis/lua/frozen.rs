//! Tables that a script may read but not change: its globals and the libraries.
//!
//! Redis's Lua has a mark for such tables; the Lua here has not. So a script is given an empty
//! table whose metatable shows the contents and refuses assignments, and those functions of Lua
//! that would look behind a metatable are replaced by ones that know these tables. `table.insert`
//! is left alone, because scripts call it all the time: what it puts into a library stays in front
//! of the contents, where Redis refuses it.

use std::cell::RefCell;
use std::os::raw::c_void;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Result, Table, Value};

use super::args::{Args, to_number};
use super::native::Native;
use super::number;
use super::raise;

const REFUSED: &str = "Attempt to modify a readonly table";

/// A table that is frozen.
struct Entry {
    /// The table that scripts have, by its address.
    shown: *const c_void,
    contents: Table,
    /// What scripts see as its metatable.
    metatable: Option<Table>,
}

/// All tables that are frozen.
#[derive(Clone, Default)]
pub(super) struct Frozen(Rc<RefCell<Vec<Entry>>>);

impl Frozen {
    /// The table that shows `contents`. Scripts see `metatable` as its metatable.
    pub(super) fn freeze(
        &self,
        native: Native<'_>,
        contents: &Table,
        metatable: Option<Table>,
    ) -> Result<Table> {
        let shown = native.lua.create_table()?;
        let refuse = native.function(|lua, _: ()| Err::<(), _>(raise::error(lua, REFUSED)))?;
        let meta = native.lua.create_table()?;
        meta.raw_set("__index", contents)?;
        meta.raw_set("__newindex", refuse)?;
        shown.set_metatable(Some(meta))?;
        let entry = Entry { shown: shown.to_pointer(), contents: contents.clone(), metatable };
        self.0.borrow_mut().push(entry);
        Ok(shown)
    }

    /// The contents of a table, if it is frozen.
    fn contents(&self, table: &Table) -> Option<Table> {
        self.find(table, |entry| entry.contents.clone())
    }

    fn find<R>(&self, table: &Table, found: impl FnOnce(&Entry) -> R) -> Option<R> {
        if !table.has_metatable() {
            return None;
        }
        let entries = self.0.borrow();
        let entry = entries.iter().find(|entry| entry.shown == table.to_pointer())?;
        Some(found(entry))
    }

    /// Replaces those of `globals` that look behind metatables.
    pub(super) fn guard(&self, native: Native<'_>, globals: &Table) -> Result<()> {
        let strings = native.lua.create_table()?;
        if let Some(metatable) = native.lua.type_metatable::<mlua::LuaString>() {
            strings.raw_set("__index", metatable.raw_get::<Value>("__index")?)?;
        }
        let strings = self.freeze(native, &strings, None)?;
        let next: Function = globals.raw_get("next")?;

        let frozen = self.clone();
        let get = move |lua: &Lua, args: Args| frozen.getmetatable(lua, &args, &strings);
        globals.raw_set("getmetatable", native.function(get)?)?;
        let frozen = self.clone();
        let set = move |lua: &Lua, args: Args| frozen.setmetatable(lua, &args);
        globals.raw_set("setmetatable", native.function(set)?)?;
        let frozen = self.clone();
        let rawget = move |lua: &Lua, args: Args| frozen.rawget(lua, &args);
        globals.raw_set("rawget", native.function(rawget)?)?;
        let frozen = self.clone();
        let rawset = move |lua: &Lua, args: Args| frozen.rawset(lua, &args);
        globals.raw_set("rawset", native.function(rawset)?)?;

        let (frozen, step) = (self.clone(), next.clone());
        let guarded = native.function(move |lua, args: Args| {
            let table = args.table(lua, 1)?;
            let key = args.get(2);
            match frozen.contents(table) {
                Some(contents) => step.call::<MultiValue>((contents, key)),
                None => step.call((table, key)),
            }
        })?;
        globals.raw_set("next", &guarded)?;
        let frozen = self.clone();
        let pairs = native.function(move |lua, args: Args| {
            let table = args.table(lua, 1)?;
            let is_frozen = frozen.find(table, |_| ()).is_some();
            let step = if is_frozen { &guarded } else { &next };
            Ok((step.clone(), table.clone(), Value::Nil))
        })?;
        globals.raw_set("pairs", pairs)
    }

    fn getmetatable(&self, lua: &Lua, args: &Args, strings: &Table) -> Result<Value> {
        some(lua, args, 1)?;
        let table = match args.get(1) {
            Value::Table(table) => table,
            Value::String(_) => return Ok(Value::Table(strings.clone())),
            _ => return Ok(Value::Nil),
        };
        if let Some(metatable) = self.find(table, |entry| entry.metatable.clone()) {
            return Ok(metatable.map_or(Value::Nil, Value::Table));
        }
        let Some(metatable) = table.metatable() else { return Ok(Value::Nil) };
        let instead: Value = metatable.raw_get("__metatable")?;
        Ok(if instead.is_nil() { Value::Table(metatable) } else { instead })
    }

    fn setmetatable(&self, lua: &Lua, args: &Args) -> Result<Table> {
        let table = args.table(lua, 1)?;
        let metatable = match args.get(2) {
            Value::Table(metatable) => Some(metatable.clone()),
            Value::Nil if args.len() > 1 => None,
            _ => return Err(raise::argument(lua, 2, "nil or table expected")),
        };
        if self.find(table, |_| ()).is_some() {
            return Err(raise::bare(REFUSED));
        }
        if let Some(before) = table.metatable()
            && !before.raw_get::<Value>("__metatable")?.is_nil()
        {
            return Err(raise::error(lua, "cannot change a protected metatable"));
        }
        table.set_metatable(metatable)?;
        Ok(table.clone())
    }

    fn rawget(&self, lua: &Lua, args: &Args) -> Result<Value> {
        let table = args.table(lua, 1)?;
        some(lua, args, 2)?;
        self.contents(table).as_ref().unwrap_or(table).raw_get(args.get(2))
    }

    fn rawset(&self, lua: &Lua, args: &Args) -> Result<Table> {
        let table = args.table(lua, 1)?;
        some(lua, args, 2)?;
        some(lua, args, 3)?;
        if self.find(table, |_| ()).is_some() {
            return Err(raise::bare(REFUSED));
        }
        table.raw_set(args.get(2), args.get(3))?;
        Ok(table.clone())
    }
}

/// That an argument is there, be it nil.
fn some(lua: &Lua, args: &Args, at: usize) -> Result<()> {
    if args.len() < at { Err(raise::argument(lua, at, "value expected")) } else { Ok(()) }
}

/// A metatable that makes it an error to read what is not there.
pub(super) fn complaining(native: Native<'_>) -> Result<Table> {
    let missing = native.function(|lua, args: Args| -> Result<()> {
        if args.len() != 2 {
            let problem = "Wrong number of arguments to luaProtectedTableError";
            return Err(raise::error(lua, problem));
        }
        let name = match args.get(2) {
            Value::String(name) => name.to_string_lossy(),
            value => {
                let Some(number) = to_number(lua, value) else {
                    let problem = "Second argument to luaProtectedTableError must be a string or \
                                   number";
                    return Err(raise::error(lua, problem));
                };
                let mut text = Vec::new();
                number::write(number, 14, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            }
        };
        let problem = format!("Script attempted to access nonexistent global variable '{name}'");
        Err(raise::error(lua, &problem))
    })?;
    let metatable = native.lua.create_table()?;
    metatable.raw_set("__index", missing)?;
    Ok(metatable)
}
