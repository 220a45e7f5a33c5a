//! Where it listens, and how it ends.

use std::io::Read;
use std::process::Command;
use std::time::{Duration, Instant};

use super::client::{Server, request};

/// Only loopback is listened on unless told otherwise, and that is warned of.
pub(super) fn loopback() {
    let server = Server::start(&[]);
    let wanted = format!("{:04X}", server.port);
    let mut found = Vec::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = std::fs::read_to_string(file).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (address, port) = fields[1].split_once(':').expect("an address and a port");
            // 0A is the state of one that listens.
            if port == wanted && fields[3] == "0A" {
                found.push(address.to_owned());
            }
        }
    }
    assert_eq!(found, ["0100007F"]);

    let mut server = Server::start(&["--bind", "0.0.0.0"]);
    terminate(&server);
    let mut said = String::new();
    let errors = server.process.stderr.as_mut().expect("it is piped");
    errors.read_to_string(&mut said).expect("text");
    assert!(said.contains("warning:"), "{said:?}");
}

pub(super) fn terminate(server: &Server) {
    let id = server.process.id().to_string();
    let ended = Command::new("kill").args(["-TERM", &id]).status().expect("there is a `kill`");
    assert!(ended.success());
}

/// SIGTERM ends it within a second, whatever clients do, and what was not known is told; its port
/// is free again.
pub(super) fn signals() {
    let mut port = "0".to_owned();
    for _ in 0..20 {
        let mut server = Server::spawn(
            Command::new(env!("CARGO_BIN_EXE_bootrace")).args(["serve", "--port", &port]),
        );
        let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
        clients[0].ask("NOSUCH a");
        clients[0].ask("nosuch b");
        clients[1].send(&request("BLPOP l 0"));
        clients[2].send(b"*1\r\n$100\r\n");
        clients[3].send(&request("SUBSCRIBE c"));
        let started = Instant::now();
        terminate(&server);
        let status = server.process.wait().expect("it ends");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(status.code(), Some(0));
        let mut said = String::new();
        let errors = server.process.stderr.as_mut().expect("it is piped");
        errors.read_to_string(&mut said).expect("text");
        assert!(said.contains("unknown command nosuch, 2 times"), "{said:?}");
        port = server.port.to_string();
    }
}
