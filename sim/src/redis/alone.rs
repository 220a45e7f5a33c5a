//! What a server says that has no cluster and no replicas.

use super::ClientId;
use super::args::{int, is};
use super::error::Error;
use super::server::{Answer, Call, Server};
use super::table::flag::{self, ADMIN, FAST, LOADING, NOSCRIPT, STALE};
use super::table::{Known, Spec};

const NONE: (i32, i32, i32) = (0, 0, 0);
const OPERATORS: u32 = ADMIN | STALE;

/// What a command that writes is told while `min-replicas-to-write` is set.
pub(super) const NO_REPLICAS: Error = Error::Text("NOREPLICAS Not enough good replicas to write.");

pub(super) const COMMANDS: &[Spec] = &[
    clustered("asking", 1, FAST),
    Spec::container("cluster", CLUSTER),
    Spec::new("failover", -1, ADMIN | NOSCRIPT | STALE, NONE, failover),
    clustered("readonly", 1, LOADING | STALE | FAST),
    clustered("readwrite", 1, LOADING | STALE | FAST),
];

const CLUSTER: &[Spec] = &[
    clustered("addslots", -3, OPERATORS),
    clustered("addslotsrange", -4, OPERATORS),
    clustered("bumpepoch", 2, OPERATORS),
    clustered("count-failure-reports", 3, OPERATORS),
    clustered("countkeysinslot", 3, STALE),
    clustered("delslots", -3, OPERATORS),
    clustered("delslotsrange", -4, OPERATORS),
    clustered("failover", -2, OPERATORS),
    clustered("flushslots", 2, OPERATORS),
    clustered("forget", 3, OPERATORS),
    clustered("getkeysinslot", 4, STALE),
    clustered("help", 2, LOADING | STALE),
    clustered("info", 2, STALE),
    clustered("keyslot", 3, STALE),
    clustered("links", 2, STALE),
    clustered("meet", -4, OPERATORS),
    clustered("myid", 2, STALE),
    clustered("nodes", 2, STALE),
    clustered("replicas", 3, OPERATORS),
    clustered("replicate", 3, OPERATORS),
    clustered("reset", -2, OPERATORS | NOSCRIPT),
    clustered("saveconfig", 2, OPERATORS),
    clustered("set-config-epoch", 3, OPERATORS),
    clustered("setslot", -4, OPERATORS),
    clustered("shards", 2, STALE),
    clustered("slaves", 3, OPERATORS),
    clustered("slots", 2, STALE),
];

/// A command that only a server of a cluster runs.
const fn clustered(name: &'static str, arity: i32, flags: u32) -> Spec {
    Spec::new(name, arity, flags, NONE, |_| {
        Err(Error::Text("ERR This instance has cluster support disabled"))
    })
}

/// FAILOVER: there is nobody to fail over to.
fn failover(call: &mut Call<'_>) -> Answer {
    let words = &call.args[1..];
    if let [word] = words
        && is(word, "abort")
    {
        return Err(Error::Text("ERR No failover in progress."));
    }
    let (mut timeout, mut host, mut force) = (false, false, false);
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Err(Error::Text("ERR FAILOVER requires connected replicas.")),
            [word, ms, rest @ ..] if is(word, "timeout") && !timeout => {
                timeout = int(ms)? > 0;
                if !timeout {
                    return Err(Error::Text("ERR FAILOVER timeout must be greater than 0"));
                }
                rest
            }
            [word, _, port, rest @ ..] if is(word, "to") && !host => {
                int(port)?;
                host = true;
                rest
            }
            [word, rest @ ..] if is(word, "force") && !force => {
                force = true;
                rest
            }
            _ => return Err(Error::Syntax),
        };
    }
}

impl Server {
    /// Refuses a command that writes, or a transaction with one, for want of replicas.
    pub(super) fn replicated(&mut self, client: ClientId, known: &Known) -> Result<(), Error> {
        let writes = |known: &Known| known.spec.is(flag::WRITE);
        let queued = self.session(client).queued.as_ref();
        let refused = match queued {
            Some(queued) if known.spec.name == "exec" => queued.any(writes),
            _ => writes(known),
        };
        if refused { Err(NO_REPLICAS) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bytes, Redis, Reply};
    use super::*;
    use crate::clock::Instant;

    fn error(redis: &mut Redis, words: &str) -> String {
        let args: Vec<Bytes> = words.split(' ').map(Bytes::from).collect();
        match redis.request(ClientId(0), &args, Instant::from_ms(1_000)) {
            Some(Reply::Error(error)) => error.to_string(),
            _ => String::new(),
        }
    }

    #[test]
    fn there_is_no_cluster_and_no_replica() {
        let mut redis = Redis::new();
        let disabled = "ERR This instance has cluster support disabled";
        for words in ["CLUSTER INFO", "CLUSTER HELP", "ASKING", "READONLY", "READWRITE"] {
            assert_eq!(error(&mut redis, words), disabled);
        }
        let unknown = "ERR unknown subcommand 'x'. Try CLUSTER HELP.";
        assert_eq!(error(&mut redis, "CLUSTER x"), unknown);
        let failovers = [
            ("FAILOVER", "ERR FAILOVER requires connected replicas."),
            ("FAILOVER abort", "ERR No failover in progress."),
            ("FAILOVER to a b", "ERR value is not an integer or out of range"),
            ("FAILOVER timeout 0", "ERR FAILOVER timeout must be greater than 0"),
            ("FAILOVER timeout 1 to a 1 force", "ERR FAILOVER requires connected replicas."),
            ("FAILOVER x", "ERR syntax error"),
        ];
        for (words, expected) in failovers {
            assert_eq!(error(&mut redis, words), expected);
        }
    }

    #[test]
    fn where_writing_needs_replicas_nothing_is_written() {
        let mut redis = Redis::new();
        error(&mut redis, "CONFIG SET min-replicas-to-write 1");
        assert_eq!(error(&mut redis, "SET a 1"), NO_REPLICAS.to_string());
        assert_eq!(error(&mut redis, "GET a"), "");
        for words in ["CONFIG SET min-replicas-to-write 0", "MULTI", "SET a 1"] {
            assert_eq!(error(&mut redis, words), "");
        }
        redis.configure("min-replicas-to-write", "1").expect("it is a number");
        let aborted = "EXECABORT Transaction discarded because of: NOREPLICAS Not enough good \
                       replicas to write.";
        assert_eq!(error(&mut redis, "EXEC"), aborted);
    }
}
