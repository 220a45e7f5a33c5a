//! Rows written to the database by a simulated fleet, before and after each fix.
//!
//! One benchmark for each scenario of the incident, and one sample for each of the seeds 1 to 100:
//! the same ones before and after, so that samples are pairs and `sample.json` is the same bytes in
//! every run. A value is a count and no time, whatever criterion's words say. What must hold is not
//! judged here: `compare` and the tests do that, exactly.

use bootrace::explore::play;
use bootrace::load::{Loaded, load};
use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Criterion, SamplingMode, Throughput};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The samples of a benchmark, and with them the seeds.
const SEEDS: usize = 100;

/// Criterion drops a benchmark whose values are 0, and with plots on it panics if all are equal. So
/// each is this much, once to three times, more than was counted.
const DITHER: f64 = 1e-9;

/// What criterion measures here: rows of a database.
struct Rows;

impl Measurement for Rows {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        unreachable!("rows are counted by the run, between no two moments: `iter_custom`")
    }

    fn add(&self, one: &f64, other: &f64) -> f64 {
        one + other
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Rows {
    fn format_value(&self, value: f64) -> String {
        format!("{} rows", grouped(value))
    }

    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        "rows"
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        unreachable!("no benchmark has a throughput: criterion takes more of it for better")
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "rows"
    }
}

/// `517,788`, and `44,012.5` where it is a mean of several seeds; the dither does not show.
fn grouped(value: f64) -> String {
    let tenths = (value * 10.0).round() as u64;
    let digits = (tenths / 10).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match tenths % 10 {
        0 => text,
        tenth => format!("{text}.{tenth}"),
    }
}

/// Counts the calls of one benchmark. Criterion's first is its warm-up and plays the first seed;
/// the samples play one seed each, from the first on.
#[derive(Default)]
struct Calls(u64);

impl Calls {
    /// The rows of the next `runs` runs: of one, unless criterion is asked for a profile.
    fn rows(&mut self, loaded: &Loaded, runs: u64) -> f64 {
        let mut next = || {
            let seed = self.0.max(1);
            self.0 += 1;
            let rows = play(&loaded.scenario, seed).verdict.figures.total.rows;
            rows as f64 + DITHER * (seed % 3 + 1) as f64
        };
        (0..runs).map(|_| next()).sum()
    }
}

/// The scenarios of the incident, by file name.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/free-tier-usage");
    let entries = std::fs::read_dir(folder).expect("the scenarios are in the repository");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort_by(|one, other| one.file_stem().cmp(&other.file_stem()));
    files
}

fn main() {
    let mut criterion = Criterion::default().with_measurement(Rows).configure_from_args();
    let mut group = criterion.benchmark_group("rows written");
    // One run is a sample: a warm-up and a measurement that are over at once leave one run each.
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(SEEDS)
        .warm_up_time(Duration::from_nanos(1))
        .measurement_time(Duration::from_nanos(1));
    for file in files() {
        let loaded = load(&file).expect("the scenario is good");
        let name = file.file_stem().expect("a file has a name").to_string_lossy();
        let mut calls = Calls::default();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|runs| calls.rows(&loaded, runs));
        });
    }
    group.finish();
    criterion.final_summary();
}
