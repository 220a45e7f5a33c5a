//! Plans for start-up code: who adds or registers what, and when.

use super::draft::{Draft, inner_steps, only_if, statement, steps_of};
use super::{Applied, Part, Plan, plan};
use crate::bullmq::options::RepeatOptions;
use crate::bullmq::{Version, registration_key};
use crate::clock::Span;
use crate::event::StepResult;
use crate::scenario::{
    Action, DatabaseAction, Deduplication, JobOptions, LockKind, Quota, Rollout, Step, Template,
};

const S: Part = Part::StartUp;
/// How long a leader leads.
const LEASE: Span = Span::from_secs(60);

pub(super) const PLANS: &[Plan] = &[
    plan("ids-on-adds", S, job_ids, "Each add of the start-up code gets an id of its own."),
    plan("without-bootstrap", S, no_bootstrap, "The start-up code adds no job to run at once."),
    plan(
        "bootstrap-window-id",
        S,
        bootstrap_window_id,
        "The job to run at once gets an id for each window, and is kept for two.",
    ),
    plan(
        "bootstrap-dedup",
        S,
        |draft| bootstrap_dedup(draft, false),
        "The job to run at once is deduplicated by an id, until it is finished.",
    ),
    plan(
        "bootstrap-dedup-ttl",
        S,
        |draft| bootstrap_dedup(draft, true),
        "The job to run at once is deduplicated by an id, for a period.",
    ),
    plan("job-scheduler", S, scheduler, "A job scheduler in place of all adds."),
    plan(
        "scheduler-cleaned",
        S,
        scheduler_cleaned,
        "A job scheduler in place of all adds; each boot removes the older registration first.",
    ),
    plan(
        "scheduler-guarded",
        S,
        scheduler_guarded,
        "A job scheduler that is upserted only if it is missing or repeats otherwise.",
    ),
    plan(
        "scheduler-catch-up",
        S,
        scheduler_catch_up,
        "A job scheduler, and each boot adds a job with an id for the window.",
    ),
    plan(
        "central",
        S,
        |draft| central(draft, false),
        "A service of one container upserts the job scheduler, and is rolled out as Kubernetes does.",
    ),
    plan(
        "central-recreate",
        S,
        |draft| central(draft, true),
        "The same, rolled out with `Recreate`: never two at once.",
    ),
    plan(
        "leader",
        S,
        |draft| leader(draft, false),
        "Each container has a timer; who gets a lease of a minute at a tick adds the job.",
    ),
    plan(
        "leader-fenced",
        S,
        |draft| leader(draft, true),
        "Each container has a timer; who inserts the row of the window at a tick adds the job.",
    ),
    plan(
        "timer-window-id",
        S,
        |draft| timers(draft, false),
        "Each container has a timer, and adds a job with an id for the window, kept for two.",
    ),
    plan(
        "timer-catch-up",
        S,
        |draft| timers(draft, true),
        "The same, and each boot adds it for the window that it finds.",
    ),
    plan(
        "cron-outside",
        S,
        cron_outside,
        "A timer outside of the fleet adds a job with an id for the window, kept for two.",
    ),
];

fn text(text: String) -> Template {
    Template { pieces: vec![text.into()], schedule: None }
}

fn job_ids(draft: &mut Draft) -> Applied {
    let changed = draft.edit(|draft, action| {
        let word = if draft.recurs(action) { "recurring" } else { "bootstrap" };
        let ours = draft.recurs(action) || draft.adds_one(action);
        match action {
            Action::Add(add) if ours && add.options.job_id.is_none() => {
                add.options.job_id = Some(text(format!("{}-{word}", draft.plain())));
                true
            }
            _ => false,
        }
    });
    changed.then_some(()).ok_or_else(|| "no add of it is without an id".to_owned())
}

const NO_BOOTSTRAP: &str = "its start-up code adds no job to run at once";

fn no_bootstrap(draft: &mut Draft) -> Applied {
    let recurs = draft.edit(|draft, action| draft.recurs(action));
    if !recurs {
        return Err("nothing would be left that adds its jobs".to_owned());
    }
    let changed = draft.replace(|draft, action| draft.adds_one(action), &[]);
    changed.then_some(()).ok_or_else(|| NO_BOOTSTRAP.to_owned())
}

/// Gives the job to run at once other options.
fn bootstrap(draft: &mut Draft, options: impl Fn(&Draft, &JobOptions) -> JobOptions) -> Applied {
    let changed = draft.edit(|draft, action| {
        let ours = draft.adds_one(action);
        match action {
            Action::Add(add) if ours => {
                add.options = options(draft, &add.options);
                true
            }
            _ => false,
        }
    });
    changed.then_some(()).ok_or_else(|| NO_BOOTSTRAP.to_owned())
}

