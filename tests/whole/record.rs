//! The recorder of the truth cases, against a server of the model.

use super::bullmq;
use super::case::Case;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How many processes of containers there are at once.
const PROCESSES: &str = "10";
/// A run that was later than this is made again, so many times in all.
const LATE_MS: i64 = 70;
const TRIES: &str = "3";
/// How far from a signal and from a stalled check that finds something a job has to begin and end,
/// in milliseconds.
const APART_MS: i64 = 30;

/// Why nothing can be recorded, if nothing can: a reason to skip the test.
///
/// # Panics
/// If it is required.
pub(crate) fn missing() -> Option<String> {
    let node = Command::new("node").arg("--version").output().err();
    let reason = node.map(|_| "there is no node on PATH".to_owned());
    if let Some(reason) = &reason {
        let required = bullmq::REQUIRED;
        assert!(std::env::var_os(required).is_none(), "{required} is set, and {reason}");
    }
    let versions = ["5.34.10", "5.81.5", "6.7.0"];
    reason.or_else(|| versions.into_iter().find_map(bullmq::missing))
}

/// Records the scenarios of these files into a folder.
pub(crate) fn record(files: &[PathBuf], out: &Path) -> Result<(), String> {
    let server = Server::start()?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/truth/recorder/record.cjs");
    let packages = bullmq::package("");
    let output = Command::new("node")
        .arg(program)
        .args(["--runs", "1", "--timelines", "--tries", TRIES, "--processes", PROCESSES])
        .args(["--late", &LATE_MS.to_string(), "--port", &server.port.to_string()])
        .args([Path::new("--packages"), &packages, Path::new("--out"), out])
        .args(files)
        .output()
        .map_err(|error| format!("node: {error}"))?;
    let said = server.stop()?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    if said.is_empty() { Ok(()) } else { Err(format!("the server said: {said}")) }
}

/// Why what was recorded says nothing, if so: the machine was too late in the best of the runs, or
/// it has brought a job to where a millisecond decides.
pub(crate) fn unfit(case: &Case, timeline: &Value) -> Option<String> {
    let late = case.timing[0]["quality"]["late"].as_i64().unwrap_or(i64::MAX);
    if late > LATE_MS {
        return Some(format!("the machine was {late} ms late in the best of {TRIES} runs"));
    }
    let edges = edges(case);
    let near = list(&timeline["rows"]).into_iter().find_map(|row| {
        let ended = (row[8] != "killed").then(|| row[1].as_i64()).flatten();
        // A job that stalled is fetched at once.
        let others = edges.iter().filter(|(_, job)| *job != row[3]);
        let places = [row[0].as_i64(), ended].into_iter().flatten();
        let gaps = others.flat_map(|(edge, _)| places.clone().map(move |at| (edge - at).abs()));
        gaps.min().filter(|gap| *gap < APART_MS)
    });
    near.map(|gap| format!("a job began or ended {gap} ms from a signal or a stalled check"))
}

/// The instants of signals, with nothing, and those at which jobs were found to stall, with these.
fn edges(case: &Case) -> Vec<(i64, Value)> {
    let timing = &case.timing[0];
    let kills_itself = |exit: &Value| {
        let own = |death: &Value| Some(death.as_str()?.split_once(": ")?.0 == exit[0].as_str()?);
        list(&case.outcome["selfKills"]).iter().any(|death| own(death) == Some(true))
    };
    let stops = case.lives().unwrap_or_default().into_iter().flat_map(|life| life.stops);
    let stops = stops.map(|(at, _)| (case.phase() + at, Value::Null));
    let exits = list(&timing["exits"]).into_iter();
    let exits = exits.filter(|exit| exit[4] == "SIGKILL" && !kills_itself(exit));
    let exits = exits.filter_map(|exit| Some((exit[2].as_i64()?, Value::Null)));
    let stalled = list(&timing["stalledAtMs"]).into_iter();
    let stalled = stalled.filter_map(|found| Some((found[1].as_i64()?, found[2].clone())));
    stops.chain(exits).chain(stalled).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The timeline of a recorded run: a row for each start of a processor.
pub(crate) fn timeline(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).map(|file: Value| file["timelines"][0].clone()).unwrap_or_default()
}

/// Writes the file of a scenario.
pub(crate) fn write(case: &Value, file: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(case).map_err(|error| error.to_string())?;
    fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))
}

/// A server of the model, in real time. It ends with this.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Result<Server, String> {
        let process = Command::new(env!("CARGO_BIN_EXE_bootrace"))
            .args(["serve", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("bootrace serve: {error}"))?;
        let mut server = Server { process, port: 0 };
        let mut line = String::new();
        let output = server.process.stdout.as_mut().ok_or("it is piped")?;
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        server.port = port.ok_or_else(|| format!("it says where it listens, not {line:?}"))?;
        Ok(server)
    }

    /// Ends it. What it said besides: a command that it does not know.
    fn stop(mut self) -> Result<String, String> {
        let interrupt = Command::new("kill").arg(self.process.id().to_string()).status();
        interrupt.map_err(|error| format!("kill: {error}"))?;
        self.process.wait().map_err(|error| error.to_string())?;
        let mut said = String::new();
        let errors = self.process.stderr.as_mut().ok_or("it is piped")?;
        errors.read_to_string(&mut said).map_err(|error| error.to_string())?;
        Ok(said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless something failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
