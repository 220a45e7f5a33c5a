//! The executor and the run loop: whose turn it is, what is due next, and what a death means.
//!
//! Futures are ordinary and wakers are standard, so `tokio::sync` and `futures` work inside; the
//! order in which woken tasks of one process run is first in, first out, and is never a choice.

use super::conn::{ConnId, InFlight};
use super::ctx::Ctx;
use super::flight::Next;
use super::recall::Recalled;
use super::state::{Boot, Due, End, Entry, Link, ProcId, Process, Running, State, TaskId};
use super::state::{live, pop_live};
use super::{Out, Servers};
use crate::choices::{Choices, Label, LifeId, Odds, Site};
use crate::clock::{Instant, Span};
use crate::event::{Event, ServerId, Stamp};
use crate::mutants::{Mutant, planted};
use std::cell::{RefCell, RefMut};
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// What one step of the run loop did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Something that was due has happened.
    Went,
    /// A step of the caller's own plan is due: the number that it gave.
    Plan(u32),
    /// Nothing is due until the end asked for.
    Idle,
    /// Nothing is in flight, and the policy lets another run go on from here.
    Rests,
    /// The policy has stopped the run: all that it can come to has been seen.
    Stopped,
}

/// The processes of one run, and time.
pub struct Kernel<S: Servers> {
    pub(super) state: Rc<RefCell<State<S>>>,
    tasks: Vec<Task>,
    free_tasks: Vec<TaskId>,
    woken: Arc<Woken>,
    tied: Vec<Entry>,
    contenders: Vec<LifeId>,
    pub(super) out: Out<S::Reply>,
    ended: Vec<(ProcId, End)>,
    /// Something may be able to run.
    disturbed: bool,
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    proc: ProcId,
    queued: Arc<TaskWaker>,
    waker: Waker,
}

/// The tasks that were woken through a waker since the run loop last looked, in order.
#[derive(Default)]
struct Woken {
    any: AtomicBool,
    list: Mutex<Vec<TaskId>>,
}

impl Woken {
    fn list(&self) -> MutexGuard<'_, Vec<TaskId>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct TaskWaker {
    task: TaskId,
    queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.woken.list().push(self.task);
            self.woken.any.store(true, Ordering::Relaxed);
        }
    }
}

impl<S: Servers> Kernel<S> {
    /// A kernel at `start` without a process. A process on network `n` reaches server `i` over
    /// `networks[n][i]`.
    pub fn new(start: Instant, networks: Vec<Vec<Link>>, choices: Choices) -> Self {
        let never: Vec<_> = networks.iter().map(|links| vec![start; links.len()]).collect();
        let state = State {
            cuts: never.clone(),
            held: never,
            now: start,
            seq: 0,
            heap: BinaryHeap::new(),
            procs: Vec::new(),
            conns: Vec::new(),
            networks,
            flight: None,
            recalls: false,
            spared: false,
            spare_procs: Vec::new(),
            spare_conns: Vec::new(),
            slots: Vec::new(),
            free_slots: Vec::new(),
            timers: Vec::new(),
            free_timers: Vec::new(),
            spawned: Vec::new(),
            opened: Vec::new(),
            dying: Vec::new(),
            servers_at: None,
            running: None,
            ready: VecDeque::new(),
            choices,
            events: Vec::new(),
        };
        Kernel {
            state: Rc::new(RefCell::new(state)),
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            woken: Arc::default(),
            tied: Vec::new(),
            contenders: Vec::new(),
            out: Out::new(),
            ended: Vec::new(),
            disturbed: false,
        }
    }

    /// True time.
    pub fn now(&self) -> Instant {
        self.state.borrow().now
    }

