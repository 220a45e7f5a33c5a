//! CLIENT PAUSE: commands that are held back until it is over.

use super::bytes::Bytes;
use super::session::Queued;
use super::table::{Known, flag};
use super::{ClientId, Redis};
use crate::clock::Instant;

/// Which commands are held back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Held {
    /// None.
    #[default]
    Nothing,
    /// Those that may change something.
    Writes,
    /// All.
    All,
}

/// A pause, and who waits for its end.
#[derive(Debug, Default)]
pub(super) struct Pause {
    held: Held,
    /// The last millisecond of it.
    until_ms: i64,
    waiting: Vec<(ClientId, Vec<Bytes>)>,
}

/// Commands that write nothing themselves but count as if they did.
const REPLICATED: [&str; 6] = ["eval", "evalsha", "fcall", "pfcount", "publish", "spublish"];

impl Pause {
    /// Holds commands back; of two pauses the graver and the longer count.
    pub(super) fn begin(&mut self, held: Held, until_ms: i64) {
        self.held = self.held.max(held);
        self.until_ms = self.until_ms.max(until_ms);
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        self.held = Held::Nothing;
        self.until_ms = 0;
    }

    /// Whether a command is held back.
    #[inline]
    pub(super) fn holds(&self, known: &Known, queued: Option<&Queued>) -> bool {
        let writes = |known: &Known| {
            known.spec.is(flag::WRITE)
                || REPLICATED.contains(&known.name.as_str())
                || known.name == "script|load"
        };
        match self.held {
            Held::Nothing => false,
            Held::All => true,
            Held::Writes => {
                let queued = queued.filter(|_| known.name == "exec");
                writes(known) || queued.is_some_and(|queued| queued.any(writes))
            }
        }
    }

    /// Keeps a command of a client until the pause is over.
    pub(super) fn keep(&mut self, client: ClientId, args: &[Bytes]) {
        self.waiting.push((client, args.to_vec()));
    }

    /// Whether a client waits for the end of the pause.
    pub(super) fn contains(&self, client: ClientId) -> bool {
        !self.waiting.is_empty() && self.waiting.iter().any(|(waiting, _)| *waiting == client)
    }

    /// Lets a client that is gone wait no more.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.waiting.retain(|(waiting, _)| *waiting != client);
    }

    /// How many clients wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The instant from which it is over, if there is one.
    pub(super) fn over(&self) -> Option<Instant> {
        let held = self.held != Held::Nothing;
        held.then(|| Instant::from_ms(self.until_ms.saturating_add(1)))
    }
}

impl Redis {
    /// Ends a pause whose time is up, and runs what a pause that is over held back.
    pub(super) fn unpause(&mut self) {
        let pause = &mut self.server.pause;
        if pause.over().is_some_and(|over| over <= self.server.now) {
            pause.end();
        }
        if pause.held != Held::Nothing || pause.waiting.is_empty() {
            return;
        }
        for (client, args) in std::mem::take(&mut pause.waiting) {
            let reply = self.reply(client, &args);
            self.server.settle();
            if let Some(reply) = reply {
                self.server.outbox.push((client, reply));
            }
        }
    }
}
