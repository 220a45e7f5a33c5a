//! Which scripts of the packages are modelled, and how often each was compared: the committed table.
//! It is held against what was played only where all tests of the target were, with the seeds that
//! they have by default: only there are the numbers the same each time.

use crate::play::{Calls, Count};
use bootrace_sim::bullmq::Version;
use bootrace_sim::bullmq::scripts::Call;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// What was compared, by the versions whose clients shared the queue.
#[derive(Clone, Default)]
pub(crate) struct Coverage(Arc<Mutex<BTreeMap<Vec<Version>, Column>>>);

/// The calls of one test by script, and the scripts that its packages have.
struct Column {
    calls: BTreeMap<String, u64>,
    scripts: BTreeSet<String>,
}

impl Coverage {
    /// Keeps what one test compared.
    pub(crate) fn add(&self, versions: &[Version], calls: &Calls, scripts: &BTreeSet<&str>) {
        let sum = |count: &Count| count.values().sum();
        let column = Column {
            calls: calls.iter().map(|(name, count)| ((*name).to_string(), sum(count))).collect(),
            scripts: scripts.iter().map(|name| (*name).to_string()).collect(),
        };
        self.0.lock().expect("no test panics while it adds").insert(versions.to_vec(), column);
    }

    /// Holds the table against the committed one, or renews that, if all `tests` were played.
    pub(crate) fn check(&self, tests: usize) -> ExitCode {
        let columns = self.0.lock().expect("no test panics while it adds");
        if columns.len() < tests {
            println!(
                "the table of scripts was not looked at: {} of {tests} tests were played",
                columns.len()
            );
            return ExitCode::SUCCESS;
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/COVERAGE.md");
        let table = table(&columns);
        if std::env::var_os("BOOTRACE_RENEW_COVERAGE").is_some() {
            std::fs::write(&file, table).expect("the table can be written");
            return ExitCode::SUCCESS;
        }
        if std::fs::read_to_string(&file).is_ok_and(|committed| committed == table) {
            return ExitCode::SUCCESS;
        }
        println!(
            "{} is not what was compared: renew it with BOOTRACE_RENEW_COVERAGE=1",
            file.display()
        );
        ExitCode::FAILURE
    }
}

fn table(columns: &BTreeMap<Vec<Version>, Column>) -> String {
    let mut columns: Vec<_> = columns.iter().collect();
    columns.sort_by_key(|(versions, _)| versions.len());
    let mut text = String::from(
        "# Scripts of BullMQ that are modelled\n\n\
         Calls of each script, the model's function beside the library's own Lua: replies and the whole keyspace were equal after each. \
         Made by `BOOTRACE_RENEW_COVERAGE=1 cargo test --test scripts`,\nand checked by `cargo test --test scripts`. \
         `-`: that version has no such script. The last column is of a queue that clients of all three share.\n\n| script |",
    );
    for (versions, _) in &columns {
        let head = if let [version] = &versions[..] { version.number() } else { "mixed" };
        write!(text, " {head} |").expect("a string takes all");
    }
    text += &format!("\n|---|{}\n", "---:|".repeat(columns.len()));
    let mut row = |name: &str, cell: &dyn Fn(&Column) -> String| {
        let cells: Vec<String> = columns.iter().map(|(_, column)| cell(column)).collect();
        writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("a string takes all");
    };
    for name in Call::NAMES {
        row(&format!("`{name}`"), &|column| match column.calls.get(name) {
            Some(calls) => calls.to_string(),
            None if column.scripts.contains(name) => "0".into(),
            None => "-".into(),
        });
    }
    row("**in all**", &|column| column.calls.values().sum::<u64>().to_string());
    let open: BTreeSet<&str> = columns
        .iter()
        .flat_map(|(_, column)| &column.scripts)
        .map(String::as_str)
        .filter(|name| !Call::NAMES.contains(name))
        .collect();
    let open: Vec<String> = open.iter().map(|name| format!("`{name}`")).collect();
    write!(
        text,
        "\nNot modelled, since no step of a scenario asks for them: {}.\n",
        open.join(", ")
    )
    .expect("a string takes all");
    text
}
