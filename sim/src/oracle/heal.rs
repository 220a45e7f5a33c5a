//! Time to heal: for how long a schedule, once it was registered, is not carried on as it must be,
//! and what makes it well again.
//!
//! Well is one live registration with one iteration to come, and no other: what
//! [`LiveRegistrations`](super::registrations::LiveRegistrations) asks of the end of a run. Only the
//! measured part of an illness counts.

use super::judgement::{Breach, Broke, Cause, Healer, Judgement};
use super::ledger::Ledger;
use super::registrations::Registry;
use super::windows::Window;
use super::{Oracle, Seen};
use crate::clock::{Instant, Span};
use crate::event::{By, Event};
use crate::scenario::Scenario;

/// A schedule is never ill for longer than a bound.
#[derive(Debug)]
pub(super) struct TimeToHeal {
    registry: Registry,
    /// Which releases are what a person runs by hand.
    by_hand: Vec<bool>,
    measured: Window,
    most: Span,
    /// Whether it was ever registered.
    registered: bool,
    /// The event since which it is ill.
    ill: Option<Cause>,
    worst: Span,
    broke: Option<Broke>,
}

impl TimeToHeal {
    pub(super) fn new(scenario: &Scenario, schedule: usize, most: u64) -> TimeToHeal {
        TimeToHeal {
            registry: Registry::new(scenario, schedule),
            by_hand: scenario.releases.iter().map(|release| release.by_hand).collect(),
            measured: (scenario.start + scenario.measure.0, scenario.start + scenario.measure.1),
            most: Span::from_nanos(i64::try_from(most).unwrap_or(i64::MAX)),
            registered: false,
            ill: None,
            worst: Span::ZERO,
            broke: None,
        }
    }

    /// It is ill until now; it may go on.
    fn lasts(&mut self, now: Instant, healed: Healer) {
        let Some(ill) = &self.ill else { return };
        let (from, to) = self.measured;
        let lasted = now.min(to).since(ill.at.max(from));
        self.worst = self.worst.max(lasted);
        let (first, at) = (self.broke.as_ref().map(|broke| broke.at), ill.at);
        if lasted > self.most && first.is_none_or(|first| first == at) {
            // The same illness lasts longer than was known.
            let what = Breach::Ill { lasted, most: self.most, healed };
            self.broke = Some(ill.clone().breaks(None, what));
        }
    }

    fn healer(&self, event: &Event) -> Healer {
        match event {
            Event::Queue(_, By::Worker, _) => Healer::Worker,
            Event::Queue(_, By::Processor, _) => Healer::Processor,
            Event::Queue(_, By::Step(step), _) => {
                let by_hand = self.by_hand.get(usize::from(step.release.0));
                if by_hand == Some(&true) { Healer::Person } else { Healer::Steps }
            }
            _ => Healer::Nobody,
        }
    }
}

impl Oracle for TimeToHeal {
    fn observe(&mut self, seen: &Seen<'_>) {
        if !self.registry.observe(seen.event) {
            return;
        }
        self.registered |= self.registry.any();
        if !self.registered {
            return;
        }
        let now = seen.stamp.at;
        if self.registry.standing(seen.ledger).sound(1) {
            self.lasts(now, self.healer(seen.event));
            self.ill = None;
        } else {
            self.ill.get_or_insert_with(|| Cause::of(seen));
            self.lasts(now, Healer::Nobody);
        }
    }

    fn broke(&self) -> Option<&Broke> {
        self.broke.as_ref()
    }

