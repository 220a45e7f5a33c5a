//! Idle polls that are skipped change nothing that is judged: what files declare of every seed is so,
//! and far fewer messages travel.

mod support;

use bootrace::load::load;
use bootrace::sim::policy::Random;
use bootrace::sim::run;
use bootrace::sim::scenario::{Declared, Mode, Scenario};
use std::sync::Arc;

/// What each expectation came to in a run, and how many commands Redis got.
fn played(scenario: &Arc<Scenario>, seed: u64) -> (Vec<bool>, u64) {
    let outcome = run(scenario, Box::new(Random::new(seed)), false, &mut ());
    let held = outcome.verdict.judgements.iter().map(|judgement| judgement.held);
    (held.collect(), outcome.verdict.figures.commands)
}

#[test]
fn what_is_declared_of_every_seed_is_so_without_idle_polls() {
    let (mut wrong, mut commands, mut fewer) = (Vec::new(), 0, 0);
    let folders = ["scenarios/hazards", "scenarios/free-tier-usage", "scenarios/history"];
    let files = folders.iter().flat_map(|folder| support::files(folder, "toml"));
    for file in files {
        let each = load(&file).expect("it is a scenario").scenario;
        let skipped = Arc::new(Scenario { skips_idle_polls: true, ..(*each).clone() });
        for seed in 1..=3 {
            commands += played(&each, seed).1;
            let (held, of_seed) = played(&skipped, seed);
            fewer += of_seed;
            for (expectation, held) in skipped.expectations.iter().zip(held) {
                let always = expectation.property.mode != Mode::Sometimes;
                let other = match expectation.declared {
                    Declared::Holds => always && !held,
                    Declared::EverySeed => held,
                    _ => false,
                };
                if other {
                    wrong.push(format!("{}: {expectation:?}, seed {seed}", support::named(&file)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(fewer * 2 < commands, "{fewer} of {commands} commands");
}
