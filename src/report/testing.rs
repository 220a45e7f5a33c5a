//! Reports made by hand, for the tests of those who render them. No run stands behind them.

use super::document::Document;
use super::{Expected, Report, Status, Unit, Verdict};
use crate::explore::Policies;
use proptest::prelude::*;

pub(super) const STATUSES: [Status; 4] =
    [Status::Holds, Status::ViolatedAsDeclared, Status::NotAsDeclared, Status::Vacuous];

/// A report on an expectation of each status.
pub(super) fn report(file: &str, scenario: &str, schedule: &str) -> Report {
    let expected = |status| Expected {
        line: 7,
        kind: "always",
        property: "firings per window",
        subject: Some(schedule.to_owned()),
        unit: Unit::Count,
        relation: "at most",
        bound: 1,
        declared: "holds".to_owned(),
        status,
        violated: 3,
        judged: 10,
        of: 10,
        worst: Some((2, 4)),
        median: Some(1),
        by_policy: Vec::new(),
        badness: Vec::new(),
    };
    Report {
        file: file.to_owned(),
        scenario: scenario.to_owned(),
        seeds: (1, 10),
        policy: Policies::RANDOM,
        endless: None,
        answered: false,
        diverged: None,
        expectations: STATUSES.map(expected).to_vec(),
        figures: Vec::new(),
        stuck: None,
        swarm: Vec::new(),
        alerts: Vec::new(),
        story: None,
        verdict: Verdict::NotAsDeclared,
    }
}

pub(super) fn document(report: Report) -> Document {
    Document::new(vec![report], None, 10)
}

/// Names that mean something elsewhere, and any others.
pub(super) fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<char>().prop_map(String::from),
        "[\\x00-\\x20\\x7f-\\u{a0}]".prop_map(String::from),
        "[!-/:-@\\[-`{-~]{1,4}".prop_map(String::from),
        proptest::sample::select(vec![
            "]]>",
            "<![CDATA[",
            "<!--",
            "--",
            "<b>",
            "</testsuite>",
            "&amp;",
            "&#0;",
            "::",
            "::error::x",
            "\n",
            "\r\n::warning file=a::b",
            "%0A",
            "##[error]",
            "\u{fffe}",
            "\u{ffff}",
            "\u{202e}",
            "`",
            "```",
            "|",
            "\\|",
            "**",
            "a_b_",
            "$x$",
            "[a](javascript:b)",
            "https://a.b",
            "    ",
            "name",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}
