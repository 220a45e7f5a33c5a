//! A run told event by event: one line each, in virtual time, with everything by its name. It leaves
//! nothing out and explains nothing.

use bootrace_sim::Outcome;
use bootrace_sim::choices::{Label, LifeId};
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{
    Event, JobList, JobState, Plan, QueueEvent, QueueId, Stamp, StepId, StepResult, Stuck,
};
use bootrace_sim::scenario::{Scenario, Step};
use bootrace_sim::servers;
use std::fmt::Write as _;

/// The words for what a run's events number.
pub struct Names<'a> {
    scenario: &'a Scenario,
    lives: Vec<String>,
    labels: Vec<String>,
}

impl<'a> Names<'a> {
    /// The words of a run that came to `outcome`.
    pub fn new(scenario: &'a Scenario, outcome: &Outcome) -> Self {
        Names {
            scenario,
            lives: outcome.lives.iter().map(ToString::to_string).collect(),
            labels: servers::labels().map(|word| word.to_string()).collect(),
        }
    }

    /// The words of a scenario without a run: no life has a name.
    pub fn of(scenario: &'a Scenario) -> Self {
        Names { scenario, lives: Vec::new(), labels: Vec::new() }
    }

    /// Who a life is.
    pub fn life(&self, life: LifeId) -> &str {
        self.lives.get(life.0 as usize).map_or("?", String::as_str)
    }

    /// The word for a request.
    pub fn label(&self, label: Label) -> &str {
        self.labels.get(usize::from(label.0)).map_or("?", String::as_str)
    }

    /// The name of a queue.
    pub fn queue(&self, queue: QueueId) -> &str {
        &self.scenario.queues[usize::from(queue.0)].name
    }

    /// One event as one line, without its end.
    pub fn line(&self, stamp: &Stamp, event: &Event) -> String {
        format!("{}  {:<14}{}", clock(stamp.at), self.life(stamp.life), self.what(event))
    }

    /// What an event says.
    pub fn what(&self, event: &Event) -> String {
        match event {
            Event::Booted { release, .. } => {
                format!("boots {}", self.scenario.releases[usize::from(release.0)].name)
            }
            Event::StartedUp => "has started up".to_owned(),
            Event::StepBegan(step) => format!("step {}: {}", self.place(*step), self.step(*step)),
            Event::StepEnded(step, result) => {
                let came = match result {
                    StepResult::Done => "is done",
                    StepResult::Nothing => "has nothing to do",
                    StepResult::Failed => "fails",
                };
                format!("step {} {came}", self.place(*step))
            }
            Event::StepThrew { step, error } => {
                format!("step {} throws \"{error}\"", self.place(*step))
            }
            Event::Terminated => "is asked to end".to_owned(),
            Event::Exited { code } => format!("exits with {code}"),
            Event::Killed => "is killed".to_owned(),
            Event::Blocked { until } => format!("blocks its event loop until {}", clock(*until)),
            Event::Command { label, changed, .. } => {
                let changed = if *changed { "" } else { "  (changes nothing)" };
                format!("-> {}{changed}", self.label(*label))
            }
            Event::Answered { label } => format!("<- {}", self.label(*label)),
            Event::Closed { server } => {
                let server = if *server == servers::REDIS { "Redis" } else { "the database" };
                format!("is gone for {server}")
            }
            Event::Plan(plan) => self.plan(plan),
            Event::OutOfSteps => "the run is stopped: it would not end".to_owned(),
            // Which queue goes without saying where there is one.
            Event::Queue(_, _, event) if self.scenario.queues.len() == 1 => {
                format!("   {}", queued(event))
            }
            Event::Queue(queue, _, event) => {
                format!("   {}: {}", self.queue(*queue), queued(event))
            }
            Event::Skewed { offset, drift } => skewed(*offset, *drift),
            Event::Stuck(stuck) => self.stuck(stuck),
            Event::Alert { alert, rings } => {
                let name = &self.scenario.alerts[usize::from(*alert)].name;
                format!("alert {name} {}", if *rings { "rings" } else { "rings no more" })
            }
            Event::Note { what } => format!("   {what}"),
            Event::Uncaught { error } => format!("fails: {error}"),
            Event::Rows { job, rows, .. } => format!("   {rows} rows committed by {}", job.0),
        }
    }

