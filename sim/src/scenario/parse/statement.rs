//! A statement on locks or rows of the database, of a release or of a job.

use super::super::diagnostic::{Diagnostic, code};
use super::super::{DatabaseAction, DatabaseStep, LockKind};
use super::context::Context;
use super::options::{Ticked, maybe, row_name};
use super::read::Grain;
use super::shape;
use super::table::{Node, Table};
use crate::clock::Span;

/// How long a statement on locks or rows takes if the file does not say.
const STATEMENT: (Span, Span) = (Span::from_nanos(1_000_000), Span::from_nanos(5_000_000));

/// A statement on locks or rows.
pub(super) fn statement<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    word: &str,
    ticked: Ticked<'t>,
) -> Option<DatabaseStep> {
    const WHAT: [&str; 5] = ["lock", "unlock", "insert", "delete", "find"];
    let noun = "a `database` step";
    let mut table = Table::open_any(cx, node, &shape::STATEMENTS, noun)?;
    let what = table.exactly_one(cx, noun, &WHAT)?;
    let is = |shape: &&shape::Shape| shape.required.first() == Some(&what.key);
    table.narrow(cx, shape::STATEMENTS.iter().find(is)?);
    let takes = match table.get("takes") {
        Some(node) => cx.range(node, word),
        None => cx.draw(STATEMENT, word.to_owned(), node.span),
    };
    let name = row_name(cx, what.node, ticked);
    let action = match what.key {
        "lock" => {
            let kind = lock_kind(cx, &table);
            DatabaseAction::Lock(name?, kind?)
        }
        "unlock" => DatabaseAction::Unlock(name?),
        "insert" => DatabaseAction::Insert(name?),
        "delete" => DatabaseAction::Delete(name?),
        _ => DatabaseAction::Find(name?),
    };
    Some(DatabaseStep { action, takes: takes? })
}

fn lock_kind<'t>(cx: &mut Context<'t>, table: &Table<'t>) -> Option<LockKind> {
    const KINDS: [(&str, &str); 3] =
        [("session", "session"), ("lease", "lease"), ("status", "status")];
    let lease = maybe(cx, table, "lease", |cx, node| cx.span(node, Grain::PositiveMillis));
    let wait = maybe(cx, table, "wait", |cx, node| cx.boolean(node));
    let kind = maybe(cx, table, "kind", |cx, node| cx.word(node, &KINDS));
    let (lease, wait) = (lease?, wait?);
    let kind = kind?.unwrap_or(if lease.is_some() { "lease" } else { "session" });
    if let Some(key) = table.known("wait").filter(|_| kind != "session") {
        let message = "only a session's lock can be waited for";
        let help = "a lease and a status column are tried; try again with `on_error` or a timer";
        return cx.fail(Diagnostic::error(code::MISPLACED_KEY, key.at, message).help(help));
    }
    match (kind, lease) {
        ("lease", Some(lease)) => Some(LockKind::Lease(lease)),
        ("lease", None) => {
            let message = "a lease needs its length, `lease`";
            cx.fail(Diagnostic::error(code::MISSING_KEY, table.at, message))
        }
        (_, Some(_)) => {
            let at = table.known("lease").map_or(table.at, |key| key.at);
            let message = format!("a lock of the kind `{kind}` has no `lease`");
            cx.fail(Diagnostic::error(code::MISPLACED_KEY, at, message))
        }
        ("status", None) => Some(LockKind::Status),
        _ => Some(LockKind::Session { wait: wait.unwrap_or(false) }),
    }
}
