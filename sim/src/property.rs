//! Properties that a program writes as closures, over the notes that its containers make.
//!
//! They read events and nothing else. A note is what a life is doing from then on; a life that has
//! ended is doing nothing. What a property found comes as values; words are for reports.

use crate::choices::LifeId;
use crate::clock::{Instant, Span};
use crate::event::{Event, Plan, Sink, Stamp};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What must be so, and when.
#[derive(Clone)]
pub struct Property {
    name: String,
    kind: Kind,
    check: Arc<dyn Fn(&Seen) -> bool + Send + Sync>,
}

/// When a property must be so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// After every note and every end of a process.
    Always,
    /// At some instant of the calm tail, in every run.
    Eventually,
    /// At some instant of some run.
    Sometimes,
}

impl Property {
    /// A property that is so where `check` says so.
    pub fn new(
        kind: Kind,
        name: impl Into<String>,
        check: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property { name: name.into(), kind, check: Arc::new(check) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it must be so.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// One note of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// When it was made.
    pub at: Instant,
    /// By whom.
    pub life: LifeId,
    /// What it says.
    pub what: Rc<str>,
}

/// What a property can see of a run so far.
///
/// A property that asks only for notes that nobody made has not been put to the test: its closure
/// is not counted as a judgement, and a property without any is vacuous.
#[derive(Debug, Default)]
pub struct Seen {
    start: Instant,
    at: Instant,
    notes: Vec<Note>,
    now: BTreeMap<LifeId, Rc<str>>,
    times: BTreeMap<Rc<str>, u64>,
    met: Cell<bool>,
}

impl Seen {
    /// How many processes are at this: it is their newest note, and they are alive.
    pub fn now(&self, what: &str) -> usize {
        self.met(self.now.values().filter(|now| &***now == what).count())
    }

    /// How often this was noted so far, by whomever.
    pub fn times(&self, what: &str) -> u64 {
        self.met(self.times.get(what).copied().unwrap_or(0))
    }

    /// Every note so far, in order.
    pub fn notes(&self) -> &[Note] {
        self.met(self.notes.len());
        &self.notes
    }

    /// How long the run has lasted.
    pub fn elapsed(&self) -> Duration {
        self.at.since(self.start).into()
    }

    /// Notes that something was found that the property is about.
    fn met<N: Copy + PartialEq + Default>(&self, found: N) -> N {
        if found != N::default() {
            self.met.set(true);
        }
        found
    }

    /// Takes in one event; whether it may change what a property says.
    fn fold(&mut self, stamp: &Stamp, event: &Event) -> bool {
        match event {
            Event::Note { what } => {
                self.notes.push(Note { at: stamp.at, life: stamp.life, what: what.clone() });
                self.now.insert(stamp.life, what.clone());
                *self.times.entry(what.clone()).or_default() += 1;
            }
            Event::Exited { .. } | Event::Killed => {
                self.now.remove(&stamp.life);
            }
            Event::Plan(Plan::Calm) => {}
            _ => return false,
        }
        self.at = stamp.at;
        true
    }
}

/// What one run says about one property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Whether it was so: of an `Always`, at no instant not; of the others, at one at least.
    pub held: bool,
    /// At how many instants it was put to the test.
    pub judged: u64,
    /// Where an `Always` broke first, or where another was so first.
    pub at: Option<Place>,
}

/// An event that decided about a property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// When, and whose it was.
    pub stamp: Stamp,
    /// What it was.
    pub event: Event,
}

/// Judges one run by its events.
pub(crate) struct Watch<'a> {
    properties: &'a [Property],
    seen: Seen,
    calm: bool,
    findings: Vec<Finding>,
}

impl<'a> Watch<'a> {
    /// The watch over a run that begins at `start`, and whose last part is calm for so long; all of
    /// it if nothing was said.
    pub(crate) fn new(properties: &'a [Property], start: Instant, calm: Span) -> Self {
        let finding = |property: &Property| Finding {
            held: property.kind == Kind::Always,
            judged: 0,
            at: None,
        };
        Watch {
            properties,
            seen: Seen { start, at: start, ..Seen::default() },
            calm: calm == Span::ZERO,
            findings: properties.iter().map(finding).collect(),
        }
    }

    /// One finding for each property, in their order.
    pub(crate) fn finish(self) -> Vec<Finding> {
        self.findings
    }
}

