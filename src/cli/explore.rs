//! `explore`: many seeds of many scenarios, by several policies, each run up to its first undeclared
//! violation. It keeps sums and tells where to look; what a run was like is told by `replay`.

use super::actions::Actions;
use super::exhaustive::{self, Orders};
use super::live::Live;
use super::{Exit, Format, json, load_each, policies, run, shown, tell};
use crate::explore::{Bug, Checkpoint, CheckpointError, Cut, Policies, Ran, Swept, seeds, sweep};
use crate::load::Loaded;
use crate::pool::{ALL_CORES, Watch};
use crate::report::document::Document;
use crate::report::{Report, junit, swept};
use bootrace_sim::scenario::Scenario;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More seeds than anybody plays.
const MOST_SEEDS: u64 = 1_000_000_000_000;

#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// How many seeds of each scenario, from 1
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=MOST_SEEDS))]
    seeds: u64,
    /// Play for so long instead: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", conflicts_with = "seeds", value_parser = time)]
    time: Option<Duration>,
    /// End with the first seed that violates what is declared to hold
    #[arg(long)]
    until_fail: bool,
    /// Which policy draws the answers: random, pct, pct:DEPTH, starvation, or portfolio: in turn
    #[arg(long, default_value = "portfolio", value_parser = policies)]
    policy: Policies,
    /// On how many threads; all cores if not said
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Keep how far it is in this file, and go on from there if the file is there
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    orders: Orders,
}

/// Reads a length of real time.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a length of time is a number and a unit: 90s, 10m, 2h".to_owned();
    let unit = text.char_indices().next_back().ok_or_else(wrong)?;
    let seconds = match unit.1 {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..unit.0].parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err("that is no time".to_owned());
    }
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

pub(super) fn explore(files: &[PathBuf], how: &How) -> Exit {
    let jobs = how.jobs.map_or(ALL_CORES, usize::from);
    if how.orders.exhaustive {
        let How { orders, time, format, .. } = how;
        return exhaustive::explore(
            files,
            &exhaustive::How { orders, time: *time, jobs, format: *format },
        );
    }
    let mut actions = Actions::here();
    let loaded = load_each(files);
    actions.loaded(&loaded);
    let Ok(loaded) = loaded.into_iter().collect::<Result<Vec<_>, _>>() else {
        return actions.print(how.format, String::new(), None, Exit::BadInput);
    };
    let (swept, cut, kept) = match play(&loaded, how) {
        Ok(played) => played,
        Err(exit) => return exit,
    };
    let each = loaded.iter().zip(swept.nondeterministic.iter().map(Option::as_ref));
    let exit = kept.or(run::differences(each)).or(run::ended(&loaded, how.policy, cut.as_ref()));
    let exit = exit.or(checked(&swept)).or(bugs(&loaded, how.policy, &swept));
    let reports: Vec<Report> = loaded
        .iter()
        .enumerate()
        .filter_map(|(place, Loaded { source, scenario, .. })| {
            let file = source.path.display().to_string();
            Report::swept(&file, &source.text, scenario, place, &swept)
        })
        .collect();
    let verdicts = reports.iter().map(|report| Exit::from(report.verdict));
    let exit = verdicts.fold(exit, Exit::or);
    let of = if how.time.is_some() { 0 } else { how.seeds };
    let document = Document::new(reports, cut.as_ref(), of);
    let printed = match how.format {
        Format::Text => {
            let go_on = cut.is_some().then(|| go_on(files, how));
            swept::text(&document, go_on.as_deref())
        }
        Format::Json => json(&document),
        Format::Junit => match junit::junit(&document) {
            Ok(xml) => xml,
            Err(error) => {
                tell(&format!("error: cannot write the result as XML: {error}\n"));
                return exit.or(Exit::Io);
            }
        },
    };
    actions.print(how.format, printed, Some(&document), exit)
}

/// Plays, and keeps how far it is if that is wanted. Besides how far it came: why it is not all
/// seeds, and whether what was to be kept was.
fn play(loaded: &[Loaded], how: &How) -> Result<(Swept, Option<Cut>, Exit), Exit> {
    let scenarios: Vec<_> = loaded.iter().map(|loaded| loaded.scenario.clone()).collect();
    let last = if how.time.is_some() { MOST_SEEDS } else { how.seeds };
    // What has answers of its own has one run.
    let last = *seeds(&scenarios, 1..=last).end();
    let (mut swept, mut checkpoint) = begin(&scenarios, how, last)?;
    let mut live = Live::new(scenarios.len(), (last < MOST_SEEDS).then_some(last));
    live.goes_on_after(swept.last);
    let end = how.time.and_then(|time| Instant::now().checked_add(time));
    let mut until = Until { live, end, over: false };
    let jobs = how.jobs.map_or(ALL_CORES, usize::from);
    let after = |swept: &Swept| {
        if let Some(checkpoint) = &mut checkpoint {
            checkpoint.keep_up(swept);
        }
    };
    let cut = sweep(&scenarios, &mut swept, last, jobs, &mut until, after);
    let Until { live, over, .. } = until;
    let asked = live.is_asked();
    live.end();
    let cut = cut.filter(|cut| asked || !over || *cut != Cut::Stopped);
    let kept = checkpoint.map_or(Exit::AsDeclared, |mut checkpoint| {
        checkpoint.write(&swept);
        kept(&checkpoint, how.resume.as_deref())
    });
    Ok((swept, cut, kept))
}

