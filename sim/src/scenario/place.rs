//! Where the value of a path stands in the text of a scenario.
//!
//! It reads the tree of a text that `parse` has read, and judges nothing: what is not there is
//! nowhere.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Base, TextSpan, merged};

/// A step down the tree of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// To the value of a key.
    Key(Box<str>),
    /// To an element of a list, counted from 0.
    Index(usize),
}

impl Part {
    /// To the value of a key.
    #[must_use]
    pub fn key(key: &str) -> Part {
        Part::Key(key.into())
    }
}

/// The way to a value from the top of a file.
pub type Path = Vec<Part>;

/// The tree of a text, by path.
#[derive(Debug)]
pub struct Places<'t>(DeTable<'t>);

impl<'t> Places<'t> {
    /// The places of a text and of the base that it extends; there are none in what is no TOML.
    #[must_use]
    pub fn of(text: &'t str, base: Option<&'t Base>) -> Places<'t> {
        Places(merged(text, base))
    }

    /// Where a value stands. Where the file says in one word what the path takes apart, that is
    /// the place; and a table that stands for a list of one is its element.
    #[must_use]
    pub fn value(&self, path: &[Part]) -> Option<TextSpan> {
        value(&self.0, path)
    }
}

/// Where the value of a path stands in a tree.
pub(super) fn value(tree: &DeTable<'_>, path: &[Part]) -> Option<TextSpan> {
    find(tree, path).map(|value| value.span().into())
}

fn find<'v, 't>(tree: &'v DeTable<'t>, path: &[Part]) -> Option<&'v Spanned<DeValue<'t>>> {
    let (first, rest) = path.split_first()?;
    let Part::Key(key) = first else { return None };
    let mut at = tree.get(&**key)?;
    for part in rest {
        at = match (part, at.get_ref()) {
            (Part::Key(key), DeValue::Table(table)) => table.get(&**key)?,
            (Part::Index(index), DeValue::Array(array)) => array.get(*index)?,
            (Part::Key(_), DeValue::Array(_)) => return None,
            (Part::Index(0), DeValue::Table(_)) => at,
            (Part::Index(_), DeValue::Table(_)) => return None,
            // One word for what the path takes apart.
            _ => break,
        };
    }
    Some(at)
}

/// The text of a path in a tree, if it is one.
pub(super) fn text<'t>(tree: &'t DeTable<'_>, path: &[Part]) -> Option<&'t str> {
    match find(tree, path)?.get_ref() {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(text: &'t str, path: &[Part]) -> Option<&'t str> {
        let at = Places::of(text, None).value(path)?;
        text.get(at.start..at.end)
    }

    #[test]
    fn values_are_found_however_they_are_written() {
        let text = "a = { b = [ { c = 1 }, { c = '2s' } ] }\n[d.e]\nf.g = 3\n[[h]]\ni = 4\n[k]\nl = { m = 5 }";
        let key = Part::key;
        let at = |index| Part::Index(index);
        for (path, expected) in [
            (vec![key("a"), key("b"), at(1), key("c")], Some("'2s'")),
            (vec![key("a"), key("b"), at(1), key("c"), key("type")], Some("'2s'")),
            (vec![key("d"), key("e"), key("f"), key("g")], Some("3")),
            (vec![key("h"), at(0), key("i")], Some("4")),
            (vec![key("k"), key("l"), at(0), key("m")], Some("5")),
            (vec![key("k"), key("l"), at(1), key("m")], None),
            (vec![key("h"), at(1), key("i")], None),
            (vec![key("d"), key("f")], None),
            (vec![], None),
        ] {
            assert_eq!(found(text, &path), expected, "{path:?}");
        }
    }

    #[test]
    fn what_is_no_toml_has_no_places_that_could_mislead() {
        assert_eq!(found("= = =", &[Part::key("a")]), None);
    }
}
