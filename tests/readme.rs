//! The README shows what the tool really prints, and its scenario really runs. To renew the blocks
//! after a change of the output: `BOOTRACE_RENEW_README=1 cargo test --test readme`.

use assert_cmd::Command;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const MARK: &str = "<!-- compare: checked by tests/readme.rs -->\n```text\n";
/// A list ends where the next heading begins.
const PROPERTIES: &str = "<!-- properties: checked by tests/readme.rs -->\n";
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
        fs::write(root().join("README.md"), renewed).unwrap();
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
