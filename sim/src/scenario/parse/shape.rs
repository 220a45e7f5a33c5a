//! Which keys stand in which tables.
//!
//! This is the grammar of the format as data: what each table needs, what it may have, and what
//! is part of the format but refused by this version. Values are the business of other files.

/// A table of the format.
pub(super) struct Shape {
    /// What it is, with an article: `a service`.
    pub(super) noun: &'static str,
    pub(super) required: &'static [&'static str],
    pub(super) optional: &'static [&'static [&'static str]],
    /// Keys of the format that this version does not have.
    pub(super) later: &'static [&'static str],
}

impl Shape {
    /// The keys that it may have, those first that it must have.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional.iter().copied().flatten()).copied()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys().any(|k| k == key)
    }
}

/// Options of a job that stand beside its name.
const OPTIONS: &[&str] = &[
    "delay",
    "priority",
    "attempts",
    "backoff",
    "remove_on_complete",
    "remove_on_fail",
    "lifo",
    "deduplication",
];

/// Between which instants a registration has iterations.
const BOUNDS: &[&str] = &["start_date", "end_date"];

/// What every step may carry.
const CARRIED: &[&str] = &["await", "on_error", "when", "once_per", "as"];

/// What a step that goes on until the process ends may carry.
const LASTING: &[&str] = &["on_error", "when", "once_per", "as"];

pub(super) static TOP: Shape = Shape {
    noun: "the top of the file",
    required: &["format", "name", "length"],
    optional: &[
        &["extends", "start", "measure", "calm", "network"],
        &["schedule", "queue", "job", "release", "service", "event", "faults", "expect"],
        &["alert", "scrape_interval", "audit", "answers"],
    ],
    later: &["clock", "redis", "database", "env"],
};

pub(super) static NETWORK: Shape = Shape {
    noun: "the `network` table",
    required: &[],
    optional: &[&["round_trip", "mode", "idle_polls"]],
    later: &["modes", "loss"],
};

pub(super) static SCHEDULE: Shape = Shape {
    noun: "a schedule",
    required: &["queue", "job"],
    optional: &[&["pattern", "every", "tz", "max_lateness"]],
    later: &["start_date", "end_date"],
};

pub(super) static QUEUE: Shape = Shape {
    noun: "a queue",
    required: &[],
    optional: &[&["prefix", "default_job_options"]],
    later: &[],
};

pub(super) static DEFAULTS: Shape =
    Shape { noun: "`default_job_options`", required: &[], optional: &[OPTIONS], later: &[] };

pub(super) static BACKOFF: Shape = Shape {
    noun: "a `backoff`",
    required: &["type", "delay"],
    optional: &[&["jitter"]],
    later: &[],
};

pub(super) static KEEP: Shape =
    Shape { noun: "what is kept", required: &[], optional: &[&["age", "count"]], later: &[] };

pub(super) static DEDUPLICATION: Shape = Shape {
    noun: "a `deduplication`",
    required: &["id"],
    optional: &[&["ttl", "extend", "replace", "keep_last_if_active", "reschedule"]],
    later: &[],
};

pub(super) static REPEAT: Shape = Shape {
    noun: "the `repeat` of an `add` step",
    required: &[],
    optional: &[&["pattern", "every", "tz"], BOUNDS, &["immediately", "limit", "offset", "key"]],
    later: &[],
};

pub(super) static SCHEDULER_REPEAT: Shape = Shape {
    noun: "the `repeat` of an `upsert_job_scheduler` step",
    required: &[],
    optional: &[&["pattern", "every", "tz"], BOUNDS, &["immediately", "limit", "offset"]],
    later: &[],
};

pub(super) static JOB: Shape = Shape {
    noun: "a job",
    required: &[],
    optional: &[&["queue", "steps", "outcome", "count_by"]],
    later: &[],
};

pub(super) static JOB_STEPS: [Shape; 7] = [
    Shape { noun: "a `rate_limit` step", required: &["rate_limit"], optional: &[], later: &[] },
    Shape { noun: "a `query` step", required: &["query"], optional: &[], later: &[] },
    Shape { noun: "a `write` step", required: &["write"], optional: &[], later: &[] },
    Shape { noun: "a job's `sleep` step", required: &["sleep"], optional: &[], later: &[] },
    Shape { noun: "a `block` step", required: &["block"], optional: &[], later: &[] },
    Shape {
        noun: "a job's `add` step",
        required: &["add", "queue"],
        optional: &[&["job_id", "repeat", "data"], OPTIONS],
        later: &[],
    },
    Shape {
        noun: "a job's `database` step",
        required: &["database"],
        optional: &[&["then", "else"]],
        later: &[],
    },
];

