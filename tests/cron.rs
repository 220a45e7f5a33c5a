//! The reading of cron patterns and the search for their firings, against the real cron-parser of
//! BullMQ 5 and 6, which a process of Node is asked for.
//!
//! Patterns, zones and starts are drawn from a seed (`BOOTRACE_CRON_SEED`); `BOOTRACE_TRIPLES` says
//! how many. Whether a pattern is refused, the first three firings, "no next", and the words of
//! each error have to be the same. `BOOTRACE_BULLMQ` says where the packages are.
//!
//! Two editions of the IANA data are in it: that of jiff, compiled in, and that of Node's ICU. Before
//! zones are used the two are compared from 1998 to 2042. Where one differs (Morocco from 2026 on, in
//! 2025c), its starts are those before that, what comes after it is not compared, and it is named.
//! Starts are within 2000 and 2040.
//!
//! The real one takes a millisecond for a firing, so that a plain run has but some thousands.

#[path = "support/bullmq.rs"]
mod bullmq;
#[path = "cron/generate.rs"]
mod generate;
#[path = "cron/real.rs"]
mod real;

use std::process::ExitCode;
use std::time::Instant;

use bootrace_sim::bullmq::cron::{Cron, CronDialect};
use bootrace_sim::civil::{DAY_MS, Date, Zone};
use generate::{Draw, Place};
use libtest_mimic::{Arguments, Failed, Trial};
use real::Real;
use serde_json::{Value, json};

/// A version of bullmq that has the dialect's cron-parser.
const DIALECTS: [(CronDialect, &str); 2] =
    [(CronDialect::V4, "5.34.10"), (CronDialect::V5, "6.7.0")];
