//! Reading a scenario file, and the one that it extends. It reads regular files of a bounded size
//! and nothing else, and follows what a file says to one other file, within the scenarios' folder.

use crate::report::diagnostic;
use bootrace_sim::battery::hazards;
use bootrace_sim::scenario::{self, Base, Diagnostic, Scenario, TextSpan};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read.
pub const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The folder that a file may extend others in, with all that is below it.
const ROOT: &str = "scenarios";

/// The text of a scenario, with that of the file that it extends.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it was read.
    pub path: PathBuf,
    /// What was read.
    pub text: String,
    /// The file that it extends, as it is named from where this one is, and what was read there.
    pub base: Option<(PathBuf, Base)>,
}

impl Source {
    /// The base, without its path.
    pub fn base(&self) -> Option<&Base> {
        self.base.as_ref().map(|(_, base)| base)
    }

    /// In which of the two files a place lies, and at which line and column of it.
    pub fn place(&self, at: TextSpan) -> (&Path, usize, usize) {
        let (path, (line, column)) = match &self.base {
            Some((path, base)) if at.start >= base.at() => {
                let within = TextSpan::new(at.start - base.at(), at.end.max(at.start) - base.at());
                (path, within.line_column(base.text()))
            }
            _ => (&self.path, at.line_column(&self.text)),
        };
        (path, line, column)
    }
}

/// A scenario with the text that it came from.
#[derive(Debug)]
pub struct Loaded {
    /// What was read.
    pub source: Source,
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
    Bad(Box<Source>, Vec<Diagnostic>),
}

impl Error {
    /// The error as text, in colours if a terminal is to show it.
    pub fn render(&self, color: bool) -> String {
        match self {
            Error::Io(path, error) => format!("error: cannot read {}: {error}", path.display()),
            Error::Refused(path, why) => format!("error: cannot read {}: {why}", path.display()),
            Error::Bad(source, problems) => {
                let path = source.path.display();
                let count = match problems.len() {
                    1 => "1 problem".to_owned(),
                    n => format!("{n} problems"),
                };
                let problems = diagnostic::render(source, problems, color);
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
    let mut source = Source { path, text, base: None };
    if let Some((named, at)) = scenario::extends(&source.text) {
        match base(&source, &named) {
            Ok(base) => source.base = Some(base),
            Err(why) => {
                let problem = scenario::cannot_extend(at, &why);
                return Err(Error::Bad(Box::new(source), vec![problem]));
            }
        }
    }
    let (scenario, warnings) = match scenario::parse_over(&source.text, source.base()) {
        Ok(parsed) => parsed,
        Err(problems) => return Err(Error::Bad(Box::new(source), problems)),
    };
    // The format does not know which hazards there are.
    let known: Vec<&str> = hazards().map(|hazard| hazard.name).collect();
    let unknown = scenario::unknown_hazards(&scenario, &source.text, source.base(), &known);
    if unknown.is_empty() {
        Ok(Loaded { source, scenario: Arc::new(scenario), warnings })
    } else {
        Err(Error::Bad(Box::new(source), unknown))
    }
}

/// The file that a scenario extends, or why it may not be read.
fn base(source: &Source, named: &str) -> Result<(PathBuf, Base), String> {
    let relative = Path::new(named);
    let has_scheme = named.split_once(':').is_some();
    if relative.has_root() || has_scheme || named.contains('\\') || named.contains('\0') {
        return Err("it must be a relative path with `/` between folders".to_owned());
    }
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    };
    // What is asked below is asked of real paths: a link could lead anywhere.
    let own = std::fs::canonicalize(&source.path).map_err(missing)?;
    let folder = own.parent().unwrap_or(&own);
    let target = std::fs::canonicalize(folder.join(relative)).map_err(missing)?;
    let is_root = |folder: &&Path| folder.file_name().is_some_and(|name| name == ROOT);
    let root = folder.ancestors().find(is_root).unwrap_or(folder);
    if !target.starts_with(root) {
        let whose = match root.file_name() {
            Some(name) if name == ROOT => "of the scenarios",
            _ => "of this file, and no folder around it is called `scenarios`",
        };
        return Err(format!("it lies outside the folder {whose}"));
    }
    if target == own {
        return Err("it is this file itself".to_owned());
    }
    let text = read(&target).map_err(|error| match error {
        Error::Io(_, error) => error.to_string(),
        Error::Refused(_, why) => why,
        Error::Bad(..) => "it is no scenario".to_owned(),
    })?;
    let path = source.path.parent().unwrap_or(Path::new("")).join(relative);
    Ok((path, Base::behind(&source.text, &text)))
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
