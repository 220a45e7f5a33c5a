//! What the HELP of a command of several parts answers with.

use super::bytes::Bytes;
use super::error::Error;
use super::reply::Reply;

/// The lines of HELP: each part with its arguments, and lines about it, which are indented
/// (networking.c `addReplyHelp`).
pub(super) fn help(container: &str, parts: &[(&'static str, &[&'static str])]) -> Reply {
    let line = |text: String| Reply::Simple(text.into());
    let first = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let mut lines = vec![line(first)];
    for (part, about) in parts {
        lines.push(Reply::Status(part));
        lines.extend(about.iter().map(|text| line(format!("    {text}"))));
    }
    lines.push(Reply::Status("HELP"));
    lines.push(Reply::Status("    Prints this help."));
    Reply::Array(lines)
}

/// The error of a command of several parts that is given the wrong number of arguments and says so
/// itself (networking.c `addReplySubcommandSyntaxError`).
pub(super) fn wrong_part(args: &[Bytes]) -> Error {
    let part = String::from_utf8_lossy(&args[1]);
    let container = String::from_utf8_lossy(&args[0]).to_uppercase();
    Error::line(format!(
        "ERR unknown subcommand or wrong number of arguments for '{part}'. Try {container} HELP."
    ))
}

/// An error that repeats a word that was sent.
pub(super) fn quoting(before: &str, word: &[u8], after: &str) -> Error {
    Error::Bytes(Bytes::from([before.as_bytes(), word, after.as_bytes()].concat()))
}
