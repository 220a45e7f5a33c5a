//! While it runs: what happens to a job under way, and to who has it in hand.

use super::stage::fixed;
use super::{Applied, Hazard, Stage, hazard};
use crate::clock::{Instant, Span};
use crate::scenario::{Change, Counted, Happens, JobStep, Outcome, Probe, Restart, Subject};

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
    hazard(
        "liveness-kills",
        liveness_kills,
        "The workers' event loops stand still while the job runs, and their liveness probes have them killed.",
    ),
    hazard(
        "killed-at-fetch",
        killed_at_fetch,
        "All workers are killed when one has taken the tick's job, about when it makes the next one.",
    ),
    hazard(
        "killed-at-completion",
        killed_at_completion,
        "The worker is killed when it has completed a job and got the tick's in return.",
    ),
    hazard("longer-than-period", longer_than_period, "The job runs longer than the period."),
    hazard("job-fails", job_fails, "The job's first two attempts fail."),
];

fn queue(stage: &Stage) -> Subject {
    Subject::Queue(stage.queue.0.into())
}

fn killed_in_job(stage: &mut Stage) -> Applied {
    stage.short();
    let at = stage.in_job();
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Kill(ALL)));
    stage.met(Probe::DiesWithJob, queue(stage));
    Ok(())
}

fn exits(stage: &mut Stage, outcomes: Vec<Outcome>) {
    stage.short();
    match stage.job_mut() {
        Some(job) => {
            job.outcomes = outcomes;
            job.counted = Counted::Started;
        }
        None => stage.add_job(vec![JobStep::Sleep(fixed(SECOND))], Outcome::Exit(None)),
    }
    stage.met(Probe::DiesWithJob, queue(stage));
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
    stage.short();
    let at = stage.in_job();
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Terminate(ALL)));
    if stage.worker_mut().restart == Restart::Always {
        stage.met(Probe::Restarts, Subject::World);
    }
    Ok(())
}

fn short_grace(stage: &mut Stage) -> Applied {
    stage.short();
    stage.worker_mut().grace = SECOND;
    let at = stage.in_job();
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Terminate(ALL)));
    stage.met(Probe::DiesWithJob, queue(stage));
    Ok(())
}

fn event_loop_blocked(stage: &mut Stage) -> Applied {
    stage.short();
    let at = stage.in_job();
    let lock = stage.lock();
    let blocked = lock + lock + lock;
    stage.within(at, SECOND, Happens::To(stage.worker, Change::Pause(fixed(blocked))));
    Ok(())
}

fn job_blocks(stage: &mut Stage) -> Applied {
    stage.short();
    let lock = stage.lock();
    let step = JobStep::Block(fixed(lock + lock + lock));
    match stage.job_mut() {
        Some(job) => job.steps.insert(0, step),
        None => stage.add_job(vec![step], Outcome::Ok),
    }
    Ok(())
}

fn liveness_kills(stage: &mut Stage) -> Applied {
    stage.short();
    let at = stage.in_job();
    // Three failures, ten seconds apart. A loop that stands still does not see the SIGTERM.
    let noticed = Span::from_secs(30);
    let stands = noticed + stage.worker_mut().grace + MINUTE;
    stage.at(at, Happens::To(stage.worker, Change::Pause(fixed(stands))));
    stage.at(at + noticed, Happens::To(stage.worker, Change::Terminate(ALL)));
    stage.met(Probe::DiesWithJob, queue(stage));
    Ok(())
}

/// The network of the workers is so slow for some seconds that a kill can meet the time between two of
/// their messages.
fn slow_network(stage: &mut Stage, at: Instant) {
    let lasts = fixed(Span::from_secs(10));
    let delay = Change::Delay { round_trip: fixed(SECOND), lasts };
    stage.at(at, Happens::To(stage.worker, delay));
}

fn killed_at_fetch(stage: &mut Stage) -> Applied {
    stage.short();
    slow_network(stage, stage.tick - Span::from_secs(5));
    let kill = Happens::To(stage.worker, Change::Kill(ALL));
    match stage.waits_in_redis() {
        // Half a second from the marker, half a second to Redis; a second later the next is made.
        Ok(()) => {
            stage.within(stage.tick + Span::from_ms(1_050), SECOND, kill);
            stage.met(Probe::JobStalls, queue(stage));
        }
        // The add comes before it, with the messages of a new connection.
        Err(_) => {
            stage.within(stage.tick + Span::from_ms(500), Span::from_secs(6), kill);
            stage.met(Probe::Restarts, Subject::World);
        }
    }
    Ok(())
}

fn killed_at_completion(stage: &mut Stage) -> Applied {
    // Longer than the limiters that there are.
    let busy = Span::from_secs(40);
    if stage.part(20) < busy {
        return Err("its period is too short for another job before it".to_owned());
    }
    stage.short();
    stage.worker_mut().replicas = 1;
    let begins = stage.tick - Span::from_secs(5);
    stage.busy(begins, busy);
    slow_network(stage, begins + busy - Span::from_secs(5));
    let kill = Happens::To(stage.worker, Change::Kill(ALL));
    // Half a second to Redis, half a second back, and then the next one is made.
    stage.within(begins + busy + Span::from_ms(550), SECOND, kill);
    stage.met(Probe::JobStalls, queue(stage));
    Ok(())
}

fn longer_than_period(stage: &mut Stage) -> Applied {
    let long = stage.part(130);
    if long > Span::from_secs(3 * 60 * 60) {
        return Err("no job runs that long".to_owned());
    }
    stage.slower(long);
    Ok(())
}

fn job_fails(stage: &mut Stage) -> Applied {
    stage.short();
    let outcomes = vec![Outcome::Fail(None), Outcome::Fail(None), Outcome::Ok];
    match stage.job_mut() {
        Some(job) => job.outcomes = outcomes,
        None => stage.add_job(vec![JobStep::Sleep(fixed(MINUTE))], Outcome::Fail(None)),
    }
    Ok(())
}
