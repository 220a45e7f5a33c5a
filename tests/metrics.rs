//! Metrics: that they say what Redis holds, and that those who read them can.
//!
//! The real readers are Prometheus' own `promtool` and the parser of its client for Python. Which of
//! them is not there is said by name.

#[path = "support/mod.rs"]
mod support;

use assert_cmd::Command;
use bootrace::load::load;
use bootrace::sim::bullmq::keys::Keys;
use bootrace::sim::event::QueueId;
use bootrace::sim::metric::Metrics;
use bootrace::sim::policy::Random;
use bootrace::sim::scenario::{METRICS, Metric};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const BEFORE: &str = "scenarios/free-tier-usage/before.toml";
const SILENT: &str = "scenarios/free-tier-usage/killed-mid-add.toml";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        Trial::test("the counts of jobs are what Redis holds", counts_are_redis),
        Trial::test("sums are those of the report", sums_are_the_figures),
        Trial::test("the text keeps to the grammar", the_grammar),
        Trial::test("equal invocations print equal bytes", equal_bytes),
        if_there("promtool", promtool, "promtool judges the alerts as bootrace does", rules),
        if_there("promtool", promtool, "Prometheus takes the text", prometheus_reads),
        if_there("prometheus_client", python, "the parser of the Python client takes it", parses),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that needs something of others.
fn if_there(
    what: &str,
    there: fn() -> Option<PathBuf>,
    name: &str,
    test: fn(&Path) -> Result<(), Failed>,
) -> Trial {
    match there() {
        Some(path) => Trial::test(name, move || test(&path)),
        None => {
            Trial::test(format!("{name}: there is no {what}"), || Ok(())).with_ignored_flag(true)
        }
    }
}

fn promtool() -> Option<PathBuf> {
    let said = std::env::var_os("BOOTRACE_PROMTOOL").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    said.or_else(|| {
        std::env::split_paths(&path).map(|one| one.join("promtool")).find(|one| one.is_file())
    })
}

fn python() -> Option<PathBuf> {
    let mut command = std::process::Command::new("python3");
    let output = command.args(["-c", "import prometheus_client.openmetrics.parser"]).output();
    output.ok().filter(|output| output.status.success()).map(|_| "python3".into())
}

