//! The lines of steps, of jobs and of the options that they give.

use super::super::{
    Action, Add, Backoff, ByHand, Condition, Counted, DatabaseAction, DatabaseStep, Job,
    JobOptions, JobStep, Keep, LockKind, OnError, Outcome, Repeat, RepeatWhen, Step, Template,
    Then, Worker,
};
use super::{Printer, Whose, instant, length, percentage_of_millionths, quoted, range, span};
use crate::event::{Finish, JobList, StepResult};

impl<'s> Printer<'s> {
    pub(super) fn job(&mut self, job: &Job) {
        self.table(&["job", &job.name], true, |printer| {
            if let Some(queue) = job.queue {
                printer.say(&["queue"], printer.queue_name(queue));
            }
            let outcomes: Vec<String> = job.outcomes.iter().map(outcome).collect();
            let outcomes = match outcomes.as_slice() {
                [one] => one.clone(),
                all => format!("[{}]", all.join(", ")),
            };
            printer.say_or(Whose::Bootrace, &["outcome"], outcomes);
            let counted = match job.counted {
                Counted::Made => "\"made\"",
                Counted::Started => "\"started\"",
            };
            printer.say_or(Whose::Bootrace, &["count_by"], counted);
            if job.steps.is_empty() {
                printer.say_or(Whose::Bootrace, &["steps"], "[]");
            }
            for (number, step) in job.steps.iter().enumerate() {
                printer.element("steps", number, |printer| printer.job_step(step));
            }
        });
    }

    fn job_step(&mut self, step: &JobStep) {
        match step {
            JobStep::Query(takes) => self.say(&["query"], range(takes)),
            JobStep::Sleep(takes) => self.say(&["sleep"], range(takes)),
            JobStep::Block(takes) => self.say(&["block"], range(takes)),
            JobStep::Write { rows, batches, takes } => {
                self.say(&["write", "rows"], rows.to_string());
                self.say_or(Whose::Bootrace, &["write", "batches"], batches.to_string());
                self.say_or(Whose::Bootrace, &["write", "takes"], range(takes));
            }
            JobStep::Add(add) => self.add(add),
            JobStep::RateLimit(range_of) => self.say(&["rate_limit"], range(range_of)),
            JobStep::Database(step, then, otherwise) => {
                self.statement(step);
                self.say_or(Whose::Bootrace, &["then"], then_of(*then));
                self.say_or(Whose::Bootrace, &["else"], then_of(*otherwise));
            }
        }
    }

    /// A list of start-up steps, which stands behind all other keys of its table.
    pub(super) fn steps(&mut self, key: &str, steps: &'s [Step]) {
        if steps.is_empty() {
            self.say(&[key], "[]");
        }
        for (number, step) in steps.iter().enumerate() {
            self.element(key, number, |printer| printer.step(step));
        }
    }

    /// What a person does: one thing to one job, or a list of steps.
    pub(super) fn by_hand(&mut self, steps: &'s [Step]) {
        if let [Step { action: Action::Job { queue, name, does }, on_error, .. }] = steps
            && *on_error == OnError::Ignore
        {
            self.say(&[does_of(*does).1], quoted(name));
            self.say_or(Whose::Bootrace, &["queue"], self.queue_name(*queue));
        } else {
            self.steps("edit", steps);
        }
    }

