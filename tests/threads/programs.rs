//! Threads about schedulers and queues that are not BullMQ, or about a handler's own code: the mechanism as a
//! program of a few lines against Redis, once with the fault and once without.

use bootrace::sim::redis::SetOptions;
use bootrace::{Container, Ctx, Fleet};
use std::time::Duration;

/// A program with its fault, or without.
pub(crate) type Program = fn(bool) -> Fleet;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Ends with its container.
async fn rest(ctx: Ctx) -> bootrace::Result {
    ctx.terminated().await;
    Ok(())
}

/// A run that takes longer than its lease fails, and gives the lease back, which another run has by now: a
/// third one begins beside the second.
pub(crate) fn lease_of_another(fixed: bool) -> Fleet {
    let main = move |ctx: Ctx| async move {
        let (redis, me) = (ctx.redis(), ctx.name());
        while !redis.exists("metered").await? {
            if !redis.set("lease", me.as_str(), SetOptions::px(30_000).nx()).await? {
                ctx.sleep(secs(1)).await;
                continue;
            }
            ctx.note("meters");
            // The first run hangs, and then throws; the others do their work.
            let hangs = !redis.exists("begun").await?;
            redis.set("begun", "yes", SetOptions::default()).await?;
            ctx.sleep(secs(if hangs { 40 } else { 25 })).await;
            if !hangs {
                redis.set("metered", "yes", SetOptions::default()).await?;
            }
            if fixed {
                redis.del_if_equal("lease", me.as_str()).await?;
            } else {
                redis.del("lease").await?;
            }
            ctx.note("rests");
            if hangs {
                break;
            }
        }
        rest(ctx).await
    };
    Fleet::new("a lease given back by who lost it")
        .container(Container::new("worker", main).replicas(3).boot(secs(1)..=secs(5)))
        .always("no third run", |seen| seen.times("meters") <= 2)
}

/// A repeated job's slots are counted from the boot that added it: a boot at another phase does not meet
/// the slot that is there, and adds a row of its own.
pub(crate) fn slots_from_the_boot(fixed: bool) -> Fleet {
    const EVERY_MS: i64 = 20_000;
    let main = move |ctx: Ctx| async move {
        let redis = ctx.redis();
        let now = ctx.now_ms();
        let slot = if fixed { (now / EVERY_MS + 1) * EVERY_MS } else { now + EVERY_MS };
        let none = !redis.exists("row:1").await?;
        if none
            || (!fixed
                && redis.set(format!("slot:{slot}"), "x", SetOptions::default().nx()).await?)
        {
            let row = redis.incr("rows").await?;
            redis.set(format!("row:{row}"), slot.to_string(), SetOptions::default()).await?;
        }
        loop {
            let rows = redis.incrby("rows", 0).await?;
            for row in 1..=rows {
                let slot = redis.get(format!("row:{row}")).await?;
                let slot: i64 = slot.map_or(0, |slot| slot.to_string().parse().unwrap_or(0));
                if slot <= ctx.now_ms() {
                    ctx.note("runs");
                    let next = (slot + EVERY_MS).to_string();
                    redis.set(format!("row:{row}"), next, SetOptions::default()).await?;
                }
            }
            ctx.sleep(secs(1)).await;
        }
    };
    let web = Container::new("web", main).boot(secs(1)..=secs(4));
    Fleet::new("slots that are counted from the boot")
        .container(web.kill_at(secs(50), 1).kill_at(secs(90), 1))
        .always("a run a period", |seen| seen.times("runs") <= seen.elapsed().as_secs() / 20 + 1)
}

