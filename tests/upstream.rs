//! A test that BullMQ has and skips: "should upsert many times with different settings respecting the
//! guarantees" upserts one job scheduler a hundred times, with `every` = 1 h, 2 h, … 100 h, while a
//! worker runs, and expects one completion.
//!
//! Where `every` has changed, the script of 5.81 and 6.7 takes the next slot to be now, so each upsert
//! makes a job that is due at once, and takes the one before it away if it still waits. So the worker
//! and the next upsert race for each of them: between one and a hundred run, by who is faster. Measured
//! on the real library, three times each: 42, 43, 47 (5.81.5) and 44, 44, 46 (6.7.0); with 20 ms between
//! the upserts 100; with the worker started afterwards 1; the same `every` a hundred times 1; two values
//! 300 ms apart 2; two values in turn, twenty times 50 ms apart, 20.

use bootrace::explore::explore;
use bootrace::sim::scenario::parse;
use std::fmt::Write as _;
use std::sync::Arc;

const SEEDS: u64 = 50;

/// The newer versions: 5.34 knows nothing of a change of `every`.
const VERSIONS: [&str; 2] = ["5.81.5", "6.7.0"];

/// Upserts of these periods in hours, with a gap between them; the worker is there from the first
/// second on, or comes when all is done. How a message travels, as a range.
fn story(version: &str, hours: &[u32], gap_ms: u32, worker: &str, round_trip: &str) -> String {
    let mut steps = String::new();
    for every in hours {
        writeln!(
            steps,
            "  {{ upsert_job_scheduler = \"test\", queue = \"q\", name = \"j\", repeat = {{ every = \
             \"{every}h\" }} }},"
        )
        .expect("a String takes everything");
        if gap_ms > 0 {
            writeln!(steps, "  {{ sleep = \"{gap_ms}ms\" }},").expect("a String takes everything");
        }
    }
    format!(
        "format = 1\nname = \"many upserts\"\nstart = 2026-01-05T00:00:00Z\nlength = \"1m\"\n\n\
         [network]\nround_trip = \"{round_trip}\"\n\n[queue.q]\n\n[job.j]\n\n\
         [schedule.j]\nevery = \"1h\"\nqueue = \"q\"\njob = \"j\"\n\n\
         [release.upserts]\nlibrary = \"bullmq@{version}\"\nsteps = [\n{steps}]\n\n\
         [release.works]\nlibrary = \"bullmq@{version}\"\nsteps = [ {{ worker = \"q\" }} ]\n\n\
         [service.upserts]\nrelease = \"upserts\"\nboot = \"10s\"\n\n\
         [service.works]\nrelease = \"works\"\nboot = \"{worker}\"\n\n\
         [[expect]]\neventually = \"live registrations\"\nschedule = \"j\"\nexactly = 1\n"
    )
}

/// How many run, the least, the median and the most over the seeds; one registration is left.
fn runs(text: &str) -> (u64, u64, u64) {
    let (scenario, _) = parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let played = explore(&Arc::new(scenario), 1..=SEEDS).played;
    assert!(played.iter().all(|one| one.verdict.judgements[0].held), "one is live");
    let mut runs: Vec<u64> =
        played.iter().map(|one| one.verdict.figures.total.executions).collect();
    runs.sort_unstable();
    (runs[0], runs[runs.len() / 2], runs[runs.len() - 1])
}

const THERE: &str = "1s..2s";
const AFTERWARDS: &str = "30s";
const NEAR: &str = "0.2ms..1ms";

fn growing() -> Vec<u32> {
    (1..=100).collect()
}

#[test]
fn each_upsert_races_with_the_worker() {
    for version in VERSIONS {
        let (least, median, most) = runs(&story(version, &growing(), 0, THERE, NEAR));
        println!("{version}: {least} to {most} of 100 run, median {median}");
        let measured = if version == "5.81.5" { [42, 43, 47] } else { [44, 44, 46] };
        let reached = measured.iter().all(|runs| (least..=most).contains(runs));
        assert!(reached && most < 60, "{version}: {least} to {most}, measured {measured:?}");
    }
}

#[test]
fn who_is_slower_loses_the_races() {
    for version in VERSIONS {
        let story = |gap| runs(&story(version, &growing(), gap, THERE, NEAR)).1;
        let medians = [0, 1, 2, 20].map(story);
        println!("{version}: medians {medians:?} with gaps of 0, 1, 2 and 20 ms");
        assert!(medians.is_sorted(), "{version}: {medians:?}");
        assert_eq!(medians[3], 100, "{version}");
    }
}

#[test]
fn the_ends_are_one_and_all() {
    for version in VERSIONS {
        let all = |hours: &[u32], gap, worker| runs(&story(version, hours, gap, worker, NEAR));
        assert_eq!(all(&growing(), 20, THERE), (100, 100, 100), "{version}, a gap of 20 ms");
        assert_eq!(all(&growing(), 0, AFTERWARDS), (1, 1, 1), "{version}, the worker afterwards");
        assert_eq!(all(&[1; 100], 0, THERE), (1, 1, 1), "{version}, the same");
        assert_eq!(all(&[1, 2], 300, THERE), (2, 2, 2), "{version}, two values");
        assert_eq!(all(&[1, 2].repeat(10), 50, THERE), (20, 20, 20), "{version}, in turn");
    }
}
