//! The log of a server: everything that its model was told, in order, so that it can be told again.
//!
//! A file of RESP requests, one for each thing told: its instant in nanoseconds, what it is, whom it
//! is about, and its words. The first says with what the server began. Told again without sockets, the
//! model comes to the same keys. One thing is not repeated: a script that was ended for taking too long
//! by the clock of the machine.

use super::{MAX_CLIENTS, Options, Time};
use bootrace_sim::clock::Instant;
use bootrace_sim::redis::resp::{Allowed, Requests};
use bootrace_sim::redis::{Bytes, ClientId, Host, Redis};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// What the version of the log's form is called.
const FORM: &str = "bootrace-serve-log-1";

/// The longest word of a log: as long as may be.
const ALLOWED: Allowed = Allowed { longest: i64::MAX, authenticated: true };

/// What a model is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told<'a> {
    /// A client has come, from an address to an address.
    Connect(ClientId, &'a str, &'a str),
    /// A client has gone.
    Disconnect(ClientId),
    /// A client's request.
    Request(ClientId, &'a [Bytes]),
    /// The time of those who wait may be up.
    Expire,
    /// Dead keys are to go.
    Sweep,
}

/// A log that is being written.
pub(crate) struct Log {
    file: BufWriter<File>,
    /// The first error: nothing is written after it.
    failed: Option<io::Error>,
}

impl Log {
    /// Begins a log at a path where nothing is.
    ///
    /// # Errors
    /// There is something, or no file can be made there.
    pub(crate) fn create(path: &Path) -> io::Result<Log> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Log { file: BufWriter::new(file), failed: None })
    }

    /// Says with what the server begins: where it listens is known by now.
    pub(super) fn start(&mut self, host: &Host, options: &Options) {
        let words = [
            FORM.to_owned(),
            options.seed.to_string(),
            host.port.to_string(),
            host.process.to_string(),
            host.time.to_owned(),
            options.address.ip().to_string(),
            options.max_clients.to_string(),
            options.password.clone(),
        ];
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        self.entry(host.since, &words);
    }

    /// Says what the model is told.
    pub(super) fn tell(&mut self, at: Instant, told: Told<'_>) {
        let number = |client: ClientId| client.0.to_string();
        match told {
            Told::Connect(client, peer, local) => {
                let number = number(client);
                let words = [b"connect", number.as_bytes(), peer.as_bytes(), local.as_bytes()];
                self.entry(at, &words);
            }
            Told::Disconnect(client) => {
                self.entry(at, &[b"disconnect", number(client).as_bytes()]);
            }
            Told::Request(client, args) => {
                let number = number(client);
                let mut words: Vec<&[u8]> = vec![b"request", number.as_bytes()];
                words.extend(args.iter().map(Bytes::as_bytes));
                self.entry(at, &words);
            }
            Told::Expire => self.entry(at, &[b"expire"]),
            Told::Sweep => self.entry(at, &[b"sweep"]),
        }
    }

    fn entry(&mut self, at: Instant, words: &[&[u8]]) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.write(at, words) {
            self.failed = Some(error);
        }
    }

    fn write(&mut self, at: Instant, words: &[&[u8]]) -> io::Result<()> {
        let at = at.nanos().to_string();
        write!(self.file, "*{}\r\n", words.len() + 1)?;
        for word in [at.as_bytes()].iter().chain(words) {
            write!(self.file, "${}\r\n", word.len())?;
            self.file.write_all(word)?;
            self.file.write_all(b"\r\n")?;
        }
        Ok(())
    }

    /// Ends the log.
    ///
    /// # Errors
    /// Something of it could not be written.
    pub(super) fn end(mut self) -> io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.file.flush()
    }
}

/// Why a log cannot be told again.
fn broken(entry: usize, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("entry {entry} of the log {what}"))
}

