//! Rules about times: patterns that do not come, changes of clocks, spellings of zones, schedules
//! that nobody registers as they are meant.

use std::collections::BTreeSet;

use super::super::diagnostic::{Diagnostic, code};
use super::super::place::{Part, Path};
use super::super::{Action, Measure, Mode, Property, Recurrence, RepeatWhen, Subject};
use super::{Added, How, Lint, shown};
use crate::bullmq::cron::Cron;
use crate::civil::{DAY_MS, Date, HOUR_MS, MINUTE_MS, Zone, weekday};
use crate::clock::Span;
use crate::ticks::Ticks;

/// How far a schedule is looked at: what goes wrong once a year goes wrong.
const YEAR_MS: i64 = 366 * DAY_MS;

/// How many ticks of two schedules are compared at each of two places.
const COMPARED: usize = 64;

/// Of a pattern that comes more often than this around a change of clocks, one lost is no loss.
const OFTEN: usize = 100;

/// A pattern of the file with its zone.
struct Due<'s> {
    pattern: &'s Cron,
    zone: &'s Zone,
    /// The table or step, and the key of the pattern in it.
    path: Path,
    keys: &'static [&'static str],
}

/// What a change of clocks does to a pattern.
enum Odd {
    /// A local time that the clocks skip: when it is run, if it is.
    Gap(i64, Option<i64>),
    /// A local time that they show twice, and that is run twice.
    Fold(i64),
}

