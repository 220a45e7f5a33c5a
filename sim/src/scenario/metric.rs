//! What can be measured while a run goes on, as data: one table, [`METRICS`], which the parser of
//! alerts, the sampler and the exposition read.
//!
//! Names are BullMQ's own where it has them: those of `Queue.exportPrometheusMetrics`, and those that
//! it hands to OpenTelemetry (`MetricNames`), as a collector writes them for Prometheus. Then those of
//! OpenTelemetry's conventions. Only what neither names begins with `bootrace_`.

/// What is measured. [`METRICS`] says what each means exactly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Metric {
    /// Jobs of a queue by where they stand.
    JobCount,
    /// Jobs that completed.
    Completed,
    /// Jobs that failed for good.
    Failed,
    /// Attempts that were put back to wait.
    Retried,
    /// Attempts that were put back for later.
    Delayed,
    /// How long attempts took.
    Duration,
    /// Calls of a processor.
    Executions,
    /// Pods that run.
    Available,
    /// Firings of a tick beyond the first.
    ExtraFirings,
    /// Adds that met a job with their id.
    Duplicated,
    /// Adds that met a deduplication id that is taken.
    Deduplicated,
    /// Jobs found stalled.
    Stalled,
    /// Registrations of the library.
    Registrations,
    /// Rows committed.
    Rows,
    /// Processes that began to run.
    Boots,
}

/// How the values of a metric go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Up and down.
    Gauge,
    /// Up alone.
    Counter,
    /// Counters by size.
    Histogram,
}

/// What a metric is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measured {
    /// A queue.
    Queue,
    /// The jobs of a queue: those of each schedule, and the rest.
    Work,
    /// A schedule.
    Schedule,
    /// A service.
    Service,
}

