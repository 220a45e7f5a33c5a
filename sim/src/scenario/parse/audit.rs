//! What a file says to an audit of it.
//!
//! It refuses reasons that say nothing, and does not know which hazards there are.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Accept, Audit, Harm, Per, Rate};
use super::context::Context;
use super::names::{Kind, shown};
use super::options::maybe;
use super::shape;
use super::table::{Node, Table, list};
use super::top;

/// The most that can be said of a rate.
const RATE_MAX: u32 = 100_000;

/// Reads `[audit]`.
pub(super) fn audit<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Audit> {
    let table = Table::open(cx, node, &shape::AUDIT)?;
    let deploys = maybe(cx, &table, "deploys", rate);
    let accept = maybe(cx, &table, "accept", |cx, node| {
        let help = "each stands in a table of its own, `[[audit.accept]]`";
        let nodes = list(cx, node, "what is accepted", Some(help));
        let mut all: Vec<(Accept, Node<'t>)> = Vec::new();
        for node in nodes {
            let Some(accept) = accept(cx, node) else { continue };
            let same = |other: &&(Accept, Node<'t>)| {
                let of = |accept: &Accept| (accept.harm, accept.schedule);
                other.0.hazard == accept.hazard && of(&other.0) == of(&accept)
            };
            if let Some((_, first)) = all.iter().find(same) {
                let message = "the same harm of the same hazard is accepted twice";
                let problem = Diagnostic::error(code::REPEATED, node.span, message);
                cx.push(problem.and(first.span, "the first time"));
            }
            all.push((accept, node));
        }
        Some(all.into_iter().map(|(accept, _)| accept).collect())
    });
    Some(Audit { deploys: deploys?, accept: accept?.unwrap_or_default() })
}

fn accept<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Accept> {
    let table = Table::open(cx, node, &shape::ACCEPT)?;
    let hazard = table.get("hazard").and_then(|node| cx.name(node, false));
    let words = Harm::ALL.map(|harm| (harm.name(), harm));
    let harm = table.get("harm").and_then(|node| cx.word(node, &words));
    let schedule = maybe(cx, &table, "schedule", |cx, node| cx.resolve(Kind::Schedule, node));
    let because = table.get("because").and_then(|node| top::line(cx, node, "reason"));
    Some(Accept { hazard: hazard?.into(), harm: harm?, schedule: schedule?, because: because? })
}

/// `20 per month`.
fn rate<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Rate> {
    let help = "so many per day, week or month, as in `deploys = \"20 per month\"`";
    let DeValue::String(text) = node.value else {
        return cx.fail(node.wrong("a rate in quotes").help(help));
    };
    let rate = text.trim().split_once(" per ").and_then(|(count, per)| {
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|count| digits && (1..=RATE_MAX).contains(count))?;
        let per = Per::ALL.into_iter().find(|one| one.word() == per)?;
        Some(Rate { count, per })
    });
    if rate.is_none() {
        let message = format!("{} is no rate of 1 to {RATE_MAX}", shown(text));
        cx.push(Diagnostic::error(code::WORD, node.span, message).help(help));
    }
    rate
}
