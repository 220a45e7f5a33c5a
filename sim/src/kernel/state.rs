//! What processes and the run loop share: time, the heap of what is due, processes, connections,
//! the choices and the events so far. No future is kept here and none is polled while it is borrowed.

use super::Servers;
use super::conn::{ConnId, ConnState, Slot};
use super::flight::Flight;
use crate::choices::{Access, Choices, Label, LifeId, Odds, QUANTILES, Site, Touch};
use crate::civil::Zone;
use crate::clock::{Clock, Instant, Span};
use crate::event::{Event, ReleaseId, Rolling, Stamp};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

/// A process: one life of one container, as an index into the run's processes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProcId(pub u32);

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By itself, with an exit code.
    Exited(u8),
    /// Killed.
    Killed,
}

/// The network between processes and one server: the one-way delay is one of sixteen quantiles of a
/// range, asked anew for every message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    delays: Vec<Span>,
}

impl Link {
    /// A link whose one-way delay lies between `least` and `most`.
    pub fn new(least: Span, most: Span) -> Self {
        Link { delays: quantiles(least, most) }
    }
}

/// The values that a range can come out as: one if it is a point, else sixteen, ends included.
pub(super) fn quantiles(least: Span, most: Span) -> Vec<Span> {
    let count = if least == most { 1 } else { QUANTILES };
    (0..count).map(|answer| quantile(least, most, answer)).collect()
}

/// The value that an answer stands for: 0 is `least`, the last of sixteen is `most`.
pub(super) fn quantile(least: Span, most: Span, answer: u32) -> Span {
    let width = most.nanos() - least.nanos();
    assert!(width >= 0, "a range is never upside down: the parser refuses it");
    let part = i128::from(width) * i128::from(answer) / i128::from(QUANTILES - 1);
    least + Span::from_nanos(i64::try_from(part).expect("within the range"))
}

/// The numbers that a range about zero can come out as, the nearest to zero first; zero itself is
/// among them if it is in the range.
pub(super) fn signed(least: i64, most: i64) -> Vec<i64> {
    let width = i128::from(most) - i128::from(least);
    let number = |answer: u32| {
        let part = width * i128::from(answer) / i128::from(QUANTILES - 1);
        i64::try_from(i128::from(least) + part).expect("within the range")
    };
    let mut numbers: Vec<i64> = (0..QUANTILES).map(number).collect();
    numbers.sort_by_key(|number| (number.unsigned_abs(), *number));
    if (least..=most).contains(&0) {
        numbers[0] = 0;
    }
    numbers
}

/// What a process is born with.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The life that asks this process's questions.
    pub life: LifeId,
    /// The release that it runs, for its `Booted` event.
    pub release: ReleaseId,
    /// Its wall clock and its timers.
    pub clock: Clock,
    /// Its `TZ`.
    pub zone: Zone,
    /// Which of the kernel's networks it is on.
    pub network: u16,
    /// The kill point at which it dies, counted from 1; `None` to let it live.
    pub dies_at: Option<u32>,
}

/// One process.
pub(super) struct Process {
    pub(super) life: LifeId,
    pub(super) clock: Clock,
    pub(super) zone: Zone,
    pub(super) network: u16,
    pub(super) conns: Vec<ConnId>,
    /// How many connections it has opened.
    pub(super) opened: u16,
    /// How many replies it has not got yet.
    pub(super) awaiting: u32,
    /// The event loop is busy until then: no task is polled before.
    pub(super) blocked: Option<Instant>,
    /// Tasks woken while the event loop was busy, in order.
    pub(super) parked: VecDeque<TaskId>,
    /// The task that blocks: it goes on first, as the synchronous code that it is.
    pub(super) blocker: Option<TaskId>,
    pub(super) dead: Option<End>,
    pub(super) reaped: bool,
    pub(super) dies_at: Option<u32>,
    pub(super) points: u32,
    pub(super) terminated: bool,
    pub(super) on_term: Vec<Waiter>,
    /// All that it has seen, where somebody compares: what it is, is a function of that.
    pub(super) seen: Rolling,
}

impl Process {
    /// A process that has done nothing, in the memory of another.
    pub(super) fn new(boot: Boot, spare: Option<Process>) -> Process {
        let Boot { life, release: _, clock, zone, network, dies_at } = boot;
        let (mut conns, mut parked, mut on_term) = match spare {
            Some(Process { conns, parked, on_term, .. }) => (conns, parked, on_term),
            None => Default::default(),
        };
        conns.clear();
        parked.clear();
        on_term.clear();
        Process {
            life,
            clock,
            zone,
            network,
            conns,
            opened: 0,
            awaiting: 0,
            blocked: None,
            parked,
            blocker: None,
            dead: None,
            reaped: false,
            dies_at,
            points: 0,
            terminated: false,
            on_term,
            seen: Rolling::default(),
        }
    }
}

/// A task's place in the executor.
pub(super) type TaskId = u32;

