//! `schema`: the JSON Schema of a format, as it is committed in `schemas/`. It validates nothing.

use super::{Exit, json, write};
use crate::report::document;
use bootrace_sim::scenario;
use clap::ValueEnum;

/// What has a schema.
#[derive(Clone, Copy, ValueEnum, Debug)]
pub(super) enum Which {
    /// What `run` and `compare` print with `--format json`
    Report,
    /// Scenario files
    Scenario,
}

pub(super) fn schema(which: Which) -> Exit {
    let schema = match which {
        Which::Report => json(&document::schema()),
        Which::Scenario => json(&scenario::schema()),
    };
    write(&schema).unwrap_or(Exit::AsDeclared)
}
