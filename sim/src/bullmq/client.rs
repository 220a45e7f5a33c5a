//! A connection to Redis as BullMQ opens it with ioredis 5.11.1: made ready, kept, and made again
//! when it breaks, whereupon what was not answered is sent once more.
//!
//! So a script whose reply was lost runs twice. The values in a request are those of its first
//! sending. Commands that nobody waits for are not sent again, and of several that one caller sent
//! together each is sent again only when the one before it has been answered.

use super::keys::Keys;
use super::scripts::{Call, QueueCall, Returned};
use super::{QueueError, Version};
use crate::clock::Span;
use crate::event::By;
use crate::kernel::Closed;
use crate::mutants::{Mutant, planted};
use crate::redis::{self, Bytes, Command};
use crate::servers::{Conn, Ctx, Poll, REDIS, Reply, Request};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use tokio::sync::{Notify, SetOnce};

/// How often a Queue's connection is tried again before what waits for it is given up:
/// `maxRetriesPerRequest` of ioredis. A worker's never gives up.
const RETRIES: u32 = 20;

/// A connection. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    line: Rc<Line>,
    keys: Rc<Keys>,
    version: Version,
    by: By,
    ready: Rc<SetOnce<Result<(), QueueError>>>,
}

/// What lasts while connections come and go.
struct Line {
    ctx: Ctx,
    conn: RefCell<Conn>,
    /// ioredis's status `ready`: what is sent meanwhile waits.
    up: Cell<bool>,
    /// The process has closed it.
    over: Cell<bool>,
    gives_up: bool,
    /// How often what waited was given up.
    given_up: Cell<u32>,
    changed: Notify,
}

impl Line {
    fn open(ctx: &Ctx, gives_up: bool) -> Rc<Self> {
        let line = Rc::new(Line {
            conn: RefCell::new(ctx.connect(REDIS)),
            ctx: ctx.clone(),
            up: Cell::new(true),
            over: Cell::new(false),
            gives_up,
            given_up: Cell::new(0),
            changed: Notify::new(),
        });
        ctx.spawn(line.clone().keep());
        line
    }

    /// Sees to it that there is a connection, until the process closes it (`closeHandler`).
    async fn keep(self: Rc<Self>) {
        let mut attempts = 0;
        loop {
            let conn = self.conn.borrow().clone();
            if conn.ended().await == Closed::Here {
                return;
            }
            self.up.set(false);
            if attempts > 0 && !planted(Mutant::O15) {
                attempts = 0;
            }
            loop {
                attempts += 1;
                if self.gives_up && attempts % (RETRIES + 1) == 0 {
                    self.given_up.set(self.given_up.get() + 1);
                    self.changed.notify_waiters();
                }
                self.ctx.sleep(retry_delay(attempts)).await;
                if self.over.get() {
                    return;
                }
                let conn = self.ctx.connect(REDIS);
                *self.conn.borrow_mut() = conn.clone();
                // The ready check.
                match conn.call(Request::Redis(Command::Info)).await {
                    Ok(_) => break,
                    Err(Closed::Here) => return,
                    Err(Closed::Broken) => {}
                }
            }
            self.up.set(true);
            self.changed.notify_waiters();
        }
    }

    /// Sends a request now, or as soon as there is a connection, and again if its reply is lost.
    fn send(
        self: Rc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, QueueError>> + use<> {
        let sent = self.up.get().then(|| self.conn.borrow().call(request.clone()));
        async move {
            let mut sent = sent;
            loop {
                match sent {
                    None => {}
                    Some(reply) => match reply.await {
                        Ok(reply) => return Ok(reply),
                        Err(Closed::Here) => return Err(QueueError::Closed),
                        Err(Closed::Broken) => {}
                    },
                }
                self.until_up().await?;
                if planted(Mutant::Q25) {
                    drop(self.conn.borrow().call(request.clone()));
                }
                sent = Some(self.conn.borrow().call(request.clone()));
            }
        }
    }

    /// Waits for a connection that works; who waits goes on in the order of coming.
    async fn until_up(&self) -> Result<(), QueueError> {
        let given_up = self.given_up.get();
        // The end of a connection is known to those who wait for its replies before the line.
        let mut known = !self.up.get();
        loop {
            if self.over.get() {
                return Err(QueueError::Closed);
            }
            if known && self.up.get() {
                return Ok(());
            }
            if self.given_up.get() != given_up {
                return Err(QueueError::MaxRetries);
            }
            self.changed.notified().await;
            known = true;
        }
    }
}

/// BullMQ's `retryStrategy`: e to the power of the attempt in milliseconds, but one second at least
/// and twenty at most. Whole milliseconds, as Node's timers take them.
fn retry_delay(attempts: u32) -> Span {
    Span::from_ms(match attempts {
        0..=6 => 1000,
        7 => 1096,
        8 => 2980,
        9 => 8103,
        _ => 20_000,
    })
}

impl Client {
    /// Opens a Queue's connection; nothing is sent yet.
    pub fn of_queue(ctx: &Ctx, keys: Rc<Keys>, version: Version) -> Self {
        Client::open(ctx, keys, version, true)
    }