/// Whose name it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// That of BullMQ's own exporter for Prometheus.
    Exporter,
    /// That of BullMQ's telemetry.
    Telemetry,
    /// That of OpenTelemetry's semantic conventions.
    OpenTelemetry,
    /// Ours.
    Bootrace,
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct MetricLine {
    /// Which.
    pub metric: Metric,
    /// What its samples are called; those of a histogram have an ending more.
    pub name: &'static str,
    /// How it goes on.
    pub form: Form,
    /// Its unit, where it has one.
    pub unit: &'static str,
    /// What it is about.
    pub of: Measured,
    /// The label for the queue, the schedule or the service.
    pub label: &'static str,
    /// The values of its second label, if they are fixed, and what it is called.
    pub states: (&'static str, &'static [&'static str]),
    /// Whose name it is.
    pub named: Named,
    /// What it says, in one sentence.
    pub doc: &'static str,
}

/// BullMQ's states of jobs, as `getJobCounts` has them; 6.x leaves out `paused`.
pub const JOB_STATES: &[&str] = &[
    "active",
    "completed",
    "delayed",
    "failed",
    "paused",
    "prioritized",
    "waiting",
    "waiting-children",
];

/// How registrations stand.
pub const REGISTRATION_STATES: &[&str] = &["live", "dead"];

/// How an attempt ended, as BullMQ's telemetry says it.
pub const ATTEMPT_STATES: &[&str] = &["completed", "failed", "delayed", "retried"];

const NONE: (&str, &[&str]) = ("", &[]);

#[rustfmt::skip]
const fn line(
    metric: Metric, named: Named, form: Form, name: &'static str, of: Measured,
    label: &'static str, doc: &'static str,
) -> MetricLine {
    MetricLine { metric, name, form, unit: "", of, label, states: NONE, named, doc }
}

/// All of them.
pub const METRICS: &[MetricLine] = {
    use Form::{Counter, Gauge, Histogram};
    use Metric as M;
    use Named::{Bootrace, Exporter, OpenTelemetry, Telemetry};
    &[
        MetricLine {
            states: ("state", JOB_STATES),
            ..line(
                M::JobCount,
                Exporter,
                Gauge,
                "bullmq_job_count",
                Measured::Queue,
                "queue",
                "Number of jobs in the queue by state.",
            )
        },
        line(
            M::Completed,
            Exporter,
            Counter,
            "bullmq_job_completed_total",
            Measured::Queue,
            "queue",
            "Jobs that completed.",
        ),
        line(
            M::Failed,
            Exporter,
            Counter,
            "bullmq_job_failed_total",
            Measured::Queue,
            "queue",
            "Jobs that failed for good.",
        ),
        line(
            M::Retried,
            Telemetry,
            Counter,
            "bullmq_jobs_retried_total",
            Measured::Queue,
            "bullmq_queue_name",
            "Failed attempts that were put back to wait.",
        ),
        line(
            M::Delayed,
            Telemetry,
            Counter,
            "bullmq_jobs_delayed_total",
            Measured::Queue,
            "bullmq_queue_name",
            "Failed attempts that were put back for later.",
        ),
        MetricLine {
            unit: "milliseconds",
            states: ("bullmq_job_state", ATTEMPT_STATES),
            ..line(
                M::Duration,
                Telemetry,
                Histogram,
                "bullmq_job_duration_milliseconds",
                Measured::Queue,
                "bullmq_queue_name",
                "From when a worker took a job to the end of the attempt.",
            )
        },
        line(
            M::Executions,
            OpenTelemetry,
            Counter,
            "messaging_client_consumed_messages_total",
            Measured::Work,
            "messaging_destination_name",
            "Executions: how often a processor was called with a job.",
        ),
        line(
            M::Available,
            OpenTelemetry,
            Gauge,
            "k8s_deployment_pod_available",
            Measured::Service,
            "k8s_deployment_name",
            "Containers whose process runs.",
        ),
        line(
            M::ExtraFirings,
            Bootrace,
            Counter,
            "bootrace_extra_firings_total",
            Measured::Schedule,
            "schedule",
            "Firings of a tick beyond the first.",
        ),
        line(
            M::Duplicated,
            Bootrace,
            Counter,
            "bootrace_adds_duplicated_total",
            Measured::Queue,
            "queue",
            "Adds that met a job with their id: BullMQ's event `duplicated`.",
        ),
        line(
            M::Deduplicated,
            Bootrace,
            Counter,
            "bootrace_adds_deduplicated_total",
            Measured::Queue,
            "queue",
            "Adds that met a deduplication id that is taken: BullMQ's event `deduplicated`.",
        ),
        line(
            M::Stalled,
            Bootrace,
            Counter,
            "bootrace_jobs_stalled_total",
            Measured::Queue,
            "queue",
            "Jobs that were found stalled and put back: BullMQ's event `stalled`.",
        ),
        MetricLine {
            states: ("state", REGISTRATION_STATES),
            ..line(
                M::Registrations,
                Bootrace,
                Gauge,
                "bootrace_registrations",
                Measured::Schedule,
                "schedule",
                "Registrations that are listed; a dead one has no job for its next iteration.",
            )
        },
        line(
            M::Rows,
            Bootrace,
            Counter,
            "bootrace_rows_written_total",
            Measured::Work,
            "queue",
            "Rows committed by jobs.",
        ),
        line(
            M::Boots,
            Bootrace,
            Counter,
            "bootrace_boots_total",
            Measured::Service,
            "service",
            "Processes that began to run.",
        ),
    ]
};

impl Metric {
    /// Its line of the table.
    #[must_use]
    pub fn line(self) -> &'static MetricLine {
        let line = METRICS.iter().find(|line| line.metric == self);
        line.expect("every metric has a line")
    }
}

impl MetricLine {
    /// What its family is called: a counter's samples end with `_total`.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }

    /// The label for the name of the jobs, where it tells them apart.
    #[must_use]
    pub fn job_label(&self) -> &'static str {
        match self.named {
            Named::OpenTelemetry => "bullmq_job_name",
            _ => "job",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_for_each_and_ours_say_so() {
        let names: std::collections::BTreeSet<_> = METRICS.iter().map(|line| line.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for line in METRICS {
            assert_eq!(line.metric.line().name, line.name);
            assert_eq!(line.named == Named::Bootrace, line.name.starts_with("bootrace_"));
            assert!(
                line.doc.ends_with('.')
                    && (line.form == Form::Counter) == line.name.ends_with("_total"),
                "{}",
                line.name
            );
            assert!(line.unit.is_empty() || line.name.ends_with(line.unit), "{}", line.name);
        }
    }
}
