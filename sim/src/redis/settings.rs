//! The settings: what CONFIG GET and CONFIG SET know, and those that matter to this model.
//!
//! All of Redis's are there and keep what they are given, after its checks; most change nothing
//! here, since what they are about (files, replicas, clusters, memory) is not modelled.

mod rows;
mod value;

use std::collections::BTreeMap;

use super::args::is;
use super::bytes::{Bytes, parse_int};
use super::error::Error;
use super::glob;
use super::help;
use super::reply::Reply;
use super::server::{Answer, Call, Server};
use super::table::Spec;
use super::table::flag::{ADMIN, LOADING, NOSCRIPT, STALE};

/// Who may change a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// Everyone.
    Open,
    /// Everyone who knows its name.
    Hidden,
    /// Everyone, since `enable-protected-configs` is on.
    Protected,
    /// Nobody while the server runs.
    Fixed,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// `yes` or `no`.
    Bool,
    /// An integer in a range.
    Int(i64, i64),
    /// A number of bytes in a range, with units.
    Memory(i64, i64),
    /// The same, or a percentage.
    Percent,
    /// A file's mode.
    Octal,
    /// One of some words.
    Word(&'static [&'static str]),
    /// Several of some words.
    Words(&'static [&'static str]),
    /// Anything.
    Text,
    /// Pairs of seconds and changes.
    Save,
    /// Limits of output buffers, by kind of client.
    Buffers,
    /// Three numbers.
    Oom,
    /// Classes of events of the keyspace.
    Events,
    /// Numbers from 0 to 100.
    Percentiles,
}

/// A setting.
struct Row {
    name: &'static str,
    /// Its older name, or nothing.
    alias: &'static str,
    access: Access,
    kind: Kind,
    /// What it is at first.
    value: &'static str,
}

/// What the settings are, and those that the model reads.
#[derive(Debug)]
pub(super) struct Settings {
    /// Those that are not what they are at first.
    values: BTreeMap<&'static str, Bytes>,
    /// `requirepass`; empty: none.
    pub(super) password: Bytes,
    pub(super) maxclients: usize,
    pub(super) maxmemory: u64,
    /// Writing needs replicas (`min-replicas-to-write`), and there are none.
    pub(super) lacks_replicas: bool,
    pub(super) proto_max_bulk_len: i64,
    /// Milliseconds after which others learn that a script runs (`lua-time-limit`).
    pub(super) busy_reply_threshold: i64,
    /// Seconds after which an idle client is disconnected; 0: never.
    pub(super) timeout: i64,
    /// How many bytes a client may send ahead.
    pub(super) query_buffer: usize,
    /// How many bytes may wait to be sent to a client, and to a subscriber; 0: any number.
    pub(super) output_buffers: (usize, usize),
    pub(super) protected: bool,
    /// The letters of `notify-keyspace-events` ([`events`]).
    pub(super) events: u16,
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Settings {
            values: BTreeMap::new(),
            password: Bytes::new(),
            maxclients: 0,
            maxmemory: 0,
            lacks_replicas: false,
            proto_max_bulk_len: 0,
            busy_reply_threshold: 0,
            timeout: 0,
            query_buffer: 0,
            output_buffers: (0, 0),
            protected: true,
            events: 0,
        };
        settings.read();
        settings
    }
}

/// The letters of `notify-keyspace-events` and their bits: the first eleven are [`Class`]'s.
///
/// [`Class`]: super::db::Class
pub(super) mod events {
    /// In the order in which they are shown.
    pub(in super::super) const LETTERS: [(u8, u16); 14] = [
        (b'g', 1 << 0),
        (b'$', 1 << 1),
        (b'l', 1 << 2),
        (b's', 1 << 3),
        (b'h', 1 << 4),
        (b'z', 1 << 5),
        (b'x', 1 << 7),
        (b'e', 1 << 10),
        (b't', 1 << 6),
        (b'd', 1 << 11),
        (b'n', 1 << 8),
        (b'K', KEYSPACE),
        (b'E', KEYEVENT),
        (b'm', 1 << 9),
    ];
    /// Those of Redis itself.
    pub(in super::super) const CLASSES: u16 = (1 << 11) - 1;
    /// What the letter `A` stands for: all but `n`, `K`, `E` and `m`.
    pub(in super::super) const ALL: u16 = 0b1100_1111_1111;
    /// Events are published by key.
    pub(in super::super) const KEYSPACE: u16 = 1 << 12;
    /// Events are published by what happened.
    pub(in super::super) const KEYEVENT: u16 = 1 << 13;
}

