//! Probes: whether something happens at all in a run. They say nothing about whether it is good.
//!
//! A set of runs that never met a situation shows nothing about it; a probe says whether it did.
//! Sightings count in the whole run, whatever is measured.

use std::collections::BTreeSet;

use super::judgement::Judgement;
use super::ledger::{Fact, Ledger};
use super::lives::Life;
use super::{Oracle, Seen};
use crate::clock::{Instant, Span};
use crate::event::{
    Event, Finish, Plan, QueueEvent, QueueId, ReleaseId, ServiceId, StepId, StepResult,
};
use crate::scenario::{Action, Change, DatabaseAction, Happens, Probe, Scenario, Step, Subject};
use crate::ticks::Ticks;

/// How often something was seen that an event alone shows, with who lives and what is known.
#[derive(Debug)]
pub(super) struct Sightings {
    probe: Probe,
    subject: Subject,
    /// Which releases are what a person runs by hand.
    by_hand: Vec<bool>,
    /// The releases of each service, from first to last.
    moves: Vec<BTreeSet<ReleaseId>>,
    /// The steps that take a lock of the database.
    locks: BTreeSet<StepId>,
    seen: u64,
}

impl Sightings {
    pub(super) fn new(scenario: &Scenario, subject: Subject, probe: Probe) -> Sightings {
        Sightings {
            probe,
            subject,
            by_hand: scenario.releases.iter().map(|release| release.by_hand).collect(),
            moves: moves(scenario),
            locks: locks(scenario),
            seen: 0,
        }
    }

    fn sees(&self, seen: &Seen<'_>) -> bool {
        match self.probe {
            Probe::BootsOverlap => {
                self.container_boots(seen.event) && self.another(seen, |life| life.starting)
            }
            Probe::DiesInStartUp => self.dies(seen, |life| life.starting),
            Probe::DiesWithJob => self.dies(seen, |life| life.runs(self.queue())),
            Probe::Restarts => matches!(seen.event, Event::Booted { again: true, .. }),
            Probe::BootsBesideJob => {
                self.container_boots(seen.event)
                    && self.another(seen, |life| life.runs(self.queue()))
            }
            Probe::ReleasesSideBySide => self.side_by_side(seen),
            Probe::DueIterationRemoved => self.due_iteration_removed(seen),
            Probe::LockIsBusy => matches!(
                seen.event,
                Event::StepEnded(step, StepResult::Nothing) if self.locks.contains(step)
            ),
            Probe::RedisIsSlow => matches!(seen.event, Event::Plan(Plan::RedisSlow { .. })),
            Probe::RedisLosesAll => matches!(seen.event, Event::Plan(Plan::RedisFlushed)),
            Probe::RedisLosesWrites => {
                matches!(seen.event, Event::Plan(Plan::RedisRolledBack { .. }))
            }
            Probe::KeyIsEvicted => {
                matches!(seen.event, Event::Plan(Plan::RedisEvicted { held: true, .. }))
            }
            Probe::ConnectionsBreak => matches!(
                seen.event,
                Event::Plan(Plan::RedisDown { .. } | Plan::Disconnected { .. })
            ),
            Probe::ClocksStep => matches!(seen.event, Event::Plan(Plan::Clock { .. })),
            Probe::MessagesHeldBack => {
                matches!(seen.event, Event::Plan(Plan::Partitioned { .. }))
            }
            Probe::NetworkIsSlow => matches!(seen.event, Event::Plan(Plan::Delayed { .. })),
            Probe::ClockIsWrong => matches!(
                seen.event,
                Event::Skewed { offset, drift } if (*offset, *drift) != (0, 0)
            ),
            Probe::GetsStuck => matches!(seen.event, Event::Stuck(_)),
            _ => self.queued(seen.event),
        }
    }

    fn queued(&self, event: &Event) -> bool {
        let Event::Queue(queue, _, event) = event else { return false };
        if self.queue().is_some_and(|only| only != *queue) {
            return false;
        }
        match self.probe {
            Probe::JobStalls => matches!(event, QueueEvent::Stalled { .. }),
            Probe::JobFails => matches!(event, QueueEvent::Finished { how: Finish::Failed, .. }),
            Probe::JobTriedAgain => matches!(event, QueueEvent::Retried { .. }),
            Probe::IdIsTaken => matches!(event, QueueEvent::Duplicated { .. }),
            Probe::LockIsLost => matches!(event, QueueEvent::Refused { code: -2 | -6, .. }),
            _ => false,
        }
    }

