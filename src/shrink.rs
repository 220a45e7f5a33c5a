//! Shrinking: the smallest scenario that a person can read, with the few answers that are not plain,
//! which still fails as the first one did. It works on the text's tree and the answers by name, and
//! asks the ordinary parser and a run about each candidate.
//!
//! It is a function of what it is given: candidates are tried one after the other in one order. It
//! knows no file; that a failure is saved before anything else happens is [`keep`]'s business.

mod smaller;
mod tree;

use crate::create::{create, replace};
use crate::explore::policy;
use crate::report::story;
use bootrace_sim::choices::{Name, Site};
use bootrace_sim::oracle::{Breach, Healer};
use bootrace_sim::policy::Kind;
use bootrace_sim::scenario::{self, Mode, Part, Property, Scenario, Subject};
use bootrace_sim::{Outcome, labels, run};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tree::Node;

/// A scenario as a tree, and the answers of its one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    tree: Node,
    answers: Vec<(Name, u32)>,
}

/// A case that fails as the first one did.
#[derive(Clone, Debug)]
pub struct Found {
    /// The case. Its answers are all those of its run that are not plain.
    pub case: Case,
    /// The containers that came in its run, however often each booted: service and ordinal.
    pub containers: BTreeSet<(Box<str>, u32)>,
}

/// A run that broke what a scenario expects, and all that is needed to shrink it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where shrinking begins: the one expectation, and every answer that is not plain.
    pub found: Found,
    /// The expectation that was broken, by its place.
    pub place: usize,
    /// The hash of the run, and of the one that its answers come to, if that is another.
    pub hashes: (u64, Option<u64>),
    wanted: Wanted,
}

/// Why there is nothing to shrink.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The run breaks no expectation, or not the one that was asked for.
    Holds,
    /// Answers of the scenario do not apply any more.
    Diverged(String),
    /// The run would not end.
    OutOfSteps,
    /// The run's answers, by their names, do not come to the failure again.
    NotRepeated(String),
}

/// What a run must show to be the same failure: the same property of the same thing, with the same
/// bound, broken in the same way, and nothing in the cause that was not in the first one.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    property: Property,
    subject: Option<Box<str>>,
    way: Way,
    cause: Option<BTreeSet<String>>,
}

/// In which way a property is broken, without the figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Above,
    Below,
    Apart,
    Registrations { too_many: bool, dead: bool, crowded: bool },
    Ill { healed: Healer },
}

impl Way {
    fn of(breach: &Breach) -> Way {
        match *breach {
            Breach::Above { .. } => Way::Above,
            Breach::Below { .. } => Way::Below,
            Breach::Apart { .. } => Way::Apart,
            Breach::Registrations { live, exactly, dead, crowded } => Way::Registrations {
                too_many: live > exactly,
                dead: dead > 0,
                crowded: crowded > 0,
            },
            Breach::Ill { healed, .. } => Way::Ill { healed },
        }
    }
}

impl Wanted {
    /// What a run that broke an expectation shows.
    fn of(scenario: &Arc<Scenario>, place: usize, outcome: &Outcome) -> Option<Wanted> {
        let property = scenario.expectations.get(place)?.property;
        let broke = outcome.verdict.judgements.get(place)?.broke.as_ref()?;
        let subject = subject(scenario, property);
        let cause = cause(scenario, place);
        Some(Wanted { property, subject, way: Way::of(&broke.what), cause })
    }

    /// Whether a run broke the same thing. A run that would not end, or whose premise was never met,
    /// shows nothing.
    fn same(&self, scenario: &Scenario, place: usize, outcome: &Outcome) -> bool {
        let Some(expectation) = scenario.expectations.get(place) else { return false };
        let Some(judgement) = outcome.verdict.judgements.get(place) else { return false };
        let property = expectation.property;
        // Which number a schedule or a queue has changes with others that go.
        let alike = Property { subject: self.property.subject, ..property } == self.property;
        let about = std::mem::discriminant(&property.subject)
            == std::mem::discriminant(&self.property.subject);
        let way = judgement.broke.as_ref().map(|broke| Way::of(&broke.what));
        alike
            && about
            && subject(scenario, property) == self.subject
            && !outcome.out_of_steps
            && !judgement.held
            && judgement.judged > 0
            && way == Some(self.way)
    }

    /// Whether the cause says nothing that the first one did not: with another cause it is another
    /// story, though the same oracle tells it.
    fn same_cause(&self, cause: Option<&BTreeSet<String>>) -> bool {
        match (&self.cause, cause) {
            (Some(first), Some(now)) => now.is_subset(first),
            (Some(_), None) => false,
            (None, now) => now.is_none(),
        }
    }
}

