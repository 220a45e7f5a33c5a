//! Generated calls of the libraries: what the real server makes of them, the model makes, too.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestError, TestRng, TestRunner};
use std::cell::RefCell;

use crate::Outcome;
use crate::pair::{Answers, Model, shown};
use crate::real::Real;

/// A test: its name and what it does.
type Test = (&'static str, fn() -> Outcome);

/// The tests by name.
pub(crate) const TESTS: [Test; 7] = [
    ("numbers as text", || run(1_000, number().prop_map(|n| format!("tostring({n}), {n} .. ''")))),
    ("calls of bit", || run(2_000, bit())),
    ("JSON that is written", || run(2_000, encode())),
    ("JSON that is read", || run(3_000, decode())),
    ("MessagePack that is written", || run(2_000, pack())),
    ("MessagePack that is read", || run(3_000, unpack())),
    ("calls of struct", || run(3_000, structs())),
];

/// Shows values with their types and exact numbers, tables in the order of `pairs`.
const SHOW: &str = r#"
local function show(value)
  local kind = type(value)
  if kind == 'number' then return string.format('%.17g', value) end
  if kind == 'string' then return string.format('%q', value) end
  if kind == 'table' then
    local parts = {}
    for key, inner in pairs(value) do parts[#parts + 1] = '[' .. show(key) .. ']=' .. show(inner) end
    return '{' .. table.concat(parts, ',') .. '}'
  end
  if kind == 'function' then return kind end
  return tostring(value)
end
local results = {pcall(assert(loadstring('return ' .. ARGV[1])))}
local parts = {}
for at = 1, table.maxn(results) do parts[at] = show(results[at]) end
return table.concat(parts, ' ')
"#;

/// Runs an expression on both and compares, so many times; a difference is made as small as it goes.
fn run(cases: u32, expressions: impl Strategy<Value = String>) -> Outcome {
    let servers = RefCell::new((Model::new(), Real::start()));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let outcome = TestRunner::new_with_rng(config, rng).run(&expressions, |expression| {
        let (model, real) = &mut *servers.borrow_mut();
        let words: [&[u8]; 4] = [b"EVAL", SHOW.as_bytes(), b"0", expression.as_bytes()];
        let (model, real) = (shown(&model.ask(&words)), shown(&real.ask(&words)));
        prop_assert_eq!(model, real, "{}", expression);
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, expression)) => Err(format!("{expression}\n{reason}")),
        Err(TestError::Abort(reason)) => Err(reason.to_string()),
    }
}

/// A number as Lua reads it: edges, small integers, any double.
fn number() -> impl Strategy<Value = String> {
    let edges = select(vec![
        "0",
        "(-0)",
        "0.1",
        "1.5",
        "-1.5",
        "1e14",
        "1e15",
        "1e17",
        "1e100",
        "-1e100",
        "1e-5",
        "1e-300",
        "127",
        "128",
        "255",
        "256",
        "65535",
        "65536",
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967296",
        "-1",
        "-32",
        "-33",
        "-128",
        "-129",
        "-32768",
        "-32769",
        "-2147483648",
        "-2147483649",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "1e20",
        "(1/0)",
        "(-1/0)",
        "(0/0)",
        "99999999999999",
        "100000000000000",
        "123456789012345",
        "1795439422875",
        "0.0001",
        "0.00001",
        "3.4028234e38",
        "3.4028236e38",
        "16777217",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        4 => edges,
        2 => (-1000..1000_i64).prop_map(|number| number.to_string()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        2 => any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        1 => any::<f32>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
    ]
}

/// A string as Lua reads it.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        text += &format!("\\{byte:03}");
    }
    text + "\""
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{0,6}".prop_map(|text| quoted(text.as_bytes())),
        1 => vec(any::<u8>(), 0..8).prop_map(|bytes| quoted(&bytes)),
        1 => "[0-9]{1,3}".prop_map(|text| quoted(text.as_bytes())),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    let long = (30..70_000_usize).prop_map(|length| format!("string.rep('x', {length})"));
    prop_oneof![
        40 => number(),
        40 => string(),
        1 => long,
        10 => select(vec!["true", "false", "nil", "cjson.null"]).prop_map(str::to_owned),
    ]
}

/// Any value. Keys are shorter than 32 bytes: the order of longer ones is not Redis's.
fn value() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        3 => "[a-z]{1,4}".prop_map(|text| quoted(text.as_bytes())),
        2 => (-2..20_i64).prop_map(|number| number.to_string()),
        1 => select(vec!["1.5", "1e10", "2147483648", "true", "65536"]).prop_map(str::to_owned),
    ];
    let odd = select(vec!["print", "tostring", "coroutine.create(tostring)", "{[1]=1,[30]=2}"]);
    let leaf =
        prop_oneof![30 => scalar(), 1 => odd.prop_map(|text| format!("rawget(_G, '_') or {text}"))];
    leaf.prop_recursive(5, 40, 8, move |inner| {
        let list = vec(inner.clone(), 0..8).prop_map(|parts| format!("{{{}}}", parts.join(",")));
        let pairs = vec((key.clone(), inner), 0..8).prop_map(|pairs| {
            let parts: Vec<String> =
                pairs.iter().map(|(key, value)| format!("[{key}]={value}")).collect();
            format!("{{{}}}", parts.join(","))
        });
        prop_oneof![list, pairs]
    })
}

