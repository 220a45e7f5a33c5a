//! Real clients against `bootrace serve`: ioredis and BullMQ in Node, the `redis` crate in Rust.
//!
//! Each client asserts what a real server would answer. At the end no command may have come that the
//! server does not know.

#[path = "support/bullmq.rs"]
mod bullmq;
#[path = "clients/rust.rs"]
mod rust;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};

/// The version of bullmq, which brings ioredis along.
const VERSION: &str = "5.81.5";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = vec![node("ioredis"), node("bullmq")];
    trials.extend(rust::PARTS.map(|(name, part)| {
        Trial::test(format!("the redis crate: {name}"), move || {
            let server = Server::start()?;
            part(&mut rust::connect(server.port)?)?;
            server.stop()
        })
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A program of Node against a server of its own.
fn node(program: &'static str) -> Trial {
    let Some(reason) = bullmq::missing(VERSION) else {
        return Trial::test(program, move || {
            let server = Server::start()?;
            let script = format!("tests/clients/{program}.mjs");
            let output = Command::new("node")
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
                .arg(bullmq::package(VERSION))
                .arg(server.port.to_string())
                .output()
                .map_err(|error| format!("node: {error}"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(format!("{}: {said}", output.status).into());
            }
            server.stop()
        });
    };
    Trial::test(format!("{program}: {reason}"), || Ok(())).with_ignored_flag(true)
}

/// A server that ends with the test.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Result<Server, Failed> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_bootrace"))
            .args(["serve", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().ok_or("it is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let mut server = Server { process, port: 0 };
        server.port = port.ok_or_else(|| format!("it says where it listens, not {line:?}"))?;
        Ok(server)
    }

    /// Ends it as an operator does; it knew every command that came.
    fn stop(mut self) -> Result<(), Failed> {
        let mut connection = rust::connect(self.port)?;
        // The server closes the connection in place of a reply.
        let _ = redis::cmd("SHUTDOWN").arg("NOSAVE").query::<()>(&mut connection);
        let status = self.process.wait()?;
        let mut said = String::new();
        self.process.stderr.take().ok_or("it is piped")?.read_to_string(&mut said)?;
        // The tests ask for one that there is not, to see the error.
        let known = |line: &str| line.eq_ignore_ascii_case("unknown command nothing, once");
        if status.success() && said.lines().all(known) {
            return Ok(());
        }
        Err(format!("the server ended with {status} and said: {said}").into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
