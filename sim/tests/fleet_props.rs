//! Properties over fleets of 1 to 32 containers that boot, restart, scale, deploy and die anywhere:
//! what is safe start-up code stays safe, and what is faulty is found and shrunk to its smallest
//! story.
//!
//! The cases are the same in every run. `PROPTEST_CASES=1000` plays more of them.

mod support;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};
use std::cell::Cell;
use support::{CALM_M, Change, Fleet, Kills, LATENESS_MS, Rollout, StartUp, Story, fleet};

/// A runner of so many cases, unless the environment asks for another number.
fn runner(cases: u32) -> TestRunner {
    let default = ProptestConfig::default();
    let asked = default.cases != 256;
    let config = ProptestConfig {
        cases: if asked { default.cases } else { cases },
        failure_persistence: None,
        max_shrink_iters: 1_000,
        ..default
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Plays fleets until one breaks the property, and returns the smallest that was found.
fn find(fleets: impl Strategy<Value = Fleet>, property: impl Fn(Fleet) -> TestCaseResult) -> Fleet {
    let smallest = match runner(200).run(&fleets, &property) {
        Err(TestError::Fail(_, smallest)) => smallest,
        other => panic!("the fault was not found: {other:?}"),
    };
    // A panic counts as a failure above; here it would fail the test.
    assert!(matches!(property(smallest.clone()), Err(TestCaseError::Fail(_))));
    smallest
}

fn at_most_one(story: &Story) -> TestCaseResult {
    prop_assert!(story.most_firings() <= 1, "{} firings in a window", story.most_firings());
    Ok(())
}

fn one_live_registration(story: &Story) -> TestCaseResult {
    prop_assert_eq!(story.seen.to_come(), [1], "the iterations to come of each registration");
    Ok(())
}

/// A firing in each window in which some worker was up for long enough.
fn at_least_one(story: &Story) -> TestCaseResult {
    let owed = |window: &support::Window| window.up_ms >= LATENESS_MS;
    let empty = story.windows().find(|(_, window)| owed(window) && window.firings == 0);
    prop_assert_eq!(empty, None, "a window is owed a firing");
    Ok(())
}

#[test]
fn an_id_per_window_fires_once_whatever_happens() {
    let (owed, killed) = (Cell::new(0), Cell::new(0));
    let result = runner(48).run(&fleet(70), |fleet| {
        let story = fleet.play(StartUp::WindowId, StartUp::WindowId);
        at_most_one(&story)?;
        prop_assert!(story.held(0), "the oracle finds more than one firing in a window");
        killed.set(killed.get() + story.seen.killed);
        for (start, window) in story.windows() {
            if window.named && window.up_ms >= LATENESS_MS {
                owed.set(owed.get() + 1);
                prop_assert_eq!(window.firings, 1, "the window at {} is owed a firing", start);
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(owed.get() > 300, "only {} windows were owed a firing", owed.get());
    assert!(killed.get() > 100, "only {} processes were killed", killed.get());
}

#[test]
fn a_scheduler_that_cleans_up_leaves_one_live_registration() {
    let (judged, killed) = (Cell::new(0), Cell::new(0));
    let fleets = (fleet(50), any::<bool>());
    let result = runner(48).run(&fleets, |(mut fleet, upgraded)| {
        let mut first = StartUp::CleanedUp;
        if upgraded {
            // The last rollout begins when nothing of the old release can be left: see below.
            first = StartUp::Older;
            fleet.events.insert(0, (60, Change::Deploy));
            fleet.events.push((60 * 60, Change::Restart));
        }
        let story = fleet.play(first, StartUp::CleanedUp);
        let seen = &story.seen;
        if upgraded {
            let calm = seen.start + CALM_M * 60_000;
            let gone = seen.first_gone.is_some_and(|gone| gone < calm);
            prop_assume!(gone && seen.last_boot > seen.first_gone);
        }
        one_live_registration(&story)?;
        prop_assert!(story.held(2), "the oracle finds something else");
        judged.set(judged.get() + 1);
        killed.set(killed.get() + seen.killed);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(judged.get() >= 40, "only {} runs were judged", judged.get());
    assert!(killed.get() > 100, "only {} processes were killed", killed.get());
}

#[test]
fn a_bootstrap_job_is_found_to_run_once_for_each_boot() {
    let smallest = find(fleet(70), |fleet| {
        let story = fleet.play(StartUp::Bootstrap, StartUp::Bootstrap);
        prop_assert_eq!(story.held(0), story.most_firings() <= 1, "the oracle sees it too");
        at_most_one(&story)
    });
    // Two boots: two containers, or one that boots again.
    assert_eq!(smallest.replicas as usize + smallest.events.len(), 2, "{smallest:?}");
    assert_eq!(smallest.kills, None);
    assert_eq!((smallest.boot_s, smallest.takes_s), ((0, 0), (0, 0)), "{smallest:?}");
    assert_eq!((smallest.round_trip_ms, smallest.seed), (0, 1), "{smallest:?}");
}

#[test]
fn job_ids_are_found_to_leak_when_boots_are_further_apart_than_the_job_is_long() {
    let smallest =
        find(fleet(70), |fleet| at_most_one(&fleet.play(StartUp::JobIds, StartUp::JobIds)));
    assert_eq!(smallest.replicas as usize + smallest.events.len(), 2, "{smallest:?}");
    assert_eq!(smallest.kills, None);
    let apart = smallest.boot_s.1 > smallest.takes_s.0 || !smallest.events.is_empty();
    assert!(apart, "{smallest:?}");
}

#[test]
fn job_ids_over_a_release_without_them_are_found_to_leave_an_orphan() {
    let smallest = find(fleet(70), |mut fleet| {
        fleet.events.insert(0, (60, Change::Deploy));
        let story = fleet.play(StartUp::Older, StartUp::JobIds);
        prop_assert_eq!(story.held(2), story.seen.to_come() == [1], "the oracle sees it too");
        one_live_registration(&story)
    });
    assert_eq!((smallest.replicas, smallest.events.len()), (1, 0), "{smallest:?}");
    assert_eq!((smallest.kills, smallest.seed), (None, 1), "{smallest:?}");
}

#[test]
fn a_scheduler_beside_the_older_registration_is_found() {
    let smallest = find(fleet(70), |mut fleet| {
        fleet.events.insert(0, (60, Change::Deploy));
        one_live_registration(&fleet.play(StartUp::Older, StartUp::Scheduler))
    });
    assert_eq!((smallest.replicas, smallest.events.len()), (1, 0), "{smallest:?}");
    assert_eq!((smallest.kills, smallest.seed), (None, 1), "{smallest:?}");
}

/// Fleets whose containers stay dead: nothing heals what a kill breaks.
fn mortal() -> impl Strategy<Value = Fleet> {
    (fleet(70), 20..=100_u32, 1..=24_u32).prop_map(|(fleet, percent, points)| {
        let kills = Some(Kills { percent, points });
        Fleet { kills, restarts: false, ..fleet }
    })
}

#[test]
fn the_older_api_is_found_to_lose_its_schedule_to_a_kill() {
    let smallest =
        find(mortal(), |fleet| at_least_one(&fleet.play(StartUp::Older, StartUp::Older)));
    assert!(smallest.replicas <= 3 && smallest.events.len() <= 1, "{smallest:?}");
    let dead = find(mortal(), |fleet| {
        let story = fleet.play(StartUp::Older, StartUp::Older);
        // Listed, and nothing to come.
        prop_assert!(!story.seen.to_come().contains(&0));
        Ok(())
    });
    assert_eq!((dead.replicas, dead.events.len()), (1, 0), "{dead:?}");
    // Without the kill the same fleet is as it should be.
    let spared = Fleet { kills: None, ..dead };
    assert_eq!(spared.play(StartUp::Older, StartUp::Older).seen.to_come(), [1]);
}

#[test]
fn a_boot_after_a_tick_is_found_to_lose_it() {
    // Jobs that are still running when the next tick is due keep workers busy.
    let busy = fleet(70).prop_map(|fleet| Fleet { takes_s: (570, 60), kills: None, ..fleet });
    let smallest =
        find(busy, |fleet| at_least_one(&fleet.play(StartUp::Scheduler, StartUp::Scheduler)));
    assert!(!smallest.events.is_empty(), "{smallest:?}");
    assert!(smallest.replicas <= 2 && smallest.events.len() <= 2, "{smallest:?}");
    let spared = Fleet { events: Vec::new(), boot_s: (0, 0), ..smallest };
    let story = spared.play(StartUp::Scheduler, StartUp::Scheduler);
    assert!(at_least_one(&story).is_ok(), "without the boot nothing is lost");
}

#[test]
fn a_fleet_says_what_it_is_in_words_that_parse() {
    for rollout in [Rollout::Quarter, Rollout::Recreate, Rollout::Rolling(0, 1)] {
        let fleet = Fleet {
            replicas: 2,
            events: vec![(60, Change::Scale(3)), (120, Change::Kill(1))],
            kills: None,
            boot_s: (1, 0),
            takes_s: (1, 1),
            round_trip_ms: 2,
            rollout,
            grace_s: 30,
            restarts: true,
            seed: 1,
        };
        let story = fleet.play(StartUp::CleanedUp, StartUp::CleanedUp);
        assert_eq!(story.outcome.verdict.figures.boots, 4, "two, one more, and one again");
    }
}
