//! The kernel: processes, their tasks and timers, connections, and the run loop.
//!
//! It knows no Redis, no queue and no scenario: what a request means is the business of the
//! [`Servers`] that it delivers to. It decides nothing: every open question goes to `Choices`.
//! It never polls a future except in the order its process was woken in, and never moves time
//! except to the next thing that is due.

mod conn;
mod ctx;
mod exec;
mod flight;
mod race;
mod recall;
mod state;
#[cfg(test)]
mod tests;

pub use conn::{Closed, Conn, ConnId, Reply};
pub use ctx::{Block, Ctx, Sleep, Terminated};
pub use exec::{Kernel, Step};
pub use race::{Either, race};
pub use state::{Boot, End, Link, ProcId};

use crate::choices::{Access, Label, Touch};
use crate::clock::Instant;
use crate::event::{Event, Rolling, ServerId};

/// What the kernel carries messages to: synchronous, told the time, never asked a question.
pub trait Servers: 'static {
    /// What a client sends.
    type Request;
    /// What it gets back, once for each request, in order.
    type Reply;

    /// The word for a request.
    fn label(request: &Self::Request) -> Label;

    /// A request arrived. Replies go to `out`, now or at a later call. Returns whether it changed
    /// anything in the server.
    fn request(&mut self, conn: ConnId, request: Self::Request, out: &mut Out<Self::Reply>)
    -> bool;

    /// A connection opened, to one server of these.
    fn opened(&mut self, conn: ConnId, server: ServerId);

    /// A connection closed: what was blocked on it leaves, and nothing is owed to it any more.
    fn closed(&mut self, conn: ConnId, out: &mut Out<Self::Reply>);

    /// The number of that by which those who read events can tell the order of this one, which a
    /// process says, and another.
    fn told(_: &Event) -> Option<u64> {
        None
    }

    /// Adds all of a reply to a hash: what its process has seen.
    fn recall(_: &Self::Reply, _: &mut Rolling) {}

    /// Adds all of a request to a hash: what is in flight.
    fn recall_request(_: &Self::Request, _: &mut Rolling) {}

    /// When the servers want [`Servers::expire`] to be called, if nothing arrives before.
    fn next_deadline(&self) -> Option<Instant>;

    /// Something that the servers waited for is due.
    fn expire(&mut self, out: &mut Out<Self::Reply>);
}

/// What a server says while it executes: replies to any connection, and events.
pub struct Out<R> {
    /// The true time of the call.
    pub now: Instant,
    pub(crate) replies: Vec<(ConnId, R)>,
    pub(crate) events: Vec<Event>,
    /// What was met, where somebody asks.
    touched: Option<Vec<Touch>>,
}

impl<R> Out<R> {
    fn new() -> Self {
        let now = Instant::default();
        Out { now, replies: Vec::new(), events: Vec::new(), touched: None }
    }

    /// Whether [`Out::touch`] is listened to.
    pub fn listens(&self) -> bool {
        self.touched.is_some()
    }

    /// Says that the request has met a thing of this server. What no two requests can tell the order
    /// of need not be said.
    pub fn touch(&mut self, thing: u64, access: Access) {
        if let Some(touched) = &mut self.touched {
            touched.push(Touch { thing, access });
        }
    }

    /// Sends a reply on a connection.
    pub fn reply(&mut self, conn: ConnId, reply: R) {
        self.replies.push((conn, reply));
    }

    /// Says what happened.
    pub fn emit(&mut self, event: Event) {
        self.events.push(event);
    }
}
