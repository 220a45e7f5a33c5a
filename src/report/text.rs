//! Reports as text for people: the same bytes for the same runs, the verdict and the line to repeat
//! it last. It asks no terminal for its width.

use super::diagnostic::escaped;
use super::{Expected, Report, Status, Verdict};
use std::fmt::Write as _;

/// The report on one scenario.
pub fn run(report: &Report) -> String {
    let file = escaped(&report.file);
    let mut text = format!("{}\n{file}, {}\n\n", report.scenario, seeds(report));
    for expected in &report.expectations {
        text.push_str(&expectation(expected));
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
    for (place, report) in reports.iter().enumerate() {
        let _ = writeln!(text, "\n{}  {}", letter(place), report.scenario);
        for expected in &report.expectations {
            text.push_str(&expectation(expected));
        }
    }
    let _ = write!(text, "\n{}\n{}", still_fails(last), verdict(last));
    text
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
        (first, last) if first == last => format!("seed {first}"),
        (first, last) => format!("seeds {first} to {last}"),
    }
}

fn expectation(expected: &Expected) -> String {
    let word = word(expected.status);
    format!("  {word:<8}{:<52}{}\n", sentence(expected), found(expected))
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
    let found = match (expected.worst, expected.median) {
        (Some((worst, seed)), Some(median)) => {
            format!("worst {} (seed {seed}), median {}", grouped(worst), grouped(median))
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
pub(super) fn sentence(expected: &Expected) -> String {
    let Expected { kind, property, schedule, relation, bound, .. } = expected;
    format!("{kind} {schedule}: {property} {relation} {}", grouped(*bound))
}

fn verdict(report: &Report) -> String {
    format!("{} Replay: {}\n", ending(report.verdict), replay(report))
}

/// The sentence for how it all ends.
pub(super) fn ending(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::AsDeclared => "As declared.",
        Verdict::NotAsDeclared => "NOT AS DECLARED.",
        Verdict::Vacuous => {
            "VACUOUS: the premise of an expectation was never met, so nothing is shown."
        }
        Verdict::Nondeterministic => {
            "NONDETERMINISTIC: one seed played twice gave two runs; no result counts."
        }
        Verdict::Inconclusive => "INCONCLUSIVE: a run did not come to its end.",
    }
}

/// The command that repeats what is worth a look.
pub(super) fn replay(report: &Report) -> String {
    let worst = report
        .expectations
        .iter()
        .filter(|expected| expected.status == Status::NotAsDeclared || expected.violated > 0)
        .find_map(|expected| expected.worst);
    let seed = worst.map_or(report.seeds.0, |(_, seed)| seed);
    format!("bootrace replay {} --seed {seed}", escaped(&report.file))
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
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
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 999, 1_000, 517_788, 12_345_678].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "517,788", "12,345,678"]);
    }
}
