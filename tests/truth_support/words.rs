//! What the cases say of steps, jobs and workers, in the words of the scenario format.

use super::case::strange;
use serde_json::Value;

pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The keys of one step of start-up code, for a library of a version.
pub(crate) fn step(
    action: &Value,
    queue: &str,
    version: &str,
    variant: &str,
) -> Result<Vec<String>, String> {
    const KNOWN: [&str; 14] = [
        "do", "name", "id", "key", "jobId", "opts", "repeat", "template", "data", "src", "count",
        "delayed", "ms", "pattern",
    ];
    if let Some(key) = strange(action, &KNOWN) {
        return Err(format!("a start-up action with `{key}`"));
    }
    let text = |key: &str| action[key].as_str().unwrap_or_default();
    let place = format!("queue = {}", quoted(queue));
    let whole = |word: &str| vec![format!("{word} = {}", quoted(queue))];
    let mut keys = match text("do") {
        "add" | "addMany" => vec![format!("add = {}", quoted(text("name"))), place],
        "upsertJobScheduler" => {
            let id = quoted(text("id"));
            let mut keys = vec![format!("upsert_job_scheduler = {id}"), place];
            keys.push(repeat(&action["repeat"])?);
            if bare(action) {
                return Ok(keys);
            }
            keys.extend(action["name"].as_str().map(|name| format!("name = {}", quoted(name))));
            keys
        }
        "removeRepeatable" => {
            let name = format!("remove_repeatable = {}", quoted(text("name")));
            let mut keys = vec![name, place, repeat(&action["repeat"])?];
            keys.extend(action["jobId"].as_str().map(|id| format!("job_id = {}", quoted(id))));
            return Ok(keys);
        }
        "removeRepeatableByKey" => {
            vec![format!("remove_repeatable_by_key = {}", quoted(text("key"))), place]
        }
        "removeJobScheduler" => {
            vec![format!("remove_job_scheduler = {}", quoted(text("id"))), place]
        }
        "sleep" => vec![format!("sleep = \"{}ms\"", action["ms"].as_i64().unwrap_or(0))],
        "removeAllRepeatables" => whole("remove_all_repeatables"),
        "getRepeatableJobs" => whole("get_repeatable_jobs"),
        "getJobSchedulers" => whole("get_job_schedulers"),
        "drain" => {
            let delayed = action["delayed"].as_bool().unwrap_or(false);
            [whole("drain"), vec![format!("delayed = {delayed}")]].concat()
        }
        "obliterate" => [whole("obliterate"), vec!["force = true".to_owned()]].concat(),
        word @ ("pause" | "resume") => whole(word),
        other => return Err(format!("a start-up action `{other}`")),
    };
    if matches!(text("do"), "add" | "addMany" | "upsertJobScheduler") {
        keys.extend(options(&action["opts"], version)?);
        let source = action["src"].as_str().unwrap_or(text("name"));
        let (source, variant) = (quoted(source), quoted(variant));
        keys.push(format!("data = {{ src = {source}, v = {variant} }}"));
    }
    Ok(keys)
}

/// Whether an upsert has no template: its jobs are named after the scheduler.
pub(crate) fn bare(action: &Value) -> bool {
    action.get("template").is_some_and(Value::is_null)
}

/// The options of a job.
pub(crate) fn options(options: &Value, version: &str) -> Result<Vec<String>, String> {
    let mut keys = Vec::new();
    for (key, value) in options.as_object().into_iter().flatten() {
        let ms = || format!("\"{}ms\"", value.as_i64().unwrap_or(0));
        let text = match key.as_str() {
            _ if value.is_null() => continue,
            "jobId" if value.is_string() => format!("job_id = {value}"),
            "delay" => format!("delay = {}", ms()),
            // Not said is once.
            "attempts" if value == 0 => continue,
            "priority" | "attempts" | "lifo" => format!("{key} = {value}"),
            "backoff" if value.is_object() => backoff(value)?,
            "backoff" => format!("backoff = {}", ms()),
            "removeOnComplete" => format!("remove_on_complete = {}", kept(value)?),
            "removeOnFail" => format!("remove_on_fail = {}", kept(value)?),
            "repeat" => repeat(value)?,
            "deduplication" => deduplication(value)?,
            // What it was called before.
            "debounce" if version != "6.7.0" => deduplication(value)?,
            // Of what is kept for people to read.
            "keepLogs" | "stackTraceLimit" => continue,
            other => return Err(format!("a job option `{other}`")),
        };
        keys.push(text);
    }
    Ok(keys)
}

fn backoff(value: &Value) -> Result<String, String> {
    if let Some(key) = strange(value, &["type", "delay", "jitter"]) {
        return Err(format!("a backoff with `{key}`"));
    }
    let delay = value["delay"].as_i64().unwrap_or(0);
    let jitter = value["jitter"].as_f64().map(|jitter| {
        let percent = format!("{:.4}", jitter * 100.0);
        format!(", jitter = \"{percent}%\"")
    });
    let jitter = jitter.unwrap_or_default();
    Ok(format!("backoff = {{ type = {}, delay = \"{delay}ms\"{jitter} }}", value["type"]))
}

