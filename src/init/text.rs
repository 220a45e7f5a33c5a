//! The words of a first scenario. It decides nothing: the wish and the run do.

use super::run::{DAY, Deploy, HOUR, MINUTE, Run, SECOND};
use super::{Api, When, Wish};
use bootrace_sim::civil::Date;
use std::fmt::Write as _;

/// A length of time as the format has it: `2d2h`.
pub(super) fn spelled(ms: i64) -> String {
    let mut text = String::new();
    let mut rest = ms;
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "ms")] {
        if rest >= unit {
            let _ = write!(text, "{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// An instant as a date and time of TOML, from milliseconds since the epoch.
pub(super) fn moment(ms: i64) -> String {
    let Date { year, month, day } = Date::from_days(ms.div_euclid(DAY));
    let minutes = ms.rem_euclid(DAY) / MINUTE;
    let (hour, minute, second) = (minutes / 60, minutes % 60, ms.rem_euclid(MINUTE) / SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key of TOML.
fn key(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !text.is_empty() && text.chars().all(bare) { text.to_owned() } else { quoted(text) }
}

/// Something as it can stand in a comment.
fn inline(text: &str) -> String {
    text.escape_debug().collect()
}

/// Lines with their comments, one below the other: those of long lines above them, and that of a
/// heading right behind it.
fn block(lines: &[(String, String)]) -> String {
    const WIDEST: usize = 48;
    let heading = |line: &str| line.starts_with('[');
    let width = |line: &str| line.chars().count();
    let aligned = lines.iter().map(|(line, _)| line).filter(|line| !heading(line));
    let widths = aligned.map(|line| width(line)).filter(|width| *width <= WIDEST);
    let widest = widths.max().unwrap_or(0);
    let mut text = String::new();
    for (line, comment) in lines {
        let indent = &line[..line.len() - line.trim_start().len()];
        let _ = match comment.as_str() {
            "" => writeln!(text, "{line}"),
            _ if heading(line) => writeln!(text, "{line}  # {comment}"),
            _ if width(line) > WIDEST => writeln!(text, "{indent}# {comment}\n{line}"),
            _ => writeln!(text, "{line:widest$}  # {comment}"),
        };
    }
    text.push('\n');
    text
}

/// A line and its comment.
fn line(line: impl Into<String>, comment: impl Into<String>) -> (String, String) {
    (line.into(), comment.into())
}

pub(super) fn text(wish: &Wish, run: &Run) -> String {
    let queue = inline(&wish.queue);
    let mut text = format!(
        "# What the containers of the queue {queue} do when they start, what happens to them, and what\n\
         # must hold all the same. Lengths of time have a unit (ms, s, m, h, d); a range such as\n\
         # \"2s..20s\" is drawn anew for each use.\n\n"
    );
    text += &top(wish, run);
    text += &intention(wish);
    text += &queue_and_job(wish);
    text += &release(wish);
    text += &service(wish);
    text += &events(run);
    text += &expectations(wish, run);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn top(wish: &Wish, run: &Run) -> String {
    let length = match run.windows {
        0 => "the schedule is due once in it".to_owned(),
        1 => "one window of the schedule, from tick to tick, and a bit".to_owned(),
        n => format!("{n} windows of the schedule, from tick to tick, and a bit"),
    };
    let mut lines = vec![
        line("format = 1", ""),
        line(format!("name   = {}", quoted(&format!("the queue {}", wish.queue))), ""),
        line(
            format!("start  = {}", moment(run.start)),
            format!("the run begins {} before a tick", spelled(run.lead)),
        ),
        line(format!("length = {}", quoted(&spelled(run.length))), length),
    ];
    if let Some(from) = run.judges_from {
        let measure = format!("measure = [\"{}\", \"{}\"]", spelled(from), spelled(run.length));
        lines.push(line(measure, "what is judged: not where the first containers boot"));
    }
    block(&lines)
}

/// The pattern or period as keys of a table.
fn when(wish: &Wish) -> [Option<(&'static str, String)>; 2] {
    match &wish.when {
        When::Pattern(pattern, zone) => {
            [Some(("pattern", quoted(pattern))), Some(("tz", quoted(zone)))]
        }
        When::Every(every) => [Some(("every", quoted(every))), None],
    }
}

fn intention(wish: &Wish) -> String {
    let mut lines = vec![line(
        format!("[schedule.{}]", key(&wish.job)),
        "what you intend, whatever the code below does",
    )];
    for (name, value) in when(wish).into_iter().flatten() {
        let comment = match name {
            "pattern" => "cron, as cron-parser reads it for BullMQ",
            "tz" => "in which zone; not the containers' TZ",
            _ => "once in every such window, counted from 1970-01-01T00:00Z",
        };
        lines.push(line(format!("{name:7} = {value}"), comment));
    }
    lines.push(line(format!("queue   = {}", quoted(&wish.queue)), ""));
    lines.push(line(
        format!("job     = {}", quoted(&wish.job)),
        "jobs of this name do its work, whoever adds them",
    ));
    block(&lines)
}

fn queue_and_job(wish: &Wish) -> String {
    let queue = block(&[
        line(
            format!("[queue.{}]", key(&wish.queue)),
            "new Queue(name, { defaultJobOptions }); these are BullMQ's",
        ),
        line("default_job_options.attempts           = 1", "how often a job that fails is tried"),
        line("default_job_options.remove_on_complete = false", "true, or how many are kept"),
        line("default_job_options.remove_on_fail     = false", "the same for failed jobs"),
    ]);
    let takes = quoted(&wish.takes);
    let (step, comment) = match wish.rows {
        Some(rows) => (
            format!(
                "  {{ write = {{ rows = {rows}, batches = {}, takes = {takes} }} }},",
                rows.min(10)
            ),
            "rows a job writes, in so many commits, and how long that takes",
        ),
        None => (format!("  {{ query = {takes} }},"), "how long a job waits for the database"),
    };
    let job = block(&[
        line(format!("[job.{}]", key(&wish.job)), "what the processor does with one job"),
        line("steps = [", ""),
        line(step, comment),
        line("]", ""),
    ]);
    queue + &job
}

fn release(wish: &Wish) -> String {
    let (queue, job) = (quoted(&wish.queue), quoted(&wish.job));
    let when = when(wish).into_iter().flatten();
    let repeat: Vec<String> = when.map(|(name, value)| format!("{name} = {value}")).collect();
    let repeat = repeat.join(", ");
    let mut text = String::from(
        "[release.current]  # what a container does when it starts, in this order\n\
         library = \"bullmq@5.34.10\"\n\
         steps = [\n",
    );
    let _ = match wish.api {
        Api::Scheduler => writeln!(
            text,
            "  # await queue.upsertJobScheduler(id, repeat, {{ name }}); without `name`, the id is it\n  \
             {{ upsert_job_scheduler = {job}, queue = {queue}, repeat = {{ {repeat} }} }},"
        ),
        Api::Repeat => writeln!(
            text,
            "  # await queue.add(name, data, {{ repeat }})\n  \
             {{ add = {job}, queue = {queue}, repeat = {{ {repeat} }} }},"
        ),
    };
    if wish.bootstrap {
        let _ = writeln!(
            text,
            "  # await queue.add(name, data), once at every start; `job_id` is BullMQ's jobId\n  \
             {{ add = {job}, queue = {queue} }},"
        );
    }
    let _ = writeln!(
        text,
        "  # new Worker(name, processor, {{ concurrency }})\n  \
         {{ worker = {queue}, concurrency = {} }},\n]\n",
        wish.concurrency
    );
    text
}

fn service(wish: &Wish) -> String {
    block(&[
        line("[service.worker]", "a Deployment of Kubernetes"),
        line("release  = \"current\"", ""),
        line(format!("replicas = {}", wish.replicas), "spec.replicas"),
        line(
            format!("boot     = {}", quoted(&wish.boot)),
            "from the pod's creation to your first line of code",
        ),
        line("termination_grace_period = \"30s\"", "from SIGTERM to SIGKILL"),
        line(
            "rollout  = { max_surge = \"25%\", max_unavailable = \"25%\" }",
            "spec.strategy: how containers are replaced, or \"recreate\"",
        ),
    ])
}

fn events(run: &Run) -> String {
    let mut text = String::new();
    let count = run.deploys.len() as i64;
    if count < run.wanted {
        let _ = writeln!(
            text,
            "# {count} deploys, evenly over the run, stand for the {} that there would be.\n",
            run.wanted
        );
    }
    for (number, deploy) in run.deploys.iter().enumerate() {
        let first = |comment: &'static str| if number == 0 { comment } else { "" };
        let (at, comment) = match *deploy {
            Deploy::Around(from, to) => {
                (format!("{}..{}", spelled(from), spelled(to)), "around a tick, the worst time")
            }
            Deploy::At(at) => (spelled(at), first("after the start of the run")),
        };
        let restart = "as kubectl rollout restart; of other code: deploy = \"RELEASE\"";
        text += &block(&[
            line("[[event]]", ""),
            line(format!("at      = {}", quoted(&at)), comment),
            line("restart = true", first(restart)),
        ]);
    }
    text
}

fn expectations(wish: &Wish, run: &Run) -> String {
    let mut text = String::new();
    let mut expect = |comment: &str, what: &str, bound: &str| {
        let _ = writeln!(text, "# {comment}\n[[expect]]\n{what}\n{bound}\n");
    };
    let in_all = format!("at_most = {}", run.ticks);
    let executions = "always  = \"executions in all\"";
    if run.windows > 0 {
        let firings = "always   = \"firings per window\"";
        expect("It runs at most once from tick to tick,", firings, "at_most  = 1");
        expect("and at least once.", firings, "at_least = 1");
        if wish.bootstrap {
            expect("In the whole run, once for each tick.", executions, &in_all);
        }
    } else {
        expect("Once for each tick of the run.", executions, &in_all);
    }
    if let Some(rows) = wish.rows {
        let (comment, measure, ticks) = match run.windows {
            0 => ("No row is written twice.", "rows in all", run.ticks.unsigned_abs()),
            _ => ("No row is written twice from tick to tick.", "rows per window", 1),
        };
        let bound = format!("at_most = {}", rows.saturating_mul(ticks));
        expect(comment, &format!("always  = \"{measure}\""), &bound);
    }
    expect(
        "In the end the queue has one registration for it, with one job to come.",
        "eventually = \"live registrations\"",
        "exactly    = 1",
    );
    // Boots that lie in the same sixteenth of their range overlap: it must be sure to be met.
    let pairs = u64::from(wish.replicas) * u64::from(wish.replicas - 1) / 2;
    if pairs.saturating_mul(run.seeds(wish)) >= 48 {
        expect(
            "What the seeds must have met; otherwise the rest shows little.",
            "sometimes = \"two boots overlap\"",
            "",
        );
    }
    text
}
