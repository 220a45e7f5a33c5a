//! Containers in code: leader election with a lease, and whatever else a team writes itself, without
//! BullMQ.

use bootrace::fleet::{Report, Status};
use bootrace::report::Verdict;
use bootrace::sim::client;
use bootrace::sim::kernel::{Either, race};
use bootrace::sim::redis::{self, Command, Error, SetOptions};
use bootrace::sim::scenario::Restart;
use bootrace::{Container, Ctx, Explore, Fleet};
use std::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Takes the lease if it can, works, gives it back; and renews it meanwhile, every second, so that
/// nothing can go wrong unless the work blocks the event loop.
async fn leader(ctx: Ctx, lease_ms: i64) -> bootrace::Result {
    let (redis, me) = (ctx.redis(), ctx.name());
    loop {
        if redis.set("leader", me.as_str(), SetOptions::px(lease_ms).nx()).await? {
            ctx.note("leads");
            let renewing = async {
                loop {
                    ctx.sleep(secs(1)).await;
                    redis.pexpire_if_equal("leader", me.as_str(), lease_ms).await?;
                }
            };
            let work = async {
                for _ in 0..3 {
                    ctx.sleep(ctx.between(secs(1)..=secs(4))).await;
                    ctx.block(ctx.between(secs(0)..=secs(6))).await;
                }
            };
            match race(work, renewing).await {
                Either::Left(()) => ctx.note("rests"),
                Either::Right(failed) => return failed,
            }
            redis.del_if_equal("leader", me.as_str()).await?;
        }
        ctx.sleep(secs(1)).await;
    }
}

fn election(lease_ms: i64) -> Fleet {
    let worker = Container::new("worker", move |ctx| leader(ctx, lease_ms));
    Fleet::new("leader election")
        .container(worker.replicas(3).boot(secs(1)..=secs(9)).kills(0.2))
        .length(secs(300))
        .calm(secs(60))
        .always("at most one leads", |seen| seen.now("leads") <= 1)
        .eventually("somebody leads", |seen| seen.now("leads") == 1)
        .sometimes("leads again", |seen| seen.times("leads") >= 2)
}

fn explored(fleet: &Fleet) -> Report {
    Explore::new(fleet).seeds(1..=40).run()
}

#[test]
fn a_lease_shorter_than_a_block_and_a_renewal_is_found_and_pointed_at() {
    let fleet = election(6_500);
    let report = explored(&fleet);
    assert_eq!(report.verdict(), Verdict::NotAsDeclared, "{report}");
    let judged = report.property("at most one leads");
    assert!(judged.status() == Status::Violated && judged.violated < judged.of, "{report}");
    let violation = judged.violation.as_ref().expect("it is violated");
    // The story told of that seed has the line, and the last line before it is the lease's SET.
    let told = Explore::new(&fleet).tell(violation.seed);
    let line = violation.at.as_ref().expect("somebody broke it");
    let place = told.lines().position(|told| told == line).expect("it is told");
    let who = violation.who.as_ref().expect("somebody broke it");
    assert!(line.ends_with(&format!("{who}       leads")), "{line}");
    let before: Vec<&str> = told.lines().take(place).filter(|told| told.contains(who)).collect();
    assert!(before.last().is_some_and(|before| before.ends_with("-> SET")), "{before:?}");
    assert!(violation.story.ends_with(&format!("{line}\n")), "{}", violation.story);
    assert!(report.to_string().contains(&violation.story));
}

#[test]
fn a_lease_longer_than_any_block_holds() {
    let report = explored(&election(8_000));
    report.assert_held();
    assert!(report.properties.iter().all(|judged| judged.status() == Status::Held));
    assert_eq!(report.property("leads again").met, 40);
}

#[test]
fn one_seed_is_one_run() {
    let fleet = election(5_000);
    assert_eq!(explored(&fleet), explored(&fleet));
    let explore = Explore::new(&fleet);
    assert_eq!(explore.tell(3), explore.tell(3));
    assert_ne!(explore.tell(3), explore.tell(4));
}

