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

/// The versions that are modelled, by name.
const VERSIONS: [(&str, Version); 1] = [("bullmq@5.34.10", Version::V5_34_10)];

/// The versions that are planned.
const LATER: [&str; 2] = ["bullmq@5.81.5", "bullmq@6.7.0"];

/// Reads `[release.NAME]`.
pub(super) fn release<'t>(cx: &mut Context<'t>, name: &str, node: Node<'t>) -> Option<Release> {
    let table = Table::open(cx, node, &shape::RELEASE)?;
    let library = table.get("library").and_then(|node| library(cx, node));
    let steps = table.get("steps").and_then(|node| step::steps(cx, node, name, false));
    Some(Release { name: name.into(), library: library?, steps: steps?, by_hand: false })
}

fn library<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Version> {
    let text = cx.string(node)?;
    if let Some((_, version)) = VERSIONS.iter().find(|(name, _)| *name == text) {
        return Some(*version);
    }
    let works = VERSIONS.map(|(name, _)| format!("\"{name}\"")).join(", ");
    let later = LATER.map(|name| format!("\"{name}\"")).join(" and ");
    let message = if LATER.contains(&text) {
        format!("{} is planned, but this version of bootrace does not model it yet", shown(text))
    } else {
        format!("this version of bootrace does not model {}", shown(text))
    };
    let help = format!("it models {works}; {later} come later");
    cx.fail(Diagnostic::error(code::LIBRARY, node.span, message).help(help))
}
