//! Both databases, and sequences of steps played on them.

use std::collections::BTreeMap;

use bootrace_sim::bullmq::Version;
use bootrace_sim::bullmq::keys::Keys;
use bootrace_sim::bullmq::scripts::{Call, run};
use bootrace_sim::clock::Instant;
use bootrace_sim::event::QueueId;
use bootrace_sim::redis::{Bytes, ClientId, Redis, Reply};

use crate::generate::Generator;
use crate::keyspace::Comparison;
use crate::package::Script;
use crate::{reply, wire};

/// When every sequence begins.
pub(crate) const START_MS: i64 = 1_767_600_000_000;
/// How many shorter sequences are tried where one parts.
const ATTEMPTS: usize = 400;

/// How often a script was compared, by what it replied.
pub(crate) type Count = BTreeMap<&'static str, u64>;

/// The counts of the scripts, by name.
pub(crate) type Calls = BTreeMap<&'static str, Count>;

/// What is done at one step.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A script is called.
    Call(Call),
    /// A command that is no script: what clients send besides, and what is lost.
    Command(Vec<Bytes>),
}

/// A step of a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Milliseconds that pass on the server's clock before it.
    pub(crate) wait_ms: i64,
    /// That of the client that does it.
    pub(crate) version: Version,
    pub(crate) what: What,
}

/// Where model and Lua part.
struct Parting {
    at: usize,
    why: String,
}

/// The two databases.
pub(crate) struct Pair {
    versions: Vec<Version>,
    keys: Keys,
    model: Redis,
    lua: Redis,
    now_ms: i64,
    comparison: Comparison,
    /// By what the scripts of a version are called, and how many keys they take.
    scripts: BTreeMap<(Version, String), (Bytes, usize)>,
    /// What was compared.
    pub(crate) calls: Calls,
}

impl Pair {
    /// Empty databases for clients of these versions; their Lua is loaded into the second.
    pub(crate) fn new(packages: &[(Version, Vec<Script>)]) -> Pair {
        let mut lua = Redis::new();
        let mut load = |version: Version, script: &Script| {
            let words = ["SCRIPT", "LOAD", &script.text].map(Bytes::from);
            match lua.request(ClientId(0), &words, Instant::from_ms(START_MS)) {
                Some(Reply::Bulk(sha)) => ((version, script.name.clone()), (sha, script.keys)),
                other => panic!("{} is not loaded: {other:?}", script.name),
            }
        };
        let mut loaded = BTreeMap::new();
        for (version, scripts) in packages {
            loaded.extend(scripts.iter().map(|script| load(*version, script)));
        }
        Pair {
            versions: packages.iter().map(|(version, _)| *version).collect(),
            keys: Keys::new(QueueId(0), "bull", "q"),
            model: Redis::new(),
            lua,
            now_ms: START_MS,
            comparison: Comparison::default(),
            scripts: loaded,
            calls: Calls::new(),
        }
    }

    /// Plays a generated sequence; where it parts, one that is as short as it gets.
    pub(crate) fn sequence(&mut self, seed: u64, calls: usize) -> Result<(), String> {
        self.empty();
        let mut generator = Generator::new(seed, &self.versions);
        let mut steps = Vec::new();
        for at in 0..calls {
            let step = generator.step(self.now_ms, self.model.db(), &self.keys);
            steps.push(step.clone());
            if let Err(why) = self.step(step) {
                return Err(self.report(seed, steps, Parting { at, why }));
            }
        }
        Ok(())
    }

    fn empty(&mut self) {
        self.model.flush();
        self.lua.flush();
        self.now_ms = START_MS;
    }

    fn play(&mut self, steps: &[Step]) -> Result<(), Parting> {
        self.empty();
        let mut numbered = steps.iter().enumerate();
        numbered
            .try_for_each(|(at, step)| self.step(step.clone()).map_err(|why| Parting { at, why }))
    }

    /// Does a step on both sides and compares all.
    fn step(&mut self, step: Step) -> Result<(), String> {
        self.now_ms += step.wait_ms;
        let now = Instant::from_ms(self.now_ms);
        match step.what {
            What::Command(words) => {
                self.model.request(ClientId(0), &words, now);
                self.lua.request(ClientId(0), &words, now);
            }
            What::Call(call) => self.call(call, step.version, now)?,
        }
        self.comparison.keyspaces(self.model.db(), self.lua.db())
    }

    fn call(&mut self, call: Call, version: Version, now: Instant) -> Result<(), String> {
        let (name, sent) = (wire::name(&call), wire::sent(&call, version, &self.keys));
        let script = self.scripts.get(&(version, name.to_owned()));
        let (sha, keys) = script.ok_or_else(|| format!("{version} has no script {name}"))?;
        if sent.keys.len() != *keys {
            return Err(format!("{name} takes {keys} keys, sent are {:?}", sent.keys));
        }
        let mut words =
            vec!["EVALSHA".into(), sha.clone(), Bytes::from(sent.keys.len().to_string())];
        words.extend(sent.keys.into_iter().chain(sent.args));
        let replied = self.lua.request(ClientId(0), &words, now).expect("no script waits");
        let keys = &self.keys;
        let returned = self.model.script(now, |db| run(&call, version, keys, db, &mut Vec::new()));
        *self.calls.entry(name).or_default().entry(reply::kind(&replied)).or_default() += 1;
        reply::compare(&mut self.comparison, name, version, &returned, &replied)
    }

    /// What people are shown: the shortest sequence found that parts.
    fn report(&mut self, seed: u64, steps: Vec<Step>, parting: Parting) -> String {
        let first = parting.at;
        let (steps, parting) = self.shortest(steps, parting);
        let mut text =
            format!("seed {seed}: model and Lua part at step {first}; so they do after\n");
        for step in &steps {
            text += &format!("\n    +{} ms, {}: {:?}", step.wait_ms, step.version, step.what);
        }
        text += "\n";
        text + &format!("\n{}", parting.why)
    }

    fn shortest(&mut self, mut steps: Vec<Step>, mut parting: Parting) -> (Vec<Step>, Parting) {
        let (mut size, mut attempts) = (steps.len().div_ceil(2), 0);
        loop {
            let (mut at, mut shorter) = (0, false);
            while at < steps.len() && attempts < ATTEMPTS {
                attempts += 1;
                let mut fewer = steps.clone();
                let gone = fewer.drain(at..(at + size).min(steps.len()));
                let gone: i64 = gone.map(|step| step.wait_ms).sum();
                // Time passes as before, so that instants in arguments keep their meaning.
                if let Some(next) = fewer.get_mut(at) {
                    next.wait_ms += gone;
                }
                match self.play(&fewer) {
                    Err(other) => {
                        fewer.truncate(other.at + 1);
                        (steps, parting, shorter) = (fewer, other, true);
                    }
                    Ok(()) => at += size,
                }
            }
            if attempts >= ATTEMPTS || (size == 1 && !shorter) {
                return (steps, parting);
            }
            size = size.div_ceil(2);
        }
    }
}
