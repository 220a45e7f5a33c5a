//! People: what somebody does in a dashboard, and a deploy on top of it.

use super::{Applied, Hazard, Stage, hazard};
use crate::clock::Span;
use crate::event::{Finish, JobList};
use crate::scenario::{Action, ByHand, Change};

pub(super) const HAZARDS: &[Hazard] = &[
    hazard("promoted", promoted, "Somebody promotes the pending iteration, and a deploy follows."),
    hazard(
        "removed",
        removed,
        "Somebody removes the pending iteration, and a deploy follows later.",
    ),
    hazard(
        "promoted-twice",
        promoted_twice,
        "Somebody promotes the pending iteration and then the next one, and a deploy follows.",
    ),
    hazard("retried", retried, "Somebody retries the tick's job after it has completed."),
    hazard("cleaned", cleaned, "Somebody cleans the delayed jobs of the queue."),
    hazard(
        "unregistered",
        unregistered,
        "Somebody removes the registration, and a deploy follows after the next tick.",
    ),
    hazard("drained", drained, "Somebody drains the queue, delayed jobs too."),
    hazard(
        "obliterated",
        obliterated,
        "Somebody obliterates the queue, and a deploy follows after the next tick.",
    ),
    hazard(
        "paused-over-deploy",
        paused,
        "The queue is paused over a deploy and a tick, then resumed.",
    ),
    hazard("run-by-hand", run_by_hand, "Somebody adds the job by hand, once."),
];

fn by_hand(stage: &mut Stage, does: ByHand) {
    let name = stage.scenario.schedules[stage.schedule].job.clone();
    let action = Action::Job { queue: stage.queue, name, does };
    stage.by_hand(stage.healthy + stage.part(40), vec![action]);
}

fn promoted(stage: &mut Stage) -> Applied {
    stage.waits_in_redis()?;
    by_hand(stage, ByHand::Promote);
    stage.change(stage.healthy + stage.part(70), Change::Restart);
    Ok(())
}

fn removed(stage: &mut Stage) -> Applied {
    stage.waits_in_redis()?;
    by_hand(stage, ByHand::Remove);
    stage.change(stage.tick + stage.part(40), Change::Restart);
    Ok(())
}

fn drained(stage: &mut Stage) -> Applied {
    stage.waits_in_redis()?;
    let action = Action::Drain { queue: stage.queue, delayed: true };
    stage.by_hand(stage.between(), vec![action]);
    Ok(())
}

fn obliterated(stage: &mut Stage) -> Applied {
    let action = Action::Obliterate { queue: stage.queue, force: true };
    stage.by_hand(stage.between(), vec![action]);
    stage.change(stage.tick + stage.part(40), Change::Restart);
    Ok(())
}

fn paused(stage: &mut Stage) -> Applied {
    stage.short();
    let around = stage.part(3).min(Span::from_secs(60));
    let (tick, queue) = (stage.tick, stage.queue);
    stage.by_hand(tick - around - around, vec![Action::Pause(queue)]);
    stage.change(tick - around, Change::Restart);
    stage.by_hand(tick + around, vec![Action::Resume(queue)]);
    Ok(())
}

fn promoted_twice(stage: &mut Stage) -> Applied {
    promoted(stage)?;
    // The one that the promoted one has made.
    let name = stage.scenario.schedules[stage.schedule].job.clone();
    let action = Action::Job { queue: stage.queue, name, does: ByHand::Promote };
    stage.by_hand(stage.healthy + stage.part(55), vec![action]);
    Ok(())
}

fn retried(stage: &mut Stage) -> Applied {
    if !stage.keeps_completed() {
        return Err("it keeps no completed job that could be retried".to_owned());
    }
    let action = Action::RetryJobs { queue: stage.queue, state: Finish::Completed };
    stage.by_hand(stage.healthy + stage.part(40), vec![action]);
    Ok(())
}

fn cleaned(stage: &mut Stage) -> Applied {
    stage.waits_in_redis()?;
    let state = JobList::Delayed;
    let action = Action::Clean { queue: stage.queue, state, grace: Span::ZERO, limit: 0 };
    stage.by_hand(stage.between(), vec![action]);
    Ok(())
}

fn unregistered(stage: &mut Stage) -> Applied {
    stage.waits_in_redis()?;
    let removes = stage.removals();
    if removes.is_empty() {
        return Err("nothing that it registers can be named".to_owned());
    }
    stage.by_hand(stage.healthy + stage.part(40), removes);
    stage.change(stage.tick + stage.part(40), Change::Restart);
    Ok(())
}

fn run_by_hand(stage: &mut Stage) -> Applied {
    let name = stage.scenario.schedules[stage.schedule].job.clone();
    let add = super::stage::plain_add(stage.queue, &name);
    stage.by_hand(stage.between(), vec![Action::Add(add)]);
    Ok(())
}
