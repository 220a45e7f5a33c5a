//! Leaks that were planted: code of a container that reads what is no choice. Each is reported as
//! nondeterminism, at the event where it shows; its twin without the leak is a run like any other.

use bootrace::cli::Exit;
use bootrace::report::Verdict;
use bootrace::{Container, Ctx, Explore, Fleet};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// Two containers that say hello to Redis, note what they found, and go on.
fn fleet(notes: impl Fn(&Ctx) -> String + Clone + Send + Sync + 'static) -> Fleet {
    let main = move |ctx: Ctx| {
        let notes = notes.clone();
        async move {
            ctx.redis().incr("boots").await?;
            ctx.note(notes(&ctx));
            ctx.redis().incr("notes").await?;
            ctx.terminated().await;
            Ok(())
        }
    };
    Fleet::new("what was found")
        .container(Container::new("worker", main).replicas(2))
        .length(Duration::from_secs(60))
        .calm(Duration::from_secs(20))
        .always("it is found once by each", |seen| seen.now("") == 0)
}

/// That it is reported, and where: at the first note, of either container.
#[track_caller]
fn leaks(notes: impl Fn(&Ctx) -> String + Clone + Send + Sync + 'static) {
    let report = Explore::new(&fleet(notes)).seeds(1..=2).run();
    assert_eq!(report.verdict(), Verdict::Nondeterministic, "{report}");
    assert_eq!(Exit::from(report.verdict()) as u8, 4);
    let told = report.to_string();
    let difference = report.nondeterministic.expect("it is nondeterministic");
    for line in [&difference.once, &difference.again] {
        let line = line.as_ref().expect("both go on");
        assert!(line.contains("  worker-") && told.contains(line), "{line}: {told}");
    }
    assert_ne!(difference.once, difference.again);
    // What comes before is the same in every run: a boot, a command and its reply at least.
    assert!(difference.event > 3, "{difference}");
    assert!(difference.after.is_some_and(|after| after.ends_with("<- INCR")), "{told}");
}

/// That the same code without the leak is not.
#[track_caller]
fn does_not(notes: impl Fn(&Ctx) -> String + Clone + Send + Sync + 'static) {
    let report = Explore::new(&fleet(notes)).seeds(1..=2).run();
    assert_eq!(report.nondeterministic, None, "{report}");
}

#[test]
fn a_wall_clock() {
    let wall = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
    leaks(move |_| wall().as_nanos().to_string());
    does_not(|ctx| ctx.now_ms().to_string());
}

#[test]
fn a_random_number_of_the_system() {
    leaks(|_| {
        let mut bytes = [0; 8];
        let source = File::open("/dev/urandom");
        source.and_then(|mut file| file.read_exact(&mut bytes)).expect("there is one");
        format!("{:016x}", u64::from_le_bytes(bytes))
    });
    does_not(|ctx| format!("{:?}", ctx.between(Duration::ZERO..=Duration::from_secs(1))));
}

/// Each map of the default hasher has an order of its own.
#[test]
fn the_order_of_a_hash_map() {
    let numbers = || (0..16).map(|number| (number, ()));
    leaks(move |_| format!("{:?}", numbers().collect::<HashMap<_, _>>().keys()));
    does_not(move |_| format!("{:?}", numbers().collect::<BTreeMap<_, _>>().keys()));
}

/// `select!` without `biased;` draws which branch is looked at first.
#[test]
fn a_select_that_draws() {
    let turns = |biased: bool| {
        let main = move |ctx: Ctx| async move {
            ctx.redis().incr("boots").await?;
            for _ in 0..64 {
                if biased {
                    tokio::select! {
                        biased;
                        () = async {} => ctx.note("left"),
                        () = async {} => ctx.note("right"),
                    }
                } else {
                    tokio::select! {
                        () = async {} => ctx.note("left"),
                        () = async {} => ctx.note("right"),
                    }
                }
            }
            ctx.terminated().await;
            Ok(())
        };
        let fleet = Fleet::new("which branch").container(Container::new("worker", main));
        Explore::new(&fleet.always("none is neither", |seen| seen.now("") == 0)).seeds(1..=2).run()
    };
    let report = turns(false);
    assert_eq!(report.verdict(), Verdict::Nondeterministic, "{report}");
    let difference = report.nondeterministic.expect("it is nondeterministic");
    let sides = [difference.once, difference.again].map(|line| line.expect("both go on"));
    let ends = |end| sides.iter().any(|line| line.ends_with(end));
    assert!(ends("  left") && ends("  right"), "{sides:?}");
    assert_eq!(turns(true).nondeterministic, None);
}

/// What is outside of the run and is not the same the second time: a file that the first one made.
#[test]
fn the_environment() {
    let file = std::env::temp_dir().join(format!("bootrace-leak-{}", std::process::id()));
    let made = file.clone();
    // Whoever comes first makes it, so that exactly one of all finds none.
    leaks(move |_| format!("was there: {}", File::create_new(&made).is_err()));
    std::fs::remove_file(&file).expect("it was made");
    does_not(move |_| format!("was there: {}", file.exists()));
}

/// A number that all runs of the process share.
#[test]
fn a_static() {
    static BOOTS: AtomicU32 = AtomicU32::new(0);
    leaks(|_| BOOTS.fetch_add(1, Ordering::Relaxed).to_string());
    does_not(|_| AtomicU32::new(0).fetch_add(1, Ordering::Relaxed).to_string());
}

/// In which order threads come to a lock.
#[test]
fn the_order_of_threads() {
    let orders = |threads: u32| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let comes = |number| {
            let seen = seen.clone();
            std::thread::spawn(move || {
                for _ in 0..200 {
                    seen.lock().expect("nobody panics").push(number);
                    std::thread::yield_now();
                }
            })
        };
        let all: Vec<_> = (0..threads).map(comes).collect();
        all.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        let seen = seen.lock().expect("nobody panics");
        let digits = seen.iter().map(ToString::to_string);
        digits.collect::<String>()
    };
    leaks(move |_| orders(8));
    does_not(move |_| orders(1));
}

/// An identity that the system gives: that of the thread.
#[test]
fn the_number_of_a_thread() {
    leaks(|_| format!("{:?}", std::thread::current().id()));
    does_not(|ctx| ctx.name());
}

/// How long something takes by the wall clock need not be noted to be seen: it moves what follows.
#[test]
fn a_wait_that_the_wall_clock_measured() {
    let waits = |leaks: bool| {
        let main = move |ctx: Ctx| async move {
            ctx.note("begins");
            let since = SystemTime::UNIX_EPOCH.elapsed().expect("it is later");
            let wait = if leaks { u64::from(since.subsec_nanos()) } else { 7 };
            ctx.sleep(Duration::from_nanos(wait)).await;
            ctx.note("goes on");
            ctx.terminated().await;
            Ok(())
        };
        let fleet = Fleet::new("a wait").container(Container::new("worker", main));
        Explore::new(&fleet.always("none", |seen| seen.now("") == 0)).seeds(1..=1).run()
    };
    let report = waits(true);
    let difference = report.nondeterministic.as_ref().expect("it is nondeterministic");
    assert!(difference.after.as_ref().is_some_and(|line| line.ends_with("begins")), "{report}");
    assert_eq!(waits(false).nondeterministic, None);
}
