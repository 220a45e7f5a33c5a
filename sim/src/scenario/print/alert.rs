//! Alerts as the text of a file.

use super::super::{Alert, AlertOf, Scenario, When};
use super::{Printer, Whose, quoted, span};

/// The tables of alerts of a scenario, as they can stand in its file.
#[must_use]
pub fn print_alerts(scenario: &Scenario, alerts: &[Alert]) -> String {
    let mut printer = Printer { scenario, lines: Vec::new(), at: Vec::new(), named: Vec::new() };
    alerts.iter().for_each(|alert| printer.alert(alert));
    printer.lines.into_iter().map(|line| line.text + "\n").collect::<String>().trim_start().into()
}

impl Printer<'_> {
    pub(super) fn alert(&mut self, alert: &Alert) {
        let line = alert.metric.line();
        self.table(&["alert", &alert.name], true, |printer| {
            printer.say(&["metric"], quoted(line.name));
            match alert.of {
                AlertOf::Queue(queue) => {
                    printer.say_or(Whose::Bootrace, &["queue"], printer.queue_name(queue));
                }
                AlertOf::Schedule(schedule) => {
                    let name = quoted(&printer.scenario.schedules[schedule].name);
                    printer.say_or(Whose::Bootrace, &["schedule"], name);
                }
                AlertOf::Service(service) => {
                    let name = quoted(&printer.scenario.services[usize::from(service.0)].name);
                    printer.say_or(Whose::Bootrace, &["service"], name);
                }
            }
            if !alert.states.is_empty() {
                let (_, words) = line.states;
                let states: Vec<String> =
                    alert.states.iter().map(|state| quoted(words[*state])).collect();
                printer.say(&["states"], format!("[{}]", states.join(", ")));
            }
            match alert.when {
                When::Above(most) => printer.say(&["above"], most.to_string()),
                When::Below(least) => printer.say(&["below"], least.to_string()),
                When::TimesExpected(times) => printer.say(&["times_expected"], thousandths(times)),
            }
            if let Some(over) = alert.over {
                printer.say(&["over"], span(over));
            }
            printer.say_or(Whose::Bootrace, &["for"], span(alert.lasts));
            let severity = quoted(alert.severity.word());
            printer.say_or(Whose::Bootrace, &["severity"], severity);
        });
    }
}

/// A number of thousandths, with a point: `1.5`.
#[must_use]
pub fn thousandths(times: u64) -> String {
    let part = format!("{:03}", times % 1000);
    match part.trim_end_matches('0') {
        "" => format!("{}.0", times / 1000),
        part => format!("{}.{part}", times / 1000),
    }
}