impl Sink for Watch<'_> {
    #[inline]
    fn event(&mut self, stamp: &Stamp, event: &Event) {
        self.calm |= *event == Event::Plan(Plan::Calm);
        if !self.seen.fold(stamp, event) {
            return;
        }
        for (property, finding) in self.properties.iter().zip(&mut self.findings) {
            let decided = finding.at.is_some();
            if decided || (property.kind == Kind::Eventually && !self.calm) {
                continue;
            }
            self.seen.met.set(false);
            let so = (property.check)(&self.seen);
            let always = property.kind == Kind::Always;
            finding.judged += u64::from(!always || self.seen.met.get() || !so);
            if so != always {
                finding.held = so;
                finding.at = Some(Place { stamp: *stamp, event: event.clone() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events by second, life and what happens: a note, or the end of the life for `-`.
    fn find(property: Property, events: &[(i64, u32, &str)]) -> Finding {
        let properties = [property];
        let mut watch = Watch::new(&properties, Instant::default(), Span::from_secs(5));
        for (second, life, what) in events {
            let at = Instant::default() + Span::from_secs(*second);
            let event = match *what {
                "-" => Event::Killed,
                "calm" => Event::Plan(Plan::Calm),
                what => Event::Note { what: what.into() },
            };
            watch.event(&Stamp { at, life: LifeId(*life) }, &event);
        }
        watch.finish().remove(0)
    }

    fn one_leads(kind: Kind) -> Property {
        Property::new(kind, "one leads", |seen| seen.now("leads") <= 1)
    }

    #[test]
    fn the_second_at_once_breaks_it_and_is_pointed_at() {
        let events = [(1, 1, "leads"), (2, 2, "leads"), (3, 3, "leads")];
        let finding = find(one_leads(Kind::Always), &events);
        assert!(!finding.held);
        let place = finding.at.expect("it broke");
        assert_eq!((place.stamp.at.ms(), place.stamp.life), (2_000, LifeId(2)));
        assert_eq!(place.event, Event::Note { what: "leads".into() });
    }

    #[test]
    fn who_says_something_else_or_ends_is_at_it_no_more() {
        let events =
            [(1, 1, "leads"), (2, 1, "rests"), (3, 2, "leads"), (4, 2, "-"), (5, 3, "leads")];
        let finding = find(one_leads(Kind::Always), &events);
        assert_eq!(finding, Finding { held: true, judged: 3, at: None });
    }

    #[test]
    fn a_property_about_notes_that_nobody_makes_is_never_judged() {
        let finding = find(one_leads(Kind::Always), &[(1, 1, "leds"), (2, 2, "leds")]);
        assert_eq!(finding, Finding { held: true, judged: 0, at: None });
        let times = Property::new(Kind::Always, "once", |seen| seen.times("migrates") <= 1);
        assert_eq!(find(times, &[(1, 1, "migrate")]).judged, 0);
    }

    #[test]
    fn a_violation_is_judged_even_if_it_found_nothing() {
        let led = Property::new(Kind::Always, "somebody leads", |seen| seen.now("leads") > 0);
        let finding = find(led, &[(1, 1, "rests")]);
        assert_eq!((finding.held, finding.judged), (false, 1));
    }

    #[test]
    fn eventually_is_in_the_calm_tail() {
        let led = || Property::new(Kind::Eventually, "led", |seen| seen.now("leads") == 1);
        assert!(!find(led(), &[(1, 1, "leads"), (2, 1, "-"), (3, 0, "calm")]).held);
        assert!(find(led(), &[(1, 1, "leads"), (3, 0, "calm"), (4, 1, "-")]).held);
        let later = find(led(), &[(3, 0, "calm"), (4, 1, "leads"), (5, 1, "-")]);
        assert_eq!(later.at.expect("it came").stamp.at.ms(), 4_000);
    }

    #[test]
    fn sometimes_is_at_any_instant() {
        let two = || Property::new(Kind::Sometimes, "two", |seen| seen.times("leads") == 2);
        assert!(!find(two(), &[(1, 1, "leads")]).held);
        assert!(find(two(), &[(1, 1, "leads"), (2, 1, "leads"), (3, 1, "leads")]).held);
    }

    #[test]
    fn what_is_seen_has_its_time() {
        let late = Property::new(Kind::Always, "soon", |seen| {
            seen.elapsed() < Duration::from_secs(3) && seen.notes().len() < 9
        });
        let finding = find(late, &[(1, 1, "a"), (2, 1, "b"), (3, 1, "c")]);
        assert_eq!(finding.at.expect("it broke").stamp.at.ms(), 3_000);
    }
}
