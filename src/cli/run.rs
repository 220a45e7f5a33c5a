//! `run` and `compare`: scenarios on many seeds, judged by their expectations. The last scenario is
//! what counts.

use super::actions::Actions;
use super::live::Live;
use super::{Exit, Format, How, json, load_each, shown, tell};
use crate::determinism::Difference;
use crate::explore::{Cut, Explored, Policies, explore_all, seeds};
use crate::load::Loaded;
use crate::report::document::Document;
use crate::report::{Report, junit, text};
use bootrace_sim::policy::Kind;
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
    let Ok(mut loaded) = loaded.into_iter().collect::<Result<Vec<_>, _>>() else {
        return actions.print(how.format, String::new(), None, Exit::BadInput);
    };
    loaded.iter_mut().for_each(|loaded| loaded.scenario = how.ship.of(&loaded.scenario));
    let scenarios: Vec<_> = loaded.iter().map(|loaded| loaded.scenario.clone()).collect();
    let seeds = seeds(&scenarios, how.seeds());
    let count = (seeds.end() - seeds.start()).saturating_add(1);
    let mut live = Live::new(scenarios.len(), Some(count));
    let explored = explore_all(&scenarios, how.policy, seeds, &mut live);
    live.end();
    let exit = complaints(&loaded, how.policy, &explored);
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
fn complaints(loaded: &[Loaded], policies: Policies, explored: &Explored) -> Exit {
    let each = loaded.iter().zip(&explored.explorations);
    let differ = each.map(|(loaded, exploration)| (loaded, exploration.nondeterministic.as_ref()));
    differences(differ).or(ended(loaded, policies, explored.cut.as_ref()))
}

/// Says where two runs of one seed differ.
pub(super) fn differences<'a>(
    each: impl Iterator<Item = (&'a Loaded, Option<&'a Difference>)>,
) -> Exit {
    let mut exit = Exit::AsDeclared;
    for (loaded, differ) in each {
        if let Some(difference) = differ {
            let path = shown(&loaded.source.path);
            tell(&format!("error: {path}: two runs of one seed differ: {difference}\n"));
            exit = exit.or(Exit::Nondeterminism);
        }
    }
    exit
}

/// Says why not every seed was played, if that is a bug.
pub(super) fn ended(loaded: &[Loaded], policies: Policies, cut: Option<&Cut>) -> Exit {
    match cut {
        Some(Cut::Bug { scenario, seed, message }) => {
            let policy = match policies.of(*seed) {
                Kind::Random => String::new(),
                kind => format!(" --policy {kind}"),
            };
            tell(&format!("error: bug in bootrace: seed {seed}: {message}\n"));
            // Else it is the canary, which has no file.
            if let Some(loaded) = loaded.get(*scenario) {
                let path = shown(&loaded.source.path);
                tell(&format!("Replay: bootrace replay {path} --seed {seed}{policy}\n"));
            }
            Exit::Bug
        }
        Some(Cut::Stopped) => Exit::Interrupted,
        None => Exit::AsDeclared,
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
        let exit = |cut| complaints(&[], Policies::RANDOM, &explored(cut));
        assert_eq!(exit(Some(bug)), Exit::Bug);
        assert_eq!(exit(Some(Cut::Stopped)), Exit::Interrupted);
        assert_eq!(exit(None), Exit::AsDeclared);
    }
}