    fn step(&mut self, step: &'s Step) {
        match &step.action {
            Action::Timer { pattern, .. } => self.say(&["timer"], quoted(pattern.pattern())),
            Action::Parallel(_) => {}
            Action::AddBulk(queue, _) => self.say(&["queue"], self.queue_name(*queue)),
            action => self.action(action),
        }
        if let Action::Timer { zone: Some(zone), .. } = &step.action {
            self.say(&["tz"], quoted(zone.name()));
        }
        self.carried(step);
        match &step.action {
            Action::Timer { steps, .. } => self.steps("steps", steps),
            Action::Parallel(steps) => self.steps("parallel", steps),
            Action::AddBulk(_, jobs) => self.bulk(jobs),
            _ => {}
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Add(add) => self.add(add),
            Action::UpsertJobScheduler { queue, id, repeat, name, options } => {
                self.say(&["upsert_job_scheduler"], quoted(id));
                self.say(&["queue"], self.queue_name(*queue));
                self.say_or(Whose::Bootrace, &["name"], quoted(name));
                self.repeat(repeat);
                self.options(&[], options);
            }
            Action::RemoveRepeatable { queue, name, repeat, job_id } => {
                self.say(&["remove_repeatable"], quoted(name));
                self.say(&["queue"], self.queue_name(*queue));
                self.repeat(repeat);
                if let Some(id) = job_id {
                    self.say(&["job_id"], quoted(id));
                }
            }
            Action::RemoveJobScheduler { queue, id } => {
                self.say(&["remove_job_scheduler"], quoted(id));
                self.say(&["queue"], self.queue_name(*queue));
            }
            Action::RemoveRepeatableByKey { queue, key } => {
                self.say(&["remove_repeatable_by_key"], quoted(key));
                self.say(&["queue"], self.queue_name(*queue));
            }
            Action::GetRepeatableJobs(queue) => {
                self.say(&["get_repeatable_jobs"], self.queue_name(*queue));
            }
            Action::GetJobSchedulers { queue, finds } => {
                self.say(&["get_job_schedulers"], self.queue_name(*queue));
                if let Some((id, repeat)) = finds {
                    self.say(&["id"], quoted(id));
                    repeat.iter().for_each(|repeat| self.repeat(repeat));
                }
            }
            Action::RemoveGlobalConcurrency(queue) => {
                self.say(&["remove_global_concurrency"], self.queue_name(*queue));
            }
            Action::RemoveGlobalRateLimit(queue) => {
                self.say(&["remove_global_rate_limit"], self.queue_name(*queue));
            }
            Action::Worker(worker) => self.worker(worker),
            Action::RemoveAllRepeatables(queue) => {
                self.say(&["remove_all_repeatables"], self.queue_name(*queue));
            }
            Action::Pause(queue) => self.say(&["pause"], self.queue_name(*queue)),
            Action::Resume(queue) => self.say(&["resume"], self.queue_name(*queue)),
            Action::Drain { queue, delayed } => {
                self.say(&["drain"], self.queue_name(*queue));
                self.say_or(Whose::BullMq, &["delayed"], delayed.to_string());
            }
            Action::Obliterate { queue, force } => {
                self.say(&["obliterate"], self.queue_name(*queue));
                self.say_or(Whose::BullMq, &["force"], force.to_string());
            }
            Action::Clean { queue, state, grace, limit } => {
                self.say(&["clean"], self.queue_name(*queue));
                let state = match state {
                    JobList::Completed => "\"completed\"",
                    JobList::Failed => "\"failed\"",
                    JobList::Wait => "\"wait\"",
                    JobList::Paused => "\"paused\"",
                    JobList::Active => "\"active\"",
                    JobList::Delayed => "\"delayed\"",
                    JobList::Prioritized => "\"prioritized\"",
                };
                self.say_or(Whose::BullMq, &["state"], state);
                self.say(&["grace"], span(*grace));
                self.say_or(Whose::BullMq, &["limit"], limit.to_string());
            }
            Action::PromoteJobs(queue) => self.say(&["promote_jobs"], self.queue_name(*queue)),
            Action::RetryJobs { queue, state } => {
                self.say(&["retry_jobs"], self.queue_name(*queue));
                let state = match state {
                    Finish::Failed => "\"failed\"",
                    Finish::Completed => "\"completed\"",
                };
                self.say_or(Whose::BullMq, &["state"], state);
            }
            Action::SetGlobalConcurrency { queue, concurrency } => {
                self.say(&["set_global_concurrency"], self.queue_name(*queue));
                self.say(&["concurrency"], concurrency.to_string());
            }
            Action::SetGlobalRateLimit { queue, limiter } => {
                self.say(&["set_global_rate_limit"], self.queue_name(*queue));
                self.say(&["max"], limiter.max.to_string());
                self.say(&["duration"], span(limiter.duration));
            }
            Action::Job { queue, name, does } => {
                self.say(&[does_of(*does).0], quoted(name));
                self.say(&["queue"], self.queue_name(*queue));
            }
            Action::Sleep(takes) => self.say(&["sleep"], range(takes)),
            Action::Open(queue) => self.say(&["queue"], self.queue_name(*queue)),
            Action::Database(step) => self.statement(step),
            // Their lists stand behind what the step carries.
            Action::Timer { .. } | Action::Parallel(_) | Action::AddBulk(..) => {}
        }
    }

