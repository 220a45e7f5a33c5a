//! Values and tables of the spanned tree, read by the grammar of `shape.rs`.
//!
//! Opening a table judges all of its keys, so that the code that reads the values asks only for
//! keys that are there. No key that the grammar does not have is ever passed over.

use toml::de::{DeTable, DeValue};

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::context::Context;
use super::names::{ALIASES, Alias, foreign, nearest, shown};
use super::shape::{self, Shape};

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    pub(super) value: &'t DeValue<'t>,
    pub(super) span: TextSpan,
    /// What it is called in messages: a key, or a noun with its article.
    pub(super) name: &'static str,
}

impl<'t> Node<'t> {
    /// The text of a key of it, if it is a table that has such a key, whatever that means.
    pub(super) fn text(&self, key: &str) -> Option<&'t str> {
        let DeValue::Table(table) = self.value else { return None };
        match table.get(key)?.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Node<'_> {
    /// Its kind, with an article.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// The problem that it is of the wrong kind.
    pub(super) fn wrong(&self, expected: &str) -> Diagnostic {
        let message = format!("{} must be {expected}", self.title());
        let label = format!("this is {}", self.kind());
        Diagnostic::error(code::WRONG_TYPE, self.span, message).label(label)
    }

    /// Its name in a sentence: keys stand in backticks.
    pub(super) fn title(&self) -> String {
        if self.name.contains(' ') { self.name.to_owned() } else { format!("`{}`", self.name) }
    }
}

/// A key and its value as the file has them.
#[derive(Clone, Copy)]
pub(super) struct Entry<'t> {
    pub(super) key: &'t str,
    pub(super) at: TextSpan,
    value: &'t DeValue<'t>,
    span: TextSpan,
}

impl<'t> Entry<'t> {
    pub(super) fn node(&self, name: &'static str) -> Node<'t> {
        Node { value: self.value, span: self.span, name }
    }
}

/// The entries of a table in the order of the file; the tree has them in that of the alphabet.
pub(super) fn entries<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut entries: Vec<Entry<'t>> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref(),
            at: key.span().into(),
            value: value.get_ref(),
            span: value.span().into(),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// A key that the grammar has, with its value.
#[derive(Clone, Copy)]
pub(super) struct Known<'t> {
    pub(super) key: &'static str,
    pub(super) at: TextSpan,
    pub(super) node: Node<'t>,
}

/// A table whose keys have been judged.
pub(super) struct Table<'t> {
    /// Its header, or all of it if it has none.
    pub(super) at: TextSpan,
    entries: Vec<Known<'t>>,
    /// Whether it has a key that could not be read as anything: what seems to be missing may be
    /// what that key was meant to be.
    strange: bool,
}

