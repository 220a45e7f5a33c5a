//! The README shows what the tool really prints, and its scenario really runs. To renew the blocks
//! after a change of the output: `BOOTRACE_RENEW_README=1 cargo test --test readme`.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const MARK: &str = "<!-- compare: checked by tests/readme.rs -->\n```text\n";
/// A list ends where the next heading begins.
const PROPERTIES: &str = "<!-- properties: checked by tests/readme.rs -->\n";
const AUDIT: &str = "<!-- audit: checked by tests/readme.rs -->\n```text\n";
const PATH: &str = "<!-- path: checked by tests/readme.rs -->\n```text\n";
const ALERTS: &str = "<!-- alerts: checked by tests/readme.rs -->\n```text\n";
/// A list, too.
const METRICS: &str = "<!-- metrics: checked by tests/readme.rs -->\n";
const SOAK: &str = "<!-- soak: checked by tests/readme.rs -->\n```text\n";
const RUN: &str = "<!-- run: checked by tests/readme.rs -->\n```text\n";

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands between `open` and the end of its fence, or of its part if it has no fence, and where.
fn block<'a>(text: &'a str, open: &str) -> (usize, &'a str) {
    let start = text.find(open).expect("the README has the block") + open.len();
    let end = if open.contains("```") { "```" } else { "\n## " };
    let length = text[start..].find(end).expect("it ends");
    (start, &text[start..start + length])
}

fn bootrace(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::cargo_bin("bootrace").unwrap();
    // There it prints annotations besides.
    command.env_remove("GITHUB_ACTIONS").current_dir(folder).args(arguments);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn the_first_command_prints_what_the_readme_shows() {
    let readme = readme();
    let command =
        readme.lines().find_map(|line| line.trim().strip_prefix("cargo run --release -- "));
    let arguments: Vec<&str> = command.expect("the README has the command").split(' ').collect();
    shows(MARK, &bootrace(root(), &arguments));
}

#[test]
fn the_commands_for_a_queue_of_ones_own_print_what_the_readme_shows() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let readme = readme();
    let line = |start: &str| {
        let line = readme.lines().find_map(|line| line.trim().strip_prefix(start));
        arguments(line.expect("the README has the command"))
    };
    let (init, run) = (line("bootrace init "), line("bootrace run "));
    let said = bootrace(&folder, &[&["init"], &init[..]].concat());
    assert!(said.ends_with(&format!("next:  bootrace run {}\n", run.join(" "))), "{said}");
    shows(RUN, &bootrace(&folder, &[&["run"], &run[..]].concat()));
}

#[test]
fn the_audit_of_the_queues_prints_what_the_readme_shows() {
    let readme = readme();
    let line = readme.lines().find_map(|line| line.trim().strip_prefix("bootrace audit scen"));
    let (files, how) = line.expect("the README has the command").split_once(' ').unwrap();
    let (folder, pattern) = files.rsplit_once('/').unwrap();
    let folder = format!("scen{folder}");
    assert_eq!(pattern, "*.toml", "a shell knows what files these are, and so does this test");
    let mut files: Vec<String> = fs::read_dir(root().join(&folder))
        .unwrap()
        .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap()))
        .filter(|file| file.ends_with(".toml"))
        .collect();
    files.sort();
    let files = files.iter().map(String::as_str);
    let all: Vec<&str> = ["audit"].into_iter().chain(files).chain(how.split(' ')).collect();
    shows(AUDIT, &bootrace(root(), &all));
}