fn kept(value: &Value) -> Result<String, String> {
    if !value.is_object() {
        return Ok(value.to_string());
    }
    if let Some(key) = strange(value, &["age", "count"]) {
        return Err(format!("`{key}` of what is kept"));
    }
    let age = value["age"].as_i64().map(|age| format!("age = \"{age}s\""));
    let count = value["count"].as_i64().map(|count| format!("count = {count}"));
    let both: Vec<String> = age.into_iter().chain(count).collect();
    Ok(format!("{{ {} }}", both.join(", ")))
}

fn deduplication(value: &Value) -> Result<String, String> {
    const WORDS: [(&str, &str); 4] = [
        ("extend", "extend"),
        ("replace", "replace"),
        ("keepLastIfActive", "keep_last_if_active"),
        ("reschedule", "reschedule"),
    ];
    let known: Vec<&str> = ["id", "ttl"].into_iter().chain(WORDS.map(|(key, _)| key)).collect();
    if let Some(key) = strange(value, &known) {
        return Err(format!("a deduplication with `{key}`"));
    }
    let ttl = value["ttl"].as_i64().map(|ms| format!(", ttl = \"{ms}ms\""));
    let said = WORDS.iter().filter(|(key, _)| value[key] == true);
    let words = said.map(|(_, key)| format!(", {key} = true"));
    let rest = ttl.into_iter().chain(words).collect::<String>();
    Ok(format!("deduplication = {{ id = {}{rest} }}", value["id"]))
}

fn repeat(repeat: &Value) -> Result<String, String> {
    let mut keys = Vec::new();
    for (key, value) in repeat.as_object().into_iter().flatten() {
        let ms = value.as_i64().unwrap_or(0);
        let text = match key.as_str() {
            _ if value.is_null() => continue,
            "every" | "offset" => format!("{key} = \"{ms}ms\""),
            "pattern" | "tz" | "immediately" | "limit" | "key" => format!("{key} = {value}"),
            "startDate" => format!("start_date = {}", instant(value)?),
            "endDate" => format!("end_date = {}", instant(value)?),
            other => return Err(format!("a repeat option `{other}`")),
        };
        keys.push(text);
    }
    Ok(format!("repeat = {{ {} }}", keys.join(", ")))
}

/// What `new Date` makes of a value, in a process whose zone is UTC.
fn instant(value: &Value) -> Result<String, String> {
    match value {
        Value::Number(ms) if ms.as_i64().is_some_and(|ms| ms >= 0) => {
            Ok(utc(ms.as_i64().unwrap_or(0)))
        }
        Value::String(day) if day.len() == 10 => Ok(format!("{day}T00:00:00Z")),
        Value::String(text) if text.ends_with('Z') => Ok(text.clone()),
        Value::String(text) => Ok(format!("{text}Z")),
        _ => Err(format!("the date {value}")),
    }
}

/// A date and time in UTC of milliseconds since the epoch.
fn utc(ms: i64) -> String {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let mut year = 1970;
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let february = 28 + i64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", days + 1)
}

/// The step that starts the worker, if the variant has one.
pub(crate) fn worker(options: &Value, queue: &str) -> Result<Option<String>, String> {
    let Some(options) = options.as_object() else { return Ok(None) };
    let mut keys = vec![format!("worker = {}", quoted(queue))];
    for (key, value) in options {
        let ms = value.as_i64().unwrap_or(0);
        let text = match key.as_str() {
            "concurrency" => format!("concurrency = {value}"),
            "lockDuration" => format!("lock_duration = \"{ms}ms\""),
            "lockRenewTime" => format!("lock_renew_time = \"{ms}ms\""),
            "stalledInterval" => format!("stalled_interval = \"{ms}ms\""),
            "maxStalledCount" => format!("max_stalled_count = {value}"),
            "maxStartedAttempts" => format!("max_started_attempts = {value}"),
            "drainDelay" => format!("drain_delay = \"{value}s\""),
            "autorun" => format!("autorun = {value}"),
            "skipStalledCheck" => format!("skip_stalled_check = {value}"),
            "skipLockRenewal" => format!("skip_lock_renewal = {value}"),
            "removeOnComplete" if value.is_object() => {
                format!("remove_on_complete = {}", kept(value)?)
            }
            "removeOnFail" if value.is_object() => format!("remove_on_fail = {}", kept(value)?),
            "limiter" => {
                if let Some(key) = strange(value, &["max", "duration"]) {
                    return Err(format!("a limiter with `{key}`"));
                }
                let duration = value["duration"].as_i64().unwrap_or(0);
                format!("limiter = {{ max = {}, duration = \"{duration}ms\" }}", value["max"])
            }
            // What it is called, and where what it counts is kept.
            "name" | "metrics" => continue,
            other => return Err(format!("a worker option `{other}`")),
        };
        keys.push(text);
    }
    Ok(Some(format!("{{ {} }}", keys.join(", "))))
}
