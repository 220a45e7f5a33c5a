//! The `bootrace` command: arguments in, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    bootrace::cli::main().into()
}
