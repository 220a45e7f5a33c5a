//! A call as BullMQ's client sends it: KEYS and ARGV. Source: `scripts.js` of each version, and
//! `redis-queue-backend.js` of 6.7.0.
//!
//! What is not modelled is sent as if nobody used it: no parents, no metrics, no stack traces.

use bootrace_sim::bullmq::Version;
use bootrace_sim::bullmq::keys::Keys;
use bootrace_sim::bullmq::scripts::{
    AddJob, AddJobScheduler, AddRepeatableJob, Call, ExtendLocks, FetchOptions, MoveToActive,
    MoveToDelayed, MoveToFinished, Outcome, RegistrationOptions, RetryJob, UpdateJobScheduler,
};
use bootrace_sim::event::{Finish, JobList};
use bootrace_sim::redis::Bytes;
use serde_json::{Value, json};

use crate::msgpack::pack;

/// The name of a call's script.
pub(crate) fn name(call: &Call) -> &'static str {
    Call::NAMES[usize::from(call.index())]
}

/// What is sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) keys: Vec<Bytes>,
    pub(crate) args: Vec<Bytes>,
}

/// What is sent for a call.
pub(crate) fn sent(call: &Call, version: Version, keys: &Keys) -> Sent {
    let wire = Wire { version, keys };
    match call {
        Call::AddStandardJob(args) => {
            let since_81 = if wire.is_34() { "" } else { "delayed" };
            wire.add(
                args,
                &format!("wait paused meta id completed {since_81} active events marker"),
            )
        }
        Call::AddDelayedJob(args) => wire.add(args, "marker meta id delayed completed events"),
        Call::AddPrioritizedJob(args) => {
            let since_81 = if wire.is_34() { "" } else { "delayed" };
            let names = "marker meta id prioritized";
            wire.add(args, &format!("{names} {since_81} completed active events pc"))
        }
        Call::AddRepeatableJob(args) => wire.add_repeatable(args),
        Call::AddJobScheduler(args) => wire.add_scheduler(args),
        Call::UpdateJobScheduler(args) => wire.update_scheduler(args),
        Call::RemoveRepeatable(args) => Sent {
            keys: wire.keys("repeat delayed events"),
            args: vec![
                args.legacy_job_id.clone(),
                args.legacy_key.clone(),
                args.key.clone(),
                wire.prefix(),
            ],
        },
        Call::RemoveJobScheduler(id) => {
            Sent { keys: wire.keys("repeat delayed events"), args: vec![id.clone(), wire.prefix()] }
        }
        Call::MoveToActive(args) => wire.move_to_active(args),
        Call::MoveToFinished(args) => wire.move_to_finished(args),
        Call::MoveToDelayed(args) => wire.move_to_delayed(args),
        Call::RetryJob(args) => wire.retry(args),
        Call::MoveStalledJobsToWait(args) => Sent {
            keys: wire.keys(if wire.is_34() {
                "stalled wait active failed stalled-check meta paused marker events"
            } else {
                "stalled wait active stalled-check meta paused marker events repeat"
            }),
            args: vec![
                int(args.max_stalled_count),
                wire.prefix(),
                int(args.timestamp),
                int(args.interval),
            ],
        },
        Call::ExtendLocks(args) => wire.extend_locks(args),
        Call::ResumeRest => {
            let keys = wire.keys("paused wait meta prioritized events delayed marker");
            Sent { keys, args: vec!["resumed".into(), "0".into()] }
        }
        Call::MoveJobFromActiveToWait(args) => Sent {
            keys: wire.keys("active wait stalled paused meta limiter prioritized marker events"),
            args: vec![args.id.clone(), args.token.clone(), wire.job(&args.id)],
        },
        Call::Pause(pause) => {
            let (lists, word) =
                if *pause { ("wait paused", "paused") } else { ("paused wait", "resumed") };
            let keys = wire.keys(&format!("{lists} meta prioritized events delayed marker"));
            let mut args = vec![word.into()];
            if wire.version >= Version::V6_7_0 {
                args.push("1".into());
            }
            Sent { keys, args }
        }
        Call::Drain(delayed) => {
            let mut keys = wire.keys("wait paused delayed prioritized repeat");
            let mut args = vec![wire.prefix()];
            if !wire.is_34() {
                args.push(flag(*delayed));
            } else if !delayed {
                keys[2] = Bytes::default();
            }
            Sent { keys, args }
        }
        Call::Obliterate(args) => Sent {
            keys: vec![wire.key("meta"), wire.prefix()],
            args: vec![int(args.count), if args.force { "force".into() } else { Bytes::default() }],
        },
        Call::RemoveJob(id) if wire.is_34() => {
            Sent { keys: vec![wire.prefix(), wire.key("meta")], args: vec![id.clone(), "1".into()] }
        }
        Call::RemoveJob(id) => Sent {
            keys: vec![wire.job(id), wire.key("repeat")],
            // Its children go, too: it has none.
            args: vec![id.clone(), "1".into(), wire.prefix()],
        },
        Call::Promote(id) => Sent {
            keys: wire.keys("delayed wait paused meta prioritized active pc events marker"),
            args: vec![wire.prefix(), id.clone()],
        },
        Call::UpdateRepeatableJobMillis(args) => Sent {
            keys: wire.keys("repeat"),
            args: vec![int(args.next_millis), args.key.clone(), args.legacy_key.clone()],
        },
        Call::MoveJobsToWait(args) => {
            let state = list(args.state);
            let mut keys = vec![wire.prefix()];
            keys.extend(wire.keys(&format!("events {state} wait paused meta active marker")));
            // `Number.MAX_VALUE`.
            let all = || Bytes::from("1.7976931348623157e+308");
            let timestamp = args.timestamp.map_or_else(all, int);
            Sent { keys, args: vec![int(args.count), timestamp, state.into()] }
        }
        Call::CleanJobsInSet(args) => {
            let state = list(args.set);
            Sent {
                keys: wire.keys(&format!("{state} events repeat")),
                args: vec![wire.prefix(), int(args.timestamp), int(args.limit), state.into()],
            }
        }
        Call::ReprocessJob(args) => {
            let (set, field) = match args.state {
                Finish::Completed => ("completed", "returnvalue"),
                Finish::Failed => ("failed", "failedReason"),
            };
            let mut keys = vec![wire.job(&args.id)];
            keys.extend(wire.keys(&match wire.version {
                Version::V6_7_0 => format!("events {set} wait meta active marker prioritized pc"),
                _ => format!("events {set} wait meta paused active marker"),
            }));
            let mut sent = vec![args.id.clone(), push(args.lifo), field.into(), set.into()];
            if !wire.is_34() {
                // `resetAttemptsMade`, `resetAttemptsStarted`.
                sent.extend(["0".into(), "0".into()]);
            }
            Sent { keys, args: sent }
        }
    }
}