    fn bulk(&mut self, jobs: &'s [Add]) {
        if jobs.is_empty() {
            self.say(&["add_bulk"], "[]");
        }
        for (number, job) in jobs.iter().enumerate() {
            self.element("add_bulk", number, |printer| {
                printer.say(&["add"], quoted(&job.name));
                printer.options(&[], &job.options);
            });
        }
    }

    /// What every step may carry.
    fn carried(&mut self, step: &'s Step) {
        // What goes on until the process ends is not awaited, and a file cannot say so.
        if !matches!(step.action, Action::Worker(_) | Action::Timer { .. }) {
            self.say_or(Whose::Bootrace, &["await"], step.awaited.to_string());
        }
        match step.on_error {
            OnError::Exit => self.say_or(Whose::Bootrace, &["on_error"], "\"exit\""),
            OnError::Ignore => self.say(&["on_error"], "\"ignore\""),
            OnError::Retry { times, delay } => {
                self.say(&["on_error", "retry"], times.to_string());
                self.say(&["on_error", "delay"], span(delay));
            }
        }
        let once = if step.once { "\"process\"" } else { "\"call\"" };
        self.say_or(Whose::Bootrace, &["once_per"], once);
        step.when.iter().for_each(|condition| self.condition(condition));
        if let Some(name) = &step.name {
            self.say(&["as"], quoted(name));
            self.named.push((step.number, name));
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Env(name, value) => self.say(&["when", "env", name], quoted(value)),
            Condition::Ordinal(ordinal) => self.say(&["when", "ordinal"], ordinal.to_string()),
            Condition::FirstBoot(first) => self.say(&["when", "first_boot"], first.to_string()),
            Condition::Came(step, result) => {
                let named = self.named.iter().find(|(number, _)| number == step);
                self.say(&["when", "step"], quoted(named.map_or("", |(_, name)| name)));
                let result = match result {
                    StepResult::Done => "\"done\"",
                    StepResult::Nothing => "\"nothing\"",
                    StepResult::Failed => "\"failed\"",
                };
                self.say_or(Whose::Bootrace, &["when", "result"], result);
            }
        }
    }

    fn add(&mut self, add: &Add) {
        self.say(&["add"], quoted(&add.name));
        self.say(&["queue"], self.queue_name(add.queue));
        add.repeat.iter().for_each(|repeat| self.repeat(repeat));
        self.options(&[], &add.options);
    }

    fn repeat(&mut self, repeat: &Repeat) {
        match &repeat.when {
            RepeatWhen::Pattern(cron) => self.say(&["repeat", "pattern"], quoted(cron.pattern())),
            RepeatWhen::Refused(pattern) => self.say(&["repeat", "pattern"], quoted(pattern)),
            RepeatWhen::Every(period) => self.say(&["repeat", "every"], span(*period)),
        }
        if let Some(zone) = &repeat.zone {
            self.say(&["repeat", "tz"], quoted(zone.name()));
        }
        for (key, date) in [("start_date", repeat.start_date), ("end_date", repeat.end_date)] {
            if let Some(date) = date {
                self.say(&["repeat", key], instant(date));
            }
        }
        self.say_or(Whose::BullMq, &["repeat", "immediately"], repeat.immediately.to_string());
        if let Some(limit) = repeat.limit {
            self.say(&["repeat", "limit"], limit.to_string());
        }
        if let Some(key) = &repeat.key {
            self.say(&["repeat", "key"], quoted(key));
        }
        if let Some(offset) = repeat.offset {
            self.say(&["repeat", "offset"], span(offset));
        }
    }

