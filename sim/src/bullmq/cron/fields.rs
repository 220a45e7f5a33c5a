//! The text of a cron pattern, read as cron-parser 4.9.0 reads it; and what both dialects share.
//!
//! It refuses what that refuses, with its words, and takes what that takes, including what was
//! hardly meant: `5*` in the minutes is 50-59, an empty pattern is every minute. Where a test
//! there works on a list with repeats in it (`length === 24`), the length is kept here.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use crate::civil::{Date, days_in_month};

/// Why a pattern with an `H` is refused.
pub(super) const HASHED: &str =
    "H stands for a value that is drawn anew whenever the pattern is read";

/// Why a pattern is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronError {
    pub(super) message: String,
    pub(super) span: Range<usize>,
    pub(super) field: Option<&'static str>,
}

impl CronError {
    /// The message of the `Error` that cron-parser throws; there is one of ours besides
    /// ([`CronError::is_hash`]).
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes of the pattern that are wrong: one field, or the fields too many.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The name of the wrong field, as in cron-parser: `second`, `minute`, `hour`, `dayOfMonth`,
    /// `month`, `dayOfWeek`; `None` if there are too many.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// Whether it is the one that is ours: an `H` in the dialect of cron-parser 5.10.3.
    #[must_use]
    pub fn is_hash(&self) -> bool {
        self.message == HASHED
    }
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CronError {}

/// What a pattern says, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) months: u64,
    pub(super) month_days: u64,
    pub(super) weekdays: u64,
    /// Whether the hours are a list of 24, which is when cron-parser minds no daylight saving.
    pub(super) all_hours: bool,
    /// `L` in the days of the month.
    pub(super) last_day: bool,
    /// The weekdays of entries such as `5L`; in 5.10.3, of all entries beside one with an `L`.
    pub(super) last_weekdays: u64,
    /// The number after `#`; 0 if it is a number that no weekday ever is.
    pub(super) nth: Option<u8>,
    pub(super) rule: Rule,
}

/// How the two fields of days come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// cron-parser 4.9.0: what counts is how long the lists are.
    V4 {
        /// The length of the list of days of the month, where an `L` counts too.
        month_days_len: usize,
        /// Whether the list of weekdays has 8 entries, as that of `*` has.
        any_weekday: bool,
        /// An entry such as a bare `L` in the weekdays, which is taken but throws when it is met.
        bad_last: Option<String>,
        /// Whether that entry is met before the good ones.
        bad_last_first: bool,
    },
    /// cron-parser 5.10.3: what counts is whether a field is `*` or `?` and nothing else.
    V5 { any_date: bool, any_weekday: bool },
}

impl Fields {
    /// The seconds, bit n for second n.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// The minutes, bit n for minute n.
    #[must_use]
    pub fn minutes(&self) -> u64 {
        self.minutes
    }

    /// The hours, bit n for hour n.
    #[must_use]
    pub fn hours(&self) -> u64 {
        self.hours
    }

    /// The months, bit 1 for January to bit 12.
    #[must_use]
    pub fn months(&self) -> u64 {
        self.months
    }

    /// Whether the hour field leaves every hour allowed, each once (`*`, `0-23`).
    #[must_use]
    pub fn any_hour(&self) -> bool {
        self.all_hours
    }

    /// Whether the two day fields allow a date that falls on a weekday (0 is Sunday), whatever
    /// its month; `None` where cron-parser throws (see [`Fields::bad_last`]).
    ///
    /// Both fields restricted means either will do. cron-parser 4.9.0: a field is unrestricted if
    /// its list is as long as that of `*`, and a `#` must hold always. 5.10.3: it is if it is `*`
    /// or `?`, and a `#` is about the weekdays before it.
    #[must_use]
    pub fn allows_day(&self, date: Date, weekday: u8) -> Option<bool> {
        let length = days_in_month(date.year, date.month);
        let by_date = has(self.month_days, date.day) || (self.last_day && date.day == length);
        let nth = self.nth.is_none_or(|nth| date.day.div_ceil(7) == nth);
        let in_last_week = date.day + 7 > length;
        let (any_date, any_weekday) = match self.rule {
            Rule::V5 { any_date, any_weekday } => (any_date, any_weekday),
            Rule::V4 { month_days_len, any_weekday, .. } => {
                let by_weekday = has(self.weekdays, weekday)
                    || (self.has_last() && self.is_last(weekday, in_last_week)?);
                // cron-parser 4.9.0 counts 29 days in every February here.
                let longest = days_in_month(2000, date.month);
                let any_date = month_days_len >= usize::from(longest);
                let neither = !by_date && (!by_weekday || any_weekday);
                let other_weekday = any_date && !any_weekday && !by_weekday;
                return Some(!neither && !other_weekday && nth);
            }
        };
        let by_weekday = (has(self.weekdays, weekday) && nth)
            || (in_last_week && has(self.last_weekdays, weekday));
        Some(match (any_date, any_weekday) {
            (_, true) => by_date,
            (true, false) => by_weekday,
            (false, false) => by_date || by_weekday,
        })
    }

