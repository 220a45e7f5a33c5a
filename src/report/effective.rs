//! A scenario as it is understood, each value with where it comes from: a line of its file, or
//! whose default it is. The comments are the only thing that it adds; the text runs by itself.

use super::diagnostic::escaped;
use crate::load::Loaded;
use bootrace_sim::scenario::{Line, Places, TextSpan, Value, Whose, lines};

/// How far to the right comments go to stand in one column.
const WIDEST: usize = 60;

/// Prints a scenario with the origin of each value.
#[must_use]
pub fn effective(loaded: &Loaded) -> String {
    let places = Places::of(&loaded.source.text, loaded.source.base());
    let lines = lines(&loaded.scenario);
    let mut printed = String::new();
    for block in lines.split_inclusive(|line| line.text.is_empty()) {
        let widths = block.iter().filter(|line| line.value.is_some());
        let widths = widths.map(|line| line.text.chars().count()).filter(|width| *width <= WIDEST);
        let column = widths.max().unwrap_or(0);
        for Line { text, value } in block {
            let origin = value.as_ref().and_then(|value| origin(loaded, &places, value));
            printed.push_str(text);
            if let Some(origin) = origin {
                let gap = column.saturating_sub(text.chars().count()) + 1;
                printed.push_str(&" ".repeat(gap));
                printed.push_str("# ");
                printed.push_str(&escaped(&origin));
            }
            printed.push('\n');
        }
    }
    printed
}

fn origin(loaded: &Loaded, places: &Places<'_>, value: &Value) -> Option<String> {
    if let Some(at) = places.value(&value.path) {
        return Some(line_of(loaded, at));
    }
    let whose = value.default.map(|whose| match whose {
        Whose::BullMq => "BullMQ's default",
        Whose::Kubernetes => "Kubernetes' default",
        Whose::Bootrace => "bootrace's default",
    });
    whose.map(str::to_owned)
}

fn line_of(loaded: &Loaded, at: TextSpan) -> String {
    let (path, line, _) = loaded.source.place(at);
    format!("{}:{line}", path.display())
}
