//! The search through every order of a scenario's messages: what it leaves out nobody could tell
//! apart, and what it finds is the same on any number of threads.

use bootrace::pool::ALL_CORES;
use bootrace::search::{Bounds, Searched, bounded, search, search_runs};
use bootrace::sim::policy::Replay;
use bootrace::sim::redis::SetOptions;
use bootrace::sim::run;
use bootrace::sim::scenario::{Restart, parse};
use bootrace::{Container, Ctx, Fleet};
use std::sync::Arc;
use std::time::Duration;

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

/// The count workload: each of three containers sets two keys in turn, six times in all. Nothing
/// is sent before.
fn counted(kills: u32) -> Searched {
    let mut fleet =
        Fleet::new("count").length(Duration::from_secs(60)).calm(Duration::from_secs(1));
    for process in 0..3 {
        let sets = move |ctx: Ctx| async move {
            let redis = ctx.redis();
            for step in 0..6 {
                let value = (3 * step + process + 1).to_string();
                redis.set(["a", "b"][step % 2], value, SetOptions::default()).await?;
            }
            Ok(())
        };
        let container = Container::new(format!("p{process}"), sets).restart(Restart::Never);
        fleet = fleet.container(container);
    }
    *fleet.scenario_mut() = bounded(fleet.scenario(), kills);
    let play = move |policy| fleet.play(policy, &mut ()).outcome;
    let bounds = Bounds { kills, ..Bounds::default() };
    let (searched, cut) = search_runs(play, bounds, ALL_CORES, &mut ());
    assert_eq!((cut, searched.endless, searched.incomplete), (None, 0, false));
    searched
}

/// Of 17,153,136 orders so many differ in what anybody could tell, and so many with at most one death:
/// the numbers of the search that plays each of them.
#[test]
fn the_count_workload_is_counted() {
    assert_eq!(counted(0).orders(), 477_540);
    let with_one = counted(1);
    assert_eq!((with_one.orders(), &with_one.by_kills[..]), (1_273_374, &[477_540, 795_834][..]));
    // They are counted, not played one by one.
    assert!(with_one.runs < 30_000, "{} runs", with_one.runs);
}

const UPSERT: &str =
    r#"{ upsert_job_scheduler = "tick", queue = "q", repeat = { pattern = "* * * * *" } }"#;
const ADD: &str = r#"{ add = "tick", queue = "q", repeat = { pattern = "* * * * *" } }"#;

fn searched(text: &str, bounds: Bounds) -> Searched {
    let (scenario, _) = parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let scenario = Arc::new(bounded(&scenario, bounds.kills));
    let (searched, cut) = search(&scenario, bounds, ALL_CORES, &mut ());
    assert_eq!((cut, searched.endless, searched.incomplete), (None, 0, false));
    searched
}

#[test]
fn what_is_left_out_ends_as_something_that_is_played() {
    for library in ["5.34.10", "5.81.5", "6.7.0"] {
        for kills in [0, 1] {
            let text = story(library, UPSERT, 2, false);
            let whole = searched(&text, Bounds { kills, whole: true, ..Bounds::default() });
            let reduced = searched(&text, Bounds { kills, ..Bounds::default() });
            println!("{library}, {kills} kills: {} of {}", reduced.orders(), whole.orders());
            assert!(reduced.orders() < whole.orders() / 4, "{reduced:?}");
            assert_eq!(reduced.ends, whole.ends, "{library}");
            assert!(reduced.violated == [0] && whole.violated == [0], "{library}");
        }
    }
}

/// What follows a state is searched once, however many orders lead to it: the same orders come out,
/// and the same ends.
#[test]
fn states_are_searched_once_and_counted_as_often_as_they_are_reached() {
    for (step, boots, worker, kills) in
        [(UPSERT, 2, false, 2), (ADD, 2, false, 1), (ADD, 1, true, 1), (UPSERT, 2, true, 0)]
    {
        let text = story("5.34.10", step, boots, worker);
        let apart = searched(&text, Bounds { kills, apart: true, ..Bounds::default() });
        let once = searched(&text, Bounds { kills, ..Bounds::default() });
        println!("{} orders: {} runs, and {}", apart.orders(), apart.runs, once.runs);
        assert_eq!(once.by_kills, apart.by_kills, "{text}");
        assert_eq!(once.violated, apart.violated, "{text}");
        assert_eq!(once.judged, apart.judged, "{text}");
        assert_eq!(once.ends, apart.ends, "{text}");
    }
}

#[test]
fn a_worker_beside_the_boots() {
    let text = story("5.34.10", UPSERT, 2, true);
    let found = searched(&text, Bounds::default());
    println!("{} orders", found.orders());
    assert_eq!(found.violated, [0]);
}

#[test]
fn every_kill_is_tried() {
    // The only container that registers never boots again: killed before its last round trip it
    // leaves nothing, or a registration without an iteration.
    let text = story("5.34.10", ADD, 1, false);
    let found = searched(&text, Bounds { kills: 1, ..Bounds::default() });
    // INFO twice, the queue's meta, INFO for the older API, and the two scripts of its add; a
    // container that dies before the one that follows has registered it.
    assert_eq!(found.by_kills, [1, 6]);
    assert_eq!(found.violated, [6]);
    let (scenario, _) = parse(&text).expect("it parses");
    let scenario = Arc::new(bounded(&scenario, 1));
    let tape = found.tape(&scenario, 0).expect("it is violated");
    let again = run(&scenario, Box::new(Replay::new(tape)), false, &mut ());
    assert_eq!((again.diverged, again.verdict.judgements[0].held), (None, false));
}

/// What a committed scenario comes to in all orders with at most so many kills.
fn proof(name: &str, kills: u32) -> Searched {
    let path = format!("{}/scenarios/proofs/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("it is there");
    searched(&text, Bounds { kills, ..Bounds::default() })
}

#[test]
fn an_id_per_window_fires_at_most_once() {
    let found = proof("window-id", 0);
    assert_eq!((&found.by_kills[..], &found.violated[..]), (&[97_200][..], &[0][..]));
    assert_eq!(found.judged, [97_200]);
}

#[test]
fn boots_that_clean_up_leave_one_registration() {
    let found = proof("scheduler-cleaned-up", 0);
    assert_eq!((&found.by_kills[..], &found.violated[..]), (&[560][..], &[0][..]));
}

#[test]
fn so_they_do_whoever_dies_wherever() {
    let found = proof("scheduler-cleaned-up", 1);
    assert_eq!((&found.by_kills[..], &found.violated[..]), (&[560, 1_449_960][..], &[0][..]));
}

#[test]
fn the_older_api_is_refuted() {
    let found = proof("repeat-api", 1);
    assert_eq!((&found.by_kills[..], &found.violated[..]), (&[20, 10_640][..], &[120][..]));
}
