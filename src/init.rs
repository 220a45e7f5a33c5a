//! The text of a scenario for somebody's own queue, from what they say of it in a few words.
//!
//! It asks nobody, writes no file, and checks no value itself: what it makes is read by the parser
//! of all scenarios, and what that one does not like is put down to the word that was wrong.

use bootrace_sim::civil::Date;
use bootrace_sim::clock::{NANOS_PER_MS, Span};
use bootrace_sim::scenario::{self, Diagnostic, JobStep, Scenario};
use std::fmt::Write as _;

/// What somebody says of their queue. Texts are as they were typed: [`make`] checks them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wish {
    /// The queue's name.
    pub(crate) queue: String,
    /// The name of its jobs.
    pub(crate) job: String,
    /// When they are due.
    pub(crate) when: When,
    /// How many containers.
    pub(crate) replicas: u32,
    /// How often a day all of them are replaced.
    pub(crate) deploys_per_day: u32,
    /// How long a container takes to run: a range of lengths of time.
    pub(crate) boot: String,
    /// How long a job takes: a range of lengths of time.
    pub(crate) takes: String,
    /// How many rows a job writes, if somebody counts.
    pub(crate) rows: Option<u64>,
    /// How the start-up code registers the schedule.
    pub(crate) api: Api,
    /// Whether the start-up code adds a job besides, without an id, to be sure.
    pub(crate) bootstrap: bool,
    /// How many jobs a worker has in hand at once.
    pub(crate) concurrency: u32,
}

/// When jobs are due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// At the local times of a cron pattern in a zone.
    Pattern(String, String),
    /// Once a period.
    Every(String),
}

/// The two ways of BullMQ to say when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Api {
    /// `queue.upsertJobScheduler`
    Scheduler,
    /// The older `queue.add` with `repeat`
    Repeat,
}

/// What can be wrong in a wish, by the flag that says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// The queue's name.
    Queue,
    /// The job's name.
    Job,
    /// The pattern.
    Pattern,
    /// The zone.
    Tz,
    /// The period.
    Every,
    /// The number of containers.
    Replicas,
    /// The range of boots.
    Boot,
    /// The range of jobs.
    Takes,
    /// The number of rows.
    Rows,
    /// The number of jobs in hand.
    Concurrency,
}

/// A scenario that was made, and how to play it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Made {
    /// The scenario.
    pub(crate) text: String,
    /// How many seeds, up to those that are usual, are played in a second or two.
    pub(crate) seeds: u64,
}

impl Default for Wish {
    fn default() -> Self {
        Wish {
            queue: "work".to_owned(),
            job: "job".to_owned(),
            when: When::Pattern("0 * * * *".to_owned(), "UTC".to_owned()),
            replicas: 3,
            deploys_per_day: 1,
            boot: "2s..20s".to_owned(),
            takes: "10s..1m".to_owned(),
            rows: None,
            api: Api::Scheduler,
            bootstrap: false,
            concurrency: 1,
        }
    }
}

impl Word {
    const ALL: [Word; 10] = [
        Word::Queue,
        Word::Job,
        Word::Pattern,
        Word::Tz,
        Word::Every,
        Word::Replicas,
        Word::Boot,
        Word::Takes,
        Word::Rows,
        Word::Concurrency,
    ];

