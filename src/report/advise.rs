//! What advice came to: which plans hold where, the smallest counterexample of each that does not, and how
//! each is rolled out and back. It judges nothing; whatever it says of a plan is a count of runs.

use crate::advise::{Advice, Bad, Changed, Fault, Sum, Tried};
use bootrace_sim::plan::CleanUp;
use serde::Serialize;
use std::fmt::Write as _;

/// What advice is about.
#[derive(Serialize, Clone, Debug)]
pub struct Of {
    /// The file.
    pub file: String,
    /// The schedule's name.
    pub schedule: String,
    /// The version; as the file says it if there is none.
    pub library: Option<&'static str>,
    /// The key in Redis that lists the registrations.
    pub repeat: String,
}

/// What advice came to, as data.
#[derive(Serialize, Debug)]
pub struct Report {
    /// What it is about.
    #[serde(flatten)]
    pub of: Of,
    /// How many seeds each plan was played on each day.
    pub seeds: u64,
    /// What is judged.
    pub judged: String,
    /// Whether it ended before all was played.
    pub interrupted: bool,
    /// The plans, alone and in pairs.
    pub plans: Vec<Entry>,
    /// Those that hold on every day.
    pub hold: Vec<String>,
    /// The one that holds on the most days.
    pub best: Option<String>,
}

/// A plan, or two together.
#[derive(Serialize, Debug)]
pub struct Entry {
    /// Their names.
    pub plan: String,
    /// What they are.
    pub is: Vec<&'static str>,
    /// Why it does not apply, if it does not.
    pub does_not_apply: Option<String>,
    /// How many kinds of bad days it met.
    pub days: usize,
    /// On how many of them no tick's work was done twice.
    pub at_most_once: usize,
    /// On how many none was lost.
    pub at_least_once: usize,
    /// On how many neither.
    pub both: usize,
    /// How much was done, as a multiple of what was owed.
    pub times: Option<f64>,
    /// Where a tick's work was done twice.
    pub twice: Option<Counterexample>,
    /// Where one was lost.
    pub lost: Option<Counterexample>,
    /// What rolling it out does.
    pub roll_out: Option<Way>,
    /// What rolling it back does.
    pub roll_back: Option<Way>,
    /// What is registered on a day without a hazard.
    pub registrations: Vec<String>,
}

/// Where a plan does not hold.
#[derive(Serialize, Debug)]
pub struct Counterexample {
    /// All days on which it does not.
    pub days: Vec<&'static str>,
    /// The day of the run with the fewest boots.
    pub hazard: &'static str,
    /// What happens on it.
    pub is: &'static str,
    /// In how many of its runs.
    pub runs: u64,
    /// Of so many.
    pub of: u64,
    /// How many processes began to run in the smallest.
    pub boots: u64,
    /// The command that plays that run again.
    pub replay: String,
}

/// A way from one plan to another.
#[derive(Serialize, Debug)]
pub struct Way {
    /// What it came to for each time at which what is left behind can be removed.
    pub ways: Vec<Attempt>,
    /// Whether it does no worse than any deploy of what is found.
    pub as_found: bool,
}

