//! Reports for GitHub Actions: annotations at the lines of the scenario, and a summary in Markdown.
//! Names are hostile here: none of them can begin a workflow command, a table cell or a tag.

use super::diagnostic::escaped;
use super::document::Document;
use super::{Report, Status, text};
use crate::load::{Error, Loaded, Source};
use bootrace_sim::scenario::{Diagnostic, Severity};
use std::fmt::Write as _;
use std::path::Path;

/// GitHub shows ten annotations of one kind in a step and drops the others without a word.
const MOST: usize = 9;

/// Something to point at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    weight: Weight,
    file: String,
    /// Line and column.
    place: Option<(usize, Option<usize>)>,
    title: String,
    message: String,
}

/// How much a note weighs, the heaviest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Weight {
    Wrong,
    Unproved,
    Warning,
}

impl Weight {
    fn word(self) -> &'static str {
        match self {
            Weight::Wrong | Weight::Unproved => "error",
            Weight::Warning => "warning",
        }
    }
}

/// What is to be said of a file that was read, or could not be.
pub fn of_file(loaded: &Result<Loaded, Error>) -> Vec<Note> {
    match loaded {
        Ok(Loaded { source, warnings, .. }) => problems(source, warnings),
        Err(Error::Bad(source, diagnostics)) => problems(source, diagnostics),
        Err(Error::Io(path, error)) => vec![unread(path, error.to_string())],
        Err(Error::Refused(path, why)) => vec![unread(path, why.clone())],
    }
}

fn unread(path: &Path, why: String) -> Note {
    let (file, title) = (path.display().to_string(), "cannot be read".to_owned());
    Note { weight: Weight::Wrong, file, place: None, title, message: why }
}

fn problems(source: &Source, diagnostics: &[Diagnostic]) -> Vec<Note> {
    diagnostics.iter().map(|diagnostic| problem(source, diagnostic)).collect()
}

fn problem(source: &Source, diagnostic: &Diagnostic) -> Note {
    let (file, line, column) = source.place(diagnostic.at());
    let help = diagnostic.help.iter().map(|help| format!(" ({help})"));
    Note {
        weight: match diagnostic.severity {
            Severity::Error => Weight::Wrong,
            Severity::Warning => Weight::Warning,
        },
        file: file.display().to_string(),
        place: Some((line, Some(column))),
        title: diagnostic.code.to_owned(),
        message: diagnostic.message.clone() + &help.collect::<String>(),
    }
}

/// What is to be said of a scenario that was played: each expectation that is not as declared, or
/// that was never judged.
pub fn of_report(report: &Report) -> Vec<Note> {
    let mut notes = Vec::new();
    for expected in &report.expectations {
        let (weight, what) = match expected.status {
            Status::Holds | Status::ViolatedAsDeclared => continue,
            Status::NotAsDeclared => (Weight::Wrong, "not as declared"),
            Status::Vacuous => (Weight::Unproved, "vacuous"),
        };
        notes.push(Note {
            weight,
            file: report.file.clone(),
            place: Some((expected.line, None)),
            title: format!("{what}: {}", report.scenario),
            message: format!("{}: {}", text::sentence(expected), text::found(expected)),
        });
    }
    notes
}

/// The notes as workflow commands, a line each, the heaviest first. Of many, the last line counts
/// those that are not there.
pub fn annotations(notes: &[Note]) -> String {
    let mut notes: Vec<&Note> = notes.iter().collect();
    notes.sort_by_key(|note| note.weight);
    let (shown, rest) = notes.split_at(notes.len().min(MOST));
    let mut lines: String = shown.iter().map(|note| annotation(note)).collect();
    if let Some(heaviest) = rest.first() {
        let (word, more) = (heaviest.weight.word(), rest.len());
        let _ = writeln!(lines, "::{word} title=bootrace::and {more} more, see the summary");
    }
    lines
}

fn annotation(note: &Note) -> String {
    let Note { weight, file, place, title, message } = note;
    let mut line = format!("::{} file={}", weight.word(), property(file));
    if let Some((row, column)) = place {
        let _ = write!(line, ",line={row}");
        let _ = column.map(|column| write!(line, ",col={column}"));
    }
    let _ = writeln!(line, ",title={}::{}", property(&escaped(title)), data(&escaped(message)));
    line
}

