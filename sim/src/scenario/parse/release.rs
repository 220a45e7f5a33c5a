//! `[release.NAME]`: what a container runs.
//!
//! It refuses versions of the library that are not modelled: a scenario that runs names what it
//! runs on, and is never run on something close to it.

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Release, Version};
use super::context::Context;
use super::names::shown;
use super::shape;
use super::step;
use super::table::{Node, Table};

/// Reads `[release.NAME]`.
pub(super) fn release<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Release> {
    let table = Table::open(cx, node, &shape::RELEASE)?;
    let library = table.get("library").and_then(|node| library(cx, node));
    // If it has none that is known, its steps are read all the same.
    let others = cx.library;
    cx.library = library.unwrap_or(others);
    let steps = table.get("steps").and_then(|node| step::steps(cx, node, name, false));
    cx.library = others;
    Some(Release { name: name.into(), library: library?, steps: steps?, by_hand: false })
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
