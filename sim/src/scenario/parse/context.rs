//! What is known and found while a file is read: its text, its names, its problems, its draws.
//!
//! It keeps problems in the order in which they are found and sorts them once, at the end. It
//! refuses to hold more of them than anybody would read.

use super::super::diagnostic::{Diagnostic, Severity, Span as TextSpan, code};
use super::super::{Range, Release, SCRAPE, Version};
use super::names::{Guess, Kind, Names, nearest, shown};
use super::table::Node;
use crate::clock::{Instant, Span};

/// How many problems are listed.
const PROBLEMS_MAX: usize = 200;

/// How many ranges a scenario may have; tapes number their words with 16 bits, and other words
/// take some of these.
const DRAWS_MAX: usize = 50_000;

/// What the files of `parse` share while they read one scenario.
pub(super) struct Context<'t> {
    pub(super) text: &'t str,
    pub(super) names: Names<'t>,
    /// The run's start, or the default if the file's is wrong.
    pub(super) start: Instant,
    /// The run's length, if it is known.
    pub(super) length: Option<Span>,
    /// The run's calm tail, if it is known; zero if there is none.
    pub(super) calm: Option<Span>,
    /// How often metrics are looked at.
    pub(super) scrape: Span,
    /// The queue and the job of each schedule, as the file has them.
    pub(super) works: Vec<(Option<&'t str>, Option<&'t str>)>,
    /// The library whose calls are read: the release's that is read, elsewhere the first one's.
    pub(super) library: Version,
    /// Whether the step that is read says what its error does. What the library refuses in it is
    /// then no mistake of the file.
    pub(super) prepared: bool,
    /// What people run by hand: releases after those that have a name.
    pub(super) by_hand: Vec<Release>,
    draws: Vec<Box<str>>,
    problems: Vec<Diagnostic>,
    left_out: usize,
}

impl<'t> Context<'t> {
    pub(super) fn new(text: &'t str, start: Instant) -> Context<'t> {
        Context {
            text,
            names: Names::default(),
            start,
            length: None,
            calm: None,
            scrape: SCRAPE,
            works: Vec::new(),
            library: Version::V5_34_10,
            prepared: false,
            by_hand: Vec::new(),
            draws: Vec::new(),
            problems: Vec::new(),
            left_out: 0,
        }
    }

    /// Takes in a problem.
    pub(super) fn push(&mut self, problem: Diagnostic) {
        if !self.is_full() || problem.severity == Severity::Warning {
            self.problems.push(problem);
        } else {
            self.left_out += 1;
        }
    }

    /// Whether further errors are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    /// Takes in an error; returns `None` for the value that is not there.
    pub(super) fn fail<T>(&mut self, problem: Diagnostic) -> Option<T> {
        self.push(problem);
        None
    }

    /// Whether there is an error so far.
    pub(super) fn failed(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// A range whose draws are called `word`.
    pub(super) fn draw(
        &mut self,
        (least, most): (Span, Span),
        word: String,
        at: TextSpan,
    ) -> Option<Range> {
        let Some(draw) =
            u16::try_from(self.draws.len()).ok().filter(|_| self.draws.len() < DRAWS_MAX)
        else {
            let message = format!("a scenario has at most {DRAWS_MAX} ranges");
            return self.fail(Diagnostic::error(code::LIMIT, at, message));
        };
        self.draws.push(word.into());
        Some(Range { least, most, draw })
    }

    /// The number of the thing of a kind that a text names.
    pub(super) fn resolve(&mut self, kind: Kind, node: Node<'t>) -> Option<usize> {
        let name = self.string(node)?;
        if let Some((number, _)) = self.names.get(kind, name) {
            return Some(number);
        }
        let word = kind.word();
        let message = format!("no {word} is named {}", shown(name));
        let problem = Diagnostic::error(code::UNRESOLVED, node.span, message);
        let problem = match self.meant(kind, name) {
            Some((guess, at)) => {
                let problem = problem.and(at, "did you mean this one?");
                if guess.certain { problem.rename(format!("\"{}\"", guess.name)) } else { problem }
            }
            None => problem.help(self.known(kind, name)),
        };
        self.fail(problem)
    }

    fn meant(&self, kind: Kind, name: &str) -> Option<(Guess<'t>, TextSpan)> {
        // Nobody reads suggestions for problems that are not listed.
        if self.is_full() {
            return None;
        }
        let guess = nearest(name, self.names.of(kind).map(|(name, _, _)| name))?;
        let (_, at) = self.names.get(kind, guess.name)?;
        Some((guess, at))
    }

    /// What there is instead of a name that nothing has.
    fn known(&self, kind: Kind, name: &str) -> String {
        const MOST: usize = 5;
        let word = kind.word();
        if let Some(other) =
            Kind::ALL.into_iter().find(|&other| self.names.get(other, name).is_some())
        {
            return format!("{} is a {}, and a {word} is needed here", shown(name), other.word());
        }
        let mut names: Vec<String> =
            self.names.of(kind).take(MOST).map(|(name, _, _)| shown(name)).collect();
        if names.is_empty() {
            return format!("declare it with a table `[{word}.NAME]`; the file has no {word} yet");
        }
        if self.names.count(kind) > MOST {
            names.push("...".to_owned());
        }
        format!(
            "declare it with a table `[{word}.NAME]`, or use one that is there: {}",
            names.join(", ")
        )
    }

    /// All draws' words and all problems, in file order.
    pub(super) fn finish(self) -> (Vec<Box<str>>, Vec<Diagnostic>) {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| problem.at());
        if self.left_out > 0 {
            let message = format!("{} more problems are not listed", self.left_out);
            let end = TextSpan::new(self.text.len(), self.text.len());
            problems.push(Diagnostic::error(code::MORE, end, message));
        }
        (self.draws, problems)
    }
}
