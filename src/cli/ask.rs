//! The questions of `init`, to somebody at a terminal. An empty answer is the one in brackets; an
//! answer that is wrong is asked for again.

use super::init::{Init, said};
use crate::init::{Api, When, Wish, Word, fault};
use std::fmt::Display;
use std::io::{self, BufRead, Write};

/// Somebody who is asked.
pub(super) struct Person<R, W> {
    pub(super) hears: R,
    pub(super) says: W,
}

/// Asks for everything that no flag has said.
///
/// # Errors
/// If there are no answers any more.
pub(super) fn rest(
    given: &Init,
    wish: &mut Wish,
    person: &mut Person<impl BufRead, impl Write>,
) -> io::Result<()> {
    let plain = wish.clone();
    if given.queue.is_none() {
        person.ask("The queue's name", "", wish, &[Word::Queue], |wish, text| {
            wish.queue = text.to_owned();
            Ok(())
        })?;
    }
    if given.job.is_none() {
        let queue = wish.queue.clone();
        person.ask("The name of its jobs", &queue, wish, &[Word::Job], |wish, text| {
            wish.job = text.to_owned();
            Ok(())
        })?;
    }
    when(given, wish, person)?;
    let number = |text: &str, most: u32| match text.parse() {
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("a whole number up to {most}")),
    };
    if given.replicas.is_none() {
        let question = "How many containers run its worker";
        person.ask(question, &plain.replicas, wish, &[Word::Replicas], |wish, text| {
            number(text, 1000).map(|number| wish.replicas = number)
        })?;
    }
    if given.deploys_per_day.is_none() {
        let question = "How many deploys a day";
        person.ask(question, &plain.deploys_per_day, wish, &[], |wish, text| {
            number(text, 1000).map(|number| wish.deploys_per_day = number)
        })?;
    }
    times_and_rows(given, wish, person)?;
    code(given, wish, person)?;
    if given.concurrency.is_none() {
        let question = "The worker's concurrency";
        person.ask(question, &plain.concurrency, wish, &[Word::Concurrency], |wish, text| {
            number(text, 1000).map(|number| wish.concurrency = number)
        })?;
    }
    Ok(())
}

