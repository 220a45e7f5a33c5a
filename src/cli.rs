//! The commands: argument, mode, exit code. Results go to standard output and everything else to
//! standard error, so that the same invocation prints the same bytes.

use crate::explore::{Exploration, explore};
use crate::load::{self, Loaded, load};
use crate::report::events::Names;
use crate::report::{self, Report, Verdict, diagnostic, effective, text, trace};
use bootrace_sim::event::{Event, Stamp, StepResult};
use bootrace_sim::policy::Random;
use bootrace_sim::scenario::{self, Diagnostic};
use clap::{Parser, Subcommand, ValueEnum};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How an invocation ends. Of several, the first of: a bug (101, a panic), 4, 5, 2, 1, 7, 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Everything is as the scenario declares.
    AsDeclared = 0,
    /// Something is not.
    NotAsDeclared = 1,
    /// A file or an argument is wrong.
    BadInput = 2,
    /// The premise of an expectation was never met.
    Vacuous = 3,
    /// Equal runs were not equal.
    Nondeterminism = 4,
    /// The result could not be written.
    Io = 5,
    /// A bound was reached.
    Inconclusive = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::AsDeclared => Exit::AsDeclared,
            Verdict::NotAsDeclared => Exit::NotAsDeclared,
            Verdict::Vacuous => Exit::Vacuous,
            Verdict::Nondeterministic => Exit::Nondeterminism,
            Verdict::Inconclusive => Exit::Inconclusive,
        }
    }
}

/// Find out what your job queues do while you deploy, before you deploy.
#[derive(Parser, Debug)]
#[command(name = "bootrace", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Play a scenario on many seeds and judge it by its expectations
    Run {
        /// The scenario
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Play one seed to its end and tell it
    Replay {
        /// The scenario
        file: PathBuf,
        /// Which seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Print every event, not only what changed something
        #[arg(long)]
        events: bool,
        /// Print Chrome trace-event JSON, which ui.perfetto.dev opens, instead of text
        #[arg(long, conflicts_with = "events")]
        trace: bool,
    },
    /// Print a scenario as it is understood, every value written out
    Show {
        /// The scenario
        file: PathBuf,
        /// Say where each value comes from: a line of a file, or whose default it is
        #[arg(long)]
        effective: bool,
    },
    /// Print the JSON Schema of a kind of file, for editors
    Schema {
        /// Of which
        #[arg(value_enum)]
        of: Schema,
    },
    /// Say what a code of a diagnostic means
    Explain {
        /// The code: BR003
        code: String,
    },
    /// Play several scenarios on the same seeds and set them side by side; the last one counts
    Compare {
        /// The scenarios, what was before first
        #[arg(num_args = 2.., required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum Schema {
    /// Scenario files
    Scenario,
}

#[derive(clap::Args, Debug)]
struct How {
    /// How many seeds, from 1
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    seeds: u64,
    /// One seed alone
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For CI: JUnit XML, a suite for each scenario and a case for each expectation
    Junit,
}

impl How {
    fn seeds(&self) -> RangeInclusive<u64> {
        self.seed.map_or(1..=self.seeds, |seed| seed..=seed)
    }
}

/// Does what the arguments of the process say.
pub fn main() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are asked for; anything else is a wrong argument.
            let exit = if error.use_stderr() { Exit::BadInput } else { Exit::AsDeclared };
            return error.print().map_or(Exit::Io, |()| exit);
        }
    };
    match &arguments.command {
        Command::Run { file, how } => run(file, how),
        Command::Compare { files, how } => compare(files, how),
        Command::Replay { file, seed, events, trace } => replay(file, *seed, *events, *trace),
        Command::Show { file, effective } => show(file, *effective),
        Command::Schema { of: Schema::Scenario } => {
            write(&json(&scenario::schema())).unwrap_or(Exit::AsDeclared)
        }
        Command::Explain { code } => explain(code),
    }
}

fn run(file: &Path, how: &How) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let reports = reports(&loaded, how);
    let printed = match how.format {
        Format::Text => Ok(reports.iter().map(text::run).collect()),
        Format::Json => Ok(reports.first().map_or_else(String::new, json)),
        Format::Junit => junit(&reports),
    };
    print(printed, &reports)
}

fn compare(files: &[PathBuf], how: &How) -> Exit {
    let Some(loaded) = load_all(files) else {
        return Exit::BadInput;
    };
    let reports = reports(&loaded, how);
    let printed = match how.format {
        Format::Text => Ok(text::compare(&reports)),
        Format::Json => Ok(json(&reports)),
        Format::Junit => junit(&reports),
    };
    print(printed, &reports)
}

