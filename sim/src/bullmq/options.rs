//! The options of a job as BullMQ stores them: the JSON of the hash's `opts` field.
//!
//! Only what the queue itself reads is kept apart; key order within the JSON is ours, since BullMQ's
//! own comes out of `cjson` and is arbitrary.

use super::Version;
use crate::clock::{Instant, Span};
use crate::scenario::{Backoff, JobOptions, Keep, Repeat, RepeatWhen};
use serde::{Deserialize, Serialize};

/// `JobsOptions` with what scheduling adds to them.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// How often the job is tried. A job that is made says 0 where nothing was said, which means
    /// once; a scheduler's template says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long it waits between attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffOptions>,
    /// Milliseconds until it is due. Present, even as 0, it goes to `delayed` (5.34).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<i64>,
    /// 1 is the most urgent, 0 is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Whether it goes to the end that is taken next.
    #[serde(skip_serializing_if = "is_false", default)]
    pub lifo: bool,
    /// Which completed jobs are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_on_complete: Option<KeepOptions>,
    /// Which failed jobs are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_on_fail: Option<KeepOptions>,
    /// A custom id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// When the job was made, by its maker's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// The millisecond that an iteration stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_millis: Option<i64>,
    /// The registration that an iteration is of, as job schedulers store it beside the hash's `rjk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_job_key: Option<String>,
    /// How the job repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<RepeatOptions>,
    /// What keeps other jobs from being added meanwhile.
    #[serde(rename = "de", skip_serializing_if = "Option::is_none")]
    pub deduplication: Option<Deduplication>,
}

/// `deduplication`: an add is ignored while another job holds the same id. 5.34 knows the id and the
/// `ttl`, and ignores the rest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deduplication {
    /// What the adds share.
    pub id: String,
    /// Milliseconds from the first add for which the id is held, by Redis's clock and whatever
    /// becomes of the job; at least 1. Without it: until the job has finished or is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Whether each add that is ignored begins the `ttl` anew.
    #[serde(skip_serializing_if = "is_false", default)]
    pub extend: bool,
    /// Whether the new job takes the place of one that is delayed.
    #[serde(skip_serializing_if = "is_false", default)]
    pub replace: bool,
    /// Whether the last add that met an active job is made up for when that has finished.
    #[serde(skip_serializing_if = "is_false", default)]
    pub keep_last_if_active: bool,
    /// Whether an add moves the instant of a job that is delayed: 6.7's.
    #[serde(skip_serializing_if = "is_false", default)]
    pub reschedule: bool,
}

impl Deduplication {
    /// The id for so long, and nothing else.
    pub fn new(id: String, ttl: Option<i64>) -> Self {
        let no = false;
        Deduplication { id, ttl, extend: no, replace: no, keep_last_if_active: no, reschedule: no }
    }
}

/// `backoff`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BackoffOptions {
    /// `fixed` or `exponential`.
    #[serde(rename = "type")]
    pub kind: BackoffKind,
    /// Milliseconds.
    pub delay: i64,
    /// Which part of the delay is left to chance, from 0 to 1 (5.81 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
}

/// The two strategies that BullMQ brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackoffKind {
    /// Always the same delay.
    Fixed,
    /// Twice as long after each attempt.
    Exponential,
}

/// `removeOnComplete`, `removeOnFail`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeepOptions {
    /// `true`: keep none; `false`: keep all.
    Remove(bool),
    /// Keep the newest so many.
    Count(u32),
    /// Keep by age in seconds and number.
    Limits {
        /// Seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        age: Option<i64>,
        /// How many.
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<i64>,
    },
}

/// `repeat`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct RepeatOptions {
    /// A cron pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A period in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<i64>,
    /// A time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// How many iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The millisecond before which there is none.
    #[serde(rename = "startDate", skip_serializing_if = "Option::is_none")]
    pub start_date: Option<i64>,
    /// The millisecond after which there is none.
    #[serde(rename = "endDate", skip_serializing_if = "Option::is_none")]
    pub end_date: Option<i64>,
    /// Whether the first is due at once.
    #[serde(skip_serializing_if = "is_false", default)]
    pub immediately: bool,
    /// The registration's key, instead of the hash of its options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The job id that the registration was made with.
    #[serde(rename = "jobId", skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Which iteration since the last add this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Milliseconds from the slot to when it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Options {
    /// The options of one add, over the queue's defaults. A template's `{window}` is the caller's
    /// business: the id is not taken over here.
    pub fn new(defaults: &JobOptions, own: &JobOptions) -> Self {
        let ms = |span: Span| span.ms();
        Options {
            attempts: own.attempts.or(defaults.attempts),
            backoff: own.backoff.or(defaults.backoff).map(BackoffOptions::from),
            delay: own.delay.or(defaults.delay).map(ms),
            priority: own.priority.or(defaults.priority),
            lifo: own.lifo.or(defaults.lifo).unwrap_or(false),
            remove_on_complete: own
                .remove_on_complete
                .or(defaults.remove_on_complete)
                .map(KeepOptions::from),
            remove_on_fail: own.remove_on_fail.or(defaults.remove_on_fail).map(KeepOptions::from),
            ..Options::default()
        }
    }

    /// The JSON that a job's hash keeps.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("options are plain data")
    }

    /// The options in a job's hash; none at all where the hash was lost (a job without a hash).
    pub fn from_json(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }

    /// Milliseconds until the attempt after the `k`-th failed one, at least and at most; 0 is at
    /// once. 5.34 knows no jitter.
    /// Source: `backoffs.js`.
    pub fn retry_delay(&self, failed: u32, version: Version) -> (i64, i64) {
        let Some(BackoffOptions { kind, delay, jitter }) = &self.backoff else { return (0, 0) };
        let most = match kind {
            BackoffKind::Fixed => *delay,
            BackoffKind::Exponential => {
                let doubled = 1_i64.checked_shl(failed.saturating_sub(1)).unwrap_or(i64::MAX);
                delay.saturating_mul(doubled)
            }
        };
        match jitter.filter(|jitter| *jitter > 0.0 && version >= Version::V5_81_5) {
            None => (most, most),
            // A number below 1 times the part of chance, over the rest, rounded down.
            Some(jitter) => {
                let least = (most as f64 * (1.0 - jitter)) as i64;
                (least, (most - 1).max(least))
            }
        }
    }
}