fn int(number: i64) -> Bytes {
    Bytes::from_int(number)
}

fn flag(flag: bool) -> Bytes {
    if flag { "1".into() } else { "0".into() }
}

/// The name of a list of jobs.
fn list(list: JobList) -> &'static str {
    match list {
        JobList::Wait => "wait",
        JobList::Paused => "paused",
        JobList::Active => "active",
        JobList::Prioritized => "prioritized",
        JobList::Delayed => "delayed",
        JobList::Completed => "completed",
        JobList::Failed => "failed",
    }
}

fn push(lifo: bool) -> Bytes {
    if lifo { "RPUSH".into() } else { "LPUSH".into() }
}

fn text(bytes: &Bytes) -> Value {
    Value::from(bytes.as_str().expect("names and tokens are text"))
}

/// What is stored as JSON is sent packed.
fn packed(json: &Bytes) -> Bytes {
    pack(&serde_json::from_slice(json).expect("options are JSON")).into()
}

/// `objectToFlatArray`, packed.
fn fields(fields: &[(&str, &Bytes)]) -> Bytes {
    let flat = fields.iter().flat_map(|(name, value)| [Value::from(*name), text(value)]);
    pack(&Value::Array(flat.collect())).into()
}

struct Wire<'a> {
    version: Version,
    keys: &'a Keys,
}

