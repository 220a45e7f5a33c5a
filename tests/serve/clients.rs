//! Clients that wait, listen, pause, and give passwords.

use std::time::{Duration, Instant};

use bootrace::sim::redis::Reply;

use super::client::{Server, bulk, request, status, until};

const MOMENT: Duration = Duration::from_millis(50);

/// What a client sends while it waits is executed after it was served.
pub(super) fn waiting() {
    let server = Server::start(&[]);
    let (mut waits, mut pushes) = (server.connect(), server.connect());
    waits.send(&request("BLPOP l 0"));
    waits.send(&request("SET seen yes"));
    assert!(!waits.hears(MOMENT));
    assert_eq!(pushes.ask("GET seen"), Reply::Nil);
    assert_eq!(pushes.ask("RPUSH l a"), Reply::Int(1));
    assert_eq!(waits.reply(), Reply::Array(vec![bulk("l"), bulk("a")]));
    assert_eq!(waits.reply(), status("OK"));
    assert_eq!(pushes.ask("GET seen"), bulk("yes"));

    let id = match waits.ask("CLIENT ID") {
        Reply::Int(id) => id,
        other => panic!("{other:?}"),
    };
    waits.send(&request("BLPOP l 0"));
    until("it waits", || {
        let unblocked = pushes.ask(&format!("CLIENT UNBLOCK {id} ERROR"));
        unblocked == Reply::Int(1)
    });
    assert!(matches!(waits.reply(), Reply::Error(_)));

    let started = Instant::now();
    assert_eq!(waits.ask("BLPOP l 0.1"), Reply::NilArray);
    let took = started.elapsed();
    assert!((100..400).contains(&took.as_millis()), "{took:?}");
}

/// A client whose connection is closed while it waits gets nothing: what comes is left for others.
pub(super) fn dying() {
    let server = Server::start(&[]);
    let mut asks = server.connect();
    for _ in 0..20 {
        let mut waits = server.connect();
        waits.send(&request("BLPOP l 0"));
        until("it waits", || blocked(&mut asks) == 1);
        drop(waits);
        until("it is forgotten", || blocked(&mut asks) == 0);
        asks.ask("RPUSH l a");
        assert_eq!(asks.ask("LPOP l"), bulk("a"));
    }
}

/// How many clients wait.
fn blocked(client: &mut super::client::Client) -> u32 {
    let Reply::Bulk(text) = client.ask("INFO clients") else { panic!("no text") };
    let text = String::from_utf8_lossy(&text).into_owned();
    let field = text.lines().find_map(|line| line.strip_prefix("blocked_clients:"));
    field.and_then(|number| number.trim().parse().ok()).expect("the field is there")
}

/// A message that a command causes for its own client goes before the reply, and others get theirs.
pub(super) fn messages() {
    let server = Server::start(&[]);
    let (mut listens, mut publishes) = (server.connect(), server.connect());
    let told = |words: [&str; 2], count: i64| {
        Reply::Array(vec![bulk(words[0]), bulk(words[1]), Reply::Int(count)])
    };
    assert_eq!(listens.ask("SUBSCRIBE a b"), told(["subscribe", "a"], 1));
    assert_eq!(listens.reply(), told(["subscribe", "b"], 2));
    assert_eq!(listens.ask("PSUBSCRIBE [ab]*"), told(["psubscribe", "[ab]*"], 3));
    assert!(matches!(listens.ask("GET k"), Reply::Error(_)));
    assert_eq!(publishes.ask("PUBLISH a hello"), Reply::Int(2));
    assert_eq!(listens.reply(), Reply::Array(vec![bulk("message"), bulk("a"), bulk("hello")]));
    let by_pattern = vec![bulk("pmessage"), bulk("[ab]*"), bulk("a"), bulk("hello")];
    assert_eq!(listens.reply(), Reply::Array(by_pattern));

    publishes.ask("HELLO 3");
    publishes.send(&request("SUBSCRIBE c"));
    let push = |words: Vec<Reply>| Reply::Push(words);
    assert_eq!(publishes.reply(), push(vec![bulk("subscribe"), bulk("c"), Reply::Int(1)]));
    publishes.send(&request("PUBLISH c x"));
    assert_eq!(publishes.reply(), push(vec![bulk("message"), bulk("c"), bulk("x")]));
    assert_eq!(publishes.reply(), Reply::Int(1));

    publishes.ask("CONFIG SET notify-keyspace-events K$");
    publishes.send(&request("SUBSCRIBE __keyspace@0__:k"));
    publishes.reply();
    publishes.send(&request("SET k v"));
    let event = vec![bulk("message"), bulk("__keyspace@0__:k"), bulk("set")];
    assert_eq!(publishes.reply(), push(event));
    assert_eq!(publishes.reply(), status("OK"));
}

