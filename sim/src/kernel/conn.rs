//! Connections: FIFO both ways. A request belongs to its connection from the moment it is sent, so
//! that dropping the future that waits for its reply takes nothing back.

use super::ctx::Ctx;
use super::recall::Recalled;
use super::state::{Due, ProcId, State, Waiter};
use super::{Out, Servers};
use crate::choices::{Label, LifeId, Odds, Site};
use crate::clock::Instant;
use crate::event::{Event, Rolling, ServerId, Stamp};
use crate::mutants::{Mutant, planted};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::hash::Hash as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A connection, as an index into the run's connections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u32);

/// The two ends of one connection and what is between them.
pub(super) struct ConnState<S: Servers> {
    pub(super) proc: ProcId,
    pub(super) server: ServerId,
    /// Which of its process's connections it is.
    pub(super) number: u16,
    /// The client closed it, or died; or it broke.
    shut: bool,
    /// It broke: neither end closed it.
    broken: bool,
    /// Who wants to know when it breaks or is closed.
    on_end: Option<Waiter>,
    /// The server has seen the close.
    gone: bool,
    last_up: Instant,
    last_down: Instant,
    requests: VecDeque<(Label, S::Request)>,
    replies: VecDeque<S::Reply>,
    /// Who waits for the next replies, in order.
    waiting: VecDeque<(Label, u32)>,
}

impl<S: Servers> ConnState<S> {
    /// Whether a request is on its way. Where a kill lost some, those that are left arrive first.
    pub(super) fn has_request(&self) -> bool {
        !self.requests.is_empty()
    }

    /// How many requests are on their way.
    pub(super) fn requests(&self) -> usize {
        self.requests.len()
    }

    /// How many replies its process waits for.
    pub(super) fn awaited(&self) -> usize {
        self.waiting.len()
    }

    /// How many replies are.
    pub(super) fn replies(&self) -> usize {
        self.replies.len()
    }

    /// Adds to a hash all that is on its way on it.
    pub(super) fn recall(&self, into: &mut Rolling) {
        (self.requests.len(), self.replies.len(), self.shut).hash(into);
        for (_, request) in &self.requests {
            S::recall_request(request, into);
        }
        for reply in &self.replies {
            S::recall(reply, into);
        }
    }

    /// Whether replies are still read.
    pub(super) fn has_reader(&self) -> bool {
        !self.shut
    }

    fn closed(&self) -> Closed {
        if self.broken { Closed::Broken } else { Closed::Here }
    }
}

/// What becomes of the requests under way when a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InFlight {
    /// All arrive: the process has closed it.
    Arrives,
    /// The last ones may be lost: the process has died, or the network.
    MayBeLost,
    /// None arrives: the server has died.
    IsLost,
}

/// Where one reply is awaited: by a connection that owes it and a future that wants it.
pub(super) enum Slot<R> {
    Free,
    Waiting(Option<Waiter>),
    Ready(R),
    /// There is none to come: why, or it has been taken.
    Closed(Closed),
    /// The process is dead.
    Never,
    /// Nobody wants it any more; the reply is dropped when it comes.
    Abandoned,
}

/// A process's end of a connection. It closes when [`Conn::close`] is called or its process ends.
pub struct Conn<S: Servers> {
    ctx: Ctx<S>,
    id: ConnId,
}

impl<S: Servers> Clone for Conn<S> {
    fn clone(&self) -> Self {
        Conn { ctx: self.ctx.clone(), id: self.id }
    }
}

impl<S: Servers> Conn<S> {
    pub(super) fn open(ctx: Ctx<S>, server: ServerId) -> Self {
        let mut state = ctx.state.borrow_mut();
        let id =
            ConnId(u32::try_from(state.conns.len()).expect("fewer than 2^32 connections in a run"));
        let proc = ctx.proc;
        let number = state.proc(proc).opened;
        state.proc(proc).opened += 1;
        let broken = state.is_cut(proc, server);
        let shut = broken || !state.alive(proc);
        let held = state.held_until(proc, server);
        state.recall(proc, |_| (Recalled::Opened, broken));
        let (mut requests, mut replies, mut waiting) = match state.spare_conns.pop() {
            Some(ConnState { requests, replies, waiting, .. }) => (requests, replies, waiting),
            None => Default::default(),
        };
        requests.clear();
        replies.clear();
        waiting.clear();
        state.conns.push(ConnState {
            proc,
            server,
            number,
            shut,
            broken,
            on_end: None,
            gone: false,
            last_up: held,
            last_down: held,
            requests,
            replies,
            waiting,
        });
        state.proc(proc).conns.push(id);
        state.opened.push(id);
        drop(state);
        Conn { ctx, id }
    }

