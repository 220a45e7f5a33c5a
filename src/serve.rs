//! The Redis model on a socket: one thread, as Redis has, and a task for each connection.
//!
//! The model is told the time by this file's clock and nothing else of the world. A command is
//! executed when its last byte has come, in the order in which they come.

mod connection;
mod hub;
mod log;

use bootrace_sim::redis::Bytes;
use clap::ValueEnum;
use hub::Hub;
pub(crate) use log::Log;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// How time passes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(crate) enum Time {
    /// By itself
    Real,
    /// By the command BOOTRACE.ADVANCE, from the instant of the start
    Virtual,
}

impl Time {
    /// As INFO says it.
    fn word(self) -> &'static str {
        match self {
            Time::Real => "real",
            Time::Virtual => "virtual",
        }
    }
}

/// What is served, and where.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Port 0 is one that is free.
    pub(crate) address: SocketAddr,
    pub(crate) time: Time,
    pub(crate) max_clients: usize,
    /// Empty: none.
    pub(crate) password: String,
    pub(crate) seed: u64,
}

/// What a server has to say when it has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The names of the commands that came and were not known, and how often.
    pub(crate) unknown: BTreeMap<Bytes, u64>,
    /// The digest of what it holds, if a log was kept.
    pub(crate) digest: io::Result<Option<String>>,
}

/// Tells a model what the log of a server says; the digest of what it holds then.
///
/// # Errors
/// The file cannot be read, or it is no whole log: the entry is named.
pub(crate) fn replay(log: &Path) -> io::Result<String> {
    log::replay(log)
}

/// How many clients a server may be told to let in at a time: Redis's own bounds.
pub(crate) const MAX_CLIENTS: std::ops::RangeInclusive<usize> = 1..=4_294_967_295;

/// How often keys whose deadline has passed are removed.
const SWEEP: Duration = Duration::from_millis(100);

/// How long to wait when a connection cannot be accepted: there may be no descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// How many connections may wait to be accepted: Redis's `tcp-backlog`.
const BACKLOG: u32 = 511;

/// Serves until SIGTERM or SIGINT or a client's SHUTDOWN, and says by `listening` where. What the
/// model is told is written to `log`.
///
/// # Panics
/// If a command has.
///
/// # Errors
/// The address cannot be listened on, or there is no event queue.
pub(crate) fn serve(
    options: &Options,
    log: Option<Log>,
    listening: impl FnOnce(SocketAddr),
) -> io::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut ends = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
        let socket = match options.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A port is free again as soon as its server has ended.
        socket.set_reuseaddr(true)?;
        socket.bind(options.address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let hub = Rc::new(RefCell::new(Hub::new(options, address, log)));
        listening(address);
        let [terminate, interrupt] = &mut ends;
        let shutdown = hub.borrow().shutdown();
        // A task, so that its turn comes after those of the connections.
        let sending = tokio::task::spawn_local(hub::send(Rc::clone(&hub)));
        tokio::select! {
            () = accept(&listener, &hub) => {}
            () = hub::keep_time(&hub) => {}
            ended = sending => ended.expect("nothing that is sent panics"),
            () = shutdown.notified() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        assert!(!hub.borrow().has_failed(), "a command has panicked: this is a bug in bootrace");
        let mut hub = hub.borrow_mut();
        hub.send();
        Ok(Ended { digest: hub.end_log(), unknown: hub.unknown() })
    })
}

async fn accept(listener: &TcpListener, hub: &Rc<RefCell<Hub>>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => connection::begin(hub, stream, peer),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
