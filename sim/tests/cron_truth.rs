//! The cron port against what the real cron-parser was seen to do, 4.9.0 and 5.10.3.
//!
//! Two recordings: `truth/cron.json`, made by hand, of both versions, and `data/cron-fuzz.jsonl`,
//! which `data/record-cron.cjs` makes from a seed, of the first. It refuses nothing less than the
//! same instants and the same messages.

#![expect(clippy::disallowed_macros, reason = "a test says what it compared")]

use bootrace_sim::bullmq::cron::{Cron, CronDialect};
use bootrace_sim::civil::Zone;
use serde_json::Value;

const TRUTH: &str = include_str!("../../tests/truth/cron.json");
const FUZZ: &str = include_str!("data/cron-fuzz.jsonl");

/// What came of a pattern: the firings of one iterator, and the first error.
#[derive(Debug, PartialEq)]
struct Outcome {
    firings: Vec<i64>,
    error: Option<String>,
}

fn iterate(cron: &Cron, start: i64, zone: &Zone, count: usize) -> Outcome {
    let mut fires = cron.fires(start, zone);
    let mut firings = Vec::new();
    while firings.len() < count {
        match fires.advance() {
            Ok(next) => firings.push(next),
            Err(error) => {
                let error = Some(error.to_string());
                return Outcome { firings, error };
            }
        }
    }
    Outcome { firings, error: None }
}

/// As BullMQ does it: read afresh after each firing.
fn chain(cron: &Cron, start: i64, zone: &Zone, count: usize) -> Vec<i64> {
    let next = |&at: &i64| cron.next(at, zone);
    std::iter::successors(Some(start), next).skip(1).take(count).collect()
}

fn integers(value: &Value) -> Vec<i64> {
    let list = value.as_array().into_iter().flatten();
    list.map(|n| n.as_i64().expect("an integer")).collect()
}

/// Compares the rows that were recorded of a version of cron-parser. `chained` is the key of what
/// came of reading afresh, where that differed.
fn agrees_with(version: &str, dialect: CronDialect, chained: &str) {
    let truth: Value = serde_json::from_str(TRUTH).expect("the recording is JSON");
    let rows = truth["rows"].as_array().expect("it has rows");
    let (mut instants, mut errors, mut fresh_ones) = (0, 0, 0);
    for row in rows {
        let pattern = row["pattern"].as_str().expect("a pattern");
        let start = row["startMs"].as_i64().expect("a start");
        // The older one is in every row, the newer one where it differs.
        let own = &row[version];
        let expected = if own.is_null() { &row["cron-parser 4.9.0"] } else { own };
        assert_eq!(row["sameIn5"] == true, row["cron-parser 5.10.3"].is_null(), "{row}");
        let error = expected["error"].as_str();
        errors += usize::from(error.is_some());
        let Some(zone) = Zone::get(row["tz"].as_str().unwrap_or("UTC")) else {
            let refused = "CronDate: unhandled timestamp";
            assert!(error.is_some_and(|error| error.starts_with(refused)), "{row}");
            continue;
        };
        let cron = match Cron::read(pattern, dialect) {
            Ok(cron) => cron,
            // Taken by cron-parser, and another time at each reading.
            Err(found) if row["nondeterministic5"] == true && dialect == CronDialect::V5 => {
                assert!(found.message().starts_with("H stands for"), "{row}");
                continue;
            }
            Err(found) => {
                assert_eq!(Some(found.message()), error, "{row}");
                assert_eq!(expected["at"], "parse", "{row}");
                continue;
            }
        };
        assert_ne!(expected["at"], "parse", "{row}");
        let firings = integers(&expected["next"]);
        let count = if error.is_some() { 5 } else { firings.len() };
        let fresh = match &row[chained] {
            Value::Null => firings.clone(),
            differs => integers(differs),
        };
        instants += firings.len();
        fresh_ones += fresh.len();
        let error = error.map(str::to_owned);
        assert_eq!(chain(&cron, start, &zone, count), fresh, "{row}");
        let outcome = Outcome { firings, error };
        assert_eq!(iterate(&cron, start, &zone, count), outcome, "{row}");
    }
    assert_eq!(rows.len(), 206);
    println!(
        "{version}, {} rows: {instants} instants iterated, {fresh_ones} chained, {errors} errors",
        rows.len()
    );
}

#[test]
fn agrees_with_the_truth() {
    agrees_with("cron-parser 4.9.0", CronDialect::V4, "chainedDiffers4");
}

#[test]
fn agrees_with_the_truth_of_version_5() {
    agrees_with("cron-parser 5.10.3", CronDialect::V5, "chainedDiffers5");
}

/// Checks one line of the recorder; returns how many instants it has, and whether an error.
fn check_fuzz(line: &str) -> Result<(usize, bool), String> {
    let row: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let pattern = row[0].as_str().ok_or("no pattern")?;
    let zone = row[1].as_str().and_then(Zone::get).ok_or("no zone")?;
    let start = row[2].as_i64().ok_or("no start")?;
    let error = row[5].as_str().map(str::to_owned);
    let sums = |steps: &Value| {
        let mut at = start;
        let mut add = |step: i64| {
            at += step;
            at
        };
        integers(steps).into_iter().map(&mut add).collect::<Vec<_>>()
    };
    let firings = sums(&row[3]);
    let count = firings.len();
    let cron = match Cron::parse(pattern) {
        Ok(cron) => cron,
        Err(found) if Some(format!("p:{found}")) == error => return Ok((0, true)),
        Err(found) => return Err(format!("parse: {found}")),
    };
    let fresh = if row[4].is_null() { firings.clone() } else { sums(&row[4]) };
    let found = chain(&cron, start, &zone, count);
    if found != fresh {
        return Err(format!("chained: {found:?}, not {fresh:?}"));
    }
    let mut found = iterate(&cron, start, &zone, count + usize::from(error.is_some()));
    found.error = found.error.map(|error| format!("n:{error}"));
    let failed = error.is_some();
    let expected = Outcome { firings, error };
    if found != expected {
        return Err(format!("iterated: {found:?}, not {expected:?}"));
    }
    Ok((count, failed))
}

fn check_lines(lines: &str) {
    let (mut rows, mut instants, mut errors) = (0, 0, 0);
    let mut wrong = Vec::new();
    for line in lines.lines() {
        rows += 1;
        match check_fuzz(line) {
            Ok((count, failed)) => {
                instants += count;
                errors += usize::from(failed);
            }
            Err(why) => wrong.push(format!("{line}\n    {why}")),
        }
    }
    println!("{rows} rows: {instants} instants, {errors} errors");
    let shown = wrong.len().min(40);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..shown].join("\n"));
}

#[test]
fn agrees_with_the_recorded_fuzz() {
    assert!(FUZZ.lines().count() >= 3_000);
    check_lines(FUZZ);
}
