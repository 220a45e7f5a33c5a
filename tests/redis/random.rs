//! Commands that answer with random members: what the real server chose is brought about in the
//! model, and the model's own choice is judged.

use bootrace_sim::redis::Reply;
use bootrace_sim::redis::resp::{decode, encode};

use super::judge;
use super::play::{Parting, Play, flat, whole};
use super::text::{shown, words};

impl Play<'_> {
    /// Of a set of which most was popped Redis makes the rest anew, and of its kind: so the model's
    /// is made anew, too, after its members were taken out one by one (SPOP_MOVE_STRATEGY_MUL).
    fn rest_anew(&mut self, client: usize, key: &[u8], popped: usize) {
        let of = |name: &str, after: &[&[u8]]| {
            let mut args = vec![name.as_bytes().to_vec(), key.to_vec()];
            args.extend(after.iter().map(|word| word.to_vec()));
            args
        };
        let Some(Reply::Int(rest)) = self.request(client, &of("scard", &[])) else { return };
        if rest == 0 || usize::try_from(rest).is_ok_and(|rest| rest * 5 > popped) {
            return;
        }
        let deadline = self.request(client, &of("pexpiretime", &[]));
        self.request(client, &of("sunionstore", &[key]));
        if let Some(Reply::Int(deadline @ 0..)) = deadline {
            self.request(client, &of("pexpireat", &[deadline.to_string().as_bytes()]));
        }
    }

    /// A command with a random reply: the real one is checked, and the model brought to the same
    /// state; the model's own is checked on a copy.
    pub(super) fn random(
        &mut self,
        client: usize,
        args: &[Vec<u8>],
        at: usize,
    ) -> Result<(), Box<Parting>> {
        let what = shown(client, args);
        let Some(real) = whole(&mut self.bench.real[client]) else {
            return Err(Box::new(Parting {
                at,
                what,
                model: "a reply".to_owned(),
                real: "(nothing)".to_owned(),
            }));
        };
        let (reply, _) = decode(&real).expect("a reply").expect("a whole one");
        let members = judge::members(&reply);
        let pops = args[0].eq_ignore_ascii_case(b"spop");
        let part = |model: String| {
            let real = real.escape_ascii().to_string();
            Err(Box::new(Parting { at, what: what.clone(), model, real }))
        };
        if pops && !members.is_empty() {
            let copy = words(&["copy", &String::from_utf8_lossy(&args[1]), "rig:copy", "replace"]);
            self.request(client, &copy);
            let mut on_copy = args.to_vec();
            on_copy[1] = b"rig:copy".to_vec();
            let own = self.request(client, &on_copy);
            self.request(client, &words(&["del", "rig:copy"]));
            if own.as_ref().map(|own| judge::members(own).len()) != Some(members.len()) {
                return part(format!("{own:?}"));
            }
            let mut remove = vec![b"srem".to_vec(), args[1].clone()];
            remove.extend(members.iter().map(|member| member.to_vec()));
            let removed = self.request(client, &remove);
            self.deliver(at)?;
            if removed != Some(Reply::int(members.len())) {
                return part(format!("{removed:?} of them are there"));
            }
            self.rest_anew(client, &args[1], members.len());
            return Ok(());
        }
        let own = self.request(client, args).expect("nobody waits for a random member");
        self.deliver(at)?;
        if members.is_empty() {
            let mut model = Vec::new();
            encode(&own, self.versions[client], &mut model);
            return if model == real { Ok(()) } else { part(model.escape_ascii().to_string()) };
        }
        let same_count = judge::members(&own).len() == members.len();
        let shape = std::mem::discriminant(&own) == std::mem::discriminant(&reply);
        let loose = matches!(own, Reply::Pairs(_) | Reply::Map(_));
        if !(loose || same_count && shape) || !self.are_there(client, args, &own, &reply) {
            return part(format!("{own:?}"));
        }
        Ok(())
    }

    /// Whether the members of both replies are members of the key.
    fn are_there(&mut self, client: usize, args: &[Vec<u8>], own: &Reply, real: &Reply) -> bool {
        let (all, size) = match args[0].to_ascii_lowercase().as_slice() {
            b"srandmember" => (words(&["smembers"]), 1),
            b"hrandfield" => (words(&["hgetall"]), 1 + usize::from(args.len() > 3)),
            b"zrandmember" => (words(&["zrange"]), 1 + usize::from(args.len() > 3)),
            _ => return true,
        };
        let mut all = all;
        all.push(args[1].clone());
        if all[0] == b"zrange" {
            all.extend(words(&["0", "-1", "withscores"]));
        }
        let Some(all) = self.request(client, &all) else { return false };
        let there = flat(&all);
        let in_there =
            |reply: &Reply| flat(reply).chunks(size).all(|some| there.contains(&some[0]));
        in_there(own) && in_there(real)
    }
}
