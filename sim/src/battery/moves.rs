//! Moves from one way of registering to another, with the clean-ups that go with them, and back.

use super::changes::{
    job_id_added, pattern_changed, respelled, respells, rolls, scheduler_renamed, ticks_changed,
    upgrade, zone_named,
};
use super::stage::span;
use super::{Applied, Hazard, Stage, hazard};
use crate::bullmq::Version;
use crate::clock::Span;
use crate::event::ReleaseId;
use crate::scenario::{Action, Change, Happens, OnError, Probe, Repeat, RepeatWhen, Step, Subject};

const FIVE: Span = Span::from_secs(5);

pub(super) const HAZARDS: &[Hazard] = &[
    hazard("to-scheduler", to_scheduler, "A deploy moves from repeatable jobs to a job scheduler."),
    hazard(
        "to-scheduler-cleaned",
        to_scheduler_cleaned,
        "The same, removing the old registration first.",
    ),
    hazard(
        "to-scheduler-wrong",
        to_scheduler_wrong,
        "The same, but what it removes is written in another way than what is registered.",
    ),
    hazard(
        "to-scheduler-history",
        to_scheduler_history,
        "A past pattern is registered, too, and the deploy removes the past and the present one.",
    ),
    hazard(
        "to-scheduler-present",
        to_scheduler_present,
        "A past pattern is registered, too, and the deploy removes the present one alone.",
    ),
    hazard(
        "old-pod-returns",
        old_pod_returns,
        "The move with its clean-up, and an old container comes back after it.",
    ),
    hazard(
        "old-pattern-returns",
        old_pattern_returns,
        "A deploy changes the pattern or the period really, and an old container comes back after it.",
    ),
    hazard(
        "pattern-rolled-back",
        |stage| rolled_back(stage, pattern_changed),
        "A deploy writes the pattern in another way, and is rolled back after the next tick.",
    ),
    hazard(
        "zone-rolled-back",
        |stage| rolled_back(stage, zone_named),
        "A deploy names the time zone, and is rolled back after the next tick.",
    ),
    hazard(
        "job-id-rolled-back",
        |stage| rolled_back(stage, job_id_added),
        "A deploy gives repeatable adds a job id, and is rolled back after the next tick.",
    ),
    hazard(
        "renamed-rolled-back",
        |stage| rolled_back(stage, scheduler_renamed),
        "A deploy renames the job scheduler, and is rolled back after the next tick.",
    ),
    hazard(
        "scheduler-rolled-back",
        |stage| rolled_back(stage, to_scheduler),
        "A deploy moves to a job scheduler, and is rolled back after the next tick.",
    ),
    hazard(
        "cleaned-rolled-back",
        |stage| rolled_back(stage, to_scheduler_cleaned),
        "A deploy moves to a job scheduler with its clean-up, and is rolled back after the next tick.",
    ),
    hazard(
        "upgrade-5.81-rolled-back",
        |stage| rolled_back(stage, |stage| upgrade(stage, Version::V5_81_5)),
        "A deploy to BullMQ 5.81.5, rolled back after the next tick.",
    ),
    hazard(
        "upgrade-6.7-rolled-back",
        |stage| rolled_back(stage, |stage| upgrade(stage, Version::V6_7_0)),
        "A deploy to BullMQ 6.7.0, rolled back after the next tick.",
    ),
];

/// What is rolled out between two ticks is rolled back after the next.
fn rolled_back(stage: &mut Stage, change: fn(&mut Stage) -> Applied) -> Applied {
    let old = stage.service().release;
    change(stage)?;
    stage.change(stage.tick + stage.part(30), Change::Deploy(old, None));
    Ok(())
}

