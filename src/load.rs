//! Reading a scenario file. It reads regular files of a bounded size and nothing else, and never
//! follows what a file says to another one.

use crate::report::diagnostic;
use bootrace_sim::scenario::{self, Diagnostic, Scenario};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read.
pub const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A scenario with the text that it came from.
#[derive(Debug)]
pub struct Loaded {
    /// Where it was read.
    pub path: PathBuf,
    /// What was read.
    pub text: String,
    /// What it means.
    pub scenario: Arc<Scenario>,
    /// What is legal in it and probably wrong.
    pub warnings: Vec<Diagnostic>,
}

/// Why there is no scenario. It shows itself as the command line does, with the diagnostics in
/// full, and so does its `Debug`: that is what `unwrap` and a test that returns it print.
pub enum Error {
    /// The file could not be read.
    Io(PathBuf, io::Error),
    /// It is not a file that may be read, or not text: in words.
    Refused(PathBuf, String),
    /// It says something wrong, with the text that the places are in.
    Bad(PathBuf, String, Vec<Diagnostic>),
}

impl Error {
    /// The error as text, in colours if a terminal is to show it.
    pub fn render(&self, color: bool) -> String {
        match self {
            Error::Io(path, error) => format!("error: cannot read {}: {error}", path.display()),
            Error::Refused(path, why) => format!("error: cannot read {}: {why}", path.display()),
            Error::Bad(path, text, problems) => {
                let path = path.display().to_string();
                let count = match problems.len() {
                    1 => "1 problem".to_owned(),
                    n => format!("{n} problems"),
                };
                let problems = diagnostic::render(&path, text, problems, color);
                format!("{problems}error: {count} in {path}; nothing was run")
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On a line of its own: `unwrap` and the test harness write something before it.
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(_, error) => Some(error),
            Error::Refused(..) | Error::Bad(..) => None,
        }
    }
}

/// Reads a scenario.
///
/// # Errors
/// If the file cannot be read, is no regular file, is too large, is not UTF-8, or says something
/// that is not a scenario.
pub fn load(path: &Path) -> Result<Loaded, Error> {
    parse(path.to_owned(), read(path)?)
}

/// Reads a scenario from a text that was found at `path`, or is called so.
pub(crate) fn parse(path: PathBuf, text: String) -> Result<Loaded, Error> {
    match scenario::parse(&text) {
        Ok((scenario, warnings)) => {
            Ok(Loaded { path, text, scenario: Arc::new(scenario), warnings })
        }
        Err(problems) => Err(Error::Bad(path, text, problems)),
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let io = |error| Error::Io(path.to_owned(), error);
    let refused = |why: String| Error::Refused(path.to_owned(), why);
    // Asked before it is opened: opening a pipe would wait for its other end.
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(refused("it is not a regular file".to_owned()));
    }
    let too_large = || refused(format!("it is larger than {} MB", MOST_BYTES / 1024 / 1024));
    if metadata.len() > MOST_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(too_large());
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(refused("it is UTF-16; save it as UTF-8".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refused(format!("it is not UTF-8 text: byte {at} is not part of a character"))
    })
}
