//! `explain`: what the code of a diagnostic means. It knows the codes and no file.

use super::{Exit, tell, write};
use bootrace_sim::scenario;

pub(super) fn explain(code: &str) -> Exit {
    let known = |(known, _): &&(&str, &str)| known.eq_ignore_ascii_case(code);
    match scenario::CODES.iter().find(known) {
        Some((code, means)) => write(&format!("{code}: {means}\n")).unwrap_or(Exit::AsDeclared),
        None => {
            let first = scenario::CODES.first().map_or("BR001", |(code, _)| code);
            let code = code.escape_default();
            tell(&format!("error: there is no code `{code}`; they look like {first}\n"));
            Exit::BadInput
        }
    }
}
