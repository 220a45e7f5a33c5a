//! What one invocation came to, and its form for programs: JSON, with a schema that is made from the
//! types. Their names and comments are part of the format.

use super::Report;
use super::compare::{Against, against};
use crate::explore::Cut;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use std::fmt;

/// The version of the format of [`Document`]. It is another one when a field goes or means
/// something else; a new field is no new version.
pub const FORMAT: u32 = 1;

/// What one invocation of `bootrace run`, `bootrace compare` or `bootrace explore` came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Document {
    /// The version of this format: 1. A later version of bootrace may add fields to it.
    pub format: u32,
    /// Why not every seed was played; null if all were.
    pub stopped: Option<Stopped>,
    /// One for each scenario, in the order of the arguments. The last one is what counts, but for an
    /// exploration, where all do. Empty if not one seed was played.
    pub reports: Vec<Report>,
    /// Of a comparison of more than two: every scenario against the first, seed by seed. Absent
    /// otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<Against>,
}

/// An end before the last seed. What is reported is what the same invocation reports on so many
/// seeds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Stopped {
    /// What ended it.
    pub why: Why,
    /// How many seeds are reported, from the first.
    pub seeds: u64,
    /// How many were asked for; 0 if a length of time was.
    pub of: u64,
}

/// What ends an invocation before its last seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A signal.
    Interrupted,
    /// A bug in bootrace.
    Bug,
}

impl Document {
    /// What was found, and why it was cut short.
    pub fn new(reports: Vec<Report>, cut: Option<&Cut>, of: u64) -> Self {
        let seeds = reports.first().map_or(0, |report| report.seeds.1 - report.seeds.0 + 1);
        let stopped = cut.map(|cut| {
            let why = match cut {
                Cut::Stopped => Why::Interrupted,
                Cut::Bug { .. } => Why::Bug,
            };
            Stopped { why, seeds, of }
        });
        // An exploration of several sets nothing side by side, and keeps no figures.
        let compared = reports.len() > 2 && reports.iter().all(|report| !report.figures.is_empty());
        let against = if compared { against(&reports) } else { Vec::new() };
        Document { format: FORMAT, stopped, reports, against }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::Interrupted => "interrupted",
            Why::Bug => "stopped by a bug in bootrace",
        };
        write!(f, "{why}: {} of {} seeds", self.seeds, self.of)
    }
}

/// The JSON Schema of what is printed for programs: draft 7, which editors read.
pub fn schema<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft07().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}
