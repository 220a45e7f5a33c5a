//! Boots: deploys of all kinds, drawn relative to ticks (at random instants they miss the windows).

use super::stage::fixed;
use super::{Applied, Hazard, Stage, hazard};
use crate::clock::Span;
use crate::event::ServiceId;
use crate::scenario::{Change, Happens, Kills, Probe, Quota, Restart, Rollout, Subject};

const SECOND: Span = Span::from_secs(1);
const FIVE: Span = Span::from_secs(5);
const MINUTE: Span = Span::from_secs(60);
const ALWAYS: u64 = 1 << 32;

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
        "boot-just-after-tick",
        boot_after_tick,
        "A container boots in the two seconds after a tick.",
    ),
    hazard(
        "boot-behind-backlog",
        boot_behind_backlog,
        "The only worker has another job when a tick comes, and a container boots before it is done.",
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
    hazard("second-service", second_service, "A second service with the same code registers, too."),
];

fn rolling_deploy(stage: &mut Stage) -> Applied {
    stage.within(stage.between(), FIVE, Happens::To(stage.registrar, Change::Restart));
    Ok(())
}

fn deploy_across_tick(stage: &mut Stage) -> Applied {
    let at = stage.tick - FIVE;
    stage.boots_within(SECOND, FIVE);
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
    stage.met(Probe::BootsOverlap, Subject::World);
    more_than_one(stage)
}

fn storm_at_tick(stage: &mut Stage) -> Applied {
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

/// One container more boots.
fn boot_at(stage: &mut Stage, from: Span, boot: Span, after: bool) {
    stage.boots_within(boot, boot);
    let replicas = stage.service().replicas;
    let at = if after { stage.tick - boot } else { stage.tick - boot - from };
    stage.within(at, from, Happens::To(stage.registrar, Change::Scale(replicas + 1)));
}

fn boot_before_tick(stage: &mut Stage) -> Applied {
    boot_at(stage, SECOND, FIVE, false);
    let second = fixed(SECOND);
    let delay = Change::Delay { round_trip: second, lasts: fixed(FIVE + FIVE) };
    // Those that are up already are quick again before the tick's job is there.
    let lasts = stage.tick - FIVE;
    stage.at(lasts, Happens::To(stage.registrar, delay));
    Ok(())
}

fn boot_after_tick(stage: &mut Stage) -> Applied {
    boot_at(stage, SECOND + SECOND, FIVE, true);
    Ok(())
}

fn boot_behind_backlog(stage: &mut Stage) -> Applied {
    let busy = stage.part(10).min(MINUTE + MINUTE);
    // One worker: where several share a limiter, those that are not busy promote what is due.
    stage.worker_mut().replicas = 1;
    stage.busy(stage.tick - FIVE, busy);
    boot_at(stage, Span::from_nanos(busy.nanos() / 2), FIVE, true);
    stage.met(Probe::BootsBesideJob, Subject::Queue(stage.queue.0.into()));
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
        return Err("its containers are not started again".to_owned());
    }
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
    stage.met(Probe::DiesInStartUp, Subject::World);
    Ok(())
}

fn downtime_over_tick(stage: &mut Stage) -> Applied {
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
    let mut second = stage.service().clone();
    second.name = format!("{}-too", second.name).into();
    stage.scenario.services.push(second);
    Ok(())
}
