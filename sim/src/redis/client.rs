//! CLIENT: what a client says of itself, and does to others.
//!
//! Caching at the client's side (CLIENT TRACKING ON) is not modelled, and says so.

use std::fmt::Write as _;

use super::ClientId;
use super::args::{int, is};
use super::bytes::{Bytes, parse_int};
use super::connection::set_name;
use super::error::Error;
use super::help;
use super::pause::Held;
use super::reply::Reply;
use super::server::{Answer, Call, Server};
use super::session::{Replies, Session};
use super::table::Spec;
use super::table::flag::{ADMIN, LOADING, NOSCRIPT, STALE};

const OWN: u32 = NOSCRIPT | LOADING | STALE;
const OTHERS: u32 = ADMIN | OWN;
const NONE: (i32, i32, i32) = (0, 0, 0);

pub(super) const COMMANDS: &[Spec] = &[Spec::container(
    "client",
    &[
        Spec::new("caching", 3, OWN, NONE, caching),
        Spec::new("getname", 2, OWN, NONE, getname),
        Spec::new("getredir", 2, OWN, NONE, getredir),
        Spec::new("help", 2, LOADING | STALE, NONE, client_help),
        Spec::new("id", 2, OWN, NONE, id),
        Spec::new("info", 2, OWN, NONE, info),
        Spec::new("kill", -3, OTHERS, NONE, kill),
        Spec::new("list", -2, OTHERS, NONE, list),
        Spec::new("no-evict", 3, OTHERS, NONE, no_evict),
        Spec::new("pause", -3, OTHERS, NONE, pause),
        Spec::new("reply", 3, OWN, NONE, reply),
        Spec::new("setname", 3, OWN, NONE, setname),
        Spec::new("tracking", -3, OWN, NONE, tracking),
        Spec::new("trackinginfo", 2, OWN, NONE, trackinginfo),
        Spec::new("unblock", -3, OTHERS, NONE, unblock),
        Spec::new("unpause", 2, OTHERS, NONE, unpause),
    ],
)];

/// CLIENT ID.
fn id(call: &mut Call<'_>) -> Answer {
    Ok(Reply::Int(i64::try_from(call.session().id).unwrap_or(i64::MAX)))
}

/// CLIENT GETNAME.
fn getname(call: &mut Call<'_>) -> Answer {
    let name = &call.session().name;
    Ok(if name.is_empty() { Reply::Nil } else { Reply::Bulk(name.clone()) })
}

/// CLIENT SETNAME.
fn setname(call: &mut Call<'_>) -> Answer {
    let name = call.args[2].clone();
    set_name(call, &name)?;
    Ok(Reply::OK)
}

/// What kind of client CLIENT LIST and KILL take one for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    Normal,
    Master,
    Replica,
    Subscriber,
}

impl Type {
    fn named(name: &Bytes) -> Result<Type, Error> {
        Ok(match name {
            _ if is(name, "normal") => Type::Normal,
            _ if is(name, "master") => Type::Master,
            _ if is(name, "replica") || is(name, "slave") => Type::Replica,
            _ if is(name, "pubsub") => Type::Subscriber,
            _ => return Err(help::quoting("ERR Unknown client type '", name, "'")),
        })
    }

    fn of(session: &Session) -> Type {
        if session.subscribed() { Type::Subscriber } else { Type::Normal }
    }
}

