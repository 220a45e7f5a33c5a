//! How far an exploration is, as a file from which it goes on.
//!
//! The sums in it hold for one version of bootrace, some scenarios and the options that they were
//! played with, so it says which; with any other it is refused. So is a file that is not whole.

use super::{Swept, Tally};
use crate::{create, tape};
use bootrace_sim::event::Rolling;
use bootrace_sim::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::hash::Hasher as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The version of this format.
const FORMAT: u32 = 1;

/// The largest file that is read: far more than the sums of all files that there can be.
const MOST_BYTES: u64 = 1 << 28;

/// After how many runs, or after how long, the file is written again.
const RUNS: u64 = 10_000;
const PERIOD: Duration = Duration::from_secs(5);

/// What stands in the file's first line; the second is a hash of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<S> {
    format: u32,
    version: String,
    /// The hashes of the scenarios' resolved texts, in the order of the arguments.
    scenarios: Vec<String>,
    swept: S,
}

/// Why an exploration does not go on from a file.
#[derive(Debug)]
pub(crate) enum Error {
    /// It cannot be read.
    Io(io::Error),
    /// It is not whole, or nothing of the kind.
    Torn(String),
    /// It is of something else.
    Other(String),
}

/// A file that keeps up with an exploration.
pub(crate) struct Checkpoint {
    path: PathBuf,
    scenarios: Vec<String>,
    /// When it was written, and up to which seed.
    written: (Instant, u64),
    /// Why it could not be written any more.
    failed: Option<io::Error>,
}

impl Checkpoint {
    /// A file of an exploration of these scenarios.
    pub(crate) fn new(path: &Path, scenarios: &[Arc<Scenario>]) -> Self {
        let scenarios = scenarios.iter().map(|scenario| tape::fingerprint(scenario)).collect();
        Checkpoint { path: path.to_owned(), scenarios, written: (Instant::now(), 0), failed: None }
    }

    /// How far the exploration is, if the file is there. `fresh` is the one that has not begun.
    ///
    /// # Errors
    /// If the file is no part of this exploration.
    pub(crate) fn load(&self, fresh: &Swept) -> Result<Option<Swept>, Error> {
        let metadata = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(Error::Io)?,
        };
        if !metadata.is_file() {
            return Err(Error::Torn("it is not a regular file".to_owned()));
        }
        if metadata.len() > MOST_BYTES {
            return Err(Error::Torn("it is too large to be one".to_owned()));
        }
        let bytes = std::fs::read(&self.path).map_err(Error::Io)?;
        let text = String::from_utf8(bytes).map_err(|_| torn())?;
        self.parse(&text, fresh).map(Some)
    }

    fn parse(&self, text: &str, fresh: &Swept) -> Result<Swept, Error> {
        let (line, hash) = text.split_once('\n').ok_or_else(torn)?;
        if hash != format!("{:016x}\n", hash_of(line)) {
            return Err(torn());
        }
        // Of another version it may have another shape.
        let other = |what: &str| Error::Other(what.to_owned());
        let value: serde_json::Value = serde_json::from_str(line).map_err(|_| torn())?;
        if value["format"] != FORMAT {
            return Err(other("it is of another format"));
        }
        let version = env!("CARGO_PKG_VERSION");
        if value["version"] != version {
            let by = value["version"].as_str().unwrap_or("another version");
            return Err(Error::Other(format!(
                "it was written by bootrace {by}, and this is {version}"
            )));
        }
        let Written { scenarios, swept, .. }: Written<Swept> =
            serde_json::from_value(value).map_err(|error| Error::Torn(error.to_string()))?;
        if scenarios != self.scenarios {
            return Err(other("the scenarios were others when it was written"));
        }
        if swept.policies != fresh.policies {
            let (with, now) = (swept.policies, fresh.policies);
            return Err(Error::Other(format!(
                "it was begun with --policy {with}, and this is {now}"
            )));
        }
        if swept.until_fail != fresh.until_fail {
            return Err(other(match swept.until_fail {
                true => "it was begun with --until-fail, and this is without",
                false => "it was begun without --until-fail, and this is with it",
            }));
        }
        if !swept.fits(fresh) {
            return Err(torn());
        }
        Ok(swept)
    }

    /// Writes the file, if it is time to.
    pub(crate) fn keep_up(&mut self, swept: &Swept) {
        let (when, last) = self.written;
        let runs = (swept.last - last).saturating_mul(self.scenarios.len() as u64);
        if runs >= RUNS || when.elapsed() >= PERIOD {
            self.write(swept);
        }
    }

    /// Writes the file.
    pub(crate) fn write(&mut self, swept: &Swept) {
        if self.failed.is_none() {
            self.failed = create::replace(&self.path, &self.text(swept)).err();
        }
        self.written = (Instant::now(), swept.last);
    }

    /// Why the file does not say how far the exploration is.
    pub(crate) fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    fn text(&self, swept: &Swept) -> String {
        let written = Written {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenarios: self.scenarios.clone(),
            swept,
        };
        let line = serde_json::to_string(&written).expect("sums are plain data");
        format!("{line}\n{:016x}\n", hash_of(&line))
    }
}

