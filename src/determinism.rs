//! One run played twice and held against itself, event by event: a difference means that something
//! decides which is not a choice, and then no result of the exploration can be trusted.
//!
//! Both are played at once, each on a thread of its own. The first says of each event what it comes
//! to, all of it, in one number; the second holds its own against that as they happen. A few
//! thousand events are kept to tell the one that differs, however long the runs are.

use crate::report::events::Names;
use bootrace_sim::choices::Policy;
use bootrace_sim::event::{Event, Sink, Stamp};
use bootrace_sim::scenario::Scenario;
use bootrace_sim::{Outcome, run};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

/// How many events are said at once.
const BATCH: usize = 256;

/// How many batches the first run may be ahead.
const AHEAD: usize = 8;

/// How many events are kept: those on their way, those of the batches at both ends, one before.
const KEPT: usize = (AHEAD + 3) * BATCH;

/// The first event of a run that is another one when the run is played again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Which event it is, from 1: its line in `replay --events`.
    pub event: u64,
    /// The event before it, the last that both have.
    pub after: Option<String>,
    /// What happened once; none if that run had ended.
    pub once: Option<String>,
    /// What happened when it was played again; none if that run had ended. If both had, the runs are
    /// alike and what was made of them is not.
    pub again: Option<String>,
    /// The hashes over all events of both.
    pub hashes: (u64, u64),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { event, after, once, again, hashes: (one, other) } = self;
        if once.is_none() && again.is_none() {
            writeln!(f, "all {} events are the same, what is made of them is not", event - 1)?;
        } else {
            writeln!(f, "event {event} is the first that differs")?;
            if let Some(after) = after {
                writeln!(f, "  after  {after}")?;
            }
            let ended = "the other run ended here";
            writeln!(f, "  once   {}", once.as_deref().unwrap_or(ended))?;
            writeln!(f, "  again  {}", again.as_deref().unwrap_or(ended))?;
        }
        write!(f, "  hashes {one:016x}, {other:016x}")
    }
}

/// Plays a scenario twice, each time with the answers of a policy of its own: what came of it, and
/// where the two differ.
pub fn compare_twice(
    scenario: &Arc<Scenario>,
    policy: impl Fn() -> Box<dyn Policy> + Sync,
) -> (Outcome, Option<Difference>) {
    let play = |sink: &mut dyn Sink| {
        let outcome = run(scenario, policy(), false, sink);
        let verdict = outcome.verdict.clone();
        (outcome, verdict)
    };
    let (outcome, _, difference) = twice(scenario, play);
    (outcome, difference)
}

/// Plays what `play` plays twice, and compares the events and what is made of them. What comes back
/// is of the second time.
///
/// # Panics
/// If one of the two runs does.
pub(crate) fn twice<T: PartialEq + Send>(
    scenario: &Scenario,
    play: impl Fn(&mut dyn Sink) -> (Outcome, T) + Sync,
) -> (Outcome, T, Option<Difference>) {
    let (says, hears) = mpsc::sync_channel(AHEAD);
    let (differs, place) = mpsc::channel();
    let play = &play;
    std::thread::scope(|threads| {
        let first = threads.spawn(move || {
            let mut sink = Once::new(says, place);
            let (outcome, result) = play(&mut sink);
            let names = Names::new(scenario, &outcome);
            (sink.tell(&names), outcome.hash, result)
        });
        let mut sink = Again::new(hears);
        let (outcome, result) = play(&mut sink);
        let found = sink.end();
        if let Some((event, _)) = found {
            // If nobody hears it, the other one panicked, and that is told below.
            let _ = differs.send(event);
        }
        drop(differs);
        let (told, hash, other) =
            first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let hashes = (hash, outcome.hash);
        let difference = match found {
            Some((event, seen)) => {
                let names = Names::new(scenario, &outcome);
                let again = seen.map(|(stamp, event)| Line::new(&names, &stamp, &event));
                Some(told.against(event, again, hashes))
            }
            None if other == result && hash == outcome.hash => None,
            None => Some(told.against(outcome.events, None, hashes)),
        };
        (outcome, result, difference)
    })
}

/// An event in words.
struct Line {
    /// As a replay tells it.
    told: String,
    /// With what a replay does not tell.
    whole: String,
}

impl Line {
    fn new(names: &Names<'_>, stamp: &Stamp, event: &Event) -> Line {
        let told = names.line(stamp, event);
        Line { whole: format!("{told}  ({} ns: {event:?})", stamp.at.nanos()), told }
    }
}

