//! Names: which are allowed, which was meant, and what BullMQ and Kubernetes call things.
//!
//! A hint is certain only if it comes from the alias table or differs in nothing but case and
//! `_`/`-`; anything else is a question. It refuses no key and resolves no name itself.

use std::collections::BTreeMap;

use super::super::diagnostic::Span as TextSpan;

/// The longest name.
pub(super) const NAME_MAX: usize = 100;

/// How alike two names must be (Jaro-Winkler) for one to be offered for the other.
const ALIKE: f64 = 0.85;

/// A text of the file as it can stand in a message: in backticks, short, with nothing in it that
/// a terminal would obey.
pub(in super::super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == MOST {
            shown.push_str("...");
            break;
        }
        if is_unseen(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown.push('`');
    shown
}

/// Whether a character does something to the text around it instead of being seen: controls,
/// line separators, and the marks that reorder or hide text.
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Why a text is no name, or `None` if it is one. Ids may have colons.
pub(super) fn name_fault(text: &str, colons: bool) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || (colons && c == ':');
    if text.is_empty() {
        return Some("a name cannot be empty".to_owned());
    }
    if text.chars().nth(NAME_MAX).is_some() {
        return Some(format!("a name has at most {NAME_MAX} characters"));
    }
    if let Some(c) = text.chars().find(|&c| !allowed(c)) {
        let what = if colons { "an id" } else { "a name" };
        return Some(format!("{what} cannot have {} in it", shown(&c.to_string())));
    }
    text.chars().all(|c| c == '.').then(|| "a name cannot be dots alone".to_owned())
}

/// What names may have in them.
pub(super) fn name_help(colons: bool) -> String {
    let colon = if colons { ", `:`" } else { "" };
    format!("names are made of the letters a to z and A to Z, digits, `-`, `_`, `.`{colon}")
}

/// A name without what people vary: case, `_` and `-`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !"_- ".contains(*c)).flat_map(char::to_lowercase).collect()
}

/// A name that may have been meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Guess<'a> {
    pub(in super::super) name: &'a str,
    /// Whether it differs in nothing but case, `_` and `-`.
    pub(in super::super) certain: bool,
}

/// The name among `names` that is most like `name`, if one is like it. The first of equals.
pub(in super::super) fn nearest<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<Guess<'a>> {
    // Nobody means a short name by a very long one, and comparing takes the product of lengths.
    if name.len() > 4 * NAME_MAX {
        return None;
    }
    let wanted = plain(name);
    let mut best: Option<(f64, Guess<'a>)> = None;
    for name in names {
        let candidate = plain(name);
        let certain = candidate == wanted;
        let score = if certain { 2.0 } else { strsim::jaro_winkler(&candidate, &wanted) };
        if score >= ALIKE && best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, Guess { name, certain }));
        }
    }
    best.map(|(_, guess)| guess)
}

/// What another tool's key is here.
pub(super) struct Alias {
    pub(super) theirs: &'static str,
    pub(super) ours: &'static str,
    /// Whose it is.
    pub(super) of: &'static str,
}

const fn alias(of: &'static str, theirs: &'static str, ours: &'static str) -> Alias {
    Alias { theirs, ours, of }
}

const BULLMQ: &str = "BullMQ's";
const KUBERNETES: &str = "Kubernetes'";

/// The keys of BullMQ and Kubernetes, and a few words of other tools for the same things. More
/// than one line for a key means that it depends on the table.
pub(super) const ALIASES: &[Alias] = &[
    alias(BULLMQ, "jobId", "job_id"),
    alias(BULLMQ, "removeOnComplete", "remove_on_complete"),
    alias(BULLMQ, "removeOnFail", "remove_on_fail"),
    alias(BULLMQ, "defaultJobOptions", "default_job_options"),
    alias(BULLMQ, "lockDuration", "lock_duration"),
    alias(BULLMQ, "stalledInterval", "stalled_interval"),
    alias(BULLMQ, "maxStalledCount", "max_stalled_count"),
    alias(BULLMQ, "maxStartedAttempts", "max_started_attempts"),
    alias(BULLMQ, "drainDelay", "drain_delay"),
    alias(BULLMQ, "upsertJobScheduler", "upsert_job_scheduler"),
    alias(BULLMQ, "removeJobScheduler", "remove_job_scheduler"),
    alias(BULLMQ, "removeRepeatable", "remove_repeatable"),
    alias(BULLMQ, "addBulk", "add_bulk"),
    alias(BULLMQ, "removeAllRepeatables", "remove_all_repeatables"),
    alias(BULLMQ, "removeRepeatableByKey", "remove_repeatable"),
    alias(BULLMQ, "startDate", "start_date"),
    alias(BULLMQ, "endDate", "end_date"),
    alias(BULLMQ, "queueName", "queue"),
    alias(BULLMQ, "jobName", "name"),
    alias(BULLMQ, "jobName", "job"),
    alias(BULLMQ, "cron", "pattern"),
    alias(BULLMQ, "repeatEvery", "every"),
    alias(BULLMQ, "debounce", "deduplication"),
    alias(KUBERNETES, "maxSurge", "max_surge"),
    alias(KUBERNETES, "maxUnavailable", "max_unavailable"),
    alias(KUBERNETES, "terminationGracePeriodSeconds", "termination_grace_period"),
    alias(KUBERNETES, "terminationGracePeriod", "termination_grace_period"),
    alias(KUBERNETES, "termination_grace_period_seconds", "termination_grace_period"),
    alias(KUBERNETES, "restartPolicy", "restart"),
    alias(KUBERNETES, "restart_policy", "restart"),
    alias(KUBERNETES, "rollingUpdate", "rollout"),
    alias(KUBERNETES, "strategy", "rollout"),
    alias(KUBERNETES, "schedule", "pattern"),
    alias(KUBERNETES, "timeZone", "tz"),
    alias("the usual", "timezone", "tz"),
    alias("the usual", "time_zone", "tz"),
    alias("the usual", "duration", "length"),
    alias("the usual", "boot_time", "boot"),
    alias("the usual", "to", "queue"),
    alias("the usual", "rtt", "round_trip"),
];

