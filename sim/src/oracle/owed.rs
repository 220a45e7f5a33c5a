//! At least so many firings in each window that is owed one.
//!
//! A window is owed a firing if at some of the queue's workers something could have happened for
//! long enough within it. Whether a worker had a job or a rate limit in its way is not asked: that
//! is for the team to see.

use std::collections::BTreeMap;
use std::mem;

use super::judgement::{Breach, Cause, Judgement};
use super::ledger::Ledger;
use super::windows::{Tally, Window};
use super::work::Works;
use super::{Oracle, Seen};
use crate::choices::LifeId;
use crate::clock::{Instant, Span};
use crate::event::{Event, QueueEvent, QueueId, Stamp};
use crate::scenario::Scenario;

/// At least so many firings of a schedule in each window that is owed one. A firing may start long
/// after the window it belongs to, so the end of the run is when it is judged.
#[derive(Debug)]
pub(super) struct FiringsAtLeast {
    schedule: usize,
    /// What is counted, if it is not firings.
    work: Option<Works>,
    least: u64,
    max_lateness: Span,
    tally: Tally,
    presence: Presence,
    /// Windows that begin before are not judged.
    from: Instant,
    /// The last window in which a worker was up, and for how long.
    current: Option<(Window, Span)>,
    /// The windows that are owed, in order.
    owed: Vec<Window>,
}

impl FiringsAtLeast {
    pub(super) fn always(scenario: &Scenario, schedule: usize, least: u64) -> FiringsAtLeast {
        FiringsAtLeast::new(scenario, schedule, least, scenario.start)
    }

    /// In the windows that lie in the calm tail.
    pub(super) fn eventually(scenario: &Scenario, schedule: usize, least: u64) -> FiringsAtLeast {
        let calm = scenario.start + scenario.length - scenario.calm;
        FiringsAtLeast::new(scenario, schedule, least, calm)
    }

    /// So much of its work.
    pub(super) fn of_work(scenario: &Scenario, schedule: usize, least: u64) -> FiringsAtLeast {
        let work = Some(Works::new(scenario, schedule));
        FiringsAtLeast { work, ..FiringsAtLeast::always(scenario, schedule, least) }
    }

    fn new(scenario: &Scenario, schedule: usize, least: u64, from: Instant) -> FiringsAtLeast {
        let of = &scenario.schedules[schedule];
        FiringsAtLeast {
            schedule,
            work: None,
            least,
            max_lateness: of.max_lateness,
            tally: Tally::new(scenario, of),
            presence: Presence::new(of.queue, scenario.start),
            from,
            current: None,
            owed: Vec::new(),
        }
    }

    /// A worker was up from one instant to another: shares it out among the windows.
    fn up(&mut self, (mut from, to): (Instant, Instant)) {
        while from < to {
            let windows = &mut self.tally.windows;
            from = match windows.containing(from) {
                Some(window) => {
                    self.credit(window, to.min(window.1).since(from));
                    window.1
                }
                None => windows.tick_after(from).unwrap_or(to),
            };
        }
    }

    fn credit(&mut self, window: Window, time: Span) {
        let before = match self.current {
            Some((current, before)) if current == window => Some(before),
            _ => None,
        };
        let after = before.unwrap_or(Span::ZERO) + time;
        self.current = Some((window, after));
        let enough = self.max_lateness <= after;
        let already = before.is_some_and(|before| self.max_lateness <= before);
        if enough && !already && self.from <= window.0 && self.tally.windows.judged(window) {
            self.owed.push(window);
        }
    }

    fn judge(&self, end: Instant) -> Judgement {
        let owed = self.owed.iter().filter(|window| window.1 <= end);
        let counts = || owed.clone().map(|&window| (window, self.tally.count(window)));
        let broke = counts().find(|(_, found)| *found < self.least);
        let least = self.least;
        let broke = broke.map(|(window, found)| {
            Cause::time(window.1).breaks(Some(window), Breach::Below { found, least })
        });
        Judgement {
            held: broke.is_none(),
            judged: owed.clone().count() as u64,
            figure: counts().map(|(_, found)| found).min(),
            broke,
        }
    }
}

impl Oracle for FiringsAtLeast {
    fn observe(&mut self, seen: &Seen<'_>) {
        let counts = match &mut self.work {
            Some(work) => work.done(seen),
            None => seen.fact.and_then(|fact| fact.firing_of(self.schedule)),
        };
        if let Some(tick) = counts {
            self.tally.add(tick, 1);
        }
        if let Some(up) = self.presence.observe(seen.stamp, seen.event) {
            self.up(up);
        }
    }

    fn finish(&mut self, end: Instant, ledger: &Ledger) -> Judgement {
        for tick in self.work.iter().flat_map(|work| work.under_way(ledger)) {
            self.tally.add(tick, 1);
        }
        if let Some(up) = self.presence.pass(end) {
            self.up(up);
        }
        self.judge(end)
    }
}

