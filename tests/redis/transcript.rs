//! Transcripts: what a real server answered once, to check the model where there is none.
//!
//! A file is lines: `+ 5`, the clock moves by 5 ms; `0> GET k`, client 0 sends that; `0< $-1\r\n`,
//! client 0 is sent that. A step's replies follow it, those to other clients among them.

use super::play::{Bench, Heard, PAUSE, Parting};
use super::text::{quoted, shown};
use super::{Step, judge};

/// The longest reply that is recorded.
const LONGEST: usize = 4000;

/// What can be recorded of a session: nothing random, since the model's choice is another.
pub(crate) fn recordable(steps: Vec<Step>) -> Vec<Step> {
    steps.into_iter().filter(|step| !judge::is_random(&step.args[0])).collect()
}

/// The transcript of a session; `None`: a reply is too long.
pub(crate) fn record(bench: &mut Bench, steps: &[Step]) -> Result<Option<String>, Box<Parting>> {
    let (_, heard) = bench.play_and(steps, true)?;
    if heard.iter().filter_map(|line| line.reply.as_ref()).any(|reply| reply.len() > LONGEST) {
        return Ok(None);
    }
    let mut text = String::new();
    for (at, step) in steps.iter().enumerate() {
        if step.wait_ms != 0 {
            text += &format!("+ {}\n", step.wait_ms);
        }
        for line in heard.iter().filter(|line| line.at == at) {
            match &line.reply {
                Some(reply) => text += &format!("{}< {}\n", line.client, quoted(reply)),
                None => {
                    let words = shown(step.client, &step.args);
                    let words = words.split_once(' ').map_or("", |(_, words)| words);
                    text += &format!("{}> {words}\n", step.client);
                }
            }
        }
    }
    Ok(Some(text))
}

/// Plays a transcript on the model; how many replies were compared.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    let (mut steps, mut heard) = (Vec::<Step>::new(), Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let bad = || format!("no line of a transcript: {line}");
        if let Some(ms) = line.strip_prefix("+ ") {
            let wait_ms = ms.parse().map_err(|_| bad())?;
            steps.push(Step { client: 0, wait_ms, args: vec![PAUSE.to_vec()] });
            continue;
        }
        let (head, rest) = line.split_once(' ').ok_or_else(bad)?;
        let kind = head.chars().last().ok_or_else(bad)?;
        let client = head[..head.len() - 1].parse().map_err(|_| bad())?;
        match kind {
            '>' => {
                let args = words(rest).ok_or_else(bad)?;
                steps.push(Step { client, wait_ms: 0, args });
            }
            '<' => {
                let at = steps.len().checked_sub(1).ok_or_else(bad)?;
                let reply = Some(unquoted(rest).ok_or_else(bad)?);
                heard.push(Heard { at, client, reply });
            }
            _ => return Err(bad()),
        }
    }
    Bench::told().hear(&steps, &heard).map_err(|parting| {
        let step = &steps[parting.at];
        format!(
            "step {}, {}: {}\n  model: {}\n  real:  {}",
            parting.at + 1,
            shown(step.client, &step.args),
            parting.what,
            parting.model,
            parting.real
        )
    })
}

/// Words as redis-cli takes them.
fn words(line: &str) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(inner) => {
                let mut end = 0;
                while *inner.as_bytes().get(end)? != b'"' {
                    end += if inner.as_bytes()[end] == b'\\' { 2 } else { 1 };
                }
                (unquoted(&inner[..end])?, &inner[end + 1..])
            }
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (rest.as_bytes()[..end].to_vec(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    Some(words).filter(|words| !words.is_empty())
}

/// The bytes of what [`quoted`] wrote.
fn unquoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (escaped, after) = rest.split_first()?;
        rest = after;
        match escaped {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b'x' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            other => bytes.push(*other),
        }
    }
    Some(bytes)
}