    fn step_of(&self, step: StepId) -> Option<&Step> {
        let release = self.scenario.releases.get(usize::from(step.release.0))?;
        release.step(step.step)
    }

    /// Where a step stands in its release.
    pub fn place(&self, step: StepId) -> &str {
        self.step_of(step).map_or("?", |step| &step.place)
    }

    /// What a step does, in short.
    pub fn step(&self, step: StepId) -> String {
        self.step_of(step).map_or_else(String::new, |step| step.action.to_string())
    }

    /// Why a run does not get on, in a sentence without its end.
    pub fn stuck(&self, stuck: &Stuck) -> String {
        let word = stuck.word();
        match stuck {
            Stuck::Deadlock { waiting, jobs } => format!(
                "{word}: nothing is due any more, {waiting} processes wait for what cannot come, and \
                 {jobs} jobs are left"
            ),
            Stuck::Endless => format!("{word}: the run took all its steps and would not end"),
            Stuck::CrashLoop { release, boots } => {
                let release = &self.scenario.releases[usize::from(release.0)].name;
                format!("{word}: {boots} start-ups of {release} in a row have failed")
            }
            Stuck::JobLoop { queue, job, starts } => format!(
                "{word}: {} of {} was started {starts} times in the calm and is not finished",
                job,
                self.queue(*queue)
            ),
            Stuck::Starvation { queue, job, since, overtaken } => {
                let how = match overtaken {
                    0 => "no job was taken meanwhile".to_owned(),
                    n => format!("{n} that came later were taken meanwhile"),
                };
                let queue = self.queue(*queue);
                format!(
                    "{word}: {} of {queue} has waited since {} with a worker up; {how}",
                    job,
                    clock(*since)
                )
            }
        }
    }

    fn plan(&self, plan: &Plan) -> String {
        let service = |service: &bootrace_sim::event::ServiceId| {
            &self.scenario.services[usize::from(service.0)].name
        };
        match plan {
            Plan::Deploy { service: of, release } => {
                let release = &self.scenario.releases[usize::from(release.0)].name;
                format!("{} is deployed: {release}", service(of))
            }
            Plan::Deployed { service: of } => format!("{} is all of its new release", service(of)),
            Plan::Scale { service: of, replicas } => {
                format!("{} is scaled to {replicas}", service(of))
            }
            Plan::Clock { service: of, ms } => {
                format!("the clocks of {} step {ms} ms", service(of))
            }
            Plan::RedisSlow { until } => format!("Redis does nothing until {}", clock(*until)),
            Plan::RedisFlushed => "Redis loses everything".to_owned(),
            Plan::RedisDown { until } => {
                format!("Redis goes away until {}; all connections break", clock(*until))
            }
            Plan::RedisCopied { .. } => {
                "what Redis holds now is all that it will hold after the failover".to_owned()
            }
            Plan::RedisRolledBack { .. } => {
                "Redis has lost what was written since it was copied".to_owned()
            }
            Plan::RedisEvicted { queue, key, held } => {
                let queue = &self.scenario.queues[usize::from(queue.0)].name;
                match held {
                    true => format!("Redis evicts {key} of {queue}"),
                    false => format!("Redis has no {key} of {queue} to evict"),
                }
            }
            Plan::Disconnected { service: of, until } => {
                format!("{} cannot reach Redis until {}", service(of), clock(*until))
            }
            Plan::Calm => "from here on nothing fails".to_owned(),
            Plan::Swarm { class, level } => {
                format!("in this run faults of the kind {} are {}", class.word(), level.word())
            }
            Plan::Partitioned { service: of, until } => {
                let until = clock(*until);
                format!("what {} and Redis send each other is held back until {until}", service(of))
            }
            Plan::Delayed { service: of, until } => {
                format!("the network of {} is slow until {}", service(of), clock(*until))
            }
        }
    }
}

fn skewed(offset: i64, drift: i64) -> String {
    let sign = if offset < 0 { "behind" } else { "ahead" };
    let by = Span::from_nanos(offset.saturating_abs());
    let drifts = match drift / 1000 {
        0 => String::new(),
        ppm => format!(" and runs {} ppm {}", ppm.abs(), if ppm < 0 { "slow" } else { "fast" }),
    };
    format!("has a clock that is {} {sign}{drifts}", by.rounded())
}