fn subject(scenario: &Scenario, property: Property) -> Option<Box<str>> {
    match property.subject {
        Subject::Schedule(schedule) => Some(scenario.schedules.get(schedule)?.name.clone()),
        Subject::Queue(queue) => Some(scenario.queues.get(queue)?.name.clone()),
        Subject::World => None,
    }
}

/// The words of the cause that the story of a scenario's one run gives, without its figures: none if it
/// gives no cause.
fn cause(scenario: &Arc<Scenario>, place: usize) -> Option<BTreeSet<String>> {
    /// How many of something there are is no matter.
    const COUNTS: [&str; 8] = ["one", "once", "twice", "time", "is", "are", "more", "and"];
    let cause = story::tell(scenario, Kind::Random, 1, place)?.cause?;
    let plain = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let figure = word.is_empty() || word.contains(|c: char| c.is_ascii_digit());
        let word = word.strip_suffix('s').filter(|one| one.len() > 2).unwrap_or(word);
        (!figure && !COUNTS.contains(&word)).then(|| word.to_owned())
    };
    Some(cause.split_whitespace().filter_map(plain).collect())
}

/// The answers of a recorded run that are not plain, by the names of their questions.
fn not_plain(scenario: &Scenario, outcome: &Outcome) -> Vec<(Name, u32)> {
    let labels = labels(scenario);
    let of = |choice: &bootrace_sim::choices::Choice| {
        let question = choice.question;
        let who = outcome.lives.get(question.life.0 as usize)?.to_string();
        let label = labels.get(usize::from(question.label.0))?.to_string();
        let name = Name { who, site: question.site, label, n: question.n };
        (choice.answer > 0).then(|| (name, u32::from(choice.answer)))
    };
    outcome.tape.choices.iter().filter_map(of).collect()
}

impl Failure {
    /// The failure of a run of a scenario whose text is `text` (that of a file that extends another
    /// must be both in one): of the expectation at a place, or of the first one that is broken.
    ///
    /// # Errors
    /// If there is none, or its answers by name do not come to it again.
    pub fn of(
        text: &str,
        scenario: &Arc<Scenario>,
        outcome: &Outcome,
        expectation: Option<usize>,
    ) -> Result<Failure, Refused> {
        if let Some(why) = &outcome.diverged {
            return Err(Refused::Diverged(why.clone()));
        }
        if outcome.out_of_steps {
            return Err(Refused::OutOfSteps);
        }
        let broken = |place: &usize| {
            let judgement = &outcome.verdict.judgements[*place];
            let mode = scenario.expectations[*place].property.mode;
            mode != Mode::Sometimes && !judgement.held && judgement.judged > 0
        };
        let mut places = 0..scenario.expectations.len();
        let asked = |place: &usize| expectation.is_none_or(|asked| asked == *place);
        let place = places.find(|place| asked(place) && broken(place)).ok_or(Refused::Holds)?;
        let no_text = || Refused::NotRepeated("its text cannot be read again".to_owned());
        let mut tree = Node::read(text).ok_or_else(no_text)?;
        tree.remove(&[Part::key("answers")]);
        let case = Case { tree, answers: not_plain(scenario, outcome) };
        let (answered, again) = case.play().ok_or_else(no_text)?;
        let wanted = Wanted::of(&answered, place, &again);
        let wanted = wanted.filter(|wanted| wanted.same(&answered, place, &again));
        let hashes = (outcome.hash, (again.hash != outcome.hash).then_some(again.hash));
        let Some(wanted) = wanted else {
            let why = format!("{:016x} becomes {:016x}", outcome.hash, again.hash);
            return Err(Refused::NotRepeated(why));
        };
        let mut case = case;
        case.expect_only(place, &scenario.name, wanted.property);
        let found = Shrinking::new(&wanted).attempt(&case).ok_or_else(no_text)?;
        Ok(Failure { found, place, hashes, wanted })
    }

    /// Makes it as small as it gets: until nothing can be taken out or lowered any more, or nobody
    /// wants to go on. `tell` is told each smaller case and how many candidates were tried, and with none
    /// is asked again and again whether to go on.
    pub fn shrink<'a>(&'a self, tell: &'a mut Tell<'a>) -> Found {
        let mut shrinking = Shrinking::new(&self.wanted);
        shrinking.tell = Some(tell);
        shrinking.best = Some(self.found.clone());
        // What comes of a stop is the best so far.
        let _ = shrinking.all();
        shrinking.best.unwrap_or_else(|| self.found.clone())
    }
}

