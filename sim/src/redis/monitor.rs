//! MONITOR: a client that is shown every command.

use std::fmt::Write as _;
use std::ops::Range;

use super::ClientId;
use super::args::is;
use super::bytes::Bytes;
use super::reply::Reply;
use super::server::{Answer, Call, Origin, Server};
use super::table::flag::{ADMIN, LOADING, NOSCRIPT, STALE};
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
    /// Shows those who want it a command that ran, or a script that will
    /// (replication.c `replicationFeedMonitors`).
    ///
    /// The database is the one that is selected now: SELECT is shown with what it selected.
    pub(super) fn show(&mut self, known: &Known, client: ClientId, args: &[Bytes], origin: Origin) {
        if known.spec.is(ADMIN) {
            return;
        }
        let number = self.session(client).db;
        let micros = self.now.nanos() / 1000;
        let mut line = format!("{}.{:06} ", micros / 1_000_000, micros % 1_000_000);
        let from = match origin {
            Origin::Script => "lua".to_owned(),
            _ => self.session(client).peer.to_string(),
        };
        let _ = write!(line, "[{number} {from}]");
        let mut line = line.into_bytes();
        let secret = secrets(known.spec.name, args);
        for (at, word) in args.iter().enumerate() {
            line.push(b' ');
            quote(if secret.contains(&at) { b"(redacted)" } else { word }, &mut line);
        }
        let line = Reply::Simple(Bytes::from(line));
        for monitor in &self.monitors {
            self.outbox.push((*monitor, line.clone()));
        }
    }
}

/// The places of the words that nobody is shown: who logs on, and with what
/// (`redactClientCommandArgument`). A command that is refused before it has read them shows them.
/// Of a HELLO that logs on more than once it is the first time alone.
fn secrets(command: &str, args: &[Bytes]) -> Range<usize> {
    match command {
        "auth" if args.len() <= 3 => 1..args.len(),
        "hello" if matches!(args.get(1).and_then(|version| version.to_int()), Some(2 | 3)) => {
            let mut at = 2;
            while args.get(at).is_some_and(|option| is(option, "setname")) {
                at += 2;
            }
            let logs_on = args.get(at).is_some_and(|option| is(option, "auth"));
            if logs_on && args.len() > at + 2 { at + 1..at + 3 } else { 0..0 }
        }
        _ => 0..0,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::redis::Redis;

    /// What a client that monitors is shown of commands: all after the time.
    fn shown(commands: &[&[&str]]) -> Vec<String> {
        let mut redis = Redis::new();
        let now = Instant::from_ms(1_000);
        redis.request(ClientId(1), &["monitor".into()], now);
        for words in commands {
            let words: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
            redis.request(ClientId(2), &words, now);
        }
        let lines = redis.served().map(|(client, line)| {
            assert_eq!(client, ClientId(1));
            let Reply::Simple(line) = line else { panic!("{line:?} is no line") };
            let line = String::from_utf8_lossy(&line).into_owned();
            let (_, line) = line.split_once(' ').expect("a time");
            let (place, words) = line.split_once("] ").expect("a place");
            let (db, from) = place.split_once(' ').expect("a database and an address");
            format!("{db} {}{words}]", if from == "lua" { "lua " } else { "" })
        });
        lines.collect()
    }

    #[cfg(feature = "lua")]
    #[test]
    fn a_script_is_shown_before_its_commands_even_if_it_fails() {
        let script = "redis.call('select', '5') redis.call('get', 'a')";
        let lines = shown(&[&["eval", script, "0"], &["evalsha", "x", "0"], &["ping"]]);
        let expected = [
            format!(r#"[0 "eval" "{script}" "0"]"#),
            r#"[5 lua "select" "5"]"#.into(),
            r#"[5 lua "get" "a"]"#.into(),
            r#"[0 "evalsha" "x" "0"]"#.into(),
            r#"[0 "ping"]"#.into(),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn select_is_shown_with_the_database_that_it_selects() {
        let lines = shown(&[&["select", "3"], &["select", "99"], &["reset"]]);
        assert_eq!(lines, [r#"[3 "select" "3"]"#, r#"[3 "select" "99"]"#, r#"[0 "reset"]"#]);
    }

    #[test]
    fn who_logs_on_and_with_what_is_not_shown() {
        let lines = shown(&[
            &["auth", "a"],
            &["auth", "a", "b"],
            &["auth", "a", "b", "c"],
            &["hello", "2", "setname", "x", "AUTH", "a", "b"],
            &["hello", "9", "auth", "a", "b"],
            &["hello", "2", "auth", "a"],
        ]);
        let expected = [
            r#"[0 "auth" "(redacted)"]"#,
            r#"[0 "auth" "(redacted)" "(redacted)"]"#,
            r#"[0 "auth" "a" "b" "c"]"#,
            r#"[0 "hello" "2" "setname" "x" "AUTH" "(redacted)" "(redacted)"]"#,
            r#"[0 "hello" "9" "auth" "a" "b"]"#,
            r#"[0 "hello" "2" "auth" "a"]"#,
        ];
        assert_eq!(lines, expected);
    }
}
