//! The network without time: a message arrives when it is chosen to, and nothing else happens while
//! one is in flight but what is due at that instant already. So a run is an order of arrivals.
//!
//! A reply is no question where nothing is under way on another connection of its process: whatever
//! could happen before it happens to others, who cannot tell. Connections end as soon as what was sent has come.

use super::Servers;
use super::conn::ConnId;
use super::exec::Kernel;
use super::state::{Due, State, pop_live};
use crate::choices::{Access, Move, Touch};
use crate::clock::Instant;

/// What is in flight.
#[derive(Default)]
pub(super) struct Flight {
    /// What may happen next, by name.
    moves: Vec<Move>,
    /// The connection of each.
    conns: Vec<ConnId>,
    /// Connections that are shut and whose servers do not know it yet.
    pub(super) closing: Vec<ConnId>,
    /// What is in flight and held back.
    held: Vec<(Move, ConnId)>,
    /// A move was made, and nobody was told what it met.
    untold: bool,
    /// What it met beside what the servers say.
    pub(super) met: Vec<Touch>,
}

/// What the run loop is to do.
pub(super) enum Next {
    Do(Due),
    Idle,
    /// The policy lets another run go on from here.
    Rest,
    /// The policy has seen all that this run can come to.
    Stop,
}

impl Flight {
    /// Whether anything may happen next.
    pub(super) fn moves(&self) -> bool {
        !self.moves.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.moves.clear();
        self.conns.clear();
        self.closing.clear();
        self.held.clear();
        self.untold = false;
        self.met.clear();
    }

    /// The connections on which something moves, by the names of the moves, then those on which
    /// something is held back.
    pub(super) fn moving(&self) -> impl Iterator<Item = ConnId> {
        self.conns.iter().copied().chain(self.held.iter().map(|(_, conn)| *conn))
    }

    fn add(&mut self, name: Move, conn: ConnId) {
        if let Err(place) = self.moves.binary_search(&name) {
            self.moves.insert(place, name);
            self.conns.insert(place, conn);
        }
    }

    fn remove(&mut self, place: usize) -> ConnId {
        self.moves.remove(place);
        self.conns.remove(place)
    }

    fn forget(&mut self, name: Move) {
        self.held.retain(|(held, _)| *held != name);
        if let Ok(place) = self.moves.binary_search(&name) {
            self.remove(place);
        }
    }
}

impl Move {
    /// Of two replies to one process the order matters to it.
    fn process(self) -> Touch {
        Touch { thing: u64::MAX - u64::from(self.life.0), access: Access::Write }
    }

    /// Whether a request arrives before its client has gone matters to the server, and to what the
    /// client's going does there: a reply that lets it go has met all that is in flight to the server.
    fn end(self) -> Touch {
        let number = u64::from(self.life.0) << 16 | u64::from(self.conn);
        Touch { thing: (u64::MAX >> 1) - number, access: Access::Write }
    }
}

impl<S: Servers> State<S> {
    fn name(&self, conn: ConnId, reply: bool) -> Move {
        let of = &self.conns[conn.0 as usize];
        Move { life: self.procs[of.proc.0 as usize].life, conn: of.number, reply }
    }

    /// A connection has a message in flight: a request, or a reply.
    pub(super) fn take_off(&mut self, conn: ConnId, reply: bool) {
        let name = self.name(conn, reply);
        let held = self.is_held(conn);
        let flight = self.flight.as_mut().expect("the network has no time");
        match held {
            false => flight.add(name, conn),
            true if flight.held.contains(&(name, conn)) => {}
            true => flight.held.push((name, conn)),
        }
    }

    /// Takes what is held back now out of what may happen next, until an instant.
    pub(super) fn ground(&mut self, until: Instant) {
        let flight = self.flight.as_ref().expect("the network has no time");
        let each: Vec<_> = flight.moves.iter().copied().zip(flight.conns.iter().copied()).collect();
        for (name, conn) in each {
            if !self.is_held(conn) {
                continue;
            }
            let flight = self.flight.as_mut().expect("just seen");
            flight.forget(name);
            flight.held.push((name, conn));
        }
        self.push(until, Due::Heal);
    }

