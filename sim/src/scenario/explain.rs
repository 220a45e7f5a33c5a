//! What the codes of diagnostics mean, why it matters, and how it is written wrong and right.
//!
//! The texts are in `explain.md`; the sentence that each begins with is that of [`CODES`].

use super::diagnostic::CODES;

/// A heading `## CODE`, then prose, then fragments that are indented.
const TEXTS: &str = include_str!("explain.md");

/// All that is to be said about a code, in whatever case it is written.
#[must_use]
pub fn explain(code: &str) -> Option<String> {
    let (code, means) = CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code))?;
    let text = text(code).unwrap_or_default();
    Some(format!("{code}: {means}\n\n{text}"))
}

/// The text of a code, without its heading.
fn text(code: &str) -> Option<&'static str> {
    let (_, text) = TEXTS.split_once(&format!("## {code}\n\n"))?;
    Some(text.split_once("\n## ").map_or(text, |(text, _)| text))
}

#[cfg(test)]
mod tests {
    use super::super::{Base, Diagnostic, parse, parse_over};
    use super::*;

    /// What a fragment stands in: it says only what is other than here.
    const FRAME: &str = r#"
format = 1
name = "a frame"
length = "2h"

[schedule.hourly]
pattern = "0 * * * *"
queue = "mail"
job = "digest"

[queue.mail]

[job.digest]
steps = [ { query = "1s..2s" } ]

[release.v1]
library = "bullmq@5.34.10"
steps = [
  { add = "digest", queue = "mail", repeat = { pattern = "0 * * * *" } },
  { worker = "mail" },
]

[service.worker]
release = "v1"
replicas = 2

[[expect]]
always = "firings per window"
schedule = "hourly"
at_most = 1
"#;

    /// The fragment under a word, without its indentation, and whether it is a whole file.
    fn fragment(text: &str, word: &str) -> Option<(String, bool)> {
        let (whole, rest) = match text.split_once(&format!("{word}:\n\n")) {
            Some((_, rest)) => (false, rest),
            None => (true, text.split_once(&format!("{word}, as a whole file:\n\n"))?.1),
        };
        let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
        Some((lines.map(|line| line.trim_start_matches("    ").to_owned() + "\n").collect(), whole))
    }

    fn problems((fragment, whole): (String, bool)) -> Vec<Diagnostic> {
        let base = Base::behind(&fragment, FRAME);
        let read = if whole { parse(&fragment) } else { parse_over(&fragment, Some(&base)) };
        match read {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        }
    }

    #[test]
    fn what_is_wrong_gets_its_code_and_what_is_right_gets_none() {
        assert_eq!(problems((String::new(), false)), []);
        for (code, _) in CODES.iter().filter(|(code, _)| *code != "BR099") {
            let text = text(code).unwrap_or_else(|| panic!("{code} is not explained"));
            let [wrong, right] = ["Wrong", "Right"].map(|word| {
                fragment(text, word).unwrap_or_else(|| panic!("{code} has no fragment {word}"))
            });
            let found = problems(wrong);
            assert!(found.iter().any(|problem| problem.code == *code), "{code}: {found:#?}");
            assert_eq!(problems(right), [], "{code}");
        }
    }

    #[test]
    fn every_code_is_explained_once_and_in_order() {
        let headings = TEXTS.lines().filter_map(|line| line.strip_prefix("## "));
        let codes = CODES.iter().map(|(code, _)| *code);
        assert_eq!(headings.collect::<Vec<_>>(), codes.collect::<Vec<_>>());
        for (code, _) in CODES {
            let text = explain(&code.to_lowercase()).expect("it is a code");
            let (_, why) = text.split_once("\n\n").expect("it says why");
            let prose = why.lines().take_while(|line| !line.is_empty());
            assert!(prose.map(str::len).sum::<usize>() > 50, "{code}: {why}");
        }
        assert_eq!(explain("BR998"), None);
    }
}
