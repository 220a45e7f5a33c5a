//! The battery: what goes wrong around a queue in production, each as a function from a scenario to
//! a scenario, or to why it does not apply.
//!
//! A hazard addresses things by name and role (who registers the schedule, who works at it) and has
//! a short horizon of its own: one tick that is healthy, what happens, and the ticks after it. What
//! comes out is printed and parsed again, so that it is as sound as a file, runs by itself and can be
//! handed to anybody. It judges nothing and plays nothing.

mod boots;
mod changes;
mod clocks;
mod moves;
mod people;
mod redis;
pub(crate) mod roles;
mod running;
pub(crate) mod stage;

use stage::Stage;

use crate::bullmq::Version;
use crate::scenario::Scenario;

/// One kind of bad day.
#[derive(Clone, Copy, Debug)]
pub struct Hazard {
    /// How it is called: `boot-after-tick`.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub doc: &'static str,
    apply: fn(&mut Stage) -> Applied,
}

/// Whether a hazard applies; if not, why.
type Applied = Result<(), String>;

const fn hazard(name: &'static str, apply: fn(&mut Stage) -> Applied, doc: &'static str) -> Hazard {
    Hazard { name, doc, apply }
}

/// All of it: boots, running, changes, moves, clocks, Redis, people. The first is a day on which nothing
/// happens.
pub const HAZARDS: &[&[Hazard]] = &[
    &[hazard("healthy", |_| Ok(()), "Nothing happens.")],
    boots::HAZARDS,
    running::HAZARDS,
    changes::HAZARDS,
    moves::HAZARDS,
    clocks::HAZARDS,
    redis::HAZARDS,
    people::HAZARDS,
];

/// The hazards, in order.
pub fn hazards() -> impl Iterator<Item = &'static Hazard> {
    HAZARDS.iter().copied().flatten()
}

/// The hazard of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Hazard> {
    hazards().find(|hazard| hazard.name == name)
}

impl Hazard {
    /// A scenario in which it meets the schedule (by number) of a scenario, as the library of that
    /// version does, or of the version that each release says.
    ///
    /// # Errors
    /// Why it does not apply.
    pub fn of(
        &self,
        scenario: &Scenario,
        schedule: usize,
        version: Option<Version>,
    ) -> Result<Scenario, String> {
        let mut stage = Stage::new(scenario, schedule, version)?;
        (self.apply)(&mut stage)?;
        if let Some(why) = roles::never_starts(&stage.scenario) {
            return Err(why);
        }
        stage.done(self.name).reread()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Span;
    use crate::scenario::parse;

    const HOURLY: &str = r#"
        format = 1
        name = "hourly"
        start = 2026-01-05T00:05:00Z
        length = "6h"
        [schedule.report]
        pattern = "0 * * * *"
        queue = "work"
        job = "report"
        [queue.work]
        [release.one]
        library = "bullmq@5.34.10"
        steps = [
          { add = "report", queue = "work", repeat = { pattern = "0 * * * *" } },
          { worker = "work" },
        ]
        [release.two]
        library = "bullmq@5.34.10"
        steps = [
          { upsert_job_scheduler = "report", queue = "work", repeat = { pattern = "0 * * * *" } },
          { worker = "work" },
        ]
        [service.web]
        release = "one"
        replicas = 12
        [[event]]
        at = "2h"
        deploy = "two"
        [[expect]]
        always = "firings per window"
        at_most = 1
    "#;

    fn staged(edit: impl FnOnce(&mut Stage)) -> Scenario {
        let scenario = parse(HOURLY).unwrap_or_else(|problems| panic!("{problems:?}")).0;
        let mut stage = Stage::new(&scenario, 0, None).expect("it is one");
        edit(&mut stage);
        stage.done("test")
    }

    fn judged(scenario: &Scenario) -> (i64, i64) {
        let at = |span: Span| (scenario.start + span).ms();
        (at(scenario.measure.0), at(scenario.measure.1))
    }

    #[test]
    fn what_is_judged_begins_with_a_tick_and_ends_with_one() {
        // Ticks at 01:00, 02:00, 03:00 and 04:00.
        let hour = |hour: i64| 1_767_571_200_000 + hour * 3_600_000;
        let of = |from, to| (hour(from), hour(to));
        assert_eq!(judged(&staged(|_| ())), of(2, 4));
        assert_eq!(judged(&staged(Stage::short)), of(3, 4));
    }

    #[test]
    fn code_that_cannot_start_is_no_day() {
        let scenario = parse(HOURLY).unwrap_or_else(|problems| panic!("{problems:?}")).0;
        let of = |name: &str, version| {
            let hazard = named(name).expect("there is one");
            hazard.of(&scenario, 0, version).map(drop)
        };
        assert_eq!(of("upgrade-6.7", None), Ok(()));
        let text = HOURLY.replace("{ upsert", "{ remove_repeatable = \"report\", queue = \"work\", repeat = { pattern = \"0 * * * *\" } }, { upsert");
        let scenario = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}")).0;
        let of = |name: &str| named(name).and_then(|hazard| hazard.of(&scenario, 0, None).err());
        let why = "`two-other-library` exits at each boot: BullMQ 6.7.0 has not what step 1 calls";
        assert_eq!((of("healthy"), of("upgrade-6.7").as_deref()), (None, Some(why)));
    }

    #[test]
    fn the_stage_begins_with_what_the_file_ends_with() {
        let staged = staged(|_| ());
        let service = &staged.services[0];
        assert_eq!((service.release.0, service.replicas), (1, 2));
        assert!(staged.events.is_empty());
    }
}