impl Case {
    /// The text of a file that stands for its one run, below a comment.
    #[must_use]
    pub fn text(&self, comment: &str) -> String {
        let comment = comment.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n");
        comment.collect::<String>() + "\n" + &self.tree.print(Some(&self.answers))
    }

    /// The answers that are not plain.
    #[must_use]
    pub fn answers(&self) -> &[(Name, u32)] {
        &self.answers
    }

    /// Expects nothing but one thing, and declares that it is broken.
    fn expect_only(&mut self, place: usize, name: &str, property: Property) {
        let expect = [Part::key("expect"), Part::Index(place)];
        let Some(mut only) = self.tree.get(&expect).cloned() else { return };
        only.remove(&[Part::key("violated")]);
        only.set(&[Part::key("violated")], Node::Text("every seed".to_owned()));
        self.tree.set(&[Part::key("expect")], Node::List(vec![only]));
        let text = property.described().text;
        if !name.ends_with(text) {
            let name: String = format!("{name}: {text}").chars().take(200).collect();
            self.tree.set(&[Part::key("name")], Node::Text(name));
        }
    }

    /// The scenario that it is, and its run; none if it is none, or part of it has no effect.
    fn play(&self) -> Option<(Arc<Scenario>, Outcome)> {
        let (mut scenario, warnings) = scenario::parse(&self.tree.print(None)).ok()?;
        if warnings.iter().any(scenario::Diagnostic::is_without_effect) {
            return None;
        }
        scenario.answers = Some(self.answers.clone());
        let scenario = Arc::new(scenario);
        let outcome = run(&scenario, policy(&scenario, Kind::Random, 1), true, &mut ());
        Some((scenario, outcome))
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.tree.print(Some(&self.answers)).hash(&mut hasher);
        hasher.finish()
    }
}

/// Who is told what is found and how much was tried, and says whether to go on.
pub type Tell<'a> = dyn FnMut(Option<&Found>, u64) -> bool + 'a;

/// Nobody wants to go on.
struct Stopped;

struct Shrinking<'a> {
    wanted: &'a Wanted,
    best: Option<Found>,
    /// The cases that were tried and do not fail so.
    refused: BTreeSet<u64>,
    tried: u64,
    tell: Option<&'a mut Tell<'a>>,
}

impl<'a> Shrinking<'a> {
    fn new(wanted: &'a Wanted) -> Self {
        Shrinking { wanted, best: None, refused: BTreeSet::new(), tried: 0, tell: None }
    }

    /// Plays a case; what it comes to if it fails as the first one did.
    fn attempt(&mut self, case: &Case) -> Option<Found> {
        let (scenario, outcome) = case.play()?;
        // It is the only expectation but for the first time.
        let place = 0;
        if !self.wanted.same(&scenario, place, &outcome)
            || !self.wanted.same_cause(cause(&scenario, place).as_ref())
        {
            return None;
        }
        // An answer that was never asked for is none of the run's.
        let answers = not_plain(&scenario, &outcome);
        let case = Case { answers, ..case.clone() };
        // Who runs something by hand is no container.
        let of = |name: &str| scenario.services.iter().any(|service| *service.name == *name);
        let came = outcome.lives.iter().filter(|life| life.ordinal > 0 && of(&life.service));
        let containers = came.map(|life| ((*life.service).into(), life.ordinal)).collect();
        Some(Found { case, containers })
    }

    /// Takes a case if it fails as the first one did and `also` likes it.
    fn take(&mut self, case: &Case, also: impl Fn(&Found) -> bool) -> Result<bool, Stopped> {
        let hash = case.hash();
        if self.refused.contains(&hash) {
            return Ok(false);
        }
        self.tried += 1;
        let found = self.attempt(case).filter(also);
        let goes_on = match &mut self.tell {
            Some(tell) => tell(found.as_ref(), self.tried),
            None => true,
        };
        let taken = found.is_some();
        match found {
            Some(found) => self.best = Some(found),
            None => {
                self.refused.insert(hash);
            }
        }
        if goes_on { Ok(taken) } else { Err(Stopped) }
    }

    fn case(&self) -> Case {
        self.best.as_ref().expect("shrinking begins with a case").case.clone()
    }

    fn all(&mut self) -> Result<(), Stopped> {
        // A story of which nothing is left to chance is the simplest there is.
        let plain = Case { answers: Vec::new(), ..self.case() };
        self.take(&plain, |_| true)?;
        // Then one in which messages are as quick as they can be, before the parts go that a boot that
        // comes late needs less than they do.
        for sites in [&[Site::Send, Site::Reply, Site::Tie][..], &[Site::Send], &[Site::Reply]] {
            let mut case = self.case();
            case.answers.retain(|(name, _)| !sites.contains(&name.site));
            self.take(&case, |_| true)?;
        }
        while self.removed()? | self.fewer()? | self.plainer()? | self.lowered()? {}
        Ok(())
    }