/// Loads every file, and says everything that is wrong with any of them.
fn load_all(files: &[PathBuf]) -> Option<Vec<Loaded>> {
    let loaded: Vec<_> = files.iter().map(|file| load(file)).collect();
    let mut good = Vec::new();
    let mut bad = 0;
    for result in loaded {
        match result {
            Ok(loaded) => {
                complain(&loaded.path, &loaded.text, &loaded.warnings);
                good.push(loaded);
            }
            Err(error) => {
                bad += 1;
                say(&error);
            }
        }
    }
    (bad == 0).then_some(good)
}

fn say(error: &load::Error) {
    match error {
        load::Error::Io(path, error) => eprintln!("error: cannot read {}: {error}", path.display()),
        load::Error::Refused(path, why) => {
            eprintln!("error: cannot read {}: {why}", path.display())
        }
        load::Error::Bad(path, text, problems) => {
            complain(path, text, problems);
            let problems = match problems.len() {
                1 => "1 problem".to_owned(),
                n => format!("{n} problems"),
            };
            eprintln!("error: {problems} in {}; nothing was run", path.display());
        }
    }
}

fn complain(path: &Path, text: &str, diagnostics: &[Diagnostic]) {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprint!("{}", diagnostic::render(&path.display().to_string(), text, diagnostics, color));
}

fn reports(loaded: &[Loaded], how: &How) -> Vec<Report> {
    let report = |loaded: &Loaded| {
        let exploration: Exploration = explore(&loaded.scenario, how.seeds());
        if let Some((once, again)) = exploration.nondeterministic {
            eprintln!(
                "error: {}: two runs of one seed differ: {once:016x}, {again:016x}",
                loaded.path.display()
            );
        }
        Report::new(&loaded.path.display().to_string(), &loaded.scenario, &exploration)
    };
    loaded.iter().map(report).collect()
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a report is plain data");
    text.push('\n');
    text
}

fn junit(reports: &[Report]) -> Result<String, Exit> {
    report::junit::junit(reports).map_err(|error| {
        eprintln!("error: cannot write the result as XML: {error}");
        Exit::Io
    })
}

fn replay(file: &Path, seed: u64, all: bool, as_trace: bool) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let [Loaded { scenario, path, .. }] = &loaded[..] else { return Exit::BadInput };
    let mut seen: Vec<(Stamp, Event)> = Vec::new();
    let outcome = bootrace_sim::run(scenario, Box::new(Random::new(seed)), false, &mut seen);
    let names = Names::new(scenario, &outcome);
    let mut printed = if as_trace {
        json(&trace::trace(&names, scenario.start, &seen))
    } else {
        seen.retain(|(_, event)| all || tells(event));
        seen.iter().map(|(stamp, event)| names.line(stamp, event) + "\n").collect()
    };
    if !as_trace {
        let _ = writeln!(printed, "seed {seed} of {}: hash {:016x}", path.display(), outcome.hash);
    }
    write(&printed).unwrap_or(if outcome.out_of_steps {
        Exit::Inconclusive
    } else {
        Exit::AsDeclared
    })
}

/// Whether an event changes something that a person would ask about.
fn tells(event: &Event) -> bool {
    !matches!(
        event,
        Event::Command { .. }
            | Event::Answered { .. }
            | Event::Closed { .. }
            | Event::StepEnded(_, StepResult::Done)
    )
}

fn show(file: &Path, with_origins: bool) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let shown = |loaded: &Loaded| match with_origins {
        true => effective::effective(loaded),
        false => scenario::print(&loaded.scenario),
    };
    write(&loaded.iter().map(shown).collect::<String>()).unwrap_or(Exit::AsDeclared)
}

fn explain(code: &str) -> Exit {
    let known = |(known, _): &&(&str, &str)| known.eq_ignore_ascii_case(code);
    match scenario::CODES.iter().find(known) {
        Some((code, means)) => write(&format!("{code}: {means}\n")).unwrap_or(Exit::AsDeclared),
        None => {
            let first = scenario::CODES.first().map_or("BR001", |(code, _)| code);
            eprintln!(
                "error: there is no code `{}`; they look like {first}",
                code.escape_default()
            );
            Exit::BadInput
        }
    }
}

/// Writes a result; how the invocation ends if it cannot be.
fn write(text: &str) -> Option<Exit> {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that has seen enough is no failure.
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            eprintln!("error: cannot write the result: {error}");
            return Some(Exit::Io);
        }
    }
    None
}

fn print(printed: Result<String, Exit>, reports: &[Report]) -> Exit {
    let ends = reports.last().map_or(Exit::BadInput, |report| Exit::from(report.verdict));
    match printed {
        Ok(text) => write(&text).unwrap_or(ends),
        Err(exit) => exit,
    }
}