    /// Which connection this is.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// The process's context.
    pub fn ctx(&self) -> &Ctx<S> {
        &self.ctx
    }

    /// Sends a request now, whether or not the reply is awaited, and returns the reply to come.
    /// On a connection that has ended nothing is sent and the reply is [`Closed`]; in a process that
    /// is dead nothing is sent and the reply never comes.
    pub fn call(&self, request: S::Request) -> Reply<S> {
        let mut state = self.ctx.state.borrow_mut();
        let label = S::label(&request);
        let slot = state.slot();
        if !state.kill_point(self.ctx.proc) {
            state.slots[slot as usize] = Slot::Never;
        } else if state.conns[self.id.0 as usize].shut {
            let closed = state.conns[self.id.0 as usize].closed();
            state.slots[slot as usize] = Slot::Closed(closed);
        } else {
            state.send(self.id, label, request, slot);
            state.kill_point_between(self.ctx.proc);
        }
        Reply { state: self.ctx.state.clone(), slot }
    }

    /// Closes the connection, after everything that was sent on it has arrived. Replies that are
    /// still awaited come as [`Closed`].
    pub fn close(&self) {
        self.ctx.state.borrow_mut().shut(self.id, InFlight::Arrives);
    }

    /// Waits until the connection has ended, and says why. One task of the process may wait.
    pub fn ended(&self) -> Ended<S> {
        Ended { conn: self.clone() }
    }
}

/// The end of a connection, to come.
pub struct Ended<S: Servers> {
    conn: Conn<S>,
}

impl<S: Servers> Future for Ended<S> {
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closed> {
        let state = &mut *self.conn.ctx.state.borrow_mut();
        let waiter = state.waiter(cx);
        let conn = &mut state.conns[self.conn.id.0 as usize];
        if conn.shut {
            return Poll::Ready(conn.closed());
        }
        conn.on_end = Some(waiter);
        Poll::Pending
    }
}

impl<S: Servers> State<S> {
    fn slot(&mut self) -> u32 {
        if let Some(slot) = self.free_slots.pop() {
            self.slots[slot as usize] = Slot::Waiting(None);
            return slot;
        }
        self.slots.push(Slot::Waiting(None));
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 replies awaited at once")
    }

    fn send(&mut self, id: ConnId, label: Label, request: S::Request, slot: u32) {
        let conn = &mut self.conns[id.0 as usize];
        conn.requests.push_back((label, request));
        conn.waiting.push_back((label, slot));
        let proc = conn.proc;
        self.proc(proc).awaiting += 1;
        if self.flight.is_some() {
            return self.take_off(id, false);
        }
        let delay = self.delay(id, Site::Send, label);
        let now = self.now;
        let conn = &mut self.conns[id.0 as usize];
        let at = conn.last_up.max(now + delay);
        conn.last_up = at;
        self.push(at, Due::Arrive(id));
    }

    /// Shuts the client's end.
    pub(super) fn shut(&mut self, id: ConnId, in_flight: InFlight) {
        let conn = &mut self.conns[id.0 as usize];
        if conn.shut {
            return;
        }
        conn.shut = true;
        let (on_end, closed) = (conn.on_end.take(), conn.closed());
        let (sent, proc) = (conn.requests.len(), conn.proc);
        let life = self.procs[proc.0 as usize].life;
        let lost = match in_flight {
            // Without time, what was sent before a kill and is lost is what an earlier kill takes.
            InFlight::MayBeLost if sent > 0 && self.flight.is_none() => {
                let bound = u32::try_from(sent + 1).expect("the queue of a socket is bounded");
                self.choices.ask(life, Site::Loss, Label(0), bound, Odds::Even) as usize
            }
            InFlight::Arrives | InFlight::MayBeLost => 0,
            InFlight::IsLost => sent,
        };
        self.conns[id.0 as usize].requests.truncate(sent - lost);
        if self.flight.is_some() {
            self.land(id);
        } else {
            let delay = self.delay(id, Site::Send, Label(0));
            let at = self.conns[id.0 as usize].last_up.max(self.now + delay);
            self.push(at, Due::Close(id));
        }
        let waiting = std::mem::take(&mut self.conns[id.0 as usize].waiting);
        self.proc(proc).awaiting -= waiting.len() as u32;
        for (_, slot) in waiting {
            self.release(slot, closed);
        }
        self.wake(on_end);
    }

