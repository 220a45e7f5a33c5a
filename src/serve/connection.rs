//! One connection: its bytes in and out, and the task that moves them.

use super::hub::{Hub, Then};
use bootrace_sim::redis::resp::Requests;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// A connection as others see it.
pub(super) struct Connection {
    pub(super) number: u32,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    stream: TcpStream,
    /// What is to be sent.
    pub(super) out: RefCell<Vec<u8>>,
    /// How much of that has been sent.
    sent: Cell<usize>,
    /// It is to be sent, and somebody knows.
    owed: Cell<bool>,
    /// The client does not take what it is sent: its task waits until it does.
    stuck: Cell<bool>,
    /// Rings when its task has something to do that no byte from the client tells it.
    pub(super) wake: Notify,
    /// It is to be closed at once.
    dismissed: Cell<bool>,
}

/// What came from a client and is not executed yet.
#[derive(Default)]
pub(super) struct Input {
    pub(super) requests: Requests,
    bytes: Vec<u8>,
    /// There was more to read than was read at once.
    more: bool,
}

/// An output buffer that grew beyond this is given back when it is empty.
const KEPT: usize = 64 << 10;

impl Connection {
    /// Closes it as soon as its task runs.
    pub(super) fn dismiss(&self) {
        self.dismissed.set(true);
        self.wake.notify_one();
    }

    /// Whether it is to be closed at once.
    pub(super) fn is_dismissed(&self) -> bool {
        self.dismissed.get()
    }

    /// Notes that something is to be sent; whether that is new.
    pub(super) fn owe(&self) -> bool {
        !self.owed.replace(true)
    }

    /// Sends what can be sent without waiting; to one that is to be closed at once, nothing. The
    /// rest is its task's.
    pub(super) fn send(&self) {
        self.owed.set(false);
        if self.dismissed.get() {
            return;
        }
        let mut out = self.out.borrow_mut();
        let mut sent = self.sent.get();
        while sent < out.len() {
            match self.stream.try_write(&out[sent..]) {
                Ok(0) => self.dismiss(),
                Ok(count) => {
                    sent += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.stuck.replace(true) {
                        self.wake.notify_one();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.dismiss(),
            }
            break;
        }
        if sent == out.len() {
            self.stuck.set(false);
            sent = 0;
            out.clear();
            if out.capacity() > KEPT {
                *out = Vec::new();
            }
        } else if sent > out.len() / 2 {
            // Not after every write: what is left is moved.
            out.drain(..sent);
            sent = 0;
        }
        self.sent.set(sent);
    }

    /// How much is still to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.out.borrow().len() - self.sent.get()
    }
}

/// Begins a task for a new connection, unless there are too many.
pub(super) fn begin(hub: &Rc<RefCell<Hub>>, stream: TcpStream, peer: SocketAddr) {
    // Whether replies wait for acknowledgements is a matter of speed only.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let connection = Connection {
        number: 0,
        peer,
        local,
        stream,
        out: RefCell::default(),
        sent: Cell::new(0),
        owed: Cell::new(false),
        stuck: Cell::new(false),
        wake: Notify::new(),
        dismissed: Cell::new(false),
    };
    let entered = hub.borrow_mut().enter(connection);
    match entered {
        Ok(connection) => tokio::task::spawn_local(run(Rc::clone(hub), connection)),
        Err(refused) => {
            let (connection, why) = *refused;
            tokio::task::spawn_local(refuse(connection, why))
        }
    };
}

/// Says why a client is not let in.
async fn refuse(connection: Connection, why: &'static [u8]) {
    if connection.stream.writable().await.is_ok() {
        let _ = connection.stream.try_write(why);
    }
}

/// Ends the server if the task it belongs to panics: a command has left the model half done.
struct Alarm(Rc<RefCell<Hub>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.borrow_mut().fail();
        }
    }
}

async fn run(hub: Rc<RefCell<Hub>>, connection: Rc<Connection>) {
    let _alarm = Alarm(Rc::clone(&hub));
    let mut input = Input::default();
    let mut then = Then::On;
    while !connection.dismissed.get() {
        if then == Then::Ends {
            connection.send();
            if connection.unsent() == 0 {
                break;
            }
        }
        let sending = connection.stuck.get();
        let reading = then != Then::Ends;
        tokio::select! {
            biased;
            () = connection.wake.notified() => {
                if then == Then::Waits {
                    then = resume(&hub, &connection, &mut input);
                }
            }
            ready = connection.stream.writable(), if sending => {
                if ready.is_err() {
                    break;
                }
                connection.send();
            }
            ready = connection.stream.readable(), if reading => {
                if ready.is_err() {
                    break;
                }
                match read(&hub, &connection, &mut input, then) {
                    Ok(next) => then = next,
                    Err(_) => break,
                }
                if input.more {
                    // The others' turn, and that of their replies.
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    // A client may say all it has to say, close its side and listen.
    connection.send();
    hub.borrow_mut().leave(connection.number);
    hub.borrow_mut().flush();
}

/// Reads what has come, and executes what is complete.
fn read(
    hub: &RefCell<Hub>,
    connection: &Connection,
    input: &mut Input,
    then: Then,
) -> io::Result<Then> {
    let mut hub = hub.borrow_mut();
    let mut scratch = std::mem::take(&mut hub.scratch);
    input.more = false;
    let result = match connection.stream.try_read(&mut scratch) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            let bytes = &scratch[..count];
            input.more = count == scratch.len();
            if then == Then::Waits {
                input.bytes.extend_from_slice(bytes);
                Ok(then)
            } else if input.bytes.is_empty() {
                let mut at = 0;
                let then = hub.requests(connection, input, bytes, &mut at);
                input.bytes.extend_from_slice(&bytes[at..]);
                Ok(then)
            } else {
                input.bytes.extend_from_slice(bytes);
                Ok(execute(&mut hub, connection, input))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(then),
        Err(error) => Err(error),
    };
    hub.scratch = scratch;
    hub.flush();
    if hub.too_much(input.bytes.len()) { Err(io::ErrorKind::OutOfMemory.into()) } else { result }
}

/// Goes on with what a client sent while it waited, if it waits no more.
fn resume(hub: &RefCell<Hub>, connection: &Connection, input: &mut Input) -> Then {
    let mut hub = hub.borrow_mut();
    if hub.waits(connection.number) {
        return Then::Waits;
    }
    let then = execute(&mut hub, connection, input);
    hub.flush();
    then
}

fn execute(hub: &mut Hub, connection: &Connection, input: &mut Input) -> Then {
    let mut bytes = std::mem::take(&mut input.bytes);
    let mut at = 0;
    let then = hub.requests(connection, input, &bytes, &mut at);
    bytes.drain(..at);
    if !bytes.is_empty() {
        input.bytes = bytes;
    }
    then
}
