//! `shrink`: one run that breaks an expectation, made as small as it gets and kept as a file. It is
//! saved before anything else is done with it, and whatever ends the work leaves a whole file.

use super::live::{PATIENCE, ending, is_watched};
use super::{Exit, load_all, shown, tell, write};
use crate::load::Loaded;
use crate::report::{Expected, Report, text};
use crate::shrink::{Failure, Found, Refused, keep};
use crate::{explore, tape};
use bootrace_sim::Outcome;
use bootrace_sim::policy::Kind;
use bootrace_sim::scenario::{self, Scenario, span_range};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is asked whether to go on.
const TICK: Duration = Duration::from_millis(20);

/// Which failure, and where it is kept.
#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// Which seed; a file that has answers has one run, whatever the seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What draws the answers of the seed: random, pct:DEPTH or starvation
    #[arg(long, default_value_t = Kind::Random, value_parser = kind)]
    policy: Kind,
    /// Which expectation, by its place in the file, from 1; the first one that is violated
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    expect: Option<u64>,
    /// The file to write; scenarios/regressions/FILE-PROPERTY.toml, or the file itself if it has answers
    #[arg(long)]
    out: Option<PathBuf>,
    /// How long at most, as in 5m; what is smallest then is kept
    #[arg(long = "for", value_parser = length)]
    most: Option<Duration>,
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| "it is random, pct:DEPTH or starvation".to_owned())
}

fn length(text: &str) -> Result<Duration, String> {
    let one = span_range(text).filter(|(least, most)| least == most);
    let nanos = one.and_then(|(length, _)| u64::try_from(length.nanos()).ok());
    let nanos = nanos.filter(|nanos| *nanos > 0);
    nanos
        .map(Duration::from_nanos)
        .ok_or_else(|| "a length of time is written 5m or 90s".to_owned())
}

pub(super) fn shrink(file: &Path, how: &How) -> Exit {
    let Some(loaded) = load_all(std::slice::from_ref(&file.to_owned())) else {
        return Exit::BadInput;
    };
    let [loaded] = &loaded[..] else { return Exit::BadInput };
    let Loaded { source, scenario, .. } = loaded;
    let policy = explore::policy(scenario, how.policy, how.seed);
    let outcome = bootrace_sim::run(scenario, policy, true, &mut ());
    // What a file extends is not there any more in what is written.
    let whole = source.base.as_ref().map(|_| scenario::print(scenario));
    let text = whole.as_deref().unwrap_or(&source.text);
    let place = how.expect.map(|number| usize::try_from(number - 1).unwrap_or(usize::MAX));
    match Failure::of(text, scenario, &outcome, place) {
        Ok(failure) => Job { how, loaded, failure, outcome }.done(),
        Err(why) => refused(file, how, scenario, &why),
    }
}

/// Says why there is nothing to shrink.
fn refused(file: &Path, how: &How, scenario: &Scenario, why: &Refused) -> Exit {
    let run = match scenario.answers {
        Some(_) => "its run".to_owned(),
        None => format!("seed {}", how.seed),
    };
    let (said, exit) = match why {
        Refused::Holds => {
            let what = match how.expect {
                Some(number) => format!("expectation {number}, if there is one"),
                None => "any expectation".to_owned(),
            };
            let way_out = "\n  help: `bootrace run` says which seed does; --seed takes it";
            (format!("{run} does not break {what}{way_out}"), Exit::BadInput)
        }
        Refused::Diverged(why) => {
            (format!("not all answers of the file apply any more: {why}"), Exit::Diverged)
        }
        Refused::OutOfSteps => (format!("{run} does not come to its end"), Exit::Inconclusive),
        Refused::NotRepeated(why) => {
            (format!("the answers of {run}, by name, do not break it again: {why}"), Exit::Diverged)
        }
    };
    tell(&format!("error: {}: {said}\n", shown(file)));
    exit
}

fn taken_already(path: &Path) -> Exit {
    tell(&format!(
        "error: {} exists already, and nothing is written over\n  \
         help: --out takes the path of a new file\n",
        shown(path)
    ));
    Exit::BadInput
}

/// A failure that is being shrunk.
struct Job<'a> {
    how: &'a How,
    loaded: &'a Loaded,
    failure: Failure,
    outcome: Outcome,
}

