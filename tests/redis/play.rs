//! Plays a session on the model and on a real server at once, and says where they part.

use std::collections::BTreeMap;

use bootrace_sim::clock::Instant;
use bootrace_sim::redis::resp::{decode, encode};
use bootrace_sim::redis::{Bytes, ClientId, Redis, Reply};

use super::judge::{self, Order};
use super::keyspace::DATABASES;
use super::session::run_end;
use super::text::shown;
use super::{START_MS, Step};
use crate::real::{Connection, Server};

/// The most clients of a session. The last of them only listens.
const CLIENTS: usize = 5;
/// The client that looks at the keyspace.
pub(super) const WITNESS: usize = CLIENTS;
/// After how many commands the whole keyspace is compared.
pub(super) const BATCH: usize = 50;

/// Whether the model knows a command of these words.
pub(crate) fn knows(words: &[&str]) -> bool {
    let args: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
    let reply = Redis::new().request(ClientId(0), &args, Instant::from_ms(START_MS));
    match reply {
        Some(Reply::Error(error)) => !error.to_string().starts_with("ERR unknown"),
        _ => true,
    }
}

/// Where the model and the real server part.
#[derive(Clone, Debug)]
pub(crate) struct Parting {
    /// The number of the step, or of the last before the keyspaces were compared.
    pub(crate) at: usize,
    /// What was compared.
    pub(crate) what: String,
    pub(crate) model: String,
    pub(crate) real: String,
}

/// What was done in a session.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    /// Commands sent to both.
    pub(crate) commands: usize,
    /// Those left out, because the client waited or the model does not know them.
    pub(crate) left_out: usize,
}

/// A line of a transcript: a step that was sent, or a reply to a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heard {
    /// The number of the step.
    pub(crate) at: usize,
    pub(crate) client: usize,
    /// `None`: this is the step itself.
    pub(crate) reply: Option<Vec<u8>>,
}

/// A real server, with what plays on it; or a transcript of one.
pub(crate) struct Bench {
    server: Option<Server>,
    /// The clients and the witness.
    pub(super) real: Vec<Connection>,
    known: BTreeMap<Vec<u8>, bool>,
}

/// A session on its way.
pub(super) struct Play<'a> {
    pub(super) bench: &'a mut Bench,
    model: Redis,
    now_ms: i64,
    /// The version of the protocol that each client speaks.
    pub(super) versions: [u8; CLIENTS + 1],
    /// How the commands between MULTI and EXEC are compared, by client.
    queued: [Option<Vec<Order>>; CLIENTS],
    /// What clients wait for, by client.
    waiting: [Option<Vec<Vec<u8>>>; CLIENTS],
    /// Somebody listens to what happens to keys, so that nothing is done that the other side does
    /// not do.
    listening: bool,
    tally: Tally,
    /// What the real server answered, step by step.
    record: Option<Vec<Heard>>,
    /// The model's numbers of the clients.
    ids: [u32; CLIENTS + 1],
}

impl Bench {
    /// Starts a real server.
    pub(crate) fn start() -> Bench {
        let server = Server::start(START_MS);
        let real = (0..=CLIENTS).map(|_| server.connect()).collect();
        let mut bench = Bench { server: Some(server), real, known: BTreeMap::new() };
        // It forgets dead keys when it meets them, as the model does.
        bench.ask(&["debug", "set-active-expire", "0"]);
        bench
    }

    /// A bench without a server.
    pub(crate) fn told() -> Bench {
        let real = (0..=CLIENTS).map(|_| Connection::default()).collect();
        Bench { server: None, real, known: BTreeMap::new() }
    }

    /// Asks the real server something.
    fn ask(&mut self, words: &[&str]) -> Vec<u8> {
        if self.server.is_none() {
            return Vec::new();
        }
        let args: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        self.real[WITNESS].send(&request(&args));
        whole(&mut self.real[WITNESS]).expect("the real server answers")
    }