/// A worker whose clock is some milliseconds behind runs a job that others have found due. The next tick
/// after its own instant is the one that it runs, whose id is there: it adds none.
pub(crate) fn run_before_its_time(fixed: bool) -> Fleet {
    const EVERY_MS: i64 = 20_000;
    let works = move |ctx: Ctx| async move {
        let redis = ctx.redis();
        let behind = i64::try_from(ctx.between(secs(0)..=Duration::from_millis(30)).as_millis())?;
        let mut due = (ctx.now_ms() / EVERY_MS + 1) * EVERY_MS;
        while redis.set(format!("tick:{due}"), "x", SetOptions::default().nx()).await? {
            while !redis.exists(format!("is due:{due}")).await? {
                ctx.sleep(Duration::from_millis(5)).await;
            }
            ctx.note("runs");
            let now = ctx.now_ms() - behind;
            let from = if fixed { now.max(due) } else { now };
            due = (from / EVERY_MS + 1) * EVERY_MS;
        }
        rest(ctx).await
    };
    let finds_due = |ctx: Ctx| async move {
        let redis = ctx.redis();
        loop {
            let wait = EVERY_MS - ctx.now_ms() % EVERY_MS;
            ctx.sleep(Duration::from_millis(wait.unsigned_abs())).await;
            let due = ctx.now_ms() / EVERY_MS * EVERY_MS;
            redis.set(format!("is due:{due}"), "x", SetOptions::default()).await?;
        }
    };
    Fleet::new("a job that runs before its time")
        .container(Container::new("worker", works).boot(secs(1)..=secs(4)))
        .container(Container::new("scheduler", finds_due).boot(secs(1)..=secs(4)))
        .length(secs(300))
        .eventually("it goes on", |seen| seen.times("runs") >= 13)
}

/// The check for stalled jobs reads what is active, and takes the lock of one that has none: which has been
/// done and removed between the two.
pub(crate) fn stalled_check_in_two_steps(fixed: bool) -> Fleet {
    let works = |ctx: Ctx| async move {
        let redis = ctx.redis();
        redis.set("active", "job", SetOptions::default()).await?;
        redis.set("lock", "worker", SetOptions::px(30_000)).await?;
        ctx.note("does it");
        ctx.sleep(ctx.between(secs(1)..=secs(9))).await;
        redis.del("active").await?;
        redis.del("lock").await?;
        rest(ctx).await
    };
    let checks = move |ctx: Ctx| async move {
        let redis = ctx.redis();
        loop {
            if redis.exists("active").await?
                && redis.set("lock", "checker", SetOptions::px(30_000).nx()).await?
            {
                if !fixed || redis.exists("active").await? {
                    ctx.note("does it");
                }
                return rest(ctx).await;
            }
        }
    };
    // The checker's messages are slow, so that there is time between its two.
    let checker = Container::new("checker", checks).boot(secs(2)..=secs(2));
    Fleet::new("a stalled check in two steps")
        .container(Container::new("worker", works).boot(secs(1)..=secs(1)))
        .container(checker.round_trip(Duration::from_millis(800)..=secs(2)))
        .always("done once", |seen| seen.times("does it") <= 1)
}

/// The end of a job deletes what is queued under its id: also a newer job of that id.
pub(crate) fn ended_by_id(fixed: bool) -> Fleet {
    let works = move |ctx: Ctx| async move {
        let redis = ctx.redis();
        loop {
            if let Some(job) = redis.get("run").await? {
                ctx.note(format!("does {job}"));
                ctx.sleep(secs(10)).await;
                if fixed {
                    redis.del_if_equal("run", job).await?;
                } else {
                    redis.del("run").await?;
                }
            }
            ctx.sleep(secs(1)).await;
        }
    };
    let adds = |ctx: Ctx| async move {
        let redis = ctx.redis();
        redis.set("run", "first", SetOptions::default()).await?;
        ctx.sleep(secs(8)).await;
        redis.set("run", "second", SetOptions::default()).await?;
        rest(ctx).await
    };
    Fleet::new("an end by id alone")
        .container(Container::new("worker", works).boot(secs(1)..=secs(2)))
        .container(Container::new("api", adds).boot(secs(4)..=secs(5)))
        .eventually("the second job is done", |seen| seen.times("does second") == 1)
}

