//! Kills: what is left of a process that ends in the middle of something.

use super::super::Conn;
use super::*;

const FINE: (i64, &str) = (0, "its futures were dropped");

/// Does everything that a context can do when it is dropped.
struct LastWords {
    ctx: Ctx<Echo>,
    conn: Conn<Echo>,
    log: Log,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let LastWords { ctx, conn, log } = self;
        log.0.borrow_mut().push(FINE);
        drop(conn.call(Ask::Echo(66)));
        drop(ctx.connect(SERVER).call(Ask::Echo(67)));
        conn.close();
        ctx.emit(Event::OutOfSteps);
        let (at, note) = (ctx.clone(), log.clone());
        ctx.spawn(async move { note.note(&at, "from the grave") });
        assert_eq!(ctx.draw(Label(0), ms(1), ms(16)), ms(1));
        drop(ctx.sleep(ms(1)));
        ctx.kill_point();
        ctx.exit(9);
    }
}

#[test]
fn a_context_is_inert_in_destructors() {
    let mut world = World::plain();
    let proc = world.boot(|ctx, log| async move {
        let conn = ctx.connect(SERVER);
        let _last_words = LastWords { ctx: ctx.clone(), conn: conn.clone(), log };
        conn.call(Ask::Hold(1)).await.expect("it is open");
    });
    world.run();
    let asked = world.kernel.choices().asked();
    world.kernel.kill(proc);
    world.kernel.kill(proc);
    world.run();
    assert_eq!(world.log.take(), [FINE]);
    assert_eq!(world.heard(), [0; 0]);
    assert_eq!(world.ended(), [(proc, End::Killed)]);
    assert!(!world.kernel.alive(proc));
    let told: Vec<&Event> = world.events.iter().map(|(_, _, event)| event).collect();
    let (hold, server) = (Label(2), SERVER);
    let expected = [
        &Event::Booted { release: ReleaseId(0), again: false },
        &Event::Command { server, label: hold, changed: false },
        &Event::Killed,
        &Event::Closed { server },
    ];
    assert_eq!(told, expected);
    assert_eq!(world.kernel.choices().asked(), asked + 1, "the delay of the close, and no more");
}

#[test]
fn what_comes_after_an_exit_in_the_same_turn_is_inert_too() {
    let mut world = World::plain();
    let proc = world.boot(|ctx, log| async move {
        let conn = ctx.connect(SERVER);
        drop(conn.call(Ask::Echo(1)));
        ctx.exit(3);
        drop(conn.call(Ask::Echo(2)));
        ctx.emit(Event::OutOfSteps);
        ctx.block(ms(50)).await;
        log.note(&ctx, "goes on");
    });
    world.run();
    assert_eq!(world.ended(), [(proc, End::Exited(3))]);
    assert_eq!(world.heard(), [1]);
    assert_eq!(world.log.take(), []);
    assert_eq!(world.count(|event| *event == Event::OutOfSteps), 0);
    assert_eq!(world.count(|event| matches!(event, Event::Blocked { .. })), 0);
}

/// A process that sends 1, 2, 3 to arrive at 10 ms and is killed at 5 ms, losing so many.
fn killed_in_flight(lost: u32) -> World {
    let mut world = World::new(By(move |question: &Question, bound| match question.site {
        Site::Send => 10,
        Site::Loss => {
            assert_eq!(bound, 4, "none to all of three");
            lost
        }
        _ => 0,
    }));
    let proc = world.boot(|ctx, log| async move {
        let conn = ctx.connect(SERVER);
        let replies = [1, 2, 3].map(|word| conn.call(Ask::Echo(word)));
        for reply in replies {
            reply.await.expect("it is open");
            log.note(&ctx, "answered");
        }
    });
    world.pass(5);
    world.kernel.kill(proc);
    world.run();
    world
}

#[test]
fn a_kill_delivers_a_chosen_prefix_of_what_was_sent() {
    let prefixes: [&[u32]; 4] = [&[1, 2, 3], &[1, 2], &[1], &[]];
    for (lost, arrived) in (0..).zip(prefixes) {
        let mut world = killed_in_flight(lost);
        assert_eq!(world.heard(), arrived, "{lost} lost");
        assert_eq!(world.log.take(), []);
        assert_eq!(world.count(answered), 0);
        assert_eq!(world.server.closed.len(), 1);
        assert_eq!(world.asked(Site::Loss).len(), 1);
    }
}

