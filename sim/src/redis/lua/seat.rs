//! Where the server sits while a script runs: the functions of Lua live as long as its state, and
//! reach the server through this.

use super::super::bytes::Bytes;
use super::super::mutants::{Mutant, planted};
use super::super::reply::Reply;
use super::super::server::Origin;
use super::super::table::{self, Known, Run, flag};
use super::super::{ClientId, Redis};
use super::functions::Library;

/// Commands that are refused in a script that only reads, though they change no key.
const MAY_REPLICATE: [&str; 2] = ["publish", "spublish"];

/// What a script that runs may do, and what it has done.
pub(super) struct Seat {
    /// The server, while a script runs. Between scripts an empty one sits here.
    pub(super) redis: Redis,
    pub(super) client: ClientId,
    /// A script runs.
    pub(super) running: bool,
    /// It may not write.
    pub(super) read_only: bool,
    /// It has written.
    pub(super) wrote: bool,
    /// How often the interpreter has asked whether it may go on.
    pub(super) asked: u64,
    /// It may not go on.
    pub(super) killed: bool,
    /// The library that FUNCTION LOAD makes.
    pub(super) library: Option<Library>,
}

impl Default for Seat {
    fn default() -> Self {
        Seat {
            redis: Redis::new(),
            client: ClientId(0),
            running: false,
            read_only: false,
            wrote: false,
            asked: 0,
            killed: false,
            library: None,
        }
    }
}

impl Seat {
    /// Runs a command of a script (`scriptCall`). An error is one of scripts, not of the command.
    pub(super) fn call(&mut self, args: &[Bytes]) -> Result<Reply, &'static str> {
        let Some(known) = find(args) else {
            *self.redis.server.unknown.entry(args[0].clone()).or_default() += 1;
            return Err("Unknown Redis command called from script");
        };
        if !known.spec.admits(args.len()) {
            return Err("Wrong number of args calling Redis command from script");
        }
        if known.spec.is(flag::NOSCRIPT) {
            return Err("This Redis command is not allowed from script");
        }
        let writes = known.spec.is(flag::WRITE);
        if self.read_only && (writes || MAY_REPLICATE.contains(&known.spec.name)) {
            return Err("Write commands are not allowed from read-only scripts.");
        }
        self.wrote |= writes;
        let answer = self.redis.call(known, self.client, args, Origin::Script);
        if planted(Mutant::R9) {
            self.redis.server.settle();
        }
        Ok(answer.into())
    }

    /// The version of the protocol in which the script sees replies.
    pub(super) fn resp(&mut self) -> u8 {
        let client = self.client;
        self.redis.server.session(client).resp
    }

    /// Sets it, from 2 or 3.
    pub(super) fn set_resp(&mut self, version: u8) {
        let client = self.client;
        self.redis.server.session(client).resp = version;
    }
}

/// The command that the words name.
pub(super) fn find(args: &[Bytes]) -> Option<&'static Known> {
    let known = table::find(&args[0])?;
    match args.get(1) {
        Some(word) if matches!(known.spec.run, Run::Container(_)) => table::find_part(known, word),
        _ => Some(known),
    }
}
