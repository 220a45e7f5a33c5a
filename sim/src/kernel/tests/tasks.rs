//! Tasks, timers and the event loop of a process.

use super::super::{Either, race};
use super::*;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_test::{assert_pending, assert_ready, task};

#[test]
fn tasks_take_turns_first_in_first_out() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        for (once, again) in [("a", "a again"), ("b", "b again"), ("c", "c again")] {
            let (at, log) = (ctx.clone(), log.clone());
            ctx.spawn(async move {
                log.note(&at, once);
                turn().await;
                log.note(&at, again);
            });
        }
        log.note(&ctx, "main goes on first");
    });
    world.run();
    let expected = ["main goes on first", "a", "b", "c", "a again", "b again", "c again"];
    assert_eq!(world.log.words(), expected);
    assert_eq!(world.tape(), [], "the order of one process's tasks is never a choice");
}

#[test]
fn tasks_go_on_in_the_order_in_which_they_were_woken() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        let mut senders = Vec::new();
        for word in ["a", "b", "c"] {
            let (at, log) = (ctx.clone(), log.clone());
            let (send, receive) = oneshot::channel::<()>();
            senders.push(send);
            ctx.spawn(async move {
                receive.await.expect("it is sent");
                log.note(&at, word);
            });
        }
        turn().await;
        // From the last to the first, which is not the order in which they were spawned.
        for send in senders.into_iter().rev() {
            send.send(()).expect("it is awaited");
        }
    });
    world.run();
    assert_eq!(world.log.words(), ["c", "b", "a"]);
}

#[test]
fn two_processes_woken_at_one_instant_do_not_mix_their_tasks() {
    let mut world = World::plain();
    for words in [["a1", "a2"], ["b1", "b2"]] {
        world.boot(move |ctx, log| async move {
            for word in words {
                let (at, log) = (ctx.clone(), log.clone());
                ctx.spawn(async move {
                    at.sleep(ms(5)).await;
                    log.note(&at, word);
                });
            }
        });
    }
    world.run();
    let words = world.log.words();
    let of = |first: &str| -> Vec<&str> {
        words.iter().copied().filter(|word| word.starts_with(first)).collect()
    };
    assert_eq!((of("a"), of("b")), (vec!["a1", "a2"], vec!["b1", "b2"]));
}

#[test]
fn the_clock_jumps_to_what_is_due_and_never_past_it() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        ctx.sleep(Span::from_secs(86_400)).await;
        log.note(&ctx, "a day");
        ctx.sleep(ms(1)).await;
        log.note(&ctx, "and a moment");
    });
    let day = 86_400_000;
    assert_eq!(world.step_until(Instant::from_ms(day - 1)), Step::Idle);
    assert_eq!(world.log.take(), []);
    assert_eq!(world.step(), Step::Went);
    assert_eq!(world.kernel.now(), Instant::from_ms(day), "one step for a whole day");
    assert_eq!(world.step(), Step::Went);
    assert_eq!(world.step(), Step::Idle);
    assert_eq!(world.log.take(), [(day, "a day"), (day + 1, "and a moment")]);
}

#[test]
fn plans_are_due_among_everything_else() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        ctx.sleep(ms(5)).await;
        log.note(&ctx, "five");
    });
    world.kernel.plan(Instant::from_ms(7), 70);
    world.kernel.plan(Instant::from_ms(3), 30);
    let steps = [(); 4].map(|()| world.step());
    assert_eq!(steps, [Step::Plan(30), Step::Went, Step::Plan(70), Step::Idle]);
}

#[test]
fn a_sleep_by_hand() {
    let mut world = World::plain();
    let (_, ctx) = world.bystander();
    let mut sleep = task::spawn(ctx.sleep(ms(10)));
    let mut longer = task::spawn(ctx.sleep(ms(20)));
    assert_pending!(sleep.poll());
    assert_pending!(longer.poll());
    world.run_until(9);
    assert!(!sleep.is_woken());
    world.run_until(10);
    assert!(sleep.is_woken());
    assert_ready!(sleep.poll());
    assert!(!longer.is_woken());
    assert_pending!(longer.poll());
    // A sleep that is not polled before it is over is over when it is.
    let mut late = task::spawn(ctx.sleep(ms(5)));
    world.run_until(30);
    assert_ready!(late.poll());
    assert_ready!(longer.poll());
}

#[test]
fn a_dropped_sleep_is_a_cleared_timer() {
    let mut world = World::plain();
    let (_, ctx) = world.bystander();
    let mut cleared = task::spawn(ctx.sleep(ms(10)));
    assert_pending!(cleared.poll());
    drop(cleared);
    // The next timer has the place of the cleared one, and nothing else of it.
    let mut next = task::spawn(ctx.sleep(ms(50)));
    assert_pending!(next.poll());
    world.run_until(49);
    assert!(!next.is_woken());
    world.run();
    assert!(next.is_woken());
    assert_eq!(world.kernel.now(), Instant::from_ms(50));
    drop(next);
    drop(ctx.sleep(ms(100)));
    world.run();
    assert_eq!(world.kernel.now(), Instant::from_ms(50), "time does not move for nobody");
}

#[test]
fn a_tick_keeps_the_rhythm_of_its_timer() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        let armed = ctx.true_time();
        for _ in 0..3 {
            ctx.next_tick(armed, ms(10)).await;
            log.note(&ctx, "tick");
            ctx.sleep(ms(12)).await;
        }
    });
    world.run();
    assert_eq!(world.log.take(), [(10, "tick"), (30, "tick"), (50, "tick")]);
}