    fn finish(&mut self, end: Instant, _: &Ledger) -> Judgement {
        self.lasts(end, Healer::Nobody);
        Judgement {
            held: self.broke.is_none(),
            judged: u64::from(self.registered),
            figure: self.registered.then(|| self.worst.nanos().unsigned_abs()),
            broke: self.broke.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, at_most, minute};
    use super::*;
    use crate::event::{ReleaseId, StepId};
    use crate::scenario::{Measure, Property};

    fn minutes(minutes: i64) -> Span {
        Span::from_secs(minutes * 60)
    }

    fn heals_within(most: i64) -> Property {
        at_most(Measure::TimeToHeal, minutes(most).nanos().unsigned_abs())
    }

    /// A registration that loses its iteration at minute 30 and gets it back at minute 50.
    fn lost_and_found(by: By) -> Story {
        let mut story = Story::hourly();
        story.at(1).register("k", 60).iteration("k", 60);
        story.at(30).remove("k:60").at(50).by(by).iteration("k", 60);
        story
    }

    #[test]
    fn an_illness_lasts_until_what_heals_it() {
        let judgement = lost_and_found(By::Worker).judge(heals_within(20));
        assert!(judgement.held);
        let twenty = minutes(20).nanos().unsigned_abs();
        assert_eq!((judgement.judged, judgement.figure), (1, Some(twenty)));
        let broke = lost_and_found(By::Worker).judge(heals_within(19)).broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(30), Some("k:60")));
        let (lasted, most) = (minutes(20), minutes(19));
        assert_eq!(broke.what, Breach::Ill { lasted, most, healed: Healer::Worker });
    }

    #[test]
    fn it_says_who_healed_it() {
        let step = |release| By::Step(StepId { release: ReleaseId(release), step: 0 });
        let healed = |by| {
            let mut story = lost_and_found(by);
            story.scenario.releases = vec![Story::release(false), Story::release(true)];
            let broke = story.judge(heals_within(5)).broke.expect("it broke");
            match broke.what {
                Breach::Ill { healed, .. } => healed,
                what => panic!("another property's breach: {what:?}"),
            }
        };
        assert_eq!(healed(step(0)), Healer::Steps);
        assert_eq!(healed(step(1)), Healer::Person);
        assert_eq!(healed(By::Processor), Healer::Processor);
    }

    #[test]
    fn what_nobody_heals_lasts_until_the_end_of_the_measured_part() {
        let mut story = Story::hourly();
        story.at(1).register("k", 60).iteration("k", 60).at(30).flush();
        let lasted = |story: &Story| {
            let broke = story.judge(heals_within(5)).broke.expect("it broke");
            assert_eq!(broke.at, minute(30));
            match broke.what {
                Breach::Ill { lasted, healed: Healer::Nobody, .. } => lasted,
                what => panic!("another breach: {what:?}"),
            }
        };
        assert_eq!(lasted(&story), minutes(210));
        story.scenario.measure = (minutes(60), minutes(90));
        assert_eq!(lasted(&story), minutes(30));
    }

    #[test]
    fn the_first_illness_that_is_too_long_is_what_broke_it() {
        let mut story = lost_and_found(By::Worker);
        story.at(55).register("k2", 60).iteration("k2", 60).at(58).unregister("k2");
        story.remove("k2:60").at(59).remove("k:60").at(100).iteration("k", 60);
        let judgement = story.judge(heals_within(10));
        assert_eq!(judgement.broke.expect("it broke").at, minute(30));
        assert_eq!(judgement.figure, Some(minutes(41).nanos().unsigned_abs()), "the longest");
    }

    #[test]
    fn a_schedule_is_not_ill_before_it_is_registered_nor_while_it_is_carried_on() {
        let mut story = Story::hourly();
        assert_eq!(story.judge(heals_within(0)).judged, 0);
        story.at(100).register("k", 120).iteration("k", 120);
        story.at(120).promote("k:120").fetch("k:120").at(121).register("k", 180);
        story.iteration("k", 180).start("k:120").at(122).done("k:120");
        let judgement = story.judge(heals_within(0));
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 1, Some(0)));
    }

    #[test]
    fn two_round_trips_are_an_illness_between_them() {
        let mut story = Story::hourly();
        story.at(10).register("k", 60).at(12).iteration("k", 60);
        let judgement = story.judge(heals_within(1));
        assert_eq!(judgement.broke.expect("it broke").at, minute(10));
        assert_eq!(judgement.figure, Some(minutes(2).nanos().unsigned_abs()));
    }
}
