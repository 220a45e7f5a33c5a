//! Rules about what a version of the library makes of what it is asked for: options that it does not
//! know, and a search of its cron parser that ends a schedule.

use super::super::diagnostic::{Diagnostic, code};
use super::super::place::{Part, Path};
use super::super::{Action, JobOptions, Repeat, RepeatWhen, Version};
use super::{How, Lint, shown};
use crate::bullmq::cron::{Cron, CronDialect};
use crate::civil::{HOUR_MS, MINUTE_MS, Zone};

impl Lint<'_, '_> {
    pub(super) fn versions(&self, found: &mut Vec<Diagnostic>) {
        for placed in self.steps.iter().filter(|placed| self.used.contains(&placed.release)) {
            let (version, path) = (self.scenario.releases[placed.release].library, &placed.path);
            match &placed.step.action {
                Action::Add(add) => {
                    self.unknown_options(found, version, path, &add.options);
                    if let Some(repeat) = add.repeat.as_ref().filter(|_| version >= Version::V6_7_0)
                    {
                        self.no_older_api(found, version, path, repeat);
                    }
                }
                Action::AddBulk(_, jobs) => {
                    for (number, add) in jobs.iter().enumerate() {
                        let below = [Part::key("add_bulk"), Part::Index(number)];
                        let path = [path.as_slice(), &below].concat();
                        self.unknown_options(found, version, &path, &add.options);
                    }
                }
                Action::UpsertJobScheduler { options, repeat, .. } => {
                    self.unknown_options(found, version, path, options);
                    let pattern = !matches!(repeat.when, RepeatWhen::Every(_));
                    if repeat.start_date.is_some() && pattern && version < Version::V5_81_5 {
                        self.unknown(found, version, path, &["repeat", "start_date"]);
                    }
                }
                Action::Worker(worker)
                    if worker.max_started_attempts.is_some() && version < Version::V5_81_5 =>
                {
                    self.unknown(found, version, path, &["max_started_attempts"]);
                }
                _ => {}
            }
        }
        self.ends(found);
    }

    /// Options of a job that a version takes and does not look at.
    fn unknown_options(
        &self,
        found: &mut Vec<Diagnostic>,
        version: Version,
        path: &Path,
        options: &JobOptions,
    ) {
        let old = version < Version::V5_81_5;
        if let Some(held) = &options.deduplication {
            for (key, given) in [
                ("extend", held.extend && old),
                ("replace", held.replace && old),
                ("keep_last_if_active", held.keep_last_if_active && old),
                ("reschedule", held.reschedule && version < Version::V6_7_0),
            ] {
                if given {
                    self.unknown(found, version, path, &["deduplication", key]);
                }
            }
        }
        if old && options.backoff.is_some_and(|backoff| backoff.jitter > 0) {
            self.unknown(found, version, path, &["backoff", "jitter"]);
        }
    }

    fn unknown(&self, found: &mut Vec<Diagnostic>, version: Version, path: &Path, keys: &[&str]) {
        let key = keys.last().copied().unwrap_or_default();
        let message = format!("{version} does not know `{key}` and ignores it");
        found.push(Diagnostic::warning(code::IGNORED, self.at(path, keys), message));
    }

    /// An `add` with a `repeat` where there is no older API: an ordinary job.
    fn no_older_api(
        &self,
        found: &mut Vec<Diagnostic>,
        version: Version,
        path: &Path,
        repeat: &Repeat,
    ) {
        // Of a pattern that it refuses elsewhere another warning says more.
        if matches!(repeat.when, RepeatWhen::Refused(_)) {
            return;
        }
        let message =
            format!("{version} ignores the `repeat` of an add: the job runs once, at once");
        let problem = Diagnostic::warning(code::IGNORED, self.at(path, &["repeat"]), message);
        found.push(problem.help("it repeats with `upsert_job_scheduler`"));
    }

