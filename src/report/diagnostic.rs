//! Diagnostics as text for a terminal, in the manner of rustc: code, file, line, caret, way out.
//!
//! It asks no terminal for its width and no environment for colours, so that the same problems
//! make the same text everywhere. Whatever the file has in it, the text obeys nothing: controls
//! and marks that reorder or hide text are shown as what they are.

use crate::load::Source;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Message, Origin, Patch, Renderer, Snippet,
};
use bootrace_sim::scenario::{Diagnostic, Severity, TextSpan};
use std::path::Path;

/// Wider than any line that is worth reading, so that lines are cut alike everywhere.
const WIDTH: usize = 200;

/// Renders diagnostics of a file, or of the one that it extends, one after the other.
#[must_use]
pub fn render(source: &Source, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
    let renderer = renderer.term_width(WIDTH);
    let mut files = vec![Shown::new(&source.path, &source.text, 0)];
    files.extend(source.base.iter().map(|(path, base)| Shown::new(path, base.text(), base.at())));
    let mut rendered = String::new();
    for diagnostic in diagnostics {
        rendered.push_str(&renderer.render(&groups(&files, diagnostic)));
        rendered.push_str("\n\n");
    }
    rendered
}

/// The parts of one diagnostic: the problem, and the replacement if there is a certain one.
fn groups<'a>(files: &'a [Shown<'_>], diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(escaped(&diagnostic.message)).id(diagnostic.code);
    let mut problem = Group::with_title(title);
    let primary = file_of(files, diagnostic.at());
    // The file of the primary place comes first.
    let others = files.iter().filter(|file| !std::ptr::eq(*file, primary));
    for file in std::iter::once(primary).chain(others) {
        let labels = diagnostic.labels.iter().enumerate();
        let labels = labels.filter(|(_, (at, _))| std::ptr::eq(file_of(files, *at), file));
        if let Some((_, (at, _))) = labels.clone().find(|(_, (at, _))| file.is_long(*at)) {
            let (line, column) = file.line_column(*at);
            problem = problem.element(Origin::path(&file.path).line(line).char_column(column));
            continue;
        }
        let annotations: Vec<_> = labels
            .map(|(number, label)| match number {
                0 => annotation(file, AnnotationKind::Primary, label),
                _ => annotation(file, AnnotationKind::Context, label),
            })
            .collect();
        if annotations.is_empty() {
            continue;
        }
        if file.text.trim().is_empty() {
            // There is no line to point at.
            problem = problem.element(Origin::path(&file.path).line(1).char_column(1));
        } else {
            let snippet = Snippet::source(&file.text).path(&file.path);
            problem = problem.element(snippet.annotations(annotations));
        }
    }
    let replacement = diagnostic.rename.as_ref().filter(|_| !primary.is_long(diagnostic.at()));
    let Some(replacement) = replacement else {
        return vec![problem.elements(diagnostic.help.iter().map(|help| message(help)))];
    };
    let help = diagnostic.help.as_deref().unwrap_or("write it so");
    let patch = Patch::new(primary.place(diagnostic.at()), escaped(replacement));
    let fix = Group::with_title(Level::HELP.secondary_title(escaped(help)))
        .element(Snippet::source(&primary.text).path(&primary.path).patch(patch));
    vec![problem, fix]
}

/// The file that a place lies in.
fn file_of<'a, 's>(files: &'a [Shown<'s>], at: TextSpan) -> &'a Shown<'s> {
    let begun = files.iter().rev().find(|file| file.begins <= at.start);
    begun.unwrap_or(&files[0])
}

fn message<'a>(help: &str) -> Message<'a> {
    Level::HELP.message(escaped(help))
}

fn annotation<'a>(
    file: &Shown<'_>,
    kind: AnnotationKind,
    (at, label): &'a (TextSpan, String),
) -> Annotation<'a> {
    let annotation = kind.span(file.place(*at));
    if label.is_empty() { annotation } else { annotation.label(escaped(label)) }
}

/// The text of a file as it can be shown, and where each place of the file is in it.
struct Shown<'s> {
    path: String,
    /// Where its text begins among all places.
    begins: usize,
    /// What the file says.
    said: &'s str,
    text: String,
    /// Places of the file and how far everything behind them moved. Not each place has its own,
    /// since a file can be of nothing else: between two of them it is counted anew.
    moved: Vec<(usize, usize)>,
    /// The byte order mark, which is not shown.
    mark: usize,
}