/// One way of doing it.
#[derive(Serialize, Debug)]
pub struct Attempt {
    /// When what is left behind is removed.
    pub clean_up: &'static str,
    /// How many runs met it.
    pub runs: u64,
    /// What went wrong, in how many of them.
    pub faults: Vec<(&'static str, u64)>,
    /// The command that plays the smallest such run again.
    pub replay: Option<String>,
}

impl Report {
    /// The report of advice.
    #[must_use]
    pub fn new(of: Of, advice: &Advice, seeds: u64) -> Report {
        let judged = match advice.rows {
            0 => "first starts of distinct jobs, since the job writes no rows: an execution that \
                  leaves early counts as well"
                .to_owned(),
            rows => format!(
                "executions that write all {rows} rows, in the window of their tick: one that \
                 leaves early has done nothing"
            ),
        };
        // Of what is found a rolling deploy of itself is all that can be said.
        let found = advice.tried.first();
        let usual = found.map(|tried| faults_of(tried, false)).unwrap_or_default();
        let plans: Vec<Entry> =
            advice.tried.iter().map(|tried| entry(&of, advice, tried, &usual)).collect();
        let applies = || plans.iter().filter(|entry| entry.days > 0);
        let hold = applies().filter(|entry| entry.both == entry.days);
        let hold = hold.map(|entry| entry.plan.clone()).collect();
        let share = |entry: &&Entry| entry.both * 1000 / entry.days;
        // Of equals the first.
        let best = applies().rev().max_by_key(share).map(|entry| entry.plan.clone());
        let interrupted = advice.cut.is_some();
        Report { of, seeds, judged, interrupted, plans, hold, best }
    }
}

/// What goes wrong when something is rolled out, or back, and nobody cleans up.
fn faults_of(tried: &Tried, back: bool) -> Vec<Fault> {
    let is = |one: &&Changed| one.back == back && one.clean_up == CleanUp::Never;
    let seen = tried.changes.iter().filter(is).filter_map(|one| one.seen.as_ref().ok());
    seen.flat_map(|sum| sum.faults.keys().copied()).collect()
}

/// The rest of a command that plays something again.
fn rest(of: &Of, seed: u64) -> String {
    let library = of.library.map(|number| format!(" --library {number}")).unwrap_or_default();
    format!(" --schedule {}{library} --seed {seed}", of.schedule)
}

fn entry(of: &Of, advice: &Advice, tried: &Tried, usual: &[Fault]) -> Entry {
    let counterexample = |fault: Fault| counterexample(of, tried, fault);
    let (at_most_once, days) = tried.holds(&[Fault::More]);
    let way = |back: bool| way(of, tried, back, usual);
    Entry {
        plan: tried.name(),
        is: tried.plans.iter().map(|plan| plan.doc).collect(),
        does_not_apply: tried.why_not.clone(),
        days,
        at_most_once,
        at_least_once: tried.holds(&[Fault::Less]).0,
        both: tried.holds(&[Fault::More, Fault::Less]).0,
        times: tried.times(advice.rows),
        twice: counterexample(Fault::More),
        lost: counterexample(Fault::Less),
        roll_out: way(false),
        roll_back: way(true),
        registrations: tried.members.clone(),
    }
}

fn counterexample(of: &Of, tried: &Tried, fault: Fault) -> Option<Counterexample> {
    let seen = tried.days.iter().filter_map(|day| {
        let sum = day.seen.as_ref().ok()?;
        Some((day.hazard, sum, *sum.faults.get(&fault)?))
    });
    let all: Vec<_> = seen.collect();
    let (hazard, sum, bad) = all.iter().min_by_key(|(_, _, bad)| bad.boots)?;
    let Bad { runs, boots, seed } = *bad;
    let replay = format!(
        "bootrace replay {} --plan {} --hazard {}{}",
        of.file,
        tried.name(),
        hazard.name,
        rest(of, seed)
    );
    Some(Counterexample {
        days: all.iter().map(|(hazard, ..)| hazard.name).collect(),
        hazard: hazard.name,
        is: hazard.doc,
        runs,
        of: sum.met,
        boots,
        replay,
    })
}

fn way(of: &Of, tried: &Tried, back: bool, usual: &[Fault]) -> Option<Way> {
    let seen = tried.changes.iter().filter(|one| one.back == back);
    let ways: Vec<Attempt> = seen
        .filter_map(|one| {
            let sum = one.seen.as_ref().ok().filter(|sum| sum.met > 0)?;
            Some(tried_way(of, tried, one, sum))
        })
        .collect();
    if ways.is_empty() {
        return None;
    }
    let faults = faults_of(tried, back);
    let as_found = !faults.is_empty() && faults.iter().all(|fault| usual.contains(fault));
    Some(Way { ways, as_found })
}

fn tried_way(of: &Of, tried: &Tried, one: &Changed, sum: &Sum) -> Attempt {
    let clean_up = match one.clean_up {
        CleanUp::Never => "never",
        CleanUp::Before => "before",
        CleanUp::After => "after",
    };
    let worst = sum.faults.iter().min_by_key(|(_, bad)| bad.boots);
    let replay = worst.map(|(_, bad)| {
        let way = if one.back { "--roll-back" } else { "--roll-out" };
        let (file, name, rest) = (&of.file, tried.name(), rest(of, bad.seed));
        format!("bootrace replay {file} {way} {name} --clean-up {clean_up}{rest}")
    });
    Attempt {
        clean_up,
        runs: sum.met,
        faults: sum.faults.iter().map(|(fault, bad)| (fault.words(), bad.runs)).collect(),
        replay,
    }
}

/// The report for people.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let Of { file, schedule, library, .. } = &report.of;
    let library = library.map(|number| format!(", bullmq {number}")).unwrap_or_default();
    let _ = writeln!(text, "{file}, {schedule}{library}: {} seeds a day.", report.seeds);
    let _ = writeln!(text, "Judged: {}.\n", report.judged);
    table(report, &mut text);
    conclusion(report, &mut text);
    for entry in report.plans.iter().filter(|entry| entry.days > 0) {
        counterexamples(entry, &mut text);
    }
    let changes = report.plans.iter().filter(|entry| entry.roll_out.is_some());
    if changes.clone().next().is_some() {
        text.push_str("\nRolled out over what is found, and back, with both alive over a tick:\n");
    }
    for entry in changes {
        changed(report, entry, &mut text);
    }
    text
}

