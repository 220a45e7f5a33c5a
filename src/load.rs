//! Reading a scenario file. It reads regular files of a bounded size and nothing else, and never
//! follows what a file says to another one.

use bootrace_sim::scenario::{self, Diagnostic, Scenario};
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

/// Why there is no scenario.
#[derive(Debug)]
pub enum Error {
    /// The file could not be read.
    Io(PathBuf, io::Error),
    /// It is not a file that may be read, or not text: in words.
    Refused(PathBuf, String),
    /// It says something wrong, with the text that the places are in.
    Bad(PathBuf, String, Vec<Diagnostic>),
}

/// Reads a scenario.
///
/// # Errors
/// If the file cannot be read, is no regular file, is too large, is not UTF-8, or says something
/// that is not a scenario.
pub fn load(path: &Path) -> Result<Loaded, Error> {
    let text = read(path)?;
    match scenario::parse(&text) {
        Ok((scenario, warnings)) => {
            let scenario = Arc::new(scenario);
            Ok(Loaded { path: path.to_owned(), text, scenario, warnings })
        }
        Err(problems) => Err(Error::Bad(path.to_owned(), text, problems)),
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
