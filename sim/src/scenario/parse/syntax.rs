//! From text to tree: size, TOML, duplicates, depth.
//!
//! It lets nothing through whose meaning would be a guess. After a fault of syntax the rest of
//! the tree is the parser's guess, so nothing else is reported then, and of the faults of one line
//! or one unclosed bracket only the first; keys given twice leave the tree sound.

use std::ops::Range as Bytes;

use toml::de::{DeTable, DeValue};

use super::super::diagnostic::{Diagnostic, Span as TextSpan, code};
use super::names::shown;

/// The longest text, in bytes.
const TEXT_MAX: usize = 4 << 20;

/// The most words, brackets, signs, quotes and the like in a text. The parser takes some hundred
/// bytes for each, and for rows of `+` or `=` (toml 1.2.2) time that grows with their square, so
/// that it is asked only if there are not too many.
const PIECES_MAX: usize = 100_000;

/// How deep lists and tables may nest.
const DEPTH_MAX: usize = 64;

/// How many faults of syntax, and how many duplicates, are listed; looking one up takes the time
/// of the whole tree.
const LISTED_MAX: usize = 50;

/// Reads the tree and the duplicates in it, or what keeps it from being read.
pub(super) fn read(text: &str) -> Result<(DeTable<'_>, Vec<Diagnostic>), Vec<Diagnostic>> {
    if let Some(problem) = too_big(text) {
        return Err(vec![problem]);
    }
    let (tree, errors) = DeTable::parse_recoverable(text);
    let tree = tree.into_inner();
    let (twice, errors): (Vec<_>, Vec<_>) = errors
        .into_iter()
        .partition(|error| error.message() == "duplicate key" && error.span().is_some());
    let mut faults = faults(text, &tree, errors);
    faults.extend(too_deep(&tree).filter(|_| faults.is_empty()).map(depth));
    let sound = twice.len() <= LISTED_MAX;
    let twice: Vec<Bytes<usize>> =
        twice.iter().take(LISTED_MAX).filter_map(toml::de::Error::span).collect();
    let sound = sound && faults.is_empty() && twice.iter().all(|at| same_kind(text, at));
    let causes = twice.iter().filter(|at| !follows(text, at, &twice));
    let mut problems: Vec<Diagnostic> =
        causes.map(|at| duplicate(text, &tree, at.clone())).collect();
    if sound {
        return Ok((tree, problems));
    }
    problems.extend(faults);
    problems.sort_by_key(Diagnostic::at);
    Err(problems)
}

/// The faults of syntax that are causes. Behind a bracket that is not closed nothing is what it
/// seems; and of one line's faults the first is the cause.
fn faults(text: &str, tree: &DeTable<'_>, mut errors: Vec<toml::de::Error>) -> Vec<Diagnostic> {
    let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    errors.sort_by_key(start);
    let mut faults = Vec::new();
    let mut last = None;
    for error in errors {
        let at = start(&error);
        let same_line = last
            .is_some_and(|last| text.get(last..at).is_some_and(|between| !between.contains('\n')));
        if same_line {
            continue;
        }
        last = Some(at);
        let (open, problem) = fault(text, tree, error.span(), error.message());
        faults.push(problem);
        if open || faults.len() == LISTED_MAX {
            break;
        }
    }
    faults
}

/// The problem that a text is too large for the parser, which is to be asked first.
pub(super) fn too_big(text: &str) -> Option<Diagnostic> {
    if text.len() > TEXT_MAX {
        let message =
            format!("the file has {} bytes, and a scenario has at most {TEXT_MAX}", text.len());
        return Some(Diagnostic::error(code::LIMIT, TextSpan::default(), message));
    }
    let mut in_word = false;
    let mut pieces = 0_usize;
    for byte in text.bytes() {
        let blank = byte == b' ' || byte == b'\t';
        // Each control is a fault of its own to the parser.
        let mark = b"[]{}=,.+-\"'".contains(&byte) || (byte.is_ascii_control() && !blank);
        pieces += usize::from(mark || (!blank && !in_word));
        in_word = !blank && !mark;
    }
    (pieces > PIECES_MAX).then(|| {
        let message = format!(
            "the file has {pieces} words and marks, and a scenario has at most {PIECES_MAX}"
        );
        Diagnostic::error(code::LIMIT, TextSpan::default(), message)
    })
}

