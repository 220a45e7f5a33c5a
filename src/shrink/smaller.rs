//! What could be smaller in a scenario: which parts can go, and to what values can be lowered. It
//! knows which keys say what a failure is, and leaves those alone; whether the rest can be spared only
//! a run can say.

use super::tree::Node;
use bootrace_sim::choices::Name;
use bootrace_sim::clock::Span;
use bootrace_sim::scenario::{Part, Path, span_range};

/// Numbers that people like, the simplest first.
const NUMBERS: [i64; 10] = [0, 1, 2, 3, 4, 5, 10, 20, 50, 100];

const SECOND: i64 = 1_000_000_000;

/// Lengths of time that people like, the shortest first.
const SPANS: [i64; 22] = [
    0,
    SECOND / 1000,
    SECOND / 100,
    SECOND / 10,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    20 * SECOND,
    30 * SECOND,
    60 * SECOND,
    2 * 60 * SECOND,
    5 * 60 * SECOND,
    10 * 60 * SECOND,
    20 * 60 * SECOND,
    30 * 60 * SECOND,
    3600 * SECOND,
    2 * 3600 * SECOND,
    3 * 3600 * SECOND,
    4 * 3600 * SECOND,
    6 * 3600 * SECOND,
    12 * 3600 * SECOND,
];

/// Whether what stands here says what the failure is, or which run it is: the schedules as they are
/// meant, what is expected of them, when it all begins.
fn is_kept(path: &[Part]) -> bool {
    let keys: Vec<&str> = path
        .iter()
        .map(|part| match part {
            Part::Key(key) => &**key,
            Part::Index(_) => "",
        })
        .collect();
    matches!(
        keys[..],
        ["format" | "name" | "start" | "expect", ..]
            | ["network"]
            | ["network", "mode"]
            | ["schedule", _, _, ..]
            | ["service", _, "without", ..]
    )
}

/// Whether it only says which of several things is meant. Without it a file means what it does for as
/// long as there is but one.
fn says_which(path: &[Part]) -> bool {
    matches!(path, [_, .., Part::Key(key)] if ["service", "schedule", "queue"].contains(&&**key))
}

/// All that can be taken out, the largest first.
pub(super) fn removals(tree: &Node) -> Vec<Path> {
    let mut paths = tree.paths();
    paths.retain(|(path, _)| !is_kept(path) && !says_which(path));
    // The order of the file among equals.
    paths.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    paths.into_iter().map(|(path, _)| path).collect()
}

/// All that can be lowered.
pub(super) fn values(tree: &Node) -> Vec<Path> {
    let paths = tree.paths().into_iter().map(|(path, _)| path);
    paths.filter(|path| !is_kept(path) && tree.get(path).is_some_and(is_lowerable)).collect()
}

fn is_lowerable(node: &Node) -> bool {
    !lower(node).is_empty()
}

