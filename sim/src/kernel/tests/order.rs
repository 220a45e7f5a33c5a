//! What is asked when several things are due at one instant, and that a run is a function of the
//! answers.

use super::*;
use crate::choices::Tape;
use crate::policy::{Random, Replay};

/// Sleeps and then says its word.
fn sleeper(
    word: &'static str,
    span: i64,
) -> impl FnOnce(Ctx<Echo>, Log) -> Pin<Box<dyn Future<Output = ()>>> {
    move |ctx, log| {
        Box::pin(async move {
            ctx.sleep(ms(span)).await;
            log.note(&ctx, word);
        })
    }
}

#[test]
fn a_tie_between_lives_is_asked_and_both_orders_happen() {
    for (answer, order) in [(0, ["a", "b"]), (1, ["b", "a"])] {
        let mut world = World::new(at(Site::Tie, &[answer]));
        world.boot(sleeper("a", 5));
        world.boot(sleeper("b", 5));
        world.run();
        assert_eq!(world.log.words(), order);
        let ties = world.asked(Site::Tie);
        assert_eq!(ties.len(), 1);
        assert_eq!((ties[0].bound, ties[0].question.life), (2, LifeId(1)));
    }
}

#[test]
fn three_lives_at_one_instant_are_two_questions() {
    let mut world = World::new(at(Site::Tie, &[2, 1]));
    for word in ["a", "b", "c"] {
        world.boot(sleeper(word, 5));
    }
    world.run();
    assert_eq!(world.log.words(), ["c", "b", "a"]);
    let bounds: Vec<u16> = world.asked(Site::Tie).iter().map(|choice| choice.bound).collect();
    assert_eq!(bounds, [3, 2]);
}

#[test]
fn a_tie_within_one_life_is_not_asked() {
    let mut world = World::new(at(Site::Tie, &[1, 1, 1]));
    world.boot(|ctx, log| async move {
        for (word, span) in [("a", 5), ("b", 5), ("c", 5)] {
            let (at, log) = (ctx.clone(), log.clone());
            ctx.spawn(async move {
                at.sleep(ms(span)).await;
                log.note(&at, word);
            });
        }
    });
    world.run();
    assert_eq!(world.log.words(), ["a", "b", "c"]);
    assert_eq!(world.tape(), []);
}

#[test]
fn a_life_keeps_its_own_order_within_a_tie() {
    let mut world = World::new(at(Site::Tie, &[1, 0, 0]));
    world.boot(|ctx, log| async move {
        for word in ["a1", "a2"] {
            let (at, log) = (ctx.clone(), log.clone());
            ctx.spawn(async move {
                at.sleep(ms(5)).await;
                log.note(&at, word);
            });
        }
    });
    world.boot(sleeper("b", 5));
    world.run();
    assert_eq!(world.log.words(), ["b", "a1", "a2"]);
}

#[test]
fn what_becomes_due_during_a_tie_joins_it() {
    let mut world = World::new(at(Site::Tie, &[0, 1]));
    world.boot(|ctx, log| async move {
        ctx.sleep(ms(5)).await;
        log.note(&ctx, "a");
        ctx.sleep(ms(0)).await;
        log.note(&ctx, "a again");
    });
    world.boot(sleeper("b", 5));
    world.run();
    assert_eq!(world.log.words(), ["a", "b", "a again"]);
    assert_eq!(world.asked(Site::Tie).len(), 2);
}

#[test]
fn a_stale_timer_is_no_tie() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        let cleared = ctx.sleep(ms(5));
        ctx.sleep(ms(1)).await;
        drop(cleared);
        log.note(&ctx, "cleared");
    });
    world.boot(sleeper("b", 5));
    world.run();
    assert_eq!(world.log.words(), ["cleared", "b"]);
    assert_eq!(world.asked(Site::Tie), []);
}

#[test]
fn a_timer_that_is_cleared_within_a_tie_is_asked_no_more() {
    let mut world = World::plain();
    let mut victims = Vec::new();
    world.boot(sleeper("a", 5));
    victims.push(world.boot(sleeper("b", 5)));
    world.boot(sleeper("c", 5));
    world.step();
    assert_eq!(world.log.words(), ["a"]);
    world.kernel.kill(victims[0]);
    world.run();
    assert_eq!(world.log.words(), ["c"]);
    let bounds: Vec<u16> = world.asked(Site::Tie).iter().map(|choice| choice.bound).collect();
    assert_eq!(bounds, [3], "one is left");
}

#[test]
fn what_a_kill_lost_is_no_tie() {
    // The first sends a request to arrive at 10 ms, and is killed before; the request is lost and
    // the close arrives later. Whether the other's timer goes first is nothing that anyone can see.
    let mut world = World::new(By(|question: &Question, _| match question.site {
        Site::Send if question.label == Label(1) => 10,
        Site::Send => 15,
        Site::Loss => 1,
        _ => 0,
    }));
    let proc = world.boot(|ctx, _| async move {
        ctx.connect(SERVER).call(Ask::Echo(1)).await.expect("it is open");
    });
    world.boot(sleeper("b", 10));
    world.pass(5);
    world.kernel.kill(proc);
    world.run();
    assert_eq!(world.heard(), [0; 0]);
    assert_eq!(world.log.words(), ["b"]);
    assert_eq!(world.asked(Site::Tie), []);
}

