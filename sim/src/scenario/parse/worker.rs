//! `worker`: the options of a worker, and limits of starts.

use super::super::{Limiter, Worker};
use super::context::Context;
use super::names::Kind;
use super::options::{keep_table, maybe};
use super::read::Grain;
use super::shape;
use super::table::{Node, Table};
use crate::clock::Span;
use crate::event::QueueId;

/// A worker, with BullMQ's defaults for what is not said.
pub(super) fn worker<'t>(
    cx: &mut Context<'t>,
    table: &Table<'t>,
    node: Node<'t>,
) -> Option<Worker> {
    let queue = cx.resolve(Kind::Queue, node);
    let concurrency = maybe(cx, table, "concurrency", |cx, node| cx.count(node, 1..=1000));
    let limiter = maybe(cx, table, "limiter", limiter);
    let mut span = |key, grain, default| match table.get(key) {
        Some(node) => cx.span(node, grain),
        None => Some(Span::from_secs(default)),
    };
    let lock_duration = span("lock_duration", Grain::PositiveMillis, 30);
    let stalled_interval = span("stalled_interval", Grain::PositiveMillis, 30);
    let drain_delay = span("drain_delay", Grain::PositiveMillis, 5);
    let max_stalled_count =
        maybe(cx, table, "max_stalled_count", |cx, node| cx.count(node, 0..=u32::MAX));
    let max_started_attempts =
        maybe(cx, table, "max_started_attempts", |cx, node| cx.count(node, 1..=u32::MAX));
    // BullMQ takes nothing but a table here: with `true` or a number its script fails.
    let remove_on_complete = maybe(cx, table, "remove_on_complete", keep_table);
    let remove_on_fail = maybe(cx, table, "remove_on_fail", keep_table);
    let lock_renew_time =
        maybe(cx, table, "lock_renew_time", |cx, node| cx.span(node, Grain::PositiveMillis));
    let [skip_stalled_check, skip_lock_renewal, autorun, force_close] =
        ["skip_stalled_check", "skip_lock_renewal", "autorun", "force_close"]
            .map(|key| maybe(cx, table, key, |cx, node| cx.boolean(node)));
    Some(Worker {
        queue: QueueId(u16::try_from(queue?).ok()?),
        concurrency: concurrency?.unwrap_or(1),
        limiter: limiter?,
        lock_duration: lock_duration?,
        stalled_interval: stalled_interval?,
        max_stalled_count: max_stalled_count?.unwrap_or(1),
        drain_delay: drain_delay?,
        remove_on_complete: remove_on_complete?,
        remove_on_fail: remove_on_fail?,
        max_started_attempts: max_started_attempts?,
        lock_renew_time: lock_renew_time?,
        skip_stalled_check: skip_stalled_check?.unwrap_or(false),
        skip_lock_renewal: skip_lock_renewal?.unwrap_or(false),
        autorun: autorun?.unwrap_or(true),
        force_close: force_close?.unwrap_or(false),
    })
}

fn limiter<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Limiter> {
    let table = Table::open(cx, node, &shape::LIMITER)?;
    limits(cx, &table)
}

pub(super) fn limits<'t>(cx: &mut Context<'t>, table: &Table<'t>) -> Option<Limiter> {
    let max = table.get("max").and_then(|node| cx.count(node, 1..=u32::MAX));
    let duration = table.get("duration").and_then(|node| cx.span(node, Grain::PositiveMillis));
    Some(Limiter { max: max?, duration: duration? })
}