fn find(name: &[u8]) -> Option<&'static Row> {
    let named = |row: &&Row| is(name, row.name) || (!row.alias.is_empty() && is(name, row.alias));
    rows::ROWS.iter().find(named)
}

impl Settings {
    fn get(&self, row: &'static Row) -> Bytes {
        self.values.get(row.name).cloned().unwrap_or_else(|| Bytes::from(row.value))
    }

    /// A setting that is there, as text.
    fn of(&self, name: &str) -> Bytes {
        self.get(find(name.as_bytes()).expect("it is in the table"))
    }

    fn number(&self, name: &str) -> i64 {
        parse_int(&self.of(name)).expect("it was checked to be a number")
    }

    fn size(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    /// Reads what matters to the model out of the values.
    fn read(&mut self) {
        self.password = self.of("requirepass");
        self.maxclients = self.size("maxclients");
        self.maxmemory = u64::try_from(self.number("maxmemory")).unwrap_or(u64::MAX);
        self.lacks_replicas =
            self.number("min-replicas-to-write") > 0 && self.number("min-replicas-max-lag") > 0;
        self.proto_max_bulk_len = self.number("proto-max-bulk-len");
        self.busy_reply_threshold = self.number("busy-reply-threshold");
        self.timeout = self.number("timeout");
        self.query_buffer = self.size("client-query-buffer-limit");
        self.output_buffers = value::hard_limits(&self.of("client-output-buffer-limit"));
        self.protected = self.of("protected-mode") == *"yes";
        self.events = value::events(&self.of("notify-keyspace-events")).unwrap_or_default();
    }

    /// What goes where memory is short.
    pub(super) fn policy(&self) -> Bytes {
        self.of("maxmemory-policy")
    }
}

impl Server {
    /// Sets a setting, whoever may.
    pub(super) fn configure(&mut self, name: &str, text: &str) -> Result<(), String> {
        let row = find(name.as_bytes()).ok_or_else(|| format!("there is no setting {name}"))?;
        let before = self.settings.get(row);
        let set = value::check(row.kind, text.as_bytes(), &before)?;
        self.settings.values.insert(row.name, set);
        self.apply_settings();
        Ok(())
    }

