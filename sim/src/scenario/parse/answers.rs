//! `[answers]`: what a file answers itself, so that it stands for one run.
//!
//! A question is called by its name in words, which outlives the run that asked it. Whether it is ever
//! asked only a run can say. The table stands before all that a file must have, and such a file ends
//! with the end of a line: so no part of it that was cut off is taken for all of it.

use toml::de::DeValue;

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::context::Context;
use super::names::shown;
use super::table::{Node, entries};
use crate::choices::Name;

/// The greatest answer: a question has at most 65,535 answers, from 0.
pub(super) const ANSWER_MAX: u32 = 65_534;

const HELP: &str = "a question is called by who asks, what kind it is, what it is about and how many \
                    came before it: \"worker-2.1 send addJob #0\"";

/// Reads `[answers]`.
pub(super) fn answers<'t>(cx: &mut Context<'t>, node: Node<'t>) -> Option<Vec<(Name, u32)>> {
    let DeValue::Table(raw) = node.value else {
        return cx.fail(node.wrong("a table of whole numbers").help(HELP));
    };
    if !cx.text.ends_with('\n') {
        // Part of such a file could pass for another run, and nobody would know.
        let message = "the file is cut off: its last line has no end";
        let end = TextSpan::new(cx.text.len(), cx.text.len());
        cx.push(Diagnostic::error(code::SYNTAX, end, message));
    }
    let mut read = |entry: &super::table::Entry<'t>| {
        // A name in another spelling could stand there twice.
        let name = Name::parse(entry.key).filter(|name| name.to_string() == entry.key);
        if name.is_none() {
            let message = format!("{} is no name of a question", shown(entry.key));
            cx.push(Diagnostic::error(code::BAD_NAME, entry.at, message).help(HELP));
        }
        let answer = cx.count(entry.node("an answer"), 0..=ANSWER_MAX);
        name.zip(answer)
    };
    let answers: Vec<_> = entries(raw).iter().map(&mut read).collect();
    answers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::{Network, Scenario};
    use super::super::parse;

    const STORY: &str = include_str!("../../../../scenarios/free-tier-usage/before.toml");

    fn read(answers: &str) -> Result<Scenario, Vec<(String, &'static str)>> {
        let brief = |problem: &super::Diagnostic| (problem.message.clone(), problem.code);
        match parse(&format!("{STORY}\n{answers}")) {
            Ok((scenario, _)) => Ok(scenario),
            Err(problems) => Err(problems.iter().map(brief).collect()),
        }
    }

    fn wrong(answers: &str) -> (String, &'static str) {
        match read(answers).expect_err(answers).as_slice() {
            [problem] => problem.clone(),
            problems => panic!("{problems:?}"),
        }
    }

    #[test]
    fn answers_are_read_in_the_file_s_order() {
        let text =
            "[answers]\n\"worker-2.1 send addJob #0\" = 5\n\"world draw event 1 #3\" = 65534\n";
        let answers = read(text).expect("they are answers").answers.expect("there are some");
        let named: Vec<_> = answers.iter().map(|(name, one)| (name.to_string(), *one)).collect();
        let expected = [("worker-2.1 send addJob #0", 5), ("world draw event 1 #3", 65_534)];
        assert_eq!(named, expected.map(|(name, answer)| (name.to_owned(), answer)));
        let none = read("[answers]\n").expect("it is a scenario");
        assert_eq!((none.answers, none.network), (Some(Vec::new()), Network::Timed));
        assert_eq!(read("").expect("it is a scenario").answers, None);
        let order = read("[network]\nmode = \"order\"\n").expect("it is a scenario");
        assert_eq!(order.network, Network::Order);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for name in ["worker-2.1 send addJob", "worker-2.1 sends addJob #0", "a send b #00", "a"] {
            let (said, code) = wrong(&format!("[answers]\n\"{name}\" = 5\n"));
            assert_eq!((said, code), (format!("`{name}` is no name of a question"), "BR012"));
        }
        for (answer, code) in [("-1", "BR020"), ("65535", "BR020"), ("\"5\"", "BR006")] {
            assert_eq!(
                wrong(&format!("[answers]\n\"a send b #0\" = {answer}\n")).1,
                code,
                "{answer}"
            );
        }
        let twice = "[answers]\n\"a send b #0\" = 1\n\"a send b #0\" = 2\n";
        assert_eq!(wrong(twice).1, "BR002");
        // Behind the last table it would be a key of that.
        assert_eq!(wrong("answers = 3\n").1, "BR004");
        assert_eq!(wrong("[answers]").1, "BR001");
        assert_eq!(wrong("[answers]\n\"a send b #0\" = 1").1, "BR001");
    }
}
