//! A real redis-server for a test: found, started on a socket of its own, without persistence, and
//! ended with the test. Its clock shows what the test says.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Set where a missing server is a failure.
const REQUIRED: &str = "BOOTRACE_REQUIRE_REDIS";
/// The version whose behaviour the model has.
const VERSION: &str = "v=7.0.";
/// How long a real server may take to come up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to answer; a reply that the model alone has is waited for so long.
const ANSWER: Duration = Duration::from_secs(2);

/// Why no real server can be asked, if none can: a reason to skip a test.
///
/// # Panics
/// If one is required.
pub(crate) fn missing() -> Option<String> {
    let reason = match Command::new("redis-server").arg("--version").output() {
        Err(_) => Some("there is no redis-server on PATH".to_owned()),
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).into_owned();
            let right = version.contains(VERSION);
            (!right).then(|| format!("redis-server is not 7.0: {}", version.trim()))
        }
    };
    if let Some(reason) = &reason {
        assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and {reason}");
    }
    reason
}

/// A real server. It ends when this is dropped.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    clock: File,
}

impl Server {
    /// Starts one whose clock shows `now_ms`.
    pub(crate) fn start(now_ms: i64) -> Server {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("bootrace-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the server's socket");
        let (clock, library) = (folder.join("clock"), folder.join("clock.so"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redis/clock.c");
        let made = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status()
            .expect("a C compiler, which cargo needs too");
        assert!(made.success(), "the clock is compiled");
        let file = File::create(&clock).expect("a file for the clock");
        set(&file, now_ms);
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "yes", "--loglevel", "warning"])
            .current_dir(&folder)
            .env("LD_PRELOAD", &library)
            .env("BOOTRACE_CLOCK", &clock)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        let server = Server { process, folder, clock: file };
        let started = Instant::now();
        while server.try_connect().is_err() {
            assert!(started.elapsed() < PATIENCE, "redis-server comes up");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn try_connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.folder.join("socket"))
    }

    /// Another client.
    pub(crate) fn connect(&self) -> Connection {
        let stream = self.try_connect().expect("the server is up");
        stream.set_read_timeout(Some(ANSWER)).expect("a timeout that is not zero");
        Connection { stream: Some(stream), input: Vec::new(), at: 0 }
    }

    /// Sets the server's clock.
    pub(crate) fn set_clock(&self, now_ms: i64) {
        set(&self.clock, now_ms);
    }
}

fn set(clock: &File, now_ms: i64) {
    clock.write_all_at(&(now_ms * 1000).to_ne_bytes(), 0).expect("the clock is a file of ours");
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to do about it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A client of a real server, or of none: then it hears what it is told.
#[derive(Default)]
pub(crate) struct Connection {
    stream: Option<UnixStream>,
    /// What it has heard; without a server, what it is made to hear.
    pub(crate) input: Vec<u8>,
    /// How much of `input` was taken.
    at: usize,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // A process that another test is starting holds a copy of the socket until it runs a
            // program of its own: closing ours alone would not be the end. A server that has gone
            // needs to hear nothing.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Connection {
    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.write_all(bytes).expect("the server reads");
        }
    }

    /// What has come and was not taken; waits for more first, if there is less than `least`. Less
    /// comes back if no more comes.
    pub(crate) fn peek(&mut self, least: usize) -> &[u8] {
        if self.at > 1 << 16 {
            self.input.drain(..self.at);
            self.at = 0;
        }
        while self.input.len() - self.at < least && self.receive() {}
        &self.input[self.at..]
    }

    /// Takes so many bytes of what has come.
    pub(crate) fn take(&mut self, count: usize) {
        self.at += count;
    }

    /// What has come and was not taken, without waiting.
    pub(crate) fn pending(&mut self) -> &[u8] {
        self.set_nonblocking(true);
        self.receive();
        self.set_nonblocking(false);
        &self.input[self.at..]
    }

    fn set_nonblocking(&self, yes: bool) {
        if let Some(stream) = &self.stream {
            stream.set_nonblocking(yes).expect("a socket");
        }
    }

    fn receive(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let before = self.input.len();
        self.input.resize(before + (1 << 16), 0);
        let count = stream.read(&mut self.input[before..]).unwrap_or(0);
        self.input.truncate(before + count);
        count > 0
    }
}
