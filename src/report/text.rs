//! Reports as text for people: the same bytes for the same runs, the verdict and the line to repeat
//! it last. It asks no terminal for its width.

use super::diagnostic::escaped;
use super::{
    Expected, Report, Status, Stuck, Swarm, Unit, Verdict, alerts, compare as several, swept,
};
use bootrace_sim::clock::Span;
use bootrace_sim::policy::Kind;
use std::fmt::Write as _;

/// The kind of an expectation that something happens.
pub(super) const PROBE: &str = "sometimes";

/// The report on one scenario.
pub fn run(report: &Report) -> String {
    let file = escaped(&report.file);
    let mut text = format!("{}\n{file}, {}\n\n", report.scenario, seeds(report));
    for expected in &report.expectations {
        text.push_str(&expectation(expected));
    }
    if let Some(stuck) = &report.stuck {
        let of = report.seeds.1 - report.seeds.0 + 1;
        let Stuck { seeds, first, why } = stuck;
        let _ = writeln!(text, "  stuck   in {seeds}/{of} seeds; seed {first}: {why}");
    }
    for Swarm { class, off, mild, wild } in &report.swarm {
        let _ = writeln!(text, "  swarm   {class}: off in {off}, mild in {mild}, wild in {wild}");
    }
    if !report.alerts.is_empty() {
        text.push_str("\nalerts\n");
    }
    report.alerts.iter().for_each(|alert| text.push_str(&alerts::line(alert)));
    if let Some(story) = story(report) {
        let _ = write!(text, "\n{story}");
    }
    text.push_str("\n                          median        least         most\n");
    for figure in &report.figures {
        let numbers = [figure.median, figure.least, figure.most].map(grouped);
        let [median, least, most] = numbers;
        let _ = write!(text, "  {:<18}{median:>14}{least:>13}{most:>13}", figure.name);
        let varies = figure.least != figure.most;
        let seed = if varies { format!("   (seed {})", figure.most_seed) } else { String::new() };
        let _ = writeln!(text, "{seed}");
    }
    let _ = write!(text, "\n{}", verdict(report));
    text
}

/// The report on several scenarios that were played on the same seeds. The last one is what counts.
pub fn compare(reports: &[Report]) -> String {
    let Some((first, last)) = reports.first().zip(reports.last()) else {
        return String::new();
    };
    if reports.len() > 2 {
        return several::many(reports);
    }
    let mut text = format!("{}, each seed a pair\n", seeds(first));
    for (place, report) in reports.iter().enumerate() {
        let file = escaped(&report.file);
        let _ = writeln!(text, "  {}  {}  ({file})", letter(place), report.scenario);
    }
    let _ = writeln!(text, "\n{}", compare_heading(reports.len()));
    for (place, figure) in first.figures.iter().enumerate() {
        if reports.iter().all(|report| report.figures[place].most == 0) {
            continue;
        }
        let _ = write!(text, "  {:<18}", figure.name);
        for report in reports {
            let figure = &report.figures[place];
            let range = match figure.least == figure.most {
                true => grouped(figure.median),
                false => format!(
                    "{} ({}..{})",
                    grouped(figure.median),
                    grouped(figure.least),
                    grouped(figure.most)
                ),
            };
            let _ = write!(text, "{range:>28}");
        }
        let _ = writeln!(text, "   {}", pairing(&figure.values, &last.figures[place].values));
    }
    for (place, report) in reports.iter().enumerate().skip(1) {
        text.push_str(&against(first, report, letter(place)));
    }
    for (place, report) in reports.iter().enumerate() {
        let _ = writeln!(text, "\n{}  {}", letter(place), report.scenario);
        for expected in &report.expectations {
            text.push_str(&expectation(expected));
        }
    }
    // What still fails is told; if nothing does, what failed before.
    let told = reports.iter().enumerate().rev().find_map(|(place, report)| {
        Some(format!("\n{}  {}", letter(place), story(report)?.trim_start()))
    });
    let _ = write!(text, "{}", told.unwrap_or_default());
    let _ = write!(text, "\n{}", ended(last));
    text
}

/// What still fails, and the verdict: what a comparison ends with.
pub(super) fn ended(last: &Report) -> String {
    format!("{}\n{}", still_fails(last), verdict(last))
}

/// The story of a report, if it has one.
pub(super) fn story(report: &Report) -> Option<String> {
    let story = report.story.as_ref()?;
    let of = report.expectations.get(story.expectation)?;
    Some(story.render(&sentence(of)))
}

/// What became of the expectations that two reports share, seed by seed.
fn against(first: &Report, other: &Report, letter: char) -> String {
    let mut text = String::new();
    for expected in &other.expectations {
        let of = sentence(expected);
        let Some(before) = first.expectations.iter().find(|before| sentence(before) == of) else {
            continue;
        };
        if expected.kind == PROBE {
            continue;
        }
        let (mut better, mut same, mut worse) = (0, 0, 0);
        for (before, after) in before.badness.iter().zip(&expected.badness) {
            let (Some(before), Some(after)) = (before, after) else { continue };
            match after.cmp(before) {
                std::cmp::Ordering::Less => better += 1,
                std::cmp::Ordering::Equal => same += 1,
                std::cmp::Ordering::Greater => worse += 1,
            }
        }
        let _ = writeln!(text, "  {of:<50}  better in {better}, same in {same}, worse in {worse}");
    }
    if text.is_empty() {
        return text;
    }
    format!("\n{letter} against A, seed by seed, where both expect it\n{text}")
}

