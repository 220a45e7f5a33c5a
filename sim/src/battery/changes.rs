//! Changes of the start-up code, rolled out while the old code still runs, and rolled back.

use super::{Applied, Hazard, Stage, hazard};
use crate::bullmq::Version;
use crate::bullmq::cron::Cron;
use crate::clock::Span;
use crate::event::ReleaseId;
use crate::scenario::{
    Action, Change, Happens, OnError, Probe, Repeat, RepeatWhen, Step, Subject, Template,
};

pub(super) const HAZARDS: &[Hazard] = &[
    hazard(
        "pattern-changed",
        pattern_changed,
        "A deploy writes the pattern in another way: the same ticks, another registration key.",
    ),
    hazard(
        "pattern-rolled-back",
        pattern_rolled_back,
        "The same, rolled back after the next tick.",
    ),
    hazard("zone-named", zone_named, "A deploy names the time zone that the fleet has anyway."),
    hazard("job-id-added", job_id_added, "A deploy gives every repeatable add a job id."),
    hazard("scheduler-renamed", scheduler_renamed, "A deploy renames the job scheduler."),
    hazard("to-scheduler", to_scheduler, "A deploy moves from repeatable jobs to a job scheduler."),
    hazard(
        "to-scheduler-cleaned",
        to_scheduler_cleaned,
        "The same, removing the old registration first.",
    ),
    hazard(
        "old-pod-returns",
        old_pod_returns,
        "The same, and an old container comes back after it.",
    ),
    hazard(
        "upgrade-5.81",
        |stage| upgrade(stage, Version::V5_81_5),
        "A rolling deploy to BullMQ 5.81.5.",
    ),
    hazard(
        "upgrade-6.7",
        |stage| upgrade(stage, Version::V6_7_0),
        "A rolling deploy to BullMQ 6.7.0.",
    ),
    hazard(
        "downgrade-5.34",
        |stage| upgrade(stage, Version::V5_34_10),
        "A rolling deploy back to BullMQ 5.34.10.",
    ),
    hazard(
        "two-versions",
        two_versions,
        "Half of the fleet runs another version of the library for hours (a canary).",
    ),
];

/// Rolls a release out between the healthy tick and the next.
fn rolls(stage: &mut Stage, release: ReleaseId) {
    stage.change(stage.between(), Change::Deploy(release, None));
    stage.met(Probe::ReleasesSideBySide, Subject::World);
}

fn repeat_of(action: &mut Action) -> Option<&mut Repeat> {
    match action {
        Action::Add(add) => add.repeat.as_mut(),
        Action::UpsertJobScheduler { repeat, .. } | Action::RemoveRepeatable { repeat, .. } => {
            Some(repeat)
        }
        _ => None,
    }
}

/// A pattern with the same ticks, written in another way: its hours, or its minute.
fn respelled(pattern: &Cron) -> Option<Cron> {
    let mut fields: Vec<String> = pattern.pattern().split_whitespace().map(str::to_owned).collect();
    let hour = fields.len().checked_sub(4)?;
    let minute = hour.checked_sub(1)?;
    match fields[hour].as_str() {
        "*" => "0-23".clone_into(&mut fields[hour]),
        _ => {
            let number: u8 = fields[minute].parse().ok()?;
            fields[minute] = format!("{number}-{number}");
        }
    }
    Cron::read(&fields.join(" "), pattern.dialect()).ok()
}

fn respells(stage: &mut Stage) -> Result<ReleaseId, String> {
    let edited = stage.edited("respelled", |action| {
        let Some(repeat) = repeat_of(action) else { return false };
        let RepeatWhen::Pattern(pattern) = &repeat.when else { return false };
        let Some(other) = respelled(pattern) else { return false };
        repeat.when = RepeatWhen::Pattern(other);
        true
    });
    edited.ok_or_else(|| "its start-up code registers no pattern".to_owned())
}

