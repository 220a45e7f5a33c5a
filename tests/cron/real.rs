//! The real cron-parser in a process of Node, asked in batches.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::bullmq;

/// Why no Node can be asked, if none can: a reason to skip a test.
pub(crate) fn missing() -> Option<String> {
    let reason = Command::new("node").arg("--version").output().err();
    let reason = reason.map(|_| "there is no node on PATH".to_owned());
    if let Some(reason) = &reason {
        let required = bullmq::REQUIRED;
        assert!(std::env::var_os(required).is_none(), "{required} is set, and {reason}");
    }
    reason
}

/// The process, in a time zone of its own.
pub(crate) struct Real {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Real {
    /// Starts it with the cron-parser that a version of bullmq has.
    pub(crate) fn start(version: &str, zone: &str) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cron/ask.cjs");
        let mut process = Command::new("node")
            .arg(program)
            .arg(bullmq::package(version).join("node_modules"))
            .env("TZ", zone)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("its output is a pipe"));
        Real { process, input, output }
    }

    /// Sends a question; [`Real::answer`] has to be asked for what comes of it.
    pub(crate) fn ask(&mut self, question: &Value) {
        let input = self.input.as_mut().expect("it is open");
        writeln!(input, "{question}").expect("node reads");
    }

    /// The answer to the oldest question that has none yet.
    pub(crate) fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("node answers");
        serde_json::from_str(&line).expect("node answers with JSON")
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // Without input it ends by itself; it may be in the middle of a batch that nobody wants.
        drop(self.input.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
