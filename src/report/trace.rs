//! A run as Chrome trace-event JSON, which Perfetto (ui.perfetto.dev) and chrome://tracing open: a
//! lane for each life of a container, a bar for each execution, an arrow from the add of a job to its
//! start. Times are virtual microseconds from the start of the run.

use super::events::Names;
use bootrace_sim::choices::LifeId;
use bootrace_sim::clock::Instant;
use bootrace_sim::event::{By, Event, JobId, QueueEvent, QueueId, Stamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Renders a run that started at `start`.
pub fn trace(names: &Names<'_>, start: Instant, events: &[(Stamp, Event)]) -> Value {
    let mut trace =
        Trace { start, rows: Vec::new(), running: BTreeMap::new(), arrows: BTreeMap::new() };
    trace.lanes(names, events);
    for (stamp, event) in events {
        trace.event(names, stamp, event);
    }
    trace.cut_short(events.last().map_or(start, |(stamp, _)| stamp.at));
    json!({ "displayTimeUnit": "ms", "traceEvents": trace.rows })
}

struct Trace {
    start: Instant,
    rows: Vec<Value>,
    /// Executions under way: when they started.
    running: BTreeMap<(LifeId, QueueId, JobId), Instant>,
    /// Adds whose job has not started: the number of their arrow.
    arrows: BTreeMap<(QueueId, JobId), usize>,
}

impl Trace {
    fn lanes(&mut self, names: &Names<'_>, events: &[(Stamp, Event)]) {
        let mut lives: Vec<LifeId> = events.iter().map(|(stamp, _)| stamp.life).collect();
        lives.sort_unstable();
        lives.dedup();
        for life in lives {
            let name = json!({ "name": names.life(life) });
            let row =
                json!({ "ph": "M", "name": "thread_name", "pid": 1, "tid": life.0, "args": name });
            self.rows.push(row);
        }
    }

    fn at(&self, at: Instant) -> f64 {
        at.since(self.start).nanos() as f64 / 1000.0
    }

    fn event(&mut self, names: &Names<'_>, stamp: &Stamp, event: &Event) {
        match event {
            Event::Command { changed: false, .. } | Event::Answered { .. } => {}
            Event::Queue(queue, _, event) => self.queued(names, stamp, *queue, event),
            Event::Exited { .. } | Event::Killed => {
                self.instant(names, stamp, event);
                self.end_all(stamp);
            }
            _ => self.instant(names, stamp, event),
        }
    }

    fn queued(&mut self, names: &Names<'_>, stamp: &Stamp, queue: QueueId, event: &QueueEvent) {
        match event {
            QueueEvent::Started { job, .. } => {
                self.running.insert((stamp.life, queue, job.clone()), stamp.at);
                if let Some(arrow) = self.arrows.remove(&(queue, job.clone())) {
                    self.arrow("f", arrow, stamp);
                }
            }
            QueueEvent::Ended { job, .. } => self.end(stamp, &(stamp.life, queue, job.clone())),
            QueueEvent::Added(added) => {
                let arrow = self.rows.len();
                self.arrows.insert((queue, added.job.clone()), arrow);
                self.instant(names, stamp, &Event::Queue(queue, By::Worker, event.clone()));
                self.arrow("s", arrow, stamp);
            }
            _ => self.instant(names, stamp, &Event::Queue(queue, By::Worker, event.clone())),
        }
    }

    fn instant(&mut self, names: &Names<'_>, stamp: &Stamp, event: &Event) {
        let name = names.what(event);
        self.rows.push(json!({
            "ph": "i", "s": "t", "name": name.trim(), "pid": 1, "tid": stamp.life.0, "ts": self.at(stamp.at),
        }));
    }

    fn arrow(&mut self, phase: &str, arrow: usize, stamp: &Stamp) {
        self.rows.push(json!({
            "ph": phase, "bp": "e", "id": arrow, "name": "add to start", "cat": "job",
            "pid": 1, "tid": stamp.life.0, "ts": self.at(stamp.at),
        }));
    }

    fn end(&mut self, stamp: &Stamp, run: &(LifeId, QueueId, JobId)) {
        if let Some(since) = self.running.remove(run) {
            self.bar(run, since, stamp.at);
        }
    }

    /// A process ended: so did what it was running.
    fn end_all(&mut self, stamp: &Stamp) {
        let of_life = |run: &&(LifeId, QueueId, JobId)| run.0 == stamp.life;
        let runs: Vec<_> = self.running.keys().filter(of_life).cloned().collect();
        runs.iter().for_each(|run| self.end(stamp, run));
    }

    /// The run ended while these were under way.
    fn cut_short(&mut self, end: Instant) {
        for (run, since) in std::mem::take(&mut self.running) {
            self.bar(&run, since, end);
        }
    }

    fn bar(&mut self, (life, _, job): &(LifeId, QueueId, JobId), since: Instant, until: Instant) {
        self.rows.push(json!({
            "ph": "X", "name": job.0.to_string(), "cat": "execution", "pid": 1, "tid": life.0,
            "ts": self.at(since), "dur": until.since(since).nanos() as f64 / 1000.0,
        }));
    }
}