impl<'t> Table<'t> {
    /// Opens a table of one shape.
    pub(super) fn open(
        cx: &mut Context<'t>,
        node: Node<'t>,
        shape: &'static Shape,
    ) -> Option<Table<'t>> {
        let table = Table::open_any(cx, node, std::slice::from_ref(shape), shape.noun)?;
        table.require(cx, shape);
        Some(table)
    }

    /// Opens a table that has one of several shapes; which, the caller finds out by its keys and
    /// says with [`Table::narrow`].
    pub(super) fn open_any(
        cx: &mut Context<'t>,
        node: Node<'t>,
        shapes: &'static [Shape],
        noun: &str,
    ) -> Option<Table<'t>> {
        match node.value {
            DeValue::Table(raw) => Some(Table::of(cx, raw, node.span, shapes, noun)),
            _ => cx.fail(node.wrong("a table")),
        }
    }

    /// Opens the file itself.
    pub(super) fn top(cx: &mut Context<'t>, tree: &'t DeTable<'t>) -> Table<'t> {
        let table = Table::of(
            cx,
            tree,
            TextSpan::default(),
            std::slice::from_ref(&shape::TOP),
            shape::TOP.noun,
        );
        table.require(cx, &shape::TOP);
        table
    }

    fn of(
        cx: &mut Context<'t>,
        raw: &'t DeTable<'t>,
        at: TextSpan,
        shapes: &'static [Shape],
        noun: &str,
    ) -> Table<'t> {
        let raw = entries(raw);
        let has = |key: &str| shapes.iter().any(|shape| shape.has(key));
        let given: Vec<&str> = raw.iter().map(|entry| entry.key).filter(|key| has(key)).collect();
        let mut table = Table { at, entries: Vec::new(), strange: false };
        for entry in &raw {
            match judge(cx, entry, shapes, noun, &given) {
                Some(key) if table.get(key).is_none() => {
                    table.entries.push(Known { key, at: entry.at, node: entry.node(key) });
                }
                _ => table.strange = true,
            }
        }
        table
    }

    /// Reports the keys that the shape does not have and those that it needs.
    pub(super) fn narrow(&mut self, cx: &mut Context<'t>, shape: &'static Shape) {
        let (known, rest): (Vec<Known<'t>>, Vec<Known<'t>>) =
            self.entries.iter().copied().partition(|entry| shape.has(entry.key));
        for entry in &rest {
            cx.push(misplaced(entry.key, entry.key, entry.at, shape.noun));
        }
        self.strange |= !rest.is_empty();
        self.entries = known;
        self.require(cx, shape);
    }

    fn require(&self, cx: &mut Context<'t>, shape: &'static Shape) {
        let missing: Vec<String> = shape
            .required
            .iter()
            .filter(|key| self.get(key).is_none())
            .map(|key| format!("`{key}`"))
            .collect();
        if !missing.is_empty() {
            let message = format!("{} needs {}", shape.noun, missing.join(" and "));
            let label = if self.at.start == self.at.end { "" } else { "missing here" };
            cx.push(Diagnostic::error(code::MISSING_KEY, self.at, message).label(label));
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'t>> {
        self.known(key).map(|entry| entry.node)
    }

    /// The value with the place of its key.
    pub(super) fn known(&self, key: &str) -> Option<Known<'t>> {
        self.entries.iter().find(|entry| entry.key == key).copied()
    }

    /// Whether some key of it could not be read as anything.
    pub(super) fn strange(&self) -> bool {
        self.strange
    }

    /// Takes a key out, so that it is not judged further.
    pub(super) fn take(&mut self, key: &str) -> Option<Known<'t>> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// The one of some keys that is given, if it is exactly one.
    pub(super) fn exactly_one(
        &self,
        cx: &mut Context<'t>,
        noun: &str,
        keys: &[&'static str],
    ) -> Option<Known<'t>> {
        let mut given = self.entries.iter().filter(|entry| keys.contains(&entry.key));
        match (given.next(), given.next()) {
            (Some(one), None) => Some(*one),
            (Some(one), Some(other)) => {
                let message =
                    format!("{noun} has either `{}` or `{}`, not both", one.key, other.key);
                let problem = Diagnostic::error(code::EXACTLY_ONE, other.at, message);
                cx.fail(problem.and(one.at, "the other one"))
            }
            (None, _) if self.strange => None,
            (None, _) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
                let message = format!("{noun} needs one of {}", keys.join(", "));
                cx.fail(Diagnostic::error(code::EXACTLY_ONE, self.at, message))
            }
        }
    }
}

/// The elements of a list.
pub(super) fn list<'t>(
    cx: &mut Context<'t>,
    node: Node<'t>,
    element: &'static str,
    help: Option<&str>,
) -> Vec<Node<'t>> {
    const MOST: usize = 1000;
    let DeValue::Array(array) = node.value else {
        let mut problem = node.wrong("a list");
        problem.help = help.map(str::to_owned);
        cx.push(problem);
        return Vec::new();
    };
    if array.len() > MOST {
        let message =
            format!("{} has {} entries, and a list has at most {MOST}", node.title(), array.len());
        cx.push(Diagnostic::error(code::LIMIT, node.span, message));
        return Vec::new();
    }
    array
        .iter()
        .map(|value| Node { value: value.get_ref(), span: value.span().into(), name: element })
        .collect()
}

