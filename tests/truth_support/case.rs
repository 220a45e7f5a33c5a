//! A recorded case: what was played on the real library, and when its processes start and stop.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// A case file. Its parts stay JSON: they are read where they are needed.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) scenario: Value,
    /// The md5 of a registration of the older API, and the text that it is of.
    pub(crate) legend: Value,
    pub(crate) outcome: Value,
    pub(crate) stability: Value,
    /// How slow the host was, run by run, where it was noted.
    pub(crate) timing: Value,
}

/// One process of a case: a life of one of its containers.
#[derive(Clone)]
pub(crate) struct Life {
    /// The container's name in the case.
    pub(crate) container: String,
    /// Which of its lives, from 0.
    pub(crate) number: usize,
    pub(crate) variant: String,
    pub(crate) version: String,
    /// When it starts, in milliseconds after the recording's t0.
    pub(crate) at: i64,
    /// When which signal comes.
    pub(crate) stops: Vec<(i64, String)>,
    /// Where the first process of it kills itself, and where those that are started after it do.
    pub(crate) deaths: [Vec<Cause>; 2],
    pub(crate) restart: Option<Restart>,
    /// It waits a moment before its start-up code, so that the Queue's own write is over.
    pub(crate) counted: bool,
}

/// Where a process kills itself; of several causes the first does it.
#[derive(Clone)]
pub(crate) enum Cause {
    /// After the k-th round trip of its start-up code; before the first if 0.
    After(usize),
    /// Before the n-th time that it sends a script.
    Send { script: String, nth: usize },
    /// At the n-th reply to a script; only those that hand out a job, if `got_job`.
    Reply { script: String, nth: usize, got_job: bool },
}

/// How a process that has ended is started again.
#[derive(Clone)]
pub(crate) struct Restart {
    pub(crate) delay: i64,
    pub(crate) most: Option<u64>,
}

impl Life {
    /// Where the n-th process of this life kills itself, counted from 1.
    pub(crate) fn causes(&self, process: u32) -> &[Cause] {
        &self.deaths[usize::from(process > 1)]
    }
}

impl Case {
    /// Reads a case file.
    pub(crate) fn read(path: &Path) -> Case {
        let text =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Case::of(file)
    }

    /// The case that a file is.
    pub(crate) fn of(mut file: Value) -> Case {
        let text = |key: &str| file[key].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        let mut take = |key: &str| file[key].take();
        Case {
            name,
            version,
            scenario: take("scenario"),
            legend: take("keyLegend"),
            outcome: take("outcome"),
            stability: take("stability"),
            timing: take("timing"),
        }
    }

    /// How long after the base of all recorded times the recording's t0 is, in milliseconds.
    pub(crate) fn phase(&self) -> i64 {
        self.scenario["align"]["phase"].as_i64().unwrap_or(0)
    }

    /// When the recording ends, in milliseconds after t0.
    pub(crate) fn observed(&self) -> i64 {
        self.scenario["observeMs"].as_i64().expect("a case says how long it is observed")
    }

    /// All processes of the case, or why they cannot be told.
    pub(crate) fn lives(&self) -> Result<Vec<Life>, String> {
        let mut lives = Vec::new();
        for container in self.scenario["containers"].as_array().into_iter().flatten() {
            if let Some(key) = strange(container, &KNOWN) {
                return Err(format!("a container with `{key}`"));
            }
            lives.extend(self.lives_of(container)?);
        }
        Ok(lives)
    }

    /// Whether containers run start-up code at the same instant, so that a race between equals
    /// decides which of them comes first.
    pub(crate) fn races(&self) -> bool {
        let starts = |life: &Life| {
            let steps = self.scenario["variants"][&life.variant]["startup"].as_array();
            steps.is_some_and(|steps| !steps.is_empty()).then_some(life.at)
        };
        let mut starts: Vec<i64> = self.lives().iter().flatten().filter_map(starts).collect();
        starts.sort_unstable();
        starts.windows(2).any(|pair| pair[0] == pair[1])
    }

