//! What is printed where, and what GitHub Actions gets besides: annotations and a summary of the step.
//! Elsewhere than on GitHub Actions a result is printed as it is.

use super::{Exit, Format, tell, write};
use crate::load::{Error, Loaded};
use crate::report::document::Document;
use crate::report::github::{self, Note};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;

/// Whether this is a step of a workflow of GitHub Actions.
pub(super) fn here() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Who gets the result of an invocation.
pub(super) struct Actions {
    /// Whether this is a step of a workflow.
    on: bool,
    /// The file that the step's summary is appended to.
    summary: Option<OsString>,
    /// What is to be said of the files.
    of_files: Vec<Note>,
}

impl Actions {
    /// As the environment says.
    pub(super) fn here() -> Self {
        let on = here();
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| on && !file.is_empty());
        Actions { on, summary, of_files: Vec::new() }
    }

    /// Remembers what is to be said of the files.
    pub(super) fn loaded(&mut self, loaded: &[Result<Loaded, Error>]) {
        self.of_files = loaded.iter().flat_map(github::of_file).collect();
    }

    /// Prints a result; how the invocation ends that would have ended with `exit`.
    pub(super) fn print(
        self,
        format: Format,
        printed: String,
        document: Option<&Document>,
        exit: Exit,
    ) -> Exit {
        let mut printed = printed;
        if self.on {
            let mut notes = self.of_files.clone();
            notes.extend(
                document.iter().flat_map(|document| &document.reports).flat_map(github::of_report),
            );
            let annotations = github::annotations(&notes);
            match format {
                Format::Text => printed = github::inert(&printed) + &annotations,
                Format::Json | Format::Junit => {
                    let _ = std::io::stderr().lock().write_all(annotations.as_bytes());
                }
            }
        }
        let written = write(&printed);
        if let Some(file) = &self.summary {
            let summary = github::summary(document, &self.of_files);
            let open = OpenOptions::new().append(true).create(true).open(file);
            if let Err(error) = open.and_then(|mut file| file.write_all(summary.as_bytes())) {
                tell(&format!("warning: cannot write the summary of the step: {error}\n"));
            }
        }
        written.map_or(exit, |io| exit.or(io))
    }
}
