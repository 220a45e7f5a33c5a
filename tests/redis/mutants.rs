//! Each fault that can be planted in the model is noticed by the differential test.

use libtest_mimic::Trial;

use super::Part;

/// After how many commands at most.
#[cfg(feature = "mutants")]
const MOST: usize = 100_000;

/// One test a fault.
#[cfg(feature = "mutants")]
pub(crate) fn trials(parts: &[Part], skipped: bool) -> Vec<Trial> {
    let trial = |mutant: bootrace_sim::redis::Mutant| {
        let parts = parts.to_vec();
        Trial::test(format!("mutant::{mutant:?}"), move || notice(mutant, &parts))
            .with_ignored_flag(skipped)
    };
    bootrace_sim::redis::Mutant::ALL.into_iter().map(trial).collect()
}

/// Without the feature there are none.
#[cfg(not(feature = "mutants"))]
pub(crate) fn trials(_: &[Part], _: bool) -> Vec<Trial> {
    Vec::new()
}

/// Plays sessions of all parts in turn until the model with the fault parts from the real server,
/// and the model without it does not.
#[cfg(feature = "mutants")]
fn notice(
    mutant: bootrace_sim::redis::Mutant,
    parts: &[Part],
) -> Result<(), libtest_mimic::Failed> {
    use super::redis::{Bench, families, knows, recordable, session};
    use bootrace_sim::redis::plant;

    let (all, _) = families(knows);
    let mut bench = Bench::start();
    let (mut played, mut sound) = (0, true);
    for seed in 1.. {
        for part in parts {
            let chosen: Vec<_> =
                all.iter().filter(|family| part.families.contains(&family.name)).collect();
            // Without what is random, so that the same steps do the same again.
            let steps = recordable(session(&chosen, part.clients, super::SESSION, seed));
            plant(Some(mutant));
            let ended = bench.play(&steps);
            plant(None);
            match ended {
                Ok(tally) => played += tally.commands,
                Err(parting) => {
                    played += parting.at + 1;
                    let steps = &steps[..=parting.at];
                    // Thrice: a skip list of the real server is a random one.
                    let sure = (0..3).all(|_| {
                        plant(Some(mutant));
                        let again = bench.play(steps).is_err_and(|other| other.at == parting.at);
                        plant(None);
                        again && bench.play(steps).is_ok()
                    });
                    if sure {
                        println!(
                            "{mutant:?}: noticed after {played} commands, in {}",
                            parting.what
                        );
                        return Ok(());
                    }
                    sound = false;
                }
            }
            if played > MOST {
                let why =
                    if sound { "" } else { " (the model parts from it without the fault, too)" };
                return Err(format!("not noticed within {MOST} commands{why}").into());
            }
        }
    }
    unreachable!("seeds do not end")
}
