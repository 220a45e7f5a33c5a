//! The commands about a connection: PING, ECHO, QUIT, RESET, SELECT, AUTH, HELLO.
//!
//! There is one user, `default`: access lists are not modelled.

use super::args::{int, is};
use super::bytes::{Bytes, parse_int};
use super::error::Error;
use super::reply::Reply;
use super::server::{Answer, Call, DATABASES};
use super::session::Replies;
use super::table::Spec;
use super::table::flag::{ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE};

const ALWAYS: u32 = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY;
const NONE: (i32, i32, i32) = (0, 0, 0);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("auth", -2, ALWAYS, NONE, auth),
    Spec::new("echo", 2, LOADING | STALE | FAST, NONE, echo),
    Spec::new("hello", -1, ALWAYS, NONE, hello),
    Spec::new("ping", -1, FAST, NONE, ping),
    Spec::new("quit", -1, ALWAYS, NONE, quit),
    Spec::new("reset", 1, ALWAYS, NONE, reset),
    Spec::new("select", 2, LOADING | STALE | FAST, NONE, select),
];

/// The version of Redis whose behaviour this is.
pub(super) const VERSION: &str = "7.0.15";

/// PING. A subscriber of version 2 gets it in the form of a message.
fn ping(call: &mut Call<'_>) -> Answer {
    if call.args.len() > 2 {
        return Err(Error::line("ERR wrong number of arguments for 'ping' command"));
    }
    let text = call.args.get(1).cloned();
    let session = call.session();
    if session.subscribed() && session.resp == 2 {
        return Ok(Reply::Array(vec!["pong".into(), Reply::Bulk(text.unwrap_or_default())]));
    }
    Ok(text.map_or(Reply::Status("PONG"), Reply::Bulk))
}

/// ECHO.
fn echo(call: &mut Call<'_>) -> Answer {
    Ok(Reply::Bulk(call.args[1].clone()))
}

/// QUIT.
fn quit(call: &mut Call<'_>) -> Answer {
    call.session().closing = true;
    Ok(Reply::OK)
}

/// RESET: the client is as one that has just connected.
fn reset(call: &mut Call<'_>) -> Answer {
    let client = call.client;
    call.server.unwatch(client);
    call.server.unsubscribe_all(client);
    call.server.monitors.retain(|monitor| *monitor != client);
    let nopass = call.server.settings.password.is_empty();
    let session = call.session();
    session.db = 0;
    session.resp = 2;
    session.queued = None;
    session.name = Bytes::new();
    session.replies = Replies::On;
    session.authenticated = nopass;
    Ok(Reply::Status("RESET"))
}

/// SELECT.
fn select(call: &mut Call<'_>) -> Answer {
    let number = int(&call.args[1])?;
    if i32::try_from(number).is_err() {
        return Err(Error::Text(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    let number = usize::try_from(number).ok().filter(|number| *number < DATABASES);
    let number = number.ok_or(Error::Text("ERR DB index is out of range"))?;
    call.server.db(number);
    call.session().db = number;
    Ok(Reply::OK)
}

const WRONG_PASS: Error =
    Error::Text("WRONGPASS invalid username-password pair or user is disabled.");

/// Whether a user's password is this one; then the client is that user.
fn authenticate(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Result<(), Error> {
    let wanted = &call.server.settings.password;
    if user != b"default" || (!wanted.is_empty() && wanted.as_bytes() != password) {
        return Err(WRONG_PASS);
    }
    call.session().authenticated = true;
    Ok(())
}

/// AUTH.
fn auth(call: &mut Call<'_>) -> Answer {
    match call.args {
        [_, password] => {
            if call.server.settings.password.is_empty() {
                return Err(Error::Text(
                    "ERR AUTH <password> called without any password configured for the default \
                     user. Are you sure your configuration is correct?",
                ));
            }
            authenticate(call, b"default", password)?;
        }
        [_, user, password] => authenticate(call, user, password)?,
        _ => return Err(Error::Syntax),
    }
    Ok(Reply::OK)
}

/// Gives a client its name; an empty one is none (networking.c `clientSetNameOrReply`).
pub(super) fn set_name(call: &mut Call<'_>, name: &Bytes) -> Result<(), Error> {
    if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
        return Err(Error::InvalidClientName);
    }
    call.session().name = name.clone();
    Ok(())
}

/// HELLO.
fn hello(call: &mut Call<'_>) -> Answer {
    let mut version = None;
    if let Some(wanted) = call.args.get(1) {
        let wanted = parse_int(wanted)
            .ok_or(Error::Text("ERR Protocol version is not an integer or out of range"))?;
        let wanted = u8::try_from(wanted).ok().filter(|wanted| matches!(wanted, 2 | 3));
        version = Some(wanted.ok_or(Error::Text("NOPROTO unsupported protocol version"))?);
    }
    let mut options = call.args.get(2..).unwrap_or_default();
    while let Some((option, rest)) = options.split_first() {
        options = match rest {
            [user, password, rest @ ..] if is(option, "AUTH") => {
                authenticate(call, user, password)?;
                rest
            }
            [name, rest @ ..] if is(option, "SETNAME") => {
                set_name(call, name)?;
                rest
            }
            _ => {
                let mut text = b"ERR Syntax error in HELLO option '".to_vec();
                text.extend_from_slice(option);
                text.push(b'\'');
                return Err(Error::Bytes(Bytes::from(text)));
            }
        };
    }
    let session = call.session();
    if !session.authenticated {
        return Err(Error::Text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO AUTH <user> <pass> option can be used to authenticate the client and select \
             the RESP protocol version at the same time",
        ));
    }
    session.resp = version.unwrap_or(session.resp);
    let id = i64::try_from(session.id).unwrap_or(i64::MAX);
    Ok(Reply::Map(vec![
        ("server".into(), "redis".into()),
        ("version".into(), VERSION.into()),
        ("proto".into(), Reply::Int(i64::from(session.resp))),
        ("id".into(), Reply::Int(id)),
        ("mode".into(), "standalone".into()),
        ("role".into(), "master".into()),
        ("modules".into(), Reply::Array(Vec::new())),
    ]))
}
