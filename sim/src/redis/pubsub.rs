//! Publish and subscribe: SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their opposites, PUBLISH, SPUBLISH,
//! PUBSUB, and the events of the keyspace.
//!
//! A message goes out when it is published, also in the middle of a script or a transaction. There
//! is no cluster: the channels of shards are one more set of channels.

use std::collections::BTreeMap;

use super::ClientId;
use super::bytes::Bytes;
use super::db::Notice;
use super::glob;
use super::help;
use super::reply::Reply;
use super::server::{Answer, Call, Server};
use super::session::Session;
use super::settings::events::{KEYEVENT, KEYSPACE};
use super::table::Spec;
use super::table::flag::{FAST, LOADING, NOSCRIPT, PUBSUB, STALE};

const COMMON: u32 = PUBSUB | LOADING | STALE;
const NONE: (i32, i32, i32) = (0, 0, 0);
const ALL: (i32, i32, i32) = (1, -1, 1);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("psubscribe", -2, COMMON | NOSCRIPT, NONE, psubscribe),
    Spec::new("publish", 3, COMMON | FAST, NONE, publish),
    Spec::container(
        "pubsub",
        &[
            Spec::new("channels", -2, COMMON, NONE, channels),
            Spec::new("help", 2, LOADING | STALE, NONE, pubsub_help),
            Spec::new("numpat", 2, COMMON, NONE, numpat),
            Spec::new("numsub", -2, COMMON, NONE, numsub),
            Spec::new("shardchannels", -2, COMMON, NONE, shardchannels),
            Spec::new("shardnumsub", -2, COMMON, NONE, shardnumsub),
        ],
    ),
    Spec::new("punsubscribe", -1, COMMON | NOSCRIPT, NONE, punsubscribe),
    Spec::new("spublish", 3, COMMON | FAST, (1, 1, 1), spublish),
    Spec::new("ssubscribe", -2, COMMON | NOSCRIPT, ALL, ssubscribe),
    Spec::new("subscribe", -2, COMMON | NOSCRIPT, NONE, subscribe),
    Spec::new("sunsubscribe", -1, COMMON | NOSCRIPT, ALL, sunsubscribe),
    Spec::new("unsubscribe", -1, COMMON | NOSCRIPT, NONE, unsubscribe),
];

/// The commands that a subscriber of version 2 may send.
pub(super) const OF_SUBSCRIBERS: [&str; 9] = [
    "ping",
    "subscribe",
    "ssubscribe",
    "unsubscribe",
    "sunsubscribe",
    "psubscribe",
    "punsubscribe",
    "quit",
    "reset",
];

/// What can be subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Channel, Kind::Shard, Kind::Pattern];

    /// Of the message that says that it is subscribed to, and that it is not any more.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Channel => ("subscribe", "unsubscribe"),
            Kind::Pattern => ("psubscribe", "punsubscribe"),
            Kind::Shard => ("ssubscribe", "sunsubscribe"),
        }
    }

    fn of(self, session: &mut Session) -> &mut Vec<Bytes> {
        match self {
            Kind::Channel => &mut session.channels,
            Kind::Pattern => &mut session.patterns,
            Kind::Shard => &mut session.shards,
        }
    }
}

/// Who listens to what: to each name its subscribers, first come first.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    channels: BTreeMap<Bytes, Vec<ClientId>>,
    patterns: BTreeMap<Bytes, Vec<ClientId>>,
    shards: BTreeMap<Bytes, Vec<ClientId>>,
}

impl Subscribers {
    fn of(&mut self, kind: Kind) -> &mut BTreeMap<Bytes, Vec<ClientId>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// How many channels and how many patterns somebody listens to (INFO).
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.channels.len(), self.patterns.len(), self.shards.len())
    }
}

