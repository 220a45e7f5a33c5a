//! Rules about what is added: jobs that nobody processes, processors that get no jobs, queues
//! without workers, ids that are free again or never.

use std::collections::BTreeSet;

use super::super::diagnostic::{Diagnostic, code};
use super::super::{Action, Add, Keep};
use super::{Added, How, Lint, shown, takes};
use crate::clock::Span;
use crate::event::QueueId;

impl<'s> Lint<'s, '_> {
    pub(super) fn adds(&self, found: &mut Vec<Diagnostic>) {
        self.unprocessed(found);
        self.unfed(found);
        self.unworked(found);
        for added in self.adds.iter().filter(|added| self.runs(added)) {
            match added.how {
                How::Boot(add) => self.freed(found, added, add),
                How::Timer(add, _) | How::Job(add) => self.kept(found, added, add),
                How::Repeat(..) | How::Scheduler(..) => {}
            }
        }
    }

    /// Jobs of a name that has no processor.
    fn unprocessed(&self, found: &mut Vec<Diagnostic>) {
        let mut told = BTreeSet::new();
        for added in self.adds.iter().filter(|added| self.runs(added)) {
            let none = self.job(added.queue, added.name).is_none();
            if !none || !told.insert((added.queue, added.name)) {
                continue;
            }
            let key = match added.how {
                How::Scheduler(..) => "upsert_job_scheduler",
                _ => "add",
            };
            let name = shown(added.name);
            let message =
                format!("jobs named {name} do nothing: no `[job.NAME]` says what they do");
            let problem =
                Diagnostic::warning(code::NO_PROCESSOR, self.at(&added.path, &[key]), message);
            found.push(problem.help(format!("say it in a table `[job.{}]`", added.name)));
        }
    }

    /// Processors of jobs that nobody adds.
    fn unfed(&self, found: &mut Vec<Diagnostic>) {
        for (_, path, job) in self.processors() {
            let comes = |added: &Added<'_>| {
                *added.name == *job.name && job.queue.is_none_or(|queue| queue == added.queue)
            };
            if self.adds.iter().any(comes) {
                continue;
            }
            let message = format!("nobody adds jobs named {}", shown(&job.name));
            let at = self.at(&path, &[]);
            let problem = Diagnostic::warning(code::NEVER_PROCESSED, at, message);
            found.push(problem.help("add them in a release, or leave the table out"));
        }
    }

    /// Queues that get jobs and have no worker.
    fn unworked(&self, found: &mut Vec<Diagnostic>) {
        let worked: BTreeSet<QueueId> = self
            .steps
            .iter()
            .filter(|placed| self.used.contains(&placed.release))
            .filter_map(|placed| match &placed.step.action {
                Action::Worker(worker) => Some(worker.queue),
                _ => None,
            })
            .collect();
        let mut told = worked;
        for added in self.adds.iter().filter(|added| self.runs(added)) {
            if !told.insert(added.queue) {
                continue;
            }
            let name = self.queue_name(added.queue);
            let message = format!(
                "the queue {} gets jobs, and nothing that runs has a worker for it",
                shown(name)
            );
            let problem =
                Diagnostic::warning(code::NO_WORKER, self.of("queue", name, &[]), message);
            let problem = problem.and(self.at(&added.path, &["queue"]), "it gets jobs here");
            found.push(
                problem.help(format!("a release that runs needs `{{ worker = \"{name}\" }}`")),
            );
        }
    }

    /// A fixed id of a job that is done, and gone, before the last container boots.
    fn freed(&self, found: &mut Vec<Diagnostic>, added: &Added<'s>, add: &Add) {
        let gone = matches!(self.keep(add), Keep::None | Keep::Count(0));
        let (Some(job), Some(release), true) =
            (self.job(added.queue, added.name), added.release, gone && fixed(add))
        else {
            return;
        };
        let least = takes(job).0 + add.options.delay.unwrap_or(Span::ZERO);
        let spread = |service: &&super::super::Service| {
            service.replicas > 1
                && service.boot.most.nanos() - service.boot.least.nanos() > least.nanos()
        };
        let Some(service) = self.services_of(release).find(spread) else { return };
        let message = format!(
            "the id is free again before all containers of {} have booted: the job is removed when \
             it is done, after {least} perhaps",
            shown(&service.name)
        );
        let problem =
            Diagnostic::warning(code::ID_FREED, self.at(&added.path, &["job_id"]), message)
                .and(self.of("service", &service.name, &["boot"]), "they boot over a longer time")
                .help("keep completed jobs for longer than a deploy takes: `remove_on_complete = { age = \"1h\" }`");
        found.push(problem);
    }

    /// A fixed id of a job that is meant to come again and is kept for ever.
    fn kept(&self, found: &mut Vec<Diagnostic>, added: &Added<'s>, add: &Add) {
        if !fixed(add) || self.keep(add) != Keep::All {
            return;
        }
        let message = "a job of this id is added once and never again: completed jobs are kept, \
                       and so the id stays taken";
        let help = "name the tick's window in it, as in \"usage-{window}\", or remove completed \
                    jobs with `remove_on_complete`";
        let at = self.at(&added.path, &["job_id"]);
        found.push(Diagnostic::warning(code::ID_KEPT, at, message).help(help));
    }

    /// Which completed jobs are kept of those that a step adds: as they say themselves, or else a
    /// worker of their queue.
    fn keep(&self, add: &Add) -> Keep {
        let defaults = &self.scenario.queues[usize::from(add.queue.0)].defaults;
        let workers = || {
            self.steps.iter().find_map(|placed| match &placed.step.action {
                Action::Worker(worker) if worker.queue == add.queue => worker.remove_on_complete,
                _ => None,
            })
        };
        let own = add.options.remove_on_complete.or(defaults.remove_on_complete);
        own.or_else(workers).unwrap_or(Keep::All)
    }
}

/// Whether the job has an id that is always the same.
fn fixed(add: &Add) -> bool {
    add.options.job_id.as_ref().is_some_and(|id| id.pieces.len() == 1)
}
