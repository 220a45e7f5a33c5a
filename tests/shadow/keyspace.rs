//! All that both servers hold, compared: keys, types, values, deadlines. What follows the order of a
//! hash table is compared without it.

use bootrace_sim::redis::{Bytes, Reply};
use libtest_mimic::Failed;

use crate::pair::Pair;

/// Compares the first database of both; the number of keys. The order within hash tables is free.
pub(crate) fn compare(pair: &mut Pair) -> Result<usize, Failed> {
    let all = ["KEYS", "*"].map(Bytes::from).to_vec();
    let (model, real) = (keys(&pair.ask_model(&all)), keys(&pair.ask_real_many(&[all])[0]));
    if model != real {
        let only = |these: &[Bytes], those: &[Bytes]| -> Vec<Bytes> {
            these.iter().filter(|key| !those.contains(key)).cloned().collect()
        };
        let (model, real) = (only(&model, &real), only(&real, &model));
        return Err(format!("keys of the model only: {model:?}, of the real only: {real:?}").into());
    }
    let types: Vec<Vec<Bytes>> = real.iter().map(|key| vec!["TYPE".into(), key.clone()]).collect();
    let types = pair.ask_real_many(&types);
    let questions: Vec<Vec<Bytes>> =
        real.iter().zip(&types).flat_map(|(key, kind)| questions(key, kind)).collect();
    let answers = pair.ask_real_many(&questions);
    for (question, real) in questions.iter().zip(answers) {
        let (model, real) = (plain(question, pair.ask_model(question)), plain(question, real));
        if model != real {
            return Err(
                format!("{question:?}\n  the model: {model:?}\n  the real:  {real:?}").into()
            );
        }
    }
    Ok(real.len())
}

fn keys(reply: &Reply) -> Vec<Bytes> {
    let Reply::Array(keys) = reply else { panic!("KEYS answers with an array, not {reply:?}") };
    let name = |key: &Reply| match key {
        Reply::Bulk(name) => name.clone(),
        other => panic!("a key is a string, not {other:?}"),
    };
    let mut keys: Vec<Bytes> = keys.iter().map(name).collect();
    keys.sort();
    keys
}

/// What is asked of a key.
fn questions(key: &Bytes, kind: &Reply) -> Vec<Vec<Bytes>> {
    let Reply::Simple(kind) = kind else { panic!("TYPE answers with a status, not {kind:?}") };
    let value: &[&str] = match kind.as_str() {
        Some("string") => &["GET"],
        Some("list") => &["LRANGE", "0", "-1"],
        Some("hash") => &["HGETALL"],
        Some("set") => &["SMEMBERS"],
        Some("zset") => &["ZRANGE", "0", "-1", "WITHSCORES"],
        Some("stream") => &["XRANGE", "-", "+"],
        other => panic!("{key} is of the type {other:?}"),
    };
    let asked = |words: &[&str]| {
        let mut words: Vec<Bytes> = words.iter().map(|word| Bytes::from(*word)).collect();
        words.insert(1, key.clone());
        words
    };
    vec![asked(&["TYPE"]), asked(&["PEXPIRETIME"]), asked(value)]
}

/// A reply without the order that a hash table gives it, in the words of version 2.
fn plain(question: &[Bytes], reply: Reply) -> Vec<String> {
    let mut encoded = Vec::new();
    bootrace_sim::redis::resp::encode(&reply, 2, &mut encoded);
    let reply = bootrace_sim::redis::resp::decode(&encoded).ok().flatten().expect("encoded").0;
    let Reply::Array(elements) = reply else { return vec![format!("{reply:?}")] };
    let shown: Vec<String> = elements.iter().map(|element| format!("{element:?}")).collect();
    match question[0].as_str() {
        Some("HGETALL") => {
            let mut pairs: Vec<String> = shown.chunks(2).map(|pair| pair.join(" = ")).collect();
            pairs.sort();
            pairs
        }
        Some("SMEMBERS") => {
            let mut members = shown;
            members.sort();
            members
        }
        Some("XRANGE") => entries(&elements),
        _ => shown,
    }
}

/// The entries of a stream: all ids in order, and what the entries of each millisecond say, in any
/// order. A script that walks a set of jobs adds an entry for each in the order of a hash table.
fn entries(elements: &[Reply]) -> Vec<String> {
    let (mut ids, mut said) = (Vec::new(), Vec::new());
    for entry in elements {
        let Reply::Array(parts) = entry else { panic!("an entry has parts, not {entry:?}") };
        let [Reply::Bulk(id), body] = &parts[..] else { panic!("an id and fields: {parts:?}") };
        let id = id.to_string();
        let ms = id.split('-').next().expect("an id has milliseconds");
        said.push(format!("{ms}: {body:?}"));
        ids.push(id);
    }
    said.sort();
    ids.extend(said);
    ids
}