/// Every scenario that comes with bootrace, but those whose runs are orders of messages.
fn counts_are_redis() -> Result<(), Failed> {
    let mut met = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in support::files("scenarios", "toml") {
        let loaded = load(&file).map_err(|error| error.to_string())?;
        let scenario = &loaded.scenario;
        let mut metrics = Metrics::new(scenario);
        let policy = bootrace::explore::policy(scenario, Default::default(), 1);
        let outcome = bootrace::sim::run(scenario, policy, false, &mut metrics);
        for (number, queue) in scenario.queues.iter().enumerate() {
            let keys = Keys::new(QueueId(u16::try_from(number)?), &queue.prefix, &queue.name);
            let redis = &outcome.redis;
            let list = |key| redis.llen(key).unwrap_or(0);
            let set = |key| redis.zcard(key).unwrap_or(0);
            let held = BTreeMap::from([
                ("active", list(&keys.active)),
                ("completed", set(&keys.completed)),
                ("delayed", set(&keys.delayed)),
                ("failed", set(&keys.failed)),
                ("waiting", list(&keys.wait) + list(&keys.paused) + set(&keys.prioritized)),
            ]);
            let mut said: BTreeMap<&str, usize> = held.keys().map(|state| (*state, 0)).collect();
            for series in metrics.series().iter().filter(|one| one.metric == Metric::JobCount) {
                let [(_, of), (_, state)] = &series.labels[..] else { panic!("two labels") };
                let state = match &**state {
                    "paused" | "prioritized" => "waiting",
                    "waiting-children" => continue,
                    state => state,
                };
                if **of == *queue.name {
                    *said.get_mut(state).expect("a state") +=
                        usize::try_from(metrics.value(series))?;
                }
            }
            if said != held {
                wrong.push(format!("{}: {said:?}, Redis holds {held:?}", support::named(&file)));
            }
            met.extend(held.iter().filter(|(_, count)| **count > 0).map(|(state, _)| *state));
        }
    }
    if met.len() < 5 {
        return Err(format!("only {met:?} were ever met").into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn sums_are_the_figures() -> Result<(), Failed> {
    let loaded = load(&support::root().join(BEFORE)).map_err(|error| error.to_string())?;
    let mut metrics = Metrics::new(&loaded.scenario);
    let policy = Box::new(Random::new(7));
    let outcome = bootrace::sim::run(&loaded.scenario, policy, false, &mut metrics);
    let figures = outcome.verdict.figures;
    let sum = |metric| {
        let of = metrics.series().iter().filter(|one| one.metric == metric);
        of.map(|one| metrics.value(one)).sum::<u64>()
    };
    assert_eq!(metrics.work(0), figures.schedules[0]);
    assert_eq!(sum(Metric::Executions), figures.total.executions);
    assert_eq!(sum(Metric::Rows), figures.total.rows);
    assert_eq!(sum(Metric::Completed), figures.completed);
    // All of them belong to the one tick with which the run begins.
    assert_eq!(sum(Metric::ExtraFirings), figures.total.firings - 1);
    // Nobody has said which life is whose.
    assert_eq!(sum(Metric::Boots), 0);
    Ok(())
}

fn bootrace(arguments: &[&str]) -> String {
    let mut command = Command::cargo_bin("bootrace").expect("it is built");
    let output = command.current_dir(support::root()).args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

fn openmetrics() -> String {
    bootrace(&["metrics", BEFORE, "--seed", "7", "--step", "1m"])
}

/// What the format asks for that its readers might let pass.
fn the_grammar() -> Result<(), Failed> {
    let text = openmetrics();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.last(), Some(&"# EOF"));
    let mut family = "";
    let (mut families, mut samples) = (Vec::new(), BTreeMap::<&str, Vec<(f64, f64)>>::new());
    for line in &lines[..lines.len() - 1] {
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.split(' ');
            let (key, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            match key {
                "HELP" => {
                    assert!(!families.contains(&name), "{name} comes twice");
                    families.push(name);
                    family = name;
                }
                "TYPE" => assert_eq!(name, family),
                "UNIT" => assert!(name == family && name.ends_with(words.next().unwrap_or("?"))),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, rest) = line.split_once("} ").ok_or("a sample has labels")?;
        assert!(series.starts_with(family), "{series} stands below {family}");
        let (value, at) = rest.split_once(' ').ok_or("a sample has an instant")?;
        samples.entry(series).or_default().push((at.parse()?, value.parse()?));
    }
    assert_eq!(families.len(), METRICS.len());
    for (series, points) in &samples {
        assert_eq!(points.len(), 20, "{series}");
        assert!(points.is_sorted_by(|one, next| one.0 < next.0), "{series}");
        let counts =
            ["_total{", "_bucket{", "_count{", "_sum{"].iter().any(|end| series.contains(end));
        let counter = counts && !series.starts_with("bullmq_job_count{");
        assert!(!counter || points.is_sorted_by(|one, next| one.1 <= next.1), "{series}");
    }
    let boots =
        samples["bootrace_boots_total{service=\"worker\""].last().expect("it has samples").1;
    assert_eq!(boots, 12.0);
    Ok(())
}

fn equal_bytes() -> Result<(), Failed> {
    let promtool = || bootrace(&["metrics", BEFORE, "--format", "promtool", "--alerts"]);
    assert_eq!(promtool(), promtool());
    assert_eq!(openmetrics(), openmetrics());
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("it can be made");
    folder
}

fn run(command: &mut std::process::Command) -> Result<String, Failed> {
    let output = command.output()?;
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { Ok(said) } else { Err(said.into()) }
}

/// The rules in PromQL, judged by Prometheus over the same series, ring when ours do, and when ours do
/// not they do not.
fn rules(promtool: &Path) -> Result<(), Failed> {
    let mut rang = 0;
    for (file, seed) in [(BEFORE, "1"), (BEFORE, "2"), (SILENT, "1"), (SILENT, "2")] {
        let folder = folder("rules");
        let rules = bootrace(&["alerts", file, "--format", "prometheus"]);
        fs::write(folder.join("alerts.yml"), rules)?;
        let test = bootrace(&["metrics", file, "--seed", seed, "--format", "promtool", "--alerts"]);
        rang += test.matches("exp_labels").count();
        fs::write(folder.join("test.yml"), test)?;
        let said = run(std::process::Command::new(promtool)
            .args(["test", "rules", "test.yml"])
            .current_dir(&folder))?;
        assert!(said.contains("SUCCESS"), "{said}");
    }
    assert!(rang > 0, "something rings in one of them");
    Ok(())
}

fn prometheus_reads(promtool: &Path) -> Result<(), Failed> {
    let folder = folder("text");
    fs::write(folder.join("metrics.txt"), openmetrics())?;
    let command = ["tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "data"];
    run(std::process::Command::new(promtool).args(command).current_dir(&folder))?;
    let blocks = fs::read_dir(folder.join("data"))?.count();
    assert!(blocks > 0);
    Ok(())
}

fn parses(python: &Path) -> Result<(), Failed> {
    let folder = folder("python");
    // It loses samples of a histogram that has more than one instant, so it gets the last one alone.
    let text = openmetrics();
    let last =
        text.lines().rev().nth(1).and_then(|line| line.rsplit(' ').next()).ok_or("no sample")?;
    let kept = text.lines().filter(|line| line.starts_with('#') || line.ends_with(last));
    let text: String = kept.map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("metrics.txt"), text)?;
    let program = "
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
families = list(read(open('metrics.txt').read()))
print(len(families), sum(len(family.samples) for family in families))
";
    let said = run(std::process::Command::new(python).args(["-c", program]).current_dir(&folder))?;
    let families = said.split(' ').next().and_then(|count| count.parse().ok());
    assert_eq!(families, Some(METRICS.len()), "{said}");
    Ok(())
}
