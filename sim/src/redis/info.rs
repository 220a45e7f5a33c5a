//! INFO: what clients and people read about the server.
//!
//! The fields are Redis's. Those about what is not modelled (memory, files, replicas) say what a
//! server says that has done nothing of the kind; no command takes time.

use std::fmt::Write as _;

use super::args::is;
use super::bytes::Bytes;
use super::connection::VERSION;
use super::reply::Reply;
use super::server::{Answer, Call, Server};
use super::table::flag::{LOADING, STALE};
use super::table::{self, Spec};

pub(super) const COMMANDS: &[Spec] = &[Spec::new("info", -1, LOADING | STALE, (0, 0, 0), info)];

/// A section: its name, whether it is shown unasked, and what writes it.
struct Section {
    name: &'static str,
    unasked: bool,
    write: fn(&Server, &mut String),
}

/// The title of a section in the text is its name with a capital.
const SECTIONS: [Section; 12] = [
    Section { name: "Server", unasked: true, write: server },
    Section { name: "Clients", unasked: true, write: clients },
    Section { name: "Memory", unasked: true, write: memory },
    Section { name: "Persistence", unasked: true, write: persistence },
    Section { name: "Stats", unasked: true, write: stats },
    Section { name: "Replication", unasked: true, write: replication },
    Section { name: "CPU", unasked: true, write: cpu },
    Section { name: "Modules", unasked: true, write: |_, _| {} },
    Section { name: "Commandstats", unasked: false, write: commandstats },
    Section { name: "Errorstats", unasked: true, write: errorstats },
    Section { name: "Cluster", unasked: true, write: cluster },
    Section { name: "Keyspace", unasked: true, write: keyspace },
];

/// INFO.
fn info(call: &mut Call<'_>) -> Answer {
    let asked = &call.args[1..];
    let all = asked.iter().any(|name| is(name, "all") || is(name, "everything"));
    let unasked = asked.is_empty() || asked.iter().any(|name| is(name, "default"));
    let mut text = String::new();
    for section in SECTIONS {
        let named = asked.iter().any(|name| is(name, section.name));
        if all || named || (unasked && section.unasked) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text += &format!("# {}\r\n", section.name);
            (section.write)(call.server, &mut text);
        }
    }
    Ok(Reply::Verbatim("txt", Bytes::from(text)))
}

/// Lines of a name and a value each.
fn lines(text: &mut String, fields: &[(&str, &dyn std::fmt::Display)]) {
    for (name, value) in fields {
        let _ = write!(text, "{name}:{value}\r\n");
    }
}

fn server(server: &Server, text: &mut String) {
    let now = server.now;
    let up = now.since(server.host.since).nanos() / 1_000_000_000;
    lines(
        text,
        &[
            ("redis_version", &VERSION),
            ("redis_git_sha1", &"00000000"),
            ("redis_git_dirty", &0),
            ("redis_build_id", &"0"),
            ("redis_mode", &"standalone"),
            ("os", &"bootrace"),
            ("arch_bits", &64),
            ("process_id", &server.host.process),
            ("process_supervised", &"no"),
            ("run_id", &server.run_id()),
            ("tcp_port", &server.host.port),
            ("server_time_usec", &(now.nanos() / 1000)),
            ("uptime_in_seconds", &up),
            ("uptime_in_days", &(up / 86_400)),
            ("hz", &10),
            ("configured_hz", &10),
            ("lru_clock", &(now.ms() / 1000 % (1 << 24))),
            ("executable", &""),
            ("config_file", &""),
            ("io_threads_active", &0),
            ("bootrace_time", &server.host.time),
        ],
    );
}

fn clients(server: &Server, text: &mut String) {
    let (blocked, timed) = server.blocked.counts();
    lines(
        text,
        &[
            ("connected_clients", &server.sessions().count()),
            ("cluster_connections", &0),
            ("maxclients", &server.settings.maxclients),
            ("client_recent_max_input_buffer", &0),
            ("client_recent_max_output_buffer", &0),
            ("blocked_clients", &(blocked + server.pause.len())),
            ("tracking_clients", &0),
            ("clients_in_timeout_table", &timed),
        ],
    );
}

fn memory(server: &Server, text: &mut String) {
    let used = server.used_memory();
    lines(
        text,
        &[
            ("used_memory", &used),
            ("used_memory_human", &human(used)),
            ("used_memory_rss", &used),
            ("used_memory_rss_human", &human(used)),
            ("used_memory_peak", &used),
            ("used_memory_peak_human", &human(used)),
            ("used_memory_peak_perc", &"100.00%"),
            ("used_memory_overhead", &0),
            ("used_memory_startup", &0),
            ("used_memory_dataset", &used),
            ("used_memory_dataset_perc", &"100.00%"),
            ("total_system_memory", &0),
            ("total_system_memory_human", &"0B"),
            ("used_memory_lua", &0),
            ("used_memory_vm_eval", &0),
            ("used_memory_lua_human", &"0B"),
            ("used_memory_scripts_eval", &0),
            ("number_of_cached_scripts", &server.scripts.cached),
            ("number_of_functions", &server.scripts.functions),
            ("number_of_libraries", &server.scripts.libraries),
            ("used_memory_vm_functions", &0),
            ("used_memory_vm_total", &0),
            ("used_memory_vm_total_human", &"0B"),
            ("used_memory_functions", &0),
            ("used_memory_scripts", &0),
            ("used_memory_scripts_human", &"0B"),
            ("maxmemory", &server.settings.maxmemory),
            ("maxmemory_human", &human(server.settings.maxmemory)),
            ("maxmemory_policy", &server.settings.policy()),
            ("mem_fragmentation_ratio", &"1.00"),
            ("mem_allocator", &"rust"),
            ("active_defrag_running", &0),
            ("lazyfree_pending_objects", &0),
            ("lazyfreed_objects", &0),
        ],
    );
}

