//! A case's recorded outcome against what many seeds were seen to do, leaf by leaf.
//!
//! A leaf that was the same in all recorded runs is the same in every seed; one that varied lies in
//! the union of what was recorded, and some seed comes to each of them. In the few cases in which even the number of executions varied,
//! three recorded runs are not all that can be: there a leaf may lie elsewhere in a tenth of seeds.

use super::case::Case;
use super::leaves::{COMPARED, in_any_order, number, plain, told_apart};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How long start-up code took at most, in milliseconds, where the host was as quiet as is played.
const QUIET_MS: i64 = 75;

/// What came of the comparison: how many leaves there were, and which did not agree.
pub(crate) struct Comparison {
    recorded: Value,
    /// Equal containers start at one instant.
    races: bool,
    /// How many jobs ran was itself a matter of chance.
    chance: bool,
    /// The host decided how many jobs ran at once.
    slow: bool,
    /// In which of the recorded runs start-up code took no longer than it does here.
    quiet: Vec<bool>,
    leaves: BTreeMap<String, Leaf>,
}

#[derive(Default)]
struct Leaf {
    recorded: String,
    /// What was played instead, in how many seeds, and the first of them.
    wrong: BTreeMap<String, (u64, u64)>,
    /// Of what varied between the recorded runs, what no seed has come to yet.
    unreached: Option<Vec<Value>>,
}

impl Leaf {
    /// In how many seeds it did not agree.
    fn seeds(&self) -> u64 {
        self.wrong.values().map(|(count, _)| *count).sum()
    }
}

impl Comparison {
    /// A comparison with what a case recorded.
    pub(crate) fn new(case: &Case) -> Self {
        let races = case.races();
        let recorded = told_apart(plain(case.outcome.clone()), races);
        let chance = recorded["executions"]["total"]["varies"].is_array();
        let runs = case.timing.as_array().into_iter().flatten();
        let boot = |run: &Value| run["quality"]["bootMs"].as_i64();
        let quiet = runs.map(|run| boot(run).is_some_and(|ms| ms <= QUIET_MS)).collect();
        let leaves = BTreeMap::new();
        Comparison { recorded, races, chance, slow: slow(case), quiet, leaves }
    }

    /// Holds one seed's outcome against the recorded one.
    pub(crate) fn add(&mut self, played: Value, seed: u64) {
        let recorded = self.recorded.clone();
        let played = told_apart(played, self.races);
        for path in COMPARED {
            if self.slow && path[0].starts_with("maxConcurrent") {
                continue;
            }
            let get =
                |value: &Value| path.iter().fold(value.clone(), |value, key| value[*key].clone());
            self.walk(&path.join(" > "), &get(&recorded), &get(&played), seed);
        }
    }

    fn walk(&mut self, path: &str, recorded: &Value, played: &Value, seed: u64) {
        let (Some(was), false) = (recorded.as_object(), recorded.get("varies").is_some()) else {
            // A map that is empty or missing is one of nothing.
            if recorded.is_null() && played.as_object().is_some_and(Map::is_empty) {
                return;
            }
            return self.leaf(path, recorded, played, seed);
        };
        let empty = Map::new();
        let is = played.as_object().unwrap_or(&empty);
        for key in was.keys().chain(is.keys().filter(|key| !was.contains_key(*key))) {
            let get = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            self.walk(&format!("{path} > {key}"), &get(was), &get(is), seed);
        }
    }

    fn leaf(&mut self, path: &str, recorded: &Value, played: &Value, seed: u64) {
        let leaf = self.leaves.entry(path.to_owned()).or_default();
        // Which jobs a list names is chance, too, if their number is.
        let lengths = lengths(recorded, played).filter(|_| self.chance);
        let (recorded, played) = lengths.as_ref().map_or((recorded, played), |(was, is)| (was, is));
        let any_order = in_any_order(path);
        if let Some(runs) = recorded["varies"].as_array() {
            let unreached = leaf.unreached.get_or_insert_with(|| of_quiet(&self.quiet, path, runs));
            unreached.retain(|run| !same(run, played, any_order));
        }
        if agrees(recorded, played, any_order) {
            return;
        }
        leaf.recorded = recorded.to_string();
        leaf.wrong.entry(played.to_string()).or_insert((0, seed)).0 += 1;
    }

