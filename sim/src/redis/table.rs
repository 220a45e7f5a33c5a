//! The table of all commands: names, arities, properties, where their keys are, and what runs.
//!
//! A family of commands lists its own beside its functions (`COMMANDS`); this file looks them up.

use std::sync::LazyLock;

use super::bytes::{Bytes, FixedMap};
use super::error::Error;
use super::server::{Answer, Call};
use super::{ClientId, Redis};

/// What runs a command.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// A command as nearly all are.
    Plain(fn(&mut Call<'_>) -> Answer),
    /// One that runs other commands: EXEC, EVAL and the like.
    Whole(fn(&mut Redis, ClientId, &[Bytes]) -> Answer),
    /// A name of several commands, each of two words.
    Container(&'static [Spec]),
}

/// Properties of commands, as COMMAND INFO lists them.
pub(super) mod flag {
    /// May change something.
    pub(in super::super) const WRITE: u32 = 1 << 0;
    /// Changes nothing.
    pub(in super::super) const READONLY: u32 = 1 << 1;
    /// May take more memory.
    pub(in super::super) const DENYOOM: u32 = 1 << 2;
    /// For operators.
    pub(in super::super) const ADMIN: u32 = 1 << 3;
    /// Publishes or subscribes.
    pub(in super::super) const PUBSUB: u32 = 1 << 4;
    /// Refused in scripts.
    pub(in super::super) const NOSCRIPT: u32 = 1 << 5;
    /// May make the client wait.
    pub(in super::super) const BLOCKING: u32 = 1 << 6;
    /// Works while data are loaded.
    pub(in super::super) const LOADING: u32 = 1 << 7;
    /// Works on a replica that lost its master.
    pub(in super::super) const STALE: u32 = 1 << 8;
    /// Takes constant or logarithmic time.
    pub(in super::super) const FAST: u32 = 1 << 9;
    /// Works before AUTH.
    pub(in super::super) const NO_AUTH: u32 = 1 << 10;
    /// Refused between MULTI and EXEC.
    pub(in super::super) const NO_MULTI: u32 = 1 << 11;
    /// Keys cannot be told by first, last and step alone.
    pub(in super::super) const MOVABLEKEYS: u32 = 1 << 12;
    /// Not shown by MONITOR.
    pub(in super::super) const SKIP_MONITOR: u32 = 1 << 13;
    /// Not shown by SLOWLOG.
    pub(in super::super) const SKIP_SLOWLOG: u32 = 1 << 14;
    /// May be run while a script is stuck.
    pub(in super::super) const ALLOW_BUSY: u32 = 1 << 15;
}

/// A command.
pub(super) struct Spec {
    /// In small letters; of a container's, the second word.
    pub(super) name: &'static str,
    /// The number of words; negative: at least as many.
    pub(super) arity: i32,
    /// A sum of [`flag`]s.
    pub(super) flags: u32,
    /// First key, last key (negative: from the end), step; 0: there is none.
    pub(super) keys: (i32, i32, i32),
    pub(super) run: Run,
}

impl Spec {
    /// A command that runs `run`.
    pub(super) const fn new(
        name: &'static str,
        arity: i32,
        flags: u32,
        keys: (i32, i32, i32),
        run: fn(&mut Call<'_>) -> Answer,
    ) -> Spec {
        Spec { name, arity, flags, keys, run: Run::Plain(run) }
    }

    /// A name of several commands.
    pub(super) const fn container(name: &'static str, commands: &'static [Spec]) -> Spec {
        Spec { name, arity: -2, flags: 0, keys: (0, 0, 0), run: Run::Container(commands) }
    }

    /// Whether a flag is set.
    pub(super) fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether so many words are right.
    pub(super) fn admits(&self, words: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= wanted } else { words == wanted }
    }
}

/// A command of the table.
pub(super) struct Known {
    pub(super) spec: &'static Spec,
    /// The whole name, as errors give it: `get`, `config|get`.
    pub(super) name: String,
    /// Its place in [`all`].
    pub(super) index: usize,
}

/// The families, in no particular order.
const FAMILIES: &[&[Spec]] = &[
    super::admin::COMMANDS,
    super::alone::COMMANDS,
    super::bits::COMMANDS,
    super::client::COMMANDS,
    super::connection::COMMANDS,
    super::debug::COMMANDS,
    super::hashes::COMMANDS,
    super::info::COMMANDS,
    super::introspection::COMMANDS,
    super::keys::COMMANDS,
    super::lists::COMMANDS,
    super::monitor::COMMANDS,
    super::pubsub::COMMANDS,
    #[cfg(feature = "lua")]
    super::lua::COMMANDS,
    super::sets::COMMANDS,
    super::sort::COMMANDS,
    super::settings::COMMANDS,
    super::streams::COMMANDS,
    super::strings::COMMANDS,
    super::transactions::COMMANDS,
    super::zsets::COMMANDS,
];

struct Table {
    known: Vec<Known>,
    by_name: FixedMap<&'static [u8], usize>,
    /// By container and second word.
    by_words: FixedMap<(usize, &'static [u8]), usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table =
        Table { known: Vec::new(), by_name: FixedMap::default(), by_words: FixedMap::default() };
    for spec in FAMILIES.iter().copied().flatten() {
        let index = table.known.len();
        table.known.push(Known { spec, name: spec.name.to_owned(), index });
        let before = table.by_name.insert(spec.name.as_bytes(), index);
        assert!(before.is_none(), "{} is there twice", spec.name);
        if let Run::Container(commands) = spec.run {
            for part in commands {
                let place = table.known.len();
                let name = format!("{}|{}", spec.name, part.name);
                table.known.push(Known { spec: part, name, index: place });
                table.by_words.insert((index, part.name.as_bytes()), place);
            }
        }
    }
    table
});

/// All commands, those of containers after their container.
pub(super) fn all() -> &'static [Known] {
    &TABLE.known
}

/// The longest name of a command, or more.
const LONGEST: usize = 32;

/// The command of this name, in any case.
pub(super) fn find(name: &[u8]) -> Option<&'static Known> {
    let mut small = [0; LONGEST];
    let small = small.get_mut(..name.len())?;
    for (small, letter) in small.iter_mut().zip(name) {
        *small = letter.to_ascii_lowercase();
    }
    TABLE.by_name.get(&*small).map(|index| &TABLE.known[*index])
}