fn table(report: &Report, text: &mut String) {
    let names = report.plans.iter().map(|entry| entry.plan.len());
    let width = names.max().unwrap_or(0).max(4);
    let _ = writeln!(
        text,
        "{:width$}  {:>12}  {:>13}  {:>9}  {:>6}",
        "plan", "at most once", "at least once", "both", "work"
    );
    for entry in &report.plans {
        if entry.days == 0 {
            let why = entry.does_not_apply.as_deref().unwrap_or("no day was met");
            let _ = writeln!(text, "{:width$}  does not apply: {why}", entry.plan);
            continue;
        }
        let of = |count: usize| format!("{count} of {}", entry.days);
        let times = entry.times.map(|times| format!("{times:.2}x")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:width$}  {:>12}  {:>13}  {:>9}  {times:>6}",
            entry.plan,
            of(entry.at_most_once),
            of(entry.at_least_once),
            of(entry.both)
        );
    }
}

fn conclusion(report: &Report, text: &mut String) {
    text.push('\n');
    if !report.hold.is_empty() {
        let _ = writeln!(text, "On every day, once and only once: {}.", report.hold.join(", "));
        return;
    }
    text.push_str("None holds on every day, once and only once, alone or in the pairs tried.\n");
    let applies = || report.plans.iter().filter(|entry| entry.days > 0);
    let names = |such: &dyn Fn(&Entry) -> bool| {
        let such: Vec<&str> =
            applies().filter(|entry| such(entry)).map(|entry| entry.plan.as_str()).collect();
        if such.is_empty() { "none".to_owned() } else { such.join(", ") }
    };
    let most = names(&|entry| entry.at_most_once == entry.days);
    let least = names(&|entry| entry.at_least_once == entry.days);
    let _ = writeln!(text, "At most once on every day: {most}.\nAt least once: {least}.");
    let best = applies().find(|entry| Some(&entry.plan) == report.best.as_ref());
    if let Some(best) = best {
        let _ = writeln!(text, "The most days: {}, {} of {}.", best.plan, best.both, best.days);
    }
}