    fn queue(&self) -> Option<QueueId> {
        match self.subject {
            Subject::Queue(queue) => Some(queue_id(queue)),
            Subject::Schedule(_) | Subject::World => None,
        }
    }

    /// What a person runs by hand is no container.
    fn is_container(&self, release: Option<ReleaseId>) -> bool {
        let by_hand = release.and_then(|release| self.by_hand.get(usize::from(release.0)));
        by_hand != Some(&true)
    }

    fn container_boots(&self, event: &Event) -> bool {
        matches!(event, Event::Booted { release, .. } if self.is_container(Some(*release)))
    }

    /// Whether another container is as described.
    fn another(&self, seen: &Seen<'_>, is: impl Fn(&Life) -> bool) -> bool {
        let mut others = seen.ledger.lives().others(seen.stamp.life);
        others.any(|life| self.is_container(life.release) && is(life))
    }

    fn dies(&self, seen: &Seen<'_>, was: impl Fn(&Life) -> bool) -> bool {
        let dies = matches!(seen.event, Event::Killed)
            || matches!(seen.event, Event::Exited { code } if *code != 0);
        let died = seen.ledger.lives().died();
        dies && died.is_some_and(|life| self.is_container(life.release) && was(life))
    }

    fn side_by_side(&self, seen: &Seen<'_>) -> bool {
        let Event::Booted { release, .. } = seen.event else { return false };
        self.another(seen, |life| {
            life.release.is_some_and(|other| {
                let both = |moves: &BTreeSet<_>| moves.contains(release) && moves.contains(&other);
                other != *release && self.moves.iter().any(both)
            })
        })
    }

    fn due_iteration_removed(&self, seen: &Seen<'_>) -> bool {
        let Some(Fact::Dropped { schedule, tick }) = seen.fact else { return false };
        let ours = match self.subject {
            Subject::Schedule(only) => schedule == Some(only),
            Subject::Queue(_) | Subject::World => true,
        };
        ours && tick <= seen.stamp.at
    }
}

impl Oracle for Sightings {
    fn observe(&mut self, seen: &Seen<'_>) {
        self.seen += u64::from(self.sees(seen));
    }

    fn finish(&mut self, _: Instant, _: &Ledger) -> Judgement {
        sighted(self.seen)
    }
}

/// How often a schedule was due while something lasted: a rollout, or the absence of workers.
#[derive(Debug)]
pub(super) struct TicksWithin {
    in_deploy: bool,
    schedules: Vec<Due>,
    /// The rollouts under way, and since when.
    deploys: Vec<(ServiceId, Instant)>,
    seen: u64,
}

#[derive(Debug)]
struct Due {
    queue: QueueId,
    ticks: Ticks,
    /// Since when no worker is up, if none is.
    without: Option<Instant>,
}

impl TicksWithin {
    /// Ticks within rollouts.
    pub(super) fn deploys(scenario: &Scenario, subject: Subject) -> TicksWithin {
        TicksWithin::new(scenario, subject, true)
    }

    /// Ticks while no worker of the schedule's queue is up.
    pub(super) fn without_worker(scenario: &Scenario, subject: Subject) -> TicksWithin {
        TicksWithin::new(scenario, subject, false)
    }

    fn new(scenario: &Scenario, subject: Subject, in_deploy: bool) -> TicksWithin {
        let ours = |place: usize| match subject {
            Subject::Schedule(only) => only == place,
            Subject::Queue(_) | Subject::World => true,
        };
        let schedules = scenario.schedules.iter().enumerate().filter(|(place, _)| ours(*place));
        let due = |schedule: &crate::scenario::Schedule| Due {
            queue: schedule.queue,
            ticks: schedule.recurrence.ticks(),
            // A tick at the very start is not one that a worker could have been up for.
            without: Some(scenario.start + Span::from_nanos(1)),
        };
        TicksWithin {
            in_deploy,
            schedules: schedules.map(|(_, schedule)| due(schedule)).collect(),
            deploys: Vec::new(),
            seen: 0,
        }
    }

