//! The arguments of calls that make jobs and end them.

use bootrace_sim::bullmq::Version;
use bootrace_sim::bullmq::keys::iteration_id;
use bootrace_sim::bullmq::options::{
    BackoffKind, BackoffOptions, Deduplication, KeepJobs, KeepOptions, Options, RepeatOptions,
};
use bootrace_sim::bullmq::scripts::{
    AddJob, AddJobScheduler, AddRepeatableJob, Call, MoveToFinished, Outcome, RegistrationOptions,
    UpdateJobScheduler,
};
use bootrace_sim::redis::Bytes;

use super::{CUSTOM, Generator, REGISTRATIONS, View};
use crate::play::START_MS;

const NAMES: [&str; 2] = ["a", "b"];
const DATA: [&str; 4] = ["{}", "{\"n\":1}", "null", "[\"é\"]"];
/// The grid of the instants at which iterations are due.
const SLOT: i64 = 100;

impl Generator {
    fn keep(&mut self) -> Option<KeepOptions> {
        Some(match self.below(8) {
            0 => KeepOptions::Remove(true),
            1 => KeepOptions::Remove(false),
            2 => KeepOptions::Count(self.pick([0, 1, 2])),
            3 => KeepOptions::Limits { age: Some(self.pick([0, 1, 5])), count: None },
            4 => KeepOptions::Limits { age: None, count: Some(self.pick([0, 1, 2])) },
            5 => KeepOptions::Limits { age: Some(1), count: Some(2) },
            _ => return None,
        })
    }

    /// What options have that does not say where the job goes.
    fn plain_options(&mut self) -> Options {
        let backoff = self.once_in(3).then(|| BackoffOptions {
            kind: self.pick([BackoffKind::Fixed, BackoffKind::Exponential]),
            delay: self.pick([5, 100]),
            jitter: self.pick([None, Some(0.25)]),
        });
        let deduplication = self.once_in(self.deduplicated).then(|| Deduplication {
            id: self.pick(["d0", "d1"]).to_owned(),
            ttl: self.pick([None, None, Some(1), Some(50), Some(1000), Some(20_000)]),
            extend: self.once_in(3),
            replace: self.once_in(3),
            keep_last_if_active: self.once_in(3),
            reschedule: self.once_in(3),
        });
        Options {
            attempts: Some(self.pick([0, 1, 2, 3])),
            backoff,
            lifo: self.once_in(5),
            remove_on_complete: self.keep(),
            remove_on_fail: self.keep(),
            deduplication,
            ..Options::default()
        }
    }

    /// An add of a job, by its options.
    fn add_of(&mut self, options: Options, view: &View<'_>, registration: Option<Bytes>) -> Call {
        let args = Box::new(AddJob {
            id: options.job_id.as_deref().map(Bytes::from),
            name: self.text(NAMES),
            data: self.text(DATA),
            options: options.to_json().into(),
            timestamp: options.timestamp.unwrap_or(view.now),
            delay: options.delay.unwrap_or(0),
            priority: options.priority.unwrap_or(0),
            lifo: options.lifo,
            registration,
            deduplication: options.deduplication.clone(),
            tick: None,
        });
        match (options.delay, options.priority) {
            (Some(_), _) => Call::AddDelayedJob(args),
            (None, Some(_)) => Call::AddPrioritizedJob(args),
            (None, None) => Call::AddStandardJob(args),
        }
    }

    pub(super) fn add(&mut self, view: &View<'_>) -> Call {
        let delayed = self.once_in(3);
        let options = Options {
            delay: delayed.then(|| self.pick([0, 1, 5, 50, 50, 2000])),
            priority: self.once_in(3).then(|| self.pick([1, 2, 2_097_151])),
            job_id: self.once_in(2).then(|| self.pick(CUSTOM).to_owned()),
            timestamp: self.once_in(8).then(|| view.now - self.pick([1, 40, 1000])),
            ..self.plain_options()
        };
        self.add_of(options, view, None)
    }

    /// The second round trip of the older API: the iteration that a registration stands for.
    pub(super) fn iteration(&mut self, view: &View<'_>) -> Call {
        let mut registrations = view.set(&view.keys.repeat);
        if registrations.is_empty() {
            return self.add(view);
        }
        let (key, millis) = registrations.swap_remove(self.below(registrations.len()));
        let millis = millis as i64;
        let options = Options {
            delay: Some((millis - view.now).max(0)),
            priority: self.once_in(3).then_some(2),
            job_id: Some(iteration_id(&key, millis).to_string()),
            timestamp: Some(view.now),
            prev_millis: Some(millis),
            repeat: Some(self.repeat()),
            ..self.plain_options()
        };
        self.add_of(options, view, Some(key))
    }

    fn repeat(&mut self) -> RepeatOptions {
        let every = self.once_in(2);
        RepeatOptions {
            every: every.then(|| self.pick([SLOT, 3 * SLOT, 30])),
            pattern: (!every).then(|| "0 0 3 * * *".to_owned()),
            tz: self.once_in(3).then(|| "Europe/London".to_owned()),
            limit: self.once_in(4).then_some(5),
            count: Some(self.pick([1, 2])),
            offset: self.once_in(3).then(|| self.pick([0, 7, 99, 150])),
            end_date: self.once_in(5).then_some(START_MS + 100_000),
            start_date: self.once_in(5).then(|| START_MS + self.pick([50, 150, 2000])),
            ..RepeatOptions::default()
        }
    }

