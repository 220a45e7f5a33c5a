//! The model and the real server, asked in the same words.

use bootrace_sim::clock::Instant;
use bootrace_sim::redis::resp::{decode, encode};
use bootrace_sim::redis::{Bytes, ClientId, Redis};

use crate::redis::{Connection, Server};

/// When everything happens.
const NOW_MS: i64 = 1_767_600_000_000;

/// What answers with the bytes of a reply.
pub(crate) trait Answers {
    fn ask(&mut self, words: &[&[u8]]) -> Vec<u8>;
}

/// The model.
pub(crate) struct Model {
    redis: Redis,
    resp: u8,
}

impl Model {
    /// An empty one that speaks version 2 of the protocol.
    pub(crate) fn new() -> Self {
        Model { redis: Redis::new(), resp: 2 }
    }
}

impl Answers for Model {
    fn ask(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let args: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
        let reply = self.redis.request(ClientId(0), &args, Instant::from_ms(NOW_MS));
        let mut out = Vec::new();
        encode(&reply.expect("nobody waits"), self.resp, &mut out);
        out
    }
}

/// The real server.
pub(crate) struct Real {
    connection: Connection,
    _server: Server,
}

impl Real {
    /// An empty one that speaks version 2 of the protocol.
    pub(crate) fn start() -> Self {
        let server = Server::start(NOW_MS);
        Real { connection: server.connect(), _server: server }
    }
}

impl Answers for Real {
    fn ask(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.connection.send(&request);
        let mut least = 1;
        loop {
            let come = self.connection.peek(least);
            assert!(come.len() >= least, "no answer to {}", shown(&request));
            match decode(come).expect("a reply") {
                Some((_, length)) => {
                    let reply = come[..length].to_vec();
                    self.connection.take(length);
                    return reply;
                }
                None => least = come.len() + 1,
            }
        }
    }
}

/// Bytes as people read them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