    /// Takes out what can be taken out of the text.
    fn removed(&mut self) -> Result<bool, Stopped> {
        let (mut any, mut place) = (false, 0);
        loop {
            let mut case = self.case();
            let Some(path) = smaller::removals(&case.tree).into_iter().nth(place) else {
                return Ok(any);
            };
            case.tree.remove(&path);
            case.answers = smaller::renumbered(&case.answers, &path);
            match self.take(&case, |_| true)? {
                true => any = true,
                false => place += 1,
            }
        }
    }

    /// Leaves out containers: lower counts, and ordinals that are not needed.
    fn fewer(&mut self) -> Result<bool, Stopped> {
        let mut any = false;
        for (path, _) in self.case().tree.paths() {
            let [Part::Key(services), Part::Key(service)] = &path[..] else { continue };
            if &**services != "service" {
                continue;
            }
            let counts = [path.clone(), vec![Part::key("replicas")]].concat();
            any |= self.lower_at(&counts)?;
            any |= self.without(&path, service)?;
        }
        Ok(any)
    }

    /// Leaves out containers of a service that are not needed, the last ones first, and says of none
    /// that it is left out which would not come anyway.
    fn without(&mut self, service: &[Part], name: &str) -> Result<bool, Stopped> {
        let path = [service.to_vec(), vec![Part::key("without")]].concat();
        let containers = &self.best.as_ref().expect("shrinking begins with a case").containers;
        let own = containers.iter().filter(|(service, _)| **service == *name);
        let ordinals: Vec<u32> = own.map(|(_, ordinal)| *ordinal).collect();
        let mut any = false;
        if ordinals.len() > 1 {
            for ordinal in ordinals.into_iter().rev() {
                let mut case = self.case();
                let mut list = match case.tree.get(&path) {
                    Some(Node::List(list)) => list.clone(),
                    _ => Vec::new(),
                };
                list.push(Node::Number(i64::from(ordinal)));
                list.sort_by_key(|node| match node {
                    Node::Number(number) => *number,
                    _ => 0,
                });
                case.tree.set(&path, Node::List(list));
                any |= self.take(&case, |_| true)?;
            }
        }
        self.said_in_vain(&path)?;
        Ok(any)
    }

    /// Takes out of a list of those left out who would not come anyway.
    fn said_in_vain(&mut self, path: &[Part]) -> Result<(), Stopped> {
        let Some(Node::List(list)) = self.case().tree.get(path).cloned() else { return Ok(()) };
        for place in (0..list.len()).rev() {
            let mut case = self.case();
            case.tree.remove(&[path.to_vec(), vec![Part::Index(place)]].concat());
            if case.tree.get(path) == Some(&Node::List(Vec::new())) {
                case.tree.remove(path);
            }
            let came = self.best.as_ref().map_or(0, |best| best.containers.len());
            self.take(&case, |found| found.containers.len() <= came)?;
        }
        Ok(())
    }

    /// Makes answers plain, in groups and then one by one, and lowers what is left of them.
    fn plainer(&mut self) -> Result<bool, Stopped> {
        let mut any = false;
        let mut group = self.case().answers.len();
        while group > 0 {
            let mut start = 0;
            while start < self.case().answers.len() {
                let mut case = self.case();
                let end = (start + group).min(case.answers.len());
                case.answers.drain(start..end);
                match self.take(&case, |_| true)? {
                    true => any = true,
                    false => start += group,
                }
            }
            group /= 2;
        }
        for place in 0..self.case().answers.len() {
            let Some((_, answer)) = self.case().answers.get(place).cloned() else { break };
            for lower in smaller::lower_numbers(i64::from(answer)).into_iter().skip(1) {
                let mut case = self.case();
                case.answers[place].1 = u32::try_from(lower).unwrap_or(answer);
                if self.take(&case, |_| true)? {
                    any = true;
                    break;
                }
            }
        }
        Ok(any)
    }

    /// Lowers the values of the text.
    fn lowered(&mut self) -> Result<bool, Stopped> {
        let (mut any, mut place) = (false, 0);
        while let Some(path) = smaller::values(&self.case().tree).into_iter().nth(place) {
            match self.lower_at(&path)? {
                true => any = true,
                false => place += 1,
            }
        }
        Ok(any)
    }