/// A text as the data of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A text as a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A text in which no line is a workflow command, whatever names are in it. One of the older form
/// may begin anywhere in a line.
pub fn inert(text: &str) -> String {
    let inert = |line: &str| match line.trim_start().starts_with("::") {
        true => line.replacen("::", ": :", 1),
        false => line.to_owned(),
    };
    text.split_inclusive('\n').map(inert).collect::<String>().replace("##[", "## [")
}

/// All of it as Markdown: a table for each scenario, then what is to be said of the files.
pub fn summary(document: Option<&Document>, of_files: &[Note]) -> String {
    let mut summary = String::new();
    for report in document.iter().flat_map(|document| &document.reports) {
        section(&mut summary, report);
    }
    if let Some(stopped) = document.and_then(|document| document.stopped.as_ref()) {
        let _ = writeln!(summary, "**{stopped}**\n");
    }
    if !of_files.is_empty() {
        summary.push_str("### bootrace: scenario files\n\n");
    }
    for Note { weight, file, place, title, message } in of_files {
        let (file, message) = (markdown(file), markdown(message));
        let line = place.map_or_else(String::new, |(line, _)| format!(", line {line}"));
        let _ = writeln!(summary, "- {} in {file}{line}: {title}: {message}", weight.word());
    }
    summary
}

fn section(summary: &mut String, report: &Report) {
    let _ = writeln!(summary, "### bootrace: {}\n", markdown(&report.scenario));
    let _ = writeln!(summary, "{} of {}\n", text::seeds(report), markdown(&report.file));
    summary.push_str("| | expectation | found |\n|---|---|---|\n");
    for expected in &report.expectations {
        let (word, found) = (text::word(expected.status), text::found(expected));
        let sentence = markdown(&text::sentence(expected));
        let _ = writeln!(summary, "| {word} | {sentence} | {} |", markdown(&found));
    }
    // A block that is code by being indented has no end that a name could write.
    let (ending, replay) = (text::ending(report), text::replay(report));
    let _ = writeln!(summary, "\n**{ending}** To see a run of it:\n\n    {replay}\n");
}

