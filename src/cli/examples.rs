//! The stories that come with bootrace, as they stand under `scenarios/`: all but those of bugs that
//! people reported, which are there to be looked up by their threads, and what was shrunk.

use clap::builder::PossibleValue;

/// A story, by the name of its file.
pub(super) struct Example {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// A story of the folder `scenarios`.
macro_rules! example {
    ($folder:literal, $name:literal) => {
        Example {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $folder, "/", $name, ".toml")),
        }
    };
}

/// All of them.
pub(super) const EXAMPLES: &[Example] = &[
    example!("free-tier-usage", "before-rolling"),
    example!("free-tier-usage", "before"),
    example!("free-tier-usage", "boot-after-tick"),
    example!("free-tier-usage", "job-ids-slow-deploy"),
    example!("free-tier-usage", "job-ids-upgrade"),
    example!("free-tier-usage", "job-ids"),
    example!("free-tier-usage", "killed-mid-add"),
    example!("free-tier-usage", "no-bootstrap"),
    example!("free-tier-usage", "scheduler-cleaned-up"),
    example!("free-tier-usage", "scheduler"),
    example!("free-tier-usage", "upsert-across-tick"),
    example!("free-tier-usage", "window-id"),
    example!("hazards", "boot-after-an-early-tick"),
    example!("hazards", "boot-by-a-clock-that-is-behind"),
    example!("hazards", "boot-while-the-tick-waits"),
    example!("hazards", "boot-while-the-worker-is-busy"),
    example!("hazards", "boots-through-a-backlog"),
    example!("hazards", "bootstrap-id-aged-out"),
    example!("hazards", "bootstrap-id-counted-out"),
    example!("hazards", "bootstrap-id-freed"),
    example!("hazards", "bootstrap-id-kept"),
    example!("hazards", "bootstrap-id-of-a-failed-job"),
    example!("hazards", "bootstrap-without-id"),
    example!("hazards", "clean-start-by-a-clock-that-is-behind"),
    example!("hazards", "cleaned-up-and-registered-by-every-boot"),
    example!("hazards", "cleaned-with-the-tick-delayed"),
    example!("hazards", "clock-ahead-skips-ticks"),
    example!("hazards", "clock-behind-adds-the-last-tick"),
    example!("hazards", "clock-behind-ends-the-schedule"),
    example!("hazards", "clock-behind-runs-the-tick-again"),
    example!("hazards", "closed-while-it-fetches"),
    example!("hazards", "completed-tick-retried"),
    example!("hazards", "deduplication-of-a-tick"),
    example!("hazards", "drained-while-the-tick-waits"),
    example!("hazards", "failover-loses-the-last-writes"),
    example!("hazards", "fall-back"),
    example!("hazards", "fleet-moves-to-a-clock-behind"),
    example!("hazards", "given-up-and-run-by-5-34"),
    example!("hazards", "id-added-to-a-repeat"),
    example!("hazards", "immediate-repeat-added-again"),
    example!("hazards", "job-that-kills-its-process"),
    example!("hazards", "keys-under-another-prefix"),
    example!("hazards", "killed-after-its-rows"),
    example!("hazards", "killed-before-the-next-iteration"),
    example!("hazards", "killed-between-clean-up-and-upsert"),
    example!("hazards", "killed-between-two-round-trips"),
    example!("hazards", "killed-while-it-obliterates"),
    example!("hazards", "killed-with-the-marker"),
    example!("hazards", "killed-with-the-next-job-in-flight"),
    example!("hazards", "limiter-of-some-workers"),
    example!("hazards", "loop-blocked-beyond-the-lock"),
    example!("hazards", "newer-versions-side-by-side"),
    example!("hazards", "obliterated-until-a-boot"),
    example!("hazards", "old-name-comes-back"),
    example!("hazards", "old-pattern-comes-back"),
    example!("hazards", "older-worker-on-a-newer-schedule"),
    example!("hazards", "one-period-many-boots"),
    example!("hazards", "orphan-after-removal"),
    example!("hazards", "overdue-period-after-downtime"),
    example!("hazards", "pattern-changed-on-add"),
    example!("hazards", "pattern-changed-on-upsert"),
    example!("hazards", "pattern-changed-under-a-key"),
    example!("hazards", "pattern-due-at-once"),
    example!("hazards", "paused-and-registered-at-once"),
    example!("hazards", "paused-by-two-versions"),
    example!("hazards", "paused-without-a-boot"),
    example!("hazards", "periods-that-disagree"),
    example!("hazards", "promoted-then-cleaned-up"),
    example!("hazards", "promoted-then-registered"),
    example!("hazards", "redis-comes-back-empty"),
    example!("hazards", "registrations-are-evicted"),
    example!("hazards", "repeat-added-while-its-tick-runs"),
    example!("hazards", "repeat-on-add-since-6"),
    example!("hazards", "reply-of-an-add-lost"),
    example!("hazards", "rollback-that-ends-the-schedule"),
    example!("hazards", "rolled-back-to-5-34"),
    example!("hazards", "run-longer-than-its-period"),
    example!("hazards", "same-repeat-from-every-boot"),
    example!("hazards", "scheduler-beside-the-older-api"),
    example!("hazards", "scheduler-id-of-many-parts"),
    example!("hazards", "spring-forward"),
    example!("hazards", "stalls-that-are-counted-apart"),
    example!("hazards", "start-date-of-every-boot"),
    example!("hazards", "tick-lost-over-downtime"),
    example!("hazards", "tick-that-blocks-its-worker"),
    example!("hazards", "tick-that-kills-its-process"),
    example!("hazards", "upsert-again-with-jobs-removed"),
    example!("hazards", "upsert-again-within-a-slot"),
    example!("hazards", "upsert-sent-before-the-tick"),
    example!("hazards", "upserts-in-one-slot"),
    example!("hazards", "winner-of-a-deduplication-lost"),
    example!("hazards", "worker-ahead-skips-a-tick"),
    example!("hazards", "worker-behind-beside-a-right-one"),
    example!("hazards", "worker-behind-is-late"),
    example!("hazards", "zones-that-disagree"),
    example!("storms", "registered-again-while-redis-forgets"),
    example!("storms", "scheduler-in-a-storm"),
    example!("storms", "window-id-in-a-storm"),
];