/// A fault of syntax, and whether it leaves open in which list or table the rest of the text is.
fn fault(
    text: &str,
    tree: &DeTable<'_>,
    at: Option<Bytes<usize>>,
    message: &str,
) -> (bool, Diagnostic) {
    if message == "recursion limit" || message.starts_with("cannot recurse") {
        return (true, depth(at.map_or_else(|| most_dots(text), TextSpan::from)));
    }
    let at = TextSpan::from(at.unwrap_or(0..0));
    let open = ["array", "inline table", "key-value pairs", "cannot extend"];
    let open = open.iter().any(|words| message.contains(words));
    if let Some(start) = unclosed_before(text, tree, at.start) {
        let message = "this is not TOML: a list or table in braces is not closed before this line";
        let problem = Diagnostic::error(code::SYNTAX, at, message);
        return (true, problem.and(TextSpan::new(start, start + 1), "opened here"));
    }
    let nothing = at.start == at.end
        && text.get(at.start..).is_some_and(|rest| rest.starts_with(['}', ']', ',']));
    if message.starts_with("string values must be quoted")
        || (nothing && message.starts_with("invalid"))
    {
        return (open, unquoted(text, at));
    }
    let problem = Diagnostic::error(code::SYNTAX, at, format!("this is not TOML: {message}"));
    let behind_quote = text.get(..at.start).is_some_and(|text| text.ends_with(['"', '\'']));
    let problem = match message.starts_with("missing comma") && behind_quote {
        true => problem.help("is there a quote too many or too few before this?"),
        false => problem,
    };
    match innermost(text, tree, at.start, at.start).filter(|_| open) {
        Some(start) => (open, problem.and(TextSpan::new(start, start + 1), "opened here")),
        None => (open, problem),
    }
}

/// A value that is a bare word, or none.
fn unquoted(text: &str, at: TextSpan) -> Diagnostic {
    let word = text.get(at.start..at.end).unwrap_or_default();
    if word.is_empty() {
        return Diagnostic::error(code::SYNTAX, at, "this is not TOML: a value is missing");
    }
    let problem = Diagnostic::error(code::SYNTAX, at, "this is not TOML: a text must be in quotes");
    if word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return problem.help("put it in quotes").rename(format!("\"{word}\""));
    }
    problem
}

fn depth(at: TextSpan) -> Diagnostic {
    let message = format!("lists and tables nest at most {DEPTH_MAX} deep");
    Diagnostic::error(code::LIMIT, at, message)
}

/// The line with the most dots: the parser does not say where a key has too many parts.
fn most_dots(text: &str) -> TextSpan {
    let mut start = 0;
    let mut most = (0, TextSpan::default());
    for line in text.split('\n') {
        let dots = line.bytes().filter(|&byte| byte == b'.').count();
        if dots > most.0 {
            most = (dots, TextSpan::new(start, start + line.trim_end().len().min(80)));
        }
        start += line.len() + 1;
    }
    most.1
}

/// Where the first value stands that nests too deep.
fn too_deep(tree: &DeTable<'_>) -> Option<TextSpan> {
    // The parser has a limit of its own, so that this cannot go much deeper than ours.
    fn value(node: &toml::Spanned<DeValue<'_>>, depth: usize) -> Option<TextSpan> {
        if depth > DEPTH_MAX {
            return Some(node.span().into());
        }
        match node.get_ref() {
            DeValue::Array(array) => array.iter().find_map(|node| value(node, depth + 1)),
            DeValue::Table(table) => table.values().find_map(|node| value(node, depth + 1)),
            _ => None,
        }
    }
    tree.values().find_map(|node| value(node, 1))
}

/// Where the innermost list or table in brackets starts, before another place, that a place lies
/// in or right behind.
fn innermost(text: &str, tree: &DeTable<'_>, at: usize, before: usize) -> Option<usize> {
    type Value<'a> = toml::Spanned<DeValue<'a>>;
    fn value(text: &str, node: &Value<'_>, at: usize, before: usize) -> Option<usize> {
        let span = node.span();
        let inner = match node.get_ref() {
            DeValue::Array(array) => array.iter().find_map(|node| value(text, node, at, before)),
            DeValue::Table(table) => table.values().find_map(|node| value(text, node, at, before)),
            _ => return None,
        };
        // Of a table that has a header the span is the header.
        let table = matches!(node.get_ref(), DeValue::Table(_));
        let opens = !table || text.as_bytes().get(span.start) == Some(&b'{');
        let around = span.start < before && span.start < at && at <= span.end;
        inner.or_else(|| (opens && around).then_some(span.start))
    }
    tree.values().find_map(|node| value(text, node, at, before))
}

/// Where the list or table in braces starts that was not closed before the line of a place: the
/// line is a header, or a key and a value where a list would go on.
fn unclosed_before(text: &str, tree: &DeTable<'_>, at: usize) -> Option<usize> {
    let (start, line) = line_of(text, at);
    let name = line.trim_start().trim_start_matches('[');
    let header =
        line.trim_start().starts_with('[') && name.starts_with(|c: char| c.is_ascii_alphabetic());
    let key = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
    let pair = key.len() < name.len() && key.trim_start().starts_with('=');
    let opening = innermost(text, tree, at, start)?;
    (header || (pair && text.as_bytes().get(opening) == Some(&b'['))).then_some(opening)
}

