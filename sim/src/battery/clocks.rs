//! Clocks: behind, ahead, stepped, and those that daylight saving moves.

use super::changes::elsewhere;
use super::{Applied, Hazard, Stage, hazard};
use crate::civil::{HOUR_MS, Zone};
use crate::clock::{Instant, Span};
use crate::scenario::{Change, Happens, Probe, Recurrence, Signed, Skew, Subject};

const SECOND: Span = Span::from_secs(1);
/// In nanoseconds a second.
const PPM_200: i64 = 200_000;

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
        "clock-drift",
        drift,
        "The clocks run up to 200 ppm fast or slow, and a container with a right one boots at a tick.",
    ),
    hazard(
        "clocks-go-forward",
        spring_forward,
        "The clocks are put forward around a tick, and a container boots within half an hour.",
    ),
    hazard(
        "clocks-go-back",
        fall_back,
        "The clocks are put back around a tick, and a container boots within half an hour.",
    ),
    hazard(
        "other-zone",
        other_zone,
        "A second service with the same code runs in another time zone.",
    ),
];

/// A container with the registrar's code boots at an instant, its clock off by so many milliseconds.
fn skewed(stage: &mut Stage, at: Instant, ms: i64) {
    let off = Signed { least: ms * 1_000_000, most: ms * 1_000_000, draw: 0 };
    stage.comes("skewed", at, Span::ZERO).clock = Skew { offset: Some(off), drift: None };
}

fn behind(stage: &mut Stage) -> Applied {
    stage.short();
    skewed(stage, stage.tick + SECOND, -2_000);
    Ok(())
}

fn ahead(stage: &mut Stage) -> Applied {
    stage.short();
    skewed(stage, stage.tick - Span::from_secs(30), 60_000);
    Ok(())
}

fn steps(stage: &mut Stage) -> Applied {
    stage.short();
    let at = stage.tick + Span::from_secs(30);
    let services = [stage.registrar, stage.worker];
    let count = if stage.registrar == stage.worker { 1 } else { 2 };
    for service in &services[..count] {
        stage.at(at, Happens::To(*service, Change::Clock(-120_000)));
    }
    stage.change(at + SECOND, Change::Restart);
    stage.met(Probe::ClocksStep, Subject::World);
    Ok(())
}

/// Clocks that run up to 200 ppm too fast or too slow: most of a second in an hour. Whoever boots has
/// the right time.
fn drift(stage: &mut Stage) -> Applied {
    let off = Signed { least: -PPM_200, most: PPM_200, draw: 0 };
    let clock = Skew { offset: None, drift: Some(off) };
    stage.service_mut().clock = clock;
    stage.worker_mut().clock = clock;
    // Its first clock reads right.
    let at = stage.tick - SECOND;
    stage.comes("fresh", at, SECOND + SECOND).clock = Skew { offset: None, drift: None };
    Ok(())
}

fn spring_forward(stage: &mut Stage) -> Applied {
    saving(stage, true)
}

fn fall_back(stage: &mut Stage) -> Applied {
    saving(stage, false)
}

/// The tick is the first that the change may touch, and a container boots in the half hour after the
/// change.
fn saving(stage: &mut Stage, forward: bool) -> Applied {
    let Recurrence::Pattern(_, zone) = &stage.scenario.schedules[stage.schedule].recurrence else {
        return Err("its ticks are no local times".to_owned());
    };
    let change = change_after(zone, stage.healthy.ms(), forward)
        .ok_or_else(|| format!("{} knows no daylight saving", zone.name()))?;
    let ticks = stage.scenario.schedules[stage.schedule].recurrence.ticks();
    let tick = ticks.after(change - HOUR_MS - 1).ok_or("the schedule is due too seldom")?;
    stage.lay_out_around(Instant::from_ms(tick))?;
    stage.comes("fresh", Instant::from_ms(change), Span::from_secs(30 * 60));
    Ok(())
}

/// The first instant after another at which the clocks of a zone are put forward, or back.
fn change_after(zone: &Zone, from_ms: i64, forward: bool) -> Option<i64> {
    let mut span = zone.span_at(from_ms);
    loop {
        let next = zone.span_at(span.end_ms);
        if next.start_ms != span.end_ms {
            return None;
        }
        if (next.offset_ms > span.offset_ms) == forward {
            return Some(span.end_ms);
        }
        span = next;
    }
}

fn other_zone(stage: &mut Stage) -> Applied {
    let mut second = stage.service().clone();
    let zone = elsewhere(&second.zone)?;
    second.name = format!("{}-elsewhere", second.name).into();
    second.zone = zone;
    second.replicas = 1;
    stage.joins(second);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_are_put_forward_and_back() {
        let of = |zone: &str, forward| {
            // 2026-01-01T00:00:00Z.
            change_after(
                &Zone::get(zone).expect("there is such a zone"),
                1_767_225_600_000,
                forward,
            )
        };
        // 2026-03-08T07:00:00Z and 2026-11-01T06:00:00Z.
        assert_eq!(of("America/New_York", true), Some(1_772_953_200_000));
        assert_eq!(of("America/New_York", false), Some(1_793_512_800_000));
        assert_eq!((of("UTC", true), of("Asia/Kolkata", false)), (None, None));
    }
}