    fn lives_of(&self, container: &Value) -> Result<Vec<Life>, String> {
        let at = container["at"].as_i64().unwrap_or(0);
        if let Some(looping) = container["loop"].as_object() {
            let number = |key: &str| looping.get(key).and_then(Value::as_i64);
            let (period, up) = (number("period").unwrap_or(0), number("up").unwrap_or(0));
            let (count, keeps) =
                (number("n").unwrap_or(0), looping.get("keepLast") == Some(&Value::Bool(true)));
            let how = looping.get("how").and_then(Value::as_str).unwrap_or("SIGKILL");
            let life = |n: i64| {
                let mut life = self.life(container, usize::try_from(n).unwrap_or(0), container)?;
                life.at = at + n * period;
                let last = keeps && n == count - 1;
                life.stops = if last { Vec::new() } else { vec![(life.at + up, how.to_owned())] };
                Ok(life)
            };
            return (0..count).map(life).collect();
        }
        match container["lives"].as_array() {
            None => Ok(vec![self.life(container, 0, container)?]),
            Some(lives) => {
                let life = |(number, own)| self.life(container, number, own);
                lives.iter().enumerate().map(life).collect()
            }
        }
    }

    /// A life whose own words go before those of its container.
    fn life(&self, container: &Value, number: usize, own: &Value) -> Result<Life, String> {
        let get = |key: &str| if own[key].is_null() { &container[key] } else { &own[key] };
        let variant = get("variant").as_str().unwrap_or_default().to_owned();
        let of_variant = self.scenario["variants"][&variant]["version"].as_str();
        let version = get("version").as_str().or(of_variant).unwrap_or(&self.version).to_owned();
        let restart = get("restart");
        if let Some(key) = strange(restart, &["delay", "max", "keepKill"]) {
            return Err(format!("a restart with `{key}`"));
        }
        let (after, on) = (after(get("dieAfter")), on(get("killOn"))?);
        let kept = if restart["keepKill"] == true { on.clone() } else { Vec::new() };
        let both = |on: Vec<Cause>| after.iter().cloned().chain(on).collect();
        Ok(Life {
            container: container["id"].as_str().unwrap_or_default().to_owned(),
            number,
            variant,
            version,
            at: get("at").as_i64().unwrap_or(0),
            stops: stops(get("stop")),
            deaths: [both(on), both(kept)],
            restart: restart.is_object().then(|| Restart {
                delay: restart["delay"].as_i64().unwrap_or(0),
                most: restart["max"].as_u64(),
            }),
            counted: !get("dieAfter").is_null() || !get("traceCommands").is_null(),
        })
    }
}

const KNOWN: [&str; 10] =
    ["id", "at", "variant", "version", "stop", "lives", "loop", "dieAfter", "killOn", "restart"];

/// The first key of a table that is not known. `traceCommands` changes nothing but the recording.
pub(crate) fn strange<'v>(table: &'v Value, known: &[&str]) -> Option<&'v str> {
    let keys = table.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.filter(|key| *key != "traceCommands").find(|key| !known.contains(key))
}

fn stops(stop: &Value) -> Vec<(i64, String)> {
    let one = std::slice::from_ref(stop);
    let all = stop.as_array().map_or(one, Vec::as_slice);
    let signal = |stop: &Value| Some((stop["at"].as_i64()?, stop["how"].as_str()?.to_owned()));
    all.iter().filter_map(signal).collect()
}

fn after(after: &Value) -> Option<Cause> {
    after.as_u64().map(|after| Cause::After(usize::try_from(after).unwrap_or(usize::MAX)))
}

fn on(on: &Value) -> Result<Vec<Cause>, String> {
    let rule = |rule: &Value| {
        if let Some(key) = strange(rule, &["script", "when", "nth", "gotJob"]) {
            return Err(format!("a rule of `killOn` with `{key}`"));
        }
        let script = rule["script"].as_str().unwrap_or_default().to_owned();
        let nth = rule["nth"].as_u64().and_then(|nth| usize::try_from(nth).ok()).unwrap_or(1);
        match rule["when"].as_str() {
            Some("send") => Ok(Cause::Send { script, nth }),
            None | Some("reply") => {
                let got_job = rule["gotJob"].as_bool().unwrap_or(false);
                Ok(Cause::Reply { script, nth, got_job })
            }
            Some(other) => Err(format!("a death when `{other}`")),
        }
    };
    on.as_array().into_iter().flatten().map(rule).collect()
}
