//! `run` and `compare`: scenarios on many seeds, judged by their expectations. The last scenario is
//! what counts.

use super::{Exit, Format, How, json, load_all, write};
use crate::explore::{Exploration, explore};
use crate::load::Loaded;
use crate::report::{self, Report, text};
use std::path::{Path, PathBuf};

pub(super) fn run(file: &Path, how: &How) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let reports = reports(&loaded, how);
    let printed = match how.format {
        Format::Text => Ok(reports.iter().map(text::run).collect()),
        Format::Json => Ok(reports.first().map_or_else(String::new, json)),
        Format::Junit => junit(&reports),
    };
    print(printed, &reports)
}

pub(super) fn compare(files: &[PathBuf], how: &How) -> Exit {
    let Some(loaded) = load_all(files) else {
        return Exit::BadInput;
    };
    let reports = reports(&loaded, how);
    let printed = match how.format {
        Format::Text => Ok(text::compare(&reports)),
        Format::Json => Ok(json(&reports)),
        Format::Junit => junit(&reports),
    };
    print(printed, &reports)
}

fn reports(loaded: &[Loaded], how: &How) -> Vec<Report> {
    let report = |loaded: &Loaded| {
        let exploration: Exploration = explore(&loaded.scenario, how.seeds());
        if let Some((once, again)) = exploration.nondeterministic {
            eprintln!(
                "error: {}: two runs of one seed differ: {once:016x}, {again:016x}",
                loaded.path.display()
            );
        }
        Report::new(&loaded.path.display().to_string(), &loaded.scenario, &exploration)
    };
    loaded.iter().map(report).collect()
}

fn junit(reports: &[Report]) -> Result<String, Exit> {
    report::junit::junit(reports).map_err(|error| {
        eprintln!("error: cannot write the result as XML: {error}");
        Exit::Io
    })
}

fn print(printed: Result<String, Exit>, reports: &[Report]) -> Exit {
    let ends = reports.last().map_or(Exit::BadInput, |report| Exit::from(report.verdict));
    match printed {
        Ok(text) => write(&text).unwrap_or(ends),
        Err(exit) => exit,
    }
}
