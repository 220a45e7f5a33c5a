//! Scripts whose answers are not the real server's: those that are stopped, and what they leave.

use std::cell::Cell;
use std::rc::Rc;

use super::ScriptLimits;
use crate::clock::Instant;
use crate::redis::{Bytes, ClientId, Redis, Reply};

fn eval(redis: &mut Redis, script: &str) -> String {
    let words = ["EVAL", script, "0"].map(Bytes::from);
    match redis.request(ClientId(0), &words, Instant::from_ms(0)) {
        Some(Reply::Error(error)) => error.to_string(),
        reply => format!("{reply:?}"),
    }
}

fn limited(limits: ScriptLimits) -> Redis {
    let mut redis = Redis::new();
    redis.limit_scripts(limits);
    redis
}

const STOPPED: &str = "ERR Script killed by user with SCRIPT KILL... script: ";

/// Scripts that do not end by themselves, however they catch errors.
const ENDLESS: [&str; 8] = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local f = function() while 1 do redis.call('ping') end end while 1 do pcall(f) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "while true do load(function() while true do end end) end",
    "while true do pcall(table.sort, {1, 2, 3}, function() while true do end end) end",
];

#[test]
fn a_script_that_does_not_end_is_stopped_and_the_next_one_runs() {
    let limits = ScriptLimits { instructions: 1_000_000, ..ScriptLimits::default() };
    let mut redis = limited(limits);
    for script in ENDLESS {
        let answer = eval(&mut redis, script);
        assert!(answer.starts_with(STOPPED), "{script}: {answer}");
        assert_eq!(eval(&mut redis, "for i = 1, 1000 do end return 7"), "Some(Int(7))");
    }
}

#[test]
fn by_the_clock_a_script_is_stopped_only_if_it_has_not_written() {
    let now = Rc::new(Cell::new(0));
    let clock = Rc::clone(&now);
    let tick = move || clock.replace(clock.get() + 1000);
    let limits = ScriptLimits { clock: Some(Box::new(tick)), ..ScriptLimits::default() };
    let mut redis = limited(limits);
    let answer = eval(&mut redis, ENDLESS[0]);
    assert!(answer.starts_with(STOPPED), "{answer}");
    assert_eq!(now.get(), 7000, "the setting says five seconds");
    let script = "redis.call('set', 'k', 'v') for i = 1, 2000000 do end return 1";
    assert_eq!(eval(&mut redis, script), "Some(Int(1))");
    assert!(now.get() > 20_000, "it was asked and went on");
}

#[test]
fn memory_is_limited_and_given_back() {
    let mut redis = limited(ScriptLimits { memory: 8 << 20, ..ScriptLimits::default() });
    let scripts = [
        "local s = 'x' while true do s = s .. s end",
        "return #string.rep('x', 1e9)",
        "local t = {} while true do t[#t + 1] = {} end",
        "local t = {} while true do t[#t + 1] = cjson.decode('[[[[]]]]') end",
    ];
    for script in scripts {
        let answer = eval(&mut redis, script);
        assert!(answer.contains("not enough memory"), "{script}: {answer}");
        assert_eq!(eval(&mut redis, "return #string.rep('x', 1000000)"), "Some(Int(1000000))");
    }
}

#[test]
fn what_a_script_puts_into_globals_is_gone_with_it() {
    let mut redis = Redis::new();
    eval(&mut redis, "pcall(function() x = 1 end) pcall(rawset, _G, 'y', 1)");
    let answer = eval(&mut redis, "return {rawget(_G, 'x') == nil, rawget(_G, 'y') == nil}");
    assert_eq!(answer, "Some(Array([Int(1), Int(1)]))");
}
