//! All that two databases hold, compared.

use std::collections::HashSet;

use bootrace_sim::redis::{Bytes, Db, Hash, Snapshot, Value};

/// Fields that hold JSON which Lua wrote: the order within is that of a hash table.
const JSON: [&str; 1] = ["opts"];

/// Compares, and knows which texts were found to be the same JSON.
#[derive(Default)]
pub(crate) struct Comparison {
    same: HashSet<(Bytes, Bytes)>,
}

impl Comparison {
    /// Compares two databases; the first key that differs, with what is at it in both.
    pub(crate) fn keyspaces(&mut self, model: &Db, lua: &Db) -> Result<(), String> {
        let (model, lua) = (model.snapshot(), lua.snapshot());
        let (mut one, mut two) = (model.iter().peekable(), lua.iter().peekable());
        loop {
            let (shown, key) = match (one.peek(), two.peek()) {
                (None, None) => return Ok(()),
                (Some(a), Some(b)) if a.key == b.key => {
                    if self.same(a, b) {
                        one.next();
                        two.next();
                        continue;
                    }
                    ([show(Some(a)), show(Some(b))], a.key)
                }
                (Some(a), Some(b)) if a.key > b.key => ([show(None), show(Some(b))], b.key),
                (Some(a), _) => ([show(Some(a)), show(None)], a.key),
                (None, Some(b)) => ([show(None), show(Some(b))], b.key),
            };
            let [model, lua] = differing(&shown[0], &shown[1]);
            return Err(format!("  {key}\n  the model: {model}\n  the Lua:   {lua}"));
        }
    }

    fn same(&mut self, model: &Snapshot<'_>, lua: &Snapshot<'_>) -> bool {
        model.deadline_ms == lua.deadline_ms
            && match (model.value, lua.value) {
                (Value::Hash(model), Value::Hash(lua)) => self.same_hash(model, lua),
                (model, lua) => model == lua,
            }
    }

    fn same_hash(&mut self, model: &Hash, lua: &Hash) -> bool {
        model.len() == lua.len()
            && model.iter().all(|(field, value)| {
                lua.get(field).is_some_and(|other| self.same_field(field, value, other))
            })
    }

    /// Whether two values of a hash's field are the same.
    pub(crate) fn same_field(&mut self, field: &Bytes, model: &Bytes, lua: &Bytes) -> bool {
        if model == lua {
            return true;
        }
        let pair = (model.clone(), lua.clone());
        if !JSON.iter().any(|name| field == name) {
            return false;
        }
        if self.same.contains(&pair) {
            return true;
        }
        let json = |bytes: &Bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        let same = json(model).is_some() && json(model) == json(lua);
        if same {
            self.same.insert(pair);
        }
        same
    }
}

fn show(shown: Option<&Snapshot<'_>>) -> String {
    match shown {
        None => "(nothing)".to_owned(),
        Some(Snapshot { value, deadline_ms: None, .. }) => format!("{value:?}"),
        Some(Snapshot { value, deadline_ms: Some(at), .. }) => format!("{value:?} until {at}"),
    }
}

/// Both texts from shortly before where they begin to differ: of a long stream only the end does.
fn differing(one: &str, two: &str) -> [String; 2] {
    const BEFORE: usize = 100;
    let same = one.bytes().zip(two.bytes()).take_while(|(one, two)| one == two).count();
    let from = same.saturating_sub(BEFORE);
    [one, two].map(|text| match from {
        0 => text.to_owned(),
        from => format!("…{}", &text[text.ceil_char_boundary(from)..]),
    })
}
