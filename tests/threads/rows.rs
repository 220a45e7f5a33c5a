//! The threads, one row each.

use super::Shown::{No, Program, Story};
use super::programs::{
    ended_by_id, lease_of_another, locked_while_it_queues, look_back_of_a_minute,
    run_before_its_time, slots_from_the_boot, stalled_check_in_two_steps,
    trigger_given_back_meanwhile,
};
use super::{Row, Shown};

const fn row(number: usize, threads: &'static str, mechanism: &'static str, shown: Shown) -> Row {
    Row { number, threads, mechanism, shown }
}

/// A story by its first expectation.
const fn story(file: &'static str) -> Shown {
    Story(file, 1)
}

pub(crate) const ROWS: &[Row] = &[
    row(
        1,
        "langfuse#9553",
        "each boot adds a job to run at once, beside the recurring one",
        story("history/langfuse-9553-broken"),
    ),
    row(
        2,
        "langfuse#13239",
        "the log names a job id that the add is not given",
        story("history/langfuse-13239-broken"),
    ),
    row(
        3,
        "langfuse#4455, #5066, #5074",
        "two workers read that a row is queued before either writes that it is not",
        story("history/langfuse-5074-broken"),
    ),
    row(
        4,
        "langfuse#16223",
        "a container dies between the two round trips of the older repeat API",
        story("history/langfuse-16223-broken"),
    ),
    row(
        5,
        "langfuse#16183",
        "the pattern is part of the key: the registration with the old one stays",
        story("history/langfuse-16183-broken"),
    ),
    row(
        6,
        "langfuse#14282",
        "what a person starts has an id of another scheme than what the cron starts",
        story("history/langfuse-14282-broken"),
    ),
    row(
        7,
        "langfuse#16251",
        "a run that stalled throws, and gives back the lease that another run has by now",
        Program("lease_of_another", lease_of_another),
    ),
    row(
        8,
        "langfuse#15509",
        "locks are evicted while jobs run, and the worker stands still for ever",
        No(
            "nobody says why the worker stands still; in the modelled versions a job whose lock is gone \
             runs again",
        ),
    ),
    row(
        9,
        "bullmq#3272",
        "a process that dies in its job upserts the slot again before the job is found stalled",
        story("history/bullmq-3272"),
    ),
    row(
        10,
        "bullmq#3381",
        "every node of a restarted cluster upserts after the slot has run",
        story("history/bullmq-3381"),
    ),
    row(
        11,
        "bullmq#3085",
        "four instances upsert one scheduler, which is set back behind its pending job",
        story("history/bullmq-3085"),
    ),
    row(
        12,
        "bullmq#3262",
        "a second instance starts while the job runs, and a scheduler with `every` ends",
        story("history/bullmq-3262"),
    ),
    row(
        13,
        "bullmq#3063",
        "a scheduler that is removed and made again meets its own finished job",
        story("history/bullmq-3063"),
    ),
    row(
        14,
        "bullmq#2876",
        "each start of a crash loop stores the slot's job again",
        story("history/bullmq-2876"),
    ),
    row(
        15,
        "bullmq#2988",
        "upserts in quick succession beside a worker: 5.34 stores the slot's job again for each",
        story("hazards/upserts-in-one-slot"),
    ),
    row(
        16,
        "bullmq#2889",
        "a stopped and started worker leaves several delayed jobs of one repeated job",
        No("it is of 5.23, and nobody says how; the older API of 5.34 keeps to one"),
    ),
    row(
        17,
        "bullmq#3048",
        "an upsert that meets the job running sets the schedule back to its slot",
        story("history/bullmq-3048"),
    ),
    row(
        18,
        "bullmq#2860",
        "`immediately` with a pattern: each iteration's next one is now",
        No("it is of 5.21: since then it is due at once for each upsert and no more, which is \
             hazards/pattern-due-at-once"),
    ),
    row(
        19,
        "bullmq#3165",
        "a malformed pattern fires many times a second",
        No(
            "cron-parser 4.9.0 and 5.10.3 throw for this pattern, and bootrace refuses the file (BR022): \
             the test beside this table",
        ),
    ),
    row(
        20,
        "bullmq#453",
        "what a repeated job is known by contains a field that changes",
        story("history/bullmq-453-broken"),
    ),
    row(
        21,
        "bullmq#2744",
        "the next iteration is promoted, and the next boot finds its tick completed",
        story("history/bullmq-2744-broken"),
    ),
    row(
        22,
        "bullmq#1345",
        "after a restart the schedule points at an id whose finished job is kept",
        story("hazards/immediate-repeat-added-again"),
    ),
    row(
        23,
        "bullmq#2790",
        "a person deletes the next iteration, and nothing makes another",
        story("history/bullmq-2790"),
    ),
    row(
        24,
        "bullmq#393",
        "many nodes add one repeated job as they come and go; one dies in the middle of it",
        story("hazards/killed-between-two-round-trips"),
    ),
    row(
        25,
        "bullmq#3133",
        "a repeated job is started twice in one second",
        No("it is of 4.18 with a scheduler process of its own, and nobody says how"),
    ),
    row(
        26,
        "bullmq#458",
        "`addBulk` does not hand on the job id",
        No("a slip of 1.x in one call: every modelled version hands it on"),
    ),
    row(
        27,
        "bullmq#1318, #1900",
        "`removeOnComplete` frees an id between two adds",
        story("history/bullmq-1318-broken"),
    ),
    row(
        28,
        "bullmq#1337, #3765, bull#1828",
        "an id is taken by a finished job that is kept: the add does nothing",
        story("history/bullmq-1337-broken"),
    ),
    row(
        29,
        "bullmq#3151, #3427",
        "a trigger during the run of its deduplication id is dropped",
        story("history/bullmq-3427"),
    ),
    row(
        30,
        "bullmq#1658",
        "a blocked read is sent again with its old time-out after a loss of the connection: the job is late",
        No(
            "measured, a cut a second before the tick: 5.34.10 is 12 s late, 5.81.5 and 6.7.0 are 1 s; what decides \
             that is the watchdog of BullMQ's blocked connection, which is not modelled",
        ),
    ),
    row(
        31,
        "bullmq#2466, #2534, #3289",
        "a worker that is up takes no jobs any more",
        No(
            "a blocking command with a time-out that Redis takes for none, and a limiter with sandboxed \
             processors, in versions before the modelled ones",
        ),
    ),
    row(
        32,
        "bull#666",
        "a process is restarted in the middle of a repeated job, whose slot is stored again",
        story("history/bull-666"),
    ),
    row(
        33,
        "bull#1003",
        "the slots of `every` are counted from the boot, so each boot adds a row of them",
        Program("slots_from_the_boot", slots_from_the_boot),
    ),
    row(
        34,
        "bull#747",
        "a job runs some milliseconds before its time, its next tick is itself, and nothing is added",
        Program("run_before_its_time", run_before_its_time),
    ),
    row(
        35,
        "bull#1189",
        "a second instance's add lands when the tick it is for has run and been removed",
        story("history/bull-1189-broken"),
    ),
    row(
        36,
        "bull#356, #359, #377",
        "the check for stalled jobs reads, and locks what has been done meanwhile",
        Program("stalled_check_in_two_steps", stalled_check_in_two_steps),
    ),
    row(
        37,
        "bull#308, #1310, bullmq#439",
        "the event loop is blocked for longer than the lock lasts",
        story("history/bull-308-broken"),
    ),
    row(
        38,
        "bull#2565",
        "what was due while nothing was up runs with the next boot, whenever that is",
        story("history/bull-2565"),
    ),
    row(
        39,
        "bull#1989",
        "the next iteration is made when one begins, so a long one is overtaken",
        story("history/bull-1989-broken"),
    ),
    row(
        40,
        "open-mercato#3716, maybe#153, bullmq#1709",
        "each edit of a schedule leaves the registration of before",
        story("history/open-mercato-3716-broken"),
    ),
    row(
        41,
        "formbricks#8765",
        "a schedule outlives a rollback to a release that does not know its job",
        story("history/formbricks-8765-broken"),
    ),
    row(
        42,
        "sourcebot#1427",
        "each boot puts the first run off by a period",
        story("history/sourcebot-1427"),
    ),
    row(
        43,
        "twenty#22514, bayes#794, Cal-ID#905",
        "the grace period is shorter than the job, which is killed and run again",
        story("history/twenty-22514-broken"),
    ),
    row(
        44,
        "trigger.dev#1966",
        "the end of a job deletes by id, and a newer job of that id with it",
        Program("ended_by_id", ended_by_id),
    ),
    row(
        45,
        "sidekiq-cron#81, #158, #400; sidekiq-scheduler#88, #231",
        "each process has a timer, and the claim of a tick is forgotten before the last clock has come to it",
        story("history/sidekiq-cron-81-broken"),
    ),
    row(
        46,
        "celery#2856, #4808; django-celery-beat#576; authentik#6815",
        "as many timers as replicas",
        story("history/celery-2856-broken"),
    ),
    row(
        47,
        "telemetry-analysis-service#417 (redbeat#50)",
        "the lock's time-out is read as nothing, and two beats have it",
        story("history/redbeat-50-broken"),
    ),
    row(
        48,
        "quartz#29, #107, #280, #548; quartznet#1758",
        "a trigger is fired and given back between a node's look and its acquisition",
        Program("trigger_given_back_meanwhile", trigger_given_back_meanwhile),
    ),
    row(
        49,
        "db-scheduler#364",
        "a node whose clock is ahead takes what is not due, and a slot is skipped",
        story("hazards/worker-ahead-skips-a-tick"),
    ),
    row(
        50,
        "pg-boss#327",
        "a look back of a minute each minute and a little: what was due in between is missed",
        Program("look_back_of_a_minute", look_back_of_a_minute),
    ),
    row(
        51,
        "agenda#1575, #256, #286",
        "a job is locked while it queues in the process, and the lock is over before its turn",
        Program("locked_while_it_queues", locked_while_it_queues),
    ),
    row(
        52,
        "bob#257",
        "instances' timers are out of step, and a finished job does not keep the next one out",
        story("history/bob-257-broken"),
    ),
];
