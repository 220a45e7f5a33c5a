//! The servers of a run and what travels to them: Redis with BullMQ's scripts, and the database.
//!
//! Each server is synchronous and is told the time; this file is their front. It holds back what a
//! blocked client sends, and turns what a server did into replies and events. It decides nothing.

use crate::bullmq::keys::Keys;
use crate::bullmq::scripts::{self, Call, NothingToFetch, QueueCall, Returned};
use crate::choices::{Access, Label};
use crate::clock::{Instant, Span};
use crate::database::{Database, Does, Done, Statement};
use crate::event::{Event, QueueEvent, Rolling, ServerId};
use crate::kernel::{self, ConnId, Out};
use crate::redis::{self, Bytes, ClientId, Command, Db, How, Key, Redis, Value};
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::rc::Rc;

/// What a process may touch.
pub type Ctx = kernel::Ctx<Servers>;

/// A process's connection to a server.
pub type Conn = kernel::Conn<Servers>;

/// Redis.
pub const REDIS: ServerId = ServerId(0);

/// The database.
pub const DATABASE: ServerId = ServerId(1);

/// What a client sends.
#[derive(Clone, Debug)]
pub enum Request {
    /// A command of Redis.
    Redis(Command),
    /// One of BullMQ's scripts: what the real client sends as EVAL or EVALSHA.
    Script(Rc<QueueCall>),
    /// A statement of the database.
    Database(Statement),
    /// A worker's wait for the marker of its queue: BZPOPMIN.
    Poll(Poll),
}

/// A worker with nothing to do waits for its queue's marker, for ten seconds at most, asks what is to
/// be had, and waits again. Where the scenario says that idle polls are skipped, it waits on at the
/// server for as long as it would be told what it knows: that nothing is to be had, and what is due
/// next. Whatever adds a job leaves the marker, and ends the wait at once; whatever else changes the
/// answer ends it when one of the waits would have ended. What differs from polls that are played is
/// that they take no message and no time: two round trips in ten seconds.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The queue's marker.
    pub marker: Rc<[Key]>,
    /// For how long it waits.
    pub timeout_ms: u64,
    /// What the last poll said.
    pub said: NothingToFetch,
    /// From when on the worker would wait for less, in true time; none: whenever that is.
    pub until: Option<Instant>,
}

impl Poll {
    /// BZPOPMIN, for so long or, with 0, for ever.
    fn wait(&self, timeout_ms: u64) -> Command {
        Command::BZPopMin { keys: self.marker.clone(), timeout_ms }
    }

    fn timeout(&self) -> Span {
        Span::from_ms(i64::try_from(self.timeout_ms).unwrap_or(i64::MAX))
    }

    /// Whether a poll that is over at an instant would be followed by the same again.
    fn goes_on(&self, db: &mut Db, now: Instant) -> bool {
        self.until.is_none_or(|until| now + self.timeout() <= until)
            && self.said.is_so(db, now.ms())
    }
}

/// How long nobody looks whether one who rests would learn something, at most.
const AT_MOST: Span = Span::from_secs(3600);

/// A poll that goes on while nothing comes of it.
#[derive(Debug)]
struct Rest {
    poll: Poll,
    /// When it began, and when a wait of it ends that may be the last.
    since: Instant,
    ends: Instant,
}

impl Rest {
    fn new(poll: Poll, since: Instant) -> Self {
        // What is to be had is asked at the first end: what the worker knows may be old.
        let ends = since + poll.timeout();
        Rest { poll, since, ends }
    }

    /// The end of a wait, the first one after an instant.
    fn end_after(&self, now: Instant) -> Instant {
        let each = self.poll.timeout().nanos().max(1);
        self.since + Span::from_nanos((now.since(self.since).nanos() / each + 1) * each)
    }

    /// It goes on, for as long as nothing changes, and an hour at most: who waits is not seen to wait
    /// for ever.
    fn go_on(&mut self, now: Instant) {
        let until = self.poll.until.map(|until| until - self.poll.timeout());
        let most = now + AT_MOST;
        self.ends = self.end_after(until.map_or(most, |until| until.clamp(now, most)));
    }
}

/// What it gets back.
#[derive(Debug)]
pub enum Reply {
    /// The reply to a command.
    Redis(redis::Reply),
    /// What a script returned.
    Script(Returned),
    /// A statement is done: whether anything came of it.
    Database(bool),
}

