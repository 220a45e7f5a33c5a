//! What an audit leaves out of a scenario: it judges each schedule on short days of its own.

use bootrace_sim::scenario::Scenario;

/// What was put aside of a scenario for one that was made of it, in words.
#[must_use]
pub fn put_aside(scenario: &Scenario, staged: &Scenario) -> Vec<String> {
    let mut aside = Vec::new();
    let mut some = |count: usize, one: &str| match count {
        0 => {}
        1 => aside.push(format!("its {one}")),
        count => aside.push(format!("its {count} {one}s")),
    };
    some(scenario.events.len(), "event");
    some(scenario.faults.kills.len(), "kill by chance");
    some(scenario.answers.iter().len(), "list of answers");
    for (service, of) in scenario.services.iter().zip(&staged.services) {
        if of.replicas < service.replicas {
            let (left, all) = (of.replicas, service.replicas);
            aside.push(format!("all but {left} of the {all} containers of {}", service.name));
        }
    }
    aside
}
