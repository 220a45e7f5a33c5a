//! Connections: what is sent arrives, in order, and so do the replies.

use super::super::{Closed, Conn};
use super::*;
use tokio_test::{assert_pending, assert_ready_eq, task};

/// Sends 1, 2, 3 at once on one connection and notes the replies as they come.
async fn three(ctx: Ctx<Echo>, log: Log) {
    let conn = ctx.connect(SERVER);
    for (word, note) in [(1, "one"), (2, "two"), (3, "three")] {
        let reply = conn.call(Ask::Echo(word));
        let (at, log) = (ctx.clone(), log.clone());
        ctx.spawn(async move {
            assert_eq!(reply.await, Ok(word));
            log.note(&at, note);
        });
    }
}

#[test]
fn requests_arrive_in_order_whatever_their_delays() {
    let mut world = World::new(at(Site::Send, &[9, 2, 12]));
    world.boot(three);
    world.run();
    assert_eq!(world.server.heard, [(9, 1), (9, 2), (12, 3)]);
    assert_eq!(world.log.take(), [(9, "one"), (9, "two"), (12, "three")]);
}

#[test]
fn replies_come_in_order_whatever_their_delays() {
    let mut world = World::new(at(Site::Reply, &[15, 0, 7]));
    world.boot(three);
    world.run();
    assert_eq!(world.server.heard, [(0, 1), (0, 2), (0, 3)]);
    assert_eq!(world.log.take(), [(15, "one"), (15, "two"), (15, "three")]);
}

#[test]
fn every_mix_of_delays_keeps_the_order_both_ways() {
    for seed in 0..64_u32 {
        // A small generator of our own: the test is about delays, not about how they are drawn.
        let mut word = seed.wrapping_mul(0x9e37_79b9) | 1;
        let mut world = World::new(By(move |_: &Question, bound| {
            word ^= word << 13;
            word ^= word >> 17;
            word ^= word << 5;
            word % bound
        }));
        world.boot(three);
        world.run();
        assert_eq!(world.heard(), [1, 2, 3]);
        assert_eq!(world.log.words(), ["one", "two", "three"]);
    }
}

#[test]
fn two_connections_of_one_process_may_overtake() {
    let mut world = World::new(at(Site::Send, &[9, 2]));
    world.boot(|ctx, _| async move {
        let (slow, quick) = (ctx.connect(SERVER), ctx.connect(SERVER));
        let first = slow.call(Ask::Echo(1));
        assert_eq!(quick.call(Ask::Echo(2)).await, Ok(2));
        assert_eq!(first.await, Ok(1));
    });
    world.run();
    assert_eq!(world.server.heard, [(2, 2), (9, 1)]);
}

#[test]
fn a_reply_by_hand() {
    let mut world = World::new(By(|question: &Question, _| match question.site {
        Site::Send => 3,
        _ => 4,
    }));
    let (_, ctx) = world.bystander();
    let conn = ctx.connect(SERVER);
    let mut reply = task::spawn(conn.call(Ask::Echo(5)));
    assert_pending!(reply.poll());
    world.run_until(6);
    assert_eq!(world.heard(), [5]);
    assert!(!reply.is_woken(), "the reply is under way");
    world.run_until(7);
    assert!(reply.is_woken());
    assert_ready_eq!(reply.poll(), Ok(5));
}

#[test]
fn a_dropped_reply_does_not_unsend_its_request() {
    let mut world = World::new(at(Site::Send, &[5, 5]));
    world.boot(|ctx, log| async move {
        let conn = ctx.connect(SERVER);
        drop(conn.call(Ask::Echo(1)));
        // The reply that nobody wants must not be taken for this one's.
        assert_eq!(conn.call(Ask::Echo(2)).await, Ok(2));
        log.note(&ctx, "two");
    });
    world.run();
    assert_eq!(world.server.heard, [(5, 1), (5, 2)]);
    assert_eq!(world.log.take(), [(5, "two")]);
    assert_eq!(world.count(answered), 2);
}

#[test]
fn a_close_comes_after_everything_that_was_sent() {
    let mut world = World::new(at(Site::Send, &[5, 9]));
    world.boot(|ctx, log| async move {
        let conn = ctx.connect(SERVER);
        let replies = [conn.call(Ask::Echo(1)), conn.call(Ask::Echo(2))];
        conn.close();
        conn.close();
        for reply in replies {
            assert_eq!(reply.await, Err(Closed::Here));
        }
        assert_eq!(conn.call(Ask::Echo(3)).await, Err(Closed::Here));
        log.note(&ctx, "closed");
    });
    world.run();
    assert_eq!(world.server.heard, [(5, 1), (9, 2)]);
    assert_eq!(world.server.closed.len(), 1);
    assert_eq!(world.log.take(), [(0, "closed")]);
    assert_eq!(world.count(|event| matches!(event, Event::Closed { .. })), 1);
    assert_eq!(world.count(answered), 0);
}

