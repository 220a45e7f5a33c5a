//! `schema`: the JSON Schema of a format, as it is committed in `schemas/`. It validates nothing.

use super::{Exit, json, write};
use crate::report::document::{Document, schema as of};
use crate::report::{audit, exhaustive};
use bootrace_sim::scenario;
use clap::ValueEnum;

/// What has a schema.
#[derive(Clone, Copy, ValueEnum, Debug)]
pub(super) enum Which {
    /// What `run`, `compare` and `explore` print with `--format json`
    Report,
    /// What `explore --exhaustive` prints with it: a list
    Exhaustive,
    /// What `audit` prints with it
    Audit,
    /// Scenario files
    Scenario,
}

pub(super) fn schema(which: Which) -> Exit {
    let schema = match which {
        Which::Report => json(&of::<Document>("Report of bootrace")),
        Which::Exhaustive => json(&of::<Vec<exhaustive::Report>>("Exhaustive reports of bootrace")),
        Which::Audit => json(&of::<audit::Report>("Audit of bootrace")),
        Which::Scenario => json(&scenario::schema()),
    };
    write(&schema).unwrap_or(Exit::AsDeclared)
}
