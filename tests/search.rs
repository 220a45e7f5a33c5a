//! The search through every order of a scenario's messages: what it leaves out nobody could tell
//! apart, and what it finds is the same on any number of threads.

use bootrace::search::{Bounds, Searched, bounded, search};
use bootrace::sim::policy::Replay;
use bootrace::sim::run;
use bootrace::sim::scenario::parse;
use std::sync::Arc;

/// Containers that register one schedule at the same instant, beside a worker if there is one.
fn story(library: &str, step: &str, boots: u32, worker: bool) -> String {
    let worker = match worker {
        false => String::new(),
        true => format!(
            "[release.works]\nlibrary = \"bullmq@{library}\"\nsteps = [ {{ worker = \"q\" }} ]\n\n\
             [service.worker]\nrelease = \"works\"\nboot = \"5s\"\n\n"
        ),
    };
    format!(
        "format = 1\nname = \"boots at one instant\"\nstart = 2026-01-05T00:00:30Z\nlength = \"100s\"\n\
         calm = \"40s\"\n\n[schedule.tick]\npattern = \"* * * * *\"\nqueue = \"q\"\njob = \"tick\"\n\n\
         [queue.q]\n\n[job.tick]\n\n[release.registers]\nlibrary = \"bullmq@{library}\"\nsteps = [\n  \
         {step},\n]\n\n{worker}[service.web]\nrelease = \"registers\"\nreplicas = {boots}\n\
         boot = \"10s\"\nrestart = \"never\"\n\n[[expect]]\neventually = \"live registrations\"\n\
         schedule = \"tick\"\nexactly = 1\n"
    )
}

const UPSERT: &str =
    r#"{ upsert_job_scheduler = "tick", queue = "q", repeat = { pattern = "* * * * *" } }"#;
const ADD: &str = r#"{ add = "tick", queue = "q", repeat = { pattern = "* * * * *" } }"#;

fn searched(text: &str, bounds: Bounds) -> Searched {
    let (scenario, _) = parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let (searched, cut) = search(&Arc::new(bounded(&scenario, bounds.kills)), bounds, &mut ());
    assert_eq!((cut, searched.endless, searched.progress.incomplete), (None, 0, false));
    searched
}

#[test]
fn what_is_left_out_ends_as_something_that_is_played() {
    for library in ["5.34.10", "5.81.5", "6.7.0"] {
        for kills in [0, 1] {
            let text = story(library, UPSERT, 2, false);
            let whole = searched(&text, Bounds { kills, whole: true });
            let reduced = searched(&text, Bounds { kills, whole: false });
            println!(
                "{library}, {kills} kills: {} of {}",
                reduced.progress.orders, whole.progress.orders
            );
            assert_eq!(whole.progress.abandoned, 0);
            assert!(reduced.progress.orders < whole.progress.orders / 4, "{:?}", reduced.progress);
            assert_eq!(reduced.ends, whole.ends, "{library}");
            assert!(reduced.violated == [0] && whole.violated == [0], "{library}");
        }
    }
}

#[test]
fn a_worker_beside_the_boots() {
    let text = story("5.34.10", UPSERT, 2, true);
    let found = searched(&text, Bounds::default());
    println!("{:?}", found.progress);
    assert_eq!(found.violated, [0]);
}

#[test]
fn every_kill_is_tried() {
    // The only container that registers never boots again: killed before its last round trip it
    // leaves nothing, or a registration without an iteration.
    let text = story("5.34.10", ADD, 1, false);
    let found = searched(&text, Bounds { kills: 1, whole: false });
    // INFO twice, the queue's meta, INFO for the older API, and the two scripts of its add; a
    // container that dies before the one that follows has registered it.
    assert_eq!(found.by_kills, [1, 6]);
    assert_eq!(found.violated, [6]);
    let (scenario, _) = parse(&text).expect("it parses");
    let tape = found.tapes[0].clone().expect("it is violated");
    let scenario = Arc::new(bounded(&scenario, 1));
    let again = run(&scenario, Box::new(Replay::new(tape)), false, &mut ());
    assert_eq!((again.diverged, again.verdict.judgements[0].held), (None, false));
}
