//! Causes, as sentences made of facts: which step of which release did it, how often, and what became
//! of what it did.

use super::super::events::{clock, queued, state};
use super::Run;
use super::jobs::Job;
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{By, Event, JobId, Plan, QueueEvent, RegistrationKey, StepId};
use bootrace_sim::oracle::{Breach, Healer};
use bootrace_sim::scenario::{Action, JobOptions, Measure};
use std::collections::{BTreeMap, BTreeSet};

/// What made a job that fired.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Step(StepId),
    Registration(RegistrationKey),
    Processor,
    Worker,
}

impl Run<'_> {
    /// An event of the run, as a story says it.
    pub(super) fn what(&self, event: &Event) -> String {
        if let Event::Rows { job, rows, .. } = event {
            return format!("{rows} rows committed by {}", self.label(job));
        }
        let Event::Queue(_, by, changed) = event else {
            return self.names.what(event).trim_start().to_owned();
        };
        let said = match changed {
            QueueEvent::Added(added) => {
                let state = state(added.state);
                format!("adds {}: {}{state}", added.name, self.label(&added.job))
            }
            _ => match changed.job() {
                Some(id) => queued(changed).replace(&id.0.to_string(), &self.label(id)),
                None => short(&queued(changed)),
            },
        };
        match by {
            By::Step(step) => format!("step {}: {said}", self.names.place(*step)),
            _ => said,
        }
    }

    /// What a job is called: iterations by the instant that they stand for.
    pub(super) fn label(&self, id: &JobId) -> String {
        let named = self.jobs.iter().rfind(|job| job.id == *id);
        match named.and_then(|job| job.tick.filter(|_| job.registration.is_some())) {
            Some(tick) => {
                let of = named.and_then(|job| job.registration.as_ref());
                let of = of.map_or(String::new(), |key| short(&key.0.to_string()));
                format!("the iteration of {of} for {}", clock(tick))
            }
            None => format!("job {}", id.0),
        }
    }

    /// `start-up step 2 of release before`.
    fn step(&self, step: StepId) -> String {
        let place = self.names.place(step);
        let release = &self.scenario.releases[usize::from(step.release.0)];
        match release.by_hand {
            true => format!("step {place} that a person ran"),
            false if place.contains('.') => format!("step {place} of release {}", release.name),
            false => format!("start-up step {place} of release {}", release.name),
        }
    }

    fn by(&self, by: By) -> String {
        match by {
            By::Step(step) => self.step(step),
            By::Worker => "a worker".to_owned(),
            By::Redis => "Redis".to_owned(),
            By::Processor => "a processor".to_owned(),
        }
    }

    /// Where the firings of a window came from.
    pub(super) fn sources(&self, fired: &[&Job]) -> Option<String> {
        let mut groups: BTreeMap<Source, Vec<&Job>> = BTreeMap::new();
        for job in fired {
            let source = match (&job.registration, job.by) {
                (Some(key), _) => Source::Registration(key.clone()),
                (None, By::Step(step)) => Source::Step(step),
                (None, By::Processor) => Source::Processor,
                (None, By::Worker | By::Redis) => Source::Worker,
            };
            groups.entry(source).or_default().push(job);
        }
        // The greatest first: it is what matters.
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, jobs)| std::cmp::Reverse(jobs.len()));
        let mut facts: Vec<String> =
            groups.iter().map(|(source, jobs)| self.source(source, jobs)).collect();
        let starts: usize = fired.iter().map(|job| job.starts.len()).sum();
        if starts > fired.len() {
            let again = fired.iter().filter(|job| job.starts.len() > 1);
            let why: Vec<String> = again.flat_map(|job| self.why_again(job)).take(3).collect();
            facts.push(format!(
                "{} more of the same: {}",
                counted(starts - fired.len(), "execution"),
                why.join(", ")
            ));
        }
        (!facts.is_empty()).then(|| facts.join("; "))
    }

    /// Why a job was started again, in words.
    fn why_again(&self, job: &Job) -> Vec<String> {
        let mut again = self.again(job);
        again.sort_unstable();
        let why = |place: usize| {
            let (stamp, event) = &self.events[place];
            let what = match event {
                Event::Queue(_, _, QueueEvent::Stalled { .. }) => "found stalled".to_owned(),
                Event::Queue(_, _, QueueEvent::Retried { .. }) => "tried again".to_owned(),
                Event::Queue(_, _, QueueEvent::Reprocessed { .. }) => "put back by hand".to_owned(),
                _ => format!("{} dies with it", self.names.life(stamp.life)),
            };
            format!("{what} at {}", self.time(place))
        };
        again.into_iter().map(why).collect()
    }

    fn source(&self, source: &Source, jobs: &[&Job]) -> String {
        let firings = counted(jobs.len(), "firing");
        match source {
            Source::Step(step) => {
                let boots: BTreeSet<_> = jobs.iter().map(|job| job.added_by).collect();
                let id = self.added_options(*step).map_or("", |own| how_named(own, jobs.len() > 1));
                let name = String::from_utf8_lossy(&jobs[0].name);
                let boots = counted(boots.len(), "boot");
                format!("{} adds {name}{id}: {boots}, {firings}", self.step(*step))
            }
            Source::Registration(key) => self.registration_fired(key, jobs),
            Source::Processor => format!("a processor adds it: {firings}"),
            Source::Worker => format!("a worker adds it: {firings}"),
        }
    }

    fn registration_fired(&self, key: &RegistrationKey, jobs: &[&Job]) -> String {
        let made = match self.registrar(key) {
            Some(by) => format!(", made by {by},"),
            None => String::new(),
        };
        let key = short(&key.0.to_string());
        let firings = counted(jobs.len(), "firing");
        let twice = jobs.iter().find(|job| {
            jobs.iter().filter(|other| other.tick == job.tick && job.tick.is_some()).count() > 1
        });
        let Some(tick) = twice.and_then(|job| job.tick) else {
            return format!("registration {key}{made} fires: {firings}");
        };
        let makers: Vec<String> = jobs
            .iter()
            .filter(|job| job.tick == Some(tick))
            .map(|job| format!("by {} at {}", self.by(job.by), self.time(job.added)))
            .collect();
        format!(
            "the iteration of registration {key} for {} was made {}: {}",
            clock(tick),
            times(makers.len()),
            makers.join(", ")
        )
    }

    /// The options of the add that a step is.
    fn added_options(&self, step: StepId) -> Option<&JobOptions> {
        let release = self.scenario.releases.get(usize::from(step.release.0))?;
        match &release.step(step.step)?.action {
            Action::Add(add) => Some(&add.options),
            _ => None,
        }
    }

    fn time(&self, place: usize) -> String {
        clock(self.events[place].0.at)
    }

    /// Which steps made a registration.
    fn registrar(&self, key: &RegistrationKey) -> Option<String> {
        let first = self.first_registered(key)?;
        match &self.events[first].1 {
            Event::Queue(_, by, _) => Some(self.by(*by)),
            _ => None,
        }
    }

    /// Where a registration was written first.
    pub(super) fn first_registered(&self, key: &RegistrationKey) -> Option<usize> {
        let writes = |place: &usize| {
            matches!(&self.events[*place].1,
                Event::Queue(_, _, QueueEvent::Registered(registered)) if registered.key == *key)
        };
        (0..self.events.len()).find(writes)
    }

    /// The registrations of the schedule's work that are left at the end, and where each was written
    /// last.
    pub(super) fn listed(&self) -> Vec<(RegistrationKey, usize)> {
        let mut listed: BTreeMap<RegistrationKey, usize> = BTreeMap::new();
        let mut copies = BTreeMap::new();
        let work = self.schedule().map(|schedule| schedule.job.as_bytes());
        for (place, (_, event)) in self.events.iter().enumerate() {
            match event {
                Event::Queue(queue, _, QueueEvent::Registered(registered))
                    if Some(*queue) == self.queue() =>
                {
                    listed.remove(&registered.key);
                    if Some(registered.name.as_bytes()) == work {
                        listed.insert(registered.key.clone(), place);
                    }
                }
                Event::Queue(queue, _, QueueEvent::Unregistered { key })
                    if Some(*queue) == self.queue() =>
                {
                    listed.remove(key);
                }
                Event::Plan(Plan::RedisFlushed) => listed.clear(),
                Event::Plan(Plan::RedisCopied { event }) => {
                    copies.insert(*event, listed.clone());
                }
                Event::Plan(Plan::RedisRolledBack { event }) => {
                    listed = copies.remove(event).unwrap_or_default();
                }
                _ => {}
            }
        }
        listed.into_iter().collect()
    }

    /// Who made the registrations that are left, and which of them nothing carries on.
    pub(super) fn cause_of_registrations(
        &self,
        left: &[(RegistrationKey, usize)],
    ) -> Option<String> {
        let Breach::Registrations { dead, crowded, .. } = self.broke.what else { return None };
        if left.is_empty() {
            return Some("no registration is left at the end".to_owned());
        }
        let each = left.iter().map(|(key, _)| {
            let made = self.registrar(key).unwrap_or_else(|| "nobody".to_owned());
            format!("{} by {made}", short(&key.0.to_string()))
        });
        let each: Vec<String> = each.collect();
        let mut cause = format!(
            "{} left at the end: {}",
            match left.len() {
                1 => "one registration is".to_owned(),
                n => format!("{n} registrations are"),
            },
            each.join(", ")
        );
        for (count, what) in [
            (dead, "listed without an iteration that carries it on"),
            (crowded, "carried on by more than one iteration"),
        ] {
            if count > 0 {
                cause += &format!("; {count} of them {what}");
            }
        }
        let died = left.iter().find_map(|(_, last)| self.death_after(*last));
        if let Some(died) = died.filter(|_| dead > 0) {
            let who = self.names.life(self.events[died].0.life);
            cause += &format!("; {who}, which had written it, died at {}", self.time(died));
        }
        Some(cause)
    }

    /// What became of the iteration that was due.
    pub(super) fn fate(&self, job: &Job, due: Instant) -> Option<String> {
        let iteration = format!("the iteration that was due at {}", clock(due));
        if let (Some(removed), true) = (job.removed, job.starts.is_empty()) {
            let (stamp, event) = &self.events[removed];
            let Event::Queue(_, by, _) = event else { return None };
            let late = late(due, stamp.at);
            let who = self.names.life(stamp.life);
            let by = self.by(*by);
            return Some(format!("{by}, in {who}, removes {iteration}, {late}, before it ran"));
        }
        match job.started(&self.events) {
            None => {
                Some(format!("{iteration} was added at {} and never ran", self.time(job.added)))
            }
            Some(at) => Some(format!("{iteration} ran at {}, {}", clock(at), late(due, at))),
        }
    }

    /// That an iteration was never made, and what was done last.
    pub(super) fn never_made(&self, due: Instant, last: usize, death: Option<usize>) -> String {
        let (stamp, event) = &self.events[last];
        let (what, by) = match event {
            Event::Queue(_, by, changed) => (short(&queued(changed)), self.by(*by)),
            other => (self.what(other), String::new()),
        };
        let who = self.names.life(stamp.life);
        let at = self.time(last);
        let died = death.map_or(String::new(), |death| {
            format!(", and {who} died at {}, before it did more", self.time(death))
        });
        format!(
            "no iteration for {} was made: the last change was \"{what}\" by {by}, in {who}, at \
             {at}{died}",
            clock(due)
        )
    }

    /// That the schedule was unknown to the library, and who died before saying it.
    pub(super) fn never_registered(&self, due: Instant, deaths: &[(usize, usize)]) -> String {
        let job = self.schedule().map_or("", |schedule| &schedule.job);
        let died: Vec<String> = deaths
            .iter()
            .map(|(_, death)| {
                let who = self.names.life(self.events[*death].0.life);
                format!("{who} died in its start-up at {}", self.time(*death))
            })
            .collect();
        let died = if died.is_empty() { String::new() } else { format!(": {}", died.join(", ")) };
        format!("nothing had registered {job} before {}{died}", clock(due))
    }

    pub(super) fn cause_of_overlap(&self, running: &[(&Job, usize)]) -> Option<String> {
        let each: Vec<String> = running
            .iter()
            .map(|(job, start)| {
                let who = self.names.life(self.events[*start].0.life);
                let id = self.label(&job.id);
                format!("{id} in {who} since {}", self.time(*start))
            })
            .collect();
        (each.len() > 1).then(|| format!("{} run at once: {}", each.len(), each.join(", ")))
    }

    /// What the events say of the job that broke it.
    pub(super) fn cause_of_the_job(&self) -> Option<String> {
        if let Breach::Ill { lasted, healed, .. } = self.broke.what {
            let healed = match healed {
                Healer::Nobody => "nothing heals it before the end",
                Healer::Steps => "start-up code heals it",
                Healer::Worker => "a worker heals it",
                Healer::Processor => "a processor heals it",
                Healer::Person => "a person heals it",
            };
            return Some(format!("it is not carried on for {}; {healed}", lasted.rounded()));
        }
        let job = self.broken_job()?;
        let id = self.label(&job.id);
        match self.property.measure {
            Measure::ExecutionsPerFiring => {
                let why = self.why_again(job);
                let until = |place: &&usize| self.events[**place].0.at <= self.broke.at;
                let starts = job.starts.iter().filter(until).count();
                let why =
                    if why.is_empty() { String::new() } else { format!(": {}", why.join(", ")) };
                Some(format!("{id} is started {}{why}", times(starts)))
            }
            Measure::Lateness => {
                let (due, start) = (job.tick?, job.started(&self.events)?);
                let added = self.by(job.by);
                Some(format!(
                    "{id}, added by {added} at {}, starts at {}, {}",
                    self.time(job.added),
                    clock(start),
                    late(due, start)
                ))
            }
            _ => None,
        }
    }
}

/// How an add's job is identified, in words after its name. What was stored more than once under one
/// id found it free again.
fn how_named(options: &JobOptions, again: bool) -> &'static str {
    match (&options.job_id, &options.deduplication) {
        (Some(id), _) if id.pieces.len() > 1 => " with a job id for each window",
        (Some(_), _) if again => " with a job id that was free again",
        (Some(_), _) => " with a job id",
        (None, Some(_)) if again => " with a deduplication id that was free again",
        (None, Some(_)) => " with a deduplication id",
        (None, None) => " without a job id",
    }
}

/// A text with the long hashes in it cut short.
fn short(text: &str) -> String {
    let hash = |word: &str| word.len() == 32 && word.bytes().all(|c| c.is_ascii_hexdigit());
    let words = text.split(' ').map(|word| match word {
        word if hash(word) => format!("{}..", &word[..8]),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn late(due: Instant, at: Instant) -> String {
    let late: Span = at.since(due);
    match late.nanos() {
        n if n < 0 => format!("{} before its time", Span::from_nanos(-n).rounded()),
        _ => format!("{} after its time", late.rounded()),
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}