    /// Breaks the connections between a server and the processes on one network, or on all, where
    /// the server itself is gone: see [`super::Kernel::cut`].
    pub(super) fn cut(&mut self, network: Option<u16>, server: ServerId, until: Instant) {
        let in_flight = network.map_or(InFlight::IsLost, |_| InFlight::MayBeLost);
        for (number, cuts) in self.cuts.iter_mut().enumerate() {
            if network.is_none_or(|network| usize::from(network) == number) {
                let cut = &mut cuts[usize::from(server.0)];
                *cut = (*cut).max(until);
            }
        }
        for id in (0..self.conns.len() as u32).map(ConnId) {
            let conn = &self.conns[id.0 as usize];
            let network_of = self.procs[conn.proc.0 as usize].network;
            let affected = conn.server == server && network.is_none_or(|of| of == network_of);
            if affected && !conn.shut {
                let (proc, number) = (conn.proc, conn.number);
                self.recall(proc, |state| (Recalled::Broken, state.now, number));
                self.conns[id.0 as usize].broken = true;
                self.shut(id, in_flight);
            }
        }
    }

    /// Whether a process cannot reach a server now.
    fn is_cut(&self, proc: ProcId, server: ServerId) -> bool {
        let network = self.procs[proc.0 as usize].network;
        self.now < self.cuts[usize::from(network)][usize::from(server.0)]
    }

    /// Until when what a process and a server send each other is held back.
    fn held_until(&self, proc: ProcId, server: ServerId) -> Instant {
        let network = self.procs[proc.0 as usize].network;
        self.held[usize::from(network)][usize::from(server.0)]
    }

    /// Whether what is sent on a connection is held back now.
    pub(super) fn is_held(&self, id: ConnId) -> bool {
        let conn = &self.conns[id.0 as usize];
        self.now < self.held_until(conn.proc, conn.server)
    }

    /// Holds back what processes on one network and a server send each other: see
    /// [`super::Kernel::hold`]. What is sent from now on comes after what was sent before.
    pub(super) fn hold(&mut self, network: u16, server: ServerId, until: Instant) {
        let held = &mut self.held[usize::from(network)][usize::from(server.0)];
        let until = until.max(*held);
        *held = until;
        if self.flight.is_some() {
            self.ground(until);
            return;
        }
        let procs = &self.procs;
        let affected = |conn: &ConnState<S>| {
            conn.server == server && procs[conn.proc.0 as usize].network == network
        };
        for conn in self.conns.iter_mut().filter(|conn| affected(conn)) {
            conn.last_up = conn.last_up.max(until);
            conn.last_down = conn.last_down.max(until);
        }
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        for entry in &mut entries {
            let (Due::Arrive(id) | Due::Answer(id) | Due::Close(id)) = entry.due else { continue };
            if affected(&self.conns[id.0 as usize]) {
                entry.at = entry.at.max(until);
            }
        }
        self.heap = entries.into();
    }

    /// No reply will come for this slot: says so to whoever waits.
    fn release(&mut self, slot: u32, why: Closed) {
        match std::mem::replace(&mut self.slots[slot as usize], Slot::Closed(why)) {
            Slot::Abandoned => self.free_slot(slot),
            Slot::Waiting(waiter) => self.wake(waiter),
            Slot::Free | Slot::Ready(_) | Slot::Closed(_) | Slot::Never => {
                unreachable!("the connection owes this reply")
            }
        }
    }

    /// Nobody waits for this slot any more.
    fn abandon(&mut self, slot: u32) {
        match self.slots[slot as usize] {
            Slot::Waiting(_) => self.slots[slot as usize] = Slot::Abandoned,
            _ => self.free_slot(slot),
        }
    }

    fn free_slot(&mut self, slot: u32) {
        self.slots[slot as usize] = Slot::Free;
        self.free_slots.push(slot);
    }