#[test]
#[should_panic(expected = "FAIL")]
fn a_violation_panics_with_the_report() {
    explored(&election(5_000)).assert_held();
}

/// What a hidden generator does: `select!` without `biased;` draws which branch is looked at first.
#[test]
fn a_select_that_draws_by_itself_is_reported() {
    let idle = |ctx: Ctx| async move {
        for _ in 0..64 {
            tokio::select! {
                () = async {} => ctx.note("left"),
                () = async {} => ctx.note("right"),
            }
        }
        ctx.terminated().await;
        Ok(())
    };
    let fleet = Fleet::new("unbiased")
        .container(Container::new("worker", idle))
        .sometimes("right", |seen| seen.now("right") > 0);
    let report = explored(&fleet);
    assert_eq!(report.verdict(), Verdict::Nondeterministic);
    assert!(report.to_string().contains("`select!` without `biased`"), "{report}");
}

#[test]
fn a_biased_select_is_a_run_like_any_other() {
    let idle = |ctx: Ctx| async move {
        tokio::select! {
            biased;
            () = async {} => ctx.note("left"),
            () = async {} => ctx.note("right"),
        }
        ctx.terminated().await;
        Ok(())
    };
    let fleet = Fleet::new("biased")
        .container(Container::new("worker", idle))
        .always("left", |seen| seen.now("right") == 0 && seen.now("left") == 1);
    explored(&fleet).assert_held();
}

#[test]
fn what_is_never_put_to_the_test_is_vacuous() {
    let quiet = Container::new("worker", |ctx| async move {
        ctx.note("leeds");
        ctx.terminated().await;
        Ok(())
    });
    let fleet = Fleet::new("a slip of the pen")
        .container(quiet)
        .always("at most one leads", |seen| seen.now("leads") <= 1)
        .sometimes("somebody leads", |seen| seen.now("leads") == 1);
    let report = explored(&fleet);
    assert_eq!(report.verdict(), Verdict::Vacuous);
    assert!(report.properties.iter().all(|judged| judged.status() == Status::Vacuous));
    let shown = report.to_string();
    assert!(shown.contains("never put to the test") && shown.contains("never seen"), "{shown}");
    let nothing = Fleet::new("nothing to hold");
    assert_eq!(explored(&nothing).verdict(), Verdict::Vacuous);
}

#[test]
fn what_never_comes_in_the_calm_is_a_violation_without_a_place() {
    let fleet = Fleet::new("nobody").eventually("somebody", |seen| seen.now("here") > 0);
    let report = explored(&fleet);
    let violation = report.property("somebody").violation.as_ref().expect("nobody came");
    assert_eq!((violation.seed, &violation.at), (1, &None));
    assert!(report.to_string().contains("never so in 40/40"), "{report}");
}

/// Each boot calls the closure anew: nothing of a life is left in the next but what is in Redis.
#[test]
fn an_error_ends_the_process_and_the_container_boots_again() {
    let crashing = Container::new("worker", |ctx| async move {
        let redis = ctx.redis();
        if redis.incr("boots").await? < 4 {
            redis.call(Command::LLen("boots".into())).await?;
        }
        ctx.note("is up");
        ctx.terminated().await;
        Ok(())
    });
    let fleet = Fleet::new("three crashes")
        .container(crashing)
        .always("at most once", |seen| seen.times("is up") <= 1)
        .eventually("is up", |seen| seen.now("is up") == 1);
    explored(&fleet).assert_held();
    let told = Explore::new(&fleet).tell(1);
    let error = Error::WrongType.to_string();
    assert_eq!(told.matches(&format!("fails: {error}")).count(), 3, "{told}");
    assert_eq!(told.matches("exits with 1").count(), 3, "{told}");
    assert!(told.contains("worker-1.4       is up"), "{told}");
}

