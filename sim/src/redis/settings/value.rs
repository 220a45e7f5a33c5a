//! The values of settings: what is one, and how it is shown (config.c).

use super::{Kind, events};
use crate::redis::args::{is, parse_float};
use crate::redis::bytes::{Bytes, parse_int};

/// Reads a value as CONFIG SET does; what CONFIG GET will show.
///
/// # Errors
/// It is none: what Redis says of it.
pub(super) fn check(kind: Kind, text: &[u8], before: &Bytes) -> Result<Bytes, String> {
    let shown = |number: i64| Bytes::from_int(number);
    match kind {
        Kind::Bool => match text {
            _ if is(text, "yes") => Ok(Bytes::from("yes")),
            _ if is(text, "no") => Ok(Bytes::from("no")),
            _ => Err("argument must be 'yes' or 'no'".into()),
        },
        Kind::Int(least, most) => {
            let number = parse_int(text).ok_or("argument couldn't be parsed into an integer")?;
            within(number, least, most).map(shown)
        }
        Kind::Memory(least, most) => {
            let number = memory(text).ok_or("argument must be a memory value")?;
            within(number, least, most).map(shown)
        }
        Kind::Percent => percent(text),
        Kind::Octal => Ok(Bytes::from(text)),
        Kind::Word(words) => one_of(words, &[text]),
        Kind::Words(words) => one_of(words, &split(text)),
        Kind::Text => Ok(Bytes::from(text)),
        Kind::Save => save(text),
        Kind::Buffers => buffers(text, before),
        Kind::Oom => {
            let parts = split(text);
            if parts.len() != 3 {
                return Err("wrong number of arguments".into());
            }
            let fits = |part: &&[u8]| parse_int(part).is_some_and(|n| (-2000..=2000).contains(&n));
            if !parts.iter().all(fits) {
                let wrong =
                    "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
                return Err(wrong.into());
            }
            Ok(Bytes::from(parts.join(&b' ')))
        }
        Kind::Events => {
            let wrong = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
            events(text).map(show_events).ok_or_else(|| wrong.into())
        }
        Kind::Percentiles => percentiles(text),
    }
}

fn within(number: i64, least: i64, most: i64) -> Result<i64, String> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("argument must be between {least} and {most} inclusive"))
}

/// A number of bytes with its unit (util.c `memtoull`).
fn memory(text: &[u8]) -> Option<i64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    // No digits at all are nought.
    let number: u64 =
        if digits == 0 { 0 } else { std::str::from_utf8(number).ok()?.parse().ok()? };
    i64::try_from(number.wrapping_mul(unit)).ok().or(Some(i64::MAX))
}

fn percent(text: &[u8]) -> Result<Bytes, String> {
    if let Some(number) = memory(text) {
        return Ok(Bytes::from_int(number));
    }
    let number = text.strip_suffix(b"%").and_then(parse_int).filter(|number| *number >= 0);
    match number.ok_or("argument must be a memory or percent value")? {
        101.. => Err("percentage argument must be less or equal to 100".into()),
        0 => Ok(Bytes::from("0")),
        number => Ok(Bytes::from(format!("{number}%"))),
    }
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b' ').collect()
}

fn one_of(words: &[&str], given: &[&[u8]]) -> Result<Bytes, String> {
    let mut found = Vec::new();
    for word in given {
        let wrong = || format!("argument(s) must be one of the following: {}", words.join(", "));
        found.push(*words.iter().find(|other| is(word, other)).ok_or_else(wrong)?);
    }
    Ok(Bytes::from(found.join(" ")))
}

fn save(text: &[u8]) -> Result<Bytes, String> {
    if text.is_empty() {
        return Ok(Bytes::new());
    }
    let parts = split(text);
    let least = [1, 0].into_iter().cycle();
    let fits = |(part, least): (&&[u8], i64)| parse_int(part).is_some_and(|n| n >= least);
    if !parts.len().is_multiple_of(2) || !parts.iter().zip(least).all(fits) {
        return Err("Invalid save parameters".into());
    }
    Ok(Bytes::from(text))
}

/// The kinds of clients that have limits.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

fn buffers(text: &[u8], before: &Bytes) -> Result<Bytes, String> {
    let wrong = |what: &str| Err(format!("{what} buffer limit configuration."));
    let parts = split(text);
    let (groups, []) = parts.as_chunks::<4>() else { return wrong("Wrong number of arguments in") };
    let shown = |limits: &[i64]| limits.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
    let mut limits: Vec<String> = split(before)
        .chunks(4)
        .map(|group| {
            group[1..]
                .iter()
                .map(|part| String::from_utf8_lossy(part))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    for [class, hard, soft, seconds] in groups {
        let class = if is(class, "replica") { b"slave" } else { *class };
        let Some(place) = CLASSES.iter().position(|name| is(class, name)) else {
            return wrong("Invalid client class specified in");
        };
        let seconds = parse_int(seconds).filter(|seconds| *seconds >= 0);
        let (Some(hard), Some(soft), Some(seconds)) = (memory(hard), memory(soft), seconds) else {
            return wrong("Error in hard, soft or soft_seconds setting in");
        };
        limits[place] = shown(&[hard, soft, seconds]);
    }
    let all = CLASSES.iter().zip(&limits).map(|(class, limits)| format!("{class} {limits}"));
    Ok(Bytes::from(all.collect::<Vec<_>>().join(" ")))
}

/// The hard limits of a client and of a subscriber.
pub(super) fn hard_limits(shown: &Bytes) -> (usize, usize) {
    let parts = split(shown);
    let hard = |class: usize| {
        let limit = parts.get(4 * class + 1).and_then(|part| parse_int(part)).unwrap_or_default();
        usize::try_from(limit).unwrap_or_default()
    };
    (hard(0), hard(2))
}

/// Classes of events by their letters (notify.c).
pub(super) fn events(text: &[u8]) -> Option<u16> {
    let mut bits = text.iter().map(|letter| match letter {
        b'A' => Some(events::ALL),
        other => events::LETTERS.iter().find(|(known, _)| known == other).map(|(_, bit)| *bit),
    });
    bits.try_fold(0, |all, bit| Some(all | bit?))
}

fn show_events(bits: u16) -> Bytes {
    let all = bits & events::ALL == events::ALL;
    let mut text = Vec::new();
    if all {
        text.push(b'A');
    }
    for (letter, bit) in events::LETTERS {
        // Redis shows no `n` beside an `A`.
        let in_all = (bit & events::ALL != 0 || letter == b'n') && all;
        if bits & bit != 0 && !in_all {
            text.push(letter);
        }
    }
    Bytes::from(text)
}

fn percentiles(text: &[u8]) -> Result<Bytes, String> {
    if text.is_empty() {
        return Ok(Bytes::new());
    }
    for part in split(text) {
        let number = parse_float(part).filter(|number| !number.is_nan());
        let number = number.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&number) {
            let wrong =
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
            return Err(wrong.into());
        }
    }
    Ok(Bytes::from(text))
}
