//! The text of a scenario as a tree, in the order of its author, and a text again that a person can
//! read. It knows no meaning: whether what is left is a scenario, the parser says.

use bootrace_sim::choices::Name;
use bootrace_sim::scenario::{Part, Path, bare, quoted};
use std::fmt::Write as _;
use toml::de::{DeTable, DeValue};

/// Tables of tables with names: each stands in a block of its own.
const NAMED: [&str; 6] = ["schedule", "queue", "job", "release", "service", "alert"];

/// The longest line with several tables in it.
const LONGEST: usize = 100;

/// The longest key for which the others of its block wait.
const WIDEST: usize = 10;

/// A value of the text.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Node {
    /// Keys and their values, in order.
    Table(Vec<(String, Node)>),
    /// A list.
    List(Vec<Node>),
    /// A text in quotes.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Anything else, as it is written: an instant, true, false.
    Word(String),
}

impl Node {
    /// The tree of a text that the parser of scenarios has taken. None if it is no TOML.
    pub(super) fn read(text: &str) -> Option<Node> {
        DeTable::parse(text).ok().map(|table| Node::table(table.get_ref()))
    }

    fn table(table: &DeTable<'_>) -> Node {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): &(&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.to_string(), Node::of(value.get_ref()))
        };
        Node::Table(entries.iter().map(entry).collect())
    }

    fn of(value: &DeValue<'_>) -> Node {
        match value {
            DeValue::String(text) => Node::Text(text.to_string()),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => Node::Number(number),
                    Err(_) => Node::Word(integer.as_str().to_owned()),
                }
            }
            DeValue::Float(float) => Node::Word(float.as_str().to_owned()),
            DeValue::Boolean(value) => Node::Word(value.to_string()),
            DeValue::Datetime(moment) => Node::Word(moment.to_string()),
            DeValue::Array(array) => {
                Node::List(array.iter().map(|value| Node::of(value.get_ref())).collect())
            }
            DeValue::Table(table) => Node::table(table),
        }
    }

    /// What stands at a path.
    pub(super) fn get(&self, path: &[Part]) -> Option<&Node> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        match (self, first) {
            (Node::Table(entries), Part::Key(key)) => {
                entries.iter().find(|(name, _)| **name == **key)?.1.get(rest)
            }
            (Node::List(list), Part::Index(index)) => list.get(*index)?.get(rest),
            _ => None,
        }
    }

    fn get_mut(&mut self, path: &[Part]) -> Option<&mut Node> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        match (self, first) {
            (Node::Table(entries), Part::Key(key)) => {
                entries.iter_mut().find(|(name, _)| **name == **key)?.1.get_mut(rest)
            }
            (Node::List(list), Part::Index(index)) => list.get_mut(*index)?.get_mut(rest),
            _ => None,
        }
    }

    /// Puts a value at a path; a key that is not there comes last in its table.
    pub(super) fn set(&mut self, path: &[Part], value: Node) {
        if let Some(node) = self.get_mut(path) {
            *node = value;
            return;
        }
        if let Some((Part::Key(key), above)) = path.split_last()
            && let Some(Node::Table(entries)) = self.get_mut(above)
        {
            entries.push((key.to_string(), value));
        }
    }

    /// Takes out what stands at a path.
    pub(super) fn remove(&mut self, path: &[Part]) -> Option<Node> {
        let (last, above) = path.split_last()?;
        match (self.get_mut(above)?, last) {
            (Node::Table(entries), Part::Key(key)) => {
                let place = entries.iter().position(|(name, _)| **name == **key)?;
                Some(entries.remove(place).1)
            }
            (Node::List(list), Part::Index(index)) if *index < list.len() => {
                Some(list.remove(*index))
            }
            _ => None,
        }
    }

    /// The paths of everything below, in order, and how much each is.
    pub(super) fn paths(&self) -> Vec<(Path, usize)> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, at: &mut Path, paths: &mut Vec<(Path, usize)>) -> usize {
        let mut below: Vec<(Part, &Node)> = Vec::new();
        match self {
            Node::Table(entries) => {
                below.extend(entries.iter().map(|(key, node)| (Part::key(key), node)));
            }
            Node::List(list) => {
                below.extend(
                    list.iter().enumerate().map(|(place, node)| (Part::Index(place), node)),
                );
            }
            _ => {}
        }
        let mut all = 1;
        for (part, node) in below {
            at.push(part);
            let place = paths.len();
            paths.push((at.clone(), 0));
            let size = node.collect(at, paths);
            paths[place].1 = size;
            all += size;
            at.pop();
        }
        all
    }

    /// The text of a scenario, with answers if it has any.
    pub(super) fn print(&self, answers: Option<&[(Name, u32)]>) -> String {
        let Node::Table(entries) = self else { return String::new() };
        let is_block = |(key, node): &&(String, Node)| match node {
            Node::Table(_) => true,
            Node::List(list) => ["event", "expect"].contains(&&**key) && !list.is_empty(),
            _ => false,
        };
        let (blocks, top): (Vec<_>, Vec<_>) = entries.iter().partition(is_block);
        let mut text = String::new();
        lines(&mut text, top.into_iter());
        // Before all that must be there, so that no part of a file passes for all of it.
        if let Some(answers) = answers {
            text.push_str("\n[answers]\n");
            for (name, answer) in answers {
                let _ = writeln!(text, "{} = {answer}", quoted(&name.to_string()));
            }
        }
        for (key, node) in blocks {
            match node {
                Node::Table(named) if NAMED.contains(&&**key) => {
                    for (name, node) in named {
                        block(&mut text, &format!("{key}.{}", bare(name)), node);
                    }
                }
                Node::List(list) => {
                    list.iter().for_each(|node| element(&mut text, key, node));
                }
                Node::Table(entries) if entries.is_empty() => {}
                node => block(&mut text, key, node),
            }
        }
        text
    }
}

