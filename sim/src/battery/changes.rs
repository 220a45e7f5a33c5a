//! Changes of the start-up code, rolled out while the old code still runs.
//!
//! Where a change is of what the team means, that is meant from the rollout on, which comes before
//! anything is judged.

use super::{Applied, Hazard, Stage, hazard};
use crate::bullmq::Version;
use crate::bullmq::cron::Cron;
use crate::civil::Zone;
use crate::clock::Span;
use crate::event::{QueueId, ReleaseId, ServiceId};
use crate::scenario::{
    Action, Change, Happens, Job, JobOptions, Keep, Probe, Recurrence, Repeat, RepeatWhen, Subject,
    Template,
};

pub(super) const HAZARDS: &[Hazard] = &[
    hazard(
        "pattern-changed",
        pattern_changed,
        "A deploy writes the pattern in another way: the same ticks, another registration key.",
    ),
    hazard("zone-named", zone_named, "A deploy names the time zone that the fleet has anyway."),
    hazard("job-id-added", job_id_added, "A deploy gives every repeatable add a job id."),
    hazard("scheduler-renamed", scheduler_renamed, "A deploy renames the job scheduler."),
    hazard(
        "options-changed",
        options_changed,
        "A deploy changes which finished jobs are kept, and how often they are tried.",
    ),
    hazard(
        "registrations-off",
        registrations_off,
        "A deploy with a flag that turns all registrations off; the workers stay.",
    ),
    hazard(
        "ticks-changed",
        ticks_changed,
        "A deploy changes the pattern or the period really: judged are the new ticks.",
    ),
    hazard(
        "configs-disagree",
        configs_disagree,
        "A second service comes that has another pattern or period in its configuration.",
    ),
    hazard(
        "zone-changed",
        zone_changed,
        "A deploy moves the schedule to another time zone: judged are the ticks there.",
    ),
    hazard(
        "job-renamed",
        job_renamed,
        "A deploy renames the job: nothing of the old name must run any more.",
    ),
    hazard(
        "queue-moved",
        queue_moved,
        "A new release with another prefix for the queue's keys, beside containers of the old one.",
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
pub(super) fn rolls(stage: &mut Stage, release: ReleaseId) {
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
pub(super) fn respelled(pattern: &Cron) -> Option<Cron> {
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

pub(super) fn respells(stage: &mut Stage) -> Result<ReleaseId, String> {
    let edited = stage.edited("respelled", |action| {
        let Some(repeat) = repeat_of(action) else { return false };
        let RepeatWhen::Pattern(pattern) = &repeat.when else { return false };
        let Some(other) = respelled(pattern) else { return false };
        repeat.when = RepeatWhen::Pattern(other);
        true
    });
    edited.ok_or_else(|| "its start-up code registers no pattern".to_owned())
}

pub(super) fn pattern_changed(stage: &mut Stage) -> Applied {
    let release = respells(stage)?;
    rolls(stage, release);
    Ok(())
}

pub(super) fn zone_named(stage: &mut Stage) -> Applied {
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

pub(super) fn job_id_added(stage: &mut Stage) -> Applied {
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

pub(super) fn scheduler_renamed(stage: &mut Stage) -> Applied {
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

fn options_changed(stage: &mut Stage) -> Applied {
    let other = |options: &mut JobOptions| {
        options.remove_on_complete = Some(match options.remove_on_complete {
            Some(Keep::All) => Keep::None,
            _ => Keep::All,
        });
        options.attempts = Some(options.attempts.unwrap_or(1) + 1);
        true
    };
    let edited = stage.edited("other-options", |action| match action {
        Action::Add(add) => other(&mut add.options),
        Action::UpsertJobScheduler { options, .. } => other(options),
        _ => false,
    });
    let release = edited.ok_or("its start-up code adds nothing")?;
    rolls(stage, release);
    Ok(())
}

fn registrations_off(stage: &mut Stage) -> Applied {
    stage.waits_in_redis()?;
    let mut release = stage.release().clone();
    release.steps = stage.steps_with_worker(true).into();
    let release = stage.another("switched-off", release);
    rolls(stage, release);
    Ok(())
}

/// Rolls a release out while nothing is judged yet: what is meant from then on is what it says.
fn rolls_early(stage: &mut Stage, release: ReleaseId) {
    stage.change(stage.early(), Change::Deploy(release, None));
    stage.met(Probe::ReleasesSideBySide, Subject::World);
}

/// What it says of when, if it is a registration or keeps time itself: patterns, as that one is.
fn pattern_of(action: &mut Action) -> Option<&mut Cron> {
    if let Action::Timer { pattern, .. } = action {
        return Some(pattern);
    }
    match &mut repeat_of(action)?.when {
        RepeatWhen::Pattern(pattern) => Some(pattern),
        RepeatWhen::Every(_) | RepeatWhen::Refused(_) => None,
    }
}

/// A pattern seven minutes later.
fn later(pattern: &Cron) -> Option<Cron> {
    let mut fields: Vec<String> = pattern.pattern().split_whitespace().map(str::to_owned).collect();
    let minute = fields.len().checked_sub(5)?;
    let number: u8 = fields[minute].parse().ok()?;
    fields[minute] = ((number + 7) % 60).to_string();
    Cron::read(&fields.join(" "), pattern.dialect()).ok()
}

/// A release with other ticks, and which these are.
fn other_ticks(stage: &mut Stage) -> Result<(ReleaseId, Recurrence), String> {
    let meant = stage.scenario.schedules[stage.schedule].recurrence.clone();
    let (edited, moved) = match meant {
        Recurrence::Every(period) => {
            let double = period + period;
            let edited = stage.edited("less-often", |action| match repeat_of(action) {
                Some(repeat) if repeat.when == RepeatWhen::Every(period) => {
                    repeat.when = RepeatWhen::Every(double);
                    true
                }
                _ => false,
            });
            (edited, Recurrence::Every(double))
        }
        Recurrence::Pattern(cron, zone) => {
            let other = later(&cron).ok_or("its pattern names no minute")?;
            let edited = stage.edited("afterwards", |action| match pattern_of(action) {
                Some(pattern) if pattern.pattern() == cron.pattern() => {
                    pattern.clone_from(&other);
                    true
                }
                _ => false,
            });
            (edited, Recurrence::Pattern(other, zone))
        }
    };
    Ok((edited.ok_or("its start-up code says the ticks in another way")?, moved))
}

pub(super) fn ticks_changed(stage: &mut Stage) -> Applied {
    let (release, moved) = other_ticks(stage)?;
    stage.means(|schedule| schedule.recurrence = moved)?;
    rolls_early(stage, release);
    Ok(())
}

fn configs_disagree(stage: &mut Stage) -> Applied {
    let (release, _) = other_ticks(stage)?;
    stage.comes("configured", stage.between(), Span::from_secs(5)).release = release;
    Ok(())
}

fn zone_changed(stage: &mut Stage) -> Applied {
    let meant = stage.scenario.schedules[stage.schedule].recurrence.clone();
    let Recurrence::Pattern(cron, here) = meant else {
        return Err("its ticks are no local times".to_owned());
    };
    let there = elsewhere(&here)?;
    let edited = stage.edited("elsewhere", |action| {
        if pattern_of(action).is_none_or(|pattern| pattern.pattern() != cron.pattern()) {
            return false;
        }
        match action {
            Action::Timer { zone, .. } => *zone = Some(there.clone()),
            action => {
                let Some(repeat) = repeat_of(action) else { return false };
                repeat.zone = Some(there.clone());
            }
        }
        true
    });
    let release = edited.ok_or("its start-up code says the ticks in another way")?;
    stage
        .means(|schedule| schedule.recurrence = Recurrence::Pattern(cron.clone(), there.clone()))?;
    rolls_early(stage, release);
    Ok(())
}

/// A zone whose hours begin at other instants.
pub(super) fn elsewhere(than: &Zone) -> Result<Zone, String> {
    let name = if than.name() == "Asia/Kolkata" { "Etc/UTC" } else { "Asia/Kolkata" };
    Zone::get(name).ok_or_else(|| format!("there is no zone {name}"))
}

/// What the team means is done by jobs of another name or queue from now on. Both do the same.
fn means_other_job(stage: &mut Stage, queue: QueueId, name: &str) -> Applied {
    let before = stage.scenario.schedules[stage.schedule].clone();
    if let Some(job) = stage.job_mut() {
        if *job.name == *name {
            job.queue = None;
        } else {
            let other = Job { name: name.into(), ..job.clone() };
            stage.scenario.jobs.push(other);
        }
    }
    stage.means(|schedule| {
        schedule.queue = queue;
        schedule.job = name.into();
    })?;
    stage.queue = queue;
    stage.no_more(before.queue, &before.job);
    Ok(())
}

fn job_renamed(stage: &mut Stage) -> Applied {
    let before = stage.scenario.schedules[stage.schedule].job.clone();
    let after: Box<str> = format!("{before}-renamed").into();
    let edited = stage.edited("job-renamed", |action| {
        let name = match action {
            Action::Add(add) => &mut add.name,
            Action::UpsertJobScheduler { name, .. } => name,
            _ => return false,
        };
        let same = *name == before;
        if same {
            name.clone_from(&after);
        }
        same
    });
    let release = edited.ok_or("its start-up code adds no job of that name")?;
    means_other_job(stage, stage.queue, &after)?;
    rolls_early(stage, release);
    Ok(())
}

fn queue_moved(stage: &mut Stage) -> Applied {
    let old = stage.queue;
    let mut queue = stage.scenario.queues[usize::from(old.0)].clone();
    queue.prefix = format!("{}-moved", queue.prefix).into();
    queue.name = format!("{}-moved", queue.name).into();
    stage.scenario.queues.push(queue);
    let number = stage.scenario.queues.len() - 1;
    let new = QueueId(u16::try_from(number).expect("the parser bounds their number"));
    let job = stage.scenario.schedules[stage.schedule].job.clone();
    let (registrar, worker) = (stage.registrar, stage.worker);
    let mut services = vec![registrar, worker];
    services.dedup();
    let mut moved: Vec<(ServiceId, ReleaseId, ReleaseId)> = Vec::new();
    for service in services {
        // What is said of the registrar is said of each in turn.
        stage.registrar = service;
        let of = stage.service().release;
        let known = moved.iter().find(|(_, old, _)| *old == of).map(|(.., new)| *new);
        let release = known.or_else(|| stage.edited("moved", |action| to_queue(action, old, new)));
        moved.extend(release.map(|release| (service, of, release)));
    }
    means_other_job(stage, new, &job)?;
    for (service, _, release) in moved {
        stage.registrar = service;
        stage.comes("moved", stage.early(), Span::from_secs(5)).release = release;
    }
    stage.registrar = registrar;
    Ok(())
}

/// Whether an action is about a queue; it is about the other then.
fn to_queue(action: &mut Action, old: QueueId, new: QueueId) -> bool {
    let queue = match action {
        Action::Add(add) => &mut add.queue,
        Action::UpsertJobScheduler { queue, .. }
        | Action::RemoveRepeatable { queue, .. }
        | Action::RemoveRepeatableByKey { queue, .. }
        | Action::RemoveJobScheduler { queue, .. }
        | Action::Open(queue)
        | Action::RemoveAllRepeatables(queue)
        | Action::GetRepeatableJobs(queue)
        | Action::GetJobSchedulers { queue, .. } => queue,
        Action::Worker(worker) => &mut worker.queue,
        _ => return false,
    };
    let same = *queue == old;
    if same {
        *queue = new;
    }
    same
}

pub(super) fn upgrade(stage: &mut Stage, version: Version) -> Applied {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bullmq::cron::CronDialect;

    fn cron(pattern: &str) -> Cron {
        Cron::read(pattern, CronDialect::V4).expect("it is a pattern")
    }

    #[test]
    fn a_pattern_is_written_in_another_way_or_moved() {
        let ways = |pattern: &str| {
            let cron = cron(pattern);
            let text = |cron: Option<Cron>| cron.map(|cron| cron.pattern().to_owned());
            [text(respelled(&cron)), text(later(&cron))].map(Option::unwrap_or_default)
        };
        assert_eq!(ways("35 * * * *"), ["35 0-23 * * *", "42 * * * *"]);
        assert_eq!(ways("0 55 3 * * *"), ["0 55-55 3 * * *", "0 2 3 * * *"]);
        assert_eq!(ways("*/5 3 * * *"), ["", ""]);
    }
}
