//! Exposure: how often a month a harm comes, not only that there is a seed that shows it.
//!
//! A hazard that is an ordinary deploy, or one container of it that boots, comes as often as the file
//! says that it is deployed. Where the hazard draws the instant from a range that touches a tick, an
//! instant of a deploy that is any instant of a period falls there with a chance of range / period;
//! where it is far from ticks, any instant is such a one. Of those the share of harmed runs does harm:
//!
//! > times a month = deploys (or boots) a month × chance × share of harmed runs
//!
//! Computed are the chance and the share; that each deploy is of the hazard's kind, and that nothing
//! keeps deploys away from ticks, is assumed. Whatever else a hazard does (a network that is slow, a
//! worker that is busy) is assumed to be so each time. For what is no deploy nobody knows how often it
//! comes, so the share of harmed runs is all that is said.

use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::ReleaseId;
use bootrace_sim::scenario::{
    Action, Change, Happens, Per, PlannedEvent, Range, Rate, Scenario, Schedule, Service,
};

/// How often a file is deployed that does not say it: once on each working day.
pub const DEPLOYS: Rate = Rate { count: 20, per: Per::Month };

/// How far from a tick a container may begin to run and still be said to boot at the tick.
const AT_TICK: Span = Span::from_secs(5);

/// A container more that boots within a longer range is about that one instant (clocks change), not
/// about any tick.
const WIDEST: Span = Span::from_secs(60);

/// How often a hazard comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Occurs {
    /// As often as what.
    pub of: Of,
    /// From how long a time around a tick its instant is drawn; none if any instant is such a one.
    pub window: Option<Span>,
    /// The time from that tick to the next.
    pub period: Span,
}

/// What a hazard is one of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// Deploys.
    Deploys,
    /// Containers that boot, so many in a deploy.
    Boots(u32),
    /// Nothing that is known to come so and so often.
    Itself,
}

/// How often a harm comes, and what that is the product of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Exposure {
    /// How many deploys or boots there are in a month; none if the hazard is neither.
    pub a_month: Option<f64>,
    /// The chance that one of them is at an instant at which the hazard puts it.
    pub chance: f64,
    /// The share of these that does the harm.
    pub share: f64,
}

impl Exposure {
    /// How often a month, if that can be told.
    #[must_use]
    pub fn times_a_month(&self) -> Option<f64> {
        Some(self.a_month? * self.chance * self.share)
    }
}

impl Occurs {
    pub(super) fn exposure(&self, share: f64, deploys: Rate) -> Exposure {
        let a_month = match self.of {
            Of::Deploys => Some(deploys.a_month()),
            Of::Boots(each) => Some(deploys.a_month() * f64::from(each)),
            Of::Itself => None,
        };
        let part = |window: Span| window.nanos() as f64 / self.period.nanos().max(1) as f64;
        Exposure { a_month, chance: self.window.map_or(1.0, part).min(1.0), share }
    }
}

/// How often what a hazard made of a scenario comes.
pub(super) fn occurs(scenario: &Scenario, staged: &Scenario, schedule: usize) -> Occurs {
    let of = &staged.schedules[schedule];
    let ticks = ticks(staged, of);
    let period = match ticks[..] {
        [.., tick, next] => next.since(tick),
        _ => staged.length,
    };
    let itself = Occurs { of: Of::Itself, window: None, period };
    let deploys = |event: &&PlannedEvent| !is_weather(staged, of, event);
    let deploys: Vec<&PlannedEvent> = staged.events.iter().filter(deploys).collect();
    if let Some((one, like)) = comes(scenario, staged)
        && deploys.is_empty()
        && let Some(window) = window(&ticks, staged.start, &one.boot)
        && window <= WIDEST
    {
        return Occurs { of: Of::Boots(like.replicas), window: Some(window), period };
    }
    let other = staged.services.len() > scenario.services.len() || !staged.faults.kills.is_empty();
    let [PlannedEvent { at, happens: Happens::To(service, change), .. }] = deploys[..] else {
        return itself;
    };
    if other {
        return itself;
    }
    let service = usize::from(service.0);
    let boot = staged.services[service].boot.least;
    let window = window(&ticks, staged.start + boot, at);
    match change {
        Change::Restart => Occurs { of: Of::Deploys, window, period },
        Change::Scale(to) => match to.checked_sub(staged.services[service].replicas) {
            Some(1) => {
                Occurs { of: Of::Boots(scenario.services[service].replicas), window, period }
            }
            Some(2..) => Occurs { of: Of::Deploys, window, period },
            _ => itself,
        },
        _ => itself,
    }
}