/// The lower values that are tried in place of one, the simplest first.
pub(super) fn lower(node: &Node) -> Vec<Node> {
    match node {
        Node::Number(number) => lower_numbers(*number).into_iter().map(Node::Number).collect(),
        Node::Text(text) => {
            let Some((least, most)) = span_range(text) else { return Vec::new() };
            let text = |span: Span| Node::Text(spelled(span));
            if least < most {
                // One length, wherever it lies, is less than a range: nothing is drawn.
                return vec![text(least), text(most)];
            }
            lower_spans(least.nanos())
                .into_iter()
                .map(|nanos| text(Span::from_nanos(nanos)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A length of time as people write it: `59m54s`, and not in one unit alone if it is long.
fn spelled(span: Span) -> String {
    let seconds = span.nanos() / SECOND;
    if span.nanos() % SECOND != 0 || seconds < 60 {
        return span.to_string();
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect()
}

/// Lower numbers, rising.
pub(super) fn lower_numbers(number: i64) -> Vec<i64> {
    let mut lower: Vec<i64> = NUMBERS.into_iter().chain([number / 2, number - 1]).collect();
    lower.retain(|lower| (0..number).contains(lower));
    lower.sort_unstable();
    lower.dedup();
    lower
}

/// Shorter lengths, rising. A half is one of whole seconds, if it can be.
fn lower_spans(nanos: i64) -> Vec<i64> {
    let half = nanos / 2;
    let grain = [3600 * SECOND, 60 * SECOND, SECOND, SECOND / 1000, 1];
    let grain = grain.into_iter().find(|grain| half >= *grain).unwrap_or(1);
    let mut lower: Vec<i64> = SPANS.into_iter().chain([half / grain * grain]).collect();
    lower.retain(|lower| *lower < nanos);
    lower.sort_unstable();
    lower.dedup();
    lower
}

/// The answers when an element of a list has gone: those about what came after it are called otherwise
/// now, and those about itself go with it.
pub(super) fn renumbered(answers: &[(Name, u32)], gone: &[Part]) -> Vec<(Name, u32)> {
    let Some((Part::Index(index), list)) = gone.split_last() else { return answers.to_vec() };
    let Some(word) = word(list) else { return answers.to_vec() };
    let renamed = |(name, answer): &(Name, u32)| {
        let label = without(&name.label, &word, index + 1)?;
        Some((Name { label, ..name.clone() }, *answer))
    };
    answers.iter().filter_map(renamed).collect()
}

/// A label in which numbers after a word count the elements of a list that has lost one.
fn without(label: &str, word: &str, gone: usize) -> Option<String> {
    let Some(start) = label.find(word).map(|at| at + word.len()) else {
        return Some(label.to_owned());
    };
    let rest = &label[start..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[..digits].parse::<usize>() {
        Ok(number) if number == gone => None,
        Ok(number) if number > gone => {
            Some(format!("{}{}{}", &label[..start], number - 1, &rest[digits..]))
        }
        _ => Some(label.to_owned()),
    }
}

/// What stands before the number of a list's element in the words for draws; none if nothing does.
fn word(list: &[Part]) -> Option<String> {
    match list {
        [Part::Key(key)] if &**key == "event" => Some("event ".to_owned()),
        [Part::Key(_), Part::Index(event), Part::Key(edit)] if &**edit == "edit" => {
            Some(format!("event {} step ", event + 1))
        }
        [above @ .., Part::Index(step), Part::Key(_)] => {
            Some(format!("{}{}.", word(above)?, step + 1))
        }
        [above @ .., Part::Key(steps)] if &**steps == "steps" => {
            let keys = above.iter().map(|part| match part {
                Part::Key(key) => Some(&**key),
                Part::Index(_) => None,
            });
            Some(format!("{} step ", keys.collect::<Option<Vec<_>>>()?.join(" ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        let part = |part: &str| part.parse().map_or_else(|_| Part::key(part), Part::Index);
        text.split('/').map(part).collect()
    }

    fn labels(gone: &str, labels: &[&str]) -> Vec<String> {
        let name = |label: &&str| Name::parse(&format!("world draw {label} #0")).expect("a name");
        let answers: Vec<_> = labels.iter().map(|label| (name(label), 1)).collect();
        renumbered(&answers, &path(gone)).into_iter().map(|(name, _)| name.label).collect()
    }

    #[test]
    fn what_comes_after_what_went_is_called_otherwise() {
        let all = ["event 1", "event 2", "pause of event 12", "event 3 step 2"];
        assert_eq!(labels("event/1", &all), ["event 1", "pause of event 11", "event 2 step 2"]);
        assert_eq!(labels("event/2/edit/0", &all), [all[0], all[1], all[2], "event 3 step 1"]);
        let steps = ["job a step 1", "job a step 2", "job b step 2", "addJob"];
        assert_eq!(labels("job/a/steps/0", &steps), ["job a step 1", "job b step 2", "addJob"]);
        let nested = ["release r step 2.1", "release r step 2.3", "release r job j step 3"];
        assert_eq!(
            labels("release/r/steps/1/steps/0", &nested),
            ["release r step 2.2", "release r job j step 3"]
        );
        assert_eq!(labels("release/r/job/j/steps/0", &nested)[2], "release r job j step 2");
        assert_eq!(labels("release/r", &nested), nested);
    }

    #[test]
    fn a_lower_value_is_lower_and_the_simplest_comes_first() {
        let texts = |text: &str| -> Vec<String> {
            let lower = lower(&Node::Text(text.to_owned()));
            lower.iter().map(|node| format!("{node:?}")).collect()
        };
        assert_eq!(texts("20s..2m"), [r#"Text("20s")"#, r#"Text("2m")"#]);
        assert_eq!(texts("0s"), [""; 0]);
        assert_eq!(texts("a job"), [""; 0]);
        assert_eq!(texts("3s").last().map(String::as_str), Some(r#"Text("2s")"#));
        assert_eq!(texts("59m54s..1h")[0], r#"Text("59m54s")"#);
        assert_eq!(texts("36h").last().map(String::as_str), Some(r#"Text("18h")"#));
        assert_eq!(texts("1800ms..2s")[0], r#"Text("1800ms")"#);
        assert_eq!(lower_numbers(43_149), [0, 1, 2, 3, 4, 5, 10, 20, 50, 100, 21_574, 43_148]);
        assert_eq!(lower_numbers(1), [0]);
        assert_eq!(lower_numbers(0), [0_i64; 0]);
        for nanos in [1, 999, 1_500_000, 90 * SECOND, 5_400 * SECOND] {
            assert!(lower_spans(nanos).iter().all(|lower| *lower < nanos));
        }
    }

    #[test]
    fn what_says_what_the_failure_is_stays() {
        let text = include_str!("../../scenarios/free-tier-usage/window-id.toml");
        let tree = Node::read(text).expect("it is TOML");
        let which = Node::read(include_str!("../../scenarios/free-tier-usage/killed-mid-add.toml"));
        let which = removals(&which.expect("it is TOML"));
        assert!(which.contains(&path("event/0")) && !which.contains(&path("event/0/service")));
        assert!(which.contains(&path("queue")));
        for kept in ["name", "schedule/usage/pattern", "expect/0/at_most", "expect/2"] {
            assert!(tree.get(&path(kept)).is_some(), "{kept}");
            assert!(!removals(&tree).contains(&path(kept)), "{kept}");
            assert!(!values(&tree).contains(&path(kept)), "{kept}");
        }
        assert!(removals(&tree).contains(&path("event/0")));
        assert_eq!(removals(&tree)[0], path("release"));
        assert!(values(&tree).contains(&path("service/worker/replicas")));
    }
}
