//! Diagnostics: what is wrong with a scenario file, where, and the way out.
//!
//! This is data and the one table of codes; nothing here prints, knows a file's name, or decides
//! what is wrong. A code that was ever released keeps its meaning; it is never given another.

/// A range of bytes in the text of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The first byte after it.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// The line and column of its first byte, both from 1; columns count characters.
    ///
    /// A byte order mark takes no column. A place beyond the text is the text's end.
    #[must_use]
    pub fn line_column(self, text: &str) -> (usize, usize) {
        let before = &text.as_bytes()[..self.start.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let mut row = &before[line_start..];
        if line_start == 0 {
            row = row.strip_prefix("\u{feff}".as_bytes()).unwrap_or(row);
        }
        // Continuation bytes of UTF-8 begin no character.
        let column = row.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() + 1;
        (line, column)
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Span {
        Span::new(range.start, range.end)
    }
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// There is no scenario.
    Error,
    /// There is one, and part of it has no effect or is probably wrong.
    Warning,
}

/// One problem of a scenario file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Its code, one of [`CODES`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line. Text of the file in it is escaped.
    pub message: String,
    /// Where, and what to say there (perhaps nothing). The first is the primary one; there is
    /// always a first.
    pub labels: Vec<(Span, String)>,
    /// The way out, where the message does not say it.
    pub help: Option<String>,
    /// What to put in place of the primary span, where that is certain.
    pub rename: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(code: &'static str, at: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![(at, String::new())],
            help: None,
            rename: None,
        }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(code: &'static str, at: Span, message: impl Into<String>) -> Diagnostic {
        let severity = Severity::Warning;
        Diagnostic { severity, ..Diagnostic::error(code, at, message) }
    }

    /// What to say at the primary place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        if let Some(first) = self.labels.first_mut() {
            first.1 = label.into();
        }
        self
    }

    /// A second place.
    #[must_use]
    pub fn and(mut self, at: Span, label: impl Into<String>) -> Diagnostic {
        self.labels.push((at, label.into()));
        self
    }

    /// The way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The certain replacement of the primary span.
    #[must_use]
    pub fn rename(mut self, text: impl Into<String>) -> Diagnostic {
        self.rename = Some(text.into());
        self
    }

    /// Whether it says that part of the file has no effect. Other warnings say that the story
    /// probably goes wrong, which may be what it shows.
    #[must_use]
    pub fn is_without_effect(&self) -> bool {
        [code::NEVER_ADDED, code::NEVER_UP, code::NO_FAULT].contains(&self.code)
    }

    /// Whether it says that the library does not know an option: the model ignores it, too.
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.code == code::IGNORED
    }

    /// The primary place.
    #[must_use]
    pub fn at(&self) -> Span {
        self.labels.first().map_or(Span::default(), |&(at, _)| at)
    }
}

