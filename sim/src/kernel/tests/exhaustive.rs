//! Every order of what processes send, counted: against closed forms, and with and without the
//! reduction of orders that nobody could tell apart.

use crate::choices::{Access, Choices, Label, LifeId, LifeName, Odds, Site};
use crate::civil::Zone;
use crate::clock::{Clock, Instant, Span};
use crate::event::{ReleaseId, ServerId};
use crate::kernel::{Boot, ConnId, Ctx, Kernel, Link, Out, Servers, Step};
use crate::policy::{Exhaustive, Progress};
use std::collections::BTreeSet;
use std::rc::Rc;

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
    processes: u32,
    steps: usize,
    deaths: Vec<(LifeId, u32)>,
    tells: bool,
) -> (Progress, BTreeSet<[u64; 2]>) {
    let search = Exhaustive::new(deaths).begin();
    let choices = Choices::new(search.policy(), vec!["set".into()]);
    let link = Link::new(Span::ZERO, Span::ZERO);
    let mut kernel = Kernel::new(Instant::default(), vec![vec![link]], choices);
    kernel.without_time();
    let mut ends = BTreeSet::new();
    loop {
        let mut cells = Cells { tells, ..Cells::default() };
        play(&mut kernel, &mut cells, processes, steps);
        if search.counts() {
            ends.insert(cells.values);
        }
        if !search.next() {
            return (search.progress(), ends);
        }
        kernel.again(Instant::default());
    }
}

/// One run.
fn play(kernel: &mut Kernel<Cells>, cells: &mut Cells, processes: u32, steps: usize) {
    let service: Rc<str> = "p".into();
    for process in 0..processes {
        let name = LifeName { service: service.clone(), ordinal: process + 1, life: 1 };
        let life = kernel.choices().enter(name);
        let odds = Odds::Fault { of_2_32: 0 };
        let point = kernel.choices().ask(life, Site::Kill, Label(0), steps as u32 + 2, odds);
        let boot = Boot {
            life,
            release: ReleaseId(0),
            clock: Clock::default(),
            zone: Zone::utc(),
            network: 0,
            dies_at: (point > 0).then_some(point),
        };
        kernel.boot(boot, |ctx| counts(ctx, u64::from(process), steps));
    }
    while !matches!(kernel.step(cells, Instant::MAX), Step::Idle | Step::Stopped) {}
    kernel.tell_lives();
    kernel.drain(|_, _| ());
}

/// In how many orders sequences of so many steps can be merged.
fn merged(processes: u64, steps: u64) -> u64 {
    let choose = |n: u64, k: u64| (1..=k).fold(1, |product, i| product * (n - k + i) / i);
    (1..=processes).map(|process| choose(process * steps, steps)).product()
}

#[test]
fn orders_are_counted() {
    for (processes, steps, distinct) in [(2, 4, 26), (3, 4, 3_606)] {
        let (whole, all) = search(processes, steps, Vec::new(), false);
        let (reduced, seen) = search(processes, steps, Vec::new(), true);
        assert_eq!((whole.orders, whole.abandoned), (merged(processes.into(), steps as u64), 0));
        assert_eq!(reduced.orders, distinct);
        assert_eq!(all, seen);
    }
    assert_eq!((merged(2, 4), merged(3, 4), merged(3, 6)), (70, 34_650, 17_153_136));
}

/// A life dies with its first so many steps done: at each place but after the last, where nobody could
/// tell.
fn with_at_most_one_death(processes: u32, steps: usize) -> u64 {
    let mut orders = search(processes, steps, Vec::new(), true).0.orders;
    for life in (1..=processes).map(LifeId) {
        for point in 1..=steps as u32 {
            orders += search(processes, steps, vec![(life, point)], true).0.orders;
        }
    }
    orders
}

#[test]
fn orders_with_a_kill_are_counted() {
    assert_eq!(with_at_most_one_death(3, 4), 9_336);
}

#[test]
fn the_orders_of_three_processes_that_take_six_steps() {
    assert_eq!(search(3, 6, Vec::new(), true).0.orders, 477_540);
}

#[test]
fn the_same_with_a_kill() {
    assert_eq!(with_at_most_one_death(3, 6), 1_273_374);
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

/// A search that is cut in two again and again plays the same orders.
#[test]
fn the_parts_of_a_search_are_the_whole() {
    let mut parts = vec![Exhaustive::new(Vec::new())];
    let (mut orders, mut played) = (0, 0);
    while let Some(part) = parts.pop() {
        let search = part.begin();
        let choices = Choices::new(search.policy(), vec!["set".into()]);
        let link = Link::new(Span::ZERO, Span::ZERO);
        let mut kernel = Kernel::new(Instant::default(), vec![vec![link]], choices);
        kernel.without_time();
        let mut more = true;
        for _ in 0..50 {
            play(&mut kernel, &mut Cells { tells: true, ..Cells::default() }, 3, 4);
            more = search.next();
            if !more {
                break;
            }
            kernel.again(Instant::default());
        }
        drop(kernel);
        orders += search.progress().orders;
        played += 1;
        if more {
            let (one, other) = search.rest();
            parts.push(one);
            parts.extend(other);
        }
    }
    assert_eq!(orders, 3_606);
    assert!(played > 50, "{played}");
}