/// Which processes could take a job of a queue, and when.
#[derive(Debug)]
struct Presence {
    queue: QueueId,
    lives: BTreeMap<LifeId, Life>,
    /// Until when it was told.
    passed: Instant,
}

#[derive(Debug, Default)]
struct Life {
    worker: bool,
    /// It was asked to end, and takes no job from then on.
    leaving: bool,
    blocked_until: Instant,
}

impl Presence {
    fn new(queue: QueueId, start: Instant) -> Presence {
        Presence { queue, lives: BTreeMap::new(), passed: start }
    }

    /// Takes in an event. Returns the time until it in which some worker was up and not blocked,
    /// if that was not told before.
    fn observe(&mut self, stamp: &Stamp, event: &Event) -> Option<(Instant, Instant)> {
        let change: fn(&mut Life) = match event {
            Event::Queue(queue, _, QueueEvent::WorkerUp) if *queue == self.queue => {
                |life| life.worker = true
            }
            Event::Terminated => |life| life.leaving = true,
            Event::Blocked { .. } | Event::Exited { .. } | Event::Killed => |_| {},
            _ => return None,
        };
        let up = self.pass(stamp.at);
        if matches!(event, Event::Exited { .. } | Event::Killed) {
            self.lives.remove(&stamp.life);
            return up;
        }
        let life = self.lives.entry(stamp.life).or_default();
        change(life);
        if let Event::Blocked { until } = event {
            life.blocked_until = life.blocked_until.max(*until);
        }
        up
    }