    /// The flag that says it.
    #[must_use]
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Word::Queue => "--queue",
            Word::Job => "--job",
            Word::Pattern => "--pattern",
            Word::Tz => "--tz",
            Word::Every => "--every",
            Word::Replicas => "--replicas",
            Word::Boot => "--boot",
            Word::Takes => "--takes",
            Word::Rows => "--rows",
            Word::Concurrency => "--concurrency",
        }
    }

    /// A wish in which nothing can be wrong but this word; none if the wish does not say it.
    fn alone(self, wish: &Wish) -> Option<Wish> {
        let plain = Wish::default();
        Some(match (self, &wish.when) {
            (Word::Queue, _) => Wish { queue: wish.queue.clone(), ..plain },
            (Word::Job, _) => Wish { job: wish.job.clone(), ..plain },
            (Word::Pattern, When::Pattern(pattern, _)) => {
                Wish { when: When::Pattern(pattern.clone(), "UTC".to_owned()), ..plain }
            }
            (Word::Tz, When::Pattern(_, zone)) => {
                Wish { when: When::Pattern("0 * * * *".to_owned(), zone.clone()), ..plain }
            }
            (Word::Every, When::Every(_)) => Wish { when: wish.when.clone(), ..plain },
            (Word::Pattern | Word::Tz | Word::Every, _) => return None,
            (Word::Replicas, _) => Wish { replicas: wish.replicas, ..plain },
            (Word::Boot, _) => Wish { boot: wish.boot.clone(), ..plain },
            (Word::Takes, _) => Wish { takes: wish.takes.clone(), ..plain },
            (Word::Rows, _) => Wish { rows: wish.rows, ..plain },
            (Word::Concurrency, _) => Wish { concurrency: wish.concurrency, ..plain },
        })
    }
}

/// What is wrong with a word of a wish, if anything is.
#[must_use]
pub(crate) fn fault(wish: &Wish, word: Word) -> Option<Diagnostic> {
    let text = text(&word.alone(wish)?, &Run::probe());
    match scenario::parse(&text) {
        Ok((_, problems)) | Err(problems) => problems.into_iter().next(),
    }
}

