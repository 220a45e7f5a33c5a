//! From a case to a scenario: the text of a scenario file, and that through the parser.
//!
//! It is mechanical: one service for each process, one release for each variant. What the parser
//! says that it does not model, it says; nothing here knows a case by its name.

use super::case::{Case, Death, Life, strange};
use bootrace_sim::scenario::{Diagnostic, Scenario, parse, print};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// The base of all recorded times, as an instant that every alignment of the cases divides.
const START: &str = "2026-01-05T00:00:00Z";

/// How fast the machine was, in milliseconds: least and most.
pub(crate) struct Pace {
    /// From a process's planned start to its start-up code, but for the connection's round trips.
    pub(crate) lag: (i64, i64),
    /// From the end of its start-up code to its worker's first fetch, over what the round trips
    /// take: Node loads and compiles the worker then.
    pub(crate) worker: (i64, i64),
    /// What a step of start-up code takes over its round trips, if that was noted.
    pub(crate) step: Option<(i64, i64)>,
    /// A round trip, as the scenario format says it.
    pub(crate) round_trip: &'static str,
}

/// What a process waits whose round trips are counted, as the recorder's does.
const COUNTED_WAIT_MS: i64 = 150;

/// What the parser says where the model is behind the cases: not yet, a job id that BullMQ refuses,
/// a cron pattern that it refuses, a version.
const BEHIND: [&str; 4] = ["BR008", "BR022", "BR028", "BR030"];

/// A case that can be played.
pub(crate) struct Played {
    pub(crate) scenario: Arc<Scenario>,
    /// Which process each service stands for.
    pub(crate) lives: BTreeMap<String, Life>,
}

/// The scenario of a case, or why there is none.
pub(crate) fn convert(case: &Case, pace: &Pace) -> Result<Played, String> {
    let lives = case.lives()?;
    let text = text(case, pace, &lives)?;
    match parse(&text) {
        Ok((scenario, _)) => {
            // A printed scenario is the same one, but for where its expectations stand.
            let printed = print(&scenario);
            let again = parse(&printed).expect("what is printed is a scenario").0;
            assert_eq!(print(&again), printed);
            let lives = lives.into_iter().map(|life| (service(&life), life)).collect();
            Ok(Played { scenario: Arc::new(scenario), lives })
        }
        Err(problems) => Err(behind(&problems, &text)),
    }
}

/// The first reason, if all that is wrong is that the model is behind.
///
/// # Panics
/// If there is anything else: the conversion is wrong.
fn behind(problems: &[Diagnostic], text: &str) -> String {
    let other = problems.iter().find(|problem| !BEHIND.contains(&problem.code));
    assert!(other.is_none(), "the conversion is wrong: {problems:#?}\n{text}");
    problems.first().map(|problem| problem.message.clone()).unwrap_or_default()
}

/// The name of the service that a process is.
fn service(life: &Life) -> String {
    format!("{}-life{}", life.container, life.number)
}

fn release(life: &Life) -> String {
    let counted = if life.counted { "-counted" } else { "" };
    format!("{}-{}{counted}", life.variant, life.version)
}

