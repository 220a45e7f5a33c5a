//! The text of a cron pattern, read as cron-parser 5.10.3 reads it.
//!
//! It refuses what that refuses, with its words, and takes what that takes: `1L-5` in the days of
//! the month is 1-5 and the last one, `jan` a Monday. One thing more is refused: an `H`, which
//! stands for another value at each reading unless there is a `hashSeed`, and BullMQ's users can
//! give none that its types know.

use std::ops::Range;

use super::fields::{
    CronError, Fields, HASHED, MONTHS, Rule, WEEKDAYS, js_number, nth_weekday, to_number,
    without_names, words,
};
use crate::civil::days_in_month;

/// cron-parser 5.10.3: `MAX_EXPRESSION_LENGTH`, in units of UTF-16.
const LONGEST: usize = 1_024;

/// cron-parser 5.10.3: `MAX_FIELD_VALUES`.
const MOST_VALUES: usize = 256;

/// One of the six fields: its names in cron-parser, its range, and what a missing one means.
struct Field {
    name: &'static str,
    unit: &'static str,
    min: u8,
    max: u8,
    default: &'static str,
    /// The characters it may have besides digits, after names are numbers.
    marks: &'static str,
}

const fn field(
    (name, unit): (&'static str, &'static str),
    (min, max): (u8, u8),
    default: &'static str,
) -> Field {
    Field { name, unit, min, max, default, marks: "?,*/-" }
}

const FIELDS: [Field; 6] = [
    field(("second", "Second"), (0, 59), "0"),
    field(("minute", "Minute"), (0, 59), "*"),
    field(("hour", "Hour"), (0, 23), "*"),
    Field { marks: "?,*L/-", ..field(("dayOfMonth", "DayOfMonth"), (1, 31), "*") },
    field(("month", "Month"), (1, 12), "*"),
    Field { marks: "?,*L#/-", ..field(("dayOfWeek", "DayOfWeek"), (0, 7), "*") },
];

const DAYS: usize = 3;
const MONTH: usize = 4;
const WEEKDAY: usize = 5;

/// The order in which the fields are read.
const READ: [usize; 6] = [0, 1, 2, MONTH, DAYS, WEEKDAY];

/// An entry of a field's list.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    /// Digits with an `L`.
    Last(String),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Value::Number(number) => js_number(*number),
            Value::Last(text) => text.clone(),
        }
    }
}

/// `CronExpressionParser.parse`.
pub(super) fn parse(pattern: &str) -> Result<Fields, CronError> {
    let whole = |message: String, span: Range<usize>| CronError { message, span, field: None };
    let text = match pattern {
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        "@monthly" => "0 0 0 1 * *",
        "@weekly" => "0 0 0 * * 0",
        "@daily" => "0 0 0 * * *",
        "@hourly" => "0 0 * * * *",
        "@minutely" | "" => "0 * * * * *",
        "@secondly" => "* * * * * *",
        "@weekdays" => "0 0 0 * * 1-5",
        "@weekends" => "0 0 0 * * 0,6",
        other => other,
    };
    if text.encode_utf16().count() > LONGEST {
        let message =
            format!("Invalid cron expression, too long, expected at most {LONGEST} characters");
        return Err(whole(message, 0..pattern.len()));
    }
    let words = words(text);
    if let Some(extra) = words.get(6) {
        let end = words.last().map_or(extra.end, |last| last.end);
        let message = "Invalid cron expression, too many fields".to_owned();
        return Err(whole(message, extra.start..end));
    }
    let missing = 6 - words.len();
    let word = |at: usize| at.checked_sub(missing).map(|at| words[at].clone());
    let raw = |at: usize| word(at).map_or(FIELDS[at].default, |span| &text[span]);
    let fault = |at: usize| {
        move |message| CronError {
            message,
            // Only what was written can be wrong, and a pattern of blanks is wrong as a whole.
            span: word(at).filter(|span| span.end <= pattern.len()).unwrap_or_default(),
            field: Some(FIELDS[at].name),
        }
    };
    let mut nth = None;
    let mut lists: [Vec<Value>; 6] = Default::default();
    for at in READ {
        let value = match at {
            WEEKDAY => nth_weekday_in_order(raw(at), &mut nth).map_err(fault(at))?,
            _ => raw(at),
        };
        lists[at] = FIELDS[at].list(value).map_err(fault(at))?;
    }
    // `CronDayOfMonth.fromMonth`: a lone month drops the days that it has not, if some are left.
    let lone_month = match lists[MONTH][..] {
        [Value::Number(month)] => Some(month),
        _ => None,
    };
    let length = lone_month.map(|month| f64::from(days_in_month(2000, month as u8)));
    if let Some(length) = length {
        let fits = |value: &&Value| !matches!(value, Value::Number(day) if *day > length);
        let kept: Vec<Value> = lists[DAYS].iter().filter(fits).cloned().collect();
        if !kept.is_empty() {
            lists[DAYS] = kept;
        }
    }
    for (at, list) in lists.iter_mut().enumerate() {
        FIELDS[at].check(list).map_err(fault(at))?;
    }
    let wild = |at: usize| matches!(raw(at), "*" | "?");
    let last = |at: usize| raw(at).contains('L');
    let never = match (&lists[DAYS][0], length) {
        (Value::Number(first), Some(length)) => *first > length,
        _ => false,
    };
    if never && !last(DAYS) && wild(WEEKDAY) {
        return Err(fault(DAYS)("Invalid explicit day of month definition".to_owned()));
    }
    let last_weekdays = if last(WEEKDAY) { last_weekdays(&lists[WEEKDAY]) } else { 0 };
    let [seconds, minutes, hours, month_days, months, weekdays] = lists.map(|list| bits(&list));
    Ok(Fields {
        seconds,
        minutes,
        hours,
        months,
        month_days,
        weekdays,
        all_hours: hours.count_ones() == 24,
        last_day: last(DAYS),
        last_weekdays,
        nth,
        rule: Rule::V5 { any_date: wild(DAYS), any_weekday: wild(WEEKDAY) },
    })
}

