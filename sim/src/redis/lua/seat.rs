//! Where the server sits while a script runs: the functions of Lua live as long as its state, and
//! reach the server through this.

use super::super::alone;
use super::super::bytes::Bytes;
use super::super::error::Error;
use super::super::memory;
use super::super::mutants::{Mutant, planted};
use super::super::reply::Reply;
use super::super::server::Origin;
use super::super::table::{self, Known, Run, flag};
use super::super::{ClientId, Redis};
use super::functions::Library;

/// Commands that are refused in a script that only reads, though they change no key.
const MAY_REPLICATE: [&str; 2] = ["publish", "spublish"];

/// How long the text of a library may run.
const LOADING_MS: u64 = 500;

/// How many instructions a command counts for: it takes as long as so many.
const COMMAND: u64 = 100;

/// What a script that runs may do, and what it has done.
pub(super) struct Seat {
    /// The server, while a script runs. Between scripts an empty one sits here.
    pub(super) redis: Redis,
    pub(super) client: ClientId,
    /// A script runs.
    pub(super) running: bool,
    /// It may not write.
    pub(super) read_only: bool,
    /// There was too little memory when it began, and it did not say that it can do without.
    pub(super) short_of_memory: bool,
    /// It has written.
    pub(super) wrote: bool,
    /// The instructions that it has run, and its commands at the price of some.
    pub(super) spent: u64,
    /// When it was first asked how long it has run, if there is a clock.
    pub(super) since_ms: Option<u64>,
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
            short_of_memory: false,
            wrote: false,
            spent: 0,
            since_ms: None,
            killed: false,
            library: None,
        }
    }
}

impl Seat {
    /// Runs a command of a script (`scriptCall`). An error is one of scripts, not of the command,
    /// and was counted.
    pub(super) fn call(&mut self, args: &[Bytes]) -> Result<Reply, Error> {
        let known = find(args);
        let known = match self.admit(known, args) {
            Ok(known) => known,
            Err(refused) => {
                let stats = &mut self.redis.server.stats;
                stats.error(&refused);
                if let Some(known) = known {
                    stats.of(known.index).rejected += 1;
                }
                return Err(refused);
            }
        };
        self.wrote |= known.spec.is(flag::WRITE);
        self.spent += COMMAND;
        let answer = self.redis.call(known, self.client, args, Origin::Script);
        if planted(Mutant::R9) {
            self.redis.server.settle();
        }
        Ok(answer.into())
    }

    /// The command, if the script may run it.
    fn admit(
        &mut self,
        known: Option<&'static Known>,
        args: &[Bytes],
    ) -> Result<&'static Known, Error> {
        let Some(known) = known else {
            *self.redis.server.unknown.entry(args[0].clone()).or_default() += 1;
            return Err(Error::Text("ERR Unknown Redis command called from script"));
        };
        let (spec, refused) = (known.spec, |text| Err(Error::Text(text)));
        if !spec.admits(args.len()) {
            return refused("ERR Wrong number of args calling Redis command from script");
        }
        if spec.is(flag::NOSCRIPT) {
            return refused("ERR This Redis command is not allowed from script");
        }
        let writes = spec.is(flag::WRITE);
        if self.read_only && (writes || MAY_REPLICATE.contains(&spec.name)) {
            return refused("ERR Write commands are not allowed from read-only scripts.");
        }
        // A script that has written is not stopped half-way.
        if writes && !self.wrote && self.redis.server.settings.lacks_replicas {
            return Err(alone::NO_REPLICAS);
        }
        if self.short_of_memory && !self.wrote && spec.is(flag::DENYOOM) {
            return Err(memory::OUT);
        }
        Ok(known)
    }

    /// Whether it has run for longer than `busy-reply-threshold` says, or for too long to make a
    /// library, by a clock.
    pub(super) fn is_overdue(&mut self, now_ms: Option<u64>) -> bool {
        let Some(now_ms) = now_ms else { return false };
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        let most = match self.library {
            Some(_) => Ok(LOADING_MS),
            None => u64::try_from(self.redis.server.settings.busy_reply_threshold),
        };
        most.is_ok_and(|most| most > 0 && now_ms.saturating_sub(since_ms) > most)
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
