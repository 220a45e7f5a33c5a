//! Sessions: sequences of commands of a few clients, drawn from a seed.

use super::grammar::Family;
use super::judge::may_wait;
use super::kinds::Kinds;
use super::play::{BATCH, RECONNECT};
use super::{Rng, START_MS, Step};

/// The client that listens to what happens to keys.
const LISTENER: usize = 4;

/// How many clients a session has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clients {
    One,
    /// Four, whose commands are interleaved; the last of them never waits.
    Several,
}

/// A session of so many commands of these families.
pub(crate) fn session(
    families: &[&Family],
    clients: Clients,
    length: usize,
    seed: u64,
) -> Vec<Step> {
    let mut rng = Rng(seed);
    let mut kinds = Kinds { now_ms: START_MS };
    let mut steps = settings(&mut rng);
    let count = if clients == Clients::One { 1 } else { 4 };
    for client in 0..count {
        if rng.below(2) == 0 {
            steps.push(Step { client, wait_ms: 0, args: words("hello 3") });
        }
    }
    // Time stands still for who listens: when Redis finds out that a key is dead is its own affair.
    let listening = rng.below(3) == 0;
    if listening {
        let listen = ["config set notify-keyspace-events Kg$lshzt", "psubscribe __key*"];
        steps.push(Step { client: 0, wait_ms: 0, args: words(listen[0]) });
        steps.push(Step { client: LISTENER, wait_ms: 0, args: words(listen[1]) });
    }
    let mut client = 0;
    while steps.len() < length {
        let family = families[rng.below(families.len())];
        let mut args = family.forms[rng.below(family.forms.len())].draw(&mut rng, &kinds);
        damage(&mut args, &mut rng);
        if count > 1 && rng.below(3) == 0 {
            client = rng.below(count);
        }
        let wait_ms = match rng.below(25) {
            0 => [1, 1, 1, 1, 2, 3, 5, 10, 100, 1000][rng.below(10)],
            _ => 0,
        };
        let wait_ms = if listening { 0 } else { wait_ms };
        if client + 1 == count && count > 1 && may_wait(&args) {
            client = 0;
        }
        kinds.now_ms += wait_ms;
        if count > 1 && rng.below(60) == 0 {
            args = vec![RECONNECT.to_vec()];
        }
        steps.push(Step { client, wait_ms, args });
    }
    steps
}

/// Small limits, so that sessions cross them.
fn settings(rng: &mut Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    for (name, values) in [
        ("hash-max-listpack-entries", ["512", "3", "5"]),
        ("zset-max-listpack-entries", ["128", "3", "5"]),
        ("set-max-intset-entries", ["512", "3", "5"]),
        ("stream-node-max-entries", ["100", "3", "5"]),
        ("stream-node-max-bytes", ["4096", "64", "100"]),
    ] {
        let value = values[rng.below(3)];
        steps.push(Step {
            client: 0,
            wait_ms: 0,
            args: words(&format!("config set {name} {value}")),
        });
    }
    steps
}

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Now and then, a command that is not quite right.
fn damage(args: &mut Vec<Vec<u8>>, rng: &mut Rng) {
    let at = rng.below(args.len());
    match rng.below(120) {
        0 if at > 0 => drop(args.remove(at)),
        1 => args.push(rng.pick(&["", "x", "0", "nx", "count"]).into()),
        2 => args.insert(at.max(1), args[at].clone()),
        3 if at > 1 => args.swap(at - 1, at),
        4 => args.iter_mut().for_each(|arg| arg.make_ascii_uppercase()),
        _ => {}
    }
}

/// Where the steps end that can be sent at once.
pub(super) fn run_end(steps: &[Step], from: usize) -> usize {
    let mut end = from + 1;
    let alone = |step: &Step| {
        may_wait(&step.args)
            || step.args[0] == RECONNECT
            || ["multi", "exec", "discard", "hello", "reset"]
                .iter()
                .any(|name| step.args[0].eq_ignore_ascii_case(name.as_bytes()))
    };
    if alone(&steps[from]) {
        return end;
    }
    while end < steps.len()
        && end - from < BATCH
        && steps[end].client == steps[from].client
        && steps[end].wait_ms == 0
        && !alone(&steps[end])
    {
        end += 1;
    }
    end
}
