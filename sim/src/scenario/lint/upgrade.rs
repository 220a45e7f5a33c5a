//! Rules about releases: those that never run, and those that leave the registration of the one
//! before them behind.

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Action, Change, Happens, Repeat, RepeatWhen};
use super::{Added, How, Lint, shown};

/// What makes a registration the same one.
#[derive(PartialEq, Eq)]
enum Identity<'s> {
    /// The parts of the older API's key: job id, zone, end and time.
    Older(Option<&'s str>, Option<&'s str>, String),
    /// A scheduler's id, or the key that a repeat of the older API is given: both are the registration's
    /// own name.
    Named(&'s str),
}

impl<'s> Lint<'s, '_> {
    pub(super) fn upgrades(&self, found: &mut Vec<Diagnostic>) {
        self.unused(found);
        self.left_behind(found);
    }

    fn unused(&self, found: &mut Vec<Diagnostic>) {
        for (number, release) in self.scenario.releases.iter().enumerate() {
            if release.by_hand || self.used.contains(&number) {
                continue;
            }
            let message =
                format!("no service and no event uses the release {}", shown(&release.name));
            let at = self.of("release", &release.name, &[]);
            found.push(Diagnostic::warning(code::UNUSED_RELEASE, at, message));
        }
    }

    /// A release that is deployed and registers jobs under another key than one before it did,
    /// which nobody removes.
    fn left_behind(&self, found: &mut Vec<Diagnostic>) {
        for after in self.adds.iter().filter(|added| self.is_deployed(added)) {
            let Some(identity) = identity(after) else { continue };
            let before = self.adds.iter().find(|before| {
                let same_jobs = before.queue == after.queue && before.name == after.name;
                let of_other = before.release.is_some() && before.release != after.release;
                same_jobs
                    && of_other
                    && self.runs(before)
                    && identity_of_other(before, &identity)
                    && !self.registers(after.release, before)
                    && !self.removes(after.release, before)
            });
            let Some(before) = before else { continue };
            let named = |added: &Added<'_>| {
                let release = &self.scenario.releases[added.release.unwrap_or_default()];
                shown(&release.name)
            };
            let message = format!(
                "the release {} registers {} under another key than {} and does not remove that \
                 registration: both fire",
                named(after),
                shown(after.name),
                named(before)
            );
            let problem =
                Diagnostic::warning(code::LEFT_BEHIND, self.at(&after.path, key(after)), message)
                    .and(self.at(&before.path, key(before)), "this registration stays");
            found.push(problem.help(
                "remove it first, with the options that it was made with: `remove_repeatable` or \
                 `remove_job_scheduler`",
            ));
        }
    }

    fn is_deployed(&self, added: &Added<'_>) -> bool {
        self.scenario.events.iter().any(|event| {
            matches!(event.happens, Happens::To(_, Change::Deploy(release, _))
                if Some(usize::from(release.0)) == added.release)
        })
    }

    /// Whether a release makes the registration of another one, too.
    fn registers(&self, release: Option<usize>, other: &Added<'s>) -> bool {
        let other_identity = identity(other);
        self.adds.iter().any(|added| {
            added.release == release
                && added.queue == other.queue
                && added.name == other.name
                && identity(added) == other_identity
        })
    }

    /// Whether a release, or a person, removes a registration.
    fn removes(&self, release: Option<usize>, other: &Added<'s>) -> bool {
        let other_identity = identity(other);
        self.steps.iter().any(|placed| {
            let by = &self.scenario.releases[placed.release];
            let acts = Some(placed.release) == release || by.by_hand;
            acts && match &placed.step.action {
                Action::RemoveRepeatable { queue, name, repeat, job_id } => {
                    *queue == other.queue
                        && **name == *other.name
                        && Some(older(repeat, job_id.as_deref())) == other_identity
                }
                Action::RemoveJobScheduler { queue, id } => {
                    *queue == other.queue && Some(Identity::Named(id)) == other_identity
                }
                Action::RemoveAllRepeatables(queue) | Action::Obliterate { queue, .. } => {
                    *queue == other.queue
                }
                _ => false,
            }
        })
    }
}