#[test]
fn a_container_that_need_not_run_again_does_not() {
    let job = |restart| {
        let main = |ctx: Ctx| async move {
            ctx.note("runs");
            Ok(())
        };
        Fleet::new("a job")
            .container(Container::new("migration", main).restart(restart))
            .always("once", |seen| seen.times("runs") <= 1)
    };
    explored(&job(Restart::OnFailure)).assert_held();
    assert_eq!(explored(&job(Restart::Always)).verdict(), Verdict::NotAsDeclared);
}

/// Rolled out, scaled, killed: what a process can see of it, and what it cannot.
#[test]
fn containers_come_and_go() {
    let worker = Container::new("worker", |ctx| async move {
        ctx.note("runs");
        ctx.terminated().await;
        ctx.note("ends");
        ctx.sleep(ctx.between(secs(0)..=secs(20))).await;
        Ok(())
    });
    let fleet = Fleet::new("a busy day")
        .container(
            worker
                .replicas(4)
                .boot(secs(1)..=secs(2))
                .grace(secs(10))
                .kill_at(secs(60), 2)
                .roll_at(secs(120))
                .scale_at(secs(240), 1),
        )
        .always("no more than four and one", |seen| seen.now("runs") <= 5)
        .eventually("one is left", |seen| seen.now("runs") == 1 && seen.now("ends") == 0)
        .sometimes("one is asked to end", |seen| seen.now("ends") > 0);
    explored(&fleet).assert_held();
    let told = Explore::new(&fleet).tell(1);
    assert!(told.matches("is killed").count() > 2, "two, and who took too long to end: {told}");
    assert_eq!(told.matches("is asked to end").count(), 4 + 3, "{told}");
}

/// A command is sent when it is called, and its connection is the process's own.
#[test]
fn commands_are_sent_in_the_order_of_their_calls() {
    let writer = Container::new("writer", |ctx| async move {
        let redis = ctx.redis();
        let first = redis.set("key", "first", SetOptions::default());
        drop(redis.set("key", "second", SetOptions::default()));
        assert!(first.await?);
        let second = redis.get("key").await?;
        ctx.note(second.map(|value| value.to_string()).unwrap_or_default());
        redis.close();
        assert_eq!(redis.get("key").await, Err(client::Error::Closed));
        let other = ctx.redis();
        assert_eq!(other.call(Command::Ping).await?, redis::Reply::Status("PONG"));
        assert!(other.del("key").await? && !other.exists("key").await?);
        assert_eq!((other.incrby("n", 4).await?, other.pttl("n").await?), (4, -1));
        assert!(other.pexpire("n", 500).await? && other.persist("n").await?);
        assert!(other.hset("hash", "field", "1").await?);
        assert_eq!(other.hget("hash", "field").await?, Some("1".into()));
        assert!(other.hdel("hash", "field").await? && !other.exists("hash").await?);
        ctx.terminated().await;
        Ok(())
    });
    let fleet = Fleet::new("one writer")
        .container(writer)
        .always("the last one counts", |seen| seen.now("second") == 1);
    explored(&fleet).assert_held();
}

/// Work that was spawned goes on beside the code, and ends with it.
#[test]
fn what_is_spawned_ends_with_its_process() {
    let main = |ctx: Ctx| async move {
        let beside = ctx.clone();
        ctx.spawn(async move {
            loop {
                beside.note("ticks");
                beside.sleep(secs(1)).await;
            }
        });
        ctx.sleep(Duration::from_millis(4_500)).await;
        Ok(())
    };
    let fleet = Fleet::new("ticks")
        .container(Container::new("ticker", main).restart(Restart::Never))
        .always("no more than five", |seen| seen.times("ticks") <= 5)
        .eventually("five", |seen| seen.times("ticks") == 5);
    explored(&fleet).assert_held();
}
