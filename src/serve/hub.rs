//! What all connections share: the model, the clock, and who is connected.

use super::connection::{Connection, Input};
use super::log::{Log, Told};
use super::{Options, SWEEP, Time};
use bootrace_sim::clock::{Instant, Span};
#[cfg(feature = "lua")]
use bootrace_sim::redis::ScriptLimits;
use bootrace_sim::redis::{Bytes, ClientId, Error, Host, Redis, Reply, resp};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// The model and its clients.
pub(super) struct Hub {
    pub(super) redis: Redis,
    /// What the model is told, for a file.
    log: Option<Log>,
    clock: Clock,
    connections: Vec<Option<Rc<Connection>>>,
    /// Numbers that are free again, the smallest first.
    free: BinaryHeap<Reverse<u32>>,
    connected: usize,
    /// Whom something was written for that was not sent.
    owed: Vec<u32>,
    /// Rings when there are such.
    owing: Rc<Notify>,
    /// What bytes are read into first.
    pub(super) scratch: Vec<u8>,
    shutdown: Rc<Notify>,
    failed: bool,
    /// Rings when the next deadline may be before the one that is waited for.
    earlier: Rc<Notify>,
    armed: Option<Instant>,
}

enum Clock {
    Real,
    Virtual(Instant),
}

impl Clock {
    fn now(&self) -> Instant {
        match self {
            Clock::Real => wall(),
            Clock::Virtual(now) => *now,
        }
    }
}

fn wall() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).map_or(Instant::MAX, Instant::from_nanos)
}

/// What clients from elsewhere are told while there is no password.
const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is \
enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface. Set a password with --requirepass, or switch protected mode off with \
CONFIG SET protected-mode no from this machine.\r\n";

/// How much output may gather before it is sent, though more is to be executed.
const GATHERED: usize = 1 << 20;

/// The most that may wait to be sent to a client that has no limit of its own.
const LONGEST_OUTPUT: usize = 256 << 20;

/// How much is read at a time.
const SCRATCH: usize = 64 << 10;

/// What becomes of a client after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    /// Its next request is read.
    On,
    /// It waits.
    Waits,
    /// It is disconnected, once it has been sent what there is.
    Ends,
}

/// In real time a script may run for as long as the setting `busy-reply-threshold` says.
#[cfg(feature = "lua")]
fn limit_scripts(redis: &mut Redis, options: &Options) {
    if options.time == Time::Virtual {
        return;
    }
    let start = std::time::Instant::now();
    let elapsed_ms = move || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    redis.limit_scripts(ScriptLimits {
        instructions: u64::MAX,
        clock: Some(Box::new(elapsed_ms)),
        ..ScriptLimits::default()
    });
}

/// The model as a server begins with it.
pub(super) fn model(options: &Options, host: &Host) -> Redis {
    let mut redis = Redis::new();
    redis.seed(options.seed);
    redis.host(*host);
    for (name, value) in [
        ("maxclients", options.max_clients.to_string()),
        ("requirepass", options.password.clone()),
        ("port", host.port.to_string()),
        ("bind", options.address.ip().to_string()),
    ] {
        redis.configure(name, &value).expect("it is a setting and a value of it");
    }
    redis
}

impl Hub {
    pub(super) fn new(options: &Options, address: SocketAddr, mut log: Option<Log>) -> Self {
        let host = Host {
            port: address.port(),
            process: std::process::id(),
            time: options.time.word(),
            since: wall(),
        };
        if let Some(log) = &mut log {
            log.start(&host, options);
        }
        let mut redis = model(options, &host);
        #[cfg(feature = "lua")]
        limit_scripts(&mut redis, options);
        let clock = match options.time {
            Time::Real => Clock::Real,
            Time::Virtual => Clock::Virtual(wall()),
        };
        Hub {
            redis,
            log,
            clock,
            connections: Vec::new(),
            free: BinaryHeap::new(),
            connected: 0,
            owed: Vec::new(),
            owing: Rc::default(),
            scratch: vec![0; SCRATCH],
            shutdown: Rc::default(),
            failed: false,
            earlier: Rc::default(),
            armed: None,
        }
    }

    /// Writes down what the model is told, if anybody wants that.
    #[inline]
    fn note(&mut self, at: Instant, told: Told<'_>) {
        if let Some(log) = &mut self.log {
            log.tell(at, told);
        }
    }

    /// Ends the log, if there is one, and gives the digest of what the model holds.
    ///
    /// # Errors
    /// The log could not be written.
    pub(super) fn end_log(&mut self) -> io::Result<Option<String>> {
        let Some(log) = self.log.take() else { return Ok(None) };
        log.end()?;
        Ok(Some(self.redis.digest()))
    }

    /// Rings when the server is to end.
    pub(super) fn shutdown(&self) -> Rc<Notify> {
        Rc::clone(&self.shutdown)
    }

