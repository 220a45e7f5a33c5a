//! Which scenario each fault is killed by: a bundled one if one of them notices, else a small one that
//! is made for it.

use bootrace::sim::mutants::Mutant::{self, *};

/// The fault, the scenario, and on which versions of the library it is planted: 5.34.10, 5.81.5, 6.7.0
/// (`x`; `.` where that version has not what is wrong), or none if the scenario is played as it is.
pub(crate) const KILLERS: &[(Mutant, &str, &str)] = &[
    (Q1, "tests/mutants/dies-in-an-upsert.toml", "xxx"),
    (Q2, "tests/mutants/upsert-while-it-runs.toml", "xxx"),
    (Q3, "tests/mutants/registered-by-every-boot.toml", ".xx"),
    (Q4, "tests/mutants/registered-by-every-boot.toml", ".xx"),
    (Q5, "tests/mutants/option-changed.toml", "xx."),
    (Q6, "tests/mutants/zone-given.toml", "xxx"),
    (Q7, "tests/mutants/hour-twice.toml", "xxx"),
    (Q8, "tests/mutants/taken-over.toml", "xxx"),
    (Q9, "tests/mutants/taken-over.toml", "xxx"),
    (Q10, "tests/mutants/checked-in-time.toml", "xxx"),
    (Q11, "tests/mutants/kills-its-process.toml", "xxx"),
    (Q12, "tests/mutants/kills-its-process.toml", "xxx"),
    (Q13, "tests/mutants/deduplicated.toml", "xxx"),
    (Q14, "tests/mutants/an-id-for-each-window.toml", "xxx"),
    (Q15, "tests/mutants/in-order.toml", "xxx"),
    (Q16, "tests/mutants/limited.toml", "xxx"),
    (Q17, "tests/mutants/one-at-a-time.toml", "xxx"),
    (Q18, "tests/mutants/due-while-paused.toml", "xx."),
    (Q20, "tests/mutants/kept.toml", "xxx"),
    (Q24, "tests/mutants/fails.toml", "xxx"),
    (Q25, "tests/mutants/redis-away.toml", "xxx"),
    (Q26, "tests/mutants/asked-to-end.toml", "xxx"),
    (Q27, "tests/mutants/two-queues.toml", "xxx"),
    (O1, "tests/mutants/woken.toml", "xxx"),
    (O2, "tests/mutants/woken.toml", "xxx"),
    (O3, "tests/mutants/refused.toml", ".xx"),
    (O4, "tests/mutants/pattern-changed.toml", "x.."),
    (O5, "tests/mutants/pattern-changed.toml", "xxx"),
    (O6, "tests/mutants/fails.toml", "xxx"),
    (O7, "tests/mutants/two-jobs.toml", "xxx"),
    (O8, "tests/mutants/asked-to-end.toml", "xxx"),
    (O9, "tests/mutants/rolling.toml", "xxx"),
    (O10, "tests/mutants/crashes.toml", "xxx"),
    (O11, "tests/mutants/side-by-side.toml", "xxx"),
    (O12, "tests/mutants/an-id-among-others.toml", "xxx"),
    (O13, "tests/mutants/one-after-another.toml", "xxx"),
    (O14, "tests/mutants/paused.toml", "xxx"),
    (X6, "tests/mutants/deploy-without-extras.toml", "xxx"),
];