impl Server {
    /// Sends a message to all who listen; to how many.
    fn publish(&mut self, shard: bool, channel: &Bytes, message: &Bytes) -> usize {
        let before = self.outbox.len();
        let (kind, word) =
            if shard { (Kind::Shard, "smessage") } else { (Kind::Channel, "message") };
        let bulk = |bytes: &Bytes| Reply::Bulk(bytes.clone());
        for client in self.subscribers.of(kind).get(channel).into_iter().flatten() {
            let push = vec![word.into(), bulk(channel), bulk(message)];
            self.outbox.push((*client, Reply::Push(push)));
        }
        if !shard {
            for (pattern, clients) in &self.subscribers.patterns {
                if glob::matches(pattern, channel, false) {
                    for client in clients {
                        let push =
                            vec!["pmessage".into(), bulk(pattern), bulk(channel), bulk(message)];
                        self.outbox.push((*client, Reply::Push(push)));
                    }
                }
            }
        }
        self.outbox.len() - before
    }

    /// Publishes an event of the keyspace (notify.c `notifyKeyspaceEvent`).
    pub(super) fn publish_notice(&mut self, number: usize, notice: &Notice) {
        let (event, key) = (Bytes::from(notice.event), notice.key.bytes());
        let events = self.settings.events;
        if events & KEYSPACE != 0 {
            let head = format!("__keyspace@{number}__:");
            let channel = Bytes::from([head.as_bytes(), key].concat());
            self.publish(false, &channel, &event);
        }
        if events & KEYEVENT != 0 {
            let channel = Bytes::from(format!("__keyevent@{number}__:{}", notice.event));
            self.publish(false, &channel, key);
        }
    }

    /// Ends all subscriptions of a client, without a word.
    pub(super) fn unsubscribe_all(&mut self, client: ClientId) {
        for kind in Kind::ALL {
            for name in std::mem::take(kind.of(self.session(client))) {
                self.drop_subscriber(kind, &name, client);
            }
        }
    }

    fn drop_subscriber(&mut self, kind: Kind, name: &Bytes, client: ClientId) {
        let names = self.subscribers.of(kind);
        if let Some(clients) = names.get_mut(name) {
            clients.retain(|other| *other != client);
            if clients.is_empty() {
                names.remove(name);
            }
        }
    }
}

/// How many subscriptions the message about one tells of.
fn count(session: &Session, kind: Kind) -> Reply {
    match kind {
        Kind::Shard => Reply::int(session.shards.len()),
        _ => Reply::int(session.channels.len() + session.patterns.len()),
    }
}

fn subscribe_to(call: &mut Call<'_>, kind: Kind) -> Answer {
    let mut told = Vec::new();
    for name in &call.args[1..] {
        let client = call.client;
        let session = call.server.session(client);
        let names = kind.of(session);
        if !names.contains(name) {
            names.push(name.clone());
            call.server.subscribers.of(kind).entry(name.clone()).or_default().push(client);
        }
        let count = count(call.session(), kind);
        told.push(Reply::Push(vec![kind.words().0.into(), Reply::Bulk(name.clone()), count]));
    }
    Ok(several(told))
}

fn unsubscribe_from(call: &mut Call<'_>, kind: Kind) -> Answer {
    let names = match &call.args[1..] {
        [] => kind.of(call.session()).clone(),
        names => names.to_vec(),
    };
    let word = kind.words().1;
    if names.is_empty() {
        let count = count(call.session(), kind);
        return Ok(Reply::Push(vec![word.into(), Reply::Nil, count]));
    }
    let mut told = Vec::new();
    for name in names {
        kind.of(call.session()).retain(|other| *other != name);
        let client = call.client;
        call.server.drop_subscriber(kind, &name, client);
        let count = count(call.session(), kind);
        told.push(Reply::Push(vec![word.into(), Reply::Bulk(name), count]));
    }
    Ok(several(told))
}

/// One message as it is.
fn several(mut told: Vec<Reply>) -> Reply {
    if told.len() == 1 { told.remove(0) } else { Reply::Several(told) }
}