/// A table with its header; jobs of a release follow it.
fn block(text: &mut String, header: &str, node: &Node) {
    let _ = writeln!(text, "\n[{header}]");
    let Node::Table(entries) = node else { return };
    let is_block = |(key, node): &&(String, Node)| key == "job" && matches!(node, Node::Table(_));
    let (blocks, own): (Vec<_>, Vec<_>) = entries.iter().partition(is_block);
    lines(text, own.into_iter());
    for (key, node) in blocks {
        let Node::Table(named) = node else { continue };
        for (name, node) in named {
            block(text, &format!("{header}.{key}.{}", bare(name)), node);
        }
    }
}

fn element(text: &mut String, header: &str, node: &Node) {
    let _ = writeln!(text, "\n[[{header}]]");
    if let Node::Table(entries) = node {
        lines(text, entries.iter());
    }
}

/// Keys and values one a line, the values in one column.
fn lines<'n>(text: &mut String, entries: impl Iterator<Item = &'n (String, Node)> + Clone) {
    let widths = entries.clone().map(|(key, _)| bare(key).len()).filter(|width| *width <= WIDEST);
    let width = widths.max().unwrap_or(0);
    for (key, node) in entries {
        let _ = writeln!(text, "{:<width$} = {}", bare(key), value(node));
    }
}

/// A value; a list of several tables goes over several lines if it is long.
fn value(node: &Node) -> String {
    let short = inline(node);
    let Node::List(list) = node else { return short };
    let tables = list.iter().all(|node| matches!(node, Node::Table(_)));
    if !tables || list.is_empty() || (list.len() == 1 && short.len() < LONGEST) {
        return short;
    }
    let lines: String = list.iter().map(|node| format!("  {},\n", inline(node))).collect();
    format!("[\n{lines}]")
}

fn inline(node: &Node) -> String {
    match node {
        Node::Text(text) => quoted(text),
        Node::Number(number) => number.to_string(),
        Node::Word(word) => word.clone(),
        Node::List(list) => {
            let all: Vec<String> = list.iter().map(inline).collect();
            match list.iter().any(|node| matches!(node, Node::Table(_))) {
                true => format!("[ {} ]", all.join(", ")),
                false => format!("[{}]", all.join(", ")),
            }
        }
        Node::Table(entries) if entries.is_empty() => "{}".to_owned(),
        Node::Table(entries) => {
            let entry = |(key, node): &(String, Node)| format!("{} = {}", bare(key), inline(node));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootrace_sim::scenario::{Scenario, parse};

    fn scenario(text: &str) -> Scenario {
        let (mut scenario, _) =
            parse(text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        scenario.expectations.iter_mut().for_each(|expectation| expectation.at = 0);
        scenario
    }

    #[test]
    fn what_is_printed_is_the_same_scenario() {
        let everything = include_str!("../../sim/src/scenario/print/everything.toml");
        let before = include_str!("../../scenarios/free-tier-usage/before.toml");
        for text in [everything, before] {
            let tree = Node::read(text).expect("it is TOML");
            let printed = tree.print(None);
            assert_eq!(scenario(&printed), scenario(text), "{printed}");
            assert_eq!(Node::read(&printed).expect("it is TOML").print(None), printed);
        }
    }

    #[test]
    fn the_author_s_order_and_layout_stay() {
        let text = "format = 1\nname   = \"a\"\n\n[service.b]\nrelease  = \"c\"\nreplicas = 3\n\n\
                    [release.c]\nlibrary = \"bullmq@5.34.10\"\nsteps   = [\n  { worker = \"q\" },\n  \
                    { sleep = \"1s\" },\n]\n\n[[expect]]\nalways = \"d\"\n";
        assert_eq!(Node::read(text).expect("it is TOML").print(None), text);
    }

    #[test]
    fn paths_name_everything_once() {
        let tree = Node::read("a = [ { b = 1 }, 2 ]\nc = { d = 'e' }\n").expect("it is TOML");
        let paths = tree.paths();
        let sizes: Vec<usize> = paths.iter().map(|(_, size)| *size).collect();
        assert_eq!(sizes, [4, 2, 1, 1, 2, 1]);
        for (path, _) in &paths {
            let mut less = tree.clone();
            assert_eq!(less.remove(path).as_ref(), tree.get(path));
            assert_ne!(less.get(path), tree.get(path), "{path:?}");
        }
    }
}
