//! What a run has come to where it is stopped, as one number: two runs that have the same go on alike, so
//! that what follows need be searched once.
//!
//! A future cannot be looked into, but it is a function of what it was told: replies, timers, SIGTERM
//! and the like, each with its instant. So a process that lives is the hash of all it has seen (never
//! too little: two processes may be alike that have seen different things, and then more is searched).
//! One that is dead is nothing but what its servers know of it, and they say that themselves. What
//! counters a run has asked or numbered by is left out: they name things, and nothing hangs on names.
//!
//! Timers of different processes that are due at one instant are handled in the order in which they
//! were set. Nobody can tell that order, since a process sees nothing of another but through servers:
//! it is left out, and the order between a process's own and what is planned is not.

use super::Servers;
use super::conn::ConnId;
use super::exec::Kernel;
use super::state::{Due, Entry, ProcId, State, live};
use crate::clock::Instant;
use crate::event::Rolling;
use std::hash::{Hash, Hasher as _};

/// What a process has seen, beside its boot.
#[derive(Clone, Copy, Hash)]
pub(super) enum Recalled {
    Reply,
    Timer,
    Terminated,
    Frozen,
    Unblocked,
    Clock,
    Opened,
    Broken,
    Drawn,
}

impl<S: Servers> State<S> {
    /// A process sees something.
    #[inline]
    pub(super) fn recall<T: Hash>(&mut self, proc: ProcId, what: impl FnOnce(&Self) -> T) {
        if self.recalls {
            let what = what(self);
            what.hash(&mut self.proc(proc).seen);
        }
    }

    fn end(&self, conn: ConnId) -> (ProcId, u16) {
        let conn = &self.conns[conn.0 as usize];
        (conn.proc, conn.number)
    }

    /// It gets a reply.
    #[inline]
    pub(super) fn recall_reply(&mut self, conn: ConnId, reply: &S::Reply) {
        if self.recalls {
            let of = &self.conns[conn.0 as usize];
            let seen = &mut self.procs[of.proc.0 as usize].seen;
            (Recalled::Reply, self.now, of.number).hash(seen);
            S::recall(reply, seen);
        }
    }
}

impl<S: Servers> Kernel<S> {
    /// Adds to a hash what the rest of the run hangs on, as far as the kernel knows it. `planned`
    /// adds what stands behind a token of [`Kernel::plan`]; the servers want to be called at
    /// `deadline`, and say the rest of themselves.
    ///
    /// Messages must take no time, and the run must rest or have been stopped at a question.
    pub fn recall(
        &self,
        into: &mut Rolling,
        deadline: Option<Instant>,
        planned: impl Fn(u32, &mut Rolling),
    ) {
        let state = &*self.state.borrow();
        (state.now, state.spared, state.choices.lives()).hash(into);
        for until in state.cuts.iter().chain(&state.held).flatten() {
            (*until).max(state.now).hash(into);
        }
        let flight = state.flight.as_ref().expect("the network has no time");
        for conn in flight.moving() {
            state.end(conn).hash(into);
            state.conns[conn.0 as usize].recall(into);
        }
        flight.closing.iter().for_each(|conn| state.end(*conn).hash(into));
        let mut due: Vec<&Entry> = state.heap.iter().filter(|entry| live(state, entry)).collect();
        due.sort_unstable_by_key(|entry| (entry.at, entry.seq));
        for (place, entry) in due.iter().enumerate() {
            if let Due::Plan(token) = entry.due {
                entry.at.hash(into);
                planned(token, into);
                let before = due[..place].iter().rev().take_while(|other| other.at == entry.at);
                let mut before = before.map(|other| other.due);
                let servers = before.any(|due| matches!(due, Due::Servers));
                (servers && deadline == Some(entry.at)).hash(into);
            }
        }
        for (number, process) in (0_u32..).zip(&state.procs).filter(|(_, of)| of.dead.is_none()) {
            (number, process.life, process.seen.finish(), process.clock).hash(into);
            // Its own timers stand as they do by what it has seen; between planned things they stand so:
            for entry in &due {
                match entry.due {
                    Due::Plan(_) => (0_u8, entry.at).hash(into),
                    Due::Timer(_) | Due::Unblock(_)
                        if state.concerned(entry.due) == process.life =>
                    {
                        (1_u8, entry.at).hash(into);
                    }
                    _ => {}
                }
            }
        }
    }

    /// A connection by a name that does not hang on who opened his first: whose, and which of his.
    pub fn end_of(&self, conn: ConnId) -> (ProcId, u16) {
        self.state.borrow().end(conn)
    }
}
