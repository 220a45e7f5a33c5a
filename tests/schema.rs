//! The committed JSON Schema is the grammar's, takes every scenario, and refuses files of a wrong
//! shape. To renew it: `BOOTRACE_RENEW_SCHEMAS=1 cargo test --test schema`.

mod support;

use assert_cmd::Command;
use serde_json::{Map, Value, json};
use std::fs;
use toml::de::{DeTable, DeValue};

const FILE: &str = "schemas/scenario.json";

fn printed() -> String {
    let mut command = Command::cargo_bin("bootrace").expect("cargo built it");
    let output = command.args(["schema", "scenario"]).output().expect("it starts");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn the_committed_schema_is_the_grammars() {
    let path = support::root().join(FILE);
    if std::env::var_os("BOOTRACE_RENEW_SCHEMAS").is_some() {
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        fs::write(&path, printed()).expect("it can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == printed(), "{FILE} is not what the grammar says: renew it");
}

fn validator() -> jsonschema::Validator {
    let schema = serde_json::from_str(&printed()).expect("it is JSON");
    jsonschema::draft7::meta::validate(&schema).expect("it is a schema");
    jsonschema::draft7::new(&schema).expect("it is a schema")
}

/// A TOML value as editors give it to a schema.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(&**text),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            Value::from(number.expect("it fits"))
        }
        DeValue::Float(float) => {
            float.as_str().parse::<f64>().map(Value::from).expect("it is a number")
        }
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Datetime(moment) => Value::from(moment.to_string()),
        DeValue::Array(array) => array.iter().map(|value| json(value.get_ref())).collect(),
        DeValue::Table(table) => object(table),
    }
}

fn object(table: &DeTable<'_>) -> Value {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        (key.to_string(), json(value.get_ref()))
    };
    Value::Object(table.iter().map(entry).collect::<Map<String, Value>>())
}

fn value(text: &str) -> Value {
    object(DeTable::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}")).get_ref())
}

#[test]
fn every_scenario_and_all_that_is_printed_is_valid() {
    let validator = validator();
    let everything = "sim/src/scenario/print/everything.toml";
    let mut files = support::files("scenarios", "toml");
    files.push(support::root().join(everything));
    assert!(files.len() >= 13, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("it can be read");
        let printed = bootrace::load::load(&file).expect("it is a scenario");
        for text in [text, bootrace::sim::scenario::print(&printed.scenario)] {
            let errors: Vec<String> = validator
                .iter_errors(&value(&text))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert_eq!(errors, [""; 0], "{}", support::named(&file));
        }
    }
}

#[test]
fn a_file_that_extends_says_only_what_is_other() {
    let validator = validator();
    let service = "extends = 'base.toml'\n[service.worker]\n";
    assert!(validator.is_valid(&value(&format!("{service}replicas = 3\n"))));
    for wrong in ["replica = 3", "replicas = '3'", "[[event]]\nkill = 1"] {
        assert!(!validator.is_valid(&value(&format!("{service}{wrong}\n"))), "{wrong}");
    }
    assert!(!validator.is_valid(&value("extends = 3\n")));
}

#[test]
fn what_is_wrong_in_shape_is_refused() {
    let validator = validator();
    let path = support::root().join("sim/src/scenario/print/everything.toml");
    let good = fs::read_to_string(path).expect("it can be read");
    assert!(validator.is_valid(&value(&good)));
    for (part, by) in [
        ("length = \"4h\"", "length = 4"),
        ("length = \"4h\"", "length = \"4 h\""),
        ("length = \"4h\"", "lenght = \"4h\""),
        ("format = 1\n", "format = 2\n"),
        ("calm = \"10m\"", "calm = \"1m..2m\""),
        ("measure = [\"1h\", \"3h59m\"]", "measure = [\"1h\"]"),
        ("every = \"1h\"\nqueue", "every = \"1h\"\npattern = \"* * * * *\"\nqueue"),
        ("every = \"1h\"\nqueue", "queue"),
        ("priority = 3", "priority = -3"),
        ("backoff = \"5s\"", "backoff = 5000"),
        ("{ age = \"2h\" }", "{}"),
        ("{ age = \"2h\" }", "\"2h\""),
        ("{ exit = 2 }", "{ exit = 2, fail = 2 }"),
        ("{ block = \"20ms\" }", "{ block = \"20ms\", sleep = \"1s\" }"),
        ("{ write = { rows = 1 } }", "{ write = { batches = 1 } }"),
        ("else = \"fail\"", "else = \"explode\""),
        ("limit = 4, key", "endDate = 4, key"),
        ("job_id = \"old\"", "job_id = \"old {window}\""),
        ("as = \"lock\"\n", "as = \"lock\"\nlabel = \"x\"\n"),
        ("{ sleep = \"1s\" }, { database", "{ sleep = \"1s\", worker = \"work\" }, { database"),
        ("{ max = 10, duration = \"1s\" }", "{ max = 10 }"),
        ("retry = 3, ", ""),
        ("replicas = 3", "replicas = \"3\""),
        ("restart = \"on_failure\"", "restart = \"OnFailure\""),
        ("max_unavailable = \"50%\"", "max_unavailable = \"50.5%\""),
        ("scale = 5", "scale = 5\nkill = 1"),
        ("scale = 5", ""),
        ("clock = \"-1m30s\"", "clock = \"1m30s\""),
        ("odds = \"12.5%\"", "odds = 12.5"),
        ("\"live registrations\"", "\"rows in all\""),
        ("violated = \">=60%\"", "violated = \"sometimes\""),
        ("at_least = 1\nviolated", "at_least = 1\nat_most = 1\nviolated"),
        ("at_most = \"1m30s\"", "at_most = 90"),
        ("sometimes = \"clocks step\"", "sometimes = \"clocks step\"\nviolated = \"some seed\""),
        ("sometimes = \"clocks step\"", "always = \"clocks step\""),
        ("[[event]]\nat = \"30m\"", "[[event]]"),
    ] {
        assert_eq!(good.matches(part).count(), 1, "{part:?} stands once");
        let bad = good.replace(part, by);
        assert!(!validator.is_valid(&value(&bad)), "{by:?} in place of {part:?} is taken");
        assert!(bootrace::sim::scenario::parse(&bad).is_err(), "{by:?}: the parser takes it");
    }
    assert!(!validator.is_valid(&json!({})));
}
