//! Which events tell how an expectation was broken.

use super::Run;
use super::jobs::Job;
use bootrace_sim::clock::{Instant, Span};
use bootrace_sim::event::{By, Event, QueueEvent, QueueId};
use bootrace_sim::oracle::{Breach, Window};
use bootrace_sim::scenario::{Measure, Schedule, Subject};

/// How soon after a change a death belongs to it.
const RIGHT_AFTER: Span = Span::from_secs(1);

impl Run<'_> {
    /// The events that tell it, and the cause.
    pub(super) fn select(&self) -> (Vec<usize>, Option<String>) {
        match (self.property.measure, &self.broke.what) {
            (_, Breach::Registrations { .. }) => self.registrations(),
            (Measure::FiringsPerWindow | Measure::WorkPerWindow, Breach::Below { .. }) => {
                self.missing()
            }
            (Measure::Overlap, _) => self.at_once(),
            (
                Measure::FiringsPerWindow
                | Measure::WorkPerWindow
                | Measure::RowsPerWindow
                | Measure::ExecutionsInAll
                | Measure::RowsInAll
                | Measure::ExtraFiringsPerDeploy,
                _,
            ) => self.too_many(),
            _ => (self.of_the_job(), self.cause_of_the_job()),
        }
    }

    pub(super) fn schedule(&self) -> Option<&Schedule> {
        match self.property.subject {
            Subject::Schedule(schedule) => self.scenario.schedules.get(schedule),
            _ => None,
        }
    }

    /// The jobs that do the schedule's work.
    pub(super) fn work(&self) -> impl Iterator<Item = &Job> {
        let schedule = self.schedule();
        self.jobs.iter().filter(move |job| {
            schedule.is_some_and(|schedule| {
                job.queue == schedule.queue && job.name == schedule.job.as_bytes()
            })
        })
    }

    /// The window that was broken; without one, the measured part of the run.
    pub(super) fn window(&self) -> Window {
        let (from, to) = self.scenario.measure;
        let measured = (self.scenario.start + from, self.scenario.start + to);
        self.broke.window.unwrap_or(measured)
    }

    /// The jobs that fired in the window, by their first starts.
    pub(super) fn fired(&self) -> Vec<&Job> {
        let (from, to) = self.window();
        let within = |at: Instant| from <= at && at < to;
        let mut fired: Vec<&Job> = self
            .work()
            .filter(|job| {
                let started = job.started(&self.events);
                // A firing belongs to the window of its tick, if it has one.
                started.is_some_and(|at| within(job.tick.unwrap_or(at)))
            })
            .collect();
        fired.sort_by_key(|job| job.starts.first().copied());
        fired
    }

    /// Each firing: who boots, who adds, who starts.
    fn too_many(&self) -> (Vec<usize>, Option<String>) {
        let fired = self.fired();
        let mut chosen = Vec::new();
        for job in &fired {
            chosen.extend(self.boot_before(job));
            chosen.push(job.added);
            chosen.extend(&job.starts);
            if job.starts.len() > 1 {
                chosen.extend(self.again(job));
            }
        }
        (chosen, self.sources(&fired))
    }

    /// Why a job was started again: who died with it, and how it was put back.
    pub(super) fn again(&self, job: &Job) -> Vec<usize> {
        let back = |place: &usize| {
            matches!(
                self.events[*place].1,
                Event::Queue(
                    _,
                    _,
                    QueueEvent::Stalled { .. }
                        | QueueEvent::Retried { .. }
                        | QueueEvent::Reprocessed { .. }
                )
            )
        };
        let mut again: Vec<usize> = job.events.iter().copied().filter(back).collect();
        again.extend(job.starts.iter().filter_map(|start| self.death_with(job, *start)));
        again
    }

    /// The death of who started a job, if it came before the job's end there.
    fn death_with(&self, job: &Job, start: usize) -> Option<usize> {
        let over = self.over(job, start)?;
        (!matches!(self.events[over].1, Event::Queue(..))).then_some(over)
    }

    /// Where an execution is over: its processor ended, or its process died.
    fn over(&self, job: &Job, start: usize) -> Option<usize> {
        let life = self.events[start].0.life;
        let over = |place: &usize| {
            let (stamp, event) = &self.events[*place];
            stamp.life == life
                && match event {
                    Event::Queue(queue, _, QueueEvent::Ended { job: id, .. }) => {
                        *queue == job.queue && *id == job.id
                    }
                    event => dies(event),
                }
        };
        (start..self.events.len()).find(over)
    }

    /// The boot of the container whose start-up code added a job.
    fn boot_before(&self, job: &Job) -> Option<usize> {
        if !matches!(job.by, By::Step(_)) {
            return None;
        }
        let boots = |place: &usize| {
            let (stamp, event) = &self.events[*place];
            stamp.life == job.added_by && matches!(event, Event::Booted { .. })
        };
        (0..job.added).rev().find(boots)
    }

    /// What ran at the moment of the breach.
    fn at_once(&self) -> (Vec<usize>, Option<String>) {
        let running = self.running_at_the_breach();
        let chosen = running.iter().flat_map(|(job, start)| [job.added, *start]).collect();
        (chosen, self.cause_of_overlap(&running))
    }

    /// The executions that had not ended when the expectation broke, each with its start.
    pub(super) fn running_at_the_breach(&self) -> Vec<(&Job, usize)> {
        let mut running = Vec::new();
        for job in self.work() {
            for start in &job.starts {
                let (stamp, _) = &self.events[*start];
                let end = self.over(job, *start);
                let ended = end.map_or(Instant::MAX, |end| self.events[end].0.at);
                if stamp.at <= self.broke.at && self.broke.at < ended {
                    running.push((job, *start));
                }
            }
        }
        running
    }

    /// What became of the iteration that was due when the empty window began.
    fn missing(&self) -> (Vec<usize>, Option<String>) {
        let (due, end) = self.window();
        let before_end = |place: &usize| self.events[*place].0.at < end;
        let iteration = self.work().filter(|job| job.tick == Some(due)).last();
        let mut chosen = Vec::new();
        if let Some(job) = iteration {
            chosen.extend(job.events.iter().copied().filter(before_end));
            chosen.extend(job.removed.into_iter().flat_map(|place| self.together_with(place)));
            return (chosen, self.fate(job, due));
        }
        let Some(last) = self.last_change_before(due) else {
            let deaths = self.deaths_in_start_up_before(due);
            chosen.extend(deaths.iter().flat_map(|(boot, death)| [*boot, *death]));
            return (chosen, Some(self.never_registered(due, &deaths)));
        };
        chosen.extend(self.together_with(last));
        let death = self.death_after(last);
        chosen.extend(death);
        (chosen, Some(self.never_made(due, last, death)))
    }

    /// The last change of the schedule's registrations and iterations before an instant.
    fn last_change_before(&self, due: Instant) -> Option<usize> {
        let schedule = self.schedule()?;
        let iterations: Vec<_> =
            self.work().filter(|job| job.registration.is_some()).map(|job| &job.id).collect();
        let changes = |place: &usize| match &self.events[*place].1 {
            Event::Queue(queue, _, event) if *queue == schedule.queue => match event {
                QueueEvent::Registered(registered) => {
                    registered.name.as_bytes() == schedule.job.as_bytes()
                }
                QueueEvent::Unregistered { .. } => true,
                QueueEvent::Added(added) => iterations.contains(&&added.job),
                QueueEvent::Removed { job } => iterations.contains(&job),
                _ => false,
            },
            _ => false,
        };
        let until = self.events.partition_point(|(stamp, _)| stamp.at < due);
        (0..until).rev().find(changes)
    }

    /// The boots before an instant that ended in a death before the start-up steps were done.
    fn deaths_in_start_up_before(&self, due: Instant) -> Vec<(usize, usize)> {
        let until = self.events.partition_point(|(stamp, _)| stamp.at < due);
        let boots =
            (0..until).filter(|place| matches!(self.events[*place].1, Event::Booted { .. }));
        let died = |boot: usize| {
            let life = self.events[boot].0.life;
            let ends = |place: &usize| {
                let (stamp, event) = &self.events[*place];
                stamp.life == life && (matches!(event, Event::StartedUp) || dies(event))
            };
            let end = (boot..until).find(ends)?;
            (!matches!(self.events[end].1, Event::StartedUp)).then_some((boot, end))
        };
        boots.filter_map(died).collect()
    }

    /// The death of whoever did something, if it came right after it.
    pub(super) fn death_after(&self, place: usize) -> Option<usize> {
        let (stamp, _) = &self.events[place];
        let of = |other: &usize| {
            let (death, event) = &self.events[*other];
            death.life == stamp.life && dies(event)
        };
        let death = (place..self.events.len()).find(of)?;
        (self.events[death].0.at.since(stamp.at) <= RIGHT_AFTER).then_some(death)
    }

    /// The events of a queue that one script made: one client's, at one instant, side by side.
    pub(super) fn together_with(&self, place: usize) -> Vec<usize> {
        let (stamp, _) = &self.events[place];
        let same = |other: &usize| {
            let (of, event) = &self.events[*other];
            of == stamp && matches!(event, Event::Queue(..))
        };
        let before = (0..place).rev().take_while(same);
        let mut together: Vec<usize> = before.collect();
        together.extend((place..self.events.len()).take_while(same));
        together
    }

    /// Who made each registration that is left, and what carries it on.
    fn registrations(&self) -> (Vec<usize>, Option<String>) {
        let left = self.listed();
        let mut chosen = Vec::new();
        for (key, last) in &left {
            chosen.extend(self.first_registered(key));
            chosen.push(*last);
            let death = self.death_after(*last);
            chosen.extend(death);
            let iterations = self.work().filter(|job| job.registration.as_ref() == Some(key));
            chosen.extend(iterations.last().and_then(|job| job.events.last().copied()));
        }
        (chosen, self.cause_of_registrations(&left))
    }

    /// Everything about the job that broke it, and who died with it in hand.
    fn of_the_job(&self) -> Vec<usize> {
        let Some(job) = self.broken_job() else {
            let at = self.broke.at;
            let here = |place: &usize| self.events[*place].0.at == at;
            return (0..self.events.len()).filter(here).collect();
        };
        let mut chosen: Vec<usize> = job.events.clone();
        chosen.extend(job.starts.iter().filter_map(|start| self.death_with(job, *start)));
        chosen.retain(|place| self.events[*place].0.at <= self.broke.at);
        chosen
    }

    pub(super) fn broken_job(&self) -> Option<&Job> {
        let id = self.broke.job.as_deref()?;
        let until = |job: &&Job| self.events[job.added].0.at <= self.broke.at;
        self.jobs.iter().filter(until).rfind(|job| job.id.0.as_bytes() == id.as_bytes())
    }

    pub(super) fn queue(&self) -> Option<QueueId> {
        self.schedule().map(|schedule| schedule.queue)
    }
}

/// Whether a process ends by this.
fn dies(event: &Event) -> bool {
    matches!(event, Event::Killed | Event::Exited { .. })
}
