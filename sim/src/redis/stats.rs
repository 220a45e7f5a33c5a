//! What the server counts for INFO: commands, errors, connections.
//!
//! No command takes time here, so times are nought.

use std::collections::BTreeMap;

use super::ClientId;
use super::bytes::Bytes;
use super::error::Error;
use super::server::Server;
use super::table;

/// How often a command was called.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) calls: u64,
    /// Refused before it ran.
    pub(super) rejected: u64,
    /// Answered with an error.
    pub(super) failed: u64,
}

/// The counters since the start, or since CONFIG RESETSTAT.
#[derive(Debug, Default)]
pub(super) struct Stats {
    /// By the command's place in the table.
    pub(super) calls: Vec<Calls>,
    /// By the first word of the error.
    pub(super) errors: BTreeMap<Bytes, u64>,
    pub(super) commands: u64,
    pub(super) connections: u64,
    /// Keys that went because there was no memory for them.
    pub(super) evicted: u64,
}

/// How far the first word of an error may reach, and how many there may be.
const PREFIX: usize = 32;

impl Stats {
    /// The counters of a command.
    #[inline]
    pub(super) fn of(&mut self, index: usize) -> &mut Calls {
        if index >= self.calls.len() {
            self.calls.resize(index + 1, Calls::default());
        }
        &mut self.calls[index]
    }

    /// Counts an error that was answered.
    pub(super) fn error(&mut self, error: &Error) {
        let line = error.bytes();
        let head = &line[..line.len().min(PREFIX)];
        let prefix = match head.iter().position(|byte| *byte == b' ') {
            Some(end) => &head[..end],
            None => b"ERR",
        };
        match self.errors.get_mut(prefix) {
            Some(count) => *count += 1,
            None => {
                self.errors.insert(Bytes::from(prefix), 1);
            }
        }
    }
}

impl Server {
    /// Counts an error that a client which waited is answered with: its command, counted when it
    /// began to wait, has failed (blocked.c, `updateStatsOnUnblock`).
    pub(super) fn count_failed_wait(&mut self, client: ClientId, error: &Error) {
        self.stats.error(error);
        let waits_in = self.known(client).and_then(|session| session.last);
        if let Some(known) = waits_in.and_then(|name| table::find(name.as_bytes())) {
            self.stats.of(known.index).failed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Redis, Reply};
    use super::*;
    use crate::clock::Instant;

    fn run(redis: &mut Redis, client: u32, words: &str) -> Option<Reply> {
        let args: Vec<Bytes> = words.split(' ').map(Bytes::from).collect();
        redis.request(ClientId(client), &args, Instant::from_ms(0))
    }

    #[test]
    fn a_wait_that_ends_with_an_error_is_a_failed_call() {
        let ends = [
            ("XGROUP DESTROY s g", "NOGROUP"),
            ("SWAPDB 0 1", "UNBLOCKED"),
            ("FLUSHALL", "UNBLOCKED"),
            ("DEL s", "UNBLOCKED"),
        ];
        for (end, prefix) in ends {
            let mut redis = Redis::new();
            run(&mut redis, 0, "XGROUP CREATE s g $ MKSTREAM");
            assert_eq!(run(&mut redis, 1, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >"), None);
            run(&mut redis, 0, end);
            assert_eq!(redis.served().count(), 1, "{end}");
            let told = |redis: &mut Redis, section: &str| match run(
                redis,
                0,
                &format!("INFO {section}"),
            ) {
                Some(Reply::Verbatim(_, text)) => String::from_utf8_lossy(&text).into_owned(),
                other => panic!("{other:?}"),
            };
            let stats = told(&mut redis, "commandstats");
            let line = stats.lines().find(|line| line.starts_with("cmdstat_xreadgroup:"));
            assert!(line.is_some_and(|line| line.ends_with("failed_calls=1")), "{stats}");
            let errors = told(&mut redis, "errorstats");
            assert_eq!(errors, format!("# Errorstats\r\nerrorstat_{prefix}:count=1\r\n"), "{end}");
        }
    }
}