/// What the first run has to say about the place at which they differ.
#[derive(Default)]
struct Told {
    before: Option<Line>,
    once: Option<Line>,
}

impl Told {
    fn against(self, event: u64, again: Option<Line>, hashes: (u64, u64)) -> Difference {
        let (once, again) = match (self.once, again) {
            // It lies in what a replay does not tell.
            (Some(once), Some(again)) if once.told == again.told => {
                (Some(once.whole), Some(again.whole))
            }
            (once, again) => (once.map(|line| line.told), again.map(|line| line.told)),
        };
        let after = self.before.map(|line| line.told);
        Difference { event: event + 1, after, once, again, hashes }
    }
}

/// What an event comes to, its stamp and all that it says. It is not the hash that runs have.
fn number(stamp: &Stamp, event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    (stamp, event).hash(&mut hasher);
    hasher.finish()
}

/// The first run.
struct Once {
    /// What was not said yet.
    numbers: Vec<u64>,
    /// None as soon as nobody wants to hear more.
    says: Option<SyncSender<Vec<u64>>>,
    /// The last events.
    kept: VecDeque<(Stamp, Event)>,
    /// How many there were.
    passed: u64,
    /// Where the other run differs.
    place: Receiver<u64>,
}

impl Once {
    fn new(says: SyncSender<Vec<u64>>, place: Receiver<u64>) -> Once {
        let (numbers, kept) = (Vec::with_capacity(BATCH), VecDeque::with_capacity(KEPT));
        Once { numbers, says: Some(says), kept, passed: 0, place }
    }

    fn say(&mut self) {
        let numbers = std::mem::replace(&mut self.numbers, Vec::with_capacity(BATCH));
        // Whoever does not listen any more has found a difference.
        self.says.take_if(|says| says.send(numbers).is_err());
    }

    /// At the end of the run: waits for the other one.
    fn tell(mut self, names: &Names<'_>) -> Told {
        self.say();
        self.says = None;
        let Ok(place) = self.place.recv() else { return Told::default() };
        let line = |event: u64| {
            let behind = usize::try_from(self.passed.checked_sub(event)?).ok()?;
            let (stamp, event) = self.kept.get(self.kept.len().checked_sub(behind)?)?;
            Some(Line::new(names, stamp, event))
        };
        Told { before: place.checked_sub(1).and_then(line), once: line(place) }
    }
}

impl Sink for Once {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        // What comes after the difference is not asked for.
        if self.says.is_none() {
            return;
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((*stamp, event.clone()));
        self.passed += 1;
        self.numbers.push(number(stamp, event));
        if self.numbers.len() == BATCH {
            self.say();
        }
    }
}

/// The second run.
struct Again {
    /// None as soon as there is a difference.
    hears: Option<Receiver<Vec<u64>>>,
    numbers: std::vec::IntoIter<u64>,
    passed: u64,
    /// The first place at which they differ, and what is there.
    found: Option<(u64, Option<(Stamp, Event)>)>,
}

impl Again {
    fn new(hears: Receiver<Vec<u64>>) -> Again {
        Again { hears: Some(hears), numbers: Vec::new().into_iter(), passed: 0, found: None }
    }

    /// The next number of the first run; none at its end.
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Some(number) = self.numbers.next() {
                return Some(number);
            }
            self.numbers = self.hears.as_ref()?.recv().ok()?.into_iter();
        }
    }

    /// At the end of the run: the other one may have more.
    fn end(mut self) -> Option<(u64, Option<(Stamp, Event)>)> {
        if self.found.is_none() && self.next().is_some() {
            self.found = Some((self.passed, None));
        }
        self.found
    }
}

impl Sink for Again {
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        if self.found.is_some() {
            return;
        }
        if self.next() == Some(number(stamp, event)) {
            self.passed += 1;
        } else {
            self.found = Some((self.passed, Some((*stamp, event.clone()))));
            self.hears = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootrace_sim::event::{JobId, QueueId};
    use bootrace_sim::policy::Random;
    use std::sync::atomic::{AtomicBool, Ordering};

    const STORY: &str = include_str!("../scenarios/free-tier-usage/no-bootstrap.toml");

    /// What a sink of ours passes on, as a leak in the model would have changed it.
    struct Changed<'a, F> {
        to: &'a mut dyn Sink,
        change: F,
        passed: u64,
    }

