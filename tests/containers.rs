//! Containers in code: leader election with a lease, and what else a team writes without BullMQ.

use bootrace::fleet::Status;
use bootrace::report::Verdict;
use bootrace::sim::redis::SetOptions;
use bootrace::{Container, Ctx, Explore, Fleet};
use std::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Takes the lease if it can, works, gives it back.
async fn worker(ctx: Ctx, lease_ms: i64) -> bootrace::Result {
    let (redis, me) = (ctx.redis(), ctx.name());
    loop {
        if redis.set("leader", me.as_str(), SetOptions::px(lease_ms).nx()).await? {
            ctx.note("leads");
            ctx.sleep(ctx.between(secs(1)..=secs(8))).await;
            ctx.note("rests");
            redis.del_if_equal("leader", me.as_str()).await?;
        }
        ctx.sleep(secs(1)).await;
    }
}

fn election(lease_ms: i64) -> Fleet {
    Fleet::new("leader election")
        .container(
            Container::new("worker", move |ctx| worker(ctx, lease_ms)).replicas(3).kills(0.2),
        )
        .length(secs(300))
        .calm(secs(60))
        .always("at most one leads", |seen| seen.now("leads") <= 1)
        .eventually("somebody leads", |seen| seen.now("leads") == 1)
        .sometimes("leads twice", |seen| seen.times("leads") >= 2)
}

#[test]
fn a_lease_shorter_than_the_work_is_found() {
    let fleet = election(5_000);
    let report = Explore::new(&fleet).seeds(1..=40).run();
    println!("{report}");
    println!("{}", Explore::new(&fleet).tell(1));
    assert_eq!(report.verdict(), Verdict::NotAsDeclared);
}

#[test]
fn a_lease_longer_than_the_work_holds() {
    let report = Explore::new(&election(9_000)).seeds(1..=40).run();
    println!("{report}");
    report.assert_held();
    assert!(report.properties.iter().all(|judged| judged.status() == Status::Held));
}
