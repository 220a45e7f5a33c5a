//! `bootrace serve` over sockets: the protocol beside a real server, hostile clients, the end.
//!
//! What asks a real server is skipped without one, by name and reason; `BOOTRACE_REQUIRE_REDIS=1`
//! makes that a failure. Ten thousand clients are tested by hand: `--ignored`, with `ulimit -n 12000`.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "serve/client.rs"]
mod client;
#[path = "serve/clients.rs"]
mod clients;
#[path = "serve/end.rs"]
mod end;
#[path = "serve/frames.rs"]
mod frames;
#[path = "serve/hostile.rs"]
mod hostile;
#[path = "serve/log.rs"]
mod log;
#[path = "support/redis.rs"]
mod real;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let skipped = real::missing();
    if let Some(reason) = &skipped {
        eprintln!("skipped: {reason}");
    }
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || -> Result<(), Failed> {
            test();
            Ok(())
        })
    };
    let beside = |name: &str, test: fn()| {
        let kind = if skipped.is_some() { "skipped: no redis-server 7.0" } else { "" };
        trial(name, test).with_ignored_flag(skipped.is_some()).with_kind(kind)
    };
    let trials = vec![
        beside("frames::malformed_ones_are_told_what_redis_tells", frames::malformed),
        trial("frames::requests_may_be_cut_anywhere", frames::cut),
        trial("clients::who_waits_executes_nothing", clients::waiting),
        trial("clients::who_dies_waiting_takes_nothing", clients::dying),
        trial("clients::messages_go_before_the_reply", clients::messages),
        trial("clients::version_three_has_its_types", clients::version_three),
        trial("clients::a_password_is_asked_for", clients::password),
        trial("clients::a_pause_holds_back", clients::pause),
        trial("clients::time_may_stand_still", clients::virtual_time),
        trial("hostile::lengths_alone_take_no_memory", hostile::lengths),
        trial("hostile::who_never_reads_is_given_up", hostile::never_reads),
        trial("hostile::who_writes_slowly_holds_up_nobody", hostile::slow_writers),
        trial("hostile::too_many_are_told", hostile::too_many),
        trial("hostile::without_descriptors_nothing_spins", hostile::no_descriptors),
        trial("hostile::ten_thousand_idle", hostile::ten_thousand).with_ignored_flag(true),
        trial("log::told_again_it_comes_to_the_same", log::told_again),
        trial("log::it_takes_no_files_place", log::kept),
        trial("end::only_loopback_is_listened_on", end::loopback),
        trial("end::a_signal_ends_it_at_once", end::signals),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
