//! Which custom job ids a version of BullMQ refuses.
//!
//! Source: `addJob` of `queue.js`, `validateOptions` of `job.js`.

use super::Version;

/// The text that `queue.add` throws for an id before it does anything else; of a registration it
/// does not look at the id.
#[must_use]
pub fn refused_by_add(id: &str, version: Version) -> Option<&'static str> {
    let refused = id == "0" || id.starts_with("0:");
    refused.then_some(match version {
        Version::V5_34_10 | Version::V5_81_5 => "JobId cannot be '0' or start with 0:",
        Version::V6_7_0 => "JobId cannot be '0' or start with '0:'",
    })
}

/// The text that a job throws when it is made, alone or in bulk. From 5.81 on ids with colons are
/// those of iterations, which have three parts.
#[must_use]
pub fn refused_by_job(id: &str, version: Version) -> Option<&'static str> {
    let newer = version >= Version::V5_81_5;
    if is_integer(id) {
        return Some(match newer {
            false => "Custom Ids cannot be integers",
            true => "Custom Id cannot be integers",
        });
    }
    (newer && id.contains(':') && id.split(':').count() != 3)
        .then_some("Custom Id cannot contain :")
}

/// Whether `parseInt` reads the text as a number that JavaScript writes in the same way: numbers
/// beyond 2^53 are written as their neighbours.
fn is_integer(id: &str) -> bool {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as parseInt")]
    let written = |number: i64| (number as f64) as i64;
    id.parse::<i64>().is_ok_and(|number| {
        written(number) == number && number != i64::MAX && number.to_string() == *id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_refused_with_the_words_of_its_version() {
        let [old, newer, newest] = Version::ALL;
        let add = |id| Version::ALL.map(|version| refused_by_add(id, version).is_some());
        assert_eq!(add("0"), [true; 3]);
        assert_eq!(add("0:1"), [true; 3]);
        assert_eq!(add("00"), [false; 3]);
        assert_ne!(refused_by_add("0", newer), refused_by_add("0", newest));
        let job = |id| Version::ALL.map(|version| refused_by_job(id, version).is_some());
        for id in ["0", "123", "-5"] {
            assert_eq!(job(id), [true; 3], "{id}");
        }
        for id in ["1a", "007", "-0", "9007199254740993", "99999999999999999999", "a:b:c"] {
            assert_eq!(job(id), [false; 3], "{id}");
        }
        assert_eq!(job("a:b"), [false, true, true]);
        assert_ne!(refused_by_job("1", old), refused_by_job("1", newer));
    }
}
