//! Tests of the whole server: waiting clients, and what holds after any commands.

use super::command::popped;
use super::*;
use proptest::prelude::*;
use std::rc::Rc;

const NOW: Instant = Instant::from_ms(1_000);

fn pop(names: &[&str], timeout_ms: u64) -> Command {
    let keys = names.iter().map(|name| Key::from(*name)).collect::<Rc<[Key]>>();
    Command::BZPopMin { keys, timeout_ms }
}

fn element(key: &str, member: &str, score: f64) -> Reply {
    popped(&Key::from(key), Bytes::from(member), score)
}

fn add(db: &mut Db, key: &str, member: &str) {
    db.zadd(&Key::from(key), Bytes::from(member), 1.0).expect("a sorted set");
}

fn served(redis: &mut Redis) -> Vec<(u32, Reply)> {
    redis.served().map(|(client, reply)| (client.0, reply)).collect()
}

/// A server whose clients 1, 2, ... wait for the keys given, for ever.
fn waiting(keys: &[&[&str]]) -> Redis {
    let mut redis = Redis::new();
    for (client, names) in (1..).zip(keys) {
        assert_eq!(redis.execute(ClientId(client), &pop(names, 0), NOW), None);
    }
    redis
}

#[test]
fn bzpopmin_takes_what_is_there_from_the_first_key_that_has_any() {
    let mut redis = Redis::new();
    redis.script(NOW, |db| {
        add(db, "b", "m");
        db.incr(&Key::from("string")).expect("a string")
    });
    let mut run = |names: &[&str]| redis.execute(ClientId(1), &pop(names, 0), NOW);
    assert_eq!(run(&["string", "b"]), Some(Reply::Error(Error::WrongType)));
    assert_eq!(run(&["a", "b", "string"]), Some(element("b", "m", 1.0)));
    assert_eq!(run(&["a", "b"]), None);
    assert!(redis.is_blocked(ClientId(1)));
}

#[test]
fn clients_are_served_first_come_first_after_the_script() {
    let mut redis = waiting(&[&["z"], &["z"], &["z"]]);
    redis.script(NOW, |db| {
        add(db, "z", "b");
        assert_eq!(db.zcard(&Key::from("z")), Ok(1), "nobody is served inside a script");
        add(db, "z", "a");
    });
    let expected = [(1, element("z", "a", 1.0)), (2, element("z", "b", 1.0))];
    assert_eq!(served(&mut redis), expected);
    assert!(!redis.db().exists(&Key::from("z")));
    assert!(redis.is_blocked(ClientId(3)) && !redis.is_blocked(ClientId(1)));
    assert_eq!(served(&mut redis), []);
}

#[test]
fn keys_are_served_in_the_order_they_became_ready() {
    let mut redis = waiting(&[&["a", "b"], &["a"], &["b"]]);
    redis.script(NOW, |db| ["b", "a"].map(|key| add(db, key, "m")));
    assert_eq!(served(&mut redis), [(1, element("b", "m", 1.0)), (2, element("a", "m", 1.0))]);
    redis.script(NOW, |db| add(db, "b", "n"));
    assert_eq!(served(&mut redis), [(3, element("b", "n", 1.0))]);
}

#[test]
fn a_key_gone_before_the_script_ends_serves_nobody() {
    let mut redis = waiting(&[&["z"]]);
    let z = Key::from("z");
    redis.script(NOW, |db| {
        add(db, "z", "m");
        assert!(db.del(&z));
    });
    redis.script(NOW, |db| {
        add(db, "z", "m");
        db.set(&z, Bytes::from("v"), SetOptions::default()).expect("a string");
    });
    assert_eq!(served(&mut redis), []);
    redis.script(NOW, |db| {
        add(db, "other", "m");
        db.rename(&Key::from("other"), &z).expect("it is there");
    });
    assert_eq!(served(&mut redis), [(1, element("z", "m", 1.0))]);
}