/// A number of bytes as people read it (util.c `bytesToHuman`).
fn human(bytes: u64) -> String {
    let part = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..0x10_0000 => format!("{:.2}K", part(1 << 10)),
        0x10_0000..0x4000_0000 => format!("{:.2}M", part(1 << 20)),
        _ => format!("{:.2}G", part(1 << 30)),
    }
}

fn persistence(server: &Server, text: &mut String) {
    lines(
        text,
        &[
            ("loading", &0),
            ("async_loading", &0),
            ("rdb_changes_since_last_save", &server.dirty()),
            ("rdb_bgsave_in_progress", &0),
            ("rdb_last_save_time", &(server.host.since.ms() / 1000)),
            ("rdb_last_bgsave_status", &"ok"),
            ("rdb_last_bgsave_time_sec", &-1),
            ("rdb_current_bgsave_time_sec", &-1),
            ("rdb_saves", &0),
            ("aof_enabled", &0),
            ("aof_rewrite_in_progress", &0),
            ("aof_rewrite_scheduled", &0),
            ("aof_last_rewrite_time_sec", &-1),
            ("aof_current_rewrite_time_sec", &-1),
            ("aof_last_bgrewrite_status", &"ok"),
            ("aof_last_write_status", &"ok"),
        ],
    );
}

fn stats(server: &Server, text: &mut String) {
    let stats = &server.stats;
    let errors: u64 = stats.errors.values().sum();
    let (channels, patterns, shards) = server.subscribers.counts();
    lines(
        text,
        &[
            ("total_connections_received", &stats.connections),
            ("total_commands_processed", &stats.commands),
            ("instantaneous_ops_per_sec", &0),
            ("total_net_input_bytes", &0),
            ("total_net_output_bytes", &0),
            ("instantaneous_input_kbps", &"0.00"),
            ("instantaneous_output_kbps", &"0.00"),
            ("rejected_connections", &0),
            ("sync_full", &0),
            ("sync_partial_ok", &0),
            ("sync_partial_err", &0),
            ("expired_keys", &server.expired()),
            ("expired_stale_perc", &"0.00"),
            ("expired_time_cap_reached_count", &0),
            ("evicted_keys", &stats.evicted),
            ("evicted_clients", &0),
            ("keyspace_hits", &0),
            ("keyspace_misses", &0),
            ("pubsub_channels", &channels),
            ("pubsub_patterns", &patterns),
            ("pubsubshard_channels", &shards),
            ("latest_fork_usec", &0),
            ("total_forks", &0),
            ("tracking_total_keys", &0),
            ("tracking_total_items", &0),
            ("tracking_total_prefixes", &0),
            ("unexpected_error_replies", &0),
            ("total_error_replies", &errors),
        ],
    );
}

fn replication(server: &Server, text: &mut String) {
    lines(
        text,
        &[
            ("role", &"master"),
            ("connected_slaves", &0),
            ("master_failover_state", &"no-failover"),
            ("master_replid", &server.run_id()),
            ("master_replid2", &"0".repeat(40)),
            ("master_repl_offset", &0),
            ("second_repl_offset", &-1),
            ("repl_backlog_active", &0),
            ("repl_backlog_size", &1_048_576),
            ("repl_backlog_first_byte_offset", &0),
            ("repl_backlog_histlen", &0),
        ],
    );
}

fn cpu(_: &Server, text: &mut String) {
    for who in ["sys", "user", "sys_children", "user_children"] {
        let _ = write!(text, "used_cpu_{who}:0.000000\r\n");
    }
}

fn commandstats(server: &Server, text: &mut String) {
    for (known, calls) in table::all().iter().zip(&server.stats.calls) {
        if calls.calls + calls.rejected + calls.failed > 0 {
            let _ = write!(
                text,
                "cmdstat_{}:calls={},usec=0,usec_per_call=0.00,rejected_calls={},failed_calls={}\r\n",
                known.name, calls.calls, calls.rejected, calls.failed
            );
        }
    }
}

fn errorstats(server: &Server, text: &mut String) {
    for (prefix, count) in &server.stats.errors {
        let _ = write!(text, "errorstat_{prefix}:count={count}\r\n");
    }
}

fn cluster(_: &Server, text: &mut String) {
    text.push_str("cluster_enabled:0\r\n");
}

fn keyspace(server: &Server, text: &mut String) {
    for (number, db) in server.dbs.iter().enumerate() {
        let keys = db.entries.len();
        if keys > 0 {
            let expires = db.entries.values().filter(|entry| entry.deadline.is_some()).count();
            let _ = write!(text, "db{number}:keys={keys},expires={expires},avg_ttl=0\r\n");
        }
    }
}

impl Server {
    /// The number of changes.
    fn dirty(&self) -> u64 {
        self.dbs.iter().map(|db| db.dirty).sum()
    }

    /// How many keys have been removed because their deadline had passed.
    fn expired(&self) -> u64 {
        self.dbs.iter().map(|db| db.expired).sum()
    }

    /// Forty letters that another server does not have.
    fn run_id(&self) -> String {
        let since = self.host.since.nanos().unsigned_abs();
        format!("{:08x}{since:016x}{:016x}", self.host.process, !since)
    }

    /// Begins counting anew.
    pub(super) fn reset_stats(&mut self) {
        self.stats = super::stats::Stats::default();
        for db in &mut self.dbs {
            db.expired = 0;
        }
    }
}
