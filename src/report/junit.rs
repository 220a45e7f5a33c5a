//! Reports as JUnit XML, which every CI reads: a suite for each scenario, a case for each expectation.
//! An expectation that is violated as declared passes; one that was never judged is an error, not a
//! pass, and so is an end before the last seed. No case has a time: it would differ every time.
//! What XML cannot say in a name is written as what it is.

use super::diagnostic::escaped;
use super::document::{Document, Stopped};
use super::{Expected, Report, Status, text};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// The reports as XML.
///
/// # Errors
/// If a name cannot be written as XML at all.
pub fn junit(document: &Document) -> Result<String, quick_junit::SerializeError> {
    let mut xml = quick_junit::Report::new("bootrace");
    xml.add_test_suites(document.reports.iter().map(suite));
    xml.add_test_suites(document.stopped.as_ref().map(stopped));
    xml.to_string()
}

/// The suite of an end before the last seed, so that nobody takes a part for the whole.
fn stopped(stopped: &Stopped) -> TestSuite {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(stopped.to_string());
    let mut suite = TestSuite::new("bootrace");
    suite.add_test_case(TestCase::new("every seed is played", status));
    suite
}

fn suite(report: &Report) -> TestSuite {
    let file = escaped(&report.file);
    let mut suite = TestSuite::new(escaped(&report.scenario));
    suite.add_property(("file", file.as_str()));
    let seeds = format!("{}..{}", report.seeds.0, report.seeds.1);
    suite.add_property(("seeds", seeds.as_str()));
    for expected in &report.expectations {
        let mut case = TestCase::new(escaped(&text::sentence(expected)), status(expected));
        case.set_classname(file.as_str());
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
    status.set_message(escaped(&text::found(expected)));
    status
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STATUSES, document, hostile, report};
    use super::*;
    use crate::explore::Cut;
    use proptest::prelude::*;

    #[test]
    fn a_case_for_each_expectation_and_names_that_are_xml() {
        let xml = junit(&document(report("a.toml", "a story ]]> of <names>", "<a & \"b\">")));
        let xml = xml.expect("it can be written");
        assert!(xml.contains(r#"tests="4" skipped="0" failures="1" errors="1""#), "{xml}");
        let found = "worst 2 (seed 4), median 1; violated in 3/10, declared: holds";
        assert!(xml.contains(found), "{xml}");
        assert!(!xml.contains("<names>"), "{xml}");
    }

    #[test]
    fn a_part_is_no_success() {
        let xml = junit(&Document::new(Vec::new(), Some(&Cut::Stopped), 200));
        let xml = xml.expect("it can be written");
        assert!(xml.contains(r#"tests="1" skipped="0" failures="0" errors="1""#), "{xml}");
        assert!(xml.contains(r#"message="interrupted: 0 of 200 seeds""#), "{xml}");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4_000, failure_persistence: None, ..Default::default()
        })]

        #[test]
        fn any_name_makes_xml(file in hostile(), scenario in hostile(), schedule in hostile()) {
            let xml = junit(&document(report(&file, &scenario, &schedule))).expect("it can be written");
            let xml = roxmltree::Document::parse(&xml).map_err(|error| TestCaseError::fail(format!("{error}: {xml}")))?;
            let all = |tag: &'static str| xml.descendants().filter(move |node| node.has_tag_name(tag));
            prop_assert_eq!(all("testsuite").count(), 1);
            prop_assert_eq!(all("testcase").count(), STATUSES.len());
            prop_assert_eq!(all("failure").count(), 1);
            prop_assert_eq!(all("error").count(), 1);
            let name = all("testsuite").next().and_then(|suite| suite.attribute("name"));
            prop_assert_eq!(name.map(str::to_owned), Some(escaped(&scenario)));
        }
    }
}