    /// The entry of the weekdays at which cron-parser throws when it searches: a bare `L`, which
    /// 5.10.3 refuses at once.
    #[must_use]
    pub fn bad_last(&self) -> Option<&str> {
        match &self.rule {
            Rule::V4 { bad_last, .. } => bad_last.as_deref(),
            Rule::V5 { .. } => None,
        }
    }

    fn has_last(&self) -> bool {
        self.last_weekdays != 0 || self.bad_last().is_some()
    }

    /// Whether an entry such as `5L` allows the day; `None` if a bad one is met on the way.
    fn is_last(&self, weekday: u8, last_week: bool) -> Option<bool> {
        if matches!(self.rule, Rule::V4 { bad_last_first: true, .. }) {
            return None;
        }
        if last_week && has(self.last_weekdays, weekday) {
            return Some(true);
        }
        self.bad_last().is_none().then_some(false)
    }

    /// Reads a pattern as cron-parser 4.9.0 does.
    pub(super) fn parse(pattern: &str) -> Result<Fields, CronError> {
        let text = match pattern {
            "@yearly" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let words = words(text);
        if let Some(extra) = words.get(6) {
            let end = words.last().map_or(extra.end, |last| last.end);
            return Err(CronError {
                message: "Invalid cron expression".to_owned(),
                span: extra.start..end,
                field: None,
            });
        }
        let missing = 6 - words.len();
        let mut nth = None;
        let mut lists: [List; 6] = Default::default();
        for (index, field) in FIELDS.iter().enumerate() {
            let word = index.checked_sub(missing).map(|at| words[at].clone());
            let value = word.clone().map_or("", |span| &text[span]);
            let list = match value {
                "" => field.list(field.default),
                _ if field.name == "dayOfWeek" => {
                    nth_weekday(value, &mut nth).and_then(|value| field.list(value))
                }
                _ => field.list(value),
            };
            lists[index] = list.map_err(|message| CronError {
                message,
                span: word.unwrap_or_default(),
                field: Some(field.name),
            })?;
        }
        let [seconds, minutes, hours, mut days, months, weekdays] = lists;
        days.keep_to_month(&months).map_err(|message| CronError {
            message,
            // Only a day that was written can be too large.
            span: words.get(3 - missing.min(3)).cloned().unwrap_or_default(),
            field: Some("dayOfMonth"),
        })?;
        Ok(Fields {
            seconds: seconds.bits(),
            minutes: minutes.bits(),
            hours: hours.bits(),
            months: months.bits(),
            month_days: days.bits(),
            weekdays: weekdays.bits(),
            all_hours: hours.len() == 24,
            last_day: !days.texts.is_empty(),
            last_weekdays: weekdays.last_weekdays(),
            nth,
            rule: Rule::V4 {
                month_days_len: days.len(),
                any_weekday: weekdays.len() == 8,
                bad_last: weekdays.bad_last().map(str::to_owned),
                bad_last_first: weekdays.bad_last().is_some_and(|text| text.starts_with('?')),
            },
        })
    }
}

/// Whether bit `at` is set.
pub(super) fn has(bits: u64, at: u8) -> bool {
    at < 64 && bits >> at & 1 == 1
}

/// One of the six fields: its name in cron-parser, its range, and what a missing one means.
struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    default: &'static str,
    /// The characters it may have besides digits, after names are numbers.
    marks: &'static str,
    names: &'static [&'static str],
    first_name: usize,
}

pub(super) const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
pub(super) const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 6] = [
    Field::new("second", 0, 59, "0"),
    Field::new("minute", 0, 59, "*"),
    Field::new("hour", 0, 23, "*"),
    Field { marks: "?,*L/-", ..Field::new("dayOfMonth", 1, 31, "*") },
    Field { names: &MONTHS, first_name: 1, ..Field::new("month", 1, 12, "*") },
    Field { marks: "?,*L#/-", names: &WEEKDAYS, ..Field::new("dayOfWeek", 0, 7, "*") },
];

/// What one entry of a list comes to.
enum Entry {
    Many(Vec<u8>),
    Number(f64),
    Text(String),
}

impl Field {
    const fn new(name: &'static str, min: u8, max: u8, default: &'static str) -> Field {
        Field { name, min, max, default, marks: ",*/-", names: &[], first_name: 0 }
    }