/// A container more of a service, as a service of its own that comes up when all others have, and the
/// service that it is like, as the file has it.
fn comes<'a>(scenario: &'a Scenario, staged: &'a Scenario) -> Option<(&'a Service, &'a Service)> {
    let [one] = staged.services.get(scenario.services.len()..)? else { return None };
    let like = staged.services.iter().zip(&scenario.services).find(|(of, _)| {
        let Service { name, replicas, boot, round_trip, .. } = one.clone();
        boot.least > of.boot.most
            && *one == Service { name, replicas, boot, round_trip, ..(*of).clone() }
    });
    like.filter(|_| staged.faults.kills.is_empty()).map(|(_, of)| (one, of))
}

/// The ticks of a run.
fn ticks(staged: &Scenario, of: &Schedule) -> Vec<Instant> {
    let (ticks, end) = (of.recurrence.ticks(), staged.start + staged.length);
    let next = |at: &Instant| ticks.after(at.ms()).map(Instant::from_ms);
    let from = Some(staged.start);
    std::iter::successors(from, next).skip(1).take_while(|tick| *tick < end).take(100).collect()
}

/// The length of the range from which an event is drawn, if what it starts begins to run at a tick.
fn window(ticks: &[Instant], start: Instant, at: &Range) -> Option<Span> {
    let (from, to) = (start + at.least, start + at.most);
    let near = |tick: &&Instant| from - AT_TICK <= **tick && **tick <= to + AT_TICK;
    (from < to && ticks.iter().any(|tick| near(&tick))).then(|| to.since(from))
}

/// Whether an event is what a deploy may meet, and none itself: a slow network or one that stands still,
/// work of others.
fn is_weather(staged: &Scenario, of: &Schedule, event: &PlannedEvent) -> bool {
    match &event.happens {
        Happens::To(_, change) => {
            matches!(change, Change::Delay { .. } | Change::Partition(_))
        }
        Happens::ByHand(ReleaseId(release)) => {
            let steps = &staged.releases[usize::from(*release)].steps;
            steps.iter().all(|step| match &step.action {
                Action::Add(add) => add.queue != of.queue || add.name != of.job,
                _ => false,
            })
        }
        Happens::InRedis(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootrace_sim::battery::named;
    use bootrace_sim::scenario::parse;

    fn of(hazard: &str) -> Occurs {
        let text = include_str!("../../scenarios/free-tier-usage/no-bootstrap.toml");
        let scenario = parse(text).expect("it parses").0;
        let hazard = named(hazard).expect("there is such a hazard");
        let staged = hazard.of(&scenario, 0, None).expect("it applies");
        occurs(&scenario, &staged, 0)
    }

    #[test]
    fn what_is_a_deploy_comes_as_often_as_deploys_do() {
        let seconds = |seconds| Some(Span::from_secs(seconds));
        for (hazard, expected, window) in [
            ("rolling-deploy", Of::Deploys, None),
            ("slow-deploy", Of::Deploys, None),
            ("deploy-across-tick", Of::Deploys, seconds(5)),
            ("boot-just-before-tick", Of::Boots(12), seconds(6)),
            ("boot-held-back", Of::Boots(12), seconds(10)),
            ("boot-just-after-tick", Of::Boots(12), seconds(2)),
            ("boot-behind-backlog", Of::Boots(12), seconds(60)),
            ("second-service", Of::Itself, None),
            ("healthy", Of::Itself, None),
            ("killed-in-start-up", Of::Itself, None),
            ("downtime-over-tick", Of::Itself, None),
            ("pattern-changed", Of::Itself, None),
            ("two-versions", Of::Itself, None),
            ("promoted", Of::Itself, None),
            ("redis-empty", Of::Itself, None),
        ] {
            let found = of(hazard);
            assert_eq!((found.of, found.window), (expected, window), "{hazard}");
            assert_eq!(found.period, Span::from_secs(3600));
        }
    }

    #[test]
    fn times_a_month_is_a_product() {
        let occurs = of("boot-just-after-tick");
        let exposure = occurs.exposure(0.5, DEPLOYS);
        assert_eq!(exposure.a_month, Some(240.0));
        let times = exposure.times_a_month().expect("it is a deploy's");
        assert!((times - 240.0 * (2.0 / 3600.0) * 0.5).abs() < 1e-9, "{times}");
        // More often than it can be it is not.
        let often = Occurs { period: Span::from_secs(1), ..occurs };
        assert_eq!(often.exposure(1.0, DEPLOYS).chance, 1.0);
        assert_eq!(of("redis-empty").exposure(1.0, DEPLOYS).times_a_month(), None);
    }
}
