//! What the `redis` crate does with a server, with its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libtest_mimic::Failed;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{Client, Commands, Connection, ErrorKind, RedisResult, Script, ServerErrorKind};

/// A part of the test on a server of its own.
pub(crate) type Part = fn(&mut Connection) -> Result<(), Failed>;

/// All parts, by name.
pub(crate) const PARTS: [(&str, Part); 7] = [
    ("strings", strings),
    ("collections", collections),
    ("pipelines", pipelines),
    ("transactions", transactions),
    ("scripts", scripts),
    ("streams", streams),
    ("messages", messages),
];

/// A connection to the server on a port of the loopback interface.
pub(crate) fn connect(port: u16) -> Result<Connection, Failed> {
    let connection = Client::open(("127.0.0.1", port))?.get_connection()?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(connection)
}

/// Another connection to the server of this one.
fn another(connection: &mut Connection) -> Result<Connection, Failed> {
    let info: String = redis::cmd("INFO").arg("server").query(connection)?;
    let port = info.lines().find_map(|line| line.strip_prefix("tcp_port:")).ok_or("a port")?;
    connect(port.parse()?)
}

fn strings(redis: &mut Connection) -> Result<(), Failed> {
    let bytes = b"\x00\xff\r\n".to_vec();
    redis.set::<_, _, ()>("s", &bytes)?;
    assert_eq!(redis.get::<_, Vec<u8>>("s")?, bytes);
    assert_eq!(redis.get::<_, Option<String>>("none")?, None);
    redis.set_ex::<_, _, ()>("brief", "x", 100)?;
    assert!((90_000..=100_000).contains(&redis.pttl::<_, i64>("brief")?));
    assert_eq!(redis.incr::<_, _, i64>("n", i64::MAX)?, i64::MAX);
    let error = redis.incr::<_, _, i64>("n", 1).expect_err("it overflows");
    assert_eq!(error.detail(), Some("increment or decrement would overflow"));
    assert_eq!(redis.append::<_, _, usize>("s", "more")?, 8);
    assert_eq!(redis.getrange::<_, String>("s", 4, -1)?, "more");
    assert_eq!(redis.del::<_, usize>(&["s", "brief", "none"])?, 2);
    Ok(())
}

fn collections(redis: &mut Connection) -> Result<(), Failed> {
    redis.hset_multiple::<_, _, _, ()>("h", &[("a", 1), ("b", 2)])?;
    assert_eq!(redis.hincr::<_, _, _, i64>("h", "b", 40)?, 42);
    let all: BTreeMap<String, i64> = redis.hgetall("h")?;
    assert_eq!(all, BTreeMap::from([("a".into(), 1), ("b".into(), 42)]));
    assert_eq!(redis.rpush::<_, _, usize>("l", &["a", "b", "c"])?, 3);
    assert_eq!(redis.lrange::<_, Vec<String>>("l", -2, -1)?, ["b", "c"]);
    assert_eq!(redis.sadd::<_, _, usize>("set", &["x", "y", "x"])?, 2);
    let members: BTreeSet<String> = redis.smembers("set")?;
    assert_eq!(members, BTreeSet::from(["x".into(), "y".into()]));
    redis.zadd_multiple::<_, _, _, ()>("z", &[(2.5, "b"), (-1.0, "a")])?;
    let scored: Vec<(String, f64)> = redis.zrange_withscores("z", 0, -1)?;
    assert_eq!(scored, [("a".into(), -1.0), ("b".into(), 2.5)]);
    let error = redis.lpush::<_, _, usize>("z", 1).expect_err("it is no list");
    assert_eq!(error.code(), Some("WRONGTYPE"));
    let names: RedisResult<Vec<String>> = redis.scan_match::<_, String>("?")?.collect();
    assert_eq!(BTreeSet::from_iter(names?), BTreeSet::from(["h", "l", "z"].map(String::from)));
    Ok(())
}

fn pipelines(redis: &mut Connection) -> Result<(), Failed> {
    let mut pipe = redis::pipe();
    for number in 0..1000 {
        pipe.rpush("l", number).ignore();
    }
    let (length, last): (usize, i64) = pipe.llen("l").lindex("l", -1).query(redis)?;
    assert_eq!((length, last), (1000, 999));
    Ok(())
}

fn transactions(redis: &mut Connection) -> Result<(), Failed> {
    let answers: (String, i64) = redis::pipe().atomic().set("t", 1).incr("t", 4).query(redis)?;
    assert_eq!(answers, ("OK".into(), 5));
    let mut other = another(redis)?;
    let mut turns = 0;
    let done: i64 = redis::transaction(redis, &["t"], |redis, pipe| {
        let read: i64 = redis.get("t")?;
        turns += 1;
        if turns == 1 {
            other.set::<_, _, ()>("t", 100)?;
        }
        let answer: Option<(i64,)> = pipe.incr("t", read).query(redis)?;
        Ok(answer.map(|(sum,)| sum))
    })?;
    assert_eq!((turns, done), (2, 200));
    Ok(())
}

fn scripts(redis: &mut Connection) -> Result<(), Failed> {
    let script = Script::new("return {redis.call('INCRBY', KEYS[1], ARGV[1]), KEYS[1], 2.9}");
    for sum in [7, 14] {
        let answer: (i64, String, i64) = script.key("k").arg(7).invoke(redis)?;
        assert_eq!(answer, (sum, "k".into(), 2));
    }
    let error = Script::new("return redis.call('NOTHING')").invoke::<()>(redis);
    let error = error.expect_err("there is no such command");
    assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    assert!(error.to_string().contains("Unknown Redis command called from script"), "{error}");
    Ok(())
}

fn streams(redis: &mut Connection) -> Result<(), Failed> {
    redis.xgroup_create_mkstream::<_, _, _, ()>("x", "group", "$")?;
    let first: String = redis.xadd("x", "*", &[("field", "one")])?;
    redis.xadd::<_, _, _, _, String>("x", "*", &[("field", "two")])?;
    assert_eq!(redis.xlen::<_, usize>("x")?, 2);
    let options = StreamReadOptions::default().group("group", "me").count(1).block(1000);
    let read: StreamReadReply = redis.xread_options(&["x"], &[">"], &options)?;
    assert_eq!(read.keys[0].ids[0].id, first);
    assert_eq!(read.keys[0].ids[0].get::<String>("field"), Some("one".into()));
    assert_eq!(redis.xack::<_, _, _, usize>("x", "group", &[&first])?, 1);
    Ok(())
}

fn messages(redis: &mut Connection) -> Result<(), Failed> {
    let mut other = another(redis)?;
    let mut reader = other.as_pubsub();
    reader.subscribe("news")?;
    reader.psubscribe("n*")?;
    assert_eq!(redis.publish::<_, _, usize>("news", "first")?, 2);
    let got = reader.get_message()?;
    let payload: String = got.get_payload()?;
    assert_eq!((got.get_channel_name(), payload.as_str()), ("news", "first"));
    let got = reader.get_message()?;
    assert_eq!(got.get_pattern::<String>()?, "n*");
    Ok(())
}
