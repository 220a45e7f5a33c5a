//! The parser of scenarios against files that are wrong, cut off, or made to hurt.
//!
//! Each bad file here is the good one with one part changed, and says all diagnostics that it must
//! get: code, line and column, in order. How they look is tested where they are rendered.

use bootrace_sim::scenario::{
    About, Base, CODES, Diagnostic, PROPERTIES, Property, Quota, Rollout, Scenario, Severity,
    Subject, Unit, parse, parse_over,
};
use proptest::prelude::*;

const BEFORE: &str = include_str!("../../scenarios/free-tier-usage/before.toml");

/// A small file with every table; lines are counted on in the cases below.
const GOOD: &str = r#"format = 1
name   = "small"
length = "2h"

[schedule.tick]
every = "1h"
queue = "work"
job   = "tick"

[queue.work]

[job.tick]
steps = [ { query = "1s..2s" } ]

[release.one]
library = "bullmq@5.34.10"
steps = [
  { add = "tick", queue = "work", repeat = { every = "1h" } },
  { worker = "work" },
]

[service.web]
release = "one"

[[event]]
at     = "1h"
deploy = "one"

[faults]
kill = { odds = "25%" }

[[expect]]
always  = "firings per window"
at_most = 1
"#;

/// The good file with one part changed.
fn with(part: &str, by: &str) -> String {
    assert_eq!(GOOD.matches(part).count(), 1, "{part:?} stands once in the good file");
    GOOD.replace(part, by)
}

