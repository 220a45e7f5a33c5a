//! `[job.NAME]`: what a processor does, and how its attempts end.
//!
//! It refuses steps that belong to start-up code, and writes that could not be told from none.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Counted, Job, JobStep, Outcome, Range, Then};
use super::context::Context;
use super::options::{Ticked, add, maybe, queue_of};
use super::shape;
use super::statement::statement;
use super::table::{Node, Table, list};
use crate::clock::Span;

/// The most rows of one write: more than any table has, and products of it fit 64 bits.
const ROWS_MAX: i64 = 1_000_000_000_000;

/// The most commits of one write; each is an event of the run.
const BATCHES_MAX: u32 = 100_000;

const ACTIONS: [&str; 7] = ["query", "write", "sleep", "block", "add", "database", "rate_limit"];

/// How an attempt ends that ends after its last step.
const OUTCOMES: [(&str, Outcome); 3] =
    [("ok", Outcome::Ok), ("fail", Outcome::Fail(None)), ("exit", Outcome::Exit(None))];

const THEN: [(&str, Then); 3] =
    [("go on", Then::GoOn), ("return", Then::Return), ("fail", Then::Fail)];

const COUNTED: [(&str, Counted); 2] = [("made", Counted::Made), ("started", Counted::Started)];

/// Reads `[job.NAME]`. `word` is what a tape calls its steps, before their numbers.
pub(super) fn job<'t>(cx: &mut Context<'t>, name: &str, word: &str, node: Node<'t>) -> Option<Job> {
    let table = Table::open(cx, node, &shape::JOB)?;
    let queue = match table.get("queue") {
        Some(_) => queue_of(cx, &table).map(Some),
        None => Some(None),
    };
    let steps = match table.get("steps") {
        Some(node) => steps(cx, word, node),
        None => Some(Vec::new()),
    };
    let outcomes = match table.get("outcome") {
        Some(node) => outcomes(cx, node, steps.as_ref().map(Vec::len)),
        None => Some(vec![Outcome::Ok]),
    };
    let counted = maybe(cx, &table, "count_by", |cx, node| cx.word(node, &COUNTED));
    Some(Job {
        name: name.into(),
        queue: queue?,
        steps: steps?,
        outcomes: outcomes?,
        counted: counted?.unwrap_or(Counted::Made),
    })
}

fn outcomes<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    steps: Option<usize>,
) -> Option<Vec<Outcome>> {
    if !matches!(node.value, DeValue::Array(_)) {
        return Some(vec![outcome(cx, node, steps)?]);
    }
    let help = "one word, or one for each attempt: \"ok\", \"fail\" or \"exit\"";
    let nodes = list(cx, node, "an outcome", Some(help));
    if nodes.is_empty() {
        if matches!(node.value, DeValue::Array(array) if array.is_empty()) {
            let message = "`outcome` needs a word for the first attempt";
            cx.push(Diagnostic::error(code::WRONG_TYPE, node.span, message).help(help));
        }
        return None;
    }
    let outcomes: Vec<_> = nodes.into_iter().map(|node| outcome(cx, node, steps)).collect();
    outcomes.into_iter().collect()
}

/// `"fail"`, or `{ fail = 2 }`: before the second of so many steps.
fn outcome<'t>(cx: &mut Context<'t>, node: Node<'t>, steps: Option<usize>) -> Option<Outcome> {
    if !matches!(node.value, DeValue::Table(_)) {
        return cx.word(node, &OUTCOMES);
    }
    let table = Table::open(cx, node, &shape::OUTCOME)?;
    let how = table.exactly_one(cx, shape::OUTCOME.noun, &["fail", "exit"])?;
    let most = steps.and_then(|steps| u32::try_from(steps).ok()).unwrap_or(1).max(1);
    let place = Some(cx.count(how.node, 1..=most)? - 1);
    Some(if how.key == "fail" { Outcome::Fail(place) } else { Outcome::Exit(place) })
}

fn steps<'t>(cx: &mut Context<'t>, word: &str, node: Node<'t>) -> Option<Vec<JobStep>> {
    let help = "steps are a list of tables, as in `steps = [ { query = \"5s\" } ]`";
    let nodes = list(cx, node, "a job's step", Some(help));
    let mut steps = Vec::new();
    for (number, node) in nodes.into_iter().enumerate() {
        steps.push(step(cx, node, &format!("{word} step {}", number + 1)));
    }
    steps.into_iter().collect()
}

fn step<'t>(cx: &mut Context<'t>, node: Node<'t>, word: &str) -> Option<JobStep> {
    let mut table = Table::open_any(cx, node, &shape::JOB_STEPS, "a job's step")?;
    let action = table.exactly_one(cx, "a job's step", &ACTIONS)?;
    let shape =
        shape::JOB_STEPS.iter().find(|shape| shape.required.first() == Some(&action.key))?;
    table.narrow(cx, shape);
    match action.key {
        "query" => cx.range(action.node, word).map(JobStep::Query),
        "sleep" => cx.range(action.node, word).map(JobStep::Sleep),
        "block" => cx.range(action.node, word).map(JobStep::Block),
        "rate_limit" => cx.range(action.node, word).map(JobStep::RateLimit),
        "write" => write(cx, action.node, word),
        "database" => {
            let then = maybe(cx, &table, "then", |cx, node| cx.word(node, &THEN));
            let otherwise = maybe(cx, &table, "else", |cx, node| cx.word(node, &THEN));
            let step = statement(cx, action.node, word, Ticked::Sole);
            let (then, otherwise) = (then?.unwrap_or(Then::GoOn), otherwise?);
            Some(JobStep::Database(step?, then, otherwise.unwrap_or(Then::Return)))
        }
        _ => add(cx, &table, false).map(|add| JobStep::Add(Box::new(add))),
    }
}

fn write<'t>(cx: &mut Context<'t>, node: Node<'t>, word: &str) -> Option<JobStep> {
    let table = Table::open(cx, node, &shape::WRITE)?;
    let rows = table.get("rows").and_then(|node| cx.integer(node, 0..=ROWS_MAX));
    let batches = maybe(cx, &table, "batches", |cx, node| cx.count(node, 1..=BATCHES_MAX));
    let takes: Option<Range> = match table.get("takes") {
        Some(node) => cx.range(node, word),
        None => cx.draw((Span::ZERO, Span::ZERO), word.to_owned(), node.span),
    };
    let (rows, batches) = (rows?, batches?.unwrap_or(1));
    if let Some(node) = table.get("batches").filter(|_| i64::from(batches) > rows.max(1)) {
        let message = format!("{rows} rows cannot be written in {batches} batches");
        return cx.fail(Diagnostic::error(code::BOUNDS, node.span, message));
    }
    Some(JobStep::Write { rows: u64::try_from(rows).ok()?, batches, takes: takes? })
}