#[test]
fn a_wait_is_over_once_its_deadline_has_passed() {
    let mut redis = Redis::new();
    let late = Instant::from_nanos(NOW.nanos() + 999_999);
    redis.execute(ClientId(1), &pop(&["z"], 20), late);
    redis.execute(ClientId(2), &pop(&["z"], 10), NOW);
    redis.execute(ClientId(3), &pop(&["z"], 10), NOW);
    redis.execute(ClientId(4), &pop(&["z"], 0), NOW);
    assert_eq!(redis.next_deadline(), Some(Instant::from_ms(1_011)));
    redis.expire(Instant::from_ms(1_010));
    assert_eq!(served(&mut redis), []);
    redis.expire(Instant::from_ms(1_011));
    assert_eq!(served(&mut redis), [(2, Reply::NilArray), (3, Reply::NilArray)]);
    redis.expire(Instant::from_ms(9_000));
    assert_eq!(served(&mut redis), [(1, Reply::NilArray)]);
    assert_eq!(redis.next_deadline(), None);
    assert!(redis.is_blocked(ClientId(4)));
}

#[test]
fn a_closed_client_gets_nothing() {
    let mut redis = waiting(&[&["z"], &["z"]]);
    redis.disconnect(ClientId(1));
    redis.script(NOW, |db| add(db, "z", "m"));
    redis.disconnect(ClientId(2));
    assert_eq!(served(&mut redis), []);
    assert!(!redis.db().exists(&Key::from("z")), "the element was on its way");
}

#[test]
fn a_served_client_has_no_deadline_left() {
    let mut redis = Redis::new();
    redis.execute(ClientId(1), &pop(&["z"], 10), NOW);
    redis.script(NOW, |db| add(db, "z", "m"));
    assert_eq!(redis.next_deadline(), None);
    redis.expire(Instant::from_ms(9_000));
    assert_eq!(served(&mut redis).len(), 1);
}

/// Any command on any of a few keys, so that types clash and collections run empty.
fn any_command(db: &mut Db, (which, key, arg): (u8, u8, i8)) -> Result<(), Error> {
    let [key, other] = [key, key + 1].map(|n| Key::from(["a", "b", "c", "d"][usize::from(n % 4)]));
    let (n, text) = (i64::from(arg), Bytes::from_int(i64::from(arg)));
    match which % 24 {
        0 => drop(db.set(&key, text, SetOptions::default())?),
        1 => drop(db.incrby(&key, n)?),
        2 => drop(db.del(&key)),
        3 => drop(db.pexpire(&key, n)?),
        4 => db.rename(&key, &other)?,
        5 => drop(db.hset(&key, text.clone(), text)?),
        6 => drop(db.hdel(&key, &text)?),
        7 => drop(db.hincrby(&key, &text, n)?),
        8 => drop(db.lpush(&key, [text])?),
        9 => drop(db.rpush(&key, [text.clone(), text])?),
        10 => drop(db.lpop(&key)?),
        11 => drop(db.rpoplpush(&key, &other)?),
        12 => drop(db.lrem(&key, n, &text)?),
        13 => db.ltrim(&key, n, 1)?,
        14 => drop(db.sadd(&key, [text])?),
        15 => drop(db.srem(&key, &text)?),
        16 => drop(db.zadd(&key, text, f64::from(arg))?),
        17 => drop(db.zrem(&key, &text)?),
        18 => drop(db.zpopmin(&key)?),
        19 => drop(db.zremrangebyrank(&key, 0, n)?),
        20 => drop(db.zremrangebyscore(&key, ScoreBound::NEG_INF, ScoreBound::Excl(0.0))?),
        21 => drop(db.xadd(&key, vec![(text.clone(), text)], Some(MaxLen::Exact(2)))?),
        22 => drop(db.rpoplpush(&key, &key)?),
        _ => db.set_now(db.now_ms() + n),
    }
    Ok(())
}

fn seen(db: &Db) -> Vec<(Key, Value, Option<i64>)> {
    let shown = db.snapshot().into_iter();
    shown.map(|shown| (shown.key.clone(), shown.value.clone(), shown.deadline_ms)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_collection_is_ever_empty_and_no_failure_has_an_effect(
        commands in prop::collection::vec((any::<u8>(), 0..4_u8, -3..4_i8), 1..80),
    ) {
        let mut db = Db::new();
        for command in commands {
            let (before, dirty) = (seen(&db), db.dirty());
            let failed = any_command(&mut db, command).is_err();
            let after = seen(&db);
            prop_assert!(after.iter().all(|(_, value, _)| !value.is_empty_collection()));
            prop_assert!(!failed || (before == after && dirty == db.dirty()));
            // A clock that moves makes keys come and go without a change.
            let moved = command.0 % 24 == 23;
            prop_assert!(moved || dirty != db.dirty() || before == after, "{command:?}");
        }
    }
}
