//! Clocks: behind, ahead, stepped, and those that daylight saving moves.

use super::stage::fixed;
use super::{Applied, Hazard, Stage, hazard};
use crate::civil::Zone;
use crate::clock::Span;
use crate::scenario::{Change, Happens, Signed, Skew};

const SECOND: Span = Span::from_secs(1);

pub(super) const HAZARDS: &[Hazard] = &[
    hazard(
        "clock-behind",
        behind,
        "A container whose clock is two seconds behind boots a second after a tick.",
    ),
    hazard(
        "clock-ahead",
        ahead,
        "A container whose clock is a minute ahead boots half a minute before a tick.",
    ),
    hazard(
        "clock-steps",
        steps,
        "The clocks step back by two minutes half a minute after a tick, and a deploy follows.",
    ),
    hazard(
        "other-zone",
        other_zone,
        "A second service with the same code runs in another time zone.",
    ),
];

/// A service of one container with the registrar's code that boots at an instant, its clock off by so
/// many milliseconds.
fn skewed(stage: &mut Stage, at: crate::clock::Instant, ms: i64) {
    let mut one = stage.service().clone();
    one.name = format!("{}-skewed", one.name).into();
    one.replicas = 1;
    // It is created with the others and comes up when it is time.
    one.boot = fixed(at.since(stage.scenario.start));
    let off = Signed { least: ms * 1_000_000, most: ms * 1_000_000, draw: 0 };
    one.clock = Skew { offset: Some(off), drift: None };
    stage.scenario.services.push(one);
}

fn behind(stage: &mut Stage) -> Applied {
    skewed(stage, stage.tick + SECOND, -2_000);
    Ok(())
}

fn ahead(stage: &mut Stage) -> Applied {
    skewed(stage, stage.tick - Span::from_secs(30), 60_000);
    Ok(())
}

fn steps(stage: &mut Stage) -> Applied {
    let at = stage.tick + Span::from_secs(30);
    let services = [stage.registrar, stage.worker];
    let count = if stage.registrar == stage.worker { 1 } else { 2 };
    for service in &services[..count] {
        stage.at(at, Happens::To(*service, Change::Clock(-120_000)));
    }
    stage.change(at + SECOND, Change::Restart);
    Ok(())
}

fn other_zone(stage: &mut Stage) -> Applied {
    let zone = Zone::get("America/New_York").ok_or("there is no such zone")?;
    let mut second = stage.service().clone();
    if second.zone == zone {
        return Err("it runs there already".to_owned());
    }
    second.name = format!("{}-elsewhere", second.name).into();
    second.zone = zone;
    second.replicas = 1;
    stage.scenario.services.push(second);
    Ok(())
}