/// Tells a model what a log says, and returns the digest of what it holds then.
///
/// # Errors
/// The file cannot be read, or it is no whole log: the entry is named.
pub(super) fn replay(path: &Path) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    let (mut requests, mut at) = (Requests::default(), 0);
    let (mut redis, mut clients) = (None, Clients::default());
    for entry in 1.. {
        match requests.next(&bytes, &mut at, ALLOWED) {
            Ok(true) => {}
            Ok(false) if at == bytes.len() => break,
            Ok(false) => return Err(broken(entry, "is not whole")),
            Err(_) => return Err(broken(entry, "is malformed")),
        }
        let mut words = requests.args().iter();
        let nanos = words.next().and_then(Bytes::to_int);
        let at = nanos.map(Instant::from_nanos).ok_or_else(|| broken(entry, "has no instant"))?;
        let words: Vec<Bytes> = words.cloned().collect();
        match &mut redis {
            None => {
                let begun = begin(at, &words).ok_or_else(|| broken(entry, "is no beginning"))?;
                redis = Some(begun);
            }
            Some(redis) => {
                tell(redis, &mut clients, at, &words).ok_or_else(|| broken(entry, "cannot be"))?;
            }
        }
    }
    redis.map(|redis| redis.digest()).ok_or_else(|| broken(1, "is missing"))
}

/// The model as the server began with it.
fn begin(since: Instant, words: &[Bytes]) -> Option<Redis> {
    let [form, seed, port, process, time, address, most, password] = words else { return None };
    if form != FORM {
        return None;
    }
    let number = |word: &Bytes| word.as_str()?.parse::<u64>().ok();
    let options = Options {
        address: std::net::SocketAddr::new(
            address.as_str()?.parse().ok()?,
            u16::try_from(number(port)?).ok()?,
        ),
        time: if time == "real" { Time::Real } else { Time::Virtual },
        max_clients: usize::try_from(number(most)?)
            .ok()
            .filter(|most| MAX_CLIENTS.contains(most))?,
        password: password.as_str()?.to_owned(),
        seed: number(seed)?,
    };
    let host = Host {
        port: options.address.port(),
        process: u32::try_from(number(process)?).ok()?,
        time: options.time.word(),
        since,
    };
    Some(super::hub::model(&options, &host))
}

/// Who is connected: a server numbers its clients from 0 and leaves no number out.
#[derive(Default)]
struct Clients(Vec<bool>);

impl Clients {
    /// A client that comes; it is not there yet.
    fn come(&mut self, word: &Bytes) -> Option<ClientId> {
        let number = usize::try_from(word.to_int()?).ok()?;
        if number == self.0.len() {
            self.0.push(false);
        }
        let there = self.0.get_mut(number).filter(|there| !**there)?;
        *there = true;
        u32::try_from(number).ok().map(ClientId)
    }

    /// A client that is there.
    fn there(&mut self, word: &Bytes) -> Option<(ClientId, &mut bool)> {
        let number = u32::try_from(word.to_int()?).ok()?;
        let there = self.0.get_mut(number as usize).filter(|there| **there)?;
        Some((ClientId(number), there))
    }
}

fn tell(redis: &mut Redis, clients: &mut Clients, at: Instant, words: &[Bytes]) -> Option<()> {
    match (words.first()?.as_bytes(), &words[1..]) {
        (b"connect", [number, peer, local]) => {
            redis.connect(clients.come(number)?, peer.as_str()?, local.as_str()?, at);
        }
        (b"disconnect", [number]) => {
            let (client, there) = clients.there(number)?;
            *there = false;
            redis.disconnect(client);
        }
        (b"request", [number, args @ ..]) if !args.is_empty() => {
            let (client, _) = clients.there(number)?;
            if redis.is_blocked(client) {
                return None;
            }
            redis.request(client, args, at);
        }
        (b"expire", []) => redis.expire(at),
        (b"sweep", []) => redis.sweep(at),
        _ => return None,
    }
    // What would go out goes nowhere.
    redis.served().for_each(drop);
    let _ = redis.dismissed();
    Some(())
}
