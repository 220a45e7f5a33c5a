//! `[answers]`: what a file answers itself, so that it stands for one run.
//!
//! A question is called by its name in words, which outlives the run that asked it. Whether it is ever
//! asked only a run can say. The table stands before all that a file must have, and such a file ends
//! with the end of a line: so no part of it that was cut off is taken for all of it.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::context::Context;
use super::names::shown;
use super::table::{Node, entries};
use crate::choices::Name;

/// The greatest answer: a question has at most 65,535 answers, from 0.
pub(super) const ANSWER_MAX: u32 = 65_534;

const HELP: &str = "a question is called by who asks, what kind it is, what it is about and how many \
                    came before it: \"worker-2.1 send addJob #0\"";

/// Reads `[answers]`.
pub(super) fn answers<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Vec<(Name, u32)>> {
    let DeValue::Table(raw) = node.value else {
        return cx.fail(node.wrong("a table of whole numbers").help(HELP));
    };
    if !cx.text.ends_with('\n') {
        // Part of such a file could pass for another run, and nobody would know.
        let message = "the file is cut off: its last line has no end";
        let end = TextSpan::new(cx.text.len(), cx.text.len());
        cx.push(Diagnostic::error(code::SYNTAX, end, message));
    }
    let mut read = |entry: &super::table::Entry<'t>| {
        // A name in another spelling could stand there twice.
        let name = Name::parse(entry.key).filter(|name| name.to_string() == entry.key);
        if name.is_none() {
            let message = format!("{} is no name of a question", shown(entry.key));
            cx.push(Diagnostic::error(code::BAD_NAME, entry.at, message).help(HELP));
        }
        let answer = cx.count(entry.node("an answer"), 0..=ANSWER_MAX);
        name.zip(answer)
    };
    let answers: Vec<_> = entries(raw).iter().map(&mut read).collect();
    answers.into_iter().collect()
}