/// The words that are not a command's, before those that are.
const OWN_LABELS: [&str; 9] =
    ["connection", "query", "write", "lock", "unlock", "insert", "delete", "find", "jitter"];

/// The label of what is no request: a connection's close, a tie.
pub const CONNECTION: Label = Label(0);

/// The label of how long a failed job waits, where that is left to chance.
pub const JITTER: Label = Label(8);

const FIRST_COMMAND: u16 = OWN_LABELS.len() as u16;
const FIRST_SCRIPT: u16 = FIRST_COMMAND + Command::NAMES.len() as u16;

/// The label of the first draw of a scenario; the words before it are [`labels`].
pub const FIRST_DRAW: u16 = FIRST_SCRIPT + Call::NAMES.len() as u16;

/// The words for all requests, indexed by [`Label`].
pub fn labels() -> impl Iterator<Item = Rc<str>> {
    OWN_LABELS.into_iter().chain(Command::NAMES).chain(Call::NAMES).map(Rc::from)
}

/// All servers of a run.
#[derive(Default)]
pub struct Servers {
    redis: Redis,
    database: Database<ConnId>,
    fronts: Vec<Front>,
    events: Vec<QueueEvent>,
    unblocked: Vec<ClientId>,
    /// The polls that go on while nothing comes of them; none where all are played.
    rests: Option<BTreeMap<ClientId, Rest>>,
    /// Until when Redis executes nothing, and what came meanwhile.
    stalled: Option<Instant>,
    stalled_requests: VecDeque<(ConnId, Request)>,
}

/// A connection, as its server sees it.
struct Front {
    server: ServerId,
    /// What came while the client was blocked: Redis reads no command of such a client.
    held: VecDeque<Request>,
}

impl Servers {
    /// Redis executes nothing until an instant: what comes waits, in the order of coming.
    pub(crate) fn stall(&mut self, until: Instant) {
        self.stalled = Some(self.stalled.map_or(until, |other| other.max(until)));
    }

    /// Redis loses everything; clients stay connected and blocked.
    pub(crate) fn flush(&mut self, now: Instant) {
        self.redis.flush();
        self.disturb(now);
    }

    /// Redis starts again with what it held: nobody waits any more, and what came is forgotten.
    pub(crate) fn restart(&mut self) {
        self.stalled_requests.clear();
        self.rests.iter_mut().for_each(BTreeMap::clear);
        for (number, front) in
            (0..).zip(&mut self.fronts).filter(|(_, front)| front.server == REDIS)
        {
            front.held.clear();
            self.redis.disconnect(ClientId(number));
        }
    }

    /// What Redis holds at an instant, the last one.
    pub(crate) fn into_redis(self, end: Instant) -> Db {
        let mut db = self.redis.into_db();
        db.set_now(end.ms());
        db
    }

    /// What Redis holds.
    pub(crate) fn copy(&self) -> Db {
        self.redis.db().clone()
    }

    /// Redis holds this instead, while nobody is connected.
    pub(crate) fn restore(&mut self, copy: Db) {
        self.redis.restore(copy);
    }

    /// Redis gives up a key of a queue: whether it was there, and what that means.
    pub(crate) fn evict(
        &mut self,
        keys: &Keys,
        name: &Bytes,
        now: Instant,
    ) -> (bool, Vec<QueueEvent>) {
        let mut events = Vec::new();
        self.disturb(now);
        let held = self.redis.evict(|db| scripts::evict(name, keys, db, &mut events));
        (held, events)
    }

    /// From now on polls that find nothing are left out.
    pub(crate) fn skip_idle_polls(&mut self) {
        self.rests = Some(BTreeMap::new());
    }

    /// Something of Redis changed: who rests is told at the end of the wait that he is at.
    fn disturb(&mut self, now: Instant) {
        for rest in self.rests.iter_mut().flat_map(BTreeMap::values_mut) {
            rest.ends = rest.end_after(now);
        }
    }

    /// From now on says what each request meets: see [`Out::touch`].
    pub(crate) fn say_what_is_met(&mut self) {
        self.redis.note_what_is_met();
    }

