//! What a soak came to: hour by hour what was meant, what was done, and where the two differ. It judges
//! nothing.

use super::diagnostic::escaped;
use super::text::grouped;
use crate::load::Loaded;
use crate::soak::{Differs, HOUR, Hour, Hours, Soaked, Work, times};
use bootrace_sim::civil::Date;
use bootrace_sim::clock::Instant;
use bootrace_sim::scenario::Scenario;
use serde::Serialize;
use std::fmt::Write as _;

/// Up to how many hours each have a line; of more, each day has one.
const LINES: usize = 48;

/// How many hours that differ are told one by one.
const TOLD: usize = 5;

/// What a soak came to, as data.
#[derive(Serialize, Debug)]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// The scenario's name.
    pub scenario: String,
    /// For how long.
    pub length: String,
    /// How often each service was deployed.
    pub deploys: String,
    /// How many deploys of all services that comes to.
    pub planned: usize,
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds were played.
    pub runs: u64,
    /// Whether it ended before all seeds were played.
    pub interrupted: bool,
    /// Runs that would not end.
    pub endless: u64,
    /// The schedules of the scenario.
    pub schedules: Vec<Schedule>,
}

/// A schedule.
#[derive(Serialize, Debug)]
pub struct Schedule {
    /// Its name.
    pub schedule: String,
    /// Rows of one execution.
    pub rows_each: u64,
    /// How many of its hours differ from what is meant, in any run.
    pub differ: usize,
    /// How many of them are many times what is meant.
    pub red: usize,
    /// Its hours. Work counts for the hour of the tick before it, for as long as an hour after that.
    pub hours: Vec<Entry>,
}

/// An hour.
#[derive(Clone, Serialize, Debug)]
pub struct Entry {
    /// When it begins, in UTC.
    pub from: String,
    /// How many executions are meant: at least, and at most.
    pub meant: (u64, u64),
    /// Executions: the least and the most of a run.
    pub executions: (u64, u64),
    /// Rows written: the least and the most of a run.
    pub rows: (u64, u64),
    /// The most that was done in it, as a multiple of what is meant, or of one execution if nothing is.
    pub times: f64,
    /// The most boots of a run in it.
    pub boots: u64,
    /// In how many runs a deploy began in it.
    pub deploys: u64,
    /// In how many runs it differs.
    pub differs: u64,
    /// How, at worst: `less`, `more`, or `red`, which is at least twice what is meant.
    pub how: Option<&'static str>,
    /// How much was done then, as the same multiple.
    pub worst: Option<f64>,
    /// The command that tells this hour of the run that shows it.
    pub replay: Option<String>,
}

impl Report {
    /// The report of a soak of a file; `replay` is the command that plays it again, without a seed.
    #[must_use]
    pub fn new(
        of: &Loaded,
        scenario: &Scenario,
        soaked: &Soaked,
        deploys: &str,
        first_seed: u64,
        replay: &str,
    ) -> Report {
        let schedule = |(number, hours): (usize, &Hours)| {
            let entry = |(number, hour): (usize, &Hour)| {
                let from = scenario.start.ms() + HOUR.ms() * number as i64;
                Entry::new(number, from, hour, hours.rows_each, replay)
            };
            let red = |hour: &&Hour| matches!(hour.worst, Some((Differs::Red, ..)));
            Schedule {
                schedule: scenario.schedules[number].name.to_string(),
                rows_each: hours.rows_each,
                differ: hours.hours.iter().filter(|hour| hour.worst.is_some()).count(),
                red: hours.hours.iter().filter(red).count(),
                hours: hours.hours.iter().enumerate().map(entry).collect(),
            }
        };
        let schedules = match soaked.runs {
            0 => Vec::new(),
            _ => soaked.schedules.iter().enumerate().map(schedule).collect(),
        };
        Report {
            file: of.source.path.display().to_string(),
            scenario: of.scenario.name.to_string(),
            length: scenario.length.to_string(),
            deploys: deploys.to_owned(),
            planned: scenario.events.len(),
            first_seed,
            runs: soaked.runs,
            interrupted: soaked.cut.is_some(),
            endless: soaked.endless,
            schedules,
        }
    }
}