/// The header that a line is, without blanks and comments, if it is one: `[a.b]`.
fn header(line: &str) -> Option<String> {
    let line = line.trim_start().trim_start_matches('\u{feff}').split('#').next()?;
    let end = line.rfind(']')?;
    let plain = line.get(..=end)?.replace([' ', '\t'], "");
    plain.starts_with('[').then_some(plain)
}

/// The line in which a place lies, and where that line starts.
fn line_of(text: &str, at: usize) -> (usize, &str) {
    let start =
        text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    (start, text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default())
}

/// The name of a duplicate's header, without brackets, if its line is a header.
fn headed(text: &str, at: &Bytes<usize>) -> Option<String> {
    let (start, line) = line_of(text, at.start);
    let opening = line.find('[').map(|bracket| start + bracket)?;
    (opening < at.start).then(|| header(line)).flatten()
}

/// Whether a duplicate is no `[x]` of a `[[x]]`, nor the other way round: of those the tree keeps
/// only one.
fn same_kind(text: &str, at: &Bytes<usize>) -> bool {
    match headed(text, at) {
        Some(header) => first_header(text, at.start, &header).is_some(),
        None => true,
    }
}

/// Whether a duplicate is a key of a table that is one itself: called otherwise, it has none.
fn follows(text: &str, at: &Bytes<usize>, twice: &[Bytes<usize>]) -> bool {
    let is_table = |at: &Bytes<usize>| headed(text, at).is_some();
    let mut before = twice.iter().filter(|other| other.start < at.start);
    let Some(table) = before.rfind(|other| is_table(other)).filter(|_| !is_table(at)) else {
        return false;
    };
    let between = text.get(table.start..at.start).unwrap_or_default();
    !between.split('\n').skip(1).any(|line| line.trim_start().starts_with('['))
}

/// The first line before a place that is this very header.
fn first_header(text: &str, before: usize, wanted: &str) -> Option<TextSpan> {
    let mut start = 0;
    for line in text.split('\n') {
        let end = start + line.trim_end().len();
        if end >= before {
            return None;
        }
        if line.trim_start().starts_with('[') && header(line).as_deref() == Some(wanted) {
            return Some(TextSpan::new(start, end));
        }
        start += line.len() + 1;
    }
    None
}

fn duplicate(text: &str, tree: &DeTable<'_>, at: Bytes<usize>) -> Diagnostic {
    let raw = text.get(at.clone()).unwrap_or_default();
    let name = raw.trim_matches(['"', '\'']);
    let (what, first) = match headed(text, &at) {
        Some(header) => ("the table", first_header(text, at.start, &header)),
        None => ("the key", first_key(text, tree, name, at.start)),
    };
    let message = format!("{what} {} is given twice", shown(name));
    let problem = Diagnostic::error(code::DUPLICATE, at.into(), message).label("the second time");
    match first {
        Some(first) => problem.and(first, "the first time"),
        None => problem,
    }
}

/// Where a key was given before, in the table that a place lies in.
fn first_key(text: &str, tree: &DeTable<'_>, name: &str, before: usize) -> Option<TextSpan> {
    let owner = owner(text, tree, before);
    let dotted = text.get(..before).is_some_and(|text| text.trim_end().ends_with('.'));
    if dotted {
        return dotted_key(owner, name, before);
    }
    let (key, _) = owner.get_key_value(name)?;
    Some(TextSpan::from(key.span())).filter(|at| at.start < before)
}

/// The last key of that name before a place in the tables that dotted keys made.
fn dotted_key(table: &DeTable<'_>, name: &str, before: usize) -> Option<TextSpan> {
    let mut found = None;
    for (key, value) in table.iter() {
        let at = TextSpan::from(key.span());
        if key.get_ref() == name && at.start < before {
            found = found.max(Some(at));
        }
        if let DeValue::Table(inner) = value.get_ref() {
            found = found.max(dotted_key(inner, name, before));
        }
    }
    found
}

/// The table that a place lies in: the innermost in braces, or else that of the last header.
fn owner<'t>(text: &str, tree: &'t DeTable<'t>, at: usize) -> &'t DeTable<'t> {
    let mut best = (0, tree);
    let mut todo: Vec<(Bytes<usize>, &'t DeValue<'t>)> = Vec::new();
    let open = |table: &'t DeTable<'t>, todo: &mut Vec<(Bytes<usize>, &'t DeValue<'t>)>| {
        todo.extend(table.values().map(|value| (value.span(), value.get_ref())));
    };
    open(tree, &mut todo);
    while let Some((span, value)) = todo.pop() {
        match value {
            DeValue::Array(array) => {
                todo.extend(array.iter().map(|value| (value.span(), value.get_ref())));
            }
            DeValue::Table(table) => {
                let opening = text.as_bytes().get(span.start);
                let braced = opening == Some(&b'{') && (span.start..span.end).contains(&at);
                let headed = opening == Some(&b'[') && span.start <= at;
                if (braced || headed) && span.start >= best.0 {
                    best = (span.start, table);
                }
                open(table, &mut todo);
            }
            _ => {}
        }
    }
    best.1
}
