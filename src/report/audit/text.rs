//! An audit for people: letters that fit a terminal however many columns there are, then what is worst.

use super::{Entry, Heading, Per, Rate, Report};
use crate::audit::Harm;
use crate::report::diagnostic::escaped;
use bootrace_sim::clock::Span;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many of the worst cells are told.
const WORST: usize = 3;

/// The columns that stand side by side; more come below.
const ABREAST: usize = 18;

/// From how many times the work that is meant on it is told.
const MUCH: f64 = 1.5;

/// The report for people.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for (number, Heading { file, schedule, library, .. }) in report.columns.iter().enumerate() {
        let library = library.map(|number| format!(", bullmq {number}")).unwrap_or_default();
        let _ = writeln!(text, "{:>3}  {}, {schedule}{library}", number + 1, escaped(file));
    }
    text.push('\n');
    grid(report, &mut text, |_| true, |cell| Some(letter(cell)));
    legend(report, &mut text);
    much(report, &mut text);
    often(report, &mut text);
    summary(report, &mut text);
    noticed(report, &mut text);
    controls(report, &mut text);
    worst(report, &mut text);
    accepted(report, &mut text);
    bugs(report, &mut text);
    uncovered(report, &mut text);
    text
}

/// A row for each hazard of which some cell is wanted.
fn grid(
    report: &Report,
    text: &mut String,
    wanted: impl Fn(&Entry) -> bool,
    shown: impl Fn(&Entry) -> Option<String>,
) {
    let width = report.columns.len().max(1);
    for from in (0..width).step_by(ABREAST) {
        let to = width.min(from + ABREAST);
        if from > 0 {
            text.push('\n');
        }
        let numbers = (from + 1..=to).map(|number| format!("{number:>4}"));
        let _ = writeln!(text, "{:24}{}", "", numbers.collect::<String>());
        for row in report.cells.chunks(width) {
            let Some(first) = row.first() else { continue };
            let cells = &row[from.min(row.len())..to.min(row.len())];
            if !cells.iter().any(&wanted) {
                continue;
            }
            let cells = cells.iter().map(|cell| format!("{:>4}", shown(cell).unwrap_or_default()));
            let line = format!("{:24}{}", first.hazard, cells.collect::<String>());
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
}

fn letter(cell: &Entry) -> String {
    if cell.accepted() { format!("({})", cell.letter) } else { cell.letter.to_string() }
}

/// The letters that occur.
fn legend(report: &Report, text: &mut String) {
    let there = |letter: char| report.cells.iter().any(|cell| cell.letter == letter);
    text.push_str("\n. as it must be\n");
    for harm in Harm::ALL.into_iter().filter(|harm| there(harm.letter())) {
        let _ = writeln!(text, "{} {}: {}", harm.letter(), harm.name(), harm.words());
    }
    if report.cells.iter().any(Entry::accepted) {
        text.push_str("( ) accepted by the file\n");
    }
    let others = [
        ('-', "does not apply, or was not met"),
        ('?', "was not played"),
        ('!', "met a bug in bootrace"),
    ];
    for (letter, words) in others.into_iter().filter(|(letter, _)| there(*letter)) {
        let _ = writeln!(text, "{letter} {words}");
    }
}

/// A number in at most three characters, as far as it goes.
fn short(number: f64) -> String {
    match number {
        n if n < 0.01 => "<.01".to_owned(),
        n if n < 0.1 => format!("{n:.2}").trim_start_matches('0').to_owned(),
        n if n < 9.95 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

/// Cells with much more work than is meant.
fn much(report: &Report, text: &mut String) {
    let times = |cell: &Entry| cell.work.times.filter(|times| *times >= MUCH && cell.met > 0);
    if report.cells.iter().any(|cell| times(cell).is_some()) {
        let _ = writeln!(
            text,
            "\nRows written (jobs run, where none are) as a multiple of what is meant, from {MUCH} on:\n"
        );
        grid(report, text, |cell| times(cell).is_some(), |cell| times(cell).map(short));
    }
}

/// How often a month harm comes that deploys do.
fn often(report: &Report, text: &mut String) {
    let times = |cell: &Entry| cell.exposure.as_ref()?.times_a_month;
    if !report.cells.iter().any(|cell| times(cell).is_some()) {
        return;
    }
    text.push_str("\nTimes a month, if each deploy is of this kind and at any instant:\n\n");
    grid(report, text, |cell| times(cell).is_some(), |cell| times(cell).map(short));
    text.push('\n');
    for file in report.files.iter().filter(|file| file.deploys_said) {
        let rate = short(file.deploys_a_month);
        let _ = writeln!(text, "{}: {rate} deploys a month, as it says", escaped(&file.file));
    }
    if let Some(file) = report.files.iter().find(|file| !file.deploys_said) {
        let rate = short(file.deploys_a_month);
        let _ = writeln!(
            text,
            "{rate} deploys a month are assumed where a file says nothing (`[audit] deploys`)."
        );
    }
}

fn summary(report: &Report, text: &mut String) {
    let counts = &report.counts;
    let of = counts.harmed + counts.accepted + counts.well;
    let _ = write!(
        text,
        "\n{} of {of} cells are not as they must be, on {} seeds each",
        counts.harmed, report.seeds
    );
    for (count, words) in [
        (counts.accepted, "accepted"),
        (counts.never_met, "never met"),
        (counts.not_applicable, "not applicable"),
        (counts.not_played, "not played"),
    ] {
        if count > 0 {
            let _ = write!(text, "; {count} {words}");
        }
    }
    text.push_str(".\n");
    if report.interrupted {
        text.push_str("It was stopped before all was played.\n");
    }
}

/// Which harm rings, where there are alerts.
fn noticed(report: &Report, text: &mut String) {
    let harmed = || {
        let harmed = report.cells.iter().filter(|cell| cell.worst.is_some());
        harmed.filter_map(|cell| Some((cell, cell.noticed.as_ref()?)))
    };
    if harmed().next().is_none() {
        return;
    }
    let silent = harmed().filter(|(_, noticed)| noticed.by.is_empty());
    let mut unseen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (cell, _) in silent {
        unseen.entry(cell.hazard).or_default().push((cell.column + 1).to_string());
    }
    let always = harmed().filter(|(_, noticed)| noticed.by_nobody == 0).count();
    let never = unseen.values().map(Vec::len).sum::<usize>();
    let sometimes = harmed().count() - always - never;
    let _ = writeln!(
        text,
        "Alerts notice {always} of {} cells each time, {sometimes} sometimes, {never} never.",
        harmed().count()
    );
    for (hazard, columns) in unseen {
        let _ = writeln!(text, "  not noticed: {hazard} ({})", columns.join(", "));
    }
    let well = report.cells.iter().filter(|cell| is_control(report, cell));
    let rings = well.flat_map(|cell| cell.noticed.iter().flat_map(|one| one.needlessly.keys()));
    for name in rings.collect::<std::collections::BTreeSet<_>>() {
        let _ = writeln!(text, "  {name} RINGS on a day on which nothing happens");
    }
}

/// Columns that are not well on a day on which nothing happens.
fn controls(report: &Report, text: &mut String) {
    let ill = report.cells.iter().filter(|cell| is_control(report, cell) && cell.worst.is_some());
    let mut by_harm: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for cell in ill {
        let harm = cell.harms.iter().find(|one| !one.accepted);
        by_harm.entry(harm.map_or("", |one| one.means)).or_default().push(cell);
    }
    for (means, cells) in by_harm {
        let columns: Vec<String> = cells.iter().map(|cell| (cell.column + 1).to_string()).collect();
        let (columns, is) = match &columns[..] {
            [one] => (format!("Column {one}"), "is"),
            all => (format!("Columns {}", all.join(", ")), "are"),
        };
        let _ = writeln!(
            text,
            "\n{columns} {is} not well when nothing happens: {means}.\nWhat else is shown there may be no more \
             than that."
        );
        if let Some(replay) = cells.first().and_then(|cell| cell.replay.as_ref()) {
            let _ = writeln!(text, "Replay: {replay}");
        }
    }
}

/// The worst cells, one line each, and how to play them again.
fn worst(report: &Report, text: &mut String) {
    let news =
        |cell: &&Entry| cell.grave.is_some() && !cell.as_control && !is_control(report, cell);
    let mut grave: Vec<&Entry> = report.cells.iter().filter(news).collect();
    // The gravest first; of equals that which happens most often.
    grave.sort_by_key(|cell| std::cmp::Reverse(cell.grave));
    let mut told: Vec<char> = Vec::new();
    for cell in grave {
        // The same thing on another version is no other thing.
        if told.len() == WORST || told.contains(&cell.letter) {
            continue;
        }
        let (Some(harm), Some(replay)) =
            (cell.harms.iter().find(|one| !one.accepted), &cell.replay)
        else {
            continue;
        };
        told.push(cell.letter);
        let what = harm.means;
        let _ = write!(text, "\n{}: {what}, in {} of {} runs", cell.hazard, harm.runs, cell.met);
        let exposed = cell.exposure.as_ref().and_then(exposed);
        let more = [healed(cell), noticed_by(cell), work(cell), exposed];
        for more in more.into_iter().flatten() {
            let _ = write!(text, "; {more}");
        }
        let _ = writeln!(text, ".\n  {}\nReplay: {replay}", cell.is);
    }
}

/// Whether a cell is of the hazard with which the battery begins: nothing happens.
fn is_control(report: &Report, cell: &Entry) -> bool {
    let first = report.cells.first().filter(|_| report.columns[cell.column].control.is_some());
    first.is_some_and(|first| first.hazard == cell.hazard)
}

fn healed(cell: &Entry) -> Option<String> {
    let slowest = cell.slowest.as_ref()?;
    let after = Span::from_nanos((slowest.seconds * 1e9) as i64).rounded();
    Some(match slowest.by {
        "nobody" => "nobody heals it within the run".to_owned(),
        "itself" => "nothing has to heal: it is over with that run".to_owned(),
        by => format!("healed after at most {after} by {by}"),
    })
}

fn noticed_by(cell: &Entry) -> Option<String> {
    let noticed = cell.noticed.as_ref()?;
    if noticed.by.is_empty() {
        return Some("noticed by no alert".to_owned());
    }
    let each = noticed.by.iter().map(|(name, runs)| format!("{name} (in {runs})"));
    Some(format!("noticed by {}", each.collect::<Vec<_>>().join(", ")))
}

fn work(cell: &Entry) -> Option<String> {
    let times = cell.work.times.filter(|times| *times > 1.05)?;
    Some(format!("{times:.1} times the work"))
}

fn exposed(rate: &Rate) -> Option<String> {
    let (times, each) = (short(rate.times_a_month?), short(rate.each_month?));
    let per = match rate.of {
        Per::Deploys => "deploys",
        Per::Boots => "boots",
        Per::Occurrences => return None,
    };
    let span = |seconds: f64| Span::from_nanos((seconds * 1e9) as i64).rounded();
    Some(match rate.window_seconds {
        Some(window) => {
            let (window, period) = (span(window), span(rate.period_seconds));
            format!("about {times} times a month ({each} {per}, {window} of each {period})")
        }
        None => format!("about {times} times a month ({each} {per}, at any instant)"),
    })
}

/// What files accept, and what of that is not needed.
fn accepted(report: &Report, text: &mut String) {
    let each = report.files.iter().flat_map(|file| file.accepts.iter().map(move |one| (file, one)));
    let (stale, needed): (Vec<_>, Vec<_>) = each.partition(|(_, one)| one.stale.is_some());
    if !needed.is_empty() {
        text.push_str("\nAccepted:\n");
    }
    for (file, one) in needed {
        let of = one.schedule.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
        let (file, why) = (escaped(&file.file), &one.because);
        let _ = writeln!(text, "  {}, {} ({file}{of}): {why}", one.hazard, one.harm);
    }
    if !stale.is_empty() {
        text.push_str("\nAccepted and not there any more; take it out of the file:\n");
    }
    for (file, one) in stale {
        let why = one.stale.as_deref().unwrap_or_default();
        let _ = writeln!(text, "  {}, {} ({}): {why}", one.hazard, one.harm, escaped(&file.file));
    }
}

/// Runs that met a bug in bootrace.
fn bugs(report: &Report, text: &mut String) {
    for cell in &report.cells {
        let Some(bug) = &cell.bug else { continue };
        let replay = super::replay(&report.columns[cell.column], cell.hazard, bug.seed.max(1));
        let _ = writeln!(text, "\nA bug in bootrace: {}\nReplay: {replay}", escaped(&bug.message));
    }
}

/// What says nothing, and why.
fn uncovered(report: &Report, text: &mut String) {
    let mut whys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for cell in &report.cells {
        let why = match &cell.does_not_apply {
            Some(why) => why.as_str(),
            None if cell.never_met() => "what it needs was never met",
            None => continue,
        };
        let of = whys.entry(why).or_default();
        if of.last() != Some(&cell.hazard) {
            of.push(cell.hazard);
        }
    }
    let mut lines: Vec<String> =
        whys.into_iter().map(|(why, hazards)| format!("{}: {why}", hazards.join(", "))).collect();
    for file in &report.files {
        let name = escaped(&file.file);
        if !file.put_aside.is_empty() {
            lines.push(format!("{name}: put aside: {}", file.put_aside.join(", ")));
        }
        lines.extend(file.ignored.iter().map(|ignored| format!("{name}: {ignored}")));
    }
    if !lines.is_empty() {
        text.push_str("\nNot covered:\n");
    }
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}
