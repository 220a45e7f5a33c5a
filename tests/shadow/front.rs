//! The front between the clients and both servers, and the count of what went through it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bootrace_sim::redis::Bytes;
use bootrace_sim::redis::resp::{Allowed, Requests};
use libtest_mimic::Failed;
use sha1::{Digest, Sha1};

use crate::clients::{self, Event};
use crate::keyspace;
use crate::like::Rule;
use crate::pair::{Outcome, Pair};

/// After how many commands everything that both hold is compared.
const REST: u64 = 500;
/// How long the clocks may stand still while nothing comes.
const IDLE: Duration = Duration::from_millis(2);
/// How long one run of the driver may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// A client of the front.
struct Client {
    stream: TcpStream,
    requests: Requests,
    input: Vec<u8>,
    /// The rules of the commands between MULTI and EXEC.
    queued: Option<Vec<Rule>>,
}

/// What went through.
#[derive(Default)]
pub(crate) struct Tally {
    /// The names of the package's scripts, by SHA.
    names: BTreeMap<String, String>,
    /// How often each ran, by SHA.
    calls: BTreeMap<String, u64>,
    commands: u64,
    compared: u64,
    loosely: BTreeMap<String, u64>,
    rests: u64,
    keys: usize,
}

impl Tally {
    /// The scripts of the package that nobody called.
    pub(crate) fn uncalled(&self) -> Vec<&String> {
        let uncalled = self.names.iter().filter(|(sha, _)| !self.calls.contains_key(*sha));
        uncalled.map(|(_, name)| name).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: u64 = self.calls.values().sum();
        let least = self.names.keys().map(|sha| self.calls.get(sha).copied().unwrap_or(0)).min();
        write!(
            f,
            "{} scripts, {calls} calls of them (of one at least {}), {} commands, {} replies \
             compared (less than byte for byte: {:?}), {} keys at {} rests",
            self.names.len(),
            least.unwrap_or(0),
            self.commands,
            self.compared,
            self.loosely,
            self.keys,
            self.rests
        )
    }
}

/// The front.
pub(crate) struct Front {
    pair: Pair,
    events: Receiver<Event>,
    sender: Sender<Event>,
    port: u16,
    clients: BTreeMap<u32, Client>,
    /// Clients that wait no more, and may have sent something meanwhile.
    served: VecDeque<u32>,
    /// The rules of the scripts that both know, by SHA.
    scripts: BTreeMap<String, Rule>,
    tally: Tally,
    rest: u64,
}

impl Front {
    /// Starts both servers and listens.
    pub(crate) fn start() -> Front {
        let (sender, events) = mpsc::channel();
        let rest = std::env::var("BOOTRACE_SHADOW_REST").ok().and_then(|text| text.parse().ok());
        Front {
            pair: Pair::start(),
            events,
            port: clients::listen(sender.clone()),
            sender,
            clients: BTreeMap::new(),
            served: VecDeque::new(),
            scripts: BTreeMap::new(),
            tally: Tally::default(),
            rest: rest.unwrap_or(REST),
        }
    }

