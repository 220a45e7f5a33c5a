//! The `bootrace` command: arguments in, an exit code out.

use std::process::ExitCode;

/// The server and its scripts allocate for every word and every reply.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bootrace::cli::main().into()
}
