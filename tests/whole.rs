//! Whole runs of random scenarios: the real library against `bootrace serve`, and the model of both
//! against what was seen there.
//!
//! A scenario is drawn from a seed, in the form of the truth cases, and recorded in real time by
//! their recorder, many at once. Then the model plays it on many seeds: every leaf of the recorded
//! outcome has to be among what the seeds showed. One that diverges is recorded once more, and has
//! to diverge again. A run on a machine that was too late every time is
//! named and not judged.
//!
//! `BOOTRACE_RUNS` says how many, `BOOTRACE_SEED` the first. `BOOTRACE_WHOLE` is the seed of the one
//! to record, or a recorded file to play again: those that diverge stay in `target/whole/diverged`.

#[path = "support/bullmq.rs"]
mod bullmq;
#[path = "truth_support/case.rs"]
mod case;
#[path = "truth_support/convert.rs"]
mod convert;
#[path = "whole/cover.rs"]
mod cover;
#[path = "whole/draw.rs"]
mod draw;
#[path = "truth_support/fold.rs"]
mod fold;
#[path = "whole/generate.rs"]
mod generate;
#[path = "truth_support/kill.rs"]
mod kill;
#[path = "truth_support/kinds.rs"]
mod kinds;
#[path = "truth_support/leaves.rs"]
mod leaves;
#[path = "truth_support/observe.rs"]
mod observe;
#[path = "whole/record.rs"]
mod record;
#[path = "whole/space.rs"]
mod space;
#[path = "truth_support/words.rs"]
mod words;

use case::Case;
use convert::Pace;
use cover::Cover;
use kill::Points;
use libtest_mimic::{Arguments, Trial};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many scenarios, unless `BOOTRACE_RUNS` says so.
const RUNS: u64 = 4;
/// On how many seeds the model plays each; as many again as long as a leaf was not shown, up to
/// the most.
const SEEDS: u64 = 50;
const MOST_SEEDS: u64 = 400;
/// A round trip to a server on the same machine, in microseconds: in a run that is slow all along,
/// and in one that is not. What is drawn anew for each message would hardly ever be either.
const SLOW_TRIP: (i64, i64) = (200, 6_000);
const QUICK_TRIP: (i64, i64) = (100, 1_000);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Some(reason) = record::missing() {
        let trial = Trial::test(format!("whole runs: {reason}"), || Ok(()));
        return libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(true)]).exit_code();
    }
    let wanted = env::var("BOOTRACE_WHOLE").ok();
    if let Some(file) = wanted.as_ref().filter(|wanted| wanted.parse::<u64>().is_err()) {
        let (case, file) = (Case::read(Path::new(file)), PathBuf::from(file));
        let name = case.name.clone();
        let judged = move || judge(&case, &file).map_err(|text| keep(&file, &text).into());
        let trial = Trial::test(name, judged);
        return libtest_mimic::run(&arguments, vec![trial]).exit_code();
    }
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = wanted.and_then(|seed| seed.parse().ok()).or(number("BOOTRACE_SEED")).unwrap_or(1);
    let runs = if env::var_os("BOOTRACE_WHOLE").is_some() {
        1
    } else {
        number("BOOTRACE_RUNS").unwrap_or(RUNS)
    };
    let mut seeds: Vec<(String, u64)> =
        (first..first + runs).map(|seed| (format!("seed {seed}"), seed)).collect();
    if let Some(filter) = &arguments.filter {
        seeds.retain(|(name, _)| name.contains(filter.as_str()));
    }
    if arguments.list {
        let listed = seeds.into_iter().map(|(name, _)| Trial::test(name, || Ok(())));
        return libtest_mimic::run(&arguments, listed.collect()).exit_code();
    }
    match record_all(&seeds) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("the scenarios cannot be recorded: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How often what diverged is recorded again.
const AGAIN: usize = 3;

/// Draws and records the scenarios; a test for each.
fn record_all(seeds: &[(String, u64)]) -> Result<Vec<Trial>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/whole");
    let (drawn, out) = (folder.join("drawn"), folder.join("recorded"));
    for folder in [&drawn, &out] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for (_, seed) in seeds {
        let file = drawn.join(format!("whole-{seed}.json"));
        record::write(&space::draw(*seed), &file)?;
        // What an earlier run recorded must not be taken for this one's.
        let _ = fs::remove_file(out.join(format!("whole-{seed}.json")));
        files.push(file);
    }
    record::record(&files, &out)?;
    let place = |number: usize| out.join(format!("whole-{}.json", seeds[number].1));
    let mut verdicts: Vec<Verdict> = (0..seeds.len()).map(|one| verdict(&place(one))).collect();
    // A machine that was late where nothing measures it says nothing another time; what the model has
    // wrong it has wrong each time.
    for _ in 0..AGAIN {
        let doubted: Vec<usize> = (0..seeds.len()).filter(|one| verdicts[*one].is_bad()).collect();
        if doubted.is_empty() {
            break;
        }
        for one in &doubted {
            let Verdict::Judged(Err(text)) = &verdicts[*one] else { unreachable!("it is bad") };
            let kept = keep(&place(*one), text);
            println!("{} diverged, and is recorded again\n{kept}", seeds[*one].0);
        }
        let again: Vec<PathBuf> = doubted.iter().map(|one| files[*one].clone()).collect();
        record::record(&again, &out)?;
        for one in doubted {
            if let again @ Verdict::Judged(_) = verdict(&place(one)) {
                verdicts[one] = again;
            }
        }
    }
    let judged = verdicts.iter().filter(|one| matches!(one, Verdict::Judged(_))).count();
    println!("{judged} of {} scenarios were recorded on a machine quiet enough", seeds.len());
    // A few may be unlucky together; where the packages are required, so is a machine.
    let few = if seeds.len() < 10 { judged == 0 } else { judged * 2 < seeds.len() };
    if few && env::var_os(bullmq::REQUIRED).is_some() {
        return Err("the machine was too late for most of them".to_owned());
    }
    let trials = verdicts.into_iter().zip(seeds).enumerate();
    let trials = trials.map(|(one, (verdict, (name, _)))| verdict.trial(name, place(one)));
    Ok(trials.collect())
}