fn pattern_changed(stage: &mut Stage) -> Applied {
    let release = respells(stage)?;
    rolls(stage, release);
    Ok(())
}

fn pattern_rolled_back(stage: &mut Stage) -> Applied {
    let old = stage.service().release;
    pattern_changed(stage)?;
    stage.change(stage.tick + stage.part(30), Change::Deploy(old, None));
    Ok(())
}

fn zone_named(stage: &mut Stage) -> Applied {
    let zone = stage.service().zone.clone();
    let edited = stage.edited("zoned", |action| match repeat_of(action) {
        Some(repeat) if repeat.zone.is_none() => {
            repeat.zone = Some(zone.clone());
            true
        }
        _ => false,
    });
    let release = edited.ok_or("its start-up code names a zone already, or registers nothing")?;
    rolls(stage, release);
    Ok(())
}

fn job_id_added(stage: &mut Stage) -> Applied {
    let edited = stage.edited("with-id", |action| match action {
        Action::Add(add) if add.repeat.is_some() && add.options.job_id.is_none() => {
            let pieces = vec![format!("{}-recurring", add.name).into()];
            add.options.job_id = Some(Template { pieces, schedule: None });
            true
        }
        _ => false,
    });
    let release = edited.ok_or("its start-up code has no repeatable add without an id")?;
    rolls(stage, release);
    Ok(())
}

fn scheduler_renamed(stage: &mut Stage) -> Applied {
    let edited = stage.edited("renamed", |action| match action {
        Action::UpsertJobScheduler { id, .. } => {
            *id = format!("{id}-2").into();
            true
        }
        _ => false,
    });
    let release = edited.ok_or("its start-up code has no job scheduler")?;
    rolls(stage, release);
    Ok(())
}

/// A release in which every repeatable add is an upsert.
fn moved(stage: &mut Stage, cleans: bool) -> Result<ReleaseId, String> {
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
        let id = add.options.job_id.as_ref().map(|id| id.pieces.concat().into());
        if cleans {
            let remove = Action::RemoveRepeatable {
                queue: add.queue,
                name: name.clone(),
                repeat: repeat.clone(),
                job_id: id,
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
    Ok(stage.another(if cleans { "with-clean-up" } else { "with-upsert" }, release))
}

fn to_scheduler(stage: &mut Stage) -> Applied {
    let release = moved(stage, false)?;
    rolls(stage, release);
    Ok(())
}

fn to_scheduler_cleaned(stage: &mut Stage) -> Applied {
    let release = moved(stage, true)?;
    rolls(stage, release);
    Ok(())
}

fn old_pod_returns(stage: &mut Stage) -> Applied {
    to_scheduler_cleaned(stage)?;
    let mut old = stage.service().clone();
    old.name = format!("{}-old", old.name).into();
    old.replicas = 1;
    let at = stage.healthy + stage.part(75);
    old.boot = super::stage::fixed(at.since(stage.scenario.start));
    stage.scenario.services.push(old);
    Ok(())
}

fn upgrade(stage: &mut Stage, version: Version) -> Applied {
    if stage.release().library == version {
        return Err("it has that version".to_owned());
    }
    let mut release = stage.release().clone();
    release.library = version;
    let release = stage.another("other-library", release);
    rolls(stage, release);
    Ok(())
}

fn two_versions(stage: &mut Stage) -> Applied {
    let library = stage.release().library;
    let other = match library {
        Version::V6_7_0 => Version::V5_81_5,
        Version::V5_81_5 => Version::V6_7_0,
        Version::V5_34_10 => Version::V5_81_5,
    };
    let mut release = stage.release().clone();
    release.library = other;
    let release = stage.another("another-version", release);
    let mut canary = stage.service().clone();
    canary.name = format!("{}-canary", canary.name).into();
    canary.release = release;
    canary.replicas = 1;
    stage.scenario.services.push(canary);
    let at = stage.healthy + Span::from_secs(30);
    stage.at(at, Happens::To(stage.registrar, Change::Restart));
    Ok(())
}
