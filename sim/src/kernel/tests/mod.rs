//! The tests of the kernel: a server that says back what it hears, and a world of processes around
//! it. Time starts at the epoch, and the sixteen delays of a message are 0 to 15 ms.

mod exhaustive;
mod kill;
mod order;
mod tasks;
mod wire;

use super::{Boot, ConnId, Ctx, End, Kernel, Link, Out, ProcId, Servers, Step};
use crate::choices::{Choice, Choices, Label, LifeId, LifeName, Odds, Policy, Question, Site};
use crate::civil::Zone;
use crate::clock::{Clock, Instant, Span};
use crate::event::{Event, ReleaseId, Rolling, ServerId};
use crate::policy::Plain;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::hash::Hasher as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

const SERVER: ServerId = ServerId(0);

/// What a client may say.
enum Ask {
    /// Say it back.
    Echo(u32),
    /// Say it back when somebody asks for it, or at the server's deadline.
    Hold(u32),
    /// Say back what is held longest.
    Release,
}

/// The server.
#[derive(Default)]
struct Echo {
    heard: Vec<(i64, u32)>,
    held: VecDeque<(ConnId, u32)>,
    /// How many clients left while something was held for them.
    left: usize,
    closed: Vec<ConnId>,
    deadline: Option<Instant>,
}

impl Servers for Echo {
    type Request = Ask;
    type Reply = u32;

    fn label(request: &Ask) -> Label {
        match request {
            Ask::Echo(_) => Label(1),
            Ask::Hold(_) => Label(2),
            Ask::Release => Label(3),
        }
    }

    fn request(&mut self, conn: ConnId, request: Ask, out: &mut Out<u32>) -> bool {
        assert!(!self.closed.contains(&conn), "nothing comes after the close");
        match request {
            Ask::Echo(word) => {
                self.heard.push((out.now.ms(), word));
                out.reply(conn, word);
            }
            Ask::Hold(word) => self.held.push_back((conn, word)),
            Ask::Release => {
                if let Some((holder, word)) = self.held.pop_front() {
                    out.reply(holder, word);
                }
                out.reply(conn, 0);
            }
        }
        false
    }

    fn opened(&mut self, _: ConnId, server: ServerId) {
        assert_eq!(server, SERVER);
    }

    fn closed(&mut self, conn: ConnId, _: &mut Out<u32>) {
        let before = self.held.len();
        self.held.retain(|(holder, _)| *holder != conn);
        self.left += before - self.held.len();
        self.closed.push(conn);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn expire(&mut self, out: &mut Out<u32>) {
        assert_eq!(self.deadline.take(), Some(out.now), "called when it asked to be");
        for (holder, word) in self.held.drain(..) {
            out.reply(holder, word);
        }
    }
}

/// Answers by a function of the question and its bound.
struct By<F>(F);

impl<F: FnMut(&Question, u32) -> u32> Policy for By<F> {
    fn answer(&mut self, question: &Question, _: &LifeName, bound: u32, _: Odds) -> u32 {
        (self.0)(question, bound)
    }
}

/// The `n`-th question at a site gets the `n`-th answer; others, and later ones, the plain one.
fn at(site: Site, answers: &[u32]) -> impl Policy + 'static {
    let mut answers = VecDeque::from(answers.to_vec());
    By(move |question: &Question, _| match question.site == site {
        true => answers.pop_front().unwrap_or(0),
        false => 0,
    })
}

/// What processes note down: when, and a word.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<(i64, &'static str)>>>);

impl Log {
    fn note(&self, ctx: &Ctx<Echo>, word: &'static str) {
        self.0.borrow_mut().push((ctx.true_time().ms(), word));
    }

    fn take(&self) -> Vec<(i64, &'static str)> {
        self.0.take()
    }

    fn words(&self) -> Vec<&'static str> {
        self.take().into_iter().map(|(_, word)| word).collect()
    }
}

/// A kernel, its server, and what was noted and emitted.
struct World {
    kernel: Kernel<Echo>,
    server: Echo,
    log: Log,
    events: Vec<(i64, LifeId, Event)>,
    hash: Rolling,
}