fn bit() -> impl Strategy<Value = String> {
    let name = select(vec![
        "tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror",
        "bswap",
    ]);
    // The number of digits of `tohex` is small: Redis's may fall over the least integer.
    let hex = (number(), -10..10_i64).prop_map(|(number, n)| format!("bit.tohex({number}, {n})"));
    prop_oneof![
        5 => (name, vec(scalar(), 0..4))
            .prop_map(|(name, args)| format!("bit.{name}({})", args.join(", "))),
        1 => hex,
    ]
}

fn encode() -> impl Strategy<Value = String> {
    let setting = select(vec![
        "",
        "",
        "",
        "c.encode_sparse_array(true)",
        "c.encode_sparse_array(true, 3, 2)",
        "c.encode_sparse_array(false, 0)",
        "c.encode_max_depth(3)",
        "c.encode_number_precision(3)",
        "c.encode_invalid_numbers('null')",
        "c.encode_invalid_numbers(true)",
        "c.encode_keep_buffer(false)",
        "c.encode_number_precision(15)",
        "c.encode_max_depth(0)",
        "c.encode_invalid_numbers('x')",
    ]);
    (setting, value()).prop_map(|(setting, value)| {
        format!("(function() local c = cjson.new() local r = {{{setting}}} return unpack({{c.encode({value}), unpack(r)}}) end)()")
    })
}

/// Text that may be JSON.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => select(vec![
            "0", "-0", "1", "-1", "1.5", "1e5", "1E+5", "1e-7", "123456789012345678", "0x10", "01",
            "-", "+1", "nan", "NaN", "inf", "-Infinity", "infinity", "1e999", "1.", ".5", "1e",
            "true", "false", "null", "tru", "nul", "True", "", "\"\"", "\"a\\u00e9\"", "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"", "\"\\ude00\"", "\"\\x\"", "\"\\u12\"", "\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "\"", "\"\\",
        ])
        .prop_map(str::to_owned),
        2 => (-1000..1000_i64).prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| format!("{number:e}")),
        2 => "[a-zé ]{0,5}".prop_map(|text| format!("\"{text}\"")),
    ];
    let space = select(vec!["", "", "", " ", "\n\t", "\u{c}"]);
    let whole = leaf.prop_recursive(5, 30, 6, move |inner| {
        let list = (space.clone(), vec(inner.clone(), 0..6))
            .prop_map(|(space, parts)| format!("[{space}{}]", parts.join(",")));
        let object = vec(("[a-z\"]{0,3}", inner), 0..6).prop_map(|pairs| {
            let parts: Vec<String> =
                pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", parts.join(", "))
        });
        prop_oneof![list, object]
    });
    (whole, prop::option::weighted(0.4, (any::<prop::sample::Index>(), "[\\[\\]{},:\"a0 \\x00]?")))
        .prop_map(|(text, change)| match change {
            None => text,
            Some((at, with)) => {
                let mut letters: Vec<char> = text.chars().collect();
                let at = at.index(letters.len() + 1);
                letters.splice(at..(at + 1).min(letters.len()), with.chars());
                letters.into_iter().collect()
            }
        })
}

