//! `alerts`: the alerts of a scenario, or those that come with bootrace for it. It plays nothing.

use super::{Exit, load_all, write};
use crate::report::alerts::prometheus;
use bootrace_sim::alert::shipped;
use bootrace_sim::scenario::{Scenario, print_alerts};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// In which form alerts are printed.
#[derive(Clone, Copy, clap::ValueEnum, Debug)]
pub(super) enum Format {
    /// Tables of a scenario file
    Toml,
    /// A file of rules for Prometheus
    Prometheus,
}

#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Toml)]
    format: Format,
}

/// The alerts that come with bootrace.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Ship {
    /// With the alerts that come with bootrace, beside the scenario's own: see `bootrace alerts`
    #[arg(long)]
    alerts: bool,
}

impl Ship {
    /// A scenario with them, if they are wanted.
    pub(super) fn of(self, scenario: &Arc<Scenario>) -> Arc<Scenario> {
        if self.alerts { Arc::new(with_shipped(scenario)) } else { scenario.clone() }
    }
}

/// A scenario with the alerts that come with bootrace. One of its own that has such a name stands for
/// that one.
fn with_shipped(scenario: &Scenario) -> Scenario {
    let mut with = scenario.clone();
    let own = |name: &str| scenario.alerts.iter().any(|alert| *alert.name == *name);
    with.alerts.extend(shipped(scenario).into_iter().filter(|alert| !own(&alert.name)));
    with
}

pub(super) fn alerts(file: &Path, how: &How) -> Exit {
    let Some(loaded) = load_all(&[PathBuf::from(file)]) else { return Exit::BadInput };
    let text = loaded.iter().map(|loaded| {
        let with = with_shipped(&loaded.scenario);
        match how.format {
            Format::Toml => print_alerts(&with, &with.alerts),
            Format::Prometheus => prometheus(&with),
        }
    });
    write(&text.collect::<String>()).unwrap_or(Exit::AsDeclared)
}
