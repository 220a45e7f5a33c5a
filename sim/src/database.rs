//! The database that start-up code and jobs work on: statements that take time, locks, the presence
//! of rows, and a ledger of the rows written.
//!
//! A statement takes effect when its time is over, and does even if its client dies meanwhile, as an
//! autocommitted one does; a session's lock dies with its session. It has no values, no transactions
//! over several statements, and no isolation to get wrong: one statement is one atomic step.

use crate::clock::{Instant, Span};
use crate::event::{JobId, QueueId, Rolling};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::Hash;
use std::rc::Rc;

/// One statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// How long the server works on it.
    pub takes: Span,
    /// What it does at the end of that time.
    pub does: Does,
}

/// What a statement does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Does {
    /// It reads.
    Query,
    /// It writes rows that are only counted.
    Write(Write),
    /// It takes a lock. Nothing comes of it if somebody else holds the lock.
    Lock {
        /// The lock's name.
        name: Rc<str>,
        /// What kind of lock it is.
        lock: Lock,
        /// Who wants it; not the client, which is one connection of several.
        holder: u32,
    },
    /// It gives a lock back. Nothing comes of it if there was none to give back.
    Unlock {
        /// The lock's name.
        name: Rc<str>,
        /// Who gives it back.
        holder: u32,
    },
    /// It inserts a row of a unique name. Nothing comes of it if there is one.
    Insert(Rc<str>),
    /// It deletes a row. Nothing comes of it if there is none.
    Delete(Rc<str>),
    /// It looks for a row. Nothing comes of it if there is none.
    Find(Rc<str>),
}

/// The kinds of locks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    /// Held by the connection, and free when that closes: `pg_try_advisory_lock`, or
    /// `pg_advisory_lock`, which waits.
    Session {
        /// Whether the statement waits until the lock is free.
        wait: bool,
    },
    /// Free by itself after a time.
    Lease(Span),
    /// A column that says `running`: it stays when its holder dies, until somebody gives it back.
    Status,
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

/// A statement that is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done<C> {
    /// Whose it was.
    pub client: C,
    /// The rows that it committed.
    pub wrote: Option<Write>,
    /// Whether something came of it; always of a query and a write.
    pub did: bool,
}

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held<C> {
    Session(C),
    Until(Instant, u32),
    Status,
}

/// The server: statements under way, each on its own (a connection runs one at a time because its
/// client waits for the reply).
#[derive(Debug)]
pub struct Database<C> {
    running: BTreeMap<(Instant, u64), (C, Does)>,
    begun: u64,
    locks: BTreeMap<Rc<str>, Held<C>>,
    /// Who waits for a session's lock, first come first served.
    waiting: VecDeque<(C, Rc<str>)>,
    /// Statements that waited and have their lock now.
    granted: VecDeque<C>,
    rows: BTreeSet<Rc<str>>,
}

impl<C> Default for Database<C> {
    fn default() -> Self {
        Database {
            running: BTreeMap::new(),
            begun: 0,
            locks: BTreeMap::new(),
            waiting: VecDeque::new(),
            granted: VecDeque::new(),
            rows: BTreeSet::new(),
        }
    }
}

impl<C: Copy + PartialEq> Database<C> {
    /// Begins a statement of `client`.
    pub fn execute(&mut self, client: C, statement: Statement, now: Instant) {
        let done = now + statement.takes;
        self.running.insert((done, self.begun), (client, statement.does));
        self.begun += 1;
    }

