//! Redis: it is slow, goes, comes back with less, or gives up a key.

use super::stage::fixed;
use super::{Applied, Hazard, Stage, hazard};
use crate::clock::Span;
use crate::scenario::{Change, Happens, Loses, Mishap, Probe, Subject};

const SECOND: Span = Span::from_secs(1);
const TEN: Span = Span::from_secs(10);

pub(super) const HAZARDS: &[Hazard] = &[
    hazard("redis-slow", slow, "Redis executes nothing for ten seconds over a tick."),
    hazard("redis-restart", restart, "Redis restarts over a tick, and remembers everything."),
    hazard(
        "redis-failover",
        failover,
        "A replica takes over just after a tick, without the last second of writes.",
    ),
    hazard("redis-empty", empty, "Redis restarts between two ticks, empty."),
    hazard("redis-flushed", flushed, "Redis loses all keys; connections stay."),
    hazard("redis-evicts", evicts, "Redis gives up the set of what is delayed."),
    hazard("connections-cut", cut, "All connections break at a tick."),
    hazard(
        "partition",
        partition,
        "What the workers and Redis send each other is held back over a tick.",
    ),
];

fn slow(stage: &mut Stage) -> Applied {
    stage.redis(stage.tick - SECOND, Mishap::Slow(fixed(TEN)));
    stage.met(Probe::RedisIsSlow, Subject::World);
    Ok(())
}

fn down(stage: &mut Stage, at: crate::clock::Instant, loses: Loses) {
    stage.redis(at, Mishap::Restart { down: fixed(TEN), loses });
    stage.met(Probe::ConnectionsBreak, Subject::World);
}

fn restart(stage: &mut Stage) -> Applied {
    down(stage, stage.tick - SECOND, Loses::Nothing);
    Ok(())
}

fn failover(stage: &mut Stage) -> Applied {
    down(stage, stage.tick + Span::from_ms(800), Loses::Since(SECOND));
    Ok(())
}

fn empty(stage: &mut Stage) -> Applied {
    down(stage, stage.between(), Loses::All);
    Ok(())
}

fn flushed(stage: &mut Stage) -> Applied {
    stage.redis(stage.between(), Mishap::Flush);
    stage.met(Probe::RedisLosesAll, Subject::World);
    Ok(())
}

fn evicts(stage: &mut Stage) -> Applied {
    stage.redis(stage.between(), Mishap::Evict(stage.queue, "delayed".into()));
    stage.met(Probe::KeyIsEvicted, Subject::World);
    Ok(())
}

fn cut(stage: &mut Stage) -> Applied {
    for service in [stage.registrar, stage.worker] {
        let at = stage.tick - Span::from_ms(200);
        let cut = Happens::To(service, Change::Disconnect(fixed(SECOND)));
        stage.within(at, Span::from_ms(400), cut);
        if stage.registrar == stage.worker {
            break;
        }
    }
    stage.met(Probe::ConnectionsBreak, Subject::World);
    Ok(())
}

fn partition(stage: &mut Stage) -> Applied {
    let held = Happens::To(stage.worker, Change::Partition(fixed(TEN)));
    stage.at(stage.tick - SECOND, held);
    Ok(())
}