/// What a key of the file is read as, if it can be read as anything. Whatever is wrong with it is
/// reported; a key that was surely or probably meant is read as that one, so that nothing else
/// is missing because of it.
fn judge<'t>(
    cx: &mut Context<'t>,
    entry: &Entry<'t>,
    shapes: &'static [Shape],
    noun: &str,
    given: &[&str],
) -> Option<&'static str> {
    let Entry { key, at, .. } = *entry;
    let keys = || shapes.iter().flat_map(Shape::keys);
    if let Some(known) = keys().find(|known| *known == key) {
        return Some(known);
    }
    if shapes.iter().any(|shape| shape.later.contains(&key)) {
        return cx.fail(not_yet(key, at));
    }
    if let Some(help) = foreign(key, noun) {
        let message = format!("{noun} has no key {}", shown(key));
        return cx.fail(Diagnostic::error(code::UNKNOWN_KEY, at, message).help(help));
    }
    let free = || keys().filter(|key| !given.contains(key));
    let aliases = || ALIASES.iter().filter(|alias| alias.theirs == key);
    if let Some((alias, ours)) =
        aliases().find_map(|alias| Some((alias, free().find(|key| *key == alias.ours)?)))
    {
        cx.push(renamed(alias, at));
        return Some(ours);
    }
    // Nobody reads suggestions for problems that are not listed.
    let guess = if cx.is_full() { None } else { nearest(key, free()) };
    if let Some(guess) = guess.filter(|guess| guess.certain) {
        let message = format!("unknown key {} in {noun}", shown(key));
        let label = format!("this is `{}` here", guess.name);
        let problem = Diagnostic::error(code::UNKNOWN_KEY, at, message).label(label);
        cx.push(problem.help("rename it").rename(guess.name));
        return Some(guess.name);
    }
    if let Some(problem) = elsewhere(key, at, noun, aliases()) {
        return cx.fail(problem);
    }
    let problem =
        Diagnostic::error(code::UNKNOWN_KEY, at, format!("unknown key {} in {noun}", shown(key)));
    if let Some(guess) = guess {
        cx.push(problem.help(format!("did you mean `{}`?", guess.name)));
        return Some(guess.name);
    }
    match nearest(key, given.iter().copied()).filter(|_| !cx.is_full()) {
        Some(guess) => {
            cx.fail(problem.help(format!("did you mean `{}`, which is given already?", guess.name)))
        }
        None => cx.fail(problem.help(takes(noun, shapes, given))),
    }
}

/// The problem that a key belongs in another table, or to another version.
fn elsewhere(
    key: &str,
    at: TextSpan,
    noun: &str,
    mut aliases: impl Iterator<Item = &'static Alias>,
) -> Option<Diagnostic> {
    if shape::all().any(|shape| shape.has(key)) {
        return Some(misplaced(key, key, at, noun));
    }
    if shape::all().any(|shape| shape.later.contains(&key)) {
        return Some(not_yet(key, at));
    }
    let alias = aliases.next()?;
    if shape::all().any(|shape| shape.later.contains(&alias.ours)) {
        return Some(not_yet(alias.ours, at).label(format!("{} `{}`", alias.of, alias.theirs)));
    }
    let problem = misplaced(key, alias.ours, at, noun);
    Some(problem.label(format!("{} `{}` is `{}` here", alias.of, alias.theirs, alias.ours)))
}

fn not_yet(key: &str, at: TextSpan) -> Diagnostic {
    let message = format!(
        "`{key}` is part of the format, but this version of bootrace does not simulate it yet"
    );
    Diagnostic::error(code::NOT_YET, at, message)
}

fn renamed(alias: &Alias, at: TextSpan) -> Diagnostic {
    let Alias { theirs, ours, of } = alias;
    Diagnostic::error(code::UNKNOWN_KEY, at, format!("unknown key `{theirs}`"))
        .label(format!("{of} `{theirs}` is `{ours}` here"))
        .help("rename it")
        .rename(*ours)
}

/// The problem that `key`, called `ours` in this format, belongs in another table.
fn misplaced(key: &str, ours: &str, at: TextSpan, noun: &str) -> Diagnostic {
    const MOST: usize = 3;
    let mut places: Vec<&str> =
        shape::all().filter(|shape| shape.has(ours)).map(|shape| shape.noun).collect();
    let more = places.len() > MOST;
    places.truncate(MOST);
    let mut places = places.join(", ");
    if more {
        places.push_str(" and others");
    }
    Diagnostic::error(code::MISPLACED_KEY, at, format!("{noun} has no key {}", shown(key)))
        .help(format!("`{ours}` belongs in {places}"))
}

/// What a table takes. Of several shapes it is the one whose action is given; if none is, an action
/// is what is missing.
fn takes(noun: &str, shapes: &[Shape], given: &[&str]) -> String {
    let action = |shape: &&Shape| shape.required.first().is_some_and(|key| given.contains(key));
    let (noun, mut keys): (&str, Vec<&str>) = match shapes {
        [shape] => (noun, shape.keys().collect()),
        // The step that only opens a queue has a key that others have, too.
        _ => match shapes.iter().filter(action).max_by_key(|shape| shape.keys().count()) {
            Some(shape) => (shape.noun, shape.keys().collect()),
            None => {
                (noun, shapes.iter().filter_map(|shape| shape.required.first().copied()).collect())
            }
        },
    };
    keys.sort_unstable();
    let keys: Vec<String> = keys.into_iter().map(|key| format!("`{key}`")).collect();
    match &keys[..] {
        [] => format!("{noun} takes no keys"),
        keys => format!("{noun} takes {}", keys.join(", ")),
    }
}
