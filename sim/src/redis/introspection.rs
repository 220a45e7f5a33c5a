//! COMMAND: what the server says about its commands.
//!
//! It lists the commands of this server, with what is recorded of Redis's. COMMAND DOCS has no
//! prose.

use super::args::is;
use super::bytes::Bytes;
use super::error::Error;
use super::facts::{self, Begin, Facts, Find, KeySpec};
use super::glob;
use super::help;
use super::reply::Reply;
use super::server::{Answer, Call};
use super::table::flag::{LOADING, STALE};
use super::table::{self, Known, Run, Spec};

const COMMON: u32 = LOADING | STALE;
const NONE: (i32, i32, i32) = (0, 0, 0);

pub(super) const COMMANDS: &[Spec] = &[Spec {
    name: "command",
    arity: -1,
    flags: COMMON,
    keys: NONE,
    run: Run::Container(&[
        Spec::new("count", 2, COMMON, NONE, count),
        Spec::new("docs", -2, COMMON, NONE, docs),
        Spec::new("getkeys", -4, COMMON, NONE, getkeys),
        Spec::new("getkeysandflags", -4, COMMON, NONE, getkeysandflags),
        Spec::new("help", 2, COMMON, NONE, command_help),
        Spec::new("info", -2, COMMON, NONE, info),
        Spec::new("list", -2, COMMON, NONE, list),
    ]),
}];

/// The commands that are not parts of others.
fn whole() -> impl Iterator<Item = &'static Known> {
    table::all().iter().filter(|known| !known.name.contains('|'))
}

/// The command of a name such as `get` or `config|get`.
fn named(name: &[u8]) -> Option<&'static Known> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let known = table::find(parts.next()?)?;
    match parts.next() {
        None => Some(known),
        Some(part) => table::find_part(known, part),
    }
}

fn parts(known: &Known) -> impl Iterator<Item = &'static Known> {
    let specs = match known.spec.run {
        Run::Container(specs) => specs,
        _ => &[],
    };
    specs.iter().filter_map(|part| table::find_part(known, part.name.as_bytes()))
}

fn statuses(words: &[&'static str]) -> Vec<Reply> {
    words.iter().map(|word| Reply::Status(word)).collect()
}

/// All that is known of a command.
fn describe(known: &Known) -> Reply {
    let Some(facts) = facts::of(&known.name) else { return Reply::Nil };
    let categories = facts.categories.iter().map(|name| Reply::Simple(format!("@{name}").into()));
    let hints = facts.hints.iter().map(|hint| Reply::from(*hint));
    let mut described =
        vec![Reply::from(known.name.as_str()), Reply::Int(i64::from(known.spec.arity))];
    described.push(Reply::Set(statuses(&facts.flags)));
    let (first, last, step) = known.spec.keys;
    described.extend([first, last, step].map(|place| Reply::Int(i64::from(place))));
    described.push(Reply::Set(categories.collect()));
    described.push(Reply::Set(hints.collect()));
    described.push(Reply::Set(facts.keys.iter().map(describe_key).collect()));
    described.push(Reply::Set(parts(known).map(describe).collect()));
    Reply::Array(described)
}

fn describe_key(key: &KeySpec) -> Reply {
    let typed = |name: &'static str, fields: &[(&'static str, Reply)]| {
        let fields = fields.iter().map(|(name, value)| (Reply::from(*name), value.clone()));
        Reply::Map(vec![
            ("type".into(), name.into()),
            ("spec".into(), Reply::Map(fields.collect())),
        ])
    };
    let begin = match key.begin {
        Begin::Index(at) => typed("index", &[("index", Reply::Int(at))]),
        Begin::Keyword(word, from) => {
            typed("keyword", &[("keyword", word.into()), ("startfrom", Reply::Int(from))])
        }
        Begin::Unknown => typed("unknown", &[]),
    };
    let find = match key.find {
        Find::Range { last, step, limit } => typed(
            "range",
            &[
                ("lastkey", Reply::Int(last)),
                ("keystep", Reply::Int(step)),
                ("limit", Reply::Int(limit)),
            ],
        ),
        Find::Count { at, first, step } => typed(
            "keynum",
            &[
                ("keynumidx", Reply::Int(at)),
                ("firstkey", Reply::Int(first)),
                ("keystep", Reply::Int(step)),
            ],
        ),
        Find::Unknown => typed("unknown", &[]),
    };
    Reply::Map(vec![
        ("flags".into(), Reply::Set(statuses(&key.flags))),
        ("begin_search".into(), begin),
        ("find_keys".into(), find),
    ])
}

/// COMMAND, without a second word.
pub(super) fn command(_: &mut Call<'_>) -> Answer {
    Ok(Reply::Array(whole().map(describe).collect()))
}

/// COMMAND COUNT.
fn count(_: &mut Call<'_>) -> Answer {
    Ok(Reply::int(whole().count()))
}

/// COMMAND INFO.
fn info(call: &mut Call<'_>) -> Answer {
    if call.args.len() == 2 {
        return command(call);
    }
    let described = call.args[2..].iter().map(|name| named(name).map_or(Reply::Nil, describe));
    Ok(Reply::Array(described.collect()))
}