impl Shown<'_> {
    fn new<'s>(path: &Path, text: &'s str, begins: usize) -> Shown<'s> {
        let shown = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mark = text.len() - shown.len();
        let (mut escaped_text, mut moved, mut by) =
            (String::with_capacity(shown.len()), Vec::new(), 0);
        for (at, c) in shown.char_indices() {
            let place = mark + at;
            if moved.last().map_or(0, |&(last, _)| last) + COUNTED <= place {
                moved.push((place, by));
            }
            match longer(c, &shown[at..]) {
                Some(longer) => {
                    escaped_text.extend(c.escape_unicode());
                    by += longer;
                }
                None => escaped_text.push(c),
            }
        }
        let path = escaped(&path.display().to_string());
        Shown { path, begins, said: text, text: escaped_text, moved, mark }
    }

    /// Where a place of the file is in the shown text, never more than one line of it: a caret
    /// under many lines points at nothing.
    fn place(&self, at: TextSpan) -> std::ops::Range<usize> {
        let start = self.offset(at.start);
        let end = self.offset(at.end).max(start);
        let line = self.text[start..end].find('\n').map_or(end, |newline| start + newline);
        start..line.min(end)
    }

    /// The bounds of the line in which a place lies.
    fn line(&self, at: TextSpan) -> std::ops::Range<usize> {
        let at = self.offset(at.start);
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        start..end
    }

    /// Whether the line in which a place lies is too long to be shown.
    fn is_long(&self, at: TextSpan) -> bool {
        self.line(at).len() > LINE_MAX
    }

    fn line_column(&self, at: TextSpan) -> (usize, usize) {
        let line = self.line(at).start;
        let lines = self.text[..line].bytes().filter(|&byte| byte == b'\n').count();
        (lines + 1, self.text[line..self.offset(at.start)].chars().count() + 1)
    }

    fn offset(&self, at: usize) -> usize {
        let at = at.saturating_sub(self.begins).min(self.said.len()).max(self.mark);
        let passed = self.moved.partition_point(|&(place, _)| place <= at);
        let (from, by) = passed.checked_sub(1).map_or((self.mark, 0), |last| self.moved[last]);
        let rest = &self.said[from..];
        let before = rest.char_indices().take_while(|(place, c)| from + place + c.len_utf8() <= at);
        let by: usize =
            by + before.filter_map(|(place, c)| longer(c, &rest[place..])).sum::<usize>();
        let mut offset = (at - self.mark + by).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// The longest line that is shown, in bytes: of a longer one nobody reads more than where it is,
/// and to cut it takes the time of all of it for each of its problems.
const LINE_MAX: usize = 4096;

/// How many bytes of a file are counted anew, at most, to find where a place of it is.
const COUNTED: usize = 4096;

/// By how much a character is longer if it is shown in an escape; none if it is shown as it is.
fn longer(c: char, rest: &str) -> Option<usize> {
    let line_end = c == '\n' || (c == '\r' && rest.starts_with("\r\n"));
    let escape = !line_end && c != '\t' && is_unseen(c);
    escape.then(|| c.escape_unicode().len() - c.len_utf8())
}

/// A text in which every character can be seen, on one line.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character acts on the text around it instead of being seen, or is none.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use bootrace_sim::scenario::parse;

    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.to_owned(), base: None }
    }

    fn rendered(text: &str) -> String {
        let problems = parse(text).expect_err("a file that is wrong");
        render(&source("a.toml", text), &problems, false)
    }

    #[test]
    fn a_certain_name_is_shown_as_a_change() {
        let text = "format = 1\nname = \"a\"\nlenght = 3\n[queue.q]\ndefaultJobOptions = {}\n";
        let expected = "\
error[BR003]: unknown key `defaultJobOptions`
 --> a.toml:5:1
  |
5 | defaultJobOptions = {}
  | ^^^^^^^^^^^^^^^^^ BullMQ's `defaultJobOptions` is `default_job_options` here
  |
help: rename it
  |
5 - defaultJobOptions = {}
5 + default_job_options = {}
  |
";
        assert!(rendered(text).contains(expected), "{}", rendered(text));
    }

    #[test]
    fn nothing_of_the_file_acts_on_the_terminal() {
        let text = "\u{feff}format = 2 # \u{202e}\u{7}é\r\nx = '\u{1b}]8;;' # \u{200b}\n";
        let shown = rendered(text);
        let seen = |c: char| c == '\n' || !is_unseen(c);
        assert!(shown.chars().all(seen), "{shown:?}");
        assert!(shown.contains("\\u{1b}]8;;"), "{shown}");
        let path = render(&source("\u{1b}[31m.toml", ""), &parse("").expect_err("empty"), false);
        assert!(path.starts_with("error[BR010]: ") && path.chars().all(seen), "{path:?}");
    }

    #[test]
    fn places_move_with_what_is_escaped() {
        let text = "\u{feff}# \u{202e}\nformat = 1 # \u{ad}\nname = 5\n";
        let shown = rendered(text);
        let expected = " --> a.toml:3:8\n  |\n3 | name = 5\n  |        ^ this is a whole number\n";
        assert!(shown.contains(expected), "{shown}");
    }

    #[test]
    fn of_a_long_line_only_the_place_is_shown() {
        let text = format!("\n[service.a]\nx = \"{}\"\n", "y".repeat(LINE_MAX));
        let shown = rendered(&text);
        assert!(shown.contains("\n--> a.toml:3:1\n") && shown.len() < 2000, "{shown}");
        assert!(!shown.contains("yyy"), "{shown}");
    }

    #[test]
    fn places_anywhere_are_rendered() {
        let texts = ["", "\n", "é\u{202e}é\n\nx", "\u{feff}", "a\r\nb", "a\tb = \u{1}\u{1}\u{1}"];
        for text in texts {
            for start in 0..=text.len() + 1 {
                for end in start..=text.len() + 1 {
                    let problem = Diagnostic::error("BR001", TextSpan::new(start, end), "m")
                        .and(TextSpan::new(0, start), "a second place")
                        .rename("r");
                    let problem = [problem];
                    let shown = render(&source("a.toml", text), &problem, true);
                    assert!(shown.contains("BR001"));
                    assert!(!render(&source("a.toml", text), &problem, false).contains('\u{1b}'));
                }
            }
        }
    }
}
