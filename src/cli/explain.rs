//! `explain`: what the code of a diagnostic means. It knows the codes and no file.

use super::{Exit, tell, write};
use bootrace_sim::scenario;

pub(super) fn explain(code: &str) -> Exit {
    match scenario::explain(code) {
        Some(text) => write(&text).unwrap_or(Exit::AsDeclared),
        None => {
            let first = scenario::CODES.first().map_or("BR001", |(code, _)| code);
            let code = code.escape_default();
            tell(&format!("error: there is no code `{code}`; they look like {first}\n"));
            Exit::BadInput
        }
    }
}