    /// Puts what is not held back any more among what may happen next.
    pub(super) fn heal(&mut self) {
        let flight = self.flight.as_mut().expect("the network has no time");
        for (name, conn) in std::mem::take(&mut flight.held) {
            self.take_off(conn, name.reply);
        }
    }

    /// A connection has shut: its replies have no reader, and some of its requests may be lost.
    pub(super) fn land(&mut self, conn: ConnId) {
        let (request, reply) = (self.name(conn, false), self.name(conn, true));
        let lost = !self.conns[conn.0 as usize].has_request();
        let flight = self.flight.as_mut().expect("the network has no time");
        // What arrives on it later arrives at a connection that ends.
        flight.met.push(request.end());
        flight.forget(reply);
        if lost {
            flight.forget(request);
        }
        flight.closing.push(conn);
    }

    /// A connection whose end its server is to learn now.
    fn closing(&mut self) -> Option<Due> {
        let flight = self.flight.as_mut()?;
        let conns = &self.conns;
        let done = |conn: &ConnId| !conns[conn.0 as usize].has_request();
        let place = flight.closing.iter().position(done)?;
        Some(Due::Close(flight.closing.remove(place)))
    }

    /// The place of a reply beside which nothing is under way on another connection of its process.
    fn plain_reply(&self) -> Option<usize> {
        let flight = self.flight.as_ref()?;
        let alone = |conn: &ConnId| {
            let of = &self.conns[conn.0 as usize];
            self.procs[of.proc.0 as usize].awaiting as usize == of.awaited()
        };
        let mut each = flight.moves.iter().zip(&flight.conns);
        each.position(|(name, conn)| name.reply && alone(conn))
    }

    /// Makes a move: what is due, and whether more of the same is in flight.
    fn fly(&mut self, place: usize) -> Due {
        let flight = self.flight.as_mut().expect("something is in flight");
        let (name, conn) = (flight.moves[place], flight.conns[place]);
        let of = &self.conns[conn.0 as usize];
        let more = if name.reply { of.replies() } else { of.requests() } > 1;
        if !more {
            flight.remove(place);
        }
        if name.reply { Due::Answer(conn) } else { Due::Arrive(conn) }
    }
}

impl<S: Servers> Kernel<S> {
    /// Messages take no time from now on, and their order is asked. Nothing may be in flight.
    pub fn without_time(&mut self) {
        let mut state = self.state.borrow_mut();
        state.flight = Some(Flight::default());
        state.recalls = state.choices.compares();
        self.out.touched = state.choices.reduces().then(Vec::new);
    }

    /// What happens next: what is due at this instant, then what is in flight, then what is due
    /// later.
    pub(super) fn next_in_order(&mut self, until: Instant) -> Next {
        let state = &mut *self.state.borrow_mut();
        if let Some(close) = state.closing() {
            return Next::Do(close);
        }
        let now = state.now;
        if let Some(entry) = pop_live(state, now) {
            return Next::Do(entry.due);
        }
        if let Some(place) = state.plain_reply() {
            return Next::Do(state.fly(place));
        }
        let flight = state.flight.as_mut().expect("the network has no time");
        if std::mem::take(&mut flight.untold)
            && let Some(touched) = &mut self.out.touched
        {
            touched.append(&mut flight.met);
            state.choices.moved(touched);
            touched.clear();
        }
        if flight.moves.is_empty() {
            if state.choices.rests() {
                return Next::Rest;
            }
            let Some(entry) = pop_live(state, until) else { return Next::Idle };
            state.now = entry.at;
            return Next::Do(entry.due);
        }
        // What was met since belongs to no move: it is due in any case.
        flight.met.clear();
        self.out.touched.iter_mut().for_each(Vec::clear);
        let Some(place) = state.choices.order(&flight.moves) else { return Next::Stop };
        flight.untold = true;
        let name = flight.moves[place];
        flight.met.push(if name.reply { name.process() } else { name.end() });
        Next::Do(state.fly(place))
    }
}

const _: () = assert!(size_of::<Touch>() <= 16, "footprints are kept by the million");
