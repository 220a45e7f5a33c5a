//! The model and the real server, given the same at the same instant.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use bootrace_sim::clock::Instant;
use bootrace_sim::redis::resp::{decode, encode};
use bootrace_sim::redis::{Bytes, ClientId, Redis, Reply};
use libtest_mimic::Failed;

use crate::like::Rule;
use crate::redis::{Connection, Server};

/// The client that the pair itself is.
pub(crate) const CONTROL: u32 = 0;

/// What came of a command.
pub(crate) enum Outcome {
    /// Bytes for the client, from the real server.
    Reply(Vec<u8>),
    /// The client waits.
    Waits,
}

/// Both servers.
pub(crate) struct Pair {
    model: Redis,
    real: Server,
    connections: BTreeMap<u32, (Connection, i64)>,
    /// Milliseconds since the epoch, on both clocks.
    now_ms: i64,
    /// Replies that were compared.
    pub(crate) compared: u64,
    /// Replies of which less than all could be compared.
    pub(crate) loosely: BTreeMap<String, u64>,
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that was set");
    i64::try_from(since.as_millis()).expect("this millennium")
}

impl Pair {
    /// Starts a real server and makes a model.
    pub(crate) fn start() -> Pair {
        let now_ms = wall_ms();
        let mut pair = Pair {
            model: Redis::new(),
            real: Server::start(now_ms),
            connections: BTreeMap::new(),
            now_ms,
            compared: 0,
            loosely: BTreeMap::new(),
        };
        pair.connect(CONTROL);
        pair
    }

    /// A client comes.
    pub(crate) fn connect(&mut self, client: u32) {
        let mut connection = self.real.connect();
        connection.send(b"*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n");
        let (reply, count) = next(&mut connection).expect("the real server answers");
        connection.take(count);
        let Reply::Int(id) = reply else { panic!("a client has a number, not {reply:?}") };
        self.connections.insert(client, (connection, id));
    }

    /// A client goes. The real server knows before this returns: what it would have been served
    /// goes to others.
    pub(crate) fn disconnect(&mut self, client: u32) {
        let Some((_, id)) = self.connections.remove(&client) else { return };
        self.model.disconnect(ClientId(client));
        let kill = ["CLIENT", "KILL", "ID", &id.to_string()].map(Bytes::from);
        self.ask_real(CONTROL, &kill);
    }

    /// Sets both clocks to now; the clients whose time is up, with what they get.
    pub(crate) fn tick(&mut self) -> Result<Vec<(u32, Vec<u8>)>, Failed> {
        self.now_ms = wall_ms().max(self.now_ms);
        self.real.set_clock(self.now_ms);
        let now = Instant::from_ms(self.now_ms);
        if self.model.next_deadline().is_none_or(|deadline| now < deadline) {
            return Ok(Vec::new());
        }
        self.model.expire(now);
        // The real server looks at its clock when something comes.
        self.ask_real(CONTROL, &[Bytes::from("PING")]);
        self.served("a wait that is over")
    }

    /// Gives both a command of `client`; what it gets. Then take what others were served
    /// ([`Pair::served`]).
    pub(crate) fn request(
        &mut self,
        client: u32,
        args: &[Bytes],
        rule: &[Rule],
    ) -> Result<Outcome, Failed> {
        let model = self.model.request(ClientId(client), args, Instant::from_ms(self.now_ms));
        let Some(model) = model else {
            self.send_real(client, args);
            // It waits from this instant on: the real server has read the command when it has
            // answered another client.
            self.ask_real(CONTROL, &[Bytes::from("PING")]);
            return Ok(Outcome::Waits);
        };
        let real = self.ask_real(client, args);
        self.compare(&model, &real, rule).map_err(|failed| explain(args, &failed))?;
        Ok(Outcome::Reply(real))
    }

    /// What clients that waited were served, by both.
    pub(crate) fn served(&mut self, by: &str) -> Result<Vec<(u32, Vec<u8>)>, Failed> {
        let served: Vec<(ClientId, Reply)> = self.model.served().collect();
        let mut got = Vec::new();
        for (ClientId(client), model) in served {
            let real = self.receive(client);
            let compared = self.compare(&model, &real, &[Rule::Exact]);
            compared.map_err(|failed| Failed::from(format!("after {by}: {}", said(&failed))))?;
            got.push((client, real));
        }
        Ok(got)
    }

    /// Clients that wait, by the model, were not served by the real server either.
    pub(crate) fn check_waiting(&mut self) -> Result<(), Failed> {
        for (client, (connection, _)) in &mut self.connections {
            if self.model.is_blocked(ClientId(*client)) && !connection.pending().is_empty() {
                let got = show(connection.peek(0));
                return Err(
                    format!("client {client} waits, and the real server served it: {got}").into()
                );
            }
        }
        Ok(())
    }

