//! `soak`: a fleet left running for a day or a month, hour by hour against what is meant; and the
//! scenario that it plays, for `show` and `replay`.

use super::live::Live;
use super::{Exit, json, load_all, tell, write};
use crate::pool::Cut;
use crate::report::soak::{Report, text};
use crate::soak::{Soaked, soak};
use bootrace_sim::clock::Span;
use bootrace_sim::scenario::{Scenario, span_range};
use bootrace_sim::soak::Soak;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAY: i64 = 24 * 3600;

/// How often everything is deployed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Deploys {
    count: i64,
    per: Option<(&'static str, i64)>,
}

impl Deploys {
    /// How it is said.
    const DAILY: &str = "1/day";

    /// The time that has one.
    fn every(self) -> Option<Span> {
        let (_, seconds) = self.per?;
        Some(Span::from_nanos(Span::from_secs(seconds).nanos() / self.count))
    }
}

impl std::fmt::Display for Deploys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.per {
            Some((per, _)) => write!(f, "{}/{per}", self.count),
            None => f.write_str("none"),
        }
    }
}

/// Reads `2/day`, `2 per day` or `none`.
fn deploys(text: &str) -> Result<Deploys, String> {
    const UNITS: [(&str, i64); 3] = [("hour", 3600), ("day", DAY), ("week", 7 * DAY)];
    if text.trim() == "none" {
        return Ok(Deploys { count: 1, per: None });
    }
    let parts = text.split_once('/').or_else(|| text.split_once(" per "));
    let read = parts.and_then(|(count, unit)| {
        let count = count.trim().parse().ok().filter(|count| (1..=1000).contains(count))?;
        let per = UNITS.into_iter().find(|(name, _)| *name == unit.trim())?;
        Some(Deploys { count, per: Some(per) })
    });
    read.ok_or_else(|| "write 1/day, 2/week, 3/hour or none".to_owned())
}

fn length(text: &str) -> Result<Span, String> {
    let one = span_range(text).filter(|(least, most)| least == most);
    let hours = one.filter(|(length, _)| *length >= crate::soak::HOUR);
    hours.map(|(length, _)| length).ok_or_else(|| "write 24h or 30d, an hour at least".to_owned())
}

/// In what a scenario is soaked.
#[derive(clap::Args, Debug)]
struct With {
    /// How often each service is deployed, at drawn times: 1/day, 2/week, 3/hour or none
    #[arg(long, default_value = Deploys::DAILY, value_parser = deploys)]
    deploys: Deploys,
    /// Let the file's random kills happen, too
    #[arg(long)]
    kills: bool,
}

impl With {
    fn soak(&self, length: Span) -> Soak {
        Soak { length, every: self.deploys.every(), faults: self.kills }
    }

    /// The arguments that say it, but for the length.
    fn said(&self) -> String {
        let deploys = match self.deploys.to_string() {
            daily if daily == Deploys::DAILY => String::new(),
            other => format!(" --deploys {other}"),
        };
        let kills = if self.kills { " --kills" } else { "" };
        format!("{deploys}{kills}")
    }
}

/// A soak in place of what happens in a file.
#[derive(clap::Args, Debug)]
pub(super) struct Part {
    /// Let the fleet run for so long, with deploys at drawn times, in place of its own events
    #[arg(long = "soak", value_name = "TIME", value_parser = length, conflicts_with = "hazard")]
    length: Option<Span>,
    /// How often each service is deployed then: 1/day, 2/week, 3/hour or none
    #[arg(long, requires = "length", value_parser = deploys)]
    deploys: Option<Deploys>,
    /// Let the file's random kills happen then, too
    #[arg(long, requires = "length")]
    kills: bool,
}

impl Part {
    /// The scenario soaked, if it is to be.
    pub(super) fn of(&self, scenario: Arc<Scenario>) -> Result<Arc<Scenario>, Exit> {
        let Some(length) = self.length else { return Ok(scenario) };
        let daily = Span::from_secs(DAY);
        let every = self.deploys.map_or(Some(daily), Deploys::every);
        soaked(&Soak { length, every, faults: self.kills }, &scenario)
    }
}

fn soaked(soak: &Soak, scenario: &Scenario) -> Result<Arc<Scenario>, Exit> {
    soak.of(scenario).map(Arc::new).map_err(|why| {
        tell(&format!("error: it cannot be soaked: {why}\n"));
        Exit::BadInput
    })
}

#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// For how long: 24h, 30d
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = length)]
    length: Span,
    #[command(flatten)]
    with: With,
    /// How many seeds, from 1
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// One seed alone
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(super) fn run(file: &Path, how: &How) -> Exit {
    let files: [PathBuf; 1] = [file.to_owned()];
    let Some(loaded) = load_all(&files) else { return Exit::BadInput };
    let [of] = &loaded[..] else { return Exit::BadInput };
    let scenario = match soaked(&how.with.soak(how.length), &of.scenario) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let seeds = how.seed.map_or(1..=how.seeds, |seed| seed..=seed);
    let mut live = Live::new(1, Some(seeds.end() - seeds.start() + 1));
    let soaked = soak(&scenario, seeds.clone(), &mut live);
    live.end();
    let exit = ended(&soaked, *seeds.start());
    let replay = format!(
        "bootrace replay {} --soak {}{}",
        of.source.path.display(),
        how.length,
        how.with.said()
    );
    let deploys = how.with.deploys.to_string();
    let report = Report::new(of, &scenario, &soaked, &deploys, *seeds.start(), &replay);
    let printed = match how.format {
        Format::Text => text(&report),
        Format::Json => json(&report),
    };
    write(&printed).unwrap_or(exit)
}

fn ended(soaked: &Soaked, first: u64) -> Exit {
    match &soaked.cut {
        Some(Cut::Panicked { task, message }) => {
            let seed = first + *task as u64;
            tell(&format!("error: bug in bootrace: seed {seed}: {message}\n"));
            return Exit::Bug;
        }
        Some(Cut::Stopped) => return Exit::Interrupted,
        None => {}
    }
    let mut hours = soaked.schedules.iter().flat_map(|of| &of.hours);
    if hours.clone().any(|hour| hour.worst.is_some()) {
        Exit::NotAsDeclared
    } else if soaked.endless > 0 {
        Exit::Inconclusive
    } else if soaked.schedules.iter().any(|of| of.hours.iter().all(|hour| hour.meant.least == 0)) {
        Exit::Vacuous
    } else {
        debug_assert!(hours.next().is_some());
        Exit::AsDeclared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploys_are_so_many_in_a_time() {
        let every = |text| deploys(text).map(Deploys::every);
        let hours = |hours: i64| Ok(Some(Span::from_secs(hours * 3600)));
        assert_eq!(every("1/day"), hours(24));
        assert_eq!(every("1 per day"), hours(24));
        assert_eq!(every(" 3 / day"), hours(8));
        assert_eq!(every("7 per week"), hours(24));
        assert_eq!(every("1/hour"), hours(1));
        assert_eq!(every("none"), Ok(None));
        for wrong in ["", "1", "day", "0/day", "-1/day", "1/year", "1.5/day", "1001/day"] {
            assert!(deploys(wrong).is_err(), "{wrong:?}");
        }
        for said in ["1/day", "12/week", "none"] {
            assert_eq!(deploys(said).expect("it is right").to_string(), said);
        }
    }

    #[test]
    fn a_soak_is_an_hour_at_least() {
        assert_eq!(length("30d"), Ok(Span::from_secs(30 * DAY)));
        for wrong in ["59m", "1h..2h", "a day", "24"] {
            assert!(length(wrong).is_err(), "{wrong:?}");
        }
    }
}
