//! From a case to a scenario: the text of a scenario file, and that through the parser.
//!
//! It is mechanical: one service for each process, one release for each variant. What a case says
//! that no scenario can say is an error; nothing here knows a case by its name.

use super::case::{Case, Cause, Life, strange};
use super::words::{bare, options, quoted, step, worker};
use bootrace_sim::scenario::{Scenario, parse, print};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
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
    /// A round trip, in microseconds.
    pub(crate) round_trip: (i64, i64),
}

/// What JavaScript writes for the name of a job whose hash is gone, and the recorder for the name of
/// what is done with it.
pub(crate) const NAMELESS: &str = "undefined";

/// What a process waits whose round trips are counted, as the recorder's does.
const COUNTED_WAIT_MS: i64 = 150;

/// A case that can be played.
pub(crate) struct Played {
    pub(crate) scenario: Arc<Scenario>,
    /// Which process each service stands for.
    pub(crate) lives: BTreeMap<String, Life>,
    /// The start-up code of each release.
    pub(crate) startups: BTreeMap<String, Startup>,
}

/// The actions of start-up code, and where they stand among the steps of their release.
#[derive(Clone, Default)]
pub(crate) struct Startup {
    pub(crate) first: u16,
    /// What the recorder calls them, step by step.
    pub(crate) actions: Vec<String>,
}

impl Startup {
    /// The numbers of the steps, if there are any.
    pub(crate) fn steps(&self) -> Option<RangeInclusive<u16>> {
        let count = u16::try_from(self.actions.len()).expect("a release has fewer steps");
        (count > 0).then(|| self.first..=self.first + count - 1)
    }

    /// What the recorder calls a step.
    pub(crate) fn action(&self, step: u16) -> Option<&str> {
        let place = usize::from(step.checked_sub(self.first)?);
        self.actions.get(place).map(String::as_str)
    }
}

impl Played {
    /// The start-up code of a service's processes.
    pub(crate) fn startup(&self, service: &str) -> Option<&Startup> {
        self.startups.get(&release(self.lives.get(service)?))
    }
}

/// The scenario of a case, or why there is none.
pub(crate) fn convert(case: &Case, pace: &Pace) -> Result<Played, String> {
    const KNOWN: [&str; 9] = [
        "variants",
        "containers",
        "observeMs",
        "align",
        "windowMs",
        "snapMs",
        "killK",
        "queue",
        "redisActions",
    ];
    if let Some(key) = strange(&case.scenario, &KNOWN) {
        return Err(format!("a scenario with `{key}`"));
    }
    let lives = case.lives()?;
    let (text, startups) = text(case, pace, &lives)?;
    let mut scenario = match parse(&text) {
        Ok((scenario, _)) => scenario,
        Err(problems) => {
            let said = problems.iter().map(|problem| {
                let span = problem.at();
                let there = text.get(span.start..span.end).unwrap_or_default();
                format!("{}: {} (`{there}`)\n", problem.code, problem.message)
            });
            return Err(format!("the parser refuses it:\n{}\n{text}", said.collect::<String>()));
        }
    };
    // A printed scenario is the same one, but for where its expectations stand.
    let printed = print(&scenario);
    let again = parse(&printed).expect("what is printed is a scenario").0;
    assert_eq!(print(&again), printed);
    // No file says what is done with a job without a name: none is added without one.
    for does in scenario.releases.iter_mut().flat_map(|release| &mut release.jobs) {
        if does.name.as_bytes() == NAMELESS.as_bytes() {
            does.name = "".into();
        }
    }
    let lives = lives.into_iter().map(|life| (service(&life), life)).collect();
    Ok(Played { scenario: Arc::new(scenario), lives, startups })
}

fn service(life: &Life) -> String {
    format!("{}-life{}", life.container, life.number)
}

/// The release of a process: its variant, its version, whether its round trips are counted.
fn release(life: &Life) -> String {
    let counted = if life.counted { "-counted" } else { "" };
    format!("{}-{}{counted}", life.variant, life.version)
}

fn text(
    case: &Case,
    pace: &Pace,
    lives: &[Life],
) -> Result<(String, BTreeMap<String, Startup>), String> {
    let of_queue = &case.scenario["queue"];
    if let Some(key) = strange(of_queue, &["name", "defaultJobOptions"]) {
        return Err(format!("a queue with `{key}`"));
    }
    let queue = of_queue["name"].as_str().unwrap_or("q");
    let length = case.phase() + case.observed();
    let mut text = format!(
        "format = 1\nname = {}\nstart = {START}\nlength = \"{length}ms\"\n\n\
         [network]\nround_trip = {}\n\n[queue.{}]\n",
        quoted(&case.name),
        trips(pace, 1),
        quoted(queue),
    );
    let defaults = options(&of_queue["defaultJobOptions"], &case.version)?;
    line(&mut text, &format!("default_job_options = {{ {} }}", defaults.join(", ")));
    // A file must judge something; what is compared here is more than any expectation says.
    let queue_said = quoted(queue);
    line(
        &mut text,
        &format!(
            "\n[schedule.any]\nevery = \"1h\"\nqueue = {queue_said}\njob = \"any\"\n\n[[expect]]\n\
             always = \"firings per window\"\nat_most = 1000000\n"
        ),
    );
    let startups = releases(&mut text, case, pace, lives, queue)?;
    services(&mut text, case, pace, lives);
    Ok((text, startups))
}

