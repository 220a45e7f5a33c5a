//! What answers to commands, and the model as that.

use bootrace_sim::clock::Instant;
use bootrace_sim::redis::resp::encode;
use bootrace_sim::redis::{Bytes, ClientId, Redis};

/// When everything happens on the model.
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
    /// An empty one; the client speaks version 2 of the protocol.
    pub(crate) fn new() -> Self {
        Model { redis: Redis::new(), resp: 2 }
    }
}

impl Answers for Model {
    fn ask(&mut self, words: &[&[u8]]) -> Vec<u8> {
        if let [b"HELLO", version] = words {
            self.resp = version[0] - b'0';
        }
        let args: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
        let reply = self.redis.request(ClientId(0), &args, Instant::from_ms(NOW_MS));
        let mut out = Vec::new();
        encode(&reply.expect("nobody waits"), self.resp, &mut out);
        out
    }
}

/// Bytes as people read them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