    impl<F: FnMut(u64, &Stamp, &Event, &mut dyn Sink)> Sink for Changed<'_, F> {
        fn event(&mut self, stamp: &Stamp, event: &Event) {
            (self.change)(self.passed, stamp, event, self.to);
            self.passed += 1;
        }
    }

    /// Plays a run twice, once with its events changed on their way; what the run itself comes to
    /// is the same, its hash, too.
    fn changed(
        change: impl Fn(u64, &Stamp, &Event, &mut dyn Sink) + Copy + Sync,
    ) -> (u64, Option<Difference>) {
        let (scenario, _) = bootrace_sim::scenario::parse(STORY).expect("it parses");
        let scenario = Arc::new(scenario);
        let first = AtomicBool::new(true);
        let play = |sink: &mut dyn Sink| {
            let policy = Box::new(Random::new(1));
            let outcome = if first.swap(false, Ordering::Relaxed) {
                let mut sink = Changed { to: sink, change, passed: 0 };
                run(&scenario, policy, false, &mut sink)
            } else {
                run(&scenario, policy, false, sink)
            };
            (outcome, ())
        };
        let (outcome, (), difference) = twice(&scenario, play);
        (outcome.events, difference)
    }

    fn pass(_: u64, stamp: &Stamp, event: &Event, to: &mut dyn Sink) {
        to.event(stamp, event);
    }

    #[test]
    fn a_run_is_the_same_twice() {
        assert_eq!(changed(pass).1, None);
    }

    /// A hash that leaves out what an event says would be the same, and so are the lines told.
    #[test]
    fn what_differs_in_what_an_event_says_alone_is_seen() {
        for place in [0, 1, BATCH as u64 - 1, BATCH as u64, 3_000] {
            let (_, difference) = changed(|at, stamp, event, to| {
                let rows = |rows| Event::Rows { queue: QueueId(7), job: JobId("a".into()), rows };
                if at == place { to.event(stamp, &rows(3)) } else { to.event(stamp, event) }
            });
            let difference = difference.expect("it differs");
            assert_eq!(difference.event, place + 1);
            assert_eq!(difference.hashes.0, difference.hashes.1);
            assert_eq!(difference.after.is_none(), place == 0);
            let told = [difference.once, difference.again].map(|told| told.expect("both go on"));
            assert!(told.iter().any(|told| told.ends_with("3 rows committed by a")), "{told:?}");
        }
    }

    #[test]
    fn what_a_replay_does_not_tell_is_told() {
        let (_, difference) = changed(|at, stamp, event, to| {
            let late = Stamp { at: stamp.at + bootrace_sim::clock::Span::from_nanos(1), ..*stamp };
            to.event(if at == 40 { &late } else { stamp }, event);
        });
        let Difference { event, once, again, .. } = difference.expect("it differs");
        let (once, again) = (once.expect("it is there"), again.expect("it is there"));
        assert_eq!(event, 41);
        assert!(once != again && once.split("  (").next() == again.split("  (").next());
    }

    #[test]
    fn a_run_that_ends_before_the_other_says_so() {
        let (events, _) = changed(pass);
        let (_, less) = changed(|at, stamp, event, to| {
            if at < 5 {
                to.event(stamp, event);
            }
        });
        let less = less.expect("it differs");
        // Which of the two threads was the first to play is open.
        assert_eq!((less.event, less.once.is_some() != less.again.is_some()), (6, true));
        assert!(less.to_string().contains("the other run ended here"), "{less}");
        let (_, more) = changed(|at, stamp, event, to| {
            to.event(stamp, event);
            if at + 1 == events {
                to.event(stamp, event);
            }
        });
        let more = more.expect("it differs");
        assert_eq!((more.event, more.once.is_some() != more.again.is_some()), (events + 1, true));
    }

    #[test]
    fn what_is_made_of_equal_events_is_compared_too() {
        let (scenario, _) = bootrace_sim::scenario::parse(STORY).expect("it parses");
        let scenario = Arc::new(scenario);
        let first = AtomicBool::new(true);
        let play = |sink: &mut dyn Sink| {
            let outcome = run(&scenario, Box::new(Random::new(1)), false, sink);
            (outcome, first.swap(false, Ordering::Relaxed))
        };
        let (outcome, _, difference) = twice(&scenario, play);
        let difference = difference.expect("it differs");
        assert_eq!(difference.event, outcome.events + 1);
        assert!(difference.to_string().contains("what is made of them is not"), "{difference}");
    }

    #[test]
    #[should_panic(expected = "in the first or the second")]
    fn a_panic_of_either_is_a_panic() {
        changed(|at, _, _, _| assert!(at < 700, "in the first or the second"));
    }
}