/// A release in which every repeatable add is an upsert, after it has removed some registrations of the
/// older API.
fn moved(
    stage: &mut Stage,
    word: &str,
    removes: impl Fn(&Repeat) -> Vec<Repeat>,
) -> Result<ReleaseId, String> {
    let mut release = stage.release().clone();
    let mut steps: Vec<Step> = Vec::new();
    let mut changed = false;
    for step in release.steps.iter() {
        let Action::Add(add) = &step.action else {
            steps.push(step.clone());
            continue;
        };
        let Some(repeat) = add.repeat.clone() else {
            steps.push(step.clone());
            continue;
        };
        changed = true;
        let name = add.name.clone();
        let id: Option<Box<str>> = add.options.job_id.as_ref().map(|id| id.pieces.concat().into());
        for repeat in removes(&repeat) {
            let remove = Action::RemoveRepeatable {
                queue: add.queue,
                name: name.clone(),
                repeat,
                job_id: id.clone(),
            };
            steps.push(Step {
                action: remove,
                awaited: true,
                on_error: OnError::Exit,
                ..step.clone()
            });
        }
        let mut options = add.options.clone();
        options.job_id = None;
        let upsert = Action::UpsertJobScheduler {
            queue: add.queue,
            id: name.clone(),
            repeat: Repeat { key: None, ..repeat },
            name,
            options,
        };
        steps.push(Step { action: upsert, awaited: true, ..step.clone() });
    }
    if !changed {
        return Err("its start-up code has no repeatable add".to_owned());
    }
    for (number, step) in steps.iter_mut().enumerate() {
        step.place = (number + 1).to_string().into();
    }
    release.steps = steps.into();
    Ok(stage.another(word, release))
}

fn to_scheduler(stage: &mut Stage) -> Applied {
    let release = moved(stage, "with-upsert", |_| Vec::new())?;
    rolls(stage, release);
    Ok(())
}

fn to_scheduler_cleaned(stage: &mut Stage) -> Applied {
    let release = moved(stage, "with-clean-up", |repeat| vec![repeat.clone()])?;
    rolls(stage, release);
    Ok(())
}

fn to_scheduler_wrong(stage: &mut Stage) -> Applied {
    let removes = |repeat: &Repeat| respelled_repeat(repeat).into_iter().collect();
    let release = moved(stage, "with-wrong-clean-up", removes)?;
    let steps = &stage.scenario.releases[usize::from(release.0)].steps;
    if !steps.iter().any(|step| matches!(step.action, Action::RemoveRepeatable { .. })) {
        return Err("its start-up code registers no pattern".to_owned());
    }
    rolls(stage, release);
    Ok(())
}

/// A registration with the same ticks, written in another way.
fn respelled_repeat(repeat: &Repeat) -> Option<Repeat> {
    let RepeatWhen::Pattern(pattern) = &repeat.when else { return None };
    Some(Repeat { when: RepeatWhen::Pattern(respelled(pattern)?), ..repeat.clone() })
}

fn to_scheduler_history(stage: &mut Stage) -> Applied {
    after_a_past(stage, "with-history", |repeat| {
        [repeat.clone()].into_iter().chain(respelled_repeat(repeat)).collect()
    })
}

fn to_scheduler_present(stage: &mut Stage) -> Applied {
    after_a_past(stage, "with-clean-up", |repeat| vec![repeat.clone()])
}

/// A container of long ago has registered the pattern in another way. The move is rolled out while
/// nothing is judged yet: two registrations are no news.
fn after_a_past(
    stage: &mut Stage,
    word: &str,
    removes: impl Fn(&Repeat) -> Vec<Repeat>,
) -> Applied {
    let release = moved(stage, word, removes)?;
    let past = respells(stage)?;
    let early = stage.early();
    let mut old = stage.service().clone();
    old.name = format!("{}-past", old.name).into();
    old.release = past;
    old.replicas = 1;
    let half = Span::from_nanos(early.since(stage.scenario.start).nanos() / 2);
    old.boot = span(Span::ZERO, FIVE.min(half));
    let old = stage.joins(old);
    stage.at(stage.scenario.start + half, Happens::To(old, Change::Scale(0)));
    stage.change(early, Change::Deploy(release, None));
    stage.met(Probe::ReleasesSideBySide, Subject::World);
    Ok(())
}

fn old_pod_returns(stage: &mut Stage) -> Applied {
    returns(stage, to_scheduler_cleaned)
}

fn old_pattern_returns(stage: &mut Stage) -> Applied {
    returns(stage, ticks_changed)
}

/// A container of the old release boots after the new one was rolled out, and stays.
fn returns(stage: &mut Stage, change: fn(&mut Stage) -> Applied) -> Applied {
    let old = stage.service().release;
    change(stage)?;
    let at = stage.healthy + stage.part(75);
    stage.comes("old", at, Span::ZERO).release = old;
    Ok(())
}