#[test]
fn an_exit_loses_nothing_of_what_was_sent() {
    let mut world = World::new(at(Site::Send, &[10, 10]));
    let proc = world.boot(|ctx, _| async move {
        let conn = ctx.connect(SERVER);
        let _replies = [conn.call(Ask::Echo(1)), conn.call(Ask::Echo(2))];
        ctx.exit(0);
        std::future::pending().await
    });
    world.run();
    assert_eq!(world.ended(), [(proc, End::Exited(0))]);
    assert_eq!(world.heard(), [1, 2]);
    assert_eq!(world.asked(Site::Loss), []);
}

#[test]
fn a_kill_loses_the_replies_that_are_under_way() {
    let mut world = World::new(at(Site::Reply, &[10]));
    let proc = world.boot(|ctx, log| async move {
        ctx.connect(SERVER).call(Ask::Echo(1)).await.expect("it is open");
        log.note(&ctx, "answered");
    });
    world.pass(5);
    assert_eq!(world.heard(), [1]);
    world.kernel.kill(proc);
    world.run();
    assert_eq!(world.log.take(), []);
    assert_eq!(world.count(answered), 0);
    assert_eq!(world.asked(Site::Loss), [], "nothing of what was sent could be lost");
}

#[test]
fn a_blocked_client_leaves_at_the_close_and_not_before() {
    // The close takes 10 ms.
    let mut world = World::new(at(Site::Send, &[0, 10]));
    let proc = world.boot(|ctx, _| async move {
        ctx.connect(SERVER).call(Ask::Hold(1)).await.expect("it is open");
    });
    world.pass(20);
    world.kernel.kill(proc);
    world.run_until(29);
    assert_eq!((world.server.held.len(), world.server.left), (1, 0));
    world.run_until(30);
    assert_eq!((world.server.held.len(), world.server.left), (0, 1));
}

#[test]
fn what_a_server_says_to_the_dead_before_it_knows_is_lost() {
    // The close takes 15 ms; meanwhile another client asks for what is held.
    let mut world = World::new(By(|question: &Question, _| match question.site {
        Site::Send if question.label == Label(0) => 15,
        _ => 0,
    }));
    let proc = world.boot(|ctx, log| async move {
        ctx.connect(SERVER).call(Ask::Hold(1)).await.expect("it is open");
        log.note(&ctx, "released");
    });
    world.pass(20);
    world.kernel.kill(proc);
    world.boot(|ctx, log| async move {
        ctx.connect(SERVER).call(Ask::Release).await.expect("it is open");
        log.note(&ctx, "asked");
    });
    world.run();
    assert_eq!(world.log.words(), ["asked"]);
    assert_eq!(world.server.left, 0, "nothing was held for it any more");
}

/// Two round trips and a point of the process's own between them, to die at the `k`-th point.
fn dies_at(k: u32) -> (World, ProcId) {
    let mut world = World::plain();
    let proc = world.boot_with(
        |boot| boot.dies_at = Some(k),
        |ctx, log| async move {
            let conn = ctx.connect(SERVER);
            conn.call(Ask::Echo(1)).await.expect("it is open");
            log.note(&ctx, "one");
            ctx.kill_point();
            log.note(&ctx, "point");
            conn.call(Ask::Echo(2)).await.expect("it is open");
            log.note(&ctx, "two");
        },
    );
    world.run();
    (world, proc)
}

