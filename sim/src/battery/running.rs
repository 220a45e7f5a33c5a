//! While it runs: what happens to a job under way, and to who has it in hand.

use super::stage::fixed;
use super::{Applied, Hazard, Stage, hazard};
use crate::clock::Span;
use crate::scenario::{Change, Counted, Happens, JobStep, Outcome, Probe, Subject};

const SECOND: Span = Span::from_secs(1);
const MINUTE: Span = Span::from_secs(60);
/// As many containers as there can be.
const ALL: u32 = 1_000;

pub(super) const HAZARDS: &[Hazard] = &[
    hazard("killed-in-job", killed_in_job, "All workers are killed while the tick's job runs."),
    hazard(
        "oom-once",
        oom_once,
        "The tick's job kills its process the first time (out of memory).",
    ),
    hazard("poison-tick", poison_tick, "The tick's job kills its process each time."),
    hazard(
        "evicted-in-job",
        evicted_in_job,
        "The pods are evicted while the job runs, with their grace period.",
    ),
    hazard("short-grace", short_grace, "The same, with a second of grace."),
    hazard(
        "event-loop-blocked",
        event_loop_blocked,
        "The workers' event loops stand still for longer than a job's lock lives.",
    ),
    hazard(
        "job-blocks",
        job_blocks,
        "The job blocks its event loop for longer than its lock lives.",
    ),
    hazard("longer-than-period", longer_than_period, "The job runs longer than the period."),
    hazard("job-fails", job_fails, "The job's first two attempts fail."),
];

/// The instant at which the tick's job is surely under way.
fn in_job(stage: &mut Stage) -> crate::clock::Instant {
    let takes = stage.job_takes();
    if takes < SECOND {
        // A job that is over at once cannot be met.
        slower(stage, Span::from_secs(30));
    }
    stage.tick + Span::from_ms(500)
}

fn slower(stage: &mut Stage, by: Span) {
    let step = JobStep::Sleep(fixed(by));
    match stage.job_mut() {
        Some(job) => job.steps.push(step),
        None => stage.add_job(vec![step], Outcome::Ok),
    }
}

fn killed_in_job(stage: &mut Stage) -> Applied {
    let at = in_job(stage);
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Kill(ALL)));
    stage.met(Probe::DiesWithJob, Subject::Queue(stage.queue.0.into()));
    Ok(())
}

fn exits(stage: &mut Stage, outcomes: Vec<Outcome>) {
    match stage.job_mut() {
        Some(job) => {
            job.outcomes = outcomes;
            job.counted = Counted::Started;
        }
        None => stage.add_job(vec![JobStep::Sleep(fixed(SECOND))], Outcome::Exit(None)),
    }
    stage.met(Probe::DiesWithJob, Subject::Queue(stage.queue.0.into()));
}

fn oom_once(stage: &mut Stage) -> Applied {
    exits(stage, vec![Outcome::Exit(None), Outcome::Ok]);
    Ok(())
}

fn poison_tick(stage: &mut Stage) -> Applied {
    exits(stage, vec![Outcome::Exit(None)]);
    Ok(())
}

fn evicted_in_job(stage: &mut Stage) -> Applied {
    let at = in_job(stage);
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Terminate(ALL)));
    Ok(())
}

fn short_grace(stage: &mut Stage) -> Applied {
    stage.worker_mut().grace = SECOND;
    let at = in_job(stage);
    if stage.job_takes() < SECOND + SECOND + SECOND {
        slower(stage, Span::from_secs(10));
    }
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Terminate(ALL)));
    stage.met(Probe::DiesWithJob, Subject::Queue(stage.queue.0.into()));
    Ok(())
}

fn event_loop_blocked(stage: &mut Stage) -> Applied {
    let at = in_job(stage);
    let lock = stage.lock();
    let blocked = lock + lock + lock;
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Pause(fixed(blocked))));
    Ok(())
}

fn job_blocks(stage: &mut Stage) -> Applied {
    let lock = stage.lock();
    let step = JobStep::Block(fixed(lock + lock + lock));
    match stage.job_mut() {
        Some(job) => job.steps.insert(0, step),
        None => stage.add_job(vec![step], Outcome::Ok),
    }
    Ok(())
}

fn longer_than_period(stage: &mut Stage) -> Applied {
    let long = stage.part(130);
    if long > Span::from_secs(3 * 60 * 60) {
        return Err("no job runs that long".to_owned());
    }
    slower(stage, long);
    Ok(())
}

fn job_fails(stage: &mut Stage) -> Applied {
    let outcomes = vec![Outcome::Fail(None), Outcome::Fail(None), Outcome::Ok];
    match stage.job_mut() {
        Some(job) => job.outcomes = outcomes,
        None => stage.add_job(vec![JobStep::Sleep(fixed(MINUTE))], Outcome::Fail(None)),
    }
    Ok(())
}
