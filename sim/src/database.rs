//! The database that jobs work on: statements that take time, and a ledger of the rows written.
//!
//! Rows count when their statement commits. A statement that has reached the server commits even if
//! its client dies meanwhile, as an autocommitted one does; there are no transactions over several
//! statements, no locks, and no contents.

use crate::clock::{Instant, Span};
use crate::event::{JobId, QueueId};
use std::collections::BTreeMap;

/// One statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// How long the server works on it.
    pub takes: Span,
    /// What it writes; a query writes nothing.
    pub writes: Option<Write>,
}

/// Rows that a statement writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// The queue of the job that writes.
    pub queue: QueueId,
    /// The job that writes.
    pub job: JobId,
    /// How many rows.
    pub rows: u64,
}

/// The server: statements under way, each on its own (a connection runs one at a time because its
/// client waits for the reply).
#[derive(Debug)]
pub struct Database<C> {
    running: BTreeMap<(Instant, u64), (C, Option<Write>)>,
    begun: u64,
}

impl<C> Default for Database<C> {
    fn default() -> Self {
        Database { running: BTreeMap::new(), begun: 0 }
    }
}

impl<C> Database<C> {
    /// Begins a statement of `client`.
    pub fn execute(&mut self, client: C, statement: Statement, now: Instant) {
        let done = now + statement.takes;
        self.running.insert((done, self.begun), (client, statement.writes));
        self.begun += 1;
    }

    /// When the next statement is done.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.running.first_key_value().map(|((done, _), _)| *done)
    }

    /// The next statement that is done by now, in the order in which they are: whose it was, and
    /// the rows that it has committed.
    pub fn done(&mut self, now: Instant) -> Option<(C, Option<Write>)> {
        let next = self.running.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_done_when_they_have_taken_their_time() {
        let at = Instant::from_ms;
        let mut database = Database::default();
        let query = |ms| Statement { takes: Span::from_ms(ms), writes: None };
        database.execute("slow", query(20), at(0));
        database.execute("quick", query(5), at(1));
        database.execute("also", query(5), at(1));
        assert_eq!(database.next_deadline(), Some(at(6)));
        assert_eq!(database.done(at(5)), None);
        assert_eq!(database.done(at(6)), Some(("quick", None)));
        assert_eq!(database.done(at(6)), Some(("also", None)));
        assert_eq!(database.done(at(6)), None);
        assert_eq!(database.next_deadline(), Some(at(20)));
    }
}
