//! `explore --exhaustive`: every order of a scenario's messages within bounds.

use super::live::{ENDING, listen};
use super::{Exit, json, load_all, shown, tell, write};
use crate::load::Loaded;
use crate::pool::{ALL_CORES, Cut, Watch};
use crate::report::exhaustive::{Report, text};
use crate::search::{Bounds, Stretch, bounded, search};
use crate::tape;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Within which bounds, and in which form it is printed.
#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// Play every order of messages instead of seeds
    #[arg(long, required = true)]
    exhaustive: bool,
    /// How many lives may die in one order, each at any place before it sends something
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=8))]
    kills: u32,
    /// Play also orders that nobody could tell apart
    #[arg(long)]
    whole: bool,
    /// Let each range of the scenario come out as all of its sixteen values, not as its least
    #[arg(long)]
    draws: bool,
    /// Stop after so long: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    time: Option<Duration>,
    /// On how many threads; all cores if not said
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum Form {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Reads a length of real time.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "a length of time is a number and a unit: 90s, 10m, 2h".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

pub(super) fn explore(files: &[PathBuf], how: &How) -> Exit {
    let Some(loaded) = load_all(files) else { return Exit::BadInput };
    let mut watch = Until::new(how.time);
    let (mut exit, mut reports) = (Exit::AsDeclared, Vec::new());
    for loaded in &loaded {
        let (report, ended) = searched(loaded, how, &mut watch);
        exit = exit.or(ended).or(report.verdict.into());
        reports.push(report);
        if watch.stops() {
            break;
        }
    }
    let printed = match how.format {
        Form::Text => reports.iter().map(text).collect::<Vec<_>>().join("\n"),
        Form::Json => json(&reports),
    };
    write(&printed).map_or(exit, |failed| exit.or(failed))
}

/// Searches one scenario, and keeps the tape of an order that breaks it.
fn searched(loaded: &Loaded, how: &How, watch: &mut Until) -> (Report, Exit) {
    let How { kills, whole, draws, .. } = *how;
    let bounds = Bounds { kills, draws, whole, apart: false };
    let scenario = Arc::new(bounded(&loaded.scenario, kills));
    let jobs = how.jobs.map_or(ALL_CORES, usize::from);
    let (searched, cut) = search(&scenario, bounds, jobs, watch);
    let path = &loaded.source.path;
    let mut exit = match &cut {
        Some(Cut::Panicked { message, .. }) => {
            tell(&format!("error: bug in bootrace: {}: {message}\n", shown(path)));
            Exit::Bug
        }
        Some(Cut::Stopped) if watch.asked() => Exit::Interrupted,
        Some(Cut::Stopped) | None => Exit::AsDeclared,
    };
    let (file, source) = (path.display().to_string(), &loaded.source.text);
    let mut report = Report::new(&file, source, &scenario, bounds, &searched, cut.as_ref());
    if let Some(tape) = report.worst().and_then(|place| searched.tape(&scenario, place)) {
        let kept = tape_beside(path);
        match std::fs::write(&kept, tape::text(&loaded.scenario, Some(kills), &tape)) {
            Ok(()) => report.tape = Some(kept.display().to_string()),
            Err(error) => {
                tell(&format!("error: cannot write {}: {error}\n", shown(&kept)));
                exit = exit.or(Exit::Io);
            }
        }
    }
    (report, exit)
}

/// Where the tape of a scenario is kept: in the current folder, by its file's name.
fn tape_beside(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(".tape.json");
    PathBuf::from(name)
}

/// Looks on until a time is over or a signal comes.
struct Until {
    asked: Arc<AtomicBool>,
    end: Option<Instant>,
}

impl Until {
    fn new(time: Option<Duration>) -> Until {
        let asked = Arc::new(AtomicBool::new(false));
        if let Err(error) = ENDING.iter().try_for_each(|signal| listen(*signal, &asked)) {
            tell(&format!("warning: a signal will end bootrace without a result: {error}\n"));
        }
        Until { asked, end: time.and_then(|time| Instant::now().checked_add(time)) }
    }

    fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn stops(&self) -> bool {
        self.asked() || self.end.is_some_and(|end| Instant::now() >= end)
    }
}

impl Watch<Stretch> for Until {
    fn done(&mut self, _: &Stretch) {}

    fn stops(&mut self) -> bool {
        Until::stops(self)
    }
}