    /// Tells the databases what concerns them.
    fn apply_settings(&mut self) {
        self.settings.read();
        let settings = &self.settings;
        let mut limits = self.dbs[0].limits;
        limits.hash_max_listpack_entries = settings.size("hash-max-listpack-entries");
        limits.hash_max_listpack_value = settings.size("hash-max-listpack-value");
        limits.set_max_intset_entries = settings.size("set-max-intset-entries");
        limits.zset_max_listpack_entries = settings.size("zset-max-listpack-entries");
        limits.zset_max_listpack_value = settings.size("zset-max-listpack-value");
        limits.stream_node_max_entries = settings.size("stream-node-max-entries");
        limits.stream_node_max_bytes = settings.size("stream-node-max-bytes");
        limits.proto_max_bulk_len = settings.size("proto-max-bulk-len");
        let told = settings.events & (events::KEYSPACE | events::KEYEVENT) != 0;
        let wanted = if told { settings.events & events::CLASSES } else { 0 };
        for db in &mut self.dbs {
            db.limits = limits;
            db.wanted = wanted;
        }
    }
}

const COMMON: u32 = ADMIN | NOSCRIPT | LOADING | STALE;
const NONE: (i32, i32, i32) = (0, 0, 0);

pub(super) const COMMANDS: &[Spec] = &[Spec::container(
    "config",
    &[
        Spec::new("get", -3, COMMON, NONE, config_get),
        Spec::new("help", 2, LOADING | STALE, NONE, config_help),
        Spec::new("resetstat", 2, COMMON, NONE, config_resetstat),
        Spec::new("rewrite", 2, COMMON, NONE, config_rewrite),
        Spec::new("set", -4, COMMON, NONE, config_set),
    ],
)];

/// CONFIG GET.
fn config_get(call: &mut Call<'_>) -> Answer {
    let settings = &call.server.settings;
    let mut found = BTreeMap::new();
    for pattern in &call.args[2..] {
        let exact = !pattern.iter().any(|byte| matches!(byte, b'[' | b'*' | b'?'));
        for row in rows::ROWS {
            for name in [row.name, row.alias].into_iter().filter(|name| !name.is_empty()) {
                let named = match exact {
                    true => is(pattern, name),
                    false => {
                        row.access != Access::Hidden
                            && glob::matches(pattern, name.as_bytes(), true)
                    }
                };
                if named {
                    // What is named whole is answered as it was named.
                    let shown = if exact { pattern.clone() } else { Bytes::from(name) };
                    found.entry(name).or_insert((shown, settings.get(row)));
                }
            }
        }
    }
    let pairs = found.into_values().map(|(name, value)| (Reply::Bulk(name), Reply::Bulk(value)));
    Ok(Reply::Map(pairs.collect()))
}

/// CONFIG SET: all of them, or none.
fn config_set(call: &mut Call<'_>) -> Answer {
    let (pairs, []) = call.args[2..].as_chunks::<2>() else { return Err(Error::Syntax) };
    let failed = |name: &[u8], why: &str| {
        let why = if why.is_empty() { String::new() } else { format!(" - {why}") };
        help::quoting(
            "ERR CONFIG SET failed (possibly related to argument '",
            name,
            &format!("'){why}"),
        )
    };
    let mut rows: Vec<&'static Row> = Vec::new();
    for [name, _] in pairs {
        let unknown = "ERR Unknown option or number of arguments for CONFIG SET - '";
        let row = find(name).ok_or_else(|| help::quoting(unknown, name, "'"))?;
        if row.access == Access::Fixed {
            return Err(failed(name, "can't set immutable config"));
        }
        if rows.iter().any(|other| other.name == row.name) {
            return Err(failed(name, "duplicate parameter"));
        }
        rows.push(row);
    }
    let mut set = Vec::new();
    for (row, [_, text]) in rows.iter().zip(pairs) {
        let before = call.server.settings.get(row);
        let value = value::check(row.kind, text, &before);
        set.push(value.map_err(|why| failed(row.name.as_bytes(), &why))?);
    }
    for (row, value) in rows.iter().zip(set) {
        call.server.settings.values.insert(row.name, value);
    }
    call.server.apply_settings();
    call.server.evict();
    Ok(Reply::OK)
}

/// CONFIG RESETSTAT.
fn config_resetstat(call: &mut Call<'_>) -> Answer {
    call.server.reset_stats();
    Ok(Reply::OK)
}

/// CONFIG REWRITE: there is no file.
fn config_rewrite(_: &mut Call<'_>) -> Answer {
    Err(Error::Text("ERR The server is running without a config file"))
}

/// CONFIG HELP.
fn config_help(_: &mut Call<'_>) -> Answer {
    Ok(help::help(
        "CONFIG",
        &[
            (
                "GET <pattern>",
                &["Return parameters matching the glob-like <pattern> and their values."],
            ),
            ("SET <directive> <value>", &["Set the configuration <directive> to <value>."]),
            ("RESETSTAT", &["Reset statistics reported by the INFO command."]),
            ("REWRITE", &["Rewrite the configuration file."]),
        ],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_what_it_may_be() {
        for row in rows::ROWS {
            let value = Bytes::from(row.value);
            assert_eq!(value::check(row.kind, &value, &value), Ok(value.clone()), "{}", row.name);
        }
    }

    #[test]
    fn values_are_read_as_redis_reads_them() {
        let row = |name: &str| find(name.as_bytes()).expect("it is there");
        let check = |name: &str, text: &str| {
            let row = row(name);
            value::check(row.kind, text.as_bytes(), &Bytes::from(row.value))
        };
        let told = |value: Result<Bytes, String>| value.map(|value| value.to_string());
        assert_eq!(told(check("maxmemory", "10MB")), Ok("10485760".into()));
        assert_eq!(told(check("notify-keyspace-events", "KEA")), Ok("AKE".into()));
        assert_eq!(told(check("notify-keyspace-events", "xlg")), Ok("glx".into()));
        let wrong = "argument must be between 1 and 10 inclusive";
        assert_eq!(told(check("active-expire-effort", "11")), Err(wrong.into()));
        let wrong = "argument must be 'yes' or 'no'";
        assert_eq!(told(check("activedefrag", "maybe")), Err(wrong.into()));
        assert_eq!(told(check("save", "10 1 20 2")), Ok("10 1 20 2".into()));
        let buffers = "normal 1 2 3 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(told(check("client-output-buffer-limit", "normal 1 2 3")), Ok(buffers.into()));
    }
}
