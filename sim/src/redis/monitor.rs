//! MONITOR: a client that is shown every command.

use std::fmt::Write as _;

use super::ClientId;
use super::bytes::Bytes;
use super::reply::Reply;
use super::server::{Answer, Call, Origin, Server};
use super::table::flag::{ADMIN, LOADING, NOSCRIPT, SKIP_MONITOR, STALE};
use super::table::{Known, Spec};

pub(super) const COMMANDS: &[Spec] =
    &[Spec::new("monitor", 1, ADMIN | NOSCRIPT | LOADING | STALE, (0, 0, 0), monitor)];

/// MONITOR.
fn monitor(call: &mut Call<'_>) -> Answer {
    let client = call.client;
    if !call.server.monitors.contains(&client) {
        call.server.monitors.push(client);
    }
    Ok(Reply::OK)
}

impl Server {
    /// Shows those who want it a command that ran (replication.c `replicationFeedMonitors`).
    pub(super) fn show(
        &mut self,
        known: &Known,
        client: ClientId,
        number: usize,
        args: &[Bytes],
        origin: Origin,
    ) {
        if !known.spec.is(SKIP_MONITOR | ADMIN) {
            self.show_words(client, number, args, origin);
        }
    }

    /// Shows the words of a command, whatever it is.
    pub(super) fn show_words(
        &mut self,
        client: ClientId,
        number: usize,
        args: &[Bytes],
        origin: Origin,
    ) {
        let micros = self.now.nanos() / 1000;
        let mut line = format!("{}.{:06} ", micros / 1_000_000, micros % 1_000_000);
        let from = match origin {
            Origin::Script => "lua".to_owned(),
            _ => self.session(client).peer.to_string(),
        };
        let _ = write!(line, "[{number} {from}]");
        let mut line = line.into_bytes();
        for word in args {
            line.push(b' ');
            quote(word, &mut line);
        }
        let line = Reply::Simple(Bytes::from(line));
        for monitor in &self.monitors {
            self.outbox.push((*monitor, line.clone()));
        }
    }
}

/// A word in quotes, as C writes it (sds.c `sdscatrepr`).
pub(super) fn quote(word: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in word {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(*byte),
            other => out.extend(format!("\\x{other:02x}").bytes()),
        }
    }
    out.push(b'"');
}