/// Makes the scenario.
///
/// # Errors
/// What is wrong with each word that is wrong.
///
/// # Panics
/// If words that are right by themselves make a scenario that is not, which is a bug here.
pub(crate) fn make(wish: &Wish) -> Result<Made, Vec<(Word, Diagnostic)>> {
    // One name for both has one fault.
    let said = |word: &Word| *word != Word::Job || wish.job != wish.queue;
    let words = Word::ALL.into_iter().filter(said);
    let faults: Vec<_> = words.filter_map(|word| Some((word, fault(wish, word)?))).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let (probed, _) = scenario::parse(&text(wish, &Run::probe())).expect("each word is right");
    let run = Run::of(wish, &probed);
    Ok(Made { text: text(wish, &run), seeds: run.seeds(wish) })
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The longest run that is made.
const LONGEST: i64 = 60 * DAY;

/// The most events that are made.
const MOST_EVENTS: i64 = 12;

/// Monday, 2026-01-05T00:00:00Z: no run begins much before it.
const EARLIEST: i64 = 1_767_571_200_000;

/// When the run is and what happens in it. All times are milliseconds, offsets from its start but
/// for the start itself.
struct Run {
    start: i64,
    length: i64,
    /// How long before a tick it begins.
    lead: i64,
    /// From when on it is judged, if not from its start.
    judges_from: Option<i64>,
    /// How many windows lie in it; none if not one of them is short enough.
    windows: i64,
    /// How many ticks.
    ticks: i64,
    deploys: Vec<Deploy>,
    /// How many deploys there would be if not for [`MOST_EVENTS`].
    wanted: i64,
}

/// A time at which all containers are replaced.
#[derive(Clone, Copy)]
enum Deploy {
    /// Far from any tick, as far as one can say.
    At(i64),
    /// Some time around a tick.
    Around(i64, i64),
}

impl Run {
    /// A run in which every word can be tried.
    fn probe() -> Run {
        let (start, length) = (EARLIEST, MINUTE);
        let (windows, ticks, deploys) = (1, 1, Vec::new());
        Run { start, length, lead: 0, judges_from: None, windows, ticks, deploys, wanted: 0 }
    }

    /// Two windows, or three that are short, with a little around them.
    fn of(wish: &Wish, probed: &Scenario) -> Run {
        let boot = ceil_ms(probed.services[0].boot.most);
        let ticks = probed.schedules[0].recurrence.ticks();
        let gap = ticks.after(EARLIEST).and_then(|first| Some(ticks.after(first)? - first));
        // A pattern that fires once has no gap.
        let gap = gap.unwrap_or(LONGEST);
        // Where the first containers boot is no window to judge: its tick is over.
        let lead = nice((gap / 2).min(HOUR)).max(nice(boot + 5 * SECOND));
        let first = ticks.after(EARLIEST + lead).unwrap_or(EARLIEST + lead);
        let unit = if lead < MINUTE { SECOND } else { MINUTE };
        let start = (first - lead).div_euclid(unit) * unit;
        let lead = first - start;
        let judges_from = ticks.after(start - 1).filter(|tick| *tick < first).map(|_| lead);
        let most = if gap <= HOUR { 3 } else { 2 };
        let mut later: Vec<i64> = Vec::new();
        while let Some(tick) = ticks.after(later.last().copied().unwrap_or(first))
            && (later.len() as i64) < most
            && tick - start + lead <= LONGEST
        {
            later.push(tick);
        }
        let windows = later.len() as i64;
        let length = match later.last() {
            Some(last) => nice(last - start + lead),
            None => nice(lead + DAY),
        };
        let mut count = 1 + windows;
        let mut last = later.last().copied().unwrap_or(first);
        while let Some(tick) = ticks.after(last).filter(|tick| *tick < start + length) {
            (count, last) = (count + 1, tick);
        }
        let wanted = match i64::from(wish.deploys_per_day) {
            0 => 0,
            per_day => (per_day * length / DAY).max(1),
        };
        let ticks = count;
        let run =
            Run { start, length, lead, judges_from, windows, ticks, deploys: Vec::new(), wanted };
        let tick = later.first().copied().unwrap_or(first);
        let gap = later.first().map_or(DAY, |second| second - first);
        let deploys = run.deploys(wish, probed, tick - start, gap);
        Run { deploys, ..run }
    }

    /// The deploys, evenly over the run; the one next to a given tick falls around it.
    fn deploys(&self, wish: &Wish, probed: &Scenario, tick: i64, gap: i64) -> Vec<Deploy> {
        let boot = ceil_ms(probed.services[0].boot.most);
        let takes = probed.jobs[0].steps.iter().map(|step| match step {
            JobStep::Query(takes) | JobStep::Write { takes, .. } => ceil_ms(takes.most),
            _ => 0,
        });
        // A rollout that begins this long before the tick is under way at it, and one that begins
        // this long after it may meet the job.
        let bound = (gap / 4).max(1);
        let before = nice(boot * i64::from(wish.replicas.min(5))).clamp(1, bound).min(tick);
        let after = nice(takes.sum()).clamp(1, bound).min(self.length - 1 - tick);
        let count = self.wanted.min(MOST_EVENTS);
        let deploy = |number: i64| {
            let from = self.length * number / count;
            let to = self.length * (number + 1) / count;
            if (from..to).contains(&tick) {
                return Deploy::Around(tick - before, tick + after);
            }
            let middle = (from + to) / 2;
            Deploy::At(if middle > MINUTE { middle / MINUTE * MINUTE } else { middle })
        };
        (0..count).map(deploy).collect()
    }

    /// How many seeds take a second or two: nearly all that a run does is idle polls.
    fn seeds(&self, wish: &Wish) -> u64 {
        const COMMANDS: i64 = 10_000_000;
        // An idle worker polls every 5 s and looks for stalled jobs every 30 s.
        let one = i64::from(wish.replicas) * (self.length / SECOND) / 4 + 1;
        let most = (COMMANDS / one).unsigned_abs();
        [200, 100, 50, 20].into_iter().find(|seeds| *seeds <= most).unwrap_or(10)
    }
}

/// A length of time in whole milliseconds, not shorter than it is.
fn ceil_ms(span: Span) -> i64 {
    span.nanos() / NANOS_PER_MS + i64::from(span.nanos() % NANOS_PER_MS != 0)
}

/// A length of time that is a little longer and reads better.
fn nice(ms: i64) -> i64 {
    let unit = match ms {
        ..SECOND => 1,
        SECOND..MINUTE => SECOND,
        MINUTE..DAY => MINUTE,
        _ => HOUR,
    };
    (ms + unit - 1) / unit * unit
}

/// A length of time as the format has it: `2d2h`.
fn spelled(ms: i64) -> String {
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
fn moment(ms: i64) -> String {
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

fn text(wish: &Wish, run: &Run) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use bootrace_sim::scenario::{Action, Happens, Measure, Mode, Recurrence, Relation};
    use proptest::prelude::*;

    fn patterns() -> impl Strategy<Value = When> {
        let patterns = [
            "0 6 * * *",
            "*/5 * * * *",
            "*/20 * * * * *",
            "30 2 * * *",
            "0 9 * * 1",
            "0 9,17 * * 1-5",
            "0 0 1 * *",
            "0 0 29 2 *",
            "@hourly",
            "59 23 31 12 *",
            "* * * * *",
        ];
        let zones = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"];
        let every = ["20s", "1m", "15m", "1h", "7h", "1d", "10d", "50d", "90d", "1m30s"];
        prop_oneof![
            (prop::sample::select(patterns.to_vec()), prop::sample::select(zones.to_vec()))
                .prop_map(|(pattern, zone)| When::Pattern(pattern.to_owned(), zone.to_owned())),
            prop::sample::select(every.to_vec()).prop_map(|every| When::Every(every.to_owned())),
        ]
    }

    /// A range of seconds as text, and its ends.
    fn range(most: i64) -> impl Strategy<Value = (String, i64, i64)> {
        (0..=most, 0..=most).prop_map(|(a, b)| {
            let (least, most) = (a.min(b), a.max(b));
            (format!("{least}s..{most}s"), least, most)
        })
    }

    fn made(wish: &Wish) -> (Scenario, Made) {
        let made = make(wish).expect("nothing is wrong with it");
        let (scenario, warnings) = scenario::parse(&made.text)
            .unwrap_or_else(|problems| panic!("{problems:#?}\n{}", made.text));
        assert_eq!(warnings, [], "{}", made.text);
        (scenario, made)
    }

    fn count(scenario: &Scenario, measure: Measure) -> usize {
        let same = |one: &&scenario::Expectation| one.property.measure == measure;
        scenario.expectations.iter().filter(same).count()
    }

    /// How many whole windows of its schedule lie in a run.
    fn windows(scenario: &Scenario) -> i64 {
        let ticks = scenario.schedules[0].recurrence.ticks();
        let end = (scenario.start + scenario.length).ms();
        let mut at = scenario.start.ms() - 1;
        let mut count = -1;
        while let Some(next) = ticks.after(at).filter(|next| *next <= end) {
            (at, count) = (next, count + 1);
        }
        count
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_is_made_says_what_was_wished(
            (queue, job) in ("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}", "[a-z][a-z0-9.-]{0,10}"),
            when in patterns(),
            (replicas, concurrency) in (1..=40_u32, 1..=50_u32),
            deploys_per_day in prop_oneof![0..=3_u32, 0..=1000_u32],
            boot in range(900),
            takes in range(20_000),
            rows in prop::option::of(1..=1_000_000_000_u64),
            (scheduler, bootstrap) in any::<(bool, bool)>(),
        ) {
            let api = if scheduler { Api::Scheduler } else { Api::Repeat };
            let wish = Wish {
                queue, job, when, replicas, deploys_per_day, rows, api, bootstrap, concurrency,
                boot: boot.0.clone(), takes: takes.0.clone(),
            };
            let (scenario, made) = made(&wish);
            let secs = Span::from_secs;

            prop_assert_eq!(&*scenario.queues[0].name, &*wish.queue);
            prop_assert_eq!(&*scenario.jobs[0].name, &*wish.job);
            match (&scenario.schedules[0].recurrence, &wish.when) {
                (Recurrence::Pattern(cron, zone), When::Pattern(pattern, tz)) => {
                    prop_assert_eq!((cron.pattern(), zone.name()), (&**pattern, &**tz));
                }
                (Recurrence::Every(span), When::Every(every)) => {
                    // In other units it may be spelled otherwise.
                    let nanos = span.nanos();
                    prop_assert!(every == &span.to_string() || nanos == 90_000_000_000);
                }
                other => prop_assert!(false, "{:?}", other),
            }
            let service = &scenario.services[0];
            prop_assert_eq!(service.replicas, wish.replicas);
            prop_assert_eq!((service.boot.least, service.boot.most), (secs(boot.1), secs(boot.2)));
            let taken = match (&scenario.jobs[0].steps[..], wish.rows) {
                ([JobStep::Query(takes)], None) => *takes,
                ([JobStep::Write { rows, takes, .. }], Some(wished)) => {
                    prop_assert_eq!(*rows, wished);
                    *takes
                }
                other => panic!("{other:?}"),
            };
            prop_assert_eq!((taken.least, taken.most), (secs(takes.1), secs(takes.2)));
            let steps: Vec<&Action> =
                scenario.releases[0].steps.iter().map(|step| &step.action).collect();
            let (first, last) = (steps[0], steps[steps.len() - 1]);
            match (first, wish.api) {
                (Action::UpsertJobScheduler { name, .. }, Api::Scheduler) => {
                    prop_assert_eq!(&**name, &*wish.job);
                }
                (Action::Add(add), Api::Repeat) => prop_assert!(add.repeat.is_some()),
                other => prop_assert!(false, "{:?}", other),
            }
            prop_assert_eq!(steps.len(), 2 + usize::from(wish.bootstrap));
            let Action::Worker(worker) = last else { panic!("{last:?}") };
            prop_assert_eq!(worker.concurrency, wish.concurrency);

            let days = scenario.length.nanos() as f64 / 86_400e9;
            prop_assert!(days <= 61.0, "{} days", days);
            let deploys = scenario.events.iter()
                .filter(|event| matches!(event.happens, Happens::To(_, scenario::Change::Restart)))
                .count();
            prop_assert_eq!(deploys > 0, wish.deploys_per_day > 0);
            prop_assert!(deploys as f64 <= (f64::from(wish.deploys_per_day) * days).max(1.0));
            let windows = windows(&scenario);
            prop_assert_eq!(count(&scenario, Measure::FiringsPerWindow), if windows > 0 { 2 } else { 0 });
            prop_assert_eq!(count(&scenario, Measure::LiveRegistrations), 1);
            let by_rows = count(&scenario, Measure::RowsPerWindow) + count(&scenario, Measure::RowsInAll);
            prop_assert_eq!(by_rows, usize::from(wish.rows.is_some()));
            prop_assert!((10..=200).contains(&made.seeds));
        }

        #[test]
        fn no_word_makes_it_panic_or_say_something_else(text in "[ -~\u{7f}\n\r\té\u{202e}]{0,12}") {
            let plain = Wish::default();
            for wish in [
                Wish { queue: text.clone(), ..plain.clone() },
                Wish { job: text.clone(), ..plain.clone() },
                Wish { boot: text.clone(), ..plain.clone() },
                Wish { takes: text.clone(), ..plain.clone() },
                Wish { when: When::Every(text.clone()), ..plain.clone() },
                Wish { when: When::Pattern(text.clone(), "UTC".to_owned()), ..plain.clone() },
                Wish { when: When::Pattern("5 * * * *".to_owned(), text.clone()), ..plain.clone() },
            ] {
                match make(&wish) {
                    Ok(made) => prop_assert!(scenario::parse(&made.text).is_ok()),
                    Err(faults) => prop_assert_eq!(faults.len(), 1, "{:?}", faults),
                }
            }
        }
    }

    #[test]
    fn a_run_has_two_windows_or_three_short_ones() {
        let of = |when: When| {
            let (scenario, _) = made(&Wish { when, ..Wish::default() });
            let Scenario { start, length, .. } = scenario;
            (moment(start.ms()), spelled(length.ms()), windows(&scenario))
        };
        let pattern = |pattern: &str, zone: &str| of(When::Pattern(pattern.into(), zone.into()));
        let run =
            |start: &str, length: &str, windows| (start.to_owned(), length.to_owned(), windows);
        let daily = pattern("0 6 * * *", "Europe/Berlin");
        assert_eq!(daily, run("2026-01-05T04:00:00Z", "2d2h", 2));
        assert_eq!(pattern("5 * * * *", "UTC"), run("2026-01-05T00:35:00Z", "4h", 3));
        assert_eq!(pattern("0 9 * * 1", "UTC"), run("2026-01-05T08:00:00Z", "14d2h", 2));
        assert_eq!(pattern("0 0 1 * *", "UTC"), run("2026-01-31T23:00:00Z", "59d2h", 2));
        assert_eq!(pattern("0 0 1 1 *", "UTC"), run("2026-12-31T23:00:00Z", "1d1h", 0));
        assert_eq!(of(When::Every("5m".to_owned())), run("2026-01-05T00:02:00Z", "21m", 3));
    }

    #[test]
    fn a_deploy_falls_around_a_tick_and_the_others_do_not() {
        let wish = Wish { deploys_per_day: 2, ..Wish::default() };
        let daily = When::Pattern("0 6 * * *".to_owned(), "UTC".to_owned());
        let (scenario, _) = made(&Wish { when: daily, ..wish });
        let ticks = scenario.schedules[0].recurrence.ticks();
        let around = |event: &&scenario::PlannedEvent| {
            let at = |span| (scenario.start + span).ms();
            ticks.after(at(event.at.least)) <= Some(at(event.at.most))
        };
        assert_eq!(scenario.events.len(), 4);
        assert_eq!(scenario.events.iter().filter(around).count(), 1);
    }

    #[test]
    fn what_a_start_adds_besides_is_judged_without_a_deploy_too() {
        let wish = Wish { deploys_per_day: 0, bootstrap: true, ..Wish::default() };
        let (scenario, _) = made(&wish);
        let in_all = scenario
            .expectations
            .iter()
            .find(|one| one.property.measure == Measure::ExecutionsInAll)
            .expect("it is judged");
        assert_eq!(
            (in_all.property.mode, in_all.property.relation),
            (Mode::Always, Relation::AtMost)
        );
        // One window more than it has ticks.
        assert_eq!(in_all.property.bound, windows(&scenario).unsigned_abs() + 1);
    }

    #[test]
    fn each_fault_is_put_down_to_its_word() {
        let wish = Wish {
            queue: "a b".to_owned(),
            job: String::new(),
            when: When::Pattern("75 * * * *".to_owned(), "Mars".to_owned()),
            boot: "20s..2s".to_owned(),
            takes: "10".to_owned(),
            ..Wish::default()
        };
        let faults = make(&wish).expect_err("nearly all of it is wrong");
        let words: Vec<Word> = faults.iter().map(|fault| fault.0).collect();
        let all = [Word::Queue, Word::Job, Word::Pattern, Word::Tz, Word::Boot, Word::Takes];
        assert_eq!(words, all);
        let every = Wish { when: When::Every("0s".to_owned()), ..Wish::default() };
        assert_eq!(make(&every).expect_err("it never comes")[0].0, Word::Every);
    }
}