fn when(
    given: &Init,
    wish: &mut Wish,
    person: &mut Person<impl BufRead, impl Write>,
) -> io::Result<()> {
    if given.pattern.is_none() && given.every.is_none() {
        let zone = given.tz.clone().unwrap_or("UTC".to_owned());
        let question = "When a job is due: a cron pattern, or a period such as 15m";
        person.ask(question, "0 * * * *", wish, &[Word::Pattern, Word::Every], |wish, text| {
            // A pattern has spaces, or is a word with an @ before it.
            let period = text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(' ');
            wish.when = match period && given.tz.is_none() {
                true => When::Every(text.to_owned()),
                false => When::Pattern(text.to_owned(), zone.clone()),
            };
            Ok(())
        })?;
    }
    if given.tz.is_none() && matches!(wish.when, When::Pattern(..)) {
        person.ask("In which zone", "UTC", wish, &[Word::Tz], |wish, text| {
            if let When::Pattern(_, zone) = &mut wish.when {
                text.clone_into(zone);
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn times_and_rows(
    given: &Init,
    wish: &mut Wish,
    person: &mut Person<impl BufRead, impl Write>,
) -> io::Result<()> {
    let plain = wish.clone();
    if given.boot.is_none() {
        let question = "How long a container takes to run your code";
        person.ask(question, &plain.boot, wish, &[Word::Boot], |wish, text| {
            wish.boot = text.to_owned();
            Ok(())
        })?;
    }
    if given.takes.is_none() {
        person.ask("How long a job takes", &plain.takes, wish, &[Word::Takes], |wish, text| {
            wish.takes = text.to_owned();
            Ok(())
        })?;
    }
    if given.rows.is_none() {
        let question = "How many rows a job writes, or none to count no rows";
        person.ask(question, "none", wish, &[Word::Rows], |wish, text| {
            wish.rows = match text.parse() {
                Ok(rows) if rows > 0 => Some(rows),
                _ if text == "none" => None,
                _ => return Err("a whole number from 1, or none".to_owned()),
            };
            Ok(())
        })?;
    }
    Ok(())
}

fn code(
    given: &Init,
    wish: &mut Wish,
    person: &mut Person<impl BufRead, impl Write>,
) -> io::Result<()> {
    if given.api.is_none() {
        let question =
            "Start-up code calls upsertJobScheduler (scheduler) or add with repeat (repeat)";
        person.ask(question, "scheduler", wish, &[], |wish, text| {
            wish.api = match text {
                "scheduler" => Api::Scheduler,
                "repeat" => Api::Repeat,
                _ => return Err("scheduler or repeat".to_owned()),
            };
            Ok(())
        })?;
    }
    if !given.bootstrap {
        let question = "Start-up code adds a job besides, without an id";
        person.ask(question, "no", wish, &[], |wish, text| {
            wish.bootstrap = match text {
                "yes" | "y" => true,
                "no" | "n" => false,
                _ => return Err("yes or no".to_owned()),
            };
            Ok(())
        })?;
    }
    Ok(())
}

impl<R: BufRead, W: Write> Person<R, W> {
    /// Asks until the answer is right and changes the wish by it. `words` are those of the wish
    /// that the answer may make wrong.
    fn ask(
        &mut self,
        question: &str,
        default: &(impl Display + ?Sized),
        wish: &mut Wish,
        words: &[Word],
        set: impl Fn(&mut Wish, &str) -> Result<(), String>,
    ) -> io::Result<()> {
        let default = default.to_string();
        loop {
            match default.as_str() {
                "" => write!(self.says, "{question}: ")?,
                default => write!(self.says, "{question} [{default}]: ")?,
            }
            self.says.flush()?;
            let mut line = String::new();
            if self.hears.read_line(&mut line)? == 0 {
                return Err(io::Error::other("there are no more answers"));
            }
            let answer = if line.trim().is_empty() { default.as_str() } else { line.trim() };
            let mut tried = wish.clone();
            let wrong = match set(&mut tried, answer) {
                Ok(()) => words.iter().find_map(|word| fault(&tried, *word)).map(|it| said(&it)),
                Err(wrong) => Some(wrong),
            };
            match wrong {
                Some(wrong) => writeln!(self.says, "  {wrong}")?,
                None => {
                    *wish = tried;
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        init: Init,
    }

    /// What comes of these flags and answers, and what was asked.
    fn asked(flags: &[&str], answers: &str) -> (io::Result<Wish>, String) {
        let line = Line::parse_from(["init"].iter().chain(flags));
        let mut wish = Wish::default();
        let mut person = Person { hears: answers.as_bytes(), says: Vec::new() };
        let ended = rest(&line.init, &mut wish, &mut person);
        (ended.map(|()| wish), String::from_utf8(person.says).expect("it asks in text"))
    }

    #[test]
    fn empty_answers_are_those_in_brackets() {
        let (wish, said) = asked(&[], &format!("reports\n{}", "\n".repeat(11)));
        let expected =
            Wish { queue: "reports".to_owned(), job: "reports".to_owned(), ..Wish::default() };
        assert_eq!(wish.expect("there were answers enough"), expected);
        assert_eq!(said.matches(": ").count(), 13, "{said}");
        assert!(said.starts_with("The queue's name: The name of its jobs [reports]: "), "{said}");
    }

    #[test]
    fn a_wrong_answer_is_asked_for_again() {
        let flags = ["--queue", "q", "--job", "j", "--replicas", "2", "--rows", "5"];
        let flags = [&flags[..], &["--boot", "1s", "--takes", "2s", "--api", "repeat"]].concat();
        let answers =
            "75 * * * *\n15min\n0 6 * * *\nBerlin\nEurope/Berlin\n-1\n4\nperhaps\nyes\n0\n7\n";
        let (wish, said) = asked(&flags, answers);
        let wish = wish.expect("there were answers enough");
        let when = When::Pattern("0 6 * * *".to_owned(), "Europe/Berlin".to_owned());
        assert_eq!((wish.when, wish.deploys_per_day), (when, 4));
        assert_eq!((wish.bootstrap, wish.concurrency), (true, 7));
        assert_eq!(said.matches("]:   ").count(), 6, "{said}");
        assert!(said.contains("`15min` is written `15m`"), "{said}");
    }

    #[test]
    fn no_answer_is_an_error() {
        assert!(asked(&[], "reports\n").0.is_err());
    }
}