/// A text as one line of Markdown that means itself: characters that would mean something are
/// written by number, which both Markdown and HTML leave alone.
fn markdown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in escaped(text).chars() {
        if r"\`*_[]<>|~&$#".contains(letter) {
            let _ = write!(line, "&#{};", u32::from(letter));
        } else {
            line.push(letter);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::testing::{STATUSES, document, hostile, report};
    use super::*;
    use crate::explore::Cut;
    use bootrace_sim::scenario::parse;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    /// The name, the properties and the data of a workflow command.
    type Command<'a> = (&'a str, Vec<(&'a str, String)>, String);

    /// A line as GitHub's runner reads it, if it is a workflow command.
    fn read(line: &str) -> Option<Command<'_>> {
        let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        let pairs = properties.split(',').filter_map(|pair| pair.split_once('='));
        let plain = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n");
        let property = |text: &str| plain(&text.replace("%3A", ":").replace("%2C", ","));
        let end = |text: String| text.replace("%25", "%");
        let pairs = pairs.map(|(key, value)| (key, end(property(value)))).collect();
        Some((name, pairs, end(plain(data))))
    }

    /// The texts of a Markdown document: headings, cells, code; and whether it has anything else
    /// than what a summary is made of.
    fn texts(markdown: &str) -> Vec<(&'static str, String)> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_MATH;
        let (mut texts, mut what, mut text) = (Vec::new(), "paragraph", String::new());
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Start(Tag::Heading { .. }) => what = "heading",
                Event::Start(Tag::TableCell) => what = "cell",
                Event::Start(Tag::CodeBlock(_)) => what = "code",
                Event::Start(Tag::Item) => what = "item",
                Event::Start(
                    Tag::Paragraph
                    | Tag::Table(_)
                    | Tag::TableHead
                    | Tag::TableRow
                    | Tag::Strong
                    | Tag::List(_),
                )
                | Event::End(TagEnd::Strong) => {}
                Event::Text(part) => text.push_str(&part),
                Event::End(_) if text.is_empty() && what != "cell" => {}
                Event::End(_) => {
                    texts.push((what, std::mem::take(&mut text)));
                    what = "paragraph";
                }
                other => texts.push(("foreign", format!("{other:?}"))),
            }
        }
        texts
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000, failure_persistence: None, ..Default::default()
        })]

        #[test]
        fn any_name_is_in_its_annotation_alone(
            file in hostile(), scenario in hostile(), schedule in hostile(),
        ) {
            let report = report(&file, &scenario, &schedule);
            let lines = annotations(&of_report(&report));
            prop_assert_eq!(lines.lines().count(), 2);
            prop_assert!(!lines.contains('\r'));
            for (line, what) in lines.lines().zip(["not as declared", "vacuous"]) {
                let (name, properties, data) = read(line).expect("it is a command");
                prop_assert_eq!(name, "error");
                let title = escaped(&format!("{what}: {scenario}"));
                let expected = [("file", file.clone()), ("line", "7".to_owned()), ("title", title)];
                prop_assert_eq!(properties, expected);
                prop_assert!(data.contains(&escaped(&schedule)), "{:?}", data);
            }
        }

        #[test]
        fn any_name_means_itself_in_the_summary(
            file in hostile(), scenario in hostile(), schedule in hostile(),
        ) {
            let markdown = summary(Some(&document(report(&file, &scenario, &schedule))), &[]);
            let texts = texts(&markdown);
            let of = |kind: &str| -> Vec<&str> {
                texts.iter().filter(|(what, _)| *what == kind).map(|(_, text)| text.as_str()).collect()
            };
            prop_assert_eq!(of("foreign"), [""; 0], "{}", markdown);
            let sentence = format!("always {}: firings per window at most 1", escaped(&schedule));
            let cells = of("cell");
            prop_assert_eq!(cells.len(), 3 + 3 * STATUSES.len());
            prop_assert_eq!(cells[4].trim(), sentence.trim());
            prop_assert_eq!(of("heading").len(), 1);
            let heading = format!("bootrace: {}", escaped(&scenario));
            prop_assert_eq!(of("heading")[0].trim(), heading.trim());
            let replay = format!("bootrace replay {} --seed 4\n", escaped(&file));
            prop_assert_eq!(of("code"), [replay]);
        }

        #[test]
        fn no_line_of_a_text_is_a_command(text in hostile()) {
            let inert = inert(&text);
            prop_assert!(inert.lines().all(|line| read(line).is_none()), "{:?}", inert);
            prop_assert!(!inert.contains("##["), "{:?}", inert);
        }
    }

    fn note(weight: Weight, title: &str) -> Note {
        let (file, message) = ("a.toml".to_owned(), "m".to_owned());
        Note { weight, file, place: Some((3, Some(1))), title: title.to_owned(), message }
    }

    #[test]
    fn ten_at_most_and_the_heaviest_first() {
        let mut notes = vec![note(Weight::Warning, "w"); 9];
        notes.push(note(Weight::Unproved, "u"));
        notes.push(note(Weight::Wrong, "x"));
        let lines = annotations(&notes);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[0], "::error file=a.toml,line=3,col=1,title=x::m");
        assert_eq!(lines[1], "::error file=a.toml,line=3,col=1,title=u::m");
        assert_eq!(lines[2], "::warning file=a.toml,line=3,col=1,title=w::m");
        assert_eq!(lines[9], "::warning title=bootrace::and 2 more, see the summary");
        assert_eq!(annotations(&notes[..9]).lines().count(), 9);
        let errors = vec![note(Weight::Wrong, "x"); 10];
        assert!(
            annotations(&errors).ends_with("::error title=bootrace::and 1 more, see the summary\n")
        );
        assert_eq!(annotations(&[]), "");
    }

    #[test]
    fn a_problem_is_at_its_place_and_in_the_summary() {
        let text = "format = 1\nname = 5\n".to_owned();
        let problems = parse(&text).expect_err("a file that is wrong");
        let source = Source { path: "a.toml".into(), text, base: None };
        let notes = of_file(&Err(Error::Bad(Box::new(source), problems)));
        let lines = annotations(&notes);
        let at = "::error file=a.toml,line=2,col=8,title=BR006::";
        assert!(lines.lines().any(|line| line.starts_with(at)), "{lines}");
        let summary = summary(None, &notes);
        assert!(summary.contains("- error in a.toml, line 2: BR006: "), "{summary}");
    }

    #[test]
    fn a_part_is_marked() {
        let document = Document::new(vec![report("a", "a", "a")], Some(&Cut::Stopped), 200);
        let summary = summary(Some(&document), &[]);
        assert!(summary.contains("**interrupted: 10 of 200 seeds**"), "{summary}");
    }
}
