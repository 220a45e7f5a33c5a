//! The log of what came, and what telling it again comes to.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::client::{Server, request};
use super::end::terminate;

/// How many sessions there are, each a connection of its own, on so many threads.
const SESSIONS: u64 = 1000;
const THREADS: u64 = 8;

/// What clients send. What it leaves depends on the order of coming, on time, on random members and on
/// who waits.
const COMMANDS: [&str; 16] = [
    "APPEND order {n},",
    "RPUSH list {n} a b",
    "LPOP list",
    "BLPOP list other 0.01",
    "BLMOVE list other LEFT RIGHT 0.01",
    "SADD set {n} a b c",
    "SPOP set",
    "XADD stream * n {n}",
    "SET key:{n} {n} PX 5",
    "GETEX key:{n} EX 100",
    "ZADD zset {n} m{n}",
    "ZPOPMIN zset",
    "SELECT 3",
    "INCRBY sum {n}",
    "MULTI",
    "EXEC",
];

/// A script that leaves the time and a random member.
const SCRIPT: &[&str] =
    &["EVAL", "return redis.call('APPEND', 'times', redis.call('TIME')[2])", "0"];

fn words(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes()));
    bytes
}

/// One client: some commands, sent ahead or one by one, and gone, sometimes without waiting.
fn session(server: &Server, number: u64) {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |bound: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut client = server.connect();
    for _ in 0..draw(6) {
        if draw(8) == 0 {
            client.send(&words(SCRIPT));
        }
        let command = COMMANDS[draw(COMMANDS.len())].replace("{n}", &draw(10).to_string());
        client.send(&request(&command));
    }
    if draw(4) > 0 {
        client.rest(true);
    }
}

fn sessions() -> u64 {
    let given = std::env::var("BOOTRACE_SESSIONS").ok();
    given.map_or(SESSIONS, |text| text.parse().expect("BOOTRACE_SESSIONS is a number"))
}

fn fresh(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("bootrace-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn replay(log: &PathBuf) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootrace"));
    command.arg("serve").arg("--replay").arg(log).output().expect("it starts")
}

/// Told again, the log comes to the same keys; one that is cut, or is none, is refused.
pub(super) fn told_again() {
    let log = fresh("log");
    let file = log.to_str().expect("text");
    let mut server = Server::start(&["--log", file, "--seed", "7"]);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let server = &server;
            scope.spawn(move || {
                for number in (thread..sessions()).step_by(THREADS as usize) {
                    session(server, number);
                }
            });
        }
    });
    server.connect().ask("SET last one");
    terminate(&server);
    assert_eq!(server.process.wait().expect("it ends").code(), Some(0));
    let mut said = String::new();
    server.process.stdout.as_mut().expect("it is piped").read_to_string(&mut said).expect("text");
    assert!(said.starts_with("digest ") && said.len() == 48, "{said:?}");
    let again = replay(&log);
    assert_eq!(String::from_utf8_lossy(&again.stdout), said);
    println!("{} sessions, {said}", sessions());

    let whole = std::fs::read(&log).expect("it is there");
    std::fs::write(&log, &whole[..whole.len() - 1]).expect("it can be written");
    let cut = replay(&log);
    assert_eq!(cut.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&cut.stderr).contains("is not whole"));
    // A client that never came, with a number that would take all memory.
    let mut strange = whole;
    strange.extend(words(&["1", "request", "4294967295", "PING"]));
    std::fs::write(&log, strange).expect("it can be written");
    let refused = replay(&log);
    assert_eq!(refused.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot be"));
    std::fs::remove_file(&log).expect("it is there");
}

/// A log never takes the place of a file.
pub(super) fn kept() {
    let log = fresh("kept");
    std::fs::write(&log, "mine").expect("it can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootrace"));
    let refused = command.args(["serve", "--port", "0", "--log"]).arg(&log).output();
    assert_eq!(refused.expect("it starts").status.code(), Some(5));
    assert_eq!(std::fs::read(&log).expect("it is there"), b"mine");
    std::fs::remove_file(&log).expect("it is there");
}
