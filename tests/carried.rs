//! What jobs carry: where it comes from, and where the library loses it or brings it back.

use bootrace::sim::event::{Event, QueueEvent, Stamp};
use bootrace::sim::policy::Random;
use bootrace::sim::run;
use bootrace::sim::scenario::parse;
use std::sync::Arc;

/// The data with which the runs of a schedule start, in order.
fn carried(releases: &str, services: &str) -> Vec<String> {
    let text = format!(
        "format = 1\nname = \"what is carried\"\nstart = 2026-01-05T00:05:00Z\nlength = \"4h\"\n\n\
         [schedule.report]\npattern = \"0 * * * *\"\nqueue = \"q\"\njob = \"report\"\n\n[queue.q]\n\n\
         [job.report]\nsteps = [ {{ sleep = \"1s\" }} ]\n\n{releases}\n{services}\n[[expect]]\n\
         always = \"firings per window\"\nat_most = 3\n"
    );
    let (scenario, _) = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let mut events: Vec<(Stamp, Event)> = Vec::new();
    run(&Arc::new(scenario), Box::new(Random::new(1)), false, &mut events);
    let data = |(_, event): &(Stamp, Event)| match event {
        Event::Queue(_, _, QueueEvent::Started { data, .. }) => Some(data.to_string()),
        _ => None,
    };
    events.iter().filter_map(data).collect()
}

fn release(name: &str, library: &str, steps: &str) -> String {
    format!("[release.{name}]\nlibrary = \"bullmq@{library}\"\nsteps = [ {steps} ]\n\n")
}

/// A service of one container whose worker's place is taken by another after the first run.
fn followed(first: &str, then: &str) -> String {
    let event = |at: &str, name: &str, scale: u32| {
        format!("[[event]]\nat = \"{at}\"\nservice = \"{name}\"\nscale = {scale}\n\n")
    };
    let service = |name: &str, replicas: u32| {
        format!("[service.{name}]\nrelease = \"{name}\"\nreplicas = {replicas}\nboot = \"1s\"\n\n")
    };
    let services = service(first, 1) + &service(then, 0);
    services + &event("80m", first, 0) + &event("81m", then, 1)
}

const WORKER: &str = r#"{ worker = "q" }"#;

fn add(source: &str) -> String {
    format!(
        "{{ add = \"report\", queue = \"q\", repeat = {{ pattern = \"0 * * * *\" }}, data = {{ source = \"{source}\" }} }}"
    )
}

fn upsert(source: &str) -> String {
    format!(
        "{{ upsert_job_scheduler = \"report\", queue = \"q\", repeat = {{ pattern = \"0 * * * *\" }}, data = {{ source = \"{source}\" }} }}"
    )
}

#[test]
fn a_schedule_of_the_older_api_loses_its_data_on_6_unless_5_ran_it_once() {
    // H24. The iteration that 5.x made carries it still; 6.x makes the next from the registration.
    let registers = release("registers", "5.81.5", &add("old"));
    let newest = release("newest", "6.7.0", WORKER);
    let alone = "[service.registers]\nrelease = \"registers\"\nboot = \"1s\"\n\n\
                 [service.newest]\nrelease = \"newest\"\nboot = \"10s\"\n\n";
    let found = carried(&(registers.clone() + &newest), alone);
    assert_eq!(found, [r#"{"source":"old"}"#, "{}", "{}", "{}"]);

    let older = release("older", "5.81.5", &[&add("old"), WORKER].join(", "));
    let found = carried(&(older + &newest), &followed("older", "newest"));
    assert_eq!(found, [r#"{"source":"old"}"#; 4]);
}

#[test]
fn the_data_of_a_newer_release_is_ignored_by_the_older_api_and_taken_by_a_scheduler() {
    // H6. What the first run wrote into the registration stays until it is removed.
    let releases = |step: &dyn Fn(&str) -> String| {
        release("one", "5.34.10", &[&step("one"), WORKER].join(", "))
            + &release("two", "5.34.10", &[&step("two"), WORKER].join(", "))
    };
    let (one, two) = (r#"{"source":"one"}"#, r#"{"source":"two"}"#);
    assert_eq!(carried(&releases(&add), &followed("one", "two")), [one; 4]);
    assert_eq!(carried(&releases(&upsert), &followed("one", "two")), [one, two, two, two]);
}