    /// Registrations whose next iteration cron-parser 5 does not find where clocks are put back by
    /// less than an hour: nothing comes after that.
    fn ends(&self, found: &mut Vec<Diagnostic>) {
        for added in self.adds.iter().filter(|added| self.runs(added)) {
            let (How::Repeat(_, repeat) | How::Scheduler(_, repeat)) = added.how else { continue };
            let own = added.release.and_then(|release| self.zone_of(release));
            let (RepeatWhen::Pattern(cron), Some(zone)) =
                (&repeat.when, repeat.zone.as_ref().or(own))
            else {
                continue;
            };
            let (start, length) = (self.scenario.start, self.scenario.length);
            let Some(last) = end_of(cron, zone, start.ms(), (start + length).ms()) else {
                continue;
            };
            let message = format!(
                "{} may end this schedule: after {} in {} it finds no next run of {}",
                cron.dialect(),
                super::times::day_and_time(last, zone),
                zone.name(),
                shown(cron.pattern()),
            );
            let at = self.at(&added.path, &["repeat", "pattern"]);
            let help = "clocks are put back there by less than an hour; take a zone without that";
            found.push(Diagnostic::warning(code::ENDS, at, message).help(help));
        }
    }
}

/// An instant between two others, around a change of a zone's clocks, at which the parser gives up a
/// pattern that it goes on with before and after.
fn end_of(cron: &Cron, zone: &Zone, from: i64, until: i64) -> Option<i64> {
    if cron.dialect() != CronDialect::V5 {
        return None;
    }
    let mut change = zone.span_at(from).end_ms;
    while change < until {
        let before = zone.span_at(change - 1).offset_ms;
        let back = before - zone.span_at(change).offset_ms;
        if (1..HOUR_MS).contains(&back) {
            let steps = (-4..=4).map(|step| change + step * 15 * MINUTE_MS);
            let mut gives_up = steps.filter(|at| cron.next(*at, zone).is_none());
            let goes_on = cron.next(change + 24 * HOUR_MS, zone).is_some();
            if let Some(at) = gives_up.next().filter(|_| goes_on) {
                return Some(at);
            }
        }
        change = zone.span_at(change).end_ms;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::parse;

    fn codes(library: &str, step: &str) -> Vec<&'static str> {
        let text = format!(
            "format = 1\nname = 'versions'\nstart = 2026-04-03T00:00:00Z\nlength = '4d'\n[queue.q]\n\
             [schedule.s]\nevery = '1h'\nqueue = 'q'\njob = 's'\n[job.j]\n[release.r]\n\
             library = '{library}'\nsteps = [ {step}, {{ worker = 'q' }} ]\n[service.w]\nrelease = 'r'\n\
             [[expect]]\nsometimes = 'a job fails'\n"
        );
        let (_, warnings) = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        warnings.iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn an_option_is_ignored_by_the_versions_that_do_not_know_it() {
        let versions = ["bullmq@5.34.10", "bullmq@5.81.5", "bullmq@6.7.0"];
        let ignored = |step: &str| versions.map(|version| codes(version, step).contains(&"BR119"));
        let add = |options: &str| ignored(&format!("{{ add = 'j', queue = 'q', {options} }}"));
        let held = |word: &str| add(&format!("deduplication = {{ id = 'd', {word} = true }}"));
        assert_eq!(held("replace"), [true, false, false]);
        assert_eq!(held("reschedule"), [true, true, false]);
        let jitter = "backoff = { type = 'fixed', delay = '1s', jitter = '1%' }";
        assert_eq!(add(jitter), [true, false, false]);
        assert_eq!(add("repeat = { every = '1h' }"), [false, false, true]);
        assert_eq!(add("attempts = 3"), [false; 3]);
    }

    #[test]
    fn a_schedule_ends_where_cron_parser_5_meets_a_put_back_of_half_an_hour() {
        let ends = |library: &str, zone: &str| {
            let repeat = format!("repeat = {{ pattern = '0 2 * * *', tz = '{zone}' }}");
            let step =
                format!("{{ upsert_job_scheduler = 's', queue = 'q', name = 'j', {repeat} }}");
            codes(library, &step).contains(&"BR120")
        };
        assert!(ends("bullmq@6.7.0", "Australia/Lord_Howe"));
        assert!(!ends("bullmq@5.81.5", "Australia/Lord_Howe"));
        assert!(!ends("bullmq@6.7.0", "Australia/Sydney"));
    }
}