/// The line about a client (networking.c `catClientInfoString`). Sizes of buffers are nought but for
/// the command that asks, whose words are `asking`.
fn line(server: &Server, client: ClientId, session: &Session, asking: Option<&[Bytes]>) -> String {
    let mut flags = String::new();
    for (flag, set) in [
        ('O', server.monitors.contains(&client)),
        ('P', session.subscribed()),
        ('x', session.queued.is_some()),
        ('b', server.blocked.contains(client) || server.pause.contains(client)),
        ('d', session.changed),
        ('c', session.closing),
        ('e', session.no_evict),
    ] {
        if set {
            flags.push(flag);
        }
    }
    if flags.is_empty() {
        flags.push('N');
    }
    let seconds = |since: crate::clock::Instant| server.now.since(since).nanos() / 1_000_000_000;
    let digits = |number: usize| number.to_string().len();
    let sent = asking.map_or(0, |args| {
        let words = args.iter().map(|word| digits(word.len()) + word.len() + 5);
        digits(args.len()) + 3 + words.sum::<usize>()
    });
    let multi = session.queued.as_ref().map_or(-1, |queued| queued.commands.len() as i64);
    format!(
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={flags} db={} sub={} psub={} \
         ssub={} multi={multi} qbuf={sent} qbuf-free=0 argv-mem={} multi-mem=0 rbs=1024 rbp=0 \
         obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={} user=default redir=-1 resp={}",
        session.id,
        session.peer,
        session.local,
        u64::from(client.0) + FIRST_DESCRIPTOR,
        session.name,
        seconds(session.since),
        seconds(session.last_seen),
        session.db,
        session.channels.len(),
        session.patterns.len(),
        session.shards.len(),
        asking.map_or(0, |args| args.iter().map(|word| word.len()).sum()),
        session.last.unwrap_or("NULL"),
        session.resp,
    )
}

/// The descriptor that a server's first client has.
const FIRST_DESCRIPTOR: u64 = 8;

/// CLIENT INFO.
fn info(call: &mut Call<'_>) -> Answer {
    let (client, args) = (call.client, call.args);
    let session = call.server.known(client).expect("it sends this");
    let text = line(call.server, client, session, Some(args));
    Ok(Reply::Verbatim("txt", Bytes::from(text + "\n")))
}

/// CLIENT LIST.
fn list(call: &mut Call<'_>) -> Answer {
    let mut wanted = None;
    let mut ids = None;
    match &call.args[2..] {
        [] => {}
        [option, name] if is(option, "TYPE") => wanted = Some(Type::named(name)?),
        [option, numbers @ ..] if is(option, "ID") && !numbers.is_empty() => {
            let number = |id| parse_int(id).ok_or(Error::Text("ERR Invalid client ID"));
            let numbers = numbers.iter().map(|id| number(id));
            ids = Some(numbers.collect::<Result<Vec<i64>, Error>>()?);
        }
        _ => return Err(Error::Syntax),
    }
    let mut shown: Vec<(ClientId, &Session)> = call.server.sessions().collect();
    shown.sort_by_key(|(_, session)| session.id);
    if let Some(ids) = ids {
        // In the order asked for, and as often.
        let named =
            |id: &i64| shown.iter().find(|(_, session)| i64::try_from(session.id) == Ok(*id));
        shown = ids.iter().filter_map(|id| named(id).copied()).collect();
    }
    let mut text = String::new();
    for (client, session) in shown {
        if wanted.is_none_or(|wanted| Type::of(session) == wanted) {
            let asking = (client == call.client).then_some(call.args);
            let _ = writeln!(text, "{}", line(call.server, client, session, asking));
        }
    }
    Ok(Reply::Verbatim("txt", Bytes::from(text)))
}

/// Which clients CLIENT KILL ends.
#[derive(Default)]
struct Filter<'a> {
    id: Option<i64>,
    peer: Option<&'a Bytes>,
    local: Option<&'a Bytes>,
    kind: Option<Type>,
    /// The client that asks, unless it may end itself.
    not: Option<ClientId>,
}

