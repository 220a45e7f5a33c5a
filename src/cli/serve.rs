//! `serve`: a Redis server on a socket, until a signal ends it. It prints where it listens, and at
//! its end the commands that came and that it does not know.

use super::{Exit, tell, write};
use crate::serve::{Log, MAX_CLIENTS, Options, Time, replay, serve as listen};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// The port to listen on; 0: one that is free
    #[arg(long, default_value_t = 6379)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Whether time passes by itself, or by the command BOOTRACE.ADVANCE
    #[arg(long, value_enum, default_value_t = Time::Real)]
    time: Time,
    /// How many clients there may be at a time
    #[arg(long, default_value_t = 10_000, value_parser = max_clients)]
    maxclients: usize,
    /// The password that clients must give
    #[arg(long, default_value = "")]
    requirepass: String,
    /// What random members are drawn from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Writes everything that comes, in order, to a new file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Serves nobody: tells the model what such a file says, and prints the digest of its keys
    #[arg(long, value_name = "FILE", exclusive = true)]
    replay: Option<PathBuf>,
}

fn max_clients(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| MAX_CLIENTS.contains(number));
    let (least, most) = (MAX_CLIENTS.start(), MAX_CLIENTS.end());
    number.ok_or_else(|| format!("it is a number from {least} to {most}"))
}

pub(super) fn serve(how: &How) -> Exit {
    if let Some(log) = &how.replay {
        return again(log);
    }
    if !how.bind.is_loopback() {
        tell(&format!(
            "warning: whoever can reach {} can do anything with this server; it is made for tests\n",
            how.bind
        ));
    }
    let options = Options {
        address: SocketAddr::new(how.bind, how.port),
        time: how.time,
        max_clients: how.maxclients,
        password: how.requirepass.clone(),
        seed: how.seed,
    };
    let log = match how.log.as_deref().map(Log::create).transpose() {
        Ok(log) => log,
        Err(error) => {
            let file = how.log.as_deref().unwrap_or(Path::new("")).display();
            tell(&format!("error: cannot begin the log {file}: {error}\n"));
            return Exit::Io;
        }
    };
    let mut written = None;
    let ended =
        listen(&options, log, |address| written = write(&format!("listening on {address}\n")));
    match ended {
        Ok(ended) => {
            let mut text = String::new();
            for (name, count) in &ended.unknown {
                let times = if *count == 1 { "once" } else { &format!("{count} times") };
                let _ = writeln!(text, "unknown command {name}, {times}");
            }
            tell(&text);
            match ended.digest {
                Ok(digest) => written
                    .or_else(|| write(&digest.map_or_else(String::new, said)))
                    .unwrap_or(Exit::AsDeclared),
                Err(error) => {
                    tell(&format!("error: the log is not whole: {error}\n"));
                    Exit::Io
                }
            }
        }
        Err(error) => {
            tell(&format!("error: cannot listen on {}: {error}\n", options.address));
            Exit::Io
        }
    }
}

fn said(digest: String) -> String {
    format!("digest {digest}\n")
}

/// Tells a model what a log says.
fn again(log: &Path) -> Exit {
    match replay(log) {
        Ok(digest) => write(&said(digest)).unwrap_or(Exit::AsDeclared),
        Err(error) => {
            tell(&format!("error: cannot tell {} again: {error}\n", log.display()));
            Exit::Io
        }
    }
}