/// So many round trips, as the scenario format says it.
fn trips(pace: &Pace, count: i64) -> String {
    let ms = |us: i64| format!("{}.{:03}ms", us * count / 1_000, us * count % 1_000);
    let (least, most) = pace.round_trip;
    quoted(&format!("{}..{}", ms(least), ms(most)))
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The names of all jobs that anything in the case adds.
fn job_names(case: &Case) -> BTreeSet<&str> {
    let variants = case.scenario["variants"].as_object().into_iter().flatten();
    let actions =
        variants.flat_map(|(_, variant)| variant["startup"].as_array().into_iter().flatten());
    let name = |action: &'_ Value| match action["do"].as_str() {
        Some("add" | "addMany") => Some("name"),
        Some("upsertJobScheduler") if bare(action) || action["name"].is_null() => Some("id"),
        Some("upsertJobScheduler") => Some("name"),
        _ => None,
    };
    actions.filter_map(|action| action[name(action)?].as_str()).collect()
}

/// What a variant's worker does with the jobs of a name: the recorder's own rule.
fn job(text: &mut String, release: &str, variant: &Value, name: &str) -> Result<(), String> {
    let handlers = &variant["handlers"];
    let named = [&handlers[name], &handlers["*"]].into_iter().find(|handler| !handler.is_null());
    let handler = named.cloned().unwrap_or_else(|| serde_json::json!({ "ms": 100 }));
    if let Some(key) = strange(&handler, &["ms", "block", "outcomes", "countBy"]) {
        return Err(format!("a processor with `{key}`"));
    }
    let word = if handler["block"].as_bool().unwrap_or(false) { "block" } else { "sleep" };
    let ms = handler["ms"].as_i64().unwrap_or(0);
    line(text, &format!("\n[release.{}.job.{}]", quoted(release), quoted(name)));
    line(text, &format!("steps = [ {{ {word} = \"{ms}ms\" }} ]"));
    if let Some(outcomes) = handler["outcomes"].as_array().filter(|all| !all.is_empty()) {
        line(text, &format!("outcome = {}", Value::from(outcomes.as_slice())));
    }
    match handler["countBy"].as_str() {
        Some("started") => line(text, "count_by = \"started\""),
        None | Some("made") => {}
        Some(other) => return Err(format!("outcomes that are counted by `{other}`")),
    }
    Ok(())
}