/// What a `database` step does: one of these.
pub(super) static STATEMENTS: [Shape; 5] = [
    Shape {
        noun: "a statement that locks",
        required: &["lock"],
        optional: &[&["kind", "lease", "wait", "takes"]],
        later: &[],
    },
    Shape {
        noun: "a statement that unlocks",
        required: &["unlock"],
        optional: &[&["takes"]],
        later: &[],
    },
    Shape {
        noun: "a statement that inserts",
        required: &["insert"],
        optional: &[&["takes"]],
        later: &[],
    },
    Shape {
        noun: "a statement that deletes",
        required: &["delete"],
        optional: &[&["takes"]],
        later: &[],
    },
    Shape {
        noun: "a statement that looks for a row",
        required: &["find"],
        optional: &[&["takes"]],
        later: &[],
    },
];

/// One job of an `add_bulk`.
pub(super) static BULK: Shape = Shape {
    noun: "a job of an `add_bulk`",
    required: &["add"],
    optional: &[&["job_id", "data"], OPTIONS],
    later: &[],
};

pub(super) static WHEN: Shape = Shape {
    noun: "a `when`",
    required: &[],
    optional: &[&["env", "ordinal", "first_boot", "step", "result"]],
    later: &[],
};

pub(super) static OUTCOME: Shape =
    Shape { noun: "an outcome", required: &[], optional: &[&["fail", "exit"]], later: &[] };

pub(super) static WRITE: Shape = Shape {
    noun: "a `write`",
    required: &["rows"],
    optional: &[&["batches", "takes"]],
    later: &[],
};

pub(super) static RELEASE: Shape = Shape {
    noun: "a release",
    required: &["library", "steps"],
    optional: &[&["job"]],
    later: &["exec", "extends"],
};