    /// Adds to a hash all that the rest of the run hangs on, with connections by such names. Of
    /// streams that they are there: no client and no script of the library reads one.
    pub(crate) fn recall<N: Hash>(&self, into: &mut Rolling, name: impl Fn(ConnId) -> N) {
        for shown in self.redis.db().snapshot() {
            (shown.key.bytes(), shown.deadline_ms).hash(into);
            if !matches!(shown.value, Value::Stream(_)) {
                into.show(shown.value);
            }
        }
        for (key, clients) in self.redis.waiting() {
            key.bytes().hash(into);
            for (client, deadline_ms) in clients {
                (name(ConnId(client.0)), deadline_ms).hash(into);
            }
        }
        for (conn, front) in (0..).map(ConnId).zip(&self.fronts) {
            for held in &front.held {
                name(conn).hash(into);
                into.show(held);
            }
        }
        for (client, rest) in self.rests.iter().flatten() {
            name(ConnId(client.0)).hash(into);
            into.show(rest);
        }
        self.stalled.hash(into);
        for (conn, request) in &self.stalled_requests {
            name(*conn).hash(into);
            into.show(request);
        }
        self.database.recall(into, name);
    }

    /// Says what was met of Redis, and of what is the servers' own.
    fn meet(&mut self, out: &mut Out<Reply>) {
        if !out.listens() {
            return;
        }
        for (thing, how) in self.redis.met() {
            let access = match how {
                How::Peeked => Access::Peek,
                How::Read => Access::Read,
                How::Added => Access::Append,
                How::Written => Access::Write,
            };
            out.touch(thing, access);
        }
        if self.stalled.is_some() {
            // What comes waits in the order of coming.
            out.touch(u64::from(REDIS.0), Access::Write);
        }
    }

    fn execute(&mut self, conn: ConnId, request: Request, out: &mut Out<Reply>) -> bool {
        let client = ClientId(conn.0);
        let dirty = self.redis.db().dirty();
        let mut finds_nothing = false;
        match request {
            Request::Redis(command) => {
                if let Some(reply) = self.redis.execute(client, &command, out.now) {
                    out.reply(conn, Reply::Redis(reply));
                }
            }
            Request::Script(sent) => {
                let QueueCall { keys, version, by, call } = &*sent;
                let events = &mut self.events;
                let returned =
                    self.redis.script(out.now, |db| scripts::run(call, *version, keys, db, events));
                // A check for stalled jobs that finds none leaves what a fetch looks at as it is.
                finds_nothing =
                    self.events.is_empty() && matches!(call, Call::MoveStalledJobsToWait(_));
                for event in self.events.drain(..) {
                    out.emit(Event::Queue(keys.id, *by, event));
                }
                out.reply(conn, Reply::Script(returned));
            }
            Request::Poll(poll) => {
                let timeout_ms = if self.rests.is_some() { 0 } else { poll.timeout_ms };
                if let Some(reply) = self.redis.execute(client, &poll.wait(timeout_ms), out.now) {
                    out.reply(conn, Reply::Redis(reply));
                } else if let Some(rests) = &mut self.rests {
                    rests.insert(client, Rest::new(poll, out.now));
                }
            }
            Request::Database(statement) => {
                out.touch(u64::from(DATABASE.0), Access::Write);
                let changes = !matches!(statement.does, Does::Query | Does::Find(_));
                self.database.execute(conn, statement, out.now);
                return changes;
            }
        }
        self.serve(out);
        self.meet(out);
        let changed = self.redis.db().dirty() != dirty;
        if changed && !finds_nothing {
            self.disturb(out.now);
        }
        changed
    }

    /// Gives their replies to clients that were blocked, and reads on what they had sent since.
    fn serve(&mut self, out: &mut Out<Reply>) {
        for (client, reply) in self.redis.served() {
            if let Some(rests) = &mut self.rests {
                rests.remove(&client);
            }
            out.reply(ConnId(client.0), Reply::Redis(reply));
            self.unblocked.push(client);
        }
        if self.unblocked.is_empty() {
            return;
        }
        let mut unblocked = std::mem::take(&mut self.unblocked);
        for client in unblocked.drain(..) {
            let conn = ConnId(client.0);
            while !self.redis.is_blocked(client)
                && let Some(request) = self.fronts[conn.0 as usize].held.pop_front()
            {
                self.execute(conn, request, out);
            }
        }
        // Keep the memory.
        self.unblocked = unblocked;
    }

