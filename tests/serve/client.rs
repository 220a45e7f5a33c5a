//! A server of the test's own, and clients of it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bootrace::sim::redis::{Bytes, Reply, resp};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server. It ends when this is dropped.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts one on a port of its own, with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootrace"));
        Server::spawn(command.args(["serve", "--port", "0"]).args(arguments))
    }

    /// Starts one by this command.
    pub(crate) fn spawn(command: &mut Command) -> Server {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let mut line = String::new();
        let out = process.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let port = line.trim_end().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("{line:?} names no port"));
        Server { process, port }
    }

    /// A new client.
    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        stream.set_nodelay(true).expect("a socket");
        Client { stream, input: Vec::new() }
    }

    /// A line of what Linux says of the process, in kilobytes.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
    }

    /// How long the process has run on a processor, in hundredths of a second.
    pub(crate) fn ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.process.id());
        let stat = std::fs::read_to_string(path).expect("the process runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to do about it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
}

/// A command as a request.
pub(crate) fn request(command: &str) -> Vec<u8> {
    let words: Vec<&str> = command.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
    bytes
}

/// A string.
pub(crate) fn bulk(text: &str) -> Reply {
    Reply::Bulk(Bytes::from(text))
}

/// A status.
pub(crate) fn status(text: &str) -> Reply {
    Reply::Simple(Bytes::from(text))
}

impl Client {
    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Sends a command and reads its reply.
    pub(crate) fn ask(&mut self, command: &str) -> Reply {
        self.send(&request(command));
        self.reply()
    }

    /// The next reply or message.
    pub(crate) fn reply(&mut self) -> Reply {
        loop {
            if let Some((reply, count)) = resp::decode(&self.input).expect("a reply") {
                self.input.drain(..count);
                return reply;
            }
            assert!(self.receive(), "the server has closed the connection");
        }
    }

    /// Whether more comes, within a moment.
    pub(crate) fn hears(&mut self, moment: Duration) -> bool {
        self.stream.set_read_timeout(Some(moment)).expect("a timeout that is not zero");
        let mut byte = [0];
        let heard = matches!(self.stream.peek(&mut byte), Ok(1));
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        heard || !self.input.is_empty()
    }

    /// All that comes until the connection is closed, by either side.
    pub(crate) fn rest(&mut self, close: bool) -> Vec<u8> {
        if close {
            // It may be closed already.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        while self.receive() {}
        std::mem::take(&mut self.input)
    }

    /// All that comes until nothing has come for a while, or the connection is closed.
    pub(crate) fn comes(&mut self, quiet: Duration) -> Vec<u8> {
        self.stream.set_read_timeout(Some(quiet)).expect("a timeout that is not zero");
        let mut bytes = [0; 1 << 16];
        while let Ok(count @ 1..) = self.stream.read(&mut bytes) {
            self.input.extend_from_slice(&bytes[..count]);
        }
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        std::mem::take(&mut self.input)
    }

    /// So many bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            assert!(self.receive(), "the server has closed the connection");
        }
        self.input.drain(..count).collect()
    }

    fn receive(&mut self) -> bool {
        let mut bytes = [0; 1 << 16];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.input.extend_from_slice(&bytes[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing comes: {error}"),
        }
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