fn letter(place: usize) -> char {
    char::from(b'A' + u8::try_from(place % 26).unwrap_or(0))
}

fn compare_heading(reports: usize) -> String {
    let mut heading = " ".repeat(20);
    for place in 0..reports {
        let _ = write!(heading, "{:>28}", format!("{} median (range)", letter(place)));
    }
    let last = letter(reports - 1);
    format!("{heading}   {last} against A, by seed")
}

/// In how many seeds the last has less, the same and more than the first.
fn pairing(first: &[u64], last: &[u64]) -> String {
    let count = |order| first.iter().zip(last).filter(|(a, b)| b.cmp(a) == order).count();
    let (less, same, more) = (
        count(std::cmp::Ordering::Less),
        count(std::cmp::Ordering::Equal),
        count(std::cmp::Ordering::Greater),
    );
    format!("less in {less}, same in {same}, more in {more}")
}

fn still_fails(report: &Report) -> String {
    let failing: Vec<String> = report
        .expectations
        .iter()
        .filter(|expected| expected.violated > 0)
        .map(|expected| {
            format!("{} ({}/{} seeds)", sentence(expected), expected.violated, expected.of)
        })
        .collect();
    match failing.is_empty() {
        true => "Still fails: nothing.".to_owned(),
        false => format!("Still fails: {}.", failing.join("; ")),
    }
}

/// Which seeds were played.
pub(super) fn seeds(report: &Report) -> String {
    match report.seeds {
        _ if report.answered => "the one run".to_owned(),
        (first, last) if first == last => format!("seed {first}"),
        (first, last) => format!("seeds {first} to {last}"),
    }
}

fn expectation(expected: &Expected) -> String {
    let word = word(expected.status);
    format!("  {word:<8}{:<50}  {}\n", sentence(expected), found(expected))
}

/// The word for how an expectation came out.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Holds => "ok",
        Status::ViolatedAsDeclared => "known",
        Status::NotAsDeclared => "FAIL",
        Status::Vacuous => "vacuous",
    }
}

/// What was found of an expectation, and what is declared where it was violated.
pub(super) fn found(expected: &Expected) -> String {
    if !expected.by_policy.is_empty() {
        return swept::found(expected);
    }
    if expected.kind == PROBE {
        let first = expected.worst.map_or_else(String::new, |(_, seed)| format!(" (seed {seed})"));
        return format!("seen in {}/{} seeds{first}", expected.judged, expected.of);
    }
    let value = |value| value_of(expected.unit, value);
    let found = match (expected.worst, expected.median) {
        (Some((worst, seed)), Some(median)) => {
            format!("worst {} (seed {seed}), median {}", value(worst), value(median))
        }
        _ => "never judged".to_owned(),
    };
    let Expected { status, violated, of, declared, .. } = expected;
    match status {
        Status::Holds => found,
        _ => format!("{found}; violated in {violated}/{of}, declared: {declared}"),
    }
}

/// An expectation in words.
pub(crate) fn sentence(expected: &Expected) -> String {
    let Expected { kind, property, subject, relation, .. } = expected;
    if *kind == PROBE {
        let of = subject.as_ref().map_or_else(String::new, |subject| format!(" ({subject})"));
        return format!("{kind} {property}{of}");
    }
    let of = subject.as_ref().map_or_else(String::new, |subject| format!(" {subject}"));
    format!("{kind}{of}: {property} {relation} {}", bound(expected))
}

/// The bound as exactly as it was given.
fn bound(expected: &Expected) -> String {
    match expected.unit {
        Unit::Count => grouped(expected.bound),
        Unit::Nanos => {
            let exact = span(expected.bound);
            let rounded = exact.rounded();
            if rounded.span() == exact { rounded.to_string() } else { exact.to_string() }
        }
    }
}

/// A measured value in its unit, for people.
fn value_of(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Count => grouped(value),
        Unit::Nanos => span(value).rounded().to_string(),
    }
}