/// The command of a container with this second word, in any case.
pub(super) fn find_part(container: &Known, word: &[u8]) -> Option<&'static Known> {
    let small = word.to_ascii_lowercase();
    // The key lives as long as the table; a borrowed one cannot be asked for in a tuple.
    let Run::Container(commands) = container.spec.run else { return None };
    let part = commands.iter().find(|part| part.name.as_bytes() == small)?;
    TABLE.by_words.get(&(container.index, part.name.as_bytes())).map(|at| &TABLE.known[*at])
}

/// The command that the words name, if their number is right (server.c `processCommand`).
pub(super) fn resolve(args: &[Bytes]) -> Result<&'static Known, Error> {
    let Some(mut known) = find(&args[0]) else { return Err(unknown(args)) };
    if matches!(known.spec.run, Run::Container(_)) && args.len() > 1 {
        known = find_part(known, &args[1]).ok_or_else(|| unknown_part(args))?;
    }
    if !known.spec.admits(args.len()) {
        return Err(wrong_number(&known.name));
    }
    Ok(known)
}

/// The error of a command with too few or too many words.
pub(super) fn wrong_number(command: &str) -> Error {
    Error::line(format!("ERR wrong number of arguments for '{command}' command"))
}

/// How many bytes of what was sent an error repeats.
const REPEATED: usize = 128;

fn unknown(args: &[Bytes]) -> Error {
    let mut rest = Vec::new();
    for word in &args[1..] {
        if rest.len() >= REPEATED {
            break;
        }
        let room = REPEATED - rest.len();
        rest.push(b'\'');
        rest.extend_from_slice(&word[..word.len().min(room)]);
        rest.extend_from_slice(b"' ");
    }
    let name = &args[0][..args[0].len().min(REPEATED)];
    let line = [b"ERR unknown command '", name, b"', with args beginning with: ", &rest].concat();
    // The protocol puts spaces where the line would end early.
    Error::Bytes(Bytes::from(line))
}

fn unknown_part(args: &[Bytes]) -> Error {
    let word = String::from_utf8_lossy(&args[1][..args[1].len().min(REPEATED)]).into_owned();
    let container = String::from_utf8_lossy(&args[0]).to_uppercase();
    Error::line(
        format!("ERR unknown subcommand '{word}'. Try {container} HELP.")
            .replace(['\r', '\n'], " "),
    )
}
