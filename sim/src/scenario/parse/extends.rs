//! `extends`: a file that says only what is other than in another file, its base.
//!
//! The two are one text to everything behind this: the base's places lie behind those of the file
//! that extends it. Tables merge by key, and anything else that both have is the file's own. It
//! opens no file, and goes one level: a base that extends is refused.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::syntax;

/// The key.
pub(super) const KEY: &str = "extends";

/// The text of a base, so that its places come behind those of the text that extends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    /// As many spaces as the other text has bytes, then the base.
    padded: String,
    at: usize,
}

impl Base {
    /// The base `text` of the text `main`.
    #[must_use]
    pub fn behind(main: &str, text: &str) -> Base {
        let mut padded = " ".repeat(main.len());
        // A byte order mark stands at the beginning of a text or nowhere.
        match text.strip_prefix('\u{feff}') {
            Some(rest) => padded.extend(["   ", rest]),
            None => padded.push_str(text),
        }
        Base { padded, at: main.len() }
    }

    /// Where the base's first byte is.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The base's own text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.padded[self.at..]
    }
}

/// What a text extends, and where it says so; nothing if it says nothing that could be a path, or
/// is too large to be read.
#[must_use]
pub fn extends(text: &str) -> Option<(String, TextSpan)> {
    if syntax::too_big(text).is_some() {
        return None;
    }
    let (tree, _) = DeTable::parse_recoverable(text);
    let value = tree.get_ref().get(KEY)?;
    match value.get_ref() {
        DeValue::String(path) => Some((path.to_string(), value.span().into())),
        _ => None,
    }
}

/// The problem that what a file extends cannot be had.
#[must_use]
pub fn cannot_extend(at: TextSpan, why: &str) -> Diagnostic {
    let message = format!("the base cannot be read: {why}");
    Diagnostic::error(code::EXTENDS, at, message)
        .help("`extends` is the path of another scenario file, from this one's folder")
}

/// A tree and the keys that are given twice in it, or what keeps it from being read.
type Read<'t> = Result<(DeTable<'t>, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Reads a text and its base as one tree.
pub(super) fn read<'t>(text: &'t str, base: Option<&'t Base>) -> Read<'t> {
    let Some(base) = base else {
        let (tree, mut problems) = syntax::read(text)?;
        if let Some(value) = tree.get(KEY).filter(|value| value.get_ref().is_str()) {
            problems.push(cannot_extend(value.span().into(), "only this one text was given"));
        }
        return Ok((tree, problems));
    };
    let (mut tree, mut problems) = syntax::read(text)?;
    let (under, twice) = syntax::read(&base.padded)?;
    problems.extend(twice);
    if let (Some(first), Some(second)) = (tree.get(KEY), under.get(KEY)) {
        let message = "the base extends another file itself: only one level is read";
        let problem = Diagnostic::error(code::EXTENDS, first.span().into(), message);
        problems.push(problem.and(second.span().into(), "here"));
    }
    merge(&mut tree, under);
    Ok((tree, problems))
}

/// The tree of a text over its base, whatever is wrong with them.
pub(in super::super) fn merged<'t>(text: &'t str, base: Option<&'t Base>) -> DeTable<'t> {
    let tree = |text| DeTable::parse_recoverable(text).0.into_inner();
    let mut merged = tree(text);
    base.into_iter().for_each(|base| merge(&mut merged, tree(&base.padded)));
    merged
}

/// Puts under a table what it does not have itself.
fn merge<'t>(table: &mut DeTable<'t>, under: DeTable<'t>) {
    for (key, value) in under {
        let Some(own) = table.get_mut(&key) else {
            table.insert(key, value);
            continue;
        };
        if let (DeValue::Table(own), DeValue::Table(under)) =
            (own.get_mut(), Spanned::into_inner(value))
        {
            merge(own, under);
        }
    }
}