    fn registration(&mut self, repeat: &RepeatOptions) -> RegistrationOptions {
        RegistrationOptions {
            name: self.text(NAMES),
            tz: repeat.tz.as_deref().map(Bytes::from),
            pattern: repeat.pattern.as_deref().map(Bytes::from),
            every: repeat.every,
            end_date: repeat.end_date,
            start_date: repeat.start_date,
            limit: repeat.limit,
            offset: repeat.offset,
        }
    }

    /// The next instant of a job scheduler, if its client computes it: with `every` the later
    /// versions' scripts do.
    fn next(&mut self, repeat: &RepeatOptions, view: &View<'_>) -> Option<i64> {
        let computed = self.version < Version::V5_81_5 || repeat.every.is_none();
        computed.then(|| self.slot(view))
    }

    /// An instant of the grid, near now.
    pub(super) fn slot(&mut self, view: &View<'_>) -> i64 {
        (view.now.div_euclid(SLOT) + self.pick([-1, 0, 0, 1, 1, 2])) * SLOT
    }

    pub(super) fn add_repeatable(&mut self, view: &View<'_>) -> AddRepeatableJob {
        let repeat = self.repeat();
        AddRepeatableJob {
            next_millis: self.slot(view),
            options: self.registration(&repeat),
            legacy_key: self.text(REGISTRATIONS),
            key: self.text(REGISTRATIONS),
        }
    }

    pub(super) fn add_scheduler(&mut self, view: &View<'_>) -> AddJobScheduler {
        let repeat = self.repeat();
        let next_millis = self.next(&repeat, view);
        let id = self.text(REGISTRATIONS);
        let delay = next_millis.map(|next| (next - view.now).max(0));
        let empty = self.once_in(2);
        let template = if empty { Options::default() } else { self.plain_options() };
        let priority = self.once_in(3).then_some(3);
        let options = self.registration(&repeat);
        let job = Options {
            attempts: Some(template.attempts.unwrap_or(0)),
            delay,
            priority,
            job_id: next_millis.map(|next| iteration_id(&id, next).to_string()),
            timestamp: Some(view.now),
            prev_millis: next_millis,
            repeat: Some(repeat),
            ..template.clone()
        };
        AddJobScheduler {
            next_millis,
            options,
            id,
            data: self.text(DATA),
            template: Options { priority, ..template }.to_json().into(),
            deduplication: job.deduplication.as_ref().map(|held| held.id.as_str().into()),
            job_options: job.to_json().into(),
            timestamp: view.now,
            delay: delay.unwrap_or(0),
            priority: priority.unwrap_or(0),
        }
    }

    pub(super) fn update_scheduler(&mut self, view: &View<'_>) -> UpdateJobScheduler {
        // The iteration that runs; sometimes any other job.
        let active = view.list(&view.keys.active).into_iter();
        let running = active.filter(|id| view.field(id, "rjk").is_some()).collect();
        let mut producer = self.one_of(running, view);
        let mut id = view.field(&producer, "rjk").unwrap_or_else(|| self.text(REGISTRATIONS));
        if self.once_in(3) {
            let mut registrations = view.set(&view.keys.repeat);
            if !registrations.is_empty() {
                let (key, millis) = registrations.swap_remove(self.below(registrations.len()));
                producer = iteration_id(&key, millis as i64);
                id = key;
            }
        }
        let repeat = self.repeat();
        let next_millis = self.next(&repeat, view);
        let delay = next_millis.map(|next| (next - view.now).max(0));
        let job = Options {
            delay,
            priority: self.once_in(3).then_some(3),
            job_id: next_millis.map(|next| iteration_id(&id, next).to_string()),
            timestamp: Some(view.now),
            prev_millis: next_millis,
            repeat: Some(repeat),
            ..self.plain_options()
        };
        UpdateJobScheduler {
            next_millis,
            id,
            data: self.text(DATA),
            deduplication: job.deduplication.as_ref().map(|held| held.id.as_str().into()),
            job_options: job.to_json().into(),
            timestamp: view.now,
            delay: delay.unwrap_or(0),
            priority: job.priority.unwrap_or(0),
            producer,
        }
    }

    pub(super) fn finish(&mut self, view: &View<'_>) -> MoveToFinished {
        let (id, token) = self.held(view);
        let keep = self.keep();
        let outcome = match self.below(3) {
            0 => Outcome::Failed(self.text(["why", "wärum"])),
            _ => Outcome::Completed(self.text(["null", "{\"ok\":true}"])),
        };
        MoveToFinished {
            id,
            timestamp: view.now,
            outcome,
            token,
            keep: KeepJobs::from(keep.as_ref()),
            attempts: self.pick([0, 1, 2, 3]),
            fetch_next: !self.once_in(4),
            options: self.worker.clone(),
        }
    }
}