#[test]
fn the_steps_of_the_product_come_to_what_the_readme_shows() {
    let mut steps: Vec<_> =
        fs::read_dir(root().join("scenarios/product-path")).unwrap().map(Result::unwrap).collect();
    steps.sort_by_key(fs::DirEntry::file_name);
    let mut shown = format!("{:36} {:>6} {:>8} {:>14}\n", "", "runs", "rows", "registrations");
    for step in steps {
        let scenario = bootrace::load::load(&step.path()).unwrap().scenario;
        let is_live = |measure| measure == bootrace::sim::scenario::Measure::LiveRegistrations;
        let mut each = scenario.expectations.iter();
        let live = each.position(|expected| is_live(expected.property.measure)).unwrap();
        let of = |seed| {
            let verdict = bootrace::explore::play(&scenario, seed).verdict;
            let all = verdict.figures.total;
            (all.executions, all.rows, verdict.judgements[live].figure.unwrap())
        };
        let (runs, rows, live) = of(1);
        assert_eq!(of(2), (runs, rows, live), "the same on each seed");
        let name = step.file_name().into_string().unwrap();
        shown += &format!("{name:36} {runs:>6} {rows:>8} {live:>14}\n");
    }
    shows(PATH, &shown);
}

#[test]
fn the_week_of_the_readme_is_what_a_soak_prints() {
    let readme = readme();
    let command = readme.lines().find_map(|line| line.strip_prefix("    bootrace soak "));
    let arguments = arguments(command.expect("the README has the command"));
    shows(SOAK, &bootrace(root(), &[&["soak"], &arguments[..]].concat()));
}

#[test]
fn every_property_is_listed_as_its_table_has_it() {
    let mut list = String::new();
    for described in bootrace::sim::scenario::PROPERTIES {
        let mut forms: Vec<String> = Vec::new();
        for (mode, relation) in described.forms {
            let bound = relation.key().map_or(String::new(), |key| format!(" {key}"));
            forms.push(format!("`{}`{bound}", mode.key()));
        }
        let doc = described.doc;
        list += &format!("- **{}** ({}): {doc}\n", described.text, forms.join(", "));
    }
    shows(PROPERTIES, &list);
}

#[test]
fn every_metric_is_listed_as_its_table_has_it() {
    let mut list = String::new();
    for line in bootrace::sim::scenario::METRICS {
        let state = Some(line.states.0).filter(|label| !label.is_empty());
        let labels: Vec<&str> = std::iter::once(line.label).chain(state).collect();
        list += &format!("- `{}` ({}): {}\n", line.name, labels.join(", "), line.doc);
    }
    shows(METRICS, &list);
}

#[test]
fn the_alerts_of_the_incident_are_those_that_the_readme_shows() {
    let incident = "scenarios/free-tier-usage/before.toml";
    let said = bootrace(root(), &["run", incident, "--seeds", "50", "--alerts"]);
    let (_, alerts) = said.split_once("\nalerts\n").expect("there are alerts");
    let (alerts, _) = alerts.split_once("\n\n").expect("the story follows");
    shows(ALERTS, &format!("{alerts}\n"));
}

/// The arguments of a line of a shell, in which some stand between quotes.
fn arguments(line: &str) -> Vec<&str> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(number, part)| match number % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

/// Checks the block behind a mark, or renews it.
fn shows(mark: &str, printed: &str) {
    // The blocks are renewed one after the other.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let readme = readme();
    let (start, shown) = block(&readme, mark);
    if std::env::var_os("BOOTRACE_RENEW_README").is_some() {
        let renewed = format!("{}{printed}{}", &readme[..start], &readme[start + shown.len()..]);
        // Other tests read it meanwhile: it is there whole, or as it was.
        fs::write(root().join("README.md.new"), renewed).unwrap();
        fs::rename(root().join("README.md.new"), root().join("README.md")).unwrap();
        return;
    }
    assert_eq!(printed, shown);
}

#[test]
fn the_scenario_of_the_readme_is_as_it_declares() {
    let readme = readme();
    let (_, text) = block(&readme, "```toml\n");
    let (scenario, warnings) = bootrace::sim::scenario::parse(text).expect("it parses");
    assert_eq!(warnings, []);
    let scenario = std::sync::Arc::new(scenario);
    let exploration = bootrace::explore::explore(&scenario, 1..=10);
    let report = bootrace::report::Report::new("README.md", text, &scenario, &exploration);
    assert_eq!(report.verdict, bootrace::report::Verdict::AsDeclared, "{report:?}");
}