impl<'s> Lint<'s, '_> {
    pub(super) fn times(&self, found: &mut Vec<Diagnostic>) {
        let mut seen = BTreeSet::new();
        for due in self.dues() {
            // The same pattern has the same fault everywhere, and is told once.
            let first =
                seen.insert((due.pattern.pattern(), due.pattern.dialect(), due.zone.name()));
            if first && self.comes(found, &due) {
                self.clocks(found, &due);
            }
        }
        self.zones(found);
        self.intentions(found);
        self.windows(found);
    }

    /// Expectations on the windows of a schedule of which none lies whole in the run.
    fn windows(&self, found: &mut Vec<Diagnostic>) {
        let (start, length) = (self.scenario.start, self.scenario.length);
        let mut told = BTreeSet::new();
        for (place, expectation) in self.scenario.expectations.iter().enumerate() {
            let Property { measure, subject, mode, .. } = expectation.property;
            let (Subject::Schedule(of), Mode::Always) = (subject, mode) else { continue };
            let windowed =
                [Measure::FiringsPerWindow, Measure::WorkPerWindow, Measure::RowsPerWindow];
            if !windowed.contains(&measure) {
                continue;
            }
            let ticks = self.scenario.schedules[of].recurrence.ticks();
            let Some(first) = ticks.after(start.ms() - 1) else { continue };
            let end = ticks.after(first);
            let whole = end.is_some_and(|end| end <= (start + length).ms());
            // That it never comes at all is said already.
            if whole || first > (start + length).ms() || !told.insert(of) {
                continue;
            }
            let at = self.at(&[Part::key("expect"), Part::Index(place)], &["always"]);
            let name = shown(&self.scenario.schedules[of].name);
            let message = format!(
                "no window of {name} lies whole in the run, which is {length} long: this judges nothing"
            );
            let mut problem = Diagnostic::warning(code::NO_WINDOW, at, message);
            problem.help = end.map(|end| {
                let needed = end - start.ms();
                // A round number that is enough reads better than the exact one.
                let unit = if needed > 2 * HOUR_MS { HOUR_MS } else { 1 };
                let needed = Span::from_ms((needed + unit - 1) / unit * unit);
                format!(
                    "a window is the time from one tick to the next: `length` of {needed} or more"
                )
            });
            found.push(problem);
        }
    }

    /// Every pattern of what runs, with the zone in which it is read.
    fn dues(&self) -> Vec<Due<'s>> {
        let mut dues = Vec::new();
        for schedule in &self.scenario.schedules {
            if let Recurrence::Pattern(pattern, zone) = &schedule.recurrence {
                let path = vec![Part::key("schedule"), Part::key(&schedule.name)];
                dues.push(Due { pattern, zone, path, keys: &["pattern"] });
            }
        }
        for added in self.adds.iter().filter(|added| self.runs(added)) {
            let (How::Repeat(_, repeat) | How::Scheduler(_, repeat)) = added.how else { continue };
            let own = added.release.and_then(|release| self.zone_of(release));
            if let (RepeatWhen::Pattern(pattern), Some(zone)) =
                (&repeat.when, repeat.zone.as_ref().or(own))
            {
                let path = added.path.clone();
                dues.push(Due { pattern, zone, path, keys: &["repeat", "pattern"] });
            }
        }
        for placed in self.steps.iter().filter(|placed| self.used.contains(&placed.release)) {
            let Action::Timer { pattern, zone, .. } = &placed.step.action else { continue };
            if let Some(zone) = zone.as_ref().or_else(|| self.zone_of(placed.release)) {
                dues.push(Due { pattern, zone, path: placed.path.clone(), keys: &["timer"] });
            }
        }
        dues
    }

    /// Whether a pattern comes within the run, its ends included.
    fn comes(&self, found: &mut Vec<Diagnostic>, due: &Due<'_>) -> bool {
        let start = self.scenario.start;
        let end = start + self.scenario.length;
        let first = Ticks::pattern(due.pattern, due.zone.clone()).after(start.ms() - 1);
        if first.is_none_or(|first| first <= end.ms()) {
            return true;
        }
        let at = self.at(&due.path, due.keys);
        let (pattern, length) = (shown(due.pattern.pattern()), self.scenario.length);
        let message = format!("{pattern} never comes within the run, which is {length} long");
        let first = first.map(|first| {
            let zone = due.zone.name();
            format!(
                "it comes first on {} in {zone}: a longer run, or a later `start`",
                day_and_time(first, due.zone)
            )
        });
        let mut problem = Diagnostic::warning(code::NEVER_COMES, at, message);
        problem.help = first;
        found.push(problem);
        false
    }

    /// What the next changes of clocks do to a pattern.
    fn clocks(&self, found: &mut Vec<Diagnostic>, due: &Due<'_>) {
        if due.pattern.fields().any_hour() {
            return;
        }
        let from = self.scenario.start.ms();
        let until = from + YEAR_MS.max(self.scenario.length.ms());
        let Some(odd) = first_odd(due, from, until) else { return };
        let (pattern, zone) = (shown(due.pattern.pattern()), due.zone.name());
        let parser = due.pattern.dialect();
        let message = match odd {
            Odd::Gap(tick, run) => {
                let missing = day(tick, due.zone);
                let what = match run {
                    Some(run) => format!("runs it at {}", time(run, due.zone)),
                    None => "does not run it".to_owned(),
                };
                format!(
                    "{pattern} falls into hours that {zone} skips on {missing}; {parser} {what}"
                )
            }
            Odd::Fold(tick) => format!(
                "{pattern} falls into hours that {zone} has twice on {}; {parser} runs it twice",
                day(tick, due.zone)
            ),
        };
        let help = "take an hour that the clocks neither skip nor repeat, or a zone without \
                    daylight saving such as \"UTC\"";
        let at = self.at(&due.path, due.keys);
        found.push(Diagnostic::warning(code::CLOCK_CHANGE, at, message).help(help));
    }

    /// Zones of registrations of the older API that are spelled in a way of their own.
    fn zones(&self, found: &mut Vec<Diagnostic>) {
        let tz = ["repeat", "tz"];
        for placed in &self.steps {
            let repeat = match &placed.step.action {
                Action::Add(add) => add.repeat.as_ref(),
                Action::RemoveRepeatable { repeat, .. } => Some(repeat),
                _ => None,
            };
            let Some(zone) = repeat.and_then(|repeat| repeat.zone.as_ref()) else { continue };
            let said: Path = placed.path.iter().cloned().chain(tz.map(Part::key)).collect();
            let Some(text) = super::place::text(self.tree, &said) else { continue };
            if text == zone.name() {
                continue;
            }
            let message =
                format!("the time zone {} is spelled {}", shown(text), shown(zone.name()));
            let help = "the older API makes a registration's key of the text as it is written, so \
                        that another spelling is another registration; bootrace takes the usual one";
            let problem = Diagnostic::warning(code::ZONE_SPELLING, self.at(&said, &[]), message);
            found.push(problem.help(help).rename(format!("\"{}\"", zone.name())));
        }
    }

    /// Schedules whose jobs are registered, but at other times.
    fn intentions(&self, found: &mut Vec<Diagnostic>) {
        for schedule in &self.scenario.schedules {
            let does = |added: &&Added<'s>| {
                added.queue == schedule.queue && *added.name == *schedule.job && self.runs(added)
            };
            let registered: Vec<_> = self
                .adds
                .iter()
                .filter(does)
                .filter_map(|added| Some((added, self.ticks(added)?)))
                .collect();
            let meant = schedule.recurrence.ticks();
            let start = self.scenario.start.ms();
            if registered.iter().any(|(_, ticks)| alike(&meant, ticks, start)) {
                continue;
            }
            let Some((added, _)) = registered.first() else { continue };
            let keys: &[&str] = match added.how {
                How::Timer(..) => &[],
                _ => &["repeat"],
            };
            let message = format!(
                "the schedule {} is due at other times than its jobs are registered for",
                shown(&schedule.name)
            );
            let when = match schedule.recurrence {
                Recurrence::Pattern(..) => "pattern",
                Recurrence::Every(_) => "every",
            };
            let at = self.of("schedule", &schedule.name, &[when]);
            let problem = Diagnostic::warning(code::NOT_INTENDED, at, message)
                .label("what is meant")
                .and(self.at(&added.path, keys), "what is registered")
                .help("a pattern without `tz` is read in the zone of the process, or in UTC in a `[schedule.NAME]`");
            found.push(problem);
        }
    }

    /// When what adds comes again by itself.
    fn ticks(&self, added: &Added<'s>) -> Option<Ticks> {
        let own = || added.release.and_then(|release| self.zone_of(release));
        match added.how {
            How::Repeat(_, repeat) | How::Scheduler(_, repeat) => match &repeat.when {
                RepeatWhen::Every(period) => Some(Ticks::every(period.ms(), 0)),
                RepeatWhen::Refused(_) => None,
                RepeatWhen::Pattern(pattern) => {
                    let zone = repeat.zone.as_ref().or_else(own)?;
                    Some(Ticks::pattern(pattern, zone.clone()))
                }
            },
            How::Timer(_, timer) => {
                Some(Ticks::pattern(timer.pattern, timer.zone.or_else(own)?.clone()))
            }
            How::Boot(_) | How::Job(_) => None,
        }
    }
}