impl From<Backoff> for BackoffOptions {
    fn from(backoff: Backoff) -> Self {
        let Backoff { exponential, delay, jitter } = backoff;
        BackoffOptions {
            kind: if exponential { BackoffKind::Exponential } else { BackoffKind::Fixed },
            delay: delay.ms(),
            jitter: (jitter > 0).then(|| f64::from(jitter) / 1e6),
        }
    }
}

impl From<Keep> for KeepOptions {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::All => KeepOptions::Remove(false),
            Keep::None => KeepOptions::Remove(true),
            Keep::Count(count) => KeepOptions::Count(count),
            Keep::Age { age, count } => {
                KeepOptions::Limits { age: Some(age.ms() / 1000), count: count.map(i64::from) }
            }
        }
    }
}

impl From<&Repeat> for RepeatOptions {
    fn from(repeat: &Repeat) -> Self {
        let (pattern, every) = match &repeat.when {
            RepeatWhen::Pattern(cron) => (Some(cron.pattern().to_owned()), None),
            RepeatWhen::Refused(pattern) => (Some(pattern.to_string()), None),
            RepeatWhen::Every(period) => (None, Some(period.ms())),
        };
        RepeatOptions {
            pattern,
            every,
            tz: repeat.zone.as_ref().map(|zone| zone.name().to_owned()),
            limit: repeat.limit,
            start_date: repeat.start_date.map(Instant::ms),
            end_date: repeat.end_date.map(Instant::ms),
            immediately: repeat.immediately,
            key: repeat.key.as_deref().map(str::to_owned),
            offset: repeat.offset.map(Span::ms),
            ..RepeatOptions::default()
        }
    }
}

/// Which finished jobs are kept, as `moveToFinished` is told: `keepJobs`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepJobs {
    /// Seconds.
    pub age: Option<i64>,
    /// How many; 0 is none, a negative number all.
    pub count: Option<i64>,
}

impl From<Option<&KeepOptions>> for KeepJobs {
    /// Source: `getKeepJobs` in `scripts.js`; all are kept where nothing is said.
    fn from(keep: Option<&KeepOptions>) -> Self {
        match keep {
            None | Some(KeepOptions::Remove(false)) => KeepJobs { age: None, count: Some(-1) },
            Some(KeepOptions::Remove(true)) => KeepJobs { age: None, count: Some(0) },
            Some(KeepOptions::Count(count)) => {
                KeepJobs { age: None, count: Some(i64::from(*count)) }
            }
            Some(KeepOptions::Limits { age, count }) => KeepJobs { age: *age, count: *count },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_what_bullmq_stores() {
        let defaults = JobOptions {
            attempts: Some(5),
            backoff: Some(Backoff::exponential(Span::from_secs(5))),
            remove_on_complete: Some(Keep::None),
            remove_on_fail: Some(Keep::Count(100)),
            ..JobOptions::default()
        };
        let options = Options::new(&defaults, &JobOptions::default());
        assert_eq!(
            options.to_json(),
            r#"{"attempts":5,"backoff":{"type":"exponential","delay":5000},"removeOnComplete":true,"removeOnFail":100}"#
        );
        assert_eq!(Options::from_json(options.to_json().as_bytes()), options);
    }

    #[test]
    fn exponential_backoff_doubles_and_never_overflows() {
        let kind = BackoffKind::Exponential;
        let backoff = Some(BackoffOptions { kind, delay: 300, jitter: None });
        let options = Options { backoff, ..Options::default() };
        let delay = |k| options.retry_delay(k, Version::V6_7_0);
        assert_eq!([1, 2, 3, 4].map(|k| delay(k).1), [300, 600, 1200, 2400]);
        assert_eq!(delay(500), (i64::MAX, i64::MAX));
    }

    /// What `backoffs.js` of 5.81.5 gives for the least and the greatest number below 1.
    #[test]
    fn jitter_is_a_part_of_the_delay() {
        let delays = |kind, jitter, failed| {
            let backoff = Some(BackoffOptions { kind, delay: 1000, jitter: Some(jitter) });
            let options = Options { backoff, ..Options::default() };
            Version::ALL.map(|version| options.retry_delay(failed, version))
        };
        let some = delays(BackoffKind::Fixed, 0.3, 5);
        assert_eq!(some, [(1000, 1000), (700, 999), (700, 999)]);
        let all = delays(BackoffKind::Exponential, 1.0, 3);
        assert_eq!(all, [(4000, 4000), (0, 3999), (0, 3999)]);
    }

    #[test]
    fn a_hash_that_was_lost_has_no_options() {
        assert_eq!(Options::from_json(b""), Options::default());
    }
}