/// `#parseNthDay`: as in 4.9.0, but of several marks beside a `#` the first is named.
fn nth_weekday_in_order<'a>(value: &'a str, nth: &mut Option<u8>) -> Result<&'a str, String> {
    let mark = value.find([',', '-', '/']).map(|at| &value[at..=at]);
    match mark {
        Some(mark) if value.contains('#') => Err(format!(
            "Constraint error, invalid dayOfWeek `#` and `{mark}` special characters are \
             incompatible"
        )),
        _ => nth_weekday(value, nth),
    }
}

/// The number that a name stands for, in either field that has names.
fn number_of(name: &str) -> Option<usize> {
    let place = |names: &[&str]| names.iter().position(|known| *known == name);
    place(&MONTHS).map(|month| month + 1).or_else(|| place(&WEEKDAYS))
}

fn bits(list: &[Value]) -> u64 {
    list.iter().fold(0, |bits, value| match value {
        Value::Number(number) => bits | 1 << *number as u8,
        Value::Last(_) => bits,
    })
}

/// `#isLastWeekdayOfMonthMatch`: beside an entry with an `L`, the others count as if they had one.
fn last_weekdays(list: &[Value]) -> u64 {
    let first = |value: &Value| value.text().bytes().next().filter(u8::is_ascii_digit);
    list.iter().filter_map(first).fold(0, |bits, digit| bits | 1 << ((digit - b'0') % 7))
}

impl Field {
    /// `#parseField` with `#parseSequence`.
    fn list(&self, value: &str) -> Result<Vec<Value>, String> {
        let named = matches!(self.name, "month" | "dayOfWeek");
        let value = if named { without_names(value, number_of)? } else { value.to_owned() };
        if value.contains('H') {
            return Err(HASHED.to_owned());
        }
        let allowed = |c: char| c.is_ascii_digit() || self.marks.contains(c);
        if value.is_empty() || !value.chars().all(allowed) {
            return Err(format!("Invalid characters, got value: {value}"));
        }
        let value = value.replace(['*', '?'], &format!("{}-{}", self.min, self.max));
        let mut list = Vec::new();
        for entry in value.split(',') {
            if list.len() > MOST_VALUES {
                return Err(format!(
                    "Constraint error, too many values in {} field, expected at most {MOST_VALUES}",
                    self.unit
                ));
            }
            if entry.is_empty() {
                return Err("Invalid list value format".to_owned());
            }
            self.entry(entry, &mut list)?;
        }
        Ok(list)
    }

