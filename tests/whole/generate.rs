//! A random scenario in the form of a truth case: releases, containers that come and go, jobs of all
//! kinds, from a seed.
//!
//! Whole seconds belong to the schedules: their patterns and periods fall there. Containers boot and
//! are stopped between them, each at a place of its own. What the jobs do then decides where
//! the rest falls; whoever asks for a scenario says whether it is too close, and gets another.

use super::draw::Draw;
use serde_json::{Map, Value, json};

const VERSIONS: [&str; 3] = ["5.34.10", "5.81.5", "6.7.0"];
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Places within a second at which containers boot, and at which they are stopped.
const BOOTS: [i64; 3] = [150, 400, 650];
const STOPS: [i64; 3] = [275, 525, 800];
const PATTERNS: [&str; 5] =
    ["*/2 * * * * *", "*/3 * * * * *", "1-59/2 * * * * *", "2-59/3 * * * * *", "* * * * * *"];
const PERIODS_MS: [i64; 3] = [1_000, 2_000, 3_000];

/// The file of a scenario: `name`, `version`, `scenario`.
pub(crate) fn case(name: &str, draw: &mut Draw) -> Value {
    let version = draw.one(&VERSIONS);
    // 6.x looks for paused jobs elsewhere; what both do to one queue is told apart by no event.
    let mixed = draw.odds(25);
    let mut scenario =
        Scenario { draw, mixed, version, used: Vec::new(), length: 0, blocks: false };
    scenario.length = 6_000 + 1_000 * scenario.draw.below(6) as i64;
    let variants = scenario.variants();
    let containers = scenario.containers(&variants);
    let phase = scenario.draw.one(&[0, 1_000, 2_000]);
    let mut queue = Map::new();
    if scenario.draw.odds(20) {
        let defaults = json!({ "removeOnComplete": true, "attempts": 2 });
        queue.insert("name".to_owned(), "q".into());
        queue.insert("defaultJobOptions".to_owned(), defaults);
    }
    let mut body = json!({
        "variants": variants,
        "containers": containers,
        "observeMs": scenario.length + 930,
        "align": { "mod": 6_000, "phase": phase },
        "snapMs": 1_000,
    });
    if !queue.is_empty() {
        body["queue"] = queue.into();
    }
    json!({ "name": name, "version": version, "scenario": body })
}

struct Scenario<'d> {
    draw: &'d mut Draw,
    mixed: bool,
    version: &'static str,
    /// Where something boots or is stopped already.
    used: Vec<i64>,
    length: i64,
    /// Some processor blocks its process.
    blocks: bool,
}

