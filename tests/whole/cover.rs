//! One recorded outcome against what many seeds showed: each of its leaves has to be one that some
//! seed showed, and so that of all seeds where they agree.

use super::case::Case;
use super::convert::NAMELESS;
use super::leaves::{COMPARED, in_any_order, number, plain, told_apart};
use super::observe::{Start, concurrency};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was recorded, and what the seeds showed so far.
pub(crate) struct Cover {
    recorded: BTreeMap<String, Value>,
    /// What else it could have been, had the machine been quick: how many ran at once.
    else_recorded: Vec<BTreeMap<String, Value>>,
    races: bool,
    /// The values of a leaf that seeds showed, and in how many of them.
    shown: BTreeMap<String, BTreeMap<String, u64>>,
    seeds: u64,
}

impl Cover {
    /// Nothing was played yet.
    pub(crate) fn new(case: &Case, timeline: &Value) -> Cover {
        let races = case.races();
        let recorded = leaves(&told_apart(plain(case.outcome.clone()), races));
        let late = case.timing[0]["quality"]["late"].as_i64().unwrap_or(0);
        let else_recorded = [(late, 0), (0, late)].map(|(starts, ends)| {
            let mut outcome = Value::Null;
            concurrency(&rows(timeline, starts, ends), &mut outcome);
            leaves(&outcome)
        });
        let (shown, else_recorded) = (BTreeMap::new(), else_recorded.into());
        Cover { recorded, else_recorded, races, shown, seeds: 0 }
    }

    /// What one more seed showed.
    pub(crate) fn add(&mut self, played: Value) {
        self.seeds += 1;
        for (path, value) in leaves(&told_apart(played, self.races)) {
            *self.shown.entry(path).or_default().entry(value.to_string()).or_default() += 1;
        }
    }

    /// How many seeds were played.
    pub(crate) fn seeds(&self) -> u64 {
        self.seeds
    }

    /// How many leaves there are, and how many of them differ between seeds.
    pub(crate) fn leaves(&self) -> (usize, usize) {
        let paths = self.paths();
        let open = paths.iter().filter(|path| self.values(path).len() > 1);
        (paths.len(), open.count())
    }

    fn paths(&self) -> Vec<&String> {
        let more = self.shown.keys().filter(|path| !self.recorded.contains_key(*path));
        self.recorded.keys().chain(more).collect()
    }

    /// What seeds showed of a leaf. One that is not there is nothing, as nought is.
    fn values(&self, path: &str) -> BTreeMap<String, u64> {
        let mut values = self.shown.get(path).cloned().unwrap_or_default();
        let there: u64 = values.values().sum();
        if there < self.seeds {
            *values.entry(Value::Null.to_string()).or_default() += self.seeds - there;
        }
        values
    }

    /// Whether a number of processors at once lies between those that the machine's lateness would
    /// have made of it: one that starts is as late as that after another's end.
    fn might_be(&self, path: &str, values: &BTreeMap<String, u64>) -> bool {
        let of = |leaves: &BTreeMap<String, Value>| leaves.get(path).and_then(number).unwrap_or(0);
        let all = self.else_recorded.iter().chain([&self.recorded]).map(of);
        let (least, most) =
            all.fold((i64::MAX, 0), |(least, most), at| (least.min(at), most.max(at)));
        let shown = values.keys().map(|value| value.parse::<i64>().unwrap_or(0));
        path.starts_with("maxConcurrent")
            && shown.into_iter().any(|value| (least..=most).contains(&value))
    }

    /// The leaves of which no seed showed what was recorded, in words; `Ok` if there are none.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let mut text = String::new();
        for path in self.paths() {
            let recorded = self.recorded.get(path).unwrap_or(&Value::Null).to_string();
            let values = self.values(path);
            if values.contains_key(&recorded) || self.might_be(path, &values) {
                continue;
            }
            writeln!(text, "{path}\n  recorded {recorded}").expect("a String takes everything");
            for (value, count) in values {
                writeln!(text, "  played   {value} in {count} of {} seeds", self.seeds)
                    .expect("a String takes everything");
            }
        }
        if text.is_empty() { Ok(()) } else { Err(text) }
    }
}

/// The starts of a recorded run, each so much earlier, and each end.
fn rows(timeline: &Value, starts: i64, ends: i64) -> Vec<Start> {
    let row = |row: &Value| {
        let at = row[0].as_i64()? - starts;
        Some(Start {
            at,
            // Not before its start.
            end: row[1].as_i64().map(|end| (end - ends).max(at)),
            result: "",
            life: 0,
            job: row[3].as_str()?.to_owned(),
            name: row[2].as_str().unwrap_or(NAMELESS).to_owned(),
            source: String::new(),
            variant: String::new(),
        })
    };
    timeline["rows"].as_array().into_iter().flatten().filter_map(row).collect()
}

/// The leaves of an outcome that are compared, by their paths.
fn leaves(outcome: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for path in COMPARED {
        let value = path.iter().fold(outcome, |value, key| &value[*key]);
        walk(&path.join(" > "), value, &mut found);
    }
    found
}

fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    let below = |map: &Map<String, Value>, found: &mut BTreeMap<String, Value>| {
        map.iter().for_each(|(key, value)| walk(&format!("{path} > {key}"), value, found));
    };
    match value {
        Value::Object(map) => below(map, found),
        Value::Array(list) if in_any_order(path) => {
            let mut list = list.clone();
            list.sort_by_key(Value::to_string);
            found.insert(path.to_owned(), list.into());
        }
        // What is missing is nothing, and so is nought.
        value if number(value) == Some(0) => {}
        value => drop(found.insert(path.to_owned(), value.clone())),
    }
}