fn text(case: &Case, pace: &Pace, lives: &[Life]) -> Result<String, String> {
    if case.scenario["redisActions"].as_array().is_some_and(|actions| !actions.is_empty()) {
        return Err("something happens to Redis itself".to_owned());
    }
    let queue = case.scenario["queue"]["name"].as_str().unwrap_or("q");
    let length = case.phase() + case.observed();
    let mut text = format!(
        "format = 1\nname = {}\nstart = {START}\nlength = \"{length}ms\"\n\n\
         [network]\nround_trip = \"{}\"\n\n[queue.{queue}]\n",
        quoted(&case.name),
        pace.round_trip,
    );
    let defaults = options(&case.scenario["queue"]["defaultJobOptions"])?;
    line(&mut text, &format!("default_job_options = {{ {} }}", defaults.join(", ")));
    // A file must judge something; what is compared here is more than any expectation says.
    line(
        &mut text,
        &format!(
            "\n[schedule.any]\nevery = \"1h\"\nqueue = \"{queue}\"\njob = \"any\"\n\n[[expect]]\n\
             always = \"firings per window\"\nat_most = 1000000\n"
        ),
    );
    jobs(&mut text, case)?;
    releases(&mut text, case, pace, lives, queue)?;
    services(&mut text, case, pace, lives);
    Ok(text)
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The names of all jobs that anything in the case adds.
fn job_names(case: &Case) -> Vec<String> {
    let variants = case.scenario["variants"].as_object().into_iter().flatten();
    let actions =
        variants.flat_map(|(_, variant)| variant["startup"].as_array().into_iter().flatten());
    let adds = actions.filter(|action| {
        matches!(action["do"].as_str(), Some("add" | "addMany" | "upsertJobScheduler"))
    });
    let mut names: Vec<String> =
        adds.filter_map(|action| action["name"].as_str()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// What the workers of all variants do with a job, if they agree.
fn jobs(text: &mut String, case: &Case) -> Result<(), String> {
    for name in job_names(case) {
        let variants = case.scenario["variants"].as_object().into_iter().flatten();
        let working = variants.filter(|(_, variant)| !variant["worker"].is_null());
        let mut handlers: Vec<Value> =
            working.map(|(_, variant)| handler(variant, &name)).collect();
        handlers.dedup();
        let handler = match handlers.as_slice() {
            [] => continue,
            [one] => one,
            _ => {
                return Err(format!(
                    "the processors of two releases do other things with the job {name}"
                ));
            }
        };
        if let Some(key) = strange(handler, &["ms", "block", "outcomes"]) {
            return Err(format!("a processor with `{key}`"));
        }
        let word = if handler["block"].as_bool().unwrap_or(false) { "block" } else { "sleep" };
        let ms = handler["ms"].as_i64().unwrap_or(0);
        line(text, &format!("\n[job.{}]\nsteps = [ {{ {word} = \"{ms}ms\" }} ]", quoted(&name)));
        if let Some(outcomes) = handler["outcomes"].as_array() {
            line(text, &format!("outcome = {}", Value::from(outcomes.as_slice())));
        }
    }
    Ok(())
}

/// What a variant's worker does with a job: the recorder's own rule.
fn handler(variant: &Value, name: &str) -> Value {
    let handlers = &variant["handlers"];
    let named = [&handlers[name], &handlers["*"]].into_iter().find(|handler| !handler.is_null());
    named.cloned().unwrap_or_else(|| serde_json::json!({ "ms": 100 }))
}

fn releases(
    text: &mut String,
    case: &Case,
    pace: &Pace,
    lives: &[Life],
    queue: &str,
) -> Result<(), String> {
    let by_name: BTreeMap<String, &Life> = lives.iter().map(|life| (release(life), life)).collect();
    for (name, life) in by_name {
        let variant = &case.scenario["variants"][&life.variant];
        if let Some(key) = strange(
            variant,
            &["startup", "handlers", "worker", "order", "gapMs", "version", "onStartupError"],
        ) {
            return Err(format!("a release with `{key}`"));
        }
        let mut steps = Vec::new();
        if life.counted {
            steps.push(format!("{{ sleep = \"{COUNTED_WAIT_MS}ms\" }}"));
        }
        let worker = worker(&variant["worker"], queue)?;
        let startup = startup(variant, pace, queue)?;
        if variant["order"] == "worker-first" {
            steps.extend(worker);
            let gap = variant["gapMs"].as_i64().unwrap_or(0);
            steps.push(format!("{{ sleep = \"{gap}ms\" }}"));
            steps.extend(startup);
        } else {
            steps.extend(startup);
            if worker.is_some() {
                let (least, most) = pace.worker;
                steps.push(format!("{{ sleep = \"{least}ms..{most}ms\" }}"));
            }
            steps.extend(worker);
        }
        line(
            text,
            &format!("\n[release.{}]\nlibrary = \"bullmq@{}\"", quoted(&name), life.version),
        );
        line(text, &format!("steps = [\n  {},\n]", steps.join(",\n  ")));
    }
    Ok(())
}

fn startup(variant: &Value, pace: &Pace, queue: &str) -> Result<Vec<String>, String> {
    let on_error = match variant["onStartupError"].as_str() {
        Some("crash") => "exit",
        _ => "ignore",
    };
    let mut steps = Vec::new();
    for action in variant["startup"].as_array().into_iter().flatten() {
        let times = match action["do"].as_str() {
            Some("addMany") => action["count"].as_u64().unwrap_or(0),
            _ => 1,
        };
        let mut keys = step(action, queue)?;
        keys.push(format!("on_error = \"{on_error}\""));
        let step = format!("{{ {} }}", keys.join(", "));
        let takes = pace.step.map(|(least, most)| format!("{{ sleep = \"{least}ms..{most}ms\" }}"));
        steps.extend((0..times).flat_map(|_| takes.iter().chain([&step]).cloned()));
    }
    Ok(steps)
}

/// The keys of one step of start-up code.
fn step(action: &Value, queue: &str) -> Result<Vec<String>, String> {
    let name = action["name"].as_str().unwrap_or_default();
    let place = format!("queue = \"{queue}\"");
    let mut keys = match action["do"].as_str().unwrap_or_default() {
        "add" | "addMany" => vec![format!("add = {}", quoted(name)), place],
        "upsertJobScheduler" => {
            if action["template"].is_null() && action.get("template").is_some() {
                return Err("an upsert without a template".to_owned());
            }
            let id = action["id"].as_str().unwrap_or_default();
            vec![
                format!("upsert_job_scheduler = {}", quoted(id)),
                place,
                format!("name = {}", quoted(name)),
                repeat(&action["repeat"])?,
            ]
        }
        "removeRepeatable" => {
            let mut keys = vec![
                format!("remove_repeatable = {}", quoted(name)),
                place,
                repeat(&action["repeat"])?,
            ];
            keys.extend(action["jobId"].as_str().map(|id| format!("job_id = {}", quoted(id))));
            keys
        }
        "removeJobScheduler" => {
            let id = action["id"].as_str().unwrap_or_default();
            vec![format!("remove_job_scheduler = {}", quoted(id)), place]
        }
        "sleep" => vec![format!("sleep = \"{}ms\"", action["ms"].as_i64().unwrap_or(0))],
        "removeAllRepeatables" => vec![format!("remove_all_repeatables = \"{queue}\"")],
        "drain" => {
            let delayed = action["delayed"].as_bool().unwrap_or(false);
            vec![format!("drain = \"{queue}\""), format!("delayed = {delayed}")]
        }
        word @ ("pause" | "resume") => vec![format!("{word} = \"{queue}\"")],
        // The recorder's does not mind jobs that are active.
        "obliterate" => vec![format!("obliterate = \"{queue}\""), "force = true".to_owned()],
        other => return Err(format!("a start-up action `{other}`")),
    };
    keys.extend(options(&action["opts"])?);
    Ok(keys)
}

/// The options of a job, under the names of the scenario format.
fn options(options: &Value) -> Result<Vec<String>, String> {
    let mut keys = Vec::new();
    for (key, value) in options.as_object().into_iter().flatten() {
        let ms = || format!("\"{}ms\"", value.as_i64().unwrap_or(0));
        let text = match key.as_str() {
            "jobId" => format!("job_id = {value}"),
            "delay" => format!("delay = {}", ms()),
            "priority" | "attempts" | "lifo" => format!("{key} = {value}"),
            "backoff" if value.is_object() => {
                let delay = value["delay"].as_i64().unwrap_or(0);
                format!("backoff = {{ type = {}, delay = \"{delay}ms\" }}", value["type"])
            }
            "backoff" => format!("backoff = {}", ms()),
            "removeOnComplete" if !value.is_object() => format!("remove_on_complete = {value}"),
            "removeOnFail" if !value.is_object() => format!("remove_on_fail = {value}"),
            "repeat" => repeat(value)?,
            "deduplication" => {
                let ttl = value["ttl"].as_i64().map(|ms| format!(", ttl = \"{ms}ms\""));
                let more = [
                    ("extend", "extend"),
                    ("replace", "replace"),
                    ("keepLastIfActive", "keep_last_if_active"),
                    ("reschedule", "reschedule"),
                ]
                .into_iter()
                .filter(|(key, _)| value[key] == true)
                .map(|(_, key)| format!(", {key} = true"));
                let rest = ttl.into_iter().chain(more).collect::<String>();
                format!("deduplication = {{ id = {}{rest} }}", value["id"])
            }
            other => return Err(format!("a job option `{other}`")),
        };
        keys.push(text);
    }
    Ok(keys)
}

fn repeat(repeat: &Value) -> Result<String, String> {
    let mut keys = Vec::new();
    for (key, value) in repeat.as_object().into_iter().flatten() {
        let text = match key.as_str() {
            "every" => format!("every = \"{}ms\"", value.as_i64().unwrap_or(0)),
            "pattern" | "tz" | "immediately" | "limit" | "key" => format!("{key} = {value}"),
            other => return Err(format!("a repeat option `{other}`")),
        };
        keys.push(text);
    }
    Ok(format!("repeat = {{ {} }}", keys.join(", ")))
}

/// The step that starts the worker, if the variant has one.
fn worker(options: &Value, queue: &str) -> Result<Option<String>, String> {
    let Some(options) = options.as_object() else { return Ok(None) };
    let mut keys = vec![format!("worker = \"{queue}\"")];
    for (key, value) in options {
        let ms = value.as_i64().unwrap_or(0);
        let text = match key.as_str() {
            "concurrency" => format!("concurrency = {value}"),
            "lockDuration" => format!("lock_duration = \"{ms}ms\""),
            "stalledInterval" => format!("stalled_interval = \"{ms}ms\""),
            "maxStalledCount" => format!("max_stalled_count = {value}"),
            "drainDelay" => format!("drain_delay = \"{value}s\""),
            "limiter" => {
                let duration = value["duration"].as_i64().unwrap_or(0);
                format!("limiter = {{ max = {}, duration = \"{duration}ms\" }}", value["max"])
            }
            other => return Err(format!("a worker option `{other}`")),
        };
        keys.push(text);
    }
    Ok(Some(format!("{{ {} }}", keys.join(", "))))
}

/// A service for each process, which starts once and stops when it is told to.
fn services(text: &mut String, case: &Case, pace: &Pace, lives: &[Life]) {
    let end = case.phase() + case.observed();
    let (mut events, mut kills) = (String::new(), Vec::new());
    for life in lives {
        let name = service(life);
        let at = case.phase() + life.at;
        let (least, most) = (at + pace.lag.0, at + pace.lag.1);
        let release = quoted(&release(life));
        line(text, &format!("\n[service.{}]\nrelease = {release}\nreplicas = 1", quoted(&name)));
        line(text, &format!("boot = \"{least}ms..{most}ms\"\nrestart = \"never\""));
        line(text, "termination_grace_period = \"1h\"");
        for (at, signal) in &life.stops {
            let at = case.phase() + at;
            let change = if signal == "SIGTERM" { "scale = 0" } else { "kill = 1" };
            if at < end {
                let name = quoted(&name);
                write!(events, "\n[[event]]\nat = \"{at}ms\"\nservice = {name}\n{change}\n")
                    .expect("a String takes everything");
            }
        }
        if life.death.is_some() {
            kills
                .push(format!("{{ service = {}, odds = \"100%\", points = 4096 }}", quoted(&name)));
        }
    }
    text.push_str(&events);
    if !kills.is_empty() {
        line(text, &format!("\n[faults]\nkill = [ {} ]", kills.join(", ")));
    }
}

impl Played {
    /// The services whose process kills itself, and where.
    pub(crate) fn deaths(&self) -> impl Iterator<Item = (&str, &Death)> {
        self.lives
            .iter()
            .filter_map(|(service, life)| Some((service.as_str(), life.death.as_ref()?)))
    }
}
