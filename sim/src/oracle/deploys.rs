//! Extra firings of a deploy: those beyond one a window, in all windows that a rollout touches.
//!
//! A rollout touches the window in which it begins, that in which it is complete, and those between.
//! It counts whatever fires there, before the rollout begins too: whose fault a firing is, it does
//! not say.

use super::judgement::{Breach, Cause, Judgement};
use super::ledger::{Fact, Ledger};
use super::windows::{Tally, Window};
use super::{Broke, Oracle, Seen};
use crate::clock::Instant;
use crate::event::{Event, Plan, ServiceId};
use crate::mutants::{Mutant, planted};
use crate::scenario::Scenario;

/// At most so many extra firings for each rollout of a service, whichever service it is.
#[derive(Debug)]
pub(super) struct ExtraFirings {
    schedule: usize,
    most: u64,
    tally: Tally,
    /// In the order in which they happened.
    extras: Vec<(Window, Cause)>,
    deploys: Vec<Deploy>,
}

#[derive(Debug)]
struct Deploy {
    service: ServiceId,
    from: Instant,
    /// When it was complete, or the next one of its service began.
    to: Option<Instant>,
}

impl ExtraFirings {
    pub(super) fn new(scenario: &Scenario, schedule: usize, most: u64) -> ExtraFirings {
        ExtraFirings {
            schedule,
            most,
            tally: Tally::new(scenario, &scenario.schedules[schedule]),
            extras: Vec::new(),
            deploys: Vec::new(),
        }
    }

    fn ends(&mut self, of: ServiceId, at: Instant) {
        let open = |deploy: &&mut Deploy| deploy.service == of && deploy.to.is_none();
        if let Some(deploy) = self.deploys.iter_mut().find(open) {
            deploy.to = Some(at);
        }
    }

    /// The ticks of the windows that each deploy touches: the first and the last.
    fn touched(&mut self, end: Instant) -> Vec<(Instant, Instant)> {
        let windows = &mut self.tally.windows;
        let first = |deploy: &Deploy| {
            let window = windows.containing(deploy.from);
            let to = deploy.to.filter(|_| !planted(Mutant::X6));
            (window.map_or(deploy.from, |window| window.0), to.unwrap_or(end))
        };
        self.deploys.iter().map(first).collect()
    }

    /// The extra firings of a deploy.
    fn extras(&self, (first, last): (Instant, Instant)) -> impl Iterator<Item = &(Window, Cause)> {
        self.extras.iter().filter(move |(window, _)| first <= window.0 && window.0 <= last)
    }

    fn broke(&self, touched: (Instant, Instant)) -> Option<Broke> {
        let beyond = usize::try_from(self.most).unwrap_or(usize::MAX);
        let (window, cause) = self.extras(touched).nth(beyond)?;
        let what = Breach::Above { found: self.most + 1, most: self.most };
        Some(cause.clone().breaks(Some(*window), what))
    }
}

impl Oracle for ExtraFirings {
    fn observe(&mut self, seen: &Seen<'_>) {
        let at = seen.stamp.at;
        match (seen.event, seen.fact) {
            (Event::Plan(Plan::Deploy { service, .. }), _) => {
                self.ends(*service, at);
                self.deploys.push(Deploy { service: *service, from: at, to: None });
            }
            (Event::Plan(Plan::Deployed { service }), _) => self.ends(*service, at),
            (_, Some(Fact::Execution { schedule, firing: Some(tick), .. }))
                if schedule == self.schedule =>
            {
                if let Some((window, 2..)) = self.tally.add(tick, 1) {
                    self.extras.push((window, Cause::of(seen)));
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, end: Instant, _: &Ledger) -> Judgement {
        let touched = self.touched(end);
        // A deploy in whose windows nothing fired says nothing about firings.
        let fired: Vec<_> =
            touched.into_iter().filter(|(first, last)| self.tally.any(*first, *last)).collect();
        let count = |touched: &(Instant, Instant)| self.extras(*touched).count() as u64;
        let broke = fired.iter().filter_map(|touched| self.broke(*touched));
        let broke = broke.min_by_key(|broke| broke.at);
        Judgement {
            held: broke.is_none(),
            judged: fired.len() as u64,
            figure: fired.iter().map(count).max(),
            broke,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, at_most, minute};
    use super::*;
    use crate::scenario::{Measure, Property};

    fn extra(most: u64) -> Property {
        at_most(Measure::ExtraFiringsPerDeploy, most)
    }

    /// Each hour fires once, and a deploy lasts from one minute to another.
    fn deployed(from: i64, to: i64) -> Story {
        let mut story = Story::hourly();
        story.at(from).deploy(0).at(to).deployed(0);
        for hour in 0..4 {
            story.at(hour * 60 + 1).job("due", Some(hour * 60)).done("due");
        }
        story
    }

    #[test]
    fn firings_beyond_one_in_each_window_that_a_deploy_touches_are_summed() {
        let mut story = deployed(70, 130);
        story.at(71).job("a", None).at(90).job("b", None).at(179).job("c", None);
        // Neither of these windows is touched.
        story.at(50).job("d", None).at(181).job("e", None);
        let judgement = story.judge(extra(3));
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (1, Some(3)));
        let broke = story.judge(extra(2)).broke.expect("it broke");
        assert_eq!((broke.at, broke.job.as_deref()), (minute(179), Some("c")));
        assert_eq!(broke.window, Some((minute(120), minute(180))));
        assert_eq!(broke.what, Breach::Above { found: 3, most: 2 });
    }

    #[test]
    fn each_deploy_has_its_own_sum() {
        let mut story = deployed(10, 11);
        story.at(70).deploy(0).at(71).job("a", None).at(125).deploy(0).job("b", None);
        let judgement = story.judge(extra(2));
        assert!(judgement.held, "the second ends where the third begins");
        assert_eq!((judgement.judged, judgement.figure), (3, Some(2)));
    }

    #[test]
    fn a_deploy_that_does_not_end_lasts_until_the_end() {
        let mut story = Story::hourly();
        story.at(10).deploy(0).at(235).job("a", None).job("b", None).job("c", None);
        assert_eq!(story.judge(extra(1)).figure, Some(2));
    }

    #[test]
    fn without_a_deploy_or_without_a_firing_nothing_is_judged() {
        let mut story = Story::hourly();
        story.at(71).job("a", None).job("b", None);
        let judgement = story.judge(extra(0));
        assert_eq!((judgement.held, judgement.judged, judgement.figure), (true, 0, None));
        story.at(130).deploy(0).at(131).deployed(0);
        assert_eq!(story.judge(extra(0)).judged, 0);
    }
}
