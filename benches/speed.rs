//! How fast bootrace is, on one core: the kernel alone, a run of the incident, a day of its fleet,
//! the Redis server without a socket.
//!
//! Times are shown and never judged: a machine that others use too says nothing that may fail a
//! build. Beside criterion's figures stand those that the design has bounds for: nanoseconds a
//! message, nanoseconds a Redis command, runs a second.

use bootrace::search::{Bounds, Searched, bounded, search_runs};
use bootrace::{Container, Fleet};
use bootrace_sim::choices::{Access, Choices, Label, LifeName};
use bootrace_sim::civil::Zone;
use bootrace_sim::clock::{Clock, Instant, Span};
use bootrace_sim::event::{Event, ReleaseId, Rolling, ServerId, Sink, Stamp};
use bootrace_sim::kernel::{Boot, ConnId, Ctx, Kernel, Link, Out, Servers, Step};
use bootrace_sim::policy::{Exhaustive, Progress, Random};
use bootrace_sim::redis::{Bytes, ClientId, Redis, Reply, SetOptions};
use bootrace_sim::run;
use bootrace_sim::scenario::{self, Scenario};
use bootrace_sim::servers::REDIS;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use std::hash::Hasher;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: u32 = 12;
const CALLS: u64 = 200;

/// Requests and replies of one run of the kernel alone.
const MESSAGES: u64 = 2 * CLIENTS as u64 * CALLS;

/// How many events are handed over at once, as in a whole run.
const BATCH: usize = 64;

/// How many seeds are taken in turn.
const SEEDS: u64 = 20;

const INCIDENT: &str = include_str!("../scenarios/free-tier-usage/before.toml");

/// Gives back what it gets.
struct Echo;

impl Servers for Echo {
    type Request = u64;
    type Reply = u64;

    fn label(_: &u64) -> Label {
        Label(0)
    }

    fn request(&mut self, conn: ConnId, request: u64, out: &mut Out<u64>) -> bool {
        out.reply(conn, request);
        false
    }

    fn opened(&mut self, _: ConnId, _: ServerId) {}

    fn closed(&mut self, _: ConnId, _: &mut Out<u64>) {}

    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn expire(&mut self, _: &mut Out<u64>) {}
}

async fn client(ctx: Ctx<Echo>) {
    let conn = ctx.connect(ServerId(0));
    for value in 0..CALLS {
        let reply = conn.call(value).await;
        assert_eq!(reply, Ok(value), "an echo");
    }
}

/// One run of the kernel alone, its choices recorded; `see` gets the events.
fn echo(seed: u64, mut see: impl FnMut(&Stamp, &Event)) {
    let choices = Choices::new(Box::new(Random::new(seed)), vec!["echo".into()]);
    let link = Link::new(Span::from_nanos(100_000), Span::from_nanos(500_000));
    let mut kernel = Kernel::new(Instant::default(), vec![vec![link]], choices);
    for ordinal in 1..=CLIENTS {
        let name = LifeName { service: "client".into(), ordinal, life: 1 };
        let boot = Boot {
            life: kernel.choices().enter(name),
            release: ReleaseId(0),
            clock: Clock::default(),
            zone: Zone::utc(),
            network: 0,
            dies_at: None,
        };
        kernel.boot(boot, client);
    }
    while kernel.step(&mut Echo, Instant::MAX) != Step::Idle {
        if kernel.events() >= BATCH {
            kernel.drain(&mut see);
        }
    }
    kernel.drain(see);
    black_box(kernel.choices().take_tape());
}

fn kernel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(MESSAGES));
    bench(&mut group, "choices recorded", "message", |seed| {
        echo(seed, |_, _| ());
        MESSAGES
    });
    bench(&mut group, "choices recorded, events hashed", "message", |seed| {
        let mut hash = Rolling::default();
        echo(seed, |stamp, event| hash.roll(stamp, event));
        black_box(hash.finish());
        MESSAGES
    });
    group.finish();
}

/// Two numbers, each changed by every other step of a process.
#[derive(Default)]
struct Cells([u64; 2]);

impl Servers for Cells {
    type Request = (usize, u64);
    type Reply = ();

    fn label(_: &(usize, u64)) -> Label {
        Label(0)
    }

