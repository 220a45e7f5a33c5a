//! Memory: what is taken to be used, what is refused when it is short, and what is evicted.
//!
//! Redis's own figure depends on its allocator, so this one is a rough guess. Redis looks at a few
//! keys and evicts the one among them that was used longest ago, or least often. When keys were
//! used is not kept here: under these policies, too, the key that goes is drawn at random.

use super::ClientId;
use super::bytes::Key;
use super::db::{Class, Db};
use super::error::Error;
use super::server::Server;
use super::table::{Known, flag};

/// What a server with nothing in it is taken to use, and what a key is.
const EMPTY: u64 = 1 << 20;
const A_KEY: u64 = 100;

/// What a command is told that there is no memory for.
pub(super) const OUT: Error =
    Error::Text("OOM command not allowed when used memory > 'maxmemory'.");

impl Server {
    /// A rough guess at the memory in use.
    pub(super) fn used_memory(&self) -> u64 {
        let keys: usize = self.dbs.iter().map(|db| db.entries.len()).sum();
        EMPTY + A_KEY * keys as u64
    }

    /// Whether `maxmemory` is exceeded.
    pub(super) fn out_of_memory(&self) -> bool {
        self.settings.maxmemory > 0 && self.used_memory() > self.settings.maxmemory
    }

    /// Whether there is the memory for a command, or for one more in a transaction, after what may
    /// go has gone.
    pub(super) fn afford(&mut self, client: ClientId, known: &Known) -> Result<(), Error> {
        self.evict();
        if !self.out_of_memory() {
            return Ok(());
        }
        let name = known.spec.name;
        let queued = self.session(client).queued.as_ref();
        let grows = |known: &Known| known.spec.is(flag::DENYOOM);
        let refused = match queued {
            None => grows(known),
            Some(queued) if name == "exec" => queued.any(grows),
            Some(_) => !["discard", "quit", "reset"].contains(&name),
        };
        if refused { Err(OUT) } else { Ok(()) }
    }

    /// Takes keys away, as `maxmemory-policy` says, while `maxmemory` is exceeded
    /// (evict.c `performEvictions`).
    pub(super) fn evict(&mut self) {
        if !self.out_of_memory() {
            return;
        }
        let policy = self.settings.policy();
        let volatile = policy.starts_with(b"volatile-");
        if !volatile && !policy.starts_with(b"allkeys-") {
            return;
        }
        while self.out_of_memory() {
            let chosen = match volatile {
                true if policy.ends_with(b"-ttl") => self.soonest(),
                true => self.drawn(
                    |db| db.entries.values().filter(|e| e.deadline.is_some()).count(),
                    |db, at| {
                        let mut volatile = db.entries.iter().filter(|(_, e)| e.deadline.is_some());
                        volatile.nth(at).map(|(key, _)| key)
                    },
                ),
                false => self.drawn(
                    |db| db.entries.len(),
                    |db, at| db.entries.get_index(at).map(|(key, _)| key),
                ),
            };
            let Some((number, key)) = chosen else { return };
            let db = &mut self.dbs[number];
            db.take(&key);
            db.notify(Class::Evicted, "evicted", &key);
            self.stats.evicted += 1;
        }
    }

    /// One of the keys that may go: `count` says how many of a database, `nth` which those are.
    fn drawn(
        &mut self,
        count: impl Fn(&Db) -> usize,
        nth: impl Fn(&Db, usize) -> Option<&Key>,
    ) -> Option<(usize, Key)> {
        let counts: Vec<usize> = self.dbs.iter().map(count).collect();
        let total = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let mut at = self.dbs[0].random(total);
        for (number, count) in counts.into_iter().enumerate() {
            if at < count {
                return nth(&self.dbs[number], at).map(|key| (number, key.clone()));
            }
            at -= count;
        }
        None
    }

    /// The key whose deadline comes first.
    fn soonest(&self) -> Option<(usize, Key)> {
        let keys = self.dbs.iter().enumerate().flat_map(|(number, db)| {
            let deadlines = db.entries.iter().filter_map(|(key, e)| Some((e.deadline?, key)));
            deadlines.map(move |(deadline, key)| (deadline, number, key))
        });
        keys.min().map(|(_, number, key)| (number, key.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bytes, Redis, Reply};
    use super::*;
    use crate::clock::Instant;

    fn run(redis: &mut Redis, words: &str) -> String {
        let args: Vec<Bytes> = words.split(' ').map(Bytes::from).collect();
        let reply = redis.request(ClientId(0), &args, Instant::from_ms(1_000));
        match reply.expect("it does not wait") {
            Reply::Status(text) => text.to_owned(),
            Reply::Int(number) => number.to_string(),
            Reply::Error(error) => error.to_string(),
            other => format!("{other:?}"),
        }
    }

    /// A server with a key `plain`, and `late` and `soon` that have deadlines.
    fn filled() -> Redis {
        let mut redis = Redis::new();
        for words in ["SET plain 1", "SET late 1 EX 100", "SET soon 1 EX 10"] {
            assert_eq!(run(&mut redis, words), "OK");
        }
        redis
    }

    #[test]
    fn what_may_go_goes_when_memory_is_short_and_the_rest_is_kept() {
        let left = [
            ("noeviction", ["1", "1", "1"]),
            ("volatile-random", ["1", "0", "0"]),
            ("volatile-lru", ["1", "0", "0"]),
            ("allkeys-lfu", ["0", "0", "0"]),
        ];
        for (policy, expected) in left {
            let mut redis = filled();
            run(&mut redis, &format!("CONFIG SET maxmemory-policy {policy} maxmemory 1"));
            let there =
                ["plain", "late", "soon"].map(|key| run(&mut redis, &format!("EXISTS {key}")));
            assert_eq!(there, expected, "{policy}");
            assert_eq!(run(&mut redis, "SET new 1"), OUT.to_string());
        }
    }

    #[test]
    fn the_one_with_the_least_time_to_live_goes_first_and_is_told_of() {
        let mut redis = filled();
        run(&mut redis, "CONFIG SET notify-keyspace-events Ee maxmemory-policy volatile-ttl");
        redis.request(ClientId(1), &["PSUBSCRIBE", "*"].map(Bytes::from), Instant::from_ms(1_000));
        redis.served().for_each(drop);
        let most = EMPTY + 2 * A_KEY;
        run(&mut redis, &format!("CONFIG SET maxmemory {most}"));
        let there = ["plain", "late", "soon"].map(|key| run(&mut redis, &format!("EXISTS {key}")));
        assert_eq!(there, ["1", "1", "0"]);
        let told: Vec<_> = redis.served().collect();
        let words = ["pmessage", "*", "__keyevent@0__:evicted", "soon"].map(Reply::from);
        assert_eq!(told, [(ClientId(1), Reply::Push(words.into()))]);
        assert_eq!(run(&mut redis, "SET new 1"), "OK", "it is checked before a command, not after");
        assert_eq!(run(&mut redis, "DBSIZE"), "2");
    }
}
