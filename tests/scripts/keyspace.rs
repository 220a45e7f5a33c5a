//! All that two databases hold, compared.

use bootrace_sim::redis::{Bytes, Db, Hash, Snapshot, Value};

/// Fields that hold JSON which Lua wrote: the order within is that of a hash table.
const JSON: [&str; 1] = ["opts"];

/// Compares two databases; the first key that differs, with what is at it in both.
pub(crate) fn compare(model: &Db, lua: &Db) -> Result<(), String> {
    let (model, lua) = (model.snapshot(), lua.snapshot());
    let (mut one, mut two) = (model.iter().peekable(), lua.iter().peekable());
    loop {
        let (shown, key) = match (one.peek(), two.peek()) {
            (None, None) => return Ok(()),
            (Some(a), Some(b)) if a.key == b.key => {
                let (a, b) = (one.next(), two.next());
                if a.is_some_and(|a| b.is_some_and(|b| same(a, b))) {
                    continue;
                }
                ([show(a), show(b)], a.map(|a| a.key))
            }
            (Some(a), Some(b)) if a.key < b.key => ([show(Some(a)), show(None)], Some(a.key)),
            (Some(a), None) => ([show(Some(a)), show(None)], Some(a.key)),
            (_, Some(b)) => ([show(None), show(Some(b))], Some(b.key)),
        };
        let [model, lua] = differing(&shown[0], &shown[1]);
        let key = key.map(ToString::to_string).unwrap_or_default();
        return Err(format!("  {key}\n  the model: {model}\n  the Lua:   {lua}"));
    }
}

fn same(model: &Snapshot<'_>, lua: &Snapshot<'_>) -> bool {
    model.deadline_ms == lua.deadline_ms
        && match (model.value, lua.value) {
            (Value::Hash(model), Value::Hash(lua)) => same_hash(model, lua),
            (model, lua) => model == lua,
        }
}

fn same_hash(model: &Hash, lua: &Hash) -> bool {
    let same = |(field, value): (&Bytes, &Bytes)| {
        lua.get(field).is_some_and(|other| same_field(field, value, other))
    };
    model.len() == lua.len() && model.iter().all(same)
}

/// Whether two values of a hash's field are the same.
pub(crate) fn same_field(field: &Bytes, model: &Bytes, lua: &Bytes) -> bool {
    let json = |bytes: &Bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let is_json = || JSON.iter().any(|name| field == name);
    model == lua || (is_json() && json(model).is_some() && json(model) == json(lua))
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