/// How many triples, unless `BOOTRACE_TRIPLES` says so.
const TRIPLES: usize = 2_500;
/// How many a question has.
const BATCH: usize = 500;
/// Firings of each.
const FIRINGS: usize = 3;
/// Processes that have a zone where the pattern has none.
const PROCESSES: [&str; 4] =
    ["America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (dialect, version) in DIALECTS {
        trials.push(trial(format!("{dialect} of bullmq {version}"), version, move || {
            zoned(dialect, version)
        }));
        let name = format!("{dialect} of bullmq {version} in the zone of its process");
        trials.push(trial(name, version, move || unzoned(dialect, version)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that needs the package, or its name with the reason why it is not run.
fn trial(
    name: String,
    version: &str,
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match bullmq::missing(version).or_else(real::missing) {
        None => Trial::test(name, run),
        Some(reason) => Trial::test(format!("{name}: {reason}"), || Ok(())).with_ignored_flag(true),
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn triples() -> usize {
    setting("BOOTRACE_TRIPLES", TRIPLES as u64) as usize
}

fn year(year: i32) -> i64 {
    Date { year, month: 1, day: 1 }.to_days() * DAY_MS
}

/// The spans of a zone as the process of Node takes them.
fn table(zone: &Zone) -> Value {
    let (mut starts, mut offsets) = (Vec::new(), Vec::new());
    let mut at = year(1998);
    while at < year(2042) {
        let span = zone.span_at(at);
        starts.push(span.start_ms.max(0));
        offsets.push(span.offset_ms / 60_000);
        at = span.end_ms;
    }
    json!([zone.name(), starts, offsets])
}

fn place(name: &str) -> Place {
    let zone = Zone::get(name).expect("a zone of the list");
    let mut changes = Vec::new();
    let mut at = zone.span_at(year(2000)).end_ms;
    while at < year(2040) {
        changes.push(at);
        at = zone.span_at(at).end_ms;
    }
    Place { zone, changes, from: year(2000), until: year(2040), differs: None }
}

/// The places of these zones, as long as they are the same to both.
fn agreed(real: &mut Real, zones: &[&str]) -> Vec<Place> {
    let mut places: Vec<Place> = zones.iter().map(|name| place(name)).collect();
    let zones: Vec<Value> = places.iter().map(|place| table(&place.zone)).collect();
    real.ask(&json!({ "zones": zones, "from": year(1998), "until": year(2042) }));
    let answer = real.answer();
    println!("Node has the IANA data {}", answer["tz"]);
    let differ = answer["differ"].as_array().expect("a list");
    for (place, differs) in places.iter_mut().zip(differ) {
        let Some(ms) = differs.as_i64() else { continue };
        let Date { year, month, .. } = Date::from_days(ms.div_euclid(DAY_MS));
        println!("{} differs from {year}-{month:02} on", place.zone.name());
        // What was seen of a change is up to ten days after it.
        let before = ms - 10 * DAY_MS;
        place.differs = Some(before);
        place.until = before - 30 * DAY_MS;
        place.changes.retain(|change| *change < before - 30 * DAY_MS);
    }
    places
}

#[derive(Default)]
struct Tally {
    triples: usize,
    refused: usize,
    hashed: usize,
    without_next: usize,
    unknown: usize,
    firings: usize,
    wrong: Vec<String>,
}

/// A pattern with a place by its number, a start, and whether it is read afresh for each firing.
type Triple = (String, usize, i64, bool);

/// What the model makes of a triple, in the form of the process's answers.
fn model(
    (pattern, _, start, afresh): &Triple,
    zone: &Zone,
    dialect: CronDialect,
) -> (Vec<i64>, Option<String>, bool) {
    let cron = match Cron::read(pattern, dialect) {
        Ok(cron) => cron,
        Err(error) => return (Vec::new(), Some(format!("p:{error}")), error.is_hash()),
    };
    let mut fires = cron.fires(*start, zone);
    let mut found = Vec::new();
    while found.len() < FIRINGS {
        match fires.advance() {
            Ok(next) => found.push(next),
            Err(error) => return (found, Some(format!("n:{error}")), false),
        }
        if let (true, Some(last)) = (afresh, found.last()) {
            fires = cron.fires(*last, zone);
        }
    }
    (found, None, false)
}

impl Tally {
    /// Compares the answers to a batch.
    fn judge(&mut self, batch: &[Triple], answers: &Value, places: &[Place], dialect: CronDialect) {
        let answers = answers.as_array().expect("a list of answers");
        assert_eq!(answers.len(), batch.len());
        for (triple, answer) in batch.iter().zip(answers) {
            let zone = &places[triple.1].zone;
            let (firings, error, hashed) = model(triple, zone, dialect);
            self.triples += 1;
            self.firings += firings.len();
            self.hashed += usize::from(hashed);
            let stage = error.as_deref().and_then(|error| error.get(..2));
            self.refused += usize::from(stage == Some("p:"));
            self.without_next += usize::from(stage == Some("n:"));
            // Where the search went into a time of which the zone differs, nothing is to be said.
            let reached = firings.last().copied().filter(|_| error.is_none());
            let searched = stage != Some("p:");
            if let (true, Some(differs)) = (searched, places[triple.1].differs)
                && reached.is_none_or(|last| last >= differs - 2 * DAY_MS)
            {
                self.unknown += 1;
                continue;
            }
            // An `H` is refused here, whatever cron-parser makes of what is around it.
            if !hashed && *answer != json!([firings, error]) {
                let (pattern, _, start, afresh) = triple;
                self.wrong.push(format!(
                    "{pattern:?} in {} from {start}, afresh: {afresh}\n    model {}\n    real  {answer}",
                    zone.name(),
                    json!([firings, error]),
                ));
            }
        }
    }

    fn end(self, title: &str, began: Instant) -> Result<(), Failed> {
        let Tally { triples, refused, hashed, without_next, unknown, firings, wrong } = self;
        println!(
            "{title}: {triples} triples, {refused} refused ({hashed} for an H), {without_next} that \
             end early, {unknown} that meet other zone data, {firings} firings, {} different, {:.1} s",
            wrong.len(),
            began.elapsed().as_secs_f64()
        );
        let shown = wrong.len().min(20);
        if wrong.is_empty() { Ok(()) } else { Err(wrong[..shown].join("\n").into()) }
    }
}

/// So many triples through a process; `named` says whether it is told the zone.
fn compare(
    real: &mut Real,
    places: &[Place],
    (count, seed, named): (usize, u64, bool),
    dialect: CronDialect,
) -> Tally {
    let mut draw = Draw::new(seed);
    let mut tally = Tally::default();
    let mut asked: Option<Vec<Triple>> = None;
    let mut left = count;
    while left > 0 || asked.is_some() {
        let batch: Vec<Triple> = (0..left.min(BATCH))
            .map(|_| {
                let at = draw.below(places.len());
                let (pattern, start) = generate::pair(&mut draw, &places[at]);
                (pattern, at, start, draw.below(2) == 0)
            })
            .collect();
        left -= batch.len();
        // The process works on this batch while the one before it is compared.
        let next = (!batch.is_empty()).then_some(batch);
        if let Some(batch) = &next {
            let triples = batch.iter().map(|(pattern, at, start, afresh)| {
                let zone = named.then(|| places[*at].zone.name());
                json!([pattern, zone, start, afresh])
            });
            real.ask(&triples.collect());
        }
        if let Some(before) = std::mem::replace(&mut asked, next) {
            let answer = real.answer();
            tally.judge(&before, &answer, places, dialect);
        }
    }
    tally
}

fn zoned(dialect: CronDialect, version: &str) -> Result<(), Failed> {
    let began = Instant::now();
    let seed = setting("BOOTRACE_CRON_SEED", 1);
    let mut real = Real::start(version, "UTC");
    let places = agreed(&mut real, &generate::ZONES);
    let tally = compare(&mut real, &places, (triples(), seed, true), dialect);
    tally.end(&format!("{dialect}, seed {seed}, {} zones", places.len()), began)
}

/// Patterns without a zone, in processes that have one.
fn unzoned(dialect: CronDialect, version: &str) -> Result<(), Failed> {
    let seed = setting("BOOTRACE_CRON_SEED", 1);
    for zone in PROCESSES {
        let began = Instant::now();
        let mut real = Real::start(version, zone);
        let count = (triples() / 100).max(1);
        let places = agreed(&mut real, &[zone]);
        let tally = compare(&mut real, &places, (count, seed, false), dialect);
        tally.end(&format!("{dialect}, seed {seed}, process in {zone}"), began)?;
    }
    Ok(())
}