/// Whether two schedules are due at the same instants, in both halves of a year.
fn alike(a: &Ticks, b: &Ticks, start_ms: i64) -> bool {
    [start_ms, start_ms + YEAR_MS / 2].into_iter().all(|from| {
        let ticks = |ticks: &Ticks| {
            let after = |at: &i64| ticks.after(*at);
            std::iter::successors(after(&from), after).take(COMPARED).collect::<Vec<_>>()
        };
        ticks(a) == ticks(b)
    })
}

/// The first oddity of a pattern at a change of its zone's clocks.
fn first_odd(due: &Due<'_>, from: i64, until: i64) -> Option<Odd> {
    const AROUND: i64 = 26 * HOUR_MS;
    let (pattern, zone) = (due.pattern, due.zone);
    let ticks = Ticks::pattern(pattern, zone.clone());
    let mut change = zone.span_at(from).end_ms;
    while change < until {
        let (begin, end) = (change - AROUND, change + AROUND);
        let within = |at: &i64| *at <= end;
        let meant: Vec<i64> = std::iter::successors(ticks.after(begin), |at| ticks.after(*at))
            .take_while(within)
            .take(OFTEN)
            .collect();
        // As BullMQ does it: the pattern is read afresh after each firing.
        let runs: Vec<i64> =
            std::iter::successors(pattern.next(begin, zone), |at| pattern.next(*at, zone))
                .take_while(within)
                .take(OFTEN)
                .collect();
        if meant.len() < OFTEN && runs.len() < OFTEN {
            let odd = odd(pattern, zone, &meant, &runs);
            if odd.is_some() {
                return odd;
            }
        }
        change = zone.span_at(change).end_ms;
    }
    None
}