impl<'a> Filter<'a> {
    /// Reads the newer form: options with values.
    fn read(mut options: &'a [Bytes], own: ClientId) -> Result<Self, Error> {
        let mut filter = Filter { not: Some(own), ..Filter::default() };
        while let Some((option, rest)) = options.split_first() {
            let (value, rest) = rest.split_first().ok_or(Error::Syntax)?;
            options = rest;
            if is(option, "ID") {
                let id = parse_int(value).filter(|id| *id >= 1);
                let wrong = Error::Text("ERR client-id should be greater than 0");
                filter.id = Some(id.ok_or(wrong)?);
            } else if is(option, "TYPE") {
                filter.kind = Some(Type::named(value)?);
            } else if is(option, "ADDR") {
                filter.peer = Some(value);
            } else if is(option, "LADDR") {
                filter.local = Some(value);
            } else if is(option, "USER") {
                if value != "default" {
                    return Err(help::quoting("ERR No such user '", value, "'"));
                }
            } else if is(option, "SKIPME") {
                filter.not = match () {
                    () if is(value, "yes") => Some(own),
                    () if is(value, "no") => None,
                    () => return Err(Error::Syntax),
                };
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(filter)
    }

    fn takes(&self, client: ClientId, session: &Session) -> bool {
        self.peer.is_none_or(|peer| session.peer == *peer)
            && self.local.is_none_or(|local| session.local == *local)
            && self.kind.is_none_or(|kind| Type::of(session) == kind)
            && self.id.is_none_or(|id| i64::try_from(session.id) == Ok(id))
            && self.not != Some(client)
    }
}

/// CLIENT KILL: by address, or by options.
fn kill(call: &mut Call<'_>) -> Answer {
    let args = call.args;
    let filter = match &args[2..] {
        [peer] => Filter { peer: Some(peer), ..Filter::default() },
        options => Filter::read(options, call.client)?,
    };
    let sessions = call.server.sessions();
    let ended = sessions.filter(|(client, session)| filter.takes(*client, session));
    let ended: Vec<ClientId> = ended.map(|(client, _)| client).collect();
    for client in &ended {
        if *client == call.client {
            call.session().closing = true;
        } else {
            call.server.forget(*client);
            call.server.dismissed.push(*client);
        }
    }
    if args.len() > 3 {
        return Ok(Reply::int(ended.len()));
    }
    if ended.is_empty() { Err(Error::Text("ERR No such client")) } else { Ok(Reply::OK) }
}

/// CLIENT UNBLOCK.
fn unblock(call: &mut Call<'_>) -> Answer {
    let error = match &call.args[3..] {
        [] => false,
        [reason] if is(reason, "TIMEOUT") => false,
        [reason] if is(reason, "ERROR") => true,
        [_] => return Err(Error::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(help::wrong_part(call.args)),
    };
    let id = int(&call.args[2])?;
    let named = |(_, session): &(ClientId, &Session)| i64::try_from(session.id) == Ok(id);
    let client = call.server.sessions().find(named).map(|(client, _)| client);
    let serves = client.and_then(|client| call.server.blocked.serves(client));
    let (Some(client), Some(serves)) = (client, serves) else { return Ok(Reply::Int(0)) };
    call.server.unblock(client);
    let text = Error::Text("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    let reply = if error {
        call.server.count_failed_wait(client, &text);
        Reply::Error(text)
    } else {
        serves.timeout()
    };
    call.server.outbox.push((client, reply));
    Ok(Reply::Int(1))
}

/// CLIENT REPLY.
fn reply(call: &mut Call<'_>) -> Answer {
    let how = &call.args[2];
    let session = call.server.session(call.client);
    if is(how, "ON") {
        session.replies = Replies::On;
        return Ok(Reply::OK);
    } else if is(how, "OFF") {
        session.replies = Replies::Off;
    } else if is(how, "SKIP") {
        if session.replies != Replies::Off {
            session.replies = Replies::SkipNext;
        }
    } else {
        return Err(Error::Syntax);
    }
    Ok(Reply::Nothing)
}

fn on(word: &[u8]) -> Result<bool, Error> {
    match () {
        () if is(word, "ON") => Ok(true),
        () if is(word, "OFF") => Ok(false),
        () => Err(Error::Syntax),
    }
}

/// CLIENT NO-EVICT.
fn no_evict(call: &mut Call<'_>) -> Answer {
    let on = on(&call.args[2])?;
    call.session().no_evict = on;
    Ok(Reply::OK)
}

/// CLIENT PAUSE.
fn pause(call: &mut Call<'_>) -> Answer {
    let held = match &call.args[3..] {
        [] => Held::All,
        [mode] if is(mode, "ALL") => Held::All,
        [mode] if is(mode, "WRITE") => Held::Writes,
        [_] => return Err(Error::Text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(help::wrong_part(call.args)),
    };
    let wrong = Error::Text("ERR timeout is not an integer or out of range");
    let ms = parse_int(&call.args[2]).ok_or(wrong)?;
    if ms < 0 {
        return Err(Error::Text("ERR timeout is negative"));
    }
    // As in Redis, what is too long wraps around, and the pause is over at once.
    call.server.pause.begin(held, call.server.now.ms().wrapping_add(ms));
    Ok(Reply::OK)
}

/// CLIENT UNPAUSE.
fn unpause(call: &mut Call<'_>) -> Answer {
    call.server.pause.end();
    Ok(Reply::OK)
}

/// CLIENT TRACKING. It can be switched off.
fn tracking(call: &mut Call<'_>) -> Answer {
    if on(&call.args[2])? {
        return Err(Error::Text("ERR CLIENT TRACKING is not modelled by this server"));
    }
    Ok(Reply::OK)
}

/// CLIENT TRACKINGINFO.
fn trackinginfo(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Map(vec![
        ("flags".into(), Reply::Set(vec!["off".into()])),
        ("redirect".into(), Reply::Int(-1)),
        ("prefixes".into(), Reply::Array(Vec::new())),
    ]))
}

/// CLIENT CACHING.
fn caching(_: &mut Call<'_>) -> Answer {
    Err(Error::Text(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
         OPTOUT mode enabled",
    ))
}

/// CLIENT GETREDIR.
fn getredir(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Int(-1))
}

/// CLIENT HELP.
fn client_help(_: &mut Call<'_>) -> Answer {
    Ok(help::help(
        "CLIENT",
        &[
            (
                "CACHING (YES|NO)",
                &["Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes."],
            ),
            ("GETREDIR", &["Return the client ID we are redirecting to when tracking is enabled."]),
            ("GETNAME", &["Return the name of the current connection."]),
            ("ID", &["Return the ID of the current connection."]),
            ("INFO", &["Return information about the current client connection."]),
            ("KILL <ip:port>", &["Kill connection made from <ip:port>."]),
            (
                "KILL <option> <value> [<option> <value> [...]]",
                &[
                    "Kill connections. Options are:",
                    "* ADDR (<ip:port>|<unixsocket>:0)",
                    "  Kill connections made from the specified address",
                    "* LADDR (<ip:port>|<unixsocket>:0)",
                    "  Kill connections made to specified local address",
                    "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
                    "  Kill connections by type.",
                    "* USER <username>",
                    "  Kill connections authenticated by <username>.",
                    "* SKIPME (YES|NO)",
                    "  Skip killing current connection (default: yes).",
                ],
            ),
            (
                "LIST [options ...]",
                &[
                    "Return information about client connections. Options:",
                    "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
                    "  Return clients of specified type.",
                ],
            ),
            ("UNPAUSE", &["Stop the current client pause, resuming traffic."]),
            (
                "PAUSE <timeout> [WRITE|ALL]",
                &["Suspend all, or just write, clients for <timeout> milliseconds."],
            ),
            ("REPLY (ON|OFF|SKIP)", &["Control the replies sent to the current connection."]),
            ("SETNAME <name>", &["Assign the name <name> to the current connection."]),
            ("UNBLOCK <clientid> [TIMEOUT|ERROR]", &["Unblock the specified blocked client."]),
            (
                "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
                &["     [OPTIN] [OPTOUT] [NOLOOP]", "Control server assisted client side caching."],
            ),
            ("TRACKINGINFO", &["Report tracking status for the current connection."]),
            ("NO-EVICT (ON|OFF)", &["Protect current client connection from eviction."]),
        ],
    ))
}
