//! `explain`: what the code of a diagnostic means. It knows the codes and no file.

use super::{Exit, write};
use bootrace_sim::scenario;

pub(super) fn explain(code: &str) -> Exit {
    let known = |(known, _): &&(&str, &str)| known.eq_ignore_ascii_case(code);
    match scenario::CODES.iter().find(known) {
        Some((code, means)) => write(&format!("{code}: {means}\n")).unwrap_or(Exit::AsDeclared),
        None => {
            let first = scenario::CODES.first().map_or("BR001", |(code, _)| code);
            eprintln!(
                "error: there is no code `{}`; they look like {first}",
                code.escape_default()
            );
            Exit::BadInput
        }
    }
}
