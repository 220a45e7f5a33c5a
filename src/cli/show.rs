//! `show`: a scenario as it is understood, as a file that runs by itself. It plays nothing.

use super::{Exit, load_all, write};
use crate::load::Loaded;
use crate::report::effective;
use bootrace_sim::scenario;
use std::path::Path;

pub(super) fn show(file: &Path, with_origins: bool) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let shown = |loaded: &Loaded| match with_origins {
        true => effective::effective(loaded),
        false => scenario::print(&loaded.scenario),
    };
    write(&loaded.iter().map(shown).collect::<String>()).unwrap_or(Exit::AsDeclared)
}
