//! `explore --exhaustive`: every order of a scenario's messages within bounds.

use super::live::ending;
use super::{Exit, Format, json, load_all, shown, tell, write};
use crate::load::Loaded;
use crate::pool::{Cut, Watch};
use crate::report::exhaustive::{Report, text};
use crate::search::{Bounds, Stretch, bounded, search};
use crate::tape;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether every order is searched, and within which bounds.
#[derive(clap::Args, Debug)]
pub(super) struct Orders {
    /// Play every order of messages instead of seeds
    #[arg(long, conflicts_with_all = ["seeds", "policy", "until_fail", "resume"])]
    pub(super) exhaustive: bool,
    /// How many lives may die in one order, each at any place before it sends something
    #[arg(long, default_value_t = 0, requires = "exhaustive", value_parser = clap::value_parser!(u32).range(0..=8))]
    kills: u32,
    /// Play also orders that nobody could tell apart
    #[arg(long, requires = "exhaustive")]
    whole: bool,
    /// Let each range of the scenario come out as all of its sixteen values, not as its least
    #[arg(long, requires = "exhaustive")]
    draws: bool,
}

/// How it is searched, and in which form it is printed.
#[derive(Debug)]
pub(super) struct How<'a> {
    pub(super) orders: &'a Orders,
    /// For how long at most.
    pub(super) time: Option<Duration>,
    /// On how many threads.
    pub(super) jobs: usize,
    /// What is printed.
    pub(super) format: Format,
}

pub(super) fn explore(files: &[PathBuf], how: &How<'_>) -> Exit {
    if matches!(how.format, Format::Junit) {
        tell("error: a search of every order is printed as text or JSON\n");
        return Exit::BadInput;
    }
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
        Format::Text | Format::Junit => reports.iter().map(text).collect::<Vec<_>>().join("\n"),
        Format::Json => json(&reports),
    };
    write(&printed).map_or(exit, |failed| exit.or(failed))
}

/// Searches one scenario, and keeps the tape of an order that breaks it.
fn searched(loaded: &Loaded, how: &How<'_>, watch: &mut Until) -> (Report, Exit) {
    let Orders { kills, whole, draws, .. } = *how.orders;
    let bounds = Bounds { kills, draws, whole, apart: false };
    let scenario = Arc::new(bounded(&loaded.scenario, kills));
    let (searched, cut) = search(&scenario, bounds, how.jobs, watch);
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
        Until { asked: ending(), end: time.and_then(|time| Instant::now().checked_add(time)) }
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