    /// Opens one of a Worker's connections; nothing is sent yet.
    pub fn of_worker(ctx: &Ctx, keys: Rc<Keys>, version: Version) -> Self {
        Client::open(ctx, keys, version, false)
    }

    fn open(ctx: &Ctx, keys: Rc<Keys>, version: Version, gives_up: bool) -> Self {
        let line = Line::open(ctx, gives_up);
        Client { line, keys, version, by: By::Worker, ready: Rc::default() }
    }

    /// The same connection, its calls asked for by something else: for their events alone.
    #[must_use]
    pub(super) fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    /// The version of the library.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The process's context.
    pub fn ctx(&self) -> &Ctx {
        &self.line.ctx
    }

    /// A number that no other connection of the run has.
    pub fn id(&self) -> u32 {
        self.line.conn.borrow().id().0
    }

    /// The queue's keys.
    pub fn keys(&self) -> &Rc<Keys> {
        &self.keys
    }

    /// Closes the connection at once.
    pub fn disconnect(&self) {
        self.line.over.set(true);
        self.line.conn.borrow().close();
        self.line.changed.notify_waiters();
    }

    /// Makes the connection ready: `INFO` for ioredis, `INFO` for BullMQ. Called once, by whoever
    /// opened it, who then goes on before those who wait.
    ///
    /// # Errors
    /// If the connection is closed meanwhile.
    pub async fn connect(&self) -> Result<(), QueueError> {
        let done = self.say_info_twice().await;
        self.ready.set(done.clone()).expect("a connection is made ready once");
        done
    }

    async fn say_info_twice(&self) -> Result<(), QueueError> {
        self.command(Command::Info).await?;
        self.command(Command::Info).await.map(drop)
    }

    /// Waits until the connection is ready; who waits goes on in the order of coming.
    ///
    /// # Errors
    /// If the connection is closed before.
    pub async fn ready(&self) -> Result<(), QueueError> {
        self.ready.wait().await.clone()
    }

    /// What a Queue's connection begins with: it is made ready, and `meta` is written.
    ///
    /// # Errors
    /// If the connection is closed meanwhile.
    pub(super) async fn start(&self) -> Result<(), QueueError> {
        self.connect().await?;
        let pairs = vec![
            ("opts.maxLenEvents".into(), Bytes::from_int(10_000)),
            ("version".into(), format!("bullmq:{}", self.version.number()).into()),
        ];
        self.command(Command::HSet { key: self.keys.meta.clone(), pairs }).await.map(drop)
    }

    /// Sends a command now, and returns the reply to come. What Redis replies is the caller's
    /// business, an error reply too.
    ///
    /// # Errors
    /// If the connection is closed, or could not be made again.
    pub fn command(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<redis::Reply, QueueError>> + use<> {
        self.reply(Request::Redis(command))
    }

    /// Waits for the queue's marker, as [`Client::command`] with BZPOPMIN.
    ///
    /// # Errors
    /// As [`Client::command`].
    pub(super) fn poll(
        &self,
        poll: Poll,
    ) -> impl Future<Output = Result<redis::Reply, QueueError>> + use<> {
        self.reply(Request::Poll(poll))
    }

    fn reply(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<redis::Reply, QueueError>> + use<> {
        let reply = self.line.clone().send(request);
        async {
            match reply.await? {
                Reply::Redis(reply) => Ok(reply),
                other => unreachable!("a command is answered with {other:?}"),
            }
        }
    }

    /// Sends a script now, and returns what it will return.
    ///
    /// # Errors
    /// BullMQ's negative codes, and errors of Redis; as [`Client::command`].
    pub fn script(&self, call: Call) -> impl Future<Output = Result<Returned, QueueError>> + use<> {
        let (keys, version, by) = (self.keys.clone(), self.version, self.by);
        let call = QueueCall { keys, version, by, call };
        let reply = self.line.clone().send(Request::Script(Rc::new(call)));
        async {
            match reply.await? {
                Reply::Script(Returned::Failed(error)) => Err(QueueError::Redis(error)),
                Reply::Script(Returned::Code(code)) if code < 0 => {
                    Err(QueueError::Code(i8::try_from(code).unwrap_or(i8::MIN)))
                }
                Reply::Script(returned) => Ok(returned),
                other => unreachable!("a script is answered with {other:?}"),
            }
        }
    }
}
