//! What a server holds, asked of both sides: every key with its type, deadline, encoding and value.

use std::collections::{BTreeSet, VecDeque};

use bootrace_sim::redis::Reply;
use bootrace_sim::redis::resp::decode;

use super::play::{Parting, Play, WITNESS, flat, request, whole};
use super::text::{shown, words};

/// Which databases are looked at.
pub(super) const DATABASES: [&str; 2] = ["0", "1"];

impl Play<'_> {
    /// Compares all keys: types, values, encodings, deadlines, groups.
    pub(super) fn compare_keyspaces(&mut self, at: usize) -> Result<(), Box<Parting>> {
        let mut queue = VecDeque::new();
        for database in DATABASES {
            let select = words(&["select", database]);
            if !self.bench.knows(&select) && database != "0" {
                continue;
            }
            if self.bench.knows(&select) {
                queue.push_back(select.clone());
                self.request(WITNESS, &select);
            }
            let keys = words(&["keys", "*"]);
            if !self.bench.knows(&keys) {
                continue;
            }
            let names = self.request(WITNESS, &keys).map_or(Vec::new(), |reply| flat(&reply));
            queue.push_back(keys);
            for name in names {
                self.look_at(&name, &mut queue);
            }
        }
        let mut bytes = Vec::new();
        queue.iter().for_each(|args| bytes.extend(request(args)));
        self.bench.real[WITNESS].send(&bytes);
        for args in queue {
            self.step(WITNESS, &args, at)?;
        }
        Ok(())
    }

    /// Compares what SCAN sees, a few keys at a time.
    pub(super) fn compare_walks(&mut self, at: usize) -> Result<(), Box<Parting>> {
        if !self.bench.knows(&words(&["scan"])) {
            return Ok(());
        }
        let mut seen = [BTreeSet::new(), BTreeSet::new()];
        for (side, seen) in seen.iter_mut().enumerate() {
            let mut cursor = b"0".to_vec();
            loop {
                let mut args = words(&["scan", "", "count", "3"]);
                args[1] = cursor;
                let reply = match side {
                    0 => self.request(WITNESS, &args),
                    _ => {
                        self.bench.real[WITNESS].send(&request(&args));
                        let reply = whole(&mut self.bench.real[WITNESS]);
                        reply.and_then(|reply| decode(&reply).ok()?.map(|(reply, _)| reply))
                    }
                };
                let mut found = reply.map_or(Vec::new(), |reply| flat(&reply)).into_iter();
                cursor = found.next().unwrap_or_else(|| b"0".to_vec());
                seen.extend(found);
                if cursor == b"0" {
                    break;
                }
            }
        }
        let [model, real] = seen;
        if model == real {
            return Ok(());
        }
        let shown = |seen: BTreeSet<Vec<u8>>| shown(WITNESS, &seen.into_iter().collect::<Vec<_>>());
        let what = "a walk with SCAN".to_owned();
        Err(Box::new(Parting { at, what, model: shown(model), real: shown(real) }))
    }

    /// Queues what shows a key of the database selected.
    fn look_at(&mut self, name: &[u8], queue: &mut VecDeque<Vec<Vec<u8>>>) {
        let of = |before: &[&str], after: &[&str]| {
            let mut args = words(before);
            args.push(name.to_vec());
            args.extend(words(after));
            args
        };
        let kind = match self.request(WITNESS, &of(&["type"], &[])) {
            Some(Reply::Status(kind)) => kind.as_bytes().to_vec(),
            Some(Reply::Simple(kind)) => kind.to_vec(),
            _ => Vec::new(),
        };
        let value = match kind.as_slice() {
            b"string" => of(&["get"], &[]),
            b"list" => of(&["lrange"], &["0", "-1"]),
            b"hash" => of(&["hgetall"], &[]),
            b"set" => of(&["smembers"], &[]),
            b"zset" => of(&["zrange"], &["0", "-1", "withscores"]),
            _ => of(&["xinfo", "stream"], &["full", "count", "0"]),
        };
        let all = [
            of(&["type"], &[]),
            of(&["pexpiretime"], &[]),
            of(&["object", "encoding"], &[]),
            value,
        ];
        queue.extend(all.into_iter().filter(|args| self.bench.knows(args)));
    }
}