/// How the work ended.
enum Ended {
    Done,
    Interrupted,
    OutOfTime,
    Bug(String),
}

impl Job<'_> {
    fn done(&self) -> Exit {
        let (path, own) = self.path();
        let comment = self.comment(&path);
        let first = self.failure.found.case.text(&comment);
        let file = shown(&path);
        // Too many answers for the parser: the run is saved as a tape until there are fewer.
        let tape = scenario::parse(&first).is_err().then(|| path.with_extension("tape"));
        let scenario = &self.loaded.scenario;
        let (saved, text) = match &tape {
            Some(tape) => (tape, tape::text(scenario, None, &self.outcome.tape)),
            None => (&path, first),
        };
        if let (_, Some(again)) = self.failure.hashes {
            tell(&format!(
                "warning: by name, the answers come to another run ({again:016x}), which fails alike\n"
            ));
        }
        let taken = || io::Error::from(io::ErrorKind::AlreadyExists);
        let free = tape.is_none() || own || !path.exists();
        let work = free.then_some(()).ok_or_else(taken).and_then(|()| {
            keep(saved, own && tape.is_none(), &text, |replace| {
                let (found, ended) = self.work();
                let text = found.case.text(&comment);
                let done = match &tape {
                    None => replace(&text),
                    // Still too many answers: the tape is what there is.
                    Some(_) if scenario::parse(&text).is_err() => return Ok((found, ended, true)),
                    Some(_) => keep(&path, own, &text, |_| ()),
                };
                done.map(|()| (found, ended, false))
            })
        });
        let (found, ended, is_tape) = match work.and_then(|work| work) {
            Ok(done) => done,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return taken_already(&path);
            }
            Err(error) => {
                tell(&format!("error: cannot write {}: {error}\n", shown(saved)));
                return Exit::Io;
            }
        };
        match tape {
            Some(tape) if is_tape => {
                let story = shown(&self.loaded.source.path);
                let tape = shown(&tape);
                self.say(&tape, &format!("{story} --tape {tape}"), &found, &ended)
            }
            tape => {
                tape.iter().for_each(|tape| drop(fs::remove_file(tape)));
                self.say(&file, &file, &found, &ended)
            }
        }
    }

    /// Says what is in the file, and how the work ended.
    fn say(&self, file: &str, again: &str, found: &Found, ended: &Ended) -> Exit {
        let (cut, exit) = match ended {
            Ended::Done => ("", Exit::AsDeclared),
            Ended::Interrupted => ("interrupted: it could be smaller\n", Exit::Interrupted),
            Ended::OutOfTime => ("out of time: it could be smaller\n", Exit::Inconclusive),
            Ended::Bug(message) => {
                tell(&format!("error: bug in bootrace: {message}\n"));
                ("stopped by a bug in bootrace: it could be smaller\n", Exit::Bug)
            }
        };
        let counted = |found: &Found| {
            let of = |count: usize, noun: &str| match count {
                1 => format!("1 {noun}"),
                n => format!("{n} {noun}s"),
            };
            let lines = found.case.text("").lines().count();
            [
                of(found.containers.len(), "container"),
                of(found.case.answers().len(), "answer") + " not plain",
                of(lines - found.case.answers().len(), "line"),
            ]
            .join(", ")
        };
        let printed = format!(
            "wrote {file}\n  {}\n  before: {}\n  after:  {}\n{cut}Replay: bootrace replay {again}\n",
            text::sentence(&self.expected()),
            counted(&self.failure.found),
            counted(found),
        );
        write(&printed).unwrap_or(exit)
    }

    /// The expectation that was broken, as reports have it.
    fn expected(&self) -> Expected {
        let Loaded { source, scenario, .. } = self.loaded;
        let seed = self.how.seed;
        let Outcome { verdict, hash, .. } = &self.outcome;
        let played = explore::Played {
            seed,
            policy: self.how.policy,
            verdict: verdict.clone(),
            hash: *hash,
            out_of_steps: false,
            diverged: None,
            stuck: None,
            swarm: Vec::new(),
            rang: Vec::new(),
        };
        let exploration = explore::Exploration { played: vec![played], nondeterministic: None };
        let file = source.path.display().to_string();
        Report::new(&file, &source.text, scenario, &exploration)
            .expectations
            .swap_remove(self.failure.place)
    }

    /// Where it is kept, and whether that is the file that it came from.
    fn path(&self) -> (PathBuf, bool) {
        let Loaded { source, scenario, .. } = self.loaded;
        let regression = scenario.answers.is_some();
        let path = match &self.how.out {
            Some(path) => path.clone(),
            None if regression => source.path.clone(),
            None => {
                let stem = source.path.file_stem().unwrap_or_default().to_string_lossy();
                let property = scenario.expectations[self.failure.place].property.described().text;
                let name = format!("{stem}-{}.toml", property.replace(' ', "-"));
                Path::new("scenarios").join("regressions").join(name)
            }
        };
        let same = |one: &Path| fs::canonicalize(one).ok();
        let own = regression && same(&path).is_some() && same(&path) == same(&source.path);
        (path, own)
    }

    /// What stands above the scenario: that of a file which is shrunk on, or where it comes from.
    fn comment(&self, path: &Path) -> String {
        let Loaded { source, scenario, .. } = self.loaded;
        if scenario.answers.is_some() {
            let own = source.text.lines().map_while(|line| line.strip_prefix('#'));
            let own: Vec<&str> = own.map(str::trim).collect();
            if !own.is_empty() {
                return own.join("\n");
            }
        }
        let drawn = match (scenario.answers.is_some(), self.how.policy) {
            (true, _) => String::new(),
            (false, Kind::Random) => format!(", seed {}", self.how.seed),
            (false, policy) => format!(", seed {} of {policy}", self.how.seed),
        };
        format!(
            "Shrunk from {}{drawn}: what is left breaks\n\"{}\".\nIt is one run: what it leaves open is \
             answered below, and plainly where nothing is said.\nReplay: bootrace replay {}",
            shown(&source.path),
            text::sentence(&self.expected()),
            shown(path),
        )
    }

    /// Shrinks on another thread for as long as nobody asks to end; what is smallest then.
    fn work(&self) -> (Found, Ended) {
        let asked = ending();
        let until = self.how.most.map(|most| Instant::now() + most);
        let (sender, receiver) = mpsc::channel();
        let (failure, stop) = (self.failure.clone(), asked.clone());
        let worker = thread::spawn(move || {
            let found = failure.shrink(&mut |found, tried| {
                let said = sender.send((found.cloned(), tried));
                said.is_ok() && !stop.load(Ordering::Relaxed)
            });
            // The last word is the result itself.
            let _ = sender.send((Some(found), 0));
        });
        let (best, ended) = watch(&receiver, self.failure.found.clone(), until, &asked);
        match ended {
            Ended::Done => match worker.join() {
                Ok(()) => (best, Ended::Done),
                Err(said) => (best, Ended::Bug(crate::pool::words(said.as_ref()))),
            },
            // A candidate may take long: its thread ends with the process.
            cut => (best, cut),
        }
    }
}

