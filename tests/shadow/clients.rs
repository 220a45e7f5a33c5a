//! The sockets that clients connect to: what comes from them, in the order in which it came.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::thread;

/// Something that comes from outside.
pub(crate) enum Event {
    /// A client has connected; its number counts from 1.
    Opened(u32, TcpStream),
    /// It sent bytes.
    Bytes(u32, Vec<u8>),
    /// It has gone.
    Closed(u32),
    /// The driver wrote a line.
    Line(String),
    /// The driver has ended, and wrote all it will.
    Ended,
}

/// Listens on a free port of the loopback interface; the port. Threads read; what they read is
/// worked off by one, who gets the events.
pub(crate) fn listen(events: Sender<Event>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for (client, stream) in (1..).zip(listener.incoming()) {
            let stream = stream.expect("a connection");
            stream.set_nodelay(true).expect("a socket of TCP");
            let reader = stream.try_clone().expect("a file more");
            if events.send(Event::Opened(client, stream)).is_err() {
                return;
            }
            let events = events.clone();
            thread::spawn(move || read(client, reader, &events));
        }
    });
    port
}

/// Reads what a client sends until it has gone, or nobody listens any more.
fn read(client: u32, mut stream: TcpStream, events: &Sender<Event>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        // A connection that was reset has gone as one that was closed.
        let count = stream.read(&mut buffer).unwrap_or(0);
        let event = match count {
            0 => Event::Closed(client),
            _ => Event::Bytes(client, buffer[..count].to_vec()),
        };
        if events.send(event).is_err() || count == 0 {
            return;
        }
    }
}
