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

fn run(redis: &mut Redis, words: &[&str]) -> String {
    let words: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
    match redis.request(ClientId(0), &words, Instant::from_ms(0)) {
        Some(Reply::Error(error)) => error.to_string(),
        Some(Reply::Verbatim(_, text)) => String::from_utf8_lossy(&text).into_owned(),
        reply => format!("{reply:?}"),
    }
}

#[test]
fn a_script_is_judged_by_its_flags_and_its_commands_one_by_one() {
    const SET: &str = "return redis.call('set', 'x', 1)";
    let mut redis = Redis::new();
    run(&mut redis, &["CONFIG", "SET", "maxmemory", "1"]);
    let plain = eval(&mut redis, SET);
    assert!(plain.starts_with("OOM command not allowed"), "{plain}");
    let flagged = eval(&mut redis, "#!lua\nreturn 1");
    assert!(flagged.starts_with("OOM allow-oom flag is not set"), "{flagged}");
    let allowed = eval(&mut redis, &format!("#!lua flags=allow-oom\n{SET}"));
    assert!(allowed.contains("OK"), "{allowed}");
    let begun = "redis.call('del', 'x') return redis.call('set', 'x', 1)";
    assert!(eval(&mut redis, begun).contains("OK"), "what has written goes on");

    run(&mut redis, &["CONFIG", "SET", "maxmemory", "0", "min-replicas-to-write", "1"]);
    for script in [SET, "#!lua\nreturn 1"] {
        let answer = eval(&mut redis, script);
        assert!(answer.starts_with("NOREPLICAS"), "{answer}");
    }
    assert_eq!(eval(&mut redis, "#!lua flags=no-writes\nreturn 1"), "Some(Int(1))");
}

#[test]
fn an_error_of_a_script_is_counted_once_where_it_arose() {
    let counted = [
        ("return redis.error_reply('MINE is it')", "MINE", "calls=1", "failed_calls=1"),
        ("return redis.call('select', 99)", "ERR", "calls=1", "failed_calls=1"),
        ("return redis.call('nosuch')", "ERR", "calls=1", "failed_calls=1"),
        ("redis.pcall('select', 99) return 1", "ERR", "calls=1", "failed_calls=0"),
        ("error('so')", "ERR", "calls=1", "failed_calls=1"),
    ];
    for (script, prefix, calls, failed) in counted {
        let mut redis = Redis::new();
        eval(&mut redis, script);
        let errors = run(&mut redis, &["INFO", "errorstats"]);
        assert_eq!(errors, format!("# Errorstats\r\nerrorstat_{prefix}:count=1\r\n"), "{script}");
        let stats = run(&mut redis, &["INFO", "commandstats"]);
        let line = stats.lines().find(|line| line.starts_with("cmdstat_eval:")).unwrap_or_default();
        assert!(line.contains(calls) && line.contains(failed), "{script}: {line}");
    }
}

#[test]
fn what_is_kept_of_scripts_is_told_by_info() {
    let mut redis = Redis::new();
    let kept = |redis: &mut Redis| {
        let memory = run(redis, &["INFO", "memory"]);
        let numbers = memory.lines().filter_map(|line| line.strip_prefix("number_of_"));
        numbers.map(str::to_owned).collect::<Vec<_>>()
    };
    eval(&mut redis, "return 1");
    eval(&mut redis, "return 1");
    run(&mut redis, &["SCRIPT", "LOAD", "return 2"]);
    let library = "#!lua name=l\nredis.register_function('f', function() end)";
    run(&mut redis, &["FUNCTION", "LOAD", library]);
    assert_eq!(kept(&mut redis), ["cached_scripts:2", "functions:1", "libraries:1"]);
    run(&mut redis, &["SCRIPT", "FLUSH"]);
    run(&mut redis, &["FUNCTION", "DELETE", "l"]);
    assert_eq!(kept(&mut redis), ["cached_scripts:0", "functions:0", "libraries:0"]);
}

#[test]
fn the_text_of_a_library_that_does_not_end_is_stopped() {
    let limits = ScriptLimits { instructions: 1_000_000, ..ScriptLimits::default() };
    let mut redis = limited(limits);
    let answer = run(&mut redis, &["FUNCTION", "LOAD", "#!lua name=l\nwhile true do end"]);
    assert_eq!(answer, "ERR Error registering functions: ERR FUNCTION LOAD timeout");
}
