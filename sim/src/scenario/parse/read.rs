//! Values of the tree as what they mean: texts, numbers, lengths of time, patterns, zones.
//!
//! Each reader reports what is wrong and then has no value; none guesses one.

use std::ops::{Range as Bytes, RangeInclusive};

use toml::de::{DeInteger, DeValue};

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::super::{Range, RepeatWhen, Signed};
use super::context::Context;
use super::names::{is_unseen, name_fault, name_help, nearest, shown};
use super::table::{Known, Node};
use super::value::{self, Fault};
use crate::bullmq::cron::{Cron, CronDialect};
use crate::civil::Zone;
use crate::clock::{NANOS_PER_MS, Span};

/// The most characters of a cron pattern.
const CRON_LONGEST: usize = 200;

/// How patterns are written.
const CRON_HELP: &str = "five fields: minute, hour, day of month, month, day of week; \
                         a sixth before them is the second";

/// What to write for an `H`.
const HASH_HELP: &str = "write the value: BullMQ hands on no seed for it, so each iteration would \
                         come at another time";

/// How zones are called.
const ZONE_HELP: &str = "a zone is a name of the IANA list, such as \"Europe/Berlin\", or \"UTC\"";

/// What cron-parser says, or what it means where it does not tell.
fn cron_fault(message: &str) -> &str {
    match message {
        "Invalid cron expression" | "Invalid cron expression, too many fields" => {
            "a pattern has at most six fields"
        }
        "Invalid explicit day of month definition" => "none of its months has this day",
        other => other,
    }
}

/// What a length of time must be for its use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// Anything, zero too.
    Any,
    /// More than zero.
    Positive,
    /// Whole milliseconds, which is how BullMQ counts; perhaps zero.
    Millis,
    /// Whole milliseconds, at least one.
    PositiveMillis,
    /// Whole seconds, perhaps zero.
    Seconds,
}