/// Where it begins.
fn begin(
    scenarios: &[Arc<Scenario>],
    how: &How,
    last: u64,
) -> Result<(Swept, Option<Checkpoint>), Exit> {
    let fresh = Swept::new(scenarios, how.policy, how.until_fail);
    let Some(path) = &how.resume else { return Ok((fresh, None)) };
    let mut checkpoint = Checkpoint::new(path, scenarios);
    let name = shown(path);
    let known = checkpoint.load(&fresh).map_err(|error| match error {
        CheckpointError::Io(error) => {
            tell(&format!("error: cannot read {name}: {error}\n"));
            Exit::BadInput
        }
        CheckpointError::Torn(why) => {
            tell(&format!("error: cannot go on from {name}: {why}\n"));
            tell(ANEW);
            Exit::Diverged
        }
        CheckpointError::Other(why) => {
            tell(&format!("error: {name} is of another exploration: {why}\n"));
            tell(ANEW);
            Exit::Diverged
        }
    })?;
    let swept = known.unwrap_or(fresh);
    if swept.last > last {
        let so_far = swept.last;
        tell(&format!("error: {name} is at seed {so_far} already, beyond --seeds {last}\n"));
        return Err(Exit::Diverged);
    }
    // Said now, and not after an hour, if it cannot be kept.
    checkpoint.write(&swept);
    match kept(&checkpoint, Some(path)) {
        Exit::AsDeclared => Ok((swept, Some(checkpoint))),
        exit => Err(exit),
    }
}

const ANEW: &str = "help: name another file after --resume, or remove this one, to begin anew\n";

/// Whether the file says how far the exploration is.
fn kept(checkpoint: &Checkpoint, path: Option<&Path>) -> Exit {
    match (checkpoint.failed(), path) {
        (Some(error), Some(path)) => {
            tell(&format!("error: cannot write {}: {error}\n", shown(path)));
            Exit::Io
        }
        _ => Exit::AsDeclared,
    }
}

/// Whether what was counted can be trusted.
fn checked(swept: &Swept) -> Exit {
    match swept.check() {
        Ok(()) => Exit::AsDeclared,
        Err(why) => {
            tell(&format!("error: bug in bootrace: {why}\n"));
            Exit::Bug
        }
    }
}

/// Says which runs panicked, and how each is played again.
fn bugs(loaded: &[Loaded], policies: Policies, swept: &Swept) -> Exit {
    let told = swept.bugs.iter().map(|bug| {
        let Bug { scenario, seed, message } = bug.clone();
        run::ended(loaded, policies, Some(&Cut::Bug { scenario, seed, message }))
    });
    let exit = told.fold(Exit::AsDeclared, Exit::or);
    let more = swept.panicked - swept.bugs.len() as u64;
    if more > 0 {
        tell(&format!("error: {more} more runs panicked\n"));
    }
    exit
}

/// How to go on with what was not played.
fn go_on(files: &[PathBuf], how: &How) -> String {
    let Some(path) = &how.resume else {
        return "To go on where an exploration ended, begin it with --resume FILE.".to_owned();
    };
    let files: Vec<String> = files.iter().map(|file| shown(file)).collect();
    let mut line = format!("Go on: bootrace explore {}", files.join(" "));
    match how.time {
        Some(time) => line += &format!(" --for {}s", time.as_secs()),
        None => line += &format!(" --seeds {}", how.seeds),
    }
    if how.policy != Policies::Portfolio {
        line += &format!(" --policy {}", how.policy);
    }
    if how.until_fail {
        line += " --until-fail";
    }
    format!("{line} --resume {}", shown(path))
}

/// Looks on until a time is over.
struct Until {
    live: Live,
    end: Option<Instant>,
    over: bool,
}

impl Watch<Ran> for Until {
    fn done(&mut self, ran: &Ran) {
        self.live.done(ran);
    }

    fn stops(&mut self) -> bool {
        self.over = self.over || self.end.is_some_and(|end| Instant::now() >= end);
        let asked = <Live as Watch<Ran>>::stops(&mut self.live);
        asked || self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_a_unit() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(time("2h"), Ok(Duration::from_secs(7_200)));
        for wrong in ["", "s", "10", "0s", "-1s", "1.5h", "10 m", "5d", "99999999999h", "1µ"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_that_panicked_is_what_counts() {
        let mut swept = Swept::new(&[], Policies::Portfolio, false);
        assert_eq!(bugs(&[], Policies::Portfolio, &swept), Exit::AsDeclared);
        swept.bugs.push(Bug { scenario: 0, seed: 3, message: "no such number".to_owned() });
        swept.panicked = 2;
        assert_eq!(bugs(&[], Policies::Portfolio, &swept), Exit::Bug);
    }

    #[test]
    fn sums_that_are_not_those_of_the_canary_are_a_bug() {
        let text = include_str!("../../scenarios/free-tier-usage/no-bootstrap.toml");
        let scenario = Arc::new(bootrace_sim::scenario::parse(text).expect("it parses").0);
        let scenarios = [scenario];
        let mut swept = Swept::new(&scenarios, Policies::Portfolio, false);
        assert_eq!(sweep(&scenarios, &mut swept, 12, 2, &mut (), |_| ()), None);
        assert_eq!((swept.last, checked(&swept)), (12, Exit::AsDeclared));
        // As if a seed had been counted without being played.
        swept.last += 1;
        assert_eq!(checked(&swept), Exit::Bug);
    }
}
