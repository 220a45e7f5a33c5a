//! Plans for the job itself: a handler that may run as often as it likes.
//!
//! All but the first remember what is done by a row that they write last, and keep others away
//! meanwhile. The row is looked for before the lock is taken: who finds it holds nothing.

use super::draft::{Draft, statement};
use super::{Applied, Part, Plan, plan};
use crate::clock::Span;
use crate::scenario::{DatabaseAction, JobStep, LockKind, Template, Then};

const H: Part = Part::Handler;
/// How long a lease lasts beyond what the job takes.
const SPARE: Span = Span::from_secs(30);

pub(super) const PLANS: &[Plan] = &[
    plan(
        "unique-row",
        H,
        unique_row,
        "The job inserts a row for the window first, and returns if there is one.",
    ),
    plan(
        "done-row",
        H,
        done_row,
        "The job returns if there is a row for the window, and inserts it last.",
    ),
    plan(
        "session-lock",
        H,
        |draft| locked(draft, LockKind::Session { wait: false }),
        "The same behind a session's lock of the database (an advisory lock).",
    ),
    plan(
        "lease",
        H,
        lease,
        "The same behind a lease that lasts a little longer than the job; it is tried again.",
    ),
    plan(
        "status-column",
        H,
        |draft| locked(draft, LockKind::Status),
        "The same behind a column that says `running`.",
    ),
];

fn database(action: DatabaseAction, then: Then, otherwise: Then) -> JobStep {
    JobStep::Database(statement(action), then, otherwise)
}

fn unique_row(draft: &mut Draft) -> Applied {
    let row = draft.of_window(Some(draft.schedule));
    draft.around(&[database(DatabaseAction::Insert(row), Then::GoOn, Then::Return)], &[])
}

/// The statements that look whether the window's work is done, and say that it is.
fn remembers(draft: &Draft) -> [JobStep; 2] {
    let row = || draft.of_window(Some(draft.schedule));
    [
        database(DatabaseAction::Find(row()), Then::Return, Then::GoOn),
        database(DatabaseAction::Insert(row()), Then::GoOn, Then::GoOn),
    ]
}

fn done_row(draft: &mut Draft) -> Applied {
    let [find, insert] = remembers(draft);
    draft.around(&[find], &[insert])
}

fn locked(draft: &mut Draft, kind: LockKind) -> Applied {
    behind(draft, kind, Then::Return)
}

fn lease(draft: &mut Draft) -> Applied {
    let takes = draft.job_takes();
    behind(draft, LockKind::Lease(takes + SPARE), Then::Fail)
}

fn behind(draft: &mut Draft, kind: LockKind, busy: Then) -> Applied {
    let name = || Template { pieces: vec![draft.plain().into()], schedule: None };
    let lock = database(DatabaseAction::Lock(name(), kind), Then::GoOn, busy);
    let unlock = database(DatabaseAction::Unlock(name()), Then::GoOn, Then::GoOn);
    let [find, insert] = remembers(draft);
    draft.around(&[find, lock], &[insert, unlock])
}