    fn deployed(&mut self, service: ServiceId, at: Instant) {
        let under_way = self.deploys.iter().position(|(of, _)| *of == service);
        if let Some(place) = under_way {
            let (_, from) = self.deploys.swap_remove(place);
            let any = self.schedules.iter().filter(|due| due.within(from, at)).count();
            self.seen += any as u64;
        }
    }

    fn looks_for_workers(&mut self, seen: &Seen<'_>) {
        let at = seen.stamp.at;
        for due in &mut self.schedules {
            let up = seen.ledger.lives().worker_up(due.queue);
            match due.without {
                Some(from) if up => {
                    self.seen += u64::from(due.within(from, at));
                    due.without = None;
                }
                None if !up => due.without = Some(at),
                _ => {}
            }
        }
    }
}

impl Due {
    /// Whether it is due from one instant until before another.
    fn within(&self, from: Instant, to: Instant) -> bool {
        let first = match self.ticks.at_or_before(from.ms()) {
            Some(tick) if tick == from.ceil_ms().ms() => Some(tick),
            _ => self.ticks.after(from.ms()),
        };
        first.is_some_and(|tick| Instant::from_ms(tick) < to)
    }
}

impl Oracle for TicksWithin {
    fn observe(&mut self, seen: &Seen<'_>) {
        match seen.event {
            Event::Plan(Plan::Deploy { service, .. }) if self.in_deploy => {
                self.deployed(*service, seen.stamp.at);
                self.deploys.push((*service, seen.stamp.at));
            }
            Event::Plan(Plan::Deployed { service }) if self.in_deploy => {
                self.deployed(*service, seen.stamp.at);
            }
            Event::Queue(_, _, QueueEvent::WorkerUp)
            | Event::Terminated
            | Event::Exited { .. }
            | Event::Killed
                if !self.in_deploy =>
            {
                self.looks_for_workers(seen);
            }
            _ => {}
        }
    }

    fn finish(&mut self, end: Instant, _: &Ledger) -> Judgement {
        while let Some((service, _)) = self.deploys.last().copied() {
            self.deployed(service, end);
        }
        if !self.in_deploy {
            let without = self
                .schedules
                .iter()
                .filter(|due| due.without.is_some_and(|from| due.within(from, end)));
            self.seen += without.count() as u64;
        }
        sighted(self.seen)
    }
}

fn sighted(seen: u64) -> Judgement {
    Judgement { held: true, judged: seen, figure: (seen > 0).then_some(seen), broke: None }
}

/// The releases that each service runs or moves to.
fn moves(scenario: &Scenario) -> Vec<BTreeSet<ReleaseId>> {
    let first = scenario.services.iter().map(|service| BTreeSet::from([service.release]));
    let mut moves: Vec<BTreeSet<ReleaseId>> = first.collect();
    for event in &scenario.events {
        if let Happens::To(service, Change::Deploy(release, _)) = event.happens {
            moves[usize::from(service.0)].insert(release);
        }
    }
    moves
}

/// The steps of all releases that take a lock of the database.
fn locks(scenario: &Scenario) -> BTreeSet<StepId> {
    let mut locks = BTreeSet::new();
    for (number, release) in scenario.releases.iter().enumerate() {
        let release_id = ReleaseId(u16::try_from(number).expect("the parser bounds releases"));
        collect_locks(release_id, &release.steps, &mut locks);
    }
    locks
}

fn collect_locks(release: ReleaseId, steps: &[Step], locks: &mut BTreeSet<StepId>) {
    for step in steps {
        match &step.action {
            Action::Database(database) if matches!(database.action, DatabaseAction::Lock(..)) => {
                locks.insert(StepId { release, step: step.number });
            }
            Action::Timer { steps, .. } | Action::Parallel(steps) => {
                collect_locks(release, steps, locks);
            }
            _ => {}
        }
    }
}

