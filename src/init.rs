//! The text of a scenario for somebody's own queue, from what they say of it in a few words.
//!
//! It asks nobody, writes no file, and checks no value itself: what it makes is read by the parser
//! of all scenarios, and what that one does not like is put down to the word that was wrong.

mod run;
mod text;

use bootrace_sim::scenario::{self, Diagnostic, Severity};
use run::Run;
use text::text;

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
    // What is only probably wrong is said when the file is played.
    let problems = scenario::parse(&text).err()?;
    problems.into_iter().find(|problem| problem.severity == Severity::Error)
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

#[cfg(test)]
mod tests {
    use super::text::{moment, spelled};
    use super::*;
    use bootrace_sim::clock::Span;
    use bootrace_sim::scenario::{
        Action, Happens, JobStep, Measure, Mode, Recurrence, Relation, Scenario,
    };
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
        // What somebody wishes may be worth a warning of its own: a time that the clocks skip, a job
        // longer than the grace period.
        let own = ["BR104", "BR115"];
        let others = warnings.iter().filter(|warning| !own.contains(&warning.code));
        assert_eq!(others.count(), 0, "{warnings:#?}\n{}", made.text);
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