/// Keys of other tools that nothing here is called like: the table's noun, or all of them, and what
/// to write instead.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("opts", "", "what BullMQ has in `opts` stands beside `add` here, in the same braces"),
    ("queue_scheduler", "", "BullMQ has none since version 2: leave this out"),
    ("queueScheduler", "", "BullMQ has none since version 2: leave this out"),
    (
        "type",
        "a `rollout`",
        "`rollout = \"recreate\"`, or a table with `max_surge` and `max_unavailable`",
    ),
    (
        "rollingUpdate",
        "a `rollout`",
        "what Kubernetes has in `rollingUpdate` stands in `rollout` itself",
    ),
];

/// What to write instead of a key of another tool that has no name here.
pub(super) fn foreign(key: &str, noun: &str) -> Option<&'static str> {
    let found = FOREIGN.iter().find(|(theirs, of, _)| *theirs == key && [noun, ""].contains(of));
    found.map(|(_, _, help)| *help)
}

/// The kinds of things that have names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Schedule,
    Queue,
    Job,
    Release,
    Service,
    Alert,
}

impl Kind {
    pub(super) const ALL: [Kind; 6] =
        [Kind::Schedule, Kind::Queue, Kind::Job, Kind::Release, Kind::Service, Kind::Alert];

    /// The word for it, which is also its table's key.
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Schedule => "schedule",
            Kind::Queue => "queue",
            Kind::Job => "job",
            Kind::Release => "release",
            Kind::Service => "service",
            Kind::Alert => "alert",
        }
    }
}

/// The names that a file declares, by kind, each with its number in file order and its place.
#[derive(Default)]
pub(super) struct Names<'t> {
    declared: BTreeMap<(Kind, &'t str), (usize, TextSpan)>,
    counts: BTreeMap<Kind, usize>,
}

impl<'t> Names<'t> {
    pub(super) fn declare(&mut self, kind: Kind, name: &'t str, at: TextSpan) {
        let count = self.counts.entry(kind).or_default();
        self.declared.insert((kind, name), (*count, at));
        *count += 1;
    }

    /// All of a kind, in the order of the alphabet.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (&'t str, usize, TextSpan)> {
        let from = self.declared.range((kind, "")..);
        from.take_while(move |((k, _), _)| *k == kind)
            .map(|(&(_, name), &(number, at))| (name, number, at))
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<(usize, TextSpan)> {
        self.declared.get(&(kind, name)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certain_is_only_what_differs_in_case_and_dashes() {
        let keys = ["remove_on_complete", "remove_on_fail"];
        let guess = |name| nearest(name, keys);
        let fail = |certain| Some(Guess { name: "remove_on_fail", certain });
        assert_eq!(guess("removeOnFail"), fail(true));
        assert_eq!(guess("remove-on-fail"), fail(true));
        assert_eq!(guess("remove_on_fial"), fail(false));
        assert_eq!(guess("priority"), None);
        assert_eq!(guess(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "cloud-usage.v2_B", "9"] {
            assert_eq!(name_fault(name, false), None);
        }
        let long = "x".repeat(101);
        for name in
            ["", " ", ".", "..", "a/b", "a b", "a:b", "é", "a\u{202e}b", "a\0", long.as_str()]
        {
            assert!(name_fault(name, false).is_some(), "{name:?}");
        }
        assert_eq!(name_fault("a:b", true), None);
    }

    #[test]
    fn what_is_shown_does_nothing_to_a_terminal() {
        assert_eq!(shown("a\u{1b}[31mb"), "`a\\u{1b}[31mb`");
        assert_eq!(shown("a\u{202e}b"), "`a\\u{202e}b`");
        assert_eq!(shown(&"é".repeat(99)).chars().count(), 65);
    }
}