    fn request(&mut self, conn: ConnId, (cell, by): (usize, u64), out: &mut Out<()>) -> bool {
        self.0[cell] = 3 * self.0[cell] + by;
        out.touch(cell as u64, Access::Write);
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

/// Every distinct order of three processes that take six steps each, with the tape of each; `see` gets
/// the events. How many there are, and how many runs were given up.
fn orders(mut see: impl FnMut(&Stamp, &Event)) -> Progress {
    let search = Exhaustive::new(Vec::new()).begin();
    let choices = Choices::new(search.policy(), vec!["set".into()]);
    let link = Link::new(Span::ZERO, Span::ZERO);
    let mut kernel = Kernel::new(Instant::default(), vec![vec![link]], choices);
    kernel.without_time();
    let service: Rc<str> = "p".into();
    loop {
        for process in 0..3 {
            let name = LifeName { service: service.clone(), ordinal: process + 1, life: 1 };
            let boot = Boot {
                life: kernel.choices().enter(name),
                release: ReleaseId(0),
                clock: Clock::default(),
                zone: Zone::utc(),
                network: 0,
                dies_at: None,
            };
            kernel.boot(boot, |ctx: Ctx<Cells>| async move {
                let conn = ctx.connect(ServerId(0));
                for step in 0..6 {
                    let set = conn.call((step % 2, u64::from(process) + 1));
                    set.await.expect("nothing closes it");
                }
            });
        }
        let mut cells = Cells::default();
        while !matches!(kernel.step(&mut cells, Instant::MAX), Step::Idle | Step::Stopped) {}
        black_box(cells.0);
        kernel.drain(&mut see);
        if !search.next() {
            return search.progress();
        }
        kernel.again(Instant::default());
    }
}

/// The same workload as containers beside the model of Redis, by the search that the command line has:
/// orders are counted, and what follows a state is played once. Runs are hashed and judged as ever.
fn counted(kills: u32) -> Searched {
    let mut fleet =
        Fleet::new("count").length(Duration::from_secs(60)).calm(Duration::from_secs(1));
    for process in 0..3 {
        let sets = move |ctx: bootrace::Ctx| async move {
            let redis = ctx.redis();
            for step in 0..6 {
                let value = (3 * step + process + 1).to_string();
                redis.set(["a", "b"][step % 2], value, SetOptions::default()).await?;
            }
            Ok(())
        };
        let container = Container::new(format!("p{process}"), sets);
        fleet = fleet.container(container.restart(scenario::Restart::Never));
    }
    *fleet.scenario_mut() = bounded(fleet.scenario(), kills);
    let play = move |policy| fleet.play(policy, &mut ()).outcome;
    search_runs(play, Bounds { kills, ..Bounds::default() }, 1, &mut ()).0
}

/// Searches take seconds: each is played a few times, and the quickest is shown.
fn searches(quick: bool) {
    let measure = |name: &str, search: &mut dyn FnMut() -> Progress| {
        let mut best = Duration::MAX;
        let mut found = Progress::default();
        for _ in 0..if quick { 1 } else { 3 } {
            let start = std::time::Instant::now();
            found = search();
            best = best.min(start.elapsed());
        }
        let Progress { orders, abandoned, .. } = found;
        let seconds = best.as_secs_f64();
        println!("search/{name}: {orders} orders, {abandoned} runs given up, {seconds:.2} s");
    };
    for kills in [0, 1] {
        let start = std::time::Instant::now();
        let Searched { states, runs, abandoned, .. } = &counted(kills);
        let (orders, seconds) = (counted(kills).orders(), start.elapsed().as_secs_f64() / 2.0);
        println!(
            "search/states compared, {kills} kills: {orders} orders, {states} states, {runs} runs, \
             {abandoned} given up, {seconds:.2} s"
        );
    }
    measure("tapes recorded", &mut || orders(|_, _| ()));
    measure("tapes recorded, events hashed", &mut || {
        let mut hash = Rolling::default();
        let found = orders(|stamp, event| hash.roll(stamp, event));
        black_box(hash.finish());
        found
    });
}

/// Counts the commands that Redis executes.
#[derive(Default)]
struct Commands(u64);

impl Sink for Commands {
    fn event(&mut self, _: &Stamp, event: &Event) {
        self.0 += u64::from(matches!(event, Event::Command { server: REDIS, .. }));
    }
}

/// A whole run with everything on: choices recorded, every event hashed and shown to the oracles.
/// Returns how many commands Redis executed.
fn whole(scenario: &Arc<Scenario>, seed: u64) -> u64 {
    let mut commands = Commands::default();
    black_box(run(scenario, Box::new(Random::new(seed)), true, &mut commands));
    commands.0
}

/// The incident's scenario, a day long.
fn day() -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key, _)) if key.trim_end() == "length" => "length = \"24h\"\n".to_owned(),
        Some((key, _)) if key.trim_end() == "measure" => "measure = [\"0s\", \"24h\"]\n".to_owned(),
        _ => format!("{line}\n"),
    };
    INCIDENT.lines().map(line).collect()
}