    fn worker(&mut self, worker: &Worker) {
        self.say(&["worker"], self.queue_name(worker.queue));
        self.say_or(Whose::BullMq, &["concurrency"], worker.concurrency.to_string());
        if let Some(limiter) = worker.limiter {
            self.say(&["limiter", "max"], limiter.max.to_string());
            self.say(&["limiter", "duration"], span(limiter.duration));
        }
        self.say_or(Whose::BullMq, &["lock_duration"], span(worker.lock_duration));
        self.say_or(Whose::BullMq, &["stalled_interval"], span(worker.stalled_interval));
        self.say_or(Whose::BullMq, &["max_stalled_count"], worker.max_stalled_count.to_string());
        self.say_or(Whose::BullMq, &["drain_delay"], span(worker.drain_delay));
        if let Some(most) = worker.max_started_attempts {
            self.say(&["max_started_attempts"], most.to_string());
        }
        if let Some(renew) = worker.lock_renew_time {
            self.say(&["lock_renew_time"], span(renew));
        }
        for (key, is) in [
            ("skip_stalled_check", worker.skip_stalled_check),
            ("skip_lock_renewal", worker.skip_lock_renewal),
            ("autorun", worker.autorun),
            ("force_close", worker.force_close),
        ] {
            self.say_or(Whose::BullMq, &[key], is.to_string());
        }
        for (key, kept) in [
            ("remove_on_complete", worker.remove_on_complete),
            ("remove_on_fail", worker.remove_on_fail),
        ] {
            if let Some(kept) = kept {
                self.say(&[key], keep_table(&kept));
            }
        }
    }

    fn statement(&mut self, step: &DatabaseStep) {
        let (key, name) = match &step.action {
            DatabaseAction::Lock(name, _) => ("lock", name),
            DatabaseAction::Unlock(name) => ("unlock", name),
            DatabaseAction::Insert(name) => ("insert", name),
            DatabaseAction::Delete(name) => ("delete", name),
            DatabaseAction::Find(name) => ("find", name),
        };
        self.say(&["database", key], template(name));
        if let DatabaseAction::Lock(_, kind) = &step.action {
            let word = match kind {
                LockKind::Session { .. } => "\"session\"",
                LockKind::Lease(_) => "\"lease\"",
                LockKind::Status => "\"status\"",
            };
            self.say_or(Whose::Bootrace, &["database", "kind"], word);
            match kind {
                LockKind::Session { wait } => {
                    self.say_or(Whose::Bootrace, &["database", "wait"], wait.to_string());
                }
                LockKind::Lease(lease) => self.say(&["database", "lease"], span(*lease)),
                LockKind::Status => {}
            }
        }
        self.say_or(Whose::Bootrace, &["database", "takes"], range(&step.takes));
    }

