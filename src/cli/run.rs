//! `run` and `compare`: scenarios on many seeds, judged by their expectations. The last scenario is
//! what counts.

use super::actions::Actions;
use super::live::Live;
use super::{Exit, Format, How, json, load_each, shown, tell};
use crate::explore::{Cut, Explored, explore_all, seeds};
use crate::load::Loaded;
use crate::report::document::Document;
use crate::report::{Report, junit, text};
use std::path::{Path, PathBuf};

pub(super) fn run(file: &Path, how: &How) -> Exit {
    let as_text = |reports: &[Report]| reports.iter().map(text::run).collect();
    play(std::slice::from_ref(&file.to_owned()), how, as_text)
}

pub(super) fn compare(files: &[PathBuf], how: &How) -> Exit {
    play(files, how, text::compare)
}

fn play(files: &[PathBuf], how: &How, as_text: impl Fn(&[Report]) -> String) -> Exit {
    let mut actions = Actions::here();
    let loaded = load_each(files);
    actions.loaded(&loaded);
    let Ok(loaded) = loaded.into_iter().collect::<Result<Vec<_>, _>>() else {
        return actions.print(how.format, String::new(), None, Exit::BadInput);
    };
    let scenarios: Vec<_> = loaded.iter().map(|loaded| loaded.scenario.clone()).collect();
    let seeds = seeds(&scenarios, how.seeds());
    let count = (seeds.end() - seeds.start()).saturating_add(1);
    let mut live = Live::new(scenarios.len(), count);
    let explored = explore_all(&scenarios, seeds, &mut live);
    live.end();
    let exit = complaints(&loaded, &explored);
    let document = document(&loaded, &explored, count);
    let exit = document.reports.last().map_or(exit, |report| exit.or(report.verdict.into()));
    let printed = match how.format {
        Format::Text => {
            let end = document.stopped.iter().map(|stopped| format!("{stopped}\n"));
            as_text(&document.reports) + &end.collect::<String>()
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

/// Says what is wrong with bootrace itself, and how the invocation ends for it.
fn complaints(loaded: &[Loaded], explored: &Explored) -> Exit {
    let mut exit = Exit::AsDeclared;
    for (loaded, exploration) in loaded.iter().zip(&explored.explorations) {
        if let Some((once, again)) = exploration.nondeterministic {
            let path = shown(&loaded.source.path);
            tell(&format!(
                "error: {path}: two runs of one seed differ: {once:016x}, {again:016x}\n"
            ));
            exit = exit.or(Exit::Nondeterminism);
        }
    }
    match &explored.cut {
        Some(Cut::Bug { scenario, seed, message }) => {
            let path =
                loaded.get(*scenario).map_or_else(String::new, |loaded| shown(&loaded.source.path));
            tell(&format!("error: bug in bootrace: seed {seed}: {message}\n"));
            tell(&format!("Replay: bootrace replay {path} --seed {seed}\n"));
            exit.or(Exit::Bug)
        }
        Some(Cut::Stopped) => exit.or(Exit::Interrupted),
        None => exit,
    }
}

fn document(loaded: &[Loaded], explored: &Explored, of: u64) -> Document {
    let report = |(loaded, exploration): (&Loaded, _)| {
        let file = loaded.source.path.display().to_string();
        Report::new(&file, &loaded.source.text, &loaded.scenario, exploration)
    };
    let reports = loaded.iter().zip(&explored.explorations).map(report).collect();
    Document::new(reports, explored.cut.as_ref(), of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_what_counts() {
        let bug = Cut::Bug { scenario: 0, seed: 7, message: "no such number".to_owned() };
        let explored = |cut| Explored { explorations: Vec::new(), cut };
        assert_eq!(complaints(&[], &explored(Some(bug))), Exit::Bug);
        assert_eq!(complaints(&[], &explored(Some(Cut::Stopped))), Exit::Interrupted);
        assert_eq!(complaints(&[], &explored(None)), Exit::AsDeclared);
    }
}
