//! What a process may touch: its clock, sleep, block, spawn, emit, connections. Nothing else.
//!
//! A `Ctx` of a process that is dead is inert: it sends nothing, emits nothing, asks nothing, and
//! its futures never finish, so that no destructor can act after a kill.

use super::Servers;
use super::conn::Conn;
use super::recall::Recalled;
use super::state::{Due, End, ProcId, State, Timer};
use crate::choices::{Label, LifeId};
use crate::civil::Zone;
use crate::clock::{Instant, Span};
use crate::event::{Event, ServerId};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What a process may touch. Cheap to clone; valid for one life.
pub struct Ctx<S: Servers> {
    pub(super) state: Rc<RefCell<State<S>>>,
    pub(super) proc: ProcId,
}

impl<S: Servers> Clone for Ctx<S> {
    fn clone(&self) -> Self {
        Ctx { state: self.state.clone(), proc: self.proc }
    }
}

impl<S: Servers> Ctx<S> {
    /// JavaScript's `Date.now()`: milliseconds since the epoch, by this process's own clock.
    pub fn now_ms(&self) -> i64 {
        let mut state = self.state.borrow_mut();
        let now = state.now;
        state.proc(self.proc).clock.now_ms(now)
    }

    /// True time, for facts that a process could not know; no model of a client may use it.
    pub fn true_time(&self) -> Instant {
        self.state.borrow().now
    }

    /// The life that this process is.
    pub fn life(&self) -> LifeId {
        self.state.borrow_mut().proc(self.proc).life
    }

    /// Who that is: `worker-3.2` is the second life of the third container of service `worker`. No
    /// two lives of a run have one name.
    pub fn name(&self) -> String {
        let mut state = self.state.borrow_mut();
        let life = state.proc(self.proc).life;
        state.choices.name(life).to_string()
    }

    /// The process's own time zone (`TZ`).
    pub fn zone(&self) -> Zone {
        self.state.borrow_mut().proc(self.proc).zone.clone()
    }

    /// Opens a connection to a server.
    pub fn connect(&self, server: ServerId) -> Conn<S> {
        Conn::open(self.clone(), server)
    }

    /// Waits, by the process's own timers. They count whole milliseconds and are never early, as
    /// Node's: measured, a check that sleeps for as long as a key lives finds the key gone.
    pub fn sleep(&self, span: impl Into<Span>) -> Sleep<S> {
        let mut state = self.state.borrow_mut();
        let at = state.now.ceil_ms() + state.proc(self.proc).clock.timer(span.into());
        drop(state);
        self.sleep_until(at)
    }

    /// Waits for the next tick of a timer that was armed at `armed` and is armed anew at each tick.
    pub fn next_tick(&self, armed: Instant, period: Span) -> Sleep<S> {
        let mut state = self.state.borrow_mut();
        let period = state.proc(self.proc).clock.timer(period).nanos().max(1);
        let armed = armed.ceil_ms();
        let passed = state.now.since(armed).nanos() / period;
        drop(state);
        self.sleep_until(armed + Span::from_nanos((passed + 1).saturating_mul(period)))
    }

    fn sleep_until(&self, at: Instant) -> Sleep<S> {
        let mut state = self.state.borrow_mut();
        let timer = state.timer(self.proc);
        if state.alive(self.proc) {
            let seq = state.push(at, Due::Timer(timer));
            state.timers[timer as usize].seq = Some(seq);
        }
        Sleep { state: self.state.clone(), timer }
    }

    /// Blocks the process's event loop: until `span` is over no task of it is polled and no timer
    /// or reply is handled.
    pub fn block(&self, span: impl Into<Span>) -> Block<S> {
        Block { ctx: self.clone(), span: span.into(), until: None }
    }

    /// Lets every other task of the process that is ready have its turn.
    pub fn turn(&self) -> Turn {
        Turn(false)
    }