/// Takes in what is found until there is nothing more, or it is enough.
fn watch(
    receiver: &Receiver<(Option<Found>, u64)>,
    first: Found,
    until: Option<Instant>,
    asked: &Arc<AtomicBool>,
) -> (Found, Ended) {
    let (mut best, begun) = (first, Instant::now());
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is right"));
    let mut waits = is_watched();
    let ended = loop {
        if asked.load(Ordering::Relaxed) {
            break Ended::Interrupted;
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            break Ended::OutOfTime;
        }
        match receiver.recv_timeout(TICK) {
            Ok((found, tried)) => {
                best = found.unwrap_or(best);
                let (containers, answers) = (best.containers.len(), best.case.answers().len());
                bar.set_message(format!(
                    "{tried} candidates tried; {containers} containers, {answers} answers are left"
                ));
                bar.tick();
            }
            Err(RecvTimeoutError::Timeout) => {}
            // It ends early, too, when it hears that somebody asked.
            Err(RecvTimeoutError::Disconnected) if !asked.load(Ordering::Relaxed) => {
                break Ended::Done;
            }
            Err(RecvTimeoutError::Disconnected) => {}
        }
        if waits && begun.elapsed() >= PATIENCE {
            waits = false;
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    };
    bar.finish_and_clear();
    (best, ended)
}