/// Every code and what it means, in the order of the codes.
pub const CODES: &[(&str, &str)] = &[
    (code::SYNTAX, "The text is not TOML."),
    (code::DUPLICATE, "A key or a table is given twice."),
    (code::UNKNOWN_KEY, "The format has no such key."),
    (code::MISPLACED_KEY, "The key belongs in another table."),
    (code::MISSING_KEY, "A key that is needed is missing."),
    (code::WRONG_TYPE, "A value is of the wrong kind."),
    (code::EXACTLY_ONE, "Of some keys exactly one must be given."),
    (code::NOT_YET, "It is part of the format, but this version does not simulate it yet."),
    (code::FORMAT, "The file is of a format that this version does not read."),
    (code::EMPTY, "The file says nothing at all."),
    (code::LIMIT, "There is too much of something: text, nesting, entries, containers."),
    (
        code::BAD_NAME,
        "A text is no name: too long, empty, or with characters that names do not have.",
    ),
    (code::ALIKE, "Two names of one kind differ only in case."),
    (code::UNRESOLVED, "Nothing of that kind has that name."),
    (code::AMBIGUOUS, "A name was left out, and there is not exactly one thing that it could be."),
    (code::NO_UNIT, "A length of time has no unit."),
    (code::DURATION, "A text is no length of time."),
    (code::RANGE, "A range is not written `least..most`, or its ends are the wrong way round."),
    (code::PERCENT, "A text is no percentage, or none that is allowed here."),
    (code::BOUNDS, "A number is smaller or greater than is allowed."),
    (code::WORD, "A text is none of the words that are allowed here."),
    (code::CRON, "A text is no cron pattern."),
    (code::NEVER_FIRES, "A cron pattern never fires."),
    (code::ZONE, "There is no such time zone."),
    (code::START, "A start, or a date, is no instant of the years that a run can be in."),
    (code::OUTSIDE, "A time lies outside the run."),
    (code::GRAIN, "A length of time is zero or finer than the library counts."),
    (code::JOB_ID, "BullMQ refuses the job id."),
    (code::PLACEHOLDER, "A job id has a placeholder that is unknown or that means nothing here."),
    (code::LIBRARY, "That version of the library is not modelled."),
    (code::STUCK_ROLLOUT, "A rollout could never take a step."),
    (code::NOT_AWAITED, "A worker or timer cannot be awaited."),
    (code::CANNOT_FAIL, "An expectation cannot fail."),
    (code::NOTHING, "There is nothing to simulate or nothing to judge."),
    (code::REPEATED, "The same thing is given twice: a fault of a service, the name of a step."),
    (code::EXTENDS, "What a file extends cannot be had."),
    (code::MORE, "There are more problems than are listed."),
    (code::NEVER_ADDED, "An expectation is about jobs that no release adds."),
    (code::NEVER_UP, "A service never has a container."),
    (code::NEVER_COMES, "A pattern never comes within the run."),
    (code::CLOCK_CHANGE, "A pattern falls into hours that a zone skips, or has twice."),
    (code::SHORT_LOCK, "A job may block for longer than its lock lives."),
    (code::ID_FREED, "A job's id is free again while containers still boot and add it."),
    (code::ID_KEPT, "A job that is to come again has an id that stays taken."),
    (code::SLOW_LIMITER, "A limiter lets fewer jobs start than the schedules bring."),
    (code::NO_PROCESSOR, "Jobs are added, and nothing says what they do."),
    (code::NEVER_PROCESSED, "It is said what jobs do that nobody adds."),
    (code::NO_WORKER, "A queue gets jobs and has no worker."),
    (code::UNUSED_RELEASE, "A release never runs."),
    (code::ZONE_SPELLING, "A time zone is spelled in a way of its own."),
    (code::LEFT_BEHIND, "A release leaves the registration of the one before it behind."),
    (code::SHORT_GRACE, "A container may be killed in the middle of a job."),
    (code::NOT_INTENDED, "A schedule's jobs are registered for other times than it is due."),
    (code::NO_WINDOW, "A window of a schedule is judged, and none lies whole in the run."),
    (code::REFUSED, "The library refuses what a step asks for; the step says what its error does."),
    (code::IGNORED, "The version of the library does not know an option and ignores it."),
    (code::ENDS, "A schedule may end where clocks are put back by less than an hour."),
    (code::NO_FAULT, "A fault never comes, or does nothing."),
];

