//! What is no request, and requests in pieces.

use std::time::Duration;

use super::client::{Server, request};
use super::real;

/// What clients sent that should not be.
fn malformed_frames() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = [
        "*-2\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*\r\n",
        "*x\r\n",
        "*1x\r\n",
        "*01\r\n",
        "*+1\r\n",
        "* 1\r\n",
        "*1 \r\n",
        "*--1\r\n",
        "*2147483647\r\n",
        "*2147483648\r\n",
        "*99999999999999999999\r\n",
        "*1000000000\r\n$2147483647\r\n",
        "*1\n$4\nPING\n",
        "*1\r$4\rPING\r",
        "*1\r\n\r\n",
        "*1\r\n\n",
        "*1\r\nPING\r\n",
        "*1\r\n+PING\r\n",
        "*1\r\n:4\r\nPING\r\n",
        "*1\r\n*1\r\n$4\r\nPING\r\n",
        "*1\r\n-1\r\n",
        "*1\r\n$\r\n",
        "*1\r\n$-2\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$x\r\n",
        "*1\r\n$04\r\nPING\r\n",
        "*1\r\n$+4\r\nPING\r\n",
        "*1\r\n$4 \r\nPING\r\n",
        "*1\r\n$536870913\r\n",
        "*1\r\n$99999999999999999999\r\n",
        "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
        "*1\r\n$4\r\nPI",
        "*1\r\n$4",
        "*1",
        "*",
        "$4\r\nPING\r\n",
        "+OK\r\n",
        "-ERR\r\n",
        ":1\r\n",
        "PING\n",
        "PING\r",
        "\r\n\r\nPING\r\n",
        "   \r\n",
        "PING \"\r\n",
        "PING '\r\n",
        "ECHO \"a\"b\r\n",
        "ECHO 'a'b\r\n",
        "ECHO \"\\x41\\n\\q\"\r\n",
        "ECHO 'a\\'b'\r\n",
        "ECHO a\"b c\"\r\n",
        "ECHO \"\\xZZ\"\r\n",
        "PING\t\x0bx\r\n",
        "ECHO \"a\\\r\n",
        "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nPING\r\n",
        "Host: localhost\r\nPING\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nPING\r\n",
        "PING\r\n*x\r\nPING\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$x\r\n*1\r\n$4\r\nPING\r\n",
        "*1\r\n$0\r\n\r\n",
        "*2\r\n$0\r\n\r\n$0\r\n\r\n",
        "NOSUCH a b\r\n",
        "*1\r\n$7\r\nNO\r\nSUC\r\n",
        "GET\r\n",
        "*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
        "QUIT\r\nPING\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    let long = |head: &str, byte: u8, count: usize| [head.as_bytes(), &vec![byte; count]].concat();
    frames.extend([
        b"\0PING\r\n".to_vec(),
        b"PING\0\r\nPING\r\n".to_vec(),
        b"*1\r\n\0\r\n".to_vec(),
        b"*1\r\n\xff4\r\n".to_vec(),
        b"\xff\xfe\xfd\r\n".to_vec(),
        b"ECHO \xff\r\n".to_vec(),
        // The beginning of a TLS handshake.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n".to_vec(),
        long("", b'a', (64 << 10) + 1),
        long("*", b'1', (64 << 10) + 1),
        long("*1\r\n$", b'1', (64 << 10) + 1),
        [long("ECHO ", b'a', 70_000), b"\r\n".to_vec()].concat(),
        long("", b' ', 100),
    ]);
    frames
}

/// Each frame alone: the same bytes come back as from Redis, and others are served.
pub(super) fn malformed() {
    let (ours, theirs) = (Server::start(&[]), real::Server::start(0));
    theirs.set_clock(1);
    let mut other = ours.connect();
    for frame in malformed_frames() {
        let mut real = theirs.connect();
        real.send(&frame);
        let mut count = None;
        while count != Some(real.peek(0).len()) {
            count = Some(real.peek(0).len());
            std::thread::sleep(QUIET);
            real.pending();
        }
        let wanted = real.peek(0).to_vec();
        real.take(wanted.len());
        let mut client = ours.connect();
        client.send(&frame);
        let told = client.comes(QUIET);
        let shown = String::from_utf8_lossy(&frame[..frame.len().min(100)]).into_owned();
        assert_eq!(told.escape_ascii().to_string(), wanted.escape_ascii().to_string(), "{shown:?}");
        assert_eq!(other.ask("ping"), super::client::status("PONG"));
    }
}

/// When nothing has come for so long, nothing will.
const QUIET: Duration = Duration::from_millis(60);

/// Requests whose replies do not depend on time or on what else happens.
const REQUESTS: [&str; 12] = [
    "SET k hello",
    "GET k",
    "RPUSH l a b c",
    "LRANGE l 0 -1",
    "HSET h f v g w",
    "HGETALL h",
    "ZADD z 1.5 a 2 b",
    "ZRANGE z 0 -1 WITHSCORES",
    "MULTI",
    "INCR n",
    "EXEC",
    "GET l",
];

/// Byte by byte, and cut in two at every place, requests are answered as in one piece.
pub(super) fn cut() {
    let server = Server::start(&[]);
    let mut bytes = b"PING\r\nECHO \"a b\"\r\n".to_vec();
    bytes.extend(REQUESTS.iter().flat_map(|command| request(command)));
    let play = |pieces: &mut dyn Iterator<Item = &[u8]>, pause: Duration, count: usize| {
        let mut client = server.connect();
        client.ask("FLUSHALL");
        for piece in pieces {
            client.send(piece);
            std::thread::sleep(pause);
        }
        if count == 0 { client.rest(true) } else { client.exactly(count) }
    };
    let whole = {
        let mut client = server.connect();
        client.ask("FLUSHALL");
        client.send(&bytes);
        client.send(&request("QUIT"));
        let told = client.rest(false);
        told[..told.len() - b"+OK\r\n".len()].to_vec()
    };
    let moment = Duration::from_micros(100);
    assert_eq!(play(&mut bytes.chunks(1), moment, whole.len()), whole);
    for at in (1..bytes.len()).step_by(3) {
        let (head, tail) = bytes.split_at(at);
        let told = play(&mut [head, tail].into_iter(), moment, whole.len());
        assert_eq!(told, whole, "cut at {at}");
    }
}