impl Scenario<'_> {
    fn variants(&mut self) -> Value {
        let handlers = self.handlers();
        let mut variants = Map::new();
        let count = 1 + self.draw.below(3);
        for number in 1..=count {
            let mut variant = Map::new();
            if self.mixed {
                let version = self.draw.one(&VERSIONS);
                variant.insert("version".to_owned(), version.into());
            }
            let steps = 1 + self.draw.below(4);
            let mut steps: Vec<Value> = (0..steps).map(|_| self.step()).collect();
            // Removals of what was listed are not told from the start-up code's own.
            if steps.iter().any(|step| step["do"] == "removeAllRepeatables") {
                steps.retain(|step| step["do"] != "removeRepeatable");
            }
            variant.insert("startup".to_owned(), steps.into());
            // The first has a worker, so that something is done.
            let works = number == 1 || self.draw.odds(80);
            variant.insert("worker".to_owned(), if works { self.worker() } else { Value::Null });
            variant.insert("handlers".to_owned(), handlers.clone());
            if self.draw.odds(20) {
                variant.insert("order".to_owned(), "worker-first".into());
                variant.insert("gapMs".to_owned(), self.draw.one(&[0, 250, 500]).into());
            }
            if self.draw.odds(20) {
                variant.insert("onStartupError".to_owned(), "crash".into());
            }
            variants.insert(format!("v{number}"), variant.into());
        }
        variants.into()
    }

    /// All workers do the same with a job.
    fn handlers(&mut self) -> Value {
        let mut handlers = Map::new();
        for name in NAMES {
            let ms = self.draw.one(&[60, 110, 330, 620, 1_370, 2_220]);
            let mut handler = json!({ "ms": ms });
            if self.draw.odds(12) {
                handler["block"] = true.into();
                self.blocks = true;
            }
            let outcomes: &[&str] = match self.draw.below(10) {
                0..5 => &["ok"],
                5..8 => &["fail", "ok"],
                8 => &["fail"],
                _ => &["fail", "fail", "ok"],
            };
            handler["outcomes"] = outcomes.into();
            handlers.insert(name.to_owned(), handler);
        }
        handlers.into()
    }

    fn worker(&mut self) -> Value {
        let mut worker = Map::new();
        let mut set = |key: &str, value: Value| worker.insert(key.to_owned(), value);
        if self.draw.odds(50) {
            // After a block the ends of several jobs are sent at once. Node reads the answers together,
            // and a played process one after the other, so that it begins to fetch before.
            let most = self.draw.one(&[1, 2, 3]);
            set("concurrency", if self.blocks { 1 } else { most }.into());
        }
        if self.draw.odds(70) {
            set("lockDuration", self.draw.one(&[900, 1_900, 3_300]).into());
            set("stalledInterval", self.draw.one(&[700, 1_100, 2_300]).into());
        }
        if self.draw.odds(25) {
            set("maxStalledCount", self.draw.one(&[0, 1, 2]).into());
        }
        if self.draw.odds(40) {
            set("drainDelay", self.draw.one(&[1, 2]).into());
        }
        if self.draw.odds(20) {
            let (max, duration) = (self.draw.one(&[1, 2, 3]), self.draw.one(&[700, 1_300, 2_600]));
            set("limiter", json!({ "max": max, "duration": duration }));
        }
        worker.into()
    }

    fn step(&mut self) -> Value {
        let name = self.draw.one(&NAMES);
        match self.draw.below(100) {
            0..26 => json!({ "do": "add", "name": name, "opts": self.options(true) }),
            26..34 => {
                let count = 2 + self.draw.below(4);
                json!({ "do": "addMany", "name": name, "count": count, "opts": self.options(false) })
            }
            34..54 => {
                let mut options = self.options(false);
                options["repeat"] = self.repeat(true);
                if let Some(map) = options.as_object_mut() {
                    map.remove("delay");
                    map.remove("deduplication");
                }
                json!({ "do": "add", "name": name, "opts": options })
            }
            54..76 => {
                let id = self.draw.one(&["one", "two"]);
                let mut options = self.options(false);
                if let Some(map) = options.as_object_mut() {
                    map.retain(|key, _| {
                        matches!(
                            key.as_str(),
                            "attempts" | "backoff" | "removeOnComplete" | "priority"
                        )
                    });
                }
                json!({ "do": "upsertJobScheduler", "id": id, "name": name, "repeat": self.repeat(false), "opts": options })
            }
            76..80 => json!({ "do": "removeJobScheduler", "id": self.draw.one(&["one", "two"]) }),
            80..84 if self.older() => {
                json!({ "do": "removeRepeatable", "name": name, "repeat": self.repeat(false) })
            }
            84..87 if self.older() => json!({ "do": "removeAllRepeatables" }),
            87..90 => json!({ "do": "drain", "delayed": self.draw.odds(50) }),
            90..92 => json!({ "do": "obliterate" }),
            92..94 if !self.mixed => json!({ "do": "pause" }),
            94..97 if !self.mixed => json!({ "do": "resume" }),
            _ => json!({ "do": "sleep", "ms": self.draw.one(&[250, 750]) }),
        }
    }

    /// Whether every container has the older repeat API.
    fn older(&self) -> bool {
        !self.mixed && self.version != "6.7.0"
    }

    fn repeat(&mut self, older: bool) -> Value {
        let mut repeat = Map::new();
        if self.draw.odds(50) {
            repeat.insert("pattern".to_owned(), self.draw.one(&PATTERNS).into());
        } else {
            repeat.insert("every".to_owned(), self.draw.one(&PERIODS_MS).into());
        }
        if self.draw.odds(if older { 20 } else { 8 }) {
            repeat.insert("immediately".to_owned(), true.into());
        }
        if self.draw.odds(15) {
            repeat.insert("limit".to_owned(), self.draw.one(&[1, 2, 3]).into());
        }
        repeat.into()
    }

    fn options(&mut self, single: bool) -> Value {
        let mut options = Map::new();
        let mut set = |key: &str, value: Value| options.insert(key.to_owned(), value);
        if single && self.draw.odds(35) {
            set("jobId", self.draw.one(&["once", "twice"]).into());
        }
        if self.draw.odds(25) {
            set("delay", self.draw.one(&[0, 470, 1_230, 2_710]).into());
        }
        if self.draw.odds(15) {
            set("priority", self.draw.one(&[1, 2, 5]).into());
        }
        if self.draw.odds(60) {
            set("attempts", self.draw.one(&[1, 2, 3]).into());
        }
        match self.draw.below(10) {
            0..4 => {
                let kind = self.draw.one(&["fixed", "exponential"]);
                let delay = self.draw.one(&[370, 730]);
                set("backoff", json!({ "type": kind, "delay": delay }));
            }
            4 => drop(set("backoff", 440.into())),
            _ => {}
        }
        if self.draw.odds(10) {
            set("lifo", true.into());
        }
        if self.draw.odds(35) {
            let keep = [json!(true), json!(false), json!(1), json!(3)];
            set("removeOnComplete", keep[self.draw.below(keep.len())].clone());
        }
        if self.draw.odds(20) {
            let keep = [json!(true), json!(2)];
            set("removeOnFail", keep[self.draw.below(keep.len())].clone());
        }
        if single && self.draw.odds(20) {
            set("deduplication", self.deduplication());
        }
        options.into()
    }

    fn deduplication(&mut self) -> Value {
        let mut deduplication = json!({ "id": self.draw.one(&["same", "other"]) });
        if self.draw.odds(50) {
            deduplication["ttl"] = self.draw.one(&[480, 1_720, 3_110]).into();
        }
        match self.draw.below(6) {
            0 => deduplication["extend"] = true.into(),
            1 => deduplication["replace"] = true.into(),
            2 => deduplication["keepLastIfActive"] = true.into(),
            _ => {}
        }
        deduplication
    }

    fn containers(&mut self, variants: &Value) -> Vec<Value> {
        let variants = variants.as_object().into_iter().flatten();
        let names: Vec<(String, bool)> = variants
            .map(|(name, variant)| (name.clone(), variant["order"] == "worker-first"))
            .collect();
        let count = 1 + self.draw.below(4);
        (0..count).map(|number| self.container(number, &names)).collect()
    }

    fn container(&mut self, number: usize, variants: &[(String, bool)]) -> Value {
        let pick = |draw: &mut Draw| variants[draw.below(variants.len())].clone();
        // The first is there early and runs the release that has a worker.
        let at = if number == 0 { self.boot(0, 1_000) } else { self.boot(0, self.length - 2_000) };
        let (variant, early_worker) =
            if number == 0 { variants[0].clone() } else { pick(self.draw) };
        let mut container = json!({ "id": format!("c{}", number + 1), "variant": variant });
        if self.draw.odds(12) && at + 2_500 < self.length {
            let period = self.draw.one(&[1_000, 2_000]);
            let n = 2 + self.draw.below(2);
            let how = self.signal();
            container["at"] = at.into();
            container["loop"] = json!({ "period": period, "up": period - 375, "n": n, "how": how, "keepLast": self.draw.odds(70) });
            return container;
        }
        let stops = self.draw.odds(if number == 0 { 40 } else { 60 });
        let stop = if stops { self.stop(at) } else { None };
        if let (Some(stop), true) = (stop, self.draw.odds(50)) {
            let again = self.boot(stop + 300, self.length - 700);
            if again > stop {
                let first = json!({ "at": at, "stop": { "at": stop, "how": self.signal() } });
                let mut second = json!({ "at": again });
                if self.draw.odds(30) {
                    second["variant"] = pick(self.draw).0.into();
                }
                container["lives"] = json!([first, second]);
                return container;
            }
        }
        container["at"] = at.into();
        match stop {
            Some(stop) => container["stop"] = json!({ "at": stop, "how": self.signal() }),
            // A worker that runs beside the start-up code would be counted with it.
            None if !early_worker && self.draw.odds(15) => {
                container["dieAfter"] = self.draw.below(4).into()
            }
            // A process that blocks comes to a reply, and dies of it, once it no longer does. Played,
            // it dies when the reply is there.
            None if !self.blocks && self.draw.odds(20) && number > 0 => {
                container["killOn"] = self.kill();
            }
            None => {}
        }
        container
    }

    fn signal(&mut self) -> &'static str {
        self.draw.one(&["SIGKILL", "SIGTERM"])
    }

    fn kill(&mut self) -> Value {
        match self.draw.below(3) {
            0 => json!([{ "script": "moveToFinished", "nth": 1 + self.draw.below(3) }]),
            _ => {
                json!([{ "script": "moveToActive", "nth": 1 + self.draw.below(3), "gotJob": true }])
            }
        }
    }

    /// An instant at which nothing else boots; the earliest that is free if none is.
    fn boot(&mut self, from: i64, until: i64) -> i64 {
        for _ in 0..20 {
            let second = from + self.draw.below((until - from).max(1) as usize) as i64;
            let at = second / 1_000 * 1_000 + self.draw.one(&BOOTS);
            if at >= from && !self.used.contains(&at) {
                self.used.push(at);
                return at;
            }
        }
        from
    }

    /// An instant at which a container that booted `at` is stopped.
    fn stop(&mut self, at: i64) -> Option<i64> {
        let after = at + 900 + self.draw.below(4_000) as i64;
        let stop = after / 1_000 * 1_000 + self.draw.one(&STOPS);
        (stop > at + 600 && stop < self.length && !self.used.contains(&stop)).then(|| {
            self.used.push(stop);
            stop
        })
    }
}
