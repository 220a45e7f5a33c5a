//! `[release.NAME]`: what a container runs.
//!
//! It refuses versions of the library that are not modelled: a scenario that runs names what it
//! runs on, and is never run on something close to it.

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Job, Release, Version};
use super::context::Context;
use super::names::{name_fault, name_help, shown};
use super::options::maybe;
use super::table::{Node, Table, entries};
use super::{job, shape, step};
use toml::de::DeValue;

/// Reads `[release.NAME]`.
pub(super) fn release<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Release> {
    let table = Table::open(cx, node, &shape::RELEASE)?;
    let library = table.get("library").and_then(|node| library(cx, node));
    // If it has none that is known, its steps are read all the same.
    let others = cx.library;
    cx.library = library.unwrap_or(others);
    let steps = table.get("steps").and_then(|node| step::steps(cx, node, name, false));
    let jobs = maybe(cx, &table, "job", |cx, node| jobs(cx, name, node));
    cx.library = others;
    Some(Release {
        name: name.into(),
        library: library?,
        steps: steps?,
        jobs: jobs?.unwrap_or_default(),
        by_hand: false,
    })
}

/// `[release.NAME.job.NAME]`: jobs with which this release does something of its own.
fn jobs<'t>(cx: &mut Context<'t>, release: &str, node: Node<'t>) -> Option<Vec<Job>> {
    let DeValue::Table(raw) = node.value else {
        let help = format!("give the job its name: `[release.{release}.job.NAME]`");
        return cx.fail(node.wrong("a table of tables").help(help));
    };
    let mut jobs = Vec::new();
    for entry in entries(raw) {
        if let Some(message) = name_fault(entry.key, false) {
            let help = name_help(false);
            cx.push(Diagnostic::error(code::BAD_NAME, entry.at, message).help(help));
        }
        let word = format!("release {release} job {}", entry.key);
        jobs.push(job::job(cx, entry.key, &word, entry.node("job")));
    }
    jobs.into_iter().collect()
}

/// The version that a text names.
pub(super) fn version(text: &str) -> Option<Version> {
    Version::ALL.into_iter().find(|version| version.to_string() == text)
}

fn library<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Version> {
    let text = cx.string(node)?;
    if let Some(version) = version(text) {
        return Some(version);
    }
    let [works @ .., last] = Version::ALL.map(|version| format!("\"{version}\""));
    let message = format!("this version of bootrace does not model {}", shown(text));
    let help = format!("it models {} and {last}", works.join(", "));
    cx.fail(Diagnostic::error(code::LIBRARY, node.span, message).help(help))
}
