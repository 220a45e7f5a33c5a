//! The leaves of an outcome that are compared, and the forms in which a recorded and a played one
//! are alike.

use serde_json::{Map, Value};

/// What is compared, each with everything below it. What is left out: who of several equal
/// containers got a job: a race.
pub(crate) const COMPARED: [&[&str]; 28] = [
    &["executions", "total"],
    &["executions", "distinctJobs"],
    &["executions", "byName"],
    &["executions", "bySource"],
    &["executions", "byVariantOfData"],
    &["executions", "byJobId"],
    &["executions", "perSchedule"],
    &["executions", "perWindow"],
    &["results"],
    &["maxConcurrent"],
    &["maxConcurrentByName"],
    &["maxConcurrentSameJob"],
    &["stalledEvents"],
    &["repeatEntries"],
    &["schedules"],
    &["schedulesAlive"],
    &["schedulesLost"],
    &["orphanDelayedIterations"],
    &["finalCounts"],
    &["finalIds"],
    &["keys"],
    &["failedReasons"],
    &["queuePaused"],
    &["errors"],
    &["roundTrips"],
    &["startupReturns"],
    &["verdict"],
    &["selfKills"],
];

/// What is compared of a registration.
const OF_SCHEDULE: [&str; 7] =
    ["name", "next", "nextJobState", "alive", "pendingIterations", "hashFields", "templateVariant"];

/// Jobs that are due at one instant are in no order; jobs that failed are in that of a race.
pub(crate) fn in_any_order(path: &str) -> bool {
    matches!(
        path,
        "finalIds > delayed" | "finalIds > failed" | "orphanDelayedIterations" | "selfKills"
    )
}

/// A number; what is missing was counted as nothing.
pub(crate) fn number(value: &Value) -> Option<i64> {
    if value.is_null() { Some(0) } else { value.as_i64() }
}

/// The recorded form of an outcome in the terms of the played one: registrations by their keys,
/// round trips without the action that made them, deaths without the last command, errors that
/// the model can see.
pub(crate) fn plain(mut outcome: Value) -> Value {
    let schedules = outcome["schedules"].as_array().into_iter().flatten().map(|schedule| {
        let kept = OF_SCHEDULE.iter().map(|key| ((*key).to_owned(), schedule[*key].clone()));
        let key = schedule["key"].as_str().unwrap_or_default();
        (key.to_owned(), kept.collect::<Map<_, _>>().into())
    });
    let schedules: Map<String, Value> = schedules.collect();
    outcome["schedules"] = schedules.into();
    let trips = outcome["roundTrips"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for trip in trips.filter_map(Value::as_array_mut).flatten() {
        let word = trip.as_str().and_then(|trip| trip.split_once('/')).map(|(_, word)| word.into());
        *trip = word.unwrap_or_default();
    }
    for death in outcome["selfKills"].as_array_mut().into_iter().flatten() {
        let short =
            death.as_str().and_then(|death| death.rsplit_once(": ")).map(|(short, _)| short);
        // `victim: after round trip 1: addRepeatableJob`, but `w1: after reply of moveToActive #1`.
        if let Some(short) = short.filter(|short| short.contains(": ")).map(Value::from) {
            *death = short;
        }
    }
    if let Some(errors) = outcome["errors"].as_object_mut() {
        let seen = |error: &str| {
            (error.starts_with("workerError: ") || error.starts_with("startup "))
                && !error.starts_with("workerError: could not renew lock")
        };
        errors.retain(|error, _| seen(error));
    }
    outcome
}

/// An outcome without what only says who won a race between equal containers that start at one
/// instant: whose removal found something, and which number of the queue's counter a job got.
pub(crate) fn told_apart(mut outcome: Value, races: bool) -> Value {
    if !races {
        return outcome;
    }
    let one = |value: &Value| value["varies"].get(0).unwrap_or(value).clone();
    if let Some(returns) = outcome["startupReturns"].as_object().filter(|map| !map.is_empty()) {
        let mut all: Vec<Value> = returns.values().map(one).collect();
        all.sort_by_key(Value::to_string);
        outcome["startupReturns"] = all.into();
    }
    counted_together(&mut outcome["executions"]["byJobId"]);
    counted_together(&mut outcome["keys"]);
    outcome
}

/// What belongs to ids of the queue's counter, without saying to which.
fn counted_together(map: &mut Value) {
    let Some(map) = map.as_object_mut() else { return };
    let counted = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit());
    let keys: Vec<String> = map.keys().filter(|id| counted(id)).cloned().collect();
    let mut values: Vec<Value> = keys.iter().filter_map(|key| map.remove(key)).collect();
    values.sort_by_key(Value::to_string);
    map.insert("counted".to_owned(), values.into());
}
