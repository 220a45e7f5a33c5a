//! Tapes as files: the answers of one run, so that exactly this run can be played again.
//!
//! A tape names its questions by numbers that hold for one version of bootrace and one scenario, so
//! it says which; with any other it is refused, not guessed at.

use bootrace_sim::choices::{Choice, Label, LifeId, Question, Site, Tape};
use bootrace_sim::event::Rolling;
use bootrace_sim::scenario::{self, Scenario};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::hash::Hasher as _;
use std::io::{self, Read as _};
use std::path::Path;

/// The version of this format.
const FORMAT: u32 = 1;

/// The largest file that is read.
const MOST_BYTES: u64 = 1 << 30;

/// What stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    version: String,
    /// The hash of the scenario's resolved text.
    scenario: String,
    /// Of a run of a search: with how many kills at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    searched: Option<u32>,
    /// Who asks, what kind of question, about what, how many of the name before, of how many
    /// answers, which.
    answers: Vec<(u32, String, u16, u32, u16, u16)>,
}

/// Why a file is no tape of a run of this scenario.
#[derive(Debug)]
pub(crate) enum Error {
    /// It cannot be read.
    Io(io::Error),
    /// It is no tape.
    NoTape(String),
    /// It is a tape of something else.
    Other(String),
}

/// The text of a tape of a scenario, as it is or as it was searched with so many kills.
pub(crate) fn text(scenario: &Scenario, searched: Option<u32>, tape: &Tape) -> String {
    let answer = |choice: &Choice| {
        let Question { life, site, label, n } = choice.question;
        (life.0, site.name().to_owned(), label.0, n, choice.bound, choice.answer)
    };
    let written = Written {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: fingerprint(scenario),
        searched,
        answers: tape.choices.iter().map(answer).collect(),
    };
    let mut text = serde_json::to_string(&written).expect("a tape is plain data");
    text.push('\n');
    text
}

/// Reads a tape of this scenario; with how many kills that was searched, if the tape is of a search.
///
/// # Errors
/// If there is none in the file, or one of something else.
pub(crate) fn load(path: &Path, scenario: &Scenario) -> Result<(Tape, Option<u32>), Error> {
    let mut text = String::new();
    let metadata = std::fs::metadata(path).map_err(Error::Io)?;
    if !metadata.is_file() {
        return Err(Error::NoTape("it is not a regular file".to_owned()));
    }
    let file = File::open(path).map_err(Error::Io)?;
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(Error::Io)?;
    parse(&text, scenario)
}

fn parse(text: &str, scenario: &Scenario) -> Result<(Tape, Option<u32>), Error> {
    let written: Written =
        serde_json::from_str(text).map_err(|error| Error::NoTape(error.to_string()))?;
    if written.format != FORMAT {
        return Err(Error::Other(format!("it is of format {}, not {FORMAT}", written.format)));
    }
    let version = env!("CARGO_PKG_VERSION");
    if written.version != version {
        let message =
            format!("it was recorded by bootrace {}, and this is {version}", written.version);
        return Err(Error::Other(message));
    }
    if written.scenario != fingerprint(scenario) {
        return Err(Error::Other("the scenario was another one when it was recorded".to_owned()));
    }
    let choices: Option<Vec<Choice>> = written.answers.iter().map(choice).collect();
    let choices = choices.ok_or_else(|| Error::NoTape("an answer in it is none".to_owned()))?;
    Ok((Tape { choices }, written.searched))
}

fn choice(answer: &(u32, String, u16, u32, u16, u16)) -> Option<Choice> {
    let (life, site, label, n, bound, answer) = answer;
    let site = Site::ALL.into_iter().find(|known| known.name() == site)?;
    let question = Question { life: LifeId(*life), site, label: Label(*label), n: *n };
    (answer < bound).then_some(Choice { question, bound: *bound, answer: *answer })
}

/// The hash of a scenario's resolved text.
pub(crate) fn fingerprint(scenario: &Scenario) -> String {
    let mut hash = Rolling::default();
    hash.write(scenario::print(scenario).as_bytes());
    format!("{:016x}", hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootrace_sim::policy::{Random, Replay};
    use std::sync::Arc;

    const STORY: &str = include_str!("../scenarios/free-tier-usage/killed-mid-add.toml");

    fn story() -> Arc<Scenario> {
        Arc::new(scenario::parse(STORY).expect("it parses").0)
    }

    #[test]
    fn a_tape_that_was_written_plays_the_run_again() {
        let scenario = story();
        let recorded = bootrace_sim::run(&scenario, Box::new(Random::new(3)), true, &mut ());
        let written = text(&scenario, None, &recorded.tape);
        let (tape, searched) = parse(&written, &scenario).expect("it is a tape");
        assert_eq!((&tape, searched), (&recorded.tape, None));
        let written = text(&scenario, Some(2), &recorded.tape);
        assert_eq!(parse(&written, &scenario).expect("it is a tape").1, Some(2));
        let again = bootrace_sim::run(&scenario, Box::new(Replay::new(tape)), false, &mut ());
        assert_eq!((again.hash, again.diverged), (recorded.hash, None));
    }

    #[test]
    fn a_tape_of_something_else_is_refused() {
        let scenario = story();
        let good = text(&scenario, None, &Tape::default());
        let other =
            scenario::parse(&STORY.replacen("length", "#\nlength", 1)).expect("it parses").0;
        assert!(parse(&good, &other).is_ok(), "a comment changes nothing");
        let longer = Scenario { length: scenario.length + scenario.length, ..(*scenario).clone() };
        assert!(matches!(parse(&good, &longer), Err(Error::Other(_))));
        let older = good.replacen(env!("CARGO_PKG_VERSION"), "0.0.0", 1);
        assert!(matches!(parse(&older, &scenario), Err(Error::Other(_))));
        let newer = good.replacen("\"format\":1", "\"format\":2", 1);
        assert!(matches!(parse(&newer, &scenario), Err(Error::Other(_))));
        for cut in 0..good.trim_end().len() {
            assert!(matches!(parse(&good[..cut], &scenario), Err(Error::NoTape(_))), "{cut}");
        }
    }

    #[test]
    fn an_answer_beyond_its_bound_is_none() {
        let scenario = story();
        let bad = text(&scenario, None, &Tape::default()).replace("[]", "[[0,\"draw\",1,0,4,4]]");
        assert!(matches!(parse(&bad, &scenario), Err(Error::NoTape(_))));
    }
}
