//! Whether two replies to a command are as good as the same.
//!
//! They nearly always have to be the same bytes. Redis promises no order where it is that of a hash
//! table, and a command that answers with random members may answer with any.

use bootrace_sim::redis::resp::{decode, encode};
use bootrace_sim::redis::{Bytes, Reply};

/// How a command is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// The replies are the same bytes.
    Exact,
    /// The replies are arrays of the same elements, so many at a time.
    Free(usize),
    /// A cursor, then as above.
    Scan(usize),
    /// An encoding. The result of INCRBYFLOAT is `embstr` even where it is an integer, and nobody
    /// can see that but here.
    Encoding,
    /// What a client is told of the server itself: any reply that is of the same kind.
    Kind,
}

/// How the replies to a command are compared.
pub(crate) fn order(args: &[Vec<u8>], resp3: bool) -> Order {
    let name = args[0].to_ascii_lowercase();
    match name.as_slice() {
        b"keys" | b"smembers" | b"sinter" | b"sunion" | b"sdiff" | b"hkeys" | b"hvals" => {
            Order::Free(1)
        }
        b"hgetall" => Order::Free(if resp3 { 1 } else { 2 }),
        b"config" => Order::Free(if resp3 { 1 } else { 2 }),
        b"pubsub" if args.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"channels")) => {
            Order::Free(1)
        }
        b"object" => Order::Encoding,
        b"scan" | b"sscan" => Order::Scan(1),
        b"hscan" | b"zscan" => Order::Scan(2),
        b"hello" | b"command" | b"time" | b"client" => Order::Kind,
        _ => Order::Exact,
    }
}

/// Whether the command answers with random members, and what it does besides.
pub(crate) fn is_random(name: &[u8]) -> bool {
    const RANDOM: [&str; 5] = ["spop", "srandmember", "hrandfield", "zrandmember", "randomkey"];
    RANDOM.iter().any(|random| name.eq_ignore_ascii_case(random.as_bytes()))
}

/// Whether the command has a reply for each channel: without any named it speaks of all, in any
/// order, and in EXEC it answers with more replies than are said to come.
pub(crate) fn of_channels(name: &[u8]) -> bool {
    const COMMANDS: [&str; 4] = ["subscribe", "unsubscribe", "psubscribe", "punsubscribe"];
    COMMANDS.iter().any(|command| name.eq_ignore_ascii_case(command.as_bytes()))
}

/// Whether a client may have to wait for the reply.
pub(crate) fn may_wait(args: &[Vec<u8>]) -> bool {
    const WAITING: [&str; 10] = [
        "blpop",
        "brpop",
        "brpoplpush",
        "blmove",
        "blmpop",
        "bzpopmin",
        "bzpopmax",
        "bzmpop",
        "xread",
        "xreadgroup",
    ];
    WAITING.iter().any(|name| args[0].eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a command that waits may name several keys.
pub(crate) fn may_wait_for_several(args: &[Vec<u8>]) -> bool {
    let one = |name: &str| args[0].eq_ignore_ascii_case(name.as_bytes());
    args.len() > 3 && !one("blmove") && !one("brpoplpush")
}

/// SWAPDB.
pub(crate) fn is_swap(args: &[Vec<u8>]) -> bool {
    args[0].eq_ignore_ascii_case(b"swapdb")
}

/// Whether two replies agree.
pub(crate) fn agree(order: Order, model: &[u8], real: &[u8]) -> bool {
    if model == real {
        return true;
    }
    let (Ok(Some((model, _))), Ok(Some((real, _)))) = (decode(model), decode(real)) else {
        return false;
    };
    match order {
        Order::Exact => false,
        Order::Free(size) => {
            sorted(&model, size).is_some_and(|all| Some(all) == sorted(&real, size))
        }
        Order::Scan(size) => match (&model, &real) {
            (Reply::Array(one), Reply::Array(two)) if one.len() == 2 && two.len() == 2 => {
                one[0] == two[0] && sorted(&one[1], size) == sorted(&two[1], size)
            }
            _ => false,
        },
        Order::Encoding => {
            let whole = |reply: &Reply| [Reply::from("int"), Reply::from("embstr")].contains(reply);
            whole(&model) && whole(&real)
        }
        Order::Kind => std::mem::discriminant(&model) == std::mem::discriminant(&real),
    }
}

/// The elements of an array, so many at a time, sorted.
fn sorted(reply: &Reply, size: usize) -> Option<Vec<Vec<u8>>> {
    let text = |replies: &[Reply]| {
        let mut out = Vec::new();
        replies.iter().for_each(|reply| encode(reply, 3, &mut out));
        out
    };
    let mut all: Vec<Vec<u8>> = match reply {
        Reply::Array(all) | Reply::Set(all) => all.chunks(size).map(text).collect(),
        Reply::Map(pairs) => {
            pairs.iter().map(|(name, value)| text(&[name.clone(), value.clone()])).collect()
        }
        _ => return None,
    };
    all.sort_unstable();
    Some(all)
}

/// The members in a random reply, if it has any.
pub(crate) fn members(reply: &Reply) -> Vec<Bytes> {
    match reply {
        Reply::Bulk(member) => vec![member.clone()],
        Reply::Array(all) | Reply::Set(all) => all.iter().flat_map(members).collect(),
        _ => Vec::new(),
    }
}

/// Whether the replies within those of EXEC agree.
pub(crate) fn each_agrees(orders: &[Order], model: &[u8], real: &[u8]) -> bool {
    let (Ok(Some((Reply::Array(model), _))), Ok(Some((Reply::Array(real), _)))) =
        (decode(model), decode(real))
    else {
        return false;
    };
    let bytes = |reply: &Reply| {
        let mut out = Vec::new();
        encode(reply, 3, &mut out);
        out
    };
    model.len() == real.len()
        && orders.len() == model.len()
        && orders.iter().zip(model.iter().zip(&real)).all(|(order, (model, real))| {
            let ((told, model), (heard, real)) = (apart(model), apart(real));
            told == heard && agree(*order, &bytes(model), &bytes(real))
        })
}

/// The messages that stand before a reply, and the reply.
fn apart(reply: &Reply) -> (&[Reply], &Reply) {
    match reply {
        Reply::Several(all) => all.split_last().map_or((&[], reply), |(last, told)| (told, last)),
        reply => (&[], reply),
    }
}
