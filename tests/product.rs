//! The incident's product: its queues on a healthy day, and the path that it took, each step of which is
//! held against the one before.

use bootrace::explore::{Played, explore};
use bootrace::load::load;
use bootrace::sim::scenario::{Measure, Relation, Scenario};
use std::path::Path;
use std::sync::Arc;

const SEEDS: u64 = 10;
const PATH: &str = "scenarios/product-path";

fn scenario(file: &str) -> Arc<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    load(&root.join(file)).unwrap_or_else(|error| panic!("{error}")).scenario
}

/// What a step comes to, the same on every seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Step {
    /// Executions in the three hours that are looked at, from a tick to just after the fourth.
    executions: u64,
    /// The most firings in one window, and the fewest.
    most: u64,
    least: u64,
    registrations: u64,
    /// Firings that the deploy adds.
    extra: u64,
}

impl Step {
    fn of(scenario: &Scenario, played: &Played) -> Step {
        let figure = |measure, relation| {
            let is = |property: &bootrace::sim::scenario::Property| {
                property.measure == measure && property.relation == relation
            };
            let mut each = scenario.expectations.iter();
            let place = each.position(|expected| is(&expected.property)).expect("it is expected");
            played.verdict.judgements[place].figure.expect("it is judged")
        };
        Step {
            executions: played.verdict.figures.total.executions,
            most: figure(Measure::FiringsPerWindow, Relation::AtMost),
            least: figure(Measure::FiringsPerWindow, Relation::AtLeast),
            registrations: figure(Measure::LiveRegistrations, Relation::Exactly),
            extra: figure(Measure::ExtraFiringsPerDeploy, Relation::AtMost),
        }
    }

    /// Nobody can do better than this: a run for each tick, by one registration.
    fn is_sound(self) -> bool {
        (self.most, self.least, self.registrations, self.extra) == (1, 1, 1, 0)
    }

    fn no_worse_than(self, other: Step) -> bool {
        self.most <= other.most
            && self.least.min(1) >= other.least.min(1)
            && self.registrations.abs_diff(1) <= other.registrations.abs_diff(1)
            && self.extra <= other.extra
    }
}

fn step(name: &str) -> Step {
    let scenario = scenario(&format!("{PATH}/{name}.toml"));
    let explored = explore(&scenario, 1..=SEEDS);
    let each: Vec<Step> = explored.played.iter().map(|one| Step::of(&scenario, one)).collect();
    assert!(each.iter().all(|one| *one == each[0]), "{name}: {each:?}");
    each[0]
}

#[test]
fn each_step_of_the_path_is_what_it_is_against_the_one_before() {
    let found = step("1-as-found");
    // The tick, the pattern of old, and twelve boots.
    assert_eq!((found.most, found.registrations, found.extra), (14, 2, 13));
    let removed = step("2-bootstrap-removed");
    // Twelve boots less, and nothing else.
    assert_eq!(found.executions - removed.executions, 12);
    assert_eq!((removed.most, removed.registrations, removed.extra), (2, 2, 1));
    assert!(removed.no_worse_than(found) && !found.no_worse_than(removed));
    let schedulers = step("3-schedulers");
    assert!(schedulers.is_sound() && schedulers.no_worse_than(removed), "{schedulers:?}");
    // The pattern of old is gone with the deploy, ten minutes before it would have run.
    assert_eq!(removed.executions - schedulers.executions, 3);
    for held_back in ["4-version-6-instead", "5-version-6-and-the-call"] {
        let six = step(held_back);
        assert!(!six.no_worse_than(schedulers) && !six.is_sound(), "{held_back}: {six:?}");
    }
    // Beside what the older API left, and what was there before that.
    let instead = step("4-version-6-instead");
    assert_eq!((instead.most, instead.registrations), (3, 3));
    assert!(!instead.no_worse_than(removed));
    // The deploy does not get on: it is as before it.
    let call = step("5-version-6-and-the-call");
    assert_eq!((call.executions, call.most), (removed.executions, removed.most));
    assert_eq!(call.registrations, removed.registrations);
}

/// Why the product took the third step: what a death between two round trips ends, and one round trip
/// does not.
#[test]
fn the_older_api_ends_a_schedule_where_a_scheduler_goes_on() {
    let live = |file: &str| -> Vec<Option<u64>> {
        let scenario = scenario(file);
        assert_eq!(scenario.expectations[0].property.measure, Measure::LiveRegistrations);
        let played = explore(&scenario, 1..=SEEDS).played;
        played.iter().map(|one| one.verdict.judgements[0].figure).collect()
    };
    let (older, newer) = ("langfuse-16223-broken", "langfuse-16223-fixed");
    let [older, newer] = [older, newer].map(|name| live(&format!("scenarios/history/{name}.toml")));
    assert!(older.iter().all(|live| *live == Some(0)), "{older:?}");
    assert!(newer.iter().all(|live| *live == Some(1)), "{newer:?}");
}

/// The bootstrap job costs rows where the handler does not mind it, and none where it does.
#[test]
fn an_idempotent_handler_makes_up_for_a_bootstrap_job() {
    let day = |name: &str| {
        let scenario = scenario(&format!("scenarios/queues/{name}.toml"));
        let played = explore(&scenario, 1..=2).played;
        played[0].verdict.figures.total
    };
    let (usage, metering) = (day("free-tier-usage"), day("usage-metering"));
    // A day's ticks, and three boots more.
    assert_eq!((usage.executions, metering.executions), (24 + 3, 24 + 3));
    assert_eq!((usage.rows, metering.rows), (27 * 43_149, 24 * 2_400));
    for name in ["posthog-integration", "data-retention", "core-data-export"] {
        assert!(matches!(day(name).executions, 24 | 3), "{name}");
    }
}

/// Each failed attempt makes a job that fails as well.
#[test]
fn a_handler_that_adds_itself_on_an_error_multiplies_its_errors() {
    let scenario = scenario("scenarios/queues/bad-days/usage-metering-on-error.toml");
    for played in explore(&scenario, 1..=3).played {
        let all = played.verdict.figures.total;
        assert!(all.executions > 50 && all.firings > 30, "{all:?}");
        assert_eq!(all.rows, 4 * 2_400, "the rows are as they should be");
    }
}