/// Maps, sets, doubles and nothing have types of their own.
pub(super) fn version_three() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert!(matches!(client.ask("HELLO 3"), Reply::Map(_)));
    client.ask("HSET h f v");
    assert_eq!(client.ask("HGETALL h"), Reply::Map(vec![(bulk("f"), bulk("v"))]));
    client.ask("SADD s m");
    assert_eq!(client.ask("SMEMBERS s"), Reply::Set(vec![bulk("m")]));
    client.ask("ZADD z 1.5 m");
    assert_eq!(client.ask("ZSCORE z m"), Reply::Double(1.5));
    assert_eq!(client.ask("GET none"), Reply::Nil);
    assert_eq!(client.ask("DEBUG PROTOCOL true"), Reply::Bool(true));
    assert!(matches!(client.ask("INFO server"), Reply::Verbatim("txt", _)));
    assert_eq!(client.ask("RESET"), status("RESET"));
    assert!(matches!(client.ask("HGETALL h"), Reply::Array(_)));
    client.send(&[request("CLIENT REPLY SKIP"), request("PING")].concat());
    assert_eq!(client.ask("ECHO heard"), bulk("heard"));
}

/// Without the password nothing works but to give it.
pub(super) fn password() {
    let server = Server::start(&["--requirepass", "secret"]);
    let mut client = server.connect();
    let refused = |reply: Reply, code: &str| match reply {
        Reply::Error(error) => assert!(error.to_string().starts_with(code), "{error}"),
        other => panic!("{other:?}"),
    };
    refused(client.ask("GET k"), "NOAUTH");
    refused(client.ask("AUTH wrong"), "WRONGPASS");
    refused(client.ask("HELLO 3"), "NOAUTH");
    assert!(matches!(client.ask("HELLO 3 AUTH default secret"), Reply::Map(_)));
    assert_eq!(client.ask("SET k v"), status("OK"));
    let mut other = server.connect();
    assert_eq!(other.ask("AUTH secret"), status("OK"));
    assert_eq!(other.ask("GET k"), bulk("v"));
}

/// Writes are held back for as long as the pause lasts.
pub(super) fn pause() {
    let server = Server::start(&[]);
    let (mut holds, mut writes) = (server.connect(), server.connect());
    holds.ask("CLIENT PAUSE 100000 WRITE");
    writes.send(&request("SET k v"));
    assert!(!writes.hears(MOMENT));
    assert_eq!(holds.ask("GET k"), Reply::Nil);
    holds.ask("CLIENT UNPAUSE");
    assert_eq!(writes.reply(), status("OK"));
    holds.ask("CLIENT PAUSE 100 ALL");
    let started = Instant::now();
    assert_eq!(writes.ask("GET k"), bulk("v"));
    assert!(started.elapsed() >= Duration::from_millis(80), "{:?}", started.elapsed());
}

/// In virtual time nothing passes but by command; in real time there is no such command.
pub(super) fn virtual_time() {
    let server = Server::start(&["--time", "virtual"]);
    let (mut moves, mut waits) = (server.connect(), server.connect());
    assert_eq!(moves.ask("BOOTRACE.DEADLINE"), Reply::Nil);
    moves.ask("SET k v PX 1000");
    std::thread::sleep(MOMENT);
    assert_eq!(moves.ask("PTTL k"), Reply::Int(1000));
    waits.send(&request("BLPOP l 0.5"));
    let Reply::Int(now) = moves.ask("BOOTRACE.ADVANCE 0") else { panic!("no instant") };
    until("it waits", || moves.ask("BOOTRACE.DEADLINE") == Reply::Int(now + 501));
    assert_eq!(moves.ask("BOOTRACE.ADVANCE 500"), Reply::Int(now + 500));
    assert!(!waits.hears(MOMENT));
    moves.ask("BOOTRACE.ADVANCE 1");
    assert_eq!(waits.reply(), Reply::NilArray);
    assert_eq!(moves.ask("BOOTRACE.DEADLINE"), Reply::Int(now + 1001));
    moves.ask("BOOTRACE.ADVANCE 499");
    assert_eq!(moves.ask("EXISTS k"), Reply::Int(1));
    moves.ask("BOOTRACE.ADVANCE 1");
    assert_eq!(moves.ask("EXISTS k"), Reply::Int(0));

    let server = Server::start(&[]);
    assert!(matches!(server.connect().ask("BOOTRACE.ADVANCE 1"), Reply::Error(_)));
}