    fn list(&self, value: &str) -> Result<List, String> {
        let number_of = |name: &str| {
            let number = self.names.iter().position(|known| *known == name)?;
            Some(number + self.first_name)
        };
        let value =
            if self.names.is_empty() { value.to_owned() } else { without_names(value, number_of)? };
        let allowed = |c: char| c.is_ascii_digit() || self.marks.contains(c);
        if value.is_empty() || !value.chars().all(allowed) {
            return Err(format!("Invalid characters, got value: {value}"));
        }
        let whole = format!("{}-{}", self.min, self.max);
        // cron-parser 4.9.0: a `?` beside a `*` is not replaced, and fails later.
        let wild = if value.contains('*') { '*' } else { '?' };
        let value = value.replace(wild, &whole);
        if value.split(',').any(str::is_empty) {
            return Err("Invalid list value format".to_owned());
        }
        let mut list = List::default();
        for entry in value.split(',') {
            match self.entry(entry)? {
                Entry::Many(numbers) => list.numbers.extend(numbers),
                Entry::Text(text) if self.marks.contains('L') && text.contains('L') => {
                    list.texts.push(text);
                }
                Entry::Text(text) => return Err(self.out_of_range(&text)),
                Entry::Number(number) if self.outside(number) || number.is_nan() => {
                    return Err(self.out_of_range(&js_number(number)));
                }
                Entry::Number(number) if self.max == 7 => list.numbers.push(number as u8 % 7),
                Entry::Number(number) => list.numbers.push(number as u8),
            }
        }
        Ok(list)
    }

    /// An entry of a list: `a`, `a-b`, either of them with `/n`.
    fn entry(&self, text: &str) -> Result<Entry, String> {
        let Some((base, step)) = text.split_once('/') else {
            return self.range(text, 1.0);
        };
        if step.contains('/') {
            return Err(format!("Invalid repeat: {text}"));
        }
        if to_number(base).is_nan() {
            self.range(base, to_number(step))
        } else {
            // `/5` comes here too, as `-59`: an empty string is 0 to JavaScript.
            self.range(&format!("{base}-{}", self.max), to_number(step))
        }
    }

    fn range(&self, text: &str, step: f64) -> Result<Entry, String> {
        let mut parts = text.split('-');
        let (Some(from), Some(to)) = (parts.next(), parts.next()) else {
            let number = to_number(text);
            return Ok(if number.is_nan() {
                Entry::Text(text.to_owned())
            } else {
                Entry::Number(number)
            });
        };
        if from.is_empty() && to.is_empty() {
            return Err(format!("Invalid range: {text}"));
        }
        if from.is_empty() {
            return Ok(Entry::Number(to_number(text)));
        }
        let (min, max) = (to_number(from), to_number(to));
        if min.is_nan() || max.is_nan() || min < self.min.into() || max > self.max.into() {
            return Err(format!(
                "Constraint error, got range {}-{} expected range {}-{}",
                js_number(min),
                js_number(max),
                self.min,
                self.max
            ));
        }
        if min > max {
            return Err(format!("Invalid range: {text}"));
        }
        if step.is_nan() || step <= 0.0 {
            let step = js_number(step);
            return Err(format!("Constraint error, cannot repeat at every {step} time."));
        }
        Ok(Entry::Many(self.every(min as u8, max as u8, step)))
    }

    /// The numbers of a range, with a step.
    ///
    /// cron-parser 4.9.0 counts with a number that starts at the step; that is kept, since the
    /// step may be too large for an integer, and the Sunday put first counts without being taken.
    fn every(&self, min: u8, max: u8, step: f64) -> Vec<u8> {
        let mut numbers = Vec::new();
        if self.max == 7 && max.is_multiple_of(7) {
            numbers.push(0);
        }
        let mut count = step;
        for number in min..=max {
            if !numbers.contains(&number) && count % step == 0.0 {
                count = 1.0;
                numbers.push(number);
            } else {
                count += 1.0;
            }
        }
        numbers
    }

    fn outside(&self, number: f64) -> bool {
        number < self.min.into() || number > self.max.into()
    }

    fn out_of_range(&self, value: &str) -> String {
        let (min, max) = (self.min, self.max);
        format!("Constraint error, got value {value} expected range {min}-{max}")
    }
}

/// The list a field stands for, repeats kept.
#[derive(Default)]
struct List {
    numbers: Vec<u8>,
    /// Entries with an `L`.
    texts: Vec<String>,
}

impl List {
    fn len(&self) -> usize {
        self.numbers.len() + self.texts.len()
    }

    fn bits(&self) -> u64 {
        self.numbers.iter().fold(0, |bits, &n| bits | 1 << n)
    }

