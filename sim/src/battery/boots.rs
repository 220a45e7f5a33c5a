//! Boots: deploys of all kinds, drawn relative to ticks (at random instants they miss the windows).

use super::stage::fixed;
use super::{Applied, Hazard, Stage, hazard};
use crate::clock::Span;
use crate::event::ServiceId;
use crate::scenario::{
    Action, Change, Happens, Kills, Probe, Quota, Restart, Rollout, Step, Subject,
};

const SECOND: Span = Span::from_secs(1);
const FIVE: Span = Span::from_secs(5);
const MINUTE: Span = Span::from_secs(60);
const ALWAYS: u64 = 1 << 32;
const NOT_AGAIN: &str = "its containers are not started again";

pub(super) const HAZARDS: &[Hazard] = &[
    hazard("rolling-deploy", rolling_deploy, "A rolling deploy between two ticks."),
    hazard("deploy-across-tick", deploy_across_tick, "A rolling deploy during which a tick comes."),
    hazard(
        "slow-deploy",
        slow_deploy,
        "A rolling deploy that takes longer than the job, one container at a time.",
    ),
    hazard("storm", storm, "All containers go and come back at once between two ticks."),
    hazard(
        "storm-at-tick",
        storm_at_tick,
        "All containers boot together within five seconds of a tick.",
    ),
    hazard(
        "boot-just-before-tick",
        boot_before_tick,
        "A container boots in the last second before a tick, over a slow network.",
    ),
    hazard(
        "boot-held-back",
        boot_held_back,
        "A container boots just before a tick, and what it sends arrives when the tick's job is done.",
    ),
    hazard(
        "boot-just-after-tick",
        boot_after_tick,
        "A container boots in the two seconds after a tick.",
    ),
    hazard(
        "boot-behind-backlog",
        boot_behind_backlog,
        "The only worker has another job when a tick comes, and a container boots before it is done.",
    ),
    hazard(
        "fast-deploy",
        fast_deploy,
        "A rolling deploy while the tick's job runs, and over before the job is.",
    ),
    hazard(
        "surge-deploy",
        surge_deploy,
        "A deploy that starts all new containers beside the old ones (max_surge 100 %).",
    ),
    hazard(
        "blue-green",
        blue_green,
        "Another service with the new release comes between two ticks; the old one stays for hours.",
    ),
    hazard(
        "web-boots-alone",
        web_boots_alone,
        "Containers that register and have no worker boot after a tick, while no worker is up.",
    ),
    hazard(
        "scaled-to-zero",
        scaled_to_zero,
        "An autoscaler by queue length (KEDA) has taken all workers away before a tick: what is delayed does not count, and nobody wakes them for more than half a period.",
    ),
    hazard(
        "terminated-in-start-up",
        terminated_in_start_up,
        "Containers get a SIGTERM in their start-up, and are started again.",
    ),
    hazard(
        "node-drain",
        node_drain,
        "All pods are evicted at once while the tick's job runs, and new ones come at once elsewhere.",
    ),
    hazard(
        "one-off-job",
        one_off_job,
        "An init container or a script runs the start-up code, once and without a worker.",
    ),
    hazard("deploys-often", deploys_often, "Five deploys from one tick to the next."),
    hazard(
        "crash-loop",
        crash_loop,
        "A container crashes again and again over a tick, with the kubelet's back-off.",
    ),
    hazard(
        "killed-in-start-up",
        killed_in_start_up,
        "Containers of a deploy are killed anywhere in their start-up.",
    ),
    hazard("downtime-over-tick", downtime_over_tick, "Nothing runs while a tick comes."),
    hazard(
        "autoscaler-flaps",
        autoscaler_flaps,
        "Replicas come and go twenty times within a period.",
    ),
    hazard(
        "second-service",
        second_service,
        "A second service with the same code comes between two ticks, and registers, too.",
    ),
];

fn rolling_deploy(stage: &mut Stage) -> Applied {
    stage.within(stage.between(), FIVE, Happens::To(stage.registrar, Change::Restart));
    Ok(())
}

fn deploy_across_tick(stage: &mut Stage) -> Applied {
    stage.short();
    let at = stage.tick - FIVE;
    // Longer than it begins before the tick.
    stage.boots_within(FIVE, FIVE + FIVE);
    stage.within(at, FIVE, Happens::To(stage.registrar, Change::Restart));
    stage.met(Probe::TickInDeploy, Subject::Schedule(stage.schedule));
    Ok(())
}

fn slow_deploy(stage: &mut Stage) -> Applied {
    let takes = stage.job_takes() + MINUTE;
    if takes > stage.part(20) {
        return Err("its job takes too long for three boots within a period".to_owned());
    }
    let (one, none) = (Quota::Count(1), Quota::Count(0));
    stage.service_mut().rollout = Rollout::Rolling { max_surge: one, max_unavailable: none };
    stage.boots_within(takes, takes);
    // The first containers boot as slowly.
    stage.change(stage.healthy + stage.part(10), Change::Restart);
    Ok(())
}

