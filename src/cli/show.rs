//! `show`: a scenario as it is understood, as a file that runs by itself. It plays nothing.

use super::cell::Cell;
use super::soak::Part;
use super::{Exit, load_all, write};
use crate::load::Loaded;
use crate::report::effective;
use bootrace_sim::scenario;
use std::path::Path;

pub(super) fn show(file: &Path, with_origins: bool, cell: &Cell, soak: &Part) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let shown = |loaded: &Loaded| match with_origins {
        true => Ok(effective::effective(loaded)),
        false => {
            let scenario = cell.of(&loaded.scenario).and_then(|scenario| soak.of(scenario));
            scenario.map(|scenario| scenario::print(&scenario))
        }
    };
    match loaded.iter().map(shown).collect::<Result<String, Exit>>() {
        Ok(text) => write(&text).unwrap_or(Exit::AsDeclared),
        Err(exit) => exit,
    }
}