fn decode() -> impl Strategy<Value = String> {
    let setting =
        select(vec!["", "", "", "c.decode_invalid_numbers(false)", "c.decode_max_depth(2)"]);
    (setting, json()).prop_map(|(setting, text)| {
        let text = quoted(text.as_bytes());
        format!("(function() local c = cjson.new() {setting} return c.decode({text}) end)()")
    })
}

fn pack() -> impl Strategy<Value = String> {
    vec(value(), 0..3).prop_map(|values| format!("cmsgpack.pack({})", values.join(", ")))
}

/// Bytes that may be MessagePack.
fn packed() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        select(vec![
            0xc0_u8, 0xc1, 0xc2, 0xc3, 0xc4, 0xc7, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1,
            0xd2, 0xd3, 0xd4, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
        ]),
        any::<u8>(),
    ];
    let item = (head, vec(any::<u8>(), 0..9), any::<bool>()).prop_map(|(head, mut rest, small)| {
        if small && let Some(last) = rest.last_mut() {
            *last &= 3;
        }
        // Long lengths are short ones.
        if matches!(head, 0xda..=0xdf) && !rest.is_empty() {
            let zeros = rest.len().min(if head % 2 == 0 { 1 } else { 3 });
            rest[..zeros].fill(0);
        }
        rest.insert(0, head);
        rest
    });
    vec(item, 0..6).prop_map(|items| items.concat())
}

fn unpack() -> impl Strategy<Value = String> {
    // No long string is read as a key.
    let values = vec(value().prop_filter("short", |value| !value.contains("rep")), 1..3);
    let from_values = values.prop_map(|values| format!("cmsgpack.pack({})", values.join(", ")));
    let data = prop_oneof![from_values, packed().prop_map(|bytes| quoted(&bytes))];
    let call = prop_oneof![
        4 => Just("unpack(%s)".to_owned()),
        1 => (-1..6_i64).prop_map(|from| format!("unpack_one(%s, {from})")),
        1 => (-1..4_i64, -1..6_i64).prop_map(|(n, from)| format!("unpack_limit(%s, {n}, {from})")),
        1 => Just("unpack_one(%s)".to_owned()),
    ];
    (data, call).prop_map(|(data, call)| format!("cmsgpack.{}", call.replace("%s", &data)))
}

fn structs() -> impl Strategy<Value = String> {
    let option = prop_oneof![
        6 => select(vec![
            "b", "B", "h", "H", "l", "L", "T", "f", "d", "x", "s", "c", "c0", "c3", "i", "I", "i1",
            "i2", "i3", "i8", "I9", "i16", "i32", "<", ">", "!", "!1", "!2", "!4", "!8", " ",
        ])
        .prop_map(str::to_owned),
        1 => select(vec!["z", "!3", "!0", "i33", "c99999999999", "?", "i0", "c12"]).prop_map(str::to_owned),
    ];
    let format = vec(option, 0..6).prop_map(|options| quoted(options.concat().as_bytes()));
    let packing = (format.clone(), vec(scalar(), 0..6)).prop_map(|(format, args)| {
        format!("struct.pack({})", [vec![format], args].concat().join(", "))
    });
    let place = prop::option::weighted(0.3, -1..12_i64);
    let unpacking =
        (format.clone(), vec(any::<u8>(), 0..24), place).prop_map(|(format, data, place)| {
            let place = place.map_or(String::new(), |place| format!(", {place}"));
            format!("struct.unpack({format}, {}{place})", quoted(&data))
        });
    prop_oneof![packing, unpacking, format.prop_map(|format| format!("struct.size({format})"))]
}