    /// Drops the days that a lone month does not have, or says that none is left.
    fn keep_to_month(&mut self, months: &List) -> Result<(), String> {
        let [month] = months.numbers[..] else {
            return Ok(());
        };
        let length = days_in_month(2000, month);
        let all_too_large = self.numbers.iter().all(|&day| day > length);
        if self.texts.is_empty() && !self.numbers.is_empty() && all_too_large {
            return Err("Invalid explicit day of month definition".to_owned());
        }
        self.numbers.retain(|&day| day <= length);
        self.texts.retain(|text| text == "L");
        Ok(())
    }

    /// The weekdays of the entries that begin with a digit.
    fn last_weekdays(&self) -> u64 {
        let digits = self.texts.iter().filter_map(|text| text.bytes().next());
        digits.filter(u8::is_ascii_digit).fold(0, |bits, digit| bits | 1 << ((digit - b'0') % 7))
    }

    /// The first entry, in the order of JavaScript's `localeCompare`, that begins with no digit:
    /// `?` sorts before the digits, `L` after them.
    fn bad_last(&self) -> Option<&str> {
        let bad = |text: &&String| !text.starts_with(|c: char| c.is_ascii_digit());
        self.texts.iter().filter(bad).min().map(String::as_str)
    }
}

/// The value with each run of three letters made the number that it names.
pub(super) fn without_names(
    value: &str,
    number_of: impl Fn(&str) -> Option<usize>,
) -> Result<String, String> {
    let mut rest = value;
    let mut out = String::with_capacity(value.len());
    while let Some(first) = rest.chars().next() {
        let letters = rest.get(..3).filter(|three| three.bytes().all(|b| b.is_ascii_alphabetic()));
        let Some(three) = letters else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let name = three.to_ascii_lowercase();
        let Some(number) = number_of(&name) else {
            return Err(format!("Validation error, cannot resolve alias \"{name}\""));
        };
        out.push_str(&number.to_string());
        rest = &rest[3..];
    }
    Ok(out)
}

/// The weekday before a `#`; the number after it goes to `nth`.
pub(super) fn nth_weekday<'a>(value: &'a str, nth: &mut Option<u8>) -> Result<&'a str, String> {
    let Some((weekday, number)) = value.split_once('#') else {
        return Ok(value);
    };
    for mark in [',', '/', '-'] {
        if value.contains(mark) {
            return Err(format!(
                "Constraint error, invalid dayOfWeek `#` and `{mark}` special characters are \
                 incompatible"
            ));
        }
    }
    let number = to_number(number);
    if !(1.0..=5.0).contains(&number) {
        return Err("Constraint error, invalid dayOfWeek occurrence number (#)".to_owned());
    }
    // `1#2.5` is accepted, and never matches.
    *nth = Some(if number.fract() == 0.0 { number as u8 } else { 0 });
    Ok(weekday)
}

/// The words of a text, as byte ranges; one empty word if it has none, as JavaScript's
/// `trim().split(/\s+/)` gives.
pub(super) fn words(text: &str) -> Vec<Range<usize>> {
    // JavaScript's white space is Unicode's, but for U+0085, and with the byte order mark.
    let blank = |c: char| (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}';
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        match (blank(c), start) {
            (true, Some(from)) => {
                words.push(from..at);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    if let Some(from) = start {
        words.push(from..text.len());
    }
    if words.is_empty() {
        words.push(0..0);
    }
    words
}

/// JavaScript's `Number(text)`, for a text without white space.
pub(super) fn to_number(text: &str) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        let (lower, upper) = (prefix, prefix.to_ascii_uppercase());
        if let Some(digits) = text.strip_prefix(lower).or(text.strip_prefix(&*upper)) {
            return radix_number(digits, radix);
        }
    }
    // Rust also takes `inf` and `nan`; JavaScript's `Infinity` is out of every range.
    let decimal = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let number = if decimal { text.parse().ok() } else { None };
    number.unwrap_or(f64::NAN)
}

fn radix_number(digits: &str, radix: u32) -> f64 {
    let add = |sum: f64, c: char| c.to_digit(radix).map(|d| sum * f64::from(radix) + f64::from(d));
    let sum = digits.chars().try_fold(0.0, add);
    sum.filter(|_| !digits.is_empty()).unwrap_or(f64::NAN)
}

/// JavaScript's `String(number)`, for an integer, an infinity or NaN.
pub(super) fn js_number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number.is_infinite() {
        return if number < 0.0 { "-Infinity" } else { "Infinity" }.to_owned();
    }
    if number.abs() >= 1e21 {
        return format!("{number:e}").replace('e', "e+");
    }
    format!("{number}")
}