impl Entry {
    fn new(number: usize, from: i64, hour: &Hour, rows_each: u64, replay: &str) -> Entry {
        let Hour { meant, least, most, .. } = hour;
        let command = |seed: u64| {
            // What happens then is told with the work that it leads to.
            let to = number + 2;
            format!("{replay} --seed {seed} --part {number}h..{to}h")
        };
        Entry {
            from: instant(Instant::from_ms(from)),
            meant: (meant.least, meant.most),
            executions: (least.executions, most.executions),
            rows: (least.rows, most.rows),
            times: times(*most, meant.most, rows_each),
            boots: hour.boots,
            deploys: hour.deploys,
            differs: hour.differs,
            how: hour.worst.map(|(differs, ..)| match differs {
                Differs::More => "more",
                Differs::Less => "less",
                Differs::Red => "red",
            }),
            worst: hour.worst.map(|(_, times, _)| times),
            replay: hour.worst.map(|(.., seed)| command(seed)),
        }
    }

    /// One character for the hour.
    fn letter(&self) -> char {
        match (self.how, self.worst) {
            (None, _) | (_, None) => '.',
            (Some("less"), _) => '-',
            (Some("more"), _) => '+',
            (_, Some(times)) if times >= 9.5 => '#',
            (_, Some(times)) => char::from_digit(times.round() as u32, 10).unwrap_or('#'),
        }
    }

    fn mark(&self) -> &'static str {
        match self.how {
            None => "",
            Some("red") => "  !!",
            Some(_) => "  !",
        }
    }
}

/// An instant to the minute, in UTC.
fn instant(at: Instant) -> String {
    let (days, of_day) = (at.ms().div_euclid(86_400_000), at.ms().rem_euclid(86_400_000));
    let date = Date::from_days(days);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    format!("{:04}-{:02}-{:02}T{hours:02}:{minutes:02}Z", date.year, date.month, date.day)
}

/// The same without what is the same everywhere: `10-06 09:35`.
fn short(from: &str) -> String {
    from.get(5..16).unwrap_or(from).replace('T', " ")
}

/// The report for people.
#[must_use]
pub fn text(report: &Report) -> String {
    let file = escaped(&report.file);
    let seeds = match report.runs {
        1 => format!("seed {}", report.first_seed),
        runs => format!("seeds {} to {}", report.first_seed, report.first_seed + runs.max(1) - 1),
    };
    let mut text = format!("{}\n", report.scenario);
    let deploys = match (report.deploys.as_str(), report.planned) {
        ("none", _) => "no deploys".to_owned(),
        (often, 1) => format!("1 deploy ({often})"),
        (often, planned) => format!("{planned} deploys ({often})"),
    };
    let _ = writeln!(text, "{file}, soaked for {}, {deploys}, {seeds}", report.length);
    for schedule in &report.schedules {
        let each = match schedule.rows_each {
            0 => String::new(),
            rows => format!(", {} rows each", grouped(rows)),
        };
        let _ = writeln!(text, "\n{}: executions by hour of their tick{each}", schedule.schedule);
        if schedule.hours.len() <= LINES {
            hours(schedule, &mut text)
        } else {
            days(schedule, &mut text)
        }
    }
    for schedule in &report.schedules {
        differing(schedule, report.runs, &mut text);
    }
    if report.endless > 0 {
        let _ = writeln!(text, "\n{} of {} runs would not end.", report.endless, report.runs);
    }
    if report.interrupted {
        let _ = writeln!(text, "\nStopped after {} runs.", report.runs);
    }
    text
}

/// The least and the most of the runs, or the one number that they are.
fn range((least, most): (u64, u64)) -> String {
    match least == most {
        true => grouped(least),
        false => format!("{}..{}", grouped(least), grouped(most)),
    }
}

