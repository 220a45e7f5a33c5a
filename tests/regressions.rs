//! The regressions that come with bootrace: each is one run that breaks what it says, and none could do
//! with an answer less. F1 to F6 are the facts of the incident, on two containers at most.

mod support;

use bootrace::explore::policy;
use bootrace::load::load;
use bootrace::sim::choices::Name;
use bootrace::sim::policy::Kind;
use bootrace::sim::scenario::{Declared, Scenario};
use bootrace::sim::{Outcome, run};
use std::collections::BTreeSet;
use std::sync::Arc;

const FACTS: [&str; 6] = ["f1-", "f2-", "f3-", "f4-", "f5-", "f6-"];

fn play(scenario: &Scenario, answers: &[(Name, u32)]) -> Outcome {
    let scenario = Scenario { answers: Some(answers.to_vec()), ..scenario.clone() };
    let scenario = Arc::new(scenario);
    run(&scenario, policy(&scenario, Kind::Random, 1), false, &mut ())
}

/// Whether the one expectation is broken, and was put to the test.
fn breaks(outcome: &Outcome) -> bool {
    let [judgement] = &outcome.verdict.judgements[..] else { panic!("one expectation") };
    !judgement.held && judgement.judged > 0 && !outcome.out_of_steps
}

/// The containers that came, however often each booted: a second life is the same container.
fn containers(outcome: &Outcome) -> usize {
    let lives = outcome.lives.iter().filter(|life| life.ordinal > 0);
    lives.map(|life| (&life.service, life.ordinal)).collect::<BTreeSet<_>>().len()
}

#[test]
fn each_is_one_run_that_breaks_what_it_says_and_has_no_answer_too_many() {
    let files = support::files("scenarios/regressions", "toml");
    for file in &files {
        let name = support::named(file);
        let scenario = load(file).unwrap_or_else(|error| panic!("{error}")).scenario;
        let answers = scenario.answers.clone().unwrap_or_else(|| panic!("{name}: no answers"));
        let outcome = play(&scenario, &answers);
        assert_eq!(outcome.diverged, None, "{name}");
        let declared: Vec<Declared> =
            scenario.expectations.iter().map(|expectation| expectation.declared).collect();
        match declared[..] {
            [Declared::EverySeed] => assert!(breaks(&outcome), "{name} is not broken"),
            // A bug of ours that is mended: no answer is needed any more.
            [Declared::Holds] => continue,
            _ => panic!("{name}: {declared:?}"),
        }
        for left_out in 0..answers.len() {
            let mut fewer = answers.clone();
            let (spared, _) = fewer.remove(left_out);
            assert!(!breaks(&play(&scenario, &fewer)), "{name} does not need {spared}");
        }
    }
}

#[test]
fn the_facts_of_the_incident_need_two_containers_and_five_answers_at_most() {
    let files = support::files("scenarios/regressions", "toml");
    for fact in FACTS {
        let is = |file: &&std::path::PathBuf| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(fact))
        };
        let file = files.iter().find(is).unwrap_or_else(|| panic!("{fact} is gone"));
        let scenario = load(file).unwrap_or_else(|error| panic!("{error}")).scenario;
        let answers = scenario.answers.clone().unwrap_or_default();
        let outcome = play(&scenario, &answers);
        println!("{fact} {} containers, {} answers", containers(&outcome), answers.len());
        assert!(breaks(&outcome), "{fact}");
        assert!(containers(&outcome) <= 2 && answers.len() <= 5, "{fact}: {:?}", outcome.lives);
    }
}