    /// The waits of those who rest that end now: whose worker would learn something is told that its
    /// time is up.
    fn end_rests(&mut self, now: Instant) {
        for (client, rest) in self.rests.iter_mut().flatten() {
            if rest.ends > now {
                continue;
            }
            if self.redis.script(now, |db| rest.poll.goes_on(db, now)) {
                rest.go_on(now);
            } else {
                self.redis.time_is_up(*client);
            }
        }
    }

    /// The first instant at which a wait of those who rest may end.
    fn next_rest(&self) -> Option<Instant> {
        self.rests.iter().flat_map(BTreeMap::values).map(|rest| rest.ends).min()
    }

    /// Answers the database's clients whose statements are done.
    fn answer(&mut self, out: &mut Out<Reply>) {
        while let Some(Done { client, wrote, did }) = self.database.done(out.now) {
            if let Some(write) = wrote {
                out.emit(Event::Rows { queue: write.queue, job: write.job, rows: write.rows });
            }
            out.reply(client, Reply::Database(did));
        }
    }
}

impl kernel::Servers for Servers {
    type Request = Request;
    type Reply = Reply;

    fn label(request: &Request) -> Label {
        match request {
            Request::Redis(command) => Label(FIRST_COMMAND + command.index()),
            Request::Poll(poll) => Label(FIRST_COMMAND + poll.wait(0).index()),
            Request::Script(script) => Label(FIRST_SCRIPT + script.call.index()),
            Request::Database(statement) => Label(match statement.does {
                Does::Query => 1,
                Does::Write(_) => 2,
                Does::Lock { .. } => 3,
                Does::Unlock { .. } => 4,
                Does::Insert(_) => 5,
                Does::Delete(_) => 6,
                Does::Find(_) => 7,
            }),
        }
    }

    fn opened(&mut self, conn: ConnId, server: ServerId) {
        assert_eq!(conn.0 as usize, self.fronts.len(), "connections open in order");
        self.fronts.push(Front { server, held: VecDeque::new() });
    }

    fn request(&mut self, conn: ConnId, request: Request, out: &mut Out<Reply>) -> bool {
        if self.stalled.is_some() && self.fronts[conn.0 as usize].server == REDIS {
            self.stalled_requests.push_back((conn, request));
            self.meet(out);
            return false;
        }
        if self.redis.is_blocked(ClientId(conn.0)) {
            self.fronts[conn.0 as usize].held.push_back(request);
            return false;
        }
        self.execute(conn, request, out)
    }

    fn closed(&mut self, conn: ConnId, out: &mut Out<Reply>) {
        let front = &mut self.fronts[conn.0 as usize];
        front.held.clear();
        if front.server == REDIS {
            self.stalled_requests.retain(|(of, _)| *of != conn);
            self.redis.disconnect(ClientId(conn.0));
            if let Some(rests) = &mut self.rests {
                rests.remove(&ClientId(conn.0));
            }
            self.meet(out);
        } else {
            out.touch(u64::from(DATABASE.0), Access::Write);
            self.database.disconnect(conn);
            self.answer(out);
        }
    }

    fn told(event: &Event) -> Option<u64> {
        // Which of two executions began first is seen by those who ask whether they overlap.
        let told = matches!(
            event,
            Event::Queue(_, _, QueueEvent::Started { .. } | QueueEvent::Ended { .. })
        );
        told.then_some(u64::from(DATABASE.0) + 1)
    }

    fn recall(reply: &Reply, into: &mut Rolling) {
        into.show(reply);
    }

    fn recall_request(request: &Request, into: &mut Rolling) {
        into.show(request);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let redis = match self.stalled {
            Some(until) => Some(until),
            None => self.redis.next_deadline().into_iter().chain(self.next_rest()).min(),
        };
        match (redis, self.database.next_deadline()) {
            (Some(redis), Some(database)) => Some(redis.min(database)),
            (redis, database) => redis.or(database),
        }
    }

    fn expire(&mut self, out: &mut Out<Reply>) {
        if self.stalled.is_none_or(|until| until <= out.now) {
            self.stalled = None;
            while let Some((conn, request)) = self.stalled_requests.pop_front() {
                self.request(conn, request, out);
            }
            self.redis.expire(out.now);
            self.end_rests(out.now);
            self.serve(out);
            self.meet(out);
        }
        self.answer(out);
    }
}