fn hours(schedule: &Schedule, text: &mut String) {
    text.push_str("  hour (UTC)        meant     runs             rows       x   boots\n");
    for hour in &schedule.hours {
        let bar = "#".repeat((hour.times.round() as usize).min(20));
        let deploy = if hour.deploys > 0 { " deploy" } else { "" };
        let line = format!(
            "  {}{:>12}{:>9}{:>17}{:>8.1}{:>8}  {bar:<20}{deploy}{}",
            short(&hour.from),
            range(hour.meant),
            range(hour.executions),
            range(hour.rows),
            hour.times,
            hour.boots,
            hour.mark()
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn days(schedule: &Schedule, text: &mut String) {
    text.push_str("  day from (UTC)  hour by hour                meant     runs             rows       x   boots\n");
    for day in schedule.hours.chunks(24) {
        let Some(first) = day.first() else { continue };
        let letters: String = day.iter().map(Entry::letter).collect();
        let sum = |of: fn(&Entry) -> (u64, u64)| {
            day.iter().map(of).fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
        };
        let (meant, runs, rows) =
            (sum(|hour| hour.meant), sum(|hour| hour.executions), sum(|hour| hour.rows));
        let boots: u64 = day.iter().map(|hour| hour.boots).sum();
        let work = Work { executions: runs.1, rows: rows.1 };
        let x = times(work, meant.1, schedule.rows_each);
        let _ = writeln!(
            text,
            "  {}     {letters:<24}{:>9}{:>9}{:>17}{x:>8.1}{boots:>8}",
            short(&first.from),
            range(meant),
            range(runs),
            range(rows),
        );
    }
    let there = |letter: char| schedule.hours.iter().any(|hour| hour.letter() == letter);
    let mut legend = vec![". as meant"];
    legend.extend(there('-').then_some("- less"));
    legend.extend(there('+').then_some("+ more"));
    legend.extend(('2'..='9').any(there).then_some("2 to 9 so many times"));
    legend.extend(there('#').then_some("# ten times or more"));
    let _ = writeln!(text, "  {}", legend.join("   "));
}

/// The hours that differ, the worst first.
fn differing(schedule: &Schedule, runs: u64, text: &mut String) {
    let of = schedule.hours.len();
    let Schedule { schedule: name, differ, red, .. } = schedule;
    if *differ == 0 {
        let meant = schedule.hours.iter().any(|hour| hour.meant.0 > 0);
        let _ = match meant {
            true => writeln!(text, "\n{name}: all {of} hours are as meant."),
            false => writeln!(text, "\n{name}: VACUOUS: it is never due in this time."),
        };
        return;
    }
    let twice = match red {
        0 => String::new(),
        red => format!(", {red} of them with at least twice the work"),
    };
    let _ = writeln!(text, "\n{name}: not as meant: {differ} of {of} hours{twice}.");
    let mut hours: Vec<&Entry> = schedule.hours.iter().filter(|hour| hour.how.is_some()).collect();
    let grave = |hour: &Entry| match hour.how {
        Some("red") => (2, hour.worst.unwrap_or(0.0)),
        // The less was done, the worse.
        Some("less") => (1, -hour.worst.unwrap_or(0.0)),
        _ => (0, hour.worst.unwrap_or(0.0)),
    };
    hours.sort_by(|one, other| {
        let (one, other) = (grave(one), grave(other));
        other.0.cmp(&one.0).then(other.1.total_cmp(&one.1))
    });
    for hour in hours.iter().take(TOLD) {
        let what = match (hour.how, hour.worst) {
            (Some("less"), Some(times)) if times <= 0.0 => "nothing was done".to_owned(),
            (_, Some(times)) => format!("{times:.1} times what is meant"),
            _ => String::new(),
        };
        let seeds =
            if runs > 1 { format!(", in {} of {runs} seeds", hour.differs) } else { String::new() };
        let _ = writeln!(text, "  {}  {what}{seeds}", short(&hour.from));
        if let Some(replay) = &hour.replay {
            let _ = writeln!(text, "    Replay: {replay}");
        }
    }
    if hours.len() > TOLD {
        let _ = writeln!(text, "  ... and {} more; --format json has all", hours.len() - TOLD);
    }
}