#[test]
fn a_life_dies_at_exactly_its_kill_point() {
    // Before the send, after it, before the reply; the point; and the same of the second call. The
    // code after a point of the process's own goes on to its next await, like any code.
    let stories: [(&[u32], &[&str], usize); 8] = [
        (&[], &[], 0),
        (&[1], &[], 0),
        (&[1], &[], 0),
        (&[1], &["one", "point"], 1),
        (&[1], &["one", "point"], 1),
        (&[1, 2], &["one", "point"], 1),
        (&[1, 2], &["one", "point"], 1),
        (&[1, 2], &["one", "point", "two"], 2),
    ];
    for (k, (heard, said, replies)) in (1..).zip(stories) {
        let (mut world, proc) = dies_at(k);
        assert_eq!(world.heard(), heard, "heard, dying at {k}");
        assert_eq!(world.log.words(), said, "said, dying at {k}");
        assert_eq!(world.count(answered), replies, "answered, dying at {k}");
        let died = if k < 8 { vec![(proc, End::Killed)] } else { Vec::new() };
        assert_eq!(world.ended(), died, "dying at {k}");
        // At the second and sixth point one request is in flight, and may be lost.
        let losses = usize::from(matches!(k, 2 | 6));
        assert_eq!(world.asked(Site::Loss).len(), losses, "losses, dying at {k}");
    }
}

#[test]
fn a_life_that_is_spared_passes_its_kill_point() {
    let mut world = World::plain();
    let proc = world.boot_with(
        |boot| boot.dies_at = Some(2),
        |ctx, log| async move {
            ctx.kill_point();
            ctx.sleep(ms(10)).await;
            ctx.kill_point();
            log.note(&ctx, "passed");
        },
    );
    world.pass(5);
    world.kernel.spare_all();
    world.run();
    assert!(world.kernel.alive(proc));
    assert_eq!(world.log.words(), ["passed"]);
}

#[test]
fn an_error_that_nobody_awaits_ends_the_whole_process() {
    let mut world = World::plain();
    let proc = world.boot(|ctx, log| async move {
        let at = ctx.clone();
        ctx.spawn(async move {
            at.sleep(ms(5)).await;
            at.exit(1);
        });
        for _ in 0..3 {
            ctx.sleep(ms(2)).await;
            log.note(&ctx, "main");
        }
    });
    world.boot(|ctx, log| async move {
        ctx.sleep(ms(9)).await;
        log.note(&ctx, "another process");
    });
    world.run();
    assert_eq!(world.log.take(), [(2, "main"), (4, "main"), (9, "another process")]);
    assert_eq!(world.ended(), [(proc, End::Exited(1))]);
    assert_eq!(world.count(|event| *event == Event::Exited { code: 1 }), 1);
}

#[test]
fn a_blocked_process_can_be_killed() {
    let mut world = World::plain();
    let proc = world.boot(|ctx, log| async move {
        ctx.block(ms(100)).await;
        log.note(&ctx, "never");
    });
    world.pass(50);
    world.kernel.kill(proc);
    world.run();
    assert_eq!(world.log.take(), []);
    assert_eq!(world.kernel.now(), Instant::from_ms(50), "the end of its block is due to nobody");
}

#[test]
fn the_next_life_has_nothing_of_the_one_before() {
    let mut world = World::plain();
    let sleeper = |word: &'static str| {
        move |ctx: Ctx<Echo>, log: Log| async move {
            let reply = ctx.connect(SERVER).call(Ask::Hold(1));
            ctx.sleep(ms(10)).await;
            log.note(&ctx, word);
            drop(reply);
        }
    };
    let first = world.boot(sleeper("first"));
    world.pass(5);
    world.kernel.kill(first);
    // It gets the places of tasks, timers and replies that are free now.
    let second = world.boot(sleeper("second"));
    world.run();
    assert_eq!(world.log.words(), ["second"]);
    assert!(world.kernel.alive(second) && !world.kernel.alive(first));
}

/// Whoever starts processes again does so at the instant of the end, not when the next thing is due.
#[test]
fn an_end_is_said_before_time_goes_on() {
    let mut world = World::plain();
    let proc = world.boot(|ctx, _| async move { ctx.sleep(ms(50)).await });
    world.kernel.plan(Instant::from_ms(10), 1);
    world.kernel.plan(Instant::from_ms(90), 2);
    let World { kernel, server, .. } = &mut world;
    assert_eq!(kernel.step(server, Instant::MAX), Step::Plan(1));
    kernel.kill(proc);
    assert_eq!(kernel.step(server, Instant::MAX), Step::Went);
    assert_eq!((kernel.take_ended(), kernel.now().ms()), (vec![(proc, End::Killed)], 10));
    assert_eq!(kernel.step(server, Instant::MAX), Step::Plan(2));
}