fn counterexamples(entry: &Entry, text: &mut String) {
    let _ = writeln!(text, "\n{}: {}", entry.plan, entry.is.join(" "));
    if entry.twice.is_none() && entry.lost.is_none() {
        let _ = writeln!(text, "  no counterexample on {} days", entry.days);
    }
    for (word, found) in [("twice", &entry.twice), ("lost", &entry.lost)] {
        let Some(found) = found else { continue };
        let _ = writeln!(text, "  {word}: {}", some(&found.days));
        let _ = writeln!(
            text,
            "    {}, in {} of {} runs, smallest with {} boots: {}",
            found.hazard, found.runs, found.of, found.boots, found.replay
        );
    }
}

/// Days, by name; of very many the first. JSON has all.
fn some(days: &[&str]) -> String {
    const MOST: usize = 20;
    const FIRST: usize = 8;
    if days.len() <= MOST {
        return days.join(", ");
    }
    format!("{}, and {} more", days[..FIRST].join(", "), days.len() - FIRST)
}

fn changed(report: &Report, entry: &Entry, text: &mut String) {
    let _ = writeln!(text, "\n{}", entry.plan);
    let (out, back) = (entry.roll_out.as_ref(), entry.roll_back.as_ref());
    for (word, way) in [("out", out), ("back", back)] {
        let Some(way) = way else { continue };
        let _ = writeln!(text, "  {word}: {}", verdict(way));
        for one in way.ways.iter().filter(|one| one.clean_up != "never") {
            let _ = writeln!(text, "    {}: {}", when(one), what(one));
        }
        let smallest = way.ways.first().and_then(|one| one.replay.as_ref());
        if let Some(replay) = smallest {
            let _ = writeln!(text, "    {replay}");
        }
    }
    if let Some(back) = back {
        let _ = writeln!(text, "  no return: {}", no_return(back));
    }
    let members = match &entry.registrations[..] {
        [] => "nothing".to_owned(),
        [one] => format!("one member, {one}"),
        all => format!("{} members, {}", all.len(), all.join(" and ")),
    };
    let _ =
        writeln!(text, "  clean if ZRANGE {} 0 -1 WITHSCORES shows {members}", report.of.repeat);
}

/// Whether it is safe, and if so by what.
fn verdict(way: &Way) -> String {
    let Some(plain) = way.ways.first() else { return "not tried".to_owned() };
    if plain.faults.is_empty() {
        return "safe as it is".to_owned();
    }
    let sound = way.ways.iter().filter(|one| one.faults.is_empty());
    let sound: Vec<&str> = sound.map(when).collect();
    match (&sound[..], way.as_found) {
        ([], true) => format!("as any deploy of what is found: {}", what(plain)),
        ([], false) => format!("not safe: {}", what(plain)),
        _ => format!("safe {}; else {}", sound.join(" or "), what(plain)),
    }
}

fn when(one: &Attempt) -> &'static str {
    match one.clean_up {
        "before" => "if the old registration is removed before the first new container",
        "after" => "if the old registration is removed after the last old container",
        _ => "as it is",
    }
}

fn what(one: &Attempt) -> String {
    if one.faults.is_empty() {
        return format!("holds in {} runs", one.runs);
    }
    let each = one.faults.iter().map(|(words, runs)| format!("{words} in {runs}"));
    format!("{} of {} runs", each.collect::<Vec<_>>().join(", "), one.runs)
}

/// From when on the old release alone brings the old state back no more.
fn no_return(back: &Way) -> &'static str {
    let clean = |one: &&Attempt| one.faults.is_empty();
    match back.ways.iter().find(clean) {
        Some(one) if one.clean_up == "never" => "at no time: the old release alone leads back",
        Some(_) => "the first boot of the new release: then the way back needs the removal, too",
        None if back.as_found => "at no time, but the old release does what it does at any deploy",
        None => "the first boot of the new release: no way back was seen to hold",
    }
}
