//! The strategies for users' own properties: what they draw is legal, and what they find is small.

use bootrace::strategies::{self, Bounds, Change, Edit, Edits};
use bootrace::{Container, Explore, Fleet, Scenario};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};
use std::collections::BTreeSet;
use std::time::Duration;

/// The cases are the same in every run.
fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The smallest that breaks a property.
#[track_caller]
fn smallest(edits: BoxedStrategy<Edits>, property: impl Fn(Edits) -> TestCaseResult) -> Edits {
    match runner(400).run(&edits, property) {
        Err(TestError::Fail(_, smallest)) => smallest,
        other => panic!("nothing breaks it: {other:?}"),
    }
}

fn scenario(name: &str) -> Scenario {
    Scenario::load(format!("scenarios/{name}.toml")).expect("it is a scenario")
}

/// What a run of the first seeds comes to: how many firings there were at most, and how many boots.
fn figures(scenario: &Scenario, name: &str) -> u64 {
    let report = Explore::new(scenario).seeds(1..=3).run();
    let figure = report.figures.iter().find(|figure| figure.name == name);
    figure.expect("there is such a figure").most
}

#[test]
fn what_is_drawn_is_legal_and_of_every_kind() {
    for name in ["free-tier-usage/before-rolling", "hazards/periods-that-disagree"] {
        let scenario = scenario(name);
        let bounds = Bounds::of(&scenario).replicas(20).events(6).kills(90);
        let kinds = std::cell::RefCell::new(BTreeSet::new());
        let result = runner(300).run(&strategies::all(&bounds), |edits| {
            let edited = edits.scenario(&scenario);
            prop_assert!(edited.is_ok(), "{}{:?}", edits, edited.err());
            for edit in &edits.0 {
                let kind = match edit {
                    Edit::Event(_, _, change) => format!("{change:?}"),
                    other => format!("{other:?}"),
                };
                let kind: String = kind.chars().take_while(char::is_ascii_alphabetic).collect();
                kinds.borrow_mut().insert(kind);
            }
            Ok(())
        });
        assert_eq!(result, Ok(()), "{name}");
        let all = [
            "Boot",
            "Deploy",
            "Disconnect",
            "Kill",
            "Kills",
            "Pause",
            "Replicas",
            "Restart",
            "RestartRedis",
            "Scale",
            "SlowRedis",
        ];
        assert_eq!(kinds.into_inner(), all.map(str::to_owned).into(), "{name}");
    }
}

#[test]
fn an_edit_says_what_it_says() {
    let scenario = scenario("hazards/periods-that-disagree");
    let seconds = Duration::from_secs;
    let edits = Edits(vec![
        Edit::Replicas("web".into(), 7),
        Edit::Boot("jobs".into(), seconds(2), seconds(3)),
        Edit::Kills("web".into(), 50),
        Edit::Event(seconds(9), "web".into(), Change::Deploy("slower".into())),
    ]);
    let edited = edits.scenario(&scenario).expect("it is legal");
    for said in ["replicas = 7", "boot = \"2s..3s\"", "release = \"slower\"", "at = \"9s\""] {
        let text = edited.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(said), "{said}: {}", edited.text());
    }
    assert_eq!(edited.meaning().services[0].replicas, 7);
    assert_eq!(edited.meaning().faults.kills[0].odds_of_2_32, 1 << 31);
    assert_eq!(edited.meaning().expectations.len(), scenario.meaning().expectations.len());
    let nobody = Edits(vec![Edit::Replicas("nobody".into(), 7)]).scenario(&scenario);
    let error = nobody.expect_err("there is no such service").to_string();
    assert!(error.contains("there is no service nobody"), "{error}");
    let nothing = Edits::default().scenario(&scenario).expect("it is legal");
    assert_eq!(nothing.meaning().services, scenario.meaning().services);
}

/// Nothing but two containers is needed for two boots.
#[test]
fn a_fleet_shrinks_to_two_containers() {
    let base = scenario("hazards/bootstrap-without-id");
    let bounds = Bounds::of(&base).replicas(12).events(4);
    let found = smallest(strategies::all(&bounds), |edits| {
        let edited = edits.scenario(&base).expect("it is legal");
        let containers: u32 = edited.meaning().services.iter().map(|one| one.replicas).sum();
        prop_assert!(containers < 2 || figures(&edited, "boots") < 2);
        Ok(())
    });
    assert!(found.0.len() <= 1, "{found}");
}

/// Whatever else was drawn is gone: boots, kills, and all events but one.
#[test]
fn what_is_not_needed_goes() {
    let base = scenario("hazards/bootstrap-without-id");
    let events = base.meaning().events.len();
    let bounds = Bounds::of(&base).replicas(20).events(8).kills(100);
    let found = smallest(strategies::all(&bounds), |edits| {
        let edited = edits.scenario(&base).expect("it is legal");
        let edited = edited.meaning();
        prop_assert!(edited.services[0].replicas < 2 || edited.events.len() == events);
        Ok(())
    });
    let name = base.meaning().services[0].name.to_string();
    let own = base.meaning().services[0].replicas;
    let [first, last] = [found.0.first(), found.0.last()].map(|edit| edit.expect("it is needed"));
    assert!(found.0.len() == 1 || (own < 2 && *first == Edit::Replicas(name, 2)), "{found}");
    assert!(matches!(last, Edit::Event(at, _, _) if *at == Duration::from_secs(1)), "{found}");
    assert!(found.0.len() <= 2, "{found}");
}

/// One kill and no more; the containers, their boots and other events are gone.
#[test]
fn a_kill_that_is_needed_stays_alone() {
    let bounds = Bounds::named("worker", Duration::from_secs(300)).replicas(8).events(5);
    let fleet = |edits: &Edits| {
        let main = |ctx: bootrace::Ctx| async move {
            if ctx.redis().incr("boots").await? > 1 {
                ctx.note("is not the first");
            }
            for _ in 0..20 {
                ctx.redis().incr("turns").await?;
            }
            ctx.sleep(Duration::from_secs(3_000)).await;
            Ok(())
        };
        let container = edits.container("worker", Container::new("worker", main));
        // One at a time, so that a second boot is another life of it.
        Fleet::new("a second life")
            .container(container.replicas(1))
            .always("nobody boots again", |seen| seen.times("is not the first") == 0)
    };
    let events_only = (strategies::fleets(&bounds), strategies::faults(&bounds.clone().kills(0)))
        .prop_map(|(fleet, faults)| Edits([fleet.0, faults.0].concat()))
        .boxed();
    let found = smallest(events_only, |edits| {
        let report = Explore::new(&fleet(&edits)).seeds(1..=5).run();
        prop_assert_eq!(report.property("nobody boots again").violated, 0);
        Ok(())
    });
    assert!(matches!(&found.0[..], [Edit::Event(_, _, Change::Kill(1))]), "{found}");
    let kills = smallest(strategies::faults(&bounds.events(0)), |edits| {
        let report = Explore::new(&fleet(&edits)).seeds(1..=40).run();
        prop_assert_eq!(report.property("nobody boots again").violated, 0);
        Ok(())
    });
    assert!(matches!(&kills.0[..], [Edit::Kills(_, 1..=49)]), "{kills}");
}