/// A node reads when a trigger is due, and acquires it later: it has been fired and given back by another
/// meanwhile, and looks as it looked before.
pub(crate) fn trigger_given_back_meanwhile(fixed: bool) -> Fleet {
    let main = move |ctx: Ctx| async move {
        let redis = ctx.redis();
        redis.set("due", "1", SetOptions::default().nx()).await?;
        loop {
            let Some(due) = redis.get("due").await? else { continue };
            if redis.set("acquired", "yes", SetOptions::default().nx()).await? {
                let now = redis.get("due").await?;
                if !fixed || now.as_ref() == Some(&due) {
                    ctx.note(format!("fires {due}"));
                    let next: u64 = due.to_string().parse()?;
                    redis.set("due", (next + 1).to_string(), SetOptions::default()).await?;
                }
                redis.del("acquired").await?;
            }
            ctx.sleep(secs(10)).await;
        }
    };
    let millis = Duration::from_millis;
    let node = |name, least, most| {
        Container::new(name, main).boot(secs(1)..=secs(1)).round_trip(millis(least)..=millis(most))
    };
    Fleet::new("a trigger that was given back meanwhile")
        .container(node("quick", 1, 2))
        .container(node("slow", 900, 1_000))
        .always("each is fired once", |seen| {
            (1..=60).all(|due| seen.times(&format!("fires {due}")) <= 1)
        })
}

/// Each minute and the time that it takes to look, a process looks for what was due in the minute before.
pub(crate) fn look_back_of_a_minute(fixed: bool) -> Fleet {
    let main = move |ctx: Ctx| async move {
        const MINUTE_MS: i64 = 60_000;
        let began = ctx.now_ms() / MINUTE_MS * MINUTE_MS;
        let mut looked = ctx.now_ms() - MINUTE_MS;
        loop {
            let now = ctx.now_ms();
            let from = if fixed { looked } else { now - MINUTE_MS };
            // Of what comes last some may not have been looked at at the end.
            let dues = from / MINUTE_MS + 1..=(now / MINUTE_MS).min(began / MINUTE_MS + 49);
            for _ in dues {
                ctx.note("sends");
            }
            looked = now;
            ctx.sleep(secs(60) + ctx.between(secs(0)..=secs(1))).await;
        }
    };
    let clock = Container::new("clock", main).boot(secs(40)..=secs(50));
    Fleet::new("a look back of as long as is slept")
        .container(clock)
        .length(secs(3_600))
        .eventually("each minute's job is sent", |seen| seen.times("sends") == 50)
}

/// Jobs are locked when they are fetched, several at once, and done one after the other: the lock of the
/// last is over before its turn.
pub(crate) fn locked_while_it_queues(fixed: bool) -> Fleet {
    let main = move |ctx: Ctx| async move {
        let redis = ctx.redis();
        loop {
            let mut mine = Vec::new();
            for job in 1..=3 {
                let free = !redis.exists(format!("done:{job}")).await?;
                let lock = SetOptions::px(10_000).nx();
                if free && (fixed || redis.set(format!("lock:{job}"), "x", lock).await?) {
                    mine.push(job);
                }
            }
            for job in mine {
                let lock = SetOptions::px(10_000).nx();
                if fixed
                    && (redis.exists(format!("done:{job}")).await?
                        || !redis.set(format!("lock:{job}"), "x", lock).await?)
                {
                    continue;
                }
                ctx.note(format!("does {job}"));
                ctx.sleep(secs(6)).await;
                redis.set(format!("done:{job}"), "x", SetOptions::default()).await?;
            }
            ctx.sleep(secs(1)).await;
        }
    };
    Fleet::new("a lock that is over before the job's turn")
        .container(Container::new("agenda", main).replicas(2).boot(secs(1)..=secs(3)))
        .always("the third job is done once", |seen| seen.times("does 3") <= 1)
}
