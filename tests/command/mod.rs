//! The built command, for the tests that run it.

use assert_cmd::Command;
use std::path::Path;

/// What of the environment changes what is printed.
const ENVIRONMENT: [&str; 9] = [
    "CI",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY",
    "NO_COLOR",
    "RAYON_NUM_THREADS",
    "RUST_BACKTRACE",
];

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The command in a folder, in an environment that says nothing about what is printed.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("bootrace").expect("cargo built it");
    for name in ENVIRONMENT {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments);
    command
}