    /// When the next statement is done.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.running.first_key_value().map(|((done, _), _)| *done)
    }

    /// The next statement that is done by now, in the order in which they are.
    pub fn done(&mut self, now: Instant) -> Option<Done<C>> {
        loop {
            if let Some(client) = self.granted.pop_front() {
                return Some(Done { client, wrote: None, did: true });
            }
            let next = self.running.first_entry()?;
            if next.key().0 > now {
                return None;
            }
            let (client, does) = next.remove();
            if let Some(done) = self.finish(client, does, now) {
                return Some(done);
            }
        }
    }

    /// Adds to a hash all that the rest of the run hangs on, with clients by such names.
    pub fn recall<N: Hash>(&self, into: &mut Rolling, name: impl Fn(C) -> N) {
        let Database { running, begun: _, locks, waiting, granted, rows } = self;
        for ((done, _), (client, does)) in running {
            (1_u8, done, name(*client)).hash(into);
            into.show(does);
        }
        for (lock, held) in locks {
            (2_u8, lock).hash(into);
            match held {
                Held::Session(client) => name(*client).hash(into),
                Held::Until(until, holder) => (until, holder).hash(into),
                Held::Status => {}
            }
        }
        for (client, lock) in waiting {
            (3_u8, name(*client), lock).hash(into);
        }
        granted.iter().for_each(|client| name(*client).hash(into));
        rows.hash(into);
    }

    /// A client's connection closed: its session's locks are free, and it waits for none. Whoever
    /// waited for one is done; ask [`Database::done`].
    pub fn disconnect(&mut self, client: C) {
        self.waiting.retain(|(waits, _)| *waits != client);
        let locks = |does: &Does| matches!(does, Does::Lock { lock: Lock::Session { .. }, .. });
        self.running.retain(|_, (of, does)| *of != client || !locks(does));
        let held = self.locks.iter().filter(|(_, held)| **held == Held::Session(client));
        let names: Vec<Rc<str>> = held.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.free(&name);
        }
    }

    /// `None` for a statement that waits.
    fn finish(&mut self, client: C, does: Does, now: Instant) -> Option<Done<C>> {
        let did = match does {
            Does::Query => true,
            Does::Write(write) => return Some(Done { client, wrote: Some(write), did: true }),
            Does::Lock { name, lock, holder } => {
                let took = self.take(client, &name, lock, holder, now);
                if !took && lock == (Lock::Session { wait: true }) {
                    self.waiting.push_back((client, name));
                    return None;
                }
                took
            }
            Does::Unlock { name, holder } => self.give_back(client, &name, holder),
            Does::Insert(row) => self.rows.insert(row),
            Does::Delete(row) => self.rows.remove(&row),
            Does::Find(row) => self.rows.contains(&row),
        };
        Some(Done { client, wrote: None, did })
    }

    fn take(&mut self, client: C, name: &Rc<str>, lock: Lock, holder: u32, now: Instant) -> bool {
        let free = match self.locks.get(name) {
            None => true,
            // A session may take its lock again; that it must give it back as often is left out.
            Some(Held::Session(of)) => *of == client,
            Some(Held::Until(until, _)) => *until < now,
            Some(Held::Status) => false,
        };
        if free {
            let held = match lock {
                Lock::Session { .. } => Held::Session(client),
                Lock::Lease(span) => Held::Until(now + span, holder),
                Lock::Status => Held::Status,
            };
            self.locks.insert(name.clone(), held);
        }
        free
    }

    fn give_back(&mut self, client: C, name: &Rc<str>, holder: u32) -> bool {
        let may = match self.locks.get(name) {
            None => false,
            Some(Held::Session(of)) => *of == client,
            Some(Held::Until(_, of)) => *of == holder,
            // A column knows no holder: whoever writes `idle` frees it.
            Some(Held::Status) => true,
        };
        if may {
            self.free(name);
        }
        may
    }

    /// Frees a lock, and gives it to whoever waits for it.
    fn free(&mut self, name: &Rc<str>) {
        self.locks.remove(name);
        if let Some(place) = self.waiting.iter().position(|(_, waits)| waits == name)
            && let Some((client, _)) = self.waiting.remove(place)
        {
            self.locks.insert(name.clone(), Held::Session(client));
            self.granted.push_back(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_ms(ms)
    }

    fn statement(ms: i64, does: Does) -> Statement {
        Statement { takes: Span::from_ms(ms), does }
    }

    fn lock(lock: Lock, holder: u32) -> Does {
        Does::Lock { name: "l".into(), lock, holder }
    }

    fn unlock(holder: u32) -> Does {
        Does::Unlock { name: "l".into(), holder }
    }

    /// What comes of a statement that takes no time.
    fn now(database: &mut Database<u8>, client: u8, ms: i64, does: Does) -> Option<bool> {
        database.execute(client, statement(0, does), at(ms));
        let done = database.done(at(ms))?;
        assert_eq!(done.client, client);
        Some(done.did)
    }

    #[test]
    fn statements_are_done_when_they_have_taken_their_time() {
        let mut database = Database::default();
        database.execute("slow", statement(20, Does::Query), at(0));
        database.execute("quick", statement(5, Does::Query), at(1));
        database.execute("also", statement(5, Does::Query), at(1));
        let done = |client| Some(Done { client, wrote: None, did: true });
        assert_eq!(database.next_deadline(), Some(at(6)));
        assert_eq!(database.done(at(5)), None);
        assert_eq!(database.done(at(6)), done("quick"));
        assert_eq!(database.done(at(6)), done("also"));
        assert_eq!(database.done(at(6)), None);
        assert_eq!(database.next_deadline(), Some(at(20)));
    }

    #[test]
    fn a_sessions_lock_dies_with_its_connection() {
        let mut database = Database::default();
        let session = |holder| lock(Lock::Session { wait: false }, holder);
        assert_eq!(now(&mut database, 1, 0, session(1)), Some(true));
        assert_eq!(now(&mut database, 2, 0, session(2)), Some(false));
        assert_eq!(now(&mut database, 2, 0, unlock(2)), Some(false));
        database.disconnect(1);
        assert_eq!(now(&mut database, 2, 0, session(2)), Some(true));
        assert_eq!(now(&mut database, 2, 0, unlock(2)), Some(true));
    }

    #[test]
    fn who_waits_gets_the_lock_in_the_order_of_coming() {
        let mut database = Database::default();
        let waits = |holder| lock(Lock::Session { wait: true }, holder);
        assert_eq!(now(&mut database, 1, 0, waits(1)), Some(true));
        assert_eq!(now(&mut database, 2, 0, waits(2)), None);
        assert_eq!(now(&mut database, 3, 0, waits(3)), None);
        assert_eq!(now(&mut database, 4, 0, waits(4)), None);
        database.disconnect(2);
        database.disconnect(1);
        assert_eq!(database.done(at(0)), Some(Done { client: 3, wrote: None, did: true }));
        assert_eq!(database.done(at(0)), None);
        database.disconnect(3);
        assert_eq!(database.done(at(0)).map(|done| done.client), Some(4));
    }

    #[test]
    fn a_lease_frees_itself_and_is_its_holders() {
        let mut database = Database::default();
        let lease = |holder| lock(Lock::Lease(Span::from_ms(10)), holder);
        assert_eq!(now(&mut database, 1, 0, lease(1)), Some(true));
        database.disconnect(1);
        assert_eq!(now(&mut database, 2, 10, lease(2)), Some(false));
        assert_eq!(now(&mut database, 2, 11, lease(2)), Some(true));
        assert_eq!(now(&mut database, 1, 12, unlock(1)), Some(false));
        assert_eq!(now(&mut database, 2, 12, unlock(2)), Some(true));
    }

    #[test]
    fn a_status_column_stays_after_a_death() {
        let mut database = Database::default();
        assert_eq!(now(&mut database, 1, 0, lock(Lock::Status, 1)), Some(true));
        database.disconnect(1);
        assert_eq!(now(&mut database, 2, 9_999_999, lock(Lock::Status, 2)), Some(false));
        assert_eq!(now(&mut database, 2, 9_999_999, unlock(2)), Some(true));
    }

    #[test]
    fn a_row_is_there_once() {
        let mut database = Database::default();
        let row = || Rc::from("r");
        assert_eq!(now(&mut database, 1, 0, Does::Find(row())), Some(false));
        assert_eq!(now(&mut database, 1, 0, Does::Insert(row())), Some(true));
        assert_eq!(now(&mut database, 1, 0, Does::Insert(row())), Some(false));
        assert_eq!(now(&mut database, 1, 0, Does::Find(row())), Some(true));
        assert_eq!(now(&mut database, 1, 0, Does::Delete(row())), Some(true));
        assert_eq!(now(&mut database, 1, 0, Does::Delete(row())), Some(false));
    }
}