pub(super) static STEPS: [Shape; 29] = [
    Shape {
        noun: "an `add` step",
        required: &["add", "queue"],
        optional: &[&["job_id", "repeat", "data"], OPTIONS, CARRIED],
        later: &[],
    },
    Shape {
        noun: "an `upsert_job_scheduler` step",
        required: &["upsert_job_scheduler", "queue", "repeat"],
        optional: &[&["name", "data"], OPTIONS, CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `remove_repeatable` step",
        required: &["remove_repeatable", "queue", "repeat"],
        optional: &[&["job_id"], CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `remove_repeatable_by_key` step",
        required: &["remove_repeatable_by_key", "queue"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `get_repeatable_jobs` step",
        required: &["get_repeatable_jobs"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `get_job_schedulers` step",
        required: &["get_job_schedulers"],
        optional: &[&["id", "repeat"], CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `remove_job_scheduler` step",
        required: &["remove_job_scheduler", "queue"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `worker` step",
        required: &["worker"],
        optional: &[
            &["concurrency", "limiter", "lock_duration", "stalled_interval", "max_stalled_count"],
            &["max_started_attempts", "drain_delay", "remove_on_complete", "remove_on_fail"],
            &["lock_renew_time", "skip_stalled_check", "skip_lock_renewal", "autorun"],
            &["force_close"],
            LASTING,
        ],
        later: &[],
    },
    Shape {
        noun: "a `timer` step",
        required: &["timer", "steps"],
        optional: &[&["tz"], LASTING],
        later: &[],
    },
    Shape { noun: "a `database` step", required: &["database"], optional: &[CARRIED], later: &[] },
    Shape { noun: "a `parallel` step", required: &["parallel"], optional: &[CARRIED], later: &[] },
    Shape {
        noun: "an `add_bulk` step",
        required: &["add_bulk", "queue"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `remove_all_repeatables` step",
        required: &["remove_all_repeatables"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape { noun: "a `pause` step", required: &["pause"], optional: &[CARRIED], later: &[] },
    Shape { noun: "a `resume` step", required: &["resume"], optional: &[CARRIED], later: &[] },
    Shape {
        noun: "a `drain` step",
        required: &["drain"],
        optional: &[&["delayed"], CARRIED],
        later: &[],
    },
    Shape {
        noun: "an `obliterate` step",
        required: &["obliterate"],
        optional: &[&["force"], CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `clean` step",
        required: &["clean", "grace"],
        optional: &[&["state", "limit"], CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `promote_jobs` step",
        required: &["promote_jobs"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `retry_jobs` step",
        required: &["retry_jobs"],
        optional: &[&["state"], CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `set_global_concurrency` step",
        required: &["set_global_concurrency", "concurrency"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `set_global_rate_limit` step",
        required: &["set_global_rate_limit", "max", "duration"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `remove_global_concurrency` step",
        required: &["remove_global_concurrency"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `remove_global_rate_limit` step",
        required: &["remove_global_rate_limit"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `remove_job` step",
        required: &["remove_job", "queue"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `promote_job` step",
        required: &["promote_job", "queue"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a `retry_job` step",
        required: &["retry_job", "queue"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape {
        noun: "a step that opens a queue",
        required: &["queue"],
        optional: &[CARRIED],
        later: &[],
    },
    Shape { noun: "a `sleep` step", required: &["sleep"], optional: &[CARRIED], later: &[] },
];

pub(super) static LIMITER: Shape = Shape {
    noun: "a worker's `limiter`",
    required: &["max", "duration"],
    optional: &[],
    later: &[],
};

pub(super) static ON_ERROR: Shape =
    Shape { noun: "`on_error`", required: &["retry", "delay"], optional: &[], later: &[] };

pub(super) static SERVICE: Shape = Shape {
    noun: "a service",
    required: &["release"],
    optional: &[
        &["replicas", "without", "boot", "restart", "restart_delay", "max_restarts"],
        &["termination_grace_period", "rollout", "tz", "round_trip", "env", "clock"],
    ],
    later: &["exec"],
};

pub(super) static CLOCK: Shape = Shape {
    noun: "a service's `clock`",
    required: &[],
    optional: &[&["offset", "drift"]],
    later: &[],
};

pub(super) static DELAY: Shape =
    Shape { noun: "a `delay`", required: &["round_trip", "lasts"], optional: &[], later: &[] };

pub(super) static ROLLOUT: Shape = Shape {
    noun: "a `rollout`",
    required: &[],
    optional: &[&["max_surge", "max_unavailable"]],
    later: &[],
};

pub(super) static EVENT: Shape = Shape {
    noun: "an event",
    required: &["at"],
    optional: &[
        &["service", "deploy", "rollout", "scale", "kill", "restart", "pause", "clock"],
        &["disconnect", "terminate", "partition", "delay", "odds"],
        &["redis", "edit", "remove", "promote", "retry", "queue"],
    ],
    later: &["network"],
};

pub(super) static REDIS: Shape = Shape {
    noun: "what befalls Redis",
    required: &[],
    optional: &[&["slow", "restart", "loses", "evict", "queue"]],
    later: &[],
};

pub(super) static FAULTS: Shape = Shape {
    noun: "the `faults` table",
    required: &[],
    optional: &[&["kill", "swarm"]],
    later: &["crash", "redis", "clock", "network", "slow", "evict", "failover"],
};

pub(super) static KILL: Shape = Shape {
    noun: "a `kill` fault",
    required: &["odds"],
    optional: &[&["service", "points"]],
    later: &[],
};

/// Which of these an expectation has goes by its property.
pub(super) static EXPECTATION: Shape = Shape {
    noun: "an expectation",
    required: &[],
    optional: &[
        &["always", "eventually", "sometimes"],
        &["schedule", "queue", "at_most", "at_least", "exactly", "violated"],
    ],
    later: &[],
};

pub(super) static AUDIT: Shape = Shape {
    noun: "the `audit` table",
    required: &[],
    optional: &[&["deploys", "accept"]],
    later: &[],
};

pub(super) static ACCEPT: Shape = Shape {
    noun: "what is accepted",
    required: &["hazard", "harm", "because"],
    optional: &[&["schedule"]],
    later: &[],
};

pub(super) static ALERT: Shape = Shape {
    noun: "an alert",
    required: &["metric"],
    optional: &[
        &["queue", "schedule", "service", "states"],
        &["above", "below", "times_expected", "over", "for", "severity"],
    ],
    later: &[],
};

/// Every table of the format, in the order in which they are offered for a misplaced key.
pub(super) fn all() -> impl Iterator<Item = &'static Shape> {
    let named = [&SCHEDULE, &QUEUE, &JOB, &RELEASE, &SERVICE, &EVENT, &FAULTS, &EXPECTATION];
    let nested = [
        &ALERT,
        &DEFAULTS,
        &BACKOFF,
        &KEEP,
        &DEDUPLICATION,
        &REPEAT,
        &SCHEDULER_REPEAT,
        &WRITE,
        &LIMITER,
        &ON_ERROR,
        &ROLLOUT,
        &KILL,
        &CLOCK,
        &DELAY,
        &NETWORK,
        &BULK,
        &WHEN,
        &OUTCOME,
        &REDIS,
        &AUDIT,
        &ACCEPT,
        &TOP,
    ];
    named.into_iter().chain(&STEPS).chain(&JOB_STEPS).chain(&STATEMENTS).chain(nested)
}