fn recreate(stage: &mut Stage) {
    stage.service_mut().rollout = Rollout::Recreate;
}

fn storm(stage: &mut Stage) -> Applied {
    recreate(stage);
    // So close that their start-up steps interleave.
    stage.boots_within(SECOND, SECOND + Span::from_ms(5));
    stage.change(stage.between(), Change::Restart);
    if stage.awaits() {
        // Start-up code that waits for nothing is over at once; what it has begun interleaves all
        // the same.
        stage.met(Probe::BootsOverlap, Subject::World);
    }
    more_than_one(stage)
}

fn storm_at_tick(stage: &mut Stage) -> Applied {
    stage.short();
    stage.boots_within(SECOND, SECOND + FIVE);
    let replicas = stage.service().replicas;
    stage.within(
        stage.tick - FIVE,
        FIVE,
        Happens::To(stage.registrar, Change::Scale(replicas * 2)),
    );
    more_than_one(stage)
}

fn more_than_one(stage: &Stage) -> Applied {
    match stage.service().replicas {
        1 => Err("one container alone cannot boot together with another".to_owned()),
        _ => Ok(()),
    }
}

/// One container more boots: at most so long after the tick.
fn boot_after(stage: &mut Stage, within: Span) {
    stage.boots_within(FIVE, FIVE);
    let replicas = stage.service().replicas;
    let more = Happens::To(stage.registrar, Change::Scale(replicas + 1));
    stage.within(stage.tick - FIVE, within, more);
}

fn boot_before_tick(stage: &mut Stage) -> Applied {
    stage.short();
    // Several messages go to and fro before it registers: it may do so on either side of the tick.
    let at = stage.tick - FIVE - SECOND;
    stage.comes("slow", at, FIVE + SECOND).round_trip = Some(fixed(SECOND));
    Ok(())
}

/// Code that has worked out what is due next, and says so too late: its machine was paused, or its client
/// kept what it could not send.
fn boot_held_back(stage: &mut Stage) -> Applied {
    stage.short();
    let held = stage.job_takes() + MINUTE;
    if held.nanos() * 2 > stage.period().nanos() {
        return Err("no message is held back for longer than its job runs".to_owned());
    }
    let held_back = stage.comes("held", stage.tick - FIVE - FIVE, FIVE + FIVE);
    held_back.round_trip = Some(fixed(SECOND + SECOND));
    // Which of its messages says it is not known: of three one is likely to be under way then.
    held_back.replicas = 3;
    let before = stage.tick - Span::from_ms(20);
    stage.at(before, Happens::To(stage.newest(), Change::Partition(fixed(held))));
    stage.met(Probe::MessagesHeldBack, Subject::World);
    Ok(())
}

fn boot_after_tick(stage: &mut Stage) -> Applied {
    stage.short();
    boot_after(stage, SECOND + SECOND);
    Ok(())
}

fn boot_behind_backlog(stage: &mut Stage) -> Applied {
    stage.short();
    let busy = stage.part(10).min(MINUTE + MINUTE);
    // One worker: where several share a limiter, those that are not busy promote what is due.
    stage.worker_mut().replicas = 1;
    stage.busy(stage.tick - FIVE, busy);
    boot_after(stage, Span::from_nanos(busy.nanos() / 2));
    stage.met(Probe::BootsBesideJob, Subject::Queue(stage.queue.0.into()));
    Ok(())
}

fn queue(stage: &Stage) -> Subject {
    Subject::Queue(stage.queue.0.into())
}

fn fast_deploy(stage: &mut Stage) -> Applied {
    stage.short();
    stage.boots_within(SECOND, SECOND);
    let at = stage.in_job();
    stage.within(at, SECOND, Happens::To(stage.registrar, Change::Restart));
    stage.met(Probe::BootsBesideJob, queue(stage));
    Ok(())
}

fn surge_deploy(stage: &mut Stage) -> Applied {
    let (all, none) = (Quota::Percent(100), Quota::Count(0));
    stage.service_mut().rollout = Rollout::Rolling { max_surge: all, max_unavailable: none };
    stage.boots_within(SECOND, FIVE);
    let again = stage.again();
    stage.change(stage.between(), Change::Deploy(again, None));
    stage.met(Probe::ReleasesSideBySide, Subject::World);
    Ok(())
}

fn blue_green(stage: &mut Stage) -> Applied {
    let again = stage.again();
    stage.comes("green", stage.between(), FIVE).release = again;
    // The old one is the standby of the new release in the end.
    stage.change(stage.tick + stage.part(50), Change::Deploy(again, None));
    stage.met(Probe::ReleasesSideBySide, Subject::World);
    Ok(())
}

fn web_boots_alone(stage: &mut Stage) -> Applied {
    stage.short();
    stage.split();
    let down = stage.part(2).min(MINUTE);
    stage.boots_within(SECOND, SECOND);
    workers_away(stage, down, down);
    let quarter = Span::from_nanos(down.nanos() / 4);
    stage.within(stage.tick, quarter, Happens::To(stage.registrar, Change::Restart));
    Ok(())
}