/// A queue by its place in the scenario.
pub(super) fn queue_id(queue: usize) -> QueueId {
    QueueId(u16::try_from(queue).expect("the parser bounds queues"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, job, sometimes};
    use super::*;
    use crate::choices::LifeId;
    use crate::event::Event;
    use crate::scenario::{Measure, PROPERTIES, PlannedEvent, Range, Schedule};

    /// A release that takes a lock, looks for a row, and takes another lock within other steps.
    const LOCKS: &str = r#"
        format = 1
        name = "locks"
        length = "1h"
        [queue.work]
        [release.one]
        library = "bullmq@5.34.10"
        steps = [
          { database = { lock = "a" } },
          { database = { find = "b" } },
          { parallel = [ { database = { lock = "c" } } ] },
        ]
        [service.one]
        release = "one"
        [[expect]]
        sometimes = "a lock of the database is busy"
    "#;

    /// How often a probe sees something in a story.
    fn seen_of(story: &Story, subject: Subject, probe: Probe) -> u64 {
        let judgement = story.judge(sometimes(probe, subject));
        assert!(judgement.held && judgement.broke.is_none());
        assert_eq!(judgement.figure, (judgement.judged > 0).then_some(judgement.judged));
        judgement.judged
    }

    fn seen(story: &Story, probe: Probe) -> u64 {
        seen_of(story, Subject::World, probe)
    }

    /// In the other queue too.
    fn seen_by_queue(story: &Story, probe: Probe) -> [u64; 3] {
        let of = |queue| seen_of(story, Subject::Queue(queue), probe);
        [seen(story, probe), of(0), of(1)]
    }

    fn life(number: u32) -> LifeId {
        LifeId(number)
    }

    #[test]
    fn two_boots_overlap_until_the_first_has_started_up() {
        let mut story = Story::hourly();
        story.boot().started_up().life(life(2)).boot();
        assert_eq!(seen(&story, Probe::BootsOverlap), 0);
        story.life(life(3)).boot();
        assert_eq!(seen(&story, Probe::BootsOverlap), 1);
        story.life(life(2)).kill().life(life(3)).kill().life(life(4)).boot();
        assert_eq!(seen(&story, Probe::BootsOverlap), 1, "the dead do not boot");
    }

    #[test]
    fn what_a_person_runs_is_no_container() {
        let mut story = Story::hourly();
        story.scenario.releases = vec![Story::release(false), Story::release(true)];
        story.boots(1, false).life(life(2)).boots(0, false).life(life(3)).boots(1, false).kill();
        assert_eq!(seen(&story, Probe::BootsOverlap), 0);
        assert_eq!(seen(&story, Probe::DiesInStartUp), 0);
    }

    #[test]
    fn a_death_in_start_up_is_a_kill_or_an_error() {
        let mut story = Story::hourly();
        story.boot().started_up().kill().life(life(2)).boot().exit();
        assert_eq!(seen(&story, Probe::DiesInStartUp), 0);
        story.life(life(3)).boot().event(Event::Exited { code: 1 });
        story.life(life(4)).boot().kill();
        assert_eq!(seen(&story, Probe::DiesInStartUp), 2);
    }

    #[test]
    fn a_death_with_a_job_is_one_before_the_jobs_end() {
        let mut story = Story::hourly();
        story.boot().job("a", None).end("a", true).kill();
        assert_eq!(seen_by_queue(&story, Probe::DiesWithJob), [0, 0, 0]);
        story.life(life(2)).boot().job("b", None).kill();
        assert_eq!(seen_by_queue(&story, Probe::DiesWithJob), [1, 1, 0]);
    }

    #[test]
    fn a_restart_is_a_boot_of_a_container_that_ran_before() {
        let mut story = Story::hourly();
        story.boot().kill().life(life(2)).boot();
        assert_eq!(seen(&story, Probe::Restarts), 0);
        story.life(life(3)).boots(0, true);
        assert_eq!(seen(&story, Probe::Restarts), 1);
    }

    #[test]
    fn a_boot_beside_a_job_is_one_of_another_process() {
        let mut story = Story::hourly();
        story.boot().job("a", None);
        assert_eq!(seen_by_queue(&story, Probe::BootsBesideJob), [0, 0, 0]);
        story.life(life(2)).boot();
        assert_eq!(seen_by_queue(&story, Probe::BootsBesideJob), [1, 1, 0]);
        story.life(life(1)).done("a").life(life(3)).boot();
        assert_eq!(seen(&story, Probe::BootsBesideJob), 1);
    }

    #[test]
    fn releases_are_side_by_side_if_a_service_moves_between_them() {
        let mut story = Story::hourly();
        story.scenario.releases = [false; 3].map(Story::release).to_vec();
        story.scenario.services = vec![Story::service(0), Story::service(2)];
        let range = Range { least: Span::ZERO, most: Span::ZERO, draw: 0 };
        let deploy = Happens::To(ServiceId(0), Change::Deploy(ReleaseId(1), None));
        story.scenario.events =
            vec![PlannedEvent { at: range, odds_of_2_32: None, happens: deploy }];
        story.boots(0, false).life(life(2)).boots(2, false).life(life(3)).boots(0, false);
        assert_eq!(seen(&story, Probe::ReleasesSideBySide), 0, "another service's release");
        story.life(life(4)).boots(1, false);
        assert_eq!(seen(&story, Probe::ReleasesSideBySide), 1);
        for old in [1, 3] {
            story.life(life(old)).kill();
        }
        story.life(life(5)).boots(1, false);
        assert_eq!(seen(&story, Probe::ReleasesSideBySide), 1);
    }

    #[test]
    fn what_a_queue_says_is_seen_in_that_queue() {
        let mut story = Story::hourly();
        story.at(1).job("a", None).stall("a").retry("a", None).fail("a");
        story.refuse("a", -1).refuse("a", -2).refuse("a", -6);
        story.queue_event(QueueId(1), QueueEvent::Duplicated { job: job("b") });
        for (probe, expected) in [
            (Probe::JobStalls, [1, 1, 0]),
            (Probe::JobTriedAgain, [1, 1, 0]),
            (Probe::JobFails, [1, 1, 0]),
            (Probe::LockIsLost, [2, 2, 0]),
            (Probe::IdIsTaken, [1, 0, 1]),
        ] {
            assert_eq!(seen_by_queue(&story, probe), expected, "{probe:?}");
        }
        let mut story = Story::hourly();
        story.at(1).job("a", None).done("a");
        assert_eq!(seen(&story, Probe::JobFails), 0, "it completed");
    }

    #[test]
    fn an_iteration_is_removed_when_it_is_due_or_before() {
        let removed = |at: i64| {
            let mut story = Story::hourly();
            story.at(1).register("k", 60).iteration("k", 60).at(at).remove("k:60");
            seen(&story, Probe::DueIterationRemoved)
        };
        assert_eq!((removed(59), removed(60), removed(61)), (0, 1, 1));
        let mut story = Story::hourly();
        story.at(1).iteration("k", 60).at(60).promote("k:60").fetch("k:60").start("k:60");
        story.at(61).done("k:60").add_delayed("by hand", Some(62)).at(63).remove("by hand");
        assert_eq!(seen(&story, Probe::DueIterationRemoved), 0);
        story.scenario.schedules.push(other_schedule(&story));
        story.at(70).iteration("k", 60).remove("k:60");
        assert_eq!(seen_of(&story, Subject::Schedule(0), Probe::DueIterationRemoved), 1);
        assert_eq!(seen_of(&story, Subject::Schedule(1), Probe::DueIterationRemoved), 0);
    }

    /// A schedule of the other queue, due at the same times.
    fn other_schedule(story: &Story) -> Schedule {
        Schedule { queue: QueueId(1), name: "other".into(), ..story.scenario.schedules[0].clone() }
    }

    #[test]
    fn a_tick_falls_into_a_deploy_from_its_beginning_until_before_its_end() {
        let ticks = |from: i64, to: Option<i64>| {
            let mut story = Story::hourly();
            story.at(from).deploy(0);
            if let Some(to) = to {
                story.at(to).deployed(0);
            }
            seen(&story, Probe::TickInDeploy)
        };
        assert_eq!(ticks(61, Some(119)), 0);
        assert_eq!(ticks(61, Some(120)), 0);
        assert_eq!(ticks(60, Some(61)), 1);
        assert_eq!(ticks(59, Some(61)), 1);
        assert_eq!((ticks(170, None), ticks(185, None)), (1, 0), "it does not end");
        let mut story = Story::hourly();
        story.at(61).deploy(0).at(90).deploy(0).deploy(1).at(130).deployed(0).at(131).deployed(1);
        assert_eq!(seen(&story, Probe::TickInDeploy), 2, "one for each rollout");
    }

    #[test]
    fn a_tick_falls_while_no_worker_is_up() {
        let mut story = Story::hourly();
        story.at(59).worker_up();
        assert_eq!(seen(&story, Probe::TickWithoutWorker), 0, "not at the very start");
        let mut story = Story::hourly();
        story.at(0).worker_up().at(61).kill().life(life(2)).at(119).worker_up();
        assert_eq!(seen(&story, Probe::TickWithoutWorker), 0);
        story.at(179).terminate().at(181).life(life(3)).worker_up();
        assert_eq!(seen(&story, Probe::TickWithoutWorker), 1);
        story.scenario.schedules.push(other_schedule(&story));
        assert_eq!(seen_of(&story, Subject::Schedule(0), Probe::TickWithoutWorker), 1);
        assert_eq!(seen_of(&story, Subject::Schedule(1), Probe::TickWithoutWorker), 1);
        assert_eq!(seen(&story, Probe::TickWithoutWorker), 2);
    }

    #[test]
    fn what_befalls_servers_and_clocks_is_planned() {
        let mut story = Story::hourly();
        let until = Instant::from_ms(1);
        story.flush().plan(Plan::RedisSlow { until }).plan(Plan::RedisSlow { until });
        story.plan(Plan::Clock { service: ServiceId(0), ms: 5 });
        let probes = [Probe::RedisLosesAll, Probe::RedisIsSlow, Probe::ClocksStep];
        assert_eq!(probes.map(|probe| seen(&story, probe)), [1, 2, 1]);
        let service = ServiceId(0);
        story.plan(Plan::Partitioned { service, until }).plan(Plan::Delayed { service, until });
        story.plan(Plan::Delayed { service, until });
        let probes = [Probe::MessagesHeldBack, Probe::NetworkIsSlow, Probe::ConnectionsBreak];
        assert_eq!(probes.map(|probe| seen(&story, probe)), [1, 2, 0]);
    }

    #[test]
    fn a_clock_that_is_right_is_not_wrong() {
        let mut story = Story::hourly();
        story.boot().event(Event::Skewed { offset: 0, drift: 0 });
        assert_eq!(seen(&story, Probe::ClockIsWrong), 0);
        story.event(Event::Skewed { offset: 0, drift: -1 });
        story.event(Event::Skewed { offset: 5, drift: 0 });
        assert_eq!(seen(&story, Probe::ClockIsWrong), 2);
    }

    #[test]
    fn a_run_does_not_get_on_if_it_says_so() {
        let mut story = Story::hourly();
        story.boot().event(Event::OutOfSteps);
        assert_eq!(seen(&story, Probe::GetsStuck), 0);
        story.event(Event::Stuck(crate::event::Stuck::Endless));
        assert_eq!(seen(&story, Probe::GetsStuck), 1);
    }

    #[test]
    fn a_lock_is_busy_for_a_step_that_takes_it() {
        let scenario = crate::scenario::parse(LOCKS);
        let (scenario, _) = scenario.expect("it parses");
        let mut story = Story::hourly();
        story.scenario.releases = scenario.releases;
        let step = |step| StepId { release: ReleaseId(0), step };
        let ended = |number, result| Event::StepEnded(step(number), result);
        story.event(ended(0, StepResult::Done)).event(ended(1, StepResult::Nothing));
        assert_eq!(seen(&story, Probe::LockIsBusy), 0, "a row is no lock");
        story.event(ended(0, StepResult::Nothing)).event(ended(3, StepResult::Nothing));
        assert_eq!(seen(&story, Probe::LockIsBusy), 2, "a step of a parallel step is one too");
    }

    #[test]
    fn where_nothing_happens_nothing_is_seen() {
        let mut story = Story::hourly();
        story
            .at(0)
            .boot()
            .started_up()
            .worker_up()
            .add("a", Some(0))
            .fetch("a")
            .start("a")
            .done("a");
        for described in PROPERTIES {
            if let Measure::Seen(probe) = described.measure {
                assert_eq!(seen(&story, probe), 0, "{}", described.text);
            }
        }
    }
}