fn good(text: &str) -> Scenario {
    match parse(text) {
        Ok((scenario, warnings)) => {
            assert_eq!(warnings, [], "{text}");
            scenario
        }
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// Diagnostics as `BR014 24:10`.
fn brief(text: &str, problems: &[Diagnostic]) -> Vec<String> {
    let place = |problem: &Diagnostic| {
        let (line, column) = problem.at().line_column(text);
        format!("{} {line}:{column}", problem.code)
    };
    problems.iter().map(place).collect()
}

fn problems(text: &str) -> Vec<Diagnostic> {
    match parse(text) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let problems = problems(text);
    assert_eq!(brief(text, &problems), expected, "{text}\n{problems:#?}");
}

/// Cases: what the file must get | a part of the good file | what is put in its place. In the
/// last two `\n` and `\r` stand for line ends and `(nothing)` for nothing.
const CASES: &str = r#"
BR001 3:10 | "2h" | 2h
BR001 2:16 | "small" | "small
BR001 30:17 | odds = "25%" } | odds = }
BR001 21:2 |   { worker = "work" },\n] |   { worker = "work" },
BR001 10:12 | [queue.work] | [queue.work
BR001 2:10 | name  | name = 3\rx 
BR002 11:8 | [queue.work] | [queue.work]\n[queue.work]
BR002 3:1 | length = | name = "again"\nlength =
BR002 30:24 | odds = "25%" | odds = "25%", odds = "5%"
BR003 19:22 | { worker = "work" } | { worker = "work", lockDuration = "5s" }
BR003 11:1, BR003 11:23 | [queue.work] | [queue.work]\ndefaultJobOptions = { removeOnComplete = true }
BR003 23:1 | release = "one" | relaese = "one"
BR003 24:1 | release = "one" | release = "one"\ncolour = 1
BR003 32:3 | [[expect]] | [[expekt]]
BR004 24:1 | release = "one" | release = "one"\nconcurrency = 3
BR004 19:22 | { worker = "work" } | { worker = "work", delay = "5s" }
BR004 11:25 | [queue.work] | [queue.work]\ndefault_job_options = { job_id = "a" }
BR004 33:1 | always  = "firings per window" | eventually = "rows per window"
BR004 33:1 | always  = "firings per window" | always = "a job stalls"
BR004 33:1 | always  = "firings per window" | sometimes = "overlap"
BR005 33:1, BR004 34:1 | always  = "firings per window" | eventually = "firings per window"
BR005 33:1 | always  = "firings per window"\nat_most | eventually = "firings per window"\nat_least
BR004 34:1 | always  = "firings per window"\nat_most | always = "rows per window"\nat_least
BR004 34:1 | always  = "firings per window"\nat_most | always = "overlap"\nqueue = "work"\nat_most
BR004 34:1 | always  = "firings per window"\nat_most | eventually = "lost jobs"\nschedule = "tick"\nat_most
BR004 34:1 | always  = "firings per window" | sometimes = "a job stalls"
BR004 34:1 | always  = "firings per window"\nat_most = 1 | sometimes = "a job stalls"\nviolated = "some seed"
BR004 34:1 | always  = "firings per window"\nat_most = 1 | sometimes = "a job stalls"\nschedule = "tick"
BR004 34:1 | always  = "firings per window"\nat_most = 1 | sometimes = "clocks step"\nqueue = "work"
BR005 32:1 | always  = "firings per window"\nat_most = 1 | always = "lateness"
BR007 32:1 | always  = "firings per window"\nat_most = 1 | always = "firings per window"
BR007 34:1 | always  = "firings per window" | always = "overlap"\nsometimes = "a job stalls"
BR006 34:11 | always  = "firings per window"\nat_most = 1 | always = "overlap"\nat_most = "5m"
BR014 34:9 | always  = "firings per window" | always = "queue length"\nqueue = "wrok"
BR016 34:11 | always  = "firings per window"\nat_most = 1 | always = "lateness"\nat_most = 5
BR021 33:11 | always  = "firings per window" | always  = "firing per window"
BR021 33:13 | always  = "firings per window" | sometimes = "a job stals"
BR033 34:11 | always  = "firings per window"\nat_most = 1 | always = "time to heal"\nat_most = "2h"
BR004 24:1 | release = "one" | release = "one"\nstalledInterval = "5s"
BR005 1:1 | length = "2h" | (nothing)
BR005 5:1 | queue = "work"\njob   = "tick" | (nothing)
BR005 30:8 | { odds = "25%" } | {}
BR006 2:10 | "small" | 5
BR006 2:11 | name  | network = 5\nname 
BR001 23:2 | name  | service = 5\nname 
BR006 34:11 | at_most = 1 | at_most = 1.5
BR006 25:1 | [[event]] | [event]
BR006 32:1 | [[expect]] | [expect]
BR006 13:9 | steps = [ { query = "1s..2s" } ] | steps = { query = "1s" }
BR005 19:33 | { worker = "work" } | { worker = "work", on_error = {} }
BR007 5:1 | every = "1h"\nqueue | queue
BR007 7:1 | every = "1h"\nqueue | every = "1h"\npattern = "* * * * *"\nqueue
BR007 7:1 | every = "1h"\nqueue | every = "1h"\ntz = "UTC"\nqueue
BR007 28:1 | deploy = "one" | deploy = "one"\nscale = 3
BR007 25:1 | deploy = "one" | (nothing)
BR007 19:3 | { worker = "work" } | { await = true }
BR007 11:42 | [queue.work] | [queue.work]\ndefault_job_options = { remove_on_fail = {} }
BR036 2:11 | name  | extends = "../x.toml"\nname 
BR008 27:1 | deploy = "one" | network = "slow"
BR005 18:46 | repeat = { every = "1h" } | on_error = { retry = 3 }
BR003 18:60, BR006 18:70 | repeat = { every = "1h" } | repeat = { every = "1h", endDate = 1 }
BR009 1:10 | format = 1 | format = 2
BR009 1:10 | format = 1 | format = 0
BR011 3:10 | "2h" | "401d"
BR011 6:9 | every = "1h"\nqueue | every = "1ms"\nqueue
BR012 11:8 | [queue.work] | [queue.work]\n[queue."a b"]
BR012 11:8 | [queue.work] | [queue.work]\n[queue."\u202e"]
BR012 2:10 | "small" | "a\u0000b"
BR012 16:11 | library = "bullmq | library = "\u001bbullmq
BR013 11:8 | [queue.work] | [queue.work]\n[queue.Work]
BR014 19:14 | worker = "work" | worker = "wrok"
BR014 23:11 | release = "one" | release = "work"
BR014 27:10 | deploy = "one" | deploy = "two"
BR015 27:1, BR015 32:8 | [service.web] | [service.b]\nrelease = "one"\n[service.web]
BR016 3:10 | "2h" | 7200
BR016 3:11 | "2h" | "7200"
BR017 3:11 | "2h" | "-2h"
BR017 3:12 | "2h" | "2hours"
BR017 3:11 | "2h" | "999999999999999999h"
BR017 3:10 | "2h" | ""
BR018 13:22 | "1s..2s" | "2s..1s"
BR019 30:17 | "25%" | "0%"
BR019 30:17 | "25%" | "100.0001%"
BR019 30:18 | "25%" | "25"
BR006 30:17 | "25%" | 0.25
BR020 24:12 | release = "one" | release = "one"\nreplicas = 1001
BR020 24:12 | release = "one" | release = "one"\nreplicas = 99999999999999999999999
BR020 18:46 | repeat = { | priority = 2_097_153, repeat = {
BR020 30:19 | odds = | points = 0, odds =
BR021 24:11 | release = "one" | release = "one"\nrestart = "Always"
BR021 35:12 | at_most = 1 | at_most = 1\nviolated = ">= 0 %"
BR021 27:11 | deploy = "one" | restart = false
BR022 6:12 | every = "1h"\nqueue | pattern = "61 * * * *"\nqueue
BR022 6:24 | every = "1h"\nqueue | pattern = "* * * * * * *"\nqueue
BR022 6:11 | every = "1h"\nqueue | pattern = ""\nqueue
BR023 6:11 | every = "1h"\nqueue | pattern = "0 0 31 2,4 *"\nqueue
BR024 24:6 | release = "one" | release = "one"\ntz = "../../etc/passwd"
BR024 24:6 | release = "one" | release = "one"\ntz = "local"
BR025 2:9 | name  | start = 2026-01-05T00:00:00\nname 
BR025 2:9 | name  | start = 2026-01-05\nname 
BR025 2:9 | name  | start = 0000-01-05T00:00:00Z\nname 
BR025 2:9 | name  | start = 2016-12-31T23:59:60Z\nname 
BR025 2:9 | name  | start = 2200-01-01T00:00:00Z\nname 
BR026 3:8 | length = | calm = "2h"\nlength =
BR026 3:18 | length = | measure = ["0s", "3h"]\nlength =
BR026 3:11 | length = | measure = ["1h", "1h"]\nlength =
BR026 26:10 | at     = "1h" | at     = "1h..2h"
BR027 3:10 | "2h" | "0s"
BR027 6:9 | every = "1h"\nqueue | every = "0s"\nqueue
BR027 18:43 | repeat = { | delay = "1us", repeat = {
BR028 19:65 | { worker = "work" } | { worker = "work" }, { add = "tick", queue = "work", job_id = "0" }
BR118 19:65 | { worker = "work" } | { worker = "work" }, { add = "tick", queue = "work", job_id = "17", on_error = "ignore" }
BR119 19:45 | { worker = "work" } | { worker = "work", max_started_attempts = 3 }
BR029 19:65 | { worker = "work" } | { worker = "work" }, { add = "b", queue = "work", job_id = "b-{window}" }
BR014 19:56 | { worker = "work" } | { worker = "work" }, { sleep = "1s", when = { step = "x" } }
BR005 19:47 | { worker = "work" } | { worker = "work" }, { sleep = "1s", when = {} }
BR035 19:52 | { worker = "work" } | { sleep = "1s", as = "a" }, { sleep = "1s", as = "a" }, { worker = "work" }
BR004 19:65 | { worker = "work" } | { worker = "work" }, { database = { lock = "a", lease = "1s", wait = true } }
BR007 19:37 | { worker = "work" } | { worker = "work" }, { database = { takes = "1s" } }
BR017 27:9 | deploy = "one" | clock = "5s"
BR003 27:11 | deploy = "one" | redis = { slwo = "5s" }
BR004 28:1 | deploy = "one" | restart = true\nrollout = "recreate"
BR004 27:12 | deploy = "one" | edit = [ { worker = "work" } ]
BR020 14:20 | steps = [ { query = "1s..2s" } ] | steps = [ { query = "1s..2s" } ]\noutcome = { fail = 2 }
BR029 18:47 | repeat = { | job_id = "a-{day}", repeat = {
BR029 18:47 | repeat = { | job_id = "a-{", repeat = {
BR030 16:11 | bullmq@5.34.10 | bullmq@5.34
BR030 16:11 | bullmq@5.34.10 | bullmq@5.40.0
BR031 24:11 | release = "one" | release = "one"\nrollout = { max_surge = 0, max_unavailable = "0%" }
BR032 19:22 | { worker = "work" } | { worker = "work", await = false }
BR033 34:12 | at_most = 1 | at_least = 0
BR033 34:11 | at_most = 1 | at_most = 9223372036854775807
BR034 1:1 | [[expect]]\nalways  = "firings per window"\nat_most = 1\n | (nothing)
BR035 30:27 | { odds = "25%" } | [{ odds = "25%" }, { odds = "5%" }]
BR101 32:1 | job   = "tick" | job   = "tock"
BR102 22:10 | release = "one" | release = "one"\nreplicas = 0
BR103 6:11, BR116 6:11 | every = "1h"\nqueue | pattern = "0 5 * * *"\nqueue
BR104 19:34 | { worker = "work" }, | { worker = "work" }, { timer = "30 2 * * *", tz = "Europe/Berlin", steps = [] },
BR105 18:38 | { query = "1s..2s" } ]\n\n[release.one]\nlibrary = "bullmq@5.34.10"\nsteps = [\n | { block = "20s" } ]\n\n[release.one]\nlibrary = "bullmq@5.34.10"\nsteps = [\n  { worker = "work", lock_duration = "10s" },\n
BR106 19:44 | { worker = "work" },\n]\n\n[service.web] | { add = "tick", queue = "work", job_id = "a", remove_on_complete = true },\n  { worker = "work" },\n]\n\n[service.web]\nreplicas = 2
BR107 19:98 | { worker = "work" }, | { worker = "work" }, { timer = "0 * * * *", steps = [ { add = "tick", queue = "work", job_id = "a" } ] },
BR108 19:32 | { worker = "work" } | { worker = "work", limiter = { max = 1, duration = "3h" } }
BR109 19:32 | { worker = "work" }, | { worker = "work" }, { add = "tock", queue = "work" },
BR110 15:1 | [release.one] | [job.tock]\n\n[release.one]
BR111 10:1 |   { worker = "work" },\n | (nothing)
BR112 22:1 | [service.web] | [release.two]\nlibrary = "bullmq@5.34.10"\nsteps = []\n\n[service.web]
BR113 18:74 | repeat = { every = "1h" } | repeat = { pattern = "0 * * * *", tz = "europe/berlin" }
BR114 31:52 | deploy = "one" | deploy = "two"\n\n[release.two]\nlibrary = "bullmq@5.34.10"\nsteps = [ { add = "tick", queue = "work", repeat = { every = "2h" } } ]
BR115 22:1 | "1s..2s" | "1s..1m"
BR116 6:9 | every = "1h"\nqueue | every = "30m"\nqueue
BR116 6:9, BR117 33:11 | every = "1h"\nqueue | every = "150m"\nqueue
"#;

/// The cases, taken apart: what is changed, the changed file, what it must get.
fn cases() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let lines = CASES.lines().filter(|line| !line.is_empty());
    let ends = |text: &str| {
        let text = text.replace(r"\n", "\n").replace(r"\r", "\r");
        text.replace("(nothing)", "")
    };
    let case = |line: &'static str| {
        let columns: Vec<&str> = line.split(" | ").collect();
        let [expected, part, by] = columns[..] else { panic!("three columns: {line}") };
        (by, with(&ends(part), &ends(by)), expected.split(", ").collect())
    };
    lines.map(case).collect()
}

#[test]
fn every_mistake_has_its_code_and_place() {
    let mut wrong = Vec::new();
    for (by, text, expected) in cases() {
        let found = brief(&text, &problems(&text));
        if found != expected {
            wrong.push((by, found, expected));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_property_of_the_table_is_read_in_each_of_its_forms() {
    let other = "[queue.other]\n\n[queue.work]";
    let text = with("[queue.work]", other).replace("length = ", "calm = \"30m\"\nlength = ");
    for described in PROPERTIES {
        for &(mode, relation) in described.forms {
            let key = match described.about {
                About::Queue | About::AnyQueue => "queue = \"work\"\n",
                _ => "",
            };
            let (bound, number) = match (relation.key(), described.unit) {
                (None, _) => (String::new(), 0),
                (Some(key), Unit::Number) => (format!("{key} = 7"), 7),
                (Some(key), Unit::Time) => (format!("{key} = \"1m30s\""), 90_000_000_000),
            };
            let expect = format!("{} = \"{}\"\n{key}{bound}", mode.key(), described.text);
            let text = text.replace("always  = \"firings per window\"\nat_most = 1", &expect);
            let subject = match described.about {
                About::Schedule => Subject::Schedule(0),
                About::Queue | About::AnyQueue => Subject::Queue(1),
                About::AnySchedule | About::Nothing => Subject::World,
            };
            let measure = described.measure;
            let expected = Property { mode, measure, subject, relation, bound: number };
            assert_eq!(good(&text).expectations[0].property, expected, "{expect}");
        }
    }
}

#[test]
fn a_queue_that_could_be_another_must_be_named_and_a_probe_takes_any() {
    let queues = with("[queue.work]", "[queue.other]\n\n[queue.work]");
    let expect = |text: &str| queues.replace("always  = \"firings per window\"\nat_most = 1", text);
    check(&expect("always = \"queue length\"\nat_most = 3"), &["BR015 34:1"]);
    let any = good(&expect("sometimes = \"a job stalls\"")).expectations[0].property;
    assert_eq!(any.subject, Subject::World);
    let one = good(&expect("sometimes = \"a tick falls into a deploy\"\nschedule = \"tick\""));
    assert_eq!(one.expectations[0].property.subject, Subject::Schedule(0));
}

#[test]
fn a_mode_that_is_the_only_one_is_offered() {
    let text = with("always  = \"firings per window\"", "eventually = \"a job stalls\"");
    assert_eq!(problems(&text)[0].rename.as_deref(), Some("sometimes"));
}

#[test]
fn every_code_has_a_case() {
    // These take whole files of their own, below; the last two elsewhere.
    let elsewhere = ["BR010", "BR099", "BR120", "BR121"];
    for (code, sentence) in CODES {
        let shown = CASES.contains(&format!("{code} "));
        assert!(shown || elsewhere.contains(code), "{code}: {sentence}");
    }
}

#[test]
fn an_empty_file_gets_one_answer() {
    for text in ["", "\n\n", "# nothing\r\n", "\u{feff}"] {
        check(text, &["BR010 1:1"]);
    }
}

#[test]
fn a_byte_order_mark_and_other_line_ends_change_nothing() {
    let scenario = good(GOOD);
    let marked = format!("\u{feff}{GOOD}");
    let crlf = GOOD.replace('\n', "\r\n");
    assert_eq!(good(&marked).draws, scenario.draws);
    assert_eq!(good(&crlf).services, scenario.services);
    check(&crlf.replace("\"2h\"", "2"), &["BR016 3:10"]);
    check(&marked.replace("format = 1", "format = 3"), &["BR009 1:10"]);
}

#[test]
fn what_was_meant_is_read_on_and_nothing_else_is_missing() {
    let text =
        with("{ worker = \"work\" }", "{ Worker = \"wrk\", drainDelay = 5, queue = \"work\" }");
    check(&text, &["BR003 19:5", "BR014 19:14", "BR003 19:21", "BR016 19:34", "BR004 19:37"]);
    let renames: Vec<Option<String>> =
        problems(&text).into_iter().map(|problem| problem.rename).collect();
    let [worker, _, drain_delay, ..] = renames.as_slice() else { panic!("{renames:?}") };
    assert_eq!(worker.as_deref(), Some("worker"));
    assert_eq!(drain_delay.as_deref(), Some("drain_delay"));
}

#[test]
fn two_places_are_shown_where_two_disagree() {
    for (text, second) in [
        (with("worker = \"work\"", "worker = \"wrok\""), (10, 8)),
        (with("[queue.work]", "[queue.work]\n[queue.work]"), (10, 1)),
        (with("[queue.work]", "[queue.work]\n[queue.WORK]"), (10, 8)),
        (with("name ", "name = \"a\"\nname "), (2, 1)),
        (with("odds = \"25%\"", "odds = \"25%\", odds = \"5%\""), (30, 10)),
        (with("deploy = \"one\"", "deploy = \"one\"\nscale = 3"), (27, 1)),
        (with("job   = \"tick\"", "job   = \"tock\""), (5, 11)),
    ] {
        let problems = problems(&text);
        let places: Vec<_> =
            problems.iter().map(|problem| problem.labels[1].0.line_column(&text)).collect();
        assert_eq!(places, [second], "{text}\n{problems:#?}");
    }
}

#[test]
fn applied_renames_make_the_file_right() {
    let mut text = with(
        "release = \"one\"",
        "release = \"ONE\"\nrestartPolicy = \"OnFailure\"\nmax-surge = 1",
    );
    text = text.replace("max-surge = 1", "strategy = { maxSurge = 1, \"max-unavailable\" = 0 }");
    text = text.replace("length =", "start = 2026-01-05T00:00:00\nlength =");
    text = text.replace("worker = \"work\"", "worker = \"work\", lock-duration = \"1m\"");
    while let Err(problems) = parse(&text) {
        let problem =
            problems.iter().find(|problem| problem.rename.is_some()).expect("a certain fix");
        let at = problem.at();
        text.replace_range(at.start..at.end, problem.rename.as_deref().expect("the fix"));
    }
    let scenario = good(&text);
    let expected =
        Rollout::Rolling { max_surge: Quota::Count(1), max_unavailable: Quota::Count(0) };
    assert_eq!(scenario.services[0].rollout, expected);
}

#[test]
fn problems_come_in_the_order_of_the_file() {
    let text = with("\"2h\"", "7200")
        .replace("odds = \"25%\"", "odds = 1")
        .replace("every = \"1h\"\nq", "evry = 5\nq");
    check(&text, &["BR016 3:10", "BR003 6:1", "BR016 6:8", "BR006 30:17"]);
}

#[test]
fn floods_get_one_answer_each() {
    let deep =
        |open: &str, close: &str| format!("a = {}{}", open.repeat(100_000), close.repeat(100_000));
    for text in [
        deep("[", "]"),
        deep("[", ""),
        deep("{a=", ""),
        format!("a = {}{}", "[".repeat(70), "]".repeat(70)),
        format!("{}a = 1", "a.".repeat(50_000)),
        format!("a = [{}]", "1,".repeat(2_000_000)),
        format!("a = [{}]", "1 ".repeat(2_000_000)),
        "a = 1\n".repeat(600_000),
        "\"".repeat(1_000_000),
        format!("a = {}", "+".repeat(4_000_000)),
        format!("#{}", "x".repeat(4 << 20)),
        format!("{GOOD}\n[[expect]]\nlist = 1\n")
            .replace("[[expect]]\nlist", &"[[expect]]\nlist".repeat(70_000)),
    ] {
        let codes: Vec<&str> = problems(&text).iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["BR011"], "{:.40}", text);
    }
}

#[test]
fn long_lists_and_large_fleets_are_refused() {
    let steps = "{ query = \"1s\" },".repeat(1001);
    check(&with("{ query = \"1s..2s\" }", &steps), &["BR011 13:9"]);
    let services: String =
        (0..11).map(|n| format!("[service.s{n}]\nrelease = \"one\"\nreplicas = 1000\n")).collect();
    let text = with("[faults]\nkill = { odds = \"25%\" }", &services)
        .replace("deploy", "service = \"web\"\ndeploy");
    check(&text, &["BR011 57:10"]);
    let queues: String = (0..1001).map(|n| format!("[queue.q{n}]\n")).collect();
    check(&with("[queue.work]\n", &format!("[queue.work]\n{queues}")), &["BR011 1010:8"]);
}

#[test]
fn a_thousand_problems_are_not_all_listed() {
    let keys: String = (0..1000).map(|n| format!("zz{n} = 1\n")).collect();
    let found = problems(&format!("{keys}{GOOD}"));
    assert_eq!(found.len(), 201);
    assert_eq!(found.last().map(|problem| problem.code), Some("BR099"));
}

#[test]
fn a_file_cut_off_anywhere_is_answered() {
    for text in [BEFORE, GOOD] {
        for end in 0..text.len() {
            text.get(..end).into_iter().for_each(sound);
        }
    }
}

#[test]
fn tables_merge_by_key_and_lists_are_replaced() {
    let over = "name = \"larger\"\nextends = \"small.toml\"\n[service.web]\nreplicas = 7\n\
                [job.tick]\nsteps = []\n[queue.other]\n";
    for mark in ["", "\u{feff}"] {
        let base = Base::behind(over, &format!("{mark}{GOOD}"));
        let (scenario, _) = parse_over(over, Some(&base)).expect("it is a scenario");
        assert_eq!((&*scenario.name, scenario.services[0].replicas), ("larger", 7));
        assert_eq!((scenario.jobs[0].steps.len(), scenario.releases[0].steps.len()), (0, 2));
        let queues: Vec<&str> = scenario.queues.iter().map(|queue| &*queue.name).collect();
        // What the file says itself comes first.
        assert_eq!(queues, ["other", "work"]);
        assert_eq!(scenario.expectations.len(), 1);
    }
}

#[test]
fn places_in_the_base_lie_behind_the_text() {
    let over = "extends = \"small.toml\"\n[service.web]\nreplicas = \"7\"\n";
    let bad = with("release = \"one\"", "release = \"wno\"");
    let base = Base::behind(over, &bad);
    let problems = parse_over(over, Some(&base)).expect_err("two values are wrong");
    let [first, second] = &problems[..] else { panic!("{problems:#?}") };
    assert_eq!((first.code, first.at().line_column(over)), ("BR006", (3, 12)));
    let at = second.at();
    assert!(at.start >= base.at(), "{at:?}");
    assert_eq!(base.text().get(at.start - base.at()..at.end - base.at()), Some("\"wno\""));
}

#[test]
fn a_base_goes_one_level_and_must_be_toml() {
    let over = "extends = \"a.toml\"\n";
    let twice = Base::behind(over, &format!("extends = \"b.toml\"\n{GOOD}"));
    let problems = parse_over(over, Some(&twice)).expect_err("it extends again");
    assert_eq!(brief(over, &problems), ["BR036 1:11"]);
    let broken = Base::behind(over, "format = \n");
    let problems = parse_over(over, Some(&broken)).expect_err("it is no TOML");
    assert!(problems.iter().all(|problem| problem.code == "BR001"), "{problems:#?}");
    assert!(problems[0].at().start >= broken.at());
    check(&format!("extends = 5\n{GOOD}"), &["BR006 1:11"]);
}

/// What holds for every text: an answer, with at least one error if there is no scenario, each
/// with a code of the table and a place in the text, in order.
fn sound(text: &str) {
    let (problems, failed) = match parse(text) {
        Ok((scenario, warnings)) => {
            assert!(!scenario.services.is_empty() && !scenario.expectations.is_empty());
            (warnings, false)
        }
        Err(problems) => (problems, true),
    };
    assert_eq!(
        problems.iter().any(|problem| problem.severity == Severity::Error),
        failed,
        "{text}"
    );
    assert!(problems.is_sorted_by_key(Diagnostic::at), "{text}\n{problems:#?}");
    for problem in &problems {
        assert!(CODES.iter().any(|(code, _)| *code == problem.code));
        assert!(!problem.message.chars().any(char::is_control), "{problem:?}");
        assert!(!problem.labels.is_empty());
        for (at, _) in &problem.labels {
            assert!(text.get(at.start..at.end).is_some(), "{at:?} in {text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_bytes_never_panic(
        incident in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>(), 0..12_usize), 1..8),
    ) {
        const WORDS: &[u8] = b"[]{}=\"',.\n# -0";
        let mut bytes = if incident { BEFORE } else { GOOD }.as_bytes().to_vec();
        for (index, how, byte, len) in edits {
            let at = index.index(bytes.len().max(1)).min(bytes.len());
            let end = (at + len).min(bytes.len());
            match how {
                0 => bytes.splice(at..end, []).count(),
                1 => bytes.splice(at..at, [WORDS[usize::from(byte) % WORDS.len()]]).count(),
                _ => bytes.splice(at..(at + 1).min(bytes.len()), [byte & 0x7f]).count(),
            };
        }
        sound(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn shuffled_lines_never_panic(lines in prop::collection::vec(any::<prop::sample::Index>(), 1..60)) {
        let all: Vec<&str> = BEFORE.lines().chain(GOOD.lines()).collect();
        let text: Vec<&str> = lines.iter().map(|index| *index.get(&all)).collect();
        sound(&text.join("\n"));
    }
}

/// A pattern in a release's step is read as the library of that release reads it, in an event as
/// the first release's; one of a schedule or a timer is no library's.
#[test]
fn patterns_are_read_as_the_library_does() {
    let steps = "\n  { upsert_job_scheduler = \"tick\", queue = \"work\", repeat = { pattern = \"PATTERN\" } },";
    let refused = |library: &str, place: &str, pattern: &str| {
        let text = GOOD.replace("bullmq@5.34.10", library);
        let text = match place {
            "step" => text.replace("{ add = \"tick\", queue = \"work\", repeat = { every = \"1h\" } },", steps),
            "timer" => text.replace(
                "{ worker = \"work\" },",
                "{ worker = \"work\" }, { timer = \"PATTERN\", steps = [ { add = \"tick\", queue = \"work\" } ] },",
            ),
            "event" => text.replace("deploy = \"one\"", &format!("edit = [{steps}]")),
            _ => text.replace("every = \"1h\"\nqueue", "pattern = \"PATTERN\"\nqueue"),
        };
        let text = text.replace("PATTERN", pattern);
        match parse(&text) {
            Ok(_) => false,
            Err(problems) => {
                assert!(
                    brief(&text, &problems).iter().all(|line| line.starts_with("BR022")),
                    "{problems:#?}"
                );
                true
            }
        }
    };
    for (place, pattern, by_5, by_6) in [
        ("step", "@minutely", true, false),
        ("step", "? ? * * *", true, false),
        ("step", "0 0 * * 1,1", false, true),
        ("step", "H * * * *", true, true),
        ("event", "@minutely", true, false),
        ("timer", "@minutely", true, true),
        ("timer", "0 0 * * 1,1", false, false),
        ("schedule", "@minutely", true, true),
        ("schedule", "0 0 * * 1,1", false, false),
    ] {
        assert_eq!(refused("bullmq@5.34.10", place, pattern), by_5, "{place} {pattern}");
        assert_eq!(refused("bullmq@5.81.5", place, pattern), by_5, "{place} {pattern}");
        assert_eq!(refused("bullmq@6.7.0", place, pattern), by_6, "{place} {pattern}");
    }
}