    /// `#parseRepeat`: `a`, `a-b`, either of them with `/n`.
    fn entry(&self, text: &str, list: &mut Vec<Value>) -> Result<(), String> {
        let Some((base, step)) = text.split_once('/') else {
            if text.contains('-') {
                return self.range(text, 1.0, list);
            }
            list.push(self.value(text)?);
            return Ok(());
        };
        if step.contains('/') {
            return Err(format!("Invalid repeat: {text}"));
        }
        if base.contains('-') {
            self.range(base, parse_int(step), list)
        } else {
            self.range(&format!("{base}-{}", self.max), parse_int(step), list)
        }
    }

    fn value(&self, text: &str) -> Result<Value, String> {
        if text.contains('L') {
            return Ok(Value::Last(text.to_owned()));
        }
        let number = to_number(text);
        // What is looked at is the text of the number, and the first digit of 1e+21 is in range.
        let seen = parse_int(&js_number(number));
        let (min, max) = (f64::from(self.min), f64::from(self.max));
        if !(min..=max).contains(&seen) {
            let value = js_number(number);
            return Err(format!("Constraint error, got value {value} expected range {min}-{max}"));
        }
        Ok(Value::Number(if self.max == 7 { seen % 7.0 } else { number }))
    }

    /// `#parseRange`; what follows a second dash is not looked at.
    fn range(&self, text: &str, step: f64, list: &mut Vec<Value>) -> Result<(), String> {
        let mut ends = text.split('-').map(parse_int);
        let (min, max) = (ends.next().unwrap_or(f64::NAN), ends.next().unwrap_or(f64::NAN));
        let (from, to) = (js_number(min), js_number(max));
        let inside = min >= f64::from(self.min) && max <= f64::from(self.max);
        if !inside {
            return Err(format!(
                "Constraint error, got range {from}-{to} expected range {}-{}",
                self.min, self.max
            ));
        }
        if min > max {
            return Err(format!("Invalid range: {from}-{to}, min({from}) > max({to})"));
        }
        if step.is_nan() || step <= 0.0 {
            let step = js_number(step);
            return Err(format!("Constraint error, cannot repeat at every {step} time."));
        }
        let begin = list.len();
        if self.max == 7 && max % 7.0 == 0.0 && (max - min) % step == 0.0 {
            list.push(Value::Number(0.0));
        }
        let mut number = min;
        while number <= max {
            if !list[begin..].contains(&Value::Number(number)) {
                list.push(Value::Number(number));
            }
            number += step;
        }
        Ok(())
    }

    /// The constructor of `CronField`: sorts the list, and refuses repeats.
    fn check(&self, list: &mut [Value]) -> Result<(), String> {
        list.sort_by(|a, b| match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
            (Value::Last(a), Value::Last(b)) => a.cmp(b),
            (Value::Number(_), Value::Last(_)) => std::cmp::Ordering::Less,
            (Value::Last(_), Value::Number(_)) => std::cmp::Ordering::Greater,
        });
        let (min, max, unit) = (self.min, self.max, self.unit);
        let good = |value: &Value| match value {
            Value::Number(number) => (f64::from(min)..=f64::from(max)).contains(number),
            Value::Last(text) => {
                let digits = text.strip_suffix('L').unwrap_or("L");
                digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit())
            }
        };
        if let Some(bad) = list.iter().find(|value| !good(value)) {
            let chars = if self.marks.contains('L') { " or chars L" } else { "" };
            let bad = bad.text();
            return Err(format!(
                "Cron{unit} Validation error, got value {bad} expected range {min}-{max}{chars}"
            ));
        }
        // Sorted, equal values are neighbours.
        if let Some([again, _]) = list.windows(2).find(|pair| pair[0] == pair[1]) {
            let again = again.text();
            return Err(format!("Cron{unit} Validation error, duplicate values found: {again}"));
        }
        if self.max == 7 && list.contains(&Value::Last("L".to_owned())) {
            return Err(format!("Cron{unit} Validation error, unexpected standalone L"));
        }
        Ok(())
    }
}

/// JavaScript's `parseInt(text, 10)`: the number that a text begins with. The marks of a pattern
/// have no `+` and no white space.
fn parse_int(text: &str) -> f64 {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let size = digits[..end].parse().unwrap_or(f64::NAN);
    if digits.len() < text.len() { -size } else { size }
}
