//! The command line: arguments and exit codes, and what the commands share; each has a file of its
//! own. Results go to standard output and everything else to standard error, so that the same
//! invocation prints the same bytes.

mod actions;
mod advise;
mod alerts;
mod ask;
mod audit;
mod cell;
mod examples;
mod exhaustive;
mod explain;
mod explore;
mod init;
mod live;
mod metrics;
mod replay;
mod run;
mod schema;
mod serve;
mod show;
mod shrink;
mod soak;

use crate::explore::Policies;
use crate::load::{self, Loaded, Source, load};
use crate::report::{Verdict, diagnostic, github};
use anstream::{AutoStream, ColorChoice};
use bootrace_sim::scenario::Diagnostic;
use clap::{Parser, Subcommand, ValueEnum};
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How an invocation ends. Of several, the first of: 101, 4, 5, 130, 2, 6, 1, 7, 3.
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
    /// A tape, or an answer in a scenario, does not apply any more.
    Diverged = 6,
    /// A bound was reached.
    Inconclusive = 7,
    /// A run panicked, which is a bug in bootrace. A panic anywhere else ends so, too.
    Bug = 101,
    /// A signal ended it; what was found until then was printed.
    Interrupted = 130,
}

impl Exit {
    /// The one of two that counts.
    fn or(self, other: Exit) -> Exit {
        const ORDER: [Exit; 9] = [
            Exit::Bug,
            Exit::Nondeterminism,
            Exit::Io,
            Exit::Interrupted,
            Exit::BadInput,
            Exit::Diverged,
            Exit::NotAsDeclared,
            Exit::Inconclusive,
            Exit::Vacuous,
        ];
        let first = ORDER.into_iter().find(|exit| [self, other].contains(exit));
        first.unwrap_or(Exit::AsDeclared)
    }
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
            Verdict::Diverged => Exit::Diverged,
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
    /// Write a first scenario for your queue, from flags or from questions
    Init(Box<init::Init>),
    /// Play a scenario on many seeds and judge it by its expectations
    Run {
        /// The scenario
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Look for a run that is not as scenarios declare, on many seeds and by several policies
    Explore {
        /// The scenarios
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        how: explore::How,
    },
    /// Play one run to its end and tell it
    Replay {
        /// The scenario
        file: PathBuf,
        #[command(flatten)]
        how: replay::How,
    },
    /// Make a failure as small as it gets, and keep it as a file that stands for one run
    Shrink {
        /// The scenario
        file: PathBuf,
        #[command(flatten)]
        how: Box<shrink::How>,
    },
    /// Print a scenario as it is understood, every value written out
    Show {
        /// The scenario
        file: PathBuf,
        /// Say where each value comes from: a line of a file, or whose default it is
        #[arg(long, conflicts_with_all = ["hazard", "length", "plan", "roll_out", "roll_back"])]
        effective: bool,
        #[command(flatten)]
        cell: cell::Cell,
        #[command(flatten)]
        soak: soak::Part,
    },
    /// Find out what every kind of bad day does to the schedules of scenarios
    Audit {
        /// The scenarios: what happens in them is put aside
        #[arg(required_unless_present = "list")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        how: audit::How,
    },
    /// Print what a monitor would have seen of one run
    Metrics {
        /// The scenario
        file: PathBuf,
        #[command(flatten)]
        how: metrics::How,
    },
    /// Print alerts for the schedules and queues of a scenario, and its own
    Alerts {
        /// The scenario
        file: PathBuf,
        #[command(flatten)]
        how: alerts::How,
    },
    /// Let a fleet run for a day or a month, with deploys, and hold each hour against what is meant
    Soak {
        /// The scenario: what happens in it is put aside
        file: PathBuf,
        #[command(flatten)]
        how: soak::How,
    },
    /// Find out which plan for a schedule holds on every kind of bad day
    Advise {
        /// The scenario: what happens in it is put aside
        #[arg(required_unless_present = "list")]
        file: Option<PathBuf>,
        #[command(flatten)]
        how: advise::How,
    },
    /// Say what a code of a diagnostic means
    Explain {
        /// The code: BR003
        code: String,
    },
    /// Print the JSON Schema of a format
    Schema {
        /// Of which
        which: schema::Which,
    },
    /// Be a Redis server that clients can connect to, in real or in virtual time
    Serve(serve::How),
    /// Play several scenarios on the same seeds and set them side by side; the last one counts
    Compare {
        /// The scenarios, what was before first
        #[arg(num_args = 2.., required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        how: How,
    },
}

#[derive(clap::Args, Debug)]
struct How {
    /// How many seeds, from 1
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    seeds: u64,
    /// One seed alone
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Which policy draws the answers: random, pct, pct:DEPTH, starvation, or portfolio: in turn
    #[arg(long, default_value = "random", value_parser = policies)]
    policy: Policies,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    ship: alerts::Ship,
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
        Command::Init(given) => init::init(given),
        Command::Run { file, how } => run::run(file, how),
        Command::Compare { files, how } => run::compare(files, how),
        Command::Explore { files, how } => explore::explore(files, how),
        Command::Replay { file, how } => replay::replay(file, how),
        Command::Show { file, effective, cell, soak } => show::show(file, *effective, cell, soak),
        Command::Soak { file, how } => soak::run(file, how),
        Command::Audit { files, how } => audit::run(files, how),
        Command::Advise { file, how } => advise::run(file.as_deref(), how),
        Command::Shrink { file, how } => shrink::shrink(file, how),
        Command::Metrics { file, how } => metrics::metrics(file, how),
        Command::Alerts { file, how } => alerts::alerts(file, how),
        Command::Explain { code } => explain::explain(code),
        Command::Serve(how) => serve::serve(how),
        Command::Schema { which } => schema::schema(*which),
    }
}

