//! `metrics`: what a monitor would have seen of one run. It judges nothing.

use super::alerts::Ship;
use super::cell::Cell;
use super::{Exit, load_all, tell, write};
use crate::explore::{self, Policies};
use crate::report::metrics::{Kept, Samples};
use bootrace_sim::clock::Span;
use bootrace_sim::scenario::span_range;
use std::path::{Path, PathBuf};

/// The most instants at which a run is sampled.
const SAMPLES_MAX: i64 = 200_000;

/// In which form metrics are printed.
#[derive(Clone, Copy, clap::ValueEnum, Debug)]
pub(super) enum Format {
    /// OpenMetrics text, which Prometheus reads: every sample with its instant
    Openmetrics,
    /// A unit test for `promtool test rules`: the series, and what the alerts came to
    Promtool,
}

#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// Which seed; a file that has answers has one run, whatever the seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which policy draws the seed's answers: random, pct, pct:DEPTH, starvation, portfolio
    #[arg(long, default_value = "random", value_parser = super::policies)]
    policy: Policies,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Openmetrics)]
    format: Format,
    /// How much time is between two samples; the scenario's `scrape_interval` if not said
    #[arg(long, value_parser = step)]
    step: Option<Span>,
    #[command(flatten)]
    ship: Ship,
    #[command(flatten)]
    cell: Cell,
}

fn step(text: &str) -> Result<Span, String> {
    match span_range(text) {
        Some((step, most)) if step == most && step >= Span::from_ms(1) => Ok(step),
        _ => Err("it is a length of time with a unit, as in 15s, and at least 1ms".to_owned()),
    }
}

pub(super) fn metrics(file: &Path, how: &How) -> Exit {
    let Some(loaded) = load_all(&[PathBuf::from(file)]) else { return Exit::BadInput };
    let [loaded] = &loaded[..] else { return Exit::BadInput };
    let scenario = match how.cell.of(&loaded.scenario) {
        Ok(scenario) => how.ship.of(&scenario),
        Err(exit) => return exit,
    };
    let step = how.step.unwrap_or(scenario.scrape);
    let samples = scenario.length.nanos() / step.nanos().max(1);
    if samples > SAMPLES_MAX {
        tell(&format!(
            "error: that would be {samples} samples of each series, and {SAMPLES_MAX} are the most; use a longer --step\n"
        ));
        return Exit::BadInput;
    }
    let mut kept = Kept::default();
    let policy = explore::policy(&scenario, how.policy.of(how.seed), how.seed);
    let outcome = bootrace_sim::run(&scenario, policy, false, &mut kept);
    if let Some(place) = &outcome.diverged {
        tell(&format!("error: not all answers of the file apply any more: {place}\n"));
        return Exit::Diverged;
    }
    let samples = Samples::take(&scenario, &outcome.lives, kept.events(), step);
    let text = match how.format {
        Format::Openmetrics => samples.openmetrics(),
        Format::Promtool => {
            let which = format!("seed {}", how.seed);
            samples.promtool(&scenario, &which, &outcome.rang)
        }
    };
    write(&text).unwrap_or(if outcome.out_of_steps { Exit::Inconclusive } else { Exit::AsDeclared })
}