fn identity_of_other(before: &Added<'_>, after: &Identity<'_>) -> bool {
    identity(before).is_some_and(|before| before != *after)
}

/// Which registration it is, if it is one.
fn identity<'s>(added: &Added<'s>) -> Option<Identity<'s>> {
    match added.how {
        How::Repeat(add, repeat) => {
            let id = add.options.job_id.as_ref();
            // An id that names a window is no one registration.
            if id.is_some_and(|id| id.pieces.len() > 1) {
                return None;
            }
            Some(older(repeat, id.and_then(|id| id.pieces.first()).map(|piece| &**piece)))
        }
        How::Scheduler(id, _) => Some(Identity::Named(id)),
        How::Boot(_) | How::Timer(..) | How::Job(_) => None,
    }
}

fn older<'s>(repeat: &'s Repeat, job_id: Option<&'s str>) -> Identity<'s> {
    if let Some(key) = &repeat.key {
        return Identity::Named(key);
    }
    let when = match &repeat.when {
        RepeatWhen::Pattern(cron) => cron.pattern().to_owned(),
        RepeatWhen::Refused(pattern) => pattern.to_string(),
        RepeatWhen::Every(period) => period.ms().to_string(),
    };
    let zone = repeat.zone.as_ref().map(crate::civil::Zone::name);
    let end = repeat.end_date.map(|end| end.ms().to_string()).unwrap_or_default();
    Identity::Older(job_id, zone, format!("{end}:{when}"))
}

/// The value of a step that makes its registration what it is.
fn key(added: &Added<'_>) -> &'static [&'static str] {
    match added.how {
        How::Repeat(add, _) if add.options.job_id.is_some() => &["job_id"],
        How::Repeat(..) => &["repeat"],
        _ => &["upsert_job_scheduler"],
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::parse;
    use super::code;

    /// Whether a deploy from one step that registers to another is warned of.
    fn warned(older: &str, newer: &str) -> bool {
        let text = format!(
            "format = 1\nname = \"a deploy\"\nlength = \"2h\"\n[queue.mail]\n[job.digest]\n\
             [release.older]\nlibrary = \"bullmq@5.81.5\"\n\
             steps = [ {{ {older} }}, {{ worker = \"mail\" }} ]\n\
             [release.newer]\nlibrary = \"bullmq@5.81.5\"\n\
             steps = [ {{ {newer} }}, {{ worker = \"mail\" }} ]\n\
             [service.web]\nrelease = \"older\"\n[[event]]\nat = \"1h\"\ndeploy = \"newer\"\n\
             [[expect]]\nsometimes = \"a job fails\"\n"
        );
        let (_, warnings) = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        warnings.iter().any(|warning| warning.code == code::LEFT_BEHIND)
    }

    fn add(repeat: &str) -> String {
        format!("add = \"digest\", queue = \"mail\", repeat = {{ {repeat} }}")
    }

    #[test]
    fn a_key_of_its_own_is_the_registration_whatever_else_changes() {
        let (hourly, daily) = ("pattern = \"0 * * * *\"", "pattern = \"0 0 * * *\"");
        let keyed = |when: &str, key: &str| add(&format!("{when}, key = \"{key}\""));
        assert!(warned(&add(hourly), &add(daily)));
        assert!(!warned(&keyed(hourly, "a"), &keyed(daily, "a")));
        assert!(warned(&keyed(hourly, "a"), &keyed(hourly, "b")));
        assert!(warned(&add(hourly), &keyed(hourly, "a")));
        let upsert = format!(
            "upsert_job_scheduler = \"a\", name = \"digest\", queue = \"mail\", repeat = {{ {daily} }}"
        );
        assert!(!warned(&keyed(hourly, "a"), &upsert), "a scheduler's id is its key");
        assert!(warned(&add(hourly), &upsert));
    }
}