#[test]
fn a_reply_to_the_dead_is_no_tie() {
    let mut world = World::new(By(|question: &Question, _| match question.site {
        Site::Reply => 10,
        Site::Send if question.label == Label(0) => 15,
        _ => 0,
    }));
    let proc = world.boot(|ctx, _| async move {
        ctx.connect(SERVER).call(Ask::Echo(1)).await.expect("it is open");
    });
    world.boot(sleeper("b", 10));
    world.pass(5);
    world.kernel.kill(proc);
    world.run();
    assert_eq!(world.log.words(), ["b"]);
    assert_eq!(world.asked(Site::Tie), []);
}

#[test]
fn the_world_ties_with_a_life() {
    let mut world = World::new(at(Site::Tie, &[1]));
    world.boot(sleeper("a", 5));
    world.kernel.plan(Instant::from_ms(5), 1);
    let steps = [(); 3].map(|()| world.step());
    assert_eq!(steps, [Step::Went, Step::Plan(1), Step::Idle]);
    let ties = world.asked(Site::Tie);
    assert_eq!((ties.len(), ties[0].question.life), (1, LifeId::WORLD));
}

#[test]
fn a_message_is_one_question_each_way() {
    let mut world = World::plain();
    world.boot(|ctx, _| async move {
        let conn = ctx.connect(SERVER);
        for word in [1, 2] {
            conn.call(Ask::Echo(word)).await.expect("it is open");
        }
    });
    world.run();
    let names: Vec<String> = {
        let tape = world.tape();
        let choices = world.kernel.choices();
        tape.iter().map(|choice| choices.describe(&choice.question).to_string()).collect()
    };
    let expected = [
        "box-1.1 send echo #0",
        "box-1.1 reply echo #0",
        "box-1.1 send echo #1",
        "box-1.1 reply echo #1",
    ];
    assert_eq!(names, expected);
}

/// Five containers that talk, race and die: everything that can be asked is.
fn busy(policy: impl Policy + 'static) -> World {
    let mut world = World::new(policy);
    for place in 1..=5_u32 {
        let name = LifeName { service: "draw".into(), ordinal: place, life: 1 };
        let asker = world.kernel.choices().enter(name);
        let odds = Odds::Fault { of_2_32: 1 << 31 };
        let point = world.kernel.choices().ask(asker, Site::Kill, Label(0), 20, odds);
        world.boot_with(
            |boot| boot.dies_at = (point > 0).then_some(point),
            |ctx, _| async move {
                let conn = ctx.connect(SERVER);
                for word in 0..10 {
                    ctx.sleep(ctx.draw(Label(0), ms(1), ms(16))).await;
                    drop(conn.call(Ask::Hold(place)));
                    let other = ctx.connect(SERVER);
                    other.call(Ask::Echo(word)).await.expect("it is open");
                    drop(conn.call(Ask::Release));
                    other.close();
                }
            },
        );
    }
    world.run();
    world
}

#[test]
fn one_seed_twice_is_one_run_and_another_seed_another() {
    let hash = |seed| busy(Random::new(seed)).hash.finish();
    let hashes: Vec<u64> = (1..=20).map(hash).collect();
    assert_eq!(hashes, (1..=20).map(hash).collect::<Vec<u64>>());
    let mut distinct = hashes.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn a_tape_replayed_is_the_same_run() {
    for seed in 1..=20 {
        let mut recorded = busy(Random::new(seed));
        let tape = Tape { choices: recorded.tape() };
        for site in [Site::Send, Site::Reply, Site::Tie, Site::Kill, Site::Draw] {
            let asked = tape.choices.iter().any(|choice| choice.question.site == site);
            assert!(asked, "seed {seed} asks nothing at {}", site.name());
        }
        let mut replayed = busy(Replay::new(tape.clone()));
        assert_eq!(replayed.kernel.choices().diverged(), None);
        assert_eq!(replayed.events, recorded.events);
        assert_eq!(replayed.hash, recorded.hash);
        assert_eq!(replayed.tape(), tape.choices);
    }
}

#[test]
fn a_tape_with_one_other_answer_is_another_run() {
    let mut recorded = busy(Random::new(1));
    let mut tape = Tape { choices: recorded.tape() };
    let send = tape.choices.iter_mut().find(|choice| choice.question.site == Site::Send);
    let send = send.expect("something is sent");
    send.answer = (send.answer + 1) % send.bound;
    assert_ne!(busy(Replay::new(tape)).hash, recorded.hash);
}