/// Whether an event changes something that a person would ask about: what a server was sent says less
/// than what that changed.
pub(crate) fn changes(event: &Event) -> bool {
    !matches!(
        event,
        Event::Command { .. }
            | Event::Answered { .. }
            | Event::Closed { .. }
            | Event::StepEnded(_, StepResult::Done)
    )
}

/// What a change of a queue says.
pub(super) fn queued(event: &QueueEvent) -> String {
    match event {
        QueueEvent::Added(added) => {
            let mut text = format!("{} added as {}", added.name, added.job.0);
            if let Some(tick) = added.tick {
                let _ = write!(text, " for {}", clock(tick));
            }
            text + &state(added.state)
        }
        QueueEvent::Duplicated { job } => format!("{} is there already: not added", job.0),
        QueueEvent::Promoted { job } => format!("{} is due and waits", job.0),
        QueueEvent::WorkerUp => "a worker looks for jobs".to_owned(),
        QueueEvent::Fetched { job } => format!("{} is taken", job.0),
        QueueEvent::Started { job, data } if data.as_bytes() == b"{}" => {
            format!("{} starts", job.0)
        }
        QueueEvent::Started { job, data } => format!("{} starts with {data}", job.0),
        QueueEvent::Ended { job, ok: true } => format!("{} returns", job.0),
        QueueEvent::Ended { job, ok: false } => format!("{} throws", job.0),
        QueueEvent::Finished { job, how, kept } => {
            let how = format!("{how:?}").to_lowercase();
            format!("{} is {how}{}", job.0, if *kept { " and kept" } else { "" })
        }
        QueueEvent::Retried { job, state: now } => {
            format!("{} is tried again{}", job.0, state(*now))
        }
        QueueEvent::Rescheduled { job, due } => format!("{} is due at {} now", job.0, clock(*due)),
        QueueEvent::Stalled { job } => format!("{} had stalled and waits again", job.0),
        QueueEvent::Removed { job } => format!("{} is removed", job.0),
        QueueEvent::Registered(registered) => format!(
            "registration {} of {}, next {}",
            registered.key.0,
            registered.name,
            clock(registered.next)
        ),
        QueueEvent::Unregistered { key } => format!("registration {} is removed", key.0),
        QueueEvent::Refused { job, code } => format!("{} refused with {code}", job.0),
        QueueEvent::Paused => "the queue is paused".to_owned(),
        QueueEvent::Resumed => "the queue is not paused any more".to_owned(),
        QueueEvent::Dropped { job, from } => format!("{} is taken out of {}", job.0, list(*from)),
        QueueEvent::Deduplicated { job, id } => format!("{} holds {id}: not added", job.0),
        QueueEvent::Reprocessed { job } => format!("{} is put back by hand and waits", job.0),
    }
}

/// Where a job stands, after a comma.
pub(super) fn state(state: JobState) -> String {
    match state {
        JobState::Wait => ", waits".to_owned(),
        JobState::Prioritized => ", waits by priority".to_owned(),
        JobState::Delayed(until) => format!(", delayed until {}", clock(until)),
    }
}

fn list(list: JobList) -> &'static str {
    match list {
        JobList::Wait | JobList::Paused => "the waiting list",
        JobList::Prioritized => "those with a priority",
        JobList::Active => "the active list",
        JobList::Delayed => "the delayed set",
        JobList::Completed => "the completed set",
        JobList::Failed => "the failed set",
    }
}

/// The day and the time of an instant, UTC: `10-06 09:35:00.123`.
pub fn clock(at: Instant) -> String {
    let ms = at.ms();
    let (days, of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let date = bootrace_sim::civil::Date::from_days(days);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, ms) = (of_day / 1000 % 60, of_day % 1000);
    format!("{:02}-{:02} {hours:02}:{minutes:02}:{seconds:02}.{ms:03}", date.month, date.day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_to_the_millisecond() {
        assert_eq!(clock(Instant::from_ms(1_759_743_300_123)), "10-06 09:35:00.123");
    }
}
