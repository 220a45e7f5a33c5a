//! `init`: a first scenario, for one's own queue or one of the stories. It writes one file that was
//! not there and plays nothing.

use super::ask::{self, Person};
use super::examples::{self, EXAMPLES};
use super::{Exit, shown, tell, write};
use crate::create::create;
use crate::init::{Api, Made, When, Wish, make};
use crate::report::diagnostic;
use bootrace_sim::scenario::Diagnostic;
use clap::builder::PossibleValuesParser;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

/// The arguments. Where a flag is missing that has no default, all that are missing are asked for.
#[derive(clap::Args, Debug)]
pub(super) struct Init {
    /// The file, a new one that ends in .toml [default: scenarios/QUEUE.toml]
    pub(super) path: Option<PathBuf>,
    /// The queue's name
    #[arg(long, value_name = "NAME")]
    pub(super) queue: Option<String>,
    /// The name of its jobs [default: the queue's]
    #[arg(long, value_name = "NAME")]
    pub(super) job: Option<String>,
    /// When a job is due: a cron pattern in quotes, such as "0 6 * * *"
    #[arg(long, value_name = "CRON", alias = "cron")]
    pub(super) pattern: Option<String>,
    /// Or how often: a length of time, such as 15m
    #[arg(long, value_name = "PERIOD", conflicts_with_all = ["pattern", "tz"])]
    pub(super) every: Option<String>,
    /// The zone of the pattern [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(super) tz: Option<String>,
    /// How many containers run the queue's worker [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) replicas: Option<u32>,
    /// How often a day all of them are replaced [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(super) deploys_per_day: Option<u32>,
    /// How long a container takes to run your code [default: 2s..20s]
    #[arg(long, value_name = "RANGE")]
    pub(super) boot: Option<String>,
    /// How long a job takes [default: 10s..1m]
    #[arg(long, value_name = "RANGE")]
    pub(super) takes: Option<String>,
    /// How many rows a job writes; without it no rows are counted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(super) rows: Option<u64>,
    /// How start-up code registers the schedule [default: scheduler]
    #[arg(long, value_enum)]
    pub(super) api: Option<Api>,
    /// Start-up code adds a job besides, without an id, so that one runs at once
    #[arg(long)]
    pub(super) bootstrap: bool,
    /// The worker's concurrency [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) concurrency: Option<u32>,
    /// Write one of the stories that come with bootrace instead
    #[arg(
        long,
        value_name = "STORY",
        value_parser = PossibleValuesParser::new(examples::names()),
        conflicts_with_all = [
            "queue", "job", "pattern", "every", "tz", "replicas", "deploys_per_day", "boot",
            "takes", "rows", "api", "bootstrap", "concurrency",
        ],
    )]
    pub(super) example: Option<String>,
}

pub(super) fn init(given: &Init) -> Exit {
    // Before anybody answers questions.
    if let Some(path) = &given.path {
        if path.symlink_metadata().is_ok() {
            return taken(path);
        }
        if path.extension().is_none_or(|extension| extension != "toml") {
            tell(&format!(
                "error: {} is no path of a scenario, which ends in .toml\n  \
                 help: a queue's name is given with --queue\n",
                shown(path)
            ));
            return Exit::BadInput;
        }
    }
    if let Some(name) = &given.example {
        let example = EXAMPLES.iter().find(|example| example.name == name);
        let Some(example) = example else { return Exit::BadInput };
        return put(given, name, example.text, None);
    }
    let Some(wish) = wish(given) else { return Exit::BadInput };
    match make(&wish) {
        Ok(Made { text, seeds }) => put(given, &wish.queue, &text, Some(seeds)),
        Err(faults) => {
            for (word, fault) in faults {
                tell(&format!("error: {}: {}\n", word.flag(), said(&fault)));
            }
            tell("nothing was written\n");
            Exit::BadInput
        }
    }
}

/// What is wrong, and the way out.
pub(super) fn said(fault: &Diagnostic) -> String {
    let help = fault.help.iter().map(|help| format!("\n  help: {help}"));
    diagnostic::escaped(&fault.message) + &help.collect::<String>()
}

/// What the flags say, and a person where they do not; none if that cannot be known.
fn wish(given: &Init) -> Option<Wish> {
    let mut wish = of_flags(given);
    let when = given.pattern.is_some() || given.every.is_some();
    if given.queue.is_some() && when {
        return Some(wish);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let queue = given.queue.is_none().then_some("--queue");
        let when = (!when).then_some("--pattern or --every");
        let missing: Vec<&str> = queue.into_iter().chain(when).collect();
        tell(&format!(
            "error: there is no {}, and no terminal to ask on\n  \
             help: bootrace init --queue reports --pattern \"0 6 * * *\"\n",
            missing.join(", and no ")
        ));
        return None;
    }
    let mut person = Person { hears: io::stdin().lock(), says: io::stderr() };
    match ask::rest(given, &mut wish, &mut person) {
        Ok(()) => Some(wish),
        Err(error) => {
            tell(&format!("\nerror: {error}; nothing was written\n"));
            None
        }
    }
}

fn of_flags(given: &Init) -> Wish {
    let plain = Wish::default();
    let text = |given: &Option<String>, plain: &str| given.clone().unwrap_or(plain.to_owned());
    let queue = text(&given.queue, &plain.queue);
    let when = match &given.every {
        Some(every) => When::Every(every.clone()),
        None => When::Pattern(text(&given.pattern, "0 * * * *"), text(&given.tz, "UTC")),
    };
    Wish {
        job: text(&given.job, &queue),
        queue,
        when,
        replicas: given.replicas.unwrap_or(plain.replicas),
        deploys_per_day: given.deploys_per_day.unwrap_or(plain.deploys_per_day),
        boot: text(&given.boot, &plain.boot),
        takes: text(&given.takes, &plain.takes),
        rows: given.rows,
        api: given.api.unwrap_or(plain.api),
        bootstrap: given.bootstrap,
        concurrency: given.concurrency.unwrap_or(plain.concurrency),
    }
}

/// Writes the file and says what to type next.
fn put(given: &Init, name: &str, text: &str, seeds: Option<u64>) -> Exit {
    let usual = || Path::new("scenarios").join(format!("{name}.toml"));
    let path = given.path.clone().unwrap_or_else(usual);
    match create(&path, text) {
        Ok(()) => {
            let shown = shown(&path);
            let seeds = seeds.filter(|seeds| *seeds < 200);
            let few = seeds.map_or_else(String::new, |seeds| format!(" --seeds {seeds}"));
            let next = format!("next:  bootrace run {}{few}\n", in_shell(&shown));
            write(&format!("wrote {shown}\n{next}")).unwrap_or(Exit::AsDeclared)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken(&path),
        Err(error) => {
            tell(&format!("error: cannot write {}: {error}\n", shown(&path)));
            Exit::Io
        }
    }
}

fn taken(path: &Path) -> Exit {
    tell(&format!(
        "error: {} exists already, and nothing is written over\n  \
         help: give the path of a new file as the last argument\n",
        shown(path)
    ));
    Exit::BadInput
}

/// A path as it can be typed.
fn in_shell(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/\\._-:+".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