fn releases(
    text: &mut String,
    case: &Case,
    pace: &Pace,
    lives: &[Life],
    queue: &str,
) -> Result<BTreeMap<String, Startup>, String> {
    let by_name: BTreeMap<String, &Life> = lives.iter().map(|life| (release(life), life)).collect();
    let mut startups = BTreeMap::new();
    for (name, life) in by_name {
        let variant = &case.scenario["variants"][&life.variant];
        if let Some(key) = strange(
            variant,
            &["startup", "handlers", "worker", "order", "gapMs", "version", "onStartupError"],
        ) {
            return Err(format!("a release with `{key}`"));
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        if life.counted {
            before.push(format!("{{ sleep = \"{COUNTED_WAIT_MS}ms\" }}"));
        }
        let worker = worker(&variant["worker"], queue)?;
        let (least, most) = pace.worker;
        let loads = format!("{{ sleep = \"{least}ms..{most}ms\" }}");
        if variant["order"] == "worker-first" {
            if let Some(worker) = worker {
                // Its start-up code waits until both of the worker's connections are ready, each
                // after two replies.
                let ready = format!("{{ sleep = {} }}", trips(pace, 2));
                before.extend([loads, worker, ready]);
            }
            let gap = variant["gapMs"].as_i64().unwrap_or(0);
            before.push(format!("{{ sleep = \"{gap}ms\" }}"));
        } else if let Some(worker) = worker {
            after = vec![loads, worker];
        }
        let first = u16::try_from(before.len()).expect("these are few");
        let (actions, steps): (Vec<_>, Vec<_>) =
            actions(variant, pace, queue, life)?.into_iter().unzip();
        let steps = [before, steps, after].concat();
        let library = &life.version;
        line(text, &format!("\n[release.{}]\nlibrary = \"bullmq@{library}\"", quoted(&name)));
        line(text, &format!("steps = [\n  {},\n]", steps.join(",\n  ")));
        if !variant["worker"].is_null() {
            for of in job_names(case).into_iter().chain([NAMELESS]) {
                job(text, &name, variant, of)?;
            }
        }
        startups.insert(name, Startup { first, actions });
    }
    Ok(startups)
}

/// The steps of start-up code, each with what the recorder calls it.
fn actions(
    variant: &Value,
    pace: &Pace,
    queue: &str,
    life: &Life,
) -> Result<Vec<(String, String)>, String> {
    let takes = pace.step.map(|(least, most)| format!("{{ sleep = \"{least}ms..{most}ms\" }}"));
    let takes = takes.map(|takes| ("sleep".to_owned(), takes));
    let on_error = match variant["onStartupError"].as_str() {
        Some("crash") => "exit",
        _ => "ignore",
    };
    let mut steps = Vec::new();
    for action in variant["startup"].as_array().into_iter().flatten() {
        let name = action["do"].as_str().unwrap_or_default();
        let mut keys = step(action, queue, &life.version, &life.variant)?;
        keys.push(format!("on_error = \"{on_error}\""));
        if name != "addMany" {
            steps.extend(takes.clone());
            steps.push((name.to_owned(), format!("{{ {} }}", keys.join(", "))));
            continue;
        }
        // One after the other, and none after one that failed.
        let mut before: Option<usize> = None;
        for _ in 0..action["count"].as_u64().unwrap_or(0) {
            steps.extend(takes.clone());
            let place = steps.len();
            let mut keys = keys.clone();
            keys.push(format!("as = \"step{place}\""));
            if let Some(before) = before.replace(place) {
                keys.push(format!("when = {{ step = \"step{before}\" }}"));
            }
            steps.push((name.to_owned(), format!("{{ {} }}", keys.join(", "))));
        }
    }
    Ok(steps)
}

/// A service for each process, which starts once and stops when it is told to.
fn services(text: &mut String, case: &Case, pace: &Pace, lives: &[Life]) {
    let end = case.phase() + case.observed();
    let (mut events, mut kills) = (Vec::new(), Vec::new());
    let mut event = |at: i64, what: &str| {
        if at < end {
            events.push(format!("\n[[event]]\nat = \"{at}ms\"\n{what}\n"));
        }
    };
    for life in lives {
        let name = quoted(&service(life));
        let at = case.phase() + life.at;
        let release = quoted(&release(life));
        line(text, &format!("\n[service.{name}]\nrelease = {release}"));
        line(text, "termination_grace_period = \"1h\"");
        let change = |what: &str| format!("service = {name}\n{what}");
        // One that is started again takes as long for it each time, so it is not there before.
        let (least, most) = match life.restart {
            Some(_) => pace.lag,
            None => (at + pace.lag.0, at + pace.lag.1),
        };
        line(text, &format!("boot = \"{least}ms..{most}ms\""));
        match &life.restart {
            None => line(text, "replicas = 1\nrestart = \"never\""),
            Some(restart) => {
                let delay = restart.delay;
                let again = format!("restart = \"always\"\nrestart_delay = \"{delay}ms\"");
                line(text, &format!("replicas = 0\n{again}"));
                if let Some(most) = restart.most {
                    line(text, &format!("max_restarts = {most}"));
                }
                event(at, &change("scale = 1"));
            }
        }
        for (number, (at, signal)) in life.stops.iter().enumerate() {
            let at = case.phase() + at;
            match signal.as_str() {
                "SIGTERM" if life.restart.is_some() => event(at, &change("terminate = 1")),
                "SIGTERM" => event(at, &change("scale = 0")),
                "SIGSTOP" => {
                    let mut later = life.stops[number + 1..].iter();
                    let goes_on = later.find(|(_, signal)| signal == "SIGCONT");
                    let until = goes_on.map_or(end, |(until, _)| case.phase() + until);
                    event(at, &change(&format!("pause = \"{}ms\"", until - at)));
                }
                "SIGCONT" => {}
                // Node has no handler of others, and dies of them.
                _ => event(at, &change("kill = 1")),
            }
        }
        if life.deaths.iter().any(|causes| !causes.is_empty()) {
            kills.push(format!("{{ service = {name}, odds = \"100%\", points = 4096 }}"));
        }
    }
    for action in case.scenario["redisActions"].as_array().into_iter().flatten() {
        // The recorder does nothing else.
        if action["do"] == "wipe" {
            let at = case.phase() + action["at"].as_i64().unwrap_or(0);
            event(at, "redis = \"flush\"");
        }
    }
    events.iter().for_each(|event| text.push_str(event));
    if !kills.is_empty() {
        write!(text, "\n[faults]\nkill = [ {} ]\n", kills.join(", "))
            .expect("a String takes everything");
    }
}

impl Played {
    /// The services whose processes kill themselves, and why the n-th of each does.
    pub(crate) fn causes(&self, service: &str, process: u32) -> &[Cause] {
        self.lives.get(service).map_or(&[], |life| life.causes(process))
    }
}