impl World {
    fn new(policy: impl Policy + 'static) -> World {
        let words = ["connection", "echo", "hold", "release"].map(Rc::from).to_vec();
        let choices = Choices::new(Box::new(policy), words);
        let link = Link::new(Span::ZERO, Span::from_ms(15));
        World {
            kernel: Kernel::new(Instant::default(), vec![vec![link]], choices),
            server: Echo::default(),
            log: Log::default(),
            events: Vec::new(),
            hash: Rolling::default(),
        }
    }

    fn plain() -> World {
        World::new(Plain)
    }

    /// Boots the first life of another container.
    fn boot<F>(&mut self, main: impl FnOnce(Ctx<Echo>, Log) -> F) -> ProcId
    where
        F: Future<Output = ()> + 'static,
    {
        self.boot_with(|_| (), main)
    }

    fn boot_with<F>(
        &mut self,
        change: impl FnOnce(&mut Boot),
        main: impl FnOnce(Ctx<Echo>, Log) -> F,
    ) -> ProcId
    where
        F: Future<Output = ()> + 'static,
    {
        let ordinal = self.kernel.choices().names().len() as u32;
        let name = LifeName { service: "box".into(), ordinal, life: 1 };
        let life = self.kernel.choices().enter(name);
        let mut boot = Boot {
            life,
            release: ReleaseId(0),
            clock: Clock::default(),
            zone: Zone::get("UTC").expect("it exists"),
            network: 0,
            dies_at: None,
        };
        change(&mut boot);
        let log = self.log.clone();
        self.kernel.boot(boot, |ctx| main(ctx, log))
    }

    /// A process that does nothing, and its context, for a test that drives single futures by hand.
    fn bystander(&mut self) -> (ProcId, Ctx<Echo>) {
        let given = Rc::new(RefCell::new(None));
        let taken = given.clone();
        let proc = self.boot(move |ctx, _| {
            *given.borrow_mut() = Some(ctx);
            std::future::pending()
        });
        let ctx = taken.borrow_mut().take().expect("the process was made");
        (proc, ctx)
    }

    fn step(&mut self) -> Step {
        self.step_until(Instant::MAX)
    }

    fn step_until(&mut self, until: Instant) -> Step {
        let step = self.kernel.step(&mut self.server, until);
        let (events, hash) = (&mut self.events, &mut self.hash);
        self.kernel.drain(|stamp, event| {
            hash.roll(stamp, event);
            events.push((stamp.at.ms(), stamp.life, event.clone()));
        });
        step
    }

    fn run(&mut self) {
        self.run_until(i64::MAX);
    }

    /// Lets time pass up to an instant, whether or not anything is due at it.
    fn pass(&mut self, ms: i64) {
        self.kernel.plan(Instant::from_ms(ms), 0);
        self.run_until(ms);
        assert_eq!(self.kernel.now(), Instant::from_ms(ms));
    }

    /// Runs everything that is due up to an instant, that included.
    fn run_until(&mut self, ms: i64) {
        for _ in 0..100_000 {
            if self.step_until(Instant::from_ms(ms)) == Step::Idle {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    fn heard(&self) -> Vec<u32> {
        self.server.heard.iter().map(|(_, word)| *word).collect()
    }

    fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(_, _, event)| which(event)).count()
    }

    fn ended(&mut self) -> Vec<(ProcId, End)> {
        self.kernel.take_ended()
    }

    fn tape(&mut self) -> Vec<Choice> {
        self.kernel.choices().take_tape().choices
    }

    fn asked(&mut self, site: Site) -> Vec<Choice> {
        let at = |choice: &Choice| choice.question.site == site;
        self.tape().into_iter().filter(at).collect()
    }
}

fn answered(event: &Event) -> bool {
    matches!(event, Event::Answered { .. })
}

fn ms(ms: i64) -> Span {
    Span::from_ms(ms)
}

/// Lets every other task that is ready have its turn.
struct Yield(bool);

fn turn() -> Yield {
    Yield(false)
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