#[test]
fn what_is_held_for_one_client_comes_when_another_asks_for_it() {
    let mut world = World::plain();
    world.boot(|ctx, log| async move {
        assert_eq!(ctx.connect(SERVER).call(Ask::Hold(8)).await, Ok(8));
        log.note(&ctx, "released");
    });
    world.boot(|ctx, _| async move {
        ctx.sleep(ms(30)).await;
        assert_eq!(ctx.connect(SERVER).call(Ask::Release).await, Ok(0));
    });
    world.run();
    assert_eq!(world.log.take(), [(30, "released")]);
}

#[test]
fn a_server_is_called_at_its_deadline() {
    let mut world = World::plain();
    world.server.deadline = Some(Instant::from_ms(40));
    let hold = |word: u32| {
        move |ctx: Ctx<Echo>, log: Log| async move {
            let conn: Conn<Echo> = ctx.connect(SERVER);
            assert_eq!(conn.call(Ask::Hold(word)).await, Ok(word));
            log.note(&ctx, "expired");
        }
    };
    world.boot(hold(1));
    world.boot(hold(2));
    world.run();
    assert_eq!(world.log.take(), [(40, "expired"), (40, "expired")]);
}

/// What is in flight to a server that has gone is lost; who waits learns that the connection broke; a
/// new one is refused for as long, and works after that.
#[test]
fn a_cut_breaks_connections_for_a_time() {
    let mut world = World::new(at(Site::Send, &[5]));
    world.boot(|ctx, log| async move {
        let conn = ctx.connect(SERVER);
        assert_eq!(conn.call(Ask::Echo(1)).await, Err(Closed::Broken));
        assert_eq!(conn.ended().await, Closed::Broken);
        let refused = ctx.connect(SERVER).call(Ask::Echo(2)).await;
        assert_eq!(refused, Err(Closed::Broken));
        ctx.sleep(Span::from_ms(10)).await;
        assert!(ctx.connect(SERVER).call(Ask::Echo(3)).await.is_ok());
        log.note(&ctx, "again");
    });
    world.kernel.step(&mut world.server, Instant::from_ms(0));
    world.kernel.cut(None, SERVER, Span::from_ms(10));
    world.run();
    assert_eq!(world.server.heard.iter().map(|(_, ask)| *ask).collect::<Vec<_>>(), [3]);
    assert_eq!(world.log.take().len(), 1);
}

#[test]
fn what_is_held_back_arrives_in_order_when_it_is_over() {
    for close in [false, true] {
        // The first is in flight when it begins; the second would arrive just when it ends.
        let mut world = World::new(at(Site::Send, &[9, 15, 0, 3]));
        let (_, ctx) = world.bystander();
        let conn = ctx.connect(SERVER);
        let mut replies = vec![conn.call(Ask::Echo(1))];
        world.pass(5);
        world.kernel.hold(0, SERVER, Instant::from_ms(20));
        replies.push(conn.call(Ask::Echo(2)));
        world.pass(12);
        replies.push(conn.call(Ask::Echo(3)));
        let other = ctx.connect(SERVER);
        replies.push(other.call(Ask::Echo(4)));
        if close {
            conn.close();
        }
        world.pass(19);
        assert_eq!(world.heard(), [0_u32; 0]);
        world.run();
        let mut heard = world.server.heard.clone();
        heard.sort_unstable_by_key(|(_, word)| *word);
        assert_eq!(heard, [(20, 1), (20, 2), (20, 3), (20, 4)]);
        assert_eq!(world.server.closed.len(), usize::from(close));
    }
}

#[test]
fn a_reply_on_its_way_is_held_back_too() {
    let mut world = World::new(at(Site::Reply, &[9]));
    world.boot(|ctx, log| async move {
        assert_eq!(ctx.connect(SERVER).call(Ask::Echo(1)).await, Ok(1));
        log.note(&ctx, "answered");
    });
    world.pass(5);
    world.kernel.hold(0, SERVER, Instant::from_ms(30));
    world.run();
    assert_eq!(world.server.heard, [(0, 1)]);
    assert_eq!(world.log.take(), [(30, "answered")]);
}

#[test]
fn a_range_about_zero_is_right_first_and_has_both_its_ends() {
    use super::super::state::signed;
    let numbers = signed(-2_000, 2_000);
    assert_eq!((numbers.len(), numbers[0]), (16, 0));
    assert!(numbers.is_sorted_by_key(|number| number.abs()));
    assert!(numbers.contains(&-2_000) && numbers.contains(&2_000));
    assert_eq!((signed(5, 20)[0], signed(-20, -5)[0]), (5, -5));
    assert_eq!(signed(i64::MIN, i64::MAX).len(), 16);
}
