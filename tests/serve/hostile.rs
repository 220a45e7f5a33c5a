//! Clients that mean harm, or do it.

use std::process::Command;
use std::time::{Duration, Instant};

use bootrace::sim::redis::Reply;

use super::client::{Client, Server, request, status, until};

/// How long a ping takes.
fn ping(client: &mut Client) -> Duration {
    let started = Instant::now();
    assert_eq!(client.ask("PING"), status("PONG"));
    started.elapsed()
}

/// The slowest of some pings but for one in a hundred.
fn slowest(client: &mut Client, count: usize) -> Duration {
    let mut took: Vec<Duration> = (0..count).map(|_| ping(client)).collect();
    took.sort();
    took[count * 99 / 100]
}

const TOO_SLOW: Duration = Duration::from_millis(100);

/// Lengths that nothing follows take no memory, however large they are.
pub(super) fn lengths() {
    let server = Server::start(&[]);
    let before = server.memory();
    let heads = [
        "*1000000000\r\n$536870912\r\n",
        "*2147483647\r\n$3\r\nSET\r\n",
        "*2\r\n$536870912\r\nabc",
    ];
    let clients: Vec<Client> = (0..900)
        .map(|number| {
            let mut client = server.connect();
            client.send(heads[number % heads.len()].as_bytes());
            client
        })
        .collect();
    ping(&mut server.connect());
    let grown = server.memory() - before;
    assert!(grown < 32 << 10, "{grown} kB for {} clients", clients.len());
}

/// A client that asks and never reads is disconnected at its limit; others go on.
pub(super) fn never_reads() {
    let server = Server::start(&[]);
    let mut other = server.connect();
    other.send(b"CONFIG SET client-output-buffer-limit \"normal 16777216 0 0\"\r\n");
    assert_eq!(other.reply(), status("OK"));
    other.ask("SETRANGE big 1048575 x");
    let mut clients = |expected: usize| {
        assert!(ping(&mut other) < Duration::from_secs(1));
        let Reply::Bulk(text) = other.ask("CLIENT LIST") else { panic!("no text") };
        text.iter().filter(|byte| **byte == b'\n').count() == expected
    };
    let mut greedy = server.connect();
    assert_eq!(greedy.ask("PING"), status("PONG"));
    assert!(clients(2), "it is connected");
    greedy.send(&request("GET big").repeat(200));
    until("it is disconnected", || clients(1));
    assert!(server.memory() < 128 << 10, "{} kB", server.memory());
}

/// Clients that send a byte now and then do not slow down others, nor does a long pipeline.
pub(super) fn slow_writers() {
    let server = Server::start(&[]);
    let mut other = server.connect();
    let bytes = request("SET k v");
    let mut slow: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    for byte in &bytes[..bytes.len() - 1] {
        for client in &mut slow {
            client.send(&[*byte]);
        }
        let took = ping(&mut other);
        assert!(took < TOO_SLOW, "{took:?}");
    }
    for client in &mut slow {
        client.send(&bytes[bytes.len() - 1..]);
        assert_eq!(client.reply(), status("OK"));
    }
    let mut pipeline = server.connect();
    pipeline.send(&request("INCR n").repeat(100_000));
    let took = slowest(&mut other, 100);
    assert!(took < TOO_SLOW, "{took:?}");
    for number in 1..=100_000 {
        assert_eq!(pipeline.reply(), Reply::Int(number));
    }
}

/// One client too many is told so and disconnected; when another has gone there is room.
pub(super) fn too_many() {
    let server = Server::start(&["--maxclients", "3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert!(ping(client) < TOO_SLOW));
    let told = server.connect().rest(false);
    assert_eq!(told, b"-ERR max number of clients reached\r\n");
    clients.pop();
    until("there is room", || {
        let mut client = server.connect();
        client.send(&request("PING"));
        client.rest(true) == b"+PONG\r\n"
    });
}

/// With no descriptor left it serves those it has, burns no processor, and then lets others in.
pub(super) fn no_descriptors() {
    let script = format!("ulimit -n 64; exec {} serve --port 0", env!("CARGO_BIN_EXE_bootrace"));
    let server = Server::spawn(Command::new("sh").args(["-c", &script]));
    let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    ping(&mut clients[0]);
    let before = server.ticks();
    std::thread::sleep(Duration::from_millis(500));
    let burnt = server.ticks() - before;
    assert!(burnt < 10, "{burnt} hundredths of a second in half of one");
    ping(&mut clients[0]);
    clients.drain(..60);
    until("others are let in", || {
        let last = clients.last_mut().expect("there are 40");
        last.send(&request("PING"));
        last.hears(Duration::from_millis(100))
    });
}

/// Ten thousand idle clients and two hundred busy ones. By hand: `ulimit -n 12000` first.
pub(super) fn ten_thousand() {
    let server = Server::start(&["--maxclients", "11000"]);
    let idle: Vec<Client> = (0..10_000).map(|_| server.connect()).collect();
    let mut busy: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    let mut took = Vec::new();
    for _ in 0..50 {
        for client in &mut busy {
            took.push(ping(client));
        }
    }
    took.sort();
    let (middle, slow) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("{} idle, {} kB: p50 {middle:?}, p99 {slow:?}", idle.len(), server.memory());
    assert!(slow < Duration::from_millis(5), "{slow:?}");
}