/// COMMAND DOCS, without the prose: to which group commands belong is all it tells.
fn docs(call: &mut Call<'_>) -> Answer {
    let asked = &call.args[2..];
    let known: Vec<&Known> = match asked {
        [] => whole().collect(),
        names => names.iter().filter_map(|name| named(name)).collect(),
    };
    Ok(Reply::Map(known.into_iter().map(documented).collect()))
}

fn documented(known: &Known) -> (Reply, Reply) {
    let mut fields = vec![("summary".into(), "".into())];
    let parts: Vec<(Reply, Reply)> = parts(known).map(documented).collect();
    if !parts.is_empty() {
        fields.push(("subcommands".into(), Reply::Map(parts)));
    }
    (Reply::from(known.name.as_str()), Reply::Map(fields))
}

/// COMMAND LIST: parts of containers, too.
fn list(call: &mut Call<'_>) -> Answer {
    let shown = |takes: &dyn Fn(&Known) -> bool| {
        let all = table::all().iter().filter(|known| takes(known));
        Reply::Array(all.map(|known| Reply::from(known.name.as_str())).collect())
    };
    match &call.args[2..] {
        [] => Ok(shown(&|_| true)),
        [by, kind, what] if is(by, "FILTERBY") => match () {
            () if is(kind, "MODULE") => Ok(Reply::Array(Vec::new())),
            () if is(kind, "ACLCAT") => Ok(shown(&|known| {
                let facts = facts::of(&known.name);
                facts.is_some_and(|facts| facts.categories.iter().any(|name| is(what, name)))
            })),
            () if is(kind, "PATTERN") => {
                Ok(shown(&|known| glob::matches(what, known.name.as_bytes(), true)))
            }
            () => Err(Error::Syntax),
        },
        _ => Err(Error::Syntax),
    }
}

/// The keys of a command: places, and what is done to them.
fn keys(args: &[Bytes]) -> Result<Vec<(usize, &'static [&'static str])>, Error> {
    let mut known = table::find(&args[0]);
    if let (Some(container), Some(part)) = (known, args.get(1)) {
        known = table::find_part(container, part).or(known);
    }
    let known = known.ok_or(Error::Text("ERR Invalid command specified"))?;
    let facts: Option<&'static Facts> = facts::of(&known.name);
    let facts = facts.filter(|facts| !facts.keys.is_empty());
    let facts = facts.ok_or(Error::Text("ERR The command has no key arguments"))?;
    if !known.spec.admits(args.len()) {
        return Err(Error::Text("ERR Invalid number of arguments specified for command"));
    }
    let mut found = Vec::new();
    let mut wrong = false;
    for key in &facts.keys {
        match key.places(args) {
            Some(places) => found.extend(places.into_iter().map(|at| (at, key.flags.as_slice()))),
            None => wrong = true,
        }
    }
    if known.spec.name == "sort" {
        // The last STORE counts, wherever it stands.
        let at = (2..args.len().saturating_sub(1)).rev().find(|at| is(&args[*at], "STORE"));
        let store = facts.keys.last().filter(|key| matches!(key.begin, Begin::Unknown));
        found.extend(at.zip(store).map(|(at, key)| (at + 1, key.flags.as_slice())));
    }
    if (wrong || found.is_empty()) && !facts.flags.contains(&"no_mandatory_keys") {
        return Err(Error::Text("ERR Invalid arguments specified for command"));
    }
    Ok(if wrong { Vec::new() } else { found })
}

/// COMMAND GETKEYS.
fn getkeys(call: &mut Call<'_>) -> Answer {
    let args = &call.args[2..];
    Ok(Reply::bulks(keys(args)?.into_iter().map(|(at, _)| &args[at])))
}

/// COMMAND GETKEYSANDFLAGS.
fn getkeysandflags(call: &mut Call<'_>) -> Answer {
    let args = &call.args[2..];
    let pairs = keys(args)?.into_iter().map(|(at, flags)| {
        Reply::Array(vec![Reply::Bulk(args[at].clone()), Reply::Set(statuses(flags))])
    });
    Ok(Reply::Array(pairs.collect()))
}

/// COMMAND HELP.
fn command_help(_: &mut Call<'_>) -> Answer {
    Ok(help::help(
        "COMMAND",
        &[
            ("(no subcommand)", &["Return details about all Redis commands."]),
            ("COUNT", &["Return the total number of commands in this Redis server."]),
            ("LIST", &["Return a list of all commands in this Redis server."]),
            (
                "INFO [<command-name> ...]",
                &[
                    "Return details about multiple Redis commands.",
                    "If no command names are given, documentation details for all",
                    "commands are returned.",
                ],
            ),
            (
                "DOCS [<command-name> ...]",
                &[
                    "Return documentation details about multiple Redis commands.",
                    "If no command names are given, documentation details for all",
                    "commands are returned.",
                ],
            ),
            ("GETKEYS <full-command>", &["Return the keys from a full Redis command."]),
            (
                "GETKEYSANDFLAGS <full-command>",
                &["Return the keys and the access flags from a full Redis command."],
            ),
        ],
    ))
}