    /// Whether a client waits.
    pub(crate) fn waits(&self, client: u32) -> bool {
        self.model.is_blocked(ClientId(client))
    }

    /// The reply of the model to a command that it does not wait for.
    pub(crate) fn ask_model(&mut self, args: &[Bytes]) -> Reply {
        let now = Instant::from_ms(self.now_ms);
        self.model.request(ClientId(CONTROL), args, now).expect("it does not wait")
    }

    /// The bytes of the real server's reply.
    fn ask_real(&mut self, client: u32, args: &[Bytes]) -> Vec<u8> {
        self.send_real(client, args);
        self.receive(client)
    }

    /// Sends several commands to the real server at once; its replies.
    pub(crate) fn ask_real_many(&mut self, commands: &[Vec<Bytes>]) -> Vec<Reply> {
        let (connection, _) = self.connections.get_mut(&CONTROL).expect("it is connected");
        let bytes: Vec<u8> = commands.iter().flat_map(|args| request(args)).collect();
        connection.send(&bytes);
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            let (reply, count) = next(connection).expect("the real server answers");
            connection.take(count);
            replies.push(reply);
        }
        replies
    }

    fn send_real(&mut self, client: u32, args: &[Bytes]) {
        let (connection, _) = self.connections.get_mut(&client).expect("it is connected");
        connection.send(&request(args));
    }

    /// The bytes of one reply; what has come, if none comes.
    fn receive(&mut self, client: u32) -> Vec<u8> {
        let (connection, _) = self.connections.get_mut(&client).expect("it is connected");
        let count = next(connection).map_or_else(|| connection.peek(0).len(), |(_, count)| count);
        let bytes = connection.peek(0)[..count].to_vec();
        connection.take(count);
        bytes
    }

    /// Compares replies. `rule` is that of the command; of EXEC, those of its commands.
    fn compare(&mut self, model: &Reply, real: &[u8], rules: &[Rule]) -> Result<(), Failed> {
        self.compared += 1;
        let mut encoded = Vec::new();
        encode(model, 2, &mut encoded);
        if encoded == real {
            return Ok(());
        }
        let model = decode(&encoded).ok().flatten().expect("it was encoded").0;
        let read = decode(real).ok().flatten();
        let admitted = read.as_ref().and_then(|(real, _)| admitted(&model, real, rules));
        let Some(rule) = admitted else {
            return Err(
                format!("  the model: {}\n  the real:  {}", show(&encoded), show(real)).into()
            );
        };
        *self.loosely.entry(format!("{rule:?}")).or_default() += 1;
        Ok(())
    }
}

/// The loosest rule by which two replies that differ may do so.
fn admitted(model: &Reply, real: &Reply, rules: &[Rule]) -> Option<Rule> {
    if let [rule] = rules {
        return rule.admits(model, real).then_some(*rule);
    }
    let (Reply::Array(model), Reply::Array(real)) = (model, real) else { return None };
    if model.len() != real.len() || model.len() != rules.len() {
        return None;
    }
    let mut used = None;
    for ((model, real), rule) in model.iter().zip(real).zip(rules) {
        if model != real {
            used = Some(rule.admits(model, real).then_some(*rule)?);
        }
    }
    used
}

/// The next reply on a connection and its length; `None` if none comes.
fn next(connection: &mut Connection) -> Option<(Reply, usize)> {
    let mut least = 1;
    loop {
        let input = connection.peek(least);
        if input.len() < least {
            return None;
        }
        least = input.len() + 1;
        if let Some(found) = decode(input).expect("the real server speaks RESP") {
            return Some(found);
        }
    }
}

/// A command as it is sent.
fn request(args: &[Bytes]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&Reply::bulks(args), 2, &mut bytes);
    bytes
}

/// Bytes for people, shortened.
fn show(bytes: &[u8]) -> String {
    const MOST: usize = 2000;
    let mut shown = Bytes::from(&bytes[..bytes.len().min(MOST)]).to_string();
    if bytes.len() > MOST {
        write!(shown, "… ({} bytes)", bytes.len()).expect("a string takes all");
    }
    shown
}

/// What a failure says.
pub(crate) fn said(failed: &Failed) -> String {
    failed.message().unwrap_or_default().to_owned()
}

fn explain(args: &[Bytes], failed: &Failed) -> Failed {
    let words: Vec<String> = args.iter().map(|word| format!("\"{}\"", show(word))).collect();
    format!("{}\n{}", words.join(" "), said(failed)).into()
}