/// The codes by name. Errors are below 100, warnings from 100.
pub(super) mod code {
    pub(crate) const SYNTAX: &str = "BR001";
    pub(crate) const DUPLICATE: &str = "BR002";
    pub(crate) const UNKNOWN_KEY: &str = "BR003";
    pub(crate) const MISPLACED_KEY: &str = "BR004";
    pub(crate) const MISSING_KEY: &str = "BR005";
    pub(crate) const WRONG_TYPE: &str = "BR006";
    pub(crate) const EXACTLY_ONE: &str = "BR007";
    pub(crate) const NOT_YET: &str = "BR008";
    pub(crate) const FORMAT: &str = "BR009";
    pub(crate) const EMPTY: &str = "BR010";
    pub(crate) const LIMIT: &str = "BR011";
    pub(crate) const BAD_NAME: &str = "BR012";
    pub(crate) const ALIKE: &str = "BR013";
    pub(crate) const UNRESOLVED: &str = "BR014";
    pub(crate) const AMBIGUOUS: &str = "BR015";
    pub(crate) const NO_UNIT: &str = "BR016";
    pub(crate) const DURATION: &str = "BR017";
    pub(crate) const RANGE: &str = "BR018";
    pub(crate) const PERCENT: &str = "BR019";
    pub(crate) const BOUNDS: &str = "BR020";
    pub(crate) const WORD: &str = "BR021";
    pub(crate) const CRON: &str = "BR022";
    pub(crate) const NEVER_FIRES: &str = "BR023";
    pub(crate) const ZONE: &str = "BR024";
    pub(crate) const START: &str = "BR025";
    pub(crate) const OUTSIDE: &str = "BR026";
    pub(crate) const GRAIN: &str = "BR027";
    pub(crate) const JOB_ID: &str = "BR028";
    pub(crate) const PLACEHOLDER: &str = "BR029";
    pub(crate) const LIBRARY: &str = "BR030";
    pub(crate) const STUCK_ROLLOUT: &str = "BR031";
    pub(crate) const NOT_AWAITED: &str = "BR032";
    pub(crate) const CANNOT_FAIL: &str = "BR033";
    pub(crate) const NOTHING: &str = "BR034";
    pub(crate) const REPEATED: &str = "BR035";
    pub(crate) const EXTENDS: &str = "BR036";
    pub(crate) const MORE: &str = "BR099";
    pub(crate) const NEVER_ADDED: &str = "BR101";
    pub(crate) const NEVER_UP: &str = "BR102";
    pub(crate) const NEVER_COMES: &str = "BR103";
    pub(crate) const CLOCK_CHANGE: &str = "BR104";
    pub(crate) const SHORT_LOCK: &str = "BR105";
    pub(crate) const ID_FREED: &str = "BR106";
    pub(crate) const ID_KEPT: &str = "BR107";
    pub(crate) const SLOW_LIMITER: &str = "BR108";
    pub(crate) const NO_PROCESSOR: &str = "BR109";
    pub(crate) const NEVER_PROCESSED: &str = "BR110";
    pub(crate) const NO_WORKER: &str = "BR111";
    pub(crate) const UNUSED_RELEASE: &str = "BR112";
    pub(crate) const ZONE_SPELLING: &str = "BR113";
    pub(crate) const LEFT_BEHIND: &str = "BR114";
    pub(crate) const SHORT_GRACE: &str = "BR115";
    pub(crate) const NOT_INTENDED: &str = "BR116";
    pub(crate) const NO_WINDOW: &str = "BR117";
    pub(crate) const REFUSED: &str = "BR118";
    pub(crate) const IGNORED: &str = "BR119";
    pub(crate) const ENDS: &str = "BR120";
    pub(crate) const NO_FAULT: &str = "BR121";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_mean_one_thing() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, sentence) in CODES {
            assert!(code.starts_with("BR") && code.len() == 5, "{code}");
            assert!(sentence.ends_with('.'), "{sentence}");
        }
    }

    #[test]
    fn columns_count_characters_and_no_byte_order_mark() {
        let text = "\u{feff}a = 1\r\nö = \"x\"\n";
        let at = |part: &str| {
            let start = text.find(part).expect("a part of the text");
            Span::new(start, start + part.len()).line_column(text)
        };
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("ö"), (2, 1));
        assert_eq!(at("\"x\""), (2, 5));
        assert_eq!(Span::new(99, 99).line_column(text), (3, 1));
        assert_eq!(Span::new(99, 99).line_column(""), (1, 1));
    }
}