    /// Between two events a blocked process may come free and none goes, so the time in which one
    /// was up is a single stretch, and it lasts until the end.
    fn pass(&mut self, now: Instant) -> Option<(Instant, Instant)> {
        let now = now.max(self.passed);
        let since = mem::replace(&mut self.passed, now);
        let up = |life: &&Life| life.worker && !life.leaving;
        let free = self.lives.values().filter(up).map(|life| life.blocked_until).min()?;
        let from = free.max(since);
        (from < now).then_some((from, now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Broke;
    use super::super::testing::{Story, firings_at_least, minute};
    use super::*;
    use crate::scenario::{Mode, Property};

    const ONE_FIRING: Property = firings_at_least(1);

    /// Four windows of an hour, each owed a firing after six minutes.
    fn fired(hours: &[i64]) -> Story {
        let mut story = Story::hourly();
        story.at(0).worker_up();
        for hour in hours {
            story.at(hour * 60).job("a", None).at(hour * 60 + 2).done("a");
        }
        story
    }

    #[test]
    fn a_firing_in_each_window_holds() {
        let judgement = fired(&[0, 1, 2, 3]).judge(ONE_FIRING);
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (4, Some(1)));
    }

    #[test]
    fn a_window_that_stays_empty_breaks_it_at_its_end() {
        let judgement = fired(&[0, 1, 3]).judge(ONE_FIRING);
        assert!(!judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (4, Some(0)));
        let expected = Broke {
            at: minute(180),
            life: LifeId::WORLD,
            job: None,
            window: Some((minute(120), minute(180))),
            what: Breach::Below { found: 0, least: 1 },
        };
        assert_eq!(judgement.broke, Some(expected));
    }

    #[test]
    fn a_window_that_the_runs_end_cuts_is_not_judged() {
        let story = fired(&[0, 1, 2]);
        let judgement = story.judge_until(ONE_FIRING, minute(239));
        assert!(judgement.held);
        assert_eq!(judgement.judged, 3);
        assert!(!story.judge(ONE_FIRING).held);
    }

    #[test]
    fn eventually_only_the_windows_of_the_calm_tail_are_owed() {
        let eventually = Property { mode: Mode::Eventually, ..ONE_FIRING };
        let mut story = fired(&[2, 3]);
        // The tail begins within the second hour, whose window does not lie in it.
        story.scenario.calm = Span::from_secs(150 * 60);
        let judgement = story.judge(eventually);
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (2, Some(1)));
        assert!(!story.judge(ONE_FIRING).held);
        story.scenario.calm = Span::from_secs(180 * 60);
        let broke = story.judge(eventually).broke.expect("it broke");
        assert_eq!(broke.window, Some((minute(60), minute(120))));
        story.scenario.calm = Span::from_secs(59 * 60);
        assert_eq!(story.judge(eventually).judged, 0, "too short for a window");
    }

    #[test]
    fn a_late_firing_pays_for_its_own_window() {
        let mut story = fired(&[0, 2, 3]);
        story.at(200).job("late", Some(60));
        assert!(story.judge(ONE_FIRING).held);
    }

    #[test]
    fn a_window_with_no_worker_up_is_not_owed() {
        let mut story = fired(&[0]);
        story.at(65).kill();
        let judgement = story.judge(ONE_FIRING);
        assert!(judgement.held);
        assert_eq!(judgement.judged, 1);
        // Six minutes in total, at two places and of two workers, are enough.
        story.at(100).life(LifeId(2)).worker_up().at(101).kill();
        assert_eq!(story.judge(ONE_FIRING).judged, 2);
    }

    #[test]
    fn nothing_is_owed_without_a_worker() {
        let mut story = Story::hourly();
        story.at(60).add_delayed("a", Some(60));
        let judgement = story.judge(ONE_FIRING);
        assert!(judgement.held);
        assert_eq!((judgement.judged, judgement.figure), (0, None));
    }

    #[test]
    fn two_workers_at_once_are_up_no_longer_than_one() {
        let mut story = Story::hourly();
        story.at(60).worker_up().life(LifeId(2)).worker_up().at(64).kill();
        story.life(LifeId(1)).at(65).exit();
        assert_eq!(story.judge(ONE_FIRING).judged, 0);
    }

    #[test]
    fn a_worker_that_is_asked_to_end_takes_nothing_more() {
        let mut story = Story::hourly();
        story.at(60).worker_up().at(65).terminate().at(110).exit();
        assert_eq!(story.judge(ONE_FIRING).judged, 0);
        let mut story = Story::hourly();
        story.at(60).terminate().worker_up().at(110).kill();
        assert_eq!(story.judge(ONE_FIRING).judged, 0);
    }

    #[test]
    fn a_window_in_which_the_worker_is_blocked_is_not_owed() {
        let mut story = Story::hourly();
        story.at(0).block_until(55).worker_up();
        story.at(60).block_until(170).at(62).block_until(100).at(170).kill();
        let judgement = story.judge(ONE_FIRING);
        assert!(judgement.held);
        assert_eq!(judgement.judged, 0);
        let mut story = Story::hourly();
        story.at(0).worker_up().block_until(54).at(70).kill();
        let judgement = story.judge(ONE_FIRING);
        assert_eq!(judgement.judged, 2);
    }

    #[test]
    fn another_worker_that_is_free_is_enough() {
        let mut story = Story::hourly();
        story.at(60).worker_up().block_until(120).life(LifeId(2)).at(70).worker_up();
        story.at(76).kill().life(LifeId(1)).kill();
        assert_eq!(story.judge(ONE_FIRING).judged, 1);
    }

    #[test]
    fn workers_of_other_queues_do_not_count() {
        let mut story = Story::hourly();
        story.at(0).queue_event(QueueId(1), QueueEvent::WorkerUp);
        assert_eq!(story.judge(ONE_FIRING).judged, 0);
    }

    /// What happens to one of three lives: minutes later, to which, what, and how long it blocks.
    type Step = (i64, u32, u8, i64);

    fn presence(steps: &[Step]) -> Story {
        let mut story = Story::hourly();
        let mut now = 0;
        for &(later, life, what, blocked) in steps {
            now += later;
            story.at(now).life(LifeId(life));
            match what {
                0..4 => story.worker_up(),
                4..7 => story.block_until(now + blocked),
                7 => story.terminate(),
                _ => story.kill(),
            };
        }
        story
    }

    /// Whether some life has a worker, was not asked to end and is not blocked in a minute, by
    /// everything that happened up to its beginning.
    fn up_in(story: &Story, at: i64) -> bool {
        let mut lives = [(false, minute(0)); 3];
        let before = story.events.iter().filter(|event| event.0.at <= minute(at));
        let mut leaving = [false; 3];
        for (stamp, event) in before {
            let life = stamp.life.0 as usize;
            match event {
                Event::Blocked { until } => lives[life].1 = lives[life].1.max(*until),
                Event::Terminated => leaving[life] = true,
                Event::Killed => (lives[life], leaving[life]) = ((false, minute(0)), false),
                _ => lives[life].0 = true,
            }
        }
        let free =
            |(life, leaving): (&(bool, Instant), &bool)| life.0 && life.1 <= minute(at) && !leaving;
        lives.iter().zip(&leaving).any(free)
    }

    proptest! {
        #[test]
        fn a_window_is_owed_by_the_minutes_in_which_a_worker_is_up(
            steps in prop::collection::vec((0_i64..30, 0_u32..3, 0_u8..10, 0_i64..90), 0..30)
        ) {
            let story = presence(&steps);
            let up = |hour: i64| (hour * 60..hour * 60 + 60).filter(|at| up_in(&story, *at)).count();
            let owed = (0..4).filter(|hour| up(*hour) >= 6).count() as u64;
            prop_assert_eq!(story.judge(ONE_FIRING).judged, owed);
        }
    }
}
