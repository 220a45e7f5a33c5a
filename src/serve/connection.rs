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
}

/// The most that a client may send ahead of what is executed.
const LONGEST_INPUT: usize = 64 << 20;
/// The most that may wait to be sent to a client.
const LONGEST_OUTPUT: usize = 256 << 20;
/// An output buffer that grew beyond this is given back when it is empty.
const KEPT: usize = 64 << 10;

impl Connection {
    /// Closes it as soon as its task runs.
    pub(super) fn dismiss(&self) {
        self.dismissed.set(true);
        self.wake.notify_one();
    }

    /// Sends what can be sent without waiting.
    pub(super) fn send(&self) {
        let mut out = self.out.borrow_mut();
        let mut sent = 0;
        while sent < out.len() {
            match self.stream.try_write(&out[sent..]) {
                Ok(0) => self.dismissed.set(true),
                Ok(count) => {
                    sent += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.dismissed.set(true),
            }
            break;
        }
        if sent == out.len() {
            out.clear();
            if out.capacity() > KEPT {
                *out = Vec::new();
            }
        } else {
            out.drain(..sent);
            if out.len() > LONGEST_OUTPUT {
                self.dismissed.set(true);
            }
        }
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
        wake: Notify::new(),
        dismissed: Cell::new(false),
    };
    let entered = hub.borrow_mut().enter(connection);
    match entered {
        Ok(connection) => tokio::task::spawn_local(run(Rc::clone(hub), connection)),
        Err(connection) => tokio::task::spawn_local(refuse(connection)),
    };
}

/// Says that there are too many clients.
async fn refuse(connection: Connection) {
    if connection.stream.writable().await.is_ok() {
        let _ = connection.stream.try_write(b"-ERR max number of clients reached\r\n");
    }
}

async fn run(hub: Rc<RefCell<Hub>>, connection: Rc<Connection>) {
    let mut input = Input::default();
    let mut then = Then::On;
    while !connection.dismissed.get() {
        let sending = !connection.out.borrow().is_empty();
        if then == Then::Ends && !sending {
            break;
        }
        let reading = then != Then::Ends && input.bytes.len() < LONGEST_INPUT;
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
            }
            ready = connection.stream.readable(), if reading => {
                if ready.is_err() {
                    break;
                }
                match read(&hub, &connection, &mut input, then) {
                    Ok(next) => then = next,
                    Err(_) => break,
                }
            }
        }
        connection.send();
    }
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
    let result = match connection.stream.try_read(&mut scratch) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            let bytes = &scratch[..count];
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
    connection.send();
    hub.flush();
    result
}

/// Goes on with what a client sent while it waited, if it waits no more.
fn resume(hub: &RefCell<Hub>, connection: &Connection, input: &mut Input) -> Then {
    let mut hub = hub.borrow_mut();
    if hub.waits(connection.number) {
        return Then::Waits;
    }
    let then = execute(&mut hub, connection, input);
    connection.send();
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
