//! Reports as JUnit XML, which every CI reads: a suite for each scenario, a case for each expectation.
//! An expectation that is violated as declared passes; one that was never judged is an error, not a
//! pass.

use super::{Expected, Report, Status, text};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// The reports as one document.
///
/// # Errors
/// If a name cannot be written as XML at all.
pub fn junit(reports: &[Report]) -> Result<String, quick_junit::SerializeError> {
    let mut document = quick_junit::Report::new("bootrace");
    document.add_test_suites(reports.iter().map(suite));
    document.to_string()
}

fn suite(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new(report.scenario.as_str());
    suite.add_property(("file", report.file.as_str()));
    let seeds = format!("{}..{}", report.seeds.0, report.seeds.1);
    suite.add_property(("seeds", seeds.as_str()));
    for expected in &report.expectations {
        let mut case = TestCase::new(text::sentence(expected), status(expected));
        case.set_classname(report.file.as_str());
        suite.add_test_case(case);
    }
    suite
}

fn status(expected: &Expected) -> TestCaseStatus {
    let kind = match expected.status {
        Status::Holds | Status::ViolatedAsDeclared => return TestCaseStatus::success(),
        Status::NotAsDeclared => NonSuccessKind::Failure,
        Status::Vacuous => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(text::found(expected));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Unit, Verdict};

    fn expected(status: Status) -> Expected {
        Expected {
            kind: "always",
            property: "firings per window",
            subject: Some("<a & \"b\">".to_owned()),
            relation: "at most",
            unit: Unit::Count,
            bound: 1,
            declared: "holds".to_owned(),
            status,
            violated: 3,
            judged: 10,
            of: 10,
            worst: Some((2, 4)),
            median: Some(1),
        }
    }

    #[test]
    fn a_case_for_each_expectation_and_names_that_are_xml() {
        let statuses =
            [Status::Holds, Status::ViolatedAsDeclared, Status::NotAsDeclared, Status::Vacuous];
        let report = Report {
            file: "a.toml".to_owned(),
            scenario: "a story ]]> of <names>".to_owned(),
            seeds: (1, 10),
            expectations: statuses.map(expected).to_vec(),
            figures: Vec::new(),
            verdict: Verdict::NotAsDeclared,
        };
        let xml = junit(&[report]).unwrap();
        assert!(xml.contains(r#"tests="4" skipped="0" failures="1" errors="1""#), "{xml}");
        assert!(
            xml.contains("worst 2 (seed 4), median 1; violated in 3/10, declared: holds"),
            "{xml}"
        );
        assert!(!xml.contains("<names>"), "{xml}");
    }
}
