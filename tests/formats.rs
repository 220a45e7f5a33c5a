//! What is printed for programs: the JSON is what its schema says, the schema is what is committed,
//! and GitHub Actions gets its annotations and its summary. To renew the schemas after a change of
//! the types: `BOOTRACE_RENEW_SCHEMAS=1 cargo test --test formats`.

mod command;
mod folder;

use assert_cmd::Command;
use command::{command, root};
use folder::folder;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

const BEFORE: &str = "scenarios/free-tier-usage/before.toml";
const JOB_IDS: &str = "scenarios/free-tier-usage/job-ids.toml";

/// The incident with a part changed everywhere.
fn with(part: &str, by: &str) -> String {
    let text = fs::read_to_string(root().join(BEFORE)).expect("the scenario is there");
    assert!(text.contains(part), "{part:?} stands in the scenario");
    text.replace(part, by)
}

/// It declares nothing, so that its violations are not as declared.
fn failing() -> String {
    with("violated = \"every seed\"\n", "")
}

/// No window of an hour lies within its twenty minutes.
fn vacuous() -> String {
    with("always   = \"executions in all\"", "always   = \"firings per window\"")
}

fn output(command: &mut Command) -> Output {
    command.output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}

/// What is printed for programs, and how many fields it has at least.
const SCHEMAS: [(&str, usize); 3] = [("report", 25), ("exhaustive", 20), ("audit", 60)];

fn schema(of: &str) -> Value {
    let output = output(&mut command(root(), &["schema", of]));
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("a schema is JSON")
}

/// Panics unless a value is what a schema says.
fn is_of(of: &str, value: &Value) {
    let validator = jsonschema::draft7::new(&schema(of)).expect("the schema is one");
    let problems: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}\n{value:#}");
}

/// What an invocation prints as JSON, which must be what the schema says.
fn json(folder: &Path, arguments: &[&str], code: i32) -> Value {
    let arguments = [arguments, &["--seeds", "3", "--format", "json"]].concat();
    let output = output(&mut command(folder, &arguments));
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    let value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    is_of("report", &value);
    value
}

#[test]
fn the_schemas_are_those_that_are_committed() {
    for (of, _) in SCHEMAS {
        let printed = text(&output(&mut command(root(), &["schema", of])).stdout);
        let file = root().join(format!("schemas/{of}.json"));
        if std::env::var_os("BOOTRACE_RENEW_SCHEMAS").is_some() {
            fs::write(&file, &printed).expect("it can be written");
        }
        assert_eq!(printed, fs::read_to_string(&file).unwrap_or_default(), "{of}");
    }
}

#[test]
fn the_schemas_are_of_draft_7_and_say_what_each_field_means() {
    for (of, least) in SCHEMAS {
        says_what_each_field_means(&schema(of), least);
    }
}

fn says_what_each_field_means(schema: &Value, least: usize) {
    assert!(jsonschema::draft7::meta::is_valid(schema));
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let mut fields = 0;
    let definitions = schema["definitions"].as_object().expect("it has parts").values();
    for part in definitions.chain([schema]) {
        for (name, field) in part["properties"].as_object().into_iter().flatten() {
            let described = field["description"].as_str().is_some_and(|text| text.len() > 10);
            assert!(described, "nothing says what {name} means: {field}");
            fields += 1;
        }
    }
    assert!(fields > least, "only {fields} fields were looked at");
}