    /// Everything as in the beginning.
    fn reset(&mut self) {
        self.connect(WITNESS);
        if self.server.is_none() {
            self.real = (0..=CLIENTS).map(|_| Connection::default()).collect();
            return;
        }
        self.ask(&["client", "kill", "type", "normal", "skipme", "yes"]);
        self.ask(&["client", "kill", "type", "pubsub", "skipme", "yes"]);
        self.set_clock(START_MS);
        for client in 0..CLIENTS {
            self.connect(client);
        }
        self.ask(&["config", "set", "notify-keyspace-events", ""]);
        for (name, value) in [
            ("hash-max-listpack-entries", "512"),
            ("hash-max-listpack-value", "64"),
            ("zset-max-listpack-entries", "128"),
            ("zset-max-listpack-value", "64"),
            ("set-max-intset-entries", "512"),
            ("stream-node-max-entries", "100"),
            ("stream-node-max-bytes", "4096"),
        ] {
            self.ask(&["config", "set", name, value]);
        }
        self.ask(&["select", "0"]);
        self.ask(&["flushall"]);
        self.ask(&["script", "flush"]);
    }

    /// Plays a session.
    pub(crate) fn play(&mut self, steps: &[Step]) -> Result<Tally, Box<Parting>> {
        self.play_and(steps, false).map(|(tally, _)| tally)
    }

    /// Plays a session, and hands back what the real server answered to each step.
    pub(crate) fn play_and(
        &mut self,
        steps: &[Step],
        record: bool,
    ) -> Result<(Tally, Vec<Heard>), Box<Parting>> {
        let mut play = Play::begin(self, steps, record);
        let (mut at, mut since) = (0, 0);
        if steps.is_empty() {
            return Ok((play.tally, Vec::new()));
        }
        while at < steps.len() {
            let end = run_end(steps, at);
            play.run(steps, at, end)?;
            since += end - at;
            at = end;
            if since >= BATCH || at == steps.len() {
                since = 0;
                play.nobody_else_was_served(at - 1)?;
                play.compare_keyspaces(at - 1)?;
            }
        }
        play.compare_walks(steps.len() - 1)?;
        Ok((play.tally, play.record.unwrap_or_default()))
    }

    /// Plays what was recorded, with what the real server answered; how many replies there were.
    pub(crate) fn hear(&mut self, steps: &[Step], heard: &[Heard]) -> Result<usize, Box<Parting>> {
        let mut play = Play::begin(self, steps, false);
        for at in 0..steps.len() {
            for line in heard.iter().filter(|line| line.at == at) {
                if let Some(reply) = &line.reply {
                    play.bench.real[line.client].input.extend_from_slice(reply);
                }
            }
            play.run(steps, at, at + 1)?;
            play.nobody_else_was_served(at)?;
        }
        Ok(heard.iter().filter(|line| line.reply.is_some()).count())
    }

    fn connect(&mut self, client: usize) {
        self.real[client] = match &self.server {
            Some(server) => server.connect(),
            None => Connection::default(),
        };
    }

    fn set_clock(&self, now_ms: i64) {
        if let Some(server) = &self.server {
            server.set_clock(now_ms);
        }
    }

    pub(super) fn knows(&mut self, args: &[Vec<u8>]) -> bool {
        let name = args[0].to_ascii_lowercase();
        *self.known.entry(name).or_insert_with_key(|name| {
            knows(&[std::str::from_utf8(name).expect("names of commands are text")])
        })
    }
}

/// The word of a step that is no command: the client's connection breaks, and it comes again.
pub(crate) const RECONNECT: &[u8] = b"reconnect!";
/// Another: nothing happens but that the clock moves.
pub(crate) const PAUSE: &[u8] = b"pause!";