impl Wire<'_> {
    fn is_34(&self) -> bool {
        self.version < Version::V5_81_5
    }

    fn prefix(&self) -> Bytes {
        self.key("")
    }

    fn key(&self, name: &str) -> Bytes {
        self.keys.below(&name.into(), "").bytes().clone()
    }

    /// Several keys by their names, one after the other.
    fn keys(&self, names: &str) -> Vec<Bytes> {
        names.split_whitespace().map(|name| self.key(name)).collect()
    }

    fn job(&self, id: &Bytes) -> Bytes {
        self.keys.job(id).bytes().clone()
    }

    fn add(&self, args: &AddJob, keys: &str) -> Sent {
        let id = args.id.as_ref().map_or(Value::from(""), text);
        let registration = args.registration.as_ref().map_or(Value::Null, text);
        let deduplication = args.deduplication.as_ref();
        let deduplication = deduplication.map(|held| self.key(&format!("de:{}", held.id)));
        let deduplication = deduplication.as_ref().map_or(Value::Null, text);
        let mut list = vec![text(&self.prefix()), id, text(&args.name), json!(args.timestamp)];
        // The parent's key, for which children it waits (34), its dependencies, and itself.
        let parents = if self.is_34() { 4 } else { 3 };
        list.extend(vec![Value::Null; parents]);
        list.extend([registration, deduplication]);
        if self.version >= Version::V6_7_0 {
            // `deferParentRelease`.
            list.push(Value::Null);
        }
        let list = pack(&Value::Array(list)).into();
        Sent { keys: self.keys(keys), args: vec![list, args.data.clone(), packed(&args.options)] }
    }

    /// What a registration's hash will say; schedulers of later versions have more.
    fn registration(&self, options: &RegistrationOptions, scheduler: bool) -> Bytes {
        let optional = |option: &Option<Bytes>| option.as_ref().map_or(Value::Null, text);
        let mut packed = json!({
            "name": text(&options.name),
            "endDate": options.end_date,
            "tz": optional(&options.tz),
            "pattern": optional(&options.pattern),
            "every": options.every,
        });
        if scheduler && !self.is_34() {
            packed["startDate"] = json!(options.start_date);
            packed["limit"] = json!(options.limit);
            packed["offset"] = json!(options.offset);
        }
        pack(&packed).into()
    }

    fn add_repeatable(&self, args: &AddRepeatableJob) -> Sent {
        Sent {
            keys: self.keys("repeat delayed"),
            args: vec![
                int(args.next_millis),
                self.registration(&args.options, false),
                args.legacy_key.clone(),
                args.key.clone(),
                self.prefix(),
            ],
        }
    }

    fn add_scheduler(&self, args: &AddJobScheduler) -> Sent {
        Sent {
            keys: self.keys(if self.is_34() {
                "marker meta id delayed events repeat"
            } else {
                "repeat delayed wait paused meta prioritized marker id events pc active"
            }),
            args: vec![
                args.next_millis.map(int).unwrap_or_default(),
                self.registration(&args.options, true),
                args.id.clone(),
                args.data.clone(),
                packed(&args.template),
                packed(&args.job_options),
                int(args.timestamp),
                self.prefix(),
                // No producer: it is an upsert.
                Bytes::default(),
            ],
        }
    }

    fn update_scheduler(&self, args: &UpdateJobScheduler) -> Sent {
        let producer = self.job(&args.producer);
        let keys = if self.is_34() {
            let mut keys = self.keys("marker meta id delayed events repeat");
            keys.push(producer);
            keys
        } else {
            let names = "repeat delayed wait paused meta prioritized marker id events pc";
            let mut keys = self.keys(names);
            keys.extend([producer, self.key("active")]);
            keys
        };
        Sent {
            keys,
            args: vec![
                args.next_millis.map(int).unwrap_or_default(),
                args.id.clone(),
                args.data.clone(),
                packed(&args.job_options),
                int(args.timestamp),
                self.prefix(),
                args.producer.clone(),
            ],
        }
    }

    fn limiter(options: &FetchOptions) -> Value {
        options
            .limiter
            .map_or(Value::Null, |(max, duration)| json!({ "max": max, "duration": duration }))
    }

    /// What a fetch needs to know.
    fn fetch(token: &Bytes, options: &FetchOptions) -> Bytes {
        let options = json!({
            "token": text(token),
            "lockDuration": options.lock_duration,
            "limiter": Wire::limiter(options),
            "name": null,
        });
        pack(&options).into()
    }

    fn move_to_active(&self, args: &MoveToActive) -> Sent {
        Sent {
            keys: self.keys(
                "wait active prioritized events stalled limiter delayed paused meta pc marker",
            ),
            args: vec![self.prefix(), int(args.timestamp), Wire::fetch(&args.token, &args.options)],
        }
    }

    fn move_to_finished(&self, args: &MoveToFinished) -> Sent {
        let (target, property, value) = match &args.outcome {
            Outcome::Completed(value) => ("completed", "returnvalue", value),
            Outcome::Failed(reason) => ("failed", "failedReason", reason),
        };
        let mut keys =
            self.keys("wait active prioritized events stalled limiter delayed paused meta pc");
        keys.push(self.key(target));
        keys.push(self.job(&args.id));
        keys.push(self.key(&format!("metrics:{target}")));
        keys.push(self.key("marker"));
        let mut keep = json!({ "count": args.keep.count });
        if let Some(age) = args.keep.age {
            keep["age"] = age.into();
        }
        let options = json!({
            "token": text(&args.token),
            "name": null,
            "keepJobs": keep,
            "limiter": Wire::limiter(&args.options),
            "lockDuration": args.options.lock_duration,
            "attempts": args.attempts,
            "maxMetricsSize": "",
            "fpof": false,
            "cpof": false,
            "idof": false,
            "rdof": false,
        });
        Sent {
            keys,
            args: vec![
                args.id.clone(),
                int(args.timestamp),
                property.into(),
                value.clone(),
                target.into(),
                flag(args.fetch_next),
                self.prefix(),
                pack(&options).into(),
                match &args.outcome {
                    Outcome::Completed(_) => Bytes::default(),
                    Outcome::Failed(reason) => fields(&[("failedReason", reason)]),
                },
            ],
        }
    }

    fn move_to_delayed(&self, args: &MoveToDelayed) -> Sent {
        let mut keys = self.keys("marker active prioritized delayed");
        keys.push(self.job(&args.id));
        keys.extend(self.keys(match self.version {
            Version::V5_34_10 => "events meta stalled",
            Version::V5_81_5 => "events meta stalled wait limiter paused pc",
            Version::V6_7_0 => "events meta stalled wait limiter pc",
        }));
        let mut sent = vec![
            self.prefix(),
            int(args.timestamp),
            args.id.clone(),
            args.token.clone(),
            int(args.delay),
            // `skipAttempt`.
            "0".into(),
            fields(&[("failedReason", &args.failed_reason)]),
        ];
        if !self.is_34() {
            let options = Wire::fetch(&args.token, &args.options);
            sent.push(flag(args.fetch_next));
            sent.push(if args.fetch_next { options } else { Bytes::default() });
        }
        Sent { keys, args: sent }
    }

    fn retry(&self, args: &RetryJob) -> Sent {
        let mut keys = self.keys("active wait paused");
        keys.push(self.job(&args.id));
        keys.extend(self.keys("meta events delayed prioritized pc marker stalled"));
        Sent {
            keys,
            args: vec![
                self.prefix(),
                int(args.timestamp),
                push(args.lifo),
                args.id.clone(),
                args.token.clone(),
                // 5.34 sends fields, too, and its script does not read them.
                fields(&[("failedReason", &args.failed_reason)]),
            ],
        }
    }

    fn extend_locks(&self, args: &ExtendLocks) -> Sent {
        let list = |part: fn(&(Bytes, Bytes)) -> &Bytes| {
            Bytes::from(pack(&Value::Array(args.jobs.iter().map(|job| text(part(job))).collect())))
        };
        Sent {
            keys: vec![self.key("stalled")],
            args: vec![self.prefix(), list(|job| &job.1), list(|job| &job.0), int(args.duration)],
        }
    }
}
