//! The servers of a run and what travels to them: Redis with BullMQ's scripts, and the database.
//!
//! Each server is synchronous and is told the time; this file is their front. It holds back what a
//! blocked client sends, and turns what a server did into replies and events. It decides nothing.

use crate::bullmq::scripts::{self, Call, QueueCall, Returned};
use crate::choices::Label;
use crate::clock::Instant;
use crate::database::{Database, Statement};
use crate::event::{Event, QueueEvent, ServerId};
use crate::kernel::{self, ConnId, Out};
use crate::redis::{self, ClientId, Command, Redis};
use std::collections::VecDeque;
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
#[derive(Debug)]
pub enum Request {
    /// A command of Redis.
    Redis(Command),
    /// One of BullMQ's scripts: what the real client sends as EVAL or EVALSHA.
    Script(QueueCall),
    /// A statement of the database.
    Database(Statement),
}

/// What it gets back.
#[derive(Debug)]
pub enum Reply {
    /// The reply to a command.
    Redis(redis::Reply),
    /// What a script returned.
    Script(Returned),
    /// A statement is done.
    Database,
}

/// The words that are not a command's, before those that are.
const OWN_LABELS: [&str; 3] = ["connection", "query", "write"];

/// The label of what is no request: a connection's close, a tie.
pub const CONNECTION: Label = Label(0);

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
}

/// A connection, as its server sees it.
struct Front {
    server: ServerId,
    /// What came while the client was blocked: Redis reads no command of such a client.
    held: VecDeque<Request>,
}

impl Servers {
    fn execute(&mut self, conn: ConnId, request: Request, out: &mut Out<Reply>) -> bool {
        let client = ClientId(conn.0);
        let dirty = self.redis.db().dirty();
        match request {
            Request::Redis(command) => {
                if let Some(reply) = self.redis.execute(client, &command, out.now) {
                    out.reply(conn, Reply::Redis(reply));
                }
            }
            Request::Script(QueueCall { keys, call }) => {
                let events = &mut self.events;
                let returned =
                    self.redis.script(out.now, |db| scripts::run(call, &keys, db, events));
                for event in self.events.drain(..) {
                    out.emit(Event::Queue(keys.id, event));
                }
                out.reply(conn, Reply::Script(returned));
            }
            Request::Database(statement) => {
                let writes = statement.writes.is_some();
                self.database.execute(conn, statement, out.now);
                return writes;
            }
        }
        self.serve(out);
        self.redis.db().dirty() != dirty
    }

    /// Gives their replies to clients that were blocked, and reads on what they had sent since.
    fn serve(&mut self, out: &mut Out<Reply>) {
        for (client, reply) in self.redis.served() {
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
}

impl kernel::Servers for Servers {
    type Request = Request;
    type Reply = Reply;

    fn label(request: &Request) -> Label {
        match request {
            Request::Redis(command) => Label(FIRST_COMMAND + command.index()),
            Request::Script(script) => Label(FIRST_SCRIPT + script.call.index()),
            Request::Database(Statement { writes: None, .. }) => Label(1),
            Request::Database(_) => Label(2),
        }
    }

    fn opened(&mut self, conn: ConnId, server: ServerId) {
        assert_eq!(conn.0 as usize, self.fronts.len(), "connections open in order");
        self.fronts.push(Front { server, held: VecDeque::new() });
    }

    fn request(&mut self, conn: ConnId, request: Request, out: &mut Out<Reply>) -> bool {
        if self.redis.is_blocked(ClientId(conn.0)) {
            self.fronts[conn.0 as usize].held.push_back(request);
            return false;
        }
        self.execute(conn, request, out)
    }

    fn closed(&mut self, conn: ConnId, _: &mut Out<Reply>) {
        let front = &mut self.fronts[conn.0 as usize];
        front.held.clear();
        if front.server == REDIS {
            self.redis.disconnect(ClientId(conn.0));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        match (self.redis.next_deadline(), self.database.next_deadline()) {
            (Some(redis), Some(database)) => Some(redis.min(database)),
            (redis, database) => redis.or(database),
        }
    }

    fn expire(&mut self, out: &mut Out<Reply>) {
        self.redis.expire(out.now);
        self.serve(out);
        while let Some((conn, writes)) = self.database.done(out.now) {
            if let Some(write) = writes {
                out.emit(Event::Rows { queue: write.queue, job: write.job, rows: write.rows });
            }
            out.reply(conn, Reply::Database);
        }
    }
}
