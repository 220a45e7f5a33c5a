//! How fast bootrace is, on one core: the kernel alone, a run of the incident, a day of its fleet.
//!
//! Times are shown and never judged: a machine that others use too says nothing that may fail a
//! build. Beside criterion's figures stand those that the design has bounds for: nanoseconds a
//! message, nanoseconds a Redis command, runs a second.

use bootrace_sim::choices::{Choices, Label, LifeName};
use bootrace_sim::civil::Zone;
use bootrace_sim::clock::{Clock, Instant, Span};
use bootrace_sim::event::{Event, ReleaseId, Rolling, ServerId, Sink, Stamp};
use bootrace_sim::kernel::{Boot, ConnId, Ctx, Kernel, Link, Out, Servers, Step};
use bootrace_sim::policy::Random;
use bootrace_sim::run;
use bootrace_sim::scenario::{self, Scenario};
use bootrace_sim::servers::REDIS;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use std::hash::Hasher;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const CLIENTS: u32 = 12;
const CALLS: u64 = 200;

/// Requests and replies of one run of the kernel alone.
const MESSAGES: u64 = 2 * CLIENTS as u64 * CALLS;

/// How many events are handed over at once, as in a whole run.
const BATCH: usize = 64;

/// The seeds that whole runs take in turn.
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
fn echo(seed: u64, mut see: impl FnMut(&Stamp, &Event)) -> usize {
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
    kernel.choices().take_tape().choices.len()
}

fn kernel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(MESSAGES));
    let dropped = |seed| echo(seed, |_, _| ());
    bench(&mut group, "choices recorded", "message", &[MESSAGES], dropped);
    let hashed = |seed| {
        let mut hash = Rolling::default();
        echo(seed, |stamp, event| hash.roll(stamp, event));
        hash.finish()
    };
    bench(&mut group, "choices recorded, events hashed", "message", &[MESSAGES], hashed);
    group.finish();
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
fn whole(scenario: &Arc<Scenario>, seed: u64, sink: &mut dyn Sink) -> u64 {
    run(scenario, Box::new(Random::new(seed)), true, sink).hash
}

fn parse(text: &str) -> Arc<Scenario> {
    let (scenario, _) = scenario::parse(text).expect("the scenario is good");
    Arc::new(scenario)
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

fn fleet(criterion: &mut Criterion, name: &str, text: &str, seeds: u64) {
    let scenario = parse(text);
    let commands = |seed| {
        let mut commands = Commands::default();
        whole(&scenario, seed, &mut commands);
        commands.0
    };
    let commands: Vec<u64> = (1..=seeds).map(commands).collect();
    let mut group = criterion.benchmark_group("fleet");
    group.throughput(Throughput::Elements(commands.iter().sum::<u64>() / seeds));
    bench(&mut group, name, "Redis command", &commands, |seed| whole(&scenario, seed, &mut ()));
    group.finish();
}

/// Measures a run, and prints what criterion does not: time for each of what it does, and runs a
/// second. `does[n]` is how many the run of seed `n + 1` does; the seeds are taken in turn.
fn bench<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    what: &str,
    does: &[u64],
    mut run: impl FnMut(u64) -> T,
) {
    let mut samples: Vec<(f64, f64)> = Vec::new();
    let mut turn = 0;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|runs| {
            let mut done = 0;
            let start = std::time::Instant::now();
            for _ in 0..runs {
                let seed = turn % does.len();
                turn += 1;
                black_box(run(seed as u64 + 1));
                done += does[seed];
            }
            let took = start.elapsed();
            let nanos = took.as_nanos() as f64;
            samples.push((nanos / done as f64, runs as f64 / took.as_secs_f64()));
            took
        });
    });
    // None if the benchmark was filtered out.
    let each = median(samples.iter().map(|sample| sample.0));
    let rate = median(samples.iter().map(|sample| sample.1));
    if let (Some(each), Some(rate)) = (each, rate) {
        let does = does.iter().sum::<u64>() / does.len() as u64;
        println!("    {does} {what}s a run, {each:.0} ns a {what}, {rate:.0} runs a second");
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    kernel(&mut criterion);
    fleet(&mut criterion, "the incident", INCIDENT, SEEDS);
    fleet(&mut criterion, "a day", &day(), 1);
    criterion.final_summary();
}