fn hash_of(line: &str) -> u64 {
    let mut hash = Rolling::default();
    hash.write(line.as_bytes());
    // A line that ends in zero bytes would have the hash of a shorter one.
    hash.write_usize(line.len());
    hash.finish()
}

fn torn() -> Error {
    Error::Torn("it is damaged, or was not written by bootrace".to_owned())
}

impl Swept {
    /// Whether it has the shape of another one.
    fn fits(&self, other: &Swept) -> bool {
        let fit =
            |(one, other): (&Tally, &Tally)| one.fits(other.expectations.len(), other.runs.len());
        self.tallies.len() == other.tallies.len()
            && self.nondeterministic.len() == other.nondeterministic.len()
            && self.tallies.iter().zip(&other.tallies).all(fit)
            && fit((&self.canary, &other.canary))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Policies, sweep};
    use super::*;
    use bootrace_sim::scenario::parse;

    const STORY: &str = include_str!("../../scenarios/free-tier-usage/no-bootstrap.toml");

    fn story() -> [Arc<Scenario>; 1] {
        [Arc::new(parse(STORY).expect("it parses").0)]
    }

    fn fresh(scenarios: &[Arc<Scenario>]) -> Swept {
        Swept::new(scenarios, Policies::Portfolio, false)
    }

    fn refused(checkpoint: &Checkpoint, text: &str, fresh: &Swept) -> Error {
        checkpoint.parse(text, fresh).expect_err("it is no part of this exploration")
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let scenarios = story();
        let mut swept = fresh(&scenarios);
        assert_eq!(sweep(&scenarios, &mut swept, 3, 1, &mut (), |_| ()), None);
        let checkpoint = Checkpoint::new(Path::new("a"), &scenarios);
        let text = checkpoint.text(&swept);
        assert_eq!(checkpoint.parse(&text, &fresh(&scenarios)).expect("it is whole"), swept);
    }

    #[test]
    fn a_file_that_is_not_whole_is_refused() {
        let scenarios = story();
        let fresh = fresh(&scenarios);
        let checkpoint = Checkpoint::new(Path::new("a"), &scenarios);
        let text = checkpoint.text(&fresh);
        for cut in 0..text.len() {
            let torn = refused(&checkpoint, &text[..cut], &fresh);
            assert!(matches!(torn, Error::Torn(_)), "{cut}: {torn:?}");
        }
        for place in text.match_indices(|digit: char| digit.is_ascii_digit()).map(|(at, _)| at) {
            let digit = if &text[place..=place] == "7" { "8" } else { "7" };
            let changed = format!("{}{digit}{}", &text[..place], &text[place + 1..]);
            let torn = refused(&checkpoint, &changed, &fresh);
            assert!(matches!(torn, Error::Torn(_)), "{place}: {torn:?}");
        }
        let longer = refused(&checkpoint, &(text + "\n"), &fresh);
        assert!(matches!(longer, Error::Torn(_)));
    }

    #[test]
    fn a_file_of_something_else_is_refused_with_what_it_is_of() {
        let scenarios = story();
        let mut swept = fresh(&scenarios);
        let checkpoint = Checkpoint::new(Path::new("a"), &scenarios);
        let said = |text: &str, fresh: &Swept| match refused(&checkpoint, text, fresh) {
            Error::Other(why) => why,
            error => panic!("{error:?}"),
        };
        let text = checkpoint.text(&swept);
        let random = Swept::new(&scenarios, Policies::RANDOM, false);
        let why = "it was begun with --policy portfolio, and this is random";
        assert_eq!(said(&text, &random), why);
        let until = Swept::new(&scenarios, Policies::Portfolio, true);
        assert!(said(&text, &until).contains("without --until-fail"));
        let both = [scenarios[0].clone(), scenarios[0].clone()];
        let other = Checkpoint::new(Path::new("a"), &both).text(&fresh(&both));
        assert!(said(&other, &swept).starts_with("the scenarios were others"));
        let line = text.lines().next().expect("it has lines");
        for (part, by) in [("\"format\":1", "\"format\":2"), (env!("CARGO_PKG_VERSION"), "0.0.0")] {
            let line = line.replacen(part, by, 1);
            let text = format!("{line}\n{:016x}\n", hash_of(&line));
            assert!(said(&text, &swept).contains("it "), "{part}");
        }
        // A shape that no exploration of these scenarios has.
        swept.tallies.clear();
        let shapeless = refused(&checkpoint, &checkpoint.text(&swept), &fresh(&scenarios));
        assert!(matches!(shapeless, Error::Torn(_)));
    }
}