/// Reads the name of a policy, or of several.
fn policies(text: &str) -> Result<Policies, String> {
    Policies::parse(text).ok_or_else(|| {
        "a policy is random, pct, pct:DEPTH (1 to 1000), starvation or portfolio".to_owned()
    })
}

/// Loads every file, and says everything that is wrong with any of them.
fn load_all(files: &[PathBuf]) -> Option<Vec<Loaded>> {
    load_each(files).into_iter().collect::<Result<_, _>>().ok()
}

/// The same, with what is wrong for those who say it elsewhere, too.
fn load_each(files: &[PathBuf]) -> Vec<Result<Loaded, load::Error>> {
    let loaded: Vec<_> = files.iter().map(|file| load(file)).collect();
    for result in &loaded {
        match result {
            Ok(Loaded { source, warnings, .. }) => complain(source, warnings),
            Err(error) => say(error),
        }
    }
    loaded
}

fn say(error: &load::Error) {
    match error {
        load::Error::Io(path, error) => {
            tell(&format!("error: cannot read {}: {error}\n", shown(path)));
        }
        load::Error::Refused(path, why) => {
            tell(&format!("error: cannot read {}: {why}\n", shown(path)));
        }
        load::Error::Bad(source, problems) => {
            complain(source, problems);
            let problems = match problems.len() {
                1 => "1 problem".to_owned(),
                n => format!("{n} problems"),
            };
            tell(&format!("error: {problems} in {}; nothing was run\n", shown(&source.path)));
        }
    }
}

fn complain(source: &Source, diagnostics: &[Diagnostic]) {
    // As clap decides it for what it says.
    let color = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    tell(&diagnostic::render(source, diagnostics, color));
}

/// A path as it can be shown, on one line.
fn shown(path: &Path) -> String {
    diagnostic::escaped(&path.display().to_string())
}

/// Says something on standard error. That nobody hears it changes nothing.
fn tell(text: &str) {
    let text = if actions::here() { github::inert(text) } else { text.to_owned() };
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a result; how the invocation ends if it cannot be.
fn write(text: &str) -> Option<Exit> {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that has seen enough is no failure.
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            tell(&format!("error: cannot write the result: {error}\n"));
            return Some(Exit::Io);
        }
    }
    None
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a report is plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn of_two_exits_the_graver_counts() {
        assert_eq!(Exit::Bug.or(Exit::Nondeterminism), Exit::Bug);
        assert_eq!(Exit::Io.or(Exit::Nondeterminism), Exit::Nondeterminism);
        assert_eq!(Exit::NotAsDeclared.or(Exit::Interrupted), Exit::Interrupted);
        assert_eq!(Exit::Interrupted.or(Exit::Io), Exit::Io);
        assert_eq!(Exit::Vacuous.or(Exit::AsDeclared), Exit::Vacuous);
        assert_eq!(Exit::AsDeclared.or(Exit::AsDeclared), Exit::AsDeclared);
    }
}