#[test]
fn json_is_what_its_schema_says() {
    let passing = json(root(), &["run", JOB_IDS], 0);
    assert_eq!((&passing["format"], &passing["stopped"]), (&Value::from(1), &Value::Null));
    assert_eq!(passing["reports"][0]["verdict"], "as-declared");

    let failing = json(&folder("json-failing", "a.toml", failing()), &["run", "a.toml"], 1);
    assert_eq!(failing["reports"][0]["verdict"], "not-as-declared");
    let vacuous = json(&folder("json-vacuous", "a.toml", vacuous()), &["run", "a.toml"], 3);
    assert_eq!(vacuous["reports"][0]["verdict"], "vacuous");
    let never = &vacuous["reports"][0]["expectations"][0];
    assert_eq!((&never["worst"], &never["median"]), (&Value::Null, &Value::Null));

    // What is compared has the same shape as what is run.
    let compared = json(root(), &["compare", BEFORE, JOB_IDS], 0);
    assert_eq!(compared["reports"][1], passing["reports"][0]);
    assert_eq!(compared["reports"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_the_schema_does_not_say_is_seen() {
    let validator = jsonschema::draft7::new(&schema("report")).expect("the schema is one");
    let mut value = json(root(), &["run", JOB_IDS], 0);
    value["reports"][0]["verdict"] = "fine".into();
    assert!(!validator.is_valid(&value));
    assert!(!validator.is_valid(&serde_json::json!({ "format": 1, "reports": [] })));
}

#[test]
fn audits_and_searches_are_what_their_schemas_say() {
    let printed = |arguments: &[&str], code: i32| -> Value {
        let arguments = [arguments, &["--format", "json"]].concat();
        let output = output(&mut command(root(), &arguments));
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    };
    let hazards = ["healthy", "rolling-deploy", "run-by-hand", "scheduler-renamed"];
    let hazards = hazards.iter().flat_map(|name| ["--hazard", name]);
    let arguments = ["audit", "scenarios/free-tier-usage/before-rolling.toml", "--seeds", "2"];
    let audit = printed(&arguments.into_iter().chain(hazards).collect::<Vec<_>>(), 1);
    is_of("audit", &audit);
    // What is null elsewhere is there.
    let cell = &audit["cells"][1];
    assert!(cell["exposure"]["times_a_month"].as_f64() > Some(1.0), "{cell:#}");
    assert!(cell["slowest"]["by"].is_string() && cell["replay"].is_string(), "{cell:#}");
    assert!(audit["cells"][2]["does_not_apply"].is_string());

    let file = "scenarios/proofs/repeat-api.toml";
    let searched = printed(&["explore", file, "--exhaustive", "--kills", "0"], 0);
    is_of("exhaustive", &searched);
    assert!(searched[0]["runs"].as_u64() > Some(1));
}

#[test]
fn an_expectation_has_its_line() {
    let value = json(root(), &["run", JOB_IDS], 0);
    let text = fs::read_to_string(root().join(JOB_IDS)).expect("the scenario is there");
    let lines = (1_usize..).zip(text.lines()).filter(|(_, line)| *line == "[[expect]]");
    let lines: Vec<usize> = lines.map(|(number, _)| number).collect();
    let expectations = value["reports"][0]["expectations"].as_array().expect("it has some");
    let said: Vec<_> = expectations.iter().map(|expected| expected["line"].clone()).collect();
    assert_eq!(said, lines);
}

/// An invocation in a step of GitHub Actions, and the step's summary.
fn step(folder: &Path, arguments: &[&str]) -> (Output, String) {
    let summary = folder.join("summary.md");
    fs::write(&summary, "Before.\n\n").expect("it can be written");
    let mut command = command(folder, arguments);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    (output(&mut command), fs::read_to_string(&summary).expect("it is there"))
}

#[test]
fn github_is_shown_what_is_not_as_declared() {
    let folder = folder("github-failing", "a.toml", failing());
    let arguments = ["run", "a.toml", "--seeds", "3"];
    let (seen, summary) = step(&folder, &arguments);
    let elsewhere = output(&mut command(&folder, &arguments));
    assert_eq!((seen.status.code(), text(&seen.stderr)), (Some(1), String::new()));
    let (seen, elsewhere) = (text(&seen.stdout), text(&elsewhere.stdout));
    let annotations = seen.strip_prefix(&elsewhere).expect("they come after the report");
    let line = failing().lines().position(|line| line == "[[expect]]").expect("it has one") + 1;
    let first = format!(
        "::error file=a.toml,line={line},title=not as declared%3A free-tier usage%2C as found::\
         always usage: executions in all at most 1: worst 12 (seed 1), median 12; \
         violated in 3/3, declared: holds\n"
    );
    assert!(annotations.starts_with(&first), "{annotations}");
    assert_eq!(annotations.lines().count(), 2, "{annotations}");
    assert!(
        summary.starts_with("Before.\n\n### bootrace: free-tier usage, as found\n"),
        "{summary}"
    );
    assert!(summary.contains("| FAIL | always usage: executions in all at most 1 | worst 12 "));
    assert!(summary.contains("\n    bootrace replay a.toml --seed 1\n"), "{summary}");

    // For programs, what is printed stays what it is.
    for format in ["json", "junit"] {
        let arguments = [&arguments[..], &["--format", format]].concat();
        let (seen, _) = step(&folder, &arguments);
        let elsewhere = output(&mut command(&folder, &arguments));
        assert_eq!(text(&seen.stdout), text(&elsewhere.stdout));
        assert_eq!(text(&seen.stderr), annotations);
    }
}

#[test]
fn github_is_shown_nothing_of_what_is_as_declared() {
    let folder = folder("github-passing", "a.toml", with("as found", "as found"));
    let arguments = ["compare", "a.toml", "a.toml", "--seeds", "2"];
    let (seen, summary) = step(&folder, &arguments);
    assert_eq!(seen.status.code(), Some(0));
    assert_eq!(seen.stdout, output(&mut command(&folder, &arguments)).stdout);
    assert_eq!(summary.matches("**As declared.**").count(), 2, "{summary}");
}

#[test]
fn github_is_shown_problems_of_a_file() {
    let folder = folder("github-bad", "a.toml", with("replicas = 12", "replica = 12"));
    let (seen, summary) = step(&folder, &["compare", "a.toml", "none.toml"]);
    assert_eq!(seen.status.code(), Some(2));
    let seen = text(&seen.stdout);
    let line = with("a", "a").lines().position(|line| line == "replicas = 12").expect("a line") + 1;
    let place = format!("::error file=a.toml,line={line},col=1,title=BR003::unknown key `replica`");
    assert!(seen.starts_with(&place), "{seen}");
    assert!(seen.contains("\n::error file=none.toml,title=cannot be read::"), "{seen}");
    assert!(summary.contains(&format!("- error in a.toml, line {line}: BR003: ")), "{summary}");

    // Of many problems, the last line counts those that are not there.
    let text = with("replicas = 12", &(0..30).map(|n| format!("x{n} = 1\n")).collect::<String>());
    fs::write(folder.join("a.toml"), text).expect("it can be written");
    let (seen, _) = step(&folder, &["run", "a.toml"]);
    let seen = String::from_utf8(seen.stdout).expect("it prints text");
    assert_eq!(seen.lines().count(), 10, "{seen}");
    assert!(seen.lines().all(|line| line.starts_with("::error ")), "{seen}");
    assert!(seen.ends_with(" more, see the summary\n"), "{seen}");
}

#[test]
fn github_is_shown_warnings_of_a_file_that_is_played() {
    let idle =
        with("as found", "as found") + "\n[service.idle]\nrelease = \"before\"\nreplicas = 0\n";
    let line = idle.lines().position(|line| line == "[service.idle]").expect("it is there") + 1;
    let folder = folder("github-warning", "a.toml", idle);
    let (seen, summary) = step(&folder, &["run", "a.toml", "--seeds", "2"]);
    assert_eq!(seen.status.code(), Some(0));
    let seen = text(&seen.stdout);
    let last = seen.lines().last().expect("it prints something");
    let place = format!("::warning file=a.toml,line={line},col=10,title=BR102::the service `idle`");
    assert!(last.starts_with(&place), "{seen}");
    assert!(summary.contains(&format!("- warning in a.toml, line {line}: BR102: ")), "{summary}");
}

#[test]
#[cfg(unix)]
fn a_name_is_no_workflow_command() {
    let hostile = with("as found", "##[error]x").replace("free-tier usage, ", "::error::y %0A");
    let hostile = hostile.replace("violated = \"every seed\"\n", "");
    let file = "a\n::warning::b,c:d%0A.toml";
    let folder = folder("github-hostile", file, hostile);
    let (seen, summary) = step(&folder, &["run", file, "--seeds", "2"]);
    let seen = text(&seen.stdout);
    let commands: Vec<&str> =
        seen.lines().filter(|line| line.trim_start().starts_with("::")).collect();
    let head = "::error file=a%0A%3A%3Awarning%3A%3Ab%2Cc%3Ad%250A.toml,line=";
    assert!(commands.iter().all(|line| line.starts_with(head)), "{seen}");
    assert_eq!(commands.len(), 2, "{seen}");
    assert_eq!(seen.lines().filter(|line| line.contains("##[")).count(), 2, "only as data: {seen}");
    assert!(summary.contains("bootrace: ::error::y %0A&#35;&#35;&#91;error&#93;x\n"), "{summary}");
}

#[test]
fn a_summary_that_cannot_be_written_is_a_warning() {
    let folder = folder("github-no-summary", "a.toml", with("as found", "as found"));
    let mut command = command(&folder, &["run", "a.toml", "--seed", "1"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &folder);
    let seen = output(&mut command);
    assert_eq!(seen.status.code(), Some(0));
    let said = text(&seen.stderr);
    assert!(said.starts_with("warning: cannot write the summary of the step: "), "{said}");
}

#[test]
fn colours_are_as_the_environment_says() {
    let folder = folder("colours", "a.toml", "format = 2\n");
    let coloured = |name: &str, value: &str| {
        let seen = output(command(&folder, &["run", "a.toml"]).env(name, value));
        text(&seen.stderr).contains('\u{1b}')
    };
    assert!(coloured("CLICOLOR_FORCE", "1"));
    assert!(!coloured("CLICOLOR", "1"), "a pipe is no terminal");
    assert!(!coloured("NO_COLOR", "1"));
    let mut both = command(&folder, &["run", "a.toml"]);
    let seen = output(both.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"));
    assert!(!text(&seen.stderr).contains('\u{1b}'), "NO_COLOR is what counts");
}