#[test]
fn tokios_primitives_work_inside() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        let (notify, two) = (Rc::new(Notify::new()), Rc::new(Semaphore::new(2)));
        for word in ["first", "second", "third"] {
            let (at, log, notify, two) = (ctx.clone(), log.clone(), notify.clone(), two.clone());
            ctx.spawn(async move {
                let permit = two.acquire().await.expect("it is open");
                at.sleep(ms(10)).await;
                log.note(&at, word);
                drop(permit);
                notify.notify_one();
            });
        }
        for _ in 0..3 {
            notify.notified().await;
        }
        log.note(&ctx, "all");
    });
    world.run();
    // The third waits for a permit of the first two, and `all` for the third.
    let expected = [(10, "first"), (10, "second"), (20, "third"), (20, "all")];
    assert_eq!(world.log.take(), expected);
}

#[test]
fn a_race_waits_for_whichever_comes() {
    // The request takes 15 ms, its reply none.
    let mut world = World::new(at(Site::Send, &[15]));
    world.boot(|ctx, log| async move {
        let conn = ctx.connect(SERVER);
        let mut reply = Box::pin(conn.call(Ask::Echo(7)));
        let first = race(ctx.sleep(ms(10)), &mut reply).await;
        assert_eq!(first, Either::Left(()));
        log.note(&ctx, "timer");
        let second = race(ctx.sleep(ms(10)), &mut reply).await;
        assert_eq!(second, Either::Right(Ok(7)));
        log.note(&ctx, "reply");
    });
    world.run();
    assert_eq!(world.log.take(), [(10, "timer"), (15, "reply")]);
}

/// The process of the next test that is blocked from 1 ms to 101 ms; beside the block it has a
/// task that is ready then, a timer that fires meanwhile, and a reply that comes meanwhile.
async fn blocked(ctx: Ctx<Echo>, log: Log) {
    let conn = ctx.connect(SERVER);
    let (at, note) = (ctx.clone(), log.clone());
    ctx.spawn(async move {
        conn.call(Ask::Echo(1)).await.expect("it is open");
        note.note(&at, "reply");
    });
    let (at, note) = (ctx.clone(), log.clone());
    ctx.spawn(async move {
        at.sleep(ms(50)).await;
        note.note(&at, "timer");
    });
    ctx.sleep(ms(1)).await;
    let (at, note) = (ctx.clone(), log.clone());
    ctx.spawn(async move { note.note(&at, "task") });
    ctx.block(ms(100)).await;
    log.note(&ctx, "blocker");
    turn().await;
    log.note(&ctx, "blocker again");
}

#[test]
fn a_block_stops_the_whole_event_loop_of_one_process() {
    let mut world = World::new(at(Site::Send, &[5]));
    world.boot(blocked);
    world.boot(|ctx, log| async move {
        ctx.sleep(ms(60)).await;
        log.note(&ctx, "another process");
    });
    world.run();
    let expected = [
        (60, "another process"),
        (101, "blocker"),
        (101, "task"),
        (101, "reply"),
        (101, "timer"),
        (101, "blocker again"),
    ];
    assert_eq!(world.log.take(), expected);
    assert_eq!(world.heard(), [1], "what was sent before is under way all the same");
    let until = Instant::from_ms(101);
    assert_eq!(world.count(|event| *event == Event::Blocked { until }), 1);
}

#[test]
fn blocks_follow_on_each_other() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        let (at, note) = (ctx.clone(), log.clone());
        ctx.spawn(async move {
            at.block(ms(10)).await;
            note.note(&at, "second");
        });
        ctx.block(ms(10)).await;
        log.note(&ctx, "first");
    });
    world.run();
    assert_eq!(world.log.take(), [(10, "first"), (20, "second")]);
}

#[test]
fn a_drifting_clock_moves_a_processs_timers_and_its_date() {
    let mut world = World::plain();
    // A tenth too fast, and a minute ahead.
    let fast = Clock { offset: 60_000_000_000, drift: 100_000_000, since: Instant::default() };
    let dates = Rc::new(RefCell::new(Vec::new()));
    let noted = dates.clone();
    world.boot_with(
        |boot| boot.clock = fast,
        |ctx, log| async move {
            noted.borrow_mut().push(ctx.now_ms());
            ctx.sleep(ms(1100)).await;
            log.note(&ctx, "fast");
            noted.borrow_mut().push(ctx.now_ms());
        },
    );
    world.boot(|ctx, log| async move {
        ctx.sleep(ms(1100)).await;
        log.note(&ctx, "true");
        assert_eq!(ctx.now_ms(), 1100);
    });
    world.run();
    assert_eq!(world.log.take(), [(1000, "fast"), (1100, "true")]);
    assert_eq!(dates.take(), [60_000, 61_100], "by its own clock it slept as long as it asked");
}

#[test]
fn a_process_learns_that_it_is_to_end() {
    let mut world = World::plain();
    let proc = world.boot(|ctx, log| async move {
        ctx.terminated().await;
        log.note(&ctx, "asked to end");
        ctx.sleep(ms(5)).await;
        ctx.exit(0);
    });
    world.pass(10);
    assert_eq!(world.log.take(), []);
    world.kernel.terminate(proc);
    world.kernel.terminate(proc);
    world.run();
    assert_eq!(world.log.words(), ["asked to end"]);
    assert_eq!(world.count(|event| *event == Event::Terminated), 1);
    assert_eq!(world.ended(), [(proc, End::Exited(0))]);
}