fn span(nanos: u64) -> Span {
    Span::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

fn verdict(report: &Report) -> String {
    format!("{} Replay: {}\n", ending(report), replay(report))
}

/// The sentence for how it all ends.
pub(super) fn ending(report: &Report) -> String {
    match report.verdict {
        Verdict::AsDeclared => "As declared.".to_owned(),
        Verdict::NotAsDeclared => "NOT AS DECLARED.".to_owned(),
        Verdict::Vacuous => {
            format!("VACUOUS: never met, so nothing is shown: {}.", vacuous(report))
        }
        Verdict::Nondeterministic => {
            "NONDETERMINISTIC: one seed played twice gave two runs; no result counts.".to_owned()
        }
        Verdict::Diverged => {
            let why = report.diverged.as_deref().unwrap_or_default();
            format!("DIVERGED: not all answers of the file apply any more: {}.", escaped(why))
        }
        Verdict::Inconclusive => "INCONCLUSIVE: a run did not come to its end.".to_owned(),
    }
}

/// The command that repeats what is worth a look.
pub(super) fn replay(report: &Report) -> String {
    if let Some(run) = swept::run(report) {
        return run.command("replay");
    }
    let worst = report
        .expectations
        .iter()
        .filter(|expected| expected.status == Status::NotAsDeclared || expected.violated > 0)
        .find_map(|expected| expected.worst);
    if report.answered {
        return format!("bootrace replay {}", escaped(&report.file));
    }
    let seed = worst.map_or(report.seeds.0, |(_, seed)| seed);
    let policy = match report.policy.of(seed) {
        Kind::Random => String::new(),
        kind => format!(" --policy {kind}"),
    };
    format!("bootrace replay {} --seed {seed}{policy}", escaped(&report.file))
}

/// The expectations whose premise was never met.
fn vacuous(report: &Report) -> String {
    let vacuous = report.expectations.iter().filter(|expected| expected.status == Status::Vacuous);
    vacuous.map(sentence).collect::<Vec<_>>().join("; ")
}

/// A number with its thousands apart.
pub(super) fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Policies;

    /// What a report says of an expectation: the sentence, and what was found.
    fn said(expected: &Expected) -> [String; 2] {
        [sentence(expected), found(expected)]
    }

    fn expected(property: &'static str, subject: Option<&str>) -> Expected {
        Expected {
            badness: Vec::new(),
            by_policy: Vec::new(),
            line: 1,
            kind: "always",
            property,
            subject: subject.map(str::to_owned),
            relation: "at most",
            unit: Unit::Count,
            bound: 1,
            declared: "holds".to_owned(),
            status: Status::Holds,
            violated: 0,
            judged: 198,
            of: 200,
            worst: Some((12, 17)),
            median: Some(1_000),
        }
    }

    #[test]
    fn numbers_stand_as_numbers() {
        let said = said(&expected("overlap", Some("usage")));
        assert_eq!(said, ["always usage: overlap at most 1", "worst 12 (seed 17), median 1,000"]);
    }

    #[test]
    fn lengths_of_time_have_units_and_a_bound_is_exact() {
        let nanos = |ms: u64| ms * 1_000_000;
        let late = Expected {
            unit: Unit::Nanos,
            bound: nanos(90_000),
            worst: Some((nanos(3_780_000), 17)),
            median: Some(nanos(2_345)),
            status: Status::NotAsDeclared,
            violated: 3,
            ..expected("lateness", Some("usage"))
        };
        let worst = "worst 1h3m (seed 17), median 2.3s; violated in 3/200, declared: holds";
        assert_eq!(said(&late), ["always usage: lateness at most 1m30s", worst]);
        let exact = Expected { bound: nanos(3_600_001), ..late };
        assert_eq!(sentence(&exact), "always usage: lateness at most 3600001ms");
    }

    #[test]
    fn a_queue_says_that_it_is_one() {
        let empty = Expected {
            kind: "eventually",
            bound: 0,
            ..expected("queue length", Some("queue usage"))
        };
        assert_eq!(sentence(&empty), "eventually queue usage: queue length at most 0");
    }

    #[test]
    fn a_probe_says_in_how_many_seeds_it_saw_something() {
        let probe = |subject| Expected {
            kind: "sometimes",
            relation: "",
            ..expected("two boots overlap", subject)
        };
        let seen = "seen in 198/200 seeds (seed 17)";
        assert_eq!(said(&probe(None)), ["sometimes two boots overlap", seen]);
        let of_queue = sentence(&probe(Some("queue usage")));
        assert_eq!(of_queue, "sometimes two boots overlap (queue usage)");
        let never = Expected {
            status: Status::Vacuous,
            judged: 0,
            worst: None,
            median: None,
            ..probe(None)
        };
        assert_eq!(found(&never), "seen in 0/200 seeds");
        let report = Report {
            story: None,
            file: "a.toml".to_owned(),
            scenario: "a story".to_owned(),
            seeds: (1, 200),
            policy: Policies::RANDOM,
            endless: None,
            answered: false,
            diverged: None,
            expectations: vec![never],
            stuck: None,
            swarm: Vec::new(),
            alerts: Vec::new(),
            figures: Vec::new(),
            verdict: Verdict::Vacuous,
        };
        let line = "VACUOUS: never met, so nothing is shown: sometimes two boots overlap. Replay: \
                    bootrace replay a.toml --seed 1\n";
        assert_eq!(verdict(&report), line);
    }

    #[test]
    fn thousands_stand_apart() {
        let shown = [0_u64, 999, 1_000, 517_788, 12_345_678].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "517,788", "12,345,678"]);
    }
}