impl Example {
    /// The line that names the story.
    fn title(&self) -> &'static str {
        let value = |line: &'static str| line.strip_prefix("name")?.trim_start().strip_prefix('=');
        self.text.lines().find_map(value).map_or("", |value| value.trim().trim_matches('"'))
    }
}

/// The names, for clap to list.
pub(super) fn names() -> Vec<PossibleValue> {
    EXAMPLES.iter().map(|one| PossibleValue::new(one.name).help(one.title())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("the folder can be read");
        let paths = entries.map(|entry| entry.expect("it can be read").path());
        paths
            .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
            .filter(|path| path.extension().is_some_and(|of| of == "toml"))
            .collect()
    }

    #[test]
    fn every_story_is_an_example() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let read = |path: &PathBuf| fs::read_to_string(path).expect("it is text");
        // The others show one thing that somebody saw, proved or shrank: nobody begins with them.
        let begins = |path: &PathBuf| {
            let folders = ["free-tier-usage", "hazards", "storms"];
            folders.iter().any(|folder| path.starts_with(root.join(folder)))
        };
        let stories: BTreeSet<String> =
            files(&root).iter().filter(|path| begins(path)).map(read).collect();
        let examples: BTreeSet<String> = EXAMPLES.iter().map(|one| one.text.to_owned()).collect();
        assert_eq!(examples, stories);
        let names: BTreeSet<&str> = EXAMPLES.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), EXAMPLES.len(), "two of one name");
    }

    #[test]
    fn titles_are_the_names_of_the_stories() {
        for example in EXAMPLES {
            let (scenario, _) = bootrace_sim::scenario::parse(example.text).expect("it is sound");
            assert_eq!(example.title(), &*scenario.name);
        }
    }
}