fn odd(pattern: &Cron, zone: &Zone, meant: &[i64], runs: &[i64]) -> Option<Odd> {
    if let Some(tick) = meant.iter().find(|tick| !shows(pattern, zone, **tick)) {
        let next = meant.iter().find(|other| *other > tick);
        let run = runs.iter().find(|run| *run >= tick && next.is_none_or(|next| *run < next));
        return Some(Odd::Gap(*tick, run.copied()));
    }
    runs.iter().find(|run| !meant.contains(run)).map(|run| Odd::Fold(*run))
}

/// Whether the clocks show a time of the pattern at an instant.
fn shows(pattern: &Cron, zone: &Zone, ms: i64) -> bool {
    let local = ms + i64::from(zone.offset_s(ms)) * 1000;
    let days = local.div_euclid(DAY_MS);
    let hour = local.rem_euclid(DAY_MS) / HOUR_MS;
    let date = Date::from_days(days);
    let fields = pattern.fields();
    fields.hours() >> hour & 1 == 1
        && fields.months() >> date.month & 1 == 1
        && fields.allows_day(date, weekday(days)) == Some(true)
}

fn day(ms: i64, zone: &Zone) -> String {
    let local = ms + i64::from(zone.offset_s(ms)) * 1000;
    let Date { year, month, day } = Date::from_days(local.div_euclid(DAY_MS));
    format!("{year}-{month:02}-{day:02}")
}

fn time(ms: i64, zone: &Zone) -> String {
    let local = (ms + i64::from(zone.offset_s(ms)) * 1000).rem_euclid(DAY_MS);
    format!("{:02}:{:02}", local / HOUR_MS, local % HOUR_MS / MINUTE_MS)
}

pub(super) fn day_and_time(ms: i64, zone: &Zone) -> String {
    format!("{} at {}", day(ms, zone), time(ms, zone))
}

#[cfg(test)]
mod tests {

    /// What is said of a pattern in the year after an instant.
    fn said(pattern: &str, zone: &str, start: &str) -> Vec<String> {
        let text = format!(
            "format = 1\nname = 'a'\nlength = '3d'\nstart = {start}\n[queue.q]\n[job.j]\n\
             [schedule.s]\npattern = '{pattern}'\ntz = '{zone}'\nqueue = 'q'\njob = 'j'\n\
             [release.r]\nlibrary = 'bullmq@5.34.10'\nsteps = [ {{ worker = 'q' }},\n\
             {{ add = 'j', queue = 'q', repeat = {{ pattern = '{pattern}', tz = '{zone}' }} }} ]\n\
             [service.w]\nrelease = 'r'\n[[expect]]\nalways = 'firings per window'\nat_most = 1\n"
        );
        let (_, warnings) = super::super::super::parse(&text).expect("it is a scenario");
        warnings.into_iter().map(|warning| warning.message).collect()
    }

    #[test]
    fn what_cron_parser_does_in_a_gap_is_said_once() {
        let start = "2026-01-05T00:00:00Z";
        let shifted = "`30 2 * * *` falls into hours that Europe/Berlin skips on 2026-03-29; \
                       cron-parser 4.9 runs it at 03:30";
        assert_eq!(said("30 2 * * *", "Europe/Berlin", start), [shifted]);
        let lost = "`0 0 * * *` falls into hours that America/Sao_Paulo skips on 2018-11-04; \
                    cron-parser 4.9 does not run it";
        assert_eq!(said("0 0 * * *", "America/Sao_Paulo", "2018-06-01T00:00:00Z"), [lost]);
    }

    #[test]
    fn other_hours_and_zones_are_silent() {
        for (pattern, zone) in [
            ("30 3 * * *", "Europe/Berlin"),
            ("30 * * * *", "Europe/Berlin"),
            ("30 2 * * *", "UTC"),
            ("30 2 * * *", "Asia/Tokyo"),
            // The hours that come twice: cron-parser runs it once.
            ("30 1 * * *", "America/New_York"),
        ] {
            assert_eq!(said(pattern, zone, "2026-01-05T00:00:00Z"), [""; 0], "{pattern} {zone}");
        }
    }

    #[test]
    fn a_run_that_comes_twice_is_said() {
        let said = said("45 1 * * *", "Australia/Lord_Howe", "2026-01-05T00:00:00Z");
        let twice = "`45 1 * * *` falls into hours that Australia/Lord_Howe has twice on \
                     2026-04-05; cron-parser 4.9 runs it twice";
        assert_eq!(said, [twice]);
    }
}