    /// Ends the server, because a command has panicked.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.shutdown.notify_one();
    }

    /// Whether a command has panicked.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The commands that came and were not known.
    pub(super) fn unknown(&self) -> BTreeMap<Bytes, u64> {
        self.redis.unknown().clone()
    }

    /// Lets a client in.
    ///
    /// # Errors
    /// There are too many, or it comes from elsewhere and nobody has set a password: the connection
    /// is given back, with what it is to be told.
    pub(super) fn enter(
        &mut self,
        mut connection: Connection,
    ) -> Result<Rc<Connection>, Box<(Connection, &'static [u8])>> {
        if self.connected >= self.redis.max_clients() {
            return Err(Box::new((connection, b"-ERR max number of clients reached\r\n")));
        }
        if !connection.peer.ip().is_loopback() && self.redis.is_protected() {
            return Err(Box::new((connection, DENIED)));
        }
        let place = u32::try_from(self.connections.len()).expect("there are fewer descriptors");
        let number = self.free.pop().map_or(place, |Reverse(number)| number);
        if number == place {
            self.connections.push(None);
        }
        connection.number = number;
        let connection = Rc::new(connection);
        let (peer, local) = (connection.peer.to_string(), connection.local.to_string());
        let (client, now) = (ClientId(number), self.clock.now());
        self.note(now, Told::Connect(client, &peer, &local));
        self.redis.connect(client, &peer, &local, now);
        self.connections[number as usize] = Some(Rc::clone(&connection));
        self.connected += 1;
        Ok(connection)
    }

    /// Whether a client waits.
    pub(super) fn waits(&self, number: u32) -> bool {
        self.redis.is_blocked(ClientId(number))
    }

    /// Forgets a client.
    pub(super) fn leave(&mut self, number: u32) {
        if self.connections[number as usize].take().is_some() {
            self.note(self.clock.now(), Told::Disconnect(ClientId(number)));
            self.redis.disconnect(ClientId(number));
            self.free.push(Reverse(number));
            self.connected -= 1;
        }
    }

    /// Reads requests from a client's bytes and executes them, until there are none or it waits.
    pub(super) fn requests(
        &mut self,
        connection: &Connection,
        input: &mut Input,
        bytes: &[u8],
        at: &mut usize,
    ) -> Then {
        let client = ClientId(connection.number);
        loop {
            let allowed = self.redis.allowed(client);
            match input.requests.next(bytes, at, allowed) {
                Ok(false) => return Then::On,
                Ok(true) => {}
                Err(malformed) => {
                    let reply = malformed.into();
                    self.redis.malformed(&reply);
                    self.reply(connection, &reply);
                    return Then::Ends;
                }
            }
            match self.request(connection, input.requests.args()) {
                // What it asked for beyond its limit is not worked out.
                Then::On if connection.is_dismissed() => return Then::Ends,
                Then::On => {}
                other => return other,
            }
        }
    }

    fn request(&mut self, connection: &Connection, args: &[Bytes]) -> Then {
        let client = ClientId(connection.number);
        let now = self.clock.now();
        let reply = match self.own(args) {
            Some(reply) => Some(reply),
            None => {
                self.note(now, Told::Request(client, args));
                self.redis.request(client, args, now)
            }
        };
        let sleep = self.redis.sleep();
        self.pass(sleep);
        self.deliver(Some(connection.number));
        if self.redis.is_ending() {
            self.shutdown.notify_one();
        }
        match reply {
            None => Then::Waits,
            Some(reply) => {
                self.reply(connection, &reply);
                if self.redis.is_closing(client) { Then::Ends } else { Then::On }
            }
        }
    }

    /// The commands about time and about the process, which the model knows nothing of.
    fn own(&mut self, args: &[Bytes]) -> Option<Reply> {
        let name = args[0].as_bytes();
        let Clock::Virtual(now) = self.clock else { return None };
        if name.eq_ignore_ascii_case(b"BOOTRACE.ADVANCE") {
            let ms = args.get(1).and_then(|ms| ms.to_int()).filter(|ms| *ms >= 0);
            let (Some(ms), 2) = (ms, args.len()) else {
                let usage = "ERR BOOTRACE.ADVANCE takes a number of milliseconds";
                return Some(Reply::Error(Error::Text(usage)));
            };
            return Some(self.advance(now, ms));
        }
        if name.eq_ignore_ascii_case(b"BOOTRACE.DEADLINE") {
            let next = [self.redis.next_deadline(), self.redis.next_expiry()];
            let next = next.into_iter().flatten().min();
            return Some(next.map_or(Reply::Nil, |next| Reply::Int(next.ms())));
        }
        None
    }

    /// Sleeps, as a client has said, and everyone with it.
    fn pass(&mut self, time: Span) {
        if time > Span::ZERO {
            match self.clock {
                Clock::Real => std::thread::sleep(time.into()),
                Clock::Virtual(now) => self.clock = Clock::Virtual(now + time),
            }
        }
    }

    /// Lets time pass: what falls due on the way happens at its instant.
    fn advance(&mut self, now: Instant, ms: i64) -> Reply {
        let end = Instant::from_ms(now.ms().saturating_add(ms));
        while let Some(next) = self.redis.next_deadline().filter(|next| *next <= end) {
            self.clock = Clock::Virtual(next);
            self.note(next, Told::Expire);
            self.redis.expire(next);
        }
        self.clock = Clock::Virtual(end);
        self.note(end, Told::Sweep);
        self.redis.sweep(end);
        Reply::Int(end.ms())
    }

    fn reply(&mut self, connection: &Connection, reply: &Reply) {
        let client = ClientId(connection.number);
        let mut out = connection.out.borrow_mut();
        resp::encode(reply, self.redis.protocol(client), &mut out);
        if out.len() > GATHERED {
            drop(out);
            connection.send();
            self.limit(connection);
        } else if connection.owe() {
            self.owed.push(connection.number);
        }
    }

    /// Gives up on a client that does not read what it is sent.
    fn limit(&self, connection: &Connection) {
        let most = self.redis.longest_output(ClientId(connection.number)).unwrap_or(LONGEST_OUTPUT);
        if connection.unsent() > most {
            connection.dismiss();
        }
    }

    /// Whether a client has sent so much ahead that it is to be disconnected.
    pub(super) fn too_much(&self, ahead: usize) -> bool {
        ahead > self.redis.longest_input()
    }

    /// Hands out what goes to clients beside replies, and lets go who is to be disconnected. `but`
    /// writes its own.
    fn deliver(&mut self, but: Option<u32>) {
        if self.redis.has_served() {
            let served: Vec<(ClientId, Reply)> = self.redis.served().collect();
            for (client, reply) in served {
                let Some(Some(connection)) = self.connections.get(client.0 as usize) else {
                    continue;
                };
                let version = self.redis.protocol(client);
                resp::encode(&reply, version, &mut connection.out.borrow_mut());
                if connection.owe() {
                    self.owed.push(client.0);
                }
                if but != Some(client.0) {
                    // Its task goes on with the requests it held back.
                    connection.wake.notify_one();
                }
            }
        }
        for client in self.redis.dismissed() {
            if let Some(Some(connection)) = self.connections.get(client.0 as usize) {
                connection.dismiss();
            }
        }
    }

    /// Sends what was written. That is done for all clients that were served in one turn of the
    /// loop together: a client that waits for its replies is woken once, not by each of them.
    pub(super) fn send(&mut self) {
        for number in std::mem::take(&mut self.owed) {
            if let Some(Some(connection)) = self.connections.get(number as usize) {
                connection.send();
                self.limit(connection);
            }
        }
    }

    /// Sees to it that what was written is sent, and that the next deadline is kept.
    pub(super) fn flush(&mut self) {
        if !self.owed.is_empty() {
            self.owing.notify_one();
        }
        let next = self.redis.next_deadline();
        if next.is_some_and(|next| self.armed.is_none_or(|armed| next < armed)) {
            self.armed = next;
            self.earlier.notify_one();
        }
    }

    /// Ends the waits whose time is up.
    fn expire(&mut self) {
        let now = self.clock.now();
        if self.redis.next_deadline().is_some_and(|next| next <= now) {
            self.note(now, Told::Expire);
            self.redis.expire(now);
        }
        self.deliver(None);
        self.armed = self.redis.next_deadline();
        self.flush();
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        self.note(now, Told::Sweep);
        self.redis.sweep(now);
        self.deliver(None);
        self.flush();
    }

    /// How long until the next deadline, at most until the next sweep.
    fn pause(&self) -> Duration {
        if let (Clock::Real, Some(armed)) = (&self.clock, self.armed) {
            let nanos = armed.since(self.clock.now()).nanos();
            return Duration::from_nanos(nanos.unsigned_abs()).min(SWEEP);
        }
        SWEEP
    }
}

/// Sends what was written, for ever. Its turn comes after those of the connections that were ready
/// when the first of them wrote.
pub(super) async fn send(hub: Rc<RefCell<Hub>>) {
    let owing = Rc::clone(&hub.borrow().owing);
    loop {
        owing.notified().await;
        hub.borrow_mut().send();
    }
}

/// Ends waits in time and removes dead keys, for ever.
pub(super) async fn keep_time(hub: &RefCell<Hub>) {
    let earlier = Rc::clone(&hub.borrow().earlier);
    let mut swept = tokio::time::Instant::now();
    loop {
        let pause = hub.borrow().pause();
        tokio::select! {
            () = earlier.notified() => continue,
            () = tokio::time::sleep(pause) => {}
        }
        let mut hub = hub.borrow_mut();
        hub.expire();
        if swept.elapsed() >= SWEEP {
            swept = tokio::time::Instant::now();
            hub.sweep();
        }
    }
}
