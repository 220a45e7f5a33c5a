//! Every order of what processes send, counted: against closed forms, and with and without the
//! reduction of orders that nobody could tell apart.

use crate::choices::{Access, Choices, Label, LifeId, LifeName, Odds, Site};
use crate::civil::Zone;
use crate::clock::{Clock, Instant, Span};
use crate::event::{ReleaseId, Rolling, ServerId};
use crate::kernel::{Boot, ConnId, Ctx, Kernel, Link, Out, Servers, Step};
use crate::policy::{Exhaustive, Progress};
use std::collections::BTreeSet;

/// Two numbers, and who may change them: v = 3 v + p + 1, so that the last values tell the order.
#[derive(Default)]
struct Cells {
    values: [u64; 2],
    /// Whether it says which it touches; else every request conflicts with every other.
    tells: bool,
}

impl Servers for Cells {
    type Request = (usize, u64);
    type Reply = ();

    fn label(_: &Self::Request) -> Label {
        Label(0)
    }

    fn request(&mut self, conn: ConnId, (cell, by): (usize, u64), out: &mut Out<()>) -> bool {
        self.values[cell] = 3 * self.values[cell] + by;
        out.touch(if self.tells { cell as u64 } else { 0 }, Access::Write);
        out.reply(conn, ());
        true
    }

    fn opened(&mut self, _: ConnId, _: ServerId) {}

    fn closed(&mut self, _: ConnId, _: &mut Out<()>) {}

    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn expire(&mut self, _: &mut Out<()>) {}
}

async fn counts(ctx: Ctx<Cells>, process: u64, steps: usize) {
    let conn = ctx.connect(ServerId(0));
    for step in 0..steps {
        conn.call((step % 2, process + 1)).await.expect("nothing closes it");
    }
}

/// Plays every order of processes that take so many steps each; the last values of all of them.
fn search(
    processes: u64,
    steps: usize,
    kills: Vec<(LifeId, u32)>,
    tells: bool,
) -> (Progress, BTreeSet<[u64; 2]>) {
    let search = Exhaustive::new(kills).begin();
    let mut ends = BTreeSet::new();
    loop {
        let mut cells = Cells { tells, ..Cells::default() };
        let mut hash = Rolling::default();
        let choices = Choices::new(search.policy(), vec!["set".into()]);
        let link = Link::new(Span::ZERO, Span::ZERO);
        let mut kernel = Kernel::new(Instant::default(), vec![vec![link]], choices);
        kernel.without_time();
        for process in 0..processes {
            let name = LifeName { service: "p".into(), ordinal: process as u32 + 1, life: 1 };
            let life = kernel.choices().enter(name);
            let odds = Odds::Fault { of_2_32: 0 };
            let bound = steps as u32 + 2;
            let point = kernel.choices().ask(life, Site::Kill, Label(0), bound, odds);
            let boot = Boot {
                life,
                release: ReleaseId(0),
                clock: Clock::default(),
                zone: Zone::utc(),
                network: 0,
                dies_at: (point > 0).then_some(point),
            };
            kernel.boot(boot, |ctx| counts(ctx, process, steps));
        }
        while !matches!(kernel.step(&mut cells, Instant::MAX), Step::Idle | Step::Stopped) {}
        kernel.tell_lives();
        kernel.drain(|stamp, event| hash.roll(stamp, event));
        if search.counts() {
            ends.insert(cells.values);
        }
        if !search.next() {
            return (search.progress(), ends);
        }
    }
}

#[test]
fn orders_are_counted() {
    let (whole, all) = search(2, 4, Vec::new(), false);
    let (reduced, seen) = search(2, 4, Vec::new(), true);
    assert_eq!((whole.orders, whole.abandoned), (70, 0));
    assert_eq!(reduced.orders, 26);
    assert_eq!(all, seen);
    let (reduced, seen) = search(3, 4, Vec::new(), true);
    let (whole, all) = search(3, 4, Vec::new(), false);
    assert_eq!((whole.orders, whole.abandoned, reduced.orders), (34_650, 0, 3_606));
    assert_eq!(all, seen);
}

#[test]
fn orders_with_a_kill_are_counted() {
    let mut orders = search(3, 4, Vec::new(), true).0.orders;
    for (life, point) in (1..=3).flat_map(|life| (1..=4).map(move |point| (LifeId(life), point))) {
        orders += search(3, 4, vec![(life, point)], true).0.orders;
    }
    assert_eq!(orders, 9_336);
}

/// Where a life dies at a point that it never comes to, or never boots, nothing counts.
#[test]
fn a_kill_that_is_not_reached_is_no_order() {
    for kill in [(LifeId(1), 3), (LifeId(3), 1)] {
        let (progress, ends) = search(2, 2, vec![kill], true);
        assert_eq!((progress.orders, ends.len()), (0, 0), "{kill:?}");
        assert!(progress.abandoned > 0);
    }
}