    /// Those options of a job that are given.
    pub(super) fn options(&mut self, above: &[&str], options: &JobOptions) {
        let JobOptions {
            job_id,
            delay,
            priority,
            attempts,
            backoff,
            remove_on_complete,
            remove_on_fail,
            lifo,
            deduplication,
            data,
        } = options;
        let mut given = |key: &[&str], text: Option<String>| {
            text.into_iter().for_each(|text| self.say(&[above, key].concat(), text));
        };
        given(&["job_id"], job_id.as_ref().map(template));
        given(&["delay"], delay.map(span));
        given(&["priority"], priority.map(|priority| priority.to_string()));
        given(&["attempts"], attempts.map(|attempts| attempts.to_string()));
        if let Some(backoff) = backoff {
            let Backoff { exponential, delay, jitter } = *backoff;
            let kind = if exponential { "\"exponential\"" } else { "\"fixed\"" };
            given(&["backoff", "type"], Some(kind.to_owned()));
            given(&["backoff", "delay"], Some(span(delay)));
            let jitter = (jitter > 0).then(|| percentage_of_millionths(jitter.into()));
            given(&["backoff", "jitter"], jitter);
        }
        given(&["remove_on_complete"], remove_on_complete.as_ref().map(keep));
        given(&["remove_on_fail"], remove_on_fail.as_ref().map(keep));
        given(&["lifo"], lifo.map(|lifo| lifo.to_string()));
        if let Some(deduplication) = deduplication {
            given(&["deduplication", "id"], Some(template(&deduplication.id)));
            given(&["deduplication", "ttl"], deduplication.ttl.map(span));
            for (key, is) in [
                ("extend", deduplication.extend),
                ("replace", deduplication.replace),
                ("keep_last_if_active", deduplication.keep_last_if_active),
                ("reschedule", deduplication.reschedule),
            ] {
                given(&["deduplication", key], is.then(|| "true".to_owned()));
            }
        }
        for (field, text) in data.iter().flatten() {
            given(&["data", field], Some(quoted(text)));
        }
    }

    /// What BullMQ does where a queue's defaults do not say it. To say it would store it with
    /// every job.
    pub(super) fn untold(&mut self, above: &[&str], options: &JobOptions) {
        let untold = [
            ("delay", "\"0s\"", options.delay.is_none()),
            ("priority", "0", options.priority.is_none()),
            ("attempts", "1", options.attempts.is_none()),
            ("remove_on_complete", "false", options.remove_on_complete.is_none()),
            ("remove_on_fail", "false", options.remove_on_fail.is_none()),
            ("lifo", "false", options.lifo.is_none()),
        ];
        for (key, text, _) in untold.into_iter().filter(|(_, _, untold)| *untold) {
            self.tell(Whose::BullMq, &[above, &[key]].concat(), text);
        }
    }
}

/// What a person does to a job: the key of the step, and that of the event.
fn does_of(does: ByHand) -> (&'static str, &'static str) {
    match does {
        ByHand::Remove => ("remove_job", "remove"),
        ByHand::Promote => ("promote_job", "promote"),
        ByHand::Retry => ("retry_job", "retry"),
    }
}

fn then_of(then: Then) -> &'static str {
    match then {
        Then::GoOn => "\"go on\"",
        Then::Return => "\"return\"",
        Then::Fail => "\"fail\"",
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok => "\"ok\"".to_owned(),
        Outcome::Fail(None) => "\"fail\"".to_owned(),
        Outcome::Exit(None) => "\"exit\"".to_owned(),
        Outcome::Fail(Some(step)) => format!("{{ fail = {} }}", step + 1),
        Outcome::Exit(Some(step)) => format!("{{ exit = {} }}", step + 1),
    }
}

fn template(template: &Template) -> String {
    quoted(&template.pieces.join("{window}"))
}

/// As [`keep`], where BullMQ takes nothing but a table.
fn keep_table(kept: &Keep) -> String {
    match kept {
        Keep::Count(count) => format!("{{ count = {count} }}"),
        kept => keep(kept),
    }
}

fn keep(keep: &Keep) -> String {
    match keep {
        Keep::All => "false".to_owned(),
        Keep::None => "true".to_owned(),
        Keep::Count(count) => count.to_string(),
        Keep::Age { age, count: None } => format!("{{ age = \"{}\" }}", length(*age)),
        Keep::Age { age, count: Some(count) } => {
            format!("{{ age = \"{}\", count = {count} }}", length(*age))
        }
    }
}