    /// How many leaves were compared.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// The leaves that did not agree, in words; `Ok` if all did.
    pub(crate) fn verdict(&self, seeds: u64) -> Result<(), String> {
        let mut text = String::new();
        let most = if self.chance { seeds / 10 } else { 0 };
        for (path, leaf) in self.leaves.iter().filter(|(_, leaf)| leaf.seeds() > most) {
            writeln!(text, "{path}\n  recorded {}", leaf.recorded)
                .expect("a String takes everything");
            for (played, (count, first)) in &leaf.wrong {
                writeln!(
                    text,
                    "  played   {played} in {count} of {seeds} seeds, the first {first}"
                )
                .expect("a String takes everything");
            }
        }
        for (path, leaf) in &self.leaves {
            for value in leaf.unreached.iter().flatten() {
                writeln!(text, "{path}\n  recorded once {value}, played in none of {seeds} seeds")
                    .expect("a String takes everything");
            }
        }
        if text.is_empty() { Ok(()) } else { Err(text) }
    }
}

/// What was recorded in the runs whose host was as quiet as what is played.
fn of_quiet(quiet: &[bool], path: &str, runs: &[Value]) -> Vec<Value> {
    // It is gone for some milliseconds of each interval: which is told is the snapshot's affair.
    if path == "keys > stalled-check" {
        return Vec::new();
    }
    let quiet = runs.iter().zip(quiet).filter(|(_, quiet)| **quiet);
    quiet.map(|(run, _)| run.clone()).collect()
}

fn agrees(recorded: &Value, played: &Value, any_order: bool) -> bool {
    let Some(runs) = recorded["varies"].as_array() else {
        return same(recorded, played, any_order);
    };
    if runs.iter().any(|run| same(run, played, any_order)) {
        return true;
    }
    let numbers: Option<Vec<i64>> = runs.iter().map(number).collect();
    if let (Some(numbers), Some(played)) = (numbers, number(played)) {
        let (least, most) = (numbers.iter().min(), numbers.iter().max());
        return least.is_some_and(|least| *least <= played)
            && most.is_some_and(|most| played <= *most);
    }
    let lists: Option<Vec<&Vec<Value>>> = runs.iter().map(Value::as_array).collect();
    let (Some(lists), Some(played)) = (lists, played.as_array()) else { return false };
    let (least, most) =
        (lists.iter().map(|list| list.len()).min(), lists.iter().map(|list| list.len()).max());
    least <= Some(played.len())
        && Some(played.len()) <= most
        && played.iter().all(|item| lists.iter().any(|list| list.contains(item)))
}

/// The lengths of a list that was recorded and of the one that was played.
fn lengths(recorded: &Value, played: &Value) -> Option<(Value, Value)> {
    let length = |list: &Value| list.as_array().map(|list| Value::from(list.len()));
    let Some(runs) = recorded["varies"].as_array() else {
        return Some((length(recorded)?, length(played)?));
    };
    let runs: Option<Vec<Value>> = runs.iter().map(length).collect();
    Some((json!({ "varies": runs? }), length(played)?))
}

/// Whether the host was so slow in every run that start-up code took longer than any job. Then
/// it was the host that decided how many jobs ran at once.
fn slow(case: &Case) -> bool {
    let runs = case.timing.as_array().into_iter().flatten();
    let fastest = runs.filter_map(|run| run["quality"]["bootMs"].as_i64()).min();
    let variants = case.scenario["variants"].as_object().into_iter().flatten();
    let jobs =
        variants.flat_map(|(_, variant)| variant["handlers"].as_object().into_iter().flatten());
    let longest = jobs.filter_map(|(_, job)| job["ms"].as_i64()).max();
    fastest > longest.or(Some(0))
}

fn same(recorded: &Value, played: &Value, any_order: bool) -> bool {
    if let (Some(0), Some(0)) = (number(recorded), number(played)) {
        return true;
    }
    match (recorded.as_array(), played.as_array()) {
        (Some(was), Some(is)) if any_order => {
            let sorted = |list: &[Value]| {
                let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
                texts.sort();
                texts
            };
            sorted(was) == sorted(is)
        }
        _ => recorded == played,
    }
}