    /// Runs the driver with a package and compares all it does.
    pub(crate) fn drive(&mut self, package: &Path, seed: u64) -> Result<(), Failed> {
        let mut driver = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shadow/drive.mjs"))
            .args([package.as_os_str(), self.port.to_string().as_ref(), seed.to_string().as_ref()])
            // It ends with its input, should this test end before it.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("node: {error}"))?;
        let output = driver.stdout.take().expect("it is piped");
        let sender = self.sender.clone();
        let lines = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // The test has failed if nobody wants to know.
                let _ = sender.send(Event::Line(line));
            }
            let _ = sender.send(Event::Ended);
        });
        let went = self.work();
        if went.is_err() {
            driver.kill().map_err(|error| format!("node: {error}"))?;
        }
        let status = driver.wait().map_err(|error| format!("node: {error}"))?;
        lines.join().expect("reading lines does not fail");
        went.map_err(|failed| format!("seed {seed}: {}", crate::pair::said(&failed)))?;
        if !status.success() {
            return Err(format!("seed {seed}: the driver ended with {status}").into());
        }
        self.compare_keyspaces()
    }

    /// What went through.
    pub(crate) fn finish(mut self) -> Tally {
        self.tally.compared = self.pair.compared;
        self.tally.loosely = self.pair.loosely;
        self.tally
    }

    /// Works off what comes until the driver has ended.
    fn work(&mut self) -> Result<(), Failed> {
        let started = Instant::now();
        loop {
            match self.events.recv_timeout(IDLE) {
                Ok(Event::Ended) => break,
                Ok(event) => self.take(event)?,
                Err(RecvTimeoutError::Timeout) => {
                    self.tick()?;
                    self.go_on()?;
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the front holds a sender"),
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("the driver takes longer than {PATIENCE:?}").into());
            }
        }
        // The driver's connections are closed by its end, but that is told by other threads.
        while !self.clients.is_empty() {
            let event =
                self.events.recv_timeout(PATIENCE).map_err(|_| "a connection stays open")?;
            self.take(event)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), Failed> {
        match event {
            Event::Opened(number, stream) => {
                self.pair.connect(number);
                let (requests, input) = (Requests::default(), Vec::new());
                self.clients.insert(number, Client { stream, requests, input, queued: None });
            }
            Event::Bytes(number, bytes) => {
                let client = self.clients.get_mut(&number).expect("it is open");
                client.input.extend(bytes);
                self.run(number)?;
            }
            Event::Closed(number) => {
                self.tick()?;
                self.clients.remove(&number);
                self.pair.disconnect(number);
            }
            Event::Line(line) => {
                if let ["script", name, sha] = line.split(' ').collect::<Vec<_>>()[..] {
                    self.tally.names.insert(sha.to_owned(), name.to_owned());
                }
            }
            Event::Ended => {}
        }
        self.go_on()
    }

    /// Runs what clients had sent while they waited.
    fn go_on(&mut self) -> Result<(), Failed> {
        while let Some(number) = self.served.pop_front() {
            self.run(number)?;
        }
        Ok(())
    }

    /// Ends the waits whose time is up.
    fn tick(&mut self) -> Result<(), Failed> {
        let served = self.pair.tick()?;
        self.deliver(served);
        Ok(())
    }

    /// Gives clients what they were served.
    fn deliver(&mut self, served: Vec<(u32, Vec<u8>)>) {
        for (number, bytes) in served {
            self.answer(number, &bytes);
            self.served.push_back(number);
        }
    }

    fn answer(&mut self, number: u32, bytes: &[u8]) {
        let client = self.clients.get_mut(&number).expect("it is open");
        // A client that has gone is told of by the thread that reads from it.
        let _ = client.stream.write_all(bytes);
    }

    /// Runs the commands that a client has sent, unless it waits.
    fn run(&mut self, number: u32) -> Result<(), Failed> {
        const ALLOWED: Allowed = Allowed { longest: 512 << 20, authenticated: true };
        let mut at = 0;
        while !self.pair.waits(number) {
            let Some(client) = self.clients.get_mut(&number) else { return Ok(()) };
            if at == client.input.len() {
                break;
            }
            let come = client.requests.next(&client.input, &mut at, ALLOWED);
            if !come.map_err(|malformed| format!("the driver sent {malformed:?}"))? {
                break;
            }
            let args: Vec<Bytes> = client.requests.args().to_vec();
            if let Some(reply) = self.command(number, &args)? {
                self.answer(number, &reply);
            }
        }
        if let Some(client) = self.clients.get_mut(&number) {
            client.input.drain(..at);
        }
        Ok(())
    }

    /// One command of a client, for both.
    fn command(&mut self, number: u32, args: &[Bytes]) -> Result<Option<Vec<u8>>, Failed> {
        self.tick()?;
        self.tally.commands += 1;
        let rules = self.rules(number, args);
        let outcome = self.pair.request(number, args, &rules);
        let outcome = outcome.map_err(|failed| self.named(args, &failed))?;
        let name = self.named(args, &"".into());
        let served = self.pair.served(&crate::pair::said(&name))?;
        self.deliver(served);
        if self.tally.commands.is_multiple_of(self.rest) {
            self.compare_keyspaces().map_err(|failed| self.named(args, &failed))?;
        }
        Ok(match outcome {
            Outcome::Reply(reply) => Some(reply),
            Outcome::Waits => None,
        })
    }

    /// A failure with the name of the script that was called.
    fn named(&self, args: &[Bytes], failed: &Failed) -> Failed {
        let name = self.sha(args).and_then(|sha| self.tally.names.get(&sha).cloned());
        let name = name.unwrap_or_else(|| args[0].to_string());
        format!("{name}, after {} commands: {}", self.tally.commands, crate::pair::said(failed))
            .into()
    }

    /// The SHA of the script that a command calls.
    fn sha(&self, args: &[Bytes]) -> Option<String> {
        match (args[0].to_ascii_lowercase().as_slice(), args.get(1)) {
            (b"evalsha", Some(sha)) => Some(sha.to_string()),
            (b"eval", Some(text)) => Some(sha_of(text)),
            _ => None,
        }
    }

    /// By which rules the reply to a command is compared, and what it calls is counted.
    fn rules(&mut self, number: u32, args: &[Bytes]) -> Vec<Rule> {
        let name = String::from_utf8_lossy(&args[0]).to_lowercase();
        let text = match name.as_str() {
            "eval" => args.get(1),
            "script" => args.get(2),
            _ => None,
        };
        if let Some(text) = text {
            self.scripts.entry(sha_of(text)).or_insert_with(|| Rule::of_script(text));
        }
        let called = self.sha(args).and_then(|sha| Some((*self.scripts.get(&sha)?, sha)));
        let rule = match called {
            Some((rule, sha)) => {
                *self.tally.calls.entry(sha).or_default() += 1;
                rule
            }
            None => Rule::of(&name),
        };
        let client = self.clients.get_mut(&number).expect("it is open");
        match (name.as_str(), &mut client.queued) {
            ("multi", queued) => *queued = Some(Vec::new()),
            ("exec", queued) => return queued.take().unwrap_or_else(|| vec![rule]),
            ("discard", queued) => *queued = None,
            (_, Some(queued)) => queued.push(rule),
            (_, None) => {}
        }
        vec![rule]
    }

    /// Compares all that both hold, and who waits.
    fn compare_keyspaces(&mut self) -> Result<(), Failed> {
        self.pair.check_waiting()?;
        self.tally.keys += keyspace::compare(&mut self.pair)?;
        self.tally.rests += 1;
        Ok(())
    }
}

/// The SHA of a script, as EVALSHA takes it.
fn sha_of(text: &[u8]) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
