//! The table of what kills what.

use crate::harness::CHECKS;
use crate::kill::{Kill, Story, kill, stories};
use crate::list::KILLERS;
use bootrace::pool::work;
use bootrace::sim::mutants::Mutant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// From how many seeds it is begun.
const BEGINNINGS: u64 = 20;

/// How far apart these are.
const APART: u64 = 1_000_000;

/// What one fault on one version may take, begun so often.
const MOST_SECONDS: u64 = 60;

/// Rows of the lists that are not here, and why.
const MISSING: [(&str, &str); 5] = [
    ("Q19, Q21, Q23", "The list has no such numbers."),
    ("Q22", "A leader's key is no part of the queue: it belongs to strategies."),
    ("X5", "Planted by the tests of the shrinker."),
    ("X8", "The canary's arithmetic, in every exploration."),
    ("X9", "A regression that cannot be replayed ends with exit code 6."),
];

const HEADING: &str = "\
# Planted faults, and what kills them

Made by `BOOTRACE_RENEW_MUTANTS=1 cargo test --features mutants --test mutants`, which checks it otherwise. Each fault of the queue
and the fleet is planted alone, and seeds are played with the policies in turn (random, pct:2, starvation, pct:4) until an
expectation that should hold is broken; without the fault it holds on that seed. FAULTS

- seeds: how many were played until then, the median of 20 beginnings, on bullmq 5.34.10, 5.81.5 and 6.7.0; `–`: that version
  has not what is wrong. A scenario of `scenarios` is played as it is; those of `tests/mutants` are made for the faults that
  they are to notice, and are small: what they show is that there is an expectation which notices, not how rare the fault is.
- policy: which one's run it was, of all these. hits: how often the fault was met in that run, the median.

| fault | what is wrong | killed by | expectation | 5.34.10 | 5.81.5 | 6.7.0 | policy | hits | size after shrinking |
|---|---|---|---|--:|--:|--:|---|--:|---|
";

const OF_THE_SIMULATOR: &str = "
## Faults of the simulator

Each is noticed by the check for its kind, within the seeds said.

| fault | what is wrong | noticed by | seeds | hits |
|---|---|---|--:|--:|
";

/// The kills of one fault in one story.
struct Line {
    mutant: Mutant,
    file: &'static str,
    version: Option<usize>,
    kills: Vec<Kill>,
}

/// The table.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn made() -> Result<String, String> {
    let told = |(mutant, file, marks): &'static (Mutant, &str, &str)| {
        stories(file, marks).into_iter().map(|story| (*mutant, *file, story))
    };
    let tasks: Vec<(Mutant, &str, Story)> = KILLERS.iter().flat_map(told).collect();
    let done = work(tasks.len(), move |task| line(&tasks[task]), &mut ());
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for line in done.results {
        line.map_or_else(|why| wrong.push(why), |line| lines.push(line));
    }
    wrong.extend(done.cut.map(|cut| format!("{cut:?}")));
    let mut text = HEADING.to_owned();
    let medians = lines.iter().map(|line| median(line.kills.iter().map(|kill| kill.seeds)));
    let most = medians.max().unwrap_or(0);
    let what = format!("{} faults; none needs more than {most} seeds (a median).", faults(&lines));
    text = text.replace("FAULTS", &what);
    for (mutant, file, _) in KILLERS {
        let of: Vec<&Line> =
            lines.iter().filter(|line| line.mutant == *mutant && line.file == *file).collect();
        if !of.is_empty() {
            text.push_str(&row(*mutant, file, &of));
        }
    }
    text.push_str(OF_THE_SIMULATOR);
    for check in CHECKS {
        match check.noticed() {
            Ok((seeds, hits)) => text.push_str(&format!(
                "| {:?} | {} | {} | {seeds} | {hits} |\n",
                check.mutant,
                check.mutant.what(),
                check.what
            )),
            Err(why) => wrong.push(format!("{:?}: {why}", check.mutant)),
        }
    }
    text.push_str("\n## Not here\n\n");
    MISSING.iter().for_each(|(row, why)| text.push_str(&format!("- {row}: {why}\n")));
    if wrong.is_empty() { Ok(text) } else { Err(wrong.join("\n")) }
}

fn line((mutant, file, story): &(Mutant, &'static str, Story)) -> Result<Line, String> {
    let Story { what, version, scenario } = story;
    let since = Instant::now();
    let kills = (0..BEGINNINGS).map(|begin| kill(scenario, *mutant, begin * APART + 1));
    let kills: Result<Vec<Kill>, String> = kills.collect();
    let kills = kills.map_err(|why| format!("{mutant:?} in {what}: {why}"))?;
    let seconds = since.elapsed().as_secs();
    if seconds > MOST_SECONDS {
        return Err(format!("{mutant:?} in {what}: it takes {seconds} s"));
    }
    Ok(Line { mutant: *mutant, file, version: *version, kills })
}

fn row(mutant: Mutant, file: &str, lines: &[&Line]) -> String {
    let seeds = |line: &&Line| median(line.kills.iter().map(|kill| kill.seeds)).to_string();
    let on = |version| lines.iter().find(|line| line.version == Some(version));
    let as_it_is = lines.iter().find(|line| line.version.is_none()).map(seeds);
    let columns = [0, 1, 2].map(|version| on(version).map_or("–".to_owned(), seeds));
    let columns = as_it_is.map_or(columns.join(" | "), |seeds| format!("{seeds} | | "));
    let kills = || lines.iter().flat_map(|line| &line.kills);
    let properties: BTreeSet<&str> = kills().map(|kill| &*kill.property).collect();
    let mut policies = BTreeMap::new();
    kills().for_each(|kill| *policies.entry(kill.policy).or_insert(0) += 1);
    let policies = policies.iter().map(|(policy, count)| format!("{policy} {count}"));
    format!(
        "| {mutant:?} | {} | {file} | {} | {columns} | {} | {} | – |\n",
        mutant.what(),
        properties.into_iter().collect::<Vec<_>>().join(", "),
        policies.collect::<Vec<_>>().join(", "),
        median(kills().map(|kill| kill.hits)),
    )
}

/// How many faults are killed.
fn faults(lines: &[Line]) -> usize {
    let names: BTreeSet<String> = lines.iter().map(|line| format!("{:?}", line.mutant)).collect();
    names.len()
}

/// Of an even number the greater of the two in the middle.
fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}