    /// Lowers the value at a path, as far as it goes at once.
    fn lower_at(&mut self, path: &[Part]) -> Result<bool, Stopped> {
        let Some(node) = self.case().tree.get(path).cloned() else { return Ok(false) };
        for lower in smaller::lower(&node) {
            let mut case = self.case();
            case.tree.set(path, lower);
            if self.take(&case, |_| true)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Saves a text in a new file, then does the work that may come to a better one: whatever becomes of
/// the work, the file is whole, and has the first text or a later one. `own` says that the file is the
/// one that the text came from, and may be replaced.
///
/// # Errors
/// If the file cannot be written, or another one is there already.
pub fn keep<T>(
    path: &Path,
    own: bool,
    text: &str,
    work: impl FnOnce(&dyn Fn(&str) -> io::Result<()>) -> T,
) -> io::Result<T> {
    if own {
        replace(path, text)?
    } else {
        create(path, text)?
    }
    Ok(work(&|text| replace(path, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = include_str!("../scenarios/free-tier-usage/before.toml");

    fn played(text: &str) -> (Arc<Scenario>, Outcome) {
        let scenario = Arc::new(scenario::parse(text).expect("it parses").0);
        let outcome = run(&scenario, policy(&scenario, Kind::Random, 1), true, &mut ());
        (scenario, outcome)
    }

    /// A candidate that fails by another oracle is refused, whatever else is alike.
    #[test]
    fn only_the_same_oracle_counts() {
        let (scenario, outcome) = played(BEFORE);
        let wanted = Wanted::of(&scenario, 0, &outcome).expect("it is broken");
        assert!(wanted.same(&scenario, 0, &outcome));
        // Rows in all are broken, too, and live registrations are not.
        assert!(!outcome.verdict.judgements[1].held);
        assert!(!wanted.same(&scenario, 1, &outcome) && !wanted.same(&scenario, 2, &outcome));
        assert!(!wanted.same(&scenario, 3, &outcome), "there is no such place");
        for (part, by) in [
            ("at_most  = 1\n", "at_most  = 2\n"),
            ("[schedule.usage]", "[schedule.other]"),
            ("executions in all", "executions per firing"),
        ] {
            let other = BEFORE.replacen(part, by, 1);
            let named = |line: &&str| !line.starts_with("schedule ");
            let other: String = other.lines().filter(named).flat_map(|line| [line, "\n"]).collect();
            let (scenario, outcome) = played(&other);
            assert!(!wanted.same(&scenario, 0, &outcome), "{by}");
        }
        let second = "[schedule.first]\nevery = \"1h\"\nqueue = \"cloud-free-tier-usage-threshold\"\n\
                      job = \"first\"\n\n[schedule.usage]";
        let (moved, again) = played(&BEFORE.replacen("[schedule.usage]", second, 1));
        assert!(wanted.same(&moved, 0, &again), "its number is no matter");
    }

    #[test]
    fn what_shows_nothing_or_breaks_in_another_way_does_not_count() {
        let (scenario, outcome) = played(BEFORE);
        let wanted = Wanted::of(&scenario, 0, &outcome).expect("it is broken");
        let with = |change: &dyn Fn(&mut Outcome)| {
            let mut other = outcome.clone();
            change(&mut other);
            wanted.same(&scenario, 0, &other)
        };
        assert!(with(&|_| ()));
        assert!(!with(&|outcome| outcome.out_of_steps = true));
        assert!(!with(&|outcome| outcome.verdict.judgements[0].held = true));
        assert!(!with(&|outcome| outcome.verdict.judgements[0].judged = 0));
        assert!(!with(&|outcome| outcome.verdict.judgements[0].broke = None));
        assert!(!with(&|outcome| {
            let broke = outcome.verdict.judgements[0].broke.as_mut().expect("it is broken");
            broke.what = Breach::Below { found: 0, least: 1 };
        }));
    }

    /// A job id that is free again, and no job id at all, break the same oracle in the same way.
    #[test]
    fn another_cause_is_another_story() {
        let ids = include_str!("../scenarios/free-tier-usage/job-ids-slow-deploy.toml");
        let without = ids.replace(", job_id = \"usage-bootstrap\"", "");
        let [(ids, freed), (without, never)] = [ids, &without].map(played);
        let wanted = Wanted::of(&ids, 0, &freed).expect("it is broken");
        assert!(wanted.same(&without, 0, &never));
        assert!(!wanted.same_cause(cause(&without, 0).as_ref()));
        assert!(!wanted.same_cause(None));
        assert!(wanted.same_cause(cause(&ids, 0).as_ref()));
    }
}