    /// Takes a request off its connection, with its event.
    pub(super) fn arrive(&mut self, id: ConnId) -> S::Request {
        let conn = &mut self.conns[id.0 as usize];
        let (label, request) = conn.requests.pop_front().expect("what is due has a request");
        let (server, proc) = (conn.server, conn.proc);
        let life = self.procs[proc.0 as usize].life;
        self.emit(life, Event::Command { server, label, changed: false });
        request
    }

    /// The server's end has seen the close; returns whether it had not before.
    pub(super) fn gone(&mut self, id: ConnId) -> bool {
        let conn = &mut self.conns[id.0 as usize];
        let (server, proc) = (conn.server, conn.proc);
        let first = !std::mem::replace(&mut conn.gone, true);
        let life = self.procs[proc.0 as usize].life;
        self.emit(life, Event::Closed { server });
        first
    }

    /// Takes what the servers said: replies go on their way, events to the stream.
    pub(super) fn take_out(&mut self, life: LifeId, changed: bool, out: &mut Out<S::Reply>) {
        if changed && let Some((_, Event::Command { changed, .. })) = self.events.last_mut() {
            *changed = true;
        }
        if !out.events.is_empty() {
            let stamp = Stamp { at: self.now, life };
            self.events.extend(out.events.drain(..).map(|event| (stamp, event)));
        }
        for (id, reply) in out.replies.drain(..) {
            self.answer(id, reply);
        }
    }

    fn answer(&mut self, id: ConnId, reply: S::Reply) {
        let conn = &self.conns[id.0 as usize];
        if conn.shut {
            return;
        }
        let (label, _) = conn.waiting[conn.replies.len()];
        if self.flight.is_some() {
            self.conns[id.0 as usize].replies.push_back(reply);
            return self.take_off(id, true);
        }
        let delay = self.delay(id, Site::Reply, label);
        let now = self.now;
        let conn = &mut self.conns[id.0 as usize];
        let at = conn.last_down.max(now + delay);
        conn.last_down = at;
        conn.replies.push_back(reply);
        self.push(at, Due::Answer(id));
    }

    /// Hands a reply to whoever waits for it.
    pub(super) fn deliver(&mut self, id: ConnId) {
        let conn = &mut self.conns[id.0 as usize];
        let reply = conn.replies.pop_front().expect("what is due has a reply");
        let proc = conn.proc;
        if !self.kill_point_between(proc) && !planted(Mutant::X2) {
            return;
        }
        self.proc(proc).awaiting -= 1;
        let (label, slot) =
            self.conns[id.0 as usize].waiting.pop_front().expect("a reply answers a request");
        let life = self.procs[proc.0 as usize].life;
        self.recall_reply(id, &reply);
        self.emit(life, Event::Answered { label });
        match std::mem::replace(&mut self.slots[slot as usize], Slot::Ready(reply)) {
            Slot::Waiting(waiter) => self.wake(waiter),
            Slot::Abandoned => self.free_slot(slot),
            Slot::Free | Slot::Ready(_) | Slot::Closed(_) | Slot::Never => {
                unreachable!("a slot waits for one reply")
            }
        }
    }
}

/// A reply to come. Dropping it does not unsend the request.
pub struct Reply<S: Servers> {
    state: Rc<RefCell<State<S>>>,
    slot: u32,
}

/// Why no reply comes. What was sent may have had its effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The process closed the connection.
    Here,
    /// The connection broke, or the server could not be reached when it was opened.
    Broken,
}

impl<S: Servers> Future for Reply<S> {
    type Output = Result<S::Reply, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let state = &mut *self.state.borrow_mut();
        let slot = self.slot as usize;
        if matches!(state.slots[slot], Slot::Waiting(_)) {
            state.slots[slot] = Slot::Waiting(Some(state.waiter(cx)));
            return Poll::Pending;
        }
        let slot = &mut state.slots[slot];
        match slot {
            Slot::Never => Poll::Pending,
            Slot::Closed(why) => Poll::Ready(Err(*why)),
            Slot::Ready(_) => match std::mem::replace(slot, Slot::Closed(Closed::Here)) {
                Slot::Ready(reply) => Poll::Ready(Ok(reply)),
                _ => unreachable!("just seen"),
            },
            Slot::Free | Slot::Abandoned | Slot::Waiting(_) => {
                unreachable!("this future holds the slot and does not wait")
            }
        }
    }
}

impl<S: Servers> Drop for Reply<S> {
    fn drop(&mut self) {
        self.state.borrow_mut().abandon(self.slot);
    }
}