pub(super) fn request(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The next whole reply of the real server; `None`: none comes.
pub(super) fn whole(real: &mut Connection) -> Option<Vec<u8>> {
    let mut least = 1;
    loop {
        let come = real.peek(least);
        let reply =
            decode(come).expect("a real server's replies are replies").map(|(_, size)| size);
        if let Some(size) = reply {
            let reply = come[..size].to_vec();
            real.take(size);
            return Some(reply);
        }
        if come.len() < least {
            return None;
        }
        least = come.len() + 1;
    }
}

impl<'a> Play<'a> {
    /// Both sides as in the beginning.
    fn begin(bench: &'a mut Bench, steps: &[Step], record: bool) -> Self {
        bench.reset();
        Play {
            model: Redis::new(),
            bench,
            now_ms: START_MS,
            versions: [2; CLIENTS + 1],
            queued: Default::default(),
            waiting: Default::default(),
            listening: steps.iter().any(|step| step.client + 1 == CLIENTS),
            tally: Tally::default(),
            record: record.then(Vec::new),
            ids: std::array::from_fn(|client| u32::try_from(client).expect("few clients")),
        }
    }

    fn id(&self, client: usize) -> ClientId {
        ClientId(self.ids[client])
    }

    /// A client's connection breaks, and it comes again: to both servers it is another.
    fn reconnect(&mut self, client: usize) {
        self.bench.connect(client);
        self.bench.ask(&["ping"]);
        self.bench.ask(&["ping"]);
        self.model.disconnect(self.id(client));
        self.ids[client] = self.ids.iter().max().map_or(0, |last| last + 1);
        self.versions[client] = 2;
        self.queued[client] = None;
        self.waiting[client] = None;
    }

    /// Runs steps of one client, of which only the first moves the clock.
    fn run(&mut self, steps: &[Step], from: usize, end: usize) -> Result<(), Box<Parting>> {
        let client = steps[from].client;
        if steps[from].wait_ms != 0 {
            self.wait(steps[from].wait_ms, from)?;
        }
        if steps[from].args[0] == PAUSE {
            return Ok(());
        }
        if steps[from].args[0] == RECONNECT {
            self.heard(from, client, None);
            self.reconnect(client);
            return self.deliver(from);
        }
        if self.model.is_blocked(self.id(client)) {
            self.tally.left_out += end - from;
            return Ok(());
        }
        let in_multi = self.queued[client].is_some();
        let playable: Vec<usize> = (from..end)
            .filter(|at| {
                let args = &steps[*at].args;
                let random = judge::is_random(&args[0]) && (in_multi || self.listening);
                let all = (args.len() == 1 || in_multi) && judge::of_channels(&args[0]);
                let swapped = self.awaits_several() && judge::is_swap(args);
                self.bench.knows(args) && !all && !random && !swapped
            })
            .collect();
        self.tally.left_out += end - from - playable.len();
        let mut bytes = Vec::new();
        playable.iter().for_each(|at| bytes.extend(request(&steps[*at].args)));
        if !bytes.is_empty() {
            self.bench.real[client].send(&bytes);
        }
        for at in playable {
            self.tally.commands += 1;
            self.heard(at, client, None);
            self.step(client, &steps[at].args, at)?;
        }
        Ok(())
    }

    /// Whether somebody may wait for several keys: which of them a swap of databases finds first
    /// is the order of a hash table.
    fn awaits_several(&self) -> bool {
        let several = |args: &Vec<Vec<u8>>| judge::may_wait_for_several(args);
        self.waiting.iter().flatten().any(several)
    }

    /// Moves both clocks, and lets the waits end whose time is up.
    fn wait(&mut self, wait_ms: i64, at: usize) -> Result<(), Box<Parting>> {
        self.now_ms += wait_ms;
        self.bench.set_clock(self.now_ms);
        let now = Instant::from_ms(self.now_ms);
        // Redis looks at the waits whose time is up before it reads what comes next.
        self.model.expire(now);
        self.bench.ask(&["ping"]);
        if self.waiting.iter().any(Option::is_some) {
            // When Redis finds out that a key is dead is its own affair, and whoever waits as a
            // member of a stream's group is told: so both look at all keys now.
            self.model.sweep(now);
            for database in DATABASES {
                self.bench.ask(&["select", database]);
                self.bench.ask(&["scan", "0", "count", "1000"]);
            }
        }
        self.deliver(at)
    }

    /// Runs a command on the model, and compares with what the real server answered.
    pub(super) fn step(
        &mut self,
        client: usize,
        args: &[Vec<u8>],
        at: usize,
    ) -> Result<(), Box<Parting>> {
        if client < CLIENTS && judge::is_random(&args[0]) {
            return self.random(client, args, at);
        }
        let reply = self.request(client, args);
        self.deliver(at)?;
        let Some(reply) = reply else {
            self.waiting[client] = Some(args.to_vec());
            // The real server has read the command when it has answered the witness.
            self.bench.ask(&["ping"]);
            return self.nobody_else_was_served(at);
        };
        let order = self.note(client, args, &reply);
        self.expect(client, &reply, order, at, &shown(client, args))
    }

    pub(super) fn request(&mut self, client: usize, args: &[Vec<u8>]) -> Option<Reply> {
        let id = self.id(client);
        let words: Vec<Bytes> = args.iter().map(|arg| Bytes::from(arg.as_slice())).collect();
        self.model.request(id, &words, Instant::from_ms(self.now_ms))
    }

    /// Keeps track of versions and transactions; how the reply is compared.
    fn note(&mut self, client: usize, args: &[Vec<u8>], reply: &Reply) -> Order {
        let order = judge::order(args, self.versions[client] == 3);
        let is = |name: &str| args[0].eq_ignore_ascii_case(name.as_bytes());
        if is("hello") && !matches!(reply, Reply::Error(_)) && args.len() > 1 {
            self.versions[client] = if args[1] == b"3" { 3 } else { 2 };
        }
        if client < CLIENTS {
            let queued = &mut self.queued[client];
            if *reply == Reply::Status("QUEUED") {
                queued.get_or_insert_default().push(order);
                return Order::Exact;
            } else if is("multi") && *reply == Reply::OK {
                *queued = Some(Vec::new());
            } else if is("discard") || is("exec") || is("reset") {
                return Order::Exact;
            }
        }
        order
    }

    /// Gives clients what the model has for them beside replies, and expects the same of the real
    /// server.
    pub(super) fn deliver(&mut self, at: usize) -> Result<(), Box<Parting>> {
        let served: Vec<(ClientId, Reply)> = self.model.served().collect();
        for (client, reply) in served {
            let Some(client) = self.ids.iter().position(|id| *id == client.0) else {
                let what = "what a client is sent that has gone".to_owned();
                let (model, real) = (format!("{reply:?}"), "(nothing)".to_owned());
                return Err(Box::new(Parting { at, what, model, real }));
            };
            let waited = match &reply {
                Reply::Push(_) => None,
                _ => self.waiting[client].take(),
            };
            let what = match waited {
                Some(args) => format!("what came of {}", shown(client, &args)),
                None => format!("a message to [{client}]"),
            };
            self.expect(client, &reply, Order::Exact, at, &what)?;
        }
        Ok(())
    }

    /// Compares a reply of the model with the next of the real server.
    fn expect(
        &mut self,
        client: usize,
        reply: &Reply,
        order: Order,
        at: usize,
        what: &str,
    ) -> Result<(), Box<Parting>> {
        let mut model = Vec::new();
        encode(reply, self.versions[client], &mut model);
        if model.is_empty() {
            return Ok(());
        }
        let connection = &mut self.bench.real[client];
        let mut least = 1;
        loop {
            let come = connection.peek(least);
            if come.starts_with(&model) {
                connection.take(model.len());
                self.heard(at, client, Some(model));
                return Ok(());
            }
            if come.len() < least || !model.starts_with(come) {
                break;
            }
            least = come.len() + 1;
        }
        let real = whole(connection);
        let orders = self.queued.get_mut(client).and_then(|queued| {
            match what.to_ascii_lowercase().contains("] exec") {
                true => queued.take(),
                false => None,
            }
        });
        let same = match (&real, orders) {
            (None, _) => false,
            (Some(real), Some(orders)) => judge::each_agrees(&orders, &model, real),
            (Some(real), None) => judge::agree(order, &model, real),
        };
        if same {
            self.heard(at, client, real);
            return Ok(());
        }
        Err(Box::new(Parting {
            at,
            what: what.to_owned(),
            model: model.escape_ascii().to_string(),
            real: real.map_or("(nothing)".to_owned(), |real| real.escape_ascii().to_string()),
        }))
    }

    fn heard(&mut self, at: usize, client: usize, reply: Option<Vec<u8>>) {
        if let Some(record) = &mut self.record
            && client < CLIENTS
        {
            record.push(Heard { at, client, reply });
        }
    }

    /// That the real server has answered nobody whom the model lets wait.
    fn nobody_else_was_served(&mut self, at: usize) -> Result<(), Box<Parting>> {
        for client in 0..CLIENTS {
            let pending = self.bench.real[client].pending();
            if !pending.is_empty() {
                let what = match &self.waiting[client] {
                    Some(args) => shown(client, args),
                    None => format!("a message to [{client}]"),
                };
                let real = pending.escape_ascii().to_string();
                return Err(Box::new(Parting { at, what, model: "(nothing)".to_owned(), real }));
            }
        }
        Ok(())
    }
}

/// The strings in a reply, in order.
pub(super) fn flat(reply: &Reply) -> Vec<Vec<u8>> {
    match reply {
        Reply::Bulk(bytes) => vec![bytes.to_vec()],
        Reply::Array(all) | Reply::Set(all) => all.iter().flat_map(flat).collect(),
        Reply::Map(all) | Reply::Pairs(all) => {
            all.iter().flat_map(|(one, two)| [flat(one), flat(two)].concat()).collect()
        }
        _ => Vec::new(),
    }
}