    /// The run's choices.
    pub fn choices(&mut self) -> RefMut<'_, Choices> {
        RefMut::map(self.state.borrow_mut(), |state| &mut state.choices)
    }

    /// Draws from a range of the scenario, as [`Ctx::draw`] does, for a life that is not running.
    pub fn draw(&mut self, life: LifeId, label: Label, least: Span, most: Span) -> Span {
        self.state.borrow_mut().draw(life, label, least, most)
    }

    /// Draws from a range about zero: one of sixteen numbers, the nearest to zero being plain.
    pub fn draw_signed(&mut self, life: LifeId, label: Label, least: i64, most: i64) -> i64 {
        self.state.borrow_mut().draw_signed(life, label, least, most)
    }

    /// Boots a process: `main` is polled from the next step on.
    pub fn boot<F>(&mut self, boot: Boot, main: impl FnOnce(Ctx<S>) -> F) -> ProcId
    where
        F: Future<Output = ()> + 'static,
    {
        let mut state = self.state.borrow_mut();
        let proc =
            ProcId(u32::try_from(state.procs.len()).expect("fewer than 2^32 processes in a run"));
        let (life, release) = (boot.life, boot.release);
        let process = Process::new(boot, state.spare_procs.pop());
        state.procs.push(process);
        state.recall(proc, |state| (state.choices.name(life).clone(), release, state.now));
        let again = state.choices.name(life).life > 1;
        state.emit(life, Event::Booted { release, again });
        drop(state);
        let future = Box::pin(main(Ctx { state: self.state.clone(), proc }));
        self.state.borrow_mut().spawned.push((proc, future));
        self.disturbed = true;
        proc
    }

    /// Asks a process to end (SIGTERM). What it does about it is its own business.
    pub fn terminate(&mut self, proc: ProcId) {
        let mut state = self.state.borrow_mut();
        let process = state.proc(proc);
        if process.dead.is_some() || process.terminated {
            return;
        }
        process.terminated = true;
        let (life, waiters) = (process.life, std::mem::take(&mut process.on_term));
        state.recall(proc, |state| (Recalled::Terminated, state.now));
        state.emit(life, Event::Terminated);
        state.wake(waiters);
        self.disturbed = true;
    }

    /// Kills a process at this instant.
    pub fn kill(&mut self, proc: ProcId) {
        self.state.borrow_mut().die(proc, End::Killed);
        self.disturbed = true;
    }

    /// Freezes a process for a time: its event loop stands still, its connections do not.
    pub fn freeze(&mut self, proc: ProcId, span: Span) {
        let mut state = self.state.borrow_mut();
        if !state.alive(proc) {
            return;
        }
        let until = state.now + span;
        let process = state.proc(proc);
        let until = process.blocked.map_or(until, |busy| busy.max(until));
        process.blocked = Some(until);
        let life = process.life;
        state.recall(proc, |state| (Recalled::Frozen, state.now, until));
        state.emit(life, Event::Blocked { until });
        state.push(until, Due::Unblock(proc));
    }

    /// Breaks the connections between a server and the processes on one network, and lets none be
    /// opened for `span`: of the requests in flight some may arrive, of the replies none. Without a
    /// network the server itself has gone, and what was in flight with it.
    pub fn cut(&mut self, network: Option<u16>, server: ServerId, span: Span) {
        let mut state = self.state.borrow_mut();
        let until = state.now + span;
        state.cut(network, server, until);
        self.disturbed = true;
    }

    /// Holds back what a server and the processes on one network send each other until an instant,
    /// what is in flight too; then all of it arrives, in order. Nobody is told.
    pub fn hold(&mut self, network: u16, server: ServerId, until: Instant) {
        self.state.borrow_mut().hold(network, server, until);
    }

    /// From now on the processes on one network reach every server over this link.
    pub fn relink(&mut self, network: u16, link: &Link) {
        let mut state = self.state.borrow_mut();
        state.networks[usize::from(network)].fill(link.clone());
    }

    /// Steps the wall clock of a process; its timers do not notice.
    pub fn step_clock(&mut self, proc: ProcId, nanos: i64) {
        let mut state = self.state.borrow_mut();
        let process = state.proc(proc);
        let nanos = if planted(Mutant::X4) { nanos.saturating_mul(2) } else { nanos };
        process.clock.offset = process.clock.offset.saturating_add(nanos);
        state.recall(proc, |state| (Recalled::Clock, state.now, nanos));
    }

    /// From now on no process dies at a kill point.
    pub fn spare_all(&mut self) {
        self.state.borrow_mut().spared = true;
    }

    /// Tells the policy how many kill points each life has passed: at the end of a run.
    pub fn tell_lives(&mut self) {
        let state = &mut *self.state.borrow_mut();
        for process in &state.procs {
            state.choices.lived(process.life, process.points);
        }
    }

    /// How many processes wait for a reply, if nothing is due any more, ever.
    pub fn waiting_for_ever(&self) -> Option<u32> {
        let state = self.state.borrow();
        let moving = state.flight.as_ref().is_some_and(|flight| flight.moves());
        if moving || !self.tied.is_empty() || state.heap.iter().any(|entry| live(&state, entry)) {
            return None;
        }
        let waits = |process: &&Process| process.dead.is_none() && process.awaiting > 0;
        u32::try_from(state.procs.iter().filter(waits).count()).ok()
    }

    /// Begins another run at `start`, with the same networks and the same policy, in the memory of
    /// this one, whose processes go without a word. Nobody may hold anything of theirs.
    pub fn again(&mut self, start: Instant) {
        for task in &mut self.tasks {
            task.future = None;
        }
        let spawned = std::mem::take(&mut self.state.borrow_mut().spawned);
        drop(spawned);
        self.state.borrow_mut().again(start);
        self.woken.any.store(false, Ordering::Relaxed);
        self.woken.list().clear();
        self.free_tasks.clear();
        self.free_tasks.extend((0..self.tasks.len() as TaskId).rev());
        self.tied.clear();
        self.out.replies.clear();
        self.out.events.clear();
        if let Some(touched) = &mut self.out.touched {
            touched.clear();
        }
        self.ended.clear();
        self.disturbed = false;
    }

    /// Whether a process is alive.
    pub fn alive(&self, proc: ProcId) -> bool {
        self.state.borrow().alive(proc)
    }

    /// Makes [`Kernel::step`] return [`Step::Plan`] with `token` at an instant.
    pub fn plan(&mut self, at: Instant, token: u32) {
        self.state.borrow_mut().push(at, Due::Plan(token));
    }

    /// Says what happened to nobody in particular, or to a life.
    pub fn emit(&mut self, life: LifeId, event: Event) {
        self.state.borrow_mut().emit(life, event);
    }

    /// Whether a process ended since the last [`Kernel::take_ended`].
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Processes that ended since the last call, in order.
    pub fn take_ended(&mut self) -> Vec<(ProcId, End)> {
        std::mem::take(&mut self.ended)
    }

    /// How many events wait to be handed over.
    pub fn events(&self) -> usize {
        self.state.borrow().events.len()
    }

    /// Hands over the events since the last call, in order.
    pub fn drain(&mut self, mut to: impl FnMut(&Stamp, &Event)) {
        let mut state = self.state.borrow_mut();
        for (stamp, event) in state.events.drain(..) {
            to(&stamp, &event);
        }
    }

    /// Does the next thing that is due no later than `until`, and everything that follows from it
    /// at the same instant.
    pub fn step(&mut self, servers: &mut S, until: Instant) -> Step {
        if self.disturbed {
            self.settle(servers);
            if self.has_ended() {
                // The caller may start another process at this very instant.
                return Step::Went;
            }
        }
        let due = match self.next(until) {
            Next::Do(due) => due,
            Next::Idle => return Step::Idle,
            Next::Rest => return Step::Rests,
            Next::Stop => return Step::Stopped,
        };
        match due {
            Due::Timer(timer) => self.fire(timer),
            Due::Unblock(proc) => self.unblock(proc),
            Due::Answer(conn) => self.answer(conn),
            Due::Arrive(conn) => self.arrive(conn, servers),
            Due::Close(conn) => self.hang_up(conn, servers),
            Due::Servers => self.expire(servers),
            Due::Heal => self.state.borrow_mut().heal(),
            Due::Plan(token) => return Step::Plan(token),
        }
        if self.disturbed {
            self.settle(servers);
        }
        Step::Went
    }

    fn next(&mut self, until: Instant) -> Next {
        if self.state.borrow().flight.is_some() {
            return self.next_in_order(until);
        }
        self.next_in_time(until).map_or(Next::Idle, |entry| Next::Do(entry.due))
    }

    /// The next entry that is due, asking for the order of lives where several are due at one
    /// instant.
    fn next_in_time(&mut self, until: Instant) -> Option<Entry> {
        let state = &mut *self.state.borrow_mut();
        if !self.tied.is_empty() {
            self.tied.retain(|entry| live(state, entry));
        }
        if self.tied.is_empty() {
            let first = pop_live(state, until)?;
            state.now = first.at;
            if state.heap.peek().is_none_or(|next| next.at > first.at) {
                return Some(first);
            }
            self.tied.push(first);
        }
        let now = state.now;
        while let Some(entry) = pop_live(state, now) {
            self.tied.push(entry);
        }
        self.contenders.clear();
        self.contenders.extend(self.tied.iter().map(|entry| state.concerned(entry.due)));
        self.contenders.sort_unstable();
        self.contenders.dedup();
        let lives = u32::try_from(self.contenders.len()).expect("fewer lives than that");
        let lives = if lives > 1 && planted(Mutant::X1) { 1 } else { lives };
        let first = state.choices.ask(self.contenders[0], Site::Tie, Label(0), lives, Odds::Even);
        let life = self.contenders[first as usize];
        let place = self.tied.iter().position(|entry| state.concerned(entry.due) == life);
        Some(self.tied.remove(place.expect("every contender has an entry")))
    }

    fn fire(&mut self, timer: u32) {
        let mut state = self.state.borrow_mut();
        let timer = &mut state.timers[timer as usize];
        timer.fired = true;
        let (waiter, proc) = (timer.waiter.take(), ProcId(timer.proc));
        state.recall(proc, |state| (Recalled::Timer, state.now));
        state.wake(waiter);
        self.disturbed = true;
    }

    fn answer(&mut self, conn: ConnId) {
        self.state.borrow_mut().deliver(conn);
        self.disturbed = true;
    }

    fn unblock(&mut self, proc: ProcId) {
        let mut state = self.state.borrow_mut();
        let now = state.now;
        let process = state.proc(proc);
        if process.blocked.is_some_and(|until| until > now) {
            // It was frozen meanwhile, for longer.
            return;
        }
        process.blocked = None;
        state.recall(proc, |state| (Recalled::Unblocked, state.now));
        let process = state.proc(proc);
        let parked = std::mem::take(&mut process.parked);
        let blocker = process.blocker.take();
        state.ready.extend(blocker.into_iter().chain(parked));
        self.disturbed = true;
    }

    fn arrive(&mut self, conn: ConnId, servers: &mut S) {
        let mut state = self.state.borrow_mut();
        let request = state.arrive(conn);
        let proc = state.conns[conn.0 as usize].proc;
        let life = state.proc(proc).life;
        self.out.now = state.now;
        drop(state);
        let changed = servers.request(conn, request, &mut self.out);
        self.took(life, changed, servers);
    }

    fn hang_up(&mut self, conn: ConnId, servers: &mut S) {
        let mut state = self.state.borrow_mut();
        let first = state.gone(conn);
        self.out.now = state.now;
        drop(state);
        assert!(first, "a connection closes once");
        servers.closed(conn, &mut self.out);
        self.took(LifeId::WORLD, false, servers);
    }

    fn expire(&mut self, servers: &mut S) {
        self.state.borrow_mut().servers_at = None;
        self.out.now = self.now();
        if servers.next_deadline().is_some_and(|deadline| deadline <= self.out.now) {
            servers.expire(&mut self.out);
        }
        self.took(LifeId::WORLD, false, servers);
    }

    /// Asks the servers anew when they want to be called: something befell them.
    pub fn attend(&mut self, servers: &S) {
        self.took(LifeId::WORLD, false, servers);
    }

    /// Takes over what the servers said, and when they want to be called next.
    fn took(&mut self, life: LifeId, changed: bool, servers: &S) {
        let mut state = self.state.borrow_mut();
        state.take_out(life, changed, &mut self.out);
        let Some(deadline) = servers.next_deadline() else { return };
        let deadline = deadline.max(state.now);
        if state.servers_at.is_none_or(|at| deadline < at) {
            state.servers_at = Some(deadline);
            state.push(deadline, Due::Servers);
        }
    }

    /// Runs everything that can run at this instant.
    fn settle(&mut self, servers: &mut S) {
        self.disturbed = false;
        loop {
            self.adopt(servers);
            while let Some(task) = self.next_ready() {
                if self.turn(task) {
                    self.adopt(servers);
                }
            }
            if !self.reap() {
                return;
            }
        }
    }

    /// Takes over the futures and connections that processes asked for.
    fn adopt(&mut self, servers: &mut S) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        for conn in state.opened.drain(..) {
            servers.opened(conn, state.conns[conn.0 as usize].server);
        }
        for (proc, future) in state.spawned.drain(..) {
            let task = self.free_tasks.pop().unwrap_or_else(|| {
                u32::try_from(self.tasks.len()).expect("fewer than 2^32 tasks at once")
            });
            match self.tasks.get_mut(task as usize) {
                // Nobody has kept a waker of the task that had this place: it is the new one's.
                Some(place) if Arc::strong_count(&place.queued) == 2 => {
                    place.queued.queued.store(true, Ordering::Relaxed);
                    (place.future, place.proc) = (Some(future), proc);
                }
                place => {
                    let queued = Arc::new(TaskWaker {
                        task,
                        queued: AtomicBool::new(true),
                        woken: self.woken.clone(),
                    });
                    let waker = Waker::from(queued.clone());
                    let entry = Task { future: Some(future), proc, queued, waker };
                    match place {
                        Some(place) => *place = entry,
                        None => self.tasks.push(entry),
                    }
                }
            }
            state.ready.push_back(task);
        }
    }

    fn next_ready(&mut self) -> Option<TaskId> {
        let mut state = self.state.borrow_mut();
        if self.woken.any.load(Ordering::Relaxed) {
            self.woken.any.store(false, Ordering::Relaxed);
            state.ready.extend(self.woken.list().drain(..));
        }
        state.ready.pop_front()
    }

    /// One turn of one task, unless its process is dead or its event loop is busy. Returns whether
    /// it asked for something that the executor must take over.
    fn turn(&mut self, id: TaskId) -> bool {
        let Task { future: place, proc, queued, waker } = &mut self.tasks[id as usize];
        let Some(future) = place else { return false };
        let mut state = self.state.borrow_mut();
        let process = state.proc(*proc);
        if process.dead.is_some() || process.blocked.is_some() {
            process.parked.push_back(id);
            return false;
        }
        state.running = Some(Running { task: id, data: waker.data() });
        drop(state);
        queued.queued.store(false, Ordering::Relaxed);
        if future.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
            *place = None;
            self.free_tasks.push(id);
        }
        let state = self.state.borrow();
        !state.spawned.is_empty() || !state.opened.is_empty()
    }

    /// Buries the processes that died: their connections close, then their futures are dropped.
    /// Returns whether there was one.
    fn reap(&mut self) -> bool {
        let mut state = self.state.borrow_mut();
        if state.dying.is_empty() {
            return false;
        }
        let dying = std::mem::take(&mut state.dying);
        drop(state);
        for proc in &dying {
            let mut state = self.state.borrow_mut();
            let process = state.proc(*proc);
            assert!(!process.reaped, "a process dies once");
            process.reaped = true;
            let end = process.dead.expect("a dying process is dead");
            for conn in std::mem::take(&mut process.conns) {
                let replies = state.conns[conn.0 as usize].replies();
                if end == End::Killed && replies > 0 && planted(Mutant::X2) {
                    continue;
                }
                let in_flight = match end {
                    End::Killed => InFlight::MayBeLost,
                    End::Exited(_) => InFlight::Arrives,
                };
                state.shut(conn, in_flight);
            }
            drop(state);
            for id in 0..self.tasks.len() {
                if self.tasks[id].proc == *proc && self.tasks[id].future.take().is_some() {
                    self.free_tasks.push(id as TaskId);
                }
            }
            self.ended.push((*proc, end));
        }
        true
    }
}
