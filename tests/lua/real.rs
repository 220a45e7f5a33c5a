//! A real redis-server: found on PATH, started on a socket of its own without persistence, and ended
//! with the test.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bootrace_sim::redis::resp::decode;

use crate::pair::{Answers, shown};

/// Set where a missing server is a failure.
const REQUIRED: &str = "BOOTRACE_REQUIRE_REDIS";
/// The version whose behaviour the model has.
const VERSION: &str = "v=7.0.";
/// How long the server may take to come up or to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why no real server can be asked, if none can: a reason to skip a test.
///
/// # Panics
/// If one is required.
pub(crate) fn missing() -> Option<String> {
    let reason = match Command::new("redis-server").arg("--version").output() {
        Err(_) => Some("there is no redis-server on PATH".to_owned()),
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (!version.contains(VERSION)).then(|| format!("redis-server is not 7.0: {version}"))
        }
    };
    if let Some(reason) = &reason {
        assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and {reason}");
    }
    reason
}

/// A server and a client of it.
pub(crate) struct Real {
    process: Child,
    folder: PathBuf,
    stream: UnixStream,
}

impl Real {
    /// Starts an empty one; the client speaks version 2 of the protocol.
    pub(crate) fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bootrace-lua-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder for the server's socket");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "no"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        let started = Instant::now();
        let stream = loop {
            match UnixStream::connect(folder.join("socket")) {
                Ok(stream) => break stream,
                Err(_) => assert!(started.elapsed() < PATIENCE, "redis-server comes up"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        Real { process, folder, stream }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to do about it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Answers for Real {
    fn ask(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request).expect("the server reads");
        let mut answer = Vec::new();
        let mut piece = vec![0; 1 << 16];
        while decode(&answer).expect("a reply").is_none() {
            let count = self.stream.read(&mut piece).unwrap_or(0);
            assert!(count > 0, "no answer to {}", shown(&request));
            answer.extend_from_slice(&piece[..count]);
        }
        answer
    }
}
