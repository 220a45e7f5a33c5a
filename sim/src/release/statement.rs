//! A process's statements: a pool of database connections, of which a lock of a session keeps one
//! until it is given back.

use super::Process;
use crate::bullmq::QueueError;
use crate::clock::Span;
use crate::database::{Does, Lock, Statement};
use crate::scenario::{DatabaseAction, DatabaseStep, LockKind};
use crate::servers::{Conn, DATABASE, Reply, Request};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The connections of a process to the database.
#[derive(Default)]
pub(super) struct Pool {
    idle: Vec<Conn>,
    /// Those that hold a lock, by its name.
    locked: BTreeMap<Rc<str>, Conn>,
}

impl Process {
    /// Runs a statement on any connection: whether anything came of it.
    pub(super) async fn statement(&self, takes: Span, does: Does) -> Result<bool, QueueError> {
        let conn = self.connection(None);
        let did = execute(&conn, takes, does).await?;
        self.database.borrow_mut().idle.push(conn);
        Ok(did)
    }

    /// Runs a statement on locks or rows: whether anything came of it.
    pub(super) async fn statement_of(
        &self,
        step: &DatabaseStep,
        window: Option<i64>,
    ) -> Result<bool, QueueError> {
        let takes = self.draw(&step.takes);
        let named = |text: &crate::scenario::Template| {
            Rc::<str>::from(text.render(self.window(text, window)))
        };
        let holder = self.ctx.life().0;
        match &step.action {
            DatabaseAction::Lock(name, kind) => {
                let (name, lock) = (named(name), lock(*kind));
                let does = Does::Lock { name: name.clone(), lock, holder };
                if !matches!(lock, Lock::Session { .. }) {
                    return self.statement(takes, does).await;
                }
                let conn = self.connection(Some(&name));
                let did = execute(&conn, takes, does).await?;
                let mut pool = self.database.borrow_mut();
                if did {
                    pool.locked.insert(name, conn);
                } else {
                    pool.idle.push(conn);
                }
                Ok(did)
            }
            DatabaseAction::Unlock(name) => {
                let name = named(name);
                let conn = self.connection(Some(&name));
                let does = Does::Unlock { name, holder };
                let did = execute(&conn, takes, does).await?;
                self.database.borrow_mut().idle.push(conn);
                Ok(did)
            }
            DatabaseAction::Insert(row) => self.statement(takes, Does::Insert(named(row))).await,
            DatabaseAction::Delete(row) => self.statement(takes, Does::Delete(named(row))).await,
            DatabaseAction::Find(row) => self.statement(takes, Does::Find(named(row))).await,
        }
    }

    /// The connection that holds a lock, or an idle one, or a new one.
    fn connection(&self, lock: Option<&Rc<str>>) -> Conn {
        let mut pool = self.database.borrow_mut();
        let held = lock.and_then(|name| pool.locked.remove(name));
        let conn = held.or_else(|| pool.idle.pop());
        conn.unwrap_or_else(|| self.ctx.connect(DATABASE))
    }
}

async fn execute(conn: &Conn, takes: Span, does: Does) -> Result<bool, QueueError> {
    match conn.call(Request::Database(Statement { takes, does })).await? {
        Reply::Database(did) => Ok(did),
        other => unreachable!("a statement is answered with {other:?}"),
    }
}

fn lock(kind: LockKind) -> Lock {
    match kind {
        LockKind::Session { wait } => Lock::Session { wait },
        LockKind::Lease(span) => Lock::Lease(span),
        LockKind::Status => Lock::Status,
    }
}