fn bootstrap_window_id(draft: &mut Draft) -> Applied {
    let schedule = Some(draft.schedule);
    bootstrap(draft, |draft, own| draft.window_id(own, schedule))
}

fn bootstrap_dedup(draft: &mut Draft, for_a_period: bool) -> Applied {
    bootstrap(draft, |draft, own| {
        let held = Deduplication {
            id: text(format!("{}-bootstrap", draft.plain())),
            ttl: for_a_period.then(|| draft.period()),
            extend: false,
            replace: false,
            keep_last_if_active: false,
            reschedule: false,
        };
        JobOptions { deduplication: Some(held), ..own.clone() }
    })
}

fn scheduler(draft: &mut Draft) -> Applied {
    let steps = steps_of(vec![draft.upsert()]);
    draft.instead(&steps)
}

fn scheduler_cleaned(draft: &mut Draft) -> Applied {
    let (queue, name, repeat) = (draft.queue, draft.job.clone(), draft.repeat.clone());
    // 6.x has lost the call of the older API, and removes what has the key that it made.
    let remove = if draft.library()? >= Version::V6_7_0 {
        let key = registration_key(&name, &RepeatOptions::from(&repeat));
        Action::RemoveJobScheduler { queue, id: key.into() }
    } else {
        Action::RemoveRepeatable { queue, name, repeat, job_id: None }
    };
    let steps = steps_of(vec![remove, draft.upsert()]);
    draft.instead(&steps)
}

fn scheduler_guarded(draft: &mut Draft) -> Applied {
    let upsert = draft.upsert();
    let Action::UpsertJobScheduler { queue, id, repeat, .. } = &upsert else {
        return Err("there is nothing to upsert".to_owned());
    };
    let finds = Some((id.clone(), Some(repeat.clone())));
    let look = Action::GetJobSchedulers { queue: *queue, finds };
    let mut steps = steps_of(vec![look, upsert]);
    only_if(&mut steps, 1, "there", StepResult::Nothing);
    draft.instead(&steps)
}

fn scheduler_catch_up(draft: &mut Draft) -> Applied {
    let catch_up = draft.window_id(&draft.options, Some(draft.schedule));
    let steps = steps_of(vec![draft.upsert(), draft.add(catch_up)]);
    draft.instead(&steps)
}

fn central(draft: &mut Draft, recreate: bool) -> Applied {
    let steps = steps_of(vec![draft.upsert()]);
    draft.instead(&[])?;
    let quarter = Quota::Percent(25);
    draft.service("central", steps)?.rollout = match recreate {
        true => Rollout::Recreate,
        false => Rollout::Rolling { max_surge: quarter, max_unavailable: quarter },
    };
    Ok(())
}

/// A step that is passed over keeps what it came to at the tick before, so one alone decides.
fn leader(draft: &mut Draft, fenced: bool) -> Applied {
    let lead = text(format!("{}-leader", draft.plain()));
    let decides = match fenced {
        true => DatabaseAction::Insert(draft.window_of("leads-", None)),
        false => DatabaseAction::Lock(lead, LockKind::Lease(LEASE)),
    };
    let add = draft.add(draft.options.clone());
    let mut inner = inner_steps(vec![Action::Database(statement(decides)), add]);
    only_if(&mut inner, 1, "leads", StepResult::Done);
    ticks(draft, inner, Vec::new())
}

fn timers(draft: &mut Draft, catch_up: bool) -> Applied {
    let inner = inner_steps(vec![draft.add(draft.window_id(&draft.options, None))]);
    let schedule = Some(draft.schedule);
    let at_boot = draft.add(draft.window_id(&draft.options, schedule));
    ticks(draft, inner, if catch_up { vec![at_boot] } else { Vec::new() })
}

/// A timer in every container.
fn ticks(draft: &mut Draft, inner: Vec<Step>, then: Vec<Action>) -> Applied {
    let timer = draft.timer(inner)?;
    let steps = steps_of([vec![timer], then].concat());
    draft.instead(&steps)
}

fn cron_outside(draft: &mut Draft) -> Applied {
    let inner = inner_steps(vec![draft.add(draft.window_id(&draft.options, None))]);
    let timer = draft.timer(inner)?;
    draft.instead(&[])?;
    draft.service("cron", steps_of(vec![timer])).map(drop)
}