fn scaled_to_zero(stage: &mut Stage) -> Applied {
    stage.short();
    workers_away(stage, stage.part(2).min(MINUTE), stage.part(60));
    Ok(())
}

/// No worker of the queue is up from so long before the tick until so long after it.
fn workers_away(stage: &mut Stage, before: Span, after: Span) {
    for (service, replicas) in stage.workers() {
        stage.at(stage.tick - before, Happens::To(service, Change::Scale(0)));
        stage.at(stage.tick + after, Happens::To(service, Change::Scale(replicas)));
    }
    stage.met(Probe::TickWithoutWorker, Subject::Schedule(stage.schedule));
}

fn terminated_in_start_up(stage: &mut Stage) -> Applied {
    if stage.service().restart != Restart::Always {
        return Err(NOT_AGAIN.to_owned());
    }
    recreate(stage);
    stage.boots_within(SECOND, SECOND);
    stage.change(stage.between(), Change::Restart);
    // The old ones are gone, and the new ones have started up, within a few messages.
    let message = stage.scenario.round_trip.most;
    let (at, some) = (stage.between() + SECOND + message, message + message + message + message);
    let all = Change::Terminate(1_000);
    stage.within(at, some, Happens::To(stage.registrar, all));
    stage.met(Probe::Restarts, Subject::World);
    Ok(())
}

fn node_drain(stage: &mut Stage) -> Applied {
    stage.short();
    let at = stage.in_job();
    stage.boots_within(SECOND, SECOND);
    // Nothing that stays and nothing that waits: what a drain without a disruption budget does.
    let all = Quota::Percent(100);
    let how = Rollout::Rolling { max_surge: all, max_unavailable: all };
    for service in 0..stage.scenario.services.len() {
        let release = stage.scenario.services[service].release;
        let id = ServiceId(u16::try_from(service).expect("the parser bounds them"));
        stage.at(at, Happens::To(id, Change::Deploy(release, Some(how))));
    }
    stage.met(Probe::BootsBesideJob, queue(stage));
    Ok(())
}

fn one_off_job(stage: &mut Stage) -> Applied {
    let steps = stage.steps_with_worker(false);
    let lasts = |step: &Step| !matches!(step.action, Action::Timer { .. });
    let steps: Vec<Step> = steps.into_iter().filter(lasts).collect();
    if steps.is_empty() {
        return Err("its start-up code does nothing but work and keep time".to_owned());
    }
    let mut release = stage.release().clone();
    release.steps = steps.into();
    let release = stage.another("once", release);
    // It waits for what it has begun, and does nothing more.
    let job = stage.comes("once", stage.between(), FIVE);
    job.release = release;
    job.restart = Restart::Never;
    Ok(())
}

fn deploys_often(stage: &mut Stage) -> Applied {
    for number in 0..5 {
        stage.change(stage.healthy + stage.part(5 + 19 * number), Change::Restart);
    }
    Ok(())
}

fn crash_loop(stage: &mut Stage) -> Applied {
    if stage.service().restart == Restart::Never {
        return Err(NOT_AGAIN.to_owned());
    }
    stage.short();
    for number in 0..6 {
        let at = stage.tick - stage.part(2) + stage.part(number);
        stage.change(at, Change::Kill(1));
    }
    stage.met(Probe::Restarts, Subject::World);
    Ok(())
}

fn killed_in_start_up(stage: &mut Stage) -> Applied {
    recreate(stage);
    stage.boots_within(SECOND, FIVE);
    stage.change(stage.between(), Change::Restart);
    let kills = Kills { service: stage.registrar, odds_of_2_32: ALWAYS / 2, points: 40 };
    stage.scenario.faults.kills.push(kills);
    // Code that waits for nothing has started up before its first message has arrived.
    let of = if stage.awaits() { Probe::DiesInStartUp } else { Probe::Restarts };
    if of == Probe::DiesInStartUp || stage.service().restart != Restart::Never {
        stage.met(of, Subject::World);
    }
    Ok(())
}

fn downtime_over_tick(stage: &mut Stage) -> Applied {
    stage.short();
    let down = stage.part(2).min(MINUTE);
    let services = 0..stage.scenario.services.len();
    for service in services {
        let replicas = stage.scenario.services[service].replicas;
        let id = ServiceId(u16::try_from(service).expect("the parser bounds them"));
        stage.at(stage.tick - down, Happens::To(id, Change::Scale(0)));
        stage.at(stage.tick + down, Happens::To(id, Change::Scale(replicas)));
    }
    stage.met(Probe::TickWithoutWorker, Subject::Schedule(stage.schedule));
    Ok(())
}

fn autoscaler_flaps(stage: &mut Stage) -> Applied {
    let replicas = stage.service().replicas;
    for number in 0..20 {
        let scale = if number % 2 == 0 { replicas + 2 } else { replicas };
        stage.change(stage.healthy + stage.part(5 + 5 * number), Change::Scale(scale));
    }
    Ok(())
}

fn second_service(stage: &mut Stage) -> Applied {
    stage.comes("too", stage.between(), FIVE);
    Ok(())
}