    /// Runs a future beside this one, from the next turn of the process's tasks on.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let mut state = self.state.borrow_mut();
        if state.alive(self.proc) {
            state.spawned.push((self.proc, Box::pin(future)));
        }
    }

    /// Says what happened.
    pub fn emit(&self, event: Event) {
        let mut state = self.state.borrow_mut();
        if state.alive(self.proc) {
            let life = state.proc(self.proc).life;
            state.emit(life, event);
        }
    }

    /// Draws from a range of the scenario: one of sixteen quantiles, the lower end being plain.
    pub fn draw(&self, label: Label, least: Span, most: Span) -> Span {
        let mut state = self.state.borrow_mut();
        if !state.alive(self.proc) {
            return least;
        }
        let life = state.proc(self.proc).life;
        let drawn = state.draw(life, label, least, most);
        state.recall(self.proc, |_| (Recalled::Drawn, drawn));
        drawn
    }

    /// A point at which a kill may fall, beside those that sends and replies are.
    pub fn kill_point(&self) {
        self.state.borrow_mut().kill_point(self.proc);
    }

    /// Ends the process with an exit code. What was sent has been sent; nothing else happens.
    pub fn exit(&self, code: u8) {
        self.state.borrow_mut().die(self.proc, End::Exited(code));
    }

    /// Finishes when the process is asked to end (SIGTERM).
    pub fn terminated(&self) -> Terminated<S> {
        Terminated { ctx: self.clone() }
    }
}

impl<S: Servers> State<S> {
    fn timer(&mut self, proc: ProcId) -> u32 {
        let timer = self.free_timers.pop().unwrap_or_else(|| {
            self.timers.push(Timer::default());
            u32::try_from(self.timers.len() - 1).expect("fewer than 2^32 timers at once")
        });
        let slot = &mut self.timers[timer as usize];
        slot.fired = false;
        slot.proc = proc.0;
        timer
    }
}

/// Waits for a timer. Dropping it clears the timer.
pub struct Sleep<S: Servers> {
    state: Rc<RefCell<State<S>>>,
    timer: u32,
}

impl<S: Servers> Future for Sleep<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        let waiter = state.waiter(cx);
        let timer = &mut state.timers[self.timer as usize];
        if timer.fired {
            return Poll::Ready(());
        }
        timer.waiter = Some(waiter);
        Poll::Pending
    }
}

impl<S: Servers> Drop for Sleep<S> {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        let timer = &mut state.timers[self.timer as usize];
        timer.seq = None;
        timer.waiter = None;
        state.free_timers.push(self.timer);
    }
}

/// Blocks the event loop of its process from its first poll on.
pub struct Block<S: Servers> {
    ctx: Ctx<S>,
    span: Span,
    until: Option<Instant>,
}

impl<S: Servers> Future for Block<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let state = self.ctx.state.clone();
        let mut state = state.borrow_mut();
        let now = state.now;
        if let Some(until) = self.until {
            return if now >= until { Poll::Ready(()) } else { Poll::Pending };
        }
        if !state.alive(self.ctx.proc) {
            return Poll::Pending;
        }
        let until = now + self.span;
        self.until = Some(until);
        let running = state.running.map(|running| running.task);
        let process = state.proc(self.ctx.proc);
        process.blocked = Some(until);
        process.blocker = running;
        let life = process.life;
        state.emit(life, Event::Blocked { until });
        state.push(until, Due::Unblock(self.ctx.proc));
        Poll::Pending
    }
}

/// A task's turn that is given up: see [`Ctx::turn`].
pub struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Waits for SIGTERM.
pub struct Terminated<S: Servers> {
    ctx: Ctx<S>,
}

impl<S: Servers> Future for Terminated<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.ctx.state.borrow_mut();
        let waiter = state.waiter(cx);
        let process = state.proc(self.ctx.proc);
        if process.terminated {
            return Poll::Ready(());
        }
        process.on_term.push(waiter);
        Poll::Pending
    }
}
