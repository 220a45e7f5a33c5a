//! DEBUG: what tests of clients and of Redis ask of a server.
//!
//! What would crash it or look into memory is left out. DEBUG SLEEP is passed on to the front: here
//! no command takes time.

use super::args::{int, is, parse_float};
use super::bytes::{Bytes, Key, frozen_hash};
use super::db::{Db, Entry};
use super::error::Error;
use super::help;
use super::reply::Reply;
use super::server::{Answer, Call, Server};
use super::table::flag::{ADMIN, LOADING, NOSCRIPT, STALE};
use super::table::{self, Run, Spec};
use super::value::Value;
use crate::clock::Span;

pub(super) const COMMANDS: &[Spec] =
    &[Spec::new("debug", -2, ADMIN | NOSCRIPT | LOADING | STALE, (0, 0, 0), debug)];

/// Parts that change nothing here and need so many words.
const NOTHING: [(&str, usize); 15] = [
    ("aof-flush-sleep", 3),
    ("change-repl-id", 2),
    ("config-rewrite-force-all", 2),
    ("dict-resizing", 3),
    ("leak", 3),
    ("loadaof", 2),
    ("log", 3),
    ("oom-score-adj", 3),
    ("pause-cron", 3),
    ("quicklist-packed-threshold", 3),
    ("replicate", 3),
    ("replybuffer", 4),
    ("set-disable-deny-scripts", 3),
    ("set-skip-checksum-validation", 3),
    ("sleep", 3),
];