/// Who is to be woken: a task by its number if it waits itself, else by whatever waker it waits
/// through (a combinator's). The number is the same wake-up without its atomics.
pub(super) enum Waiter {
    Task(TaskId),
    Waker(Waker),
}

/// The task whose turn it is, and what its own waker points to.
#[derive(Clone, Copy)]
pub(super) struct Running {
    pub(super) task: TaskId,
    pub(super) data: *const (),
}

/// A future that a process asked to run, not yet taken over by the executor.
pub(super) type Spawned = (ProcId, Pin<Box<dyn Future<Output = ()>>>);

/// What is due at an instant. Small, since the heap moves it about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Timer(u32),
    Unblock(ProcId),
    Arrive(ConnId),
    Answer(ConnId),
    Close(ConnId),
    Servers,
    /// Without time: what was held back may go on.
    Heal,
    Plan(u32),
}

/// An entry of the heap: ordered by time, then by the order in which it was made. The heap of the
/// standard library gives its greatest first, so the order here is turned round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) at: Instant,
    pub(super) seq: u64,
    pub(super) due: Due,
}

impl Entry {
    /// Both parts of the order in one number; instants before the epoch do not occur in a run.
    fn key(&self) -> u128 {
        (u128::from(self.at.nanos() as u64) << 64) | u128::from(self.seq)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

/// One timer. Its entry's number tells it from one that had its place before.
#[derive(Default)]
pub(super) struct Timer {
    pub(super) seq: Option<u64>,
    pub(super) fired: bool,
    pub(super) proc: u32,
    pub(super) waiter: Option<Waiter>,
}

/// Everything that a `Ctx` can reach.
pub(super) struct State<S: Servers> {
    pub(super) now: Instant,
    pub(super) seq: u64,
    pub(super) heap: BinaryHeap<Entry>,
    pub(super) procs: Vec<Process>,
    pub(super) conns: Vec<ConnState<S>>,
    pub(super) networks: Vec<Vec<Link>>,
    /// What is in flight, where messages take no time.
    pub(super) flight: Option<Flight>,
    /// What processes see is noted, so that states can be compared.
    pub(super) recalls: bool,
    /// Nobody dies at a kill point any more.
    pub(super) spared: bool,
    /// Processes and connections of an earlier run, for their memory.
    pub(super) spare_procs: Vec<Process>,
    pub(super) spare_conns: Vec<ConnState<S>>,
    /// Until when the processes on each network cannot reach each server.
    pub(super) cuts: Vec<Vec<Instant>>,
    /// Until when what the processes on each network and each server send each other is held back.
    pub(super) held: Vec<Vec<Instant>>,
    pub(super) slots: Vec<Slot<S::Reply>>,
    pub(super) free_slots: Vec<u32>,
    pub(super) timers: Vec<Timer>,
    pub(super) free_timers: Vec<u32>,
    pub(super) spawned: Vec<Spawned>,
    pub(super) opened: Vec<ConnId>,
    /// Processes that died while they were polled or called: the run loop drops their futures.
    pub(super) dying: Vec<ProcId>,
    /// When the servers want to be called.
    pub(super) servers_at: Option<Instant>,
    pub(super) running: Option<Running>,
    /// Tasks whose turn has come, in order.
    pub(super) ready: VecDeque<TaskId>,
    pub(super) choices: Choices,
    pub(super) events: Vec<(Stamp, Event)>,
}

impl<S: Servers> State<S> {
    /// Forgets the run and keeps its memory.
    pub(super) fn again(&mut self, start: Instant) {
        self.now = start;
        self.seq = 0;
        self.heap.clear();
        // The last one that was used is the first that is used again.
        self.spare_procs.extend(self.procs.drain(..).rev());
        self.spare_conns.extend(self.conns.drain(..).rev());
        if let Some(flight) = &mut self.flight {
            flight.clear();
        }
        self.spared = false;
        self.cuts.iter_mut().chain(&mut self.held).for_each(|until| until.fill(start));
        self.slots.clear();
        self.free_slots.clear();
        self.timers.clear();
        self.free_timers.clear();
        self.opened.clear();
        self.dying.clear();
        self.servers_at = None;
        self.running = None;
        self.ready.clear();
        self.choices.again();
        self.events.clear();
    }

    /// Who is to be woken for a future that is polled now.
    #[inline]
    pub(super) fn waiter(&self, cx: &Context<'_>) -> Waiter {
        match self.running {
            Some(running) if running.data == cx.waker().data() => Waiter::Task(running.task),
            _ => Waiter::Waker(cx.waker().clone()),
        }
    }

    #[inline]
    pub(super) fn wake(&mut self, waiter: impl IntoIterator<Item = Waiter>) {
        for waiter in waiter {
            match waiter {
                Waiter::Task(task) => self.ready.push_back(task),
                Waiter::Waker(waker) => waker.wake(),
            }
        }
    }

    pub(super) fn push(&mut self, at: Instant, due: Due) -> u64 {
        let seq = self.seq;
        self.seq += 1;
        self.heap.push(Entry { at: at.max(self.now), seq, due });
        seq
    }

    pub(super) fn emit(&mut self, life: LifeId, event: Event) {
        if let Some(flight) = &mut self.flight
            && let Some(thing) = S::told(&event)
        {
            flight.met.push(Touch { thing, access: Access::Write });
        }
        self.events.push((Stamp { at: self.now, life }, event));
    }

    pub(super) fn proc(&mut self, proc: ProcId) -> &mut Process {
        &mut self.procs[proc.0 as usize]
    }

    pub(super) fn alive(&self, proc: ProcId) -> bool {
        self.procs[proc.0 as usize].dead.is_none()
    }

    /// Marks a process dead. From now on every call of its `Ctx` is inert, so no destructor can
    /// send anything; the run loop closes its connections and drops its futures.
    pub(super) fn die(&mut self, proc: ProcId, end: End) {
        let now = self.now;
        let process = self.proc(proc);
        if process.dead.is_some() {
            return;
        }
        process.dead = Some(end);
        let life = process.life;
        let event = match end {
            End::Exited(code) => Event::Exited { code },
            End::Killed => Event::Killed,
        };
        self.events.push((Stamp { at: now, life }, event));
        self.dying.push(proc);
    }

    /// Passes a kill point that lies after a send or before a reply. Where messages take no time there
    /// is none: it is told from the one before the next send by nobody.
    pub(super) fn kill_point_between(&mut self, proc: ProcId) -> bool {
        self.flight.is_some() && self.alive(proc) || self.kill_point(proc)
    }

    /// Passes one kill point of a process; kills it if this is the one. Returns whether it lives.
    pub(super) fn kill_point(&mut self, proc: ProcId) -> bool {
        if self.spared {
            return self.alive(proc);
        }
        let process = self.proc(proc);
        if process.dead.is_some() {
            return false;
        }
        process.points += 1;
        if process.dies_at == Some(process.points) {
            let life = process.life;
            self.choices.died(life);
            self.die(proc, End::Killed);
            return false;
        }
        true
    }

    /// The delay of one message on a connection.
    pub(super) fn delay(&mut self, conn: ConnId, site: Site, label: Label) -> Span {
        let state = &self.conns[conn.0 as usize];
        let Process { life, network, .. } = self.procs[state.proc.0 as usize];
        let delays = &self.networks[usize::from(network)][usize::from(state.server.0)].delays;
        let bound = delays.len() as u32;
        delays[self.choices.ask(life, site, label, bound, Odds::Even) as usize]
    }

    /// One of the sixteen quantiles of a range; a point is not asked for.
    pub(super) fn draw(&mut self, life: LifeId, label: Label, least: Span, most: Span) -> Span {
        if least >= most {
            return least;
        }
        let answer = self.choices.ask(life, Site::Draw, label, QUANTILES, Odds::Even);
        quantile(least, most, answer)
    }

    /// One of sixteen numbers of a range about zero; a point is not asked for.
    pub(super) fn draw_signed(&mut self, life: LifeId, label: Label, least: i64, most: i64) -> i64 {
        if least >= most {
            return least;
        }
        let answer = self.choices.ask(life, Site::Draw, label, QUANTILES, Odds::Even);
        signed(least, most)[answer as usize]
    }

    /// Who is concerned by what is due: where two lives are, at one instant, their order is asked.
    pub(super) fn concerned(&self, due: Due) -> LifeId {
        let proc = match due {
            Due::Timer(timer) => ProcId(self.timers[timer as usize].proc),
            Due::Unblock(proc) => proc,
            Due::Arrive(conn) | Due::Answer(conn) | Due::Close(conn) => {
                self.conns[conn.0 as usize].proc
            }
            Due::Servers | Due::Heal | Due::Plan(_) => return LifeId::WORLD,
        };
        self.procs[proc.0 as usize].life
    }
}

/// Whether an entry of the heap still means something: its timer was not cleared, its request was
/// not lost in a kill, its reply still has a reader, and the servers want to be called then. What
/// means nothing must not make a tie, which would be asked.
pub(super) fn live<S: Servers>(state: &State<S>, entry: &Entry) -> bool {
    match entry.due {
        Due::Timer(timer) => state.timers[timer as usize].seq == Some(entry.seq),
        Due::Unblock(proc) => state.alive(proc),
        Due::Servers => state.servers_at == Some(entry.at),
        Due::Arrive(conn) => state.conns[conn.0 as usize].has_request(),
        Due::Answer(conn) => state.conns[conn.0 as usize].has_reader(),
        _ => true,
    }
}

/// Takes the next entry that still means something and is due no later than `until`.
pub(super) fn pop_live<S: Servers>(state: &mut State<S>, until: Instant) -> Option<Entry> {
    while state.heap.peek().is_some_and(|next| next.at <= until) {
        let entry = state.heap.pop().expect("just seen");
        if live(state, &entry) {
            return Some(entry);
        }
    }
    None
}
