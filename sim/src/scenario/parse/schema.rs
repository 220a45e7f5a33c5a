//! The grammar as a JSON Schema, for editors that complete and check TOML.
//!
//! It is of draft 7 and uses only what those editors know. It sees shapes: keys, kinds of values,
//! words, spellings. What names resolve to, and what values mean together, only `parse` sees.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::{About, Described, Form, METRICS, Mode, PROPERTIES, Relation, Unit};
use super::answers::ANSWER_MAX;
use super::keys::{self, Kind};
use super::shape::{self, Shape};

/// A length of time, without its ends.
const SPAN: &str = "([0-9]+(\\.[0-9]+)?(d|h|m|s|ms|us|ns))+";

const PPM: &str = "[+-]?[0-9]+ppm";

const PERCENT: &str = "[0-9]+(\\.[0-9]{1,4})?%";

/// The JSON Schema of scenario files.
#[must_use]
pub fn schema() -> Value {
    let whole = table(&shape::TOP, Of::Whole);
    let mut part = table(&shape::TOP, Of::Part);
    part.insert("required".into(), json!(["extends"]));
    let named = keys::named().map(|(name, kind)| (name.to_owned(), value(kind, Of::Whole)));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A scenario of bootrace",
        "type": "object",
        "anyOf": [whole, part],
        "definitions": named.collect::<Map<String, Value>>(),
    })
}

/// Whether a table says all that it must, or only what is other than in the file that it extends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Whole,
    Part,
}

/// A table of one shape.
fn table(shape: &'static Shape, of: Of) -> Map<String, Value> {
    let properties: Map<String, Value> =
        shape.keys().map(|key| (key.to_owned(), property(shape, key, of))).collect();
    let mut table = Map::new();
    table.insert("title".into(), shape.noun.replace('`', "").into());
    table.insert("type".into(), "object".into());
    table.insert("additionalProperties".into(), false.into());
    table.insert("properties".into(), properties.into());
    if of == Of::Part {
        return table;
    }
    if !shape.required.is_empty() {
        table.insert("required".into(), json!(shape.required));
    }
    let one = keys::exactly_one(shape).iter().map(|key| json!({ "required": [key] }));
    let one: Vec<Value> = one.collect();
    if !one.is_empty() {
        table.insert("oneOf".into(), one.into());
    }
    if keys::never_empty(shape) {
        table.insert("minProperties".into(), 1.into());
    }
    table
}

/// The value of a key, with what it says.
fn property(shape: &'static Shape, name: &str, of: Of) -> Value {
    let Some(key) = keys::key(shape, name) else { return json!({}) };
    let mut schema = value(&key.kind, of);
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".into(), key.doc.into());
    }
    schema
}

fn value(kind: &Kind, of: Of) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Name => text("[A-Za-z0-9._-]{1,100}"),
        Kind::Id => text("[A-Za-z0-9._:-]{1,100}"),
        Kind::Template => text("([A-Za-z0-9._:-]|\\{window\\})+"),
        Kind::Words(words) => json!({ "type": "string", "enum": words }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::True => json!({ "type": "boolean", "enum": [true] }),
        Kind::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Instant => json!({ "type": "string", "format": "date-time" }),
        Kind::Span => text(SPAN),
        Kind::Range => text(&format!("{SPAN}(\\.\\.{SPAN})?")),
        Kind::Signed => text(&format!("[+-]{SPAN}")),
        Kind::SignedRange => text(&format!("[+-]?{SPAN}(\\.\\.[+-]?{SPAN})?")),
        Kind::Ppm => text(&format!("{PPM}(\\.\\.{PPM})?")),
        Kind::Percent => text(PERCENT),
        Kind::WholePercent => text("[0-9]+(\\.0{1,4})?%"),
        Kind::Share => text(">= *[0-9]{1,3} *%"),
        Kind::Rate => text("[0-9]{1,6} per (day|week|month)"),
        Kind::Times => json!({ "type": "number", "minimum": 1 }),
        Kind::Metric => {
            let can = METRICS.iter().filter(|line| line.form != Form::Histogram);
            let names: Vec<&str> = can.map(|line| line.name).collect();
            json!({ "type": "string", "enum": names })
        }
        Kind::Table(shape) => table(shape, of).into(),
        Kind::Named(shape) => {
            json!({ "type": "object", "additionalProperties": table(shape, of) })
        }
        Kind::Either(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(|shape| table(shape, of).into()).collect();
            json!({ "anyOf": shapes })
        }
        Kind::Expectation => json!({ "anyOf": expectations() }),
        Kind::Texts => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Answers => {
            let name = json!({ "pattern": "^[^ ]+ [a-z]+ .+ #[0-9]+$" });
            let answer = json!({ "type": "integer", "minimum": 0, "maximum": ANSWER_MAX });
            json!({ "type": "object", "propertyNames": name, "additionalProperties": answer })
        }
        Kind::Each(name, _) => {
            let name = format!("#/definitions/{name}");
            json!({ "type": "array", "items": { "$ref": name } })
        }
        // Lists are not merged but replaced: what is in them is whole.
        Kind::List(element) => json!({ "type": "array", "items": value(element, Of::Whole) }),
        Kind::Pair(element) => {
            json!({ "type": "array", "items": value(element, Of::Whole), "minItems": 2, "maxItems": 2 })
        }
        Kind::Any(kinds) => {
            json!({ "anyOf": kinds.iter().map(|kind| value(kind, of)).collect::<Vec<_>>() })
        }
    }
}

/// A table for each property and each mode that it has.
fn expectations() -> Vec<Value> {
    let modes = [Mode::Always, Mode::Eventually, Mode::Sometimes];
    let forms = PROPERTIES.iter().flat_map(|described| modes.map(|mode| (described, mode)));
    let has = |(described, mode): &(&Described, Mode)| described.relations(*mode).next().is_some();
    forms.filter(has).map(|(described, mode)| expectation(described, mode)).collect()
}

/// The table that asks for a property in a mode.
fn expectation(described: &Described, mode: Mode) -> Value {
    let about = match described.about {
        About::Schedule | About::AnySchedule => Some("schedule"),
        About::Queue | About::AnyQueue => Some("queue"),
        About::Nothing => None,
    };
    let declared = (mode != Mode::Sometimes).then_some("violated");
    let kept = about.into_iter().chain(declared);
    let whole = |key| (key, property(&shape::EXPECTATION, key, Of::Whole));
    let mut properties: BTreeMap<&str, Value> = kept.map(whole).collect();
    let bounds: Vec<&str> = described.relations(mode).filter_map(Relation::key).collect();
    for key in &bounds {
        let least = u64::from(*key == "at_least");
        let bound = match described.unit {
            Unit::Number => json!({ "type": "integer", "minimum": least }),
            Unit::Time => text(SPAN),
        };
        properties.insert(key, bound);
    }
    let named = json!({ "type": "string", "enum": [described.text], "description": described.doc });
    properties.insert(mode.key(), named);
    let required: Vec<&str> = match bounds[..] {
        [only] => vec![mode.key(), only],
        _ => vec![mode.key()],
    };
    let mut table = json!({
        "title": described.text,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    });
    if bounds.len() > 1 {
        table["oneOf"] = bounds.iter().map(|key| json!({ "required": [key] })).collect();
    }
    table
}

/// A text that is all of a pattern.
fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{pattern}$") })
}