/// What a recording comes to.
enum Verdict {
    /// Nothing: why.
    Unfit(String),
    /// Whether the model shows what was recorded.
    Judged(Result<(), String>),
}

impl Verdict {
    fn is_bad(&self) -> bool {
        matches!(self, Verdict::Judged(Err(_)))
    }

    fn trial(self, name: &str, file: PathBuf) -> Trial {
        match self {
            Verdict::Unfit(why) => {
                println!("{name} is not judged: {why}");
                let kind = format!("not judged: {why}");
                Trial::test(name, || Ok(())).with_kind(kind).with_ignored_flag(true)
            }
            Verdict::Judged(result) => {
                Trial::test(name, move || result.map_err(|text| keep(&file, &text).into()))
            }
        }
    }
}

fn verdict(file: &Path) -> Verdict {
    let case = Case::read(file);
    assert_eq!(case.stability["runs"], 1, "{} is of one run", case.name);
    match record::unfit(&case, &record::timeline(file)) {
        Some(why) => Verdict::Unfit(why),
        None => Verdict::Judged(judge(&case, file)),
    }
}

/// Plays a recorded scenario until all its leaves were shown, or often enough.
fn judge(case: &Case, file: &Path) -> Result<(), String> {
    let slow = pace(case);
    // A timer takes a millisecond at least: the steps of a quick run have none.
    let quick = Pace { step: None, round_trip: QUICK_TRIP, ..pace(case) };
    let played = [convert::convert(case, &slow)?, convert::convert(case, &quick)?];
    let mut cover = Cover::new(case, &record::timeline(file));
    let mut points = Points::new();
    for seed in 0..MOST_SEEDS {
        if seed > 0 && seed % SEEDS == 0 && cover.verdict().is_ok() {
            break;
        }
        let played = &played[usize::from(seed % 2 == 1)];
        let run = kill::play(played, seed, &mut points);
        cover.add(observe::observe(case, played, &run));
    }
    let (leaves, open) = cover.leaves();
    println!("{}: {leaves} leaves, {open} of them open, {} seeds", case.name, cover.seeds());
    cover.verdict()
}

/// How fast the machine was when a case was recorded, with a little to spare.
fn pace(case: &Case) -> Pace {
    let quality = &case.timing[0]["quality"];
    let range = |key: &str, default: (i64, i64)| {
        let ends = (quality[key][0].as_i64(), quality[key][1].as_i64());
        let (least, most) = (ends.0.unwrap_or(default.0), ends.1.unwrap_or(default.1));
        ((least - 6).max(0), most + 4)
    };
    Pace {
        lag: range("readyMs", (20, 60)),
        worker: range("workerMs", (8, 24)),
        step: Some(range("stepMs", (0, 8))),
        round_trip: SLOW_TRIP,
    }
}

/// Keeps the file of a scenario that diverged, and says how to play it again.
fn keep(file: &Path, text: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/whole/diverged");
    let kept = file.file_name().map(|name| folder.join(name)).unwrap_or_default();
    // A file that is played again may be the kept one.
    let there = fs::canonicalize(file).is_ok_and(|file| file == kept);
    let copied = there || fs::create_dir_all(&folder).and_then(|()| fs::copy(file, &kept)).is_ok();
    let place = if copied { &kept } else { file };
    format!("{text}\nBOOTRACE_WHOLE={} plays it again", place.display())
}
