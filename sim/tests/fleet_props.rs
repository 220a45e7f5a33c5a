//! Properties over fleets of 1 to 32 containers that boot, restart, scale, deploy and die anywhere:
//! what is safe start-up code stays safe, and what is faulty is found and shrunk to its smallest
//! story.
//!
//! The cases are the same in every run. `PROPTEST_CASES=1000` plays more of them.

mod support;

use bootrace_sim::scenario::{parse, print};
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
    // A panic (an oracle that disagrees) counts as a failure above; here it would fail the test.
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

fn at_least_one(story: &Story) -> TestCaseResult {
    prop_assert_eq!(story.empty(), None, "a window is owed a firing");
    Ok(())
}

#[test]
fn an_id_per_window_fires_once_whatever_happens() {
    let (owed, killed) = (Cell::new(0), Cell::new(0));
    let result = runner(128).run(&fleet(70), |fleet| {
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

/// A timer may tick while its process closes.
#[test]
fn a_tick_in_the_middle_of_a_shutdown_is_no_accident() {
    let mut codes = Vec::new();
    for (before, seed) in (0..=12).flat_map(|before| [1, 2, 3].map(|seed| (before, seed))) {
        let fleet = Fleet { seed, events: vec![(1_200 - before, Change::Restart)], ..SLOW };
        let story = fleet.play(StartUp::WindowId, StartUp::WindowId);
        let last = story.windows().filter(|(_, window)| window.named).last();
        assert_eq!(last.map(|(_, window)| window.firings), Some(1), "{before} s before, {seed}");
        codes.extend(story.seen.exited);
    }
    assert_eq!(codes, [0; 39], "each restart ends one process, of its own accord");
}

/// One container far from its Redis.
const SLOW: Fleet = Fleet {
    replicas: 1,
    events: Vec::new(),
    kills: None,
    boot_s: (1, 0),
    takes_s: (1, 1),
    round_trip_ms: 8_000,
    rollout: Rollout::Quarter,
    grace_s: 60,
    restarts: true,
    helpers: 0,
    seed: 1,
};

#[test]
fn a_scheduler_that_cleans_up_leaves_one_live_registration() {
    let (judged, killed) = (Cell::new(0), Cell::new(0));
    let fleets = (fleet(50), any::<bool>());
    let result = runner(128).run(&fleets, |(mut fleet, upgraded)| {
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
        assert_eq!(story.held(0), story.most_firings() <= 1, "the oracle sees it too");
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
        assert_eq!(story.held(2), story.seen.to_come() == [1], "the oracle sees it too");
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

/// Fleets that register and stay dead if they are killed, beside one container that only works.
fn mortal() -> impl Strategy<Value = Fleet> {
    (fleet(70), 20..=100_u32, 1..=24_u32).prop_map(|(fleet, percent, points)| {
        let kills = Some(Kills { percent, points });
        Fleet { kills, restarts: false, helpers: 1, ..fleet }
    })
}

#[test]
fn the_older_api_is_found_to_lose_its_schedule_to_a_kill() {
    let play = |fleet: &Fleet| fleet.play(StartUp::Older, StartUp::Older);
    let dead = |fleet: &Fleet| play(fleet).seen.to_come().contains(&0);
    // Where a kill falls is drawn: a fleet is judged by a handful of seeds, so that it can shrink.
    let seeds = |fleet: &Fleet| -> Vec<Fleet> {
        (0..16).map(|more| Fleet { seed: fleet.seed + more, ..fleet.clone() }).collect()
    };
    let smallest = find(mortal(), |fleet| {
        let listed = seeds(&fleet).iter().any(dead);
        prop_assert!(!listed, "a registration is listed, and nothing is to come");
        Ok(())
    });
    let smallest = seeds(&smallest).into_iter().find(dead).expect("one of its seeds broke it");
    assert!(smallest.replicas <= 2 && smallest.events.is_empty(), "{smallest:?}");
    let story = play(&smallest);
    assert!(at_least_one(&story).is_err(), "nothing fires: {smallest:?}");
    assert!(!story.held(1) && !story.held(2), "the oracles see it too");
    // Without the kill the same fleet is as it should be.
    let spared = play(&Fleet { kills: None, ..smallest });
    assert_eq!((spared.empty(), spared.seen.to_come()), (None, vec![1]));
}

#[test]
fn a_boot_after_a_tick_is_found_to_lose_it() {
    let play = |fleet: &Fleet| fleet.play(StartUp::Scheduler, StartUp::Scheduler);
    // Jobs that are longer than a window keep a small fleet busy at the ticks.
    let busy = fleet(70).prop_map(|fleet| {
        let replicas = fleet.replicas.min(2);
        Fleet { replicas, takes_s: (650, 0), kills: None, ..fleet }
    });
    let smallest = find(busy, |fleet| {
        let story = play(&fleet);
        // Empty, and not because its job is late: one of a later window has started.
        let fired = |after| {
            move |(start, window): (i64, support::Window)| start > after && window.firings > 0
        };
        let lost = story.empty().filter(|empty| story.windows().any(fired(*empty)));
        prop_assert_eq!(lost, None, "a tick is lost");
        Ok(())
    });
    assert_eq!((smallest.replicas, smallest.events.len()), (1, 1), "{smallest:?}");
    let without = play(&Fleet { events: Vec::new(), ..smallest });
    assert_eq!(without.empty(), None, "without the boot nothing is lost");
}

#[test]
fn a_fleet_says_what_it_is_in_words_that_parse() {
    for rollout in [Rollout::Quarter, Rollout::Recreate, Rollout::Rolling(0, 1)] {
        let events = vec![(60, Change::Scale(3)), (120, Change::Kill(1))];
        let fleet = Fleet { replicas: 2, events, round_trip_ms: 2, rollout, ..SLOW };
        let story = fleet.play(StartUp::CleanedUp, StartUp::CleanedUp);
        assert_eq!(story.outcome.verdict.figures.boots, 4, "two, one more, and one again");
    }
}

#[test]
fn what_is_printed_of_a_fleet_is_the_same_fleet() {
    let result = runner(128).run(&fleet(70), |fleet| {
        let text = fleet.text(StartUp::JobIds, StartUp::WindowId);
        let read = |text: &str| {
            let (mut scenario, _) = parse(text).expect("it is a scenario");
            scenario.expectations.iter_mut().for_each(|expectation| expectation.at = 0);
            scenario
        };
        let scenario = read(&text);
        let printed = print(&scenario);
        prop_assert_eq!(&read(&printed), &scenario);
        prop_assert_eq!(print(&read(&printed)), printed);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
