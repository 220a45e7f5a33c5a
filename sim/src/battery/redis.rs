//! Redis: it is slow, goes, comes back with less, or gives up a key.

use super::stage::fixed;
use super::{Applied, Hazard, Stage, hazard};
use crate::clock::{Instant, Span};
use crate::scenario::{Change, Happens, Loses, Mishap, Probe, Subject};

const SECOND: Span = Span::from_secs(1);
const FIVE: Span = Span::from_secs(5);
const TEN: Span = Span::from_secs(10);
const MINUTE: Span = Span::from_secs(60);

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
    hazard(
        "redis-evicts",
        evicts,
        "Redis gives up the set of what is delayed; of what is completed, where nothing ever is.",
    ),
    hazard("connections-cut", cut, "All connections break at a tick."),
    hazard(
        "credentials-rotated",
        rotated,
        "All connections break before a tick and none can be opened for a minute; a deploy falls into it.",
    ),
    hazard(
        "redis-away-at-boot",
        away_at_boot,
        "Redis is away for minutes between two ticks, and a deploy begins meanwhile.",
    ),
    hazard(
        "redis-restored",
        restored,
        "Redis is restored from a snapshot that was made before the last tick.",
    ),
    hazard(
        "slow-script",
        slow_script,
        "A script keeps Redis busy for twice as long as a lock lives, while the tick's job runs.",
    ),
    hazard(
        "partition",
        partition,
        "What the workers and Redis send each other is held back over a tick.",
    ),
];

fn slow(stage: &mut Stage) -> Applied {
    stage.short();
    stage.redis(stage.tick - SECOND, Mishap::Slow(fixed(TEN)));
    stage.met(Probe::RedisIsSlow, Subject::World);
    Ok(())
}

fn down(stage: &mut Stage, at: Instant, loses: Loses) {
    stage.redis(at, Mishap::Restart { down: fixed(TEN), loses });
    stage.met(Probe::ConnectionsBreak, Subject::World);
}

fn restart(stage: &mut Stage) -> Applied {
    stage.short();
    down(stage, stage.tick - SECOND, Loses::Nothing);
    Ok(())
}

fn failover(stage: &mut Stage) -> Applied {
    stage.short();
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
    // Where none waits for its tick, what tells that a tick had its job.
    let key = if stage.waits_in_redis().is_ok() { "delayed" } else { "completed" };
    stage.redis(stage.between(), Mishap::Evict(stage.queue, key.into()));
    stage.met(Probe::KeyIsEvicted, Subject::World);
    Ok(())
}

fn cut(stage: &mut Stage) -> Applied {
    stage.short();
    disconnected(stage, stage.tick - Span::from_ms(200), Span::from_ms(400), SECOND);
    Ok(())
}

/// Who registers and who works lose their connections, and get none for so long.
fn disconnected(stage: &mut Stage, at: Instant, within: Span, lasts: Span) {
    let both = [stage.registrar, stage.worker];
    let count = if stage.registrar == stage.worker { 1 } else { 2 };
    for service in &both[..count] {
        let cut = Happens::To(*service, Change::Disconnect(fixed(lasts)));
        stage.within(at, within, cut);
    }
    stage.met(Probe::ConnectionsBreak, Subject::World);
}

fn rotated(stage: &mut Stage) -> Applied {
    stage.short();
    stage.boots_within(SECOND, FIVE);
    disconnected(stage, stage.tick - TEN - TEN, Span::ZERO, MINUTE);
    stage.change(stage.tick - TEN, Change::Restart);
    Ok(())
}

fn away_at_boot(stage: &mut Stage) -> Applied {
    stage.boots_within(SECOND, FIVE);
    // A command is given up after twenty attempts to connect: about five minutes.
    let lasts = stage.part(12).min(Span::from_secs(6 * 60));
    let at = stage.between();
    stage.redis(at, Mishap::Restart { down: fixed(lasts), loses: Loses::Nothing });
    stage.change(at + SECOND, Change::Restart);
    stage.met(Probe::ConnectionsBreak, Subject::World);
    Ok(())
}

fn restored(stage: &mut Stage) -> Applied {
    let loses = Loses::Since(stage.part(60));
    let at = stage.tick + stage.part(40);
    stage.redis(at, Mishap::Restart { down: fixed(TEN), loses });
    stage.met(Probe::RedisLosesWrites, Subject::World);
    Ok(())
}

fn slow_script(stage: &mut Stage) -> Applied {
    stage.short();
    let at = stage.in_job();
    let lock = stage.lock();
    stage.redis(at, Mishap::Slow(fixed(lock + lock)));
    stage.met(Probe::RedisIsSlow, Subject::World);
    Ok(())
}

fn partition(stage: &mut Stage) -> Applied {
    stage.short();
    let held = Happens::To(stage.worker, Change::Partition(fixed(TEN)));
    stage.at(stage.tick - SECOND, held);
    Ok(())
}