/// DEBUG.
fn debug(call: &mut Call<'_>) -> Answer {
    let args = call.args;
    let part = args[1].to_ascii_lowercase();
    let part = std::str::from_utf8(&part).unwrap_or_default();
    match (part, &args[2..]) {
        ("sleep", [seconds]) => {
            let seconds = parse_float(seconds).ok_or(Error::NotAFloat)?;
            call.server.sleep = Span::from_nanos((seconds.max(0.0) * 1e9) as i64);
        }
        // C's `atoi`, which takes what is no number for 0.
        ("set-active-expire", [on]) => call.server.idle = !int(on).is_ok_and(|on| on != 0),
        ("reload", options) => {
            let known = |option| ["MERGE", "NOFLUSH", "NOSAVE"].iter().any(|word| is(option, word));
            if !options.iter().all(|option| known(option)) {
                return Err(Error::Text(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
        ("digest", []) => return Ok(Reply::Simple(Bytes::from(dataset(call.server)))),
        ("digest-value", keys) => {
            let digests = keys.iter().map(|name| {
                let key = Key::from(name.clone());
                let entry = call.db().entries.get(&key);
                Reply::Simple(Bytes::from(hexadecimal(entry.map_or([0; 3], |e| digest(&e.value)))))
            });
            return Ok(Reply::Array(digests.collect()));
        }
        ("error", [text]) => {
            return Err(Error::Bytes(text.clone()));
        }
        ("object", [name]) => return object(call, name),
        ("sdslen", [name]) => return sdslen(call, name),
        ("listpack", [name]) => return printed(call, name, "listpack"),
        ("quicklist", [name] | [name, _]) => return printed(call, name, "quicklist"),
        ("populate", options) if (1..=3).contains(&options.len()) => populate(call)?,
        ("protocol", [kind]) => {
            let resp3 = call.resp3();
            return protocol(kind, resp3);
        }
        ("htstats", [number]) => {
            int(number)?;
            return Ok(Reply::Verbatim("txt", Bytes::from("[Dictionary HT]\n")));
        }
        ("htstats-key", [name]) => {
            let key = Key::from(name.clone());
            call.db().entry(&key).ok_or(Error::NoSuchKey)?;
            return Ok(Reply::Verbatim("txt", Bytes::from("[Value HT]\n")));
        }
        ("stringmatch-test", []) => {
            return Ok(Reply::Status("Apparently Redis did not crash: test passed"));
        }
        _ if NOTHING.contains(&(part, args.len())) => {}
        _ => return Err(help::wrong_part(args)),
    }
    Ok(Reply::OK)
}

/// A digest of a value: equal values have equal ones, within one version of this model.
fn digest(value: &Value) -> [u64; 3] {
    let text = format!("{value:?}");
    [1, 2, 3].map(|salt: u8| frozen_hash(&[text.as_bytes(), &[salt]].concat()))
}

/// Forty digits.
fn hexadecimal(digest: [u64; 3]) -> String {
    let mut text = digest.map(|word| format!("{word:016x}")).concat();
    text.truncate(40);
    text
}

fn of_entry(number: usize, key: &Key, entry: &Entry) -> [u64; 3] {
    let expires = if entry.deadline.is_some() { "!" } else { "" };
    let text = format!("{number} {key:?} {expires}");
    let name = frozen_hash(text.as_bytes());
    digest(&entry.value).map(|word| (word ^ name).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A digest of all there is; noughts if there is nothing.
pub(super) fn dataset(server: &Server) -> String {
    let mut all = [0; 3];
    for (number, db) in server.dbs.iter().enumerate() {
        for (key, entry) in &db.entries {
            let one = of_entry(number, key, entry);
            all.iter_mut().zip(one).for_each(|(all, one)| *all ^= one);
        }
    }
    hexadecimal(all)
}

/// How a value is stored, by OBJECT ENCODING.
fn encoding(call: &mut Call<'_>, name: &Bytes) -> Result<Bytes, Error> {
    let key = Key::from(name.clone());
    call.db().entry(&key).ok_or(Error::NoSuchKey)?;
    let args = [Bytes::from("OBJECT"), Bytes::from("ENCODING"), name.clone()];
    let Run::Plain(run) = table::resolve(&args)?.spec.run else { return Err(Error::NoSuchKey) };
    let Call { client, origin, number, .. } = *call;
    match run(&mut Call { server: call.server, client, origin, args: &args, number })? {
        Reply::Bulk(encoding) => Ok(encoding),
        _ => Err(Error::NoSuchKey),
    }
}

/// DEBUG OBJECT. Addresses and sizes are made up.
fn object(call: &mut Call<'_>, name: &Bytes) -> Answer {
    let encoding = encoding(call, name)?;
    let clock = call.server.now.ms() / 1000 % (1 << 24);
    let mut text = format!(
        "Value at:0x7f0000000000 refcount:1 encoding:{encoding} serializedlength:{} lru:{clock} \
         lru_seconds_idle:0",
        name.len()
    );
    if encoding == "quicklist" {
        text += " ql_nodes:1 ql_avg_node:1.00 ql_listpack_max:-2 ql_compressed:0 \
                 ql_uncompressed_size:0";
    }
    Ok(Reply::Simple(Bytes::from(text)))
}

/// DEBUG SDSLEN. Room is never kept.
fn sdslen(call: &mut Call<'_>, name: &Bytes) -> Answer {
    let key = Key::from(name.clone());
    let entry = call.db().entry(&key).ok_or(Error::NoSuchKey)?;
    let Value::String(value) = &entry.value else {
        return Err(Error::Text("ERR Not an sds encoded string."));
    };
    let text = format!(
        "key_sds_len:{0}, key_sds_avail:0, key_zmalloc: {0}, val_sds_len:{1}, val_sds_avail:0, \
         val_zmalloc: {1}",
        name.len(),
        value.len()
    );
    Ok(Reply::Simple(Bytes::from(text)))
}

/// DEBUG LISTPACK and QUICKLIST. Nothing is printed.
fn printed(call: &mut Call<'_>, name: &Bytes, wanted: &str) -> Answer {
    if encoding(call, name)? != wanted {
        return Err(Error::line(format!("ERR Not a {wanted} encoded object.")));
    }
    let wanted = if wanted == "listpack" { "Listpack" } else { "Quicklist" };
    Ok(Reply::Simple(Bytes::from(format!("{wanted} structure printed on stdout"))))
}

/// DEBUG POPULATE: keys that are not there yet, counted in nothing.
fn populate(call: &mut Call<'_>) -> Result<(), Error> {
    let (args, wrong) = (call.args, "ERR value is out of range, must be positive");
    let count = super::args::positive(&args[2], wrong)?;
    let prefix = args.get(3).map_or(b"key".as_slice(), |prefix| prefix);
    let size = args.get(4).map_or(Ok(0), |size| super::args::positive(size, wrong))?;
    let db: &mut Db = call.db();
    for number in 0..count {
        let name = [prefix, format!(":{number}").as_bytes()].concat();
        let key = Key::from(name.as_slice());
        if db.entry(&key).is_none() {
            let mut value = format!("value:{number}").into_bytes();
            if size > 0 {
                value.resize(size, 0);
            }
            db.insert(key, Entry { value: Value::String(Bytes::from(value)), deadline: None });
        }
    }
    Ok(())
}

/// DEBUG PROTOCOL: one of every kind of reply.
fn protocol(kind: &Bytes, resp3: bool) -> Answer {
    let numbers = || vec![Reply::Int(0), Reply::Int(1), Reply::Int(2)];
    let kind = kind.to_ascii_lowercase();
    Ok(match kind.as_slice() {
        b"string" => "Hello World".into(),
        b"integer" => Reply::Int(12345),
        b"double" => Reply::Double(3141.0 / 1000.0),
        b"bignum" => Reply::BigNumber(Bytes::from("1234567999999999999999999999999999999")),
        b"null" => Reply::Nil,
        b"array" => Reply::Array(numbers()),
        b"set" => Reply::Set(numbers()),
        b"map" => {
            let pairs = numbers().into_iter().zip([false, true, false].map(Reply::Bool));
            Reply::Map(pairs.collect())
        }
        b"attrib" => Reply::Several(vec![
            Reply::Attribute(vec![(
                "key-popularity".into(),
                Reply::Array(vec!["key:123".into(), Reply::Int(90)]),
            )]),
            "Some real reply following the attribute".into(),
        ]),
        b"push" if resp3 => Reply::Several(vec![
            Reply::Push(vec!["server-cpu-usage".into(), Reply::Int(42)]),
            "Some real reply following the push reply".into(),
        ]),
        b"push" => return Err(Error::Text("ERR RESP2 is not supported by this command")),
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        b"verbatim" => Reply::Verbatim("txt", Bytes::from("This is a verbatim\nstring")),
        _ => {
            return Err(Error::Text(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    })
}