/// SUBSCRIBE.
fn subscribe(call: &mut Call<'_>) -> Answer {
    subscribe_to(call, Kind::Channel)
}

/// PSUBSCRIBE.
fn psubscribe(call: &mut Call<'_>) -> Answer {
    subscribe_to(call, Kind::Pattern)
}

/// SSUBSCRIBE.
fn ssubscribe(call: &mut Call<'_>) -> Answer {
    subscribe_to(call, Kind::Shard)
}

/// UNSUBSCRIBE.
fn unsubscribe(call: &mut Call<'_>) -> Answer {
    unsubscribe_from(call, Kind::Channel)
}

/// PUNSUBSCRIBE.
fn punsubscribe(call: &mut Call<'_>) -> Answer {
    unsubscribe_from(call, Kind::Pattern)
}

/// SUNSUBSCRIBE.
fn sunsubscribe(call: &mut Call<'_>) -> Answer {
    unsubscribe_from(call, Kind::Shard)
}

/// PUBLISH.
fn publish(call: &mut Call<'_>) -> Answer {
    Ok(Reply::int(call.server.publish(false, &call.args[1], &call.args[2])))
}

/// SPUBLISH.
fn spublish(call: &mut Call<'_>) -> Answer {
    Ok(Reply::int(call.server.publish(true, &call.args[1], &call.args[2])))
}

fn list(call: &mut Call<'_>, kind: Kind) -> Answer {
    if call.args.len() > 3 {
        return Err(help::wrong_part(call.args));
    }
    let pattern = call.args.get(2);
    let names = call.server.subscribers.of(kind).keys();
    let shown = names.filter(|name| pattern.is_none_or(|glob| glob::matches(glob, name, false)));
    Ok(Reply::bulks(shown))
}

fn numbers(call: &mut Call<'_>, kind: Kind) -> Answer {
    let names = call.server.subscribers.of(kind);
    let pairs = call.args[2..].iter().flat_map(|name| {
        let count = names.get(name).map_or(0, Vec::len);
        [Reply::Bulk(name.clone()), Reply::int(count)]
    });
    Ok(Reply::Array(pairs.collect()))
}

/// PUBSUB CHANNELS. In bytewise order.
fn channels(call: &mut Call<'_>) -> Answer {
    list(call, Kind::Channel)
}

/// PUBSUB SHARDCHANNELS. In bytewise order.
fn shardchannels(call: &mut Call<'_>) -> Answer {
    list(call, Kind::Shard)
}

/// PUBSUB NUMSUB.
fn numsub(call: &mut Call<'_>) -> Answer {
    numbers(call, Kind::Channel)
}

/// PUBSUB SHARDNUMSUB.
fn shardnumsub(call: &mut Call<'_>) -> Answer {
    numbers(call, Kind::Shard)
}

/// PUBSUB NUMPAT.
fn numpat(call: &mut Call<'_>) -> Answer {
    Ok(Reply::int(call.server.subscribers.patterns.len()))
}

/// PUBSUB HELP.
fn pubsub_help(_: &mut Call<'_>) -> Answer {
    Ok(help::help(
        "PUBSUB",
        &[
            (
                "CHANNELS [<pattern>]",
                &["Return the currently active channels matching a <pattern> (default: '*')."],
            ),
            ("NUMPAT", &["Return number of subscriptions to patterns."]),
            (
                "NUMSUB [<channel> ...]",
                &[
                    "Return the number of subscribers for the specified channels, excluding",
                    "pattern subscriptions(default: no channels).",
                ],
            ),
            (
                "SHARDCHANNELS [<pattern>]",
                &[
                    "Return the currently active shard level channels matching a <pattern> (default: '*').",
                ],
            ),
            (
                "SHARDNUMSUB [<shardchannel> ...]",
                &["Return the number of subscribers for the specified shard level channel(s)"],
            ),
        ],
    ))
}