impl<'t> Context<'t> {
    /// A text in which every character can be seen.
    pub(super) fn string(&mut self, node: Node<'t>) -> Option<&'t str> {
        let DeValue::String(text) = node.value else {
            return self.fail(node.wrong("a string"));
        };
        let Some((at, c)) = text.char_indices().find(|&(_, c)| is_unseen(c)) else {
            return Some(text);
        };
        let what = format!("U+{:04X}", u32::from(c));
        let message = format!("{} has the invisible character {what} in it", node.title());
        let at = self.within(node, text, at..at + c.len_utf8());
        let help = "control characters and marks that reorder or hide text are not allowed";
        self.fail(Diagnostic::error(code::BAD_NAME, at, message).help(help))
    }

    /// A text that can be a name.
    pub(super) fn name(&mut self, node: Node<'t>, colons: bool) -> Option<&'t str> {
        let DeValue::String(text) = node.value else {
            return self.fail(node.wrong("a string"));
        };
        match name_fault(text, colons) {
            None => Some(text),
            Some(message) => {
                let problem = Diagnostic::error(code::BAD_NAME, node.span, message);
                self.fail(problem.help(name_help(colons)))
            }
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: Node<'t>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.string(node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let message = format!("{} cannot be {}", node.title(), shown(text));
        let problem = Diagnostic::error(code::WORD, node.span, message)
            .help(format!("it is one of {}", names.join(", ")));
        match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(guess) if guess.certain => {
                self.fail(problem.rename(format!("\"{}\"", guess.name)))
            }
            Some(guess) => self.fail(problem.label(format!("did you mean \"{}\"?", guess.name))),
            None => self.fail(problem),
        }
    }

    pub(super) fn boolean(&mut self, node: Node<'t>) -> Option<bool> {
        match node.value {
            DeValue::Boolean(value) => Some(*value),
            _ => self.fail(node.wrong("true or false")),
        }
    }

    /// A whole number within bounds.
    pub(super) fn integer(&mut self, node: Node<'t>, bounds: RangeInclusive<i64>) -> Option<i64> {
        let DeValue::Integer(integer) = node.value else {
            return self.fail(no_number(node));
        };
        let value = number(integer);
        if let Some(value) = value.filter(|value| bounds.contains(value)) {
            return Some(value);
        }
        let (least, most) = bounds.into_inner();
        let message = match value {
            Some(value) if value < least => format!("{} must be at least {least}", node.title()),
            None if integer.as_str().starts_with('-') => {
                format!("{} must be at least {least}", node.title())
            }
            _ => format!("{} must be at most {most}", node.title()),
        };
        self.fail(Diagnostic::error(code::BOUNDS, node.span, message))
    }

    /// A whole number within bounds that fits 32 bits.
    pub(super) fn count(&mut self, node: Node<'t>, bounds: RangeInclusive<u32>) -> Option<u32> {
        let bounds = i64::from(*bounds.start())..=i64::from(*bounds.end());
        self.integer(node, bounds).and_then(|value| u32::try_from(value).ok())
    }

    /// A length of time.
    pub(super) fn span(&mut self, node: Node<'t>, grain: Grain) -> Option<Span> {
        let text = self.timed(node)?;
        let span = value::duration(text).map_err(|fault| self.fault(node, text, fault)).ok()?;
        self.grain(node, span, grain)
    }

    /// A length of time forward (`+5s`) or back (`-5s`), in whole milliseconds and not zero.
    pub(super) fn signed_ms(&mut self, node: Node<'t>) -> Option<i64> {
        let text = self.timed(node)?;
        let (sign, length) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
            (Some(length), _) => (-1, length),
            (_, Some(length)) => (1, length),
            _ => {
                let message = format!("{} needs a sign: +5s is forward, -5s back", node.title());
                return self.fail(Diagnostic::error(code::DURATION, node.span, message));
            }
        };
        let span = value::duration(length).map_err(|fault| self.fault(node, length, fault)).ok()?;
        Some(sign * self.grain(node, span, Grain::PositiveMillis)?.ms())
    }

    fn grain(&mut self, node: Node<'t>, span: Span, grain: Grain) -> Option<Span> {
        let positive = matches!(grain, Grain::Positive | Grain::PositiveMillis);
        if positive && span == Span::ZERO {
            let message = format!("{} must be longer than zero", node.title());
            return self.fail(Diagnostic::error(code::GRAIN, node.span, message));
        }
        let (unit, units) = match grain {
            Grain::Any | Grain::Positive => return Some(span),
            Grain::Millis | Grain::PositiveMillis => (NANOS_PER_MS, "milliseconds"),
            Grain::Seconds => (1000 * NANOS_PER_MS, "seconds"),
        };
        if span.nanos() % unit == 0 {
            return Some(span);
        }
        let message = format!("{} must be whole {units}: BullMQ counts no finer", node.title());
        self.fail(Diagnostic::error(code::GRAIN, node.span, message))
    }

    /// A range of lengths of time whose draws are called `word`.
    pub(super) fn range(&mut self, node: Node<'t>, word: impl Into<String>) -> Option<Range> {
        let text = self.timed(node)?;
        let ends = value::range(text).map_err(|fault| self.fault(node, text, fault)).ok()?;
        self.draw(ends, word.into(), node.span)
    }

    /// A range with signs, read by one of the readers of `value.rs`, whose draws are called `word`.
    pub(super) fn signed(
        &mut self,
        node: Node<'t>,
        word: String,
        read: impl Fn(&str) -> Result<(i64, i64), Fault>,
    ) -> Option<Signed> {
        let text = self.string(node)?;
        let (least, most) = read(text).map_err(|fault| self.fault(node, text, fault)).ok()?;
        let draw = self.draw(Default::default(), word, node.span)?.draw;
        Some(Signed { least, most, draw })
    }

    /// The text of a length of time; numbers are answered with the units.
    fn timed(&mut self, node: Node<'t>) -> Option<&'t str> {
        match node.value {
            DeValue::Integer(_) | DeValue::Float(_) => {
                let message = format!("{} has no unit", node.title());
                let problem = Diagnostic::error(code::NO_UNIT, node.span, message);
                self.fail(problem.label("a number alone").help(value::BARE_HELP))
            }
            DeValue::String(text) => Some(text),
            _ => self.fail(node.wrong("a length of time in quotes").help(value::UNITS_HELP)),
        }
    }

    /// A percentage in millionths.
    pub(super) fn percent(&mut self, node: Node<'t>) -> Option<u32> {
        let DeValue::String(text) = node.value else {
            return self.fail(node.wrong("a percentage in quotes, such as \"25%\""));
        };
        value::percent(text).map_err(|fault| self.fault(node, text, fault)).ok()
    }

    /// A cron pattern that is no library's, or read by another than BullMQ.
    pub(super) fn cron(&mut self, node: Node<'t>) -> Option<Cron> {
        self.cron_as(node, CronDialect::V4)
    }

    /// A cron pattern in a call of BullMQ, which throws where it is none.
    pub(super) fn library_cron(&mut self, node: Node<'t>) -> Option<RepeatWhen> {
        let dialect = self.library.cron();
        if let DeValue::String(text) = node.value
            && self.prepared
            && (1..=CRON_LONGEST).contains(&text.len())
            && let Err(error) = Cron::read(text, dialect)
            // That one is ours: cron-parser takes it.
            && !error.is_hash()
        {
            let at = self.within(node, text, error.span());
            let message = format!("{dialect} refuses the pattern {}", shown(text));
            let label = shown(cron_fault(error.message())).replace('`', "");
            self.push(Diagnostic::warning(code::REFUSED, at, message).label(label));
            return Some(RepeatWhen::Refused(text.to_string().into()));
        }
        self.cron_as(node, dialect).map(RepeatWhen::Pattern)
    }

    fn cron_as(&mut self, node: Node<'t>, dialect: CronDialect) -> Option<Cron> {
        let text = self.string(node)?;
        if text.trim().is_empty() || text.len() > CRON_LONGEST {
            let message = format!("a cron pattern has between 1 and {CRON_LONGEST} characters");
            return self.fail(Diagnostic::error(code::CRON, node.span, message).help(CRON_HELP));
        }
        match Cron::read(text, dialect) {
            Ok(cron) => Some(cron),
            Err(error) => {
                let at = self.within(node, text, error.span());
                let message = format!("{} is no cron pattern", shown(text));
                let label = shown(cron_fault(error.message())).replace('`', "");
                let help = if error.is_hash() { HASH_HELP } else { CRON_HELP };
                self.fail(Diagnostic::error(code::CRON, at, message).label(label).help(help))
            }
        }
    }

    /// A time zone.
    pub(super) fn zone(&mut self, node: Node<'t>) -> Option<Zone> {
        let text = self.string(node)?;
        let zone = Zone::get(text);
        if zone.is_none() {
            let message = format!("there is no time zone {}", shown(text));
            let problem = Diagnostic::error(code::ZONE, node.span, message);
            // Nobody reads suggestions for problems that are not listed.
            let names = if self.is_full() { Vec::new() } else { Zone::names() };
            let help = match nearest(text, names.iter().map(String::as_str)) {
                Some(guess) => format!("did you mean \"{}\"?", guess.name),
                None => ZONE_HELP.to_owned(),
            };
            self.push(problem.help(help));
        }
        zone
    }

    /// Reports what is wrong with a text.
    pub(super) fn fault(&mut self, node: Node<'t>, text: &str, fault: Fault) {
        let Fault { code, range, message, help } = fault;
        let mut problem = Diagnostic::error(code, self.within(node, text, range), message);
        problem.help = help;
        self.push(problem);
    }

    /// Where a part of a string's text stands, if the file has the text as it is; else where the
    /// string stands, since escapes move things.
    pub(super) fn within(&self, node: Node<'t>, text: &str, part: Bytes<usize>) -> TextSpan {
        let start = node.span.start + 1;
        let plain = node.span.end == start + text.len() + 1;
        if plain && self.text.get(start..start + text.len()) == Some(text) && !part.is_empty() {
            return TextSpan::new(start + part.start, start + part.end);
        }
        node.span
    }

    /// Reports a key that makes no sense beside another.
    pub(super) fn clash(&mut self, key: Known<'t>, message: impl Into<String>, other: Known<'t>) {
        let problem = Diagnostic::error(code::EXACTLY_ONE, key.at, message);
        self.push(problem.and(other.at, "because of this"));
    }
}

/// That a value is no whole number, and which one it looks like.
fn no_number(node: Node<'_>) -> Diagnostic {
    let problem = node.wrong("a whole number");
    let DeValue::String(text) = node.value else { return problem };
    let plain: String = text.chars().filter(|c| !matches!(c, ',' | ' ' | '_')).collect();
    let digits = !plain.is_empty() && plain.len() < 19 && plain.bytes().all(|c| c.is_ascii_digit());
    if digits { problem.help("without quotes").rename(plain) } else { problem }
}

/// The value of an integer, if it fits.
fn number(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}
