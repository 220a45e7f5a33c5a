//! The versions of BullMQ that are modelled.
//!
//! A difference between them stands where it arises, as a comparison (`version >= V5_81_5`) or a
//! function of the version; nothing here lists differences. A version between two of these is not
//! taken for either: the scenario's parser refuses it.

use super::cron::CronDialect;
use std::fmt;

/// A version of BullMQ, older ones first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// 5.34.10: the first job schedulers.
    V5_34_10,
    /// 5.81.5: the last of 5.x, with both repeat APIs.
    V5_81_5,
    /// 6.7.0: job schedulers alone, another cron parser, and no list of paused jobs.
    V6_7_0,
}

impl Version {
    /// All, older ones first.
    pub const ALL: [Version; 3] = [Version::V5_34_10, Version::V5_81_5, Version::V6_7_0];

    /// Its number.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Version::V5_34_10 => "5.34.10",
            Version::V5_81_5 => "5.81.5",
            Version::V6_7_0 => "6.7.0",
        }
    }

    /// How its cron-parser reads patterns.
    #[must_use]
    pub fn cron(self) -> CronDialect {
        if self >= Version::V6_7_0 { CronDialect::V5 } else { CronDialect::V4 }
    }
}

/// As scenarios name it.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bullmq@{}", self.number())
    }
}