fn fleet(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fleet");
    for (name, text) in [("incident", INCIDENT), ("day", &day())] {
        let (scenario, _) = scenario::parse(text).expect("the scenario is good");
        let scenario = Arc::new(scenario);
        bench(&mut group, name, "Redis command", |seed| whole(&scenario, seed));
    }
    group.finish();
}

/// How many keys the commands on the Redis server are about, each once in a run.
const KEYS: u64 = 10_000;

/// Sends the Redis server a command for each key, as words from a socket; `expected` is answered.
fn commands(redis: &mut Redis, commands: &[Vec<Bytes>], expected: &Reply) -> u64 {
    let now = Instant::from_ms(1_000_000);
    for args in commands {
        let reply = redis.request(ClientId(0), args, now);
        assert_eq!(reply.as_ref(), Some(expected), "what the command answers");
    }
    commands.len() as u64
}

fn redis(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("redis");
    group.throughput(Throughput::Elements(KEYS));
    let for_each_key = |words: &[&str]| -> Vec<Vec<Bytes>> {
        let word = |word: &str, key: u64| Bytes::from(word.replace("{key}", &key.to_string()));
        (0..KEYS).map(|key| words.iter().map(|text| word(text, key)).collect()).collect()
    };
    let script = "return redis.call('SET', KEYS[1], ARGV[1])";
    for (name, words, expected) in [
        ("SET", &["SET", "key:{key}", "value"][..], Reply::OK),
        ("GET", &["GET", "key:{key}"], Reply::Bulk("value".into())),
        ("EVAL", &["EVAL", script, "1", "key:{key}", "value"], Reply::OK),
    ] {
        let all = for_each_key(words);
        let server = std::cell::RefCell::new(Redis::new());
        commands(
            &mut server.borrow_mut(),
            &for_each_key(&["SET", "key:{key}", "value"]),
            &Reply::OK,
        );
        bench(&mut group, name, "command", |_| commands(&mut server.borrow_mut(), &all, &expected));
    }
    group.finish();
}

/// What one sample came to.
struct Sample {
    runs: u64,
    done: u64,
    took: Duration,
}

/// Measures `run`, which plays a seed and returns how many things it did. Prints what criterion does
/// not: how many there are in a run, the time for each, and runs a second.
fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    thing: &str,
    run: impl Fn(u64) -> u64,
) {
    let mut samples = Vec::new();
    let mut seeds = (1..=SEEDS).cycle();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|runs| {
            let start = std::time::Instant::now();
            let done = seeds.by_ref().take(runs as usize).map(&run).sum();
            let took = start.elapsed();
            samples.push(Sample { runs, done, took });
            took
        });
    });
    // Nothing if the benchmark was filtered out.
    let Some(thing_ns) = median(&samples, |sample| sample.done) else { return };
    let Some(run_ns) = median(&samples, |sample| sample.runs) else { return };
    let sum = |of: fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>() as f64;
    let things = sum(|sample| sample.done) / sum(|sample| sample.runs);
    let rate = 1e9 / run_ns;
    println!("    {thing_ns:.0} ns a {thing}, {things:.0} {thing}s a run, {rate:.0} runs a second");
}

/// The median of the samples' nanoseconds for each of what they count.
fn median(samples: &[Sample], count: fn(&Sample) -> u64) -> Option<f64> {
    let each = |sample: &Sample| sample.took.as_nanos() as f64 / count(sample) as f64;
    let mut each: Vec<f64> = samples.iter().map(each).collect();
    each.sort_by(f64::total_cmp);
    each.get(each.len() / 2).copied()
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    kernel(&mut criterion);
    fleet(&mut criterion);
    redis(&mut criterion);
    // What is not criterion's is played unless other benchmarks are asked for.
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if asked.is_empty() || asked.iter().any(|word| word == "search") {
        searches(std::env::args().any(|word| word == "--test"));
    }
    criterion.final_summary();
}
