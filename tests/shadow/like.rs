//! Replies compared: byte for byte, or as far as what is asked for has an order.
//!
//! Redis walks a hash table in an order that depends on its process. Nothing else is forgiven here.

use bootrace_sim::redis::{Bytes, Reply};

/// What may be compared of a reply to a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    /// All.
    Exact,
    /// All but the order of what comes from hash tables.
    Unordered,
    /// As [`Rule::Unordered`] where one reply has all there is, else only the type: where a page
    /// ends depends on the order.
    Page,
    /// The type only: addresses, ages, versions of the server.
    Type,
}

/// Commands that walk a hash table.
const UNORDERED: [&str; 8] =
    ["hgetall", "hkeys", "hvals", "smembers", "keys", "sunion", "sinter", "sdiff"];
/// Commands that answer with a part of a hash table.
const PAGES: [&str; 3] = ["scan", "sscan", "hscan"];
/// Commands about the server and its connections.
const OWN: [&str; 2] = ["info", "client"];

impl Rule {
    /// The rule of a command that is no script.
    pub(crate) fn of(name: &str) -> Rule {
        match name {
            _ if UNORDERED.contains(&name) => Rule::Unordered,
            _ if PAGES.contains(&name) => Rule::Page,
            _ if OWN.contains(&name) => Rule::Type,
            _ => Rule::Exact,
        }
    }

    /// The rule of a script, by the commands in its text.
    pub(crate) fn of_script(text: &[u8]) -> Rule {
        let text = String::from_utf8_lossy(text).to_lowercase();
        let calls = |name: &&str| text.contains(&format!("\"{name}\""));
        match () {
            // Its command stands in a variable, which a comparison tells.
            () if PAGES.iter().any(calls) => Rule::Page,
            () if UNORDERED.iter().any(calls) => Rule::Unordered,
            () => Rule::Exact,
        }
    }

    /// Whether two replies are alike under this rule; they are not the same.
    pub(crate) fn admits(self, model: &Reply, real: &Reply) -> bool {
        match self {
            Rule::Exact => false,
            Rule::Unordered => like(model, real),
            Rule::Page => match (model, real) {
                (Reply::Array(one), Reply::Array(two)) => {
                    one.len() == two.len() && (!(whole(one) && whole(two)) || like(model, real))
                }
                _ => false,
            },
            Rule::Type => std::mem::discriminant(model) == std::mem::discriminant(real),
        }
    }
}

/// Whether a page is all there is: its cursor is 0, and where a total follows the elements, as in
/// BullMQ's `paginate`, there are so many.
fn whole(page: &[Reply]) -> bool {
    let zero = |reply: &Reply| matches!(reply, Reply::Int(0)) || *reply == Reply::from("0");
    let all = match page {
        [_, _, Reply::Array(elements), total @ Reply::Int(_), ..] => {
            *total == Reply::int(elements.len())
        }
        _ => true,
    };
    all && page.first().is_some_and(zero)
}

/// Whether two replies differ in nothing but the order within arrays: of elements, or of pairs.
fn like(one: &Reply, two: &Reply) -> bool {
    let (Reply::Array(one), Reply::Array(two)) = (one, two) else { return one == two };
    if one.len() != two.len() {
        return false;
    }
    let alike = one.iter().zip(two).all(|(one, two)| like(one, two));
    alike
        || pairs(one).is_some_and(|pairs_of| Some(pairs_of) == pairs(two))
        || sorted(one) == sorted(two)
}

/// A reply as text in which the order within arrays does not show.
fn unordered(reply: &Reply) -> String {
    match reply {
        Reply::Array(elements) => format!("{:?}", sorted(elements)),
        reply => format!("{reply:?}"),
    }
}

/// The strings of an array as sorted pairs: what HGETALL answers.
fn pairs(array: &[Reply]) -> Option<Vec<(&Bytes, &Bytes)>> {
    let strings: Option<Vec<&Bytes>> = array
        .iter()
        .map(|reply| match reply {
            Reply::Bulk(string) => Some(string),
            _ => None,
        })
        .collect();
    let strings = strings.filter(|strings| strings.len() % 2 == 0)?;
    let mut pairs: Vec<_> = strings.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.sort();
    Some(pairs)
}

fn sorted(array: &[Reply]) -> Vec<String> {
    let mut shown: Vec<String> = array.iter().map(unordered).collect();
    shown.sort();
    shown
}
